"""Training with the Hugging Face `Trainer`: arguments, recipes, windows, tuning, metrics.

Names are imported on first use, so that `import brant_hf.training` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "DataArguments": "arguments",
    "ForecastingMetrics": "metrics",
    "FrequencyPhaseMetrics": "metrics",
    "ImputationMetrics": "metrics",
    "ModelArguments": "arguments",
    "RecipeTrainer": "trainer",
    "SeizureDetectionMetrics": "metrics",
    "TRAINING_DEFAULTS": "running",
    "TuningArguments": "arguments",
    "WeightedDetectionLoss": "losses",
    "Windows": "windows",
    "add_baselines": "model_card",
    "apply_tuning": "tuning",
    "augment": "windows",
    "check_detection_labels": "checks",
    "check_window_length": "checks",
    "last_whole_checkpoint": "trainer",
    "load_windows": "windows",
    "make_config": "models",
    "make_feature_extractor": "models",
    "make_model": "models",
    "note_preprocessing": "models",
    "parse_arguments": "arguments",
    "parse_class_weights": "losses",
    "recipe_defaults": "recipes",
    "run": "running",
    "split_datasets": "windows",
    "start": "running",
    "train_and_evaluate": "running",
    "write_model_card": "model_card",
}

if TYPE_CHECKING:
    from .arguments import DataArguments, ModelArguments, TuningArguments, parse_arguments
    from .checks import check_detection_labels, check_window_length
    from .losses import WeightedDetectionLoss, parse_class_weights
    from .metrics import ForecastingMetrics, FrequencyPhaseMetrics, ImputationMetrics, SeizureDetectionMetrics
    from .model_card import add_baselines, write_model_card
    from .models import make_config, make_feature_extractor, make_model, note_preprocessing
    from .recipes import recipe_defaults
    from .running import TRAINING_DEFAULTS, run, start, train_and_evaluate
    from .trainer import RecipeTrainer, last_whole_checkpoint
    from .tuning import apply_tuning
    from .windows import Windows, augment, load_windows, split_datasets

__all__ = [
    "DataArguments",
    "ForecastingMetrics",
    "FrequencyPhaseMetrics",
    "ImputationMetrics",
    "ModelArguments",
    "RecipeTrainer",
    "SeizureDetectionMetrics",
    "TRAINING_DEFAULTS",
    "TuningArguments",
    "WeightedDetectionLoss",
    "Windows",
    "add_baselines",
    "apply_tuning",
    "augment",
    "check_detection_labels",
    "check_window_length",
    "last_whole_checkpoint",
    "load_windows",
    "make_config",
    "make_feature_extractor",
    "make_model",
    "note_preprocessing",
    "parse_arguments",
    "parse_class_weights",
    "recipe_defaults",
    "run",
    "split_datasets",
    "start",
    "train_and_evaluate",
    "write_model_card",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
