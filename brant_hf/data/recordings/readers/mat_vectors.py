"""MATLAB files with a variable a channel, as Spike2 and BrainVision Analyzer export them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..contacts import split_contact_name
from ..kinds import reason_in_name
from ..source import Source
from .mat_files import VectorReader
from .mat_members import (
    SIGNAL_KEYS,
    TIME_KEYS,
    Found,
    distance,
    has_whole_numbers,
    is_called,
    is_vector,
    name_in_file,
    names_of_channels,
    rate_near,
    subject_near,
    tell_of_members,
    unit_near,
)

# The same grammar as that of a contact, and one stretch of all channels.
_PIECES = re.compile(
    r"trials?|epochs?|seg(ment)?s?|parts?|blocks?|runs?|sweeps?|rec(ording)?s?|data|files?|sz|seizures?|(\w*ictal)\w*"
    r"|times?|stamps?|spikes?|units?|samples?|labels?|x|y|z|t",
)
# Where channels stand in structures, these name each.
_TITLE_KEYS = ("title", "name", "label", "channelname", "chname")


def channel_vectors(items: Sequence[Found]) -> dict[str, Found]:
    """Vectors that are channels: of one length, and at least two of them with the name of a contact.

    Parameters
    ----------
    items : Sequence[Found]
        All members of a file.

    Returns
    -------
    dict[str, Found]
        By the name of the channel, what else has that length among them, time apart; empty where the vectors are no
        channels.
    """
    vectors = {_title(item, items): item for item in items if is_vector(item[1]) and not is_called(item[0], TIME_KEYS)}
    listed = {name for item in items for name in names_of_channels(*item) or ()}
    contacts = [name for name in vectors if name in listed or _is_contact(name)]
    lengths = Counter(max(vectors[name][1].shape) for name in contacts)
    length, count = max(lengths.items(), key=lambda each: each[::-1], default=(0, 0))
    return {name: item for name, item in vectors.items() if max(item[1].shape) == length} if count > 1 else {}


def vectors_source(path: Path, items: Sequence[Found], channels: Mapping[str, Found]) -> Source:
    """Open a file with a vector a channel; of several lengths or rates, those of most are read."""
    listed = {name for item in items for name in names_of_channels(*item) or ()}
    read = {name: item for name, item in channels.items() if name in listed or _is_contact(name) or _has_reason(name)}
    num_samples = max(next(iter(read.values()))[1].shape)
    rates = {rate_near(items, place, path, num_samples) for place, _ in read.values()}
    units: list[str] = []
    for place, _ in read.values():
        near = sorted(items, key=lambda item: distance(place, item[0]))
        unit = unit_near(near, len(read))
        units.append(unit if isinstance(unit, str) else unit[len(units)])
    places = {place for place, _ in channels.values()}
    tell_of_members(
        path,
        [item for item in items if item[0] not in places],
        any(has_whole_numbers(value) for _, value in read.values()),
    )
    return Source(
        name=path.stem,
        subject=subject_near(items),
        num_samples=num_samples,
        channel_count=len(read),
        sampling_rate=rates.pop() if len(rates) == 1 else None,
        channel_names=list(read),
        left_out=_left_out(items, read, num_samples),
        read=VectorReader(path, [name_in_file(*item) for item in read.values()]),
        unit=units,
        path=path,
    )


def _left_out(items: Sequence[Found], read: Mapping[str, Found], num_samples: int) -> dict[str, str]:
    """Vectors that are not read, each with the reason."""
    reasons = {}
    for item in items:
        name = _title(item, items)
        if _may_be_a_channel(item) and name not in read:
            length = max(item[1].shape)
            reasons[name] = "not the name of a channel" if length == num_samples else f"{length} samples"
    return reasons


def _may_be_a_channel(item: Found) -> bool:
    return is_vector(item[1]) and not is_called(item[0], TIME_KEYS)


def _title(item: Found, items: Sequence[Found]) -> str:
    """Name of a channel: that of its variable, or what the structure around the vector says."""
    place, _ = item
    keys = [key for key in place if not key.isdigit()]
    if len(place) < 2 or not is_called(place, SIGNAL_KEYS):
        return keys[-1]
    beside = (value for key, value in items if key[:-1] == place[:-1] and is_called(key, _TITLE_KEYS))
    return next((text.strip() for text in beside if isinstance(text, str) and text.strip()), keys[-2])


def _is_contact(name: str) -> bool:
    contact = split_contact_name(name)
    return contact is not None and not _PIECES.fullmatch(contact[0].rstrip("_").casefold())


def _has_reason(name: str) -> bool:
    return reason_in_name(name) is not None
