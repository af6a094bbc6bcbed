"""The numbers of the chart of the paper, on small prepared datasets."""

import csv
import json

import numpy as np
import paper
import pytest

from brant_hf import BrantConfig, BrantModel
from brant_hf.data import Preprocessing, open_recording, prepare

RATE, PATCH = 100, 20
SETTINGS = Preprocessing(sampling_rate=RATE, high_pass=None, line_noise=None, flat="keep")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory) -> dict[int, str]:
    """Windows of 2, 4, 7 and 22 patches of six subjects with a seizure each."""
    root, rng = tmp_path_factory.mktemp("windows"), np.random.default_rng(0)
    recordings = []
    for subject in range(6):
        signal = rng.normal(0, 20, (2, 20 * RATE)).astype(np.float32)
        signal[:, 4 * RATE : 12 * RATE] += 300 * np.sin(2 * np.pi * 5 * np.arange(8 * RATE) / RATE)
        seizures = [(4.0, 12.0, None)]
        recordings.append(open_recording(signal, RATE, seizures=seizures, subject=f"s{subject}", name=f"r{subject}"))
    folders = {}
    for patches in (2, 4, 7, 22):
        folders[patches] = str(root / f"windows{patches}")
        prepare(recordings, folders[patches], SETTINGS, patch_length=PATCH, num_patches=patches, progress=False)
    return folders


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """An encoder of 2 patches."""
    config = BrantConfig(
        patch_length=PATCH,
        num_patches=2,
        sampling_rate=RATE,
        hidden_size=16,
        intermediate_size=24,
        num_temporal_layers=1,
        num_spatial_layers=1,
        num_attention_heads=2,
    )
    folder = tmp_path_factory.mktemp("model") / "brant"
    BrantModel(config).save_pretrained(folder)
    return str(folder)


def run(output, sources, *options: str) -> None:
    values = {
        "max_steps": 2,
        "eval_strategy": "no",
        "save_strategy": "no",
        "load_best_model_at_end": False,
        "split_fractions": "0.5,0.25,0.25",
        "use_cpu": True,
        "report_to": "none",
    }
    flags = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    paper.main(["--dataset", *sources, "--output", str(output), *options, *flags])


def _rows(folder):
    with (folder / "row.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_numbers_of_the_chart_beside_the_published_ones(datasets, model, tmp_path, capsys):
    run(tmp_path, datasets.values(), "--model", model)
    assert capsys.readouterr().out == (tmp_path / "row.md").read_text()
    ours, *published = _rows(tmp_path)
    assert {name: json.loads((tmp_path / f"{name}_seed_0.json").read_text())["scores"] for name in paper.TASKS} == {
        "short": {"short_mae": float(ours["short_mae"])},
        "long": {"long_mae": float(ours["long_mae"])},
        "frequency_phase": {
            "frequency_mae": float(ours["frequency_mae"]),
            "phase_plv": float(ours["phase_plv"]),
        },
        "imputation": {"imputation_mae": float(ours["imputation_mae"])},
        "seizure": {"seizure_f2": float(ours["seizure_f2"])},
    }
    for task, patches in {"short": 4, "long": 22, "frequency_phase": 7, "imputation": 2, "seizure": 2}.items():
        noted = json.loads((tmp_path / f"{task}_seed_0" / "run.json").read_text())
        assert noted["data"]["dataset"] == [datasets[patches]]
    # z-scores of noise and a rhythm.
    assert 0.3 < float(ours["short_mae"]) < 1.5
    assert (ours["mode"], ours["model and revision"]) == ("fine-tuned", "brant")
    brant, patchtst, brainbert = published
    keys = [column.key for column in paper.COLUMNS]
    assert [brant[key] for key in keys] == ["0.403", "0.569", "0.004", "0.6", "0.19", "0.566"]
    assert (patchtst["seizure_f2"], brainbert["frequency_mae"]) == ("0.235", "0.107")


def test_windows_that_are_too_short_and_checkpoints_that_are_evaluated(datasets, model, tmp_path, capsys):
    options = ["--model", model, "--tasks", "seizure", "long", "--split_seeds", "0", "1"]
    detector = tmp_path / "first" / "seizure_seed_0"
    run(tmp_path / "first", [datasets[2]], *options)
    assert "long is left out: no dataset has windows of 21 to 22 patches" in capsys.readouterr().err
    trained = _rows(tmp_path / "first")[0]
    assert trained["seizure_f2_sd"] != ""
    assert (trained["long_mae"], trained["split"]) == ("", "by subject, seeds 0, 1")
    noted = (tmp_path / "first" / "seizure_seed_1.json").stat().st_mtime_ns
    run(tmp_path / "first", [datasets[2]], *options)
    assert (tmp_path / "first" / "seizure_seed_1.json").stat().st_mtime_ns == noted

    run(tmp_path / "second", [datasets[2]], "--tasks", "seizure", "--checkpoints", f"seizure={detector}")
    evaluated = _rows(tmp_path / "second")[0]
    first = json.loads((tmp_path / "first" / "seizure_seed_0.json").read_text())["scores"]["seizure_f2"]
    assert float(evaluated["seizure_f2"]) == pytest.approx(first)
    assert (evaluated["mode"], evaluated["model and revision"]) == ("evaluated", "seizure_seed_0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks", "long"], "no task of the chart can be measured"),
        (["--checkpoints", "sleep=brant"], "--checkpoints has 'sleep'; give TASK=CHECKPOINT"),
        (["--split_seed", "3"], "--split_seed cannot be given"),
        (["--recipes", "paper"], "unknown arguments: --recipes paper"),
    ],
)
def test_bad_arguments_stop_before_the_first_run(datasets, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "new", [datasets[2]], *options)
    assert not (tmp_path / "new").exists()
