"""`.cnt` files, of which there are two formats: those of ANT Neuro (EEProbe, eego) and those of Neuroscan.

MNE-Python tries both readers one after the other, does not say why they failed, and that of ANT ends the process for
files that are cut or of another format. It also joins what was recorded with pauses.
"""

import re
import struct
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....files import check_fetched
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import Source
from .interruptions import with_interruptions
from .mne_raw import raw_source, read_raw

_DAY_S = 86400.0
_BEGINNING_BYTES = 16
_FORM = b"CNT "
# Of Neuroscan: bytes before the channels, of each channel, and from what follows the events to a byte that tells the
# kind of the numbers (as EEGLAB reads it).
_NEUROSCAN_HEADER_BYTES, _NEUROSCAN_CHANNEL_BYTES, _KIND_OF_NUMBERS = 900, 75, 52
_LARGEST_PLACE = 2**32
# Of these two kinds of RIFF: where the size of what follows begins and ends; the form comes then.
_RIFF_SIZES = {b"RIFF": (4, 8), b"RF64": (4, 12)}


def cnt_source(path: Path) -> Source:
    """Open a `.cnt` file with MNE-Python.

    Raises
    ------
    ImportError
        It is one of ANT Neuro, for which MNE-Python needs `antio`.
    ValueError
        It is of neither format, or was cut.
    """
    import mne

    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    if _FORM in (beginning[8:12], beginning[12:16]) and beginning[:4] in _RIFF_SIZES:
        _check_size(path, beginning)
        return _with_pauses(raw_source(read_raw(path, mne.io.read_raw_ant), path), path)
    if not beginning.startswith(b"Version"):
        raise ValueError(
            f"{path} is no CNT file of ANT Neuro or Neuroscan (it begins with {beginning[:12]!r}); export the "
            "recording as EDF+"
        )
    # By default MNE-Python also takes the fifth letter of a name as a mark that a channel is bad.
    reader = partial(mne.io.read_raw_cnt, header="new")
    try:
        return with_interruptions(raw_source(read_raw(path, reader), path))
    except RuntimeError as error:
        options = _numbers(path)
        if options is None:
            raise ValueError(
                f"{path} was cut, or does not tell whether its numbers have 2 or 4 bytes; copy it again, or open it "
                'with mne.io.read_raw_cnt(..., data_format="int16" or "int32") and pass that object'
            ) from error
    raw = read_raw(path, partial(reader, **options))
    warn(f"{path.name}: its header states another number of samples than it holds; the {raw.n_times} are read")
    return with_interruptions(raw_source(raw, path))


def _numbers(path: Path) -> dict[str, Any] | None:
    """Kind of the numbers of a Neuroscan file, by a byte behind its events, and how to count its samples.

    Where the header states no samples, or more than there is room for, the place of the events tells their number.
    """
    with path.open("rb") as file:
        header, size = file.read(_NEUROSCAN_HEADER_BYTES), path.stat().st_size
        (behind_events,), (width,) = struct.unpack_from("<I", header, 12), struct.unpack_from("<H", header, 370)
        samples, events = struct.unpack_from("<i18xI", header, 864)
        # Places of 4 bytes tell nothing of larger files.
        if not 0 < behind_events < size < _LARGEST_PLACE or width == 0:
            return None
        file.seek(behind_events + _KIND_OF_NUMBERS)
        kind = {b"\0": "int16", b"\1": "int32"}.get(file.read(1))
    if kind is None:
        return None
    room = (events - len(header) - _NEUROSCAN_CHANNEL_BYTES * width) // (width * (2 if kind == "int16" else 4))
    return {"data_format": kind, "recompute_n_samples": not 0 < samples <= room}


def _check_size(path: Path, beginning: bytes) -> None:
    """Compare the size of a RIFF file with the one it states, since its reader cannot be stopped at the end."""
    first, last = _RIFF_SIZES[beginning[:4]]
    expected, held = last + int.from_bytes(beginning[first:last], "little"), path.stat().st_size
    if held < expected:
        raise ValueError(f"{path} is truncated: it has {held} of {expected} bytes; copy or export it again")


def _with_pauses(source: Source, path: Path) -> Source:
    """Put the parts of a recording at their times, which stand in a file beside it."""
    file = next((each for each in map(path.with_suffix, (".seg", ".SEG")) if each.exists()), None)
    segments = None if file is None else _segments(file, source)
    if segments is None or len(segments) == 1:
        return with_interruptions(source)
    rate = source.sampling_rate or 1.0
    return replace(
        source,
        num_samples=length_of(segments),
        read=ClockReader(source.read, segments),
        gaps=gaps_of(segments, rate),
        events=[replace(event, onset=place_of(segments, event.onset * rate) / rate) for event in source.events],
    )


def _segments(file: Path, source: Source) -> list[Segment] | None:
    """Read when each part after the first one begins (day since 1899-12-30, second) and how many samples it has."""
    check_fetched(file)
    text = file.read_text("latin-1")
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    try:
        values = np.array([[float(value) for value in row[:3]] for row in rows]).reshape(-1, 3)
    except ValueError:
        values = np.zeros((0, 3))
    lengths = values[:, 2].astype(int)
    first = source.num_samples - int(lengths.sum())
    stated = re.match(r"\s*NumberSegments\s*=\s*(\d+)", text)
    if source.start_date is None or stated is None or int(stated[1]) != len(rows) + 1 or not first > 0 < len(values):
        warn(f"{source.name}: {file.name} does not fit the recording, so times count its samples without any pauses")
        return None
    midnight = source.start_date.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = (source.start_date - midnight).total_seconds()
    day = np.floor(values[0, 0]) if len(values) else 0.0
    starts = (values[:, 0] - day) * _DAY_S + values[:, 1]
    starts += np.where(starts[0] < begin, _DAY_S, 0.0)
    return segments_of([begin, *starts], [first, *lengths], source.sampling_rate or 1.0, source.name)
