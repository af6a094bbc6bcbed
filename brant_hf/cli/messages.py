"""Messages of commands on standard error, and the options of a command."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

# Width of a terminal that does not tell its own.
_COLUMNS = 80
# The program that speaks.
_program = ContextVar("program", default="brant-hf")


@contextmanager
def speaking_as(program: str) -> Iterator[None]:
    """Let messages begin with the name of this program."""
    token = _program.set(program)
    try:
        yield
    finally:
        _program.reset(token)


def tell(text: str) -> None:
    """Print a message to standard error, in one line; on a terminal in as many as fit its width."""
    text = f"{_program.get()}: {text}"
    if sys.stderr.isatty():
        text = textwrap.fill(text, _columns(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(text, file=sys.stderr)


def _columns() -> int:
    """Width of the terminal of standard error; that of standard output may be another, or a file."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def paragraphs_of(command: Callable[..., None]) -> str:
    """Return the docstring of a command with a line for each paragraph, which the help page wraps at its own width."""
    return "\n\n".join(" ".join(each.split()) for each in (inspect.getdoc(command) or "").split("\n\n"))


def options_of(command: Callable[..., None]) -> frozenset[str]:
    """Options of a command, as they are written."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return frozenset(option for each in typer.main.get_command(app).params for option in each.opts)
