"""MATLAB files (`.mat`), which have no fixed form: the matrix that can only be the signal, with what stands beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..source import Source
from .identity import known_subject
from .mat_files import MatReader, StoredMatrix, contents

_Found: TypeAlias = "tuple[tuple[str, ...], Any]"

_SIGNAL_KEYS = (
    "data", "eeg", "ieeg", "seeg", "ecog", "signal", "signals", "trial", "raw", "x", "dat", "values", "recording",
)  # fmt: skip
_RATE_KEYS = (
    "fs", "fsample", "srate", "sfreq", "samplingrate", "samplingfrequency", "samplerate", "samplefreq", "freq", "hz",
)  # fmt: skip
_NAME_KEYS = ("label", "labels", "channelnames", "chnames", "channellabels", "channels", "chanlocs", "names")
_SUBJECT_KEYS = ("subject", "subjectid", "patientid", "patient")
_UNIT_KEYS = ("unit", "units", "chanunit")
# A signal has at least so many samples, and more samples than this many times its channels are surely that.
_FEWEST_SAMPLES = 100
_MUCH_LARGER = 10


def mat_source(path: Path) -> Source:
    """Open the signal of a MATLAB file: of FieldTrip, of EEGLAB, or a matrix with its sampling rate beside it.

    Values are microvolts where the file does not state a unit, as those of arrays are.

    Raises
    ------
    ImportError
        The file is of version 7.3 and h5py is not installed.
    ValueError
        The file is damaged, or which of its matrices is the signal is not clear.
    """
    items = list(_walk((), contents(path)))
    place, matrix = _signal(items, path)
    shape = matrix.shape if len(matrix.shape) == 2 else (1, *matrix.shape)
    near = sorted(items, key=lambda item: -_shared(place, item[0]))
    names = next((names for key, value in near if (names := _names(key, value)) and len(names) in shape), None)
    # There are more samples than channels, unless the names say otherwise.
    channels_first = shape[0] <= shape[1] if names is None or shape[0] == shape[1] else shape[0] == len(names)
    channel_count, num_samples = shape if channels_first else shape[::-1]
    subject = next((value for key, value in near if _is(key, _SUBJECT_KEYS) and isinstance(value, str)), None)
    variable = matrix.name if isinstance(matrix, StoredMatrix) else "/".join(place)
    return Source(
        name=path.stem,
        subject=known_subject(subject),
        num_samples=num_samples,
        channel_count=channel_count,
        sampling_rate=_rate(near, place),
        channel_names=names if names is not None and len(names) == channel_count else None,
        read=MatReader(path, variable, not channels_first),
        unit=_unit(near, channel_count),
        path=path,
    )


def _walk(place: tuple[str, ...], value: Any) -> Iterator[_Found]:
    """All members of structures and cells, each with the keys that lead to it."""
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _walk((*place, key), member)
    elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        for index, member in enumerate(value if np.ndim(value) == 1 or isinstance(value, list) else ()):
            if not isinstance(member, str):
                yield from _walk((*place, str(index)), member)


def _signal(items: Sequence[_Found], path: Path) -> _Found:
    matrices = [(place, value) for place, value in items if _is_matrix(value)]
    named = [(place, value) for place, value in matrices if _is(place, _SIGNAL_KEYS)]
    candidates = named or matrices
    largest = sorted(candidates, key=lambda item: -int(np.prod(item[1].shape)))
    sizes = [int(np.prod(value.shape)) for _, value in largest]
    if len(sizes) == 1 or (len(sizes) > 1 and sizes[0] > _MUCH_LARGER * sizes[1]):
        return largest[0]
    vectors = [(place, value) for place, value in items if _is_vector(value) and _is(place, _SIGNAL_KEYS)]
    if not candidates and len(vectors) == 1:
        return vectors[0]
    listed = ", ".join(f"{'.'.join(place)} {value.shape}" for place, value in largest[:6]) or "none"
    raise ValueError(
        f"{path}: which of its matrices is the signal is not clear (matrices: {listed}); load it and call "
        "open_recording(array, sampling_rate=..., channel_names=...) with an array (channels, samples) in microvolts"
    )


def _is_matrix(value: Any) -> bool:
    is_numeric = isinstance(value, StoredMatrix) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")
    return is_numeric and len(value.shape) == 2 and min(value.shape) > 0 and max(value.shape) >= _FEWEST_SAMPLES


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == 1 and value.size >= 100


def _is(place: tuple[str, ...], keys: Sequence[str]) -> bool:
    """Whether the last key that is a name is one of these, however it is written."""
    name = next((key for key in reversed(place) if not key.isdigit()), "")
    return name.replace("_", "").casefold() in keys


def _shared(place: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Keys that two places have in common: more for what stands nearer."""
    return next((index for index, (a, b) in enumerate(zip(place, other, strict=False)) if a != b), len(other))


def _rate(near: Sequence[_Found], place: tuple[str, ...]) -> float | None:
    """Sampling rate [Hz] that stands nearest to the signal; `None` where there is none or several differ."""
    found = [(_shared(place, key), value) for key, value in near if _is(key, _RATE_KEYS) and np.size(value) == 1]
    rates = {float(np.ravel(value)[0]) for depth, value in found if depth == found[0][0] and _is_number(value)}
    rates = {rate for rate in rates if np.isfinite(rate) and rate > 0}
    return rates.pop() if len(rates) == 1 else None


def _is_number(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fiu"


def _names(place: tuple[str, ...], value: Any) -> list[str] | None:
    """Names of channels, in the forms that toolboxes give them."""
    if not _is(place, _NAME_KEYS) or isinstance(value, StoredMatrix) or place[-1].isdigit():
        return None
    if isinstance(value, dict):
        inside = next((value[key] for key in value if key.casefold() in ("labels", "label")), list(value))
        return _names(place, inside) if not isinstance(inside, dict) else None
    members = [value] if isinstance(value, str) else list(value) if np.ndim(value) == 1 else []
    texts = [member.get("labels") if isinstance(member, dict) else member for member in members]
    return [str(text).strip() for text in texts] if texts and all(isinstance(text, str) for text in texts) else None


def _unit(near: Sequence[_Found], channel_count: int) -> str | list[str]:
    for place, value in near:
        if _is(place, _UNIT_KEYS) and not place[-1].isdigit():
            if isinstance(value, str) and value.strip():
                return value.strip()
            units = [str(unit).strip() for unit in value] if np.ndim(value) == 1 else []
            if len(units) == channel_count:
                return units
    return "uV"
