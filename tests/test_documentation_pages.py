"""The snippets of the README and of the documentation, in the order of its contents, as a reader would run them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from snippets import ROOT, Snippet, broken_links, check_snippet, reasons_not_to_run, snippets, write_files

from brant_hf.data.recordings import formats

DOCS = ROOT / "docs"
CONTENTS = (DOCS / "index.md").read_text(encoding="utf-8")
# Pages that are written here, in the order in which `index.md` lists them; tutorials run when the site is built.
PATHS = {
    "README": ROOT / "README.md",
    "index": DOCS / "index.md",
    **{
        name: DOCS / f"{name}.md"
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", CONTENTS, re.MULTILINE | re.DOTALL)
        for name in block.split()
        if (DOCS / f"{name}.md").is_file()
    },
}
PAGES = {name: path.read_text(encoding="utf-8") for name, path in PATHS.items()}
SIMULATE = "brant-hf simulate virtual/ --patients 4 --duration 300"
# What is run otherwise than it stands there: what is there already, settings that take less time, files that are
# published of a small model.
OTHERWISE = {
    "python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 -e . && ": "",
    # `.ci/run` installs the wheel.
    "python3 -m venv .venv\n.venv/bin/pip install dist/brant_hf-*.whl\n.venv/bin/brant-hf demo": "brant-hf --version",
    "brant-hf demo --no-open\nbrant-hf inspect": "brant-hf inspect",  # an earlier page has run it
    SIMULATE: 'cp -r "$VIRTUAL" virtual',
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
NOT_RUN_FOR = {
    "README": {"needs the Hub"},
    "docs": {
        "installs the package",
        "needs the Hub",
        "needs 4 GPUs",
        "needs 8 GPUs",
        "needs a cluster",
        "needs marked recordings of one patient",
        "serves until it is interrupted",
    },
}


@pytest.fixture(scope="module")
def virtual(commands, tmp_path_factory) -> Path:
    """What the pages simulate: fewer and shorter recordings, made once for all of them."""
    folder = tmp_path_factory.mktemp("simulated")
    settings = "--patients 3 --duration 90 --channels 2 --sampling-rate 128 --seizures 1"
    command = SIMULATE.replace("--patients 4 --duration 300", settings)
    subprocess.run([commands / "brant-hf", *command.split()[1:]], cwd=folder, check=True)
    return folder / "virtual"


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory) -> Callable[[str], Path]:
    """Folders with the files that pages take for those of their reader: one for the README, one for all others."""
    folders: dict[bool, Path] = {}

    def folder_of(page: str) -> Path:
        is_readme = page == "README"
        if is_readme not in folders:
            folders[is_readme] = tmp_path_factory.mktemp("reader")
            write_files(folders[is_readme])
        return folders[is_readme]

    return folder_of


@pytest.mark.parametrize(
    ("page", "snippet"), SNIPPETS, ids=[f"{name} line {snippet.line}" for name, snippet in SNIPPETS]
)
def test_snippet(page: str, snippet: Snippet, folder_of, commands, request, monkeypatch):
    if SIMULATE in snippet.text:
        monkeypatch.setenv("VIRTUAL", str(request.getfixturevalue("virtual")))
    check_snippet(snippet, folder_of(page), commands, OTHERWISE)


def test_what_is_run_otherwise_stands_there():
    assert [passage for passage in OTHERWISE if not any(passage in page for page in PAGES.values())] == []


def test_every_page_is_in_the_contents():
    assert sorted({*PAGES} - {"README"}) == sorted(
        str(path.relative_to(DOCS).with_suffix(""))
        for path in DOCS.rglob("*.md")
        if not {"_build", "auto_tutorials", "tutorials"} & set(path.relative_to(DOCS).parts)
    )


@pytest.mark.parametrize(("kind", "most"), [("README", 2), ("docs", 11)])
def test_what_is_not_run_is_little(kind, most):
    pages = [name for name in PAGES if (name == "README") == (kind == "README")]
    assert len([snippet for name, snippet in SNIPPETS if name in pages and not snippet.is_run]) <= most
    assert {reason for name in pages for reason in reasons_not_to_run(PAGES[name])} == NOT_RUN_FOR[kind]


def test_formats_are_listed():
    page = PAGES["formats"].replace("`.ns1` to `.ns9`", " ".join(f"`.ns{kind}`" for kind in range(1, 10)))
    names = (*formats.RECORDING_SUFFIXES, *formats._ONLY_NAMED)
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", PATHS)
def test_links_point_to_what_is_there(name):
    made_by_the_build = "auto_tutorials/" if name != "README" else "-"
    assert [link for link in broken_links(PATHS[name]) if not link.startswith(made_by_the_build)] == []
