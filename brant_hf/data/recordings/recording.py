"""The recording object: what a reader found in a file, and how to read samples from it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from ...events.vocabulary import EventRow
from .seizures import Seizure

if TYPE_CHECKING:
    from mne.io import BaseRaw


_KNOWN_FROM = {"file": "by its unit", "amplitude": "by the amplitude, since no unit fits", "given": "as given"}


class SampleReader(Protocol):
    """Reads samples of a recording from disk; it can be pickled."""

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of all channels, (channels, samples) [microvolts]."""
        ...


@dataclass(eq=False)
class Recording:
    """One continuous recording of one patient. Made by `open_recording`.

    Nothing is loaded until `Recording.read` is called, so a recording never has to fit into memory.

    Attributes
    ----------
    name : str
        What to call the recording in a dataset: for BIDS the file name without suffix, otherwise the file's stem.
    subject : str
        The patient. Splits are made by this name.
    channel_names : list[str]
        Names of the channels that `Recording.read` returns, unique, in the order of the file.
    sampling_rate : float
        [Hz].
    num_samples : int
        Length of the recording in samples of each channel.
    seizures : list[tuple[float, float, list[str] | None]]
        `(onset, offset, channels)` [s from the start of the recording], sorted by onset; `channels` is `None` for all.
        A seizure that begins or ends at different times on different channels has several entries.
    uncertain : list[tuple[float, float, list[str] | None]]
        Stretches in the form of `seizures` of which nobody knows whether they are seizure: after an onset whose end
        the file does not tell, or a remark such as `Seizure?`. Their label is -100.
    gaps : list[tuple[float, float]]
        Stretches `(start, stop)` [s] in which nothing was recorded. `Recording.read` gives NaN there.
    events : list[EventRow]
        All events and annotations of the file, seizures or not.
    units : list[str]
        Unit that the file states for each channel read, empty where it states none. `Recording.read` gives microvolts.
    scales : list[float]
        Microvolts of one number as the file holds it, of each channel.
    scales_from : list[str]
        How each scale is known: `"file"` (the unit stated), `"amplitude"` (none stated, or a wrong one) or `"given"`.
    subject_from : str
        How the subject is known: `"BIDS"`, `"header"`, `"folder"`, `"name of the file"` or `"given"`.
    channel_types : list[str]
        One of `"seeg"`, `"ecog"`, `"dbs"`, `"eeg"` per channel.
    excluded_channels : dict[str, str]
        Channels of the file that are left out, each with the reason.
    line_frequency : float or None
        Frequency of the mains [Hz] where the file states it.
    start_date : datetime or None
        When the recording began, for a part the file, `None` where it is not known or was taken out.
    positions : np.ndarray or None
        Contacts of the channels that are read, `(channels, 3)` [m], NaN where not known; `None` where none is.
    coordinate_space : str or None
        Name of the space of `positions`, such as `"ACPC"` or `"head"`, as the file states it.
    seizures_from : str
        Who tells of the seizures: the name of a table or file, or `"given"`; empty where nobody does.
    offset : float
        Where the recording begins on the clock of its file [s]: above 0 for a part (`start=` of `open_recording`).
        Times of a part, those of its seizures, gaps and events included, count from its own first sample.
    file_duration : float
        Length of the file [s]; that of the recording where it is no part.
    path : Path or None
        The file read; `None` for an array.
    warnings : list[str]
        What was warned of when it was opened.
    source : SampleReader
        Reads the samples; made by `open_recording`.
    """

    name: str
    subject: str
    channel_names: list[str]
    sampling_rate: float
    num_samples: int
    source: SampleReader = field(repr=False)
    seizures: list[Seizure] = field(default_factory=list)
    uncertain: list[Seizure] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list, repr=False)
    events: list[EventRow] = field(default_factory=list, repr=False)
    units: list[str] = field(default_factory=list, repr=False)
    scales: list[float] = field(default_factory=list, repr=False)
    scales_from: list[str] = field(default_factory=list, repr=False)
    subject_from: str = field(default="given", repr=False)
    channel_types: list[str] = field(default_factory=list, repr=False)
    excluded_channels: dict[str, str] = field(default_factory=dict, repr=False)
    line_frequency: float | None = None
    start_date: datetime | None = None
    positions: np.ndarray | None = field(default=None, repr=False)
    coordinate_space: str | None = None
    seizures_from: str = field(default="", repr=False)
    offset: float = 0.0
    file_duration: float = field(default=0.0, repr=False)
    path: Path | None = None
    warnings: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.file_duration = self.file_duration or self.duration

    @property
    def gaps_in_file(self) -> list[tuple[float, float]]:
        """Gaps `(start, stop)` [s] on the clock of the file, of which a part may be open."""
        return [(float(start) + self.offset, float(stop) + self.offset) for start, stop in self.gaps]

    @property
    def duration(self) -> float:
        """Length of the recording [s]."""
        return self.num_samples / self.sampling_rate

    @property
    def recorded_duration(self) -> float:
        """Seconds that were recorded: the length without the gaps."""
        return self.duration - math.fsum(stop - start for start, stop in self.gaps)

    @property
    def num_channels(self) -> int:
        """Number of channels that are read."""
        return len(self.channel_names)

    def scales_in_words(self) -> dict[str, str]:
        """Tell by channels what one number of the file is in microvolts, and how that is known."""
        channels: dict[tuple[float, str], list[str]] = {}
        for name, scale, known_from in zip(self.channel_names, self.scales, self.scales_from, strict=False):
            channels.setdefault((scale, known_from), []).append(name)
        return {
            "all channels" if len(channels) == 1 else ", ".join(names): (
                f"one number of the file is {scale:.4g} microvolts ({_KNOWN_FROM[known_from]})"
            )
            for (scale, known_from), names in channels.items()
        }

    def read(self, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Read a stretch of the recording from disk.

        Parameters
        ----------
        start_s : float, default 0.0
            First moment to read [s]; rounded to the nearest sample.
        stop_s : float or None
            Moment before which to stop [s]; rounded to the nearest sample. The end of the recording by default.

        Returns
        -------
        np.ndarray
            `(channels, samples)`, float32 [microvolts]. Missing samples are NaN.

        Raises
        ------
        ValueError
            The stretch is empty or not inside the recording.
        """
        if stop_s is None:
            stop_s = self.duration
        if not (math.isfinite(start_s) and math.isfinite(stop_s)):
            raise ValueError(f"read({start_s}, {stop_s}) of {self.name!r}: times have to be finite seconds")
        return self.read_samples(round(start_s * self.sampling_rate), round(stop_s * self.sampling_rate))

    def read_samples(self, start: int, stop: int) -> np.ndarray:
        """Like `Recording.read`, by sample numbers: samples `[start, stop)`, `(channels, samples)` [microvolts]."""
        if not 0 <= start < stop <= self.num_samples:
            raise ValueError(
                f"Samples [{start}, {stop}) asked of {self.name!r}, which has {self.num_samples} samples "
                f"({self.duration:.3f} s at {self.sampling_rate:g} Hz): give 0 <= start < stop <= {self.num_samples}"
            )
        return np.ascontiguousarray(self.source(start, stop), dtype=np.float32)


RecordingSource: TypeAlias = "str | os.PathLike | np.ndarray | Recording | BaseRaw | Mapping[str, Any]"
"""What stands for a recording: a path, an array (channels, samples), an `mne.io.Raw`, an open recording, or a
dictionary with `"array"`, `"sampling_rate"` [Hz] and, if wanted, `"channel_names"`."""


def is_raw(value: object) -> bool:
    """Whether an object is a recording of MNE-Python, judged without importing it."""
    return all(hasattr(value, name) for name in ("get_data", "info", "n_times", "annotations"))
