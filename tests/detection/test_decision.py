import math

import numpy as np
import pytest

from brant_hf.detection.background import recording_probability
from brant_hf.detection.decision import (
    confidence,
    describe_events,
    event_score,
    find_events,
    logit,
)

PROBABILITY = np.array([0.1, 0.6, 0.7, 0.2, 0.9, 0.1, 0.1, 0.1, 0.5, 0.9])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"threshold": 0.5}, [(1, 3), (4, 5), (8, 10)]),
        ({"threshold": 0.55}, [(1, 3), (4, 5), (9, 10)]),
        ({"threshold": 0.95}, []),
        # The gap between the first two is one patch of 2 s, that to the third 3 patches.
        ({"threshold": 0.5, "merge_gap": 2.0}, [(1, 3), (4, 5), (8, 10)]),
        ({"threshold": 0.5, "merge_gap": 2.1}, [(1, 5), (8, 10)]),
        ({"threshold": 0.5, "merge_gap": 6.1}, [(1, 10)]),
        ({"threshold": 0.5, "min_duration": 4.0}, [(1, 3), (8, 10)]),
        ({"threshold": 0.5, "min_duration": 4.1}, []),
        # Merged before the short ones are dropped.
        ({"threshold": 0.5, "merge_gap": 2.1, "min_duration": 8.0}, [(1, 5)]),
        ({"threshold": 0.05}, [(0, 10)]),
        # The recording, 20 s, is shorter than the shortest event.
        ({"threshold": 0.05, "min_duration": 60.0}, [(0, 10)]),
        ({"threshold": 0.5, "min_duration": 60.0}, []),
    ],
)
def test_find_events(options, expected):
    assert find_events(PROBABILITY, 2.0, **options) == expected


def test_durations_are_compared_without_rounding_errors():
    # 3 * 0.1 is more than 0.3 in floating point.
    assert find_events(np.array([1.0, 0, 0, 0, 1.0]), 0.1, threshold=0.5, merge_gap=0.3) == [(0, 1), (4, 5)]
    assert find_events(np.ones(3), 0.1, threshold=0.5, min_duration=0.1 + 0.2) == [(0, 3)]


def test_recording_probability_is_the_kth_largest():
    probabilities = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.8]])
    np.testing.assert_array_equal(recording_probability(probabilities, 1), [0.5, 0.9])
    np.testing.assert_array_equal(recording_probability(probabilities, 2), [0.3, 0.8])
    np.testing.assert_array_equal(recording_probability(probabilities, 3), [0.1, 0.2])
    # All of them, where there are fewer.
    np.testing.assert_array_equal(recording_probability(probabilities, 9), [0.1, 0.2])


def test_score_and_confidence():
    assert event_score(PROBABILITY, 1, 3) == pytest.approx(0.65)
    assert confidence(0.65) == 0.65
    assert confidence(0.65, {"slope": 1.0, "intercept": 0.0}) == pytest.approx(0.65)
    # logit(0.8) = log 4, so 2 * log 4 - log 2 = log 8.
    assert confidence(0.8, {"slope": 2.0, "intercept": -math.log(2)}) == pytest.approx(8 / 9)
    assert logit(0.8) == pytest.approx(math.log(4))
    assert (
        0 <= confidence(0.0, {"slope": 1e3, "intercept": 0.0}) < confidence(1.0, {"slope": 1e3, "intercept": 0}) <= 1
    )


def test_described_events():
    probabilities = np.array([[0.0, 0.6, 0.7, 0.0], [0.0, 0.9, 0.8, 0.9], [0.0, 0.1, 0.2, 0.9]])
    events = describe_events(
        [(1, 3), (3, 4)],
        probabilities,
        probabilities.max(axis=0),
        ["A", "B", "C"],
        patch_s=2.0,
        duration=7.5,
        threshold=0.7,
    )
    assert [event.to_dict() for event in events] == [
        # B has the higher mean; A reaches the threshold in one patch.
        {"onset": 2.0, "duration": 4.0, "confidence": pytest.approx(0.85), "channels": ["B", "A"]},
        # The last patch ends with the recording. Ties keep the order of the channels.
        {"onset": 6.0, "duration": 1.5, "confidence": pytest.approx(0.9), "channels": ["B", "C"]},
    ]
