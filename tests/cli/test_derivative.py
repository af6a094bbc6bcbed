"""`brant-hf detect` of a BIDS dataset writes a derivative dataset, as the BIDS validator has it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from brant_hf import __version__
from brant_hf.detection.derivative import source_of

pytestmark = pytest.mark.usefixtures("plain_figures")
NAMES = (
    "sub-01/ses-a/ieeg/sub-01_ses-a_task-rest_run-01",
    "sub-01/ses-b/ieeg/sub-01_ses-b_task-rest_run-01",
    "sub-02/ieeg/sub-02_task-rest",
)
# One event that lasts as long as the recording.
ALL = ("--threshold", "0.001")


@pytest.fixture
def dataset(write_edf, noise, tmp_path) -> Path:
    """Recordings of 5 s of two subjects, one of them in two sessions, with a table of seizures."""
    root = tmp_path / "bids"
    for seed, name in enumerate(NAMES):
        write_edf(root / f"{name}_ieeg.edf", noise(2, 500, seed), 100)
    (root / f"{NAMES[2]}_events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t2.0\tseizure\n")
    described = {"Name": "two patients", "BIDSVersion": "1.9.0", "DatasetDOI": "10.1234/two"}
    (root / "dataset_description.json").write_text(json.dumps(described))
    return root


def errors_of(folder: Path) -> list[dict]:
    validator = shutil.which("bids-validator-deno", path=Path(sys.executable).parent)
    assert validator is not None, "the extra `test` installs bids-validator-deno"
    ended = subprocess.run([validator, str(folder), "--format", "json"], capture_output=True, text=True, check=False)
    found = json.loads(ended.stdout)
    assert found["summary"]["subjects"], "the validator saw no recording"
    return [issue for issue in found["issues"]["issues"] if issue["severity"] == "error"]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_validator_finds_no_error_and_nothing_tells_of_the_machine(run, dataset, checkpoint, tmp_path):
    (dataset / f"{NAMES[1]}_ieeg.edf").write_text("damaged")
    kinds = ("--plot", "svg", "--report", "html", "--edf", "edf", "--mne", "txt")
    status, text, err = run("detect", dataset, tmp_path / "out", "--model", checkpoint, *kinds, *ALL)
    assert (status, "1 of 3 recordings failed" in err) == (2, True), err
    assert "dataset_description.json" in text
    out = tmp_path / "out"
    assert errors_of(out) == []
    written = contents(out)
    assert {f"{name}_events.tsv" for name in (NAMES[0], NAMES[2])} <= written.keys()
    assert [name for name, content in written.items() if str(tmp_path).encode() in content] == []
    about = json.loads(written["dataset_description.json"])
    made_by = about["GeneratedBy"][0]
    assert (about["Name"], about["DatasetType"]) == ("Seizures detected in: two patients", "derivative")
    assert about["SourceDatasets"] == [{"DOI": "10.1234/two", "URL": "../bids"}]
    assert (made_by["Name"], made_by["Version"]) == ("brant_hf", __version__)
    mark = json.loads(written[f"{NAMES[2]}_events.json"])["Detection"]
    assert mark["recording"] == f"{NAMES[2]}_ieeg.edf"
    assert made_by["Parameters"]["weights SHA-256"] == mark["weights SHA-256"]
    assert made_by["Parameters"]["detection"]["threshold"] == 0.001
    # Tables pair with those of the dataset.
    assert "1 of 1 reference events found" in run("score", dataset, out)[1]


def test_tags_of_hed_are_valid_and_change_the_tables_alone(run, dataset, checkpoint, tmp_path):
    out, options = tmp_path / "out", ("--model", checkpoint, *ALL)
    assert run("detect", dataset, out, *options)[0] == 0
    before = contents(out)
    assert run("detect", dataset, out, *options, "--hed")[0] == 0
    assert (out / f"{NAMES[0]}_events.tsv").read_text().splitlines()[0].endswith("\tHED")
    assert json.loads((out / "dataset_description.json").read_text())["HEDVersion"] == "score_2.1.0"
    # The BIDS validator validates tags, too.
    assert errors_of(out) == []
    assert (out / "all_events.tsv").read_bytes() == before["all_events.tsv"]
    assert "3 of 3 recordings kept" in run("detect", dataset, out, *options, "--hed")[1]
    assert run("detect", dataset, out, *options)[0] == 0
    assert contents(out) == before
    assert run("detect", dataset / f"{NAMES[2]}_ieeg.edf", tmp_path / "e.tsv", *options, "--hed")[0] == 0
    assert (tmp_path / "e.tsv").read_text().splitlines()[1].endswith("\tEpileptic-seizure")


def test_the_list_of_the_bids_validator_is_needed(run, dataset, checkpoint, tmp_path):
    assert run("detect", dataset, tmp_path / "out", "--model", checkpoint)[0] == 0
    (tmp_path / "out" / ".bidsignore").unlink()
    assert {issue["code"] for issue in errors_of(tmp_path / "out")} >= {"NOT_INCLUDED"}


def test_shares_give_what_one_run_gives(run, dataset, checkpoint, tmp_path):
    for share in ("2/2", "1/2"):
        options = ("--model", checkpoint, "--shard", share)
        assert run("detect", dataset, tmp_path / "shares", *options)[0] == 0
        assert not (tmp_path / "shares" / "dataset_description.json").exists()
    assert "dataset_description.json" in run("merge", tmp_path / "shares")[1]
    assert run("detect", dataset, tmp_path / "one", "--model", checkpoint)[0] == 0
    assert contents(tmp_path / "shares") == contents(tmp_path / "one")


def test_a_part_of_a_dataset_lies_where_the_whole_would(run, dataset, checkpoint, tmp_path):
    out = dataset / "derivatives" / "seizures"
    out.parent.mkdir()
    out.mkdir()
    (out / ".bidsignore").write_text("notes.txt\n")
    (out / "notes.txt").write_text("mine")
    assert run("detect", dataset / "sub-01", out, "--model", checkpoint)[0] == 0
    assert (out / f"{NAMES[0]}_events.tsv").is_file()
    assert json.loads((out / "dataset_description.json").read_text())["SourceDatasets"][0]["URL"] == "../.."
    assert (out / ".bidsignore").read_text().startswith("notes.txt\n/index.html\n")
    assert errors_of(out) == []
    # Again and with the rest: what is there is kept, and no line of the list comes twice.
    assert "2 of 3 recordings kept" in run("detect", dataset, out, "--model", checkpoint)[1]
    lines = (out / ".bidsignore").read_text().splitlines()
    assert len(lines) == len(set(lines))
    assert errors_of(out) == []
    status, _, err = run("detect", dataset / "sub-01", dataset / "sub-01", "--model", checkpoint)
    assert (status, "is what is to be read" in err) == (2, True)


def test_a_description_of_somebody_else_stays(run, dataset, checkpoint, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    # Such as the simulator writes.
    theirs = json.dumps({"Name": "mine", "DatasetType": "raw", "GeneratedBy": [{"Name": "brant_hf"}]})
    (out / "dataset_description.json").write_text(theirs)
    status, text, err = run("detect", dataset, out, "--model", checkpoint)
    assert (status, text) == (2, "")
    assert "dataset_description.json exists and is no earlier output" in err
    assert contents(out) == {"dataset_description.json": theirs.encode()}


def test_what_is_no_dataset_becomes_no_derivative(run, dataset, write_edf, noise, checkpoint, tmp_path):
    out, options = tmp_path / "out", ("--model", checkpoint)
    assert run("detect", dataset, out, *options)[0] == 0
    write_edf(tmp_path / "plain" / "a.edf", noise(2, 500), 100)
    assert run("detect", tmp_path / "plain", out, *options)[0] == 0
    assert not (out / "dataset_description.json").exists()
    # A name of BIDS in another place.
    shutil.copy(dataset / f"{NAMES[2]}_ieeg.edf", dataset)
    assert (
        run("detect", dataset / f"{NAMES[2]}_ieeg.edf", dataset / "sub-02_task-rest_ieeg.edf", out, *options)[0] == 0
    )
    assert (out / f"{NAMES[2]}_events.tsv").is_file()
    assert not (out / "dataset_description.json").exists()


def test_a_path_through_what_is_above_home_is_left_out(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "bids"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "bids"))
    (dataset / "dataset_description.json").write_text("{}")
    assert source_of(dataset, tmp_path / "out") == {"Name": "bids"}
    assert source_of(dataset, dataset / "out") == {"Name": "bids", "URL": ".."}
