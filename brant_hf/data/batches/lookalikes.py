"""Activity that resembles a seizure and is none, added to windows for training.

Rhythms of the awake and sleeping brain (mu and beta over sensorimotor cortex, alpha, theta, spindles) are broader in
frequency than those of seizures, wax and wane, and do not evolve. An electrode without contact, or the reference
itself, records the noise of the amplifier, which is white and may hold a tone. Electrodes drift and jump by many times
the size of the signal, in a seizure more than elsewhere.

Each function takes a signal (channels, samples) [microvolts] and its `sampling_rate` [Hz], draws all choices from
`rng`, and returns a changed copy.
"""

from __future__ import annotations

import numpy as np

FREQUENCY = (5.0, 32.0)
RELATIVE_BANDWIDTH = (0.15, 1.0)
AMPLITUDE = (8.0, 80.0)
MAX_SHARPNESS = 0.8
DRIFT_AMPLITUDE = (1.0, 10.0)
# One channel of so many may be replaced by noise.
NOISE_SHARE = 8


def add_background_rhythm(signal: np.ndarray, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Add a waxing and waning rhythm of 8 to 80 microvolts (standard deviation) to a random number of channels.

    It is partly common to them.
    """
    channels, samples = signal.shape
    centre = np.exp(rng.uniform(*np.log(FREQUENCY)))
    width = centre * rng.uniform(*RELATIVE_BANDWIDTH) / 2
    frequencies = np.fft.rfftfreq(samples, 1 / sampling_rate)
    response = np.exp(-0.5 * ((frequencies - centre) / width) ** 2)
    count = rng.integers(1, channels + 1)
    chosen = rng.permutation(channels)[:count]
    rhythm = np.fft.irfft(_noise_spectrum(count, samples, rng) * response, samples, axis=1)
    rhythm /= np.maximum(rhythm.std(axis=1, keepdims=True), 1e-6)
    # Mu and beta rhythms are arches and spikes rather than sines: one phase is sharper than the other.
    sharpness = rng.choice([-1, 1]) * rng.uniform(0, MAX_SHARPNESS)
    rhythm = rhythm + sharpness * (rhythm**2 - 1) + sharpness**2 / 2 * (rhythm**3 - 3 * rhythm)
    rhythm *= _waxing(samples, sampling_rate, rng)
    rhythm /= np.maximum(rhythm.std(axis=1, keepdims=True), 1e-6)
    level = np.exp(rng.uniform(*np.log(AMPLITUDE)) + rng.normal(0, 0.2, (count, 1)))
    changed = signal.copy()
    changed[chosen] += (level * rhythm).astype(signal.dtype)
    return changed


def replace_by_noise(
    signal: np.ndarray, labels: np.ndarray, sampling_rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace one channel or some by amplifier noise, some with a tone; their labels (channels, patches) are 0."""
    channels, samples = signal.shape
    chosen = rng.permutation(channels)[: rng.integers(1, max(channels // NOISE_SHARE, 1) + 1)]
    spectrum = np.fft.rfft(rng.standard_normal((len(chosen), samples)), axis=1)
    spectrum[:, 1:] /= np.arange(1, spectrum.shape[1]) ** rng.uniform(0, 0.4)
    noise = np.fft.irfft(spectrum, samples, axis=1)
    noise /= noise.std(axis=1, keepdims=True)
    if rng.random() < 0.6:
        time = np.arange(samples) / sampling_rate
        noise += rng.uniform(0.2, 2) * np.sin(2 * np.pi * rng.uniform(15, 0.45 * sampling_rate) * time)
    level = np.exp(rng.uniform(np.log(0.02), 0)) * signal[chosen].std(axis=1, keepdims=True)
    signal, labels = signal.copy(), labels.copy()
    signal[chosen] = level * noise
    labels[chosen] = 0
    return signal, labels


def add_drift(signal: np.ndarray, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Add slow fluctuations and steps, as they pass a high-pass filter, to a random number of channels.

    They are partly common to these, and one to ten times as large as their standard deviation.
    """
    channels, samples = signal.shape
    count = rng.integers(1, channels + 1)
    chosen = rng.permutation(channels)[:count]
    spectrum = _noise_spectrum(count, samples, rng)
    frequencies = np.fft.rfftfreq(samples, 1 / sampling_rate)
    corner = np.exp(rng.uniform(np.log(0.3), np.log(1.5)))
    slow = np.fft.irfft(spectrum / (1 + (frequencies / corner) ** rng.uniform(2, 5)), samples, axis=1)
    slow /= np.maximum(slow.std(axis=1, keepdims=True), 1e-6)
    time = np.arange(samples) / sampling_rate
    for _ in range(rng.integers(0, 3)):
        since = time - rng.uniform(0, time[-1])
        decay = np.exp(rng.uniform(np.log(0.05), np.log(0.6)))
        slow += np.sign(since) * np.exp(-np.abs(since) / decay) * rng.normal(0, 4, (count, 1))
    lowest, highest = np.log(DRIFT_AMPLITUDE)
    level = np.exp(rng.uniform(lowest, highest, (count, 1))) * signal[chosen].std(axis=1, keepdims=True)
    changed = signal.copy()
    changed[chosen] += (level * _waxing(samples, sampling_rate, rng) * slow).astype(signal.dtype)
    return changed


def _noise_spectrum(count: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Spectra of white noise without a mean that is partly the same for all."""
    share = rng.uniform(0, 1)
    noise = share * rng.standard_normal(samples) + (1 - share) * rng.standard_normal((count, samples))
    return np.fft.rfft(noise - noise.mean(axis=1, keepdims=True), axis=1)


def _waxing(samples: int, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Return a positive factor that wanders within fractions of a second to seconds, and may pause once."""
    frequencies = np.fft.rfftfreq(samples, 1 / sampling_rate)
    # A short window may hold no frequency as low as that, and then nothing wanders.
    is_slow = (frequencies > 0) & (frequencies < rng.uniform(0.3, 3))
    wander = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * is_slow, samples)
    factor = np.exp(rng.uniform(0, 1) * wander / max(float(wander.std()), 1e-6))
    if rng.random() < 0.4:
        start, stop = np.sort(rng.uniform(0, samples, 2)).astype(int)
        factor[start:stop] *= rng.uniform(0.05, 0.5)
    return factor
