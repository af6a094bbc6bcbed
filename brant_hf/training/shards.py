"""Rows of a stream, of which those are read that are wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..files import write_text

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

_END = object()


class Rows(Protocol):
    """Rows that are taken by number, each once."""

    def take(self, index: int) -> dict[str, Any]:
        """Return a row."""
        ...

    def drop(self, index: int) -> None:
        """Say that a row will not be taken."""
        ...


class MappedRows:
    """Rows of a dataset that is mapped from disk.

    Parameters
    ----------
    rows : Dataset
        The dataset.
    """

    def __init__(self, rows: Dataset) -> None:
        self._rows = rows

    def take(self, index: int) -> dict[str, Any]:
        """Read a row."""
        return self._rows[index]

    def drop(self, index: int) -> None:
        """Read nothing."""


class Shard:
    """Rows of one shard of a stream, which are read one after the other as far as the last that is taken.

    Parameters
    ----------
    rows : IterableDataset
        The shard alone.
    length : int or None
        How many rows it has, where that is known. Otherwise rows are read to know whether they are there.
    """

    def __init__(self, rows: IterableDataset, length: int | None) -> None:
        self.length = length
        self._iterator = _one_by_one(rows)
        self._read = 0
        self._held: dict[int, dict[str, Any]] = {}
        self._dropped: set[int] = set()

    def has(self, index: int) -> bool:
        """Whether there is a row of this number."""
        if self.length is None:
            self._read_up_to(index)
        return self.length is None or index < self.length

    def take(self, index: int) -> dict[str, Any]:
        """Read as far as a row, and return it.

        Raises
        ------
        ValueError
            The shard has not as many rows as it had.
        """
        self._read_up_to(index)
        if index not in self._held or (self._read == self.length and next(self._iterator, _END) is not _END):
            raise ValueError(
                "the dataset has changed since this run began, and what it has seen cannot be told from what is new: "
                "train into another output folder"
            )
        return self._held.pop(index)

    def drop(self, index: int) -> None:
        """Say that a row will not be taken."""
        if self._held.pop(index, None) is None:
            self._dropped.add(index)

    def _read_up_to(self, index: int) -> None:
        while self._read <= index:
            row = next(self._iterator, _END)
            if row is _END:
                self.length = self._read if self.length is None else self.length
                return
            if self._read in self._dropped:
                self._dropped.remove(self._read)
            else:
                self._held[self._read] = row  # type: ignore[assignment]
            self._read += 1


class ShardLengths:
    """How many rows the shards of a stream have, as far as they were read, in files of a folder.

    Parameters
    ----------
    num_shards : int
        Of the stream; files that were written for another number are not used.
    """

    def __init__(self, num_shards: int) -> None:
        self._num_shards = num_shards
        self._folder: Path | None = None
        self._known: dict[int, int] = {}

    def keep_in(self, folder: Path) -> None:
        """Take the lengths that are noted in a folder, and note there what is learned."""
        self._folder = folder
        for file in sorted(folder.glob("*.json")):
            noted = json.loads(file.read_text(encoding="utf-8"))
            if noted["num_shards"] == self._num_shards:
                self._known |= {int(shard): rows for shard, rows in noted["rows"].items()}

    def get(self, shard: int) -> int | None:
        """Return the rows of a shard, where they are known."""
        return self._known.get(shard)

    def note(self, shard: int, rows: int, reader: str) -> None:
        """Note the rows of a shard in the file of whoever has read it."""
        if self._known.get(shard) == rows:
            return
        self._known[shard] = rows
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            noted = {"num_shards": self._num_shards, "rows": self._known}
            write_text(self._folder / f"{reader}.json", json.dumps(noted) + "\n")


def _one_by_one(rows: IterableDataset) -> Iterator[dict[str, Any]]:
    # Not `iter(rows)`, which shares the one shard out among the workers of a loader.
    for batch in rows.iter(batch_size=1):
        yield {name: values[0] for name, values in batch.items()}
