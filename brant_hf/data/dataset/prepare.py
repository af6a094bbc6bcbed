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
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..preprocessing.chain import PreprocessedRecording, Preprocessing, preprocess
from ..windows import IGNORED_LABEL, SeizureLabeller, WindowSettings, cut_windows, lacking_patches
from . import folder as storage

if TYPE_CHECKING:
    from ..recordings import Recording

SHARD_BYTES = 256 * 2**20
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
    """

    output_dir: Path
    prepared: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

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
        lines += [f"no window: {source}" for source in self.without_windows]
        lines += [f"warning: {warning}" for warning in self.warnings[:SHOWN_WARNINGS]]
        if len(self.warnings) > SHOWN_WARNINGS:
            lines.append(f"{len(self.warnings) - SHOWN_WARNINGS} more warnings are in {storage.MANIFEST_FILE}")
        lines += [f"failed: {source}: {reason}" for source, reason in self.failed.items()]
        return "\n".join(lines)


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
    shard_bytes: int = SHARD_BYTES,
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
        Whether the rows have labels.
    open_options : Mapping[str, Any] or None
        Keyword arguments of `open_recording` for sources given as paths, for example `{"unit": "uV"}` or
        `{"subject": "p07"}`; JSON-serialisable.
    shard_bytes : int
        Size at which a new shard is begun.
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
    preprocessing = preprocessing or Preprocessing()
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
    by_key = _by_key(_expand(sources))
    folder = Path(output_dir)
    if any(each.exists() and not each.is_dir() for each in (folder, *folder.parents)):
        raise ValueError(f"{folder} is a file or lies below one; give a folder to write the dataset to")
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        settings = {"preprocessing": preprocessing.to_dict(), "windows": windows.to_dict(), "labels": labels}
        storage.write_settings(folder, {**settings, "open_options": dict(open_options or {})})
        (folder / storage.DATA_FOLDER).mkdir(exist_ok=True)
        entries = storage.read_manifest(folder)
        shards_before = storage.shard_files(entries)
        report = PrepareReport(folder)
        todo: dict[str, tuple[str | Path | Recording, str]] = {}
        for key, source in by_key.items():
            fingerprint = _fingerprint(source)
            if key in entries and entries[key]["fingerprint"] == fingerprint:
                report.skipped.append(_describe(source))
            else:
                entries.pop(key, None)
                todo[key] = source, fingerprint
        storage.write_manifest(folder, entries.values())
        storage.remove_leftovers(folder, entries)
        if storage.shard_files(entries) != shards_before or not (folder / storage.CARD_FILE).exists():
            _drop_splits(folder)
        work = partial(
            _prepare_one,
            folder=folder,
            preprocessing=preprocessing,
            windows=windows,
            labels=labels,
            open_options=dict(open_options or {}),
            shard_bytes=shard_bytes,
        )
        for result in _progress(_run(work, todo, num_proc), len(todo), progress):
            if "error" in result:
                report.failed[result["source"]] = result["error"]
            else:
                storage.append_manifest(folder, result)
                entries[result["key"]] = result
                report.prepared.append(result)
        _refuse_same_names(entries, report)
        storage.write_manifest(folder, entries.values())
        storage.remove_leftovers(folder, entries)
        if storage.shard_files(entries) != shards_before:
            _drop_splits(folder)
    report.prepared.sort(key=lambda entry: entry["key"])
    return report


def _drop_splits(folder: Path) -> None:
    """Remove splits saved before, which do not know the shards of today."""
    splits = folder / storage.SPLITS_FILE
    if splits.exists():
        warnings.warn(f"the recordings of {folder} changed, so its saved splits are removed", stacklevel=3)
        splits.unlink()
    storage.write_card(folder)


def _locked(folder: Path) -> Any:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / storage.LOCK_FILE)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(f"another run of prepare is writing to {folder}; wait for it to end") from None


def _expand(sources: Any) -> Iterator[Any]:
    """Every recording of the sources: open recordings as they are, paths as `find_recordings` lists them."""
    from ..recordings import find_recordings

    for source in find_recordings(sources):
        if isinstance(source, np.ndarray):
            raise ValueError("an array does not say its sampling rate; pass open_recording(array, sampling_rate=...)")
        yield source


def _by_key(sources: Iterable[Any]) -> dict[str, Any]:
    """Return the sources by key; one given twice counts once.

    Raises
    ------
    ValueError
        Different arrays carry the same subject and name.
    """
    by_key: dict[str, Any] = {}
    for source in sources:
        known = by_key.setdefault(_key(source), source)
        if known is not source and not isinstance(source, (str, Path)) and source.path is None:
            raise ValueError(f"two recordings are called {_describe(source)}; give each its own subject or name")
    return by_key


def _describe(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return str(source.path) if source.path is not None else f"{source.subject}/{source.name}"


def _key(source: Any) -> str:
    """Name of the shards of a recording: readable, and different for different sources."""
    if isinstance(source, (str, Path)):
        identity, readable = str(Path(source).resolve()), Path(source).stem
    else:
        readable = f"{source.subject}-{source.name}"
        identity = str(Path(source.path).resolve()) if source.path is not None else readable
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", readable).strip("-")[:60]
    return f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"


def _fingerprint(source: Any) -> str:
    """Return a text that changes with the recording.

    Files by size and time of change, arrays by a sample of their values.
    """
    digest = hashlib.sha256()
    path = Path(source) if isinstance(source, (str, Path)) else source.path
    if path is not None:
        for each in _files_of(Path(path)):
            status = each.stat()
            digest.update(f"{each.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    if not isinstance(source, (str, Path)):
        digest.update(repr((source.duration, source.sampling_rate, source.channel_names, source.seizures)).encode())
        if path is None:
            length = min(source.duration, 1.0)
            for start in (0.0, source.duration / 2, source.duration - length):
                digest.update(source.read(start, min(start + length, source.duration)).tobytes())
    return digest.hexdigest()[:32]


def _files_of(path: Path) -> list[Path]:
    """Return a recording and its sidecars.

    Names that begin like its own (BIDS: all but the suffix), or a folder's files.
    """
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    stem = path.name.split(".")[0]
    stem = stem.rsplit("_", 1)[0] if stem.startswith("sub-") else stem
    # Not r10.edf for r1.edf.
    own = re.compile(re.escape(stem) + r"([^A-Za-z0-9].*)?")
    return sorted(each for each in path.parent.iterdir() if own.fullmatch(each.name) and each.is_file())


def _run(work: Any, todo: dict[str, tuple[Any, str]], num_proc: int) -> Iterator[dict[str, Any]]:
    """Results of `work` as they come."""
    if num_proc == 1 or len(todo) < 2:
        for key, (source, fingerprint) in todo.items():
            yield _guarded(work, key, source, fingerprint)
        return
    # Started afresh rather than forked: readers and numerical libraries hold threads that do not survive a fork.
    pool = ProcessPoolExecutor(
        min(num_proc, len(todo)), mp_context=get_context("spawn"), initializer=_exit_with_parent
    )
    try:
        jobs = [pool.submit(_guarded, work, key, source, fingerprint) for key, (source, fingerprint) in todo.items()]
        for job in as_completed(jobs):
            yield job.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "a process that prepared a recording was killed, as a rule for lack of memory; "
            "run prepare again with a smaller num_proc to continue"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """End this worker when the process that started it is killed: it would write beside the run that continues."""

    def watch() -> None:
        wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _guarded(work: Any, key: str, source: Any, fingerprint: str) -> dict[str, Any]:
    try:
        return work(key, source, fingerprint)
    except Exception as error:
        # Readers of damaged files raise anything; one bad recording must not stop the others.
        message = " ".join(str(error).split())
        if not isinstance(error, (ValueError, OSError)):
            message = f"{type(error).__name__}: {message}"
        return {"source": _describe(source), "error": message}


def _progress(results: Iterable[dict[str, Any]], total: int, shown: bool) -> Iterator[dict[str, Any]]:
    from tqdm import tqdm

    rows = failed = 0
    with tqdm(total=total, unit="recording", desc="prepare", disable=not shown) as bar:
        for result in results:
            rows, failed = rows + result.get("rows", 0), failed + ("error" in result)
            bar.set_postfix(windows=rows, failed=failed)
            bar.update()
            yield result


def _prepare_one(
    key: str,
    source: Any,
    fingerprint: str,
    *,
    folder: Path,
    preprocessing: Preprocessing,
    windows: WindowSettings,
    labels: bool,
    open_options: dict[str, Any],
    shard_bytes: int,
) -> dict[str, Any]:
    """Write the shards of one recording; returns its entry for the manifest."""
    from ..recordings import open_recording

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = open_recording(source, **open_options) if isinstance(source, (str, Path)) else source
        prepared = preprocess(recording, preprocessing)
        writer = storage.ShardWriter(
            folder / storage.DATA_FOLDER, key, storage.window_features(windows, labels), shard_bytes
        )
        counts = {"rows": 0, "seizure_patches": 0, "left_out_windows": 0}
        try:
            for row in _rows(prepared, windows, labels):
                if row is None:
                    counts["left_out_windows"] += 1
                    continue
                writer.add(row)
                counts["rows"] += 1
                counts["seizure_patches"] += int((row.labels == 1).sum()) if labels else 0
            shards = writer.finish()
        except BaseException:
            writer.discard()
            raise
    return {
        "key": key,
        "source": _describe(source),
        "fingerprint": fingerprint,
        "subject": recording.subject,
        "recording": recording.name,
        "duration": recording.duration,
        "sampling_rate": recording.sampling_rate,
        "channels": prepared.channel_names,
        "excluded_channels": {**getattr(recording, "excluded_channels", {}), **prepared.dropped_channels},
        "line_frequency": prepared.line_frequency,
        "seizures": len(recording.seizures),
        **counts,
        "shards": shards,
        "warnings": sorted({str(each.message) for each in caught}),
    }


def _rows(prepared: PreprocessedRecording, windows: WindowSettings, labels: bool) -> Iterator[storage.Row | None]:
    """Rows of one recording; `None` for a window in which every channel misses too much."""
    recording, rate = prepared.recording, prepared.sampling_rate
    names = np.array(prepared.channel_names, dtype=object)
    labeller = SeizureLabeller(
        recording.seizures, prepared.contacts, windows.patch_length / rate, windows.seizure_overlap
    )
    for start, values in cut_windows(prepared.chunks(), windows):
        patches = values.shape[1] // windows.patch_length
        target = labeller.label(start / rate, patches) if labels else None
        missing = np.isnan(values)
        present = slice(None)
        if missing.any():
            if target is not None:
                target[lacking_patches(missing, windows.patch_length)] = IGNORED_LABEL
            present = missing.mean(axis=1) <= windows.max_missing
            if not present.any():
                yield None
                continue
        yield storage.Row(
            values=values[present],
            labels=target[present] if target is not None else None,
            subject=recording.subject,
            recording=recording.name,
            start=start / rate,
            channel_names=list(names[present]),
            sampling_rate=rate,
        )


def _refuse_same_names(entries: dict[str, dict[str, Any]], report: PrepareReport) -> None:
    """Keep one of several sources of the same subject and name, whose windows could not be told apart."""
    owner: dict[tuple[str, str], str] = {}
    for key in sorted(entries, key=lambda each: entries[each]["source"]):
        entry = entries[key]
        name = entry["subject"], entry["recording"]
        if name in owner:
            report.failed[entry["source"]] = (
                f"recording {name[1]} of subject {name[0]} is already there from {owner[name]}; rename one of them"
            )
            report.prepared = [each for each in report.prepared if each["key"] != key]
            del entries[key]
        else:
            owner[name] = entry["source"]
