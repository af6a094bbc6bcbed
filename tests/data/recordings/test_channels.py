import dataclasses
import warnings

import numpy as np
import pytest

from brant_hf.data.recordings.channels import select_channels
from brant_hf.data.recordings.opening import recording_of_source
from brant_hf.data.recordings.source import Source


def source_of(names, types="eeg", bad=(), **fields):
    """A file of 10 s whose channel `i` holds noise of `10 (i + 1)` microvolts at its own rate."""
    rates = fields.get("rates") or [200.0] * len(names)

    def read(channels, start, stop):
        assert len({rates[channel] for channel in channels}) == 1
        signals = [
            10 * (channel + 1) * np.random.default_rng(channel).standard_normal(round(10 * rates[channel]))
            for channel in channels
        ]
        return np.array(signals)[:, start:stop]

    return Source(
        name="rec",
        subject="p",
        num_samples=round(10 * rates[0]),
        sampling_rate=rates[0],
        channel_count=len(names),
        read=read,
        unit=fields.pop("unit", "uV"),
        channel_names=list(names),
        channel_types=[types] * len(names) if isinstance(types, str) else types,
        bad_channels=dict.fromkeys(bad, "bad"),
        **{"types_stated": True, **fields},
    )


def chosen(names, types="eeg", bad=(), channel_types=None, **fields):
    return select_channels(source_of(names, types, bad, **fields), channel_types)


@pytest.mark.parametrize("nameless", ["", "POL"])
def test_channels_without_a_name_are_left_out_however_many_there_are(nameless):
    with pytest.warns(UserWarning, match="occur more than once"):
        recording = recording_of_source(source_of(["POL A1", "POL A2", *[nameless] * 4], types_stated=False))
    assert recording.channel_names == ["POL A1", "POL A2"]
    assert set(recording.excluded_channels.values()) == {"unused (by its name)"}


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


def test_stated_types_against_names_are_told():
    # As in OpenNeuro ds005670 and ds004100: every channel is stated to be sEEG.
    names = ["POL DC09", "POL EKG1", *[f"LA{number}" for number in range(1, 9)], "FZ", "C3", "SPO1", "SPO2", "SPO3"]
    with pytest.warns(UserWarning, match="their names say otherwise") as caught:
        assert chosen(names, "seeg").names == names
    (text,) = [str(each.message) for each in caught]
    assert "stated as SEEG and read" in text
    assert 'channel_types={"C3": "misc"}' in text
    told = ("C3 (scalp EEG (by", "FZ (scalp", "POL DC09 (direct current input (by", "POL EKG1 (ECG (by")
    assert all(each in text for each in told)
    assert "SPO" not in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen(["LA1", "LA2", "EKG1"], "seeg", channel_types={"EKG1": "seeg"})
        chosen(["LA1", "LA2", "EKG1"], "seeg", bad=["EKG1"])


def test_channels_whose_names_have_no_number_beside_contacts_are_told():
    names = [f"{shaft}{number}" for shaft in ("LA", "RH") for number in range(1, 7)]
    with pytest.warns(UserWarning, match="typed EEG"), pytest.warns(UserWarning, match="no number.*: SPR; .*misc"):
        assert "SPR" in chosen([*names, "SPR"], types_stated=False).names
    # Stated, or of the scalp: `Fz` is a place.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen([*names, "SPR"], "seeg")
        warnings.filterwarnings("ignore", "rec: a scalp recording")
        places = "Fp1|Fp2|F7|F3|Fz|F4|F8|T3|C3|Cz|C4|T4|T5|P3|Pz|P4|T6|O1|O2|Oz"
        chosen(places.split("|"), types_stated=False)


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


@pytest.mark.parametrize(("types", "stated"), [("eeg", True), ("seeg", False)])
def test_a_scalp_recording_is_read_whole_with_one_warning(types, stated):
    brain = ["EEG Fp1", "EEG Fz", "EEG Cz", "EEG F9", "EEG Fc1"]
    with pytest.warns(UserWarning, match="a scalp recording.*made for intracranial") as caught:
        table = chosen([*brain, "EKG EKG", "SPO2", "1", "2", "MK", "EMG chin"], types, types_stated=stated)
    assert table.names == brain
    assert len(caught) == 1


@pytest.mark.filterwarnings("ignore:rec.*typed EEG")
def test_contacts_stay_whatever_their_name_means_elsewhere():
    names = [f"{shaft}{number}" for shaft in ("CO", "SPO", "MIC") for number in (1, 2, 3, 4)]
    assert chosen([*names, "EKG1", "EKG2", "EKG3", "DC1", "DC2", "DC3"]).names == names
    assert "SPO2" in chosen(["LA1", "SPO2"]).excluded


@pytest.mark.parametrize("unit", ["mmHg", "%", "degC", "\N{DEGREE SIGN}C", "bpm", "L/min", "Boolean", "BPM", "1/min"])
def test_a_unit_that_is_no_voltage_tells_that_a_channel_is_no_brain(unit):
    table = chosen(["A1", "X1"], "seeg", unit=["uV", unit])
    assert table.excluded == {"X1": f"its unit is {unit!r}, which is no voltage"}


def test_only_a_stated_eeg_type_tells_the_scalp():
    table = chosen(["A1", "A2", "A3"], ["seeg", "eeg", "eeg"], types_stated=[True, True, False])
    assert table.excluded == {"A2": "scalp EEG in an intracranial recording"}


def test_no_channel_left_lists_what_there_is():
    with pytest.raises(
        ValueError, match=r"no intracranial channel.*EKG \(ECG \(by its name\)\), A1 \(bad\).*channel_types"
    ):
        chosen(["EKG", "A1"], bad=["A1"])


@pytest.mark.filterwarnings("ignore:rec.*typed EEG")
@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        # Most channels are slow, and none of these is of a brain.
        ({"LA1": 100, "LA2": 100, "Resp": 1, "SpO2": 1, "EKG": 1, "DC1": 1}, ["LA1", "LA2"]),
        # Trends with a name that tells nothing are slower than any EEG.
        ({"LA1": 100, "X1": 1, "X2": 1, "X3": 1}, ["LA1"]),
        ({"LA1": 1000, "LA2": 1000, "U1": 32000}, ["LA1", "LA2"]),
        ({"U1": 32000, "LA1": 1000}, ["U1"]),
        # Only slow channels: still those of most.
        ({"LA1": 10, "LA2": 10, "LA3": 20}, ["LA1", "LA2"]),
        ({"LA1": 499.9999999, "LA2": 500, "LA3": 500.0000001, "U1": 2000, "U2": 2000}, ["LA1", "LA2", "LA3"]),
    ],
)
def test_the_rate_of_most_neural_channels_is_read(rates, kept):
    table = chosen(list(rates), rates=[float(rate) for rate in rates.values()])
    assert table.names == kept
    assert table.sampling_rate == pytest.approx(rates[kept[0]])
    assert set(table.excluded) == rates.keys() - set(kept)


def test_a_channel_at_another_rate_is_left_out_with_both_rates_as_the_reason():
    table = chosen(["LA1", "LA2", "ICP"], "seeg", rates=[1000.0, 1000.0, 125.0])
    assert table.excluded == {"ICP": "sampled at 125 Hz; the recording is read at 1000 Hz"}


def test_contacts_at_another_rate_are_told(recwarn):
    with pytest.warns(
        UserWarning, match=r"read at 1000 Hz, without LB1, LB2, sampled at 200 Hz; pass sampling_rate=200 "
    ):
        chosen(["LA1", "LA2", "LA3", "LB1", "LB2", "EKG1"], rates=[1000.0] * 3 + [200.0] * 3)
    recwarn.clear()
    chosen(["LA1", "LA2", "EKG1", "HR1", "LB1"], rates=[1000.0, 1000.0, 200.0, 1.0, 1000.0])
    # The user has chosen.
    select_channels(source_of(["LA1", "LB1"], rates=[1000.0, 200.0]), sampling_rate=200.0)
    assert not [each for each in recwarn if "is read at" in str(each.message)]


def test_bad_channels_do_not_choose_the_rate():
    table = chosen(["A1", "A2", "A3", "B1"], "seeg", ["A1", "A2", "A3"], rates=[1000.0, 1000.0, 1000.0, 200.0])
    assert (table.names, table.sampling_rate) == (["B1"], 200.0)
    assert table.excluded["A1"] == "bad"


def test_the_user_chooses_the_rate_by_types_or_by_the_rate_itself():
    source = source_of(["A1", "A2", "U1"], "seeg", rates=[200.0, 200.0, 1000.0])
    for table in (
        select_channels(source, {"U1": "seeg"}),
        select_channels(source, {"A1": "misc", "A2": "misc"}),
        select_channels(source, sampling_rate=1000),
    ):
        assert (table.names, table.sampling_rate) == (["U1"], 1000.0)


def test_samples_are_those_of_the_rate_that_is_read():
    rates = [1.0, 200.0, 1000.0, 200.0]
    source = source_of(["Temp", "A1", "A1", "A2"], "seeg", rates=rates)
    with pytest.warns(UserWarning, match=r"\['A1'\] occur more than once"):
        recording = recording_of_source(source)
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (["A1-0", "A2"], 200.0, 10.0)
    np.testing.assert_allclose(recording.read(), source.read([1, 3], 0, 2000), rtol=1e-6)
    assert set(recording.excluded_channels) == {"Temp", "A1-1"}
    # A rate that no channel has corrects the one in the file.
    with pytest.warns(UserWarning, match="more than once"):
        assert recording_of_source(source, sampling_rate=250).duration == 8.0


def test_names_and_types_of_the_user_know_every_channel_of_the_file():
    source = source_of(["A1", "A2", "U1"], bad=["A2"], rates=[200.0, 200.0, 1000.0])
    with pytest.warns(UserWarning, match="typed EEG"):
        recording = recording_of_source(source, channel_names=["B1", "B2", "M1"], channel_types={"M1": "misc"})
    assert recording.channel_names == ["B1"]
    # Bad is the channel, whatever it is called.
    assert recording.excluded_channels == {"B2": "bad", "M1": "misc channel"}


def test_a_type_that_every_channel_of_a_format_has_does_not_go_before_the_name():
    table = chosen(["LA1", "EKG1", "SPO2", "DC1"], "seeg", types_stated=False)
    assert table.names == ["LA1"]
    assert table.excluded["EKG1"] == "ECG (by its name)"
    assert chosen(["LA1", "EKG1"], "seeg", types_stated=[False, True]).names == ["LA1", "EKG1"]


def test_channels_without_a_name_are_numbered():
    unnamed = dataclasses.replace(source_of(["x", "y"], "seeg"), channel_names=None, channel_types=None)
    assert recording_of_source(unnamed).channel_names == ["CH1", "CH2"]
