from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import brant_hf
from brant_hf.cli.merge import merge
from brant_hf.cli.prepare import prepare
from brant_hf.data import load

SMALL = {"patch_length": 250, "num_patches": 4}


@pytest.fixture
def folder(tmp_path, write_edf):
    for i in range(2):
        signal = 50 * np.random.default_rng(i).standard_normal((3, 2500))
        write_edf(tmp_path / "in" / f"r{i}.edf", signal, 250)
    return tmp_path / "in"


def test_results_on_standard_output(folder, tmp_path, capsys):
    prepare([folder], tmp_path / "out", **SMALL)
    printed = capsys.readouterr()
    assert "4 windows of 2 recordings prepared" in printed.out
    assert printed.err == ""
    assert len(load(tmp_path / "out")) == 4


def test_settings_reach_the_dataset(folder, tmp_path):
    prepare(
        [folder],
        tmp_path / "out",
        montage="bipolar",
        notch="none",
        high_pass=0,
        low_pass=70,
        labels=False,
        **SMALL,
    )
    row = load(tmp_path / "out")[0]
    assert row["channel_names"] == ["A1-A2", "A2-A3"]
    assert "labels" not in row
    settings = (tmp_path / "out/dataset.json").read_text()
    for expected in ('"line_noise": null', '"high_pass": null', '"low_pass": 70'):
        assert expected in settings


def test_the_unit_of_the_numbers_and_the_subject_reach_the_reader(folder, tmp_path):
    prepare([folder], tmp_path / "out", unit=["mV"], subject="p1", notch="none", **SMALL)
    rows = load(tmp_path / "out")
    assert set(rows["subject"]) == {"p1"}
    assert 3e4 < rows[0]["input_values"].std() < 7e4


def test_failed_recordings_are_listed_and_make_the_command_fail(folder, tmp_path, capsys):
    (folder / "bad.edf").write_text("nothing")
    with pytest.raises(ValueError, match="1 of 3 recordings could not be prepared"):
        prepare([folder], tmp_path / "out", **SMALL)
    assert "bad.edf: " in capsys.readouterr().out
    assert len(load(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"notch": "some"}, "--notch is 'some'"),
        ({"montage": "mean"}, "reference"),
        ({"num_patches": 0}, "num_patches"),
    ],
)
def test_bad_settings_are_one_clear_line(folder, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message) as error:
        prepare([folder], tmp_path / "out", **settings)
    assert "\n" not in str(error.value)


def test_a_source_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        prepare([tmp_path / "nowhere"], tmp_path / "out")


def test_a_dataset_without_windows_makes_the_command_fail(folder, tmp_path, capsys):
    for _ in range(2):  # also when nothing is left to do
        with pytest.raises(ValueError, match="out has no windows: no recording gives one"):
            prepare([folder], tmp_path / "out")
        assert "it lasts 10.00 s, less than a window of 90.00 s" in capsys.readouterr().out
    # A share may be all of short ones.
    for i in (1, 2):
        prepare([folder], tmp_path / "shares", shard=f"{i}/2")
        assert f"when all are done: brant-hf merge {tmp_path / 'shares'}\n" in capsys.readouterr().out
    with pytest.raises(ValueError, match="shares has no windows"):
        merge(tmp_path / "shares")


def test_typer_takes_the_command(folder, tmp_path):
    app = typer.Typer()
    app.command()(prepare)
    arguments = [str(folder), str(tmp_path / "out"), "--num-patches", "4", "--patch-length", "250", "--no-labels"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "labels" not in load(tmp_path / "out").column_names


PLAIN = {"line_noise": "none", "high_pass": 0}


@pytest.fixture
def ward(tmp_path):
    """One recording with everything that can happen to its seconds, one that is too short, and one that is none."""
    signal = 50 * np.random.default_rng(0).standard_normal((5, 26 * 250))
    signal[:, 4 * 250 : 6 * 250] = np.nan  # in the window from 4 to 8 s
    signal[2, 3125:3250] = np.nan  # in the window from 12 to 16 s, on one channel
    signal[0, 9 * 250 : 11 * 250] = 20  # two patches of the window from 8 to 12 s
    signal[4] = 0
    names = ["A1", "A2", "A3", "EKG1", "A4"]
    folder = tmp_path / "in"
    folder.mkdir()
    save = {"sampling_rate": 250, "unit": "uV", "subject": "p1"}
    np.savez(folder / "long.npz", data=signal, channel_names=names, **save)
    np.savez(folder / "short.npz", data=signal[:3, :750], channel_names=names[:3], **save)
    (folder / "broken.edf").write_text("nothing")
    events = "onset\tduration\ttrial_type\n17\t2\tseizure\n21\t1\tseizure?\n"
    (folder / "long_events.tsv").write_text(events)
    return folder


def prepare_ward(sources, out, **options):
    with pytest.raises(ValueError, match="could not be prepared"):
        prepare([sources], out, **PLAIN, **SMALL, **options)


def table_of(folder):
    with (folder / "recordings.tsv").open() as file:
        return {row["source"].rsplit("/")[-1]: row for row in csv.DictReader(file, delimiter="\t")}


def test_a_table_tells_what_became_of_every_recording_channel_and_second(ward, tmp_path):
    prepare_ward(ward, tmp_path / "out")
    rows = table_of(tmp_path / "out")
    assert list(rows) == ["broken.edf", "long.npz", "short.npz"]
    # 26 s are 6 windows of 4 s and 2 s behind them. One of the 3 channels lacks a window, and is flat for 2 patches.
    expected = {
        "subject": "p1",
        "recording": "long",
        "hours": "0.0072",
        "status": "ok",
        "windows": "5",
        "seizures": "1",
        "labels_from": "long_events.tsv",
        "channels": "A1,A2,A3",
        "gaps_s": "5.3330",
        "outside_s": "2.0000",
        "uncertain_s": "1.0000",
        "flat_s": "0.6670",
        "reason": "n/a",
    }
    assert {name: rows["long.npz"][name] for name in expected} == expected
    assert "A4: flat" in rows["long.npz"]["left_out"]
    assert "EKG1: " in rows["long.npz"]["left_out"]
    assert (rows["short.npz"]["status"], rows["short.npz"]["labels_from"]) == ("no window", "nobody")
    assert rows["short.npz"]["reason"].startswith("it lasts 3.00 s, less than a window of 4.00 s")
    assert (rows["broken.edf"]["status"], rows["broken.edf"]["subject"]) == ("failed", "n/a")
    assert rows["broken.edf"]["reason"] != "n/a"
    audit = json.loads((tmp_path / "out/recordings.json").read_text())
    assert list(audit["columns"]) == list(rows["long.npz"])
    assert audit["settings"] == json.loads((tmp_path / "out/dataset.json").read_text())
    broken, long, _ = audit["recordings"]
    assert (long["channels"], long["gaps_s"]) == (["A1", "A2", "A3"], 5.333)
    assert long["files"] == {path.name: path.stat().st_size for path in ward.glob("long*")}
    assert long["software"] == f"brant_hf {brant_hf.__version__}"
    sizes = {"broken.edf": (ward / "broken.edf").stat().st_size}
    assert (broken["status"], broken["files"]) == ("failed", sizes)


def test_the_table_is_printed_and_stands_in_the_card(ward, tmp_path, capsys):
    prepare_ward(ward, tmp_path / "out")
    printed = capsys.readouterr().out
    card = (tmp_path / "out/README.md").read_text()
    for text in (printed, card):
        (line,) = (line for line in text.splitlines() if "p1/long" in line and "left out of" not in line)
        cells = line.replace("|", " ").split()
        assert cells == ["p1/long", "0.007", "5", "1", "long_events.tsv", "3", "2", "5.33", "2.00", "1.00", "0.67"]
        # The other recording lasts 3 s.
        (line,) = (line for line in text.splitlines() if "all 3" in line)
        assert line.replace("|", " ").split() == ["all", "3", "0.008", "5", "1", "5.33", "5.00", "1.00", "0.67"]
        assert "short.npz: it lasts 3.00 s, less than a window of 4.00 s" in text
        assert "left out of p1/long: A4: flat: peak-to-peak 0 microvolt" in text
        assert "broken.edf: " in text
    assert card.startswith("---\nconfigs:")


def test_runs_one_after_the_other_end_with_the_table_of_one_run(ward, tmp_path):
    with pytest.raises(ValueError, match="no windows"):
        prepare([ward / "short.npz"], tmp_path / "parts", **PLAIN, **SMALL)
    for _ in range(2):
        prepare_ward(ward, tmp_path / "parts")
    prepare_ward(ward, tmp_path / "once")
    for name in ("recordings.tsv", "recordings.json", "README.md"):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "once" / name).read_text()
    # What is mended or gone is no longer in the table, and what was added to the card stays.
    (ward / "broken.edf").unlink()
    card = tmp_path / "parts/README.md"
    card.write_text(card.read_text().replace("# Windows", "# My windows") + "\nAsk Ada.\n")
    prepare([ward], tmp_path / "parts", **PLAIN, **SMALL)
    assert list(table_of(tmp_path / "parts")) == ["long.npz", "short.npz"]
    assert "broken.edf" not in card.read_text()
    assert "# My windows" in card.read_text()
    assert card.read_text().endswith("Ask Ada.\n")


def test_a_dataset_of_an_earlier_version_goes_on_and_says_what_it_does_not_know(ward, tmp_path):
    prepare([ward / "long.npz"], tmp_path / "out", **PLAIN, **SMALL)
    manifest = tmp_path / "out/manifest.jsonl"
    entry = json.loads(manifest.read_text())
    manifest.write_text(
        json.dumps({k: v for k, v in entry.items() if k not in ("seizures_from", "seconds", "no_window")}) + "\n"
    )
    for name in ("recordings.tsv", "recordings.json", "failed.json"):
        (tmp_path / "out" / name).unlink()
    prepare([ward / "short.npz"], tmp_path / "out", **PLAIN, **SMALL)
    rows = table_of(tmp_path / "out")
    assert [rows["long.npz"][name] for name in ("windows", "labels_from", "gaps_s", "flat_s")] == [
        "5",
        "n/a",
        "n/a",
        "n/a",
    ]
    assert rows["short.npz"]["gaps_s"] == "0.0000"


@pytest.fixture
def like(detector, extractor, tmp_path):
    """A detector that expects bipolar windows of 6 patches of 50 samples at 100 Hz."""
    preprocessing = {"line_noise": 60.0, "high_pass": 1.0, "reference": "bipolar", "amplitude_range": [20, 150]}
    detector(detection={"preprocessing": preprocessing}).save_pretrained(tmp_path / "detector")
    extractor().save_pretrained(tmp_path / "detector")
    return str(tmp_path / "detector")


def test_windows_like_those_of_a_detector(folder, like, tmp_path):
    prepare([folder], tmp_path / "out", like=like)
    settings = json.loads((tmp_path / "out/dataset.json").read_text())
    noted = {"line_noise": 60.0, "high_pass": 1.0, "low_pass": None, "reference": "bipolar", "sampling_rate": 100.0}
    assert {name: settings["preprocessing"][name] for name in noted} == noted
    assert settings["preprocessing"]["amplitude_range"] == [20, 150]
    row = load(tmp_path / "out")[0]
    assert row["channel_names"] == ["A1-A2", "A2-A3"]
    assert row["labels"].shape == (2, 6)
    assert (row["input_values"].shape, row["sampling_rate"]) == ((2, 300), 100.0)
    # What agrees with it may be said, and windows may be shorter.
    same = {"reference": "bipolar", "line_noise": "60", "high_pass": 1, "low_pass": 0, "sampling_rate": 100}
    prepare([folder], tmp_path / "short", like=like, patch_length=50, num_patches=2, **same)
    assert load(tmp_path / "short")[0]["input_values"].shape == (2, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"montage": "none"}, r"--montage none \(there bipolar\) contradicts --like"),
        ({"notch": "none"}, r"--notch none \(there 60\)"),
        ({"low_pass": 70}, r"--low-pass 70 \(there none\)"),
        ({"high_pass": 0, "patch_length": 100}, r"--high-pass none \(there 1\), --patch-length 100 \(there 50\)"),
        ({"num_patches": 7}, r"--num-patches 7 \(there 6\)"),
    ],
)
def test_options_that_contradict_the_detector_are_refused(folder, like, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        prepare([folder], tmp_path / "out", like=like, **options)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_does_not_say_its_preprocessing_is_told(folder, like, detector, tmp_path, capsys):
    detector(detection=None).save_pretrained(like)
    prepare([folder], tmp_path / "out", like=like)
    assert "does not say how its recordings were preprocessed, so the defaults are taken" in capsys.readouterr().err
    preprocessing = json.loads((tmp_path / "out/dataset.json").read_text())["preprocessing"]
    assert (preprocessing["sampling_rate"], preprocessing["high_pass"]) == (100, 0.5)


def test_a_detector_that_contradicts_itself_is_refused(folder, like, extractor, tmp_path):
    extractor(sampling_rate=200).save_pretrained(like)
    with pytest.raises(ValueError, match=r"sampling_rate is 100 in config.json and 200 in preprocessor_config.json"):
        prepare([folder], tmp_path / "out", like=like)


def test_the_help_names_the_values_of_options():
    app = typer.Typer(rich_markup_mode=None)
    app.command()(prepare)
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for choices in ("none|average|bipolar", "drop|shorter"):
        assert choices in text
    assert "--notch HZ|auto|none" in text
    for name in ("high-pass", "low-pass", "sampling-rate"):
        assert f"--{name} HZ" in text
    assert "--patch-length SAMPLES" in text


def test_a_table_that_tells_of_no_seizure_is_not_nobody(ward, tmp_path):
    (ward / "long_events.tsv").write_text("onset\tduration\ttrial_type\n0\t26\tbckg\n")
    prepare_ward(ward, tmp_path / "out")
    found = {name: (row["seizures"], row["labels_from"]) for name, row in table_of(tmp_path / "out").items()}
    assert found["long.npz"] == ("0", "long_events.tsv")
    assert found["short.npz"] == ("0", "nobody")
