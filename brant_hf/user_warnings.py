"""Warnings that point at the line of the user."""

from __future__ import annotations

import contextlib
import sys
import warnings
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
