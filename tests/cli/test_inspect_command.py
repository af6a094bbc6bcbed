import json
import sys
from functools import partial

import numpy as np
import pytest


@pytest.fixture
def run(run):
    """Run the command `inspect`."""
    return partial(run, "inspect")


@pytest.fixture
def recording(write_edf, noise, tmp_path):
    signal = noise(4, 4000)
    signal[3] = 5.0
    path = write_edf(tmp_path / "night.edf", signal, 200)
    rows = [f"{place}\tn/a\tspike" for place in range(30)] + ["9\t5\tsz", "15\tn/a\tmaybe a seizure"]
    (tmp_path / "night_events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *rows]))
    return path


def test_one_page(run, recording):
    status, out, err = run(recording)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) < 60
    assert "length         20.00 s at 200 Hz" in lines
    assert "gaps           none" in lines
    assert any(line.split()[:2] == ["A4", "5"] and line.endswith("flat") for line in lines) or "A4 5 +- 0 flat" in out
    assert "flat: A4" in out
    assert "subject        night (from: name of the file)" in lines
    assert "seizures       1 (from: night_events.tsv)" in lines
    assert "9.00 to 14.00 s, all channels" in out
    assert "leave out A4 (flat" in out
    assert "typed EEG" in out


def test_channels_stay_apart_however_long_what_is_said_of_them(run, write_edf, tmp_path):
    t = np.arange(4000) / 200
    hum = np.array([-300 + 1500 * np.sin(2 * np.pi * 50 * t + place) for place in range(4)])
    out = run(write_edf(tmp_path / "night.edf", hum, 200))[1]
    assert all(f" {name} " in out for name in ("A1", "A2", "A3", "A4"))


def test_json_is_complete_and_strict(run, recording):
    def refuse(constant):
        raise AssertionError(constant)

    status, out, err = run(recording, "--json")
    found = json.loads(out, parse_constant=refuse)
    assert (status, err, found["name"], len(found["channels"])) == (0, "", "night", 4)


def test_units_of_channels_are_given_by_name(run, recording):
    status, out, _ = run(recording, "--json", "--unit", "A1=mV, A2=uV")
    assert (status, [each["scale"] for each in json.loads(out)["channels"][:2]]) == (0, [1000.0, 1.0])
    status, out, err = run(recording, "--unit", "B1=mV")
    assert (status, out) == (2, "")
    assert "unit names ['B1']" in err


def test_no_model_is_loaded(run, recording, monkeypatch):
    for name in ("brant_hf.modeling_brant", "brant_hf.detection.pipeline"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(recording)[0] == 0


def test_a_folder_gets_a_line_for_each_recording(run, recording, noise):
    np.savez(recording.with_name("day.npz"), data=noise(2, 1000), sampling_rate=100)
    status, out, err = run(recording.parent)
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("day.npz: subject day, 10.00 s, 100 Hz, 2 channels, 0 left out, ")
    assert out.splitlines()[1].startswith("night.edf: subject night, 20.00 s, 200 Hz, 4 channels")
    recording.write_text("damaged")
    status, out, err = run(recording.parent)
    assert (status, err) == (2, "brant-hf: 1 of 2 recordings cannot be read\n")
    assert "night.edf: failed: " in out
    status, out, _ = run(recording.parent, "--json")
    assert [sorted(each)[:1] for each in json.loads(out)] == [["channels"], ["error"]]


def test_what_cannot_be_read_is_one_line(run, tmp_path):
    status, out, err = run(tmp_path / "none.edf")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "none.edf does not exist" in err


@pytest.mark.parametrize(
    ("seizures", "status", "told"),
    [
        ([[2, 5]], 0, None),
        (
            [[2, 5, 1], [6, 8, 1], [9, 9.5, 2]],
            0,
            "has 3 columns; the first two are taken as onset and offset",
        ),
        (
            [[2, 6, 9], [5, 8, 9.5]],
            2,
            "has shape (2, 3); expected (seizures, 2), onset and offset [s]",
        ),
        ([2, 5, 6, 8], 2, "seizures has shape (4,); expected (seizures, 2)"),
    ],
)
def test_seizures_of_an_array_are_pairs_and_further_columns_are_told(run, noise, tmp_path, seizures, status, told):
    np.savez(tmp_path / "day.npz", data=noise(2, 1000), sampling_rate=100, seizures=np.array(seizures))
    found, out, err = run(tmp_path / "day.npz")
    assert found == status
    assert told is None or told in f"{out}{err}"
    assert status or "2.00 to 5.00 s" in out
