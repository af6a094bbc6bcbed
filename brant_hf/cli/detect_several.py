"""`brant-hf detect` of several recordings: what is told of each, and of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..option_names import in_options
from .findings import remedy_lines
from .options import warnings_after
from .score import score_lines
from .several import Work

if TYPE_CHECKING:
    from ..detection.many import Job
    from ..detection.outputs import Finding
    from ..detection.runs import Notes


def detect_several(sources: Sequence[Path], job: Job, work: Work) -> None:
    """Write the outputs of each recording at its place below the folders, and those about all of them."""
    from ..detection.many import Search

    with warnings_after():
        search = Search.of(sources, job)
    with warnings_after(always=True), search.working(work.engine) as do:
        work.through(search.run, do, lambda: about_all(search.run.notes))


def line_of(finding: Finding, written: Path) -> str:
    """Tell what was found in a recording, in a line."""
    from ..detection.explanation import highest

    result, reference = finding.result, finding.reference
    count = len(result.events)
    why = "" if count else f" ({'; '.join([highest(result), *remedy_lines(result)])})"
    found = "" if reference is None else f", {reference.found(finding.recording, result)}"
    return f"{written}: {count} {'event' if count == 1 else 'events'}{found}{why}"


def about_all(notes: Notes) -> Iterator[str]:
    """Write the files about all recordings from the notes on them; yield lines that tell it, and the scores of all."""
    from ..detection import many
    from ..detection.summary import ALL, together

    rows, names = many.about_all(notes, in_options)
    scored = [row for row in rows if row.scores is not None]
    if scored:
        scores, agreement = together(scored)
        yield f"\nagainst the known seizures of {len(scored)} of {len(rows)} recordings:"
        yield from score_lines({ALL: scores}, agreement, whole=True)
    yield f"about all      {notes.folder} ({', '.join(names)})"
