"""`detect` and `embed` of many recordings: stopped and started again, and in shares."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from forks import run_together
from safetensors.torch import load_file, save_file


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def made_at(folder: Path, pattern: str) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob(pattern)}


@pytest.fixture
def source(write_edf, noise, tmp_path) -> Path:
    """Three recordings; `b` is damaged."""
    for i, name in enumerate("abc"):
        write_edf(tmp_path / "in" / f"{name}.edf", noise(2, 500, seed=i), 100)
    (tmp_path / "in" / "b.edf").write_text("damaged")
    return tmp_path / "in"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_shares_of_which_two_are_killed_give_what_one_run_gives(run, commands, write_edf, noise, checkpoint, tmp_path):
    source, out, straight = (tmp_path / name for name in ("in", "out", "straight"))
    for i in range(16):
        write_edf(source / f"r{i:02d}.edf", noise(2, 500, seed=i), 100)
    (source / "r07.edf").write_bytes((source / "r07.edf").read_bytes()[:300])
    options = ["--model", str(checkpoint), "--threshold", "0.5"]
    shares = [["detect", str(source), str(out), *options, "--shard", f"{i}/4"] for i in (1, 2, 3, 4)]
    # In the second share when a recording is written and not noted yet; in the third before it is written.
    kills = {2: ("brant_hf.detection.runs.Notes", "write", 3), 3: ("brant_hf.detection.outputs.Staged", "write", 3)}
    # The damaged one is the eighth, in the fourth share.
    assert run_together(commands, [(share, kills.get(i)) for i, share in enumerate(shares, 1)]) == [0, -9, -9, 2]
    status, text, err = run("merge", out)
    assert status == 2
    assert "4 of 16 recordings are not done yet; run the other shares" in err
    before = made_at(out, "r*_events.tsv")
    assert run_together(commands, [(each, None) for each in shares[2:0:-1]]) == [0, 0]
    after = made_at(out, "r*_events.tsv")
    # The one that was written and not noted is made again; of the others none.
    assert [name for name in before if before[name] != after[name]] == ["r09_events.tsv"]
    status, text, err = run("merge", out)
    assert (status, "r07.edf: failed: " in text) == (2, True)
    assert run("detect", source, straight, *options)[0] == 2
    assert contents(out) == contents(straight)


def test_what_has_not_changed_is_kept(plain_figures, run, source, write_edf, noise, checkpoint, tmp_path):
    arguments = ("detect", source, tmp_path / "out", "--model", checkpoint, "--plot", "png")
    assert run(*arguments)[0] == 2
    first = made_at(tmp_path / "out", "[ac]*")
    write_edf(source / "b.edf", noise(2, 500), 100)
    status, text, err = run(*arguments)
    assert status == 0, err
    assert "2 of 3 recordings kept: nothing has changed since they were done" in text
    assert made_at(tmp_path / "out", "[ac]_*") == {name: at for name, at in first.items() if name[1] == "_"}
    assert (tmp_path / "out" / "b_events.tsv").is_file()
    # Another recording, and an output that is gone.
    shutil.copyfile(source / "c.edf", source / "a.edf")
    (tmp_path / "out" / "b.png").unlink()
    status, text, _ = run(*arguments)
    assert (status, "1 of 3 recordings kept" in text) == (0, True)
    assert (tmp_path / "out" / "b.png").is_file()


@pytest.mark.parametrize("command", ["detect", "embed"])
def test_other_settings_are_told(run, source, checkpoint, tmp_path, command):
    out = tmp_path / "out"
    assert run(command, source, out, "--model", checkpoint)[0] == 2
    before = contents(out)
    for options, told in (
        (("--overlap", "0.75"), "overlap: there 0.5, here 0.75" if command == "detect" else "overlap: there 0.5"),
        (("--high-pass", "0.3"), "high_pass: there 0.5, here 0.3"),
    ):
        status, text, err = run(command, source, out, "--model", checkpoint, *options)
        assert (status, text) == (2, "")
        assert "holds outputs of 2 of these recordings that were made with other settings" in err
        assert told in err
        assert contents(out) == before
    assert run(command, source, out, "--model", checkpoint, "--overlap", "0.75", "--force")[0] == 2
    assert contents(out) != before


def test_embeddings_are_shared_and_kept(run, source, checkpoint, tmp_path):
    arguments = ("embed", source, tmp_path / "out", "--model", checkpoint)
    assert run(*arguments, "--shard", "2/2")[0] == 2
    status, _, err = run("merge", tmp_path / "out")
    assert (status, "2 of 3 recordings are not done yet" in err) == (2, True)
    (source / "b.edf").unlink()
    assert run(*arguments, "--shard", "1/1")[0] == 0
    assert "embed: 2 recordings, all done" in run("merge", tmp_path / "out")[1]
    first = made_at(tmp_path / "out", "*.safetensors")
    assert sorted(first) == ["a.safetensors", "c.safetensors"]
    assert "2 of 2 recordings kept" in run(*arguments)[1]
    assert made_at(tmp_path / "out", "*.safetensors") == first
    assert "is no folder; give the one that tasks wrote to" in run("merge", tmp_path / "nowhere")[2]
    status, _, err = run(*arguments[:2], tmp_path / "new", *arguments[3:], "--revision", "v1")
    assert (status, "--revision is v1, and the checkpoint is not taken from the Hub" in err) == (2, True)
    assert "one table; give a folder" in run("embed", source, tmp_path / "t.parquet", "--shard", "1/2")[2]


def test_a_table_of_embeddings_continues(run, source, write_edf, noise, checkpoint, tmp_path):
    arguments = ("embed", source, tmp_path / "all.parquet", "--model", checkpoint, "--pool", "window")
    assert run(*arguments)[0] == 2
    assert set(pd.read_parquet(tmp_path / "all.parquet")["recording"]) == {"a", "c"}
    write_edf(source / "b.edf", noise(2, 500), 100)
    status, text, err = run(*arguments)
    assert (status, "2 of 3 recordings kept" in text) == (0, True), err
    assert set(pd.read_parquet(tmp_path / "all.parquet")["recording"]) == {"a", "b", "c"}
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith((".all", "all"))) == ["all.parquet"]


def test_another_checkpoint_is_told_whatever_it_is_called(run, source, checkpoint, tmp_path):
    arguments = ("detect", source, tmp_path / "out", "--model")
    assert run(*arguments, checkpoint)[0] == 2
    shutil.copytree(checkpoint, tmp_path / "copy")
    assert "2 of 3 recordings kept" in run(*arguments, tmp_path / "copy")[1]
    weights = load_file(checkpoint / "model.safetensors")
    name = next(name for name, each in weights.items() if each.dtype.is_floating_point)
    save_file({**weights, name: weights[name] + 1}, checkpoint / "model.safetensors", {"format": "pt"})
    status, _, err = run(*arguments, checkpoint)
    assert (status, "with other settings (weights SHA-256: there" in err) == (2, True)
