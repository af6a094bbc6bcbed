"""Labels and windows of the recordings that a detector is fine-tuned on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data.batches.augmentation import Augmentation, AugmentedWindows
from ..data.dataset.origin import note_origin
from ..data.preprocessing.chain import preprocess
from ..data.recordings.seizures import Seizure
from ..data.windows import SeizureLabeller, slide
from ..events.event import SeizureEvent, merge_events
from .decision import logit
from .pooling import mean_known
from .scoring import TOLERANCE_AFTER_S, TOLERANCE_BEFORE_S

if TYPE_CHECKING:
    from ..data import PreprocessedRecording, Recording
    from .detector import Detector
    from .result import DetectionResult

# Background is cut into stretches of this many windows, every so many-th of which is held back.
STRETCH_WINDOWS = 4
HELD_BACK = 4
# Windows of background to hold back at least: with fewer, what a training does to the background is not seen.
LEAST_HELD_BACK = 2
# Windows of each kind of a recording, and channels of a window, in memory.
MAX_WINDOWS = 400
MAX_CHANNELS = 8
# From one window with a seizure to the next [patches].
STRIDE = 2
# A channel takes part in a seizure when its logit rises at least by this part of the largest rise.
INVOLVED = 0.5
AUGMENTATION = Augmentation(gain=0.1)
# Lengths are multiples of that of a patch, computed in floating point [patches].
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Labelled:
    """A recording, its labels, and what is held back of it; times from its first sample.

    Attributes
    ----------
    recording : Recording
        With the channels of every seizure.
    seizures : tuple[tuple[float, float], ...]
        Onset and offset of each [s], but of those that the border of the recording cuts too short to be found.
    held_back : np.ndarray
        `(patches,)` bool, what is not trained on.
    patch_s : float
        Length of a patch [s].
    result : DetectionResult
        What the start makes of the recording.
    """

    recording: Recording
    seizures: tuple[tuple[float, float], ...]
    held_back: np.ndarray
    patch_s: float
    result: DetectionResult

    @property
    def background(self) -> np.ndarray:
        """`(patches,)` bool, what is no seizure, and not so near to one that an event there may be it."""
        return background_of(self.recording, len(self.held_back), self.patch_s)

    def patches(self, onset: float, offset: float) -> slice:
        """Patches that a stretch touches."""
        first = min(int(onset / self.patch_s), len(self.held_back) - 1)
        return slice(first, max(first + 1, math.ceil(offset / self.patch_s)))

    def is_held_back(self, onset: float, offset: float) -> bool:
        """Whether most of a stretch is held back."""
        return bool(self.held_back[self.patches(onset, offset)].mean() > 0.5)


def label(detector: Detector, recordings: Sequence[Recording], progress: bool) -> list[Labelled]:
    """Choose what to hold back of recordings, and settle the channels of their seizures.

    Raises
    ------
    ValueError
        Too little background to train on, and to hold back; or the borders of the recordings cut all seizures short.
    """
    patch_s = detector.extractor.patch_length / detector.extractor.sampling_rate
    window = detector.extractor.num_patches
    shortest = detector.settings.min_duration
    spans = [
        tuple((event.onset, event.offset) for event in _seizures_of(each) if not _is_cut(event, each, shortest))
        for each in recordings
    ]
    if not any(spans):
        raise ValueError(
            f"of each marked seizure less than {shortest:g} s, the shortest event, lie in what is read; give more"
        )
    last = max(index for index, each in enumerate(spans) if each)
    several = sum(map(len, spans)) > 1
    _refuse_little_background(recordings, window, patch_s)
    held = [
        hold_back(each, spans[index], several and index == last, window, patch_s)
        for index, each in enumerate(recordings)
    ]
    labelled = []
    for index, recording in enumerate(recordings):
        result = detector.detect(recording, progress=progress)
        prepared = preprocess(recording, detector.settings.preprocessing)
        settled = _on_involved_channels(recording, prepared, result, patch_s)
        labelled.append(Labelled(settled, spans[index], held[index], patch_s, result))
    return labelled


def hold_back(
    recording: Recording, seizures: Sequence[tuple[float, float]], last_too: bool, window: int, patch_s: float
) -> np.ndarray:
    """Choose what is not trained on, `(patches,)` bool: stretches of background, and the last seizure if asked for.

    Parameters
    ----------
    recording : Recording
        Of whose length it is.
    seizures : Sequence[tuple[float, float]]
        Onset and offset of each [s].
    last_too : bool
        Whether to hold the last seizure back.
    window : int
        Patches of a window.
    patch_s : float
        Length of a patch [s].
    """
    background = background_of(recording, max(1, int(recording.duration / patch_s + _ROUNDING)), patch_s)
    stretch = min(STRETCH_WINDOWS * window, max(window, background.sum() // HELD_BACK))
    # Counted along the background alone, so that seizures take nothing from what is held back.
    held = background & ((np.cumsum(background) - 1) // stretch % HELD_BACK == HELD_BACK - 1)
    if last_too:
        onset, offset = seizures[-1]
        held[max(0, int(onset / patch_s) - window) : math.ceil(offset / patch_s) + window] = True
    return held


def background_of(recording: Recording, count: int, patch_s: float) -> np.ndarray:
    """`(count,)` bool, recorded patches that are no seizure, and not so near to one that an event there may be it."""
    background = _without_gaps(recording, count, patch_s)
    for onset, offset, _ in (*recording.seizures, *recording.uncertain):
        first = max(0, int((onset - TOLERANCE_BEFORE_S) / patch_s))
        background[first : math.ceil((offset + TOLERANCE_AFTER_S) / patch_s)] = False
    return background


def _without_gaps(recording: Recording, count: int, patch_s: float) -> np.ndarray:
    """`(count,)` bool, patches that were recorded from begin to end."""
    recorded = np.ones(count, bool)
    for start, stop in recording.gaps:
        recorded[int(start / patch_s) : math.ceil(stop / patch_s)] = False
    return recorded


def _refuse_little_background(recordings: Sequence[Recording], window: int, patch_s: float) -> None:
    seconds = sum(
        background_of(each, int(each.duration / patch_s + _ROUNDING), patch_s).sum() * patch_s for each in recordings
    )
    needed = LEAST_HELD_BACK * HELD_BACK * window * patch_s
    if seconds < needed:
        raise ValueError(
            f"there are {seconds:.0f} s of background, not counting {TOLERANCE_BEFORE_S:.0f} s before and "
            f"{TOLERANCE_AFTER_S:.0f} s after seizures; it takes {needed:.0f} s to train on and to see false alarms: "
            "give longer recordings, or further ones without a seizure"
        )


def _seizures_of(recording: Recording) -> list[SeizureEvent]:
    """Seizures of a recording, those on several channels as one."""
    return merge_events(SeizureEvent.of(seizure) for seizure in recording.seizures)


def _is_cut(event: SeizureEvent, recording: Recording, shortest: float) -> bool:
    """Whether the border of a recording leaves too little of a seizure for an event: no threshold would find it."""
    at_border = event.onset <= 0 or event.offset >= recording.duration - _ROUNDING
    return at_border and event.duration < shortest


def _on_involved_channels(
    recording: Recording, prepared: PreprocessedRecording, result: DetectionResult, patch_s: float
) -> Recording:
    """Seizures that tell no channels on those on which the start sees them best; of the others nobody knows."""
    logits = logit(result.probabilities.astype(np.float64))
    usual = np.nanmedian(logits, axis=1)
    seizures: list[Seizure] = []
    uncertain = list(recording.uncertain)
    for onset, offset, channels in recording.seizures:
        first = int(onset / patch_s)
        inside = logits[:, first : max(first + 1, math.ceil(offset / patch_s))]
        rise = np.nan_to_num(mean_known(inside, (1,))[:, 0] - usual)
        names = channels
        if names is None:
            names = sorted(
                {name for row in np.flatnonzero(rise >= INVOLVED * rise.max()) for name in prepared.contacts[row]}
            )
            uncertain.append((onset, offset, [name for name in recording.channel_names if name not in names]))
        seizures.append((onset, offset, names))
    return replace(recording, seizures=seizures, uncertain=uncertain)


def training_windows(detector: Detector, labelled: Sequence[Labelled], count: int, seed: int) -> AugmentedWindows:
    """Return windows to train on, `count` draws, every second one with a seizure."""
    rng = np.random.default_rng(seed)
    pools: tuple[list[dict[str, Any]], ...] = ([], [])
    for each in labelled:
        for row in _cut(detector, each, rng):
            pools[int((row["labels"] == 1).any())].append(row)
    drawn: Any = _Draws(pools, count, seed)
    note_origin(drawn, detector.settings.preprocessing.to_dict())
    return AugmentedWindows(drawn, AUGMENTATION, detector.extractor.sampling_rate, seed)


def _cut(detector: Detector, each: Labelled, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Cut some windows of what is not held back, in one pass through the recording."""
    prepared = preprocess(each.recording, detector.settings.preprocessing)
    length = detector.extractor.patch_length
    count = len(each.held_back)
    size = min(detector.extractor.num_patches, count)
    labeller = SeizureLabeller(
        each.recording.seizures, prepared.contacts, each.patch_s, uncertain=each.recording.uncertain
    )
    labels = labeller.label(0, count)
    usable = _without_gaps(each.recording, count, each.patch_s) & ~each.held_back
    starts = [start for start in range(count - size + 1) if usable[start : start + size].all()]
    seizure, known = (labels == 1).any(axis=0), (labels == 0).any(axis=0)
    ictal = [start for start in starts if seizure[start : start + size].any()][::STRIDE]
    calm = [
        start
        for start in starts
        if start % size == 0 and not seizure[start : start + size].any() and known[start : start + size].any()
    ]
    chosen = sorted(int(start) for pool in (ictal, calm) for start in rng.permutation(pool)[:MAX_WINDOWS])
    rows = []
    for first, values in slide(prepared.pieces(), [start * length for start in chosen], size * length):
        start = first // length
        present = np.flatnonzero(~np.isnan(values).any(axis=1))
        if values.shape[1] == size * length and len(present):
            kept = present[_some_channels(labels[present, start : start + size], rng)]
            rows.append(
                {
                    "input_values": values[kept],
                    "labels": labels[kept, start : start + size],
                    "sampling_rate": prepared.sampling_rate,
                }
            )
    return rows


def _some_channels(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of the channels of a window that are kept, half of them in the seizure if there are so many."""
    if len(labels) <= MAX_CHANNELS:
        return np.arange(len(labels))
    involved = rng.permutation(np.flatnonzero((labels == 1).any(axis=1)))[: MAX_CHANNELS // 2]
    others = rng.permutation(np.setdiff1d(np.arange(len(labels)), involved))
    return np.sort(np.concatenate([involved, others[: MAX_CHANNELS - len(involved)]]).astype(int))


class _Draws(torch.utils.data.Dataset):
    """Rows drawn at random from pools, from each in turn."""

    def __init__(self, pools: Sequence[list[dict[str, Any]]], count: int, seed: int) -> None:
        from datasets import DatasetInfo

        self.pools, self.count, self.seed = [pool for pool in pools if pool], count, seed
        self.info = DatasetInfo()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        pool = self.pools[index % len(self.pools)]
        return pool[np.random.default_rng([self.seed, index]).integers(len(pool))]
