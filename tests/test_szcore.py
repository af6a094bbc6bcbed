"""The container for SzCORE without a container engine: its instructions, and the command that it runs."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import date, datetime, time
from pathlib import Path

import edfio
import numpy as np
import pytest
import yaml
from epilepsy2bids.annotations import Annotations
from epilepsy2bids.eeg import Eeg
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

import brant_hf
from brant_hf.szcore import main

ROOT = Path(brant_hf.__file__).parents[1]
EXAMPLE = ROOT / "examples" / "szcore"
HEADER = ["onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration"]
# Order and names of the recordings of the benchmark.
ELECTRODES = [
    "Fp1",
    "F3",
    "C3",
    "P3",
    "O1",
    "F7",
    "T3",
    "T5",
    "Fz",
    "Cz",
    "Pz",
    "Fp2",
    "F4",
    "C4",
    "P4",
    "O2",
    "F8",
    "T4",
    "T6",
]
RATE, LENGTH_S, ONSET_S, END_S = 256, 150, 60, 100


def write_scalp_edf(path: Path, *, seizure: bool) -> None:
    """19 electrodes against their average: brown noise, and a rhythm over the left temporal lobe."""
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.standard_normal((19, LENGTH_S * RATE)), axis=1)
    signal -= np.linspace(signal[:, 0], signal[:, -1], signal.shape[1]).T
    signal = 20 * signal / signal.std(axis=1, keepdims=True) + 5 * rng.standard_normal(signal.shape)
    if seizure:
        seconds = np.arange((END_S - ONSET_S) * RATE) / RATE
        for name in ("F7", "T3", "T5", "F3", "C3", "P3"):
            signal[ELECTRODES.index(name), ONSET_S * RATE : END_S * RATE] += 150 * np.sin(2 * np.pi * 5 * seconds)
    signal -= signal.mean(axis=0)
    signals = [
        edfio.EdfSignal(row, RATE, label=f"{name}-Avg", physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for name, row in zip(ELECTRODES, signal, strict=True)
    ]
    start = edfio.Recording(startdate=date(2024, 5, 6))
    edfio.Edf(signals, recording=start, starttime=time(7, 8, 9)).write(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scalp_edf(folder / "seizure.edf", seizure=True)
    write_scalp_edf(folder / "background.edf", seizure=False)
    return folder


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (EXAMPLE / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def run(*arguments: Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, arguments)))
    return int(stopped.value.code or 0)


def test_the_container_runs_as_the_benchmark_runs_it(folder, tmp_path):
    told = dict(instructions())
    assert told["USER"] == "10001"
    assert set(json.loads(told["VOLUME"])) == {"/data", "/output"}
    variables = dict(each.split("=") for name, rest in instructions() if name == "ENV" for each in shlex.split(rest))
    assert (variables["INPUT"], variables["OUTPUT"], variables["HF_HUB_OFFLINE"]) == ("", "", "1")
    command = told["CMD"].replace("/data/", f"{folder}/").replace("/output/", f"{tmp_path}/deeper/")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**variables, "HOME": "/nonexistent", "PATH": path, "PYTHONPATH": str(ROOT)}
        | {"INPUT": "background.edf", "OUTPUT": "events.tsv", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stderr.splitlines()) == 1  # that it is one of the scalp
    length = f"{LENGTH_S:.2f}"
    rows = [line.split("\t") for line in (tmp_path / "deeper" / "events.tsv").read_text().splitlines()]
    assert rows == [HEADER, ["0.00", length, "bckg", "n/a", "n/a", "2024-05-06 07:08:09", length]]


def test_what_the_image_is_made_of_is_there():
    sources = [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    # What setup.py reads, and the package with its weights.
    assert set(sources) == {"setup.py", "README.md", "brant_hf"}
    readme = (ROOT / "README.md").read_text()
    (torch,) = re.findall(r"torch==\S+", dict(instructions())["RUN"])
    assert torch in readme


def test_the_description_is_that_of_this_version():
    told = yaml.safe_load((EXAMPLE / "brant_hf.yaml").read_text())
    # The schema of the benchmark knows no others, and all but the last four are asked for.
    assert list(told)[:4] == ["title", "short_title", "image", "authors"]
    assert set(told) - {"title", "short_title", "image", "authors", "license"} <= {
        *("version", "abstract", "datasets", "date_released", "repository"),
    }
    assert told["license"] == "Apache-2.0"
    assert all(set(each) <= {"given_names", "family_names", "email", "affiliation"} for each in told["authors"])
    assert told["version"] == brant_hf.__version__
    assert re.fullmatch(r".+/.+:.+", told["image"])
    assert told["image"] in (EXAMPLE / "README.md").read_text()
    assert told["image"].endswith(f":{brant_hf.__version__}")


def test_a_seizure_is_written_as_the_libraries_of_the_benchmark_read_it(folder, tmp_path):
    montage = Eeg.loadEdfAutoDetectMontage(str(folder / "seizure.edf"))
    assert (montage.channels, montage.fs) == ([f"{name}-Avg" for name in ELECTRODES], RATE)
    table = tmp_path / "events.tsv"
    assert run(folder / "seizure.edf", table) == 0
    found = Annotations.loadTsv(str(table))
    assert {each["eventType"].value for each in found.events} == {"sz"}
    assert {each["dateTime"] for each in found.events} == {datetime(2024, 5, 6, 7, 8, 9)}
    assert all(0 < each["confidence"] <= 1 for each in found.events)
    assert set(found.events[0]["channels"]) <= {f"{name}-Avg" for name in ELECTRODES}
    known = Annotation([(ONSET_S, END_S)], RATE, LENGTH_S * RATE)
    score = EventScoring(known, Annotation(found.getEvents(), RATE, LENGTH_S * RATE))
    assert (score.sensitivity, score.precision) == (1.0, 1.0)


def test_a_file_that_waits_is_filled_where_its_folder_may_not_be_written_to(folder, tmp_path, monkeypatch):
    """The benchmark makes it so: `touch`, and `chmod 776`, in a folder of another user."""

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    table = tmp_path / "tmp.tsv"
    table.touch()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        assert run(folder / "background.edf", table) == 0
    assert table.read_text().startswith("\t".join(HEADER) + "\n0.00\t")
    assert os.listdir(tmp_path) == ["tmp.tsv"]


@pytest.mark.parametrize(
    ("recording", "table", "message"),
    [
        ("none.edf", "events.tsv", "none.edf does not exist"),
        ("broken.edf", "events.tsv", "broken.edf"),
        ("background.edf", "events.edf", "'.edf'"),
        ("background.edf", "labels.tsv", "is no earlier output"),
    ],
)
def test_bad_input_is_told_in_a_line(folder, tmp_path, capsys, recording, table, message):
    (folder / "broken.edf").write_bytes(b"0" * 100)
    (tmp_path / "labels.tsv").write_text("onset\tduration\teventType\n5\t10\tsz\n")
    assert run(folder / recording, tmp_path / table) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("python -m brant_hf.szcore: ")
    assert message in line
    assert printed.out == ""
    assert os.listdir(tmp_path) == ["labels.tsv"]
