"""What a reader finds in a file, before channels, units and seizures are settled."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from ...events.vocabulary import EventRow

# The first sub-field of an EDF+ patient field is `X` when it was anonymised.
_ANONYMOUS = re.compile(
    r"[xX_\s.\-0?]*|-1|n/?a|nan|null|none|unknown|un-?named|no[ _]?name|anon.*|de-?ident.*|redacted|removed|default"
    r"|patient|subject",
    re.IGNORECASE,
)
# EDF has this day for a date that was taken out, MNE-Python the first moment of 2000.
_UNKNOWN_DAY, _UNKNOWN_START = date(1985, 1, 1), datetime(2000, 1, 1)


class ChannelReader(Protocol):
    """Reads samples of some channels from disk. Every file format has one; it can be pickled and holds no samples."""

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of the channels at these (increasing) places in the file."""
        ...


@dataclass
class Source:
    """A file as its reader sees it. Fields that the format does not state are `None`.

    Attributes
    ----------
    name : str
        Name of the recording.
    num_samples : int
        Samples of a channel that has the rate `sampling_rate`, gaps included.
    channel_count : int
        Channels of the file, read or not.
    read : ChannelReader
        Reads samples as the file holds them, in the unit `unit`.
    unit : str or list[str]
        Unit of what `read` gives, for all channels or for each, as the file writes it; empty where it states none.
    subject : str or None
        Patient.
    sampling_rate : float or None
        [Hz].
    rates : list[float] or None
        Sampling rate of each channel [Hz], for a file whose channels differ. `read` gives the channels asked for at
        their own rate; those asked for together have the same one.
    channel_names : list[str] or None
        Names in the order of the file.
    channel_types : list[str] or None
        Type of each, `"eeg"` where the format does not tell. `None`: all taken as sEEG.
    types_stated : bool or list[bool]
        Whether the format really states the types (of each channel), so that a neural one goes before what the name
        of the channel says. A reader that calls every channel sEEG assumes them.
    bad_channels : dict[str, str]
        Channels marked bad, each with the reason.
    left_out : dict[str, str]
        Channels that the reader itself cannot give, each with the reason.
    seizures : Sequence[tuple]
        Stated as such: `(onset, offset or None)` or `(onset, offset or None, channels)` [s].
    events : Sequence[EventRow]
        What the file's events or annotations say, seizures or not.
    events_from : str
        Name of the table that `events` come from; empty for what the file itself says.
    gaps : Sequence[tuple[float, float]]
        Stretches `(start, stop)` [s] in which nothing was recorded; `read` gives NaN there.
    line_frequency : float or None
        Mains frequency [Hz].
    start_date : datetime or None
        When the recording began.
    positions : np.ndarray or None
        Contacts `(channels, 3)` [m], NaN where not known.
    coordinate_space : str or None
        Name of the space of `positions`.
    path : Path or None
        The file.
    origin : Path or None
        The recording that an object of MNE-Python was opened from, of which it may be a part by now.
    cropped : float or None
        What was cut off the beginning of such an object [s]; `None` for what is no object.
    """

    name: str
    num_samples: int
    channel_count: int
    read: ChannelReader
    unit: str | list[str]
    subject: str | None = None
    sampling_rate: float | None = None
    rates: list[float] | None = None
    channel_names: list[str] | None = None
    channel_types: list[str] | None = None
    types_stated: bool | list[bool] = False
    bad_channels: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seizures: Sequence[tuple] = ()
    events: Sequence[EventRow] = ()
    events_from: str = ""
    gaps: Sequence[tuple[float, float]] = ()
    line_frequency: float | None = None
    start_date: datetime | None = None
    positions: np.ndarray | None = None
    coordinate_space: str | None = None
    path: Path | None = None
    origin: Path | None = None
    cropped: float | None = None

    @property
    def units(self) -> list[str]:
        """Unit of what `read` gives for each channel, as the file writes it."""
        return [self.unit] * self.channel_count if isinstance(self.unit, str) else self.unit

    @property
    def are_types_stated(self) -> list[bool]:
        """Whether the type of each channel is stated."""
        stated = self.types_stated
        return [stated] * self.channel_count if isinstance(stated, bool) else stated


def known_subject(written: object) -> str | None:
    """Return the subject that a header names, `None` where it names nobody."""
    subject = str(written or "").strip()
    return None if _ANONYMOUS.fullmatch(subject) else subject


def known_start(start: datetime | None) -> datetime | None:
    """Return when a recording began, `None` where the date is one that stands for a date taken out."""
    if start is None or start.date() == _UNKNOWN_DAY or start.replace(tzinfo=None) == _UNKNOWN_START:
        return None
    return start
