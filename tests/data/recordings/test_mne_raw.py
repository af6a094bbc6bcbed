import pickle
import shutil
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

LABELS = ["LA1", "LA2", "LA3", "EKG1", "DC1"]
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def raw_of(
    signal_uv: np.ndarray, names: list[str], rate: float = 200.0, types: str | list[str] = "seeg"
) -> mne.io.BaseRaw:
    return mne.io.RawArray(signal_uv * 1e-6, mne.create_info(names, rate, types), verbose="error")


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


def test_names_and_rate_given_by_the_user_override_the_file(write_edf):
    path, _ = write_edf(["x", "y", "z"])
    recording = open_recording(path, 100.0, ["A1", "A2", "EKG"])
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (["A1", "A2"], 100.0, 40.0)
    with pytest.raises(ValueError, match=r"2 channel names for 3 channels.*\['x', 'y', 'z'\]"):
        open_recording(path, channel_names=["A1", "A2"])


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".vhdr", ".fif", ".set", ".lay", ".gdf", ".eeg"])
def test_text_named_as_a_recording(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("Dear colleague, the patient had two seizures.\n" * 20)
    with pytest.raises(ValueError, match=rf"notes\{suffix}"):
        open_recording(path)


def test_unknown_extension_missing_file_and_folder(tmp_path):
    (tmp_path / "rec.trc2").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"extension .\.trc2., for which there is no reader; export"):
        open_recording(tmp_path / "rec.trc2")
    with pytest.raises(FileNotFoundError, match=r"rec.edf does not exist"):
        open_recording(tmp_path / "rec.edf")
    with pytest.raises(ValueError, match="find_recordings"):
        open_recording(tmp_path)


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


def test_eeglab(tmp_path, sines):
    signal = sines(3, 10, 200.0)
    pytest.importorskip("eeglabio")
    mne.export.export_raw(tmp_path / "rec.set", raw_of(signal, ["A1", "A2", "A3"], types="eeg"), verbose="error")
    np.testing.assert_allclose(open_recording(tmp_path / "rec.set").read(), signal, atol=1e-3)


def test_nedf_from_any_sample(tmp_path):
    """MNE-Python reads nothing that begins within five samples and goes beyond them."""
    pytest.importorskip("defusedxml")
    counts = np.random.default_rng(0).integers(-1000, 1000, (2, 2003))
    head = (
        "<x><NEDFversion>1.4</NEDFversion><EEGSettings><TotalNumberOfChannels>2</TotalNumberOfChannels>"
        "<EEGSamplingRate>500</EEGSamplingRate><EEGMontage><a>LA1</a><b>LA2</b></EEGMontage>"
        "<NumberOfRecordsOfEEG>2003</NumberOfRecordsOfEEG></EEGSettings>"
        "<NumberOfChannelsOfAccelerometer>3</NumberOfChannelsOfAccelerometer></x>"
    )
    # Three numbers of an accelerometer, then five samples: 3 bytes of each channel, 4 of a trigger.
    stored = [
        b"".join(int(count).to_bytes(3, "big", signed=True) for count in sample) + bytes(4) for sample in counts.T
    ]
    chunks = [bytes(6) + b"".join(stored[first : first + 5]) for first in range(0, 2003, 5)]
    (tmp_path / "rec.nedf").write_bytes(head.encode().ljust(10240, b"\0") + b"".join(chunks))
    recording = open_recording(tmp_path / "rec.nedf")
    microvolts = counts * 2.4e6 / 6 / (2**23 - 1)
    np.testing.assert_allclose(recording.read(), microvolts, atol=1e-4)
    for start in (1, 3, 1996, 2001):
        read = recording.read(start / 500, 2003 / 500)
        np.testing.assert_allclose(read, microvolts[:, start:], atol=1e-4)


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


def test_a_copy_elsewhere_is_the_same_recording(write_edf, tmp_path):
    path, _ = write_edf(LABELS)
    copied = Path(shutil.copy(path, tmp_path / "copy.edf"))
    np.testing.assert_array_equal(open_recording(copied).read(), open_recording(path).read())


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
