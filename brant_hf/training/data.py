"""The windows of a training run: where they come from and how they are split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..configuration_brant import BrantConfig
from ..data import AugmentedWindows, Preprocessing, check_splits, load, prepare, split
from ..data.dataset.folder import DatasetFolder, find_dataset, settings_of
from ..data.dataset.load import is_saved, saved_splits
from ..events.event import merge_stretches, runs
from ..listing import listed
from ..user_warnings import warn
from .arguments import SPLITS, DataArguments, parse_fractions
from .checks import check_sampling_rate, check_window_length
from .streaming import EndlessStream, is_streamed

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

# Stretches of seizure with at most this between them are one seizure [s].
ONE_SEIZURE_S = 10.0


@dataclass(frozen=True)
class RunWindows:
    """Windows of a run, in splits.

    Attributes
    ----------
    train : Dataset, AugmentedWindows or EndlessStream
        Rows with `input_values`, and `labels` and `sampling_rate` where the dataset has them.
    validation, test : Dataset, IterableDataset or None
        Likewise, `None` where there is no such split.
    subjects : dict[str, list[str]]
        For each split that is not streamed, the subject of each row.
    patch_length : int or None
        Samples of a patch that the dataset was prepared with; `None` when it does not say.
    labelled : dict[str, Dataset]
        For each split that is not streamed and has labels, where and when they are.
    """

    train: Dataset | AugmentedWindows | EndlessStream
    validation: Dataset | IterableDataset | None
    test: Dataset | IterableDataset | None
    subjects: dict[str, list[str]]
    patch_length: int | None
    labelled: dict[str, Dataset] = field(default_factory=dict)

    def splits(self) -> dict[str, Any]:
        """Rows of each split that there is."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: rows for name, rows in splits.items() if rows is not None}

    @cached_property
    def examples(self) -> dict[str, dict[str, Any]]:
        """The first window of each split."""
        # Of a stream in its own order, to shuffle which a whole buffer would be read.
        splits = {name: rows.rows if isinstance(rows, EndlessStream) else rows for name, rows in self.splits().items()}
        return {name: next(iter(rows)) for name, rows in splits.items()}

    @cached_property
    def seizures(self) -> dict[str, int]:
        """Seizures that the labels of each split show, where its windows tell their sampling rate."""
        return {
            name: count_seizures(rows, self.examples[name])
            for name, rows in self.labelled.items()
            if "sampling_rate" in self.examples[name]
        }

    def summary(self) -> dict[str, dict[str, int]]:
        """Windows, subjects and, where there are labels, seizures of each split that is not streamed."""
        return {
            name: {"windows": len(rows), "subjects": len(set(rows))}
            | ({"seizures": self.seizures[name]} if name in self.seizures else {})
            for name, rows in self.subjects.items()
        }

    def seen_in_training(self, split: str) -> list[str] | None:
        """Subjects of a split that are in the training split, too; `None` where a stream does not tell."""
        if not {split, "train"} <= self.subjects.keys():
            return None
        return sorted(set(self.subjects[split]) & set(self.subjects["train"]))

    def training_labels(self) -> Iterator[np.ndarray]:
        """Labels (channels, patches) of each training window.

        Raises
        ------
        ValueError
            The windows are streamed.
        """
        if is_streamed(self.train):
            raise ValueError(
                "the labels of a stream cannot be counted: give --class_weights as two numbers such as 1,5"
            )
        train: Any = self.train
        for row in train.select_columns(["labels"]):
            yield row["labels"]


def dataset_settings(dataset: str) -> dict[str, Any] | None:
    """Window settings of a folder made by `prepare`, `None` for anything else."""
    return DatasetFolder(dataset).settings


def load_windows(
    arguments: DataArguments,
    config: BrantConfig,
    output_dir: str | Path,
    *,
    horizon_patches: int = 0,
    seed: int = 0,
) -> RunWindows:
    """Load the windows of a run, preparing recordings first where `arguments.dataset` is a folder of them.

    Parameters
    ----------
    arguments : DataArguments
        Which dataset and how to split it.
    config : BrantConfig
        Of the model, which says what it reads. Windows of this length are cut from recordings.
    output_dir : str or Path
        Recordings are prepared into its folder `prepared/`, which later runs use again.
    horizon_patches : int
        Patches to forecast, at the end of each window.
    seed : int
        Order of a stream.

    Raises
    ------
    FileNotFoundError
        The dataset is neither on disk nor can it be loaded.
    ValueError
        It cannot be split as asked, does not fit the model, or streaming is asked of a folder without noted splits.
    """
    folders = [
        source
        if is_dataset(source)
        else _prepare_recordings(
            source,
            Path(output_dir) / "prepared" / str(index),
            config,
            config.num_patches + horizon_patches,
            arguments.prepare_processes,
        )
        for index, source in enumerate(arguments.dataset)
    ]
    patch_length = noted_patch_length(folders)
    if arguments.streaming:
        parts = _stream_splits(folders)
    else:
        parts = split_datasets(
            folders, fractions=arguments.split_fractions, by=arguments.split_by, seed=arguments.split_seed
        )
        if arguments.max_train_subjects is not None:
            parts["train"] = limit_subjects(parts["train"], arguments.max_train_subjects, arguments.split_seed)
    if arguments.streaming:
        parts["train"] = EndlessStream(
            _needed_columns(parts["train"]), seed=seed, buffer_size=arguments.shuffle_buffer
        )
    return windows_of_splits(parts, config, patch_length=patch_length, horizon_patches=horizon_patches)


def windows_of_splits(
    splits: Mapping[str, Any], config: BrantConfig, *, patch_length: int | None = None, horizon_patches: int = 0
) -> RunWindows:
    """Windows of a run from its splits, which must fit the model.

    Parameters
    ----------
    splits : Mapping[str, Dataset, IterableDataset or EndlessStream]
        `"train"` and perhaps `"validation"`, `"test"`, with the columns of `brant_hf.data.load`. A `sampling_rate` is
        compared with that of the model where there is one.
    config : BrantConfig
        Of the model.
    patch_length : int or None
        Samples of a patch that the windows were cut for, where that is known.
    horizon_patches : int
        Patches to forecast, at the end of each window.

    Raises
    ------
    ValueError
        The windows do not fit the model.
    """
    subjects = {name: _subjects(rows) for name, rows in splits.items() if not is_streamed(rows)}
    labelled = {name: splits[name] for name in subjects if "labels" in splits[name].column_names}
    parts = {name: _needed_columns(rows) for name, rows in splits.items()}
    windows = RunWindows(parts["train"], parts.get("validation"), parts.get("test"), subjects, patch_length, labelled)
    check_sampling_rate(windows, config.sampling_rate)
    check_window_length(windows, config.patch_length, config.num_patches, horizon_patches * config.patch_length)
    return windows


def limit_subjects(train: Dataset, count: int, seed: int) -> Dataset:
    """Windows of `count` subjects: those with seizures first, in an order that depends on `seed` alone.

    A larger count keeps the subjects of a smaller one.
    """
    subjects = _subjects(train)
    names = sorted(set(subjects))
    if not 1 <= count <= len(names):
        raise ValueError(f"--max_train_subjects is {count}; the training split has {len(names)} subjects")
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    if "labels" in train.column_names:
        labels = train.select_columns(["labels"])
        with_seizure = {subject for subject, row in zip(subjects, labels, strict=True) if (row["labels"] == 1).any()}
        order.sort(key=lambda name: name not in with_seizure)
    kept = set(order[:count])
    return train.select([index for index, subject in enumerate(subjects) if subject in kept])


def split_datasets(datasets: Sequence[str], *, fractions: str, by: Any, seed: int) -> dict[str, Dataset]:
    """Split one or more datasets, with all columns: the noted splits where they have them, else new ones.

    Parameters
    ----------
    datasets : Sequence[str]
        Folders made by `prepare`, folders that `datasets` can load, or ids on the Hub.
    fractions : str
        Shares of train, and of validation and test if they are wanted, such as `"0.7,0.15,0.15"`.
    by : str
        `"subject"`, `"recording"` or `"time"`.
    seed : int
        Of the splits.

    Raises
    ------
    FileNotFoundError
        A dataset does not exist.
    ValueError
        Some of the datasets have splits and some have none, two of them have a subject of the same name, or they
        cannot be split like this.
    """
    noted = [noted_splits(dataset) for dataset in datasets]
    if all(noted):
        parts = {
            name: _joined([load(dataset, name) for dataset in holders], holders)
            for name, holders in _holders(datasets, noted).items()
        }
        check_splits(parts, "recording")
        return parts
    if any(noted):
        raise ValueError("some of the datasets have splits and some have none; note splits in all or in none of them")
    loaded = [load(dataset) for dataset in datasets]
    _check_distinct_subjects(loaded, datasets)
    rows, shares = _joined(loaded, datasets), parse_fractions(fractions)
    _check_enough(rows, shares, by)
    parts = dict(split(rows, shares, by, seed=seed))
    for name, part in parts.items():
        if not len(part):
            raise ValueError(
                f"the {name} split has none of the {len(rows)} windows, since the recordings are short; give it a "
                "larger share (--split_fractions), or prepare shorter windows (--num-patches)"
            )
    return parts


def _check_enough(rows: Dataset, shares: dict[str, float], by: str) -> None:
    """Refuse to share out fewer subjects or recordings than there are splits, and name what can be done."""
    subjects = _subjects(rows)
    counts = {
        "subject": len(set(subjects)),
        "recording": len(set(zip(subjects, rows.with_format(None)["recording"], strict=True))),
    }
    if counts.get(by, len(shares)) >= len(shares):
        return
    ways = ["split each recording by time (--split_by time)"]
    if by == "subject" and counts["recording"] >= len(shares):
        ways.insert(0, "split by recording (--split_by recording)")
    if len(shares) > counts[by] >= 2:
        ways.append("have no test split (--split_fractions 0.8,0.2)")
    ways.append("train on all of it for a fixed number of steps (--split_fractions 1 --max_steps 500)")
    raise ValueError(
        f"the dataset has {counts[by]} {by}{'s' if counts[by] > 1 else ''}, too few for the {len(shares)} splits "
        f"{', '.join(shares)}; {', '.join(ways[:-1])}, or {ways[-1]}"
    )


def count_seizures(rows: Dataset, example: Mapping[str, Any]) -> int:
    """Count the seizures that labels show, on whatever channels; pieces with little between them are one.

    Parameters
    ----------
    rows : Dataset
        With `labels`, `subject`, `recording` and `start`.
    example : Mapping[str, Any]
        A row with its signal.
    """
    labels, samples = np.shape(example["labels"])[1], np.shape(example["input_values"])[1]
    patch_s = samples / labels / example["sampling_rate"]
    stretches: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows.select_columns(["labels", "subject", "recording", "start"]):
        ictal = runs((np.asarray(row["labels"]) == 1).any(axis=0))
        stretches.setdefault((row["subject"], row["recording"]), []).extend(
            (row["start"] + first * patch_s, row["start"] + stop * patch_s) for first, stop in ictal
        )
    return sum(len(merge_stretches(each, ONE_SEIZURE_S)) for each in stretches.values())


def noted_splits(dataset: str) -> list[str] | None:
    """Names of the splits that a dataset brings: `train` and some of `validation`, `test`; `None` without any."""
    if dataset_settings(dataset) is not None:
        names = list(DatasetFolder(dataset).splits or ())
    elif is_saved(dataset):
        names = saved_splits(dataset)
    else:
        from datasets import get_dataset_split_names

        find_dataset(dataset)
        names = get_dataset_split_names(dataset)
    names = [name for name in SPLITS if name in names]
    return names if "train" in names and len(names) > 1 else None


def is_dataset(source: str) -> bool:
    """Whether a source holds windows, made by `prepare`, saved by `datasets` or on the Hub, and not recordings."""
    folder = Path(source)
    if dataset_settings(source) is not None or not folder.exists():
        return True
    patterns = ("*.parquet", "*.arrow", "*/*.parquet", "*/*.arrow")
    return folder.is_dir() and any(next(folder.glob(pattern), None) for pattern in patterns)


def _prepare_recordings(source: str, folder: Path, config: BrantConfig, num_patches: int, processes: int) -> str:
    """Return the folder of the dataset that recordings were prepared into."""
    report = prepare(
        source,
        folder,
        Preprocessing(sampling_rate=config.sampling_rate),
        processes,
        patch_length=config.patch_length,
        num_patches=num_patches,
    )
    if report.failed:
        raise ValueError(f"recordings of {source} could not be prepared:\n{report}")
    return str(folder)


def noted_patch_length(datasets: Sequence[str]) -> int | None:
    """Return the samples of a patch of those datasets that say it; a ValueError where they differ."""
    settings = [settings for settings in map(settings_of, datasets) if settings is not None]
    shapes = sorted({(each["windows"]["patch_length"], each["windows"]["num_patches"]) for each in settings})
    if len(shapes) > 1:
        described = " and of ".join(f"{patches} patches of {samples} samples" for samples, patches in shapes)
        raise ValueError(f"the datasets have windows of {described}: prepare them with the same settings")
    return shapes[0][0] if shapes else None


def _subjects(rows: Dataset) -> list[str]:
    return list(rows.select_columns(["subject"]).with_format(None)["subject"])


def _needed_columns(rows: Any) -> Any:
    if isinstance(rows, EndlessStream):
        return rows
    names = _column_names(rows)
    return rows.select_columns([name for name in ("input_values", "labels", "sampling_rate") if name in names])


def _column_names(rows: Any) -> list[str]:
    # A stream may not know them before it is read.
    return rows.column_names or list(next(iter(rows)))


def _holders(datasets: Sequence[str], noted: Sequence[list[str] | None]) -> dict[str, list[str]]:
    """Return the datasets that have each split."""
    holders = {
        name: [dataset for dataset, names in zip(datasets, noted, strict=True) if name in (names or ())]
        for name in SPLITS
    }
    return {name: those for name, those in holders.items() if those}


def _check_distinct_subjects(rows: Sequence[Dataset], datasets: Sequence[str]) -> None:
    """Two datasets that both have a subject 01 mean two people, who would be split as one."""
    owner: dict[str, str] = {}
    for each, dataset in zip(rows, datasets, strict=True):
        for subject in dict.fromkeys(_subjects(each)):
            if owner.setdefault(subject, dataset) != dataset:
                raise ValueError(
                    f"subject {subject!r} is in {owner[subject]} and in {dataset}: prepare one of them with another "
                    "--subject, or note splits in both with brant_hf.data.save_splits"
                )


def _stream_splits(datasets: Sequence[str]) -> dict[str, Any]:
    """Return splits to stream, all columns; those to evaluate are mapped into memory where they are on disk."""
    noted = [noted_splits(dataset) for dataset in datasets]
    for dataset, names in zip(datasets, noted, strict=True):
        if names is None:
            raise ValueError(
                f"{dataset} has no splits to stream; note them once with brant_hf.data.save_splits({dataset!r})"
            )
    parts = {}
    for name, holders in _holders(datasets, noted).items():
        # From disk, rows are drawn by number.
        streaming = any(dataset_settings(holder) is None for holder in holders)
        parts[name] = _joined([load(holder, name, streaming=streaming) for holder in holders], holders)
    return parts


def _joined(rows: Sequence[Any], datasets: Sequence[str]) -> Any:
    """Put rows of several datasets together; labels that some have and some have not are left out, with a warning."""
    from datasets import concatenate_datasets

    names = [_column_names(each) for each in rows]
    labelled = ["labels" in each for each in names]
    if not all(labelled) and any(labelled):
        lacking = [str(dataset) for dataset, has in zip(datasets, labelled, strict=True) if not has]
        warn(
            f"{listed(lacking)} has no labels, so those of the other datasets are not used; to learn seizures, give "
            "datasets with labels alone"
        )
        # A stream that columns are removed from, rather than selected, loses its format.
        rows = [
            each.select_columns([name for name in columns if name != "labels"])
            for each, columns in zip(rows, names, strict=True)
        ]
    return concatenate_datasets(list(rows))
