"""Tables that lie beside a recording that is not named as in BIDS: which are read, and which are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path

from ...events.annotation_files import EDF_AND_BDF, holds_annotations_alone
from ...events.rows import is_event_table
from ...events.tables import is_detection_table
from ...events.vocabulary import EventRow
from ...files import has_mark
from ...user_warnings import warn
from .bids import is_bids_name, name_of_tables, names_in
from .formats import read_events_of

# Names under which people keep what they know of a recording. Of these, `NAME_channels.tsv` is read, and one table of
# events: `NAME_events.tsv`, `NAME.tsv`, or else the first of the others that has the columns of events, as the
# `NAME.csv_bi` of TUSZ, or its `NAME.tse_bi` of old.
_EVENTS = ("_events.tsv", ".tsv")
_EVENTS_BY_COLUMNS = ("_events.csv", ".csv_bi", ".csv", ".tse_bi", ".tse", *(
    f"_{word}{suffix}" for word in ("annotations", "seizures") for suffix in (".tsv", ".csv")
))  # fmt: skip
# Files of annotations alone: `NAME_annotations.edf`, and that of Neuracle beside its `data.bdf`.
_ANNOTATIONS_OF = {("data", ".bdf"): ("evt.bdf",)}
_ENDINGS = ("", *(f"{mark}{word}" for mark in "_-. " for word in (
    "events", "annotations", "seizures", "markers", "labels", "channels", "electrodes",
)))  # fmt: skip
_SUFFIXES = (".tsv", ".csv", ".csv_bi", ".tse_bi", ".tse", ".txt")
# Texts of a whole folder, in which recordings are named.
_LIST = re.compile(r"summary|seizure|annotation", re.IGNORECASE)
_LIST_BYTES = 2**20
# Of one recording, with more behind its name: `NAME_a1.tsv`, the seizures of an annotator in SeizeIt.
_BEHIND = ("_", "-", ".", " ")
_HEAD_BYTES = 4096
# Of a whole folder, in the words of BIDS.
_OF_ALL = ("events.tsv", "channels.tsv", "electrodes.tsv")


def events_beside(path: Path) -> Path | None:
    """Find the table of events of a recording, unless it holds what this package has detected."""
    by_columns = (table for table in _tables(path, _EVENTS_BY_COLUMNS) if table.is_file() and is_event_table(table))
    tables = chain(_tables(path, _EVENTS), by_columns, _annotations(path))
    return next((table for table in tables if table != path and not is_detection_table(table)), None)


def read_events_beside(path: Path, start: datetime | None) -> tuple[Path, list[EventRow]] | None:
    """Read the table of events of a recording; one that only its columns tell may turn out to be none.

    Parameters
    ----------
    path : Path
        The recording.
    start : datetime or None
        When it began, for annotations in a file of their own.
    """
    table = events_beside(path)
    if table is None:
        return None
    try:
        return table, read_events_of(table, start)
    except ValueError as error:
        if table in [path.with_name(f"{path.stem}{ending}") for ending in _EVENTS]:
            raise
        warn(f"{path.name}: a table of events beside it is passed over: {error}")
        return None


def channels_beside(path: Path) -> Path | None:
    """Find the table that describes the channels of a recording."""
    return next(_tables(path, ["_channels.tsv"]), None)


def tell_of_tables_not_read(path: Path, name: str, given: Path | None = None) -> None:
    """Warn of tables beside a recording that seem to be about it and are not read, with how to have them read.

    Parameters
    ----------
    path : Path
        The recording.
    name : str
        What it is called.
    given : Path or None
        A table that is read since somebody named it.
    """
    stem = name_of_tables(path) if is_bids_name(path) else path.stem
    described = ("_events", "_channels", "_electrodes") if is_bids_name(path) else ("_channels",)
    events = events_beside(path)
    if given is not None and given.resolve().parent == path.resolve().parent:
        given = path.with_name(given.name)
    read = {path.with_name(f"{stem}{ending}.tsv") for ending in described} | {path, events, given}
    own = [path.with_name(f"{stem}{ending}{suffix}") for ending in _ENDINGS for suffix in _SUFFIXES]
    own += [path.with_name(f"{path.name}.seizures"), *_lists_that_name(path), *_lists_named_after(path)]
    ignored = [
        table.name
        for table in dict.fromkeys(own)
        if table not in read and table.is_file() and not is_detection_table(table)
    ]
    if ignored:
        table = f"{stem}_events.tsv" if events is None else events.name
        warn(
            f"{name}: {', '.join(ignored)} beside it {'is' if len(ignored) == 1 else 'are'} not read; what is read is "
            f"{table} and {stem}_channels.tsv (tables as BIDS has them), and the table of events that you give "
            "(seizures=...)"
        )
    candidates = () if is_bids_name(path) else map(path.with_name, _OF_ALL)
    of_all = [table.name for table in candidates if table.is_file() and not is_detection_table(table)]
    if of_all:
        warn(
            f"{', '.join(of_all)} in {path.parent} {'does' if len(of_all) == 1 else 'do'} not say which recording "
            "is meant, and nothing there is read; rename to NAME_events.tsv, NAME_channels.tsv of the recording NAME"
        )


def _annotations(path: Path) -> Iterator[Path]:
    """Files of annotations alone beside an EDF or BDF file that is called like them."""
    suffix = path.suffix.lower()
    if suffix in EDF_AND_BDF and not is_bids_name(path):
        named = [f"{path.stem}{ending}{path.suffix}" for ending in _ENDINGS if ending]
        files = map(path.with_name, (*named, *_ANNOTATIONS_OF.get((path.stem.lower(), suffix), ())))
        yield from (file for file in files if file.is_file() and _holds_remarks(file))


def _holds_remarks(file: Path) -> bool:
    """Whether it holds annotations alone, and not those that this package has detected."""
    return holds_annotations_alone(file) and not has_mark(file)


def _lists_that_name(path: Path) -> list[Path]:
    """Texts about several recordings that name this one, as those of CHB-MIT (`chb01-summary.txt`) and Siena."""
    texts = (path.with_name(name) for name in names_in(path.parent) if name.endswith(".txt"))
    return [each for each in texts if _LIST.search(each.stem) and each.is_file() and _names(each, path.name)]


def _lists_named_after(path: Path) -> list[Path]:
    """Texts with the name of this recording and more behind it, whose head speaks of seizures or annotations."""
    if is_bids_name(path):
        return []
    beginnings = tuple(f"{path.stem}{mark}" for mark in _BEHIND)
    texts = [path.with_name(name) for name in names_in(path.parent) if name.startswith(beginnings)]
    return [each for each in texts if each.suffix in _SUFFIXES and each.is_file() and _LIST.search(_head(each))]


def _head(text: Path) -> str:
    with text.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")


def _names(text: Path, name: str) -> bool:
    with text.open("rb") as file:
        return name.lower().encode() in file.read(_LIST_BYTES).lower()


def _tables(path: Path, endings: Iterable[str]) -> Iterator[Path]:
    if is_bids_name(path):
        return
    for table in (path.with_name(f"{path.stem}{ending}") for ending in endings):
        # A table that is not here is told by the one who reads it.
        if table.is_file() or table.is_symlink():
            yield table
