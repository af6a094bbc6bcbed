"""Parts of a file on the clock of the recording."""

import numpy as np
import pytest

from brant_hf.data.recordings.clock import ClockReader, Segment, gaps_of, length_of, segments_of, spread, without


def test_parts_that_follow_each_other_are_one_segment():
    # A recorder's clock is a few milliseconds off from record to record.
    starts = [7.0, 8.003, 8.999, 10.001]
    assert segments_of(starts, [200] * 4, 200.0, "r") == [Segment(0, 0, 800)]


def test_missing_time_lies_between_segments_and_reads_as_nan():
    segments = segments_of([0, 1, 5, 6], [100] * 4, 100.0, "r")
    assert segments == [Segment(0, 0, 200), Segment(200, 500, 200)]
    assert gaps_of(segments, 100.0) == [(2.0, 5.0)]
    assert length_of(segments) == 700
    stored = np.arange(400.0)[None]
    read = ClockReader(lambda channels, start, stop: stored[channels, start:stop], segments)
    whole = read([0], 0, 700)[0]
    np.testing.assert_array_equal(whole, np.r_[np.arange(200.0), np.full(300, np.nan), np.arange(200.0, 400.0)])
    for start, stop in ((0, 1), (150, 250), (199, 501), (300, 400), (499, 700)):
        np.testing.assert_array_equal(read([0], start, stop)[0], whole[start:stop])


def test_a_slow_drift_of_the_clock_never_moves_samples_far_from_their_time():
    # Each record of 1 s takes 1.001 s of the clock, so after 1000 s one second is missing.
    starts = np.arange(1000) * 1.001
    segments = segments_of(starts, [100] * 1000, 100.0, "r")
    places = {segment.stored: segment.place for segment in segments}
    assert len(segments) > 10
    assert all(abs(place - starts[stored // 100] * 100) <= 0.5 for stored, place in places.items())


def test_more_samples_than_the_clock_allows_are_told():
    starts = np.arange(1000) * 0.999
    with pytest.warns(UserWarning, match=r"0\.[89]\d s more samples than its clock allows"):
        assert segments_of(starts, [100] * 1000, 100.0, "r") == [Segment(0, 0, 100_000)]


def test_a_clock_that_was_set_back_is_refused():
    with pytest.raises(ValueError, match=r"part 3 of the file begins at 0\.500 s, before the one before it ends"):
        segments_of([10, 11, 10.5], [100] * 3, 100.0, "r")


def test_a_pause_of_weeks_is_a_clock_that_was_set():
    day = 86400
    assert segments_of([0, 13 * day], [100] * 2, 100.0, "r")[1] == Segment(100, 1300 * day, 100)
    with pytest.raises(ValueError, match=r"r: part 3 of the file begins 28\.0 days after.*at 2\.000 s.*export"):
        segments_of([0, 1, 28 * day], [100] * 3, 100.0, "r")


@pytest.mark.parametrize("gaps", [[(3.0, 90.0)], [(0.0, 40.0), (50.0, 52.0), (80.0, 100.0)]])
def test_stretches_are_spread_over_what_was_recorded(gaps):
    starts = spread(1000, gaps, 10.0, 9, 20)
    assert starts == sorted(starts)
    assert len(starts) == 9
    assert all(start + 20 <= 10 * first or start >= 10 * last for start in starts for first, last in gaps)
    recorded = np.setdiff1d(
        np.arange(1000), [i for first, last in gaps for i in range(int(10 * first), int(10 * last))]
    )
    assert (starts[0], starts[-1] + 19) == (recorded[0], recorded[-1])
    # No more than a step, in recorded time, from one to the next.
    assert np.diff(np.searchsorted(recorded, starts)).max() <= len(recorded) / 8 + 20


def test_without_gaps_stretches_are_evenly_spread():
    assert spread(1000, [], 10.0, 5, 100) == [0, 225, 450, 675, 900]


def test_stretches_hold_what_was_recorded_where_no_piece_has_room_for_one():
    gaps = [(0.0, 0.3), (0.5, 4.0), (4.1, 9.8)]  # samples 3 to 5, 40, and 98 to 100 are there
    assert spread(100, gaps, 10.0, 3, 5) == [3, 40, 95]
    assert spread(100, gaps, 10.0, 1, 5) == [3]
    assert spread(100, [(0.0, 10.0)], 10.0, 2, 5) == [0, 95]


def test_stretches_taken_out_become_gaps_also_at_the_ends():
    segments = [Segment(0, 0, 1000), Segment(1000, 1500, 500)]
    left = without(segments, [(0, 1), (8, 12), (11, 16)], 100.0, "r")
    assert [part for part in left if part.length] == [Segment(100, 100, 700), Segment(1100, 1600, 400)]
    assert gaps_of(left, 100.0) == [(0.0, 1.0), (8.0, 16.0)]
    assert gaps_of(without(segments, [(19, 30)], 100.0, "r"), 100.0) == [(10.0, 15.0), (19.0, 20.0)]
    assert without(segments, [], 100.0, "r") == segments
    with pytest.raises(ValueError, match=r"all of its 20\.0 s are marked as invalid"):
        without(segments, [(-1, 10), (12, 25)], 100.0, "r")
