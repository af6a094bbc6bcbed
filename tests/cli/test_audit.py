"""What a study needs of every output: version, checkpoint and its hash, settings, what was lost, the time of day."""

import datetime
import json
import re

import pytest
from safetensors import safe_open

from brant_hf import BrantForSeizureDetection, __version__
from brant_hf.detection.facts import weights_sha256

# Ten seconds before midnight.
BEGAN = datetime.datetime(2021, 3, 4, 23, 59, 50)


@pytest.fixture
def recording(noise, tmp_path, write_edf_with_gaps):
    """A recording of 20 s, of which 5 s from 8 s on are a gap, with a channel of another kind and a flat one."""
    values = noise(4, 1500).astype(float)
    values[2] = 0
    onsets = [second + 5 * (second >= 8) for second in range(15)]
    return write_edf_with_gaps(tmp_path / "night.edf", values, 100, onsets, BEGAN, ["A1", "A2", "A3", "EKG1"])


def facts_of(made, checkpoint):
    """Check what all outputs tell in the same way."""
    assert made["weights SHA-256"] == weights_sha256(BrantForSeizureDetection.from_pretrained(checkpoint))
    assert made["model"] == str(checkpoint)
    assert made["start"] == "2021-03-04 23:59:50"
    assert (made["gaps"], made["seconds lost to gaps"]) == (["8.00 to 13.00 s"], 5.0)
    assert made["channels"] == ["A1", "A2"]
    assert set(made["channels left out"]) == {"A3", "EKG1"}
    return made


def test_tables_and_reports(run, recording, checkpoint, tmp_path):
    outputs = (tmp_path / "events.tsv", "--report", "html", "--plot", "svg")
    status, _, err = run("detect", recording, *outputs, "--model", checkpoint, "--threshold", "0.001")
    assert status == 0, err
    mark = json.loads((tmp_path / "events.json").read_text())
    assert mark["Gaps"] == [[8.0, 13.0]]
    assert mark["GeneratedBy"] == [{"Name": "brant_hf", "Version": __version__}]
    made = facts_of(mark["Detection"], checkpoint)
    assert made["detection"]["threshold"] == 0.001
    page = (tmp_path / "events.html").read_text()
    for text in (made["weights SHA-256"], str(checkpoint), f"brant_hf {__version__}", "5.00 s", "EKG1"):
        assert text in page
    assert "time of day; the recording began 2021-03-04 23:59:50" in page
    assert re.search(r"<td>1</td><td>23:59:50\.0</td><td>0:00:00\.0</td>", page)
    assert f"brant_hf {__version__}" in (tmp_path / "events.svg").read_text()


def test_embeddings(run, recording, checkpoint, tmp_path):
    options = ("--model", checkpoint, "--montage", "average")
    status, _, err = run("embed", recording, tmp_path / "night.safetensors", *options)
    assert status == 0, err
    side = json.loads((tmp_path / "night.safetensors.json").read_text())
    assert side["GeneratedBy"] == [{"Name": "brant_hf", "Version": __version__}]
    made = side["MadeFrom"]
    assert re.fullmatch("[0-9a-f]{64}", made["weights SHA-256"])
    assert (made["model"], made["seconds lost to gaps"], made["channels"]) == (str(checkpoint), 5.0, ["A1", "A2"])
    assert made["preprocessing"]["sampling_rate"] == 100
    assert made["warnings"] == re.findall("warning: (.*)", err)
    assert [text.partition(",")[0] for text in made["warnings"]] == [
        "--montage is average",
        "night: 3 channels typed EEG",
    ]
    with safe_open(tmp_path / "night.safetensors", "np") as file:
        assert json.loads(file.metadata()["made_from"]) == made
        assert file.metadata()["software"] == f"brant_hf {__version__}"
