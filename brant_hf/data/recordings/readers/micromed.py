"""Micromed (`.TRC`, header type 4), read with neo.

Neo knows the header and maps the samples. What is done here: it counts the time of remarks without the pauses before
them, writes volts as `1`, knows no year after 2027, and reads the areas of events in a form that files do not have.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import Source, known_start, known_subject
from ..units import factors_entered

if TYPE_CHECKING:
    from neo.rawio import MicromedRawIO

_HEADER = np.dtype(
    {
        "names": ["year", "data", "channels", "bytes", "is_compressed", "kind"],
        "formats": ["u1", "<u4", "<u2", "<u2", "<u2", "u1"],
        "offsets": [130, 138, 142, 148, 150, 175],
        "itemsize": 640,
    }
)
# What neo calls units that are none of its own.
_UNITS = {"1": "V", "percent": "%"}
# The common reference of the headboxes.
_COMMON = "G2"
_EVENT_CHANNELS = {"Trigger": "trigger ", "Note": ""}
# The directory of areas. Those of events begin with a name; times after it are 0 or all ones where there is none.
_AREA, _AREAS, _DIRECTORY = np.dtype([("name", "S8"), ("at", "<u4"), ("bytes", "<u4")]), 15, 176
_NOTE = np.dtype([("at", "<u4"), ("text", "S40")])
_NAME, _NONE = 64, 0xFFFFFFFF


@dataclass
class _MicromedReader:
    """Stored samples. A file is opened anew in another process."""

    path: Path
    edges: list[int] = field(repr=False)
    gain: np.ndarray = field(repr=False)
    zero: np.ndarray = field(repr=False)
    _file: Any = field(default=None, repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        if self._file is None:
            self._file = _opened(self.path)
        places = list(channels)
        chunks = [
            self._file.get_analogsignal_chunk(0, part, max(start, first) - first, min(stop, last) - first, 0, places)
            for part, (first, last) in enumerate(pairwise(self.edges))
            if max(start, first) < min(stop, last)
        ]
        return np.concatenate(chunks).T * self.gain[places, None] + self.zero[places, None]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def micromed_source(path: Path) -> Source:
    """Open a Micromed recording.

    Raises
    ------
    ImportError
        Neo is not installed.
    ValueError
        The file is of another system or header type, compressed, holds no samples, or has channels of different rates.
    """
    year = _check_header(path)
    file = _opened(path)
    table, about = file.header["signal_channels"], file.raw_annotations["blocks"][0]
    parts = range(file.segment_count(0))
    lengths = [file.get_signal_size(0, part, 0) for part in parts]
    starts = [file.segment_t_start(0, part) for part in parts]
    rate = float(file.get_signal_sampling_rate(0))
    segments = segments_of(starts, lengths, rate, path.name)
    _tell_unread_events(path)
    grounds = about["segments"][0]["signals"][0]["__array_annotations__"]["ground"]
    names = _names(table["name"].tolist(), grounds.tolist())
    gain = factors_entered(table["gain"], names, path.name)
    reader = _MicromedReader(path, np.cumsum([0, *lengths]).tolist(), gain, table["offset"], file)
    return Source(
        name=path.stem,
        subject=known_subject(" ".join(_text(about[key]) for key in ("surname", "firstname"))),
        num_samples=length_of(segments),
        channel_count=len(table),
        sampling_rate=rate,
        channel_names=names,
        # The format has no types.
        channel_types=["eeg"] * len(table),
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=[_UNITS.get(unit, unit) for unit in table["units"].tolist()],
        events=[*_events(file, segments, rate), *_notes_behind(path, segments, rate, sum(lengths))],
        gaps=gaps_of(segments, rate),
        start_date=known_start(_start(about["rec_datetime"], year, starts[0])),
        path=path,
    )


def _opened(path: Path) -> "MicromedRawIO":
    try:
        from neo.rawio import MicromedRawIO
    except ImportError as error:
        raise ImportError(f"Reading {path.name} needs neo: pip install 'brant_hf[neo]'") from error
    file = MicromedRawIO(str(path))
    file.parse_header()
    return file


def _check_header(path: Path) -> int:
    """Refuse what neo would misread; return the year of the recording."""
    with path.open("rb") as file:
        header = np.frombuffer(file.read(_HEADER.itemsize).ljust(_HEADER.itemsize, b"\0"), _HEADER)[0]
    frame, held = int(header["channels"]) * int(header["bytes"]), path.stat().st_size - int(header["data"])
    if header["kind"] != 4 or frame == 0:
        raise ValueError(
            f"{path} is no Micromed recording of header type 4 (System 98 and later); export the recording as EDF+"
        )
    if header["is_compressed"] == 1:
        raise ValueError(f"{path} is compressed, which is not read; export it without compression, or as EDF+")
    if held < frame:
        raise ValueError(f"{path} ends before any sample ({path.stat().st_size} bytes); copy or export it again")
    if held % frame:
        warn(
            f"{path.name}: it ends with {held % frame} bytes that are no whole sample of {header['channels']} "
            "channels, so it was cut"
        )
    return 1900 + int(header["year"])


def _names(labels: Sequence[str], grounds: Sequence[str]) -> list[str]:
    """Labels, with the reference where it is neither that of the others nor the other input of the same (`ECG-`)."""
    labels, grounds = ([name.split("\0")[0].strip() for name in names] for names in (labels, grounds))
    (usual, count), *_ = Counter(grounds).most_common(1)
    common = {"", _COMMON} if count == 1 else {"", _COMMON, usual}
    return [
        label if ground in common or label.rstrip("+") == ground.rstrip("-") else f"{label}-{ground}"
        for label, ground in zip(labels, grounds, strict=True)
    ]


def _events(file: "MicromedRawIO", segments: Sequence[Segment], rate: float) -> list[EventRow]:
    events = []
    first_time, first_sample = file.info_segments[0]
    for number, channel in enumerate(file.header["event_channels"]["name"].tolist()):
        for part in range(file.segment_count(0) if channel in _EVENT_CHANNELS else 0):
            times, _, labels = file.get_event_timestamps(0, part, number)
            for time, label in zip(times.tolist(), labels.tolist(), strict=True):
                # Samples of the file, to which neo adds when the first part begins.
                place = place_of(segments, time - first_time - first_sample)
                text = _text(str(label).encode("cp1252", "ignore"))
                events.append(EventRow(place / rate, 0.0, f"{_EVENT_CHANNELS[channel]}{text}"))
    return sorted(events, key=lambda event: event.onset)


def _notes_behind(path: Path, segments: Sequence[Segment], rate: float, samples: int) -> list[EventRow]:
    """Give notes behind the last sample, as of a file that was cut, which neo leaves out."""
    areas = np.fromfile(path, _AREA, _AREAS, offset=_DIRECTORY)
    notes: list[EventRow] = []
    for area in areas[[each.strip(b"\0 ") == b"NOTE" for each in areas["name"].tolist()]]:
        for place, text in np.fromfile(
            path, _NOTE, int(area["bytes"]) // _NOTE.itemsize, offset=int(area["at"])
        ).tolist():
            if samples <= place < _NONE and text:
                notes.append(EventRow(place_of(segments, place) / rate, 0.0, _text(text)))
    return notes


def _tell_unread_events(path: Path) -> None:
    """Warn of stretches in the two areas of events: a name, and times in an order that no document tells."""
    areas = np.fromfile(path, _AREA, _AREAS, offset=_DIRECTORY)
    for area in areas[[each.startswith(b"EVENT") for each in areas["name"].tolist()]]:
        times = np.fromfile(path, "<u4", max(int(area["bytes"]) - _NAME, 0) // 4, offset=int(area["at"]) + _NAME)
        if np.any((times > 0) & (times < _NONE)):
            warn(
                f"{path.name}: stretches in its area {area['name'].decode().strip()} are not read, as no "
                "document tells their form; pass seizures=... if they tell seizures"
            )


def _text(stored: bytes) -> str:
    return decode_remark(stored.split(b"\0")[0]).strip()


def _start(stated: datetime, year: int, first_s: float) -> datetime:
    """When the first sample was taken; neo takes the byte of the year as one with a sign."""
    return stated.replace(year=year, tzinfo=UTC) + timedelta(seconds=first_s)
