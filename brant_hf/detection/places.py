"""Where the outputs of many recordings go: each to its own place below a folder, as the recordings lie."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..bad_input import several
from ..data.recordings import find_recordings
from ..data.recordings.bids import bids_dataset, name_of_tables
from ..data.recordings.finding import is_pattern
from ..listing import listed
from ..user_warnings import warn


class Place(NamedTuple):
    """Where the outputs of a recording go: to `folder` below that of the outputs, under `name` without a suffix."""

    recording: Path
    folder: Path
    name: str


class Recordings(NamedTuple):
    """Recordings, and the folder around all of them."""

    paths: list[Path]
    root: Path

    @classmethod
    def of(cls, sources: str | os.PathLike | Iterable[str | os.PathLike]) -> Recordings:
        """Find the recordings of files and folders.

        Raises
        ------
        OSError
            One of them does not exist.
        ValueError
            There is no recording, or one that lies in no file.
        """
        given = [sources] if isinstance(sources, str | os.PathLike) else several(sources)
        found = find_recordings(given)
        if not all(isinstance(each, str | os.PathLike) for each in found):
            raise ValueError("one of the recordings is in memory; give files and folders, or write it to a file")
        paths = [Path(os.path.abspath(str(path))) for path in found]
        # What the places of the outputs are relative to.
        origins = [_origin(each, paths) for each in map(Path, given)]
        return cls(paths, Path(os.path.commonpath([os.path.abspath(origin) for origin in origins])))

    def in_dataset(self) -> tuple[Recordings, Path | None]:
        """Take the folder of their BIDS dataset as that around them; gives this folder, too, where there is one."""
        dataset = bids_dataset(self.paths)
        return (self, None) if dataset is None else (self._replace(root=dataset), dataset)

    def places(self, reserved: Iterable[str] = ()) -> Iterator[Place]:
        """Yield the place of the outputs of each recording: its own, below `root`.

        The name is that which BIDS gives to tables of events: `sub-01_task-rest` for `sub-01_task-rest_ieeg.edf`, and
        the name without extension for others. Recordings that would have one name keep their extensions, as do those
        of a name that is `reserved` for what is written about all of them.
        """
        names = {path: name_of_tables(path) for path in self.paths}
        # File systems may not tell `A` from `a`.
        counts = Counter((path.parent, name.casefold()) for path, name in names.items())
        counts.update((self.root, name) for name in reserved)
        clashing = [path for path, name in names.items() if counts[path.parent, name.casefold()] > 1]
        if clashing:
            shown = listed(path.name for path in clashing)
            warn(f"{shown} have the name of another recording or output there, so their outputs keep the extension")
        for path, name in {**names, **{path: path.name for path in clashing}}.items():
            yield Place(path, path.parent.relative_to(self.root), name)

    def name_of(self, path: Path) -> str:
        """Name of a recording: its path below the folder around all of them."""
        return path.relative_to(self.root).as_posix()


def refuse_file(folder: Path) -> None:
    """Refuse a file, or a place below one, where a folder is needed."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is a file; give a folder to write to")


def _origin(given: Path, paths: Sequence[Path]) -> Path:
    """Return the folder of what is given: itself, that of a file, or the one above all that a pattern matches."""
    if is_pattern(given):
        return next(each for each in given.parents if not is_pattern(each))
    return given if _holds(given, paths) else given.parent


def _holds(source: Path, recordings: Sequence[Path]) -> bool:
    """Whether a source is a folder of recordings, and not one of them."""
    return source.is_dir() and Path(os.path.abspath(source)) not in recordings
