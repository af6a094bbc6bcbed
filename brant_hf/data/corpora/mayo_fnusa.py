"""MAYO and FNUSA: single-channel clips of 3 s, classified by experts.

Corpus: Nejedly et al., "Multicenter intracranial EEG dataset for classification of graphoelements and artifactual
signals", Scientific Data 7:179 (2020), doi:10.1038/s41597-020-0532-5, which links the data on figshare, one archive
for each hospital. Licence: stated on the figshare pages; cite the paper.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..recordings.readers.mat_files import read_variables
from .folders import corpus_folder, unknown_layout

_LAYOUT = "`segments.csv` and a folder `DATASET_MAYO` or `DATASET_FNUSA` of `.mat` files, as the archives hold them"
_CLIP_SECONDS = 3.0
_NUM_PATCHES, _PATCH_LENGTH = 15, 1500
_POWER_LINE_NOISE, _PATHOLOGY = 0, 2

# Subjects and groups of the published evaluation; the others lack one of the categories.
_GROUPS = {
    "MAYO": ((0, 18, 21), (1, 9, 19), (2, 5, 16), (3, 4, 23), (6, 7, 8), (14, 17, 20)),
    "FNUSA": ((1, 5), (2, 9), (3, 4, 12), (6, 7), (8, 10), (11, 13)),
}


@dataclass
class ClipRows(Sequence):
    """Window rows that are read from disk one at a time.

    `datasets.Dataset.from_generator(lambda: iter(rows))` stores them.

    A row is a `dict` with `input_values` (1, 22500) float32, `labels` (1, 15) int8, `subject`, `recording`, `start` (0
    s), `channel_names` and `sampling_rate`.
    """

    corpus: str
    data: Path
    segments: list[dict[str, str]]

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ClipRows(self.corpus, self.data, self.segments[index])
        return self._row(self.segments[index])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(segment) for segment in self.segments)

    def _row(self, segment: dict[str, str]) -> dict[str, Any]:
        name = segment["segment_id"].removesuffix(".mat")
        label = int(int(segment["category_id"]) == _PATHOLOGY)
        return {
            "input_values": _clip(self.data / f"{name}.mat"),
            "labels": np.full((1, _NUM_PATCHES), label, dtype=np.int8),
            "subject": f"{self.corpus}-{segment['patient_id']}",
            "recording": name,
            "start": 0.0,
            "channel_names": [segment.get("channel") or "CH1"],
            "sampling_rate": _NUM_PATCHES * _PATCH_LENGTH / _CLIP_SECONDS,
        }


def load_mayo_fnusa(folder: str | os.PathLike, subjects: Sequence[int] | None = None) -> ClipRows:
    """Load the clips of MAYO or of FNUSA, by the protocol of the published evaluation of Brant.

    Each clip of 15000 samples at 5000 Hz is interpolated linearly to 22500 samples, and so makes 15 patches of 1500
    samples at 7500 Hz. The published evaluation gives these to the model as they are, not resampled to its 250 Hz.
    Clips of power-line noise (category 0) are left out; pathology (2) is labelled seizure, noise (1) and physiology
    (3) background. Values stay as stored; the corpus does not state their unit.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds `segments.csv` (columns `segment_id`, `patient_id`, `category_id`, ...) and `DATASET_MAYO/ID.mat` or
        `DATASET_FNUSA/ID.mat` (variable `data`).
    subjects : Sequence[int] or None
        Subjects to take; those of the published evaluation by default. `mayo_fnusa_folds` gives its splits.

    Returns
    -------
    ClipRows
        A sequence of window rows, read from disk when asked for.

    Raises
    ------
    FileNotFoundError
        The folder, or the file of a clip, is missing.
    ValueError
        The folder has another layout, or no clip is left.
    """
    root = corpus_folder(folder, _LAYOUT)
    data = sorted(path for path in root.glob("DATASET_*") if path.is_dir() and path.name[8:].upper() in _GROUPS)
    if len(data) != 1 or not (root / "segments.csv").is_file():
        raise unknown_layout(root, f"{_LAYOUT} (one hospital at a time)")
    corpus = data[0].name[8:].upper()
    wanted = {subject for group in _GROUPS[corpus] for subject in group} if subjects is None else set(subjects)
    segments = [
        segment
        for segment in _read_segments(root / "segments.csv")
        if int(segment["patient_id"]) in wanted and int(segment["category_id"]) != _POWER_LINE_NOISE
    ]
    if not segments:
        raise ValueError(
            f"{root / 'segments.csv'} lists no clip of the subjects {sorted(wanted)} other than power-line noise; "
            "take others"
        )
    held = {path.stem for path in data[0].glob("*.mat")}
    missing = [segment["segment_id"] for segment in segments if segment["segment_id"].removesuffix(".mat") not in held]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(segments)} clips of {root / 'segments.csv'} are not in {data[0]}, "
            f"{missing[0]}.mat the first of them; unpack the archive again"
        )
    return ClipRows(corpus, data[0], segments)


def mayo_fnusa_folds(corpus: Literal["MAYO", "FNUSA"]) -> list[dict[str, list[int]]]:
    """Return the six splits by subject of the published evaluation.

    The subjects form six groups; each is the test group once, the group before it validates, the other four train.

    Parameters
    ----------
    corpus : str
        `"MAYO"` or `"FNUSA"`.

    Returns
    -------
    list[dict[str, list[int]]]
        Subjects for `"train"`, `"validation"` and `"test"`.
    """
    if corpus not in _GROUPS:
        raise ValueError(f"corpus is {corpus!r}; choose {' or '.join(map(repr, _GROUPS))}")
    groups = _GROUPS[corpus]
    folds = []
    for test in reversed(range(len(groups))):
        validation = (test - 1) % len(groups)
        train = [group for number, group in enumerate(groups) if number not in (test, validation)]
        folds.append(
            {
                "train": [subject for group in train for subject in group],
                "validation": list(groups[validation]),
                "test": list(groups[test]),
            }
        )
    return folds


def _read_segments(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        segments = list(csv.DictReader(file))
    needed = {"segment_id", "patient_id", "category_id"}
    if not segments or not needed <= segments[0].keys():
        columns = ", ".join(segments[0]) if segments else "no rows"
        raise ValueError(f"{path} has {columns}; expected the columns {', '.join(sorted(needed))}")
    return segments


def _clip(path: Path) -> np.ndarray:
    """One clip as the model takes it, shape (1, 22500)."""
    variables = read_variables(path, ["data"])
    if "data" not in variables:
        raise ValueError(f"{path} has no variable `data`; expected a clip of 3 s")
    clip = np.asarray(variables["data"], dtype=np.float64).reshape(-1)
    places = np.linspace(0, clip.size - 1, _NUM_PATCHES * _PATCH_LENGTH)
    return np.interp(places, np.arange(clip.size), clip).astype(np.float32)[None]
