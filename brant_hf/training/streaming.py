"""Windows that are streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import torch

from ..data.batches.collators import PASS_COLUMN

if TYPE_CHECKING:
    from datasets import IterableDataset

# Shards of a process that make the shares of all alike: some have one more, which is a tenth at most.
_MANY_SHARDS = 10


def is_streamed(rows: Any) -> bool:
    """Whether the number of rows is not known."""
    return not hasattr(rows, "__len__")


class EndlessStream(torch.utils.data.IterableDataset):
    """A stream that begins again when it ends, in another order, for `Trainer` to stop by its number of steps.

    To `Trainer` the whole training is one epoch, so that a run that resumes skips exactly the batches it has seen,
    however many passes they were. Each row has the number of its pass as `pass`; collators mask by it.

    Parameters
    ----------
    rows : IterableDataset
        The stream, in its own order.
    seed : int
        Of the orders.
    buffer_size : int
        Rows shuffled together.
    """

    def __init__(self, rows: IterableDataset, *, seed: int = 0, buffer_size: int = 256) -> None:
        self.rows = rows
        self._seed, self._buffer_size = seed, buffer_size
        self._begin = self._place = {"pass": 0, "rows": 0}
        self.share(0, 1)

    def share(self, rank: int, num_processes: int) -> None:
        """Read the share of one of several processes alone, which together read each window once a pass.

        Whole shards where they are many or can be shared out evenly; otherwise every so-many-th window, for which each
        process reads all of them.

        Parameters
        ----------
        rank : int
            Which process, from 0.
        num_processes : int
            How many there are.
        """
        from datasets.distributed import split_dataset_by_node

        rows = self.rows
        count = rows.num_shards
        if num_processes > 1 and (count % num_processes == 0 or count >= _MANY_SHARDS * num_processes):
            rows = rows.shard(num_processes, rank, contiguous=False)  # neighbours are of one subject
        elif num_processes > 1:
            rows = split_dataset_by_node(rows, rank, num_processes)
        self._shuffled = rows.shuffle(seed=self._seed, buffer_size=self._buffer_size)

    def state_dict(self) -> dict[str, int]:
        """Tell where the stream is, in this process or worker: the pass, and how many rows of it were given."""
        return dict(self._place)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where a stream of the same rows, seed and share was.

        Passes that are over are not read again. Of the one that goes on, what was given is read and dropped, as what
        waits in the buffer is not in the state; from disk, where rows are views of files, that takes no time.
        """
        self._begin = self._place = {"pass": state["pass"], "rows": state["rows"]}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        first, seen = self._begin["pass"], self._begin["rows"]
        for number in count(first):
            self._shuffled.set_epoch(number)
            given = 0
            for given, row in enumerate(self._shuffled, 1):
                if number == first and given <= seen:
                    continue
                self._place = {"pass": number, "rows": given}
                yield {**row, PASS_COLUMN: number}
            if not given:  # a worker without a shard
                return
