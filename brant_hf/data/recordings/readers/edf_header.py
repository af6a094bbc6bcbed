"""The header of EDF, EDF+, BDF and BDF+ files, read as leniently as it is written.

Kemp et al. 1992, "A simple format for exchange of digitized polygraphic recordings"; Kemp and Olivan 2003, "European
data format plus (EDF+)" (https://www.edfplus.info/specs); BioSemi, "Which file format does BioSemi use".
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ....events.encodings import decode_text
from ....user_warnings import warn
from ..source import known_start, known_subject

_FIXED_HEADER = 256
_HEADER_PER_SIGNAL = 256
# Fields of the signals in their order, with the bytes of each; a field of all signals stands before the next field.
_SIGNAL_FIELDS = {
    "label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8,
    "digital_max": 8, "prefiltering": 80, "samples": 8, "reserved": 32,
}  # fmt: skip
_ANNOTATIONS = re.compile(r"(edf|bdf)[ _]?annotations?([ _-]?\d+)?", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_START_DATE = re.compile(r"startdate\s+(\d{1,2})-([a-z]{3})-(\d{4})\b", re.IGNORECASE)
_BIRTH_DATE = re.compile(r"x|\d{1,2}-[a-z]{3}-\d{4}", re.IGNORECASE)
_TRUNCATED = "Copy or export it again"


@dataclass(frozen=True)
class EdfHeader:
    """What the header of a file says.

    Attributes
    ----------
    path : Path
        The file.
    data_start : int
        Bytes before the first record.
    sample_bytes : int
        2 in EDF, 3 in BDF.
    num_records : int
        Complete records that the file holds.
    record_s : float or None
        Length of a record [s], `None` where none is stated.
    labels : list[str]
        Names of all signals, those of annotations included.
    units : list[str]
        Their physical dimensions as written.
    samples : list[int]
        Samples of each in a record.
    gains : np.ndarray
        Physical units for one digital unit, of each signal; NaN for a signal without a scale.
    offsets : np.ndarray
        Physical value of the digital 0.
    unscaled : dict[int, str]
        Signals whose values mean nothing, each with the reason.
    is_discontinuous : bool
        Whether the file says that time is missing between its records (EDF+D, BDF+D).
    subject : str or None
        Who was recorded, where the header tells.
    start : datetime or None
        When the first record begins, to the second, where the header tells.
    """

    path: Path
    data_start: int
    sample_bytes: int
    num_records: int
    record_s: float | None
    labels: list[str]
    units: list[str]
    samples: list[int]
    gains: np.ndarray
    offsets: np.ndarray
    unscaled: dict[int, str]
    is_discontinuous: bool
    subject: str | None
    start: datetime | None

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return self.sample_bytes * sum(self.samples)

    @property
    def annotation_signals(self) -> list[int]:
        """Places of the signals that hold annotations."""
        return [place for place, label in enumerate(self.labels) if _ANNOTATIONS.fullmatch(label)]

    def place_of(self, signal: int) -> int:
        """Bytes of a record before a signal."""
        return self.sample_bytes * sum(self.samples[:signal])


def read_header(path: Path) -> EdfHeader:
    """Read and check the header of an EDF or BDF file.

    Raises
    ------
    ValueError
        It is no such file, or the file holds fewer records than it says; with what to do.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(_FIXED_HEADER)
        num_signals = _number(fixed[252:256])
        if len(fixed) < _FIXED_HEADER or not num_signals >= 1:
            raise ValueError(
                f"{path} is not an {path.suffix.lower().lstrip('.').upper()} file: its header cannot be read (it "
                f"begins with {fixed[:24]!r}). Give the file its right extension, or export it again"
            )
        signals = file.read(int(num_signals) * _HEADER_PER_SIGNAL)
    fields = _signal_fields(signals, int(num_signals), path, size)
    samples = _samples_per_record(fields["samples"], path)
    announced = _number(fixed[236:244])
    announced = int(announced) if announced >= 0 else -1
    data_start, sample_bytes = _layout(fixed, path, size, samples, announced)
    held = (size - data_start) // (sample_bytes * sum(samples))
    _check_records(path, size, announced, held)
    gains, offsets, unscaled = _scales(fields)
    record_s = _number(fixed[244:252])
    reserved = fixed[192:236].upper()
    return EdfHeader(
        path=path,
        data_start=data_start,
        sample_bytes=sample_bytes,
        num_records=held,
        record_s=record_s if 0 < record_s < math.inf else None,
        labels=[_text(field) for field in fields["label"]],
        units=[_text(field) for field in fields["unit"]],
        samples=samples,
        gains=gains,
        offsets=offsets,
        unscaled=unscaled | {place: "no samples in the file" for place, count in enumerate(samples) if count == 0},
        is_discontinuous=reserved.startswith((b"EDF+D", b"BDF+D")),
        subject=_subject(_text(fixed[8:88]), is_plus=reserved[1:4] == b"DF+"),
        start=_start(_text(fixed[88:168]), _text(fixed[168:176]), _text(fixed[176:184])),
    )


def _text(field: bytes) -> str:
    return decode_text(field.split(b"\x00")[0]).strip()


def _number(field: bytes) -> float:
    """Return the number in a field, NaN where there is none; some systems write a decimal comma."""
    try:
        return float(field.split(b"\x00")[0].replace(b",", b"."))
    except ValueError:
        return math.nan


def _signal_fields(signals: bytes, num_signals: int, path: Path, size: int) -> dict[str, list[bytes]]:
    if len(signals) < num_signals * _HEADER_PER_SIGNAL:
        raise ValueError(f"{path} is truncated: it ends before any sample ({size} bytes). {_TRUNCATED}")
    fields, start = {}, 0
    for name, width in _SIGNAL_FIELDS.items():
        fields[name] = [
            signals[start + width * signal : start + width * (signal + 1)] for signal in range(num_signals)
        ]
        start += width * num_signals
    return fields


def _samples_per_record(fields: list[bytes], path: Path) -> list[int]:
    numbers = [_number(field) for field in fields]
    if not all(number.is_integer() for number in numbers):
        raise ValueError(f"{path}: the numbers of samples a record {fields} in its header are no numbers")
    if min(numbers) < 0 or sum(numbers) == 0:
        raise ValueError(f"{path}: the numbers of samples a record {numbers} in its header are not possible")
    return [int(number) for number in numbers]


def _layout(fixed: bytes, path: Path, size: int, samples: list[int], announced: int) -> tuple[int, int]:
    """Bytes before the first record and of a sample; where the header contradicts itself, what fits the file."""
    by_signals = _FIXED_HEADER + _HEADER_PER_SIGNAL * len(samples)
    stated = _number(fixed[184:192])
    starts = [by_signals, int(stated)] if stated > by_signals else [by_signals]
    marked = fixed[:1] == b"\xff" or fixed[192:196].upper() == b"BDF+" or fixed[192:197].upper() == b"24BIT"
    by_suffix = 3 if path.suffix.lower() == ".bdf" else 2
    widths = [3, by_suffix] if marked else [2, by_suffix]
    layouts = [(start, width) for start in starts for width in widths]
    fitting = [(start, width) for start, width in layouts if size - start == announced * width * sum(samples)]
    if not fitting and stated != by_signals:
        warn(
            f"{path.name}: its header states a length of {fixed[184:192].decode('latin-1').strip()!r} bytes, which "
            f"for {len(samples)} signals is {by_signals}; samples are read from there"
        )
    return (fitting or layouts)[0]


def _check_records(path: Path, size: int, announced: int, held: int) -> None:
    if held < 1:
        raise ValueError(f"{path} is truncated: it ends before any sample ({size} bytes). {_TRUNCATED}")
    if held < announced:
        raise ValueError(
            f"{path} is truncated: its header announces {announced} records, it holds {held}. {_TRUNCATED}; "
            "if there is no complete file, a program that repairs EDF headers, such as EDFbrowser, makes one of the "
            "records that are there"
        )
    if held > announced:
        # Recorders write -1 while they record; after a crash it stays, and all complete records are good.
        warn(
            f"{path.name}: Number of records in the header is {announced}, as after a recording that was not ended "
            f"properly; the {held} complete records that the file holds are read"
        )


def _scales(fields: dict[str, list[bytes]]) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Gain and offset of each signal, and those that have none, each with the reason."""
    physical_min, physical_max, digital_min, digital_max = (
        np.array([_number(field) for field in fields[name]])
        for name in ("physical_min", "physical_max", "digital_min", "digital_max")
    )
    with np.errstate(all="ignore"):
        gains = (physical_max - physical_min) / (digital_max - digital_min)
        offsets = physical_min - digital_min * gains
    has_none = ~np.isfinite(gains) | ~np.isfinite(offsets) | (gains == 0)
    gains[has_none] = np.nan
    unscaled = {
        int(signal): f"no scale: its header states digital {digital_min[signal]:g} to {digital_max[signal]:g} as "
        f"physical {physical_min[signal]:g} to {physical_max[signal]:g}"
        for signal in np.flatnonzero(has_none)
    }
    return gains, offsets, unscaled


def _subject(written: str, is_plus: bool) -> str | None:
    """Code of the subject: the first sub-field of EDF+ (code, sex, birth date, name), or all of a plain field."""
    parts = written.split()
    has_sex = len(parts) > 1 and parts[1].upper() in ("F", "M", "X")
    if has_sex and (is_plus or (len(parts) > 3 and _BIRTH_DATE.fullmatch(parts[2]))):
        return known_subject(parts[0])
    return known_subject(" ".join(parts))


def _start(recording: str, day: str, time: str) -> datetime | None:
    """When the recording began, in the time zone that MNE-Python gives it; `None` for dates that are not as specified.

    The year of EDF has two digits, which stand for 1985 to 2084; EDF+ states all four beside it.
    """
    clock = re.fullmatch(r"(\d{1,2})[.:](\d{1,2})[.:](\d{1,2})", time)
    date = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{2})", day)
    full = _START_DATE.search(recording)
    if full is not None and full[2].lower() in _MONTHS:
        date, month, year = full, _MONTHS.index(full[2].lower()) + 1, int(full[3])
    elif date is not None:
        month, year = int(date[2]), int(date[3]) + (1900 if int(date[3]) >= 85 else 2000)
    if date is None or clock is None:
        return None
    try:
        start = datetime(year, month, int(date[1]), int(clock[1]), int(clock[2]), int(clock[3]), tzinfo=UTC)
    except ValueError:
        return None
    return known_start(start)
