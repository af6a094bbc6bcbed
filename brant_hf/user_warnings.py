"""Warnings that point at the line of the user."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The user's line is neither in this package nor in what calls it: context managers, pipelines of transformers.
_PASSED_OVER = (__package__, "contextlib", "transformers")


def warn(message: str) -> None:
    """Warn at the line outside of this package that led here, however deep the call is."""
    # From Python 3.12 on this is `skip_file_prefixes` of `warnings.warn`.
    depth, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PASSED_OVER:
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, stacklevel=depth)


# Of no concern to who works on recordings one by one: it is about splits of datasets.
_IGNORED = ".*the file does not tell its subject"


@contextmanager
def warnings_kept() -> Iterator[Callable[[], list[str]]]:
    """Keep warnings for the user back; gives a function that returns what they say in a line, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=_IGNORED)
        yield lambda: list(
            dict.fromkeys(" ".join(str(each.message).split()) for each in caught if each.category is UserWarning)
        )
