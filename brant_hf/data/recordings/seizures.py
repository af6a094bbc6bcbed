"""Seizures of a recording: checked against its length and its channels."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence

from .contacts import channels_meant

Seizure = tuple[float, float, list[str] | None]
"""Onset [s], offset [s] and the channels concerned (`None`: all)."""

# Times in events files carry at most a few decimals, so an offset may pass the last sample by a rounding error.
_ROUNDING = 0.01


def check_seizures(
    seizures: Iterable[Sequence],
    duration: float,
    channel_names: Sequence[str],
    excluded_channels: Mapping[str, str],
    recording: str,
) -> list[Seizure]:
    """Seizures in the form that `Recording` keeps.

    Parameters
    ----------
    seizures : Iterable[Sequence]
        `(onset, offset)` or `(onset, offset, channels)` [s]; an offset of `None` or NaN means not known.
    duration : float
        Length of the recording [s].
    channel_names : Sequence[str]
        Channels that are read.
    excluded_channels : Mapping[str, str]
        Channels that exist but are left out; a seizure may name them.
    recording : str
        Name for messages.

    Returns
    -------
    list[Seizure]
        `(onset, offset, channels or None)`, sorted by onset, inside `[0, duration]`.

    Raises
    ------
    ValueError
        A seizure ends before it begins, lies outside the recording or names channels that it does not have.
    """
    checked = []
    for seizure in seizures:
        onset, offset, channels = _unpack(seizure, recording)
        onset, offset = _inside(onset, offset, duration, recording)
        if channels is not None:
            channels = _known_channels(channels, channel_names, excluded_channels, recording)
            if not channels:
                warnings.warn(
                    f"{recording}: the seizure at {onset:.2f} s is on left-out channels only and is dropped",
                    stacklevel=2,
                )
                continue
        checked.append((onset, offset, channels))
    return sorted(checked, key=lambda seizure: seizure[:2])


def on_known_channels(seizures: Iterable[Sequence], channel_names: Sequence[str], recording: str) -> list[Sequence]:
    """Seizures of a file, whose channel names may differ from those of the recording.

    A pair `A1-A2` stands for both contacts. Names that are not in the recording are passed over, and where none is
    known the seizure counts for all channels, both with a warning.

    Parameters
    ----------
    seizures : Iterable[Sequence]
        `(onset, offset)` or `(onset, offset, channels)`.
    channel_names : Sequence[str]
        All channels of the recording, left-out ones included.
    recording : str
        Name for messages.
    """
    return [_on_known_channels(seizure, channel_names, recording) for seizure in seizures]


def _on_known_channels(seizure: Sequence, channel_names: Sequence[str], recording: str) -> Sequence:
    if len(seizure) < 3 or seizure[2] is None:
        return seizure
    meant = {written: channels_meant(written, channel_names) for written in seizure[2]}
    found = [name for names in meant.values() for name in names]
    unknown = [written for written, names in meant.items() if not names]
    if unknown:
        warnings.warn(
            f"{recording}: the seizure at {seizure[0]:.2f} s names the channels {unknown}, which the recording does "
            "not have; " + ("they are passed over" if found else "it is taken to be on all channels"),
            stacklevel=2,
        )
    return (*seizure[:2], found or None)


def _unpack(seizure: Sequence, recording: str) -> tuple[float, float | None, list[str] | None]:
    if isinstance(seizure, str) or len(seizure) not in (2, 3):
        raise ValueError(
            f"{recording}: a seizure has to be (onset, offset) or (onset, offset, channels) in seconds, got "
            f"{seizure!r}"
        )
    onset, offset = float(seizure[0]), None if seizure[1] is None else float(seizure[1])
    channels = seizure[2] if len(seizure) == 3 else None
    if isinstance(channels, str):
        channels = [channels]
    if not math.isfinite(onset):
        raise ValueError(f"{recording}: the onset of a seizure has to be finite seconds, got {seizure!r}")
    return (
        onset,
        None if offset is None or math.isnan(offset) else offset,
        None if channels is None else list(channels),
    )


def _inside(onset: float, offset: float | None, duration: float, recording: str) -> tuple[float, float]:
    if offset is None:
        warnings.warn(
            f"{recording}: the seizure at {onset:.2f} s has no offset; it is taken to last to the end of the "
            f"recording ({duration:.2f} s)",
            stacklevel=2,
        )
        offset = max(duration, onset)
    elif onset >= offset:
        raise ValueError(
            f"{recording}: the seizure ({onset}, {offset}) has to begin before it ends; times are in seconds"
        )
    if onset >= duration or offset <= 0:
        raise ValueError(
            f"{recording}: the seizure ({onset:g} s, {offset:g} s) lies outside the recording, which lasts "
            f"{duration:.2f} s; give times in seconds from the start of this recording"
        )
    if onset < -_ROUNDING or offset > duration + _ROUNDING:
        warnings.warn(
            f"{recording}: the seizure ({onset:g} s, {offset:g} s) is cut to the recording (0 s, {duration:.2f} s)",
            stacklevel=2,
        )
    return max(onset, 0.0), min(offset, duration)


def _known_channels(
    wanted: Sequence[str], channel_names: Sequence[str], excluded_channels: Mapping[str, str], recording: str
) -> list[str]:
    meant = {name: channels_meant(name, (*excluded_channels, *channel_names)) for name in wanted}
    unknown = [name for name, names in meant.items() if not names]
    if unknown:
        raise ValueError(
            f"{recording}: seizure channels {unknown} are not in the recording; its channels are {list(channel_names)}"
        )
    read = set(channel_names)
    return list(dict.fromkeys(name for names in meant.values() for name in names if name in read))
