"""Neurodata Without Borders files, opened with pynwb and read on demand with h5py."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, without
from ..source import Source
from ..units import factors_entered
from .mne_raw import quiet_mne
from .nwb_electrodes import as_text, electrodes_of, positions_of, rows_of
from .nwb_events import events_of, invalid_of
from .timestamps import clock_of

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.base import TimeSeries

# Sessions are shorter [s]: larger times count from 1970.
_LONGEST_S = 366 * 86400


@dataclass
class _NwbReader:
    """Opens the file at each read, so that a recording sent to another process carries a path only."""

    path: Path
    dataset: str
    scale: np.ndarray = field(repr=False)
    offset: float
    channels_first: bool

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        import h5py

        places = np.asarray(channels)
        with h5py.File(self.path, "r") as file:
            data = file[self.dataset]
            if data.ndim == 1:
                block = data[start:stop][None]
            elif self.channels_first:
                block = data[places, start:stop]
            elif 2 * len(places) > data.shape[1]:
                # HDF5 is slow at picking many columns.
                block = data[start:stop].T[places]
            else:
                block = data[start:stop, places].T
        return block * self.scale[places, None] + self.offset


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
        No such series, several of them, or one whose samples, electrodes or times do not fit together.
    """
    try:
        from pynwb import NWBHDF5IO
    except ImportError as error:
        raise ImportError(f"Reading {path.name} needs pynwb: pip install 'brant_hf[nwb]'") from error

    _check_version(path)
    with NWBHDF5IO(str(path), mode="r", load_namespaces=True) as io:
        # What pynwb warns of is how the file keeps to the standard; what matters of that is checked here.
        with quiet_mne(path.name, tell=False), _told_in_one_line(path):
            nwb = io.read()
        return _source(nwb, _series(nwb, electrical_series, path), path)


@contextmanager
def _told_in_one_line(path: Path) -> Iterator[None]:
    """Say of what pynwb cannot put together only what it lacks, without all that it knows of the file."""
    try:
        yield
    except KeyError as error:
        if extension := re.search(r"'([\w-]+)' not a namespace", str(error)):
            raise ValueError(
                f"{path} is written with the extension {extension[1]} of NWB, whose description it does not hold; "
                "write it anew with pynwb where that is installed"
            ) from error
        raise
    except Exception as error:
        if lacks := re.search(r"Could not construct (\w+) object due to: (?:\w+\.__init__: )?([^\"]+)", str(error)):
            raise ValueError(
                f"{path} is no valid NWB: its {lacks[1]} cannot be read ({lacks[2].strip()}); write it anew with pynwb"
            ) from error
        raise


def _check_version(path: Path) -> None:
    """Refuse files of NWB 1, and of what is only called so: pynwb says of both that they are not valid."""
    import h5py

    with h5py.File(path, "r") as file:
        stated = file.get("nwb_version")
        version = as_text(stated[()]) if isinstance(stated, h5py.Dataset) else None
        if "nwb_version" in file.attrs:
            version = as_text(file.attrs["nwb_version"])
            if not version.startswith("1."):
                return
    what = (
        "states no version of NWB"
        if version is None
        else f"is of NWB {version.removeprefix('NWB-')}, and only NWB 2 is read"
    )
    raise ValueError(
        f"{path} {what}; write it anew with pynwb, or load its samples with h5py as an array (channels, samples) in "
        "microvolts and call open_recording(array, sampling_rate=..., channel_names=...)"
    )


def _source(nwb: "NWBFile", series: "TimeSeries", path: Path) -> Source:
    channel_count, stored, channels_first = _shape(series, path)
    rate, first, segments = _clock(series, stored, path)
    num_samples = length_of(segments)
    segments = without(segments, invalid_of(nwb, series, first), rate, path.name)
    names, types, bad = electrodes_of(series) if hasattr(series, "electrodes") else (None, None, {})
    # External links keep the samples in another file.
    file = Path(series.data.file.filename).resolve()
    called = names or [f"CH{place + 1}" for place in range(channel_count)]
    scale = factors_entered(_scale(series, channel_count, path), called, path.stem)
    reader = _NwbReader(file, series.data.name, scale, float(series.offset or 0.0), channels_first)
    return Source(
        name=path.stem,
        subject=_subject(nwb),
        num_samples=num_samples,
        channel_count=channel_count,
        sampling_rate=rate,
        channel_names=names,
        channel_types=types,
        # A group that tells nothing is taken as one of depth electrodes.
        types_stated=False if types is None else [channel_type != "seeg" for channel_type in types],
        bad_channels=bad,
        events=events_of(nwb, first, path),
        gaps=gaps_of(segments, rate),
        start_date=_start_date(nwb, first),
        positions=positions_of(series) if hasattr(series, "electrodes") else None,
        read=ClockReader(reader, segments),
        unit=_unit(series),
        path=path,
    )


def _series(nwb: "NWBFile", wanted: str | None, path: Path) -> "TimeSeries":
    from pynwb.base import TimeSeries
    from pynwb.ecephys import ElectricalSeries, SpikeEventSeries

    stored = (item for item in nwb.objects.values() if isinstance(item, TimeSeries))
    every = sorted(stored, key=lambda item: (item.name, _place(item)))
    found = [item for item in every if isinstance(item, ElectricalSeries) and not isinstance(item, SpikeEventSeries)]
    others = [item for item in every if not isinstance(item, ElectricalSeries) and _is_signal(item)]
    if wanted is not None:
        return _wanted(found, others, wanted, path)
    # What was recorded comes before what was made from it, which often stands in a container beside it.
    acquired = list(nwb.acquisition.values())
    direct = [series for series in found if any(series is item for item in acquired)]
    candidates = direct or [series for series in found if any(series.parent is item for item in acquired)] or found
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        hint = f"; it has {_called(others)}, read one with electrical_series=..." if others else ""
        raise ValueError(f"{path} has no ElectricalSeries; expected one with intracranial signals{hint}")
    raise ValueError(
        f"{path} has several ElectricalSeries: {_called(candidates)}; say which with electrical_series=..."
    )


def _wanted(found: Sequence["TimeSeries"], others: Sequence["TimeSeries"], wanted: str, path: Path) -> "TimeSeries":
    """Find the series of a name, or of the name of what holds it and its own: `LFP_macro/ElectricalSeries`."""
    named = [series for series in (*found, *others) if wanted in (series.name, _place(series))]
    if not named:
        raise ValueError(f"{path} has no ElectricalSeries {wanted!r}; it has {_called(found or others)}")
    if len(named) > 1:
        raise ValueError(f"{path} has several ElectricalSeries {wanted!r}; say which: {_called(named)}")
    return named[0]


def _called(series: Sequence["TimeSeries"]) -> list[str]:
    """Names that tell series apart."""
    names = [each.name for each in series]
    return [each.name if names.count(each.name) == 1 else _place(each) for each in series]


def _place(series: "TimeSeries") -> str:
    holder = series.parent.name if series.parent is not None else ""
    return f"{'acquisition' if holder == 'root' else holder}/{series.name}"


def _is_signal(series: "TimeSeries") -> bool:
    """Whether a series holds numbers in two dimensions, of which one is long."""
    data = series.data
    return getattr(data, "ndim", 0) == 2 and data.dtype.kind in "fiu" and max(data.shape) >= 100


def _shape(series: "TimeSeries", path: Path) -> tuple[int, int, bool]:
    """Channels, samples, and whether the data are stored channels first."""
    shape = series.data.shape
    if len(shape) > 2 or 0 in shape:
        raise ValueError(f"{path}: {series.name} has the shape {shape}; expected (samples, channels)")
    channels = len(rows_of(series)) if hasattr(series, "electrodes") else min(shape) if len(shape) == 2 else 1
    if len(shape) == 1:
        if channels != 1:
            raise ValueError(f"{path}: {series.name} has one row of samples for {channels} electrodes")
        return 1, shape[0], False
    if shape[1] == channels:
        return channels, shape[0], False
    if shape[0] == channels:
        warn(
            f"{path.name}: {series.name} has the shape {shape} with {channels} electrodes; it is read as "
            "(channels, samples), other than the format asks"
        )
        return channels, shape[1], True
    raise ValueError(
        f"{path}: {series.name} has the shape {shape}, but {channels} electrodes; which column belongs to which "
        "electrode is not known"
    )


def _scale(series: "TimeSeries", channels: int, path: Path) -> np.ndarray:
    """Factor from the stored numbers of each channel to the unit that is stated."""
    scale = np.full(channels, float(series.conversion))
    if getattr(series, "channel_conversion", None) is None:
        return scale
    of_channels = np.asarray(series.channel_conversion[:], dtype=float)
    if of_channels.shape != scale.shape:
        raise ValueError(
            f"{path}: {series.name} has {channels} channels but {of_channels.size} factors in channel_conversion; "
            "which belongs to which channel is not known: write one for each"
        )
    return scale * of_channels


def _clock(series: "TimeSeries", stored: int, path: Path) -> tuple[float, float, list[Segment]]:
    """Return the sampling rate [Hz], the time of the first sample [s] and the parts between gaps."""
    if series.rate is not None:
        return float(series.rate), float(series.starting_time or 0.0), [Segment(0, 0, stored)]
    if series.timestamps is None:
        raise ValueError(f"{path}: {series.name} has neither a rate nor timestamps")
    if len(series.timestamps) != stored:
        raise ValueError(f"{path}: {series.name} has {stored} samples but {len(series.timestamps)} timestamps")
    return clock_of(series.timestamps, f"{path}: the timestamps of {series.name}")


def _unit(series: "TimeSeries") -> str:
    """Return the unit as the file writes it; pynwb says volts whatever stands there."""
    stated = getattr(series.data, "attrs", {}).get("unit", "")
    return stated.decode("utf-8", "replace") if isinstance(stated, bytes) else str(stated)


def _start_date(nwb: "NWBFile", first: float) -> datetime | None:
    """When the first sample was taken; not known where times count from another moment than the file says."""
    if abs(first) > _LONGEST_S:
        return None
    reference = nwb.timestamps_reference_time or nwb.session_start_time
    return None if reference is None else reference + timedelta(seconds=first)


def _subject(nwb: "NWBFile") -> str | None:
    return None if nwb.subject is None or not nwb.subject.subject_id else str(nwb.subject.subject_id)
