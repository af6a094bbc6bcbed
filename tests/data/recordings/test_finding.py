import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names_of(root, found):
    return [str(path.relative_to(root)) for path in found]


def test_folder_of_files(tmp_path):
    touch(
        tmp_path,
        "b.edf",
        "a/x.EDF",
        "a/notes.txt",
        "a/x.tsv",
        "v.vhdr",
        "v.eeg",
        "v.vmrk",
        "nihon.eeg",
        "._b.edf",
        ".git/q.edf",
    )
    touch(
        tmp_path,
        "long_raw.fif",
        "long_raw-1.fif",
        "r_split-01_raw.fif",
        "r_split-02_raw.fif",
        "m.mefd/A1.timd/x.npy",
        "n.nwb",
    )
    assert names_of(tmp_path, find_recordings(tmp_path)) == [
        "a/x.EDF",
        "b.edf",
        "long_raw.fif",
        "m.mefd",
        "n.nwb",
        "nihon.eeg",
        "r_split-01_raw.fif",
        "v.vhdr",
    ]


def test_samples_of_brainvision_are_known_in_any_case_and_by_the_header_that_names_them(tmp_path):
    touch(tmp_path, "A.Vhdr", "a.EEG", "renamed.vhdr", "first.eeg", "nihon.EEG")
    (tmp_path / "renamed.vhdr").write_text("DataFile=first.eeg\n")
    assert names_of(tmp_path, find_recordings(tmp_path)) == ["A.Vhdr", "nihon.EEG", "renamed.vhdr"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Record Node 101/100_CH1.continuous", "settings.xml"), "files of Open Ephys in its old format are not read"),
        (("block.tev", "block.tsq"), "files of TDT are not read: with neo"),
        (("notes.txt", "settings.json"), r"Extensions looked for: .*\.edf"),
    ],
)
def test_a_folder_of_another_system(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(ValueError, match=rf"holds no recording.*{message}"):
        find_recordings(tmp_path)


@pytest.mark.parametrize(("name", "message"), [("rec.medd", "MED 1.0 are not read"), ("rec.nwb.zarr", "Zarr is not")])
def test_a_recording_of_another_kind_that_is_a_folder(tmp_path, name, message):
    touch(tmp_path, f"{name}/part")
    with pytest.raises(ValueError, match=rf"holds no recording that is read; .*{message}"):
        find_recordings(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is not read as a recording; .*{message}"):
        open_recording(tmp_path / name)


def test_blackrock_and_curry_in_a_folder(tmp_path):
    touch(tmp_path, "a.ns2", "a.nev", "a.NS6", "b.dap", "b.dat", "b.rs3", "c.cdt", "c.cdt.dpa")
    assert names_of(tmp_path, find_recordings(tmp_path)) == ["a.NS6", "a.ns2", "b.dap", "c.cdt"]


def test_bids_dataset(tmp_path):
    touch(
        tmp_path,
        "dataset_description.json",
        "sub-01/ieeg/sub-01_task-a_ieeg.vhdr",
        "sub-01/ieeg/sub-01_task-a_ieeg.eeg",
        "sub-01/eeg/sub-01_task-a_eeg.edf",
        "sub-02/ses-1/ieeg/sub-02_ses-1_task-a_run-01_ieeg.edf",
        "sub-02/ses-1/ieeg/leftover.edf",
        "derivatives/clean/sub-01/ieeg/sub-01_task-a_ieeg.edf",
        "sourcedata/sub-01/x.edf",
    )
    first, second = "sub-01/ieeg/sub-01_task-a_ieeg.vhdr", "sub-02/ses-1/ieeg/sub-02_ses-1_task-a_run-01_ieeg.edf"
    assert names_of(tmp_path, find_recordings(tmp_path)) == [first, second]
    assert names_of(tmp_path, find_recordings(tmp_path / "sub-02")) == [second]


def test_scalp_bids_dataset(tmp_path):
    touch(tmp_path, "dataset_description.json", "sub-01/eeg/sub-01_task-a_eeg.edf")
    assert names_of(tmp_path, find_recordings(tmp_path)) == ["sub-01/eeg/sub-01_task-a_eeg.edf"]


def test_patterns_lists_arrays_and_recordings(tmp_path):
    touch(tmp_path, "p1/a.edf", "p1/a.tsv", "p2/b.edf", "p3/c.weird")
    assert names_of(tmp_path, find_recordings(str(tmp_path / "p*" / "*"))) == ["p1/a.edf", "p2/b.edf"]
    assert names_of(tmp_path, find_recordings(str(tmp_path / "p?"))) == ["p1/a.edf", "p2/b.edf"]
    assert names_of(tmp_path, find_recordings(tmp_path / "p3" / "c.weird")) == ["p3/c.weird"]
    array = np.ones((1, 10))
    recording = open_recording(array, 100.0)
    found = find_recordings([tmp_path / "p2", array, recording, tmp_path / "p2" / "b.edf"])
    assert found[0].name == "b.edf"
    assert found[1] is array
    assert found[2] is recording
    assert len(found) == 3
    assert find_recordings(recording) == [recording]
    assert open_recording(recording) is recording


def test_brackets_in_a_name_are_no_pattern_when_the_file_exists(tmp_path):
    touch(tmp_path, "night[1].edf")
    assert names_of(tmp_path, find_recordings(str(tmp_path / "night[1].edf"))) == ["night[1].edf"]


def test_nothing_found_is_an_error(tmp_path):
    touch(tmp_path, "empty/readme.txt", "bids/dataset_description.json")
    with pytest.raises(ValueError, match=r"folder .*empty holds no recording.*\.edf"):
        find_recordings(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"BIDS dataset .* holds no recording"):
        find_recordings(tmp_path / "bids")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_recordings(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="No file matches"):
        find_recordings(str(tmp_path / "*.edf"))
    with pytest.raises(ValueError, match="No recordings given"):
        find_recordings([])
    for nothing in (3, [3], None):
        with pytest.raises(ValueError, match="is no recording; expected a path"):
            find_recordings(nothing)
    with pytest.raises(ValueError, match="bytes is no recording; expected a path"):
        find_recordings([b"night.edf"])
