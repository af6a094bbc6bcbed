"""What stands beside the signal of a MATLAB file: its rate, names of channels, unit, and what has to be told."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ....events.vocabulary import speaks_of_a_seizure
from ....listing import listed
from ....user_warnings import warn
from ..source import known_subject
from .mat_files import StoredMatrix, VectorReader

Found: TypeAlias = "tuple[tuple[str, ...], Any]"
"""A member of a file, after the keys that lead to it."""

SIGNAL_KEYS = (
    "data", "eeg", "ieeg", "seeg", "ecog", "lfp", "signal", "signals", "trial", "raw", "x", "dat", "values",
    "recording",
)  # fmt: skip
# A signal has at least so many samples.
FEWEST_SAMPLES = 100
_SUBJECT_KEYS = ("subject", "subjectid", "patientid", "patient")
_RATE_KEYS = (
    "fs", "fsample", "srate", "sfreq", "samplingrate", "samplingfrequency", "samplerate", "samplefrequency",
    "samplingfreq", "samplefreq", "freq",
)  # fmt: skip
_PERIOD_KEYS = (
    "dt", "deltat", "interval", "sampleinterval", "samplinginterval", "sampleperiod", "samplingperiod", "timestep",
)  # fmt: skip
TIME_KEYS = ("t", "time", "times", "timestamp", "timestamps", "ts", "tvec", "timevector", "timeaxis")
_NAME_KEYS = ("label", "labels", "channelnames", "chnames", "channellabels", "channels", "chanlocs", "names")
_UNIT_KEYS = ("unit", "units", "chanunit")
# Units of the places of electrodes, which FieldTrip keeps beside the signal.
_LENGTHS = ("m", "dm", "cm", "mm")
_EVENT_KEYS = (
    "event", "events", "annotation", "annotations", "marker", "markers", "seizure", "seizures", "onset", "offset",
    "sampleinfo",
)  # fmt: skip
_BAD_KEYS = ("bad", "bads", "badchannels", "badchans", "badelectrodes", "badcontacts", "rejectedchannels")
# Of whole numbers, as a converter gives them.
_SCALE_KEYS = (
    "scale", "scales", "scaling", "scalefactor", "scalingfactor", "gain", "gains", "resolution", "lsb", "multiplier",
    "calibration", "conversion", "conversionfactor", "voltageconversionfactor", "adbitvolts", "bitvolts",
    "voltsperbit", "uvperbit", "microvoltsperbit", "bituv",
)  # fmt: skip
# Rates that brains are recorded at [Hz]: a factor of 1000 apart, so that no two units of a period fit.
_RATES = (50.0, 5e4)
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}
_SAME_RATE = 0.01
# Of a vector of times, the first samples are looked at, and so many that are spread over it.
_LOOKED_AT = 64


def walk(place: tuple[str, ...], value: Any) -> Iterator[Found]:
    """All members of structures and cells, each with the keys that lead to it."""
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from walk((*place, key), member)
    elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        for index, member in enumerate(value if isinstance(value, list) or np.ndim(value) == 1 else ()):
            if not isinstance(member, str):
                yield from walk((*place, str(index)), member)


def is_called(place: tuple[str, ...], keys: Sequence[str]) -> bool:
    """Whether the last key that is a name is one of these, however it is written."""
    name = next((key for key in reversed(place) if not key.isdigit()), "")
    return name.replace("_", "").casefold() in keys


def distance(place: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Count the steps from one place to another."""
    pairs = enumerate(zip(place, other, strict=False))
    shared = next((index for index, (a, b) in pairs if a != b), min(len(place), len(other)))
    return len(place) + len(other) - 2 * shared


def is_vector(value: Any) -> bool:
    """Whether a member may be one channel."""
    if not is_numeric(value) or len(value.shape) not in (1, 2):
        return False
    return max(value.shape) >= FEWEST_SAMPLES and int(np.prod(value.shape)) == max(value.shape)


def is_numeric(value: Any) -> bool:
    """Whether a member is an array of numbers, read or left in its file."""
    return isinstance(value, StoredMatrix) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")


def has_whole_numbers(signal: Any) -> bool:
    """Whether a signal is kept in whole numbers, as a converter gives them."""
    return (signal.kind if isinstance(signal, StoredMatrix) else signal.dtype.kind) in "iu"


def name_in_file(place: tuple[str, ...], signal: Any) -> str:
    """Name by which readers find a signal again."""
    return signal.name if isinstance(signal, StoredMatrix) else "/".join(place)


def subject_near(near: Sequence[Found]) -> str | None:
    """Subject that the file names, the first of these members where there are several."""
    texts = (value for place, value in near if is_called(place, _SUBJECT_KEYS) and isinstance(value, str))
    return known_subject(next(texts, None))


def rate_near(items: Sequence[Found], place: tuple[str, ...], path: Path, num_samples: int) -> float | None:
    """Find the sampling rate [Hz] nearest to the signal, or the time between two samples where no rate is told.

    Where that is not told either, a vector with the time of each sample tells it.

    Parameters
    ----------
    items : Sequence[Found]
        All members.
    place : tuple[str, ...]
        That of the signal.
    path : Path
        The file.
    num_samples : int
        Samples of the signal.

    Returns
    -------
    float or None
        `None` where there is none, or several differ.
    """
    rate = _number_near(items, place, _RATE_KEYS)
    if rate is not None:
        _tell_of_other_times(rate, _period_of_times(items, place, path, num_samples), path)
        return rate if np.isfinite(rate) else None
    period = _number_near(items, place, _PERIOD_KEYS) or _period_of_times(items, place, path, num_samples)
    lowest, highest = _RATES
    fitting = {unit: per / period for unit, per in _PER_SECOND.items() if period and lowest <= per / period < highest}
    if len(fitting) != 1:
        return None
    unit, rate = fitting.popitem()
    if unit != "s":
        warn(
            f"{path.stem}: the time between two samples, {period:g}, is taken as {unit}, which makes {rate:g} Hz; "
            "pass sampling_rate= if it is another"
        )
    # Of 0.00390625 s and the like, as far as the digits of a file go.
    return float(np.round(rate)) if np.isclose(rate, np.round(rate), rtol=1e-6) else rate


def _tell_of_other_times(rate: float, period: float | None, path: Path) -> None:
    """Warn of a rate [Hz] that is not that of the times of the samples, in whatever unit these are."""
    by_times = [per / period for per in _PER_SECOND.values()] if period else []
    plausible = [each for each in by_times if _RATES[0] <= each < _RATES[1]]
    if np.isfinite(rate) and plausible and not any(abs(each / rate - 1) <= _SAME_RATE for each in by_times):
        warn(
            f"{path.stem}: it states {rate:g} Hz, which is taken, and the times of its samples make {plausible[0]:g} "
            "Hz; pass sampling_rate= with the right one"
        )


def _period_of_times(items: Sequence[Found], place: tuple[str, ...], path: Path, num_samples: int) -> float | None:
    """Time between two samples by the vectors of times nearest to the signal.

    `None` where there is none, where several differ, or where one has gaps or counts the samples.
    """
    vectors = [item for item in items if is_called(item[0], TIME_KEYS) and is_vector(item[1])]
    vectors = [item for item in vectors if max(item[1].shape) == num_samples]
    nearest = min((distance(place, key) for key, _ in vectors), default=0)
    periods = {_even_step(value, path) for key, value in vectors if distance(place, key) == nearest}
    period = periods.pop() if len(periods) == 1 else None
    return None if period == 1 else period


def _even_step(times: Any, path: Path) -> float | None:
    """Step of a vector of times, as it is but for rounding; `None` where no moment is within a step of it."""
    count = max(times.shape)
    stored = VectorReader(path, [times.name]) if isinstance(times, StoredMatrix) else None
    begin = np.arange(min(_LOOKED_AT, count))
    chosen = np.unique([*begin, *np.linspace(0, count - 1, _LOOKED_AT).astype(int)])
    if stored is None:
        moments = np.ravel(times)[chosen].astype(float)
    else:
        moments = np.array([stored([0], place, place + 1)[0, 0] for place in chosen.tolist()], float)
    step = (moments[-1] - moments[0]) / (count - 1)
    if not (step > 0 and np.all(np.abs(moments - moments[0] - chosen * step) < step)):
        return None
    # Times are rounded: a whole rate is meant that makes less than half a sample of difference up to the end.
    for per in _PER_SECOND.values():
        rate = per / step
        if _RATES[0] <= rate < _RATES[1] and abs(np.round(rate) - rate) * count / rate < 0.5:
            return float(per / np.round(rate))
    return float(step)


def _number_near(items: Sequence[Found], place: tuple[str, ...], keys: Sequence[str]) -> float | None:
    """Positive number nearest to the signal; `None` where there is none of these keys, NaN where several differ."""
    found = [
        (distance(place, key), float(np.ravel(value)[0]))
        for key, value in items
        if is_called(key, keys) and is_number(value) and len(np.unique(value)) == 1
    ]
    nearest = min((steps for steps, _ in found), default=0)
    numbers = {number for steps, number in found if steps == nearest and np.isfinite(number) and number > 0}
    return None if not found else numbers.pop() if len(numbers) == 1 else np.nan


def is_number(value: Any) -> bool:
    """Whether a member is a number or an array of them."""
    return not isinstance(value, list | dict | StoredMatrix) and np.asarray(value).dtype.kind in "fiu"


def names_of_channels(place: tuple[str, ...], value: Any) -> list[str] | None:
    """Names of channels, in the forms that toolboxes give them."""
    if not is_called(place, _NAME_KEYS) or isinstance(value, StoredMatrix) or place[-1].isdigit():
        return None
    if isinstance(value, dict):
        inside = next((value[key] for key in value if key.casefold() in ("labels", "label")), list(value))
        return names_of_channels(place, inside) if not isinstance(inside, dict) else None
    members = [value] if isinstance(value, str) else list(value) if np.ndim(value) == 1 else []
    texts = [
        next((member[key] for key in ("labels", "Name", "name") if key in member), None)
        if isinstance(member, dict)
        else member
        for member in members
    ]
    return [str(text).strip() for text in texts] if texts and all(isinstance(text, str) for text in texts) else None


def unit_near(near: Sequence[Found], channel_count: int) -> str | list[str]:
    """Find the unit of the signal, of all channels or of each; microvolts where none is told."""
    for place, value in near:
        if is_called(place, _UNIT_KEYS) and not place[-1].isdigit():
            if isinstance(value, str) and value.strip() and value.strip() not in _LENGTHS:
                return value.strip()
            units = [str(unit).strip() for unit in value] if np.ndim(value) == 1 else []
            if len(units) == channel_count:
                return units
    return "uV"


def tell_of_members(path: Path, items: Sequence[Found], has_whole_numbers: bool) -> None:
    """Warn of what is not read: events, bad channels, and factors of the numbers of a converter."""
    filled = {".".join(place): (place, value) for place, value in items if _tells(value)}
    events = [name for name, (place, value) in filled.items() if _is_of_events(place, value)]
    if events:
        warn(
            f"{path.stem}: events of MATLAB files are not read ({listed(events)}); pass seizures= with "
            "their times [s] or a table of them"
        )
    bad = [name for name, (place, _) in filled.items() if is_called(place, _BAD_KEYS)]
    if bad:
        warn(f"{path.stem}: bad channels of MATLAB files are not read ({listed(bad)}); pass bad= with their names")
    factors = [
        f"{name} {np.ravel(value)[0]:g}"
        for name, (place, value) in filled.items()
        if is_called(place, _SCALE_KEYS) and is_number(value) and np.any(np.ravel(value) != 1)
    ]
    if factors and has_whole_numbers:
        warn(
            f"{path.stem}: its whole numbers are taken as microvolts, without what may be their factor in the file "
            f"({listed(factors)}); pass gain= with the microvolts of one number"
        )


def _tells(value: Any) -> bool:
    """Whether a member holds anything; the 0 of a scale, or of a file without events, does not."""
    if is_number(value):
        return bool(np.any(value))
    return value.size > 0 if isinstance(value, np.ndarray) else value not in (None, "", [], {})


def _is_of_events(place: tuple[str, ...], value: Any) -> bool:
    return is_called(place, _EVENT_KEYS) or (not isinstance(value, dict) and speaks_of_a_seizure(place[-1]))
