"""Parts of a dataset, which the tasks of a job array have prepared, become one dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ...listing import listed
from ...user_warnings import warn
from .additions import Additions, PrepareReport
from .folder import DatasetFolder


def merge_prepared(output_dir: str | Path) -> PrepareReport:
    """Unite what `prepare` was told to do in shares (`shard`) to one dataset.

    It is the one that a single run would have written, in whatever order the shares were finished. Windows are moved,
    not copied. A merge that was interrupted continues when it is started again, and `prepare` without `shard` begins
    with it.

    Parameters
    ----------
    output_dir : str or Path
        Folder of the dataset.

    Returns
    -------
    PrepareReport
        What was added. Its `failed` lists the recordings that could not be prepared; check it.

    Raises
    ------
    BlockingIOError
        A run is writing to the dataset.
    ValueError
        `output_dir` holds no dataset, or a share of it was stopped before all of its recordings were prepared.
    """
    folder = DatasetFolder(output_dir)
    if folder.settings is None:
        raise ValueError(f"{output_dir} holds no dataset of brant_hf; give the folder that prepare wrote to")
    with folder.writing({name: value for name, value in folder.settings.items() if name != "format_version"}):
        additions = Additions(folder)
        merge_parts(additions, whole=True)
        for failure in folder.failed.values():
            additions.report.failed[failure["source"]] = failure["reason"]
        return additions.conclude()


def merge_parts(additions: Additions, whole: bool = False) -> None:
    """Move the recordings of all parts to the dataset that holds them; if `whole`, parts that are not are refused."""
    parts = additions.folder.parts
    if not parts:
        return
    _tell_of_absent_shares([part.path.name for part in parts])
    with ExitStack() as locks:
        for part in parts:
            locks.enter_context(part.locked())
        if whole:
            _refuse_stopped_shares(parts)
        lost = _take(additions, parts)
        additions.folder.tidy()
        for part in parts:
            part.note_pending({})  # first: without its manifest it would seem stopped
            shutil.rmtree(part.path)
    with suppress(OSError):  # a new part has begun
        parts[0].path.parent.rmdir()
    if lost:
        warn(f"the windows of {len(lost)} recordings are missing in {parts[0].path.parent}; prepare them again")


def _tell_of_absent_shares(names: Sequence[str]) -> None:
    """Warn of shares that are not among `I-of-N`: nothing else tells that a task of an array never ran."""
    there = {(int(index), int(count)) for index, count in (name.split("-of-") for name in names)}
    absent = [
        f"{index}/{count}"
        for count in sorted({count for _, count in there})
        for index in range(1, count + 1)
        if (index, count) not in there
    ]
    if absent:
        more = "shares are" if len(absent) > 1 else "share is"
        warn(
            f"{len(absent)} {more} not there: {listed(absent)}; unless merged before, prepare what is missing, and "
            "merge again"
        )


def _refuse_stopped_shares(parts: Sequence[DatasetFolder]) -> None:
    """Raise a `ValueError` where a task was stopped in the middle and no other has done what it has not."""
    done = {key for part in parts for key in part.manifest.keys() | part.failed.keys()}
    told = []
    for part in parts:
        sources = part.pending
        missing = [Path(source).name for key, source in sorted(sources.items()) if key not in done]
        if missing:
            share = part.path.name.replace("-of-", "/")
            told.append(f"share {share} was stopped before {len(missing)} of {len(sources)}: {listed(missing)}")
    if told:
        raise ValueError(f"not all recordings are prepared ({'; '.join(told)}); run that again, and then merge")


def _take(additions: Additions, parts: Sequence[DatasetFolder]) -> list[str]:
    """Add what parts have, of several outcomes of one recording the last; return sources whose windows are missing."""
    found: dict[str, tuple[DatasetFolder, dict[str, Any]]] = {}
    for part in parts:
        found |= {key: (part, outcome) for key, outcome in (part.failed | part.manifest).items()}
    known, lost = additions.folder.manifest, []
    for key, (part, outcome) in sorted(found.items(), key=lambda item: item[1][1]["source"]):
        has_windows = "fingerprint" in outcome
        if has_windows and key in known and known[key]["fingerprint"] == outcome["fingerprint"]:
            continue
        if key in known:
            additions.remove(known[key])
            # Before its shards are replaced: what the manifest names is there as it says.
            additions.folder.write_manifest()
        if not has_windows:
            additions.fail(key, outcome)
        elif not _move(outcome, part.data, additions.folder.data):
            lost.append(outcome["source"])
        else:
            additions.add(outcome)
    return lost


def _move(entry: dict[str, Any], source: Path, target: Path) -> bool:
    """Move the shards of a recording; those that an interrupted merge has moved are there. Tells whether all are."""
    for shard in entry["shards"]:
        if (source / shard["file"]).exists():
            os.replace(source / shard["file"], target / shard["file"])
    return all((target / shard["file"]).is_file() for shard in entry["shards"])
