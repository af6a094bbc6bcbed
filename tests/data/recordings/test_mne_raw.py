import pickle
import shutil
import warnings
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

LABELS = ["LA1", "LA2", "LA3", "EKG1", "DC1"]
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject|Number of records)")


def raw_of(
    signal_uv: np.ndarray, names: list[str], rate: float = 200.0, types: str | list[str] = "seeg"
) -> mne.io.BaseRaw:
    return mne.io.RawArray(signal_uv * 1e-6, mne.create_info(names, rate, types), verbose="error")


@pytest.mark.parametrize("unit", ["uV", "mV", "V", "nV"])
def test_edf_in_microvolts_whatever_unit_it_is_stored_in(tmp_path, sines, unit):
    signal = sines(2, 10, 200.0)
    per_microvolt = {"V": 1e-6, "mV": 1e-3, "uV": 1, "nV": 1e3}[unit]
    edf = edfio.Edf(
        [
            edfio.EdfSignal(
                values * per_microvolt,
                200,
                label=label,
                physical_dimension=unit,
                physical_range=(-25 * per_microvolt, 25 * per_microvolt),
            )
            for label, values in zip(["A1", "A2"], signal, strict=True)
        ]
    )
    edf.write(tmp_path / "rec.edf")
    # 16 bits over 50 microvolts.
    np.testing.assert_allclose(open_recording(tmp_path / "rec.edf").read(), signal, atol=1e-3)


def test_edf_agrees_with_mne_on_kept_channels(write_edf):
    path, signal = write_edf(LABELS, duration_s=20)
    recording = open_recording(path)
    assert recording.channel_names == ["LA1", "LA2", "LA3"]
    assert recording.excluded_channels == {"EKG1": "ECG (by its name)", "DC1": "direct current input (by its name)"}
    assert (recording.sampling_rate, recording.duration, recording.num_samples) == (200.0, 20.0, 4000)
    raw = mne.io.read_raw_edf(path, verbose="error")
    expected = raw.get_data(picks=["LA1", "LA2", "LA3"], start=1000, stop=1700, units="uV")
    np.testing.assert_allclose(recording.read(5.0, 8.5), expected, rtol=1e-6)
    np.testing.assert_allclose(recording.read(5.0, 8.5), signal[:3, 1000:1700], atol=0.1)


def test_opening_and_reading_loads_no_more_than_asked(write_edf):
    path, _ = write_edf(LABELS)
    recording = open_recording(path)
    recording.read(0, 1)
    assert not recording.source.read.raw.preload
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(1, 2), recording.read(1, 2))


@pytest.mark.filterwarnings("ignore:.*no offset")
def test_edf_annotations_become_seizures(write_edf):
    path, _ = write_edf(
        LABELS,
        annotations=[
            (2.0, None, "Marker: sz on"),
            (6.5, None, "Marker: sz off"),
            (9, 3.0, "Seizure"),
            (13, 1, "spike"),
        ],
    )
    assert open_recording(path).seizures == [(2.0, 6.5, None), (9.0, 12.0, None)]
    assert open_recording(path, seizures=[(1, 2)]).seizures == [(1.0, 2.0, None)]
    assert open_recording(path, seizures=[]).seizures == []
    assert open_recording(path, event_types={"spike": "seizure", "seizure": "ignore"}).seizures[1:] == [
        (13.0, 14.0, None)
    ]


def test_table_beside_the_file_goes_before_annotations(write_edf):
    path, _ = write_edf(LABELS, annotations=[(2.0, 3.0, "Seizure")])
    table = path.with_suffix(".tsv")
    table.write_text(
        "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
        "4.00\t5.00\tsz_foc_ia\tn/a\tLA1, la3\tn/a\t20.00\n"
        "12.00\t1.50\tsz\tn/a\tall\tn/a\t20.00\n"
    )
    assert open_recording(path).seizures == [(4.0, 9.0, ["LA1", "LA3"]), (12.0, 13.5, None)]
    table.write_text("onset\tduration\teventType\tchannels\n0.00\t20.00\tbckg\tn/a\n")
    assert open_recording(path).seizures == []
    elsewhere = table.rename(path.parent / "scored.txt")
    elsewhere.write_text("onset\tduration\ttrial_type\n1\t2\tsz\n")
    assert open_recording(path, seizures=elsewhere).seizures == [(1.0, 3.0, None)]


def test_channel_names_of_a_table_that_differ_from_those_of_the_file(write_edf):
    path, _ = write_edf(LABELS)
    table = path.with_suffix(".tsv")
    table.write_text("onset\tduration\teventType\tchannels\n4\t5\tsz\tLA1-LA2\n")
    assert open_recording(path).seizures == [(4.0, 9.0, ["LA1", "LA2"])]
    table.write_text("onset\tduration\teventType\tchannels\n4\t5\tsz\tLA3,Q7\n")
    with pytest.warns(UserWarning, match=r"\['Q7'\].*passed over"):
        assert open_recording(path).seizures == [(4.0, 9.0, ["LA3"])]
    table.write_text("onset\tduration\teventType\tchannels\n4\t5\tsz\tQ7\n")
    with pytest.warns(UserWarning, match=r"\['Q7'\].*on all channels"):
        assert open_recording(path).seizures == [(4.0, 9.0, None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty"), ("a\tb\n1\t2\n", "expected onset"), ("onset\tduration\teventType\nsoon\t1\tsz\n", "'soon'")],
)
def test_broken_table_beside_the_file(write_edf, content, message):
    path, _ = write_edf(LABELS)
    path.with_suffix(".tsv").write_text(content)
    with pytest.raises(ValueError, match=rf"rec.tsv.*{message}"):
        open_recording(path)


def test_subject_from_the_header_the_folder_or_the_name(write_edf, tmp_path):
    assert open_recording(write_edf(LABELS, patient="P042")[0]).subject == "P042"
    assert open_recording(write_edf(LABELS, folder=tmp_path / "sub-07" / "day1")[0]).subject == "sub-07"
    with pytest.warns(UserWarning, match="pass subject="):
        assert open_recording(write_edf(LABELS, name="night3.edf")[0]).subject == "night3"
    assert open_recording(write_edf(LABELS, patient="P042")[0], subject="me").subject == "me"


def test_duplicate_names_in_a_file(write_edf, capfd):
    path, signal = write_edf(["A1", "B1", "A1"])
    with pytest.warns(UserWarning, match=r"(?i)not unique|more than once"):
        recording = open_recording(path)
    assert recording.channel_names == ["A1-0", "B1", "A1-1"]
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(recording.read(), signal, atol=0.1)


def test_names_and_rate_given_by_the_user_override_the_file(write_edf):
    path, _ = write_edf(["x", "y", "z"])
    recording = open_recording(path, 100.0, ["A1", "A2", "EKG"])
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (["A1", "A2"], 100.0, 40.0)
    with pytest.raises(ValueError, match=r"2 channel names for 3 channels.*\['x', 'y', 'z'\]"):
        open_recording(path, channel_names=["A1", "A2"])


def test_truncated_edf_is_refused_and_the_remedy_works(write_edf):
    path, signal = write_edf(["A1", "A2"], duration_s=20)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"truncated: its header announces 20 records, it holds 9") as error:
        open_recording(path)
    assert "bytes 236 to 243" in str(error.value)
    content[236:244] = b"-1      "
    path.write_bytes(content[: len(content) // 2])
    recording = open_recording(path)
    assert recording.duration == 9.0
    np.testing.assert_allclose(recording.read(), signal[:, :1800], atol=0.1)


def test_edf_cut_inside_its_header(write_edf):
    path, _ = write_edf(["A1", "A2"])
    content = path.read_bytes()
    for length in (300, 768):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="truncated"):
            open_recording(path)


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".vhdr", ".fif", ".set", ".lay", ".gdf", ".eeg"])
def test_text_named_as_a_recording(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("Dear colleague, the patient had two seizures.\n" * 20)
    with pytest.raises(ValueError, match=rf"notes\{suffix}"):
        open_recording(path)


def test_unknown_extension_missing_file_and_folder(tmp_path):
    (tmp_path / "rec.trc2").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"no reader for the extension '.trc2'"):
        open_recording(tmp_path / "rec.trc2")
    with pytest.raises(FileNotFoundError, match=r"rec.edf does not exist"):
        open_recording(tmp_path / "rec.edf")
    with pytest.raises(ValueError, match="find_recordings"):
        open_recording(tmp_path)


def test_discontinuous_edf_gives_a_warning(write_edf):
    path, _ = write_edf(["A1", "A2"])
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="may have gaps"):
        open_recording(path)


@pytest.mark.parametrize("date", [1_000_000, None])
def test_fif_with_types_bad_channels_annotations_and_a_first_sample(tmp_path, sines, date):
    signal = sines(4, 20, 200.0)
    raw = raw_of(signal, ["A1", "A2", "B1", "Fz"], types=["seeg", "seeg", "ecog", "eeg"])
    raw.info["bads"] = ["A2"]
    raw.info["line_freq"] = 50.0
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations([9.0], [3.0], ["seizure"], ch_names=[["B1"]]))
    raw.crop(5.0).save(tmp_path / "rec_raw.fif", verbose="error")
    recording = open_recording(tmp_path / "rec_raw.fif")
    assert (recording.channel_names, recording.channel_types) == (["A1", "B1"], ["seeg", "ecog"])
    assert recording.excluded_channels == {"A2": "marked bad", "Fz": "scalp EEG in an intracranial recording"}
    assert recording.line_frequency == 50.0
    assert recording.seizures == [(pytest.approx(4.0), pytest.approx(7.0), ["B1"])]
    np.testing.assert_allclose(recording.read(1, 2), signal[[0, 2], 1200:1400], atol=1e-3)


def test_annotations_beyond_the_end_are_not_lost_without_a_word(tmp_path):
    signal = edfio.EdfSignal(np.zeros(2000), 100, label="A1", physical_range=(-50, 50))
    annotations = [edfio.EdfAnnotation(18, 10, "seizure"), edfio.EdfAnnotation(100, 10, "seizure")]
    edfio.Edf([signal], annotations=annotations).write(tmp_path / "rec.edf")
    with pytest.warns(UserWarning, match="outside|expanding|Omitted|Limited|beyond"):
        recording = open_recording(tmp_path / "rec.edf", subject="p1")
    assert recording.seizures == [(18.0, pytest.approx(20.0, abs=0.02), None)]


def test_eeglab(tmp_path, sines):
    signal = sines(3, 10, 200.0)
    pytest.importorskip("eeglabio")
    mne.export.export_raw(tmp_path / "rec.set", raw_of(signal, ["A1", "A2", "A3"], types="eeg"), verbose="error")
    np.testing.assert_allclose(open_recording(tmp_path / "rec.set").read(), signal, atol=1e-3)


def test_bdf(tmp_path, sines):
    signal = sines(2, 10, 200.0)
    signals = [
        edfio.BdfSignal(values, 200, label=label, physical_dimension="uV", physical_range=(-50, 50))
        for label, values in zip(["A1", "A2"], signal, strict=True)
    ]
    edfio.Bdf(signals).write(tmp_path / "rec.bdf")
    np.testing.assert_allclose(open_recording(tmp_path / "rec.bdf").read(), signal, atol=1e-4)


def test_warnings_are_python_warnings_and_nothing_is_printed(write_edf, capfd):
    path, _ = write_edf(LABELS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_recording(path)
    assert all(str(warning.message).startswith("rec") for warning in caught)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_sampling_rate_below_that_of_the_model_is_read_as_it_is(write_edf):
    path, signal = write_edf(["A1"], rate=64, duration_s=10)
    assert open_recording(path).sampling_rate == 64.0
    assert open_recording(path).read().shape == signal.shape


def test_peak_memory_does_not_grow_with_the_recording(tmp_path, write_edf):
    import tracemalloc

    peaks = []
    for factor in (1, 10):
        path, _ = write_edf([f"A{i}" for i in range(1, 9)], name=f"x{factor}.edf", duration_s=60 * factor)
        recording = open_recording(path)
        recording.read(0, 1)
        tracemalloc.start()
        for start in range(0, 60 * factor, 10):
            recording.read(start, start + 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_copy_elsewhere_is_the_same_recording(write_edf, tmp_path):
    path, _ = write_edf(LABELS)
    copied = Path(shutil.copy(path, tmp_path / "copy.edf"))
    np.testing.assert_array_equal(open_recording(copied).read(), open_recording(path).read())


@pytest.mark.parametrize("other", ["DC1", "A3"])
def test_channels_at_another_rate_are_left_out_and_do_not_change_the_others(tmp_path, sines, other):
    slow, fast = sines(2, 20, 200.0), sines(1, 20, 1000.0)
    signals = [
        edfio.EdfSignal(values, rate, label=label, physical_dimension="uV", physical_range=(-100, 100))
        for label, values, rate in (("A1", slow[0], 200), (other, fast[0], 1000), ("A2", slow[1], 200))
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(2, 3, "seizure")]).write(tmp_path / "rec.edf")
    recording = open_recording(tmp_path / "rec.edf")
    assert (recording.channel_names, recording.sampling_rate) == (["A1", "A2"], 200.0)
    assert recording.excluded_channels == {other: "sampled at 1000 Hz, most channels at 200 Hz"}
    assert recording.seizures == [(2.0, 5.0, None)]
    pieces = [recording.read(start, start + 2.5) for start in np.arange(0, 20, 2.5)]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), slow, atol=0.01)


def test_mef3(tmp_path, sines):
    if not hasattr(mne.io, "read_raw_mef"):
        pytest.skip("this MNE-Python has no reader of MEF3")
    mef_session = pytest.importorskip("pymef.mef_session")
    signal = sines(2, 10, 200.0)
    session = mef_session.MefSession(str(tmp_path / "rec.mefd"), "", False, True)
    start, stop = 946_684_800_000_000, 946_684_810_000_000
    for name, values in zip(["A1", "A2"], signal, strict=True):
        metadata = {
            "sampling_frequency": 200.0,
            "units_conversion_factor": 0.001,
            "units_description": b"uV",
            "start_sample": 0,
            "number_of_samples": values.size,
            "recording_duration": stop - start,
            "maximum_block_samples": 200,
        }
        session.write_mef_ts_segment_metadata(name, 0, "", "", start, stop, metadata, {})
        session.write_mef_ts_segment_data(name, 0, "", "", 200, np.round(values * 1000).astype(np.int32))
    session.close()
    recording = open_recording(tmp_path / "rec.mefd")
    assert recording.channel_types == ["seeg", "seeg"]
    np.testing.assert_allclose(recording.read(1, 2), signal[:, 200:400], atol=1e-3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(1, 2), recording.read(1, 2))
