"""How many microvolts a number of each channel is: what the file states, as far as the amplitude bears it out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...listing import listed
from ...signal_checks_brant import HIGHEST_PLAUSIBLE_SD
from ...user_warnings import warn
from .amplitudes import SampleReader, channel_deviations
from .units import microvolts_stated

# Standard deviations [microvolts] that a channel can have. Intracranial EEG has tens to hundreds of microvolts.
_LOWEST_OF_BRAIN, _HIGHEST_OF_BRAIN = 0.25, 5e3
_CLEARLY_BRAIN, _TYPICAL = 5.0, 50.0
# Units are a factor of 1000 apart. Channels of one recording whose amplitudes are within the first factor have one
# unit as a rule; where a wrong one is proven by nothing but the amplitude, it has to fit within the second.
_ALIKE, _NEAR = 100.0, 5.0
_STEPS = 1000.0 ** np.arange(-3, 3)
_NAMES = {1e6: "volts", 1e3: "millivolts", 1.0: "microvolts", 1e-3: "nanovolts"}
_SYMBOLS = {1e6: "V", 1e3: "mV", 1.0: "uV", 1e-3: "nV"}
_KEPT = "kept"
_LISTED = 24


@dataclass
class Scales:
    """Scales of the channels that are read.

    Attributes
    ----------
    factors : np.ndarray
        Microvolts of one number that the reader gives, of each channel that is read.
    known_from : list[str]
        How each is known: `"file"` (the unit that it states), `"amplitude"` or `"given"` (by the user).
    left_out : dict[str, str]
        Channels for which no unit gives an amplitude that an electrode can have, each with the reason.
    """

    factors: np.ndarray
    known_from: list[str]
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass
class _Channels:
    """Stated factors of the channels, NaN for none, and the standard deviations of their numbers, NaN for 0."""

    names: Sequence[str]
    units: Sequence[str]
    stated: np.ndarray
    deviations: np.ndarray
    scales: Scales
    told: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @property
    def amplitudes(self) -> np.ndarray:
        """Standard deviations [microvolts] by the units that are stated."""
        return self.stated * self.deviations

    def settle(self, channel: int, factor: float, known_from: str = "file") -> None:
        self.scales.factors[channel], self.scales.known_from[channel] = factor, known_from

    def tell(self, channel: int, decided: str) -> None:
        self.told.setdefault((decided, self.units[channel]), []).append(channel)


def judge_scales(
    units: Sequence[str],
    names: Sequence[str],
    read: SampleReader,
    num_samples: int,
    sampling_rate: float,
    recording: str,
    given: Mapping[str, float] | None = None,
    gaps: Sequence[tuple[float, float]] = (),
) -> Scales:
    """Settle how many microvolts a number of each channel is.

    A stated unit is obeyed where the amplitude of the channel is that of a signal from a brain. Where it is not, and
    where none is stated, the amplitude tells, compared with those of the channels whose unit is certain. Channels that
    state the same are judged together first, so that an artefact on some of them does not look like another unit. One
    warning names the channels and says what was decided. Few stretches of 2 s are read.

    Parameters
    ----------
    units : Sequence[str]
        What the file states for each channel.
    names : Sequence[str]
        Names of the channels.
    read : Callable[[int, int], np.ndarray]
        Reads numbers `[start, stop)`, `(channels, samples)`.
    num_samples : int
        Length of the recording.
    sampling_rate : float
        [Hz].
    recording : str
        Name of the recording.
    given : Mapping[str, float] or None
        Microvolts of a number that the user gives, by the name of the channel; they go before everything.
    gaps : Sequence[tuple[float, float]]
        Stretches [s] in which nothing was recorded.

    Returns
    -------
    Scales
        Of the channels that are not left out.

    Raises
    ------
    ValueError
        No unit gives any channel an amplitude that an electrode can have.
    """
    given = given or {}
    told = [given[name] if name in given else microvolts_stated(unit) for name, unit in zip(names, units, strict=True)]
    stated = np.array([np.nan if factor is None else factor for factor in told])
    factors = np.where(np.isnan(stated), 1.0, stated)
    deviations, all_were_read = channel_deviations(
        read,
        num_samples,
        sampling_rate,
        lambda deviations: not all(map(_plausible, factors * deviations)),
        gaps,
    )
    scales = Scales(np.ones(len(names)), ["file"] * len(names))
    channels = _Channels(names, units, stated, deviations, scales)
    for channel, name in enumerate(names):
        if name in given:
            channels.settle(channel, stated[channel], "given")
    groups = _groups(channels, given)
    trusted = [group for group in groups if _is_trusted(channels, group)]
    certain = [channel for group in trusted for channel in group if _plausible(channels.amplitudes[channel])]
    certain += [channel for channel, name in enumerate(names) if name in given and deviations[channel] > 0]
    reference = float(np.median(channels.amplitudes[certain])) if certain else None
    for group in groups:
        if group in trusted:
            _settle_trusted(channels, group, reference)
        else:
            _settle_by_amplitude(channels, group, reference)
    _tell(channels, recording, all_were_read)
    kept = [channel for channel, name in enumerate(names) if name not in scales.left_out]
    return Scales(scales.factors[kept], [scales.known_from[channel] for channel in kept], scales.left_out)


def _groups(channels: _Channels, given: Mapping[str, float]) -> list[list[int]]:
    """Channels that state the same unit, those with a unit given by the user not among them."""
    groups: dict[object, list[int]] = {}
    for channel, name in enumerate(channels.names):
        if name not in given:
            factor = channels.stated[channel]
            key = channels.units[channel].strip().casefold() if np.isnan(factor) else factor
            groups.setdefault(key, []).append(channel)
    return list(groups.values())


def _plausible(amplitude: float) -> bool:
    return _LOWEST_OF_BRAIN <= amplitude <= _HIGHEST_OF_BRAIN


def _is_trusted(channels: _Channels, group: list[int]) -> bool:
    """Whether a unit is stated, and at least half of the channels that state it bear it out."""
    stated, amplitudes = channels.stated[group[0]], channels.amplitudes[group]
    known = amplitudes[amplitudes > 0]
    # Many write volts and mean millivolts, but nobody microvolts that are nanovolts: these are artefacts.
    highest = _HIGHEST_OF_BRAIN if stated > 1 else HIGHEST_PLAUSIBLE_SD
    loud = known[known >= _LOWEST_OF_BRAIN]
    plausible = loud[loud <= highest]
    # Open inputs have the noise of the amplifier only: they do not speak against channels that are clearly a brain.
    are_open = len(plausible) == len(loud) > 0 and np.median(plausible) >= _CLEARLY_BRAIN
    return not math.isnan(stated) and (bool(are_open) or 2 * len(plausible) >= len(known))


def _settle_trusted(channels: _Channels, group: list[int], reference: float | None) -> None:
    """Obey what is stated, but for single channels that are off by a million, as volts taken as microvolts are."""
    for channel in group:
        factor, amplitude = channels.stated[channel], channels.amplitudes[channel]
        channels.settle(channel, factor)
        if np.isnan(amplitude) or _plausible(amplitude):
            continue
        near = [step for step in (1e-6, 1e3, 1e6) if reference and _ratio(amplitude * step, reference) <= _NEAR]
        if near and near[0] != 1e3:
            _resolve(channels, channel, factor * near[0])
        elif amplitude > HIGHEST_PLAUSIBLE_SD:
            _leave_out(channels, channel)
        elif amplitude > _HIGHEST_OF_BRAIN or near:
            channels.tell(channel, _KEPT)


def _settle_by_amplitude(channels: _Channels, group: list[int], reference: float | None) -> None:
    """Find the unit in which channels that state none, or a wrong one, have the amplitude of the others."""
    is_stated = not np.isnan(channels.stated[group[0]])
    stated = channels.stated[group[0]] if is_stated else 1.0
    candidates = stated * _STEPS
    # Without other channels, numbers may be those of a converter with steps of nanovolts.
    lowest = 1e-6 if is_stated else 1e-3 if reference is None else 1.0
    candidates = candidates[(candidates > lowest / 2) & (candidates < 2e6)]
    deviations = channels.deviations[group]
    known = deviations[deviations > 0]
    usual = float(np.median(known)) if len(known) else np.nan
    base = stated if np.isnan(usual) else _nearest(candidates, usual, reference or _TYPICAL)
    reference = reference or base * usual
    for channel, deviation in zip(group, deviations.tolist(), strict=True):
        factor = base
        if np.isnan(deviation):
            pass
        elif is_stated and _plausible(stated * deviation):
            factor = _nearest(np.array([stated, base]), deviation, reference)
        elif _ratio(base * deviation, reference) > _ALIKE:
            factor = _nearest(candidates, deviation, reference)
        if not is_stated or factor != stated:
            _resolve(channels, channel, factor)
        else:
            channels.settle(channel, stated)
            if deviation > 0 and not _plausible(stated * deviation):
                channels.tell(channel, _KEPT)
        if factor * deviation > HIGHEST_PLAUSIBLE_SD:
            _leave_out(channels, channel)


def _resolve(channels: _Channels, channel: int, factor: float) -> None:
    known = next((known for known in _NAMES if np.isclose(factor, known, rtol=1e-6)), float(factor))
    channels.settle(channel, known, "amplitude")
    step = factor / channels.stated[channel]
    taken = (
        f"the values are taken as {_NAMES[known]}" if known in _NAMES else f"the values are multiplied by {step:.0e}"
    )
    channels.tell(channel, taken)


def _leave_out(channels: _Channels, channel: int) -> None:
    for told in channels.told.values():
        if channel in told:
            told.remove(channel)
    if not np.isnan(channels.stated[channel]):
        channels.settle(channel, channels.stated[channel])
    unit = channels.units[channel].strip()
    amplitude = channels.scales.factors[channel] * channels.deviations[channel]
    stated = f" (stated in {unit})" if unit else ""
    channels.scales.left_out[channels.names[channel]] = (
        f"its standard deviation is {_amount(amplitude)}{stated}, which no electrode records"
    )


def _ratio(amplitude: float, reference: float) -> float:
    return max(amplitude / reference, reference / amplitude)


def _nearest(factors: np.ndarray, deviation: float, amplitude: float) -> float:
    """Return the factor that brings a deviation nearest to an amplitude, counted in factors."""
    return float(factors[np.argmin(np.abs(np.log(factors * deviation / amplitude)))])


def _tell(channels: _Channels, recording: str, all_were_read: bool) -> None:
    """Warn once of what was decided; refuse a recording of which nothing is left."""
    scales = channels.scales
    amplitudes = scales.factors * channels.deviations
    if len(scales.left_out) == len(channels.names):
        raise ValueError(
            f"{recording}: the median standard deviation of the channels is {_amount(np.nanmedian(amplitudes))}, "
            "which no electrode records, so the unit stated in the file is wrong. Say what a number is: "
            'pass unit="uV", unit="mV", unit="V" or unit="nV"'
        )
    sentences = [_sentence(channels, *key, told) for key, told in channels.told.items() if told]
    if sentences:
        warn(f"{recording}: {'; '.join(sentences)}. {_remedy(channels)}")
    elif not all_were_read and np.isnan(channels.deviations).all():
        warn(
            f"{recording}: all channels are silent in the stretches that were looked at, so the units that the file "
            "states could not be checked by the amplitude; pass unit=... if they are wrong"
        )


def _sentence(channels: _Channels, taken: str, unit: str, told: list[int]) -> str:
    names = listed((channels.names[channel] for channel in told), _LISTED)
    if len(told) == len(channels.names) > _LISTED:
        names = f"all {len(told)} channels"
    deviations = channels.deviations[told]
    usual = float(np.nanmedian(deviations)) if np.isfinite(deviations).any() else None
    if taken == _KEPT:
        return (
            f"the standard deviation of {names} is {_amount(channels.stated[told[0]] * (usual or 0))}, hardly that of "
            "a signal of a brain, and kept: it may be an artefact or a wrong unit"
        )
    by_unit = np.nan if usual is None else channels.stated[told[0]] * usual
    amplitude = "silent" if usual is None else _amount(channels.scales.factors[told[0]] * usual)
    if np.isnan(channels.stated[told[0]]):
        stated = f"stated as {unit.strip()!r}, which is not known" if unit.strip() else "not stated"
        why = f"the unit of {names} is {stated}"
    else:
        why = (
            f"the unit of {names} should be {unit.strip()!r}, but the median standard deviation is {_amount(by_unit)} "
            "then, which is no signal of a brain"
        )
    return f"{why}; by the amplitude, {taken} ({amplitude})"


def _amount(microvolts: float) -> str:
    if microvolts >= 1e6:
        return f"{microvolts / 1e6:.3g} V"
    return f"{microvolts / 1e3:.3g} mV" if microvolts >= 5e3 else f"{microvolts:.3g} microvolts"


def _remedy(channels: _Channels) -> str:
    """Say how to state the unit: of all channels, or of the one that is told of first."""
    told = [channel for each in channels.told.values() for channel in each]
    factors = channels.scales.factors[told]
    unit = _SYMBOLS.get(float(factors[0]))
    if len(told) == len(channels.names) and np.ptp(factors) == 0:
        if unit is not None:
            return f'Pass unit="{unit}" to state that, or the unit that is right'
        steps = factors / channels.stated[told]
        if np.ptp(steps) == 0:
            return f"Pass gain={steps[0]:g} to state that, or the factor that is right"
    if unit is None:
        return "Pass unit=... to state the unit that is right"
    name = channels.names[told[0]]
    return f'Pass unit={{"{name}": "{unit}", ...}} to state that, or the units that are right'
