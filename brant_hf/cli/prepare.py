"""The command `brant-hf prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..option_names import in_options
from .options import (
    BACKEND,
    CHECKPOINT_HELP,
    LABELS,
    NUM_PROC,
    SCHEDULER,
    SEVERAL_HELP,
    SHARD,
    SIGNAL,
    Choices,
    told_shard,
    warnings_after,
    with_choices,
)
from .several import is_one, listed_sources, share_done

if TYPE_CHECKING:
    from ..data import PrepareReport

# Options that are called otherwise than the settings that they are about.
_OPTIONS = {"reference": "montage", "line_noise": "notch"}
_HZ: dict[str, Any] = {"metavar": "HZ"}
LIKE = Annotated[
    str | None,
    typer.Option(
        metavar="CHECKPOINT", help=f"Take filters, reference, rate and patches from a checkpoint. {CHECKPOINT_HELP}"
    ),
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


@with_choices(*SIGNAL, *LABELS, reference="montage", line_noise="notch")
def prepare(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help=SEVERAL_HELP,
        ),
    ],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    num_proc: NUM_PROC = 1,
    shard: SHARD = None,
    backend: BACKEND = None,
    scheduler: SCHEDULER = None,
    like: LIKE = None,
    low_pass: LOW_PASS = None,
    sampling_rate: SAMPLING_RATE = None,
    patch_length: PATCH_LENGTH = None,
    num_patches: NUM_PATCHES = None,
    stride: STRIDE = None,
    seizure_overlap: SEIZURE_OVERLAP = 0.5,
    remainder: REMAINDER = "drop",
    labels: Annotated[bool, typer.Option(help="Whether to write labels.")] = True,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="The subject, where all files are of one and do not say.")
    ] = None,
    *,
    choices: Choices,
) -> None:
    """Cut the recordings of SOURCE into windows and write them to OUT_DIR as a dataset.

    An interrupted run continues when it is started again. Tasks of a job array do a share each (--shard), which
    `brant-hf merge` unites. A table at the end tells what went into the dataset, and why recordings, channels and
    seconds did not; it is in OUT_DIR too (README.md, recordings.tsv).
    """
    from ..data import prepare as prepare_dataset

    chain = {**choices.settings(), **_given(sampling_rate=sampling_rate)}
    if low_pass is not None:
        # On the command line, 0 Hz is no edge.
        chain["low_pass"] = low_pass or None
    found = listed_sources(sources)
    choices.refuse_annotations(many=not is_one(found))
    options = choices.open_options() | _given(subject=subject)
    if choices.annotations is not None:
        options["seizures"] = str(choices.annotations)
    patches = _given(patch_length=patch_length, num_patches=num_patches)
    with warnings_after():
        settings = _settings(like, chain, patches)
    report = prepare_dataset(
        found,
        out_dir,
        num_proc=num_proc,
        stride=stride,
        seizure_overlap=seizure_overlap,
        remainder=remainder,
        labels=labels,
        open_options=options,
        shard=told_shard(shard),
        backend=backend,
        scheduler=scheduler,
        **settings,
    )
    _conclude(report, out_dir if shard is not None else None)


def _conclude(report: PrepareReport, shared: Path | None) -> None:
    """Print what was done, of a share of the dataset `shared` or of all; refuse what is not what was wanted."""
    print(in_options(str(report)))
    if shared is not None:
        print(f"\n{share_done(shared)}")
    refuse_failures(report, len(report.failed) + len(report.prepared) + len(report.skipped))
    if shared is None:
        refuse_no_windows(report)


def refuse_failures(report: PrepareReport, total: int) -> None:
    """Raise a `ValueError` where recordings could not be prepared."""
    if report.failed:
        raise ValueError(f"{len(report.failed)} of {total} recordings could not be prepared (listed above)")


def refuse_no_windows(report: PrepareReport) -> None:
    """Raise a `ValueError` where a dataset is empty, which no training can read."""
    if not any(row.windows for row in report.recordings):
        raise ValueError(f"{report.output_dir} has no windows: no recording gives one (why is listed above)")


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
        f"--{_OPTIONS.get(name, name.replace('_', '-'))} {_written(value)} (there {_written(noted[name])})"
        for name, value in {**chain, **patches}.items()
        if value != noted[name] and not (name == "num_patches" and 0 < value < noted[name])
    ]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} contradicts --like {like}; leave out one or the other")
    return found | patches


def _written(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
