"""Files of a prepared dataset: Arrow shards, the settings they were made with, and a manifest of what is in them.

    dataset.json settings (preprocessing, windows), written first; another run must have the same manifest.jsonl one
    line for each source: what it is, how it was read, and which shards it gave splits.json which shards belong to
    which split, when splits were saved README.md dataset card; its header tells `datasets.load_dataset` where the
    shards are data/windows-*.arrow shards

A shard is written under a temporary name and renamed when it is complete, so whatever ends in `.arrow` is whole. A
line of the manifest is written after its shards; shards without a line are leftovers of an interrupted run. Other
files in the folder of the shards belong to `datasets`, which keeps permutations beside the files that they permute.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..windows import WindowSettings

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SETTINGS_FILE = "dataset.json"
MANIFEST_FILE = "manifest.jsonl"
SPLITS_FILE = "splits.json"
CARD_FILE = "README.md"
LOCK_FILE = ".lock"
DATA_FOLDER = "data"
SHARD_PREFIX = "windows-"
TEMPORARY_SUFFIX = ".tmp"
FORMAT_VERSION = 1
# Rows are grouped into record batches of about this size: one row of 100 channels, hundreds of a single channel.
BATCH_BYTES = 8 * 2**20


@dataclass
class Row:
    """One window: `values` (channels, samples) float32 in microvolts, `labels` (channels, patches) int8 or `None`."""

    values: np.ndarray
    labels: np.ndarray | None
    subject: str
    recording: str
    start: float
    channel_names: list[str]
    sampling_rate: float


def window_features(windows: WindowSettings, labels: bool) -> datasets.Features:
    """Return the schema of the rows.

    Lists of fixed length are declared where every window has the same number of patches; with shorter windows at the
    end of recordings they vary.
    """
    from datasets import Features, List, Value

    fixed = windows.remainder == "drop"
    features = {"input_values": List(List(Value("float32"), length=windows.window_length if fixed else -1))}
    if labels:
        features["labels"] = List(List(Value("int8"), length=windows.num_patches if fixed else -1))
    return Features(
        features
        | {
            "subject": Value("string"),
            "recording": Value("string"),
            "start": Value("float64"),
            "channel_names": List(Value("string")),
            "sampling_rate": Value("float64"),
        }
    )


class ShardWriter:
    """Writes rows to `<folder>/windows-<key>-00000.arrow`, `-00001.arrow`, ... of about `shard_bytes` each.

    Nothing carries its final name before `finish`, which renames all shards of the recording at once.
    """

    def __init__(self, folder: Path, key: str, features: datasets.Features, shard_bytes: int) -> None:
        self._folder, self._key = folder, key
        self._schema = features.arrow_schema
        self._shard_bytes = shard_bytes
        self._rows: list[Row] = []
        self._row_bytes = 0
        self._sink: Any = None
        self._stream: Any = None
        self._written = 0
        self.shards: list[dict[str, Any]] = []

    def add(self, row: Row) -> None:
        """Append one row; it must not be changed afterwards."""
        self._rows.append(row)
        self._row_bytes += row.values.nbytes
        if self._row_bytes >= BATCH_BYTES:
            self._write_batch()

    def finish(self) -> list[dict[str, Any]]:
        """Complete the shards and give them their names; `{"file", "rows"}` for each."""
        if self._rows:
            self._write_batch()
        self._close()
        for shard in self.shards:
            os.replace(self._temporary(shard["file"]), self._folder / shard["file"])
        return self.shards

    def discard(self) -> None:
        """Remove what was written."""
        self._rows = []
        self._close()
        for shard in self.shards:
            self._temporary(shard["file"]).unlink(missing_ok=True)

    def _temporary(self, name: str) -> Path:
        return self._folder / (name + TEMPORARY_SUFFIX)

    def _write_batch(self) -> None:
        import pyarrow as pa

        if self._stream is None:
            name = f"{SHARD_PREFIX}{self._key}-{len(self.shards):05d}.arrow"
            self.shards.append({"file": name, "rows": 0})
            self._sink = pa.OSFile(str(self._temporary(name)), "wb")
            self._stream = pa.ipc.new_stream(self._sink, self._schema)
        self._stream.write_batch(_record_batch(self._rows, self._schema))
        self.shards[-1]["rows"] += len(self._rows)
        self._written += self._row_bytes
        self._rows, self._row_bytes = [], 0
        if self._written >= self._shard_bytes:
            self._close()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._sink.close()
        self._stream, self._written = None, 0


def _record_batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = {
        "input_values": lambda field: _nested_array([row.values for row in rows], field.type),
        "labels": lambda field: _nested_array([row.labels for row in rows], field.type),
    }
    arrays = [
        columns[field.name](field)
        if field.name in columns
        else pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in schema
    ]
    return pa.record_batch(arrays, schema=schema)


def _nested_array(matrices: list[np.ndarray], kind: pa.DataType) -> pa.Array:
    """Matrices as an Arrow array of lists of lists; the numbers of a single matrix are not copied."""
    import pyarrow as pa

    numbers = matrices[0].reshape(-1) if len(matrices) == 1 else np.concatenate([m.reshape(-1) for m in matrices])
    flat = pa.array(numbers, type=kind.value_type.value_type)
    if pa.types.is_fixed_size_list(kind.value_type):
        inner = pa.FixedSizeListArray.from_arrays(flat, type=kind.value_type)
    else:
        lengths = [m.shape[1] for m in matrices for _ in range(len(m))]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        inner = pa.ListArray.from_arrays(offsets, flat, type=kind.value_type)
    offsets = np.concatenate([[0], np.cumsum([len(m) for m in matrices])]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, inner, type=kind)


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Note the settings of a dataset, or check that they are those it already has.

    Raises
    ------
    ValueError
        The folder holds a dataset made with other settings, or files of something else.
    """
    settings = json.loads(json.dumps({"format_version": FORMAT_VERSION, **settings}))
    path = folder / SETTINGS_FILE
    if path.exists():
        present = json.loads(path.read_text(encoding="utf-8"))
        if present != settings:
            raise ValueError(
                f"{folder} holds a dataset prepared with other settings ({_difference(present, settings)}); "
                "choose another folder or the same settings"
            )
        return
    if any(entry.name != LOCK_FILE for entry in folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no dataset of brant_hf; choose an empty or a new folder")
    write_text(path, json.dumps(settings, indent=2) + "\n")


def _difference(present: dict[str, Any], wanted: dict[str, Any]) -> str:
    found = []
    for group in {**present, **wanted}:
        old, new = present.get(group), wanted.get(group)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [
                f"{name}: there {old.get(name)!r}, here {new.get(name)!r}"
                for name in {**old, **new}
                if old.get(name) != new.get(name)
            ]
        elif old != new:
            found.append(f"{group}: there {old!r}, here {new!r}")
    return "; ".join(found)


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Entries of the manifest by key; of several for one key the last holds.

    A last line cut short by an interruption is left out.
    """
    path = folder / MANIFEST_FILE
    entries: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        entries[entry["key"]] = entry
    return entries


def append_manifest(folder: Path, entry: dict[str, Any]) -> None:
    """Add one entry, on disk before this returns."""
    path = folder / MANIFEST_FILE
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def write_manifest(folder: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write all entries, sorted by key, so that the file does not depend on the order of the work."""
    ordered = sorted(entries, key=lambda entry: entry["key"])
    write_text(folder / MANIFEST_FILE, "".join(json.dumps(entry) + "\n" for entry in ordered))


def remove_leftovers(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    """Remove unfinished shards, and finished ones that no entry of the manifest names."""
    known = {shard["file"] for entry in entries.values() for shard in entry.get("shards", ())}
    for path in (folder / DATA_FOLDER).glob(f"{SHARD_PREFIX}*"):
        if path.name not in known:
            path.unlink()


def shard_files(entries: dict[str, dict[str, Any]]) -> list[str]:
    """Names of all shards, in the order in which their rows are read."""
    return [shard["file"] for key in sorted(entries) for shard in entries[key].get("shards", ())]


def read_splits(folder: Path) -> dict[str, list[str]] | None:
    """Names of the shards of each split, or `None` when no splits were saved."""
    path = folder / SPLITS_FILE
    return json.loads(path.read_text(encoding="utf-8"))["splits"] if path.exists() else None


def write_card(folder: Path, splits: dict[str, list[str]] | None = None) -> None:
    """Write the dataset card, whose header tells `datasets.load_dataset` which shards make which split."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split, files in (splits or {"train": [f"{SHARD_PREFIX}*.arrow"]}).items():
        lines += [f"  - split: {split}", "    path:", *(f'    - "{DATA_FOLDER}/{name}"' for name in files)]
    lines += [
        "---",
        "",
        "# Windows of intracranial EEG",
        "",
        "Made by `brant_hf.data.prepare`. One row is one window: `input_values` (channels, samples) in microvolts,",
        "`labels` (channels, patches) with 1 for seizure, 0 for background and -100 for unknown,",
        "`subject`, `recording`, `start` in seconds, `channel_names` and `sampling_rate` in Hz.",
        "Settings are in `dataset.json`, sources in `manifest.jsonl`.",
        "",
    ]
    write_text(folder / CARD_FILE, "\n".join(lines))
