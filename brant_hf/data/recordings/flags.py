"""Columns of tables of channels that say which are bad, in the words of BIDS, of NWB and of their users."""

import math
import re
from collections.abc import Mapping, Sequence

from ...listing import listed
from ...user_warnings import warn

# What a flag says of a channel by which column it stands in; `True` is good.
_FLAG_COLUMNS = {
    True: re.compile(
        r"(is_)?(good|usable|valid)(_(channel|electrode|contact)s?)?|((channel|signal|electrode)_)?quality"
    ),
    False: re.compile(
        r"(is_)?(bad|noisy|excluded?|reject(ed)?|artefact|artifact|broken|faulty|disconnected)(_(channel|electrode|contact)s?)?"
    ),
    None: re.compile(r"((channel|signal|electrode)_)?status"),
}
_YES, _NO = {"true", "yes", "y", "t"}, {"false", "no", "n", "f"}
_GOOD = {"good", "ok", "okay", "clean", "usable"}
_BAD = {"bad", "noisy", "noise", "broken", "unusable", "artifact", "artefact", "reject", "rejected", "exclude"}
_BAD |= {"excluded", "dead", "flat", "disconnected", "faulty"}
# More may stand behind: `bad: flat`, `bad (60 Hz)`.
_AND_MORE = re.compile(r"(good|bad)\b.*", re.DOTALL)
NOT_STATED = {"", "nan", "none", "n/a", "na", "null", "unknown", "not_entered"}


def is_flag(column: str) -> bool:
    """Whether a column is called like one that says which channels are bad."""
    return any(pattern.fullmatch(_plain(column)) for pattern in _FLAG_COLUMNS.values())


def flagged_bad(columns: Mapping[str, Sequence[str]], names: Sequence[str], table: str) -> list[str]:
    """Find the channels that one of several columns calls bad; a warning names what is neither good nor bad.

    Parameters
    ----------
    columns : Mapping[str, Sequence[str]]
        What the columns say of each channel; those that are no flags are passed over.
    names : Sequence[str]
        Names of the channels.
    table : str
        Name for messages.
    """
    bad = set()
    for column, values in columns.items():
        for means_good, pattern in _FLAG_COLUMNS.items():
            if pattern.fullmatch(_plain(column)):
                flags = [_is_good(value, means_good) for value in values]
                bad |= {name for name, flag in zip(names, flags, strict=True) if flag is False}
                unknown = {value for value, flag in zip(values, flags, strict=True) if flag == "unknown"}
                if unknown:
                    warn(
                        f"column {column!r} of {table} says {listed(sorted(unknown))}, which is neither good nor bad; "
                        'these channels are kept. Pass channel_types={"NAME": "misc"} to leave one out'
                    )
    return [name for name in names if name in bad]


def speaks_of_bad(description: str) -> bool:
    """Whether a description of a channel has a word for a bad one: `very noisy`, and not `no artifact`."""
    words = re.findall(r"\w+", description.casefold())
    return any(word in _BAD and before not in ("not", "no") for before, word in zip(["", *words], words, strict=False))


def _is_good(value: str, means_good: bool | None) -> bool | str | None:
    """Whether a flag says that a channel is good; `None` where it says nothing, `"unknown"` where it is not clear."""
    text = _AND_MORE.sub(r"\1", value.strip().casefold())
    if text in _GOOD or text in _BAD:
        return text in _GOOD
    if text in NOT_STATED:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 1.0 if text in _YES else 0.0 if text in _NO else math.nan
        if math.isnan(number):
            return "unknown"
    # A quality in other numbers is a score.
    if means_good is None or number not in (0.0, 1.0):
        return None if means_good or math.isnan(number) else "unknown"
    return bool(number) == means_good


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).casefold()
