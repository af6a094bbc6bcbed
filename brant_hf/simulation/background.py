"""What a depth contact records between seizures: 1/f activity, slow-wave sleep, interictal spikes and line noise.

Signals are (C, samples) float32 [microvolts] at `rate` [Hz]. `contacts` (C, 3) are positions [mm], `scale` (C,) is the
root mean square of the waking background of each channel [microvolts].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from .anatomy import distances
from .epileptor import SOURCE_RATE

HIGH_PASS = 0.5
"""Corner [Hz] of the recording's high-pass."""
_LOCAL_LENGTH = 6.0
_SLEEP_LENGTH = 40.0
_SLEEP_RAMP = 8.0


def shape_noise(noise: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """Filter white noise by a spectrum and scale it to unit variance over its whole length.

    Parameters
    ----------
    noise : array, shape (samples,), float32
    amplitude : array, shape (next_fast_len(samples) // 2 + 1,)
        Amplitude spectrum, at the frequencies of `spectrum_frequencies`.
    """
    samples = noise.shape[-1]
    length = next_fast_len(samples, real=True)
    shaped = irfft(rfft(noise, length) * amplitude, length)[:samples]
    shaped -= shaped.mean()
    return (shaped / shaped.std()).astype(np.float32)


def spectrum_frequencies(samples: int, rate: float) -> np.ndarray:
    """Frequencies [Hz] at which `shape_noise` takes its spectrum for a signal of `samples` samples."""
    return rfftfreq(next_fast_len(samples, real=True), 1.0 / rate)


def _high_pass(frequencies: np.ndarray) -> np.ndarray:
    return frequencies**2 / (frequencies**2 + HIGH_PASS**2)


def _bump(frequencies: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((frequencies - centre) / width) ** 2)


def _mixing(contacts: np.ndarray, length: float) -> np.ndarray:
    """Matrix (C, C) that gives independent noises a correlation exp(-distance / length) and unit variance."""
    correlation = np.exp(-distances(contacts, contacts) / length)
    return np.linalg.cholesky(correlation + 1e-6 * np.eye(len(contacts))).astype(np.float32)


def background(contacts: np.ndarray, samples: int, rate: float, generator: np.random.Generator) -> np.ndarray:
    """Waking background: 1/f noise with a rhythm of theta, alpha or beta, correlated over a few millimetres."""
    count = len(contacts)
    signals = generator.standard_normal((count, samples), dtype=np.float32)
    signals = _mixing(contacts, _LOCAL_LENGTH) @ signals
    frequencies = spectrum_frequencies(samples, rate)
    # Grey matter records two to three times the amplitude of white matter; both lie along every shaft.
    scale = generator.lognormal(np.log(32.0), 0.35, count).clip(12.0, 90.0)
    exponent = generator.uniform(0.9, 1.2, count)
    rhythm = generator.choice([6.0, 9.5, 11.0, 17.0, 22.0], count)
    strength = generator.lognormal(np.log(0.15), 0.9, count)
    for channel in range(count):
        # The spectrum of cortex falls more steeply above some 60 Hz (Miller et al., PLoS Comput Biol, 2009).
        spectrum = 1.0 / np.maximum(frequencies, HIGH_PASS) ** exponent[channel] / (1.0 + (frequencies / 60.0) ** 2)
        peak = strength[channel] * _bump(frequencies, rhythm[channel], 1.2)
        spectrum = _high_pass(frequencies) * (spectrum + peak) + 0.001
        signals[channel] = shape_noise(signals[channel], spectrum) * scale[channel]
    return signals


def rhythmic_runs(
    contacts: np.ndarray, scale: np.ndarray, samples: int, rate: float, generator: np.random.Generator
) -> np.ndarray:
    """Make runs of theta and alpha (3.5 to 12 Hz) of 4 to 25 s on neighbouring contacts, as in drowsiness."""
    signals = np.zeros((len(contacts), samples), np.float32)
    for _ in range(generator.poisson(20 * samples / rate / 600)):
        length = int(min(generator.uniform(4.0, 25.0) * rate, samples))
        first = int(generator.integers(0, samples - length + 1))
        frequencies = spectrum_frequencies(length, rate)
        centre = generator.uniform(3.5, 12.0)
        spectrum = _bump(frequencies, centre, 0.5) + 0.25 * _bump(frequencies, 2 * centre, 0.8)
        run = shape_noise(generator.standard_normal(length, dtype=np.float32), spectrum)
        run *= np.hanning(length)
        apart = distances(contacts[[generator.integers(len(contacts))]], contacts)[0]
        gain = scale * np.exp(-((apart / generator.uniform(8.0, 25.0)) ** 2)) * generator.uniform(1.5, 5.0)
        signals[:, first : first + length] += gain[:, None].astype(np.float32) * run.astype(np.float32)
    return signals


@dataclass(frozen=True)
class Sleep:
    """Stretches of slow-wave sleep: starts and ends [s]."""

    stretches: list[tuple[float, float]]

    def depth(self, times: np.ndarray) -> np.ndarray:
        """Depth of sleep between 0 (awake) and 1 at `times` [s], rising and falling over seconds."""
        depth = np.zeros(times.shape)
        for start, stop in self.stretches:
            inside = np.minimum(times - start, stop - times) / _SLEEP_RAMP
            depth = np.maximum(depth, np.clip(inside, 0.0, 1.0))
        return depth


def random_sleep(duration: float, generator: np.random.Generator) -> Sleep:
    """Draw the slow-wave sleep of a recording [s]: none in a third of them, else one or two stretches."""
    if generator.random() < 1 / 3:
        return Sleep([])
    stretches = []
    for _ in range(int(generator.integers(1, 3))):
        length = generator.uniform(0.1, 0.35) * duration
        start = generator.uniform(0.0, duration - length)
        stretches.append((float(start), float(start + length)))
    return Sleep(stretches)


def slow_waves(
    sleep: Sleep, contacts: np.ndarray, scale: np.ndarray, samples: int, rate: float, generator: np.random.Generator
) -> np.ndarray:
    """Slow waves (0.5 to 2 Hz) on all contacts and spindles (12 to 14 Hz) on some, while asleep."""
    count = len(contacts)
    signals = np.zeros((count, samples), np.float32)
    mixing = _mixing(contacts, _SLEEP_LENGTH)
    delta_gain = scale * generator.lognormal(np.log(2.6), 0.25, count)
    spindle_gain = scale * generator.lognormal(np.log(0.7), 0.6, count)
    for start, stop in sleep.stretches:
        first, last = int(start * rate), min(int(stop * rate), samples)
        length = last - first
        times = np.arange(first, last) / rate
        frequencies = spectrum_frequencies(length, rate)
        # Slow waves are steeper on one flank, which puts energy at their second harmonic.
        delta = _high_pass(frequencies) * (_bump(frequencies, 0.9, 0.4) + 0.25 * _bump(frequencies, 1.9, 0.6))
        spindle = _bump(frequencies, generator.uniform(12.0, 14.0), 0.5)
        depth = sleep.depth(times).astype(np.float32)
        noise = mixing @ generator.standard_normal((count, length), dtype=np.float32)
        bursts = shape_noise(generator.standard_normal(length, dtype=np.float32), _bump(frequencies, 0.0, 0.15))
        waxing = np.maximum(bursts - 1.0, 0.0)
        for channel in range(count):
            waves = shape_noise(noise[channel], delta) * delta_gain[channel]
            spindles = shape_noise(noise[channel], spindle) * spindle_gain[channel] * waxing
            signals[channel, first:last] += depth * (waves + spindles)
    return signals


def line_noise(frequency: float, count: int, samples: int, rate: float, generator: np.random.Generator) -> np.ndarray:
    """Line noise and its harmonics up to the fifth, slowly wandering in amplitude, stronger on some contacts."""
    times = np.arange(samples) / rate
    wander = np.interp(times, np.linspace(0, times[-1], 12), generator.uniform(0.6, 1.4, 12))
    scale = generator.lognormal(np.log(1.5), 0.7, count).clip(0.2, 25.0)
    signals = np.zeros((count, samples), np.float32)
    for harmonic in range(1, 6):
        if harmonic * frequency >= 0.48 * rate:
            break
        # The harmonics keep their own phase on a contact; odd ones dominate.
        phase = generator.uniform(0, 2 * np.pi) + generator.normal(0.0, 0.4, count)
        amplitude = scale * (1.0 if harmonic == 1 else generator.uniform(0.05, 0.4) / harmonic * (1 + harmonic % 2))
        angle = 2 * np.pi * harmonic * frequency * times
        sine, cosine = (wander * np.sin(angle)).astype(np.float32), (wander * np.cos(angle)).astype(np.float32)
        weights = np.stack([amplitude * np.cos(phase), amplitude * np.sin(phase)], axis=1).astype(np.float32)
        signals += weights @ np.stack([sine, cosine])
    return signals


def spike_waveform(width: float, slow_wave: float) -> np.ndarray:
    """Return an interictal spike of unit peak, 0.1 s after the start, with its slow wave, at `SOURCE_RATE`.

    `width` is the standard deviation of the spike [s], 0.008 to 0.02 (20 to 70 ms at its foot), `slow_wave` the
    amplitude of the wave relative to it.
    """
    times = np.arange(round(0.8 * SOURCE_RATE)) / SOURCE_RATE - 0.1
    spike = np.exp(-0.5 * (times / width) ** 2)
    rebound = 0.35 * np.exp(-0.5 * ((times - 3.0 * width) / (1.3 * width)) ** 2)
    wave = slow_wave * np.exp(-0.5 * ((times - 0.22) / 0.07) ** 2)
    return -spike + rebound - wave


def interictal_spikes(
    foci: list[np.ndarray],
    neighbours: np.ndarray,
    spikes_per_minute: float,
    sleep: Sleep,
    duration: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Interictal spikes of the epileptogenic zones, with the regions that they reach a few tens of milliseconds later.

    As sources (R, samples) at `SOURCE_RATE`, in units of the seizure amplitude. `neighbours` (R, R) are regions in
    the order of their input from each region; `spikes_per_minute` is the mean rate awake, which sleep doubles.
    """
    samples = int(duration * SOURCE_RATE)
    sources = np.zeros((len(neighbours), samples), np.float32)
    times = np.sort(generator.uniform(0.0, duration, generator.poisson(2 * spikes_per_minute * duration / 60)))
    kept = generator.random(times.size) < 0.5 * (1 + sleep.depth(times))
    shapes = [spike_waveform(generator.uniform(0.008, 0.02), generator.uniform(0.1, 0.6)) for _ in foci]
    for time in times[kept]:
        zone = int(generator.integers(len(foci)))
        origin = int(generator.choice(foci[zone]))
        reached = [origin, *neighbours[origin][: generator.integers(0, 5)]]
        delays = np.concatenate([[0.0], np.cumsum(generator.uniform(0.008, 0.04, len(reached) - 1))])
        heights = generator.lognormal(np.log(0.6), 0.4) * np.concatenate(
            [[1.0], generator.uniform(0.2, 0.8, len(reached) - 1)]
        )
        for region, delay, height in zip(reached, delays, heights, strict=True):
            first = int((time + delay) * SOURCE_RATE)
            waveform = shapes[zone][: max(samples - first, 0)]
            sources[region, first : first + waveform.size] += height * waveform
    return sources
