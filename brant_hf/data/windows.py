"""Windows of a recording, for datasets and for detection: one cutter, labels, missing samples, means over overlaps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import count, groupby, islice, tee
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from ..events.event import merge_stretches

if TYPE_CHECKING:
    from .preprocessing import PreprocessedRecording

T = TypeVar("T")
# Onset [s], offset [s] and the channels concerned (`None`: all).
Stretch: TypeAlias = "tuple[float, float, Sequence[str] | None]"

# Label of a patch that counts neither as seizure nor as background; what PyTorch and `Trainer` ignore too.
IGNORED_LABEL = -100
# Tolerance [s] when an overlap is compared with the threshold: times come as decimal fractions.
OVERLAP_TOLERANCE_S = 1e-6
# A patch of a channel counts unless it misses more than this part of its samples.
MAX_MISSING = 0.5
# Cells (channel, patch) of one forward pass. On a CPU, more than fit into its cache take longer each; on an
# accelerator, more gain nothing and need memory.
MAX_CELLS_CPU = 2_048
MAX_CELLS_ACCELERATOR = 65_536
# These normalise each sample on its own, so that windows that overlap can share the work.
POINTWISE = ("asinh", "none")


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """How a recording is cut.

    Attributes
    ----------
    patch_length : int
        Samples of a patch.
    num_patches : int
        Patches of a window.
    stride : int or None
        Patches from the beginning of one window to that of the next; `None` for disjoint windows that leave nothing
        out (`num_patches`).
    seizure_overlap : float
        A patch is labelled seizure when at least this fraction of it lies inside a seizure on its channel.
    remainder : {"drop", "shorter"}
        What to do with an end that does not fill a window: `"drop"` it, or keep it as a `"shorter"` window of whole
        patches.
    max_missing : float
        A channel is left out of a window in which more than this fraction of its samples is missing. With 0 no NaN
        reaches a window.
    """

    patch_length: int = 1500
    num_patches: int = 15
    stride: int | None = None
    seizure_overlap: float = 0.5
    remainder: Literal["drop", "shorter"] = "drop"
    max_missing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("patch_length", "num_patches", "stride"):
            value = getattr(self, name)
            if (name != "stride" or value is not None) and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} is {value!r}; it must be a whole number of 1 or more")
        if not 0 < self.seizure_overlap <= 1:
            raise ValueError(f"seizure_overlap is {self.seizure_overlap}; it must be above 0 and at most 1")
        if not 0 <= self.max_missing < 1:
            raise ValueError(f"max_missing is {self.max_missing}; it must be at least 0 and below 1")
        if self.remainder not in ("drop", "shorter"):
            raise ValueError(f"remainder is {self.remainder!r}; choose 'drop' or 'shorter'")

    @property
    def window_length(self) -> int:
        """Samples of a window."""
        return self.patch_length * self.num_patches

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values."""
        return dataclasses.asdict(self)


def slide(
    pieces: Iterable[tuple[int, np.ndarray]], starts: Iterable[int], length: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut pieces of a signal at given samples.

    Parameters
    ----------
    pieces : Iterable[tuple[int, np.ndarray]]
        First samples, increasing, and `(channels, samples)` arrays, any lengths, as `PreprocessedRecording.pieces`
        gives them. Between them samples are missing.
    starts : Iterable[int]
        First sample of each window, increasing from 0 on; may go on for ever.
    length : int
        Samples of a window.

    Yields
    ------
    tuple[int, np.ndarray]
        First sample of the window and its values, `(channels, length)` float32, fewer samples where the signal ends;
        none for a start beyond that. A new array each, which stays unchanged until the next is asked for.
    """
    coming = iter(pieces)
    nothing: tuple[int, np.ndarray | None] = (0, None)
    position, chunk = next(coming, nothing)
    stop = 0  # end of the window before
    window = np.empty((0 if chunk is None else len(chunk), 0), np.float32)
    for start in starts:
        filled = max(stop - start, 0)
        before, window = window, np.empty((len(window), length), np.float32)
        window[:, :filled] = before[:, before.shape[1] - filled :]
        while chunk is not None and filled < length:
            if start + filled < position:
                gap = min(position - start, length)
                window[:, filled:gap] = np.nan
                filled = gap
                continue
            taken = chunk[:, start + filled - position : start + length - position]
            window[:, filled : filled + taken.shape[1]] = taken
            filled += taken.shape[1]
            if filled < length:
                position, chunk = next(coming, nothing)
        if not filled:
            return
        window, stop = window[:, :filled], start + filled
        yield start, window


def cut_windows(
    pieces: Iterable[tuple[int, np.ndarray]],
    settings: WindowSettings,
    recorded: Sequence[tuple[int, int | None]] = ((0, None),),
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a signal into the windows of a dataset.

    Parameters
    ----------
    pieces : Iterable[tuple[int, np.ndarray]]
        See `slide`.
    settings : WindowSettings
        Length, stride and remainder.
    recorded : Sequence[tuple[int, int or None]]
        Stretches, in samples, with a gap as long as a window between them: windows begin anew with each of them.
        `None` is the end of the signal.

    Yields
    ------
    tuple[int, np.ndarray]
        First sample of the window and its values, `(channels, patches * patch_length)` float32, a new array each.
    """
    stride = (settings.stride or settings.num_patches) * settings.patch_length
    covered = 0
    starts, ends = tee(
        (start, stop)
        for first, stop in recorded
        for start in (count(first, stride) if stop is None else range(first, stop, stride))
    )
    windows = slide(pieces, (start for start, _ in starts), settings.window_length)
    for (start, values), (_, stop) in zip(windows, ends, strict=False):
        values = values if stop is None else values[:, : stop - start]
        if values.shape[1] < settings.window_length:
            whole = values.shape[1] // settings.patch_length * settings.patch_length
            if settings.remainder == "drop" or start + whole <= covered:
                continue
            values = values[:, :whole].copy()
        covered = start + values.shape[1]
        yield start, values


def lacking_patches(missing: np.ndarray, patch_length: int, num_samples: int | None = None) -> np.ndarray:
    """Patches that miss more than `MAX_MISSING` of their samples.

    Parameters
    ----------
    missing : np.ndarray
        `(channels, samples)` bool of whole patches.
    patch_length : int
        Samples of a patch.
    num_samples : int or None
        Samples that are signal, all when `None`; those behind are padding, which counts nowhere.

    Returns
    -------
    np.ndarray
        `(channels, patches)` bool.
    """
    counts = missing.reshape(len(missing), -1, patch_length).sum(axis=2)
    end = missing.shape[1] if num_samples is None else num_samples
    lengths = np.minimum(patch_length, end - np.arange(counts.shape[1]) * patch_length)
    return counts > MAX_MISSING * lengths


class SeizureLabeller:
    """Labels the patches of one recording.

    Parameters
    ----------
    seizures : Sequence[tuple[float, float, Sequence[str] | None]]
        `(onset_s, offset_s, channels or None)` of the recording; they may overlap and pass its ends.
    contacts : Sequence[Sequence[str]]
        For each channel of the windows, the recorded channels it comes from. A channel is in a seizure when one of
        them is.
    patch_s : float
        Length of a patch [s].
    overlap : float
        Fraction of a patch that must lie inside a seizure.
    uncertain : Sequence[tuple[float, float, Sequence[str] | None]]
        Stretches, in the form of the seizures, of which nobody knows whether they are seizure. A patch that shares a
        moment with one is not background: it is seizure, or counts as neither.
    """

    def __init__(
        self,
        seizures: Sequence[Stretch],
        contacts: Sequence[Sequence[str]],
        patch_s: float,
        overlap: float = 0.5,
        uncertain: Sequence[Stretch] = (),
    ) -> None:
        self._patch_s = patch_s
        self._needed_s = overlap * patch_s - OVERLAP_TOLERANCE_S
        self._channels = len(contacts)
        self._seizures = _rows_of_stretches(seizures, contacts)
        self._uncertain = _rows_of_stretches(uncertain, contacts)

    def label(self, start_s: float, num_patches: int) -> np.ndarray:
        """Labels `(channels, num_patches)` int8 of the patches that begin at `start_s`.

        1 is seizure, 0 background, -100 neither.
        """
        labels = np.zeros((self._channels, num_patches), np.int8)
        for rows, inside_s in self._inside(self._uncertain, start_s, num_patches):
            labels[rows] = np.where(inside_s > OVERLAP_TOLERANCE_S, IGNORED_LABEL, 0)
        for rows, inside_s in self._inside(self._seizures, start_s, num_patches):
            labels[rows] = np.where(inside_s >= self._needed_s, 1, labels[rows])
        return labels

    def _inside(
        self, groups: list[tuple[list[int], list[tuple[float, float]]]], start_s: float, num_patches: int
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Rows, and how much of each patch lies inside their stretches [s]."""
        begin = start_s + np.arange(num_patches) * self._patch_s
        for rows, stretches in groups:
            inside = np.zeros(num_patches)
            for onset, offset in stretches:
                inside += np.clip(np.minimum(begin + self._patch_s, offset) - np.maximum(begin, onset), 0, None)
            yield rows, inside


def _rows_of_stretches(
    stretches: Sequence[Stretch], contacts: Sequence[Sequence[str]]
) -> list[tuple[list[int], list[tuple[float, float]]]]:
    """Channels that are in the same stretches, and these, united."""
    rows_by_stretches: dict[tuple[int, ...], list[int]] = {}
    for row, names in enumerate(contacts):
        concerned = tuple(
            i
            for i, (_, _, channels) in enumerate(stretches)
            if channels is None or not set(names).isdisjoint(channels)
        )
        rows_by_stretches.setdefault(concerned, []).append(row)
    return [
        (rows, merge_stretches([stretches[i][:2] for i in concerned])) for concerned, rows in rows_by_stretches.items()
    ]


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
    shorter : Mapping[int, int]
        Patches of windows that are shorter than the others, by their first patch.
    """

    num_patches: int
    window_patches: int
    starts: tuple[int, ...]
    shorter: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        num_patches: int,
        max_window_patches: int,
        overlap: float,
        recorded: Sequence[tuple[int, int]] | None = None,
    ) -> WindowPlan:
        """Windows that overlap by `overlap` (a part of the window) and cover every patch.

        The step is a whole number of patches; the last window ends with the recording. A recording shorter than a
        window is one shorter window. With `recorded`, each of these stretches of patches is covered like a recording
        of its own, and nothing between them.
        """
        starts: list[int] = []
        shorter = {}
        stretches = [(0, num_patches)] if recorded is None else recorded
        window_patches = min(max(stop - first for first, stop in stretches), max_window_patches)
        for first, stop in stretches:
            length = min(stop - first, window_patches)
            step = max(1, math.floor(length * (1 - overlap) + 0.5))
            starts += range(first, stop - length + 1, step)
            if starts[-1] + length < stop:
                starts.append(stop - length)
            if length < window_patches:
                shorter[first] = length
        return cls(num_patches, window_patches, tuple(starts), shorter)

    @property
    def stops(self) -> tuple[int, ...]:
        """The patch after the last one of each window."""
        return tuple(start + self.shorter.get(start, self.window_patches) for start in self.starts)

    @property
    def held(self) -> np.ndarray:
        """Patches that a window holds, increasing: all but those in long gaps."""
        inside = np.zeros(self.num_patches, bool)
        for start, stop in zip(self.starts, self.stops, strict=True):
            inside[start:stop] = True
        return np.flatnonzero(inside)


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
    observed : np.ndarray or None
        `(windows, channels, samples)` bool, false for samples that are missing and for the padding behind the end of
        the recording; `None` where there are none of either.
    """

    starts: tuple[int, ...]
    input_values: np.ndarray
    missing: np.ndarray | None
    observed: np.ndarray | None = None

    @property
    def observed_values(self) -> np.ndarray:
        """`input_values` with NaN for what was not recorded; those themselves where all was."""
        if self.observed is None:
            return self.input_values
        return np.where(self.observed, self.input_values, np.float32(np.nan))

    def channel_mask(self) -> np.ndarray | None:
        """`(windows, channels)` bool, false for channels without any patch that counts; `None` when all have some.

        Such a channel holds nothing but zeros, which must not reach the attention of the others. In a window without
        any observed channel all are left in, as attention needs something to attend to; nothing there counts.
        """
        if self.missing is None:
            return None
        present = np.logical_not(self.missing.all(axis=2))
        present[~present.any(axis=1)] = True
        return None if present.all() else present


def num_samples(prepared: PreprocessedRecording) -> int:
    """Return the samples of a preprocessed recording, at least one."""
    return max(1, round(prepared.recording.duration * prepared.sampling_rate))


def plan_windows(prepared: PreprocessedRecording, extractor: Normalizer, overlap: float) -> WindowPlan:
    """Return the windows of a recording for the model that `extractor` belongs to.

    They begin anew after a gap that is as long as a window, in which there are none.
    """
    length, total = extractor.patch_length, num_samples(prepared)
    num_patches = math.ceil(total / length)
    # From the first to the last patch of which half or more is recorded, see `MAX_MISSING`.
    recorded = [
        (
            math.ceil(start / length - MAX_MISSING),
            num_patches if stop == total else math.floor(stop / length + MAX_MISSING),
        )
        for start, stop in prepared.recorded(length * extractor.num_patches)
    ]
    recorded = [(first, stop) for first, stop in recorded if first < stop]
    return WindowPlan.of(num_patches, extractor.num_patches, overlap, recorded or None)


def patch_times(num_patches: int, patch_s: float) -> np.ndarray:
    """Centre of each patch [s], `(patches,)`."""
    return (np.arange(num_patches) + 0.5) * patch_s


def windows_per_batch(batch_size: int, num_channels: int, window_patches: int, device_type: str = "cpu") -> int:
    """`batch_size`, less where windows have many channels."""
    max_cells = MAX_CELLS_CPU if device_type == "cpu" else MAX_CELLS_ACCELERATOR
    return max(1, min(batch_size, max_cells // (num_channels * window_patches)))


def window_batches(
    prepared: PreprocessedRecording, plan: WindowPlan, extractor: Normalizer, batch_size: int
) -> Generator[WindowBatch, None, None]:
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

    Raises
    ------
    ValueError
        After the last batch, where no patch of any counts.
    """
    windows = _normalized_windows(prepared, plan, extractor)
    channels, is_missing = len(prepared.channel_names), True
    for length, alike in groupby(zip(plan.starts, plan.stops, strict=True), lambda window: window[1] - window[0]):
        while starts := tuple(start for start, _ in islice(alike, batch_size)):
            input_values = np.zeros((len(starts), channels, length * extractor.patch_length), np.float32)
            missing = np.zeros((len(starts), channels, length), bool)
            observed = None
            for row, (values, lacks, seen) in enumerate(islice(windows, len(starts))):
                stop = values.shape[1]
                input_values[row, :, :stop] = values
                missing[row] = lacks
                if stop < input_values.shape[2] or seen is not True:
                    observed = np.ones(input_values.shape, bool) if observed is None else observed
                    observed[row, :, :stop], observed[row, :, stop:] = seen, False
            is_missing = is_missing and bool(missing.all())
            yield WindowBatch(starts, input_values, missing if missing.any() else None, observed)
    if is_missing:
        begin, end = prepared.recording.offset, prepared.recording.offset + prepared.recording.duration
        raise ValueError(
            f"{prepared.recording.name}: each patch of {extractor.patch_length / prepared.sampling_rate:g} s from "
            f"{begin:.2f} s to {end:.2f} s misses more than half of its samples, so there is nothing to search; take "
            "a part of which more was recorded (inspect tells where the gaps are)"
        )


def _normalized_windows(
    prepared: PreprocessedRecording, plan: WindowPlan, extractor: Normalizer
) -> Iterator[tuple[np.ndarray, np.ndarray | bool, np.ndarray | bool]]:
    """Normalised windows, 0 where a sample is missing, the patches they lack, and the samples they have."""
    patch_length = extractor.patch_length
    total = num_samples(prepared)
    is_pointwise = extractor.normalize in POINTWISE
    # The signal may end a sample or two before its nominal length, or after it, by the rounding of the resampler.
    pieces: Iterator[tuple[int, np.ndarray]] = prepared.pieces()
    if is_pointwise:
        pieces = ((start, extractor.normalize_signal(piece) if piece.size else piece) for start, piece in pieces)
    starts = (start * patch_length for start in plan.starts)
    windows = slide(pieces, starts, plan.window_patches * patch_length)
    for (start, values), stop in zip(windows, plan.stops, strict=True):
        length = stop * patch_length - start
        values = values[:, : min(length, total - start)]
        missing = np.isnan(values)
        if not missing.any():
            yield values if is_pointwise else extractor.normalize_signal(values), False, True
            continue
        lacks = lacking_patches(
            np.pad(missing, ((0, 0), (0, length - values.shape[1]))), patch_length, min(length, total - start)
        )
        normalized = np.where(missing, 0, values) if is_pointwise else extractor.normalize_signal(values, ~missing)
        yield normalized, lacks, ~missing


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
        First patch and the means of the patches that no later window holds, `(channels, patches, ...)`. Patches
        that no window holds are in none.
    """
    counts = np.zeros(plan.num_patches, np.float32)  # windows that hold a patch
    for start, stop in zip(plan.starts, plan.stops, strict=True):
        counts[start:stop] += 1
    total: np.ndarray | None = None
    next_starts = (*plan.starts[1:], plan.num_patches)
    for start, stop, next_start, values in zip(plan.starts, plan.stops, next_starts, windows, strict=True):
        begun = 0 if total is None else total.shape[1]
        new = np.zeros_like(values[:, begun:], np.float32)
        total = new if total is None else np.concatenate([total, new], axis=1)
        total += values
        done = min(next_start, stop)
        yield start, total[:, : done - start] / counts[start:done].reshape(-1, *[1] * (values.ndim - 2))
        total = total[:, done - start :]


def prefetch(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the same items, each made by another thread while the one before is worked on.

    Reading and filtering leave the interpreter lock to others most of the time, and so does the model. The thread has
    ended and `items` is closed when this ends, is closed, or raises.
    """
    end, context = object(), copy_context()

    def make() -> Any:
        return next(items, end)

    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="windows") as pool:
        coming = pool.submit(context.run, make)
        while (item := coming.result()) is not end:
            coming = pool.submit(context.run, make)
            yield item
