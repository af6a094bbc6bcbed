"""Metrics of seizure detection: every labelled patch of every channel is a case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers.utils import logging

from ...data.windows import IGNORED_LABEL
from .base import WindowMetrics, defined

if TYPE_CHECKING:
    from ...configuration_brant import BrantConfig

logger = logging.get_logger(__name__)

# Scores are counted between this many quantiles for the confidence intervals, in each of three sets of quantiles.
NUM_QUANTILES = 1024
# Resamples whose counts are in memory at a time.
RESAMPLES_AT_ONCE = 50


# A labelled patch: its seizure probability, its label, and the number of its window.
_PATCH = np.dtype([("score", np.float32), ("is_seizure", bool), ("window", np.int64)])


class SeizureDetectionMetrics(WindowMetrics):
    """Metrics of seizure detection over all labelled patches.

    `accuracy`, `precision`, `recall`, `f1`, `f2` at a threshold, `auroc`, `auprc` (average precision) and
    `sensitivity_at_fa_rate`, for the logits (B, C, L, num_labels) and the labels (B, C, L) of
    `BrantForSeizureDetection`; -100 is ignored and any label but the seizure's is background. `sensitivity_at_fa_rate`
    is the sensitivity at the lowest threshold that lets at most `false_alarms_per_hour` background patches pass for
    each hour of background of one channel.

    What is not defined is left out, with a warning: everything but the accuracy without a seizure patch, `auroc` and
    `sensitivity_at_fa_rate` without a background patch. In `per_subject`, each row also has `seizure_patches` and
    `background_patches`. The confidence intervals of `auroc`, `auprc` and `sensitivity_at_fa_rate` take scores between
    two neighbouring ones of about 3000 quantiles as equal.

    Parameters
    ----------
    subjects : Sequence[str] or None
        See `WindowMetrics`.
    config : BrantConfig or None
        Of the model; tells the seconds of a patch and the index of the seizure class.
    patch_duration : float or None
        Seconds of a patch, where there is no `config`.
    threshold : float
        Seizure probability from which a patch is detected.
    false_alarms_per_hour : float
        Rate of `sensitivity_at_fa_rate`.
    seizure_label : int or None
        Index of the seizure class; that of `config`, or 1, if `None`.
    **kwargs : Any
        See `WindowMetrics`.

    Raises
    ------
    ValueError
        Neither `config` nor `patch_duration` is given, they contradict each other, or a value is out of its range.
    """

    def __init__(
        self,
        subjects: Sequence[str] | None = None,
        *,
        config: BrantConfig | None = None,
        patch_duration: float | None = None,
        threshold: float = 0.5,
        false_alarms_per_hour: float = 1.0,
        seizure_label: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(subjects, **kwargs)
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; it must lie between 0 and 1")
        if not 0 <= false_alarms_per_hour < math.inf:
            raise ValueError(f"false_alarms_per_hour is {false_alarms_per_hour}; it must be 0 or more")
        if patch_duration is None:
            if config is None:
                raise ValueError("the seconds of a patch are not known; give config=model.config, or patch_duration")
            patch_duration = config.patch_length / config.sampling_rate
        if not 0 < patch_duration < math.inf:
            raise ValueError(f"patch_duration is {patch_duration}; give the seconds of a patch")
        self.patch_duration = patch_duration
        if config is not None:
            self.check(config)
        if seizure_label is None:
            seizure_label = ((config and config.label2id) or {}).get("seizure", 1)
        # In the precision of the probabilities, or else one that equals it might lie below.
        self.threshold = np.float32(threshold)
        self.false_alarms_per_hour = false_alarms_per_hour
        self.seizure_label = seizure_label

    def check(self, config: BrantConfig) -> None:
        """Refuse a model with patches of another duration."""
        expected = config.patch_length / config.sampling_rate
        if not math.isclose(self.patch_duration, expected, rel_tol=1e-6):
            raise ValueError(
                f"patch_duration is {self.patch_duration:g} s, and the model has patches of {expected:g} s "
                f"({config.patch_length} samples at {config.sampling_rate:g} Hz); give config=model.config instead"
            )

    def reduce(self, logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Logits (B, C, L, num_labels) to seizure probabilities (B, C, L) float32."""
        if labels is None:
            return logits
        return logits.float().softmax(dim=-1)[..., self.seizure_label]

    def _is_reduced(self, predictions: torch.Tensor, labels: torch.Tensor) -> bool:
        return predictions.ndim == labels.ndim

    def _record(self, reduced: torch.Tensor, labels: torch.Tensor, first_window: int) -> np.ndarray:
        known = labels != IGNORED_LABEL
        if torch.isnan(reduced[known]).any():
            raise ValueError("seizure probabilities are NaN; the training has diverged, lower the learning rate")
        patches = np.empty(int(known.sum()), _PATCH)
        patches["score"] = reduced[known].detach().float().cpu().numpy()
        patches["is_seizure"] = (labels[known] == self.seizure_label).cpu().numpy()
        patches["window"] = torch.nonzero(known)[:, 0].cpu().numpy() + first_window
        return patches

    def _pooled(self, records: np.ndarray, num_windows: int) -> dict[str, float]:
        if not len(records):
            raise ValueError(f"none of {num_windows} windows has a labelled patch; every label is -100")
        if records["is_seizure"].all() or not records["is_seizure"].any():
            logger.warning_once(
                "The evaluation set has %s patches only: metrics that need both classes are left out.",
                "seizure" if records["is_seizure"].any() else "background",
            )
        return self._metrics(records)

    def _subject_metrics(self, records: np.ndarray, owners: np.ndarray, count: int) -> list[dict[str, Any]]:
        owner = owners[records["window"]]
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(np.bincount(owner, minlength=count))
        rows = []
        for kept in np.split(order, ends[:-1]):
            patches = records[kept]
            seizures = int(patches["is_seizure"].sum())
            counts = {"seizure_patches": seizures, "background_patches": len(kept) - seizures}
            rows.append(counts | (self._metrics(patches) if len(kept) else {}))
        return rows

    def _metrics(self, patches: np.ndarray) -> dict[str, float]:
        # Imported here: scikit-learn takes longer to import than most runs of the package that do without it.
        from sklearn import metrics

        truth, scores = patches["is_seizure"], patches["score"]
        detected = scores >= self.threshold
        result = {"accuracy": metrics.accuracy_score(truth, detected)}
        if truth.any():
            result["precision"] = metrics.precision_score(truth, detected, zero_division=0)
            result["recall"] = metrics.recall_score(truth, detected)
            result["f1"] = metrics.f1_score(truth, detected)
            result["f2"] = metrics.fbeta_score(truth, detected, beta=2)
            if not truth.all():
                result["auroc"] = metrics.roc_auc_score(truth, scores)
            result["auprc"] = metrics.average_precision_score(truth, scores)
            if not truth.all():
                false_positive_rate, sensitivity, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
                allowed = self._allowed_rate() * (1 + 1e-9)
                result["sensitivity_at_fa_rate"] = sensitivity[false_positive_rate <= allowed].max()
        return defined(result)

    def _allowed_rate(self) -> float:
        """Fraction of the background patches that may be false alarms."""
        return self.false_alarms_per_hour * self.patch_duration / 3600

    def _resampled(self, records: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        cuts = _cuts(records, self.threshold)
        bins = np.searchsorted(cuts, records["score"], side="right") - 1
        shape = weights.shape[1], 2, len(cuts)
        cells = np.ravel_multi_index((owners[records["window"]], records["is_seizure"].astype(np.int64), bins), shape)
        counts = np.bincount(cells, minlength=math.prod(shape)).reshape(shape).astype(np.float64)
        detected_from = int(np.searchsorted(cuts, self.threshold))
        pieces = [
            _metrics_from_counts(np.tensordot(piece, counts, axes=1), detected_from, self._allowed_rate())
            for piece in np.array_split(weights, math.ceil(len(weights) / RESAMPLES_AT_ONCE))
        ]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _cuts(patches: np.ndarray, threshold: np.float32) -> np.ndarray:
    """Increasing scores that divide the patches into bins, the lowest score and `threshold` among them.

    All scores while they are few, else quantiles of the seizure and of the background scores; the latter also finely
    towards the highest, where few false alarms are decided.
    """
    scores = np.unique(patches["score"])
    if len(scores) > 3 * NUM_QUANTILES:
        seizure, background = patches["score"][patches["is_seizure"]], patches["score"][~patches["is_seizure"]]
        even = np.linspace(0, 1, NUM_QUANTILES)
        parts = [scores[:1]]
        if len(seizure):
            parts.append(np.quantile(seizure, even, method="lower"))
        if len(background):
            high = 1 - np.geomspace(1 / len(background), 0.5, NUM_QUANTILES)
            parts += [np.quantile(background, levels, method="lower") for levels in (even, high)]
        scores = np.concatenate(parts)
    return np.unique(np.append(scores, threshold))


def _metrics_from_counts(counts: np.ndarray, detected_from: int, allowed_rate: float) -> dict[str, np.ndarray]:
    """Metrics (R,) from the numbers (R, 2, K) of background and seizure patches in K bins of increasing score.

    Parameters
    ----------
    counts : np.ndarray
        Background first.
    detected_from : int
        Patches of this bin and of those above are detected.
    allowed_rate : float
        Fraction of the background that may be false alarms.
    """
    background, seizure = counts[:, 0], counts[:, 1]
    # Patches of a bin and above.
    false_alarms, hits = (np.cumsum(each[:, ::-1], axis=1)[:, ::-1] for each in (background, seizure))
    negatives, positives = false_alarms[:, :1], hits[:, :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(hits > 0, hits / (hits + false_alarms), 0)
        sensitivity = hits / positives
        allowed = false_alarms <= negatives * allowed_rate * (1 + 1e-9)
        ranked = (background * (hits - seizure / 2)).sum(axis=1, keepdims=True) / (negatives * positives)
        hit, false_alarm = hits[:, [detected_from]], false_alarms[:, [detected_from]]
        at_rate = np.where(allowed, sensitivity, 0).max(axis=1, keepdims=True)
        values = {
            "accuracy": (hit + negatives - false_alarm) / (negatives + positives),
            "precision": np.where(positives > 0, precision[:, [detected_from]], np.nan),
            "recall": hit / positives,
            "f1": np.where(positives > 0, 2 * hit / (positives + hit + false_alarm), np.nan),
            "f2": np.where(positives > 0, 5 * hit / (4 * positives + hit + false_alarm), np.nan),
            "auroc": ranked,
            "auprc": (precision * seizure).sum(axis=1, keepdims=True) / positives,
            "sensitivity_at_fa_rate": np.where((positives > 0) & (negatives > 0), at_rate, np.nan),
        }
    return {name: each[:, 0] for name, each in values.items()}
