"""What a detector takes, opened."""

from datetime import datetime
from typing import Any

from ..data.recordings import Recording, open_recording


def as_recording(inputs: Any) -> Recording:
    """Open what was given, an array only in a dictionary with its sampling rate."""
    return open_recording(inputs)


def start_of(recording: Recording) -> datetime | None:
    """When a recording began, where its file says so."""
    return recording.start_date
