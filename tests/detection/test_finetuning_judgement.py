"""What fine-tuning goes by: seizures found in time and clearly, and alarms in the background that is held back."""

from __future__ import annotations

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import DetectionSettings
from brant_hf.detection.finetuning_data import Labelled
from brant_hf.detection.finetuning_judgement import judge
from brant_hf.detection.result import DetectionResult

SECONDS = 400
SEIZURES = ((100.0, 130.0), (300.0, 330.0))
HELD_BACK = slice(200, 400)


def judged(*stretches):
    """Judge a recording that has a probability of 0.02, but (onset, offset, probability) in some stretches."""
    recording = open_recording(np.zeros((1, SECONDS)), 1, ["A1"], seizures=SEIZURES, subject="01", name="night")
    probability = np.full(SECONDS, 0.02)
    for onset, offset, value in stretches:
        probability[onset:offset] = value
    settings = DetectionSettings(threshold=0.5, min_duration=10.0, merge_gap=0.0)
    _, events = settings.decide(probability[None], ["A1"], patch_s=1.0, duration=SECONDS)
    result = DetectionResult.of(
        recording,
        {
            "probabilities": probability[None],
            "times": np.arange(SECONDS) + 0.5,
            "channel_names": ["A1"],
            "recording_probability": probability,
            "events": events,
            "patch_duration": 1.0,
            "threshold": 0.5,
            "settings": settings.to_dict(),
        },
    )
    held = np.zeros(SECONDS, bool)
    held[HELD_BACK] = True
    return judge([Labelled(recording, SEIZURES, held, 1.0, result)], [result])


def test_a_start_that_finds_everything_in_time_and_clearly_has_nothing_to_gain():
    judgement = judged((103, 130, 0.9), (298, 330, 0.9))
    assert (judgement.found, judgement.held_found, judgement.clear) == (1, 1, 2)
    assert judgement.has_nothing_to_gain


@pytest.mark.parametrize(
    ("stretch", "found", "clear"),
    [
        ((300, 330, 0.02), 0, 1),  # missed
        ((308, 330, 0.9), 1, 1),  # late
        ((300, 330, 0.7), 1, 1),  # a logit above 0.5 is 0.73
        ((300, 330, 0.74), 1, 2),
        ((295, 330, 0.9), 1, 2),  # early is in time
    ],
)
def test_a_seizure_is_clear_where_it_is_found_within_5_s_with_a_logit_to_spare(stretch, found, clear):
    judgement = judged((100, 130, 0.9), stretch)
    assert (judgement.held_found, judgement.clear) == (found, clear)
    assert judgement.has_nothing_to_gain == (clear == 2)


def test_an_event_that_is_not_marked_is_something_to_gain():
    judgement = judged((100, 130, 0.9), (300, 330, 0.9), (20, 40, 0.9))
    assert judgement.unmarked == (("night", 20.0),)
    assert judgement.false_alarms == 0  # it is trained on, so it tells nothing of what new weights do
    assert not judgement.has_nothing_to_gain


def test_background_that_nears_the_threshold_counts_against_new_weights():
    calm, near, alarm = (judged((100, 130, 0.9), (300, 330, 0.9), (220, 240, value)) for value in (0.2, 0.3, 0.6))
    assert [each.near_alarms for each in (calm, near, alarm)] == [0, 1, 1]  # a logit below 0.5 is 0.27
    assert [each.false_alarms for each in (calm, near, alarm)] == [0, 0, 1]
    assert calm.quality > near.quality > alarm.quality
