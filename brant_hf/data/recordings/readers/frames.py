"""Samples that lie in a binary file as numbers of one kind."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class FrameReader:
    """Reads channels of a file of frames, each with a sample of every channel, or of whole channels one by one.

    Attributes
    ----------
    path : Path
        The file.
    dtype : str
        Kind of its numbers, with the order of bytes.
    width : int
        Channels in the file.
    places : Sequence[int]
        Place in the file of each channel of the recording.
    scale : Sequence[float]
        What a step of the numbers of each channel of the recording is worth.
    offset : int
        Bytes before the first sample.
    length : int or None
        Samples of a channel where channels lie one after another; `None` for frames.
    """

    path: Path
    dtype: str
    width: int
    places: Sequence[int]
    scale: Sequence[float]
    offset: int = 0
    length: int | None = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.width * np.dtype(self.dtype).itemsize

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of the channels at these places in the recording."""
        places = [self.places[channel] for channel in channels]
        if self.length is None:
            frames = self._numbers(start * self.width, (stop - start) * self.width)
            samples = frames.reshape(-1, self.width).T[places]
        else:
            samples = np.stack([self._numbers(place * self.length + start, stop - start) for place in places])
        return samples * np.array([self.scale[channel] for channel in channels])[:, None]

    def _numbers(self, start: int, count: int) -> np.ndarray:
        offset = self.offset + start * np.dtype(self.dtype).itemsize
        numbers = np.fromfile(self.path, self.dtype, count, offset=offset)
        if numbers.size < count:
            raise OSError(f"{self.path} has become shorter since it was opened")
        return numbers


@dataclass
class PacketReader:
    """Reads samples that lie in packets or blocks, with other bytes between them.

    Attributes
    ----------
    path : Path
        The file.
    width : int
        Channels in it.
    bounds : list[int]
        Number of the first sample of each packet, and that after the last one.
    positions : list[int]
        Where the samples of each packet begin in the file.
    frame : np.dtype
        One sample of all channels, with what may stand before each.
    scale, zero : np.ndarray
        Value of a step of each channel, and of the number 0.
    """

    path: Path
    width: int
    bounds: list[int] = field(repr=False)
    positions: list[int] = field(repr=False)
    frame: np.dtype
    scale: np.ndarray
    zero: np.ndarray

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of the channels at these places."""
        frames = []
        for packet in range(bisect_right(self.bounds, start) - 1, bisect_left(self.bounds, stop)):
            first = self.bounds[packet]
            low, high = max(start, first), min(stop, self.bounds[packet + 1])
            offset = self.positions[packet] + (low - first) * self.frame.itemsize
            frames.append(np.fromfile(self.path, self.frame, high - low, offset=offset)["samples"])
        numbers = np.concatenate(frames)
        if len(numbers) < stop - start:
            raise OSError(f"{self.path} has become shorter since it was opened")
        places = list(channels)
        return numbers.T[places] * self.scale[places, None] + self.zero[places, None]
