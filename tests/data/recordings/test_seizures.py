import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

from brant_hf.data import open_recording
from brant_hf.data.recordings.seizures import check_seizures
from brant_hf.events.vocabulary import EventRow, meaning_of, seizures_from_events

NAN = float("nan")


def seizures_of(*seizures, channels=("A1", "A2", "EKG"), **kwargs):
    signal = np.ones((len(channels), 1000))
    return open_recording(signal, 100.0, list(channels), seizures, **kwargs).seizures


def test_seizure_past_the_end_is_cut_with_a_warning():
    with pytest.warns(UserWarning, match="cut to the recording"):
        assert seizures_of((8, 12)) == [(8.0, 10.0, None)]
    with pytest.warns(UserWarning, match="cut to the recording"):
        assert seizures_of((-2, 3)) == [(0.0, 3.0, None)]


@pytest.mark.parametrize("seizure", [(10, 12), (11, 12), (-3, -1), (-3, 0)])
def test_seizure_outside_is_refused(seizure):
    with pytest.raises(ValueError, match=r"outside the recording, which lasts 10.00 s"):
        seizures_of(seizure)


@pytest.mark.parametrize("seizure", [(5, 5), (6, 5)])
def test_seizure_that_ends_before_it_begins_is_refused(seizure):
    with pytest.raises(ValueError, match="begin before it ends"):
        seizures_of(seizure)


@pytest.mark.parametrize("offset", [None, NAN])
def test_seizure_without_offset_lasts_to_the_end(offset):
    with pytest.warns(UserWarning, match="no offset"):
        assert seizures_of((4, offset)) == [(4.0, 10.0, None)]


@pytest.mark.parametrize("seizure", [(1,), (1, 2, ["A1"], 3), "ab", (NAN, 2)])
def test_what_is_no_seizure(seizure):
    with pytest.raises(ValueError, match="seizure"):
        seizures_of(seizure)


def test_seizure_channels():
    assert seizures_of((1, 2, ["a2", "A1", "A2"])) == [(1.0, 2.0, ["A2", "A1"])]
    assert seizures_of((1, 2, "A1")) == [(1.0, 2.0, ["A1"])]
    with pytest.raises(ValueError, match=r"\['B7'\] are not in the recording"):
        seizures_of((1, 2, ["A1", "B7"]))


def test_seizure_on_left_out_channels_only_is_dropped_with_a_warning():
    assert seizures_of((1, 2, ["A1", "EKG"]), channel_types={"EKG": "ecg"}) == [(1.0, 2.0, ["A1"])]
    with pytest.warns(UserWarning, match="left-out channels only"):
        assert seizures_of((1, 2, ["EKG"]), channel_types={"EKG": "ecg"}) == []


# Texts of the events of OpenNeuro ds003029, and of SzCORE and HED-SCORE files.
VOCABULARY = {
    "seizure": (
        "SZ EVENT # (PB SZ)|SZ EVENT #(PB SZ)|SZ EVENT # (EEG SZ)|Seizure|sz|sz_foc_ia|sz_gen_nm|ictal|EEG sz"
        "|Epileptic-seizure|Focal-onset-epileptic-seizure|focal to bilateral tonic-clonic seizure"
    ),
    "onset": (
        "onset|Onset|sz onset|eeg sz start|Marker: sz on|EEG onset|Z ELECTROGRAPHIC ONS|Z ELELCTROGRAPHIC ON|UEO"
        "|clinical onset|AD1-3 onset|onset TT3|SEIZURE #17 ONSET|sz #12 onset"
    ),
    "offset": (
        "offset|sz offset|sz end|eeg sz end|Marker: sz off|definite off|Z ELECTROGRAPHIC END|Z SEIZURE OVER"
        "|Z DEVOLUTION|Z OVER|Z STOPPING"
    ),
    None: (
        "bckg|n/a||start|end|stimulus onset|recording start|ripple_A1-2|interictal|post-ictal|preictal|no seizure"
        "|seizure onset zone|non-ictal|patient feels a seizure coming|seizure-free"
    ),
}


@pytest.mark.parametrize(
    ("text", "meaning"), [(text, meaning) for meaning, texts in VOCABULARY.items() for text in texts.split("|")]
)
def test_vocabulary(text, meaning):
    assert meaning_of(text) == meaning


def test_own_words_go_before_the_known_ones():
    own = {"krampf*": "seizure", "Start": "onset", "sz": "ignore"}
    assert meaning_of("Krampfanfall links", own) == "seizure"
    assert meaning_of(" start ", own) == "onset"
    assert meaning_of("sz", own) == "ignore"
    assert meaning_of("sz onset", own) == "onset"
    with pytest.raises(ValueError, match=r"'begin'; expected one of 'seizure', 'onset', 'offset', 'ignore'"):
        meaning_of("x", {"start": "begin"})


def test_markers_are_put_together():
    events = [
        EventRow(50, 0, "offset"),
        EventRow(10, NAN, "eeg onset"),
        EventRow(14, NAN, "clinical onset"),
        EventRow(100, 0, "sz onset"),
        EventRow(130, 0, "sz end"),
        EventRow(200, 30, "sz_foc_ia", ["A1"]),
        EventRow(205, 0, "onset"),
        EventRow(300, 0, "bckg"),
    ]
    assert seizures_from_events(events, "rec") == [(10, 50, None), (100, 130, None), (200, 230, ["A1"])]


def test_onset_event_with_a_duration_ends_at_the_offset_marker_or_by_its_duration():
    assert seizures_from_events([EventRow(10, 20, "sz onset"), EventRow(50, 0, "offset")], "rec") == [(10, 50, None)]
    assert seizures_from_events([EventRow(10, 20, "sz onset")], "rec") == [(10, 30, None)]


def test_onset_without_offset_and_offset_without_onset():
    assert seizures_from_events([EventRow(10, 0, "onset")], "rec") == [(10, None, None)]
    with pytest.warns(UserWarning, match="has no onset"):
        assert seizures_from_events([EventRow(10, 0, "offset")], "rec") == []


def test_an_unknown_text_about_seizures_is_reported():
    with pytest.warns(UserWarning, match=r"event_types=\{'SEIZURE-LIKE RUN OF WAVES': 'seizure'\}"):
        assert seizures_from_events([EventRow(10, 5, "SEIZURE-LIKE RUN OF WAVES")], "rec") == []


TIMES = st.floats(-50, 150, allow_nan=False)


@given(st.lists(st.tuples(TIMES, st.one_of(st.none(), TIMES)), max_size=5))
def test_seizures_are_sorted_and_inside_the_recording_or_refused(given_seizures):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            seizures = check_seizures(given_seizures, 100.0, ["A1"], {}, "rec")
        except ValueError:
            assert any(
                onset >= 100 or (offset is not None and (offset <= 0 or offset <= onset))
                for onset, offset in given_seizures
            )
            return
    assert len(seizures) == len(given_seizures)
    assert seizures == sorted(seizures)
    assert all(0 <= onset < offset <= 100 for onset, offset, _ in seizures)


def events(*rows):

    return [EventRow(onset, duration, text, channels) for onset, duration, text, channels in rows]


def test_an_onset_with_a_duration_does_not_swallow_the_next_seizure():
    rows = events((100, 30, "seizure onset", None), (400, 20, "seizure onset", None))
    assert seizures_from_events(rows, "r") == [(100, 130, None), (400, 420, None)]


def test_a_second_onset_without_an_offset_between_gives_a_warning():
    rows = events((100, 0, "seizure onset", None), (400, 0, "seizure onset", None), (430, 0, "seizure offset", None))
    with pytest.warns(UserWarning, match=r"begins at 100\.00 s has no offset before the onset at 400\.00 s"):
        assert seizures_from_events(rows, "r") == [(100, 400, None), (400, 430, None)]


def test_onsets_on_several_contacts_are_one_seizure():
    rows = events((10, 0, "sz onset", ["A1"]), (12, 0, "sz onset", ["B1"]), (40, 0, "sz offset", None))
    assert seizures_from_events(rows, "r") == [(10, 40, ["A1", "B1"])]


def test_onset_and_offset_written_with_underscores():
    rows = events((100, 0, "sz_onset", None), (150, 0, "sz_offset", None))
    assert seizures_from_events(rows, "r") == [(100, 150, None)]


def test_a_seizure_on_a_contact_is_on_the_channel_whatever_stands_around_its_name(tmp_path):
    channels = ("EEG LA1-Ref", "EEG LA2-Ref", "EEG LB1-Ref")
    assert seizures_of((1, 2, ["LA1"]), channels=channels) == [(1.0, 2.0, ["EEG LA1-Ref"])]
    table = tmp_path / "t.tsv"
    table.write_text("onset\tduration\teventType\tchannels\n1\t2\tsz\tLA1-LA2\n")
    recording = open_recording(np.ones((3, 1000)), 100.0, list(channels), table)
    assert recording.seizures == [(1.0, 3.0, ["EEG LA1-Ref", "EEG LA2-Ref"])]
