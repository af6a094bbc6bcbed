"""Brant checkpoints to compare, and what they must have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForSeizureDetection,
)
from brant_hf.listing import listed

from .evaluation import Method, model_predict

MODELS: dict[str, tuple[type[PreTrainedModel], tuple[str, ...]]] = {
    "forecasting": (BrantForForecasting, ("prediction_outputs",)),
    "frequency_phase": (BrantForFrequencyPhaseForecasting, ("frequency", "phase")),
    "imputation": (BrantForImputation, ("reconstruction", "imputed_values")),
    "detection": (BrantForSeizureDetection, ("logits",)),
}
# Fields of the configuration and of the feature extractor that decide what a window and a label are.
SHARED_CONFIG = ("patch_length", "num_patches", "sampling_rate")
SHARED_EXTRACTOR = ("normalize", "scale")


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tuned Brant.

    Attributes
    ----------
    name : str
        As shown.
    model : PreTrainedModel
        With the head of the task.
    extractor : BrantFeatureExtractor
        That belongs to it.
    """

    name: str
    model: PreTrainedModel
    extractor: BrantFeatureExtractor

    @property
    def config(self) -> BrantConfig:
        return self.model.config


def load_checkpoint(text: str, task: str) -> Checkpoint:
    """A checkpoint given as `FOLDER` or `NAME=FOLDER`; the folder may be an id on the Hub.

    Raises
    ------
    OSError
        There is no such checkpoint, or it comes without a feature extractor.
    ValueError
        It lacks weights of the model of the task.
    """
    name, _, source = text.rpartition("=")
    model_class, _ = MODELS[task]
    try:
        model, info = model_class.from_pretrained(source, output_loading_info=True)
        extractor = BrantFeatureExtractor.from_pretrained(source)
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise OSError(f"{source} is no checkpoint with a feature extractor: {reason}") from error
    lacking = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    if lacking:
        raise ValueError(
            f"{source} lacks {len(lacking)} weights of {model_class.__name__} ({listed(lacking, 3)}): fine-tune it "
            f"for {task.replace('_', '-')} first"
        )
    return Checkpoint(name or Path(source).name, model, extractor)


def check_comparable(checkpoints: list[Checkpoint], task: str) -> None:
    """Refuse checkpoints whose windows, labels or units differ.

    Raises
    ------
    ValueError
        Says which settings differ.
    """
    config_fields = SHARED_CONFIG + (("prediction_length",) if task in ("forecasting", "frequency_phase") else ())
    for field in config_fields:
        _check_equal(field, [(each.name, getattr(each.config, field)) for each in checkpoints])
    for field in SHARED_EXTRACTOR:
        _check_equal(field, [(each.name, getattr(each.extractor, field)) for each in checkpoints])


def checkpoint_methods(checkpoints: list[Checkpoint], task: str) -> list[Method]:
    """Rows of the table."""
    _, outputs = MODELS[task]
    return [Method(each.name, model_predict(each.model, outputs), each.model.num_parameters()) for each in checkpoints]


def _check_equal(field: str, values: list[tuple[str, object]]) -> None:
    if len({value for _, value in values}) > 1:
        shown = ", ".join(f"{value} of {name}" for name, value in values)
        raise ValueError(f"checkpoints with different {field} cannot stand in one table: {shown}")
