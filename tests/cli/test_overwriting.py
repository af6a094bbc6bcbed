"""No command and no function replaces what this package did not write."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brant_hf import convert_original_checkpoint
from brant_hf.checkpoints import load_encoder, load_feature_extractor
from brant_hf.cli import main
from brant_hf.data import open_recording, prepare
from brant_hf.data.virtual import simulate
from brant_hf.detection import embed_recording, plot_overview, write_bids_events, write_events, write_report
from brant_hf.simulation.epileptor import Trajectory

pytestmark = pytest.mark.usefixtures("plain_figures")
REFERENCE = Path(__file__).parents[1] / "fixtures" / "reference"
ENCODERS = (REFERENCE / "time_encoder.pt", REFERENCE / "channel_encoder.pt")
EVENT = {"onset": 2.0, "duration": 4.0, "confidence": 0.9, "channels": ["A1"]}
EXPERT = b"onset\tduration\ttrial_type\n2\t3\tseizure\n"


@dataclass
class Place:
    """What commands and functions work on."""

    recording: Path
    checkpoint: Path

    @property
    def opened(self):
        return open_recording(self.recording)


def command(*arguments) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    if exit_.value.code:
        raise ValueError(f"exit {exit_.value.code}")


def result() -> dict[str, Any]:
    times = np.arange(20) / 2 + 0.25
    shape = (3, times.size)
    return {
        "probabilities": np.full(shape, 0.1),
        "times": times,
        "channel_names": ["A1", "A2", "A3"],
        "recording_probability": np.full(times.size, 0.1),
        "events": [EVENT],
    }


def detect(place: Place, *arguments) -> None:
    command("detect", place.recording, *arguments, "--model", place.checkpoint)


def convert(place: Place, path: Path, overwrite: bool) -> None:
    convert_original_checkpoint(*ENCODERS, path, num_attention_heads=2, overwrite=overwrite)


def embed(place: Place, path: Path, overwrite: bool) -> None:
    extractor = load_feature_extractor(place.checkpoint)
    embed_recording(place.opened, load_encoder(place.checkpoint), extractor, path, overwrite=overwrite)


def force(allowed: bool) -> list[str]:
    return ["--force"] if allowed else []


Writer = Callable[[Place, Path, bool], None]
FILE_WRITERS: dict[str, tuple[str, Writer]] = {
    "detect": (".tsv", lambda place, path, allowed: detect(place, path, *force(allowed))),
    "detect --plot": (
        ".png",
        lambda place, path, allowed: detect(place, path.parent / "new.tsv", "--plot", path, *force(allowed)),
    ),
    "detect --report": (
        ".html",
        lambda place, path, allowed: detect(place, path.parent / "new.tsv", "--report", path, *force(allowed)),
    ),
    "embed": (
        ".safetensors",
        lambda place, path, allowed: command(
            "embed", place.recording, path, "--model", place.checkpoint, *force(allowed)
        ),
    ),
    "write_events": (".tsv", lambda place, path, allowed: write_events(path, [EVENT], 10.0, overwrite=allowed)),
    "write_bids_events": (
        ".tsv",
        lambda place, path, allowed: write_bids_events(path, [EVENT], 10.0, overwrite=allowed),
    ),
    **{
        f"plot_overview {suffix}": (
            suffix,
            lambda place, path, allowed: plot_overview(place.opened, result(), path, overwrite=allowed),
        )
        for suffix in (".png", ".svg", ".pdf")
    },
    "write_report": (
        ".html",
        lambda place, path, allowed: write_report(place.opened, result(), path, overwrite=allowed),
    ),
    "embed_recording": (".safetensors", embed),
}
FOLDER_WRITERS: dict[str, Writer] = {
    "detect of a folder": lambda place, path, allowed: command(
        "detect", place.recording.parent, path, "--model", place.checkpoint, *force(allowed)
    ),
    "detect of several": lambda place, path, allowed: command(
        "detect", place.recording, place.recording, path, "--model", place.checkpoint, *force(allowed)
    ),
    "convert": lambda place, path, allowed: command(
        "convert", *ENCODERS, path, "--num-attention-heads", 2, *force(allowed)
    ),
    "prepare": lambda place, path, allowed: command("prepare", place.recording, path, "--num-patches", 1),
    "simulate": lambda place, path, allowed: command("simulate", path, "--patients", 1, "--duration", 30),
    "convert_original_checkpoint": convert,
    "prepare()": lambda place, path, allowed: prepare(place.recording, path, num_patches=1),
    "simulate()": lambda place, path, allowed: simulate(path, 1, duration=30),
}


@pytest.fixture(autouse=True)
def no_equations(monkeypatch):
    """Regions of virtual patients are silent: what they do is not asked here, and to integrate it takes seconds."""

    def silence(cases, progress):
        seconds, regions = len(cases[0].excitability), cases[0].excitability.shape[-1]
        source, states = (np.zeros((len(cases), regions, seconds * rate), np.float32) for rate in (256, 64))
        return Trajectory(source, states - 2, states + 3)  # x1 and z at rest

    monkeypatch.setattr("brant_hf.simulation.patient._integrate", silence)


@pytest.fixture
def place(write_edf, noise, tmp_path, checkpoint) -> Place:
    return Place(write_edf(tmp_path / "in" / "night.edf", noise(3, 2000), 200), checkpoint)


@pytest.fixture
def target(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(writer: Writer, place: Place, path: Path, allowed: bool = False) -> None:
    """A writer refuses, and everything is as it was."""
    before = contents(place.recording.parents[1])
    with pytest.raises((ValueError, OSError)):
        writer(place, path, allowed)
    assert contents(place.recording.parents[1]) == before


@pytest.mark.parametrize("name", FILE_WRITERS)
def test_files_of_others_stay(name, place, target):
    suffix, writer = FILE_WRITERS[name]
    shutil.copy(place.recording, target / "night.edf")
    (target / f"annotations{suffix}").write_bytes(EXPERT)
    (target / f"empty{suffix}").touch()
    (target / f"folder{suffix}").mkdir()
    (target / f"folder{suffix}" / "night.edf").touch()
    for allowed in (False, True):
        refused(writer, place, target / "night.edf", allowed)
        refused(writer, place, place.recording, allowed)
        refused(writer, place, target / f"folder{suffix}", allowed)
    refused(writer, place, target / f"annotations{suffix}")
    refused(writer, place, target / f"empty{suffix}")
    writer(place, target / f"annotations{suffix}", True)
    assert (target / f"annotations{suffix}").read_bytes() != EXPERT


@pytest.mark.parametrize("name", FILE_WRITERS)
def test_earlier_outputs_are_replaced(name, place, target):
    suffix, writer = FILE_WRITERS[name]
    path = target / f"file{suffix}"
    writer(place, path, False)
    first = path.read_bytes()
    with path.open("ab") as file:
        # Still ours, and changed by nobody: a table has its checksum.
        file.write(b"" if suffix == ".tsv" else b"\n")
    writer(place, path, False)
    assert len(path.read_bytes()) == len(first)
    # One of another kind is not.
    other = target / f"other{'.html' if suffix == '.tsv' else '.tsv'}"
    shutil.copy(path, other)
    refused(writer, place, other)


@pytest.mark.parametrize("name", FOLDER_WRITERS)
def test_folders_of_others_stay(name, place, target):
    writer = FOLDER_WRITERS[name]
    for file in ("config.json", "model.safetensors", "night_events.tsv"):
        (target / file).write_bytes(EXPERT)
    refused(writer, place, target)
    refused(writer, place, target / "night_events.tsv")
    refused(writer, place, place.recording)


@pytest.mark.parametrize(
    ("name", "again"),
    [(name, not name.startswith(("convert", "simulate"))) for name in FOLDER_WRITERS],
)
def test_folders_of_earlier_outputs(name, again, place, target):
    """Tables are written again, datasets are gone on with; the rest needs another folder."""
    writer = FOLDER_WRITERS[name]
    writer(place, target / "new", False)
    if again:
        writer(place, target / "new", False)
    else:
        refused(writer, place, target / "new")


def test_recordings_of_a_pattern_are_not_replaced(place, write_edf, noise, monkeypatch, capsys):
    """`detect *.edf`, where the last recording would be what is written."""
    folder = place.recording.parent
    write_edf(folder / "noon.edf", noise(3, 2000), 200)
    write_edf(folder / "zero.edf", noise(3, 2000), 200)
    monkeypatch.chdir(folder)
    before = contents(folder)
    for names in (["night.edf", "noon.edf"], ["night.edf", "noon.edf", "zero.edf"]):
        for more in ([], ["--force"]):
            with pytest.raises(SystemExit):
                main(["detect", *names, *more])
            assert "the last argument is what to write" in capsys.readouterr().err
    assert contents(folder) == before
    command("detect", "night.edf", "noon.edf", "tables", "--model", place.checkpoint, "--threshold", 1)
    told = [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()]
    assert told[:2] == ["night_events.tsv: 0 events", "noon_events.tsv: 0 events"]
    assert open_recording(folder / "noon.edf").seizures == []


def test_tables_of_detections_become_no_labels(place):
    """Neither with the name that BIDS gives annotations, nor with that of the recording."""
    for name in ("night_events.tsv", "night.tsv"):
        detect(place, place.recording.parent / name, "--threshold", 0.01, "--min-duration", 0)
        assert "\tsz\t" in (place.recording.parent / name).read_text()
        assert open_recording(place.recording).seizures == []


def test_places_of_several_tables_are_looked_at_before_any_is_written(place, target, write_edf, noise, capsys):
    write_edf(place.recording.with_name("noon.edf"), noise(3, 2000), 200)
    (target / "noon_events.tsv").write_bytes(EXPERT)
    refused(FOLDER_WRITERS["detect of a folder"], place, target)
    assert "noon_events.tsv exists and is no earlier output" in capsys.readouterr().err
