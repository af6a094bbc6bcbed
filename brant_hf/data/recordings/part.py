"""A part of a recording, with times of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np

from .recording import Recording, SampleReader
from .seizures import Seizure

# Times are typed with few decimals [s].
_ROUNDING_S = 0.01


@dataclass
class _PartReader:
    read: SampleReader = field(repr=False)
    first: int

    def __call__(self, start: int, stop: int) -> np.ndarray:
        return self.read(start + self.first, stop + self.first)


def part_of(recording: Recording, start: float | None = None, stop: float | None = None) -> Recording:
    """Take a part of a recording; nothing is read.

    Parameters
    ----------
    recording : Recording
        The recording.
    start : float or None
        First moment [s]; rounded to the nearest sample. The beginning by default.
    stop : float or None
        Moment before which to stop [s]; the end by default.

    Returns
    -------
    Recording
        Its times count from its first sample, which is at `offset` on the clock of the file.

    Raises
    ------
    ValueError
        The part is empty, not inside the recording, or inside of a gap.
    """
    if start is None and stop is None:
        return recording
    begin, end = 0.0 if start is None else start, recording.duration if stop is None else stop
    if not (isinstance(begin, Real) and isinstance(end, Real)):
        raise ValueError(f"{recording.name}: start is {start!r} and stop {stop!r}; they are numbers of seconds")
    if not (math.isfinite(begin) and 0 <= begin < end <= recording.duration + _ROUNDING_S):
        raise ValueError(
            f"{recording.name}: the part from start {begin:g} s to stop {end:g} s is not inside the recording, which "
            f"lasts {recording.duration:.2f} s; give 0 <= start < stop <= {recording.duration:.2f}"
        )
    rate = recording.sampling_rate
    first, last = round(begin * rate), min(round(end * rate), recording.num_samples)
    if first >= last:
        raise ValueError(
            f"{recording.name}: there is no sample between start {begin:g} s and stop {end:g} s; samples are "
            f"{1 / rate:g} s apart"
        )
    begin, end = first / rate, last / rate

    def inside(stretches: Iterable[Seizure]) -> list[Seizure]:
        return [
            (max(onset, begin) - begin, min(offset, end) - begin, channels)
            for onset, offset, channels in stretches
            if onset < end and offset > begin
        ]

    gaps = [(onset, offset) for onset, offset, _ in inside((*gap, None) for gap in recording.gaps)]
    if any(onset <= 0 and round(offset * rate) >= last - first for onset, offset in gaps):
        raise ValueError(
            f"{recording.name}: nothing was recorded from start {begin:g} s to stop {end:g} s, which is in a gap; "
            "inspect tells where the gaps are"
        )
    return replace(
        recording,
        num_samples=last - first,
        source=_PartReader(recording.source, first),
        seizures=inside(recording.seizures),
        uncertain=inside(recording.uncertain),
        gaps=gaps,
        events=[
            replace(event, onset=event.onset - begin)
            for event in recording.events
            if event.onset < end and event.onset + (event.duration if event.duration > 0 else 0) >= begin
        ],
        offset=recording.offset + begin,
    )
