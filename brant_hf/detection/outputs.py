"""What was found in a recording, and how it is written: the table of events, and what is asked for beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import EDF_SUFFIXES, MNE_SUFFIXES, PLOT_SUFFIXES, REPORT_SUFFIXES, TABLE_SUFFIXES
from ..user_warnings import warn

if TYPE_CHECKING:
    from ..data import Recording
    from ..events.tables import StagedTable
    from .detector import Detector
    from .reference import Reference
    from .result import DetectionResult

TABLE = "table"
# Formats with gaps that MNE-Python does not know.
_DISCONTINUOUS = (".edf", ".bdf")
# Under which what was detected in many recordings is noted.
DETECT = "detect"


@dataclass(frozen=True, eq=False)
class Finding:
    """What was found in a recording, and what it depends on.

    Attributes
    ----------
    recording : Recording
        The recording, whose samples are read when they are drawn.
    result : DetectionResult
        What a detector made of it.
    reference : Reference or None
        Known seizures to compare with.
    model : Mapping[str, Any]
        Which checkpoint worked, see `brant_hf.detection.facts.model_facts`.
    called : str or None
        What outputs call the recording in place of its path.
    """

    recording: Recording
    result: DetectionResult
    reference: Reference | None
    model: Mapping[str, Any]
    called: str | None = None

    @classmethod
    def of(
        cls, recording: Recording, result: DetectionResult, detector: Detector, reference: Reference | None = None
    ) -> Finding:
        """Take down what a detector found."""
        return cls(recording, result, reference, detector.facts)

    @property
    def known(self) -> list[dict[str, Any]] | None:
        """Seizures that are known, in the form of `SeizureEvent.to_dict`."""
        return None if self.reference is None else self.reference.file.events

    @property
    def view(self) -> DetectionResult:
        """The result with what is known."""
        from .result import DetectionResult

        return DetectionResult.of(self.recording, self.result, self.known)

    @property
    def facts(self) -> dict[str, Any]:
        """What the outputs depend on, JSON-serialisable."""
        from .facts import recording_facts

        facts = {
            **recording_facts(self.recording),
            **({} if self.called is None else {"recording": self.called}),
            "threshold": self.result.threshold,
            **self.model,
            "detection": self.result.settings,
        }
        return facts if self.reference is None else {**facts, "reference events": self.reference.name}

    def telling(self, warnings: Iterable[str]) -> Finding:
        """Let the outputs hold these warnings."""
        return replace(self, result=replace(self.result, warnings=list(warnings)))

    def at(self, threshold: float | None) -> Finding:
        """Decide again at another threshold, without running the model; `None` leaves it as it is."""
        if threshold is None:
            return self
        return replace(self, result=self.result.with_settings(threshold=threshold))


@dataclass(frozen=True)
class Kind:
    """A kind of output that may be asked for beside the table of events.

    Attributes
    ----------
    option : str
        Option of `brant-hf detect`, whose value is a file, a format, or for several recordings a folder.
    called : str
        What the page about all recordings calls it.
    suffixes : tuple[str, ...]
        Those that it may have; the first where nothing is told.
    write : callable
        Writes a finding to a file, of a table to its `StagedTable`.
    ending : str
        What stands between the name of the recording and the suffix.
    check : callable
        Raises a `ValueError` where a recording has no such output; warns of what it may be taken for.
    is_table : bool
        Whether it is a table with a `.json` beside it, which describes and marks it.
    """

    option: str
    called: str
    suffixes: tuple[str, ...]
    write: Callable[[Finding, Any], None]
    ending: str = ""
    check: Callable[[Recording, Path], None] = lambda *_: None
    is_table: bool = False


def _write_figure(finding: Finding, target: Path) -> None:
    from .plots import plot_overview

    plot_overview(finding.recording, finding.result, target, reference=finding.known)


def _write_report(finding: Finding, target: Path) -> None:
    from .report import write_report

    write_report(finding.recording, finding.result, target, reference=finding.known, settings=finding.facts)


def _write_annotations(finding: Finding, target: Path) -> None:
    finding.result.save_annotations(target)


def _check_annotations(recording: Recording, target: Path) -> None:
    from ..events.annotation_files import check_start

    check_start(target, recording.start_date)
    if recording.gaps and recording.path is not None and Path(recording.path).suffix.lower() in _DISCONTINUOUS:
        warn(
            f"{recording.name}: MNE-Python reads it without its gaps, so in a Raw of it the annotations of "
            f"{target.name} come late by the gaps before them; take these off first (they stand in the .json of the "
            "table)"
        )


def _write_recruitment(finding: Finding, target: StagedTable) -> None:
    from .recruitment import COLUMNS, recruitment_table

    target.write(recruitment_table(finding.result), finding.facts, described=COLUMNS)


def is_own(path: Path) -> bool:
    """Whether an output was written by this package, and not changed since where that can be told."""
    from ..events.annotation_files import is_annotation_file
    from ..events.tables import is_detection_table
    from ..files import has_mark

    if path.suffix.lower() in TABLE_SUFFIXES:
        return is_detection_table(path)
    return (is_annotation_file if path.suffix.lower() in (*EDF_SUFFIXES, *MNE_SUFFIXES) else has_mark)(path)


# A new output is a line here and an option of the command.
KINDS = (
    Kind("plot", "figure", PLOT_SUFFIXES, _write_figure),
    Kind("report", "report", REPORT_SUFFIXES, _write_report),
    Kind("edf", "EDF+", EDF_SUFFIXES, _write_annotations, "_annot"),
    Kind("mne", "MNE-Python", MNE_SUFFIXES, _write_annotations, "_annot", _check_annotations),
    Kind("recruitment", "recruitment", TABLE_SUFFIXES, _write_recruitment, "_recruitment", is_table=True),
)


@dataclass(frozen=True)
class Outputs:
    """What to write of one recording: the table of events, with tags of HED or not, and others by their option."""

    events: Path
    others: Mapping[str, Path] = field(default_factory=dict)
    hed: bool = False

    @classmethod
    def of(cls, called: Mapping[str, Path], hed: bool = False) -> Outputs:
        """Take what `called` returns."""
        others = {kind.option: called[kind.called] for kind in KINDS if kind.called in called}
        return cls(called[TABLE], others, hed)

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


class Staged:
    """Outputs of one recording under temporary names.

    Parameters
    ----------
    outputs : Outputs
        Where they go, to folders that exist.
    force : bool
        Whether to replace also files that this package did not write.

    Raises
    ------
    OSError
        One of them cannot be written, or is a file that the package did not write.
    ValueError
        One has a suffix that it may not have, or two have one name.
    """

    def __init__(self, outputs: Outputs, force: bool) -> None:
        from ..events.tables import StagedTable
        from ..files import StagedOutputs

        self._hed = outputs.hed
        self._files = StagedOutputs(overwrite=force)
        self._table = StagedTable(self._files, outputs.events)
        self._others = [
            (
                kind,
                StagedTable(self._files, outputs.others[kind.option])
                if kind.is_table
                else self._files.add(outputs.others[kind.option], is_own, kind.suffixes),
            )
            for kind in KINDS
            if kind.option in outputs.others
        ]

    def write(self, finding: Finding) -> None:
        """Write all of them, or none."""
        from ..events.tables import events_table

        recording, result = finding.recording, finding.result
        with self._files:
            duration, start = recording.file_duration, recording.start_date
            table = events_table(result.events, duration, start=start, hed=self._hed)
            left_out = recording.excluded_channels | result.dropped_channels
            self._table.write(
                table,
                {
                    **finding.facts,
                    "channels": result.channel_names,
                    "channels left out": left_out,
                    "warnings": result.warnings,
                },
                (result.start, result.stop) if recording.duration < recording.file_duration else None,
                gaps=recording.gaps_in_file,
            )
            for kind, target in self._others:
                kind.write(finding, target)


def detector_facts(detector: Detector) -> dict[str, Any]:
    """Tell what the events of all recordings depend on."""
    return {**detector.facts, "detection": detector.settings.to_dict()}


def format_of(given: Path, suffixes: Sequence[str]) -> str | None:
    """Return the suffix of a file, where a format alone is given (`png`), and no folder is called so."""
    suffix = f".{given}".lower()
    return suffix if suffix in suffixes and not given.is_dir() else None
