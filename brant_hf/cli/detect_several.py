"""`brant-hf detect` of several recordings: a place for the outputs of each, and files about all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..detection.outputs import KINDS, Finding, Kind, Outputs, Staged, detector_facts, is_own
from ..listing import listed
from ..option_names import in_options
from ..user_warnings import warn
from .findings import remedy_lines
from .options import Choices, warnings_after
from .score import score_lines
from .several import Place, Recordings, Work, refuse_file

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.detector import Detector
    from ..detection.reference import Reference
    from ..detection.runs import Item, Note, Notes, OncePerProcess
    from ..detection.summary import RecordingSummary

DETECT = "detect"


class Job(NamedTuple):
    """How all recordings are worked on."""

    make_detector: Callable[[], Detector]
    batch_size: int
    choices: Choices
    force: bool

    def open(self, path: Path, annotations: Path | None) -> tuple[Recording, Reference | None]:
        """Open a recording, and find the events to compare with: those of a table that is given, or its own."""
        from ..detection.reference import open_compared

        own = self.choices.annotations is None
        return open_compared(path, self.choices.open_options(), annotations=annotations, own=own)


def detect_several(sources: Sequence[Path], asked: Outputs, job: Job, work: Work) -> None:
    """Write the outputs of each recording at its place below the folders, and those about all of them."""
    from ..detection.runs import Notes, OncePerProcess, Run
    from ..detection.summary import RESERVED

    with warnings_after():
        recordings = Recordings.of(sources)
        places = {place.recording: place for place in recordings.places(RESERVED)}
        tables = _reference_tables(job.choices.annotations, places)
        outputs = _outputs(places, asked)
        _refuse_places(list(outputs.values()), asked.events, recordings.root, job.force)
        _refuse_what_is_read(outputs.values(), tables.values())
        detector = OncePerProcess(job.make_detector)
        facts = detector_facts(detector())
        items = _items(recordings, outputs, tables, job.choices)
        run = Run(
            Notes(asked.events, DETECT),
            items,
            _settings(detector(), job),
            {"facts": facts, "overwrite": job.force},
            overwrite=job.force,
        )
    if not work.is_serial(items):
        detector.forget()  # each process has its own
    do = _Detection(asked.events, job, detector, facts, work.is_serial(items))
    with warnings_after(always=True):
        work.through(run, do, lambda: about_all(run.notes))


def about_all(notes: Notes) -> Iterator[str]:
    """Write the files about all recordings from the notes on them; yield lines that tell it."""
    rows = [_summary(notes, name, note) for name, note in notes.all()]
    facts = notes.run["facts"]
    yield from _about_all(rows, notes.folder, facts["facts"], facts["overwrite"])


def _summary(notes: Notes, name: str, note: Note | None) -> RecordingSummary:
    from ..detection.summary import RecordingSummary

    if note is None:
        return RecordingSummary(recording=name, status="not reached")
    warnings = list(map(in_options, note.warnings))
    if note.reason is not None:
        return RecordingSummary(recording=name, status="failed", reason=in_options(note.reason), warnings=warnings)
    return replace(RecordingSummary.from_dict(note.content, notes.files_of(note)), warnings=warnings)


def _items(
    recordings: Recordings, outputs: Mapping[Path, Outputs], tables: Mapping[Path, Path], choices: Choices
) -> list[Item]:
    from ..detection.runs import Item

    told_by = "" if choices.annotations is None else "tables"
    return [
        Item(path, recordings.name_of(path), outputs[path].called(), tuple(filter(None, [tables.get(path)])), told_by)
        for path in recordings.paths
    ]


def _settings(detector: Detector, job: Job) -> dict[str, Any]:
    """Tell what the outputs of all recordings depend on, whatever the checkpoint is called."""
    from ..detection.facts import model_settings
    from ..files import software

    return {
        "software": software(),
        **model_settings(detector.model, detector.extractor, detector.weights_sha256),
        "detection": detector.settings.to_dict(),
        "recordings": job.choices.open_options(),
    }


@dataclass(frozen=True)
class _Detection:
    """Searches a recording and writes its outputs; goes to the processes that do it."""

    folder: Path
    job: Job
    detector: OncePerProcess[Detector]
    facts: Mapping[str, Any]
    progress: bool

    def __call__(self, item: Item) -> tuple[str, dict[str, Any]]:
        from ..detection.explanation import highest
        from ..detection.summary import RecordingSummary

        outputs = Outputs.of(item.files)
        recording, reference = self.job.open(item.path, next(iter(item.beside), None))
        outputs.check(recording)
        detector = self.detector()
        if detector.weights_sha256 != self.facts["weights SHA-256"]:
            raise ValueError("the checkpoint has changed since the run began; start it again")
        result = detector.detect(recording, batch_size=self.job.batch_size, progress=self.progress)
        for target in outputs.given():
            target.parent.mkdir(parents=True, exist_ok=True)
        Staged(outputs, self.job.force).write(Finding.of(recording, result, detector, reference))
        summary = RecordingSummary.of(item.name, recording, result, reference, item.files)
        count = len(result.events)
        why = "" if count else f" ({'; '.join([highest(result), *remedy_lines(result)])})"
        found = "" if reference is None else f", {reference.found(recording, result)}"
        written = outputs.events.relative_to(self.folder)
        return f"{written}: {count} {'event' if count == 1 else 'events'}{found}{why}", summary.to_dict()


def _about_all(rows: Sequence[RecordingSummary], folder: Path, facts: Mapping[str, Any], force: bool) -> Iterator[str]:
    """Write the tables and the page about all recordings; yield lines that tell it, and the scores of all."""
    from ..detection.summary import ALL, Summary, together

    folder.mkdir(parents=True, exist_ok=True)
    names = Summary(folder, force).write(rows, facts)
    scored = [row for row in rows if row.scores is not None]
    if scored:
        scores, agreement = together(scored)
        yield f"\nagainst the known seizures of {len(scored)} of {len(rows)} recordings:"
        yield from score_lines({ALL: scores}, agreement, whole=True)
    yield f"about all      {folder} ({', '.join(names)})"


def _reference_tables(folder: Path | None, places: Mapping[Path, Place]) -> dict[Path, Path]:
    """Tables of known seizures, by recording."""
    from ..detection.reference import tables_of
    from ..detection.scoring import recording_of_table

    if folder is None:
        return {}
    if not folder.is_dir():
        raise ValueError(
            f"--annotations {folder} is for one recording, and there are several or a folder of them; give a folder "
            "that holds a table NAME_events.tsv for each recording NAME"
        )
    names = {
        path: [(place.folder / name).as_posix() for name in dict.fromkeys([place.name, recording_of_table(path)])]
        for path, place in places.items()
    }
    tables = tables_of(folder, names)
    lacking = [path.name for path in places if path not in tables]
    if lacking:
        count = f"{len(lacking)} of {len(places)} recordings"
        warn(f"{folder} has no table for {count}, which are not scored: {listed(lacking)}")
    return tables


def _outputs(places: Mapping[Path, Place], asked: Outputs) -> dict[Path, Outputs]:
    """Files to write of each recording: figures and reports in a folder of their own, or beside the tables."""
    kinds = {kind: _folder_and_suffix(kind, asked) for kind in KINDS if kind.option in asked.others}

    def at(place: Place) -> Outputs:
        others = {
            kind.option: folder / place.folder / f"{place.name}{kind.ending}{suffix}"
            for kind, (folder, suffix) in kinds.items()
        }
        return Outputs(asked.events / place.folder / f"{place.name}_events.tsv", others)

    return {path: at(place) for path, place in places.items()}


def _folder_and_suffix(kind: Kind, asked: Outputs) -> tuple[Path, str]:
    given = asked.others[kind.option]
    suffix = format_of(given, kind.suffixes)
    if suffix is not None:
        return asked.events, suffix
    if not given.is_dir() and (given.suffix or given.exists()):
        formats = ", ".join(suffix[1:] for suffix in kind.suffixes)
        raise ValueError(
            f"--{kind.option} is for one recording where it is a file ({given}); for several, give a format "
            f"({formats}) to have them beside the tables, or a folder"
        )
    refuse_file(given)
    return given, kind.suffixes[0]


def format_of(given: Path, suffixes: Sequence[str]) -> str | None:
    """Return the suffix of a file, where a format alone is given (`png`), and no folder is called so."""
    suffix = f".{given}".lower()
    return suffix if suffix in suffixes and not given.is_dir() else None


def _refuse_places(outputs: Sequence[Outputs], out: Path, root: Path, force: bool) -> None:
    """Refuse places where outputs would replace what is there, or tables might be taken for labels."""
    from ..detection.summary import Summary
    from ..events.tables import StagedTable
    from ..files import StagedOutputs

    refuse_file(out)
    if not out.exists() and out.suffix.lower() == ".tsv":
        raise ValueError(f"{out} is one table, and there are several recordings; give a folder to write to")
    if out.exists() and out.samefile(root):
        raise ValueError(f"{out} is what is to be read, and its tables may be labels; give another folder to write to")
    for target in (target for each in outputs for target in each.given() if target.parent.is_dir()):
        if target.suffix == ".tsv":
            StagedTable(StagedOutputs(overwrite=force), target)
        else:
            StagedOutputs(overwrite=force).add(target, is_own)
    if out.is_dir():
        Summary(out, force)


def _refuse_what_is_read(outputs: Iterable[Outputs], tables: Iterable[Path]) -> None:
    read = {table.resolve() for table in tables}
    for target in (target for each in outputs for target in each.given()):
        if target.resolve() in read:
            raise ValueError(f"{target} is what is to be read; give another folder to write to")
