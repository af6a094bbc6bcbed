"""The command `brant-hf detect`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..listing import listed
from ..user_warnings import warn
from .options import (
    BATCH_SIZE_HELP,
    DEVICE,
    FORCE,
    LABELS,
    MODEL,
    OVERLAP_HELP,
    SIGNAL,
    Choices,
    find_device,
    quiet_transformers,
    warnings_after,
    with_choices,
)
from .score import score_lines
from .several import Place, Recordings, is_one, refuse_file, refuse_recording

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.detector import Detector
    from ..detection.reference import Reference
    from ..detection.result import DetectionResult


class _Outputs(NamedTuple):
    """What to write for one recording."""

    events: Path
    plot: Path | None
    report: Path | None

    def given(self) -> list[Path]:
        return [output for output in self if output is not None]


class _Job(NamedTuple):
    """How all recordings are worked on."""

    make_detector: Callable[[], Detector]
    batch_size: int
    choices: Choices
    force: bool


class _Staged:
    """Outputs of one recording under temporary names; making it refuses what cannot be written."""

    def __init__(self, outputs: _Outputs, force: bool) -> None:
        from ..events.tables import StagedTable
        from ..files import PLOT_SUFFIXES, REPORT_SUFFIXES, StagedOutputs

        self._files = StagedOutputs(overwrite=force)
        self._table = StagedTable(self._files, outputs.events)
        self._plot, self._report = (
            None if output is None else self._files.add(output, suffixes=suffixes)
            for output, suffixes in ((outputs.plot, PLOT_SUFFIXES), (outputs.report, REPORT_SUFFIXES))
        )

    def write(
        self, recording: Recording, result: DetectionResult, detector: Detector, reference: Reference | None = None
    ) -> None:
        """Write all of them, or none."""
        from ..detection.plots import plot_overview
        from ..detection.report import write_report
        from ..events.tables import events_table

        expected = None if reference is None else reference.file.events
        facts = _facts(recording, result, detector, reference)
        with self._files:
            table = events_table(result.events, recording.file_duration, start=recording.start_date)
            left_out = recording.excluded_channels | result.dropped_channels
            self._table.write(
                table,
                {**facts, "channels": result.channel_names, "channels left out": left_out},
                (result.start, result.stop) if recording.duration < recording.file_duration else None,
            )
            if self._plot is not None:
                plot_overview(recording, result, self._plot, reference=expected)
            if self._report is not None:
                write_report(recording, result, self._report, reference=expected, settings=facts)


def _facts(
    recording: Recording, result: DetectionResult, detector: Detector, reference: Reference | None
) -> dict[str, Any]:
    """Tell what the events depend on, for the report and for the file beside the table."""
    config = detector.model.config
    facts: dict[str, Any] = {
        "recording": str(recording.path or recording.name),
        "searched": f"{recording.offset:.2f} to {recording.offset + recording.duration:.2f} s",
        "unit": recording.scales_in_words(),
        "gaps": [f"{start:.2f} to {stop:.2f} s" for start, stop in recording.gaps],
        "model": str(config.name_or_path or type(detector.model).__name__),
        "weights SHA-256": detector.weights_sha256,
        "window": f"{config.num_patches} patches of {config.patch_length} samples at {config.sampling_rate:g} Hz",
        "threshold": result.threshold,
        "detection": result.settings,
    }
    return facts if reference is None else {**facts, "reference events": reference.name}


@with_choices(*SIGNAL, *LABELS, reference="annotations")
def detect(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Recordings, or folders of them (BIDS or any other).")
    ],
    events: Annotated[
        Path,
        typer.Argument(metavar="EVENTS", help="Table of events to write (.tsv); a folder for several recordings."),
    ],
    model: MODEL = None,
    plot: Annotated[
        Path | None, typer.Option(help="Overview figure to write (.png, .pdf, .svg); a folder for several recordings.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Report to write (.html), one page; a folder for several recordings.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Smallest probability in an event.")] = None,
    min_channels: Annotated[int | None, typer.Option(help="Channels that have to agree.")] = None,
    min_duration: Annotated[float | None, typer.Option(help="Shortest event, in seconds.")] = None,
    merge_gap: Annotated[float | None, typer.Option(help="Events nearer than this, in seconds, are one.")] = None,
    overlap: Annotated[float | None, typer.Option(help=OVERLAP_HELP)] = None,
    batch_size: Annotated[int, typer.Option(help=BATCH_SIZE_HELP)] = 8,
    device: DEVICE = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; float32 on a CPU.")] = None,
    force: FORCE = False,
    *,
    choices: Choices,
) -> None:
    """Find seizures in RECORDING and write them to EVENTS as SzCORE and BIDS have them.

    Settings that are not given are those of the checkpoint. Of each recording all outputs are written, or none. Of
    several, those that fail are listed at the end, and the others are written all the same.
    """
    options: dict[str, Any] = {
        "threshold": threshold,
        "min_channels": min_channels,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
        "overlap": overlap,
    }
    job = _Job(partial(_make_detector, model, device, dtype, batch_size, options, choices), batch_size, choices, force)
    choices.open_options()  # refuses what cannot be understood
    refuse_recording(events, ".tsv", "table of events")
    outputs = _Outputs(events, plot, report)
    if is_one(recordings):
        with warnings_after():
            _detect_one(recordings[0], outputs, job)
        return
    choices.refuse_annotations(many=True)
    with warnings_after(always=True):
        _detect_several(recordings, outputs, job)


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
    quiet_transformers()
    detector = Detector.from_pretrained(model, device=find_device(device), dtype=dtype, **options)
    own = detector.settings
    detector.settings = replace(own, preprocessing=choices.preprocessing(own.preprocessing))
    return detector


def _detect_one(path: Path, outputs: _Outputs, job: _Job) -> None:
    # All that can be refused is refused before the work is done.
    annotations = job.choices.annotations
    for target in outputs.given():
        if annotations is not None and annotations.exists() and target.exists() and annotations.samefile(target):
            raise ValueError(f"{target} is what is to be read; give another file to write to")
    staged = _Staged(outputs, job.force)
    recording, reference = _open(path, job.choices)
    detector = job.make_detector()
    result = detector.detect(recording, batch_size=job.batch_size)
    staged.write(recording, result, detector, reference)
    print("\n".join(_found(result)))
    if reference is not None:
        scores, agreement = reference.score(recording, result)
        print(f"\nagainst {reference.name}:")
        print("\n".join(score_lines({recording.name: scores}, agreement)))
    for target in outputs.given():
        print(f"written to     {target}")


def _open(path: Path, choices: Choices) -> tuple[Recording, Reference | None]:
    """Open a recording, and find the events to compare with: those given, or its own."""
    from ..data import open_recording
    from ..detection.reference import Reference

    options = choices.open_options()
    if choices.annotations is not None:
        recording = open_recording(path, seizures=[], **options)
        return recording, Reference.read(choices.annotations, recording, choices.event_types)
    try:
        recording = open_recording(path, **options)
    except (ValueError, OSError) as error:
        # What is wrong with labels beside a recording is no reason against it.
        recording = open_recording(path, seizures=[], **options)
        warn(f"{recording.name}: its annotations are not used: {error}")
    return recording, Reference.of(recording)


def _detect_several(sources: Sequence[Path], folders: _Outputs, job: _Job) -> None:
    """Write the outputs of each recording at its place below the folders."""
    recordings = Recordings.of(sources)
    outputs = {place.recording: _outputs_at(place, folders) for place in recordings.places()}
    _refuse_places(list(outputs.values()), folders, recordings.root, job.force)
    detector = job.make_detector()

    def work(path: Path) -> str:
        recording, reference = _open(path, job.choices)
        result = detector.detect(recording, batch_size=job.batch_size)
        for target in outputs[path].given():
            target.parent.mkdir(parents=True, exist_ok=True)
        _Staged(outputs[path], job.force).write(recording, result, detector, reference)
        count = len(result.events)
        why = "" if count else f" ({'; '.join([_highest(result), *_remedies(result)])})"
        written = outputs[path].events.relative_to(folders.events)
        found = "" if reference is None else f", {reference.found(recording, result)}"
        return f"{written}: {count} {'event' if count == 1 else 'events'}{found}{why}"

    recordings.work_through(work)


def _outputs_at(place: Place, folders: _Outputs) -> _Outputs:
    return _Outputs(
        folders.events / place.folder / f"{place.name}_events.tsv",
        None if folders.plot is None else folders.plot / place.folder / f"{place.name}.png",
        None if folders.report is None else folders.report / place.folder / f"{place.name}.html",
    )


def _refuse_places(outputs: Sequence[_Outputs], folders: _Outputs, root: Path, force: bool) -> None:
    """Refuse places where outputs would replace what is there, or tables might be taken for labels."""
    from ..events.tables import StagedTable
    from ..files import StagedOutputs

    for name, folder in (("plot", folders.plot), ("report", folders.report)):
        if folder is not None and not folder.is_dir() and (folder.suffix or folder.exists()):
            raise ValueError(f"--{name} is for one recording where it is a file ({folder}); give a folder for several")
    for folder in folders.given():
        refuse_file(folder)
    out = folders.events
    if not out.exists() and out.suffix.lower() == ".tsv":
        raise ValueError(f"{out} is one table, and there are several recordings; give a folder to write to")
    if out.exists() and out.samefile(root):
        raise ValueError(f"{out} is what is to be read, and its tables may be labels; give another folder to write to")
    for target in (target for each in outputs for target in each.given() if target.parent.is_dir()):
        if target.suffix == ".tsv":
            StagedTable(StagedOutputs(overwrite=force), target)
        else:
            StagedOutputs(overwrite=force).add(target)


def _found(result: DetectionResult) -> Iterator[str]:
    """Lines that tell the events, what came near, and, where there is no event, what would give one."""
    from ..detection.explanation import near_misses

    if result.events:
        yield f"{'onset [s]':>12}{'duration [s]':>14}{'confidence':>12}  channels"
        for event in result.events:
            confidence = math.nan if event.confidence is None else event.confidence
            yield f"{event.onset:>12.2f}{event.duration:>14.2f}{confidence:>12.2f}  {listed(event.channels or ())}"
    else:
        yield f"no seizure found: {_highest(result)}"
        yield from _remedies(result)
    missed = near_misses(result)
    if missed:
        yield "not taken as seizures:"
        yield f"{'onset [s]':>12}{'duration [s]':>14}{'highest':>12}  why, and on which channels"
    for miss in missed:
        yield (
            f"{miss.event.onset:>12.2f}{miss.event.duration:>14.2f}{_percentage(miss.highest):>12}  {miss.rule}: "
            f"{listed(miss.event.channels or ())}"
        )


def _highest(result: DetectionResult) -> str:
    from ..detection.result import clock

    peak = int(result.recording_probability.argmax())
    return (
        f"the highest probability is {_percentage(result.recording_probability[peak])}, at "
        f"{clock(float(result.times[peak]))}; the threshold is {result.threshold:.2g}"
    )


def _remedies(result: DetectionResult) -> Iterator[str]:
    from ..detection.explanation import remedies

    for remedy in remedies(result):
        option = remedy.setting.replace("_", "-")
        count = f"{remedy.num_events} {'event' if remedy.num_events == 1 else 'events'}"
        yield f"with --{option} {remedy.value:.4g} there would be {count}"


def _percentage(probability: float) -> str:
    """Write a probability with two digits, never rounded up to what it does not reach."""
    return f"{math.floor(probability * 100) / 100:.2f}"
