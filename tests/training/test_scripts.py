"""The scripts of `examples/`, from a prepared dataset to a checkpoint with its card."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForForecasting, BrantForSeizureDetection
from brant_hf.data import save_splits
from brant_hf.training import (
    TRAINING_DEFAULTS,
    RunWindows,
    SeizureDetectionTask,
    apply_tuning,
    parse_arguments,
)
from brant_hf.training.outputs import write_weights
from brant_hf.training.recipes import installed_reporters


def _json(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def pretrained(dataset, tmp_path_factory) -> Path:
    """A checkpoint for fine-tuning, with random weights."""
    from brant_hf import BrantForPreTraining

    folder = tmp_path_factory.mktemp("pretrained")
    config = BrantConfig(
        patch_length=50,
        num_patches=6,
        hidden_size=16,
        intermediate_size=24,
        num_temporal_layers=2,
        num_spatial_layers=1,
        num_attention_heads=2,
    )
    BrantForPreTraining(config).save_pretrained(folder)
    BrantFeatureExtractor(patch_length=50, num_patches=6, normalize="zscore").save_pretrained(folder)
    return folder


def _logged(folder: Path, name: str) -> list[float]:
    return [entry[name] for entry in _json(folder / "trainer_state.json")["log_history"] if name in entry]


def test_pretraining_learns_and_writes_a_checkpoint(dataset, tmp_path, run_script):
    run_script("run_pretraining.py", dataset, tmp_path, num_train_epochs=8, learning_rate=1e-2)
    losses = _logged(tmp_path, "eval_loss")
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    assert (tmp_path / "model.safetensors").is_file()
    assert BrantFeatureExtractor.from_pretrained(tmp_path).patch_length == 50


def test_seizure_detection_finds_the_rhythm(dataset, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, num_train_epochs=6, learning_rate=3e-3)
    results = _json(tmp_path / "test_results.json")
    assert _json(tmp_path / "trainer_state.json")["best_metric"] == max(_logged(tmp_path, "eval_auprc"))
    assert results["test_auroc"] > 0.95
    assert "test_auroc_low" not in results  # two patients are too few
    detector = BrantForSeizureDetection.from_pretrained(tmp_path)
    assert detector.config.detection["preprocessing"]["sampling_rate"] == detector.config.sampling_rate
    rows = (tmp_path / "test_subjects.csv").read_text().splitlines()
    assert len(rows) == 1 + 2  # a header and the two patients of the test split


def test_card_says_what_was_done(dataset, pretrained, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, class_weights="1,3", focal_gamma=2)
    card = ModelCard.load(tmp_path / "README.md")
    metrics = {(result.dataset_split, result.metric_type): result.metric_value for result in card.data.eval_results}
    assert metrics["test", "auprc"] == pytest.approx(_json(tmp_path / "test_results.json")["test_auprc"])
    assert card.data.library_name == "transformers"
    assert "| train | 80 | 4 |" in card.text
    assert "| class_weights | 1,3 |" in card.text
    assert "| head_learning_rate | 0.0003 |" in card.text
    assert str(pretrained.parent) not in card.content


def test_checkpoint_brings_its_normalisation(dataset, pretrained, tmp_path, run_script):
    run_script("run_imputation.py", dataset, tmp_path, model=pretrained, num_train_epochs=1)
    assert BrantFeatureExtractor.from_pretrained(tmp_path).normalize == "zscore"


@pytest.mark.parametrize("mask", ["points", "blocks"])
def test_imputation(dataset, tmp_path, run_script, mask):
    run_script("run_imputation.py", dataset, tmp_path, num_train_epochs=1, mask=mask, block_length=10)
    results = _json(tmp_path / "test_results.json")
    assert results["test_missing_mae"] > 0
    # Observed samples are kept, so that the error over all samples is smaller by the fraction of missing ones.
    assert results["test_all_mae"] == pytest.approx(0.4 * results["test_missing_mae"], rel=0.05)


def test_forecasting_takes_the_horizon_from_the_end_of_the_window(dataset, tmp_path, run_script):
    run_script("run_forecasting.py", dataset, tmp_path, num_train_epochs=3, horizon_patches=2)
    config = BrantForForecasting.from_pretrained(tmp_path).config
    assert (config.num_patches, config.prediction_length, config.prediction_dropout) == (4, 100, 0.1)
    errors = _logged(tmp_path, "eval_mae")
    assert errors[0] > min(errors) == _json(tmp_path / "trainer_state.json")["best_metric"]
    assert _json(tmp_path / "validation_results.json")["validation_mae"] == pytest.approx(min(errors))


def test_frequency_phase(dataset, tmp_path, run_script):
    run_script("run_frequency_phase.py", dataset, tmp_path, num_train_epochs=1, horizon_patches=1)
    results = _json(tmp_path / "test_results.json")
    assert 0 <= results["test_plv"] <= 1


def test_frozen_tuning_leaves_the_encoder_as_it_was(dataset, pretrained, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, tuning="frozen")
    before, after = load_file(pretrained / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    encoder = [name for name in after if name.startswith("brant.")]
    assert encoder
    assert all(torch.equal(before[name], after[name]) for name in encoder)


def test_lora_writes_merged_weights_and_the_adapter(dataset, pretrained, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, tuning="lora", learning_rate=1e-2)
    before, after = load_file(pretrained / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    changed = {name for name in before if name in after and not torch.equal(before[name], after[name])}
    assert "brant.temporal_layers.0.attention.q_proj.weight" in changed
    assert not any("norm" in name or "embeddings" in name for name in changed)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size > 0
    BrantForSeizureDetection.from_pretrained(tmp_path)


def test_temporal_tuning_drops_the_spatial_encoder(dataset, pretrained, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, tuning="temporal", num_train_epochs=1)
    model = BrantForSeizureDetection.from_pretrained(tmp_path)
    assert (model.config.num_temporal_layers, model.config.num_spatial_layers) == (2, 0)


def test_paper_recipe(dataset, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, recipe="paper", bf16=False, num_train_epochs=4)
    run = _json(tmp_path / "run.json")
    assert (run["training"]["adam_beta2"], run["training"]["learning_rate"]) == (0.99, 1e-7)
    history = _json(tmp_path / "trainer_state.json")["log_history"]
    assert [entry["epoch"] for entry in history if "eval_loss" in entry] == [3, 4]


@pytest.mark.parametrize("tuning", ["lora", "frozen", "temporal"])
def test_pretraining_goes_on_in_other_ways_of_tuning(dataset, pretrained, tmp_path, run_script, tuning):
    run_script("run_pretraining.py", dataset, tmp_path, model=pretrained, tuning=tuning, num_train_epochs=1)
    assert len(_logged(tmp_path, "eval_loss")) == 1


@pytest.fixture(scope="module")
def plain_run(dataset, pretrained, tmp_path_factory, run_script) -> Path:
    """An epoch of seizure detection with nothing special."""
    folder = tmp_path_factory.mktemp("plain")
    run_script("run_seizure_detection.py", dataset, folder, model=pretrained, num_train_epochs=1)
    return folder


def test_gradient_checkpointing_changes_no_number(dataset, pretrained, plain_run, tmp_path, run_script):
    options = {"model": pretrained, "num_train_epochs": 1, "gradient_checkpointing": True}
    run_script("run_seizure_detection.py", dataset, tmp_path, **options)
    assert _logged(tmp_path, "loss") == pytest.approx(_logged(plain_run, "loss"), rel=1e-6)


def test_augmented_windows_are_trained_on(dataset, pretrained, plain_run, tmp_path, run_script):
    options = {"model": pretrained, "num_train_epochs": 1, "augment": True, "rhythm": 0.5}
    run_script("run_seizure_detection.py", dataset, tmp_path, **options)
    assert _logged(tmp_path, "loss") != _logged(plain_run, "loss")
    assert "| rhythm | 0.5 |" in (tmp_path / "README.md").read_text()


def test_bf16_comes_near_single_precision(dataset, pretrained, plain_run, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, num_train_epochs=1, bf16=True)
    losses, expected = _logged(tmp_path, "loss"), _logged(plain_run, "loss")
    assert losses == pytest.approx(expected, rel=0.02)
    assert losses != expected
    assert load_file(tmp_path / "model.safetensors")["brant.embeddings.projection.weight"].dtype == torch.float32


def test_compiled_layers_change_no_number_and_leave_no_trace_in_the_checkpoint(
    dataset, pretrained, plain_run, tmp_path, run_script
):
    # The backend that makes no kernels: no compiler is needed here.
    options = {"model": pretrained, "num_train_epochs": 1, "torch_compile_backend": "aot_eager"}
    run_script("run_seizure_detection.py", dataset, tmp_path, **options)
    assert _logged(tmp_path, "loss") == pytest.approx(_logged(plain_run, "loss"), rel=1e-5)
    found, expected = (load_file(folder / "model.safetensors") for folder in (tmp_path, plain_run))
    assert found.keys() == expected.keys()


def test_batches_of_windows_with_as_many_channels(dataset, pretrained, tmp_path, run_script):
    options = {"train_sampling_strategy": "group_by_length", "model": pretrained, "num_train_epochs": 1}
    run_script("run_seizure_detection.py", dataset, tmp_path, **options)
    options["evaluate_only"] = True
    run_script("run_seizure_detection.py", dataset, tmp_path / "other", **{**options, "model": tmp_path})
    table = (tmp_path / "test_subjects.csv").read_text()
    # A seizure of 30 patches on each channel of each of the two patients.
    with (tmp_path / "test_subjects.csv").open() as file:
        rows = list(csv.DictReader(file))
    channels = {f"p{index}": count for index, count in enumerate((2, 3, 4, 2, 3, 4, 2, 3))}
    assert [int(row["seizure_patches"]) for row in rows] == [30 * channels[row["subject"]] for row in rows]
    assert (tmp_path / "other" / "test_subjects.csv").read_text() == table


def test_evaluation_alone_writes_the_metrics_alone(dataset, plain_run, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=plain_run, evaluate_only=True)
    for split in ("validation", "test"):
        before, after = (_json(folder / f"{split}_results.json") for folder in (plain_run, tmp_path))
        for name in ("auprc", "f2_subject_mean", "loss"):
            assert after[f"{split}_{name}"] == pytest.approx(before[f"{split}_{name}"])
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{split}_{end}" for split in ("validation", "test") for end in ("results.json", "subjects.csv")
    }


def test_every_evaluation_hides_the_same_samples(dataset, pretrained, tmp_path, run_script):
    rates = {"learning_rate": 0, "head_learning_rate": 0}
    steps = {"eval_strategy": "steps", "eval_steps": 7, "save_strategy": "steps", "save_steps": 7}
    run_script("run_imputation.py", dataset, tmp_path / "run", model=pretrained, **rates, **steps)
    errors = _logged(tmp_path / "run", "eval_missing_mae")
    run_script("run_imputation.py", dataset, tmp_path / "other", model=tmp_path / "run", evaluate_only=True)
    errors.append(_json(tmp_path / "other" / "validation_results.json")["validation_missing_mae"])
    assert len(errors) > 3
    assert all(error == pytest.approx(errors[0], rel=1e-6) for error in errors)


def test_early_stopping(dataset, pretrained, tmp_path, run_script):
    """Nothing is learnt, so that the first evaluation remains the best."""
    rates = {"learning_rate": 0, "head_learning_rate": 0}
    options = {**rates, "model": pretrained, "num_train_epochs": 9, "early_stopping_patience": 2}
    run_script("run_seizure_detection.py", dataset, tmp_path, **options)
    assert len(_logged(tmp_path, "eval_auprc")) == 3


def test_a_run_that_ended_is_not_trained_again(dataset, pretrained, tmp_path, run_script):
    options = {"model": pretrained, "learning_rate": 1e-2, "num_train_epochs": 3}
    run_script("run_imputation.py", dataset, tmp_path, **options)
    weights, results = load_file(tmp_path / "model.safetensors"), _json(tmp_path / "test_results.json")
    run_script("run_imputation.py", dataset, tmp_path, **options)
    again = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert _json(tmp_path / "test_results.json")["test_missing_mae"] == results["test_missing_mae"]
    assert len(_logged(tmp_path, "eval_loss")) == 3


def test_checkpoints_of_another_run_are_refused(dataset, pretrained, tmp_path, run_script, capsys):
    options = {"model": pretrained, "num_train_epochs": 1}
    run_script("run_imputation.py", dataset, tmp_path, **options)
    for changed, message in (
        ({"learning_rate": 0.3}, "--learning_rate was 0.0001 and is 0.3;"),
        ({"mask": "blocks", "seed": 3}, "--mask was 'points' and is 'blocks' and 1 more;"),
    ):
        with pytest.raises(SystemExit):
            run_script("run_imputation.py", dataset, tmp_path, **options, **changed)
        assert message in capsys.readouterr().err
    # A longer training with other evaluations goes on.
    options |= {"num_train_epochs": 2, "logging_steps": 3}
    run_script("run_imputation.py", dataset, tmp_path, **options)
    assert _json(tmp_path / "trainer_state.json")["epoch"] == 2


def test_streamed_detection(make_dataset, tmp_path, run_script, capsys):
    dataset = make_dataset(channels=(2, 3, 2, 3))
    save_splits(dataset, {"train": 0.5, "validation": 0.25, "test": 0.25})
    options = {"streaming": True, "max_steps": 4, "eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps"}
    options |= {"save_steps": 2, "dataloader_num_workers": 1}
    run_script("run_seizure_detection.py", dataset, tmp_path / "out", **options, class_weights="1,2")
    assert len(_logged(tmp_path / "out", "loss")) == 4
    assert 0 < _json(tmp_path / "out" / "test_results.json")["test_auprc"] <= 1
    with pytest.raises(SystemExit):
        run_script("run_seizure_detection.py", dataset, tmp_path / "other", **options, class_weights="balanced")
    assert "--class_weights as two numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "needed"),
    [
        ([], ["train", "validation"]),
        (["--evaluate_only", "true", "--model", "m"], []),
        (["--metric_for_best_model", "loss"], ["train"]),
        (["--eval_strategy", "no", "--load_best_model_at_end", "false"], ["train"]),
    ],
)
def test_splits_that_detection_needs_a_seizure_in(dataset, tmp_path, monkeypatch, argv, needed):
    run = parse_arguments(SeizureDetectionTask, ["--dataset", "d", "--output_dir", str(tmp_path), "--use_cpu", *argv])
    asked = []
    monkeypatch.setattr(
        "brant_hf.training.tasks.check_detection_labels", lambda windows, length, splits: asked.extend(splits)
    )
    run.task.check(RunWindows([], None, None, {}, 50), BrantConfig(), run)
    assert asked == needed


@pytest.mark.parametrize("installed", [set(), {"tensorboard"}, {"tensorboard", "trackio"}])
def test_reports_go_to_what_is_installed(monkeypatch, installed):
    for name in ("tensorboard", "trackio"):
        found = name in installed
        monkeypatch.setattr(f"brant_hf.training.recipes.is_{name}_available", lambda found=found: found)
    assert set(installed_reporters()) == installed


def test_a_run_reports_nothing_where_nothing_is_installed(dataset, pretrained, tmp_path, run_script, monkeypatch):
    monkeypatch.setitem(TRAINING_DEFAULTS, "report_to", [])
    options = {"model": pretrained, "num_train_epochs": 1, "report_to": None}
    run_script("run_imputation.py", dataset, tmp_path, **options)
    assert _json(tmp_path / "run.json")["training"]["report_to"] == "[]"
    assert not (tmp_path / "runs").exists()


def test_tensorboard(dataset, pretrained, tmp_path, run_script):
    pytest.importorskip("tensorboard")
    options = {"model": pretrained, "num_train_epochs": 1, "report_to": "tensorboard"}
    run_script("run_imputation.py", dataset, tmp_path, **options)
    assert list((tmp_path / "runs").rglob("events.out.tfevents.*"))


def test_gathered_weights_are_written(pretrained, tmp_path, caplog):
    """What is done where each process has a part of the weights."""
    model = BrantForSeizureDetection.from_pretrained(pretrained)
    gathered = {name: value + 1 for name, value in model.state_dict().items()}
    assert write_weights(model, tmp_path / "plain", gathered) is model
    written = load_file(tmp_path / "plain" / "model.safetensors")
    assert written.keys() == gathered.keys()
    assert all(torch.equal(written[name], gathered[name]) for name in written)
    adapted = apply_tuning(model, "lora")
    gathered = {name: value + 1 for name, value in adapted.state_dict().items()}
    assert isinstance(write_weights(adapted, tmp_path / "adapted", gathered), BrantForSeizureDetection)
    adapter = load_file(tmp_path / "adapted" / "adapter" / "adapter_model.safetensors")
    assert any(torch.equal(value, torch.ones_like(value)) for name, value in adapter.items() if "lora_B" in name)
    assert not (tmp_path / "adapted" / "model.safetensors").exists()
    assert "not merged" in caplog.text


def test_settings_from_a_yaml_file(dataset, tmp_path, run_script, monkeypatch, arguments):
    import runpy
    import sys

    flags = arguments(dataset, tmp_path / "from_file", num_train_epochs=1)
    pairs = zip(flags[2::2], flags[3::2], strict=True)
    values = {name.removeprefix("--"): yaml.safe_load(value) for name, value in pairs}
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"dataset": str(dataset), **values}))
    script = Path(__file__).parents[2] / "examples" / "run_imputation.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(settings), "--per_device_train_batch_size", "4"])
    runpy.run_path(str(script), run_name="__main__")
    run = _json(tmp_path / "from_file" / "run.json")["training"]
    assert (run["num_train_epochs"], run["per_device_train_batch_size"]) == (1, 4)


def test_recordings_are_prepared_first(tmp_path, run_script):
    source = Path(__file__).parents[2] / "examples" / "data" / "py_neuromodulation_ecog"
    overrides = "patch_length=125,num_patches=4,hidden_size=16,intermediate_size=24,num_temporal_layers=1"
    options = {"split_by": "time", "config_overrides": f"{overrides},num_spatial_layers=1,num_attention_heads=2"}
    run_script("run_pretraining.py", source, tmp_path, num_train_epochs=1, **options)
    assert (tmp_path / "prepared" / "0" / "dataset.json").is_file()
    assert np.isfinite(_json(tmp_path / "test_results.json")["test_loss"])


@pytest.mark.parametrize(
    ("script", "dataset_options", "options", "message"),
    [
        ("run_seizure_detection.py", {"labels": False}, {}, "no labels"),
        ("run_seizure_detection.py", {"seizures": False}, {}, "has a seizure"),
        ("run_pretraining.py", {}, {"config_overrides": "patch_length=40"}, "patches of 50 samples"),
        ("run_pretraining.py", {}, {"config_overrides": "num_patches=5"}, "1 to 5 patches"),
        ("run_forecasting.py", {}, {"horizon_patches": 6}, "leave no context"),
        ("run_pretraining.py", {}, {"recipe": "quick"}, "--recipe"),
        ("run_pretraining.py", {}, {"tuning": "some"}, "--tuning"),
        ("run_pretraining.py", {}, {"streaming": True, "max_steps": 2}, "save_splits"),
        ("run_pretraining.py", {}, {"split_fractions": "0.5"}, "fractions are"),
        ("run_seizure_detection.py", {}, {"max_train_subjects": 9}, "--max_train_subjects"),
        ("run_seizure_detection.py", {}, {"class_weights": "many"}, "--class_weights"),
        ("run_pretraining.py", {}, {"config_overrides": "sampling_rate=200"}, "have 250 Hz, the model 200 Hz"),
        ("run_pretraining.py", {}, {"evaluate_only": True}, "needs --model"),
        ("run_imputation.py", {}, {"mask": "stripes"}, "invalid choice: 'stripes'"),
        ("run_imputation.py", {}, {"learning_rate": "fast"}, "--learning-rate: invalid float value: 'fast'"),
        ("run_imputation.py", {}, {"block": 3}, "unknown arguments: --block 3"),
        ("run_forecasting.py", {}, {"horizon_patches": 0}, "--horizon_patches is 0"),
        ("run_seizure_detection.py", {}, {"focal_gamma": -1}, "focal_gamma is -1"),
        ("run_seizure_detection.py", {}, {"class_weights": "1,-1"}, "greater than 0"),
    ],
)
def test_bad_input_stops_before_the_first_step(
    make_dataset, tmp_path, run_script, capsys, script, dataset_options, options, message
):
    dataset = make_dataset(**dataset_options)
    with pytest.raises(SystemExit) as stop:
        run_script(script, dataset, tmp_path / "output", **options)
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    # Nothing stands before the error.
    assert printed.err.startswith(f"{script}: ")
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""
    assert not (tmp_path / "output" / "trainer_state.json").exists()


@pytest.mark.parametrize(("level", "shown"), [("debug", True), ("info", False)])
def test_place_of_an_error_is_shown_on_request(make_dataset, tmp_path, run_script, caplog, level, shown):
    dataset = make_dataset(channels=(2, 2, 2), labels=False)
    with pytest.raises(SystemExit):
        run_script("run_seizure_detection.py", dataset, tmp_path / "output", log_level=level)
    assert any(record.exc_info for record in caplog.records if record.name == "brant_hf.training.run") is shown
