"""Parameter groups, resumption, accumulated losses and the order of evaluations."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import TrainingArguments

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForSeizureDetection
from brant_hf.data import Augmentation, AugmentedWindows, SeizureDetectionCollator
from brant_hf.training import RecipeTrainer, SeizureDetectionMetrics, WeightedDetectionLoss, apply_tuning

PATCH_LENGTH, PATCHES = 20, 4


def _model(**fields) -> BrantForSeizureDetection:
    torch.manual_seed(0)
    config = BrantConfig(
        patch_length=PATCH_LENGTH,
        num_patches=PATCHES,
        hidden_size=16,
        intermediate_size=24,
        num_temporal_layers=1,
        num_spatial_layers=1,
        num_attention_heads=2,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        **fields,
    )
    return BrantForSeizureDetection(config)


def _windows(channels: list[int], seed: int = 0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "input_values": rng.normal(0, 30, (count, PATCHES * PATCH_LENGTH)).astype(np.float32),
            "labels": rng.integers(0, 2, (count, PATCHES)).astype(np.int8),
        }
        for count in channels
    ]


def _trainer(folder, model=None, *, windows=None, schedule=None, head_learning_rate=None, **options) -> RecipeTrainer:
    extractor = BrantFeatureExtractor(patch_length=PATCH_LENGTH, num_patches=PATCHES)
    trainer_names = ("compute_metrics", "preprocess_logits_for_metrics", "compute_loss_func")
    trainer_options = {name: options.pop(name) for name in trainer_names if name in options}
    settings = {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "logging_steps": 1, **options}
    return RecipeTrainer(
        model=_model() if model is None else model,
        args=TrainingArguments(str(folder), remove_unused_columns=False, dataloader_pin_memory=False, **settings),
        data_collator=SeizureDetectionCollator(normalize=extractor.normalize_signal),
        train_dataset=windows or _windows([2] * 8),
        processing_class=extractor,
        head_learning_rate=head_learning_rate,
        schedule=schedule,
        **trainer_options,
    )


def _groups(trainer: RecipeTrainer) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each trained parameter."""
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    optimizer = trainer.create_optimizer()
    found = {}
    for group in optimizer.param_groups:
        assert group["params"]
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            found[names[id(parameter)]] = group["lr"], group["weight_decay"]
    assert set(found) == {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}
    return found


RATES = {"learning_rate": 1e-5, "head_learning_rate": 1e-3, "weight_decay": 0.1}


def test_encoder_and_head_have_their_own_rates(tmp_path):
    groups = _groups(_trainer(tmp_path, **RATES))
    assert {name.split(".")[0] for name in groups} == {"brant", "detection_head"}
    for name, (rate, decay) in groups.items():
        assert rate == (1e-5 if name.startswith("brant.") else 1e-3), name
        if name.endswith("bias") or "norm" in name:
            assert decay == 0, name
        elif name.endswith("proj.weight"):
            assert decay == 0.1, name


def test_without_a_rate_of_the_head_all_have_the_same(tmp_path):
    assert {rate for rate, _ in _groups(_trainer(tmp_path, learning_rate=1e-5)).values()} == {1e-5}


def test_adapters_have_the_rate_of_the_encoder(tmp_path):
    model = apply_tuning(_model(), "lora")
    assert isinstance(model, PeftModel)
    groups = _groups(_trainer(tmp_path, model, **RATES))
    adapters = {name for name in groups if "lora_" in name}
    assert adapters
    for name, (rate, _) in groups.items():
        assert rate == (1e-5 if name in adapters else 1e-3), name
        assert name in adapters or "detection_head.modules_to_save" in name


def test_frozen_encoder_is_in_no_group(tmp_path):
    groups = _groups(_trainer(tmp_path, apply_tuning(_model(), "frozen"), **RATES))
    assert {rate for rate, _ in groups.values()} == {1e-3}


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_resumed_training_has_the_groups_and_the_weights_of_an_uninterrupted_one(tmp_path, tuning):
    options = {"schedule": "multistep", "max_steps": 8, "save_steps": 3, "per_device_train_batch_size": 2}
    options |= {"learning_rate": 1e-3, "head_learning_rate": 1e-2}
    whole = _trainer(tmp_path, apply_tuning(_model(), tuning), **options)
    whole.train()
    resumed = _trainer(tmp_path, apply_tuning(_model(), tuning), **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    groups = [
        [(group["lr"], group["initial_lr"], len(group["params"])) for group in trainer.optimizer.param_groups]
        for trainer in (whole, resumed)
    ]
    assert groups[0] == groups[1]
    # Three quarters of the steps have passed.
    assert {initial for _, initial, _ in groups[0]} == {1e-3, 1e-2}
    assert all(rate == pytest.approx(initial / 1000) for rate, initial, _ in groups[0])
    expected, found = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("compute_loss_func", [None, WeightedDetectionLoss(), WeightedDetectionLoss((1.0, 1.0), 2.0)])
def test_accumulated_batches_train_as_one(tmp_path, compute_loss_func):
    """All batches have as many labels, so that the mean of their means is that of the large batch."""
    ends = []
    for batch_size, batches in ((4, 1), (1, 4)):
        trainer = _trainer(
            tmp_path,
            optim="sgd",
            learning_rate=0.1,
            max_steps=2,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=batches,
            compute_loss_func=compute_loss_func,
            save_strategy="no",
        )
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        norms = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
        ends.append((losses, norms))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-4)
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-4)


def test_each_evaluation_reads_its_own_windows_with_workers_that_stay(tmp_path):
    validation, test = _windows([2] * 2, seed=1), _windows([2] * 3, seed=2)
    trainer = _trainer(tmp_path, dataloader_num_workers=1, dataloader_persistent_workers=True)
    first = trainer.get_eval_dataloader(validation)
    assert trainer.get_eval_dataloader(validation) is first
    assert trainer.get_eval_dataloader(test).dataset is test


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_evaluation_keeps_the_order_of_the_windows(tmp_path, strategy):
    """Windows with more channels would come first, and count for other patients."""
    channels = [1, 3, 2, 5, 1, 4, 2, 5]
    windows = _windows(channels, seed=1)
    subjects = ["a", "a", "b", "b", "c", "c", "d", "d"]
    metrics = SeizureDetectionMetrics(subjects, patch_duration=1.0)
    trainer = _trainer(
        tmp_path,
        windows=windows,
        train_sampling_strategy=strategy,
        per_device_eval_batch_size=3,
        batch_eval_metrics=True,
        compute_metrics=metrics,
        preprocess_logits_for_metrics=metrics.reduce,
    )
    trainer.evaluate(windows)
    rows = {row["subject"]: row for row in metrics.per_subject}
    for subject, first in (("a", 0), ("b", 2), ("c", 4), ("d", 6)):
        labels = np.concatenate([window["labels"].ravel() for window in windows[first : first + 2]])
        assert rows[subject]["seizure_patches"] == labels.sum()
        with torch.no_grad():
            outputs = [
                trainer.model(**trainer.data_collator([window])).logits.softmax(-1)[..., 1].ravel()
                for window in windows[first : first + 2]
            ]
        detected = (torch.cat(outputs) >= 0.5).numpy()
        assert rows[subject]["accuracy"] == pytest.approx((detected == labels).mean())


@pytest.mark.parametrize("augmented", [False, True])
def test_windows_are_grouped_by_channels_without_reading_them(tmp_path, monkeypatch, augmented):
    counts = np.random.default_rng(0).integers(1, 9, 120).tolist()
    rows = Dataset.from_list(_windows(counts))
    windows = AugmentedWindows(rows, Augmentation(), 250.0) if augmented else rows
    trainer = _trainer(
        tmp_path, windows=windows, train_sampling_strategy="group_by_length", per_device_train_batch_size=4
    )

    def read(*_):
        raise AssertionError("a window was read")

    monkeypatch.setattr(Dataset, "__iter__", read)
    monkeypatch.setattr(AugmentedWindows, "__getitem__", read)
    order = list(trainer._get_train_sampler(windows))
    assert sorted(order) == list(range(120))
    assert np.mean([np.ptp([counts[i] for i in order[first : first + 4]]) for first in range(0, 120, 4)]) < 1
