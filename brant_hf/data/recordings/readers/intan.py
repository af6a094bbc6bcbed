"""Intan (`.rhd`), after "RHD2000 Application Note: Data File Formats" of Intan Technologies.

Samples stand behind the header, or in files beside it: one for all channels, or one for each. Neo reads the number of
every sample when it opens a file, refuses pauses, and tells which file is of which channel by their order.
"""

import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....files import check_fetched
from ....listing import counted, listed
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import ChannelReader, Source, known_start
from .frames import FrameReader
from .timestamps import starts_of_runs

_BEGINNING = 0xC6912702
_NO_TEXT, _LONGEST_TEXT = 0xFFFFFFFF, 1 << 20
_AMPLIFIER, _AUXILIARY, _SUPPLY, _ANALOG, _DIGITAL = 0, 1, 2, 3, (4, 5)
# What else is recorded, by its number in the header.
_NO_ELECTRODES = {
    1: "auxiliary input", 2: "supply voltage", 3: "analog input", 4: "digital input", 5: "digital output",
}  # fmt: skip
_MICROVOLTS, _ZERO = 0.195, 1 << 15
_BLOCKS_AT_ONCE = 4096
_NUMBERS = 1 << 32
# The header of a folder of files.
INTAN_HEADER = "info.rhd"
_START = re.compile(r"_(\d{6}_\d{6})$")
_NOTE = re.compile(rb"\s*(\d+)\s*,[^,]*,(.*)")


@dataclass
class _Header:
    """What a header says, and how many bytes it has."""

    rate: float
    # Samples of each channel in a block of a file.
    block: int
    # Native names (by which files are called) and names that a user may have given, of each kind of signal.
    native: dict[int, list[str]]
    names: dict[int, list[str]]
    thermometers: int
    size: int = 0

    @property
    def of_block(self) -> np.dtype:
        """One block: numbers of its samples, the amplifiers one after another, and what is not read."""
        counts = Counter({kind: len(names) for kind, names in self.native.items()})
        # Digital channels share one number.
        whole = counts[_ANALOG] + sum(counts[kind] > 0 for kind in _DIGITAL)
        rest = whole * self.block + counts[_AUXILIARY] * self.block // 4 + counts[_SUPPLY] + self.thermometers
        amplifiers = (counts[_AMPLIFIER], self.block)
        return np.dtype([("numbers", "<i4", (self.block,)), ("samples", "<u2", amplifiers), ("rest", "<u2", (rest,))])


class _Fields:
    """Fields of a header, read one after another."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path

    def numbers(self, form: str) -> tuple:
        return struct.unpack(f"<{form}", self._bytes(struct.calcsize(f"<{form}")))

    def text(self) -> str:
        (length,) = self.numbers("I")
        return "" if length == _NO_TEXT else self._bytes(length).decode("utf-16-le", "replace").strip("\0 ")

    def _bytes(self, count: int) -> bytes:
        stored = self._file.read(count) if count <= _LONGEST_TEXT else b""
        if len(stored) < count:
            raise ValueError(f"{self._path} is damaged: its header does not end; copy it again")
        return stored


@dataclass
class _BlockReader:
    """Reads samples that stand in blocks behind the header."""

    path: Path
    offset: int
    block: np.dtype

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        places, length = list(channels), self.block["samples"].shape[1]
        first, last = start // length, -(-stop // length)
        found = []
        for begin in range(first, last, _BLOCKS_AT_ONCE):
            count = min(_BLOCKS_AT_ONCE, last - begin)
            blocks = np.fromfile(self.path, self.block, count, offset=self.offset + begin * self.block.itemsize)
            if len(blocks) < count:
                raise OSError(f"{self.path} has become shorter since it was opened")
            found.append(blocks["samples"][:, places])
        numbers = np.concatenate(found).transpose(1, 0, 2).reshape(len(places), -1)
        return (numbers[:, start - first * length : stop - first * length].astype(float) - _ZERO) * _MICROVOLTS


@dataclass
class _FilesReader:
    """Reads samples of channels that have a file each."""

    files: list[Path] = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        readers = (FrameReader(self.files[channel], "<i2", 1, [0], [_MICROVOLTS]) for channel in channels)
        return np.concatenate([read([0], start, stop) for read in readers])


class _Places:
    """Places of samples on the clock, by their numbers, of which those of many hours need more than the 32 bits."""

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers, self._width = numbers, numbers.shape[1]
        self.first = int(numbers[0, 0])

    def __len__(self) -> int:
        return self._numbers.size

    def __getitem__(self, index: int) -> int:
        number = int(self._numbers[index // self._width, index % self._width])
        late = (number - self.first - index + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2
        return index + late


def holds_intan(folder: Path) -> bool:
    """Whether a folder holds a header of Intan and the samples beside it, which are one recording."""
    return folder.is_dir() and _header_in(folder) is not None


def intan_source(path: Path) -> Source:
    """Open a file, or the header of a folder, or that folder.

    Raises
    ------
    FileNotFoundError
        Files of samples are not beside the header.
    ValueError
        It is no such file, was cut, holds no samples of electrodes, or its clock was set.
    """
    found = _header_in(path) if path.is_dir() else path
    header = _read_header(found or path)
    file = found or path
    native, names = header.native[_AMPLIFIER], header.names[_AMPLIFIER]
    is_alone = file.stat().st_size == header.size
    missing: dict[str, str] = {}
    if not is_alone:
        numbers, reader = _behind(file, header)
    elif (file.parent / "amplifier.dat").exists():
        numbers, reader = _beside(file.parent, header)
    else:
        kept, numbers, reader = _one_each(file, native)
        missing = {name: "without a file" for name, each in zip(names, native, strict=True) if each not in kept}
        names = [name for name, each in zip(names, native, strict=True) if each in kept]
    places = _Places(numbers)
    segments = _segments(places, header.rate, file)
    called = file.parent.name if file.name.lower() == INTAN_HEADER else file.stem
    return Source(
        name=called,
        num_samples=length_of(segments),
        channel_count=len(names),
        sampling_rate=header.rate,
        channel_names=names,
        left_out={**missing, **_no_electrodes(header)},
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit="uV",
        events=_notes(file, is_alone, places.first, segments, header.rate),
        gaps=gaps_of(segments, header.rate),
        start_date=_start(called),
        path=path,
    )


def _header_in(folder: Path) -> Path | None:
    return next((file for file in folder.iterdir() if file.name.lower() == INTAN_HEADER and file.is_file()), None)


def _read_header(path: Path) -> _Header:
    check_fetched(path)
    with path.open("rb") as file:
        fields = _Fields(file, path)
        beginning, *version = fields.numbers("I2h")
        if beginning != _BEGINNING:
            raise ValueError(f"{path} is no recording of Intan RHD: it begins with {beginning:#x}; copy it again")
        header = _fixed(fields, tuple(version))
        (groups,) = fields.numbers("h")
        for _ in range(groups):
            fields.text(), fields.text()
            is_enabled, channels, _ = fields.numbers("3h")
            for _ in range(channels if is_enabled else 0):
                native, name = fields.text(), fields.text()
                _, _, signal, is_recorded, *_ = fields.numbers("10h2f")
                if is_recorded:
                    header.native.setdefault(signal, []).append(native)
                    header.names.setdefault(signal, []).append(name or native)
        header.size = file.tell()
    if not header.native[_AMPLIFIER]:
        raise ValueError(f"{path} names no amplifier channel, so it holds no EEG")
    if unknown := set(header.native) - {_AMPLIFIER, *_NO_ELECTRODES}:
        raise ValueError(f"{path} is damaged: its header names {listed(sorted(unknown))} as kinds of signals")
    if not 0 < header.rate < np.inf:
        raise ValueError(f"{path} is damaged: its header states a sampling rate of {header.rate:g} Hz; copy it again")
    return header


def _fixed(fields: _Fields, version: tuple[int, ...]) -> _Header:
    """Read the fields before those of the channels."""
    rate, *_ = fields.numbers("fh6fh2f")
    for _ in range(3):
        # What a user noted.
        fields.text()
    (thermometers,) = fields.numbers("h") if version >= (1, 1) else (0,)
    if version >= (1, 3):
        fields.numbers("h")
    if version >= (2, 0):
        fields.text()
    block = 60 if version < (2, 0) else 128
    return _Header(rate, block, {_AMPLIFIER: []}, {_AMPLIFIER: []}, max(thermometers, 0))


def _behind(path: Path, header: _Header) -> tuple[np.ndarray, ChannelReader]:
    """Numbers of the samples, and reader of those that stand behind the header."""
    block, held = header.of_block, path.stat().st_size - header.size
    count, rest = divmod(held, block.itemsize)
    if count == 0:
        raise ValueError(f"{path} ends before any sample ({path.stat().st_size} bytes); copy or export it again")
    if rest:
        warn(f"{path.name}: it ends with {rest} bytes that are no block of {header.block} samples, so it was cut")
    blocks = np.memmap(path, block, "r", header.size, (count,))
    return blocks["numbers"], _BlockReader(path, header.size, block)


def _beside(folder: Path, header: _Header) -> tuple[np.ndarray, ChannelReader]:
    """Do the same for `amplifier.dat`, in which auxiliary inputs may stand behind the amplifiers."""
    samples = folder / "amplifier.dat"
    check_fetched(samples)
    count = _count_of_numbers(folder)
    amplifiers, auxiliary = len(header.native[_AMPLIFIER]), len(header.native.get(_AUXILIARY, ()))
    held, width = samples.stat().st_size, amplifiers
    if held == 2 * count * (amplifiers + auxiliary):
        width += auxiliary
    count = _shortest(folder, {"time.dat": count, samples.name: held // (2 * width)})
    reader = FrameReader(samples, "<i2", width, range(amplifiers), [_MICROVOLTS] * amplifiers)
    return np.memmap(folder / "time.dat", "<i4", "r", 0, (count, 1)), reader


def _one_each(path: Path, native: Sequence[str]) -> tuple[list[str], np.ndarray, ChannelReader]:
    """Native names of channels that have a file, numbers of their samples, and their reader."""
    folder = path.parent
    files = {name: folder / f"amp-{name}.dat" for name in native}
    for file in files.values():
        check_fetched(file)
    missing = [file.name for file in files.values() if not file.is_file()]
    if len(missing) == len(files):
        raise FileNotFoundError(
            f"{path} is a header, and neither amplifier.dat nor {listed(missing, 3)} is beside it; put all files of "
            "the recording into one folder (those of filtered signals are not read)"
        )
    if missing:
        warn(
            f"{folder.name}: {counted(len(missing), 'channel')} of {len(files)} that the header names "
            f"{'has' if len(missing) == 1 else 'have'} no file ({listed(missing)}) and "
            f"{'is' if len(missing) == 1 else 'are'} left out"
        )
    files = {name: file for name, file in files.items() if file.is_file()}
    lengths = {file.name: file.stat().st_size // 2 for file in files.values()}
    count = _shortest(folder, {"time.dat": _count_of_numbers(folder), **lengths})
    return list(files), np.memmap(folder / "time.dat", "<i4", "r", 0, (count, 1)), _FilesReader(list(files.values()))


def _count_of_numbers(folder: Path) -> int:
    path = folder / "time.dat"
    check_fetched(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there, which tells when each sample was taken; put all files of the recording into one "
            "folder"
        )
    return path.stat().st_size // 4


def _shortest(folder: Path, lengths: Mapping[str, int]) -> int:
    """Return the number of samples that all files hold."""
    name, count = min(lengths.items(), key=lambda item: item[1])
    if count == 0:
        raise ValueError(f"{folder / name} holds no samples; copy or export it again")
    if len(set(lengths.values())) > 1:
        warn(
            f"{folder.name}: {name} holds {count} samples and others up to {max(lengths.values())}, so a file was "
            f"cut; the recording is read up to sample {count}"
        )
    return count


def _segments(places: _Places, rate: float, path: Path) -> list[Segment]:
    starts = starts_of_runs(places, 1, 0)
    if starts is None:
        raise ValueError(f"{path}: the numbers of its samples are not in order; export the recording as EDF+")
    lengths = np.diff([*starts, len(places)])
    return segments_of([places[start] / rate for start in starts], lengths, rate, path.name)


def _no_electrodes(header: _Header) -> dict[str, str]:
    found = {
        name: f"{what}, no electrode" for kind, what in _NO_ELECTRODES.items() for name in header.names.get(kind, ())
    }
    return found | {f"temperature {number + 1}": "temperature, no electrode" for number in range(header.thermometers)}


def _notes(path: Path, is_alone: bool, first: int, segments: Sequence[Segment], rate: float) -> list[EventRow]:
    """Read what a user noted during the recording: number of the sample, time, text."""
    files = sorted(path.parent.glob("notes*.txt"))
    if not files:
        return []
    others: Iterable[Path] = [] if is_alone else (file for file in path.parent.iterdir() if file != path)
    # Notes count from where the recording began, which may be in a file before this one.
    is_later = not is_alone and first > 0
    if len(files) > 1 or is_later or any(file.suffix.lower() == path.suffix.lower() for file in others):
        warn(
            f"{path.name}: {listed(file.name for file in files)} beside it {'is' if len(files) == 1 else 'are'} not "
            "read, as nothing tells which part of which recording each note is about; pass seizures=... if they tell "
            "of any"
        )
        return []
    check_fetched(files[0])
    # Samples before a trigger have numbers below 0, and are not counted in notes.
    before = max(-first, 0)
    notes = (_NOTE.fullmatch(line) for line in files[0].read_bytes().splitlines())
    rows = [(place_of(segments, int(note[1]) + before), decode_remark(note[2]).strip()) for note in notes if note]
    return [EventRow(place / rate, 0.0, text) for place, text in rows if text]


def _start(name: str) -> datetime | None:
    """When the recording began, as the recorder writes it into names; files do not state it."""
    stated = _START.search(name)
    with suppress(ValueError):
        return known_start(datetime.strptime(stated[1], "%y%m%d_%H%M%S").replace(tzinfo=UTC)) if stated else None
    return None
