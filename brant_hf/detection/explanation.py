"""Why a recording has no event, or not more: what came near, which rule spoke against it, what would find it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..events.event import SeizureEvent
from .result import DetectionResult, clock
from .settings import DetectionSettings

# Below this part of the threshold, or of the shortest event, nothing is near.
_NEAR = 0.4
_MOST_SHOWN = 10


@dataclass(frozen=True)
class NearMiss:
    """A stretch that would have been an event with one setting changed.

    Attributes
    ----------
    event : SeizureEvent
        When, and the channels that reach `level` there, the highest mean probability first.
    highest : float
        The highest probability of the recording inside.
    rule : str
        What spoke against it.
    setting : str
        The setting that would have found it: `"threshold"`, `"min_duration"` or `"min_channels"`.
    value : float or int
        Its value.
    """

    event: SeizureEvent
    highest: float
    rule: str
    setting: str
    value: float


@dataclass(frozen=True)
class Remedy:
    """A change of one setting that gives events where there are none.

    Attributes
    ----------
    setting : str
        As of `NearMiss`.
    value : float or int
        What to set it to.
    num_events : int
        How many events there are then.
    """

    setting: str
    value: float
    num_events: int


def near_misses(result: DetectionResult) -> list[NearMiss]:
    """Stretches that one rule alone kept from being events, the highest probability first, at most ten.

    A stretch is tried against the rules in this order: it reaches the threshold and is too short, but at least 0.4
    times as long as the shortest event; fewer channels agree than have to; it would be an event at 0.4 times the
    threshold.

    Parameters
    ----------
    result : DetectionResult
        With its threshold, patch duration and settings, as a detector gives it; empty for others.
    """
    rules = _Rules.of(result)
    if rules is None:
        return []
    found: list[NearMiss] = []
    for miss in (*_too_short(rules), *_too_few_channels(rules), *_too_low(rules)):
        taken = (*result.events, *(each.event for each in found))
        if not any(miss.event.overlaps(event.onset, event.offset) for event in taken):
            found.append(miss)
    shown = sorted(found, key=lambda miss: -miss.highest)[:_MOST_SHOWN]
    return sorted(shown, key=lambda miss: miss.event.onset)


def remedies(result: DetectionResult) -> list[Remedy]:
    """Find what would give at least one event: of each setting alone, the smallest change that does.

    Parameters
    ----------
    result : DetectionResult
        Of a recording in which nothing was found.
    """
    rules = _Rules.of(result)
    if rules is None or result.events:
        return []
    found = []
    threshold = _highest_threshold(rules, 0, len(rules.probability))
    if 0 < threshold < rules.settings.threshold:
        found.append(Remedy("threshold", threshold, len(rules.events(threshold=threshold))))
    longest = max((stop - first for first, stop in rules.lasting(0.0)), default=0) * rules.patch_s
    if longest:
        found.append(Remedy("min_duration", longest, len(rules.events(min_duration=longest))))
    for count in range(rules.settings.min_channels - 1, 0, -1):
        if events := rules.events(min_channels=count):
            found.append(Remedy("min_channels", count, len(events)))
            break
    return found


def highest(result: DetectionResult) -> str:
    """Tell the highest probability, when it was, and the threshold."""
    peak = result.peak
    return (
        f"the highest probability is {percentage(result.recording_probability[peak])}, at "
        f"{clock(float(result.times[peak]))}; the threshold is {result.threshold:.2g}"
    )


def percentage(probability: float) -> str:
    """Write a probability with two digits, never rounded up to what it does not reach."""
    return f"{math.floor(probability * 100) / 100:.2f}"


@dataclass(frozen=True)
class _Rules:
    """The decision of a result, which can be made again with other settings."""

    result: DetectionResult
    probability: np.ndarray
    patch_s: float
    settings: DetectionSettings

    @classmethod
    def of(cls, result: DetectionResult) -> _Rules | None:
        try:
            settings = result.decision
        except ValueError:
            return None
        patch_s = result.patch_duration or math.nan  # `decision` refuses results without it
        settings = replace(
            settings,
            min_channels=min(settings.min_channels, len(result.channel_names)),
            # A recording shorter than the shortest event has events that fill it.
            min_duration=min(settings.min_duration, len(result.times) * patch_s),
        )
        return cls(result, np.nan_to_num(result.recording_probability), patch_s, settings)

    def events(self, **changes: Any) -> list[tuple[int, int]]:
        """First and stop patch of the events with some of the settings changed."""
        settings = replace(self.settings, **changes)
        probability = self.probability
        if "min_channels" in changes:
            _, probability = settings.compare(self.result.probabilities, self.patch_s)
        return settings.find_events(probability, self.patch_s)

    def lasting(self, min_duration: float) -> list[tuple[int, int]]:
        """First and stop patch of what counts for the length of events that are at least so long [s]."""
        lasting, _ = self.settings.levels
        return self.events(min_duration=min_duration, edge_threshold=lasting)

    @cached_property
    def channel_probabilities(self) -> np.ndarray:
        return np.nan_to_num(self.settings.compare(self.result.probabilities, self.patch_s)[0])

    def miss(self, first: int, stop: int, rule: str, setting: str, value: float, level: float) -> NearMiss:
        begin = first * self.patch_s
        inside = self.channel_probabilities[:, first:stop]
        order = np.argsort(-inside.mean(axis=1), kind="stable")
        names = tuple(self.result.channel_names[row] for row in order if inside[row].max() >= level)
        duration = min(stop * self.patch_s, self.result.recording_duration) - begin
        highest = float(self.probability[first:stop].max())
        return NearMiss(SeizureEvent(self.result.start + begin, duration, names), highest, rule, setting, value)


def _too_short(rules: _Rules) -> Iterator[NearMiss]:
    lasting, edge = rules.settings.levels
    # Figures and tables show events down to the lower level, where they are longer.
    level = f" at {lasting:.2g}" if edge < lasting else ""
    for first, stop in rules.lasting(_NEAR * rules.settings.min_duration):
        length = (stop - first) * rules.patch_s
        rule = f"lasts {length:.3g} s{level}; the shortest event is {rules.settings.min_duration:.3g} s"
        yield rules.miss(first, stop, rule, "min_duration", length, rules.settings.channel_threshold)


def _too_few_channels(rules: _Rules) -> Iterator[NearMiss]:
    for count in range(rules.settings.min_channels - 1, 0, -1):
        for first, stop in rules.events(min_channels=count):
            rule = f"{count} of the {rules.settings.min_channels} channels that have to agree"
            yield rules.miss(first, stop, rule, "min_channels", count, rules.settings.channel_threshold)


def _too_low(rules: _Rules) -> Iterator[NearMiss]:
    level = _NEAR * rules.settings.threshold
    for first, stop in rules.events(threshold=level):
        value = _highest_threshold(rules, first, stop)
        rule = f"an event at a threshold of {value:.2g}, but not at {rules.settings.threshold:.2g}"
        level_of_channels = replace(rules.settings, threshold=value).channel_threshold
        yield rules.miss(first, stop, rule, "threshold", value, level_of_channels)


def _highest_threshold(rules: _Rules, first: int, stop: int) -> float:
    """Highest threshold, of at most four digits, at which there is an event between two patches."""
    inside = np.zeros_like(rules.probability)
    inside[first:stop] = rules.probability[first:stop]
    levels = np.unique(np.floor(np.minimum(inside[inside > 0], 1) * 1e4) / 1e4)

    def gives_events(level: float) -> bool:
        return bool(replace(rules.settings, threshold=level).find_events(inside, rules.patch_s))

    exact = _largest(levels[levels > 0], gives_events)
    rounded = math.floor(exact * 100) / 100
    return rounded if rounded > 0 else exact


def _largest(values: np.ndarray, holds: Callable[[Any], bool]) -> float:
    """Largest of sorted values for which something holds that holds for all smaller ones too; 0 for none."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if holds(values[middle]):
            low = middle + 1
        else:
            high = middle
    return float(values[low - 1]) if low else 0.0
