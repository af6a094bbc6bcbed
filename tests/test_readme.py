"""The snippets of the README, as they stand there and in their order, each in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from snippets import (
    ROOT,
    VARIABLES,
    broken_links,
    check_snippet,
    reasons_not_to_run,
    snippets,
    write_files,
)
from warm_python import warm_commands

# What is run otherwise than it stands there: what is there already, and settings that take less time or data.
OTHERWISE = {
    "python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 -e . && ": "",
    # `.ci/run` installs the wheel.
    "python3 -m venv .venv\n.venv/bin/pip install dist/brant_hf-*.whl\n.venv/bin/brant-hf demo": "brant-hf --version",
    "--patients 4 --duration 300": "--patients 3 --duration 100 --channels 3 --sampling-rate 256 --seizures 1",
    "windows/ --num-proc 2": "windows/ --num-patches 5",
    "--stop 0:06:00 --output mine/": "--stop 0:06:00 --steps 1 --output mine/",
    "--size tiny --output_dir pretrained/": "--size tiny --output_dir pretrained/ --max_steps 1 "
    "--config_overrides hidden_size=32,intermediate_size=32,num_temporal_layers=1,num_spatial_layers=1,"
    "num_attention_heads=2",
    "--output_dir detector/": "--output_dir detector/ --max_steps 1",
}

README = ROOT / "README.md"
PAGE = README.read_text(encoding="utf-8")
SNIPPETS = snippets(PAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the files that the page takes for those of its reader."""
    folder = tmp_path_factory.mktemp("readme")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Iterator[Path]:
    """A folder with the commands `python` and `brant-hf`."""
    folder = tmp_path_factory.mktemp("bin")
    with warm_commands(folder, VARIABLES):
        yield folder


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[f"line {each.line}" for each in SNIPPETS])
def test_snippet(snippet, folder, commands):
    check_snippet(snippet, folder, commands, OTHERWISE)


def test_what_is_run_otherwise_stands_there():
    assert [passage for passage in OTHERWISE if passage not in PAGE] == []


def test_what_is_not_run_is_little():
    assert len([each for each in SNIPPETS if not each.is_run]) <= 2
    assert reasons_not_to_run(PAGE) == ["needs the Hub"]


def test_links_point_to_what_is_there():
    assert broken_links(README) == []
