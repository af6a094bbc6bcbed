"""Events to compare with: those that a recording, or a table or another recording, says are seizures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.recordings.formats import is_recording_name, read_events_of
from ..data.recordings.seizures import with_ends
from ..events.event import SeizureEvent, merge_events
from ..events.remarks import seizures_from_events
from ..events.tables import EventFile, read_event_file
from .agreement import Agreement
from .scoring import Score, compare_event_files

if TYPE_CHECKING:
    from ..data import Recording
    from .result import DetectionResult


@dataclass(frozen=True)
class Reference:
    """Reference events on the clock of the file, and where they come from.

    Attributes
    ----------
    file : EventFile
        Events, those on several channels as one, and uncertain stretches.
    name : str
        Name of the table or recording that tells of them.
    """

    file: EventFile
    name: str

    @classmethod
    def of(cls, recording: Recording) -> Reference | None:
        """Take what the recording itself, or a table beside it, says; `None` where that is nothing."""
        if not recording.seizures:
            return None
        events = merge_events(SeizureEvent.of(seizure) for seizure in recording.seizures)
        rows = [{**event.to_dict(), "onset": event.onset + recording.offset} for event in events]
        uncertain = [(onset + recording.offset, offset + recording.offset) for onset, offset, _ in recording.uncertain]
        return cls(EventFile(rows, recording.file_duration, uncertain=uncertain), recording.seizures_from)

    @classmethod
    def read(cls, path: Path, recording: Recording, event_types: Mapping[str, str] | None = None) -> Reference:
        """Read a table of events, or the annotations of a recording.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It has no events in a form that is known, or is about another recording.
        """
        if not is_recording_name(path):
            reference = cls(read_event_file(path, event_types), path.name)
        elif not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist; expected a table of events or a recording with annotations"
            )
        else:
            rows = read_events_of(path, recording.start_date)
            stated = seizures_from_events(rows, path.name, event_types)
            seizures, doubtful = with_ends(stated, recording.file_duration)
            merged = merge_events(SeizureEvent.of(seizure) for seizure in seizures)
            uncertain = [(onset, offset) for onset, offset, _ in doubtful]
            reference = cls(EventFile([event.to_dict() for event in merged], uncertain=uncertain), path.name)
        # Refused where it is about another recording.
        compare_event_files(reference.file, EventFile([], recording.file_duration), path.name)
        return reference

    def found(self, recording: Recording, result: DetectionResult) -> str:
        """Tell in words how many of the reference events were found."""
        agreement = self.score(recording, result)[1]
        return f"{agreement.num_found} of {len(agreement.matches)} known seizures found ({self.name})"

    def score(self, recording: Recording, result: DetectionResult) -> tuple[dict[str, Score], Agreement]:
        """Compare with what was detected, in the part of the file that was searched."""
        searched = (result.start, result.stop) if recording.duration < recording.file_duration else None
        events = [event.to_dict() for event in result.events]
        return compare_event_files(self.file, EventFile(events, recording.file_duration, searched=searched), self.name)
