"""Whether a recording is still the one that it was."""

import os

import pytest

from brant_hf.data.recordings.fingerprint import as_text, digest_of, files_of


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)


def settle(folder):
    """Let a folder be as if it had last changed long ago."""
    os.utime(folder, (1e9, 1e9))


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("r1.edf", ["r1.edf", "r1_events.tsv"]),
        ("r10.edf", ["r10.edf"]),
        ("R1.edf", ["R1.edf"]),
        ("p_part_1.h5", ["p_part_1.h5", "p_part_2.h5", "p_total.h5"]),
    ],
)
@pytest.mark.parametrize("settled", [False, True])
def test_files_of_a_recording(tmp_path, recording, expected, settled):
    make(tmp_path, "r1.edf", "r1_events.tsv", "r10.edf", "R1.edf", "p_total.h5", "p_part_1.h5", "p_part_2.h5", "q.edf")
    if settled:
        settle(tmp_path)
    assert [each.name for each in files_of(tmp_path / recording)] == expected


def test_files_of_bids_lie_above_too(tmp_path):
    make(tmp_path, "dataset_description.json", "task-rest_ieeg.json", "participants.tsv")
    folder = tmp_path / "sub-01" / "ieeg"
    make(folder, "sub-01_task-rest_ieeg.edf", "sub-01_task-rest_channels.tsv", "sub-01_electrodes.tsv")
    found = [each.name for each in files_of(folder / "sub-01_task-rest_ieeg.edf")]
    assert sorted(found) == [
        "sub-01_electrodes.tsv",
        "sub-01_task-rest_channels.tsv",
        "sub-01_task-rest_ieeg.edf",
        "task-rest_ieeg.json",
    ]


def test_a_folder_is_listed_once_for_all_recordings_in_it(tmp_path, monkeypatch):
    names = [f"r{i}.edf" for i in range(20)]
    make(tmp_path, *names)
    settle(tmp_path)
    listings, original = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listings.append(path) or original(path))
    assert [files_of(tmp_path / name) for name in names] == [[tmp_path / name] for name in names]
    assert len(listings) == 1


def test_what_is_added_is_seen(tmp_path):
    make(tmp_path, "r1.edf")
    settle(tmp_path)
    before = files_of(tmp_path / "r1.edf")
    # Twice: the second comes so soon that the time of change may be the same.
    for name in ("r1_events.tsv", "r1_channels.tsv"):
        make(tmp_path, name)
        now = files_of(tmp_path / "r1.edf")
        assert len(now) == len(before) + 1
        assert as_text(digest_of(now)) != as_text(digest_of(before))
        before = now
