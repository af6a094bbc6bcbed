"""Events as annotations in a file of their own: EDF+ without signals, for viewers, and what MNE-Python saves."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import EDF_SUFFIXES, EDF_WORDS, MNE_SUFFIXES, StagedOutputs, has_mark, software
from ..user_warnings import warn
from .event import SeizureEvent, to_annotations

if TYPE_CHECKING:
    import mne

# Files of recordings that may hold annotations alone.
EDF_AND_BDF = (*EDF_SUFFIXES, ".bdf")
# Years that the two digits of an EDF header stand for.
_EDF_YEARS = (1985, 2084)
# The header of an EDF file, and the number of signals in it.
_EDF_HEADER_BYTES, _EDF_SIGNALS = 256, slice(252, 256)
# What kind of block comes first in a FIF file: FIFFB_MNE_ANNOTATIONS, or the measurement.
_FIRST_BLOCK, _BLOCK_OF_ANNOTATIONS = slice(92, 96), (3810).to_bytes(4, "big")


def write_annotations(
    path: str | os.PathLike,
    events: Iterable[SeizureEvent | Mapping[str, Any]],
    *,
    start: datetime | None = None,
    with_channels: bool = True,
    overwrite: bool = False,
) -> None:
    """Write events as annotations for other programs.

    ========== =====================================================================================================
    suffix     what is written
    ========== =====================================================================================================
    ``.edf``   EDF+ without signals, with the start of the recording in its header; EDFbrowser and others show it
               beside the recording. It has onsets and durations, described `seizure`.
    ``.fif``   For `mne.read_annotations`, with channels and confidence; MNE-Python calls such a file
               `NAME_annot.fif`. Onsets are kept with 7 digits.
    ``.csv``   The same. Onsets are moments, so the start of the recording has to be known; MNE-Python reads none
               without an event.
    ``.txt``   The same, with onsets in seconds.
    ========== =====================================================================================================

    Parameters
    ----------
    path : str or os.PathLike
        The file; it appears when it is complete.
    events : Iterable[SeizureEvent | Mapping[str, Any]]
        Events, as objects or in the form of `result["events"]`, with onsets on the clock of the recording.
    start : datetime or None
        When the recording began.
    with_channels : bool
        Whether annotations name their channels, see `to_annotations`.
    overwrite : bool
        Whether to replace also a file that this function has not written.

    Raises
    ------
    FileExistsError
        A file is there that this function has not written.
    OSError
        The file cannot be written.
    ValueError
        Another suffix, or a `.csv` of a recording whose start is not known.
    """
    outputs = StagedOutputs(overwrite)
    temporary = outputs.add(path, is_annotation_file, (*EDF_SUFFIXES, *MNE_SUFFIXES))
    check_start(path, start)
    with outputs:
        save_annotations(temporary, events, start=start, with_channels=with_channels)


def check_start(path: str | os.PathLike, start: datetime | None) -> None:
    """Raise a `ValueError` where a file of annotations needs to know when the recording began."""
    if start is None and Path(path).suffix.lower() == ".csv":
        raise ValueError(
            f"{path} would have onsets as moments, and it is not known when the recording began; write .fif or .txt"
        )


def save_annotations(
    path: Path,
    events: Iterable[SeizureEvent | Mapping[str, Any]],
    *,
    start: datetime | None = None,
    with_channels: bool = True,
) -> None:
    """Write the file of `write_annotations`, whatever is there."""
    seizures = SeizureEvent.all_of(events)
    if path.suffix.lower() in EDF_SUFFIXES:
        _save_edf(path, seizures, start)
        return
    annotations = to_annotations(seizures, with_channels=with_channels, start=start)
    mark = _mark(annotations, path)
    for extra, event in zip(annotations.extras, seizures, strict=True):
        if event.confidence is None:
            del extra["confidence"]
        extra["software"] = mark
    with warnings.catch_warnings():
        # About the temporary name.
        warnings.filterwarnings("ignore", message=".*naming conventions", category=RuntimeWarning)
        annotations.save(path, overwrite=True, verbose="error")


def is_annotation_file(path: Path) -> bool:
    """Whether a file of annotations is as this package wrote it, or has no annotation; not one changed since."""
    if path.suffix.lower() in EDF_SUFFIXES:
        return has_mark(path)
    if not has_mark(path):
        return _is_empty(path)
    if path.suffix.lower() == ".fif" and not holds_annotations_alone(path):
        return False
    annotations = _read(path)
    extras = [] if annotations is None else [extra.get("software") for extra in annotations.extras]
    return annotations is not None and set(extras) == {_mark(annotations, path)}


def holds_annotations_alone(path: Path) -> bool:
    """Whether an EDF+, BDF+ or FIF file holds annotations and no signals."""
    with path.open("rb") as file:
        head = file.read(_EDF_HEADER_BYTES)
        if path.suffix.lower() == ".fif":
            return head[_FIRST_BLOCK] == _BLOCK_OF_ANNOTATIONS
        try:
            signals = int(head[_EDF_SIGNALS])
        except ValueError:
            return False
        labels = file.read(16 * signals) if signals > 0 else b""
    return labels in (b"EDF Annotations " * signals, b"BDF Annotations " * signals) if labels else False


def _is_empty(path: Path) -> bool:
    """Whether MNE-Python wrote a file of no annotation, in which there is nothing to lose."""
    if path.suffix.lower() == ".fif":
        annotations = _read(path) if holds_annotations_alone(path) else None
        return annotations is not None and len(annotations) == 0
    with path.open("rb") as file:
        lines = file.read(_EDF_HEADER_BYTES).splitlines()
    return lines == [b"onset,duration,description"] or (
        lines[:1] == [b"# MNE-Annotations"] and all(line.startswith(b"#") for line in lines)
    )


def _read(path: Path) -> mne.Annotations | None:
    import mne

    try:
        return mne.read_annotations(path)
    except Exception:  # whatever it is, it is not what was written here
        return None


def _mark(annotations: mne.Annotations, path: Path) -> str:
    """Name, version, and a checksum by which annotations that somebody has corrected are told from those written."""
    # Onsets are moments in .csv alone; MNE-Python does not read every start of the others again.
    is_dated = path.suffix.lower() == ".csv" and annotations.orig_time is not None
    start = annotations.orig_time.timestamp() if is_dated else 0.0
    rows = [
        f"{start + onset:.1f} {duration:.1f} {description} {','.join(names)}"
        for onset, duration, description, names in zip(
            annotations.onset, annotations.duration, annotations.description, annotations.ch_names, strict=True
        )
    ]
    return f"{software()} {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"


def _save_edf(path: Path, events: Iterable[SeizureEvent], start: datetime | None) -> None:
    import edfio

    first, last = _EDF_YEARS
    moment = None if start is None else start.replace(tzinfo=None)
    dated = moment is not None and first <= moment.year <= last
    if moment is not None and not dated:
        warn(
            f"{path.name}: EDF has no year {moment.year}, so the file tells the time of day alone; its onsets count "
            "from the start of the recording all the same"
        )
    # Nanoseconds of seconds are rounding.
    found = [edfio.EdfAnnotation(round(each.onset, 6), round(each.duration, 6), "seizure") for each in events]
    edfio.Edf(
        [],
        recording=edfio.Recording(
            startdate=moment.date() if moment is not None and dated else None,
            equipment_code=software().replace(" ", EDF_WORDS),
        ),
        starttime=None if moment is None else moment.time(),
        # An iterator, since edfio refuses an empty list; a file that says that nothing was found is one, too.
        annotations=iter(found),
    ).write(path)
