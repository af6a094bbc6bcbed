"""The command `brant-hf prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import UNIT


def prepare(
    source: Annotated[Path, typer.Argument(help="A recording, a folder of recordings or an iEEG-BIDS folder.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    num_proc: Annotated[int, typer.Option(help="Recordings worked on at a time.")] = 1,
    reference: Annotated[
        Literal["none", "average", "bipolar"], typer.Option(help="bipolar is along each electrode shaft.")
    ] = "none",
    line_noise: Annotated[str, typer.Option(help="Frequency of the line noise in Hz, auto or none.")] = "auto",
    high_pass: Annotated[float, typer.Option(help="Lower edge of the band-pass in Hz; 0 for none.")] = 0.5,
    low_pass: Annotated[float, typer.Option(help="Upper edge of the band-pass in Hz; 0 for none.")] = 0.0,
    sampling_rate: Annotated[float, typer.Option(help="Sampling rate of the windows in Hz.")] = 250.0,
    patch_length: Annotated[int, typer.Option(help="Samples of a patch.")] = 1500,
    num_patches: Annotated[int, typer.Option(help="Patches of a window.")] = 15,
    stride: Annotated[
        int | None, typer.Option(help="Patches from one window to the next; disjoint if absent.")
    ] = None,
    seizure_overlap: Annotated[float, typer.Option(help="Part of a patch inside a seizure that labels it.")] = 0.5,
    remainder: Annotated[
        Literal["drop", "shorter"], typer.Option(help="drop the end of a recording, or keep a shorter window.")
    ] = "drop",
    labels: Annotated[bool, typer.Option(help="Whether to write labels.")] = True,
    unit: UNIT = None,
    subject: Annotated[
        str | None, typer.Option(help="The subject, where all files are of one and do not say.")
    ] = None,
) -> None:
    """Cut the recordings of SOURCE into windows and write them to OUT_DIR as a dataset.

    An interrupted run continues when it is started again. Recordings that cannot be prepared are listed at the end.
    """
    from ..data import Preprocessing, prepare as prepare_dataset

    preprocessing = Preprocessing(
        reference=reference,
        sampling_rate=sampling_rate,
        line_noise=_line_noise(line_noise),
        high_pass=high_pass or None,
        low_pass=low_pass or None,
    )
    report = prepare_dataset(
        source,
        out_dir,
        preprocessing,
        num_proc,
        patch_length=patch_length,
        num_patches=num_patches,
        stride=stride,
        seizure_overlap=seizure_overlap,
        remainder=remainder,
        labels=labels,
        open_options={name: value for name, value in (("unit", unit), ("subject", subject)) if value is not None},
    )
    print(report)
    if report.failed:
        total = len(report.failed) + len(report.prepared) + len(report.skipped)
        raise ValueError(f"{len(report.failed)} of {total} recordings could not be prepared (listed above)")


def _line_noise(text: str) -> float | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line_noise is {text!r}; give a frequency in Hz, 'auto' or 'none'") from None
