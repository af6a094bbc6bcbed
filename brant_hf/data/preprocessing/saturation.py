"""Channels that an amplifier or a file has cut off at the highest or lowest value that it can hold."""

from __future__ import annotations

import numpy as np

from ...events.event import runs

# A channel is saturated that lies at its highest or lowest value for this part of the time, this many samples on end.
SATURATED_PART = 0.01
_SATURATED_RUN = 5
# One with few different values is only coarse.
_COARSE_LEVELS = 32


class Saturation:
    """Looks for saturated channels in stretches of a recording, one after the other."""

    def __init__(self) -> None:
        self._limits: list[np.ndarray] = []  # of each stretch, (2, channels)
        self._counts: list[np.ndarray] = []  # samples in runs at these limits, (2, channels)
        self._levels: np.ndarray | int = 0
        self._known: np.ndarray | int = 0

    def look_at(self, block: np.ndarray) -> None:
        """Count the samples of `(channels, samples)` that lie at the limits of their channel; NaN is no sample."""
        finite = np.isfinite(block)
        known = finite.sum(axis=1)
        limits = np.stack([np.where(finite, block, np.inf).min(axis=1), np.where(finite, block, -np.inf).max(axis=1)])
        counts, levels = np.zeros(limits.shape, int), np.zeros(len(block), int)
        is_at = [block == limit[:, None] for limit in limits]
        for place in np.flatnonzero(np.max([mask.sum(axis=1) for mask in is_at], axis=0) >= _SATURATED_RUN):
            for limit, mask in enumerate(is_at):
                lengths = [stop - start for start, stop in runs(mask[place])]
                counts[limit, place] = sum(length for length in lengths if length >= _SATURATED_RUN)
            levels[place] = len(np.unique(block[place][finite[place]]))
        self._limits.append(limits)
        self._counts.append(counts)
        self._levels = np.maximum(self._levels, levels)
        self._known = self._known + known

    def found(self) -> np.ndarray:
        """Whether each channel is saturated, `(channels,)`."""
        limits = np.stack(self._limits)
        reached = limits == np.stack([limits[:, 0].min(axis=0), limits[:, 1].max(axis=0)])
        part = np.where(reached, np.stack(self._counts), 0).sum(axis=(0, 1)) / np.maximum(self._known, 1)
        return (part >= SATURATED_PART) & (self._levels > _COARSE_LEVELS)
