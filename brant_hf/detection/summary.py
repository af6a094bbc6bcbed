"""What became of several recordings: tables of their events, of themselves and of scores, and a page with links."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from ..events.event import SeizureEvent
from ..events.tables import StagedTable, all_events_table, is_detection_table
from ..files import StagedOutputs
from ..listing import counted
from .agreement import Agreement
from .derivative import DESCRIPTION, Derivative, is_own_description
from .pages import render_page
from .result import length_in_words
from .scoring import Score, pool

if TYPE_CHECKING:
    from ..data import Recording
    from .reference import Reference
    from .result import DetectionResult

EVENTS, RECORDINGS, SCORES, INDEX = "all_events.tsv", "recordings.tsv", "scores.tsv", "index.html"
# Names of outputs that a recording would have that is called so.
RESERVED = (EVENTS.removesuffix("_events.tsv"), INDEX.removesuffix(".html"))
ALL = "all recordings"

_RECORDING = {
    "recording": "The recording, by its path below the folder of all of them",
    "status": "ok, failed, or not reached where the run was interrupted",
    "subject": "Subject",
    "start": "When the recording began",
    "duration_s": "Length of the recording [s]",
    "searched_from_s": "Where the part that was searched begins [s]",
    "searched_to_s": "Where it ends [s]",
    "gaps_s": "Lost inside of it, as nothing was recorded [s]",
    "events": "Events that were detected",
    "highest_probability": "Highest probability of the recording",
    "highest_at_s": "When that was [s]",
    "threshold": "Probability that an event has to reach",
    "reference": "Who tells of known seizures",
    "known": "Known seizures in the part that was searched",
    "found": "Those that share a moment with an event",
    "channels": "Channels that were searched",
    "left_out": "Channels that were not, with the reason",
    "warnings": "What was told while it was read and searched",
    "reason": "Why it failed",
}
_SCORE = {
    "recording": _RECORDING["recording"],
    "reference": _RECORDING["reference"],
    "compared_s": "Length of what was compared [s]",
    "not_searched_s": "Not compared, since a part was searched [s]",
    "known": _RECORDING["known"],
    "found": _RECORDING["found"],
    "events": _RECORDING["events"],
    "without_reference": "Events that share no moment with a known seizure",
    "marked": "Part of the compared time that is an event, 0 to 1",
    "onset_error_s": "Onset of the event less that of the known seizure, median of those found [s]",
    "duration_error_s": "The same of the duration [s]",
    "missed_at_s": "Onsets of the known seizures that were missed [s]",
    "false_alarms": "Events that SzCORE counts as false alarms, with its merging and tolerances",
    "false_alarms_per_day": "These in 24 h",
    "event_sensitivity": "Found part of the known seizures, as SzCORE counts them",
    "event_precision": "Right part of the events, as SzCORE counts them",
    "event_f1": "Harmonic mean of both",
    "sample_sensitivity": "Found part of the seconds of seizure",
    "sample_precision": "Right part of the seconds of events",
    "sample_f1": "Harmonic mean of both",
}


@dataclass(frozen=True, kw_only=True)
class RecordingSummary:
    """What became of one recording; `None` for what is not known, as of one that failed.

    Attributes
    ----------
    recording : str
        Its path below the folder of all recordings.
    status : {"ok", "failed", "not reached"}
        Whether it was searched.
    reason : str or None
        Why it failed.
    warnings : Sequence[str]
        What was told of it.
    start : datetime or None
        When it began.
    duration_s : float or None
        Length of the file [s].
    detected : Sequence[SeizureEvent]
        Events.
    left_out : Mapping[str, str]
        Channels that were not searched, with the reason.
    scores, agreement : dict[str, Score], Agreement or None
        How the events compare with the known seizures, where these are known.
    files : Mapping[str, Path]
        What was written for it: `"table"`, and where they were asked for `"report"` and `"figure"`.

    The others are described in `recordings.json`.
    """

    recording: str
    status: Literal["ok", "failed", "not reached"]
    reason: str | None = None
    warnings: Sequence[str] = ()
    subject: str | None = None
    start: datetime | None = None
    duration_s: float | None = None
    searched_from_s: float | None = None
    searched_to_s: float | None = None
    gaps_s: float | None = None
    detected: Sequence[SeizureEvent] = ()
    highest_probability: float | None = None
    highest_at_s: float | None = None
    threshold: float | None = None
    reference: str | None = None
    scores: dict[str, Score] | None = None
    agreement: Agreement | None = None
    channels: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        recording: Recording,
        result: DetectionResult,
        reference: Reference | None,
        files: Mapping[str, Path],
    ) -> RecordingSummary:
        """Tell what was detected in a recording."""
        peak = result.peak
        scores, agreement = (None, None) if reference is None else reference.score(recording, result)
        return cls(
            recording=name,
            status="ok",
            subject=recording.subject,
            start=recording.start_date,
            duration_s=recording.file_duration,
            searched_from_s=result.start,
            searched_to_s=result.stop,
            gaps_s=sum(stop - start for start, stop in recording.gaps),
            detected=result.events,
            highest_probability=float(result.recording_probability[peak]),
            highest_at_s=float(result.times[peak]),
            threshold=result.threshold,
            reference=None if reference is None else reference.name,
            scores=scores,
            agreement=agreement,
            channels=result.channel_names,
            left_out=recording.excluded_channels | result.dropped_channels,
            files=files,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all but `files` as JSON-serialisable values, of which `from_dict` makes the same."""
        content = {**asdict(self), "start": None if self.start is None else self.start.isoformat()}
        del content["files"]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], files: Mapping[str, Path]) -> RecordingSummary:
        """Make one of what `to_dict` returns."""
        start, scores, agreement = (content[name] for name in ("start", "scores", "agreement"))
        parsed = {
            "start": None if start is None else datetime.fromisoformat(start),
            "detected": [SeizureEvent.of(event) for event in content["detected"]],
            "scores": None if scores is None else {kind: Score(**counts) for kind, counts in scores.items()},
            "agreement": None if agreement is None else Agreement.from_dict(agreement),
        }
        return cls(**{**content, **parsed, "files": files})

    @property
    def events(self) -> int | None:
        """Number of events."""
        return len(self.detected) if self.status == "ok" else None

    @property
    def known(self) -> int | None:
        """Number of known seizures."""
        return None if self.agreement is None else len(self.agreement.matches)

    @property
    def found(self) -> int | None:
        """Number of those that were found."""
        return None if self.agreement is None else self.agreement.num_found


class Summary:
    """Files about all recordings of a run, in one folder; making it refuses what cannot be written.

    Parameters
    ----------
    folder : Path
        It has to exist.
    overwrite : bool
        Whether to replace also files that the package did not write.
    source : Mapping[str, str] or None
        The BIDS dataset that was searched, as `derivative.source_of` tells of it; the folder becomes a derivative of
        it.

    Raises
    ------
    OSError
        A file is there that the package did not write, or cannot be replaced.
    """

    def __init__(self, folder: Path, overwrite: bool = False, source: Mapping[str, str] | None = None) -> None:
        self._folder, self._source = folder, source
        self._outputs = StagedOutputs(overwrite)
        self._tables = {name: StagedTable(self._outputs, folder / name) for name in (EVENTS, RECORDINGS)}
        self._index = self._outputs.add(folder / INDEX)
        self._dataset = None if source is None else Derivative(self._outputs, folder)
        # Beside the others: without known seizures there is none.
        self._score_outputs = StagedOutputs(overwrite)
        self._scores = StagedTable(self._score_outputs, folder / SCORES)

    def write(self, rows: Sequence[RecordingSummary], facts: Mapping[str, Any]) -> list[str]:
        """Write all of them and return their names.

        Parameters
        ----------
        rows : Sequence[RecordingSummary]
            One for each recording.
        facts : Mapping[str, Any]
            What the events of all depend on, JSON-serialisable.
        """
        events = all_events_table(
            (row.recording, row.detected, row.duration_s, row.start) for row in rows if row.duration_s is not None
        )
        with self._outputs:
            self._tables[EVENTS].write(events, facts)
            table = _table(_RECORDING, ([getattr(row, name) for name in _RECORDING] for row in rows))
            self._tables[RECORDINGS].write(table, facts, described=_RECORDING)
            self._index.write_text(_page(rows, facts, self._folder), encoding="utf-8")
            if self._dataset is not None and self._source is not None:
                self._dataset.write(self._source, facts, (INDEX, EVENTS, RECORDINGS, SCORES))
        names = [INDEX, EVENTS, RECORDINGS]
        if self._dataset is not None:
            names.append(DESCRIPTION)
        elif is_own_description(self._folder / DESCRIPTION):
            (self._folder / DESCRIPTION).unlink()  # of an earlier run, whose recordings were a dataset
        scored = [row for row in rows if row.scores is not None]
        if not scored:
            _remove_earlier(self._folder / SCORES)
            return names
        with self._score_outputs:
            lines = [*map(_score_of, scored), {**_scores(*together(scored)), "recording": ALL}]
            cells = ([line.get(name) for name in _SCORE] for line in lines)
            self._scores.write(_table(_SCORE, cells), facts, described=_SCORE)
        return [*names, SCORES]


def together(rows: Iterable[RecordingSummary]) -> tuple[dict[str, Score], Agreement]:
    """Pool the scores of recordings whose seizures are known."""
    agreements = [row.agreement for row in rows if row.agreement is not None]
    return pool(row.scores for row in rows if row.scores is not None), sum(agreements[1:], start=agreements[0])


def _remove_earlier(table: Path) -> None:
    """Remove the scores of an earlier run, which are not those of the tables beside them any more."""
    if table.is_file() and is_detection_table(table):
        table.unlink()
        table.with_suffix(".json").unlink()


def _score_of(row: RecordingSummary) -> dict[str, Any]:
    found = {} if row.scores is None or row.agreement is None else _scores(row.scores, row.agreement)
    matches = () if row.agreement is None else row.agreement.matches
    missed = [f"{match.onset:.2f}" for match in matches if not match.num_events]
    return {**found, "recording": row.recording, "reference": row.reference, "missed_at_s": missed}


def _scores(scores: Mapping[str, Score], agreement: Agreement) -> dict[str, Any]:
    event, sample = scores["event"], scores["sample"]
    onset = [match.onset_error for match in agreement.matches if match.onset_error is not None]
    duration = [match.duration_error for match in agreement.matches if match.duration_error is not None]
    return {
        "compared_s": agreement.duration,
        "not_searched_s": agreement.not_searched,
        "known": len(agreement.matches),
        "found": agreement.num_found,
        "events": agreement.num_events,
        "without_reference": agreement.num_without_reference,
        "marked": agreement.share_marked,
        "onset_error_s": median(onset) if onset else None,
        "duration_error_s": median(duration) if duration else None,
        "false_alarms": event.fp,
        "false_alarms_per_day": event.false_alarms_per_day,
        **{
            f"{kind}_{name}": getattr(score, name)
            for kind, score in (("event", event), ("sample", sample))
            for name in ("sensitivity", "precision", "f1")
        },
    }


def _table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    columns = list(columns)
    lines = [columns, *([_cell(name, value) for name, value in zip(columns, row, strict=True)] for row in rows)]
    return "".join("\t".join(cells) + "\n" for cells in lines)


def _cell(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}: {reason}" for name, reason in value.items())
    elif isinstance(value, float):
        value = "" if math.isnan(value) else f"{value:.{2 if name.endswith('_s') else 4}f}"
    elif isinstance(value, list | tuple):
        value = (" | " if name == "warnings" else ",").join(value)
    # A tab or a line break would end the field.
    return " ".join("" if value is None else str(value).split()) or "n/a"


def _page(rows: Sequence[RecordingSummary], facts: Mapping[str, Any], folder: Path) -> str:
    scored = [row for row in rows if row.scores is not None]
    return render_page(
        INDEX,
        rows=rows,
        links=[{kind: _link(path, folder) for kind, path in row.files.items()} for row in rows],
        summary=_summary(rows),
        scores=_scores(*together(scored)) if scored else None,
        described=_SCORE,
        num_scored=len(scored),
        left_out=_left_out(rows),
        facts=facts,
    )


def _link(path: Path, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # another drive
        return path.absolute().as_uri()


def _summary(rows: Sequence[RecordingSummary]) -> str:
    searched = [row for row in rows if row.status == "ok"]
    seconds = sum((row.searched_to_s or 0) - (row.searched_from_s or 0) for row in searched)
    with_events = sum(bool(row.detected) for row in searched)
    parts = [
        f"{len(searched)} of {counted(len(rows), 'recording')} searched, {length_in_words(seconds)}",
        f"{counted(sum(len(row.detected) for row in searched), 'event')} in {with_events} of them",
    ]
    parts += [
        f"{count} {status}"
        for status in ("failed", "not reached")
        if (count := sum(row.status == status for row in rows))
    ]
    return " · ".join(parts)


def _left_out(rows: Iterable[RecordingSummary]) -> dict[str, dict[str, list[str]]]:
    """Channels that were left out, by reason and by recording."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, reason in row.left_out.items():
            found.setdefault(reason, {}).setdefault(row.recording, []).append(name)
    return found
