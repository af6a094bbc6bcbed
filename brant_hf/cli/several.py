"""What commands that take several recordings share: places of outputs, and failures that do not stop the others."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..listing import listed
from ..option_names import in_options
from ..progress import progress_bar
from ..user_warnings import warn
from .options import print_warnings, told_shard

if TYPE_CHECKING:
    from ..detection.runs import Item, Note, Run
    from ..engines import Engine
    from ..sharding import Shard


class Work(NamedTuple):
    """Who works on several recordings: which share of them, and how many at a time."""

    share: Shard | None
    engine: Engine

    @classmethod
    def of(cls, shard: str | None, num_proc: int, backend: str | None, scheduler: str | None) -> Work:
        """Read what a command line says."""
        from ..engines import Engine
        from ..sharding import Shard

        told = told_shard(shard)
        return cls(None if told is None else Shard.of(told), Engine(num_proc, backend, scheduler))

    def tell_of_one(self) -> None:
        """Warn of options that change nothing for one recording."""
        engine = self.engine
        given = {
            "--num-proc": engine.num_proc if engine.num_proc > 1 else None,
            "--backend": engine.backend,
            "--scheduler": engine.scheduler,
        }
        unused = [f"{option} {value}" for option, value in given.items() if value is not None]
        if unused:
            warn(f"{' and '.join(unused)} changed nothing: one recording is worked on in one process")

    def through(
        self,
        run: Run,
        do: Callable[[Item], tuple[str, dict[str, Any]]],
        conclude: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        """Work on recordings and print a line of each; what fails is listed at the end.

        Warnings come at the end, those of many recordings once. `conclude` gives further lines to print; it is called
        last, also after an interruption, where all recordings are worked on and not a share.

        Raises
        ------
        ValueError
            One of them failed.
        """
        notes: list[Note] = []
        with run.begun(self.share) as (kept, pending):
            if kept:
                count = f"{len(kept)} of {len(kept) + len(pending)} recordings"
                print(f"{count} kept: nothing has changed since they were done")
            paths = {item.name: item.path for item in pending}
            try:
                with progress_bar(total=len(pending), unit="recording", shown=not self.is_serial(pending)) as bar:
                    for note, line in run.work(do, pending, self.engine):
                        notes.append(note)
                        bar.update()
                        if line is not None:
                            bar.write(line, file=sys.stdout)
                print("\n".join(failures(notes)), end="\n" * any(note.reason for note in notes))
            finally:
                print_warnings(_told_once({note.recording: note.warnings for note in notes}, paths))
                if self.share is None:
                    for line in conclude():
                        print(line)
        if self.share is not None:
            print(f"\n{share_done(run.notes.folder)}")
        refuse_failures(len(list(failures(notes))), len(kept) + len(pending))

    def is_serial(self, items: Sequence[Item]) -> bool:
        """Whether recordings are worked on in this process, one after the other."""
        return self.engine.is_serial(items)


def share_done(folder: Path) -> str:
    """Tell the task of a job array what to run when all tasks are done; `folder` is that of the whole."""
    return f"a share of the recordings; when all are done: brant-hf merge {shlex.quote(str(folder))}"


def failures(notes: Iterable[Note]) -> list[str]:
    """List recordings that failed, with the reason."""
    return [f"{note.recording}: failed: {in_options(note.reason)}" for note in notes if note.reason is not None]


def refuse_failures(failed: int, total: int) -> None:
    """Raise a `ValueError` where recordings failed."""
    if failed:
        raise ValueError(f"{failed} of {total} recordings failed (listed above)")


def _told_once(warnings: Mapping[str, Sequence[str]], paths: Mapping[str, Path]) -> Iterator[str]:
    """Yield each kind of warning once, with the number of recordings and the first of them by name."""
    told: dict[str, dict[str, str]] = {}
    for name in paths:
        for text in warnings.get(name, ()):
            about = _without_name(text, name, paths[name])
            # Of one kind are those that differ in numbers and in lists of names alone.
            kind = re.sub(r"[^\s,]+(, [^\s,]+)+", "...", re.sub(r"\d+(\.\d+)?", "0", about))
            told.setdefault(kind, {}).setdefault(name, about)
    for texts_of in told.values():
        names, abouts = list(texts_of), list(texts_of.values())
        if len(names) == 1:
            (name,) = names
            yield next(text for text in warnings[name] if _without_name(text, name, paths[name]) == abouts[0])
            continue
        count = f"all {len(names)}" if len(names) == len(paths) else str(len(names))
        first = "" if len(set(abouts)) == 1 else "of the first: "
        yield f"{count} recordings ({listed(names, most=3)}): {first}{abouts[0]}"


def listed_sources(sources: Sequence[Path]) -> list[Path]:
    """Put the recordings that a list names, one on each line, in place of the list (`@list.txt`).

    Raises
    ------
    OSError
        A list cannot be read.
    ValueError
        A list is empty, or no text.
    """
    found: list[Path] = []
    for source in sources:
        if not str(source).startswith("@"):
            found.append(source)
            continue
        path = Path(str(source)[1:])
        if not path.is_file():
            raise FileNotFoundError(
                f"{source}: there is no file {path}; expected a text with a recording on each line"
            )
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise ValueError(f"{source} is no text in UTF-8; expected a recording on each line") from None
        if not any(lines):
            raise ValueError(f"{source} is empty; expected a recording on each line")
        found += [Path(line) for line in lines if line]
    return found


def is_one(sources: Sequence[Path]) -> bool:
    """Whether a command was given one recording, and not several, a folder, a pattern or a list of them."""
    from ..data.recordings.finding import is_pattern
    from ..data.recordings.formats import is_recording_folder

    if any(str(source).startswith("@") or is_pattern(source) for source in sources):
        return False
    return len(sources) == 1 and (not sources[0].is_dir() or is_recording_folder(sources[0]))


def refuse_recording(out: Path, suffix: str, what: str) -> None:
    """Refuse to write to a recording, which the last argument is where somebody forgot the output."""
    from ..data.recordings.formats import is_recording_folder

    if is_recording_folder(out) or (out.exists() and not out.is_dir() and out.suffix.lower() != suffix):
        raise ValueError(
            f"{out} exists and is no {what}; the last argument is what to write, a {suffix} file for one recording "
            "and a folder for several"
        )


def _without_name(text: str, name: str, path: Path) -> str:
    """Return a warning without the recording that it begins with, as the package names it."""
    from ..data.recordings.bids import name_of_tables

    names = (name, path.name, path.stem, path.name.split(".")[0], name_of_tables(path))
    return next((text.removeprefix(f"{name}: ") for name in names if text.startswith(f"{name}: ")), text)
