"""The command `brant-hf embed`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .options import (
    BATCH_SIZE_HELP,
    DEVICE,
    FORCE,
    MODEL,
    OVERLAP_HELP,
    REVISION,
    SIGNAL,
    Choices,
    find_device,
    quiet_transformers,
    warnings_after,
    whole_numbers,
    with_choices,
)
from .several import Recordings, is_one, refuse_file, refuse_recording

if TYPE_CHECKING:
    from collections.abc import Callable


@with_choices(*SIGNAL)
def embed(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Recordings, or folders of them (BIDS or any other).")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="File to write: .safetensors, or .parquet for a table, also of several recordings; a folder of "
            ".safetensors for several recordings.",
        ),
    ],
    model: MODEL = None,
    revision: REVISION = None,
    layer: Annotated[
        str, typer.Option(help="Hidden states, such as 0,3,-1: 0 is the patch embedding, -1 the last layer; or all.")
    ] = "-1",
    pool: Annotated[
        Literal["none", "channel", "recording", "window"],
        typer.Option(
            help="What an embedding is the mean over: nothing, or the patches of a channel, of all, of each window."
        ),
    ] = "none",
    store_as: Annotated[
        Literal["float32", "float16"], typer.Option(help="Precision of the numbers in the file.")
    ] = "float32",
    dtype: Annotated[Literal["float32", "float16"] | None, typer.Option(hidden=True)] = None,
    overlap: Annotated[float | None, typer.Option(help=OVERLAP_HELP)] = None,
    batch_size: Annotated[int, typer.Option(help=BATCH_SIZE_HELP)] = 8,
    device: DEVICE = None,
    force: FORCE = False,
    *,
    choices: Choices,
) -> None:
    """Write the embeddings of all channels and patches of RECORDING to OUT, or means of them.

    Recordings are prepared as the checkpoint says. Of several, those that fail are listed at the end, and the others
    are written all the same.
    """
    from ..files import EMBEDDING_SUFFIXES

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; it must be 1 or more")
    options: dict[str, Any] = {
        "layer": whole_numbers(layer, "--layer"),
        "pool": pool,
        "overlap": overlap,
        "batch_size": batch_size,
        "dtype": dtype or store_as,
        "overwrite": force,
    }
    choices.open_options()  # refused before anything is loaded
    suffix = out.suffix.lower() if out.suffix.lower() in EMBEDDING_SUFFIXES else EMBEDDING_SUFFIXES[0]
    refuse_recording(out, suffix, "file of tensors")
    quiet_transformers()
    load = partial(_load, model, revision, device, choices, options)
    if is_one(recordings):
        _refuse(out, force)  # before anything is loaded
        with warnings_after():
            load()(recordings[0], out)
        print(f"written to     {out}")
        return
    embed_all = _embed_to_table if _is_table(out) else _embed_several
    with warnings_after(always=True):
        embed_all(recordings, out, load, force)


def _load(
    model: str | None, revision: str | None, device: str | None, choices: Choices, options: dict[str, Any]
) -> Callable[[Path, Path], None]:
    """Load a model; gives the function that writes the embeddings of a recording to a file."""
    import torch

    from ..data import open_recording
    from ..detection.embedding import embed_recording, encoder_and_extractor
    from ..detection.pooling import layer_numbers
    from ..detection.settings import DetectionSettings

    encoder, extractor = encoder_and_extractor(model, None, revision)
    options["layer"] = layer_numbers(options["layer"], encoder.config)
    torch.nn.Module.to(encoder, find_device(device))
    preprocessing = choices.preprocessing(DetectionSettings.of(encoder.config).preprocessing)

    def write(path: Path, target: Path) -> None:
        # Labels beside a recording are not read: what is wrong with them is no reason against it.
        opened = open_recording(path, seizures=[], **choices.open_options())
        embed_recording(opened, encoder, extractor, target, preprocessing=preprocessing, **options)

    return write


def _refuse(out: Path, force: bool) -> None:
    """Refuse to write to what is no earlier output."""
    from ..detection.embedding import is_side_file, side_file_of
    from ..files import EMBEDDING_SUFFIXES, StagedOutputs

    staged = StagedOutputs(overwrite=force)
    staged.add(out, suffixes=EMBEDDING_SUFFIXES)
    if not _is_table(out):
        staged.add(side_file_of(out), is_side_file)


def _is_table(out: Path) -> bool:
    """Whether embeddings are written to a table, which may hold those of several recordings."""
    return out.suffix.lower() == ".parquet" and not out.is_dir()


def _embed_to_table(
    sources: list[Path], out: Path, load: Callable[[], Callable[[Path, Path], None]], force: bool
) -> None:
    """Write the embeddings of all recordings to one table, without those that fail."""
    from ..detection.embedding import TableOfRecordings

    recordings = Recordings.of(sources)
    failure = None
    with TableOfRecordings(out, force) as table:
        write = load()

        def work(path: Path) -> str:
            write(path, table.next_part())
            return recordings.name_of(path)

        try:
            recordings.work_through(work)
        except ValueError as error:  # some of them failed
            failure = error
    if table.is_written:
        print(f"written to     {out}")
    if failure is not None:
        raise failure


def _embed_several(
    sources: list[Path], folder: Path, load: Callable[[], Callable[[Path, Path], None]], force: bool
) -> None:
    """Write the embeddings of each recording at its place below the folder."""
    from ..files import TENSOR_SUFFIXES

    suffix = TENSOR_SUFFIXES[0]
    if not folder.exists() and folder.suffix.lower() == suffix:
        raise ValueError(f"{folder} is one file, and there are several recordings; give a folder to write to")
    refuse_file(folder)
    recordings = Recordings.of(sources)
    targets = {place.recording: folder / place.folder / f"{place.name}{suffix}" for place in recordings.places()}
    for target in targets.values():
        if target.parent.is_dir():
            _refuse(target, force)
    write = load()

    def work(path: Path) -> str:
        targets[path].parent.mkdir(parents=True, exist_ok=True)
        write(path, targets[path])
        return str(targets[path].relative_to(folder))

    recordings.work_through(work)
