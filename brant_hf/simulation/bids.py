"""Virtual patients as an iEEG-BIDS dataset: EDF recordings, channels, electrodes with coordinates, events.

Events follow the SzCORE / HED-SCORE vocabulary (``sz`` for a seizure, ``bckg`` for a recording without one). A seizure
has one row for every group of channels with the same onset and offset, so that the rows say exactly when each channel
is in seizure; the column ``seizure`` counts the seizures of the recording.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..files import BIDS_VERSION
from ..progress import progress_bar
from .patient import SimulationSettings, VirtualPatient, check_seed_and_count, patient_name, simulate_indices
from .seizures import SEIZURE_TO_BACKGROUND

TASK = "szMonitoring"
RECORDING_START = "2000-01-01 00:00:00"

_PARTICIPANT_COLUMNS = ["participant_id", "age", "sex", "seizures", "spikes_per_minute"]
_SETTINGS_FILE = "simulation.json"

_README = f"""Virtual patients: simulated stereo-EEG with seizures

Every recording is simulated; no person's data is in this dataset. The seizures come from a network of Epileptor neural
masses (Jirsa et al., "On the nature of seizure dynamics", Brain 2014) with random anatomy, seen by depth electrodes
through a forward gain that falls with the squared distance, on top of 1/f background, slow-wave sleep, interictal
spikes, line noise and artefacts.

Onset and offset are known for every channel: a channel is in seizure while the root mean square of its seizure
component over 1 s is at least {SEIZURE_TO_BACKGROUND:g} times that of its own waking background. events.tsv holds one
row for every group of channels with the same onset and offset; rows with the same number in the column "seizure"
belong to one seizure.
"""

_EVENT_FIELDS: dict[str, Any] = {
    "eventType": {
        "Description": "Type of the event, in the SzCORE vocabulary.",
        "Levels": {"sz": "Seizure.", "bckg": "Background: the recording holds no seizure."},
    },
    "confidence": {"Description": "Confidence in the event; n/a, as the onset and the offset are known."},
    "channels": {
        "Description": "Channels in seizure between onset and offset, separated by commas; n/a for background."
    },
    "dateTime": {"Description": "Start of the recording; not a real date."},
    "recordingDuration": {"Description": "Length of the recording.", "Units": "s"},
    "seizure": {"Description": "Number of the seizure in the recording, from 1; n/a for background."},
    "trial_type": {
        "Description": "As eventType.",
        "Levels": {"sz": "Seizure.", "bckg": "Background: the recording holds no seizure."},
    },
}


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = ["\t".join(columns), *("\t".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _physical_range(signal: np.ndarray) -> tuple[float, float]:
    """Range [microvolts] of a channel in an EDF header: its values, rounded outwards to one decimal."""
    return float(np.floor(signal.min() * 10 - 1) / 10), float(np.ceil(signal.max() * 10 + 1) / 10)


def write_edf(patient: VirtualPatient, path: Path) -> None:
    """Write the signals of a patient to an EDF file, each channel with the 16 bits over its own range."""
    import datetime

    import edfio

    signals = [
        edfio.EdfSignal(
            np.asarray(signal, np.float64),
            sampling_frequency=patient.sampling_rate,
            label=name,
            transducer_type="simulated depth contact",
            physical_dimension="uV",
            physical_range=_physical_range(signal),
            prefiltering="HP:0.5Hz",
        )
        for name, signal in zip(patient.channel_names, patient.signals, strict=True)
    ]
    start = datetime.datetime.fromisoformat(RECORDING_START)
    edfio.Edf(
        signals,
        patient=edfio.Patient(code=patient.name, sex=patient.sex),
        recording=edfio.Recording(startdate=start.date()),
        starttime=start.time(),
        data_record_duration=1,
    ).write(path)


def event_rows(patient: VirtualPatient) -> list[tuple[str, ...]]:
    """Rows of events.tsv in the order of time: onset, duration, then the columns that the sidecar describes."""
    total = f"{patient.duration:.2f}"
    if not patient.channel_seizures:
        return [("0.00", total, "bckg", "n/a", "n/a", RECORDING_START, total, "n/a", "bckg")]
    groups: dict[tuple[float, float, int], list[str]] = {}
    for event in patient.channel_seizures:
        key = (round(event.onset, 2), round(event.offset, 2), event.seizure + 1)
        groups.setdefault(key, []).append(event.channel)
    return [
        (f"{on:.2f}", f"{off - on:.2f}", "sz", "n/a", ",".join(names), RECORDING_START, total, str(seizure), "sz")
        for (on, off, seizure), names in sorted(groups.items())
    ]


def _electrode(channel_name: str) -> str:
    return channel_name.rstrip("0123456789")


def _write_channels(patient: VirtualPatient, path: Path) -> None:
    columns = [
        "name",
        "type",
        "units",
        "low_cutoff",
        "high_cutoff",
        "reference",
        "group",
        "sampling_frequency",
        "status",
    ]
    rate = f"{patient.sampling_rate:g}"
    high = f"{patient.sampling_rate / 2:g}"
    _write_tsv(
        path,
        columns,
        [(name, "SEEG", "uV", "0.5", high, "n/a", _electrode(name), rate, "good") for name in patient.channel_names],
    )


def _write_electrodes(patient: VirtualPatient, path: Path) -> None:
    _write_tsv(
        path,
        ["name", "x", "y", "z", "size", "group", "hemisphere", "type"],
        [
            (name, f"{x:.2f}", f"{y:.2f}", f"{z:.2f}", "5.0", _electrode(name), "L" if "'" in name else "R", "depth")
            for name, (x, y, z) in zip(patient.channel_names, patient.positions.tolist(), strict=True)
        ],
    )


def _recording_sidecar(patient: VirtualPatient) -> dict[str, Any]:
    return {
        "TaskName": TASK,
        "TaskDescription": "Simulated long-term monitoring with seizures.",
        "SamplingFrequency": patient.sampling_rate,
        "PowerLineFrequency": patient.line_frequency,
        "SoftwareFilters": "n/a",
        "HardwareFilters": {"high-pass": {"corner frequency (Hz)": 0.5}},
        "iEEGReference": "simulated distant reference",
        "Manufacturer": "simulated",
        "ElectrodeManufacturer": "simulated",
        "RecordingDuration": patient.duration,
        "RecordingType": "continuous",
        "SEEGChannelCount": len(patient.channel_names),
        "ECOGChannelCount": 0,
        "EEGChannelCount": 0,
        "EOGChannelCount": 0,
        "ECGChannelCount": 0,
        "EMGChannelCount": 0,
        "MiscChannelCount": 0,
        "TriggerChannelCount": 0,
        "ElectricalStimulation": False,
    }


_COORDINATE_SYSTEM = {
    "iEEGCoordinateSystem": "ACPC",
    "iEEGCoordinateUnits": "mm",
    "iEEGCoordinateProcessingDescription": "none: the positions are simulated",
    "iEEGCoordinateProcessingReference": "n/a",
}


def write_subject(patient: VirtualPatient, root: Path) -> None:
    """Write the folder ``sub-<name>`` of a patient, under a temporary name until it is whole."""
    subject = f"sub-{patient.name}"
    unfinished = root / f".{subject}"
    shutil.rmtree(unfinished, ignore_errors=True)
    folder = unfinished / "ieeg"
    folder.mkdir(parents=True)
    recording = f"{subject}_task-{TASK}_run-01"
    write_edf(patient, folder / f"{recording}_ieeg.edf")
    _write_json(folder / f"{recording}_ieeg.json", _recording_sidecar(patient))
    _write_channels(patient, folder / f"{recording}_channels.tsv")
    _write_tsv(
        folder / f"{recording}_events.tsv",
        ["onset", "duration", *_EVENT_FIELDS],
        event_rows(patient),
    )
    _write_json(folder / f"{recording}_events.json", _EVENT_FIELDS)
    _write_electrodes(patient, folder / f"{subject}_space-ACPC_electrodes.tsv")
    _write_json(folder / f"{subject}_space-ACPC_coordsystem.json", _COORDINATE_SYSTEM)
    finished = root / subject
    shutil.rmtree(finished, ignore_errors=True)
    os.replace(unfinished, finished)


def _participant_row(patient: VirtualPatient) -> list[str]:
    return [
        f"sub-{patient.name}",
        str(patient.age),
        patient.sex,
        str(len(patient.seizures)),
        f"{patient.spikes_per_minute:.1f}",
    ]


def _write_subject_and_row(patient: VirtualPatient, root: Path) -> None:
    """Write a subject, then its row of participants.tsv: the row says that the subject is whole."""
    write_subject(patient, root)
    with open(root / "participants.tsv", "a", encoding="utf-8") as file:
        file.write("\t".join(_participant_row(patient)) + "\n")


def _finished_rows(root: Path) -> list[list[str]]:
    """Rows of participants.tsv of the subjects that are whole."""
    path = root / "participants.tsv"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [line.rstrip("\n").split("\t") for line in lines[1:] if line.endswith("\n")]
    return [row for row in rows if len(row) == len(_PARTICIPANT_COLUMNS) and (root / row[0]).is_dir()]


def _write_dataset_files(root: Path, parameters: dict[str, Any] | None) -> None:
    rows = sorted(_finished_rows(root), key=lambda row: (len(row[0]), row[0]))
    _write_tsv(root / "participants.tsv", _PARTICIPANT_COLUMNS, rows)
    _write_json(
        root / "participants.json",
        {
            "age": {"Description": "Age of the virtual patient.", "Units": "years"},
            "sex": {"Description": "Sex of the virtual patient.", "Levels": {"F": "female", "M": "male"}},
            "seizures": {"Description": "Number of seizures that reach at least one channel."},
            "spikes_per_minute": {"Description": "Mean rate of interictal spikes awake.", "Units": "1/min"},
        },
    )
    generator: dict[str, Any] = {"Name": "brant_hf", "Description": "Simulated with brant_hf.data.virtual."}
    if parameters is not None:
        generator["Parameters"] = parameters
    _write_json(
        root / "dataset_description.json",
        {
            "Name": "Virtual patients: simulated stereo-EEG with seizures",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["brant_hf"],
            "GeneratedBy": [generator],
        },
    )
    (root / "README.md").write_text(_README, encoding="utf-8")


def _check_new(output_dir: Path) -> Path:
    """Refuse an output folder that exists; return the name under which it is written until it is whole."""
    if output_dir.exists():
        raise FileExistsError(f"{output_dir} exists; give a folder that does not exist yet, or remove it")
    return output_dir.with_name(output_dir.name + ".partial")


def _start(partial: Path) -> None:
    partial.mkdir(parents=True)
    _write_tsv(partial / "participants.tsv", _PARTICIPANT_COLUMNS, [])


def write_bids(patients: Iterable[VirtualPatient], output_dir: str | os.PathLike[str]) -> Path:
    """Write patients as an iEEG-BIDS dataset.

    The folder is written under the name ``<output_dir>.partial`` and renamed when it is whole.

    Parameters
    ----------
    patients : iterable of VirtualPatient
        With different names. Taken one at a time.
    output_dir : str or os.PathLike
        Must not exist.

    Returns
    -------
    output_dir : Path

    Raises
    ------
    FileExistsError
        If `output_dir` exists, or the unfinished folder of an interrupted run.
    ValueError
        If there is no patient, or two have the same name.
    """
    output_dir = Path(output_dir)
    partial = _check_new(output_dir)
    if partial.exists():
        raise FileExistsError(f"{partial} is left from an interrupted run; finish that run, or remove the folder")
    _start(partial)
    names = set()
    for patient in patients:
        if patient.name in names:
            raise ValueError(f"two patients have the name {patient.name!r}; every patient of a dataset needs its own")
        names.add(patient.name)
        _write_subject_and_row(patient, partial)
    if not names:
        shutil.rmtree(partial)
        raise ValueError("there is no patient to write")
    _write_dataset_files(partial, None)
    os.replace(partial, output_dir)
    return output_dir


def _resume_or_start(partial: Path, parameters: dict[str, Any]) -> set[str]:
    """Names of the patients that an interrupted run with the same parameters has finished."""
    settings_file = partial / _SETTINGS_FILE
    if not partial.exists():
        _start(partial)
        _write_json(settings_file, parameters)
        return set()
    if not settings_file.exists() or json.loads(settings_file.read_text(encoding="utf-8")) != parameters:
        raise ValueError(
            f"{partial} is left from an interrupted run with other parameters; repeat that run to finish it, "
            "or remove the folder"
        )
    rows = _finished_rows(partial)
    _write_tsv(partial / "participants.tsv", _PARTICIPANT_COLUMNS, rows)
    return {row[0].removeprefix("sub-") for row in rows}


def simulate(
    output_dir: str | os.PathLike[str],
    num_patients: int,
    seed: int = 0,
    *,
    duration: int = 600,
    sampling_rate: int = 512,
    num_channels: int | None = None,
    num_seizures: int | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> Path:
    """Simulate virtual patients and write them as an iEEG-BIDS dataset.

    The folder is written under the name ``<output_dir>.partial`` and renamed when it is whole. A run that was
    interrupted goes on where it stopped when it is repeated with the same parameters; the result is the same.

    Parameters
    ----------
    output_dir : str or os.PathLike
        Must not exist.
    num_patients, seed, duration, sampling_rate, num_channels, num_seizures, batch_size
        As in `simulate_patients`.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    output_dir : Path

    Raises
    ------
    FileExistsError
        If `output_dir` exists.
    ValueError
        If a parameter is out of its range, or an interrupted run had other parameters.
    """
    settings = SimulationSettings(duration, sampling_rate, num_channels, num_seizures)
    check_seed_and_count(num_patients, seed, batch_size)
    output_dir = Path(output_dir)
    partial = _check_new(output_dir)
    parameters = {"num_patients": num_patients, "seed": seed, **asdict(settings)}
    finished = _resume_or_start(partial, parameters)
    missing = [index for index in range(num_patients) if patient_name(index) not in finished]

    bar_format = "{desc} {percentage:3.0f} %|{bar}| {elapsed}<{remaining}{postfix}"
    total = num_patients * duration
    with progress_bar(total=total, desc="Simulating", bar_format=bar_format, shown=progress) as bar:
        bar.update(len(finished) * duration)
        advance: Callable[[int], object] = bar.update
        for count, patient in enumerate(
            simulate_indices(missing, seed, settings, batch_size, advance), len(finished) + 1
        ):
            _write_subject_and_row(patient, partial)
            bar.set_postfix_str(f"{count} of {num_patients} patients written", refresh=False)
    _write_dataset_files(partial, parameters)
    (partial / _SETTINGS_FILE).unlink()
    os.replace(partial, output_dir)
    return output_dir
