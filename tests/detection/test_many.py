"""`detect_recordings`: many recordings from Python."""

from functools import partial
from pathlib import Path

import pytest

from brant_hf.cli import main
from brant_hf.data import open_recording
from brant_hf.detection import Detector, detect_recordings, read_event_file


@pytest.fixture
def source(write_edf, noise, tmp_path) -> Path:
    """Three recordings; `b` is damaged."""
    for i, name in enumerate("abc"):
        write_edf(tmp_path / "in" / f"{name}.edf", noise(2, 500, seed=i), 100)
    (tmp_path / "in" / "b.edf").write_text("damaged")
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_it_writes_what_the_command_writes(source, checkpoint, tmp_path, write_edf, noise):
    with pytest.warns(UserWarning, match=r"1 of 3 recordings failed: b\.edf"):
        rows = detect_recordings(source, tmp_path / "out", checkpoint, report="html", progress=False)
    assert [(row.recording, row.status) for row in rows] == [("a.edf", "ok"), ("b.edf", "failed"), ("c.edf", "ok")]
    assert "b.edf" in rows[1].reason
    assert rows[0].files["table"] == tmp_path / "out" / "a_events.tsv"
    assert read_event_file(rows[0].files["table"]).duration == rows[0].duration_s == 5.0
    with pytest.raises(SystemExit) as ended:
        main(["detect", str(source), str(tmp_path / "told"), "--model", str(checkpoint), "--report", "html"])
    assert ended.value.code == 2
    assert contents(tmp_path / "out") == contents(tmp_path / "told")
    # It continues.
    made = (tmp_path / "out" / "a_events.tsv").stat().st_mtime_ns
    write_edf(source / "b.edf", noise(2, 500), 100)
    rows = detect_recordings([source], tmp_path / "out", checkpoint, report="html", progress=False)
    assert [row.status for row in rows] == ["ok"] * 3
    assert (tmp_path / "out" / "a_events.tsv").stat().st_mtime_ns == made


def test_shares_and_detectors_that_are_made_before(source, checkpoint, tmp_path):
    (source / "b.edf").unlink()
    make = partial(Detector.from_pretrained, checkpoint, threshold=0.3)
    rows = detect_recordings(source, tmp_path / "one", make, shard="2/2", progress=False)
    assert [row.status for row in rows] == ["not reached", "ok"]
    assert not (tmp_path / "one" / "index.html").exists()
    rows = detect_recordings(source, tmp_path / "one", make, progress=False)
    assert [row.threshold for row in rows] == [0.3, 0.3]


def test_what_is_refused(source, checkpoint, tmp_path, noise):
    detector = Detector.from_pretrained(checkpoint)
    with pytest.raises(ValueError, match="one that is loaded was given"):
        detect_recordings(source, tmp_path / "out", detector, backend="dask")
    with pytest.raises(ValueError, match="one of the recordings is in memory"):
        detect_recordings([open_recording(noise(2, 500), 100)], tmp_path / "out", detector)
    with pytest.raises(ValueError, match=r"plot is a\.png, a file for one recording; for several, give a format"):
        detect_recordings(source, tmp_path / "out", detector, plot="a.png")
    with pytest.raises(ValueError, match="report is PNG, a format that it does not have; expected one of html, htm"):
        detect_recordings(source, tmp_path / "out", detector, report="PNG")
    for nothing in (3, [3]):
        with pytest.raises(ValueError, match="int is no recording; expected a path"):
            detect_recordings(nothing, tmp_path / "out", detector)
    with pytest.raises(ValueError, match="None is no path; expected that of a folder to write to"):
        detect_recordings(source, None, detector)
    with pytest.raises(ValueError, match=r"3 is no path; expected that of a folder \(plot\), or a format"):
        detect_recordings(source, tmp_path / "out", detector, plot=3)
    with pytest.raises(ValueError, match="3 is no path; expected that of a folder with a checkpoint"):
        detect_recordings(source, tmp_path / "out", 3)
    with pytest.raises(ValueError, match="open_options is 3; expected a dictionary"):
        detect_recordings(source, tmp_path / "out", detector, open_options=3)
    with pytest.raises(ValueError, match="open_options has unti; expected some of bad, "):
        detect_recordings(source, tmp_path / "out", detector, open_options={"unti": "mV"})
    with pytest.raises(ValueError, match="batch_size is 0"):
        detect_recordings(source, tmp_path / "out", detector, batch_size=0)
    assert not (tmp_path / "out").exists()
