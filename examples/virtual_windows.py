"""Simulate virtual patients and prepare their windows, several patients at a time.

    python examples/virtual_windows.py outputs/virtual_patients --patients 20 --num-proc 2

Writes `windows15/`, `windows17/`, `windows20/` and `windows35/`, named after the patches of a window, with a dataset
for each patient: a context of 15 patches of 1 s, alone and followed by the horizons of the forecasting tasks. Patients
that are complete are skipped.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from brant_hf.data import open_recording, prepare
from brant_hf.simulation import VirtualPatient
from brant_hf.simulation.patient import SimulationSettings, patient_name, simulate_indices

PATCH_LENGTH = 250
NUM_PATCHES = (15, 17, 20, 35)


def prepare_patient(index: int, folder: Path, seed: int, settings: SimulationSettings) -> None:
    """Windows of one patient, of each length, in a dataset of its own."""
    name = patient_name(index)
    done = folder / f"{name}.done"
    if done.exists():
        return
    (patient,) = simulate_indices([index], seed, settings)
    for patches in NUM_PATCHES:
        write_windows(patient, folder / f"windows{patches}" / name, patches)
    done.touch()


def write_windows(patient: VirtualPatient, folder: Path, num_patches: int) -> None:
    """Windows of one length."""
    recording = open_recording(
        patient.signals,
        patient.sampling_rate,
        patient.channel_names,
        [(row.onset, row.offset, [row.channel]) for row in patient.channel_seizures],
        subject=patient.name,
        name=patient.name,
    )
    report = prepare(recording, folder, patch_length=PATCH_LENGTH, num_patches=num_patches, progress=False)
    if report.failed:
        raise RuntimeError(str(report))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--sampling-rate", type=int, default=256)
    parser.add_argument("--duration", type=int, default=600, help="of each recording [s]")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--num-proc", type=int, default=1)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    settings = SimulationSettings(arguments.duration, arguments.sampling_rate, arguments.channels)
    work = partial(prepare_patient, folder=arguments.output, seed=arguments.seed, settings=settings)
    with ProcessPoolExecutor(arguments.num_proc, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, range(arguments.patients)))


if __name__ == "__main__":
    main()
