"""What the text of an event means: which words speak of a seizure, of its onset, of its offset, or of a doubt."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal, cast, get_args

from ..bad_input import check_mapping
from .words import (
    ASIDE,
    BARE,
    BREAK,
    CONNECTOR,
    CONTACT,
    COUNTED,
    DESCRIBING,
    DOUBT,
    EEG_WORD,
    ITSELF,
    MARKED,
    NEGATED,
    NEUTRAL,
    NO,
    NUMBERS,
    OFFSET_WORD,
    ONSET_WORD,
    RECORD_TYPE,
    REWRITTEN,
    SEIZURE_WORD,
    SHAFT,
    SIDE_OR_LOBE,
    SPEAKING,
    STEMS,
    SZCORE,
    TOKEN,
    WEAK_SUPPORT,
    WEAK_WORD,
    without_accents,
)

Meaning = Literal["seizure", "onset", "offset", "ignore", "uncertain"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)
# Words before a number that are no shaft.
_NO_SHAFTS = (COUNTED, NEUTRAL, CONNECTOR, SEIZURE_WORD, WEAK_WORD, ONSET_WORD, OFFSET_WORD)


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
    further : tuple[str, ...]
        What other columns of the same row say.
    """

    onset: float
    duration: float
    text: str
    channels: list[str] | None = None
    further: tuple[str, ...] = ()


def check_event_types(given: Mapping[str, str] | None) -> None:
    """Raise a `ValueError` unless a user's own words map texts to meanings."""
    if given is None:
        return
    check_mapping("event_types", given, "a dictionary such as {'Krampf*': 'seizure'}")
    for pattern, meaning in given.items():
        if meaning not in MEANINGS:
            raise ValueError(
                f"event_types[{pattern!r}] is {meaning!r}; expected one of {', '.join(map(repr, MEANINGS))}"
            )


def meaning_of(text: str, event_types: Mapping[str, str] | None = None) -> Meaning | None:
    """Return what an event's text means.

    A text has a meaning only where all of its words are understood. What stands before it in some formats (`Comment/`,
    `Note: `) does not matter.

    Parameters
    ----------
    text : str
        As in the file; case, spaces and line breaks do not matter.
    event_types : Mapping[str, str] or None
        The user's own words, asked first: text or shell pattern (`"sz*"`) to `"seizure"`, `"onset"`, `"offset"`,
        `"ignore"` or `"uncertain"`; see `check_event_types`.

    Returns
    -------
    Meaning or None
        `"seizure"` (the event is a seizure, its duration counts), `"onset"`, `"offset"`, `"ignore"`, `"uncertain"`
        (`Seizure?`, `possible seizure`), or `None` for other events.
    """
    given = _given_meaning(text, event_types) if event_types else None
    return given if given is not None else _meaning(text)


def meaning_of_event(event: EventRow, event_types: Mapping[str, str] | None = None) -> Meaning | None:
    """Like `meaning_of` for all that a row says: its texts together, or else the first that has a meaning."""
    texts = list(dict.fromkeys([event.text, *event.further]))
    for text in texts:
        given = _given_meaning(text, event_types or {})
        if given is not None:
            return given
    return _meaning(" ".join(texts)) or next(filter(None, map(_meaning, texts)), None)


@lru_cache(maxsize=4096)
def speaks_of_a_seizure(text: str) -> bool:
    """Whether a text holds a word that may mean a seizure; `no seizure`, `interictal` and the like do not.

    So does an `onset` or `offset` of nothing (`offset with fast activity`), though not that of a stimulus or of sleep.
    """
    if not _has_a_stem(text):
        return False
    plain = _plain(text)
    affirmed = NEGATED.sub(" ", plain)
    return SPEAKING.search(affirmed) is not None or (affirmed == plain and _marks_alone(TOKEN.findall(plain)))


def ends_what_runs(text: str) -> bool:
    """Whether a text says that something ends, and not what: `OVER`, `ended`, `off on left`."""
    words = _without_contacts(TOKEN.findall(_plain(text)))
    kinds = (OFFSET_WORD, NEUTRAL, CONTACT, SIDE_OR_LOBE, CONNECTOR, ITSELF)
    return any(OFFSET_WORD.fullmatch(word) for word in words) and all(
        any(kind.fullmatch(word) for kind in kinds) for word in words
    )


def _marks_alone(words: list[str]) -> bool:
    """Whether an onset or offset is said to be that of nothing, or of places alone."""
    words = TOKEN.findall(DOUBT.sub(" ", " ".join(words)))
    if not any(BARE.fullmatch(word) for word in words):
        return False
    kinds = (BARE, NEUTRAL, CONTACT, SIDE_OR_LOBE, CONNECTOR)
    return BARE.fullmatch(words[0]) is not None or all(any(kind.fullmatch(word) for kind in kinds) for word in words)


def _has_a_stem(text: str) -> bool:
    """Whether it may be about a seizure at all; most remarks are not, and the long way takes its time."""
    return not text.isascii() or STEMS.search(text.lower()) is not None


def _given_meaning(text: str, event_types: Mapping[str, str]) -> Meaning | None:
    """Meaning by the user's words, which may name the type of the record (`Note: ...`) or leave it out."""
    texts = _with_and_without_type(text)
    for pattern, given in event_types.items():
        wanted = _with_and_without_type(pattern)
        if texts & wanted or any(fnmatchcase(each, form) for each in texts for form in wanted):
            return cast("Meaning", given)
    return None


def _with_and_without_type(text: str) -> set[str]:
    folded = " ".join(text.casefold().split())
    return {folded, RECORD_TYPE.sub("", folded)} - {""}


@lru_cache(maxsize=4096)
def _meaning(text: str) -> Meaning | None:
    if not _has_a_stem(text):
        return None
    bare = RECORD_TYPE.sub("", text.strip())
    if SZCORE.fullmatch(bare.casefold()):
        return "seizure"
    plain = _plain(text)
    if MARKED.match(plain):
        # A record of the type `Seiz` is a seizure; its annotation says more about it.
        rest = MARKED.sub("", plain, count=1)
        return None if NO.search(rest) else "uncertain" if DOUBT.search(rest) else "seizure"
    affirmed = NEGATED.sub(" ", plain)
    about_a_seizure = SPEAKING.search(affirmed) is not None
    if affirmed != plain and not about_a_seizure:
        return None
    meaning = _meaning_of_clauses(DOUBT.sub(" ", affirmed), about_a_seizure)
    return "uncertain" if DOUBT.search(affirmed) and (meaning or about_a_seizure) else meaning


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """Text in lower case without accents, CamelCase apart, known words of other languages in English."""
    text = unicodedata.normalize("NFKC", RECORD_TYPE.sub("", text.strip()))
    text = re.sub(r"(?<=[A-Za-z][a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2,})", " ", text)
    text = re.sub(r"[\n\r]+", " ; ", without_accents(text.casefold()).replace("_", " "))
    for pattern, replacement in REWRITTEN:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _meaning_of_clauses(text: str, about_a_seizure: bool) -> Meaning | None:
    words = TOKEN.findall(text)
    if not words or not (about_a_seizure or BARE.fullmatch(words[0])):
        return _meaning_of_words(words)
    clauses = [TOKEN.findall(clause) for clause in BREAK.split(text)]
    has_contact = any(CONTACT.fullmatch(word) for word in words)
    kept = (clause for clause in clauses if not _is_aside(clause) and not (has_contact and _names_shafts(clause)))
    return _meaning_of_words([word for clause in kept for word in clause])


def _without_contacts(words: list[str]) -> list[str]:
    """Leave contacts out that are written with a space, `LA 1-4`, and more numbers of theirs."""
    kept: list[str] = []
    for word in words:
        if NUMBERS.fullmatch(word) and kept:
            last = kept[-1]
            is_shaft = SHAFT.fullmatch(last) and not any(kind.fullmatch(last) for kind in _NO_SHAFTS)
            if is_shaft or ("-" in word and CONTACT.fullmatch(last)):
                kept[-1] = "a1"
                continue
        kept.append(word)
    return kept


def _names_shafts(words: list[str]) -> bool:
    """Whether a part of a list of contacts names shafts: `PST` in `onset TT1, then PST`."""
    named = [word for word in words if not CONNECTOR.fullmatch(word)]
    return bool(named) and all(SHAFT.fullmatch(word) and not _is_known(word) for word in named)


def _is_aside(words: list[str]) -> bool:
    """Whether a part of a remark about a seizure says nothing about whether it is one: `no clinical signs`."""
    if not any(ASIDE.fullmatch(word) for word in words) or any(_is_known(word) for word in words):
        return False
    if any(NO.fullmatch(word) for word in words) and any(EEG_WORD.fullmatch(word) for word in words):
        return False
    return all(
        any(kind.fullmatch(word) for kind in (ASIDE, CONNECTOR, DESCRIBING, NEUTRAL, CONTACT)) for word in words
    )


def _is_known(word: str) -> bool:
    return any(kind.fullmatch(word) for kind in (SEIZURE_WORD, WEAK_WORD, ONSET_WORD, OFFSET_WORD))


def _meaning_of_words(words: list[str]) -> Meaning | None:
    if any(ONSET_WORD.fullmatch(word) or OFFSET_WORD.fullmatch(word) for word in words):
        words = _without_contacts(words)
    seizure = [word for word in words if SEIZURE_WORD.fullmatch(word)]
    onset = [word for word in words if ONSET_WORD.fullmatch(word)]
    offset = [word for word in words if OFFSET_WORD.fullmatch(word)]
    weak = [word for word in words if WEAK_WORD.fullmatch(word)]
    if weak and not seizure and (onset or offset or any(WEAK_SUPPORT.fullmatch(word) for word in words)):
        seizure = weak
    described = [word for word in words if re.fullmatch(r"z|el\w*graphic\w*|clinical|eec|ueo", word)]
    allowed = (NEUTRAL, CONTACT, DESCRIBING) if seizure else (NEUTRAL, CONTACT)
    known = {*seizure, *onset, *offset}
    others = (word for word in words if word not in known and not any(kind.fullmatch(word) for kind in allowed))
    if not known or next(others, None) is not None:
        return None
    # `start` and `end` alone mark anything; `onset` and `offset` alone are how clinical sets mark seizures.
    about_a_seizure = bool(seizure or described)
    if offset and not onset:
        return "offset" if about_a_seizure or "offset" in offset or words[0] == "definite" else None
    if onset and not offset:
        return "onset" if about_a_seizure or "onset" in onset else None
    return "seizure" if seizure and not onset else None
