"""The command `brant-hf detect`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from .options import (
    BAD_INPUT,
    BATCH_SIZE_HELP,
    DEVICE,
    FORCE,
    MODEL,
    OVERLAP_HELP,
    UNIT,
    find_device,
    quiet_transformers,
    warnings_after,
)
from .score import score_table

if TYPE_CHECKING:
    from ..detection.pipeline import SeizureDetectionPipeline

    MakePipeline = Callable[[], SeizureDetectionPipeline]


class _Outputs(NamedTuple):
    """What to write for one recording."""

    events: Path
    plot: Path | None
    report: Path | None
    force: bool


def detect(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Recordings, or folders of them (BIDS or any other).")
    ],
    events: Annotated[
        Path,
        typer.Argument(metavar="EVENTS", help="Table of events to write (.tsv); a folder for several recordings."),
    ],
    model: MODEL = None,
    plot: Annotated[Path | None, typer.Option(help="Overview figure to write (.png, .pdf, .svg).")] = None,
    report: Annotated[Path | None, typer.Option(help="Report to write (.html), one page.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Table of reference events, to draw and to score against.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Smallest probability in an event.")] = None,
    min_channels: Annotated[int | None, typer.Option(help="Channels that have to agree.")] = None,
    min_duration: Annotated[float | None, typer.Option(help="Shortest event, in seconds.")] = None,
    merge_gap: Annotated[float | None, typer.Option(help="Events nearer than this, in seconds, are one.")] = None,
    overlap: Annotated[float | None, typer.Option(help=OVERLAP_HELP)] = None,
    unit: UNIT = None,
    batch_size: Annotated[int | None, typer.Option(help=BATCH_SIZE_HELP)] = None,
    device: DEVICE = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; float32 on a CPU.")] = None,
    force: FORCE = False,
) -> None:
    """Find seizures in RECORDING and write them to EVENTS as SzCORE and BIDS have them.

    Settings that are not given are those of the checkpoint. Nothing is written unless everything succeeds; of several
    recordings, a table appears for each that does.
    """
    from ..data.recordings.formats import is_recording_folder

    options: dict[str, Any] = {
        "threshold": threshold,
        "min_channels": min_channels,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
        "overlap": overlap,
        "batch_size": batch_size,
    }

    def make_pipeline() -> SeizureDetectionPipeline:
        from ..detection.pipeline import SeizureDetectionPipeline

        quiet_transformers()
        given = {name: value for name, value in options.items() if value is not None}
        return SeizureDetectionPipeline.from_pretrained(model, device=find_device(device), dtype=dtype, **given)

    if is_recording_folder(events) or (events.exists() and not events.is_dir() and events.suffix.lower() != ".tsv"):
        raise ValueError(
            f"{events} exists and is no table of events; the last argument is what to write, a .tsv file for one "
            "recording and a folder for several"
        )
    first = recordings[0]
    if len(recordings) == 1 and (not first.is_dir() or is_recording_folder(first)):
        with warnings_after():
            _detect_one(first, _Outputs(events, plot, report, force), reference, unit, make_pipeline)
        return
    given = [name for name, value in (("plot", plot), ("report", report), ("reference", reference)) if value]
    if given:
        raise ValueError(f"--{given[0]} is for one recording, and there are several or a folder of them")
    with warnings_after(always=True):
        _detect_several(recordings, events, force, unit, make_pipeline)


def _detect_one(
    path: Path, outputs: _Outputs, reference: Path | None, unit: str | None, make_pipeline: MakePipeline
) -> None:
    from ..data import open_recording
    from ..detection.plots import plot_overview
    from ..detection.report import write_report
    from ..detection.scoring import score_event_files
    from ..events.tables import EventFile, StagedTable, events_table, read_event_file
    from ..files import PLOT_SUFFIXES, REPORT_SUFFIXES, StagedOutputs

    # All that can be refused is refused before the work is done.
    staged = StagedOutputs(overwrite=outputs.force)
    targets = [target for target in outputs[:3] if target is not None]
    for target in targets:
        if reference is not None and reference.exists() and target.exists() and reference.samefile(target):
            raise ValueError(f"{target} is what is to be read; give another file to write to")
    table = StagedTable(staged, outputs.events)
    plot, report = (
        None if output is None else staged.add(output, suffixes=suffixes)
        for output, suffixes in ((outputs.plot, PLOT_SUFFIXES), (outputs.report, REPORT_SUFFIXES))
    )
    known = None if reference is None else read_event_file(reference)
    # Labels beside a recording are not read: what is wrong with them is no reason against it.
    recording = open_recording(path, seizures=[], unit=unit)
    if reference is not None and known is not None:
        # Refused where the reference is about another recording.
        score_event_files(known, EventFile([], recording.duration), reference.name)
    detector = make_pipeline()
    result = detector(recording)
    expected = None if known is None else known.events
    with staged:
        table.write(events_table(result["events"], recording.duration, start=recording.start_date))
        if plot is not None:
            plot_overview(recording, result, plot, reference=expected)
        if report is not None:
            config = detector.model.config
            settings = {
                "recording": str(recording.path or recording.name),
                "model": str(config.name_or_path or type(detector.model).__name__),
                "window": f"{config.num_patches} patches of {config.patch_length} samples at "
                f"{config.sampling_rate:g} Hz",
                "detection": result["settings"],
            }
            write_report(recording, result, report, reference=expected, settings=settings)
    print(_event_table(result["events"]))
    if reference is not None and known is not None:
        scores = score_event_files(known, EventFile(result["events"], recording.duration), reference.name)
        print(f"\n{score_table({recording.name: scores})}")
    for target in targets:
        print(f"written to     {target}")


def _detect_several(
    sources: Sequence[Path], out: Path, force: bool, unit: str | None, make_pipeline: MakePipeline
) -> None:
    """One table for each recording, at the same place below `out`; what fails is listed at the end."""
    from ..data import find_recordings, open_recording
    from ..events.tables import write_events

    paths = [Path(os.path.abspath(str(path))) for path in find_recordings(sources)]
    # What the places of the tables are relative to.
    folders = [each if _holds(each, paths) else each.parent for each in sources]
    root = Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))
    targets = [out / path.relative_to(root).with_name(_events_name(path)) for path in paths]
    _refuse_tables(root, out, targets, force)
    detector = make_pipeline()
    failed: dict[Path, str] = {}
    for path, target in zip(paths, targets, strict=True):
        try:
            recording = open_recording(path, seizures=[], unit=unit)
            events = detector(recording)["events"]
            target.parent.mkdir(parents=True, exist_ok=True)
            write_events(target, events, recording.duration, start=recording.start_date, overwrite=force)
        except BAD_INPUT as error:
            failed[path] = " ".join(str(error).split()) or type(error).__name__
            continue
        print(f"{target.relative_to(out)}: {len(events)} {'event' if len(events) == 1 else 'events'}")
    for path, reason in failed.items():
        print(f"{path.relative_to(root)}: failed: {reason}")
    if failed:
        raise ValueError(f"{len(failed)} of {len(paths)} recordings failed (listed above)")


def _holds(source: Path, recordings: Sequence[Path]) -> bool:
    """Whether a source is a folder of recordings, and not one of them."""
    return source.is_dir() and Path(os.path.abspath(source)) not in recordings


def _refuse_tables(root: Path, out: Path, targets: Sequence[Path], force: bool) -> None:
    """Refuse places where tables would replace what is there or each other, or might be taken for labels."""
    from ..events.tables import StagedTable
    from ..files import StagedOutputs

    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise ValueError(f"several recordings of {root} would be written to {min(twice)}; give them other names")
    existing = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is a file; give a folder to write the tables of several recordings to")
    if not out.exists() and out.suffix.lower() == ".tsv":
        raise ValueError(f"{out} is one table, and there are several recordings; give a folder to write to")
    if out.exists() and out.samefile(root):
        raise ValueError(f"{out} is what is to be read, and its tables may be labels; give another folder to write to")
    for target in targets:
        if target.parent.is_dir():
            StagedTable(StagedOutputs(overwrite=force), target)


def _events_name(recording: Path) -> str:
    """`sub-01_task-rest_events.tsv` for `sub-01_task-rest_ieeg.edf`; otherwise the name with another extension."""
    stem = recording.name.split(".")[0]
    for suffix in ("_ieeg", "_eeg"):
        stem = stem.removesuffix(suffix)
    return f"{stem}_events.tsv"


def _event_table(events: Sequence[Mapping[str, Any]]) -> str:
    if not events:
        return "no seizure found"
    lines = [f"{'onset [s]':>12}{'duration [s]':>14}{'confidence':>12}  channels"]
    for event in events:
        names = event["channels"]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        lines.append(f"{event['onset']:>12.2f}{event['duration']:>14.2f}{event['confidence']:>12.2f}  {shown}")
    return "\n".join(lines)
