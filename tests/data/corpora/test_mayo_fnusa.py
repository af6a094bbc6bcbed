import csv

import numpy as np
import pytest
from scipy import signal
from scipy.io import savemat

from brant_hf.data.corpora import load_mayo_fnusa, mayo_fnusa_folds

# patient, category
CLIPS = {"aa": (0, 0), "bb": (0, 1), "cc": (18, 2), "dd": (21, 3), "ee": (22, 2), "ff": (18, 3)}


@pytest.fixture
def mayo(tmp_path):
    folder = tmp_path / "MAYO"
    (folder / "DATASET_MAYO").mkdir(parents=True)
    rng = np.random.default_rng(0)
    signals = {}
    for name in CLIPS:
        signals[name] = rng.standard_normal((1, 15000)) * 40
        savemat(folder / "DATASET_MAYO" / f"{name}.mat", {"data": signals[name]})
    with (folder / "segments.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["index", "segment_id", "category_id", "category_name", "patient_id", "reviewer_id", "channel"]
        )
        for index, (name, (patient, category)) in enumerate(CLIPS.items()):
            writer.writerow([index, name, category, "x", patient, 1, f"e{index}"])
    return folder, signals


def test_clips_follow_the_published_protocol(mayo):
    folder, signals = mayo
    rows = list(load_mayo_fnusa(folder))
    # `aa` is power-line noise; patient 22 is not in the published evaluation.
    assert [row["recording"] for row in rows] == ["bb", "cc", "dd", "ff"]
    assert [row["subject"] for row in rows] == ["MAYO-0", "MAYO-18", "MAYO-21", "MAYO-18"]
    assert [int(row["labels"].max()) for row in rows] == [0, 1, 0, 0]
    row = rows[1]
    assert (row["input_values"].shape, row["input_values"].dtype) == ((1, 22500), np.float32)
    assert (row["labels"].shape, row["labels"].dtype, row["labels"].min()) == ((1, 15), np.int8, 1)
    assert (row["start"], row["channel_names"], row["sampling_rate"]) == (0.0, ["e2"], 7500.0)
    # The interpolation of the published code: positions 1 ... 15000 stretched to 22500 points.
    clip = signals["cc"].reshape(-1)
    expected = np.interp(np.linspace(1, 15000, 22500), np.linspace(1, 15000, 15000), clip)
    np.testing.assert_allclose(row["input_values"][0], expected, rtol=1e-4, atol=1e-4)


def test_rows_are_a_sequence_that_datasets_takes(mayo):
    datasets = pytest.importorskip("datasets")
    rows = load_mayo_fnusa(mayo[0])
    assert (len(rows), rows[-1]["recording"], [row["recording"] for row in rows[1:3]]) == (4, "ff", ["cc", "dd"])
    stored = datasets.Dataset.from_list([{**row, "input_values": row["input_values"]} for row in rows])
    assert np.shape(stored[0]["input_values"]) == (1, 22500)


def test_chosen_subjects(mayo):
    assert [row["recording"] for row in load_mayo_fnusa(mayo[0], subjects=[22])] == ["ee"]
    with pytest.raises(ValueError, match=r"no clip of the subjects \[5\]"):
        load_mayo_fnusa(mayo[0], subjects=[5])


@pytest.mark.parametrize(("corpus", "count"), [("MAYO", 18), ("FNUSA", 13)])
def test_folds_split_by_patient_and_test_each_once(corpus, count):
    folds = mayo_fnusa_folds(corpus)
    tested = [patient for fold in folds for patient in fold["test"]]
    assert (len(folds), len(tested), len(set(tested))) == (6, count, count)
    for fold in folds:
        parts = [set(fold[part]) for part in ("train", "validation", "test")]
        assert set.union(*parts) == set(tested)
        assert sum(map(len, parts)) == count
    assert sorted(patient for fold in folds for patient in fold["validation"]) == sorted(tested)


def test_folds_are_the_published_ones():
    assert mayo_fnusa_folds("MAYO")[0] == {
        "train": [0, 18, 21, 1, 9, 19, 2, 5, 16, 3, 4, 23],
        "validation": [6, 7, 8],
        "test": [14, 17, 20],
    }
    assert mayo_fnusa_folds("FNUSA")[5] == {
        "train": [2, 9, 3, 4, 12, 6, 7, 8, 10],
        "validation": [11, 13],
        "test": [1, 5],
    }
    with pytest.raises(ValueError, match="'BONN'"):
        mayo_fnusa_folds("BONN")


def test_clips_as_brain4fms_makes_them(mayo):
    folder, signals = mayo
    row = load_mayo_fnusa(folder, [18], protocol="brain4fms", num_patches=2, patch_length=1500)[0]
    assert (row["input_values"].shape, row["labels"].tolist(), row["sampling_rate"]) == ((1, 3000), [[1, 1]], 1000.0)
    # Its steps with SciPy: 5000 to 1000 Hz, low-pass at a third of it, notch with quality 30.
    clip = signal.filtfilt(*signal.butter(4, 1000 / 3, "lowpass", fs=1000), signals["cc"][0, ::5])
    expected = signal.lfilter(*signal.iirnotch(60, 30, 1000), clip)
    np.testing.assert_allclose(row["input_values"][0], expected, rtol=1e-4, atol=1e-4)


def test_folds_of_brain4fms_are_rotations():
    mayo, fnusa = (mayo_fnusa_folds(corpus, "brain4fms") for corpus in ("MAYO", "FNUSA"))
    assert mayo[0] == {
        "train": [0, 18, 21, 1, 9, 19, 2, 5, 16],
        "validation": [3, 4, 23],
        "test": [6, 7, 8, 14, 17, 20],
    }
    assert fnusa[1] == {
        "train": [1, 5, 3, 4, 12, 9, 11, 13],
        "validation": [2, 6, 7],
        "test": [8, 10],
    }
    assert (len(mayo), len(fnusa)) == (6, 5)
    for fold in mayo + fnusa:
        subjects = [subject for part in fold.values() for subject in part]
        assert len(subjects) == len(set(subjects)) in (13, 18)
    with pytest.raises(ValueError, match="protocol is 'other'"):
        mayo_fnusa_folds("MAYO", "other")


def test_wrong_folders(mayo, tmp_path):
    folder, _ = mayo
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_mayo_fnusa(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is empty"):
        load_mayo_fnusa(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"holds MAYO.*not the layout.*expected `segments.csv`"):
        load_mayo_fnusa(tmp_path)
    (folder / "DATASET_MAYO" / "dd.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 clips.*dd.mat"):
        load_mayo_fnusa(folder)
    (folder / "segments.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="expected the columns category_id, patient_id, segment_id"):
        load_mayo_fnusa(folder)
    (folder / "segments.csv").unlink()
    with pytest.raises(ValueError, match=r"segments\.csv"):
        load_mayo_fnusa(folder)


def test_damaged_clips(mayo):
    folder, _ = mayo
    rows = load_mayo_fnusa(folder)
    (folder / "DATASET_MAYO" / "bb.mat").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"bb.mat cannot be read as a MATLAB file"):
        rows[0]
    savemat(folder / "DATASET_MAYO" / "bb.mat", {"signal": np.ones(3)})
    with pytest.raises(ValueError, match=r"bb.mat has no variable `data`"):
        rows[0]
    savemat(folder / "DATASET_MAYO" / "bb.mat", {"data": np.ones((1, 600))})
    for protocol in ("paper", "brain4fms"):
        with pytest.raises(ValueError, match=r"bb.mat has 600 samples; clips have 15000"):
            load_mayo_fnusa(folder, protocol=protocol)[0]
