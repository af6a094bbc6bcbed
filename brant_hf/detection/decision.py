"""Decision: from probabilities to seizure events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..events.event import SeizureEvent, merge_stretches, runs

# Times are multiples of the patch length, computed in floating point [s].
_ROUNDING_S = 1e-6
# Scores this near to 0 or 1 have logits that stay finite.
_SMALLEST_SCORE = 1e-6


def recording_probability(probabilities: np.ndarray, min_channels: int) -> np.ndarray:
    """Probability that at least `min_channels` channels are in a seizure.

    Parameters
    ----------
    probabilities : np.ndarray
        `(channels, patches)`.
    min_channels : int
        Channels that have to agree; all of them, where there are fewer.

    Returns
    -------
    np.ndarray
        The `min_channels`-th largest probability of each patch, `(patches,)`.
    """
    rank = len(probabilities) - min(min_channels, len(probabilities))
    return np.partition(probabilities, rank, axis=0)[rank]


def find_events(
    probability: np.ndarray,
    patch_s: float,
    *,
    threshold: float,
    min_duration: float = 0.0,
    merge_gap: float = 0.0,
) -> list[tuple[int, int]]:
    """Stretches of patches that reach a threshold.

    Events with less than `merge_gap` between them are merged first, then those shorter than `min_duration` dropped. In
    a recording shorter than that, an event is what fills it.

    Parameters
    ----------
    probability : np.ndarray
        Recording probability, `(patches,)`.
    patch_s : float
        Length of a patch [s].
    threshold : float
        Smallest probability of a patch in an event.
    min_duration : float
        Length of the shortest event [s].
    merge_gap : float
        Smallest distance of two events [s].

    Returns
    -------
    list[tuple[int, int]]
        First patch and the patch after the last one, of each event in order.
    """
    shortest = min(min_duration, len(probability) * patch_s)
    # A gap of exactly `merge_gap` stays.
    merged = merge_stretches(runs(np.asarray(probability) >= threshold), (merge_gap - _ROUNDING_S) / patch_s)
    return [(int(a), int(b)) for a, b in merged if (b - a) * patch_s >= shortest - _ROUNDING_S]


def event_score(probability: np.ndarray, first: int, stop: int) -> float:
    """Score of the event of the patches `first` to `stop`: its mean recording probability."""
    return float(np.mean(probability[first:stop], dtype=np.float64))


def confidence(score: float, calibration: Mapping[str, float] | None = None) -> float:
    """Probability that an event with this score is a seizure: `sigmoid(slope * logit(score) + intercept)`.

    Without a calibration it is the score.
    """
    if calibration is None:
        return score
    # The logistic function, written so that it cannot overflow.
    return (1 + math.tanh((calibration["slope"] * logit(score) + calibration["intercept"]) / 2)) / 2


def logit(score: float) -> float:
    """`log(score / (1 - score))`, finite for 0 and 1 too."""
    score = min(max(score, _SMALLEST_SCORE), 1 - _SMALLEST_SCORE)
    return math.log(score / (1 - score))


def describe_events(
    events: Sequence[tuple[int, int]],
    probabilities: np.ndarray,
    probability: np.ndarray,
    channel_names: Sequence[str],
    *,
    patch_s: float,
    duration: float,
    threshold: float,
    calibration: Mapping[str, float] | None = None,
) -> list[SeizureEvent]:
    """Events with their times, confidence and channels.

    Parameters
    ----------
    events : Sequence[tuple[int, int]]
        First and stop patch, from `find_events`.
    probabilities : np.ndarray
        Of the channels, `(channels, patches)`.
    probability : np.ndarray
        Of the recording, `(patches,)`.
    channel_names : Sequence[str]
        One for each channel.
    patch_s : float
        Length of a patch [s].
    duration : float
        Length of the recording [s]; the last patch may pass its end.
    threshold : float
        A channel takes part in an event when it reaches this probability there.
    calibration : Mapping[str, float] or None
        See `confidence`.

    Returns
    -------
    list[SeizureEvent]
        Their channels are those that take part, the highest mean probability first.
    """
    described = []
    for first, stop in events:
        onset = first * patch_s
        inside = probabilities[:, first:stop]
        ranked = np.argsort(-inside.mean(axis=1), kind="stable")
        involved = inside.max(axis=1) >= threshold
        described.append(
            SeizureEvent(
                onset,
                min(stop * patch_s, duration) - onset,
                tuple(channel_names[channel] for channel in ranked if involved[channel]),
                confidence(event_score(probability, first, stop), calibration),
            )
        )
    return described
