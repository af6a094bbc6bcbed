"""The detector: from a recording to what was detected in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..checkpoints import refuse
from ..data.preprocessing.chain import preprocess
from .decision import describe_events, find_events, recording_probability
from .forward import check_extractor, patch_times, plan_windows, run_windows
from .result import DetectionResult
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ..data import PreprocessedRecording, Recording
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
        The model has no detection head or lacks its weights; the feature extractor is that of another model.
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

    def detect(
        self, recording: Recording, *, batch_size: int = DEFAULT_BATCH_SIZE, progress: bool = True
    ) -> DetectionResult:
        """Detect seizures.

        Parameters
        ----------
        recording : Recording
            An open recording.
        batch_size : int
            Most windows of a forward pass.
        progress : bool
            Show a progress bar on standard error.

        Raises
        ------
        OSError
            The recording ends early.
        ValueError
            Nothing is left of it after preprocessing.
        """
        settings, duration = self.settings, recording.duration
        prepared = preprocess(recording, settings.preprocessing)
        probabilities = self._probabilities(prepared, batch_size, progress)
        patch_s = self.extractor.patch_length / self.extractor.sampling_rate
        threshold = settings.threshold_for(duration)
        probability = recording_probability(probabilities, settings.min_channels)
        events = find_events(
            probability,
            patch_s,
            threshold=threshold,
            min_duration=settings.min_duration,
            merge_gap=settings.merge_gap,
        )
        return DetectionResult(
            probabilities=probabilities,
            times=patch_times(probabilities.shape[1], patch_s),
            channel_names=prepared.channel_names,
            recording_probability=probability,
            events=describe_events(
                events,
                probabilities,
                probability,
                prepared.channel_names,
                patch_s=patch_s,
                duration=duration,
                threshold=threshold,
                calibration=settings.calibration,
            ),
            recording_duration=duration,
            patch_duration=patch_s,
            threshold=threshold,
            start_date=recording.start_date,
            settings=settings.to_dict(),
        )

    def _probabilities(self, prepared: PreprocessedRecording, batch_size: int, progress: bool) -> np.ndarray:
        plan = plan_windows(prepared, self.extractor, self.settings.overlap)
        seizure = (self.model.config.label2id or {}).get("seizure", 1)
        probabilities = np.empty((len(prepared.channel_names), plan.num_patches), np.float32)
        for start, values in run_windows(
            prepared,
            plan,
            self.model,
            self.extractor,
            lambda outputs: outputs.logits.float().softmax(dim=-1)[..., seizure],
            batch_size=batch_size,
            progress=progress,
        ):
            probabilities[:, start : start + values.shape[1]] = values
        return probabilities
