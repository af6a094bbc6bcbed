"""Shares of a job array, each prepared by a process of its own, become one dataset."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from forks import run_together

from brant_hf.cli import main
from brant_hf.data import load, merge_prepared, prepare
from brant_hf.data.dataset.folder import DatasetFolder

SMALL = {"patch_length": 250, "num_patches": 4, "progress": False}
FOLDER = "brant_hf.data.dataset.folder"
OPTIONS = ("--patch-length", "250", "--num-patches", "4")


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(each) for each in arguments])
    return exit_.value.code


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_shares_of_which_two_are_killed_give_the_dataset_of_one_run(tmp_path, commands, write_edf):
    source = tmp_path / "in"
    rng = np.random.default_rng(0)
    for i in range(16):
        write_edf(source / f"r{i:02d}.edf", 50 * rng.standard_normal((4, 20 * 250)), 250, seizures=[(3, 9)])
    whole = (source / "r07.edf").read_bytes()
    (source / "r07.edf").write_bytes(whole[:300])
    out, straight = tmp_path / "out", tmp_path / "straight"
    shares = [["prepare", str(source), str(out), *OPTIONS, "--shard", f"{i}/4"] for i in (1, 2, 3, 4)]
    # In the second share before a recording is noted whose windows are written; in the third while these are.
    kills = [
        None,
        (f"{FOLDER}.DatasetFolder", "add", 3),
        (f"{FOLDER}.ShardWriter", "flush", 3),
        None,
    ]
    # The damaged one is the eighth, in the fourth share.
    assert run_together(commands, list(zip(shares, kills, strict=True))) == [0, -9, -9, 2]
    assert len(DatasetFolder(out / "parts" / "2-of-4").manifest) == 2
    with (
        pytest.warns(UserWarning, match="unite them with brant-hf merge"),
        pytest.raises(ValueError, match="no windows"),
    ):
        load(out)
    assert run("merge", out) == 2
    assert run_together(commands, [(each, None) for each in shares[2:0:-1]]) == [0, 0]
    assert run("merge", out) == 2
    assert run("prepare", source, straight, *OPTIONS) == 2
    assert contents(out) == contents(straight)
    assert len(load(out)) == 15 * 5

    # One was mended, one has changed; there are other shares now. All that is done again is these two.
    (source / "r07.edf").write_bytes(whole)
    shutil.copyfile(source / "r01.edf", source / "r05.edf")
    reports = [prepare(source, out, shard=f"{i}/3", **SMALL) for i in (1, 2, 3)]
    done = sorted(Path(each["source"]).name for report in reports for each in report.prepared)
    assert done == ["r05.edf", "r07.edf"]
    assert sum(len(report.skipped) for report in reports) == 14
    assert run("merge", out) == 0
    assert run("prepare", source, straight, *OPTIONS) == 0
    assert contents(out) == contents(straight)


def test_a_merge_that_is_interrupted_continues(tmp_path, make_recording, plain, monkeypatch):
    recordings = [make_recording(name=name, seed=seed) for seed, name in enumerate("abcd")]
    for i in (2, 1):
        prepare(recordings, tmp_path / "out", plain, shard=f"{i}/2", **SMALL)
    add, calls = DatasetFolder.add, []

    def interrupted(self, entry):
        calls.append(entry)
        if len(calls) == 3:
            raise KeyboardInterrupt
        add(self, entry)

    monkeypatch.setattr(DatasetFolder, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge_prepared(tmp_path / "out")
    # A run without shares goes on with the merge, too.
    report = prepare(recordings, tmp_path / "out", plain, **SMALL)
    assert (len(report.prepared), len(report.skipped)) == (2, 4)
    prepare(recordings, tmp_path / "straight", plain, **SMALL)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_of_recordings_of_one_name_in_several_shares_the_first_source_stays(tmp_path, write_edf, plain):
    for folder in "abc":
        write_edf(tmp_path / "in" / folder / "r.edf", np.random.default_rng(0).standard_normal((2, 2500)), 250)
    for i in (3, 1, 2):
        prepare(tmp_path / "in", tmp_path / "out", plain, shard=f"{i}/3", **SMALL)
    report = merge_prepared(tmp_path / "out")
    assert sorted(report.failed) == [str(tmp_path / "in" / name / "r.edf") for name in "bc"]
    prepare(tmp_path / "in", tmp_path / "straight", plain, **SMALL)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_a_share_that_never_ran_is_told(tmp_path, make_recording, plain):
    recordings = [make_recording(name=f"r{place}") for place in range(3)]
    prepare(recordings, tmp_path, plain, shard="1/3", **SMALL)
    prepare(recordings, tmp_path, plain, shard="3/3", **SMALL)
    with pytest.warns(UserWarning, match="1 share is not there: 2/3; unless merged before, prepare what is missing"):
        merge_prepared(tmp_path)
    assert sorted({row["recording"] for row in load(tmp_path)}) == ["r0", "r2"]


@pytest.mark.parametrize(("method", "count"), [("tidy", 3), ("add", 2)])
def test_a_share_that_was_stopped_is_not_merged(tmp_path, make_recording, plain, monkeypatch, method, count):
    recordings = [make_recording(name=f"r{place}", seed=place) for place in range(6)]
    out, add = tmp_path / "out", DatasetFolder.add
    prepare(recordings, out, plain, shard="1/2", **SMALL)
    assert not (out / "parts" / "1-of-2" / "pending.json").exists()

    def stopped(self, *entry):
        if method == "tidy" or self.manifest:
            raise KeyboardInterrupt
        add(self, *entry)

    with monkeypatch.context() as patched:
        patched.setattr(DatasetFolder, method, stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare(recordings, out, plain, shard="2/2", **SMALL)
    before = contents(out / "parts")
    with pytest.raises(ValueError, match=rf"share 2/2 was stopped before {count} of 3: .*r5\); run that again"):
        merge_prepared(out)
    assert contents(out / "parts") == before
    # The share itself, or others that do the same, make it whole.
    for share in ("2/2",) if method == "tidy" else ("1/3", "2/3", "3/3"):
        prepare(recordings, out, plain, shard=share, **SMALL)
    merge_prepared(out)
    prepare(recordings, tmp_path / "straight", plain, **SMALL)
    assert contents(out) == contents(tmp_path / "straight")


def test_a_run_of_all_does_what_a_share_left(tmp_path, make_recording, plain):
    recordings = [make_recording(name=f"r{place}", seed=place) for place in range(4)]
    out = tmp_path / "out"
    prepare(recordings, out, plain, shard="1/2", **SMALL)
    DatasetFolder(out / "parts" / "1-of-2").note_pending({"r3": "r3"})
    with pytest.warns(UserWarning, match="1 share is not there"):
        prepare(recordings, out, plain, **SMALL)
    assert len({row["recording"] for row in load(out)}) == 4


def test_shares_that_do_not_fit(tmp_path, make_recording, plain):
    recordings = [make_recording(name=name) for name in "ab"]
    prepare(recordings, tmp_path / "out", plain, shard="1/2", **SMALL)
    with pytest.raises(ValueError, match="other settings"):
        prepare(recordings, tmp_path / "out", plain, shard="2/2", **{**SMALL, "num_patches": 3})
    with DatasetFolder(tmp_path / "out" / "parts" / "1-of-2").locked(), pytest.raises(BlockingIOError):
        merge_prepared(tmp_path / "out")
    with pytest.raises(ValueError, match="holds no dataset"):
        merge_prepared(tmp_path / "other")


def test_lists_of_recordings(tmp_path, write_edf, capsys):
    for name in "abc":
        write_edf(tmp_path / f"{name}.edf", np.random.default_rng(0).standard_normal((2, 2500)), 250)
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.edf'}\n\n{tmp_path / 'c.edf'}\n")
    assert run("prepare", f"@{tmp_path / 'list.txt'}", tmp_path / "out", *OPTIONS) == 0
    assert {row["recording"] for row in load(tmp_path / "out")} == {"a", "c"}
    (tmp_path / "list.txt").write_text("\n")
    for name, message in (("list.txt", "is empty"), ("none.txt", "there is no file")):
        assert run("prepare", f"@{tmp_path / name}", tmp_path / "other", *OPTIONS) == 2
        assert message in capsys.readouterr().err
