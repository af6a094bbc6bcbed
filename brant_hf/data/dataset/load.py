"""A dataset of windows from disk or from the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...listing import listed
from ...user_warnings import warn
from .folder import DatasetFolder, find_dataset, settings_of

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

# Pieces a local dataset is streamed in: shuffling mixes them, and workers and ranks share them out, which is fastest
# when their number is a multiple of the ranks.
STREAM_SHARDS = 256


def load(dataset: str | Path, split: str | None = None, streaming: bool = False) -> Dataset | IterableDataset:
    """Open a dataset of windows.

    A folder made by `prepare` is mapped into memory: opening it reads nothing, rows are views of the files, and no
    copy is made in the cache of `datasets`. (`Dataset.shuffle` notes its permutation beside the shards; pass
    `keep_in_memory=True` where the folder cannot be written to.) What `save_to_disk` of `datasets` wrote, and anything
    else that `datasets.load_dataset` takes, is opened by it.

    To share a dataset, upload its folder (`hf upload`): splits and settings go with it. `push_to_hub` of what this
    returns pushes these rows alone, as the split that was asked for, and not how they were prepared.

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
        The dataset has no such split, no row, no windows, or is a file.
    """
    folder = DatasetFolder(dataset)
    if folder.settings is not None:
        return _load_folder(folder, split, streaming)
    find_dataset(dataset)
    return _load_elsewhere(str(dataset), split, streaming)


def _load_folder(folder: DatasetFolder, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, NamedSplit, concatenate_datasets

    from .formatting import FORMAT
    from .origin import note_origin

    if folder.parts:
        warn(f"{folder.path} has shares that are not part of the dataset yet; unite them with brant-hf merge")
    shards = [shard for path in folder.shards(split) if len(shard := Dataset.from_file(str(path)))]
    if not shards:
        raise ValueError(f"{folder.path} has no windows" + (f" in split {split!r}" if split else ""))
    # Under this name `push_to_hub` puts the rows, and refuses several splits: without it all would become "train".
    name = split or "+".join(folder.splits or ("train",))
    joined = concatenate_datasets(shards, split=NamedSplit(name)).with_format(FORMAT)
    rows = _streamed(joined) if streaming else joined
    if folder.settings is not None:
        note_origin(rows, folder.settings["preprocessing"])
    return rows


def _load_elsewhere(dataset: str, split: str | None, streaming: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, IterableDataset, concatenate_datasets, load_dataset
    from datasets.data_files import EmptyDatasetError
    from datasets.exceptions import DataFilesNotFoundError, DatasetGenerationError, DatasetNotFoundError

    from .formatting import FORMAT
    from .origin import note_origin

    if is_saved(dataset):
        rows = _load_saved(dataset, split).with_format(FORMAT)
        return _streamed(rows) if streaming else rows
    try:
        loaded = load_dataset(dataset, split=split, streaming=streaming)
    except DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"{dataset} is neither a folder made by prepare nor a dataset on the Hub; if it is private, log in first "
            "(hf auth login)"
        ) from error
    except (DataFilesNotFoundError, DatasetGenerationError, EmptyDatasetError) as error:
        if not Path(dataset).exists():
            raise
        raise ValueError(_no_windows(dataset, " ".join(str(error.__cause__ or error).split()))) from error
    if not isinstance(loaded, (Dataset, IterableDataset)):
        loaded = concatenate_datasets(list(loaded.values()))
    # `datasets` makes rows of any table that it finds, as of those of events beside recordings.
    if loaded.column_names is not None and "input_values" not in loaded.column_names:
        raise ValueError(_no_windows(dataset, f"its columns are {listed(loaded.column_names)}"))
    rows = loaded.with_format(FORMAT)
    if (settings := settings_of(dataset)) is not None:
        note_origin(rows, settings["preprocessing"])
    return rows


def _no_windows(dataset: str, reason: str) -> str:
    return f"{dataset} is no dataset of windows ({reason[:200]}); make one of its recordings with prepare"


def saved_splits(dataset: str | Path) -> list[str]:
    """Names of the splits of a folder that `DatasetDict.save_to_disk` wrote; none of any other."""
    path = Path(dataset) / "dataset_dict.json"
    return json.loads(path.read_text(encoding="utf-8"))["splits"] if path.is_file() else []


def is_saved(dataset: str | Path) -> bool:
    """Whether a folder was written by `save_to_disk` of `datasets`."""
    return bool(saved_splits(dataset)) or (Path(dataset) / "state.json").is_file()


def _load_saved(dataset: str, split: str | None) -> Dataset:
    from datasets import Dataset, concatenate_datasets, load_from_disk

    loaded = load_from_disk(dataset)
    splits = {str(loaded.split or "train"): loaded} if isinstance(loaded, Dataset) else loaded
    if split is None:
        return concatenate_datasets(list(splits.values()))
    if split not in splits:
        raise ValueError(f"{dataset} has no split {split!r}; it has {', '.join(map(repr, splits))}")
    return splits[split]


def _streamed(rows: Dataset) -> IterableDataset:
    return rows.to_iterable_dataset(num_shards=2 ** (min(len(rows), STREAM_SHARDS).bit_length() - 1))
