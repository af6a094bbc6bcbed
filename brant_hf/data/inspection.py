"""What the package understands of a recording, before anything is done with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoints import SHIPPED_DETECTOR
from ..events.event import without_stretches
from ..events.vocabulary import EventRow, meaning_of_event, speaks_of_a_seizure
from ..user_warnings import once_each, warnings_noted
from .preprocessing import Preprocessing, preprocess
from .preprocessing.saturation import Saturation
from .preprocessing.survey import LINE_FREQUENCIES, MOSTLY_LINE_NOISE, NORMAL_IQR, line_part
from .recordings import open_recording
from .recordings.clock import spread
from .recordings.formats import suffix_of

if TYPE_CHECKING:
    from .recordings import Recording
    from .recordings.recording import RecordingSource

# Stretches that are looked at, and their length [s].
_STRETCHES = 10
_STRETCH_S = 2.0
# Line noise is looked for up to this multiple of its frequency.
_HARMONICS = 5


def inspect_recording(
    recording: RecordingSource, *, preprocessing: Mapping[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    """Say what the package understands of a recording. Short stretches of the signal are read, not all of it.

    Parameters
    ----------
    recording : str, os.PathLike, np.ndarray, mne.io.Raw, Recording or dict
        What `open_recording` takes.
    preprocessing : Mapping[str, Any] or None
        Settings of `Preprocessing` that go before those of the shipped detector.
    **options : Any
        Keyword arguments of `open_recording`.

    Returns
    -------
    dict[str, Any]
        JSON-serialisable; what is not known is `None`. Times are seconds from the start of the file.

        - `name`, `path`, `format` (suffix of the file, or `"array"`), `start` (ISO 8601), `duration` [s],
          `offset` [s] (where a part begins in its file), `file_duration` [s], `is_part`, `sampling_rate` [Hz], `gaps`
          (`[start, stop]` each), `recorded` [s] (the length without them) and `pieces` (what is between them);
        - `subject`, and `subject_from`: how it is known;
        - `channels`: of each that is read `name`, `type`, `unit` (what the file states), `scale` (microvolts of a
          stored number) and `scale_from` (`"file"`, `"amplitude"` or `"given"`), `median` and `deviation` [microvolts]
          (the deviation is robust: an interquartile range in units of that of a normal distribution with standard
          deviation 1), and `condition`: `"ok"`, `"flat"`, `"saturated"`, `"line noise"` (it is mostly
          that) or `"no samples"`;
        - `left_out`: the reason for each channel that is not read;
        - `line_noise`: `stated` [Hz], and `measured`: for 50 and 60 Hz and their harmonics how many times the power
          beside it the power is, in the median of the channels;
        - `remarks`: all events of the file (`onset`, `duration`, `text`, `channels`) with their `meaning`:
          `"seizure"`, `"onset"`, `"offset"`, `"uncertain"`, `"ignore"`, `"unclear"` (it speaks of a seizure and is
          not taken as one) or `None`;
        - `seizures` and `uncertain` (nobody knows whether they are): `onset`, `offset`, `channels` (`None`: all);
          `seizures_from`: the table or file that tells of them;
        - `detection`: what the shipped detector would do with it; see `notes` there;
        - `warnings`: what was said when it was opened and looked at; it is told as warnings of Python, too.

    Raises
    ------
    OSError, ValueError, ImportError
        As `open_recording`.
    """
    with warnings_noted() as texts:
        opened = open_recording(recording, **options)
        detection = _detection(opened, preprocessing or {})
        stretches, offset = _stretches(opened), opened.offset
    events = sorted(opened.events, key=lambda event: event.onset)
    return {
        "name": opened.name,
        "path": None if opened.path is None else str(opened.path),
        "format": "array" if opened.path is None else suffix_of(opened.path),
        "subject": opened.subject,
        "subject_from": opened.subject_from,
        "start": None if opened.start_date is None else opened.start_date.isoformat(),
        "duration": opened.duration,
        "offset": opened.offset,
        "file_duration": opened.file_duration,
        "is_part": opened.duration < opened.file_duration,
        "sampling_rate": opened.sampling_rate,
        "gaps": [list(gap) for gap in opened.gaps_in_file],
        "recorded": opened.recorded_duration,
        "pieces": len(without_stretches([(0.0, opened.duration)], opened.gaps)),
        "channels": _channels(opened, stretches),
        "left_out": dict(opened.excluded_channels),
        "line_noise": {"stated": opened.line_frequency, "measured": _line_noise(stretches, opened.sampling_rate)},
        "remarks": [_remark(event, options.get("event_types"), offset) for event in events],
        "seizures": _intervals(opened.seizures, offset),
        "uncertain": _intervals(opened.uncertain, offset),
        "seizures_from": opened.seizures_from or None,
        "detection": detection,
        "warnings": once_each([*opened.warnings, *texts()]),
    }


def _stretches(recording: Recording) -> np.ndarray:
    """Stretches spread over the recording, `(stretches, channels, samples)` [microvolts]."""
    total = recording.num_samples
    length = min(max(round(_STRETCH_S * recording.sampling_rate), 1), total)
    recorded = round(recording.recorded_duration * recording.sampling_rate)
    count = min(_STRETCHES, max(recorded // length, 1))
    starts = spread(total, recording.gaps, recording.sampling_rate, count, length)
    return np.stack([recording.read_samples(start, start + length) for start in starts])


def _channels(recording: Recording, stretches: np.ndarray) -> list[dict[str, Any]]:
    unknown = [None] * recording.num_channels
    columns = (recording.channel_types, recording.units, recording.scales, recording.scales_from)
    saturation = Saturation()
    for stretch in stretches:
        saturation.look_at(stretch)
    saturated = saturation.found()
    known = zip(recording.channel_names, *(column or unknown for column in columns), strict=True)
    return [
        {
            "name": name,
            "type": kind,
            "unit": unit or None,
            "scale": scale,
            "scale_from": scale_from,
            **_amplitude(stretches[:, place], recording.sampling_rate, bool(saturated[place])),
        }
        for place, (name, kind, unit, scale, scale_from) in enumerate(known)
    ]


def _amplitude(values: np.ndarray, rate: float, is_saturated: bool) -> dict[str, Any]:
    """Amplitude and condition of one channel, `(stretches, samples)` [microvolts]."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"median": None, "deviation": None, "condition": "no samples"}
    low, median, high = np.quantile(finite, (0.25, 0.5, 0.75))
    flat = np.ptp(finite) <= Preprocessing().flat_threshold
    is_noise = np.median(line_part(values, rate)) > MOSTLY_LINE_NOISE
    condition = "flat" if flat else "saturated" if is_saturated else "line noise" if is_noise else "ok"
    return {"median": float(median), "deviation": float((high - low) / NORMAL_IQR), "condition": condition}


def _line_noise(stretches: np.ndarray, rate: float) -> dict[str, dict[str, float]]:
    """For each line frequency [Hz] and its harmonics the power, as a multiple of that beside it."""
    from scipy.signal import welch

    complete = np.isfinite(stretches).all(axis=2)
    usable = complete.any(axis=0)
    frequencies, power = welch(np.where(complete[..., None], stretches, 0), rate, nperseg=stretches.shape[2])
    power = power.sum(axis=0)[usable] / complete.sum(axis=0)[usable, None]
    power = power[power.max(axis=1) > 0]
    measured: dict[str, dict[str, float]] = {}
    for line in LINE_FREQUENCIES:
        for frequency in line * np.arange(1, _HARMONICS + 1):
            distance = np.abs(frequencies - frequency)
            at, beside = distance <= 1, (distance >= 2) & (distance <= 6)
            if frequency + 2 > rate / 2 or not (at.any() and beside.any() and len(power)):
                break
            floor = np.maximum(np.median(power[:, beside], axis=1), np.finfo(np.float32).tiny)
            ratio = float(np.median(power[:, at].max(axis=1) / floor))
            measured.setdefault(f"{line:g}", {})[f"{frequency:g}"] = ratio
    return measured


def _remark(event: EventRow, event_types: Mapping[str, str] | None, offset: float) -> dict[str, Any]:
    meaning = meaning_of_event(event, event_types)
    texts = (event.text, *event.further)
    return {
        "onset": float(event.onset) + offset,
        "duration": float(event.duration) if math.isfinite(event.duration) else None,
        "text": event.text,
        "channels": event.channels,
        "meaning": "unclear" if meaning is None and any(map(speaks_of_a_seizure, texts)) else meaning,
    }


def _intervals(seizures: Any, later: float) -> list[dict[str, Any]]:
    return [
        {"onset": float(onset) + later, "offset": float(offset) + later, "channels": channels}
        for onset, offset, channels in seizures
    ]


def _detection(recording: Recording, given: Mapping[str, Any]) -> dict[str, Any]:
    """Say what the shipped detector, or one with the defaults of the package, would do with a recording."""
    file = SHIPPED_DETECTOR / "config.json"
    # Without transformers, whose import takes longer than all of this.
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    settings = config.get("detection") or {}
    preprocessing = Preprocessing.from_dict({**(settings.get("preprocessing") or {}), **given})
    patch_s = config.get("patch_length", 1500) / preprocessing.sampling_rate
    found: dict[str, Any] = {
        "sampling_rate": preprocessing.sampling_rate,
        "window": config.get("num_patches", 15) * patch_s,
        "channels": [],
        "left_out": {},
        "line_noise": None,
        "gain": 1.0,
    }
    try:
        prepared = preprocess(recording, preprocessing)
    except (ValueError, OSError) as error:
        return {**found, "notes": [f"it cannot be searched: {error}"]}
    found.update(
        channels=prepared.channel_names,
        left_out=dict(prepared.dropped_channels),
        line_noise=prepared.line_frequency,
        gain=float(prepared.gain),
    )
    notes = _notes(recording, found, settings, patch_s)
    trained = (settings.get("preprocessing") or {}).get("reference", Preprocessing().reference)
    if preprocessing.reference != trained:
        notes.append(f"it was trained with the reference {trained}, and may be wrong with {preprocessing.reference}")
    return {**found, "notes": notes}


def _notes(recording: Recording, found: Mapping[str, Any], settings: Mapping[str, Any], patch_s: float) -> list[str]:
    notes = []
    agreeing, count, rate = settings.get("min_channels", 1), len(found["channels"]), recording.sampling_rate
    if count < agreeing:
        few = "only 1 is there, which decides alone" if count == 1 else f"only {count} are there, which decide alone"
        notes.append(f"{agreeing} channels have to agree; {few}")
    if recording.duration < found["window"]:
        notes.append(
            f"it is shorter than a window of {found['window']:g} s; one of {recording.duration:.2f} s is searched"
        )
    if recording.duration < patch_s:
        notes.append(f"it is shorter than a patch of {patch_s:g} s, of which the rest is zeros")
    if rate < found["sampling_rate"]:
        notes.append(f"the model expects frequencies up to {found['sampling_rate'] / 2:g} Hz; it has {rate / 2:g} Hz")
    if not math.isclose(found["gain"], 1, rel_tol=5e-3):
        notes.append(
            f"its amplitudes are multiplied by {found['gain']:.3g}, towards what is usual; if that is far from 1, "
            "check the unit (unit=...)"
        )
    missing = sum(stop - start for start, stop in recording.gaps)
    if missing:
        notes.append(f"nothing is found in its gaps, {missing:.2f} s in all")
    return notes
