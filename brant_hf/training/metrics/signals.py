"""Metrics of the tasks whose outputs are signals: forecasting, frequency-phase forecasting and imputation."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...modeling_brant import dominant_frequency, instantaneous_phase
from .base import Outputs, WindowMetrics, accumulation_dtype, defined, real_channels

if TYPE_CHECKING:
    from ...configuration_brant import BrantConfig

# Targets nearer to 0 count as this far from it in the relative error, as in torchmetrics.
SMALLEST_TARGET = 1.17e-6
# Standard deviation of a phase that is uniform between -pi and pi.
UNIFORM_PHASE_SD = math.pi / math.sqrt(3)


class SumMetrics(WindowMetrics):
    """Metrics that follow from sums over windows, which `reduce` returns as (B, S)."""

    def _is_reduced(self, predictions: Outputs, labels: torch.Tensor) -> bool:
        return isinstance(predictions, torch.Tensor) and predictions.ndim == 2

    def _record(self, reduced: torch.Tensor, labels: torch.Tensor, first_window: int) -> np.ndarray:
        return reduced.detach().cpu().numpy().astype(np.float64)

    def _pooled(self, records: np.ndarray, num_windows: int) -> dict[str, float]:
        sums = records.sum(axis=0)
        if not sums[0]:
            raise ValueError(f"none of {num_windows} windows has a sample to measure; every label is -100 or observed")
        return {name: float(value) for name, value in self._from_sums(sums).items()}

    def _subject_metrics(self, records: np.ndarray, owners: np.ndarray, count: int) -> list[dict[str, Any]]:
        return [defined(self._from_sums(sums)) for sums in _sums_of_subjects(records, owners, count)]

    def _resampled(self, records: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(invalid="ignore"):  # errors of a model that has diverged are infinite
            return self._from_sums(weights @ _sums_of_subjects(records, owners, weights.shape[1]))

    @abstractmethod
    def _from_sums(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics (...) from sums (..., S), the first of which is a count; NaN where it is 0."""


class ForecastingMetrics(SumMetrics):
    """`mae`, `mse`, `rmse` and `mape` of the forecast, in the unit of the labels.

    For the output and the labels of `BrantForForecasting`, both (B, C, prediction_length). A channel whose labels are
    all -100 is padding. `mape` is a fraction, not per cent; it is dominated by samples near 0, of which a signal that
    oscillates around 0 has many.
    """

    def reduce(self, logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """(B, C, prediction_length) to the sums of each window (B, 4): samples, absolute, squared, relative errors."""
        if labels is None:
            return logits
        return _error_sums(logits, labels, real_channels(labels)[..., None].expand_as(labels))

    def _from_sums(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        return _error_metrics(sums)


class ImputationMetrics(SumMetrics):
    """Errors of imputation, in the unit of the labels.

    `missing_mae`, `missing_mse`, `missing_rmse`, `missing_mape` over the missing samples, and the same with `all_`
    over all samples of the completed signal. For the outputs `(reconstruction, imputed_values)` and the labels of
    `BrantForImputation`, all (B, C, T). A channel whose labels are all -100 is padding. `Trainer` passes no observed
    mask, but the outputs tell: `imputed_values` is the reconstruction where a sample is missing, and the signal
    itself, that is the label, where it is observed. A missing sample that is reconstructed to the last bit is taken
    for an observed one, which leaves its error of 0 out.
    """

    def reduce(self, logits: tuple[torch.Tensor, ...], labels: torch.Tensor | None) -> Outputs:
        """Two tensors (B, C, T) to the sums of each window (B, 8).

        Samples, absolute, squared and relative errors, of the missing samples and of all.
        """
        if labels is None:
            return logits
        reconstruction, imputed_values = logits
        real = real_channels(labels)[..., None].expand_as(labels)
        # In the precision of the imputed values: observed ones may have been rounded on the way through the model.
        missing = real & (imputed_values == reconstruction) & (imputed_values != labels.to(imputed_values.dtype))
        sums = [_error_sums(imputed_values, labels, counted) for counted in (missing, real)]
        return torch.cat(sums, dim=-1)

    def _from_sums(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        parts = {"missing": sums[..., :4], "all": sums[..., 4:]}
        return {
            f"{part}_{name}": values for part, each in parts.items() for name, values in _error_metrics(each).items()
        }


class FrequencyPhaseMetrics(SumMetrics):
    """`plv`, `frequency_mae` in cycles per sample (as published) and `frequency_mae_hz`.

    For the outputs `(frequency, phase)` and the labels of `BrantForFrequencyPhaseForecasting`. The true frequency and
    phase are computed from the labels as in the model. The phase-locking value of a channel is the length of the mean
    over time of `exp(i (predicted - true phase))`, and `plv` its mean over channels: 1 for a constant difference, near
    0 without any relation.

    The model predicts a phase that is z-scored over the horizon. It is scaled back by the standard deviation of a
    uniform phase, pi / sqrt(3), and not by that of the label, so that nothing of the future is used; the mean makes no
    difference.

    Parameters
    ----------
    subjects : Sequence[str] or None
        See `WindowMetrics`.
    config : BrantConfig or None
        Of the model; tells the sampling rate.
    sampling_rate : float or None
        Of the signals [Hz], where there is no `config`. Without both, `frequency_mae_hz` is left out.
    **kwargs : Any
        See `WindowMetrics`.
    """

    def __init__(
        self,
        subjects: Sequence[str] | None = None,
        *,
        config: BrantConfig | None = None,
        sampling_rate: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(subjects, **kwargs)
        if sampling_rate is not None and not 0 < sampling_rate < math.inf:
            raise ValueError(f"sampling_rate is {sampling_rate}; give the sampling rate of the signals in Hz")
        self.sampling_rate = sampling_rate
        if config is not None:
            self.check(config)
            self.sampling_rate = config.sampling_rate

    def check(self, config: BrantConfig) -> None:
        """Refuse a model for signals of another sampling rate."""
        if self.sampling_rate not in (None, config.sampling_rate):
            raise ValueError(
                f"sampling_rate is {self.sampling_rate:g} Hz, and the model has {config.sampling_rate:g} Hz; give "
                "config=model.config instead"
            )

    def reduce(self, logits: tuple[torch.Tensor, ...], labels: torch.Tensor | None) -> Outputs:
        """Frequency (B, C) and phase (B, C, prediction_length) to the sums of each window (B, 3).

        Channels, phase-locking values, absolute frequency errors.
        """
        if labels is None:
            return logits
        frequency, phase = logits
        future, real = labels.float(), real_channels(labels)
        difference = phase.float() * UNIFORM_PHASE_SD - instantaneous_phase(future)
        locking = torch.hypot(difference.cos().mean(dim=-1), difference.sin().mean(dim=-1))
        error = (frequency.float() - dominant_frequency(future)).abs()
        sums = [_masked_sum(values, real) for values in (torch.ones_like(error), locking, error)]
        return torch.stack(sums, dim=-1)

    def _from_sums(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        locking, error = _means(sums)
        in_hz = {} if self.sampling_rate is None else {"frequency_mae_hz": error * self.sampling_rate}
        return {"plv": locking, "frequency_mae": error, **in_hz}


def _error_sums(predicted: torch.Tensor, target: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Return the sums (B, 4) over the samples that are `counted`.

    Their number, absolute, squared and relative errors.
    """
    target = target.float()
    error = (predicted.float() - target).abs()
    relative = error / target.abs().clamp(min=SMALLEST_TARGET)
    values = torch.ones_like(error), error, error.square(), relative
    return torch.stack([_masked_sum(each, counted) for each in values], dim=-1)


def _masked_sum(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Return the sums (B,) of `values` (B, ...) that are counted.

    What stands in others, NaN included, does not matter.
    """
    kept = torch.where(counted, values, 0)
    return kept.flatten(1).sum(dim=1, dtype=accumulation_dtype(values.device))


def _error_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
    absolute, squared, relative = _means(sums)
    return {"mae": absolute, "mse": squared, "rmse": np.sqrt(squared), "mape": relative}


def _means(sums: np.ndarray) -> np.ndarray:
    """Return the sums (..., S), a count first, to means (S - 1, ...)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.moveaxis(sums[..., 1:] / sums[..., :1], -1, 0)


def _sums_of_subjects(records: np.ndarray, owners: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((count, records.shape[1]))
    np.add.at(sums, owners, records)
    return sums
