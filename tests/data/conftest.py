from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from brant_hf.data import Preprocessing, Recording, open_recording

# Chain that changes nothing at 250 Hz, for tests of what comes after it.
PLAIN = Preprocessing(line_noise=None, high_pass=None)


@pytest.fixture
def plain() -> Preprocessing:
    return PLAIN


@pytest.fixture
def make_recording() -> Callable[..., Recording]:
    """Noise of 50 microvolts, or a given signal, as an open recording."""

    def make(
        signal: np.ndarray | None = None,
        rate: float = 250.0,
        *,
        channels: int = 3,
        seconds: float = 30.0,
        names: list[str] | None = None,
        seizures: list | None = None,
        subject: str = "s1",
        name: str = "r1",
        seed: int = 0,
    ) -> Recording:
        if signal is None:
            shape = channels, round(seconds * rate)
            signal = 50 * np.random.default_rng(seed).standard_normal(shape)
        return open_recording(
            np.asarray(signal, np.float32), rate, names, seizures, subject=subject, name=name, unit="uV"
        )

    return make


@pytest.fixture
def write_edf() -> Callable[..., Path]:
    """Writes an EDF recording with a resolution of 0.1 microvolt."""
    edfio = pytest.importorskip("edfio")

    def write(path: Path, signal: np.ndarray, rate: int, names: list[str] | None = None, seizures=()) -> Path:
        names = names or [f"A{i + 1}" for i in range(len(signal))]
        signals = [
            edfio.EdfSignal(
                np.asarray(row, float), rate, label=label, physical_dimension="uV", physical_range=(-3276.8, 3276.7)
            )
            for row, label in zip(signal, names, strict=True)
        ]
        annotations = [edfio.EdfAnnotation(onset, offset - onset, "seizure") for onset, offset in seizures]
        path.parent.mkdir(parents=True, exist_ok=True)
        edfio.Edf(signals, annotations=annotations).write(path)
        return path

    return write
