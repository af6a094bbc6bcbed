"""A detector fine-tuned on a miniature in the layout of SWEC, from its parts to its card."""

import csv
import sys
from pathlib import Path

import build
import numpy as np
import pytest
import swec
from huggingface_hub import ModelCard
from swec import by_time, shares_of, training_pieces

from brant_hf import BrantConfig
from brant_hf.data import load
from brant_hf.data.corpora import SwecIndex, SwecPart
from brant_hf.detection import Detector

RATE = 100
SEIZURES = [(100.0, 120.0), (250.0, 275.0)]
TRAINING = {"num_train_epochs": 8, "learning_rate": 1e-2, "head_learning_rate": 1e-2, "use_cpu": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("swec")


@pytest.fixture
def corpus(folder, write_swec, noise) -> Path:
    """Four subjects with parts of 200 and 160 s; a seizure is a loud rhythm on all channels."""
    root = folder / "SWEC"
    for number in range(4 if not root.exists() else 0):
        signal = noise(3, 360 * RATE, number)
        for onset, offset in SEIZURES:
            place = slice(round(onset * RATE), round(offset * RATE))
            signal[:, place] += 400 * np.sin(2 * np.pi * 8 * np.arange(place.stop - place.start) / RATE)
        parts = np.split(signal, [200 * RATE], axis=1)
        write_swec(root, f"ID{24 + number}", parts, SEIZURES, RATE, index="ID07", chunk_s=30)
    return root


def run(corpus: Path, output: Path, model: Path, *options: str) -> None:
    values = {
        "corpus": corpus,
        "output": output,
        "model": model,
        "margin": 40,
        "device": "cpu",
        **TRAINING,
    }
    swec.main([*(part for name, value in values.items() for part in (f"--{name}", str(value))), *options])


def test_one_command_from_parts_to_a_scored_checkpoint(corpus, commands, tmp_path, checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", str(commands / "python"))
    output = tmp_path / "out"
    run(corpus, output, checkpoint)
    assert capsys.readouterr().out.endswith((output / "row.md").read_text())
    splits = {
        name: set(load(output / "windows", name).with_format(None)["subject"]) for name in ("train", "validation")
    }
    with (output / "subjects.csv").open(newline="") as file:
        (tested,) = csv.DictReader(file)
    assert sorted([*splits["train"], *splits["validation"], tested["subject"]]) == ["ID24", "ID25", "ID26", "ID27"]
    # The rhythm is easily told.
    assert (tested["found"], tested["seizures"], tested["false_alarms"]) == ("2", "2", "0")
    assert float(tested["hours"]) == pytest.approx(0.1)
    card = ModelCard.load(output / "detector" / "README.md")
    results = {each.metric_type: each for each in card.data.eval_results if each.dataset_name == "SWEC"}
    assert (results["sensitivity"].metric_value, results["false_alarms_per_day"].metric_value) == (1.0, 0.0)
    assert card.data.datasets == ["NeuroTec/SWEC_iEEG_Dataset"]
    assert f"| {tested['subject']} | 2 | 2 | 0 | 0.1 |" in card.content
    assert "## Recipe" in card.content
    detector = Detector.from_pretrained(output / "detector")
    assert detector.settings.min_channels == BrantConfig.from_pretrained(output / "detector").detection["min_channels"]
    assert detector.settings.preprocessing.line_noise is None

    # Nothing is done again, not even with the parts away; the checkpoint is pushed.
    pushed = []
    monkeypatch.setattr(swec, "check_push", lambda repository, overwrite: None)
    monkeypatch.setattr(swec, "push", lambda *args: pushed.append(args))
    monkeypatch.setattr(swec.Release, "reading", None)
    monkeypatch.setattr(build.subprocess, "run", None)
    run(corpus, output, checkpoint, "--push-to-hub", "you/swec")
    assert pushed == [(output / "detector", "you/swec", False)]
    assert ModelCard.load(output / "detector" / "README.md").content.count("## Seizures in days") == 1
    with pytest.raises(ValueError, match=r"margin differ \(margin was 40.0 and is 50.0\)"):
        run(corpus, output, checkpoint, "--margin", "50")


def index_of(subject: str, seizures: list[tuple[float, float]], hours: int = 10) -> SwecIndex:
    parts = tuple(SwecPart(Path(f"{subject}_part_{n}.h5"), n * 3600.0, (n + 1) * 3600.0) for n in range(hours))
    return SwecIndex(subject, Path("total.h5"), 512.0, 4, hours * 3600.0, parts, tuple(seizures))


def test_subjects_are_shared_out_and_one_subject_by_time():
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    seizures = [(3600.0 * hour, 3600.0 * hour + 60) for hour in range(1, 6)]
    shares = shares_of([index_of(f"ID{number}", seizures) for number in range(24, 34)], fractions, 0)
    assert {name: len(each) for name, each in shares.items()} == {"train": 6, "validation": 2, "test": 2}
    assert len({each.subject for those in shares.values() for each in those}) == 10
    with pytest.warns(UserWarning, match="scores are those of subjects that are known"):
        shares = shares_of([index_of("ID24", seizures)], fractions, 0)
    # Three, one and one seizure; borders lie halfway between two.
    assert [shares[name] for name in fractions] == [
        [("ID24", 0.0, 12630.0)],
        [("ID24", 12630.0, 16230.0)],
        [("ID24", 16230.0, 36000.0)],
    ]
    assert by_time(index_of("ID24", seizures[:3]), [0.9, 0.05, 0.05])[1] == (5430.0, 9030.0)
    with pytest.raises(ValueError, match="ID24 has 2 seizures; 3 are needed"):
        by_time(index_of("ID24", seizures[:2]), [0.6, 0.2, 0.2])


def test_background_is_random_of_parts_with_seizures_and_keeps_away_from_them():
    index = index_of("ID24", [(3600.0, 3660.0), (18000.0, 18030.0)])
    arguments = swec.Arguments("corpus", "output", margin=300.0, background=2.0)
    (stretch,) = [swec.Stretch("ID24", 0.0, 36000.0)]
    pieces = training_pieces(index.parts, index, stretch, arguments)
    spans = [(piece.start, piece.stop) for piece in pieces]
    assert spans == sorted(spans)
    # Around each seizure, on both sides of the border of two parts.
    near = {(3300.0, 3600.0), (3600.0, 3960.0), (17700.0, 18000.0), (18000.0, 18330.0)}
    assert near < set(spans)
    calm = set(spans) - near
    assert len(calm) == 8
    assert all(stop - start == 600.0 for start, stop in calm)
    assert all(stop <= a - 300 or start >= b + 300 for start, stop in calm for a, b in index.seizures)
    assert {piece.part for piece in pieces} == {index.parts[number] for number in (0, 1, 4, 5)}
    assert training_pieces(index.parts, index, stretch, arguments) == pieces
    quiet = training_pieces(index.parts, index_of("ID25", []), stretch, arguments)
    assert (len(quiet), len({piece.part for piece in quiet})) == (4, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fractions", "0.8,0.2"], "expected shares of train, validation, test"),
        (["--margin", "20"], "--margin is 20 s; it must be 30 or more"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        swec.main(["--corpus", "x", "--output", str(tmp_path / "new"), *options])
    assert not (tmp_path / "new").exists()
