from __future__ import annotations

import datasets
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from brant_hf.data import check_splits, k_fold, load, prepare, save_splits, split
from brant_hf.data.dataset.folder import DatasetFolder
from brant_hf.data.dataset.splits import assign_groups

FEATURES = datasets.Features(
    {
        "input_values": datasets.List(datasets.List(datasets.Value("float32"))),
        "labels": datasets.List(datasets.List(datasets.Value("int8"))),
        "subject": datasets.Value("string"),
        "recording": datasets.Value("string"),
        "start": datasets.Value("float64"),
        "sampling_rate": datasets.Value("float64"),
    }
)


def windows(rows: list[tuple[str, str, float, int]], samples: int = 4, rate: float = 1.0) -> datasets.Dataset:
    """Rows (subject, recording, start, seizure patches) of windows of 2 patches."""
    return datasets.Dataset.from_list(
        [
            {
                "input_values": [[0.0] * samples],
                "labels": [[int(seizures > 0), int(seizures > 1)]],
                "subject": subject,
                "recording": recording,
                "start": start,
                "sampling_rate": rate,
            }
            for subject, recording, start, seizures in rows
        ],
        features=FEATURES,
    )


def keys(dataset: datasets.Dataset) -> list[tuple[str, str, float]]:
    return list(zip(dataset["subject"], dataset["recording"], dataset["start"], strict=True))


corpora = st.lists(
    st.tuples(
        st.integers(0, 7).map(lambda i: f"sub{i}"),
        st.integers(0, 2).map(lambda i: f"run{i}"),
        st.integers(0, 9).map(lambda i: 4.0 * i),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:3],
)
fractions = st.sampled_from(
    [None, {"train": 0.5, "test": 0.5}, {"train": 0.7, "validation": 0.1, "test": 0.2}, {"a": 0.25, "b": 0.75}]
)


@settings(max_examples=40, deadline=None)
@given(corpora, fractions, st.integers(0, 3), st.sampled_from(["subject", "recording"]))
def test_no_subject_or_recording_is_in_two_splits(rows, shares, seed, by):
    dataset = windows(rows)
    groups = {row[:1] if by == "subject" else row[:2] for row in rows}
    if len(groups) < len(shares or "123"):
        with pytest.raises(ValueError, match="cannot fill"):
            split(dataset, shares, by, seed=seed)
        return
    parts = split(dataset, shares, by, seed=seed)
    owners = [{key[:1] if by == "subject" else key[:2] for key in keys(part)} for part in parts.values()]
    assert all(owners)
    assert sum(map(len, owners)) == len(set.union(*owners))
    assert sorted(key for part in parts.values() for key in keys(part)) == sorted(row[:3] for row in rows)
    check_splits(parts, by)


@settings(max_examples=30, deadline=None)
@given(corpora, st.integers(2, 5), st.integers(0, 3))
def test_every_subject_is_tested_in_one_fold_and_never_trained_on_there(rows, k, seed):
    dataset = windows(rows)
    subjects = {row[0] for row in rows}
    if len(subjects) < k:
        with pytest.raises(ValueError, match="cannot fill"):
            k_fold(dataset, k, seed=seed)
        return
    folds = k_fold(dataset, k, seed=seed)
    tested = [set(fold["test"]["subject"]) for fold in folds]
    assert sum(map(len, tested)) == len(subjects)
    assert set.union(*tested) == subjects
    for fold, test in zip(folds, tested, strict=True):
        assert set(fold["train"]["subject"]) == subjects - test


@settings(max_examples=40, deadline=None)
@given(corpora, fractions, st.sampled_from([0.0, 4.0, 9.5]))
def test_splits_by_time_keep_their_distance(rows, shares, guard):
    parts = split(windows(rows), shares, "time", guard_s=guard)
    placed = [(name, *key) for name, part in parts.items() for key in keys(part)]
    assert len({key[1:] for key in placed}) == len(placed)
    for name, *one, start in placed:
        for other, *two, later in placed:
            if name != other and one == two and start <= later:
                assert later - (start + 4) >= guard - 1e-6
    check_splits(parts, "time", guard_s=guard)


def test_splits_by_time_by_hand():
    dataset = windows([("s", "r", 4.0 * i, 0) for i in range(10)])
    parts = split(dataset, {"train": 0.5, "test": 0.5}, "time")
    assert [list(part["start"]) for part in parts.values()] == [[0, 4, 8, 12, 16], [20, 24, 28, 32, 36]]
    parts = split(dataset, {"train": 0.5, "test": 0.5}, "time", guard_s=8)
    assert [list(part["start"]) for part in parts.values()] == [[0, 4, 8, 12], [24, 28, 32, 36]]
    parts = split(dataset, {"train": 0.55, "test": 0.45}, "time")  # the window from 20 to 24 s crosses the cut
    assert [list(part["start"]) for part in parts.values()] == [[0, 4, 8, 12, 16], [24, 28, 32, 36]]


def test_folds_are_stratified():
    """6 subjects with seizures among 18: 2 in each of 3 folds, and windows in equal numbers."""
    rows = [(f"s{i:02d}", "r", 4.0 * w, 2 if i % 3 == 0 and w < 5 else 0) for i in range(18) for w in range(10)]
    for fold in k_fold(windows(rows), 3, seed=1):
        assert len(fold["test"]) == 60
        assert sum(np.sum(labels) for labels in fold["test"]["labels"]) == 20


def test_fractions_are_kept():
    rows = [(f"s{i:02d}", "r", 4.0 * w, 0) for i in range(20) for w in range(5)]
    parts = split(windows(rows))
    assert {name: len(part) for name, part in parts.items()} == {"train": 80, "validation": 10, "test": 10}


def test_the_seed_and_nothing_else_changes_a_split():
    rows = [(f"s{i:02d}", "r", 4.0 * w, 0) for i in range(12) for w in range(3)]
    first = split(windows(rows), seed=3)["train"]
    again = split(windows(rows[::-1]), seed=3)["train"]
    assert set(first["subject"]) == set(again["subject"])
    assert any(set(split(windows(rows), seed=s)["train"]["subject"]) != set(first["subject"]) for s in range(4))


def test_splits_of_permuted_datasets():
    rows = [(f"s{i:02d}", "r", 4.0 * w, 0) for i in range(10) for w in range(3)]
    parts = split(windows(rows).shuffle(seed=0))
    assert sorted(key for part in parts.values() for key in keys(part)) == sorted(row[:3] for row in rows)
    check_splits(parts)


@pytest.mark.parametrize(
    ("by", "rows", "message"),
    [
        ("subject", [("s1", "b", 40.0, 0)], "subject s1 is in splits 'train' and 'test'"),
        ("recording", [("s1", "a", 40.0, 0)], "recording a of subject s1 is in splits 'train' and 'test'"),
        ("time", [("s1", "a", 3.0, 0)], "recording a of subject s1 at 3.00 s"),
    ],
)
def test_overlapping_splits_are_refused(by, rows, message):
    with pytest.raises(ValueError, match=message):
        check_splits({"train": windows([("s1", "a", 0.0, 0)]), "test": windows(rows)}, by)


def test_splits_that_do_not_overlap_pass():
    train = windows([("s1", "a", 0.0, 0), ("s1", "b", 0.0, 0)])
    check_splits({"train": train, "test": windows([("s2", "a", 0.0, 0)])})
    check_splits({"train": train, "test": windows([("s2", "a", 0.0, 0)])}, "recording")
    check_splits({"train": train, "test": windows([("s1", "a", 4.0, 0)])}, "time")
    with pytest.raises(ValueError, match="less than 2 s apart"):
        check_splits({"train": train, "test": windows([("s1", "a", 5.0, 0)])}, "time", guard_s=2)


@pytest.mark.parametrize("shares", [{}, {"train": 0.5}, {"train": 1.2, "test": -0.2}])
def test_fractions_that_do_not_add_up_are_refused(shares):
    with pytest.raises(ValueError, match="add up to 1"):
        split(windows([("s", "r", 0.0, 0)]), shares)


def test_large_groups_do_not_starve_a_split():
    sizes = np.array([1000, 1, 1])
    assigned = assign_groups(["a", "b", "c"], np.zeros(3), {"x": 0.9, "y": 0.05, "z": 0.05}, rows=sizes)
    assert sorted(assigned.values()) == ["x", "y", "z"]
    assert assigned["a"] == "x"


def test_saved_splits_are_found_by_load_and_by_datasets(tmp_path, make_recording, plain):
    options = {"patch_length": 250, "num_patches": 4, "progress": False}
    recordings = [make_recording(subject=f"s{i}", name=f"r{j}", seconds=9) for i in range(5) for j in range(2)]
    prepare(recordings, tmp_path, plain, **options)
    saved = save_splits(tmp_path, {"train": 0.6, "validation": 0.2, "test": 0.2})
    assert {name: len(files) for name, files in saved.items()} == {"train": 6, "validation": 2, "test": 2}
    parts = {name: load(tmp_path, name) for name in saved}
    assert {name: len(part) for name, part in parts.items()} == {"train": 12, "validation": 4, "test": 4}
    check_splits(parts)
    assert len(load(tmp_path)) == 20
    plainly = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {name: set(part["subject"]) for name, part in plainly.items()} == {
        name: set(part["subject"]) for name, part in parts.items()
    }
    with pytest.raises(ValueError, match=r"no split 'dev'; it has 'train', 'validation', 'test'"):
        load(tmp_path, "dev")

    # Nothing new: the splits stay. New recordings: they would be in none, so the splits go.
    prepare(recordings, tmp_path, plain, **options)
    assert len(load(tmp_path, "test")) == 4
    # Nor does a recording too short for a window, or a file that cannot be read, change anything.
    assert prepare(make_recording(subject="s8", seconds=1), tmp_path, plain, **options).without_windows
    (tmp_path.parent / "bad.edf").write_text("no EDF")
    assert prepare(tmp_path.parent / "bad.edf", tmp_path, plain, **options).failed
    assert len(load(tmp_path, "test")) == 4
    with pytest.warns(UserWarning, match="its saved splits are removed"):
        prepare(make_recording(subject="s9", seconds=9), tmp_path, plain, **options)
    with pytest.raises(ValueError, match="no split 'test'"):
        load(tmp_path, "test")
    assert len(load(tmp_path, "train")) == 22
    assert list(datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))) == ["train"]


@pytest.mark.filterwarnings("ignore:.*saved splits are removed")
def test_saved_splits_do_not_outlive_a_run_killed_after_it_added_a_recording(
    tmp_path, make_recording, plain, monkeypatch
):
    options = {"patch_length": 250, "num_patches": 4, "progress": False}
    recordings = [make_recording(subject=f"s{i}", seconds=9) for i in range(3)]
    prepare(recordings[:2], tmp_path, plain, **options)
    save_splits(tmp_path, {"train": 0.5, "test": 0.5})
    add = DatasetFolder.add

    def stop(folder, entry):
        add(folder, entry)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DatasetFolder, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(recordings[2], tmp_path, plain, **options)
    assert prepare(recordings, tmp_path, plain, **options).skipped == ["s0/r1", "s1/r1", "s2/r1"]
    assert len(load(tmp_path, "train")) == 6


def test_saved_splits_stay_when_a_recording_of_the_same_name_is_refused(tmp_path, write_edf, plain):
    options = {"patch_length": 250, "num_patches": 4, "progress": False, "open_options": {"subject": "s"}}
    signal = np.random.default_rng(0).standard_normal((2, 2500))
    paths = [write_edf(tmp_path / name, signal, 250) for name in ("a/r.edf", "a/s.edf", "b/r.edf")]
    prepare(paths[:2], tmp_path / "out", plain, **options)
    save_splits(tmp_path / "out", {"train": 0.5, "test": 0.5}, by="recording")
    assert list(prepare(paths, tmp_path / "out", plain, **options).failed) == [str(paths[2])]
    assert len(load(tmp_path / "out", "test")) == 2


def test_splits_are_saved_beside_a_prepared_dataset_only(tmp_path):
    with pytest.raises(ValueError, match="not a folder made by prepare"):
        save_splits(tmp_path)
