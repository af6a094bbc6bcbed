"""Recordings to a dataset on disk."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...engines import Engine
from ...events.event import merge_stretches, without_stretches
from ...files import software
from ...listing import listed
from ...progress import progress_bar
from ...sharding import Shard
from ...user_warnings import warn
from ..preprocessing.chain import PreprocessedRecording, Preprocessing, preprocess
from ..recordings.fingerprint import as_text, digest_of, files_of
from ..windows import IGNORED_LABEL, SeizureLabeller, WindowSettings, cut_windows, lacking_patches
from .additions import Additions, PrepareReport
from .folder import DatasetFolder, Row, shard_writer, window_features
from .merging import merge_parts
from .seconds import Seconds

if TYPE_CHECKING:
    from ..recordings import Recording


def prepare(
    sources: str | Path | Recording | Iterable[str | Path | Recording],
    output_dir: str | Path,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
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
    shard: str | None = None,
    backend: Literal["loky", "dask"] | None = None,
    scheduler: str | None = None,
) -> PrepareReport:
    """Cut recordings into windows and write them as a dataset that `load` and `datasets.load_dataset` read.

    A run that was interrupted continues where it stopped when it is started again with the same arguments; recordings
    that changed on disk since are prepared anew, and more recordings can be added to a dataset in the same way. A
    recording that cannot be prepared is reported at the end and does not stop the others.

    Parameters
    ----------
    sources : str, Path, Recording or Iterable[str | Path | Recording]
        A file, a folder, a BIDS root or an open recording, or several of them. Parts of one file
        (`open_recording(path, start=, stop=, name=)`) need names of their own.
    output_dir : str or Path
        Folder to write to; made when it does not exist.
    preprocessing : Preprocessing, Mapping[str, Any] or None
        Settings of the chain, or those that differ from the defaults of `Preprocessing`.
    num_proc : int
        Recordings worked on at a time, each by its own process of this machine.
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
        `{"subject": "p07"}`; JSON-serialisable. A recording that is open already stays as it is, with a warning.
    progress : bool
        Show a progress bar on standard error.
    shard : str or None
        Work on one of several shares of the recordings, as a task of a job array does: `"I/N"`, from `"1/N"` to
        `"N/N"`, or `"auto"` for what the environment tells (`SLURM_ARRAY_TASK_ID` and `SLURM_ARRAY_TASK_COUNT`, or
        `RANK` and `WORLD_SIZE`). `merge_prepared` makes one dataset of all shares.
    backend : {"loky", "dask"} or None
        What works on several recordings at a time, through joblib: processes of this machine (`"loky"`, which is
        taken without it), or the workers of a cluster of `dask.distributed`: that of the active `Client`, or the one
        that `scheduler` or `DASK_SCHEDULER_ADDRESS` tells. All have to see the same files.
    scheduler : str or None
        Address of the scheduler of the cluster.

    Returns
    -------
    PrepareReport
        What was done. Its `failed` lists the recordings that could not be prepared; check it.

    Raises
    ------
    FileNotFoundError
        A source does not exist.
    ValueError
        A setting is not allowed, no recording is found, `open_options` change none of them, or `output_dir` holds
        something else or a dataset with other settings.
    BlockingIOError
        Another run is writing to `output_dir`, or to this share of it.
    ChildProcessError
        A process that worked on a recording was killed; what was finished is kept.
    ImportError
        `backend` is `"dask"`, which is not installed.
    OSError
        The cluster cannot be reached.
    """
    windows = WindowSettings(
        patch_length=patch_length,
        num_patches=num_patches,
        stride=stride,
        seizure_overlap=seizure_overlap,
        remainder=remainder,
        max_missing=max_missing,
    )
    engine = Engine(num_proc, backend, scheduler)
    share = None if shard is None else Shard.of(shard)
    folder = DatasetFolder(output_dir)
    recipe = _Recipe(folder.data, Preprocessing.of(preprocessing), windows, labels, dict(open_options or {}))
    by_key = _by_key(sources, recipe.open_options.get("seizures"))
    if recipe.open_options:
        _check_open_options(recipe.open_options, list(by_key.values()))
    if share is not None:
        part = folder.part(f"{share.index}-of-{share.count}", recipe.settings())
        by_key = dict(share.take(list(by_key.items())))
        with part.writing(recipe.settings()):
            # All until it is known what is there already; a run that is killed leaves it.
            part.note_pending({key: source.description for key, source in by_key.items()})
            report = _add(Additions(part), replace(recipe, data=part.data), by_key, engine, progress, folder)
            part.note_pending({})
            return report
    with folder.writing(recipe.settings()):
        additions = Additions(folder)
        merge_parts(additions)
        return _add(additions, recipe, by_key, engine, progress)


def _add(
    additions: Additions,
    recipe: _Recipe,
    by_key: Mapping[str, _Source],
    engine: Engine,
    progress: bool,
    whole: DatasetFolder | None = None,
) -> PrepareReport:
    """Add recordings to a dataset, or to a part of `whole`."""
    pending, report = _pending(additions, by_key, whole), additions.report
    if whole is not None:
        additions.folder.note_pending({source.key: source.description for source in pending})
    with progress_bar(total=len(pending), unit="recording", desc="prepare", shown=progress) as bar:
        for source, result in engine.map(recipe, pending):
            if isinstance(result, str):
                failure = {"source": source.description, "reason": result, "files": source.sizes()}
                additions.fail(source.key, failure)
            else:
                additions.add(result)
            bar.set_postfix(windows=report.rows, failed=len(report.failed), refresh=False)
            bar.update()
    return additions.conclude()


def _pending(additions: Additions, by_key: Mapping[str, _Source], whole: DatasetFolder | None) -> list[_Source]:
    """Return the sources that are not in the dataset as they are today."""
    folder, pending = additions.folder, []
    others = [] if whole is None else [whole, *(part for part in whole.parts if part.path != folder.path)]
    for key, source in by_key.items():
        own = folder.manifest.get(key)
        known = [own, *(other.manifest.get(key) for other in others)]
        if any(entry is not None and entry["fingerprint"] == source.fingerprint for entry in known):
            additions.report.skipped.append(source.description)
            continue
        if own is not None:
            additions.remove(own)
        pending.append(source)
    for key, failure in list(folder.failed.items()):
        # Those that are tried again, and files that are there no more.
        if key in by_key or not Path(failure["source"]).exists():
            del folder.failed[key]
    folder.tidy()
    return pending


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

    @property
    def part(self) -> tuple[float, float] | None:
        """Beginning and end [s] on the clock of its file; `None` for the whole."""
        if isinstance(self.recording, (str, Path)) or self.recording.duration == self.recording.file_duration:
            return None
        return self.recording.offset, self.recording.offset + self.recording.duration

    @cached_property
    def key(self) -> str:
        """Name of the shards: readable, and different for different sources."""
        if isinstance(self.recording, (str, Path)):
            readable = Path(self.recording).stem
        else:
            readable = f"{self.recording.subject}-{self.recording.name}"
        identity = readable if self.path is None else str(self.path.resolve())
        if self.part is not None:
            identity += " from {:.3f} to {:.3f} s".format(*self.part)
        slug = re.sub(r"[^A-Za-z0-9_]+", "-", readable).strip("-")[:60]
        return f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"

    @property
    def files(self) -> list[Path]:
        """Files that it is read from, tables included."""
        files = [] if self.path is None else files_of(self.path)
        return [*files, *(Path(table) for table in [self.table] if table is not None and Path(table).is_file())]

    def sizes(self) -> dict[str, int]:
        """Size [bytes] of each file that is there."""
        return {each.name: each.stat().st_size for each in self.files if each.exists()}

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the recording: size and time of change of files, a sample of the values of arrays."""
        digest = digest_of(self.files)
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
        return as_text(digest)

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


def _check_open_options(options: Mapping[str, Any], sources: Sequence[_Source]) -> None:
    """Refuse options that nothing can be opened with, and tell of recordings that are open already."""
    from ..recordings import open_recording

    known = set(signature(open_recording).parameters) - {"path_or_array"}
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"open_options has {listed(unknown)}; expected some of {', '.join(sorted(known))}")
    opened = [each.description for each in sources if not isinstance(each.recording, (str, Path))]
    told = f"open_options ({listed(options)}) change nothing in recordings that are open already ({listed(opened)})"
    if opened and len(opened) == len(sources):
        raise ValueError(f"{told}; pass them to open_recording")
    if opened:
        warn(f"{told}; pass them to open_recording there")


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
            "seconds": seconds.of(recording.duration, self._between(preprocessed)),
            "no_window": None if counts["rows"] else self._no_window(recording, counts["left_out_windows"]),
            **counts,
            "shards": writer.shards,
        }

    def _between(self, preprocessed: PreprocessedRecording) -> float:
        """Seconds of the gaps that are so long that no window is cut there."""
        rate, stretches = preprocessed.sampling_rate, preprocessed.recorded(self.windows.window_length)
        recorded = sum(stop - start for start, stop in stretches) / rate
        return max(preprocessed.recording.duration - recorded, 0.0)  # resampled, it may end part of a sample later

    def _no_window(self, recording: Recording, left_out: int) -> str:
        if left_out:
            return f"samples are missing on every channel in each of its {left_out} windows"
        windows, rate = self.windows, self.preprocessing.sampling_rate
        needed = windows.window_length if windows.remainder == "drop" else windows.patch_length
        what = "window" if windows.remainder == "drop" else "patch"
        hint = "; remainder='shorter' keeps shorter windows, of whole patches" if what == "window" else ""
        pieces = without_stretches([(0.0, recording.duration)], recording.gaps)
        longest = max((stop - start for start, stop in pieces), default=0.0)
        lasts = f"the longest of its {len(pieces)} pieces" if len(pieces) > 1 else "it"
        return f"{lasts} lasts {longest:.2f} s, less than a {what} of {needed / rate:.2f} s{hint}"

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
        # The last stretch ends with the signal, which may be a sample longer or shorter than the recording.
        *others, (first, stop) = preprocessed.recorded(windows.window_length)
        recorded = [*others, (first, stop if stop < round(recording.duration * rate) else None)]
        for start, values in cut_windows(preprocessed.pieces(), windows, recorded):
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
