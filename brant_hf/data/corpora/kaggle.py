"""UPenn and Mayo Clinic's Seizure Detection Challenge: clips of 1 s from four dogs and eight patients.

Corpus: kaggle.com/c/seizure-detection (2014), file `clips.tar.gz`; also on ieeg.org. Licence: the rules of the
competition, accepted at the download; research use, with citation of Baldassano et al., "Crowdsourcing seizure
detection", Brain 140:1680 (2017).
"""

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from ..recordings.opening import recording_of_source
from ..recordings.readers.mat_files import read_variables
from ..recordings.recording import Recording
from ..recordings.source import Source
from .folders import by_number, corpus_folder, subject_folders, unknown_layout

_LAYOUT = (
    "folders `Dog_1`, ..., `Patient_1`, ... with `Dog_1_ictal_segment_1.mat`, `Dog_1_interictal_segment_1.mat`, ..."
)
_SUBJECT = re.compile(r"(Dog|Patient)_\d+")
# Where the signal goes on, the step over the joint is as large as the steps before it; elsewhere it is as large as
# the signal.
_LARGEST_STEP_OF_A_JOINT = 4.0


@dataclass
class _Clip:
    """What is needed of one clip to join it to others."""

    path: Path
    rate: float
    channel_names: list[str]
    num_samples: int
    latency: float | None
    first: np.ndarray
    last: np.ndarray
    usual_step: np.ndarray


@dataclass
class _ClipsReader:
    paths: list[Path]
    starts: list[int]

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        pieces = []
        for number in range(bisect_right(self.starts, start) - 1, len(self.paths)):
            begin = self.starts[number]
            if begin >= stop:
                break
            pieces.append(_variables(self.paths[number])["data"][channels, max(start - begin, 0) : stop - begin])
        return np.concatenate(pieces, axis=1)


def load_kaggle_seizure_detection(folder: str | os.PathLike, subjects: Sequence[str] = ("*",)) -> list[Recording]:
    """Load the labelled clips, joined to recordings.

    Ictal clips are joined to whole seizures: `latency` counts the seconds since the onset, and a new seizure begins
    where it does not go on. The recording is seizure from its beginning to its end. Interictal clips are joined where
    the signal goes on from one to the next. Unlabelled `test` clips are not read. Values are taken as microvolts, at
    the rate `freq` of the clips (400 to 5000 Hz).

    Every clip is read once to join them, which takes a minute or two for the whole corpus.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds the folders of the subjects, or is one of them.
    subjects : Sequence[str]
        Names or patterns of subjects to read: `("Patient_*",)` leaves out the dogs.

    Returns
    -------
    list[Recording]
        Named by the first clip of each (`Patient_1_ictal_segment_1`).

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The folder has another layout, a clip is damaged, or no subject matches.
    """
    root = corpus_folder(folder, _LAYOUT)
    folders = subject_folders(root, _SUBJECT)
    if not folders:
        raise unknown_layout(root, _LAYOUT)
    chosen = [path for path in folders if any(fnmatchcase(path.name, pattern) for pattern in subjects)]
    if not chosen:
        raise ValueError(f"no subject matches {list(subjects)}; there are {[path.name for path in folders]}")
    recordings: list[Recording] = []
    for path in chosen:
        ictal, interictal = (_clips(path, kind) for kind in ("ictal", "interictal"))
        if not ictal and not interictal:
            raise unknown_layout(path, _LAYOUT)
        recordings.extend(_joined(clips, path.name, seizure=True) for clips in _runs(ictal, _same_seizure))
        recordings.extend(_joined(clips, path.name, seizure=False) for clips in _runs(interictal, _signal_goes_on))
    return recordings


def _clips(folder: Path, kind: str) -> list[_Clip]:
    return [_clip(path) for path in sorted(folder.glob(f"{folder.name}_{kind}_segment_*.mat"), key=by_number)]


def _clip(path: Path) -> _Clip:
    variables = _variables(path)
    signal = np.asarray(variables["data"], dtype=np.float64)
    latency = variables.get("latency")
    return _Clip(
        path=path,
        rate=float(np.ravel(variables["freq"])[0]),
        channel_names=_channel_names(variables.get("channels"), len(signal)),
        num_samples=signal.shape[1],
        latency=None if latency is None else float(np.ravel(latency)[0]),
        first=signal[:, 0],
        last=signal[:, -1],
        usual_step=np.sqrt(np.mean(np.diff(signal, axis=1) ** 2, axis=1)),
    )


def _variables(path: Path) -> dict[str, Any]:
    variables = read_variables(path, ["data", "freq", "channels", "latency"])
    if not {"data", "freq"} <= variables.keys() or np.ndim(variables["data"]) != 2:
        raise ValueError(f"{path} lacks a matrix `data` or `freq`; expected a clip of the seizure detection challenge")
    return variables


def _channel_names(channels: Any, count: int) -> list[str]:
    # The names are those of the fields of a structure.
    names = list(channels.dtype.names or []) if isinstance(channels, np.ndarray) else []
    return names if len(names) == count else [f"CH{index + 1}" for index in range(count)]


def _same_seizure(before: _Clip, after: _Clip) -> bool:
    if before.latency is None or after.latency is None:
        return False
    expected = before.latency + before.num_samples / before.rate
    return abs(after.latency - expected) < 0.5 * before.num_samples / before.rate


def _signal_goes_on(before: _Clip, after: _Clip) -> bool:
    if before.first.size != after.first.size:
        return False
    usual = np.maximum(before.usual_step, after.usual_step)
    step = np.abs(after.first - before.last)
    moving = usual > 0
    return bool(moving.any()) and float(np.median(step[moving] / usual[moving])) < _LARGEST_STEP_OF_A_JOINT


def _runs(clips: list[_Clip], go_on: Any) -> list[list[_Clip]]:
    runs: list[list[_Clip]] = []
    for clip in clips:
        if runs and runs[-1][-1].rate == clip.rate and go_on(runs[-1][-1], clip):
            runs[-1].append(clip)
        else:
            runs.append([clip])
    return runs


def _joined(clips: list[_Clip], subject: str, seizure: bool) -> Recording:
    starts = np.cumsum([0, *(clip.num_samples for clip in clips)]).tolist()
    source = Source(
        name=clips[0].path.stem,
        subject=subject,
        num_samples=starts[-1],
        channel_count=len(clips[0].channel_names),
        sampling_rate=clips[0].rate,
        channel_names=clips[0].channel_names,
        read=_ClipsReader([clip.path for clip in clips], starts[:-1]),
        unit="uV",
        path=clips[0].path,
    )
    return recording_of_source(source, seizures=[(0.0, starts[-1] / clips[0].rate)] if seizure else [], unit="uV")
