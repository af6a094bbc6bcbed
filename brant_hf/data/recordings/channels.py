"""Which channels of a file are intracranial EEG, and why the others are left out."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from .contacts import bare_name
from .source import Source

NEURAL_TYPES = ("seeg", "ecog", "dbs", "eeg")
_INTRACRANIAL_TYPES = ("seeg", "ecog", "dbs")
# Slower channels of a file that has faster ones hold trends such as temperature or heart rate.
_LOWEST_RATE_HZ = 50.0

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
    sampling_rate : float or None
        Their rate [Hz], as the file states it.
    """

    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    sampling_rate: float | None = None

    def keep(self, index: int, name: str, channel_type: str) -> None:
        """Add a channel that is read."""
        self.names.append(name)
        self.types.append(channel_type)
        self.indices.append(index)


def select_channels(
    source: Source, channel_types: Mapping[str, str] | None = None, sampling_rate: float | None = None
) -> ChannelTable:
    """Decide which channels of a file are read, and at which rate.

    Parameters
    ----------
    source : Source
        What the file says, with a unique name for each channel. Many formats call every channel `"eeg"`, others
        every one `"seeg"`; the name decides where the type is not stated.
    channel_types : Mapping[str, str] or None
        By channel name, what the user knows better than the file. A channel given a neural type is read even where it
        is bad.
    sampling_rate : float or None
        Rate that the user gives [Hz]; of channels at different rates those at this one are read.

    Returns
    -------
    ChannelTable

    Raises
    ------
    ValueError
        No channel is left, or `channel_types` names a channel that does not exist.
    """
    names = source.channel_names or []
    given = {name: channel_type.lower() for name, channel_type in (channel_types or {}).items()}
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ValueError(
            f"{source.name}: channel_types names {unknown}, which the recording does not have; it has {list(names)}"
        )
    types = source.channel_types or ["seeg"] * len(names)
    types = [given.get(name, channel_type) for name, channel_type in zip(names, types, strict=True)]
    reasons = _reasons(source, types, given)
    rate = _rate_read(source, reasons, given, sampling_rate)
    table = ChannelTable(sampling_rate=rate)
    for index, (name, channel_type) in enumerate(zip(names, types, strict=True)):
        reason = reasons.get(name)
        if reason is None and source.rates is not None and not _same_rate(source.rates[index], rate):
            reason = f"sampled at {source.rates[index]:g} Hz; the recording is read at {rate:g} Hz"
        if reason is None:
            table.keep(index, name, channel_type)
        else:
            table.excluded[name] = reason
    _leave_out_scalp(table, names, given)
    if not table.names:
        listed = ", ".join(f"{name} ({reason})" for name, reason in table.excluded.items()) or "none at all"
        raise ValueError(
            f"{source.name}: no intracranial channel is left. Channels of the file: {listed}. If one of them is "
            'intracranial, say so with channel_types={"NAME": "seeg"}'
        )
    if "eeg" in table.types:
        warnings.warn(
            f"{source.name}: {table.types.count('eeg')} channels are typed EEG, as in files that do not tell scalp "
            "from intracranial channels; they are taken as intracranial",
            stacklevel=2,
        )
    return table


def _reasons(source: Source, types: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Channels that are bad or, by their type or their name, do not record a brain, each with the reason."""
    names = source.channel_names or []
    stated = [source.types_stated] * len(names) if isinstance(source.types_stated, bool) else source.types_stated
    reasons: dict[str, str] = {}
    for name, channel_type, is_stated in zip(names, types, stated, strict=True):
        reason = None
        if name in source.bad_channels and name not in given:
            reason = source.bad_channels[name]
        elif channel_type not in NEURAL_TYPES:
            reason = f"{channel_type} channel"
        elif name not in given and not (is_stated and channel_type in _INTRACRANIAL_TYPES):
            reason = reason_in_name(name)
        if reason is not None:
            reasons[name] = reason
    return reasons


def _rate_read(source: Source, left_out: Container[str], given: Container[str], wanted: float | None) -> float | None:
    """Return the rate [Hz] of most channels that are neural, of those that the user names where there are any."""
    if source.rates is None:
        return source.sampling_rate
    asked_for = [rate for rate in source.rates if wanted is not None and _same_rate(rate, wanted)]
    if asked_for:
        return asked_for[0]
    neural = [pair for pair in zip(source.channel_names or (), source.rates, strict=True) if pair[0] not in left_out]
    rates = [rate for name, rate in neural if name in given] or [rate for _, rate in neural] or source.rates
    rates = [rate for rate in rates if rate >= _LOWEST_RATE_HZ] or rates
    return max(sorted(rates, reverse=True), key=lambda rate: sum(_same_rate(rate, other) for other in rates))


def _same_rate(rate: float, other: float | None) -> bool:
    return other is not None and math.isclose(rate, other, rel_tol=1e-6)


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
