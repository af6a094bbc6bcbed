"""What the samples of a recording make doubtful: its unit, and channels that stand out, are cut off or copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...listing import listed
from ...user_warnings import warn
from ..recordings.units import MICROVOLTS_PER_UNIT
from .saturation import SATURATED_PART
from .survey import FEWEST_CHANNELS, LINE_FREQUENCIES, MOSTLY_LINE_NOISE, OPEN_INPUT_RATIO

if TYPE_CHECKING:
    from ..recordings import Recording
    from .survey import Survey

# Median amplitudes of intracranial EEG [microvolts] lie between the first two, mostly near the third.
LOWEST_USUAL, HIGHEST_USUAL, _USUAL = 2.0, 1000.0, 50.0
# A channel that is this many times louder than the median stands out.
_LOUD_RATIO = 10.0
# Power lines, and those of railways in the middle of Europe [Hz]; generators keep to them about as well as this [Hz].
_POWER_LINES, _WITHIN_HZ = (*LINE_FREQUENCIES, 50 / 3), 2.0

# Models may need somewhat more samples than were recorded.
_MOST_TIMES_THE_RATE = 4


def tell_of_doubts(recording: Recording, stretches: Survey, kept: Sequence[int]) -> None:
    """Warn of an amplitude that no intracranial recording has, with what is likely, and of channels that are doubtful.

    Parameters
    ----------
    recording : Recording
        The recording.
    stretches : Survey
        What short stretches of it say.
    kept : Sequence[int]
        Places of the channels that are not left out.
    """
    typical = stretches.typical_amplitude(kept)
    if typical > 0 and not LOWEST_USUAL <= typical <= HIGHEST_USUAL:
        warn(
            f"{recording.name}: the median amplitude of its channels is {typical:.3g} microvolts, and that of "
            f"intracranial EEG is about {LOWEST_USUAL:g} to {HIGHEST_USUAL:g}; {remedy(recording, typical)}"
        )
    _tell_of_outliers(recording.name, stretches, kept, typical)
    _tell_of_saturated(recording.name, stretches, kept)
    _tell_of_copies(recording.name, stretches, kept)
    noisy = [stretches.channel_names[place] for place in kept if stretches.line_part[place] > MOSTLY_LINE_NOISE]
    if noisy:
        warn(
            f"{recording.name}: {listed(noisy)} {'is' if len(noisy) == 1 else 'are'} mostly line noise (more than "
            f"{MOSTLY_LINE_NOISE:.0%} of the power from 1 Hz on): a loose contact, an open input or a bad reference. "
            f"Leave out what shows no brain once the line noise is taken out (bad={noisy})"
        )


def tell_of_odd_settings(recording: Recording, line_noise: float | str | None, sampling_rate: float) -> None:
    """Warn of line noise [Hz] that no power line has, and of a rate [Hz] far above the recorded one."""
    if sampling_rate > _MOST_TIMES_THE_RATE * recording.sampling_rate:
        warn(
            f"{recording.name}: sampling_rate is {sampling_rate:g} Hz, and it was recorded at "
            f"{recording.sampling_rate:g} Hz; more samples tell nothing more"
        )
    if isinstance(line_noise, (int, float)) and min(abs(line_noise - each) for each in _POWER_LINES) > _WITHIN_HZ:
        warn(
            f"{recording.name}: line_noise is {line_noise:g} Hz, and that of power lines is 50 or 60 Hz; "
            f"{line_noise:g} Hz and all its multiples are taken out, with what the brain does there"
        )


def remedy(recording: Recording, typical: float) -> str:
    """Say which unit or factor would give a usual amplitude."""
    fitting = [step for step in (1e3, 1e6, 1e-3, 1e-6) if LOWEST_USUAL <= typical * step <= HIGHEST_USUAL]
    if not fitting:
        return "if its numbers are no microvolts, say what they are (unit=..., gain=...)"
    factor = min(fitting, key=lambda step: abs(np.log(typical * step / _USUAL)))
    scale = float(np.median(recording.scales or [1.0])) * factor
    unit = next((unit for unit, known in MICROVOLTS_PER_UNIT.items() if np.isclose(known, scale, rtol=1e-6)), None)
    if unit is None:
        return f"a factor of {factor:g} would make it usual (gain={factor:g})"
    return f"if the numbers in the file are {unit}, say so (unit={unit!r})"


def _tell_of_outliers(name: str, stretches: Survey, kept: Sequence[int], typical: float) -> None:
    if len(kept) < FEWEST_CHANNELS or not typical > 0:
        return
    ratios = {stretches.channel_names[place]: float(stretches.amplitude[place]) / typical for place in kept}
    loud = {channel: ratio for channel, ratio in ratios.items() if ratio > _LOUD_RATIO}
    quiet = {channel: 1 / max(ratio, 1e-9) for channel, ratio in ratios.items() if ratio < 1 / OPEN_INPUT_RATIO}
    parts = [
        f"{listed(found)} {'is' if len(found) == 1 else 'are'} at least {min(found.values()):.2g} times {what}"
        for found, what in (
            (loud, "louder than the median (noise, a loose contact)"),
            (quiet, "quieter than the median (an open input)"),
        )
        if found
    ]
    if parts:
        bad = [*loud, *quiet]
        warn(f"{name}: channels stand out: {'; '.join(parts)}. Leave them out if they are bad (bad={bad})")


def _tell_of_saturated(name: str, stretches: Survey, kept: Sequence[int]) -> None:
    cut = [stretches.channel_names[place] for place in kept if stretches.saturated[place]]
    if cut:
        warn(
            f"{name}: {listed(cut)} {'lies' if len(cut) == 1 else 'lie'} at the highest or lowest value for "
            f"{SATURATED_PART:.0%} of the time or more (saturated), and a seizure may not look like one then. Export "
            f"the recording with a larger range, or leave such channels out (bad={cut})"
        )


def _tell_of_copies(name: str, stretches: Survey, kept: Sequence[int]) -> None:
    originals: dict[int, str] = {}
    copies: dict[str, str] = {}
    for place in kept:
        channel = stretches.channel_names[place]
        original = originals.setdefault(int(stretches.copy_of[place]), channel)
        if original != channel and stretches.peak_to_peak[place] > 0:
            copies[channel] = original
    if copies:
        pairs = listed(f"{copy} those of {original}" for copy, original in copies.items())
        warn(
            f"{name}: channels have the samples of others ({pairs}), and count as channels that agree with them. "
            f"Leave the copies out (bad={list(copies)})"
        )
