from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

if gc.isenabled():
    gc.disable()  # imports leave little garbage, and take much longer when it is looked for
# Before any import of a Hugging Face library: no test reaches the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Tests that run beside each other, and the programs they start, get one core each.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from snippets import VARIABLES
from warm_python import warm_commands

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForSeizureDetection
from brant_hf.detection import SeizureDetectionPipeline


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a CUDA device where there is none."""
    if not torch.cuda.is_available():
        left_out = [item for item in items if item.get_closest_marker("gpu")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """From now on, garbage is collected, but never looked for in the modules that are there now."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def commands(tmp_path_factory) -> Iterator[Path]:
    """A folder with the commands `python` and `brant-hf`, which start at once."""
    folder = tmp_path_factory.mktemp("bin")
    with warm_commands(folder, {**VARIABLES, "HF_MODULES_CACHE": str(tmp_path_factory.mktemp("modules"))}):
        yield folder


REFERENCE = Path(__file__).parent / "fixtures" / "reference"


@pytest.fixture(scope="session")
def reference() -> dict[str, torch.Tensor]:
    """Numbers of the published code, see fixtures/reference/SOURCE.txt."""
    return load_file(REFERENCE / "vectors.safetensors")


@pytest.fixture
def small_config():
    """A factory of small configurations."""

    def make(**kwargs) -> BrantConfig:
        fields = {
            "patch_length": 30,
            "num_patches": 15,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_temporal_layers": 2,
            "num_spatial_layers": 2,
            "num_attention_heads": 4,
            "prediction_length": 40,
        }
        return BrantConfig(**{**fields, **kwargs})

    return make


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def plain_figures(monkeypatch) -> None:
    """Figures are empty, for what is asked of their files alone; to draw one takes a second."""
    from matplotlib.figure import Figure

    monkeypatch.setattr("brant_hf.detection.plots.draw_overview", lambda *_, **__: Figure(figsize=(1, 1)))


PATCH, PATCHES, RATE = 50, 6, 100


@pytest.fixture
def detector() -> Callable[..., BrantForSeizureDetection]:
    """Detectors with random weights, large enough that probabilities differ between patches.

    Windows of 6 patches of 0.5 s at 100 Hz.
    """

    def make(**fields) -> BrantForSeizureDetection:
        torch.manual_seed(1)
        small = {
            "patch_length": PATCH,
            "num_patches": PATCHES,
            "sampling_rate": RATE,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_temporal_layers": 1,
            "num_spatial_layers": 1,
            "num_attention_heads": 2,
            "initializer_range": 0.3,
            "detection": {"preprocessing": {"line_noise": None}, "min_duration": 0.0, "merge_gap": 0.0},
        }
        return BrantForSeizureDetection(BrantConfig(**{**small, **fields})).eval()

    return make


@pytest.fixture
def extractor() -> Callable[..., BrantFeatureExtractor]:
    def make(**fields) -> BrantFeatureExtractor:
        return BrantFeatureExtractor(
            **{"sampling_rate": RATE, "patch_length": PATCH, "num_patches": PATCHES, **fields}
        )

    return make


@pytest.fixture
def pipe(detector, extractor) -> SeizureDetectionPipeline:
    return SeizureDetectionPipeline(detector(), extractor(), progress=False)


@pytest.fixture
def checkpoint(detector, extractor, tmp_path_factory) -> Path:
    """A saved detector."""
    folder = tmp_path_factory.mktemp("detector")
    detector().save_pretrained(folder)
    extractor().save_pretrained(folder)
    return folder


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Noise of 50 microvolts, `(channels, samples)`."""

    def make(channels: int, samples: int, seed: int = 0) -> np.ndarray:
        return (50 * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)

    return make


@pytest.fixture
def write_edf() -> Callable[..., Path]:
    """Writes an EDF recording with a resolution of 0.1 microvolt."""
    import datetime

    import edfio

    def write(path: Path, signal: np.ndarray, rate: int, start: datetime.datetime | None = None) -> Path:
        signals = [
            edfio.EdfSignal(
                row.astype(float), rate, label=f"A{i + 1}", physical_dimension="uV", physical_range=(-3276.8, 3276.7)
            )
            for i, row in enumerate(signal)
        ]
        date = (
            {} if start is None else {"recording": edfio.Recording(startdate=start.date()), "starttime": start.time()}
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        edfio.Edf(signals, **date).write(path)
        return path

    return write


@pytest.fixture
def write_swec() -> Callable[..., Path]:
    """Writes a folder of SWEC as on the Hub, `NeuroTec/SWEC_iEEG_Dataset`: parts, and a total that joins them.

    `index` is the folder by whose name the total looks for its parts, which in most of the release is not its own.
    """
    h5py = pytest.importorskip("h5py")

    def write(
        root: Path,
        subject: str,
        parts: list[np.ndarray],
        seizures: list[tuple[float, float]],
        rate: float = 512,
        *,
        index: str | None = None,
        chunk_s: float = 180,
        compressed: bool = False,
    ) -> Path:
        folder = root / subject
        folder.mkdir(parents=True)
        filters = {}
        if compressed:
            filters = dict(pytest.importorskip("hdf5plugin").Blosc(cname="lz4hc"))
        channels = len(parts[0])
        total = folder / f"{subject}_total.h5"
        layout = h5py.VirtualLayout((channels, sum(part.shape[1] for part in parts)), "float32")
        start = 0
        for number, part in enumerate(parts, start=1):
            with h5py.File(folder / f"{subject}_part_{number}.h5", "w") as file:
                chunks = (channels, min(round(chunk_s * rate), part.shape[1]))
                file.create_dataset("data/ieeg", data=part.astype(np.float32), chunks=chunks, **filters)
                file.attrs["sampling_rate"] = rate
            source = h5py.VirtualSource(f"{index or subject}_part_{number}.h5", "data/ieeg", part.shape, "float32")
            layout[:, start : start + part.shape[1]] = source
            start += part.shape[1]
        with h5py.File(total, "w") as file:
            file.create_virtual_dataset("data/ieeg", layout)
            file["data/seizures"] = np.array(seizures, [("onsets", "f8"), ("offsets", "f8")])
            file.attrs["sampling_rate"], file.attrs["channels"] = rate, channels
        return total

    return write
