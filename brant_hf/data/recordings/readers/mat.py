"""MATLAB files have no fixed form: the matrix that can only be the signal, with what stands beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....listing import listed
from ....user_warnings import warn
from ..source import Source
from .eeglab import described_fields, eeglab_source
from .mat_files import MatReader, contents, is_hdf5, variable_shapes
from .mat_members import (
    FEWEST_SAMPLES,
    SIGNAL_KEYS,
    Found,
    distance,
    has_whole_numbers,
    is_called,
    is_numeric,
    is_vector,
    name_in_file,
    names_of_channels,
    rate_near,
    subject_near,
    tell_of_members,
    unit_near,
    walk,
)
from .mat_vectors import channel_vectors, vectors_source

# With these, EEGLAB saved the file under another suffix.
_EEGLAB_KEYS = {"data", "srate", "nbchan", "pnts", "trials", "chanlocs"}
# In an export of LabChart, where each channel begins.
_KEYS_OF_PIECES = ("datastart",)
# The largest of several matrices is the signal where it has so many times the numbers of the next one.
_MUCH_LARGER = 10
# Without names, what is not longer than wide by this factor may be turned.
_TWICE = 2
_AS_ARRAY = (
    "load it and call open_recording(array, sampling_rate=..., channel_names=...) with an array (channels, samples) "
    "in microvolts"
)


def mat_source(path: Path) -> Source:
    """Open the signal of a MATLAB file: of FieldTrip, of EEGLAB, a matrix or a vector a channel, with its rate beside.

    Values are microvolts where the file does not state a unit, as those of arrays are.

    Raises
    ------
    ImportError
        The file is of version 7.3 and h5py is not installed.
    ValueError
        The file is damaged, or which of its matrices is the signal is not clear.
    """
    members = contents(path)
    fields = _fields_of_eeglab(members)
    if fields is not None:
        del members  # and the samples, which MNE-Python loads again
        return eeglab_source(path, fields)
    items = list(walk((), members))
    channels = {} if any(_is_matrix(value) for _, value in items) else channel_vectors(items)
    return vectors_source(path, items, channels) if channels else _matrix_source(path, items)


def _fields_of_eeglab(members: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a data set of EEGLAB says of itself, `None` of any other file."""
    for structure in (members, members.get("EEG")):
        if isinstance(structure, dict) and set(structure) >= _EEGLAB_KEYS:
            return described_fields(structure)
    return None


def _matrix_source(path: Path, items: Sequence[Found]) -> Source:
    place, matrix = _signal(items, path)
    shape = matrix.shape if len(matrix.shape) == 2 else (1, *matrix.shape)
    near = sorted(items, key=lambda item: distance(place, item[0]))
    written = [names for key, value in near if (names := names_of_channels(key, value))]
    names = next((names for names in written if len(names) in shape), None)
    if names is None and max(shape) < _TWICE * min(shape):
        raise ValueError(
            f"{path}: whether its signal {'.'.join(place)} {shape} is (channels, samples) or (samples, channels) is "
            f"not clear; {_AS_ARRAY}"
        )
    # There are more samples than channels, unless the names say otherwise.
    channels_first = shape[0] <= shape[1] if names is None or shape[0] == shape[1] else shape[0] == len(names)
    channel_count, num_samples = shape if channels_first else shape[::-1]
    if names is None and written:
        warn(
            f"{path.stem}: its {len(written[0])} names of channels do not fit its {channel_count} channels and are "
            "passed over; pass channel_names="
        )
    tell_of_members(path, [item for item in items if item[0] != place], has_whole_numbers(matrix))
    return Source(
        name=path.stem,
        subject=subject_near(near),
        num_samples=num_samples,
        channel_count=channel_count,
        sampling_rate=rate_near(items, place, path, num_samples),
        channel_names=names if names is not None and len(names) == channel_count else None,
        read=MatReader(path, name_in_file(place, matrix), not channels_first or _is_column(path, place, matrix)),
        unit=unit_near(near, channel_count),
        path=path,
    )


def _signal(items: Sequence[Found], path: Path) -> Found:
    matrices = [(place, value) for place, value in items if _is_matrix(value)]
    named = [(place, value) for place, value in matrices if is_called(place, SIGNAL_KEYS)]
    candidates = named or matrices
    stacked = [
        (place, value)
        for place, value in items
        if is_called(place, SIGNAL_KEYS) and is_numeric(value) and len(value.shape) > 2
    ]
    largest = sorted(candidates, key=lambda item: -int(np.prod(item[1].shape)))
    sizes = [int(np.prod(value.shape)) for _, value in largest]
    is_alone = len({_kind(place) for place, _ in largest}) == len(largest) and not stacked
    if is_alone and (len(sizes) == 1 or (len(sizes) > 1 and sizes[0] > _MUCH_LARGER * sizes[1])):
        return largest[0]
    vectors = [(place, value) for place, value in items if is_vector(value) and is_called(place, SIGNAL_KEYS)]
    if not named and not stacked and len(vectors) == 1:
        if any(is_called(place, _KEYS_OF_PIECES) for place, _ in items):
            raise ValueError(
                f"{path}: in its vector {'.'.join(vectors[0][0])} the channels stand one after another, as LabChart "
                f"exports them; cut it (datastart, dataend), or export EDF, or {_AS_ARRAY}"
            )
        return vectors[0]
    if stacked or largest:
        shown = listed(f"{'.'.join(place)} {value.shape}" for place, value in [*stacked, *largest])
        raise ValueError(f"{path}: which of its matrices is the signal is not clear (matrices: {shown}); {_AS_ARRAY}")
    series = listed(f"{'.'.join(place)} {value.shape}" for place, value in items if is_vector(value))
    # What SciPy calls a table or another object, which MATLAB alone reads.
    variables = ["an object of MATLAB" if place == ("None",) else place[0] for place, _ in items if not place[1:]]
    held = f"vectors: {series}" if series else f"variables: {listed(variables) or 'none'}"
    raise ValueError(f"{path} holds no matrix of {FEWEST_SAMPLES} samples or more ({held}); {_AS_ARRAY}")


def _is_matrix(value: Any) -> bool:
    return is_numeric(value) and len(value.shape) == 2 and min(value.shape) > 1 and max(value.shape) >= FEWEST_SAMPLES


def _is_column(path: Path, place: tuple[str, ...], matrix: Any) -> bool:
    """Whether a vector of an older version, whose shape is lost when structures are read, stands upright."""
    is_loose = len(matrix.shape) == 1 and len(place) == 1 and not is_hdf5(path)
    return is_loose and variable_shapes(path)[place[0]][-1] == 1


def _kind(place: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the numbers of a place: what remains is the same for the members of one cell."""
    return tuple(key for key in place if not key.isdigit())
