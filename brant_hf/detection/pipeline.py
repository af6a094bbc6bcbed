"""Pipeline of the task `seizure-detection`: a recording to probabilities and events."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import Pipeline

from ..checkpoints import load_detector, load_feature_extractor, refuse, without_adapters
from .events import describe_events, find_events, recording_probability
from .forward import check_extractor, patch_times, plan_windows, run_windows
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ..data import Recording
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantForSeizureDetection

TASK = "seizure-detection"
DEFAULT_BATCH_SIZE = 8
# Options by the step that they concern.
_WINDOW_OPTIONS = ("overlap",)
_EVENT_OPTIONS = ("threshold", "min_channels", "min_duration", "merge_gap")
# The file that goes with a saved pipeline.
_HUB_FILE = Path(__file__).with_name("hub_pipeline.py")


class SeizureDetectionPipeline(Pipeline):
    """Finds seizures in intracranial recordings with a `brant_hf.BrantForSeizureDetection`.

    ```python
    >>> import brant_hf
    >>> from transformers import pipeline

    >>> detector = pipeline("seizure-detection")
    >>> result = detector("recording.edf")
    >>> result["events"]
    ```

    A recording is read once, in overlapping windows, whatever its length. It is prepared as the checkpoint says
    (`config.detection`): preprocessing, threshold, how many channels must agree, shortest event, gaps to merge and
    calibration of the confidence; what is passed here or in a call goes before that.

    Parameters
    ----------
    model : brant_hf.BrantForSeizureDetection
        The detector.
    feature_extractor : brant_hf.BrantFeatureExtractor
        Holds the normalisation that the model was trained with.
    dtype : torch.dtype or str or None
        Precision of the model. By default fp32, also for checkpoints stored in half precision, except that a bfloat16
        checkpoint stays so on an accelerator.
    device : int, str or torch.device or None
        By default the first accelerator, or the CPU.
    batch_size : int, default 8
        Most windows of a forward pass; fewer are taken when a recording has many channels.
    progress : bool, default True
        Whether to show a progress bar on standard error.
    **kwargs : Any
        `threshold`, `overlap`, `min_channels`, `min_duration` [s] and `merge_gap` [s], see `DetectionSettings`, and
        what `transformers.Pipeline` takes.

    Raises
    ------
    ValueError
        The model has no detection head or lacks its weights, which are named; the feature extractor is missing or that
        of another model; an option is unknown or not allowed.
    """

    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = True
    _load_tokenizer = False

    def __init__(
        self,
        model: BrantForSeizureDetection,
        feature_extractor: BrantFeatureExtractor | None = None,
        *,
        task: str = TASK,
        dtype: torch.dtype | str | None = None,
        **kwargs: Any,
    ):
        refuse(model)
        check_extractor(feature_extractor, model.config)
        self._saved_settings = DetectionSettings.of(model.config)
        super().__init__(model=model, feature_extractor=feature_extractor, task=task, **kwargs)
        if self._batch_size is not None:
            _check_batch_size(self._batch_size)
        self.model.to(dtype=_working_dtype(dtype, self.model.dtype, self.device))

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike | None = None, *, revision: str | None = None, **kwargs: Any
    ) -> SeizureDetectionPipeline:
        """Make a pipeline from a checkpoint, like `transformers.pipeline("seizure-detection", model=source)`.

        Parameters
        ----------
        source : str, os.PathLike or None
            Folder, or id of a model on the Hub; the shipped checkpoint if `None`.
        revision : str or None
            Commit, branch or tag on the Hub.
        **kwargs : Any
            Options of the pipeline.

        Raises
        ------
        OSError
            There is no such checkpoint.
        ValueError
            It cannot detect seizures; see the class.
        """
        model = load_detector(source, revision=revision)
        return cls(model=model, feature_extractor=load_feature_extractor(source, revision=revision), **kwargs)

    def settings(self, **options: Any) -> DetectionSettings:
        """Return the settings that a call with these options works with."""
        given = {**self._forward_params, **self._postprocess_params, **options}
        names = (*_WINDOW_OPTIONS, *_EVENT_OPTIONS)
        return DetectionSettings.of(self.model.config, {name: given.get(name) for name in names})

    def __call__(self, inputs: Any, *, batch_size: int | None = None, **options: Any) -> Any:
        """Detect seizures.

        Parameters
        ----------
        inputs : Any
            A path, a `brant_hf.data.Recording`, an `mne.io.Raw`, or a dictionary with `"array"` (channels, samples)
            [microvolts], `"sampling_rate"` [Hz] and, if wanted, `"channel_names"`; or a list of these.
        batch_size : int or None
            See the class.
        **options : Any
            `threshold`, `overlap`, `min_channels`, `min_duration`, `merge_gap`, `progress`.

        Returns
        -------
        Any
            A dictionary, or a list of them for a list (for a generator, one that yields them):

            - `probabilities`: seizure probability of each channel and patch, `(channels, patches)` float32. Patches
              that miss more than half of their samples have 0.
            - `times`: centre of each patch [s from the start], `(patches,)`.
            - `channel_names`: one for each row of `probabilities`; flat channels are left out.
            - `recording_probability`: that `min_channels` channels agree, `(patches,)`.
            - `events`: dictionaries with `onset` [s], `duration` [s], `confidence` and `channels`.

        Raises
        ------
        OSError
            A recording does not exist or ends early.
        ValueError
            An input or an option is not allowed.
        """
        batch_size = self._checked_batch_size(batch_size)
        self._sanitize_parameters(**options)
        if isinstance(inputs, list | tuple):
            return [self._detect(each, batch_size, options) for each in inputs]
        if isinstance(inputs, GeneratorType):
            return (self._detect(each, batch_size, options) for each in inputs)
        return self._detect(inputs, batch_size, options)

    def embed(
        self,
        inputs: Any,
        output: str | os.PathLike | None = None,
        *,
        overlap: float | None = None,
        batch_size: int | None = None,
        progress: bool | None = None,
        dtype: str = "float32",
    ) -> dict[str, Any] | None:
        """Embeddings of all patches of a recording; see `embed_recording` for arguments, result and errors."""
        from .embedding import embed_recording
        from .inputs import as_recording

        settings = self.settings(overlap=overlap)
        batch_size = self._checked_batch_size(batch_size)
        if progress is None:
            progress = self._forward_params.get("progress", True)
        return embed_recording(
            as_recording(inputs),
            without_adapters(self.model).base_model,
            self.feature_extractor,
            output,
            preprocessing=settings.preprocessing,
            overlap=settings.overlap,
            batch_size=batch_size,
            progress=progress,
            dtype=dtype,
        )

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """Save the model, the feature extractor and the code of the pipeline.

        `transformers.pipeline("seizure-detection", model=save_directory, trust_remote_code=True)` then works without
        importing `brant_hf` first; the package has to be installed, since it reads the recordings.

        Parameters
        ----------
        save_directory : str or os.PathLike
            Folder to write to.
        **kwargs : Any
            Passed on to `save_pretrained` of the model.
        """
        # transformers would write the classes that are registered here, and looks saved names up among its own.
        self.model.config.custom_pipelines = {
            TASK: {"impl": f"{_HUB_FILE.stem}.HubSeizureDetectionPipeline", "pt": ["AutoModel"]}
        }
        self.model.save_pretrained(save_directory, **kwargs)
        self.feature_extractor.save_pretrained(save_directory)
        shutil.copyfile(_HUB_FILE, Path(save_directory) / _HUB_FILE.name)

    def _checked_batch_size(self, given: int | None) -> int:
        defaults = (self._batch_size, DEFAULT_BATCH_SIZE)
        batch_size = next(size for size in (given, *defaults) if size is not None)
        _check_batch_size(batch_size)
        return batch_size

    def _detect(self, recording: Any, batch_size: int, options: Mapping[str, Any]) -> dict[str, Any]:
        steps = self._sanitize_parameters(**options, batch_size=batch_size)
        defaults = (self._preprocess_params, self._forward_params, self._postprocess_params)
        merged = [{**default, **given} for default, given in zip(defaults, steps, strict=True)]
        return self.run_single(recording, *merged)

    def _sanitize_parameters(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        known = (*_WINDOW_OPTIONS, *_EVENT_OPTIONS, "batch_size", "progress")
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(f"unknown options {', '.join(unknown)}; expected {', '.join(known)}")
        given = {name: value for name, value in options.items() if value is not None}
        DetectionSettings.of(
            self.model.config, {name: given.get(name) for name in (*_WINDOW_OPTIONS, *_EVENT_OPTIONS)}
        )
        forward = {name: given[name] for name in (*_WINDOW_OPTIONS, "batch_size", "progress") if name in given}
        return {}, forward, {name: given[name] for name in _EVENT_OPTIONS if name in given}

    def preprocess(self, inputs: Any) -> dict[str, Any]:
        """Open and preprocess a recording."""
        from ..data import preprocess
        from .inputs import as_recording

        return {"prepared": preprocess(as_recording(inputs), self._saved_settings.preprocessing)}

    def _forward(
        self,
        inputs: dict[str, Any],
        overlap: float | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        progress: bool = True,
    ) -> dict[str, Any]:
        prepared = inputs["prepared"]
        overlap = self._saved_settings.overlap if overlap is None else overlap
        plan = plan_windows(prepared, self.feature_extractor, overlap)
        seizure = (self.model.config.label2id or {}).get("seizure", 1)
        probabilities = np.empty((len(prepared.channel_names), plan.num_patches), np.float32)
        for start, values in run_windows(
            prepared,
            plan,
            self.model,
            self.feature_extractor,
            lambda outputs: outputs.logits.float().softmax(dim=-1)[..., seizure],
            batch_size=batch_size,
            progress=progress,
        ):
            probabilities[:, start : start + values.shape[1]] = values
        return {"prepared": prepared, "probabilities": probabilities}

    def postprocess(self, outputs: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Turn probabilities into the result, with its events."""
        settings = DetectionSettings.of(self.model.config, options)
        recording: Recording = outputs["prepared"].recording
        probabilities, names = outputs["probabilities"], outputs["prepared"].channel_names
        patch_s = self.feature_extractor.patch_length / self.feature_extractor.sampling_rate
        threshold = settings.threshold_for(recording.duration)
        probability = recording_probability(probabilities, settings.min_channels)
        events = find_events(
            probability,
            patch_s,
            threshold=threshold,
            min_duration=settings.min_duration,
            merge_gap=settings.merge_gap,
        )
        return {
            "probabilities": probabilities,
            "times": patch_times(probabilities.shape[1], patch_s),
            "channel_names": names,
            "recording_probability": probability,
            "events": describe_events(
                events,
                probabilities,
                probability,
                names,
                patch_s=patch_s,
                duration=recording.duration,
                threshold=threshold,
                calibration=settings.calibration,
            ),
        }


def _check_batch_size(batch_size: int) -> None:
    if not (isinstance(batch_size, int) and batch_size >= 1):
        raise ValueError(f"batch_size is {batch_size!r}; it must be a whole number of 1 or more")


def _working_dtype(asked: torch.dtype | str | None, stored: torch.dtype, device: torch.device) -> torch.dtype:
    if asked in (None, "auto"):
        # Half precision is how small checkpoints are stored; CPUs are slow in it, and its range is narrow.
        return stored if stored == torch.bfloat16 and device.type != "cpu" else torch.float32
    dtype = getattr(torch, asked, None) if isinstance(asked, str) else asked
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(f"dtype is {asked!r}; expected a floating-point type such as 'float32' or 'bfloat16'")
    return dtype
