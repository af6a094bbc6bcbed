"""A prepared dataset from disk or from the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import folder as storage

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

# Pieces a local dataset is streamed in: shuffling mixes them, and workers and ranks share them out, which is fastest
# when their number is a multiple of the ranks.
STREAM_SHARDS = 256


def load(dataset: str | Path, split: str | None = None, streaming: bool = False) -> Dataset | IterableDataset:
    """Open a dataset of windows.

    A folder made by `prepare` is mapped into memory: opening it reads nothing, rows are views of the files, and no
    copy is made in the cache of `datasets`. (`Dataset.shuffle` notes its permutation beside the shards; pass
    `keep_in_memory=True` where the folder cannot be written to.) Anything else that `datasets.load_dataset` takes is
    opened by it.

    Parameters
    ----------
    dataset : str or Path
        Folder of a dataset, or its id on the Hub.
    split : str or None
        One of the splits of the dataset; all rows when `None`.
    streaming : bool
        Whether to return an `IterableDataset`, which is shuffled by pieces and by a buffer, and is shared out among
        the workers of a `DataLoader` and, with `datasets.distributed.split_dataset_by_node`, ranks.

    Returns
    -------
    Dataset or IterableDataset
        Rows with `input_values` (channels, samples) float32 in microvolts, `labels` (channels, patches) int8 where the
        dataset has them, `subject`, `recording`, `start` [s], `channel_names` and `sampling_rate` [Hz]. The two arrays
        are read-only.

    Raises
    ------
    FileNotFoundError
        A path does not exist, or a shard is missing.
    ValueError
        The dataset has no such split, or no row.
    """
    folder = Path(dataset)
    if (folder / storage.SETTINGS_FILE).is_file():
        return _load_folder(folder, split, streaming)
    if isinstance(dataset, Path) and not folder.exists():
        raise FileNotFoundError(f"{folder} does not exist")
    return _load_elsewhere(str(dataset), split, streaming)


def _load_folder(folder: Path, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, concatenate_datasets

    from .formatting import FORMAT

    shards = [
        Dataset.from_file(str(_present(folder / storage.DATA_FOLDER / name))) for name in _split_files(folder, split)
    ]
    shards = [shard for shard in shards if len(shard)]
    if not shards:
        raise ValueError(f"{folder} has no windows" + (f" in split {split!r}" if split else ""))
    joined = concatenate_datasets(shards).with_format(FORMAT)
    if not streaming:
        return joined
    return joined.to_iterable_dataset(num_shards=2 ** (min(len(joined), STREAM_SHARDS).bit_length() - 1))


def _split_files(folder: Path, split: str | None) -> list[str]:
    entries = storage.read_manifest(folder)
    if split is None:
        return storage.shard_files(entries)
    splits = storage.read_splits(folder) or {"train": storage.shard_files(entries)}
    if split not in splits:
        raise ValueError(f"{folder} has no split {split!r}; it has {', '.join(map(repr, splits))}")
    return splits[split]


def _present(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run prepare again with the same arguments")
    return path


def _load_elsewhere(dataset: str, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, IterableDataset, concatenate_datasets, load_dataset

    from .formatting import FORMAT

    loaded = load_dataset(dataset, split=split, streaming=streaming)
    if not isinstance(loaded, (Dataset, IterableDataset)):
        loaded = concatenate_datasets(list(loaded.values()))
    return loaded.with_format(FORMAT)
