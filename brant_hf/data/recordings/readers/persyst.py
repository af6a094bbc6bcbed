"""Persyst: a text (`.lay`) and a file of samples (`.dat`).

The format is not published. What is known of it comes from MNE-Python's reader and from `layread` of Persyst's users
(MATLAB and Python): `[SampleTimes]` says at which second of the day some samples were recorded, and `[Comments]` have
seconds of samples (time x sampling rate is the number of the sample), so that gaps do not count in them. MNE-Python is
not used, since it joins what was recorded with gaps, cannot open a file without a date of birth or handedness, and
takes waveforms in the order of their names instead of their numbers.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import Source, known_subject
from .frames import FrameReader
from .headers import file_named, pairs, read_sections

_NUMBERS = {"0": "<i2", "7": "<i4"}
_NEEDED = ("samplingrate", "waveformcount", "calibration", "datatype")
_DAY_S = 86400.0
# In this order: where day and month could be either, Persyst writes the month first.
_DATES = ("%Y.%m.%d", "%Y/%m/%d", "%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%m/%d/%y")
# Times have six decimals; where commas stand before them, they stand between fields as well.
_DECIMAL_COMMAS = re.compile(r"^(-?\d+),(\d{6}),(\d+),(\d{6}),")
_TIMES = ("%H:%M:%S", "%H:%M:%S.%f", "%H.%M.%S", "%H:%M", "%I:%M:%S %p")


def persyst_source(path: Path) -> Source:
    """Open a `.lay` file."""
    sections = read_sections(path)
    about, patient = (dict(pairs(sections.get(name, ()))) for name in ("fileinfo", "patient"))
    missing = [key for key in _NEEDED if not about.get(key)]
    if missing:
        raise ValueError(f"{path} is no Persyst layout: [FileInfo] has no {', '.join(missing)}; export it again")
    if about["datatype"] not in _NUMBERS or about.get("filetype", "Interleaved").casefold() != "interleaved":
        raise ValueError(
            f"{path}: samples of FileType {about.get('filetype')}, DataType {about['datatype']} are not read; "
            "expected Interleaved and 0 or 7: export it again, as EDF+ or as a Persyst file of its own"
        )
    width, rate, step = (_number(about, key, path) for key in ("waveformcount", "samplingrate", "calibration"))
    numbers, names = _channels(sections.get("channelmap", ()), int(width), path)
    reader = FrameReader(
        path=file_named(path, about.get("file") or f"{path.stem}.dat"),
        dtype=_NUMBERS[about["datatype"]],
        width=int(width),
        places=[number - 1 for number in numbers],
        scale=[step] * len(numbers),
        offset=int(about.get("headerlength") or 0),
    )
    segments = _segments(sections.get("sampletimes", ()), _held(reader, path), rate, path.name)
    unnamed = sorted(set(range(1, int(width) + 1)) - set(numbers))
    return Source(
        name=path.stem,
        subject=known_subject(patient.get("id")),
        num_samples=length_of(segments),
        channel_count=len(names),
        sampling_rate=rate,
        channel_names=names,
        channel_types=["eeg"] * len(names),
        left_out={f"waveform {number}": "without a name in [ChannelMap]" for number in unnamed},
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=["uV"] * len(names),
        events=_events(sections.get("comments", ()), segments, rate, path.name),
        gaps=gaps_of(segments, rate),
        line_frequency=float(about["mainsfrequency"]) if about.get("mainsfrequency", "") in ("50", "60") else None,
        start_date=_start(patient, _first_second(sections.get("sampletimes", ()), rate), path.name),
        path=path,
    )


def _number(values: Mapping[str, str], key: str, path: Path) -> float:
    try:
        number = float(values[key].replace(",", "."))
    except ValueError:
        number = 0.0
    if not 0 < number < np.inf:
        raise ValueError(f"{path}: its {key} is {values[key]!r}; expected a positive number")
    return number


def _channels(lines: Sequence[str], width: int, path: Path) -> tuple[list[int], list[str]]:
    """Numbers of the waveforms that have a name, in the order of the file, and these names."""
    named: dict[int, str] = {}
    for line in lines:
        name, _, number = line.rpartition("=")
        if not (number.strip().isdecimal() and 1 <= int(number) <= width and int(number) not in named):
            raise ValueError(
                f"{path}: [ChannelMap] says {line!r}; expected a name and one of the {width} waveforms, each once"
            )
        named[int(number)] = name.strip()
    if not named:
        raise ValueError(f"{path}: [ChannelMap] names no channel; export it again")
    return sorted(named), [named[number] for number in sorted(named)]


def _held(reader: FrameReader, path: Path) -> int:
    """Return the samples of each channel in the file of samples; the layout does not say how many there were."""
    held, rest = divmod(max(reader.path.stat().st_size - reader.offset, 0), reader.frame_bytes)
    if held == 0:
        raise ValueError(f"{reader.path} ends before any sample; copy or export it again")
    if rest:
        warn(
            f"{path.name}: {reader.path.name} ends with {rest} bytes that are no whole sample of {reader.width} "
            "channels, so it was cut or has another number of channels"
        )
    return held


def _segments(lines: Sequence[str], held: int, rate: float, name: str) -> list[Segment]:
    """Parts of the file on its clock, which goes on counting after midnight."""
    try:
        stated = [(float(sample), float(second.replace(",", "."))) for sample, second in pairs(lines)]
    except ValueError as error:
        raise ValueError(f"{name}: [SampleTimes] cannot be read: {error}") from error
    last = max((sample for sample, _ in stated), default=0)
    if last > held:
        warn(
            f"{name}: [SampleTimes] goes on to sample {last:.0f}, and there are {held}: the file was cut, or is "
            "a part of a longer recording"
        )
    times: list[tuple[float, float]] = []
    for sample, second in stated:
        midnights = round((times[-1][1] - second) / _DAY_S) if times else 0
        if sample < held:
            times.append((sample, second + max(midnights, 0) * _DAY_S))
    if not times or times[0][0] > 0:
        times.insert(0, (0.0, times[0][1] - times[0][0] / rate if times else 0.0))
    samples, seconds = zip(*times, strict=True)
    return segments_of(seconds, np.diff([*samples, held]).astype(int), rate, name)


def _events(lines: Sequence[str], segments: Sequence[Segment], rate: float, name: str) -> list[EventRow]:
    events, unreadable = [], []
    for line in lines:
        try:
            start, duration, _, _, text = _DECIMAL_COMMAS.sub(r"\1.\2,\3.\4,", line).split(",", 4)
            first, last = float(start) * rate, (float(start) + float(duration)) * rate
        except ValueError:
            unreadable.append(line)
            continue
        onset = place_of(segments, first)
        # The last sample, and not the next one, says on which side of a gap an event ends.
        end = place_of(segments, last - 0.5) + 0.5 if last - first >= 1 else onset
        events.append(EventRow(onset / rate, (end - onset) / rate, text.strip()))
    if unreadable:
        warn(
            f"{name}: {len(unreadable)} comments cannot be read and are passed over, such as {unreadable[0]!r}; "
            "expected time, duration, state, type, text"
        )
    if len(segments) > 1 and events:
        warn(
            f"{name}: the file has {len(segments) - 1} gaps, and the times of its comments are taken to count without "
            "them, as Persyst does; pass seizures=... if they are times of the clock"
        )
    return events


def _first_second(lines: Sequence[str], rate: float) -> float | None:
    """Second of the day of the first sample; some programs write seconds since 1970, which are none of a day."""
    sample, second = next(
        ((float(sample), float(second.replace(",", "."))) for sample, second in pairs(lines)), (0.0, 0.0)
    )
    return second - sample / rate if 0 < second - sample / rate < _DAY_S else None


def _start(patient: Mapping[str, str], second: float | None, name: str) -> datetime | None:
    """When the first sample was taken: its second of the day, unless that is before the time of the test."""
    date, time = patient.get("testdate", ""), patient.get("testtime", "")
    if not re.search(r"[1-9]", date):
        return None
    for form in (f"{day} {hour}" for day in _DATES for hour in _TIMES):
        try:
            stated = datetime.strptime(f"{date} {time or '00:00'}", form).replace(tzinfo=UTC)
        except ValueError:
            continue
        by_samples = stated.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=second or 0.0)
        return by_samples if second is not None and by_samples >= stated else stated
    warn(f"{name}: its date {date!r} {time!r} is not understood, so its beginning is not known")
    return None
