"""`brant-hf detect --recruitment`: a second table, which is none of events."""

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import Detector
from brant_hf.detection.recruitment import COLUMNS
from brant_hf.detection.scoring import event_tables
from brant_hf.events.tables import RECRUITMENT_START

OPTIONS = ("--threshold", "0.001", "--min-duration", "2")


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_it_is_what_the_result_says(run, write_edf, noise, checkpoint, tmp_path):
    recording, table = write_edf(tmp_path / "night.edf", noise(2, 4000), 100), tmp_path / "events.tsv"
    status, out, err = run("detect", recording, table, "--recruitment", "tsv", "--model", checkpoint, *OPTIONS)
    assert status == 0, err
    written = tmp_path / "events_recruitment.tsv"
    assert str(written) in out
    rows = rows_of(written)
    detector = Detector.from_pretrained(checkpoint, threshold=0.001, min_duration=2.0)
    expected = detector.detect(open_recording(recording), progress=False).recruitment()
    assert expected
    assert [(row["event"], row["channel"]) for row in rows] == [(str(each.event), each.channel) for each in expected]
    onsets = [np.nan if row["onset"] == "n/a" else float(row["onset"]) for row in rows]
    np.testing.assert_allclose(onsets, [np.nan if each.onset is None else each.onset for each in expected], atol=0.005)
    assert tuple(rows[0])[:2] == RECRUITMENT_START
    mark = json.loads(written.with_suffix(".json").read_text())
    assert {name: mark[name]["Description"] for name in COLUMNS} == COLUMNS


def test_it_is_replaced_but_a_table_of_others_is_not(run, write_edf, noise, checkpoint, tmp_path):
    recording, table = write_edf(tmp_path / "night.edf", noise(2, 1000), 100), tmp_path / "events.tsv"
    command = ("detect", recording, table, "--recruitment", tmp_path / "channels.tsv", "--model", checkpoint)
    assert run(*command)[0] == 0
    assert run(*command)[0] == 0
    (tmp_path / "channels.tsv").write_text("event\tchannel\n1\tmine\n")
    status, _, err = run(*command)
    assert status == 2
    assert "channels.tsv" in err
    assert "mine" in (tmp_path / "channels.tsv").read_text()


def test_scores_of_a_folder_pass_it_over(run, write_edf, noise, checkpoint, tmp_path):
    recordings = [write_edf(tmp_path / f"{name}.edf", noise(2, 1000), 100) for name in "ab"]
    status, _, err = run(
        "detect", *recordings, tmp_path / "out", "--recruitment", "tsv", "--model", checkpoint, *OPTIONS
    )
    assert status == 0, err
    assert (tmp_path / "out" / "a_recruitment.tsv").is_file()
    for table in (tmp_path / "out").glob("*_events.tsv"):  # as a folder in which tables are called as they like
        shutil.move(table, table.with_name(table.name.replace("_events", "")))
    (tmp_path / "out" / "recordings.tsv").unlink()
    assert [path.name for path in event_tables(tmp_path / "out")] == ["a.tsv", "b.tsv"]


def test_it_is_none_of_the_labels_beside_a_recording(run, write_edf, noise, checkpoint, tmp_path):
    recording = write_edf(tmp_path / "night.edf", noise(2, 1000), 100)
    command = ("detect", recording, tmp_path / "night_events.tsv", "--recruitment", "tsv", "--model", checkpoint)
    status, _, err = run(*command, *OPTIONS)
    assert status == 0, err
    assert open_recording(recording).seizures == []


@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="needs bids-validator-deno")
def test_the_validator_passes_it_over(run, checkpoint, tmp_path):
    status, _, err = run("simulate", tmp_path / "bids", "--patients", "1", "--duration", "30", "--channels", "2")
    assert status == 0, err
    out = tmp_path / "out"
    status, _, err = run("detect", tmp_path / "bids", out, "--recruitment", "tsv", "--model", checkpoint, *OPTIONS)
    assert status == 0, err
    assert list(out.rglob("*_recruitment.tsv"))
    report = subprocess.run(["bids-validator-deno", str(out), "--json"], capture_output=True, text=True, check=False)
    issues = json.loads(report.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
