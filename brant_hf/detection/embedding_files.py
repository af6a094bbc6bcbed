"""Files of embeddings, written piece by piece: safetensors, and tables in Parquet."""

from __future__ import annotations

import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..files import software
from ..listing import listed
from ..user_warnings import warn

if TYPE_CHECKING:
    import pyarrow as pa

_SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16"}
# Rows of a table that are written together: as many as make about this many bytes.
_GROUP_BYTES = 8 * 2**20


@dataclass(frozen=True)
class EmbeddingLayout:
    """What the embeddings of a recording are of.

    Attributes
    ----------
    recording : str
        Its name.
    subject : str or None
        `None` where the recording does not tell.
    channels : list[str] or None
        Channels that have embeddings of their own; `None` for means over all of them.
    start, stop : np.ndarray
        `(units,)` [s], the stretches that have embeddings of their own: patches, windows or the whole.
    layers : Mapping[int, str]
        Number of each layer, and name of its tensor.
    hidden_size : int
        Numbers of an embedding.
    pool : str
        What one stands for, one of `POOLS`.
    times : np.ndarray
        `(units,)` [s], the centres.
    """

    recording: str
    subject: str | None
    channels: list[str] | None
    start: np.ndarray
    stop: np.ndarray
    layers: Mapping[int, str]
    hidden_size: int
    pool: str
    times: np.ndarray

    @property
    def full_shape(self) -> tuple[int, int, int, int]:
        """Channels (1 for means over them), units, layers, hidden size."""
        return 1 if self.channels is None else len(self.channels), len(self.start), len(self.layers), self.hidden_size

    @property
    def axes(self) -> dict[str, int]:
        """Name and length of each axis of a tensor."""
        units = {"none": "patches", "window": "windows"}.get(self.pool)
        return {
            **({} if self.channels is None else {"channels": len(self.channels)}),
            **({} if units is None else {units: len(self.start)}),
            "hidden size": self.hidden_size,
        }

    @property
    def time_tensors(self) -> dict[str, np.ndarray]:
        """What stands beside the embeddings, `(units,)` [s] each; patches follow each other, and have centres only."""
        ends = {} if self.pool == "none" else {"start": self.start, "stop": self.stop}
        return {"times": self.times, **ends}


class EmbeddingArrays:
    """Keeps embeddings in memory; see `EmbeddingFile` for the arguments."""

    def __init__(self, layout: EmbeddingLayout, dtype: str) -> None:
        self._layout = layout
        self._values = np.empty(layout.full_shape, dtype)

    def write(self, start: int, values: np.ndarray) -> None:
        """Take `(channels, units, layers, hidden size)` from the unit `start` on."""
        self._values[:, start : start + values.shape[1]] = values

    def result(self) -> dict[str, np.ndarray]:
        """Return an array of each layer."""
        shape = tuple(self._layout.axes.values())
        layers = enumerate(self._layout.layers.values())
        return {name: np.ascontiguousarray(self._values[:, :, i]).reshape(shape) for i, name in layers}


class EmbeddingFile(ABC):
    """A file of embeddings that is written piece by piece.

    Parameters
    ----------
    path : Path
        File to write.
    layout : EmbeddingLayout
        What is written.
    dtype : str
        `"float32"` or `"float16"`.
    metadata : Mapping[str, str]
        Strings.
    """

    _file: Any

    def __init__(self, path: Path, layout: EmbeddingLayout, dtype: str, metadata: Mapping[str, str]) -> None:
        self._layout, self._dtype, self._metadata = layout, np.dtype(dtype), dict(metadata)
        self._open(path)

    @abstractmethod
    def _open(self, path: Path) -> None:
        """Begin the file."""

    @abstractmethod
    def write(self, start: int, values: np.ndarray) -> None:
        """Write `(channels, units, layers, hidden size)` from the unit `start` on."""

    def _finish(self) -> None:  # noqa: B027  not every file has an end of its own
        """Write what comes last, when all went well."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()


class EmbeddingTensors(EmbeddingFile):
    """Writes a safetensors file of a known shape piece by piece.

    The format is the length of a JSON header (8 bytes, little endian), the header and the tensors, row by row, so a
    stretch of patches is one run of bytes for each channel. Written to the file, not to mapped memory, whose pages
    would count as memory of the process.
    """

    def _open(self, path: Path) -> None:
        layout, kind = self._layout, _SAFETENSORS_NAMES[self._dtype.name]
        self._dtype = self._dtype.newbyteorder("<")
        self._num_units = layout.full_shape[1]
        self._unit_bytes = layout.hidden_size * self._dtype.itemsize
        times = {name: np.asarray(each, "<f8") for name, each in layout.time_tensors.items()}
        shape = list(layout.axes.values())
        entries = [("F64", name, list(each.shape), each.nbytes) for name, each in times.items()]
        size = math.prod(shape) * self._dtype.itemsize
        entries += [(kind, name, shape, size) for name in layout.layers.values()]
        header: dict[str, Any] = {"__metadata__": self._metadata}
        end = 0
        begins = []
        for kind, name, lengths, num_bytes in entries:
            begins.append(end)
            header[name] = {"dtype": kind, "shape": lengths, "data_offsets": [end, end + num_bytes]}
            end += num_bytes
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._begins = [8 + len(text) + begin for begin in begins[len(times) :]]
        self._file = open(path, "wb")  # noqa: SIM115  closed by __exit__
        self._file.write(len(text).to_bytes(8, "little") + text + b"".join(each.tobytes() for each in times.values()))
        self._file.truncate(8 + len(text) + end)

    def write(self, start: int, values: np.ndarray) -> None:
        """Write `(channels, units, layers, hidden size)` from the unit `start` on."""
        for layer, begin in enumerate(self._begins):
            for channel, rows in enumerate(np.ascontiguousarray(values[:, :, layer], self._dtype)):
                self._file.seek(begin + (channel * self._num_units + start) * self._unit_bytes)
                self._file.write(rows.data)


class EmbeddingTable(EmbeddingFile):
    """Writes a table in Parquet piece by piece, a row for each embedding.

    Its columns are `recording`, `subject`, `channel`, `layer`, `start` and `stop` [s] and `embedding`, a list of fixed
    length: one column, however many numbers there are, which pandas gives as arrays (`np.stack(table["embedding"])` is
    the matrix for scikit-learn), and polars, DuckDB and datasets know as a vector. Rows are in the order of time.
    """

    def _open(self, path: Path) -> None:
        self._schema = table_schema(self._layout.hidden_size, self._dtype.name)
        self._file = _open_table(path, self._schema)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0

    def write(self, start: int, values: np.ndarray) -> None:
        """Write `(channels, units, layers, hidden size)` from the unit `start` on."""
        import pyarrow as pa

        layout = self._layout
        numbers = np.ascontiguousarray(values.swapaxes(0, 1), self._dtype)
        num_units, num_channels, num_layers, size = numbers.shape
        count = num_units * num_channels * num_layers
        units = np.repeat(np.arange(start, start + num_units), num_channels * num_layers)
        channels = np.repeat(np.array([None] if layout.channels is None else layout.channels, object), num_layers)
        columns = {
            "recording": [layout.recording] * count,
            "subject": [layout.subject] * count,
            "channel": np.tile(channels, num_units),
            "layer": np.tile(list(layout.layers), num_units * num_channels),
            "start": layout.start[units],
            "stop": layout.stop[units],
        }
        arrays = [pa.array(each, self._schema.field(name).type) for name, each in columns.items()]
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), size))
        self._waiting.append(pa.record_batch(arrays, schema=self._schema))
        self._waiting_bytes += numbers.nbytes
        if self._waiting_bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._waiting_bytes = [], 0

    def _finish(self) -> None:
        self._flush()
        _mark(self._file, self._metadata)


def table_schema(hidden_size: int, dtype: str) -> pa.Schema:
    """Return the columns of a table of embeddings."""
    import pyarrow as pa

    return pa.schema(
        {
            "recording": pa.string(),
            "subject": pa.string(),
            "channel": pa.string(),
            "layer": pa.int32(),
            "start": pa.float64(),
            "stop": pa.float64(),
            "embedding": pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), hidden_size),
        }
    )


def join_tables(paths: Iterable[str | os.PathLike], output: Path) -> None:
    """Write the rows of several tables of embeddings into one, a group of rows at a time.

    Recordings of one name get names of their own there, see `_own_names`.

    Raises
    ------
    ValueError
        They hold embeddings of different lengths or precisions.
    """
    import pyarrow.parquet as pq

    files: Sequence[Any] = [pq.ParquetFile(path) for path in paths]
    made_from = []
    joined = _open_table(output, files[0].schema_arrow)
    try:
        for file, name in zip(files, _own_names([file.metadata.metadata for file in files]), strict=True):
            if file.schema_arrow != files[0].schema_arrow:
                raise ValueError(f"{output} cannot hold embeddings of {file.schema_arrow} and {files[0].schema_arrow}")
            for group in range(file.num_row_groups):
                joined.write_table(_renamed(file.read_row_group(group), name))
            made_from.append(json.loads(file.metadata.metadata[b"made_from"]))
        shared = {key.decode(): text.decode() for key, text in files[0].metadata.metadata.items()}
        kept = {name: shared[name] for name in ("pool", "sampling_rate", "patch_length")}
        _mark(joined, {**kept, "made_from": json.dumps(made_from)})
    finally:
        joined.close()
        for file in files:
            file.close()


def _own_names(parts: Sequence[Mapping[bytes, bytes]]) -> list[str | None]:
    """Name recordings that share name and subject by their paths below the folder of all, or by number if in memory.

    `None` where the name tells them apart already. Parts of one file are one recording, which times tell apart.
    """
    names: list[str | None] = [None] * len(parts)
    alike: dict[tuple[bytes, bytes | None], list[int]] = {}
    for place, part in enumerate(parts):
        alike.setdefault((part[b"recording"], part.get(b"subject")), []).append(place)
    for (name, _), places in alike.items():
        shared = name.decode()
        origins = {place: json.loads(parts[place][b"made_from"])["recording"] for place in places}
        paths = {place: os.path.abspath(origin) for place, origin in origins.items() if origin != shared}
        if len(places) == 1 or (len(paths) == len(places) and len(set(paths.values())) == 1):
            continue
        root = os.path.commonpath([os.path.dirname(path) for path in paths.values()]) if paths else ""
        for number, place in enumerate(places, 1):
            own = Path(os.path.relpath(paths[place], root)).as_posix() if place in paths else f"{shared} {number}"
            names[place] = own
        told = listed([str(names[place]) for place in places])
        warn(f"{len(places)} recordings are called {shared}; the table of embeddings calls them {told}")
    return names


def _renamed(rows: pa.Table, name: str | None) -> pa.Table:
    import pyarrow as pa

    if name is None:
        return rows
    place = rows.schema.get_field_index("recording")
    return rows.set_column(place, rows.schema.field(place), [pa.array([name] * len(rows), pa.string())])


def _open_table(path: Path, schema: pa.Schema) -> Any:
    import pyarrow.parquet as pq

    # Numbers of embeddings hardly repeat; texts do.
    return pq.ParquetWriter(path, schema, use_dictionary=["recording", "subject", "channel", "layer"])


def _mark(file: Any, metadata: Mapping[str, str]) -> None:
    """Note metadata, and last, where `has_mark` looks, who wrote the file."""
    file.add_key_value_metadata(dict(metadata))
    file.add_key_value_metadata({"brant_hf": json.dumps({"software": software()}, separators=(",", ":"))})
