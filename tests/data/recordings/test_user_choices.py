"""What a user says of channels, units and the part to read."""

import datetime
import warnings

import edfio
import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.data.recordings.contacts import channels_named

pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")

SHAFTS = ["LA1", "LA2", "LA3", "EEG LB1-Ref", "LB2", "EKG1"]


@pytest.mark.parametrize(
    ("written", "expected", "unknown"),
    [
        ("LA2", ["LA2"], []),
        ("lb01", ["EEG LB1-Ref"], []),
        ("LA2-7", ["LA2", "LA3"], []),
        ("LB*, LA1", ["LA1", "EEG LB1-Ref", "LB2"], []),
        ("l?1", ["LA1", "EEG LB1-Ref"], []),
        ("LA1,LC1,LD*", ["LA1"], ["LC1", "LD*"]),
        (" ", [], [" "]),
    ],
)
def test_channels_are_asked_for_by_name_range_and_pattern(written, expected, unknown):
    assert channels_named(written, SHAFTS) == (expected, unknown)


def test_a_name_with_a_comma_is_one_name():
    assert channels_named("A,1", ["A,1", "A", "B"]) == (["A,1"], [])


@pytest.fixture
def recording(noise, tmp_path):
    """A1 ... A4, 20 s at 200 Hz, in microvolts."""
    signals = [
        edfio.EdfSignal(row.astype(float), 200, label=f"A{place + 1}", physical_dimension="uV")
        for place, row in enumerate(noise(4, 4000))
    ]
    edfio.Edf(signals, starttime=datetime.time(5, 6, 7)).write(tmp_path / "night.edf")
    return tmp_path / "night.edf"


def test_channels_and_bad_ones(recording):
    chosen = open_recording(recording, channels=["A1-3"], bad=["a02"])
    assert chosen.channel_names == ["A1", "A3"]
    assert chosen.excluded_channels == {"A2": "bad (given)", "A4": "not among the channels asked for"}
    typed = open_recording(recording, bad=["A2"], channel_types={"*": "ecog", "A3": "misc"})
    assert dict(zip(typed.channel_names, typed.channel_types, strict=True)) == {"A1": "ecog", "A4": "ecog"}


@pytest.mark.parametrize("argument", ["channels", "bad", "channel_types", "unit"])
def test_unknown_names_are_refused_with_those_there_are(recording, argument):
    given = {"A1": "mV", "Z*": "mV"} if argument == "unit" else {"A1": "seeg", "Z*": "seeg"}
    value = given if argument in ("channel_types", "unit") else list(given)
    with pytest.raises(ValueError, match=rf"night: {argument} names \['Z\*'\], .* it has \['A1', 'A2', 'A3', 'A4'\]"):
        open_recording(recording, **{argument: value})


def test_a_channel_that_is_asked_for_and_left_out_is_told(noise):
    with pytest.warns(UserWarning, match=r"asked for are left out: EKG1 \(ECG .*channel_types={\"EKG1\": \"seeg\"}"):
        found = open_recording(noise(3, 500), 100, ["A1", "A2", "EKG1"], seizures=[], channels=["A1", "EKG1"])
    assert found.channel_names == ["A1"]


def test_channels_asked_for_decide_the_rate(tmp_path, noise):
    signals = [
        edfio.EdfSignal(noise(1, rate * 4)[0].astype(float), rate, label=label, physical_dimension="uV")
        for label, rate in (("A1", 200), ("A2", 200), ("A3", 200), ("B1", 100), ("B2", 100))
    ]
    edfio.Edf(signals).write(tmp_path / "r.edf")
    assert open_recording(tmp_path / "r.edf", channels=["B*"]).sampling_rate == 100


def test_the_unit_of_the_numbers_in_the_file_and_a_gain(recording, tmp_path, noise):
    usual = open_recording(recording).read()
    # Stated are microvolts.
    for options, factor in (
        ({"unit": {"*": "mV"}}, 1e3),
        ({"unit": {"*": "uV"}, "gain": 0.5}, 0.5),
        ({"gain": -2.0}, -2.0),
        ({"unit": {"*": "nV"}, "gain": 1e3}, 1),
    ):
        found = open_recording(recording, **options)
        np.testing.assert_allclose(found.read(), usual * factor, rtol=1e-5)
        assert found.scales == pytest.approx([factor] * 4)
    for gain in (0.0, np.nan):
        with pytest.raises(ValueError, match="gain is"):
            open_recording(recording, gain=gain)


def test_numbers_of_a_file_that_a_library_gives_in_volts(tmp_path, noise):
    """FIF holds volts, and many write microvolts into it; EEGLAB holds microvolts."""
    import mne

    info = mne.create_info(["A1", "A2"], 100, "seeg")
    mne.io.RawArray(noise(2, 1000), info, verbose="error").save(tmp_path / "r_raw.fif", verbose="error")
    found = open_recording(tmp_path / "r_raw.fif", unit={"*": "uV"})
    np.testing.assert_allclose(found.read(), noise(2, 1000), rtol=1e-5)
    raw = mne.io.RawArray(noise(2, 1000) * 1e-6, info, verbose="error")
    mne.export.export_raw(tmp_path / "r.set", raw, verbose="error")
    found = open_recording(tmp_path / "r.set", unit={"*": "mV"})
    np.testing.assert_allclose(found.read(), 1e3 * noise(2, 1000), rtol=1e-4)


def test_a_part_has_times_of_its_own(recording):
    rows = [
        "onset\tduration\ttrial_type\tchannels",
        "2\t3\tsz\tA1",
        "9.5\t5\tsz\tn/a",
        "19\t1\tsz\tn/a",
        "11\t0\tcough\t",
    ]
    (recording.parent / "night_events.tsv").write_text("\n".join(rows))
    whole = open_recording(recording)
    part = open_recording(recording, start=4, stop=12.5)
    assert (part.offset, part.duration, part.file_duration) == (4, 8.5, 20)
    assert part.start_date == whole.start_date
    assert part.seizures == [(0, 1, ["A1"]), (5.5, 8.5, None)]
    assert [(event.onset, event.text) for event in part.events] == []  # those of the table are no events of the file
    assert part.seizures_from == "night_events.tsv"
    np.testing.assert_array_equal(part.read(1, 2), whole.read(5, 6))
    again = open_recording(part, start=6)
    assert (again.offset, again.seizures) == (10, [(0, 2.5, None)])
    with pytest.raises(ValueError, match=r"Samples .* asked of 'night', which has 1700 samples"):
        part.read(0, 8.6)


def test_a_part_keeps_gaps_and_remarks(tmp_path):
    signal = edfio.EdfSignal(np.sin(np.arange(2000)) * 50, 100, label="A1", physical_dimension="uV")
    remarks = [edfio.EdfAnnotation(3, None, "cough"), edfio.EdfAnnotation(12, 2, "sz")]
    edfio.Edf([signal], annotations=remarks).write(tmp_path / "r.edf")
    part = open_recording(tmp_path / "r.edf", start=11)
    assert [(event.onset, event.text) for event in part.events] == [(1, "sz")]
    assert part.seizures == [(1, 3, None)]
    assert part.seizures_from == "r.edf"
    part.gaps = [(0.0, 2.0), (4.0, 6.0)]
    assert open_recording(part, start=1, stop=5).gaps == [(0, 1), (3, 4)]


@pytest.mark.parametrize(
    ("start", "stop"), [(-1, 5), (5, 5), (6, 5), (20, None), (None, 21), (float("nan"), 5), (5, 5.001)]
)
def test_a_part_outside_is_refused(recording, start, stop):
    with pytest.raises(ValueError, match=r"night: (the part from|there is no sample)"):
        open_recording(recording, start=start, stop=stop)


def test_a_part_reads_nothing_when_it_is_opened(recording, monkeypatch):
    from brant_hf.data.recordings import part

    whole = open_recording(recording)
    monkeypatch.setattr(whole, "source", None)
    assert part.part_of(whole, 5, 6).num_samples == 200


def test_a_table_of_channels_beside_a_file(recording):
    table = recording.parent / "night_channels.tsv"
    table.write_text("name\ttype\tstatus\nA1\tECOG\tgood\nA3\tSEEG\tbad\n")
    with pytest.warns(UserWarning, match=r"night_channels.tsv has no row for 'A2', 'A4', so 2 channels are left out"):
        found = open_recording(recording)
    assert (found.channel_names, found.channel_types) == (["A1"], ["ecog"])
    table.write_text("name\ttype\nB1\tECOG\n")
    with pytest.warns(UserWarning, match="a table of channels beside it is passed over: .*none of its 4 channels"):
        assert open_recording(recording).num_channels == 4


def test_tables_that_are_not_read_are_told(recording, recwarn):
    folder = recording.parent
    for name in ("night_events.csv", "night-annotations.txt", "events.tsv", "night_events.tsv", "day_events.csv"):
        (folder / name).write_text("onset\tduration\ttrial_type\n")
    open_recording(recording)
    told = " ".join(str(each.message) for each in recwarn if "not read" in str(each.message))
    assert "night: night_events.csv, night-annotations.txt beside it are not read" in told
    assert f"events.tsv in {folder} does not say which recording" in " ".join(str(each.message) for each in recwarn)
    assert "day_events" not in told


TUSZ = "# version = csv_v1.0.0\n#\nchannel,start_time,stop_time,label,confidence\n{}\n"


@pytest.mark.parametrize(
    ("tables", "seizures", "told_by"),
    [
        ({"night.csv_bi": TUSZ.format("TERM,2.0,5.0,seiz,1")}, [(2.0, 5.0, None)], "night.csv_bi"),
        ({"night.csv": TUSZ.format("A1-A2,2.0,5.0,fnsz,1")}, [(2.0, 5.0, ["A1", "A2"])], "night.csv"),
        ({"night.tse_bi": "version = tse_v1.0.0\n\n2.0 5.0 seiz 1.0\n"}, [(2.0, 5.0, None)], "night.tse_bi"),
        ({"night_seizures.csv": "start;end;type\n2,0;5,0;sz"}, [(2.0, 5.0, None)], "night_seizures.csv"),
        # What is named as agreed goes first, and the values of an exported recording are no events.
        (
            {
                "night_events.tsv": "onset\tduration\ttrial_type\n1\t1\tsz\n",
                "night.csv": TUSZ.format("TERM,2,5,seiz,1"),
            },
            [(1.0, 2.0, None)],
            "night_events.tsv",
        ),
        ({"night.csv": "time,A1,A2\n0,1,2\n"}, [], ""),
    ],
)
def test_a_table_of_events_beside_a_file_is_known_by_its_columns(recording, tables, seizures, told_by):
    for name, text in tables.items():
        (recording.parent / name).write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = open_recording(recording)
    assert (found.seizures, found.seizures_from) == (seizures, told_by)
    told = " ".join(str(each.message) for each in caught if "not read" in str(each.message))
    assert ("night.csv beside it is not read" in told) == ("night.csv" in tables and told_by != "night.csv")


def test_a_table_that_looks_like_events_and_cannot_be_read_is_passed_over(recording):
    (recording.parent / "night.csv").write_text("start,end,label\n10:00:02,10:00:05,seizure\n")
    with pytest.warns(UserWarning, match="night.edf: a table of events beside it is passed over: .*'10:00:02' in the"):
        assert open_recording(recording).seizures == []


def test_a_list_of_seizures_that_names_the_recording_is_told(recording):
    (recording.parent / "p1-summary.txt").write_text("File Name: Night.edf\nSeizure Start Time: 2 seconds\n")
    (recording.parent / "p2-summary.txt").write_text("File Name: other.edf\n")
    (recording.parent / "night.edf.seizures").write_bytes(b"x")
    with pytest.warns(UserWarning, match=r"night.edf.seizures, p1-summary.txt beside it are not read"):
        open_recording(recording)


def test_a_text_named_after_the_recording_that_speaks_of_seizures_is_told(recording):
    beside = {
        "night_a1.tsv": "# Annotators: Neurologist\n# Seizure Type: FIAS\n\n2\t5\tFIAS\n",
        "night_signals.csv": "time,A1,A2\n0,1,2\n",
        "night2_a1.tsv": "# Seizure Type: FIAS\n2\t5\tFIAS\n",
        "night_a1.py": "# Seizure Type\n",
    }
    for name, text in beside.items():
        (recording.parent / name).write_text(text)
    with pytest.warns(
        UserWarning, match=r"night: night_a1.tsv beside it is not read; what is read is night_events.tsv"
    ):
        assert open_recording(recording).seizures == []


def test_a_type_that_does_not_exist_leaves_no_channel_out(recording):
    with pytest.raises(ValueError, match=r"channel_types gives 'sseg'; expected one of seeg, ecog, dbs, eeg, misc"):
        open_recording(recording, channel_types={"A1": "sseg"})
    assert open_recording(recording, channel_types={"A1": "EOG"}).channel_names == ["A2", "A3", "A4"]


def test_a_rate_and_times_are_numbers(noise):
    with pytest.raises(ValueError, match=r"positive number of Hz, got '250'"):
        open_recording(noise(2, 500), "250")
    with pytest.raises(ValueError, match=r"start is '0:01' and stop None; they are numbers of seconds"):
        open_recording(noise(2, 500), 250.0, start="0:01")
    assert open_recording(noise(2, 500), np.float32(250)).sampling_rate == 250
    with pytest.raises(ValueError, match="gain is '5'; it must be a number other than 0"):
        open_recording(noise(2, 500), 250.0, gain="5")


def test_one_name_of_a_channel_needs_no_list(recording):
    assert open_recording(recording, channels="A2").channel_names == ["A2"]
    assert open_recording(recording, bad="A1-3").channel_names == ["A4"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": 5}, "unit is 5; expected one such as 'mV', or a dictionary"),
        ({"unit": {"A1": 5}}, r"unit is \{'A1': 5\}; expected"),
        ({"channels": 1}, "channels is 1; expected a name, a pattern"),
        ({"bad": [None]}, r"bad is \[None\]; expected a name"),
        ({"channel_types": ["seeg"]}, r"channel_types is \['seeg'\]; expected a dictionary"),
        ({"channel_names": 4}, "channel_names is 4; expected a list"),
        ({"channel_names": "LA"}, "channel_names is 'LA'; expected a list"),
        ({"event_types": ["sz"]}, r"event_types is \['sz'\]; expected a dictionary"),
        ({"event_types": {"sz": "begin"}}, r"event_types\['sz'\] is 'begin'; expected one of 'seizure', 'onset'"),
        ({"seizures": 3}, r"a seizure has to be \(onset, offset\) .*got 3; several are a list"),
        ({"seizures": [(1, 2, 3)]}, r"a seizure has to be .*got \(1, 2, 3\)"),
    ],
)
def test_arguments_of_a_kind_that_does_not_fit(recording, options, message):
    with pytest.raises(ValueError, match=message):
        open_recording(recording, **options)
