"""The one grammar of channel names: what recording systems put around them, contacts, shafts, neighbours."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

# What recording systems put before a name (the kind of signal) and after it (the reference). A hyphen belongs to the
# name where only a number follows (`ECOG-1`).
_PREFIX = re.compile(r"^(?:(?:POL|EEG|SEEG|IEEG|ECOG|BIO)(?:[\s_]+|[\s_-]+(?=[^\W\d_])))+", re.IGNORECASE)
_SUFFIX = re.compile(
    r"(?:[\s_-]+(?:\d?\.?V?REF\d*|AVG|AVERAGE|AV|CAR|LE|AR|GND|ORG|COMMON(?: ?(?:REF|AVG|AVERAGE))?|A1\+?A2|M1\+?M2)"
    r"|\.+)+$",
    re.IGNORECASE,
)
# Some centres number their shafts: `3LD5` is a contact of `3LD`.
_SHAFT = r"\d{0,2}[^\W\d_]"
_CONTACT = re.compile(rf"^(?P<shaft>{_SHAFT}.*?)[\s_-]*(?P<number>\d+)$")
_PAIR = re.compile(rf"(?<=\d)\s*-\s*(?={_SHAFT})")
_RANGE = re.compile(rf"^(?P<shaft>{_SHAFT}.*?)(?P<first>\d+)\s*-\s*(?P<last>\d+)$")
# Two contacts, or places of the scalp, with what programs write between them; a second prefix may stand there.
_JOINED = re.compile(
    r"^(?P<first>.*?)\s*(?:[-\N{EN DASH}\N{EM DASH}]+|[/:>])\s*(?P<second>\D.*?)(?:[\s_-]*bip(?:olar)?)?$",
    re.IGNORECASE,
)
# Less that is certain stands between them, or only the number of the second (`LA01-02`, `LA1_LA2`, `A1A2`).
_NEIGHBOURS = re.compile(
    rf"^(?P<shaft>{_SHAFT}.*?)[\s_]*(?P<first>\d+)(?:[\s_,+-]+(?:(?P=shaft)[\s_]*)?|(?P=shaft)[\s_]*)(?P<second>\d+)$",
    re.IGNORECASE,
)
_PLACE = re.compile(r"[a-z]{1,3}z", re.IGNORECASE)
_NUMBERED = re.compile(r"^(?P<name>.+)-(?P<number>\d+)$")
_PRIMES = str.maketrans(dict.fromkeys("\N{PRIME}\N{RIGHT SINGLE QUOTATION MARK}\N{ACUTE ACCENT}`", "'"))
# A contact or a place of the scalp with its reference; which names have one shows in all of a file.
_REFERRED = re.compile(r"^.*[^\W_]'?\s*-\s*(?P<reference>[a-z]{1,3}\d{1,2}|[a-z]{1,2}z|mean)$", re.IGNORECASE)
DIFFERENCE = "the difference of two contacts already"
_FEWEST_REFERRED, _NEARLY_ALL = 6, 0.8
# More contacts of one name than these are rather numbered from 0 by whoever named them.
_MOST_OF_ONE_NAME = 3


def bare_name(name: str) -> str:
    """Return a channel name without what recording systems put around it: `EEG LA1-Ref` is `LA1`."""
    return _SUFFIX.sub("", _PREFIX.sub("", name.strip(" _"))).strip(" _")


def name_key(name: str) -> str:
    """Return what all spellings of a name have in common: `EEG la01-Ref`, `LA_1` and `LA1` are one contact."""
    readable = unicodedata.normalize("NFKC", name.translate(_PRIMES))
    return "-".join(_part_key(part) for part in _PAIR.split(bare_name(readable)))


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


def first_contact(name: str) -> tuple[str, int] | None:
    """Shaft and number of a contact, or of the first one of a pair."""
    return split_contact_name(_PAIR.split(bare_name(name))[0])


def names_in_file(names: Iterable[str], all_names: Iterable[str] = ()) -> dict[str, str]:
    """Each name as the file has it, where several channels of one name were numbered, without a common reference.

    Readers make `A1`, `A1` unique as `A1-0`, `A1-1`. That number is taken off where numbers of the name begin with 0,
    or where other contacts of the same shaft (`A2`) have none; `G2-12` and `ECOG-1` stay what they are. Where nearly
    all names end in the same contact (`A'1-G2`, `Fz-G2`), it is a reference, and they are no pairs.

    Parameters
    ----------
    names : Iterable[str]
        Channels.
    all_names : Iterable[str]
        All channels of the file where `names` are some of them.

    Returns
    -------
    dict[str, str]
        The name in the file, by the name in `names`.
    """
    names = list(names)
    everything = {*names, *all_names}
    numbered = {name: match for name in everything if (match := _NUMBERED.match(name))}
    numbers: dict[str, set[int]] = defaultdict(set)
    for match in numbered.values():
        numbers[match["name"]].add(int(match["number"]))
    shafts = {contact[0] for name in everything - numbered.keys() if (contact := split_contact_name(name))}

    def was_added(match: re.Match[str]) -> bool:
        seen, contact = numbers[match["name"]], split_contact_name(match["name"])
        from_zero = 2 <= len(seen) <= _MOST_OF_ONE_NAME and seen == set(range(len(seen)))
        one_left = contact is not None and contact[0] in shafts and min(seen) <= 1
        return match["name"] not in everything and (from_zero or one_left)

    in_file = {name: match["name"] if (match := numbered.get(name)) and was_added(match) else name for name in names}
    reference = _common_reference({bare_name(name) for name in everything})
    if reference is None:
        return in_file
    return {name: _without_reference(written, reference) for name, written in in_file.items()}


def _common_reference(names: Iterable[str]) -> str | None:
    """Return what stands behind the hyphen of nearly all names, as `G2` in Micromed's `A'1-G2` and `Fz-G2`."""
    behind = {name: match["reference"].casefold() for name in names if (match := _REFERRED.match(name))}
    counts = Counter(behind.values())
    reference, count = max(counts.items(), key=lambda pair: pair[1], default=("", 0))
    shafts = {re.sub(r"\d+-.*", "", name).casefold() for name, other in behind.items() if other == reference}
    is_common = count >= max(_FEWEST_REFERRED, _NEARLY_ALL * sum("-" in name for name in names))
    return reference if is_common and len(shafts) > 1 else None


def _without_reference(name: str, reference: str) -> str:
    bare = bare_name(name)
    return bare[: -len(reference) - 1].strip() if bare.casefold().endswith(f"-{reference}") else name


def shaft_of(name: str, all_names: Iterable[str] = ()) -> str:
    """Shaft of a contact, or of the first one of a pair; the name itself where it is neither."""
    contact = first_contact(names_in_file([name], all_names)[name])
    return name if contact is None else contact[0]


def match_names(written: Sequence[str], names: Sequence[str]) -> tuple[dict[int, int], dict[str, list[str]]]:
    """Find the channels that a list of names stands for, one for one.

    Names are compared as they are, then without regard to case, without what recording systems put around them, and by
    `name_key`. Never by their place, but that names which occur equally often in both lists are matched in order.

    Parameters
    ----------
    written : Sequence[str]
        Names of a table.
    names : Sequence[str]
        Channels of the recording.

    Returns
    -------
    tuple[dict[int, int], dict[str, list[str]]]
        The place in `names` by the place in `written`; and the written names that may stand for several channels, or
        several for one, each with these channels.
    """
    both = (_occurrences(written), _occurrences(names))
    counts = [Counter(name_key(name) for name, _ in occurrences) for occurrences in both]
    free = [dict(enumerate(occurrences)) for occurrences in both]
    matched: dict[int, int] = {}
    for form in _FORMS:
        alike: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side in (0, 1):
            for place, (name, occurrence) in free[side].items():
                key = name_key(name)
                in_order = counts[0][key] == counts[1][key]
                alike[form(name), occurrence if in_order else 0][side].append(place)
        for left, right in alike.values():
            if len(left) == len(right) == 1:
                matched[left[0]] = right[0]
                del free[0][left[0]], free[1][right[0]]
    doubtful = {
        written[place]: [names[other] for other, (channel, _) in enumerate(both[1]) if name_key(channel) == key]
        for place, (name, _) in free[0].items()
        if counts[1][key := name_key(name)]
    }
    return matched, doubtful


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
        `EEG LA1-Ref` and `LA01`); otherwise those of both contacts of a pair (`A1-A2`) or of all of a range (`A1-4`).
        Empty where there is none.
    """
    in_file = names_in_file(names)
    if found := _of_that_name(written, in_file):
        return found
    several = _range(written) or bare_name(written).split("-")
    return [name for contact in several for name in channels_meant(contact, in_file)] if len(several) > 1 else []


def _of_that_name(written: str, in_file: Mapping[str, str]) -> list[str]:
    for form in _FORMS:
        wanted = form(written)
        found = [name for name in in_file if wanted in (form(name), form(in_file[name]))]
        if found:
            return found
    return []


def _range(written: str) -> list[str]:
    """Contacts of a range (`A1-4`); none where it is no range."""
    match = _RANGE.match(bare_name(written))
    if match is None:
        return []
    return [f"{match['shaft']}{number}" for number in range(int(match["first"]), int(match["last"]) + 1)]


def channels_of_event(written: str, names: Sequence[str]) -> list[str]:
    """Channels that an event names: as `channels_meant`, all of a shaft (`LA`), or several (`LA1 LB2`)."""
    found = channels_meant(written, names)
    if not found:
        shaft = bare_name(written).casefold()
        contacts = {name: first_contact(in_file) for name, in_file in names_in_file(names).items()}
        found = [name for name, contact in contacts.items() if contact is not None and contact[0].casefold() == shaft]
    several = re.split(r"[\s/+&|]+", written.strip())
    if found or len(several) == 1:
        return found
    meant = [channels_of_event(part, names) for part in several]
    return [name for channels in meant for name in channels] if all(meant) else []


def channels_named(written: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Channels that a user asks for by a name, a range (`LA1-8`), a pattern (`LA*`), or several of these.

    Parameters
    ----------
    written : str
        What the user wrote; commas stand between several.
    names : Sequence[str]
        Channels of the recording.

    Returns
    -------
    tuple[list[str], list[str]]
        The channels, in the order of the recording, and those parts of what was written that stand for none.
    """
    is_one = _of_that_name(written, names_in_file(names))
    parts = [written.strip()] if is_one else [part.strip() for part in written.split(",")]
    found = {part: _chosen(part, names) for part in parts if part}
    wanted = {name for channels in found.values() for name in channels}
    unknown = [part for part, channels in found.items() if not channels]
    return [name for name in names if name in wanted], unknown if found else [written]


def _chosen(part: str, names: Sequence[str]) -> list[str]:
    """Channels of one name, pattern, range or pair; none where one contact of a pair is unknown."""
    in_file = names_in_file(names)
    if found := _of_that_name(part, in_file) or _matching(part, names):
        return found
    if _RANGE.match(bare_name(part)):
        return channels_meant(part, in_file)
    contacts = [channels_meant(contact, in_file) for contact in bare_name(part).split("-")]
    return [name for channels in contacts for name in channels] if all(contacts) else []


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    folded = pattern.casefold()
    return [
        name for name in names if any(fnmatch.fnmatchcase(form(name), folded) for form in (_folded, _bare, name_key))
    ]


def differences_among(names: Sequence[str], all_names: Iterable[str] = ()) -> list[str]:
    """Find channels that are differences of two contacts: `LA1-LA2`, `EEG LA1 - EEG LA2`, `Fp1-F7`.

    Of other spellings (`LA01-02`, `LA1_LA2`, `A1A2`) all of a shaft tell: each contact of it stands first in at most
    one name, and the second one is its neighbour.

    Parameters
    ----------
    names : Sequence[str]
        Channels.
    all_names : Iterable[str]
        All channels of the file where `names` are some of them; see `names_in_file`.
    """
    in_file = names_in_file(names, all_names)
    loose: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    shaft_of_name: dict[str, str] = {}
    for name, written in in_file.items():
        if match := _NEIGHBOURS.match(bare_name(written)):
            shaft_of_name[name] = match["shaft"].casefold()
            loose[shaft_of_name[name]][int(match["first"])].add(int(match["second"]))
    paired = {
        shaft
        for shaft, seconds in loose.items()
        if len(seconds) > 1
        and all(len(found) == 1 and abs(min(found) - first) == 1 for first, found in seconds.items())
    }
    return [name for name, written in in_file.items() if _joins_two(written) or shaft_of_name.get(name) in paired]


def _joins_two(name: str) -> bool:
    match = _JOINED.match(bare_name(name))
    parts = [bare_name(match[part]) for part in ("first", "second")] if match else [""]
    return all(_CONTACT.match(part) or _PLACE.fullmatch(part) for part in parts)


def bipolar_pairs(
    names: Sequence[str], all_names: Iterable[str] = ()
) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """Pairs of neighbouring contacts (numbers that differ by one) of every shaft.

    A missing contact leaves a hole: 3 and 5 are not paired. Contacts of a grid are numbered through, so the last of a
    row is paired with the first of the next; name the rows as shafts where that matters.

    Parameters
    ----------
    names : Sequence[str]
        Channel names.
    all_names : Iterable[str]
        All channels of the file where `names` are some of them; see `names_in_file`.

    Returns
    -------
    tuple[list[tuple[str, str, str]], dict[str, str]]
        `(pair name, anode, cathode)` for each pair, shafts in order of appearance and contacts by number; and the
        contacts that belong to no pair, with the reason.
    """
    shafts: dict[str, dict[int, str]] = defaultdict(dict)
    alone: dict[str, str] = dict.fromkeys(differences_among(names, all_names), DIFFERENCE)
    for name, in_file in names_in_file(names, all_names).items():
        if name in alone:
            continue
        contact = split_contact_name(in_file)
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
                pairs.append((_pair_name(shaft, number), contacts[number], contacts[number + 1]))
            elif number - 1 not in contacts:
                alone[contacts[number]] = f"no neighbouring contact on shaft {shaft}"
    return pairs, alone


def _pair_name(shaft: str, number: int) -> str:
    # A grid `G2` has contacts `G2-1`, `G2-2`, ...; `G21` would be one of `G`.
    between = "-" if shaft[-1].isdigit() else ""
    return f"{shaft}{between}{number}-{shaft}{between}{number + 1}"


def _part_key(part: str) -> str:
    match = _CONTACT.match(part)
    if match is None:
        return re.sub(r"[\s_]+", "", part).lstrip("0").casefold() or part
    shaft = re.sub(r"[\s_]+", "", match["shaft"]).casefold()
    return f"{shaft}{'-' if shaft[-1].isdigit() else ''}{int(match['number'])}"


def _folded(name: str) -> str:
    return name.strip().casefold()


def _bare(name: str) -> str:
    return bare_name(name).casefold()


_FORMS: tuple[Callable[[str], str], ...] = (str.strip, _folded, _bare, name_key)


def _occurrences(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each name as in the file, and how often it occurred before."""
    in_file, seen, occurrences = names_in_file(names), Counter[str](), []
    for name in names:
        written = in_file[name]
        occurrences.append((written, seen[written]))
        seen[written] += 1
    return occurrences
