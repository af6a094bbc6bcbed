"""Many recordings by several processes, of this machine or of a cluster of dask: what one process alone writes.

Processes take long to start; those of one file serve all of its tests.
"""

import csv
import html
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from brant_hf.detection import Detector, detect_recordings
from brant_hf.detection.forward import ModelForward


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".lock", "lock")))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def source(write_edf, noise, tmp_path) -> Path:
    """Four recordings; `b` is damaged."""
    for i, name in enumerate("abcd"):
        write_edf(tmp_path / "in" / f"{name}.edf", noise(2, 500, seed=i), 100)
    (tmp_path / "in" / "b.edf").write_text("damaged")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of one process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize(
    ("command", "options"),
    [("detect", ("--report", "html")), ("prepare", ("--patch-length", "50", "--num-patches", "4"))],
)
def test_a_cluster_writes_what_one_process_writes(
    run, scheduler, source, checkpoint, tmp_path, monkeypatch, command, options
):
    monkeypatch.chdir(tmp_path)  # paths are those of this process
    if command == "detect":
        options = (*options, "--model", checkpoint)
    status, text, err = run(command, "in", "out", *options, "--backend", "dask", "--scheduler", scheduler)
    assert (status, "b.edf" in text + err) == (2, True), err
    assert run(command, "in", "one", *options)[0] == 2
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


@pytest.mark.parametrize("command", ["detect", "embed"])
def test_processes_that_share_one_model_write_what_one_process_writes(
    run, source, checkpoint, tmp_path, monkeypatch, command
):
    assert run(command, source, tmp_path / "one", "--model", checkpoint)[0] == 2
    monkeypatch.setattr("brant_hf.detection.serving.is_shared", lambda engine, device_type: True)
    calls, original = [], ModelForward.__call__
    monkeypatch.setattr(
        ModelForward, "__call__", lambda self, *inputs: calls.append(inputs) or original(self, *inputs)
    )
    status, text, err = run(command, source, tmp_path / "two", "--model", checkpoint, "--num-proc", "2")
    assert (status, "b.edf: failed: " in text) == (2, True), err
    assert calls  # here, where the model is
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_outputs_of_each_recording_hold_what_its_process_told(run, write_edf, noise, checkpoint, tmp_path):
    for name, scale in (("a", 1), ("b", 0.01)):
        write_edf(tmp_path / "in" / f"{name}.edf", noise(2, 500) * scale, 100)
    out = tmp_path / "out"
    options = ("--model", checkpoint, "--report", "html", "--montage", "average", "--num-proc", "2")
    status, _, err = run("detect", tmp_path / "in", out, *options)
    assert status == 0, err
    assert run("detect", tmp_path / "in", tmp_path / "one", *options[:-1], "1")[0] == 0
    assert contents(out) == contents(tmp_path / "one")
    told = {name: json.loads((out / f"{name}_events.json").read_text())["Detection"]["warnings"] for name in "ab"}
    # What is told of the settings holds for all of them.
    about_all = json.loads((out / "recordings.json").read_text())["Detection"]["warnings"]
    assert [text.partition(",")[0] for text in about_all] == ["--montage is average"]
    assert told["a"] == [*about_all, "a: 2 channels typed EEG" + told["a"][-1].partition("typed EEG")[2]]
    (scale,) = set(told["b"]) - {text.replace("a: ", "b: ") for text in told["a"]}
    assert "--unit" in scale
    with (out / "recordings.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        assert about_all + row["warnings"].split(" | ") == told[row["recording"][0]]
    assert about_all[0] in html.unescape((out / "index.html").read_text())


def test_a_detector_that_is_loaded_stays_in_this_process_and_others_read_for_it(source, checkpoint, tmp_path):
    for folder, num_proc in (("one", 1), ("two", 2)):
        detector = Detector.from_pretrained(checkpoint, threshold=0.3)
        detect_recordings(source, tmp_path / folder, detector, num_proc=num_proc, progress=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
