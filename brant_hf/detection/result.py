"""What was detected in a recording, as an object that knows itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events.annotation_files import save_annotations, write_annotations
from ..events.event import EventLike, SeizureEvent, merge_events, to_annotations
from .background import weighing
from .decision import levels
from .settings import DetectionSettings, recorded_s

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import mne

    from ..data import Recording
    from .recruitment import ChannelRecruitment

_CONTRACT_KEYS = ("probabilities", "times", "channel_names", "recording_probability", "events")
_FURTHER_KEYS = ("patch_duration", "threshold", "start_date", "settings", "start", "warnings")
# Recordings of another length are other ones; times are written with few decimals [s].
_ROUNDING_S = 0.01
# Settings that can change without running the model again; the first three tell that a decision is known.
_DECISION = (
    "min_channels",
    "min_duration",
    "merge_gap",
    "edge_threshold",
    "lasting_threshold",
    "background",
    "calibration",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionResult:
    """What was detected in a recording. Times are those of the file, also where a part of it was searched.

    Attributes
    ----------
    probabilities : np.ndarray
        Seizure probability of each channel and patch, (channels, patches), weighed by its line length where the
        checkpoint says so (`Background.line_length_weight`); NaN where more than half of the samples are missing.
    times : np.ndarray
        Centre of each patch [s], (patches,).
    channel_names : list[str]
        One for each row of `probabilities`.
    recording_probability : np.ndarray
        Probability that enough channels agree, (patches,); NaN where nothing was recorded.
    events : list[SeizureEvent]
        Detected events, sorted by onset.
    recording_duration : float
        Length of the recording [s], of a part where one was searched.
    patch_duration : float or None
        Length of a patch [s], `None` where it is not known.
    threshold : float or None
        Recording probability at which an event begins, `None` where it is not known.
    start_date : datetime or None
        When the recording began, `None` where it is not known.
    settings : dict[str, Any] or None
        What the detector worked with, as `DetectionSettings.to_dict` gives it.
    dropped_channels : dict[str, str]
        Channels of the recording that were not searched, such as flat ones, each with the reason.
    start : float
        Where the part that was searched begins [s]; 0 for the whole.
    reference : list[SeizureEvent] or None
        Events to compare with, sorted by onset; `None` where none were given.
    warnings : list[str]
        What was warned of when the recording was opened, read and searched.
    """

    probabilities: np.ndarray
    times: np.ndarray
    channel_names: list[str]
    recording_probability: np.ndarray
    events: list[SeizureEvent]
    recording_duration: float
    patch_duration: float | None = None
    threshold: float | None = None
    start_date: datetime | None = None
    settings: dict[str, Any] | None = None
    dropped_channels: dict[str, str] = field(default_factory=dict)
    start: float = 0.0
    reference: list[SeizureEvent] | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        recording: Recording,
        result: DetectionResult | Mapping[str, Any],
        reference: Sequence[EventLike] | None = None,
    ) -> DetectionResult:
        """Check a result against itself and bring it into this form.

        Parameters
        ----------
        recording : Recording
            The recording that was analysed.
        result : DetectionResult or Mapping[str, Any]
            What a detector or the pipeline returned.
        reference : Sequence[SeizureEvent | Mapping[str, Any] | tuple] or None
            Reference events, also as `Recording.seizures` has them; those that overlap, as where a table has a row for
            each channel of a seizure, become one.

        Raises
        ------
        ValueError
            A key is missing, shapes do not agree, probabilities are none, an event has no length, or the result is of
            a recording of another length.
        """
        if not isinstance(result, DetectionResult | Mapping):
            raise ValueError(
                f"{type(result).__name__} is no detection result; pass what a detector or the pipeline returned"
            )
        known = None if reference is None else merge_events(SeizureEvent.all_of(reference))
        whole = result.recording_duration if isinstance(result, DetectionResult) else result.get("recording_duration")
        searched = None if whole is None else float(whole)
        if searched is not None and abs(searched - recording.duration) > _ROUNDING_S:
            raise ValueError(
                f"The detection result is of a recording of {searched:g} s, and {recording.name} lasts "
                f"{recording.duration:g} s; pass the recording, or the part of it, that was searched"
            )
        if isinstance(result, DetectionResult):
            return replace(result, reference=known)
        missing = [key for key in _CONTRACT_KEYS if key not in result]
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
        if np.any(np.diff(times) <= 0) or not np.all(np.isfinite(times)):
            raise ValueError("times of the detection result have to be finite and to increase from step to step")
        return cls(
            probabilities=probabilities,
            times=times,
            channel_names=names,
            recording_probability=recording_probability,
            events=sorted(SeizureEvent.all_of(result["events"]), key=lambda event: event.onset),
            recording_duration=float(recording.duration),
            reference=known,
            **{name: result[name] for name in _FURTHER_KEYS if name in result},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what the pipeline gives: the keys of its contract, and what else the result knows."""
        names = (*_CONTRACT_KEYS, "recording_duration", *_FURTHER_KEYS)
        return {**{name: getattr(self, name) for name in names}, "events": [event.to_dict() for event in self.events]}

    @property
    def has_own_channels(self) -> bool:
        """Whether the channels are those of the recording, and not pairs of its contacts."""
        preprocessing = (self.settings or {}).get("preprocessing") or {}
        return preprocessing.get("reference") != "bipolar"

    def to_annotations(self) -> mne.Annotations:
        """Return the events as annotations of MNE-Python, see `brant_hf.detection.to_annotations`.

        `orig_time` is the start of the recording, so that they go to where they belong in a part of it, too. They name
        no channels where those are pairs of contacts, which the recording does not have.
        """
        return to_annotations(self.events, with_channels=self.has_own_channels, start=self.start_date)

    def write_annotations(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the events as annotations, `.edf` for viewers, `.fif`, `.csv` or `.txt` for MNE-Python.

        What is in them, and what is raised, stands at `brant_hf.detection.write_annotations`.
        """
        write_annotations(
            path, self.events, start=self.start_date, with_channels=self.has_own_channels, overwrite=overwrite
        )

    def save_annotations(self, path: Path) -> None:
        """Write the file of `write_annotations`, whatever is there."""
        save_annotations(path, self.events, start=self.start_date, with_channels=self.has_own_channels)

    @property
    def lacks_patches(self) -> bool:
        """Whether a patch of a channel has no probability, since too little of it was recorded."""
        return bool(np.isnan(self.probabilities).any())

    @property
    def stop(self) -> float:
        """End of what was searched [s]."""
        return self.start + self.recording_duration

    @property
    def length_in_words(self) -> str:
        """Tell the length of what was searched, and how much of it was recorded where that is less."""
        whole = length_in_words(self.recording_duration)
        patch_s = float(np.median(np.diff(self.edges)))
        recorded = length_in_words(recorded_s(self.probabilities, patch_s, self.recording_duration))
        return whole if recorded == whole else f"{recorded} recorded of {whole}"

    @property
    def edges(self) -> np.ndarray:
        """Borders of the patches [s], (patches + 1,)."""
        times = self.times
        if self.patch_duration is not None:
            return np.append(times - self.patch_duration / 2, times[-1] + self.patch_duration / 2)
        if times.size == 1:
            return np.array([self.start, max(2 * times[0] - self.start, self.stop)])
        between = (times[:-1] + times[1:]) / 2
        return np.concatenate([[2 * times[0] - between[0]], between, [2 * times[-1] - between[-1]]])

    @property
    def tells_decision(self) -> bool:
        """Whether the result tells the settings that its events were decided with."""
        told = (self.settings or {}).keys() >= set(_DECISION[:3])
        return told and self.threshold is not None and self.patch_duration is not None

    @property
    def edge_threshold(self) -> float | None:
        """Probability of the recording at which events begin and end; `None` where the threshold says that."""
        if self.threshold is None:
            return None
        _, edge = levels(self.threshold, (self.settings or {}).get("edge_threshold"), None)
        return edge if edge < self.threshold else None

    @property
    def decision(self) -> DetectionSettings:
        """Settings that the events were decided with, at the threshold that counted.

        Raises
        ------
        ValueError
            The result does not tell them.
        """
        settings = self.settings or {}
        if self.threshold is None or not self.tells_decision:
            raise ValueError("the detection result does not tell its settings; pass what a detector returned")
        known = {name: settings[name] for name in _DECISION if name in settings}
        return DetectionSettings(threshold=self.threshold, **known)

    def with_settings(self, **changes: Any) -> DetectionResult:
        """Decide again with other settings, without running the model again.

        ```python
        result.with_settings(threshold=0.3).events
        ```

        Parameters
        ----------
        **changes : Any
            `threshold`, `min_channels`, `min_duration`, `merge_gap`, `edge_threshold`, `lasting_threshold`,
            `background` or `calibration`, see `DetectionSettings`.

        Raises
        ------
        ValueError
            The result does not tell its settings, or one that is given takes the model or has a wrong value.
        """
        wrong = sorted(set(changes) - {"threshold", *_DECISION})
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} cannot change without running the model again; give them to the Detector, or "
                f"change threshold, {', '.join(_DECISION)}"
            )
        settings = replace(self.decision, **changes)
        if weighing(settings.background) != weighing(self.decision.background):
            raise ValueError(
                "the line length of the channels was weighed with the background that the detector had; to change "
                "line_length_weight, or what it is relative to (window, causal), run the detector again"
            )
        probability, events = settings.decide(
            self.probabilities,
            self.channel_names,
            patch_s=self.patch_duration or math.nan,  # `decision` refuses results without it
            duration=self.recording_duration,
            start=self.start,
        )
        told = {name: value for name, value in settings.to_dict().items() if name in changes}
        if "threshold" in changes:
            told["excerpt_threshold"] = None
        return replace(
            self,
            recording_probability=probability,
            events=events,
            threshold=settings.threshold,
            settings={**(self.settings or {}), **told},
        )

    def recruitment(self) -> list[ChannelRecruitment]:
        """Tell when each channel joins and leaves each event, see `brant_hf.detection.channel_recruitment`."""
        from .recruitment import channel_recruitment

        return channel_recruitment(self)

    def steps_inside(self, events: Iterable[SeizureEvent]) -> np.ndarray:
        """Which steps share a moment with one of the events, bool of shape (steps,)."""
        edges, inside = self.edges, np.zeros(self.times.size, dtype=bool)
        for event in events:
            inside |= (edges[:-1] < event.offset) & (edges[1:] > event.onset)
        return inside

    @property
    def peak(self) -> int:
        """Step with the highest probability of the recording."""
        return int(np.nan_to_num(self.recording_probability, nan=-1.0).argmax())

    def most_confident_event(self) -> SeizureEvent | None:
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
