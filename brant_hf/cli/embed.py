"""The command `brant-hf embed`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from ..checkpoints import quiet_transformers
from ..option_names import in_words_of_command
from ..user_warnings import warnings_noted
from .options import (
    BACKEND,
    BATCH_SIZE_HELP,
    DEVICE,
    DTYPE,
    FORCE_ALL,
    MODEL,
    NUM_PROC,
    OVERLAP_HELP,
    REVISION,
    SCHEDULER,
    SEVERAL_HELP,
    SHARD,
    SIGNAL,
    Choices,
    find_device,
    warnings_after,
    whole_numbers,
    with_choices,
)
from .several import Work, is_one, listed_sources, refuse_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..detection.embedding import Embedder
    from ..detection.runs import Item, Notes, OncePerProcess

EMBED = "embed"
# float16 is what --store-as float16 was called before.
_PRECISIONS = (None, "float32", "int8", "float16")


@with_choices(*SIGNAL)
def embed(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help=SEVERAL_HELP)],
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
    dtype: DTYPE = None,
    overlap: Annotated[float | None, typer.Option(help=OVERLAP_HELP)] = None,
    batch_size: Annotated[int, typer.Option(help=BATCH_SIZE_HELP)] = 8,
    device: DEVICE = None,
    num_proc: NUM_PROC = 1,
    shard: SHARD = None,
    backend: BACKEND = None,
    scheduler: SCHEDULER = None,
    force: FORCE_ALL = False,
    *,
    choices: Choices,
) -> None:
    """Write the embeddings of all channels and patches of RECORDING to OUT, or means of them.

    Recordings are prepared as the checkpoint says. Of several, those that fail are listed at the end, and the others
    are written all the same. Started again, it keeps what was made of the same files with the same settings, does the
    rest, and tries again what failed; a table that is whole is made anew.
    """
    from ..files import EMBEDDING_SUFFIXES

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; it must be 1 or more")
    if dtype not in _PRECISIONS:
        raise ValueError(f"--dtype is {dtype!r}; embeddings are computed in float32 or int8")
    store = "float16" if dtype == "float16" else store_as
    options = {"layer": whole_numbers(layer, "--layer"), "pool": pool, "overlap": overlap, "dtype": store}
    choices.open_options()  # refused before anything is loaded
    suffix = out.suffix.lower() if out.suffix.lower() in EMBEDDING_SUFFIXES else EMBEDDING_SUFFIXES[0]
    refuse_recording(out, suffix, "file of tensors")
    quiet_transformers()
    load = partial(_load, model, revision, device, dtype, choices, options)
    job = Job(load, choices, batch_size, force, in_words_of_command())
    work = Work.of(shard, num_proc, backend, scheduler)
    if is_one(recordings) and shard is None:
        _refuse(out, force)  # before anything is loaded
        with warnings_after():
            work.tell_of_one()
            job.write(job.load(), recordings[0], out)
        print(f"written to     {out}")
        return
    embed_all = _embed_to_table if _is_table(out) else _embed_several
    embed_all(listed_sources(recordings), out, job, work)


def _load(
    model: str | None,
    revision: str | None,
    device: str | None,
    dtype: str | None,
    choices: Choices,
    options: Mapping[str, Any],
) -> Embedder:
    """Load an encoder, to make the embeddings that the options tell."""
    from ..checkpoints import SHIPPED
    from ..detection.embedding import Embedder, encoder_and_extractor
    from ..detection.settings import DetectionSettings
    from ..precision import set_precision

    if revision is not None and (model in (None, SHIPPED) or Path(model).is_dir()):
        raise ValueError(f"--revision is {revision}, and the checkpoint is not taken from the Hub; leave it out")
    with warnings_noted() as texts:
        encoder, extractor = encoder_and_extractor(model, None, revision)
        set_precision(encoder, None if dtype == "float16" else dtype, find_device(device))
        preprocessing = choices.preprocessing(DetectionSettings.of(encoder.config).preprocessing)
        embedder = Embedder(encoder, extractor, preprocessing=preprocessing, **options)
    embedder.warnings = texts()
    return embedder


class Job(NamedTuple):
    """How all recordings are worked on."""

    load: partial[Embedder]
    choices: Choices
    batch_size: int
    force: bool
    say: Callable[[str], str]

    def write(self, embedder: Embedder, path: Path, target: Path, progress: bool = True) -> None:
        """Write the embeddings of a recording to a file."""
        from ..data import open_recording

        # Labels beside a recording are not read: what is wrong with them is no reason against it.
        opened = open_recording(path, seizures=[], **self.choices.open_options())
        embedder.write(
            opened, target, overwrite=self.force, batch_size=self.batch_size, progress=progress, say=self.say
        )


@dataclass(frozen=True)
class _Embedding:
    """Embeds a recording; goes to the processes that do it."""

    embedder: OncePerProcess[Embedder]
    job: Job
    folder: Path
    progress: bool

    def __call__(self, item: Item) -> tuple[str, dict[str, Any]]:
        target = next(iter(item.files.values()))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.job.write(self.embedder(), item.path, target, self.progress)
        is_part = target.suffix == ".parquet"
        return item.name if is_part else str(target.relative_to(self.folder)), {}


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


def _embed_to_table(sources: Sequence[Path], out: Path, job: Job, work: Work) -> None:
    """Write the embeddings of all recordings to one table, without those that fail.

    Until all are done, those of each are kept in a hidden folder beside it, with which the next run continues.
    """
    from ..detection.embedding_files import join_tables
    from ..detection.places import Recordings
    from ..detection.runs import Item, Notes
    from ..files import EMBEDDING_SUFFIXES, StagedOutputs

    if work.share is not None:
        raise ValueError(f"--shard is {work.share}, and {out} is one table; give a folder, which tasks can share")
    with warnings_after():
        recordings = Recordings.of(sources)
        table = StagedOutputs(overwrite=job.force)
        target = table.add(out, suffixes=EMBEDDING_SUFFIXES)
    notes = Notes(out.with_name(f".{out.name}.parts"), EMBED)
    items = [
        Item(path, recordings.name_of(path), {"table": notes.folder / f"{index:09d}.parquet"})
        for index, path in enumerate(recordings.paths)
    ]

    def join() -> Iterator[str]:
        done = [note for _, note in notes.all() if note is not None]
        parts = [notes.files_of(note)["table"] for note in done if note.reason is None]
        if parts and len(done) == len(items):
            with table:
                join_tables(parts, target)
            yield f"written to     {out}"

    # Nobody else has written to the folder, so what is of other settings there goes.
    _work_through(items, notes, job._replace(force=True), work, join)
    shutil.rmtree(notes.folder)


def _embed_several(sources: Sequence[Path], folder: Path, job: Job, work: Work) -> None:
    """Write the embeddings of each recording at its place below the folder."""
    from ..detection.embedding import side_file_of
    from ..detection.places import Recordings, refuse_file
    from ..detection.runs import Item, Notes
    from ..files import TENSOR_SUFFIXES

    suffix = TENSOR_SUFFIXES[0]
    if not folder.exists() and folder.suffix.lower() == suffix:
        raise ValueError(f"{folder} is one file, and there are several recordings; give a folder to write to")
    refuse_file(folder)
    with warnings_after():
        recordings = Recordings.of(sources)
        targets = {place.recording: folder / place.folder / f"{place.name}{suffix}" for place in recordings.places()}
        for target in targets.values():
            if target.parent.is_dir():
                _refuse(target, job.force)
    items = [
        Item(path, recordings.name_of(path), {"tensors": target, "facts": side_file_of(target)})
        for path, target in targets.items()
    ]
    _work_through(items, Notes(folder, EMBED), job, work)


def _settings(embedder: Embedder, choices: Choices) -> dict[str, Any]:
    """Tell what the embeddings of a recording depend on, whatever the checkpoint is called."""
    from ..detection.facts import model_settings
    from ..files import software

    embeddings = {"layer": embedder.layers, "pool": embedder.pool, "overlap": embedder.settings.overlap}
    return {
        "software": software(),
        **model_settings(embedder.encoder, embedder.extractor, embedder.weights_sha256),
        "preprocessing": embedder.settings.preprocessing.to_dict(),
        "embeddings": {**embeddings, "dtype": embedder.dtype},
        "recordings": choices.open_options(),
    }


def _work_through(
    items: Sequence[Item],
    notes: Notes,
    job: Job,
    work: Work,
    conclude: Callable[[], Iterable[str]] = lambda: (),
) -> None:
    from ..detection.runs import OncePerProcess, Run
    from ..detection.serving import for_processes

    embedder = OncePerProcess(job.load)
    with warnings_after():
        run = Run(notes, items, _settings(embedder(), job.choices), {}, overwrite=job.force)
    with warnings_after(always=True), for_processes(embedder, work.engine, items) as made:
        work.through(run, _Embedding(made, job, notes.folder, work.is_serial(items)), conclude)
