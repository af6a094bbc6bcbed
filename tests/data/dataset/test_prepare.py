from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest

from brant_hf.data import Preprocessing, load, open_recording, prepare, preprocess
from brant_hf.data.dataset.folder import DatasetFolder, Row, shard_writer

SMALL = {"patch_length": 250, "num_patches": 4, "progress": False}


def rows_of(folder) -> list[dict]:
    return sorted(
        (
            {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
            for row in load(folder)
        ),
        key=lambda row: (row["subject"], row["recording"], row["start"]),
    )


def manifest_of(folder) -> list[dict]:
    """The manifest without what depends on where and when it was made."""
    volatile = ("source", "fingerprint")
    return [{k: v for k, v in entry.items() if k not in volatile} for entry in DatasetFolder(folder).manifest.values()]


@pytest.mark.filterwarnings("ignore:night")
def test_rows_of_an_edf_recording(tmp_path, write_edf):
    rate, seconds = 500, 40
    rng = np.random.default_rng(0)
    path = write_edf(
        tmp_path / "in" / "night.edf", 80 * rng.standard_normal((3, rate * seconds)), rate, seizures=[(9, 15)]
    )
    settings = Preprocessing(line_noise=50.0)
    report = prepare(path, tmp_path / "out", settings, progress=False, patch_length=1500, num_patches=2)
    assert not report.failed
    assert (report.rows, len(report.prepared)) == (3, 1)
    dataset = load(tmp_path / "out")
    assert dataset.features == datasets.Features(
        {
            "input_values": datasets.List(datasets.List(datasets.Value("float32"), length=3000)),
            "labels": datasets.List(datasets.List(datasets.Value("int8"), length=2)),
            "subject": datasets.Value("string"),
            "recording": datasets.Value("string"),
            "start": datasets.Value("float64"),
            "channel_names": datasets.List(datasets.Value("string")),
            "sampling_rate": datasets.Value("float64"),
        }
    )
    recording = open_recording(path)
    whole = preprocess(recording, settings).read_all()
    for i, row in enumerate(dataset):
        assert (row["recording"], row["start"], row["sampling_rate"]) == ("night", 12.0 * i, 250.0)
        assert row["subject"] == recording.subject
        assert row["channel_names"] == ["A1", "A2", "A3"]
        np.testing.assert_allclose(row["input_values"], whole[:, 3000 * i : 3000 * (i + 1)], atol=1e-2)
    # The seizure from 9 to 15 s covers half of the patches 6-12 and 12-18 s.
    assert [row["labels"][0].tolist() for row in dataset] == [[0, 1], [1, 0], [0, 0]]


def test_values_are_microvolts_as_mne_reads_them(tmp_path, write_edf, plain):
    mne = pytest.importorskip("mne")
    path = write_edf(tmp_path / "r.edf", 80 * np.random.default_rng(0).standard_normal((2, 2500)), 250)
    prepare(path, tmp_path / "out", plain, **SMALL)
    expected = 1e6 * mne.io.read_raw_edf(path, verbose="error").get_data()
    values = np.concatenate([row["input_values"] for row in load(tmp_path / "out")], axis=1)
    np.testing.assert_allclose(values, expected[:, : values.shape[1]], atol=1e-2)


def test_plain_datasets_reads_the_folder(tmp_path, make_recording, plain):
    prepare([make_recording(name=n, channels=c) for n, c in (("a", 2), ("b", 5))], tmp_path / "out", plain, **SMALL)
    load(tmp_path / "out").shuffle(seed=0)  # leaves a permutation beside the shards
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert len(loaded["train"]) == 14
    np.testing.assert_array_equal(
        loaded["train"].with_format("numpy")[7]["input_values"], load(tmp_path / "out")[7]["input_values"]
    )
    streamed = datasets.load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    assert sum(1 for _ in streamed) == 14


def test_processes_do_not_change_the_result(tmp_path, write_edf):
    rng = np.random.default_rng(0)
    for i in range(4):
        write_edf(tmp_path / "in" / f"r{i}.edf", 50 * rng.standard_normal((2 + i, 2000)), 200, seizures=[(3, 5)])
    for num_proc in (1, 2):
        report = prepare(tmp_path / "in", tmp_path / f"out{num_proc}", num_proc=num_proc, **SMALL)
        assert len(report.prepared) == 4
    assert rows_of(tmp_path / "out1") == rows_of(tmp_path / "out2")
    one, two = (sorted((tmp_path / f"out{n}" / "data").iterdir()) for n in (1, 2))
    assert [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    for name in ("manifest.jsonl", "recordings.tsv", "README.md"):
        assert (tmp_path / "out1" / name).read_text() == (tmp_path / "out2" / name).read_text()


CHILD = """
import os, sys
from brant_hf.data import prepare
from brant_hf.data.dataset import folder
target, name, calls = {target}, {name!r}, 0
original = getattr(target, name)
def killed(*args, **kwargs):
    global calls
    calls += 1
    if calls == {calls}:
        os._exit(9)
    return original(*args, **kwargs)
setattr(target, name, killed)
prepare(sys.argv[1], sys.argv[2], patch_length=250, num_patches=4, progress=False)
"""


@pytest.mark.parametrize(
    ("target", "name", "calls"),
    [
        ("folder.ShardWriter", "close", 3),  # in the middle of the first recording, with shards written
        ("folder.os", "replace", 8),  # when some shards of a recording carry their names and others do not
        ("folder.DatasetFolder", "add", 2),  # when a recording is whole but not yet in the manifest
    ],
)
def test_a_killed_run_continues(tmp_path, commands, write_edf, target, name, calls, monkeypatch):
    monkeypatch.setattr("brant_hf.data.dataset.folder.BATCH_BYTES", 1)
    monkeypatch.setattr("brant_hf.data.dataset.folder.SHARD_BYTES", 20_000)
    rng = np.random.default_rng(0)
    for i in range(3):
        write_edf(tmp_path / "in" / f"r{i}.edf", 50 * rng.standard_normal((3, 3000)), 250)
    sizes = "import brant_hf.data.dataset.folder as s; s.BATCH_BYTES, s.SHARD_BYTES = 1, 20_000\n"
    script = sizes + CHILD.format(target=target, name=name, calls=calls)
    program = [commands / "python", "-c", script, tmp_path / "in", tmp_path / "out"]
    killed = subprocess.run(program, capture_output=True, check=False)
    assert killed.returncode == 9, killed.stderr.decode()

    # Whatever has its name is whole, whatever the manifest lists is there.
    for shard in (tmp_path / "out/data").glob("*.arrow"):
        with pa.OSFile(str(shard)) as file:
            assert pa.ipc.open_stream(file).read_all().num_rows > 0
    listed = DatasetFolder(tmp_path / "out").manifest
    for entry in listed.values():
        for shard in entry["shards"]:
            assert (tmp_path / "out/data" / shard["file"]).is_file()

    report = prepare(tmp_path / "in", tmp_path / "out", **SMALL)
    assert len(report.skipped) == len(listed)
    assert len(report.prepared) == 3 - len(listed)
    prepare(tmp_path / "in", tmp_path / "straight", **SMALL)
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "straight")
    assert sorted(p.name for p in (tmp_path / "out/data").iterdir()) == sorted(
        p.name for p in (tmp_path / "straight/data").iterdir()
    )
    assert manifest_of(tmp_path / "out") == manifest_of(tmp_path / "straight")
    assert (tmp_path / "out/recordings.tsv").read_text() == (tmp_path / "straight/recordings.tsv").read_text()


def test_a_manifest_line_cut_short_is_done_again(tmp_path, make_recording, plain):
    recordings = [make_recording(name=name) for name in "abc"]
    prepare(recordings, tmp_path, plain, **SMALL)
    expected = rows_of(tmp_path)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(manifest.read_text()[:-40])
    report = prepare(recordings, tmp_path, plain, **SMALL)
    assert (len(report.skipped), len(report.prepared)) == (2, 1)
    assert rows_of(tmp_path) == expected


def test_shards_have_their_names_only_when_the_recording_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("brant_hf.data.dataset.folder.SHARD_BYTES", 1)
    features = datasets.Features({"input_values": datasets.List(datasets.List(datasets.Value("float32")))})
    row = Row(np.zeros((100, 30_000), np.float32), None, "s", "r", 0.0, ["a"], 250.0)
    names = [f"windows-key-0000{i}.arrow" for i in range(3)]
    with shard_writer(tmp_path, "key", features) as writer:
        for _ in names:
            writer.add(row)
        assert len(list(tmp_path.iterdir())) == 3
        assert not list(tmp_path.glob("windows-*"))
    assert writer.shards == [{"file": name, "rows": 1} for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_shards_of_a_recording_that_fails_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("brant_hf.data.dataset.folder.BATCH_BYTES", 1)
    features = datasets.Features({"input_values": datasets.List(datasets.List(datasets.Value("float32")))})

    def fail() -> None:
        with shard_writer(tmp_path, "key", features) as writer:
            writer.add(Row(np.zeros((2, 9), np.float32), None, "s", "r", 0.0, ["a"], 250.0))
            assert list(tmp_path.iterdir())
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        fail()
    assert not list(tmp_path.iterdir())


def test_large_recordings_give_several_shards(tmp_path, make_recording, plain, monkeypatch):
    monkeypatch.setattr("brant_hf.data.dataset.folder.BATCH_BYTES", 1)
    monkeypatch.setattr("brant_hf.data.dataset.folder.SHARD_BYTES", 40_000)
    recording = make_recording(channels=4, seconds=20)
    report = prepare(recording, tmp_path / "out", plain, **SMALL)
    assert [shard["rows"] for shard in report.prepared[0]["shards"]] == [3, 2]
    assert [row["start"] for row in load(tmp_path / "out")] == [0.0, 4.0, 8.0, 12.0, 16.0]


def test_other_settings_for_the_same_folder_are_refused(tmp_path, make_recording, plain):
    prepare(make_recording(), tmp_path, plain, **SMALL)
    with pytest.raises(ValueError, match=r"other settings \(high_pass: there None, here 1.0\)"):
        prepare(make_recording(), tmp_path, Preprocessing(line_noise=None, high_pass=1.0), **SMALL)
    with pytest.raises(ValueError, match="num_patches: there 4, here 5"):
        prepare(make_recording(), tmp_path, plain, **{**SMALL, "num_patches": 5})
    with pytest.raises(ValueError, match="labels: there True, here False"):
        prepare(make_recording(), tmp_path, plain, labels=False, **SMALL)


def test_a_folder_of_something_else_is_refused(tmp_path, make_recording):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="not empty"):
        prepare(make_recording(), tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.txt"]


def test_one_bad_file_among_many_is_reported_and_skipped(tmp_path, write_edf):
    rng = np.random.default_rng(0)
    for i in range(3):
        write_edf(tmp_path / "in" / f"r{i}.edf", 50 * rng.standard_normal((2, 1500)), 250)
    (tmp_path / "in/notes.edf").write_text("this is not a recording\n")
    whole = (tmp_path / "in/r1.edf").read_bytes()
    (tmp_path / "in/r1.edf").write_bytes(whole[:300])
    report = prepare(tmp_path / "in", tmp_path / "out", **SMALL)
    assert sorted(Path(source).name for source in report.failed) == ["notes.edf", "r1.edf"]
    assert all(reason for reason in report.failed.values())
    assert {row["recording"] for row in load(tmp_path / "out")} == {"r0", "r2"}
    assert "notes.edf" in str(report)

    # Mended, it is added by the next run.
    (tmp_path / "in/r1.edf").write_bytes(whole)
    (tmp_path / "in/notes.edf").unlink()
    report = prepare(tmp_path / "in", tmp_path / "out", **SMALL)
    assert (len(report.skipped), len(report.prepared), len(report.failed)) == (2, 1, 0)


def test_a_recording_that_breaks_while_it_is_read_leaves_nothing(tmp_path, make_recording, plain, monkeypatch):
    good, bad = make_recording(name="good"), make_recording(name="bad", seconds=600)
    source = bad.source

    def broken(start, stop):
        if start > 0.8 * bad.num_samples and stop - start > 2000:
            raise RuntimeError("disk on fire")
        return source(start, stop)

    bad.source = broken
    monkeypatch.setattr("brant_hf.data.preprocessing.chain.CHUNK_SAMPLES", 9000)
    monkeypatch.setattr("brant_hf.data.dataset.folder.BATCH_BYTES", 1)
    report = prepare([good, bad], tmp_path, plain, **SMALL)
    assert report.failed == {"s1/bad": "RuntimeError: disk on fire"}
    assert {row["recording"] for row in load(tmp_path)} == {"good"}
    assert not list(tmp_path.glob("data/*bad*"))


def test_a_recording_that_changed_is_prepared_anew(tmp_path, write_edf, plain):
    path = write_edf(tmp_path / "in/r.edf", np.random.default_rng(0).standard_normal((2, 2500)), 250)
    prepare(path, tmp_path / "out", plain, **SMALL)
    write_edf(path, np.random.default_rng(1).standard_normal((3, 2500)), 250)
    os.utime(path, ns=(1, 1))
    report = prepare(path, tmp_path / "out", plain, **SMALL)
    assert len(report.prepared) == 1
    assert [row["input_values"].shape for row in load(tmp_path / "out")] == [(3, 1000)] * 2


def test_a_run_stopped_while_it_redoes_a_recording_leaves_a_readable_dataset(
    tmp_path, make_recording, plain, monkeypatch
):
    prepare([make_recording(name="a"), make_recording(name="b")], tmp_path, plain, **SMALL)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("brant_hf.data.dataset.folder.DatasetFolder.add", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare([make_recording(name="a", seed=1), make_recording(name="b")], tmp_path, plain, **SMALL)
    assert {row["recording"] for row in load(tmp_path)} == {"b"}


def test_recordings_can_be_added(tmp_path, make_recording, plain):
    prepare(make_recording(name="a"), tmp_path, plain, **SMALL)
    prepare(make_recording(name="b"), tmp_path, plain, **SMALL)
    assert {row["recording"] for row in load(tmp_path)} == {"a", "b"}


def test_recordings_that_cannot_be_told_apart(tmp_path, write_edf, make_recording, plain):
    with pytest.raises(ValueError, match="two recordings are called s1/r1"):
        prepare([make_recording(), make_recording(seed=1)], tmp_path / "arrays", plain, **SMALL)
    for folder in "ab":
        write_edf(tmp_path / "in" / folder / "r.edf", np.random.default_rng(0).standard_normal((2, 2500)), 250)
    report = prepare(tmp_path / "in", tmp_path / "out", plain, **SMALL)
    assert len(report.prepared) == 1
    assert "already there" in report.failed[str(tmp_path / "in/b/r.edf")]
    assert len(load(tmp_path / "out")) == 2
    assert len(list((tmp_path / "out/data").iterdir())) == 1


def test_parts_of_one_file_are_recordings_of_their_own(tmp_path, write_edf, plain):
    signal = 80 * np.random.default_rng(0).standard_normal((2, 250 * 60))
    path = write_edf(tmp_path / "in" / "night.edf", signal, 250)
    parts = [open_recording(path, start=at, stop=at + 10, name=f"night-{at}", subject="p") for at in (0, 20, 40)]
    assert prepare(parts, tmp_path / "out", plain, **SMALL).rows == 6
    rows = load(tmp_path / "out")
    assert sorted((row["recording"], row["start"]) for row in rows) == [
        (f"night-{at}", at + start) for at in (0, 20, 40) for start in (0.0, 4.0)
    ]
    assert len(prepare(parts, tmp_path / "out", plain, **SMALL).skipped) == 3
    # Under one name, windows could not be told apart.
    same = [open_recording(path, start=at, stop=at + 10, name="night", subject="p") for at in (0, 20)]
    assert len(prepare(same, tmp_path / "same", plain, **SMALL).failed) == 1


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_of_recordings_of_one_name_the_first_source_stays_whatever_the_order_of_the_runs(
    tmp_path, write_edf, plain, order
):
    seconds = {"a": 10, "b": 20}
    paths = {}
    for name in order:
        signal = np.random.default_rng(0).standard_normal((2, 250 * seconds[name]))
        paths[name] = write_edf(tmp_path / name / "r.edf", signal, 250)
        report = prepare(paths[name], tmp_path / "out", plain, open_options={"subject": "s"}, **SMALL)
    assert list(report.failed) == [str(paths["b"])]
    assert [entry["source"] for entry in DatasetFolder(tmp_path / "out").manifest.values()] == [str(paths["a"])]
    assert len(load(tmp_path / "out")) == 2
    assert len(list((tmp_path / "out/data").iterdir())) == 1


def test_two_runs_at_a_time_are_refused(tmp_path, make_recording, plain):
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(BlockingIOError, match="another run"):
        prepare(make_recording(), tmp_path, plain, **SMALL)


class DiesWhenRead:
    """A reader that takes its process down with it, once it is in another process."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __call__(self, start: int, stop: int) -> np.ndarray:
        if os.getpid() != self.home:
            os._exit(1)
        return np.zeros((3, stop - start), np.float32)


def test_a_killed_process_is_told_and_what_was_finished_is_kept(tmp_path, make_recording, plain):
    prepare(make_recording(name="a"), tmp_path, plain, **SMALL)
    recordings = [make_recording(name=name) for name in "ab"]
    broken = make_recording(name="c")
    broken.source = DiesWhenRead()
    with pytest.raises(ChildProcessError, match="smaller num_proc"):
        prepare([*recordings, broken], tmp_path, plain, num_proc=2, **SMALL)
    report = prepare(recordings, tmp_path, plain, **SMALL)
    assert "s1/a" in report.skipped
    assert {row["recording"] for row in load(tmp_path)} == {"a", "b"}


def test_a_file_beside_it_with_a_longer_name_does_not_change_a_recording(tmp_path, write_edf, plain):
    signal = np.random.default_rng(0).standard_normal((2, 2000))
    path = write_edf(tmp_path / "in/r1.edf", signal, 250)
    prepare(path, tmp_path / "out", plain, **SMALL)
    write_edf(tmp_path / "in/r10.edf", signal, 250)
    assert prepare(path, tmp_path / "out", plain, **SMALL).skipped
    (tmp_path / "in/r1_events.tsv").write_text("onset\tduration\teventType\n2.00\t3.00\tsz\n")
    assert prepare(path, tmp_path / "out", plain, **SMALL).prepared[0]["seizure_patches"] == 6


# What recordings are like


def test_missing_samples_leave_channels_out(tmp_path, make_recording, plain):
    signal = 50 * np.random.default_rng(0).standard_normal((3, 3000))
    signal[1, 1000:1400] = np.nan
    signal[:, 2000:2100] = np.nan
    report = prepare(make_recording(signal), tmp_path, plain, **SMALL)
    rows = list(load(tmp_path))
    assert [(row["start"], row["channel_names"]) for row in rows] == [
        (0.0, ["CH1", "CH2", "CH3"]),
        (4.0, ["CH1", "CH3"]),
    ]
    assert all(np.isfinite(row["input_values"]).all() for row in rows)
    assert [len(row["labels"]) for row in rows] == [3, 2]
    assert report.prepared[0]["left_out_windows"] == 1


def test_missing_samples_may_be_kept_as_nan(tmp_path, make_recording, plain):
    signal = 50 * np.random.default_rng(0).standard_normal((2, 1000))
    signal[0, 250:380] = np.nan  # 130 of the 250 samples of the second patch
    prepare(make_recording(signal, seizures=[(0, 4)]), tmp_path, plain, max_missing=0.5, **SMALL)
    row = load(tmp_path)[0]
    assert np.flatnonzero(np.isnan(row["input_values"][0])).tolist() == list(range(250, 380))
    assert row["labels"].tolist() == [[1, -100, 1, 1], [1, 1, 1, 1]]


def test_constant_channels_are_listed(tmp_path, make_recording, plain):
    signal = np.random.default_rng(0).standard_normal((3, 2000))
    signal[1] = -7
    report = prepare(make_recording(signal, names=["A1", "A2", "A3"]), tmp_path, plain, **SMALL)
    assert "flat" in report.prepared[0]["excluded_channels"]["A2"]
    assert load(tmp_path)[0]["channel_names"] == ["A1", "A3"]


def test_zero_seizures_give_background_labels(tmp_path, make_recording, plain):
    report = prepare(make_recording(), tmp_path, plain, **SMALL)
    assert all(not row["labels"].any() for row in load(tmp_path))
    assert report.prepared[0]["seizure_patches"] == 0


@pytest.mark.filterwarnings("ignore:.*cut to the recording")
def test_a_seizure_beyond_the_end(tmp_path, make_recording, plain):
    recording = make_recording(seconds=8, seizures=[(6.5, 500)])
    prepare(recording, tmp_path, plain, **SMALL)
    assert [row["labels"][0].tolist() for row in load(tmp_path)] == [[0, 0, 0, 0], [0, 0, 1, 1]]


@pytest.mark.filterwarnings("ignore:.*no offset")
def test_what_follows_a_seizure_without_an_end_is_no_background(tmp_path, make_recording, plain):
    recording = make_recording(seconds=24, seizures=[(4, None, ["A1"]), (22, 23)], names=["A1", "A2", "A3"])
    prepare(recording, tmp_path, plain, **SMALL)
    labels = np.concatenate([row["labels"] for row in rows_of(tmp_path)], axis=1)
    # Patches of 1 s: the first 10 s are seizure, then nobody knows until the next one.
    assert labels[0].tolist() == [0] * 4 + [1] * 10 + [-100] * 8 + [1, 0]
    assert labels[1].tolist() == [0] * 22 + [1, 0]


def test_an_uncertain_stretch_changes_a_recording(tmp_path, make_recording, plain):
    recording = make_recording(seconds=24)
    prepare(recording, tmp_path, plain, **SMALL)
    assert prepare(recording, tmp_path, plain, **SMALL).skipped
    recording.uncertain = [(0.0, 4.0, None)]
    report = prepare(recording, tmp_path, plain, **SMALL)
    assert (len(report.prepared), report.skipped) == (1, [])


def test_a_table_elsewhere_that_changed_changes_the_labels(tmp_path, write_edf, plain):
    signal = np.random.default_rng(0).standard_normal((2, 2500))
    bids = tmp_path / "bids"
    inheriting = write_edf(bids / "sub-1/ieeg/sub-1_task-rest_run-1_ieeg.edf", signal, 250)
    (bids / "dataset_description.json").write_text("{}")
    table = bids / "sub-1/ieeg/sub-1_task-rest_events.tsv"
    given = tmp_path / "given.tsv"
    options = {"seizures": str(given)}
    for duration in (2, 4):
        table.write_text(f"onset\tduration\ttrial_type\n2\t{duration}.0\tseizure\n")
        given.write_text(table.read_text())
        os.utime(table, ns=(duration, duration))
        os.utime(given, ns=(duration, duration))
        for name, settings in (("found", None), ("given", options)):
            report = prepare(inheriting, tmp_path / name, plain, open_options=settings, **SMALL)
            assert (len(report.prepared), report.skipped, report.failed) == (1, [], {})
            assert sum(row["labels"][0].sum() for row in load(tmp_path / name)) == duration
    assert prepare(inheriting, tmp_path / "found", plain, **SMALL).skipped


def test_remarks_of_an_edf_file_become_labels(tmp_path, plain):
    edfio = pytest.importorskip("edfio")
    signal = np.random.default_rng(0).standard_normal(250 * 120)
    remarks = {5: "Seizure onset", 12: "Seizure offset", 30: "Patient pushed button", 40: "Seizure?", 60: "Sz onset"}
    edf = edfio.Edf(
        [edfio.EdfSignal(50 * signal, 250, label=f"POL {name}", physical_dimension="uV") for name in ("A1", "A2")],
        annotations=[
            edfio.EdfAnnotation(onset, 10 if text.endswith("?") else None, text) for onset, text in remarks.items()
        ],
    )
    edf.write(tmp_path / "r.edf")
    report = prepare(tmp_path / "r.edf", tmp_path / "out", plain, **SMALL)
    labels = np.concatenate([row["labels"] for row in rows_of(tmp_path / "out")], axis=1)
    # Patches of 1 s. Nobody knows about `Seizure?`, nor how long the last one goes on after its first 10 s.
    expected = [0] * 5 + [1] * 7 + [0] * 28 + [-100] * 10 + [0] * 10 + [1] * 10 + [-100] * 50
    assert labels.tolist() == [expected, expected]
    told = " ".join(report.warnings)
    assert all(
        text in told for text in ("'Patient pushed button' at 30.00 s", "'Seizure?'", "seizure at 60.00 s has no")
    )


def test_labels_may_be_left_out(tmp_path, make_recording, plain):
    prepare(make_recording(), tmp_path, plain, labels=False, **SMALL)
    assert "labels" not in load(tmp_path).column_names


def test_bipolar_labels_follow_the_contacts(tmp_path, make_recording):
    recording = make_recording(names=["A1", "A2", "A3"], seizures=[(0, 2, ["A1"])])
    prepare(recording, tmp_path, Preprocessing(reference="bipolar"), **SMALL)
    row = load(tmp_path)[0]
    assert row["channel_names"] == ["A1-A2", "A2-A3"]
    assert row["labels"].tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(("rate", "windows"), [(173.61, 7), (200.0, 7), (2000.0, 7)])
def test_any_sampling_rate(tmp_path, make_recording, rate, windows):
    recording = make_recording(rate=rate, seconds=30.01)
    report = prepare(recording, tmp_path, **SMALL)
    assert report.rows == windows
    assert {row["sampling_rate"] for row in load(tmp_path)} == {250.0}


@pytest.mark.parametrize("channels", [1, 300])
def test_any_number_of_channels(tmp_path, make_recording, channels):
    prepare(make_recording(channels=channels, seconds=8), tmp_path, **SMALL)
    assert load(tmp_path)[1]["input_values"].shape == (channels, 1000)


def test_shorter_windows(tmp_path, make_recording, plain):
    prepare(make_recording(seconds=10.5), tmp_path, plain, remainder="shorter", **SMALL)
    dataset = load(tmp_path)
    assert [row["input_values"].shape for row in dataset] == [(3, 1000), (3, 1000), (3, 500)]
    assert [row["labels"].shape for row in dataset] == [(3, 4), (3, 4), (3, 2)]
    assert len(datasets.load_dataset(str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))) == 3


def test_a_recording_too_short_for_a_window_is_named(tmp_path, make_recording, plain):
    report = prepare([make_recording(seconds=2, name="short"), make_recording()], tmp_path, plain, **SMALL)
    assert report.without_windows == ["s1/short"]
    assert not report.failed
    assert "no window: s1/short: it lasts 2.00 s, less than a window of 4.00 s; remainder='shorter' keeps" in str(
        report
    )


def test_options_for_opening_files(tmp_path, write_edf, plain):
    path = write_edf(tmp_path / "r.edf", 9 * np.random.default_rng(0).standard_normal((2, 2000)), 250)
    options = {"unit": "mV", "subject": "p07"}
    prepare(path, tmp_path / "options", plain, open_options=options, **SMALL)
    prepare(path, tmp_path / "none", plain, **SMALL)
    one, other = load(tmp_path / "options")[0], load(tmp_path / "none")[0]
    assert (one["subject"], other["subject"]) == ("p07", "r")
    np.testing.assert_allclose(one["input_values"], other["input_values"] * 1000, rtol=1e-4)
    with pytest.raises(ValueError, match="subject: there 'p07', here None"):
        prepare(path, tmp_path / "options", plain, open_options={"unit": "mV"}, **SMALL)


def test_options_for_opening_do_not_pass_over_what_is_open_already_in_silence(
    tmp_path, write_edf, make_recording, plain
):
    path = write_edf(tmp_path / "r.edf", 9 * np.random.default_rng(0).standard_normal((2, 2000)), 250)
    options = {"unit": "mV", "subject": "p07"}
    with pytest.raises(ValueError, match=r"open_options \(unit, subject\) change nothing in .* already \(s1/night\)"):
        prepare(make_recording(name="night"), tmp_path / "one", plain, open_options=options, **SMALL)
    with pytest.warns(UserWarning, match=r"already \(s1/night\); pass them to open_recording"):
        prepare([path, make_recording(name="night")], tmp_path / "two", plain, open_options=options, **SMALL)
    assert sorted(set(load(tmp_path / "two")["subject"])) == ["p07", "s1"]
    with pytest.raises(ValueError, match=r"open_options has units; expected some of .*unit"):
        prepare(path, tmp_path / "three", plain, open_options={"units": "mV"}, **SMALL)
    assert not (tmp_path / "three").exists()


def test_warnings_of_readers_are_kept_and_shown(tmp_path, write_edf, plain):
    for i in range(8):
        write_edf(tmp_path / "in" / f"r{i}.edf", np.random.default_rng(0).standard_normal((2, 2000)), 250)
    report = prepare(tmp_path / "in", tmp_path / "out", plain, **SMALL)
    assert sum("does not tell its subject" in warning for warning in report.warnings) == 8
    assert "does not tell its subject" in str(report)
    assert f"{len(report.warnings) - 10} more warnings are in manifest.jsonl" in str(report)


def test_bad_arguments(tmp_path, make_recording):
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "nowhere.edf", tmp_path / "out", **SMALL)
    with pytest.raises(ValueError, match="num_proc"):
        prepare(make_recording(), tmp_path / "out", num_proc=0, **SMALL)
    with pytest.raises(ValueError, match="sampling_rate"):
        prepare([np.zeros((2, 1000))], tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


def test_the_manifest_says_what_gave_which_rows(tmp_path, write_edf):
    path = write_edf(
        tmp_path / "in/r.edf", 9 * np.random.default_rng(0).standard_normal((2, 3000)), 250, seizures=[(1, 3)]
    )
    prepare(path, tmp_path / "out", **SMALL)
    (line,) = (tmp_path / "out/manifest.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert entry["source"] == str(path)
    assert (entry["rows"], entry["seizures"], entry["seizure_patches"]) == (3, 1, 4)
    assert (entry["duration"], entry["sampling_rate"], entry["channels"]) == (12.0, 250.0, ["A1", "A2"])
    assert [shard["rows"] for shard in entry["shards"]] == [3]
    settings = json.loads((tmp_path / "out/dataset.json").read_text())
    assert Preprocessing.from_dict(settings["preprocessing"]) == Preprocessing()
    assert settings["windows"]["num_patches"] == 4
    shutil.rmtree(tmp_path / "in")
    assert len(load(tmp_path / "out")) == 3


def test_a_recording_without_gaps_loses_nothing_to_them(noise, tmp_path):
    # 4097 samples at 173.61 Hz are 23.5989 s, and the 5900 samples that they become at 250 Hz are 23.6 s.
    recording = open_recording(noise(2, 4097), 173.61, subject="s1")
    prepare(recording, tmp_path, patch_length=250, num_patches=15)
    (entry,) = manifest_of(tmp_path)
    assert entry["seconds"]["gaps"] == 0
