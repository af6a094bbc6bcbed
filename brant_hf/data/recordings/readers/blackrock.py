"""Blackrock: files of samples (`.ns1` to `.ns6`), after "NEV File Format" 2.2, 2.3 and 3.0 of Blackrock Neurotech.

MNE-Python cannot read those with pauses, takes hours for those with a header before each sample (clocks of PTP), and
calls every input sEEG.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ....events.encodings import decode_text
from ....user_warnings import warn
from ..channels import NO_SCALE
from ..clock import ClockReader, gaps_of, length_of, segments_of
from ..source import Source
from .blackrock_events import events_beside_samples
from .frames import PacketReader

_FIXED = np.dtype(
    [("kind", "S8"), ("version", "u1", 2), ("bytes", "<u4"), ("label", "S16"), ("comment", "V256"), ("period", "<u4"),
     ("clock", "<u4"), ("origin", "<u2", 8), ("channels", "<u4")]
)  # fmt: skip
_CHANNEL = np.dtype(
    [("kind", "S2"), ("id", "<u2"), ("label", "S16"), ("bank", "u1"), ("pin", "u1"), ("digital", "<i2", 2),
     ("analog", "<i2", 2), ("unit", "S16"), ("filters", "V20")]
)  # fmt: skip
# What stands before the samples of a packet; times have 8 bytes from version 3 on.
_PACKET = {width: np.dtype([("mark", "u1"), ("time", f"<u{width}"), ("count", "<u4")]) for width in (4, 8)}
# Periods count these steps in a second, also where the clock is one of PTP, which counts nanoseconds.
_STEPS_HZ, _PTP_HZ = 30_000, 1_000_000_000
# Two devices that are synchronised set their clock to 0 after some seconds at the most.
_LONGEST_SYNCHRONISATION_S = 60.0
_FRAMES_AT_ONCE = 2**16
_YEAR_S = 365 * 86400


def blackrock_source(path: Path) -> Source:
    """Open a file of samples.

    Raises
    ------
    ValueError
        It is no such file, is of a version without scales, was cut, or its pauses are longer than what it holds.
    """
    fixed = _fixed_header(path)
    width = int(fixed["channels"])
    table = np.fromfile(path, _CHANNEL, width, offset=_FIXED.itemsize)
    times, counts, positions, frame = _packets(path, fixed, width)
    rate = (_STEPS_HZ if fixed["clock"] == _PTP_HZ else int(fixed["clock"])) / int(fixed["period"])
    seconds = times / float(fixed["clock"])
    kept = _from_the_last_reset(seconds, counts, rate, path.name)
    seconds, counts, positions = seconds[kept:], counts[kept:], positions[kept:]
    segments = segments_of(*_parts(path, seconds, counts, positions, frame, rate), rate, path.name)
    names, units = ([_text(stored) for stored in table[key].tolist()] for key in ("label", "unit"))
    digital, analog = table["digital"].astype(float), table["analog"].astype(float)
    with np.errstate(all="ignore"):
        scale = np.diff(analog, axis=1)[:, 0] / np.diff(digital, axis=1)[:, 0]
    unscaled = ~np.isfinite(scale) | (scale == 0)
    scale[unscaled] = np.nan
    bounds = np.concatenate([[0], np.cumsum(counts)]).tolist()
    reader = PacketReader(path, width, bounds, positions.tolist(), frame, scale, analog[:, 0] - digital[:, 0] * scale)
    return Source(
        name=path.stem,
        num_samples=length_of(segments),
        channel_count=width,
        sampling_rate=rate,
        channel_names=names,
        bad_channels={names[place]: NO_SCALE for place in np.flatnonzero(unscaled)},
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=units,
        events=events_beside_samples(path, float(seconds[0]), after_reset=kept > 0),
        gaps=gaps_of(segments, rate),
        start_date=_start(fixed, float(seconds[0])),
        path=path,
    )


def _text(stored: bytes) -> str:
    """Text of a field; recorders leave what was in their memory behind its end."""
    return decode_text(stored.split(b"\0")[0]).strip()


def _fixed_header(path: Path) -> np.void:
    with path.open("rb") as file:
        beginning = file.read(_FIXED.itemsize)
    if beginning.startswith(b"NEURALSG"):
        raise ValueError(f"{path} is of version 2.1, which states no scale; export it again, or convert it to EDF+")
    fixed = np.frombuffer(beginning.ljust(_FIXED.itemsize, b"\0"), _FIXED)[0]
    is_known = fixed["kind"] in (b"NEURALCD", b"BRSMPGRP") and min(fixed[["period", "clock", "channels"]].tolist()) > 0
    if not is_known or fixed["bytes"] < _FIXED.itemsize + _CHANNEL.itemsize * int(fixed["channels"]):
        raise ValueError(
            f"{path} is no file of Blackrock samples: its header cannot be read (it begins with {beginning[:8]!r}); "
            "copy it again, or export it as EDF+"
        )
    return fixed


def _packets(path: Path, fixed: np.void, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.dtype]:
    """Find times, samples and places of the packets, and what one sample of all channels is."""
    head, size = _PACKET[8 if fixed["version"][0] >= 3 else 4], path.stat().st_size
    samples = np.dtype([("samples", "<i2", (width,))])
    alone = np.dtype([("head", head), *samples.descr])
    position, found = int(fixed["bytes"]), list[tuple[int, int, int]]()
    count = (size - position) // alone.itemsize
    if fixed["clock"] == _PTP_HZ and count > 0:
        ends = [np.fromfile(path, alone, 1, offset=position + place * alone.itemsize) for place in (0, count - 1)]
        if all(end["head"]["count"] == 1 and end["head"]["mark"] == 1 for end in ends):
            return ends[0]["head"]["time"], np.array([count]), np.array([position]), alone
    while position + head.itemsize <= size:
        packet = np.fromfile(path, head, 1, offset=position)[0]
        if packet["mark"] != 1:
            raise ValueError(f"{path} is damaged: no packet begins at byte {position}; copy or export it again")
        position += head.itemsize
        # The number is written when a packet ends; of one that did not, all that is there counts.
        held = (size - position) // samples.itemsize
        count = int(packet["count"]) or held
        if count > held:
            raise ValueError(
                f"{path} is truncated: a packet announces {count} samples, it holds {held}; copy or export it again"
            )
        if count:
            found.append((int(packet["time"]), count, position))
        position += count * samples.itemsize
    if not found:
        raise ValueError(f"{path} ends before any sample ({size} bytes); copy or export it again")
    times, counts, positions = np.array(found).T
    return times, counts, positions, samples


def _from_the_last_reset(seconds: np.ndarray, counts: np.ndarray, rate: float, name: str) -> int:
    """Return the first packet after the clock was set to 0, as it is where devices are synchronised."""
    resets = np.flatnonzero(np.diff(seconds) < 0)
    kept = int(resets[-1]) + 1 if resets.size else 0
    before, after = counts[:kept].sum() / rate, counts[kept:].sum() / rate
    if kept == 0 or before > min(_LONGEST_SYNCHRONISATION_S, after):
        return 0
    warn(
        f"{name}: its clock was set to 0 after {before:.3f} s, as where devices are synchronised; it is read from "
        "there on"
    )
    return kept


def _parts(
    path: Path, seconds: np.ndarray, counts: np.ndarray, positions: np.ndarray, frame: np.dtype, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """When each part begins [s], and its samples: the packets, or what follows each other where each sample is one."""
    if "head" not in (frame.names or ()):
        return seconds, counts
    count, first = int(counts[0]), int(positions[0])

    def times(start: int, number: int) -> np.ndarray:
        return np.fromfile(path, frame, number, offset=first + start * frame.itemsize)["head"]["time"]

    begin, end = int(times(0, 1)[0]), int(times(count - 1, 1)[0])
    if abs((end - begin) / _PTP_HZ - (count - 1) / rate) < 1 / rate:
        return np.zeros(1), counts
    # Something is missing, so all times are looked at.
    starts, seconds_of_starts, before = [], [], begin - 2 * _PTP_HZ
    for start in range(0, count, _FRAMES_AT_ONCE):
        found = times(start, min(_FRAMES_AT_ONCE, count - start)).astype(np.int64)
        jumps = np.flatnonzero(np.diff(found, prepend=before) > 1.5 * _PTP_HZ / rate)
        starts.extend((start + jumps).tolist())
        seconds_of_starts.extend(((found[jumps] - begin) / _PTP_HZ).tolist())
        before = int(found[-1])
    return np.array(seconds_of_starts), np.diff([*starts, count])


def _start(fixed: np.void, first_s: float) -> datetime | None:
    """When the first sample was taken. The clock of PTP counts from 1970, others from the time in the header."""
    year, month, _, day, hour, minute, second, thousandth = (int(part) for part in fixed["origin"])
    try:
        origin = datetime(year, month, day, hour, minute, second, 1000 * thousandth, tzinfo=UTC)
        if fixed["clock"] == _PTP_HZ:
            return datetime.fromtimestamp(first_s, UTC) if first_s > _YEAR_S else origin
        return origin + timedelta(seconds=first_s)
    except ValueError:
        return None
