"""Outputs of one recording: whatever kinds there are, all of them appear or none does."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from brant_hf.data import open_recording
from brant_hf.detection import Detector, outputs, read_events
from brant_hf.detection.outputs import KINDS, Finding, Kind, Outputs, Staged, is_own

pytestmark = pytest.mark.usefixtures("plain_figures")
START = datetime.datetime(2024, 2, 3, 4, 5, 6)


@pytest.fixture
def finding(write_edf, noise, tmp_path, detector, extractor) -> Finding:
    recording = open_recording(write_edf(tmp_path / "night.edf", noise(2, 1500), 100, START))
    searcher = Detector(detector(), extractor())
    return Finding.of(recording, searcher.detect(recording, progress=False), searcher)


def written(kind: Kind, finding: Finding, folder: Path, suffix: str) -> Path:
    target = folder / f"night{kind.ending}{suffix}"
    Staged(Outputs(folder / "events.tsv", {kind.option: target}), force=False).write(finding)
    return target


@pytest.mark.parametrize(("kind", "suffix"), [(kind, suffix) for kind in KINDS for suffix in kind.suffixes])
def test_every_kind_knows_its_own_files_and_no_others(kind, suffix, finding, tmp_path):
    target = written(kind, finding.at(0.001), tmp_path, suffix)
    assert is_own(target)
    assert written(kind, finding, tmp_path, suffix).stat().st_size  # takes the place of the first
    target.write_bytes(b"onset,duration,description\n1,2,written by hand\n")
    assert not is_own(target)
    with pytest.raises(FileExistsError, match="no earlier output"):
        written(kind, finding, tmp_path, suffix)


def write_count(finding: Finding, target: Path) -> None:
    target.write_text(f"{len(finding.result.events)}")


def refuse_short(recording, target: Path) -> None:
    if recording.duration < 60:
        raise ValueError(f"{target} is for recordings of a minute")


@pytest.fixture
def third(monkeypatch) -> Kind:
    """A kind that the package does not have."""
    kind = Kind("count", "number of events", (".count",), write_count, "_n", refuse_short)
    monkeypatch.setattr(outputs, "KINDS", (*KINDS, kind))
    return kind


def test_a_new_kind_is_a_line(third, finding, tmp_path):
    asked = Outputs(tmp_path / "a.tsv", {"count": tmp_path / "a.count", "plot": tmp_path / "a.png"})
    assert Outputs.of(asked.called()) == asked
    assert asked.called()["number of events"] == tmp_path / "a.count"
    with pytest.raises(ValueError, match=r"a\.count is for recordings of a minute"):
        asked.check(finding.recording)
    Outputs(tmp_path / "a.tsv", {"plot": tmp_path / "a.png"}).check(finding.recording)
    found = finding.at(0.001)
    Staged(asked, force=False).write(found)
    assert int((tmp_path / "a.count").read_text()) == len(found.result.events) == len(read_events(tmp_path / "a.tsv"))
    # Its files have no mark, so nothing replaces them.
    with pytest.raises(FileExistsError, match=r"a\.count exists"):
        Staged(asked, force=False)


def test_of_outputs_of_which_one_fails_none_is_there(third, finding, tmp_path, monkeypatch):
    failing = replace(third, write=lambda finding, target: 1 / 0)
    monkeypatch.setattr(outputs, "KINDS", (*KINDS, failing))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        written(failing, finding, tmp_path, ".count")
    assert sorted(tmp_path.iterdir()) == before


def test_moments_need_a_recording_whose_start_is_known(finding, tmp_path):
    asked = Outputs(tmp_path / "a.tsv", {"mne": tmp_path / "a_annot.csv"})
    asked.check(finding.recording)
    with pytest.raises(ValueError, match="not known when the recording began"):
        asked.check(open_recording(finding.recording.read(0, 15), sampling_rate=100))
