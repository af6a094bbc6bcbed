"""Settings of a detector: those of the caller, else those of the checkpoint, else the defaults of this package."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.preprocessing.chain import Preprocessing
from .background import Background, recording_probability
from .decision import describe_events, find_events, levels

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig
    from ..events.event import SeizureEvent


# A longer recording [s] is monitoring, in which seizures are rare; a shorter one was cut out because of what is in it.
LONGEST_EXCERPT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """How a recording becomes probabilities and events. `BrantConfig.detection` has the same names.

    Attributes
    ----------
    threshold : float
        Recording probability that an event has to reach, above 0 and at most 1.
    edge_threshold : float or None
        Recording probability at which an event that reaches `threshold` begins and ends, if that is lower; `None` for
        `threshold` itself.
    lasting_threshold : float or None
        Recording probability at which an event has to last `min_duration`, between the two; `None` for
        `edge_threshold`. A channel takes part in an event where it reaches this; with `None`, the threshold.
    background : Background or None
        How probabilities are compared with the background of their own recording, see `Background`. `None` leaves
        them, as in checkpoints that were made before.
    excerpt_threshold : float or None
        Takes the place of `threshold` in recordings of at most a minute, unless the caller gives a threshold. A
        seizure is far more likely in such an excerpt than in a minute of a day of monitoring, and a rate of false
        alarms that a day does not allow is rare there. `None` for none.
    min_channels : int
        Channels that have to agree. The recording probability is the `min_channels`-th largest probability of the
        channels (the smallest, where there are fewer channels); with a `background`, it is that of the mean of so many
        channels, those that rise most.
    min_duration : float
        Events shorter than this [s] are dropped; in a recording shorter than this, those that do not fill it.
    merge_gap : float
        Events with less than this [s] between them are merged.
    overlap : float
        Part of a window that it shares with the next one, at least 0 and below 1. The probability of a patch is the
        mean over all windows that hold it.
    preprocessing : Preprocessing
        Settings of `brant_hf.data.Preprocessing`.
    calibration : Mapping[str, float] or None
        `{"slope": a, "intercept": b}`; the confidence of an event is `sigmoid(a * logit(score) + b)`. `None` takes the
        score as it is.
    """

    threshold: float = 0.5
    edge_threshold: float | None = None
    lasting_threshold: float | None = None
    background: Background | None = None
    excerpt_threshold: float | None = None
    min_channels: int = 1
    min_duration: float = 5.0
    merge_gap: float = 10.0
    overlap: float = 0.5
    preprocessing: Preprocessing = dataclasses.field(default_factory=Preprocessing)
    calibration: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.background, Mapping):
            object.__setattr__(self, "background", Background(**self.background))
        if not isinstance(self.background, Background | None):
            raise ValueError(f"background is {self.background!r}; expected Background(...), its settings, or None")
        for name in ("threshold", "edge_threshold", "lasting_threshold", "excerpt_threshold"):
            value = getattr(self, name)
            if name != "threshold" and value is None:
                continue
            if not (_is_number(value) and 0 < value <= 1):
                raise ValueError(f"{name} is {value!r}; it must be a probability above 0 and at most 1")
        if not (isinstance(self.min_channels, Integral) and self.min_channels >= 1):
            raise ValueError(f"min_channels is {self.min_channels!r}; it must be a whole number of 1 or more")
        for name in ("min_duration", "merge_gap"):
            if not (_is_number(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a number of seconds, zero or more")
        if not (_is_number(self.overlap) and 0 <= self.overlap < 1):
            raise ValueError(f"overlap is {self.overlap!r}; it must be at least 0 and below 1")
        if self.calibration is not None and (
            set(self.calibration) != {"slope", "intercept"} or not all(map(_is_number, self.calibration.values()))
        ):
            raise ValueError(f"calibration is {self.calibration!r}; expected numbers 'slope' and 'intercept', or None")

    @classmethod
    def of(cls, config: BrantConfig, options: Mapping[str, Any] | None = None) -> DetectionSettings:
        """Return the settings for a model.

        Parameters
        ----------
        config : BrantConfig
            Configuration of the model; what its `detection` says goes before the defaults.
        options : Mapping[str, Any] or None
            What goes before both; `None` stands for not given. `causal` is that of the background.

        Raises
        ------
        ValueError
            A setting is unknown or has a value that is not allowed, or the preprocessing ends at another sampling rate
            than that of the model.
        """
        saved = getattr(config, "detection", None) or {}
        if not isinstance(saved, Mapping):
            raise ValueError(f"config.detection is {saved!r}; expected a mapping of detection settings, or None")
        saved = dict(saved)
        given = {name: value for name, value in (options or {}).items() if value is not None}
        if "threshold" in given:
            saved.pop("excerpt_threshold", None)
        settings = {**saved, **given}
        if "causal" in settings:
            settings["background"] = _with_causal(settings.get("background"), settings.pop("causal"))
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(settings) - set(names))
        if unknown:
            raise ValueError(f"unknown detection settings {', '.join(unknown)}; expected {', '.join(names)}")
        try:
            settings["preprocessing"] = Preprocessing.of_model(settings.get("preprocessing"), config.sampling_rate)
            return cls(**settings)
        except TypeError as error:
            raise ValueError(f"the detection settings {settings} have a value of the wrong type: {error}") from error

    @property
    def levels(self) -> tuple[float, float]:
        """The levels that count for the length of an event, and for its begin and end: at most the threshold."""
        return levels(self.threshold, self.edge_threshold, self.lasting_threshold)

    @property
    def channel_threshold(self) -> float:
        """What a channel has to reach to take part in an event: less than the threshold where events last at less."""
        return self.threshold if self.lasting_threshold is None else self.levels[0]

    def lower_levels_in_words(self) -> str:
        """Tell the levels below the threshold; empty where there is none."""
        lasting, edge = self.levels
        if edge == self.threshold:
            return ""
        length = f", and lasts at least {self.min_duration:g} s at {lasting:g}" if edge < lasting else ""
        return f"; an event begins and ends at {edge:g}{length}"

    def threshold_for(self, duration: float) -> float:
        """Return the threshold for a recording of which so much was recorded [s]."""
        if self.excerpt_threshold is None or duration > LONGEST_EXCERPT_S:
            return self.threshold
        return self.excerpt_threshold

    def compare(self, probabilities: np.ndarray, patch_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what is decided on, on the scale of the threshold: of the channels, and of the recording.

        Parameters
        ----------
        probabilities : np.ndarray
            Of the model, (channels, patches), NaN for what is missing.
        patch_s : float
            Length of a patch [s].

        Returns
        -------
        tuple[np.ndarray, np.ndarray]
            (channels, patches) and (patches,).
        """
        if self.background is None:
            return probabilities, recording_probability(probabilities, self.min_channels)
        return self.background.compare(probabilities, patch_s, self.min_channels)

    def find_events(self, probability: np.ndarray, patch_s: float) -> list[tuple[int, int]]:
        """Return the first and the stop patch of each event in the probability of a recording, (patches,)."""
        return find_events(
            probability,
            patch_s,
            threshold=self.threshold,
            min_duration=self.min_duration,
            merge_gap=self.merge_gap,
            edge=self.edge_threshold,
            lasting=self.lasting_threshold,
        )

    def decide(
        self,
        probabilities: np.ndarray,
        channel_names: Sequence[str],
        *,
        patch_s: float,
        duration: float,
        start: float = 0.0,
    ) -> tuple[np.ndarray, list[SeizureEvent]]:
        """Decide what is a seizure.

        Parameters
        ----------
        probabilities : np.ndarray
            Of the model, (channels, patches).
        channel_names : Sequence[str]
            One for each channel.
        patch_s : float
            Length of a patch [s].
        duration : float
            Length of the recording [s].
        start : float
            Time of its first sample [s].

        Returns
        -------
        tuple[np.ndarray, list[SeizureEvent]]
            Probability of the recording, (patches,), and its events.
        """
        threshold = self.threshold_for(recorded_s(probabilities, patch_s, duration))
        settings = dataclasses.replace(self, threshold=threshold)
        channels, recording = settings.compare(probabilities, patch_s)
        events = describe_events(
            settings.find_events(recording, patch_s),
            channels,
            recording,
            channel_names,
            patch_s=patch_s,
            duration=duration,
            threshold=settings.channel_threshold,
            calibration=settings.calibration,
            start=start,
        )
        return recording, events

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values, fit for `BrantConfig.detection`."""
        return dataclasses.asdict(self)


def recorded_s(probabilities: np.ndarray, patch_s: float, duration: float) -> float:
    """Return how much of a recording of `duration` [s] was recorded, by its probabilities (channels, patches) [s]."""
    return min(duration, float(np.sum(~np.isnan(probabilities).all(axis=0))) * patch_s)


def _with_causal(background: Background | Mapping[str, Any] | None, causal: bool) -> dict[str, Any]:
    if background is None:
        raise ValueError(
            "causal is given, but the checkpoint does not compare with the background of a recording; leave it out"
        )
    return {**(background.to_dict() if isinstance(background, Background) else background), "causal": causal}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
