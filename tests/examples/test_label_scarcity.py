"""The table of `examples/label_scarcity.py` against the files of the runs it is made of."""

import csv
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import label_scarcity
import numpy as np
import pytest
from label_scarcity import STARTS, Arguments, Cell, Plan, Run, check_subjects, make_cells
from transformers.utils import logging

from brant_hf.data import Preprocessing, load, open_recording, prepare, save_splits

RATE, PATCH, PATCHES = 250, 50, 6
SMALL = (
    "hidden_size=16,intermediate_size=24,num_temporal_layers=1,num_spatial_layers=1,num_attention_heads=2,"
    "hidden_dropout=0.0,attention_dropout=0.0"
)
COUNTS, SEEDS = (1, 2), (0, 1)
SPLITS = {"train": 0.5, "validation": 0.25, "test": 0.25}


def write_dataset(folder: Path, patients: range, noted: bool = True) -> str:
    """A recording of 12 s for each patient, with a loud rhythm, the seizure, from 4 s to 7 s."""
    recordings = []
    for patient in patients:
        signal = np.random.default_rng(patient).normal(0, 20, (2, 12 * RATE)).astype(np.float32)
        signal[:, 4 * RATE : 7 * RATE] += 60 * np.sin(2 * np.pi * 5 * np.arange(3 * RATE) / RATE)
        name = f"p{patient}"
        recordings.append(open_recording(signal, RATE, seizures=[(4.0, 7.0, None)], subject=name, name=name))
    settings = Preprocessing(high_pass=None, line_noise=None, flat="keep")
    prepare(recordings, folder, settings, patch_length=PATCH, num_patches=PATCHES, progress=False)
    if noted:
        save_splits(folder, SPLITS)
    return str(folder)


def run_in_this_process(command: list[str], **_: object) -> SimpleNamespace:
    """In place of `subprocess.run`: starting Python and importing torch takes longer than the run."""
    level = logging.get_verbosity()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command[1:])
        try:
            runpy.run_path(command[1], run_name="__main__")
        finally:
            logging.set_verbosity(level)
    return SimpleNamespace(returncode=0)


def start_script(output: Path, dataset: str, **options: str) -> list[Path]:
    """Run the script; the folders of the runs that it started, relative to `output`, in their order."""
    started = []

    def start(command: list[str], **settings: object) -> SimpleNamespace:
        started.append(Path(command[command.index("--output_dir") + 1]).relative_to(output))
        return run_in_this_process(command, **settings)

    values = {
        "labelled_patients": " ".join(map(str, COUNTS)),
        "seeds": " ".join(map(str, SEEDS)),
        "config_overrides": SMALL,
        "pretraining_steps": "3",
        "finetuning_steps": "2",
        **options,
    }
    flags = [part for name, value in values.items() for part in (f"--{name}", *value.split(" "))]
    flags += ["--options=--use_cpu true", "--dataset", dataset, "--output", str(output)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["label_scarcity.py", *flags])
        patch.setattr(label_scarcity, "subprocess", SimpleNamespace(run=start, STDOUT=subprocess.STDOUT))
        label_scarcity.main()
    return started


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> str:
    return write_dataset(tmp_path_factory.mktemp("prepared") / "windows", range(8))


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory) -> tuple[Path, list[Path]]:
    """The output of a small study and the runs that it started."""
    output = tmp_path_factory.mktemp("study")
    return output, start_script(output, dataset, share_pretraining="true")


def _detector(output: Path, start: str, count: int, seed: int) -> Path:
    return output / "detectors" / start / f"{count}_subjects" / "rate_0.0003" / f"seed_{seed}"


def _json(path: Path) -> dict:
    return json.loads(path.read_text())


def _rows(output: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (output / "label_scarcity.csv").open(newline="") as file:
        return {(row["section"], row["method"]): row for row in csv.DictReader(file)}


def test_every_start_is_trained_alike(finished):
    output, started = finished
    assert len(started) == len(set(started)) == 3 + len(STARTS) * len(COUNTS) * len(SEEDS)
    assert [folder.parts[0] for folder in started[:4]] == ["pretrained"] * 3 + ["detectors"]
    for start in STARTS:
        for count in COUNTS:
            for seed in SEEDS:
                run = _json(_detector(output, start.key, count, seed) / "run.json")
                training, data = run["training"], run["data"]
                assert (training["max_steps"], training["seed"], data["max_train_subjects"]) == (2, seed, count)
                assert (training["learning_rate"], run["tuning"]["head_learning_rate"]) == (3e-4, 3e-4)
                pretrained = output / "pretrained" / start.key / "seed_0"
                assert run["model"]["model"] == (str(pretrained) if start.overrides else None)


@pytest.mark.parametrize(
    ("key", "loss_on", "mask_band_power"),
    [("all", "all", False), ("masked", "masked", False), ("masked_band_power", "masked", True)],
)
def test_pretraining_has_its_loss_and_no_label(finished, key, loss_on, mask_band_power):
    folder = finished[0] / "pretrained" / key / "seed_0"
    config = _json(folder / "config.json")
    assert (config["loss_on"], config["mask_band_power"]) == (loss_on, mask_band_power)
    assert config["architectures"] == ["BrantForPreTraining"]
    assert _json(folder / "run.json")["training"]["max_steps"] == 3
    assert not list(folder.glob("checkpoint-*"))


@pytest.mark.parametrize("metric", ["auroc", "auprc"])
def test_cells_are_means_of_the_results_of_the_runs(finished, metric):
    output, _ = finished
    rows = _rows(output)
    lines = (output / "label_scarcity.md").read_text().split(f"## {metric.upper()}\n")[1].splitlines()
    for start in STARTS:
        row = rows[metric.upper(), start.title]
        line = next(line for line in lines if line.startswith(f"| {start.title} |"))
        for count, cell in zip(COUNTS, line.split("|")[3:5], strict=True):
            results = [_json(_detector(output, start.key, count, seed) / "test_results.json") for seed in SEEDS]
            first, second = (each[f"test_{metric}"] for each in results)
            assert float(row[f"subjects_{count}"]) == pytest.approx((first + second) / 2)
            # Two test patients are too few for an interval.
            assert [row[f"subjects_{count}{end}"] for end in ("_low", "_high")] == ["", ""]
            assert float(row[f"subjects_{count}_sd"]) == pytest.approx(abs(first - second) / 2**0.5)
            assert cell.replace("*", "").strip().startswith(f"{(first + second) / 2:#.3g}")


def test_gains_are_differences_of_the_same_patients(finished):
    output, _ = finished
    for start in STARTS[1:]:
        values = {}
        for key in (start.key, "scratch"):
            for seed in SEEDS:
                with (_detector(output, key, 2, seed) / "test_subjects.csv").open(newline="") as file:
                    for row in csv.DictReader(file):
                        values.setdefault((key, row["subject"]), []).append(float(row["auprc"]))
        patients = {subject for _, subject in values}
        gains = [np.mean(values[start.key, each]) - np.mean(values["scratch", each]) for each in patients]
        row = _rows(output)["AUPRC of a test patient: gain over the model from scratch", start.title]
        assert len(gains) == 2
        assert float(row["subjects_2"]) == pytest.approx(np.mean(gains))
        # Resamples of two patients: either one twice, or both.
        assert float(row["subjects_2_low"]) == pytest.approx(min(gains))
        assert float(row["subjects_2_high"]) == pytest.approx(max(gains))


def test_table_is_about_patients_no_run_was_trained_on(finished, dataset):
    output, _ = finished
    held_out = set(load(dataset, "test")["subject"])
    assert not held_out & set(load(dataset, "train")["subject"])
    assert f"{len(held_out)} test patients; labelled patients out of 4" in (output / "label_scarcity.md").read_text()
    for folder in output.glob("detectors/*/*/*/*"):
        with (folder / "test_subjects.csv").open(newline="") as file:
            assert {row["subject"] for row in csv.DictReader(file)} == held_out


def test_only_what_is_missing_is_run_again(finished, dataset):
    output, _ = finished
    table = (output / "label_scarcity.csv").read_bytes()
    missing = _detector(output, "masked", 1, 1)
    (missing / "README.md").unlink()
    assert start_script(output, dataset, share_pretraining="true") == [missing.relative_to(output)]
    assert start_script(output, dataset, share_pretraining="true") == []
    assert (output / "label_scarcity.csv").read_bytes() == table


def test_runs_with_other_arguments_are_not_reused(finished, dataset):
    with pytest.raises(ValueError, match="other arguments"):
        start_script(finished[0], dataset, share_pretraining="true", pretraining_steps="4")


def test_results_of_other_patients_are_refused(finished, dataset):
    arguments = Arguments([dataset], str(finished[0]), labelled_subjects=[1], seeds=[0], share_pretraining=True)
    make_cells(Plan(arguments), check_subjects(arguments))
    with pytest.raises(ValueError, match="tested on other subjects"):
        make_cells(Plan(arguments), {"test": {"p0"}})


def _arguments(dataset: str, **values: object) -> Arguments:
    return Arguments(**{"dataset": [dataset], "output": "unused", "labelled_subjects": [1], **values})


def test_pretraining_on_a_test_patient_is_refused(dataset, tmp_path):
    other = write_dataset(tmp_path / "others", range(8, 12))
    check_subjects(_arguments(dataset, pretraining_dataset=[other]))
    same = write_dataset(tmp_path / "same", range(8), noted=False)
    save_splits(same, SPLITS, seed=3)
    shared = sorted(set(load(same, "train")["subject"]) & set(load(dataset, "test")["subject"]))
    with pytest.raises(ValueError, match=f"subject '{shared[0]}' of the test split is trained on too"):
        check_subjects(_arguments(dataset, pretraining_dataset=[same]))


def test_seeds_draw_labelled_patients_only_where_splits_are_noted(dataset, tmp_path):
    def split_seeds(source: str) -> list[str]:
        plan = Plan(_arguments(source, seeds=[0, 5]))
        runs = [plan.finetuning(STARTS[0], 1, 3e-4, seed) for seed in (0, 5)]
        return [run.flags[run.flags.index("--split_seed") + 1] for run in runs]

    assert split_seeds(dataset) == ["0", "5"]
    assert split_seeds(write_dataset(tmp_path / "plain", range(4), noted=False)) == ["0", "0"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labelled_subjects": [1, 5]}, "training split has 4 subjects"),
        ({"labelled_subjects": [0]}, "1 or more"),
        ({"seeds": [1, 1]}, "different values"),
        ({"finetuning_steps": 0}, "--finetuning_steps is 0"),
        ({"options": "--seed 3"}, "--seed cannot be"),
        ({"finetuning_options": "--bf16 true --model=other"}, "--model cannot be"),
        ({"dataset": str(Path(__file__).parent)}, "brant-hf prepare"),
    ],
)
def test_bad_input_stops_before_the_first_run(dataset, values, message):
    def set_up() -> None:
        arguments = _arguments(**{"dataset": dataset, **values})
        check_subjects(arguments)
        Plan(arguments).runs()

    with pytest.raises(ValueError, match=message):
        set_up()


def test_a_script_that_fails_says_why(tmp_path, monkeypatch, commands):
    monkeypatch.setattr(sys, "executable", str(commands / "python"))
    run = Run("run_pretraining.py", tmp_path / "run", ["--dataset", str(tmp_path), "--recipe", "quick"])
    with pytest.raises(ChildProcessError, match=r"status 2, see .*log\.txt: run_pretraining\.py: --recipe is 'quick'"):
        run.execute()
    assert not run.is_complete()


def test_a_run_that_never_began_may_be_repeated_with_other_arguments(tmp_path, monkeypatch):
    started = []
    fail = SimpleNamespace(
        run=lambda command, **_: started.append(command) or SimpleNamespace(returncode=1), STDOUT=-2
    )
    monkeypatch.setattr(label_scarcity, "subprocess", fail)
    for flags in (["--seed", "0"], ["--seed", "1"]):
        with pytest.raises(ChildProcessError):
            Run("run_pretraining.py", tmp_path, flags).execute()
    assert [command[-1] for command in started] == ["0", "1"]
    (tmp_path / "checkpoint-3").mkdir()
    with pytest.raises(ValueError, match="other arguments"):
        Run("run_pretraining.py", tmp_path, ["--seed", "2"]).execute()


@pytest.fixture
def write_run(tmp_path) -> Callable[..., Run]:
    """A factory of complete runs with known results."""

    def write(folder: Path, validation_auprc: float, **patients: float | None) -> Run:
        run = Run("run_seizure_detection.py", tmp_path / folder, [])
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "validation_results.json").write_text(json.dumps({"validation_auprc": validation_auprc}))
        known = [value for value in patients.values() if value is not None]
        (run.folder / "test_results.json").write_text(json.dumps({"test_auprc": sum(known) / len(known)}))
        lines = [f"{name},{'' if value is None else value}" for name, value in patients.items()]
        (run.folder / "test_subjects.csv").write_text("\n".join(["subject,auprc", *lines]) + "\n")
        return run

    return write


def test_gain_by_hand(write_run):
    here = Cell([write_run("a", 0, p=0.5, q=0.9, r=None), write_run("b", 0, p=0.7, q=0.9, r=0.2)], 1e-3)
    there = Cell([write_run("c", 0, p=0.2, q=0.8, r=0.1), write_run("d", 0, p=0.2, q=0.6, r=0.1)], 1e-3)
    gain = here.gain(there, "auprc")  # p: 0.6 - 0.2, q: 0.9 - 0.7, r: not defined in every run
    assert gain == pytest.approx({"value": 0.3, "low": 0.2, "high": 0.4})
    assert here.metric("auprc").keys() == {"value", "sd"}
    assert here.metric("auroc") == {}


def test_learning_rate_is_chosen_on_validation_patients(dataset, write_run, tmp_path):
    arguments = _arguments(dataset, output=str(tmp_path), learning_rates=[1e-4, 1e-3], seeds=[0])
    plan, patients = Plan(arguments), check_subjects(arguments)
    for start in STARTS:
        for rate, validation, test in ((1e-4, 0.6, 0.1), (1e-3, 0.5, 0.9)):
            folder = plan.finetuning(start, 1, rate, 0).folder.relative_to(tmp_path)
            write_run(folder, validation, **dict.fromkeys(patients["test"], test))
    cells = make_cells(plan, patients)
    assert {cell.learning_rate for cell in cells.values()} == {1e-4}
    assert cells[STARTS[0], 1].metric("auprc") == pytest.approx({"value": 0.1})
