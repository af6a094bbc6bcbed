"""Training, validation and test splits that share nothing they should not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .folder import DatasetFolder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

DEFAULT_FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}


def split(
    dataset: Dataset,
    fractions: Mapping[str, float] | None = None,
    by: Literal["subject", "recording", "time"] = "subject",
    *,
    seed: int = 0,
    guard_s: float = 0.0,
) -> DatasetDict:
    """Split the windows of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Rows as `load` gives them.
    fractions : Mapping[str, float] or None
        Name of each split and its share of the windows; 80 % `train`, 10 % `validation` and 10 % `test` when `None`.
        Whole subjects or recordings are shared out so that windows and seizure patches come near it.
    by : {"subject", "recording", "time"}
        `"subject"`: no subject is in two splits. `"recording"`: a subject may be, a recording is not. `"time"`: every
        recording is cut into consecutive parts in the order of `fractions`, for models of a single patient.
    seed : int
        Changes which subjects or recordings go where.
    guard_s : float
        With `by="time"`, windows of different splits of one recording are at least this far apart [s]; windows that
        would not be are left out.

    Raises
    ------
    ValueError
        Fractions that do not add up to 1, or fewer subjects or recordings than splits.
    """
    from datasets import DatasetDict

    fractions = _checked(fractions)
    if by == "time":
        rows = _split_by_time(dataset, fractions, guard_s)
    elif by in ("subject", "recording"):
        groups = _groups(dataset, by)
        split_of = assign_groups(groups, _seizure_patches(dataset), fractions, seed=seed)
        rows = {name: [i for i, group in enumerate(groups) if split_of[group] == name] for name in fractions}
    else:
        raise ValueError(f"by is {by!r}; choose 'subject', 'recording' or 'time'")
    return DatasetDict({name: dataset.select(indices) for name, indices in rows.items()})


def k_fold(dataset: Dataset, k: int = 5, *, seed: int = 0) -> list[DatasetDict]:
    """Cross-validation over subjects, stratified: folds have similar numbers of windows and of seizure patches.

    Parameters
    ----------
    dataset : Dataset
        Rows as `load` gives them.
    k : int
        Number of folds, at most the number of subjects.
    seed : int
        Changes which subjects go where.

    Returns
    -------
    list[DatasetDict]
        For each fold `train` and `test`; every subject is in the test set of exactly one fold.

    Raises
    ------
    ValueError
        `k` is below 2 or above the number of subjects.
    """
    from datasets import DatasetDict

    return [
        DatasetDict(train=dataset.select(train), test=dataset.select(test))
        for train, test in fold_indices(dataset, k, seed=seed)
    ]


def fold_indices(dataset: Dataset, k: int, *, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    """Rows of the training and the test set of each fold of `k_fold`, which has arguments and errors."""
    if k < 2:
        raise ValueError(f"k is {k}; it must be 2 or more")
    groups = _groups(dataset, "subject")
    fold_of = assign_groups(groups, _seizure_patches(dataset), {str(fold): 1 / k for fold in range(k)}, seed=seed)
    parts = []
    for fold in range(k):
        test = [i for i, group in enumerate(groups) if fold_of[group] == str(fold)]
        parts.append(([i for i, group in enumerate(groups) if fold_of[group] != str(fold)], test))
    return parts


def check_splits(
    splits: Mapping[str, Dataset], by: Literal["subject", "recording", "time"] = "subject", *, guard_s: float = 0.0
) -> None:
    """Refuse splits that overlap.

    Parameters
    ----------
    splits : Mapping[str, Dataset]
        Rows of each split.
    by : {"subject", "recording", "time"}
        What two splits must not share: a `"subject"`, a `"recording"`, or a stretch of `"time"` of a recording.
    guard_s : float
        With `by="time"`, the distance that windows of different splits of one recording must keep [s].

    Raises
    ------
    ValueError
        Two splits overlap; says which and where.
    """
    if by == "time":
        _check_times(splits, guard_s)
        return
    if by not in ("subject", "recording"):
        raise ValueError(f"by is {by!r}; choose 'subject', 'recording' or 'time'")
    owner: dict[Any, str] = {}
    for name, dataset in splits.items():
        group: Any
        for group in dict.fromkeys(_groups(dataset, by)):
            if owner.setdefault(group, name) != name:
                shown = f"{group[1]} of subject {group[0]}" if isinstance(group, tuple) else group
                raise ValueError(f"{by} {shown} is in splits {owner[group]!r} and {name!r}; keep it in one of them")


def save_splits(
    dataset_dir: str | Path,
    fractions: Mapping[str, float] | None = None,
    by: Literal["subject", "recording"] = "subject",
    *,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Note splits in the folder of a prepared dataset.

    `load(folder, "train")` and `datasets.load_dataset(folder)` find them there. No sample is moved: a split is a list
    of shards.

    Parameters
    ----------
    dataset_dir : str or Path
        Folder made by `prepare`.
    fractions : Mapping[str, float] or None
        As in `split`.
    by : {"subject", "recording"}
        As in `split`, without `"time"`.
    seed : int
        Changes which subjects or recordings go where.

    Returns
    -------
    dict[str, list[str]]
        Files of each split.

    Raises
    ------
    ValueError
        As in `split`, or the folder holds no prepared dataset.
    """
    folder = DatasetFolder(dataset_dir)
    if by not in ("subject", "recording"):
        raise ValueError(f"by is {by!r}; choose 'subject' or 'recording'")
    if folder.settings is None:
        raise ValueError(f"{dataset_dir} is not a folder made by prepare; make one from recordings with it")
    entries = [entry for _, entry in sorted(folder.manifest.items()) if entry["rows"]]
    groups = [entry["subject"] if by == "subject" else (entry["subject"], entry["recording"]) for entry in entries]
    seizure_patches, rows = (np.array([entry[name] for entry in entries]) for name in ("seizure_patches", "rows"))
    split_of = assign_groups(groups, seizure_patches, _checked(fractions), seed=seed, rows=rows)
    splits: dict[str, list[str]] = {name: [] for name in _checked(fractions)}
    for entry, group in zip(entries, groups, strict=True):
        splits[split_of[group]] += [shard["file"] for shard in entry["shards"]]
    folder.save_splits(splits, by=by, seed=seed)
    return splits


def assign_groups(
    groups: Sequence[Hashable],
    seizure_patches: np.ndarray,
    fractions: Mapping[str, float],
    *,
    seed: int = 0,
    rows: np.ndarray | None = None,
) -> dict[Hashable, str]:
    """Share whole groups out among splits so that windows and seizure patches come near the wanted fractions.

    Large groups go first, each to the split that it brings nearest to its share; no split stays empty.

    Parameters
    ----------
    groups : Sequence[Hashable]
        Group of each item.
    seizure_patches : np.ndarray
        Seizure patches of each item.
    fractions : Mapping[str, float]
        Share of each split; they add up to 1.
    seed : int
        Order among groups of equal size.
    rows : np.ndarray or None
        Windows of each item; 1 when `None`.

    Returns
    -------
    dict[Hashable, str]
        Split of each group.

    Raises
    ------
    ValueError
        Fewer groups than splits.
    """
    sizes: dict[Hashable, np.ndarray] = defaultdict(lambda: np.zeros(2))
    rows = np.ones(len(groups)) if rows is None else rows
    for group, count, seizures in zip(groups, rows, seizure_patches, strict=True):
        sizes[group] += (count, seizures)
    names = list(fractions)
    if len(sizes) < len(names):
        raise ValueError(
            f"{len(sizes)} subjects or recordings cannot fill {len(names)} splits ({', '.join(names)}); name fewer"
        )
    # Sorted first, so that the result does not depend on the order of the rows.
    ordered = sorted(sizes, key=repr)
    ordered = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    total = np.maximum(np.sum(list(sizes.values()), axis=0), 1)
    share = {group: sizes[group] / total for group in ordered}
    ordered.sort(key=lambda group: -share[group].sum())
    filled = {name: np.zeros(2) for name in names}
    empty = set(names)
    assigned: dict[Hashable, str] = {}
    for position, group in enumerate(ordered):
        must_fill = len(ordered) - position == len(empty)
        candidates = [name for name in names if name in empty] if must_fill else names
        best = min(
            candidates,
            key=lambda name: (
                ((filled[name] + share[group] - fractions[name]) ** 2).sum()
                - ((filled[name] - fractions[name]) ** 2).sum()
            ),
        )
        assigned[group] = best
        filled[best] = filled[best] + share[group]
        empty.discard(best)
    return assigned


def _checked(fractions: Mapping[str, float] | None) -> dict[str, float]:
    fractions = dict(DEFAULT_FRACTIONS if fractions is None else fractions)
    if not fractions or min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise ValueError(f"fractions are {fractions}; they must be positive and add up to 1")
    return fractions


def _columns(dataset: Dataset, names: list[str]) -> list[list]:
    absent = sorted(set(names) - set(dataset.column_names))
    if absent:
        raise ValueError(f"the dataset has no column {', '.join(absent)}; it has {', '.join(dataset.column_names)}")
    table = dataset.select_columns(names).with_format("arrow")[:]
    return [table.column(name).to_pylist() for name in names]


def _groups(dataset: Dataset, by: str) -> list[Hashable]:
    if by == "subject":
        return _columns(dataset, ["subject"])[0]
    return list(zip(*_columns(dataset, ["subject", "recording"]), strict=True))


def _seizure_patches(dataset: Dataset) -> np.ndarray:
    """Seizure patches of each row; zeros for a dataset without labels."""
    if "labels" not in dataset.column_names:
        return np.zeros(len(dataset))
    from .formatting import FORMAT

    rows = dataset.select_columns(["labels"]).with_format(FORMAT)[:]["labels"]
    return np.array([(labels == 1).sum() for labels in rows])


def _stretches(dataset: Dataset) -> list[tuple[tuple[str, str], float, float]]:
    """Return the recording, beginning and end [s] of each window."""
    from .formatting import FORMAT

    subjects, recordings, starts, rates = _columns(dataset, ["subject", "recording", "start", "sampling_rate"])
    signals = dataset.select_columns(["input_values"]).with_format(FORMAT)[:]["input_values"]
    return [
        ((subject, recording), start, start + signal.shape[1] / rate)
        for subject, recording, start, rate, signal in zip(subjects, recordings, starts, rates, signals, strict=True)
    ]


def _split_by_time(dataset: Dataset, fractions: Mapping[str, float], guard_s: float) -> dict[str, list[int]]:
    if guard_s < 0:
        raise ValueError(f"guard_s is {guard_s}; it must be zero or more")
    stretches = _stretches(dataset)
    span: dict[Hashable, tuple[float, float]] = {}
    for recording, start, stop in stretches:
        first, last = span.get(recording, (start, stop))
        span[recording] = min(first, start), max(last, stop)
    bounds = np.concatenate([[0], np.cumsum(list(fractions.values()))])
    names = list(fractions)
    rows: dict[str, list[int]] = {name: [] for name in names}
    for index, (recording, start, stop) in enumerate(stretches):
        first, last = span[recording]
        cuts = first + bounds * (last - first)
        for position, name in enumerate(names):
            # Half of the guard gap on either side of a cut; the ends of the recording need none.
            lower = cuts[position] + guard_s / 2 if position else -np.inf
            upper = cuts[position + 1] - guard_s / 2 if position < len(names) - 1 else np.inf
            if start >= lower - 1e-9 and stop <= upper + 1e-9:
                rows[name].append(index)
                break
    return rows


def _check_times(splits: Mapping[str, Dataset], guard_s: float) -> None:
    windows: dict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
    for name, dataset in splits.items():
        for recording, start, stop in _stretches(dataset):
            windows[recording].append((start, stop, name))
    for recording, stretches in windows.items():
        latest: dict[str, float] = {}
        for start, stop, name in sorted(stretches):
            for other, end in latest.items():
                if other != name and start < end + guard_s - 1e-6:
                    raise ValueError(
                        f"splits {other!r} and {name!r} are less than {guard_s:g} s apart, or overlap, in recording "
                        f"{recording[1]} of subject {recording[0]} at {start:.2f} s"
                    )
            latest[name] = max(stop, latest.get(name, -np.inf))
