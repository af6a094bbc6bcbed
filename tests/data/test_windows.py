from __future__ import annotations

import threading

import numpy as np
import pytest

from brant_hf.data import Preprocessing, open_recording, preprocess, windows as windows_module
from brant_hf.data.windows import (
    SeizureLabeller,
    WindowPlan,
    WindowSettings,
    average_overlaps,
    cut_windows,
    prefetch,
    slide,
    window_batches,
    windows_per_batch,
)

PLAIN = Preprocessing(line_noise=None, high_pass=None, sampling_rate=100.0, max_gap=0.0, flat="keep")


# Windows of a dataset


def cut(samples: int, chunk: int = 7, **settings) -> list[tuple[int, np.ndarray]]:
    signal = np.arange(2 * samples, dtype=np.float32).reshape(2, samples)
    pieces = [(i, signal[:, i : i + chunk]) for i in range(0, samples, chunk)]
    windows = list(cut_windows(pieces, WindowSettings(**{"patch_length": 5, "num_patches": 4, **settings})))
    for start, values in windows:
        np.testing.assert_array_equal(values, signal[:, start : start + values.shape[1]])
    return [(start, values.shape[1]) for start, values in windows]


@pytest.mark.parametrize("chunk", [1, 7, 20, 33, 1000])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(0, 20), (20, 20), (40, 20)]),
        ({"remainder": "shorter"}, [(0, 20), (20, 20), (40, 20), (60, 10)]),
        ({"stride": 2}, [(0, 20), (10, 20), (20, 20), (30, 20), (40, 20), (50, 20)]),
        ({"stride": 2, "remainder": "shorter"}, [(i, 20) for i in range(0, 60, 10)]),
        ({"stride": 3, "remainder": "shorter"}, [(0, 20), (15, 20), (30, 20), (45, 20), (60, 10)]),
        ({"stride": 6}, [(0, 20), (30, 20)]),
        ({"stride": 6, "remainder": "shorter"}, [(0, 20), (30, 20), (60, 10)]),
    ],
)
def test_windows_of_74_samples(chunk, settings, expected):
    assert cut(74, chunk, **settings) == expected


@pytest.mark.parametrize(("samples", "expected"), [(4, []), (5, [(0, 5)]), (19, [(0, 15)]), (20, [(0, 20)])])
def test_short_recordings(samples, expected):
    assert cut(samples, remainder="shorter") == expected
    assert cut(samples) == [window for window in expected if window[1] == 20]


def test_windows_do_not_share_memory():
    chunk = np.zeros((1, 40), np.float32)
    windows = [
        values for _, values in cut_windows([(0, chunk)], WindowSettings(patch_length=5, num_patches=4, stride=2))
    ]
    windows[0][:] = 1
    assert not windows[1].any()


@pytest.mark.parametrize("chunk", [1, 3, 10])
def test_windows_at_uneven_starts_end_with_the_signal(chunk):
    signal = np.arange(10, dtype=np.float32)[None]
    pieces = [(i, signal[:, i : i + chunk]) for i in range(0, 10, chunk)]
    windows = [(start, values[0].tolist()) for start, values in slide(iter(pieces), [0, 1, 6, 8, 12], 4)]
    assert windows == [(0, [0, 1, 2, 3]), (1, [1, 2, 3, 4]), (6, [6, 7, 8, 9]), (8, [8, 9])]


def test_between_pieces_samples_are_missing():
    pieces = [(0, np.array([[0, 1, 2]], np.float32)), (5, np.array([[5, 6]], np.float32))]
    pieces.append((20, np.array([[20, 21]], np.float32)))
    windows = {start: values[0].tolist() for start, values in slide(pieces, [0, 2, 4, 9, 19], 4)}
    expected = {0: [0, 1, 2, None], 2: [2, None, None, 5], 4: [None, 5, 6, None], 9: [None] * 4, 19: [None, 20, 21]}
    for start, values in expected.items():
        np.testing.assert_array_equal(windows[start], np.array(values, float))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(0, 20), (107, 20), (300, 20), (320, 20)]),
        ({"remainder": "shorter"}, [(0, 20), (20, 5), (107, 20), (127, 10), (200, 5), (300, 20), (320, 20)]),
        ({"stride": 2}, [(0, 20), (107, 20), (117, 20), (300, 20), (310, 20), (320, 20)]),
    ],
)
def test_windows_begin_anew_after_a_long_gap(settings, expected):
    # Of the last stretch, nobody knows where exactly the signal ends.
    recorded = [(0, 26), (107, 138), (200, 209), (300, None)]
    pieces = [(start, np.zeros((1, (stop or 344) - start), np.float32)) for start, stop in recorded]
    found = cut_windows(pieces, WindowSettings(**{"patch_length": 5, "num_patches": 4, **settings}), recorded)
    windows = [(start, values.shape[1]) for start, values in found]
    assert windows == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"patch_length": 0},
        {"num_patches": 2.5},
        {"stride": 0},
        {"seizure_overlap": 0},
        {"seizure_overlap": 1.1},
        {"remainder": "pad"},
        {"max_missing": 1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        WindowSettings(**settings)


# Labels


def label(seizures, start_s=0.0, patches=4, contacts=(("A1",), ("A2",)), patch_s=6.0, overlap=0.5):
    return SeizureLabeller(seizures, contacts, patch_s, overlap).label(start_s, patches).tolist()


@pytest.mark.parametrize(
    ("seizure", "overlap", "expected"),
    [
        # Patches are 0-6, 6-12, 12-18 and 18-24 s.
        ((9.0, 15.0), 0.5, [0, 1, 1, 0]),
        ((9.01, 15.0), 0.5, [0, 0, 1, 0]),
        ((9.0, 14.99), 0.5, [0, 1, 0, 0]),
        ((9.0, 15.0), 0.51, [0, 0, 0, 0]),
        ((9.0, 12.6), 0.1, [0, 1, 1, 0]),
        ((6.0, 12.0), 1.0, [0, 1, 0, 0]),
        ((6.1, 18.0), 1.0, [0, 0, 1, 0]),
        ((-30.0, 3.0), 0.5, [1, 0, 0, 0]),
        ((20.0, 1000.0), 0.5, [0, 0, 0, 1]),
        ((100.0, 200.0), 0.5, [0, 0, 0, 0]),
    ],
)
def test_a_patch_is_seizure_by_its_overlap(seizure, overlap, expected):
    assert label([(*seizure, None)], overlap=overlap) == [expected, expected]


@pytest.mark.parametrize(
    ("uncertain", "expected"),
    [
        # Patches are 0-6, 6-12, 12-18 and 18-24 s; the first is seizure, whatever else is said of it.
        ((4.0, 12.0, None), [[1, -100, 0, 0]] * 2),
        ((6.0, 100.0, None), [[1, -100, -100, -100]] * 2),
        ((17.9, 18.1, ["A2"]), [[1, 0, 0, 0], [1, 0, -100, -100]]),
        ((100.0, 200.0, None), [[1, 0, 0, 0]] * 2),
    ],
)
def test_a_patch_that_is_uncertain_is_not_background(uncertain, expected):
    labels = SeizureLabeller([(0.0, 5.0, None)], [("A1",), ("A2",)], 6.0, 0.5, [uncertain]).label(0.0, 4)
    assert labels.dtype == np.int8
    assert labels.tolist() == expected


def test_no_seizure_gives_background():
    assert label([]) == [[0, 0, 0, 0]] * 2


def test_labels_of_a_later_window():
    assert label([(96.0, 102.0, None)], start_s=90.0) == [[0, 1, 0, 0]] * 2


def test_overlapping_seizures_count_once():
    # 0-2 s twice is a third of the first patch, not two thirds; 6-8 and 8-9 s are half of the second.
    seizures = [(0.0, 2.0, None), (0.0, 2.0, None), (6.0, 8.0, None), (8.0, 9.0, None)]
    assert label(seizures) == [[0, 1, 0, 0]] * 2


def test_seizures_of_some_channels():
    seizures = [(0.0, 6.0, ["A2"]), (6.0, 12.0, None), (12.0, 18.0, ["A1", "B7"])]
    assert label(seizures) == [[0, 1, 1, 0], [1, 1, 0, 0]]


def test_a_pair_is_in_a_seizure_when_one_of_its_contacts_is():
    seizures = [(0.0, 6.0, ["A2"])]
    assert label(seizures, contacts=[("A1", "A2"), ("A2", "A3"), ("A3", "A4")]) == [[1, 0, 0, 0]] * 2 + [[0] * 4]


# Windows for a model


@pytest.mark.parametrize(
    ("num_patches", "longest", "overlap", "length", "starts"),
    [
        (20, 6, 0.5, 6, (0, 3, 6, 9, 12, 14)),  # the last one is aligned to the end
        (12, 6, 0.0, 6, (0, 6)),
        (12, 6, 0.5, 6, (0, 3, 6)),
        (7, 6, 0.9, 6, (0, 1)),
        (37, 15, 0.5, 15, (0, 8, 16, 22)),  # a step of 7.5 patches becomes 8
        (4, 6, 0.5, 4, (0,)),  # shorter than a window
        (1, 6, 0.5, 1, (0,)),
    ],
)
def test_plan(num_patches, longest, overlap, length, starts):
    assert WindowPlan.of(num_patches, longest, overlap) == WindowPlan(num_patches, length, starts)


def test_plan_of_stretches_leaves_out_what_is_between_them():
    plan = WindowPlan.of(500, 6, 0.5, [(2, 14), (100, 103), (300, 307)])
    assert list(zip(plan.starts, plan.stops, strict=True)) == [
        *[(2, 8), (5, 11), (8, 14)],
        (100, 103),
        *[(300, 306), (301, 307)],
    ]
    assert plan.held.tolist() == [*range(2, 14), *range(100, 103), *range(300, 307)]
    windows = [np.full((1, stop - start), start) for start, stop in zip(plan.starts, plan.stops, strict=True)]
    means = dict(average_overlaps(windows, plan))
    assert {start: values[0].tolist() for start, values in means.items()} == {
        2: [2, 2, 2],
        5: [3.5, 3.5, 3.5],
        8: [6.5, 6.5, 6.5, 8, 8, 8],
        100: [100, 100, 100],
        300: [300],
        301: [300.5] * 5 + [301],
    }


def test_average_of_overlaps():
    plan = WindowPlan(5, 3, (0, 2))
    windows = [np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, 6.0, 7.0]])]
    blocks = list(average_overlaps(windows, plan))
    assert [start for start, _ in blocks] == [0, 2]
    # Patch 2 is in both windows: (3 + 5) / 2.
    np.testing.assert_allclose(np.concatenate([values for _, values in blocks], axis=1), [[1, 2, 4, 6, 7]])


def test_average_of_vectors():
    plan = WindowPlan(3, 2, (0, 1))
    windows = np.arange(8.0).reshape(2, 1, 2, 2)
    values = np.concatenate([block for _, block in average_overlaps(windows, plan)], axis=1)
    np.testing.assert_allclose(values, [[[0, 1], [3, 4], [6, 7]]])


@pytest.mark.parametrize(
    ("num_patches", "starts", "values", "expected"),
    [
        (6, (0, 1, 2), [1, 2, 6], [1, 1.5, 3, 3, 4, 6]),
        # Patch 3 is in the first four windows, patch 4 in all but the first.
        (8, (0, 1, 2, 3, 4), [1, 2, 4, 8, 16], [1, 1.5, 7 / 3, 3.75, 7.5, 28 / 3, 12, 16]),
    ],
)
def test_average_of_windows_that_overlap_by_three_quarters(num_patches, starts, values, expected):
    plan = WindowPlan.of(num_patches, 4, 0.75)
    assert plan.starts == starts
    blocks = list(average_overlaps((np.full((1, 4), value) for value in values), plan))
    assert [start for start, _ in blocks] == list(starts)
    np.testing.assert_allclose(np.concatenate([means for _, means in blocks], axis=1), [expected], rtol=1e-6)


def test_average_of_a_last_window_that_overlaps_more_than_the_others():
    # Windows 0-3, 2-5, 4-7 and 5-8: the last one is moved back by a patch.
    plan = WindowPlan.of(9, 4, 0.5)
    assert plan.starts == (0, 2, 4, 5)
    blocks = average_overlaps((np.full((1, 4), value) for value in (1, 2, 4, 9)), plan)
    means = np.concatenate([means for _, means in blocks], axis=1)
    np.testing.assert_allclose(means, [[1, 1, 1.5, 1.5, 3, 5, 6.5, 6.5, 9]], rtol=1e-6)


def batches(signal, extractor, overlap=0.5, batch_size=2):
    prepared = preprocess(open_recording(signal, 100.0, unit="uV"), PLAIN)
    plan = WindowPlan.of(-(-signal.shape[1] // extractor.patch_length), extractor.num_patches, overlap)
    return plan, list(window_batches(prepared, plan, extractor, batch_size))


@pytest.mark.parametrize("normalize", ["asinh", "zscore", "none"])
@pytest.mark.parametrize("chunk", [17_000_000, 37])
def test_windows_are_what_the_feature_extractor_makes(extractor, noise, normalize, chunk, monkeypatch):
    monkeypatch.setattr("brant_hf.data.preprocessing.chain.CHUNK_SAMPLES", chunk)
    signal, extractor = noise(2, 1010), extractor(normalize=normalize)
    plan, found = batches(signal, extractor)
    assert [batch.starts for batch in found] == [(0, 3), (6, 9), (12, 15)]
    assert all(batch.missing is None and batch.channel_mask() is None for batch in found)
    values = np.concatenate([batch.input_values for batch in found])
    for start, window in zip(plan.starts, values, strict=True):
        expected = extractor(signal[:, start * 50 : start * 50 + 300], sampling_rate=100)["input_values"][0]
        np.testing.assert_allclose(window, expected, atol=1e-5)
    # 1010 samples are 20 patches and a fifth of one, padded with zeros.
    assert not values[-1, :, -40:].any()
    assert values[-1, :, -50:-40].all()


@pytest.mark.parametrize("normalize", ["asinh", "zscore"])
def test_missing_samples(extractor, noise, normalize):
    signal = noise(3, 600)
    signal[0, 100:130] = np.nan  # 30 of 50 samples of patch 2
    signal[0, 150:175] = np.nan  # half of patch 3
    signal[1, :] = np.nan
    signal[1, 560:580] = 1.0
    extractor = extractor(normalize=normalize)
    _, (batch, last) = batches(signal, extractor)
    assert batch.starts == (0, 3)
    assert last.starts == (6,)
    np.testing.assert_array_equal(batch.missing[0][0], [False, False, True, False, False, False])
    assert batch.missing[:, 1].all()
    # Patch 11 of channel 1 has 20 of 50 samples.
    np.testing.assert_array_equal(last.missing[0], [[False] * 6, [True] * 6, [False] * 6])
    np.testing.assert_array_equal(batch.channel_mask(), [[True, False, True]] * 2)
    window = signal[:, :300]
    expected = extractor(window, sampling_rate=100, return_observed_mask=True)["input_values"][0]
    np.testing.assert_allclose(batch.input_values[0], expected, atol=1e-5)
    assert np.isfinite(batch.input_values).all()


def test_which_samples_of_a_window_were_recorded(extractor, noise):
    signal = noise(2, 610)
    signal[0, 320:350] = np.nan
    _, (first, second) = batches(signal, extractor(), overlap=0.0)
    assert first.starts == (0, 6)
    # Windows of 300 samples: the second one begins at sample 300, and 10 samples are left for the last one.
    np.testing.assert_array_equal(first.observed[0], True)
    np.testing.assert_array_equal(np.flatnonzero(~first.observed[1, 0]), np.arange(20, 50))
    assert first.observed[1, 1].all()
    np.testing.assert_array_equal(np.isnan(first.observed_values), ~first.observed)
    np.testing.assert_array_equal(np.nan_to_num(first.observed_values), first.input_values)
    assert not second.observed[0, :, -40:].any()
    assert second.observed[0, :, :-40].all()
    _, (whole,) = batches(noise(2, 600), extractor(), overlap=0.0)
    assert whole.observed is None
    assert whole.observed_values is whole.input_values


def test_half_of_a_short_last_patch_counts(extractor, noise):
    signal = noise(2, 310)
    signal[0, 300:306] = np.nan  # 6 of the 10 samples of the last patch
    signal[1, 300:305] = np.nan
    _, found = batches(signal, extractor())
    np.testing.assert_array_equal(found[-1].missing[-1][:, -1], [True, False])


def test_a_window_without_any_observed_channel_keeps_them_all(extractor, noise):
    signal = noise(2, 600)
    signal[:, :300] = np.nan
    _, (batch, _) = batches(signal, extractor())
    assert batch.missing[0].all()
    assert batch.channel_mask() is None
    assert not batch.input_values[0].any()


def test_many_channels_mean_fewer_windows_at_a_time(monkeypatch):
    monkeypatch.setattr(windows_module, "MAX_CELLS_CPU", 100)
    monkeypatch.setattr(windows_module, "MAX_CELLS_ACCELERATOR", 200)
    assert windows_per_batch(8, 2, 6) == 8
    assert windows_per_batch(8, 4, 6) == 4
    assert windows_per_batch(8, 4, 6, "cuda") == 8
    assert windows_per_batch(8, 1000, 6) == 1


def test_prefetch_keeps_order_and_errors():
    assert list(prefetch(i for i in range(5))) == [0, 1, 2, 3, 4]

    def failing():
        yield 1
        raise OSError("the disk is gone")

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_prefetch_leaves_no_thread_and_closes_its_source():
    closed = []

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    items = prefetch(source())
    next(items)
    assert threading.active_count() == before + 1
    items.close()
    assert threading.active_count() == before
    assert closed
