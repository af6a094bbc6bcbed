"""Options that several commands share, and what these do around their work."""

from __future__ import annotations

import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from zipfile import BadZipFile

import typer

if TYPE_CHECKING:
    import torch

CHECKPOINT_HELP = "Folder of a checkpoint or id of a model on the Hugging Face Hub."
MODEL = Annotated[str | None, typer.Option(help=f"{CHECKPOINT_HELP[:-1]}; without it, the one that ships.")]
Unit: TypeAlias = "str | dict[str, str] | None"


def _unit(text: str) -> str | dict[str, str]:
    """Read a unit, or units of channels as `LA1=mV,LA2=uV`."""
    if "=" not in text:
        return text
    pairs = [part.rpartition("=") for part in text.split(",")]
    return {name.strip(): unit.strip() for name, _, unit in pairs}


UNIT = Annotated[
    Any,
    typer.Option(
        parser=_unit,
        metavar="UNIT",
        help="For files with a wrong or missing unit: what 1 V that the file states really is (V, mV, uV, nV), or the "
        "units of channels (LA1=mV,LA2=uV).",
    ),
]
DEVICE = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, mps ...; the first accelerator, if there is one.")
]
OVERLAP_HELP = "Part of a window shared with the next one."
BATCH_SIZE_HELP = "Windows of a forward pass."
FORCE = Annotated[bool, typer.Option("--force", help="Replace also files that this command did not write.")]

# What bad input raises. Readers and `checkpoints` make the first three of all that damaged files raise; the others are
# raised by nothing but damaged files, or files that tell of more than any memory holds.
BAD_INPUT = (ValueError, OSError, ImportError, EOFError, BadZipFile, struct.error, zlib.error, MemoryError)
# Of no concern here: it is about splits of datasets.
_IGNORED_WARNING = ".*the file does not tell its subject"


def find_device(name: str | None) -> torch.device:
    """Device of a `--device`, or the one to take without it.

    Raises
    ------
    ValueError
        It cannot be used here.
    """
    import torch

    if name is None:
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # "meta" has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here: {reason}") from error
    return device


def quiet_transformers() -> None:
    """Keep notes and progress bars of transformers away from standard error."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    # Weights are loaded in no time, and a bar of that would stand above the line that tells an error.
    logging.disable_progress_bar()


@contextmanager
def warnings_after(always: bool = False) -> Iterator[None]:
    """Keep warnings and print them, one line each.

    As a rule when all went well, since an error is told in one line alone; `always` where part of the work is kept.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=_IGNORED_WARNING)
        went_well = False
        try:
            yield
            went_well = True
        finally:
            if went_well or always:
                texts = (" ".join(str(each.message).split()) for each in caught if each.category is UserWarning)
                for text in dict.fromkeys(texts):
                    print(f"brant-hf: warning: {text}", file=sys.stderr)
