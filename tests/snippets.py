"""Code blocks of pages in Markdown, run as they stand there, with the files that pages take for those of a reader."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

import brant_hf

ROOT = Path(brant_hf.__file__).parents[1]
REFERENCE = Path(__file__).parent / "fixtures" / "reference"
NOT_RUN = "<!-- not run by the tests: "
VARIABLES = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}


class Snippet(NamedTuple):
    """A block of a page, and what the page says that it prints."""

    line: int
    language: str
    text: str
    is_run: bool
    printed: list[str]


def snippets(page: str) -> list[Snippet]:
    found: list[Snippet] = []
    for block in re.finditer(r"^```(\{?[\w-]*\}?)[^\n`]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        language, text = block.groups()
        before = page[: block.start()].rstrip("\n").rpartition("\n")[2]
        if language in ("bash", "python"):
            is_run = not before.startswith((NOT_RUN, "<!-- test command -->"))
            found.append(Snippet(page.count("\n", 0, block.start()) + 2, language, text, is_run, []))
        elif not language:
            found[-1].printed.extend(line for line in text.splitlines() if line not in ("", "..."))
    return found


def reasons_not_to_run(page: str) -> list[str]:
    return re.findall(re.escape(NOT_RUN) + "(.*) -->", page)


def write_files(folder: Path) -> None:
    """Put the files into a folder that pages take for those of their reader."""
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "reference.tsv").write_text("onset\tduration\teventType\n5\t10\tsz\n")
    signal = 50 * np.random.default_rng(0).standard_normal((4, 30 * 256))
    for name in ("recording", "monday", "tuesday", "bids_folder/sub-01/ieeg/sub-01_task-rest_ieeg"):
        _write_edf(folder / f"{name}.edf", signal)
    (folder / "bids_folder" / "dataset_description.json").write_text('{"Name": "two", "BIDSVersion": "1.9.0"}')
    for name in ("time_encoder.pt", "channel_encoder.pt"):
        shutil.copyfile(REFERENCE / name, folder / name)
    _write_head(folder / "head.pt")


def _write_edf(path: Path, signal: np.ndarray) -> None:
    import edfio

    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [
        edfio.EdfSignal(row, 256, label=f"A{i + 1}", physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for i, row in enumerate(signal)
    ]
    edfio.Edf(signals).write(path)


def _write_head(path: Path) -> None:
    import torch

    heads = torch.load(REFERENCE / "heads.pt", weights_only=True)
    torch.save(heads["seizure"], path)


def check_snippet(snippet: Snippet, folder: Path, commands: Path, otherwise: Mapping[str, str]) -> None:
    """Run a block in a folder, with the programs of another one, and compare what it prints with the page.

    `otherwise` has passages that are run otherwise than they stand there.
    """
    if snippet.language == "python":
        ast.parse(snippet.text)
    if not snippet.is_run:
        return
    text = snippet.text
    for passage, other in otherwise.items():
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


def headings_of(page: str) -> set[str]:
    """Anchors of the headings of a page in Markdown, as GitHub and MyST make them."""
    lines = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


def broken_links(path: Path) -> list[str]:
    """Links of a page to files or headings that are not there."""
    page, broken = path.read_text(encoding="utf-8"), []
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page):
        file, _, anchor = target.partition("#")
        to = path.parent / file if file else path
        if not to.exists() or (anchor and anchor not in headings_of(to.read_text(encoding="utf-8"))):
            broken.append(target)
    return broken
