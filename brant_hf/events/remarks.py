"""Seizures in lists of events: how onsets, offsets and doubts belong together, and what is told about the rest."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..listing import listed
from ..user_warnings import warn
from .event import unite_channels
from .vocabulary import EventRow, Meaning, ends_what_runs, meaning_of_event, speaks_of_a_seizure

Stretch = tuple[float, float | None, list[str] | None]
"""Onset [s], offset [s] (`None`: not known) and the channels concerned (`None`: all)."""

# An electrographic onset and the clinical one, or the onsets on several contacts, are this near to each other [s].
_SAME_SEIZURE_S = 60.0
# A clinical onset follows the electrographic one of its seizure within this time [s].
_CLINICAL_S = 300.0
_CLINICAL = re.compile(r"\b(?:clin|klin)", re.IGNORECASE)
# What lasts less [s] is a marker: BrainVision and EEGLAB give their markers the length of one sample.
MARKER_S = 1.0
# An offset marker this near to the end of a seizure [s] says the same.
_SAME_OFFSET_S = 1.0
# What SzCORE calls a stretch without a seizure.
BACKGROUND = "bckg"
_CODE = re.compile(r"[+-]?\d+(\.\d*)?")
# Texts that a warning names.
_NAMED = 6


@dataclass
class StatedSeizures:
    """What a file, or somebody, says about seizures.

    Attributes
    ----------
    seizures : list[Stretch]
        `(onset, offset or None, channels or None)` [s].
    uncertain : list[Stretch]
        Stretches of which nobody knows whether they are seizure, in the same form.
    """

    seizures: list[Stretch] = field(default_factory=list)
    uncertain: list[Stretch] = field(default_factory=list)


def seizures_from_events(
    events: Iterable[EventRow],
    recording: str,
    event_types: Mapping[str, str] | None = None,
    *,
    marker_s: float = MARKER_S,
) -> StatedSeizures:
    """Put onsets, offsets and events with a duration together.

    A seizure begins at its first onset marker (an electrographic onset followed within five minutes by a clinical one,
    or within a minute by one on other channels, is one seizure) and ends at the next offset marker; with none, at the
    end of the onset event, if that has a duration; otherwise its offset is not known. What precedes an offset without
    an onset, back to the seizure before it, is uncertain, and so is what follows a remark such as `Seizure?` that has
    no duration.

    Remarks that speak of a seizure and are not understood are named in one warning, those in doubt in another, and in
    a third those that may tell the end of a seizure that has none (`OVER`).

    Parameters
    ----------
    events : Iterable[EventRow]
        In any order.
    recording : str
        Name for messages.
    event_types : Mapping[str, str] or None
        See `meaning_of`.
    marker_s : float
        An event that lasts less has no duration [s].

    Returns
    -------
    StatedSeizures
        The offset of a seizure is `None` where the file does not tell it.
    """
    ordered = sorted(events, key=lambda event: event.onset)
    meanings = [meaning_of_event(event, event_types) for event in ordered]
    _tell_of_words(ordered, meanings, recording)
    assembly = _Assembly(marker_s)
    for event, meaning in zip(ordered, meanings, strict=True):
        assembly.add(event, meaning)
    return assembly.result(recording)


class _Assembly:
    """Goes through the events of a recording in their order."""

    def __init__(self, marker_s: float) -> None:
        self._marker_s = marker_s
        self._stated = StatedSeizures()
        self._running: EventRow | None = None
        self._doubtful: list[EventRow] = []
        self._without_onset: list[EventRow] = []
        self._may_end: list[EventRow] = []
        self._ends_of_none: list[EventRow] = []
        self._backwards: list[EventRow] = []

    def add(self, event: EventRow, meaning: Meaning | None) -> None:
        lasts = self._marker_s <= event.duration < math.inf
        if event.duration < 0 and meaning in ("seizure", "onset", "uncertain"):
            self._backwards.append(event)
        if meaning == "uncertain":
            if lasts:
                self._stated.uncertain.append((event.onset, event.onset + event.duration, event.channels))
            else:
                self._doubtful.append(event)
        elif meaning == "seizure" and lasts:
            self._stated.seizures.append((event.onset, event.onset + event.duration, event.channels))
        elif meaning in ("seizure", "onset"):
            self._begin(event)
        elif meaning == "offset":
            self._end(event)
        elif self._running is not None and any(map(ends_what_runs, (event.text, *event.further))):
            self._may_end.append(event)

    def result(self, recording: str) -> StatedSeizures:
        self._close()
        self._stated.uncertain += [(event.onset, None, event.channels) for event in self._doubtful]
        if self._without_onset:
            first, *more = self._without_onset
            warn(
                f"{recording}: the seizure offset {first.text!r} at {first.onset:.2f} s has no onset"
                f"{f' (nor have {len(more)} more)' if more else ''}; what lies before it, back to the seizure before, "
                "is unknown (label -100): pass seizures=[(onset, offset), ...] if you know when it begins"
            )
        if self._backwards:
            first, *more = self._backwards
            warn(
                f"{recording}: {first.text!r} at {first.onset:.2f} s ends {-first.duration:.2f} s before it begins"
                f"{f' (as {len(more)} more)' if more else ''}, so its end is taken as not known; correct it, or pass "
                "seizures=[(onset, offset), ...]"
            )
        if self._ends_of_none:
            told = _places((event.text, event.onset) for event in self._ends_of_none)
            warn(
                f"{recording}: {_listed(told)} may tell the end of the seizure before, which has none otherwise; "
                f"if so, pass event_types={_mapping(told, 'offset')}"
            )
        seizures = _without_repetitions(self._stated.seizures)
        return replace(self._stated, seizures=_without_contained_markers(seizures))

    def _begin(self, event: EventRow) -> None:
        running = self._running
        since = math.inf if running is None else event.onset - running.onset
        if running is not None and since <= _longest(running, event) and not self._is_over(event):
            self._running = replace(running, channels=unite_channels(running.channels, event.channels))
            return
        self._close()
        self._running = event

    def _is_over(self, event: EventRow) -> bool:
        running = self._running
        return running is not None and self._marker_s <= running.duration < event.onset - running.onset

    def _close(self) -> None:
        """End the running seizure where its own duration tells the end, if at all."""
        running, self._running = self._running, None
        may_end, self._may_end = self._may_end, []
        if running is not None:
            lasts = self._marker_s <= running.duration < math.inf
            offset = running.onset + running.duration if lasts else None
            if not lasts:
                self._ends_of_none += may_end
            self._stated.seizures.append((running.onset, offset, running.channels))

    def _end(self, event: EventRow) -> None:
        if self._running is not None:
            self._stated.seizures.append((self._running.onset, event.onset, self._running.channels))
            self._running, self._may_end = None, []
            return
        ends = [offset for _, offset, _ in self._stated.seizures if offset is not None]
        before = max((end for end in ends if end <= event.onset), default=0.0)
        if any(end > event.onset for end in ends) or (ends and event.onset - before <= _SAME_OFFSET_S):
            return
        doubtful = [each for each in self._doubtful if before <= each.onset < event.onset]
        if doubtful:
            self._doubtful = [each for each in self._doubtful if each not in doubtful]
            before = doubtful[0].onset
        else:
            self._without_onset.append(event)
        if event.onset > before:
            self._stated.uncertain.append((before, event.onset, event.channels))


def _longest(first: EventRow, second: EventRow) -> float:
    """Time between the onset markers of one seizure, at most [s]."""
    clinical = [bool(_CLINICAL.search(event.text)) for event in (first, second)]
    return _CLINICAL_S if clinical == [False, True] else _SAME_SEIZURE_S


def _tell_of_words(events: Sequence[EventRow], meanings: Sequence[Meaning | None], recording: str) -> None:
    """Warn of remarks that speak of a seizure and are not taken as one, once for those of a kind."""
    not_taken = _places(
        (text, event.onset)
        for event, meaning in zip(events, meanings, strict=True)
        if meaning is None
        for text in (event.text, *event.further)
        if speaks_of_a_seizure(text)
    )
    doubtful = _places(
        (event.text, event.onset) for event, meaning in zip(events, meanings, strict=True) if meaning == "uncertain"
    )
    if not_taken:
        are = "is" if len(not_taken) == 1 else "are"
        warn(
            f"{recording}: {_listed(not_taken)} {are} not taken as a seizure; if it is one, pass "
            f"event_types={_mapping(not_taken)} (or 'onset', 'offset', 'uncertain'; 'ignore' if it is none)"
        )
    if doubtful:
        warn(
            f"{recording}: {_listed(doubtful)} may be a seizure or not, so the label there is unknown (-100, see "
            f"Recording.uncertain); if it is one, pass event_types={_mapping(doubtful)} (or 'onset', 'offset'; "
            "'ignore' if it is none)"
        )


def _places(told: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    places: dict[str, list[float]] = {}
    for text, onset in told:
        places.setdefault(" ".join(text.split()), []).append(onset)
    return places


def _listed(places: Mapping[str, Sequence[float]]) -> str:
    named = [
        f"{text!r} at {onsets[0]:.2f} s" + (f" (and {len(onsets) - 1} times more)" if len(onsets) > 1 else "")
        for text, onsets in places.items()
    ]
    return f"the event{'s' if len(places) > 1 else ''} {listed(named)}"


def _mapping(places: Mapping[str, Sequence[float]], meaning: Meaning = "seizure") -> str:
    texts = list(places)
    named = ", ".join(f"{text!r}: {meaning!r}" for text in texts[:_NAMED])
    return "{" + named + (", ..." if len(texts) > _NAMED else "") + "}"


def _without_repetitions(seizures: Iterable[Stretch]) -> list[Stretch]:
    """Drop what is said twice, as by two people, or by a system that writes each remark twice."""
    said = {(onset, offset, None if names is None else tuple(names)): names for onset, offset, names in seizures}
    return [(onset, offset, names) for (onset, offset, _), names in said.items()]


def tell_of_none(name: str, rows: Sequence[EventRow], table: str) -> None:
    """Warn of a table that tells of no seizure, where the name of the recording does, or its events are codes.

    Parameters
    ----------
    name : str
        That of the recording.
    rows : Sequence[EventRow]
        Its events, of which none is a seizure.
    table : str
        Name for messages.
    """
    texts = list(dict.fromkeys(text for row in rows for text in (row.text, *row.further) if text))
    without_subject = re.sub(r"(?<![^_])sub-[^_]*_?", "", name)
    if not texts or any(text.strip().lower() == BACKGROUND for text in texts):
        return
    if all(_CODE.fullmatch(text.strip()) for text in texts):
        reason = "its events are codes that nothing explains"
    elif speaks_of_a_seizure(without_subject):
        reason = "the name of the recording speaks of one"
    else:
        return
    warn(
        f"{name}: {table} tells of no seizure, but {reason} ({listed(map(repr, texts))}); if one of them is a "
        f"seizure, pass event_types={{{texts[0]!r}: 'seizure'}} (or 'onset', 'offset')"
    )


def _without_contained_markers(seizures: Sequence[Stretch]) -> list[Stretch]:
    """Drop what a seizure event with a duration already covers, such as an onset marker inside it."""

    def covers(seizure: Stretch, marker: Stretch) -> bool:
        first, stop, channels = seizure
        on_its_channels = channels is None or (marker[2] is not None and set(marker[2]) <= set(channels))
        return stop is not None and first <= marker[0] < stop and on_its_channels

    return [each for each in seizures if each[1] is not None or not any(covers(other, each) for other in seizures)]
