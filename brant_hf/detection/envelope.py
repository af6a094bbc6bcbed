"""Signals of long recordings for drawing: the lowest and highest value of each column of pixels.

A recording of a day does not fit into memory and takes minutes to read. It is read in pieces, and where it is larger
than `MAX_VALUES`, a stretch of each column stands for the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..data.recordings.contacts import bipolar_pairs
from ..progress import progress_bar

if TYPE_CHECKING:
    from ..data import Recording

# Samples over all channels read for one picture: about 1 h of 100 channels at 256 Hz, some seconds of reading.
MAX_VALUES = 100_000_000
# Samples over all channels in memory at a time: 8 MB.
CHUNK_VALUES = 2_000_000
# A stretch shorter than this holds less than one wave of a slow rhythm.
MIN_STRETCH_S = 0.25
SMOOTHING_S, DRIFT_S = 1.0, 10.0


@dataclass(frozen=True)
class Derivation:
    """Which recorded channels make a drawn one: `plus`, or `plus - minus` for a bipolar pair.

    Attributes
    ----------
    name : str
        Name of the drawn channel.
    plus : int
        Place of the channel in the recording.
    minus : int or None
        Place of the channel taken off, `None` for a channel that is drawn as recorded.
    """

    name: str
    plus: int
    minus: int | None = None


@dataclass(frozen=True)
class Envelope:
    """Lowest and highest value in each column, less the slow drift of the channel.

    Attributes
    ----------
    times : np.ndarray
        Centres of the columns [s], of shape (columns,).
    low, high : np.ndarray
        [microvolts], of shape (channels, columns); NaN where all samples are missing.
    stretch : float
        Length of the signal that stands for a column [s]; that of the column where all was read.
    complete : bool
        Whether every sample was read.
    """

    times: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stretch: float
    complete: bool


def derivations(names: Sequence[str], recording: Recording) -> dict[str, Derivation]:
    """How to draw channels of a result from a recording, by name.

    Parameters
    ----------
    names : Sequence[str]
        Channels of a result: names of the recording, or pairs of its contacts such as `A1-A2`.
    recording : Recording
        The recording.

    Returns
    -------
    dict[str, Derivation]
        A `Derivation` for each name that the recording can give; other names are left out.
    """
    places = {name: place for place, name in enumerate(recording.channel_names)}
    pairs, _ = bipolar_pairs(recording.channel_names, recording.excluded_channels)
    contacts = {pair: (places[anode], places[cathode]) for pair, anode, cathode in pairs}
    found = {}
    for name in names:
        if name in places:
            found[name] = Derivation(name, places[name])
        elif name in contacts:
            found[name] = Derivation(name, *contacts[name])
    return found


def read_envelope(
    recording: Recording,
    channels: Sequence[Derivation],
    start_s: float,
    stop_s: float,
    *,
    max_columns: int,
    interest: tuple[np.ndarray, np.ndarray] | None = None,
) -> Envelope:
    """Read a stretch of a recording as lowest and highest values of at most `max_columns` columns.

    Memory and time are bounded, however long the recording is: where the stretch has more than `MAX_VALUES` samples
    over all channels, one piece of each column is read.

    Parameters
    ----------
    recording : Recording
        The recording.
    channels : Sequence[Derivation]
        Channels to draw.
    start_s : float
        Begin [s].
    stop_s : float
        End [s].
    max_columns : int
        Most columns; a column has at least one sample.
    interest : tuple[np.ndarray, np.ndarray] or None
        Increasing moments [s] and the weight of each. A column that is not read whole shows its moment of highest
        weight, so that a short event is not passed over; its centre by default.

    Returns
    -------
    Envelope
    """
    rate = recording.sampling_rate
    first, last = max(round(start_s * rate), 0), min(round(stop_s * rate), recording.num_samples)
    borders = np.linspace(first, last, min(max_columns, last - first) + 1).round().astype(int)
    width = (last - first) / (borders.size - 1)
    affordable = max(MAX_VALUES // (recording.num_channels * (borders.size - 1)), round(MIN_STRETCH_S * rate))
    complete = width <= affordable
    if complete:
        low, mean, high = _read_all(recording, channels, borders)
    else:
        low, mean, high = _read_stretches(recording, channels, _stretches(borders, affordable, interest, rate))
    drift = _drift(mean, width / rate)
    return Envelope(
        times=(borders[:-1] + borders[1:]) / 2 / rate,
        low=low - drift,
        high=high - drift,
        stretch=(width if complete else affordable) / rate,
        complete=complete,
    )


def _stretches(
    borders: np.ndarray, length: int, interest: tuple[np.ndarray, np.ndarray] | None, rate: float
) -> list[tuple[int, int]]:
    """First and last sample of the piece that stands for each column."""
    centres = (borders[:-1] + borders[1:]) // 2
    if interest is not None:
        moments, weights = np.round(np.asarray(interest[0]) * rate).astype(int), np.asarray(interest[1])
        bounds = np.searchsorted(moments, borders)
        for column, (begin, end) in enumerate(pairwise(bounds)):
            if begin < end:
                centres[column] = moments[begin + np.argmax(weights[begin:end])]
    starts = np.clip(centres - length // 2, borders[:-1], borders[1:] - length)
    return [(int(start), int(start) + length) for start in starts]


def _read_all(
    recording: Recording, channels: Sequence[Derivation], borders: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = borders.size - 1
    values = (borders[-1] - borders[0]) * recording.num_channels
    at_once = max(int(columns * CHUNK_VALUES // values), 1)
    parts = []
    for begin in range(0, columns, at_once):
        group = borders[begin : begin + at_once + 1]
        signal = _derived(recording.read_samples(int(group[0]), int(group[-1])), channels)
        parts.append(_reduced(signal, group[:-1] - group[0]))
    lowest, highest, present = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return lowest, highest, present


def _read_stretches(
    recording: Recording, channels: Sequence[Derivation], stretches: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bar = progress_bar(stretches, desc="Signals for the overview", unit="stretch", leave=False)
    parts = [
        _reduced(_derived(recording.read_samples(start, stop), channels), np.zeros(1, dtype=int))
        for start, stop in bar
    ]
    lowest, highest, present = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return lowest, highest, present


def _derived(samples: np.ndarray, channels: Sequence[Derivation]) -> np.ndarray:
    signal = samples[[channel.plus for channel in channels]]
    for row, channel in enumerate(channels):
        if channel.minus is not None:
            signal[row] -= samples[channel.minus]
    return signal


def _reduced(signal: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest value, mean and highest value from each start to the next, each of shape (channels, starts)."""
    missing = np.isnan(signal)
    present = np.add.reduceat(~missing, starts, axis=1, dtype=float)
    total = np.add.reduceat(np.where(missing, 0.0, signal), starts, axis=1, dtype=float)
    mean = np.divide(total, present, out=np.full_like(total, np.nan), where=present > 0)
    return np.fmin.reduceat(signal, starts, axis=1), mean, np.fmax.reduceat(signal, starts, axis=1)


def _drift(mean: np.ndarray, column_s: float) -> np.ndarray:
    """Slow drift of channels from the means of their columns, of shape (channels, columns or 1).

    The median over 10 s, which an artefact does not move, of means over 1 s, which waves do not move.
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    filled = np.zeros_like(mean)
    places = np.arange(mean.shape[1])
    for row, known in enumerate(np.isfinite(mean)):
        if known.any():
            filled[row] = np.interp(places, places[known], mean[row, known])
    smooth, wide = (max(round(seconds / column_s), 1) for seconds in (SMOOTHING_S, DRIFT_S))
    if smooth >= places.size:
        return filled.mean(axis=1, keepdims=True)
    smoothed = uniform_filter1d(filled, smooth, axis=1, mode="reflect")
    if wide >= places.size:
        return np.median(smoothed, axis=1, keepdims=True)
    return median_filter(smoothed, size=(1, wide), mode="reflect")
