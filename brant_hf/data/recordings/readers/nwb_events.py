"""What an NWB file says of time: intervals, annotations and stretches marked invalid, wherever they stand."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....events.rows import TimeColumns, flag_text, holds_codes, is_missing, with_onset
from ....events.vocabulary import EventRow, meaning_of, meaning_of_event, speaks_of_a_seizure
from ....listing import listed
from ....user_warnings import warn
from .nwb_electrodes import as_text, names_of

if TYPE_CHECKING:
    from pynwb import NWBFile

# Columns for the onset beside those of other tables.
_FURTHER_STARTS = ("timestamp",)
# Columns that say what happened, best first; any other column of texts after them.
_TEXT_COLUMNS = (
    "label", "event_type", "eventtype", "type", "description", "annotation", "tags", "name", "trial_type",
)  # fmt: skip
_CHANNEL_COLUMNS = re.compile(r"(channel|electrode|contact)(_?name)?s?", re.IGNORECASE)
# Words in the name of a table that say that it is one.
_TABLE_WORDS = re.compile(r"\b(times?|intervals?|epochs?|periods?|tables?|lists?|annotations?|events?|labels?)\b")
_NO_TEXT = ("", "nan", "n/a", "none")


def events_of(nwb: "NWBFile", first: float, path: Path) -> list[EventRow]:
    """Events of all tables and annotations of a file, in seconds from the first sample at `first` [s]."""
    from hdmf.common import DynamicTable
    from pynwb.base import TimeSeries
    from pynwb.misc import IntervalSeries

    events: list[EventRow] = []
    not_read: list[str] = []
    for item in nwb.objects.values():
        if isinstance(item, DynamicTable):
            try:
                found = _rows(item, path) if item is not nwb.invalid_times else []
            except ValueError as error:
                warn(f"{path.name}: the table {item.name} of the file is passed over: {error}")
                continue
        elif isinstance(item, IntervalSeries):
            found = list(_switched(item))
        elif isinstance(item, TimeSeries) or hasattr(item, "timestamps"):
            found = list(_annotations(item))
        else:
            found = []
        if not found and _may_tell_of_seizures(item):
            not_read.append(item.name)
        events += found
    if not_read:
        warn(
            f"{path.name}: {listed(not_read)} {'speaks' if len(not_read) == 1 else 'speak'} of seizures by the name "
            "and cannot be read: expected a table with the columns start_time and stop_time [s]; pass "
            "seizures=[(onset, offset), ...] if there are any"
        )
    shifted = [replace(event, onset=event.onset - first) for event in with_onset(events, path)]
    return sorted(shifted, key=lambda event: (event.onset, event.text))


def invalid_of(nwb: "NWBFile", series: Any, first: float) -> list[tuple[float, float]]:
    """Stretches `(start, stop)` [s from the first sample] that the file marks invalid for a series, sorted."""
    table = nwb.invalid_times
    if table is None:
        return []
    stretches = []
    for row in range(len(table)):
        start, stop = float(table["start_time"][row]), float(table["stop_time"][row])
        concerned = [reference.timeseries for reference in _references(table, row)]
        if start < stop and (not concerned or any(item is series for item in concerned)):
            stretches.append((start - first, stop - first))
    return sorted(stretches)


def _references(table: Any, row: int) -> list[Any]:
    """Series that a row of a table of intervals is about; most tables name none."""
    if "timeseries" not in table.colnames:
        return []
    cell = table["timeseries"][row]
    return [item for item in (cell if isinstance(cell, list) else [cell]) if hasattr(item, "timeseries")]


def _may_tell_of_seizures(item: Any) -> bool:
    """Whether something that holds numbers or rows is called after seizures, and is no signal of electrodes."""
    if hasattr(item, "colnames"):
        holds = len(item) > 0
    else:
        is_column = hasattr(item.parent, "colnames")
        holds = np.size(getattr(item, "data", ())) > 0 and not is_column and not hasattr(item, "electrodes")
    return holds and speaks_of_a_seizure(_words(item.name))


def _rows(table: Any, path: Path) -> list[EventRow]:
    columns = {column.strip().lower(): column for column in table.colnames}
    times = TimeColumns.among(columns, path)
    if times.onset is None and (further := next((each for each in _FURTHER_STARTS if each in columns), None)):
        times = replace(times, onset=further, seconds={**times.seconds, further: 1.0})
    start = times.onset
    if start is None or len(table) == 0:
        return []
    flags = [column for column in columns if column not in times.seconds and meaning_of(column) == "seizure"]
    texts = [column for column in _text_columns(table, columns) if column not in (*flags, *times.seconds)]
    title = _title(table.name)
    if meaning_of(title) is None and speaks_of_a_seizure(_words(start)):
        title = "seizure"
    if not texts and not flags and len(times.seconds) == 1 and meaning_of(title) is None:
        return []
    read = [*times.seconds, *texts, *flags]
    rows = [{column: as_text(table[columns[column]][row]) for column in read} for row in range(len(table))]
    flags = [column for column in flags if not holds_codes(rows, column, start, path)]
    found = [_event_of(row, times, texts, flags, title, path) for row in rows]
    _tell_of_other_columns(table.name, columns.keys() - set(read), found, path)
    told = [meaning_of_event(event) is not None for event in found]
    return [replace(event, channels=_channels(table, row) if told[row] else None) for row, event in enumerate(found)]


def _event_of(
    row: Mapping[str, str],
    times: TimeColumns,
    texts: Sequence[str],
    flags: Sequence[str],
    title: str,
    path: Path,
) -> EventRow:
    onset, duration = times.of(row, path)
    told = [row[column] for column in texts]
    # Such as a column `seizure` of true and false, of 1 and 0, or of the numbers of the seizures.
    told += [flag_text("seizure", row[column]) or "no seizure" for column in flags if not is_missing(row[column])]
    text, *further = _texts(told, title)
    return EventRow(onset, duration, text, None, tuple(further))


def _tell_of_other_columns(table: str, others: Collection[str], events: Sequence[EventRow], path: Path) -> None:
    """Warn of columns that are called after seizures, where nothing else in their table tells of one."""
    about = sorted(column for column in others if speaks_of_a_seizure(_words(column)))
    if about and not any(meaning_of_event(event) is not None for event in events):
        warn(
            f"{path.name}: the table {table} tells of no seizure, but its {listed(map(repr, about))} is about some "
            "and is not read; pass seizures=[(onset, offset), ...] if there are any"
        )


def _words(name: str) -> str:
    """Return a name as words: `SeizureIntervals` is `seizure intervals`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name).casefold()


def _title(name: str) -> str:
    """Return what the name of a table says it is about: `SeizureIntervals` is `seizure`."""
    words = _words(name)
    return " ".join(_TABLE_WORDS.sub(" ", words).split()) or words.strip()


def _text_columns(table: Any, columns: dict[str, str]) -> list[str]:
    """Columns, in lower case, that hold texts, best first; those that name channels are none."""
    known = [column for column in _TEXT_COLUMNS if column in columns]
    others = [column for column in columns if column not in known and not _CHANNEL_COLUMNS.fullmatch(column)]
    return known + [column for column in others if _is_text(table[columns[column]][0])]


def _is_text(value: Any) -> bool:
    if isinstance(value, list | tuple | np.ndarray):
        return len(value) > 0 and all(_is_text(item) for item in value)
    return isinstance(value, str | bytes)


def _texts(texts: Sequence[str], title: str) -> tuple[str, ...]:
    """Return what a row of a table says, best first; the table's own name where only that has a meaning."""
    told = [text for text in texts if text.strip().casefold() not in _NO_TEXT]
    if not told or (meaning_of(title) is not None and meaning_of_event(_event(told)) is None):
        return (title,)
    # A remark of a seizure that is not understood is worth more than a label without a meaning: it is warned of.
    return tuple(sorted(told, key=lambda text: (meaning_of(text) is None, not speaks_of_a_seizure(text))))


def _event(texts: Sequence[str]) -> EventRow:
    return EventRow(0.0, 0.0, texts[0], None, tuple(texts[1:]))


def _channels(table: Any, row: int) -> list[str] | None:
    column = next((column for column in table.colnames if _CHANNEL_COLUMNS.fullmatch(column)), None)
    if column is None:
        return None
    cell = table[column][row]
    if hasattr(cell, "columns"):
        # Rows of the electrodes table.
        electrodes = table[column].table if hasattr(table[column], "table") else table[column].target.table
        # Which column names the contacts shows in all of them.
        names, rows = names_of(electrodes, range(len(electrodes))), list(electrodes.id[:])
        return [names[rows.index(label)] for label in cell.index] or None
    if not _is_text(cell):
        return None
    cells = [cell] if isinstance(cell, str | bytes) else list(cell)
    names = [name.strip() for item in cells for name in re.split(r"[,;|]", as_text(item))]
    named = [name for name in names if name.casefold() not in (*_NO_TEXT, "all")]
    return named or None


def _annotations(series: Any) -> Iterator[EventRow]:
    """Texts with a time stamp each, or numbers of labels with one."""
    data, stamps, labels = series.fields.get("data"), series.fields.get("timestamps"), series.fields.get("labels")
    if data is None or stamps is None or len(data) == 0 or getattr(data, "ndim", 1) != 1:
        return
    if labels is None and not _is_text(data[0]):
        return
    for time, value in zip(stamps[:], data[:], strict=False):
        if math.isfinite(time):
            yield EventRow(float(time), 0.0, as_text(value if labels is None else labels[int(value)]))


def _switched(series: Any) -> Iterator[EventRow]:
    """Intervals that begin at a positive and end at a negative number."""
    times, marks = np.asarray(series.timestamps[:], float), np.asarray(series.data[:])
    stops = times[marks < 0]
    for onset in times[marks > 0]:
        later = stops[stops > onset]
        yield EventRow(float(onset), float(later[0] - onset) if len(later) else math.nan, _title(series.name))
