import os
import stat

import pytest

from brant_hf.files import StagedOutputs, check_suffix, replacing, replacing_folder, write_text


def test_suffix():
    check_suffix("figure.PNG", (".png", ".svg"))
    with pytest.raises(ValueError, match=r"a.tsv has the suffix '.tsv'; name a file that ends with .png, .svg"):
        check_suffix("a.tsv", (".png", ".svg"))


def test_files_appear_together(tmp_path):
    outputs = StagedOutputs()
    one, two = outputs.add(tmp_path / "one.png"), outputs.add(tmp_path / "two.tsv")
    assert (one.suffix, two.suffix) == (".png", ".tsv")
    with outputs:
        one.write_text("1")
        two.write_text("2")
        assert not (tmp_path / "one.png").exists()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"one.png": "1", "two.tsv": "2"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_what_was_there(tmp_path, error):
    (tmp_path / "old.txt").write_text("old")

    def fail(path):
        path.write_text("half")
        raise error

    with pytest.raises(error), replacing(tmp_path / "old.txt") as temporary:
        fail(temporary)
    with pytest.raises(error), replacing_folder(tmp_path / "folder") as temporary:
        fail(temporary / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_failed_rename_leaves_nothing_temporary(tmp_path, monkeypatch):
    def refuse(*names):
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk"):
        write_text(tmp_path / "file", "new")
    with pytest.raises(OSError, match="disk"), replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "file").write_text("new")
    assert not list(tmp_path.iterdir())


def test_foreign_file_is_refused_at_once_and_at_the_end(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("theirs")
    with pytest.raises(FileExistsError, match="exists and is no earlier output of this command"):
        StagedOutputs().add(path)
    path.unlink()
    outputs = StagedOutputs()
    staged = outputs.add(path)
    staged.write_text("ours")
    with pytest.raises(FileExistsError), outputs:
        path.write_text("written meanwhile")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.png", "written meanwhile")]


def test_foreign_file_is_replaced_when_allowed(tmp_path):
    (tmp_path / "a.png").write_text("theirs")
    outputs = StagedOutputs(overwrite=True)
    staged = outputs.add(tmp_path / "a.png")
    with outputs:
        staged.write_text("ours")
    assert (tmp_path / "a.png").read_text() == "ours"


@pytest.mark.parametrize("place", ["missing/a.tsv", ".", "fifo", "locked/a.tsv"])
def test_places_that_cannot_be_written(tmp_path, place):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "locked").mkdir(mode=0o500)
    if place.startswith("locked") and os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("root may write anywhere")
    with pytest.raises(OSError, match=r"does not exist|is a folder|no file that could|cannot be written"):
        StagedOutputs(overwrite=True).add(tmp_path / place)


def test_one_file_for_two_outputs(tmp_path):
    outputs = StagedOutputs()
    outputs.add(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(ValueError, match="named for two outputs"):
        outputs.add(tmp_path / "link.png")


def test_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_text(tmp_path / "link", "one")
    write_text(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "two"
    (tmp_path / "folder").symlink_to(tmp_path / "there")
    with replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "more").write_text("3")
    assert (tmp_path / "folder").is_symlink()
    assert (tmp_path / "there" / "more").read_text() == "3"


def test_permissions_are_the_usual_ones(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "")
        with replacing_folder(tmp_path / "folder") as temporary:
            (temporary / "file").write_text("")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"file": 0o640, "folder": 0o750}


def test_long_names(tmp_path):
    path = tmp_path / ("ä" * 120 + ".tsv")
    write_text(path, "text")
    assert path.read_text() == "text"


def test_folder_keeps_other_files_and_replaces_none(tmp_path):
    (tmp_path / "out" / "inner").mkdir(parents=True)
    (tmp_path / "out" / "notes.txt").write_text("kept")

    def write(folder, text, *names):
        (folder / "inner").mkdir()
        for name in names:
            (folder / name).write_text(text)

    with replacing_folder(tmp_path / "out") as temporary:
        write(temporary, "1", "inner/a", "b")
    with (
        pytest.raises(FileExistsError, match="holds inner/a; name another folder"),
        replacing_folder(tmp_path / "out") as temporary,
    ):
        write(temporary, "2", "inner/a", "c")
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"out/notes.txt": "kept", "out/inner/a": "1", "out/b": "1"}
    with replacing_folder(tmp_path / "out", overwrite=True) as temporary:
        (temporary / "b").write_text("4")
    assert (tmp_path / "out" / "b").read_text() == "4"
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError), replacing_folder(tmp_path / "file"):
        pass
