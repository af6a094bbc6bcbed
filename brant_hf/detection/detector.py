"""The detector: a model run over all windows of a recording."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..checkpoints import load_detector, load_feature_extractor, refuse
from ..data.preprocessing.chain import Preprocessing, preprocess
from ..data.recordings import open_recording
from ..data.windows import (
    POINTWISE,
    Normalizer,
    WindowBatch,
    WindowPlan,
    average_overlaps,
    patch_times,
    plan_windows,
    prefetch,
    window_batches,
    windows_per_batch,
)
from ..precision import fastest_dtype, set_precision, usable_device
from ..progress import progress_bar
from ..user_warnings import once_each, warnings_noted
from .background import line_length
from .facts import model_facts, weights_sha256
from .forward import Forward, ModelForward, Served
from .result import DetectionResult
from .settings import DetectionSettings, recorded_s

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig
    from ..data import PreprocessedRecording, Recording
    from ..data.recordings.recording import RecordingSource
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantForSeizureDetection

DEFAULT_BATCH_SIZE = 8


class Detector:
    """Finds seizures in recordings of any length, in overlapping windows.

    Parameters
    ----------
    model : BrantForSeizureDetection
        With a trained detection head.
    extractor : BrantFeatureExtractor
        That of the model.
    settings : DetectionSettings or None
        Those of the checkpoint if `None`.

    Raises
    ------
    ValueError
        The model has no detection head or lacks its weights; the feature extractor is that of another model, or makes
        windows that the settings do not fit.
    """

    def __init__(
        self,
        model: BrantForSeizureDetection,
        extractor: BrantFeatureExtractor,
        settings: DetectionSettings | None = None,
    ) -> None:
        refuse(model)
        check_extractor(extractor, model.config)
        self.model, self.extractor = model, extractor
        self.settings = DetectionSettings.of(model.config) if settings is None else settings
        _check_settings(self.settings, extractor)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike | None = None,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | str | None = None,
        revision: str | None = None,
        **options: Any,
    ) -> Detector:
        """Make a detector from a checkpoint.

        Parameters
        ----------
        source : str, os.PathLike or None
            Folder, or id of a model on the Hub; the shipped checkpoint if `None` or "shipped".
        device : str or torch.device
            Where the model works.
        dtype : torch.dtype, str or None
            `"float32"`, `"bfloat16"` or, on a CPU, `"int8"` (weights in 8 bits). By default fp32; bfloat16 for a large
            model on a CPU that has instructions for it, and where a checkpoint is stored so, on an accelerator.
        revision : str or None
            Commit, branch or tag on the Hub.
        **options : Any
            Settings that go before those of the checkpoint, see `DetectionSettings`.

        Raises
        ------
        OSError
            There is no such checkpoint.
        ValueError
            It cannot detect seizures, or an option is not allowed.
        """
        model = load_detector(source, revision=revision)
        settings = DetectionSettings.of(model.config, options)
        device = usable_device(device)
        set_precision(model, fastest_dtype(dtype, model, device), device)
        return cls(model, load_feature_extractor(source, revision=revision), settings)

    def detect(
        self, recording: RecordingSource, *, batch_size: int = DEFAULT_BATCH_SIZE, progress: bool = True
    ) -> DetectionResult:
        """Detect seizures.

        Parameters
        ----------
        recording : Recording, str, Path, mne.io.Raw or dict
            A recording, or what `open_recording` makes one of.
        batch_size : int
            Most windows of a forward pass.
        progress : bool
            Show a progress bar on standard error.

        Raises
        ------
        OSError
            The recording does not exist, or ends early.
        ValueError
            Nothing is left of it after preprocessing, each of its patches misses more than half of its samples, no
            recording like it can have an event with settings that are stricter than those of the checkpoint, or
            `batch_size` is not allowed.
        """
        check_batch_size(batch_size)
        with warnings_noted() as texts:
            opened = open_recording(recording)
            result = self._search(opened, batch_size, progress)
        return replace(result, warnings=once_each([*opened.warnings, *texts()]))

    def _search(self, recording: Recording, batch_size: int, progress: bool) -> DetectionResult:
        settings, duration = self.settings, recording.duration
        prepared = preprocess(recording, settings.preprocessing)
        self._refuse_settings(recording.name, len(prepared.channel_names), duration)
        probabilities = self._probabilities(prepared, batch_size, progress)
        patch_s = self.extractor.patch_length / self.extractor.sampling_rate
        names = prepared.channel_names
        probability, events = settings.decide(
            probabilities, names, patch_s=patch_s, duration=duration, start=recording.offset
        )
        return DetectionResult(
            probabilities=probabilities,
            times=recording.offset + patch_times(probabilities.shape[1], patch_s),
            channel_names=names,
            recording_probability=probability,
            events=events,
            recording_duration=duration,
            patch_duration=patch_s,
            threshold=settings.threshold_for(recorded_s(probabilities, patch_s, duration)),
            start=recording.offset,
            start_date=recording.start_date,
            settings=settings.to_dict(),
            dropped_channels=prepared.dropped_channels,
        )

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of all weights with their names: two models that share it are the same."""
        return weights_sha256(self.model)

    @property
    def config(self) -> BrantConfig:
        """Configuration of the model."""
        return self.model.config

    @property
    def facts(self) -> dict[str, Any]:
        """Which checkpoint works, as JSON-serialisable values."""
        return model_facts(self.model, self.weights_sha256)

    @property
    def forward(self) -> Forward:
        """What the model says: probabilities of seizure, `(windows, channels, patches)`."""
        seizure = (self.config.label2id or {}).get("seizure", 1)
        return ModelForward(self.model, lambda outputs: outputs.logits.float().softmax(dim=-1)[..., seizure])

    def served_by(self, forward: Forward) -> Detector:
        """Return the same detector with a model in another place, which can go to another process."""
        return _ServedDetector(self, "model", forward)

    def _refuse_settings(self, name: str, num_channels: int, duration: float) -> None:
        """Raise a `ValueError` where someone asks for more than the recording has; checkpoints are made for all."""
        own = DetectionSettings.of(self.config)
        if own.min_channels < self.settings.min_channels > num_channels:
            raise ValueError(
                f"{name}: min_channels is {self.settings.min_channels}, but there are {num_channels} channels to "
                f"search, so no event is possible; at most {num_channels} can agree"
            )
        if own.min_duration < self.settings.min_duration > duration:
            raise ValueError(
                f"{name}: min_duration is {self.settings.min_duration:g} s, but the recording lasts {duration:g} s, "
                "so no event is possible; give a shorter one"
            )

    def _probabilities(self, prepared: PreprocessedRecording, batch_size: int, progress: bool) -> np.ndarray:
        plan = plan_windows(prepared, self.extractor, self.settings.overlap)
        background, patch_length = self.settings.background, self.extractor.patch_length
        weighs = background is not None and background.line_length_weight > 0
        shape = len(prepared.channel_names), plan.num_patches
        probabilities = np.full(shape, np.nan, np.float32)
        # Half the memory of a day; three digits are enough. A power of two keeps them, and makes room for microvolts.
        lengths = np.zeros(shape if weighs else 0, np.float16)
        for start, values in run_windows(
            prepared, plan, self.forward, self.extractor, batch_size=batch_size, progress=progress, with_lengths=weighs
        ):
            patches = slice(start, start + values.shape[1])
            if weighs:
                probabilities[:, patches] = values[..., 0]
                lengths[:, patches] = np.minimum(values[..., 1] / 1024, np.finfo(lengths.dtype).max)
            else:
                probabilities[:, patches] = values
        if background is not None and weighs:
            background.weigh(probabilities, lengths, patch_length / self.extractor.sampling_rate)
        return probabilities


class _ServedDetector(Served, Detector):
    """A detector without a model, which asks that of another process."""


def check_batch_size(batch_size: int) -> None:
    """Raise a `ValueError` unless it is a number of windows."""
    if not (isinstance(batch_size, int) and batch_size >= 1):
        raise ValueError(f"batch_size is {batch_size!r}; it must be a whole number of 1 or more")


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


def _check_settings(settings: DetectionSettings, extractor: BrantFeatureExtractor) -> None:
    """Raise a `ValueError` unless what they ask for is what `extractor` makes windows of."""
    Preprocessing.of_model(settings.preprocessing, extractor.sampling_rate)
    background = settings.background
    if background is not None and background.line_length_weight and extractor.normalize not in POINTWISE:
        raise ValueError(
            f"line_length_weight of the background is {background.line_length_weight:g}, but the feature extractor "
            f"has normalize {extractor.normalize!r}, which leaves no amplitude to compare; set the weight to 0, or "
            f"take a model with {' or '.join(POINTWISE)}"
        )


def run_windows(
    prepared: PreprocessedRecording,
    plan: WindowPlan,
    forward: Forward,
    extractor: Normalizer,
    *,
    batch_size: int,
    progress: bool,
    average: bool = True,
    with_lengths: bool = False,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield what a model says of each patch, averaged over the windows that hold it.

    Parameters
    ----------
    prepared : PreprocessedRecording
        The recording with its preprocessing settled.
    plan : WindowPlan
        Its windows.
    forward : Forward
        The model.
    extractor : Normalizer
        Its feature extractor.
    batch_size : int
        Most windows of a forward pass.
    progress : bool
        Show a progress bar on standard error.
    average : bool
        Whether to take the mean over the windows that hold a patch; if not, each window is yielded as it is.
    with_lengths : bool
        Whether the one value of a patch is followed by its line length as the model sees it: `(channels, patches, 2)`.

    Yields
    ------
    tuple[int, np.ndarray]
        First patch and values `(channels, patches, ...)` float32 of consecutive stretches of the recording, without
        its long gaps; NaN for patches that miss more than half of their samples.

    Raises
    ------
    ValueError
        The model gives NaN for another patch; after the last of them, where all patches miss so many.
    """
    size = windows_per_batch(batch_size, len(prepared.channel_names), plan.window_patches, forward.device_type)
    patch_length = extractor.patch_length if with_lengths else None
    windows = _values(window_batches(prepared, plan, extractor, size), forward, patch_length)
    patch_s = extractor.patch_length / prepared.sampling_rate
    with forward, _progress_bar(prepared.recording.name, plan.num_patches, patch_s, progress) as bar:
        pieces = average_overlaps(windows, plan) if average else zip(plan.starts, windows, strict=True)
        for start, values in pieces:
            bar.update(start + values.shape[1] - bar.n)
            yield start, values


def _values(
    batches: Generator[WindowBatch, None, None], forward: Forward, patch_length: int | None
) -> Iterator[np.ndarray]:
    """Values of each window, in order; with the line length of each patch, where that of a patch is given."""
    for batch in prefetch(batches):
        values = forward(batch.input_values, batch.channel_mask())
        if np.isnan(values if batch.missing is None else values[~batch.missing]).any():
            raise ValueError(
                "the model gives NaN for a signal that has none: its weights hold NaN, or numbers too large for their "
                "precision; take another checkpoint, or load it in float32"
            )
        if patch_length is not None:
            values = np.stack([values, line_length(batch.observed_values, patch_length)], axis=-1)
        if batch.missing is not None:
            values[batch.missing] = np.nan
        yield from values


def _progress_bar(name: str, num_patches: int, patch_s: float, shown: bool) -> Any:
    return progress_bar(
        total=num_patches,
        unit_scale=patch_s,
        desc=name,
        shown=shown,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of recording [{elapsed}<{remaining}]",
    )
