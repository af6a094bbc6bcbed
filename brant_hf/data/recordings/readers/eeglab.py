"""EEGLAB: a `.set` file, which holds the samples or names a `.fdt` file that does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....events.vocabulary import EventRow, speaks_of_a_seizure
from ....user_warnings import warn
from ..kinds import reason_in_name
from ..source import Source, known_subject
from .interruptions import is_join, with_interruptions
from .mat_files import contents, is_hdf5, variable_shapes
from .mne_raw import check_end, quiet_mne, raw_source

if TYPE_CHECKING:
    from mne.io import BaseRaw

_BYTES_PER_SAMPLE = 4
# What a data set says of its subject and its channels.
_DESCRIBED = ("subject", "chanlocs", "event", "xmin", "xmax")
# Fields of events that are read, or tell of no event.
_READ_OF_EVENTS = ("type", "latency", "duration", "urevent", "epoch")
_SAME_RATE = 0.01
# Types of channels that MNE-Python has under another name.
_INTRACRANIAL = ("ieeg", "intracranial", "depth")


def eeglab_source(path: Path, fields: Mapping[str, Any] | None = None) -> Source:
    """Open a `.set` file with MNE-Python, compare it with its samples and say what was cut out.

    Parameters
    ----------
    path : Path
    fields : Mapping[str, Any] or None
        What `described_fields` picks from its content, where that was read already.

    Raises
    ------
    ImportError
        The file is of MATLAB 7.3, for which MNE-Python needs `pymatreader`.
    OSError, ValueError
        There are other samples than the file says, or epochs.
    """
    if is_hdf5(path) and find_spec("pymatreader") is None:
        raise ImportError(
            f"{path} is a file of MATLAB 7.3, which needs pymatreader: pip install pymatreader, or save it in EEGLAB "
            "without the option for files above 2 GB"
        )
    # Older versions load the samples with whatever is asked for: they are gone before MNE-Python loads its own.
    fields = _fields(path) if fields is None else fields
    raw = _read(path)
    _check_samples(path, raw)
    check_end(raw, path)
    source = raw_source(raw, path)
    _tell_of_other_times(fields, raw, path)
    _tell_of_other_fields(fields.get("event"), path)
    # No unit is stated, and by convention it is microvolts: as of an array, only its owner can say otherwise.
    source = replace(source, unit="uV", **_stated(fields, source.channel_types or []))
    return with_interruptions(replace(source, events=_events(path, source.events)))


def _read(path: Path) -> "BaseRaw":
    import mne

    try:
        with quiet_mne(path.name):
            # Of a file whose suffix is in capitals MNE-Python takes no samples but all at once.
            at_once = path.suffix != ".set" and not path.with_suffix(".fdt").exists()
            return mne.io.read_raw_eeglab(path, preload=at_once, verbose="warning")
    except TypeError as error:
        if "number of trials" not in str(error):
            raise
        raise ValueError(
            f"{path} holds epochs and no continuous recording: {str(error).split('.')[0].lower()}; save the "
            "continuous data set in EEGLAB and open that"
        ) from error


def _check_samples(path: Path, raw: "BaseRaw") -> None:
    """Compare the samples that are there with those that the file says."""
    stated = (len(raw.ch_names), int(raw.n_times))
    samples = Path(raw.filenames[0] or path)
    if samples.suffix.lower() == ".fdt":
        held, expected = samples.stat().st_size, stated[0] * stated[1] * _BYTES_PER_SAMPLE
        if held != expected:
            raise ValueError(
                f"{samples} has {held} bytes, and {path.name} says {expected} ({stated[0]} channels of {stated[1]} "
                "samples); copy or export both again"
            )
    else:
        shape = (len(raw[:, :1][0]), stated[1]) if raw.preload else _shape_inside(path) or stated
        if shape != stated:
            raise ValueError(
                f"{path} holds samples of shape {shape}, and says that it has {stated[0]} channels of {stated[1]} "
                "samples; export it again"
            )


def _shape_inside(path: Path) -> tuple[int, ...] | None:
    """Shape of the samples in the file, `None` where they do not lie there by themselves."""
    if not is_hdf5(path):
        return variable_shapes(path).get("data")
    import h5py

    # The axes of MATLAB 7.3 are the other way round.
    with h5py.File(path) as file:
        data = file.get("data", file.get("EEG/data"))
        return data.shape[::-1] if isinstance(data, h5py.Dataset) else None


def described_fields(structure: Mapping[str, Any]) -> dict[str, Any]:
    """Pick from a data set what MNE-Python does not tell; without its samples."""
    return {name: structure.get(name) for name in _DESCRIBED}


def _fields(path: Path) -> dict[str, Any]:
    content = contents(path, ("EEG", *_DESCRIBED))
    return described_fields(content.get("EEG", content))


def _tell_of_other_times(fields: Mapping[str, Any], raw: "BaseRaw", path: Path) -> None:
    """Warn of a rate that is not that of the first and of the last moment that the file states."""
    first, last = (fields.get(key) for key in ("xmin", "xmax"))
    if not (isinstance(first, int | float) and isinstance(last, int | float) and last > first):
        return
    stated, by_times = raw.info["sfreq"], (raw.n_times - 1) / (last - first)
    if abs(by_times / stated - 1) > _SAME_RATE:
        warn(
            f"{path.name}: it states {stated:g} Hz, which is taken, and its times (xmin, xmax) make {by_times:g} Hz; "
            "pass sampling_rate=... with the right one"
        )


def _tell_of_other_fields(events: Any, path: Path) -> None:
    """Warn of fields of events beside their type that speak of seizures: MNE-Python reads the type alone."""
    members = events if isinstance(events, list) else [events]
    values: dict[str, list[object]] = {}
    for member in members:
        for name, value in member.items() if isinstance(member, Mapping) else ():
            values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    for name, texts in values.items():
        text = next((each for each in texts if isinstance(each, str) and speaks_of_a_seizure(each)), None)
        if name.lower() not in _READ_OF_EVENTS and text is not None:
            warn(
                f"{path.name}: the field {name!r} of its events speaks of seizures ({text!r}) and is not read, as "
                "only their type is; copy it there in EEGLAB, or pass seizures=..."
            )


def _stated(fields: Mapping[str, Any], types: Sequence[str]) -> dict[str, Any]:
    """Subject, and types of channels that MNE-Python does not know: `iEEG`, and words of what is no brain."""
    subject = fields.get("subject")
    channels = fields.get("chanlocs")
    if isinstance(channels, dict):
        written = channels.get("type")
    else:
        written = [channel.get("type") for channel in channels] if isinstance(channels, list) else None
    written = [written] if isinstance(written, str) else written
    if not isinstance(written, list) or len(written) != len(types):
        written = [None] * len(types)
    return {
        "subject": known_subject(subject) if isinstance(subject, str) else None,
        "channel_types": [_type(kind, known) for kind, known in zip(written, types, strict=True)],
    }


def _type(written: object, known: str) -> str:
    if known != "eeg" or not isinstance(written, str) or not written.strip():
        return known
    if written.strip().lower() in _INTRACRANIAL:
        return "seeg"
    return "misc" if reason_in_name(written.strip()) and written.strip().lower() != "eeg" else known


def _events(path: Path, events: Sequence[EventRow]) -> Sequence[EventRow]:
    """Events with the lengths of what was cut out, which MNE-Python limits to what is left of the recording."""
    if not any(is_join(event, path) for event in events):
        return events
    import mne

    with quiet_mne(path.name):
        stated = mne.read_annotations(path)
    rows = [
        EventRow(max(float(onset), 0.0), float(duration), str(text))
        for onset, duration, text in zip(stated.onset, stated.duration, stated.description, strict=True)
    ]
    return [*(event for event in events if not is_join(event, path)), *(row for row in rows if is_join(row, path))]
