"""What a detector takes: paths, recordings, MNE-Python objects and arrays, all as a `brant_hf.data.Recording`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.recordings import Recording, open_recording
from ..data.recordings.opening import recording_of_source
from ..data.recordings.source import Source

if TYPE_CHECKING:
    from mne.io import BaseRaw

# EDF writes this for a date that was taken out.
_UNKNOWN_START = datetime(1985, 1, 1)


@dataclass
class _RawSamples:
    raw: BaseRaw = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        return self.raw.get_data(picks=list(channels), start=start, stop=stop, verbose="error")


def as_recording(inputs: Any, unit: str | None = None) -> Recording:
    """Open what was given, without loading samples that are not in memory already.

    Parameters
    ----------
    inputs : Any
        A path, a `brant_hf.data.Recording`, an `mne.io.Raw`, or a dictionary with `"array"` (channels, samples)
        [microvolts], `"sampling_rate"` [Hz] and, if wanted, `"channel_names"`.
    unit : str or None
        For paths, see `brant_hf.data.open_recording`.

    Raises
    ------
    ValueError
        It is something else, or cannot be read.
    """
    if isinstance(inputs, Recording):
        return inputs
    if isinstance(inputs, str | os.PathLike):
        return open_recording(inputs, unit=unit)
    if isinstance(inputs, Mapping):
        return _of_dictionary(inputs)
    if hasattr(inputs, "get_data") and hasattr(inputs, "info") and hasattr(inputs, "n_times"):
        return _of_raw(inputs)
    hint = ""
    if isinstance(inputs, np.ndarray):
        hint = ': pass {"array": array, "sampling_rate": rate in Hz}'
    raise ValueError(
        f"cannot detect in {type(inputs).__name__}; expected a path, a Recording, an mne.io.Raw or a dictionary with "
        f'"array" and "sampling_rate"{hint}'
    )


def start_of(recording: Recording) -> datetime | None:
    """When a recording began, where its file says so."""
    raw = getattr(getattr(recording.source, "read", None), "raw", None)
    start = None if raw is None else raw.info["meas_date"]
    if start is None or start.replace(tzinfo=None) == _UNKNOWN_START:
        return None
    # Of a cropped recording, `meas_date` is that of the whole one.
    return start + timedelta(seconds=raw.first_time)


def _of_dictionary(inputs: Mapping[str, Any]) -> Recording:
    known = {"array", "sampling_rate", "channel_names"}
    if "array" not in inputs or set(inputs) - known:
        raise ValueError(
            f'got a dictionary with the keys {", ".join(map(repr, inputs))}; expected "array" (channels, samples) in '
            'microvolts, "sampling_rate" in Hz and, if wanted, "channel_names"'
        )
    return open_recording(np.asarray(inputs["array"]), inputs.get("sampling_rate"), inputs.get("channel_names"))


def _of_raw(raw: BaseRaw) -> Recording:
    path = next((str(name) for name in raw.filenames or () if name), None)
    source = Source(
        name="raw" if path is None else os.path.basename(path).split(".")[0],
        subject=str((raw.info.get("subject_info") or {}).get("his_id") or "") or None,
        num_samples=int(raw.n_times),
        channel_count=len(raw.ch_names),
        sampling_rate=float(raw.info["sfreq"]),
        channel_names=list(raw.ch_names),
        channel_types=raw.get_channel_types(),
        bad_channels=dict.fromkeys(raw.info["bads"], "marked bad"),
        line_frequency=raw.info.get("line_freq"),
        read=_RawSamples(raw),
        unit="V",
    )
    return recording_of_source(source)
