import numpy as np
import pytest

from brant_hf.events.event import SeizureEvent, merge_events, merge_stretches, runs


@pytest.mark.parametrize(
    "form",
    [
        {"onset": 2.0, "duration": 3.0, "channels": ["A1", "A2"], "confidence": 0.7},
        SeizureEvent(2.0, 3.0, ("A1", "A2"), 0.7),
    ],
)
def test_an_event_is_made_of_every_form(form):
    event = SeizureEvent.of(form)
    assert event == SeizureEvent(2.0, 3.0, ("A1", "A2"), 0.7)
    assert event.offset == 5.0
    assert event.to_dict() == {"onset": 2.0, "duration": 3.0, "confidence": 0.7, "channels": ["A1", "A2"]}


def test_an_event_is_made_of_a_seizure_of_a_recording():
    assert SeizureEvent.of((2.0, 5.0)) == SeizureEvent.of((2.0, 5.0, None)) == SeizureEvent(2.0, 3.0)
    assert SeizureEvent.of((2.0, 5.0, ["A1"])) == SeizureEvent(2.0, 3.0, ("A1",))


def test_what_is_not_stated_is_none():
    event = SeizureEvent.of({"onset": 1, "duration": 2, "channels": [], "confidence": float("nan")})
    assert (event.channels, event.confidence) == (None, None)
    assert event.to_dict() == {"onset": 1.0, "duration": 2.0, "confidence": None, "channels": []}
    assert SeizureEvent.of({"onset": 1, "duration": 2, "channels": "A1"}).channels == ("A1",)


@pytest.mark.parametrize("times", [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_impossible_events_are_refused(times):
    with pytest.raises(ValueError, match="expected a finite onset and a duration above 0"):
        SeizureEvent(*times)


def test_events_overlap_a_stretch_when_they_share_a_moment():
    event = SeizureEvent(10.0, 5.0)
    assert event.overlaps(14.9, 20.0)
    assert event.overlaps(0.0, 10.1)
    assert not event.overlaps(15.0, 20.0)
    assert not event.overlaps(0.0, 10.0)


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (0.0, [(0, 5), (6, 8), (9, 10)]),
        (0.5, [(0, 5), (6, 8), (9, 10)]),
        (1.0, [(0, 10)]),
        (-0.5, [(0, 2), (2, 5), (6, 8), (9, 10)]),
    ],
)
def test_stretches_are_united(gap, expected):
    assert merge_stretches([(9, 10), (2, 5), (0, 2), (3, 4), (6, 8)], gap) == expected


def test_a_stretch_inside_another_does_not_shorten_it():
    assert merge_stretches([(0, 10), (1, 2), (9, 12)]) == [(0, 12)]


def test_events_are_united_with_channels_and_confidence():
    events = [
        SeizureEvent(30.0, 5.0),
        SeizureEvent(4.0, 2.0, ("B1", "A1"), 0.9),
        SeizureEvent(0.0, 5.0, ("A1",), 0.4),
        SeizureEvent(35.5, 1.0, ("C1",)),
    ]
    assert merge_events(events) == [SeizureEvent(0.0, 6.0, ("A1", "B1"), 0.9), events[0], events[3]]


def test_runs_of_true_values():
    mask = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    assert runs(mask) == [(0, 2), (3, 4), (6, 7)]
    assert runs(~mask) == [(2, 3), (4, 6)]
    assert runs(np.zeros(3, bool)) == runs(np.zeros(0, bool)) == []
    assert runs(np.ones(3, bool)) == [(0, 3)]
