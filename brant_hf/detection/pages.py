"""Pages that hold all they show: their templates, and how values are written in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import software
from .result import clock


def render_page(template: str, **values: Any) -> str:
    """Return the text of a page.

    Parameters
    ----------
    template : str
        Name of a template that lies beside this module.
    **values : Any
        What it names.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
    environment.filters |= {"clock": lambda seconds: clock(seconds, 1), "plain": _plain}
    return environment.get_template(template).render(software=software(), **values)


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
