"""Recordings of a BIDS dataset: channel types, status, units, positions and events from the files beside them.

`mne_bids.read_raw_bids` is not used: it reads no NWB, cannot leave out signals of an EDF file (`exclude`), refuses a
`channels.tsv` whose names differ or stand in another order, and takes the types of older datasets (`DEPTH`, `GRID`) as
`misc`. Here names are matched one by one. Its search for the files that describe a recording is used.
"""

import json
import math
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...events.tables import is_detection_table, read_event_rows, read_table
from ...files import check_fetched
from .readers.mne_raw import quiet_mne
from .source import Source
from .units import MICROVOLTS_PER_UNIT, ascii_unit

_BIDS_NAME = re.compile(r"sub-[a-zA-Z0-9+]+(_[a-zA-Z]+-[a-zA-Z0-9+]+)*_(ieeg|eeg)\.[a-zA-Z0-9.]+")

_METRES_PER_UNIT = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}

# What BIDS calls intracranial channels; sets made before the standard settled use the others.
_TYPES = {
    "SEEG": "seeg",
    "ECOG": "ecog",
    "DBS": "dbs",
    "EEG": "eeg",
    "IEEG": "seeg",
    "DEPTH": "seeg",
    "GRID": "ecog",
    "STRIP": "ecog",
    "LFP": "dbs",
}


def is_bids_name(path: Path) -> bool:
    """Whether a file is named as BIDS names recordings: `sub-01_task-rest_ieeg.edf`."""
    return _BIDS_NAME.fullmatch(path.name) is not None


def bids_source(path: Path, file: Source) -> Source:
    """Add to a recording file what its BIDS dataset says of it.

    Parameters
    ----------
    path : Path
        The recording, named as in BIDS.
    file : Source
        What the reader of its format found.
    """
    source = named_by_bids(path, file)
    channels = _sidecar(path, "channels", ".tsv")
    if channels is not None:
        source = _with_channels(source, channels)
    events = events_of(path)
    if events is not None:
        source = replace(source, events=read_event_rows(events))
    electrodes, coordinates = _electrodes_of(path)
    if electrodes is not None and coordinates is not None:
        try:
            source = _with_positions(source, electrodes, coordinates)
        except ValueError as error:
            warnings.warn(f"{source.name}: the positions of contacts are passed over: {error}", stacklevel=5)
    description = _sidecar(path, path.name.split(".")[0].rpartition("_")[2], ".json")
    if description is not None:
        source = replace(source, line_frequency=_line_frequency(description) or source.line_frequency)
    return source


def named_by_bids(path: Path, source: Source) -> Source:
    """Take name and subject from the name of the file."""
    return replace(source, name=path.name.split(".")[0].rpartition("_")[0], subject=path.name.split("_")[0])


def events_of(path: Path) -> Path | None:
    """Find the table of events of a recording, unless it holds what this package has detected."""
    events = _sidecar(path, "events", ".tsv")
    return None if events is None or is_detection_table(events) else events


def _sidecar(path: Path, suffix: str, extension: str) -> Path | None:
    """Return the file that describes the recording, by the inheritance principle of BIDS."""
    beside = path.with_name(f"{path.name.split('.')[0].rsplit('_', 1)[0]}_{suffix}{extension}")
    # A table that is not here is told by the one who reads it.
    if beside.is_file() or beside.is_symlink():
        return beside
    import mne_bids

    with quiet_mne(path.name):
        try:
            bids_path = mne_bids.get_bids_path_from_fname(path, check=False, verbose="error")
        except ValueError:  # the folder has a name, such as `my_study`, that none of a dataset has
            return None
        if bids_path.root is None:
            return None
        found = bids_path.find_matching_sidecar(suffix=suffix, extension=extension, on_error="ignore")
    if found is None:
        return None
    # A file with more entities than the recording, such as a run, describes another recording.
    return found if _entities(found) <= _entities(path) else None


def _electrodes_of(path: Path) -> tuple[Path | None, Path | None]:
    """Tables of contact positions and of their space, of the recording's session; of several spaces the first."""
    for table in sorted(path.parent.glob("*_electrodes.tsv")):
        entities = _entities(table)
        space = next((entity for entity in entities if entity.startswith("space-")), None)
        if entities - {space} <= _entities(path):
            described = table.with_name(table.name.removesuffix("electrodes.tsv") + "coordsystem.json")
            return table, described if described.is_file() else None
    return None, None


def _with_positions(source: Source, table: Path, described: Path) -> Source:
    """Add the positions of contacts that the file has by name; without a length as unit they cannot be used."""
    coordinates = _read_json(described)
    kind = next((prefix for prefix in ("iEEG", "EEG") if f"{prefix}CoordinateUnits" in coordinates), "iEEG")
    metres = _METRES_PER_UNIT.get(str(coordinates.get(f"{kind}CoordinateUnits")))
    if metres is None:
        return source
    rows = {row.get("name", ""): row for row in read_table(table)}
    positions = np.full((source.channel_count, 3), np.nan)
    for place, name in enumerate(source.channel_names or ()):
        if name in rows:
            positions[place] = [metres * _coordinate(rows[name].get(axis, "")) for axis in "xyz"]
    if np.isnan(positions).all():
        return source
    return replace(source, positions=positions, coordinate_space=str(coordinates.get(f"{kind}CoordinateSystem")))


def _coordinate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _entities(path: Path) -> set[str]:
    return set(path.name.split("_")[:-1])


def _with_channels(source: Source, table: Path) -> Source:
    rows = {row.get("name", ""): row for row in read_table(table)}
    names = source.channel_names or []
    if not rows.keys() & set(names):
        if len(rows) != source.channel_count:
            raise ValueError(
                f"{source.path}: none of its {source.channel_count} channels {names[:4]} ... is in {table}, which "
                f"lists {len(rows)} others; correct the names in that table"
            )
        warnings.warn(
            f"{source.name}: channels are named by {table.name}, whose names differ from those in the file",
            stacklevel=4,
        )
        names = list(rows)
    types, types_stated, bad, units = [], [], dict(source.bad_channels), []
    stated_units = source.unit if isinstance(source.unit, list) else [source.unit] * source.channel_count
    for name, file_type, file_unit in zip(names, source.channel_types or [], stated_units, strict=True):
        row = rows.get(name)
        if row is None:
            bad[name] = f"not in {table.name}"
            types.append(file_type)
            types_stated.append(False)
            units.append(file_unit)
            continue
        stated = row.get("type", "").upper()
        types.append(file_type if stated in ("", "N/A") else _TYPES.get(stated, stated.lower()))
        types_stated.append(stated not in ("", "N/A"))
        if row.get("status", "").lower() == "bad":
            description = row.get("status_description", "")
            bad[name] = f"bad ({description})" if description.lower() not in ("", "n/a") else "bad"
        table_unit = ascii_unit(row.get("units", ""))
        # The header comes first, since MNE-Python has already applied it; the table fills in what the header leaves
        # open.
        units.append(table_unit if not file_unit and table_unit in MICROVOLTS_PER_UNIT else file_unit)
    return replace(
        source, channel_names=names, channel_types=types, types_stated=types_stated, bad_channels=bad, unit=units
    )


def _line_frequency(description: Path) -> float | None:
    frequency = _read_json(description).get("PowerLineFrequency")
    return float(frequency) if isinstance(frequency, int | float) else None


def _read_json(path: Path) -> dict[str, Any]:
    check_fetched(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected names with values, as BIDS has it")
    return content
