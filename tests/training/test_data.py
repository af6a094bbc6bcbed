"""Windows of a run: where they come from, how they are split, streams."""

import json
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from brant_hf import BrantConfig
from brant_hf.data import Augmentation, AugmentedWindows, load, save_splits
from brant_hf.training import (
    DataArguments,
    RunWindows,
    check_detection_labels,
    limit_subjects,
    load_windows,
    noted_splits,
    split_datasets,
)
from brant_hf.training.streaming import EndlessStream

CONFIG = BrantConfig(patch_length=50, num_patches=6)
THIRDS = {"fractions": "0.5,0.25,0.25", "by": "subject", "seed": 0}


def _load(*datasets: Path, config: BrantConfig = CONFIG, **options) -> RunWindows:
    arguments = {"split_fractions": "0.5,0.25,0.25", **options}
    return load_windows(DataArguments([str(dataset) for dataset in datasets], **arguments), config, "unused")


def _pairs(rows) -> set[tuple[str, float]]:
    """Recording and start of each row."""
    return set(zip(rows["recording"], rows["start"], strict=True))


# Splits


def test_no_patient_is_in_two_splits_and_no_window_is_lost(dataset):
    parts = split_datasets([str(dataset)], **THIRDS)
    subjects = [set(part["subject"]) for part in parts.values()]
    assert list(parts) == ["train", "validation", "test"]
    assert [len(each) for each in subjects] == [4, 2, 2]
    assert not set.intersection(*subjects)
    assert set.union(*(_pairs(part) for part in parts.values())) == _pairs(load(dataset))


def test_windows_are_those_of_the_splits(dataset):
    windows = _load(dataset)
    parts = split_datasets([str(dataset)], **THIRDS)
    assert windows.subjects == {name: list(part["subject"]) for name, part in parts.items()}
    assert windows.summary()["train"] == {"windows": 80, "subjects": 4, "seizures": 4}
    for name, rows in windows.splits().items():
        assert rows.column_names == ["input_values", "labels", "sampling_rate"]
        assert np.array_equal(rows[3]["input_values"], parts[name][3]["input_values"])


def test_noted_splits_are_kept(make_dataset):
    dataset = make_dataset()
    assert noted_splits(str(dataset)) is None
    save_splits(dataset, {"train": 0.5, "test": 0.5}, seed=3)
    assert noted_splits(str(dataset)) == ["train", "test"]
    windows = _load(dataset, split_fractions="0.9,0.1", split_seed=1)
    assert windows.validation is None
    assert windows.subjects["test"] == list(load(dataset, "test")["subject"])


def test_several_datasets_are_joined(make_dataset):
    first, second = make_dataset(channels=(2, 2, 3)), make_dataset(channels=(4, 5), name="second", prefix="q")
    windows = _load(first, second, split_fractions="0.5,0.5")
    assert sum(count["subjects"] for count in windows.summary().values()) == 5
    save_splits(first, {"train": 0.5, "test": 0.5})
    with pytest.raises(ValueError, match="some of the datasets have splits"):
        _load(first, second)
    save_splits(second, {"train": 0.5, "validation": 0.5})
    windows = _load(first, second)
    assert set(windows.subjects["train"]) == {*load(first, "train")["subject"], *load(second, "train")["subject"]}
    assert set(windows.subjects["test"]) == set(load(first, "test")["subject"])
    assert set(windows.subjects["validation"]) == set(load(second, "validation")["subject"])


def test_patients_of_the_same_name_are_refused(make_dataset):
    first, second = make_dataset(channels=(2, 2)), make_dataset(channels=(3, 3), name="second")
    with pytest.raises(ValueError, match=r"subject 'p0' is in .*dataset and in .*second"):
        _load(first, second)


def test_a_recording_in_two_noted_splits_is_refused(make_dataset):
    dataset = make_dataset(channels=(2, 2))
    splits = save_splits(dataset, {"train": 0.5, "test": 0.5})
    noted = json.loads((dataset / "splits.json").read_text())
    noted["splits"]["test"] = splits["train"] + splits["test"]
    (dataset / "splits.json").write_text(json.dumps(noted))
    with pytest.raises(ValueError, match="is in splits 'train' and 'test'"):
        _load(dataset)


@pytest.mark.parametrize("text", ["all", "0.5,half", "0.25,0.25,0.25,0.25", ""])
def test_bad_fractions(dataset, text):
    with pytest.raises(ValueError, match="one to three shares"):
        _load(dataset, split_fractions=text)


def test_fewer_patients_are_part_of_more_and_have_seizures_first(make_dataset):
    calm = make_dataset(channels=(2,) * 4, seizures=False)
    ictal = make_dataset(channels=(2,) * 3, name="second", prefix="q")
    rows = split_datasets([str(calm), str(ictal)], fractions="1", by="time", seed=0)["train"]
    kept = [set(limit_subjects(rows, count, seed=0)["subject"]) for count in range(1, 8)]
    assert [len(each) for each in kept] == list(range(1, 8))
    assert all(fewer < more for fewer, more in pairwise(kept))
    assert kept[2] == {"q0", "q1", "q2"}
    assert len({frozenset(limit_subjects(rows, 1, seed)["subject"]) for seed in range(10)}) > 1
    assert len(limit_subjects(rows, 7, seed=0)) == len(rows)


@pytest.mark.parametrize("count", [0, 5])
def test_max_train_subjects_out_of_range(dataset, count):
    with pytest.raises(ValueError, match="the training split has 4 subjects"):
        _load(dataset, max_train_subjects=count)


# Sources


@pytest.mark.parametrize("streaming", [False, True])
def test_windows_with_and_without_labels_are_joined_without_them(make_dataset, streaming):
    unlabelled = make_dataset(name="second", prefix="q", channels=(3,) * 4, labels=False)
    folders = [make_dataset(channels=(2,) * 4), unlabelled]
    for folder in folders:
        save_splits(folder, {"train": 0.5, "validation": 0.25, "test": 0.25})
    with pytest.warns(UserWarning, match=r"second has no labels, so those of the other datasets are not used"):
        windows = _load(*folders, streaming=streaming)
    assert windows.labelled == {}
    for rows in windows.splits().values():
        found = list(islice(rows, 80))
        assert not any("labels" in row for row in found)
        assert {type(row["input_values"]) for row in found} == {np.ndarray}
        assert {len(row["input_values"]) for row in found} == {2, 3}


@pytest.fixture
def saved(dataset, tmp_path, monkeypatch) -> Path:
    """Splits as Parquet files, as a dataset on the Hub has them."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "saved"
    for name, part in split_datasets([str(dataset)], **THIRDS).items():
        part.with_format(None).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


def test_parquet_files_of_datasets(dataset, saved):
    windows, expected = _load(saved, split_seed=5), _load(dataset)
    assert windows.patch_length is None
    assert windows.subjects == expected.subjects
    for name, rows in windows.splits().items():
        signal = rows[0]["input_values"]
        assert signal.dtype == np.float32
        assert np.array_equal(signal, expected.splits()[name][0]["input_values"])
    check_detection_labels(windows, 50, ["train", "validation"])


def test_windows_without_a_sampling_rate_tell_no_seizures(saved):
    """How many seconds lie between two pieces is not known, so whether they are one seizure is not."""
    for path in saved.iterdir():
        Dataset.from_parquet(str(path)).remove_columns("sampling_rate").to_parquet(path)
    assert _load(saved).summary()["train"] == {"windows": 80, "subjects": 4}


def test_parquet_files_can_be_streamed(dataset, saved, monkeypatch):
    # What `datasets` waits for the threads of a reader that is left before its end.
    monkeypatch.setattr("datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.1)
    windows = _load(saved, streaming=True)
    signals = {row["input_values"].tobytes() for row in islice(windows.train, 80)}
    assert signals == {row["input_values"].tobytes() for row in _load(dataset).train}
    assert windows.subjects == {}
    assert next(iter(windows.test)).keys() == {"input_values", "labels", "sampling_rate"}


def test_dataset_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="absent"):
        _load(tmp_path / "absent")


# Whether they suit the model


def test_windows_of_another_sampling_rate_are_refused(dataset):
    config = BrantConfig(patch_length=50, num_patches=6, sampling_rate=200)
    with pytest.raises(ValueError, match="train windows have 250 Hz, the model 200 Hz"):
        _load(dataset, config=config)


def test_windows_of_different_lengths_are_refused(make_dataset):
    datasets = make_dataset(channels=(2, 2)), make_dataset(channels=(2, 2), name="second", num_patches=5)
    with pytest.raises(ValueError, match="5 patches of 50 samples and of 6 patches of 50 samples"):
        _load(*datasets)


def test_every_split_is_looked_at(saved):
    for path in saved.iterdir():
        rows = Dataset.from_parquet(str(path))
        length = 275 if path.name.startswith("test") else 300
        signals = [[channel[:length] for channel in window] for window in rows["input_values"]]
        Dataset.from_dict({**rows.to_dict(), "input_values": signals}).to_parquet(path)
    with pytest.raises(ValueError, match="test windows have 275 samples"):
        _load(saved)


def test_horizon_counts_as_part_of_the_window(dataset):
    config = BrantConfig(patch_length=50, num_patches=4)
    with pytest.raises(ValueError, match="300 samples; the model reads 1 to 4 patches"):
        _load(dataset, config=config)
    arguments = DataArguments([str(dataset)], split_fractions="0.5,0.5")
    assert load_windows(arguments, config, "unused", horizon_patches=2).summary()["train"]["windows"] == 80
    with pytest.raises(ValueError, match="and a horizon of 300"):
        load_windows(arguments, config, "unused", horizon_patches=6)


def test_splits_that_need_a_seizure(make_dataset):
    calm = make_dataset(channels=(2, 2), seizures=False)
    ictal = make_dataset(channels=(2, 2), name="second", prefix="q")
    windows, calm_windows = _load(ictal, split_fractions="0.5,0.5"), _load(calm, split_fractions="0.5,0.5")
    check_detection_labels(windows, 50, ["train", "validation"])
    mixed = RunWindows(windows.train, calm_windows.train, None, {}, 50)
    check_detection_labels(mixed, 50)
    with pytest.raises(ValueError, match="none of the 20 validation windows has a seizure"):
        check_detection_labels(mixed, 50, ["train", "validation"])
    with pytest.raises(ValueError, match="none of the 20 train windows has a seizure"):
        check_detection_labels(calm_windows, 50)
    check_detection_labels(calm_windows, 50, [])
    with pytest.raises(ValueError, match="6 labels for each channel, the model has 12 patches of 25"):
        check_detection_labels(windows, 25)


# Streams


@pytest.fixture(scope="module")
def streamed(dataset, tmp_path_factory) -> RunWindows:
    """80 training windows of a dataset with noted splits."""
    from shutil import copytree

    folder = copytree(dataset, tmp_path_factory.mktemp("streamed") / "dataset")
    save_splits(folder, {"train": 0.5, "validation": 0.25, "test": 0.25})
    return _load(folder, streaming=True, shuffle_buffer=16)


def _keys(rows) -> list[tuple[bytes, int]]:
    """A part of the signal, and the pass."""
    return [(np.asarray(row["input_values"])[:, :5].tobytes(), row["pass"]) for row in rows]


def test_every_pass_of_a_stream_has_each_window_once_in_another_order(streamed):
    rows = _keys(islice(streamed.train, 240))
    assert [number for _, number in rows] == [0] * 80 + [1] * 80 + [2] * 80
    passes = [[signal for signal, _ in rows[start : start + 80]] for start in (0, 80, 160)]
    assert len(set(passes[0])) == 80
    assert set(passes[0]) == set(passes[1]) == set(passes[2])
    assert passes[0] != passes[1] != passes[2] != passes[0]
    assert _keys(islice(streamed.train, 240)) == rows


def test_workers_share_a_stream(streamed):
    loader = DataLoader(streamed.train, batch_size=None, num_workers=2)
    iterator = iter(loader)
    counts = Counter(_keys(islice(iterator, 120)))
    del iterator  # which ends the workers
    assert set(counts.values()) == {1}
    # Workers take turns, so that the passes overlap by what one has more than the other.
    assert sum(number == 0 for _, number in counts) >= 70


def test_workers_without_a_shard_end():
    stream = Dataset.from_dict({"input_values": [0, 1, 2]}).to_iterable_dataset(num_shards=1)
    loader = DataLoader(EndlessStream(stream), batch_size=None, num_workers=2, timeout=10)
    rows = [(row["pass"], row["input_values"]) for row in islice(loader, 6)]
    assert sorted(rows) == [(number, value) for number in (0, 1) for value in (0, 1, 2)]


def test_splits_to_evaluate_are_not_streamed_from_disk(streamed):
    assert isinstance(streamed.train, EndlessStream)
    assert len(streamed.validation) == len(streamed.subjects["validation"]) == 40
    assert "train" not in streamed.subjects


def test_what_a_stream_cannot_do(streamed, dataset):
    with pytest.raises(ValueError, match="has no splits to stream"):
        _load(dataset, streaming=True)
    with pytest.raises(ValueError, match="--max_train_subjects needs --streaming false"):
        _load(dataset, streaming=True, max_train_subjects=1)
    with pytest.raises(ValueError, match="--class_weights as two numbers"):
        next(streamed.training_labels())
    check_detection_labels(streamed, 50)


def test_training_labels(dataset):
    windows = _load(dataset)
    labels = list(windows.training_labels())
    assert len(labels) == 80
    # A seizure of 6 s is 30 patches of 0.2 s on each channel.
    channels = {subject: len(row) for subject, row in zip(windows.subjects["train"], labels, strict=True)}
    assert sum((row == 1).sum() for row in labels) == 30 * sum(channels.values())


def test_augmented_windows_go_through_workers(dataset):
    rows = AugmentedWindows(_load(dataset).train, Augmentation(), 250.0, 7)
    rows.set_epoch(2)
    expected = rows[11]["input_values"]
    loader = DataLoader(rows, batch_size=None, sampler=[3, 11], num_workers=1)
    assert torch.equal(torch.as_tensor(list(loader)[1]["input_values"]), torch.as_tensor(expected))
