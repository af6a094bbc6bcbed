"""Windows that are streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import torch

from ..data.batches.collators import PASS_COLUMN

if TYPE_CHECKING:
    from datasets import IterableDataset


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
        self._shuffled = rows.shuffle(seed=seed, buffer_size=buffer_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in count():
            self._shuffled.set_epoch(number)
            is_empty = True
            for row in self._shuffled:
                is_empty = False
                yield {**row, PASS_COLUMN: number}
            if is_empty:  # a worker without a shard
                return
