"""Files of seizure events: SzCORE and BIDS tables, and annotations of MNE-Python."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import StagedOutputs
from .tables import read_events as read_event_rows, read_table
from .vocabulary import meaning_of, seizures_from_events

if TYPE_CHECKING:
    import mne

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
NOT_GIVEN = "n/a"
_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
# Characters that end a name or a field in these tables.
_SEPARATORS = re.compile(r"[,;\t\r\n\"]")

_BIDS_COLUMNS = ("onset", "duration", "trial_type", "confidence", "channels")
_BIDS_DESCRIPTION = {
    "onset": {"Description": "Beginning of the event, from the start of the recording", "Units": "s"},
    "duration": {"Description": "Length of the event", "Units": "s"},
    "trial_type": {"Description": "Kind of event", "Levels": {"seizure": "Epileptic seizure, found by a detector"}},
    "confidence": {"Description": "Probability that the event is a seizure, from 0 to 1"},
    "channels": {"Description": "Names of the channels that take part, separated by commas, most involved first"},
}


@dataclass(frozen=True)
class EventFile:
    """What a table of events says.

    Attributes
    ----------
    events : list[dict[str, Any]]
        Seizures, in order: `onset` [s], `duration` [s], `confidence` (`None` where not stated) and `channels` (empty
        where not stated).
    duration : float or None
        Length of the recording [s], `None` where not stated.
    start : datetime or None
        When the recording began, `None` where not stated.
    """

    events: list[dict[str, Any]]
    duration: float | None = None
    start: datetime | None = None


def write_events(
    path: str | os.PathLike, events: Sequence[Mapping[str, Any]], duration: float, *, start: datetime | None = None
) -> None:
    """Write events as SzCORE and BIDS have them: one row for each seizure, or one of background when there is none.

    Parameters
    ----------
    path : str or os.PathLike
        The `.tsv` file; it appears when it is complete.
    events : Sequence[Mapping[str, Any]]
        With `onset` [s], `duration` [s] and, if known, `confidence` and `channels`.
    duration : float
        Length of the recording [s].
    start : datetime or None
        When the recording began.

    Raises
    ------
    OSError
        The file cannot be written.
    ValueError
        An event has no length or is not inside the recording.
    """
    _write_atomically(path, events_table(events, duration, start=start))


def events_table(events: Sequence[Mapping[str, Any]], duration: float, *, start: datetime | None = None) -> str:
    """Return the text that `write_events` writes."""
    _check_events(events, duration)
    date = NOT_GIVEN if start is None else start.strftime(_DATE_FORMAT)
    length = f"{duration:.2f}"
    rows = [
        (*_times(event), "sz", _confidence(event), _channels(event), date, length)
        for event in sorted(events, key=lambda event: event["onset"])
    ]
    return _table(COLUMNS, rows or [("0.00", length, "bckg", NOT_GIVEN, NOT_GIVEN, date, length)])


def write_bids_events(path: str | os.PathLike, events: Sequence[Mapping[str, Any]], duration: float) -> None:
    """Write events as a BIDS `*_events.tsv` with `trial_type` and, beside it, the `.json` that explains its columns.

    Parameters
    ----------
    path : str or os.PathLike
        The `.tsv` file, in BIDS named `sub-..._events.tsv`.
    events : Sequence[Mapping[str, Any]]
        As for `write_events`.
    duration : float
        Length of the recording [s].

    Raises
    ------
    OSError
        The files cannot be written.
    ValueError
        As `write_events`; or `path` does not end in `.tsv`.
    """
    path = Path(path)
    if path.suffix != ".tsv":
        raise ValueError(f"{path} must end in .tsv, since a .json of the same name is written beside it")
    _check_events(events, duration)
    rows = [
        (*_times(event), "seizure", _confidence(event), _channels(event))
        for event in sorted(events, key=lambda event: event["onset"])
    ]
    outputs = StagedOutputs(overwrite=True)
    table, description = outputs.add(path), outputs.add(path.with_suffix(".json"))
    with outputs:
        table.write_text(_table(_BIDS_COLUMNS, rows), encoding="utf-8")
        description.write_text(json.dumps(_BIDS_DESCRIPTION, indent=2) + "\n", encoding="utf-8")


def to_annotations(events: Sequence[Mapping[str, Any]], *, with_channels: bool = True) -> mne.Annotations:
    """Events as annotations of MNE-Python, `raw.set_annotations(to_annotations(result["events"]))`.

    Parameters
    ----------
    events : Sequence[Mapping[str, Any]]
        As for `write_events`.
    with_channels : bool
        Whether an annotation names its channels; leave them out where they are not those of the `Raw`, as after a
        bipolar reference.

    Returns
    -------
    mne.Annotations
        `mne.Annotations`, described `"seizure"`, with onsets from the first sample and the confidence in `extras`.
    """
    import mne

    return mne.Annotations(
        onset=[event["onset"] for event in events],
        duration=[event["duration"] for event in events],
        description=["seizure"] * len(events),
        ch_names=[tuple(event.get("channels") or ()) for event in events] if with_channels else None,
        extras=[{"confidence": event.get("confidence")} for event in events],
    )


def read_events(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Seizures of a table of events, as `read_event_file` reads it."""
    return read_event_file(path).events


def read_event_file(path: str | os.PathLike) -> EventFile:
    """Read the seizures of a table as SzCORE or BIDS write it (columns `eventType` or `trial_type`).

    Raises
    ------
    OSError
        The file does not exist or cannot be read.
    ValueError
        It is no such table, a time is impossible, or a seizure has no end.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; expected a table of events (.tsv)")
    rows = read_table(path)
    if not rows:
        _check_header(path)
    duration = _stated_duration(rows, path)
    if rows and "eventtype" in rows[0]:
        events = [_event(row, path) for row in rows if meaning_of(row["eventtype"]) == "seizure"]
    else:
        events = [
            _checked(onset, math.nan if offset is None else offset - onset, None, channels, path)
            for onset, offset, channels in seizures_from_events(read_event_rows(path), path.name)
        ]
    events.sort(key=lambda event: event["onset"])
    if duration is not None and any(event["onset"] >= duration for event in events):
        raise ValueError(f"{path}: an event begins after the {duration:.2f} s of the recording")
    return EventFile(events, duration, _stated_start(rows))


def _check_header(path: Path) -> None:
    """Refuse a file of one line that is not the header of a table without events."""
    header = path.read_text(encoding="utf-8-sig").splitlines()[0].lower().split("\t")
    if not {"onset", "duration"} <= {column.strip() for column in header}:
        raise ValueError(f"{path} is no table of events: expected onset, duration, ... with tabs between them")


def _event(row: Mapping[str, str], path: Path) -> dict[str, Any]:
    confidence = _number(row.get("confidence", ""), "confidence", path)
    names = row.get("channels", "")
    is_given = names.lower() not in ("", NOT_GIVEN, "all")
    return _checked(
        _number(row.get("onset", ""), "onset", path),
        _number(row.get("duration", ""), "duration", path),
        None if math.isnan(confidence) else confidence,
        [name.strip() for name in names.split(",")] if is_given else None,
        path,
    )


def _checked(
    onset: float, duration: float, confidence: float | None, channels: Sequence[str] | None, path: Path
) -> dict[str, Any]:
    if not (onset >= 0 and 0 < duration < math.inf):
        raise ValueError(
            f"{path}: a seizure has onset {onset:g} s and duration {duration:g} s; expected an onset of 0 or more and "
            "a duration above 0"
        )
    return {"onset": onset, "duration": duration, "confidence": confidence, "channels": list(channels or ())}


def _number(text: str, column: str, path: Path) -> float:
    if text.lower() in ("", NOT_GIVEN, "nan"):
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path}: {text!r} in the column {column} is not a number") from None


def _stated_duration(rows: Sequence[Mapping[str, str]], path: Path) -> float | None:
    stated = {_number(row.get("recordingduration", ""), "recordingDuration", path) for row in rows}
    stated = {duration for duration in stated if not math.isnan(duration)}
    if len(stated) > 1:
        raise ValueError(f"{path} states several durations of the recording: {sorted(stated)}")
    duration = stated.pop() if stated else None
    if duration is not None and not 0 < duration < math.inf:
        raise ValueError(f"{path}: recordingDuration is {duration:g} s; it must be above 0")
    return duration


def _stated_start(rows: Sequence[Mapping[str, str]]) -> datetime | None:
    text = rows[0].get("datetime", "") if rows else ""
    try:
        return datetime.strptime(text, _DATE_FORMAT)
    except ValueError:
        return None


def _check_events(events: Sequence[Mapping[str, Any]], duration: float) -> None:
    if not 0 < duration < math.inf:
        raise ValueError(f"the duration of the recording is {duration} s; it must be above 0")
    for event in events:
        onset, length = event["onset"], event["duration"]
        if not (0 <= onset < duration and 0 < length <= duration - onset + 0.01):
            raise ValueError(
                f"an event has onset {onset} s and duration {length} s; expected it inside the {duration} s of the "
                "recording"
            )


def _times(event: Mapping[str, Any]) -> tuple[str, str]:
    # The end is rounded, not the duration, so that no event passes the end of the recording by rounding.
    onset, offset = round(event["onset"], 2), round(event["onset"] + event["duration"], 2)
    return f"{onset:.2f}", f"{offset - onset:.2f}"


def _confidence(event: Mapping[str, Any]) -> str:
    value = event.get("confidence")
    return NOT_GIVEN if value is None or math.isnan(value) else f"{value:.2f}"


def _channels(event: Mapping[str, Any]) -> str:
    names = [str(name) for name in event.get("channels") or ()]
    written = [_SEPARATORS.sub("_", name) for name in names]
    if written != names:
        changed = [name for name in names if _SEPARATORS.search(name)]
        warnings.warn(
            f"commas separate channel names in a table of events; those in {changed} are written as _", stacklevel=4
        )
    return ",".join(written) or NOT_GIVEN


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    # Names may begin with a quotation mark, which readers of these tables do not know.
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerows([columns, *rows])
    return text.getvalue()


def _write_atomically(path: str | os.PathLike, text: str) -> None:
    outputs = StagedOutputs(overwrite=True)
    staged = outputs.add(path)
    with outputs:
        staged.write_text(text, encoding="utf-8")
