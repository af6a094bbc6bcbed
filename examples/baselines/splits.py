"""Training windows and windows to measure on, split as the training scripts do it, with all columns."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset, concatenate_datasets

from brant_hf.data import check_splits, load, split
from brant_hf.training.windows import SPLITS, noted_splits


def load_splits(datasets: Sequence[str], *, fractions: str, by: str, seed: int) -> dict[str, Dataset]:
    """Splits of one or more prepared datasets: the noted ones where they have them, else new ones.

    Args:
        datasets: folders made by `prepare`, or ids on the Hub.
        fractions: two or three shares of train, validation and test, such as `"0.7,0.15,0.15"`.
        by: `"subject"`, `"recording"` or `"time"`.
        seed: of the splits.

    Raises:
        FileNotFoundError: a dataset does not exist.
        ValueError: some datasets have splits and some have not, or they cannot be split like this.
    """
    noted = [noted_splits(dataset) for dataset in datasets]
    if all(noted):
        names = [name for name in SPLITS if any(name in each for each in noted)]
        parts = {
            name: concatenate_datasets(
                [load(dataset, name) for dataset, each in zip(datasets, noted, strict=True) if name in each]
            )
            for name in names
        }
        check_splits(parts, "recording")
        return parts
    if any(noted):
        raise ValueError("some of the datasets have splits and some have none; note splits in all or in none of them")
    joined = concatenate_datasets([load(dataset) for dataset in datasets])
    return dict(split(joined, _fractions(fractions), by, seed=seed))


def _fractions(text: str) -> dict[str, float]:
    shares = text.split(",")
    try:
        return {name: float(share) for name, share in zip(SPLITS[: len(shares)], shares, strict=True)}
    except ValueError:
        raise ValueError(f"--split_fractions is {text!r}; give two or three shares such as 0.7,0.15,0.15") from None
