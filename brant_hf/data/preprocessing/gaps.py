"""Missing samples in a stream of blocks: short gaps are interpolated, long ones bridged and reported."""

from __future__ import annotations

import numpy as np

from ...events.event import runs as find_runs
from .stages import Block, Gap


class GapFiller:
    """Replaces samples that are not finite.

    A gap of at most `max_gap` samples becomes a straight line between its neighbours (or repeats the only neighbour at
    an end of the signal). A longer one becomes 0, which is the middle of a centred signal, and is reported. Samples at
    the end of a block are held back only while it is open whether their gap is short.
    """

    def __init__(self, channels: int, max_gap: int) -> None:
        self._max_gap = max_gap
        self._pending = np.zeros((channels, 0), np.float32)
        self._position = 0
        # Last sample given out, which a gap at the beginning of the next block starts from; NaN where there is none.
        self._previous = np.full(channels, np.nan, np.float32)
        # Channels in which a long gap goes on from the samples already given out.
        self._in_long_gap = np.zeros(channels, bool)

    def __call__(self, block: Block, last: bool) -> Block:
        """Fill the gaps of a block, which may be changed in place; see `Stage`."""
        values = block.values
        signal = np.concatenate([self._pending, values], axis=1) if self._pending.shape[1] else values
        observed = np.isfinite(signal)
        if observed.all():
            self._in_long_gap[:] = False
            return self._give_out(signal, signal.shape[1], None, [])
        runs = [
            (channel, start, stop)
            for channel in np.flatnonzero(~observed.all(axis=1)).tolist()
            for start, stop in find_runs(~observed[channel])
        ]
        end = signal.shape[1]
        if last:
            cut = end
        else:
            cut = min(
                [start for each, start, stop in runs if stop == end and not self._is_long(each, start, stop)] + [end]
            )
        missing, gaps = np.zeros_like(observed), []
        for channel, start, stop in runs:
            if start >= cut:
                continue
            if self._is_long(channel, start, stop):
                stop = min(stop, cut)
                missing[channel, start:stop] = True
                signal[channel, start:stop] = 0
                gaps.append(Gap(channel, self._position + start, self._position + stop))
            else:
                self._interpolate(signal[channel], start, stop, self._previous[channel])
        if cut:
            self._in_long_gap = missing[:, cut - 1].copy()
        return self._give_out(signal, cut, missing if gaps else None, gaps)

    def _is_long(self, channel: int, start: int, stop: int) -> bool:
        return stop - start > self._max_gap or (start == 0 and bool(self._in_long_gap[channel]))

    def _interpolate(self, values: np.ndarray, start: int, stop: int, previous: float) -> None:
        left = values[start - 1] if start else previous
        right = values[stop] if stop < len(values) else np.float32(np.nan)
        left = right if np.isnan(left) else left
        right = left if np.isnan(right) else right
        steps = np.arange(1, stop - start + 1, dtype=np.float32) / (stop - start + 1)
        # A recording of nothing but a short gap has no neighbour at all.
        values[start:stop] = np.nan_to_num(left + (right - left) * steps)

    def _give_out(self, signal: np.ndarray, cut: int, missing: np.ndarray | None, gaps: list[Gap]) -> Block:
        self._pending = signal[:, cut:].copy()
        if cut:
            self._previous = signal[:, cut - 1].copy()
        self._position += cut
        return Block(signal[:, :cut], missing[:, :cut] if missing is not None else None, gaps)
