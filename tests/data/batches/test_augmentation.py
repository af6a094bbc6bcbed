"""Random changes of windows, one at a time."""

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from brant_hf.data import Augmentation, AugmentedWindows
from brant_hf.data.batches import augmentation

RATE = 250.0
# Constants of the module with which it changes nothing.
PLAIN = {
    "CHANNEL_GAIN": 0.0,
    "POLARITY": 0.0,
    "SPEED": 1.0,
    "TILT": 0.0,
    "LOW_PASS": 0.0,
    "HIGH_PASS": 0.0,
    "SUBSET": 0.0,
    "NOISE": 0.0,
}


class _Draws:
    """A source of choices whose uniform numbers are given: as far up their range as `fraction`."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction
        self.generator = np.random.default_rng(0)

    def random(self) -> float:
        return 0.0

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.fraction

    def __getattr__(self, name):
        return getattr(self.generator, name)


def _row(channels: int = 4, samples: int = 3000, patches: int = 10, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "input_values": rng.normal(0, 30, (channels, samples)).astype(np.float32),
        "labels": rng.integers(0, 2, (channels, patches)).astype(np.int8),
    }


@pytest.fixture
def apply(monkeypatch):
    """Changes a row as asked, and no more: capitals are constants of the module, others are settings."""

    def changed(row: dict, rng=None, **changes) -> dict:
        for name, value in {**PLAIN, **{name: changes.pop(name) for name in list(changes) if name.isupper()}}.items():
            monkeypatch.setattr(augmentation, name, value)
        settings = {"gain": 0.0, **changes}
        return Augmentation(**settings)(row, RATE, np.random.default_rng(0) if rng is None else rng)

    return changed


def test_no_change(apply):
    row = _row()
    changed = apply(row)
    np.testing.assert_allclose(changed["input_values"], row["input_values"], atol=1e-4)
    np.testing.assert_array_equal(changed["labels"], row["labels"])
    assert changed["input_values"].dtype == np.float32


@pytest.mark.parametrize("missing", [False, True])
def test_the_row_itself_is_left_as_it_was(missing):
    row = _row()
    if missing:
        row["input_values"][0, 0] = np.nan
    kept = {name: value.copy() for name, value in row.items()}
    for value in row.values():
        value.flags.writeable = False
    Augmentation(rhythm=1.0)(row, RATE, np.random.default_rng(3))
    assert all(np.array_equal(row[name], kept[name], equal_nan=True) for name in row)


def test_logarithm_of_the_gain_has_a_laplace_distribution(apply):
    row = {"input_values": np.ones((1, 8), np.float32)}
    rng = np.random.default_rng(1)
    gains = np.log([apply(row, rng, gain=0.7)["input_values"].mean() for _ in range(2000)])
    assert scipy.stats.kstest(gains, scipy.stats.laplace(0, 0.7).cdf).pvalue > 0.01


def test_channels_have_factors_of_their_own(apply):
    row = _row(channels=2000, samples=8, patches=2)
    changed = apply(row, CHANNEL_GAIN=0.3)
    factors = (changed["input_values"] / row["input_values"]).mean(axis=1)
    assert np.log(factors).std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(("probability", "sign"), [(0.0, 1), (1.0, -1)])
def test_polarity_is_reversed_in_all_channels(apply, probability, sign):
    row = _row()
    changed = apply(row, POLARITY=probability)
    np.testing.assert_allclose(changed["input_values"], sign * row["input_values"], atol=1e-4)


def test_labels_follow_a_subset_of_the_channels(apply):
    row = _row(channels=8)
    sizes = set()
    for seed in range(40):
        changed = apply(row, np.random.default_rng(seed), SUBSET=1.0)
        # Each channel is found by its first samples.
        kept = [
            np.abs(row["input_values"][:, :50] - signal[:50]).max(axis=1).argmin()
            for signal in changed["input_values"]
        ]
        assert kept == sorted(set(kept))
        np.testing.assert_allclose(changed["input_values"], row["input_values"][kept], atol=1e-4)
        np.testing.assert_array_equal(changed["labels"], row["labels"][kept])
        sizes.add(len(kept))
    assert {1, 8} <= sizes <= set(range(1, 9))


@pytest.mark.parametrize(("fraction", "frequency"), [(0.0, 10 / 1.5), (0.5, 10.0), (1.0, 15.0)])
def test_speed_changes_the_frequency_of_a_rhythm(apply, fraction, frequency):
    time = np.arange(7500) / RATE
    row = {"input_values": np.sin(2 * np.pi * 10 * time)[None].astype(np.float32)}
    changed = apply(row, _Draws(fraction), SPEED=1.5)["input_values"]
    assert changed.shape == (1, 7500)
    frequencies, power = scipy.signal.welch(changed[0], RATE, nperseg=2500)
    assert frequencies[power.argmax()] == pytest.approx(frequency, abs=0.1)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_labels_follow_the_speed(apply, fraction):
    """The seizure is where the signal is 1; a patch has the label of the sample in its middle."""
    labels = np.array([[0, 0, 1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1, 1]], np.int8)
    row = {"input_values": np.repeat(labels, 100, axis=1).astype(np.float32), "labels": labels}
    changed = apply(row, _Draws(fraction), SPEED=1.5)
    np.testing.assert_array_equal(changed["labels"], changed["input_values"][:, 50::100] > 0.5)


def test_a_fast_window_ends_with_its_mirror_image(apply):
    row = {"input_values": np.arange(1000, dtype=np.float32)[None], "labels": np.arange(10)[None]}
    changed = apply(row, _Draws(1.0), SPEED=2.0)
    signal = changed["input_values"][0]
    np.testing.assert_allclose(signal[:500], np.arange(0, 1000, 2), atol=1e-2)
    np.testing.assert_allclose(signal[500:], np.arange(998, -1, -2), atol=1e-2)
    assert changed["labels"].tolist() == [[1, 3, 5, 7, 9, 8, 6, 4, 2, 0]]


@pytest.mark.parametrize(("fraction", "exponent"), [(0.0, -0.4), (0.25, -0.2), (1.0, 0.4)])
def test_tilt_of_white_noise(apply, fraction, exponent):
    """The spectrum of the amplitude becomes a power of the frequency, 1 at 10 Hz."""
    noise = np.random.default_rng(5).normal(0, 1, (4, 100_000)).astype(np.float32)
    changed = apply({"input_values": noise}, _Draws(fraction), TILT=0.4)["input_values"]
    frequencies, before = scipy.signal.welch(noise, RATE, nperseg=1000)
    after = scipy.signal.welch(changed, RATE, nperseg=1000)[1]
    inside = (frequencies > 2) & (frequencies < 120)
    ratio = np.sqrt(after / before).mean(axis=0)[inside]
    np.testing.assert_allclose(ratio, (frequencies[inside] / 10) ** exponent, rtol=0.03)


@pytest.mark.parametrize(
    ("changes", "order", "kind", "edge"),
    [
        ({"LOW_PASS": 1.0, "LOW_PASS_CUTOFF": (40.0, 40.0)}, 4, "low", 40.0),
        ({"HIGH_PASS": 1.0, "HIGH_PASS_CUTOFF": (5.0, 5.0)}, 2, "high", 5.0),
    ],
)
def test_filters_are_butterworth_filters(apply, changes, order, kind, edge):
    noise = np.random.default_rng(5).normal(0, 1, (4, 100_000)).astype(np.float32)
    changed = apply({"input_values": noise}, **changes)["input_values"]
    frequencies, before = scipy.signal.welch(noise, RATE, nperseg=1000)
    after = scipy.signal.welch(changed, RATE, nperseg=1000)[1]
    b, a = scipy.signal.butter(order, 2 * np.pi * edge, kind, analog=True)
    expected = np.abs(scipy.signal.freqs(b, a, 2 * np.pi * frequencies)[1])
    inside = (frequencies > 2) & (frequencies < 100)
    np.testing.assert_allclose(np.sqrt(after / before).mean(axis=0)[inside], expected[inside], rtol=0.03)


def test_noise_has_its_level_relative_to_the_channel(apply):
    row = _row(samples=20_000, patches=10)
    row["input_values"][1] *= 7
    changed = apply(row, NOISE=1.0, NOISE_LEVEL=(0.2, 0.2))
    added = changed["input_values"] - row["input_values"]
    np.testing.assert_allclose(added.std(axis=1) / row["input_values"].std(axis=1), 0.2, rtol=0.03)
    assert abs(np.corrcoef(added)[0, 1]) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_missing_samples_stay_missing(seed, monkeypatch):
    row = _row()
    row["input_values"][1, 100:200] = row["input_values"][2, 7] = np.nan
    missing = np.isnan(row["input_values"])
    monkeypatch.setattr(augmentation, "SUBSET", 0.0)
    monkeypatch.setattr(augmentation, "NOISE", 1.0)
    changed = Augmentation()(row, RATE, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.isnan(changed["input_values"]), missing)
    np.testing.assert_array_equal(changed["labels"], row["labels"])


def test_rows_without_labels_have_none_afterwards():
    row = {"input_values": _row()["input_values"]}
    assert Augmentation()(row, RATE, np.random.default_rng(0)).keys() == {"input_values"}


def test_a_shorter_window_is_a_part_with_its_labels(apply):
    row = _row()  # 10 patches of 300 samples
    lengths = set()
    for seed in range(60):
        changed = apply(row, np.random.default_rng(seed), shorter=1.0)
        signal, labels = changed["input_values"], changed["labels"]
        starts = [
            start
            for start in range(10)
            if np.allclose(row["input_values"][0, 300 * start :][:9], signal[0, :9], atol=1e-3)
        ]
        assert len(starts) == 1
        part = slice(starts[0], starts[0] + labels.shape[1])
        np.testing.assert_array_equal(labels, row["labels"][:, part])
        np.testing.assert_allclose(signal, row["input_values"][:, 300 * part.start : 300 * part.stop], atol=1e-3)
        lengths.add(labels.shape[1])
    assert {1, 9} <= lengths <= set(range(1, 10))


def test_a_window_of_one_patch_stays(apply):
    changed = apply(_row(samples=300, patches=1), shorter=1.0)
    assert changed["input_values"].shape == (4, 300)
    assert changed["labels"].shape == (4, 1)


def test_windows_depend_on_seed_epoch_and_index_alone():
    rows = [_row(seed=0)] * 3

    def signal(seed: int, epoch: int, index: int) -> np.ndarray:
        windows = AugmentedWindows(rows, Augmentation(), RATE, seed)
        assert len(windows) == 3
        windows.set_epoch(7)
        windows[1]  # what was read before makes no difference
        windows.set_epoch(epoch)
        return windows[index]["input_values"]

    assert np.array_equal(signal(4, 2, 1), signal(4, 2, 1))
    for other in ((5, 2, 1), (4, 3, 1), (4, 2, 0)):
        assert not np.array_equal(signal(*other), signal(4, 2, 1))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("gain", -0.5),
        ("gain", float("nan")),
        ("equalize", -0.1),
        ("rhythm", 1.1),
        ("lookalike", 1.5),
        ("drift", -0.1),
        ("shorter", 2.0),
    ],
)
def test_bad_settings(setting, value):
    with pytest.raises(ValueError, match=f"{setting} is"):
        Augmentation(**{setting: value})
