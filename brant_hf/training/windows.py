"""The windows of a training run: where they come from, how they are split, and whether they suit the task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data import Augmentation, AugmentedWindows, check_splits, load, prepare, split, storage
from ..data.collators import PASS_COLUMN
from .arguments import DataArguments

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

SPLITS = ("train", "validation", "test")


class EndlessStream(torch.utils.data.IterableDataset):
    """A stream that begins again when it ends, in another order, for `Trainer` to stop by its number of steps.

    To `Trainer` the whole training is one epoch, so that a run that resumes skips exactly the batches it has seen,
    however many passes they were. Each row has the number of its pass as `pass`; collators mask by it.

    Args:
        stream: a shuffled stream.
    """

    def __init__(self, stream: IterableDataset) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in count():
            self.stream.set_epoch(number)
            rows = 0
            for row in self.stream:
                rows += 1
                yield {**row, PASS_COLUMN: number}
            if not rows:
                return


@dataclass(frozen=True)
class Windows:
    """Windows of a run.

    Attributes:
        train: rows with `input_values`, and `labels` where the dataset has them.
        validation, test: likewise, `None` where there is no such split.
        subjects: for each split that is not streamed, the patient of each row.
        patch_length: samples of a patch that the dataset was prepared with; `None` when it does not say.
    """

    train: Dataset | EndlessStream
    validation: Dataset | IterableDataset | None
    test: Dataset | IterableDataset | None
    subjects: dict[str, list[str]]
    patch_length: int | None

    def example(self) -> dict[str, Any]:
        """The first training window."""
        return next(iter(self.train))

    def summary(self) -> dict[str, dict[str, int]]:
        """Windows and patients of each split that is not streamed."""
        return {name: {"windows": len(rows), "patients": len(set(rows))} for name, rows in self.subjects.items()}


def dataset_settings(dataset: str) -> dict[str, Any] | None:
    """Window settings of a folder made by `prepare`, `None` for anything else."""
    path = Path(dataset) / storage.SETTINGS_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def load_windows(
    arguments: DataArguments,
    *,
    patch_length: int,
    num_patches: int,
    sampling_rate: float,
    output_dir: str | Path,
    seed: int = 0,
) -> Windows:
    """Load the windows of a run, preparing recordings first where `arguments.dataset` is a folder of them.

    Args:
        arguments: which dataset and how to split it.
        patch_length, num_patches, sampling_rate: windows to cut from recordings.
        output_dir: recordings are prepared into its folder `prepared/`, which later runs use again.
        seed: order of a stream.

    Raises:
        FileNotFoundError: the dataset is neither on disk nor can it be loaded.
        ValueError: it cannot be split as asked, or streaming is asked of a folder without noted splits.
    """
    folders = [
        _prepared(name, index, arguments, patch_length, num_patches, sampling_rate, Path(output_dir))
        for index, name in enumerate(arguments.dataset)
    ]
    lengths = {_patch_length(dataset_settings(folder)) for folder in folders}
    if len(lengths) > 1:
        raise ValueError(f"the datasets have patches of different lengths: {sorted(map(str, lengths))}")
    parts: dict[str, Any] = _stream(folders, arguments, seed) if arguments.streaming else _split(folders, arguments)
    subjects = {}
    if not arguments.streaming:
        if arguments.max_train_subjects is not None:
            parts["train"] = limit_subjects(parts["train"], arguments.max_train_subjects, arguments.split_seed)
        subjects = {name: _subjects(rows) for name, rows in parts.items()}
        parts = {name: _needed_columns(rows) for name, rows in parts.items()}
    return Windows(
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        subjects=subjects,
        patch_length=lengths.pop(),
    )


def limit_subjects(train: Dataset, count: int, seed: int) -> Dataset:
    """Windows of `count` patients: patients with seizures first, in an order that depends on `seed` alone.

    A larger count keeps the patients of a smaller one.
    """
    subjects = _subjects(train)
    names = sorted(set(subjects))
    if not 1 <= count <= len(names):
        raise ValueError(f"--max_train_subjects is {count}; the training split has {len(names)} patients")
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    if "labels" in train.column_names:
        labels = train.select_columns(["labels"])
        with_seizure = {subject for subject, row in zip(subjects, labels, strict=True) if (row["labels"] == 1).any()}
        order.sort(key=lambda name: name not in with_seizure)
    kept = set(order[:count])
    return train.select([index for index, subject in enumerate(subjects) if subject in kept])


def augment(windows: Windows, sampling_rate: float, seed: int, **settings: Any) -> Windows:
    """Windows whose training split is changed at random; `settings` are those of `brant_hf.data.Augmentation`.

    Raises:
        ValueError: the windows are streamed.
    """
    if not windows.subjects:
        raise ValueError("--augment needs --streaming false")
    return replace(windows, train=AugmentedWindows(windows.train, Augmentation(**settings), sampling_rate, seed))


def check_detection_labels(windows: Windows, patch_length: int) -> None:
    """Refuse windows that seizure detection cannot be trained on.

    Raises:
        ValueError: no labels, labels of another patch length, or no seizure in the training split.
    """
    example = windows.example()
    if example.get("labels") is None:
        raise ValueError(
            "the dataset has no labels: prepare recordings that have seizures noted, with `brant-hf prepare` (labels "
            "are written by default)"
        )
    expected = np.shape(example["input_values"])[1] // patch_length
    if np.shape(example["labels"])[1] != expected:
        raise ValueError(
            f"windows have {np.shape(example['labels'])[1]} labels for each channel, the model has {expected} patches "
            f"of {patch_length} samples in them: prepare the dataset with `--patch-length {patch_length}`"
        )
    if windows.subjects and not any((row["labels"] == 1).any() for row in windows.train.select_columns(["labels"])):
        raise ValueError(
            f"none of the {len(windows.subjects['train'])} training windows has a seizure; add recordings with "
            "seizures, or split in another way (--split_seed, --split_by)"
        )


def check_window_length(windows: Windows, patch_length: int, num_patches: int, horizon: int = 0) -> int:
    """Refuse windows that the model cannot read; return the number of patches of the input.

    Args:
        windows: of the run.
        patch_length, num_patches: of the model.
        horizon: samples at the end of each window that are to be forecast.

    Raises:
        ValueError: another patch length, or too few or too many patches.
    """
    if windows.patch_length not in (None, patch_length):
        raise ValueError(
            f"the dataset was prepared with patches of {windows.patch_length} samples, the model has patches of "
            f"{patch_length}: prepare it with `--patch-length {patch_length}`, or choose another model"
        )
    samples = np.shape(windows.example()["input_values"])[1]
    context = samples - horizon
    if context < patch_length or context % patch_length or context > num_patches * patch_length:
        after = f" and a horizon of {horizon}" if horizon else ""
        raise ValueError(
            f"windows have {samples} samples; the model reads 1 to {num_patches} patches of {patch_length} samples"
            f"{after}: prepare the dataset with other --patch-length or --num-patches"
        )
    return context // patch_length


def _patch_length(settings: dict[str, Any] | None) -> int | None:
    return None if settings is None else settings["windows"]["patch_length"]


def _subjects(rows: Dataset) -> list[str]:
    return list(rows.select_columns(["subject"]).with_format(None)["subject"])


def _is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` can load a folder: data files, or what `save_to_disk` writes."""
    patterns = ("*.parquet", "*.arrow", "*/*.parquet", "*/*.arrow")
    return folder.is_dir() and any(next(folder.glob(pattern), None) for pattern in patterns)


def _prepared(
    source: str,
    index: int,
    arguments: DataArguments,
    patch_length: int,
    num_patches: int,
    sampling_rate: float,
    output_dir: Path,
) -> str:
    """The dataset itself, or for recordings the folder that they were prepared into."""
    if dataset_settings(source) is not None or not Path(source).exists() or _is_saved_dataset(Path(source)):
        return source
    from ..data import Preprocessing

    folder = output_dir / "prepared" / str(index)
    report = prepare(
        source,
        folder,
        Preprocessing(sampling_rate=sampling_rate),
        arguments.prepare_processes,
        patch_length=patch_length,
        num_patches=num_patches,
    )
    if report.failed:
        raise ValueError(f"recordings of {source} could not be prepared:\n{report}")
    return str(folder)


def _fractions(text: str) -> dict[str, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (2, 3):
        raise ValueError(f"--split_fractions is {text!r}; give two or three shares such as 0.7,0.15,0.15")
    return dict(zip(SPLITS, values, strict=False))


def _split(folders: list[str], arguments: DataArguments) -> dict[str, Dataset]:
    from datasets import concatenate_datasets

    names = [noted_splits(folder) for folder in folders]
    if all(names):
        shared = [name for name in SPLITS if any(name in noted for noted in names)]
        parts = {
            name: concatenate_datasets(
                [load(folder, name) for folder, noted in zip(folders, names, strict=True) if name in noted]
            )
            for name in shared
        }
        check_splits(parts, "recording")
        return parts
    if any(names):
        raise ValueError("some of the datasets have splits and some have none; note splits in all or in none of them")
    joined = [load(folder) for folder in folders]
    _check_distinct_subjects(joined, folders)
    fractions = _fractions(arguments.split_fractions)
    return dict(split(concatenate_datasets(joined), fractions, arguments.split_by, seed=arguments.split_seed))


def _check_distinct_subjects(datasets: list[Dataset], folders: list[str]) -> None:
    """Two datasets that both have a patient 01 mean two people, who would be split as one."""
    owner: dict[str, str] = {}
    for rows, folder in zip(datasets, folders, strict=True):
        for subject in dict.fromkeys(_subjects(rows)):
            if owner.setdefault(subject, folder) != folder:
                raise ValueError(
                    f"patient {subject!r} is in {owner[subject]} and in {folder}: prepare one of them with another "
                    "--subject, or note splits in both with brant_hf.data.save_splits"
                )


def noted_splits(dataset: str) -> list[str] | None:
    """Names of the splits that a dataset brings: `train` and some of `validation`, `test`; `None` without any."""
    if dataset_settings(dataset) is not None:
        noted = storage.read_splits(Path(dataset))
        names = list(noted) if noted else []
    else:
        from datasets import get_dataset_split_names

        names = get_dataset_split_names(dataset)
    names = [name for name in SPLITS if name in names]
    return names if "train" in names and len(names) > 1 else None


def _stream(folders: list[str], arguments: DataArguments, seed: int) -> dict[str, Any]:
    from datasets import concatenate_datasets

    if arguments.max_train_subjects is not None:
        raise ValueError("--max_train_subjects needs --streaming false")
    names = [noted_splits(folder) for folder in folders]
    for folder, noted in zip(folders, names, strict=True):
        if noted is None:
            raise ValueError(
                f"{folder} has no splits to stream; note them once with brant_hf.data.save_splits({folder!r})"
            )
    shared = [name for name in SPLITS if all(name in noted for noted in names if noted)]
    parts = {name: concatenate_datasets([load(folder, name, streaming=True) for folder in folders]) for name in shared}
    parts = {name: _needed_columns(rows) for name, rows in parts.items()}
    parts["train"] = EndlessStream(parts["train"].shuffle(seed=seed, buffer_size=arguments.shuffle_buffer))
    return parts


def _needed_columns(rows: Any) -> Any:
    return rows.select_columns([name for name in ("input_values", "labels") if name in rows.column_names])
