"""Seizure onset and offset, measured on the simulated states: of every region, then of every channel.

A region is in seizure while its x1, averaged over `STATE_WINDOW`, is above `STATE_THRESHOLD`, between the lower branch
(below -4/3) and the oscillation around the upper one. A channel is in seizure while the root mean square of its
seizure component over `RMS_WINDOW` is at least `SEIZURE_TO_BACKGROUND` times the root mean square of its own waking
background. The seizure component is the sum over the regions in seizure of their sources weighted by the forward gain,
so that artefacts, sleep and interictal spikes play no part in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from ..events.event import merge_stretches, runs
from .epileptor import BLOCKS_PER_SECOND

STATE_WINDOW = 0.5
STATE_THRESHOLD = -1.1
RMS_WINDOW = 1.0
SEIZURE_TO_BACKGROUND = 1.75

MAX_GAP = 5.0
"""Interruptions [s] shorter than this belong to the seizure."""
MIN_DURATION = 4.0
"""A channel or a region that seizes for a shorter time [s] is not counted."""


class ChannelSeizure(NamedTuple):
    """One seizure on one channel: index of the seizure in the recording, channel name, onset and offset [s]."""

    seizure: int
    channel: str
    onset: float
    offset: float


class Seizure(NamedTuple):
    """A seizure: first onset and last offset [s] over its channels, and the channels that it reaches."""

    onset: float
    offset: float
    channels: tuple[str, ...]


def intervals(active: np.ndarray, rate: float) -> list[tuple[float, float]]:
    """Stretches (start, stop) [s] in which a series is true, sampled `rate` times a second.

    Gaps below `MAX_GAP` are closed, then stretches below `MIN_DURATION` dropped.
    """
    # Half a sample less, so that a gap of `MAX_GAP` stays.
    merged = merge_stretches(runs(active), MAX_GAP * rate - 0.5)
    return [(first / rate, last / rate) for first, last in merged if last - first >= MIN_DURATION * rate]


def region_seizures(activation: np.ndarray) -> list[list[tuple[float, float]]]:
    """Seizures of every region.

    Parameters
    ----------
    activation : array, shape (R, seconds * BLOCKS_PER_SECOND)
        x1 averaged over blocks.

    Returns
    -------
    seizures : list of list of (float, float), length R
        Onsets and offsets [s].
    """
    smooth = uniform_filter1d(activation, round(STATE_WINDOW * BLOCKS_PER_SECOND), axis=1, mode="nearest")
    return [intervals(row > STATE_THRESHOLD, BLOCKS_PER_SECOND) for row in smooth]


def channel_seizures(
    component: np.ndarray, background_rms: np.ndarray, rate: float, channel_names: list[str]
) -> tuple[list[Seizure], list[ChannelSeizure]]:
    """Seizures of every channel, from its seizure component.

    Parameters
    ----------
    component : array, shape (C, samples)
        Seizure component [microvolts].
    background_rms : array, shape (C,)
        Root mean square of the waking background [microvolts].
    rate : float
        Sampling rate of `component` [Hz].
    channel_names : list of str, length C

    Returns
    -------
    seizures : list of Seizure
        In the order of time. A seizure that reaches no channel is not in the list.
    table : list of ChannelSeizure
        One row a channel and seizure.
    """
    window = round(RMS_WINDOW * rate)
    found = []
    for name, row, background in zip(channel_names, component, background_rms, strict=True):
        rms = np.sqrt(np.maximum(uniform_filter1d(row * row, window, mode="constant"), 0.0))
        found += [(start, stop, name) for start, stop in intervals(rms >= SEIZURE_TO_BACKGROUND * background, rate)]
    if not found:
        return [], []

    order = {name: index for index, name in enumerate(channel_names)}
    groups: list[list[tuple[float, float, str]]] = []
    end = -np.inf
    for row in sorted(found):
        if row[0] > end + MAX_GAP:
            groups.append([])
            end = -np.inf
        groups[-1].append(row)
        end = max(end, row[1])
    seizures, table = [], []
    for index, group in enumerate(groups):
        names = tuple(sorted({name for _, _, name in group}, key=order.__getitem__))
        seizures.append(Seizure(min(g[0] for g in group), max(g[1] for g in group), names))
        table += [ChannelSeizure(index, name, start, stop) for start, stop, name in group]
    return seizures, table
