"""Preprocessing of recordings: a declarative chain, applied in chunks with constant memory.

The steps run in one fixed order, whatever the order in which the settings are written:

1. **centre**: the median of every channel is taken off, so that filters start without a step
   (given back at the end when there is no high-pass);
2. **missing samples**: short gaps are interpolated, long ones are bridged and marked as NaN in the output;
3. **flat channels** are dropped;
4. **reference**: none, common average or bipolar along each electrode shaft;
5. **amplitude**: where the typical amplitude is outside of `amplitude_range`, the recording is scaled to its edge;
6. **resample** to `sampling_rate`;
7. **line-noise notch** and **band-pass**, one zero-phase FIR filter.

Reference, resampling and filters are linear and time-invariant, so their order does not change the result; the one
chosen filters the fewest samples. Everything has a finite, known look-ahead, so a recording read in chunks gives the
same output as one read whole.
"""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import detrend

from ..recordings.contacts import bipolar_pairs
from .filters import FirStream, design_fir
from .gaps import Gap, GapFiller

if TYPE_CHECKING:
    from ..recordings import Recording

# Samples over all channels read at a time: 8 MB in float32, small against a window of 100 channels and large
# against the cost of a call.
CHUNK_SAMPLES = 2_000_000
SURVEY_SEGMENTS = 8
SURVEY_SEGMENT_S = 4.0
LINE_FREQUENCIES = (50.0, 60.0)
# A line must stand this far above its neighbourhood in the power spectrum (7 dB) in a quarter of the channels.
LINE_POWER_RATIO = 5.0
# What is slower than this [s] is drift, as far as the amplitude of a recording is concerned.
DRIFT_S = 1.0
# An input that is this many times quieter than the loud ones has nothing connected to it.
OPEN_INPUT_RATIO = 20.0
# Interquartile range of a normal distribution, in standard deviations.
_NORMAL_IQR = 1.3489795


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Settings of the chain; the same values are stored with a prepared dataset.

    Attributes
    ----------
    reference : {"none", "average", "bipolar"}
        `"none"`, `"average"` (mean of the channels that have a sample at that time) or `"bipolar"` (difference of
        neighbouring contacts of one electrode shaft).
    sampling_rate : float
        Rate of the output [Hz].
    line_noise : float, {"auto"} or None
        Frequency [Hz] of the line noise, removed with its harmonics; `"auto"` looks for 50 or 60 Hz in the spectrum of
        the recording and removes nothing when neither stands out; `None` removes nothing.
    notch_width : float
        Width [Hz] of each notch.
    high_pass : float or None
        Lower edge [Hz] of the band-pass, or `None`.
    low_pass : float or None
        Upper edge [Hz] of the band-pass, or `None`. An edge above the Nyquist frequency has no effect.
    max_gap : float
        Missing samples are interpolated over at most this long [s]; longer gaps come out as NaN.
    flat : {"drop", "keep"}
        `"drop"` leaves out channels that are flat in all of 8 stretches of 4 s spread over the recording, `"keep"`
        keeps them (needed for channels that are connected for a small part of a long recording only).
    flat_threshold : float
        A channel whose peak-to-peak amplitude in a stretch is at most this [microvolt] is flat there.
    amplitude_range : tuple[float, float] or None
        Lowest and highest typical amplitude [microvolt] of a recording, for those whose unit cannot be trusted; `None`
        leaves values as they are. The typical amplitude is the median, over the recorded channels and the stretches
        that are read to settle the chain, of the interquartile range in units of that of a normal distribution with
        standard deviation 1, of the signal without drift and line noise. Inputs with nothing connected, which are far
        below the others, do not count. Outside of the range, all channels are scaled by one factor.
    """

    reference: Literal["none", "average", "bipolar"] = "none"
    sampling_rate: float = 250.0
    line_noise: float | Literal["auto"] | None = "auto"
    notch_width: float = 2.0
    high_pass: float | None = 0.5
    low_pass: float | None = None
    max_gap: float = 0.1
    flat: Literal["drop", "keep"] = "drop"
    flat_threshold: float = 0.01
    amplitude_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.reference not in ("none", "average", "bipolar"):
            raise ValueError(f"reference is {self.reference!r}; choose 'none', 'average' or 'bipolar'")
        if self.flat not in ("drop", "keep"):
            raise ValueError(f"flat is {self.flat!r}; choose 'drop' or 'keep'")
        if isinstance(self.line_noise, str) and self.line_noise != "auto":
            raise ValueError(f"line_noise is {self.line_noise!r}; give a frequency in Hz, 'auto' or None")
        for name in ("sampling_rate", "line_noise", "notch_width", "high_pass", "low_pass"):
            value = getattr(self, name)
            if isinstance(value, (int, float)) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; it must be a positive number of Hz")
        if self.amplitude_range is not None:
            # A tuple also where it comes from JSON, so that equal settings are equal.
            object.__setattr__(self, "amplitude_range", tuple(self.amplitude_range))
            values = self.amplitude_range
            if not (len(values) == 2 and 0 < values[0] <= values[1] < math.inf):
                raise ValueError(
                    f"amplitude_range is {self.amplitude_range}; it is a lowest and a highest amplitude in microvolts"
                )
        for name in ("max_gap", "flat_threshold"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be zero or more")
        if self.high_pass is not None and self.low_pass is not None and self.high_pass >= self.low_pass:
            raise ValueError(f"high_pass ({self.high_pass} Hz) must be below low_pass ({self.low_pass} Hz)")
        if self.high_pass is not None and self.high_pass >= self.sampling_rate / 2:
            raise ValueError(
                f"high_pass ({self.high_pass} Hz) must be below {self.sampling_rate / 2} Hz, half the rate"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Preprocessing:
        """Make the settings from `to_dict`.

        Raises
        ------
        ValueError
            A setting is unknown or has a value that is not allowed.
        """
        unknown = sorted(set(settings) - {each.name for each in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"unknown preprocessing settings: {', '.join(unknown)}")
        return cls(**settings)

    def save(self, path: str | Path) -> None:
        """Write the settings to a JSON file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Preprocessing:
        """Read settings written by `save`."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def preprocess(recording: Recording, preprocessing: Preprocessing | None = None) -> PreprocessedRecording:
    """Settle the chain for one recording: which channels stay, which reference, which line frequency.

    Short stretches all over the recording are read for this; the signal itself is only read by
    `PreprocessedRecording.chunks`.

    Parameters
    ----------
    recording : Recording
        An open recording.
    preprocessing : Preprocessing or None
        The settings; the defaults of `Preprocessing` when `None`.

    Raises
    ------
    ValueError
        No channel is left, with the reason for each.
    """
    settings = preprocessing or Preprocessing()
    survey = _survey(recording, spectrum=settings.line_noise == "auto")
    dropped = survey.flat_channels(settings.flat_threshold) if settings.flat == "drop" else {}
    kept = [i for i, name in enumerate(recording.channel_names) if name not in dropped]
    if not kept:
        raise ValueError(
            f"every channel of {recording.name} is flat ({_first_reasons(dropped)}); values must be in microvolts"
        )
    names = [recording.channel_names[i] for i in kept]
    if settings.reference == "average" and len(kept) < 2:
        raise ValueError(f"{recording.name} has one usable channel; a common average needs at least two")
    if settings.reference == "bipolar":
        pairs, alone = bipolar_pairs(names)
        dropped = {**dropped, **alone}
        if not pairs:
            raise ValueError(
                f"no two neighbouring contacts in {recording.name} for a bipolar reference ({_first_reasons(dropped)})"
            )
        anodes, cathodes = ([names.index(pair[side]) for pair in pairs] for side in (1, 2))
        derivation = _Derivation([pair[0] for pair in pairs], [(pair[1], pair[2]) for pair in pairs], anodes, cathodes)
    else:
        derivation = _Derivation(names, [(name,) for name in names])
    line = settings.line_noise
    return PreprocessedRecording(
        recording=recording,
        preprocessing=settings,
        line_frequency=survey.line_frequency(kept) if line == "auto" else line,
        dropped_channels=dropped,
        _kept=np.array(kept),
        gain=survey.gain(kept, settings.amplitude_range),
        _offset=survey.median[kept],
        _derivation=derivation,
    )


@dataclass(frozen=True)
class _Derivation:
    """Channels of the output: `names`, the `contacts` each comes from, and for bipolar pairs their two positions."""

    names: list[str]
    contacts: list[tuple[str, ...]]
    anodes: list[int] | None = None
    cathodes: list[int] | None = None


@dataclass(frozen=True)
class PreprocessedRecording:
    """One recording with its chain settled; `chunks` runs it.

    Attributes
    ----------
    recording : Recording
        The recording read from.
    preprocessing : Preprocessing
        The settings.
    line_frequency : float or None
        Line noise taken out [Hz], or `None`.
    dropped_channels : dict[str, str]
        Channels left out, with the reason.
    gain : float
        Factor that brings the recording into `amplitude_range`, as a rule 1.
    """

    recording: Recording
    preprocessing: Preprocessing
    line_frequency: float | None
    dropped_channels: dict[str, str]
    gain: float
    _kept: np.ndarray = field(repr=False)
    _offset: np.ndarray = field(repr=False)
    _derivation: _Derivation = field(repr=False)

    @property
    def channel_names(self) -> list[str]:
        """Names of the output channels; a bipolar pair is written `A1-A2`."""
        return list(self._derivation.names)

    @property
    def contacts(self) -> list[tuple[str, ...]]:
        """For each output channel, the names of the recorded channels it comes from (one, or two of a pair)."""
        return list(self._derivation.contacts)

    @property
    def sampling_rate(self) -> float:
        """Rate of the output [Hz]."""
        return float(self.preprocessing.sampling_rate)

    def chunks(self, chunk_s: float | None = None) -> Iterator[np.ndarray]:
        """Yield the signal from beginning to end, in consecutive pieces.

        Parameters
        ----------
        chunk_s : float or None
            Seconds read from disk at a time; does not change the values.

        Yields
        ------
        np.ndarray
            Arrays of shape `(channels, samples)`, float32, microvolts times `gain`, at `sampling_rate`. Samples inside
            a gap longer than `max_gap` are NaN. The pieces vary in length and may be empty.
        """
        rate_in = float(self.recording.sampling_rate)
        filler = GapFiller(len(self._kept), max_gap=math.floor(self.preprocessing.max_gap * rate_in))
        resampler = _make_resampler(rate_in, self.sampling_rate, len(self._derivation.names))
        taps = self._taps()
        fir = FirStream(taps) if taps is not None else None
        marker = _MissingMarker(self.sampling_rate / rate_in)
        offset = self._offset[:, None]

        def finish(block: np.ndarray) -> np.ndarray:
            if self.preprocessing.high_pass is None and block.size:
                block += self._derive_offset()
            return marker.mark(block)

        for block in self._read(chunk_s):
            # A new array, which later steps may write to: a reader may hand out a view of its own data.
            centred = np.subtract(block, offset, dtype=np.float32)
            if self.gain != 1:
                centred *= np.float32(self.gain)
            filled, missing, gaps = filler.push(centred)
            marker.add(self._derive_gaps(gaps))
            out = resampler(self._derive(filled, missing), False)
            yield finish(fir.push(out) if fir is not None else out)
        filled, missing, gaps = filler.flush()
        marker.add(self._derive_gaps(gaps))
        out = resampler(self._derive(filled, missing), True)
        if fir is not None:
            out = np.concatenate([fir.push(out), fir.flush()], axis=1)
        yield finish(out)

    def read_all(self) -> np.ndarray:
        """Read the whole signal, `(channels, samples)` float32 microvolts: for recordings that fit into memory."""
        return np.concatenate(list(self.chunks()), axis=1)

    def _read(self, chunk_s: float | None) -> Iterator[np.ndarray]:
        rate = float(self.recording.sampling_rate)
        total = round(self.recording.duration * rate)
        step = round(chunk_s * rate) if chunk_s else CHUNK_SAMPLES // len(self.recording.channel_names)
        step = max(step, 1)
        for start in range(0, total, step):
            stop = min(start + step, total)
            block = self.recording.read(start / rate, stop / rate)
            if block.shape[1] != stop - start:
                raise OSError(
                    f"{self.recording.name}: {block.shape[1]} samples instead of {stop - start} "
                    f"between {start / rate:.2f} s and {stop / rate:.2f} s"
                )
            yield block if len(self._kept) == len(block) else block[self._kept]

    def _taps(self) -> np.ndarray | None:
        return design_fir(
            self.sampling_rate,
            high_pass=self.preprocessing.high_pass,
            low_pass=self.preprocessing.low_pass,
            line_frequency=self.line_frequency,
            notch_width=self.preprocessing.notch_width,
        )

    def _derive(self, block: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
        """Apply the reference to `(channels, samples)`; `missing` marks samples that a common average leaves out."""
        if self.preprocessing.reference == "bipolar":
            return block[self._derivation.anodes] - block[self._derivation.cathodes]
        if self.preprocessing.reference == "average":
            if missing is None:
                return block - block.mean(axis=0, keepdims=True)
            count = np.maximum((~missing).sum(axis=0, keepdims=True), 1)
            return block - np.where(missing, 0, block).sum(axis=0, keepdims=True) / count.astype(np.float32)
        return block

    def _derive_offset(self) -> np.ndarray:
        return self._derive(np.float32(self.gain) * self._offset[:, None], None)

    def _derive_gaps(self, gaps: list[Gap]) -> list[Gap]:
        """Gaps of recorded channels as gaps of output channels: a pair lacks a sample when either contact does."""
        if self.preprocessing.reference != "bipolar" or not gaps:
            return gaps
        pairs = list(zip(self._derivation.anodes, self._derivation.cathodes, strict=True))
        return [
            Gap(position, gap.start, gap.stop)
            for gap in gaps
            for position, pair in enumerate(pairs)
            if gap.channel in pair
        ]


def _first_reasons(dropped: dict[str, str], count: int = 3) -> str:
    shown = "; ".join(f"{name}: {reason}" for name, reason in list(dropped.items())[:count])
    return shown + ("; ..." if len(dropped) > count else "")


class _MissingMarker:
    """Writes NaN over long gaps in the output stream; gaps come in input samples, blocks in output samples."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._position = 0
        self._gaps: list[Gap] = []

    def add(self, gaps: list[Gap]) -> None:
        for gap in gaps:
            start, stop = math.floor(gap.start * self._ratio), math.ceil(gap.stop * self._ratio)
            self._gaps.append(Gap(gap.channel, start, stop))

    def mark(self, block: np.ndarray) -> np.ndarray:
        begin, end = self._position, self._position + block.shape[1]
        for gap in self._gaps:
            if gap.start < end and gap.stop > begin:
                block[gap.channel, max(gap.start - begin, 0) : gap.stop - begin] = np.nan
        self._gaps = [gap for gap in self._gaps if gap.stop > end]
        self._position = end
        return block


def _make_resampler(rate_in: float, rate_out: float, channels: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Return a function `(block, last) -> block` that resamples a stream of `(channels, samples)` float32 blocks."""
    if rate_in == rate_out:
        return lambda block, last: block
    import soxr

    # One stream for each channel: a stream of all wants them interleaved, and transposing twice takes longer.
    streams = [soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ") for _ in range(channels)]

    def resample(block: np.ndarray, last: bool) -> np.ndarray:
        return np.stack([stream.resample_chunk(row, last=last) for stream, row in zip(streams, block, strict=True)])

    return resample


@dataclass(frozen=True)
class _Survey:
    """What short stretches all over a recording say about its channels."""

    channel_names: list[str]
    sampling_rate: float
    median: np.ndarray  # (channels,), microvolts, 0 where no sample is finite
    peak_to_peak: np.ndarray  # (channels,), over all stretches, NaN where no sample is finite
    amplitude: np.ndarray  # (channels,), median of the stretches, NaN where no sample is finite
    power: np.ndarray  # (channels, frequencies), zeros unless asked for
    frequencies: np.ndarray

    def flat_channels(self, threshold: float) -> dict[str, str]:
        reasons = {}
        for name, amplitude in zip(self.channel_names, self.peak_to_peak, strict=True):
            if np.isnan(amplitude):
                reasons[name] = "no finite sample"
            elif amplitude <= threshold:
                reasons[name] = f"flat: peak-to-peak {amplitude:.3g} microvolt"
        return reasons

    def gain(self, channels: list[int], amplitude_range: tuple[float, float] | None) -> float:
        """Factor that brings the median amplitude of `channels` into a range."""
        if amplitude_range is None:
            return 1.0
        amplitudes = self.amplitude[channels]
        loud = np.nanquantile(amplitudes, 0.9, method="lower")  # one broken input of a few is not
        typical = float(np.nanmedian(amplitudes[amplitudes >= loud / OPEN_INPUT_RATIO]))
        # A recording that is silent most of the time says nothing about its unit.
        return float(np.clip(typical, *amplitude_range)) / typical if typical > 0 else 1.0

    def line_frequency(self, channels: list[int]) -> float | None:
        """50 or 60 Hz, whichever stands out more from its neighbourhood in the spectrum; `None` when neither does."""
        best, best_ratio = None, LINE_POWER_RATIO
        for line in LINE_FREQUENCIES:
            distance = np.abs(self.frequencies - line)
            around = (distance >= 2) & (distance <= 6)
            if self.sampling_rate / 2 < line + 2 or not around.any():
                continue
            peak = self.power[channels][:, distance <= 0.75].max(axis=1)
            floor = np.median(self.power[channels][:, around], axis=1)
            ratio = np.quantile(peak / np.maximum(floor, np.finfo(np.float32).tiny), 0.75)
            if ratio > best_ratio:
                best, best_ratio = line, ratio
        return best


def _survey(recording: Recording, spectrum: bool) -> _Survey:
    """Read stretches all over a recording; `spectrum` only where it is wanted, since it takes longest."""
    rate = float(recording.sampling_rate)
    total = round(recording.duration * rate)
    if total < 1:
        raise ValueError(f"{recording.name} has no samples")
    length = max(min(round(SURVEY_SEGMENT_S * rate), total), 1)
    count = min(SURVEY_SEGMENTS, max(total // length, 1))
    starts = np.linspace(0, total - length, count).astype(int)
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    taper = np.hanning(length + 2)[1:-1].astype(np.float32)
    medians, lowest, highest, amplitudes = [], [], [], []
    power = np.zeros((len(recording.channel_names), len(frequencies)))
    for start in starts:
        block = np.asarray(recording.read(start / rate, (start + length) / rate), np.float32)
        median, low, high = _order_statistics(block)
        medians.append(median)
        lowest.append(low)
        highest.append(high)
        amplitudes.append(_amplitude(block, rate))
        if spectrum:
            centred = np.nan_to_num(block - np.nan_to_num(median)[:, None], nan=0, posinf=0, neginf=0)
            power += np.abs(np.fft.rfft(centred * taper, axis=1)) ** 2
    return _Survey(
        channel_names=list(recording.channel_names),
        sampling_rate=rate,
        median=np.nan_to_num(_ignoring_nan(np.nanmedian, medians)),
        peak_to_peak=_ignoring_nan(np.nanmax, highest) - _ignoring_nan(np.nanmin, lowest),
        amplitude=_ignoring_nan(np.nanmedian, amplitudes),
        power=power,
        frequencies=frequencies,
    )


def _order_statistics(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, minimum and maximum of each channel of `(channels, samples)`; NaN where no sample is finite."""
    if np.isfinite(block).all():
        # A quarter of the samples gives the median well enough to centre a channel.
        return np.median(block[:, ::4], axis=1), block.min(axis=1), block.max(axis=1)
    finite = np.where(np.isfinite(block), block, np.nan).T
    return tuple(_ignoring_nan(statistic, finite) for statistic in (np.nanmedian, np.nanmin, np.nanmax))


def _amplitude(block: np.ndarray, rate: float) -> np.ndarray:
    """Spread of each channel of `(channels, samples)` that outliers, drift and line noise do not change.

    NaN where no sample is finite.
    """
    finite = np.isfinite(block)
    observed = finite.sum(axis=1)
    filled = np.where(finite, block, 0)
    filled = np.where(finite, block, filled.sum(axis=1, keepdims=True) / np.maximum(observed, 1)[:, None])
    # Electrodes drift by many times the size of the signal: a line is taken off, and the mean around each sample.
    level = _without_lines(detrend(filled, axis=1), rate)
    width = min(max(round(DRIFT_S * rate), 1), block.shape[1])
    fluctuation = (level - uniform_filter1d(level, width, axis=1, mode="nearest"))[:, ::4]
    if finite.all():
        low, high = np.quantile(fluctuation, (0.25, 0.75), axis=1)
    else:
        fluctuation = np.where(finite[:, ::4], fluctuation, np.nan)
        low, high = (_ignoring_nan(partial(np.nanquantile, q=part), fluctuation.T) for part in (0.25, 0.75))
    return np.where(observed > 0, (high - low) / _NORMAL_IQR, np.nan).astype(np.float32)


def _without_lines(block: np.ndarray, rate: float) -> np.ndarray:
    """`(channels, samples)` without what lies within 1 Hz of a multiple of 50 or 60 Hz."""
    frequencies = np.fft.rfftfreq(block.shape[1], 1 / rate)
    is_line = np.zeros(len(frequencies), bool)
    for line in LINE_FREQUENCIES:
        is_line |= (frequencies > line / 2) & (np.abs(frequencies - line * np.round(frequencies / line)) <= 1)
    spectrum = np.fft.rfft(block, axis=1)
    spectrum[:, is_line] = 0
    return np.fft.irfft(spectrum, block.shape[1], axis=1)


def _ignoring_nan(statistic: Callable[..., np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    """`statistic` along the first axis, NaN without a warning where there is nothing but NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(statistic(np.asarray(values), axis=0), np.float32)
