"""Preprocessing of recordings: a declarative chain, applied in chunks with constant memory.

The steps run in one fixed order, whatever the order in which the settings are written:

1. **centre**: the median of every channel is taken off, so that filters start without a step
   (given back at the end when there is no high-pass);
2. **missing samples**: short gaps are interpolated, long ones are bridged and marked as NaN in the output;
3. **flat channels and open inputs** are dropped;
4. **reference**: none, common average or bipolar along each electrode shaft;
5. **amplitude**: where the typical amplitude is outside of `amplitude_range`, the recording is scaled to its edge, and
   from there towards `typical_amplitude`;
6. **resample** to `sampling_rate`;
7. **line-noise notch** and **band-pass**, one zero-phase FIR filter.

Reference, resampling and filters are linear and time-invariant, so their order does not change the result; the one
chosen filters the fewest samples. Everything has a finite, known look-ahead, so a recording read in chunks gives the
same output as one read whole. A new step is a class with the protocol of `stages.Stage` and a line in
`PreprocessedRecording._stages`.

A gap of the whole recording that lasts longer than `ANEW_S` ends the signal. What follows is run through the chain as
a signal of its own: hours may lie between, in which offsets change. The gap itself is passed over, and takes no time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np

from ...events.event import merge_stretches, without_stretches
from ...listing import counted, listed
from ...user_warnings import warn
from ..recordings.contacts import DIFFERENCE, bipolar_pairs, differences_among
from ..recordings.recording import Recording
from .doubts import remedy, tell_of_doubts, tell_of_odd_settings
from .stages import (
    Block,
    Centre,
    FirStream,
    GapFiller,
    GiveOffsetBack,
    MarkMissing,
    Reference,
    Resample,
    Stage,
    design_fir,
)
from .survey import median_between, survey

_PAIRS = "differences of two contacts already"
# Samples over all channels read at a time: 8 MB in float32, small against a window of 100 channels and large
# against the cost of a call.
CHUNK_SAMPLES = 2_000_000
# After a gap of the whole recording of this length [s] the signal begins anew. In a shorter one, as where packets were
# lost, nothing has changed.
ANEW_S = 10.0
# A recording as long as this [s] says as much about its typical amplitude as what is usual in others. The median of
# one that is more than twice as long as a seizure is that of its background, so the weight grows with the square.
AMPLITUDE_EVIDENCE_S = 150.0


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
    open_inputs : {"drop", "keep"}
        `"drop"` leaves out, of four channels or more, those of which more than 80 % of the power is line noise and
        which are more than twice as loud as the others without it, too (medians over the same stretches): nothing is
        connected to them, or a loose contact. `"keep"` keeps them.
    amplitude_range : tuple[float, float] or None
        Lowest and highest typical amplitude [microvolt] of a recording, for those whose unit cannot be trusted; `None`
        leaves values as they are. The typical amplitude is the median, over the recorded channels and the stretches
        that are read to settle the chain, of the interquartile range in units of that of a normal distribution with
        standard deviation 1, of the signal without drift and line noise. Inputs with nothing connected, which are far
        below the others, do not count. Outside of the range, all channels are scaled by one factor.
    typical_amplitude : float or None
        Typical amplitude [microvolt] that every recording is brought to, as above, so that a model sees amplitudes
        relative to the recording; `None` leaves them. A recording is brought `d**2 / (d**2 + 150**2)` of the way (in
        the logarithm), where `d` is its duration [s]: an excerpt, which may be mostly seizure, hardly at all, one of
        ten minutes almost all of it.
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
    open_inputs: Literal["drop", "keep"] = "drop"
    amplitude_range: tuple[float, float] | None = None
    typical_amplitude: float | None = None

    def __post_init__(self) -> None:
        if self.reference not in ("none", "average", "bipolar"):
            raise ValueError(f"reference is {self.reference!r}; choose 'none', 'average' or 'bipolar'")
        for name in ("flat", "open_inputs"):
            if getattr(self, name) not in ("drop", "keep"):
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose 'drop' or 'keep'")
        if isinstance(self.line_noise, str) and self.line_noise != "auto":
            raise ValueError(f"line_noise is {self.line_noise!r}; give a frequency in Hz, 'auto' or None")
        for name in ("sampling_rate", "line_noise", "notch_width", "high_pass", "low_pass"):
            value = getattr(self, name)
            may_be_none = name not in ("sampling_rate", "notch_width")
            if (name, value) == ("line_noise", "auto") or (value is None and may_be_none):
                continue
            if not (isinstance(value, Real) and math.isfinite(value) and float(value) > 0):
                raise ValueError(f"{name} is {value!r}; it must be a positive number of Hz")
        if isinstance(self.line_noise, (int, float)) and self.line_noise <= self.notch_width:
            raise ValueError(
                f"line_noise is {self.line_noise:g} Hz; each notch is {self.notch_width:g} Hz wide (notch_width), so "
                "nothing would be left between it and its multiples"
            )
        if self.amplitude_range is not None:
            # A tuple also where it comes from JSON, so that equal settings are equal.
            object.__setattr__(self, "amplitude_range", tuple(self.amplitude_range))
            values = self.amplitude_range
            if not (len(values) == 2 and 0 < values[0] <= values[1] < math.inf):
                raise ValueError(
                    f"amplitude_range is {self.amplitude_range}; it is a lowest and a highest amplitude in microvolts"
                )
        target = self.typical_amplitude
        if target is not None and not (math.isfinite(target) and target > 0):
            raise ValueError(f"typical_amplitude is {target}; it must be a positive number of microvolts, or None")
        for name in ("max_gap", "flat_threshold"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be zero or more")
        if self.high_pass is not None and self.low_pass is not None and self.high_pass >= self.low_pass:
            raise ValueError(f"high_pass is {self.high_pass:g} Hz; it must be below low_pass, {self.low_pass:g} Hz")
        if self.high_pass is not None and self.high_pass >= self.sampling_rate / 2:
            raise ValueError(
                f"high_pass is {self.high_pass:g} Hz; it must be below {self.sampling_rate / 2:g} Hz, half the rate"
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

    @classmethod
    def of(cls, settings: Preprocessing | Mapping[str, Any] | None) -> Preprocessing:
        """Return settings as they are, or make them from those that differ from the defaults, as `from_dict`."""
        if isinstance(settings, Preprocessing):
            return settings
        if not isinstance(settings, Mapping | None):
            raise ValueError(
                f"preprocessing is {settings!r}; expected Preprocessing(...), or a dictionary of settings"
            )
        return cls.from_dict(dict(settings or {}))

    @classmethod
    def of_model(cls, noted: Preprocessing | Mapping[str, Any] | None, sampling_rate: float) -> Preprocessing:
        """Make the settings of a model that expects a sampling rate [Hz]; defaults where they are not noted.

        Raises
        ------
        ValueError
            As `from_dict`, or they end at another rate.
        """
        if not isinstance(noted, Preprocessing):
            noted = cls.from_dict({"sampling_rate": float(sampling_rate), **(noted or {})})
        if noted.sampling_rate != sampling_rate:
            raise ValueError(
                f"the preprocessing resamples to {noted.sampling_rate:g} Hz, but the model expects "
                f"{sampling_rate:g} Hz; set sampling_rate of the preprocessing to that of the model"
            )
        return noted


def preprocess(
    recording: Recording, preprocessing: Preprocessing | Mapping[str, Any] | None = None
) -> PreprocessedRecording:
    """Settle the chain for one recording: which channels stay, which reference, which line frequency.

    Short stretches all over the recording are read for this; the signal itself is only read by
    `PreprocessedRecording.chunks`. Amplitudes that are unusual and channels that stand out are told in warnings.

    Parameters
    ----------
    recording : Recording
        An open recording.
    preprocessing : Preprocessing, Mapping[str, Any] or None
        The settings, or those that differ from the defaults of `Preprocessing`.

    Raises
    ------
    ValueError
        It is no open recording, or no channel is left, with the reason for each.
    """
    if not isinstance(recording, Recording):
        raise ValueError(f"{type(recording).__name__} is no open recording; expected what open_recording returns")
    settings = Preprocessing.of(preprocessing)
    stretches = survey(recording, spectrum=settings.line_noise == "auto")
    dropped = stretches.flat_channels(settings.flat_threshold) if settings.flat == "drop" else {}
    kept = [i for i, name in enumerate(recording.channel_names) if name not in dropped]
    if not kept and np.isnan(stretches.peak_to_peak).all():
        raise ValueError(f"no channel of {recording.name} has a finite sample where it was looked at: export it again")
    if not kept:
        typical = stretches.typical_amplitude(range(len(recording.channel_names)))
        instead = f"; {remedy(recording, typical)}" if typical > 0 else "; values must be in microvolts"
        raise ValueError(f"every channel of {recording.name} is flat ({_first_reasons(dropped)}){instead}")
    if settings.open_inputs == "drop":
        dropped |= stretches.open_inputs(kept)
        kept = [i for i in kept if recording.channel_names[i] not in dropped]
    tell_of_doubts(recording, stretches, kept)
    reference, alone = _reference(recording, [recording.channel_names[i] for i in kept], settings.reference)
    line = settings.line_noise
    tell_of_odd_settings(recording, line, settings.sampling_rate)
    return PreprocessedRecording(
        recording=recording,
        preprocessing=settings,
        line_frequency=stretches.line_frequency(kept) if line == "auto" else line,
        dropped_channels={**dropped, **alone},
        _kept=np.array(kept),
        gain=stretches.gain(
            kept,
            settings.amplitude_range,
            settings.typical_amplitude,
            recording.recorded_duration**2 / (recording.recorded_duration**2 + AMPLITUDE_EVIDENCE_S**2),
        ),
        _offset=stretches.median[kept],
        _reference=reference,
    )


def _reference(recording: Recording, names: list[str], kind: str) -> tuple[Reference, dict[str, str]]:
    """Return the reference of channels, and the channels that it leaves out, with the reason."""
    everything = [*recording.channel_names, *recording.excluded_channels]
    if kind != "bipolar":
        if kind == "average" and len(names) < 2:
            raise ValueError(f"{recording.name} has one usable channel; a common average needs at least two")
        if kind == "average" and (joined := differences_among(names, everything)):
            warn(
                f"{recording.name}: the common average is that of {counted(len(joined), 'channel')} that are {_PAIRS} "
                f"({listed(joined)}); choose the reference 'none' for such a recording"
            )
        return Reference(names, [(name,) for name in names], average=kind == "average"), {}
    pairs, alone = bipolar_pairs(names, everything)
    differences = [name for name, reason in alone.items() if reason == DIFFERENCE]
    if differences and not pairs:
        raise ValueError(
            f"reference is 'bipolar', but channels of {recording.name} are {_PAIRS} ({listed(differences)}); choose "
            "'none'"
        )
    if differences:
        warn(
            f"{recording.name}: the bipolar montage leaves out {counted(len(differences), 'channel')} that are "
            f"{_PAIRS} ({listed(differences)}); choose the reference 'none' to read them"
        )
    if not pairs:
        raise ValueError(
            f"no two neighbouring contacts in {recording.name} for a bipolar reference ({_first_reasons(alone)})"
        )
    places = [(names.index(anode), names.index(cathode)) for _, anode, cathode in pairs]
    return Reference([pair[0] for pair in pairs], [pair[1:] for pair in pairs], pairs=places), alone


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
        Factor that brings the recording into `amplitude_range` and towards `typical_amplitude`; 1 without both.
    """

    recording: Recording
    preprocessing: Preprocessing
    line_frequency: float | None
    dropped_channels: dict[str, str]
    gain: float
    _kept: np.ndarray = field(repr=False)
    _offset: np.ndarray = field(repr=False)
    _reference: Reference = field(repr=False)

    @property
    def channel_names(self) -> list[str]:
        """Names of the output channels; a bipolar pair is written `A1-A2`."""
        return list(self._reference.names)

    @property
    def contacts(self) -> list[tuple[str, ...]]:
        """For each output channel, the names of the recorded channels it comes from (one, or two of a pair)."""
        return list(self._reference.contacts)

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
        channels, end = len(self.channel_names), 0
        step = max(CHUNK_SAMPLES // channels, 1)
        for start, values in self.pieces(chunk_s):
            for first in range(end, start, step):
                yield np.full((channels, min(step, start - first)), np.nan, np.float32)
            yield values
            end = start + values.shape[1]

    def pieces(self, chunk_s: float | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the signal as `chunks` does, but for gaps in all channels: these take no time.

        Parameters
        ----------
        chunk_s : float or None
            See `chunks`.

        Yields
        ------
        tuple[int, np.ndarray]
            First sample of a piece, and the piece. All is NaN between it and the end of the one before.
        """
        stop, total = 0, self.recording.num_samples
        for start, stop in self._runs():
            position, end = self._place(start), self._place(stop)
            stages = self._stages(self._offset_of(start, stop))
            for values, last in self._read(start, stop, chunk_s):
                block = Block(values)
                for stage in stages:
                    block = stage(block, last)
                # The resampler rounds; what comes last may be a sample longer.
                values = block.values if stop == total else block.values[:, : max(end - position, 0)]
                yield position, values
                position += values.shape[1]
        if stop < total:
            yield self._place(total), np.empty((len(self.channel_names), 0), np.float32)

    def recorded(self, shortest_gap: int) -> list[tuple[int, int]]:
        """Return stretches `(start, stop)` of the output, in samples, between gaps of at least so many samples."""
        runs = merge_stretches(((self._place(a), self._place(b)) for a, b in self._runs()), shortest_gap - 1)
        return [(int(start), int(stop)) for start, stop in runs] or [(0, 0)]

    def _place(self, sample: int) -> int:
        """Return where a sample of the recording is in the output."""
        return round(sample / self.recording.sampling_rate * self.sampling_rate)

    def _runs(self) -> list[tuple[int, int]]:
        """Return stretches `(start, stop)` of the recording, in samples, between gaps after which it begins anew."""
        rate = self.recording.sampling_rate
        gaps = ((round(start * rate), round(stop * rate)) for start, stop in self.recording.gaps)
        shortest = max(ANEW_S, self.preprocessing.max_gap) * rate
        long = [(start, stop) for start, stop in gaps if stop - start > shortest]
        return [(int(start), int(stop)) for start, stop in without_stretches([(0, self.recording.num_samples)], long)]

    def _offset_of(self, start: int, stop: int) -> np.ndarray:
        """Return what is taken off each channel in samples `[start, stop)`: between gaps, the median there."""
        if stop - start == self.recording.num_samples:
            return self._offset
        own = median_between(self.recording, start, stop)[self._kept]
        return np.where(np.isnan(own), self._offset, own)

    @cached_property
    def _taps(self) -> np.ndarray | None:
        settings = self.preprocessing
        return design_fir(
            self.sampling_rate,
            high_pass=settings.high_pass,
            low_pass=settings.low_pass,
            line_frequency=self.line_frequency,
            notch_width=settings.notch_width,
        )

    def _stages(self, offset: np.ndarray) -> list[Stage]:
        """Return new stages, in the order in which a block passes them."""
        settings, rate, taps = self.preprocessing, float(self.recording.sampling_rate), self._taps
        stages: list[Stage | None] = [
            Centre(offset, self.gain),
            GapFiller(len(self._kept), max_gap=math.floor(settings.max_gap * rate)),
            self._reference,
            None if rate == self.sampling_rate else Resample(rate, self.sampling_rate, len(self.channel_names)),
            None if taps is None else FirStream(taps),
            GiveOffsetBack(self._reference.derive(np.float32(self.gain) * offset[:, None]))
            if settings.high_pass is None
            else None,
            MarkMissing(self.sampling_rate / rate),
        ]
        return [stage for stage in stages if stage is not None]

    def read_all(self) -> np.ndarray:
        """Read the whole signal, `(channels, samples)` float32 microvolts: for recordings that fit into memory."""
        return np.concatenate(list(self.chunks()), axis=1)

    def _read(self, begin: int, end: int, chunk_s: float | None) -> Iterator[tuple[np.ndarray, bool]]:
        """Yield pieces of the recorded channels that are kept, and whether each is the last one before `end`."""
        rate = float(self.recording.sampling_rate)
        step = round(chunk_s * rate) if chunk_s else CHUNK_SAMPLES // len(self.recording.channel_names)
        step = max(step, 1)
        for start in range(begin, end, step):
            stop = min(start + step, end)
            block = self.recording.read(start / rate, stop / rate)
            if block.shape[1] != stop - start:
                raise OSError(
                    f"{self.recording.name}: {block.shape[1]} samples instead of {stop - start} "
                    f"between {start / rate:.2f} s and {stop / rate:.2f} s"
                )
            yield block if len(self._kept) == len(block) else block[self._kept], stop == end


def _first_reasons(dropped: dict[str, str]) -> str:
    return listed((f"{name}: {reason}" for name, reason in dropped.items()), 3, "; ")
