"""One evaluation for all methods: the same windows, batches, masks and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import EvalPrediction

from brant_hf import BrantFeatureExtractor
from brant_hf.data import IGNORED_LABEL, WindowCollator
from brant_hf.precision import best_device
from brant_hf.training import WindowMetrics

Outputs = torch.Tensor | tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Batch:
    """Windows as a model gets them.

    Attributes
    ----------
    inputs : dict[str, torch.Tensor]
        What the collator returned.
    rows : Sequence[int]
        Position of each window in the dataset.
    """

    inputs: dict[str, torch.Tensor]
    rows: Sequence[int]

    @property
    def real(self) -> torch.Tensor:
        """(B, C) bool: channels that are not padding."""
        return self.inputs["channel_mask"]

    def scatter(self, values: np.ndarray) -> torch.Tensor:
        """Values (N, ...) of the N real channels as (B, C, ...), 0 in the padding."""
        output = torch.zeros(*self.real.shape, *values.shape[1:])
        output[self.real] = torch.as_tensor(values, dtype=torch.float32)
        return output


Predict = Callable[[Batch], Outputs]


@dataclass(frozen=True)
class Method:
    """A row of a table.

    Attributes
    ----------
    name : str
        As shown.
    predict : Predict or None
        From a batch to what the metrics of the task take; `None` where the method does not apply.
    parameters : int or None
        Trained parameters, if it has any.
    note : str
        What a reader should know; the reason where the method does not apply.
    """

    name: str
    predict: Predict | None
    parameters: int | None = None
    note: str = ""


class InMicrovolts:
    """Metrics of signals after the normalisation was undone; the names of the metrics end in `_uv`.

    Parameters
    ----------
    metrics : WindowMetrics
        Of the task.
    extractor : BrantFeatureExtractor
        Whose normalisation can be undone.
    """

    def __init__(self, metrics: WindowMetrics, extractor: BrantFeatureExtractor) -> None:
        self.metrics = metrics
        self.extractor = extractor

    def reduce(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
        padding = labels == IGNORED_LABEL
        restored = self._restore(labels.masked_fill(padding, 0)).masked_fill(padding, IGNORED_LABEL)
        if isinstance(outputs, tuple):
            return self.metrics.reduce(tuple(self._restore(each) for each in outputs), restored)
        return self.metrics.reduce(self._restore(outputs), restored)

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        result = self.metrics(prediction, compute_result)
        return {_with_unit(name): value for name, value in result.items()}

    def _restore(self, values: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.extractor.to_microvolts(values.numpy()))


def evaluate(
    predict: Predict,
    windows: Dataset,
    collator: WindowCollator,
    metrics: Sequence[WindowMetrics | InMicrovolts],
    *,
    batch_size: int,
    description: str = "",
) -> dict[str, float]:
    """Measure one method on all windows, in their order.

    Parameters
    ----------
    predict : Predict
        The method.
    windows : Dataset
        Rows of the dataset.
    collator : WindowCollator
        Of the task.
    metrics : Sequence[WindowMetrics | InMicrovolts]
        Their results are joined.
    batch_size : int
        Windows of a batch.
    description : str
        Shown beside the progress.
    """
    result: dict[str, float] = {}
    starts = range(0, len(windows), batch_size)
    for start in tqdm(starts, desc=description, unit="batch", leave=False):
        rows = range(start, min(start + batch_size, len(windows)))
        batch = Batch(collator([windows[row] for row in rows]), rows)
        outputs, labels = predict(batch), batch.inputs["labels"]
        for each in metrics:
            prediction = EvalPrediction(predictions=each.reduce(outputs, labels), label_ids=labels)
            result |= each(prediction, compute_result=start == starts[-1])
    return result


def model_predict(model: torch.nn.Module, names: Sequence[str]) -> Predict:
    """`Predict` of a model that takes the batch as keyword arguments.

    Parameters
    ----------
    model : torch.nn.Module
        Returns a mapping; it is moved to the accelerator, where there is one.
    names : Sequence[str]
        Of the outputs that the metrics take.
    """
    device = best_device()
    model.eval().to(device)

    def predict(batch: Batch) -> Outputs:
        inputs: dict[str, Any] = {name: value.to(device) for name, value in batch.inputs.items() if name != "labels"}
        with torch.inference_mode():
            outputs = model(**inputs)
        chosen = tuple(outputs[name].cpu() for name in names)
        return chosen if len(chosen) > 1 else chosen[0]

    return predict


def _with_unit(name: str) -> str:
    for end in ("_low", "_high", "_subject_mean"):
        if name.endswith(end):
            return f"{name.removesuffix(end)}_uv{end}"
    return f"{name}_uv"
