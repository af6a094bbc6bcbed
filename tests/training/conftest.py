"""Small prepared datasets and a way to run the scripts of `examples/`."""

import gc
import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data import Preprocessing, open_recording, prepare

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 250
SETTINGS = Preprocessing(high_pass=None, line_noise=None, flat="keep")
SMALL = (
    "hidden_size=16,intermediate_size=24,num_temporal_layers=2,num_spatial_layers=1,num_attention_heads=2,"
    "hidden_dropout=0.0,attention_dropout=0.0"
)


def write_dataset(
    folder: Path,
    channels: tuple[int, ...] = (2, 3, 4, 2, 3, 4, 2, 3),
    seizures: bool = True,
    prefix: str = "p",
    **options,
) -> Path:
    """One recording of 24 s for each entry of `channels`, with a loud rhythm, the seizure, from 8 s to 14 s."""
    rng = np.random.default_rng(0)
    recordings = []
    for index, count in enumerate(channels):
        signal = rng.normal(0, 20, (count, 24 * RATE)).astype(np.float32)
        if seizures:
            signal[:, 8 * RATE : 14 * RATE] += 500 * np.sin(2 * np.pi * 5 * np.arange(6 * RATE) / RATE)
        known = [(8.0, 14.0, None)] if seizures else []
        recordings.append(open_recording(signal, RATE, seizures=known, subject=f"{prefix}{index}", name=f"r{index}"))
    settings = {"preprocessing": SETTINGS, "patch_length": 50, "num_patches": 6, "progress": False, **options}
    prepare(recordings, folder, **settings)
    return folder


@pytest.fixture(scope="session", autouse=True)
def collect_no_modules():
    """`Trainer` collects garbage before each training; to look at all modules takes longer than these trainings."""
    importlib.import_module("brant_hf.training.run")
    importlib.import_module("peft")
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Eight patients with 2 to 4 channels, windows of 6 patches of 50 samples."""
    return write_dataset(tmp_path_factory.mktemp("prepared") / "dataset")


@pytest.fixture
def make_dataset(tmp_path) -> Callable[..., Path]:
    """A factory of other datasets."""
    return lambda name="dataset", **options: write_dataset(tmp_path / name, **options)


def script_arguments(dataset: Path, output_dir: Path, **options) -> list[str]:
    """A short run of a small model."""
    values = {
        "config_overrides": SMALL,
        "output_dir": output_dir,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "split_fractions": "0.5,0.25,0.25",
        **options,
    }
    if "model" in values:
        del values["config_overrides"]
    flags = [part for name, value in values.items() if value is not None for part in (f"--{name}", str(value))]
    return ["--dataset", str(dataset), *flags]


@pytest.fixture
def arguments() -> Callable[..., list[str]]:
    """A factory of command lines."""
    return script_arguments


@pytest.fixture(scope="session")
def run_script() -> Callable[..., None]:
    """Run a script of `examples/` in this process; raises SystemExit as the script does."""

    def run(name: str, dataset: Path, output_dir: Path, **options) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [name, *script_arguments(dataset, output_dir, **options)])
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    return run
