from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from brant_hf.data.batches.masks import mask_blocks, mask_patches, mask_points


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 15), st.floats(0, 1), st.integers(0, 9))
def test_the_fraction_of_masked_patches_is_exact(channels, patches, ratio, seed):
    mask = mask_patches(rng(seed), channels, patches, ratio)
    assert mask.shape == (channels, patches)
    assert mask.sum() == round(ratio * channels * patches)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 400), st.floats(0, 1), st.integers(0, 9))
def test_the_fraction_of_masked_points_is_exact_in_every_channel(channels, samples, ratio, seed):
    mask = mask_points(rng(seed), channels, samples, ratio)
    assert (mask.sum(axis=1) == round(ratio * samples)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 50), st.integers(1, 20), st.floats(0, 1), st.integers(0, 9))
def test_blocks_are_whole_and_do_not_overlap(channels, blocks, length, ratio, seed):
    samples = blocks * length + 3
    mask = mask_blocks(rng(seed), channels, samples, ratio, length)
    count = min(round(ratio * samples / length), samples // length)
    assert (mask.sum(axis=1) == count * length).all()
    for row in mask:
        edges = np.flatnonzero(np.diff(row.astype(int), prepend=0, append=0))
        assert ((edges[1::2] - edges[::2]) % length == 0).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda seed: mask_patches(rng(seed), 4, 5, 0.4),
        lambda seed: mask_points(rng(seed), 4, 5, 0.4),
        lambda seed: mask_blocks(rng(seed), 4, 6, 0.34, 2),
    ],
)
def test_every_cell_is_masked_as_often_and_channels_differ(draw):
    masks = np.array([draw(seed) for seed in range(3000)])
    frequency = masks.mean(axis=0)
    if masks.shape[2] == 5:
        np.testing.assert_allclose(frequency, 0.4, atol=0.04)
    else:
        # One block of 2 in 6 samples has 5 places: the ends are covered by one of them, the others by two.
        np.testing.assert_allclose(frequency, np.tile([0.2, 0.4, 0.4, 0.4, 0.4, 0.2], (4, 1)), atol=0.04)
    assert any((mask[0] != mask[1]).any() for mask in masks[:5])


def test_a_block_longer_than_the_window_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        mask_blocks(rng(), 1, 10, 0.5, 11)
