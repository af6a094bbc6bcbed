"""What bad input raises, and how it is told in a line."""

from __future__ import annotations

import os
import struct
import zlib
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
