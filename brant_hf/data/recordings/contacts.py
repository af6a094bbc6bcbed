"""The one grammar of channel names: what recording systems put around them, contacts, shafts, neighbours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

# What recording systems put before a name (the kind of signal) and after it (the reference). A hyphen belongs to the
# name where only a number follows (`ECOG-1`).
_PREFIX = re.compile(r"^(?:(?:POL|EEG|SEEG|IEEG|ECOG|BIO)(?:[\s_]+|[\s_-]+(?=[^\W\d_])))+", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:[\s_-]+(?:\d?\.?REF\d*|AVG|AV|CAR|LE|AR|GND|ORG))+$", re.IGNORECASE)
_CONTACT = re.compile(r"^(?P<shaft>[^\W\d_].*?)[\s_-]*(?P<number>\d+)$")
_PAIR = re.compile(r"(?<=\d)\s*-\s*(?=[^\W\d_])")


def bare_name(name: str) -> str:
    """Return a channel name without what recording systems put around it: `EEG LA1-Ref` is `LA1`."""
    return _SUFFIX.sub("", _PREFIX.sub("", name.strip())).strip()


def split_contact_name(name: str) -> tuple[str, int] | None:
    """Shaft and number of a contact: `A'1` is `("A'", 1)`, `POL B10` is `("B", 10)`.

    Returns
    -------
    tuple[str, int] or None
        `None` for a name that is not one contact: no number, or already a pair (`A1-A2`).
    """
    bare = bare_name(name)
    match = _CONTACT.match(bare)
    if match is None or _PAIR.search(bare):
        return None
    return match["shaft"], int(match["number"])


def shaft_of(name: str) -> str:
    """Shaft of a contact, or of the first one of a pair; the name itself where it is neither."""
    contact = split_contact_name(_PAIR.split(bare_name(name))[0])
    return name if contact is None else contact[0]


def channels_meant(written: str, names: Iterable[str]) -> list[str]:
    """Channels that a written name stands for.

    Parameters
    ----------
    written : str
        A name as somebody wrote it in a table.
    names : Iterable[str]
        Channels of the recording.

    Returns
    -------
    list[str]
        The channel of that name, whatever its case; otherwise those of the same contact (`LA1` stands for
        `EEG LA1-Ref`); otherwise those of both contacts of a pair (`A1-A2`). Empty where there is none.
    """
    names = list(names)
    for form in (str.strip, bare_name):
        wanted = form(written).casefold()
        found = [name for name in names if form(name).casefold() == wanted]
        if found:
            return found
    pair = bare_name(written).split("-")
    return [name for contact in pair for name in channels_meant(contact, names)] if len(pair) == 2 else []


def bipolar_pairs(names: list[str]) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """Pairs of neighbouring contacts (numbers that differ by one) of every shaft.

    A missing contact leaves a hole: 3 and 5 are not paired. Contacts of a grid are numbered through, so the last of a
    row is paired with the first of the next; name the rows as shafts where that matters.

    Parameters
    ----------
    names : list[str]
        Channel names.

    Returns
    -------
    tuple[list[tuple[str, str, str]], dict[str, str]]
        `(pair name, anode, cathode)` for each pair, shafts in order of appearance and contacts by number; and the
        contacts that belong to no pair, with the reason.
    """
    shafts: dict[str, dict[int, str]] = defaultdict(dict)
    alone: dict[str, str] = {}
    for name in names:
        contact = split_contact_name(name)
        if contact is None:
            alone[name] = "not the name of one contact of a shaft"
        elif contact[1] in shafts[contact[0]]:
            alone[name] = f"same contact as {shafts[contact[0]][contact[1]]}"
        else:
            shafts[contact[0]][contact[1]] = name
    pairs = []
    for shaft, contacts in shafts.items():
        for number in sorted(contacts):
            if number + 1 in contacts:
                pairs.append((f"{shaft}{number}-{shaft}{number + 1}", contacts[number], contacts[number + 1]))
            elif number - 1 not in contacts:
                alone[contacts[number]] = f"no neighbouring contact on shaft {shaft}"
    return pairs, alone
