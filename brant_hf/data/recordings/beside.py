"""Tables that lie beside a recording that is not named as in BIDS: which are read, and which are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...events.tables import is_detection_table
from ...user_warnings import warn
from .bids import is_bids_name

# Names under which people keep what they know of a recording. Of these, `NAME_events.tsv`, `NAME.tsv` and
# `NAME_channels.tsv` are read.
_ENDINGS = ("", *(f"{mark}{word}" for mark in "_-. " for word in (
    "events", "annotations", "seizures", "markers", "labels", "channels", "electrodes",
)))  # fmt: skip
_SUFFIXES = (".tsv", ".csv", ".txt")
# Of a whole folder, in the words of BIDS.
_OF_ALL = ("events.tsv", "channels.tsv", "electrodes.tsv")


def events_beside(path: Path) -> Path | None:
    """Find the table of events of a recording, unless it holds what this package has detected."""
    return next((table for table in _tables(path, "_events", "") if not is_detection_table(table)), None)


def channels_beside(path: Path) -> Path | None:
    """Find the table that describes the channels of a recording."""
    return next(_tables(path, "_channels"), None)


def tell_of_tables_not_read(path: Path, name: str) -> None:
    """Warn of tables beside a recording that seem to be about it and are not read, with how to have them read."""
    stem = path.name.split(".")[0].removesuffix("_ieeg").removesuffix("_eeg") if is_bids_name(path) else path.stem
    described = ("_events", "_channels", "_electrodes") if is_bids_name(path) else ("_channels",)
    read = {path.with_name(f"{stem}{ending}.tsv") for ending in described} | {path, events_beside(path)}
    own = (path.with_name(f"{stem}{ending}{suffix}") for ending in _ENDINGS for suffix in _SUFFIXES)
    ignored = [table.name for table in own if table not in read and table.is_file() and not is_detection_table(table)]
    if ignored:
        warn(
            f"{name}: {', '.join(ignored)} beside it {'is' if len(ignored) == 1 else 'are'} not read; what is read is "
            f"{stem}_events.tsv and {stem}_channels.tsv (tables as BIDS has them), and the table of events that you "
            "give (seizures=..., --annotations)"
        )
    of_all = [] if is_bids_name(path) else [name for name in _OF_ALL if path.with_name(name).is_file()]
    if of_all:
        warn(
            f"{', '.join(of_all)} in {path.parent} {'does' if len(of_all) == 1 else 'do'} not say which recording "
            "is meant, and nothing there is read; rename to NAME_events.tsv, NAME_channels.tsv of the recording NAME"
        )


def _tables(path: Path, *endings: str) -> Iterator[Path]:
    if is_bids_name(path):
        return
    for table in (path.with_name(f"{path.stem}{ending}.tsv") for ending in endings):
        # A table that is not here is told by the one who reads it.
        if table.is_file() or table.is_symlink():
            yield table
