"""Random changes of training windows that a recording of another site could show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .ictal_rhythms import IctalRhythm
from .lookalikes import add_background_rhythm, add_drift, replace_by_noise

if TYPE_CHECKING:
    from datasets import Dataset


# Of a channel, in microvolts: between what is usual in the background and in a seizure.
EQUAL_DEVIATION = 80.0
_PROBABILITIES = (
    "equalize",
    "polarity",
    "low_pass",
    "high_pass",
    "subset",
    "rhythm",
    "lookalike",
    "drift",
    "noise",
    "shorter",
)


@dataclass(frozen=True)
class Augmentation:
    """Amplitude, speed, spectrum, polarity, number of channels and noise of a window, drawn anew each time.

    Attributes
    ----------
    gain : float
        The logarithm of a factor of the window has a Laplace distribution with this scale: amplitudes say much about
        what is a seizure and mostly stay about what they are, but units are not always to be trusted.
    equalize : float
        Probability that all channels get the same standard deviation, `EQUAL_DEVIATION`, so that nothing but the shape
        tells a seizure.
    channel_gain : float
        Standard deviation of the logarithm of a further factor of each channel.
    polarity : float
        Probability that the sign of all channels is reversed.
    speed : float
        The window is played between `1 / speed` and `speed` times as fast, uniform in the logarithm, so that rhythms
        have other frequencies. What a faster window lacks at its end is its own mirror image.
    tilt : float
        The spectrum is multiplied by the frequency to a power between `-tilt` and `tilt`.
    low_pass : float
        Probability of a low-pass filter, as of slower or older amplifiers.
    cutoff : tuple[float, float]
        Range of its cut-off frequency [Hz].
    high_pass : float
        Probability of a high-pass filter, as of amplifiers that are not coupled to direct current.
    high_pass_cutoff : tuple[float, float]
        Range of its cut-off frequency [Hz].
    subset : float
        Probability that a random number of the channels is kept.
    rhythm : float
        Probability of an `IctalRhythm` in a window with labels, which is then labelled as a seizure unless it is a
        short burst.
    lookalike : float
        Probability, in a window with labels, of a background rhythm, and again of channels with nothing but noise, see
        `lookalikes`.
    drift : float
        Probability of slow drifts and steps of electrodes.
    noise : float
        Probability of added white noise.
    noise_level : tuple[float, float]
        Range of its standard deviation, relative to that of the channel.
    shorter : float
        Probability that only some consecutive patches of the window are kept, 1 to all but one; needs a collator with
        `cut_to_shortest` and rows with labels, which tell the patches.
    """

    gain: float = 0.5
    equalize: float = 0.0
    channel_gain: float = 0.2
    polarity: float = 0.5
    speed: float = 1.5
    tilt: float = 0.6
    low_pass: float = 0.4
    cutoff: tuple[float, float] = (35.0, 120.0)
    high_pass: float = 0.5
    high_pass_cutoff: tuple[float, float] = (0.5, 4.0)
    subset: float = 0.5
    rhythm: float = 0.0
    lookalike: float = 0.0
    drift: float = 0.0
    noise: float = 0.3
    noise_level: tuple[float, float] = (0.02, 0.3)
    shorter: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.speed <= 2:
            # A window played more than twice as fast does not fill itself with one mirror image.
            raise ValueError(f"speed is {self.speed}; it must lie between 1 and 2")
        for name in ("gain", "channel_gain", "tilt"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in ("cutoff", "high_pass_cutoff"):
            lowest, highest = getattr(self, name)
            if not 0 < lowest <= highest:
                raise ValueError(f"{name} is {(lowest, highest)}; it is a lowest and a highest frequency above 0 [Hz]")
        if not 0 <= self.noise_level[0] <= self.noise_level[1]:
            raise ValueError(f"noise_level is {self.noise_level}; it is a smallest and a largest factor")
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a probability, 0 to 1")

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
        if rng.random() < self.subset:
            kept = self._random_subset(len(signal), rng)
            signal = signal[kept]
            labels = None if labels is None else labels[kept]
        if labels is not None and rng.random() < self.shorter:
            signal, labels = _part(signal, labels, rng)
        if not np.isnan(signal).any():
            position = _positions(signal.shape[1], self.speed ** rng.uniform(-1, 1))
            signal = _at(signal, position)
            if labels is not None:
                labels = _labels_at(labels, position)
                signal, labels = self._add_rhythms(signal, labels, sampling_rate, rng)
            if rng.random() < self.drift:
                signal = add_drift(signal, sampling_rate, rng)
            signal = _filter(signal, self._response(signal.shape[1], sampling_rate, rng))
        if rng.random() < self.equalize:
            signal *= EQUAL_DEVIATION / np.maximum(np.nanstd(signal, axis=1, keepdims=True), 1e-6)
        factor = np.exp(rng.laplace(0, self.gain) + rng.normal(0, self.channel_gain, (len(signal), 1)))
        if rng.random() < self.polarity:
            factor = -factor
        signal *= factor.astype(np.float32)
        if rng.random() < self.noise:
            deviation = np.nanstd(signal, axis=1, keepdims=True) * rng.uniform(*self.noise_level)
            signal += rng.standard_normal(signal.shape, np.float32) * deviation
        changed = {**row, "input_values": signal}
        return changed if labels is None else {**changed, "labels": labels}

    def _add_rhythms(
        self, signal: np.ndarray, labels: np.ndarray, sampling_rate: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if rng.random() < self.lookalike:
            signal = add_background_rhythm(signal, sampling_rate, rng)
        if rng.random() < self.rhythm:
            signal, labels = IctalRhythm().add(signal, labels, sampling_rate, rng)
        if rng.random() < self.lookalike:
            signal, labels = replace_by_noise(signal, labels, sampling_rate, rng)
        return signal, labels

    def _response(self, samples: int, sampling_rate: float, rng: np.random.Generator) -> np.ndarray:
        """Magnitude response of the tilt and of Butterworth filters; 1 at 10 Hz without the latter."""
        frequencies = np.fft.rfftfreq(samples, 1 / sampling_rate)
        response = (np.maximum(frequencies, 1.0) / 10) ** rng.uniform(-self.tilt, self.tilt)
        if rng.random() < self.low_pass:
            cutoff = np.exp(rng.uniform(*np.log(self.cutoff)))
            response = response / np.sqrt(1 + (frequencies / cutoff) ** 8)  # fourth order
        if rng.random() < self.high_pass:
            cutoff = np.exp(rng.uniform(*np.log(self.high_pass_cutoff)))
            squared = (frequencies / cutoff) ** 4  # second order
            response = response * np.sqrt(squared / (1 + squared))
        return response.astype(np.float32)

    @staticmethod
    def _random_subset(channels: int, rng: np.random.Generator) -> np.ndarray:
        """Sorted positions of 1 to `channels` channels; the logarithm of their number is uniform."""
        count = int(np.exp(rng.uniform(0, np.log(channels + 1))))
        return np.sort(rng.permutation(channels)[: min(max(count, 1), channels)])


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


def _filter(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Multiply the spectrum of `(channels, samples)` by a real response."""
    return np.fft.irfft(np.fft.rfft(signal, axis=1) * response, signal.shape[1], axis=1).astype(np.float32)
