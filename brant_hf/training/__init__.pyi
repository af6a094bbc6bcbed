from .arguments import (
    DataArguments as DataArguments,
    ModelArguments as ModelArguments,
    TuningArguments as TuningArguments,
    parse_arguments as parse_arguments,
)
from .checks import check_detection_labels as check_detection_labels, check_window_length as check_window_length
from .losses import WeightedDetectionLoss as WeightedDetectionLoss, parse_class_weights as parse_class_weights
from .metrics import (
    ForecastingMetrics as ForecastingMetrics,
    FrequencyPhaseMetrics as FrequencyPhaseMetrics,
    ImputationMetrics as ImputationMetrics,
    SeizureDetectionMetrics as SeizureDetectionMetrics,
)
from .model_card import add_baselines as add_baselines, write_model_card as write_model_card
from .models import (
    make_config as make_config,
    make_feature_extractor as make_feature_extractor,
    make_model as make_model,
    note_preprocessing as note_preprocessing,
)
from .recipes import recipe_defaults as recipe_defaults
from .running import (
    TRAINING_DEFAULTS as TRAINING_DEFAULTS,
    run as run,
    start as start,
    train_and_evaluate as train_and_evaluate,
)
from .trainer import RecipeTrainer as RecipeTrainer, last_whole_checkpoint as last_whole_checkpoint
from .tuning import apply_tuning as apply_tuning
from .windows import (
    Windows as Windows,
    augment as augment,
    load_windows as load_windows,
    split_datasets as split_datasets,
)
