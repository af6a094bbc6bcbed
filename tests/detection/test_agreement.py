import math

import pytest

from brant_hf.detection import Match, compare_events
from brant_hf.detection.agreement import Agreement


def events(*stretches):
    return [{"onset": onset, "duration": offset - onset} for onset, offset in stretches]


def test_counts_and_errors_by_hand():
    # The first seizure is found in two parts, the second missed, the third found early; one event touches none, though
    # it is within the 60 s that SzCORE allows.
    reference = events((100, 160), (1000, 1050), (2000, 2030))
    detected = events((110, 130), (140, 150), (170, 180), (1990, 2040))
    scores, agreement = compare_events(reference, detected, 3600.0)
    assert agreement.matches == (
        Match(100, 160, 2, 10.0, -20.0),
        Match(1000, 1050, 0),
        Match(2000, 2030, 1, -10.0, 20.0),
    )
    assert (agreement.num_found, agreement.num_events, agreement.num_without_reference) == (2, 4, 1)
    assert agreement.marked == 90
    assert scores["event"].precision == 1.0
    assert list(agreement.notes()) == [
        "4 events count as 2 in the scores: SzCORE merges those nearer than 90 s and splits those longer than 5 min"
    ]


def test_an_event_as_long_as_the_recording_is_told():
    scores, agreement = compare_events(events((100, 160)), events((0, 300)), 300.0)
    assert scores["event"].f1 == 1.0
    assert list(agreement.notes()) == ["so much of the time is marked that finding a seizure means little"]
    # A seizure that does last so long is another matter.
    assert len(list(compare_events(events((0, 250)), events((0, 200)), 600.0)[1].notes())) == 0


def test_what_nobody_knows_is_no_event():
    _, agreement = compare_events(events((100, 160)), events((120, 260), (400, 420)), 600.0, [(160, 300, None)])
    assert (agreement.num_events, agreement.num_without_reference, agreement.marked) == (2, 1, 60)
    # 160 to 300 s are left out of the time as well as of what is marked.
    assert (agreement.uncertain, agreement.share_marked) == (140, 60 / 460)
    assert list(agreement.notes()) == [
        "140.00 s are not compared, of which nobody knows whether they are seizure; what was detected ends at their "
        "border here"
    ]
    nothing_known = compare_events([], events((0, 20)), 60.0, [(-5, 80, None)])[1]
    assert (nothing_known.uncertain, math.isnan(nothing_known.share_marked)) == (60, True)


def test_agreements_of_earlier_runs_are_read():
    agreement = compare_events(events((100, 160)), events((120, 150)), 600.0)[1]
    content = {name: value for name, value in agreement.to_dict().items() if name != "uncertain"}
    assert Agreement.from_dict(content) == agreement


def test_recordings_together():
    one = compare_events(events((100, 160)), events((110, 150)), 600.0)[1]
    two = compare_events([], events((10, 20)), 400.0)[1]
    both = one + two
    assert (both.num_found, both.num_events, both.num_without_reference, both.duration) == (1, 2, 1, 1000.0)
    assert both.to_dict()["matches"][0]["onset_error"] == pytest.approx(10.0)
