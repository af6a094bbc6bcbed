"""How a detector does on labelled recordings, and whether its threshold still suits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..events.event import without_stretches
from .calibration import THRESHOLDS
from .decision import find_events, logit
from .finetuning_data import Labelled
from .scoring import TOLERANCE_AFTER_S, TOLERANCE_BEFORE_S

if TYPE_CHECKING:
    from .result import DetectionResult


@dataclass(frozen=True)
class Judgement:
    """What a detector makes of labelled recordings.

    Attributes
    ----------
    seizures, found : int
        Seizures that are trained on, and how many of them are found.
    held_seizures, held_found : int
        The same of those that are held back.
    false_alarms : int
        Events in the background that is held back.
    held_hours : float
        How long that is [h].
    margin : float
        Logit up to which a threshold finds every seizure, those that are held back where there are some, less that
        down to which it raises no false alarm in what is held back.
    unmarked : tuple[tuple[str, float], ...]
        Recording and onset [s] of every event that touches no marked seizure.
    """

    seizures: int
    found: int
    held_seizures: int
    held_found: int
    false_alarms: int
    held_hours: float
    margin: float
    unmarked: tuple[tuple[str, float], ...]

    @property
    def right(self) -> int:
        """Seizures found less false alarms."""
        return self.found + self.held_found - self.false_alarms

    @property
    def quality(self) -> tuple[int, float]:
        """Larger is better: what is right, and then by which margin."""
        return self.right, self.margin


def judge(
    labelled: Sequence[Labelled], results: Sequence[DetectionResult], threshold: float | None = None
) -> Judgement:
    """Compare what was detected with the labels.

    Parameters
    ----------
    labelled : Sequence[Labelled]
        The recordings.
    results : Sequence[DetectionResult]
        Of each of them.
    threshold : float or None
        In place of that of the results.
    """
    totals: dict[bool, list[bool]] = {False: [], True: []}
    reached: dict[bool, list[float]] = {False: [], True: []}
    unmarked: list[tuple[str, float]] = []
    false_alarms, held_s, highest = 0, 0.0, float(logit(0.0))
    for each, result in zip(labelled, results, strict=True):
        probability = result.recording_probability
        decision = result.decision if threshold is None else replace(result.decision, threshold=threshold)
        # On the clock of the recording, or of its part [s].
        events = [
            (first * each.patch_s, stop * each.patch_s)
            for first, stop in decision.find_events(probability, each.patch_s)
        ]
        for seizure in each.seizures:
            held = each.is_held_back(*seizure)
            totals[held].append(any(_touches(event, seizure) for event in events))
            reached[held].append(_reach(probability[each.patches(*seizure)], result, each.patch_s))
        background = each.background & each.held_back
        held_s += float(background.sum()) * each.patch_s
        highest = max(highest, _reach(np.where(background, probability[: len(background)], 0), result, each.patch_s))
        marked = [(a - TOLERANCE_BEFORE_S, b + TOLERANCE_AFTER_S) for a, b, _ in _stretches(each)]
        for onset, offset in events:
            if without_stretches([(onset, offset)], marked) == [(onset, offset)]:
                unmarked.append((each.recording.name, onset + result.start))
                false_alarms += each.is_held_back(onset, offset)
    return Judgement(
        seizures=len(totals[False]),
        found=sum(totals[False]),
        held_seizures=len(totals[True]),
        held_found=sum(totals[True]),
        false_alarms=false_alarms,
        held_hours=held_s / 3600,
        margin=min(reached[True] or reached[False]) - highest,
        unmarked=tuple(unmarked),
    )


def best_threshold(labelled: Sequence[Labelled], results: Sequence[DetectionResult]) -> float | None:
    """Choose a threshold that does better on the labelled recordings than that of the results, if there is one.

    Of several, the middle one counts.
    """
    now = judge(labelled, results).right
    right = {threshold: judge(labelled, results, threshold).right for threshold in THRESHOLDS}
    best = [threshold for threshold, count in right.items() if count == max(right.values())]
    return best[len(best) // 2] if right[best[0]] > now else None


def _stretches(each: Labelled) -> list[tuple]:
    return [*each.recording.seizures, *each.recording.uncertain]


def _touches(event: tuple[float, float], seizure: tuple[float, float]) -> bool:
    return event[0] < seizure[1] + TOLERANCE_AFTER_S and event[1] > seizure[0] - TOLERANCE_BEFORE_S


def _reach(probability: np.ndarray, result: DetectionResult, patch_s: float) -> float:
    """Logit of the highest threshold at which there is an event."""
    shortest, edge = result.decision.min_duration, result.decision.edge_threshold
    size = min(max(1, math.ceil(shortest / patch_s - 1e-6)), len(probability))
    lasting = float(np.lib.stride_tricks.sliding_window_view(probability, size).min(axis=1).max())
    if edge is None:
        return float(logit(lasting))
    # What stays above the edge for long enough is an event at its highest probability.
    long_enough = find_events(probability, patch_s, threshold=edge, min_duration=shortest)
    return float(logit(max([lasting, *(probability[first:stop].max() for first, stop in long_enough)])))
