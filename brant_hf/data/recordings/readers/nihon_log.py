"""Remarks of Nihon Kohden recordings: the file `.LOG` beside the samples."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ....events.encodings import decode_remark, decode_text
from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..clock import Segment, place_of

# Lists of remarks: how many there are, and where each is; what continues them is listed behind 22 of them.
_LISTS, _LIST_BYTES, _CONTINUED = 0x91, 20, 22
_COUNT, _FIRST, _ENTRY_BYTES, _TEXT_BYTES = 0x12, 0x14, 45, 20
# When, from the beginning (hhmmss), and by the clock (yymmddhhmmss).
_TIMES = re.compile(rb"(\d\d)(\d\d)(\d\d)(?:\((\d{12})\))?")
_MILLIONTHS = re.compile(rb"\d{4}(\d{6})")
# Stands for a comment, whose text is in the file .CMT.
_ELSEWHERE = "P_COMMENT"
# A time by the clock has whole seconds, as that of the beginning has [s].
_ROUNDING_S = 2.0


def read_remarks(
    file: Path | None, segments: Sequence[Segment], rate: float, start: datetime | None, recording: str
) -> list[EventRow]:
    """Read the remarks of a recording.

    Parameters
    ----------
    file : Path or None
        The `.LOG`; with `None`, or one that is no such file, it is told that there are none.
    segments : Sequence[Segment]
        The blocks on the clock of the recording.
    rate : float
        Sampling rate [Hz].
    start : datetime or None
        When the first sample was taken.
    recording : str
        Name for messages.

    Returns
    -------
    list[EventRow]
        On the clock of the recording. The time from the beginning counts what was recorded, as EDFbrowser takes it,
        unless the time by the clock, where there is one, says that it counts pauses as well.
    """
    content = b"" if file is None else file.read_bytes()
    if len(content) <= _LISTS:
        reason = "there is no file .LOG beside it" if file is None else f"{file.name} is too short"
        warn(f"{recording}: its remarks are not known, since {reason}; pass seizures=... if they tell seizures")
        return []
    events, unreadable = [], []
    for entry, further in _entries(content):
        times = _TIMES.match(entry, _TEXT_BYTES)
        if times is None:
            unreadable.append(entry)
            continue
        hours, minutes, seconds = map(int, times.groups()[:3])
        millionths = _MILLIONTHS.match(further, _TEXT_BYTES)
        elapsed = 3600 * hours + 60 * minutes + seconds + (int(millionths[1]) / 1e6 if millionths else 0)
        onset = place_of(segments, elapsed * rate) / rate
        by_clock = None if times[4] is None or start is None else _since(start, times[4].decode())
        if by_clock is not None and len(segments) > 1 and abs(onset - by_clock) > _ROUNDING_S:
            onset = elapsed if abs(elapsed - by_clock) <= _ROUNDING_S else by_clock
        text = decode_remark((entry[:_TEXT_BYTES] + further[:_TEXT_BYTES]).replace(b"\0", b""))
        events.append(EventRow(onset, 0.0, text.strip()))
    if unreadable:
        warn(
            f"{recording}: {len(unreadable)} remarks without a time are passed over, such as "
            f"{decode_text(unreadable[0][:_TEXT_BYTES].split(bytes(1))[0])!r}"
        )
    if comments := sum(event.text == _ELSEWHERE for event in events):
        warn(
            f"{recording}: the text of {comments} of its remarks is in the file .CMT, which is not read; pass "
            "seizures=... if they tell seizures"
        )
    return sorted(events, key=lambda event: event.onset)


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Remarks, each with what continues it, which is empty where nothing does."""
    count = content[_LISTS]
    for number in range(count):
        entries = _list(content, number)
        further = _list(content, number + _CONTINUED) if count < _CONTINUED else []
        yield from zip(entries, further if len(further) == len(entries) else [b""] * len(entries), strict=True)


def _list(content: bytes, number: int) -> list[bytes]:
    place = _LISTS + 1 + _LIST_BYTES * number
    address = int.from_bytes(content[place : place + 4], "little")
    if not 0 < address < len(content) - _FIRST:
        return []
    first = address + _FIRST
    ends = range(first + _ENTRY_BYTES, first + _ENTRY_BYTES * content[address + _COUNT] + 1, _ENTRY_BYTES)
    return [content[end - _ENTRY_BYTES : end] for end in ends if end <= len(content)]


def _since(start: datetime, written: str) -> float | None:
    try:
        return (datetime.strptime(written, "%y%m%d%H%M%S").replace(tzinfo=UTC) - start).total_seconds()
    except ValueError:
        return None
