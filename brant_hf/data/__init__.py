"""Recordings, preprocessing, windows, datasets and collators.

Names are imported on first use, so that `import brant_hf.data` stays light: MNE-Python, MNE-BIDS, pynwb, pandas and
datasets are loaded only by the functions that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "Augmentation": "augmentation",
    "AugmentedWindows": "augmentation",
    "ChannelGroupedSampler": "sampling",
    "ForecastingCollator": "collators",
    "ImputationCollator": "collators",
    "PrepareReport": "preparation",
    "PreprocessedRecording": "preprocessing",
    "Preprocessing": "preprocessing",
    "PretrainingCollator": "collators",
    "Recording": "recordings",
    "SeizureDetectionCollator": "collators",
    "WindowCollator": "collators",
    "channel_counts": "sampling",
    "check_splits": "splits",
    "epoch_callback": "collators",
    "find_recordings": "recordings",
    "k_fold": "splits",
    "load": "loading",
    "open_recording": "recordings",
    "prepare": "preparation",
    "preprocess": "preprocessing",
    "save_splits": "splits",
    "split": "splits",
}

if TYPE_CHECKING:
    from .augmentation import Augmentation, AugmentedWindows
    from .collators import (
        ForecastingCollator,
        ImputationCollator,
        PretrainingCollator,
        SeizureDetectionCollator,
        WindowCollator,
        epoch_callback,
    )
    from .loading import load
    from .preparation import PrepareReport, prepare
    from .preprocessing import PreprocessedRecording, Preprocessing, preprocess
    from .recordings import Recording, find_recordings, open_recording
    from .sampling import ChannelGroupedSampler, channel_counts
    from .splits import check_splits, k_fold, save_splits, split

__all__ = [
    "Augmentation",
    "AugmentedWindows",
    "ChannelGroupedSampler",
    "ForecastingCollator",
    "ImputationCollator",
    "PrepareReport",
    "PreprocessedRecording",
    "Preprocessing",
    "PretrainingCollator",
    "Recording",
    "SeizureDetectionCollator",
    "WindowCollator",
    "channel_counts",
    "check_splits",
    "epoch_callback",
    "find_recordings",
    "k_fold",
    "load",
    "open_recording",
    "prepare",
    "preprocess",
    "save_splits",
    "split",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
