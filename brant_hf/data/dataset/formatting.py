"""Rows of a dataset as NumPy views of its Arrow buffers, without copying a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from datasets.formatting import NumpyFormatter, _register_formatter


class _FormatName(str):
    """Name of the format.

    A dataset that carries it imports this module when it is unpickled in a worker process, which registers the format
    there.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return _FormatName, (str(self),)


class WindowFormatter(NumpyFormatter):
    """Matrices (lists of lists of numbers) as read-only arrays that share memory with the file.

    Everything else comes as Python values.
    """

    def format_row(self, pa_table: pa.Table) -> dict[str, Any]:
        """Return the first row."""
        return {name: values[0] for name, values in self.format_batch(pa_table.slice(0, 1)).items()}

    def format_column(self, pa_table: pa.Table) -> list[Any]:
        """Return the values of the first column."""
        return _column_values(pa_table.column(0))

    def format_batch(self, pa_table: pa.Table) -> dict[str, list[Any]]:
        """Return the values of every column."""
        return {name: _column_values(pa_table.column(name)) for name in pa_table.column_names}

    def recursive_tensorize(self, data_struct: Any) -> Any:
        """Return nested values as they are."""
        return data_struct


def _column_values(column: pa.ChunkedArray) -> list[Any]:
    if _is_matrix(column.type):
        return [matrix for chunk in column.chunks for matrix in _matrices(chunk)]
    return column.to_pylist()


def _is_matrix(kind: pa.DataType) -> bool:
    if not _is_list(kind) or not _is_list(kind.value_type):
        return False
    number = kind.value_type.value_type
    return pa.types.is_floating(number) or pa.types.is_integer(number)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _matrices(chunk: pa.Array) -> list[np.ndarray]:
    inner = chunk.flatten()
    numbers = inner.flatten().to_numpy(zero_copy_only=True)
    counts = chunk.value_lengths().to_pylist()
    matrices, row, first = [], 0, 0
    lengths = None if pa.types.is_fixed_size_list(inner.type) else inner.value_lengths().to_numpy()
    for count in counts:
        width = inner.type.list_size if lengths is None else int(lengths[row]) if count else 0
        matrices.append(numbers[first : first + count * width].reshape(count, width))
        row, first = row + count, first + count * width
    return matrices


FORMAT = _FormatName("brant_windows")
_register_formatter(WindowFormatter, FORMAT)
