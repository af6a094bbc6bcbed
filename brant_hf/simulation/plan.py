"""When and how the seizures of a virtual patient happen: the plan, and the drive of the network that follows from it.

The plan only pushes: it raises the excitability of an epileptogenic zone and, later, ends the seizure. Which regions
follow, when, and what is seen where come out of the integration; `seizures` measures them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import NUM_REGIONS, Anatomy
from .epileptor import UNITS_PER_SECOND

MIN_SEIZURE, MAX_SEIZURE = 15.0, 180.0
"""Range of planned seizure durations [s]."""
BEFORE_SEIZURE = 15.0
"""Least time [s] from the start of the recording, or from the end of the last post-ictal stretch, to a seizure."""
AFTER_SEIZURE = 45.0
"""Least time [s] after a seizure: the permittivity variable comes back to its rest in this time."""

_TRIGGER = 3
_TERMINATION = 2
_EXCITABILITY_TERMINATION = -3.0
_TAU0_TRIGGER = 700.0
_TAU0_TERMINATION = 60.0
_TAU0_REST = 2000.0
# Share of tau0 that passes while z climbs from the onset to about 3.7, where spike-and-wave events still run.
_SEIZURE_SHARE = 0.12

# Probability and range of the coupling factor: purely focal, regional, spreading to most regions.
_SPREAD = {"focal": (0.35, (0.0, 2.0)), "regional": (0.35, (8.0, 12.5)), "wide": (0.30, (14.0, 24.0))}


@dataclass(frozen=True)
class PlannedSeizure:
    """One seizure as planned.

    Attributes
    ----------
    onset, duration : float
        Time at which the excitability of the zone has crossed its threshold, and time until the end is induced [s].
    zone : array of int
        Regions that start.
    excitability : array, shape like zone
        x0 of these regions in the seizure.
    coupling_strength : float
        Factor of the connectivity; 0 keeps the seizure in its zone.
    offset_spread : float
        The regions stop within this time [s] before the end.
    low_voltage, growth : float
        Amplitude at the onset of a region's seizure, relative to its later amplitude, and time constant of its growth
        [s].
    """

    onset: float
    duration: float
    zone: np.ndarray
    excitability: np.ndarray
    coupling_strength: float
    offset_spread: float
    low_voltage: float
    growth: float


def max_seizures(duration: float) -> int:
    """Most seizures that fit in a recording of `duration` seconds."""
    return int(duration // (BEFORE_SEIZURE + MIN_SEIZURE + AFTER_SEIZURE))


def _random_times(duration: float, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Onsets and durations [s] of `count` seizures; durations log-uniform, shortened where they do not fit."""
    durations = np.exp(generator.uniform(np.log(MIN_SEIZURE + 3), np.log(MAX_SEIZURE - 10), count))
    free = duration - count * (BEFORE_SEIZURE + AFTER_SEIZURE + MIN_SEIZURE)
    excess = durations - MIN_SEIZURE
    if excess.sum() > 0.9 * free:
        durations = MIN_SEIZURE + excess * 0.9 * free / excess.sum()
    slack = duration - durations.sum() - count * (BEFORE_SEIZURE + AFTER_SEIZURE)
    gaps = generator.dirichlet(np.ones(count + 1))[:count] * slack
    before = np.concatenate([[0.0], durations[:-1] + AFTER_SEIZURE])
    return np.cumsum(before + gaps + BEFORE_SEIZURE), durations


def random_plan(
    duration: float, num_seizures: int | None, foci: list[np.ndarray], generator: np.random.Generator
) -> list[PlannedSeizure]:
    """Draw the seizures of a patient, in the order of time: `num_seizures`, or 1 to 4 as far as they fit if `None`.

    `duration` is that of the recording [s], `foci` are the regions of each epileptogenic zone.
    """
    if num_seizures is None:
        num_seizures = min(int(generator.integers(1, 5)), max_seizures(duration))
    onsets, durations = _random_times(duration, num_seizures, generator)
    # A patient tends to one kind of spread; every seizure follows the tendency or not.
    kinds = list(_SPREAD)
    probabilities = np.array([_SPREAD[kind][0] for kind in kinds])
    tendency = generator.choice(kinds, p=probabilities)
    plan = []
    for onset, length in zip(onsets, durations, strict=True):
        kind = tendency if generator.random() < 0.6 else generator.choice(kinds, p=probabilities)
        zone = foci[generator.integers(len(foci))]
        plan.append(
            PlannedSeizure(
                onset=float(onset),
                duration=float(length),
                zone=zone,
                excitability=generator.uniform(-1.68, -1.45, zone.size),
                coupling_strength=float(generator.uniform(*_SPREAD[kind][1])),
                offset_spread=float(generator.choice([0.0, 0.05, 0.2]) * length),
                low_voltage=float(generator.uniform(0.1, 0.6)),
                growth=float(generator.uniform(0.05, 0.15) * length),
            )
        )
    return plan


def resting_excitability(anatomy: Anatomy, generator: np.random.Generator) -> np.ndarray:
    """x0 of every region between seizures, shape (R,): near the threshold (-2.06) in the zones, farther elsewhere."""
    excitability = generator.uniform(-3.0, -2.25, NUM_REGIONS)
    for zone in anatomy.foci:
        excitability[zone] = generator.uniform(-2.3, -2.2, zone.size)
    return excitability


def drive_of_plan(
    plan: list[PlannedSeizure], resting: np.ndarray, speed: float, seconds: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the inputs of the network that carry out a plan: x0, 1 / tau0 and coupling strength, (seconds, R) each.

    `resting` (R,) is x0 between seizures, `speed` the factor of the time scale of the patient.
    """
    excitability = np.tile(resting, (seconds, 1))
    rate = np.full((seconds, resting.size), 1.0 / _TAU0_REST)
    coupling_strength = np.zeros((seconds, resting.size))
    for seizure in plan:
        start = round(seizure.onset)
        stop = round(seizure.onset + seizure.duration)
        # The slow variable of the zone falls to its threshold before the onset, so that the onset comes when planned.
        excitability[start - _TRIGGER : stop, seizure.zone] = seizure.excitability
        rate[start - _TRIGGER : start] = 1.0 / _TAU0_TRIGGER
        rate[start:stop] = _SEIZURE_SHARE / (seizure.duration * UNITS_PER_SECOND * speed)
        coupling_strength[start:stop] = seizure.coupling_strength
        # Seizures stop in all regions within seconds, as if by one mechanism (Kramer et al., PNAS 109:21116, 2012).
        ends = stop - np.round(generator.random(resting.size) * seizure.offset_spread).astype(int)
        ends[seizure.zone[0]] = stop
        for region, end in enumerate(ends):
            coupling_strength[end:stop, region] = 0.0
            excitability[end : stop + _TERMINATION, region] = _EXCITABILITY_TERMINATION
            rate[end : end + _TERMINATION, region] = 1.0 / _TAU0_TERMINATION
            rate[end + _TERMINATION : stop + _TERMINATION, region] = 1.0 / _TAU0_REST
    return excitability, rate, coupling_strength
