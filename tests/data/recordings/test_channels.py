import pytest

from brant_hf.data.recordings.channels import select_channels


def chosen(names, types="eeg", bad=(), channel_types=None):
    types = [types] * len(names) if isinstance(types, str) else types
    return select_channels(names, types, dict.fromkeys(bad, "bad"), "rec", channel_types)


NOT_NEURAL_TEXT = (
    "EKG|ECG1|EKG1-REF|POL EKG2|ECG L|EMG chin|EOG-L|LOC|ROC|HEOG|Resp|SpO2|DC1|POL DC09|DC-01|$DC3|TRIG|"
    "Trigger Event|STI 014|Status|Event|EDF Annotations|MOV_RIGHT|AccX|MISC1|REF|GND|Blank1|POL E|POL|$LAF9|"
    "Photic|PULSE|ETCO2|Mic"
)
CONTACTS_TEXT = (
    "A'1|LAH2|POL B10|EEG LA1-Ref|LOC3|ACC2|TEMP5|C3|F8|O1|T4|E1|G64|ECOG_RIGHT_0|LFP_LEFT_1|HR2|LAMY1-LAMY2|PR3|DA12"
)
NOT_NEURAL, CONTACTS = NOT_NEURAL_TEXT.split("|"), CONTACTS_TEXT.split("|")


def test_names_tell_in_files_that_type_everything_as_eeg():
    with pytest.warns(UserWarning, match="typed EEG"):
        table = chosen(CONTACTS + NOT_NEURAL)
    assert table.names == CONTACTS
    assert table.indices == list(range(len(CONTACTS)))
    assert set(table.excluded) == set(NOT_NEURAL)
    assert table.excluded["POL EKG2"] == "ECG (by its name)"


def test_stated_types_go_before_names():
    table = chosen(["EKG1", "A1", "A2", "B1"], ["seeg", "ecog", "misc", "dbs"])
    assert (table.names, table.types) == (["EKG1", "A1", "B1"], ["seeg", "ecog", "dbs"])
    assert table.excluded == {"A2": "misc channel"}


def test_bad_channels_are_left_out_with_the_reason():
    table = chosen(["A1", "A2"], "seeg", bad=["A2"])
    assert table.names == ["A1"]
    assert table.excluded == {"A2": "bad"}


def test_the_user_knows_best():
    table = chosen(
        ["A1", "EKG", "A2", "A3"], "seeg", bad=["A2"], channel_types={"EKG": "ecg", "A2": "SEEG", "A3": "misc"}
    )
    assert table.names == ["A1", "A2"]
    assert table.excluded == {"EKG": "ecg channel", "A3": "misc channel"}
    with pytest.raises(ValueError, match=r"channel_types names \['B1'\]"):
        chosen(["A1"], "seeg", channel_types={"B1": "seeg"})


def test_scalp_channels_typed_so_are_left_out_of_an_intracranial_recording():
    table = chosen(["Fz", "A1"], ["eeg", "seeg"])
    assert table.names == ["A1"]
    assert table.excluded == {"Fz": "scalp EEG in an intracranial recording"}
    with pytest.warns(UserWarning, match="typed EEG"):
        assert chosen(["Fz", "A1"], ["eeg", "seeg"], channel_types={"Fz": "eeg"}).names == ["Fz", "A1"]


@pytest.mark.filterwarnings("ignore:rec.*typed EEG")
def test_scalp_names_are_left_out_only_where_the_file_surely_has_scalp_channels():
    scalp = ["Fp1", "Fz", "Cz", "C3", "C4", "O1", "O2"]
    depth = ["LA1", "LA2", "P1", "P2", "P3", "P4", "P5"]
    table = chosen([*scalp, *depth])
    assert table.names == depth
    # Without Fz or Fp1, C3 and O1 may be contacts.
    assert chosen(["C3", "C4", "O1", "LA1"]).names == ["C3", "C4", "O1", "LA1"]
    # A shaft P has more contacts than the scalp has places.
    assert chosen(["Fz", "P1", "P2", "P3", "P4"]).names == ["P1", "P2", "P3", "P4"]


def test_a_scalp_recording_is_read_with_a_warning():
    with pytest.warns(UserWarning, match="typed EEG"):
        assert chosen(["Fp1", "Fz", "Cz"]).names == ["Fp1", "Fz", "Cz"]


def test_no_channel_left_lists_what_there_is():
    with pytest.raises(
        ValueError, match=r"no intracranial channel.*EKG \(ECG \(by its name\)\), A1 \(bad\).*channel_types"
    ):
        chosen(["EKG", "A1"], bad=["A1"])
