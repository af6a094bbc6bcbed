"""Amplitudes of the channels of a recording, from few short stretches of it."""

from collections.abc import Callable, Sequence

import numpy as np

from ...signal_checks_brant import standard_deviations
from .clock import spread

# Stretches that are read at first, those that are read where they leave a doubt, and their length.
_STRETCHES, _FURTHER_STRETCHES = 3, 12
_SECONDS = 2.0

SampleReader = Callable[[int, int], np.ndarray]

# Samples of each of the places at which a clock is looked for, these places as shares of the recording, and how far
# from a straight line it may be, as a share of its way.
_CLOCK_SAMPLES, _CLOCK_PLACES, _CLOCK_TOLERANCE = 100, (0.0, 0.382, 1.0), 1e-3
# Samples that do not rise, of a clock that counts in milliseconds or seconds.
_MOST_ALIKE = 0.75


def are_clocks(read: SampleReader, num_samples: int) -> np.ndarray:
    """Find channels that rise by the same step with each sample: times or numbers of samples, and no signal.

    Parameters
    ----------
    read : Callable[[int, int], np.ndarray]
        Reads samples `[start, stop)`, `(channels, samples)`, in the precision of the file.
    num_samples : int
        Length of the recording.

    Returns
    -------
    np.ndarray
        `(channels,)` of bool.
    """
    length = min(num_samples, _CLOCK_SAMPLES)
    starts = [int(share * (num_samples - length)) for share in _CLOCK_PLACES]
    stretches = np.stack([read(start, start + length) for start in starts]).astype(float)
    places = np.array(starts)[:, None] + np.arange(length)
    way = stretches[-1, :, -1] - stretches[0, :, 0]
    line = stretches[0, :, 0] + places[..., None] / max(num_samples - 1, 1) * way
    is_straight = (np.abs(stretches.transpose(0, 2, 1) - line) <= _CLOCK_TOLERANCE * np.abs(way)).all((0, 1))
    steps = np.diff(stretches) * np.sign(way)[:, None]
    rises = (steps >= 0).all((0, 2)) & ((steps == 0).mean((0, 2)) <= _MOST_ALIKE)
    return is_straight & rises & (way != 0) if length > 2 else np.zeros(len(way), bool)


def channel_deviations(
    read: SampleReader,
    num_samples: int,
    sampling_rate: float,
    is_doubtful: Callable[[np.ndarray], bool],
    gaps: Sequence[tuple[float, float]] = (),
) -> tuple[np.ndarray, bool]:
    """Return the usual standard deviation of each channel, from few short stretches.

    The median of those stretches in which the channel is not silent: of the beginning, the middle and the end, and of
    more where these leave a doubt.

    Parameters
    ----------
    read : Callable[[int, int], np.ndarray]
        Reads samples `[start, stop)`, `(channels, samples)`; NaN for missing ones.
    num_samples : int
        Length of the recording.
    sampling_rate : float
        [Hz].
    is_doubtful : Callable[[np.ndarray], bool]
        Whether deviations, `(channels,)`, are such that more stretches are to be read.
    gaps : Sequence[tuple[float, float]]
        Stretches [s] in which nothing was recorded.

    Returns
    -------
    deviations : np.ndarray
        `(channels,)`, in the unit of the samples; NaN for a channel that is silent in all stretches.
    all_were_read : bool
        Whether the stretches are the whole recording, or leave no doubt.
    """
    length = min(num_samples, max(2, round(_SECONDS * sampling_rate)))
    starts = sorted({*spread(num_samples, gaps, sampling_rate, _STRETCHES, length)})
    found = [standard_deviations(read(start, start + length)) for start in starts]
    deviations = _median(found)
    if not is_doubtful(deviations):
        return deviations, True
    further = spread(num_samples, gaps, sampling_rate, _FURTHER_STRETCHES + 2, length)[1:-1]
    others = sorted(set(further) - set(starts))
    found += [standard_deviations(read(start, start + length)) for start in others]
    return _median(found), num_samples <= length * len(found)


def _median(found: Sequence[np.ndarray]) -> np.ndarray:
    """Median of the stretches that are not silent, `(channels,)`; NaN where all are."""
    heard = [values[values > 0] for values in np.array(found).T]
    return np.array([np.median(values) if values.size else np.nan for values in heard])
