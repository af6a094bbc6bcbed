"""Drawn ictal rhythms, and what resembles them."""

import numpy as np
import pytest
from scipy.signal import welch

from brant_hf.data.batches import ictal_rhythms
from brant_hf.data.batches.ictal_rhythms import add_ictal_rhythm
from brant_hf.data.batches.lookalikes import add_background_rhythm, add_drift, replace_by_noise
from brant_hf.data.windows import IGNORED_LABEL

RATE, PATCH, PATCHES = 250, 250, 15


@pytest.fixture
def with_constants(monkeypatch):
    """Sets constants of the drawn rhythms."""

    def change(**constants) -> None:
        for name, value in constants.items():
            monkeypatch.setattr(ictal_rhythms, name, value)

    return change


def _window(rng, channels=6):
    signal = rng.normal(0, 30, (channels, PATCH * PATCHES)).astype(np.float32)
    return signal, np.zeros((channels, PATCHES), np.int8)


@pytest.mark.parametrize("seed", range(8))
def test_rhythm_changes_exactly_the_labelled_channels(with_constants, seed):
    rng = np.random.default_rng(seed)
    signal, labels = _window(rng)
    with_constants(BURST_PROBABILITY=0.0, DURATION=(6.0, 10.0))
    changed, marked = add_ictal_rhythm(signal, labels, RATE, rng)
    assert np.isfinite(changed).all()
    assert set(np.unique(marked)) <= {0, 1, IGNORED_LABEL}
    difference = np.abs(changed - signal).reshape(len(signal), PATCHES, PATCH).mean(axis=2)
    # Background is what has no more than a trace of the rhythm, a seizure has more of it than of the channel.
    assert (difference[marked == 1] > 0.3 * 30).all()
    assert not difference[marked == 0].any() or difference[marked == 0].max() < 3 * 30
    assert not labels.any()


def test_rhythm_has_the_frequency_asked_for(with_constants):
    rng = np.random.default_rng(0)
    signal, labels = _window(rng, channels=1)
    with_constants(
        DURATION=(60.0, 61.0),
        MAX_PHASES=1,
        FREQUENCY=(12.0, 12.01),
        SLOWING=(1.0, 1.001),
        IRREGULARITY=(0.03, 0.1),
        SUPPRESSION_PROBABILITY=0.0,
        BURST_PROBABILITY=0.0,
    )
    peaks = []
    for _ in range(10):
        changed, marked = add_ictal_rhythm(signal, labels, RATE, rng)
        if (marked == 1).all():
            frequencies, power = welch(changed[0] - signal[0], RATE, nperseg=1000)
            # Sharp waves may have more power in a harmonic.
            peaks.append(frequencies[power.argmax()] / 12)
    assert len(peaks) >= 3
    assert np.abs(np.array(peaks) - np.round(peaks)).max() < 0.25


def test_rhythms_follow_each_other(with_constants):
    """In a seizure of several rhythms, the strongest frequency of a channel changes; in one of one rhythm it stays."""
    rng = np.random.default_rng(0)
    signal, labels = _window(rng, channels=1)

    def spread(phases: int) -> float:
        with_constants(
            DURATION=(15.0, 15.1),
            MAX_PHASES=phases,
            SLOWING=(1.0, 1.001),
            IRREGULARITY=(0.001, 0.0011),
            SUPPRESSION_PROBABILITY=0.0,
            BURST_PROBABILITY=0.0,
        )
        changes = []
        for _ in range(30):
            changed, marked = add_ictal_rhythm(signal, labels, RATE, rng)
            ictal = changed.reshape(PATCHES, PATCH)[marked[0] == 1]
            strongest = np.abs(np.fft.rfft(ictal - ictal.mean(axis=1, keepdims=True), axis=1)).argmax(axis=1)
            if len(ictal) > 3:
                changes.append(np.ptp(np.log(strongest)))
        return float(np.median(changes))

    assert spread(1) < 0.5 * spread(3)


def test_rhythm_of_a_quiet_channel_has_the_least_amplitude(with_constants):
    rng = np.random.default_rng(0)
    signal, labels = _window(rng, channels=1)
    with_constants(LEAST_AMPLITUDE=(3000.0, 3001.0), SUPPRESSION_PROBABILITY=0.0, BURST_PROBABILITY=0.0)
    changed = [add_ictal_rhythm(signal, labels, RATE, rng) for _ in range(10)]
    ictal = np.concatenate([each.reshape(PATCHES, PATCH)[marked[0] == 1] for each, marked in changed])
    assert 500 < np.median(ictal.std(axis=1)) < 6000


@pytest.mark.parametrize(("irregularity", "width"), [(0.001, (0, 0.5)), (0.5, (2, 20))])
def test_irregular_rhythms_have_a_broad_peak(with_constants, irregularity, width):
    """The width of the peak at half its height [Hz], of a sine of 12 Hz."""
    rng = np.random.default_rng(0)
    with_constants(FREQUENCY=(12.0, 12.01), SLOWING=(1.0, 1.001), IRREGULARITY=(irregularity, irregularity + 1e-6))
    phase = ictal_rhythms._angle(np.arange(100 * RATE) / RATE, 100.0, RATE, rng)
    frequencies, power = welch(np.cos(phase), RATE, nperseg=2500)
    assert width[0] <= np.ptp(frequencies[power > power.max() / 2]) <= width[1]
    assert frequencies[power.argmax()] == pytest.approx(12, rel=0.5)


@pytest.mark.parametrize(("suppression", "least", "most"), [(0.0, 0.8, 1.2), (1.0, 0.1, 0.85)])
def test_suppression_leaves_less_of_the_background(with_constants, suppression, least, most):
    rng = np.random.default_rng(0)
    # The background is a tone that the rhythm, a sine or sharp wave of 5 Hz, hardly reaches.
    signal = 30 * np.sin(2 * np.pi * 115 * np.arange(PATCH * PATCHES) / RATE).astype(np.float32)[None]
    with_constants(
        BURST_PROBABILITY=0.0,
        DURATION=(60.0, 61.0),
        FREQUENCY=(5.0, 5.01),
        SLOWING=(1.0, 1.001),
        AMPLITUDE=(2.0, 2.01),
        SUPPRESSION_PROBABILITY=suppression,
    )
    shares = []
    for _ in range(20):
        changed, marked = add_ictal_rhythm(signal, np.zeros((1, PATCHES), np.int8), RATE, rng)
        ictal = changed.reshape(PATCHES, PATCH)[marked[0] == 1]
        shares += [abs(np.fft.rfft(patch)[115]) / (30 * PATCH / 2) for patch in ictal]
    assert least < np.median(shares) < most


def test_seizures_that_are_there_already_stay(with_constants):
    rng = np.random.default_rng(1)
    signal, labels = _window(rng)
    labels[:] = 1
    with_constants(BURST_PROBABILITY=0.0)
    assert (add_ictal_rhythm(signal, labels, RATE, rng)[1] == 1).all()


def test_burst_is_background(with_constants):
    rng = np.random.default_rng(2)
    signal, labels = _window(rng)
    with_constants(BURST_PROBABILITY=1.0)
    changed, marked = add_ictal_rhythm(signal, labels, RATE, rng)
    assert not marked.any()
    # From 0.3 s to 2.5 s.
    length = (changed != signal).any(axis=0).sum() / RATE
    assert 0.1 < length < 3


@pytest.mark.parametrize("seed", range(4))
def test_background_rhythm_lies_in_its_band(seed):
    rng = np.random.default_rng(seed)
    signal, _ = _window(rng)
    added = add_background_rhythm(signal, RATE, rng) - signal
    on = added.std(axis=1) > 0
    assert on.any()
    # Microvolts, whatever the channel has beside it.
    assert added[on].std(axis=1).min() > 4
    assert added[on].std(axis=1).max() < 160
    frequencies, power = welch(added[on], RATE, nperseg=1000)
    assert 2 < frequencies[power.mean(axis=0).argmax()] < 70


@pytest.mark.parametrize("seed", range(4))
def test_drift_is_slow_and_large(seed):
    rng = np.random.default_rng(seed)
    signal, _ = _window(rng)
    added = add_drift(signal, RATE, rng) - signal
    on = added.std(axis=1) > 0
    assert on.any()
    assert 0.3 < (added[on].std(axis=1) / signal[on].std(axis=1)).max() < 200
    frequencies, power = welch(added[on], RATE, nperseg=1000)
    assert (power[:, frequencies > 8].sum(axis=1) < 0.1 * power.sum(axis=1)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("patches", [1, 2])
@pytest.mark.parametrize("add", [add_background_rhythm, add_drift])
def test_short_windows_stay_within_bounds(add, patches):
    """A second holds hardly any of the slow frequencies, and nothing may be divided by what little there is."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        signal = rng.normal(0, 30, (3, patches * PATCH)).astype(np.float32)
        changed = add(signal, RATE, rng)
        assert np.abs(changed).max() < 1e4


def test_noise_replaces_few_channels_and_their_labels():
    rng = np.random.default_rng(3)
    signal, labels = _window(rng, channels=16)
    labels[:] = 1
    changed, marked = replace_by_noise(signal, labels, RATE, rng)
    replaced = (changed != signal).any(axis=1)
    assert 1 <= replaced.sum() <= 2
    assert not marked[replaced].any()
    assert marked[~replaced].all()
    assert (changed[replaced].std(axis=1) < 3 * 30).all()


def test_a_burst_leaves_the_background_as_it_is(with_constants):
    signal, labels = _window(np.random.default_rng(0))
    changed = []
    for probability in (0.0, 1.0):
        with_constants(BURST_PROBABILITY=1.0, SUPPRESSION_PROBABILITY=probability)
        changed.append(add_ictal_rhythm(signal, labels, RATE, np.random.default_rng(3))[0])
    np.testing.assert_array_equal(*changed)
