"""What bad input raises, how it is told in a line, and checks of arguments of any kind."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

# Readers and `checkpoints` make the first three of all that damaged files raise; the others are raised by nothing but
# damaged files, or files that tell of more than any memory holds.
BAD_INPUT = (ValueError, OSError, ImportError, EOFError, BadZipFile, struct.error, zlib.error, MemoryError)


def reason_of(error: Exception) -> str:
    """Tell in a line why something failed; an error that bad input does not raise is named."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        # As the operating system says it, without its number.
        return f"{os.fspath(error.filename)}: {error.strerror}"
    text = " ".join(str(error).split())
    return text if isinstance(error, BAD_INPUT) and text else f"{type(error).__name__}: {text}".removesuffix(": ")


def check_mapping(name: str, given: Any, expected: str) -> None:
    """Raise a `ValueError` unless an argument maps texts to texts; `expected` says what it should be."""
    if not (isinstance(given, Mapping) and all(isinstance(each, str) for pair in given.items() for each in pair)):
        raise ValueError(f"{name} is {given!r}; expected {expected}")


def several(given: Any) -> list[Any]:
    """List what is given, or the one thing given by itself, for a check of each that says what it should be."""
    alone = isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable)
    return [given] if alone else list(given)


def checked_path(given: Any, expected: str) -> Path:
    """Return a path; raise a `ValueError` where it is none; `expected` says what of."""
    if not isinstance(given, str | os.PathLike):
        raise ValueError(f"{given!r} is no path; expected that of {expected}")
    return Path(given)
