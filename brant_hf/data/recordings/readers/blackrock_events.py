"""Blackrock: comments and presses of the patient's button in the file of events (`.nev`) beside a file of samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....files import check_fetched
from ....user_warnings import warn

_FIXED = np.dtype(
    {
        "names": ["kind", "version", "headers", "packet", "clock"],
        "formats": ["S8", "u1", "<u4", "<u4", "<u4"],
        "offsets": [0, 8, 12, 16, 20],
        "itemsize": 336,
    }
)
_KINDS = (b"NEURALEV", b"BREVENTS")
_COMMENT, _BUTTON = 0xFFFF, 0xFFFC
_UTF16, _NO_COMMENT = 1, 255
_RESET_OF_BUTTON = 2
_PACKETS_AT_ONCE = 2**16


def events_beside_samples(path: Path, begin_s: float, after_reset: bool) -> list[EventRow]:
    """Read what people wrote while a recording went on, and when the patient pressed the button.

    Parameters
    ----------
    path : Path
        A file of samples. Without a file of events beside it there are none.
    begin_s : float
        Time of its first sample on the clock that both files have [s].
    after_reset : bool
        Whether this clock was set to 0 before that sample, so that what precedes in the file has other times.
    """
    file = next((each for each in map(path.with_suffix, (".nev", ".NEV")) if each.exists()), None)
    if file is None:
        return []
    check_fetched(file)
    with file.open("rb") as opened:
        fixed = np.frombuffer(opened.read(_FIXED.itemsize).ljust(_FIXED.itemsize, b"\0"), _FIXED)[0]
    width = 8 if fixed["version"] >= 3 else 4
    if fixed["kind"] not in _KINDS or fixed["clock"] == 0 or fixed["packet"] < width + 8:
        warn(
            f"{path.name}: {file.name} is no file of Blackrock events, so its comments are not read; pass "
            "seizures=... if they tell seizures"
        )
        return []
    events: list[EventRow] = []
    for packet in _packets(file, fixed, width):
        if packet is None:
            events = [] if after_reset else events
        elif text := _text(packet):
            events.append(EventRow(_time(packet) / float(fixed["clock"]) - begin_s, 0.0, text))
    return sorted(events, key=lambda event: event.onset)


def _packets(file: Path, fixed: np.void, width: int) -> Iterator[np.void | None]:
    """Packets that are a comment or a button, in the order of the file; `None` where the clock was set back."""
    text = int(fixed["packet"]) - width - 8
    kind = np.dtype(
        [("time", f"<u{width}"), ("id", "<u2"), ("set", "u1"), ("flag", "u1"), ("begun", "<u4"), ("text", f"V{text}")]
    )
    count = max(file.stat().st_size - int(fixed["headers"]), 0) // kind.itemsize
    before = 0
    for start in range(0, count, _PACKETS_AT_ONCE):
        offset = int(fixed["headers"]) + start * kind.itemsize
        packets = np.fromfile(file, kind, min(count - start, _PACKETS_AT_ONCE), offset=offset)
        times = packets["time"].astype(np.int64)
        # Packets are written nearly in order: what is less than a second is no reset.
        is_back = np.diff(times, prepend=before) < -int(fixed["clock"])
        before = int(times[-1])
        for place in np.flatnonzero(is_back | np.isin(packets["id"], (_COMMENT, _BUTTON))).tolist():
            if is_back[place]:
                yield None
            if packets["id"][place] in (_COMMENT, _BUTTON):
                yield packets[place]


def _text(packet: np.void) -> str:
    if packet["id"] == _BUTTON:
        return "" if packet["set"] == _RESET_OF_BUTTON else "patient button"
    if packet["set"] == _NO_COMMENT:
        return ""
    stored = packet["text"].tobytes()
    if packet["set"] == _UTF16:
        return stored[: len(stored) // 2 * 2].decode("utf-16-le", "replace").split("\0")[0].strip()
    return decode_remark(stored.split(b"\0")[0]).strip()


def _time(packet: np.void) -> int:
    """When somebody began to write, where that is told, which is nearer to what is written about than the end."""
    entered, begun = int(packet["time"]), int(packet["begun"])
    is_told = packet["id"] == _COMMENT and packet["flag"] == 1 and 0 < begun <= entered < 2**32
    return begun if is_told else entered
