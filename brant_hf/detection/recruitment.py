"""Recruitment: when each channel joins an event and when it leaves, with the interval that can be resolved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events.tables import NOT_GIVEN, text_of_table
from .decision import find_events

if TYPE_CHECKING:
    from ..events.event import SeizureEvent
    from .result import DetectionResult
    from .settings import DetectionSettings

NEVER = "stays below the level at which a channel takes part"
AT_START = "had joined before what was searched"
AT_END = "had not left at the end of what was searched"
IN_PREVIOUS = "had joined in the event before"
IN_NEXT = "had not left before the event after"


# What the columns of the table hold.
COLUMNS = {
    "event": "Number of the event, from 1",
    "channel": "Name of the channel, or of the pair of contacts",
    "order": "Rank by onset among the channels of the event, from 1; equal onsets share the lowest rank",
    "onset": "When the channel joins, from the start of the recording [s]",
    "relative_onset": "The same, from the onset of the event [s]; below 0 before it",
    "onset_lower": "Begin of the interval that the onset lies in, as far as patches and smoothing can tell [s]",
    "onset_upper": "End of that interval [s]",
    "offset": "When the channel leaves, from the start of the recording [s]",
    "offset_lower": "Begin of the interval that the offset lies in [s]",
    "offset_upper": "End of that interval [s]",
    "peak": "Highest probability of the channel inside the event, relative to its background",
    "note": "Why something is n/a",
}


@dataclass(frozen=True, kw_only=True)
class ChannelRecruitment:
    """When one channel takes part in one event. Times [s] are those of the file; `None` is not known.

    Attributes
    ----------
    event : int
        Number of the event, from 1.
    channel : str
        Name.
    order : int or None
        Rank by onset among the channels of the event, from 1; channels with one onset share the lowest rank.
    onset, onset_lower, onset_upper : float or None
        When the channel joins, and the interval that the joining lies in as far as patches and smoothing can tell.
    relative_onset : float or None
        `onset` less the onset of the event; below 0 for a channel that rises before enough others do.
    offset, offset_lower, offset_upper : float or None
        The same of leaving.
    peak : float
        Highest probability of the channel inside the event, relative to its background as the detector sees it.
    note : str
        Why something is `None`; empty where nothing is.
    """

    event: int
    channel: str
    order: int | None = None
    onset: float | None = None
    relative_onset: float | None = None
    onset_lower: float | None = None
    onset_upper: float | None = None
    offset: float | None = None
    offset_lower: float | None = None
    offset_upper: float | None = None
    peak: float
    note: str = ""


def channel_recruitment(result: DetectionResult) -> list[ChannelRecruitment]:
    """Tell when each channel joins and leaves each event.

    A channel takes part when its probability, relative to its own background, reaches the level at which an event has
    to last (`DetectionSettings.channel_threshold`) inside the event, as the detector names channels. It joins and
    leaves as events do: where it passes `edge_threshold`, with gaps below `merge_gap` closed.

    The score of a patch is a mean over the patches of the smoothing. If it passes the threshold, the channel changed
    in one of those, and any of them may be it: the interval goes from the begin of the first to the end of the last.
    What the model itself needs to see a seizure is not part of it.

    Parameters
    ----------
    result : DetectionResult
        What a detector returned.

    Returns
    -------
    list[ChannelRecruitment]
        A row for each event and channel, also for channels that never join; in each event by order, the others last.

    Raises
    ------
    ValueError
        The result does not tell its settings.
    """
    settings = result.decision
    scores = np.nan_to_num(settings.compare(result.probabilities, _patch(result))[0])
    rows: list[ChannelRecruitment] = []
    for number in range(len(result.events)):
        found = [
            _channel(result, settings, number, name, row)
            for name, row in zip(result.channel_names, scores, strict=True)
        ]
        rows += _ranked(found)
    return rows


def recruitment_table(result: DetectionResult) -> str:
    """Return the rows of `channel_recruitment` as the text of a table, with tabs; what is not known is `n/a`."""

    def cell(value: object) -> str:
        if value is None or value == "":
            return NOT_GIVEN
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    rows = channel_recruitment(result)
    return text_of_table(tuple(COLUMNS), [tuple(cell(getattr(row, name)) for name in COLUMNS) for row in rows])


def _patch(result: DetectionResult) -> float:
    return result.patch_duration or math.nan  # `decision` refuses results without it


def _channel(
    result: DetectionResult, settings: DetectionSettings, number: int, name: str, score: np.ndarray
) -> dict[str, Any]:
    patch, event = _patch(result), result.events[number]
    first, stop = _patches(event, result)
    peak = float(score[first:stop].max())
    row: dict[str, Any] = {"event": number + 1, "channel": name, "peak": peak}
    if peak < settings.channel_threshold:
        return {**row, "note": NEVER}
    stretches = find_events(
        score, patch, threshold=settings.channel_threshold, edge=settings.edge_threshold, merge_gap=settings.merge_gap
    )
    inside = [each for each in stretches if each[0] < stop and each[1] > first]
    joins, leaves = inside[0][0], inside[-1][1]
    before = _patches(result.events[number - 1], result)[1] if number else 0
    after = _patches(result.events[number + 1], result)[0] if number + 1 < len(result.events) else score.size
    notes = []
    if joins <= 0 or joins < before:
        notes.append(IN_PREVIOUS if joins < before else AT_START)
    else:
        row |= _moment("onset", joins, settings, result)
        row["relative_onset"] = row["onset"] - event.onset
    if leaves >= score.size or leaves > after:
        notes.append(IN_NEXT if leaves > after else AT_END)
    else:
        row |= _moment("offset", leaves, settings, result)
    return {**row, "note": "; ".join(notes)}


def _patches(event: SeizureEvent, result: DetectionResult) -> tuple[int, int]:
    """First patch of an event and the patch after its last; the last may pass the end of the recording."""
    patch = _patch(result)
    first = round((event.onset - result.start) / patch)
    return first, min(max(math.ceil((event.offset - result.start) / patch - 1e-6), first + 1), result.times.size)


def _moment(what: str, place: int, settings: DetectionSettings, result: DetectionResult) -> Mapping[str, float]:
    """Time of the border before a patch at which a score passes the threshold, and what can be resolved."""
    patch = _patch(result)
    back, ahead = (0, 0) if settings.background is None else settings.background.reach(patch)
    lower, upper = max(place - back, 0), min(place + ahead + 1, result.times.size)
    if what == "offset":  # the last patch above and the first below
        lower = max(place - 1 - back, 0)
    start = result.start
    return {
        what: start + place * patch,
        f"{what}_lower": start + lower * patch,
        f"{what}_upper": min(start + upper * patch, result.stop),
    }


def _ranked(found: list[dict[str, Any]]) -> list[ChannelRecruitment]:
    onsets = sorted(row["onset"] for row in found if row.get("onset") is not None)
    for row in found:
        row["order"] = None if row.get("onset") is None else 1 + onsets.index(row["onset"])
    found.sort(key=lambda row: (row["order"] is None, row["order"] or 0))
    return [ChannelRecruitment(**row) for row in found]
