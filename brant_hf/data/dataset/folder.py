"""The folder of a dataset of windows.

- `dataset.json`: what it was made with (preprocessing, windows), written first; another run must have the same
- `manifest.jsonl`: a line for each recording: what it is, how it was read, and which shards it gave
- `failed.json`: recordings that could not be prepared, with the reason
- `recordings.tsv`: what went in, a row for each recording, for people; `recordings.json` has the same with versions,
  settings and sizes of files
- `splits.json`: which shards belong to which split, when splits were saved
- `README.md`: dataset card; its header tells `datasets.load_dataset` where the shards are; it shows `recordings.tsv`
- `data/windows-*.arrow`: shards
- `parts/I-of-N/`: what a task of a job array has prepared, in the same form, until it is merged; `pending.json` there
  names the recordings that it works on, until it has done so

What has the name of a shard is whole. A line of the manifest is written after its shards; shards without a line are
leftovers of an interrupted run. Other files in the folder of the shards belong to `datasets`, which keeps permutations
beside the files that they permute.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import locked, replacing, write_text
from ...hub import find_on_hub
from ...listing import differences
from ...user_warnings import warn
from ..windows import WindowSettings
from .contents import ContentRow, as_json, as_markdown, as_tsv, contents

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SETTINGS_FILE = "dataset.json"
MANIFEST_FILE = "manifest.jsonl"
FAILED_FILE = "failed.json"
PENDING_FILE = "pending.json"
TABLE_FILE = "recordings.tsv"
AUDIT_FILE = "recordings.json"
SPLITS_FILE = "splits.json"
CARD_FILE = "README.md"
LOCK_FILE = ".lock"
DATA_FOLDER = "data"
PARTS_FOLDER = "parts"
SHARD_PREFIX = "windows-"
FORMAT_VERSION = 1
# A shard of this size is complete, and the next one begins.
SHARD_BYTES = 256 * 2**20
# Rows are grouped into record batches of about this size: one row of 100 channels, hundreds of a single channel.
BATCH_BYTES = 8 * 2**20

_CARD = """
# Windows of intracranial EEG

Made by `brant_hf.data.prepare`. One row is one window: `input_values` (channels, samples) in microvolts,
`labels` (channels, patches) with 1 for seizure, 0 for background and -100 for unknown,
`subject`, `recording`, `start` in seconds, `channel_names` and `sampling_rate` in Hz.
Settings are in `dataset.json`, sources in `manifest.jsonl`.
"""
# What stands between these in a card is written anew when the recordings change.
_TABLE_BEGINS, _TABLE_ENDS = "<!-- recordings -->", "<!-- end of recordings -->"


class DatasetFolder:
    """A folder made by `prepare`, or one that is to become so.

    Parameters
    ----------
    path : str or Path
        The folder; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.data = self.path / DATA_FOLDER

    @property
    def settings(self) -> dict[str, Any] | None:
        """What it was made with: `preprocessing`, `windows`, `labels`, `open_options`; `None` for anything else."""
        path = self.path / SETTINGS_FILE
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """Entries by key; of several for one key the last holds.

        A last line cut short by an interruption is left out.
        """
        path = self.path / MANIFEST_FILE
        entries: dict[str, dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            entries[entry["key"]] = entry
        return entries

    @cached_property
    def failed(self) -> dict[str, dict[str, Any]]:
        """`{"source", "reason", "files"}` (sizes [bytes]) of recordings that could not be prepared, by key."""
        path = self.path / FAILED_FILE
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def contents(self) -> list[ContentRow]:
        """What went in: a row for each recording."""
        return contents(self.manifest.values(), self.failed.values())

    @property
    def splits(self) -> dict[str, list[str]] | None:
        """Names of the shards of each split, or `None` when no splits were saved."""
        path = self.path / SPLITS_FILE
        return json.loads(path.read_text(encoding="utf-8"))["splits"] if path.exists() else None

    def shards(self, split: str | None = None) -> list[Path]:
        """Files of a split, or of all rows, in the order in which the rows are read.

        Raises
        ------
        FileNotFoundError
            A shard is missing.
        ValueError
            There is no such split.
        """
        names = [shard["file"] for key in sorted(self.manifest) for shard in self.manifest[key]["shards"]]
        if split is not None:
            splits = self.splits or {"train": names}
            if split not in splits:
                raise ValueError(f"{self.path} has no split {split!r}; it has {', '.join(map(repr, splits))}")
            names = splits[split]
        paths = [self.data / name for name in names]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing; run prepare again with the same arguments")
        return paths

    @property
    def pending(self) -> dict[str, str]:
        """Sources by key that a run began to work on and has not come to the end of; empty where none was stopped."""
        path = self.path / PENDING_FILE
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def note_pending(self, sources: Mapping[str, str]) -> None:
        """Note what a run works on; nothing when it is done."""
        path = self.path / PENDING_FILE
        if sources:
            write_text(path, json.dumps(sources, indent=2) + "\n")
        else:
            path.unlink(missing_ok=True)

    @contextmanager
    def writing(self, settings: dict[str, Any]) -> Iterator[None]:
        """Make the folder, keep other runs from writing to it, and note with which settings this is done.

        Raises
        ------
        BlockingIOError
            Another run is writing to it.
        ValueError
            The path is a file, or the folder holds a dataset made with other settings or files of something else.
        """
        self._make()
        with self.locked():
            self._note_settings(settings)
            self.data.mkdir(exist_ok=True)
            if not (self.path / CARD_FILE).exists():
                self._write_card()
            yield

    def part(self, name: str, settings: dict[str, Any]) -> DatasetFolder:
        """Return the folder of one of several runs that write at a time; notes with which settings this is done.

        Raises
        ------
        ValueError
            As of `writing`.
        """
        self._make()
        self._note_settings(settings)
        return DatasetFolder(self.path / PARTS_FOLDER / name)

    @property
    def parts(self) -> list[DatasetFolder]:
        """Parts that are not merged, in the order in which they were last written to."""
        found = (DatasetFolder(each.parent) for each in (self.path / PARTS_FOLDER).glob(f"*/{SETTINGS_FILE}"))
        return sorted(found, key=lambda part: (part._changed(), part.path.name))

    def _changed(self) -> int:
        files = (self.path / name for name in (MANIFEST_FILE, FAILED_FILE))
        return max((each.stat().st_mtime_ns for each in files if each.exists()), default=0)

    def _make(self) -> None:
        """Make the folder, and refuse one of something else."""
        if any(each.exists() and not each.is_dir() for each in (self.path, *self.path.parents)):
            raise ValueError(f"{self.path} is a file or lies below one; give a folder to write the dataset to")
        # Hidden are the lock, and what another part of the same dataset is just writing.
        others = [each for each in self.path.iterdir() if each.name[0] != "."] if self.path.is_dir() else []
        if others and self.settings is None:
            raise ValueError(
                f"{self.path} is not empty and holds no dataset of brant_hf; choose an empty or a new folder"
            )
        self.path.mkdir(parents=True, exist_ok=True)

    def add(self, entry: dict[str, Any]) -> None:
        """Note a recording whose shards are written; on disk before this returns."""
        self._forget_splits(entry)
        with (self.path / MANIFEST_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.manifest[entry["key"]] = entry
        self.failed.pop(entry["key"], None)

    def remove(self, key: str) -> None:
        """Forget a recording; `tidy` makes it so on disk."""
        self._forget_splits(self.manifest.pop(key))

    def write_manifest(self) -> list[dict[str, Any]]:
        """Write the manifest in an order that does not depend on that of the work, and return it."""
        entries = [self.manifest[key] for key in sorted(self.manifest)]
        write_text(self.path / MANIFEST_FILE, "".join(json.dumps(entry) + "\n" for entry in entries))
        return entries

    def tidy(self) -> None:
        """Write the manifest, and remove shards that it does not name.

        These are shards of recordings that were removed, and what an interrupted run left. Tables of what went in
        follow.
        """
        entries = self.write_manifest()
        known = {shard["file"] for entry in entries for shard in entry["shards"]}
        for path in self.data.iterdir():
            if path.name.lstrip(".").startswith(SHARD_PREFIX) and path.name not in known:
                path.unlink()
        self._tell_contents()

    def save_splits(self, splits: dict[str, list[str]], **how: Any) -> None:
        """Note the shards of each split, and `how` they were found."""
        write_text(self.path / SPLITS_FILE, json.dumps({**how, "splits": splits}, indent=2) + "\n")
        self._write_card(splits)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from writing to it.

        Raises
        ------
        BlockingIOError
            Another run is writing to it.
        """
        with locked(self.path / LOCK_FILE, f"another run of prepare is writing to {self.path}"):
            yield

    def _note_settings(self, settings: dict[str, Any]) -> None:
        settings = json.loads(json.dumps({"format_version": FORMAT_VERSION, **settings}))
        present = self.settings
        if present is None:
            write_text(self.path / SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")
        elif present != settings:
            raise ValueError(
                f"{self.path} holds a dataset prepared with other settings ({differences(present, settings)}); "
                "choose another folder or the same settings"
            )

    def _forget_splits(self, entry: dict[str, Any]) -> None:
        """Remove saved splits when the shards of an entry come or go, which they do not know."""
        splits = self.path / SPLITS_FILE
        if entry["shards"] and splits.exists():
            warn(f"the recordings of {self.path} changed, so its saved splits are removed")
            self._write_card()
            splits.unlink()

    def _tell_contents(self) -> None:
        """Write what went in as a table, and into the card."""
        failed = {key: self.failed[key] for key in sorted(self.failed)}
        write_text(self.path / FAILED_FILE, json.dumps(failed, indent=2) + "\n")
        rows = self.contents
        write_text(self.path / TABLE_FILE, as_tsv(rows))
        write_text(self.path / AUDIT_FILE, as_json(self.manifest.values(), self.failed.values(), self.settings))
        card = self.path / CARD_FILE
        before, _, rest = card.read_text(encoding="utf-8").partition(_TABLE_BEGINS)
        after = rest.partition(_TABLE_ENDS)[2].strip("\n")
        table = f"{_TABLE_BEGINS}\n## Recordings\n\n{as_markdown(rows)}\n{_TABLE_ENDS}"
        write_text(card, f"{before.rstrip()}\n\n{table}\n" + (f"\n{after}\n" if after else ""))

    def _write_card(self, splits: dict[str, list[str]] | None = None) -> None:
        """Write the dataset card, whose header tells `datasets.load_dataset` which shards make which split."""
        lines = ["---", "configs:", "- config_name: default", "  data_files:"]
        for split, files in (splits or {"train": [f"{SHARD_PREFIX}*.arrow"]}).items():
            lines += [f"  - split: {split}", "    path:", *(f'    - "{DATA_FOLDER}/{name}"' for name in files)]
        card = self.path / CARD_FILE
        text = card.read_text(encoding="utf-8") if card.exists() else ""
        # What stands below the header stays as it is.
        body = text.partition("\n---\n")[2] or _CARD
        write_text(card, "\n".join([*lines, "---", body]))


def settings_of(dataset: str | Path) -> dict[str, Any] | None:
    """Read what a dataset was made with, see `DatasetFolder.settings`; `None` where it does not tell.

    Parameters
    ----------
    dataset : str or Path
        A folder, or the id on the Hub that a folder was uploaded to.

    Raises
    ------
    FileNotFoundError, OSError
        As of `find_dataset`.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    if Path(dataset).exists():
        return DatasetFolder(dataset).settings
    find_dataset(dataset)
    try:
        path = Path(hf_hub_download(str(dataset), SETTINGS_FILE, repo_type="dataset"))
    except (EntryNotFoundError, HfHubHTTPError):
        return None  # Who loads it says what is wrong with it.
    return DatasetFolder(path.parent).settings


def find_dataset(dataset: str | Path) -> None:
    """Find a dataset on disk, in a cache or on the Hub, before anything asks for it again and again.

    Raises
    ------
    FileNotFoundError
        It is nowhere.
    OSError
        The Hub is not within reach.
    ValueError
        It is a file.
    """
    from datasets import config
    from datasets.naming import camelcase_to_snakecase

    if Path(dataset).is_file():
        raise ValueError(f"{dataset} is a file; give a folder made by prepare, or an id on the Hub")
    if Path(dataset).exists():
        return
    name = str(dataset)
    if isinstance(dataset, Path) or not re.fullmatch(r"([\w.-]+/)?[\w.-]*\w[\w.-]*", name):
        raise FileNotFoundError(f"{name} does not exist; give a folder made by prepare, or an id on the Hub")
    *owner, own_name = name.split("/")
    if not (Path(config.HF_DATASETS_CACHE) / "___".join([*owner, camelcase_to_snakecase(own_name)])).is_dir():
        find_on_hub(name, kind="dataset")


@dataclass
class Row:
    """One window: (channels, samples) float32 in microvolts, and labels (channels, patches) int8 or `None`."""

    input_values: np.ndarray
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
    features = {
        "input_values": List(List(Value("float32"), length=windows.window_length if fixed else -1)),
        "labels": List(List(Value("int8"), length=windows.num_patches if fixed else -1)),
        "subject": Value("string"),
        "recording": Value("string"),
        "start": Value("float64"),
        "channel_names": List(Value("string")),
        "sampling_rate": Value("float64"),
    }
    return Features({name: kind for name, kind in features.items() if labels or name != "labels"})


@contextmanager
def shard_writer(folder: Path, key: str, features: datasets.Features) -> Iterator[ShardWriter]:
    """Write the rows of one recording; all its shards get their names when the block succeeds, none when it fails."""
    with ExitStack() as names:
        writer = ShardWriter(folder, key, features, names)
        try:
            yield writer
            writer.flush()
        finally:
            writer.close()


class ShardWriter:
    """Writes rows to `<folder>/windows-<key>-00000.arrow`, `-00001.arrow`, ..., see `shard_writer`.

    Attributes
    ----------
    shards : list[dict[str, Any]]
        `{"file", "rows"}` of each shard.
    """

    def __init__(self, folder: Path, key: str, features: datasets.Features, names: ExitStack) -> None:
        self._folder, self._key, self._names = folder, key, names
        self._schema = features.arrow_schema
        self._rows: list[Row] = []
        self._row_bytes = 0
        self._sink: Any = None
        self._stream: Any = None
        self._written = 0
        self.shards: list[dict[str, Any]] = []

    def add(self, row: Row) -> None:
        """Append one row; it must not be changed afterwards."""
        self._rows.append(row)
        self._row_bytes += row.input_values.nbytes
        if self._row_bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait to fill a batch."""
        if not self._rows:
            return
        if self._stream is None:
            self._open()
        self._stream.write_batch(_record_batch(self._rows, self._schema))
        self.shards[-1]["rows"] += len(self._rows)
        self._written += self._row_bytes
        self._rows, self._row_bytes = [], 0
        if self._written >= SHARD_BYTES:
            self.close()

    def close(self) -> None:
        """End the shard that is being written."""
        if self._stream is not None:
            self._stream.close()
            self._sink.close()
        self._stream, self._written = None, 0

    def _open(self) -> None:
        import pyarrow as pa

        name = f"{SHARD_PREFIX}{self._key}-{len(self.shards):05d}.arrow"
        self._sink = pa.OSFile(str(self._names.enter_context(replacing(self._folder / name))), "wb")
        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        self.shards.append({"file": name, "rows": 0})


def _record_batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = {field.name: ([getattr(row, field.name) for row in rows], field.type) for field in schema}
    arrays = [
        _nested_array(values, kind) if name in ("input_values", "labels") else pa.array(values, kind)
        for name, (values, kind) in columns.items()
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
