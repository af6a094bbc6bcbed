"""The table of a detector on recordings with known seizures."""

import numpy as np
import pytest
from known_seizures import auroc, row_of

from brant_hf.data import open_recording
from brant_hf.detection import DetectionResult, SeizureEvent

RATE = 100


class FoundFromSixty:
    """Finds an event from 66 to 90 s in a recording of 120 s."""

    def detect(self, recording):
        times = np.arange(120) + 0.5
        probability = np.where((times > 66) & (times < 90), 0.9, 0.1)
        return DetectionResult(
            probabilities=np.stack([probability, probability]),
            times=times,
            channel_names=recording.channel_names,
            recording_probability=probability,
            events=[SeizureEvent(66.0, 24.0, ("A1",), 0.9)],
            recording_duration=recording.duration,
            patch_duration=1.0,
        )


def test_means_of_six_seconds_are_ranked():
    is_seizure = np.repeat([False, True, False], 12)
    assert auroc(np.repeat([0.0, 1.0, 0.5], 12), is_seizure, 1.0) == 1.0
    # Of the background, 0 is below 1; 0 is below 2 and another is level with it: (1 + 1.5) of 2 * 4 pairs.
    values = np.repeat([0.0, 3.0, 1.0, 2.0, 3.0, 2.0], 6)
    assert auroc(values, is_seizure, 1.0) == pytest.approx(2.5 / 8)
    assert auroc(values, np.zeros(36, bool), 1.0) is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_row_counts_and_ranks():
    signal = np.random.default_rng(0).normal(0, 50, (2, 120 * RATE)).astype(np.float32)
    signal[:, 60 * RATE : 90 * RATE] *= 5
    recording = open_recording(signal, RATE, ["A1", "A2"], [(60.0, 90.0, None)], name="r")
    row = row_of(FoundFromSixty(), recording)
    assert row == ["r", "0.03", "2", "1 of 1", "0", "+6.0", row[6], "1.000"]
    assert float(row[6]) == pytest.approx(0.9, abs=0.05)
