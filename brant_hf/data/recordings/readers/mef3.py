"""MEF3 sessions (folders `.mefd`), read with pymef: channels with gaps and rates of their own, and records."""

import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ..clock import ChannelClocksReader, Segment, gaps_of_channels, length_of, segments_of, tell_of_refused
from ..source import Source, known_start, known_subject
from ..units import factors_entered
from .mef3_records import events_of

# Sizes of the parts of files, as the specification of MEF 3.0 gives them [bytes].
_HEADER, _METADATA = 1024, 16384
_BLOCK_INDEX = struct.Struct("<qqqII")
_BLOCK_INDEX_BYTES, _RECORD_HEADER_BYTES = 56, 24
# Kind, place and time of a record; its header, three times and the number of channels of a seizure.
_RECORD_INDEX = struct.Struct("<4s4xqq")
_SEIZURE_RECORD = struct.Struct("<24sqqqi")
_INFINITE = 2**31 - 1
_NOT_ENTERED = ("", "not entered", "not_entered")
# Times are microseconds from here; a session in the year after it has a clock that counts from nothing.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _MefReader:
    """Stored samples of some channels. A session belongs to its process and is opened anew in another."""

    path: Path
    names: list[str] = field(repr=False)
    scale: np.ndarray = field(repr=False)
    _session: Any = field(default=None, repr=False)
    _process: int = 0

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        if self._session is None or self._process != os.getpid():
            self._session, self._process = _open(self.path), os.getpid()
        wanted = [self.names[channel] for channel in channels]
        samples = self._session.read_ts_channels_sample(wanted, [start, stop])
        numbers = np.array(samples, np.float64)
        # The two largest numbers stand for what was beyond the range of the recorder.
        numbers[np.abs(numbers) >= _INFINITE] = np.nan
        return numbers * self.scale[list(channels), None]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def mef3_source(path: Path) -> Source:
    """Open a MEF3 session.

    Parameters
    ----------
    path : Path
        The folder `.mefd`.

    Raises
    ------
    ImportError
        Pymef is not installed.
    ValueError
        The session is encrypted, a file of it is missing or too short, or its clock runs backwards.
    """
    _check_files(path)
    session = _open(path)
    found = session.session_md["time_series_channels"]
    names = sorted(found, key=lambda name: _place(found[name], name))
    rates = {name: _number(found[name], "sampling_frequency") for name in names}
    # A channel on which nothing was recorded may have files without a segment.
    empty = np.zeros((4, 0), np.int64)
    parts = {name: session.get_channel_toc(name) if "segments" in found[name] else empty for name in names}
    start = min((int(part[3, 0]) for part in parts.values() if part.size), default=0)
    segments, left_out = _segments(parts, rates, start, path.name)
    kept = list(segments)
    rate = max(sorted({rates[name] for name in kept}), key=[rates[name] for name in kept].count)
    duration = max(length_of(segments[name]) / rates[name] for name in kept)
    scale = [_number(found[name], "units_conversion_factor") for name in kept]
    reader = _MefReader(path, kept, factors_entered(scale, kept, path.name), session, os.getpid())
    return Source(
        name=path.stem,
        subject=_subject(found[kept[0]]),
        num_samples=round(duration * rate),
        channel_count=len(kept),
        sampling_rate=rate,
        rates=[rates[name] for name in kept] if len({rates[name] for name in kept}) > 1 else None,
        channel_names=kept,
        # The format has no types.
        channel_types=["seeg"] * len(kept),
        left_out=left_out,
        events=events_of(session.session_md, start),
        gaps=gaps_of_channels([(segments[name], rates[name]) for name in kept], duration),
        line_frequency=_line_frequency([found[name] for name in kept]),
        start_date=_start_date(start),
        read=ChannelClocksReader(reader, [segments[name] for name in kept]),
        unit=[_text(found[name], "section_2", "units_description") for name in kept],
        path=path,
    )


def _open(path: Path) -> Any:
    try:
        from pymef.mef_session import MefSession
    except ImportError as error:
        raise ImportError(f"Reading {path.name} needs pymef: pip install 'brant_hf[mef]'") from error
    try:
        return MefSession(str(path), "")
    except RuntimeError as error:
        if "password" in str(error):
            raise ValueError(
                f"{path} is encrypted and needs a password; write a session without one (pymef: "
                "MefSession(path, password), then annonymize_session with empty passwords) and open that"
            ) from error
        raise


def _check_files(path: Path) -> None:
    """Refuse a session with a missing or cut file, on which pymef ends the process instead of raising an error."""
    folders = sorted(path.glob("*.timd"))
    if not folders:
        raise ValueError(f"{path} has no channel: no folder .timd is in it")
    for folder in folders:
        segments = sorted(folder.glob("*.segd"))
        if not segments:
            raise ValueError(f"{folder} has no segment: no folder .segd is in it; fetch the whole session")
        for segment in segments:
            stem = segment / segment.stem
            _check_size(stem.with_name(f"{stem.name}.tmet"), _METADATA)
            index = stem.with_name(f"{stem.name}.tidx")
            if not any(stem.with_name(f"{stem.name}{suffix}").exists() for suffix in (".tidx", ".tdat")):
                raise ValueError(
                    f"{segment} has no samples, at which pymef ends the process: neither {index.name} nor its .tdat "
                    f"is there; fetch the whole session, or move {folder.name} out of it if it recorded nothing"
                )
            _check_size(stem.with_name(f"{stem.name}.tdat"), _end_of_blocks(index))
    for index in path.rglob("*.ridx"):
        _check_records(index, index.with_suffix(".rdat"))
    for data in path.rglob("*.rdat"):
        _check_size(data.with_suffix(".ridx"), _HEADER)


def _check_records(index: Path, data: Path) -> None:
    entries = _entries(index)
    _check_size(index, _HEADER + entries * _RECORD_INDEX.size)
    _check_size(data, _HEADER)
    with index.open("rb") as indices, data.open("rb") as records:
        indices.seek(_HEADER)
        for kind, offset, _ in _RECORD_INDEX.iter_unpack(indices.read(entries * _RECORD_INDEX.size)):
            records.seek(offset)
            written = records.read(_SEIZURE_RECORD.size)
            if len(written) < _RECORD_HEADER_BYTES:
                raise ValueError(f"{data} ends before its last record: it is cut; copy it again")
            if kind == b"Seiz" and len(written) == _SEIZURE_RECORD.size and not _SEIZURE_RECORD.unpack(written)[-1]:
                raise ValueError(
                    f"{data} has a record of a seizure that names no channel, at which pymef ends the process; move "
                    f"{data.name} and {index.name} out of the session and give its seizures as a table "
                    f"{data.stem}_events.tsv beside the folder"
                )


def _end_of_blocks(index: Path) -> int:
    """Bytes of the samples of a segment, as the index of its blocks says."""
    entries = _entries(index)
    _check_size(index, _HEADER + entries * _BLOCK_INDEX_BYTES)
    if entries == 0:
        return _HEADER
    with index.open("rb") as file:
        file.seek(_HEADER + (entries - 1) * _BLOCK_INDEX_BYTES)
        offset, _, _, _, length = _BLOCK_INDEX.unpack(file.read(_BLOCK_INDEX.size))
    return abs(offset) + length


def _entries(file: Path) -> int:
    _check_size(file, _HEADER)
    with file.open("rb") as opened:
        return struct.unpack_from("<q", opened.read(_HEADER), 32)[0]


def _check_size(file: Path, expected: int) -> None:
    if not file.exists():
        raise ValueError(f"{file} is missing; fetch the whole session")
    if file.stat().st_size < expected:
        raise ValueError(f"{file} has {file.stat().st_size} bytes, {expected} are expected: it is cut; copy it again")


def _place(channel: dict, name: str) -> tuple:
    """Order of channels: by the number of acquisition where it was entered, then by name with numbers as numbers."""
    number = int(_number(channel, "acquisition_channel_number"))
    parts = re.split(r"(\d+)", name)
    return number if number > 0 else 0, [int(part) if part.isdigit() else part for part in parts]


def _segments(
    parts: dict[str, np.ndarray], rates: dict[str, float], start: int, recording: str
) -> tuple[dict[str, list[Segment]], dict[str, str]]:
    """Parts of each channel on the clock of the session, and channels without one with the reason."""
    segments: dict[str, list[Segment]] = {}
    left_out: dict[str, str] = {}
    refused: dict[str, str] = {}
    # Most channels share their parts; what is to be told of them is told once.
    known: dict[tuple, list[Segment]] = {}
    for name, (_, lengths, _, times) in parts.items():
        if not lengths.sum() or not np.isfinite(rates[name]) or rates[name] <= 0:
            left_out[name] = "no samples" if not lengths.sum() else f"sampling rate {rates[name]:g} Hz"
            continue
        key = (rates[name], lengths.tobytes(), times.tobytes())
        try:
            if key not in known:
                # The part without samples is where the session begins.
                starts = np.concatenate([[0.0], (times - start) / 1e6])
                known[key] = segments_of(starts, [0, *lengths], rates[name], recording)
            segments[name] = known[key]
        except ValueError as error:
            refused[name] = str(error)
    if not segments:
        raise ValueError(next(iter((refused or left_out).values())))
    tell_of_refused(refused, recording)
    return segments, left_out | refused


def _number(channel: dict, key: str) -> float:
    return float(channel["section_2"][key][0])


def _text(channel: dict, section: str, key: str) -> str:
    """Return a text of the metadata, empty where none was entered or it is encrypted."""
    values = channel.get(section)
    if values is None or values.dtype.names is None or key not in values.dtype.names:
        return ""
    written = bytes(values[key][0]).split(b"\0")[0]
    try:
        text = written.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = written.decode("latin-1").strip()
    return "" if text.casefold() in _NOT_ENTERED else text


def _line_frequency(channels: Sequence[dict]) -> float | None:
    entered = (_number(channel, "AC_line_frequency") for channel in channels)
    return next((frequency for frequency in entered if frequency > 0), None)


def _start_date(start: int) -> datetime | None:
    began = _EPOCH + timedelta(microseconds=start)
    return known_start(began) if began - _EPOCH > timedelta(days=366) else None


def _subject(channel: dict) -> str | None:
    names = [_text(channel, "section_3", key) for key in ("subject_name_1", "subject_name_2")]
    return known_subject(_text(channel, "section_3", "subject_ID")) or known_subject(" ".join(filter(None, names)))
