"""Folders of a corpus."""

import re

from brant_hf.data.corpora.folders import subject_folders

NAME = re.compile(r"x_\d+")


def test_subjects_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("x_10", "x_9", "x_100", "x_1", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "x_2").write_text("a file is no subject")
    assert [path.name for path in subject_folders(tmp_path, NAME)] == ["x_1", "x_9", "x_10", "x_100"]


def test_folder_of_one_subject_stands_for_itself(tmp_path):
    folder = tmp_path / "x_7"
    (folder / "x_8").mkdir(parents=True)
    assert subject_folders(folder, NAME) == [folder]
