"""Overlapping windows of a recording, in batches, with constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from ..data import PreprocessedRecording

T = TypeVar("T")

# A patch of a channel counts unless it misses more than this part of its samples.
MAX_MISSING = 0.5
# Cells (channel, patch) of one forward pass. On a CPU, more than fit into its cache take longer each; on an
# accelerator, more gain nothing and need memory.
MAX_CELLS_CPU = 2_048
MAX_CELLS_ACCELERATOR = 65_536
# These normalise each sample on its own, so that windows that overlap can share the work.
_POINTWISE = ("asinh", "none")


class Normalizer(Protocol):
    """What windows need of a `brant_hf.BrantFeatureExtractor`."""

    normalize: str
    patch_length: int
    num_patches: int

    def normalize_signal(self, signal: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Normalise a signal (channels, samples) [microvolts]."""
        ...


@dataclass(frozen=True)
class WindowPlan:
    """Which patches the windows of a recording hold.

    Attributes
    ----------
    num_patches : int
        Patches of the recording; the last one may be shorter and is padded with zeros.
    window_patches : int
        Patches of a window.
    starts : tuple[int, ...]
        First patch of each window, increasing.
    """

    num_patches: int
    window_patches: int
    starts: tuple[int, ...]

    @classmethod
    def of(cls, num_patches: int, max_window_patches: int, overlap: float) -> WindowPlan:
        """Windows that overlap by `overlap` (a part of the window) and cover every patch.

        The step is a whole number of patches; the last window ends with the recording. A recording shorter than a
        window is one shorter window.
        """
        window_patches = min(num_patches, max_window_patches)
        step = max(1, math.floor(window_patches * (1 - overlap) + 0.5))
        starts = list(range(0, num_patches - window_patches + 1, step))
        if starts[-1] + window_patches < num_patches:
            starts.append(num_patches - window_patches)
        return cls(num_patches, window_patches, tuple(starts))


@dataclass(frozen=True)
class WindowBatch:
    """Some windows of one recording, ready for the model.

    Attributes
    ----------
    starts : tuple[int, ...]
        First patch of each window.
    input_values : np.ndarray
        `(windows, channels, samples)` float32, normalised; missing samples are 0.
    missing : np.ndarray or None
        `(windows, channels, patches)` bool, patches that miss too many samples to count; `None` for none.
    """

    starts: tuple[int, ...]
    input_values: np.ndarray
    missing: np.ndarray | None

    def channel_mask(self) -> np.ndarray | None:
        """`(windows, channels)` bool, false for channels without any patch that counts; `None` when all have some.

        Such a channel holds nothing but zeros, which must not reach the attention of the others. In a window without
        any observed channel all are left in, as attention needs something to attend to; nothing there counts.
        """
        if self.missing is None:
            return None
        present = ~self.missing.all(axis=2)
        present[~present.any(axis=1)] = True
        return None if present.all() else present


def num_samples(prepared: PreprocessedRecording) -> int:
    """Return the samples of a preprocessed recording, at least one."""
    return max(1, round(prepared.recording.duration * prepared.sampling_rate))


def windows_per_batch(batch_size: int, num_channels: int, window_patches: int, device_type: str = "cpu") -> int:
    """`batch_size`, less where windows have many channels."""
    max_cells = MAX_CELLS_CPU if device_type == "cpu" else MAX_CELLS_ACCELERATOR
    return max(1, min(batch_size, max_cells // (num_channels * window_patches)))


def window_batches(
    prepared: PreprocessedRecording, plan: WindowPlan, extractor: Normalizer, batch_size: int
) -> Iterator[WindowBatch]:
    """Batches of the windows of a plan, read in one pass through the recording.

    Parameters
    ----------
    prepared : PreprocessedRecording
        The recording with its preprocessing settled.
    plan : WindowPlan
        Which windows to cut.
    extractor : Normalizer
        Normalises each window as at training.
    batch_size : int
        Windows of a batch.
    """
    windows = _cut(prepared, plan, extractor)
    for first in range(0, len(plan.starts), batch_size):
        starts = plan.starts[first : first + batch_size]
        yield _stack(starts, windows, plan.window_patches)


def _stack(
    starts: tuple[int, ...], windows: Iterator[tuple[np.ndarray, np.ndarray | None]], patches: int
) -> WindowBatch:
    input_values, missing = None, None
    for row in range(len(starts)):
        values, lacks = next(windows)
        if input_values is None:
            input_values = np.empty((len(starts), *values.shape), np.float32)
        input_values[row] = values
        if lacks is not None:
            if missing is None:
                missing = np.zeros((len(starts), len(values), patches), bool)
            missing[row] = lacks
    return WindowBatch(starts, input_values, missing)


def _cut(
    prepared: PreprocessedRecording, plan: WindowPlan, extractor: Normalizer
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Normalised windows and the patches they lack; a window is valid until the next one is asked for."""
    patch_length = extractor.patch_length
    total, length = num_samples(prepared), plan.window_patches * patch_length
    is_pointwise = extractor.normalize in _POINTWISE
    stream = _SampleStream(prepared.chunks(), extractor.normalize_signal if is_pointwise else None)
    window = np.zeros((len(prepared.channel_names), length), np.float32)
    filled, previous = 0, 0
    for start in plan.starts:
        step = (start - previous) * patch_length
        filled, previous = filled - step, start
        if step:
            window[:, :filled] = window[:, step : step + filled]
        # The signal may end a sample or two before its nominal length, by the rounding of the resampler.
        stop = min(length, total - start * patch_length)
        filled += stream.read_into(window[:, filled:stop])
        window[:, filled:] = 0
        observed = ~np.isnan(window)
        if observed.all():
            if is_pointwise:
                yield window, None
            else:
                values = np.zeros_like(window)
                values[:, :filled] = extractor.normalize_signal(window[:, :filled])
                yield values, None
        else:
            yield (
                _fill(window, observed, filled, None if is_pointwise else extractor),
                _lacking(observed, stop, patch_length),
            )


def _fill(window: np.ndarray, observed: np.ndarray, filled: int, extractor: Normalizer | None) -> np.ndarray:
    """`window` with 0 for missing samples, normalised where that is not yet done."""
    if extractor is None:
        return np.where(observed, window, 0)
    values = np.zeros_like(window)
    values[:, :filled] = extractor.normalize_signal(window[:, :filled], observed[:, :filled])
    return values


def _lacking(observed: np.ndarray, stop: int, patch_length: int) -> np.ndarray:
    """Patches that miss more than `MAX_MISSING` of their samples, `(channels, patches)`; padding is no sample."""
    counts = (~observed).reshape(len(observed), -1, patch_length).sum(axis=2)
    lengths = np.minimum(patch_length, stop - np.arange(counts.shape[1]) * patch_length)
    return counts > MAX_MISSING * lengths


class _SampleStream:
    """Hands out consecutive samples of a stream of chunks, whatever their lengths."""

    def __init__(self, chunks: Iterator[np.ndarray], transform: Callable[[np.ndarray], np.ndarray] | None) -> None:
        self._chunks = chunks
        self._transform = transform
        self._chunk = np.zeros((0, 0), np.float32)

    def read_into(self, target: np.ndarray) -> int:
        """Fill `target` `(channels, samples)`; gives the number of samples written, fewer only at the end."""
        filled = 0
        while filled < target.shape[1]:
            if self._chunk.shape[1] == 0:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._chunk = chunk if self._transform is None or not chunk.size else self._transform(chunk)
                continue
            step = min(target.shape[1] - filled, self._chunk.shape[1])
            target[:, filled : filled + step] = self._chunk[:, :step]
            self._chunk, filled = self._chunk[:, step:], filled + step
        return filled


def average_overlaps(windows: Iterable[np.ndarray], plan: WindowPlan) -> Iterator[tuple[int, np.ndarray]]:
    """Mean over the windows that hold a patch, as soon as it is complete.

    Parameters
    ----------
    windows : Iterable[np.ndarray]
        Values of each window of the plan, `(channels, patches, ...)`.
    plan : WindowPlan
        The windows.

    Yields
    ------
    tuple[int, np.ndarray]
        First patch and the means of the patches that no later window holds, `(channels, patches, ...)`.
    """
    total: np.ndarray | None = None
    count = np.zeros(plan.window_patches, np.float32)
    next_starts = (*plan.starts[1:], plan.num_patches)
    for start, next_start, values in zip(plan.starts, next_starts, windows, strict=True):
        if total is None:
            total = np.zeros(values.shape, np.float32)
        total += values
        count += 1
        finished = next_start - start
        per_patch = count[:finished].reshape(-1, *[1] * (values.ndim - 2))
        yield start, total[:, :finished] / per_patch
        kept = plan.window_patches - finished
        total[:, :kept] = total[:, finished:].copy()
        total[:, kept:] = 0
        count[:kept] = count[finished:].copy()
        count[kept:] = 0


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items, each made by another thread while the one before is worked on.

    Reading and filtering leave the interpreter lock to others most of the time, and so does the model.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="windows") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
