"""Zero-phase FIR filters on a stream of blocks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .stages import Block

# A Hamming window of n taps has a transition band of 3.3 / n of the sampling rate and lets 0.2 % through beyond it.
HAMMING_TRANSITION = 3.3
MAX_TRANSITION_HZ = 2.0


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
