"""Runs a model over all windows of a recording."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data.windows import (
    Normalizer,
    WindowPlan,
    average_overlaps,
    num_samples,
    prefetch,
    window_batches,
    windows_per_batch,
)

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig
    from ..data import PreprocessedRecording


def plan_windows(prepared: PreprocessedRecording, extractor: Normalizer, overlap: float) -> WindowPlan:
    """Return the windows of a recording for the model that `extractor` belongs to."""
    num_patches = math.ceil(num_samples(prepared) / extractor.patch_length)
    return WindowPlan.of(num_patches, extractor.num_patches, overlap)


def patch_times(num_patches: int, patch_s: float) -> np.ndarray:
    """Centre of each patch [s], `(patches,)`."""
    return (np.arange(num_patches) + 0.5) * patch_s


def check_extractor(extractor: Any, config: BrantConfig) -> None:
    """Raise a `ValueError` unless `extractor` makes windows for a model with this configuration."""
    if extractor is None:
        raise ValueError(
            "a feature extractor is needed, since it holds the normalisation of the checkpoint: pass "
            "feature_extractor=BrantFeatureExtractor.from_pretrained(...)"
        )
    for name in ("sampling_rate", "patch_length", "num_patches"):
        if getattr(extractor, name) != getattr(config, name):
            raise ValueError(
                f"the feature extractor has {name} {getattr(extractor, name)}, the model {getattr(config, name)}; "
                "pass the feature extractor that the model was trained with"
            )


def run_windows(
    prepared: PreprocessedRecording,
    plan: WindowPlan,
    model: torch.nn.Module,
    extractor: Normalizer,
    readout: Callable[[Any], torch.Tensor],
    *,
    batch_size: int,
    progress: bool,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield what a model says of each patch, averaged over the windows that hold it.

    Parameters
    ----------
    prepared : PreprocessedRecording
        The recording with its preprocessing settled.
    plan : WindowPlan
        Its windows.
    model : torch.nn.Module
        A Brant model; in evaluation mode while this runs.
    extractor : Normalizer
        Its feature extractor.
    readout : Callable[[Any], torch.Tensor]
        Takes from the output of `model` what is wanted, `(windows, channels, patches, ...)`.
    batch_size : int
        Most windows of a forward pass.
    progress : bool
        Show a progress bar on standard error.

    Yields
    ------
    tuple[int, np.ndarray]
        First patch and values `(channels, patches, ...)` float32 of consecutive stretches of the recording. Patches
        that miss more than half of their samples are 0.
    """
    windows = _forward(prepared, plan, model, extractor, readout, batch_size)
    patch_s = extractor.patch_length / prepared.sampling_rate
    with _evaluating(model), _progress_bar(prepared.recording.name, plan.num_patches, patch_s, progress) as bar:
        for start, values in average_overlaps(windows, plan):
            bar.update(values.shape[1])
            yield start, values


def _forward(
    prepared: PreprocessedRecording,
    plan: WindowPlan,
    model: torch.nn.Module,
    extractor: Normalizer,
    readout: Callable[[Any], torch.Tensor],
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Values of each window, in order."""
    device = next(model.parameters()).device
    size = windows_per_batch(batch_size, len(prepared.channel_names), plan.window_patches, device.type)
    for batch in prefetch(window_batches(prepared, plan, extractor, size)):
        mask = batch.channel_mask()
        with torch.inference_mode():
            outputs = model(
                input_values=torch.from_numpy(batch.input_values).to(device),
                channel_mask=None if mask is None else torch.from_numpy(mask).to(device),
            )
            values = readout(outputs).float().cpu().numpy()
        if batch.missing is not None:
            values[batch.missing] = 0
        yield from values


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _progress_bar(name: str, num_patches: int, patch_s: float, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=num_patches,
        unit_scale=patch_s,
        desc=name,
        disable=not shown,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of recording [{elapsed}<{remaining}]",
    )
