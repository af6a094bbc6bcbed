"""Recordings: one continuous file of one patient, read from disk on demand, in microvolts."""

from .finding import find_recordings
from .opening import open_recording
from .recording import Recording, SampleReader

__all__ = ["Recording", "SampleReader", "find_recordings", "open_recording"]
