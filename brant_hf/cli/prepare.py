"""The command `brant-hf prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .options import CHECKPOINT_HELP, UNIT, warnings_after

_HZ: dict[str, Any] = {"metavar": "HZ"}
LIKE = Annotated[
    str | None,
    typer.Option(
        metavar="CHECKPOINT", help=f"Take filters, reference, rate and patches from a checkpoint. {CHECKPOINT_HELP}"
    ),
]
REFERENCE = Annotated[
    Literal["none", "average", "bipolar"] | None,
    typer.Option(help="bipolar is along each electrode shaft.", show_default="none"),
]
LINE_NOISE = Annotated[
    str | None,
    typer.Option(
        metavar="HZ|auto|none",
        help="Frequency of the line noise, taken out with its harmonics; auto looks for 50 or 60 Hz.",
        show_default="auto",
    ),
]
HIGH_PASS = Annotated[
    float | None, typer.Option(help="Lower edge of the band-pass; 0 for none.", show_default="0.5", **_HZ)
]
LOW_PASS = Annotated[
    float | None, typer.Option(help="Upper edge of the band-pass; 0 for none.", show_default="0", **_HZ)
]
SAMPLING_RATE = Annotated[float | None, typer.Option(help="Sampling rate of the windows.", show_default="250", **_HZ)]
PATCH_LENGTH = Annotated[int | None, typer.Option(metavar="SAMPLES", help="Length of a patch.", show_default="1500")]
NUM_PATCHES = Annotated[
    int | None,
    typer.Option(metavar="PATCHES", help="Length of a window; with --like, at most its own.", show_default="15"),
]
STRIDE = Annotated[
    int | None,
    typer.Option(metavar="PATCHES", help="From one window to the next.", show_default="disjoint windows"),
]
SEIZURE_OVERLAP = Annotated[
    float, typer.Option(metavar="PART", help="Part of a patch, 0 to 1, inside a seizure that labels it.")
]
REMAINDER = Annotated[
    Literal["drop", "shorter"], typer.Option(help="drop the end of a recording, or keep a shorter window.")
]


def prepare(
    source: Annotated[Path, typer.Argument(help="A recording, a folder of recordings or an iEEG-BIDS folder.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    num_proc: Annotated[int, typer.Option(metavar="PROCESSES", help="Recordings worked on at a time.")] = 1,
    like: LIKE = None,
    reference: REFERENCE = None,
    line_noise: LINE_NOISE = None,
    high_pass: HIGH_PASS = None,
    low_pass: LOW_PASS = None,
    sampling_rate: SAMPLING_RATE = None,
    patch_length: PATCH_LENGTH = None,
    num_patches: NUM_PATCHES = None,
    stride: STRIDE = None,
    seizure_overlap: SEIZURE_OVERLAP = 0.5,
    remainder: REMAINDER = "drop",
    labels: Annotated[bool, typer.Option(help="Whether to write labels.")] = True,
    unit: UNIT = None,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="The subject, where all files are of one and do not say.")
    ] = None,
) -> None:
    """Cut the recordings of SOURCE into windows and write them to OUT_DIR as a dataset.

    An interrupted run continues when it is started again. A table at the end tells what went into the dataset, and why
    recordings, channels and seconds did not; it is in OUT_DIR too (README.md, recordings.tsv).
    """
    from ..data import prepare as prepare_dataset

    chain = _given(reference=reference, sampling_rate=sampling_rate)
    if line_noise is not None:
        chain["line_noise"] = _line_noise(line_noise)
    # On the command line, 0 Hz is no edge.
    chain |= {name: edge or None for name, edge in _given(high_pass=high_pass, low_pass=low_pass).items()}
    patches = _given(patch_length=patch_length, num_patches=num_patches)
    with warnings_after():
        settings = _settings(like, chain, patches)
    report = prepare_dataset(
        source,
        out_dir,
        num_proc=num_proc,
        stride=stride,
        seizure_overlap=seizure_overlap,
        remainder=remainder,
        labels=labels,
        open_options=_given(unit=unit, subject=subject),
        **settings,
    )
    print(report)
    if report.failed:
        total = len(report.failed) + len(report.prepared) + len(report.skipped)
        raise ValueError(f"{len(report.failed)} of {total} recordings could not be prepared (listed above)")


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _settings(like: str | None, chain: dict[str, Any], patches: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `prepare`: those given, or those of a checkpoint, which what is given must not contradict."""
    from ..data import Preprocessing, settings_like

    if like is None:
        return {"preprocessing": Preprocessing(**chain), **patches}
    found = settings_like(like)
    noted = {**found["preprocessing"].to_dict(), **found}
    wrong = [
        f"--{name.replace('_', '-')} {_written(value)} (there {_written(noted[name])})"
        for name, value in {**chain, **patches}.items()
        if value != noted[name] and not (name == "num_patches" and 0 < value < noted[name])
    ]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} contradicts --like {like}; leave out one or the other")
    return found | patches


def _written(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _line_noise(text: str) -> float | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line_noise is {text!r}; give a frequency in Hz, 'auto' or 'none'") from None
