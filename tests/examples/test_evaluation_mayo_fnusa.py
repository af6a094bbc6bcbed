"""The row of MAYO and FNUSA on miniatures in the layout of their archives."""

import csv
import json
from pathlib import Path

import mayo_fnusa
import numpy as np
import pytest
from datasets.utils.logging import disable_progress_bar
from scipy.io import savemat

from brant_hf.data.corpora import mayo_fnusa_folds

SMALL = (
    "patch_length=50,num_patches=3,hidden_size=16,intermediate_size=24,num_temporal_layers=1,num_spatial_layers=1,"
    "num_attention_heads=2,hidden_dropout=0.0,attention_dropout=0.0"
)
CATEGORIES = {0: "powerline", 1: "noise", 2: "pathology", 3: "physiology"}


@pytest.fixture(scope="module", params=["FNUSA"])
def corpus(request, tmp_path_factory) -> Path:
    """Four clips of every subject; a pathological one has a loud rhythm of 10 Hz."""
    disable_progress_bar()
    name = request.param
    root = tmp_path_factory.mktemp("corpus") / name
    (root / f"DATASET_{name}").mkdir(parents=True)
    rng, lines = np.random.default_rng(0), []
    subjects = sorted({subject for fold in mayo_fnusa_folds(name) for part in fold.values() for subject in part})
    for subject in subjects:
        for category in (0, 1, 2, 3, 3):
            clip = rng.standard_normal((1, 15000))
            if category == 2:
                clip += 8 * np.sin(2 * np.pi * 10 * np.arange(15000) / 5000)
            identity = f"{subject:02d}{len(lines):06x}"
            savemat(root / f"DATASET_{name}" / f"{identity}.mat", {"data": clip.astype(np.float32)})
            lines.append([len(lines), identity, category, CATEGORIES[category], subject, 1, "B'1", "hp", "Soz"])
    # A clip of a channel that was off, which Brain4FMs leaves out.
    savemat(root / f"DATASET_{name}" / "flat.mat", {"data": np.zeros((1, 15000), np.float32)})
    lines.append([len(lines), "flat", 1, "noise", subjects[0], 1, "B'2", "hp", "Soz"])
    with (root / "segments.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        head = "index,segment_id,category_id,category_name,patient_id,reviewer_id,channel,electrode_type,soz"
        writer.writerow(head.split(","))
        writer.writerows(lines)
    return root


@pytest.fixture
def run(corpus, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "clips"

    def run(output: Path, mode: str, *options: str) -> None:
        values = {
            "corpus": corpus,
            "output": output,
            "mode": mode,
            "cache": cache,
            "config_overrides": SMALL,
            "max_steps": 4,
            "eval_strategy": "no",
            "save_strategy": "no",
            "load_best_model_at_end": False,
            "per_device_train_batch_size": 16,
            "learning_rate": 1e-2,
            "use_cpu": True,
            "report_to": "none",
        }
        flags = [part for name, value in values.items() for part in (f"--{name}", str(value))]
        mayo_fnusa.main([*flags, *options])

    return run


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "row.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_row_is_the_mean_over_folds(run, tmp_path, capsys):
    run(tmp_path, "finetuned", "--folds", "0", "2")
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "row.md").read_text()
    ours, published, *_ = _rows(tmp_path)
    assert (ours["dataset"], ours["protocol"], ours["mode"]) == ("FNUSA", "Brain4FMs", "fine-tuned")
    assert (ours["split"], ours["subjects"]) == ("fold 0, 2 of 5, 3 / 1 / 1 groups", "6")
    assert (published["auroc"], published["f2"], published["subjects"]) == ("0.8877", "0.7454", "13")
    folds = [json.loads((tmp_path / f"fold_{number}.json").read_text())["scores"] for number in (0, 2)]
    for key in ("accuracy", "precision", "recall", "f2", "auprc", "auroc"):
        values = [fold[key] for fold in folds]
        assert float(ours[key]) == pytest.approx(np.mean(values))
        assert float(ours[f"{key}_sd"]) == pytest.approx(np.std(values, ddof=1))
    assert ours["model and revision"] == "Brant, random weights"
    assert not list(tmp_path.glob("fold_*/checkpoint-*"))


def test_a_probe_runs_the_encoder_once_for_all_folds(run, tmp_path, monkeypatch):
    calls = []
    load = mayo_fnusa.make_model
    monkeypatch.setattr(mayo_fnusa, "make_model", lambda *args: calls.append(args) or load(*args))
    run(tmp_path, "probe", "--folds", "0", "1")
    ours = _rows(tmp_path)[0]
    assert (ours["mode"], ours["subjects"], len(calls)) == ("probe", "5", 1)
    assert float(ours["auroc"]) > 0.8  # loud rhythms are easily told


@pytest.mark.parametrize(("mode", "name"), [("frozen", "frozen"), ("lora", "LoRA")])
def test_other_modes(run, tmp_path, mode, name):
    run(tmp_path, mode, "--folds", "1")
    ours = _rows(tmp_path)[0]
    assert (ours["mode"], ours["subjects"], ours["auroc_sd"]) == (name, "2", "")
    assert 0 <= float(ours["auroc"]) <= 1


def test_a_clip_is_one_case_and_complete_folds_are_kept(run, tmp_path, capsys):
    run(tmp_path, "finetuned", "--folds", "0")
    # Of each of the subjects 9, 11 and 13, four clips that are not power-line noise.
    with (tmp_path / "fold_0" / "test_subjects.csv").open() as file:
        counts = [(row["seizure_patches"], row["background_patches"]) for row in csv.DictReader(file)]
    assert counts == [("1", "3")] * 3
    noted = (tmp_path / "fold_0.json").stat().st_mtime_ns
    printed = capsys.readouterr().out
    run(tmp_path, "finetuned", "--folds", "0")
    assert (capsys.readouterr().out, (tmp_path / "fold_0.json").stat().st_mtime_ns) == (printed, noted)
    with pytest.raises(ValueError, match=r"mode differ \(mode was 'finetuned' and is 'lora'\)"):
        run(tmp_path, "lora", "--folds", "0")


def test_the_protocol_of_the_paper(run, tmp_path, capsys):
    run(tmp_path, "frozen", "--folds", "5", "--protocol", "paper")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "| FNUSA | Brant, published code | fold 5 of 6, 4 / 1 / 1 groups | 2 |" in lines[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tuning", "lora"], "--tuning cannot be given"),
        (["--folds", "7"], r"--folds is \[7\]; FNUSA has the folds 0 to 4"),
        (["--recipes", "paper"], "unknown arguments: --recipes paper"),
    ],
)
def test_bad_arguments_stop_before_the_first_fold(run, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "new", "finetuned", *options)
    assert not (tmp_path / "new").exists()
