"""What pictures and reports show of a detection result, checked once and brought into one form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..data import Recording

_RESULT_KEYS = ("probabilities", "times", "channel_names", "recording_probability", "events")


@dataclass(frozen=True)
class EventView:
    """One seizure event.

    Attributes
    ----------
    onset : float
        [s from the start of the recording].
    duration : float
        [s].
    confidence : float or None
        Probability that the event is a seizure, `None` where it is not stated.
    channels : tuple[str, ...]
        Names of the involved channels, empty where they are not stated.
    """

    onset: float
    duration: float
    confidence: float | None
    channels: tuple[str, ...]

    @property
    def offset(self) -> float:
        """End of the event [s]."""
        return self.onset + self.duration

    def overlaps(self, others: Iterable[EventView]) -> bool:
        """Whether any of the other events shares a moment with this one."""
        return any(self.onset < other.offset and other.onset < self.offset for other in others)


@dataclass(frozen=True)
class ResultView:
    """A detection result in the form in which it is drawn.

    Attributes
    ----------
    probabilities : np.ndarray
        Of shape (channels, steps).
    edges : np.ndarray
        Borders of the steps [s], of shape (steps + 1,).
    recording_probability : np.ndarray
        Of shape (steps,).
    channel_names : list[str]
        One for each row of `probabilities`.
    events : list[EventView]
        Detected events, sorted by onset.
    reference : list[EventView] or None
        Reference events, sorted by onset; `None` where none were given.
    threshold : float or None
        Recording probability at which an event begins, `None` where it is not known.
    duration : float
        Length of the recording [s].
    """

    probabilities: np.ndarray
    edges: np.ndarray
    recording_probability: np.ndarray
    channel_names: list[str]
    events: list[EventView]
    reference: list[EventView] | None
    threshold: float | None
    duration: float

    @classmethod
    def of(
        cls,
        recording: Recording,
        result: Mapping[str, Any],
        reference: Sequence[Mapping[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> ResultView:
        """Check a result against itself and brings it into this form.

        Parameters
        ----------
        recording : Recording
            The recording that was analysed.
        result : Mapping[str, Any]
            What the pipeline returned; its `"threshold"`, if there is one, is shown.
        reference : Sequence[Mapping[str, Any]] or None
            Reference events, in the form of `result["events"]`; those that overlap, as where a table has a row for
            each channel of a seizure, become one.
        settings : Mapping[str, Any] or None
            Searched for a `"threshold"`, at any depth, where the result has none.

        Raises
        ------
        ValueError
            A key is missing, shapes do not agree, probabilities are none, or an event has no length.
        """
        missing = [key for key in _RESULT_KEYS if key not in result]
        if missing:
            raise ValueError(f"The detection result lacks {', '.join(missing)}; pass what the pipeline returned")
        probabilities = _probabilities(result["probabilities"], "probabilities", 2)
        recording_probability = _probabilities(result["recording_probability"], "recording_probability", 1)
        times = np.asarray(result["times"], dtype=float)
        names = [str(name) for name in result["channel_names"]]
        expected = (len(names), times.size)
        if times.ndim != 1 or probabilities.shape != expected or recording_probability.size != times.size:
            raise ValueError(
                f"The detection result has {len(names)} channel names, times of shape {times.shape}, probabilities "
                f"of shape {probabilities.shape} and recording_probability of shape {recording_probability.shape}; "
                "expected (steps,), (channels, steps) and (steps,)"
            )
        return cls(
            probabilities=probabilities,
            edges=_edges(times, recording.duration),
            recording_probability=recording_probability,
            channel_names=names,
            events=_events(result["events"], "event"),
            reference=None if reference is None else _united(_events(reference, "reference event")),
            threshold=_threshold(result, settings),
            duration=float(recording.duration),
        )

    def steps_inside(self, events: Iterable[EventView]) -> np.ndarray:
        """Which steps share a moment with one of the events, bool of shape (steps,)."""
        inside = np.zeros(self.edges.size - 1, dtype=bool)
        for event in events:
            inside |= (self.edges[:-1] < event.offset) & (self.edges[1:] > event.onset)
        return inside

    def most_confident_event(self) -> EventView | None:
        """Return the event with the highest confidence, the first of several; `None` without events."""
        return max(self.events, key=lambda event: event.confidence or 0.0, default=None)

    def involvement(self) -> np.ndarray:
        """How much each channel takes part, of shape (channels,): its mean probability inside the events.

        Without detected events it is the mean inside the reference events, and without those the highest probability.
        """
        inside = self.steps_inside(self.events or self.reference or [])
        values = np.nan_to_num(self.probabilities)
        return values[:, inside].mean(axis=1) if inside.any() else values.max(axis=1)


def keep_maxima(values: np.ndarray, edges: np.ndarray, max_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Join neighbouring steps until there are at most `max_columns`; each column is the maximum of its steps.

    So a short event in a long recording stays as high as it is.

    Parameters
    ----------
    values : np.ndarray
        Of shape (..., steps).
    edges : np.ndarray
        Borders of the steps [s], of shape (steps + 1,).
    max_columns : int
        Most columns of the output.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        Values of shape (..., columns) and their borders, of shape (columns + 1,).
    """
    starts = np.arange(0, values.shape[-1], math.ceil(values.shape[-1] / max_columns))
    return np.fmax.reduceat(values, starts, axis=-1), np.append(edges[starts], edges[-1])


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time in the recording as `h:mm:ss`, with decimals of the second if wanted."""
    ticks = round(seconds * 10**decimals)
    whole, fraction = divmod(ticks, 10**decimals)
    text = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text


def length_in_words(seconds: float) -> str:
    """Return a duration with the unit that suits it: `45 s`, `10 min`, `24 h`."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _probabilities(values: Any, name: str, ndim: int) -> np.ndarray:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name} of the detection result has shape {array.shape}; expected {ndim} axes, none empty")
    lowest, highest = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
    # A mean over windows in low precision may exceed 1 by rounding.
    if lowest < -1e-3 or highest > 1 + 1e-3:
        raise ValueError(f"{name} of the detection result go from {lowest:g} to {highest:g}; expected 0 to 1")
    return array


def _edges(times: np.ndarray, duration: float) -> np.ndarray:
    if np.any(np.diff(times) <= 0) or not np.all(np.isfinite(times)):
        raise ValueError("times of the detection result have to be finite and to increase from step to step")
    if times.size == 1:
        return np.array([0.0, max(2 * times[0], duration)])
    between = (times[:-1] + times[1:]) / 2
    return np.concatenate([[2 * times[0] - between[0]], between, [2 * times[-1] - between[-1]]])


def _events(events: Iterable[Mapping[str, Any]], what: str) -> list[EventView]:
    return sorted((_event(event, what) for event in events), key=lambda event: event.onset)


def _united(events: list[EventView]) -> list[EventView]:
    """Events that overlap as one, with the channels of all."""
    united: list[EventView] = []
    for event in events:
        if united and event.onset < united[-1].offset:
            last = united[-1]
            offset = max(last.offset, event.offset)
            channels = tuple(dict.fromkeys([*last.channels, *event.channels]))
            united[-1] = replace(last, duration=offset - last.onset, channels=channels)
        else:
            united.append(event)
    return united


def _event(event: Mapping[str, Any], what: str) -> EventView:
    onset, duration = float(event["onset"]), float(event["duration"])
    if not (math.isfinite(onset) and math.isfinite(duration) and duration > 0):
        raise ValueError(
            f"A {what} has onset {onset} s and duration {duration} s; expected finite times and a duration above 0"
        )
    confidence = event.get("confidence")
    channels = event.get("channels") or ()
    return EventView(
        onset=onset,
        duration=duration,
        confidence=None if confidence is None or not math.isfinite(confidence) else float(confidence),
        channels=(channels,) if isinstance(channels, str) else tuple(str(name) for name in channels),
    )


def _threshold(result: Mapping[str, Any], settings: Mapping[str, Any] | None) -> float | None:
    found = result.get("threshold")
    if found is None:
        found = next(_values_of("threshold", settings or {}), None)
    return None if found is None else float(found)


def _values_of(key: str, settings: Mapping[str, Any]) -> Iterable[Any]:
    """Values stored under a key, those of outer dictionaries first."""
    if settings.get(key) is not None:
        yield settings[key]
    for value in settings.values():
        if isinstance(value, Mapping):
            yield from _values_of(key, value)
