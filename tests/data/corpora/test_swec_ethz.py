import pickle
import sys

import numpy as np
import pytest
from scipy.io import savemat

from brant_hf.data.corpora import index_swec_hub, load_swec_ethz_long_term, load_swec_ethz_short_term, load_swec_hub
from brant_hf.data.recordings.readers import mat_files


@pytest.fixture
def signal():
    return np.random.default_rng(0).standard_normal((4, 512 * 400)).astype(np.float32) * 50


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_short_term_seizure_between_three_minutes_before_and_after(tmp_path, signal, write_mat73, version):
    for folder, name in (("ID1", "Sz1.mat"), ("ID1", "Sz2.mat"), ("ID1", "Sz10.mat"), ("ID3a", "Sz1.mat")):
        (tmp_path / folder).mkdir(exist_ok=True)
        write = savemat if version == "5" else write_mat73
        write(tmp_path / folder / name, {"EEG": signal.T})
    recordings = load_swec_ethz_short_term(tmp_path)
    assert [recording.name for recording in recordings] == ["ID1-Sz1", "ID1-Sz2", "ID1-Sz10", "ID3-Sz1"]
    assert [recording.subject for recording in recordings] == ["ID1", "ID1", "ID1", "ID3"]
    recording = recordings[0]
    assert (recording.sampling_rate, recording.num_channels, recording.duration) == (512.0, 4, 400.0)
    assert recording.seizures == [(180.0, 220.0, None)]
    np.testing.assert_array_equal(recording.read(100, 101), signal[:, 51200:51712])
    assert len(pickle.dumps(recording)) < 2000
    assert len(load_swec_ethz_short_term(tmp_path / "ID1")) == 3


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_long_term_hours_with_seizures_cut_at_the_hour(tmp_path, write_mat73, version, recwarn):
    write = savemat if version == "5" else write_mat73
    folder = tmp_path / "ID01"
    folder.mkdir()
    write(
        folder / "ID01_info.mat",
        {
            "fs": np.array([[512]]),
            "seizure_begin": np.array([[100.5], [7190.0], [9000.0]]),
            "seizure_end": np.array([[140.5], [7210.0], [9100.0]]),
        },
    )
    hour = np.zeros((2, 3600 * 512), dtype=np.int16)
    hour[:, :1000] = [[1], [2]]
    # Hour 3 is cut short, hour 4 was not downloaded.
    for number, matrix in ((1, hour), (2, hour), (3, hour[:, : 512 * 30])):
        write(folder / f"ID01_{number}h.mat", {"EEG": matrix})
    recordings = load_swec_ethz_long_term(tmp_path)
    assert [recording.name for recording in recordings] == ["ID01_1h", "ID01_2h", "ID01_3h"]
    assert [recording.seizures for recording in recordings] == [
        [(100.5, 140.5, None)],
        [(3590.0, 3600.0, None)],
        [(0.0, 10.0, None)],
    ]
    assert [recording.duration for recording in recordings] == [3600.0, 3600.0, 30.0]
    assert not recwarn.list
    np.testing.assert_array_equal(recordings[1].read_samples(998, 1002), [[1, 1, 0, 0], [2, 2, 0, 0]])


def test_only_one_older_file_is_in_memory_at_a_time(tmp_path, signal):
    (tmp_path / "ID1").mkdir()
    for number in (1, 2):
        savemat(tmp_path / "ID1" / f"Sz{number}.mat", {"EEG": signal.T * number})
    first, second = load_swec_ethz_short_term(tmp_path)
    np.testing.assert_array_equal(second.read(0, 1), 2 * first.read(0, 1))
    assert mat_files._whole_matrix.cache_info().currsize == 1


def test_wrong_folders_and_files(tmp_path, signal):
    for load in (load_swec_ethz_short_term, load_swec_ethz_long_term):
        with pytest.raises(FileNotFoundError, match="does not exist"):
            load(tmp_path / "nowhere")
        (tmp_path / "void").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match="is empty"):
            load(tmp_path / "void")
        with pytest.raises(ValueError, match=r"holds void.*expected folders `ID"):
            load(tmp_path)
    folder = tmp_path / "ID2"
    folder.mkdir()
    savemat(folder / "Sz1.mat", {"EEG": signal.T[: 512 * 100]})
    with pytest.raises(ValueError, match=r"Sz1.mat lasts 100.0 s"):
        load_swec_ethz_short_term(tmp_path)
    savemat(folder / "Sz1.mat", {"data": signal.T})
    with pytest.raises(ValueError, match=r"Sz1.mat has no matrix `EEG`"):
        load_swec_ethz_short_term(tmp_path)
    (folder / "Sz1.mat").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"Sz1.mat cannot be read as a MATLAB file"):
        load_swec_ethz_short_term(tmp_path)
    savemat(folder / "ID2_info.mat", {"fs": 512, "seizure_begin": [1.0]})
    with pytest.raises(ValueError, match="lacks seizure_end"):
        load_swec_ethz_long_term(tmp_path)
    savemat(folder / "ID2_info.mat", {"fs": 512, "seizure_begin": [1.0], "seizure_end": [2.0]})
    with pytest.warns(UserWarning, match="holds no hour"), pytest.raises(ValueError, match="layout"):
        load_swec_ethz_long_term(tmp_path)


def test_newer_files_without_h5py_say_what_to_install(tmp_path, signal, write_mat73, monkeypatch):
    (tmp_path / "ID1").mkdir()
    write_mat73(tmp_path / "ID1" / "Sz1.mat", {"EEG": signal.T})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'brant_hf\[mat\]'"):
        load_swec_ethz_short_term(tmp_path)


def test_release_on_the_hub_is_a_recording_a_subject_without_copies(tmp_path, signal, write_swec):
    halves = np.split(signal[:, :5120], 2, axis=1)
    for subject in ("ID04", "ID24", "ID30"):
        write_swec(tmp_path, subject, halves, [(1.0, 4.0)] if subject != "ID30" else [], index="ID06")
    with pytest.warns(UserWarning, match="copies of others are left out: ID04 of ID24"):
        recordings = load_swec_hub(tmp_path)
    assert [(each.name, each.subject) for each in recordings] == [("ID24_total", "ID24"), ("ID30_total", "ID30")]
    assert [each.seizures for each in recordings] == [[(1.0, 4.0, None)], []]
    assert [each.name for each in load_swec_hub(tmp_path / "ID30")] == ["ID30_total"]
    assert [each.name for each in load_swec_hub(tmp_path, ["ID2?"])] == ["ID24_total"]
    with pytest.raises(ValueError, match=r"no subject matches \['p1'\]; there are ID04, ID24, ID30"):
        load_swec_hub(tmp_path, ["p1"])
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="is empty"):
        load_swec_hub(tmp_path / "other")
    (tmp_path / "other" / "x.h5").touch()
    with pytest.raises(ValueError, match="not the layout of this corpus"):
        load_swec_hub(tmp_path / "other")


def test_totals_tell_parts_and_seizures_before_parts_are_there(tmp_path, signal, write_swec):
    parts = np.split(signal[:, :5120], [3072], axis=1)
    for subject, index in (("ID04", "ID04"), ("ID24", "ID07")):
        total = write_swec(tmp_path, subject, parts, [(1.0, 4.0), (7.0, 8.0)], index=index)
        for part in total.parent.glob("*_part_*"):
            part.unlink()
    with pytest.warns(UserWarning, match="copies of others are left out: ID04 of ID24"):
        (index,) = index_swec_hub(tmp_path)
    assert (index.subject, index.path, index.num_channels) == ("ID24", total, 4)
    assert (index.sampling_rate, index.duration) == (512.0, 10.0)
    assert [(part.path.name, part.start, part.stop) for part in index.parts] == [
        ("ID24_part_1.h5", 0.0, 6.0),
        ("ID24_part_2.h5", 6.0, 10.0),
    ]
    assert index.seizures == ((1.0, 4.0), (7.0, 8.0))
    write_swec(tmp_path, "ID30", parts, []).unlink()
    with pytest.raises(ValueError, match=r"ID30_part_1.h5: it is no total of SWEC"):
        index_swec_hub(tmp_path, ["ID30"])
