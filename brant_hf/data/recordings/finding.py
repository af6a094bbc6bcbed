"""Which recordings a folder, a BIDS dataset or a pattern holds."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...bad_input import several
from ...events.annotation_files import EDF_AND_BDF, holds_annotations_alone
from .bids import is_bids_name
from .foreign import instead_of_folder
from .formats import FOLDER_HEADERS, RECORDING_SUFFIXES, is_recording_folder
from .opening import open_recording
from .readers.swec import is_swec_recording
from .recording import Recording, RecordingSource, is_raw

_NOT_RAW_DATA = ("derivatives", "sourcedata", "code", "stimuli")


def find_recordings(
    source: RecordingSource | Iterable[RecordingSource],
) -> list[RecordingSource]:
    """List the recordings that `open_recording` can open.

    Parameters
    ----------
    source : str, os.PathLike, np.ndarray, Recording or an iterable of them
        - a recording file: itself, whatever its extension;
        - a folder of a BIDS dataset (its root has `dataset_description.json`): the `ieeg` recordings, or, where
          there is none, the `eeg` ones; `derivatives`, `sourcedata` and `code` are not looked into;
        - any other folder: the files in it and below whose extension is that of a recording format, and folders that
          are one recording (MEF3, Neuralynx, ...);
        - a pattern with `*`, `?` or `[...]` (`**` for any depth): what it matches, folders included;
        - an array or a `Recording`: itself.

    Returns
    -------
    list
        Paths (arrays and recordings are passed through), sorted inside each folder and pattern, none twice.

    Raises
    ------
    FileNotFoundError
        A path does not exist or a pattern matches nothing.
    ValueError
        A folder holds no recording.
    """
    found: list[RecordingSource] = []
    seen: set[Path] = set()
    for item in _items(source):
        for recording in _recordings_of(item):
            if isinstance(recording, Path):
                if recording.resolve() in seen:
                    continue
                seen.add(recording.resolve())
            found.append(recording)
    if not found:
        raise ValueError("No recordings given: expected a file, a folder, a pattern or a list of them")
    return found


def is_pattern(path: Path) -> bool:
    """Whether a path stands for all that it matches, and not for a file with such a name."""
    return glob.has_magic(str(path)) and not (path.exists() or path.is_symlink())


def _items(source: RecordingSource | Iterable[RecordingSource]) -> list[RecordingSource]:
    if is_raw(source) or isinstance(source, str | os.PathLike | np.ndarray | Recording | Mapping):
        return [source]
    return several(source)


def _recordings_of(item: RecordingSource) -> Iterable[RecordingSource]:
    if is_raw(item) or isinstance(item, Mapping):
        return [open_recording(item)]
    if isinstance(item, bytes) or not isinstance(item, str | os.PathLike | Recording | Sequence | np.ndarray):
        return [open_recording(item)]  # which says what it should be
    if not isinstance(item, str | os.PathLike):
        return [item]
    path = Path(item).expanduser()
    # A dangling link is told by the one who opens it, so that other recordings are not held up.
    if path.exists() or path.is_symlink():
        return _below(path)
    if is_pattern(path):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        if not matches:
            raise FileNotFoundError(f"No file matches {item}")
        return _matched(matches, str(item))
    raise FileNotFoundError(f"{path} does not exist; expected a recording, a folder of recordings or a pattern")


def _matched(matches: list[Path], pattern: str) -> list[Path]:
    found = []
    for path in matches:
        if not path.is_dir() or is_recording_folder(path):
            found.append(path)
        else:
            found.extend(_walk(path))
    # A pattern such as `*` also matches the files that belong to a recording without being one.
    chosen = [path for path in found if _is_recording(path)] or found
    if not chosen:
        raise ValueError(f"{pattern} matches folders only, and there is no recording in them")
    return chosen


def _below(path: Path) -> list[Path]:
    if not path.is_dir() or is_recording_folder(path):
        return [path]
    below = list(_walk(path))
    found = sorted(recording for recording in below if _is_recording(recording))
    root = _bids_root(path)
    if root is not None:
        named = [recording for recording in found if is_bids_name(recording)]
        found = [recording for recording in named if recording.name.split(".")[0].endswith("_ieeg")] or named
    if not found:
        kind = "BIDS dataset" if root is not None else "folder"
        if remedy := instead_of_folder(path, sorted(each.name for each in below)):
            raise ValueError(f"The {kind} {path} holds no recording that is read; {remedy}")
        raise ValueError(
            f"The {kind} {path} holds no recording. Extensions looked for: {', '.join(sorted(RECORDING_SUFFIXES))}; "
            "name a file of another format itself"
        )
    return found


def _bids_root(folder: Path) -> Path | None:
    folders = (folder.resolve(), *folder.resolve().parents)
    return next((parent for parent in folders if (parent / "dataset_description.json").is_file()), None)


def _walk(folder: Path) -> Iterator[Path]:
    in_bids = _bids_root(folder) is not None
    for parent, folders, files in os.walk(folder):
        visible = [name for name in folders if not name.startswith(".") and not (in_bids and name in _NOT_RAW_DATA)]
        recordings = [name for name in visible if is_recording_folder(Path(parent, name))]
        folders[:] = sorted(name for name in visible if name not in recordings)
        yield from (Path(parent, name) for name in (*recordings, *files))


def _is_recording(path: Path) -> bool:
    name = path.name.lower()
    if is_recording_folder(path):
        return True
    if name.endswith(".h5"):
        return is_swec_recording(path)
    # macOS writes a `._name` beside each file on foreign disks.
    if name.startswith(".") or name in FOLDER_HEADERS or not name.endswith(RECORDING_SUFFIXES):
        return False
    if name.endswith(".eeg"):
        return not _is_part_of_brainvision(path)
    if name.endswith((".fif", ".fif.gz")):
        return not _is_continuation_of_fif(name) and not _is_annotations(path)
    return not (name.endswith(EDF_AND_BDF) and _is_annotations(path))


def _is_annotations(path: Path) -> bool:
    # What cannot be read is told by the one who opens it.
    return path.is_file() and os.access(path, os.R_OK) and holds_annotations_alone(path)


def _is_part_of_brainvision(path: Path) -> bool:
    """Whether a `.eeg` file, a recording of its own only in Nihon Kohden's format, holds samples of BrainVision."""
    if any(path.with_suffix(suffix).is_file() for suffix in (".vhdr", ".VHDR", ".ahdr")):
        return True
    # Names differ where one of the two was renamed, or a recording moved from a disk that does not tell `A` from `a`.
    headers = [file for file in path.parent.iterdir() if file.suffix.lower() in (".vhdr", ".ahdr") and file.is_file()]
    return any(
        header.stem.casefold() == path.stem.casefold() or os.fsencode(path.name) in header.read_bytes()
        for header in headers
    )


def _is_continuation_of_fif(name: str) -> bool:
    """Parts of a long FIF recording, which MNE-Python reads with the first one."""
    stem = name.split(".")[0]
    split = [entity for entity in stem.split("_") if entity.startswith("split-")]
    return (bool(split) and split[0].removeprefix("split-").lstrip("0") != "1") or stem.rsplit("-", 1)[-1].isdigit()
