"""A dataset of windows from disk or from the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...user_warnings import warn
from .folder import DatasetFolder, settings_of

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
    folder = DatasetFolder(dataset)
    if folder.settings is not None:
        return _load_folder(folder, split, streaming)
    if isinstance(dataset, Path) and not dataset.exists():
        raise FileNotFoundError(f"{dataset} does not exist; give a folder made by prepare, or an id on the Hub")
    return _load_elsewhere(str(dataset), split, streaming)


def _load_folder(folder: DatasetFolder, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, concatenate_datasets

    from .formatting import FORMAT
    from .origin import note_origin

    if folder.parts:
        warn(f"{folder.path} has shares that are not part of the dataset yet; unite them with brant-hf merge")
    shards = [shard for path in folder.shards(split) if len(shard := Dataset.from_file(str(path)))]
    if not shards:
        raise ValueError(f"{folder.path} has no windows" + (f" in split {split!r}" if split else ""))
    joined = concatenate_datasets(shards).with_format(FORMAT)
    rows = joined
    if streaming:
        rows = joined.to_iterable_dataset(num_shards=2 ** (min(len(joined), STREAM_SHARDS).bit_length() - 1))
    if folder.settings is not None:
        note_origin(rows, folder.settings["preprocessing"])
    return rows


def _load_elsewhere(dataset: str, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, IterableDataset, concatenate_datasets, load_dataset
    from datasets.exceptions import DatasetNotFoundError

    from .formatting import FORMAT
    from .origin import note_origin

    try:
        loaded = load_dataset(dataset, split=split, streaming=streaming)
    except DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"{dataset} is neither a folder made by prepare nor a dataset on the Hub; if it is private, log in first "
            "(hf auth login)"
        ) from error
    if not isinstance(loaded, (Dataset, IterableDataset)):
        loaded = concatenate_datasets(list(loaded.values()))
    rows = loaded.with_format(FORMAT)
    if (settings := settings_of(dataset)) is not None:
        note_origin(rows, settings["preprocessing"])
    return rows
