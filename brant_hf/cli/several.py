"""What commands that take several recordings share: places of outputs, and failures that do not stop the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..listing import listed
from ..user_warnings import warn
from .messages import in_options
from .options import BAD_INPUT


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
    def of(cls, sources: Sequence[Path]) -> Recordings:
        """Find the recordings of files and folders."""
        from ..data import find_recordings

        paths = [Path(os.path.abspath(str(path))) for path in find_recordings(sources)]
        # What the places of the outputs are relative to.
        origins = [each if _holds(each, paths) else each.parent for each in sources]
        return cls(paths, Path(os.path.commonpath([os.path.abspath(origin) for origin in origins])))

    def places(self) -> Iterator[Place]:
        """Yield the place of the outputs of each recording: its own, below `root`.

        The name is that which BIDS gives to tables of events: `sub-01_task-rest` for `sub-01_task-rest_ieeg.edf`, and
        the name without extension for others. Recordings that would have one name keep their extensions.
        """
        names = {path: path.name.split(".")[0].removesuffix("_ieeg").removesuffix("_eeg") for path in self.paths}
        # File systems may not tell `A` from `a`.
        counts = Counter((path.parent, name.casefold()) for path, name in names.items())
        clashing = [path for path, name in names.items() if counts[path.parent, name.casefold()] > 1]
        if clashing:
            shown = listed(path.name for path in clashing)
            warn(f"{shown} have the name of another recording beside them, so their outputs keep the extension")
        for path, name in {**names, **{path: path.name for path in clashing}}.items():
            yield Place(path, path.parent.relative_to(self.root), name)

    def work_through(self, work: Callable[[Path], str]) -> None:
        """Work on each recording and print the line that `work` returns; what fails is listed at the end.

        Raises
        ------
        ValueError
            One of them failed.
        """
        failed: dict[Path, str] = {}
        for path in self.paths:
            try:
                line = work(path)
            except Exception as error:
                # Damaged files make readers fail in any way there is; one of them must not stop the others.
                kind = "" if isinstance(error, BAD_INPUT) and str(error) else f"{type(error).__name__}: "
                failed[path] = " ".join(f"{kind}{error}".split())
                continue
            print(line)
        for path, reason in failed.items():
            print(f"{path.relative_to(self.root)}: failed: {in_options(reason)}")
        if failed:
            raise ValueError(f"{len(failed)} of {len(self.paths)} recordings failed (listed above)")


def is_one(sources: Sequence[Path]) -> bool:
    """Whether a command was given one recording, and not several or a folder of them."""
    from ..data.recordings.formats import is_recording_folder

    return len(sources) == 1 and (not sources[0].is_dir() or is_recording_folder(sources[0]))


def refuse_recording(out: Path, suffix: str, what: str) -> None:
    """Refuse to write to a recording, which the last argument is where somebody forgot the output."""
    from ..data.recordings.formats import is_recording_folder

    if is_recording_folder(out) or (out.exists() and not out.is_dir() and out.suffix.lower() != suffix):
        raise ValueError(
            f"{out} exists and is no {what}; the last argument is what to write, a {suffix} file for one recording "
            "and a folder for several"
        )


def refuse_file(folder: Path) -> None:
    """Refuse a file, or a place below one, where a folder is needed."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is a file; give a folder to write the outputs of several recordings to")


def _holds(source: Path, recordings: Sequence[Path]) -> bool:
    """Whether a source is a folder of recordings, and not one of them."""
    return source.is_dir() and Path(os.path.abspath(source)) not in recordings
