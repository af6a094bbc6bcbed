"""Detection in many recordings: a place for the outputs of each, files about all of them, and runs that continue."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from ..bad_input import checked_path
from ..data.recordings import open_recording
from ..engines import Engine
from ..events.tables import HED_VERSION, StagedTable
from ..files import TABLE_SUFFIXES, StagedOutputs, software
from ..listing import listed
from ..progress import loading_bars, progress_bar
from ..sharding import Shard
from ..user_warnings import warn, warnings_noted
from .derivative import source_of
from .detector import DEFAULT_BATCH_SIZE, Detector, check_batch_size
from .facts import model_settings
from .outputs import DETECT, KINDS, Finding, Kind, Outputs, Staged, detector_facts, format_of, is_own
from .places import Place, Recordings, refuse_file
from .reference import open_compared, tables_of
from .runs import Item, Note, Notes, OncePerProcess, Run, Work
from .scoring import recording_of_table
from .serving import for_processes
from .summary import RESERVED, RecordingSummary, Summary

# A word that is one of these means a format, and no folder that is called so.
_FORMATS = {suffix for kind in KINDS for suffix in kind.suffixes} | {".gif", ".jpg", ".jpeg", ".tif", ".tiff", ".eps"}


def detect_recordings(
    recordings: str | os.PathLike | Iterable[str | os.PathLike],
    output: str | os.PathLike,
    detector: Detector | Callable[[], Detector] | str | os.PathLike | None = None,
    *,
    annotations: str | os.PathLike | None = None,
    plot: str | os.PathLike | None = None,
    report: str | os.PathLike | None = None,
    edf: str | os.PathLike | None = None,
    mne: str | os.PathLike | None = None,
    recruitment: str | os.PathLike | None = None,
    hed: bool = False,
    open_options: Mapping[str, Any] | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    num_proc: int = 1,
    shard: str | None = None,
    backend: str | None = None,
    scheduler: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> list[RecordingSummary]:
    """Detect seizures in many recordings, each with a table of its own, as `brant-hf detect` does.

    Called again, it keeps what was made of the same files with the same settings, does the rest, and tries again what
    failed. A recording that fails does not stop the others.

    ```python
    rows = detect_recordings("bids_folder", "events", num_proc=4, report="html")
    failed = {row.recording: row.reason for row in rows if row.status == "failed"}
    ```

    Parameters
    ----------
    recordings : str, os.PathLike or Iterable of them
        Files, and folders of recordings.
    output : str or os.PathLike
        A folder: tables of events lie in it as the recordings lie in theirs, and beside them what is about all
        (`index.html`, `all_events.tsv`, `recordings.tsv`, `scores.tsv`). Of recordings of a BIDS dataset it becomes a
        derivative dataset.
    detector : Detector, callable, str, os.PathLike or None
        A detector; or what makes one in each process, such as `partial(Detector.from_pretrained, "you/model",
        threshold=0.3)`; or a folder or id of a checkpoint; the shipped one if `None`.
    annotations : str, os.PathLike or None
        Folder with a table `NAME_events.tsv` of the known seizures of each recording; without it, those that the
        recordings themselves tell of.
    plot, report, edf, mne, recruitment : str, os.PathLike or None
        Figures, reports, annotations for viewers and for MNE-Python, tables of the channels of events: their format
        (`"png"`, `"html"`, `"edf"`, `"fif"`, `"tsv"`) to have them beside the tables, or a folder.
    hed : bool
        Whether tables of recordings have a column of HED tags, see `write_events`.
    open_options : Mapping[str, Any] or None
        Keyword arguments of `open_recording`, for all; `seizures` are told by `annotations`.
    batch_size : int
        Most windows of a forward pass.
    num_proc : int
        Recordings worked on at a time. On an accelerator, and for a detector that is given as it is, these processes
        read and prepare, and the model works in this one.
    shard : str or None
        `"I/N"` or `"auto"`: the share of a job array, see `brant_hf.sharding.Shard`. What is about all recordings is
        written without it alone, or by `brant-hf merge`.
    backend, scheduler : str or None
        As of `brant_hf.engines.Engine`: with `"dask"`, workers of a cluster do the work.
    progress : bool
        Show a progress bar on standard error.
    overwrite : bool
        Whether to replace files that the package did not write, and what was made with other settings.

    Returns
    -------
    list[RecordingSummary]
        What became of each recording, in order: its `status` (`"ok"`, `"failed"` or, of other shares, `"not
        reached"`), the `reason` of a failure, events (`detected`), `scores`, `files` and `warnings`.

    Raises
    ------
    BlockingIOError
        Another run works on them.
    ChildProcessError
        A process was killed; what was done is kept.
    OSError
        A recording, checkpoint or folder does not exist, or `output` cannot be written.
    ValueError
        Nothing is found, a setting is not allowed, or `output` holds what was made with other settings.
    """
    check_batch_size(batch_size)
    _check_open_options({} if open_options is None else open_options)
    folder = checked_path(output, "a folder to write to")
    asked = {"plot": plot, "report": report, "edf": edf, "mne": mne, "recruitment": recruitment}
    others = {
        option: checked_path(given, f"a folder ({option}), or a format")
        for option, given in asked.items()
        if given is not None
    }
    job = Job(
        detector if callable(detector) else partial(_made, detector, progress),
        Outputs(folder, others, hed),
        None if annotations is None else checked_path(annotations, "a folder with tables of events"),
        dict(open_options or {}),
        batch_size,
        overwrite,
    )
    engine = Engine(num_proc, backend, scheduler)
    share = None if shard is None else Shard.of(shard)
    search = Search.of(recordings, job)
    stays = isinstance(detector, Detector)
    with search.working(engine, stays) as do, search.run.begun(share) as (_, pending):
        with progress_bar(total=len(pending), unit="recording", shown=progress) as bar:
            for _ in search.run.work(do, pending, engine):
                bar.update()
        rows = summaries(search.run.notes) if share is not None else about_all(search.run.notes)[0]
    failed = [row.recording for row in rows if row.status == "failed"]
    if failed:
        warn(f"{len(failed)} of {len(rows)} recordings failed: {listed(failed)}; their reason is in what is returned")
    return rows


def _check_open_options(options: Mapping[str, Any]) -> None:
    """Refuse before any recording is opened what none of them could be opened with."""
    if not isinstance(options, Mapping):
        raise ValueError(f"open_options is {options!r}; expected a dictionary of arguments of open_recording")
    # What is of one recording alone, or told by `annotations`.
    known = set(signature(open_recording).parameters) - {"path_or_array", "name", "seizures"}
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"open_options has {listed(unknown)}; expected some of {', '.join(sorted(known))}, for all recordings"
        )


def _made(detector: Detector | str | os.PathLike | None, progress: bool) -> Detector:
    if isinstance(detector, Detector):
        return detector
    with loading_bars(shown=progress):
        return Detector.from_pretrained(detector)


def _no_line(*_: object) -> str:
    return ""


@dataclass(frozen=True)
class Job:
    """How all recordings are worked on.

    Attributes
    ----------
    make_detector : callable
        Makes the detector.
    outputs : Outputs
        Folder of the tables, and of others a format or a folder.
    annotations : Path or None
        Folder with tables of known seizures.
    open_options : Mapping[str, Any]
        Keyword arguments of `open_recording`, JSON-serialisable.
    batch_size : int
        Most windows of a forward pass.
    overwrite : bool
        Whether to replace what is there.
    line : callable
        Says in a line what was found, for whoever watches.
    say : callable
        Brings warnings into the words of who asked for the work.
    """

    make_detector: Callable[[], Detector]
    outputs: Outputs
    annotations: Path | None = None
    open_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = DEFAULT_BATCH_SIZE
    overwrite: bool = False
    line: Callable[[Finding, Path], str] = _no_line
    say: Callable[[str], str] = str


@dataclass(frozen=True)
class Search:
    """Recordings to search, which of them are done already, and who searches."""

    run: Run
    job: Job
    _detector: OncePerProcess[Detector]
    _facts: Mapping[str, Any]

    @classmethod
    def of(cls, sources: str | os.PathLike | Iterable[str | os.PathLike], job: Job) -> Search:
        """Find them and their places; refuses what cannot be done before anything is searched.

        Raises
        ------
        OSError, ValueError
            As `detect_recordings`.
        """
        given = Recordings.of(sources)
        recordings, dataset = given.in_dataset()
        folder = job.outputs.events
        hed = job.outputs.hed
        source = None if dataset is None else source_of(dataset, folder) | ({"HEDVersion": HED_VERSION} if hed else {})
        places = {place.recording: place for place in recordings.places(RESERVED)}
        tables = _reference_tables(job.annotations, places)
        outputs = _outputs(places, job.outputs)
        _refuse_places(list(outputs.values()), folder, {given.root, recordings.root}, job.overwrite, source)
        _refuse_what_is_read(outputs.values(), tables.values())
        detector = OncePerProcess(job.make_detector)
        with warnings_noted() as texts:
            facts = _without_path(detector_facts(detector()))
        facts["warnings"] = list(map(job.say, texts()))
        variant = ("" if job.annotations is None else "tables") + (HED_VERSION if hed else "")
        items = [
            Item(
                path,
                recordings.name_of(path),
                outputs[path].called(),
                tuple(filter(None, [tables.get(path)])),
                variant,
            )
            for path in recordings.paths
        ]
        run = Run(
            Notes(folder, DETECT),
            items,
            _settings(detector(), job),
            {"facts": facts, "overwrite": job.overwrite, "source": source},
            overwrite=job.overwrite,
        )
        return cls(run, job, detector, facts)

    @contextmanager
    def working(self, engine: Engine, stays: bool = False) -> Iterator[Work]:
        """Give what searches a recording, wherever the engine does it; whether the model `stays` in this process."""
        items = self.run.items
        with for_processes(self._detector, engine, items, stays) as detector:
            yield _Detection(self.job, detector, self._facts, engine.is_serial(items))


@dataclass(frozen=True)
class _Detection:
    """Searches a recording and writes its outputs; goes to the processes that do it."""

    job: Job
    detector: OncePerProcess[Detector]
    facts: Mapping[str, Any]
    progress: bool

    def __call__(self, item: Item) -> tuple[str, dict[str, Any]]:
        job, outputs = self.job, Outputs.of(item.files, self.job.outputs.hed)
        table, own = next(iter(item.beside), None), job.annotations is None
        detector = self.detector()
        if detector.weights_sha256 != self.facts["weights SHA-256"]:
            raise ValueError("the checkpoint has changed since the run began; start it again")
        with warnings_noted() as texts:
            recording, reference = open_compared(item.path, job.open_options, annotations=table, own=own)
            outputs.check(recording)
            result = detector.detect(recording, batch_size=job.batch_size, progress=self.progress)
        for target in outputs.given():
            target.parent.mkdir(parents=True, exist_ok=True)
        model = {name: value for name, value in self.facts.items() if name not in ("detection", "warnings")}
        told = [*self.facts["warnings"], *(job.say(item.below_root(text)) for text in texts())]
        finding = Finding(recording, result, reference, model, called=item.name).telling(told)
        Staged(outputs, job.overwrite).write(finding)
        summary = RecordingSummary.of(item.name, recording, result, reference, item.files)
        return job.line(finding, outputs.events.relative_to(job.outputs.events)), summary.to_dict()


def about_all(notes: Notes, say: Callable[[str], str] = str) -> tuple[list[RecordingSummary], list[str]]:
    """Write the files about all recordings from the notes on them; gives what became of each, and their names.

    Parameters
    ----------
    notes : Notes
        Of the last run.
    say : callable
        Brings warnings and reasons into other words.
    """
    rows, facts = summaries(notes, say), notes.run["facts"]
    notes.folder.mkdir(parents=True, exist_ok=True)
    # A run of an earlier version told no source.
    return rows, Summary(notes.folder, facts["overwrite"], facts.get("source")).write(rows, facts["facts"])


def summaries(notes: Notes, say: Callable[[str], str] = str) -> list[RecordingSummary]:
    """Tell what became of the recordings of the last run; see `about_all`."""
    return [_summary(notes, name, note, say) for name, note in notes.all()]


def _summary(notes: Notes, name: str, note: Note | None, say: Callable[[str], str]) -> RecordingSummary:
    if note is None:
        return RecordingSummary(recording=name, status="not reached")
    warnings = list(map(say, note.warnings))
    if note.reason is not None:
        return RecordingSummary(recording=name, status="failed", reason=say(note.reason), warnings=warnings)
    return replace(RecordingSummary.from_dict(note.content, notes.files_of(note)), warnings=warnings)


def _without_path(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Call a checkpoint by its folder alone: what is written about many recordings is passed on."""
    model = Path(facts["model"])
    return {**facts, "model": model.name if model.is_absolute() else facts["model"]}


def _settings(detector: Detector, job: Job) -> dict[str, Any]:
    """Tell what the outputs of all recordings depend on, whatever the checkpoint is called."""
    return {
        "software": software(),
        **model_settings(detector.model, detector.extractor, detector.weights_sha256),
        "detection": detector.settings.to_dict(),
        "recordings": job.open_options,
    }


def _reference_tables(folder: Path | None, places: Mapping[Path, Place]) -> dict[Path, Path]:
    """Tables of known seizures, by recording."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise ValueError(
            f"annotations is {folder}, which is for one recording, and there are several or a folder of them; give a "
            "folder that holds a table NAME_events.tsv for each recording NAME"
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
    formats = ", ".join(suffix[1:] for suffix in kind.suffixes)
    if not given.is_dir() and f".{given}".lower() in _FORMATS:
        raise ValueError(f"{kind.option} is {given}, a format that it does not have; expected one of {formats}")
    if not given.is_dir() and (given.suffix or given.exists()):
        raise ValueError(
            f"{kind.option} is {given}, a file for one recording; for several, give a format ({formats}) to have them "
            "beside the tables, or a folder"
        )
    refuse_file(given)
    return given, kind.suffixes[0]


def _refuse_places(
    outputs: Sequence[Outputs], out: Path, read: Iterable[Path], force: bool, source: Mapping[str, str] | None
) -> None:
    """Refuse places where outputs would replace what is there, or tables might be taken for labels."""
    refuse_file(out)
    if not out.exists() and out.suffix.lower() == ".tsv":
        raise ValueError(f"{out} is one table, and there are several recordings; give a folder to write to")
    if out.exists() and any(map(out.samefile, read)):
        raise ValueError(f"{out} is what is to be read, and its tables may be labels; give another folder to write to")
    for target in (target for each in outputs for target in each.given() if target.parent.is_dir()):
        if target.suffix.lower() in TABLE_SUFFIXES:
            StagedTable(StagedOutputs(overwrite=force), target)
        else:
            StagedOutputs(overwrite=force).add(target, is_own)
    if out.is_dir():
        Summary(out, force, source)


def _refuse_what_is_read(outputs: Iterable[Outputs], tables: Iterable[Path]) -> None:
    read = {table.resolve() for table in tables}
    for target in (target for each in outputs for target in each.given()):
        if target.resolve() in read:
            raise ValueError(f"{target} is what is to be read; give another folder to write to")
