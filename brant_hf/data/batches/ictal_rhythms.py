"""Rhythms as seizures show them, added to windows for training.

The seizures of virtual patients come from one model of neural populations. Those of real patients begin and go on in
more ways (Perucca et al., Brain 137:183, 2014; Lagarde et al., Epilepsia 60:96, 2019): fast activity, sharp theta and
alpha rhythms, rhythmic spikes, rhythms that slow down. These are drawn here without any mechanism.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..windows import IGNORED_LABEL

# Lengths [s] of a seizure, which may begin before the window and end after it, and of a burst.
DURATION = (8.0, 80.0)
BURST_DURATION = (0.3, 2.5)
BURST_PROBABILITY = 0.25
# Most rhythms that follow each other, as fast activity that becomes rhythmic spikes.
MAX_PHASES = 3
# Of each rhythm: the frequency at its onset [Hz], the factor of the frequency at its end, and how far the logarithm of
# the frequency wanders within a second.
FREQUENCY = (1.5, 60.0)
SLOWING = (0.2, 1.2)
IRREGULARITY = (0.02, 0.5)
# Peak amplitude relative to the standard deviation of the channel, and the least there is [microvolts]: rhythms of
# real seizures are large, and healthy rhythms of some tens of microvolts can make up most of a quiet channel.
AMPLITUDE = (1.5, 20.0)
LEAST_AMPLITUDE = (50.0, 500.0)
# How often, and how far, the background becomes weaker meanwhile, as where a seizure begins with fast activity of low
# voltage. Such a rhythm may be smaller than the least amplitude.
SUPPRESSION_PROBABILITY = 0.3
SUPPRESSION = (0.15, 0.8)


def add_ictal_rhythm(
    signal: np.ndarray, labels: np.ndarray, sampling_rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add one to three rhythms in a row that begin, grow, slow down and end, or a short burst, which is background.

    Parameters
    ----------
    signal : np.ndarray
        (channels, samples) [microvolts].
    labels : np.ndarray
        (channels, patches), 0 or 1 or -100.
    sampling_rate : float
        [Hz].
    rng : np.random.Generator
        Source of all choices.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        Signal and labels with the rhythm on some channels. A patch is a seizure where the rhythm lasts for half of it
        and is larger than what else the channel holds, unknown (-100) where it is weaker or shorter, and keeps its
        label elsewhere.
    """
    channels, samples = signal.shape
    seconds = samples / sampling_rate
    is_burst = rng.random() < BURST_PROBABILITY
    duration = _log_uniform(rng, *(BURST_DURATION if is_burst else DURATION))
    onset = rng.uniform(0, seconds) if is_burst else rng.uniform(-0.7 * duration, 0.9 * seconds)
    since_onset = np.arange(samples) / sampling_rate - onset
    chosen = rng.permutation(channels)[: int(np.exp(rng.uniform(0, np.log(channels + 1))))]
    chosen = chosen if len(chosen) else np.array([rng.integers(channels)])
    delays = np.abs(rng.normal(0, 0.05 if is_burst else 1.5, len(chosen)))
    # Near each other, contacts show the same waves at the same time; farther away, other ones that keep in step.
    spread, have_own_waves = _log_uniform(rng, 0.05, 2.0), rng.random() < 0.5
    phases = _phases(since_onset, duration, 1 if is_burst else MAX_PHASES, sampling_rate, rng)
    growth = rng.uniform(0.02, 0.4) * duration
    deviation = signal.std(axis=1)
    signal, labels = signal.copy(), labels.copy()
    relative, least = _log_uniform(rng, *AMPLITUDE), _log_uniform(rng, *LEAST_AMPLITUDE)
    background = 1.0
    if not is_burst and rng.random() < SUPPRESSION_PROBABILITY:
        background, least = _log_uniform(rng, *SUPPRESSION), 0.0
    for channel, delay in zip(chosen, delays, strict=True):
        peak = background * max(relative * deviation[channel], least) * np.exp(rng.normal(0, 0.3))
        envelope = peak * _envelope(since_onset - delay, duration - delay, growth, rng)
        left = 1 + (background - 1) * np.clip(envelope / max(peak, 1e-6) * 4, 0, 1)
        lag = rng.normal(0, spread)
        rhythm = sum(phase(lag, have_own_waves, rng) for phase in phases)
        signal[channel] = left * signal[channel] + rng.choice([-1, 1]) * envelope * rhythm
        if not is_burst:
            _label(labels[channel], envelope / np.maximum(left * deviation[channel], 1e-6))
    return signal, labels


def _phases(
    since_onset: np.ndarray, duration: float, most: int, sampling_rate: float, rng: np.random.Generator
) -> list[_Phase]:
    """Rhythms that share the duration among them."""
    shares = rng.dirichlet(np.ones(rng.integers(1, most + 1)) * 2) * duration
    phases = []
    for begin, length in zip(np.cumsum(shares) - shares, shares, strict=True):
        since = since_onset - begin
        # The first one also covers what channels show before, the last one what they show later.
        rise = np.inf if begin == 0 else since / 0.3 + 0.5
        fall = np.inf if begin + length >= duration - 1e-6 else (length - since) / 0.3 + 0.5
        phases.append(
            _Phase(
                angle=_angle(since, length, sampling_rate, rng),
                weight=np.clip(np.minimum(rise, fall), 0, 1) * np.exp(rng.normal(0, 0.3)),
                shape=_Waveform.random(rng),
            )
        )
    return phases


def _angle(since_onset: np.ndarray, duration: float, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Phase angle of a frequency that changes exponentially and wanders."""
    from scipy.signal import lfilter

    progress = np.clip(since_onset / duration, 0, 1)
    frequency = _log_uniform(rng, *FREQUENCY) * _log_uniform(rng, *SLOWING) ** progress
    # A random walk that returns to 0 within about a second, of unit variance.
    keep = np.exp(-1 / sampling_rate)
    steps = rng.normal(0, np.sqrt(1 - keep**2), len(since_onset))
    walk = lfilter([1], [1, -keep], steps)
    wander = np.exp(_log_uniform(rng, *IRREGULARITY) * np.clip(walk, -2, 2))
    return 2 * np.pi * np.cumsum(np.maximum(frequency, 1.0) * wander) / sampling_rate


@dataclass(frozen=True)
class _Phase:
    """One rhythm: its phase angle and weight over time, and its waveform."""

    angle: np.ndarray
    weight: np.ndarray
    shape: _Waveform

    def __call__(self, lag: float, has_own_shape: bool, rng: np.random.Generator) -> np.ndarray:
        shape = _Waveform.random(rng) if has_own_shape else self.shape
        angle = self.angle + lag
        periods = (angle - angle[0]) / (2 * np.pi)
        each = np.exp(rng.normal(0, shape.jitter, int(periods[-1]) + 2))
        wave = np.interp(periods, np.arange(len(each)), each) * shape(angle)
        return self.weight * (wave + shape.roughness * _noise(len(self.angle), rng))


@dataclass(frozen=True)
class _Waveform:
    """A periodic shape of unit variance: a sine, spikes, spikes or polyspikes with a slow wave.

    Attributes
    ----------
    sharpness : float
        0 for a sine; the larger, the narrower the spikes.
    spikes : int
        Spikes of a period, a twelfth of it apart.
    slow_wave : float
        Amplitude of a sine of the same period, relative to the spikes.
    harmonic : float
        Amplitude of a sine of half the period.
    angles : tuple[float, float]
        Phases of these two.
    jitter : float
        Standard deviation of the logarithm of the amplitude of single periods.
    roughness : float
        Standard deviation of the noise that goes with it.
    """

    sharpness: float
    spikes: int
    slow_wave: float
    harmonic: float
    angles: tuple[float, float]
    jitter: float
    roughness: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> _Waveform:
        return cls(
            sharpness=rng.choice([0.0, rng.uniform(0, 3), _log_uniform(rng, 3, 30)]),
            spikes=int(rng.choice([1, 1, 2, 3, 4])),
            slow_wave=rng.choice([0.0, rng.uniform(0, 0.7)]),
            harmonic=rng.uniform(0, 0.5),
            angles=(rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)),
            jitter=rng.uniform(0, 0.7),
            roughness=rng.uniform(0.02, 0.6),
        )

    def __call__(self, phase: np.ndarray) -> np.ndarray:
        if self.sharpness:
            shifts = np.arange(self.spikes)[:, None] * np.pi / 6
            wave = np.exp(self.sharpness * (np.cos(phase - shifts) - 1)).sum(axis=0)
        else:
            wave = np.cos(phase)
        wave = wave + self.slow_wave * np.cos(phase + self.angles[0])
        wave = wave + self.harmonic * np.cos(2 * phase + self.angles[1]) * (0.3 if self.sharpness else 1.0)
        wave = wave - wave.mean()
        return wave / max(float(wave.std()), 1e-6)


def _envelope(since_onset: np.ndarray, duration: float, growth: float, rng: np.random.Generator) -> np.ndarray:
    """From 0 through a low beginning up to about 1, with slow fluctuations, and down within half a second."""
    start = rng.uniform(0.1, 1.0)
    rise = start + (1 - start) * (1 - np.exp(-np.clip(since_onset, 0, None) / growth))
    rate = rng.uniform(0.1, 1.0)
    fluctuation = 1 + rng.uniform(0, 0.5) * np.sin(2 * np.pi * rate * since_onset + rng.uniform(0, 2 * np.pi))
    edges = np.clip(since_onset / 0.2, 0, 1) * np.clip((duration - since_onset) / 0.5, 0, 1)
    return rise * fluctuation * edges


def _noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance whose spectrum falls slowly, as of many cells out of step."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** 0.3
    noise = np.fft.irfft(spectrum, samples)
    return noise / noise.std()


def _label(labels: np.ndarray, envelope: np.ndarray) -> None:
    """Label the patches of one channel by how long and how strong the rhythm is in them."""
    patches = np.reshape(envelope, (len(labels), -1))
    present, strong = (patches > 0).mean(axis=1), (patches > 1).mean(axis=1)
    background = labels == 0
    labels[background & (present > 0.1)] = IGNORED_LABEL
    labels[background & (present >= 0.5) & (strong >= 0.5)] = 1


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
