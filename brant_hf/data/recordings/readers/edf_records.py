"""Samples of EDF and BDF files as they are stored, read from disk on demand."""

from collections.abc import Sequence
from io import FileIO
from itertools import pairwise

import numpy as np

from .edf_header import EdfHeader

# Records are read in pieces of at most this size, whatever their number.
_CHUNK_BYTES = 2**23
# Finding one signal in one record takes as long as reading about this many bytes.
_BYTES_PER_SEEK = 2**13


def open_records(header: EdfHeader) -> FileIO:
    """Open the file for `read_stored`."""
    return header.path.open("rb", buffering=0)


def read_stored(file: FileIO, header: EdfHeader, signals: Sequence[int], start: int, stop: int) -> np.ndarray:
    """Read samples as bytes.

    Parameters
    ----------
    file : FileIO
        See `open_records`.
    header : EdfHeader
        Of this file.
    signals : Sequence[int]
        Signals that have the same number of samples in a record.
    start, stop : int
        Samples `[start, stop)`, counted through all records.

    Returns
    -------
    np.ndarray
        `(signals, bytes)`, uint8.

    Raises
    ------
    OSError
        The file ends before the last sample.
    """
    stored = np.empty((len(signals), (stop - start) * header.sample_bytes), np.uint8)
    is_dense = header.record_bytes <= min(_BYTES_PER_SEEK * len(signals), _CHUNK_BYTES)
    (_read_records if is_dense else _read_pieces)(file, header, signals, start, stored)
    return stored


def _read_records(file: FileIO, header: EdfHeader, signals: Sequence[int], start: int, stored: np.ndarray) -> None:
    """Read whole records, for most of their signals or for small ones."""
    size = header.samples[signals[0]] * header.sample_bytes
    begin, end = start * header.sample_bytes, start * header.sample_bytes + stored.shape[1]
    places = [header.place_of(signal) for signal in signals]
    step = _CHUNK_BYTES // header.record_bytes
    last = -(-end // size)
    for first in range(begin // size, last, step):
        records = np.empty((min(step, last - first), header.record_bytes), np.uint8)
        _read_into(file, header.data_start + first * header.record_bytes, records.data.cast("B"))
        low, high = max(begin, first * size), min(end, (first + len(records)) * size)
        is_whole = high - low == len(records) * size
        for row, place in zip(stored, places, strict=True):
            column, target = records[:, place : place + size], row[low - begin : high - begin]
            if is_whole:
                target.reshape(column.shape)[:] = column
            else:
                target[:] = column.reshape(-1)[low - first * size : high - first * size]


def _read_pieces(file: FileIO, header: EdfHeader, signals: Sequence[int], start: int, stored: np.ndarray) -> None:
    """Read some signals of large records, each signal of each record by itself."""
    size = header.samples[signals[0]] * header.sample_bytes
    begin, end = start * header.sample_bytes, start * header.sample_bytes + stored.shape[1]
    places = [header.data_start + header.place_of(signal) for signal in signals]
    rows = [row.data for row in stored]
    # Where each piece begins in a row; there is one a record.
    bounds = [0, *range(size - begin % size, end - begin, size), end - begin]
    distance = header.record_bytes
    position = begin // size * distance + begin % size
    for low, high in pairwise(bounds):
        for row, place in zip(rows, places, strict=True):
            _read_into(file, place + position, row[low:high])
        position += distance - (begin % size if low == 0 else 0)


def _read_into(file: FileIO, position: int, target: memoryview) -> None:
    file.seek(position)
    count = file.readinto(target)
    while count < len(target):
        if not count:
            raise OSError(f"the file ends at byte {file.tell()}; it was cut since it was opened")
        target = target[count:]
        count = file.readinto(target)
