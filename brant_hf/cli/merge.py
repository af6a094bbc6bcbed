"""The command `brant-hf merge`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..detection.outputs import DETECT
from ..listing import counted
from ..option_names import in_options, speaking_of
from .detect import detect
from .detect_several import about_all
from .embed import EMBED, embed
from .messages import options_of
from .options import warnings_after
from .prepare import prepare, refuse_failures as refuse_failures_of_prepare, refuse_no_windows
from .several import failures, refuse_failures

if TYPE_CHECKING:
    from ..detection.runs import Notes


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that tasks wrote to with --shard.")],
) -> None:
    """Unite the shares of a job array (--shard): of `prepare` to one dataset, of `detect` to tables about all.

    Of `embed` there is nothing to unite: it tells whether all recordings are done.

    An interrupted merge continues when it is started again.
    """
    from ..detection.runs import Notes

    if not out.is_dir():
        raise FileNotFoundError(f"{out} is no folder; give the one that tasks wrote to with --shard")
    detected, embedded = Notes(out, DETECT), Notes(out, EMBED)
    if detected.run:
        _merge_notes(detected, detect, about_all)
    if embedded.run:
        _merge_notes(embedded, embed, lambda _: ())
    if not detected.run and not embedded.run:
        _merge_dataset(out)


def _merge_notes(notes: Notes, command: Callable[..., None], conclude: Callable[[Notes], Iterable[str]]) -> None:
    done = notes.all()
    with speaking_of(options_of(command)):  # as where they were told
        for line in [*failures(note for _, note in done if note is not None), *conclude(notes)]:
            print(line)
    missing = sum(note is None for _, note in done)
    if missing:
        raise ValueError(f"{missing} of {len(done)} recordings are not done yet; run the other shares, and this again")
    refuse_failures(sum(note is not None and note.reason is not None for _, note in done), len(done))
    print(f"{notes.command}: {counted(len(done), 'recording')}, all done")


def _merge_dataset(folder: Path) -> None:
    from ..data import merge_prepared

    with speaking_of(options_of(prepare)), warnings_after(always=True):
        report = merge_prepared(folder)
        print(in_options(str(report)))
    refuse_failures_of_prepare(report, len(report.recordings))
    refuse_no_windows(report)
