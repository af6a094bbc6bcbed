"""Recordings of a BIDS dataset: channel types, status, units, positions and events from the files beside them.

`mne_bids.read_raw_bids` is not used: it reads no NWB, cannot leave out signals of an EDF file (`exclude`), refuses a
`channels.tsv` whose names differ or stand in another order, and takes the types of older datasets (`DEPTH`, `GRID`) as
`misc`. Here names are matched one by one. Its search for the files that describe a recording is used.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...events.rows import NoKindError, describing, parse_table, read_event_rows, read_table
from ...events.tables import is_detection_table
from ...events.vocabulary import EventRow
from ...files import check_fetched
from ...listing import counted, listed
from ...user_warnings import warn
from .channels import unique_names
from .contacts import match_names, names_in_file
from .flags import flagged_bad, is_flag, speaks_of_bad
from .readers.mne_raw import quiet_mne
from .source import Source
from .units import is_no_voltage, microvolts_stated

# Hyphens in values are not allowed and in use all the same; what lies beside such a file is about it.
_BIDS_NAME = re.compile(r"sub-[a-zA-Z0-9+-]+(_[a-zA-Z]+-[a-zA-Z0-9+-]+)*_(ieeg|eeg)\.[a-zA-Z0-9.]+")
# Where they lie in a dataset.
_BIDS_PLACE = re.compile(r"(sub-[^/_]+)/((ses-[^/_]+)/)?i?eeg/\1_(?(3)\3_)[^/]+")

# A folder that changed this shortly before it is listed [ns] may change again without another time of change.
_SETTLED_NS = 2_000_000_000

# Rates, and lengths, of a file and of its description that are the same within this part.
_SAME_RATE, _SAME_LENGTH = 0.01, 0.01
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
# And what else it records; the last line is of the other modalities, and of sets made before.
_OTHER_TYPES = (
    "EOG HEOG VEOG ECG EMG TRIG REF MISC OTHER AUDIO PD EYEGAZE PUPIL SYSCLOCK ADC DAC PPG GSR TEMP RESP "
    "EKG STIM DC GND ACC ACCEL GYRO MAGN JNTANG LATENCY NIRS POS ORNT VEL MEGMAG MEGGRADAXIAL MEGGRADPLANAR MEGREFMAG "
    "HLU FITERR MEGOTHER BIO BAD UNUSED EMPTY"
)
# What is said of channels that were well recorded, of a tissue that is ill.
_EPILEPTIC = re.compile(
    r"\W*((soz|seizures?|onset|zones?|spik(es?|ing)|epilep\w+|irritative|(inter)?ictal|resect\w*|tissue|in|of|on|the)\W*)+",
    re.IGNORECASE,
)
_KNOWN_TYPES = frozenset({"", "N/A", *_TYPES, *_OTHER_TYPES.split()})


def is_bids_name(path: Path) -> bool:
    """Whether a file is named as BIDS names recordings: `sub-01_task-rest_ieeg.edf`."""
    return _BIDS_NAME.fullmatch(path.name) is not None


def name_of_tables(path: Path) -> str:
    """Name of a recording in those of tables about it: `sub-01_task-rest` for `sub-01_task-rest_ieeg.edf`.

    Parameters
    ----------
    path : Path
        A recording; without a name of BIDS, its name to the first dot.
    """
    return path.name.split(".")[0].removesuffix("_ieeg").removesuffix("_eeg")


def bids_dataset(recordings: Iterable[Path]) -> Path | None:
    """Find the BIDS dataset of recordings; `None` unless all lie in one, where BIDS has them and with its names.

    Parameters
    ----------
    recordings : Iterable[Path]
        Files, by absolute paths.
    """
    roots = set()
    for path in recordings:
        root = next((each for each in path.parents if (each / "dataset_description.json").is_file()), None)
        if root is None or not _BIDS_PLACE.fullmatch(path.relative_to(root).as_posix()) or not is_bids_name(path):
            return None
        roots.add(root)
    return roots.pop() if len(roots) == 1 else None


def bids_source(path: Path, file: Source, *, events_given: bool = False) -> Source:
    """Add to a recording file what its BIDS dataset says of it.

    Parameters
    ----------
    path : Path
        The recording, named as in BIDS.
    file : Source
        What the reader of its format found.
    events_given : bool
        Whether seizures are known from elsewhere, so that a table of events that cannot be read is no obstacle.
    """
    source = named_by_bids(path, file)
    channels = _sidecar(path, "channels", ".tsv")
    if channels is not None:
        source = with_channels(source, channels)
    events = events_of(path)
    if events is not None:
        try:
            rows = event_rows_of(path, events)
            if rows is not None:
                source = replace(source, events=rows, events_from=events.name)
        except ValueError as error:
            if not events_given:
                raise ValueError(f"{error}; or pass seizures=[(onset, offset), ...] to open it without") from error
            warn(f"{source.name}: its table of events is passed over: {error}")
    electrodes, coordinates = _electrodes_of(path)
    if electrodes is not None and coordinates is not None:
        try:
            source = _with_positions(source, electrodes, coordinates)
        except ValueError as error:
            warn(f"{source.name}: the positions of contacts are passed over: {error}")
    description = _sidecar(path, path.name.split(".")[0].rpartition("_")[2], ".json")
    if description is not None:
        content = _read_json(description)
        source = replace(source, line_frequency=_number_in(content, "PowerLineFrequency") or source.line_frequency)
        _tell_interruptions(content, source, description.name)
        _tell_of_another_file(content, source, description.name)
    return source


def named_by_bids(path: Path, source: Source) -> Source:
    """Take name and subject from the name of the file."""
    return replace(source, name=path.name.split(".")[0].rpartition("_")[0], subject=path.name.split("_")[0])


def events_of(path: Path) -> Path | None:
    """Find the table of events of a recording, unless it holds what this package has detected."""
    events = _sidecar(path, "events", ".tsv")
    return None if events is None or is_detection_table(events) else events


def event_rows_of(path: Path, table: Path) -> list[EventRow] | None:
    """Events of the table of a recording, whose columns are described beside it or in the folders above.

    Nothing, with a warning, where it has onsets alone, as BIDS allows: such a table tells nothing of seizures.
    """
    above = [each for each in sidecars_above(path) if each.name.endswith("events.json")]
    beside = (table, path.with_name(path.name.split(".")[0].rsplit("_", 1)[0] + "_events.tsv"))
    described: dict[str, Any] = {}
    for each in dict.fromkeys([*reversed(above), *(named.with_suffix(".json") for named in beside)]):
        described |= describing(each)
    try:
        return read_event_rows(table, described)
    except NoKindError as error:
        warn(
            f"{error}. Its events are passed over, and whether there are seizures is not known: if they are, add a "
            "column trial_type"
        )
        return None


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


def sidecars_above(path: Path) -> list[Path]:
    """Tables and descriptions that a recording inherits from its own folder and those above it, in its dataset."""
    if not is_bids_name(path):
        return []
    folders = list(path.resolve().parents)
    root = next((place for place, each in enumerate(folders) if (each / "dataset_description.json").is_file()), None)
    return [
        each
        for folder in ([] if root is None else folders[: root + 1])
        for each in map(folder.joinpath, names_in(folder))
        if each.suffix in (".tsv", ".json") and _entities(each) < _entities(path)
        if each.stem.rpartition("_")[2] in ("events", "channels", "electrodes", "coordsystem", "ieeg", "eeg")
    ]


def names_in(folder: Path) -> list[str]:
    """Sorted names of what is in a folder, listed once for many recordings in it."""
    changed = folder.stat().st_mtime_ns
    if time.time_ns() - changed <= _SETTLED_NS:
        return sorted(os.listdir(folder))
    return _names_since(os.path.abspath(folder), changed)


@lru_cache(maxsize=16)
def _names_since(folder: str, changed: int) -> list[str]:
    del changed  # tells one state of the folder from the next
    return sorted(os.listdir(folder))


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
    rows = read_table(table)
    matched, _ = match_names([row.get("name", "") for row in rows], source.channel_names or [])
    positions = np.full((source.channel_count, 3), np.nan)
    for row, place in matched.items():
        positions[place] = [metres * _coordinate(rows[row].get(axis, "")) for axis in "xyz"]
    if not matched and rows:
        in_table = listed(row.get("name", "") for row in rows)
        warn(
            f"{source.name}: {table.name} has none of its channels ({listed(source.channel_names or ())}), "
            f"but {in_table}; where they lie is not known: correct the names in that table"
        )
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


def with_channels(source: Source, table: Path) -> Source:
    """Take names, types, status and units from `channels.tsv`, by name; what it does not list is left out."""
    rows = _rows_of_channels(table)
    row_of, not_listed = _rows_by_place(source, [row["name"] for row in rows], table)
    in_file = source.channel_names or [""] * source.channel_count
    row_of_channel = [rows[row_of[place]] if place in row_of else {} for place in range(source.channel_count)]
    names = unique_names(
        [row.get("name", name) for row, name in zip(row_of_channel, in_file, strict=True)], source.name
    )
    flags = {column: [row.get(column, "") for row in row_of_channel] for column in rows[0] if is_flag(column)}
    flagged = set(flagged_bad(flags, names, table.name))
    _tell_of_types(names, [row.get("type", "") for row in row_of_channel], table.name)
    types, types_stated, bad, units = [], [], {}, []
    epileptic: dict[str, str] = {}
    file_types = source.channel_types or ["seeg"] * source.channel_count
    for place, row in enumerate(row_of_channel):
        stated = row.get("type", "").upper()
        types_stated.append(stated not in ("", "N/A"))
        types.append(_TYPES.get(stated, stated.lower()) if types_stated[-1] else file_types[place])
        if names[place] in flagged:
            description = row.get("status_description", "")
            bad[names[place]] = f"bad ({description})" if description.lower() not in ("", "n/a") else "bad"
            if _EPILEPTIC.fullmatch(description):
                epileptic[names[place]] = description
        elif in_file[place] in source.bad_channels:
            bad[names[place]] = source.bad_channels[in_file[place]]
        elif place in not_listed:
            bad[names[place]] = f"not listed in {table.name}"
        # The header comes first: the table may speak of the file that this one was made from. It fills in what
        # the header leaves open.
        units.append(row.get("units", "") if _is_open(source.units[place]) else source.units[place])
    _tell_of_epileptic(epileptic, table.name)
    _tell_of_other_rates(source, row_of_channel, names, table.name)
    _tell_of_descriptions(
        {name: row for name, row in zip(names, row_of_channel, strict=True) if name not in bad}, table.name
    )
    return replace(
        source, channel_names=names, channel_types=types, types_stated=types_stated, bad_channels=bad, unit=units
    )


def _rows_of_channels(table: Path) -> list[dict[str, str]]:
    columns, rows = parse_table(table)
    if "name" not in columns:
        raise ValueError(
            f"{table} has the columns {listed(columns)}; expected name, type, units, ... with tabs between them; "
            "correct it, or move it away to read the file without it"
        )
    named = [row for row in rows if row["name"]]
    if not named:
        raise ValueError(f"{table} lists no channel; correct it, or move it away to read the file without it")
    return named


def _tell_of_epileptic(channels: Mapping[str, str], table: str) -> None:
    """Warn of channels that are called bad for what a brain with epilepsy does there, not for how it was recorded."""
    if channels:
        reasons = listed(repr(reason) for reason in dict.fromkeys(channels.values()))
        warn(
            f"{table} calls {counted(len(channels), 'channel')} bad for being epileptic ({reasons}), which are left "
            f"out although seizures may begin there: {listed(channels)}; pass "
            f'channel_types={{"{next(iter(channels))}": "seeg", ...}} to read them'
        )


def _tell_of_other_rates(source: Source, rows: Sequence[Mapping[str, str]], names: Sequence[str], table: str) -> None:
    """Warn of channels whose rate in the table is not that of the file."""
    rates = source.rates or [source.sampling_rate or 0.0] * len(names)
    stated = [_number_in(row, "sampling_frequency") for row in rows]
    other = {
        name: f"{in_table:g} Hz in the table, {rate:g} Hz in the file"
        for name, in_table, rate in zip(names, stated, rates, strict=True)
        if in_table and rate > 0 and abs(rate / in_table - 1) > _SAME_RATE
    }
    if other:
        name = next(iter(other))
        warn(
            f"{source.name}: the sampling_frequency of {counted(len(other), 'channel')} in {table} is not that of the "
            f"file, which is taken ({name}: {other[name]}); times in tables may be of another file: pass "
            "sampling_rate=... if the file is wrong"
        )


def _tell_of_descriptions(kept: Mapping[str, Mapping[str, str]], table: str) -> None:
    """Warn of channels that are kept although their description calls them bad."""
    described = {name: row.get("status_description", "") for name, row in kept.items()}
    told = {name: text for name, text in described.items() if speaks_of_bad(text)}
    if told:
        words = listed(map(repr, dict.fromkeys(told.values())))
        warn(
            f"{table} describes {counted(len(told), 'channel')} as {words}, whose status is not bad, and which are "
            f"kept: {listed(told)}; pass bad={list(told)[:1]} to leave them out"
        )


def _tell_of_types(names: Sequence[str], types: Sequence[str], table: str) -> None:
    """Warn of types that BIDS does not have, whose channels are left out: they may be intracranial."""
    unknown = {name: kind for name, kind in zip(names, types, strict=True) if kind.strip().upper() not in _KNOWN_TYPES}
    if unknown:
        name = next(iter(unknown))
        warn(
            f"{table} has the types {listed(dict.fromkeys(unknown.values()))}, which BIDS does not have; "
            f'these channels are left out ({listed(unknown)}): pass channel_types={{"{name}": "seeg"}} for what is '
            "intracranial"
        )


def _is_open(unit: str) -> bool:
    return microvolts_stated(unit) is None and not is_no_voltage(unit)


def _rows_by_place(source: Source, written: list[str], table: Path) -> tuple[dict[int, int], set[int]]:
    """Find the row of `channels.tsv` for each channel of the file that has one, and those that it does not list."""
    names = source.channel_names
    if names is None and len(written) == source.channel_count:
        return dict(enumerate(range(source.channel_count))), set()
    matched, doubtful = match_names(written, names or [])
    if not matched:
        in_file = listed(names or ["without names"])
        raise ValueError(
            f"{source.path}: none of its {source.channel_count} channels ({in_file}) is in {table}, which lists "
            f"{listed(written)}; correct the names in that table, or move it away to read the file without it"
        )
    row_of = {place: row for row, place in matched.items()}
    # One of several channels of a name is listed, and nobody knows which.
    known = {channel for channels in doubtful.values() for channel in channels}
    not_listed = {place for place, name in enumerate(names or []) if place not in row_of and name not in known}
    for text in _told_of_names(row_of, written, names or [], doubtful, table.name):
        warn(f"{source.name}: {text}")
    if not_listed:
        missing = [repr(name) for place, name in enumerate(names or []) if place in not_listed]
        warn(
            f"{source.name}: {table.name} has no row for {listed(missing)}, so {len(missing)} channels are left out; "
            f'add the rows, or pass channel_types={{{missing[0]}: "seeg"}}',
        )
    return row_of, not_listed


def _told_of_names(
    row_of: dict[int, int], written: list[str], names: list[str], doubtful: dict[str, list[str]], table: str
) -> Iterator[str]:
    """Say what the user has to know of names that are not the same in file and table."""
    in_file = names_in_file(names)
    pairs = [(name, written[row_of[place]]) for place, name in enumerate(names) if place in row_of]
    renamed = [f"{before!r} is {after!r}" for before, after in pairs if after not in (before, in_file[before])]
    if renamed:
        yield f"channels are called as in {table}; their names in the file differ ({listed(renamed)})"
    if doubtful:
        which = [f"{name!r} may be any of {channels}" for name, channels in doubtful.items()]
        yield f"rows of {table} that cannot be told apart are passed over ({listed(which)}); name channels once only"
    used = set(row_of.values())
    not_there = [repr(name) for row, name in enumerate(written) if row not in used and name not in doubtful]
    if not_there:
        yield f"rows of {table} are passed over, since the file has no channel {listed(not_there)}"


def _number_in(content: Mapping[str, Any], key: str) -> float | None:
    """Return a number of a description, also where its unit stands behind it."""
    number = re.match(r"\s*(\d+(\.\d+)?)", str(content.get(key)))
    return None if number is None else float(number[1])


def _tell_interruptions(content: Mapping[str, Any], source: Source, description: str) -> None:
    kind = str(content.get("RecordingType")).lower()
    if kind in ("discontinuous", "epoched") and not source.gaps:
        warn(
            f"{source.name}: {description} says that the recording is {kind}, and the file does not tell "
            "where it was interrupted; times count its samples, and those in tables may not",
        )


def _tell_of_another_file(content: Mapping[str, Any], source: Source, description: str) -> None:
    """Warn of a rate or a length that is not that of the file: one of the two was cut, or made from another one."""
    rates = source.rates or [source.sampling_rate or 0.0]
    rate = _number_in(content, "SamplingFrequency")
    if rate and all(each > 0 and abs(each / rate - 1) > _SAME_RATE for each in rates):
        stated = listed(sorted({f"{each:g} Hz" for each in rates}))
        warn(
            f"{source.name}: {description} says {rate:g} Hz, and the file {stated}, which is taken; pass "
            f"sampling_rate={rate:g} if the file is wrong"
        )
    duration = _number_in(content, "RecordingDuration")
    held = source.num_samples / source.sampling_rate if source.sampling_rate else None
    if duration and held and not source.gaps and abs(duration - held) > max(1.0, _SAME_LENGTH * duration):
        warn(
            f"{source.name}: {description} says that it lasts {duration:g} s, and the file holds {held:.2f} s; it may "
            "have been cut, and times in tables may be of another file"
        )


def _read_json(path: Path) -> dict[str, Any]:
    check_fetched(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected names with values, as BIDS has it")
    return content
