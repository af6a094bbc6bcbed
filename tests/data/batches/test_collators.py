from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from brant_hf import BrantFeatureExtractor, BrantForSeizureDetection
from brant_hf.data import (
    ForecastingCollator,
    ImputationCollator,
    PretrainingCollator,
    SeizureDetectionCollator,
    WindowCollator,
    epoch_callback,
    load,
    prepare,
)

PATCH = 50


def row(channels: int, patches: int = 6, seed: int = 0, labels: bool = True) -> dict:
    rng = np.random.default_rng([seed, channels])
    signal = 50 * rng.standard_normal((channels, patches * PATCH)).astype(np.float32)
    signal.flags.writeable = False
    features = {"input_values": signal, "subject": "s", "start": 0.0, "channel_names": ["x"] * channels}
    return features | ({"labels": rng.integers(0, 2, (channels, patches)).astype(np.int8)} if labels else {})


def rows(*channels: int) -> list[dict]:
    return [row(count, seed=i) for i, count in enumerate(channels)]


def with_gap(features: dict, channel: int, start: int, stop: int) -> dict:
    signal = features["input_values"].copy()
    signal[channel, start:stop] = np.nan
    return features | {"input_values": signal}


def zscore(signal: np.ndarray) -> np.ndarray:
    spread = signal.std(axis=1, keepdims=True)
    return (signal - signal.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)


def arcsinh(signal: np.ndarray) -> np.ndarray:
    return np.arcsinh(signal / 50)


COLLATORS = [
    WindowCollator(),
    PretrainingCollator(patch_length=PATCH),
    ImputationCollator(),
    ImputationCollator(mask="blocks", block_length=20),
    ForecastingCollator(patch_length=PATCH, prediction_length=2 * PATCH),
    SeizureDetectionCollator(),
]


@pytest.mark.parametrize("collator", COLLATORS, ids=lambda collator: type(collator).__name__)
def test_padding_and_channel_mask(collator):
    features = rows(2, 5, 1)
    batch = collator(features)
    assert batch["channel_mask"].dtype == torch.bool
    assert batch["channel_mask"].tolist() == [[True] * n + [False] * (5 - n) for n in (2, 5, 1)]
    assert batch["input_values"].dtype == torch.float32
    for tensor in batch.values():
        assert tensor.shape[:2] == (3, 5)
    padding = ~batch["channel_mask"]
    assert not batch["input_values"][padding].any()
    if "labels" in batch:
        assert (batch["labels"][padding] == -100).all()
        assert (batch["labels"][~padding] != -100).all()
    for i, each in enumerate(features):
        signal = torch.tensor(each["input_values"])[:, : batch["input_values"].shape[2]]
        real = batch["input_values"][i, : len(signal)]
        kept = batch["observed_mask"][i, : len(signal)] if "observed_mask" in batch else torch.ones_like(real).bool()
        assert torch.equal(real[kept], signal[kept])


def test_windows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"same number of samples, these have \[200, 300\]"):
        WindowCollator()([row(2, 6), row(2, 4)])


def test_windows_are_cut_to_the_shortest_before_they_are_normalised():
    long, short = row(2, 6), row(3, 4)
    batch = SeizureDetectionCollator(normalize=zscore, cut_to_shortest=True)([long, short])
    assert batch["input_values"].shape == (2, 3, 4 * PATCH)
    assert batch["labels"].shape == (2, 3, 4)
    expected = zscore(long["input_values"][:, : 4 * PATCH])
    np.testing.assert_allclose(batch["input_values"][0, :2], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(batch["labels"][0, :2], long["labels"][:, :4])
    with_missing = SeizureDetectionCollator(cut_to_shortest=True)([with_gap(long, 0, 20, 30), short])
    assert with_missing["input_values"].shape == (2, 3, 4 * PATCH)
    assert not with_missing["input_values"][0, 0, 20:30].any()


def test_lists_and_tensors_are_taken_too():
    features = rows(2, 3)
    as_lists = [
        {"input_values": each["input_values"].tolist(), "labels": each["labels"].tolist()} for each in features
    ]
    as_tensors = [{k: torch.tensor(each[k]) for k in ("input_values", "labels")} for each in features]
    expected = SeizureDetectionCollator()(features)
    for batch in (SeizureDetectionCollator()(as_lists), SeizureDetectionCollator()(as_tensors)):
        assert all(torch.equal(batch[name], expected[name]) for name in expected)


def test_a_collator_made_from_a_checkpoint(tmp_path, small_config):
    config = small_config(patch_length=PATCH, mask_ratio=0.25, prediction_length=70)
    BrantForSeizureDetection(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"no preprocessor_config\.json"):
        SeizureDetectionCollator.from_pretrained(tmp_path)
    BrantFeatureExtractor(patch_length=PATCH, scale=20.0).save_pretrained(tmp_path)
    pretraining = PretrainingCollator.from_pretrained(tmp_path, seed=3)
    assert (pretraining.patch_length, pretraining.mask_ratio, pretraining.seed) == (PATCH, 0.25, 3)
    assert ImputationCollator.from_pretrained(tmp_path, mask_ratio=0.1).mask_ratio == 0.1
    assert ForecastingCollator.from_pretrained(tmp_path).prediction_length == 70
    batch = SeizureDetectionCollator.from_pretrained(tmp_path)([row(2)])
    np.testing.assert_allclose(batch["input_values"][0], np.arcsinh(row(2)["input_values"] / 20), rtol=1e-6)


def test_microvolts_that_nothing_normalises_are_told_once():
    raw, normalised = row(2), {**row(2), "input_values": row(2)["input_values"] / 50}
    collator = SeizureDetectionCollator()
    with pytest.warns(UserWarning, match=r"as of microvolts, .* from_pretrained\(checkpoint\)"):
        collator([raw])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        collator([raw])
        SeizureDetectionCollator()([normalised])
        SeizureDetectionCollator(normalize=lambda signal: signal)([raw])


def test_normalization_sees_one_window_at_a_time():
    features = rows(2, 3)
    batch = WindowCollator(normalize=zscore)(features)
    np.testing.assert_allclose(batch["input_values"][0, :2], zscore(features[0]["input_values"]), rtol=1e-5, atol=1e-6)
    assert not batch["input_values"][0, 2].any()


def test_missing_samples_become_zero_after_normalization():
    features = with_gap(row(2), 1, 100, 150)
    batch = WindowCollator(normalize=lambda signal: signal + 7)([features])
    assert not batch["input_values"][0, 1, 100:150].any()
    np.testing.assert_allclose(batch["input_values"][0, 0], features["input_values"][0] + 7, rtol=1e-5)


# Channel cap


def test_a_cap_takes_a_random_subset_of_channels_in_order():
    features = row(20)
    subsets = set()
    for seed in range(5):
        batch = SeizureDetectionCollator(max_channels=6, seed=seed)([features])
        assert batch["input_values"].shape == (1, 6, 6 * PATCH)
        chosen = [
            int(np.flatnonzero((features["input_values"] == channel.numpy()).all(axis=1))[0])
            for channel in batch["input_values"][0]
        ]
        assert chosen == sorted(set(chosen))
        assert batch["labels"][0].tolist() == features["labels"][chosen].tolist()
        subsets.add(tuple(chosen))
    assert len(subsets) > 1


def test_a_cap_leaves_smaller_windows_alone():
    assert WindowCollator(max_channels=4)(rows(3, 9))["channel_mask"].sum(axis=1).tolist() == [3, 4]
    with pytest.raises(ValueError, match="max_channels"):
        WindowCollator(max_channels=0)


# Pre-training


@pytest.mark.parametrize("ratio", [0.0, 0.15, 0.4, 1.0])
def test_the_masked_fraction_is_exact_over_real_cells(ratio):
    batch = PretrainingCollator(mask_ratio=ratio, patch_length=PATCH)(rows(1, 7, 4))
    mask = batch["bool_masked_pos"]
    assert (mask.dtype, mask.shape) == (torch.bool, (3, 7, 6))
    assert mask.sum(dim=(1, 2)).tolist() == [round(ratio * n * 6) for n in (1, 7, 4)]
    assert not mask[~batch["channel_mask"]].any()


def test_masks_depend_on_seed_epoch_and_window():
    def mask(window=None, seed=0, epoch=0):
        collator = PretrainingCollator(patch_length=PATCH, seed=seed)
        collator.set_epoch(epoch)
        return collator([window or row(5)])["bool_masked_pos"]

    first = mask()
    assert torch.equal(first, mask())
    for other in (mask(seed=1), mask(epoch=1), mask(row(5, seed=8)), mask(row(5) | {"pass": 1})):
        assert not torch.equal(first, other)


def test_masks_do_not_depend_on_rank_or_on_the_rest_of_the_batch(monkeypatch):
    collator = PretrainingCollator(patch_length=PATCH, max_channels=4)
    one, other, third = rows(5, 5, 5)
    together = collator([one, other])["bool_masked_pos"]
    monkeypatch.setenv("RANK", "1")
    assert torch.equal(collator([third, other])["bool_masked_pos"][1], together[1])
    assert torch.equal(collator([one])["bool_masked_pos"][0], together[0])
    assert not torch.equal(together[0], together[1])


def test_a_window_must_hold_whole_patches():
    with pytest.raises(ValueError, match="whole number of patches of 70"):
        PretrainingCollator(patch_length=70)(rows(2))


# Imputation


@pytest.mark.parametrize("mask", ["points", "blocks"])
def test_imputation_hides_samples_and_keeps_the_target(mask):
    features = rows(2, 4)
    batch = ImputationCollator(mask=mask, block_length=30, mask_ratio=0.4, normalize=arcsinh)(features)
    observed = batch["observed_mask"]
    assert (observed.dtype, observed.shape) == (torch.bool, (2, 4, 300))
    assert (~observed[0, :2]).sum(dim=1).tolist() == [120, 120]
    assert not observed[0, 2:].any()
    np.testing.assert_allclose(batch["labels"][1], arcsinh(features[1]["input_values"]), rtol=1e-6)
    assert torch.equal(batch["input_values"], batch["labels"].masked_fill(~observed, 0))


def test_unknown_samples_are_no_target():
    features = [with_gap(row(3), 1, 0, 10), with_gap(row(1), 0, 5, 6)]
    for collator in COLLATORS[1:5]:
        batch = collator(features)
        assert batch["channel_mask"].tolist() == [[True, True]]
        assert all(torch.isfinite(tensor).all() for tensor in batch.values())
    with pytest.raises(ValueError, match="max_missing=0"):
        ImputationCollator()(features[1:])


@pytest.mark.parametrize("settings", [{"mask_ratio": 1.5}, {"mask": "stripes"}, {"mask": "blocks", "block_length": 0}])
def test_imputation_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=list(settings)[-1]):
        ImputationCollator(**settings)


# Forecasting


def test_context_and_horizon_follow_each_other():
    features = rows(2, 3)
    batch = ForecastingCollator(patch_length=PATCH, prediction_length=100)(features)
    assert batch["input_values"].shape == (2, 3, 200)
    assert batch["labels"].shape == (2, 3, 100)
    assert torch.equal(batch["input_values"][1], torch.tensor(features[1]["input_values"][:, :200]))
    assert torch.equal(batch["labels"][1], torch.tensor(features[1]["input_values"][:, 200:]))
    batch = ForecastingCollator(patch_length=PATCH, prediction_length=70, context_length=100)(features)
    assert torch.equal(batch["input_values"][1], torch.tensor(features[1]["input_values"][:, :100]))
    assert torch.equal(batch["labels"][1], torch.tensor(features[1]["input_values"][:, 100:170]))


@pytest.mark.parametrize("normalize", [zscore, arcsinh, lambda signal: signal], ids=["zscore", "arcsinh", "none"])
def test_the_future_does_not_reach_the_context(normalize):
    one, other = row(3), row(3)
    other["input_values"] = one["input_values"].copy()
    other["input_values"][:, 200:] *= 10
    collator = ForecastingCollator(patch_length=PATCH, prediction_length=100, normalize=normalize)
    assert torch.equal(collator([one])["input_values"], collator([other])["input_values"])


def test_the_horizon_is_normalized_by_the_context():
    features = row(3)
    features["input_values"] = features["input_values"].copy()
    features["input_values"][1, :200] = 4.0
    batch = ForecastingCollator(patch_length=PATCH, prediction_length=100, normalize=zscore)([features])
    context, future = features["input_values"][:, :200], features["input_values"][:, 200:]
    spread = np.array([[context[0].std()], [1], [context[2].std()]])
    np.testing.assert_allclose(batch["labels"][0], (future - context.mean(axis=1, keepdims=True)) / spread, atol=1e-4)
    batch = ForecastingCollator(patch_length=PATCH, prediction_length=100, normalize=arcsinh)([features])
    np.testing.assert_allclose(batch["labels"][0], arcsinh(future), rtol=1e-5)


def test_a_normalization_that_cannot_be_continued_is_refused():
    collator = ForecastingCollator(
        patch_length=PATCH,
        prediction_length=100,
        normalize=lambda x: np.sign(x) * np.argsort(np.argsort(x, axis=1), axis=1),
    )
    with pytest.raises(ValueError, match="shift and scale"):
        collator(rows(2))


@pytest.mark.parametrize("settings", [{"prediction_length": 300}, {"prediction_length": 70}, {"context_length": 250}])
def test_windows_too_short_for_the_horizon(settings):
    collator = ForecastingCollator(**{"patch_length": PATCH, "prediction_length": 100, **settings})
    with pytest.raises(ValueError, match="prepare the dataset with more patches"):
        collator(rows(2))


# Detection


def test_detection_labels_are_padded_with_the_ignored_label():
    features = rows(2, 3)
    features[1]["labels"][0, 0] = -100
    labels = SeizureDetectionCollator()(features)["labels"]
    assert (labels.dtype, labels.shape) == (torch.int64, (2, 3, 6))
    assert labels[0, :2].tolist() == features[0]["labels"].tolist()
    assert (labels[0, 2] == -100).all()
    assert labels[1, 0, 0] == -100


def test_detection_without_labels_is_an_error():
    with pytest.raises(ValueError, match="labels=True"):
        SeizureDetectionCollator()([row(2, labels=False)])


# In a Trainer


class _Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.batches: list[dict] = []

    def forward(self, input_values, channel_mask=None, bool_masked_pos=None, return_loss=True):
        self.batches.append(
            {"input_values": input_values.clone(), "channel_mask": channel_mask, "mask": bool_masked_pos}
        )
        return {"loss": (self.weight * input_values).square().mean()}


@pytest.fixture
def folder(tmp_path, make_recording, plain):
    recordings = [make_recording(channels=2 + i, seconds=13, subject=f"s{i}", seed=i) for i in range(3)]
    prepare(recordings, tmp_path / "windows", plain, patch_length=250, num_patches=3, progress=False)
    return tmp_path / "windows"


@pytest.mark.parametrize("streaming", [False, True])
def test_the_stock_trainer_takes_dataset_and_collator(folder, tmp_path, streaming):
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        tmp_path / "run",
        per_device_train_batch_size=4,
        max_steps=3,
        dataloader_num_workers=2,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    model = _Model()
    collator = PretrainingCollator(patch_length=250, normalize=arcsinh)
    Trainer(model, arguments, train_dataset=load(folder, streaming=streaming), data_collator=collator).train()
    assert len(model.batches) == 3
    for batch in model.batches:
        cells = batch["channel_mask"].sum(dim=1) * 3
        assert batch["mask"].sum(dim=(1, 2)).tolist() == [round(0.4 * n) for n in cells.tolist()]
        assert batch["input_values"].abs().max() < 5


def test_batches_of_one_window_are_masked_anew_in_each_epoch(folder, tmp_path):
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        tmp_path / "run",
        per_device_train_batch_size=1,
        num_train_epochs=3,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    model, collator = _Model(), PretrainingCollator(patch_length=250)
    dataset = load(folder).select([0])
    callbacks = [epoch_callback(collator)]
    Trainer(model, arguments, train_dataset=dataset, data_collator=collator, callbacks=callbacks).train()
    assert len({batch["mask"].numpy().tobytes() for batch in model.batches}) == 3


def test_workers_and_skipped_batches_do_not_change_the_masks(folder):
    from accelerate import skip_first_batches

    dataset = load(folder)
    collator = PretrainingCollator(patch_length=250)
    loaders = [torch.utils.data.DataLoader(dataset, 4, collate_fn=collator, num_workers=workers) for workers in (0, 2)]
    alone, shared = ([batch["bool_masked_pos"] for batch in loader] for loader in loaders)
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))
    resumed = [batch["bool_masked_pos"] for batch in skip_first_batches(loaders[1], 1)]
    assert all(torch.equal(a, b) for a, b in zip(alone[1:], resumed, strict=True))


def test_a_new_epoch_reaches_workers_that_go_on(folder):
    collator = PretrainingCollator(patch_length=250)
    loader = torch.utils.data.DataLoader(load(folder), 12, collate_fn=collator, num_workers=1, persistent_workers=True)
    masks = []
    for epoch in (0, 1, 0):
        collator.set_epoch(epoch)
        masks.append(next(iter(loader))["bool_masked_pos"])
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[1])
