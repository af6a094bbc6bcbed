"""How the windows of a dataset were prepared, as the dataset that `load` returns tells.

It stands in the description of the dataset, which splits, selections and `map` of `datasets` keep, and joined datasets
join.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

_PREFIX = "Prepared by brant_hf with "
# Where wrappers keep what they wrap: augmented windows, endless streams, subsets of torch.
_WRAPPED = ("windows", "rows", "dataset")


def note_origin(rows: Dataset | IterableDataset, preprocessing: dict[str, Any]) -> None:
    """Note on a dataset with which settings of `Preprocessing` it was prepared."""
    rows.info.description = _PREFIX + json.dumps(preprocessing, sort_keys=True)


def origins_of(rows: Any) -> list[dict[str, Any]]:
    """Tell the settings of `Preprocessing` that windows were prepared with; several where they differ.

    Parameters
    ----------
    rows : Any
        A dataset, or what stands around one; empty for anything that does not tell.
    """
    while not hasattr(rows, "info"):
        inner = next((name for name in _WRAPPED if hasattr(rows, name)), None)
        if inner is None:
            return []
        rows = getattr(rows, inner)
    lines = str(getattr(rows.info, "description", "")).splitlines()
    return [json.loads(line.removeprefix(_PREFIX)) for line in lines if line.startswith(_PREFIX)]
