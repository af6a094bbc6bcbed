"""The formats of recordings: which suffix belongs to which reader. A new format is a reader and a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .readers.arrays import npy_source, npz_source
from .readers.mne_raw import mne_source
from .readers.nwb import nwb_source
from .source import Source

# All others are for MNE-Python.
_READERS: dict[str, Callable[[Path], Source]] = {".npy": npy_source, ".npz": npz_source, ".nwb": nwb_source}

# Formats that keep one recording in a folder.
FOLDER_SUFFIXES = (".mefd", ".mff", ".ds")
# Taken from a folder of recordings. Suffixes that mostly hold something else (`.txt`, `.dat`, `.mat`, ...) are opened
# only when named.
RECORDING_SUFFIXES = (
    ".edf", ".bdf", ".gdf", ".vhdr", ".ahdr", ".eeg", ".fif", ".fif.gz", ".set", ".cnt", ".lay", ".nedf", ".cdt",
    ".ns3", *FOLDER_SUFFIXES, *_READERS,
)  # fmt: skip


def is_recording_folder(path: Path) -> bool:
    """Whether a folder is itself one recording, as those of MEF3, EGI and CTF are."""
    return path.suffix.lower() in FOLDER_SUFFIXES and path.is_dir()


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
    ValueError
        The file is damaged, or does not hold what its suffix says.
    """
    reader = _READERS.get(path.suffix.lower(), mne_source)
    given = {name: value for name, value in options.items() if value is not None and reader is nwb_source}
    try:
        return reader(path, **given)
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:
        # Damaged files make readers fail in any way there is: BadZipFile, KeyError, struct.error, MemoryError, ...
        reason = " ".join(str(error).split()) or "no more is known"
        if isinstance(error, ValueError | OSError) and str(path) in reason:
            raise
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        raise ValueError(f"{path} cannot be read as a {path.suffix} recording: {kind}{reason}") from error
