"""MATLAB files have no fixed form: the matrix that can only be the signal, with what stands beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ....listing import listed
from ....user_warnings import warn
from ..source import Source, known_subject
from .eeglab import eeglab_source
from .mat_files import MatReader, StoredMatrix, contents, is_hdf5, variable_shapes

_Found: TypeAlias = "tuple[tuple[str, ...], Any]"

_SIGNAL_KEYS = (
    "data", "eeg", "ieeg", "seeg", "ecog", "signal", "signals", "trial", "raw", "x", "dat", "values", "recording",
)  # fmt: skip
_RATE_KEYS = (
    "fs", "fsample", "srate", "sfreq", "samplingrate", "samplingfrequency", "samplerate", "samplefreq", "freq",
)  # fmt: skip
_NAME_KEYS = ("label", "labels", "channelnames", "chnames", "channellabels", "channels", "chanlocs", "names")
_SUBJECT_KEYS = ("subject", "subjectid", "patientid", "patient")
_UNIT_KEYS = ("unit", "units", "chanunit")
_EVENT_KEYS = (
    "event", "events", "annotation", "annotations", "marker", "markers", "seizure", "seizures", "onset", "offset",
    "sampleinfo",
)  # fmt: skip
# With these, EEGLAB saved the file under another suffix.
_EEGLAB_KEYS = {"data", "srate", "nbchan", "pnts", "trials", "chanlocs"}
# A signal has at least so many samples, and more samples than this many times its channels are surely that.
_FEWEST_SAMPLES = 100
_MUCH_LARGER = 10
# Without names, what is not longer than wide by this factor may be turned.
_TWICE = 2
_AS_ARRAY = (
    "load it and call open_recording(array, sampling_rate=..., channel_names=...) with an array (channels, samples) "
    "in microvolts"
)


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
    members = contents(path)
    for structure in (members, members.get("EEG")):
        if isinstance(structure, dict) and set(structure) >= _EEGLAB_KEYS:
            return eeglab_source(path)
    items = list(_walk((), members))
    place, matrix = _signal(items, path)
    shape = matrix.shape if len(matrix.shape) == 2 else (1, *matrix.shape)
    near = sorted(items, key=lambda item: _distance(place, item[0]))
    listed = [names for key, value in near if (names := _names(key, value))]
    names = next((names for names in listed if len(names) in shape), None)
    if names is None and max(shape) < _TWICE * min(shape):
        raise ValueError(
            f"{path}: whether its signal {'.'.join(place)} {shape} is (channels, samples) or (samples, channels) is "
            f"not clear; {_AS_ARRAY}"
        )
    # There are more samples than channels, unless the names say otherwise.
    channels_first = shape[0] <= shape[1] if names is None or shape[0] == shape[1] else shape[0] == len(names)
    channel_count, num_samples = shape if channels_first else shape[::-1]
    subject = next((value for key, value in near if _is(key, _SUBJECT_KEYS) and isinstance(value, str)), None)
    _tell(path.stem, listed if names is None else [], channel_count, items)
    variable = matrix.name if isinstance(matrix, StoredMatrix) else "/".join(place)
    return Source(
        name=path.stem,
        subject=known_subject(subject),
        num_samples=num_samples,
        channel_count=channel_count,
        sampling_rate=_rate(near, place),
        channel_names=names if names is not None and len(names) == channel_count else None,
        read=MatReader(path, variable, not channels_first or _is_column(path, place, matrix)),
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
        for index, member in enumerate(value if isinstance(value, list) or np.ndim(value) == 1 else ()):
            if not isinstance(member, str):
                yield from _walk((*place, str(index)), member)


def _signal(items: Sequence[_Found], path: Path) -> _Found:
    matrices = [(place, value) for place, value in items if _is_matrix(value)]
    named = [(place, value) for place, value in matrices if _is(place, _SIGNAL_KEYS)]
    candidates = named or matrices
    stacked = [(place, value) for place, value in items if _is(place, _SIGNAL_KEYS) and len(np.shape(value)) > 2]
    largest = sorted(candidates, key=lambda item: -int(np.prod(item[1].shape)))
    sizes = [int(np.prod(value.shape)) for _, value in largest]
    is_alone = len({_kind(place) for place, _ in largest}) == len(largest) and not stacked
    if is_alone and (len(sizes) == 1 or (len(sizes) > 1 and sizes[0] > _MUCH_LARGER * sizes[1])):
        return largest[0]
    vectors = [(place, value) for place, value in items if _is_vector(value) and _is(place, _SIGNAL_KEYS)]
    if not named and not stacked and len(vectors) == 1:
        return vectors[0]
    if stacked or largest:
        shown = listed(f"{'.'.join(place)} {value.shape}" for place, value in [*stacked, *largest])
        raise ValueError(f"{path}: which of its matrices is the signal is not clear (matrices: {shown}); {_AS_ARRAY}")
    series = listed(f"{'.'.join(place)} {value.shape}" for place, value in items if _is_vector(value))
    # What SciPy calls a table or another object, which MATLAB alone reads.
    variables = ["an object of MATLAB" if place == ("None",) else place[0] for place, _ in items if not place[1:]]
    held = f"vectors: {series}" if series else f"variables: {listed(variables) or 'none'}"
    raise ValueError(f"{path} holds no matrix of {_FEWEST_SAMPLES} samples or more ({held}); {_AS_ARRAY}")


def _is_matrix(value: Any) -> bool:
    return (
        _is_numeric(value) and len(value.shape) == 2 and min(value.shape) > 1 and max(value.shape) >= _FEWEST_SAMPLES
    )


def _is_vector(value: Any) -> bool:
    if not _is_numeric(value) or len(value.shape) not in (1, 2):
        return False
    return max(value.shape) >= _FEWEST_SAMPLES and int(np.prod(value.shape)) == max(value.shape)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, StoredMatrix) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")


def _is_column(path: Path, place: tuple[str, ...], matrix: Any) -> bool:
    """Whether a vector of an older version, whose shape is lost when structures are read, stands upright."""
    is_loose = len(matrix.shape) == 1 and len(place) == 1 and not is_hdf5(path)
    return is_loose and variable_shapes(path)[place[0]][-1] == 1


def _kind(place: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the numbers of a place: what remains is the same for the members of one cell."""
    return tuple(key for key in place if not key.isdigit())


def _is(place: tuple[str, ...], keys: Sequence[str]) -> bool:
    """Whether the last key that is a name is one of these, however it is written."""
    name = next((key for key in reversed(place) if not key.isdigit()), "")
    return name.replace("_", "").casefold() in keys


def _distance(place: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Count the steps from one place to another."""
    pairs = enumerate(zip(place, other, strict=False))
    shared = next((index for index, (a, b) in pairs if a != b), min(len(place), len(other)))
    return len(place) + len(other) - 2 * shared


def _rate(near: Sequence[_Found], place: tuple[str, ...]) -> float | None:
    """Find the sampling rate [Hz] nearest to the signal; `None` where there is none or several differ."""
    found = [
        (_distance(place, key), float(np.ravel(value)[0]))
        for key, value in near
        if _is(key, _RATE_KEYS) and _is_number(value) and len(np.unique(value)) == 1
    ]
    rates = {rate for steps, rate in found if steps == found[0][0] and np.isfinite(rate) and rate > 0}
    return rates.pop() if len(rates) == 1 else None


def _is_number(value: Any) -> bool:
    return not isinstance(value, list) and np.asarray(value).dtype.kind in "fiu"


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


def _tell(recording: str, names: Sequence[Sequence[str]], channel_count: int, items: Sequence[_Found]) -> None:
    """Warn of names that do not fit the signal, and of what may be seizures."""
    if names:
        warn(
            f"{recording}: its {len(names[0])} names of channels do not fit its {channel_count} channels and are "
            "passed over; pass channel_names="
        )
    events = {".".join(place): None for place, value in items if _is(place, _EVENT_KEYS) and np.size(value)}
    if events:
        warn(
            f"{recording}: events of MATLAB files are not read ({listed(events)}); pass seizures= with "
            "their times [s] or a table of them"
        )
