import numpy as np
import pytest

from brant_hf.data import Preprocessing, open_recording, preprocess
from brant_hf.detection import windows as windows_module
from brant_hf.detection.windows import WindowPlan, average_overlaps, prefetch, window_batches, windows_per_batch

PLAIN = Preprocessing(line_noise=None, high_pass=None, sampling_rate=100.0, max_gap=0.0, flat="keep")


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
    assert list(prefetch(iter(range(5)))) == [0, 1, 2, 3, 4]

    def failing():
        yield 1
        raise OSError("the disk is gone")

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
