"""Probes of all layers, in folds of subjects."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data.dataset.splits import fold_indices
from ..detection.embedding import encoder_and_extractor
from ..detection.pooling import layer_name, layer_numbers
from ..listing import markdown_table
from ..progress import loading_bars
from ..user_warnings import warn
from .features import layer_features
from .probes import Kind, choose_strength, make_probe, scores_of

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

SHOWN = ("auroc", "auprc", "f2", "f1", "precision", "recall", "accuracy")


@dataclass(frozen=True, eq=False)
class ProbeReport:
    """What probes of several layers tell of windows of subjects that they were not fitted on.

    Attributes
    ----------
    layers : dict[int, str]
        Number and name of each hidden state.
    metrics : dict[int, dict[str, float]]
        By layer, of all windows together, as `SeizureDetectionMetrics` gives them: with intervals (`auroc_low`,
        `auroc_high`; bootstrap over subjects) where there are enough subjects.
    folds : dict[int, list[dict[str, float]]]
        By layer, of each fold.
    scores : dict[int, np.ndarray]
        By layer, how much each window is a seizure, (cases,).
    strengths : dict[int, list[float]]
        By layer, the regularisation that each fold chose, see `choose_strength`.
    labels : np.ndarray
        (cases,), 1 for a window with a seizure.
    cases : np.ndarray
        Place of each case in the dataset, (cases,).
    subjects : list[str]
        Of each case.
    """

    layers: dict[int, str]
    metrics: dict[int, dict[str, float]]
    folds: dict[int, list[dict[str, float]]]
    scores: dict[int, np.ndarray]
    strengths: dict[int, list[float]]
    labels: np.ndarray
    cases: np.ndarray
    subjects: list[str]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each layer: metrics of all, and mean and standard deviation over folds."""
        import pandas as pd

        rows = []
        for layer, name in self.layers.items():
            row: dict[str, Any] = {"layer": layer, "hidden_state": name, **self.metrics[layer]}
            for metric in SHOWN:
                values = [fold[metric] for fold in self.folds[layer] if metric in fold]
                row[f"{metric}_fold_mean"] = np.mean(values) if values else np.nan
                row[f"{metric}_fold_sd"] = np.std(values, ddof=1) if len(values) > 1 else np.nan
            rows.append(row)
        return pd.DataFrame(rows)

    def to_markdown(self) -> str:
        """Return a table in Markdown: metrics of all windows, with their intervals where there are some."""
        shown = [metric for metric in SHOWN if any(metric in each for each in self.metrics.values())]
        rows = (
            [f"{layer} ({name})", *(_cell(self.metrics[layer], each) for each in shown)]
            for layer, name in self.layers.items()
        )
        return markdown_table(["layer", *shown], rows)


def probe_layers(
    dataset: Dataset,
    model: BrantPreTrainedModel | str | os.PathLike | None = None,
    feature_extractor: BrantFeatureExtractor | None = None,
    *,
    layers: int | Sequence[int] | None = None,
    probe: Kind = "logistic",
    folds: int = 5,
    batch_size: int = 8,
    device: str = "cpu",
    seed: int = 0,
    cache: str | os.PathLike | None = None,
    revision: str | None = None,
    progress: bool = True,
) -> ProbeReport:
    """Tell windows with a seizure from others by linear probes of frozen hidden states, layer by layer.

    Windows of a subject are all in one fold, as in `k_fold`; the regularisation is chosen on subjects of the training
    part alone. The encoder runs once, for all layers and folds.

    ```python
    report = probe_layers(load("windows/"), "you/brant", layers=[0, 6, -1])
    print(report.to_markdown())
    ```

    Parameters
    ----------
    dataset : Dataset
        Rows as `load` gives them, with labels. Windows that are partly of unknown label and have no seizure are left
        out, with a warning.
    model : BrantPreTrainedModel, str, os.PathLike or None
        A loaded model, a folder, an id on the Hub, or the shipped checkpoint if `None`.
    feature_extractor : BrantFeatureExtractor or None
        That of the checkpoint if `None`; needed where a model is given.
    layers : int, Sequence[int] or None
        Hidden states: 0 is the patch embedding, -1 the last layer; all if `None`.
    probe : {"logistic", "ridge"}
        Classifier of scikit-learn.
    folds : int
        Parts that the subjects are shared out to, 2 or more.
    batch_size : int
        Most windows of a forward pass.
    device : str
        Where the encoder works.
    seed : int
        Changes which subjects go where.
    cache : str, os.PathLike or None
        Folder that keeps the embeddings, `layer_0.npy` and so on, with which a later or an interrupted run continues;
        a temporary one if `None`.
    revision : str or None
        Commit, branch or tag on the Hub.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    ProbeReport

    Raises
    ------
    OSError
        There is no such checkpoint.
    ValueError
        There are no labels, no seizure, or fewer subjects than folds; or there is no such layer or probe.
    """
    make_probe(probe)  # refused before anything is computed
    labels = window_labels(dataset)
    with loading_bars(shown=progress):
        encoder, extractor = encoder_and_extractor(model, feature_extractor, revision)
    numbers = layer_numbers(layers, encoder.config)
    parts = fold_indices(dataset, folds, seed=seed)
    torch.nn.Module.to(encoder, device)
    subjects = [str(each) for each in dataset.with_format(None)["subject"]]
    place = tempfile.TemporaryDirectory() if cache is None else nullcontext(cache)
    with place as folder:
        features = layer_features(
            dataset, encoder, extractor, numbers, Path(folder), batch_size=batch_size, progress=progress
        )
        probed = {number: _probed(features[number], labels, subjects, parts, probe) for number in numbers}
    cases = np.flatnonzero(labels >= 0)
    patch_s = np.shape(dataset[0]["input_values"])[1] / float(dataset[0]["sampling_rate"])
    owners = [subjects[case] for case in cases]
    return ProbeReport(
        layers={number: layer_name(number, encoder.config) for number in numbers},
        metrics={
            number: _metrics(scores[cases], labels[cases], owners, patch_s) for number, (scores, _) in probed.items()
        },
        folds={number: _by_fold(scores, labels, parts, patch_s) for number, (scores, _) in probed.items()},
        scores={number: scores[cases] for number, (scores, _) in probed.items()},
        strengths={number: strengths for number, (_, strengths) in probed.items()},
        labels=labels[cases],
        cases=cases,
        subjects=owners,
    )


def window_labels(dataset: Dataset) -> np.ndarray:
    """Label of each window, (windows,): 1 with a seizure, 0 without, -1 where nobody knows.

    Raises
    ------
    ValueError
        There are no labels, or all that are known are of one kind.
    """
    if "labels" not in dataset.column_names:
        raise ValueError("the windows have no labels; prepare recordings that have seizures noted")
    found = [np.asarray(row["labels"]) for row in dataset.select_columns(["labels"])]
    labels = np.array([1 if (each == 1).any() else -1 if (each == -100).any() else 0 for each in found])
    if len(set(labels[labels >= 0])) < 2:
        raise ValueError(
            "all windows of known label are of one kind; a probe needs some with a seizure and some without"
        )
    if (labels < 0).any():
        warn(f"{(labels < 0).sum()} of {len(labels)} windows are of unknown label, at least in part, and left out")
    return labels


def _probed(
    features: np.ndarray,
    labels: np.ndarray,
    subjects: Sequence[str],
    parts: Sequence[tuple[list[int], list[int]]],
    kind: Kind,
) -> tuple[np.ndarray, list[float]]:
    """Scores of all windows, each by the probe that did not see its subject, and the strengths that were chosen."""
    scores, strengths = np.full(len(labels), np.nan), []
    for train, test in parts:
        known = [index for index in train if labels[index] >= 0]
        if len(set(labels[known])) < 2:
            raise ValueError("the subjects of one fold have all the seizures; give windows of more subjects with some")
        own = [subjects[index] for index in known]
        strength = choose_strength(kind, features[known], labels[known], own)
        fitted = make_probe(kind, strength).fit(features[known], labels[known])
        scores[test] = scores_of(fitted, features[test])
        strengths.append(strength)
    return scores, strengths


def _by_fold(
    scores: np.ndarray, labels: np.ndarray, parts: Sequence[tuple[list[int], list[int]]], patch_s: float
) -> list[dict[str, float]]:
    found = []
    for _, test in parts:
        known = [index for index in test if labels[index] >= 0]
        if len(set(labels[known])) == 2:
            found.append(_metrics(scores[known], labels[known], None, patch_s))
    return found


def _metrics(
    scores: np.ndarray, labels: np.ndarray, subjects: Sequence[str] | None, patch_s: float
) -> dict[str, float]:
    """Metrics of the training, of windows in place of patches."""
    from transformers import EvalPrediction

    from ..training.metrics.detection import SeizureDetectionMetrics

    measure = SeizureDetectionMetrics(subjects, patch_duration=patch_s)
    return measure(EvalPrediction(scores.astype(np.float32)[:, None, None], labels[:, None, None]))


def _cell(values: Mapping[str, float], name: str) -> str:
    if name not in values:
        return ""
    low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
    return f"{values[name]:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")
