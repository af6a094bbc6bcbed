"""The command `brant-hf simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    output_dir: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; must not exist.")],
    patients: Annotated[int, typer.Option(help="Number of virtual patients.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same patients.")] = 0,
    duration: Annotated[int, typer.Option(help="Length of every recording, in seconds.")] = 600,
    sampling_rate: Annotated[int, typer.Option(help="Sampling rate, in Hz.")] = 512,
    channels: Annotated[
        int | None, typer.Option(help="Contacts, 2 to 120; without it, what 6 to 12 depth electrodes give.")
    ] = None,
    seizures: Annotated[int | None, typer.Option(help="Seizures in every recording; without it, 1 to 4.")] = None,
) -> None:
    """Simulate stereo-EEG of virtual patients with seizures, as an iEEG-BIDS dataset.

    An interrupted run goes on where it stopped when it is repeated with the same options.
    """
    from ..simulation.bids import simulate as simulate_dataset

    written = simulate_dataset(
        output_dir,
        patients,
        seed,
        duration=duration,
        sampling_rate=sampling_rate,
        num_channels=channels,
        num_seizures=seizures,
    )
    print(written)
