"""Imputation without training: interpolation between the observed samples of each channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from .evaluation import Batch, Method

Interpolate = Callable[[np.ndarray, np.ndarray], np.ndarray]


def linear(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """One channel (samples,) with its missing samples on the lines between observed ones.

    Before the first and after the last observed sample, that one stays; without any, all are 0.
    """
    if not observed.any():
        return np.zeros_like(values)
    positions = np.arange(len(values))
    return np.where(observed, values, np.interp(positions, positions[observed], values[observed]))


def cubic(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """One channel (samples,) with its missing samples on a cubic spline through the observed ones.

    A spline runs away beyond its ends, so there, and with fewer than four observed samples, it is as in `linear`; and
    in long gaps, so it is kept within the range of the observed samples.
    """
    filled = linear(values, observed)
    if observed.sum() < 4:
        return filled
    positions = np.flatnonzero(observed)
    inside = slice(positions[0], positions[-1] + 1)
    known = values[observed]
    spline = CubicSpline(positions, known)(np.arange(inside.start, inside.stop)).clip(known.min(), known.max())
    filled[inside] = np.where(observed[inside], values[inside], spline)
    return filled


def imputation_methods() -> list[Method]:
    """Baselines for `ImputationMetrics`."""
    return [
        Method("linear interpolation", _predict(linear)),
        Method(
            "cubic interpolation",
            _predict(cubic),
            note="cubic spline through the observed samples, within their range",
        ),
    ]


def _predict(interpolate: Interpolate) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        values = batch.inputs["input_values"][batch.real].numpy()
        observed = batch.inputs["observed_mask"][batch.real].numpy()
        filled = batch.scatter(np.stack([interpolate(*pair) for pair in zip(values, observed, strict=True)]))
        # The reconstruction and the imputed values: interpolation keeps the observed samples.
        return filled, filled

    return predict
