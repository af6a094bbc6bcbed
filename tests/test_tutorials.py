"""The tutorials, which run when the documentation is built."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import brant_hf

PUBLIC = {"brant_hf", *(f"brant_hf.{name}" for name in ("data", "detection", "probing", "simulation", "training"))}
TUTORIALS = sorted((Path(brant_hf.__file__).parents[1] / "docs" / "tutorials").glob("plot_*.py"))


def test_there_are_enough():
    assert len(TUTORIALS) >= 6


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_needs_public_names_alone(path):
    text = path.read_text(encoding="utf-8")
    imported = {
        (node.module, each.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "brant_hf"
        for each in node.names
    }
    assert imported
    for module, name in imported:
        assert module in PUBLIC, f"{module} is not public"
        assert name in import_module(module).__all__, f"{module}.{name} is not public"
    assert "plt.show()" in text
