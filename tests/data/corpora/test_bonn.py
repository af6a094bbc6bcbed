import pickle

import numpy as np
import pytest

from brant_hf.data.corpora import load_bonn


@pytest.fixture
def bonn(tmp_path):
    signals = {}
    rng = np.random.default_rng(0)
    # Set C comes with extensions in capitals.
    for folder, name in (
        ("N", "N001.TXT"),
        ("N", "N002.TXT"),
        ("F", "F001.txt"),
        ("S", "S001.txt"),
        ("Z", "Z001.txt"),
    ):
        signals[name] = np.round(rng.standard_normal(4097) * 100)
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("\r\n".join(str(int(value)) for value in signals[name]) + "\r\n")
    return tmp_path, signals


def test_intracranial_sets(bonn):
    folder, signals = bonn
    recordings = load_bonn(folder)
    assert [recording.name for recording in recordings] == ["C-N001", "C-N002", "D-F001", "E-S001"]
    assert {recording.subject for recording in recordings} == {"bonn"}
    assert all(recording.sampling_rate == 173.61 and recording.num_samples == 4097 for recording in recordings)
    assert recordings[0].duration == pytest.approx(23.6, abs=0.01)
    assert [recording.seizures for recording in recordings] == [[], [], [], [(0.0, 4097 / 173.61, None)]]
    np.testing.assert_array_equal(recordings[1].read()[0], signals["N002.TXT"].astype(np.float32))
    np.testing.assert_array_equal(
        recordings[3].read_samples(10, 20), signals["S001.txt"][None, 10:20].astype(np.float32)
    )
    assert len(pickle.dumps(recordings[0])) < 2000


def test_chosen_sets(bonn):
    assert [recording.name for recording in load_bonn(bonn[0], sets=["E"])] == ["E-S001"]
    with pytest.raises(ValueError, match="scalp EEG"):
        load_bonn(bonn[0], sets=["A"])


def test_wrong_folders_and_files(bonn, tmp_path):
    folder, _ = bonn
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_bonn(tmp_path / "nowhere")
    (folder / "F" / "F001.txt").write_text("12\nabc\n")
    with pytest.raises(ValueError, match=r"F001.txt holds something else than numbers"):
        load_bonn(folder)
    (folder / "F" / "F001.txt").write_text("")
    with pytest.raises(ValueError, match=r"F001.txt is empty"):
        load_bonn(folder)
    (folder / "F" / "F001.txt").unlink()
    with pytest.raises(ValueError, match=r"set D \(F001.txt, ...\) is missing"):
        load_bonn(folder)
    (tmp_path / "void").mkdir()
    with pytest.raises(ValueError, match="is empty"):
        load_bonn(tmp_path / "void")
