"""What each task decides: collator, configuration, loss, metrics, augmentation."""

import numpy as np
import pytest

from brant_hf.training import (
    ForecastingTask,
    FrequencyPhaseLoss,
    FrequencyPhaseTask,
    ImputationTask,
    PretrainingTask,
    SeizureDetectionTask,
    Task,
)
from brant_hf.training.tasks import HorizonTask


def test_a_task_without_a_collator_is_none():
    with pytest.raises(TypeError, match="collator"):
        Task()


def test_pretraining_masks_what_was_asked_or_what_the_configuration_says(small_config):
    for given, expected in ((None, 0.4), (0.2, 0.2)):
        config, task = small_config(patch_length=30, mask_ratio=0.4), PretrainingTask(mask_ratio=given)
        task.configure(config, [])
        collator = task.collator(config, seed=7)
        assert (config.mask_ratio, collator.mask_ratio) == (expected, expected)
        assert (collator.patch_length, collator.seed) == (30, 7)


def test_imputation_hides_what_was_asked(small_config):
    task = ImputationTask(mask="blocks", missing_ratio=0.25, block_length=9)
    collator = task.collator(small_config(), max_channels=3)
    assert (collator.mask, collator.mask_ratio, collator.block_length) == ("blocks", 0.25, 9)
    assert collator.max_channels == 3


@pytest.mark.parametrize(
    ("task", "patches", "dropout"),
    [
        (ForecastingTask(), 2, 0.1),
        (ForecastingTask(horizon_patches=20), 20, 0.2),
        (ForecastingTask(horizon_patches=20, prediction_dropout=0.0), 20, 0.0),
        (FrequencyPhaseTask(), 5, 0.3),
    ],
)
def test_horizon_and_dropout_of_the_paper(small_config, task, patches, dropout):
    config = small_config(prediction_length=90, patch_length=30, prediction_dropout=0.3)
    task.configure(config, [])
    assert (task.horizon(), config.prediction_dropout) == (patches, dropout)
    collator = task.collator(config)
    assert (collator.prediction_length, collator.patch_length) == (90, 30)


@pytest.mark.parametrize("task", [HorizonTask, ForecastingTask, FrequencyPhaseTask])
def test_a_horizon_of_nothing_is_refused(task):
    with pytest.raises(ValueError, match="--horizon_patches is 0"):
        task(horizon_patches=0)


def test_detection_counts_false_alarms_by_the_length_of_its_patches(small_config):
    metrics = SeizureDetectionTask().metrics(small_config(patch_length=30, sampling_rate=60), None)
    assert metrics.patch_duration == 0.5


def test_detection_augments_with_its_options_and_only_if_asked():
    options = {"gain": 0.1, "equalize": 0.2, "rhythm": 0.3, "lookalike": 0.4, "drift": 0.5, "shorter": 0.6}
    assert SeizureDetectionTask(**options).augmentation() is None
    assert vars(SeizureDetectionTask(augment=True, **options).augmentation()) == options


def test_the_loss_of_detection_is_weighted_if_asked():
    class Windows:
        def training_labels(self):
            return iter([np.array([[0, 0, 0, 1]])])

    assert SeizureDetectionTask().loss(Windows()) is None
    balanced = SeizureDetectionTask(class_weights="balanced", focal_gamma=2.0).loss(Windows())
    # Inverse to the number of patches: 4 / (2 * 3) and 4 / (2 * 1).
    assert balanced.class_weights == pytest.approx((2 / 3, 2.0))
    assert balanced.focal_gamma == 2.0


@pytest.mark.parametrize(("asked", "expected"), [(None, "linear"), ("zero", "zero")])
def test_missing_values_of_the_checkpoint_stay_unless_others_are_asked_for(small_config, asked, expected):
    config = small_config(missing_values="linear")
    ImputationTask(missing_values=asked).configure(config, [])
    assert config.missing_values == expected


def test_the_objective_of_frequency_and_phase():
    assert FrequencyPhaseTask().loss(None) is None
    assert isinstance(FrequencyPhaseTask(objective="metrics").loss(None), FrequencyPhaseLoss)
