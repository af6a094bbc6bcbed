"""What stands where a recording should be, and files of formats that hold none."""

import os
import re

import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording, prepare

POINTERS = {
    "annex": ("/annex/objects/MD5E-s123--0123456789abcdef.edf\n", r"git-annex.*not been fetched.*datalad get"),
    "annex without links": ("../../.git/annex/objects/Xj/2k/MD5E-s1--0/MD5E-s1--0", r"git-annex.*datalad get"),
    "annex on Windows": ("..\\.git\\annex\\objects\\Xj\\2k\\MD5E-s1--0", r"git-annex.*git annex get"),
    "lfs": ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", r"Git LFS.*git lfs pull"),
}
TABLE = "onset\tduration\ttrial_type\n4\t5\tseizure\n"
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.mark.parametrize("suffix", [".edf", ".vhdr", ".set", ".lay", ".fif", ".nwb", ".npy", ".npz", ".mat", ".EEG"])
@pytest.mark.parametrize("kind", POINTERS)
def test_a_pointer_says_how_its_content_is_fetched(tmp_path, suffix, kind):
    content, message = POINTERS[kind]
    path = tmp_path / f"rec{suffix}"
    path.write_text(content)
    with pytest.raises(FileNotFoundError, match=rf"rec{suffix}.*{message}"):
        open_recording(path)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (".git/annex/objects/xx/none.edf", r"dangling link of git-annex.*datalad get rec"),
        ("/gone/a.edf", r"a link to /gone"),
    ],
)
@pytest.mark.parametrize("name", ["rec.edf", "rec.mefd"])
def test_a_dangling_link(tmp_path, name, target, message):
    (tmp_path / name).symlink_to(target)
    with pytest.raises(FileNotFoundError, match=rf"{name} .*{message}"):
        open_recording(tmp_path / name)


def test_a_pointer_inside_a_folder_that_is_one_recording(tmp_path):
    (tmp_path / "rec.mefd/A1.timd").mkdir(parents=True)
    (tmp_path / "rec.mefd/A1.timd/A1.tdat").symlink_to("../.git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=r"A1\.tdat .*not been fetched"):
        open_recording(tmp_path / "rec.mefd")


@pytest.mark.parametrize(("header", "companion"), [("rec.set", "rec.fdt"), ("rec.eeg", "rec.21e")])
def test_a_file_that_belongs_to_the_recording(tmp_path, header, companion):
    (tmp_path / header).write_bytes(b"x" * 100)
    (tmp_path / companion).write_text(POINTERS["annex"][0])
    with pytest.raises(FileNotFoundError, match=rf"{companion} .*not been fetched"):
        open_recording(tmp_path / header)


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("name", ["rec_events.tsv", "rec.tsv"])
def test_events_beside_the_file_that_are_not_here_are_no_recording_without_seizures(write_edf, name, is_link):
    path, _ = write_edf(["A1", "A2"])
    if is_link:
        (path.parent / name).symlink_to(".git/annex/objects/x.tsv")
    else:
        (path.parent / name).write_text(POINTERS["annex"][0])
    with pytest.raises(FileNotFoundError, match=rf"{name} .*not been fetched"):
        open_recording(path)
    assert open_recording(path, seizures=[]).seizures == []


@pytest.mark.parametrize("name", ["events.tsv", "channels.tsv", "ieeg.json"])
def test_bids_files_that_are_not_here(write_edf, tmp_path, name):
    path, _ = write_edf(["A1", "A2"], name="sub-1_task-a_ieeg.edf", folder=tmp_path / "sub-1/ieeg")
    (path.parent / f"sub-1_task-a_{name}").symlink_to(".git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=rf"{name} .*not been fetched"):
        open_recording(path)


def test_a_bids_name_in_a_folder_that_is_none_of_bids(write_edf, tmp_path):
    path, _ = write_edf(["A1", "A2"], name="sub-1_task-a_ieeg.edf", folder=tmp_path / "my_study-2")
    assert open_recording(path).channel_names == ["A1", "A2"]


def test_a_table_that_is_a_link_to_a_table_is_read(write_edf, tmp_path):
    path, _ = write_edf(["A1", "A2"])
    (tmp_path / "elsewhere.txt").write_text(TABLE)
    (tmp_path / "rec_events.tsv").symlink_to("elsewhere.txt")
    assert open_recording(path).seizures == [(4.0, 9.0, None)]


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".vhdr", ".set", ".fif", ".lay", ".npy", ".nwb"])
def test_an_empty_file(tmp_path, suffix):
    (tmp_path / f"rec{suffix}").touch()
    with pytest.raises(ValueError, match=rf"rec{suffix} is empty"):
        open_recording(tmp_path / f"rec{suffix}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rec.txt", "numpy.loadtxt"),
        ("rec.CSV", "numpy.loadtxt"),
        ("rec.hdf5", "h5py"),
        ("rec.zip", "unpack it"),
        ("rec.edf.gz", "unpack it"),
        ("rec.vmrk", r"open its \.vhdr"),
        ("rec.fdt", r"open its \.set"),
        ("rec.dat", r"open that one \(\.lay"),
        ("rec.xdf", "pyxdf"),
        ("rec.json", "open the recording itself"),
        ("rec.nev", r"open the \.ns1 to \.ns6 file beside it, or the folder of \.ncs files"),
        ("rec.data", "read_raw_nicolet"),
        ("rec.bin", "another file describes"),
        ("rec.E", r"export the recording as EDF\+"),
        ("rec.erd", r"XLTEK.* export the recording as EDF\+"),
        ("rec.rhs", r"pip install neo"),
        ("rec.REC", r"rename it to \.edf"),
        ("rec.cdt.dpa", r"open its \.cdt"),
        ("rec.tmet", r"folder \.mefd"),
    ],
)
def test_what_is_no_recording_says_what_to_do(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"1 2 3\n4 5 6\n" * 20)
    with pytest.raises(ValueError, match=rf"{name} is not read as a recording; .*{message}") as error:
        open_recording(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("suffix", "message"),
    [(".eeg", r"open its \.vhdr.*XLTEK.*EDF\+"), (".NPY", r"numpy\.save"), (".gdf", r"EDF\+")],
)
def test_noise_says_what_to_do_and_prints_nothing(tmp_path, capfd, suffix, message):
    path = tmp_path / f"rec{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} cannot be read as a {suffix} .*{message}"):
        open_recording(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (RuntimeError("For reading X, the module antio>=0.5 is needed, but it could not be imported. Use\n pip"),
         ImportError, r": reading \.gdf files needs antio: pip install antio"),
        (FileNotFoundError("file\n FOLDER/rec.dat not found."), FileNotFoundError, r": file rec\.dat not found; put"),
        (PermissionError(13, "Permission denied", "rec.gdf"), PermissionError, r": Permission denied; check"),
        (KeyError("x"), ValueError, r" cannot be read as a \.gdf recording: KeyError: 'x'; copy it again, or export"),
        (OSError("bad PATH"), ValueError, r" cannot be read as a \.gdf recording: bad rec\.gdf; copy it again"),
        (RuntimeError("all of a file " * 99 + "is wrong"), ValueError, r" cannot .{400,480} is wrong; copy"),
        (ValueError("rec: no time"), ValueError, r": no time"),
        (ValueError("PATH ends"), ValueError, r" ends"),
    ],
)  # fmt: skip
def test_errors_of_other_packages_name_the_file_once(tmp_path, monkeypatch, raised, expected, message):
    path = tmp_path / "rec.gdf"
    path.write_bytes(b"x")

    def read(*args, **kwargs):
        if raised.errno if isinstance(raised, OSError) else None:
            raise raised
        raise type(raised)(raised.args[0].replace("PATH", str(path)).replace("FOLDER", str(tmp_path)))

    monkeypatch.setattr("mne.io.read_raw", read)
    with pytest.raises(expected, match=rf"^{re.escape(str(path))}{message}[^\n]*$") as error:
        open_recording(path)
    assert str(error.value).count(str(tmp_path)) == 1


@pytest.mark.parametrize("name", ["rec.NEDF", "rec.FIF.GZ"])
def test_extensions_in_capitals_that_a_reader_does_not_know(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b" + bytes(500))
    monkeypatch.chdir(tmp_path)
    suffix = re.escape(name.lower().removeprefix("rec"))
    with pytest.raises((ValueError, OSError), match=rf"^{name}.*in small letters, so rename the files \({suffix}\)$"):
        open_recording(name)


def test_a_folder_goes_on_past_what_cannot_be_opened(write_edf, tmp_path):
    write_edf(["A1", "A2"], name="good.edf", folder=tmp_path / "in", duration_s=100)
    (tmp_path / "in/link.edf").symlink_to(".git/annex/objects/x.edf")
    (tmp_path / "in/pointer.set").write_text(POINTERS["lfs"][0])
    (tmp_path / "in/empty.vhdr").touch()
    found = find_recordings([tmp_path / "in", tmp_path / "in/link.edf"])
    assert [path.name for path in found] == ["empty.vhdr", "good.edf", "link.edf", "pointer.set"]
    report = prepare(found, tmp_path / "out", patch_length=250, num_patches=4)
    assert sorted(os.path.basename(source) for source in report.failed) == ["empty.vhdr", "link.edf", "pointer.set"]
    assert report.rows > 0


@pytest.mark.parametrize("name", ["Größe 1 начало.EDF", "a b.c.edf", "発作.edf"])
def test_names_with_spaces_other_letters_and_capital_suffixes(write_edf, tmp_path, name):
    path, signal = write_edf(["A1", "A2"], name="x.edf")
    path.with_name(path.stem + "_events.tsv").unlink(missing_ok=True)
    folder = tmp_path / "zwei Wörter"
    folder.mkdir()
    path = path.rename(folder / name)
    (folder / f"{path.stem}_events.tsv").write_text(TABLE)
    recording = open_recording(path)
    assert recording.seizures == [(4.0, 9.0, None)]
    np.testing.assert_allclose(recording.read(), signal, atol=0.1)
    assert find_recordings(folder) == [path]
