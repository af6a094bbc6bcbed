"""BrainVision: a header (`.vhdr`), markers (`.vmrk`) and a file of samples.

After the "BrainVision Core Data Format" 1.0 of Brain Products. MNE-Python is not used, since it takes the number of
samples from the size of the file whatever the header says, so that of a file that is cut, channels are mixed up; and
because it knows few spellings of units, refuses names that occur twice and joins what was recorded with pauses.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import Source
from ..units import factors_entered
from .frames import FrameReader
from .headers import file_named, pairs, read_sections
from .text_samples import TextReader

_NUMBERS = {"INT_16": "i2", "UINT_16": "u2", "INT_32": "i4", "IEEE_FLOAT_32": "f4", "IEEE_FLOAT_64": "f8"}
_NEEDED = ("datafile", "numberofchannels", "samplinginterval")
# Radius [m] of the head that idealised positions, at radius 1, lie on in MNE-Python.
_HEAD_RADIUS = 0.095

# Type, description, position, size, channel and, where there is one, date. Commas of a description are written `\1`,
# but some programs, pybv among them, leave them.
_MARKER = re.compile(
    r"\s*([^,]*?)\s*,\s*(.*?)\s*,\s*(\d+(?:\.\d*)?)\s*,\s*(\d*(?:\.\d*)?)\s*,?\s*(-?\d*)\s*(?:,\s*(\d{14,})?\s*)?"
)


# Name and reference, then a resolution with a comma in it: no unit is a number.
_DECIMAL_COMMA = re.compile(r"^([^,]*,[^,]*,\s*\d+),(\d+)(?=\s*(?:,|$))")


@dataclass(frozen=True)
class _Marker:
    kind: str
    text: str
    start: int
    samples: int
    channel: int
    date: datetime | None


@dataclass(frozen=True)
class _Channel:
    name: str
    resolution: float
    unit: str


def brainvision_source(path: Path) -> Source:
    """Open a `.vhdr` or `.ahdr` file.

    Raises
    ------
    FileNotFoundError
        The file of samples is not beside it.
    ValueError
        The header is damaged or does not fit the samples, or they are no signal over time.
    """
    sections = read_sections(path)
    common = dict(pairs(sections.get("common infos", ())))
    missing = [key for key in _NEEDED if not common.get(key)]
    if missing:
        raise ValueError(f"{path} is no BrainVision header: it has no {', '.join(missing)}; export it again")
    if common.get("averaged", "").upper() == "YES":
        raise ValueError(f"{path} holds averages of segments, and no recording; export the data before averaging")
    if common.get("datatype", "TIMEDOMAIN").upper() != "TIMEDOMAIN":
        raise ValueError(f"{path}: it holds {common['datatype']} data; expected a recording (TIMEDOMAIN)")
    channels = _channels(sections.get("channel infos", ()), int(_number(common, "NumberOfChannels", path)), path)
    reader: FrameReader | TextReader
    if common.get("dataformat", "").upper() == "ASCII":
        reader, num_samples = _written_samples(path, common, dict(pairs(sections.get("ascii infos", ()))), channels)
    else:
        reader, num_samples = _samples(path, common, dict(pairs(sections.get("binary infos", ()))), channels)
    rate = 1e6 / _number(common, "SamplingInterval", path)
    markers = _markers(path, common.get("markerfile", ""))
    segments = _segments(markers, num_samples, rate, path.name)
    if common.get("segmentationtype", "").upper() == "MARKERBASED" and len(segments) == 1:
        _tell_joined(path.name, "it was cut into segments")
    positions = _positions(sections.get("coordinates", ()), len(channels))
    return Source(
        name=path.stem,
        num_samples=length_of(segments),
        channel_count=len(channels),
        sampling_rate=rate,
        channel_names=[channel.name for channel in channels],
        channel_types=["eeg"] * len(channels),
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=[channel.unit for channel in channels],
        events=_events(markers, segments, rate, channels),
        gaps=gaps_of(segments, rate),
        start_date=next((marker.date for marker in markers if marker.date and marker.start == 0), None),
        positions=positions,
        coordinate_space=None if positions is None else "head",
        path=path,
    )


def _number(values: Mapping[str, str], key: str, path: Path) -> float:
    """Return a positive number of the header."""
    try:
        number = float(values[key.lower()].replace(",", "."))
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{path}: its {key} is {values[key.lower()]!r}; expected a positive number")
    return number


def _channels(lines: Sequence[str], count: int, path: Path) -> list[_Channel]:
    stated = {int(key[2:]): value for key, value in pairs(lines) if re.fullmatch(r"ch\d+", key)}
    if sorted(stated) != list(range(1, count + 1)):
        raise ValueError(
            f"{path}: NumberOfChannels is {count}, but [Channel Infos] describes {len(stated)} channels"
            f" (Ch{min(stated, default=0)} to Ch{max(stated, default=0)}); export it again"
        )
    channels = []
    for number in range(1, count + 1):
        fields = [field.strip() for field in _DECIMAL_COMMA.sub(r"\1.\2", stated[number]).split(",")]
        name, _, resolution, unit, *_ = [*fields, "", "", ""]
        try:
            # Empty fields have a meaning: steps of 1, and microvolts.
            step = float(resolution or 1)
        except ValueError:
            raise ValueError(
                f"{path}: the resolution of channel {number} ({name}) is {resolution!r}; expected a number"
            ) from None
        channels.append(_Channel(name.replace(r"\1", ","), step, unit or "\N{MICRO SIGN}V"))
    steps = factors_entered([channel.resolution for channel in channels], [each.name for each in channels], path.name)
    return [replace(channel, resolution=float(step)) for channel, step in zip(channels, steps, strict=True)]


def _samples(
    path: Path, common: Mapping[str, str], binary: Mapping[str, str], channels: Sequence[_Channel]
) -> tuple[FrameReader, int]:
    """Reader of the samples, and how many each channel has."""
    numbers = binary.get("binaryformat", "").upper()
    orientation = common.get("dataorientation", "").upper()
    strange = [key for key in ("segmentheadersize", "trailersize", "channeloffset") if int(binary.get(key) or 0)]
    if numbers not in _NUMBERS or orientation not in ("MULTIPLEXED", "VECTORIZED") or strange:
        what = f"{strange[0]}={binary[strange[0]]}" if strange else f"{orientation} {numbers}"
        raise ValueError(
            f"{path}: samples that are {what.strip() or 'of no stated kind'} are not read; export it again"
        )
    order = ">" if binary.get("usebigendianorder", "").upper() == "YES" else "<"
    reader = FrameReader(
        path=file_named(path, common["datafile"]),
        dtype=order + _NUMBERS[numbers],
        # Recordings of an actiCHamp have one channel more than their .ahdr lists.
        width=len(channels) + (path.suffix.lower() == ".ahdr"),
        places=range(len(channels)),
        scale=[channel.resolution for channel in channels],
        offset=int(binary.get("dataoffset") or 0),
    )
    held = _held(path, reader, _stated(common, path), orientation == "VECTORIZED")
    if orientation == "VECTORIZED":
        reader.length = held
    return reader, held


def _stated(common: Mapping[str, str], path: Path) -> int | None:
    """Return the samples of each channel that the header states."""
    return int(_number(common, "DataPoints", path)) if common.get("datapoints", "").strip("0") else None


def _written_samples(
    path: Path, common: Mapping[str, str], form: Mapping[str, str], channels: Sequence[_Channel]
) -> tuple[TextReader, int]:
    """Reader of samples that are written as text, and how many each channel has."""
    reader = TextReader(
        path=file_named(path, common["datafile"]),
        names=[channel.name for channel in channels],
        scale=[channel.resolution for channel in channels],
        decimal=form.get("decimalsymbol") or ".",
        skip_lines=int(form.get("skiplines") or 0),
        skip_columns=int(form.get("skipcolumns") or 0),
        by_channel=common.get("dataorientation", "").upper() == "VECTORIZED",
    )
    held, stated = reader.signal.shape[1], _stated(common, path)
    if stated is not None and held < stated:
        raise ValueError(
            f"{reader.path} holds {held} samples of each channel, and {path.name} says {stated} samples (DataPoints); "
            "copy or export it again"
        )
    if stated is not None and held > stated:
        warn(f"{reader.path} holds {held} samples, and {path.name} says {stated} (DataPoints); the {held} are read")
    return reader, held


def _held(path: Path, reader: FrameReader, stated: int | None, is_vectorized: bool) -> int:
    """Return the samples of each channel in the file, compared with what the header states."""
    held, rest = divmod(max(reader.path.stat().st_size - reader.offset, 0), reader.frame_bytes)
    is_as_stated = rest == 0 and stated in (None, held)
    what = f"{reader.path} holds {held} samples of each of its {reader.width} channels" + (
        f" and {rest} bytes more" if rest else ""
    )
    if held == 0:
        raise ValueError(f"{reader.path} ends before any sample; copy or export it again")
    if is_as_stated:
        return held
    if is_vectorized or (stated is not None and held < stated):
        expected = "whole channels" if stated is None else f"{stated} samples (DataPoints)"
        remedy = "" if is_vectorized else f"; to use what is there, write DataPoints={held} into the header"
        raise ValueError(f"{what}, and {path.name} says {expected}; copy or export it again{remedy}")
    said = "whole samples" if stated is None else f"{stated} samples (DataPoints)"
    warn(f"{what}, and {path.name} says {said}; the {held} are read")
    return held


def _markers(path: Path, written: str) -> list[_Marker]:
    if not written:
        beside = path.with_suffix(".vmrk")
        if not beside.exists():
            return []
        warn(f"{path.name}: it names no file of markers, and {beside.name} beside it is taken")
        written = beside.name
    try:
        file = file_named(path, written)
    except FileNotFoundError as error:
        if "not been fetched" in str(error):
            raise
        warn(f"{path.name}: its markers are not known, since {error}")
        return []
    markers, unreadable = [], []
    for key, value in pairs(read_sections(file).get("marker infos", ())):
        fields = _MARKER.fullmatch(value)
        if fields is None:
            unreadable.append(f"{key}={value}")
            continue
        kind, text, start, samples, channel, date = (field or "" for field in fields.groups())
        markers.append(
            _Marker(
                kind.replace(r"\1", ","),
                text.replace(r"\1", ","),
                # The first sample has number 1, but some programs count from 0.
                max(int(float(start)) - 1, 0),
                int(float(samples or 0)),
                int(channel or 0),
                _date(date) if kind.casefold() == "new segment" else None,
            )
        )
    if unreadable:
        warn(
            f"{path.name}: {len(unreadable)} markers of {file.name} cannot be read and are passed over, such as "
            f"{unreadable[0]!r}; expected type, description, position, size, channel"
        )
    return markers


def _date(written: str) -> datetime | None:
    try:
        return datetime.strptime(written, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # none, or zeros
        return None


def _segments(markers: Sequence[_Marker], num_samples: int, rate: float, name: str) -> list[Segment]:
    """Parts of the recording on its clock: each begins with a marker `New Segment` that says when."""
    dates: dict[int, datetime | None] = {0: None}
    for marker in markers:
        if marker.kind.casefold() == "new segment" and 0 <= marker.start < num_samples:
            dates[marker.start] = dates.get(marker.start) or marker.date
    starts = sorted(dates)
    known = [date for start in starts if (date := dates[start]) is not None]
    if len(starts) > 1 and (len(known) < len(starts) or len(set(known)) == 1):
        _tell_joined(name, f"it was paused at {', '.join(f'{start / rate:.2f} s' for start in starts[1:4])}")
        return [Segment(0, 0, num_samples)]
    lengths = np.diff([*starts, num_samples])
    seconds = [(date - known[0]).total_seconds() for date in known] or [0.0]
    return segments_of(seconds, lengths, rate, name)


def _tell_joined(name: str, why: str) -> None:
    warn(
        f"{name}: {why}, for how long is not stated; times count the recorded samples, and those in other tables may "
        "not"
    )


def _events(
    markers: Sequence[_Marker], segments: Sequence[Segment], rate: float, channels: Sequence[_Channel]
) -> list[EventRow]:
    """Events by the clock of the recording. Markers are written as `type/description`, as MNE-Python does it."""
    events = []
    for marker in markers:
        if marker.kind.casefold() == "new segment" and marker.start <= 0:
            continue
        onset = place_of(segments, marker.start)
        # One sample is a moment.
        duration = place_of(segments, marker.start + marker.samples - 1) + 1 - onset if marker.samples > 1 else 0
        names = [channels[marker.channel - 1].name] if 0 < marker.channel <= len(channels) else None
        text = f"{marker.kind}/{marker.text}" if marker.kind else marker.text
        events.append(EventRow(onset / rate, duration / rate, text, names))
    return events


def _positions(lines: Sequence[str], count: int) -> np.ndarray | None:
    """Positions of the channels [m] from radius [mm], theta and phi [degrees]; three zeros mean that none is known."""
    positions = np.full((count, 3), np.nan)
    for key, value in pairs(lines):
        place = int(key[2:]) - 1 if re.fullmatch(r"ch\d+", key) else count
        try:
            radius, theta, phi = (float(part) for part in value.split(",")[:3])
        except ValueError:
            continue
        if place < count and (radius, theta, phi) != (0, 0, 0):
            theta, phi = math.radians(theta), math.radians(phi)
            metres = _HEAD_RADIUS if radius == 1 else radius / 1e3
            direction = (math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta))
            positions[place] = metres * np.array(direction)
    return None if np.isnan(positions).all() else positions
