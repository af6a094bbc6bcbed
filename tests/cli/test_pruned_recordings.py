"""A pruned recording: clips of a minute out of a night, hours apart, in one file (EDF+D)."""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data import load, open_recording
from brant_hf.detection import Detector

RATE, CLIP_S = 200, 60
STARTS = (0, 4000, 11_000, 28_000)
# A rhythm in the third clip, by the seconds of the whole night.
SEIZURE = (11_015.0, 11_045.0)
NIGHT_S = STARTS[-1] + CLIP_S


@pytest.fixture(scope="module")
def night() -> np.ndarray:
    """The clips one after another, each with an offset of its own."""
    seconds = np.arange(len(STARTS) * CLIP_S * RATE) / RATE
    signal = 20 * np.random.default_rng(0).standard_normal((4, seconds.size))
    first = STARTS.index(11_000) * CLIP_S + 15
    signal += 400 * np.sin(2 * np.pi * 5 * seconds) * ((seconds >= first) & (seconds < first + 30))
    return signal + np.repeat([0.0, 900.0, -700.0, 300.0], CLIP_S * RATE)


@pytest.fixture
def pruned(night, tmp_path, write_edf_with_gaps) -> Path:
    onsets = [start + second for start in STARTS for second in range(CLIP_S)]
    return write_edf_with_gaps(tmp_path / "night.edf", night, RATE, onsets, datetime.datetime(2021, 3, 4, 20))


def test_inspect_tells_how_much_is_recorded(run, pruned):
    status, out, err = run("inspect", pruned)
    assert status == 0, err
    assert "recorded       240.00 s in 4 pieces" in out
    found = json.loads(run("inspect", pruned, "--json")[1])
    assert (found["duration"], found["recorded"], found["pieces"]) == (NIGHT_S, 240, 4)
    assert found["gaps"] == [[60, 4000], [4060, 11_000], [11_060, 28_000]]
    # What is told of the signal is told of what is there.
    assert [each["condition"] for each in found["channels"]] == ["ok"] * 4
    assert any("240.0 s are recorded, in 4 pieces" in each for each in found["warnings"])


def test_events_are_on_the_clock_of_the_night(run, pruned, tmp_path):
    reference = tmp_path / "reference.tsv"
    onset, offset = SEIZURE
    reference.write_text(
        "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
        f"{onset}\t{offset - onset}\tsz\tn/a\tn/a\tn/a\t{NIGHT_S}\n"
    )
    status, _, err = run("detect", pruned, tmp_path / "e.tsv", "--report", tmp_path / "r.html")
    assert status == 0, err
    _, row, *others = (tmp_path / "e.tsv").read_text().splitlines()
    found = [float(value) for value in row.split("\t")[:2]]
    assert others == []
    assert (found[0], found[0] + found[1]) == pytest.approx(SEIZURE, abs=3)
    # Of the night 4 minutes were searched: a false alarm a day is one in 4 minutes of them.
    scores = json.loads(run("score", reference, tmp_path / "e.tsv", "--json")[1])["pooled"]
    assert scores["event"]["sensitivity"] == 1
    assert scores["event"]["duration"] == 240


def test_probabilities_are_those_of_each_clip_alone_and_missing_between(pruned, night):
    # What depends on one window alone: line length is weighed relative to the whole recording.
    detector = Detector.from_pretrained(
        preprocessing={"line_noise": None, "sampling_rate": 250.0}, background={"usual": -4.0}
    )
    calls: list[int] = []
    forward = detector.forward
    counting = type(forward).__call__

    def counted(self, input_values, channel_mask):
        calls.append(input_values.shape[0] * input_values.shape[2])
        return counting(self, input_values, channel_mask)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(forward), "__call__", counted)
        result = detector.detect(open_recording(pruned), progress=False)
    seen = np.zeros(NIGHT_S, bool)
    for place, start in enumerate(STARTS):
        clip = night[:, place * CLIP_S * RATE : (place + 1) * CLIP_S * RATE]
        alone = detector.detect({"array": clip, "sampling_rate": RATE}, progress=False)
        seen[start : start + CLIP_S] = True
        # 16 bits of a file, and offsets from other stretches.
        np.testing.assert_allclose(result.probabilities[:, start : start + CLIP_S], alone.probabilities, atol=0.02)
    np.testing.assert_array_equal(np.isnan(result.probabilities), np.tile(~seen, (4, 1)))
    np.testing.assert_array_equal(np.isnan(result.recording_probability), ~seen)
    # The model worked on the clips, in windows that overlap by half.
    assert sum(calls) <= 2 * seen.sum() * 250


def test_windows_and_embeddings_of_what_was_recorded(run, pruned, tmp_path):
    status, _, err = run("prepare", pruned, tmp_path / "windows", "--num-patches", 5)
    assert status == 0, err
    dataset = load(tmp_path / "windows")
    # Two windows of 30 s (5 patches of 6 s) in each clip, from its beginning on.
    assert dataset["start"] == [start + second for start in STARTS for second in (0, 30)]
    assert np.isfinite(np.array(dataset["input_values"])).all()
    table = tmp_path / "e.parquet"
    status, _, err = run("embed", pruned, table)
    assert status == 0, err
    import pandas as pd

    rows = pd.read_parquet(table)
    assert sorted(set(rows["start"])) == [start + second for start in STARTS for second in range(CLIP_S)]


def test_parts_that_begin_in_a_gap(run, pruned, tmp_path):
    # The second clip begins at 4000 s: its first second is there, and shorter than any stretch that is surveyed.
    table = tmp_path / "e.tsv"
    status, _, err = run("detect", pruned, table, "--start", 3900, "--stop", 4001)
    assert status == 0, err
    assert table.read_text().splitlines()[1].split("\t")[2] == "bckg"
    for start, stop in ((60, 4000), (100, 200)):
        status, _, err = run("detect", pruned, tmp_path / "none.tsv", "--start", start, "--stop", stop)
        assert status == 2
        assert f"nothing was recorded from start {start} s to stop {stop} s" in err


@pytest.mark.parametrize("command", ["detect", "embed"])
def test_parts_of_which_nothing_can_be_searched(run, pruned, tmp_path, command):
    # 0.3 s of the first patch are recorded; a second beside a gap is a patch that counts.
    output = tmp_path / {"detect": "e.tsv", "embed": "e.parquet"}[command]
    for stop in (60.9, 65, 3900):
        status, _, err = run(command, pruned, output, "--start", 59.7, "--stop", stop)
        assert status == 2
        message = f"night: each patch of 1 s from 59.70 s to {stop:.2f} s misses more than half of its samples"
        assert message in err
        assert [path.name for path in tmp_path.iterdir()] == ["night.edf"]
    assert run(command, pruned, output, "--start", 59.4, "--stop", 65)[0] == 0
