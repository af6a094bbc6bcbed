from __future__ import annotations

import numpy as np
import pytest

from brant_hf.data import ChannelGroupedSampler, channel_counts, load, prepare

COUNTS = np.random.default_rng(0).integers(1, 200, 503)


def padding(order: list[int], size: int) -> float:
    """Fraction of the channels of all batches that is padding."""
    batches = [COUNTS[order[i : i + size]] for i in range(0, len(order), size)]
    return 1 - COUNTS.sum() / sum(len(batch) * batch.max() for batch in batches)


def test_every_row_comes_once_and_little_is_padded():
    sampler = ChannelGroupedSampler(COUNTS, 8)
    order = list(sampler)
    assert len(sampler) == 503
    assert sorted(order) == list(range(503))
    shuffled = np.random.default_rng(0).permutation(503).tolist()
    assert padding(shuffled, 8) > 0.3
    assert padding(order, 8) < 0.05


def test_batches_come_in_random_order():
    means = [COUNTS[batch].mean() for batch in np.array(list(ChannelGroupedSampler(COUNTS, 8))[:496]).reshape(-1, 8)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.4


def test_the_order_depends_on_seed_and_epoch():
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        sampler = ChannelGroupedSampler(COUNTS, 8, seed=seed)
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert orders[0] == orders[3]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


@pytest.mark.parametrize("rows", [0, 3, 8])
def test_few_rows(rows):
    assert sorted(ChannelGroupedSampler(COUNTS[:rows], 8)) == list(range(rows))


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        ChannelGroupedSampler(COUNTS, 0)


def test_channel_counts_of_a_dataset(tmp_path, make_recording, plain):
    recordings = [make_recording(channels=n, seconds=9, name=f"r{n}") for n in (3, 1, 4)]
    prepare(recordings, tmp_path, plain, patch_length=250, num_patches=4, progress=False)
    dataset = load(tmp_path)
    assert channel_counts(dataset).tolist() == [len(row["channel_names"]) for row in dataset]
    chosen = dataset.select([5, 0, 2, 2])
    expected = [len(row["channel_names"]) for row in chosen]
    assert channel_counts(chosen).tolist() == expected
    assert channel_counts(chosen.remove_columns("channel_names")).tolist() == expected
