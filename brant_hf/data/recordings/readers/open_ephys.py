"""Open Ephys in its binary format: a folder with `structure.oebin`, which describes the files below it.

Neo reads whole sessions, with all that several nodes recorded of the same signals, and knows no pauses.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ....events.encodings import decode_remark
from ....events.vocabulary import EventRow
from ....files import check_fetched
from ....listing import listed
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, segments_of
from ..source import Source, known_start
from ..units import factors_entered
from .frames import FrameReader
from .timestamps import starts_of_runs

OPEN_EPHYS_HEADER, _SAMPLES = "structure.oebin", "continuous.dat"
# What else is recorded, by the name of a channel or by how the recorder describes it.
_NO_ELECTRODE = re.compile(r"(?:.*[_ -])?(?:ADC|AUX|AI|SYNC)[_ -]?\d*", re.IGNORECASE)
_DESCRIBED_AS_NONE = re.compile(r"ADC|aux|analog input|sync", re.IGNORECASE)
# Folders of which every session has its own; that around them has a name.
_OF_SESSION = re.compile(r"recording\d+|experiment\d+|record.?node.*", re.IGNORECASE)
_BEGAN = re.compile(r"since midnight Jan 1st 1970 UTC\): *(\d+)")


@dataclass(frozen=True)
class _Stream:
    """Channels that are sampled together: name, place in the file, microvolts of a step."""

    folder: Path
    name: str
    rate: float
    width: int
    electrodes: dict[int, str]
    others: list[str]
    scales: list[float]
    units: list[str]


def holds_open_ephys(folder: Path) -> bool:
    """Whether a folder is a recording, or a stream of one."""
    return folder.is_dir() and _header_of(folder).is_file()


def open_ephys_source(path: Path) -> Source:
    """Open a recording by its folder or `structure.oebin`, or one of its streams by its folder.

    Raises
    ------
    FileNotFoundError
        Samples are not beside the header.
    ValueError
        The header is damaged, no stream or several hold electrodes, or the clock was set.
    """
    header = _header_of(path) if path.is_dir() else path
    streams, messages = _read_header(header)
    stream = _chosen(streams, header, path)
    places = list(stream.electrodes)
    count = _count(stream)
    numbers = _numbers(stream, count)
    segments = _segments(numbers, stream, header) if numbers is not None else [Segment(0, 0, count)]
    reader = FrameReader(stream.folder / _SAMPLES, "<i2", stream.width, places, [stream.scales[at] for at in places])
    return Source(
        name=_name(header.parent) + (f"_{stream.name}" if path.is_dir() and path != header.parent else ""),
        num_samples=length_of(segments),
        channel_count=len(places),
        sampling_rate=stream.rate,
        channel_names=list(stream.electrodes.values()),
        left_out=_left_out(streams, stream),
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=[stream.units[at] for at in places],
        events=_messages(messages, stream, numbers if len(streams) == 1 else None),
        gaps=gaps_of(segments, stream.rate),
        start_date=_start(header.parent),
        path=path,
    )


def _header_of(folder: Path) -> Path:
    is_stream = (folder / _SAMPLES).is_file()
    return (folder.parent.parent if is_stream else folder) / OPEN_EPHYS_HEADER


def _read_header(path: Path) -> tuple[list[_Stream], list[Path]]:
    """Read which streams there are, and the folders of messages."""
    check_fetched(path)
    try:
        content = json.loads(path.read_bytes())
        streams = [_stream(each, path.parent / "continuous") for each in content["continuous"]]
        events = [each for each in content.get("events", ()) if each["type"] == "string"]
        return streams, [path.parent / "events" / each["folder_name"] for each in events]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is damaged, as it does not describe a recording ({why}); copy it again") from error


def _stream(stated: Mapping[str, Any], folder: Path) -> _Stream:
    channels = stated["channels"]
    names = [str(channel["channel_name"]) for channel in channels]
    rate, count = float(stated["sample_rate"]), int(stated["num_channels"])
    scales = [float(channel["bit_volts"]) for channel in channels]
    if not 0 < rate < np.inf or count != len(names) or not np.isfinite(scales).all():
        raise ValueError(f"{count} channels at {rate:g} Hz, of which {len(names)} are described")
    is_none = [
        _NO_ELECTRODE.fullmatch(name) or _DESCRIBED_AS_NONE.match(str(channel.get("description", "")))
        for name, channel in zip(names, channels, strict=True)
    ]
    return _Stream(
        folder=folder / str(stated["folder_name"]),
        name=str(stated["folder_name"]).rstrip("/"),
        rate=rate,
        width=count,
        electrodes={place: name for place, name in enumerate(names) if not is_none[place]},
        others=[name for name, is_other in zip(names, is_none, strict=True) if is_other],
        scales=factors_entered(scales, names, str(stated["folder_name"]).rstrip("/")).tolist(),
        # Some versions leave the unit out, which is this one for electrodes in all of them.
        units=[str(channel.get("units") or "uV") for channel in channels],
    )


def _chosen(streams: Sequence[_Stream], header: Path, path: Path) -> _Stream:
    with_electrodes = [stream for stream in streams if stream.electrodes]
    if path.is_dir() and path != header.parent:
        with_electrodes = [stream for stream in with_electrodes if stream.name == path.name]
    if not with_electrodes:
        raise ValueError(f"{path} holds no channel of an electrode; its streams are {listed(s.name for s in streams)}")
    if len(with_electrodes) > 1:
        found = listed(f"{each.name} ({len(each.electrodes)} channels, {each.rate:g} Hz)" for each in with_electrodes)
        raise ValueError(
            f"{path} holds {len(with_electrodes)} streams of electrodes, each with a clock of its own: {found}; name "
            f"the folder of one instead, such as {with_electrodes[0].folder}"
        )
    return with_electrodes[0]


def _count(stream: _Stream) -> int:
    """Return how many samples of each channel are stored."""
    path = stream.folder / _SAMPLES
    check_fetched(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there, which holds the samples; put all files of the recording there")
    count, rest = divmod(path.stat().st_size, 2 * stream.width)
    if count == 0:
        raise ValueError(f"{path} holds no samples ({path.stat().st_size} bytes); copy or export it again")
    if rest:
        warn(f"{stream.name}: {path.name} ends with {rest} bytes that are no sample of all channels, so it was cut")
    return count


def _numbers(stream: _Stream, count: int) -> np.ndarray | None:
    """Map the numbers of the samples; older versions call them `timestamps.npy`, in which later ones have seconds."""
    files = [stream.folder / name for name in ("sample_numbers.npy", "timestamps.npy")]
    file = next((file for file in files if file.is_file()), files[0])
    numbers = _array(file)
    if numbers is None or numbers.dtype.kind not in "iu" or numbers.shape != (count,):
        held = "is not there" if numbers is None else f"holds {numbers.dtype} {numbers.shape}"
        warn(
            f"{stream.name}: the numbers of its {count} samples are not known, as {file.name} {held}; they are taken "
            "as following each other, without pauses"
        )
        return None
    return numbers


def _array(file: Path) -> np.ndarray | None:
    check_fetched(file)
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False) if file.is_file() else None
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{file} is damaged: it is no array of NumPy; copy it again") from error


def _segments(numbers: np.ndarray, stream: _Stream, header: Path) -> list[Segment]:
    starts = starts_of_runs(numbers, 1, 0)
    if starts is None:
        raise ValueError(f"{header}: the numbers of the samples of {stream.name} are not in order; export it as EDF+")
    lengths = np.diff([*starts, len(numbers)])
    first = int(numbers[0])
    return segments_of([(int(numbers[at]) - first) / stream.rate for at in starts], lengths, stream.rate, str(header))


def _left_out(streams: Sequence[_Stream], chosen: _Stream) -> dict[str, str]:
    told = {f"{each.name}/{name}": "of another stream" for each in streams for name in each.electrodes.values()}
    told = {name: why for name, why in told.items() if not name.startswith(f"{chosen.name}/")}
    return told | {name: "auxiliary input, no electrode" for each in streams for name in each.others}


def _messages(folders: Sequence[Path], stream: _Stream, numbers: np.ndarray | None) -> list[EventRow]:
    """Read messages, which are on the clock of the only stream or, in later versions, on one of seconds for all."""
    events = []
    for folder in folders:
        texts, times = _array(folder / "text.npy"), _array(folder / "timestamps.npy")
        if texts is None or times is None or len(texts) != len(times) or len(texts) == 0:
            continue
        is_in_seconds = times.dtype.kind == "f"
        of_samples = _array(stream.folder / "timestamps.npy") if is_in_seconds else numbers
        # Clocks that were never brought together have seconds below 0.
        if of_samples is None or len(of_samples) == 0 or of_samples[0] < 0:
            warn(f"{stream.name}: messages in {folder.name} are not read, as nothing tells when they were written")
            continue
        onsets = (times.astype(float) - float(of_samples[0])) / (1.0 if is_in_seconds else stream.rate)
        pairs = zip(onsets.tolist(), texts.tolist(), strict=True)
        events += [EventRow(onset, 0.0, _text(text)) for onset, text in pairs if np.isfinite(onset) and _text(text)]
    return sorted(events, key=lambda event: event.onset)


def _text(stored: bytes | str) -> str:
    return (decode_remark(stored.split(b"\0")[0]) if isinstance(stored, bytes) else str(stored)).strip()


def _name(folder: Path) -> str:
    """Name with those of the folders around it, as every session has a `recording1`."""
    parts = list[str]()
    for each in (folder.absolute(), *folder.absolute().parents):
        parts.insert(0, each.name)
        if not _OF_SESSION.fullmatch(each.name):
            break
    return "_".join(part for part in parts if part)


def _start(folder: Path) -> datetime | None:
    file = folder / "sync_messages.txt"
    began = _BEGAN.search(file.read_bytes().decode("utf-8", "replace")) if file.is_file() else None
    try:
        return known_start(datetime.fromtimestamp(int(began[1]) / 1000, UTC)) if began else None
    except (ValueError, OverflowError, OSError):
        return None
