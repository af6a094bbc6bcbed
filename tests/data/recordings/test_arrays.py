import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from brant_hf.data import open_recording

CLIP = Path(__file__).parents[3] / "examples" / "data" / "ds003029_pt01_clip" / "pt01_sz1_m1s_p2s.npz"


def test_values_names_and_times_of_an_array(sines):
    signal = sines(3, 10, 100.0)
    recording = open_recording(signal, 100.0, ["A1", "A2", "A3"], [(4, 6, ["A2"]), (1, 2)], subject="p7", name="night")
    assert recording.channel_names == ["A1", "A2", "A3"]
    assert recording.sampling_rate == 100.0
    assert recording.duration == 10.0
    assert (recording.subject, recording.name) == ("p7", "night")
    assert recording.seizures == [(1.0, 2.0, None), (4.0, 6.0, ["A2"])]
    stretch = recording.read(2.0, 3.5)
    assert stretch.dtype == np.float32
    np.testing.assert_array_equal(stretch, signal[:, 200:350].astype(np.float32))
    np.testing.assert_array_equal(recording.read_samples(7, 8), signal[:, 7:8].astype(np.float32))
    np.testing.assert_array_equal(recording.read(), signal.astype(np.float32))


@pytest.mark.parametrize("stretch", [(-0.1, 1), (2, 2), (3, 2), (9, 10.5), (0, float("nan"))])
def test_stretches_outside_the_recording_are_refused(sines, stretch):
    recording = open_recording(sines(1, 10, 100.0), 100.0)
    with pytest.raises(ValueError, match=r"array"):
        recording.read(*stretch)


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e6), ("mV", 1e3), ("uV", 1), ("µV", 1), ("μV", 1), ("nV", 1e-3)])
def test_unit_of_an_array(sines, unit, factor):
    signal = sines(2, 2, 100.0)
    np.testing.assert_allclose(open_recording(signal / factor, 100.0, unit=unit).read(), signal, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "clock",
    [
        np.arange(4000) / 200,
        np.arange(4000) * 5,
        1.7e9 + np.arange(4000) / 200,
        # Milliseconds of a counter of whole numbers.
        np.floor(np.arange(4000) * 1000 / 2048),
    ],
)
def test_a_column_of_times_is_no_channel(sines, clock):
    signal = np.vstack([clock, sines(2, 20, 200.0)])
    with pytest.warns(
        UserWarning, match=r"CH1 rises by the same step with each sample.*channel_types=\{\"CH1\": \"seeg"
    ):
        recording = open_recording(signal, 200.0)
    assert recording.channel_names == ["CH2", "CH3"]
    np.testing.assert_allclose(recording.read(1, 2), signal[1:, 200:400], rtol=1e-6)
    if clock.std() < 5e3:
        assert open_recording(signal, 200.0, channel_types={"CH1": "seeg"}).num_channels == 3


def test_what_rises_like_a_signal_is_a_channel(sines):
    samples = np.arange(4000)
    rng = np.random.default_rng(0)
    drift, slow = samples + rng.normal(0, 30, 4000), 500 * np.sin(samples / 20_000)
    signal = np.vstack([drift, slow, np.full(4000, 7.0), np.where(samples < 2000, 0.0, 50.0)])
    assert open_recording(signal, 200.0).num_channels == 4


def test_a_rate_at_which_nothing_is_recorded_is_told(sines):
    with pytest.warns(UserWarning, match=r"sampling rate is 0.25 Hz, at which no EEG is recorded.*told in kHz"):
        open_recording(sines(1, 20, 200.0), 0.25)


def test_unknown_unit_names_the_known_ones(sines):
    with pytest.raises(ValueError, match=r"'volts'.*'V', 'mV', 'uV', 'nV'"):
        open_recording(sines(1, 1, 100.0), 100.0, unit="volts")


def test_amplitudes_that_no_electrode_gives_are_refused_with_the_remedy(sines):
    with pytest.raises(ValueError, match=r'unit="uV"'):
        open_recording(sines(2, 2, 100.0) * 1e13, 100.0)
    assert open_recording(sines(2, 2, 100.0) * 1e6, 100.0, unit="uV").read().max() > 1e6


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e6), ("mV", 1e3)])
def test_an_array_in_other_units_is_known_by_its_amplitude(sines, unit, factor):
    signal = sines(2, 2, 100.0)
    with pytest.warns(UserWarning, match=f'CH1, CH2.*unit="{unit}"'):
        recording = open_recording(signal / factor, 100.0)
    np.testing.assert_allclose(recording.read(), signal, rtol=1e-5, atol=1e-4)


def test_flat_channels_do_not_look_like_a_wrong_unit(sines, recwarn):
    signal = sines(5, 2, 100.0)
    signal[1:3] = [[0], [1234.567]]
    open_recording(signal, 100.0)
    open_recording(np.zeros((2, 100)), 100.0)
    assert not recwarn.list


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int16])
def test_tensors_are_arrays(sines, dtype):
    tensor = torch.from_numpy(sines(2, 10, 100.0)).to(dtype)
    expected = tensor.to(torch.float32).numpy()
    tensor.requires_grad_(tensor.is_floating_point())
    for given, rate in ((tensor, 100.0), ({"array": tensor, "sampling_rate": 100.0}, None)):
        np.testing.assert_array_equal(open_recording(given, rate).read(), expected)


def test_missing_samples_stay_missing(sines):
    signal = sines(2, 10, 100.0)
    signal[0, 100:200] = np.nan
    signal[1] = np.nan
    read = open_recording(signal, 100.0).read()
    np.testing.assert_array_equal(np.isnan(read), np.isnan(signal))


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(100), r"\(100,\).*expected \(channels, samples\): pass signal\[None\]"),
        (np.zeros((1, 2, 3)), r"\(1, 2, 3\).*expected \(channels, samples\)"),
        (np.zeros((0, 10)), "empty"),
        (np.zeros((500, 4)), "more channels than samples.*transpose"),
        (np.zeros((2, 9), dtype=complex), "complex"),
        (np.full((2, 9), "a"), "expected real numbers"),
    ],
)
def test_arrays_that_are_no_recording(signal, message):
    with pytest.raises(ValueError, match=message):
        open_recording(signal, 100.0)


@pytest.mark.parametrize("rate", [None, 0, -1, float("inf"), float("nan")])
def test_impossible_sampling_rates(rate):
    with pytest.raises(ValueError, match="sampling rate"):
        open_recording(np.ones((1, 10)), rate)


def test_an_array_without_a_rate_says_where_it_goes():
    with pytest.raises(ValueError, match=r'sampling_rate=\S+ \(Hz\), or {"array": \S+ "sampling_rate": \S+}'):
        open_recording({"array": np.ones((1, 10))})


def test_wrong_number_of_names():
    with pytest.raises(ValueError, match="2 channel names for 3 channels"):
        open_recording(np.ones((3, 10)), 100.0, ["A1", "A2"])


def test_repeated_names_become_unique_always_in_the_same_way():
    with pytest.warns(UserWarning, match=r"\['A1'\]"):
        recording = open_recording(np.ones((5, 10)), 100.0, ["A1", "A2", "A1", "A1-0", "A1"])
    assert recording.channel_names == ["A1-1", "A2", "A1-2", "A1-0", "A1-3"]


def test_three_hundred_channels_and_one(sines):
    assert open_recording(sines(300, 10, 100.0), 100.0).read(0, 1).shape == (300, 100)
    assert open_recording(sines(1, 10, 100.0), 100.0).read(0, 1).shape == (1, 100)


def test_npy_is_mapped_not_loaded(tmp_path, sines):
    signal = sines(3, 10, 100.0)
    np.save(tmp_path / "rec.npy", signal)
    with pytest.warns(UserWarning, match="subject="):
        recording = open_recording(tmp_path / "rec.npy", 100.0)
    np.testing.assert_array_equal(recording.read(1, 2), signal[:, 100:200].astype(np.float32))
    assert len(pickle.dumps(recording)) < 2000


def test_npz_carries_rate_names_subject_and_seizures(tmp_path, sines, recwarn):
    signal = sines(2, 10, 100.0)
    np.savez(
        tmp_path / "rec.npz",
        data=signal,
        sampling_rate=100.0,
        channel_names=["B1", "B2"],
        subject="p1",
        seizures=[[1, 2], [3, 4]],
    )
    recording = open_recording(tmp_path / "rec.npz")
    assert (recording.channel_names, recording.sampling_rate, recording.subject) == (["B1", "B2"], 100.0, "p1")
    assert recording.seizures == [(1.0, 2.0, None), (3.0, 4.0, None)]
    np.testing.assert_array_equal(recording.read(1, 2), signal[:, 100:200].astype(np.float32))
    assert len(pickle.dumps(recording)) < 2000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(1, 2), recording.read(1, 2))
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore:.*does not tell its subject")
@pytest.mark.parametrize(
    ("unit", "factor"),
    [("mV", 1e-3), ("V", 1e-6), (["uV", "mV"], [[1], [1e-3]]), (np.array([b"mV"]), 1e-3)],
)
def test_npz_states_its_unit(tmp_path, sines, unit, factor):
    signal = sines(2, 10, 100.0)
    names = np.array([b"A1", b"A2"])
    np.savez(tmp_path / "rec.npz", data=signal * factor, fs=[100], unit=unit, channels=names)
    recording = open_recording(tmp_path / "rec.npz")
    assert (recording.channel_names, recording.sampling_rate) == (["A1", "A2"], 100.0)
    np.testing.assert_allclose(recording.read(), signal, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"fs": [100.0, 200.0]}, "2 sampling rates; expected one"),
        ({"fs": 100.0, "unit": ["uV"] * 3}, "3 units for 2 channels"),
        ({"fs": "fast"}, "rec.npz.*'fast'"),
        ({"fs": 100, "seizure_onset_s": [1, 5], "seizure_offset_s": [2]}, "2 values in seizure_onset_s and 1 in"),
        ({"fs": 100, "seizures": [[1], [2]]}, r"seizures has shape \(2, 1\)"),
        ({}, "sampling rate is not known; pass sampling_rate="),
    ],
)
def test_npz_with_what_does_not_fit(tmp_path, sines, members, message):
    np.savez(tmp_path / "rec.npz", data=sines(2, 10, 100.0), **members)
    with pytest.raises(ValueError, match=message):
        open_recording(tmp_path / "rec.npz")


def test_integers_stay_as_they_are(tmp_path):
    signal = np.arange(-500, 500, dtype=np.int16)[None] * 2
    np.savez(tmp_path / "rec.npz", data=signal, fs=100.0, subject="p1")
    np.testing.assert_array_equal(open_recording(tmp_path / "rec.npz").read(), signal.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("ictal", [False, True, False], True),
        ("labels", [0, 1, 0], True),  # no names, as there are two
        ("labels", [7, 8, 9], False),
        ("start", [0, 0], False),
    ],
)
def test_npz_of_clips_is_told(tmp_path, sines, name, values, told):
    np.savez(tmp_path / "clips.npz", data=sines(3, 10, 100.0), fs=100.0, **{name: values})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = open_recording(tmp_path / "clips.npz")
    assert [name in str(each.message) for each in caught if "clip of its own" in str(each.message)] == [True] * told
    assert len(set(recording.channel_names)) == 3


@pytest.mark.parametrize("key", ["seeg", "ecog", "lfp"])
def test_npz_knows_its_signal_by_its_name(tmp_path, sines, key):
    signal = sines(3, 10, 200.0)
    np.savez(tmp_path / "rec.npz", **{"spikes": np.zeros((3, 2000)), key: signal, "fs": 200.0})
    np.testing.assert_allclose(open_recording(tmp_path / "rec.npz").read(2, 3), signal[:, 400:600], rtol=1e-5)


def test_npz_without_a_clear_signal(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.ones((2, 9)), b=np.ones((2, 9)))
    with pytest.raises(ValueError, match=r"two.npz.*\['a', 'b'\].*'data'"):
        open_recording(tmp_path / "two.npz", 100.0)


@pytest.mark.parametrize("name", ["rec.npy", "rec.npz"])
def test_text_named_as_numpy_file(tmp_path, name):
    (tmp_path / name).write_text("not numbers at all")
    with pytest.raises(ValueError, match=name):
        open_recording(tmp_path / name, 100.0)


@pytest.mark.filterwarnings("ignore:.*does not tell its subject")
def test_real_recording_with_a_seizure_onset():
    with pytest.warns(UserWarning, match=r"1.00 s has no offset.*end of the recording \(3.00 s\)"):
        recording = open_recording(CLIP)
    assert recording.num_channels == 84
    assert recording.channel_names[:2] == ["G1", "G2"]
    assert recording.seizures == [(1.0, 3.001, None)]
    # Median standard deviation of the channels that the source of the clip states: 126 microvolts.
    assert np.median(recording.read().std(axis=1)) == pytest.approx(126, abs=1)
