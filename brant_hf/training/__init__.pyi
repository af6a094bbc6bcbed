from .arguments import (
    SPLITS as SPLITS,
    DataArguments as DataArguments,
    ModelArguments as ModelArguments,
    RunArguments as RunArguments,
    ScriptArgumentParser as ScriptArgumentParser,
    TuningArguments as TuningArguments,
    parse_arguments as parse_arguments,
)
from .callbacks import note_preprocessing as note_preprocessing
from .checks import (
    check_detection_labels as check_detection_labels,
    check_evaluations as check_evaluations,
    check_window_length as check_window_length,
)
from .data import (
    RunWindows as RunWindows,
    is_dataset as is_dataset,
    limit_subjects as limit_subjects,
    load_windows as load_windows,
    noted_patch_length as noted_patch_length,
    noted_splits as noted_splits,
    split_datasets as split_datasets,
    windows_of_splits as windows_of_splits,
)
from .losses import (
    FrequencyPhaseLoss as FrequencyPhaseLoss,
    WeightedDetectionLoss as WeightedDetectionLoss,
    parse_class_weights as parse_class_weights,
)
from .metrics import (
    ForecastingMetrics as ForecastingMetrics,
    FrequencyPhaseMetrics as FrequencyPhaseMetrics,
    ImputationMetrics as ImputationMetrics,
    SeizureDetectionMetrics as SeizureDetectionMetrics,
    WindowMetrics as WindowMetrics,
)
from .model_card import (
    CARD as CARD,
    add_baselines as add_baselines,
    add_results as add_results,
    write_model_card as write_model_card,
)
from .models import (
    make_config as make_config,
    make_feature_extractor as make_feature_extractor,
    make_model as make_model,
)
from .outputs import write_checkpoint as write_checkpoint
from .recipes import TRAINING_DEFAULTS as TRAINING_DEFAULTS, recipe_defaults as recipe_defaults
from .run import (
    evaluate_splits as evaluate_splits,
    evaluate_start as evaluate_start,
    make_trainer as make_trainer,
    run_script as run_script,
    run_task as run_task,
    set_up as set_up,
    start_log as start_log,
    train_or_resume as train_or_resume,
)
from .tasks import (
    ForecastingTask as ForecastingTask,
    FrequencyPhaseTask as FrequencyPhaseTask,
    ImputationTask as ImputationTask,
    PretrainingTask as PretrainingTask,
    SeizureDetectionTask as SeizureDetectionTask,
    Task as Task,
)
from .trainer import RecipeTrainer as RecipeTrainer, last_whole_checkpoint as last_whole_checkpoint
from .tuning import apply_tuning as apply_tuning
