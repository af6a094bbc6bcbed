"""Windows that are streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import fsspec.asyn
import numpy as np
import torch

from ..data.batches.collators import PASS_COLUMN
from .shards import MappedRows, Rows, Shard, ShardLengths

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

# Shards of a process that make the shares of all alike: some have one more, which is a tenth at most.
_MANY_SHARDS = 10
# Pieces that the windows of a dataset on disk are cut into: neighbours are read one after the other.
_PIECES = 256

T = TypeVar("T")


def is_streamed(rows: Any) -> bool:
    """Whether the number of rows is not known."""
    return not hasattr(rows, "__len__")


class EndlessStream(torch.utils.data.IterableDataset):
    """A stream that begins again when it ends, in another order, for `Trainer` to stop by its number of steps.

    To `Trainer` the whole training is one epoch, so that a run that resumes skips exactly the batches it has seen,
    however many passes they were. Each row has the number of its pass as `pass`; collators mask by it.

    Parameters
    ----------
    rows : Dataset or IterableDataset
        The windows, in their own order. Of a `Dataset`, which is mapped from disk, rows are drawn by number: a row is
        read when its turn comes, none waits in memory, and none is read to be skipped. An `IterableDataset`, as of
        the Hub, is read shard by shard, and a buffer holds rows. To skip rows, shards whose length is known are
        passed over, and of the others rows are read and dropped; see `keep_lengths`.
    seed : int
        Of the orders.
    buffer_size : int
        Rows shuffled together.
    """

    def __init__(self, rows: Dataset | IterableDataset, *, seed: int = 0, buffer_size: int = 256) -> None:
        self.rows = rows
        self._seed, self._buffer_size = seed, buffer_size
        self._begin = self._place = {"pass": 0, "rows": 0}
        self._skipped = (0, 0)
        # Of a mapped dataset, there is none.
        self._lengths = ShardLengths(getattr(rows, "num_shards", 0))
        self.share(0, 1)

    def share(self, rank: int, num_processes: int) -> None:
        """Read the share of one of several processes alone, which together read each window once a pass.

        Of an `IterableDataset`, these are whole shards where they are many or can be shared out evenly; otherwise
        every so-many-th window, for which each process reads all of them.

        Parameters
        ----------
        rank : int
            Which process, from 0.
        num_processes : int
            How many there are.
        """
        self._rank, self._num_processes = rank, num_processes

    def keep_lengths(self, folder: Path) -> None:
        """Note the lengths of shards that were read in files of a folder, and take those that are there.

        Parameters
        ----------
        folder : Path
            Of the run, so that one which goes on in it skips what it has read. Each process and worker has a file.
        """
        self._lengths.keep_in(folder)

    def state_dict(self) -> dict[str, int]:
        """Tell where the stream is, in this process or worker: the pass, and how many rows of it were given."""
        return dict(self._place)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where a stream of the same rows, seed and share was.

        Passes that are over are not read again, and of the one that goes on an `IterableDataset` reads and drops only
        what was given of shards whose length is not known.
        """
        self._begin = self._place = {"pass": state["pass"], "rows": state["rows"]}

    def skip_batches(self, count: int, batch_size: int) -> None:
        """Give empty rows in place of those of the first batches of a loader, for whoever counts its batches.

        Parameters
        ----------
        count : int
            How many batches of the loader, over all its workers; see `SkippingCollator`.
        batch_size : int
            Rows of each.
        """
        self._skipped = (count, batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        first, seen = self._begin["pass"], self._begin["rows"]
        skipped = self._rows_skipped()
        for number in count(first):
            given = 0
            for given, (rows, index) in enumerate(self._pass(number), 1):
                if number == first and given <= seen:
                    rows.drop(index)
                    continue
                self._place = {"pass": number, "rows": given}
                skipped -= 1
                if skipped >= 0:
                    rows.drop(index)
                    yield {}
                else:
                    yield {**rows.take(index), PASS_COLUMN: number}
            if not given:  # a worker without a shard
                return

    def _rows_skipped(self) -> int:
        batches, size = self._skipped
        worker = torch.utils.data.get_worker_info()
        # Workers take turns.
        return size * (batches if worker is None else len(range(worker.id, batches, worker.num_workers)))

    def _pass(self, number: int) -> Iterator[tuple[Rows, int]]:
        """Yield the rows of a pass, in its order, as what they are taken from and their number there."""
        worker = torch.utils.data.get_worker_info()
        of_process, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        share = self._share_of_shards if is_streamed(self.rows) else self._share_of_rows
        rows = share(np.random.default_rng((self._seed, number)), of_process, workers)
        place = self._rank + self._num_processes * of_process
        return _through_buffer(rows, self._buffer_size, np.random.default_rng((self._seed, number, place)))

    def _share_of_rows(self, generator: np.random.Generator, worker: int, workers: int) -> Iterator[tuple[Rows, int]]:
        """Yield rows of a mapped dataset, before the buffer."""
        mapped = MappedRows(self.rows)
        pieces = _shuffled_pieces(len(self.rows), self._num_processes * workers, generator)
        share = pieces[self._rank + self._num_processes * worker :: self._num_processes * workers]
        return ((mapped, index) for index in chain.from_iterable(share))

    def _share_of_shards(
        self, generator: np.random.Generator, worker: int, workers: int
    ) -> Iterator[tuple[Rows, int]]:
        """Yield rows of shards, before the buffer."""
        rows: Any = self.rows
        fsspec.asyn.reset_lock()  # of a process that this one was forked from, whose file system is asynchronous
        order = generator.permutation(rows.num_shards).tolist()
        processes, rank = self._num_processes, self._rank
        if len(order) % processes == 0 or len(order) >= _MANY_SHARDS * processes:
            # Neighbours, which are of one subject, go to different processes.
            order, processes, rank = [number for number in order if number % processes == rank], 1, 0
        position = 0
        for number in order[worker::workers]:
            shard = Shard(rows.shard(rows.num_shards, number), self._lengths.get(number))
            for index in count():
                if not shard.has(index):
                    break
                if position % processes == rank:
                    yield shard, index
                else:
                    shard.drop(index)
                position += 1
            self._lengths.note(number, index, f"{self._rank}-{worker}")


@dataclass(frozen=True)
class SkippingCollator:
    """A collator that makes a stand-in for a batch of the empty rows that `EndlessStream.skip_batches` gives.

    Attributes
    ----------
    collator : callable
        Makes a batch of rows.
    """

    collator: Callable[[Any], Any]

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Make a batch."""
        # Accelerate refuses a batch without a tensor.
        return self.collator(rows) if rows[0] else {"skipped": torch.zeros(len(rows), 1)}


def _shuffled_pieces(count: int, places: int, generator: np.random.Generator) -> list[range]:
    """Cut row numbers into pieces of the same length, but for a row, as many for each place, in a random order."""
    pieces = places * max(_PIECES // places, 1)
    edges = np.linspace(0, count, min(pieces, max(count, 1)) + 1).round().astype(int).tolist()
    found = [range(start, stop) for start, stop in pairwise(edges)]
    return [found[place] for place in generator.permutation(len(found))]


def _through_buffer(items: Iterable[T], size: int, generator: np.random.Generator) -> Iterator[T]:
    """Yield items, each drawn from those next in line."""
    buffer: list[T] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
            continue
        drawn = int(generator.integers(size))
        yield buffer[drawn]
        buffer[drawn] = item
    yield from (buffer[place] for place in generator.permutation(len(buffer)))
