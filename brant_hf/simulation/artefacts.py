"""Artefacts of long-term recordings, several of which a detector of amplitude or line length takes for a seizure.

All change `signals` (C, samples) [microvolts] at `rate` [Hz] in place; `shafts` (C,) is the electrode of each channel.
"""

from __future__ import annotations

import numpy as np

from .background import shape_noise, spectrum_frequencies


def _stretch(
    samples: int, rate: float, shortest: float, longest: float, generator: np.random.Generator
) -> tuple[int, np.ndarray]:
    """First sample of a random stretch and its times [s] from its start; shorter where the recording is."""
    length = int(min(generator.uniform(shortest, longest) * rate, 0.5 * samples))
    return int(generator.integers(0, samples - length)), np.arange(length) / rate


def _taper(times: np.ndarray, ramp: float) -> np.ndarray:
    """Window that rises and falls over `ramp` seconds."""
    return np.clip(np.minimum(times, times[-1] - times) / ramp, 0.0, 1.0)


def add_rhythmic_movement(
    signals: np.ndarray, rate: float, shafts: np.ndarray, generator: np.random.Generator
) -> None:
    """Chewing, tapping, walking: a periodic waveform at 1 to 5 Hz on the cables of some electrodes."""
    first, times = _stretch(signals.shape[1], rate, 8.0, 45.0, generator)
    electrodes = np.unique(shafts)
    touched = generator.choice(electrodes, generator.integers(1, electrodes.size + 1), replace=False)
    frequency = generator.uniform(1.0, 5.0)
    phase = 2 * np.pi * frequency * times + np.cumsum(generator.normal(0.0, 0.8 / np.sqrt(rate), times.size))
    waveform = sum(np.sin(k * phase + generator.uniform(0, 2 * np.pi)) / k**1.2 for k in range(1, 7))
    vigour = generator.lognormal(0.0, 0.35, int(times[-1]) + 2)
    waveform *= _taper(times, 1.5) * np.interp(times, np.arange(vigour.size), vigour)
    for channel in np.flatnonzero(np.isin(shafts, touched)):
        amplitude = generator.lognormal(np.log(130.0), 0.7) * generator.choice([-1.0, 1.0])
        signals[channel, first : first + times.size] += amplitude * waveform


def add_movement(signals: np.ndarray, rate: float, shafts: np.ndarray, generator: np.random.Generator) -> None:
    """Add a jerk of the cables: a swing on all contacts of some electrodes that dies away."""
    first, times = _stretch(signals.shape[1], rate, 2.0, 6.0, generator)
    electrodes = np.unique(shafts)
    touched = generator.choice(electrodes, generator.integers(1, electrodes.size + 1), replace=False)
    decay = np.exp(-times / generator.uniform(0.15, 0.6)) * np.cos(2 * np.pi * generator.uniform(0.3, 1.5) * times)
    for channel in np.flatnonzero(np.isin(shafts, touched)):
        signals[channel, first : first + times.size] += generator.normal(0.0, 500.0) * decay * np.exp(-times)


def add_contact_noise(signals: np.ndarray, rate: float, shafts: np.ndarray, generator: np.random.Generator) -> None:
    """Add a loose contact: loud noise between white and 1/f with pops on one channel."""
    first, times = _stretch(signals.shape[1], rate, 5.0, 90.0, generator)
    frequencies = spectrum_frequencies(times.size, rate)
    slope = generator.uniform(0.0, 1.0)
    spectrum = 1.0 / np.maximum(frequencies, 1.0) ** slope
    noise = shape_noise(generator.standard_normal(times.size, dtype=np.float32), spectrum)
    noise *= generator.lognormal(np.log(100.0), 0.6)
    for pop in generator.integers(0, times.size, generator.poisson(0.3 * times[-1])):
        after = times[: times.size - pop]
        noise[pop:] += generator.normal(0.0, 500.0) * np.exp(-after / 0.05)
    channel = int(generator.integers(signals.shape[0]))
    signals[channel, first : first + times.size] += noise * _taper(times, 0.3)


def add_muscle(signals: np.ndarray, rate: float, shafts: np.ndarray, generator: np.random.Generator) -> None:
    """Muscle: bursts of 20 to 200 Hz on the outer contacts, often as regular as chewing."""
    first, times = _stretch(signals.shape[1], rate, 4.0, 30.0, generator)
    frequencies = spectrum_frequencies(times.size, rate)
    spectrum = 1.0 / (1.0 + (20.0 / np.maximum(frequencies, 0.1)) ** 6) / (1.0 + (frequencies / 200.0) ** 4)
    bursts = np.ones_like(times)
    if generator.random() < 0.6:
        bursts = np.maximum(np.sin(2 * np.pi * generator.uniform(0.8, 2.5) * times), 0.0) ** 2
    amplitude = generator.lognormal(np.log(55.0), 0.5)
    for shaft in np.unique(shafts):
        for depth, channel in enumerate(np.flatnonzero(shafts == shaft)[::-1][:6]):
            noise = shape_noise(generator.standard_normal(times.size, dtype=np.float32), spectrum)
            gain = amplitude * 0.65**depth * generator.uniform(0.5, 1.3)
            signals[channel, first : first + times.size] += gain * bursts * _taper(times, 0.5) * noise


# Mean number in ten minutes.
_RATES = {add_rhythmic_movement: 2.5, add_movement: 5.0, add_contact_noise: 8.0, add_muscle: 3.0}


def add_artefacts(signals: np.ndarray, rate: float, shafts: np.ndarray, generator: np.random.Generator) -> None:
    """Add the artefacts of a recording; some patients move much more than others."""
    restlessness = generator.lognormal(0.0, 0.5)
    minutes = signals.shape[1] / rate / 60
    for add, per_ten_minutes in _RATES.items():
        for _ in range(generator.poisson(per_ten_minutes * restlessness * minutes / 10)):
            add(signals, rate, shafts, generator)
