"""Tab-separated tables as BIDS and SzCORE write them."""

import csv
import math
import re
from pathlib import Path

from .vocabulary import EventRow

# SzCORE writes `eventType`; clinical BIDS sets write `trial_type`.
_TEXT_COLUMNS = ("eventtype", "trial_type", "event_type", "event", "description", "label", "value")
_CHANNEL_COLUMNS = ("channels", "channel")
_NOT_GIVEN = ("", "n/a", "nan", "none")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table with a header; column names in lower case, values without spaces around them.

    Raises
    ------
    ValueError
        The file is no such table.
    """
    try:
        # Files written by spreadsheets begin with a byte order mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t")
            rows, columns = list(reader), reader.fieldnames
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a tab-separated table in UTF-8: {error}") from error
    if not columns:
        raise ValueError(f"{path} is empty; expected a tab-separated table with a header")
    return [{(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key} for row in rows]


def read_events(path: Path) -> list[EventRow]:
    """Events of a BIDS or SzCORE `events.tsv`.

    Reads the columns `onset`, `duration` [s], the first of `eventType`, `trial_type`, `event_type`, `event`,
    `description`, `label`, `value`, and `channels` (names with commas between them; `all` or `n/a` for all).

    Raises
    ------
    ValueError
        A column is missing or an onset is no number.
    """
    rows = read_table(path)
    if not rows:
        return []
    text_column = next((column for column in _TEXT_COLUMNS if column in rows[0]), None)
    if "onset" not in rows[0] or text_column is None:
        raise ValueError(
            f"{path} has the columns {', '.join(rows[0])}; expected onset, duration and one of eventType, trial_type, "
            "... with tabs between them"
        )
    channel_column = next((column for column in _CHANNEL_COLUMNS if column in rows[0]), None)
    events = []
    for row in rows:
        onset = _number(row["onset"], path)
        if math.isfinite(onset):
            channels = _channels(row[channel_column]) if channel_column else None
            events.append(EventRow(onset, _number(row.get("duration", ""), path), row[text_column], channels))
    return events


def _number(text: str, path: Path) -> float:
    if text.lower() in _NOT_GIVEN:
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{path}: {text!r} is not a time in seconds") from error


def _channels(text: str) -> list[str] | None:
    if text.lower() in (*_NOT_GIVEN, "all"):
        return None
    return [name.strip() for name in re.split(r"[,;]", text.strip("[]")) if name.strip()]
