"""The scripts of `examples/`, from a prepared dataset to a checkpoint with its card."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from brant_hf import BrantFeatureExtractor, BrantForForecasting, BrantForSeizureDetection


def _json(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def pretrained(dataset, tmp_path_factory) -> Path:
    """A checkpoint for fine-tuning, with random weights."""
    from brant_hf import BrantConfig, BrantForPreTraining

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


def test_pretraining_learns_and_writes_a_checkpoint(dataset, tmp_path, run_script):
    run_script("run_pretraining.py", dataset, tmp_path, num_train_epochs=8, learning_rate=1e-2)
    history = _json(tmp_path / "trainer_state.json")["log_history"]
    losses = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    assert (tmp_path / "model.safetensors").is_file()
    assert BrantFeatureExtractor.from_pretrained(tmp_path).patch_length == 50


def test_seizure_detection_finds_the_rhythm(dataset, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, num_train_epochs=6, learning_rate=3e-3)
    results = _json(tmp_path / "test_results.json")
    assert results["test_auroc"] > 0.95
    assert results["test_auroc_low"] <= results["test_auroc"] <= results["test_auroc_high"]
    BrantForSeizureDetection.from_pretrained(tmp_path)
    rows = (tmp_path / "test_patients.csv").read_text().splitlines()
    assert len(rows) == 1 + 2  # a header and the two patients of the test split


def test_card_says_what_was_done(dataset, pretrained, tmp_path, run_script):
    run_script("run_seizure_detection.py", dataset, tmp_path, model=pretrained, class_weights="1,3", focal_gamma=2)
    card = ModelCard.load(tmp_path / "README.md")
    metrics = {(result.dataset_split, result.metric_type): result.metric_value for result in card.data.eval_results}
    assert metrics["test", "auprc"] == pytest.approx(_json(tmp_path / "test_results.json")["test_auprc"])
    assert card.data.library_name == "transformers"
    assert "| train | 80 | 4 |" in card.text
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
    run_script("run_forecasting.py", dataset, tmp_path, num_train_epochs=1, horizon_patches=2)
    config = BrantForForecasting.from_pretrained(tmp_path).config
    assert (config.num_patches, config.prediction_length, config.prediction_dropout) == (4, 100, 0.1)
    assert _json(tmp_path / "test_results.json")["test_mae"] > 0


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
        ("run_pretraining.py", {}, {"split_fractions": "1.0"}, "--split_fractions"),
        ("run_seizure_detection.py", {}, {"max_train_subjects": 9}, "--max_train_subjects"),
        ("run_seizure_detection.py", {}, {"class_weights": "many"}, "--class_weights"),
    ],
)
def test_bad_input_stops_before_the_first_step(
    make_dataset, tmp_path, run_script, capsys, script, dataset_options, options, message
):
    dataset = make_dataset(**dataset_options)
    with pytest.raises(SystemExit) as stop:
        run_script(script, dataset, tmp_path / "output", **options)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "output" / "trainer_state.json").exists()
