"""The formats of recordings: which suffix belongs to which reader. A new format is a reader and a line here."""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ...events.rows import read_event_rows
from ...events.vocabulary import EventRow
from ...files import check_fetched
from ...listing import listed
from ...user_warnings import warn
from .foreign import INSTEAD, REMEDIES, REMEDY
from .readers.arrays import npy_source, npz_source
from .readers.blackrock import blackrock_source
from .readers.brainvision import brainvision_source
from .readers.cnt import cnt_source
from .readers.curry import curry_source
from .readers.edf import edf_annotations, edf_source
from .readers.eeglab import eeglab_source
from .readers.egi import egi_source
from .readers.intan import INTAN_HEADER, holds_intan, intan_source
from .readers.mat import mat_source
from .readers.mef3 import mef3_source
from .readers.micromed import micromed_source
from .readers.mne_raw import mne_source
from .readers.neuralynx import holds_neuralynx, neuralynx_source
from .readers.nihon import nihon_source
from .readers.nwb import nwb_source
from .readers.open_ephys import holds_open_ephys, open_ephys_source
from .readers.persyst import persyst_source
from .readers.spike2 import spike2_source
from .readers.swec import swec_source
from .source import Source

# All others are for MNE-Python.
_READERS: dict[str, Callable[[Path], Source]] = {
    ".eeg": nihon_source,
    ".vhdr": brainvision_source,
    ".ahdr": brainvision_source,
    ".edf": edf_source,
    ".bdf": edf_source,
    ".cnt": cnt_source,
    ".cdt": curry_source,
    ".dap": curry_source,
    **{f".ns{kind}": blackrock_source for kind in range(1, 10)},
    ".lay": persyst_source,
    ".trc": micromed_source,
    ".ncs": neuralynx_source,
    ".rhd": intan_source,
    ".oebin": open_ephys_source,
    ".smr": spike2_source,
    ".mat": mat_source,
    ".mefd": mef3_source,
    ".mff": egi_source,
    ".set": eeglab_source,
    ".npy": npy_source,
    ".npz": npz_source,
    ".nwb": nwb_source,
    ".h5": swec_source,
}

# Characters.
_LONGEST_REASON = 400

# Formats that keep one recording in a folder.
FOLDER_SUFFIXES = (".mefd", ".mff", ".ds")
# Those whose folder may have any name, by the suffix of the files in it.
_FOLDERS_OF_FILES: dict[str, Callable[[Path], bool]] = {
    ".ncs": holds_neuralynx,
    ".rhd": holds_intan,
    ".oebin": holds_open_ephys,
}
# Files that stand for the folder in which they lie.
FOLDER_HEADERS = (INTAN_HEADER,)
# Suffixes that mostly hold something else, or a part of a recording: such files are opened only when named, or told by
# their whole name.
_ONLY_NAMED = (".mat", ".h5", ".ncs", ".oebin")
# Taken from a folder of recordings.
RECORDING_SUFFIXES = (
    ".gdf", ".fif", ".fif.gz", ".nedf",
    *FOLDER_SUFFIXES, *(suffix for suffix in _READERS if suffix not in (*FOLDER_SUFFIXES, *_ONLY_NAMED)),
)  # fmt: skip

# Files of a recording that its reader opens beside the one that is named.
_COMPANIONS = {
    ".set": (".fdt",),
    ".eeg": (".21e", ".pnt", ".log"),
    ".cdt": (".cdt.dpa", ".cdt.dpo", ".cdt.cef", ".cdt.ceo"),
    ".dap": (".dat", ".rs3", ".cef", ".ceo"),
    ".cnt": (".evt", ".seg"),
}


def is_recording_folder(path: Path) -> bool:
    """Whether a folder is itself one recording, as those of MEF3, EGI, CTF, Neuralynx, Intan and Open Ephys are."""
    return path.is_dir() and suffix_of(path) in (*FOLDER_SUFFIXES, *_FOLDERS_OF_FILES)


def read_events_of(path: Path, start: datetime | None) -> list[EventRow]:
    """Events that a user gives by a path.

    Parameters
    ----------
    path : Path
        A table as BIDS and SzCORE write it, or a recording with annotations (EDF+ also without signals).
    start : datetime or None
        When the recording began: annotations in a file of their own count from the start of that file.

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It holds no events in one of these forms.
    """
    if not is_recording_name(path):
        return read_event_rows(path)
    check_fetched(path)
    if _READERS.get(path.suffix.lower()) is edf_source:
        return edf_annotations(path, start)
    source = read_source(path)
    known = (source.start_date, start)
    began, from_ = (None if each is None else each.replace(tzinfo=None) for each in known)
    later = 0.0 if began is None or from_ is None else (began - from_).total_seconds()
    seizures = [_row_of(*seizure) for seizure in source.seizures]
    return [replace(event, onset=event.onset + later) for event in (*seizures, *source.events)]


def is_recording_name(path: Path) -> bool:
    """Whether the name of a file is that of a recording."""
    return path.name.lower().endswith((*RECORDING_SUFFIXES, *_ONLY_NAMED))


def _row_of(onset: float, offset: float | None, channels: list[str] | None = None) -> EventRow:
    """Seizure that a file states as such, as an event."""
    return EventRow(onset, math.nan if offset is None else offset - onset, "seizure", channels)


def read_source(path: Path, **options: object) -> Source:
    """Read what a file says of itself, with the reader of its format.

    Parameters
    ----------
    path : Path
        A file, or a folder that is one recording.
    options : object
        Keyword arguments of the reader that are not `None`; only those of NWB has any.

    Raises
    ------
    ImportError
        The format needs a package that is not installed.
    OSError
        The file, or one that belongs to it, cannot be read, or its content has not been fetched.
    ValueError
        The file is damaged, or does not hold what its suffix says, or is of no format of recordings.
    """
    _check_content(path)
    _tell_others(path)
    reader = _READERS.get(suffix_of(path), mne_source)
    given = {name: value for name, value in options.items() if value is not None}
    if given and reader is not nwb_source:
        warn(f"{path.name}: {listed(f'{name}=...' for name in given)} is for NWB files alone and changes nothing here")
        given = {}
    try:
        return reader(path, **given)
    except ImportError:
        raise
    except Exception as error:
        # Damaged files make readers fail in any way there is: BadZipFile, KeyError, struct.error, MemoryError, ...
        if path.suffix.lower() in INSTEAD and not path.name.lower().endswith(RECORDING_SUFFIXES):
            raise ValueError(f"{path} is not read as a recording; {INSTEAD[path.suffix.lower()]}") from error
        if isinstance(error, ValueError | OSError) and _is_named(str(error), path):
            raise
        raise _with_name(error, path) from error


def suffix_of(path: Path) -> str:
    """Suffix that tells the format; that of the files for a folder that may have any name."""
    suffix = path.suffix.lower()
    if suffix in FOLDER_SUFFIXES or not path.is_dir():
        return suffix
    return next((of_files for of_files, is_held in _FOLDERS_OF_FILES.items() if is_held(path)), suffix)


def _is_named(reason: str, path: Path) -> bool:
    """Whether an error begins with the file, or with one that lies beside it."""
    folder = f"{path.parent}{os.sep}"
    return "\n" not in reason and reason.startswith((str(path), str(path.with_suffix("")), folder))


def _with_name(error: Exception, path: Path) -> Exception:
    """Error in one line, with the file and what to do."""
    reason = str(error).replace(str(path.absolute()), path.name).replace(str(path), path.name)
    reason = " ".join(reason.replace(f"{path.parent}{os.sep}", "").split()).rstrip(".") or "no more is known"
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    if len(reason) > _LONGEST_REASON:
        # Some libraries put all that they know of a file into their message, and what is wrong at its end.
        reason = f"... {reason[-_LONGEST_REASON:].partition(' ')[2]}"
    suffix = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:])
    suffix = suffix if suffix_of(path) == path.suffix.lower() else suffix_of(path)
    remedy = REMEDIES.get(suffix.lower(), REMEDY)
    if isinstance(error, FileNotFoundError):
        remedy = "put all files of a recording beside each other"
    elif isinstance(error, OSError) and error.errno is not None:
        return type(error)(f"{path}: {reason}; check the disk and its permissions")
    if suffix != suffix.lower():
        remedy += f"; some readers want the extension in small letters, so rename the files ({suffix.lower()})"
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"{path}: {reason}; {remedy}")
    if reason.startswith((f"{path.name}: ", f"{path.stem}: ")):
        return ValueError(f"{path}: {reason.partition(': ')[2]}")
    kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
    return ValueError(f"{path} cannot be read as a {suffix} recording: {kind}{reason}; {remedy}")


def _tell_others(path: Path) -> None:
    """Tell of recordings in a folder of files, which are no part of it."""
    if not path.is_dir() or suffix_of(path) not in _FOLDERS_OF_FILES:
        return
    others = sorted(
        file.name
        for file in path.iterdir()
        if file.name.lower().endswith(RECORDING_SUFFIXES)
        and not file.name.startswith(".")
        and file.name.lower() not in FOLDER_HEADERS
    )
    if others:
        warn(
            f"{path.name}: the folder is read as one recording ({suffix_of(path)}), without {listed(others)}; name "
            "what is left out itself, or move it to another folder"
        )


def _check_content(path: Path) -> None:
    """Refuse what no reader can read, with what to do."""
    check_fetched(path)
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes); copy or export it again")
    for companion in _companions(path):
        check_fetched(companion)


def _companions(path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    stem = path.name.removesuffix(path.suffix)
    if suffix != ".fif":
        return [path.with_name(f"{stem}{ending}") for ending in _COMPANIONS.get(suffix, ())]
    # The further parts of a long recording.
    parts = (f"{glob.escape(stem)}-*{path.suffix}", re.sub("split-0*1(?=_)", "split-*", glob.escape(path.name)))
    return sorted(each for pattern in parts for each in path.parent.glob(pattern))
