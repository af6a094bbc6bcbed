"""How a detector does on labelled recordings, and whether its threshold still suits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..events.event import without_stretches
from .calibration import THRESHOLDS
from .decision import find_events, levels, logit, sigmoid
from .finetuning_data import Labelled
from .scoring import TOLERANCE_AFTER_S, TOLERANCE_BEFORE_S

if TYPE_CHECKING:
    from .result import DetectionResult

# People who mark the same seizure set its onset some seconds apart.
IN_TIME_S = 5.0
# What a seizure and the background keep from the threshold in the recordings at hand, others may need [logit].
SPARE = 1.0


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
    clear : int
        Seizures that are found within 5 s of their onset or before, and also at a threshold that is a logit higher.
    near_alarms : int
        Events in the background that is held back at a threshold that is a logit lower.
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
    clear: int
    near_alarms: int
    margin: float
    unmarked: tuple[tuple[str, float], ...]

    @property
    def right(self) -> int:
        """Seizures found less false alarms."""
        return self.found + self.held_found - self.false_alarms

    @property
    def quality(self) -> tuple[int, int, float]:
        """Larger is better: what is right, then what is so in time and with something to spare, then the margin."""
        return self.right, self.clear - self.near_alarms, self.margin

    @property
    def has_nothing_to_gain(self) -> bool:
        """Whether every seizure is found in time and clearly, and nothing else."""
        return self.clear == self.seizures + self.held_seizures and not self.unmarked


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
    clear, near_alarms, false_alarms, held_s, highest = 0, 0, 0, 0.0, float(logit(0.0))
    for each, result in zip(labelled, results, strict=True):
        probability = np.nan_to_num(result.recording_probability)
        events, strict, lenient = (_events(each, result, threshold, spare) for spare in (0.0, SPARE, -SPARE))
        for seizure in each.seizures:
            held = each.is_held_back(*seizure)
            onsets = [event[0] for event in events if _touches(event, seizure)]
            totals[held].append(bool(onsets))
            in_time = bool(onsets) and onsets[0] <= seizure[0] + IN_TIME_S
            clear += in_time and any(_touches(event, seizure) for event in strict)
            reached[held].append(_reach(probability[each.patches(*seizure)], result, each.patch_s))
        background = each.background & each.held_back
        held_s += float(background.sum()) * each.patch_s
        highest = max(highest, _reach(np.where(background, probability[: len(background)], 0), result, each.patch_s))
        false = _without_mark(each, events)
        unmarked += [(each.recording.name, onset + result.start) for onset, _ in false]
        false_alarms += sum(each.is_held_back(*event) for event in false)
        near_alarms += sum(each.is_held_back(*event) for event in _without_mark(each, lenient))
    return Judgement(
        seizures=len(totals[False]),
        found=sum(totals[False]),
        held_seizures=len(totals[True]),
        held_found=sum(totals[True]),
        false_alarms=false_alarms,
        held_hours=held_s / 3600,
        clear=clear,
        near_alarms=near_alarms,
        margin=min(reached[True] or reached[False]) - highest,
        unmarked=tuple(unmarked),
    )


def _events(
    each: Labelled, result: DetectionResult, threshold: float | None, spare: float
) -> list[tuple[float, float]]:
    """Events at a threshold, that of the result if `None`, made larger by a logit; on the clock of `each` [s]."""
    decision = result.decision
    usual = decision.threshold if threshold is None else threshold
    decision = replace(decision, threshold=float(sigmoid(logit(usual) + spare)) if spare else usual)
    found = decision.find_events(result.recording_probability, each.patch_s)
    return [(first * each.patch_s, stop * each.patch_s) for first, stop in found]


def _without_mark(each: Labelled, events: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Events that touch nothing that is marked."""
    stretches = (*each.recording.seizures, *each.recording.uncertain)
    marked = [(onset - TOLERANCE_BEFORE_S, offset + TOLERANCE_AFTER_S) for onset, offset, _ in stretches]
    return [event for event in events if without_stretches([event], marked) == [event]]


def best_threshold(labelled: Sequence[Labelled], results: Sequence[DetectionResult]) -> float | None:
    """Choose a threshold that does better on the labelled recordings than that of the results, if there is one.

    Of several, the middle one counts.
    """
    now = judge(labelled, results).right
    right = {threshold: judge(labelled, results, threshold).right for threshold in THRESHOLDS}
    best = [threshold for threshold, count in right.items() if count == max(right.values())]
    return best[len(best) // 2] if right[best[0]] > now else None


def _touches(event: tuple[float, float], seizure: tuple[float, float]) -> bool:
    return event[0] < seizure[1] + TOLERANCE_AFTER_S and event[1] > seizure[0] - TOLERANCE_BEFORE_S


def _reach(probability: np.ndarray, result: DetectionResult, patch_s: float) -> float:
    """Logit of the highest threshold at which there is an event."""
    settings = result.decision
    shortest = settings.min_duration
    size = min(max(1, math.ceil(shortest / patch_s - 1e-6)), len(probability))
    # Up to here an event stays above the threshold itself for long enough.
    reached = [float(np.lib.stride_tricks.sliding_window_view(probability, size).min(axis=1).max())]
    if settings.edge_threshold is not None:
        # Above a level that is lower, it is enough that the highest probability reaches the threshold. A threshold
        # lowers the levels of the settings to itself; one of 1 leaves them as they are.
        level, _ = levels(1.0, settings.edge_threshold, settings.lasting_threshold)
        long_enough = find_events(probability, patch_s, threshold=level, min_duration=shortest)
        reached += [float(probability[first:stop].max()) for first, stop in long_enough]
    return float(logit(max(reached)))
