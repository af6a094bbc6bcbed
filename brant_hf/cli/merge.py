"""The command `brant-hf merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .messages import in_options
from .options import warnings_after


def merge(
    out_dir: Annotated[Path, typer.Argument(help="Folder that `prepare --shard` wrote to.")],
) -> None:
    """Unite the shares of a job array (`prepare --shard`) to one dataset.

    An interrupted merge continues when it is started again.
    """
    from ..data import merge_prepared

    with warnings_after(always=True):
        report = merge_prepared(out_dir)
    print(in_options(str(report)))
    if report.failed:
        raise ValueError(
            f"{len(report.failed)} of {len(report.recordings)} recordings could not be prepared (listed above)"
        )
