"""What short stretches of a recording say: flat channels, copies, medians, gain and line frequency."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..recordings.clock import spread
from .saturation import Saturation

if TYPE_CHECKING:
    from ..recordings import Recording

SURVEY_SEGMENTS = 8
SURVEY_SEGMENT_S = 4.0
# Of what lies between two gaps, so many tell the medians.
PIECE_SEGMENTS = 3
LINE_FREQUENCIES = (50.0, 60.0)
# A line must stand this far above its neighbourhood in the power spectrum (7 dB) in a quarter of the channels.
LINE_POWER_RATIO = 5.0
# What is slower than this [s] is drift, as far as the amplitude of a recording is concerned.
DRIFT_S = 1.0
# An input that is this many times quieter than the loud ones has nothing connected to it.
OPEN_INPUT_RATIO = 20.0
# A channel whose power is line noise by more than this part shows the mains, and hardly a brain.
MOSTLY_LINE_NOISE = 0.8
# A contact in the brain may pick up any amount of line noise; without it, it is about as loud as the others, and not
# this many times. Of few channels nobody knows which is right.
LOOSE_RATIO, FEWEST_CHANNELS = 2.0, 4
# Interquartile range of a normal distribution, in standard deviations.
NORMAL_IQR = 1.3489795


@dataclass(frozen=True)
class Survey:
    """What short stretches all over a recording say about its channels."""

    channel_names: list[str]
    sampling_rate: float
    median: np.ndarray  # (channels,), microvolts, 0 where no sample is finite
    peak_to_peak: np.ndarray  # (channels,), over all stretches, NaN where no sample is finite
    amplitude: np.ndarray  # (channels,), median of the stretches, NaN where no sample is finite
    line_part: np.ndarray  # (channels,), as of `line_part`, median of the stretches
    saturated: np.ndarray  # (channels,) bool, as of `Saturation`
    copy_of: np.ndarray  # (channels,), place of the first channel with the same samples: its own, but for copies
    power: np.ndarray  # (channels, frequencies), zeros unless asked for
    frequencies: np.ndarray

    def flat_channels(self, threshold: float) -> dict[str, str]:
        """Channels whose peak-to-peak amplitude [microvolts] is at most `threshold`, with the reason."""
        reasons = {}
        for name, amplitude in zip(self.channel_names, self.peak_to_peak, strict=True):
            if np.isnan(amplitude):
                reasons[name] = "no finite sample"
            elif amplitude <= threshold:
                reasons[name] = f"flat: peak-to-peak {amplitude:.3g} microvolt"
        return reasons

    def open_inputs(self, channels: Sequence[int]) -> dict[str, str]:
        """Those of `channels` that are mostly line noise and loud without it, too, with the reason."""
        typical = self.typical_amplitude(channels)
        if len(channels) < FEWEST_CHANNELS or not typical > 0:
            return {}
        reasons = {}
        for place in channels:
            part, ratio = float(self.line_part[place]), float(self.amplitude[place]) / typical
            if part > MOSTLY_LINE_NOISE and ratio > LOOSE_RATIO:
                reasons[self.channel_names[place]] = (
                    f"open input or loose contact: {part:.0%} line noise, and {ratio:.1f} times as loud as the others "
                    "without it"
                )
        return reasons

    def typical_amplitude(self, channels: Sequence[int]) -> float:
        """Return the median amplitude [microvolts] of `channels` with something connected; 0 for silence."""
        amplitudes = self.amplitude[list(channels)]
        if not np.isfinite(amplitudes).any():
            return 0.0
        loud = np.nanquantile(amplitudes, 0.9, method="lower")  # one broken input of a few is not
        return float(np.nanmedian(amplitudes[amplitudes >= loud / OPEN_INPUT_RATIO]))

    def gain(
        self, channels: Sequence[int], amplitude_range: tuple[float, float] | None, target: float | None, weight: float
    ) -> float:
        """Factor that brings the median amplitude of `channels` into a range, and from there towards a target.

        `weight` is how much of the way it goes, 0 to 1, in the logarithm.
        """
        typical = self.typical_amplitude(channels)
        # A recording that is silent most of the time says nothing about its unit.
        if not typical > 0:
            return 1.0
        wanted = typical if amplitude_range is None else float(np.clip(typical, *amplitude_range))
        if target is not None:
            wanted *= (target / wanted) ** weight
        return wanted / typical

    def line_frequency(self, channels: list[int]) -> float | None:
        """50 or 60 Hz, whichever stands out more from its neighbourhood in the spectrum; `None` when neither does."""
        best, best_ratio = None, LINE_POWER_RATIO
        for line in LINE_FREQUENCIES:
            distance = np.abs(self.frequencies - line)
            near, around = distance <= 0.75, (distance >= 2) & (distance <= 6)
            # In a fraction of a second, frequencies are too far apart.
            if self.sampling_rate / 2 < line + 2 or not (near.any() and around.any()):
                continue
            peak = self.power[channels][:, near].max(axis=1)
            floor = np.median(self.power[channels][:, around], axis=1)
            ratio = np.quantile(peak / np.maximum(floor, np.finfo(np.float32).tiny), 0.75)
            if ratio > best_ratio:
                best, best_ratio = line, ratio
        return best


def survey(recording: Recording, spectrum: bool) -> Survey:
    """Read stretches all over a recording; `spectrum` only where it is wanted, since it takes longest."""
    rate = float(recording.sampling_rate)
    total = round(recording.duration * rate)
    if total < 1:
        raise ValueError(f"{recording.name} has no samples")
    length = max(min(round(SURVEY_SEGMENT_S * rate), total), 1)
    count = min(SURVEY_SEGMENTS, max(round(recording.recorded_duration * rate) // length, 1))
    starts = spread(total, recording.gaps, rate, count, length)
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    taper = np.hanning(length + 2)[1:-1].astype(np.float32)
    medians, lowest, highest, amplitudes, line_parts = [], [], [], [], []
    power = np.zeros((len(recording.channel_names), len(frequencies)))
    saturation, samples = Saturation(), [hashlib.blake2b() for _ in recording.channel_names]
    for start in starts:
        block = np.asarray(recording.read(start / rate, (start + length) / rate), np.float32)
        median, low, high = _order_statistics(block)
        medians.append(median)
        lowest.append(low)
        highest.append(high)
        amplitude, part = _amplitude(block, rate)
        amplitudes.append(amplitude)
        line_parts.append(part)
        saturation.look_at(block)
        for seen, row in zip(samples, block, strict=True):
            seen.update(np.ascontiguousarray(row).data)
        if spectrum:
            centred = np.nan_to_num(block - np.nan_to_num(median)[:, None], nan=0, posinf=0, neginf=0)
            power += np.abs(np.fft.rfft(centred * taper, axis=1)) ** 2
    first: dict[bytes, int] = {}
    return Survey(
        channel_names=list(recording.channel_names),
        sampling_rate=rate,
        median=np.nan_to_num(_ignoring_nan(np.nanmedian, medians)),
        peak_to_peak=_ignoring_nan(np.nanmax, highest) - _ignoring_nan(np.nanmin, lowest),
        amplitude=_ignoring_nan(np.nanmedian, amplitudes),
        line_part=np.median(line_parts, axis=0),
        saturated=saturation.found(),
        copy_of=np.array([first.setdefault(seen.digest(), place) for place, seen in enumerate(samples)]),
        power=power,
        frequencies=frequencies,
    )


def median_between(recording: Recording, start: int, stop: int) -> np.ndarray:
    """Median of each channel [microvolts] in samples `[start, stop)`, by short stretches; NaN where none is finite."""
    rate = float(recording.sampling_rate)
    length = min(max(round(SURVEY_SEGMENT_S * rate), 1), stop - start)
    starts = sorted({*np.linspace(start, stop - length, PIECE_SEGMENTS).astype(int).tolist()})
    return _ignoring_nan(
        np.nanmedian,
        [_order_statistics(recording.read(first / rate, (first + length) / rate))[0] for first in starts],
    )


def _order_statistics(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, minimum and maximum of each channel of `(channels, samples)`; NaN where no sample is finite."""
    if np.isfinite(block).all():
        # A quarter of the samples gives the median well enough to centre a channel.
        return np.median(block[:, ::4], axis=1), block.min(axis=1), block.max(axis=1)
    finite = np.where(np.isfinite(block), block, np.nan).T
    return _ignoring_nan(np.nanmedian, finite), _ignoring_nan(np.nanmin, finite), _ignoring_nan(np.nanmax, finite)


def line_part(block: np.ndarray, rate: float) -> np.ndarray:
    """Part of the power of each channel of `(channels, samples)`, from 1 Hz on, that is line noise.

    0 for silence, and for less than a second, in which lines have no width.
    """
    finite = np.isfinite(block)
    return _split_lines(_filled(block, finite), rate)[1]


def _filled(block: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """`(channels, samples)` float32 with the mean in place of missing samples, without the line that fits best."""
    filled = block if finite.all() else np.where(finite, block, 0)
    counts = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    # The sum of float32 at once would lose what is small beside an offset.
    mean = (filled.sum(axis=1, keepdims=True, dtype=np.float64) / counts).astype(np.float32)
    centred = filled - mean if filled is block else np.where(finite, block - mean, np.float32(0))
    ramp = np.linspace(-1, 1, block.shape[1], dtype=np.float32)
    # A ramp with the mean 0. `scipy.signal.detrend` solves it as any system, in ten times the time.
    slope = centred @ ramp / max(float(ramp @ ramp), 1.0)
    centred -= centred.mean(axis=1, keepdims=True)
    centred -= slope[:, None] * ramp
    return centred


def _amplitude(block: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Spread of each channel of `(channels, samples)` that outliers, drift and line noise do not change.

    NaN where no sample is finite. With it the part that is line noise, see `line_part`.
    """
    from scipy.ndimage import uniform_filter1d

    finite = np.isfinite(block)
    # Electrodes drift by many times the size of the signal: a line is taken off, and the mean around each sample.
    level, part = _split_lines(_filled(block, finite), rate)
    width = min(max(round(DRIFT_S * rate), 1), block.shape[1])
    fluctuation = (level - uniform_filter1d(level, width, axis=1, mode="nearest"))[:, ::4]
    if finite.all():
        low, high = np.quantile(fluctuation, (0.25, 0.75), axis=1)
    else:
        fluctuation = np.where(finite[:, ::4], fluctuation, np.nan)
        low, high = (_ignoring_nan(partial(np.nanquantile, q=part), fluctuation.T) for part in (0.25, 0.75))
    return np.where(finite.any(axis=1), (high - low) / NORMAL_IQR, np.nan).astype(np.float32), part


def _split_lines(block: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """`(channels, samples)` without what lies within 1 Hz of a multiple of 50 or 60 Hz; and `line_part`."""
    frequencies = np.fft.rfftfreq(block.shape[1], 1 / rate)
    is_line = np.zeros(len(frequencies), bool)
    for line in LINE_FREQUENCIES:
        is_line |= (frequencies > line / 2) & (np.abs(frequencies - line * np.round(frequencies / line)) <= 1)
    spectrum = np.fft.rfft(block, axis=1)
    power = np.abs(spectrum) ** 2
    whole = power[:, frequencies >= 1 / DRIFT_S].sum(axis=1)
    has_lines = block.shape[1] >= rate and (whole > 0)
    part = np.where(has_lines, power[:, is_line].sum(axis=1) / np.where(whole > 0, whole, 1), 0)
    spectrum[:, is_line] = 0
    return np.fft.irfft(spectrum, block.shape[1], axis=1), part


def _ignoring_nan(statistic: Callable[..., np.ndarray], values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """`statistic` along the first axis, NaN without a warning where there is nothing but NaN."""
    array = np.asarray(values)
    nothing = np.isnan(array).all(axis=0)
    # NumPy warns of nothing but NaN, and filters of warnings belong to all threads of the process.
    result = np.asarray(statistic(np.where(nothing, 0, array), axis=0), np.float32)
    return np.where(nothing, np.float32(np.nan), result)
