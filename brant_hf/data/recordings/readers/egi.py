"""EGI (folders `.mff`): MNE-Python reads the samples, and events are read here.

MNE-Python gives the code of an event alone, of four letters, and no duration: what somebody wrote stands in the label
and in the description.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from ....events.vocabulary import EventRow
from ....user_warnings import warn
from ..source import Source
from .interruptions import with_interruptions
from .mne_raw import raw_source, read_raw

# What MNE-Python itself marks, beside the events of the file.
_MARKS = "BAD_"
# From this version on, durations are microseconds, and nanoseconds before.
_IN_MICROSECONDS = 3
# Moments are written with a length of 1 ms, or of a sample [s].
_MOMENT_S, _MOMENT_SAMPLES = 1.5e-3, 1.5
_FINER_THAN_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def egi_source(path: Path) -> Source:
    """Open a folder `.mff`.

    Raises
    ------
    ImportError
        `mffpy` is not installed, which MNE-Python needs.
    OSError, ValueError
        The folder holds averages, or a file of it is missing or damaged.
    """
    _check_history(path)
    source = raw_source(read_raw(path), path)
    marks = [event for event in source.events if event.text.startswith(_MARKS)]
    events = sorted([*marks, *_events(path, source.sampling_rate or 1.0)], key=lambda event: event.onset)
    return with_interruptions(replace(source, events=events))


def _check_history(path: Path) -> None:
    """Refuse averages, and say where segments were cut out: their times follow each other."""
    history = path / "history.xml"
    steps = _texts(_root(history), "method", ".//") if history.exists() else []
    if "Averaging" in steps:
        raise ValueError(
            f"{path} holds averages over segments and no recording; open the recording they are made from"
        )
    if "Segmentation" in steps:
        warn(
            f"{path.name}: it holds segments that were cut out of a recording, one after another, so times are not "
            "those of the recording; open the recording itself if it is there"
        )


def _events(path: Path, rate: float) -> list[EventRow]:
    """Events of all tracks, in seconds from the beginning of the recording."""
    about = _root(path / "info.xml")
    versions, begins = _texts(about, "mffVersion"), _texts(about, "recordTime")
    begin = _time(begins[0])
    unit = 1e-6 if versions and int(versions[0]) >= _IN_MICROSECONDS else 1e-9
    shortest = max(_MOMENT_S, _MOMENT_SAMPLES / rate)
    # macOS writes a `._name` beside each file on foreign disks.
    tracks = sorted(file for file in path.iterdir() if re.fullmatch(r"events.*\.xml", file.name, re.IGNORECASE))
    return [event for track in tracks for event in _track(track, begin, unit, shortest)]


def _track(track: Path, begin: datetime, unit: float, shortest: float) -> Iterator[EventRow]:
    for event in _root(track).findall(".//{*}event"):
        said = {
            name: "".join(_texts(event, name)) for name in ("label", "description", "code", "beginTime", "duration")
        }
        if not said["beginTime"]:
            continue
        duration = float(said["duration"] or 0) * unit
        texts = list(dict.fromkeys(said[name] for name in ("label", "description", "code") if said[name])) or ["event"]
        yield EventRow(
            (_time(said["beginTime"]) - begin).total_seconds(),
            0.0 if duration < shortest else duration,
            texts[0],
            None,
            tuple(texts[1:]),
        )


def _root(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{file} is damaged ({error}); copy the recording again") from error


def _texts(element: ElementTree.Element, name: str, path: str = "") -> list[str]:
    """Return what the elements of this name in another say."""
    return [(each.text or "").strip() for each in element.findall(f"{path}{{*}}{name}")]


def _time(written: str) -> datetime:
    return datetime.fromisoformat(_FINER_THAN_MICROSECONDS.sub(r"\1", written))
