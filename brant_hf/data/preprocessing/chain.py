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

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..recordings.contacts import bipolar_pairs
from .filters import FirStream, design_fir
from .gaps import Gap, GapFiller
from .settings import Preprocessing
from .survey import survey

if TYPE_CHECKING:
    from ..recordings import Recording

# Samples over all channels read at a time: 8 MB in float32, small against a window of 100 channels and large
# against the cost of a call.
CHUNK_SAMPLES = 2_000_000


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
    stretches = survey(recording, spectrum=settings.line_noise == "auto")
    dropped = stretches.flat_channels(settings.flat_threshold) if settings.flat == "drop" else {}
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
        line_frequency=stretches.line_frequency(kept) if line == "auto" else line,
        dropped_channels=dropped,
        _kept=np.array(kept),
        gain=stretches.gain(kept, settings.amplitude_range),
        _offset=stretches.median[kept],
        _derivation=derivation,
    )


@dataclass(frozen=True)
class _Derivation:
    """Channels of the output: `names`, the `contacts` each comes from, and for bipolar pairs their two positions."""

    names: list[str]
    contacts: list[tuple[str, ...]]
    anodes: list[int] = field(default_factory=list)
    cathodes: list[int] = field(default_factory=list)


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
