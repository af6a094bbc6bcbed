"""MATLAB files, written by SciPy, and by h5py in the form of version 7.3."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.io import savemat

from brant_hf.data import find_recordings, open_recording

pytestmark = pytest.mark.filterwarnings("ignore:.*does not tell its subject")
NAMES = ["LA1", "LA2", "LA3"]


def _cell(*values) -> np.ndarray:
    cell = np.empty((1, len(values)), object)
    cell[0, :] = values
    return cell


def _fieldtrip(signal):
    return {
        "data": {
            "label": _cell(*NAMES),
            "trial": _cell(signal),
            "time": _cell(np.arange(signal.shape[1]) / 200),
            "fsample": 200.0,
            "hdr": {"Fs": 1000.0, "label": _cell("X1", "X2", "X3")},
        }
    }


def _eeglab(signal):
    locations = np.array([(name,) for name in NAMES], dtype=[("labels", object)])
    return {"EEG": {"data": signal, "srate": 200.0, "chanlocs": locations, "nbchan": 3.0, "subject": "P7"}}


def _write(path, members, version):
    if version == 5:
        savemat(path, members)
        return
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for key, value in members.items():
            file[key] = np.atleast_2d(value).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def _challenge(signal):
    segment = {"data": signal, "sampling_frequency": 200.0, "channels": _cell(*NAMES), "sequence": 1.0}
    return {"preictal_segment_1": segment}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda signal: {"data": signal, "fs": 200.0, "channels": _cell(*NAMES)}, NAMES),
        (lambda signal: {"EEG": signal.T, "info": {"Fs": 200.0}}, ["CH1", "CH2", "CH3"]),
        (lambda signal: {"anything": signal.T, "sampling_rate": 200, "ch_names": np.array(NAMES)}, NAMES),
        (lambda signal: {"data": signal, "positions": np.zeros((200, 3)), "SampleRate": 200.0}, ["CH1", "CH2", "CH3"]),
        (lambda signal: {"data": signal, "freq": 200.0, "channels": dict.fromkeys(NAMES, 1.0)}, NAMES),
        (lambda signal: {"x": signal, "srate": 200.0, "hdr": {"fs": 512.0}}, ["CH1", "CH2", "CH3"]),
        (_fieldtrip, NAMES),
        (_eeglab, NAMES),
        (_challenge, NAMES),
    ],
)
def test_the_signal_is_found_with_what_stands_beside_it(tmp_path, sines, make, names):
    signal = sines(3, 10, 200.0)
    savemat(tmp_path / "rec.mat", make(signal))
    recording = open_recording(tmp_path / "rec.mat")
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (names, 200.0, 10.0)
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 400:600], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3), recording.read(2, 3))


def test_one_channel_subject_and_unit(tmp_path, sines):
    savemat(tmp_path / "rec.mat", {"eeg": sines(1, 10, 200.0) / 1e3, "fs": 200.0, "units": "mV", "subject": "P7"})
    recording = open_recording(tmp_path / "rec.mat")
    assert (recording.subject, recording.num_channels, recording.num_samples) == ("P7", 1, 2000)
    np.testing.assert_allclose(recording.read(), sines(1, 10, 200.0), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 2000), (2000, 1)])
def test_one_channel_lies_or_stands(tmp_path, sines, shape):
    savemat(tmp_path / "rec.mat", {"signal": sines(1, 10, 200.0).reshape(shape), "fs": 200.0, "time": np.ones(2000)})
    np.testing.assert_allclose(open_recording(tmp_path / "rec.mat").read(2, 3), sines(1, 10, 200.0)[:, 400:600], 1e-4)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": _cell("A1", "A2")}, "its 2 names of channels do not fit its 3 channels.*pass channel_names="),
        (
            {"events": {"onset": 4.0, "type": "seizure"}},
            r"events of MATLAB files are not read \(events.*pass seizures=",
        ),
        ({"seizures": np.array([[4.0, 6.0]])}, r"not read \(seizures\)"),
        ({"szStart": 4.0, "seizure_end": 6.0, "offset": 0.0}, r"events .* not read \(szStart, seizure_end\)"),
        ({"bad_channels": np.array([2.0, 3.0])}, r"bad channels .* not read \(bad_channels\); pass bad="),
    ],
)
def test_what_is_passed_over_is_told(tmp_path, sines, more, message):
    savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 200.0), "fs": 200.0, **more})
    with pytest.warns(UserWarning, match=message):
        open_recording(tmp_path / "rec.mat")


@pytest.mark.parametrize("key", ["scale", "ADBitVolts"])
def test_a_factor_of_whole_numbers_is_told(tmp_path, sines, key):
    signal = sines(3, 10, 200.0)
    savemat(tmp_path / "rec.mat", {"data": np.int16(signal / 0.195), "fs": 200.0, key: 0.195})
    with pytest.warns(UserWarning, match=rf"without what may be their factor .*\({key} 0.195\); pass gain="):
        open_recording(tmp_path / "rec.mat")
    # Numbers that are scaled already, as Spike2 exports them beside the scale.
    savemat(tmp_path / "rec.mat", {"data": signal, "fs": 200.0, key: 0.195})
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*factor")
        open_recording(tmp_path / "rec.mat")


@pytest.mark.parametrize(
    ("key", "period", "unit"),
    [("dt", 1 / 512, None), ("Interval", 1.953125, "ms"), ("sample_interval", 1953.125, "us")],
)
def test_the_time_between_samples_tells_the_rate(tmp_path, sines, key, period, unit):
    savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 512.0), key: period})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert open_recording(tmp_path / "rec.mat").sampling_rate == 512.0
    told = [str(warning.message) for warning in caught if "time between two samples" in str(warning.message)]
    assert [f"is taken as {unit}, which makes 512 Hz" in text for text in told] == [True] * (unit is not None)
    # Nothing, and 4 s in the smallest of these units.
    for impossible in (0.0, 4e6):
        savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 512.0), key: impossible})
        with pytest.raises(ValueError, match="sampling rate is not known"):
            open_recording(tmp_path / "rec.mat")


def _spike2(signal):
    told = {"interval": 1 / 200, "scale": 1.0, "offset": 0.0, "units": "mV", "start": 0.0}
    channels = {
        f"V1_Ch{k}": {"title": n, "values": v / 1e3, **told}
        for k, (n, v) in enumerate(zip(NAMES, signal, strict=True))
    }
    return {**channels, "V1_Ch9": {"title": "Keyboard", "times": np.arange(500.0), "codes": np.zeros((500, 4))[:9]}}


def _analyzer(signal):
    listed = np.array([(name,) for name in (*NAMES, "STIM")], dtype=[("Name", object)])
    return {
        **dict(zip(NAMES, signal, strict=True)),
        "t": np.arange(2000) / 200,
        "SampleRate": 200.0,
        "Channels": listed,
    }


def _loose(signal):
    others = {"y": np.zeros(2000), "LA9": np.zeros(900), "time": np.arange(2000.0), "fs": 200.0}
    return {**{name: row[:, None] for name, row in zip(NAMES, signal, strict=True)}, **others}


@pytest.mark.parametrize("make", [_spike2, _analyzer, _loose])
def test_a_variable_for_each_channel(tmp_path, sines, make):
    signal = sines(3, 10, 200.0)
    savemat(tmp_path / "rec.mat", make(signal))
    recording = open_recording(tmp_path / "rec.mat")
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (NAMES, 200.0, 10.0)
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 400:600], rtol=1e-5, atol=1e-4)
    expected = {"y": "not the name of a channel", "LA9": "900 samples"} if make is _loose else {}
    assert recording.excluded_channels == expected
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3), recording.read(2, 3))


def test_a_variable_for_each_channel_in_version_7_3(tmp_path, sines):
    h5py = pytest.importorskip("h5py")
    signal = sines(3, 10, 200.0)
    with h5py.File(tmp_path / "rec.mat", "w", userblock_size=512) as file:
        file.update({"LA1": signal[:1], "LA2": signal[1:2].T, "LA3": signal[2:].T, "fs": [[200.0]]})
    with (tmp_path / "rec.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    recording = open_recording(tmp_path / "rec.mat", channels=["LA1", "LA3"])
    assert recording.channel_names == ["LA1", "LA3"]
    np.testing.assert_allclose(recording.read(2, 3), signal[::2, 400:600], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["LFP", "ecog"])
def test_a_vector_that_is_called_a_signal_is_one_channel(tmp_path, sines, name):
    signal = sines(1, 10, 500.0)
    savemat(tmp_path / "rec.mat", {"t": np.arange(5000)[None] / 500 + 0.002, name: signal, "spikes": signal > 10})
    recording = open_recording(tmp_path / "rec.mat")
    assert (recording.num_channels, recording.sampling_rate, recording.duration) == (1, 500.0, 10.0)
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 1000:1500], rtol=1e-5, atol=1e-4)


def test_channels_one_after_another_are_not_taken_for_one(tmp_path, sines):
    starts = 2000.0 * np.arange(3) + 1
    members = {"data": sines(3, 10, 200.0).ravel(), "datastart": starts, "samplerate": [200.0] * 3}
    savemat(tmp_path / "rec.mat", members)
    with pytest.raises(ValueError, match="in its vector data the channels stand one after another, as LabChart"):
        open_recording(tmp_path / "rec.mat")


def test_a_matrix_that_may_be_turned_is_told(tmp_path):
    savemat(tmp_path / "rec.mat", {"data": np.ones((150, 120)), "fs": 200.0})
    with pytest.raises(ValueError, match=r"rec.mat: whether its signal data \(150, 120\) is .*open_recording\("):
        open_recording(tmp_path / "rec.mat")


def test_a_file_that_was_written_anew_is_read_anew(tmp_path, sines):
    for factor, rates in ((1, 200.0), (2, [200.0] * 3)):
        savemat(tmp_path / "rec.mat", {"data": factor * sines(3, 10, 200.0), "fs": rates})
        recording = open_recording(tmp_path / "rec.mat")
        np.testing.assert_allclose(recording.read(), factor * sines(3, 10, 200.0), rtol=1e-5, atol=1e-4)


def test_a_data_set_of_eeglab_keeps_its_events(tmp_path, sines):
    event = np.array([("seizure", 801.0, 400.0)], dtype=[("type", object), ("latency", object), ("duration", object)])
    fields = {**_eeglab(sines(3, 10, 200.0))["EEG"], "pnts": 2000.0, "trials": 1.0, "xmin": 0.0, "xmax": 10.0}
    savemat(
        tmp_path / "rec.mat", {"EEG": {**fields, "setname": "x", "ref": "common", "icaweights": [], "event": event}}
    )
    recording = open_recording(tmp_path / "rec.mat")
    assert [tuple(seizure)[:2] for seizure in recording.seizures] == [(4.0, 6.0)]
    np.testing.assert_allclose(recording.read(2, 3), sines(3, 10, 200.0)[:, 400:600], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("key", "times", "unit"),
    [
        ("t", np.arange(5120) / 512, None),
        ("time", np.round(100 + np.arange(5120) / 512, 3)[:, None], None),
        ("timestamps", np.arange(5120) / 0.512, "ms"),
        ("t", np.arange(5120, dtype=np.int64) * 1_000_000 // 512, "us"),
    ],
)
@pytest.mark.parametrize("version", [5, 7.3])
def test_a_vector_of_times_tells_the_rate(tmp_path, sines, key, times, unit, version):
    _write(tmp_path / "rec.mat", {"data": sines(3, 10, 512.0), key: times}, version)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert open_recording(tmp_path / "rec.mat").sampling_rate == 512.0
    told = [str(warning.message) for warning in caught if "time between two samples" in str(warning.message)]
    assert [f"is taken as {unit}, which makes 512 Hz" in text for text in told] == [True] * (unit is not None)
    assert open_recording(tmp_path / "rec.mat", 500.0).sampling_rate == 500.0


@pytest.mark.parametrize(
    "times",
    [
        np.arange(5120),  # numbers of samples, or milliseconds
        np.where(np.arange(5120) < 2560, 0, 3) + np.arange(5120) / 512,
        np.arange(5119) / 512,
        np.zeros(5120),
        np.full(5120, np.nan),
    ],
)
def test_a_vector_of_times_that_is_not_clear_tells_no_rate(tmp_path, sines, times):
    savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 512.0), "t": times})
    with pytest.raises(ValueError, match=r"sampling rate is not known; pass sampling_rate="):
        open_recording(tmp_path / "rec.mat")


def test_a_rate_that_is_not_told_or_told_twice_is_asked_for(tmp_path, sines):
    for more in ({}, {"fs": 200.0, "srate": 100.0}):
        savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 200.0), **more})
        with pytest.raises(
            ValueError, match=r"is not known; pass sampling_rate=.*, or keep it in the file as a variable fs"
        ):
            open_recording(tmp_path / "rec.mat")
        assert open_recording(tmp_path / "rec.mat", 200.0).duration == 10.0


@pytest.mark.parametrize(
    "variables",
    [
        {"a": np.ones((3, 900)), "b": np.ones((3, 900))},
        {"data": {"trial": _cell(np.ones((3, 900)), np.ones((3, 900)))}},
        {"data": {"trial": _cell(np.ones((3, 9000)), np.ones((3, 200)))}},
        {"data": np.ones((3, 900, 2)), "positions": np.ones((100, 3))},
    ],
)
def test_several_matrices_are_told(tmp_path, variables):
    savemat(tmp_path / "rec.mat", {**variables, "fs": 200.0})
    with pytest.raises(
        ValueError, match=r"rec.mat: which of its matrices is the signal is not clear.*open_recording\("
    ):
        open_recording(tmp_path / "rec.mat")


@pytest.mark.parametrize(
    ("members", "held"),
    [
        ({"trial1": np.ones(500), "trial2": np.ones((500, 1))}, r"vectors: trial1 \(500,\), trial2 \(500,\)"),
        ({"a": np.ones((3, 9)), "result": {"accuracy": 0.9}, "fs": 200.0}, "variables: a, result, fs"),
    ],
)
def test_a_file_without_a_matrix_tells_what_it_holds(tmp_path, members, held):
    savemat(tmp_path / "rec.mat", members)
    with pytest.raises(ValueError, match=rf"rec\.mat holds no matrix of 100 samples or more \({held}\); load it"):
        open_recording(tmp_path / "rec.mat")


def test_a_damaged_file_is_told_and_folders_pass_over_matlab_files(tmp_path, sines, write_edf):
    write_edf(["A1"])
    savemat(tmp_path / "rec.mat", {"data": sines(3, 10, 200.0), "fs": 200.0})
    assert [path.name for path in find_recordings(tmp_path)] == ["rec.edf"]
    (tmp_path / "rec.mat").write_bytes((tmp_path / "rec.mat").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"rec.mat cannot be read as a MATLAB file"):
        open_recording(tmp_path / "rec.mat")


@pytest.mark.parametrize("turned", [False, True])
def test_version_7_3_is_read_in_pieces(tmp_path, sines, turned):
    h5py = pytest.importorskip("h5py")
    signal = sines(3, 100, 200.0)
    with h5py.File(tmp_path / "rec.mat", "w", userblock_size=512) as file:
        # HDF5 holds MATLAB's columns as rows; cells refer to their members.
        trial = file.create_dataset("#refs#/a", data=signal if turned else signal.T)
        texts = []
        for name in NAMES:
            texts.append(
                file.create_dataset(f"#refs#/{name}", data=np.array([[ord(letter)] for letter in name], np.uint16))
            )
            texts[-1].attrs["MATLAB_class"] = np.bytes_("char")
        # What spikes often are: a cell of vectors of several lengths.
        spikes = [file.create_dataset(f"#refs#/spikes{count}", data=np.ones((count, 1))) for count in (3, 5)]
        for key, members in (("trial", [trial]), ("label", texts), ("spikes", spikes), ("eeg", spikes)):
            cell = file.create_dataset(f"data/{key}", (len(members), 1), h5py.ref_dtype)
            cell[:, 0] = [member.ref for member in members]
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
        file.create_dataset("data/fsample", data=[[200.0]])
    with (tmp_path / "rec.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    recording = open_recording(tmp_path / "rec.mat")
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (NAMES, 200.0, 100.0)
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 400:600], rtol=1e-5, atol=1e-4)
    assert len(pickle.dumps(recording)) < 3000


@pytest.mark.parametrize("factor", [1, 1000, 1_000_000])
@pytest.mark.parametrize("rate", [200.0, 500.0])
def test_times_that_do_not_fit_the_rate_are_told(tmp_path, recwarn, factor, rate):
    signal = np.random.default_rng(0).normal(0, 50, (3, 4000))
    savemat(tmp_path / "rec.mat", {"eeg": signal, "fs": rate, "t": np.arange(4000) / 200 * factor})
    assert open_recording(tmp_path / "rec.mat").sampling_rate == rate
    told = [str(each.message) for each in recwarn if "the times of its samples make" in str(each.message)]
    assert len(told) == (rate == 500)
    assert all("it states 500 Hz, which is taken, and the times of its samples make 200 Hz" in text for text in told)


def test_the_unit_of_positions_is_none_of_the_signal(tmp_path):
    signal = np.random.default_rng(0).normal(0, 50, (3, 4000))
    content = _fieldtrip(signal)
    content["data"]["elec"] = {"label": _cell(*NAMES), "elecpos": np.ones((3, 3)), "unit": "mm"}
    savemat(tmp_path / "rec.mat", content)
    recording = open_recording(tmp_path / "rec.mat")
    assert recording.channel_names == NAMES
    np.testing.assert_allclose(recording.read(), signal, atol=1e-3)
