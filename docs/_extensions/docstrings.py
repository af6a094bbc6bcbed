"""Docstrings as reStructuredText: they are written in Markdown, as those of Hugging Face, with sections as NumPy's.

A name between backticks, or of a type, becomes a link where it is public, and is code otherwise.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

_FENCE = re.compile(r"^( *)```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# What is generated for every model of transformers, and says nothing of these.
_TIP = re.compile(r"^ *<Tip>\n.*?</Tip>\n\n?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]`]+)\]\((https?:[^)]+)\)")
_REFERENCE = re.compile(r"\[`(~?)([\w.]+)(?:\(\))?`\]")
_CODE = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
# What scikit-learn generates for its estimators (`set_fit_request` and the like), and transformers for its models.
_GENERATED = re.compile(r"set_\w+_request|config_class")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks."""
    app.connect("autodoc-process-docstring", to_rest, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip_generated)
    app.connect("builder-inited", set_default_role)
    app.connect("missing-reference", find_or_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def set_default_role(app: Sphinx) -> None:
    """Take a word between single backticks for a name of Python."""
    app.config.default_role = "py:obj"


def to_rest(app: Sphinx, what: str, name: str, each: Any, options: Any, lines: list[str]) -> None:
    """Write the Markdown of a docstring as reStructuredText."""
    text = _TIP.sub("", "\n".join(lines))
    aside: list[str] = []

    def put_aside(rest: str) -> str:
        aside.append(rest)
        return f"\0{len(aside) - 1}\0"

    text = _FENCE.sub(lambda match: put_aside(_block(*match.groups())), text)
    text = _LINK.sub(lambda match: put_aside(f"`{match[1]} <{match[2]}>`__"), text)
    text = _REFERENCE.sub(lambda match: put_aside(f":py:obj:`{match[1]}{match[2]}`"), text)
    text = _CODE.sub(_code, text)
    lines[:] = re.sub(r"\0(\d+)\0", lambda match: aside[int(match[1])], text).splitlines()


def _code(match: re.Match) -> str:
    return match[0] if _NAME.fullmatch(match[1]) else f"``{' '.join(match[1].split())}``"


def _block(indent: str, code: str) -> str:
    inside = "\n".join(f"    {line}" if line else "" for line in code.splitlines())
    return f"{indent}.. code-block:: python\n\n{inside}\n"


def skip_generated(app: Sphinx, what: str, name: str, each: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what other libraries add to classes."""
    return True if _GENERATED.fullmatch(name) else None


def find_or_code(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Link a name of another package that is the only one of its kind; leave others as code, without a warning."""
    if node.get("refdomain") != "py" or node.get("reftype") not in ("obj", "class"):
        return None
    name = node["reftarget"]
    found = {
        full: (each.docname, each.node_id)
        for full, each in env.domains.python_domain.objects.items()
        if full.endswith(f".{name}") and each.objtype in ("class", "function") and not each.aliased
    }
    if len(found) == 1 and "." not in name:
        (page, anchor), *_ = found.values()
        return make_refnode(app.builder, node["refdoc"], page, anchor, text, name)
    return text if node["reftype"] == "obj" else None
