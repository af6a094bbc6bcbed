"""Batches of windows with similar numbers of channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from datasets import Dataset

# Batches that are sorted together; more pad less and mix less.
GROUP_BATCHES = 50


def channel_counts(dataset: Dataset) -> np.ndarray:
    """Return the number of channels of each row, `(rows,)` int64, without reading a sample."""
    name = "channel_names" if "channel_names" in dataset.column_names else "input_values"
    column = dataset.select_columns([name]).with_format("arrow")[:].column(name)
    return np.concatenate([np.asarray(chunk.value_lengths()) for chunk in column.chunks]).astype(np.int64)


class ChannelGroupedSampler(Sampler[int]):
    """Random order in which every `batch_size` consecutive windows have similar numbers of channels.

    Rows are shuffled, sorted by channel count inside stretches of `GROUP_BATCHES` batches, and the batches shuffled
    again. A batch at the end that is not full stays last. The order depends on `seed` and the epoch only.

    Parameters
    ----------
    counts : Sequence[int] or np.ndarray
        Number of channels of each row, as `channel_counts` gives them.
    batch_size : int
        Rows of a batch.
    seed : int
        Seed of the order.
    """

    def __init__(self, counts: Sequence[int] | np.ndarray, batch_size: int, *, seed: int = 0) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
        self._counts = np.asarray(counts)
        self._batch_size = batch_size
        self._seed = seed
        self._group = batch_size * GROUP_BATCHES
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw another order, for the next epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(len(self._counts))
        groups = [order[i : i + self._group] for i in range(0, len(order), self._group)]
        order = np.concatenate([group[np.argsort(-self._counts[group], kind="stable")] for group in groups] or [order])
        full = len(order) // self._batch_size
        batches = order[: full * self._batch_size].reshape(full, self._batch_size)
        yield from batches[rng.permutation(full)].ravel().tolist()
        yield from order[full * self._batch_size :].tolist()
