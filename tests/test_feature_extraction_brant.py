import json
import warnings

import numpy as np
import pytest
import torch

from brant_hf import (
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
)


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 60, (3, 6 * 250)).astype(np.float32)


def sine(frequency: float, sampling_rate: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return 100 * np.sin(2 * np.pi * frequency * times)[None].astype(np.float32)


@pytest.mark.parametrize("sampling_rate", [173.61, 250, 256, 400, 512, 1000, 5000])
def test_resampling_keeps_a_sine(sampling_rate):
    extractor = BrantFeatureExtractor(normalize="none")
    values = extractor(sine(20, sampling_rate, 12), sampling_rate=sampling_rate)["input_values"]
    assert values.shape == (1, 1, 3000)
    # Without the edges, where the filter sees the end of the signal.
    np.testing.assert_allclose(values[0, 0, 250:-250], sine(20, 250, 12)[0, 250:-250], atol=0.5)


def test_resampling_removes_what_the_model_rate_cannot_hold():
    values = BrantFeatureExtractor(normalize="none")(sine(180, 1000, 12), sampling_rate=1000)["input_values"]
    assert np.abs(values[0, 0, 250:-250]).max() < 0.01


def test_normalizations(signal):
    def normalized(**kwargs):
        return BrantFeatureExtractor(**kwargs)(signal, sampling_rate=250)["input_values"][0]

    np.testing.assert_allclose(normalized(), np.arcsinh(signal / 50), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(normalized(scale=200.0), np.arcsinh(signal / 200), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(normalized(normalize="none"), signal)
    zscore = (signal - signal.mean(1, keepdims=True)) / signal.std(1, keepdims=True)
    np.testing.assert_allclose(normalized(normalize="zscore"), zscore, rtol=1e-4, atol=1e-5)
    robust = normalized(normalize="robust")
    np.testing.assert_allclose(np.median(robust, axis=1), 0, atol=1e-3)
    quartiles = np.quantile(robust, (0.25, 0.75), axis=1)
    np.testing.assert_allclose(quartiles[1] - quartiles[0], 1.349, rtol=1e-3)


@pytest.mark.parametrize("normalize", ["zscore", "robust"])
@pytest.mark.parametrize("value", [0.1, 37.1, 1e5])
@pytest.mark.parametrize("sampling_rate", [250, 1000])
def test_constant_channels_become_zero(normalize, value, sampling_rate):
    signal = np.full((2, 6 * sampling_rate), value)
    values = BrantFeatureExtractor(normalize=normalize)(signal, sampling_rate=sampling_rate)["input_values"]
    assert not values.any()


def test_an_offset_gives_no_transient_at_the_ends():
    signal = 3000 + sine(20, 1000, 6)
    values = BrantFeatureExtractor(normalize="none")(signal, sampling_rate=1000)["input_values"][0, 0]
    assert np.abs(values - 3000 - sine(20, 250, 6)[0]).max() < 20


def test_other_kinds_of_arrays(signal):
    extractor = BrantFeatureExtractor()
    expected = extractor(signal, sampling_rate=250)["input_values"]
    tensor = torch.tensor(signal, requires_grad=True)
    for other in (tensor, [tensor], signal[None], [signal]):
        np.testing.assert_array_equal(extractor(other, sampling_rate=250)["input_values"], expected)
    masked = np.ma.masked_array(signal, mask=np.zeros_like(signal, dtype=bool))
    masked.mask[0, 10] = True
    observed = extractor(masked, sampling_rate=250, return_observed_mask=True)["observed_mask"]
    assert np.argwhere(~observed).tolist() == [[0, 0, 10]]


def test_back_to_microvolts(signal):
    for extractor in (BrantFeatureExtractor(), BrantFeatureExtractor(normalize="none")):
        values = extractor(signal, sampling_rate=250)["input_values"][0]
        np.testing.assert_allclose(extractor.to_microvolts(values), signal, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="got 'zscore'"):
        BrantFeatureExtractor(normalize="zscore").to_microvolts(values)


def test_padding_of_channels_and_of_the_last_patch(signal):
    batch = BrantFeatureExtractor(normalize="none")(
        [signal[:, :1400], signal[:1]], sampling_rate=250, return_observed_mask=True, return_tensors="pt"
    )
    assert batch["input_values"].shape == (2, 3, 1500)
    assert batch["input_values"].dtype == torch.float32
    assert batch["channel_mask"].tolist() == [[True, True, True], [True, False, False]]
    assert not batch["input_values"][0, :, 1400:].any()
    assert not batch["input_values"][1, 1:].any()
    assert batch["observed_mask"].sum((1, 2)).tolist() == [3 * 1400, 1500]


@pytest.mark.parametrize("normalize", ["asinh", "zscore", "robust", "none"])
@pytest.mark.parametrize("sampling_rate", [250, 1000])
def test_missing_samples(signal, normalize, sampling_rate):
    factor = sampling_rate // 250
    gaps = np.repeat(signal, factor, axis=1)
    gaps[0, 100 * factor : 200 * factor] = np.nan
    gaps[2] = np.nan
    batch = BrantFeatureExtractor(normalize=normalize)(gaps, sampling_rate=sampling_rate, return_observed_mask=True)
    observed = batch["observed_mask"][0]
    assert np.isfinite(batch["input_values"]).all()
    assert not batch["input_values"][0][~observed].any()
    assert not observed[2].any()
    assert observed[1].all()
    # At another rate, samples next to a gap are made from missing ones too.
    assert not observed[0, 101:199].any()
    assert observed[0, :98].all()
    assert observed[0, 202:].all()


@pytest.mark.parametrize(
    ("sampling_rate", "missing", "expected"), [(1000, 101, [25]), (125, 10, [18, 19, 20, 21, 22])]
)
def test_a_sample_made_from_a_missing_one_is_missing(sampling_rate, missing, expected):
    signal = np.random.default_rng(0).normal(size=(1, 6 * sampling_rate))
    signal[0, missing] = np.nan
    batch = BrantFeatureExtractor()(signal, sampling_rate=sampling_rate, return_observed_mask=True)
    assert np.flatnonzero(~batch["observed_mask"][0, 0]).tolist() == expected


def test_gaps_are_bridged_before_resampling():
    signal = np.full((1, 6000), 1000.0)
    signal[0, 2000:3000] = np.nan
    values = BrantFeatureExtractor(normalize="none")(signal, sampling_rate=1000, return_observed_mask=True)
    observed = values["observed_mask"][0]
    np.testing.assert_allclose(values["input_values"][0][observed], 1000, atol=0.01)


def test_missing_samples_do_not_enter_the_statistics(signal):
    gaps = signal.copy()
    gaps[:, :700] = np.nan
    values = BrantFeatureExtractor(normalize="zscore")(gaps, sampling_rate=250, return_observed_mask=True)
    rest = signal[:, 700:]
    expected = (rest - rest.mean(1, keepdims=True)) / rest.std(1, keepdims=True)
    np.testing.assert_allclose(values["input_values"][0, :, 700:], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("signals", "arguments", "message"),
    [
        (np.zeros((1, 1500)), {"sampling_rate": None}, "sampling rate of `signals` in Hz, got None"),
        (np.zeros((1, 1500)), {"sampling_rate": 0}, "got 0"),
        (np.zeros((1, 1500)), {"sampling_rate": float("nan")}, "got nan"),
        (np.zeros(1500), {}, r"2 dimensions \(num_channels, num_samples\), got shape \(1500,\)"),
        (None, {}, "real numbers, got object"),
        ("abc", {}, "real numbers, got <U3"),
        (np.zeros((1, 1500), dtype=complex), {}, "real numbers, got complex128"),
        (np.zeros((1, 1500)), {"sampling_rate": "250"}, "got '250'"),
        (np.zeros((3, 5)), {"sampling_rate": 50000}, "5 samples at 50000 Hz is shorter than one sample at the 250 Hz"),
        ([np.zeros(1500)], {}, r"got shape \(1500,\)"),
        (np.zeros((0, 1500)), {}, r"empty: shape \(0, 1500\)"),
        (np.zeros((2, 0)), {}, r"empty: shape \(2, 0\)"),
        ([], {}, "at least one array"),
        (np.zeros((1500, 3)), {}, "more channels than samples; .* pass its transpose"),
        ([np.zeros((1, 1500)), np.zeros((1500, 1))], {}, "Signal 1 has shape"),
        (1e6 * np.tile([-1.0, 1.0], (2, 750)), {}, r"standard deviation of 1e\+06 microvolts, which no electrode"),
        (np.full((1, 1500), np.inf), {}, "infinite values in 1 channels"),
        (np.full((1, 1500), 1e300), {}, "infinite values in 1 channels"),
        (np.full((1, 1500), np.nan), {}, "NaN in 1 channels. Pass `return_observed_mask=True`"),
        ([np.zeros((1, 1500)), np.zeros((1, 1501))], {}, r"same number of patches .* got \[1, 2\]"),
        (np.zeros((1, 15 * 1500 + 1)), {}, r"at most 15 patches \(90 s\), got 16 patches"),
    ],
)
def test_bad_signals(signals, arguments, message):
    with pytest.raises(ValueError, match=message):
        BrantFeatureExtractor()(signals, **{"sampling_rate": 250, **arguments})


def test_volts_are_told_at_the_line_of_the_user(signal):
    signal[0, :10] = np.nan
    with pytest.warns(UserWarning, match=r"only [56]\.?\d*e-05 microvolts.*volts") as caught:
        BrantFeatureExtractor()([signal * 1e-6], sampling_rate=250, return_observed_mask=True)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BrantFeatureExtractor()([signal, np.zeros((1, 1500))], sampling_rate=250, return_observed_mask=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"normalize": "minmax"}, "asinh, zscore, robust, none, got 'minmax'"),
        ({"normalize": ["asinh"]}, r"asinh, zscore, robust, none, got \['asinh'\]"),
        ({"scale": 0.0}, "`scale` must be a number, finite and greater than 0, got 0.0"),
        ({"scale": [50]}, r"`scale` must be a number, finite and greater than 0, got \[50\]"),
        ({"sampling_rate": -1}, "`sampling_rate` must be a number, finite and greater than 0, got -1"),
        ({"sampling_rate": "250"}, "`sampling_rate` must be a number, finite and greater than 0, got '250'"),
        ({"sampling_rate": True}, "`sampling_rate` must be a number, finite and greater than 0, got True"),
        ({"patch_length": 1.5}, "`patch_length` must be a whole number greater than 0, got 1.5"),
        ({"num_patches": [15]}, r"`num_patches` must be a whole number greater than 0, got \[15\]"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        BrantFeatureExtractor(**arguments)


def test_settings_travel_with_the_checkpoint(tmp_path, signal):
    extractor = BrantFeatureExtractor(sampling_rate=500, patch_length=700, num_patches=5, scale=12.5)
    extractor.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "preprocessor_config.json").read_text())["scale"] == 12.5
    loaded = BrantFeatureExtractor.from_pretrained(tmp_path)
    first, second = (fe(signal, sampling_rate=250)["input_values"] for fe in (extractor, loaded))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "model_class",
    [
        BrantModel,
        BrantForPreTraining,
        BrantForForecasting,
        BrantForFrequencyPhaseForecasting,
        BrantForImputation,
        BrantForSeizureDetection,
    ],
)
def test_output_fits_every_model(small_config, model_class):
    config = small_config()
    extractor = BrantFeatureExtractor(config.sampling_rate, config.patch_length, config.num_patches)
    signals = [np.random.default_rng(n).normal(0, 50, (n, 200)) for n in (1, 4)]
    batch = extractor(
        signals, sampling_rate=500, return_tensors="pt", return_observed_mask=model_class is BrantForImputation
    )
    outputs = model_class(config)(**batch)
    assert outputs.to_tuple()[-1].shape[:2] == (2, 4)
