# Copyright 2026 The brant_hf authors. All rights reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Feature extractor for Brant: microvolts at any sampling rate to model inputs."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin
from transformers.utils import TensorType

from .signal_checks_brant import (
    HIGHEST_PLAUSIBLE_SD,
    LOWEST_PLAUSIBLE_SD,
    check_orientation,
    typical_deviation,
)

NORMALIZATIONS = ("asinh", "zscore", "robust", "none")

# Relative rounding errors of float32, with some room for those of a resampler.
_ROUNDING = 1e-6

# Interquartile range of a normal distribution, in standard deviations.
_NORMAL_IQR = 1.3489795


class BrantFeatureExtractor(FeatureExtractionMixin):
    r"""
    Makes model inputs from intracranial signals: resamples, normalises, pads the last patch and the channels.

    Args:
        sampling_rate (`int` or `float`, *optional*, defaults to 250):
            Sampling rate of the model in Hz, to which signals are resampled.
        patch_length (`int`, *optional*, defaults to 1500):
            Samples of one patch of the model.
        num_patches (`int`, *optional*, defaults to 15):
            Largest number of patches of a window of the model.
        normalize (`str`, *optional*, defaults to `"asinh"`):
            - `"asinh"`: `arcsinh(x / scale)`. Keeps the amplitude, which tells a lot about intracranial signals, and
              tames outliers.
            - `"zscore"`: each channel of a window to mean 0 and standard deviation 1.
            - `"robust"`: each channel of a window to median 0 and the interquartile range of a standard normal
              distribution.
            - `"none"`: microvolts as they are.
        scale (`float`, *optional*, defaults to 50.0):
            Scale of `"asinh"` in microvolts; signals well below it pass nearly unchanged but for the unit.

    Raises:
        ValueError: `normalize` is unknown, or a value is no number greater than 0.
    """

    model_input_names = ["input_values", "channel_mask"]
    _auto_class: Any = "AutoFeatureExtractor"

    def __init__(
        self,
        sampling_rate: int | float = 250,
        patch_length: int = 1500,
        num_patches: int = 15,
        normalize: str = "asinh",
        scale: float = 50.0,
        **kwargs: Any,
    ):
        if normalize not in NORMALIZATIONS:
            raise ValueError(f"`normalize` must be one of {', '.join(NORMALIZATIONS)}, got {normalize!r}.")
        for name, value in (("sampling_rate", sampling_rate), ("scale", scale)):
            if not _is_positive(value, Real):
                raise ValueError(f"`{name}` must be a number, finite and greater than 0, got {value!r}.")
        for name, value in (("patch_length", patch_length), ("num_patches", num_patches)):
            if not _is_positive(value, Integral):
                raise ValueError(f"`{name}` must be a whole number greater than 0, got {value!r}.")
        super().__init__(**kwargs)
        self.sampling_rate = sampling_rate
        self.patch_length = patch_length
        self.num_patches = num_patches
        self.normalize = normalize
        self.scale = scale

    def __call__(
        self,
        signals: np.ndarray | Sequence[np.ndarray],
        sampling_rate: int | float | None = None,
        return_tensors: str | TensorType | None = None,
        return_observed_mask: bool = False,
    ) -> BatchFeature:
        """
        Args:
            signals (`np.ndarray` of shape `(num_channels, num_samples)`, or a list of such arrays):
                Signals in microvolts. The arrays of a list may differ in their number of channels, and in their
                number of samples as long as all give the same number of patches.
            sampling_rate (`int` or `float`):
                Sampling rate of `signals` in Hz.
            return_tensors (`str`, *optional*):
                `"pt"` for torch tensors, `"np"` or nothing for NumPy arrays.
            return_observed_mask (`bool`, *optional*, defaults to `False`):
                Whether to return `observed_mask` too. NaN then means a missing sample; it becomes 0.

        Returns:
            [`BatchFeature`]: A [`BatchFeature`] with the following fields:

            - **input_values** -- float32 of shape `(batch_size, num_channels, num_samples)`.
            - **channel_mask** -- bool of shape `(batch_size, num_channels)`, true for real channels.
            - **observed_mask** -- bool of shape `(batch_size, num_channels, num_samples)`, false for missing and
              padded samples. Returned when `return_observed_mask=True`.

        Raises:
            ValueError: No sampling rate, a signal that is empty, infinite or not of two dimensions, with more channels
                than samples or with amplitudes that no electrode records, NaN without `return_observed_mask`, signals
                with different numbers of patches, or more than `num_patches` patches.
        """
        if not _is_positive(sampling_rate, Real):
            raise ValueError(
                f"`sampling_rate` must be the sampling rate of `signals` in Hz, got {sampling_rate!r}. "
                f"Signals are resampled from it to the {self.sampling_rate} Hz of the model."
            )
        is_batch = isinstance(signals, (list, tuple)) or np.ndim(signals) == 3
        arrays = [_as_float32(signal, index) for index, signal in enumerate(signals if is_batch else [signals])]
        if not arrays:
            raise ValueError("`signals` must hold at least one array (num_channels, num_samples), got none.")
        for index, array in enumerate(arrays):
            _check_signal(array, index, allow_nan=return_observed_mask)
        _check_amplitude(arrays)

        items = []
        for array in arrays:
            observed = ~np.isnan(array)
            array, observed = self._resample(array, observed, sampling_rate)
            items.append((self.normalize_signal(array, observed), observed))

        batch = self._pad(items)
        if not return_observed_mask:
            del batch["observed_mask"]
        return BatchFeature(batch, tensor_type=return_tensors)

    def normalize_signal(self, signal: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Normalise one signal that has the sampling rate of the model.

        Args:
            signal (`np.ndarray` of shape `(num_channels, num_samples)`):
                Signal in microvolts.
            observed (`np.ndarray` of shape `(num_channels, num_samples)`, *optional*):
                False for missing samples, which become 0 and do not enter any statistic.

        Returns:
            `np.ndarray` of the same shape, float32.
        """
        if self.normalize == "none":
            normalized = signal
        elif self.normalize == "asinh":
            normalized = np.arcsinh(signal / self.scale)
        else:
            center, spread = self._statistics(signal if observed is None else np.where(observed, signal, np.nan))
            # A constant channel has no spread but that of rounding; it becomes 0.
            is_constant = spread <= _ROUNDING * np.abs(center)
            normalized = np.where(is_constant, 0, (signal - center) / np.where(is_constant, 1, spread))
        if observed is not None:
            normalized = np.where(observed, normalized, 0)
        return np.asarray(normalized, dtype=np.float32)

    def to_microvolts(self, values: np.ndarray) -> np.ndarray:
        """Undo the normalisation, for the outputs of a model.

        Args:
            values (`np.ndarray`):
                Normalised values, any shape.

        Returns:
            `np.ndarray` of the same shape, in microvolts.

        Raises:
            ValueError: `normalize` is `"zscore"` or `"robust"`, whose statistics belong to a window.
        """
        if self.normalize not in ("asinh", "none"):
            raise ValueError(
                f'Microvolts can be restored with normalize "asinh" or "none", got {self.normalize!r}: its mean and '
                "spread belong to one window and are not kept."
            )
        return np.asarray(values) if self.normalize == "none" else np.sinh(values) * self.scale

    def _statistics(self, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Center and spread of each channel, each of shape (num_channels, 1); NaN does not count."""
        # A channel without any observed sample has no statistics.
        signal = np.where(np.isnan(signal).all(axis=-1, keepdims=True), 0, signal.astype(np.float64))
        if self.normalize == "zscore":
            return np.nanmean(signal, axis=-1, keepdims=True), np.nanstd(signal, axis=-1, keepdims=True)
        low, center, high = np.nanquantile(signal, (0.25, 0.5, 0.75), axis=-1, keepdims=True)
        return center, (high - low) / _NORMAL_IQR

    def _resample(
        self, signal: np.ndarray, observed: np.ndarray, sampling_rate: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Resample to the rate of the model; a sample made from any missing sample is missing."""
        # A filter would smear NaN over the whole signal.
        if not observed.all():
            signal = _interpolate(signal, observed)
        if sampling_rate == self.sampling_rate:
            return signal, observed

        # Imported here: signals at the rate of the model need no resampler.
        import soxr

        # The least aliasing and the fastest of three resamplers, see examples/benchmarks/resampling.py.
        # Without its mean the signal has no step at its ends, where the filter sees zeros.
        offset = signal.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        resampled = soxr.resample((signal - offset).T, sampling_rate, self.sampling_rate, quality="HQ").T + offset
        if resampled.shape[-1] == 0:
            raise ValueError(
                f"A signal of {signal.shape[-1]} samples at {sampling_rate:g} Hz is shorter than one sample at the "
                f"{self.sampling_rate:g} Hz of the model. Pass longer signals, or the right `sampling_rate`."
            )
        if observed.all():
            return resampled, np.ones(resampled.shape, dtype=bool)
        return resampled, _resample_mask(observed, resampled.shape[-1], sampling_rate / self.sampling_rate)

    def _pad(self, items: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
        num_patches = [-(-values.shape[-1] // self.patch_length) for values, _ in items]
        if len(set(num_patches)) > 1:
            raise ValueError(
                f"All signals of a batch must give the same number of patches of {self.patch_length} samples at "
                f"{self.sampling_rate} Hz, got {num_patches}. Cut them to one length or call once for each length."
            )
        if num_patches[0] > self.num_patches:
            raise ValueError(
                f"A window has at most {self.num_patches} patches "
                f"({self.num_patches * self.patch_length / self.sampling_rate:g} s), got {num_patches[0]} patches "
                f"({items[0][0].shape[-1] / self.sampling_rate:g} s). Cut longer signals into windows."
            )
        num_channels = max(values.shape[0] for values, _ in items)
        shape = (len(items), num_channels, num_patches[0] * self.patch_length)
        input_values = np.zeros(shape, dtype=np.float32)
        observed_mask = np.zeros(shape, dtype=bool)
        channel_mask = np.zeros(shape[:2], dtype=bool)
        for index, (values, observed) in enumerate(items):
            channels, samples = values.shape
            input_values[index, :channels, :samples] = values
            observed_mask[index, :channels, :samples] = observed
            channel_mask[index, :channels] = True
        return {"input_values": input_values, "channel_mask": channel_mask, "observed_mask": observed_mask}


def _is_positive(value: Any, kind: Any) -> TypeGuard[float]:
    return isinstance(value, kind) and not isinstance(value, bool) and bool(0 < value < np.inf)


def _as_float32(signal: Any, index: int) -> np.ndarray:
    if hasattr(signal, "detach"):  # a torch tensor, of any precision and with or without gradients
        signal = signal.detach().cpu().float()
    signal = np.ma.filled(signal, np.nan) if np.ma.isMaskedArray(signal) else np.asarray(signal)
    if signal.dtype.kind not in "fiub":
        raise ValueError(
            f"Signal {index} must be an array of real numbers, got {signal.dtype} of shape {signal.shape}. What "
            "`preprocess(recording).read_all()` of `brant_hf.data` makes of a recording is one."
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite and is refused as such
        return signal.astype(np.float32)


def _check_signal(signal: np.ndarray, index: int, allow_nan: bool) -> None:
    if signal.ndim != 2:
        raise ValueError(
            f"Signal {index} must have 2 dimensions (num_channels, num_samples), got shape {signal.shape}. A single "
            "channel is `signal[None]`; a batch is a list of such arrays."
        )
    if signal.size == 0:
        raise ValueError(f"Signal {index} is empty: shape {signal.shape}. Pass at least one channel and one sample.")
    check_orientation(signal.shape, f"Signal {index}")
    if np.isinf(signal).any():
        raise ValueError(
            f"Signal {index} has infinite values in {int(np.isinf(signal).any(axis=-1).sum())} channels. Replace "
            "them, or set them to NaN and pass `return_observed_mask=True`."
        )
    if not allow_nan and np.isnan(signal).any():
        raise ValueError(
            f"Signal {index} has NaN in {int(np.isnan(signal).any(axis=-1).sum())} channels. Pass "
            "`return_observed_mask=True` to treat them as missing samples, or replace them."
        )


def _check_amplitude(signals: list[np.ndarray]) -> None:
    """Refuse or tell of signals that are not in microvolts."""
    for index, signal in enumerate(signals):
        median = typical_deviation([signal])
        if median is not None and median > HIGHEST_PLAUSIBLE_SD:
            raise ValueError(
                f"Signal {index} has channels with a median standard deviation of {median:.3g} microvolts, which no "
                "electrode records. Pass microvolts."
            )
        if median is not None and median < LOWEST_PLAUSIBLE_SD:
            warnings.warn(
                f"Signal {index} has channels with a median standard deviation of only {median:.3g} microvolts. If "
                "it is in volts or millivolts, multiply it by 1e6 or 1e3.",
                stacklevel=3,
            )


def _interpolate(signal: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Fill missing samples linearly, or with 0 where a channel has no observed sample."""
    filled = np.zeros_like(signal)
    positions = np.arange(signal.shape[-1])
    for channel, (values, mask) in enumerate(zip(signal, observed, strict=True)):
        if mask.any():
            filled[channel] = np.interp(positions, positions[mask], values[mask])
    return filled


def _resample_mask(observed: np.ndarray, num_samples: int, step: float) -> np.ndarray:
    """Observed mask at another sampling rate: a new sample is observed when all samples next to it are.

    Args:
        observed (`np.ndarray` of shape `(num_channels, old_samples)`):
            Mask at the old rate.
        num_samples (`int`):
            Number of new samples.
        step (`float`):
            Old samples for each new one.
    """
    centers = np.arange(num_samples) * step
    reach = max(step / 2, 1 / 2)
    first = np.clip(np.floor(centers - reach + 1e-6).astype(int), 0, observed.shape[-1] - 1)
    stop = np.clip(np.ceil(centers + reach - 1e-6).astype(int) + 1, first + 1, observed.shape[-1])
    missing_before = np.concatenate(
        [np.zeros((len(observed), 1), dtype=int), np.cumsum(~observed, axis=-1, dtype=int)], axis=-1
    )
    return missing_before[:, stop] == missing_before[:, first]


__all__ = ["BrantFeatureExtractor"]
