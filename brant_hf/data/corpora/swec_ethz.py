"""SWEC: recordings of the Sleep-Wake-Epilepsy-Center of the Inselspital Bern, in three releases.

The newest is `NeuroTec/SWEC_iEEG_Dataset` on the Hub, 9328 hours with 704 seizures in 68 folders (Carzaniga et al.,
arXiv 2506.20354; licence CDLA-Permissive-2.0, research only); 18 of the folders are copies, so there are 50 patients,
6672 hours and 460 seizures. How its files are read is in `brant_hf.data.recordings.readers.swec`.

SWEC-ETHZ: short-term, 100 seizures of 16 patients (Burrello et al., BioCAS 2018 and IEEE TBME 2020); long-term, 2656
hours with 116 seizures of 18 patients (Burrello et al., DATE 2019). Get them from ieeg-swez.ethz.ch, one archive for
each patient. Licence: free of charge for research and education only, with citation of the papers. Signals are
median-referenced and filtered from 0.5 to 150 Hz (long-term 120 Hz); contacts are not named.
"""

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from string import ascii_letters

import numpy as np

from ...listing import listed
from ...user_warnings import warn
from ..recordings.opening import open_recording, recording_of_source
from ..recordings.readers.mat_files import MatReader, read_variables, variable_shapes
from ..recordings.readers.swec import SwecIndex, copy_of, is_swec_recording, swec_index
from ..recordings.recording import Recording
from ..recordings.source import Source
from .folders import by_number, corpus_folder, subject_folders, unknown_layout

_SHORT_TERM_RATE = 512.0
_SHORT_TERM_MARGIN_S = 180.0
_HOUR_S = 3600.0
_SHORT_TERM_LAYOUT = "folders `ID1`, `ID2`, ... with a file `Sz1.mat`, `Sz2.mat`, ... for each seizure"
_LONG_TERM_LAYOUT = (
    "folders `ID01`, `ID02`, ... with `ID01_info.mat` and a file `ID01_1h.mat`, `ID01_2h.mat`, ... for each hour"
)
_HUB_LAYOUT = "folders `ID01`, `ID02`, ... with `ID01_total.h5` and `ID01_part_1.h5`, `ID01_part_2.h5`, ..."
# A subject too large for one archive comes as `ID3a`, `ID3b`.
_SUBJECT = re.compile(r"(ID\d+)[a-z]?", re.IGNORECASE)


def load_swec_hub(folder: str | os.PathLike, subjects: Sequence[str] = ("*",)) -> list[Recording]:
    """Load the release on the Hub: one recording of days for each subject, read chunk by chunk.

    `huggingface_hub.snapshot_download("NeuroTec/SWEC_iEEG_Dataset", repo_type="dataset", allow_patterns="ID24/*",
    local_dir=...)` gets a subject (tens of GB). Parts that are not there are gaps, with a warning that names them.
    Without its total, each part of a subject is a recording whose seizures are not known. A folder that is a copy of
    another one that is there is left out with a warning, since it would count as another subject.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds the folders of the subjects, or is one of them.
    subjects : Sequence[str]
        Names or patterns of subjects to read: `("ID2?",)`.

    Returns
    -------
    list[Recording]
        Named `ID24_total` and so on.

    Raises
    ------
    FileNotFoundError
        There is no such folder, or no part of a recording is there.
    ImportError
        h5py or hdf5plugin is not installed.
    ValueError
        The folder has another layout, no subject matches, or a file is damaged.
    """
    return [open_recording(path) for path in _hub_recordings(folder, subjects)]


def index_swec_hub(folder: str | os.PathLike, subjects: Sequence[str] = ("*",)) -> list[SwecIndex]:
    """Read what the totals of the release on the Hub tell: parts, length and seizures of each subject.

    The totals are small, and no part has to be there. So this tells which parts to download.

    Parameters
    ----------
    folder, subjects : str or os.PathLike, Sequence[str]
        As of `load_swec_hub`. Copies are left out in the same way.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ImportError
        h5py is not installed.
    ValueError
        The folder has another layout, no subject matches, or one has no total.
    """
    return [swec_index(path) for path in _hub_recordings(folder, subjects)]


def _hub_recordings(folder: str | os.PathLike, subjects: Sequence[str]) -> list[Path]:
    """Return the files of the subjects that are asked for, without copies."""
    root = corpus_folder(folder, _HUB_LAYOUT)
    folders = subject_folders(root, _SUBJECT)
    files = [path for each in folders for path in sorted(each.iterdir(), key=by_number) if is_swec_recording(path)]
    if not files:
        raise unknown_layout(root, _HUB_LAYOUT)
    chosen = [path for path in files if any(fnmatchcase(path.parent.name, pattern) for pattern in subjects)]
    if not chosen:
        names = listed(dict.fromkeys(path.parent.name for path in files))
        raise ValueError(f"no subject matches {list(subjects)}; there are {names}")
    copies = {path: other for path in chosen if (other := copy_of(path)) in chosen}
    if copies:
        pairs = listed(f"{copy.parent.name} of {other.parent.name}" for copy, other in copies.items() if other)
        warn(f"{root}: folders that are copies of others are left out: {pairs}")
    return [path for path in chosen if path not in copies]


def load_swec_ethz_short_term(folder: str | os.PathLike) -> list[Recording]:
    """Load the short-term corpus: one recording for each seizure.

    Each file holds the matrix `EEG` (samples, channels) at 512 Hz: 3 minutes before the seizure, the seizure, 3
    minutes after it. The seizure is on all channels. Values are taken as microvolts.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds the folders of the subjects, or is one of them.

    Returns
    -------
    list[Recording]
        Named `ID1-Sz1` and so on.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The folder has another layout, or a file is damaged or too short.
    """
    root = corpus_folder(folder, _SHORT_TERM_LAYOUT)
    recordings = []
    for subject_folder in subject_folders(root, _SUBJECT):
        subject = _subject(subject_folder)
        files = (path for path in subject_folder.iterdir() if re.fullmatch(r"sz\d+\.mat", path.name.lower()))
        for path in sorted(files, key=by_number):
            source = _source(path, f"{subject}-{path.stem}", subject, _SHORT_TERM_RATE)
            duration = source.num_samples / _SHORT_TERM_RATE
            if duration <= 2 * _SHORT_TERM_MARGIN_S:
                raise ValueError(
                    f"{path} lasts {duration:.1f} s; expected a seizure between 3 minutes before and 3 minutes after "
                    "it"
                )
            seizure = (_SHORT_TERM_MARGIN_S, duration - _SHORT_TERM_MARGIN_S)
            recordings.append(recording_of_source(source, seizures=[seizure], unit="uV"))
    if not recordings:
        raise unknown_layout(root, _SHORT_TERM_LAYOUT)
    return recordings


def load_swec_ethz_long_term(folder: str | os.PathLike) -> list[Recording]:
    """Load the long-term corpus: one recording for each hour.

    `ID01_info.mat` holds the sampling rate `fs` (512 or 1024 Hz) and `seizure_begin`, `seizure_end` in seconds from
    the start of the first hour; `ID01_1h.mat` holds the matrix `EEG` (channels, samples). A seizure over the full hour
    is cut there, into two recordings. Values are taken as microvolts.

    Hours stored as MATLAB 7.3 are read piece by piece. Older files are compressed and are loaded an hour at a time.

    Parameters
    ----------
    folder : str or os.PathLike
        Holds the folders of the subjects, or is one of them. Hours that were not downloaded are passed over.

    Returns
    -------
    list[Recording]
        Named `ID01_1h` and so on.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The folder has another layout, or a file is damaged.
    """
    root = corpus_folder(folder, _LONG_TERM_LAYOUT)
    recordings = []
    for subject_folder in subject_folders(root, _SUBJECT):
        infos = list(subject_folder.glob("*_info.mat"))
        if not infos:
            continue
        subject = _subject(subject_folder)
        rate, seizures = _info(infos[0])
        hours = [
            (path, match) for path in subject_folder.glob("*.mat") if (match := re.search(r"_(\d+)h\.mat$", path.name))
        ]
        if not hours:
            warn(f"{subject_folder} holds no hour of {subject} (`{subject}_1h.mat`, ...); passed over")
        for path, match in sorted(hours, key=lambda hour: int(hour[1][1])):
            source = _source(path, path.stem, subject, rate)
            begin = (int(match[1]) - 1) * _HOUR_S
            inside = _seizures_inside(seizures, begin, begin + source.num_samples / rate)
            recordings.append(recording_of_source(source, seizures=inside, unit="uV"))
    if not recordings:
        raise unknown_layout(root, _LONG_TERM_LAYOUT)
    return recordings


def _subject(folder: Path) -> str:
    return folder.name.rstrip(ascii_letters).upper()


def _source(path: Path, name: str, subject: str, rate: float) -> Source:
    shape = variable_shapes(path).get("EEG")
    if shape is None or len(shape) != 2 or 0 in shape:
        raise ValueError(f"{path} has no matrix `EEG`; its variables are {variable_shapes(path)}")
    # The two corpora turn the matrix differently; there are far more samples than channels in both.
    samples_first = shape[0] > shape[1]
    return Source(
        name=name,
        subject=subject,
        num_samples=max(shape),
        channel_count=min(shape),
        sampling_rate=rate,
        read=MatReader(path, "EEG", samples_first),
        unit="uV",
        path=path,
    )


def _info(path: Path) -> tuple[float, list[tuple[float, float]]]:
    """Return the sampling rate [Hz] and seizures [s from the start of the first hour]."""
    variables = read_variables(path, ["fs", "seizure_begin", "seizure_end"])
    missing = {"fs", "seizure_begin", "seizure_end"} - variables.keys()
    if missing:
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}; expected fs, seizure_begin and seizure_end")
    begins, ends = (np.ravel(variables[name]).astype(float) for name in ("seizure_begin", "seizure_end"))
    if begins.size != ends.size:
        raise ValueError(f"{path} lists {begins.size} seizure onsets and {ends.size} offsets")
    return float(np.ravel(variables["fs"])[0]), list(zip(begins.tolist(), ends.tolist(), strict=True))


def _seizures_inside(seizures: list[tuple[float, float]], begin: float, end: float) -> list[tuple[float, float]]:
    return [
        (max(onset, begin) - begin, min(offset, end) - begin)
        for onset, offset in seizures
        if onset < end and offset > begin
    ]
