"""Every format that MNE-Python reads: EDF, BDF, BrainVision, FIF, MEF3, Nihon Kohden, Persyst, EEGLAB and others."""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....events.vocabulary import EventRow
from ..channels import reason_in_name
from ..source import Source
from ..units import ascii_unit
from .edf_header import check_edf

if TYPE_CHECKING:
    from mne.io import BaseRaw

# What MNE-Python says about files that are all right for us.
_HARMLESS_WARNINGS = re.compile(
    r"naming conventions|Channels contain different (highpass|lowpass)"
    r"|Highpass cutoff|Lowpass cutoff|Scaling factor is not defined|Invalid measurement date|Estimating the .* from|"
    r"boundary|not find a marker|No coordinate information|does not contain position|position(s)? (was|were)?"
    r" ?(not )?found|Invalid patient|Invalid date"
)
# The first sub-field of an EDF patient field is `X` when it was anonymised.
_ANONYMOUS = re.compile(r"[xX_\s.\-0]*|n/?a|none|unknown|anon.*|patient|subject", re.IGNORECASE)
# Of these formats MNE-Python knows V, mV and uV, and takes numbers in any other unit, and in none, as volts.
_TAKES_UNKNOWN_UNITS_AS_VOLTS = (".edf", ".bdf")


@dataclass
class _RawReader:
    raw: "BaseRaw" = field(repr=False)

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        with quiet_mne(str(self.raw.filenames[0] or "recording")):
            return self.raw.get_data(picks=list(channels), start=start, stop=stop, verbose="error")


class _Collector(logging.Handler):
    """Keeps what would be printed: some of MNE-Python's warnings go to its logger only."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def quiet_mne(recording: str) -> Iterator[None]:
    """Turn what MNE-Python and MNE-BIDS print into Python warnings, without those that do not concern us."""
    logger, collector = logging.getLogger("mne"), _Collector()
    handlers, logger.handlers = logger.handlers, [collector]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.handlers = handlers
    messages = [str(warning.message) for warning in caught] + collector.messages
    for message in dict.fromkeys(" ".join(message.split()) for message in messages):
        if not _HARMLESS_WARNINGS.search(message):
            warnings.warn(f"{recording}: {message}", stacklevel=4)


def read_raw(path: Path) -> tuple["BaseRaw", dict[str, str]]:
    """Open a file with MNE-Python without loading samples.

    Returns
    -------
    tuple['BaseRaw', dict[str, str]]
        The recording, and the channels left out because they have another sampling rate, each with this reason.

    Raises
    ------
    ImportError
        MNE-Python needs another package for this format.
    ValueError
        The file does not hold what its name says, is damaged, or has no known format.
    """
    import mne

    other_rates = _at_other_rates(check_edf(path))
    # MNE-Python resamples slower signals at each read, with errors at the edges of what is read.
    options = {"exclude": list(other_rates)} if other_rates else {}
    try:
        with quiet_mne(path.name):
            return mne.io.read_raw(path, preload=False, verbose="warning", **options), other_rates
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:
        # Readers of damaged files fail in any way there is: KeyError, IndexError, struct.error, AssertionError, ...
        reason = " ".join(str(error).split())
        if "could not be imported" in reason:
            raise ImportError(f"{path}: {reason}") from error
        if "Unsupported file type" in reason or "do not recognize" in reason:
            raise ValueError(
                f"{path}: MNE-Python has no reader for the extension {''.join(path.suffixes)!r}"
            ) from error
        raise ValueError(
            f"{path} cannot be read as a {path.suffix} recording: {type(error).__name__}: {reason}"
        ) from error


def mne_source(path: Path) -> Source:
    """Open a recording file that MNE-Python reads."""
    raw, left_out = read_raw(path)
    subject_info = raw.info.get("subject_info") or {}
    subject = str(subject_info.get("his_id") or "").strip()
    return Source(
        name=path.stem,
        subject=None if _ANONYMOUS.fullmatch(subject) else subject,
        num_samples=int(raw.n_times),
        channel_count=len(raw.ch_names),
        sampling_rate=float(raw.info["sfreq"]),
        channel_names=list(raw.ch_names),
        channel_types=raw.get_channel_types(),
        bad_channels=dict.fromkeys(raw.info["bads"], "marked bad"),
        left_out=left_out,
        events=_annotations(raw),
        line_frequency=raw.info.get("line_freq"),
        read=_RawReader(raw),
        unit=_units(raw, path),
        path=path,
    )


def _at_other_rates(rates: Mapping[str, float]) -> dict[str, str]:
    """Signals of an EDF file that do not have the sampling rate of most channels, with this as the reason."""
    if len(set(rates.values())) < 2:
        return {}
    neural = [rate for name, rate in rates.items() if reason_in_name(name) is None] or list(rates.values())
    common = max(sorted(set(neural)), key=neural.count)
    return {
        name: f"sampled at {rate:g} Hz, most channels at {common:g} Hz"
        for name, rate in rates.items()
        if rate != common
    }


def _units(raw: "BaseRaw", path: Path) -> list[str]:
    """Return the unit of the numbers that MNE-Python gives for each channel, empty where the file states none."""
    if path.suffix.lower() not in _TAKES_UNKNOWN_UNITS_AS_VOLTS:
        return ["V"] * len(raw.ch_names)
    stated = getattr(raw, "_orig_units", {})
    return [_unit_left_over(stated.get(name, "V")) for name in raw.ch_names]


def _unit_left_over(stated: str) -> str:
    if ascii_unit(stated) in ("V", "mV", "uV"):
        return "V"
    return "nV" if stated.casefold() == "nv" else ""


def _annotations(raw: "BaseRaw") -> list[EventRow]:
    annotations = raw.annotations
    # Onsets count from the beginning of the measurement, samples from the first one kept (of a cropped file).
    shift = raw.first_time
    return [
        EventRow(float(onset) - shift, float(duration), str(text), list(channels) or None)
        for onset, duration, text, channels in zip(
            annotations.onset, annotations.duration, annotations.description, annotations.ch_names, strict=True
        )
    ]
