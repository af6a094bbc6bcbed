import pickle
import sys

import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording, prepare
from brant_hf.data.recordings.readers import swec

RATE = 64
# Parts of 100, 50 and 30 s.
LENGTHS = (6400, 3200, 1920)
SEIZURES = [(20.0, 30.0), (95.0, 105.0), (155.0, 160.0)]


@pytest.fixture
def signal():
    return np.random.default_rng(0).standard_normal((4, sum(LENGTHS))).astype(np.float32) * 50


@pytest.fixture
def parts(signal):
    return np.split(signal, np.cumsum(LENGTHS)[:-1], axis=1)


def opened_with_warnings(path):
    with pytest.warns(UserWarning, match="ID") as caught:
        recording = open_recording(path)
    return recording, "\n".join(str(each.message) for each in caught)


@pytest.mark.parametrize("compressed", [False, True])
# The totals of ID19 to ID68 look for their parts under the name of another folder.
@pytest.mark.parametrize("index", ["ID25", "ID07"])
def test_total_is_one_recording_with_its_seizures(tmp_path, signal, parts, write_swec, recwarn, index, compressed):
    total = write_swec(tmp_path, "ID25", parts, SEIZURES, RATE, index=index, chunk_s=30, compressed=compressed)
    recording = open_recording(total)
    assert not recwarn.list
    assert (recording.name, recording.subject, recording.sampling_rate) == ("ID25_total", "ID25", RATE)
    assert (recording.num_channels, recording.duration, recording.gaps) == (4, 180.0, [])
    assert recording.channel_names == ["CH1", "CH2", "CH3", "CH4"]
    assert recording.seizures == [(onset, offset, None) for onset, offset in SEIZURES]
    assert recording.seizures_from == "ID25_total.h5"
    # Microvolts, over the border of chunks and of parts.
    np.testing.assert_array_equal(recording.read(29, 160), signal[:, 29 * RATE : 160 * RATE])
    np.testing.assert_array_equal(open_recording(total, channels=["CH3"]).read(99, 101), signal[2:3, 6336:6464])
    assert len(pickle.dumps(recording)) < 5000
    assert open_recording(total, seizures=[]).seizures == []


def test_neighbouring_windows_decompress_no_chunk_twice(tmp_path, parts, write_swec):
    recording = open_recording(write_swec(tmp_path, "ID04", parts, SEIZURES, RATE, chunk_s=30))
    swec._chunk.cache_clear()
    for start in np.arange(0, 170, 5.0):
        recording.read(start, start + 10)
    # 4 chunks of 30 s in the first part, 2 in the second and 1 in the third.
    assert swec._chunk.cache_info().misses == 7
    assert swec._chunk.cache_info().currsize == 2


def test_missing_parts_are_gaps_and_named(tmp_path, signal, parts, write_swec):
    # A part under the name of the index, of another subject, is none of this one.
    write_swec(tmp_path, "ID07", parts, SEIZURES, RATE)
    total = write_swec(tmp_path, "ID25", parts, SEIZURES, RATE, index="ID07")
    (tmp_path / "ID07" / "ID07_part_2.h5").rename(total.parent / "ID07_part_2.h5")
    (total.parent / "ID25_part_2.h5").unlink()
    (total.parent / "ID25_part_3.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    recording, told = opened_with_warnings(total)
    assert "2 of 3 parts are not beside it (ID25_part_2.h5, ID25_part_3.h5), so 44% of it is missing" in told
    assert recording.duration == 180.0
    assert recording.gaps == [(100.0, 180.0)]
    # The last one was not recorded; the one before begins in the first part.
    assert recording.seizures == [(20.0, 30.0, None), (95.0, 105.0, None)]
    np.testing.assert_array_equal(recording.read(99, 100), signal[:, 6336:6400])
    assert np.isnan(recording.read(100, 180)).all()
    (total.parent / "ID25_part_1.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"none of the 3 parts that it joins is beside it \(ID25_part_1.h5, "):
        open_recording(total)


def test_missing_first_part_keeps_the_clock(tmp_path, signal, parts, write_swec):
    total = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    (total.parent / "ID04_part_1.h5").unlink()
    recording, _ = opened_with_warnings(total)
    assert recording.gaps == [(0.0, 100.0)]
    assert [onset for onset, _, _ in recording.seizures] == [95.0, 155.0]
    np.testing.assert_array_equal(recording.read(100, 180), signal[:, 6400:])


def test_part_has_its_seizures_from_the_total(tmp_path, signal, parts, write_swec, recwarn):
    total = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE, index="ID99")
    part = open_recording(total.with_name("ID04_part_2.h5"))
    assert not recwarn.list
    assert (part.name, part.subject, part.duration, part.seizures) == ("ID04_part_2", "ID04", 50.0, [(0.0, 5.0, None)])
    assert part.seizures_from == "ID04_total.h5"
    np.testing.assert_array_equal(part.read(0, 50), signal[:, 6400:9600])
    last = open_recording(total.with_name("ID04_part_3.h5"))
    assert last.seizures == [(5.0, 10.0, None)]
    total.unlink()
    part, told = opened_with_warnings(total.with_name("ID04_part_2.h5"))
    assert "its seizures are not known, since ID04_total.h5 beside it would tell of them" in told
    assert (part.seizures, part.seizures_from) == ([], "")


def test_folder_gives_totals_or_parts_without_one(tmp_path, parts, write_swec):
    write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    write_swec(tmp_path, "ID05", parts[:2], [], RATE).unlink()
    (tmp_path / "features_total.h5").touch()
    found = [path.name for path in find_recordings(tmp_path)]
    assert found == ["ID04_total.h5", "ID05_part_1.h5", "ID05_part_2.h5"]


def test_recording_is_prepared_anew_when_a_part_arrives(tmp_path, parts, write_swec):
    total = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    later = total.with_name("ID04_part_2.h5")
    later.rename(tmp_path / later.name)
    options = {"patch_length": 250, "num_patches": 5, "progress": False}
    report = prepare(total.parent, tmp_path / "windows", **options)
    assert not report.failed
    assert any("ID04_part_2.h5" in warning for warning in report.warnings)
    assert report.prepared[0]["seconds"]["gaps"] >= 50
    few = report.rows
    (tmp_path / later.name).rename(later)
    report = prepare(total.parent, tmp_path / "windows", **options)
    assert report.rows == 36 > few
    assert report.prepared[0]["seconds"]["gaps"] == 0


def test_copies_of_the_release_are_told_where_both_are(tmp_path, parts, write_swec, recwarn):
    copy = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    open_recording(copy)
    assert not recwarn.list
    original = write_swec(tmp_path, "ID24", parts, SEIZURES, RATE)
    assert "ID04_total: it is a copy of ID24_total" in opened_with_warnings(copy)[1]
    recwarn.clear()
    open_recording(original)
    assert not recwarn.list
    # In a later release, the folder may hold somebody else.
    write_swec(tmp_path / "later", "ID24", parts, SEIZURES[:2], RATE)
    assert swec.copy_of(write_swec(tmp_path / "later", "ID04", parts, SEIZURES, RATE)) is None


def test_files_that_do_not_fit_are_refused(tmp_path, parts, write_swec):
    total = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    other = write_swec(tmp_path, "ID05", parts[::-1], SEIZURES, RATE)
    second = total.with_name("ID04_part_1.h5")
    whole = second.read_bytes()
    second.write_bytes(other.with_name("ID05_part_1.h5").read_bytes())
    with pytest.raises(
        ValueError, match=r"ID04_part_1.h5: it holds 4 channels x 1920 samples at 64.0 Hz, but ID04_tot"
    ):
        open_recording(total)
    second.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"ID04_part_1.h5: it cannot be read .* download it again"):
        open_recording(total)


def test_other_hdf5_files_say_what_to_do(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["signals"] = np.zeros((2, 100))
    with pytest.raises(ValueError, match=r"it has no matrix data/ieeg .*; HDF5 has no fixed form: with h5py, load"):
        open_recording(tmp_path / "mine.h5")
    (tmp_path / "no.h5").write_text("no HDF5")
    with pytest.raises(ValueError, match=r"no.h5 cannot be read as a .h5 recording: .*HDF5 has no fixed form"):
        open_recording(tmp_path / "no.h5")


def test_missing_packages_are_named(tmp_path, parts, write_swec, monkeypatch):
    total = write_swec(tmp_path, "ID04", parts, SEIZURES, RATE)
    monkeypatch.setattr("h5py.h5z.filter_avail", lambda number: False)
    part = total.with_name("ID04_part_1.h5")
    import h5py

    with h5py.File(part, "r+") as file:
        del file["data/ieeg"]
        file.create_dataset("data/ieeg", data=parts[0], chunks=(4, 640), compression="gzip")
    with pytest.raises(ImportError, match=r"with deflate, needs hdf5plugin: pip install 'brant_hf\[swec\]'"):
        open_recording(total)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"ID04_total.h5 needs h5py: pip install 'brant_hf\[swec\]'"):
        open_recording(total)
