"""Which channels of a file are intracranial EEG, and why the others are left out."""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...bad_input import check_mapping, several
from ...listing import counted, listed
from ...user_warnings import warn
from .contacts import bare_name, channels_named, first_contact
from .kinds import no_contacts, on_shafts, reason_in_name, scalp_names, spare_inputs
from .source import Source
from .units import is_no_voltage

BAD_AS_GIVEN = "bad (given)"
NO_SCALE = "no scale in the header"
NEURAL_TYPES = ("seeg", "ecog", "dbs", "eeg")
_INTRACRANIAL_TYPES = ("seeg", "ecog", "dbs")
# Beside these, what BIDS and MNE-Python call channels that do not record a brain.
_OTHER_TYPES = (
    "misc", "other", "ref", "stim", "trig", "ecg", "eog", "heog", "veog", "emg", "bio", "gsr", "resp", "temperature"
)  # fmt: skip
# Slower channels of a file that has faster ones hold trends such as temperature or heart rate.
LOWEST_RATE_HZ = 50.0
# What Nihon Kohden puts before each name, also before none.
_PREFIX_ALONE = "POL"
_NOT_ASKED_FOR = "not among the channels asked for"

_Value = TypeVar("_Value")


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

    def leave_out(self, names: Container[str], reason: str | Mapping[str, str]) -> None:
        """Move channels to those that are left out, with the reason for all or for each."""
        kept = [place for place, name in enumerate(self.names) if name not in names]
        left = [name for name in self.names if name in names]
        self.excluded.update((name, reason if isinstance(reason, str) else reason[name]) for name in left)
        self.names = [self.names[place] for place in kept]
        self.types = [self.types[place] for place in kept]
        self.indices = [self.indices[place] for place in kept]

    def keep(self, index: int, name: str, channel_type: str) -> None:
        """Add a channel that is read."""
        self.names.append(name)
        self.types.append(channel_type)
        self.indices.append(index)


def select_channels(
    source: Source,
    channel_types: Mapping[str, str] | None = None,
    sampling_rate: float | None = None,
    channels: str | Iterable[str] | None = None,
) -> ChannelTable:
    """Decide which channels of a file are read, and at which rate.

    Parameters
    ----------
    source : Source
        What the file says, with a unique name for each channel. Many formats call every channel `"eeg"`, others
        every one `"seeg"`; the name decides where the type is not stated.
    channel_types : Mapping[str, str] or None
        By channel name or pattern, what the user knows better than the file. A channel given a neural type is read
        even where it is bad.
    sampling_rate : float or None
        Rate that the user gives [Hz]; of channels at different rates those at this one are read.
    channels : str, Iterable[str] or None
        Names and patterns of the channels to read; all by default.

    Returns
    -------
    ChannelTable

    Raises
    ------
    ValueError
        No channel is left, or a channel is named that does not exist.
    """
    names = source.channel_names or []
    given = by_channel(checked_types(channel_types or {}), source, "channel_types")
    wanted = dict.fromkeys(names_given(channels, "channels"), True)
    asked_for = names if channels is None else by_channel(wanted, source, "channels")
    others = {name for name in names if name not in asked_for}
    types = source.channel_types or ["seeg"] * len(names)
    types = [given.get(name, channel_type) for name, channel_type in zip(names, types, strict=True)]
    by_name = _reasons_in_names(source)
    reasons = _reasons(source, types, given, by_name)
    rate = _rate_read(source, reasons.keys() | others, given, sampling_rate)
    table = ChannelTable(sampling_rate=rate)
    for index, (name, channel_type) in enumerate(zip(names, types, strict=True)):
        reason = reasons.get(name)
        if reason is None and source.rates is not None and not _same_rate(source.rates[index], rate):
            reason = f"sampled at {source.rates[index]:g} Hz; the recording is read at {rate:g} Hz"
        if reason is None:
            table.keep(index, name, channel_type)
        else:
            table.excluded[name] = reason
    if sampling_rate is None or not _same_rate(sampling_rate, rate):
        _tell_of_other_rates(table, source, reasons.keys() | others)
    _tell_of_no_scale(table, source, others)
    is_of_scalp = _leave_out_scalp(table, source, reasons, given)
    # After the others: what kind of a recording it is shows in all of its channels.
    table.leave_out(others, _NOT_ASKED_FOR)
    if channels is not None:
        _tell_of_refused(table, asked_for, source)
    if not table.names:
        left_out = ", ".join(f"{name} ({reason})" for name, reason in table.excluded.items()) or "none at all"
        raise ValueError(
            f"{source.name}: no intracranial channel is left. Channels of the file: {left_out}. If one of them is "
            'intracranial, say so with channel_types={"NAME": "seeg"}'
        )
    _warn_of_kind(table, is_of_scalp, source.name)
    if not is_of_scalp:
        _tell_of_no_contacts(table, source, given)
    _tell_of_stated(table, source, given, by_name)
    return table


def checked_types(given: Mapping[str, str]) -> dict[str, str]:
    """Return the types that a user gives to channels, in lower case.

    Raises
    ------
    ValueError
        They are no dictionary, or one of them is not known, and its channel would be left out.
    """
    check_mapping("channel_types", given, "a dictionary such as {'LA*': 'seeg'}")
    types = {name: channel_type.lower() for name, channel_type in given.items()}
    if wrong := sorted(set(types.values()) - {*NEURAL_TYPES, *_OTHER_TYPES}):
        expected = ", ".join([*NEURAL_TYPES, *_OTHER_TYPES[:1]])
        raise ValueError(f"channel_types gives {', '.join(map(repr, wrong))}; expected one of {expected}")
    return types


def names_given(names: str | Iterable[str] | None, argument: str) -> list[str]:
    """Names that somebody gives, none for `None`; one may be given by itself.

    Raises
    ------
    ValueError
        What is given is no name, and has none.
    """
    given = [] if names is None else [names] if isinstance(names, str) else several(names)
    if not all(isinstance(name, str) for name in given):
        raise ValueError(f"{argument} is {names!r}; expected a name, a pattern such as 'LA*', or a list of them")
    return given


def by_channel(given: Mapping[str, _Value], source: Source, argument: str) -> dict[str, _Value]:
    """Give what a user says by names and patterns to each channel of a file.

    Raises
    ------
    ValueError
        The file has no channel of a name.
    """
    names = [*(source.channel_names or ()), *source.left_out]
    found: dict[str, _Value] = {}
    # A name goes before a pattern that matches it too.
    for written in sorted(given, key=names.__contains__):
        channels, unknown = channels_named(written, names)
        if unknown:
            raise ValueError(
                f"{source.name}: {argument} names {unknown}, which the recording does not have; it has {names}"
            )
        found |= dict.fromkeys(channels, given[written])
    return found


def _tell_of_refused(table: ChannelTable, asked_for: Iterable[str], source: Source) -> None:
    """Warn of channels that the user asks for and that are left out all the same, but not of those called bad."""
    refused = [
        f"{name} ({table.excluded[name]})"
        for name in asked_for
        if name in table.excluded and source.bad_channels.get(name) != BAD_AS_GIVEN
    ]
    if refused and table.names:
        name = next(name for name in asked_for if name in table.excluded)
        warn(
            f"{source.name}: channels that are asked for are left out: {', '.join(refused)}; to read one all "
            f'the same, pass channel_types={{"{name}": "seeg"}}'
        )


def _reasons_in_names(source: Source) -> dict[str, str]:
    """Channels that do not record a brain by their names, each with the reason."""
    names = source.channel_names or []
    rates = source.rates or [0.0] * len(names)
    alike = {name: (rate, is_no_voltage(unit)) for name, rate, unit in zip(names, rates, source.units, strict=True)}
    contacts = {name for name in on_shafts(names, alike) if not alike[name][1]}
    reasons = {name: reason for name in names if name not in contacts and (reason := reason_in_name(name))}
    spare = spare_inputs(name for name in names if name not in reasons)
    return reasons | dict.fromkeys(spare, "an input without an electrode (by its name)")


def _reasons(
    source: Source, types: Sequence[str], given: Container[str], by_name: Mapping[str, str]
) -> dict[str, str]:
    """Channels that are bad or, by type, unit or name, do not record a brain, each with the reason."""
    names = source.channel_names or []
    reasons: dict[str, str] = {}
    for name, channel_type, is_stated, unit in zip(names, types, source.are_types_stated, source.units, strict=True):
        reason = None
        if name in source.bad_channels and name not in given:
            reason = source.bad_channels[name]
        elif channel_type not in NEURAL_TYPES:
            reason = f"{channel_type} channel"
        elif name not in given and is_no_voltage(unit):
            reason = f"its unit is {unit.strip()!r}, which is no voltage"
        elif not (name in given or _tells(channel_type, is_stated)):
            reason = by_name.get(name)
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
    rates = [rate for rate in rates if rate >= LOWEST_RATE_HZ] or rates
    return max(sorted(rates, reverse=True), key=lambda rate: sum(_same_rate(rate, other) for other in rates))


def _tell_of_other_rates(table: ChannelTable, source: Source, left_out: Container[str]) -> None:
    """Warn of contacts that are left out since most others have another rate."""
    rates = dict(zip(source.channel_names or (), source.rates or (), strict=False))
    told = [
        name
        for name in table.excluded
        if name not in left_out and rates.get(name, 0.0) >= LOWEST_RATE_HZ and first_contact(name) is not None
    ]
    if told:
        warn(
            f"{source.name}: the recording is read at {table.sampling_rate:g} Hz, without {listed(told)}, sampled at "
            f"{listed(f'{rate:g}' for rate in sorted({rates[name] for name in told}))} Hz; pass "
            f"sampling_rate={rates[told[0]]:g} to read those instead"
        )


def _tell_of_no_scale(table: ChannelTable, source: Source, others: Container[str]) -> None:
    """Warn of contacts that are left out since nobody knows what their numbers are worth."""
    told = [
        name
        for name, reason in table.excluded.items()
        if reason == NO_SCALE and name not in others and first_contact(name) is not None
    ]
    if told:
        warn(
            f"{source.name}: the header states no scale for {listed(told)}, and what their numbers are worth is not "
            "known, so they are left out; copy or export the recording again"
        )


def _same_rate(rate: float, other: float | None) -> bool:
    return other is not None and math.isclose(rate, other, rel_tol=1e-6)


def unique_names(names: Sequence[str], recording: str) -> list[str]:
    """Channel names, `unnamed` where there is none; repeated ones get `-0`, `-1`, ... in the order of the file."""
    names = [str(name).strip() or "unnamed" for name in names]
    if Counter(names)[_PREFIX_ALONE] > 1:
        names = ["unnamed" if name == _PREFIX_ALONE else name for name in names]
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
    warn(f"{recording}: channel names {sorted(repeated)} occur more than once and are numbered -0, -1, ...")
    return unique


def _leave_out_scalp(table: ChannelTable, source: Source, reasons: Container[str], given: Container[str]) -> bool:
    """Drop scalp channels where the file has intracranial ones as well; return whether all of it is of the scalp."""
    names = source.channel_names or []
    stated = dict(zip(names, source.are_types_stated, strict=True))
    types = dict(zip(table.names, table.types, strict=True))
    by_name, is_of_scalp = scalp_names([name for name in names if name not in reasons])
    scalp = {name for name in table.names if name in by_name and not _tells(types[name], stated[name])}
    if any(channel_type in _INTRACRANIAL_TYPES for channel_type in table.types):
        scalp |= {name for name, channel_type in types.items() if channel_type == "eeg" and stated[name]}
        is_of_scalp = is_of_scalp and not any(_tells(types[name], stated[name]) for name in types)
    scalp -= {name for name in scalp if name in given}
    if is_of_scalp:
        numbers = {name for name in table.names if bare_name(name).isdigit() and name not in given}
        table.leave_out(numbers, "a number, no place of an electrode (by its name)")
    elif len(scalp) < len(table.names):
        table.leave_out(scalp, "scalp EEG in an intracranial recording")
    return is_of_scalp


def _tells(channel_type: str, is_stated: bool) -> bool:
    """Whether a type goes before the name: formats call everything EEG, so `"eeg"` never does."""
    return is_stated and channel_type in _INTRACRANIAL_TYPES


def _tell_of_stated(table: ChannelTable, source: Source, given: Container[str], by_name: Mapping[str, str]) -> None:
    """Warn of channels that are read since they are stated as intracranial, against what their names say."""
    stated = dict(zip(source.channel_names or (), source.are_types_stated, strict=True))
    types = dict(zip(table.names, table.types, strict=True))
    scalp, _ = scalp_names([name for name in table.names if name not in by_name])
    against = {**dict.fromkeys(sorted(scalp), "scalp EEG (by its name)"), **by_name}
    told = [name for name in against if name in types and name not in given and _tells(types[name], stated[name])]
    if told:
        warn(
            f"{source.name}: channels are stated as {types[told[0]].upper()} and read, and their names say otherwise: "
            f"{listed(f'{name} ({against[name]})' for name in told)}; to leave one out, pass "
            f'channel_types={{"{told[0]}": "misc"}}'
        )


def _tell_of_no_contacts(table: ChannelTable, source: Source, given: Container[str]) -> None:
    """Warn of channels that are read although their names, unlike nearly all others, are none of contacts."""
    stated = dict(zip(source.channel_names or (), source.are_types_stated, strict=True))
    types = dict(zip(table.names, table.types, strict=True))
    told = [name for name in no_contacts(types) if name not in given and not _tells(types[name], stated[name])]
    if told:
        warn(
            f"{source.name}: channels are read although their names have no number, as contacts have: {listed(told)}; "
            f'to leave one out, pass channel_types={{"{told[0]}": "misc"}}'
        )


def _warn_of_kind(table: ChannelTable, is_of_scalp: bool, recording: str) -> None:
    if is_of_scalp:
        warn(
            f"{recording}: a scalp recording, by its names of the 10-20 system. All {len(table.names)} EEG channels "
            "are read (typed EEG), but Brant is made for intracranial signals"
        )
    elif "eeg" in table.types:
        warn(
            f"{recording}: {counted(table.types.count('eeg'), 'channel')} typed EEG, as in files that do not tell "
            "scalp from intracranial channels, taken as intracranial"
        )
