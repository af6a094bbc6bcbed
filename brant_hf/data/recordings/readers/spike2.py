"""Spike2 (`.smr`), after the documents of the SON library of Cambridge Electronic Design, versions 1 to 9.

Each channel has its own rate and its own chain of blocks. Neo wants pauses to be the same in all of them, and finds no
block behind 2 GB.
"""

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ....events.encodings import decode_remark, decode_text
from ....events.vocabulary import EventRow
from ..clock import ChannelClocksReader, Segment, gaps_of_channels, length_of, segments_of
from ..source import Source, known_start
from ..units import factors_entered
from .frames import PacketReader

_HEADER = np.dtype(
    {
        "names": ["version", "mark", "us", "adc", "channels", "system", "base", "clock", "year"],
        "formats": ["<i2", "S10", "<i2", "<i2", "<i2", "<i2", "<f8", ("u1", 6), "<u2"],
        "offsets": [0, 2, 20, 22, 30, 38, 44, 52, 58],
        "itemsize": 512,
    }
)
_CHANNEL = np.dtype(
    {
        "names": ["first", "extra", "every", "title", "kind", "scale", "offset", "unit", "divide"],
        "formats": ["<i4", "<i2", "<i4", "S10", "u1", "<f4", "<f4", "S6", "<i2"],
        "offsets": [6, 16, 102, 108, 122, 124, 128, 132, 138],
        "itemsize": 140,
    }
)
_BLOCK, _END = struct.Struct("<4i2H"), -1
_MARK, _OLDEST, _NEWEST = b"(C) CED 87", 1, 9
# In the latest version blocks are counted, in others bytes.
_DISK_BLOCK = 512
_MACINTOSH = 1
_INTEGERS, _MARKER, _TEXT, _NUMBERS = 1, 5, 8, 9
# Value of a step of the integers whose scale is 1.
_STEP = 1 / 6553.6


@dataclass
class _Chain:
    """Blocks of a channel: position of what they hold in the file, time [ticks], items."""

    positions: list[int]
    times: list[int]
    counts: list[int]


@dataclass
class _ChannelsReader:
    """Reads stored samples of one channel."""

    readers: list[PacketReader] = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        (place,) = channels
        return self.readers[place]([0], start, stop)


def spike2_source(path: Path) -> Source:
    """Open a recording.

    Raises
    ------
    ValueError
        It is no such file or one of a Macintosh, is damaged, or holds no samples.
    """
    header, table = _read_header(path)
    tick = float(header["us"]) * (1e-6 if header["version"] < 6 else float(header["base"]))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        chains = [_chain(content, channel, header, path) for channel in table]
        signals = [at for at in np.flatnonzero(np.isin(table["kind"], (_INTEGERS, _NUMBERS))) if chains[at].times]
        if not signals:
            raise ValueError(f"{path} holds no samples of a waveform channel; copy or export it again")
        begin = min(chains[at].times[0] for at in signals) * tick
        events = list(_events(content, table, chains, tick, begin))
    rates = [round(1 / _interval(header, table[at], tick, path), 9) for at in signals]
    segments = [_segments(chains[at], tick, begin, rate, path) for at, rate in zip(signals, rates, strict=True)]
    rate = max(sorted(set(rates)), key=rates.count)
    duration = max(length_of(parts) / each for parts, each in zip(segments, rates, strict=True))
    empty = np.flatnonzero(np.isin(table["kind"], (_INTEGERS, _NUMBERS)) & ~np.isin(np.arange(len(table)), signals))
    return Source(
        name=path.stem,
        num_samples=round(duration * rate),
        channel_count=len(signals),
        sampling_rate=rate,
        rates=rates if len(set(rates)) > 1 else None,
        channel_names=[_text(table["title"][at]) or f"channel {at + 1}" for at in signals],
        left_out={_text(table["title"][at]) or f"channel {at + 1}": "no samples" for at in empty},
        read=ChannelClocksReader(_ChannelsReader([_reader(path, table[at], chains[at]) for at in signals]), segments),
        unit=[_text(table["unit"][at]).strip() for at in signals],
        events=sorted(events, key=lambda event: event.onset),
        gaps=gaps_of_channels(list(zip(segments, rates, strict=True)), duration),
        start_date=_start(header, begin),
        path=path,
    )


def _read_header(path: Path) -> tuple[np.void, np.ndarray]:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = np.frombuffer(file.read(_HEADER.itemsize).ljust(_HEADER.itemsize, b"\0"), _HEADER)[0]
    if header["mark"] != _MARK or not _OLDEST <= header["version"] <= _NEWEST:
        raise ValueError(f"{path} is no .smr file of Spike2: its header is not known; copy or export it again")
    if header["system"] & 0xFF == _MACINTOSH:
        raise ValueError(f"{path} is of a Macintosh, which is not read; export it from Spike2 as EDF+, or as .mat")
    if not 0 < header["channels"] <= (size - _HEADER.itemsize) // _CHANNEL.itemsize or header["us"] <= 0:
        raise ValueError(f"{path} is damaged: its header does not end, or states no clock; copy it again")
    return header, np.fromfile(path, _CHANNEL, int(header["channels"]), offset=_HEADER.itemsize)


def _text(stored: bytes) -> str:
    """Text behind its length."""
    return decode_text(stored[1 : 1 + stored[0]]).strip() if stored else ""


def _chain(content: mmap.mmap, channel: np.void, header: np.void, path: Path) -> _Chain:
    """Follow the blocks of a channel from one to the next."""
    unit = _DISK_BLOCK if header["version"] == _NEWEST else 1
    width = {_INTEGERS: 2, _NUMBERS: 4, _MARKER: 8, _TEXT: 8 + int(channel["extra"])}.get(int(channel["kind"]), 0)
    chain, block = _Chain([], [], []), int(channel["first"])
    # Numbers of blocks have 32 bits, with a sign that none of them needs.
    while width and block != _END:
        position = (block & 0xFFFFFFFF) * unit
        if not 0 < position <= len(content) - _BLOCK.size or len(chain.times) > len(content) // _BLOCK.size:
            raise ValueError(f"{path} is damaged: a block of {_text(channel['title'])!r} is not in it; copy it again")
        _, block, start, _, _, count = _BLOCK.unpack_from(content, position)
        if position + _BLOCK.size + count * width > len(content):
            raise ValueError(
                f"{path} is truncated: a block of {_text(channel['title'])!r} ends behind it; copy it again"
            )
        if count:
            chain.positions.append(position + _BLOCK.size)
            chain.times.append(start)
            chain.counts.append(count)
    return chain


def _interval(header: np.void, channel: np.void, tick: float, path: Path) -> float:
    """Time between two samples [s]."""
    steps = int(channel["every"]) if header["version"] >= 6 else int(channel["divide"]) * int(header["adc"])
    if not 0 < steps * tick < np.inf:
        raise ValueError(f"{path} is damaged: {_text(channel['title'])!r} has no sampling rate; copy it again")
    return steps * tick


def _segments(chain: _Chain, tick: float, begin: float, rate: float, path: Path) -> list[Segment]:
    # The part without samples is where the recording begins.
    starts = [0.0, *(np.array(chain.times) * tick - begin)]
    return segments_of(starts, [0, *chain.counts], rate, path.name)


def _reader(path: Path, channel: np.void, chain: _Chain) -> PacketReader:
    are_integers = channel["kind"] == _INTEGERS
    scale, zero = (float(channel["scale"]) * _STEP, float(channel["offset"])) if are_integers else (1.0, 0.0)
    scale = float(factors_entered([scale], [_text(channel["title"])], path.name)[0])
    frame = np.dtype([("samples", "<i2" if are_integers else "<f4", (1,))])
    bounds = np.cumsum([0, *chain.counts]).tolist()
    return PacketReader(path, 1, bounds, chain.positions, frame, np.array([scale]), np.array([zero]))


def _events(
    content: mmap.mmap, table: np.ndarray, chains: Sequence[_Chain], tick: float, begin: float
) -> Iterator[EventRow]:
    """Read texts, and keys that were pressed; pulses without a text are none."""
    for channel, chain in zip(table, chains, strict=True):
        if channel["kind"] not in (_MARKER, _TEXT):
            continue
        width = 8 + (int(channel["extra"]) if channel["kind"] == _TEXT else 0)
        item = np.dtype([("time", "<i4"), ("code", "u1"), ("codes", "V3"), ("text", f"S{width - 8}")])
        for position, count in zip(chain.positions, chain.counts, strict=True):
            for time, code, _, text in np.frombuffer(content, item, count, position).tolist():
                key = chr(code) if 32 < code < 127 else ""
                told = (
                    decode_remark(text.split(b"\0")[0]).strip()
                    if text
                    else f"{_text(channel['title'])} {key}" * bool(key)
                )
                if told:
                    yield EventRow(time * tick - begin, 0.0, told)


def _start(header: np.void, begin: float) -> datetime | None:
    hundredths, second, minute, hour, day, month = header["clock"].tolist()
    try:
        stated = datetime(int(header["year"]), month, day, hour, minute, second, 10_000 * hundredths, tzinfo=UTC)
    except ValueError:
        return None
    return known_start(stated + timedelta(seconds=begin))
