"""Warnings that point at the line of the user."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# The user's line is neither in this package nor in what calls it: context managers, pipelines of transformers.
_PASSED_OVER = (__package__, "contextlib", "transformers")
# Of no concern to who works on recordings one by one: it is about splits of datasets.
_IGNORED = ".*the file does not tell its subject"
# Where what is said in this context is noted.
_notes: ContextVar[tuple[list[str], ...]] = ContextVar("notes", default=())


def warn(message: str) -> None:
    """Warn at the line outside of this package that led here, however deep the call is."""
    for noted in _notes.get():
        noted.append(message)
    # From Python 3.12 on this is `skip_file_prefixes` of `warnings.warn`.
    depth, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PASSED_OVER:
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, stacklevel=depth)


def once_each(texts: Iterable[str]) -> list[str]:
    """Return texts in a line, each once."""
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))


def without_folder(text: str, folder: Path, called: str) -> str:
    """Write paths of a message from a folder on, which itself becomes `called`."""
    below = text.replace(f"{folder}{os.sep}", "")
    return re.sub(rf"{re.escape(str(folder))}(?![\w.-])", lambda _: called, below)


@contextmanager
def warnings_noted() -> Iterator[Callable[[], list[str]]]:
    """Note what `warn` says, which is said all the same; gives a function that returns it, each in a line and once.

    A thread that works for this context has to be given it (`contextvars.copy_context`).
    """
    noted: list[str] = []
    token = _notes.set((*_notes.get(), noted))
    try:
        yield lambda: [text for text in once_each(noted) if not re.match(_IGNORED, text)]
    finally:
        _notes.reset(token)


@contextmanager
def warnings_kept() -> Iterator[Callable[[], list[str]]]:
    """Keep warnings for the user back; gives a function that returns what they say in a line, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=_IGNORED)
        yield lambda: once_each(str(each.message) for each in caught if each.category is UserWarning)
