"""Seizures in lists of events: which words mean a seizure, its onset or its offset, and how they belong together."""

import math
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, get_args

from .event import unite_channels

Meaning = Literal["seizure", "onset", "offset", "ignore"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)


@dataclass(frozen=True)
class EventRow:
    """One event of a file.

    Attributes
    ----------
    onset : float
        [s].
    duration : float
        [s]; 0 or NaN for a marker.
    text : str
        What the file calls it.
    channels : list[str] or None
        Channels concerned, `None` for all.
    """

    onset: float
    duration: float
    text: str
    channels: list[str] | None = None


_SEIZURE_WORD = re.compile(r"szs?|seizures?|ictal|ictus")
# `eec` and `ueo`: earliest electrographic change, unequivocal electrographic onset.
_ONSET_WORD = re.compile(r"on|ons|onset|start(s|ed)?|begin(s|ning)?|eec|ueo")
_OFFSET_WORD = re.compile(r"off|offset|ends?|ended|stop(s|ped|ping)?|over|terminat(es|ed|ion)|devolution")
# Words that stand beside the above and do not change the meaning. `z` precedes the remarks of some clinical systems.
_NEUTRAL_WORD = re.compile(
    r"z|marker|event|#?\d*|pb|eeg|ieeg|seeg|ecog|el\w*graphic\w*|clinical|subclinical|definite|unequivocal|earliest"
    r"|epileptic|focal|generali[sz]ed|tonic|clonic|tonicclonic|absence|myoclonic|aware|impaired|awareness|bilateral"
    r"|to|of|the|type|n|no\.?\d+"
)
_CONTACT = re.compile(r"[a-z]{1,4}'?\d{1,3}(-\d{1,3})?")
# Texts about seizures that are surely none.
_NEGATION = re.compile(
    r"\b(no|not|without|pre|post|inter|between|free|pseudo|pnes|psychogenic|before|after|zone|soz|last|next)\b"
    r"|\b(pre|post|inter|peri|non)[- ]?(ictal|seizure|sz|epileptic)"
)
# SzCORE and HED-SCORE: `sz`, `sz_foc_ia`, ...; `bckg` is background.
_SZCORE = re.compile(r"sz(_(foc|gen|uon)(_[a-z0-9_]+)?)?")
# An electrographic onset and the clinical one, or the onsets on several contacts, are this near to each other [s].
_SAME_SEIZURE_S = 60.0


def meaning_of(text: str, event_types: Mapping[str, str] | None = None) -> Meaning | None:
    """Return what an event's text means.

    Parameters
    ----------
    text : str
        As in the file; case and spaces do not matter.
    event_types : Mapping[str, str] or None
        The user's own words, asked first: text or shell pattern (`"sz*"`) to `"seizure"`, `"onset"`, `"offset"` or
        `"ignore"`.

    Returns
    -------
    Meaning or None
        `"seizure"` (the event is a seizure, its duration counts), `"onset"`, `"offset"`, `"ignore"`, or `None` for
        other events.
    """
    folded = " ".join(text.casefold().split())
    for pattern, given in (event_types or {}).items():
        meaning = next((meaning for meaning in MEANINGS if meaning == given), None)
        if meaning is None:
            raise ValueError(
                f"event_types[{pattern!r}] is {given!r}; expected one of {', '.join(map(repr, MEANINGS))}"
            )
        wanted = " ".join(pattern.casefold().split())
        if folded == wanted or fnmatchcase(folded, wanted):
            return meaning
    if not folded or folded == "n/a":
        return None
    if _SZCORE.fullmatch(folded):
        return "seizure"
    # In `focal-onset seizure` the onset is part of the kind of seizure.
    plain = re.sub(r"(focal|generali[sz]ed|unknown)[- ]onset", r"\1", folded.replace("tonic-clonic", "tonicclonic"))
    return _meaning_of_words(re.findall(r"[a-z0-9'#\-]+", re.sub(r"-(?=epileptic|seizure)", " ", plain)))


def _meaning_of_words(words: list[str]) -> Meaning | None:
    seizure = [word for word in words if _SEIZURE_WORD.fullmatch(word)]
    onset = [word for word in words if _ONSET_WORD.fullmatch(word)]
    offset = [word for word in words if _OFFSET_WORD.fullmatch(word)]
    described = [word for word in words if re.fullmatch(r"z|el\w*graphic\w*|clinical|eec|ueo", word)]
    known = len(seizure) + len(onset) + len(offset)
    others = [
        word
        for word in words
        if word not in {*seizure, *onset, *offset}
        and not _NEUTRAL_WORD.fullmatch(word)
        and not _CONTACT.fullmatch(word)
    ]
    if others or known == 0:
        return None
    # `start` and `end` alone mark anything; `onset` and `offset` alone are how clinical sets mark seizures.
    about_a_seizure = bool(seizure or described)
    if offset and not onset:
        return "offset" if about_a_seizure or "offset" in offset or words[0] == "definite" else None
    if onset and not offset:
        return "onset" if about_a_seizure or "onset" in onset else None
    return "seizure" if seizure and not onset else None


def seizures_from_events(
    events: Iterable[EventRow], recording: str, event_types: Mapping[str, str] | None = None
) -> list[tuple[float, float | None, list[str] | None]]:
    """Put onsets, offsets and events with a duration together.

    A seizure begins at its first onset marker (an electrographic onset followed within a minute by a clinical one, or
    by one on other channels, is one seizure) and ends at the next offset marker; with none, at the end of the onset
    event, if that has a duration, or at the next onset, with a warning.

    Parameters
    ----------
    events : Iterable[EventRow]
        In any order.
    recording : str
        Name for messages.
    event_types : Mapping[str, str] or None
        See `meaning_of`.

    Returns
    -------
    list[tuple[float, float | None, list[str] | None]]
        `(onset, offset or None, channels or None)` [s]; the offset is `None` where the file does not tell it.
    """
    seizures: list[tuple[float, float | None, list[str] | None]] = []
    running: EventRow | None = None
    for event in sorted(events, key=lambda event: event.onset):
        meaning = meaning_of(event.text, event_types)
        if meaning is None and speaks_of_a_seizure(event.text):
            warnings.warn(
                f"{recording}: the event {event.text!r} at {event.onset:.2f} s is not taken as a seizure; if it is "
                f"one, pass event_types={{{event.text!r}: 'seizure'}} (or 'onset', 'offset')",
                stacklevel=2,
            )
        elif meaning == "seizure" and event.duration > 0:
            seizures.append((event.onset, event.onset + event.duration, event.channels))
        elif meaning in ("seizure", "onset"):
            if running is not None and event.onset - running.onset <= _SAME_SEIZURE_S and not _is_over(running, event):
                running = replace(running, channels=unite_channels(running.channels, event.channels))
                continue
            if running is not None:
                seizures.append((running.onset, _end_before(running, event, recording), running.channels))
            running = event
        elif meaning == "offset":
            if running is None:
                warnings.warn(
                    f"{recording}: the seizure offset {event.text!r} at {event.onset:.2f} s has no onset; ignored",
                    stacklevel=2,
                )
                continue
            seizures.append((running.onset, event.onset, running.channels))
            running = None
    if running is not None:
        lasts = running.duration > 0 and math.isfinite(running.duration)
        seizures.append((running.onset, running.onset + running.duration if lasts else None, running.channels))
    return _without_contained_markers(seizures)


def _is_over(running: EventRow, event: EventRow) -> bool:
    return 0 < running.duration < event.onset - running.onset


def _end_before(running: EventRow, event: EventRow, recording: str) -> float:
    """Offset of a seizure after which another one begins without an offset marker between them."""
    if _is_over(running, event):
        return running.onset + running.duration
    warnings.warn(
        f"{recording}: the seizure that begins at {running.onset:.2f} s has no offset before the onset at "
        f"{event.onset:.2f} s and is taken to last until then; pass seizures=... if it does not",
        stacklevel=3,
    )
    return event.onset


def speaks_of_a_seizure(text: str) -> bool:
    """Whether a text holds a word that may mean a seizure; `no seizure`, `interictal` and the like do not."""
    folded = text.casefold()
    return re.search(r"\b(sz|seizure)", folded) is not None and _NEGATION.search(folded) is None


def _without_contained_markers(
    seizures: list[tuple[float, float | None, list[str] | None]],
) -> list[tuple[float, float | None, list[str] | None]]:
    """Drop what a seizure event with a duration already covers, such as an onset marker inside it."""
    complete = [(onset, offset) for onset, offset, _ in seizures if offset is not None]
    return [
        (onset, offset, channels)
        for onset, offset, channels in seizures
        if offset is not None or not any(first <= onset < stop for first, stop in complete)
    ]
