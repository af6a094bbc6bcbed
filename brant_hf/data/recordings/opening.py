"""`open_recording`: from a path or an array to a `Recording`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...bad_input import check_mapping, several
from ...events.event import EventLike, SeizureEvent, without_stretches
from ...events.remarks import StatedSeizures, Stretch, seizures_from_events, tell_of_none
from ...events.tables import is_detection_table, other_entities, stated_duration
from ...events.vocabulary import EventRow, check_event_types
from ...files import check_fetched
from ...listing import counted, listed
from ...user_warnings import warn, warnings_noted
from .amplitudes import are_clocks
from .beside import channels_beside, read_events_beside, tell_of_tables_not_read
from .bids import bids_source, event_rows_of, events_of, is_bids_name, named_by_bids, with_channels
from .channels import (
    BAD_AS_GIVEN,
    LOWEST_RATE_HZ,
    ChannelTable,
    by_channel,
    checked_types,
    names_given,
    select_channels,
    unique_names,
)
from .foreign import instead_of_folder
from .formats import FOLDER_SUFFIXES, is_recording_folder, is_recording_name, read_events_of, read_source
from .part import part_of
from .readers.arrays import array_source
from .readers.mne_raw import object_source
from .recording import Recording, RecordingSource, is_raw
from .scales import Scales, judge_scales
from .seizures import Origin, seizures_of_part, settle_seizures
from .source import ChannelReader, Source
from .units import microvolts_per

if TYPE_CHECKING:
    from mne.io import BaseRaw

# How a file that does not tell its sampling rate can.
_RATE_IN_FILE = {
    ".mat": ", or keep it in the file as a variable fs",
    ".npz": ", or keep it in the file as an array fs",
    ".npy": ", or save the samples as .npz, with an array fs beside them",
}
_RATE_WITH_ARRAY = ', or {"array": ..., "sampling_rate": ...} in place of the array'
# Lengths in tables are rounded to less than this [s].
_SAME_LENGTH_S = 1.0
_CLOCK = "it rises by the same step with each sample, as times do"


@dataclass
class _AmplifiedReader:
    read: ChannelReader = field(repr=False)
    gain: float

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        return self.read(channels, start, stop) * self.gain


@dataclass
class _MicrovoltReader:
    read: ChannelReader = field(repr=False)
    channels: list[int]
    scale: np.ndarray
    name: str

    def stored(self, start: int, stop: int) -> np.ndarray:
        try:
            return self.read(self.channels, start, stop)
        except Exception as error:
            # A damaged file makes a reader fail in any way there is.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OSError(f"{self.name}: the samples {start} to {stop} cannot be read: {reason}") from error

    def __call__(self, start: int, stop: int) -> np.ndarray:
        samples = self.stored(start, stop)
        if samples.dtype == np.float32 and (self.scale == 1).all():
            return samples
        # Computed in fp32 at once: an array of fp64 in between makes this several times slower.
        return np.multiply(samples, self.scale[:, None], dtype=np.float32, casting="same_kind")


def open_recording(
    path_or_array: RecordingSource,
    sampling_rate: float | None = None,
    channel_names: Sequence[str] | None = None,
    seizures: str | os.PathLike | Sequence[EventLike] | None = None,
    *,
    subject: str | None = None,
    name: str | None = None,
    unit: str | Mapping[str, str] | None = None,
    gain: float = 1.0,
    channels: str | Sequence[str] | None = None,
    bad: str | Sequence[str] | None = None,
    channel_types: Mapping[str, str] | None = None,
    event_types: Mapping[str, str] | None = None,
    start: float | None = None,
    stop: float | None = None,
    electrical_series: str | None = None,
) -> Recording:
    """Open one recording without loading its samples.

    Reads arrays, `.npy`, `.npz`, NWB, EDF and BDF (with `+C` and `+D`), and every other format of `mne.io.read_raw`
    (BrainVision, FIF, MEF3, Micromed, Neuralynx, Nihon Kohden, Persyst, Blackrock, Intan, EEGLAB, ...). Of a `.mat`
    file (FieldTrip, EEGLAB, or a matrix with its sampling rate beside it) it reads the one matrix that can only be the
    signal. A file named as in BIDS (`sub-01_task-rest_ieeg.edf`) is read together with the files that describe it:
    channel types and status from `channels.tsv`, seizures from `events.tsv`, mains frequency from the `.json`. Beside
    any other file `NAME.edf`, `NAME_channels.tsv` and `NAME_events.tsv` are such tables. Channels that the table does
    not list are left out.

    Kept are sEEG, ECoG and DBS channels, and EEG-typed ones with a warning where nothing tells scalp from intracranial
    (a plain EDF types everything as EEG; names such as `EKG1`, `DC3`, `Fp1` decide then). Bad channels and all others
    are left out, each with its reason in `Recording.excluded_channels`. Where channels have different sampling rates,
    those at the rate of most of the neural ones are read.

    Parameters
    ----------
    path_or_array : str, os.PathLike, np.ndarray, mne.io.Raw, Recording or dict
        A file (for MEF3, Neuralynx, Intan and Open Ephys a folder), an array of shape `(channels, samples)` in
        microvolts, a recording of MNE-Python, or a dictionary with `"array"`, `"sampling_rate"` and, if wanted,
        `"channel_names"`. A recording is returned as is, or the part of it from `start` to `stop`; nothing else can be
        said of it any more.
    sampling_rate : float or None
        [Hz]. Required for an array; overrides the file otherwise.
    channel_names : list[str] or None
        One name for each channel of the file or array, left-out ones included. Overrides the file; `CH1`, `CH2`, ...
        for arrays.
    seizures : list[tuple] or str or None
        `(onset, offset)` or `(onset, offset, channels)` in seconds from the start, or events as a detector gives them;
        or the path of a table of events as BIDS and SzCORE write it, or of an EDF+ file that holds annotations.
        Overrides what the file says; `[]` for no
        seizures. By default they come from, in this order: the BIDS `events.tsv`; a table beside the file
        (`NAME_events.tsv`, `NAME.tsv`); annotations in the file. Of a seizure without an offset (`None`), the first
        10 s count as seizure and what follows is in `Recording.uncertain`; one that passes the end is cut there, both
        with a warning. One that lies outside is refused where it is given here, and left out with a warning where a
        file says so.
    subject : str or None
        The patient. By default from BIDS, from a folder `sub-...`, or from the header; otherwise the name of the file,
        with a warning, since two files of one patient then count as two patients when data are split.
    name : str or None
        Name of the recording; that of the file by default.
    unit : str or dict[str, str] or None
        What one number of the file or array is: `"V"`, `"mV"`, `"uV"` or `"nV"`, whatever the file states, and no
        amplitude is questioned then. By the name of a channel or a pattern (`{"LA*": "mV"}`) for some; the others are
        judged. Numbers of an `mne.io.Raw`, and of FIF files, are volts as a rule. By default what the file states for
        each channel, microvolts for arrays, as long as the amplitude of the channel bears it out (a standard deviation
        of 0.25 to 5000 microvolts); otherwise the amplitude tells, with a warning. See `Recording.scales`.
    gain : float
        Factor of all numbers of the file, before their unit is judged: 0.001 where an amplifier gain of 1000 was not
        taken out.
    channels : str, list[str] or None
        Channels to read: names, ranges (`"LA1-8"`) or patterns (`"LA*"`). All by default.
    bad : str, list[str] or None
        Channels to leave out, written in the same way, beside those that the file calls bad.
    channel_types : dict[str, str] or None
        By channel name or pattern `"seeg"`, `"ecog"`, `"dbs"` or `"eeg"` to keep a channel, anything else (`"misc"`)
        to leave it out. Goes before everything the file says.
    event_types : dict[str, str] or None
        Event texts or patterns (`"Krampf*"`) to `"seizure"`, `"onset"`, `"offset"`, `"ignore"` or `"uncertain"`,
        beside the words known already: SzCORE, HED-SCORE and TUSZ (`sz`, `sz_foc_ia`, `fnsz`, `bckg`) and those of
        clinical sets (`eeg sz start`, `SZ EVENT # (PB SZ)`, `seizure onset`, `FBTCS`, `offset`, ...). A warning names
        the remarks that speak of a seizure in other words.
    start : float or None
        First moment [s] to read: the recording is then this part of the file, with times of its own; see
        `Recording.offset`. The beginning of the file by default.
    stop : float or None
        Moment [s] before which the part ends; the end of the file by default.
    electrical_series : str or None
        Name of the `ElectricalSeries` to read, for NWB files that have several; with that of what holds it where two
        have the same (`"LFP_macro/ElectricalSeries"`).

    Returns
    -------
    Recording

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ImportError
        The format needs a package that is not installed.
    ValueError
        The file is damaged, truncated or of no known format; the array has a wrong shape or no sampling rate; no
        intracranial channel is left, or one is named that does not exist; seizures are impossible; `start` or `stop`
        is outside; something is said of a recording that is open already; amplitudes are impossible in any unit (a
        standard deviation above 0.1 V).
    """
    options: dict[str, Any] = {
        "subject": subject,
        "unit": unit,
        "gain": gain,
        "channels": channels,
        "bad": bad,
        "channel_types": channel_types,
        "event_types": event_types,
    }
    if isinstance(path_or_array, Recording):
        others = {"channel_names": channel_names, "seizures": seizures, "electrical_series": electrical_series}
        _refuse_options(path_or_array, {"sampling_rate": sampling_rate, "name": name, **others, **options})
        return part_of(path_or_array, start, stop)
    if isinstance(path_or_array, Mapping):
        _check_dictionary(path_or_array)
        sampling_rate = path_or_array.get("sampling_rate") if sampling_rate is None else sampling_rate
        channel_names = path_or_array.get("channel_names") if channel_names is None else channel_names
        path_or_array = _as_array(path_or_array["array"])
    with warnings_noted() as texts:
        source = _source(path_or_array, electrical_series, seizures)
        source = source if name is None else replace(source, name=name)
        recording = recording_of_source(source, sampling_rate, channel_names, seizures, **options)
    recording.warnings = texts()
    return part_of(recording, start, stop)


def _refuse_options(recording: Recording, options: Mapping[str, Any]) -> None:
    """Raise a `ValueError` where something is said of a recording that was settled when it was opened."""
    given = [name for name, value in options.items() if value is not None and (name, value) != ("gain", 1)]
    if given:
        raise ValueError(
            f"{recording.name} is open already, so {listed(given)} would change nothing; give it where the file or "
            "array is opened"
        )


def recording_of_source(
    source: Source,
    sampling_rate: float | None = None,
    channel_names: Sequence[str] | None = None,
    seizures: str | os.PathLike | Sequence[EventLike] | None = None,
    *,
    subject: str | None = None,
    unit: str | Mapping[str, str] | None = None,
    gain: float = 1.0,
    channels: str | Sequence[str] | None = None,
    bad: str | Sequence[str] | None = None,
    channel_types: Mapping[str, str] | None = None,
    event_types: Mapping[str, str] | None = None,
) -> Recording:
    """Settles channels, units and seizures of what a reader found. Arguments as of `open_recording`."""
    check_event_types(event_types)
    source = _amplified(_named(source, channel_names), gain)
    left_out = by_channel(dict.fromkeys(names_given(bad, "bad"), BAD_AS_GIVEN), source, "bad")
    source = replace(source, bad_channels={**source.bad_channels, **left_out})
    types = by_channel(checked_types(channel_types or {}), source, "channel_types")
    types = {channel: kind for channel, kind in types.items() if channel not in left_out}
    table = select_channels(source, types, sampling_rate, channels)
    in_file = source.sampling_rate if table.sampling_rate is None else table.sampling_rate
    rate = _sampling_rate(in_file if sampling_rate is None else sampling_rate, source.name, source.path)
    source = _at_rate(source, table.sampling_rate)
    table.excluded.update(source.left_out)
    _leave_out_clocks(source, table, types)
    scales = _scales(source, table, rate, unit)
    table.leave_out(scales.left_out, scales.left_out)
    reader = _MicrovoltReader(source.read, table.indices, scales.factors, source.name)
    duration = source.num_samples / rate
    _tell_of_long_gaps(source, duration)
    stated, origin, told_by = _stated_seizures(source, seizures, duration, event_types)
    settled, uncertain = settle_seizures(stated, duration, table.names, table.excluded, source.name, origin)
    subject, subject_from = (subject, "given") if subject else _subject_of(source)
    return Recording(
        name=source.name,
        subject=subject,
        channel_names=table.names,
        channel_types=table.types,
        sampling_rate=rate,
        num_samples=source.num_samples,
        seizures=settled,
        uncertain=uncertain,
        seizures_from=told_by,
        excluded_channels=table.excluded,
        gaps=list(source.gaps),
        events=list(source.events),
        units=[source.units[index] for index in table.indices],
        scales=(gain * scales.factors).tolist(),
        # A gain is the user's word on what a number is, beside the unit of the file.
        scales_from=["given" if gain != 1 and known == "file" else known for known in scales.known_from],
        subject_from=subject_from,
        line_frequency=source.line_frequency,
        start_date=source.start_date,
        positions=None if source.positions is None else source.positions[table.indices],
        coordinate_space=source.coordinate_space,
        path=source.path,
        source=reader,
    )


def _source(given: Any, electrical_series: str | None, seizures: Any) -> Source:
    if is_raw(given):
        origin = _origin_of(given)
        source = object_source(given, origin)
        return named_by_bids(origin, source) if origin is not None and is_bids_name(origin) else source
    if (isinstance(given, np.ndarray | Sequence) and not isinstance(given, str | bytes)) or _is_tensor(given):
        return array_source(_as_array(given))
    if not isinstance(given, str | os.PathLike):
        raise ValueError(
            f"{type(given).__name__} is no recording; expected a path, an array (channels, samples), an mne.io.Raw, "
            'a Recording, or a dictionary with "array" and "sampling_rate"'
        )
    path = Path(given).expanduser()
    if path.is_symlink():
        check_fetched(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a recording file")
    if path.is_dir() and not is_recording_folder(path):
        if remedy := instead_of_folder(path, ()):
            raise ValueError(f"{path} is not read as a recording; {remedy}")
        raise ValueError(
            f"{path} is a folder; expected one recording. List those of a folder with find_recordings({str(path)!r})"
        )
    source = read_source(path, electrical_series=electrical_series)
    table = Path(seizures) if isinstance(seizures, str | os.PathLike) else None
    tell_of_tables_not_read(path, source.name, table)
    if is_bids_name(path):
        return bids_source(path, source, events_given=seizures is not None)
    channels = channels_beside(path)
    try:
        return source if channels is None else with_channels(source, channels)
    except ValueError as error:
        # Unlike in BIDS, nobody has said that a file of this name is about the recording.
        warn(f"{source.name}: a table of channels beside it is passed over: {error}")
        return source


def _is_tensor(given: Any) -> bool:
    """Whether it is a tensor of torch, which is not imported to know."""
    return hasattr(given, "detach")


def _as_array(given: Any) -> np.ndarray:
    if _is_tensor(given):  # of any precision, with or without gradients
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
    return np.asarray(given)


def _origin_of(raw: BaseRaw) -> Path | None:
    """Find the file that an object was opened from, or the folder around it that is the recording."""
    files = [Path(name) for name in raw.filenames or () if name]
    # Several files are parts of one recording in FIF, and recordings that were joined otherwise.
    if not files or not files[0].exists() or (len(files) > 1 and ".fif" not in files[0].name):
        return None
    return next((parent for parent in files[0].parents if parent.suffix.lower() in FOLDER_SUFFIXES), files[0])


def _check_dictionary(given: Mapping[str, Any]) -> None:
    if not {"array"} <= set(given) <= {"array", "sampling_rate", "channel_names"}:
        raise ValueError(
            f'got a dictionary with the keys {", ".join(map(repr, given))}; expected "array" (channels, samples) in '
            'microvolts, "sampling_rate" in Hz and, if wanted, "channel_names"'
        )


def _sampling_rate(rate: float | None, name: str, path: Path | None) -> float:
    if rate is None:
        kept = _RATE_WITH_ARRAY if path is None else _RATE_IN_FILE.get(path.suffix.lower(), "")
        raise ValueError(f"{name}: its sampling rate is not known; pass sampling_rate=... (Hz){kept}")
    if not (isinstance(rate, Real) and math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name}: the sampling rate has to be a positive number of Hz, got {rate!r}")
    if rate < LOWEST_RATE_HZ:
        warn(
            f"{name}: its sampling rate is {rate:g} Hz, at which no EEG is recorded; pass sampling_rate=... in Hz if "
            "it is another, as where it was told in kHz"
        )
    return float(rate)


def _named(source: Source, given: Sequence[str] | None) -> Source:
    """Give every channel of the file its unique name: the one that the user gives, or that of the file."""
    in_file = source.channel_names
    if isinstance(given, str) or not isinstance(given, Iterable | None):
        raise ValueError(f"{source.name}: channel_names is {given!r}; expected a list with a name for each channel")
    names = in_file if given is None else list(given)
    if names is None:
        names = [f"CH{index + 1}" for index in range(source.channel_count)]
    if len(names) != source.channel_count:
        raise ValueError(
            f"{source.name}: {len(names)} channel names for {source.channel_count} channels; give one for each "
            f"channel of the recording{'' if in_file is None else ', which are ' + str(in_file)}"
        )
    names = unique_names(names, source.name)
    bad = {
        name: source.bad_channels[before]
        for name, before in zip(names, in_file or names, strict=True)
        if before in source.bad_channels
    }
    return replace(source, channel_names=names, bad_channels=bad)


def _at_rate(source: Source, rate: float | None) -> Source:
    """Count samples at the rate that is read [Hz]."""
    if rate is None or source.sampling_rate is None or rate == source.sampling_rate or not math.isfinite(rate):
        return source
    return replace(source, sampling_rate=rate, num_samples=round(source.num_samples * rate / source.sampling_rate))


def _amplified(source: Source, gain: float) -> Source:
    """Multiply all numbers by a factor."""
    if not (isinstance(gain, Real) and math.isfinite(gain) and gain != 0):
        raise ValueError(f"{source.name}: gain is {gain!r}; it must be a number other than 0")
    return source if gain == 1 else replace(source, read=_AmplifiedReader(source.read, gain))


def _leave_out_clocks(source: Source, table: ChannelTable, given: Container[str]) -> None:
    """Leave out a column of times or of numbers of samples that stands among the signals."""
    numbers = _MicrovoltReader(source.read, table.indices, np.ones(len(table.indices)), source.name)
    # A column of times goes on in a gap, one of numbers of samples does not: both rise evenly where there is none.
    rate = source.sampling_rate or 1.0
    gaps = [(round(start * rate), round(stop * rate)) for start, stop in source.gaps]
    pieces = without_stretches([(0, source.num_samples)], gaps) or [(0, source.num_samples)]
    first, stop = (int(place) for place in max(pieces, key=lambda piece: piece[1] - piece[0]))
    is_clock = are_clocks(lambda begin, end: numbers.stored(first + begin, first + end), stop - first)
    found = zip(table.names, is_clock, strict=True)
    clocks = [name for name, rises in found if rises and name not in given]
    if clocks and len(clocks) < len(table.names):
        table.leave_out(clocks, _CLOCK)
        warn(
            f"{source.name}: {listed(clocks)} {'rises' if len(clocks) == 1 else 'rise'} by the same step with each "
            f"sample, as times do, and {'is' if len(clocks) == 1 else 'are'} left out; pass channel_types="
            f'{{"{clocks[0]}": "seeg"}} to read it all the same'
        )


def _scales(source: Source, table: ChannelTable, rate: float, given: str | Mapping[str, str] | None) -> Scales:
    """Microvolts of a number of each channel that is read."""
    units = [source.units[index] for index in table.indices]
    of_channels = {"*": given} if isinstance(given, str) else {} if given is None else given
    check_mapping("unit", of_channels, "one such as 'mV', or a dictionary such as {'LA*': 'mV'}")
    factors = {name: microvolts_per(unit) for name, unit in by_channel(of_channels, source, "unit").items()}
    if factors.keys() >= set(table.names):
        return Scales(np.array([factors[name] for name in table.names]), ["given"] * len(units))
    numbers = _MicrovoltReader(source.read, table.indices, np.ones(len(units)), source.name)
    return judge_scales(units, table.names, numbers, source.num_samples, rate, source.name, factors, source.gaps)


def _tell_of_long_gaps(source: Source, duration: float) -> None:
    missing = math.fsum(stop - start for start, stop in source.gaps)
    if missing > duration - missing:
        pieces = without_stretches([(0.0, duration)], source.gaps)
        warn(
            f"{source.name}: {duration - missing:.1f} s are recorded, in {counted(len(pieces), 'piece')}, with "
            f"{missing:.1f} s between them in which nothing is known. If it was recorded without such pauses, the "
            "clock of the file is wrong; export each piece as a file of its own"
        )


def _stated_seizures(
    source: Source,
    given: str | os.PathLike | Sequence[EventLike] | None,
    duration: float,
    event_types: Mapping[str, str] | None,
) -> tuple[StatedSeizures, Origin, str]:
    """Return what is said of seizures, by what kind of a source, and its name: empty where nobody tells of any.

    A table that tells of no seizure tells that there is none; other remarks of a file do not.
    """
    if isinstance(given, str | os.PathLike):
        rows = read_events_of(Path(given), source.start_date)
        if is_detection_table(given):
            warn(
                f"{source.name}: {given} holds what was detected, unchanged, and counts as known seizures since it "
                "was given; look at them first, and correct the table"
            )
        _tell_of_another_recording(Path(given), source, duration)
        return _stated_in_table(rows, source, Path(given).name, event_types), "table", Path(given).name
    if given is not None:
        return StatedSeizures([_stretch(each) for each in several(given)]), "given", "given"
    table = _read_table_of(source)
    if table is not None:
        path, rows = table
        _tell_of_another_recording(path, source, duration)
        stated = _stated_in_table(rows, source, path.name, event_types)
        if source.cropped is None:
            return stated, "table", path.name
        # The table is of the file, and the object may be a part of it.
        return seizures_of_part(stated, source.cropped, source.cropped + duration), "file", path.name
    stated = _stated_in_table(source.events, source, source.events_from, event_types)
    stated.seizures = [*source.seizures, *stated.seizures]
    file = source.path or source.origin
    tells = stated.seizures or stated.uncertain or source.events_from
    told_by = source.events_from or ("the recording" if file is None else file.name) if tells else ""
    return stated, "table" if source.path is not None and is_bids_name(source.path) else "file", told_by


def _tell_of_another_recording(table: Path, source: Source, duration: float) -> None:
    """Warn of a table that states a length or a name of the recording that is not that of this one."""
    if differing := other_entities((source.path or Path(source.name)).name, table.name):
        warn(
            f"{source.name}: by its name {table.name} is about another recording ({listed(differing)}); its events "
            "are taken as they are: make sure that it is the table of this recording"
        )
    # An object may be a part of what the table is about.
    stated = None if source.cropped or is_recording_name(table) else stated_duration(table)
    if stated is not None and abs(stated - duration) > _SAME_LENGTH_S:
        warn(
            f"{source.name}: {table.name} is about a recording of {stated:g} s, and this one lasts {duration:.2f} s; "
            "its events are taken as they are: make sure that it is the table of this recording"
        )


def _stated_in_table(
    rows: Sequence[EventRow], source: Source, table: str, event_types: Mapping[str, str] | None
) -> StatedSeizures:
    """Return what events say; of a table, whose name is given, what is strange where it says nothing."""
    stated = seizures_from_events(rows, source.name, event_types)
    if table and not event_types and not (stated.seizures or stated.uncertain or source.seizures):
        tell_of_none(source.name, rows, table)
    return stated


def _stretch(given: Any) -> Stretch:
    if not isinstance(given, Mapping | SeizureEvent):
        return given
    event = SeizureEvent.of(given)
    return event.onset, event.offset, None if event.channels is None else list(event.channels)


def _read_table_of(source: Source) -> tuple[Path, list[EventRow]] | None:
    """Read the table of events beside the file that a recording or an object comes from."""
    if source.origin is not None and is_bids_name(source.origin):
        table = events_of(source.origin)
        rows = None if table is None else event_rows_of(source.origin, table)
        return None if table is None or rows is None else (table, rows)
    file = source.origin or source.path
    return None if file is None else read_events_beside(file, source.start_date)


def _subject_of(source: Source) -> tuple[str, str]:
    """Return the subject, and how it is known."""
    file = source.path or source.origin
    if source.subject:
        return source.subject, "BIDS" if file is not None and is_bids_name(file) else "header"
    path = source.path or source.origin
    parts = () if path is None else tuple(reversed(path.parts))
    folders = (match[0] for part in parts if (match := re.match(r"sub-[a-zA-Z0-9+]+", part)))
    folder = next(folders, None)
    if folder is None and (path is not None or source.cropped is not None):
        warn(
            f"{source.name}: the file does not tell its subject, so its name is taken; pass subject=... if other "
            "files are of the same subject"
        )
    return (source.name, "name of the file") if folder is None else (folder, "folder")
