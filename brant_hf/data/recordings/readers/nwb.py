"""Neurodata Without Borders files, opened with pynwb and read on demand with h5py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....events.vocabulary import EventRow, meaning_of
from ..channels import unique_names
from ..source import Source

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.base import TimeSeries
    from pynwb.ecephys import ElectricalSeries

# Columns of the electrodes table that name a contact, best first.
_NAME_COLUMNS = ("channel_name", "electrode_name", "label", "name", "contact", "probe_electrode")
_TEXT_COLUMNS = ("label", "event_type", "eventType", "type", "description", "tags", "name", "trial_type")
_RATE_TOLERANCE = 1e-3


@dataclass
class _NwbReader:
    """Opens the file at each read, so that a recording sent to another process carries a path only."""

    path: Path
    dataset: str
    scale: np.ndarray = field(repr=False)
    offset: float

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        import h5py

        places = np.asarray(channels)
        with h5py.File(self.path, "r") as file:
            data = file[self.dataset]
            block = data[start:stop][:, None] if data.ndim == 1 else data[start:stop, places]
        return (block * self.scale[places] + self.offset).T


def nwb_source(path: Path, electrical_series: str | None = None) -> Source:
    """Open the intracranial signal of an NWB file.

    An `ElectricalSeries` with its conversion to volts, and its time intervals.

    Parameters
    ----------
    path : Path
        The file.
    electrical_series : str or None
        Name of the series to read where the file has several.

    Raises
    ------
    ImportError
        Pynwb is not installed.
    ValueError
        No such series, several of them, or samples that are not evenly spaced.
    """
    try:
        from pynwb import NWBHDF5IO
    except ImportError as error:
        raise ImportError(f"Reading {path.name} needs pynwb: pip install 'brant_hf[nwb]'") from error

    with NWBHDF5IO(str(path), mode="r", load_namespaces=True) as io:
        nwb = io.read()
        return _source(nwb, _series(nwb, electrical_series, path), path)


def _source(nwb: "NWBFile", series: "ElectricalSeries", path: Path) -> Source:
    data = series.data
    channel_count = 1 if data.ndim == 1 else data.shape[1]
    rate, first = _timing(series, path)
    scale = np.full(channel_count, float(series.conversion))
    if series.channel_conversion is not None:
        scale = scale * np.asarray(series.channel_conversion[:], dtype=float)
    names, types, bad = _electrodes(series)
    return Source(
        name=path.stem,
        subject=_subject(nwb),
        num_samples=int(data.shape[0]),
        channel_count=channel_count,
        sampling_rate=rate,
        channel_names=names,
        channel_types=types,
        bad_channels=bad,
        events=_events(nwb, first),
        start_date=_start_date(nwb, first),
        positions=_positions(series),
        # External links keep the samples in another file.
        read=_NwbReader(Path(data.file.filename), data.name, scale, float(series.offset or 0.0)),
        unit="V",
        path=path,
    )


def _series(nwb: "NWBFile", wanted: str | None, path: Path) -> "ElectricalSeries":
    from pynwb.ecephys import ElectricalSeries

    processed = [item for module in nwb.processing.values() for item in module.data_interfaces.values()]
    found = [
        series for item in (*nwb.acquisition.values(), *processed) for series in _electrical(item, ElectricalSeries)
    ]
    names = [series.name for series in found]
    if wanted is not None:
        if wanted not in names:
            raise ValueError(f"{path} has no ElectricalSeries {wanted!r}; it has {names}")
        return found[names.index(wanted)]
    # What was recorded comes before what was made from it.
    acquired = [series for item in nwb.acquisition.values() for series in _electrical(item, ElectricalSeries)]
    candidates = acquired or found
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ValueError(
            f"{path} has no ElectricalSeries; expected intracranial signals in acquisition or in a processing module"
        )
    raise ValueError(
        f"{path} has several ElectricalSeries: {[series.name for series in candidates]}; say which with "
        "electrical_series=..."
    )


def _electrical(item: Any, series_type: type) -> list["ElectricalSeries"]:
    if isinstance(item, series_type):
        return [item]
    # LFP and FilteredEphys are containers of series.
    return list(getattr(item, "electrical_series", {}).values())


def _timing(series: "TimeSeries", path: Path) -> tuple[float, float]:
    """Return the sampling rate [Hz] and time of the first sample [s]."""
    if series.rate is not None:
        return float(series.rate), float(series.starting_time or 0.0)
    timestamps = series.timestamps
    count = len(timestamps)
    if count < 2:
        raise ValueError(f"{path}: {series.name} has {count} samples; at least 2 are needed")
    first, last = float(timestamps[0]), float(timestamps[count - 1])
    step = (last - first) / (count - 1)
    # Spread over the file, not all of it: there may be billions of timestamps.
    probed = np.unique(np.linspace(0, count - 1, min(count, 1000)).astype(int))
    error = np.abs(np.asarray(timestamps[probed], dtype=float) - (first + step * probed)).max()
    if step <= 0 or error > max(step, _RATE_TOLERANCE):
        raise ValueError(
            f"{path}: the timestamps of {series.name} are not evenly spaced (up to {error:.3g} s off), so it has "
            "gaps; split the file at them"
        )
    return 1.0 / step, first


def _electrodes(series: "ElectricalSeries") -> tuple[list[str], list[str], dict[str, str]]:
    electrodes = series.electrodes
    table, rows = electrodes.table, [int(row) for row in electrodes.data[:]]
    column = next((name for name in _NAME_COLUMNS if name in table.colnames), None)
    if column is not None:
        names = [str(table[column][row]) for row in rows]
    elif "group_name" in table.colnames:
        names = [f"{table['group_name'][row]}{table.id[row]}" for row in rows]
    else:
        names = [f"CH{table.id[row]}" for row in rows]
    names = unique_names(names, series.name)
    types = [_electrode_type(table, row) for row in rows]
    bad = {}
    for name, row in zip(names, rows, strict=True):
        if ("bad" in table.colnames and bool(table["bad"][row])) or (
            "good" in table.colnames and not bool(table["good"][row])
        ):
            bad[name] = "marked bad"
    return names, types, bad


def _electrode_type(table: Any, row: int) -> str:
    """Tell the scalp channels of a series from the intracranial ones, which only the group does."""
    group = table["group"][row] if "group" in table.colnames else None
    described = " ".join(
        str(text).casefold()
        for text in (
            getattr(group, "name", ""),
            getattr(group, "description", ""),
            getattr(getattr(group, "device", None), "name", ""),
        )
    )
    for word, channel_type in (
        ("scalp", "eeg"),
        ("ecog", "ecog"),
        ("grid", "ecog"),
        ("strip", "ecog"),
        ("dbs", "dbs"),
    ):
        if word in described:
            return channel_type
    return "seeg"


def _positions(series: "ElectricalSeries") -> np.ndarray | None:
    """Positions of the contacts, `(channels, 3)` [m], `None` where the table has none.

    The format asks for micrometres, and many files hold millimetres or metres. Brains are a few centimetres large, so
    the size of the numbers tells the three apart.
    """
    table, rows = series.electrodes.table, [int(row) for row in series.electrodes.data[:]]
    if not {"x", "y", "z"} <= set(table.colnames):
        return None
    positions = np.array([[float(table[axis][row]) for axis in "xyz"] for row in rows])
    largest = np.nanmax(np.abs(positions), initial=0.0)
    if not 0 < largest < np.inf:
        return None
    return positions * (1.0 if largest < 0.3 else 1e-3 if largest < 300 else 1e-6)


def _start_date(nwb: "NWBFile", first: float) -> datetime | None:
    """When the first sample was taken."""
    reference = nwb.timestamps_reference_time or nwb.session_start_time
    return None if reference is None else reference + timedelta(seconds=first)


def _subject(nwb: "NWBFile") -> str | None:
    return None if nwb.subject is None or not nwb.subject.subject_id else str(nwb.subject.subject_id)


def _events(nwb: "NWBFile", first: float) -> list[EventRow]:
    """Rows of all tables of time intervals, and annotation series, in seconds from the first sample."""
    from pynwb.misc import AnnotationSeries

    tables = {**(dict(nwb.intervals) if nwb.intervals else {}), "epochs": nwb.epochs, "trials": nwb.trials}
    events = []
    for name, table in tables.items():
        if table is None:
            continue
        # A table may hold one kind of event, which its name tells, or several, which a column tells.
        column = next((column for column in _TEXT_COLUMNS if column in table.colnames), None)
        whole = meaning_of(name.replace("_", " ")) == "seizure"
        for row in range(len(table)):
            onset, offset = float(table["start_time"][row]) - first, float(table["stop_time"][row]) - first
            text = name.replace("_", " ") if whole or column is None else _text(table[column][row])
            events.append(EventRow(onset, offset - onset, text))
    for series in nwb.acquisition.values():
        if isinstance(series, AnnotationSeries):
            for time, text in zip(series.timestamps[:], series.data[:], strict=True):
                events.append(EventRow(float(time) - first, 0.0, _text(text)))
    return events


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return " ".join(_text(item) for item in value) if isinstance(value, list | tuple | np.ndarray) else str(value)
