"""Names in docstrings become links where they are public names, and code where they are not.

Docstrings mark code with single backticks, as NumPy does, and references as Hugging Face does:
``[`~brant_hf.Name`]``.
"""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_HUGGING_FACE = re.compile(r"\[`(~?)([\w.]+)(?:\(\))?`\]")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks."""
    app.connect("autodoc-process-docstring", to_rest, priority=400)  # before napoleon
    app.connect("missing-reference", as_code)
    app.connect("builder-inited", set_default_role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def set_default_role(app: Sphinx) -> None:
    """Take a word between single backticks for a name of Python."""
    app.config.default_role = "py:obj"


def to_rest(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Write references of Hugging Face as those of reStructuredText."""
    lines[:] = [_HUGGING_FACE.sub(r":py:obj:`\1\2`", line) for line in lines]


def as_code(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Leave a name that has no page as code, without a warning."""
    return text if node.get("reftype") == "obj" and node.get("refdomain") == "py" else None
