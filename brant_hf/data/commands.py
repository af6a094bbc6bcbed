"""Functions behind `brant-hf prepare`; the command line adds names and help to them and reports their errors."""

from __future__ import annotations

import sys
from pathlib import Path

from .preparation import prepare
from .preprocessing import Preprocessing


def prepare_command(
    source: Path,
    out_dir: Path,
    num_proc: int = 1,
    reference: str = "none",
    line_noise: str = "auto",
    high_pass: float = 0.5,
    low_pass: float = 0.0,
    sampling_rate: float = 250.0,
    patch_length: int = 1500,
    num_patches: int = 15,
    stride: int | None = None,
    seizure_overlap: float = 0.5,
    remainder: str = "drop",
    labels: bool = True,
    unit: str | None = None,
    subject: str | None = None,
) -> None:
    """Cut the recordings of SOURCE into windows and write them to OUT_DIR as a dataset.

    Prints what was done to standard output and progress to standard error. Run again after an interruption, it
    continues.

    Args:
        source: a recording, a folder of recordings or an iEEG-BIDS folder.
        out_dir: folder to write to.
        num_proc: recordings worked on at a time.
        reference: `none`, `average` or `bipolar`.
        line_noise: frequency of the line noise in Hz, `auto` or `none`.
        high_pass: lower edge of the band-pass in Hz; 0 for none.
        low_pass: upper edge of the band-pass in Hz; 0 for none.
        sampling_rate: rate of the windows in Hz.
        patch_length: samples of a patch.
        num_patches: patches of a window.
        stride: patches from one window to the next; disjoint windows by default.
        seizure_overlap: fraction of a patch inside a seizure that makes its label.
        remainder: `drop` the end of a recording that does not fill a window, or keep a `shorter` window.
        labels: whether to write labels.
        unit: unit that the numbers of the files really have (`V`, `mV`, `uV` or `nV`), where the files are wrong.
        subject: the patient, where all files are of one and do not say so.

    Raises:
        FileNotFoundError: the source does not exist.
        ValueError: a setting is not allowed, or some recordings could not be prepared; the others were.
        OSError: another run is writing to the folder, or a process was killed.
    """
    preprocessing = Preprocessing(
        reference=reference,
        sampling_rate=sampling_rate,
        line_noise=_line_noise(line_noise),
        high_pass=high_pass or None,
        low_pass=low_pass or None,
    )
    report = prepare(
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
    for name, reason in report.failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if report.failed:
        total = len(report.failed) + len(report.prepared) + len(report.skipped)
        raise ValueError(f"{len(report.failed)} of {total} recordings could not be prepared (listed above)")


def _line_noise(text: str) -> float | str | None:
    if text == "auto":
        return text
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line_noise is {text!r}; give a frequency in Hz, 'auto' or 'none'") from None
