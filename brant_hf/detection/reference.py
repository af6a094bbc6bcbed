"""Events to compare with: those that a recording, or a table or another recording, says are seizures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.recordings import open_recording
from ..data.recordings.beside import events_beside
from ..data.recordings.bids import is_bids_name
from ..data.recordings.formats import is_recording_name, read_events_of
from ..data.recordings.seizures import with_ends
from ..events.event import SeizureEvent, merge_events
from ..events.remarks import BACKGROUND, seizures_from_events
from ..events.rows import read_event_rows
from ..events.tables import EventFile, read_event_file
from ..listing import listed
from ..user_warnings import warn, warnings_noted
from .agreement import Agreement
from .scoring import Score, compare_event_files, event_tables, recording_of_table

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
        if not recording.seizures and not _says_none(recording):
            return None
        events = merge_events(SeizureEvent.of(seizure) for seizure in recording.seizures)
        rows = [{**event.to_dict(), "onset": event.onset + recording.offset} for event in events]
        uncertain = [(onset + recording.offset, offset + recording.offset) for onset, offset, _ in recording.uncertain]
        told_by = recording.seizures_from or f"annotations of {recording.name}"
        return cls(EventFile(rows, recording.file_duration, uncertain=uncertain), told_by)

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
        found = EventFile(events, recording.file_duration, searched=searched, gaps=recording.gaps_in_file)
        return compare_event_files(self.file, found, self.name)


def _says_none(recording: Recording) -> bool:
    """Whether a recording, or the table beside it, says that it has no seizure."""
    remarks = list(recording.events)
    if recording.path is not None and not is_bids_name(recording.path):
        # Those of BIDS are events of the recording; others are not.
        table = events_beside(recording.path)
        remarks += read_event_rows(table) if table is not None and table.name == recording.seizures_from else []
    return any(event.text.strip().lower() == BACKGROUND for event in remarks)


def open_compared(
    path: Path, options: Mapping[str, Any], *, annotations: Path | None = None, own: bool = True
) -> tuple[Recording, Reference | None]:
    """Open a recording, and find the events to compare with.

    Parameters
    ----------
    path : Path
        The recording.
    options : Mapping[str, Any]
        Keyword arguments of `open_recording`.
    annotations : Path or None
        Table of events, or recording with annotations, that tells of them where its own do not count.
    own : bool
        Whether those of the recording itself, or of a table beside it, count.

    Raises
    ------
    OSError, ValueError
        As of `open_recording` and `Reference.read`.
    """
    with warnings_noted() as texts:
        recording, reference = _opened_compared(path, options, annotations, own)
    recording.warnings = texts()  # those of the events as well
    return recording, reference


def _opened_compared(
    path: Path, options: Mapping[str, Any], annotations: Path | None, own: bool
) -> tuple[Recording, Reference | None]:
    if not own:
        recording = open_recording(path, seizures=[], **options)
        known = None if annotations is None else Reference.read(annotations, recording, options.get("event_types"))
        return recording, known
    try:
        recording = open_recording(path, **options)
    except (ValueError, OSError) as error:
        # What is wrong with labels beside a recording is no reason against it.
        recording = open_recording(path, seizures=[], **options)
        warn(f"{recording.name}: its annotations are not used: {error}")
    return recording, Reference.of(recording)


def tables_of(folder: Path, names: Mapping[Path, Sequence[str]]) -> dict[Path, Path]:
    """Find the tables of events of several recordings in a folder, as `score_files` does.

    Parameters
    ----------
    folder : Path
        Where they lie, in the same folders as the recordings or in any others.
    names : Mapping[Path, Sequence[str]]
        Names of each recording without a suffix, with the folders above it (`p1/night`); that of the table is one of
        them, or else has its last part.

    Returns
    -------
    dict[Path, Path]
        By recording; those without a table are left out.

    Raises
    ------
    ValueError
        There is no table, none belongs to a recording, or one belongs to several.
    """
    tables = event_tables(folder)
    by_path = {(each.relative_to(folder).parent / recording_of_table(each)).as_posix(): each for each in tables}
    matched: dict[Path, Path] = {}
    for recording, known_as in names.items():
        table = next((by_path[name] for name in known_as if name in by_path), None)
        if table is not None:
            matched[recording] = table
    left = [table for table in tables if table not in set(matched.values())]
    for recording, known_as in names.items():
        last = [name.rpartition("/")[2] for name in known_as]
        same_name = [table for table in left if recording_of_table(table) in last]
        if recording not in matched and len(same_name) == 1:
            matched[recording] = same_name[0]
    if not matched:
        raise ValueError(f"no table of {folder} has the name of a recording; it has {tables[0].name}, ...")
    if len(set(matched.values())) < len(matched):
        raise ValueError(f"a table of {folder} belongs to several recordings; arrange both folders the same way")
    unused = [table.name for table in tables if table not in set(matched.values())]
    if unused:
        warn(f"{len(unused)} tables of {folder} belong to no recording: {listed(unused)}")
    return matched
