import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from brant_hf.data import Recording, inspect_recording, open_recording
from brant_hf.events.vocabulary import EventRow

RATE = 500.0
NAMES = ["A1", "A2", "flat", "clipped", "lost"]


@pytest.fixture
def signal() -> np.ndarray:
    """Noise of 50 and 20 microvolts, and channels with something wrong with them."""
    rng = np.random.default_rng(0)
    time = np.arange(round(60 * RATE)) / RATE
    signal = rng.normal(0, 50, (5, time.size)) + 7
    signal[1] = rng.normal(0, 20, time.size) - 3
    signal[2] = 12.0
    signal[3] = np.clip(200 * np.sin(2 * np.pi * 2 * time) + rng.normal(0, 5, time.size), -100, 100)
    signal[4] = np.nan
    return signal


@pytest.fixture
def recording(signal) -> Recording:
    opened = open_recording(signal, RATE, NAMES, seizures=[(10, 20, ["A1"])], subject="p1", name="night")
    texts = ("sz", "eeg", "seizure onset", "seizure cluster?")
    events = [EventRow(10.0 * place, float("nan"), text) for place, text in enumerate(texts)]
    return replace(opened, events=events[::-1], gaps=[(30.0, 31.5)], line_frequency=50.0)


def test_amplitude_and_condition_of_channels(recording):
    channels = {each["name"]: each for each in inspect_recording(recording)["channels"]}
    assert list(channels) == NAMES
    assert {name: each["condition"] for name, each in channels.items()} == {
        "A1": "ok",
        "A2": "ok",
        "flat": "flat",
        "clipped": "saturated",
        "lost": "no samples",
    }
    assert channels["A1"]["deviation"] == pytest.approx(50, rel=0.05)
    assert channels["A2"]["deviation"] == pytest.approx(20, rel=0.05)
    assert channels["A1"]["median"] == pytest.approx(7, abs=1.5)
    assert channels["flat"]["median"] == 12.0
    assert channels["lost"]["deviation"] is None
    assert channels["A1"]["unit"] == "uV"


def test_a_coarse_channel_is_not_saturated():
    slow = np.cumsum(np.random.default_rng(0).normal(0, 1, 30000))
    coarse = np.round(10 * slow / np.ptp(slow))
    (channel,) = inspect_recording(open_recording(coarse[None], RATE, subject="p1"))["channels"]
    assert channel["condition"] == "ok"


def test_line_noise_stands_out_at_its_harmonics():
    time = np.arange(round(30 * RATE)) / RATE
    signal = np.random.default_rng(0).normal(0, 10, (3, time.size))
    signal += 20 * np.sin(2 * np.pi * 50 * time) + 10 * np.sin(2 * np.pi * 150 * time)
    signal[0, 100] = np.nan
    opened = replace(open_recording(signal, RATE, subject="p1"), line_frequency=50.0)
    found = inspect_recording(opened)
    noise = found["line_noise"]
    assert (noise["stated"], found["detection"]["line_noise"]) == (50.0, 50.0)
    fifty, sixty = noise["measured"]["50"], noise["measured"]["60"]
    assert list(fifty) == ["50", "100", "150", "200"]
    # A sine of amplitude a has the power a^2 / 2, in a bin of 0.5 Hz of a Hann window (which widens it by 1.5); white
    # noise has its variance over 250 Hz.
    beside = 10**2 / 250
    assert fifty["50"] == pytest.approx(20**2 / 2 / 0.75 / beside, rel=0.2)
    assert fifty["150"] == pytest.approx(10**2 / 2 / 0.75 / beside, rel=0.2)
    # The largest of five values of noise is not far above their median.
    assert max(fifty["100"], fifty["200"], *sixty.values()) < 4


def test_remarks_with_what_they_are_taken_for(recording):
    remarks = inspect_recording(recording)["remarks"]
    assert [each["onset"] for each in remarks] == [0.0, 10.0, 20.0, 30.0]
    assert [each["meaning"] for each in remarks[:3]] == ["seizure", None, "onset"]
    assert remarks[3]["meaning"] in ("unclear", "uncertain")
    assert remarks[0]["duration"] is None


def test_times_seizures_and_subject(recording):
    found = inspect_recording(replace(recording, uncertain=[(40.0, 50.0, None)]))
    assert (found["duration"], found["sampling_rate"], found["format"]) == (60.0, RATE, "array")
    assert (found["subject"], found["subject_from"]) == ("p1", "given")
    assert found["gaps"] == [[30.0, 31.5]]
    assert found["seizures"] == [{"onset": 10.0, "offset": 20.0, "channels": ["A1"]}]
    assert found["uncertain"] == [{"onset": 40.0, "offset": 50.0, "channels": None}]


def test_what_detection_would_do(recording, signal):
    plan = inspect_recording(recording)["detection"]
    assert plan["sampling_rate"] == 250.0
    assert plan["channels"] == ["A1", "A2", "clipped"]
    assert set(plan["left_out"]) == {"flat", "lost"}
    assert plan["line_noise"] is None
    assert [note for note in plan["notes"] if "gaps, 1.50 s in all" in note]
    short = open_recording(signal[:1, :300], 100.0, subject="p1")
    notes = inspect_recording(short)["detection"]["notes"]
    assert "only 1 is there, which decides alone" in notes[0]
    assert "one of 3.00 s is searched" in notes[1]
    assert "it has 50 Hz" in notes[2]
    flat = open_recording(signal[2:3], RATE, subject="p1")
    (note,) = inspect_recording(flat)["detection"]["notes"]
    assert "is flat" in note


def test_what_was_said_of_a_file_is_told_and_kept(write_edf, noise, tmp_path):
    path = write_edf(tmp_path / "night.edf", noise(2, 4000), 200)
    with pytest.warns(UserWarning, match="typed EEG") as told:
        found = inspect_recording(path, subject="p7")
    assert found["warnings"] == [" ".join(str(each.message).split()) for each in told]
    assert (found["path"], found["format"], found["subject_from"]) == (str(path), ".edf", "given")
    json.dumps(found, allow_nan=False)
    # Of a recording that was opened before, what was said then is not said again, and stands there all the same.
    with pytest.warns(UserWarning, match="typed EEG"):
        opened = open_recording(path, subject="p7")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*typed EEG")
        assert set(opened.warnings) <= set(inspect_recording(opened)["warnings"])


def test_only_short_stretches_are_read(recording, monkeypatch):
    lengths = []
    read = Recording.read_samples

    def note(self, start, stop):
        lengths.append(stop - start)
        return read(self, start, stop)

    monkeypatch.setattr(Recording, "read_samples", note)
    inspect_recording(recording)
    assert max(lengths) <= 4 * RATE
