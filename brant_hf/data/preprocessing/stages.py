"""The stages of the chain in the order in which a signal passes them, their protocol, and what passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from ...events.event import runs as find_runs

# A Hamming window of n taps has a transition band of 3.3 / n of the sampling rate and lets 0.2 % through beyond it.
HAMMING_TRANSITION = 3.3
MAX_TRANSITION_HZ = 2.0


class Gap(NamedTuple):
    """Samples `start` to `stop` (exclusive) of the recording, counted from its beginning, missing in `channel`."""

    channel: int
    start: int
    stop: int


@dataclass(frozen=True)
class Block:
    """A piece of the signal on its way through the chain.

    Attributes
    ----------
    values : np.ndarray
        `(channels, 0 or more samples)`, float32.
    missing : np.ndarray or None
        Samples in long gaps, bool of the same shape, `None` for none; not kept beyond the reference.
    gaps : list[Gap]
        Long gaps found since the block before, in channels of the block and samples of the recording.
    """

    values: np.ndarray
    missing: np.ndarray | None = None
    gaps: list[Gap] = field(default_factory=list)


class Stage(Protocol):
    """One step of the chain, for one recording: it may hold samples back until it knows what follows."""

    def __call__(self, block: Block, last: bool) -> Block:
        """Take the next block, and give what is complete; all that was held back with the `last` one."""
        ...


class Centre:
    """Takes the median of each channel off and multiplies by the gain."""

    def __init__(self, offset: np.ndarray, gain: float) -> None:
        self._offset, self._gain = offset[:, None], gain

    def __call__(self, block: Block, last: bool) -> Block:
        """See `Stage`."""
        # A new array, which later stages may write to: a reader may hand out a view of its own data.
        values = np.subtract(block.values, self._offset, dtype=np.float32)
        if self._gain != 1:
            values *= np.float32(self._gain)
        return Block(values)


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


@dataclass(frozen=True)
class Reference:
    """No reference, the mean of the channels that have a sample (average), or differences of neighbours (bipolar).

    Attributes
    ----------
    names : list[str]
        Channels of the output; a bipolar pair is written `A1-A2`.
    contacts : list[tuple[str, ...]]
        For each, the recorded channels it comes from.
    average : bool
        Whether the mean is taken off.
    pairs : sequence of (int, int)
        Places of anode and cathode of each bipolar pair, empty for another reference.
    """

    names: list[str]
    contacts: list[tuple[str, ...]]
    average: bool = False
    pairs: Sequence[tuple[int, int]] = ()

    def __call__(self, block: Block, last: bool) -> Block:
        """See `Stage`."""
        return Block(self.derive(block.values, block.missing), None, self._gaps(block.gaps))

    def derive(self, values: np.ndarray, missing: np.ndarray | None = None) -> np.ndarray:
        """Apply the reference to `(channels, samples)`; `missing` marks samples that a common average leaves out."""
        if self.pairs:
            anodes, cathodes = zip(*self.pairs, strict=True)
            return values[list(anodes)] - values[list(cathodes)]
        if not self.average:
            return values
        if missing is None:
            return values - values.mean(axis=0, keepdims=True)
        count = np.maximum((~missing).sum(axis=0, keepdims=True), 1)
        return values - np.where(missing, 0, values).sum(axis=0, keepdims=True) / count.astype(np.float32)

    def _gaps(self, gaps: list[Gap]) -> list[Gap]:
        """Gaps of recorded channels as gaps of output channels: a pair lacks a sample when either contact does."""
        if not self.pairs:
            return gaps
        return [
            gap._replace(channel=place) for gap in gaps for place, pair in enumerate(self.pairs) if gap.channel in pair
        ]


class Resample:
    """Brings the signal to another sampling rate [Hz]."""

    def __init__(self, rate_in: float, rate_out: float, channels: int) -> None:
        import soxr

        # One stream for each channel: a stream of all wants them interleaved, and transposing twice takes longer.
        self._streams = [
            soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ") for _ in range(channels)
        ]

    def __call__(self, block: Block, last: bool) -> Block:
        """See `Stage`."""
        rows = zip(self._streams, block.values, strict=True)
        return replace(block, values=np.stack([stream.resample_chunk(row, last=last) for stream, row in rows]))


def design_fir(
    sampling_rate: float,
    *,
    high_pass: float | None = None,
    low_pass: float | None = None,
    line_frequency: float | None = None,
    notch_width: float = 2.0,
) -> np.ndarray | None:
    """Band-pass and line-noise notches in one linear-phase filter.

    Parameters
    ----------
    sampling_rate : float
        Rate of the signal [Hz].
    high_pass : float or None
        Lower edge [Hz], where half of the amplitude passes.
    low_pass : float or None
        Upper edge [Hz].
    line_frequency : float or None
        This frequency [Hz] and its harmonics are stopped.
    notch_width : float
        Width [Hz] of each stop band.

    Returns
    -------
    np.ndarray or None
        Taps, float32, of odd number; `None` when nothing is to be filtered.
    """
    nyquist = sampling_rate / 2
    bands = _pass_bands(nyquist, high_pass, low_pass, line_frequency, notch_width)
    if bands == [(0.0, nyquist)]:
        return None
    if not bands:
        raise ValueError(f"nothing passes: high_pass {high_pass}, low_pass {low_pass}, notch at {line_frequency} Hz")
    edges = [edge for band in bands for edge in band if 0 < edge < nyquist]
    transition = min(
        MAX_TRANSITION_HZ,
        MAX_TRANSITION_HZ if high_pass is None else high_pass,
        MAX_TRANSITION_HZ if line_frequency is None else notch_width / 4,
    )
    count = math.ceil(HAMMING_TRANSITION * sampling_rate / transition) | 1
    from scipy.signal import firwin

    taps = firwin(count, edges, pass_zero=bands[0][0] == 0, window="hamming", fs=sampling_rate)
    return taps.astype(np.float32)


def _pass_bands(
    nyquist: float, high_pass: float | None, low_pass: float | None, line: float | None, width: float
) -> list[tuple[float, float]]:
    """Return what is left of `[high_pass, low_pass]` without the notches, as `(lower, upper)` in Hz."""
    lower = high_pass or 0.0
    upper = nyquist if low_pass is None else min(low_pass, nyquist)
    bands = []
    for harmonic in range(1, math.floor((nyquist + width / 2) / line) + 1 if line else 1):
        stop = harmonic * (line or 0.0)
        if stop + width / 2 > lower and stop - width / 2 < upper:
            bands.append((lower, stop - width / 2))
            lower = stop + width / 2
    bands.append((lower, upper))
    return [band for band in bands if band[1] > band[0]]


class FirStream:
    """Convolves consecutive blocks with an odd number of symmetric taps, without delay.

    The signal is continued at both ends by its point reflection, so that an end does not act as a step. Output equals
    that of the whole signal at once, whatever the blocks.
    """

    def __init__(self, taps: np.ndarray) -> None:
        self._taps = taps[None]
        self._half = len(taps) // 2
        self._pending: np.ndarray | None = None
        self._started = False

    def __call__(self, block: Block, last: bool) -> Block:
        """Filter a block; see `Stage`."""
        values = self._push(block.values)
        return replace(block, values=np.concatenate([values, self._flush()], axis=1) if last else values)

    def _push(self, block: np.ndarray) -> np.ndarray:
        pending = block if self._pending is None else np.concatenate([self._pending, block], axis=1)
        if not self._started:
            if pending.shape[1] <= self._half:
                self._pending = pending
                return pending[:, :0]
            pending = np.concatenate([_reflect_start(pending, self._half), pending], axis=1)
            self._started = True
        return self._convolve(pending)

    def _flush(self) -> np.ndarray:
        pending = self._pending
        if pending is None or pending.shape[1] == 0:
            return np.zeros((0 if pending is None else len(pending), 0), np.float32)
        tail = _reflect_start(pending[:, ::-1], self._half)[:, ::-1]
        if not self._started:
            pending = np.concatenate([_reflect_start(pending, self._half), pending], axis=1)
        return self._convolve(np.concatenate([pending, tail], axis=1))

    def _convolve(self, padded: np.ndarray) -> np.ndarray:
        from scipy.signal import oaconvolve

        count = self._taps.shape[1]
        if padded.shape[1] < count:
            self._pending = padded
            return padded[:, :0]
        # A copy, because a view would keep the whole block alive.
        self._pending = padded[:, padded.shape[1] - count + 1 :].copy()
        return oaconvolve(padded, self._taps, mode="valid", axes=1)


def _reflect_start(block: np.ndarray, length: int) -> np.ndarray:
    """`length` samples before `block` `(channels, samples)`: its point reflection, then the last value held."""
    available = min(length, block.shape[1] - 1)
    reflected = 2 * block[:, :1] - block[:, available:0:-1]
    hold = reflected[:, :1] if available else block[:, :1]
    return np.concatenate([np.repeat(hold, length - available, axis=1), reflected], axis=1)


class GiveOffsetBack:
    """Adds to each channel what `Centre` took off, where no high-pass takes it off anyway."""

    def __init__(self, offset: np.ndarray) -> None:
        self._offset = offset

    def __call__(self, block: Block, last: bool) -> Block:
        """See `Stage`."""
        return replace(block, values=block.values + self._offset)


class MarkMissing:
    """Writes NaN over long gaps.

    Parameters
    ----------
    ratio : float
        Samples of a block for each sample of the recording, in which gaps are counted.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._position = 0
        self._gaps: list[Gap] = []

    def __call__(self, block: Block, last: bool) -> Block:
        """See `Stage`."""
        for gap in block.gaps:
            start, stop = math.floor(gap.start * self._ratio), math.ceil(gap.stop * self._ratio)
            self._gaps.append(Gap(gap.channel, start, stop))
        begin, end = self._position, self._position + block.values.shape[1]
        for gap in self._gaps:
            if gap.start < end and gap.stop > begin:
                block.values[gap.channel, max(gap.start - begin, 0) : gap.stop - begin] = np.nan
        self._gaps = [gap for gap in self._gaps if gap.stop > end]
        self._position = end
        return block
