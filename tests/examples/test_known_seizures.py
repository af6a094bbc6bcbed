"""The table of a detector on recordings with known seizures."""

import known_seizures
import numpy as np
import pytest
from known_seizures import auroc, brainmaze_auroc, row_of, row_of_all

from brant_hf.data import open_recording
from brant_hf.detection import DetectionResult, SeizureEvent
from brant_hf.training import run_script

RATE = 100


def result_of(recording):
    """One event from 186 to 210 s in a recording of 240 s, and 12 s of 0.4 in its background."""
    times = np.arange(240) + 0.5
    probability = np.where((times > 186) & (times < 210), 0.9, 0.1)
    probability[5:17] = 0.4
    return DetectionResult(
        probabilities=np.stack([probability, probability]),
        times=times,
        channel_names=recording.channel_names,
        recording_probability=probability,
        events=[SeizureEvent(186.0, 24.0, ("A1",), 0.9)],
        recording_duration=recording.duration,
        patch_duration=1.0,
        threshold=0.5,
        settings={"min_channels": 2, "min_duration": 10.0, "merge_gap": 0.0},
    )


def test_means_of_six_seconds_are_ranked():
    is_seizure = np.repeat([False, True, False], 12)
    assert auroc(np.repeat([0.0, 1.0, 0.5], 12), is_seizure, 1.0) == 1.0
    # Of the background, 0 is below 1; 0 is below 2 and another is level with it: (1 + 1.5) of 2 * 4 pairs.
    values = np.repeat([0.0, 3.0, 1.0, 2.0, 3.0, 2.0], 6)
    assert auroc(values, is_seizure, 1.0) == pytest.approx(2.5 / 8)
    assert auroc(values, np.zeros(36, bool), 1.0) is None
    # What nobody knows, in a part of the second 3, leaves 2.5 of 2 * 3 pairs.
    unknown = np.where(np.arange(36) == 24, np.nan, is_seizure)
    assert auroc(values, unknown, 1.0) == pytest.approx(2.5 / 6)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_follows_an_onset_without_an_end_is_not_ranked(monkeypatch):
    monkeypatch.setattr(known_seizures, "find_spec", lambda name: None)
    signal = np.random.default_rng(0).normal(0, 50, (2, 240 * RATE)).astype(np.float32)
    recording = open_recording(signal, RATE, ["A1", "A2"], [(180.0, 192.0, None)], name="r")
    recording.uncertain = [(192.0, 240.0, None)]
    result = result_of(recording)
    # One mean of the seizure is above the thirty of background, the other level with 27 of them and below three. Those
    # from 192 s on, of which three are high, do not count.
    assert row_of(result, recording)[6] == f"{(30 + 27 / 2) / 60:.3f}"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_row_counts_and_ranks(monkeypatch):
    monkeypatch.setattr(known_seizures, "find_spec", lambda name: None)
    signal = np.random.default_rng(0).normal(0, 50, (2, 240 * RATE)).astype(np.float32)
    signal[:, 180 * RATE : 210 * RATE] *= 5
    recording = open_recording(signal, RATE, ["A1", "A2"], [(180.0, 210.0, None)], name="r")
    result = result_of(recording)
    row = row_of(result, recording)
    assert row == ["r", "0.07", "2", "1 of 1", "0", "+6.0", row[6], "1.000", ""]
    assert float(row[6]) == pytest.approx(0.9, abs=0.05)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_recordings_together_have_an_interval_of_false_alarms():
    """The interval of one alarm, 0.0253 to 5.572, and of none, 0 to 3.689, is that of tables of the Poisson law."""
    signal = np.zeros((2, 240 * RATE), np.float32)
    recording = open_recording(signal, RATE, ["A1", "A2"], [(180.0, 210.0, None)], name="r")
    twice = [(recording, result_of(recording))] * 2
    # In 8 minutes, one is 180 a day. Each recording has one; 2 of 2 found with 2 alarms is F1 of 4 / 6.
    quiet = ["1 of 1", "0", "0.0 (0.0 to 1328.0)", "1.000", "+6.0 (+6.0 to +6.0)"]
    assert row_of_all(twice[:1], 0.5) == ["0.5", "0.1", *quiet]
    assert row_of_all(twice[:1], 0.3)[2:5] == ["1 of 1", "1", "360.0 (9.1 to 2005.8)"]
    assert row_of_all(twice, 0.3)[2:6] == ["2 of 2", "2", "360.0 (43.6 to 1300.4)", "0.667"]
    assert row_of_all(twice, 0.95)[2:] == ["0 of 2", "0", "0.0 (0.0 to 664.0)", "0.000", ""]


def test_the_public_detector_is_ranked_where_it_applies(monkeypatch):
    """Its probabilities are right in all but one of the 60 means of 6 s: 1 of 5 seizure means is below all others."""
    is_seizure = np.arange(360) >= 330
    probabilities = np.where(is_seizure & (np.arange(360) < 354), 0.9, 0.1)
    probabilities[354:] = 0.01
    monkeypatch.setattr(known_seizures, "find_spec", lambda name: name)
    monkeypatch.setattr(known_seizures, "brainmaze", lambda recording: {"probabilities": probabilities[None]})
    signal = np.random.default_rng(0).normal(0, 50, (1, 360 * RATE)).astype(np.float32)
    long, short = (open_recording(signal[:, : s * RATE], RATE, ["A1"], name="r") for s in (360, 240))
    assert brainmaze_auroc(long, is_seizure) == pytest.approx(0.8)
    assert brainmaze_auroc(short, is_seizure[:240]) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["there_is_none"], "does not exist"),
        (["."], "holds no recording"),
        ([".", "--thresholds", "2"], "threshold is 2.0"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(arguments, told, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["known_seizures.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_script(known_seizures.main)
    assert stopped.value.code == 2
    out, error = capsys.readouterr()
    assert not out
    assert error.count("\n") == 1
    assert error.startswith("known_seizures.py: ")
    assert told in error
