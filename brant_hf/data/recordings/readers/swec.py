"""SWEC on the Hub (`NeuroTec/SWEC_iEEG_Dataset`): HDF5 files of days, in parts, and one file that joins them.

A folder holds `ID04_part_1.h5`, `ID04_part_2.h5`, ... and `ID04_total.h5`. Each has `data/ieeg` (channels, samples),
float32, in compressed chunks of 3 minutes over all channels, and `sampling_rate` at its root; in the total it is a
virtual dataset over the parts, and `data/seizures` lists `onsets` and `offsets` [s]. See the dataset's card, and the
BIDS edition of the same samples (NEMAR nm000276, doi:10.82901/nemar.nm000276), which says that they are microvolts
without a gap between parts, and that 18 folders are copies.

HDF5 reads zeros where a part is not there, and in most totals it looks for the parts under the name of another folder
(`ID07_part_1.h5` in ID25). So parts are found here by their number, beside the total, and read one by one.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ....events.remarks import StatedSeizures
from ....files import check_fetched
from ....listing import listed
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of
from ..seizures import seizures_of_part
from ..source import Source

_SIGNAL, _SEIZURES = "data/ieeg", "data/seizures"
_NAME = re.compile(r"(?P<subject>.+)_(?:total|part_(?P<part>\d+))", re.IGNORECASE)
_PART = re.compile(r".+_part_(\d+)\.h5", re.IGNORECASE)
_IN_RELEASE = re.compile(r"(?P<subject>ID\d+)_(?P<what>total|part_\d+)\.h5", re.IGNORECASE)
# Signals that are not stored in chunks are read in pieces of this length, which is that of the chunks otherwise.
_CHUNK_S = 180.0
# Folders ID01, ID02, ... and the folder that each is a copy of.
_COPIES = {
    f"ID{copy:02d}": f"ID{original}"
    for copy, original in enumerate([20, 21, 22, 24, 25, 27, 28, 29, 30, 31, 32, 34, 35, 36, 37, 38, 39, 40], start=1)
}


@dataclass(frozen=True)
class _Part:
    """Samples `[start, start + length)` of a recording, which begin at `first` in a file; `chunk` are read at once."""

    path: Path
    dataset: str
    start: int
    length: int
    first: int = 0
    chunk: int = 0


@dataclass(frozen=True)
class _Content:
    """What one file says."""

    shape: tuple[int, int]
    rate: float | None
    seizures: tuple[tuple[float, float | None], ...] | None
    parts: tuple[_Part, ...]


@dataclass(frozen=True)
class SwecPart:
    """A file of a recording, and where it lies in it.

    Attributes
    ----------
    path : Path
        Which need not be there.
    start : float
        Where it begins in the recording [s].
    stop : float
        Where it ends [s].
    """

    path: Path
    start: float
    stop: float


@dataclass(frozen=True)
class SwecIndex:
    """What a total tells without its parts.

    Attributes
    ----------
    subject : str
        Such as `"ID04"`.
    path : Path
        The total.
    sampling_rate : float
        [Hz].
    num_channels : int
        Channels.
    duration : float
        Length of the recording [s].
    parts : tuple[SwecPart, ...]
        In the order of their time.
    seizures : tuple[tuple[float, float], ...]
        Onset and offset [s] of each.
    """

    subject: str
    path: Path
    sampling_rate: float
    num_channels: int
    duration: float
    parts: tuple[SwecPart, ...]
    seizures: tuple[tuple[float, float], ...]


@dataclass
class _PartsReader:
    """Reads whole chunks, and keeps the two read last, so that windows side by side decompress none twice."""

    parts: list[_Part]

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        part = self.parts[bisect_right([part.start for part in self.parts], start) - 1]
        first, last = start - part.start + part.first, stop - part.start + part.first
        written = part.path.stat()
        version = (written.st_mtime_ns, written.st_size)
        pieces = []
        for number in range(first // part.chunk, (last - 1) // part.chunk + 1):
            begin = number * part.chunk
            chunk = _chunk(part.path, part.dataset, begin, begin + part.chunk, version)
            pieces.append(chunk[channels, max(first - begin, 0) : last - begin])
        return np.concatenate(pieces, axis=1)


@lru_cache(maxsize=2)
def _chunk(path: Path, dataset: str, start: int, stop: int, version: tuple[int, int]) -> np.ndarray:
    """Read samples of all channels; those of a file that was written anew since are read anew."""
    with _open(path) as file:
        return file[dataset][:, start:stop]


def swec_source(path: Path) -> Source:
    """Open a recording of SWEC: the total, as far as its parts are there, or one part.

    Seizures of a part come from the total beside it.

    Raises
    ------
    FileNotFoundError
        No part of a total is there.
    ImportError
        h5py, or hdf5plugin for files compressed with lz4hc, is not installed.
    ValueError
        The file is not of SWEC, or does not fit the files beside it.
    """
    content = _content(path)
    name = _NAME.fullmatch(path.stem)
    if name is not None and name["part"] is not None:
        content = _with_seizures(content, path, path.with_name(f"{name['subject']}_total.h5"))
    elif (original := copy_of(path)) is not None:
        warn(
            f"{path.stem}: it is a copy of {original.stem}, with the same channels, length and seizures; leave one of "
            "them out, or they count as two subjects"
        )
    here = _parts_here(content, path)
    segments = [Segment(part.start, part.start, part.length) for part in here]
    # Parts without samples say where the recording begins and ends.
    segments = [Segment(0, 0, 0), *segments, Segment(0, content.shape[1], 0)]
    rate = content.rate or _of_part(here[0]).rate
    seizures = _seizures_here(content, here, rate, path)
    total = path.with_name(f"{name['subject']}_total.h5") if name is not None else path
    return Source(
        name=path.stem,
        subject=None if name is None else name["subject"],
        num_samples=content.shape[1],
        channel_count=content.shape[0],
        sampling_rate=rate,
        read=ClockReader(_PartsReader(here), segments),
        unit="uV",
        seizures=seizures,
        events_from=total.name if content.seizures is not None else "",
        gaps=gaps_of(segments, rate) if rate else (),
        path=path,
    )


def swec_index(total: Path) -> SwecIndex:
    """Read what a total tells, whether its parts are there or not.

    Raises
    ------
    FileNotFoundError
        It is not there.
    ImportError
        h5py is not installed.
    ValueError
        It is none, or does not tell its sampling rate or its seizures.
    """
    content, name = _content(total), _NAME.fullmatch(total.stem)
    rate = content.rate
    if name is None or name["part"] is not None or not rate or content.seizures is None:
        raise ValueError(f"{total}: it is no total of SWEC, with sampling_rate and {_SEIZURES}")
    return SwecIndex(
        subject=name["subject"],
        path=total,
        sampling_rate=rate,
        num_channels=content.shape[0],
        duration=content.shape[1] / rate,
        parts=tuple(
            SwecPart(part.path, part.start / rate, (part.start + part.length) / rate) for part in content.parts
        ),
        seizures=tuple((onset, onset if offset is None else offset) for onset, offset in content.seizures),
    )


def is_swec_recording(path: Path) -> bool:
    """Whether a file is one recording of the release by its name: a total, or a part without a total beside it."""
    match = _IN_RELEASE.fullmatch(path.name)
    if match is None:
        return False
    return match["what"].lower() == "total" or not path.with_name(f"{match['subject']}_total.h5").exists()


def copy_of(total: Path) -> Path | None:
    """Return the file in another folder of the release that holds the same recording, if it is there.

    Folders ID01 to ID18 are copies of later ones. Only one that has the same channels, rate, length and seizures is
    called so, in case that a later version of the release has others under these names.
    """
    match = _IN_RELEASE.fullmatch(total.name)
    original = _COPIES.get(match["subject"].upper()) if match is not None else None
    other = total.absolute().parents[1] / str(original) / f"{original}_total.h5"
    if original is None or not other.is_file():
        return None
    with suppress(ValueError, OSError):
        one, two = _content(total), _content(other)
        return other if (one.shape, one.rate, one.seizures) == (two.shape, two.rate, two.seizures) else None
    return None


def _content(path: Path) -> _Content:
    with _open(path) as file:
        if _SIGNAL not in file or getattr(file[_SIGNAL], "ndim", 0) != 2:
            # Worded by the one who names the file.
            raise ValueError(f"it has no matrix {_SIGNAL} (channels, samples), as files of SWEC have")
        data = file[_SIGNAL]
        channels = _number(file.attrs.get("channels"))
        if data.dtype.kind not in "fiu" or 0 in data.shape or channels not in (None, data.shape[0]):
            raise ValueError(
                f"{path}: {_SIGNAL} has the shape {data.shape} and the type {data.dtype}; expected numbers (channels, "
                f"samples){'' if channels is None else f' of {channels:g} channels'}"
            )
        rate = _number(file.attrs.get("sampling_rate"))
        seizures = _stated_seizures(file[_SEIZURES][()], path) if _SEIZURES in file else None
        if data.is_virtual:
            parts = [_mapped(source, data.shape[0], path) for source in data.virtual_sources()]
            return _Content(data.shape, rate, seizures, tuple(sorted(parts, key=lambda part: part.start)))
        _check_filters(data, path)
        chunk = data.chunks[1] if data.chunks else round(_CHUNK_S * (rate or 512.0))
        part = _Part(path, _SIGNAL, 0, data.shape[1], chunk=chunk)
        return _Content(data.shape, rate, seizures, (part,))


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"Reading {path.name} needs h5py: pip install 'brant_hf[swec]'") from error
    # Brings the filters; files may do without.
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401
    return h5py.File(path, "r")


def _check_filters(data: Any, path: Path) -> None:
    """Refuse a compression that cannot be undone here; HDF5 would say so, in other words, at the first read."""
    from h5py import h5z

    settings = data.id.get_create_plist()
    filters = [settings.get_filter(index) for index in range(settings.get_nfilters())]
    lacking = [each for each in filters if not h5z.filter_avail(each[0])]
    if lacking:
        name = lacking[0][3].decode("utf-8", "replace") or f"filter {lacking[0][0]}"
        raise ImportError(
            f"Reading {path.name}, which is compressed with {name}, needs hdf5plugin: pip install 'brant_hf[swec]'"
        )


def _mapped(source: Any, channels: int, path: Path) -> _Part:
    """Which file a virtual dataset takes samples from."""
    from h5py import h5s

    (first_channel, start), (last_channel, last) = source.vspace.get_select_bounds()
    length = last - start + 1
    whole = source.src_space.get_select_type() == h5s.SEL_ALL
    first = 0 if whole else source.src_space.get_select_bounds()[0][1]
    if (first_channel, last_channel) != (0, channels - 1) or source.vspace.get_select_npoints() != channels * length:
        raise ValueError(
            f"{path}: it joins {source.file_name} in another way than along the time of all channels; open the parts"
        )
    number, name = _PART.fullmatch(Path(source.file_name).name), _NAME.fullmatch(path.stem)
    own = source.file_name if number is None or name is None else f"{name['subject']}_part_{number[1]}.h5"
    return _Part(path.parent / own, source.dset_name, start, length, first)


def _parts_here(content: _Content, path: Path) -> list[_Part]:
    """Parts that are there, checked against the total; what is missing is told."""
    parts = content.parts
    if parts and parts[0].path == path:
        return list(parts)
    here = [part for part in parts if _is_fetched(part.path)]
    missing = [part.path.name for part in parts if part not in here]
    if not here:
        raise FileNotFoundError(
            f"{path}: none of the {len(parts)} parts that it joins is beside it ({listed(missing)}); download them "
            "into the same folder"
        )
    if missing:
        samples = sum(part.length for part in parts if part not in here)
        warn(
            f"{path.stem}: {len(missing)} of {len(parts)} parts are not beside it ({listed(missing)}), so "
            f"{samples / content.shape[1]:.0%} of it is missing (NaN) and its seizures there are left out; download "
            "them into the same folder"
        )
    return [_checked(part, content, path) for part in here]


def _is_fetched(part: Path) -> bool:
    with suppress(FileNotFoundError):
        check_fetched(part)
        return part.is_file() and part.stat().st_size > 0
    return False


def _checked(part: _Part, content: _Content, path: Path) -> _Part:
    """Return a part with the size of its chunks; a ValueError where it is not the one that the total joins."""
    own = _of_part(part)
    rates = (own.rate or content.rate, content.rate or own.rate)
    if own.shape[0] != content.shape[0] or own.shape[1] < part.first + part.length or rates[0] != rates[1]:
        raise ValueError(
            f"{part.path}: it holds {own.shape[0]} channels x {own.shape[1]} samples at {own.rate} Hz, but "
            f"{path.name} joins {content.shape[0]} x {part.first + part.length} at {content.rate} Hz; it is of "
            "another recording, or its download is not complete"
        )
    return replace(part, chunk=own.parts[0].chunk)


def _of_part(part: _Part) -> _Content:
    try:
        return _content(part.path)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{part.path}: it cannot be read ({reason}); download it again, or take it away to read the other parts"
        ) from error


def _with_seizures(content: _Content, path: Path, total: Path) -> _Content:
    """Give a part the seizures that the total tells of, on the clock of the part."""
    known = _content(total) if _is_fetched(total) else None
    place = next((part for part in known.parts if part.path.name == path.name), None) if known else None
    if known is None or place is None or known.seizures is None or not content.rate:
        warn(
            f"{path.stem}: its seizures are not known, since {total.name} beside it would tell of them; download it "
            "too, or pass seizures="
        )
        return replace(content, seizures=None)
    _checked(place, known, total)
    start = (place.start - place.first) / content.rate
    stated = StatedSeizures([(onset, offset, None) for onset, offset in known.seizures])
    inside = seizures_of_part(stated, start, start + content.shape[1] / content.rate).seizures
    return replace(content, seizures=tuple((onset, offset) for onset, offset, _ in inside))


def _seizures_here(
    content: _Content, here: Sequence[_Part], rate: float | None, path: Path
) -> list[tuple[float, float | None]]:
    """Seizures of which at least a moment was recorded; those outside of the recording are judged by others."""
    seizures = list(content.seizures or ())
    if not rate or len(here) == len(content.parts):
        return seizures
    gone = [part for part in content.parts if part.path not in [each.path for each in here]]

    def is_gone(onset: float, offset: float | None) -> bool:
        first, last = onset * rate, (onset if offset is None else offset) * rate
        touched = [part for part in content.parts if part.start <= last and first < part.start + part.length]
        return bool(touched) and all(part in gone for part in touched)

    return [seizure for seizure in seizures if not is_gone(*seizure)]


def _stated_seizures(table: np.ndarray, path: Path) -> tuple[tuple[float, float | None], ...]:
    if not {"onsets", "offsets"} <= set(table.dtype.names or ()):
        raise ValueError(f"{path}: {_SEIZURES} has the fields {table.dtype.names}; expected onsets and offsets [s]")
    onsets, offsets = (np.ravel(table[name]).astype(float).tolist() for name in ("onsets", "offsets"))
    return tuple((onset, None if np.isnan(offset) else offset) for onset, offset in zip(onsets, offsets, strict=True))


def _number(value: Any) -> float | None:
    return None if value is None or np.size(value) != 1 else float(np.ravel(value)[0])
