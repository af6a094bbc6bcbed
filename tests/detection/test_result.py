from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import DetectionSettings, Detector, score_events
from brant_hf.detection.result import DetectionResult, clock, keep_maxima, length_in_words


def recording(duration: float = 8.0):
    return open_recording(np.zeros((2, round(100 * duration))), 100, ["A1", "A2"], subject="01")


def result(**changes) -> dict:
    whole = {
        "probabilities": np.array([[0.1, 0.2, 0.9, 0.8], [0.0, 0.3, 0.4, 0.2]]),
        "times": np.array([1.0, 3.0, 5.0, 7.0]),
        "channel_names": ["A1", "A2"],
        "recording_probability": np.array([0.1, 0.3, 0.9, 0.8]),
        "events": [{"onset": 4.0, "duration": 4.0, "confidence": 0.85, "channels": ["A1"]}],
    }
    return {**whole, **changes}


def test_borders_lie_between_the_centres():
    view = DetectionResult.of(recording(), result())
    np.testing.assert_allclose(view.edges, [0, 2, 4, 6, 8])
    assert view.reference is None
    assert view.threshold is None


def test_a_single_step_covers_a_short_recording():
    short = result(probabilities=[[0.5], [0.6]], times=[3.0], recording_probability=[0.6], events=[])
    np.testing.assert_allclose(DetectionResult.of(recording(2.0), short).edges, [0, 6])


def test_involvement_is_the_mean_inside_events():
    np.testing.assert_allclose(DetectionResult.of(recording(), result()).involvement(), [0.85, 0.3], rtol=1e-6)
    reference = [{"onset": 2.0, "duration": 1.0}]
    missed = DetectionResult.of(recording(), result(events=[]), reference)
    np.testing.assert_allclose(missed.involvement(), [0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(DetectionResult.of(recording(), result(events=[])).involvement(), [0.9, 0.4], rtol=1e-6)


def test_events_are_sorted_and_need_no_confidence_or_channels():
    events = [
        {"onset": 5.0, "duration": 1.0, "confidence": float("nan"), "channels": None},
        {"onset": 1.0, "duration": 2.0, "confidence": 0.4, "channels": ["A1"]},
    ]
    view = DetectionResult.of(recording(), result(events=events), reference=[{"onset": 2.5, "duration": 3}])
    assert [(event.onset, event.offset, event.confidence) for event in view.events] == [(1, 3, 0.4), (5, 6, None)]
    assert view.most_confident_event() == view.events[0]
    assert view.steps_inside(view.events).tolist() == [True, True, True, False]


def test_a_result_knows_what_the_detector_said():
    start = datetime(2020, 2, 29)
    whole = result(threshold=0.6, patch_duration=2.0, start_date=start, settings={"overlap": 0.5})
    view = DetectionResult.of(recording(), whole)
    assert (view.threshold, view.patch_duration, view.start_date) == (0.6, 2.0, start)
    assert view.recording_duration == 8.0
    np.testing.assert_allclose(view.edges, [0, 2, 4, 6, 8])
    again = view.to_dict()
    assert again["recording_duration"] == 8.0
    for name in ("threshold", "patch_duration", "start_date", "settings", "events", "channel_names"):
        assert again[name] == whole[name]
    assert DetectionResult.of(recording(), view).events is view.events


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": [1.0, 3.0, 5.0]}, "2 channel names, times of shape .3,., probabilities of shape .2, 4."),
        ({"channel_names": ["A1"]}, "1 channel names"),
        ({"recording_probability": [0.1, 0.2]}, "recording_probability of shape .2,."),
        ({"times": [1.0, 3.0, 3.0, 7.0]}, "increase"),
        ({"probabilities": np.full((2, 4), 30.0)}, "from 30 to 30; expected 0 to 1"),
        ({"probabilities": np.zeros((2, 0))}, "none empty"),
        ({"events": [{"onset": 4.0, "duration": 0.0}]}, "seizure has onset 4 s and duration 0 s"),
    ],
)
def test_a_result_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DetectionResult.of(recording(), result(**changes))


def test_a_result_is_decided_again_with_other_settings(pipe, noise):
    """As the detector does it; a part keeps the times of the file."""
    source = open_recording(noise(3, 2000), 100, start=2.0)
    detected = Detector(pipe.model, pipe.feature_extractor).detect(source, progress=False)
    threshold = float(np.median(np.median(detected.probabilities, axis=0)))
    changes = {"threshold": threshold, "min_channels": 2, "min_duration": 0.5, "merge_gap": 0.6}
    settings = DetectionSettings.of(pipe.model.config, changes)
    expected = Detector(pipe.model, pipe.feature_extractor, settings).detect(source, progress=False)
    assert len(expected.events) > 1
    again = detected.with_settings(**changes)
    assert again.events == expected.events
    np.testing.assert_array_equal(again.recording_probability, expected.recording_probability)
    assert (again.threshold, again.settings, again.start) == (threshold, expected.settings, 2.0)


def test_what_cannot_be_decided_again_is_refused():
    view = DetectionResult.of(recording(), result(threshold=0.6, patch_duration=2.0, settings={"overlap": 0.5}))
    with pytest.raises(ValueError, match="does not tell its settings"):
        view.with_settings(threshold=0.3)
    known = {"min_channels": 1, "min_duration": 0.0, "merge_gap": 0.0}
    view = DetectionResult.of(recording(), result(threshold=0.6, patch_duration=2.0, settings=known))
    assert [event.onset for event in view.with_settings(threshold=0.15).events] == [2.0]
    with pytest.raises(ValueError, match="overlap cannot change without running the model again"):
        view.with_settings(overlap=0.0)
    with pytest.raises(ValueError, match="threshold is 2"):
        view.with_settings(threshold=2)


def test_a_result_that_lacks_a_key_is_refused():
    with pytest.raises(ValueError, match="lacks times, events"):
        DetectionResult.of(
            recording(), {key: value for key, value in result().items() if key not in ("times", "events")}
        )


def test_steps_are_joined_by_their_maximum():
    values, edges = keep_maxima(np.array([[1.0, 5, 2, 3, 0, 4, 7]]), np.arange(8.0), 3)
    np.testing.assert_array_equal(values, [[5, 4, 7]])
    np.testing.assert_array_equal(edges, [0, 3, 6, 7])
    unchanged, _ = keep_maxima(np.arange(5.0), np.arange(6.0), 5)
    np.testing.assert_array_equal(unchanged, np.arange(5.0))


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [(0, 0, "0:00:00"), (59.96, 1, "0:01:00.0"), (3599.6, 0, "1:00:00"), (100_000.25, 2, "27:46:40.25")],
)
def test_clock(seconds, decimals, text):
    assert clock(seconds, decimals) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "0.25 s"), (60, "60 s"), (600, "10 min"), (86_400, "24 h")])
def test_length_in_words(seconds, text):
    assert length_in_words(seconds) == text


def test_reference_rows_of_the_channels_of_a_seizure_are_one_event():
    rows = [
        {"onset": 1.0, "duration": 3.0, "channels": ["A1"]},
        {"onset": 2.0, "duration": 4.0, "channels": ["A2", "A1"]},
        {"onset": 8.0, "duration": 1.0, "channels": ["A1"]},
    ]
    recording = open_recording(np.zeros((2, 1000)), 100.0, ["A1", "A2"])
    result = {
        "probabilities": np.zeros((2, 10)),
        "times": np.arange(10) + 0.5,
        "channel_names": ["A1", "A2"],
        "recording_probability": np.zeros(10),
        "events": [],
    }
    found = DetectionResult.of(recording, result, rows).reference
    assert [(event.onset, event.offset, event.channels) for event in found] == [
        (1.0, 6.0, ("A1", "A2")),
        (8.0, 9.0, ("A1",)),
    ]


def test_seizures_of_a_recording_are_reference_events():
    seizures = [(1.0, 4.0, ["A1"]), (2.0, 6.0, ["A2"])]
    opened = open_recording(np.zeros((2, 800)), 100, ["A1", "A2"], seizures=seizures, subject="01")
    (known,) = DetectionResult.of(opened, result(), opened.seizures).reference
    assert (known.onset, known.offset, known.channels) == (1.0, 6.0, ("A1", "A2"))
    score = score_events(opened.seizures, result()["events"], opened.duration)
    assert (score["sample"].tp, score["sample"].fp, score["sample"].ref_true) == (
        2,
        2,
        5,
    )  # 4 to 6 s, 6 to 8 s


def test_a_result_of_another_recording_is_refused():
    view = DetectionResult.of(recording(), result())
    for other in (view, view.to_dict()):
        with pytest.raises(ValueError, match="is of a recording of 8 s, and array lasts 9 s"):
            DetectionResult.of(recording(9.0), other)
