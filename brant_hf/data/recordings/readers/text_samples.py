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
    names : Sequence[str]
        Names of the channels, which may stand before the numbers.
    scale : Sequence[float]
        What a number of each channel is worth.
    decimal : str
        What stands before decimals; a comma that does not separates numbers, as spaces, tabs and semicolons do.
    skip_lines, skip_columns : int
        Lines and columns before the numbers; a line or a column of the names is known without.
    by_channel : bool
        Whether each line has all samples of a channel.
    """

    path: Path
    names: Sequence[str]
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
                    found = np.array([np.array(line.split(), np.float32) for line in self._without_names(list(lines))])
                else:
                    found = np.loadtxt(self._without_head(lines), np.float32, ndmin=2).T
            except ValueError as error:
                raise ValueError(f"{self.path} cannot be read as numbers: {error}; export it again") from error
        if not found.size:
            raise ValueError(f"{self.path} holds no samples; export it again")
        if len(found) != len(self.scale):
            raise ValueError(
                f"{self.path} has {len(found)} channels, its header has {len(self.scale)}; export it again"
            )
        return found

    def _spaced(self, text: str) -> str:
        """Return a text with a point before decimals and spaces between numbers."""
        separators = ";\t" if self.decimal == "," else ";\t,"
        return text.translate(str.maketrans(separators, " " * len(separators))).replace(self.decimal, ".")

    def _lines(self, file: Iterator[str]) -> Iterator[str]:
        lines = (self._spaced(line) for number, line in enumerate(file) if number >= self.skip_lines)
        return (line for line in lines if line.strip())

    def _without_names(self, lines: list[str]) -> list[str]:
        """Lines of channels without their names, which may have spaces or be numbers; else without what is none."""
        names = [self._spaced(name).split() for name in self.names]
        parts = [line.split() for line in lines]
        named = len(parts) == len(names) and all(
            part[: len(name)] == name and len(part) > len(name) for part, name in zip(parts, names, strict=True)
        )
        if named and any(names):
            return [" ".join(part[len(name) :]) for part, name in zip(parts, names, strict=True)]
        rest = (self._after_columns(line) for line in lines)
        return [line if _NUMBER.match(line.lstrip()) else line.split(None, 1)[-1] for line in rest]

    def _without_head(self, lines: Iterator[str]) -> Iterator[str]:
        """Lines of samples without one of the names before them."""
        names = self._spaced(" ".join(self.names)).split()
        for number, line in enumerate(lines):
            rest = self._after_columns(line)
            is_head = number == 0 and line.split()[-len(names) :] == names
            if not is_head and _NUMBER.match(rest.lstrip()):
                yield rest
            elif number > 0:
                raise ValueError(f"it has {rest.strip()[:40]!r}")

    def _after_columns(self, line: str) -> str:
        return line.split(None, self.skip_columns)[-1] if self.skip_columns else line
