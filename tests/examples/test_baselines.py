from __future__ import annotations

import csv
import sys
import types

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import torch
from baselines import brainmaze, detection, forecasting, imputation, patchtst, recordings, tables
from baselines.evaluation import Batch, InMicrovolts, evaluate
from transformers import EvalPrediction, Trainer, TrainingArguments

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
)
from brant_hf.data import (
    ForecastingCollator,
    ImputationCollator,
    Preprocessing,
    SeizureDetectionCollator,
    load,
    open_recording,
    prepare,
)
from brant_hf.training import (
    DataArguments,
    ForecastingMetrics,
    FrequencyPhaseMetrics,
    ImputationMetrics,
    SeizureDetectionMetrics,
    load_windows,
    split_datasets,
)

RATE, PATCH, PATCHES = 250, 50, 5
PLAIN = Preprocessing(line_noise=None, high_pass=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """4 patients with 2 to 5 channels, 16 s of noise each, six times larger in a seizure from 4 s to 8 s."""
    path = tmp_path_factory.mktemp("baselines") / "windows"
    patients = []
    for patient in range(4):
        signal = 30 * np.random.default_rng(patient).standard_normal((2 + patient, 16 * RATE)).astype(np.float32)
        signal[:, 4 * RATE : 8 * RATE] *= 6
        names = [f"A{i + 1}" for i in range(len(signal))]
        options = {"subject": f"s{patient}", "name": "r", "unit": "uV"}
        patients.append(open_recording(signal, RATE, names, [(4.0, 8.0, None)], **options))
    prepare(patients, path, PLAIN, patch_length=PATCH, num_patches=PATCHES, progress=False)
    return path


@pytest.fixture(scope="module")
def windows(folder):
    return load(folder)


def config(**fields) -> BrantConfig:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_temporal_layers": 1, "num_spatial_layers": 1}
    return BrantConfig(**{"patch_length": PATCH, "num_patches": PATCHES, "num_attention_heads": 2, **sizes, **fields})


# Forecasting


def test_forecasts_by_hand():
    contexts = np.array([[1.0, 2, 6], [4, 4, -2]])
    assert forecasting.last_value(contexts, 2).tolist() == [[6, 6], [-2, -2]]
    assert forecasting.context_mean(contexts, 2).tolist() == [[3, 3], [2, 2]]


def test_autocovariance_is_that_of_numpy():
    signal = np.random.default_rng(0).standard_normal(50)
    signal -= signal.mean()
    expected = np.correlate(signal, signal, "full")[49:60] / 50
    np.testing.assert_allclose(forecasting.autocovariance(signal[None], 10)[0], expected, atol=1e-12)


def test_autoregression_finds_the_process_and_runs_it_on():
    noise = np.random.default_rng(0).standard_normal(20000)
    signal = scipy.signal.lfilter([1], [1, -1.5, 0.8], noise)
    covariance = forecasting.autocovariance(signal[None] - signal.mean(), 64)[0]
    coefficients = forecasting.fit_autoregression(covariance, len(signal))
    padded = np.zeros(64)
    padded[: len(coefficients)] = coefficients
    np.testing.assert_allclose(padded, [1.5, -0.8] + [0] * 62, atol=0.05)

    expected = list(signal[-100:] - signal.mean())
    for _ in range(20):
        expected.append(coefficients @ expected[: -len(coefficients) - 1 : -1])
    forecast = forecasting.autoregressive(signal[None], 20)[0]
    np.testing.assert_allclose(forecast, np.array(expected[100:]) + signal.mean(), atol=1e-6)


def test_autoregression_of_an_oscillation_and_of_a_flat_channel():
    times = np.arange(2000) / RATE
    contexts = np.stack([3 * np.sin(2 * np.pi * 10 * times) + 5, np.full(2000, 7.0)])
    forecast = forecasting.autoregressive(contexts, 25)
    ahead = (2000 + np.arange(25)) / RATE
    np.testing.assert_allclose(forecast[0], 3 * np.sin(2 * np.pi * 10 * ahead) + 5, atol=0.3)
    np.testing.assert_allclose(forecast[1], 7)


@pytest.fixture
def oscillations():
    """Context and horizon of 10 Hz and of 25 Hz, and a padded channel."""
    times = np.arange(8 * PATCH) / RATE
    signal = np.stack([np.cos(2 * np.pi * f * times + 1) for f in (10, 25)]).astype(np.float32)
    row = {"input_values": 50 * signal, "labels": None}
    other = {"input_values": np.concatenate([50 * signal, 20 * signal[:1]]), "labels": None}
    return ForecastingCollator(prediction_length=3 * PATCH, patch_length=PATCH)([row, other])


def test_oscillations_without_training(oscillations):
    results = {}
    for method in forecasting.frequency_phase_methods(3 * PATCH):
        metrics = FrequencyPhaseMetrics(sampling_rate=RATE)
        labels = oscillations["labels"]
        reduced = metrics.reduce(method.predict(Batch(oscillations, range(2))), labels)
        results[method.name] = metrics(EvalPrediction(predictions=reduced, label_ids=labels))
    assert results["oscillation runs on"]["plv"] == pytest.approx(1, abs=1e-3)
    assert results["autoregressive"]["plv"] > 0.9
    assert results["context frequency, random phase"]["plv"] < 0.2
    assert results["context frequency, constant phase"]["plv"] < 0.05
    for name in ("oscillation runs on", "context frequency, random phase", "context frequency, constant phase"):
        assert results[name]["frequency_mae_hz"] == pytest.approx(0, abs=1e-4)


# Imputation


def test_interpolation_by_hand():
    values = np.array([9.0, 1, 9, 9, 4, 9])
    observed = np.array([0, 1, 0, 0, 1, 0], bool)
    assert imputation.linear(values, observed).tolist() == [1, 1, 2, 3, 4, 4]
    assert imputation.cubic(values, observed).tolist() == [1, 1, 2, 3, 4, 4]
    assert imputation.linear(values, np.zeros(6, bool)).tolist() == [0] * 6


def test_a_cubic_is_restored_by_the_cubic_interpolation_within_its_range():
    positions = np.arange(30.0)
    values = positions**3 - 40 * positions**2 + 300 * positions
    observed = np.ones(30, bool)
    observed[[3, 11, 12, 20]] = False
    np.testing.assert_allclose(imputation.cubic(np.where(observed, values, 0), observed), values, atol=1e-6)
    steep = np.array([0.0, 10, 0, 0, 0, 0, 0, 0, 10, 0])
    observed = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 1], bool)
    filled = imputation.cubic(steep, observed)
    assert filled.min() >= 0
    assert filled.max() <= 10


@pytest.mark.parametrize("mask", ["points", "blocks"])
def test_interpolation_meets_the_masks_of_the_collator(windows, mask):
    collator = ImputationCollator(mask=mask, block_length=10)
    metrics = ImputationMetrics()
    result = evaluate(imputation.imputation_methods()[0].predict, windows, collator, [metrics], batch_size=5)
    errors = []
    for start in range(0, len(windows), 5):
        batch = collator([windows[i] for i in range(start, min(start + 5, len(windows)))])
        for window, seen, real in zip(batch["labels"], batch["observed_mask"], batch["channel_mask"], strict=True):
            for values, observed in zip(window[real].numpy(), seen[real].numpy(), strict=True):
                positions = np.arange(len(values))
                filled = np.interp(positions, positions[observed], values[observed])
                errors.append((filled - values)[~observed])
    assert result["missing_mae"] == pytest.approx(np.abs(np.concatenate(errors)).mean(), rel=1e-5)


def test_no_linear_predictor_beats_the_conditional_mean():
    precision = np.correlate([1, -1.2, 0.5], [1, -1.2, 0.5], "full")[2:]
    rng = np.random.default_rng(0)
    values, observed = rng.normal(size=200), rng.random(200) > 0.4
    matrix = scipy.linalg.toeplitz(np.r_[precision, np.zeros(197)])
    expected = -np.linalg.solve(
        matrix[np.ix_(~observed, ~observed)], matrix[np.ix_(~observed, observed)] @ values[observed]
    )
    filled = imputation.conditional_mean(values, observed, precision)
    np.testing.assert_allclose(filled[~observed], expected, rtol=1e-9)
    np.testing.assert_array_equal(filled[observed], values[observed])


def test_the_spectrum_of_the_training_windows_gives_their_innovation(windows):
    precision = imputation.mean_precision(windows, ImputationCollator(mask_ratio=0.4))
    assert precision[0] > 0
    np.linalg.cholesky(scipy.linalg.toeplitz(np.r_[precision, np.zeros(100)]))  # a covariance


def test_microvolts():
    extractor = BrantFeatureExtractor(scale=50)
    predicted, target = torch.rand(2, 3, 10), torch.rand(2, 3, 10)
    target[1, 2] = -100
    metrics = InMicrovolts(ForecastingMetrics(["a", "b"], min_subjects=2), extractor)
    prediction = EvalPrediction(predictions=metrics.reduce(predicted, target), label_ids=target)
    result = metrics(prediction)
    real = (target != -100).numpy()
    error = 50 * np.abs(np.sinh(predicted.numpy()) - np.sinh(target.numpy(), where=real, out=np.zeros((2, 3, 10))))
    assert result["mae_uv"] == pytest.approx(error[real].mean(), rel=1e-5)
    assert {"mae_uv_low", "mae_uv_high", "mae_uv_subject_mean"} < set(result)
    assert "mae" not in result


# Detection


def test_features_of_a_patch():
    signal = np.random.default_rng(0).standard_normal((2, 3 * PATCH)) * 40
    features = detection.patch_features(signal, PATCH, RATE)
    assert features.shape == (2, 3, 9)
    piece = signal[1, PATCH : 2 * PATCH]
    assert features[1, 1, 0] == pytest.approx(np.log10(np.abs(np.diff(piece)).mean()), rel=1e-5)
    frequencies, power = scipy.signal.periodogram(piece, RATE)
    alpha = power[(frequencies > 8) & (frequencies <= 13)].sum()
    assert features[1, 1, 2] == pytest.approx(np.log10(1 + alpha), rel=1e-4)


def test_features_are_relative_to_the_recording(windows):
    def louder(row):
        gain = 8.0 if row["subject"] == "s1" else 1.0
        return {**row, "input_values": gain * row["input_values"]}

    rows = [windows[i] for i in range(len(windows))]
    plain = detection.dataset_features(rows, PATCH)
    changed = detection.dataset_features([louder(row) for row in rows], PATCH)
    for one, other in zip(plain, changed, strict=True):
        np.testing.assert_allclose(one[..., 0], other[..., 0], atol=1e-4)
    medians = np.median(
        np.concatenate([f[0] for f, row in zip(plain, rows, strict=True) if row["subject"] == "s0"]), 0
    )
    np.testing.assert_allclose(medians, 0, atol=1e-5)


def test_regression_finds_large_seizures_and_ignores_unknown_labels(windows):
    test = windows.filter(lambda row: row["subject"] == "s3")
    train = windows.filter(lambda row: row["subject"] != "s3")
    for method in detection.detection_methods(train, test, PATCH):
        metrics = SeizureDetectionMetrics(patch_duration=0.2)
        assert evaluate(method.predict, test, SeizureDetectionCollator(), [metrics], batch_size=3)["auroc"] > 0.99
    features = [np.array([[[0.0], [1], [0], [50]]])]
    labels = [np.array([[0, 1, 0, -100]])]
    regression = detection.fit(features, labels)
    assert regression.decision_function([[0.0], [1.0]])[0] < 0 < regression.decision_function([[0.0], [1.0]])[1]
    assert regression[0].mean_[0] == pytest.approx(1 / 3)


def test_scores_reach_their_windows():
    labels = [torch.tensor([[0, 1]]), torch.tensor([[1, 0], [0, 0], [1, 1]])]
    scores = [np.where(each == 1, 2.0, -3.0) for each in labels]
    inputs = {"channel_mask": torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()}
    logits = detection.scores_predict(scores)(Batch(inputs, [1, 0]))
    assert logits.shape == (2, 3, 2, 2)
    assert logits.diff(dim=-1)[..., 0].tolist() == [[[2, -3], [-3, -3], [2, 2]], [[-3, 2], [0, 0], [0, 0]]]


# The public detector


def stretch_rows(*starts: float, recording: str = "r") -> list[dict]:
    return [
        {
            "input_values": np.full((2, 2 * PATCH), start, np.float32),
            "subject": "s",
            "recording": recording,
            "start": start,
            "sampling_rate": float(RATE),
            "channel_names": ["A1", "A2"],
        }
        for start in starts
    ]


class Rows(list):
    """What `datasets.Dataset` has and a list has not."""

    def select_columns(self, names):
        return self


def test_stretches_end_at_gaps_and_recordings():
    rows = Rows(stretch_rows(0.4, 0.0, 1.2, 1.6) + stretch_rows(0.8, recording="other"))
    found = {
        (each.recording[1], tuple(each.rows), round(each.duration, 6)) for each in recordings.find_stretches(rows)
    }
    assert found == {("r", (1, 0), 0.8), ("r", (2, 3), 0.8), ("other", (4,), 0.4)}
    first = recordings.find_stretches(rows)[0]
    assert recordings.join(rows, first)[0].tolist() == pytest.approx([0.0] * 100 + [0.4] * 100)


@pytest.fixture
def fake_brainmaze(monkeypatch):
    """A detector whose probability is the time by 100 s, unknown in the first two seconds."""

    def predict(values, rate, model):
        times = np.arange(2 * len(values) // rate + 1) * 0.5
        return times, np.where(times < 2, np.nan, times / 100)

    module = types.ModuleType("brainmaze_eeg_models.seizure")
    module.load_trained_model = lambda name: name
    module.predict_channel_seizure_probability = predict
    monkeypatch.setitem(sys.modules, "brainmaze_eeg_models", types.ModuleType("brainmaze_eeg_models"))
    monkeypatch.setitem(sys.modules, "brainmaze_eeg_models.seizure", module)
    monkeypatch.setattr(brainmaze, "find_spec", lambda name: True)


def test_probabilities_of_the_public_detector_reach_their_patches(fake_brainmaze, monkeypatch):
    monkeypatch.setattr(brainmaze, "MIN_SECONDS", 8)
    rows = Rows(
        row | {"input_values": np.zeros((1, 4 * RATE), np.float32), "channel_names": ["A1"]}
        for row in stretch_rows(4.0, 0.0)
    )
    method = brainmaze.brainmaze_method(rows, RATE)
    assert "2 of 8 patches" in method.note
    logits = method.predict(Batch({"channel_mask": torch.ones(2, 1).bool()}, [0, 1]))
    probabilities = logits.softmax(dim=-1)[:, 0, :, 1]
    # The step at a border belongs to the patch that begins there, the last step to the last patch.
    np.testing.assert_allclose(probabilities[0], [0.0425, 0.0525, 0.0625, 0.075], atol=1e-6)
    np.testing.assert_allclose(probabilities[1], [0, 0, 0.0225, 0.0325], atol=1e-6)


def test_the_public_detector_says_why_it_does_not_apply(fake_brainmaze, monkeypatch):
    assert brainmaze.brainmaze_method(Rows(stretch_rows(0.0, 0.4, 4.0)), PATCH).predict is None
    note = brainmaze.brainmaze_method(Rows(stretch_rows(0.0, 0.4, 4.0)), PATCH).note
    assert "2 of 2 stretches" in note
    assert "300 s" in note
    slow = Rows(row | {"sampling_rate": 128.0} for row in stretch_rows(0.0))
    assert "128 Hz" in brainmaze.brainmaze_method(slow, PATCH).note
    monkeypatch.setattr(brainmaze, "find_spec", lambda name: None)
    assert "pip install brainmaze-eeg-models" in brainmaze.brainmaze_method(slow, PATCH).note


# PatchTST

SHAPE = patchtst.Shape(patch_length=PATCH, num_patches=3, prediction_length=2 * PATCH, num_layers=2)
COLLATORS = {
    "forecasting": ForecastingCollator(prediction_length=2 * PATCH, patch_length=PATCH),
    "imputation": ImputationCollator(),
    "detection": SeizureDetectionCollator(),
}


def shape(task: str) -> patchtst.Shape:
    return SHAPE if task == "forecasting" else patchtst.Shape(PATCH, PATCHES, 0, 2)


@pytest.mark.parametrize("task", patchtst.MODELS)
@pytest.mark.parametrize("parameters", [30_000, 2_000_000])
def test_the_width_meets_the_number_of_parameters(task, parameters):
    count = patchtst.count_parameters(
        patchtst.MODELS[task](shape(task), patchtst.choose_width(task, shape(task), parameters))
    )
    assert count == pytest.approx(parameters, rel=0.35 if parameters < 100_000 else 0.05)


@pytest.mark.parametrize("task", patchtst.MODELS)
def test_patchtst_does_not_see_padding(windows, task):
    model = patchtst.MODELS[task](shape(task), 16).eval()
    rows = [windows[0], windows[len(windows) - 1]]
    together = COLLATORS[task](rows)
    assert together["channel_mask"].sum(dim=1).tolist() == [2, 5]
    alone = {name: value[:1, :2] for name, value in together.items()}
    with torch.no_grad():
        padded, single = model(**together), model(**alone)
    for name in patchtst.OUTPUTS[task]:
        torch.testing.assert_close(padded[name][:1, :2], single[name], atol=1e-4, rtol=1e-4)
        assert not padded[name][0, 2:].any()


def test_patchtst_imputes_what_is_missing(windows):
    model = patchtst.PatchTSTImputer(shape("imputation"), 16).eval()
    batch = COLLATORS["imputation"]([windows[0]])
    with torch.no_grad():
        outputs = model(**batch)
        hidden = batch["input_values"].masked_fill(~batch["observed_mask"], 9e3)
        same = model(**batch | {"input_values": hidden})
    observed = batch["observed_mask"]
    assert torch.equal(outputs["imputed_values"][observed], batch["labels"][observed])
    assert torch.equal(outputs["imputed_values"][~observed], outputs["reconstruction"][~observed])
    torch.testing.assert_close(same["reconstruction"], outputs["reconstruction"])
    expected = (outputs["reconstruction"] - batch["labels"])[~observed].square().mean()
    torch.testing.assert_close(outputs["loss"], expected)


def test_patchtst_standardises_by_the_observed_samples(windows):
    model = patchtst.PatchTSTImputer(shape("imputation"), 16).eval()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.ones_(model.head.bias)
    batch = COLLATORS["imputation"]([windows[0]])
    with torch.no_grad():
        reconstruction = model(**batch)["reconstruction"]
    for values, observed, found in zip(batch["labels"][0], batch["observed_mask"][0], reconstruction[0], strict=True):
        expected = values[observed].mean() + values[observed].std(correction=0)
        torch.testing.assert_close(found, expected.expand_as(found), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("task", patchtst.MODELS)
def test_patchtst_learns_within_its_budget(windows, tmp_path, task, capsys):
    extractor = BrantFeatureExtractor()
    collator = type(COLLATORS[task])(
        **({"prediction_length": 2 * PATCH, "patch_length": PATCH} if task == "forecasting" else {}),
        normalize=extractor.normalize_signal,
    )
    budget = patchtst.Budget(steps=40, batch_size=8, learning_rate=3e-3, parameters=20_000)
    method = patchtst.patchtst_method(task, shape(task), budget, windows, collator, tmp_path)
    assert capsys.readouterr().out == ""
    metrics = {
        "forecasting": ForecastingMetrics(),
        "imputation": ImputationMetrics(),
        "detection": SeizureDetectionMetrics(patch_duration=PATCH / RATE),
    }
    result = evaluate(method.predict, windows, collator, [metrics[task]], batch_size=8)
    if task == "detection":
        assert result["auroc"] > 0.9
    else:
        signals = np.concatenate([extractor.normalize_signal(row["input_values"]).ravel() for row in windows])
        assert result["mse" if task == "forecasting" else "missing_mse"] < 1.1 * signals.var()


# Splits and tables


def test_splits_are_those_of_the_training_scripts(folder):
    arguments = DataArguments(dataset=[str(folder)], split_fractions="0.5,0.25,0.25", split_seed=3)
    model = BrantConfig(patch_length=PATCH, num_patches=PATCHES, sampling_rate=RATE)
    expected = load_windows(arguments, model, folder.parent)
    parts = split_datasets([str(folder)], fractions="0.5,0.25,0.25", by="subject", seed=3)
    assert {name: list(part["subject"]) for name, part in parts.items()} == expected.subjects
    with pytest.raises(ValueError, match="one to three shares"):
        split_datasets([str(folder)], fractions="0.5,half", by="subject", seed=0)


def test_tables(tmp_path):
    rows = [
        tables.Row(
            "Brant", {"mae": 0.12345, "mae_low": 0.1, "mae_high": 0.2, "mae_subject_mean": 0.13}, 1_234_567, "n"
        ),
        tables.Row("last | value", {"mae": 1234.5}),
        tables.Row("other", {}, note="not applicable: why"),
    ]
    columns = [tables.Column("mae", "MAE"), tables.Column("absent", "nowhere")]
    paths = tables.write_tables(tmp_path / "new", "task", [tables.Section("Blocks", rows)], columns, "# Title")
    assert [path.name for path in paths] == ["task.md", "task.csv"]
    assert paths[0].read_text().splitlines() == [
        "# Title",
        "",
        "## Blocks",
        "",
        "| method | parameters | MAE |",
        "|---|---|---|",
        "| Brant | 1.23 M | **0.123** [0.100, 0.200] |",
        "| last \\| value |  | 1234 |",
        "| other |  | n/a |",
        "",
        "- Brant: n",
        "- other: not applicable: why",
    ]
    with paths[1].open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert float(lines[0]["mae_subject_mean"]) == 0.13
    assert lines[1]["mae_low"] == ""
    assert lines[2]["note"] == "not applicable: why"
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["task.csv", "task.md"]


# The script

HEADS = {
    "forecasting": (BrantForForecasting, {"num_patches": 3, "prediction_length": 2 * PATCH}),
    "frequency_phase": (BrantForFrequencyPhaseForecasting, {"num_patches": 3, "prediction_length": 2 * PATCH}),
    "imputation": (BrantForImputation, {}),
    "detection": (BrantForSeizureDetection, {}),
}


def save(path, model, **settings):
    model.save_pretrained(path)
    lengths = {"patch_length": PATCH, "num_patches": model.config.num_patches}
    BrantFeatureExtractor(**lengths, **settings).save_pretrained(path)
    return path


@pytest.fixture
def script(monkeypatch, folder, tmp_path):
    import compare_baselines

    def run(task: str, *arguments: str) -> list[dict[str, str]]:
        fixed = ["--dataset", str(folder), "--output", str(tmp_path / "out"), "--split_fractions", "0.5,0.25,0.25"]
        monkeypatch.setattr(sys, "argv", ["compare", "--task", task, *fixed, *arguments])
        compare_baselines.main()
        with (tmp_path / "out" / f"{task}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return run


@pytest.mark.parametrize("task", HEADS)
def test_the_table_has_the_numbers_of_the_trainer(script, folder, tmp_path, task, capsys):
    head, fields = HEADS[task]
    torch.manual_seed(1)
    checkpoint = save(tmp_path / "checkpoint", head(config(**fields)))
    (checkpoint / "README.md").write_text("---\ntags:\n- brant\n---\n# Brant\n")
    options = ("--masks", "blocks", "--block_length", "10", "--write_to_cards")
    lines = script(task, "--checkpoint", f"Brant={checkpoint}", *options)
    by_name = {line["method"]: line for line in lines}
    table = (tmp_path / "out" / f"{task}.md").read_text()
    assert table in capsys.readouterr().out
    row = next(line for line in table.splitlines() if line.startswith("| Brant |"))
    assert row in (checkpoint / "README.md").read_text().partition("## Baselines")[2]

    extractor = BrantFeatureExtractor.from_pretrained(checkpoint)
    test = split_datasets([str(folder)], fractions="0.5,0.25,0.25", by="subject", seed=0)["test"]
    common = {"normalize": extractor.normalize_signal}
    lengths = {"patch_length": PATCH, "prediction_length": 2 * PATCH}
    collator, metrics = {
        "forecasting": (ForecastingCollator(**lengths, **common), ForecastingMetrics()),
        "frequency_phase": (ForecastingCollator(**lengths, **common), FrequencyPhaseMetrics(sampling_rate=RATE)),
        "imputation": (ImputationCollator(mask="blocks", block_length=10, **common), ImputationMetrics()),
        "detection": (SeizureDetectionCollator(**common), SeizureDetectionMetrics(patch_duration=PATCH / RATE)),
    }[task]
    trainer = Trainer(
        head.from_pretrained(checkpoint),
        TrainingArguments(
            tmp_path, use_cpu=True, report_to=[], disable_tqdm=True, remove_unused_columns=False, seed=0
        ),
        data_collator=collator,
        compute_metrics=metrics,
    )
    expected = trainer.evaluate(test)
    compared = [name for name in by_name["Brant"] if f"eval_{name}" in expected]
    assert len(compared) >= 3
    for name in compared:
        assert float(by_name["Brant"][name]) == pytest.approx(expected[f"eval_{name}"], rel=1e-4), name
    baselines = {
        "forecasting": {"last value", "mean of the context", "autoregressive"},
        "frequency_phase": {"oscillation runs on", "autoregressive"},
        "imputation": {"linear interpolation", "cubic interpolation"},
        "detection": {"line length", "line length and band power", "brainmaze-eeg-models"},
    }[task]
    assert baselines < set(by_name)


def test_patchtst_in_the_table_without_a_checkpoint(script):
    lines = script("forecasting", "--budget_steps", "2", "--parameters", "20000", "--horizon_patches", "1")
    row = next(line for line in lines if line["method"] == "PatchTST")
    assert int(row["parameters"]) == pytest.approx(20000, rel=0.5)
    assert float(row["mae"]) > 0
    assert float(row["mae_uv"]) > float(row["mae"])


def test_what_does_not_go_together(script, tmp_path):
    with pytest.raises(
        ValueError, match=r"lacks .* weights of BrantForImputation .* fine-tune it for imputation first"
    ):
        script("imputation", "--checkpoint", str(save(tmp_path / "d", BrantForSeizureDetection(config()))))
    with pytest.raises(ValueError, match="fine-tune it for detection first"):
        script("detection", "--checkpoint", str(save(tmp_path / "p", BrantForPreTraining(config()))))
    with pytest.raises(OSError, match="nowhere is no checkpoint"):
        script("detection", "--checkpoint", str(tmp_path / "nowhere"))
    first = save(tmp_path / "a", BrantForImputation(config()))
    second = save(tmp_path / "b", BrantForImputation(config()), scale=20.0)
    with pytest.raises(ValueError, match=r"different scale cannot stand in one table: 50.0 of a, 20.0 of b"):
        script("imputation", "--checkpoint", str(first), str(second))
    longer = save(tmp_path / "l", BrantForImputation(config(patch_length=2 * PATCH)))
    with pytest.raises(ValueError, match="prepared with patches of 50 samples"):
        script("imputation", "--checkpoint", str(longer))
    with pytest.raises(ValueError, match="batch_size is 0"):
        script("imputation", "--batch_size", "0")
    assert not (tmp_path / "out").exists()
