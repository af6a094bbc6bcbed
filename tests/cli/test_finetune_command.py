"""`brant-hf finetune`: from a detector and a labelled recording to a detector of the subject."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import brant_hf.detection.finetuning as finetuning
import brant_hf.detection.settings as settings
from brant_hf.data import open_recording
from brant_hf.detection import Detector, finetune_detector
from brant_hf.detection.finetuning_judgement import Judgement

RATE = 100
SEIZURES = ((100.0, 112.0), (260.0, 270.0))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A tiny model of random weights has all to learn."""
    monkeypatch.setattr(finetuning, "LEARNING_RATE", 1e-2)
    monkeypatch.setattr(finetuning, "BATCH_SIZE", 8)


@pytest.fixture
def recording(noise, write_edf, tmp_path):
    """Six minutes of two channels with two seizures, a loud rhythm."""
    signal = noise(2, 360 * RATE)
    for onset, offset in SEIZURES:
        inside = slice(int(onset * RATE), int(offset * RATE))
        signal[:, inside] += 400 * np.sin(2 * np.pi * 4 * np.arange(inside.stop - inside.start) / RATE)
    return write_edf(tmp_path / "night.edf", signal, RATE)


def table(folder, seizures=SEIZURES, name="marked.tsv"):
    rows = [f"{onset}\t{offset - onset}\tsz\n" for onset, offset in seizures] or ["0.00\t360.00\tbckg\n"]
    (folder / name).write_text("onset\tduration\teventType\n" + "".join(rows))
    return folder / name


@pytest.fixture
def run(run, checkpoint, tmp_path):
    """Run the command; gives exit status, standard output and standard error."""

    def finetune(*arguments, output=None, steps=2):
        place = output or tmp_path / "mine"
        options = ("--output", place, "--model", checkpoint, "--steps", steps, "--device", "cpu")
        return run("finetune", *arguments, *options)

    return finetune


def partial_outputs(folder):
    return [path.name for path in folder.iterdir() if "partial" in path.name or path.name == "mine"]


def test_it_learns_the_seizures_of_the_subject(run, recording, tmp_path, checkpoint):
    status, out, err = run(recording, "--events", table(tmp_path), steps=40)
    assert status == 0, err
    assert "labels         2 seizures in 0.10 h of 1 recording (marked.tsv)" in out
    assert f"written to     {tmp_path / 'mine'}" in out
    start, mine = (Detector.from_pretrained(each) for each in (checkpoint, tmp_path / "mine"))
    assert mine.settings.preprocessing == start.settings.preprocessing
    result = mine.detect(open_recording(recording), progress=False)
    probability, inside = result.recording_probability, np.zeros(720, bool)
    for onset, offset in SEIZURES:
        inside[int(2 * onset) : int(2 * offset)] = True
    assert np.median(probability[inside]) > np.quantile(probability[~inside], 0.95)
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "2 marked seizures" in card
    assert "night" not in card  # names may tell who somebody is
    assert "found, of seizures held back | " in card


def test_settings_of_the_start_are_kept_unless_told_otherwise(run, recording, tmp_path, checkpoint):
    status, out, err = run(recording, "--events", table(tmp_path), "--high-pass", "2", "--bad", "A2")
    assert status == 0, err
    before, after = (
        json.loads((folder / "config.json").read_text())["detection"] for folder in (checkpoint, tmp_path / "mine")
    )
    assert after["preprocessing"]["high_pass"] == 2
    assert (after["min_duration"], after["merge_gap"]) == (before["min_duration"], before["merge_gap"])
    kept = after["threshold"] == 0.5
    assert ("that of the start" if kept else "chosen on these recordings") in out


def test_labels_may_be_the_recordings_own(run, recording, tmp_path):
    table(tmp_path, name="night_events.tsv")
    status, out, err = run(recording)
    assert status == 0, err
    assert "(night_events.tsv)" in out


def test_a_part_alone_counts(run, recording, tmp_path):
    status, out, err = run(recording, "--events", table(tmp_path), "--stop", "0:04:10")
    assert status == 0, err
    assert "1 seizure in 0.07 h" in out
    assert "held back" not in out.split("false alarms")[0]  # a single seizure is trained on


def test_tables_may_follow_one_another(run, recording, tmp_path, write_edf, noise):
    second = write_edf(tmp_path / "calm.edf", noise(2, 60 * RATE, seed=1), RATE)
    status, out, err = run(recording, second, "--events", table(tmp_path), table(tmp_path, (), "calm.tsv"))
    assert status == 0, err
    assert "2 seizures in 0.12 h of 2 recordings" in out


@pytest.mark.parametrize(
    ("seizures", "options", "message"),
    [
        ((), (), "no seizure is marked"),
        (SEIZURES, ("--stop", "50"), "no seizure is marked"),
        (((1.0, 359.0),), (), "there are 0 s of background, not counting 30 s before"),
        (((100.0, 112.0), (355.0, 420.0)), (), "passes the end of night.edf, which lasts 360.00 s"),
        (SEIZURES, ("--events", "other.tsv"), "got 1 recording and 2 tables of events; give --events one table"),
        (SEIZURES, ("--steps", "0"), "--steps is 0"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    run, recording, tmp_path, seizures, options, message, monkeypatch
):
    monkeypatch.setattr(finetuning, "train", lambda *args, **kwargs: pytest.fail("training has begun"))
    events = table(tmp_path, seizures)
    steps = {"steps": options[1]} if options[:1] == ("--steps",) else {}
    status, _, err = run(recording, "--events", events, *(() if steps else options), **steps)
    assert status == 2
    assert message in err
    assert not partial_outputs(tmp_path)


def test_recordings_of_several_subjects_are_refused(noise, tmp_path, checkpoint):
    several = [
        open_recording(noise(2, 60 * RATE), RATE, seizures=[(20, 30)], subject=name, name=name) for name in ("a", "b")
    ]
    with pytest.raises(ValueError, match=r"2 subjects \(a, b\)"):
        finetune_detector(several, tmp_path / "mine", checkpoint)


def test_a_checkpoint_is_replaced_only_when_asked(run, recording, tmp_path):
    events = table(tmp_path)
    output = tmp_path / "mine"
    output.mkdir()
    (output / "config.json").write_text("{}")
    status, _, err = run(recording, "--events", events)
    assert status == 2
    assert "mine holds config.json" in err
    status, _, err = run(recording, "--events", events, "--force")
    assert status == 0, err
    assert (output / "model.safetensors").is_file()


def test_an_interruption_leaves_nothing(run, recording, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(finetuning, "_choose", interrupted)
    status, out, err = run(recording, "--events", table(tmp_path))
    assert status == 130
    assert "Traceback" not in err
    assert out == ""
    assert not partial_outputs(tmp_path)


def test_events_that_nobody_marked_are_told(run, recording, tmp_path, monkeypatch):
    def find_events(_, patch_s, **__):
        return [(int(onset / patch_s), int(offset / patch_s)) for onset, offset in SEIZURES]

    monkeypatch.setattr(settings, "find_events", find_events)
    status, _, err = run(recording, "--events", table(tmp_path, SEIZURES[:1]))
    assert status == 0, err
    assert "finds seizures that are not marked (night at 260 s); they count as background" in err
    assert "give only the part that was looked at: --start TIME, --stop TIME" in err


def test_old_weights_stay_where_new_ones_do_no_better(run, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "LEARNING_RATE", 0.0)
    status, out, err = run(recording, "--events", table(tmp_path))
    assert status == 0
    assert "these are kept" in err
    assert "weights        those of the start" in out


def test_a_start_with_nothing_to_gain_keeps_its_weights(run, recording, tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(Judgement, "has_nothing_to_gain", True)
    monkeypatch.setattr(finetuning, "train", lambda *args, **kwargs: pytest.fail("training has begun"))
    status, out, err = run(recording, "--events", table(tmp_path))
    assert status == 0, err
    assert "finds every marked seizure in time and clearly" in err
    assert "weights        those of the start, which has nothing to gain" in out
    start, mine = (load_file(each / "model.safetensors") for each in (checkpoint, tmp_path / "mine"))
    assert all(torch.equal(start[name], mine[name]) for name in start)


def test_a_seizure_that_the_end_cuts_short_decides_nothing(recording, tmp_path, checkpoint, capsys):
    """Of the second, 1 s is left, and an event lasts 2 s: no threshold finds it, so the first alone counts."""
    start = shutil.copytree(checkpoint, tmp_path / "start")
    config = json.loads((start / "config.json").read_text())
    config["detection"]["min_duration"] = 2.0
    (start / "config.json").write_text(json.dumps(config))
    part = open_recording(recording, seizures=SEIZURES, stop=261.0)
    capsys.readouterr()
    report = finetune_detector(part, tmp_path / "mine", start, steps=2, progress=False)
    assert "%|" not in capsys.readouterr().err
    assert (report.before.seizures, report.before.held_seizures) == (1, 0)
    cut = open_recording(recording, seizures=SEIZURES[1:], stop=261.0)
    with pytest.raises(
        ValueError, match="of each marked seizure less than 2 s, the shortest event, lie in what is read"
    ):
        finetune_detector([cut], tmp_path / "other", start, steps=2, progress=False)
