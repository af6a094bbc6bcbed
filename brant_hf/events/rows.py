"""Rows of tables of events: what stands between fields, which columns tell what, units and levels of columns."""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..files import check_fetched
from ..listing import listed
from ..user_warnings import warn
from .encodings import decode_fields
from .vocabulary import EventRow, meaning_of, meaning_of_event, speaks_of_a_seizure

# BIDS and SzCORE write `onset` and `duration`; TUSZ and NWB `start_time` and `stop_time`. `stop [s]` is `stop`.
_ONSET_COLUMNS = (
    *("onset", "start_time", "start", "begin", "onset_time", "starttime", "start_times", "t_start", "tstart"),
    *("seizure_onset", "seizure_start", "seizure_onset_time", "sz_onset", "sz_start", "eeg_onset"),
)
_DURATION_COLUMNS = ("duration", "dur", "length", "event_duration")
# BIDS has the number of the sample beside the onset.
_SAMPLE_COLUMNS = ("sample", "samples", "onset_sample", "sample_onset", "begin_sample")
_END_COLUMNS = (
    *("end", "stop", "offset", "stop_time", "end_time", "offset_time", "stoptime", "endtime", "stop_times"),
    *("t_stop", "t_end", "tstop", "tend", "termination"),
    *("seizure_offset", "seizure_end", "seizure_offset_time", "sz_offset", "sz_end", "eeg_offset"),
)
_SECONDS_PER_UNIT = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(
        ("us", "\N{MICRO SIGN}s", "\N{GREEK SMALL LETTER MU}s", "usec", "microsecond", "microseconds"), 1e-6
    ),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
}
_UNIT_OF_NAME = re.compile(rf"[ _]*[(\[]?(?<=[ _(\[])({'|'.join(_SECONDS_PER_UNIT)})\.?[)\]]?$")
# SzCORE writes `eventType`; clinical BIDS sets write `trial_type`, and other columns beside it.
_TEXT_COLUMNS = (
    *("eventtype", "trial_type", "sub_type", "event_type", "event", "event_name", "name", "type", "seizure_type"),
    "class",
    *("description", "event_description", "label", "value", "hed", "annotation", "annotations", "comment", "comments"),
    *(
        "remark",
        "remarks",
        "note",
        "notes",
        "text",
        "marker",
        "trigger",
        "condition",
        "annotation_type",
        "seizure_info",
    ),
)
_CHANNEL_COLUMNS = (
    *("channels", "channel", "electrodes", "electrode", "contacts", "contact", "channel_names", "ch_names"),
    *("involved_channels", "involved_electrodes", "onset_channels", "seizure_channels"),
)
# Columns of tables of a whole dataset; a `run` or `session` may also be a part of one recording.
_RECORDING_COLUMNS = (
    *(
        "recording",
        "recording_id",
        "recording_name",
        "record",
        "record_id",
        "file",
        "filename",
        "file_name",
        "file name",
    ),
    *("edf", "edf_file", "subject", "subject_id", "participant_id", "patient", "patient_id"),
)
# Names of files and places, and what is not about the row itself.
_LISTS_NO_EVENTS = re.compile(r"file|path|recording|channel|electrode|contact|zone|soz|next|last|previous|since|id$")
_YES, _NO = ("1", "1.0", "true", "yes", "y"), ("0", "0.0", "false", "no", "n")
# TUSZ writes `TERM` for all channels together.
_ALL_CHANNELS = ("all", "term")
_SEPARATORS = ("\t", ";", ",")
_BETWEEN = "".join(_SEPARATORS).encode()
# The form of TUSZ until its version 1.5: a line that names it, then rows without a header, with spaces between fields.
_TSE, _TSE_COLUMNS = re.compile(r"version *= *tse"), ["start", "stop", "label", "confidence"]
# Ends may be rounded to seconds.
_END_TOLERANCE_S = 1.0
# How files of Excel begin, new and old.
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Enough for the comments and the header of a table.
_HEAD_BYTES = 2**14


class NoKindError(ValueError):
    """A table of events does not tell of which kind they are, as BIDS allows."""


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table with a header; column names in lower case, values without spaces around them.

    Raises
    ------
    ValueError
        The file is no such table.
    """
    return parse_table(path)[1]


def read_event_rows(path: Path, described: Mapping[str, Any] | None = None) -> list[EventRow]:
    """Events of any kind of a table, as BIDS, SzCORE or TUSZ write it.

    Reads the columns `onset`, `duration` [s] or the end of the event (`stop_time`, ...), those with text (`eventType`,
    `trial_type`, `event_type`, `value`, `HED`, `description`, ...) with what the levels of these mean, and `channels`
    or `electrodes` (names with commas between them; `all` or `n/a` for all). A column named after a seizure may say
    yes or no. Rows without an onset are left out, with a warning where they speak of a seizure.

    Parameters
    ----------
    path : Path
        The table; tabs, semicolons or commas stand between its fields. Also a `.tse` of TUSZ.
    described : Mapping[str, Any] or None
        What BIDS describes of its columns (`Units`, `Levels`, `HED`, `Delimiter`); by default what `NAME.json`
        beside it says.

    Raises
    ------
    NoKindError
        It has onsets, and no column that tells what happened.
    ValueError
        Another column is missing, or an onset is no number of seconds.
    """
    columns, rows = parse_table(path)
    if not rows and _named(columns, _ONSET_COLUMNS) is None:
        raise _not_of_events(columns, path)
    return event_rows(rows, path, described)


def parse_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table."""
    header, rows = _fields(_text_of(path))
    if not header:
        raise ValueError(f"{path} is empty; expected a table with a header, with tabs between columns")
    return header, [
        {column: value.strip() for column, value in zip_longest(header, row[: len(header)], fillvalue="") if column}
        for row in rows
        if any(value.strip() for value in row)
    ]


def is_event_table(path: Path) -> bool:
    """Whether the first line of a file names columns for the onset and for the kind of events."""
    with path.open("rb") as file:
        columns, _ = _fields(file.read(_HEAD_BYTES).decode("utf-8-sig", "replace"))
    return _named(columns, _ONSET_COLUMNS) is not None and not set(columns).isdisjoint(_TEXT_COLUMNS)


def _fields(text: str) -> tuple[list[str], list[list[str]]]:
    """Names of columns in lower case, and the fields of all rows."""
    lines = text.splitlines(keepends=True)
    # TUSZ begins with comments, and may have an empty line after them.
    begins = (place for place, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    lines = lines[next(begins, len(lines)) :]
    if lines and _TSE.match(lines[0]):
        return _TSE_COLUMNS, [line.split() for line in lines[1:]]
    between = next((sign for sign in _SEPARATORS if lines and sign in lines[0]), "\t")
    try:
        # A quotation mark that nobody closes would join rows, so marks count only where they stand around fields.
        header, *rows = list(csv.reader(lines, delimiter=between, strict=True)) or [[]]
        is_plain = between == "\t" and any("\t" in value for row in rows for value in row)
    except csv.Error:
        is_plain = True
    if is_plain:
        header, *rows = list(csv.reader(lines, delimiter=between, quoting=csv.QUOTE_NONE))
    return [column.strip().lower() for column in header], rows


def _text_of(path: Path) -> str:
    """Text of a table in UTF-8, UTF-16 where it looks like that, or else what its bytes can mean, with a warning."""
    check_fetched(path)
    content = path.read_bytes()
    if content.startswith(_SPREADSHEETS):
        raise ValueError(f"{path} is a spreadsheet; save it as text (.tsv), with tabs between columns")
    try:
        # Files written by spreadsheets begin with a byte order mark.
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        # Without one, every second byte of a header is 0.
        halves = {"utf-16-le": content[1:_HEAD_BYTES:2], "utf-16-be": content[:_HEAD_BYTES:2]}
        utf16 = next((name for name, zeros in halves.items() if zeros and not zeros.strip(b"\0")), None)
        return content.decode(utf16 or "utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise ValueError(
                f"{path} is no table, and no text at all; expected columns with tabs between them"
            ) from error
        warn(f"{path} is not in UTF-8, so letters with accents, and of other scripts, may be wrong; save it in UTF-8")
        return decode_fields(content, _BETWEEN)


def event_rows(
    rows: Sequence[Mapping[str, str]], path: Path, described: Mapping[str, Any] | None = None
) -> list[EventRow]:
    """Events of the rows of a table; arguments as of `read_event_rows`."""
    if not rows:
        return []
    refuse_several_recordings(rows, path)
    about = described_columns(path, described)
    columns = [column for column in _TEXT_COLUMNS if column in rows[0]]
    # Any other whose values BIDS describes.
    columns += [
        column
        for column in rows[0]
        if column not in (*columns, *_CHANNEL_COLUMNS)
        and any(isinstance(about.get(column, {}).get(kind), Mapping) for kind in ("Levels", "HED"))
    ]
    # Such as `seizure` with 0 and 1.
    flags = [column for column in rows[0] if column not in columns and meaning_of(column) == "seizure"]
    times = TimeColumns.among(rows[0], path, about)
    onset_column = times.onset
    if onset_column is None or not columns + flags:
        raise _not_of_events(rows[0], path, ValueError if onset_column is None else NoKindError)
    _refuse_samples(rows, onset_column, path)
    flags = [column for column in flags if not holds_codes(rows, column, onset_column, path)]
    _tell_of_other_columns(rows, {*columns, *flags, *times.seconds}, path)
    channel_columns = [column for column in _CHANNEL_COLUMNS if column in rows[0]]
    events = []
    for row in rows:
        given = [(column, row[column]) for column in columns if not is_missing(row[column])]
        texts = [text for column, value in given for text in (_tags(value) if column == "hed" else [value])]
        texts += [text for column in flags if (text := flag_text(column, row[column])) is not None]
        texts += [level for column, value in given for level in _levels(about.get(column, {}), value)]
        named_by = next((column for column in channel_columns if not is_missing(row[column])), None)
        channels = None if named_by is None else channel_names(row[named_by], about.get(named_by, {}).get("Delimiter"))
        text, *further = texts or [""]
        events.append(EventRow(*times.of(row, path), text, channels, tuple(further)))
    if times.duration is not None and times.end is not None:
        _tell_of_other_ends(rows, events, times.end, times.seconds[times.end], path)
    return with_onset(events, path)


@dataclass(frozen=True)
class TimeColumns:
    """Columns that tell when an event begins, ends, and how long it lasts.

    Attributes
    ----------
    onset, end, duration : str or None
        In lower case; `None` for one that is not there.
    seconds : dict[str, float]
        Seconds of a number in each: 0.001 for `onset (ms)`.
    """

    onset: str | None
    end: str | None
    duration: str | None
    seconds: dict[str, float]

    @classmethod
    def among(
        cls, columns: Iterable[str], path: Path, about: Mapping[str, Mapping[str, Any]] | None = None
    ) -> TimeColumns:
        """Find them among the columns of a table, of which a description may state the units."""
        columns = list(columns)
        onset, end, duration = (_named(columns, known) for known in (_ONSET_COLUMNS, _END_COLUMNS, _DURATION_COLUMNS))
        stated, found = about or {}, filter(None, (onset, end, duration))
        return cls(onset, end, duration, {each: _seconds_per_unit(stated.get(each, {}), each, path) for each in found})

    def of(self, row: Mapping[str, str], path: Path) -> tuple[float, float]:
        """Onset and duration [s] of a row; NaN for what it does not tell."""
        onset, duration = (self._read(column, row, path) for column in (self.onset, self.duration))
        # The end may be a time of day where there is a duration.
        return onset, self._read(self.end, row, path) - onset if math.isnan(duration) else duration

    def _read(self, column: str | None, row: Mapping[str, str], path: Path) -> float:
        return math.nan if column is None else number(row, column, path) * self.seconds[column]


def refuse_several_recordings(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Refuse a table of which a column names several recordings, files or patients."""
    for column in _RECORDING_COLUMNS:
        names = list(dict.fromkeys(row[column] for row in rows if not is_missing(row.get(column, ""))))
        if len(names) > 1:
            raise ValueError(
                f"{path} holds the events of {len(names)} recordings ({listed(names)}, by its column {column!r}); "
                "give the table of one"
            )


def _not_of_events(columns: Iterable[str], path: Path, kind: type[ValueError] = ValueError) -> ValueError:
    return kind(
        f"{path} has the columns {', '.join(columns)}; expected onset, duration [s] and one of eventType, "
        "trial_type, ... with tabs between them"
    )


def _refuse_samples(rows: Sequence[Mapping[str, str]], onset: str, path: Path) -> None:
    """Refuse onsets that are the numbers of samples that stand beside them: nothing is recorded at 1 Hz."""
    sample = next((column for column in _SAMPLE_COLUMNS if column in rows[0]), None)
    if sample is None:
        return
    told = [(row[onset], row[sample]) for row in rows if not is_missing(row[onset]) and not is_missing(row[sample])]
    if any(_is_nonzero(each) for each, _ in told) and all(each == other for each, other in told):
        raise ValueError(
            f"{path}: its columns {onset} and {sample} are the same, so {onset} counts samples; write seconds from "
            "the first sample of the recording"
        )


def _is_nonzero(text: str) -> bool:
    return re.search("[1-9]", text) is not None


def _tell_of_other_columns(rows: Sequence[Mapping[str, str]], read: Collection[str], path: Path) -> None:
    """Warn of a column that is not read and whose values speak of seizures."""
    others = [column for column in rows[0] if column not in read and not _LISTS_NO_EVENTS.search(column)]
    for column in others:
        text = next((row[column] for row in rows if speaks_of_a_seizure(row[column])), None)
        if text is not None:
            warn(
                f"{path}: its column {column!r} speaks of seizures ({text!r}) and is not read; call it trial_type if "
                "it tells what happened"
            )


def _tell_of_other_ends(
    rows: Sequence[Mapping[str, str]], events: Sequence[EventRow], column: str, unit: float, path: Path
) -> None:
    """Warn of seizures whose end, in a column in units of `unit` [s], is not that of their onset and duration."""
    found = []
    for row, event in zip(rows, events, strict=True):
        try:
            stated = number(row, column, path) * unit
        except ValueError:
            continue  # a time of day, which is not read where there is a duration
        end = event.onset + event.duration
        if abs(end - stated) > _END_TOLERANCE_S and speaks_of_a_seizure(" ".join((event.text, *event.further))):
            found.append((event.onset, event.duration, end, stated))
    if found:
        onset, duration, end, stated = found[0]
        warn(
            f"{path}: the end of {len(found)} of its {len(rows)} rows is not that of their onset and duration, which "
            f"count; {onset:g} s and {duration:g} s make {end:g} s, and its column {column!r} says {stated:g} s (the "
            "first of them)"
        )


def describing(path: Path) -> dict[str, Any]:
    """Read what a `.json` says of the columns of a table; nothing where there is none that can be read."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        warn(f"{path} cannot be read, so what it says of the columns of a table is passed over: {error}")
        return {}
    return content if isinstance(content, dict) else {}


def described_columns(path: Path, described: Mapping[str, Any] | None = None) -> dict[str, Mapping[str, Any]]:
    """Return what is described of each column, in lower case: as given, or by the `.json` of the table."""
    described = describing(path.with_suffix(".json")) if described is None else described
    return {column.strip().lower(): about for column, about in described.items() if isinstance(about, Mapping)}


def _named(columns: Iterable[str], known: Sequence[str]) -> str | None:
    """Return the first of these columns that is there, with or without its unit: `onset`, `onset_s`, `onset (ms)`."""
    columns = list(columns)
    bare = {_UNIT_OF_NAME.sub("", column).replace(" ", "_"): column for column in columns}
    bare |= dict(zip(columns, columns, strict=True))
    return next((bare[name] for name in known if name in bare), None)


def _seconds_per_unit(about: Mapping[str, Any], column: str, path: Path) -> float:
    unit = about.get("Units")
    if not isinstance(unit, str) or is_missing(unit):
        in_name = _UNIT_OF_NAME.search(column)
        return 1.0 if in_name is None else _SECONDS_PER_UNIT[in_name[1]]
    if unit.strip().lower() not in _SECONDS_PER_UNIT:
        raise ValueError(
            f"{path}: its description says that {column} is in {unit!r}; expected s, ms, min, ...: write seconds "
            "from the first sample of the recording"
        )
    return _SECONDS_PER_UNIT[unit.strip().lower()]


def _levels(about: Mapping[str, Any], value: str) -> Iterator[str]:
    """Tell what a value of a column means, as BIDS describes it in words (`Levels`) and in tags (`HED`)."""
    for kind in ("Levels", "HED"):
        levels = about.get(kind)
        level = levels.get(value, levels.get(value.removesuffix(".0"))) if isinstance(levels, Mapping) else None
        text = level.get("Description") if isinstance(level, Mapping) else level
        if isinstance(text, str) and text.strip():
            yield from _tags(text) if kind == "HED" else [text]


def _tags(text: str) -> list[str]:
    """Tags of HED in a text, without their groups, the tags above them, and names of columns that stand for them."""
    tags = (re.split(r"[/:]", tag)[-1].strip() for tag in re.split(r"[(),]", re.sub(r"\{[^}]*\}", "", text)))
    return [tag for tag in tags if tag]


def holds_codes(rows: Sequence[Mapping[str, str]], column: str, onset: str, path: Path) -> bool:
    """Whether a column named after a kind of event holds codes, which is told: numbers of seizures never come back."""
    ordered = sorted(rows, key=lambda row: number(row, onset, path))
    values = [row[column] for row in ordered if row[column].isdecimal() and row[column].lower() not in _NO]
    changes = [value for value, before in zip(values, [None, *values], strict=False) if value != before]
    if len(changes) == len(set(changes)):
        return False
    warn(
        f"{path}: the column {column} has the numbers {', '.join(sorted(set(values)))}, which come back and so do not "
        "count seizures; what they mean is not known, and the column is not read: write 1 for a seizure and 0 for none"
    )
    return True


def flag_text(column: str, value: str) -> str | None:
    """Return what a column says that is named after a kind of event: its name for yes, nothing for no, or its text.

    Other numbers are those of the seizures: `2` in the column `seizure` is `seizure 2`.
    """
    if value.lower() in _NO or is_missing(value):
        return None
    if value.lower() in _YES:
        return column
    return f"{column} {value}" if value.isdecimal() else value


def with_onset(events: Sequence[EventRow], path: Path) -> list[EventRow]:
    """Leave out events without an onset, with a warning where one speaks of a seizure."""
    lost = [event.text for event in events if not math.isfinite(event.onset) and _tells_of_seizures(event)]
    if lost:
        texts = ", ".join(map(repr, dict.fromkeys(lost)))
        warn(
            f"{path}: {len(lost)} events that speak of a seizure ({texts}) have no onset and are passed over; write "
            "their onset [s] into the table"
        )
    return [event for event in events if math.isfinite(event.onset)]


def _tells_of_seizures(event: EventRow) -> bool:
    return meaning_of_event(event) is not None or any(map(speaks_of_a_seizure, (event.text, *event.further)))


def is_missing(text: str) -> bool:
    """Whether a field says nothing."""
    return text.lower() in ("", "n/a", "na", "nan", "none", "null", "-")


def number(row: Mapping[str, str], column: str, path: Path) -> float:
    """Return a number, in which a comma may stand for the point; not `1,234`, which may be a thousand or one."""
    text = row.get(column, "")
    if is_missing(text):
        return math.nan
    if re.fullmatch(r"[+-]?(\d+,(\d{1,2}|\d{4,})|(0|\d{4,}),\d+)", text):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        hint = (
            "; write it with a point before the decimals"
            if "," in text
            else "; write seconds from the first sample of the recording, not the time of day"
            if ":" in text
            else "; expected a number from 0 to 1, or n/a"
            if column == "confidence"
            else "; expected seconds"
        )
        raise ValueError(f"{path}: {text!r} in the column {column} is not a number{hint}") from None


def channel_names(text: str, delimiter: object = None) -> list[str] | None:
    """Names of channels in a field, `None` for all; what stands between them may be described, as BIDS does."""
    if is_missing(text) or text.lower() in _ALL_CHANNELS:
        return None
    between = re.escape(delimiter) if isinstance(delimiter, str) and delimiter else r"[,;]"
    names = (name.strip() for name in re.split(between, text.strip("[]")))
    # A list as Python writes it; the second mark of `A'` is part of a name.
    return [name[1:-1] if name[:1] == name[-1:] and name[:1] in ("'", '"') else name for name in names if name]
