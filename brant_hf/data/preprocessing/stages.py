"""What passes through the chain, the protocol of its stages, and the stages that need no file of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np


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
