"""What `brant-hf detect` reads of a recording and writes about it, for one recording or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..user_warnings import warn
from .options import Choices

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.detector import Detector
    from ..detection.reference import Reference
    from ..detection.result import DetectionResult


class Outputs(NamedTuple):
    """What to write for one recording."""

    events: Path
    plot: Path | None
    report: Path | None

    def given(self) -> list[Path]:
        """List what is to be written."""
        return [output for output in self if output is not None]


class Job(NamedTuple):
    """How all recordings are worked on."""

    make_detector: Callable[[], Detector]
    batch_size: int
    choices: Choices
    force: bool


class Staged:
    """Outputs of one recording under temporary names; making it refuses what cannot be written."""

    def __init__(self, outputs: Outputs, force: bool) -> None:
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
        from ..detection.facts import recording_facts
        from ..detection.plots import plot_overview
        from ..detection.report import write_report
        from ..events.tables import events_table

        expected = None if reference is None else reference.file.events
        facts = {**recording_facts(recording), "threshold": result.threshold, **detector_facts(detector)}
        if reference is not None:
            facts["reference events"] = reference.name
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


def detector_facts(detector: Detector) -> dict[str, Any]:
    """Tell what the events of all recordings depend on."""
    from ..detection.facts import model_facts

    return {**model_facts(detector.model), "detection": detector.settings.to_dict()}


def open_compared(path: Path, choices: Choices, annotations: Path | None = None) -> tuple[Recording, Reference | None]:
    """Open a recording, and find the events to compare with: those of `annotations`, or its own."""
    from ..data import open_recording
    from ..detection.reference import Reference

    options = choices.open_options()
    if choices.annotations is not None:
        recording = open_recording(path, seizures=[], **options)
        known = None if annotations is None else Reference.read(annotations, recording, choices.event_types)
        return recording, known
    try:
        recording = open_recording(path, **options)
    except (ValueError, OSError) as error:
        # What is wrong with labels beside a recording is no reason against it.
        recording = open_recording(path, seizures=[], **options)
        warn(f"{recording.name}: its annotations are not used: {error}")
    return recording, Reference.of(recording)


def in_a_format(given: Path | None, suffixes: Sequence[str], folder: Path, name: str) -> Path | None:
    """Return the file `name` in `folder`, where only its format is given (`png`), and otherwise what is given."""
    if given is None or f".{given}".lower() not in suffixes or given.is_dir():
        return given
    return folder / f"{name}.{given}".lower()
