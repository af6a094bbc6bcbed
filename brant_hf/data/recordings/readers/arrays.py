"""NumPy arrays, `.npy` and `.npz` files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....listing import listed
from ....signal_checks_brant import check_orientation
from ....user_warnings import warn
from ..source import Source

_SIGNAL_KEYS = ("data_uV", "data", "signal", "signals", "eeg", "ieeg", "seeg", "ecog", "lfp")
_RATE_KEYS = ("sampling_rate", "sfreq", "sampling_frequency", "fs")
_NAME_KEYS = ("channel_names", "ch_names", "channels", "labels")
_UNIT_KEYS = ("unit", "units")


@dataclass
class _ArrayReader:
    signal: np.ndarray = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        return self.signal[channels, start:stop]


@dataclass
class _NpyReader:
    """Maps the file anew at each read, so that a recording sent to another process carries its path only."""

    path: Path

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        return np.array(np.load(self.path, mmap_mode="r", allow_pickle=False)[channels, start:stop])


@dataclass
class _NpzReader:
    """A member of an archive is compressed and can only be read whole; it is kept after the first read."""

    path: Path
    key: str
    _signal: np.ndarray | None = field(default=None, init=False, repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        if self._signal is None:
            with np.load(self.path, allow_pickle=False) as archive:
                self._signal = archive[self.key]
        return self._signal[channels, start:stop]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_signal": None}


def array_source(signal: np.ndarray, name: str = "array") -> Source:
    """Open an array of shape `(channels, samples)`."""
    _check_signal(signal.shape, signal.dtype, name)
    return Source(
        name=name, num_samples=signal.shape[1], channel_count=signal.shape[0], read=_ArrayReader(signal), unit="uV"
    )


def npy_source(path: Path) -> Source:
    """Open a `.npy` file that holds an array of shape `(channels, samples)`."""
    signal = np.load(path, mmap_mode="r", allow_pickle=False)
    _check_signal(signal.shape, signal.dtype, str(path))
    return Source(
        name=path.stem,
        num_samples=signal.shape[1],
        channel_count=signal.shape[0],
        read=_NpyReader(path),
        unit="uV",
        path=path,
    )


def npz_source(path: Path) -> Source:
    """Open a `.npz` archive: the signal and, where present, its sampling rate, names, unit, subject and seizures.

    Raises
    ------
    ValueError
        Which array is the signal is not clear, or what stands beside it does not fit.
    """
    with np.load(path, allow_pickle=False) as archive:
        key = _signal_key(archive)
        shape, dtype = archive[key].shape, archive[key].dtype
        rates = _texts(archive, _RATE_KEYS)
        marks = _marks_of_rows(archive, shape[0])
        names = _texts(archive, [name for name in _NAME_KEYS if name not in marks])
        units = _texts(archive, _UNIT_KEYS)
        subject = str(archive["subject"]) if "subject" in archive else None
        seizures = _seizures(archive, path)
    _check_signal(shape, dtype, f"{path}[{key!r}]")
    if rates is not None and len(set(rates)) != 1:
        raise ValueError(f"{path} has {len(rates)} sampling rates; expected one [Hz]")
    if units is not None and len(units) not in (1, shape[0]):
        raise ValueError(f"{path} has {len(units)} units for {shape[0]} channels; expected one, or one for each")
    if marks:
        warn(
            f"{path.stem}: {listed(marks)} has a value for each row of {key} and is not read. Rows are taken as "
            "channels of one recording; if each is a clip of its own, open them one by one (open_recording(row[None], "
            "rate)), and if these are bad channels, pass bad="
        )
    # The key of the signal may state the unit too.
    stated = "uV" if units is None or key == "data_uV" else units[0] if len(units) == 1 else units
    return Source(
        name=path.stem,
        subject=subject,
        num_samples=shape[1],
        channel_count=shape[0],
        sampling_rate=None if rates is None else float(rates[0]),
        channel_names=names,
        seizures=seizures,
        read=_NpzReader(path, key),
        unit=stated,
        path=path,
    )


def _signal_key(archive: np.lib.npyio.NpzFile) -> str:
    for key in _SIGNAL_KEYS:
        if key in archive:
            return key
    arrays = [key for key in archive.files if archive[key].ndim == 2 and archive[key].dtype.kind in "fiu"]
    if len(arrays) != 1:
        raise ValueError(
            f"which of its arrays {archive.files} is the signal is not clear; name it 'data' (channels, samples) in "
            "microvolts, beside 'sampling_rate' and 'channel_names'"
        )
    return arrays[0]


def _marks_of_rows(archive: np.lib.npyio.NpzFile, rows: int) -> list[str]:
    """Members that mark some rows of the signal: a flag or a class of each."""
    read = {*_SIGNAL_KEYS, *_RATE_KEYS, *_UNIT_KEYS, "seizures", "seizure_onset_s", "seizure_offset_s"}
    return [
        name
        for name in archive.files
        if rows > 1
        and name not in read
        and (values := archive[name]).shape == (rows,)
        and (values.dtype.kind == "b" or (values.dtype.kind in "iu" and len(np.unique(values)) < rows))
    ]


def _texts(archive: np.lib.npyio.NpzFile, keys: Sequence[str]) -> list[str] | None:
    """Read the first of these members as texts, `None` where there is none of them."""
    found = next((np.atleast_1d(archive[key]).ravel() for key in keys if key in archive), None)
    if found is None:
        return None
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in found.tolist()]


def _seizures(archive: np.lib.npyio.NpzFile, path: Path) -> list[tuple[float, float | None]]:
    if "seizures" in archive:
        stored = archive["seizures"]
        rows = np.atleast_2d(stored)
        # Onsets in one row and offsets in another are no pairs, nor are several numbers in no row at all.
        is_doubtful = rows.shape[1] > 2 and (len(rows) == 2 or stored.ndim == 1)
        if rows.size and (rows.ndim != 2 or rows.shape[1] < 2 or is_doubtful):
            raise ValueError(
                f"{path}: seizures has shape {stored.shape}; expected (seizures, 2), onset and offset [s] of each"
            )
        if rows.size and rows.shape[1] > 2:
            warn(
                f"{path.stem}: seizures has {rows.shape[1]} columns; the first two are taken as onset and offset [s], "
                f"and the others are not read. Channels of seizures go into a table, {path.stem}_events.tsv"
            )
        return [(float(row[0]), float(row[1])) for row in rows if len(row)]
    if "seizure_onset_s" not in archive:
        return []
    onsets = np.atleast_1d(archive["seizure_onset_s"]).astype(float)
    if "seizure_offset_s" not in archive:
        return [(onset, None) for onset in onsets]
    offsets = np.atleast_1d(archive["seizure_offset_s"]).astype(float)
    if len(onsets) != len(offsets):
        raise ValueError(
            f"{path}: {len(onsets)} values in seizure_onset_s and {len(offsets)} in seizure_offset_s; give one offset "
            "for each onset, NaN where it is not known"
        )
    return list(zip(onsets, offsets, strict=True))


def _check_signal(shape: tuple[int, ...], dtype: np.dtype, what: str) -> None:
    if len(shape) != 2:
        hint = "pass signal[None] for one channel" if len(shape) == 1 else "pass one recording at a time"
        raise ValueError(f"{what} has shape {shape}; expected (channels, samples): {hint}")
    if 0 in shape:
        raise ValueError(f"{what} has shape {shape} and is empty; expected (channels, samples)")
    if dtype.kind not in "fiu":
        raise ValueError(f"{what} has dtype {dtype}; expected real numbers in microvolts")
    check_orientation(shape, what)
