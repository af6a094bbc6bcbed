"""Windows of a recording and their seizure labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# Label of a patch that counts neither as seizure nor as background; what PyTorch and `Trainer` ignore too.
IGNORED_LABEL = -100
# Tolerance [s] when an overlap is compared with the threshold: times come as decimal fractions.
OVERLAP_TOLERANCE_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """How a recording is cut.

    Attributes
    ----------
    patch_length : int
        Samples of a patch.
    num_patches : int
        Patches of a window.
    stride : int or None
        Patches from the beginning of one window to that of the next; `None` for disjoint windows that leave nothing
        out (`num_patches`).
    seizure_overlap : float
        A patch is labelled seizure when at least this fraction of it lies inside a seizure on its channel.
    remainder : {"drop", "shorter"}
        What to do with an end that does not fill a window: `"drop"` it, or keep it as a `"shorter"` window of whole
        patches.
    max_missing : float
        A channel is left out of a window in which more than this fraction of its samples is missing. With 0 no NaN
        reaches a window.
    """

    patch_length: int = 1500
    num_patches: int = 15
    stride: int | None = None
    seizure_overlap: float = 0.5
    remainder: Literal["drop", "shorter"] = "drop"
    max_missing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("patch_length", "num_patches", "stride"):
            value = getattr(self, name)
            if (name != "stride" or value is not None) and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} is {value!r}; it must be a whole number of 1 or more")
        if not 0 < self.seizure_overlap <= 1:
            raise ValueError(f"seizure_overlap is {self.seizure_overlap}; it must be above 0 and at most 1")
        if not 0 <= self.max_missing < 1:
            raise ValueError(f"max_missing is {self.max_missing}; it must be at least 0 and below 1")
        if self.remainder not in ("drop", "shorter"):
            raise ValueError(f"remainder is {self.remainder!r}; choose 'drop' or 'shorter'")

    @property
    def window_length(self) -> int:
        """Samples of a window."""
        return self.patch_length * self.num_patches

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values."""
        return dataclasses.asdict(self)


def cut_windows(chunks: Iterable[np.ndarray], settings: WindowSettings) -> Iterator[tuple[int, np.ndarray]]:
    """Cut consecutive pieces of a signal into windows.

    Parameters
    ----------
    chunks : Iterable[np.ndarray]
        `(channels, samples)` arrays, any lengths.
    settings : WindowSettings
        Length, stride and remainder.

    Yields
    ------
    tuple[int, np.ndarray]
        First sample of the window and its values, `(channels, patches * patch_length)` float32, a new array each.
    """
    length = settings.window_length
    stride = (settings.stride or settings.num_patches) * settings.patch_length
    window: np.ndarray | None = None
    start = filled = skip = 0
    for chunk in chunks:
        position = 0
        while position < chunk.shape[1]:
            if skip:
                step = min(skip, chunk.shape[1] - position)
                skip, position = skip - step, position + step
                continue
            if window is None:
                window = np.empty((len(chunk), length), np.float32)
            step = min(length - filled, chunk.shape[1] - position)
            window[:, filled : filled + step] = chunk[:, position : position + step]
            filled, position = filled + step, position + step
            if filled == length:
                yield start, window
                overlap = window[:, stride:].copy()
                window = np.empty_like(window)
                filled, skip = overlap.shape[1], max(stride - length, 0)
                window[:, :filled] = overlap
                start += stride
    patches = filled // settings.patch_length
    already_given = (length - stride) // settings.patch_length if start else 0
    if settings.remainder == "shorter" and window is not None and patches > max(already_given, 0):
        yield start, window[:, : patches * settings.patch_length].copy()


class SeizureLabeller:
    """Labels the patches of one recording.

    Parameters
    ----------
    seizures : Sequence[tuple[float, float, Sequence[str] | None]]
        `(onset_s, offset_s, channels or None)` of the recording; they may overlap and pass its ends.
    contacts : Sequence[Sequence[str]]
        For each channel of the windows, the recorded channels it comes from. A channel is in a seizure when one of
        them is.
    patch_s : float
        Length of a patch [s].
    overlap : float
        Fraction of a patch that must lie inside a seizure.
    """

    def __init__(
        self,
        seizures: Sequence[tuple[float, float, Sequence[str] | None]],
        contacts: Sequence[Sequence[str]],
        patch_s: float,
        overlap: float = 0.5,
    ) -> None:
        self._patch_s = patch_s
        self._needed_s = overlap * patch_s - OVERLAP_TOLERANCE_S
        rows_by_seizures: dict[tuple[int, ...], list[int]] = {}
        for row, names in enumerate(contacts):
            concerned = tuple(
                i
                for i, (_, _, channels) in enumerate(seizures)
                if channels is None or not set(names).isdisjoint(channels)
            )
            rows_by_seizures.setdefault(concerned, []).append(row)
        self._channels = len(contacts)
        self._groups = [
            (rows, _union([seizures[i][:2] for i in concerned])) for concerned, rows in rows_by_seizures.items()
        ]

    def label(self, start_s: float, num_patches: int) -> np.ndarray:
        """Labels `(channels, num_patches)` int8, 1 for seizure, of the patches that begin at `start_s`."""
        begin = start_s + np.arange(num_patches) * self._patch_s
        labels = np.zeros((self._channels, num_patches), np.int8)
        for rows, stretches in self._groups:
            inside = np.zeros(num_patches)
            for onset, offset in stretches:
                inside += np.clip(np.minimum(begin + self._patch_s, offset) - np.maximum(begin, onset), 0, None)
            labels[rows] = inside >= self._needed_s
        return labels


def _union(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge stretches that touch, so that none of their time counts twice."""
    merged: list[tuple[float, float]] = []
    for onset, offset in sorted(stretches):
        if merged and onset <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], offset))
        else:
            merged.append((onset, offset))
    return merged
