"""Time stamps of samples: their rate and the gaps between them."""

import numpy as np
import pytest

from brant_hf.data.recordings.clock import Segment
from brant_hf.data.recordings.readers.timestamps import clock_of


class _OnDisk:
    """A day and more of stamps at 30 kHz that are computed when asked for; counts those asked."""

    def __init__(self, gaps: dict[int, float], rate: float = 30_000.0, count: int = 3_000_000_000) -> None:
        self.gaps, self.rate, self.count, self.asked = gaps, rate, count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index):
        places = np.arange(*index.indices(self.count)) if isinstance(index, slice) else np.asarray(index)
        self.asked += places.size
        late = sum(np.where(places >= place, seconds, 0.0) for place, seconds in self.gaps.items())
        return 12.5 + places / self.rate + late


@pytest.mark.parametrize("gaps", [{}, {1_000_000_007: 3.0}, {17: 0.5, 2_000_000_000: 60.0, 2_000_000_100: 1.0}])
def test_gaps_are_found_without_reading_all_stamps(gaps):
    stamps = _OnDisk(gaps)
    rate, first, segments = clock_of(stamps, "stamps")
    assert (rate, first) == (pytest.approx(30_000.0, rel=1e-9), 12.5)
    places = [0, *gaps]
    late = np.concatenate([[0], np.cumsum(list(gaps.values()))])
    assert [segment.stored for segment in segments] == places
    expected = [place + round(seconds * 30_000) for place, seconds in zip(places, late, strict=True)]
    np.testing.assert_allclose([segment.place for segment in segments], expected, atol=1)
    assert stamps.asked < 100_000


@pytest.mark.parametrize("rate", [30_000.0, 2048.0, 1500.0, 999.9])
def test_stamps_rounded_to_milliseconds_still_tell_the_rate(rate):
    times = np.arange(200_000) / rate
    times[120_000:] += 5.0
    found, _, segments = clock_of(np.round(times, 3), "stamps")
    assert found == pytest.approx(rate, rel=1e-3 * rate / 200_000)
    assert [segment.stored for segment in segments] == [0, 120_000]


def test_jitter_is_no_gap():
    times = np.arange(20_000) / 500 + np.random.default_rng(0).normal(0, 0.0005, 20_000)
    rate, _, segments = clock_of(np.sort(times), "stamps")
    assert rate == pytest.approx(500, rel=1e-4)
    assert segments == [Segment(0, 0, 20_000)]


def test_packets_with_gaps_between_them():
    times = (np.arange(40)[:, None] * 1.5 + np.arange(250) / 250).ravel()
    rate, _, segments = clock_of(times, "stamps")
    assert rate == 250.0
    assert segments == [Segment(250 * part, 375 * part, 250) for part in range(40)]


def test_some_stamps_that_are_no_numbers():
    times = np.arange(2000) / 200
    times[1000:] += 3
    times[[0, 5, 1500, 1999]] = np.nan
    rate, first, segments = clock_of(times, "stamps")
    assert (rate, first) == (200.0, pytest.approx(0.0))
    assert segments == [Segment(0, 0, 1000), Segment(1000, 1600, 1000)]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.full(5000, np.nan), "stamps are no numbers around sample 0"),
        (np.zeros(5000), "stamps do not increase"),
        (np.r_[np.arange(1000), np.arange(1000)] / 100, "set back"),
        (np.r_[np.arange(1000), 5e8 + np.arange(1000)] / 100, "57.9 days after"),
        (np.array([1.0]), "1 samples; at least 2"),
        (np.cumsum(np.random.default_rng(0).exponential(1.0, 20_000)), "more than 5000 jumps"),
    ],
)
def test_stamps_that_are_no_clock(times, message):
    with pytest.raises(ValueError, match=message):
        clock_of(times, "stamps")
