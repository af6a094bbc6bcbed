"""MAYO and FNUSA: single-channel clips of 3 s, classified by experts.

Corpus: Nejedly et al., "Multicenter intracranial EEG dataset for classification of graphoelements and artifactual
signals", Scientific Data 7:179 (2020), doi:10.1038/s41597-020-0532-5, which links the data on figshare, one archive
for each hospital. Licence: stated on the figshare pages; cite the paper.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..recordings.readers.mat_files import read_variables
from .folders import corpus_folder, unknown_layout

Protocol = Literal["paper", "brain4fms"]

_LAYOUT = "`segments.csv` and a folder `DATASET_MAYO` or `DATASET_FNUSA` of `.mat` files, as the archives hold them"
_CLIP_SECONDS, _CLIP_LENGTH = 3.0, 15000
_POWER_LINE_NOISE, _PATHOLOGY = 0, 2

# Subjects and groups of the published evaluation of Brant; the others lack one of the categories.
_GROUPS = {
    "MAYO": ((0, 18, 21), (1, 9, 19), (2, 5, 16), (3, 4, 23), (6, 7, 8), (14, 17, 20)),
    "FNUSA": ((1, 5), (2, 9), (3, 4, 12), (6, 7), (8, 10), (11, 13)),
}
# Brain4FMs takes the same subjects, those of FNUSA in five groups, of which the last ones test.
_BRAIN4FMS_GROUPS = {"MAYO": _GROUPS["MAYO"], "FNUSA": ((1, 5), (3, 4, 12), (2, 6, 7), (8, 10), (9, 11, 13))}
_BRAIN4FMS_TEST_GROUPS = {"MAYO": 2, "FNUSA": 1}
_PROTOCOLS = ("paper", "brain4fms")


@dataclass
class ClipRows(Sequence):
    """Window rows that are read from disk one at a time.

    `datasets.Dataset.from_generator(lambda: iter(rows))` stores them.

    A row is a `dict` with `input_values` (1, num_patches * patch_length) float32, `labels` (1, num_patches) int8,
    `subject`, `recording`, `start` (0 s), `channel_names` and `sampling_rate`.
    """

    corpus: str
    data: Path
    segments: list[dict[str, str]]
    protocol: Protocol = "paper"
    num_patches: int = 15
    patch_length: int = 1500

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, segments=self.segments[index])
        return self._row(self.segments[index])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(segment) for segment in self.segments)

    def _row(self, segment: dict[str, str]) -> dict[str, Any]:
        name = segment["segment_id"].removesuffix(".mat")
        label = int(int(segment["category_id"]) == _PATHOLOGY)
        clip, samples = _clip(self.data / f"{name}.mat", self.protocol), self.num_patches * self.patch_length
        return {
            "input_values": np.interp(np.linspace(0, len(clip) - 1, samples), np.arange(len(clip)), clip).astype(
                np.float32
            )[None],
            "labels": np.full((1, self.num_patches), label, dtype=np.int8),
            "subject": f"{self.corpus}-{segment['patient_id']}",
            "recording": name,
            "start": 0.0,
            "channel_names": [segment.get("channel") or "CH1"],
            "sampling_rate": samples / _CLIP_SECONDS,
        }


def load_mayo_fnusa(
    folder: str | os.PathLike,
    subjects: Sequence[int] | None = None,
    *,
    protocol: Protocol = "paper",
    num_patches: int = 15,
    patch_length: int = 1500,
) -> ClipRows:
    """Load the clips of MAYO or of FNUSA, as the published evaluation of Brant or as Brain4FMs makes them.

    `"paper"`: each clip of 15000 samples at 5000 Hz is interpolated linearly to 22500 samples, and so makes 15 patches
    of 1500 samples at 7500 Hz. The published evaluation gives these to the model as they are, not resampled to its
    250 Hz. `"brain4fms"` (arXiv 2602.11558 and its code): every fifth sample, so 1000 Hz, low-pass below 333 Hz, notch
    at 60 Hz; how a model reads these is its own matter, and they are interpolated here as in the paper.

    Clips of power-line noise (category 0) are left out; pathology (2) is labelled seizure, noise (1) and physiology
    (3) background, in both. Values stay as stored; the corpus does not state their unit.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds `segments.csv` (columns `segment_id`, `patient_id`, `category_id`, ...) and `DATASET_MAYO/ID.mat` or
        `DATASET_FNUSA/ID.mat` (variable `data`).
    subjects : Sequence[int] or None
        Subjects to take; those of the published evaluation by default. `mayo_fnusa_folds` gives its splits.
    protocol : str
        `"paper"` or `"brain4fms"`.
    num_patches, patch_length : int
        What a clip is interpolated to: patches of a window, and samples of a patch of the model.

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
    _check_protocol(protocol)
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
    return ClipRows(corpus, data[0], segments, protocol, num_patches, patch_length)


def mayo_fnusa_folds(corpus: Literal["MAYO", "FNUSA"], protocol: Protocol = "paper") -> list[dict[str, list[int]]]:
    """Return the splits by subject of the published evaluation of Brant, or of Brain4FMs.

    `"paper"`: the subjects form six groups; each is the test group once, the group before it validates, the other four
    train. `"brain4fms"`: of the groups in their order, rotated once for each fold, the first three train, the next
    validates, and the rest test: two of six groups of MAYO, one of five of FNUSA.

    Parameters
    ----------
    corpus : str
        `"MAYO"` or `"FNUSA"`.
    protocol : str
        `"paper"` or `"brain4fms"`.

    Returns
    -------
    list[dict[str, list[int]]]
        Subjects for `"train"`, `"validation"` and `"test"`.
    """
    _check_protocol(protocol)
    if corpus not in _GROUPS:
        raise ValueError(f"corpus is {corpus!r}; choose {' or '.join(map(repr, _GROUPS))}")
    is_paper = protocol == "paper"
    groups = (_GROUPS if is_paper else _BRAIN4FMS_GROUPS)[corpus]
    tested = 1 if is_paper else _BRAIN4FMS_TEST_GROUPS[corpus]
    order = [list(np.roll(np.arange(len(groups)), shift)) for shift in range(len(groups))]
    ends = len(groups) - tested
    parts = [{"train": each[: ends - 1], "validation": [each[ends - 1]], "test": each[ends:]} for each in order]
    return [
        {name: [subject for number in sorted(numbers) for subject in groups[number]] for name, numbers in fold.items()}
        for fold in parts
    ]


def _check_protocol(protocol: str) -> None:
    if protocol not in _PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}; choose {' or '.join(map(repr, _PROTOCOLS))}")


def _read_segments(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        segments = list(csv.DictReader(file))
    needed = {"segment_id", "patient_id", "category_id"}
    if not segments or not needed <= segments[0].keys():
        columns = ", ".join(segments[0]) if segments else "no rows"
        raise ValueError(f"{path} has {columns}; expected the columns {', '.join(sorted(needed))}")
    return segments


def _clip(path: Path, protocol: str) -> np.ndarray:
    """Return the samples of a clip as its protocol makes them."""
    variables = read_variables(path, ["data"])
    if "data" not in variables:
        raise ValueError(f"{path} has no variable `data`; expected a clip of 3 s")
    clip = np.asarray(variables["data"], dtype=np.float64).reshape(-1)
    if clip.size != _CLIP_LENGTH:
        raise ValueError(f"{path} has {clip.size} samples; clips have {_CLIP_LENGTH}, 3 s at 5000 Hz")
    return _as_brain4fms(clip) if protocol == "brain4fms" else clip


def _as_brain4fms(clip: np.ndarray) -> np.ndarray:
    """As `data_preprocess/mf_preprocess` of its code does it."""
    from scipy import signal

    rate = _CLIP_LENGTH / 5 / _CLIP_SECONDS
    low_passed = signal.filtfilt(*signal.butter(4, rate / 3, fs=rate), clip[::5])
    return signal.lfilter(*signal.iirnotch(60, 30, rate), low_passed)
