"""Random changes of training windows that a recording of another site could show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .ictal_rhythms import add_ictal_rhythm
from .lookalikes import add_background_rhythm, add_drift, replace_by_noise

if TYPE_CHECKING:
    from datasets import Dataset

# Standard deviation of a channel [microvolts] between what is usual in the background and in a seizure.
EQUAL_DEVIATION = 80.0
# Standard deviation of the logarithm of a factor of each channel, beside that of the window.
CHANNEL_GAIN = 0.2
# Probability that the sign of all channels is reversed.
POLARITY = 0.5
# A window is played between 1 / SPEED and SPEED times as fast, uniform in the logarithm, so that rhythms have other
# frequencies. What a faster window lacks at its end is its own mirror image, which fills it up to twice the speed.
SPEED = 1.5
# The spectrum is multiplied by the frequency to a power between -TILT and TILT.
TILT = 0.6
# Probability and cut-off frequencies [Hz] of a low-pass filter, as of slower or older amplifiers, and of a high-pass
# filter, as of amplifiers that are not coupled to direct current.
LOW_PASS, LOW_PASS_CUTOFF = 0.4, (35.0, 120.0)
HIGH_PASS, HIGH_PASS_CUTOFF = 0.5, (0.5, 4.0)
# Probability that a random number of the channels is kept.
SUBSET = 0.5
# Probability of added white noise, and its standard deviation relative to that of the channel.
NOISE, NOISE_LEVEL = 0.3, (0.02, 0.3)


@dataclass(frozen=True)
class Augmentation:
    """Amplitude, speed, spectrum, polarity, number of channels and noise of a window, drawn anew each time.

    Attributes
    ----------
    gain : float
        The logarithm of a factor of the window has a Laplace distribution with this scale: amplitudes say much about
        what is a seizure and mostly stay about what they are, but units are not always to be trusted.
    equalize : float
        Probability that all channels get the same standard deviation, so that nothing but the shape tells a seizure.
    rhythm : float
        Probability of a drawn ictal rhythm in a window with labels, which is then labelled as a seizure unless it is a
        short burst, see `ictal_rhythms`.
    lookalike : float
        Probability, in a window with labels, of a background rhythm, and again of channels with nothing but noise, see
        `lookalikes`.
    drift : float
        Probability of slow drifts and steps of electrodes.
    shorter : float
        Probability that only some consecutive patches of the window are kept, 1 to all but one; needs a collator with
        `cut_to_shortest` and rows with labels, which tell the patches.
    """

    gain: float = 0.5
    equalize: float = 0.0
    rhythm: float = 0.0
    lookalike: float = 0.0
    drift: float = 0.0
    shorter: float = 0.0

    def __post_init__(self) -> None:
        if not self.gain >= 0:
            raise ValueError(f"gain is {self.gain}; it must be 0 or more")
        for field in fields(self)[1:]:
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}; it is a probability, 0 to 1")

    def __call__(self, row: Mapping[str, Any], sampling_rate: float, rng: np.random.Generator) -> dict[str, Any]:
        """Change one row.

        Parameters
        ----------
        row : Mapping[str, Any]
            With `input_values` (channels, samples) in microvolts and perhaps `labels` (channels, patches).
        sampling_rate : float
            Of the signal [Hz].
        rng : np.random.Generator
            Source of all choices.

        Returns
        -------
        dict[str, Any]
            A new row. Missing samples (NaN) stay missing; a window that has some keeps its speed and its spectrum.
        """
        signal = np.array(row["input_values"], np.float32)
        labels = None if row.get("labels") is None else np.asarray(row["labels"])
        if rng.random() < SUBSET:
            kept = _random_subset(len(signal), rng)
            signal = signal[kept]
            labels = None if labels is None else labels[kept]
        if labels is not None and rng.random() < self.shorter:
            signal, labels = _part(signal, labels, rng)
        if not np.isnan(signal).any():
            position = _positions(signal.shape[1], SPEED ** rng.uniform(-1, 1))
            signal = _at(signal, position)
            if labels is not None:
                labels = _labels_at(labels, position)
                signal, labels = self._add_rhythms(signal, labels, sampling_rate, rng)
            if rng.random() < self.drift:
                signal = add_drift(signal, sampling_rate, rng)
            signal = _filter(signal, _response(signal.shape[1], sampling_rate, rng))
        if rng.random() < self.equalize:
            signal *= EQUAL_DEVIATION / np.maximum(np.nanstd(signal, axis=1, keepdims=True), 1e-6)
        factor = np.exp(rng.laplace(0, self.gain) + rng.normal(0, CHANNEL_GAIN, (len(signal), 1)))
        if rng.random() < POLARITY:
            factor = -factor
        signal *= factor.astype(np.float32)
        if rng.random() < NOISE:
            deviation = np.nanstd(signal, axis=1, keepdims=True) * rng.uniform(*NOISE_LEVEL)
            signal += rng.standard_normal(signal.shape, np.float32) * deviation
        changed = {**row, "input_values": signal}
        return changed if labels is None else {**changed, "labels": labels}

    def _add_rhythms(
        self, signal: np.ndarray, labels: np.ndarray, sampling_rate: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if rng.random() < self.lookalike:
            signal = add_background_rhythm(signal, sampling_rate, rng)
        if rng.random() < self.rhythm:
            signal, labels = add_ictal_rhythm(signal, labels, sampling_rate, rng)
        if rng.random() < self.lookalike:
            signal, labels = replace_by_noise(signal, labels, sampling_rate, rng)
        return signal, labels


class AugmentedWindows(torch.utils.data.Dataset):
    """Training windows with random changes, the same ones for a window in an epoch on every machine.

    Parameters
    ----------
    windows : Dataset
        Rows as `load` gives them.
    augmentation : Augmentation
        The changes.
    sampling_rate : float
        Of the windows [Hz].
    seed : int
        Of all choices.
    """

    def __init__(self, windows: Dataset, augmentation: Augmentation, sampling_rate: float, seed: int = 0) -> None:
        self.windows = windows
        self.augmentation = augmentation
        self.sampling_rate = sampling_rate
        self.seed = seed
        # Shared with the workers of a DataLoader, also with those that outlive an epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw other changes, for the next epoch. `Trainer` calls this."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, int(self._epoch), index])
        return self.augmentation(self.windows[index], self.sampling_rate, rng)


def _random_subset(channels: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted positions of 1 to `channels` channels; the logarithm of their number is uniform."""
    count = int(np.exp(rng.uniform(0, np.log(channels + 1))))
    return np.sort(rng.permutation(channels)[: min(max(count, 1), channels)])


def _part(signal: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return some consecutive patches of a window; the logarithm of their number is uniform."""
    patches = labels.shape[1]
    patch_length = signal.shape[1] // patches
    count = min(int(np.exp(rng.uniform(0, np.log(patches)))), max(patches - 1, 1))
    first = int(rng.integers(patches - count + 1))
    samples = slice(first * patch_length, (first + count) * patch_length)
    return signal[:, samples], labels[:, first : first + count]


def _positions(samples: int, speed: float) -> np.ndarray:
    """Where each of `samples` samples comes from when a window is played `speed` times as fast."""
    position = np.arange(samples) * speed
    last = samples - 1
    return np.clip(last - np.abs(last - position), 0, last)


def _at(signal: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Linear interpolation of `(channels, samples)` at fractional positions."""
    left = np.minimum(position.astype(int), signal.shape[1] - 2)
    part = (position - left).astype(np.float32)
    return signal[:, left] * (1 - part) + signal[:, left + 1] * part


def _labels_at(labels: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Labels `(channels, patches)` of what lies in the middle of each patch once samples come from `position`."""
    patch_length = len(position) // labels.shape[1]
    return labels[:, (position[patch_length // 2 :: patch_length] / patch_length).astype(int)]


def _response(samples: int, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitude response of the tilt and of Butterworth filters; 1 at 10 Hz without the latter."""
    frequencies = np.fft.rfftfreq(samples, 1 / sampling_rate)
    response = (np.maximum(frequencies, 1.0) / 10) ** rng.uniform(-TILT, TILT)
    if rng.random() < LOW_PASS:
        cutoff = np.exp(rng.uniform(*np.log(LOW_PASS_CUTOFF)))
        response = response / np.sqrt(1 + (frequencies / cutoff) ** 8)  # fourth order
    if rng.random() < HIGH_PASS:
        cutoff = np.exp(rng.uniform(*np.log(HIGH_PASS_CUTOFF)))
        squared = (frequencies / cutoff) ** 4  # second order
        response = response * np.sqrt(squared / (1 + squared))
    return response.astype(np.float32)


def _filter(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Multiply the spectrum of `(channels, samples)` by a real response."""
    return np.fft.irfft(np.fft.rfft(signal, axis=1) * response, signal.shape[1], axis=1).astype(np.float32)
