"""The command `brant-hf detect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..checkpoints import quiet_transformers
from ..detection.outputs import KINDS, Finding, Outputs, Staged, format_of
from ..option_names import in_words_of_command
from ..user_warnings import warnings_noted
from .detect_several import detect_several, line_of
from .findings import finding_lines
from .options import (
    BACKEND,
    BATCH_SIZE_HELP,
    DEVICE,
    DTYPE,
    FORCE_ALL,
    LABELS,
    MODEL,
    NUM_PROC,
    OVERLAP_HELP,
    SCHEDULER,
    SEVERAL_HELP,
    SHARD,
    SIGNAL,
    Choices,
    find_device,
    warnings_after,
    with_choices,
)
from .process import loading
from .score import score_lines
from .several import Work, is_one, listed_sources, refuse_recording

if TYPE_CHECKING:
    from ..detection.detector import Detector
    from ..detection.many import Job
    from ..detection.outputs import Kind

PLOT = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FORMAT|FOLDER",
        help="Overview figure to write, or its format alone (png, pdf, svg) to have it beside the table; for "
        "several recordings the format, or a folder.",
    ),
]
REPORT = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|html|FOLDER",
        help="Report to write, one page, or html to have it beside the table; for several recordings html, or a "
        "folder.",
    ),
]
EDF = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|edf|FOLDER",
        help="Annotations for EDFbrowser and other viewers to write, as EDF+ without signals, or edf to have them "
        "beside the table.",
    ),
]
MNE = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FORMAT|FOLDER",
        help="Annotations for MNE-Python to write, or their format alone (fif, csv, txt) to have them beside the "
        "table.",
    ),
]
RECRUITMENT = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|tsv|FOLDER",
        help="Table of when each channel joins and leaves each event to write, or tsv to have it beside the table of "
        "events.",
    ),
]
HED = Annotated[
    bool,
    typer.Option(
        "--hed", help="Add a column of HED tags of the SCORE library (Hierarchical Event Descriptors) to the table."
    ),
]
CAUSAL = Annotated[
    bool,
    typer.Option(
        "--causal", help="Compare with the background before each moment alone, as while a recording goes on."
    ),
]


@with_choices(*SIGNAL, *LABELS, reference="annotations")
def detect(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help=SEVERAL_HELP)],
    events: Annotated[
        Path,
        typer.Argument(metavar="EVENTS", help="Table of events to write (.tsv); a folder for several recordings."),
    ],
    model: MODEL = None,
    plot: PLOT = None,
    report: REPORT = None,
    edf: EDF = None,
    mne: MNE = None,
    recruitment: RECRUITMENT = None,
    hed: HED = False,
    threshold: Annotated[float | None, typer.Option(help="Probability of seizure that an event has to reach.")] = None,
    min_channels: Annotated[
        int | None, typer.Option(help="Channels that have to agree, of which the mean counts.")
    ] = None,
    min_duration: Annotated[float | None, typer.Option(help="Shortest event, in seconds.")] = None,
    merge_gap: Annotated[float | None, typer.Option(help="Events nearer than this, in seconds, are one.")] = None,
    overlap: Annotated[float | None, typer.Option(help=OVERLAP_HELP)] = None,
    causal: CAUSAL = False,
    batch_size: Annotated[int, typer.Option(help=BATCH_SIZE_HELP)] = 8,
    device: DEVICE = None,
    dtype: DTYPE = None,
    num_proc: NUM_PROC = 1,
    shard: SHARD = None,
    backend: BACKEND = None,
    scheduler: SCHEDULER = None,
    force: FORCE_ALL = False,
    *,
    choices: Choices,
) -> None:
    """Find seizures in RECORDING and write them to EVENTS as SzCORE and BIDS have them.

    Settings that are not given are those of the checkpoint. Of each recording all outputs are written, or none. Of
    several, those that fail are listed at the end, and the others are written all the same. The folder then holds a
    page of all recordings, too (index.html), their events in one table (all_events.tsv), what was searched
    (recordings.tsv) and, where seizures are known, scores (scores.tsv). Of recordings of a BIDS dataset it becomes a
    derivative dataset.

    Started again, it keeps what was made of the same files with the same settings, does the rest, and tries again what
    failed. Tasks of a job array do a share each (--shard); `brant-hf merge` then writes what is about all.
    """
    options: dict[str, Any] = {
        "threshold": threshold,
        "min_channels": min_channels,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
        "overlap": overlap,
        "causal": causal or None,
    }
    with loading():
        from ..detection.many import Job

    make_detector = partial(_make_detector, model, device, dtype, batch_size, options, choices)
    open_options = choices.open_options()  # refuses what cannot be understood
    refuse_recording(events, ".tsv", "table of events")
    asked = {"plot": plot, "report": report, "edf": edf, "mne": mne, "recruitment": recruitment}
    others = {name: given for name, given in asked.items() if given is not None}
    work = Work.of(shard, num_proc, backend, scheduler)
    is_alone = is_one(recordings) and shard is None
    outputs = replace(_outputs(events, others) if is_alone else Outputs(events, others), hed=hed)
    job = Job(
        make_detector, outputs, choices.annotations, open_options, batch_size, force, line_of, in_words_of_command()
    )
    if is_alone:
        with warnings_after():
            work.tell_of_one()
            _detect_one(recordings[0], job)
        return
    detect_several(listed_sources(recordings), job, work)


def _outputs(events: Path, others: Mapping[str, Path]) -> Outputs:
    """Put those of which a format alone is given beside the table."""

    def place(kind: Kind) -> Path:
        suffix = format_of(others[kind.option], kind.suffixes)
        return others[kind.option] if suffix is None else events.parent / f"{events.stem}{kind.ending}{suffix}"

    return Outputs(events, {kind.option: place(kind) for kind in KINDS if kind.option in others})


def _make_detector(
    model: str | None,
    device: str | None,
    dtype: str | None,
    batch_size: int,
    options: Mapping[str, Any],
    choices: Choices,
) -> Detector:
    from ..detection.detector import Detector, check_batch_size

    check_batch_size(batch_size)
    with loading():
        quiet_transformers()
        detector = Detector.from_pretrained(model, device=find_device(device), dtype=dtype, **options)
    own = detector.settings
    detector.settings = replace(own, preprocessing=choices.preprocessing(own.preprocessing))
    return detector


def _detect_one(path: Path, job: Job) -> None:
    from ..detection.reference import open_compared

    # All that can be refused is refused before the work is done.
    outputs, annotations = job.outputs, job.annotations
    for target in outputs.given():
        if annotations is not None and annotations.exists() and target.exists() and annotations.samefile(target):
            raise ValueError(f"{target} is what is to be read; give another file to write to")
    staged = Staged(outputs, job.overwrite)
    own = annotations is None
    with warnings_noted() as texts:
        recording, reference = open_compared(path, job.open_options, annotations=annotations, own=own)
        outputs.check(recording)
        detector = job.make_detector()
        result = detector.detect(recording, batch_size=job.batch_size)
    staged.write(Finding.of(recording, result, detector, reference).telling(map(job.say, texts())))
    print("\n".join(finding_lines(result)))
    if reference is not None:
        scores, agreement = reference.score(recording, result)
        print(f"\nagainst {reference.name}:")
        print("\n".join(score_lines({recording.name: scores}, agreement)))
    for target in outputs.given():
        print(f"written to     {target}")
