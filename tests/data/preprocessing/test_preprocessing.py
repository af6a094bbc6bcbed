from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import soxr

from brant_hf.data import Preprocessing, open_recording, preprocess
from brant_hf.data.recordings.contacts import bipolar_pairs, split_contact_name

RATE = 1000.0


def sine(frequency: float, rate: float = RATE, seconds: float = 20.0, amplitude: float = 100.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def run(recording, chunk_s: float | None = None, **settings) -> np.ndarray:
    settings = {"line_noise": None, "high_pass": None, **settings}
    return np.concatenate(list(preprocess(recording, Preprocessing(**settings)).chunks(chunk_s)), axis=1)


def rms(signal: np.ndarray) -> float:
    return float(np.sqrt(np.mean(signal**2)))


def test_settings_survive_json():
    settings = Preprocessing(
        reference="bipolar", line_noise=60.0, low_pass=100.0, max_gap=0.2, amplitude_range=(10.0, 100.0)
    )
    text = json.dumps(settings.to_dict())
    assert Preprocessing.from_dict(json.loads(text)) == settings
    assert json.loads(text)["line_noise"] == 60.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reference": "laplacian"}, "reference"),
        ({"line_noise": "both"}, "line_noise"),
        ({"high_pass": -1.0}, "high_pass"),
        ({"high_pass": 70.0, "low_pass": 30.0}, "below low_pass"),
        ({"high_pass": 130.0}, "half the rate"),
        ({"sampling_rate": 0.0}, "sampling_rate"),
        ({"max_gap": -0.1}, "max_gap"),
        ({"flat": "hide"}, "flat"),
        ({"amplitude_range": (100.0, 10.0)}, "amplitude_range"),
        ({"amplitude_range": (0.0, 10.0)}, "amplitude_range"),
        ({"typical_amplitude": 0.0}, "typical_amplitude"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**settings)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="colour"):
        Preprocessing.from_dict({"colour": "blue"})


# Amplitude


@pytest.mark.parametrize(
    ("deviation", "expected"), [(2.0, 10.0), (10.5, 10.5), (40.0, 40.0), (95.0, 95.0), (3000.0, 100.0)]
)
@pytest.mark.parametrize("missing", [False, True])
def test_recordings_of_doubtful_unit_are_brought_into_a_range(deviation, expected, missing):
    """One factor for all channels, by the typical one; a loud minute and a broken channel make no difference."""
    rng = np.random.default_rng(0)
    signal = deviation * rng.standard_normal((5, 60_000)) * np.array([[0.5], [1], [1], [1], [2]])
    signal[:, 6_000:9_000] *= 50
    signal[4] += 1e5
    if missing:
        signal[3] = signal[0, :3_000] = np.nan
    recording = open_recording(signal.astype(np.float32), RATE)
    settings = {"sampling_rate": RATE, "line_noise": None, "high_pass": None, "flat": "keep"}
    plain = preprocess(recording, Preprocessing(**settings))
    scaled = preprocess(recording, Preprocessing(**settings, amplitude_range=(10.0, 100.0)))
    assert plain.gain == 1
    assert scaled.gain == pytest.approx(expected / deviation, rel=0.05)
    np.testing.assert_allclose(scaled.read_all(), scaled.gain * plain.read_all(), rtol=1e-3, atol=0.02 * scaled.gain)


@pytest.mark.parametrize(
    ("seconds", "deviation", "amplitude_range", "expected"),
    [
        # 300 s have the weight of what is usual: half the way from 20 to 50 microvolts in the logarithm.
        (300, 20.0, None, (50 / 20) ** 0.8),
        (150, 20.0, None, (50 / 20) ** 0.5),
        (50, 20.0, None, (50 / 20) ** 0.1),
        # First to the edge of the range, and from there.
        (300, 2000.0, (10.0, 100.0), 100 / 2000 * (50 / 100) ** 0.8),
    ],
)
def test_a_recording_is_brought_to_a_typical_amplitude_as_far_as_it_is_long(
    seconds, deviation, amplitude_range, expected
):
    signal = deviation * np.random.default_rng(0).standard_normal((2, seconds * 250), dtype=np.float32)
    settings = Preprocessing(line_noise=None, amplitude_range=amplitude_range, typical_amplitude=50.0)
    assert preprocess(open_recording(signal, 250.0), settings).gain == pytest.approx(expected, rel=0.06)


def test_drift_does_not_count_as_amplitude():
    rng = np.random.default_rng(0)
    time = np.arange(60_000) / RATE
    signal = 200 * rng.standard_normal((3, 60_000)) + 50_000 * np.sin(2 * np.pi * 0.02 * time)
    prepared = preprocess(
        open_recording(signal.astype(np.float32), RATE), Preprocessing(amplitude_range=(10.0, 100.0))
    )
    assert prepared.gain == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("line", [50.0, 60.0])
def test_line_noise_does_not_count_as_amplitude(line):
    rng = np.random.default_rng(0)
    signal = 20 * rng.standard_normal((3, 60_000)) + sine(line, seconds=60_000 / RATE, amplitude=1000)
    prepared = preprocess(
        open_recording(signal.astype(np.float32), RATE), Preprocessing(amplitude_range=(60.0, 100.0))
    )
    assert prepared.gain == pytest.approx(3, rel=0.05)


def test_open_inputs_do_not_count_as_amplitude():
    """Eight of ten inputs have nothing but the noise of the amplifier."""
    deviation = np.array([[20.0]] * 2 + [[0.2]] * 8)
    signal = deviation * np.random.default_rng(0).standard_normal((10, 60_000))
    prepared = preprocess(
        open_recording(signal.astype(np.float32), RATE), Preprocessing(amplitude_range=(60.0, 100.0))
    )
    assert prepared.gain == pytest.approx(3, rel=0.05)


def test_missing_samples_do_not_count_as_amplitude():
    rng = np.random.default_rng(0)
    signal = 20 * rng.standard_normal((3, 60_000))
    signal[rng.random(signal.shape) < 0.7] = np.nan
    prepared = preprocess(
        open_recording(signal.astype(np.float32), RATE), Preprocessing(amplitude_range=(60.0, 100.0))
    )
    assert prepared.gain == pytest.approx(3, rel=0.1)


def test_a_silent_recording_keeps_its_values():
    signal = np.zeros((2, 20_000), np.float32)
    signal[:, 10_000] = 5.0
    assert preprocess(open_recording(signal, RATE), Preprocessing(amplitude_range=(10.0, 100.0))).gain == 1


# Chunks


@pytest.mark.parametrize("rate", [1000.0, 250.0, 200.0, 173.61])
@pytest.mark.parametrize("reference", ["none", "average", "bipolar"])
@pytest.mark.parametrize("high_pass", [0.5, None])
def test_chunks_do_not_change_the_result(make_recording, rate, reference, high_pass):
    rng = np.random.default_rng(1)
    samples = round(23.7 * rate)
    signal = 500 + np.cumsum(rng.standard_normal((4, samples)), axis=1)
    signal[0, 300:310] = np.nan
    signal[1, 900 : 900 + round(2 * rate)] = np.nan
    signal[2, : round(rate)] = np.nan
    signal[3, -5:] = np.nan
    recording = make_recording(signal, rate, names=["A1", "A2", "A3", "A4"])
    settings = {"reference": reference, "high_pass": high_pass, "line_noise": 50.0 if high_pass else None}
    whole = run(recording, 1e6, **settings)
    assert np.isnan(whole).any()
    assert abs(whole.shape[1] - samples * 250 / rate) <= 1
    for chunk_s in (0.05, 0.777, 10.0):
        pieces = run(recording, chunk_s, **settings)
        np.testing.assert_array_equal(np.isnan(pieces), np.isnan(whole))
        np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(whole)))


def test_a_long_recording_is_read_in_small_pieces(make_recording, monkeypatch):
    recording = make_recording(channels=100, seconds=400)
    longest = 0
    read = type(recording).read

    def watched(self, start_s, stop_s):
        nonlocal longest
        longest = max(longest, stop_s - start_s)
        return read(self, start_s, stop_s)

    monkeypatch.setattr(type(recording), "read", watched)
    produced = [block.shape[1] for block in preprocess(recording, Preprocessing()).chunks()]
    assert sum(produced) == 100_000
    assert longest <= 80
    assert max(produced) <= 2 * 80 * 250


def test_a_recording_that_gives_fewer_samples_than_it_says_is_an_error(make_recording, monkeypatch):
    recording = make_recording(seconds=30)
    prepared = preprocess(recording)
    monkeypatch.setattr(type(recording), "read", lambda self, start, stop: np.zeros((3, 10), np.float32))
    with pytest.raises(OSError, match="10 samples instead of 7500"):
        list(prepared.chunks())


def test_the_signal_of_the_recording_is_not_changed(make_recording):
    signal = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    signal[0, 10:13] = np.nan
    copy = signal.copy()
    recording = make_recording(signal)
    recording.source = lambda start, stop: signal[:, start:stop]
    run(recording, high_pass=0.5)
    np.testing.assert_array_equal(signal, copy)


# Resampling


@pytest.mark.parametrize("rate", [1000.0, 512.0, 200.0, 173.61])
def test_resampling_is_that_of_soxr_and_keeps_phase(make_recording, rate):
    signal = np.stack([sine(7, rate), sine(31, rate)])
    out = run(make_recording(signal, rate), 1.3)
    expected = soxr.resample(signal.T.astype(np.float32), rate, 250.0).T
    inside = slice(250, -250)
    np.testing.assert_allclose(out[:, inside], expected[:, inside], atol=0.05)
    np.testing.assert_allclose(out[0, inside], sine(7, 250.0)[: out.shape[1]][inside], atol=0.3)


def test_the_model_rate_leaves_samples_as_they_are(make_recording):
    signal = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32) + 300
    np.testing.assert_allclose(run(make_recording(signal)), signal, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 300])
def test_any_number_of_channels(make_recording, channels):
    recording = make_recording(channels=channels, seconds=6, rate=500.0)
    assert run(recording, high_pass=0.5, line_noise=50.0).shape == (channels, 1500)


def test_a_recording_shorter_than_the_filter(make_recording):
    out = run(make_recording(seconds=0.2), high_pass=0.5, line_noise=50.0)
    assert out.shape == (3, 50)
    assert np.isfinite(out).all()


# Filters


@pytest.mark.parametrize("line", [50.0, 60.0])
def test_the_notch_takes_out_the_line_and_its_harmonics_only(make_recording, line):
    kept = sine(30) + sine(line + 10, amplitude=20)
    signal = kept + sine(line, amplitude=200) + sine(2 * line, amplitude=50)
    out = run(make_recording(signal[None], RATE), line_noise=line)
    expected = run(make_recording(kept[None], RATE))
    inside = slice(1000, -1000)
    assert rms(out[0, inside] - expected[0, inside]) < 0.005 * 200
    assert rms(out[0, inside]) > 0.98 * rms(expected[0, inside])


@pytest.mark.parametrize(
    ("line", "doubtful"), [(7.0, True), (100.0, True), (50.0, False), (60.2, False), (16.7, False)]
)
def test_a_frequency_of_no_power_line_is_told(make_recording, line, doubtful):
    recording = make_recording(np.random.default_rng(0).normal(0, 50, (2, 4000)), RATE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        preprocess(recording, Preprocessing(line_noise=line))
    assert any(f"line_noise is {line:g} Hz" in str(each.message) for each in caught) == doubtful


@pytest.mark.parametrize(("rate", "told"), [(4 * RATE, False), (40 * RATE, True)])
def test_a_rate_far_above_the_recorded_one_is_told(make_recording, rate, told):
    recording = make_recording(np.random.default_rng(0).normal(0, 50, (2, 4000)), RATE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        preprocess(recording, Preprocessing(sampling_rate=rate))
    assert any("more samples tell nothing more" in str(each.message) for each in caught) == told


@pytest.mark.parametrize(("name", "value"), [("high_pass", "a"), ("sampling_rate", None), ("low_pass", "auto")])
def test_what_is_no_frequency_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}; it must be a positive number of Hz"):
        Preprocessing(**{name: value})


def _with_inputs(noise, count, *, hum, loudness):
    """`count` contacts of 50 microvolts; the first one `loudness` times as loud, and with line noise."""
    signal = noise(count, 40 * int(RATE))
    signal[0] *= loudness
    signal[0] += hum * np.sin(2 * np.pi * 50 * np.arange(signal.shape[1]) / RATE)
    return signal


@pytest.mark.parametrize(
    ("count", "hum", "loudness", "is_left_out"),
    [
        (6, 1000.0, 3.0, True),
        (6, 1000.0, 1.0, False),  # a contact that picks up the mains
        (6, 50.0, 3.0, False),  # loud, with little line noise
        (3, 1000.0, 3.0, False),  # of three nobody knows which is right
    ],
)
def test_open_inputs_are_left_out(make_recording, noise, count, hum, loudness, is_left_out):
    recording = make_recording(_with_inputs(noise, count, hum=hum, loudness=loudness), RATE)
    with warnings.catch_warnings(record=True):
        prepared = preprocess(recording, Preprocessing())
        kept = preprocess(recording, Preprocessing(open_inputs="keep"))
    first = recording.channel_names[0]
    assert (first not in prepared.channel_names) == is_left_out
    assert kept.channel_names == recording.channel_names
    if is_left_out:
        assert set(prepared.dropped_channels) == {first}
        # 1000**2 / 2 microvolts squared of line noise beside 150**2.
        reason = "open input or loose contact: 96% line noise, and 3.0 times as loud as the others without it"
        assert prepared.dropped_channels[first] == reason


def test_settings_may_be_a_dictionary(make_recording):
    recording = make_recording(np.random.default_rng(0).normal(0, 50, (2, 4000)), RATE)
    assert preprocess(recording, {"high_pass": 2.0}).preprocessing == Preprocessing(high_pass=2.0)
    with pytest.raises(ValueError, match="unknown preprocessing settings: highpass"):
        preprocess(recording, {"highpass": 2.0})


def test_a_notch_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="line_noise is 1 Hz; each notch is 2 Hz wide"):
        Preprocessing(line_noise=1.0)


@pytest.mark.parametrize(
    ("frequencies", "found"), [((50.0,), 50.0), ((60.0, 120.0), 60.0), ((), None), ((55.0,), None)]
)
def test_the_line_frequency_is_found_in_the_spectrum(make_recording, frequencies, found):
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.standard_normal((3, 20_000)), axis=1) + sum(sine(f, amplitude=15) for f in frequencies)
    assert preprocess(make_recording(signal, RATE), Preprocessing()).line_frequency == found


@pytest.mark.parametrize("seconds", [0.02, 0.22, 0.25, 0.37, 0.6, 1.1])
def test_line_noise_of_a_fraction_of_a_second_is_not_looked_for_where_frequencies_are_apart(make_recording, seconds):
    """By 4.5 Hz of 0.22 s, none is within 0.75 Hz of 50 Hz, and some are at 2 to 6 Hz from it."""
    signal = np.random.default_rng(0).standard_normal((2, round(seconds * 1000)))
    assert preprocess(make_recording(signal, 1000.0), Preprocessing()).line_frequency is None


def test_the_band_pass_keeps_its_band_without_delay(make_recording):
    kept = sine(10, 250.0, 40)
    signal = kept + 5000 + 3 * np.arange(10_000) / 250 + sine(100, 250.0, 40)
    out = run(make_recording(signal[None]), high_pass=1.0, low_pass=40.0)
    inside = slice(1000, -1000)
    np.testing.assert_allclose(out[0, inside], kept[inside], atol=0.6)


def test_the_high_pass_has_half_amplitude_at_its_edge(make_recording):
    out = run(make_recording(sine(0.5, 250.0, 120)[None]), high_pass=0.5)
    assert rms(out[0, 5000:-5000]) == pytest.approx(0.5 * 100 / np.sqrt(2), rel=0.03)


def test_an_offset_makes_no_edge(make_recording):
    """A step at the ends or at chunk borders would be thousands of microvolts."""
    noise = np.random.default_rng(0).standard_normal((2, 10_000))
    out = run(make_recording(noise + np.array([[8000], [-20_000]]), RATE), 0.5, high_pass=0.5)
    assert np.abs(out).max() < 5


def test_a_drift_makes_no_edge(make_recording):
    drift = 200 * np.arange(10_000) / 250  # goes on beyond both ends, as far as the filter knows
    out = run(make_recording(drift[None]), high_pass=0.5)
    assert np.abs(out).max() < 5


# Reference


def test_the_average_reference_takes_off_the_mean_of_the_channels(make_recording):
    signal = np.random.default_rng(0).standard_normal((4, 1000)) + np.array([[100.0], [-50], [7], [0]])
    out = run(make_recording(signal), reference="average")
    np.testing.assert_allclose(out, signal - signal.mean(axis=0), atol=1e-4)


def test_missing_samples_do_not_enter_the_average(make_recording):
    signal = 50 * np.random.default_rng(0).standard_normal((3, 1000))
    signal[0, 200:600] = np.nan
    out = run(make_recording(signal), reference="average", high_pass=None)
    assert np.isnan(out[0, 200:600]).all()
    # Channels are centred before they are averaged, which shifts the mean of two by a constant.
    difference = out[1, 200:600] - (signal[1] - signal[2])[200:600] / 2
    assert difference.std() < 1e-3
    assert abs(difference.mean()) < 5


def test_the_average_of_one_channel_is_refused(make_recording):
    with pytest.raises(ValueError, match="at least two"):
        run(make_recording(channels=1), reference="average")


@pytest.mark.parametrize(
    ("name", "contact"),
    [
        ("A'1", ("A'", 1)),
        ("LAH2", ("LAH", 2)),
        ("POL B10", ("B", 10)),
        ("EEG TP'07-Ref", ("TP'", 7)),
        ("G_12", ("G", 12)),
        ("LA 3", ("LA", 3)),
        ("A1-A2", None),
        ("EKG", None),
        ("12", None),
    ],
)
def test_contact_names(name, contact):
    assert split_contact_name(name) == contact


def test_bipolar_pairs_of_unequal_shafts_with_missing_contacts():
    names = ["A'1", "LAH2", "POL B10", "A'2", "A'3", "A'5", "LAH1", "POL B9", "EKG", "C1", "C 1"]
    pairs, alone = bipolar_pairs(names)
    assert pairs == [
        ("A'1-A'2", "A'1", "A'2"),
        ("A'2-A'3", "A'2", "A'3"),
        ("LAH1-LAH2", "LAH1", "LAH2"),
        ("B9-B10", "POL B9", "POL B10"),
    ]
    assert alone == {
        "A'5": "no neighbouring contact on shaft A'",
        "EKG": "not the name of one contact of a shaft",
        "C1": "no neighbouring contact on shaft C",
        "C 1": "same contact as C1",
    }


def test_bipolar_values_and_dropped_contacts(make_recording):
    signal = np.random.default_rng(0).standard_normal((4, 1000)) * 10
    recording = make_recording(signal, names=["B1", "A2", "A1", "B3"])
    prepared = preprocess(recording, Preprocessing(reference="bipolar", line_noise=None, high_pass=None))
    assert prepared.channel_names == ["A1-A2"]
    assert prepared.contacts == [("A1", "A2")]
    assert set(prepared.dropped_channels) == {"B1", "B3"}
    np.testing.assert_allclose(prepared.read_all(), [signal[2] - signal[1]], atol=1e-4)


def test_a_montage_of_what_is_one_already_is_refused_or_told(make_recording):
    pairs = ["A1-A2", "A2-A3", "A3-A4"]
    with pytest.raises(ValueError, match=r"reference is 'bipolar', but channels of .* are differences .*A1-A2, A2-A3"):
        run(make_recording(names=pairs), reference="bipolar")
    with pytest.warns(UserWarning, match=r"common average is that of 3 channels that are differences"):
        run(make_recording(names=pairs), reference="average")
    signal = np.random.default_rng(0).standard_normal((5, 1000)) * 10
    mixed = make_recording(signal, names=[*pairs, "B1", "B2"])
    with pytest.warns(UserWarning, match=r"leaves out 3 channels that are differences of two contacts already"):
        assert preprocess(mixed, Preprocessing(reference="bipolar")).channel_names == ["B1-B2"]


def test_a_bipolar_reference_without_pairs_is_refused(make_recording):
    with pytest.raises(ValueError, match="no two neighbouring contacts"):
        run(make_recording(names=["A1", "A3", "B1"]), reference="bipolar")


# Missing samples and flat channels


def test_short_gaps_become_straight_lines_and_long_ones_nan(make_recording):
    signal = np.tile(np.arange(1000.0), (2, 1))
    signal[:, ::2] += 0.5
    expected = signal.copy()
    signal[0, 100:125] = np.nan  # 0.1 s
    signal[1, 100:126] = np.inf
    out = run(make_recording(signal), max_gap=0.1)
    line = np.interp(np.arange(100, 125), [99, 125], expected[0, [99, 125]])
    np.testing.assert_allclose(out[0, 100:125], line, atol=1e-3)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(out[1])), np.arange(100, 126))
    np.testing.assert_allclose(np.delete(out[1], np.s_[100:126]), np.delete(expected[1], np.s_[100:126]), atol=1e-3)


def test_short_gaps_at_the_ends_repeat_their_neighbour(make_recording):
    signal = np.random.default_rng(0).standard_normal((1, 500)) + 40
    signal[0, :3] = np.nan
    signal[0, -4:] = np.nan
    out = run(make_recording(signal), 0.5)
    np.testing.assert_allclose(out[0, :3], signal[0, 3], rtol=1e-5)
    np.testing.assert_allclose(out[0, -4:], signal[0, -5], rtol=1e-5)


def test_long_gaps_are_marked_at_the_output_rate_and_do_not_ring(make_recording):
    signal = 3000 + np.random.default_rng(0).standard_normal((2, 30_000))
    signal[0, 10_000:14_000] = np.nan
    out = run(make_recording(signal, RATE), 0.7, high_pass=0.5, line_noise=50.0)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(out[0])), np.arange(2500, 3500))
    assert np.nanmax(np.abs(out)) < 5


def test_a_pair_lacks_the_samples_that_either_contact_lacks(make_recording):
    signal = np.random.default_rng(0).standard_normal((3, 1000))
    signal[0, 100:200] = np.nan
    signal[2, 150:300] = np.nan
    out = run(make_recording(signal, names=["A1", "A2", "A3"]), reference="bipolar")
    assert np.flatnonzero(np.isnan(out[0])).tolist() == list(range(100, 200))
    assert np.flatnonzero(np.isnan(out[1])).tolist() == list(range(150, 300))


def test_flat_and_empty_channels_are_dropped_with_the_reason(make_recording):
    signal = np.random.default_rng(0).standard_normal((4, 100_000))
    signal[1] = 12.5
    signal[2] = np.nan
    recording = make_recording(signal, RATE, names=["A1", "A2", "A3", "A4"])
    prepared = preprocess(recording, Preprocessing())
    assert prepared.channel_names == ["A1", "A4"]
    assert "flat" in prepared.dropped_channels["A2"]
    assert prepared.dropped_channels["A3"] == "no finite sample"
    assert preprocess(recording, Preprocessing(flat="keep")).channel_names == ["A1", "A2", "A3", "A4"]


def test_a_channel_that_only_steps_is_not_flat(make_recording):
    signal = np.random.default_rng(0).standard_normal((2, 100_000))
    signal[1] = 0
    signal[1, 60_000:] = 40
    assert not preprocess(make_recording(signal, RATE), Preprocessing()).dropped_channels


def test_nothing_but_flat_channels_is_refused(make_recording):
    with pytest.raises(ValueError, match=r"every channel .* is flat .*microvolts"):
        run(make_recording(np.ones((3, 1000))))
    with pytest.raises(ValueError, match=r"no channel of .* has a finite sample"):
        run(make_recording(np.full((3, 1000), np.nan)))


def test_a_channel_without_a_sample_is_no_warning(make_recording):
    signal = 50 * np.random.default_rng(0).standard_normal((3, 5_000))
    signal[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = preprocess(make_recording(signal))
    assert prepared.dropped_channels == {"CH2": "no finite sample"}


def test_survey_passes_over_offset_slope_and_missing_samples_of_a_stretch():
    from scipy.signal import detrend

    from brant_hf.data.preprocessing.survey import _filled

    rng = np.random.default_rng(0)
    block = (rng.standard_normal((3, 4000)) * 20 + 5000 + np.linspace(0, 300, 4000)).astype(np.float32)
    whole = np.ones(block.shape, bool)
    np.testing.assert_allclose(_filled(block, whole), detrend(block.astype(np.float64), axis=1), atol=2e-3)
    block[1, 1000:1500], block[2] = np.nan, np.inf
    finite = np.isfinite(block)
    filled = np.where(finite[1], block[1], block[1][finite[1]].mean(dtype=np.float64))
    np.testing.assert_allclose(_filled(block, finite)[1], detrend(filled), atol=2e-3)
    assert not _filled(block, finite)[2].any()


def with_gaps(recording, gaps):
    """A recording with its samples in the gaps [s] taken out, as readers give it."""
    read, rate = recording.source, recording.sampling_rate

    def source(start, stop):
        values = np.array(read(start, stop))
        moments = np.arange(start, stop) / rate
        for first, last in gaps:
            values[:, (moments >= first) & (moments < last)] = np.nan
        return values

    recording.source, recording.gaps = source, gaps
    return recording


@pytest.mark.parametrize("rate", [250.0, 256.0, 1000.0, 499.7])
@pytest.mark.parametrize("chunk_s", [None, 1.3])
def test_what_lies_between_long_gaps_is_filtered_as_a_signal_of_its_own(make_recording, rate, chunk_s):
    signal = 50 * np.random.default_rng(0).standard_normal((2, round(60 * rate)))
    signal[:, round(20 * rate) :] += 4000  # an offset that came in the gap
    gaps = [(0.0, 11.0), (16.0, 28.0), (40.0, 40.5), (45.0, 45.04)]
    settings = Preprocessing(line_noise=50.0, high_pass=1.0)
    recording = with_gaps(make_recording(signal, rate), gaps)
    prepared = preprocess(recording, settings)
    out = np.concatenate(list(prepared.chunks(chunk_s)), axis=1)
    assert out.shape == (2, 15_000)
    for start, stop in ((11.0, 16.0), (28.0, 60.0)):
        first = round(start * 250)
        expected = preprocess(open_recording(recording, start=start, stop=stop), settings).read_all()
        found = out[:, first : round(stop * 250)]
        # Offsets are estimated from other stretches.
        np.testing.assert_allclose(found, expected[:, : found.shape[1]], atol=3)
        assert abs(found.shape[1] - expected.shape[1]) <= 1
        lost = round(0.5 * 250) if start == 28 else 0
        assert np.isnan(found[0]).sum() in (lost, lost + 1)
        assert np.nanmax(np.abs(found)) < 500
        out[:, first : round(stop * 250)] = np.nan
    assert np.isnan(out).all()


def test_long_gaps_are_not_read(make_recording, monkeypatch):
    recording = with_gaps(make_recording(seconds=100), [(5.0, 90.0)])
    read, moments = type(recording).read, []

    def watched(self, start_s=0.0, stop_s=None):
        moments.append((start_s, stop_s))
        return read(self, start_s, stop_s)

    monkeypatch.setattr(type(recording), "read", watched)
    pieces = list(preprocess(recording, Preprocessing()).pieces())
    assert sum(piece.shape[1] for _, piece in pieces) == 15 * 250
    assert all(stop <= 5 or start >= 90 for start, stop in moments)


@pytest.mark.parametrize("given", [3, None, "rec.edf", np.zeros((2, 1000))])
def test_what_is_no_open_recording_is_told(given):
    with pytest.raises(ValueError, match=rf"{type(given).__name__} is no open recording; .*open_recording"):
        preprocess(given)
