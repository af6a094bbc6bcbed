"""Forecasts without training: last value, mean, autoregressive model; and frequency and phase without training."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from datasets import Dataset
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter, lfiltic

from brant_hf.data import WindowCollator
from brant_hf.modeling_brant import dominant_frequency, instantaneous_phase

from .evaluation import Batch, Method

MAX_TRAINING_WINDOWS = 400
AR_ORDERS = (1, 2, 4, 8, 16, 32, 64)
# The metrics take the phase as the model predicts it, in standard deviations of a uniform phase.
UNIFORM_PHASE_SD = math.pi / math.sqrt(3)

Forecast = Callable[[np.ndarray, int], np.ndarray]


def last_value(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """Contexts (N, samples) to forecasts (N, horizon): the last sample stays."""
    return np.repeat(contexts[:, -1:], horizon, axis=1)


def context_mean(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """Contexts (N, samples) to forecasts (N, horizon): their mean."""
    return np.repeat(contexts.mean(axis=1, keepdims=True), horizon, axis=1)


def autoregressive(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """Contexts (N, samples) to forecasts (N, horizon): an autoregressive model of each context, run on.

    Yule-Walker estimates, which make a stationary model; the order is the one of `AR_ORDERS` with the lowest Akaike
    information criterion.
    """
    contexts = contexts.astype(np.float64)
    means = contexts.mean(axis=1, keepdims=True)
    centred = contexts - means
    covariances = autocovariance(centred, max(order for order in AR_ORDERS if order < contexts.shape[1]))
    forecasts = np.zeros((len(contexts), horizon))
    for forecast, signal, covariance in zip(forecasts, centred, covariances, strict=True):
        if covariance[0] > 0:
            forecast[:] = _run_on(signal, fit_autoregression(covariance, len(signal)), horizon)
    return forecasts + means


def autocovariance(centred: np.ndarray, max_lag: int) -> np.ndarray:
    """Biased autocovariance (N, max_lag + 1) of signals (N, samples) of mean 0."""
    samples = centred.shape[1]
    # Padded to twice the length, so that the end does not meet the beginning.
    spectrum = np.fft.rfft(centred, 2 * samples)
    return np.fft.irfft(np.abs(spectrum) ** 2)[:, : max_lag + 1] / samples


def fit_autoregression(covariance: np.ndarray, samples: int) -> np.ndarray:
    """Coefficients (order,) from the autocovariance (max_lag + 1,) of a signal of `samples` samples."""
    best, best_criterion = np.zeros(1), math.inf
    for order in (order for order in AR_ORDERS if order < len(covariance)):
        # The smallest ridge: the covariances of a pure oscillation make a singular matrix.
        column = covariance[:order] + covariance[0] * 1e-10 * (np.arange(order) == 0)
        coefficients = solve_toeplitz(column, covariance[1 : order + 1])
        innovation = covariance[0] - coefficients @ covariance[1 : order + 1]
        criterion = samples * math.log(max(innovation, 1e-12 * covariance[0])) + 2 * order
        if criterion < best_criterion:
            best, best_criterion = coefficients, criterion
    return best


def _run_on(signal: np.ndarray, coefficients: np.ndarray, horizon: int) -> np.ndarray:
    """The next samples of an autoregressive model without innovations: a recursive filter with no input."""
    denominator = np.concatenate([[1.0], -coefficients])
    state = lfiltic([1.0], denominator, signal[::-1][: len(coefficients)])
    return lfilter([1.0], denominator, np.zeros(horizon), zi=state)[0]


def forecasting_methods(horizon: int) -> list[Method]:
    """Baselines for `ForecastingMetrics`."""
    forecasts: dict[str, Forecast] = {
        "last value": last_value,
        "mean of the context": context_mean,
        "autoregressive": autoregressive,
    }
    notes = {"autoregressive": "Yule-Walker on each context and channel, order by AIC"}
    return [
        Method(name, _predict_signal(forecast, horizon), note=notes.get(name, ""))
        for name, forecast in forecasts.items()
    ]


def training_frequency(train: Dataset, collator: WindowCollator) -> float:
    """Median of the dominant frequencies of the training horizons, in cycles per sample."""
    found = []
    for row in range(0, len(train), max(len(train) // MAX_TRAINING_WINDOWS, 1)):
        batch = collator([train[row]])
        found.append(dominant_frequency(batch["labels"][batch["channel_mask"]]).numpy())
    return float(np.median(np.concatenate(found)))


def frequency_phase_methods(horizon: int, seed: int = 0) -> list[Method]:
    """Baselines for `FrequencyPhaseMetrics`, without training."""
    return [
        Method("context frequency, random phase", _random_phase(horizon, seed)),
        Method("context frequency, constant phase", _constant_phase(horizon)),
        Method(
            "oscillation runs on", _oscillation(horizon), note="the strongest oscillation of the context, in phase"
        ),
        Method("autoregressive", _autoregressive_phase(horizon), note="frequency and phase of its forecast"),
    ]


def one_frequency_method(train: Dataset, collator: WindowCollator, horizon: int) -> Method:
    """Baseline for `FrequencyPhaseMetrics`: the frequency of the training windows for every channel."""
    note = "the median of the training horizons, and an oscillation of it that begins at phase 0"
    predict = _one_frequency(horizon, training_frequency(train, collator))
    return Method("one frequency for all", predict, 1, note)


def _predict_signal(forecast: Forecast, horizon: int) -> Callable[[Batch], torch.Tensor]:
    return lambda batch: batch.scatter(forecast(_contexts(batch), horizon))


def _contexts(batch: Batch) -> np.ndarray:
    """Contexts (N, samples) of the real channels."""
    return batch.inputs["input_values"][batch.real].numpy()


def _random_phase(horizon: int, seed: int) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        contexts = _contexts(batch)
        generator = np.random.default_rng([seed, *batch.rows])
        return _outputs(batch, _frequency(contexts), generator.uniform(-np.pi, np.pi, (len(contexts), horizon)))

    return predict


def _constant_phase(horizon: int) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        contexts = _contexts(batch)
        return _outputs(batch, _frequency(contexts), np.zeros((len(contexts), horizon)))

    return predict


def _oscillation(horizon: int) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        contexts = _contexts(batch)
        frequency = _frequency(contexts)
        samples = contexts.shape[1]
        rotation = np.exp(-2j * np.pi * frequency[:, None] * np.arange(samples))
        start = np.angle((contexts * rotation).sum(axis=1))
        ahead = samples + np.arange(horizon)
        return _outputs(batch, frequency, start[:, None] + 2 * np.pi * frequency[:, None] * ahead)

    return predict


def _one_frequency(horizon: int, frequency: float) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        channels = len(_contexts(batch))
        phase = np.tile(2 * np.pi * frequency * np.arange(horizon), (channels, 1))
        return _outputs(batch, np.full(channels, frequency), phase)

    return predict


def _autoregressive_phase(horizon: int) -> Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]:
    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        contexts = _contexts(batch)
        # Its mean is a frequency of 0, which the horizon of a filtered signal does not have.
        forecast = torch.as_tensor(autoregressive(contexts, horizon))
        forecast = forecast - forecast.mean(dim=1, keepdim=True)
        return _outputs(batch, dominant_frequency(forecast).numpy(), instantaneous_phase(forecast).numpy())

    return predict


def _frequency(contexts: np.ndarray) -> np.ndarray:
    """Dominant frequency (N,) of the contexts in cycles per sample."""
    return dominant_frequency(torch.as_tensor(contexts)).numpy()


def _outputs(batch: Batch, frequency: np.ndarray, phase: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return batch.scatter(frequency), batch.scatter(phase / UNIFORM_PHASE_SD)
