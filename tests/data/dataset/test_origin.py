"""What a dataset tells of its preparation, through everything that is done with it on the way to a training."""

import numpy as np
import pytest
import torch
from datasets import concatenate_datasets, load_from_disk

from brant_hf.data import Augmentation, AugmentedWindows, Preprocessing, load, open_recording, prepare
from brant_hf.data.dataset.origin import origins_of
from brant_hf.training.streaming import EndlessStream

RATE = 100


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two datasets, prepared with a high-pass at 1 and at 2 Hz."""
    made = []
    for high_pass in (1.0, 2.0):
        folder = tmp_path_factory.mktemp("prepared") / "dataset"
        signal = np.random.default_rng(0).normal(0, 20, (2, 24 * RATE)).astype(np.float32)
        recording = open_recording(signal, RATE, seizures=[], subject="s", name="r")
        chain = Preprocessing(high_pass=high_pass, line_noise=None, sampling_rate=RATE)
        prepare([recording], folder, preprocessing=chain, patch_length=RATE, num_patches=4, progress=False)
        made.append(folder)
    return made


def _saved(rows, folder):
    rows.save_to_disk(str(folder))
    return load_from_disk(str(folder))


@pytest.mark.parametrize(
    "change",
    [
        lambda rows, _: rows,
        lambda rows, _: rows.map(lambda row: row).filter(lambda row: True).shuffle(seed=0, keep_in_memory=True),
        lambda rows, _: rows.select([0, 1]).remove_columns(["subject"]),
        lambda rows, _: rows.train_test_split(0.5)["test"],
        lambda rows, _: concatenate_datasets([rows, rows]),
        _saved,
        lambda rows, _: AugmentedWindows(rows, Augmentation(), RATE),
        lambda rows, _: torch.utils.data.Subset(rows, [0]),
    ],
)
def test_it_stays_with_the_rows(folders, tmp_path, change):
    (origin,) = origins_of(change(load(folders[0]), tmp_path / "saved"))
    assert Preprocessing.from_dict(origin).high_pass == 1.0


@pytest.mark.parametrize("change", [lambda rows: rows.shuffle(seed=0).map(lambda row: row), EndlessStream])
def test_streams_tell_too(folders, change):
    assert [origin["high_pass"] for origin in origins_of(change(load(folders[1], streaming=True)))] == [2.0]


def test_joined_datasets_tell_both(folders):
    origins = origins_of(concatenate_datasets([load(folder) for folder in folders]))
    assert [origin["high_pass"] for origin in origins] == [1.0, 2.0]


@pytest.mark.parametrize("rows", [[], [{"input_values": [[0.0]]}], None])
def test_anything_else_tells_nothing(rows):
    assert origins_of(rows) == []
