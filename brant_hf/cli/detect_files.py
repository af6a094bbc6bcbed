"""What `brant-hf detect` reads of a recording and writes about it, for one recording or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..files import EDF_SUFFIXES, MNE_SUFFIXES, PLOT_SUFFIXES, REPORT_SUFFIXES
from ..user_warnings import warn
from .options import Choices

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.detector import Detector
    from ..detection.reference import Reference
    from ..detection.result import DetectionResult


@dataclass(frozen=True)
class Finding:
    """What was found in a recording, and what it depends on."""

    recording: Recording
    result: DetectionResult
    reference: Reference | None
    facts: Mapping[str, Any]

    @property
    def known(self) -> list[dict[str, Any]] | None:
        """Seizures that are known, in the form of `SeizureEvent.to_dict`."""
        return None if self.reference is None else self.reference.file.events


@dataclass(frozen=True)
class Kind:
    """A kind of output that may be asked for beside the table of events.

    Attributes
    ----------
    option : str
        Option of the command, whose value is a file, a format, or for several recordings a folder.
    called : str
        What the page about all recordings calls it.
    suffixes : tuple[str, ...]
        Those that it may have; the first where nothing is told.
    write : callable
        Writes a finding to a file.
    ending : str
        What stands between the name of the recording and the suffix.
    check : callable
        Raises a `ValueError` where a recording has no such output.
    """

    option: str
    called: str
    suffixes: tuple[str, ...]
    write: Callable[[Finding, Path], None]
    ending: str = ""
    check: Callable[[Recording, Path], None] = lambda *_: None


def _write_figure(finding: Finding, target: Path) -> None:
    from ..detection.plots import plot_overview

    plot_overview(finding.recording, finding.result, target, reference=finding.known)


def _write_report(finding: Finding, target: Path) -> None:
    from ..detection.report import write_report

    facts = dict(finding.facts)
    write_report(finding.recording, finding.result, target, reference=finding.known, settings=facts)


def _write_annotations(finding: Finding, target: Path) -> None:
    finding.result.save_annotations(target)


def _check_start(recording: Recording, target: Path) -> None:
    from ..events.annotation_files import check_start

    check_start(target, recording.start_date)


def is_own(path: Path) -> bool:
    """Whether an output was written by this package, and not changed since where that can be told."""
    from ..events.annotation_files import is_annotation_file
    from ..files import has_mark

    return (is_annotation_file if path.suffix.lower() in (*EDF_SUFFIXES, *MNE_SUFFIXES) else has_mark)(path)


# A new output is a line here and an option of the command.
KINDS = (
    Kind("plot", "figure", PLOT_SUFFIXES, _write_figure),
    Kind("report", "report", REPORT_SUFFIXES, _write_report),
    Kind("edf", "EDF+", EDF_SUFFIXES, _write_annotations, "_annot"),
    Kind("mne", "MNE-Python", MNE_SUFFIXES, _write_annotations, "_annot", _check_start),
)
TABLE = "table"


@dataclass(frozen=True)
class Outputs:
    """What to write for one recording: the table of events, and others by their option."""

    events: Path
    others: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, called: Mapping[str, Path]) -> Outputs:
        """Take what `called` returns."""
        return cls(called[TABLE], {kind.option: called[kind.called] for kind in KINDS if kind.called in called})

    def given(self) -> list[Path]:
        """List what is to be written."""
        return [self.events, *self.others.values()]

    def check(self, recording: Recording) -> None:
        """Refuse what a recording does not have, such as times of day where nobody knows when it began."""
        for kind in KINDS:
            if kind.option in self.others:
                kind.check(recording, self.others[kind.option])

    def called(self) -> dict[str, Path]:
        """List it by what the page about all recordings calls it."""
        others = {kind.called: self.others[kind.option] for kind in KINDS if kind.option in self.others}
        return {TABLE: self.events, **others}


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
        from ..files import StagedOutputs

        self._files = StagedOutputs(overwrite=force)
        self._table = StagedTable(self._files, outputs.events)
        self._others = [
            (kind, self._files.add(outputs.others[kind.option], is_own, kind.suffixes))
            for kind in KINDS
            if kind.option in outputs.others
        ]

    def write(
        self, recording: Recording, result: DetectionResult, detector: Detector, reference: Reference | None = None
    ) -> None:
        """Write all of them, or none."""
        from ..detection.facts import recording_facts
        from ..events.tables import events_table

        facts = {**recording_facts(recording), "threshold": result.threshold, **detector_facts(detector)}
        if reference is not None:
            facts["reference events"] = reference.name
        finding = Finding(recording, result, reference, facts)
        with self._files:
            table = events_table(result.events, recording.file_duration, start=recording.start_date)
            left_out = recording.excluded_channels | result.dropped_channels
            self._table.write(
                table,
                {**facts, "channels": result.channel_names, "channels left out": left_out},
                (result.start, result.stop) if recording.duration < recording.file_duration else None,
            )
            for kind, target in self._others:
                kind.write(finding, target)


def detector_facts(detector: Detector) -> dict[str, Any]:
    """Tell what the events of all recordings depend on."""
    from ..detection.facts import model_facts

    return {**model_facts(detector.model, detector.weights_sha256), "detection": detector.settings.to_dict()}


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


def format_of(given: Path, suffixes: Sequence[str]) -> str | None:
    """Return the suffix of a file, where a format alone is given (`png`), and no folder is called so."""
    suffix = f".{given}".lower()
    return suffix if suffix in suffixes and not given.is_dir() else None
