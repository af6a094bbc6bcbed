"""The tasks that Brant is trained for: one class each, whose fields are the options of the task.

A new task is a new subclass of `Task`; `run_task` does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from transformers import PreTrainedModel

from ..configuration_brant import BrantConfig
from ..data import (
    Augmentation,
    ForecastingCollator,
    ImputationCollator,
    PretrainingCollator,
    SeizureDetectionCollator,
    WindowCollator,
)
from ..modeling_brant import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
)
from .arguments import RunArguments
from .checks import check_detection_labels, doubts_of_few_seizures, doubts_of_splits
from .data import RunWindows
from .losses import FrequencyPhaseLoss, WeightedDetectionLoss, parse_class_weights
from .metrics import (
    ForecastingMetrics,
    FrequencyPhaseMetrics,
    ImputationMetrics,
    SeizureDetectionMetrics,
    WindowMetrics,
)

_AUGMENT_HELP = "Change amplitude, speed, spectrum and channels of the training windows at random."


@dataclass
class Task(ABC):
    """What a task has of its own; the fields of a subclass are arguments of its command line.

    Attributes
    ----------
    title : str
        For the model card, such as `"seizure detection"`.
    model_class : type[PreTrainedModel]
        With the head of the task.
    defaults : Mapping[str, Any]
        Defaults of `TrainingArguments`, at least `output_dir`.
    stage : str
        `"pretraining"` or `"finetuning"`; chooses the values of `--recipe`.
    """

    title: ClassVar[str]
    model_class: ClassVar[type[PreTrainedModel]]
    defaults: ClassVar[Mapping[str, Any]]
    stage: ClassVar[str] = "finetuning"
    _argument_group_name: ClassVar[str] = "task"

    def horizon(self) -> int:
        """Patches to forecast, at the end of each window."""
        return 0

    def configure(self, config: BrantConfig, datasets: Sequence[str]) -> None:  # noqa: B027  some tasks decide none
        """Set the fields of the configuration that the task decides."""

    @abstractmethod
    def collator(self, config: BrantConfig, **common: Any) -> WindowCollator:
        """Return what makes batches; `common` are options of every collator."""

    def check(self, windows: RunWindows, config: BrantConfig, run: RunArguments) -> None:  # noqa: B027  as above
        """Refuse windows that the task cannot be trained on, with a ValueError."""

    def doubts(self, windows: RunWindows) -> list[str]:
        """Return what makes the scores of a run doubtful, for the log and the model card."""
        return doubts_of_splits(windows)

    def augmentation(self) -> Augmentation | None:
        """Return the random changes of training windows."""
        return None

    def loss(self, windows: RunWindows) -> Callable[..., Any] | None:
        """Return the `compute_loss_func` of `Trainer`; the model's own loss if `None`."""
        return None

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> WindowMetrics | None:
        """Return new metrics for windows of these subjects; nothing but the loss is measured if `None`."""
        return None


@dataclass
class PretrainingTask(Task):
    """Pre-train Brant: reconstruct masked patches."""

    title = "pre-training"
    model_class = BrantForPreTraining
    defaults = {"output_dir": "outputs/pretrained"}
    stage = "pretraining"

    mask_ratio: float | None = field(
        default=None, metadata={"help": "Fraction of the patches to mask; that of the configuration if absent."}
    )
    augment: bool = field(default=False, metadata={"help": _AUGMENT_HELP})

    def configure(self, config: BrantConfig, datasets: Sequence[str]) -> None:
        """Set the fields that the task decides."""
        if self.mask_ratio is not None:
            config.mask_ratio = self.mask_ratio

    def collator(self, config: BrantConfig, **common: Any) -> WindowCollator:
        """Return what makes batches."""
        return PretrainingCollator.from_config(config, None, **common)

    def augmentation(self) -> Augmentation | None:
        """Return the random changes of training windows."""
        return Augmentation() if self.augment else None


@dataclass
class SeizureDetectionTask(Task):
    """Fine-tune Brant to detect seizures in every channel and patch."""

    title = "seizure detection"
    model_class = BrantForSeizureDetection
    defaults = {"output_dir": "outputs/detector", "metric_for_best_model": "auprc"}

    class_weights: str | None = field(
        default=None, metadata={"help": "balanced, sqrt, or weights of background and seizure such as 1,5."}
    )
    focal_gamma: float = field(default=0.0, metadata={"help": "Exponent of the focal loss; 0 for cross-entropy."})
    augment: bool = field(default=False, metadata={"help": _AUGMENT_HELP})
    gain: float = field(
        default=0.5, metadata={"help": "With --augment, how far amplitudes spread, see brant_hf.data.Augmentation."}
    )
    equalize: float = field(
        default=0.0,
        metadata={"help": "With --augment, fraction of the windows whose channels all get the same amplitude."},
    )
    rhythm: float = field(
        default=0.0, metadata={"help": "With --augment, fraction of the windows that get a drawn ictal rhythm."}
    )
    lookalike: float = field(
        default=0.0, metadata={"help": "With --augment, fraction that get a background rhythm, or channels of noise."}
    )
    drift: float = field(
        default=0.0, metadata={"help": "With --augment, fraction that get slow drifts and steps of the electrodes."}
    )
    shorter: float = field(
        default=0.0,
        metadata={"help": "With --augment, fraction of the windows cut to fewer patches, with their batch."},
    )

    def __post_init__(self) -> None:
        # Told before the windows are read, which can take long.
        by_counting = self.class_weights in ("balanced", "sqrt")
        WeightedDetectionLoss(None if by_counting else parse_class_weights(self.class_weights, ()), self.focal_gamma)
        self.augmentation()

    def collator(self, config: BrantConfig, **common: Any) -> WindowCollator:
        """Return what makes batches."""
        return SeizureDetectionCollator(cut_to_shortest=True, **common)

    def check(self, windows: RunWindows, config: BrantConfig, run: RunArguments) -> None:
        """Refuse windows without labels, or without a seizure to learn from or to choose the best epoch by."""
        needed = [] if run.tuning.evaluate_only else ["train"]
        by_loss = run.training.metric_for_best_model in (None, "loss", "eval_loss")
        if needed and run.training.eval_strategy != "no" and not by_loss:
            needed.append("validation")
        check_detection_labels(windows, config.patch_length, needed)

    def doubts(self, windows: RunWindows) -> list[str]:
        """Return what makes the scores of a run doubtful."""
        return super().doubts(windows) + doubts_of_few_seizures(windows)

    def augmentation(self) -> Augmentation | None:
        """Return the random changes of training windows."""
        if not self.augment:
            return None
        return Augmentation(
            gain=self.gain,
            equalize=self.equalize,
            rhythm=self.rhythm,
            lookalike=self.lookalike,
            drift=self.drift,
            shorter=self.shorter,
        )

    def loss(self, windows: RunWindows) -> Callable[..., Any] | None:
        """Return the weighted loss, if one is asked for."""
        if self.class_weights is None and self.focal_gamma == 0:
            return None
        return WeightedDetectionLoss(
            parse_class_weights(self.class_weights, windows.training_labels()), self.focal_gamma
        )

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> WindowMetrics | None:
        """Return new metrics."""
        return SeizureDetectionMetrics(subjects, config=config)


@dataclass
class HorizonTask(Task):
    """A task that forecasts patches at the end of each window."""

    horizon_patches: int = field(default=2, metadata={"help": "Patches to forecast."})

    def __post_init__(self) -> None:
        if self.horizon_patches < 1:
            raise ValueError(f"--horizon_patches is {self.horizon_patches}; it must be 1 or more")

    def horizon(self) -> int:
        """Patches to forecast."""
        return self.horizon_patches

    def collator(self, config: BrantConfig, **common: Any) -> WindowCollator:
        """Return what makes batches."""
        return ForecastingCollator.from_config(config, None, **common)


@dataclass
class ForecastingTask(HorizonTask):
    """Fine-tune Brant to forecast the signal: 2 patches (short, 12 s) or 20 patches (long, 120 s) in the paper."""

    title = "forecasting"
    model_class = BrantForForecasting
    defaults = {"output_dir": "outputs/forecasting", "metric_for_best_model": "mae"}

    prediction_dropout: float | None = field(
        default=None,
        metadata={"help": "Dropout on the forecast; 0.1 up to 2 patches, 0.2 beyond, if absent."},
    )

    def configure(self, config: BrantConfig, datasets: Sequence[str]) -> None:
        """Set the fields that the task decides."""
        by_horizon = 0.1 if self.horizon_patches <= 2 else 0.2
        config.prediction_dropout = by_horizon if self.prediction_dropout is None else self.prediction_dropout

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> WindowMetrics | None:
        """Return new metrics."""
        return ForecastingMetrics(subjects)


@dataclass
class FrequencyPhaseTask(HorizonTask):
    """Fine-tune Brant to forecast dominant frequency and phase of each channel: of 5 patches (30 s) in the paper."""

    title = "frequency-phase forecasting"
    model_class = BrantForFrequencyPhaseForecasting
    defaults = {"output_dir": "outputs/phase", "metric_for_best_model": "loss"}

    horizon_patches: int = field(default=5, metadata={"help": "Patches whose frequency and phase to forecast."})
    objective: Literal["published", "metrics"] = field(
        default="published",
        metadata={
            "help": "published: squared errors; metrics: absolute error of the frequency and phase locking, which are "
            "what is measured."
        },
    )

    def loss(self, windows: RunWindows) -> Callable[..., Any] | None:
        """Return the loss of the metrics, if it is asked for."""
        return FrequencyPhaseLoss() if self.objective == "metrics" else None

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> WindowMetrics | None:
        """Return new metrics."""
        return FrequencyPhaseMetrics(subjects, config=config)


@dataclass
class ImputationTask(Task):
    """Fine-tune Brant to fill in missing samples: single points, or blocks."""

    title = "imputation"
    model_class = BrantForImputation
    defaults = {"output_dir": "outputs/imputation", "metric_for_best_model": "missing_mae"}

    mask: Literal["points", "blocks"] = field(
        default="points", metadata={"help": "points: single samples; blocks: stretches of samples."}
    )
    missing_ratio: float = field(default=0.4, metadata={"help": "Fraction of the samples of a channel to hide."})
    block_length: int = field(default=250, metadata={"help": "Samples of a block."})
    missing_values: Literal["zero", "linear"] | None = field(
        default=None,
        metadata={
            "help": "How missing samples enter: as zero (published), or linear, on the line between their neighbours, "
            "which the head corrects (one of pre-training begins far off); that of the checkpoint, or zero, if absent."
        },
    )

    def configure(self, config: BrantConfig, datasets: Sequence[str]) -> None:
        """Set the fields that the task decides."""
        if self.missing_values is not None:
            config.missing_values = self.missing_values

    def collator(self, config: BrantConfig, **common: Any) -> WindowCollator:
        """Return what makes batches."""
        return ImputationCollator(
            mask=self.mask, mask_ratio=self.missing_ratio, block_length=self.block_length, **common
        )

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> WindowMetrics | None:
        """Return new metrics."""
        return ImputationMetrics(subjects)
