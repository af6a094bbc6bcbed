"""Records of a MEF3 session: notes, annotations, seizures."""

import math
from collections.abc import Iterator
from typing import Any

from ....events.vocabulary import EventRow, meaning_of

# Stands for a time or a duration that was not entered.
_NO_TIME = 0x800000000000
# Records that are about the signal as a whole, or about no moment.
_NO_EVENTS = ("LNTP",)
_TEXT_FIELDS = ("text", "annotation", "name", "epoch_type", "stimulus_type", "waveform")
_TEXT_WITHOUT_ONE = {"ESti": "electrical stimulation", "CSti": "stimulus", "Curs": "cursor", "Epoc": "epoch"}


def events_of(session: dict, start: int) -> list[EventRow]:
    """Events of the records of a session, of its channels and of their segments.

    Parameters
    ----------
    session : dict
        Metadata as pymef gives them.
    start : int
        When the first sample was taken [microseconds since 1970].

    Returns
    -------
    list[EventRow]
        Times in seconds from the first sample on the clock of the session, gaps included.
    """
    events = [event for record, channel in _records(session) for event in _events(record, channel, start)]
    return sorted(events, key=lambda event: (event.onset, event.text))


def _records(session: dict) -> Iterator[tuple[dict, str | None]]:
    levels: list[tuple[dict, str | None]] = [(session, None)]
    for name, channel in session.get("time_series_channels", {}).items():
        levels += [(level, name) for level in (channel, *channel.get("segments", {}).values())]
    for level, name in levels:
        for record in level.get("records_info", {}).get("records", []):
            yield record, name


def _events(record: dict, channel: str | None, start: int) -> Iterator[EventRow]:
    header = record["record_header"]
    kind, time = _as_text(header["type_string"][0]), int(header["time"][0])
    if kind in _NO_EVENTS:
        return
    body = _fields(record.get("record_body"))
    if kind == "Seiz":
        yield from _seizures(record, body, time, channel, start)
        return
    time = next((int(body[key]) for key in ("timestamp", "time") if _is_time(body.get(key))), time)
    if not _is_time(time):
        return
    duration = _duration(body, "timestamp", "end_timestamp")
    text = next((str(body[key]) for key in _TEXT_FIELDS if body.get(key)), _TEXT_WITHOUT_ONE.get(kind, kind))
    yield EventRow((time - start) / 1e6, duration, text, None if channel is None else [channel])


def _seizures(record: dict, body: dict[str, Any], time: int, channel: str | None, start: int) -> Iterator[EventRow]:
    """Give a seizure, or one for each channel where it begins or ends at different times on them."""
    # Whoever marked it may not be sure, or may say that it is none.
    marked = f"Seiz: {body.get('annotation') or ''}".strip()
    text = {"seizure": "seizure", "uncertain": "seizure?"}.get(str(meaning_of(marked)), marked)
    known = [int(value) for value in (body.get("earliest_onset", 0), time) if _is_time(value)]
    if not known:
        return
    onset = known[0]
    lasts = _duration(body, "earliest_onset", "latest_offset")
    times: dict[tuple[int, float], list[str]] = {}
    for item in record.get("record_subbody", ()):
        own, stop = (int(item[key]) if _is_time(item[key]) else None for key in ("onset", "offset"))
        first = onset if own is None else own
        until = onset / 1e6 + lasts if stop is None or stop <= first else stop / 1e6
        times.setdefault((first, round(until - first / 1e6, 6)), []).append(_as_text(item["name"]))
    for (first, duration), names in (times or {(onset, lasts): []}).items():
        named = [name for name in names if name] or ([] if channel is None else [channel])
        yield EventRow((first - start) / 1e6, duration, text, named or None)


def _duration(body: dict[str, Any], start: str, stop: str) -> float:
    """Duration [s] from two times or as it is entered; NaN where neither is."""
    if _is_time(body.get(start)) and _is_time(body.get(stop)) and int(body[stop]) > int(body[start]):
        return (int(body[stop]) - int(body[start])) / 1e6
    entered = body.get("duration")
    return int(entered) / 1e6 if entered is not None and 0 <= int(entered) < _NO_TIME else math.nan


def _fields(body: Any) -> dict[str, Any]:
    """Fields of a record; a record of a kind that pymef does not know has none."""
    names = getattr(getattr(body, "dtype", None), "names", None) or ()
    return {name: _as_text(value) if isinstance(value := body[name][0], bytes) else value for name in names}


def _is_time(value: Any) -> bool:
    return value is not None and int(value) > 0 and int(value) != _NO_TIME


def _as_text(written: Any) -> str:
    if not isinstance(written, bytes):
        return str(written)
    plain = written.split(b"\0")[0]
    try:
        return plain.decode("utf-8").strip()
    except UnicodeDecodeError:
        return plain.decode("latin-1").strip()
