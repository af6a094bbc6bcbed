"""The electrodes table of an NWB file: names, types, flags and positions of the channels of a series."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....listing import listed
from ....user_warnings import warn
from ..channels import unique_names
from ..contacts import split_contact_name
from ..flags import NOT_STATED, flagged_bad, is_flag

if TYPE_CHECKING:
    from pynwb.ecephys import ElectricalSeries

# Columns that name a contact, best first.
_NAME_COLUMNS = (
    "channel_name", "electrode_name", "contact_name", "label", "name", "contact", "probe_electrode", "channel_label",
    "electrode_label", "origchannel_name", "original_channel_name", "channel", "electrode",
)  # fmt: skip
_TYPE_COLUMN = re.compile(r"((channel|electrode|contact|signal)_)?(type|kind|modality)")
# Words in the description of a group, its device or its type, and the type of channel they tell.
_TYPE_WORDS = {
    "scalp": "eeg", "ecog": "ecog", "grid": "ecog", "strip": "ecog", "subdural": "ecog", "dbs": "dbs",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(\.0)?")
_NON_NEURAL_TYPES = {"ecg", "ekg", "emg", "eog", "misc", "trig", "trigger", "stim", "dc", "ref", "resp", "audio"}


# Groups and locations that are none of a brain.
_NO_GROUPS = {"ecg", "ekg", "emg", "eog", "trigger", "triggers"}


def electrodes_of(series: "ElectricalSeries") -> tuple[list[str], list[str], dict[str, str]]:
    """Names and types of the channels of a series, and those marked bad with the reason."""
    table, rows = series.electrodes.table, rows_of(series)
    written = names_of(table, rows)
    names = unique_names(written, series.name)
    if all(name == _numbered(table, row) for name, row in zip(written, rows, strict=True)):
        warn(
            f"{series.name}: the electrodes table names no contacts, so they are called by their group and the number "
            f"of their row ({listed(names, 3)}), which is not that of a contact; pass channel_names=[...] if you know "
            "their names"
        )
    return names, [_type_of(table, row) for row in rows], dict.fromkeys(_marked_bad(table, rows, names), "marked bad")


def rows_of(series: "ElectricalSeries") -> list[int]:
    """Rows of the electrodes table that belong to the channels of a series."""
    return [int(row) for row in series.electrodes.data[:]]


def names_of(table: Any, rows: Sequence[int]) -> list[str]:
    """Names of the contacts in these rows, as the table writes them."""
    columns = [[as_text(table[column][row]).strip() for row in rows] for column in _columns(table, _NAME_COLUMNS)]
    stated = [names for names in columns if any(name.casefold() not in NOT_STATED for name in names)]
    # A column that tells the contacts apart is the name; some files keep the name of the shaft as `label`.
    apart = [names for names in stated if len(set(names)) == len(rows)]
    # Numbers are names where nothing else is.
    best = next((names for names in apart if not all(map(_NUMBER.fullmatch, names))), None)
    best = best or _contacts_elsewhere(table, rows) or (apart[0] if apart else None)
    if best is None:
        best = _in_groups(table, rows, stated) or (stated[0] if stated else [""] * len(rows))
    return [
        _numbered(table, row) if name.casefold() in NOT_STATED else name for name, row in zip(best, rows, strict=True)
    ]


def positions_of(series: "ElectricalSeries") -> np.ndarray | None:
    """Positions of the contacts, `(channels, 3)` [m], `None` where the table has none.

    The format asks for micrometres, and many files hold millimetres or metres. Brains are a few centimetres large, so
    the size of the numbers tells the three apart.
    """
    table, rows = series.electrodes.table, rows_of(series)
    if not {"x", "y", "z"} <= set(table.colnames):
        return None
    positions = np.array([[float(table[axis][row]) for axis in "xyz"] for row in rows])
    largest = np.nanmax(np.abs(positions), initial=0.0)
    if not 0 < largest < np.inf:
        return None
    return positions * (1.0 if largest < 0.3 else 1e-3 if largest < 300 else 1e-6)


def as_text(value: Any) -> str:
    """Return what a cell of a table says, lists joined by spaces."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return " ".join(as_text(item) for item in value) if isinstance(value, list | tuple | np.ndarray) else str(value)


def _columns(table: Any, wanted: Sequence[str]) -> list[str]:
    """Columns of a table by name, whatever their case, in the order wanted."""
    written = {_plain(column): column for column in table.colnames}
    return [written[column] for column in wanted if column in written]


def _plain(column: str) -> str:
    return re.sub(r"[\s-]+", "_", column.strip()).casefold()


def _contacts_elsewhere(table: Any, rows: Sequence[int]) -> list[str] | None:
    """Return the first column of any other name whose texts are those of contacts, one for each row."""
    for column in table.colnames if len(rows) > 1 else ():
        if isinstance(table[column][rows[0]], str | bytes):
            names = [as_text(table[column][row]).strip() for row in rows]
            if len(set(names)) == len(rows) and all(split_contact_name(name) for name in names):
                return names
    return None


def _in_groups(table: Any, rows: Sequence[int], stated: Sequence[list[str]]) -> list[str] | None:
    """Names of the groups with the numbers of the contacts in them (`LA`, 1), where they tell the contacts apart."""
    if "group_name" not in table.colnames:
        return None
    groups = [as_text(table["group_name"][row]) for row in rows]
    numbers = (names for names in stated if all(_NUMBER.fullmatch(name) for name in names))
    named = ([f"{group}{int(float(name))}" for group, name in zip(groups, names, strict=True)] for names in numbers)
    return next((names for names in named if len(set(names)) == len(rows)), None)


def _numbered(table: Any, row: int) -> str:
    group = as_text(table["group_name"][row]) if "group_name" in table.colnames else "CH"
    return f"{group}{table.id[row]}"


def _marked_bad(table: Any, rows: Sequence[int], names: Sequence[str]) -> list[str]:
    columns = [column for column in table.colnames if is_flag(column)]
    flags = {column: [as_text(table[column][row]) for row in rows] for column in columns}
    return flagged_bad(flags, names, "the electrodes table")


def _type_of(table: Any, row: int) -> str:
    """Tell the scalp channels of a series from the intracranial ones, by its group or a column of the table."""
    stated = [
        as_text(table[column][row]).casefold() for column in table.colnames if _TYPE_COLUMN.fullmatch(_plain(column))
    ]
    for text in stated:
        if text.strip() in _NON_NEURAL_TYPES:
            return text.strip()
    group = table["group"][row] if "group" in table.colnames else None
    # Of places, only what can be nothing else; `EP` or `STIM` may be a part of the brain.
    location = as_text(table["location"][row]) if "location" in table.colnames else ""
    named = (getattr(group, "name", ""), location)
    if (kind := next((word for text in named if (word := text.strip().casefold()) in _NO_GROUPS), None)) is not None:
        return kind
    device = getattr(group, "device", None)
    texts = (getattr(group, "name", ""), getattr(group, "description", ""), getattr(device, "name", ""))
    described = " ".join([*stated, *(str(text).casefold() for text in texts)])
    return next((channel_type for word, channel_type in _TYPE_WORDS.items() if word in described), "seeg")
