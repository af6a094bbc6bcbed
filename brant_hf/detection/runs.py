"""Work on many recordings that can be stopped at any moment and started again, in shares on many machines as well.

What became of a recording is noted in a hidden folder of the outputs when these are there. The next run keeps what was
made of the same files with the same settings, and works on the rest. What is told of all recordings is told from the
notes, in the order of the list that is noted beside them: it does not depend on who was done when.
"""

from __future__ import annotations

import json
import os
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..bad_input import reason_of
from ..data.recordings.fingerprint import as_text, digest_of, files_of
from ..engines import Engine
from ..events.tables import is_detection_table
from ..files import TABLE_SUFFIXES, generated_by, locked, read_generated, remove_leftovers, write_text
from ..listing import differences
from ..sharding import Shard
from ..user_warnings import warnings_kept, without_folder

Made = TypeVar("Made")

NOTES_FOLDER = ".brant"
# Made things, such as models, of the run that this process works for.
_made: dict[str, Any] = {}


class OncePerProcess(Generic[Made]):
    """What a function returns, made when it is first needed in each process that works on recordings.

    Parameters
    ----------
    make : callable
        Takes nothing. What it warns of is told in the process that this object was made in alone.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make, self._key, self._home = make, secrets.token_hex(), os.getpid()

    def __call__(self) -> Made:
        """Return it."""
        if self._key not in _made:
            _made.clear()  # a worker of a cluster outlives a run
            with warnings.catch_warnings():
                if os.getpid() != self._home:
                    warnings.simplefilter("ignore")
                _made[self._key] = self._make()
        return _made[self._key]

    def forget(self) -> None:
        """Free it in this process."""
        _made.pop(self._key, None)


@dataclass(frozen=True)
class Item:
    """A recording to work on.

    Attributes
    ----------
    path : Path
        File or folder.
    name : str
        By which it is noted: its path below the folder of all recordings.
    files : Mapping[str, Path]
        What is to be written, by any names.
    beside : tuple[Path, ...]
        Other files that are read, such as a table of its seizures.
    variant : str
        What else tells what is made of it from what was made before; unlike other settings, it may change.
    """

    path: Path
    name: str
    files: Mapping[str, Path]
    beside: tuple[Path, ...] = ()
    variant: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the recording, and with what is read beside it."""
        digest = digest_of([*files_of(self.path), *self.beside])
        digest.update(self.variant.encode())
        return as_text(digest)

    def below_root(self, text: str) -> str:
        """Write paths of a message from the folder of all recordings on: outputs tell nothing of the machine."""
        depth = len(Path(self.name).parts)
        if depth > len(self.path.parents):
            return text
        root = self.path.parents[depth - 1]
        return without_folder(text, root, root.name)


@dataclass(frozen=True)
class Note:
    """What became of a recording.

    Attributes
    ----------
    recording : str
        Its name.
    fingerprint : str
        Of the files that it was when the work began.
    settings : dict[str, Any]
        What the outputs depend on.
    outputs : dict[str, tuple[str, int]]
        Path, below the folder of outputs where it lies there, and size [bytes] of each.
    content : dict[str, Any]
        What the work tells of it, JSON-serialisable.
    reason : str or None
        Why it failed.
    warnings : list[str]
        What was told while it was worked on.
    """

    recording: str
    fingerprint: str
    settings: dict[str, Any]
    outputs: dict[str, tuple[str, int]] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Notes:
    """Notes of a command on the recordings whose outputs lie in a folder.

    Attributes
    ----------
    folder : Path
        That of the outputs.
    command : str
        Who writes them.
    """

    folder: Path
    command: str

    @property
    def home(self) -> Path:
        """Folder of the notes."""
        return self.folder / NOTES_FOLDER / self.command

    @property
    def run(self) -> dict[str, Any]:
        """The last run: its `settings`, its `recordings` and other `facts`; empty where there is none."""
        return read_generated(self.home / "run.json")

    def note_run(self, settings: Mapping[str, Any], facts: Mapping[str, Any], recordings: Sequence[str]) -> None:
        """Note what a run works on."""
        self._write(self.home / "run.json", {"settings": settings, "facts": facts, "recordings": recordings})

    def of(self, recording: str) -> Note | None:
        """Return the note on a recording."""
        content = read_generated(self._path(recording))
        names = {each.name for each in fields(Note)}
        return Note(**{name: content[name] for name in names}) if names <= content.keys() else None

    def write(self, note: Note) -> None:
        """Write down what became of a recording."""
        path = self._path(note.recording)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write(path, asdict(note))

    def forget(self, recording: str) -> None:
        """Remove the note on a recording."""
        self._path(recording).unlink(missing_ok=True)

    def all(self) -> list[tuple[str, Note | None]]:
        """Return the recordings of the last run in its order, each with its note, if it was worked on as this says."""
        run = self.run
        found = [(name, self.of(name)) for name in run["recordings"]]
        return [(name, note if note and note.settings == run["settings"] else None) for name, note in found]

    def files_of(self, note: Note) -> dict[str, Path]:
        """Return where the outputs of a recording are."""
        return {name: self.folder / path for name, (path, _) in note.outputs.items()}

    def sizes_of(self, files: Mapping[str, Path]) -> dict[str, tuple[str, int]]:
        """Return what is noted of outputs."""
        inside = {
            name: path.relative_to(self.folder) if path.is_relative_to(self.folder) else path.absolute()
            for name, path in files.items()
        }
        return {name: (inside[name].as_posix(), path.stat().st_size) for name, path in files.items()}

    def _path(self, recording: str) -> Path:
        return self.home / "recordings" / f"{recording}.json"

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        write_text(path, json.dumps({"GeneratedBy": generated_by(), **content}) + "\n")


Work = Callable[[Item], tuple[str, dict[str, Any]]]


class Run:
    """Recordings to work on, and which of them are done already.

    Parameters
    ----------
    notes : Notes
        Of the folder of the outputs.
    items : Sequence[Item]
        All recordings, also those of other shares.
    settings : Mapping[str, Any]
        What the outputs of all depend on, JSON-serialisable.
    facts : Mapping[str, Any]
        What else is to be told of all of them.
    overwrite : bool
        Whether to make anew what was made with other settings.

    Raises
    ------
    ValueError
        Some were made with other settings.
    """

    def __init__(
        self,
        notes: Notes,
        items: Sequence[Item],
        settings: Mapping[str, Any],
        facts: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ) -> None:
        self.notes, self.items = notes, items
        # As they are read again.
        self._settings, self._facts = json.loads(json.dumps([settings, facts]))
        self._known = {item.name: note for item in items if (note := notes.of(item.name)) is not None}
        others = [note for note in self._known.values() if note.reason is None and note.settings != self._settings]
        if others and not overwrite:
            raise ValueError(
                f"{notes.folder} holds outputs of {len(others)} of these recordings that were made with other "
                f"settings ({differences(others[0].settings, self._settings)}); give another folder or the same "
                "settings, or allow to replace them (overwrite=True)"
            )

    @contextmanager
    def begun(self, share: Shard | None = None) -> Iterator[tuple[list[Item], list[Item]]]:
        """Have a share of the recordings, or all, to oneself; gives those to keep and those to work on.

        Raises
        ------
        BlockingIOError
            Another run works on them.
        """
        self.notes.home.mkdir(parents=True, exist_ok=True)
        name = "lock" if share is None else f"lock-{share.index}-of-{share.count}"
        with locked(self.notes.home / name, f"another run of {self.notes.command} is writing to {self.notes.folder}"):
            items = self.items if share is None else share.take(self.items)
            kept = [item for item in items if self._is_done(item)]
            done = {item.name for item in kept}
            pending = [item for item in items if item.name not in done]
            for item in pending:
                self.notes.forget(item.name)
            remove_leftovers(file for item in pending for file in item.files.values())
            self.notes.note_run(self._settings, self._facts, [item.name for item in self.items])
            yield kept, pending

    def work(self, do: Work, items: Sequence[Item], engine: Engine) -> Iterator[tuple[Note, str | None]]:
        """Yield what became of recordings, and the line that is told of those that did not fail, as they come.

        Parameters
        ----------
        do : callable
            Writes the outputs of a recording; gives a line and what is to be noted. What it raises is noted, too.
        items : Sequence[Item]
            Those to work on.
        engine : Engine
            Who does it.
        """
        for _, result in engine.map(_Step(do, self.notes, self._settings), items):
            yield result

    def _is_done(self, item: Item) -> bool:
        note = self._known.get(item.name)
        if note is None or note.reason is not None or note.settings != self._settings:
            return False
        if note.fingerprint != item.fingerprint:
            return False
        there = self.notes.files_of(note)
        return all(
            there.get(name) == path and _is_whole(path, note.outputs[name][1]) for name, path in item.files.items()
        )


def _is_whole(path: Path, size: int) -> bool:
    """Whether an output is as it was written."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    return path.suffix not in TABLE_SUFFIXES or is_detection_table(path)


@dataclass(frozen=True)
class _Step:
    """Works on a recording and notes what became of it; goes to the processes that do it."""

    do: Work
    notes: Notes
    settings: dict[str, Any]

    def __call__(self, item: Item) -> tuple[Note, str | None]:
        note, line = Note(item.name, "", self.settings), None
        with warnings_kept() as texts:
            try:
                note = replace(note, fingerprint=item.fingerprint)
                line, content = self.do(item)
                note = replace(note, content=content, outputs=self.notes.sizes_of(item.files))
            except Exception as error:
                # Damaged files make readers fail in any way there is; one of them must not stop the others.
                note = replace(note, reason=item.below_root(reason_of(error)))
            note = replace(note, warnings=list(map(item.below_root, texts())))
        self.notes.write(note)
        return note, line
