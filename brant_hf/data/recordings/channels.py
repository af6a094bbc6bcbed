"""Which channels of a file are intracranial EEG, and why the others are left out."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .contacts import bare_name

NEURAL_TYPES = ("seeg", "ecog", "dbs", "eeg")
_INTRACRANIAL_TYPES = ("seeg", "ecog", "dbs")

# What clinical systems call channels that do not record a brain. Matched on the whole cleaned name (see
# `bare_name`), and so tightly that contacts such as `LOC3` (left occipital), `ACC2` (anterior cingulate) or `TEMP5`
# stay.
_NON_NEURAL_NAMES = {
    "ECG": r"e[ck]g[ _]?[a-z]{0,2}\d*[+-]?|heart.*|hr|pulse.*|pleth.*|beat.*",
    "EMG": r"emg.*|delt[lr]?\d*|chin.*|[lr]?leg[lr]?|mylo.*",
    "EOG": r"[hvlr]?eog.*|[lr]oc",
    "respiration": r"resp.*|thor.*|abd(o.*)?|airflow.*|flow|nasal.*|snore.*|etco2|co2.*|tidal.*",
    "oxygen saturation": r"s[pa]o2.*|osat.*|oxim.*",
    "direct current input": r"\$?dc[ _-]?(in|input)?[ _-]?\d+",
    "trigger": r"trig.*|ttl.*|sti ?\d+|stim.*|status|events?|markers?|mkr.*|photic.*|pho|digital.*|din\d*|sync.*",
    "annotations": r"(edf|bdf) annotations.*|annotations?",
    "movement or sound": r"mov[ _].*|accel.*|acc[ _]?[xyz]|gyro?[ _]?[xyz]|mic\d*|audio.*|sound.*|(body)?position",
    "reference or ground": r"ref\d*|gnd\d*|ground|vref",
    "miscellaneous": r"misc.*|aux[ _-]?\d*|temp(erature)?|pressure|bp[ _]?(sys|dia)|imp(edance)?s?|battery",
    "unused": r"blank.*|unused.*|empty.*|n\.?c\.?|open\d*|-+|\$.*|e|x?none",
}
_NON_NEURAL_PATTERNS = {reason: re.compile(pattern, re.IGNORECASE) for reason, pattern in _NON_NEURAL_NAMES.items()}

# Names of the 10-20 system. Those of the first set are never contacts of a depth electrode; `F3` may be either.
_CERTAINLY_SCALP = frozenset({"fp1", "fp2", "fpz", "fz", "cz", "pz", "oz", "fcz", "cpz", "poz", "afz"})
_SCALP_NUMBERS = {
    "f": {3, 4, 7, 8},
    "c": {3, 4},
    "p": {3, 4, 7, 8},
    "o": {1, 2},
    "t": {3, 4, 5, 6, 7, 8},
    "a": {1, 2},
    "m": {1, 2},
}


@dataclass
class ChannelTable:
    """Channels of a file, split into those that are read and those that are left out.

    Attributes
    ----------
    names : list[str]
        Unique names of the channels read.
    types : list[str]
        One of `NEURAL_TYPES` for each.
    indices : list[int]
        Their places in the file.
    excluded : dict[str, str]
        Reason for each channel left out.
    """

    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)

    def keep(self, index: int, name: str, channel_type: str) -> None:
        """Add a channel that is read."""
        self.names.append(name)
        self.types.append(channel_type)
        self.indices.append(index)


def select_channels(
    names: Sequence[str],
    types: Sequence[str],
    bad: Mapping[str, str],
    recording: str,
    channel_types: Mapping[str, str] | None = None,
) -> ChannelTable:
    """Decide which channels of a file are read.

    Parameters
    ----------
    names : Sequence[str]
        Unique channel names, in the order of the file.
    types : Sequence[str]
        What the file says of each: `"seeg"`, `"ecog"`, `"dbs"`, `"eeg"`, or anything else for a non-neural channel.
        Many formats call every channel `"eeg"`; the name decides then.
    bad : Mapping[str, str]
        Channels not to be read, each with the reason.
    recording : str
        Name for messages.
    channel_types : Mapping[str, str] or None
        By channel name, what the user knows better than the file. A channel given a neural type is read even where it
        is bad.

    Returns
    -------
    ChannelTable

    Raises
    ------
    ValueError
        No channel is left, or `channel_types` names a channel that does not exist.
    """
    given = dict(channel_types or {})
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ValueError(
            f"{recording}: channel_types names {unknown}, which the recording does not have; it has {list(names)}"
        )
    table = ChannelTable()
    for index, (name, channel_type) in enumerate(zip(names, types, strict=True)):
        reason = None
        if name in given:
            channel_type = given[name].lower()
            reason = None if channel_type in NEURAL_TYPES else f"{channel_type} channel"
        elif name in bad:
            reason = bad[name]
        elif channel_type not in NEURAL_TYPES:
            reason = f"{channel_type} channel"
        elif channel_type == "eeg":
            reason = reason_in_name(name)
        if reason is None:
            table.keep(index, name, channel_type)
        else:
            table.excluded[name] = reason
    _leave_out_scalp(table, names, given)
    if not table.names:
        listed = ", ".join(f"{name} ({reason})" for name, reason in table.excluded.items()) or "none at all"
        raise ValueError(
            f"{recording}: no intracranial channel is left. Channels of the file: {listed}. If one of them is "
            'intracranial, say so with channel_types={"NAME": "seeg"}'
        )
    if "eeg" in table.types:
        warnings.warn(
            f"{recording}: {table.types.count('eeg')} channels are typed EEG, as in files that do not tell scalp "
            "from intracranial channels; they are taken as intracranial",
            stacklevel=2,
        )
    return table


def unique_names(names: Sequence[str], recording: str) -> list[str]:
    """Channel names, repeated ones numbered `-0`, `-1`, ... in the order of the file, as MNE-Python does it."""
    names = [str(name).strip() for name in names]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    if not repeated:
        return names
    taken, unique = set(names) - repeated, []
    counts: Counter[str] = Counter()
    for name in names:
        new_name = name
        while name in repeated and (new_name == name or new_name in taken):
            new_name = f"{name}-{counts[name]}"
            counts[name] += 1
        taken.add(new_name)
        unique.append(new_name)
    warnings.warn(
        f"{recording}: channel names {sorted(repeated)} occur more than once and are numbered -0, -1, ...",
        stacklevel=2,
    )
    return unique


def reason_in_name(name: str) -> str | None:
    """Why a channel is not neural, judged by its name; `None` if nothing speaks against it."""
    cleaned = bare_name(name)
    if cleaned.casefold() in ("", "pol", "eeg"):
        return "unused (by its name)"
    for reason, pattern in _NON_NEURAL_PATTERNS.items():
        if pattern.fullmatch(cleaned):
            return f"{reason} (by its name)"
    return None


def _leave_out_scalp(table: ChannelTable, all_names: Sequence[str], given: Mapping[str, str]) -> None:
    """Drop scalp channels where the file has intracranial ones as well."""
    if any(channel_type in _INTRACRANIAL_TYPES for channel_type in table.types):
        scalp = {name for name, channel_type in zip(table.names, table.types, strict=True) if channel_type == "eeg"}
    else:
        scalp = _scalp_names(all_names) & set(table.names)
    scalp -= set(given)
    if not scalp or len(scalp) == len(table.names):
        return
    kept = ChannelTable(excluded=table.excluded)
    for index, name, channel_type in zip(table.indices, table.names, table.types, strict=True):
        if name in scalp:
            kept.excluded[name] = "scalp EEG in an intracranial recording"
        else:
            kept.keep(index, name, channel_type)
    table.names, table.types, table.indices = kept.names, kept.types, kept.indices


def _scalp_names(names: Sequence[str]) -> set[str]:
    """Names of the 10-20 system, where the file has some that cannot be contacts of a depth electrode."""
    cleaned = {name: bare_name(name).casefold() for name in names}
    certain = {name for name, bare in cleaned.items() if bare in _CERTAINLY_SCALP}
    if not certain:
        return set()
    numbers: dict[str, set[int]] = {}
    letter_and_number = {name: re.fullmatch(r"([a-z])(\d{1,2})", bare) for name, bare in cleaned.items()}
    for match in filter(None, letter_and_number.values()):
        numbers.setdefault(match[1], set()).add(int(match[2]))
    # A shaft C has contacts C1, C2, C3, ...; of a scalp montage only C3 and C4 exist.
    scalp_letters = {letter for letter, seen in numbers.items() if seen <= _SCALP_NUMBERS.get(letter, set())}
    return certain | {name for name, match in letter_and_number.items() if match and match[1] in scalp_letters}
