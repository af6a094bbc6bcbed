"""Curry 7 to 9: samples (`.cdt`, or `.dat` with `.dap`), and texts beside them that tell channels, units and events.

MNE-Python and `curryreader` are not used: they read a file as a whole when it is opened, give all events of a type the
remark of the first one, cut names at their spaces, and mistake channels whose order in the file is another one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np

from ....events.encodings import decode_text
from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..source import ChannelReader, Source, known_start
from .frames import FrameReader
from .text_samples import TextReader

_COMPRESSED = "{2912E8D8-F5C8-4E25-A8E7-A1385967DA09}"
_BYTES, _MM = 4, 1e-3
# Groups of channels by their names; any other group is of electrodes.
_TYPES = {"OTHERS": "misc", "MAG": "mag"}
# Numbers of an event: its sample, its type, and where it begins and ends.
_NUMBERS, _SAMPLE, _TYPE, _BEGIN, _END = 11, 0, 2, 4, 5
_MOMENT_SAMPLES = 1.5
_START = ("startyear", "startmonth", "startday", "starthour", "startmin", "startsec", "startmillisec")


@dataclass(frozen=True)
class _Channel:
    """What is said of a channel; `place` is its column in the file from 1 on, and 0 where it is not there."""

    name: str
    type: str
    unit: str
    position: tuple[float, ...]
    place: int


def curry_source(path: Path) -> Source:
    """Open a Curry recording.

    Raises
    ------
    FileNotFoundError
        The samples, the header or the names of the channels are missing.
    ValueError
        It holds epochs or averages, is compressed, or its files do not fit each other.
    """
    is_one_file = path.suffix.lower() == ".cdt"
    samples = path if is_one_file else _beside(path, ".dat")
    header = _text(_beside(path, ".dpa", ".dpo") if is_one_file else path)
    labels = header if is_one_file else _text(_beside(path, ".rs3"))
    said = _fields(header)
    _check(path, header, said)
    channels = _channels(path, header, labels, int(said.get("numchannels", 0)))
    rate = _rate(path, said)
    read, num_samples = _samples(samples, said, channels)
    return Source(
        name=path.stem,
        num_samples=num_samples,
        channel_count=len(channels),
        sampling_rate=rate,
        channel_names=[channel.name for channel in channels],
        channel_types=[channel.type for channel in channels],
        events=_events(path, rate),
        start_date=_start(said),
        positions=_positions(channels),
        read=read,
        unit=[channel.unit for channel in channels],
        path=path,
    )


def _beside(path: Path, *suffixes: str) -> Path:
    """Return the first file with one of these suffixes, in any case, beside a recording, or where it should lie."""
    stem = path.name if path.suffix.lower() == ".cdt" else path.stem
    there = {file.name.lower(): file for file in path.parent.iterdir()}
    wanted = [f"{stem}{suffix}" for suffix in suffixes]
    return next((there[name.lower()] for name in wanted if name.lower() in there), path.with_name(wanted[0]))


def _text(file: Path) -> str:
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; put all files of a recording beside each other")
    return decode_text(file.read_bytes())


def _fields(text: str) -> dict[str, str]:
    """Fields of a section; version 6 wrote `NUM_SAMPLES` for `NumSamples`."""
    found = re.findall(
        r"^[^\S\n]*(\w+)[^\S\n]*=[^\S\n]*(.*?)[^\S\n]*$", text.partition("\nDATA_PARAMETERS END")[0], re.M
    )
    return {key.replace("_", "").lower(): value.strip() for key, value in found}


def _lists(text: str, name: str) -> list[str]:
    """Lines of all lists of this name."""
    found = re.findall(rf"^({name}) START_LIST[^\n]*\n(.*?)^\1 END_LIST", text, re.MULTILINE | re.DOTALL)
    return [line.split("\0")[0].strip() for _, lines in found for line in lines.splitlines()]


def _check(path: Path, header: str, said: Mapping[str, str]) -> None:
    """Refuse what is no recording, or is written in a way that is not read."""
    if int(said.get("numtrials", 1)) > 1 or any(_lists(header, "EPOCH_INFORMATION")):
        raise ValueError(f"{path} holds epochs or averages and no continuous recording; open what they are made from")
    if said.get("dataguid") == _COMPRESSED:
        raise ValueError(f"{path} is compressed, which is not read; save it in Curry as Raw Float, or as EDF+")
    order = (said.get("datasamporder", "SAMP"), said.get("databyteorder", "INTEL"))
    if order[0] != "SAMP" or order[1] not in ("INTEL", "ASCII"):
        raise ValueError(
            f"{path} has its numbers in the order {' '.join(order)}, which is not read; export it as EDF+"
        )


def _channels(path: Path, header: str, labels: str, count: int) -> list[_Channel]:
    """Channels in the order of the file."""
    names = _lists(labels, r"LABELS\w*") or [f"EEG{number}" for number in range(1, count + 1)]
    kinds: list[tuple[str, str]] = []
    for group, text in re.findall(r"^DEVICE_PARAMETERS(\w*) START\s*\n(.*?)^DEVICE_PARAMETERS", header, re.M | re.S):
        said = _fields(text)
        kind = next((kind for word, kind in _TYPES.items() if word in group), "eeg")
        kinds += [(kind, said.get("dataunit", ""))] * int(said.get("numchanthisgroup", 0))
    places = [int(line) for line in _lists(header, r"CHAN_IN_FILE\w*")] or list(range(1, len(names) + 1))
    if not len(names) == len(kinds) == len(places) or np.count_nonzero(places) != count or count == 0:
        raise ValueError(
            f"{path}: its header has {count} channels, units for {len(kinds)} and places for "
            f"{np.count_nonzero(places)}, and names of {len(names)} are there; copy or export all of its files again"
        )
    positions = [tuple(float(number) * _MM for number in line.split()[:3]) for line in _lists(labels, r"SENSORS\w*")]
    have_one = [kind != "misc" for kind, _ in kinds]
    each = iter(positions if len(positions) == sum(have_one) else [()] * len(kinds))
    channels = [
        _Channel(name, *kind, next(each) if has_one else (), place)
        for name, kind, has_one, place in zip(names, kinds, have_one, places, strict=True)
    ]
    return sorted((channel for channel in channels if channel.place > 0), key=lambda channel: channel.place)


def _rate(path: Path, said: Mapping[str, str]) -> float:
    """Return the rate that is stated, or that of the time between samples where it is another one."""
    rate, step = float(said.get("samplefreqhz", 0)), float(said.get("sampletimeusec", 0))
    if rate > 0 and (step <= 0 or abs(1e6 / rate - step) <= 0.5):
        return rate
    if step <= 0:
        raise ValueError(f"{path}: its header states no sampling rate; export it again")
    if rate > 0:
        warn(
            f"{path.name}: its header states {rate:g} Hz, and {1e6 / step:g} Hz by the time between two samples, "
            "which is taken; pass sampling_rate=... if it is wrong"
        )
    return 1e6 / step


def _samples(file: Path, said: Mapping[str, str], channels: Sequence[_Channel]) -> tuple[ChannelReader, int]:
    """Return the reader of the samples, and how many there are."""
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; put all files of a recording beside each other")
    stated, scale, size = int(said.get("numsamples", -1)), [1.0] * len(channels), file.stat().st_size
    is_text = said.get("databyteorder") == "ASCII" or said.get("dataformat") == "ASCII"
    if is_text and size != stated * len(channels) * _BYTES:
        text = TextReader(file, [channel.name for channel in channels], scale)
        held = text.signal.shape[1]
        reader: ChannelReader = text
    else:
        held = size // (len(channels) * _BYTES)
        reader = FrameReader(file, "<f4", len(channels), list(range(len(channels))), scale)
    if held == 0:
        raise ValueError(f"{file} ends before any sample ({size} bytes); copy or export it again")
    if 0 <= stated != held:
        warn(f"{file.name}: its header states {stated} samples, and it holds {held}, which are read; it may be cut")
    return reader, held


def _events(path: Path, rate: float) -> list[EventRow]:
    """Events of the file beside the recording: each has a remark of its own, or none and its type."""
    file = _beside(path, ".cef", ".ceo")
    text = _text(file) if file.exists() else ""
    numbers = [int(number) for number in chain(*map(str.split, _lists(text, "NUMBER_LIST")))]
    remarks, events = _lists(text, "REMARK_LIST"), []
    for place, row in enumerate(zip(*[iter(numbers)] * _NUMBERS, strict=False)):
        lasts = row[_END] - row[_BEGIN]
        duration = lasts / rate if lasts > _MOMENT_SAMPLES else 0.0
        remark = remarks[place] if place < len(remarks) else ""
        events.append(EventRow(row[_SAMPLE] / rate, duration, remark or str(row[_TYPE])))
    return sorted(events, key=lambda event: event.onset)


def _start(said: Mapping[str, str]) -> datetime | None:
    """When the recording began; files of some sources state no possible time."""
    try:
        year, month, day, hour, minute, second, millisecond = (int(said[key]) for key in _START)
        return known_start(datetime(year, month, day, hour, minute, second, 1000 * millisecond, tzinfo=UTC))
    except (KeyError, ValueError):
        return None


def _positions(channels: Sequence[_Channel]) -> np.ndarray | None:
    positions = [channel.position if len(channel.position) == 3 else (np.nan,) * 3 for channel in channels]
    return np.array(positions) if any(channel.position for channel in channels) else None
