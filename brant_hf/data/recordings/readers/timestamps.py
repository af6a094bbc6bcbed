"""Time stamps of samples: their rate, and the parts between gaps, found without reading all of them."""

from itertools import pairwise
from typing import Any

import numpy as np

from ..clock import Segment, segments_of

# Read at once up to this many; of more, some are looked at and the gaps found by bisection.
_FEW = 1_000_000
_LOOKED_AT = 200
# Up to this far [s] from a straight line, or a sample, the stamps are evenly spaced.
_EVEN_S = 1e-3
# Where they are not, deviations up to this [s] are jitter.
_JITTER_S = 0.02
_MOST_PARTS = 5000
# As many after a stamp that is no number are looked through for one.
_NEAR = 1024


class _Stamps:
    """Time stamps on disk, read one at a time, as often as asked."""

    def __init__(self, stamps: Any, what: str) -> None:
        self.count = len(stamps)
        self._stamps = np.asarray(stamps[:], float) if self.count <= _FEW else stamps
        self._what = what
        steps = self.block(0)
        self.step = float(np.median(steps[np.isfinite(steps)])) if np.isfinite(steps).any() else 0.0

    def __call__(self, index: int) -> float:
        time = float(self._stamps[index])
        if np.isfinite(time):
            return time
        # Some writers leave stamps out here and there: the nearest one tells.
        first = max(0, index - _NEAR)
        near = np.asarray(self._stamps[first : index + _NEAR], float)
        known = np.flatnonzero(np.isfinite(near))
        if not len(known):
            raise ValueError(f"{self._what} are no numbers around sample {index}; give the series a rate instead")
        nearest = known[np.abs(known + first - index).argmin()]
        return float(near[nearest]) + (index - first - int(nearest)) * self.step

    def block(self, start: int) -> np.ndarray:
        """Return the steps [s] between some stamps that follow each other."""
        return np.diff(np.asarray(self._stamps[start : start + 100], float))


def clock_of(stamps: Any, what: str) -> tuple[float, float, list[Segment]]:
    """Rate, time of the first sample and parts of a signal that has a time stamp for every sample.

    Parameters
    ----------
    stamps : array
        Time of each sample [s], on disk or not.
    what : str
        Name for messages.

    Returns
    -------
    tuple[float, float, list[Segment]]
        Sampling rate [Hz], time of the first sample [s], segments of the clock.

    Raises
    ------
    ValueError
        Too few stamps, stamps that are no numbers or run backwards, or gaps of weeks.
    """
    times = _Stamps(stamps, what)
    last = times.count - 1
    if last < 1:
        raise ValueError(f"{what}: {times.count} samples; at least 2 are needed")
    probed = np.unique(np.linspace(0, last, min(times.count, _LOOKED_AT)).astype(int))
    first = times(0)
    mean = times.step = (times(last) - first) / last
    at = {int(index): times(int(index)) for index in probed}
    if mean > 0 and max(abs(time - first - mean * index) for index, time in at.items()) <= max(mean, _EVEN_S):
        return 1.0 / mean, first, [Segment(0, 0, times.count)]
    times.step, error = _step(times, probed, what)
    starts = _starts(times, at, what)
    lengths = np.diff([*starts, times.count])
    recorded = sum(times(stop - 1) - times(start) for start, stop in pairwise([*starts, times.count]))
    whole = recorded / max(int((lengths - 1).sum()), 1)
    rate = _nominal(1.0 / (whole if abs(whole - times.step) <= error else times.step))
    return rate, first, segments_of([times(start) for start in starts], lengths, rate, what)


def starts_of_runs(times: Any, step: float, tolerance: float) -> list[int] | None:
    """Find where times stop to follow each other, by halving what lies between two that are too far apart.

    Parameters
    ----------
    times : array
        Time of each record or sample, on disk or not, read one at a time.
    step : float
        Time from one to the next.
    tolerance : float
        Deviation that is none.

    Returns
    -------
    list[int] or None
        First place of each run; `None` where there are too many.
    """
    found, waiting = [0], [(0, len(times) - 1)]
    while waiting:
        low, high = waiting.pop()
        if high == low or abs(int(times[high]) - int(times[low]) - (high - low) * step) <= tolerance:
            continue
        if high - low > 1:
            middle = (low + high) // 2
            waiting += [(middle, high), (low, middle)]
            continue
        found.append(high)
        if len(found) > _MOST_PARTS:
            return None
    return found


def _step(times: _Stamps, probed: np.ndarray, what: str) -> tuple[float, float]:
    """Time from one sample to the next [s] in the stretches without a gap, and the largest error that it may have."""
    steps = np.concatenate([times.block(int(start)) for start in probed])
    steps = steps[np.isfinite(steps)]
    step = float(np.median(steps)) if len(steps) else 0.0
    if step <= 0 and (steps > 0).any():
        # Stamps rounded to more than a sample repeat each other.
        step = float(np.mean(steps[steps >= 0]))
    if step <= 0:
        raise ValueError(f"{what} do not increase; give the series a rate instead")
    # A step is as good as the stretch it is taken from is long, as stamps are rounded: longer ones, while they agree.
    rounding = max(step, float(np.subtract(*np.percentile(steps, (90, 10)))))
    if (steps == 0).any():
        rounding = max(rounding, float(steps[steps > 0].min()))
    error = 2 * rounding
    for longer in (100, 1000, 10_000, 100_000, 1_000_000):
        starts = probed[probed + longer < times.count]
        if longer > times.count // 10:
            break
        wide = float(np.median([(times(int(s) + longer) - times(int(s))) / longer for s in starts]))
        if abs(wide - step) > error:
            break
        # Clocks of recorders wander by some millionths.
        step, error = wide, 2 * rounding / longer + 1e-5 * wide
    return step, error


def _nominal(rate: float) -> float:
    """Return the rate without the rounding errors of the stamps."""
    return float(round(rate)) if round(rate) and abs(rate / round(rate) - 1) < 1e-8 else rate


def _starts(times: _Stamps, at: dict[int, float], what: str) -> list[int]:
    """First samples of the parts: after each jump, found by halving what lies between two stamps too far apart."""
    found = [0]
    waiting = [(low, high, at[low], at[high]) for low, high in pairwise(sorted(at))][::-1]
    while waiting:
        low, high, before, after = waiting.pop()
        if abs(after - before - (high - low) * times.step) <= _JITTER_S:
            continue
        if high - low > 1:
            middle = (low + high) // 2
            between = times(middle)
            waiting += [(middle, high, between, after), (low, middle, before, between)]
            continue
        found.append(high)
        if len(found) > _MOST_PARTS:
            raise ValueError(
                f"{what} are not evenly spaced: more than {_MOST_PARTS} jumps by {high / times.count:.0%} of the "
                "samples; resample the signal to a fixed rate"
            )
    return found
