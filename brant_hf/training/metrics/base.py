"""What the metrics of all tasks share: collecting over batches, tables of subjects and confidence intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...data.windows import IGNORED_LABEL

if TYPE_CHECKING:
    from transformers import EvalPrediction

    from ...configuration_brant import BrantConfig

# Windows whose raw outputs are reduced at a time, where `reduce` did not see them in the evaluation loop.
REDUCE_ROWS = 64
# Fewest subjects that a confidence interval is given for.
MIN_SUBJECTS = 5

Outputs = torch.Tensor | tuple[torch.Tensor, ...]


class WindowMetrics(ABC):
    """Metrics over all windows of an evaluation set, and over its subjects where they are given.

    Called with the outputs of the whole set, or once for each batch with `compute_result=False` until the last one;
    after the result it is as new. The outputs are what `reduce` returned or what the model returned, padded with -100
    along the channels as `Trainer` does.

    With `subjects`, the result has for each metric `x`

    - `x`: over all windows together,
    - `x_low`, `x_high`: bootstrap confidence interval (percentiles) over subjects, drawn with replacement with all
      their windows; absent with fewer than `min_subjects`,
    - `x_subject_mean`: mean over the subjects for whom `x` is defined.

    Parameters
    ----------
    subjects : Sequence[str] or None
        Subject of each window, in the order of the evaluation set, which `Trainer` keeps, also with several processes.
    num_resamples : int
        Bootstrap resamples of the subjects.
    confidence_level : float
        Of the intervals.
    seed : int
        Of the resamples.
    min_subjects : int
        Fewest subjects that an interval is given for: resamples of a few say nothing about others.

    Attributes
    ----------
    per_subject : list[dict[str, Any]]
        After a result with `subjects`, one row for each subject, in order of appearance: `subject`, `windows` and the
        metrics, `None` where one is not defined for the subject.

    Raises
    ------
    ValueError
        An argument out of its range.
    """

    def __init__(
        self,
        subjects: Sequence[str] | None = None,
        *,
        num_resamples: int = 1000,
        confidence_level: float = 0.95,
        seed: int = 0,
        min_subjects: int = MIN_SUBJECTS,
    ) -> None:
        if num_resamples < 1:
            raise ValueError(f"num_resamples is {num_resamples}; it must be 1 or more")
        if not 0 < confidence_level < 1:
            raise ValueError(f"confidence_level is {confidence_level}; it must lie between 0 and 1")
        self.subjects = None if subjects is None else [str(subject) for subject in subjects]
        self.num_resamples = num_resamples
        self.confidence_level = confidence_level
        self.seed = seed
        self.min_subjects = min_subjects
        self.per_subject: list[dict[str, Any]] = []
        self._records: list[np.ndarray] = []
        self._num_windows = 0

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        """Take a batch or a whole evaluation set, and return the metrics if `compute_result`, else nothing.

        Raises
        ------
        ValueError
            The number of windows is not that of `subjects`, or no label is known.
        """
        for predictions, labels in _batches(prediction):
            self._records.append(self._record(self._reduced(predictions, labels), labels, self._num_windows))
            self._num_windows += len(labels)
        if not compute_result:
            return {}
        records, num_windows = np.concatenate(self._records), self._num_windows
        self._records, self._num_windows = [], 0
        return self._result(records, num_windows)

    def check(self, config: BrantConfig) -> None:  # noqa: B027  most metrics suit any model
        """Refuse a model that these metrics do not suit, with a ValueError."""

    @abstractmethod
    def reduce(self, logits: Any, labels: torch.Tensor | None) -> Any:
        """Return the outputs of the model for a batch to what the metrics need of each window.

        Without labels there is nothing to measure, and the outputs are returned as they are.
        """

    @abstractmethod
    def _is_reduced(self, predictions: Any, labels: torch.Tensor) -> bool:
        """Whether `predictions` come from `reduce`."""

    @abstractmethod
    def _record(self, reduced: torch.Tensor, labels: torch.Tensor, first_window: int) -> np.ndarray:
        """Return what is kept of a batch, whose windows are numbered from `first_window` on: rows of an array."""

    @abstractmethod
    def _pooled(self, records: np.ndarray, num_windows: int) -> dict[str, float]:
        """Metrics over all windows; those that are not defined are left out."""

    @abstractmethod
    def _subject_metrics(self, records: np.ndarray, owners: np.ndarray, count: int) -> list[dict[str, Any]]:
        """Metrics that are defined of each of `count` subjects; `owners` (windows,) are their numbers."""

    @abstractmethod
    def _resampled(self, records: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Pooled metrics (resamples,) in which each subject counts `weights` (resamples, subjects) times.

        NaN where a metric is not defined.
        """

    def _reduced(self, predictions: Any, labels: torch.Tensor) -> torch.Tensor:
        if self._is_reduced(predictions, labels):
            return predictions
        pieces = [slice(start, start + REDUCE_ROWS) for start in range(0, len(labels), REDUCE_ROWS)]
        return torch.cat([self.reduce(_rows(predictions, piece), labels[piece]) for piece in pieces])

    def _result(self, records: np.ndarray, num_windows: int) -> dict[str, float]:
        self.per_subject = []
        metrics = self._pooled(records, num_windows)
        if self.subjects is None:
            return metrics
        if len(self.subjects) != num_windows:
            raise ValueError(
                f"{len(self.subjects)} subjects were given for {num_windows} evaluated windows; pass the subject of "
                "each window of the evaluation set, and prepare the dataset with max_missing=0 if the collator leaves "
                "windows out"
            )
        # Subjects in order of appearance.
        number = {name: index for index, name in enumerate(dict.fromkeys(self.subjects))}
        owners = np.array([number[name] for name in self.subjects], dtype=np.int64)
        rows = self._subject_metrics(records, owners, len(number))
        columns = dict.fromkeys(name for row in rows for name in row)
        self.per_subject = [
            {"subject": name, "windows": int(count)} | columns | row
            for name, count, row in zip(number, np.bincount(owners), rows, strict=True)
        ]
        intervals = self._intervals(records, owners, len(number))
        result: dict[str, float] = {}
        for name, pooled in metrics.items():
            result |= {name: pooled, **intervals.get(name, {})}
            values = [row[name] for row in rows if name in row]
            if values:
                result[f"{name}_subject_mean"] = float(np.mean(values))
        return result

    def _intervals(self, records: np.ndarray, owners: np.ndarray, count: int) -> dict[str, dict[str, float]]:
        if count < max(self.min_subjects, 2):
            return {}
        # Numbers of times that each subject is drawn. All metrics come from the same draws, and a draw in which one is
        # not defined (no seizure) is left out, for which `scipy.stats.bootstrap` has no option.
        generator = np.random.default_rng(self.seed)
        weights = generator.multinomial(count, np.full(count, 1 / count), size=self.num_resamples).astype(np.float64)
        tail = 50 * (1 - self.confidence_level)
        intervals = {}
        for name, values in self._resampled(records, owners, weights).items():
            values = values[np.isfinite(values)]
            if len(values):
                low, high = np.percentile(values, [tail, 100 - tail])
                intervals[name] = {f"{name}_low": float(low), f"{name}_high": float(high)}
        return intervals


def defined(metrics: Mapping[str, Any]) -> dict[str, float]:
    """`metrics` as floats, without those that are NaN because nothing was counted."""
    return {name: float(value) for name, value in metrics.items() if not np.isnan(value)}


def real_channels(labels: torch.Tensor) -> torch.Tensor:
    """(B, C) bool: channels of signals (B, C, T) that are not padding, all of whose samples are -100."""
    return (labels != IGNORED_LABEL).any(dim=-1)


def accumulation_dtype(device: torch.device) -> torch.dtype:
    """Double precision where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def _batches(prediction: EvalPrediction) -> Iterator[tuple[Outputs, torch.Tensor]]:
    predictions, labels = prediction.predictions, prediction.label_ids
    # A list: `eval_do_concat_batches=False`, one entry for each batch.
    pairs = zip(predictions, labels, strict=True) if isinstance(labels, list) else [(predictions, labels)]
    for outputs, targets in pairs:
        yield _tensors(outputs), _tensors(targets)


def _tensors(values: Any) -> Any:
    if isinstance(values, (tuple, list)):
        return tuple(_tensors(value) for value in values)
    return torch.as_tensor(values)


def _rows(outputs: Outputs, piece: slice) -> Outputs:
    return tuple(each[piece] for each in outputs) if isinstance(outputs, tuple) else outputs[piece]
