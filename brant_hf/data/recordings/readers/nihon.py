"""Nihon Kohden recordings (`.EEG` with `.21E`, `.PNT`, `.LOG`).

MNE-Python opens them. It joins the blocks of a recording that was paused and cannot read across their edges, tells
channels apart by single letters in their names, and drops remarks that are not in UTF-8; all this is done here.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from ....events.vocabulary import EventRow
from ..clock import ClockReader, Segment, gaps_of, length_of, place_of, segments_of
from ..source import ChannelReader, Source
from .encodings import decode_text
from .mne_raw import quiet_mne, raw_source

# Inputs that are none of the brain, whatever is connected: not assigned, markers, and bipolar ones for ECG and such.
_NO_ELECTRODE = re.compile(r"NA\d+|Z|Mark ?\d*|X\d+(/BP\d)?", re.IGNORECASE)
# Set by MNE-Python between blocks.
_MARKS_OF_MNE = ("BAD boundary", "EDGE boundary")
_BYTES_BEFORE_CHANNELS, _BYTES_OF_CHANNEL = 0x27, 10
# Where a block of samples tells its date, as six bytes of two decimal digits each.
_DATE_OF_BLOCK = 0x14
# The date has whole seconds, so a block may begin up to this [s] later than it says.
_DATE_STEP_S = 1.0


@dataclass
class _BlockReader:
    """Reads each block on its own."""

    read: ChannelReader = field(repr=False)
    edges: list[int]

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        cuts = [start, *(edge for edge in self.edges if start < edge < stop), stop]
        return np.concatenate([self.read(channels, first, last) for first, last in pairwise(cuts)], axis=1)


def nihon_source(path: Path) -> Source:
    """Open a Nihon Kohden recording.

    Raises
    ------
    ValueError
        The file is of another system or truncated, or the clock was set back between two blocks.
    """
    if path.with_suffix(".vhdr").exists():
        raise ValueError(f"{path} holds the samples of a BrainVision recording; give {path.with_suffix('.vhdr').name}")
    import mne

    with quiet_mne(path.name):
        # An encoding that any byte has; the texts are decoded one by one below.
        raw = mne.io.read_raw_nihon(path, encoding="latin-1", verbose="warning")
    source = raw_source(raw, path)
    blocks = raw._raw_extras[0]["header"]["controlblocks"][0]["datablocks"]
    _check_length(path, blocks)
    segments = _segments(path, blocks, source)
    edges = np.cumsum([block["n_samples"] for block in blocks]).tolist()
    return replace(
        source,
        channel_types=[_type_of(name) for name in raw.ch_names],
        num_samples=length_of(segments),
        read=ClockReader(_BlockReader(source.read, edges[:-1]), segments),
        gaps=gaps_of(segments, raw.info["sfreq"]),
        events=[_event(row, segments, raw.info["sfreq"]) for row in source.events if row.text not in _MARKS_OF_MNE],
    )


def _type_of(name: str) -> str:
    return "misc" if _NO_ELECTRODE.fullmatch(name.strip()) else "eeg"


def _check_length(path: Path, blocks: Sequence[Mapping]) -> None:
    ends = [
        int(block["address"])
        + _BYTES_BEFORE_CHANNELS
        + _BYTES_OF_CHANNEL * int(block["n_channels"])
        + 2 * int(block["n_samples"]) * (int(block["n_channels"]) + 1)
        for block in blocks
    ]
    size = path.stat().st_size
    if size < max(ends):
        raise ValueError(
            f"{path} is truncated: its blocks need {max(ends)} bytes, it has {size}; copy it again from the system"
        )


def _segments(path: Path, blocks: Sequence[Mapping], source: Source) -> list[Segment]:
    rate, lengths = float(source.sampling_rate or 0), [int(block["n_samples"]) for block in blocks]
    dates = [_date_of(path, int(block["address"])) for block in blocks]
    starts, end = [0.0], lengths[0] / rate
    for date, length in zip(dates[1:], lengths[1:], strict=True):
        stated = end if date is None or dates[0] is None else (date - dates[0]).total_seconds()
        starts.append(end if abs(stated - end) <= _DATE_STEP_S else stated)
        end = starts[-1] + length / rate
    return segments_of(starts, lengths, rate, source.name)


def _date_of(path: Path, address: int) -> datetime | None:
    with open(path, "rb") as file:
        file.seek(address + _DATE_OF_BLOCK)
        digits = struct.unpack("6B", file.read(6))
    year, month, day, hour, minute, second = (10 * (byte >> 4) + (byte & 15) for byte in digits)
    try:
        return datetime(2000 + year, month, day, hour, minute, second)
    except ValueError:
        return None


def _event(row: EventRow, segments: Sequence[Segment], rate: float) -> EventRow:
    """Put a remark, whose time counts what was recorded, on the clock; its text is that of any Windows computer."""
    text = decode_text(row.text.encode("latin-1").replace(b"\0", b""))
    return replace(row, onset=place_of(segments, row.onset * rate) / rate, text=text.strip())
