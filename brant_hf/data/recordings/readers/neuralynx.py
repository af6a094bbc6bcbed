"""Neuralynx: a folder of files (`.ncs`), one a channel, or one such file; and the events beside them (`.nev`).

Neo reads the headers, which changed much in twenty years. Records are read here: neo (and MNE-Python, which calls it)
reads every file to its end when it is opened, refuses channels with pauses at different places, and gives what stands
in a record behind its valid samples.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....files import check_fetched
from ....user_warnings import warn
from ..channels import NO_SCALE
from ..clock import ChannelClocksReader, Segment, gaps_of_channels, length_of, segments_of, tell_of_refused
from ..source import Source, known_start
from .timestamps import starts_of_runs

_BEGINNING, _HEADER, _SAMPLES = b"########", 16384, 512
_RECORD = np.dtype(
    [("time", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("valid", "<u4"), ("samples", "<i2", _SAMPLES)]
)
_EVENT = np.dtype({"names": ["time", "text"], "formats": ["<u8", "S128"], "offsets": [6, 56], "itemsize": 184})
# What is appended to the name of a file when a recording goes on in a new one.
_CONTINUED = re.compile(r"_\d{4}$")
# Samples by which the time of a record may be off that of the one before; the second one is for clocks that jitter.
_TOLERANCES = (2, 64)
_LOOKED_AT, _FEWEST_STEPS = 200, 8
# Rates in headers are rounded; one that is off by more [fraction] is not the rate.
_ROUNDED = 1e-3


@dataclass
class _File:
    """A file: what its header says, and its records on disk."""

    path: Path
    header: Mapping[str, Any]
    records: np.ndarray

    @property
    def name(self) -> str:
        """Name of the channel."""
        name = str(self.header["channel_names"][0])
        return self.path.stem if name == "unknown" else name

    @property
    def gain(self) -> float:
        """Microvolts of a step, NaN where none is stated."""
        step = float(self.header.get("bit_to_microVolt", [np.nan])[0])
        return np.nan if step == 0 else step * (-1 if self.header.get("input_inverted") else 1)


@dataclass(frozen=True)
class _Run:
    """Records `[record, stop)` of a file that follow each other, all full but the last one; times in microseconds."""

    file: int
    record: int
    stop: int
    length: int
    time: int
    last_time: int


@dataclass
class _Channel:
    """A channel, its files in the order of time, what a step is worth [microvolts], and its runs."""

    name: str
    files: list[Path] = field(repr=False)
    gain: float
    rate: float
    runs: list[_Run] = field(repr=False)


@dataclass
class _RecordsReader:
    """Reads valid samples of one channel."""

    channels: list[_Channel] = field(repr=False)
    bounds: list[list[int]] = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        (place,) = channels
        channel, bounds = self.channels[place], self.bounds[place]
        found = []
        for number in range(bisect_right(bounds, start) - 1, bisect_left(bounds, stop)):
            run = channel.runs[number]
            low, high = max(start - bounds[number], 0), min(stop - bounds[number], run.length)
            first, last = low // _SAMPLES, -(-high // _SAMPLES)
            offset = _HEADER + (run.record + first) * _RECORD.itemsize
            records = np.fromfile(channel.files[run.file], _RECORD, last - first, offset=offset)
            samples = records["samples"].astype(float)
            # A record may be short within a run, with the next one at its usual time: what it lacks was not recorded.
            samples[np.arange(_SAMPLES) >= records["valid"][:, None]] = np.nan
            found.append(samples.ravel()[low - first * _SAMPLES : high - first * _SAMPLES])
        numbers = np.concatenate(found)
        if len(numbers) < stop - start:
            raise OSError(f"a file of the channel {channel.name} has become shorter since it was opened")
        return numbers[None] * channel.gain


def holds_neuralynx(folder: Path) -> bool:
    """Whether a folder holds files of Neuralynx, which are one recording."""
    return folder.is_dir() and any(_is_ncs(file) for file in folder.iterdir())


def neuralynx_source(path: Path) -> Source:
    """Open a folder of channels, or one of them.

    Raises
    ------
    ImportError
        Neo is not installed.
    ValueError
        A file is none of Neuralynx, no channel has samples, or the pauses are longer than what was recorded.
    """
    stored = _stored(path)
    channels, left_out = _channels(stored, path.name)
    if not channels:
        raise ValueError(f"{path} holds no samples; copy or export it again")
    begin = min(channel.runs[0].time for channel in channels)
    channels, segments, refused = _on_the_clock(channels, begin, path.name)
    rates = [channel.rate for channel in channels]
    rate = max(sorted(set(rates)), key=rates.count)
    duration = max(length_of(parts) / each for parts, each in zip(segments, rates, strict=True))
    bounds = [np.cumsum([0, *(run.length for run in channel.runs)]).tolist() for channel in channels]
    names = [channel.name for channel in channels]
    opened = [file.header["recording_opened"] for file in stored if "recording_opened" in file.header]
    return Source(
        name=path.name if path.is_dir() else path.stem,
        num_samples=round(duration * rate),
        channel_count=len(channels),
        sampling_rate=rate,
        rates=rates if len(set(rates)) > 1 else None,
        channel_names=names,
        bad_channels={channel.name: NO_SCALE for channel in channels if np.isnan(channel.gain)},
        left_out=left_out | refused,
        read=ChannelClocksReader(_RecordsReader(channels, bounds), segments),
        unit="uV",
        events=_events(path if path.is_dir() else path.parent, begin),
        gaps=gaps_of_channels(list(zip(segments, rates, strict=True)), duration),
        start_date=known_start(min(opened).replace(tzinfo=UTC) if opened else None),
        path=path,
    )


def _is_ncs(file: Path) -> bool:
    # macOS writes a `._name` beside each file on foreign disks.
    return file.suffix.lower() == ".ncs" and not file.name.startswith(".")


def _stored(path: Path) -> list[_File]:
    """Files in the order of the numbers in their names."""
    files = [path] if path.is_file() else [file for file in path.iterdir() if _is_ncs(file)]
    files.sort(key=lambda file: [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", file.name)])
    return [_File(file, _header(file), _records(file)) for file in files]


def _channels(stored: Sequence[_File], name: str) -> tuple[list[_Channel], dict[str, str]]:
    """Channels that have samples, and why the others are left out."""
    groups: dict[tuple[str, str], list[_File]] = defaultdict(list)
    for file in stored:
        groups[_CONTINUED.sub("", file.path.stem), file.name].append(file)
    # Names in headers stay those of the inputs where only the files were renamed.
    counts = Counter(in_header for _, in_header in groups)
    channels: list[_Channel] = []
    left_out: dict[str, str] = {}
    # Files of one recording have their pauses at the same records.
    known: list[list[_Run]] = []
    for (stem, in_header), files in groups.items():
        called = in_header if counts[in_header] == 1 else stem
        files = sorted((file for file in files if len(file.records)), key=lambda file: int(file.records["time"][0]))
        if not files:
            left_out[called] = "no samples"
            continue
        rate = _rate(files, name)
        runs = [run for number, file in enumerate(files) for run in _runs(file, number, rate, known)]
        channels.append(_Channel(called, [file.path for file in files], files[0].gain, rate, runs))
    return channels, left_out


def _header(file: Path) -> Mapping[str, Any]:
    with file.open("rb") as opened:
        beginning = opened.read(_HEADER)
    if not beginning.startswith(_BEGINNING) or len(beginning) < _HEADER:
        raise ValueError(f"{file} is no Neuralynx file: its header cannot be read; copy it again")
    try:
        from neo.rawio.neuralynxrawio.nlxheader import NlxHeader
    except ImportError as error:
        raise ImportError(f"Reading {file.name} needs neo: pip install 'brant_hf[neo]'") from error
    try:
        return NlxHeader(str(file))
    except OSError:
        # Without a time.
        return NlxHeader(str(file), props_only=True)
    except (AssertionError, KeyError, ValueError) as error:
        why = f"without {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{file}: its header is not understood ({why}); copy it again") from error


def _records(file: Path) -> np.ndarray:
    """Map the records of a file."""
    count, rest = divmod(max(file.stat().st_size - _HEADER, 0), _RECORD.itemsize)
    if rest:
        warn(f"{file.name}: it ends with {rest} bytes that are no whole record, so it was cut")
    return np.memmap(file, _RECORD, "r", _HEADER, (count,)) if count else np.empty(0, _RECORD)


def _rate(files: Sequence[_File], name: str) -> float:
    """Return the rate that the header states, or that of the clock where it is another one."""
    stated, steps = _stated_rate(files[0], name), list[int]()
    for times in (file.records["time"] for file in files):
        probed = np.unique(np.linspace(0, len(times) - 2, min(len(times) - 1, _LOOKED_AT)).astype(int))
        steps += [int(times[place + 1]) - int(times[place]) for place in probed.tolist()]
    step = float(np.median(steps)) if steps else 0.0
    # Between pauses, that is most of the time, the clock has one step.
    is_clear = len(steps) >= _FEWEST_STEPS and np.mean(np.abs(np.subtract(steps, step)) < _ROUNDED * step) > 0.5
    if step <= 0 or not is_clear or abs(_SAMPLES * 1e6 / step / stated - 1) < _ROUNDED:
        return stated
    rate = _SAMPLES * 1e6 / step
    warn(f"{name}: its header states {stated:g} Hz, and by the times of its records it is {rate:g} Hz, which is taken")
    return rate


def _stated_rate(file: _File, name: str) -> float:
    """Return the rate that the header of a file states, or that of its records."""
    stated = float(file.header.get("sampling_rate", 0))
    if stated > 0:
        return stated
    in_records = float(file.records["rate"][0])
    if in_records <= 0:
        raise ValueError(
            f"{name}: neither the header of {file.path.name} nor its records state a sampling rate; copy it again, or "
            "export the recording as EDF+"
        )
    warn(
        f"{name}: the header of {file.path.name} states no sampling rate, and that of its records, {in_records:g} Hz, "
        "is taken"
    )
    return in_records


def _runs(file: _File, number: int, rate: float, known: list[list[_Run]]) -> list[_Run]:
    """Find the runs of a file; they are those of another file where time and samples at their ends are the same."""
    records = file.records
    for runs in known:
        if (
            len(records) == runs[-1].stop
            and _read_runs(records, [(run.record, run.stop) for run in runs], runs[0].file) == runs
        ):
            return [replace(run, file=number) for run in runs]
    found = (starts_of_runs(records["time"], _SAMPLES * 1e6 / rate, 1e6 / rate * each) for each in _TOLERANCES)
    starts = next(filter(None, found), None)
    if starts is None:
        raise ValueError(f"{file.path}: the times of its records are not evenly spaced; export the recording as EDF+")
    known.append(_read_runs(records, pairwise([*starts, len(records)]), number))
    if any(run.length > (run.stop - run.record) * _SAMPLES for run in known[-1]):
        raise ValueError(f"{file.path} is damaged: a record of it states more samples than it holds; copy it again")
    return known[-1]


def _read_runs(records: np.ndarray, bounds: Iterable[tuple[int, int]], number: int) -> list[_Run]:
    return [
        _Run(
            file=number,
            record=first,
            stop=stop,
            length=(stop - first - 1) * _SAMPLES + int(records["valid"][stop - 1]),
            time=int(records["time"][first]),
            last_time=int(records["time"][stop - 1]),
        )
        for first, stop in bounds
    ]


def _on_the_clock(
    channels: Sequence[_Channel], begin: int, name: str
) -> tuple[list[_Channel], list[list[Segment]], dict[str, str]]:
    """Channels with their segments on the clock of the recording, and those whose clock ran backwards."""
    kept, segments, refused = [], [], dict[str, str]()
    # What is to be told of channels that share their runs is told once.
    known: dict[tuple, list[Segment]] = {}
    for channel in channels:
        key = (channel.rate, *((run.time, run.length) for run in channel.runs))
        try:
            if key not in known:
                starts = [0.0, *((run.time - begin) / 1e6 for run in channel.runs)]
                # The part without samples is where the recording begins.
                known[key] = segments_of(starts, [0, *(run.length for run in channel.runs)], channel.rate, name)
        except ValueError as error:
            refused[channel.name] = str(error)
            continue
        kept.append(channel)
        segments.append(known[key])
    if not kept:
        raise ValueError(next(iter(refused.values())))
    tell_of_refused(refused, name)
    return kept, segments, refused


def _events(folder: Path, begin: int) -> list[EventRow]:
    """Events of all files beside the channels, on the clock of the recording."""
    events = []
    for file in sorted(each for each in folder.iterdir() if each.suffix.lower() == ".nev"):
        check_fetched(file)
        with file.open("rb") as opened:
            if opened.read(len(_BEGINNING)) != _BEGINNING:
                continue
        count = max(file.stat().st_size - _HEADER, 0) // _EVENT.itemsize
        rows = np.fromfile(file, _EVENT, count, offset=_HEADER)
        texts = {text: decode_remark(text.split(b"\0")[0]).strip() for text in set(rows["text"].tolist())}
        times = (rows["time"].astype(np.int64) - begin) / 1e6
        pairs = zip(times.tolist(), rows["text"].tolist(), strict=True)
        events += [EventRow(time, 0.0, texts[text]) for time, text in pairs if texts[text]]
    return sorted(events, key=lambda event: event.onset)
