"""EDF, EDF+, BDF and BDF+ files.

An own reader, because MNE-Python reads discontinuous files as if nothing were missing, resamples channels of lower
rates at each read, cannot leave out one of several channels of the same name, takes numbers in an unknown unit as
volts, and drops annotations that hold line breaks or refuses files in which one is not in UTF-8.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, segments_of
from ..source import Source
from .edf_annotations import Annotations, read_annotations
from .edf_header import EdfHeader, read_header
from .edf_records import open_records, read_stored

# Clocks of a computer and of an amplifier differ by far less than this part.
_SAME_LENGTH = 0.05


@dataclass
class EdfReader:
    """Reads physical values of channels that have the same rate; NaN where nothing was recorded.

    Parameters
    ----------
    header : EdfHeader
        Of the file.
    signals : list[int]
        Signal of each channel.
    segments : list[Segment]
        Records on the clock of the recording, in samples of a signal with `record_samples` in a record.
    record_samples : int
        See `segments`.
    """

    header: EdfHeader = field(repr=False)
    signals: list[int]
    segments: list[Segment] = field(repr=False)
    record_samples: int

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)`, `(channels, samples)` in the units of the file, fp32 unless there are gaps."""
        counts = {self.header.samples[self.signals[channel]] for channel in channels}
        if len(counts) > 1:
            raise ValueError(f"channels with {sorted(counts)} samples in a record cannot be read together")
        if len(self.segments) == 1:
            return self._read(channels, start, stop)
        samples = counts.pop()
        return ClockReader(self._read, [self._at(segment, samples) for segment in self.segments])(
            channels, start, stop
        )

    def _at(self, segment: Segment, samples: int) -> Segment:
        if samples == self.record_samples:
            return segment
        factor = samples / self.record_samples
        return Segment(*(round(value * factor) for value in (segment.stored, segment.place, segment.length)))

    def _read(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        signals = [self.signals[channel] for channel in channels]
        with open_records(self.header) as file:
            stored = read_stored(file, self.header, signals, start, stop)
        values = np.empty((len(channels), stop - start), np.float32)
        # Worked out in fp64, a channel at a time, which stays in the cache of the processor.
        exact = np.empty(stop - start)
        for row, signal, target in zip(stored, signals, values, strict=True):
            np.multiply(_integers(row, self.header.sample_bytes), self.header.gains[signal], out=exact)
            exact += self.header.offsets[signal]
            target[:] = exact
        return values


def edf_source(path: Path) -> Source:
    """Open an EDF or BDF file.

    Raises
    ------
    ValueError
        It is no such file, is truncated, holds annotations only, or its records are too far apart.
    """
    header = read_header(path)
    signals = [signal for signal in range(len(header.labels)) if signal not in header.annotation_signals]
    if not signals:
        raise ValueError(
            f"{path} holds annotations only, no signals; open the recording that they belong to, and pass this file "
            "as seizures=..."
        )
    annotations = read_annotations(header)
    header = replace(header, record_s=header.record_s or _spacing(annotations.record_starts))
    starts = _record_starts(header, annotations)
    counts = [header.samples[signal] for signal in signals]
    if header.record_s is None and len(set(counts)) > 1:
        raise ValueError(
            f"{path}: its header states no length of a record, so the sampling rates of its signals are not known; "
            "export it again, or copy it again from the recorder"
        )
    rates = [count / (header.record_s or 1.0) for count in counts]
    segments = segments_of(starts, [max(counts)] * header.num_records, max(rates), path.name)
    names = _names(header, signals)
    return Source(
        name=path.stem,
        subject=header.subject,
        num_samples=length_of(segments),
        channel_count=len(signals),
        sampling_rate=None if header.record_s is None else max(rates),
        rates=rates if len(set(rates)) > 1 else None,
        channel_names=names,
        channel_types=["eeg"] * len(signals),
        bad_channels={
            name: header.unscaled[signal]
            for name, signal in zip(names, signals, strict=True)
            if signal in header.unscaled
        },
        events=[replace(event, onset=event.onset - float(starts[0])) for event in annotations.events],
        gaps=gaps_of(segments, max(rates)),
        start_date=_start_date(header, starts[0]),
        read=EdfReader(header, signals, segments, max(counts)),
        unit=[header.units[signal] for signal in signals],
        path=path,
    )


def edf_annotations(path: Path, start: datetime | None = None) -> list[EventRow]:
    """Annotations of a file, with or without signals.

    Parameters
    ----------
    path : Path
        The file.
    start : datetime or None
        Moment from which onsets are to count; that of the first record where one of the two is not known.
    """
    header = read_header(path)
    annotations = read_annotations(header)
    first = float(_record_starts(header, annotations)[0])
    began = _start_date(header, first)
    if began is not None and start is not None:
        first -= (began.replace(tzinfo=None) - start.replace(tzinfo=None)).total_seconds()
    return [replace(event, onset=event.onset - first) for event in annotations.events]


def _names(header: EdfHeader, signals: Sequence[int]) -> list[str]:
    """Names as written. One without a scale must not take a good channel of the same name along."""
    good = {header.labels[signal] for signal in signals if signal not in header.unscaled}
    return [
        f"{header.labels[signal]} (no scale)"
        if signal in header.unscaled and header.labels[signal] in good
        else header.labels[signal]
        for signal in signals
    ]


def _spacing(record_starts: np.ndarray) -> float | None:
    """Usual time between the beginnings of records [s]; `None` where it is not known."""
    steps = np.diff(record_starts)
    steps = steps[steps > 0]
    return float(np.median(steps)) if steps.size else None


def _record_starts(header: EdfHeader, annotations: Annotations) -> np.ndarray:
    """When each record begins [s]; one that does not say follows the record before it."""
    starts, counted = annotations.record_starts, np.arange(header.num_records)
    length = header.record_s or 1.0
    known = np.isfinite(starts)
    if not known.any():
        if header.is_discontinuous:
            _warn(header, "may have gaps (EDF+D), but its records do not say when they begin; they are read as one")
        return counted * length
    steps = np.diff(starts[known]) / np.diff(counted[known])
    if not header.is_discontinuous and steps.size and not _follow_each_other(steps / length):
        _warn(header, "says that it is continuous, but the times of its records contradict that; they are passed over")
        return starts[known][0] + (counted - np.flatnonzero(known)[0]) * length
    if header.is_discontinuous and not known.all():
        _warn(header, f"{(~known).sum()} of its records do not say when they begin; each is taken to follow another")
    nearest = np.maximum.accumulate(np.where(known, counted, np.flatnonzero(known)[0]))
    return starts[nearest] + (counted - nearest) * length


def _follow_each_other(steps: np.ndarray) -> bool:
    """Whether most records begin where the one before ends, from steps between them in lengths of a record."""
    return steps.min() > 0 and abs(float(np.median(steps)) - 1) < _SAME_LENGTH


def _warn(header: EdfHeader, what: str) -> None:
    warn(f"{header.path.name}: {what}")


def _start_date(header: EdfHeader, first: float) -> datetime | None:
    return None if header.start is None else header.start + timedelta(seconds=float(first))


def _integers(stored: np.ndarray, sample_bytes: int) -> np.ndarray:
    """Integers of 2 or 3 bytes, the lowest one first."""
    if sample_bytes == 2:
        return stored.view("<i2")
    padded = np.zeros(stored.size + 1, np.uint8)
    padded[1:] = stored
    # Four bytes from the one before each integer: shifting that one out leaves the sign in place.
    return np.ndarray(stored.size // 3, "<i4", padded, strides=(3,)) >> 8
