"""The snippets of the documentation, in the order of its contents, in one folder as a reader would have it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from snippets import ROOT, VARIABLES, Snippet, broken_links, check_snippet, reasons_not_to_run, snippets, write_files
from warm_python import warm_commands

from brant_hf.data.recordings import formats

DOCS = ROOT / "docs"
CONTENTS = (DOCS / "index.md").read_text(encoding="utf-8")
# Pages that are written here, in the order in which `index.md` lists them; tutorials run when the site is built.
NAMES = [
    "index",
    *(
        name
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", CONTENTS, re.MULTILINE | re.DOTALL)
        for name in block.split()
        if (DOCS / f"{name}.md").is_file()
    ),
]
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
# What is run otherwise than it stands there: settings that take less time, files that are published of a small model.
OTHERWISE = {
    "--patients 4 --duration 300": "--patients 3 --duration 90 --channels 2 --sampling-rate 128 --seizures 1",
    "--num-proc 2": "--num-proc 1",  # each process imports everything anew
    '"train": 0.5, "validation": 0.25, "test": 0.25': '"train": 0.4, "validation": 0.3, "test": 0.3',
    "--stop 0:06:00 --output mine/": "--stop 0:04:30 --steps 1 --output mine/",
    "--start 0:06:00": "--start 0:09:00",
    "steps=150": "steps=1",
    "--size tiny --output_dir pretrained/": "--size tiny --output_dir pretrained/ --max_steps 1 "
    "--config_overrides hidden_size=32,intermediate_size=32,num_temporal_layers=1,num_spatial_layers=1,"
    "num_attention_heads=2",
    "--output_dir detector/": "--output_dir detector/ --max_steps 1",
    "num_train_epochs=3": "max_steps=1",
    "channel_encoder.pt brant": "channel_encoder.pt --num-attention-heads 2 brant",
    '"channel_encoder.pt")': '"channel_encoder.pt", num_attention_heads=2)',
    '"head.pt", "seizure")': '"head.pt", "seizure", num_attention_heads=2)',
}
SNIPPETS = [(name, snippet) for name, page in PAGES.items() for snippet in snippets(page)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the files that the pages take for those of their reader."""
    folder = tmp_path_factory.mktemp("documentation")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Iterator[Path]:
    """A folder with the commands `python` and `brant-hf`."""
    folder = tmp_path_factory.mktemp("bin")
    with warm_commands(folder, VARIABLES):
        yield folder


@pytest.mark.parametrize(
    ("page", "snippet"), SNIPPETS, ids=[f"{name} line {snippet.line}" for name, snippet in SNIPPETS]
)
def test_snippet(page: str, snippet: Snippet, folder, commands):
    check_snippet(snippet, folder, commands, OTHERWISE)


def test_what_is_run_otherwise_stands_there():
    assert [passage for passage in OTHERWISE if not any(passage in page for page in PAGES.values())] == []


def test_every_page_is_in_the_contents():
    assert sorted(PAGES) == sorted(
        str(path.relative_to(DOCS).with_suffix(""))
        for path in DOCS.rglob("*.md")
        if not {"_build", "auto_tutorials", "tutorials"} & set(path.relative_to(DOCS).parts)
    )


def test_what_is_not_run_is_little():
    assert len([snippet for _, snippet in SNIPPETS if not snippet.is_run]) <= 11
    reasons = {reason for page in PAGES.values() for reason in reasons_not_to_run(page)}
    assert reasons == {
        "installs the package",
        "needs the Hub",
        "needs 4 GPUs",
        "needs 8 GPUs",
        "needs a cluster",
        "needs marked recordings of one patient",
        "serves until it is interrupted",
    }


def test_formats_are_listed():
    page = PAGES["formats"].replace("`.ns1` to `.ns9`", " ".join(f"`.ns{kind}`" for kind in range(1, 10)))
    names = (*formats.RECORDING_SUFFIXES, *formats._ONLY_NAMED)
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_links_point_to_what_is_there(name):
    broken = broken_links(DOCS / f"{name}.md")
    assert [link for link in broken if not link.startswith("auto_tutorials/")] == []
