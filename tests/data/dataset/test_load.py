from __future__ import annotations

import datasets
import huggingface_hub
import numpy as np
import pytest
import torch
from datasets.distributed import split_dataset_by_node

from brant_hf.data import load, prepare, save_splits
from brant_hf.training import noted_splits

CHANNELS = (2, 5, 3)


@pytest.fixture
def folder(tmp_path, make_recording, plain):
    recordings = [
        make_recording(channels=count, seconds=24, subject=f"s{i}", name=f"r{i}", seed=i)
        for i, count in enumerate(CHANNELS)
    ]
    prepare(recordings, tmp_path / "windows", plain, patch_length=250, num_patches=4, progress=False)
    return tmp_path / "windows"


def place(row) -> tuple[str, float]:
    return row["subject"], float(row["start"])


ALL_PLACES = [(f"s{i}", 4.0 * w) for i in range(3) for w in range(6)]


def test_rows_are_views_of_the_file(folder):
    dataset = load(folder)
    row = dataset[7]
    assert isinstance(row["input_values"], np.ndarray)
    assert (row["input_values"].dtype, row["input_values"].shape) == (np.float32, (5, 1000))
    assert (row["labels"].dtype, row["labels"].shape) == (np.int8, (5, 4))
    assert (row["subject"], row["start"], row["sampling_rate"]) == ("s1", 4.0, 250.0)
    assert row["channel_names"] == ["CH1", "CH2", "CH3", "CH4", "CH5"]
    assert not row["input_values"].flags.owndata
    assert not row["input_values"].flags.writeable


def test_rows_equal_what_datasets_reads(folder):
    dataset = load(folder)
    plainly = dataset.with_format(None)
    order = [17, 0, 8, 8, 3]
    for rows, expected in (
        (dataset.select(order), plainly.select(order)),
        (dataset.shuffle(seed=1), plainly.shuffle(seed=1)),
    ):
        batch = rows[1:4]
        for i, row in enumerate(rows):
            np.testing.assert_array_equal(row["input_values"], np.array(expected[i]["input_values"], np.float32))
            assert row["labels"].tolist() == expected[i]["labels"]
            if 1 <= i < 4:
                np.testing.assert_array_equal(batch["input_values"][i - 1], row["input_values"])
    for i, values in enumerate(dataset[1:9]["input_values"], start=1):
        np.testing.assert_array_equal(values, dataset[i]["input_values"])
    assert list(dataset["start"]) == [start for _, start in ALL_PLACES]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_comes_once_from_a_data_loader(folder, streaming, workers):
    dataset = load(folder, streaming=streaming)
    dataset = dataset.shuffle(seed=0, buffer_size=8) if streaming else dataset
    loader = torch.utils.data.DataLoader(dataset, 4, collate_fn=list, num_workers=workers)
    rows = [row for batch in loader for row in batch]
    assert sorted(map(place, rows)) == ALL_PLACES
    assert {row["input_values"].shape for row in rows} == {(count, 1000) for count in CHANNELS}


def test_a_worker_started_afresh_reads_rows(folder):
    loader = torch.utils.data.DataLoader(
        load(folder), 6, collate_fn=list, num_workers=1, multiprocessing_context="spawn"
    )
    assert [place(row) for batch in loader for row in batch] == ALL_PLACES


def test_streams_are_shuffled_anew_in_every_epoch(folder):
    stream = load(folder, streaming=True).shuffle(seed=0, buffer_size=8)
    orders = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        orders.append([place(row) for row in stream])
    assert orders[0] == orders[2]
    assert orders[0] != orders[1]
    assert orders[0] != ALL_PLACES
    assert sorted(orders[0]) == sorted(orders[1]) == ALL_PLACES


@pytest.mark.parametrize("streaming", [False, True])
def test_ranks_share_the_rows(folder, streaming):
    parts = [
        [place(row) for row in split_dataset_by_node(load(folder, streaming=streaming), rank, 3)] for rank in range(3)
    ]
    assert [len(part) for part in parts] == [6, 6, 6]
    assert sorted(place for part in parts for place in part) == ALL_PLACES


def test_a_stream_continues_from_its_state(folder):
    stream = load(folder, streaming=True)
    rows = iter(stream)
    first = [place(next(rows)) for _ in range(7)]
    state = stream.state_dict()
    resumed = load(folder, streaming=True)
    resumed.load_state_dict(state)
    assert first + [place(row) for row in resumed] == ALL_PLACES


def test_a_folder_written_by_datasets_is_read_too(folder, tmp_path):
    load(folder).with_format(None).to_parquet(tmp_path / "parquet" / "train.parquet")
    dataset = load(tmp_path / "parquet", "train")
    assert isinstance(dataset, datasets.Dataset)
    assert dataset[7]["input_values"].shape == (5, 1000)
    np.testing.assert_array_equal(dataset[7]["input_values"], load(folder)[7]["input_values"])
    assert sum(1 for _ in load(tmp_path / "parquet", streaming=True)) == 18


def test_what_datasets_saved_is_read_too(folder, tmp_path):
    save_splits(folder, {"train": 0.67, "test": 0.33})
    splits = {name: load(folder, name) for name in ("train", "test")}
    load(folder).save_to_disk(tmp_path / "rows")
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "splits")
    assert sorted(map(place, load(tmp_path / "rows"))) == sorted(map(place, load(tmp_path / "splits"))) == ALL_PLACES
    (row,) = load(tmp_path / "splits", "test").select([3])
    np.testing.assert_array_equal(row["input_values"], splits["test"][3]["input_values"])
    stream = load(tmp_path / "splits", "test", streaming=True)
    assert [place(row) for row in stream] == [place(row) for row in splits["test"]]
    assert (noted_splits(str(tmp_path / "splits")), noted_splits(str(tmp_path / "rows"))) == (["train", "test"], None)
    with pytest.raises(ValueError, match="no split 'validation'; it has 'train', 'test'"):
        load(tmp_path / "splits", "validation")


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="not/an/id does not exist"):
        load("not/an/id")
    with pytest.raises(ValueError, match="no split 'test'; it has 'train'"):
        load(folder, "test")
    next(folder.glob("data/windows-*")).unlink()
    with pytest.raises(FileNotFoundError, match="run prepare again"):
        load(folder)


def test_no_hub_is_within_reach(monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fail)
    with pytest.raises(OSError, match=r"windows: there is no such folder in .* the Hub cannot be reached"):
        load("you/windows")


def test_a_dataset_without_windows(tmp_path, make_recording, plain):
    prepare(make_recording(seconds=1), tmp_path, plain, progress=False)
    with pytest.raises(ValueError, match="has no windows"):
        load(tmp_path)


def test_a_file_is_no_dataset(tmp_path):
    (tmp_path / "night.edf").write_bytes(b"0")
    with pytest.raises(ValueError, match=r"night\.edf is a file; give a folder made by prepare"):
        load(tmp_path / "night.edf")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_folder_of_recordings_is_no_dataset(tmp_path, streaming):
    (tmp_path / "night.edf").write_bytes(b"0")
    with pytest.raises(ValueError, match=r"is no dataset of windows .* make one of its recordings with prepare"):
        load(tmp_path, streaming=streaming)
    (tmp_path / "night_events.tsv").write_text("onset\tduration\teventType\n100\t50\tsz\n")
    with pytest.raises(ValueError, match=r"no dataset of windows \(its columns are onset, duration, eventType\)"):
        load(tmp_path, streaming=streaming)
