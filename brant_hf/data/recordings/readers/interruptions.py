"""Interruptions that formats mark by events among the others."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ....events.vocabulary import EventRow
from ....listing import listed
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, without
from ..source import Source

# A recorder of FIF files was stopped from saving; MNE-Python gives zeros there.
_SKIPPED = re.compile(r"bad[ _]acq[ _]skip", re.IGNORECASE)
# Parts that were joined: by MNE-Python, which also joins the blocks of Nihon Kohden; by EEGLAB after something was cut
# out (-99 where types are numbers); in GDF, where 0x7FFE begins a part; and after an amplifier of ANT was lost.
_JOINED = {
    ".cnt": re.compile(r"BAD_disconnection"),
    ".set": re.compile(r"boundary|-99(\.0)?", re.IGNORECASE),
    ".gdf": re.compile(r"32766"),
}
_JOINED_BY_MNE = re.compile(r"(edge|bad)[ _]boundary", re.IGNORECASE)


def is_join(event: EventRow, path: Path | None) -> bool:
    """Whether an event of this file marks a place where parts were joined."""
    suffix = "" if path is None else path.suffix.lower()
    return _JOINED.get(suffix, _JOINED_BY_MNE).fullmatch(event.text) is not None


def with_interruptions(source: Source) -> Source:
    """Put NaN where nothing was saved, and say where parts were joined.

    Parameters
    ----------
    source : Source
        What was read, its events among it.
    """
    rate, end = source.sampling_rate or 1.0, source.num_samples
    # Some readers of MNE-Python let a skip begin and end half a sample before the first sample that it is about.
    skips = sorted(
        (math.ceil(event.onset * rate - 0.25), math.ceil((event.onset + event.duration) * rate - 0.25))
        for event in source.events
        if _SKIPPED.fullmatch(event.text) and event.duration > 0
    )
    # A quarter of a sample inside, so that no rounding takes in one more.
    stretches = [((start + 0.25) / rate, (stop - 0.25) / rate) for start, stop in skips if stop > 0 and start < end]
    if stretches:
        segments = without([Segment(0, 0, end)], stretches, rate, source.name)
        source = replace(source, read=ClockReader(source.read, segments), gaps=gaps_of(segments, rate))
    _tell_joined(source)
    return source


def _tell_joined(source: Source) -> None:
    rate = source.sampling_rate or 1.0
    joins = [event for event in source.events if is_join(event, source.path or source.origin)]
    # Many files begin with such a mark, which says something only where it says how much was cut out.
    joins = [join for join in joins if round(join.onset * rate) > 0 or join.duration * rate > 1]
    joins = [join for join in joins if 0 <= round(join.onset * rate) < source.num_samples]
    if not joins:
        return
    places = listed(f"{onset:.2f} s" for onset in sorted({round(join.onset, 2) for join in joins}))
    missing = float(np.nansum([join.duration for join in joins]))
    length = f" ({missing:.2f} s in all, as far as the file says)" if missing > 0 else ""
    warn(
        f"{source.name}: parts were joined at {places}, and what lay between them was cut out{length}; times count "
        "what is left, and those in other tables may not"
    )
