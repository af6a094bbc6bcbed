"""Samples that are written as text: a line for each sample of all channels, or one for each channel."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_NUMBER = re.compile(r"[+-]?(?:[\d.]|nan\b|inf)", re.IGNORECASE)


@dataclass
class TextReader:
    """Reads channels of a text, which can only be read whole; it is kept after that.

    Attributes
    ----------
    path : Path
        The text.
    scale : Sequence[float]
        What a number of each channel is worth.
    decimal : str
        What stands before decimals; a comma that does not separates numbers, as spaces, tabs and semicolons do.
    skip_lines, skip_columns : int
        Lines and columns before the numbers; a line or a column of names is known without.
    by_channel : bool
        Whether each line has all samples of a channel.
    """

    path: Path
    scale: Sequence[float]
    decimal: str = "."
    skip_lines: int = 0
    skip_columns: int = 0
    by_channel: bool = False
    _signal: np.ndarray | None = field(default=None, repr=False)

    @property
    def signal(self) -> np.ndarray:
        """The numbers, `(channels, samples)`, fp32.

        Raises
        ------
        ValueError
            There is something else than numbers, or there are lines of different lengths, or not as many channels.
        """
        if self._signal is None:
            self._signal = self._read()
        return self._signal

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of the channels at these places."""
        places = list(channels)
        return self.signal[places, start:stop] * np.array(self.scale)[places, None]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_signal": None}

    def _read(self) -> np.ndarray:
        with self.path.open(encoding="latin-1") as file:
            lines = self._lines(file)
            try:
                if self.by_channel:
                    found = np.array([np.array(line.split(), np.float32) for line in lines])
                else:
                    found = np.loadtxt(lines, np.float32, ndmin=2).T
            except ValueError as error:
                raise ValueError(f"{self.path} cannot be read as numbers: {error}; export it again") from error
        if len(found) != len(self.scale):
            raise ValueError(
                f"{self.path} has {len(found)} channels, its header has {len(self.scale)}; export it again"
            )
        return found

    def _lines(self, file: Iterator[str]) -> Iterator[str]:
        """Lines with a point before decimals and spaces between numbers, without what is skipped."""
        separators = str.maketrans(";\t" if self.decimal == "," else ";\t,", "  " if self.decimal == "," else "   ")
        lines = (line.translate(separators) for number, line in enumerate(file) if number >= self.skip_lines)
        lines = (line.replace(self.decimal, ".") for line in lines if line.strip())
        lines = (line.split(None, self.skip_columns)[-1] if self.skip_columns else line for line in lines)
        for number, line in enumerate(lines):
            if _NUMBER.match(line.lstrip()):
                yield line
            elif self.by_channel:
                yield line.split(None, 1)[-1]
            elif number > 0:
                raise ValueError(f"it has {line.strip()[:40]!r}")
