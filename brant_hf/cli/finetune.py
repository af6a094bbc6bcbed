"""The command `brant-hf finetune`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..checkpoints import quiet_transformers
from ..listing import counted
from .options import (
    DEVICE,
    FORCE,
    LABELS,
    MODEL,
    SIGNAL,
    Choices,
    find_device,
    warnings_after,
    with_choices,
)

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.finetuning import FinetuneReport

# How far labels may pass the end of a recording [s]: they are rounded, and some marks are set at the end.
_ROUNDING_S = 1.0


@with_choices(*SIGNAL, *LABELS)
def finetune(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="Recordings of one subject.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the new checkpoint.")],
    events: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="EVENTS...",
            help="Table of the seizures of each recording, in the same order; without it, their own annotations.",
        ),
    ] = None,
    model: MODEL = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training.", show_default="that of the package")] = None,
    device: DEVICE = None,
    force: FORCE = False,
    *,
    choices: Choices,
) -> None:
    """Make the detector of one subject from any detector and one or a few recordings with marked seizures.

    What is not marked counts as background: of a recording that was looked at in part, give that part (--start,
    --stop). A part of the background, and of several seizures the last, is held back: with it the new weights are
    compared with the old. DIR is written at the end; a run that is interrupted leaves nothing.
    """
    from ..detection.finetuning import STEPS, check_output, finetune_detector

    paths, tables = _in_pairs(recordings, events or [], choices)
    check_output(output, force)
    quiet_transformers()
    with warnings_after():
        opened = [_open(path, table, choices) for path, table in zip(paths, tables, strict=True)]
        report = finetune_detector(
            opened,
            output,
            model,
            preprocessing=choices.preprocessing if choices.settings() else None,
            steps=STEPS if steps is None else steps,
            device=find_device(device),
            overwrite=force,
        )
    print("\n".join(_lines(report, opened)))


def _in_pairs(
    recordings: Sequence[Path], events: Sequence[Path], choices: Choices
) -> tuple[list[Path], list[Path | None]]:
    """Return recordings and their tables, which stand among the recordings in `--events a.tsv b.tsv`."""
    from ..data import find_recordings
    from ..files import TABLE_SUFFIXES

    tables = [*events, *(path for path in recordings if path.suffix.lower() in TABLE_SUFFIXES)]
    if choices.annotations is not None:
        tables.append(choices.annotations)
    found = find_recordings([path for path in recordings if path.suffix.lower() not in TABLE_SUFFIXES])
    paths = [Path(str(path)) for path in found]
    if tables and len(tables) != len(paths):
        raise ValueError(
            f"got {counted(len(paths), 'recording')} and {counted(len(tables), 'table')} of events; give "
            "--events one table for each recording, in the same order, or leave it out where they have annotations"
        )
    matched: list[Path | None] = [*tables] if tables else [None] * len(paths)
    return paths, matched


def _open(path: Path, table: Path | None, choices: Choices) -> Recording:
    """Open a recording with its seizures, all of which have to lie in it."""
    from ..data import open_recording
    from ..detection.reference import Reference

    options = choices.open_options()
    if table is None:
        return open_recording(path, **options)
    recording = open_recording(path, seizures=str(table), **options)
    for event in Reference.read(table, recording, choices.event_types).file.events:
        if event["onset"] + event["duration"] > recording.file_duration + _ROUNDING_S:
            raise ValueError(
                f"{table}: the seizure at {event['onset']:.2f} s, of {event['duration']:.2f} s, passes the end of "
                f"{path.name}, which lasts {recording.file_duration:.2f} s; is it the table of another recording?"
            )
    return recording


def _lines(report: FinetuneReport, recordings: Sequence[Recording]) -> Iterator[str]:
    from ..detection.finetuning_card import table, threshold_in_words, weights_in_words
    from ..listing import counted

    after = report.after
    hours = sum(each.recorded_duration for each in recordings) / 3600
    marked = counted(after.seizures + after.held_seizures, "seizure")
    sources = ", ".join(dict.fromkeys(each.seizures_from for each in recordings if each.seizures_from))
    head, rows = table(report)
    yield f"labels         {marked} in {hours:.2f} h of {counted(len(recordings), 'recording')} ({sources})"
    for what, before, result in [head, *rows]:
        yield f"{what:<45}{before:>10}{result:>10}"
    yield f"weights        {weights_in_words(report)}"
    yield f"threshold      {threshold_in_words(report)}"
    yield f"written to     {report.output_dir}"
