"""A seizure event, and what is done with stretches of time: merging, finding runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..bad_input import several

if TYPE_CHECKING:
    import mne


@dataclass(frozen=True)
class SeizureEvent:
    """One seizure event.

    Attributes
    ----------
    onset : float
        [s from the start of the recording].
    duration : float
        [s], above 0.
    channels : tuple[str, ...] or None
        Names of the channels that take part, `None` for all or where it is not stated.
    confidence : float or None
        Probability that the event is a seizure, `None` where it is not stated.

    Raises
    ------
    ValueError
        The onset is not finite, or the event has no length.
    """

    onset: float
    duration: float
    channels: tuple[str, ...] | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset) and 0 < self.duration < math.inf):
            raise ValueError(
                f"a seizure has onset {self.onset:g} s and duration {self.duration:g} s; expected a finite onset and "
                "a duration above 0"
            )

    @classmethod
    def of(cls, event: EventLike) -> SeizureEvent:
        """Make an event of a dictionary, as `to_dict` gives it, or of `(onset, offset[, channels])`."""
        if isinstance(event, SeizureEvent):
            return event
        try:
            if not isinstance(event, Mapping):
                onset, offset, *channels = event
                event = {"onset": onset, "duration": offset - onset, "channels": channels[0] if channels else None}
            missing = [name for name in ("onset", "duration") if event.get(name) is None]
            onset, duration = (math.nan if missing else float(event[name]) for name in ("onset", "duration"))
            names, confidence = event.get("channels"), event.get("confidence")
            names = (names,) if isinstance(names, str) else tuple(map(str, names or ()))
            if confidence is not None:
                confidence = float(confidence) if math.isfinite(confidence) else None
        except (TypeError, ValueError):
            raise ValueError(
                f"an event is {event!r}; expected a dictionary with onset and duration in seconds and, if wanted, "
                "channels and confidence, or (onset, offset) or (onset, offset, channels); several are a list of these"
            ) from None
        if missing:
            raise ValueError(f"an event has no {' and no '.join(missing)}: {dict(event)}; expected both, in seconds")
        return cls(onset, duration, names or None, confidence)

    @classmethod
    def all_of(cls, events: Iterable[EventLike]) -> list[SeizureEvent]:
        """Make several, see `of`."""
        return [cls.of(event) for event in several(events)]

    @property
    def offset(self) -> float:
        """End of the event [s]."""
        return self.onset + self.duration

    def overlaps(self, start: float, stop: float) -> bool:
        """Whether the event shares a moment with the stretch from `start` to `stop` [s]."""
        return self.onset < stop and start < self.offset

    def to_dict(self) -> dict[str, Any]:
        """Return the event as the pipeline gives it: `onset`, `duration`, `confidence` and `channels` (a list)."""
        return {
            "onset": self.onset,
            "duration": self.duration,
            "confidence": self.confidence,
            "channels": list(self.channels or ()),
        }


EventLike: TypeAlias = SeizureEvent | Mapping[str, Any] | Sequence[Any]
"""An event, a dictionary as `SeizureEvent.to_dict` gives it, or `(onset, offset[, channels])` [s]."""


def check_duration(duration: float) -> None:
    """Raise a `ValueError` unless it is the length of a recording [s]."""
    if not (isinstance(duration, Real) and 0 < duration < math.inf):
        raise ValueError(f"the duration of the recording is {duration!r} s; it must be a number above 0")


def merge_stretches(stretches: Iterable[tuple[float, float]], gap: float = 0.0) -> list[tuple[float, float]]:
    """Unite stretches `(start, stop)` that overlap, touch, or have at most `gap` between them; sorted."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(stretches):
        if merged and start <= merged[-1][1] + gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def without_stretches(
    stretches: Iterable[tuple[float, float]], holes: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Cut the holes out of stretches `(start, stop)`; both are united first."""
    united = merge_stretches(holes)
    left = []
    for start, stop in merge_stretches(stretches):
        for first, last in united:
            if first < stop and start < last:
                left.append((start, first))
                start = last
        left.append((start, stop))
    return [(start, stop) for start, stop in left if start < stop]


def merge_events(events: Iterable[SeizureEvent]) -> list[SeizureEvent]:
    """Unite events that overlap or touch, with the channels of all and the highest confidence."""
    merged: list[SeizureEvent] = []
    for event in sorted(events, key=lambda event: event.onset):
        if not merged or event.onset > merged[-1].offset:
            merged.append(event)
            continue
        last = merged[-1]
        stated = [each.confidence for each in (last, event) if each.confidence is not None]
        channels = unite_channels(last.channels, event.channels)
        merged[-1] = replace(
            last,
            duration=max(last.offset, event.offset) - last.onset,
            channels=None if channels is None else tuple(channels),
            confidence=max(stated, default=None),
        )
    return merged


def unite_channels(first: Iterable[str] | None, second: Iterable[str] | None) -> list[str] | None:
    """Channels of both, each once; `None` is all channels."""
    return None if first is None or second is None else list(dict.fromkeys([*first, *second]))


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First place and the place after the last one of each run of true values of `mask`, `(places,)`."""
    edges = np.flatnonzero(np.diff(np.asarray(mask, bool).astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def to_annotations(
    events: Iterable[SeizureEvent | Mapping[str, Any]], *, with_channels: bool = True, start: datetime | None = None
) -> mne.Annotations:
    """Events as annotations of MNE-Python, `raw.set_annotations(to_annotations(result["events"]))`.

    Parameters
    ----------
    events : Iterable[SeizureEvent | Mapping[str, Any]]
        Events, as objects or in the form of `result["events"]`.
    with_channels : bool
        Whether an annotation names its channels; leave them out where they are not those of the `Raw`, as after a
        bipolar reference.
    start : datetime or None
        When the recording began, which becomes `orig_time`; without a time zone, as most files tell it, MNE-Python
        calls it UTC. Without it onsets count from the first sample, whatever recording they are given to.

    Returns
    -------
    mne.Annotations
        Described `"seizure"`, with onsets from the start of the recording and the confidence in `extras`.
    """
    import mne

    seizures = SeizureEvent.all_of(events)
    return mne.Annotations(
        onset=[event.onset for event in seizures],
        duration=[event.duration for event in seizures],
        description=["seizure"] * len(seizures),
        ch_names=[event.channels or () for event in seizures] if with_channels else None,
        extras=[{"confidence": event.confidence} for event in seizures],
        orig_time=start if start is None or start.tzinfo is not None else start.replace(tzinfo=UTC),
    )
