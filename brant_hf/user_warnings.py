"""Warnings that point at the line of the user."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The user's line is neither in this package nor where a context manager of it ends.
_PASSED_OVER = (str(Path(__file__).parent), contextlib.__file__)


def warn(message: str) -> None:
    """Warn at the line outside of this package that led here, however deep the call is."""
    # From Python 3.12 on this is `skip_file_prefixes` of `warnings.warn`.
    depth, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PASSED_OVER):
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
