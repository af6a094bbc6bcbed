"""What became of the seconds of a recording when it was cut into windows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Seconds:
    """Counts patches of windows by what became of them; a patch that several windows hold counts once.

    Attributes
    ----------
    patch_length : int
        Samples of a patch.
    patch_s : float
        Length of a patch [s].
    flat_threshold : float
        A patch whose peak-to-peak amplitude is at most this [microvolts] is flat.
    """

    patch_length: int
    patch_s: float
    flat_threshold: float
    _covered: int = field(default=0, init=False)
    _patches: int = field(default=0, init=False)
    _lost: float = field(default=0.0, init=False)
    _uncertain: float = field(default=0.0, init=False)
    _flat: float = field(default=0.0, init=False)

    def count(self, start: int, values: np.ndarray, lost: np.ndarray, uncertain: np.ndarray) -> None:
        """Count the patches of the next window.

        Parameters
        ----------
        start : int
            First sample of the window.
        values : np.ndarray
            `(channels, samples)` [microvolts], NaN where missing.
        lost : np.ndarray
            `(channels, patches)` bool, those that miss too many samples to count.
        uncertain : np.ndarray
            `(channels, patches)` bool, those of which nobody knows whether they are seizure.
        """
        new = slice(max(self._covered - start, 0) // self.patch_length, None)
        self._covered = max(self._covered, start + values.shape[1])
        pieces = values.reshape(len(values), -1, self.patch_length)[:, new]
        is_flat = pieces.max(axis=2) - pieces.min(axis=2) <= self.flat_threshold
        lost, uncertain = lost[:, new], uncertain[:, new]
        self._patches += lost.shape[1]
        self._lost += lost.mean(axis=0).sum()
        self._uncertain += (uncertain & ~lost).mean(axis=0).sum()
        self._flat += (is_flat & ~lost).mean(axis=0).sum()

    def of(self, duration: float, between: float = 0.0) -> dict[str, float]:
        """Tell what became of a recording, in seconds, means over its channels.

        Parameters
        ----------
        duration : float
            Length of the recording [s].
        between : float
            Part of it, in long gaps, in which no window was cut.

        Returns
        -------
        dict[str, float]
            `"gaps"`: in no window, or without a label, as samples are missing; `"outside"`: not reached by a window,
            as a rule the end; of what is in windows, `"uncertain"` (label -100) and `"flat"`.
        """
        patches = {"gaps": self._lost, "uncertain": self._uncertain, "flat": self._flat}
        seconds = {name: float(count) * self.patch_s for name, count in patches.items()}
        seconds["gaps"] += between
        seconds["outside"] = max(duration - between - self._patches * self.patch_s, 0.0)
        return {name: round(value, 3) for name, value in seconds.items()}
