"""Names of a package that are imported when they are asked for."""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from typing import Any


def attach_stub(package: str, init_file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Give a package the names that its `__init__.pyi` imports.

    As `lazy_loader.attach_stub`, which takes names from inside of the package only.

    Parameters
    ----------
    package : str
        `__name__` of the package.
    init_file : str
        `__file__` of the package; the stub, which type checkers read too, lies beside it.

    Returns
    -------
    tuple
        `__getattr__`, `__dir__` and `__all__` of the package.
    """
    stub = ast.parse(Path(init_file).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {
        alias.name: resolve_name("." * node.level + (node.module or ""), package)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:  # `from . import name` stands for a subpackage
            return import_module(f"{package}.{name}")
        return getattr(import_module(homes[name]), name)

    return get, lambda: sorted(homes), sorted(homes)
