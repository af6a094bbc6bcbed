"""Recordings, preprocessing, windows, datasets and collators.

Names are imported on first use, so that `import brant_hf.data` stays light: MNE-Python, MNE-BIDS, pynwb, pandas and
datasets are loaded only by the functions that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "Recording": "recordings",
    "find_recordings": "recordings",
    "open_recording": "recordings",
}

if TYPE_CHECKING:
    from .recordings import Recording, find_recordings, open_recording

__all__ = ["Recording", "find_recordings", "open_recording"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
