"""Simulate the patients of the shipped detector and prepare their windows.

python examples/detector/make_data.py --output outputs/detector --num-proc 2

Writes `train/` (windows for `Trainer`, a dataset for each group of patients) and `validation/`, `test/` (iEEG-BIDS
folders with whole recordings). Patients differ in number of channels, sampling rate, length and number of seizures on
purpose. Every group has a seed of its own, so no patient is in two splits. A run that was interrupted continues where
it stopped.

    python examples/detector/make_data.py --output outputs/more --test-seeds 9700 9710 9720

writes `test/` alone, with more patients of the kinds of the test patients, for `known_seizures.py outputs/more`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from brant_hf.data import Recording, open_recording, prepare
from brant_hf.simulation import VirtualPatient, simulate, simulate_patients
from brant_hf.training import run_script

PATCH_LENGTH, NUM_PATCHES = 250, 15


@dataclass(frozen=True)
class Group:
    """Virtual patients that share their settings; `num_channels` None lets the implantation decide."""

    seed: int
    num_patients: int
    num_channels: int | None
    sampling_rate: int
    duration: int = 300
    num_seizures: int | None = None


def train_groups() -> list[Group]:
    """240 patients: every number of channels at several sampling rates, and a tenth without any seizure."""
    channels = [2, 3, 4, 6, 8, 12, 16, 16, 24, 32, 48, 64, 96, 120, None, None, 4, 8, 16, 24]
    rates = [256, 200, 512, 174, 1000, 256, 400, 200, 256, 512]
    with_seizures = [Group(1000 + i, 11, count, rates[i % len(rates)]) for i, count in enumerate(channels)]
    quiet = [Group(1100 + i, 5, count, 256, num_seizures=0) for i, count in enumerate((4, 16, 32, 64))]
    return with_seizures + quiet


VALIDATION = [
    Group(5000, 12, 6, 256, 900),
    Group(5001, 12, 16, 256, 900),
    Group(5002, 12, 16, 256, 900, 0),
    Group(5003, 6, 48, 400, 900),
    Group(5004, 12, 3, 200, 900),
]
TEST = [
    Group(9500, 12, 16, 256, 900),
    Group(9501, 12, 4, 200, 900),
    Group(9502, 6, 40, 512, 900),
    Group(9503, 12, 16, 256, 900, 0),
]


def more_test_groups(seeds: Iterable[int]) -> list[Group]:
    """Groups of the kinds of the test patients, for each seed one with it, one with the next, and so on.

    Raises
    ------
    ValueError
        Two groups would have one seed, or one has that of training or validation patients, and so the same patients.
    """
    groups = [replace(group, seed=seed + i) for seed in seeds for i, group in enumerate(TEST)]
    counts = Counter(group.seed for group in [*groups, *train_groups(), *VALIDATION])
    taken = sorted({group.seed for group in groups if counts[group.seed] > 1})
    if taken:
        raise ValueError(
            f"--test-seeds: other groups have the seeds {taken}, too, and so the same patients; a seed stands for "
            f"{len(TEST)} from it on: give others, such as 9700 9710"
        )
    return groups


def as_recording(patient: VirtualPatient, group: Group) -> Recording:
    """The patient as a recording with the seizures of each channel."""
    return open_recording(
        patient.signals,
        patient.sampling_rate,
        patient.channel_names,
        [(row.onset, row.offset, [row.channel]) for row in patient.channel_seizures],
        subject=f"{group.seed}-{patient.name}",
        name=f"{group.seed}-{patient.name}",
    )


def recordings_of(group: Group) -> Iterator[Recording]:
    """The recordings of a group, one at a time."""
    patients = simulate_patients(
        group.num_patients,
        group.seed,
        duration=group.duration,
        sampling_rate=group.sampling_rate,
        num_channels=group.num_channels,
        num_seizures=group.num_seizures,
    )
    for patient in patients:
        yield as_recording(patient, group)


def prepare_group(group: Group, folder: Path) -> None:
    """Windows of a group in a dataset of its own, `folder/<seed>`, complete when `<seed>.done` stands beside it."""
    done = folder / f"{group.seed}.done"
    if done.exists():
        return
    for recording in recordings_of(group):
        report = prepare(
            recording,
            folder / str(group.seed),
            patch_length=PATCH_LENGTH,
            num_patches=NUM_PATCHES,
            stride=8,
            progress=False,
        )
        if report.failed:
            raise RuntimeError(str(report))
    done.touch()


def write_group(group: Group, folder: Path) -> None:
    """Whole recordings of a group as an iEEG-BIDS dataset `folder/<seed>`."""
    if not (folder / str(group.seed)).exists():
        simulate(
            folder / str(group.seed),
            group.num_patients,
            group.seed,
            duration=group.duration,
            sampling_rate=group.sampling_rate,
            num_channels=group.num_channels,
            num_seizures=group.num_seizures,
            progress=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("outputs/detector"))
    parser.add_argument("--num-proc", type=int, default=2)
    parser.add_argument("--test-seeds", type=int, nargs="+", help="Write test patients alone; the groups count on.")
    arguments = parser.parse_args()
    parts = [
        ("train", train_groups(), prepare_group),
        ("validation", VALIDATION, write_group),
        ("test", TEST, write_group),
    ]
    if arguments.test_seeds:
        parts = [("test", more_test_groups(arguments.test_seeds), write_group)]
    context = get_context("spawn")
    with ProcessPoolExecutor(arguments.num_proc, mp_context=context) as pool:
        for name, groups, work in parts:
            folder = arguments.output / name
            folder.mkdir(parents=True, exist_ok=True)
            list(tqdm(pool.map(work, groups, repeat(folder)), total=len(groups), desc=f"Groups of {name} patients"))


if __name__ == "__main__":
    run_script(main)
