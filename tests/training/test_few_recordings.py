"""Fine-tuning with few recordings, from the command line of the scripts: what is possible, and what is said of it."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from brant_hf.data import Preprocessing, open_recording, prepare

SCRIPT = "run_seizure_detection.py"
TIME = {"split_by": "time", "split_fractions": "0.5,0.5"}


@pytest.fixture(scope="module")
def one_patient(tmp_path_factory) -> Path:
    """A recording of one patient with a seizure in each half, and labels in windows of 6 patches of 50 samples."""
    import numpy as np

    signal = np.random.default_rng(0).normal(0, 20, (2, 48 * 250)).astype(np.float32)
    seizures = [(8.0, 14.0, None), (32.0, 38.0, None)]
    for onset, offset, _ in seizures:
        signal[:, int(onset) * 250 : int(offset) * 250] *= 10
    folder = tmp_path_factory.mktemp("one") / "dataset"
    chain = Preprocessing(high_pass=None, line_noise=None, flat="keep")
    recording = open_recording(signal, 250, seizures=seizures, subject="p0")
    prepare(recording, folder, chain, patch_length=50, num_patches=6, progress=False)
    return folder


def _refusal(run_script, capsys, *arguments, **options) -> str:
    with pytest.raises(SystemExit):
        run_script(SCRIPT, *arguments, **options)
    return capsys.readouterr().err


def test_too_few_subjects_name_the_ways_out(make_dataset, one_patient, tmp_path, run_script, capsys):
    told = _refusal(run_script, capsys, make_dataset(channels=(2, 2)), tmp_path / "out")
    assert "2 subjects, too few for the 3 splits" in told
    for way in ("--split_by time", "--split_fractions 0.8,0.2", "--split_fractions 1 --max_steps"):
        assert way in told
    told = _refusal(run_script, capsys, one_patient, tmp_path / "out", split_fractions="0.5,0.5")
    assert "1 subject, too few for the 2 splits train, validation" in told
    assert "no test split" not in told  # which would not help
    told = _refusal(run_script, capsys, one_patient, tmp_path / "out", split_by="time", split_fractions="0.98,0.02")
    assert "the validation split has none of the 40 windows" in told


def test_two_subjects_without_a_test_split(make_dataset, tmp_path, run_script):
    run_script(SCRIPT, make_dataset(channels=(2, 2)), tmp_path / "out", split_fractions="0.5,0.5", num_train_epochs=1)
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "test_results.json").exists()


def test_a_fixed_number_of_steps_on_all(one_patient, tmp_path, run_script):
    options = {"split_fractions": "1", "max_steps": 2, "num_train_epochs": None}
    run_script(SCRIPT, one_patient, tmp_path, **options)
    state = json.loads((tmp_path / "trainer_state.json").read_text())
    assert (state["global_step"], state["best_metric"]) == (2, None)
    assert "| train | 40 | 1 | 2 |" in (tmp_path / "README.md").read_text()


@pytest.fixture(scope="module")
def by_time(one_patient, tmp_path_factory, run_script) -> tuple[Path, Path]:
    """A run, and one that begins from its checkpoint, on halves of one recording."""
    first, second = (tmp_path_factory.mktemp("by_time") / name for name in ("first", "second"))
    options = {"split_by": "time", "split_fractions": "0.25,0.25,0.5", "metric_for_best_model": "loss"}
    run_script(SCRIPT, one_patient, first, **options, num_train_epochs=1)
    run_script(SCRIPT, one_patient, second, **options, num_train_epochs=1, model=first, learning_rate=1e-2)
    return first, second


def _results(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}_results.json").read_text())


def test_a_test_set_of_training_patients_says_so(by_time):
    first, _ = by_time
    assert _results(first, "test")["test_subjects_in_training"] == 1
    with (first / "test_subjects.csv").open() as file:
        assert [row["in_training"] for row in csv.DictReader(file)] == ["yes"]
    card = (first / "README.md").read_text()
    assert "1 of 1 subject of the test split is in the training split, too" in card
    assert "subjects_in_training" not in card
    assert "Intervals" not in card


def test_other_patients_are_no_concern(dataset, tmp_path, run_script, caplog):
    run_script(SCRIPT, dataset, tmp_path, num_train_epochs=1)
    assert "test_subjects_in_training" not in _results(tmp_path, "test")
    assert "in the training split, too" not in (tmp_path / "README.md").read_text() + caplog.text
    assert ",no\n" in (tmp_path / "test_subjects.csv").read_text().replace("\r", "")


def test_the_start_is_scored_beside_the_result(by_time):
    first, second = by_time
    assert not (first / "test_before_results.json").exists()  # it began from random weights
    before, after = _results(second, "test_before"), _results(second, "test")
    assert before["test_before_loss"] == pytest.approx(_results(first, "test")["test_loss"], rel=1e-5)
    assert before["test_before_loss"] != after["test_loss"]
    card = (second / "README.md").read_text()
    row = next(line for line in card.splitlines() if line.startswith("| loss |"))
    assert row.endswith(f"| {after['test_loss']:.4g} | {before['test_before_loss']:.4g} |")
    assert "| metric | validation | test | test, before training |" in card
    header = yaml.safe_load(card.split("---")[1])
    splits = {each["dataset"]["split"] for each in header["model-index"][0]["results"]}
    assert splits == {"validation", "test"}


def test_few_seizures_warn(one_patient, tmp_path, run_script, caplog):
    run_script(SCRIPT, one_patient, tmp_path, **TIME, num_train_epochs=1)
    told = "There are few seizures: 1 in the train split, 1 in the validation split."
    assert told in caplog.text
    assert told in (tmp_path / "README.md").read_text()


def test_no_seizure_to_choose_by_names_other_ways(one_patient, tmp_path, run_script, capsys):
    options = {"split_by": "time", "split_fractions": "0.5,0.1,0.4"}
    told = _refusal(run_script, capsys, one_patient, tmp_path, **options)
    assert "none of the 4 validation windows has a seizure" in told
    assert "--metric_for_best_model loss" in told
    assert "--split_fractions" in told
