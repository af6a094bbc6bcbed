"""The decision: from probabilities to events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..events.event import SeizureEvent, merge_stretches, runs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Times are multiples of the patch length, computed in floating point [s].
_ROUNDING_S = 1e-6
# Probabilities this near to 0 or 1 have logits that stay finite.
_SMALLEST = 1e-6


def find_events(
    probability: np.ndarray,
    patch_s: float,
    *,
    threshold: float,
    min_duration: float = 0.0,
    merge_gap: float = 0.0,
    edge: float | None = None,
    lasting: float | None = None,
) -> list[tuple[int, int]]:
    """Stretches of patches that reach a threshold, as far as they stay above a lower one.

    Three levels, from high to low: an event reaches `threshold`, is long enough at `lasting`, and begins and ends at
    `edge`. Events with less than `merge_gap` between them are merged, and those shorter than `min_duration` dropped.
    In a recording shorter than that, an event is what fills it.

    Parameters
    ----------
    probability : np.ndarray
        Recording probability, `(patches,)`; NaN, where nothing was recorded, is in no event but one that was merged.
    patch_s : float
        Length of a patch [s].
    threshold : float
        Probability that a patch of an event has to reach.
    min_duration : float
        Length of the shortest event [s].
    merge_gap : float
        Smallest distance of two events [s].
    edge : float or None
        Smallest probability of a patch at the begin and the end of an event, where it is below `threshold`; else it is
        `threshold`.
    lasting : float or None
        Smallest probability of the patches that count for `min_duration`, where it is between the two; `None` for that
        of `edge`.

    Returns
    -------
    list[tuple[int, int]]
        First patch and the patch after the last one, of each event in order.
    """
    shortest = min(min_duration, len(probability) * patch_s)
    # A gap of exactly `merge_gap` stays.
    values = np.asarray(probability)
    lasting, edge = levels(threshold, edge, lasting)
    gap = (merge_gap - _ROUNDING_S) / patch_s
    reaching = [(a, b) for a, b in runs(values >= lasting) if values[a:b].max() >= threshold]
    events = [(a, b) for a, b in merge_stretches(reaching, gap) if (b - a) * patch_s >= shortest - _ROUNDING_S]
    if edge < lasting:
        found = np.zeros(len(values), bool)
        for a, b in events:
            found[int(a) : int(b)] = True
        around = [(a, b) for a, b in runs(values >= edge) if found[a:b].any()]
        events = merge_stretches([*events, *around], gap)
    return [(int(a), int(b)) for a, b in events]


def levels(threshold: float, edge: float | None, lasting: float | None) -> tuple[float, float]:
    """Return the levels that count for the length of an event, and for its begin and end, see `find_events`."""
    edge = threshold if edge is None else min(edge, threshold)
    return edge if lasting is None else min(max(lasting, edge), threshold), edge


def event_score(probability: np.ndarray, first: int, stop: int) -> float:
    """Score of the event of the patches `first` to `stop`: its mean recording probability."""
    return float(np.nanmean(probability[first:stop], dtype=np.float64))


def confidence(score: float, calibration: Mapping[str, float] | None = None) -> float:
    """Probability that an event with this score is a seizure: `sigmoid(slope * logit(score) + intercept)`.

    Without a calibration it is the score.
    """
    if calibration is None:
        return score
    return float(sigmoid(calibration["slope"] * logit(score) + calibration["intercept"]))


def logit(probability: ArrayLike, smallest: float = _SMALLEST) -> np.ndarray:
    """`log(p / (1 - p))`; what is nearer to 0 or 1 than `smallest` does not count as more extreme."""
    inside = np.clip(np.asarray(probability), smallest, 1 - smallest)
    return np.log(inside / (1 - inside))


def sigmoid(values: ArrayLike) -> np.ndarray:
    """Return the logistic function, which is the inverse of `logit`, written so that it cannot overflow."""
    return (1 + np.tanh(np.asarray(values) / 2)) / 2


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
    start: float = 0.0,
) -> list[SeizureEvent]:
    """Events with their times, confidence and channels.

    Parameters
    ----------
    events : Sequence[tuple[int, int]]
        First and stop patch, from `find_events`.
    probabilities : np.ndarray
        Of the channels, `(channels, patches)`, see `DetectionSettings.compare`.
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
    start : float
        Time of the first patch [s].

    Returns
    -------
    list[SeizureEvent]
        Their channels are those that take part, the highest mean probability first.
    """
    described = []
    for first, stop in events:
        onset = first * patch_s
        inside = np.nan_to_num(probabilities[:, first:stop])
        ranked = np.argsort(-inside.mean(axis=1), kind="stable")
        involved = inside.max(axis=1) >= threshold
        described.append(
            SeizureEvent(
                start + onset,
                min(stop * patch_s, duration) - onset,
                tuple(channel_names[channel] for channel in ranked if involved[channel]),
                confidence(event_score(probability, first, stop), calibration),
            )
        )
    return described
