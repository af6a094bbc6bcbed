from __future__ import annotations

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.data.recordings.recording import Recording
from brant_hf.detection import envelope
from brant_hf.detection.envelope import Derivation, derivations, read_envelope

RATE = 100.0


def recording_of(signal: np.ndarray, names: list[str] | None = None) -> Recording:
    return open_recording(signal, RATE, names, subject="01")


class CountingSource:
    """A long recording that is computed when read and remembers how much of it was read."""

    def __init__(self, num_channels: int, loud: tuple[int, int]) -> None:
        self.num_channels, self.loud = num_channels, loud
        self.largest = self.total = 0

    def __call__(self, start: int, stop: int) -> np.ndarray:
        values = self.num_channels * (stop - start)
        self.largest, self.total = max(self.largest, values), self.total + values
        samples = np.arange(start, stop)
        wave = np.where(samples % 2 == 0, 1.0, -1.0) * np.where(
            (samples >= self.loud[0]) & (samples < self.loud[1]), 500, 10
        )
        return np.tile(wave.astype(np.float32), (self.num_channels, 1))


def long_recording(num_channels: int, hours: float, loud_s: tuple[float, float]) -> Recording:
    source = CountingSource(num_channels, tuple(round(moment * RATE) for moment in loud_s))
    return Recording(
        name="long",
        subject="01",
        channel_names=[f"A{number + 1}" for number in range(num_channels)],
        sampling_rate=RATE,
        num_samples=round(hours * 3600 * RATE),
        source=source,
    )


def test_columns_hold_lowest_and_highest_sample():
    signal = np.array([[0, 4, -2, 0, 0, 0, 1, 5, -3]], dtype=np.float32) * [[1], [2], [3]]
    found = read_envelope(recording_of(signal), [Derivation("CH2", 1)], 0, 0.09, max_columns=3)
    # The mean, 10/9, is taken off.
    np.testing.assert_allclose(found.low, [[-4 - 10 / 9, -10 / 9, -6 - 10 / 9]], atol=1e-5)
    np.testing.assert_allclose(found.high, [[8 - 10 / 9, -10 / 9, 10 - 10 / 9]], atol=1e-5)
    np.testing.assert_allclose(found.times, [0.015, 0.045, 0.075])
    assert found.complete
    assert found.stretch == pytest.approx(0.03)


def test_pieces_give_what_the_whole_gives(monkeypatch):
    signal = np.random.default_rng(0).normal(0, 50, (5, 6007)).astype(np.float32)
    rows = [Derivation("CH1", 0), Derivation("CH4", 3)]
    whole = read_envelope(recording_of(signal), rows, 3, 55.5, max_columns=77)
    monkeypatch.setattr(envelope, "CHUNK_VALUES", 700)
    pieces = read_envelope(recording_of(signal), rows, 3, 55.5, max_columns=77)
    np.testing.assert_array_equal(pieces.low, whole.low)
    np.testing.assert_array_equal(pieces.high, whole.high)


def test_no_more_columns_than_samples():
    signal = np.random.default_rng(0).normal(0, 50, (2, 40)).astype(np.float32)
    found = read_envelope(recording_of(signal), [Derivation("CH1", 0)], 0, 0.4, max_columns=900)
    np.testing.assert_array_equal(found.low, found.high)
    np.testing.assert_allclose(found.low[0], signal[0] - np.mean(signal[0]), atol=1e-3)
    assert found.low.shape == (1, 40)


def test_slow_drift_is_taken_off():
    times = np.arange(60 * 100) / RATE
    wave = 20 * np.sin(2 * np.pi * 5 * times)
    wave[3000:3050] += 3000  # an artefact that must not move the channel
    recording = recording_of(np.stack([wave + 5 * times, wave]).astype(np.float32))
    rows = [Derivation("CH1", 0), Derivation("CH2", 1)]
    # Columns of a third of a period of the wave, the hardest case for a median of their means.
    found = read_envelope(recording, rows, 0, 60, max_columns=900)
    middle = np.flatnonzero((found.times > 6) & (found.times < 54) & (np.abs(found.times - 30.25) > 0.3))
    assert np.abs(np.fmax(found.high, -found.low)[:, middle]).max() < 30
    assert found.high.max() == pytest.approx(3020, abs=30)


def test_missing_samples_leave_a_gap():
    signal = np.ones((2, 1000), dtype=np.float32)
    signal[0, 200:400] = np.nan
    signal[1, :] = np.nan
    rows = [Derivation("CH1", 0), Derivation("CH2", 1)]
    found = read_envelope(recording_of(signal), rows, 0, 10, max_columns=10)
    np.testing.assert_array_equal(np.isnan(found.low[0]), [False, False, True, True] + 6 * [False])
    np.testing.assert_allclose(found.high[0, [0, 1, 4, 9]], 0)
    assert np.isnan(found.low[1]).all()


def test_bipolar_pairs_are_differences():
    signal = np.random.default_rng(0).normal(0, 50, (4, 500)).astype(np.float32)
    recording = recording_of(signal, ["POL A1", "POL A2", "POL A3", "EKG"])
    known = derivations(["A1-A2", "A2-A3", "A1-A3", "nothing", "POL A3"], recording)
    assert known == {
        "A1-A2": Derivation("A1-A2", 0, 1),
        "A2-A3": Derivation("A2-A3", 1, 2),
        "POL A3": Derivation("POL A3", 2),
    }
    found = read_envelope(recording, [known["A2-A3"]], 0, 5, max_columns=500)
    expected = signal[1] - signal[2]
    np.testing.assert_allclose(found.low[0] - found.low[0, 0], expected - expected[0], atol=1e-3)


def test_a_long_recording_is_read_in_part_and_its_event_is_seen(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_VALUES", 8_000_000)
    loud = (43_100.0, 43_130.0)
    recording = long_recording(200, 24, loud)
    moments = np.arange(5, 86_400, 10.0)
    weights = ((moments > loud[0]) & (moments < loud[1])).astype(float)
    found = read_envelope(recording, [Derivation("A7", 6)], 0, 86_400, max_columns=400, interest=(moments, weights))
    assert not found.complete
    assert found.stretch == pytest.approx(1.0)
    assert recording.source.total <= 8_000_000
    assert recording.source.largest <= 200 * RATE
    assert np.flatnonzero(found.high[0] > 400).tolist() == [199]
    np.testing.assert_allclose(np.delete(found.high[0], 199), 10, atol=1)


def test_without_interest_the_centre_of_a_column_stands_for_it(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_VALUES", 2000)
    recording = long_recording(4, 1, (450.0, 451.0))
    found = read_envelope(recording, [Derivation("A1", 0)], 0, 3600, max_columns=4)
    # A quarter of a second of each is read at least.
    assert found.stretch == pytest.approx(1.25)
    assert (found.high[0] > 400).tolist() == [True, False, False, False]
    monkeypatch.setattr(envelope, "MAX_VALUES", 4)
    short = read_envelope(recording, [Derivation("A1", 0)], 0, 3600, max_columns=4)
    assert short.stretch == pytest.approx(envelope.MIN_STRETCH_S)
