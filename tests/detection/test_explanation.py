import dataclasses

import numpy as np
import pytest

from brant_hf.detection import (
    DetectionResult,
    DetectionSettings,
    NearMiss,
    Remedy,
    SeizureEvent,
    near_misses,
    remedies,
)
from brant_hf.detection.background import recording_probability

SETTINGS = {"min_channels": 2, "min_duration": 10.0, "merge_gap": 4.0}


def result_of(probabilities, threshold=0.8, **changes):
    """A result of patches of 2 s, decided by the rules of a detector."""
    settings = {**SETTINGS, **changes}
    values = np.asarray(probabilities, np.float32)
    probability = recording_probability(values, settings["min_channels"])
    events = DetectionSettings(threshold=threshold, **settings).find_events(probability, 2.0)
    steps = values.shape[1]
    return DetectionResult(
        probabilities=values,
        times=np.arange(steps) * 2.0 + 1.0,
        channel_names=[f"A{row + 1}" for row in range(len(values))],
        recording_probability=probability,
        events=[SeizureEvent(first * 2.0, (stop - first) * 2.0) for first, stop in events],
        recording_duration=steps * 2.0,
        patch_duration=2.0,
        threshold=threshold,
        settings=settings,
    )


def channels(*rows, steps=60):
    """Probabilities 0.01 but for `{first patch: (number of patches, value)}` in each row."""
    values = np.full((len(rows), steps), 0.01)
    for row, stretches in zip(values, rows, strict=True):
        for first, (count, value) in stretches.items():
            row[first : first + count] = value
    return values


def test_a_stretch_below_the_threshold():
    result = result_of(channels({10: (6, 0.613)}, {10: (6, 0.7)}, {}))
    assert near_misses(result) == [
        NearMiss(
            SeizureEvent(20.0, 12.0, ("A2", "A1")),
            pytest.approx(0.613),
            "an event at a threshold of 0.61, but not at 0.8",
            "threshold",
            0.61,
        )
    ]
    assert remedies(result) == [Remedy("threshold", 0.61, 1)]


def test_a_stretch_that_is_too_short():
    result = result_of(channels(*[{10: (3, 0.95), 30: (1, 0.99)}] * 2))
    (miss,) = near_misses(result)
    assert (miss.event.onset, miss.event.duration, miss.setting, miss.value) == (20.0, 6.0, "min_duration", 6.0)
    assert miss.rule == "lasts 6 s; the shortest event is 10 s"
    assert Remedy("min_duration", 6.0, 1) in remedies(result)


@pytest.mark.parametrize(
    ("levels", "length", "rule"),
    [
        ({"edge_threshold": 0.2, "lasting_threshold": 0.4}, 6.0, "lasts 6 s at 0.4; the shortest event is 10 s"),
        # Where the edge is the threshold, or above the other one, that counts.
        ({"lasting_threshold": 0.2}, 4.0, "lasts 4 s; the shortest event is 10 s"),
        ({"edge_threshold": 0.4, "lasting_threshold": 0.2}, 6.0, "lasts 6 s; the shortest event is 10 s"),
    ],
)
def test_a_stretch_is_too_short_at_the_level_that_counts(levels, length, rule):
    course = {8: (1, 0.3), 9: (1, 0.5), 10: (2, 0.95), 12: (2, 0.3)}
    result = result_of(channels(course, course), **levels)
    (miss,) = near_misses(result)
    assert (miss.event.duration, miss.rule) == (length, rule)
    (event,) = result.with_settings(min_duration=miss.value).events
    assert event.overlaps(miss.event.onset, miss.event.offset)
    assert Remedy("min_duration", length, 1) in remedies(result)


def test_a_stretch_of_too_few_channels():
    result = result_of(channels({10: (6, 0.95)}, {}, {}), min_channels=3)
    (miss,) = near_misses(result)
    assert (miss.rule, miss.event.channels) == ("1 of the 3 channels that have to agree", ("A1",))
    assert miss.highest == pytest.approx(0.01)
    assert Remedy("min_channels", 1, 1) in remedies(result)


def test_each_remedy_gives_what_it_promises_and_no_smaller_change_does():
    rng = np.random.default_rng(0)
    for _ in range(20):
        smooth = np.cumsum(rng.normal(0, 0.4, (3, 80)), axis=1) - 2
        result = result_of(1 / (1 + np.exp(-smooth)), threshold=0.95)
        for remedy in remedies(result):
            options = {**SETTINGS, "threshold": 0.95, remedy.setting: remedy.value}
            again = result_of(result.probabilities, **options)
            assert len(again.events) == remedy.num_events > 0
            if remedy.setting == "threshold":
                assert not result_of(result.probabilities, **{**options, "threshold": remedy.value + 0.01}).events


def test_what_is_an_event_or_far_from_one_is_no_near_miss():
    far = {40: (6, 0.2)}
    with_event = result_of(channels({10: (6, 0.9), **far}, {10: (6, 0.9), **far}))
    assert [event.onset for event in with_event.events] == [20.0]
    assert near_misses(with_event) == []
    assert remedies(with_event) == []
    without = result_of(channels(far, far))
    assert near_misses(without) == []
    assert remedies(without) == [Remedy("threshold", 0.2, 1)]


def test_a_flat_course_and_a_result_without_settings_have_none():
    assert near_misses(result_of(np.zeros((2, 20)))) == []
    assert remedies(result_of(np.zeros((2, 20)))) == []
    bare = dataclasses.replace(result_of(channels({10: (6, 0.6)}, {10: (6, 0.6)})), settings=None)
    assert near_misses(bare) == []
    assert remedies(bare) == []
