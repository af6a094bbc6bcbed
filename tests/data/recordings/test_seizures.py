import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

from brant_hf.data import open_recording
from brant_hf.data.recordings.seizures import seizures_of_part, settle_seizures
from brant_hf.events.remarks import StatedSeizures

NAN = float("nan")


def opened(*seizures, channels=("A1", "A2", "EKG"), seconds=10, **kwargs):
    signal = np.ones((len(channels), 100 * seconds))
    return open_recording(signal, 100.0, list(channels), seizures, **kwargs)


def seizures_of(*seizures, **kwargs):
    return opened(*seizures, **kwargs).seizures


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
def test_ten_seconds_of_a_seizure_without_offset_count_and_the_rest_is_uncertain(offset):
    with pytest.warns(UserWarning, match=r"seizure at 4\.00 s has no offset.*seizures=\[\(onset, offset\)"):
        recording = opened((4, offset), seconds=60)
    assert (recording.seizures, recording.uncertain) == ([(4.0, 14.0, None)], [(14.0, 60.0, None)])
    with pytest.warns(UserWarning, match="no offset"):
        recording = opened((4, offset), seconds=10)
    assert (recording.seizures, recording.uncertain) == ([(4.0, 10.0, None)], [])


@pytest.mark.parametrize(
    ("given", "seizures", "uncertain"),
    [
        # Up to the next onset or offset on its channels.
        ([(5, None), (40, 50)], [(5, 15, None), (40, 50, None)], [(15, 40, None)]),
        ([(5, None), (12, 50)], [(5, 12, None), (12, 50, None)], []),
        ([(5, None), (20, None)], [(5, 15, None), (20, 30, None)], [(15, 20, None), (30, 60, None)]),
        ([(5, 30), (18, None)], [(5, 30, None), (18, 28, None)], [(28, 30, None)]),
        ([(5, None, "A1"), (40, 50, "A2")], [(5, 15, ["A1"]), (40, 50, ["A2"])], [(15, 60, ["A1"])]),
        # Begun before the recording, nobody knows for how long.
        ([(-20, None), (40, 50)], [(40, 50, None)], [(0, 40, None)]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(no offset|cut to)")
def test_an_unknown_end_ends_with_what_is_known_next(given, seizures, uncertain):
    recording = opened(*given, seconds=60)
    assert (recording.seizures, recording.uncertain) == (seizures, uncertain)


def test_unknown_ends_are_told_once():
    with pytest.warns(UserWarning, match="no offset") as caught:
        opened((4, None), (30, None), seconds=60)
    (warning,) = [str(each.message) for each in caught if "no offset" in str(each.message)]
    assert "the seizures at 4.00 s, 30.00 s have no offset" in warning


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


TIMES = st.floats(-50, 150, allow_nan=False)


@given(st.lists(st.tuples(TIMES, st.one_of(st.none(), TIMES)), max_size=5))
def test_seizures_are_sorted_and_inside_the_recording_or_refused(given_seizures):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            seizures, uncertain = settle_seizures(StatedSeizures(given_seizures), 100.0, ["A1"], {}, "rec")
        except ValueError:
            assert any(
                onset >= 100 or (offset is not None and (offset <= 0 or offset <= onset))
                for onset, offset in given_seizures
            )
            return
    begun_before = [onset for onset, offset in given_seizures if offset is None and onset <= 0]
    assert len(given_seizures) - len(begun_before) <= len(seizures) <= len(given_seizures)
    assert seizures == sorted(seizures)
    assert all(0 <= onset < offset <= 100 for onset, offset, _ in [*seizures, *uncertain])


def test_a_seizure_on_a_contact_is_on_the_channel_whatever_stands_around_its_name(tmp_path):
    channels = ("EEG LA1-Ref", "EEG LA2-Ref", "EEG LB1-Ref")
    assert seizures_of((1, 2, ["LA1"]), channels=channels) == [(1.0, 2.0, ["EEG LA1-Ref"])]
    table = tmp_path / "t.tsv"
    table.write_text("onset\tduration\teventType\tchannels\n1\t2\tsz\tLA1-LA2\n")
    recording = open_recording(np.ones((3, 1000)), 100.0, list(channels), table)
    assert recording.seizures == [(1.0, 3.0, ["EEG LA1-Ref", "EEG LA2-Ref"])]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("la", ["POL LA1", "POL LA2"]),
        ("LA1 LB01", ["POL LA1", "POL LB1"]),
        ("LA2/LB", ["POL LA2", "POL LB1"]),
        ("['LA1', \"LA2\"]", ["POL LA1", "POL LA2"]),
        ("all", None),
        ("TERM", None),
    ],
)
def test_events_name_shafts_and_several_contacts(tmp_path, written, expected):
    (tmp_path / "t.tsv").write_text(f"onset\tduration\ttrial_type\tchannels\n1\t2\tsz\t{written}\n")
    recording = open_recording(np.ones((3, 1000)), 100.0, ["POL LA1", "POL LA2", "POL LB1"], tmp_path / "t.tsv")
    assert recording.seizures == [(1.0, 3.0, expected)]


@pytest.mark.parametrize("rows", ["50\t5\tseizure\n", "50\t5\tseizure\n60\t5\tseizure\n"])
def test_a_table_of_which_nothing_lies_inside_is_refused(tmp_path, rows):
    (tmp_path / "t.tsv").write_text("onset\tduration\ttrial_type\n" + rows)
    with pytest.raises(ValueError, match="outside the recording, which lasts"):
        open_recording(np.ones((2, 1000)), 100.0, ["A1", "A2"], tmp_path / "t.tsv")


def test_an_impossible_row_does_not_lose_the_others(tmp_path):
    (tmp_path / "t.tsv").write_text("onset\tduration\ttrial_type\n2\t5\tseizure\n5000\t5\tseizure\n")
    with pytest.warns(UserWarning, match=r"of its 2 seizures, that at 5000\.00 s lies outside .* and is left out"):
        recording = open_recording(np.ones((2, 1000)), 100.0, ["A1", "A2"], tmp_path / "t.tsv")
    assert recording.seizures == [(2.0, 7.0, None)]


def test_doubtful_remarks_of_a_table_are_uncertain(tmp_path):
    (tmp_path / "t.tsv").write_text(
        "onset\tduration\ttrial_type\tchannels\n2\t3\tSeizure?\tA2\n6\t0\tpossible sz\tn/a\n8\t1\tseizure\tn/a\n"
    )
    with pytest.warns(UserWarning, match="'Seizure\\?' at 2.00 s, 'possible sz' at 6.00 s may be"):
        recording = open_recording(np.ones((2, 1000)), 100.0, ["A1", "A2"], tmp_path / "t.tsv")
    assert recording.seizures == [(8.0, 9.0, None)]
    assert recording.uncertain == [(2.0, 5.0, ["A2"]), (6.0, 8.0, None)]


def test_names_that_the_recording_does_not_have_are_told_once(tmp_path):
    (tmp_path / "t.tsv").write_text(
        "onset\tduration\ttrial_type\telectrodes\n1\t2\tsz\tA1,X1\n4\t2\tsz\tX1\n8\t1\tsz\tX2\n"
    )
    with pytest.warns(UserWarning, match="passed over") as caught:
        recording = open_recording(np.ones((2, 1000)), 100.0, ["A1", "A2"], tmp_path / "t.tsv")
    assert recording.seizures == [(1.0, 3.0, ["A1"]), (4.0, 6.0, None), (8.0, 9.0, None)]
    (warning,) = [str(each.message) for each in caught]
    assert "['X1', 'X2']" in warning
    assert "at 4.00 s, 8.00 s are taken to be on all channels" in warning


def test_seizures_of_a_part_of_a_recording():
    stated = StatedSeizures(
        [(5, 20, None), (30, None, None), (100, None, ["A1"]), (120, 160, None)], [(70, None, None), (95, 98, None)]
    )
    # From 60 to 110 s: the onset at 30 s has its ten seconds before it, and nobody knows when that seizure ends.
    assert seizures_of_part(stated, 60.0, 110.0) == StatedSeizures(
        [(40, None, ["A1"])], [(0, 50, None), (10, 50, None), (35, 38, None)]
    )
    assert seizures_of_part(stated, 10.0, 50.0) == StatedSeizures([(0, 10, None), (20, None, None)], [])


@pytest.mark.parametrize("seizures", [(1, 2), [("a", "b")], [(1,)], [{"onset": 1.0}]])
def test_what_is_no_list_of_seizures_is_refused(seizures):
    with pytest.raises(ValueError, match=r"a seizure has to be \(onset, offset\)|an event has no duration"):
        open_recording(np.ones((1, 1000)), 100.0, seizures=seizures)
