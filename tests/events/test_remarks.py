import warnings

import pytest

from brant_hf.events.remarks import StatedSeizures, seizures_from_events
from brant_hf.events.vocabulary import EventRow

NAN = float("nan")


def rows(*events):
    return [EventRow(*event) for event in events]


def found(*events, **options):
    return seizures_from_events(rows(*events), "rec", **options).seizures


def test_markers_are_put_together():
    assert found(
        (50, 0, "offset"),
        (10, NAN, "eeg onset"),
        (14, NAN, "clinical onset"),
        (100, 0, "sz onset"),
        (130, 0, "sz end"),
        (200, 30, "sz_foc_ia", ["A1"]),
        (205, 0, "onset", ["A1"]),
        (300, 0, "bckg"),
    ) == [(10, 50, None), (100, 130, None), (200, 230, ["A1"])]


def test_onset_event_with_a_duration_ends_at_the_offset_marker_or_by_its_duration():
    assert found((10, 20, "sz onset"), (50, 0, "offset")) == [(10, 50, None)]
    assert found((10, 20, "sz onset")) == [(10, 30, None)]


def test_an_onset_with_a_duration_does_not_swallow_the_next_seizure():
    assert found((100, 30, "seizure onset"), (400, 20, "seizure onset")) == [(100, 130, None), (400, 420, None)]


def test_an_onset_without_an_offset_does_not_last_to_the_next_one():
    assert found((100, 0, "sz onset"), (400, 0, "sz onset"), (430, 0, "sz offset")) == [
        (100, None, None),
        (400, 430, None),
    ]


def test_a_clinical_onset_minutes_after_the_electrographic_one_is_of_the_same_seizure():
    assert found((100, 0, "EEG onset"), (210, 0, "Clinical onset"), (260, 0, "sz end")) == [(100, 260, None)]
    assert found((100, 0, "Sz onset"), (190, 0, "Clin. onset")) == [(100, None, None)]
    # The earliest electrographic change (EEC) is of the seizure that follows.
    assert len(found((100, 0, "UEO"), (210, 0, "EEC"))) == 2
    # The end between them, a clinical onset before, or too long a time makes two.
    assert len(found((100, 0, "EEG onset"), (150, 0, "sz end"), (210, 0, "clinical onset"))) == 2
    assert len(found((100, 0, "clinical onset"), (210, 0, "clinical onset"))) == 2
    assert len(found((100, 0, "EEG onset"), (410, 0, "clinical onset"))) == 2
    assert len(found((100, 0, "sz onset"), (210, 0, "subclinical seizure onset"))) == 2


@pytest.mark.parametrize("text", ["Seizure", "seizure onset"])
def test_a_marker_of_one_sample_has_no_duration(text):
    # As BrainVision and EEGLAB write markers.
    assert found((10, 0.004, text)) == [(10, None, None)]
    assert found((10, 0.004, text), (40, 0.004, "seizure end")) == [(10, 40, None)]
    assert found((10, 0.05, "seizure"), marker_s=1e-6) == [(10, 10.05, None)]


def test_what_is_said_twice_is_one_seizure():
    twice = [(10, 20, "seizure", ["A1"]), (10, 20, "sz", ["A1"])]
    assert found(*twice, (10, 20, "seizure", ["B1"])) == [(10, 30, ["A1"]), (10, 30, ["B1"])]


def test_onsets_on_several_contacts_are_one_seizure():
    assert found((10, 0, "sz onset", ["A1"]), (12, 0, "sz onset", ["B1"]), (40, 0, "sz offset")) == [
        (10, 40, ["A1", "B1"])
    ]


def test_a_marker_on_other_channels_than_the_seizure_around_it_stays():
    assert found((10, 20, "seizure", ["A1"]), (15, 0, "seizure", ["B1"])) == [(10, 30, ["A1"]), (15, None, ["B1"])]


@pytest.mark.parametrize(
    ("events", "uncertain"),
    [
        # Back to the beginning of the recording, or to the seizure before.
        ([(40, 0, "sz end")], [(0.0, 40, None)]),
        ([(10, 5, "seizure"), (40, 0, "sz end")], [(15, 40, None)]),
    ],
)
def test_what_precedes_an_offset_without_an_onset_is_uncertain(events, uncertain):
    with pytest.warns(UserWarning, match=r"'sz end' at 40\.00 s has no onset.*seizures="):
        assert seizures_from_events(rows(*events), "rec").uncertain == uncertain


@pytest.mark.parametrize("text", ["OVER", "off on left", "ended", "Ende", "it's over", "Stopped LA 1-3"])
def test_a_bare_word_for_an_end_after_an_onset_is_told(text):
    events = rows((10, 0, "sz onset"), (40, 0, text))
    with pytest.warns(
        UserWarning, match=rf"""['"]{text}['"] at 40\.00 s may tell the end.*event_types=\{{.*: 'offset'\}}"""
    ):
        assert seizures_from_events(events, "rec").seizures == [(10, None, None)]
    assert seizures_from_events(events, "rec", {text: "offset"}).seizures == [(10, 40, None)]


@pytest.mark.parametrize(
    "events",
    [
        [(10, 0, "sz onset"), (40, 0, "end of recording"), (50, 0, "stim off")],
        [(10, 0, "sz onset"), (40, 0, "off"), (50, 0, "sz end")],
        [(10, 20, "seizure"), (40, 0, "OVER")],
        [(5, 0, "OVER"), (10, 0, "sz onset")],
    ],
)
def test_what_is_no_end_of_a_seizure_without_one_is_not_told(events):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seizures_from_events(rows(*events), "rec")


@pytest.mark.parametrize("time", [12, 15, 15.5])
def test_an_offset_marker_at_the_end_of_a_seizure_adds_nothing(time):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stated = seizures_from_events(rows((10, 5, "seizure"), (time, 0, "sz end")), "rec")
    assert stated == StatedSeizures([(10, 15, None)])


@pytest.mark.parametrize(
    ("events", "uncertain"),
    [
        ([(10, 5, "Seizure?")], [(10, 15, None)]),
        ([(10, 0, "Seizure?", ["A1"])], [(10, None, ["A1"])]),
        ([(10, 0, "possible sz"), (30, 0, "sz end")], [(10, 30, None)]),
    ],
)
def test_a_doubtful_remark_is_uncertain_and_told(events, uncertain):
    with pytest.warns(UserWarning, match=r"at 10\.00 s may be a seizure or not.*event_types=\{'.*': 'seizure'\}"):
        assert seizures_from_events(rows(*events), "rec") == StatedSeizures([], uncertain)


def test_unknown_remarks_about_seizures_are_told_in_one_warning():
    remarks = rows((10, 5, "Seizure precautions\nreviewed"), (20, 0, "panic attack"), (30, 5, "panic attack"))
    with pytest.warns(UserWarning, match="not taken as a seizure") as caught:
        assert seizures_from_events(remarks, "rec") == StatedSeizures()
    (warning,) = [str(each.message) for each in caught]
    assert "'Seizure precautions reviewed' at 10.00 s, 'panic attack' at 20.00 s (and 1 times more)" in warning
    assert "event_types={'Seizure precautions reviewed': 'seizure', 'panic attack': 'seizure'}" in warning


def test_a_mapped_remark_is_not_told():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found((10, 5, "panic attack"), event_types={"panic*": "ignore"}) == []
        assert found((10, 5, "Seizure?"), event_types={"seizure?": "seizure"}) == [(10, 15, None)]


def test_a_remark_that_looks_back_on_a_seizure_begins_no_other():
    # As in OpenNeuro ds003029, sub-jh102, run 3.
    events = rows((59.8, 0, "SZ EVENT # (PB SZ)"), (179.8, 0, "Z SEIZURE OVER"), (180.8, 0, "Z 2 MINUTE SEIZURE"))
    with pytest.warns(UserWarning, match="'Z 2 MINUTE SEIZURE' at 180.80 s may be a seizure or not"):
        stated = seizures_from_events(events, "rec")
    assert stated == StatedSeizures([(59.8, 179.8, None)], [(180.8, None, None)])
