"""Rows of a dataset to batches of tensors, one collator for each task.

Rows hold microvolts. `normalize`, as a rule the `normalize_signal` method of the model's feature extractor, is applied
here, so that one prepared dataset serves every normalisation. `from_pretrained` makes a collator that suits a
checkpoint:

```python
collator = SeizureDetectionCollator.from_pretrained("you/your-checkpoint")
```

Rows may differ in their number of channels; a batch is
padded with zeros to the largest, and `channel_mask` says which channels are real. Labels are padded with -100, which
`Trainer` uses too when it joins batches, so that metrics can tell padding without a mask.

Random choices (masks, channel subsets) are drawn for each window from `seed`, the epoch and the content of the window,
so that neither the batch size nor the number of processes, the workers of a `DataLoader`, nor the batches that a
resumed `Trainer` skips without collating them change them.

The epoch is told by `set_epoch`, which the callback of `epoch_callback` does for `Trainer`:

```python
trainer = Trainer(..., data_collator=collator, callbacks=[epoch_callback(collator)])
```

`Trainer` does not tell a collator its epoch by itself: without the callback, a window gets the same choices each time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch

from ...user_warnings import warn
from ..windows import IGNORED_LABEL
from .masks import mask_blocks, mask_patches, mask_points

if TYPE_CHECKING:
    from ...configuration_brant import BrantConfig
    from ...feature_extraction_brant import BrantFeatureExtractor

Normalize = Callable[[np.ndarray], np.ndarray]
Batch = dict[str, torch.Tensor]

DIGEST_SAMPLES = 64
# A row of a stream that is read again and again says in which pass it is, see `brant_hf.training.streaming`.
PASS_COLUMN = "pass"
# Stands for the epoch while a model is evaluated, so that every evaluation hides the same samples.
EVALUATION_EPOCH = 2**31
# No normalisation of the feature extractor leaves most channels of a batch with a larger standard deviation.
LARGEST_NORMALIZED_SD = 5.0


@dataclass
class _Window:
    signal: np.ndarray  # (channels, samples) float32 in microvolts, possibly a read-only view of a file
    labels: np.ndarray | None  # (channels, patches)
    missing: np.ndarray | None  # (channels, samples) bool, None where nothing is missing
    rng: np.random.Generator  # source of its random choices

    def select(self, channels: np.ndarray) -> _Window:
        return replace(
            self,
            signal=self.signal[channels],
            labels=None if self.labels is None else self.labels[channels],
            missing=None if self.missing is None else self.missing[channels],
        )

    def until(self, sample: int) -> _Window:
        patches = None if self.labels is None else sample * self.labels.shape[1] // self.signal.shape[1]
        return replace(
            self,
            signal=self.signal[:, :sample],
            labels=None if self.labels is None else self.labels[:, :patches],
            missing=None if self.missing is None else self.missing[:, :sample],
        )


@dataclass(kw_only=True)
class WindowCollator:
    """`input_values` (B, C, T) float32 and `channel_mask` (B, C) bool, for any model without targets.

    Missing samples (NaN) become 0.

    Attributes
    ----------
    normalize : Normalize or None
        From one signal `(channels, samples)` in microvolts to its normalised form of the same shape.
    max_channels : int or None
        Windows with more channels are cut to a random subset of this many, in their order.
    seed : int
        Seed of all random choices.
    cut_to_shortest : bool
        Cut the windows of a batch at the end to the shortest of them, where `False` is an error.
    """

    normalize: Normalize | None = None
    max_channels: int | None = None
    seed: int = 0
    cut_to_shortest: bool = False
    # Shared with the workers of a DataLoader, also with those that outlive an epoch.
    _epoch: torch.Tensor = field(
        default_factory=lambda: torch.zeros((), dtype=torch.int64).share_memory_(), init=False, repr=False
    )
    _was_used: bool = field(default=False, init=False, repr=False)

    @classmethod
    def from_pretrained(
        cls, checkpoint: str | os.PathLike | None = None, *, revision: str | None = None, **options: Any
    ) -> Self:
        """Make a collator for a checkpoint: its patches, masks and horizon, and the normalisation of its training.

        Parameters
        ----------
        checkpoint : str, os.PathLike or None
            Folder, or id of a model on the Hub; the shipped checkpoint if `None`.
        revision : str or None
            Commit, branch or tag on the Hub.
        **options : Any
            Attributes of the collator, which go before those of the checkpoint.

        Raises
        ------
        OSError
            There is no such checkpoint.
        ValueError
            It is none of Brant, or has no feature extractor.
        """
        from ...checkpoints import load_feature_extractor, read_config
        from ...configuration_brant import BrantConfig

        config = BrantConfig.from_dict(read_config(checkpoint, revision=revision))
        return cls.from_config(config, load_feature_extractor(checkpoint, revision=revision), **options)

    @classmethod
    def from_config(cls, config: BrantConfig, feature_extractor: BrantFeatureExtractor | None, **options: Any) -> Self:
        """Make a collator for a model with this configuration and feature extractor; `options` go before both.

        The feature extractor is `None` where `options` have `normalize`, or the rows are normalised already.
        """
        normalize = None if feature_extractor is None else feature_extractor.normalize_signal
        return cls(**{**cls._fields_of(config), "normalize": normalize, **options})

    @staticmethod
    def _fields_of(config: BrantConfig) -> dict[str, Any]:
        """Attributes that a configuration decides."""
        return {}

    def __post_init__(self) -> None:
        if self.max_channels is not None and self.max_channels < 1:
            raise ValueError(f"max_channels is {self.max_channels}; it must be 1 or more")

    def set_epoch(self, epoch: int) -> None:
        """Draw other random choices for windows that already came in another epoch."""
        self._epoch.fill_(epoch)

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Batch:
        """Collate rows that have `input_values`, and `labels` where the task needs them.

        Raises
        ------
        ValueError
            Rows with different numbers of samples, or without what the task needs.
        """
        windows = self._usable([self._cap(self._read(row)) for row in features])
        lengths = sorted({window.signal.shape[1] for window in windows})
        if len(lengths) > 1 and self.cut_to_shortest:
            windows = [window.until(lengths[0]) for window in windows]
        elif len(lengths) > 1:
            raise ValueError(
                f"windows of one batch must have the same number of samples, these have {lengths}; "
                "prepare the dataset with remainder='drop', or collate windows of one length at a time"
            )
        batch = self._collate(windows)
        if self.normalize is None and not self._was_used:
            _warn_of_microvolts(batch)
        self._was_used = True
        return batch

    def _usable(self, windows: list[_Window]) -> list[_Window]:
        return windows

    def _collate(self, windows: list[_Window]) -> Batch:
        return {
            "input_values": _pad([self._normalized(window) for window in windows]),
            "channel_mask": _channel_mask(windows),
        }

    def _read(self, row: Mapping[str, Any]) -> _Window:
        signal = np.asarray(row["input_values"], np.float32)
        if signal.ndim != 2:
            raise ValueError(f"input_values has shape {signal.shape}; expected (channels, samples)")
        labels = row.get("labels")
        # A sum is NaN when a sample is, and is the fastest way to look at all of them.
        missing = np.isnan(signal) if np.isnan(signal.sum(axis=1)).any() else None
        content = _content(signal, int(row.get(PASS_COLUMN, 0)))
        rng = np.random.default_rng([self.seed, int(self._epoch), content])
        return _Window(signal, None if labels is None else np.asarray(labels), missing, rng)

    def _cap(self, window: _Window) -> _Window:
        channels = len(window.signal)
        if self.max_channels is None or channels <= self.max_channels:
            return window
        return window.select(np.sort(window.rng.permutation(channels)[: self.max_channels]))

    def _normalized(self, window: _Window) -> np.ndarray:
        """Normalised signal `(channels, samples)` with 0 for missing samples."""
        signal = window.signal
        if window.missing is not None:
            # In place of a missing sample the mean of the channel, which disturbs statistics least.
            count = np.maximum((~window.missing).sum(axis=1, keepdims=True), 1)
            mean = np.where(window.missing, 0, signal).sum(axis=1, keepdims=True) / count
            signal = np.where(window.missing, mean, signal).astype(np.float32)
        if self.normalize is not None:
            signal = self.normalize(signal)
        return signal if window.missing is None else np.where(window.missing, 0, signal)


@dataclass(kw_only=True)
class _CompleteCollator(WindowCollator):
    """For tasks whose target is the signal itself.

    An unknown sample can be no target, so its channel is left out, and the window when no channel is left.
    """

    def _usable(self, windows: list[_Window]) -> list[_Window]:
        complete = [
            each if each.missing is None else each.select(np.logical_not(each.missing.any(axis=1))) for each in windows
        ]
        usable = [replace(each, missing=None) for each in complete if len(each.signal)]
        if not usable:
            raise ValueError(
                "every channel of every window of the batch has missing samples; "
                "prepare the dataset with max_missing=0"
            )
        return usable


@dataclass(kw_only=True)
class PretrainingCollator(_CompleteCollator):
    """`input_values`, `channel_mask` and `bool_masked_pos` (B, C, L) bool, for `BrantForPreTraining`.

    In every window exactly `round(mask_ratio * channels * patches)` cells of its real channels are masked.

    Attributes
    ----------
    mask_ratio : float
        Fraction of the cells (channel, patch) to mask.
    patch_length : int
        Samples of a patch.
    """

    mask_ratio: float = 0.4
    patch_length: int = 1500

    @staticmethod
    def _fields_of(config: BrantConfig) -> dict[str, Any]:
        return {"mask_ratio": config.mask_ratio, "patch_length": config.patch_length}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio(self.mask_ratio)

    def _collate(self, windows: list[_Window]) -> Batch:
        patches = _count_patches(windows[0].signal.shape[1], self.patch_length)
        masks = [mask_patches(each.rng, len(each.signal), patches, self.mask_ratio) for each in windows]
        return super()._collate(windows) | {"bool_masked_pos": _pad(masks)}


@dataclass(kw_only=True)
class ImputationCollator(_CompleteCollator):
    """Batches for `BrantForImputation`.

    `input_values` (missing samples 0), `channel_mask`, `observed_mask` (B, C, T) bool and `labels` (B, C, T), the
    complete signal, -100 in padded channels.

    Attributes
    ----------
    mask_ratio : float
        Fraction of the samples of each channel to hide.
    mask : {"points", "blocks"}
        `"points"` hides single samples, `"blocks"` stretches of `block_length` samples.
    block_length : int
        Samples of a block.
    """

    mask_ratio: float = 0.4
    mask: Literal["points", "blocks"] = "points"
    block_length: int = 250

    @staticmethod
    def _fields_of(config: BrantConfig) -> dict[str, Any]:
        return {"mask_ratio": config.mask_ratio}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio(self.mask_ratio)
        if self.mask not in ("points", "blocks"):
            raise ValueError(f"mask is {self.mask!r}; choose 'points' or 'blocks'")
        if self.block_length < 1:
            raise ValueError(f"block_length is {self.block_length}; it must be 1 or more")

    def _collate(self, windows: list[_Window]) -> Batch:
        batch = super()._collate(windows)
        complete, real = batch["input_values"], batch["channel_mask"]
        observed = _pad([~self._hidden(each) for each in windows])
        return batch | {
            "input_values": complete.masked_fill(~observed, 0),
            "observed_mask": observed,
            "labels": complete.masked_fill(~real[..., None], IGNORED_LABEL),
        }

    def _hidden(self, window: _Window) -> np.ndarray:
        channels, samples = window.signal.shape
        if self.mask == "points":
            return mask_points(window.rng, channels, samples, self.mask_ratio)
        return mask_blocks(window.rng, channels, samples, self.mask_ratio, self.block_length)


@dataclass(kw_only=True)
class ForecastingCollator(_CompleteCollator):
    """Batches for `BrantForForecasting` and `BrantForFrequencyPhaseForecasting`.

    `input_values` (the context), `channel_mask` and `labels` (B, C, prediction_length), the samples that follow, -100
    in padded channels. The horizon is normalised as its context is: with statistics of the context alone, so that
    nothing of the future reaches the input.

    Attributes
    ----------
    prediction_length : int
        Samples to forecast.
    patch_length : int
        Samples of a patch; the context is a whole number of patches.
    context_length : int or None
        Samples of the context, from the beginning of the window; `None` for all samples before the last
        `prediction_length`.
    """

    prediction_length: int = 3000
    patch_length: int = 1500
    context_length: int | None = None

    @staticmethod
    def _fields_of(config: BrantConfig) -> dict[str, Any]:
        return {"prediction_length": config.prediction_length, "patch_length": config.patch_length}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prediction_length < 1:
            raise ValueError(f"prediction_length is {self.prediction_length}; it must be 1 or more")

    def _collate(self, windows: list[_Window]) -> Batch:
        length = windows[0].signal.shape[1]
        context = length - self.prediction_length if self.context_length is None else self.context_length
        if context < 1 or context % self.patch_length or context + self.prediction_length > length:
            raise ValueError(
                f"windows of {length} samples do not hold a context of whole patches of {self.patch_length} samples "
                f"({context} samples) and a horizon of {self.prediction_length}; prepare the dataset with more patches"
            )
        contexts, futures = [], []
        for window in windows:
            before = window.signal[:, :context]
            after = window.signal[:, context : context + self.prediction_length]
            if self.normalize is not None:
                before, after = normalize_with_context(self.normalize, before, after)
            contexts.append(before)
            futures.append(after)
        return {
            "input_values": _pad(contexts),
            "channel_mask": _channel_mask(windows),
            "labels": _pad(futures, fill=IGNORED_LABEL),
        }


@dataclass(kw_only=True)
class SeizureDetectionCollator(WindowCollator):
    """`input_values`, `channel_mask` and `labels` (B, C, L) int64, for `BrantForSeizureDetection`.

    Labels are -100 for padded channels and for patches whose label is not known.
    """

    def _collate(self, windows: list[_Window]) -> Batch:
        if any(window.labels is None for window in windows):
            raise ValueError("a row has no labels; prepare the dataset with labels=True")
        labels = [np.asarray(window.labels, np.int64) for window in windows]
        return super()._collate(windows) | {"labels": _pad(labels, fill=IGNORED_LABEL)}


def epoch_callback(*targets: Any) -> Any:
    """Return a callback for `Trainer` that calls `set_epoch` of collators and of `AugmentedWindows`.

    Without it, a window gets the same masks in each epoch. Between epochs, when `eval_strategy="epoch"` evaluates, the
    number is `EVALUATION_EPOCH`.

    Parameters
    ----------
    *targets : Any
        Objects with a method `set_epoch`.

    Returns
    -------
    transformers.TrainerCallback
    """
    from transformers import TrainerCallback

    class EpochCallback(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # A run that resumes inside of an epoch begins with a fraction; a sum of fractions may miss a whole number.
            self._set(int((state.epoch or 0) + 1e-6))

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._set(EVALUATION_EPOCH)

        @staticmethod
        def _set(epoch: int) -> None:
            for target in targets:
                target.set_epoch(epoch)

    return EpochCallback()


def normalize_with_context(
    normalize: Normalize, context: np.ndarray, future: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normalise `context` and `future`, both `(channels, samples)`, without a statistic of `future`.

    Raises
    ------
    ValueError
        `normalize` neither treats every sample by itself nor shifts and scales each channel.
    """
    normalized = normalize(context)
    probe = context[:, : min(64, context.shape[1] // 2)]
    if np.allclose(normalize(probe), normalized[:, : probe.shape[1]], rtol=1e-4, atol=1e-5):
        return normalized, normalize(future)
    # Statistics of a channel enter as a shift and a scale, which two samples of the context reveal.
    rows = np.arange(len(context))
    low, high = context.argmin(axis=1), context.argmax(axis=1)
    rise = (context[rows, high] - context[rows, low]).astype(np.float64)
    scale = np.where(rise > 0, (normalized[rows, high] - normalized[rows, low]) / np.where(rise > 0, rise, 1), 1.0)
    shift = normalized[rows, low] - scale * context[rows, low]
    if not np.allclose(scale[:, None] * context + shift[:, None], normalized, rtol=1e-3, atol=1e-3):
        raise ValueError(
            "normalize must treat samples one by one, or shift and scale each channel, to be used for forecasting"
        )
    return normalized, (scale[:, None] * future + shift[:, None]).astype(np.float32)


def _content(signal: np.ndarray, number_of_pass: int) -> int:
    """Return a number that stands for a signal and the pass in which it is read."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(np.ascontiguousarray(signal[:, :: max(signal.shape[-1] // DIGEST_SAMPLES, 1)]).tobytes())
    digest.update(number_of_pass.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


def _warn_of_microvolts(batch: Batch) -> None:
    """Warn where most channels of a batch have an amplitude that no normalisation leaves them with."""
    spread = batch["input_values"][batch["channel_mask"]].std(dim=-1).median()
    if spread > LARGEST_NORMALIZED_SD:
        warn(
            f"the standard deviation of a typical channel is {spread:.3g}, as of microvolts, and nothing normalises "
            "it: make the collator with from_pretrained(checkpoint), or give normalize=extractor.normalize_signal"
        )


def _pad(arrays: list[np.ndarray], fill: float = 0) -> torch.Tensor:
    """Arrays `(channels, ...)` that differ in their number of channels, as one tensor."""
    channels = max(len(array) for array in arrays)
    # NumPy asks the system for large pages, with which a fresh batch is written several times faster than torch.empty.
    batch = np.empty((len(arrays), channels, *arrays[0].shape[1:]), arrays[0].dtype)
    for place, array in zip(batch, arrays, strict=True):
        place[: len(array)] = array
        place[len(array) :] = fill
    return torch.from_numpy(batch)


def _channel_mask(windows: list[_Window]) -> torch.Tensor:
    return _pad([np.ones(len(window.signal), bool) for window in windows])


def _count_patches(samples: int, patch_length: int) -> int:
    if samples % patch_length:
        raise ValueError(f"a window of {samples} samples is not a whole number of patches of {patch_length} samples")
    return samples // patch_length


def _check_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"mask_ratio is {ratio}; it must be between 0 and 1")
