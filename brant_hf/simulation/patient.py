"""Virtual patients: stereo-EEG with seizures of known onset and offset on every channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, resample_poly, sosfilt

from .anatomy import MAX_CHANNELS, NUM_REGIONS, Anatomy, random_anatomy
from .artefacts import add_artefacts
from .background import (
    HIGH_PASS,
    Sleep,
    background,
    interictal_spikes,
    line_noise,
    random_sleep,
    rhythmic_runs,
    slow_waves,
)
from .epileptor import BLOCKS_PER_SECOND, SOURCE_RATE, Drive, Trajectory, integrate
from .plan import PlannedSeizure, drive_of_plan, max_seizures, random_plan, resting_excitability
from .seizures import ChannelSeizure, Seizure, channel_seizures, region_seizures

_MAX_BATCH = 32
_BATCH_BYTES = 512 * 2**20


@dataclass(frozen=True)
class VirtualPatient:
    """A recording of one virtual patient, with everything that is known about it.

    Attributes
    ----------
    name : str
        ``01``, ``02``, ...: the BIDS subject label.
    sampling_rate : float
        [Hz].
    channel_names : list of str, length C
        Such as ``A'1``: electrode, prime for the left hemisphere, contact counted from the tip.
    positions : array, shape (C, 3)
        Contacts [mm], x to the right, y to the front, z up from the anterior commissure.
    signals : array, shape (C, samples), float32
        [microvolts].
    seizures : list of Seizure
        (onset_s, offset_s, channels) of every seizure: first onset and last offset over its channels.
    channel_seizures : list of ChannelSeizure
        (seizure, channel, onset_s, offset_s): onset and offset on every channel that a seizure reaches.
    line_frequency : float
        50 or 60 [Hz].
    spikes_per_minute : float
        Mean rate of interictal spikes awake; 0 for patients with none.
    sleep : list of (float, float)
        Stretches of slow-wave sleep [s].
    regions : array, shape (R, 3)
        Centres of the regions [mm].
    epileptogenic_regions : list of int
        Regions in which seizures start.
    region_seizures : list of list of (float, float), length R
        Onsets and offsets [s] of every region.
    age : int
        Years.
    sex : str
        ``F`` or ``M``.
    """

    name: str
    sampling_rate: float
    channel_names: list[str]
    positions: np.ndarray
    signals: np.ndarray
    seizures: list[Seizure]
    channel_seizures: list[ChannelSeizure]
    line_frequency: float
    spikes_per_minute: float
    sleep: list[tuple[float, float]]
    regions: np.ndarray
    epileptogenic_regions: list[int]
    region_seizures: list[list[tuple[float, float]]] = field(repr=False)
    age: int
    sex: Literal["F", "M"]

    @property
    def duration(self) -> float:
        """Length of the recording [s]."""
        return self.signals.shape[1] / self.sampling_rate


@dataclass(frozen=True)
class SimulationSettings:
    """What is common to all patients of a simulation, as `simulate_patients` explains it."""

    duration: int = 600
    sampling_rate: int = 512
    num_channels: int | None = None
    num_seizures: int | None = None

    def __post_init__(self) -> None:
        if self.duration != int(self.duration) or self.duration < 30:
            raise ValueError(f"duration is {self.duration} s; give a whole number of seconds, at least 30")
        if self.sampling_rate != int(self.sampling_rate) or not 128 <= self.sampling_rate <= 4096:
            raise ValueError(f"sampling_rate is {self.sampling_rate} Hz; give a whole number from 128 to 4096")
        if self.num_channels is not None and not 2 <= self.num_channels <= MAX_CHANNELS:
            raise ValueError(f"num_channels is {self.num_channels}; give 2 to {MAX_CHANNELS}, or none to draw it")
        if self.num_seizures is not None and not 0 <= self.num_seizures <= max_seizures(self.duration):
            most = max_seizures(self.duration)
            raise ValueError(
                f"num_seizures is {self.num_seizures}; a recording of {self.duration} s holds 0 to {most}, "
                "a longer one more"
            )


@dataclass(frozen=True)
class _Case:
    """A patient before the integration: its random streams and what they decided."""

    index: int
    streams: list[np.random.Generator]
    anatomy: Anatomy
    plan: list[PlannedSeizure]
    excitability: np.ndarray
    rate: np.ndarray
    coupling_strength: np.ndarray
    spike_wave_current: np.ndarray
    speed: float
    spikes_per_minute: float


def _new_case(index: int, seed: int, settings: SimulationSettings) -> _Case:
    """Draw a patient. Its numbers depend on (seed, index) alone, one stream a concern."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed, spawn_key=(index,)).spawn(5)]
    generator = streams[0]
    anatomy = random_anatomy(settings.num_channels, generator)
    plan = random_plan(settings.duration, settings.num_seizures, anatomy.foci, generator)
    resting = resting_excitability(anatomy, generator)
    speed = float(generator.uniform(0.9, 1.15))
    excitability, rate, coupling = drive_of_plan(plan, resting, speed, settings.duration, generator)
    spiking = generator.choice(["none", "some", "many"], p=[0.3, 0.4, 0.3])
    low, high = {"none": (0.0, 0.0), "some": (0.5, 5.0), "many": (15.0, 50.0)}[spiking]
    return _Case(
        index=index,
        streams=streams,
        anatomy=anatomy,
        plan=plan,
        excitability=excitability,
        rate=rate,
        coupling_strength=coupling,
        spike_wave_current=generator.uniform(0.43, 0.58, NUM_REGIONS),
        speed=speed,
        spikes_per_minute=float(generator.uniform(low, high)),
    )


def _integrate(cases: Sequence[_Case], progress: Callable[[int], object] | None = None) -> Trajectory:
    drive = Drive(
        excitability=np.stack([c.excitability for c in cases], axis=1),
        rate=np.stack([c.rate for c in cases], axis=1),
        coupling_strength=np.stack([c.coupling_strength for c in cases], axis=1),
        connectivity=np.stack([c.anatomy.connectivity for c in cases]),
        spike_wave_current=np.stack([c.spike_wave_current for c in cases]),
        speed=np.array([c.speed for c in cases]),
    )
    return integrate(drive, [c.streams[1] for c in cases], progress)


def _seizure_sources(
    source: np.ndarray, states: list[list[tuple[float, float]]], plan: list[PlannedSeizure]
) -> tuple[np.ndarray, np.ndarray]:
    """Split the sources (R, samples) of the regions into what they give in seizures and outside of them.

    The populations of a region fall into step in the first seconds, which the model, a mean field, leaves out: the
    amplitude of a region in seizure grows from `low_voltage` with the time constant `growth` of the planned seizure.
    """
    # The amplifier's high-pass takes away the shift of the baseline at the onset.
    source = sosfilt(butter(2, HIGH_PASS, "high", fs=SOURCE_RATE, output="sos"), source - source[:, :1], axis=1)
    ictal = np.zeros(source.shape, np.float32)
    quiet = np.ones(source.shape, np.float32)
    times = np.arange(source.shape[1]) / SOURCE_RATE
    planned_onsets = np.array([seizure.onset for seizure in plan])
    for region, stretches in enumerate(states):
        for onset, offset in stretches:
            seizure = plan[max(int(np.searchsorted(planned_onsets, onset + 5.0)) - 1, 0)]
            span = slice(round(onset * SOURCE_RATE), round(offset * SOURCE_RATE))
            growth = 1.0 - (1.0 - seizure.low_voltage) * np.exp(-(times[span] - onset) / seizure.growth)
            ictal[region, span] = growth
            quiet[region, span] = 0.0
    smoothing = SOURCE_RATE // 8
    ictal = uniform_filter1d(ictal, smoothing, axis=1)
    quiet = uniform_filter1d(quiet, smoothing, axis=1)
    return (source * ictal).astype(np.float32), (source * quiet).astype(np.float32)


def _post_ictal_suppression(
    table: list[ChannelSeizure], names: list[str], samples: int, rate: float, generator: np.random.Generator
) -> np.ndarray:
    """Factor (C, samples) of the background: low after the seizure of a channel, recovering over tens of seconds."""
    factor = np.ones((len(names), samples), np.float32)
    rows = {name: index for index, name in enumerate(names)}
    for event in table:
        first = round(event.offset * rate)
        after = np.arange(samples - first, dtype=np.float32) / rate
        depth, recovery = generator.uniform(0.4, 0.85), generator.uniform(8.0, 30.0)
        rise = np.clip(after / 0.5, 0.0, 1.0)
        factor[rows[event.channel], first:] *= 1.0 - depth * rise * np.exp(-after / recovery)
    return factor


def _to_rate(signals: np.ndarray, rate: int) -> np.ndarray:
    ratio = Fraction(int(rate), SOURCE_RATE)
    return resample_poly(signals, ratio.numerator, ratio.denominator, axis=1).astype(np.float32, copy=False)


def _record(case: _Case, source: np.ndarray, activation: np.ndarray, settings: SimulationSettings) -> VirtualPatient:
    """From the sources of the regions to the recording of a patient."""
    anatomy, rate = case.anatomy, settings.sampling_rate
    background_stream, event_stream, artefact_stream = case.streams[2:]
    samples = settings.duration * rate
    gain = anatomy.gain.astype(np.float32)
    amplitude = float(np.clip(event_stream.lognormal(np.log(900.0), 0.4), 400.0, 2000.0))
    sleep: Sleep = random_sleep(settings.duration, event_stream)

    states = region_seizures(activation)
    ictal, quiet = _seizure_sources(source, states, case.plan)
    # Outside of seizures the spike-and-wave events of a region near its threshold are smaller, as fewer of its cells
    # take part.
    quiet *= 0.12 * min(case.spikes_per_minute / 15.0, 1.0)
    neighbours = np.argsort(-anatomy.connectivity, axis=0).T
    quiet += interictal_spikes(
        anatomy.foci, neighbours, case.spikes_per_minute, sleep, settings.duration, event_stream
    )
    component = amplitude * (gain @ ictal)

    signals = background(anatomy.contacts, samples, rate, background_stream)
    scale = signals.std(axis=1)
    seizures, table = channel_seizures(component, scale, SOURCE_RATE, anatomy.channel_names)
    signals += rhythmic_runs(anatomy.contacts, scale, samples, rate, background_stream)
    signals += slow_waves(sleep, anatomy.contacts, scale, samples, rate, background_stream)
    signals *= _post_ictal_suppression(table, anatomy.channel_names, samples, rate, event_stream)
    component += amplitude * (gain @ quiet)
    signals += _to_rate(component, rate)
    frequency = float(event_stream.choice([50.0, 60.0]))
    signals += line_noise(frequency, len(signals), samples, rate, background_stream)
    add_artefacts(signals, rate, anatomy.shafts, artefact_stream)
    return VirtualPatient(
        name=patient_name(case.index),
        sampling_rate=float(rate),
        channel_names=anatomy.channel_names,
        positions=anatomy.contacts,
        signals=signals,
        seizures=seizures,
        channel_seizures=table,
        line_frequency=frequency,
        spikes_per_minute=case.spikes_per_minute,
        sleep=sleep.stretches,
        regions=anatomy.regions,
        epileptogenic_regions=np.concatenate(anatomy.foci).tolist(),
        region_seizures=states,
        age=int(event_stream.integers(16, 61)),
        sex="F" if event_stream.choice(["F", "M"]) == "F" else "M",
    )


def default_batch_size(duration: int) -> int:
    """Patients integrated together: as many as keep their sources within half a gigabyte, at most 32."""
    per_patient = NUM_REGIONS * duration * 4 * (SOURCE_RATE + 2 * BLOCKS_PER_SECOND)
    return max(1, min(_MAX_BATCH, _BATCH_BYTES // per_patient))


def patient_name(index: int) -> str:
    """BIDS subject label of the patient with an index: ``01`` for 0."""
    return f"{index + 1:02d}"


def check_seed_and_count(num_patients: int, seed: int, batch_size: int | None) -> None:
    """Raise a ValueError when one of them is out of its range."""
    if num_patients < 1:
        raise ValueError(f"num_patients is {num_patients}; give at least 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}; give 0 or more")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; give at least 1, or None")


def simulate_indices(
    indices: Sequence[int],
    seed: int,
    settings: SimulationSettings,
    batch_size: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Iterator[VirtualPatient]:
    """Simulate the patients of a seed with these indices (0 is patient ``01``), in this order.

    `progress` is called as the integration goes on, with the seconds of recording integrated since the last call,
    summed over patients.
    """
    if batch_size is None:
        batch_size = default_batch_size(settings.duration)
    for first in range(0, len(indices), batch_size):
        cases = [_new_case(index, seed, settings) for index in indices[first : first + batch_size]]
        trajectory = _integrate(cases, progress)
        for position, case in enumerate(cases):
            yield _record(case, trajectory.source[position], trajectory.activation[position], settings)


def simulate_patients(
    num_patients: int,
    seed: int = 0,
    *,
    duration: int = 600,
    sampling_rate: int = 512,
    num_channels: int | None = None,
    num_seizures: int | None = None,
    batch_size: int | None = None,
) -> Iterator[VirtualPatient]:
    """Simulate stereo-EEG recordings of virtual patients with seizures.

    A patient depends on the seed, its index and the four settings only: not on how many others there are nor on the
    batch size.

    Parameters
    ----------
    num_patients : int
    seed : int
        0 or more.
    duration : int
        Length of every recording [s], at least 30.
    sampling_rate : int
        [Hz], 128 to 4096. What the regions do is simulated up to 128 Hz; the rest goes on above.
    num_channels : int | None
        Contacts to record, 2 to 120, those in the epileptogenic zones first; None for what 6 to 12 electrodes of 8 to
        15 contacts give.
    num_seizures : int | None
        Seizures per recording; None draws 1 to 4, as far as they fit. A seizure that no channel sees, which is rare,
        is in `region_seizures` alone.
    batch_size : int | None
        Patients integrated together; more is faster and takes more memory. None chooses by memory.

    Yields
    ------
    patient : VirtualPatient

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """
    settings = SimulationSettings(duration, sampling_rate, num_channels, num_seizures)
    check_seed_and_count(num_patients, seed, batch_size)
    return simulate_indices(range(num_patients), seed, settings, batch_size)
