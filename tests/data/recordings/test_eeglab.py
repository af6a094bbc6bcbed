"""EEGLAB sets whose samples, epochs and cuts are not what the file says or what its times suggest."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.io

from brant_hf.data import open_recording

RATE = 200
SIGNAL = np.random.default_rng(0).normal(0, 50, (3, 4000)).astype("<f4")
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    def write(
        data="rec.fdt",
        events=(),
        is_struct=False,
        name="rec.set",
        samples=SIGNAL,
        trials=1,
        points=4000,
        types=("", "", ""),
        **more,
    ):
        named = [(f"LA{number}", kind) for number, kind in enumerate(types, 1)]
        locations = np.array(named, dtype=[("labels", "O"), ("type", "O")])
        nothing = np.array([])
        fields = {
            **dict.fromkeys(("epoch", "icaact", "icawinv", "icaweights", "icasphere", "icachansind", "etc"), nothing),
            "setname": "x",
            "nbchan": 3.0,
            "trials": float(trials),
            "pnts": float(points),
            "srate": float(RATE),
            "xmin": 0.0,
            "xmax": (points - 1) / RATE,
            "data": data,
            "chanlocs": locations,
            "event": np.array(list(events), dtype=[(key, "O") for key in ("type", "latency", "duration")]),
            "comments": "",
            "filename": name,
            "filepath": "",
            "ref": "common",
            **more,
        }
        scipy.io.savemat(
            tmp_path / name,
            {"EEG": fields} if is_struct else fields,
            appendmat=False,
            oned_as="row",
            do_compression=True,
        )
        if samples is not None:
            (tmp_path / "rec.fdt").write_bytes(samples.T.tobytes())
        return tmp_path / name

    return write


@pytest.mark.parametrize("is_struct", [False, True])
@pytest.mark.parametrize("data", ["rec.fdt", SIGNAL])
@pytest.mark.parametrize("name", ["rec.set", "REC.SET"])
def test_values_are_the_numbers_of_the_file(write, data, is_struct, name):
    recording = open_recording(write(data, is_struct=is_struct, name=name))
    np.testing.assert_allclose(recording.read(), SIGNAL, rtol=1e-5)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(recording)).read(2, 3), SIGNAL[:, 400:600], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*median standard deviation")
@pytest.mark.parametrize("is_struct", [False, True])
@pytest.mark.parametrize("data", ["rec.fdt", SIGNAL])
def test_the_subject_and_types_that_mne_does_not_know(write, data, is_struct):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = open_recording(write(data, is_struct=is_struct, types=("iEEG", "Trigger", "SEEG"), subject="P07"))
    assert (recording.subject, recording.subject_from) == ("P07", "header")
    assert (recording.channel_names, recording.channel_types) == (["LA1", "LA3"], ["seeg", "seeg"])
    assert recording.excluded_channels == {"LA2": "misc channel"}
    np.testing.assert_allclose(recording.read(), SIGNAL[[0, 2]], rtol=1e-5)


def test_types_of_which_nobody_knows_what_they_mean(write):
    recording = open_recording(write(types=("EEG", "Macro", ""), subject="anonymous"))
    assert (recording.channel_types, recording.subject_from) == (["eeg"] * 3, "name of the file")


def test_a_set_in_volts(write):
    path = write(samples=SIGNAL * np.float32(1e-6))
    np.testing.assert_allclose(open_recording(path, unit="V").read(), SIGNAL, rtol=1e-5)


@pytest.mark.parametrize("samples", [SIGNAL[:, :2000], np.tile(SIGNAL, 2), SIGNAL[:2], SIGNAL[:, :0]])
def test_samples_that_are_not_those_of_the_file(write, samples):
    with pytest.raises(ValueError, match=rf"rec\.fdt has {samples.nbytes} bytes, and rec\.set says 48000"):
        open_recording(write(samples=samples))


@pytest.mark.parametrize("is_struct", [False, True])
@pytest.mark.parametrize("samples", [SIGNAL[:2], SIGNAL[:, :2000]])
def test_samples_inside_of_the_file_that_are_not_those_it_says(write, samples, is_struct):
    path = write(samples, is_struct=is_struct)
    if is_struct and len(samples) == 3:
        assert open_recording(path).num_samples == 2000
        return
    with pytest.raises(ValueError, match=r"rec\.set"):
        open_recording(path)


@pytest.mark.parametrize("data", ["rec.fdt", "gone.fdt"])
def test_samples_that_are_not_there(write, tmp_path, data):
    path = write(data, samples=None)
    with pytest.raises(FileNotFoundError, match=r"rec\.fdt"):
        open_recording(path)
    (tmp_path / "rec.fdt").symlink_to("../.git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=r"rec\.fdt .*not been fetched"):
        open_recording(path)


def test_samples_that_were_renamed_with_the_file(write):
    with pytest.warns(UserWarning, match=r"Data file name in EEG\.data \(old\.fdt\) is incorrect"):
        recording = open_recording(write("old.fdt"))
    np.testing.assert_allclose(recording.read(), SIGNAL, rtol=1e-5)


def test_epochs_are_refused(write):
    with pytest.raises(ValueError, match=r"rec\.set holds epochs.*number of trials is 2; save the continuous"):
        open_recording(write(trials=2, points=2000))


def test_what_was_cut_out_is_told_and_times_stay_those_of_samples(write):
    events = [("boundary", 0.5, 100), ("Seizure", 1001, 800), ("boundary", 2000.5, 5000), ("spike", 501, 1)]
    with pytest.warns(
        UserWarning, match=r"joined at 0\.00 s, 10\.00 s, .*cut out \(25\.50 s in all.*other tables may not"
    ):
        recording = open_recording(write(events=events))
    assert recording.seizures == [(5.0, 9.0, None)]
    assert (recording.duration, recording.gaps) == (20.0, [])
    assert next(event for event in recording.events if event.text == "spike").duration == 0


@pytest.mark.parametrize("kind", ["boundary", "Boundary", -99])
def test_a_cut_of_unknown_length(write, kind):
    with pytest.warns(UserWarning, match=r"joined at 10\.00 s, and what lay between them was cut out; times"):
        open_recording(write(events=[(kind, 2000.5, np.nan)]))


def test_a_mark_at_the_beginning_is_no_cut(write):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_recording(write(events=[("boundary", 1, 1), ("spike", 501, 1)]))
    assert not [warning for warning in caught if "joined" in str(warning.message)]


def test_a_set_of_matlab_7_3_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("brant_hf.data.recordings.readers.eeglab.find_spec", lambda name: None)
    path = tmp_path / "rec.set"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512))
    with pytest.raises(ImportError, match=r"rec\.set is a file of MATLAB 7\.3.*pip install pymatreader"):
        open_recording(path)


def test_times_that_do_not_fit_the_rate_are_told(write):
    with pytest.warns(
        UserWarning, match=r"it states 200 Hz, which is taken, and its times \(xmin, xmax\) make 500 Hz"
    ):
        assert open_recording(write(xmax=3999 / 500)).sampling_rate == 200


@pytest.mark.parametrize("count", [1, 2])
def test_other_fields_of_events_that_speak_of_seizures_are_told(write, count):
    fields = [(key, "O") for key in ("type", "latency", "duration", "label")]
    events = [("note", 1001.0, 800.0, "Seizure"), ("note", 3001.0, 1.0, "awake")][:count]
    with pytest.warns(UserWarning, match="the field 'label' of its events speaks of seizures .*'Seizure'"):
        assert open_recording(write(event=np.array(events, dtype=fields))).seizures == []
