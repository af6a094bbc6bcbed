"""The snippets of the README, as they stand there and in their order, each in a process of its own."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from warm_python import warm_commands

import brant_hf

ROOT = Path(brant_hf.__file__).parents[1]
REFERENCE = Path(__file__).parent / "fixtures" / "reference"
NOT_RUN = "<!-- not run by the tests: "
# What is run otherwise than it stands there: what is there already, and settings that take less time or data.
OTHERWISE = {
    "python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 -e . && ": "",
    # `.ci/run` installs the wheel.
    "python3 -m venv .venv\n.venv/bin/pip install dist/brant_hf-*.whl\n.venv/bin/brant-hf demo": "brant-hf --version",
    "--patients 4 --duration 300": "--patients 3 --duration 100 --channels 3 --sampling-rate 256 --seizures 1",
    "windows/ --num-proc 2": "windows/ --num-patches 5",
    "num_train_epochs=3": "max_steps=2",
    "--stop 0:06:00 --output mine/": "--stop 0:06:00 --steps 1 --output mine/",
    "--size tiny --output_dir pretrained/": "--size tiny --output_dir pretrained/ --max_steps 1 "
    "--config_overrides hidden_size=32,intermediate_size=32,num_temporal_layers=1,num_spatial_layers=1,"
    "num_attention_heads=2",
    "--output_dir detector/": "--output_dir detector/ --max_steps 1",
    # The published files for the tests are of a small model.
    "channel_encoder.pt brant/": "channel_encoder.pt brant/ --num-attention-heads 2",
    '"channel_encoder.pt")': '"channel_encoder.pt", num_attention_heads=2)',
    '"seizure", "brant-seizure/"': '"seizure", "brant-seizure/", num_attention_heads=2',
}


VARIABLES = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}


class Snippet(NamedTuple):
    """A block of the page, and what the page says that it prints."""

    line: int
    language: str
    text: str
    is_run: bool
    printed: list[str]


def snippets(page: str) -> list[Snippet]:
    found: list[Snippet] = []
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        language, text = block.groups()
        before = page[: block.start()].rstrip("\n").rpartition("\n")[2]
        if language in ("bash", "python"):
            is_run = not before.startswith((NOT_RUN, "<!-- test command -->"))
            found.append(Snippet(page.count("\n", 0, block.start()) + 2, language, text, is_run, []))
        else:
            found[-1].printed.extend(line for line in text.splitlines() if line not in ("", "..."))
    return found


PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = snippets(PAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the files that the page takes for those of its reader."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "reference.tsv").write_text("onset\tduration\teventType\n5\t10\tsz\n")
    signal = 50 * np.random.default_rng(0).standard_normal((4, 30 * 256))
    for name in ("recording", "monday", "tuesday", "bids_folder/sub-01/ieeg/sub-01_task-rest_ieeg"):
        write_edf(folder / f"{name}.edf", signal)
    (folder / "bids_folder" / "dataset_description.json").write_text('{"Name": "two", "BIDSVersion": "1.9.0"}')
    for name in ("time_encoder.pt", "channel_encoder.pt"):
        shutil.copyfile(REFERENCE / name, folder / name)
    write_head(folder / "head.pt")
    return folder


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Iterator[Path]:
    """A folder with the commands `python` and `brant-hf`."""
    folder = tmp_path_factory.mktemp("bin")
    with warm_commands(folder, VARIABLES):
        yield folder


def write_edf(path: Path, signal: np.ndarray) -> None:
    import edfio

    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [
        edfio.EdfSignal(row, 256, label=f"A{i + 1}", physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for i, row in enumerate(signal)
    ]
    edfio.Edf(signals).write(path)


def write_head(path: Path) -> None:
    import torch

    heads = torch.load(REFERENCE / "heads.pt", weights_only=True)
    torch.save(heads["seizure"], path)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[f"line {each.line}" for each in SNIPPETS])
def test_snippet(snippet, folder, commands):
    if snippet.language == "python":
        ast.parse(snippet.text)
    if not snippet.is_run:
        return
    text = snippet.text
    for passage, other in OTHERWISE.items():
        text = text.replace(passage, other)
    program = ["bash", "-euo", "pipefail"] if snippet.language == "bash" else ["python"]
    result = subprocess.run(
        [*program, "-c", text],
        cwd=folder,
        env={**os.environ, **VARIABLES, "PATH": os.pathsep.join([str(commands), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{text}\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    assert "Traceback" not in result.stderr
    for line in snippet.printed:
        assert line in result.stdout.splitlines()


def test_what_is_run_otherwise_stands_there():
    assert [passage for passage in OTHERWISE if passage not in PAGE] == []


def test_what_is_not_run_is_little():
    assert len([each for each in SNIPPETS if not each.is_run]) <= 6
    reasons = re.findall(re.escape(NOT_RUN) + "(.*) -->", PAGE)
    assert set(reasons) == {
        "needs the Hub",
        "needs 8 GPUs",
        "needs windows of five subjects",
        "serves until it is interrupted",
    }


def headings_of(page: str) -> set[str]:
    """Anchors of the headings of a page in Markdown, as GitHub makes them."""
    lines = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


def test_links_point_to_what_is_there():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / file).exists(), target
        if anchor:
            assert anchor in headings_of((ROOT / file).read_text(encoding="utf-8") if file else PAGE), target
