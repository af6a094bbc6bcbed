"""Seizure detection: from a recording to probabilities, events, files and scores.

Names are imported on first use, so that `import brant_hf.detection` stays light: MNE-Python, Matplotlib, scikit-learn
and timescoring are loaded only by the functions that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "DetectionSettings": "settings",
    "EventFile": "event_files",
    "Score": "scoring",
    "SeizureDetectionPipeline": "pipeline",
    "calibrate": "calibration",
    "embed_recording": "embedding",
    "find_events": "events",
    "load_detector": "checkpoints",
    "plot_overview": "plots",
    "read_event_file": "event_files",
    "read_events": "event_files",
    "score_events": "scoring",
    "score_files": "scoring",
    "shipped_checkpoint": "checkpoints",
    "to_annotations": "event_files",
    "write_bids_events": "event_files",
    "write_events": "event_files",
    "write_report": "report",
}

if TYPE_CHECKING:
    from .calibration import calibrate
    from .checkpoints import load_detector, shipped_checkpoint
    from .embedding import embed_recording
    from .event_files import EventFile, read_event_file, read_events, to_annotations, write_bids_events, write_events
    from .events import find_events
    from .pipeline import SeizureDetectionPipeline
    from .plots import plot_overview
    from .report import write_report
    from .scoring import Score, score_events, score_files
    from .settings import DetectionSettings

__all__ = [
    "DetectionSettings",
    "EventFile",
    "Score",
    "SeizureDetectionPipeline",
    "calibrate",
    "embed_recording",
    "find_events",
    "load_detector",
    "plot_overview",
    "read_event_file",
    "read_events",
    "score_events",
    "score_files",
    "shipped_checkpoint",
    "to_annotations",
    "write_bids_events",
    "write_events",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
