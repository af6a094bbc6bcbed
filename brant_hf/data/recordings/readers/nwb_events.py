"""What an NWB file says of time: intervals, annotations and stretches marked invalid, wherever they stand."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....events.vocabulary import EventRow, meaning_of, meaning_of_event, speaks_of_a_seizure
from .nwb_electrodes import as_text, names_of

if TYPE_CHECKING:
    from pynwb import NWBFile

_START_COLUMNS = ("start_time", "timestamp", "onset", "onset_time", "start", "seizure_onset", "seizure_start")
_STOP_COLUMNS = ("stop_time", "offset", "offset_time", "end_time", "stop", "end", "seizure_offset", "seizure_end")
# Columns that say what happened, best first; any other column of texts after them.
_TEXT_COLUMNS = (
    "label", "event_type", "eventtype", "type", "description", "annotation", "tags", "name", "trial_type",
)  # fmt: skip
_CHANNEL_COLUMNS = re.compile(r"(channel|electrode|contact)(_?name)?s?", re.IGNORECASE)
# Words in the name of a table that say that it is one.
_TABLE_WORDS = re.compile(r"\b(times?|intervals?|epochs?|periods?|tables?|lists?|annotations?|events?|labels?)\b")
_NO_TEXT = ("", "nan", "n/a", "none")


def events_of(nwb: "NWBFile", first: float) -> list[EventRow]:
    """Events of all tables and annotations of a file, in seconds from the first sample at `first` [s]."""
    from hdmf.common import DynamicTable
    from pynwb.base import TimeSeries
    from pynwb.misc import IntervalSeries

    events: list[EventRow] = []
    for item in nwb.objects.values():
        if isinstance(item, DynamicTable) and item is not nwb.invalid_times:
            events += _rows(item)
        elif isinstance(item, IntervalSeries):
            events += _switched(item)
        elif isinstance(item, TimeSeries) or hasattr(item, "timestamps"):
            events += _annotations(item)
    shifted = [replace(event, onset=event.onset - first) for event in events]
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


def _rows(table: Any) -> Iterator[EventRow]:
    columns = {column.casefold(): column for column in table.colnames}
    start = next((columns[name] for name in _START_COLUMNS if name in columns), None)
    if start is None or len(table) == 0:
        return
    stop = next((columns[name] for name in _STOP_COLUMNS if name in columns), None)
    lasts = columns.get("duration")
    texts, title = _text_columns(table, columns), _title(table.name)
    flags = [column for column in table.colnames if column not in texts and meaning_of(column) == "seizure"]
    if not texts and stop is None and lasts is None and meaning_of(title) is None:
        return
    for row in range(len(table)):
        onset = float(table[start][row])
        if not math.isfinite(onset):
            continue
        duration = float(table[stop][row]) - onset if stop else float(table[lasts][row]) if lasts else 0.0
        told = [as_text(table[column][row]) for column in texts]
        # Such as a column `seizure` of true and false, or of 1 and 0.
        answers = [table[column][row] for column in flags]
        told += ["seizure" if answer else "no seizure" for answer in answers if _is_yes_or_no(answer)]
        text, *further = _texts(told, title)
        channels = _channels(table, row) if meaning_of_event(_event([text, *further])) is not None else None
        yield EventRow(onset, duration, text, channels, tuple(further))


def _title(name: str) -> str:
    """Return the name of a table as words: `SeizureIntervals` is `seizure`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name).casefold()
    return " ".join(_TABLE_WORDS.sub(" ", words).split()) or words.strip()


def _text_columns(table: Any, columns: dict[str, str]) -> list[str]:
    """Columns that hold texts, best first; those that name channels are none."""
    known = [columns[name] for name in _TEXT_COLUMNS if name in columns]
    others = [column for column in table.colnames if column not in known and not _CHANNEL_COLUMNS.fullmatch(column)]
    return known + [column for column in others if _is_text(table[column][0])]


def _is_text(value: Any) -> bool:
    if isinstance(value, list | tuple | np.ndarray):
        return len(value) > 0 and all(_is_text(item) for item in value)
    return isinstance(value, str | bytes)


def _is_yes_or_no(value: Any) -> bool:
    return isinstance(value, bool | np.bool_ | int | np.integer | float | np.floating) and value in (0, 1)


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
        return names_of(electrodes, [list(electrodes.id[:]).index(label) for label in cell.index]) or None
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
