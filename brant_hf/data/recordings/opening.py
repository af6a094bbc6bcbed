"""`open_recording`: from a path or an array to a [`Recording`]."""

import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .array_reader import array_source, npy_source, npz_source
from .channels import select_channels, unique_names
from .event_vocabulary import seizures_from_events
from .mne_reader import mne_source
from .recording import Recording
from .seizures import check_seizures
from .source import ChannelReader, Source
from .units import check_amplitude, microvolts_per


@dataclass
class _MicrovoltReader:
    read: ChannelReader = field(repr=False)
    channels: list[int]
    scale: np.ndarray

    def __call__(self, start: int, stop: int) -> np.ndarray:
        samples = self.read(self.channels, start, stop)
        return (samples * self.scale[:, None]).astype(np.float32, copy=False)


def open_recording(
    path_or_array: str | os.PathLike | np.ndarray | Recording,
    sampling_rate: float | None = None,
    channel_names: Sequence[str] | None = None,
    seizures: Sequence[Sequence] | None = None,
    *,
    subject: str | None = None,
    name: str | None = None,
    unit: str | None = None,
    channel_types: Mapping[str, str] | None = None,
    event_types: Mapping[str, str] | None = None,
) -> Recording:
    """TODO"""
    if isinstance(path_or_array, Recording):
        return path_or_array
    source = _source(path_or_array)
    return _recording(source, sampling_rate, channel_names, seizures, subject, name, unit, channel_types, event_types)


def _source(path_or_array: str | os.PathLike | np.ndarray) -> Source:
    if not isinstance(path_or_array, str | os.PathLike):
        return array_source(np.asarray(path_or_array))
    path = Path(path_or_array).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a recording file")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return npy_source(path)
    if suffix == ".npz":
        return npz_source(path)
    return mne_source(path)


def _recording(source, sampling_rate, channel_names, seizures, subject, name, unit, channel_types, event_types) -> Recording:
    name = name or source.name
    rate = _sampling_rate(source.sampling_rate if sampling_rate is None else sampling_rate, name)
    names = unique_names(_names(source, channel_names, name), name)
    types = source.channel_types or ["seeg"] * source.channel_count
    table = select_channels(names, types, source.bad_channels, name, channel_types)
    scale = np.array([microvolts_per(u) for u in _units(source, unit)])[table.indices]
    reader = _MicrovoltReader(source.read, table.indices, scale)
    if unit is None:
        check_amplitude(reader, source.num_samples, rate, name)
    duration = source.num_samples / rate
    if seizures is None:
        seizures = [*source.seizures, *seizures_from_events(source.events, name, event_types)]
    return Recording(
        name=name,
        subject=subject or source.subject or name,
        channel_names=table.names,
        channel_types=table.types,
        sampling_rate=rate,
        num_samples=source.num_samples,
        seizures=check_seizures(seizures, duration, table.names, table.excluded, name),
        excluded_channels=table.excluded,
        line_frequency=source.line_frequency,
        path=source.path,
        source=reader,
    )


def _sampling_rate(rate: float | None, name: str) -> float:
    if rate is None:
        raise ValueError(f"{name}: an array does not carry its sampling rate; pass sampling_rate=... in Hz")
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name}: the sampling rate has to be a positive number of Hz, got {rate}")
    return float(rate)


def _names(source: Source, given: Sequence[str] | None, name: str) -> list[str]:
    names = source.channel_names if given is None else list(given)
    if names is None:
        return [f"CH{index + 1}" for index in range(source.channel_count)]
    if len(names) != source.channel_count:
        raise ValueError(f"{name}: {len(names)} channel names for {source.channel_count} channels; give one for each channel")
    return names


def _units(source: Source, given: str | None) -> list[str]:
    unit = source.unit if given is None else given
    return [unit] * source.channel_count if isinstance(unit, str) else unit
