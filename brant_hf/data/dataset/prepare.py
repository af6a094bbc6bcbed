"""Recordings to a dataset on disk."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...events.event import merge_stretches
from ...files import software
from ...progress import progress_bar
from ..preprocessing.chain import PreprocessedRecording, Preprocessing, preprocess
from ..windows import IGNORED_LABEL, SeizureLabeller, WindowSettings, cut_windows, lacking_patches
from .contents import ContentRow, as_text
from .folder import MANIFEST_FILE, DatasetFolder, Row, shard_writer, window_features
from .seconds import Seconds

if TYPE_CHECKING:
    from ..recordings import Recording

# Warnings that a report shows in full; all are in the manifest.
SHOWN_WARNINGS = 10


@dataclass
class PrepareReport:
    """What a run of `prepare` did.

    Attributes
    ----------
    output_dir : Path
        Folder of the dataset.
    prepared : list[dict[str, Any]]
        Manifest entries of the recordings added by this run.
    skipped : list[str]
        Sources that an earlier run had already prepared.
    failed : dict[str, str]
        Sources that could not be prepared, with the reason.
    recordings : list[ContentRow]
        What is in the dataset now: a row for each recording, those of earlier runs included.
    """

    output_dir: Path
    prepared: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    recordings: list[ContentRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Windows added by this run."""
        return sum(entry["rows"] for entry in self.prepared)

    @property
    def without_windows(self) -> list[str]:
        """Sources added by this run that gave no window, as a rule because they are too short."""
        return [entry["source"] for entry in self.prepared if not entry["rows"]]

    @property
    def warnings(self) -> list[str]:
        """What readers warned about the recordings added by this run."""
        return [warning for entry in self.prepared for warning in entry["warnings"]]

    def __str__(self) -> str:
        lines = [
            f"{self.output_dir}: {self.rows} windows of {len(self.prepared)} recordings prepared, "
            f"{len(self.skipped)} recordings already there, {len(self.failed)} failed"
        ]
        lines += ["", as_text(self.recordings), ""] if self.recordings else []
        lines += [f"warning: {warning}" for warning in self.warnings[:SHOWN_WARNINGS]]
        if len(self.warnings) > SHOWN_WARNINGS:
            lines.append(f"{len(self.warnings) - SHOWN_WARNINGS} more warnings are in {MANIFEST_FILE}")
        return "\n".join(lines).rstrip()


def prepare(
    sources: str | Path | Recording | Iterable[str | Path | Recording],
    output_dir: str | Path,
    preprocessing: Preprocessing | None = None,
    num_proc: int = 1,
    *,
    patch_length: int = 1500,
    num_patches: int = 15,
    stride: int | None = None,
    seizure_overlap: float = 0.5,
    remainder: Literal["drop", "shorter"] = "drop",
    max_missing: float = 0.0,
    labels: bool = True,
    open_options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> PrepareReport:
    """Cut recordings into windows and write them as a dataset that `load` and `datasets.load_dataset` read.

    A run that was interrupted continues where it stopped when it is started again with the same arguments; recordings
    that changed on disk since are prepared anew, and more recordings can be added to a dataset in the same way. A
    recording that cannot be prepared is reported at the end and does not stop the others.

    Parameters
    ----------
    sources : str, Path, Recording or Iterable[str | Path | Recording]
        A file, a folder, a BIDS root or an open recording, or several of them.
    output_dir : str or Path
        Folder to write to; made when it does not exist.
    preprocessing : Preprocessing or None
        Settings of the chain; the defaults of `Preprocessing` when `None`.
    num_proc : int
        Recordings worked on at a time, each by its own process. As these are started afresh, a script that asks for
        several must call this below `if __name__ == "__main__":`.
    patch_length : int
        Samples of a patch.
    num_patches : int
        Patches of a window.
    stride : int or None
        Patches from the beginning of one window to that of the next; disjoint windows when `None`.
    seizure_overlap : float
        A patch is labelled seizure when at least this fraction of it lies inside a seizure on its channel.
    remainder : {"drop", "shorter"}
        `"drop"` the end that does not fill a window, or keep it as a `"shorter"` window of whole patches.
    max_missing : float
        A channel is left out of a window in which more than this fraction of its samples is missing. Above 0, missing
        samples are NaN in the rows, and patches that miss more than half of their samples are labelled -100.
    labels : bool
        Whether the rows have labels: 1 for seizure, 0 for background, -100 where nobody knows (`Recording.uncertain`).
    open_options : Mapping[str, Any] or None
        Keyword arguments of `open_recording` for sources given as paths, for example `{"unit": "uV"}` or
        `{"subject": "p07"}`; JSON-serialisable.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    PrepareReport
        What was done. Its `failed` lists the recordings that could not be prepared; check it.

    Raises
    ------
    FileNotFoundError
        A source does not exist.
    ValueError
        A setting is not allowed, no recording is found, or `output_dir` holds something else or a dataset with other
        settings.
    BlockingIOError
        Another run is writing to `output_dir`.
    ChildProcessError
        A process of `num_proc` was killed; what was finished is kept.
    """
    windows = WindowSettings(
        patch_length=patch_length,
        num_patches=num_patches,
        stride=stride,
        seizure_overlap=seizure_overlap,
        remainder=remainder,
        max_missing=max_missing,
    )
    if num_proc < 1:
        raise ValueError(f"num_proc is {num_proc}; it must be 1 or more")
    folder = DatasetFolder(output_dir)
    recipe = _Recipe(folder.data, preprocessing or Preprocessing(), windows, labels, dict(open_options or {}))
    by_key = _by_key(sources, recipe.open_options.get("seizures"))
    with folder.writing(recipe.settings()):
        run = _Run(folder)
        run.add_all(recipe, run.pending(by_key), num_proc, progress)
    return run.report


class _Run:
    """One run of `prepare`: what it adds to the folder, and what it reports."""

    def __init__(self, folder: DatasetFolder) -> None:
        self.folder = folder
        self.report = PrepareReport(folder.path)
        self._key_of = {_name(entry): key for key, entry in folder.manifest.items()}

    def pending(self, by_key: Mapping[str, _Source]) -> list[_Source]:
        """Return the sources that are not in the dataset as they are today."""
        pending = []
        for key, source in by_key.items():
            entry = self.folder.manifest.get(key)
            if entry is not None and entry["fingerprint"] == source.fingerprint:
                self.report.skipped.append(source.description)
                continue
            if entry is not None:
                self._remove(entry)
            pending.append(source)
        self._forget_failures(by_key)
        self.folder.tidy()
        return pending

    def add_all(self, recipe: _Recipe, sources: list[_Source], num_proc: int, progress: bool) -> None:
        report = self.report
        with progress_bar(total=len(sources), unit="recording", desc="prepare", shown=progress) as bar:
            for source, result in _in_processes(recipe, sources, num_proc):
                if isinstance(result, str):
                    self._fail(source.key, source.description, result, source.sizes())
                else:
                    self._add(result)
                bar.set_postfix(windows=report.rows, failed=len(report.failed), refresh=False)
                bar.update()
        self.folder.tidy()
        report.prepared.sort(key=lambda entry: entry["key"])
        report.recordings = self.folder.contents

    def _add(self, entry: dict[str, Any]) -> None:
        """Add a recording, but of several of one subject and name, whose windows could not be told apart, only one.

        This is the one whose source comes first, whatever the order of the work.
        """
        name = _name(entry)
        if name in self._key_of:
            owner = self.folder.manifest[self._key_of[name]]
            first, other = sorted((owner, entry), key=lambda each: each["source"])
            reason = (
                f"recording {name[1]} of subject {name[0]} is already there from {first['source']}; rename one of them"
            )
            if first is not owner:
                self._remove(owner)
            self._fail(other["key"], other["source"], reason, other.get("files", {}))
            if first is owner:
                return
        self.folder.add(entry)
        self._key_of[name] = entry["key"]
        self.report.prepared.append(entry)

    def _remove(self, entry: dict[str, Any]) -> None:
        self.folder.remove(entry["key"])
        del self._key_of[_name(entry)]
        self.report.prepared = [each for each in self.report.prepared if each is not entry]

    def _fail(self, key: str, source: str, reason: str, files: Mapping[str, int]) -> None:
        self.report.failed[source] = reason
        self.folder.failed[key] = {"source": source, "reason": reason, "files": files}

    def _forget_failures(self, by_key: Mapping[str, _Source]) -> None:
        """Forget those that are tried again, and files that are there no more."""
        for key, failure in list(self.folder.failed.items()):
            if key in by_key or not Path(failure["source"]).exists():
                del self.folder.failed[key]


def _name(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["subject"], entry["recording"]


@dataclass(frozen=True)
class _Source:
    """A recording to prepare: its path, or the recording itself when it is open; and a table of its seizures."""

    recording: str | Path | Recording
    table: str | Path | None = None

    @property
    def path(self) -> Path | None:
        path = self.recording if isinstance(self.recording, (str, Path)) else self.recording.path
        return None if path is None else Path(path)

    @property
    def description(self) -> str:
        if isinstance(self.recording, (str, Path)):
            return str(self.recording)
        return str(self.path) if self.path is not None else f"{self.recording.subject}/{self.recording.name}"

    @cached_property
    def key(self) -> str:
        """Name of the shards: readable, and different for different sources."""
        if isinstance(self.recording, (str, Path)):
            readable = Path(self.recording).stem
        else:
            readable = f"{self.recording.subject}-{self.recording.name}"
        identity = readable if self.path is None else str(self.path.resolve())
        slug = re.sub(r"[^A-Za-z0-9_]+", "-", readable).strip("-")[:60]
        return f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"

    @property
    def files(self) -> list[Path]:
        """Files that it is read from, tables included."""
        files = [] if self.path is None else _files_of(self.path)
        return [*files, *(Path(table) for table in [self.table] if table is not None and Path(table).is_file())]

    def sizes(self) -> dict[str, int]:
        """Size [bytes] of each file that is there."""
        return {each.name: each.stat().st_size for each in self.files if each.exists()}

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the recording: size and time of change of files, a sample of the values of arrays."""
        digest = hashlib.sha256()
        for each in self.files:
            status = each.stat()
            digest.update(f"{each.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        if not isinstance(self.recording, (str, Path)):
            opened = self.recording
            digest.update(
                repr((opened.duration, opened.sampling_rate, opened.channel_names, opened.seizures)).encode()
            )
            if opened.uncertain:
                digest.update(repr(opened.uncertain).encode())
            if self.path is None:
                length = min(opened.duration, 1.0)
                for start in (0.0, opened.duration / 2, opened.duration - length):
                    digest.update(opened.read(start, min(start + length, opened.duration)).tobytes())
        return digest.hexdigest()[:32]

    def open(self, options: Mapping[str, Any]) -> Recording:
        from ..recordings import open_recording

        return open_recording(self.recording, **options) if isinstance(self.recording, (str, Path)) else self.recording


def _by_key(sources: Any, seizures: Any = None) -> dict[str, _Source]:
    """Every recording of the sources by its key; one given twice counts once. `seizures` as of `open_recording`.

    Raises
    ------
    ValueError
        Different arrays carry the same subject and name, or an array does not say its sampling rate.
    """
    from ..recordings import find_recordings, open_recording

    by_key: dict[str, _Source] = {}
    table = seizures if isinstance(seizures, (str, Path)) else None
    for found in find_recordings(sources):
        source = _Source(found, table) if isinstance(found, (str, Path)) else _Source(open_recording(found))
        known = by_key.setdefault(source.key, source)
        if source.path is None and known.recording is not source.recording:
            raise ValueError(f"two recordings are called {source.description}; give each its own subject or name")
    return by_key


def _files_of(path: Path) -> list[Path]:
    """Return a recording and its sidecars.

    Names that begin like its own (BIDS: all but the suffix, and those of folders above), or a folder's files.
    """
    from ..recordings.bids import sidecars_above

    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    stem = path.name.split(".")[0]
    stem = stem.rsplit("_", 1)[0] if stem.startswith("sub-") else stem
    # Parts of SWEC, and the total that joins them.
    stem = re.sub(r"_(total|part_\d+)$", "", stem) if path.suffix.lower() == ".h5" else stem
    # Not r10.edf for r1.edf.
    own = re.compile(re.escape(stem) + r"([^A-Za-z0-9].*)?")
    beside = sorted(each for each in path.parent.iterdir() if own.fullmatch(each.name) and each.is_file())
    return [*beside, *sidecars_above(path)]


@dataclass(frozen=True)
class _Recipe:
    """What every recording is prepared with; goes to the processes that do it."""

    data: Path
    preprocessing: Preprocessing
    windows: WindowSettings
    labels: bool
    open_options: dict[str, Any]

    def settings(self) -> dict[str, Any]:
        """Return what is noted in the dataset."""
        return {
            "preprocessing": self.preprocessing.to_dict(),
            "windows": self.windows.to_dict(),
            "labels": self.labels,
            "open_options": self.open_options,
        }

    def __call__(self, source: _Source) -> dict[str, Any] | str:
        """Write the shards of a recording; returns its entry for the manifest, or why there is none."""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                entry = self._entry(source)
        except Exception as error:
            # Readers of damaged files raise anything; one bad recording must not stop the others.
            message = " ".join(str(error).split())
            return message if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {message}"
        return entry | {"warnings": sorted({str(each.message) for each in caught})}

    def _entry(self, source: _Source) -> dict[str, Any]:
        recording = source.open(self.open_options)
        preprocessed = preprocess(recording, self.preprocessing)
        seconds = Seconds(
            self.windows.patch_length,
            self.windows.patch_length / preprocessed.sampling_rate,
            self.preprocessing.flat_threshold * preprocessed.gain,
        )
        counts = {"rows": 0, "seizure_patches": 0, "left_out_windows": 0}
        with shard_writer(self.data, source.key, window_features(self.windows, self.labels)) as writer:
            for row in self._rows(preprocessed, seconds):
                if row is None:
                    counts["left_out_windows"] += 1
                    continue
                writer.add(row)
                counts["rows"] += 1
                counts["seizure_patches"] += 0 if row.labels is None else int((row.labels == 1).sum())
        return {
            "key": source.key,
            "source": source.description,
            "fingerprint": source.fingerprint,
            "software": software(),
            "files": source.sizes(),
            "subject": recording.subject,
            "subject_from": recording.subject_from,
            "recording": recording.name,
            "duration": recording.duration,
            "sampling_rate": recording.sampling_rate,
            "channels": preprocessed.channel_names,
            "excluded_channels": {**recording.excluded_channels, **preprocessed.dropped_channels},
            "line_frequency": preprocessed.line_frequency,
            "scales": _scales(recording),
            "gain": preprocessed.gain,
            "seizures": len(merge_stretches([seizure[:2] for seizure in recording.seizures])),
            "seizures_from": recording.seizures_from,
            "seconds": seconds.of(recording.duration),
            "no_window": None if counts["rows"] else self._no_window(recording, counts["left_out_windows"]),
            **counts,
            "shards": writer.shards,
        }

    def _no_window(self, recording: Recording, left_out: int) -> str:
        if left_out:
            return f"samples are missing on every channel in each of its {left_out} windows"
        windows, rate = self.windows, self.preprocessing.sampling_rate
        needed = windows.window_length if windows.remainder == "drop" else windows.patch_length
        what = "window" if windows.remainder == "drop" else "patch"
        hint = "; remainder shorter keeps shorter windows, of whole patches" if what == "window" else ""
        return f"it lasts {recording.duration:.2f} s, less than a {what} of {needed / rate:.2f} s{hint}"

    def _rows(self, preprocessed: PreprocessedRecording, seconds: Seconds) -> Iterator[Row | None]:
        """Rows of one recording; `None` for a window in which every channel misses too much."""
        recording, rate, windows = preprocessed.recording, preprocessed.sampling_rate, self.windows
        names = np.array(preprocessed.channel_names, dtype=object)
        labeller = SeizureLabeller(
            recording.seizures,
            preprocessed.contacts,
            windows.patch_length / rate,
            windows.seizure_overlap,
            recording.uncertain,
        )
        for start, values in cut_windows(preprocessed.chunks(), windows):
            patches = values.shape[1] // windows.patch_length
            target = labeller.label(start / rate, patches)
            uncertain = target == IGNORED_LABEL
            missing = np.isnan(values)
            lost = lacking_patches(missing, windows.patch_length)
            target[lost] = IGNORED_LABEL
            present = missing.mean(axis=1) <= windows.max_missing
            lost |= ~present[:, None]
            seconds.count(start, values, lost, uncertain)
            if not present.any():
                yield None
                continue
            yield Row(
                input_values=values if present.all() else values[present],
                labels=target[present] if self.labels else None,
                subject=recording.subject,
                recording=recording.name,
                start=recording.offset + start / rate,
                channel_names=list(names[present]),
                sampling_rate=rate,
            )


def _scales(recording: Recording) -> dict[str, dict[str, Any]]:
    """Microvolts of a number of each channel for which the file does not tell, and how it is known."""
    known = zip(recording.channel_names, recording.scales, recording.scales_from, strict=False)
    return {name: {"microvolts": scale, "from": told_by} for name, scale, told_by in known if told_by != "file"}


def _in_processes(
    recipe: _Recipe, sources: list[_Source], num_proc: int
) -> Iterator[tuple[_Source, dict[str, Any] | str]]:
    """Give the sources, and what the recipe makes of them, as they come."""
    if num_proc == 1 or len(sources) < 2:
        yield from ((source, recipe(source)) for source in sources)
        return
    # Started afresh rather than forked: readers and numerical libraries hold threads that do not survive a fork.
    pool = ProcessPoolExecutor(
        min(num_proc, len(sources)), mp_context=get_context("spawn"), initializer=_exit_with_parent
    )
    try:
        jobs = {pool.submit(recipe, source): source for source in sources}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "a process that prepared a recording was killed, as a rule for lack of memory; "
            "run prepare again with a smaller num_proc to continue"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """End this worker when the process that started it is killed: it would write beside the run that continues."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
