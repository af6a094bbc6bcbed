"""What a visitor of the page has given and got: a queue of recordings, each with its result. No browser is needed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from ..bad_input import reason_of
from ..data import find_recordings
from ..data.recordings.bids import name_of_tables
from ..option_names import in_options
from ..progress import watched_by
from ..user_warnings import warnings_kept, without_folder
from .search import KINDS, search, write

if TYPE_CHECKING:
    from ..detection.outputs import Finding


class Stopped(Exception):
    """The visitor has stopped the work, or has gone."""


@dataclass
class Item:
    """A recording in the queue.

    Attributes
    ----------
    path : Path
        Where it is.
    state : str
        `waiting`, `running`, `done` or `failed`.
    progress : float
        Part that was searched, from 0 to 1.
    told : list[str]
        Warnings, or the line that says why it failed.
    finding : Finding or None
        What was found, when that is done.
    model : str
        The checkpoint that found it.
    """

    path: Path
    state: str = "waiting"
    progress: float = 0.0
    told: list[str] = field(default_factory=list)
    finding: Finding | None = None
    model: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name


class Session:
    """A queue of recordings and their results, with a folder of its own, in which uploads are kept.

    Parameters
    ----------
    folder : Path
        Made here, and removed by `close`.

    Attributes
    ----------
    items : list[Item]
        The queue.
    threshold : float or None
        The one that the visitor has moved to, `None` for that of the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.items: list[Item] = []
        self.threshold: float | None = None
        self._stop = Event()

    def add_uploads(self, files: Sequence[str | os.PathLike]) -> None:
        """Take files away from where they were uploaded to, and put the recordings among them into the queue.

        Files that come together lie together, so that those of one recording (`.vhdr`, `.eeg`, `.vmrk`) and tables of
        events beside a recording are found.
        """
        batch = self.folder / secrets.token_hex(4)
        batch.mkdir()
        given = [Path(file) for file in files]
        for file in given:
            shutil.move(file, batch / file.name)
        uploaded = [batch / file.name for file in given]
        try:
            found = [Path(str(path)) for path in find_recordings(batch)]
        except ValueError:  # none whose name tells a format
            found = []
        # What belongs to no recording is refused when its turn comes, with what to do with such a file.
        names = tuple(map(name_of_tables, found))
        for path in dict.fromkeys((*found, *sorted(uploaded))):
            if path in found or is_alone(path, names):
                self.add(path)

    def add(self, path: Path) -> None:
        """Put a recording into the queue, where it is not there yet."""
        if path not in [item.path for item in self.items]:
            self.items.append(Item(path))

    def begin(self) -> None:
        """Forget an earlier `stop`: what comes after this, while `work` is waited for, counts."""
        self._stop.clear()

    def work(self, model: str) -> None:
        """Search all recordings that were not searched with this checkpoint yet."""
        for item in self.items:
            if self._stop.is_set():
                break
            if item.finding is None or item.model != model:
                self._work_on(item, model)

    def stop(self) -> None:
        """End `work` soon, from another thread, or keep it from beginning."""
        self._stop.set()

    def searched(self) -> dict[int, Finding]:
        """Return what was found at the threshold of the checkpoint, by the place of the recording in the queue."""
        return {place: item.finding for place, item in enumerate(self.items) if item.finding is not None}

    def write_all(self) -> Path:
        """Write tables, overviews and reports of all recordings that were searched into one archive."""
        folder = self.folder / secrets.token_hex(4) / "detections"
        for place, finding in self.searched().items():
            write(finding.at(self.threshold), folder / f"{place + 1}", KINDS)
        return Path(shutil.make_archive(str(folder), "zip", folder))

    def clear(self) -> None:
        """Forget all recordings and delete what was uploaded and computed."""
        self.close()
        self.folder.mkdir(exist_ok=True)

    def close(self) -> None:
        """Delete everything."""
        self.stop()
        self.items.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _work_on(self, item: Item, model: str) -> None:
        def watch(part: float) -> None:
            item.progress = part
            if self._stop.is_set():
                raise Stopped

        item.state, item.progress, item.finding, item.told = "running", 0.0, None, []
        with warnings_kept() as texts:
            try:
                with watched_by(watch):
                    finding, item.model = search(item.path, model, self.folder), model
                item.state, item.told = "done", _without_folder(map(in_options, texts()), item.path)
                item.finding = finding.telling(item.told)
            except Stopped:
                item.state = "waiting"
            except Exception as error:
                # Damaged files make readers fail in any way there is; one of them must not stop the others.
                item.state, item.told = "failed", _without_folder([in_options(reason_of(error))], item.path)


class Sessions:
    """The sessions of all visitors, each in a folder below one.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sessions: dict[str, Session] = {}

    def of(self, key: str | None) -> Session:
        """Return the session of a visitor, a new one at the first call."""
        known = str(key)
        if known not in self._sessions:
            self._sessions[known] = Session(self._root / secrets.token_hex(8))
        return self._sessions[known]

    def close(self, key: str | None) -> None:
        """Delete what belongs to a visitor who has gone."""
        session = self._sessions.pop(str(key), None)
        if session is not None:
            session.close()


def _without_folder(texts: Iterable[str], path: Path) -> list[str]:
    """Name files as the visitor did, and not where they are kept."""
    return [without_folder(text, path.parent, "the same folder") for text in texts]


def is_alone(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has the name of none of these recordings, and is none of its companions or tables."""
    return not any(path.name.startswith(name) for name in names)
