"""Recordings written by other packages, so that values come from elsewhere."""

from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pytest


def _sines(num_channels: int, duration_s: int, rate: float) -> np.ndarray:
    """Sines of 10, 20, 30, ... microvolts, shape (channels, samples)."""
    times = np.arange(int(duration_s * rate)) / rate
    channels = np.arange(1, num_channels + 1)[:, None]
    return 10.0 * channels * np.sin(2 * np.pi * (channels + 1) * times)


@pytest.fixture
def sines() -> Callable[[int, int, float], np.ndarray]:
    return _sines


@pytest.fixture
def write_edf(tmp_path: Path) -> Callable[..., tuple[Path, np.ndarray]]:
    """Writes an EDF+ file with edfio; returns its path and the microvolts written."""

    def write(
        labels: list[str],
        *,
        name: str = "rec.edf",
        unit: str = "uV",
        rate: float = 200,
        duration_s: int = 20,
        annotations: list[tuple[float, float | None, str]] = (),
        patient: str = "X",
        folder: Path | None = None,
    ) -> tuple[Path, np.ndarray]:
        signal = _sines(len(labels), duration_s, rate)
        path = (folder or tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        signals = [
            edfio.EdfSignal(values, rate, label=label, physical_dimension=unit, physical_range=(-3000, 3000))
            for label, values in zip(labels, signal, strict=True)
        ]
        edf = edfio.Edf(
            signals,
            patient=edfio.Patient(code=patient),
            annotations=[edfio.EdfAnnotation(*annotation) for annotation in annotations] or None,
        )
        edf.write(path)
        return path, signal

    return write
