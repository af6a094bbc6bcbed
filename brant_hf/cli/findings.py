"""Lines that tell what was found in a recording, and what was not and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..listing import listed

if TYPE_CHECKING:
    from ..detection.result import DetectionResult


def finding_lines(result: DetectionResult) -> Iterator[str]:
    """Lines that tell the events, what came near, and, where there is no event, what would give one."""
    from ..detection.explanation import highest, near_misses, percentage

    if result.events:
        yield f"{'onset [s]':>12}{'duration [s]':>14}{'confidence':>12}  channels"
        for event in result.events:
            confidence = math.nan if event.confidence is None else event.confidence
            yield f"{event.onset:>12.2f}{event.duration:>14.2f}{confidence:>12.2f}  {listed(event.channels or ())}"
    else:
        yield f"no seizure found: {highest(result)}"
        yield from remedy_lines(result)
    missed = near_misses(result)
    if missed:
        yield "not taken as seizures:"
        yield f"{'onset [s]':>12}{'duration [s]':>14}{'highest':>12}  why, and on which channels"
    for miss in missed:
        yield (
            f"{miss.event.onset:>12.2f}{miss.event.duration:>14.2f}{percentage(miss.highest):>12}  {miss.rule}: "
            f"{listed(miss.event.channels or ())}"
        )


def remedy_lines(result: DetectionResult) -> Iterator[str]:
    """Tell which settings would give events where there are none."""
    from ..detection.explanation import remedies

    for remedy in remedies(result):
        option = remedy.setting.replace("_", "-")
        count = f"{remedy.num_events} {'event' if remedy.num_events == 1 else 'events'}"
        yield f"with --{option} {remedy.value:.4g} there would be {count}"
