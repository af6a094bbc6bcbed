"""`brant-hf detect` of a folder: files about all recordings, and what options mean for several."""

import csv
import datetime
import json
import re

import pytest

from brant_hf import __version__
from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import read_event_file, write_events

pytestmark = pytest.mark.usefixtures("plain_figures")
# Below every probability of the random detector: one event that lasts as long as the recording.
ALL = ("--threshold", "0.001")
BEGAN = datetime.datetime(2021, 3, 4, 5, 6, 7)


@pytest.fixture
def source(write_edf, noise, tmp_path):
    """Recordings of 5 s of two patients; a third file is damaged."""
    folder = tmp_path / "in"
    write_edf(folder / "p1" / "night.edf", noise(2, 500), 100, BEGAN)
    write_edf(folder / "p2" / "all.edf", noise(2, 500), 100)
    write_edf(folder / "all.edf", noise(2, 500), 100)
    (folder / "broken <b>.edf").write_text("damaged")
    return folder


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_files_about_all_recordings(run, source, checkpoint, tmp_path):
    out, known = tmp_path / "out", tmp_path / "known"
    known.mkdir()
    (known / "p2").mkdir()
    # One found by its name alone, one by its folder too; one says that there is none.
    write_events(known / "night_events.tsv", [{"onset": 2.0, "duration": 1.0}], 5.0)
    write_events(known / "p2" / "all.tsv", [], 5.0)
    (known / "p2" / "all.tsv").rename(known / "p2" / "all_events.tsv")
    options = ("--model", checkpoint, "--annotations", known, "--report", "html", "--plot", "svg", *ALL)
    status, text, err = run("detect", source, out, *options)
    assert status == 2
    assert err.splitlines()[-1] == "brant-hf: 1 of 4 recordings failed (listed above)"
    assert "known has no table for 2 of 4 recordings, which are not scored: all.edf, broken <b>.edf" in err
    assert "p1/night_events.tsv: 1 event, 1 of 1 known seizures found (night_events.tsv)" in text
    assert "against the known seizures of 2 of 4 recordings:" in text

    events = rows_of(out / "all_events.tsv")
    assert [(each["recording"], each["onset"], each["duration"]) for each in events] == [
        ("all.edf", "0.00", "5.00"),
        ("p1/night.edf", "0.00", "5.00"),
        ("p2/all.edf", "0.00", "5.00"),
    ]
    assert events[1]["dateTime"] == "2021-03-04 05:06:07"
    about = {each["recording"]: each for each in rows_of(out / "recordings.tsv")}
    assert [each["status"] for each in about.values()] == ["ok", "failed", "ok", "ok"]
    assert "broken <b>.edf" in about["broken <b>.edf"]["reason"]
    assert (about["p1/night.edf"]["known"], about["p1/night.edf"]["found"], about["all.edf"]["known"]) == (
        "1",
        "1",
        "n/a",
    )
    assert "typed EEG" in about["p1/night.edf"]["warnings"]
    night, calm, together = rows_of(out / "scores.tsv")
    # An event of 5 s, of which 1 s is seizure, 2 s after it begins; and one in a recording without a seizure.
    expected = {"found": "1", "events": "1", "without_reference": "0", "false_alarms": "0", "marked": "1.0000"}
    assert expected.items() <= night.items()
    assert (night["onset_error_s"], night["duration_error_s"], night["sample_precision"]) == (
        "-2.00",
        "4.00",
        "0.2000",
    )
    assert (calm["known"], calm["without_reference"], calm["false_alarms"]) == ("0", "1", "1")
    assert (together["recording"], together["events"], together["without_reference"]) == ("all recordings", "2", "1")
    for name in ("all_events", "recordings", "scores"):
        mark = json.loads((out / f"{name}.json").read_text())
        assert mark["GeneratedBy"] == [{"Name": "brant_hf", "Version": __version__}]
        assert re.fullmatch("[0-9a-f]{64}", mark["Detection"]["weights SHA-256"])
        assert mark["Detection"]["detection"]["threshold"] == 0.001

    page = (out / "index.html").read_text()
    for link in ("p1/night.html", "p1/night.svg", "p1/night_events.tsv", "all.edf_events.tsv", "p2/all_events.tsv"):
        assert f'href="{link}"' in page
        assert (out / link).is_file()
    assert "broken &lt;b&gt;.edf" in page
    assert "<h1>Seizure detection: 4 recordings</h1>" in page
    assert "3 of 4 recordings searched, 15 s" in page
    assert mark["Detection"]["weights SHA-256"] in page
    # The table of all is neither a recording's nor a label.
    status, text, _ = run("score", known, out)
    assert status == 0
    assert "all recordings" in text
    with pytest.raises(ValueError, match="holds the events of 3 recordings"):
        read_event_file(out / "all_events.tsv")
    (out / "all.edf").write_bytes((source / "all.edf").read_bytes())
    assert open_recording(out / "all.edf").seizures == []

    # Another run without known seizures leaves no scores of this one.
    (source / "broken <b>.edf").unlink()
    status, _, err = run("detect", source, out, "--model", checkpoint)
    assert status == 2
    assert "3 of these recordings that were made with other settings (threshold: there 0.001, here 0.5)" in err
    assert run("detect", source, out, "--model", checkpoint, "--force")[0] == 0
    assert not list(out.glob("scores.*"))
    assert rows_of(out / "recordings.tsv")[0]["found"] == "n/a"


def test_a_warning_of_many_recordings_comes_once(run, write_edf, noise, checkpoint, tmp_path):
    for number in range(5):
        write_edf(tmp_path / "in" / f"r{number}.edf", noise(2 + number // 4, 500), 100)
    (tmp_path / "in" / "r1_channels.csv").write_text("name\nA1\n")
    (tmp_path / "in" / "events.tsv").write_text("onset\tduration\n1\t2\n")
    status, _, err = run("detect", tmp_path / "in", tmp_path / "out", "--model", checkpoint)
    assert status == 0
    # Outputs tell nothing of the machine.
    assert "events.tsv in in does not say" in (tmp_path / "out" / "r0_events.json").read_text()
    (typed,) = [line for line in err.splitlines() if "typed EEG" in line]
    # The last one has another number of channels.
    assert "warning: all 5 recordings (r0.edf, r1.edf, r2.edf and 2 more): of the first: 2 channels typed EEG" in typed
    (beside,) = [line for line in err.splitlines() if "r1_channels.csv" in line]
    assert beside.startswith("brant-hf: warning: r1: r1_channels.csv beside it is not read")


def test_an_interrupted_run_says_what_it_did_not_reach(run, source, checkpoint, tmp_path, monkeypatch):
    from brant_hf.detection.detector import Detector

    detect = Detector.detect

    def interrupted(self, recording, **options):
        if recording.name == "night":
            raise KeyboardInterrupt
        return detect(self, recording, **options)

    monkeypatch.setattr(Detector, "detect", interrupted)
    assert run("detect", source, tmp_path / "out", "--model", checkpoint)[0] == 130
    statuses = [each["status"] for each in rows_of(tmp_path / "out" / "recordings.tsv")]
    assert statuses == ["ok", "failed", "not reached", "not reached"]
    assert "2 not reached" in (tmp_path / "out" / "index.html").read_text()


def test_a_pattern_is_of_several_recordings(run, source, checkpoint, tmp_path):
    status, _, err = run("detect", source / "p*" / "*.edf", tmp_path / "out", "--model", checkpoint, *ALL)
    assert status == 0, err
    tables = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*_events.tsv")]
    # The first is about all of them.
    assert sorted(tables) == ["all_events.tsv", "p1/night_events.tsv", "p2/all_events.tsv"]
    status, out, err = run("inspect", source / "p*" / "*.edf")
    assert (status, out.count("\n"), err) == (0, 2, "")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--plot", "figure.png", "give a format (png, svg, pdf) to have them beside the tables, or a folder"),
        ("--report", "all.html", "give a format (html, htm) to have them beside the tables, or a folder"),
        ("--annotations", "known.tsv", "give a folder that holds a table NAME_events.tsv for each recording NAME"),
        ("--annotations", "empty", "holds no table of events"),
        ("--annotations", "others", "has the name of a recording; it has x_events.tsv"),
        ("--annotations", "out", "is what is to be read; give another folder"),
    ],
)
def test_what_options_do_not_mean_for_a_folder(run, source, checkpoint, tmp_path, option, value, message):
    for folder in ("empty", "others", "out"):
        (tmp_path / folder).mkdir()
    write_events(tmp_path / "others" / "x_events.tsv", [], 5.0)
    write_events(tmp_path / "out" / "night_events.tsv", [], 5.0)
    (tmp_path / "out" / "p1").mkdir()
    (tmp_path / "out" / "night_events.tsv").rename(tmp_path / "out" / "p1" / "night_events.tsv")
    (tmp_path / "out" / "night_events.json").rename(tmp_path / "out" / "p1" / "night_events.json")
    status, out, err = run(
        "detect", source, tmp_path / "out", "--model", checkpoint, "--force", option, tmp_path / value
    )
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_format_alone_puts_the_figure_beside_the_table(run, source, checkpoint, tmp_path):
    options = ("--model", checkpoint, "--plot", "pdf", "--report", "html")
    status, out, _ = run("detect", source / "all.edf", tmp_path / "events.tsv", *options)
    assert status == 0
    assert out.count("written to") == 3
    assert (tmp_path / "events.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "events.html").is_file()


def test_annotations_of_each_recording_lie_beside_the_tables(run, source, checkpoint, tmp_path):
    import mne

    (source / "broken <b>.edf").unlink()
    out = tmp_path / "out"
    for _ in range(2):
        status, _, err = run("detect", source, out, "--edf", "edf", "--mne", "txt", "--model", checkpoint, *ALL)
        assert status == 0, err
    for name in ("all.edf_annot", "p1/night_annot", "p2/all_annot"):
        assert mne.read_annotations(out / f"{name}.edf").duration.tolist() == [5.0]
        assert mne.read_annotations(out / f"{name}.txt").duration.tolist() == [5.0]
    page = (out / "index.html").read_text()
    assert '<a href="p1/night_annot.edf">EDF+</a>' in page
    # A folder of outputs holds no recording.
    with pytest.raises(ValueError, match="holds no recording"):
        find_recordings(out)
