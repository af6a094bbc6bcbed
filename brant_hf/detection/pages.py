"""Pages that hold all they show: their templates, and how values are written in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import software
from ..listing import counted
from .result import clock

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(template: str, **values: Any) -> str:
    """Return the text of a page.

    Parameters
    ----------
    template : str
        Name of a template that lies beside this module.
    **values : Any
        What it names.
    """
    return environment().get_template(template).render(software=software(), **values)


def environment(*folders: Path) -> Environment:
    """Return where templates are found: in these folders, then beside this module."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader([*folders, Path(__file__).parent])
    found = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
    found.filters |= {"clock": lambda seconds: clock(seconds, 1), "plain": _plain, "counted": counted}
    return found


def _plain(value: Any) -> str:
    """Return a setting as a person would write it."""
    if value is None or value == {} or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)
