import json
import re
import shutil
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

ECOG = Path(__file__).parents[3] / "examples" / "data" / "py_neuromodulation_ecog"
VIRTUAL = ECOG.with_name("virtual_patient")
ECOG_FILE = (
    ECOG / "sub-testsub/ses-EphysMedOff/ieeg" / "sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"
)  # fmt: skip
STEM = "sub-01_ses-a_task-rest_run-01"


def write_tsv(path: Path, columns: str, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *rows]).replace(" ", "\t").replace("~", " ") + "\n")


@pytest.fixture
def bids(tmp_path, write_edf):
    """A BIDS dataset of one recording, 20 s at 200 Hz, channels A1 A2 A3 G1 ECG X. Gives its root and the path."""
    folder = tmp_path / "set" / "sub-01" / "ses-a" / "ieeg"
    path, signal = write_edf(
        ["A1", "A2", "A3", "G1", "ECG", "X"], name=f"{STEM}_ieeg.edf", folder=folder, patient="P5"
    )
    (tmp_path / "set" / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.8.0"}))
    write_tsv(
        folder / f"{STEM}_channels.tsv",
        "name type units status status_description",
        "A1 SEEG uV good n/a",
        "A2 SEEG uV bad broken~wire",
        "A3 SEEG uV n/a n/a",
        "G1 ECOG uV good n/a",
        "ECG ECG uV good n/a",
        "X EEG uV good n/a",
    )
    (folder / f"{STEM}_ieeg.json").write_text(json.dumps({"TaskName": "rest", "PowerLineFrequency": 60}))
    return path, signal


def test_channels_status_subject_and_mains_frequency(bids, recwarn):
    path, signal = bids
    recording = open_recording(path)
    assert (recording.subject, recording.name, recording.line_frequency) == ("sub-01", STEM, 60.0)
    assert (recording.channel_names, recording.channel_types) == (["A1", "A3", "G1"], ["seeg", "seeg", "ecog"])
    assert recording.excluded_channels == {
        "A2": "bad (broken wire)",
        "ECG": "ecg channel",
        "X": "scalp EEG in an intracranial recording",
    }
    np.testing.assert_allclose(recording.read(), signal[[0, 2, 3]], atol=0.1)
    assert not [w for w in recwarn.list if issubclass(w.category, UserWarning | RuntimeWarning)]


def test_free_vocabulary_of_clinical_sets(bids):
    path, _ = bids
    write_tsv(
        path.parent / f"{STEM}_events.tsv",
        "onset duration trial_type value sample",
        "1.0 n/a AD1-4,~ATT1,2 1 200",
        "2.0 n/a SZ~EVENT~#~(PB~SZ) 2 400",
        "2.5 n/a clinical~onset 3 500",
        "9.25 0 Z~ELECTROGRAPHIC~END 4 1850",
        "n/a n/a broken~row 4 n/a",
        "12.0 0 eeg~sz~start 5 2400",
        "15.0 0 eeg~sz~end 6 3000",
    )
    assert open_recording(path).seizures == [(2.0, 9.25, None), (12.0, 15.0, None)]
    assert open_recording(path, event_types={"SZ EVENT*": "ignore"}).seizures[0] == (2.5, 9.25, None)


def test_szcore_vocabulary_with_channels(bids):
    path, _ = bids
    write_tsv(
        path.parent / f"{STEM}_events.tsv",
        "onset duration eventType confidence channels dateTime recordingDuration",
        "3.00 4.50 sz_foc_ia n/a a1,A2,G1 n/a 20.00",
        "10.00 2.00 sz n/a n/a n/a 20.00",
        "14.00 1.00 bckg n/a n/a n/a 20.00",
    )
    # A2 is bad, so the seizure is on A1 and G1 of what is read.
    assert open_recording(path).seizures == [(3.0, 7.5, ["A1", "G1"]), (10.0, 12.0, None)]


def test_a_table_of_events_that_cannot_be_read_is_no_obstacle_where_seizures_are_given(bids):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", "onset duration trial_type", "10:00:03 2 seizure")
    with pytest.raises(ValueError, match=r"'10:00:03' in the column onset is not a number; .* or pass seizures="):
        open_recording(path)
    with pytest.warns(UserWarning, match="its table of events is passed over: .*'10:00:03'"):
        assert open_recording(path, seizures=[(3, 5)]).seizures == [(3.0, 5.0, None)]


@pytest.mark.parametrize("column", ["", " stim_file"])
def test_a_table_of_onsets_alone_is_no_obstacle_and_tells_nothing_of_seizures(bids, column):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", f"onset duration{column}", f"3 2{column}")
    with pytest.warns(UserWarning, match="whether there are seizures is not known: .* add a column trial_type"):
        recording = open_recording(path)
    assert (recording.seizures, recording.seizures_from) == ([], "")


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("onset~(s) duration~(s) trial_type", "3 2 seizure"),
        ("onset duration_s trial_type", "3 2 seizure"),
        ("onset dur trial_type", "3 2 seizure"),
        ("onset_ms duration_ms trial_type", "3000 2000 seizure"),
        ("onset_ms onset duration trial_type", "1 3 2 seizure"),
        ("onset duration sample trial_type", "3 2 600 seizure"),
    ],
)
def test_columns_named_with_their_unit(bids, columns, row):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", columns, row)
    assert open_recording(path).seizures == [(3.0, 5.0, None)]


def test_onsets_in_samples_are_refused(bids):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", "onset duration sample trial_type", "0 0 0 rest", "12 4 12 seizure")
    with pytest.raises(ValueError, match="its columns onset and sample are the same, so onset counts samples"):
        open_recording(path)


def test_a_column_that_is_not_read_and_speaks_of_seizures_is_told(bids):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", "onset duration trial_type code file", "3 2 n/a sz sz1.edf")
    with pytest.warns(UserWarning, match=r"its column 'code' speaks of seizures \('sz'\) and is not read"):
        open_recording(path)


def test_a_table_of_no_seizure_that_is_strange_is_told(bids):
    path, _ = bids
    table = path.parent / f"{STEM}_events.tsv"
    write_tsv(table, "onset duration trial_type", "3 2 0", "8 2 1")
    with pytest.warns(UserWarning, match=r"its events are codes .* \('0', '1'\); .* pass event_types="):
        open_recording(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*tells of no seizure")
        assert open_recording(path, event_types={"1": "seizure"}).seizures == [(8.0, 10.0, None)]
        write_tsv(table, "onset duration trial_type", "3 0 start", "8 0 end")
        open_recording(path)
        ictal = path.rename(path.with_name(path.name.replace("rest", "ictal")))
        write_tsv(
            path.parent / f"{ictal.stem.removesuffix('_ieeg')}_events.tsv", "onset duration trial_type", "0 9 bckg"
        )
        open_recording(ictal)
        write_tsv(
            path.parent / f"{ictal.stem.removesuffix('_ieeg')}_events.tsv", "onset duration trial_type", "3 0 start"
        )
    with pytest.warns(UserWarning, match=r"the name of the recording speaks of one \('start'\)"):
        open_recording(ictal)


@pytest.mark.parametrize(
    ("columns", "rows", "kept"),
    [
        ("name type status", ("A1 SEEG good", "A2 SEEG rejected", "A3 SEEG noisy", "G1 ECOG ok"), ["A1", "G1"]),
        ("name type bad", ("A1 SEEG 0", "A2 SEEG 1", "A3 SEEG n/a", "G1 ECOG no"), ["A1", "A3", "G1"]),
        ("name type good", ("A1 SEEG 0", "A2 SEEG 1", "A3 SEEG true", "G1 ECOG false"), ["A2", "A3"]),
    ],
)
def test_other_words_for_bad_channels(bids, columns, rows, kept):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_channels.tsv", columns, *rows)
    assert open_recording(path).channel_names == kept


def test_what_is_strange_in_a_table_of_channels_is_told(bids):
    path, _ = bids
    table = path.parent / f"{STEM}_channels.tsv"
    write_tsv(table, "name type status", "A1 SEEG 0", "A2 SEEG good", "A3 SDE good", "G1 ECOG good", "ECG ECG good")
    with pytest.warns(UserWarning, match="column 'status' of .* says 0, which is neither good nor bad"):
        assert open_recording(path).channel_names == ["A1", "A2", "G1"]
    with pytest.warns(UserWarning, match=r"types SDE, which BIDS .* left out \(A3\): pass channel_types="):
        open_recording(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"SamplingFrequency": 1000}, "says 1000 Hz, and the file 200 Hz, which is taken; pass sampling_rate=1000"),
        ({"RecordingDuration": 60}, r"says that it lasts 60 s, and the file holds 20.00 s; it may have been cut"),
        ({"SamplingFrequency": 200.4, "RecordingDuration": 20.5, "PowerLineFrequency": "60 Hz"}, None),
        ({"SamplingFrequency": "n/a", "RecordingDuration": "n/a", "PowerLineFrequency": 60}, None),
    ],
)
def test_a_description_of_another_file_is_told(bids, content, message):
    path, _ = bids
    (path.parent / f"{STEM}_ieeg.json").write_text(json.dumps(content))
    if message is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_recording(path).line_frequency == 60.0
    else:
        with pytest.warns(UserWarning, match=message):
            open_recording(path)


def test_codes_of_events_are_described_higher_up_too(bids):
    path, _ = bids
    write_tsv(path.parent / f"{STEM}_events.tsv", "onset duration value", "1 2 7", "4 3 8")
    described = {"value": {"Levels": {"7": "rest", "8": "rest"}}}
    (path.parents[3] / "task-rest_events.json").write_text(json.dumps(described))
    assert open_recording(path).seizures == []
    # What is nearer to the recording goes first.
    described["value"]["Levels"]["8"] = "seizure"
    (path.parent / f"{STEM}_events.json").write_text(json.dumps(described))
    assert open_recording(path).seizures == [(4.0, 7.0, None)]
    (path.parent / f"{STEM}_events.json").rename(path.parents[3] / "task-rest_events.json")
    assert open_recording(path).seizures == [(4.0, 7.0, None)]


def test_sidecars_higher_up_apply_and_those_of_other_runs_do_not(bids):
    path, _ = bids
    root = path.parents[3]
    (path.parent / f"{STEM}_ieeg.json").rename(root / "task-rest_ieeg.json")
    write_tsv(path.parent / f"{STEM.replace('run-01', 'run-02')}_events.tsv", "onset duration trial_type", "1 2 sz")
    recording = open_recording(path)
    assert recording.line_frequency == 60.0
    assert recording.seizures == []


def test_a_recording_without_run_does_not_take_the_events_of_one(tmp_path, write_edf):
    folder = tmp_path / "set" / "sub-01" / "ieeg"
    path, _ = write_edf(["A1"], name="sub-01_task-rest_ieeg.edf", folder=folder)
    (tmp_path / "set" / "dataset_description.json").write_text("{}")
    write_tsv(folder / "sub-01_task-rest_run-02_events.tsv", "onset duration trial_type", "1 2 sz")
    with pytest.warns(UserWarning, match="typed EEG"):
        assert open_recording(path).seizures == []


@pytest.mark.parametrize("stem", ["sub-03_task-rest", "sub-03_task-my-rest"])
def test_files_named_as_in_bids_outside_a_dataset(tmp_path, write_edf, stem):
    path, _ = write_edf(["A1"], name=f"{stem}_ieeg.edf", folder=tmp_path / "loose")
    write_tsv(path.parent / f"{stem}_events.tsv", "onset duration eventType", "1 2 sz")
    write_tsv(path.parent / f"{stem}_channels.tsv", "name type units", "A1 SEEG uV")
    recording = open_recording(path)
    assert (recording.subject, recording.seizures) == ("sub-03", [(1.0, 3.0, None)])


def test_units_of_the_table_fill_in_what_the_header_leaves_open(bids, write_edf):
    path, signal = bids
    write_edf(["A1", "A2", "A3", "G1", "ECG", "X"], name=path.name, folder=path.parent, unit="")
    np.testing.assert_allclose(open_recording(path).read(), signal[[0, 2, 3]], atol=0.1)


def test_units_of_the_header_go_before_those_of_the_table(bids):
    path, signal = bids
    table = path.parent / f"{STEM}_channels.tsv"
    table.write_text(table.read_text().replace("uV", "V"))
    np.testing.assert_allclose(open_recording(path).read(), signal[[0, 2, 3]], atol=0.1)


@pytest.mark.parametrize(
    "reason", ["seizure onset zone", "spiking", "spikes", "soz", "resect,soz", "on epileptic tissue"]
)
def test_channels_that_are_bad_for_being_epileptic_are_told(bids, reason):
    path, _ = bids
    table = path.with_name(f"{STEM}_channels.tsv")
    table.write_text(table.read_text().replace("A1\tSEEG\tuV\tgood\tn/a", f"A1\tSEEG\tuV\tbad\t{reason}"))
    with pytest.warns(
        UserWarning, match=rf"1 channel bad for being epileptic \('{reason}'\).*seizures may begin there: A1;"
    ):
        recording = open_recording(path)
    assert (recording.channel_names, recording.excluded_channels["A1"]) == (["A3", "G1"], f"bad ({reason})")
    assert open_recording(path, channel_types={"A1": "seeg"}).channel_names == ["A1", "A3", "G1"]


@pytest.mark.parametrize("reason", ["n/a", "saturated+spikes", "artifact", "tissue loss"])
def test_other_bad_channels_are_not(bids, reason, recwarn):
    path, _ = bids
    table = path.with_name(f"{STEM}_channels.tsv")
    table.write_text(table.read_text().replace("broken wire", reason))
    assert open_recording(path).channel_names == ["A1", "A3", "G1"]
    assert not [warning for warning in recwarn if "epileptic" in str(warning.message)]


@pytest.fixture
def bids_with(tmp_path, write_edf):
    """Opens a BIDS recording of channels 10, 20, ... microvolts high with some rows of `channels.tsv`."""

    def opened(labels, *rows):
        folder = tmp_path / "set" / "sub-01" / "ieeg"
        path, _ = write_edf(labels, name="sub-01_task-rest_ieeg.edf", folder=folder)
        write_tsv(folder / "sub-01_task-rest_channels.tsv", "name type units status", *rows)
        return open_recording(path)

    return opened


def heights(recording):
    return {
        name: round(height) for name, height in zip(recording.channel_names, recording.read().max(axis=1), strict=True)
    }


@pytest.mark.parametrize(
    "labels",
    [
        ("EEG LA1-Ref", "EEG LA2-Ref", "EEG LA3-Ref"),
        ("la1", "LA 2", "LA_3"),
        ("LA01", "LA02", "LA03"),
        ("POL LA1", "POL LA2", "POL LA3"),
    ],
)
def test_rows_belong_to_channels_by_name_and_not_by_place(bids_with, labels):
    with pytest.warns(UserWarning, match=r"channels are called as in sub-01_task-rest_channels.tsv.*'LA1'"):
        recording = bids_with(labels, "LA3 SEEG uV good", "LA2 SEEG uV bad", "LA1 ECOG uV good")
    assert heights(recording) == {"LA1": 10, "LA3": 30}
    assert recording.channel_types == ["ecog", "seeg"]
    assert recording.excluded_channels == {"LA2": "bad"}


def test_the_exact_name_comes_before_another_spelling(bids_with):
    recording = bids_with(["LA01", "LA1"], "LA1 SEEG uV good", "LA01 SEEG uV bad")
    assert heights(recording) == {"LA1": 20}


def test_a_table_of_some_channels_means_those_channels_only(bids_with):
    with pytest.warns(UserWarning, match=r"no row for 'EEG LA3-Ref', 'EKG1', so 2 channels are left out; add"):
        recording = bids_with(
            ["EEG LA1-Ref", "EEG LA2-Ref", "EEG LA3-Ref", "EKG1"], "LA1 SEEG uV good", "LA2 SEEG uV bad"
        )
    assert heights(recording) == {"LA1": 10}
    not_listed = "not listed in sub-01_task-rest_channels.tsv"
    assert recording.excluded_channels == {"LA2": "bad", "EEG LA3-Ref": not_listed, "EKG1": not_listed}
    assert heights(open_recording(recording.path, channel_types={"LA3": "seeg"})) == {"LA1": 10, "EEG LA3-Ref": 30}


def test_rows_without_a_channel_are_named(bids_with):
    with pytest.warns(UserWarning, match=r"passed over, since the file has no channel 'B7'"):
        assert bids_with(["A1", "A2"], "A1 SEEG uV good", "B7 SEEG uV good", "A2 SEEG uV good").num_channels == 2


def test_a_table_of_other_names_is_refused(bids_with):
    with pytest.raises(ValueError, match=r"none of its 2 channels \(A1, A2\).*lists pA1, pA2; correct the names"):
        bids_with(["A1", "A2"], "pA1 SEEG uV good", "pA2 SEEG uV good")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\ttype\nA1\tSEEG\n", "has the columns label, type; expected name, type"),
        ("name type\nA1 SEEG\n", "has the columns name type; expected .* with tabs"),
        ("name\ttype\n", "lists no channel"),
    ],
)
def test_a_table_that_names_no_channels_is_refused(bids_with, text, message):
    path = bids_with(["A1", "A2"], "A1 SEEG uV good", "A2 SEEG uV good").path
    path.with_name("sub-01_task-rest_channels.tsv").write_text(text)
    with pytest.raises(ValueError, match=f"{message}.*move it away"):
        open_recording(path)


@pytest.mark.filterwarnings("ignore:.*(more than once|not unique)")
def test_a_name_twice_is_matched_in_order_where_both_have_it_as_often(bids_with):
    recording = bids_with(["A1", "B1", "A1"], "A1 SEEG uV good", "A1 SEEG uV bad", "B1 SEEG uV good")
    assert heights(recording) == {"A1-0": 10, "B1": 20}
    assert recording.excluded_channels == {"A1-1": "bad"}
    with pytest.warns(UserWarning, match=r"cannot be told apart.*'A1' may be any of \['A1', 'A1'\]"):
        recording = bids_with(["A1", "B1", "A1"], "A1 SEEG uV bad", "B1 SEEG uV good")
    assert heights(recording) == {"A1-0": 10, "B1": 20, "A1-1": 30}


def test_positions_are_found_by_the_same_grammar(bids_with, tmp_path):
    folder = tmp_path / "set" / "sub-01" / "ieeg"
    write_tsv(folder / "sub-01_electrodes.tsv", "name x y z", "LA02 1 2 3", "la1 4 5 6")
    (folder / "sub-01_coordsystem.json").write_text('{"iEEGCoordinateUnits": "mm", "iEEGCoordinateSystem": "ACPC"}')
    recording = bids_with(["LA1", "LA2"], "LA1 SEEG uV good", "LA2 SEEG uV good")
    np.testing.assert_allclose(recording.positions, [[0.004, 0.005, 0.006], [0.001, 0.002, 0.003]])


@pytest.mark.parametrize("broken", ["electrodes.tsv", "coordsystem.json"])
def test_a_recording_is_read_though_its_positions_cannot_be(bids, broken):
    path, _ = bids
    texts = {"electrodes.tsv": "name\tx\ty\tz\nA1\t1\t2\t3\n", "coordsystem.json": '{"iEEGCoordinateUnits": "mm"}'}
    for ending, text in texts.items():
        (path.parent / f"sub-01_ses-a_{ending}").write_text("" if ending == broken else text)
    with pytest.warns(UserWarning, match="positions of contacts are passed over"):
        assert open_recording(path).positions is None


@pytest.mark.parametrize("kind", ["discontinuous", "epoched", "continuous", None])
def test_gaps_that_only_the_dataset_tells(bids, kind):
    path, _ = bids
    (path.parent / f"{STEM}_ieeg.json").write_text(json.dumps({"RecordingType": kind}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_recording(path)
    told = [str(warning.message) for warning in caught if f"the recording is {kind}" in str(warning.message)]
    assert len(told) == (kind in ("discontinuous", "epoched"))


def test_broken_json(bids):
    path, _ = bids
    (path.parent / f"{STEM}_ieeg.json").write_text("{")
    with pytest.raises(ValueError, match=r"_ieeg.json is not valid JSON"):
        open_recording(path)


def test_real_recording_whose_header_states_a_wrong_unit():
    with pytest.warns(UserWarning, match=r"should be 'µV', but .* is 3\d\.\d V.*multiplied by 1e-06"):
        recording = open_recording(ECOG_FILE)
    np.testing.assert_allclose(open_recording(ECOG_FILE, gain=1e-6).read(), recording.read(), rtol=1e-6)
    assert recording.subject == "sub-testsub"
    assert recording.channel_types == ["dbs"] * 3 + ["ecog"] * 6
    assert recording.excluded_channels == {"MOV_RIGHT": "misc channel"}
    assert (recording.sampling_rate, recording.num_samples, recording.line_frequency) == (1000.0, 19001, 60.0)
    # MNE-Python takes the stored microvolts for volts.
    expected = mne.io.read_raw(ECOG_FILE, verbose="error").get_data(picks=recording.channel_names)
    np.testing.assert_allclose(recording.read(), expected, rtol=1e-6)
    assert np.median(recording.read().std(axis=1)) == pytest.approx(38.74, abs=0.01)


def test_nothing_is_printed(bids, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        open_recording(bids[0])
        open_recording(ECOG_FILE, gain=1e-6).read(0, 1)
    assert capfd.readouterr() == ("", "")


def test_positions_of_contacts_are_metres_of_a_named_space():
    opened = open_recording(next(VIRTUAL.rglob("*_ieeg.edf")))
    rows = [line.split("\t") for line in next(VIRTUAL.rglob("*_electrodes.tsv")).read_text().splitlines()[1:]]
    millimetres = {row[0]: [float(value) for value in row[1:4]] for row in rows}
    assert opened.coordinate_space == "ACPC"
    np.testing.assert_allclose(1000 * opened.positions, [millimetres[name] for name in opened.channel_names])


def test_positions_without_a_unit_of_length_are_not_used(tmp_path):
    shutil.copytree(VIRTUAL, tmp_path / "data")
    space = next((tmp_path / "data").rglob("*_coordsystem.json"))
    space.write_text(space.read_text().replace('"mm"', '"pixels"'))
    assert open_recording(next((tmp_path / "data").rglob("*_ieeg.edf"))).positions is None


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        (
            ("512", "512", "512", "512", "512", "512"),
            r"of 6 channels .* \(A1: 512 Hz in the table, 200 Hz in the file\)",
        ),
        (
            ("200", "200", "0.2", "200", "n/a", "200"),
            r"of 1 channel .* \(A3: 0.2 Hz in the table, 200 Hz in the file\)",
        ),
        (("200", "200.0", "200~Hz", "n/a", "n/a", "200"), None),
    ],
)
def test_rates_of_the_table_that_are_not_those_of_the_file(bids, recwarn, rates, told):
    path, _ = bids
    rows = [f"{name} SEEG {rate}" for name, rate in zip(("A1", "A2", "A3", "G1", "ECG", "X"), rates, strict=True)]
    write_tsv(path.parent / f"{STEM}_channels.tsv", "name type sampling_frequency", *rows)
    assert open_recording(path).sampling_rate == 200.0
    warned = [str(each.message) for each in recwarn if "sampling_frequency" in str(each.message)]
    assert len(warned) == (told is not None)
    assert told is None or re.search(told, warned[0])


def test_a_channel_that_is_described_as_bad_and_kept_is_told(bids):
    path, _ = bids
    rows = ["A1 SEEG good no~artifact", "A3 SEEG n/a very~noisy,~exclude", "G1 ECOG good soz"]
    write_tsv(path.parent / f"{STEM}_channels.tsv", "name type status status_description", *rows)
    with pytest.warns(UserWarning, match="describes 1 channel as 'very noisy, exclude', .* kept: A3;"):
        assert open_recording(path).channel_names == ["A1", "A3", "G1"]


def test_positions_of_other_contacts_are_told(bids):
    path, _ = bids
    write_tsv(path.parent / "sub-01_ses-a_electrodes.tsv", "name x y z", "R1 1 2 3", "R2 1 2 3")
    described = path.parent / "sub-01_ses-a_coordsystem.json"
    described.write_text('{"iEEGCoordinateSystem": "ACPC", "iEEGCoordinateUnits": "mm"}')
    with pytest.warns(UserWarning, match=r"electrodes.tsv has none of its channels \(A1, .*\), but R1, R2;"):
        assert open_recording(path).positions is None
