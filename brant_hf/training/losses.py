"""Losses other than those of the models, as `compute_loss_func` of `Trainer`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers.modeling_outputs import ModelOutput

from ..data.windows import IGNORED_LABEL
from ..modeling_brant import dominant_frequency, instantaneous_phase
from .metrics.base import real_channels
from .metrics.signals import UNIFORM_PHASE_SD


class WeightedDetectionLoss:
    """Cross-entropy with class weights, or focal loss (Lin et al., ICCV 2017), over patches with a label.

    Parameters
    ----------
    class_weights : tuple[float, float] or None
        Weight of background and of seizure patches; equal when `None`. The loss is the weighted mean, as in
        `torch.nn.CrossEntropyLoss`.
    focal_gamma : float
        Exponent of the focal loss; 0 is plain cross-entropy.
    """

    def __init__(self, class_weights: tuple[float, float] | None = None, focal_gamma: float = 0.0):
        if class_weights is not None and min(class_weights) <= 0:
            raise ValueError(f"class weights are {class_weights}; they must be greater than 0")
        if focal_gamma < 0:
            raise ValueError(f"focal_gamma is {focal_gamma}; it must be 0 or more")
        self.class_weights = class_weights
        self.focal_gamma = focal_gamma

    def __call__(self, outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """Loss of `outputs.logits` (B, C, L, 2) for `labels` (B, C, L), -100 ignored."""
        logits, labels = outputs["logits"].float().flatten(0, 2), labels.flatten()
        known = labels != IGNORED_LABEL
        target = labels.clamp(min=0)
        log_probability = nn.functional.log_softmax(logits, dim=-1).gather(1, target[:, None])[:, 0]
        weight = known.float()
        if self.class_weights is not None:
            weight = weight * logits.new_tensor(self.class_weights)[target]
        losses = -((1 - log_probability.exp()) ** self.focal_gamma) * log_probability
        # Not below a tiny number: a batch without any label gives 0, with a gradient.
        return (weight * losses).sum() / weight.sum().clamp(min=torch.finfo(torch.float32).tiny)


class FrequencyPhaseLoss:
    """Absolute error of the frequency [0.01 cycles per sample] plus one minus the phase-locking value.

    The squared error of the model has its minimum at the mean phase, which is almost a constant where the phase is
    uncertain, and its frequency term, in squared cycles per sample, is thousands of times smaller than that of the
    phase. Here both are of the order of one for predictions in the range of the targets.
    """

    def __call__(self, outputs: ModelOutput, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """Loss of `outputs.frequency` (B, C) and `outputs.phase` (B, C, T) for the horizon `labels` (B, C, T)."""
        real = real_channels(labels)
        future = labels.float()[real]
        frequency, phase = outputs["frequency"].float()[real], outputs["phase"].float()[real]
        difference = phase * UNIFORM_PHASE_SD - instantaneous_phase(future)
        # The smallest addend keeps the gradient finite where there is no locking at all.
        locking = (difference.cos().mean(dim=-1) ** 2 + difference.sin().mean(dim=-1) ** 2 + 1e-6).sqrt()
        error = (frequency - dominant_frequency(future)).abs() * 100
        return (error + 1 - locking).sum() / max(len(locking), 1)


def parse_class_weights(text: str | None, label_arrays: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """Class weights from an argument.

    Parameters
    ----------
    text : str or None
        `None`; `"balanced"`, inverse to the number of patches of each class; `"sqrt"`, the square root of that, which
        helps rare seizures with fewer false alarms; or two numbers such as `"1,5"`.
    label_arrays : Iterable[np.ndarray]
        Labels of the training windows, for the first two.

    Raises
    ------
    ValueError
        Anything else.
    """
    if text is None:
        return None
    if text in ("balanced", "sqrt"):
        counts = np.zeros(2)
        for labels in label_arrays:
            counts += [(labels == 0).sum(), (labels == 1).sum()]
        weights = counts.sum() / np.maximum(2 * counts, 1)
        weights = np.sqrt(weights) if text == "sqrt" else weights
        return float(weights[0]), float(weights[1])
    try:
        background, seizure = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--class_weights is {text!r}; give balanced, sqrt, or two numbers such as 1,5") from None
    return background, seizure
