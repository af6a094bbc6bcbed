"""Whether a recording is still the one that it was: sizes and times of change of its files and those beside it."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from .bids import names_in, sidecars_above


def files_of(path: Path) -> list[Path]:
    """Return a recording and its sidecars.

    Names that begin like its own (BIDS: all but the suffix, and those of folders above), or a folder's files.
    """
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    stem = path.name.split(".")[0]
    stem = stem.rsplit("_", 1)[0] if stem.startswith("sub-") else stem
    # Parts of SWEC, and the total that joins them.
    stem = re.sub(r"_(total|part_\d+)$", "", stem) if path.suffix.lower() == ".h5" else stem
    # Not r10.edf for r1.edf.
    own = re.compile(re.escape(stem) + r"([^A-Za-z0-9].*)?")
    names = names_in(path.parent)
    begin = takewhile(lambda name: name.startswith(stem), names[bisect_left(names, stem) :])
    beside = [path.parent / name for name in begin if own.fullmatch(name)]
    return [*(each for each in beside if each.is_file()), *sidecars_above(path)]


def digest_of(files: Iterable[Path]) -> Any:
    """SHA-256 of names, sizes and times of change of files, to which more may be added.

    Their contents are not read, which would take as long as the work that is to be spared.
    """
    digest = hashlib.sha256()
    for each in files:
        status = each.stat()
        digest.update(f"{each.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest


def as_text(digest: Any) -> str:
    """Write a digest as fingerprints are written."""
    return digest.hexdigest()[:32]
