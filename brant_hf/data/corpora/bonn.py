"""Bonn sets C, D and E: single-channel intracranial recordings of 23.6 s.

Corpus: Andrzejak et al., "Indications of nonlinear deterministic and finite-dimensional structures in time series of
brain electrical activity", Phys. Rev. E 64, 061907 (2001). Get it from the Nonlinear Time Series Analysis group of
Universitat Pompeu Fabra (upf.edu/web/ntsa, downloads): one archive of 100 text files for each set. Licence: none
stated; free for research, cite the paper. Sets A and B are scalp EEG of healthy people and are not read.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..recordings.opening import recording_of_source
from ..recordings.recording import Recording
from ..recordings.source import Source
from .folders import by_number, corpus_folder, unknown_layout

_SAMPLING_RATE = 173.61
_LETTERS = {"C": "N", "D": "F", "E": "S"}
_LAYOUT = "text files `N001.TXT`, ... (set C), `F001.txt`, ... (set D), `S001.txt`, ... (set E), in folders or not"


@dataclass
class _TextReader:
    path: Path

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        return _samples(self.path)[None, start:stop][channels]


def load_bonn(folder: str | os.PathLike, sets: Sequence[str] = ("C", "D", "E")) -> list[Recording]:
    """Load the intracranial sets of the Bonn corpus.

    Set C (files `N...`) is from the hippocampus opposite to the epileptogenic zone and D (`F...`) from within that
    zone, both between seizures; E (`S...`) is during seizures, so the whole recording is one. Values are microvolts at
    173.61 Hz.

    The five patients are the same in all sets, and which file is whose is not published: every recording has the
    subject `"bonn"`, so that no split by subject can put one patient on both sides. A split by recording can.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds the text files, directly or in folders below.
    sets : list[str], default ("C", "D", "E")
        Sets to read.

    Returns
    -------
    list[Recording]
        Named `C-N001` and so on, in the order of the files.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        A set asked for is not there or not intracranial, or a file holds no numbers.
    """
    unknown = [name for name in sets if name not in _LETTERS]
    if unknown or not sets:
        raise ValueError(f"sets is {list(sets)}; choose some of 'C', 'D', 'E' (A and B are scalp EEG)")
    root = corpus_folder(folder, _LAYOUT)
    recordings: list[Recording] = []
    for name in sets:
        pattern = re.compile(rf"{_LETTERS[name]}\d{{3}}\.txt", re.IGNORECASE)
        files = sorted((path for path in root.rglob("*") if pattern.fullmatch(path.name)), key=by_number)
        if not files:
            raise unknown_layout(root, f"{_LAYOUT}; set {name} ({_LETTERS[name]}001.txt, ...) is missing")
        recordings.extend(_recording(path, name) for path in files)
    return recordings


def _recording(path: Path, set_name: str) -> Recording:
    count = _samples(path).size
    source = Source(
        name=f"{set_name}-{path.stem.upper()}",
        subject="bonn",
        num_samples=count,
        channel_count=1,
        sampling_rate=_SAMPLING_RATE,
        read=_TextReader(path),
        unit="uV",
        path=path,
    )
    return recording_of_source(source, seizures=[(0.0, count / _SAMPLING_RATE)] if set_name == "E" else [])


def _samples(path: Path) -> np.ndarray:
    try:
        samples = np.array(path.read_text().split(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path} holds something else than numbers ({error}); expected one number a line") from error
    if samples.size == 0:
        raise ValueError(f"{path} is empty; expected one number a line")
    return samples
