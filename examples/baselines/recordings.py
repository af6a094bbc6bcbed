"""Which windows follow each other in a recording."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from datasets import Dataset


@dataclass(frozen=True)
class Stretch:
    """Windows of one recording, with the same channels, that follow each other without a gap.

    Attributes
    ----------
    recording : tuple[str, str]
        Subject and name.
    rows : list[int]
        Of the dataset, in the order of time.
    duration : float
        Of all windows together [s].
    """

    recording: tuple[str, str]
    rows: list[int]
    duration: float


def find_stretches(windows: Dataset) -> list[Stretch]:
    """All stretches; every row is in exactly one."""
    columns = ["subject", "recording", "start", "sampling_rate", "channel_names", "input_values"]
    found: dict[tuple[str, str, tuple[str, ...]], list[tuple[float, float, int]]] = defaultdict(list)
    for index, row in enumerate(windows.select_columns(columns)):
        seconds = row["input_values"].shape[1] / row["sampling_rate"]
        found[row["subject"], row["recording"], tuple(row["channel_names"])].append((row["start"], seconds, index))
    stretches = []
    for (subject, recording, _), pieces in found.items():
        for run in _runs(sorted(pieces)):
            rows = [index for _, _, index in run]
            stretches.append(Stretch((subject, recording), rows, sum(seconds for _, seconds, _ in run)))
    return stretches


def join(windows: Dataset, stretch: Stretch) -> np.ndarray:
    """Signal (channels, samples) of a stretch in microvolts, NaN where it is missing."""
    return np.concatenate([windows[row]["input_values"] for row in stretch.rows], axis=1)


def _runs(pieces: list[tuple[float, float, int]]) -> list[list[tuple[float, float, int]]]:
    runs = [[pieces[0]]]
    for piece in pieces[1:]:
        start, seconds, _ = runs[-1][-1]
        # Starts are rounded in some sources; a patch is longer than this by far.
        if abs(start + seconds - piece[0]) < 1e-3:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs
