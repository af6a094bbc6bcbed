"""Whether the windows of a run suit its model and its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers.utils import logging

from .streaming import is_streamed

if TYPE_CHECKING:
    from datasets import Dataset

    from .arguments import RunArguments
    from .data import RunWindows

logger = logging.get_logger(__name__)

# Fewer seizures than this say little about the next one.
FEW_SEIZURES = 5
_BY_LOSS = "choose the best epoch by the loss (--metric_for_best_model loss), "


def check_evaluations(windows: RunWindows, run: RunArguments) -> None:
    """Refuse a run that is to evaluate on a validation split that there is not."""
    if run.tuning.evaluate_only:
        return
    if windows.validation is None and run.training.eval_strategy != "no":
        raise ValueError(
            "the dataset has no validation split; add one, or pass --eval_strategy no --load_best_model_at_end false"
        )
    if run.data.streaming and run.training.save_strategy == "epoch":
        logger.warning("A stream is a single epoch: without --save_strategy steps, nothing is saved before its end.")


def doubts_of_splits(windows: RunWindows) -> list[str]:
    """Tell which splits share subjects with the training split."""
    doubts = []
    for name in windows.subjects.keys() - {"train"}:
        seen, count = windows.seen_in_training(name), len(set(windows.subjects[name]))
        if seen:
            doubts.append(
                f"{len(seen)} of {count} {'subject' if count == 1 else 'subjects'} of the {name} split "
                f"{'is' if len(seen) == 1 else 'are'} in the training split, too: its scores say nothing about others."
            )
    return sorted(doubts)


def doubts_of_few_seizures(windows: RunWindows) -> list[str]:
    """Tell which splits have so few seizures that chance decides."""
    few = [f"{count} in the {name} split" for name, count in windows.seizures.items() if count < FEW_SEIZURES]
    if not few:
        return []
    return [
        f"There are few seizures: {', '.join(few)}. What is learned and every score depend much on which they are: "
        "mark more, or begin from a trained detector (`brant-hf finetune` is made for that)."
    ]


def check_detection_labels(windows: RunWindows, patch_length: int, splits: Sequence[str] = ("train",)) -> None:
    """Refuse windows that seizure detection cannot be trained on.

    Parameters
    ----------
    windows : RunWindows
        Of the run.
    patch_length : int
        Of the model.
    splits : Sequence[str]
        Splits that need a seizure; not looked for in those that are streamed.

    Raises
    ------
    ValueError
        No labels, labels of another patch length, or no seizure in a split that needs one.
    """
    for name, row in windows.examples.items():
        _check_labels(name, row, patch_length)
    for name, rows in windows.splits().items():
        if name in splits and not is_streamed(rows) and not _has_seizure(rows):
            raise ValueError(
                f"none of the {len(rows)} {name} windows has a seizure; add recordings with seizures, "
                f"{'' if name == 'train' else _BY_LOSS}or split in another way (--split_seed, --split_by, "
                "--split_fractions)"
            )


def _check_labels(split: str, row: Mapping[str, Any], patch_length: int) -> None:
    if row.get("labels") is None:
        raise ValueError(
            f"the {split} windows have no labels: prepare recordings that have seizures noted, with `brant-hf "
            "prepare` (labels are written by default)"
        )
    labels, expected = np.shape(row["labels"])[1], np.shape(row["input_values"])[1] // patch_length
    if labels != expected:
        raise ValueError(
            f"{split} windows have {labels} labels for each channel, the model has {expected} patches of "
            f"{patch_length} samples in them: prepare the dataset with `--patch-length {patch_length}`"
        )


def _has_seizure(rows: Dataset) -> bool:
    return any((row["labels"] == 1).any() for row in rows.select_columns(["labels"]))


def check_window_length(windows: RunWindows, patch_length: int, num_patches: int, horizon: int = 0) -> int:
    """Refuse windows that the model cannot read; return the number of patches of the input.

    Parameters
    ----------
    windows : RunWindows
        Of the run.
    patch_length : int
        Samples of a patch of the model.
    num_patches : int
        Patches that the model reads at most.
    horizon : int
        Samples at the end of each window that are to be forecast.

    Raises
    ------
    ValueError
        Another patch length, or too few or too many patches.
    """
    if windows.patch_length not in (None, patch_length):
        raise ValueError(
            f"the dataset was prepared with patches of {windows.patch_length} samples, the model has patches of "
            f"{patch_length}: prepare it with `--patch-length {patch_length}`, or choose another model"
        )
    contexts = {}
    for name, row in windows.examples.items():
        samples = np.shape(row["input_values"])[1]
        contexts[name] = context = samples - horizon
        if context < patch_length or context % patch_length or context > num_patches * patch_length:
            after = f" and a horizon of {horizon}" if horizon else ""
            raise ValueError(
                f"{name} windows have {samples} samples; the model reads 1 to {num_patches} patches of "
                f"{patch_length} samples{after}: prepare the dataset with other --patch-length or --num-patches"
            )
    return contexts["train"] // patch_length


def check_sampling_rate(windows: RunWindows, sampling_rate: float) -> None:
    """Refuse windows of another sampling rate than that of the model.

    Parameters
    ----------
    windows : RunWindows
        Of the run; a split that is streamed is judged by its first window.
    sampling_rate : float
        Of the model [Hz].

    Raises
    ------
    ValueError
        A window has another sampling rate.
    """
    for name, rows in windows.splits().items():
        for rate in _sampling_rates(rows, windows.examples[name]):
            if rate != sampling_rate:
                raise ValueError(
                    f"{name} windows have {rate:g} Hz, the model {sampling_rate:g} Hz: prepare the dataset with "
                    f"`--sampling-rate {sampling_rate:g}`, or choose another model"
                )


def _sampling_rates(rows: Any, example: Mapping[str, Any]) -> list[float]:
    """Return the sampling rates that the rows note [Hz]."""
    if "sampling_rate" not in example:
        return []
    if is_streamed(rows):
        return [example["sampling_rate"]]
    return sorted(set(rows.select_columns(["sampling_rate"]).with_format(None)["sampling_rate"]))
