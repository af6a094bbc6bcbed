"""Time-stamped annotation lists (TALs) of EDF+ and BDF+: when records begin, and remarks (EDF+ specification, 2.2)."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from itertools import pairwise

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..contacts import channels_meant
from .edf_header import EdfHeader
from .edf_records import open_records, read_stored

_CHUNK_BYTES = 2**20
# What most records hold: the time at which they begin, and no more.
_TIME_ALONE = re.compile(rb"([+-]\d+(?:\.\d*)?)\x14\x14\x00*")
_ENDS_LIST, _ENDS_TEXT, _BEFORE_DURATION = b"\x00", b"\x14", b"\x15"
# Nihon Kohden writes the time of a remark into the list of its record, between two texts, with six decimals.
_TIME_IN_TEXT = re.compile(rb"[+-]\d+\.\d{6}")


@dataclass
class Annotations:
    """What the annotation signals of a file say.

    Attributes
    ----------
    record_starts : np.ndarray
        When each record begins [s from the start date of the header], NaN where it does not say.
    events : list[EventRow]
        Remarks; onsets as `record_starts`.
    unreadable : list[bytes]
        What is no annotation list.
    """

    record_starts: np.ndarray
    events: list[EventRow] = field(default_factory=list)
    unreadable: list[bytes] = field(default_factory=list)


def read_annotations(header: EdfHeader) -> Annotations:
    """Read the annotation signals of all records, and nothing else of them."""
    found = Annotations(np.full(header.num_records, np.nan))
    remarks: list[tuple[float, float, bytes]] = []
    if header.annotation_signals:
        with open_records(header) as file:
            for record, block in _blocks(file, header):
                time = _TIME_ALONE.fullmatch(block)
                if time is None:
                    _read_block(block, record, header.record_s or 1.0, found, remarks)
                elif math.isnan(found.record_starts[record]):
                    found.record_starts[record] = float(time[1])
    names = {label for signal, label in enumerate(header.labels) if signal not in header.annotation_signals}
    found.events = _rows(remarks, names)
    if found.unreadable:
        warn(
            f"{header.path.name}: {len(found.unreadable)} annotations cannot be read and are passed over, such as "
            f"{found.unreadable[0][:80]!r}"
        )
    return found


def _blocks(file: FileIO, header: EdfHeader) -> Iterator[tuple[int, bytes]]:
    """Yield the number of a record and the bytes of one of its annotation signals, in order."""
    signals = [signal for signal in header.annotation_signals if header.samples[signal]]
    sizes = [header.sample_bytes * header.samples[signal] for signal in signals]
    step = max(1, _CHUNK_BYTES // max(sizes, default=1))
    for first in range(0, header.num_records, step):
        last = min(first + step, header.num_records)
        stored = [
            read_stored(
                file, header, [signal], first * header.samples[signal], last * header.samples[signal]
            ).tobytes()
            for signal in signals
        ]
        for record in range(first, last):
            for size, content in zip(sizes, stored, strict=True):
                yield record, content[(record - first) * size : (record - first + 1) * size]


def _read_block(
    block: bytes, record: int, record_s: float, found: Annotations, remarks: list[tuple[float, float, bytes]]
) -> None:
    for written in block.rstrip(_ENDS_LIST).split(_ENDS_LIST):
        if not written.strip():
            continue
        times, *texts = written.split(_ENDS_TEXT)
        onset, _, duration = times.partition(_BEFORE_DURATION)
        seconds, lasting = _seconds(onset), _seconds(duration) if duration.strip() else 0.0
        if not texts or math.isnan(seconds) or math.isnan(lasting):
            found.unreadable.append(written)
            continue
        # The first list of a record, with an empty text, says when the record begins.
        if not texts[0] and math.isnan(found.record_starts[record]):
            found.record_starts[record] = seconds
        remarks.extend((at, lasting, text) for at, text in _timed(seconds, texts, record_s) if text)


def _timed(onset: float, texts: Sequence[bytes], record_s: float) -> Iterator[tuple[float, bytes]]:
    """Texts of a list with their times: that of the list, or one of its record that stands as a text before them."""
    at = onset
    for text, following in pairwise([*texts, b""]):
        is_time = _TIME_IN_TEXT.fullmatch(text) and following and not _TIME_IN_TEXT.fullmatch(following)
        if is_time and 0 <= float(text) - onset <= record_s:
            at = float(text)
        else:
            yield at, text


def _seconds(written: bytes) -> float:
    try:
        seconds = float(written.replace(b",", b"."))
    except ValueError:
        return math.nan
    return seconds if math.isfinite(seconds) else math.nan


def _rows(remarks: list[tuple[float, float, bytes]], names: set[str]) -> list[EventRow]:
    """Events in order; those that differ in the channel alone, which stands behind `@@`, are one."""
    rows: list[EventRow] = []
    of_channels: dict[tuple[float, float, str], list[str]] = {}
    for onset, duration, stored in remarks:
        text, at, channel = decode_remark(stored).rpartition("@@")
        if not at or not (channel in names or channels_meant(channel, names)):
            rows.append(EventRow(onset, duration, decode_remark(stored)))
            continue
        event = onset, duration, text
        if event not in of_channels:
            of_channels[event] = []
            rows.append(EventRow(*event, of_channels[event]))
        of_channels[event].append(channel)
    return sorted(rows, key=lambda row: row.onset)
