"""Entry point of the container for SzCORE, the benchmark of seizure detectors: `python -m brant_hf.szcore`.

It searches a recording as `brant-hf detect` does with the shipped checkpoint. What `detect` refuses and the contract
of the benchmark (epilepsybenchmarks.com) asks for: an empty file that waits for the table is filled.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .cli import run
from .cli.options import find_device, in_one_line, warnings_after

if TYPE_CHECKING:
    from .data import Recording
    from .detection import DetectionResult


def szcore(
    recording: Annotated[Path, typer.Argument(metavar="INPUT", help="Recording to search, such as INPUT.edf.")],
    table: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Table of events to write (.tsv).")],
) -> None:
    """Find seizures in INPUT and write them to OUTPUT as SzCORE has them.

    The folder of OUTPUT is made where it does not exist. The detector has learned intracranial EEG alone.
    """
    from .checkpoints import quiet_transformers
    from .data import open_recording
    from .detection import Detector

    quiet_transformers()
    with warnings_after():
        # The benchmark compares; what lies beside the recording is none of the detector's business.
        opened = open_recording(recording, seizures=[])
        _refuse(table)
        detector = Detector.from_pretrained(device=find_device(None))
        _write(table, opened, detector.detect(opened))


def _refuse(table: Path) -> None:
    """Refuse before the work what cannot be written, and make the folder."""
    from .events.tables import StagedTable
    from .files import TABLE_SUFFIXES, StagedOutputs, check_suffix

    check_suffix(table, TABLE_SUFFIXES)
    table.parent.mkdir(parents=True, exist_ok=True)
    if not _is_waiting(table):
        StagedTable(StagedOutputs(), table)
    elif not (os.access(table, os.W_OK) or os.access(table.parent, os.W_OK)):
        raise PermissionError(f"{table} cannot be written to")


def _is_waiting(table: Path) -> bool:
    return table.is_file() and table.stat().st_size == 0


def _write(table: Path, recording: Recording, result: DetectionResult) -> None:
    from .events.tables import events_table, write_events

    duration, start = recording.file_duration, recording.start_date
    if _is_waiting(table):
        try:
            table.unlink()
        except OSError:
            # The benchmark makes the file for a user who may write to it, but not to its folder.
            table.write_bytes(events_table(result.events, duration, start=start).encode())
            return
    write_events(table, result.events, duration, start=start, gaps=recording.gaps_in_file)


def main(args: list[str] | None = None) -> NoReturn:
    """Run with the arguments of the process or with `args`."""
    application = typer.Typer(add_completion=False)
    application.command()(in_one_line(szcore))
    run(application, "python -m brant_hf.szcore", args)


if __name__ == "__main__":
    main()
