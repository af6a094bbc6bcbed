"""The clock of a recording: parts of a file put at their times, with NaN where nothing was recorded."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ...events.event import without_stretches
from ...listing import listed
from ...user_warnings import warn
from .source import ChannelReader

# Clocks of recorders are not exact: a part that begins less than this [s] from where the one before ends follows it.
_TOLERANCE_S = 0.05
_TOLERANCE_SAMPLES = 2
# Above this [s] it is said that samples and clock have drifted apart.
_DRIFT_TOLD_S = 0.5
# Patients stay for days to few weeks, of which pruned files hold minutes here and there. A longer pause [days] is a
# clock that was set: day and month the other way round make four weeks or more, a battery that was empty makes years.
_LONGEST_GAP_DAYS = 14
_DAY_S = 86400


@dataclass(frozen=True)
class Segment:
    """Samples that follow each other without a gap.

    Attributes
    ----------
    stored : int
        Number of the first one among the samples that the file holds.
    place : int
        Number of the first one on the clock of the recording.
    length : int
        Samples.
    """

    stored: int
    place: int
    length: int


@dataclass
class ClockReader:
    """Reads by the clock of the recording from a reader that counts the samples a file holds.

    Parameters
    ----------
    read : ChannelReader
        Reads stored samples.
    segments : list[Segment]
        In order; see `segments_of`.
    """

    read: ChannelReader = field(repr=False)
    segments: list[Segment] = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)`; those between segments are NaN."""
        samples = np.full((len(channels), stop - start), np.nan, np.float64)
        places = [segment.place for segment in self.segments]
        for segment in self.segments[max(bisect_right(places, start) - 1, 0) : bisect_left(places, stop)]:
            first, last = max(start, segment.place), min(stop, segment.place + segment.length)
            if first < last:
                shift = segment.stored - segment.place
                samples[:, first - start : last - start] = self.read(channels, first + shift, last + shift)
        return samples


@dataclass
class ChannelClocksReader:
    """Reads each channel by its own clock: channels may begin, pause and end at different times.

    Parameters
    ----------
    read : ChannelReader
        Reads stored samples of a channel.
    segments : list[list[Segment]]
        Those of each channel.
    """

    read: ChannelReader = field(repr=False)
    segments: list[list[Segment]] = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of channels that have the same rate."""
        return np.concatenate(
            [ClockReader(self.read, self.segments[channel])([channel], start, stop) for channel in channels]
        )


def segments_of(
    starts_s: Sequence[float] | np.ndarray, lengths: Sequence[int] | np.ndarray, rate: float, recording: str
) -> list[Segment]:
    """Place the parts of a file (records, blocks, segments) on its clock.

    Parameters
    ----------
    starts_s : Sequence[float]
        When each part begins [s], in the order of the file; the first one is the beginning of the recording.
    lengths : Sequence[int]
        Samples of each part.
    rate : float
        Sampling rate [Hz].
    recording : str
        Name for messages.

    Returns
    -------
    list[Segment]
        Parts that follow each other are one segment, so a file without gaps has one.

    Raises
    ------
    ValueError
        A part begins before the one before it ends, or more than two weeks after.
    """
    starts = np.asarray(starts_s, float) - float(starts_s[0])
    counts = np.asarray(lengths, np.int64)
    stored = np.concatenate([[0], np.cumsum(counts)])
    tolerance = max(_TOLERANCE_S, _TOLERANCE_SAMPLES / rate)
    # Where each part would begin if all before it followed each other; a jump of the difference is a gap.
    late = starts - stored[:-1] / rate
    segments, shift, first, drift = [], 0, 0, 0.0
    for part in _jumps(late, tolerance):
        jump = late[part] - shift / rate
        previous = starts[part - 1] + counts[part - 1] / rate
        if starts[part] < previous - tolerance:
            raise ValueError(
                f"{recording}: part {part + 1} of the file begins at {starts[part]:.3f} s, before the one before it "
                f"ends ({previous:.3f} s), so its clock was set back; export the file in two, split there"
            )
        if jump > _LONGEST_GAP_DAYS * _DAY_S:
            raise ValueError(
                f"{recording}: part {part + 1} of the file begins {jump / _DAY_S:.1f} days after the one before it "
                f"ends (at {previous:.3f} s). No recorder pauses for more than {_LONGEST_GAP_DAYS} days, so its clock "
                "was set; export the file in two, split there"
            )
        if jump <= tolerance:
            drift = min(drift, jump)
            continue
        segments.append(Segment(int(stored[first]), int(stored[first]) + shift, int(stored[part] - stored[first])))
        shift, first = round(float(late[part]) * rate), part
    segments.append(Segment(int(stored[first]), int(stored[first]) + shift, int(stored[-1] - stored[first])))
    if drift < -_DRIFT_TOLD_S:
        warn(
            f"{recording}: the file holds up to {-drift:.2f} s more samples than its clock allows at {rate:g} Hz; "
            "times are counted in samples"
        )
    return segments


def tell_of_refused(refused: Mapping[str, str], recording: str) -> None:
    """Warn of channels that are left out since their parts cannot be placed on the clock, each with the reason."""
    if refused:
        reason = next(iter(refused.values())).removeprefix(f"{recording}: ")
        warn(f"{recording}: {listed(refused)} {'is' if len(refused) == 1 else 'are'} left out: {reason}")


def gaps_of(segments: Sequence[Segment], rate: float) -> list[tuple[float, float]]:
    """Stretches `(start, stop)` [s] between segments, where nothing was recorded."""
    between = ((before.place + before.length, after.place) for before, after in pairwise(segments))
    return [(start / rate, stop / rate) for start, stop in between if start < stop]


def gaps_of_channels(
    channels: Sequence[tuple[Sequence[Segment], float]], duration: float
) -> list[tuple[float, float]]:
    """Stretches [s] in which no channel was recorded, by the segments and the rate [Hz] of each."""
    recorded = {
        (segment.place / rate, (segment.place + segment.length) / rate)
        for segments, rate in channels
        for segment in segments
    }
    # Channels with different rates end within a sample of each other.
    shortest = 1.0 / min(rate for _, rate in channels)
    gaps, end = [], 0.0
    for start, stop in [*sorted(recorded), (duration, duration)]:
        if start - end > shortest:
            gaps.append((end, start))
        end = max(end, stop)
    return gaps


def without(
    segments: Sequence[Segment], stretches: Sequence[tuple[float, float]], rate: float, recording: str
) -> list[Segment]:
    """Take stretches `(start, stop)` [s], sorted, out of segments: they become gaps, also at the two ends.

    Raises
    ------
    ValueError
        Nothing is left.
    """
    if not stretches:
        return list(segments)
    end, kept = length_of(segments), []
    bounds = [(max(math.floor(start * rate), 0), min(math.ceil(stop * rate), end)) for start, stop in stretches]
    for segment in segments:
        place, stop = segment.place, segment.place + segment.length
        for first, last in [*bounds, (stop, stop)]:
            if place < min(first, stop):
                length = min(first, stop) - place
                kept.append(Segment(segment.stored + place - segment.place, place, length))
            place = max(place, last)
    if not kept:
        raise ValueError(f"{recording}: all of its {end / rate:.1f} s are marked as invalid; there is nothing to read")
    # Parts without samples say where the recording begins and ends.
    return [Segment(0, 0, 0), *kept, Segment(0, end, 0)]


def spread(num_samples: int, gaps: Sequence[tuple[float, float]], rate: float, count: int, length: int) -> list[int]:
    """Spread stretches evenly over what was recorded, so that they tell of all of it.

    Parameters
    ----------
    num_samples : int
        Samples from the beginning of the recording to its end.
    gaps : Sequence[tuple[float, float]]
        Stretches [s] in which nothing was recorded.
    rate : float
        Sampling rate [Hz].
    count : int
        Stretches that are wanted.
    length : int
        Samples of a stretch, at most `num_samples`.

    Returns
    -------
    list[int]
        First sample of each, increasing. A piece between two gaps that is shorter than a stretch takes part only where
        no other has room for one.
    """
    pieces = without_stretches([(0, num_samples)], [(round(start * rate), round(stop * rate)) for start, stop in gaps])
    roomy = [(start, stop) for start, stop in pieces if stop - start >= length]
    if pieces and not roomy:
        # A stretch from the beginning of a piece holds all of it.
        chosen = np.linspace(0, len(pieces) - 1, count).astype(int)
        return [min(int(pieces[place][0]), num_samples - length) for place in chosen]
    pieces = roomy or [(0, num_samples)]
    # Places of a stretch in each piece, counted through.
    ends = np.cumsum([stop - start - length + 1 for start, stop in pieces])
    wanted = np.linspace(0, ends[-1] - 1, count).astype(int)
    found = np.searchsorted(ends, wanted, side="right")
    firsts = np.array([start for start, _ in pieces], int)
    before = np.concatenate([[0], ends[:-1]])
    return (firsts[found] + wanted - before[found]).astype(int).tolist()


def length_of(segments: Sequence[Segment]) -> int:
    """Return the samples from the beginning of the recording to its end, gaps included."""
    return segments[-1].place + segments[-1].length


def place_of(segments: Sequence[Segment], stored: float) -> float:
    """Return the number on the clock of the recording of a sample that the file holds as number `stored`."""
    index = max(bisect_right([segment.stored for segment in segments], stored) - 1, 0)
    return stored + segments[index].place - segments[index].stored


def _jumps(late: np.ndarray, tolerance: float) -> list[int]:
    """Parts at which the difference between clock and samples has left the tolerance since the last such part."""
    found, base, part = [], 0.0, 1
    while part < len(late):
        away = np.abs(late[part:] - base) > tolerance
        if not away.any():
            break
        part += int(away.argmax())
        found.append(part)
        base = late[part]
        part += 1
    return found
