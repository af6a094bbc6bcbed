import numpy as np
import pytest
from scipy.io import savemat
from scipy.ndimage import gaussian_filter1d

from brant_hf.data.corpora import load_kaggle_seizure_detection

RATE = 400


def smooth_signal(seconds: int, seed: int) -> np.ndarray:
    """Two channels with most of their power at low frequencies, as in intracranial EEG."""
    noise = np.random.default_rng(seed).standard_normal((2, seconds * RATE))
    return gaussian_filter1d(noise, 8, axis=1) * 300


def write_clips(folder, kind, signals, latencies=None):
    folder.mkdir(exist_ok=True, parents=True)
    number = 0
    for run, signal in enumerate(signals):
        for second in range(signal.shape[1] // RATE):
            number += 1
            clip = {
                "data": signal[:, second * RATE : (second + 1) * RATE],
                "freq": float(RATE),
                "channels": {"grid_c001": [[]], "grid_c002": [[]]},
            }
            if kind == "ictal":
                clip["latency"] = float(second if latencies is None else latencies[run] + second)
            savemat(folder / f"{folder.name}_{kind}_segment_{number}.mat", clip)


@pytest.fixture
def corpus(tmp_path):
    signals = [smooth_signal(12, 0), smooth_signal(5, 1)], [smooth_signal(11, 2), smooth_signal(4, 3)]
    write_clips(tmp_path / "Patient_1", "ictal", signals[0])
    write_clips(tmp_path / "Patient_1", "interictal", signals[1])
    write_clips(tmp_path / "Patient_1", "test", [smooth_signal(2, 4)])
    write_clips(tmp_path / "Dog_2", "ictal", [smooth_signal(3, 5)])
    return tmp_path, signals


def test_clips_are_joined_to_seizures_and_background(corpus):
    folder, (ictal, interictal) = corpus
    recordings = load_kaggle_seizure_detection(folder, subjects=["Patient_*"])
    assert [recording.name for recording in recordings] == [
        "Patient_1_ictal_segment_1",
        "Patient_1_ictal_segment_13",
        "Patient_1_interictal_segment_1",
        "Patient_1_interictal_segment_12",
    ]
    assert [recording.duration for recording in recordings] == [12.0, 5.0, 11.0, 4.0]
    assert [recording.seizures for recording in recordings] == [[(0.0, 12.0, None)], [(0.0, 5.0, None)], [], []]
    assert {recording.subject for recording in recordings} == {"Patient_1"}
    assert recordings[0].channel_names == ["grid_c001", "grid_c002"]
    np.testing.assert_allclose(recordings[0].read(), ictal[0], rtol=1e-6)
    np.testing.assert_allclose(recordings[3].read(), interictal[1], rtol=1e-6)
    # Across joints, inside one clip, and up to the end.
    np.testing.assert_allclose(recordings[0].read(1.5, 3.25), ictal[0][:, 600:1300], rtol=1e-6)
    np.testing.assert_allclose(recordings[0].read(2.25, 2.5), ictal[0][:, 900:1000], rtol=1e-6)
    np.testing.assert_allclose(recordings[0].read(11.5, 12), ictal[0][:, 4600:4800], rtol=1e-6)


def test_all_subjects_and_a_single_folder(corpus):
    folder, _ = corpus
    assert {recording.subject for recording in load_kaggle_seizure_detection(folder)} == {"Dog_2", "Patient_1"}
    assert len(load_kaggle_seizure_detection(folder / "Dog_2")) == 1
    with pytest.raises(ValueError, match=r"no subject matches \['Cat_1'\]; there are \['Dog_2', 'Patient_1'\]"):
        load_kaggle_seizure_detection(folder, subjects=["Cat_1"])


def test_a_missing_clip_does_not_join_what_is_apart(tmp_path):
    write_clips(tmp_path / "Patient_3", "ictal", [smooth_signal(6, 0)])
    (tmp_path / "Patient_3" / "Patient_3_ictal_segment_3.mat").unlink()
    assert [recording.duration for recording in load_kaggle_seizure_detection(tmp_path)] == [2.0, 3.0]


def test_wrong_folders_and_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_kaggle_seizure_detection(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty"):
        load_kaggle_seizure_detection(tmp_path)
    (tmp_path / "Patient_1").mkdir()
    with pytest.raises(ValueError, match="expected folders `Dog_1`"):
        load_kaggle_seizure_detection(tmp_path / ".." / tmp_path.name)
    savemat(tmp_path / "Patient_1" / "Patient_1_ictal_segment_1.mat", {"x": 1})
    with pytest.raises(ValueError, match="lacks a matrix `data` or `freq`"):
        load_kaggle_seizure_detection(tmp_path)
