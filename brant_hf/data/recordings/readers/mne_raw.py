"""Formats that MNE-Python reads: FIF, EEGLAB, Curry, GDF and others; and its objects."""

import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..source import Source, known_start, known_subject
from ..units import ascii_unit, microvolts_stated
from .edf_header import read_header
from .interruptions import with_interruptions

if TYPE_CHECKING:
    from mne.io import BaseRaw

# What MNE-Python says about files that are all right for us.
_HARMLESS_WARNINGS = re.compile(
    r"naming conventions|Channels contain different (highpass|lowpass)"
    r"|Highpass cutoff|Lowpass cutoff|Scaling factor is not defined|Invalid measurement date|Estimating the .* from|"
    r"boundary|not find a marker|No coordinate information|does not contain position|position(s)? (was|were)?"
    r" ?(not )?found|Invalid patient|Invalid date|Unknown types found"
)
_NEEDED_PACKAGE = re.compile(r"module ([\w-]+)\S* is needed, but it could not be imported")
_BY_NUMBER = re.compile(r"&#(\d{2,6});")
# Readers that call every channel sEEG, whatever it is.
_ALL_SEEG = ("RawMEF", "RawNSX", "RawNeuralynx")
# Samples that lie together in files of which MNE-Python reads nothing that begins within them and goes beyond.
_CHUNKS = {"RawNedf": 5}
# Whose libraries print at each read.
_PRINTS = ("RawMff",)
# What MNE-Python keeps of an event beside its text, of EGI.
_FURTHER = ("label", "desc")
_OPENING = threading.RLock()
# Of these formats, which are read here only from objects that somebody else opened, MNE-Python knows V, mV and uV, and
# takes numbers in any other unit, and in none, as volts.
_EDF_SUFFIXES = (".edf", ".bdf")


@dataclass
class _RawReader:
    raw: "BaseRaw" = field(repr=False)
    # Numbers of the file that one number of MNE-Python is, by channel; `None` where they are the same.
    numbers: np.ndarray | None = field(default=None, repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        before = start % _CHUNKS.get(type(self.raw).__name__, 1)
        # No `verbose`, which would set the level of MNE-Python's logger for all threads.
        if type(self.raw).__name__ in _PRINTS:
            with quiet_mne("", tell=False):
                samples = self.raw.get_data(picks=list(channels), start=start - before, stop=stop)
        else:
            samples = self.raw.get_data(picks=list(channels), start=start - before, stop=stop)
        samples = samples[:, before:]
        return samples if self.numbers is None else samples * self.numbers[list(channels), None]


class _Collector(logging.Filter):
    """Keeps what this thread would print or warn of; some of MNE-Python's warnings go to its logger only."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._thread = threading.get_ident()
        self._show_warning = warnings.showwarning

    def show_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if threading.get_ident() == self._thread:
            self.messages.append(str(message))
        else:
            self._show_warning(message, category, filename, lineno, file, line)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        # Some readers tell of their progress whatever `verbose` says.
        if record.levelno >= logging.WARNING:
            self.messages.append(record.getMessage())
        return False


class _OtherThreads(io.TextIOBase):
    """Standard output for all threads but this one: some libraries behind MNE-Python print there."""

    def __init__(self) -> None:
        super().__init__()
        self._stdout, self._thread = sys.stdout, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stdout.write(text)

    def flush(self) -> None:
        self._stdout.flush()


@contextmanager
def quiet_mne(recording: str, tell: bool = True) -> Iterator[None]:
    """Turn what MNE-Python and MNE-BIDS print into Python warnings, without those that do not concern us.

    With `tell=False` nothing is told, for libraries whose warnings never concern us.

    Filters of warnings belong to the process: files are opened one at a time, so that they are the same afterwards.
    """
    collector = _Collector()
    with _OPENING, warnings.catch_warnings(), redirect_stdout(_OtherThreads()):
        warnings.simplefilter("always")
        warnings.showwarning = collector.show_warning
        logging.getLogger("mne").addFilter(collector)
        try:
            yield
        finally:
            logging.getLogger("mne").removeFilter(collector)
    for message in dict.fromkeys(" ".join(message.split()) for message in collector.messages):
        if tell and not _HARMLESS_WARNINGS.search(message):
            warn(f"{recording}: {message}")


def read_raw(path: Path, reader: "Callable[..., BaseRaw] | None" = None) -> "BaseRaw":
    """Open a file with MNE-Python without loading samples.

    Parameters
    ----------
    path : Path
        The file.
    reader : Callable or None
        Function of MNE-Python; the one that it takes for this suffix by default.

    Raises
    ------
    ImportError
        MNE-Python needs another package for this format.
    ValueError
        The file does not hold what its name says, is damaged, or has no known format.
    """
    import mne

    try:
        with quiet_mne(path.name):
            raw = (reader or mne.io.read_raw)(path, preload=False, verbose="warning")
    except Exception as error:
        if needed := _NEEDED_PACKAGE.search(str(error)):
            raise ImportError(
                f"{path}: reading {path.suffix} files needs {needed[1]}: pip install {needed[1]}"
            ) from error
        if "Unsupported file type" in str(error) or "do not recognize" in str(error):
            raise ValueError(
                f"{path} has the extension {''.join(path.suffixes)!r}, for which there is no reader; export the "
                "recording as EDF+, or load its samples as an array and pass that"
            ) from error
        raise
    check_end(raw, path)
    return raw


def check_end(raw: "BaseRaw", path: Path) -> None:
    """Read the last sample, so that a file that was cut is told when it is opened.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    last = int(raw.n_times) - 1
    try:
        with quiet_mne(path.name):
            raw.get_data(picks=[0], start=last, stop=last + 1)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} is cut or damaged: it announces {last + 1} samples, and the last one cannot be read ({reason}); "
            "copy or export it again"
        ) from error


def mne_source(path: Path) -> Source:
    """Open a recording file that MNE-Python reads."""
    return with_interruptions(raw_source(read_raw(path), path))


def raw_source(raw: "BaseRaw", path: Path | None = None) -> Source:
    """Open a recording of MNE-Python; `path` is the file it was just read from, `None` where it may have changed."""
    file = path or next((Path(name) for name in raw.filenames or () if name), None)
    start = known_start(raw.info["meas_date"])
    positions, space = _positions(raw)
    units = _units_of_object(raw, file) if path is None else _units_of_file(raw, path)
    numbers = None
    if path is not None:
        # MNE-Python gives volts, whatever the file holds.
        numbers = 1e6 / np.array([microvolts_stated(unit) for unit in units], float)
    return Source(
        name="raw" if file is None else file.stem.removesuffix(".fif"),
        subject=known_subject((raw.info.get("subject_info") or {}).get("his_id")),
        num_samples=int(raw.n_times),
        channel_count=len(raw.ch_names),
        sampling_rate=float(raw.info["sfreq"]),
        channel_names=list(raw.ch_names),
        channel_types=raw.get_channel_types(),
        types_stated=type(raw).__name__ not in _ALL_SEEG,
        bad_channels=dict.fromkeys(raw.info["bads"], "marked bad"),
        events=_annotations(raw),
        line_frequency=raw.info.get("line_freq"),
        start_date=None if start is None else start + timedelta(seconds=raw.first_time),
        positions=positions,
        coordinate_space=space,
        read=_RawReader(raw, numbers),
        unit=units,
        path=path,
    )


def object_source(raw: "BaseRaw", origin: Path | None) -> Source:
    """Describe an object that somebody else opened, as a rule from `origin`, and may have cropped since."""
    cropped, source = float(raw.first_time), raw_source(raw)
    if origin is not None and origin.name.lower().endswith((".fif", ".fif.gz")):
        # Samples of these files need not begin with 0.
        cropped -= float(read_raw(origin).first_time)
    if origin is not None and origin.suffix.lower() in _EDF_SUFFIXES:
        source = _as_header_says(source, origin)
    return with_interruptions(replace(source, origin=origin, cropped=cropped))


def _as_header_says(source: Source, origin: Path) -> Source:
    """Correct what MNE-Python takes wrongly from the header of an EDF file, and say what cannot be corrected."""
    try:
        header = read_header(origin)
    except (OSError, ValueError):
        return source
    if header.is_discontinuous:
        warn(
            f"{source.name}: time may be missing between the records of {origin} (EDF+D), but MNE-Python reads them "
            "as one; pass the path instead of the object",
        )
    names = source.channel_names or []
    unscaled = {header.labels[signal]: reason for signal, reason in header.unscaled.items()}
    bad = source.bad_channels | {name: reason for name, reason in unscaled.items() if name in names}
    # MNE-Python takes the first word of the patient field: `Pt` of `Pt 12`, which many subjects have.
    if source.subject is not None and header.subject is not None and header.subject.split()[0] == source.subject:
        return replace(source, subject=header.subject, bad_channels=bad)
    return replace(source, bad_channels=bad)


def _positions(raw: "BaseRaw") -> tuple[np.ndarray | None, str | None]:
    """Positions of the channels, `(channels, 3)` [m], and the name of their space."""
    montage = raw.get_montage()
    if montage is None:
        return None, None
    stated = montage.get_positions()
    unknown = np.full(3, np.nan)
    return np.array([stated["ch_pos"].get(name, unknown) for name in raw.ch_names]), stated["coord_frame"]


def _units_of_object(raw: "BaseRaw", path: Path | None) -> list[str]:
    """Return the unit of the numbers that MNE-Python gives for each channel, empty where the file states none."""
    if path is None or path.suffix.lower() not in _EDF_SUFFIXES:
        return ["V"] * len(raw.ch_names)
    stated = getattr(raw, "_orig_units", {})
    return [_unit_left_over(stated.get(name, "V")) for name in raw.ch_names]


def _units_of_file(raw: "BaseRaw", path: Path) -> list[str]:
    """Return the unit of the numbers that the file holds for each channel: FIF has volts, others mostly microvolts."""
    if ".fif" in path.suffixes:
        return ["V"] * len(raw.ch_names)
    stated = getattr(raw, "_orig_units", {})
    units = (str(stated.get(name) or "") for name in raw.ch_names)
    return [unit if microvolts_stated(unit) else "uV" for unit in units]


def _unit_left_over(stated: str) -> str:
    if ascii_unit(stated) in ("V", "mV", "uV"):
        return "V"
    return "nV" if stated.casefold() == "nv" else ""


def _text(written: str) -> str:
    """Text of an annotation: MNE-Python writes characters that Latin-1 lacks by number (`&#30529;`) into FIF."""
    return _BY_NUMBER.sub(lambda match: chr(int(match[1])), str(written))


def _annotations(raw: "BaseRaw") -> list[EventRow]:
    annotations = raw.annotations
    # Onsets count from the beginning of the measurement, samples from the first one kept (of a cropped file).
    shift = float(raw.first_time)
    # A moment is written with the length of one sample by some.
    moment = 1.5 / raw.info["sfreq"]
    return [
        EventRow(
            float(onset) - shift,
            0.0 if duration < moment else float(duration),
            _text(text),
            list(channels) or None,
            # An empty one becomes the word `None`.
            tuple(said for key in _FURTHER if (said := str((further or {}).get(key))) not in ("", "None", str(text))),
        )
        for onset, duration, text, channels, further in zip(
            annotations.onset,
            annotations.duration,
            annotations.description,
            annotations.ch_names,
            annotations.extras,
            strict=True,
        )
    ]
