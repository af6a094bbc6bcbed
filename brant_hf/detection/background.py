"""The decision relative to a recording: how far its channels rise above their own background."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..data.windows import MAX_MISSING
from .decision import logit, sigmoid

# The background of all patches of such a stretch [s] is estimated at once.
_STEP_S = 60.0
# Patches that the median of many is taken of lie this far apart [s]: those between hardly change it.
_SPACING_S, _MANY = 5.0, 600
# The highest scores are those of such stretches [s]; what was usual for them counts as much as so long a recording.
_PEAK_S, _PEAK_EVIDENCE_S = 60.0, 400.0
# Probabilities this near to 0 or 1 do not count as more extreme.
_SMALLEST = 2e-3
# How far the logarithm of the line length of a patch may be above what is usual for its channel, to count: artefacts
# have more than any seizure. A stretch of so many seconds [s] says half of what a long one says about what is usual:
# most of an excerpt may be a seizure.
_LARGEST_RISE, _LINE_LENGTH_EVIDENCE_S = 0.5, 20.0
# Channels, and patches of all of them, that are worked on at a time.
_CHANNELS, _PATCHES = 16, 4096


@dataclass(frozen=True, kw_only=True)
class Background:
    """How the probabilities of a recording are compared with those of its own background.

    The logit of each channel is averaged over `smoothing`, and what is usual for the channel is taken off: the median
    of the stretch of `window` around, drawn towards `usual` as long as the stretch is short. The score of a patch is
    the mean of the highest channels, less what is usual for that mean in the same stretch. It has to reach `offset`.
    With a `calm_offset`, less is enough in a calm recording: `margin` above the highest score of a usual minute.

    What a model says of a window does not know the rest of the recording. With a `line_length_weight` (`weigh`), it
    counts more where a channel has more line length than usual for it. It does not count less where there is less:
    seizures can be slow.

    Attributes
    ----------
    usual : float
        Logit of background, as it is in the recordings that the detector was validated on.
    evidence : float
        A stretch of this length [s] says as much about the background as `usual`.
    window : float
        Length [s] of the stretch; the background follows changes that are slower, as from wakefulness to sleep.
    smoothing : float
        Time [s] that logits are averaged over.
    offset : float
        Score at which the recording probability is 0.5; with a `calm_offset`, the highest one.
    calm_offset : float or None
        The lowest one, at most `offset`; `None` for `offset` throughout.
    margin : float
        How far that is above the median, over the stretch, of the highest score of each minute, which counts as far as
        it leads to `offset`.
    usual_peak : float
        Stands for that median while the stretch is short. With the past alone, `offset` is asked for as long as little
        is known: a recording that has just begun may become restless.
    line_length_weight : float
        The logit of a patch rises by so much times the logarithm of its line length relative to the median of the
        stretch, which counts from 0 to 0.5. 0 for the model alone.
    causal : bool
        Look at the past alone, as while a recording goes on; else as far ahead as back.
    """

    usual: float
    evidence: float = 300.0
    window: float = 3600.0
    smoothing: float = 7.0
    offset: float = 3.0
    calm_offset: float | None = None
    margin: float = 1.7
    usual_peak: float = 1.3
    line_length_weight: float = 0.0
    causal: bool = False

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if name == "causal" or (name == "calm_offset" and value is None):
                continue
            if not (isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)):
                raise ValueError(f"{name} of the background is {value!r}; it must be a number")
            if name in ("evidence", "window", "smoothing") and value <= 0:
                raise ValueError(f"{name} of the background is {value!r}; it must be a number of seconds above 0")
        if self.calm_offset is not None and self.calm_offset > self.offset:
            raise ValueError(
                f"calm_offset of the background is {self.calm_offset!r}; it must be at most the offset, "
                f"{self.offset!r}"
            )
        if self.line_length_weight < 0:
            raise ValueError(
                f"line_length_weight of the background is {self.line_length_weight!r}; it must be 0 or more"
            )
        if not isinstance(self.causal, bool):
            raise ValueError(f"causal of the background is {self.causal!r}; it must be true or false")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values."""
        return asdict(self)

    def weigh(self, probabilities: np.ndarray, line_length: np.ndarray, patch_s: float) -> None:
        """Raise probabilities where a channel has more line length than usual for it; none with a weight of 0.

        Parameters
        ----------
        probabilities : np.ndarray
            Of the model, (channels, patches) float32, NaN for what is missing; changed in place.
        line_length : np.ndarray
            Of each patch, see `line_length`, (channels, patches), in any unit; where it is 0, nothing is known.
        patch_s : float
            Length of a patch [s].
        """
        if not self.line_length_weight:
            return
        for rows, seen in _alike(probabilities):
            place = np.ix_(rows, seen)
            length = line_length[place].astype(np.float32)
            logarithm = np.log(np.where(length > 0, length, np.nan))
            rise = np.empty_like(logarithm)
            for patches, stretch, seconds in self._stretches(len(seen), patch_s):
                rise[:, patches] = logarithm[:, patches] - _median(logarithm[:, stretch])
                rise[:, patches] *= seconds / (seconds + _LINE_LENGTH_EVIDENCE_S)
            rise = self.line_length_weight * np.clip(rise, 0, _LARGEST_RISE)
            given = probabilities[place]
            probabilities[place] = np.where(np.isnan(rise), given, sigmoid(logit(given, _SMALLEST) + rise))

    def compare(self, probabilities: np.ndarray, patch_s: float, num_channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities relative to the background.

        Parameters
        ----------
        probabilities : np.ndarray
            Of the model, (channels, patches); NaN for what is missing. That is no background: times count what was
            recorded alone.
        patch_s : float
            Length of a patch [s].
        num_channels : int
            Channels to average for the whole recording, those that rise most; all of them, where there are fewer.

        Returns
        -------
        tuple[np.ndarray, np.ndarray]
            Of the channels, (channels, patches) float32, and of the whole recording, (patches,) float32. NaN for what
            is missing, in the recording where all channels are.
        """
        given = np.asarray(probabilities, np.float32)
        risen = np.full_like(given, np.nan)
        for rows, seen in _alike(given):
            logits = logit(given[np.ix_(rows, seen)], _SMALLEST)
            for piece in np.split(logits, np.flatnonzero(np.diff(seen) > 1) + 1, axis=1):
                piece[:] = self._smoothed(piece, self._width(patch_s))
            logits -= self._level(logits, patch_s, self.usual, self.evidence)
            risen[np.ix_(rows, seen)] = logits
        highest = np.empty((1, risen.shape[1]), np.float32)
        for patches in _blocks(risen.shape[1], _PATCHES):
            highest[0, patches] = self._mean_of_highest(risen[:, patches], num_channels)
        seen = np.flatnonzero(~np.isnan(highest[0]))
        score, offset = np.full_like(highest, np.nan), np.full_like(highest[0], np.nan)
        if seen.size:
            highest = highest[:, seen]
            score[:, seen] = highest - self._level(highest, patch_s, 0.0, self.evidence)
            offset[seen] = self._offset(score[:, seen], patch_s)
        for patches in _blocks(risen.shape[1], _PATCHES):
            risen[:, patches] = sigmoid(risen[:, patches] - offset[patches])
        return risen, sigmoid(score[0] - offset)

    def _mean_of_highest(self, values: np.ndarray, count: int) -> np.ndarray:
        """Return the mean of the `count` highest of each column (or of all); NaN where all are NaN."""
        missing = np.isnan(values)
        if missing.all():
            return values[0]
        if missing.any():
            # A channel that is missing does not agree: it counts as one that is sure of background.
            values = np.where(missing, np.float32(logit(0.0, _SMALLEST) - self.usual), values)
        rank = len(values) - min(count, len(values))
        highest = np.partition(values, rank, axis=0)[rank:].mean(axis=0)
        return np.where(missing.all(axis=0), np.float32(np.nan), highest)

    def reach(self, patch_s: float) -> tuple[int, int]:
        """Return how many patches before a patch, and after it, its smoothed logit is a mean of."""
        width = self._width(patch_s)
        return (width - 1, 0) if self.causal else (width // 2, (width - 1) // 2)

    def _width(self, patch_s: float) -> int:
        return max(round(self.smoothing / patch_s), 1)

    def _offset(self, score: np.ndarray, patch_s: float) -> np.ndarray:
        """Score at which the probability of each patch is 0.5, (patches,), for the scores (1, patches)."""
        from scipy.ndimage import maximum_filter1d

        if self.calm_offset is None:
            return np.full(score.shape[-1], self.offset, np.float32)
        width = max(round(_PEAK_S / patch_s), 1)
        peaks = maximum_filter1d(score, width, axis=-1, mode="nearest", origin=self._origin(width))
        # No more than leads to `offset`: in a short recording, most minutes are near its one seizure.
        peaks = np.minimum(peaks, self.offset - self.margin)
        unknown = self.offset - self.margin if self.causal else self.usual_peak
        usual = self._level(peaks, patch_s, unknown, _PEAK_EVIDENCE_S)[0]
        return np.clip(usual + self.margin, self.calm_offset, self.offset)

    def _origin(self, width: int) -> int:
        """Place of a patch among those that are taken together with it, for filters of SciPy."""
        return (width - 1) // 2 if self.causal else 0

    def _smoothed(self, values: np.ndarray, width: int) -> np.ndarray:
        from scipy.ndimage import uniform_filter1d

        # The mean of the last `width` patches, or of as many before as after; at the borders the outermost repeats.
        return uniform_filter1d(values, width, axis=-1, mode="nearest", origin=self._origin(width))

    def _level(self, values: np.ndarray, patch_s: float, usual: float, evidence: float) -> np.ndarray:
        """Median of the stretch around each patch, (channels, patches), drawn towards `usual` where it is short.

        A stretch of `evidence` [s] counts as much as `usual`.
        """
        level = np.empty_like(values)
        for patches, stretch, seconds in self._stretches(values.shape[-1], patch_s):
            median = np.median(values[:, stretch], axis=-1) if seconds else 0.0
            level[:, patches] = np.expand_dims((seconds * median + evidence * usual) / (seconds + evidence), -1)
        return level

    def _stretches(self, num_patches: int, patch_s: float) -> Iterator[tuple[slice, slice, float]]:
        """Patches whose background is estimated at once, those of the stretch around, and how long that is [s]."""
        step, window = max(round(_STEP_S / patch_s), 1), max(round(self.window / patch_s), 1)
        widest = max(round(_SPACING_S / patch_s), 1)
        for first in range(0, num_patches, step):
            if self.causal:
                start, stop = max(first - window, 0), first
            else:
                start = max(min(first + step // 2 - window // 2, num_patches - window), 0)
                stop = min(start + window, num_patches)
            spacing = widest if stop - start > _MANY else 1
            yield slice(first, first + step), slice(start, stop, spacing), (stop - start) * patch_s


def weighing(background: Background | None) -> tuple[object, ...] | None:
    """Return what `Background.weigh` depends on; `None` where it changes nothing."""
    if background is None or not background.line_length_weight:
        return None
    return background.line_length_weight, background.window, background.causal


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(first, first + size) for first in range(0, length, size))


def _alike(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Channels that miss the same patches, and the patches that they have.

    Few at a time: of a day, each copy of all channels would take as much memory as the rest of a detection.
    """
    alike: dict[bytes, list[int]] = {}
    for channel, row in enumerate(values):
        alike.setdefault(np.packbits(np.isnan(row)).tobytes(), []).append(channel)
    for rows in alike.values():
        seen = np.flatnonzero(~np.isnan(values[rows[0]]))
        yield from ((np.array(rows[block]), seen) for block in _blocks(len(rows), _CHANNELS) if seen.size)


def _median(values: np.ndarray) -> np.ndarray:
    """Median over patches of those that are known, (channels, 1); NaN without any."""
    # Those that are not known come last. `nanmedian` goes through the rows one by one.
    ordered = np.sort(values, axis=1)
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    if not ordered.size:
        return np.full((len(values), 1), np.nan, np.float32)
    middle = [np.take_along_axis(ordered, np.maximum(place, 0), axis=1) for place in ((count - 1) // 2, count // 2)]
    return np.where(count, (middle[0] + middle[1]) / 2, np.nan)


def line_length(signal: np.ndarray, patch_length: int) -> np.ndarray:
    """Sum of the absolute differences of consecutive samples of each patch (Esteller et al., 2001).

    Parameters
    ----------
    signal : np.ndarray
        (..., samples), whole patches; NaN for what was not recorded.
    patch_length : int
        Samples of a patch.

    Returns
    -------
    np.ndarray
        (..., patches). Of a patch that misses samples, the mean difference of those that follow each other stands for
        all; 0, for nothing that is known, where more than half of them are missing.
    """
    patches = signal.reshape(*signal.shape[:-1], -1, patch_length)
    steps = np.abs(np.diff(patches, axis=-1))
    length = steps.sum(axis=-1)
    lacks = np.isnan(length)
    if lacks.any():
        counts = np.isnan(patches[lacks]).sum(axis=-1) <= MAX_MISSING * patch_length
        known = np.logical_not(np.isnan(steps[lacks])).sum(axis=-1)
        mean = np.nansum(steps[lacks], axis=-1) / np.maximum(known, 1)
        length[lacks] = np.where(counts, mean * (patch_length - 1), 0)
    return length


def recording_probability(probabilities: np.ndarray, min_channels: int) -> np.ndarray:
    """Probability that at least `min_channels` channels are in a seizure.

    Parameters
    ----------
    probabilities : np.ndarray
        `(channels, patches)`, NaN for what is missing.
    min_channels : int
        Channels that have to agree; all of them, where there are fewer.

    Returns
    -------
    np.ndarray
        The `min_channels`-th largest probability of each patch, `(patches,)`; NaN where all channels are missing.
    """
    missing = np.isnan(probabilities)
    rank = len(probabilities) - min(min_channels, len(probabilities))
    # A channel that is missing does not agree.
    highest = np.partition(np.where(missing, 0, probabilities), rank, axis=0)[rank]
    return np.where(missing.all(axis=0), np.nan, highest)
