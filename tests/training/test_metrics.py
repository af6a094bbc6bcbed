from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
from sklearn import metrics as sk
from transformers import EvalPrediction, Trainer, TrainingArguments

from brant_hf import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForSeizureDetection,
)
from brant_hf.data import ForecastingCollator, ImputationCollator, SeizureDetectionCollator
from brant_hf.training.metrics import (
    ForecastingMetrics,
    FrequencyPhaseMetrics,
    ImputationMetrics,
    SeizureDetectionMetrics,
)

PATCH, PATCHES, HORIZON = 30, 4, 60
SUBJECTS = ["a", "b", "a", "c", "b", "c", "c"]
CHANNELS = [2, 5, 1, 3, 4, 2, 2]


def evaluate(metrics, predictions, labels):
    return metrics(EvalPrediction(predictions=predictions, label_ids=labels))


def errors(predicted, target) -> dict[str, float]:
    """What scikit-learn says."""
    predicted, target = np.ravel(predicted).astype(np.float64), np.ravel(target).astype(np.float64)
    return {
        "mae": sk.mean_absolute_error(target, predicted),
        "mse": sk.mean_squared_error(target, predicted),
        "rmse": sk.root_mean_squared_error(target, predicted),
        "mape": sk.mean_absolute_percentage_error(target, predicted),
    }


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture
def padded():
    """Forecasts and labels of 7 windows with different numbers of channels, and the real values of each window."""
    predicted, target = noise(7, 5, HORIZON, seed=1), noise(7, 5, HORIZON, seed=2)
    pairs = [(predicted[i, :count].copy(), target[i, :count].copy()) for i, count in enumerate(CHANNELS)]
    for i, count in enumerate(CHANNELS):
        predicted[i, count:] = np.nan
        target[i, count:] = -100
    return predicted, target, pairs


# Forecasting


def test_forecasting_equals_scikit_learn_over_real_channels(padded):
    predicted, target, pairs = padded
    result = evaluate(ForecastingMetrics(), predicted, target)
    expected = errors(*(np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1)))
    assert result == pytest.approx(expected, rel=1e-5)
    assert all(type(value) is float for value in result.values())


def test_a_target_of_zero_keeps_the_relative_error_finite():
    result = evaluate(ForecastingMetrics(), np.full((1, 1, 4), 0.5), np.array([[[0.0, 1, -1, 2]]]))
    assert result["mape"] == pytest.approx((0.5 / 1.17e-6 + 0.5 + 1.5 + 0.75) / 4, rel=1e-5)


def test_patients(padded):
    predicted, target, pairs = padded
    metrics = ForecastingMetrics(SUBJECTS, num_resamples=200, min_subjects=3)
    result = evaluate(metrics, predicted, target)
    rows = {}
    for subject in "abc":
        own = [pair for pair, name in zip(pairs, SUBJECTS, strict=True) if name == subject]
        rows[subject] = errors(*(np.concatenate([pair[k].ravel() for pair in own]) for k in (0, 1)))
    assert [row["subject"] for row in metrics.per_subject] == ["a", "b", "c"]
    assert [row["windows"] for row in metrics.per_subject] == [2, 2, 3]
    for row in metrics.per_subject:
        assert {name: row[name] for name in rows[row["subject"]]} == pytest.approx(rows[row["subject"]], rel=1e-5)
    for name in ("mae", "mse", "rmse", "mape"):
        assert result[f"{name}_subject_mean"] == pytest.approx(np.mean([row[name] for row in rows.values()]), rel=1e-5)
        assert result[f"{name}_low"] <= result[name] <= result[f"{name}_high"]
        assert result[f"{name}_low"] < result[f"{name}_high"]


def test_intervals_agree_with_scipy():
    # One window of equal length for each patient: the pooled error is the mean of the patients' errors.
    patient_errors = np.random.default_rng(0).gamma(2, 1, 20)
    predicted = np.broadcast_to(patient_errors[:, None, None], (20, 1, 8))
    metrics = ForecastingMetrics([f"p{i}" for i in range(20)], num_resamples=20000, confidence_level=0.9)
    result = evaluate(metrics, predicted.copy(), np.full((20, 1, 8), 1e-9))
    expected = scipy.stats.bootstrap(
        (patient_errors,), np.mean, n_resamples=20000, confidence_level=0.9, method="percentile", rng=1
    ).confidence_interval
    assert (result["mae_low"], result["mae_high"]) == pytest.approx(tuple(expected), rel=0.01)


def test_patients_are_drawn_with_all_their_windows():
    # Two patients: each is drawn twice in a quarter of the resamples, so the interval reaches from one to the other.
    predicted = np.zeros((10, 1, 4))
    predicted[5:] = 3
    result = evaluate(ForecastingMetrics(["x"] * 5 + ["y"] * 5, min_subjects=2), predicted, np.full((10, 1, 4), 1e-9))
    assert (result["mae_low"], result["mae"], result["mae_high"]) == pytest.approx((0, 1.5, 3), abs=1e-6)


@pytest.mark.parametrize(("subjects", "options"), [("abcdaaa", {}), ("aaaaaaa", {"min_subjects": 1})])
def test_few_patients_have_no_interval(padded, subjects, options):
    predicted, target, _ = padded
    result = evaluate(ForecastingMetrics(list(subjects), **options), predicted, target)
    assert set(result) == {f"{name}{end}" for name in ("mae", "mse", "rmse", "mape") for end in ("", "_subject_mean")}


def test_wrong_number_of_subjects(padded):
    predicted, target, _ = padded
    metrics = ForecastingMetrics(SUBJECTS[:-1])
    with pytest.raises(ValueError, match="6 subjects were given for 7 evaluated windows"):
        evaluate(metrics, predicted, target)
    metrics.subjects = SUBJECTS
    assert "mae" in evaluate(metrics, predicted, target)  # the failed evaluation left nothing behind


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="none of 2 windows"):
        evaluate(ForecastingMetrics(), np.zeros((2, 1, 4)), np.full((2, 1, 4), -100.0))
    with pytest.raises(ValueError, match="none of 2 windows has a labelled patch"):
        evaluate(SeizureDetectionMetrics(patch_duration=6), np.zeros((2, 1, 4, 2)), np.full((2, 1, 4), -100))


def test_a_patient_without_real_channels_has_no_metrics(padded):
    predicted, target, _ = padded
    target[1] = target[4] = -100  # patient b
    metrics = ForecastingMetrics(SUBJECTS)
    result = evaluate(metrics, predicted, target)
    nothing = dict.fromkeys(["mae", "mse", "rmse", "mape"])
    assert metrics.per_subject[1] == {"subject": "b", "windows": 2, **nothing}
    assert result["mae_subject_mean"] == pytest.approx(np.mean([metrics.per_subject[i]["mae"] for i in (0, 2)]))
    assert all(np.isfinite(value) for value in result.values())


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (ForecastingMetrics, {"num_resamples": 0}),
        (ForecastingMetrics, {"confidence_level": 1.0}),
        (FrequencyPhaseMetrics, {"sampling_rate": 0}),
        (SeizureDetectionMetrics, {"patch_duration": -1}),
        (SeizureDetectionMetrics, {"threshold": 1.5}),
        (SeizureDetectionMetrics, {"false_alarms_per_hour": -1}),
    ],
)
def test_settings_that_make_no_sense(make, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        make(**settings)


# Imputation


def test_imputation_separates_missing_samples_from_all(padded):
    reconstruction, target, pairs = padded
    observed = np.random.default_rng(3).random(target.shape) < 0.6
    imputed = np.where(observed & (target != -100), target, reconstruction)
    result = evaluate(ImputationMetrics(), (reconstruction, imputed), target)
    missing, complete = [], []
    for i, (predicted, truth) in enumerate(pairs):
        seen = observed[i, : len(truth)]
        missing.append((predicted[~seen], truth[~seen]))
        complete.append((np.where(seen, truth, predicted).ravel(), truth.ravel()))
    for part, pieces in (("missing", missing), ("all", complete)):
        expected = errors(*(np.concatenate([piece[k] for piece in pieces]) for k in (0, 1)))
        assert {name: result[f"{part}_{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_samples_that_the_reconstruction_happens_to_hit_count_as_observed():
    target = np.array([[[1.0, 2, 3, 4]]], np.float32)
    reconstruction = np.array([[[1.0, 9, 3.5, 4.5]]], np.float32)  # the first is observed and reconstructed exactly
    imputed = np.array([[[1.0, 2, 3.5, 4.5]]], np.float32)
    assert evaluate(ImputationMetrics(), (reconstruction, imputed), target)["missing_mae"] == 0.5


def test_imputed_values_in_half_precision():
    target = torch.tensor(noise(2, 3, 400))
    observed = torch.tensor(noise(2, 3, 400, seed=1)) < 0.5
    reconstruction = (target + 10).bfloat16()
    imputed = torch.where(observed, target.bfloat16(), reconstruction)
    metrics = ImputationMetrics()
    sums = metrics.reduce((reconstruction, imputed), target)
    assert sums[:, 0].tolist() == (~observed).sum(dim=(1, 2)).tolist()


# Frequency and phase


def test_frequency_and_phase_of_a_sine():
    rate, samples = 100.0, 200
    times = np.arange(samples) / rate
    target = np.stack([np.cos(2 * np.pi * f * times) for f in (5, 10)])[None]
    true_phase = np.angle(scipy.signal.hilbert(target))
    # The second channel: as far from the truth as it is near, half of the time each.
    shift = np.where(np.arange(samples) < samples / 2, 0, np.pi)
    predicted = np.stack([true_phase[:, 0] + 0.7, true_phase[:, 1] + shift], axis=1) / (np.pi / np.sqrt(3))
    frequency = np.array([[0.05, 0.13]])
    result = evaluate(FrequencyPhaseMetrics(sampling_rate=rate), (frequency, predicted), target)
    assert result["plv"] == pytest.approx((1 + 0) / 2, abs=1e-5)
    assert result["frequency_mae"] == pytest.approx(0.015, abs=1e-6)
    assert result["frequency_mae_hz"] == pytest.approx(1.5, abs=1e-4)


def test_phase_locking_of_noise_and_padding(padded):
    phase, target, pairs = padded
    frequency = np.full(target.shape[:2], np.nan)
    frequency[target[..., 0] != -100] = 0.1
    result = evaluate(FrequencyPhaseMetrics(), (frequency, phase), target)
    assert "frequency_mae_hz" not in result
    locking, distance = [], []
    for predicted, truth in pairs:
        difference = predicted * np.pi / np.sqrt(3) - np.angle(scipy.signal.hilbert(truth))
        locking += list(np.abs(np.exp(1j * difference).mean(axis=-1)))
        peak = np.abs(np.fft.fft(truth)).argmax(axis=-1)
        distance += list(np.abs(np.fft.fftfreq(HORIZON)[np.minimum(peak, HORIZON - peak)] - 0.1))
    assert result["plv"] == pytest.approx(np.mean(locking), rel=1e-4)
    assert result["frequency_mae"] == pytest.approx(np.mean(distance), rel=1e-4)


# Detection


def detection_set(windows: int = 60, seed: int = 0, decimals: int | None = None):
    """Informative probabilities (windows, 3, 4), labels with -100, and 6 patients of different prevalence."""
    rng = np.random.default_rng(seed)
    subjects = [f"p{i}" for i in rng.integers(0, 6, windows)]
    labels = (rng.random((windows, 3, 4)) < 0.05 + 0.1 * (np.array(subjects) == "p1")[:, None, None]).astype(np.int64)
    scores = 1 / (1 + np.exp(-(rng.standard_normal(labels.shape) + 2 * labels - 1)))
    scores = scores if decimals is None else scores.round(decimals)
    labels[rng.random(labels.shape) < 0.1] = -100
    return scores.astype(np.float32), labels, subjects


def expected_detection(scores, truth, threshold=0.5, allowed=0) -> dict[str, float]:
    detected = scores >= threshold
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, detected, average="binary")
    sensitivity = [
        (scores[truth == 1] >= cut).mean()
        for cut in [*np.unique(scores), 2]
        if (scores[truth == 0] >= cut).sum() <= allowed
    ]
    return {
        "accuracy": sk.accuracy_score(truth, detected),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "f2": sk.fbeta_score(truth, detected, beta=2),
        "auroc": sk.roc_auc_score(truth, scores),
        "auprc": sk.average_precision_score(truth, scores),
        "sensitivity_at_fa_rate": max(sensitivity),
    }


def test_detection_equals_scikit_learn():
    scores, labels, _ = detection_set()
    logits = np.stack([np.zeros_like(scores), np.log(scores / (1 - scores))], axis=-1)
    known = labels != -100
    background = (labels == 0).sum()
    # 600 patches of 6 s an hour: 10 false alarms an hour are 1 background patch in 60.
    metrics = SeizureDetectionMetrics(patch_duration=6, false_alarms_per_hour=10, threshold=0.4)
    result = evaluate(metrics, logits, labels)
    expected = expected_detection(scores[known], labels[known], threshold=0.4, allowed=int(background / 60))
    assert result == pytest.approx(expected, rel=1e-6)


def test_the_duration_of_a_patch_comes_from_the_model(small_config):
    config = small_config(
        patch_length=50, sampling_rate=100, id2label={0: "seizure", 1: "rest"}, label2id={"seizure": 0, "rest": 1}
    )
    metrics = SeizureDetectionMetrics(config=config)
    assert (metrics.patch_duration, metrics.seizure_label) == (0.5, 0)
    with pytest.raises(ValueError, match="give config="):
        SeizureDetectionMetrics()
    with pytest.raises(ValueError, match=r"patch_duration is 6 s, and the model has patches of 0.5 s"):
        SeizureDetectionMetrics(config=config, patch_duration=6)
    with pytest.raises(ValueError, match="sampling_rate is 250 Hz, and the model has 100 Hz"):
        FrequencyPhaseMetrics(config=config, sampling_rate=250)


def test_four_patches_by_hand():
    probabilities = np.array([[[0.9, 0.8, 0.6, 0.1]]], np.float32)
    labels = np.array([[[1, 0, 1, 0]]])
    result = evaluate(SeizureDetectionMetrics(patch_duration=1), probabilities, labels)
    assert result == pytest.approx(
        {
            "accuracy": 3 / 4,
            "precision": 2 / 3,
            "recall": 1,
            "f1": 4 / 5,
            "f2": 10 / 11,
            "auroc": 3 / 4,
            "auprc": (1 + 2 / 3) / 2,
            "sensitivity_at_fa_rate": 1 / 2,
        }
    )
    # 3600 patches an hour, half of the background patches may be false alarms.
    metrics = SeizureDetectionMetrics(patch_duration=1, false_alarms_per_hour=1800)
    assert evaluate(metrics, probabilities, labels)["sensitivity_at_fa_rate"] == 1


def test_a_probability_that_equals_the_threshold_is_detected():
    metrics = SeizureDetectionMetrics(["a", "b"], patch_duration=6, threshold=0.7, min_subjects=2)
    probabilities = np.array([[[0.7, 0.1]], [[0.7, 0.2]]], np.float32)
    result = evaluate(metrics, probabilities, np.array([[[1, 0]], [[1, 0]]]))
    assert (result["recall"], result["recall_low"]) == (1, 1)


@pytest.mark.parametrize("decimals", [2, None])
def test_resampled_detection_metrics_equal_scikit_learn_on_the_drawn_patients(decimals):
    scores, labels, subjects = detection_set(windows=120, decimals=decimals)
    metrics = SeizureDetectionMetrics(subjects, patch_duration=6, false_alarms_per_hour=20)
    record = metrics._record(torch.tensor(scores), torch.tensor(labels), 0)
    names = sorted(set(subjects))
    patients = np.array([names.index(subject) for subject in subjects])
    weights = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), size=5).astype(float)
    resampled = metrics._resampled(record, patients, weights)
    for draw, drawn in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(120), drawn[patients])
        known = labels[rows] != -100
        truth, drawn_scores = labels[rows][known], scores[rows][known]
        expected = expected_detection(drawn_scores, truth, allowed=int((truth == 0).sum() * 20 * 6 / 3600 + 1e-9))
        assert {name: values[draw] for name, values in resampled.items()} == pytest.approx(expected, rel=1e-6)


def test_many_scores_are_resampled_in_bins(monkeypatch):
    import brant_hf.training.metrics.detection as detection

    scores, labels, subjects = detection_set(windows=400)
    exact = evaluate(SeizureDetectionMetrics(subjects, patch_duration=6, false_alarms_per_hour=20), scores, labels)
    monkeypatch.setattr(detection, "NUM_QUANTILES", 200)
    binned = evaluate(SeizureDetectionMetrics(subjects, patch_duration=6, false_alarms_per_hour=20), scores, labels)
    for name in ("accuracy", "precision", "recall", "f1", "f2"):  # the threshold is a border of the bins
        assert binned[f"{name}_low"] == exact[f"{name}_low"]
    for name in ("auroc", "auprc", "sensitivity_at_fa_rate"):
        assert binned[f"{name}_low"] == pytest.approx(exact[f"{name}_low"], abs=0.01)
        assert binned[f"{name}_high"] == pytest.approx(exact[f"{name}_high"], abs=0.01)
    assert {name: binned[name] for name in ("auroc", "auprc")} == {name: exact[name] for name in ("auroc", "auprc")}


def test_one_class_only():
    scores, labels, subjects = detection_set()
    background = np.where(labels == 1, 0, labels)
    result = evaluate(SeizureDetectionMetrics(subjects, patch_duration=6), scores, background)
    assert set(result) == {f"accuracy{end}" for end in ("", "_low", "_high", "_subject_mean")}
    seizures = evaluate(SeizureDetectionMetrics(patch_duration=6), scores, np.where(labels == 0, 1, labels))
    assert set(seizures) == {"accuracy", "precision", "recall", "f1", "f2", "auprc"}
    assert all(np.isfinite(value) for value in [*result.values(), *seizures.values()])


def test_patients_without_seizures_count_where_they_can():
    scores, labels, subjects = detection_set()
    labels[np.array(subjects) == "p2"] = 0
    metrics = SeizureDetectionMetrics(subjects, patch_duration=6)
    result = evaluate(metrics, scores, labels)
    rows = {row["subject"]: row for row in metrics.per_subject}
    assert rows["p2"]["seizure_patches"] == 0
    assert rows["p2"]["background_patches"] == 12 * subjects.count("p2")
    assert rows["p2"]["accuracy"] is not None
    assert rows["p2"]["recall"] is None
    others = [row["f2"] for name, row in rows.items() if name != "p2"]
    assert result["f2_subject_mean"] == pytest.approx(np.mean(others))
    own = (np.array(subjects) == "p1")[:, None, None] & (labels != -100)
    expected = expected_detection(scores[own], labels[own])
    assert {name: rows["p1"][name] for name in expected} == pytest.approx(expected)


def test_probabilities_that_are_not_numbers():
    scores, labels, _ = detection_set()
    scores[labels == 0] = np.nan
    with pytest.raises(ValueError, match="diverged"):
        evaluate(SeizureDetectionMetrics(patch_duration=6), scores, labels)


# In a Trainer


def rows() -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            "input_values": 50 * rng.standard_normal((channels, PATCHES * PATCH)).astype(np.float32),
            "labels": rng.integers(0, 2, (channels, PATCHES)).astype(np.int8),
        }
        for channels in CHANNELS
    ]


def normalize(signal: np.ndarray) -> np.ndarray:
    return np.arcsinh(signal / 50)


TASKS = {
    "forecasting": (
        BrantForForecasting,
        ForecastingCollator(patch_length=PATCH, prediction_length=HORIZON, normalize=normalize),
        ForecastingMetrics,
    ),
    "frequency-phase": (
        BrantForFrequencyPhaseForecasting,
        ForecastingCollator(patch_length=PATCH, prediction_length=HORIZON, normalize=normalize),
        FrequencyPhaseMetrics,
    ),
    "imputation": (BrantForImputation, ImputationCollator(normalize=normalize), ImputationMetrics),
    "detection": (
        BrantForSeizureDetection,
        SeizureDetectionCollator(normalize=normalize),
        partial(SeizureDetectionMetrics, patch_duration=6),
    ),
}


@pytest.fixture
def run_trainer(small_config, tmp_path):
    def run(task: str, reduce: bool = True, **options) -> tuple[dict[str, float], list[dict]]:
        make_model, collator, make_metrics = TASKS[task]
        torch.manual_seed(0)
        model = make_model(small_config(patch_length=PATCH, num_patches=PATCHES, prediction_length=HORIZON))
        metrics = make_metrics(SUBJECTS)
        arguments = TrainingArguments(
            tmp_path, per_device_eval_batch_size=2, report_to=[], use_cpu=True, disable_tqdm=True, **options
        )
        trainer = Trainer(
            model,
            arguments,
            eval_dataset=rows(),
            data_collator=collator,
            compute_metrics=metrics,
            preprocess_logits_for_metrics=metrics.reduce if reduce else None,
        )
        results = [trainer.evaluate() for _ in range(2)]  # metrics start anew
        clocks = ("eval_runtime", "per_second", "preparation_time")
        first, second = ({k: v for k, v in each.items() if not k.endswith(clocks)} for each in results)
        assert first == second
        return first, metrics.per_subject

    return run


@pytest.mark.parametrize("task", TASKS)
def test_every_way_through_the_trainer_gives_the_same(run_trainer, task):
    expected, patients = run_trainer(task)
    assert len(expected) > 4
    assert all(np.isfinite(value) for value in expected.values())
    assert [row["windows"] for row in patients] == [2, 2, 3]
    ways = [
        {"batch_eval_metrics": True},
        {"reduce": False},
        {"reduce": False, "batch_eval_metrics": True},
        {"eval_accumulation_steps": 1},
        {"eval_do_concat_batches": False},
    ]
    for way in ways:
        result, rows_of_patients = run_trainer(task, **way)
        assert result == pytest.approx(expected, rel=1e-5), way
        for row, other in zip(rows_of_patients, patients, strict=True):
            assert row.pop("subject") == other["subject"]
            assert row == pytest.approx({name: other[name] for name in row}, rel=1e-5)
            assert len(row) == len(other) - 1


@pytest.mark.parametrize("task", ["forecasting", "imputation"])
def test_the_loss_of_the_model_and_the_metric_agree(small_config, task):
    make_model, collator, make_metrics = TASKS[task]
    model = make_model(small_config(patch_length=PATCH, num_patches=PATCHES, prediction_length=HORIZON)).eval()
    batch = collator(rows())
    with torch.no_grad():
        outputs = model(**batch)
    metrics = make_metrics()
    predictions = tuple(value for name, value in outputs.items() if name != "loss")
    reduced = metrics.reduce(predictions if len(predictions) > 1 else predictions[0], batch["labels"])
    result = evaluate(metrics, reduced, batch["labels"])
    name = {"forecasting": "mse", "imputation": "missing_mse"}[task]
    assert result[name] == pytest.approx(outputs.loss.item(), rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_padding_of_labels_never_enters_a_loss(small_config, task):
    make_model, collator, _ = TASKS[task]
    model = make_model(small_config(patch_length=PATCH, num_patches=PATCHES, prediction_length=HORIZON)).eval()
    batch = collator(rows()[:3])
    padding = ~batch["channel_mask"]
    assert (batch["labels"][padding] == -100).all()
    outputs = model(**batch)
    outputs.loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    for fill in (0, 1):
        other = batch | {"labels": batch["labels"].masked_fill(padding[..., None], fill)}
        assert model(**other).loss.item() == outputs.loss.item()


@pytest.mark.parametrize("task", TASKS)
def test_reduce_does_not_see_the_padding_of_other_processes(small_config, task):
    # Before `reduce`, accelerate pads the channels of outputs and labels with -100 to those of the other processes.
    make_model, collator, make_metrics = TASKS[task]
    model = make_model(small_config(patch_length=PATCH, num_patches=PATCHES, prediction_length=HORIZON)).eval()
    batch = collator(rows()[:3])
    with torch.no_grad():
        outputs = model(**batch)
    ignored = {"loss", *model.config.keys_to_ignore_at_inference}
    predictions = [value for name, value in outputs.items() if name not in ignored]

    def pad(tensor: torch.Tensor) -> torch.Tensor:
        wide = tensor.new_full((tensor.shape[0], 8, *tensor.shape[2:]), -100)
        wide[:, : tensor.shape[1]] = tensor
        return wide

    def reduce(values: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        return make_metrics().reduce(tuple(values) if len(values) > 1 else values[0], labels)

    alone = reduce(predictions, batch["labels"])
    shared = reduce([pad(value) for value in predictions], pad(batch["labels"]))
    torch.testing.assert_close(shared[:, : alone.shape[1]] if alone.ndim == 3 else shared, alone)


def test_without_labels_outputs_pass():
    outputs = torch.zeros(1, 2, 3)
    detection = partial(SeizureDetectionMetrics, patch_duration=6)
    for make in (ForecastingMetrics, ImputationMetrics, FrequencyPhaseMetrics, detection):
        assert make().reduce(outputs, None) is outputs
