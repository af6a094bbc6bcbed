"""What went into a dataset, and what did not: one row for each recording, for people and for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...listing import listed, markdown_row

NOT_KNOWN = "n/a"
# Rows of the table that is printed, or stands in a dataset card; the file has all.
SHOWN_RECORDINGS = 100
# What else is written of each recording for programs.
_AUDITED = ("subject_from", "software", "files", "sampling_rate", "line_frequency", "scales", "gain")
# Channels, and recordings, that one line names, and lines below the table.
_SHOWN_LINES = 200

COLUMNS = {
    "source": "The recording, as it was given",
    "subject": "Subject",
    "recording": "Name of the recording",
    "hours": "Length of the recording [h]",
    "status": "ok, no window, or failed: it could not be prepared",
    "windows": "Windows in the dataset",
    "seizures": "Seizures of the recording; those that overlap count once",
    "labels_from": "Who tells of the seizures: a table, the file itself or the caller; nobody where none is told of",
    "channels": "Channels of the windows",
    "left_out": "Channels of the file that are in no window, with the reason",
    "gaps_s": "Lost as samples are missing [s], mean over the channels",
    "outside_s": "Not reached by a window [s], as a rule the end",
    "uncertain_s": "In windows with the label -100, as nobody knows whether it is seizure [s], mean over the channels",
    "flat_s": "In windows, but flat [s], mean over the channels",
    "reason": "Why there is no window, or why it failed",
}


@dataclass(frozen=True)
class ContentRow:
    """What the manifest says of one recording; `None` for what it does not.

    Attributes and properties are described by `COLUMNS`.
    """

    source: str
    subject: str | None = None
    recording: str | None = None
    hours: float | None = None
    windows: int = 0
    seizures: int | None = None
    labels_from: str | None = None
    channels: list[str] | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    gaps_s: float | None = None
    outside_s: float | None = None
    uncertain_s: float | None = None
    flat_s: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> ContentRow:
        """Make the row of an entry of the manifest, which may be of an earlier version of the package."""
        seconds = entry.get("seconds", {})
        told_by = entry.get("seizures_from")
        return cls(
            source=entry["source"],
            subject=entry["subject"],
            recording=entry["recording"],
            hours=entry["duration"] / 3600,
            windows=entry["rows"],
            seizures=entry["seizures"],
            labels_from=told_by if told_by is None else told_by or _NOBODY,
            channels=entry["channels"],
            left_out=entry["excluded_channels"],
            gaps_s=seconds.get("gaps"),
            outside_s=seconds.get("outside"),
            uncertain_s=seconds.get("uncertain"),
            flat_s=seconds.get("flat"),
            reason=None if entry["rows"] else entry.get("no_window", "not noted"),
        )

    @property
    def title(self) -> str:
        """Subject and name, or the name of the file where these are not known."""
        return os.path.basename(self.source) if self.recording is None else f"{self.subject}/{self.recording}"

    @property
    def status(self) -> str:
        """Whether it went well."""
        return "failed" if self.channels is None else "ok" if self.windows else "no window"


def contents(entries: Iterable[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]]) -> list[ContentRow]:
    """Rows of a dataset, by source.

    Parameters
    ----------
    entries : Iterable[Mapping[str, Any]]
        Entries of its manifest.
    failed : Iterable[Mapping[str, Any]]
        `source` and `reason` of those that could not be prepared.
    """
    rows = [ContentRow.of(entry) for entry in entries]
    rows += [ContentRow(each["source"], reason=each["reason"]) for each in failed]
    return sorted(rows, key=lambda row: row.source)


def as_tsv(rows: Iterable[ContentRow]) -> str:
    """Write all that is known, as a tab-separated table with the columns of `COLUMNS`."""
    lines = [list(COLUMNS), *([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)]
    return "".join("\t".join(cells) + "\n" for cells in lines)


def as_json(
    entries: Collection[Mapping[str, Any]], failed: Collection[Mapping[str, Any]], settings: Mapping[str, Any] | None
) -> str:
    """Write the columns, the settings, and each row with what only programs need, for those who have to check it.

    Beside the columns: `subject_from` (how the subject is known), `software` (name and version that prepared it),
    `files` (size of each [bytes]), `sampling_rate` of the recording [Hz], `line_frequency` taken out [Hz], `scales`
    (microvolts of a number of the channels for which the file does not tell) and `gain` (factor that brings it into
    the amplitude range).
    """
    entry_of = {entry["source"]: entry for entry in (*entries, *failed)}
    audits = [
        {
            **{name: getattr(row, name) for name in COLUMNS},
            **{name: entry_of.get(row.source, {}).get(name) for name in _AUDITED},
        }
        for row in contents(entries, failed)
    ]
    found = {"columns": COLUMNS, "settings": settings, "recordings": audits}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_text(rows: Sequence[ContentRow]) -> str:
    """Write a table with aligned columns, and below it what was left out and why."""
    table = _table(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([cells[0].ljust(widths[0]), *(map(str.rjust, cells[1:], widths[1:]))]).rstrip() for cells in table
    ]
    return "\n".join([*lines, *_explanations(rows)])


def as_markdown(rows: Sequence[ContentRow]) -> str:
    """Write the same as `as_text` for a dataset card."""
    head, *body = ([_escaped(cell) for cell in cells] for cells in _table(rows))
    table = [markdown_row(cells) for cells in (head, ["---", *["---:"] * (len(head) - 1)], *body)]
    return "\n".join([*table, "", *(f"- {_escaped(line)}" for line in _explanations(rows))])


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}: {reason}" for name, reason in value.items())
    elif isinstance(value, list):
        value = ",".join(value)
    elif isinstance(value, float):
        value = f"{value:.4f}"
    text = "" if value is None else " ".join(str(value).split())
    return text or NOT_KNOWN


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


_NOBODY = "nobody"
# Numbers that are shown, and summed, under their heading: attribute and decimals.
_NUMBERS = {
    "hours": ("hours", 3),
    "windows": ("windows", 0),
    "seizures": ("seizures", 0),
    "lost to gaps [s]": ("gaps_s", 2),
    "outside windows [s]": ("outside_s", 2),
    "uncertain [s]": ("uncertain_s", 2),
    "flat [s]": ("flat_s", 2),
}
_TEXTS: dict[str, Callable[[ContentRow], str]] = {
    "recording": lambda row: row.title,
    "labels from": lambda row: row.labels_from or NOT_KNOWN,
    "channels": lambda row: NOT_KNOWN if row.channels is None else str(len(row.channels)),
    "left out": lambda row: NOT_KNOWN if row.channels is None else str(len(row.left_out)),
}
_HEADINGS = ["recording", *list(_NUMBERS)[:3], *list(_TEXTS)[1:], *list(_NUMBERS)[3:]]


def _table(rows: Sequence[ContentRow]) -> list[list[str]]:
    """Header, rows and sums of what is known, as text."""
    shown = [[_shown(row, heading) for heading in _HEADINGS] for row in rows[:SHOWN_RECORDINGS]]
    if len(rows) > SHOWN_RECORDINGS:
        shown.append([f"{len(rows) - SHOWN_RECORDINGS} more", *["..."] * (len(_HEADINGS) - 1)])
    return [_HEADINGS, *shown, [f"all {len(rows)}", *(_sum(rows, heading) for heading in _HEADINGS[1:])]]


def _shown(row: ContentRow, heading: str) -> str:
    if heading in _TEXTS:
        return _TEXTS[heading](row)
    name, decimals = _NUMBERS[heading]
    return _number(getattr(row, name), decimals)


def _sum(rows: Iterable[ContentRow], heading: str) -> str:
    if heading not in _NUMBERS:
        return ""
    name, decimals = _NUMBERS[heading]
    known = [value for row in rows if (value := getattr(row, name)) is not None]
    return _number(sum(known) if known else None, decimals)


def _number(value: float | None, decimals: int) -> str:
    return NOT_KNOWN if value is None else f"{value:.{decimals}f}"


def _explanations(rows: Sequence[ContentRow]) -> list[str]:
    """Lines on recordings without a window or marks, and on channels left out: those for the same reason together."""
    lines = [f"{row.status}: {row.source}: {row.reason}" for row in rows if row.reason]
    unmarked = [row.title for row in rows if row.windows and row.labels_from == _NOBODY]
    if unmarked:
        lines.append(
            f"no marks: {listed(unmarked)}: nobody tells whether there are seizures, and labels take all of it as "
            "background"
        )
    recordings_of: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for row in rows:
        by_reason: dict[str, list[str]] = {}
        for name, reason in row.left_out.items():
            by_reason.setdefault(reason, []).append(name)
        for reason, names in by_reason.items():
            recordings_of.setdefault((tuple(names), reason), []).append(row.title)
    lines += [
        f"left out of {listed(titles)}: {listed(names)}: {reason}" for (names, reason), titles in recordings_of.items()
    ]
    more = len(lines) - _SHOWN_LINES
    return lines[:_SHOWN_LINES] + ([f"{more} more lines like these; recordings.tsv has all"] if more > 0 else [])
