from __future__ import annotations

import numpy as np
import pytest

from brant_hf.data.windows import SeizureLabeller, WindowSettings, cut_windows


def cut(samples: int, chunk: int = 7, **settings) -> list[tuple[int, np.ndarray]]:
    signal = np.arange(2 * samples, dtype=np.float32).reshape(2, samples)
    chunks = [signal[:, i : i + chunk] for i in range(0, samples, chunk)]
    windows = list(cut_windows(chunks, WindowSettings(**{"patch_length": 5, "num_patches": 4, **settings})))
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
    windows = [values for _, values in cut_windows([chunk], WindowSettings(patch_length=5, num_patches=4, stride=2))]
    windows[0][:] = 1
    assert not windows[1].any()


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
