"""Pipeline of the task `seizure-detection`: a recording to probabilities and events."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import torch
from transformers import Pipeline

from ..checkpoints import load_detector, load_feature_extractor, refuse
from ..precision import set_precision
from ..progress import loading_bars
from .detector import DEFAULT_BATCH_SIZE, Detector, check_batch_size
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantForSeizureDetection

TASK = "seizure-detection"
# Settings that may be given to the pipeline and to a call.
_SETTINGS = ("overlap", "threshold", "min_channels", "min_duration", "merge_gap")
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
    feature_extractor : brant_hf.BrantFeatureExtractor, str or None
        Holds the normalisation that the model was trained with; that of the checkpoint if `None`.
    dtype : torch.dtype or str or None
        Precision of the model, on a CPU also `"int8"`. By default fp32, also for checkpoints stored in half precision,
        except that a bfloat16 checkpoint stays so on an accelerator.
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

    model: BrantForSeizureDetection
    feature_extractor: BrantFeatureExtractor
    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    # Loaded here, from where the model comes from, with the errors of this package.
    _load_feature_extractor = False
    _load_tokenizer = False

    def __init__(
        self,
        model: BrantForSeizureDetection,
        feature_extractor: BrantFeatureExtractor | str | None = None,
        *,
        task: str = TASK,
        dtype: torch.dtype | str | None = None,
        **kwargs: Any,
    ):
        refuse(model)
        source, revision = getattr(model, "loaded_from", (None, None))
        if feature_extractor is None and source is not None:
            feature_extractor = load_feature_extractor(source, revision=revision)
        elif isinstance(feature_extractor, str):
            feature_extractor = load_feature_extractor(feature_extractor)
        Detector(model, feature_extractor)  # type: ignore[arg-type]  # refuses an extractor that does not fit
        super().__init__(model=model, feature_extractor=feature_extractor, task=task, **kwargs)  # type: ignore[arg-type]
        self.settings()  # refuses wrong options
        if self._batch_size is not None:
            check_batch_size(self._batch_size)
        set_precision(self.model, dtype, self.device)

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike | None = None, *, revision: str | None = None, **kwargs: Any
    ) -> SeizureDetectionPipeline:
        """Make a pipeline from a checkpoint, like `transformers.pipeline("seizure-detection", model=source)`.

        Parameters
        ----------
        source : str, os.PathLike or None
            Folder, or id of a model on the Hub; the shipped checkpoint if `None` or "shipped".
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
        with loading_bars(shown=kwargs.get("progress", True)):
            model = load_detector(source, revision=revision)
            feature_extractor = load_feature_extractor(source, revision=revision)
        return cls(model=model, feature_extractor=feature_extractor, **kwargs)

    def settings(self, **options: Any) -> DetectionSettings:
        """Return the settings that a call with these options works with."""
        given = {name: value for name, value in options.items() if value is not None}
        return DetectionSettings.of(self.model.config, {**self._forward_params["settings"], **given})

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
            - `threshold`, `patch_duration` [s], `recording_duration` [s], `start_date`, `settings` and `warnings`
              (what was warned of when the recording was opened, read and searched).

        Raises
        ------
        OSError
            A recording does not exist or ends early.
        ValueError
            An input or an option is not allowed.
        """
        _, given, _ = self._sanitize_parameters(**options)
        forward = {
            **self._forward_params,
            **given,
            "batch_size": self._checked_batch_size(batch_size),
            "detector": Detector(self.model, self.feature_extractor, self.settings(**given["settings"])),
        }
        if isinstance(inputs, list | tuple):
            return [self.run_single(each, {}, forward, {}) for each in inputs]
        if isinstance(inputs, GeneratorType):
            return (self.run_single(each, {}, forward, {}) for each in inputs)
        return self.run_single(inputs, {}, forward, {})

    def embed(
        self,
        inputs: Any,
        output: str | os.PathLike | None = None,
        *,
        layer: int | Sequence[int] = -1,
        pool: str = "none",
        overlap: float | None = None,
        batch_size: int | None = None,
        progress: bool | None = None,
        dtype: str = "float32",
        overwrite: bool = False,
    ) -> dict[str, Any] | None:
        """Embeddings of all patches of a recording; see `embed_recording` for arguments, result and errors."""
        from .embedding import embed_recording

        settings = self.settings(overlap=overlap)
        batch_size = self._checked_batch_size(batch_size)
        if progress is None:
            progress = self._forward_params.get("progress", True)
        return embed_recording(
            inputs,
            self.model,
            self.feature_extractor,
            output,
            layer=layer,
            pool=pool,
            preprocessing=settings.preprocessing,
            overlap=settings.overlap,
            batch_size=batch_size,
            progress=progress,
            dtype=dtype,
            overwrite=overwrite,
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
            TASK: {"impl": f"{_HUB_FILE.stem}.HubSeizureDetectionPipeline", "pt": ["AutoModelForTokenClassification"]}
        }
        Path(save_directory).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_HUB_FILE, Path(save_directory) / _HUB_FILE.name)
        with loading_bars(shown=self._forward_params.get("progress", True)):
            self.model.save_pretrained(save_directory, **kwargs)
        self.feature_extractor.save_pretrained(save_directory)

    def _checked_batch_size(self, given: int | None) -> int:
        defaults = (self._batch_size, DEFAULT_BATCH_SIZE)
        batch_size = next(size for size in (given, *defaults) if size is not None)
        check_batch_size(batch_size)
        return batch_size

    def _sanitize_parameters(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        known = (*_SETTINGS, "batch_size", "progress")
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(f"unknown options {', '.join(unknown)}; expected {', '.join(known)}")
        given = {name: value for name, value in options.items() if value is not None}
        chosen = {name: given.pop(name) for name in _SETTINGS if name in given}
        return {}, {**given, "settings": chosen}, {}

    def preprocess(self, inputs: Any) -> dict[str, Any]:
        """Open the recording."""
        from ..data.recordings import open_recording

        return {"recording": open_recording(inputs)}

    def _forward(
        self, inputs: dict[str, Any], detector: Detector, batch_size: int, progress: bool = True, **_: Any
    ) -> dict[str, Any]:
        return {"result": detector.detect(inputs["recording"], batch_size=batch_size, progress=progress)}

    def postprocess(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Return the result as a dictionary."""
        return outputs["result"].to_dict()
