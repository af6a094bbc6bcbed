"""Imputation without training: interpolation between the observed samples of each channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from datasets import Dataset
from scipy.interpolate import CubicSpline
from scipy.linalg import solve_toeplitz, solveh_banded

from brant_hf.data import WindowCollator

from .evaluation import Batch, Method
from .forecasting import MAX_TRAINING_WINDOWS, autocovariance

ORDER = 64
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


def mean_precision(train: Dataset, collator: WindowCollator) -> np.ndarray:
    """Inverse covariance (ORDER + 1,) of a sample and those after it, in an autoregressive model of the training set.

    The model has the mean autocovariance of the training channels.
    """
    rows = range(0, len(train), max(len(train) // MAX_TRAINING_WINDOWS, 1))
    covariance, channels = np.zeros(ORDER + 1), 0
    for row in rows:
        batch = collator([train[row]])
        signals = batch["labels"][batch["channel_mask"]].numpy().astype(np.float64)
        covariance += autocovariance(signals, ORDER).sum(axis=0)
        channels += len(signals)
    covariance /= max(channels, 1)
    covariance[0] *= 1 + 1e-6
    error_filter = np.concatenate([[1.0], -solve_toeplitz(covariance[:-1], covariance[1:])])
    innovation = error_filter @ covariance
    return np.correlate(error_filter, error_filter, "full")[ORDER:] / innovation


def conditional_mean(values: np.ndarray, observed: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """One channel (samples,) with its missing samples as a Gaussian process with this precision expects them.

    No linear predictor that knows which samples are missing has a smaller squared error, if the process is right
    (Janssen et al. 1986, "Adaptive interpolation of discrete-time signals that can be modeled as autoregressive").
    """
    missing = np.flatnonzero(~observed)
    if not len(missing):
        return values
    known = np.where(observed, values, 0).astype(np.float64)
    pull = np.convolve(known, np.concatenate([precision[:0:-1], precision]), "same")[missing]
    band = np.zeros((len(precision), len(missing)))
    for row in range(min(len(precision), len(missing))):
        distance = missing[row:] - missing[: len(missing) - row]
        near = distance < len(precision)
        band[row, : len(distance)][near] = precision[distance[near]]
    filled = known
    filled[missing] = -solveh_banded(band, pull, lower=True)
    return filled


def linear_predictor_method(train: Dataset, collator: WindowCollator) -> Method:
    """Baseline for `ImputationMetrics`: the linear predictor for the mean spectrum of the training windows."""
    precision = mean_precision(train, collator)
    note = (
        "conditional mean of a Gaussian process with the mean spectrum of the training windows: no linear predictor "
        "for that spectrum has a smaller squared error"
    )
    return Method("linear predictor", _predict(partial(conditional_mean, precision=precision)), ORDER, note)


def imputation_methods() -> list[Method]:
    """Baselines for `ImputationMetrics`, without training."""
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
