"""Seizures of a recording: their ends where they are not told, checked against its length and its channels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ...events.remarks import StatedSeizures, Stretch
from ...listing import listed
from ...user_warnings import warn
from .contacts import channels_of_event

Seizure = tuple[float, float, list[str] | None]
"""Onset [s], offset [s] and the channels concerned (`None`: all)."""

Origin = Literal["given", "table", "file"]
"""Who says so: the caller, a table of events beside the recording, or the recording itself."""

# An electrographic seizure lasts at least this long [s] (ACNS Standardized Critical Care EEG Terminology 2021, J Clin
# Neurophysiol 38:1): what counts as seizure after an onset whose offset nobody tells.
MIN_SEIZURE_S = 10.0
# Times in events files carry at most a few decimals, so an offset may pass the last sample by a rounding error.
_ROUNDING = 0.01


def settle_seizures(
    stated: StatedSeizures,
    duration: float,
    channel_names: Sequence[str],
    excluded_channels: Mapping[str, str],
    recording: str,
    origin: Origin = "given",
) -> tuple[list[Seizure], list[Seizure]]:
    """Seizures and uncertain stretches in the form that `Recording` keeps.

    Of a seizure without an offset, the first `MIN_SEIZURE_S` count as seizure; what follows, up to the next onset or
    offset on its channels or the end of the recording, is uncertain.

    What a caller gives has to be right. What a file says is used as far as possible: a seizure outside the recording
    is left out and a channel that the recording does not have is passed over, each with a warning. A table of which
    nothing lies inside belongs to another recording and is refused.

    Parameters
    ----------
    stated : StatedSeizures
        `(onset, offset)` or `(onset, offset, channels)` [s]; an offset of `None` or NaN means not known.
    duration : float
        Length of the recording [s].
    channel_names : Sequence[str]
        Channels that are read.
    excluded_channels : Mapping[str, str]
        Channels that exist but are left out; a seizure may name them.
    recording : str
        Name for messages.
    origin : {"given", "table", "file"}
        Who states them.

    Returns
    -------
    tuple[list[Seizure], list[Seizure]]
        Seizures and uncertain stretches, `(onset, offset, channels or None)`, sorted by onset, inside `[0, duration]`.

    Raises
    ------
    ValueError
        A seizure ends before it begins, lies outside the recording or names channels that it does not have.
    """
    seizures = [_unpack(seizure, recording) for seizure in stated.seizures]
    uncertain = [_unpack(stretch, recording) for stretch in stated.uncertain]
    seizures = _not_outside(seizures, duration, recording, origin)
    everything = [*excluded_channels, *channel_names]
    strict = origin == "given"
    seizures = _on_known_channels(seizures, everything, recording, strict)
    uncertain = _on_known_channels(uncertain, everything, recording, strict)
    _tell_of_missing_ends(seizures, duration, recording)
    complete, unknown = with_ends(StatedSeizures(seizures, uncertain), duration)
    return (
        _on_read_channels(_cut(complete, duration, recording), channel_names, recording),
        _on_read_channels(_cut(unknown, duration), channel_names),
    )


def with_ends(stated: StatedSeizures, end: float) -> tuple[list[Seizure], list[Seizure]]:
    """Seizures and uncertain stretches that all have an offset, `end` [s] at the latest where it is not known."""
    complete, uncertain = [], []
    for onset, offset, channels in stated.seizures:
        if offset is None:
            next_known = _next_known((onset, channels), stated.seizures, end)
            offset = min(onset + MIN_SEIZURE_S, next_known)
            if offset < next_known:
                uncertain.append((offset, next_known, channels))
        complete.append((onset, offset, channels))
    for onset, offset, channels in stated.uncertain:
        stop = _next_known((onset, channels), stated.seizures, end) if offset is None else offset
        uncertain.append((onset, stop, channels))
    return complete, uncertain


def seizures_of_part(stated: StatedSeizures, start: float, stop: float) -> StatedSeizures:
    """Seizures of the part of a recording from `start` to `stop` [s], on the clock of the part."""
    before = [seizure for seizure in stated.seizures if seizure[1] is not None or seizure[0] < start]
    later = [(onset - start, None, channels) for onset, offset, channels in stated.seizures if offset is None]
    complete, uncertain = with_ends(StatedSeizures(before, stated.uncertain), stop)

    def inside(stretches: Iterable[Seizure]) -> list[Stretch]:
        return [
            (max(onset, start) - start, min(offset, stop) - start, channels)
            for onset, offset, channels in stretches
            if onset < stop and offset > start
        ]

    begun = [seizure for seizure in later if 0 <= seizure[0] < stop - start]
    return StatedSeizures([*inside(complete), *begun], inside(uncertain))


def _next_known(after: tuple[float, list[str] | None], seizures: Iterable[Stretch], end: float) -> float:
    """Time of the next onset or offset on the same channels [s]."""
    onset, channels = after
    times = (
        time
        for first, last, others in seizures
        if channels is None or others is None or not set(channels).isdisjoint(others)
        for time in (first, last)
        if time is not None and time > onset
    )
    return min([*times, end])


def _unpack(seizure: Sequence, recording: str) -> Stretch:
    try:
        if isinstance(seizure, str) or len(seizure) not in (2, 3):
            raise TypeError
        onset, offset = float(seizure[0]), None if seizure[1] is None else float(seizure[1])
        channels = seizure[2] if len(seizure) == 3 else None
        channels = [channels] if isinstance(channels, str) else None if channels is None else list(channels)
    except (TypeError, ValueError):
        raise ValueError(
            f"{recording}: a seizure has to be (onset, offset) or (onset, offset, channels) in seconds, got "
            f"{seizure!r}; several are a list of these"
        ) from None
    if not math.isfinite(onset):
        raise ValueError(f"{recording}: the onset of a seizure has to be finite seconds, got {seizure!r}")
    if offset is not None and onset >= offset:
        raise ValueError(
            f"{recording}: the seizure ({onset}, {offset}) has to begin before it ends; times are in seconds"
        )
    return onset, None if offset is None or math.isnan(offset) else offset, channels


def _not_outside(seizures: list[Stretch], duration: float, recording: str, origin: Origin) -> list[Stretch]:
    outside = [each for each in seizures if each[0] >= duration or (each[1] is not None and each[1] <= 0)]
    if not outside:
        return seizures
    if origin == "given" or (origin == "table" and len(outside) == len(seizures)):
        onset, offset, _ = outside[0]
        raise ValueError(
            f"{recording}: the seizure ({onset:g} s, {'?' if offset is None else f'{offset:g} s'}) lies outside the "
            f"recording, which lasts {duration:.2f} s; give times in seconds from the start of this recording"
        )
    warn(
        f"{recording}: of its {len(seizures)} seizures, {_at(outside)} outside the recording, which lasts "
        f"{duration:.2f} s, and {'is' if len(outside) == 1 else 'are'} left out; correct the times, or pass "
        "seizures=[(onset, offset), ...]"
    )
    return [each for each in seizures if each not in outside]


def _at(seizures: Sequence[Stretch]) -> str:
    times = _times(onset for onset, _, _ in seizures)
    return f"that at {times} lies" if len(seizures) == 1 else f"those at {times} lie"


def _times(onsets: Iterable[float]) -> str:
    return listed(f"{onset:.2f} s" for onset in onsets)


def _tell_of_missing_ends(seizures: Sequence[Stretch], duration: float, recording: str) -> None:
    open_ones = [seizure for seizure in seizures if seizure[1] is None]
    if not open_ones:
        return
    times = _times(onset for onset, _, _ in open_ones)
    which = f"the seizure at {times} has" if len(open_ones) == 1 else f"the seizures at {times} have"
    warn(
        f"{recording}: {which} no offset; the first {MIN_SEIZURE_S:g} s count as seizure, and what follows is unknown "
        f"(label -100, see Recording.uncertain) up to the next seizure or the end of the recording ({duration:.2f} s);"
        " pass seizures=[(onset, offset), ...] if you know the end"
    )


def _cut(seizures: Iterable[Seizure], duration: float, recording: str | None = None) -> list[Seizure]:
    """Seizures inside the recording; with its name given, a warning of what is cut."""
    seizures = list(seizures)
    passing = [each for each in seizures if each[0] < -_ROUNDING or each[1] > duration + _ROUNDING]
    if passing and recording is not None:
        named = listed(f"({onset:g} s, {offset:g} s)" for onset, offset, _ in passing)
        warn(
            f"{recording}: the seizure{'s' if len(passing) > 1 else ''} {named} {'are' if len(passing) > 1 else 'is'} "
            f"cut to the recording (0 s, {duration:.2f} s)"
        )
    return sorted(
        (
            (max(onset, 0.0), min(offset, duration), channels)
            for onset, offset, channels in seizures
            if onset < duration and offset > 0
        ),
        key=lambda seizure: seizure[:2],
    )


def _on_known_channels(
    seizures: Iterable[Stretch], channel_names: Sequence[str], recording: str, strict: bool
) -> list[Stretch]:
    """Seizures on channels as the recording names them; a pair `A1-A2` stands for both contacts.

    Names that the recording does not have are refused, or else passed over with one warning; where none is known, the
    seizure counts for all channels.
    """
    unknown: list[str] = []
    on_all: list[float] = []
    known = []
    for onset, offset, written in seizures:
        meant = {name: channels_of_event(name, channel_names) for name in written or ()}
        unknown += [name for name, names in meant.items() if not names]
        found = list(dict.fromkeys(name for names in meant.values() for name in names))
        if written and not found:
            on_all.append(onset)
        known.append((onset, offset, None if written is None or (written and not found) else found))
    unknown = list(dict.fromkeys(unknown))
    if unknown and strict:
        raise ValueError(
            f"{recording}: seizure channels {unknown} are not in the recording; its channels are {list(channel_names)}"
        )
    if unknown:
        warn(
            f"{recording}: seizures name the channels {unknown}, which the recording does not have; they are passed "
            "over" + (f", and the seizures at {_times(on_all)} are taken to be on all channels" if on_all else "")
        )
    return known


def _on_read_channels(
    seizures: Iterable[Seizure], channel_names: Sequence[str], recording: str | None = None
) -> list[Seizure]:
    """Seizures with the channels that are read, without those that are on left-out channels only."""
    read = set(channel_names)
    kept, left_out = [], []
    for onset, offset, channels in seizures:
        on_read = None if channels is None else [name for name in channels if name in read]
        if on_read is None or on_read:
            kept.append((onset, offset, on_read))
        else:
            left_out.append(onset)
    if left_out and recording is not None:
        times = _times(left_out)
        which = f"the seizure at {times} is" if len(left_out) == 1 else f"the seizures at {times} are"
        warn(f"{recording}: {which} on left-out channels only and dropped")
    return kept
