"""Embeddings of whole recordings."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..checkpoints import load_encoder, load_feature_extractor, without_adapters
from ..data.preprocessing.chain import Preprocessing, preprocess
from ..data.recordings import Recording, find_recordings, open_recording
from ..data.windows import patch_times, plan_windows
from ..files import EMBEDDING_SUFFIXES, StagedOutputs, generated_by, read_generated, software
from ..progress import loading_bars
from ..user_warnings import once_each, warnings_noted
from .detector import check_batch_size, check_extractor, run_windows
from .embedding_files import EmbeddingArrays, EmbeddingLayout, EmbeddingTable, EmbeddingTensors, join_tables
from .facts import model_facts, recording_facts, weights_sha256
from .forward import Forward, ModelForward, Served
from .pooling import (
    ManyLayers,
    check_pool,
    layer_name,
    layer_numbers,
    layer_reader,
    mean_known,
    means,
    sum_known,
)
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig
    from ..data import PreprocessedRecording
    from ..data.recordings.recording import RecordingSource
    from ..data.windows import WindowPlan
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

EMBEDDING_DTYPES = ("float32", "float16")
TABLE_SUFFIX = ".parquet"
_MADE_FROM = "MadeFrom"


def embed_recording(
    recording: RecordingSource,
    model: BrantPreTrainedModel | str | os.PathLike | None = None,
    feature_extractor: BrantFeatureExtractor | None = None,
    output: str | os.PathLike | None = None,
    *,
    layer: int | Sequence[int] = -1,
    pool: str = "none",
    preprocessing: Preprocessing | None = None,
    overlap: float | None = None,
    batch_size: int = 8,
    progress: bool = True,
    dtype: str = "float32",
    overwrite: bool = False,
    revision: str | None = None,
) -> dict[str, Any] | None:
    """Embeddings of a recording: hidden states of an encoder, of each patch of each channel or means of them.

    The recording is prepared as the checkpoint says (`config.detection`), and the model works in fp32, also where its
    weights are stored in half precision. These are the numbers of `brant-hf embed`, and those of the model itself for
    what `preprocess` and the feature extractor make of the recording.

    Parameters
    ----------
    recording : str, os.PathLike, np.ndarray, mne.io.Raw, Recording or dict
        What `open_recording` takes.
    model : BrantPreTrainedModel, str, os.PathLike or None
        The encoder, or a model with a head, whose encoder is taken; or the folder of a checkpoint, or its id on the
        Hub; the shipped checkpoint if `None`.
    feature_extractor : BrantFeatureExtractor or None
        That of the model; not needed for a checkpoint, which has one.
    output : str, os.PathLike or None
        A file to write to, while the recording is read: neither the recording nor its embeddings have to fit into
        memory. A `.safetensors` file holds the tensors of the result and, as metadata, `channel_names` (JSON),
        `recording`, `subject` (where the recording tells), `pool`, `sampling_rate` [Hz], `patch_length` [samples] and
        `made_from` (JSON): checkpoint with the SHA-256 of its weights, settings, units, gaps, channels left out and
        why, and warnings. `OUTPUT.json` beside it has the same for people. A `.parquet` file is a table with a row for
        each embedding: `recording`, `subject`, `channel`, `layer`, `start` and `stop` [s], and `embedding`, a list of
        fixed length. It carries the same metadata, and nothing lies beside it, so that a folder of such files can be
        read as one table.
    layer : int or Sequence[int]
        Places in `hidden_states`: 0 is the patch embedding, 1 the first temporal layer, -1 the last spatial layer.
    pool : {"none", "channel", "recording", "window"}
        What an embedding stands for: a patch of a channel; a channel, its mean over all patches; the recording, the
        mean over all patches of all channels; or each window, the mean over its patches of all channels. In the first
        three, a patch is the mean over the windows that hold it. Patches that miss samples do not count in a mean.
    preprocessing : Preprocessing or None
        Settings of the chain; those of the checkpoint if `None`, as `DetectionSettings.of(model.config)` tells them.
    overlap : float or None
        Part of a window that it shares with the next one; that of the checkpoint if `None`.
    batch_size : int
        Most windows of a forward pass.
    progress : bool
        Show a progress bar on standard error.
    dtype : str
        `"float32"` or `"float16"`.
    overwrite : bool
        Whether to replace also a file that this function has not written.
    revision : str or None
        Commit, branch or tag of a checkpoint on the Hub.

    Returns
    -------
    dict[str, Any] or None
        Without `output`, a dictionary with `last_hidden_state` (of another layer `hidden_state_3`), `times` [s], the
        centres, and `channel_names`. Shapes are (channels, patches, hidden size), (channels, hidden size), (hidden
        size,) or (windows, hidden size), by `pool`; with means also `start` and `stop` [s] of what they are over.
        Patches that miss more than half of their samples are NaN; those inside of a gap as long as a window are not
        there, as `times` tells.

    Raises
    ------
    FileExistsError
        `output` is a file that this function has not written.
    OSError
        `output` cannot be written, or there is no such recording or checkpoint.
    ValueError
        The recording or the checkpoint cannot be read, the feature extractor is missing or that of another model,
        the model has no such layer, another setting is not allowed, or nothing is left after preprocessing.
    """
    check_batch_size(batch_size)
    settings = {"layer": layer, "pool": pool, "preprocessing": preprocessing, "overlap": overlap, "dtype": dtype}
    with loading_bars(shown=progress):
        embedder = Embedder.of(model, feature_extractor, revision, **settings)
    options: dict[str, Any] = {"batch_size": batch_size, "progress": progress}
    if output is None:
        return embedder.embed(recording, **options)
    embedder.write(recording, output, overwrite=overwrite, **options)
    return None


def embed_recordings(
    recordings: RecordingSource | Iterable[RecordingSource],
    output: str | os.PathLike,
    model: BrantPreTrainedModel | str | os.PathLike | None = None,
    feature_extractor: BrantFeatureExtractor | None = None,
    *,
    overwrite: bool = False,
    revision: str | None = None,
    batch_size: int = 8,
    progress: bool = True,
    **settings: Any,
) -> None:
    """Write the embeddings of several recordings to one table, see `embed_recording`.

    ```python
    embed_recordings(["monday.edf", "tuesday.edf"], "night.parquet", pool="window")
    table = pandas.read_parquet("night.parquet")
    ```

    Parameters
    ----------
    recordings : RecordingSource or Iterable of them
        What `embed_recording` takes, and folders of recordings.
    output : str or os.PathLike
        A `.parquet` file.
    model : BrantPreTrainedModel, str, os.PathLike or None
        As for `embed_recording`.
    feature_extractor : BrantFeatureExtractor or None
        As for `embed_recording`.
    overwrite : bool
        Whether to replace also a file that this package has not written.
    revision : str or None
        As for `embed_recording`.
    batch_size : int
        As for `embed_recording`.
    progress : bool
        As for `embed_recording`.
    **settings : Any
        `layer`, `pool` and others of `embed_recording`.

    Raises
    ------
    FileExistsError
        `output` is a file that this package has not written.
    OSError
        `output` cannot be written, or there is no such recording or checkpoint.
    ValueError
        There is no recording, or one cannot be embedded.
    """
    found = find_recordings(recordings)
    with loading_bars(shown=progress):
        embedder = Embedder.of(model, feature_extractor, revision, **settings)
    with TableOfRecordings(output, overwrite) as table:
        for recording in found:
            embedder.write(recording, table.next_part(), batch_size=batch_size, progress=progress)


class Embedder:
    """An encoder, and which embeddings are made with it.

    Parameters
    ----------
    encoder : BrantPreTrainedModel
        The encoder.
    extractor : BrantFeatureExtractor
        That of the model.
    layer, pool, preprocessing, overlap, dtype
        As for `embed_recording`; `None` are all layers.

    Attributes
    ----------
    warnings : list[str]
        What was warned of when it was made, which its files hold with what is warned of recordings.

    Raises
    ------
    ValueError
        The model has no such layer, or another setting is not allowed.
    """

    def __init__(
        self,
        encoder: BrantPreTrainedModel,
        extractor: BrantFeatureExtractor,
        *,
        layer: int | Sequence[int] | None = -1,
        pool: str = "none",
        preprocessing: Preprocessing | None = None,
        overlap: float | None = None,
        dtype: str = "float32",
    ) -> None:
        _check(dtype, pool)
        self.encoder, self.extractor = encoder, extractor
        self.warnings: list[str] = []
        self.layers = layer_numbers(layer, encoder.config)
        self.pool, self.dtype = pool, dtype
        self.settings = DetectionSettings.of(encoder.config, {"overlap": overlap, "preprocessing": preprocessing})

    @classmethod
    def of(
        cls,
        model: BrantPreTrainedModel | str | os.PathLike | None,
        extractor: BrantFeatureExtractor | None = None,
        revision: str | None = None,
        **settings: Any,
    ) -> Embedder:
        """Take the encoder of a model or checkpoint; see `encoder_and_extractor` for what it raises."""
        _check(settings.get("dtype", "float32"), settings.get("pool", "none"))  # before anything is loaded
        return cls(*encoder_and_extractor(model, extractor, revision), **settings)

    @property
    def config(self) -> BrantConfig:
        """Configuration of the encoder."""
        return self.encoder.config

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of all weights with their names."""
        return weights_sha256(self.encoder)

    @property
    def facts(self) -> dict[str, Any]:
        """Which checkpoint works, as JSON-serialisable values."""
        return model_facts(self.encoder, self.weights_sha256)

    @property
    def forward(self) -> Forward:
        """What the encoder says: hidden states, `(windows, channels, patches, layers, hidden size)`."""
        encoder = ManyLayers(self.encoder, self.layers)
        return ModelForward(encoder, layer_reader(self.layers), in_full_precision=True)

    def served_by(self, forward: Forward) -> Embedder:
        """Return the same embedder with an encoder in another place, which can go to another process."""
        return _ServedEmbedder(self, "encoder", forward)

    def embed(self, recording: RecordingSource, *, batch_size: int = 8, progress: bool = True) -> dict[str, Any]:
        """Return embeddings as `embed_recording` does."""
        prepared, plan, layout = self._plan(recording, batch_size)
        arrays = EmbeddingArrays(layout, self.dtype)
        for start, values in self._values(prepared, plan, batch_size, progress):
            arrays.write(start, values)
        return {**arrays.result(), **layout.time_tensors, "channel_names": prepared.channel_names}

    def write(
        self,
        recording: RecordingSource,
        output: str | os.PathLike,
        *,
        overwrite: bool = False,
        batch_size: int = 8,
        progress: bool = True,
        say: Callable[[str], str] = str,
    ) -> None:
        """Write embeddings to a file as `embed_recording` does; `say` brings warnings into other words."""
        check_batch_size(batch_size)
        outputs = StagedOutputs(overwrite)
        target = outputs.add(output, suffixes=EMBEDDING_SUFFIXES)
        has_side_file = target.suffix.lower() != TABLE_SUFFIX
        side_file = outputs.add(side_file_of(output), is_side_file) if has_side_file else None
        with warnings_noted() as texts:
            prepared, plan, layout = self._plan(recording, batch_size)
        told = once_each([*prepared.recording.warnings, *texts()])
        facts = {
            **recording_facts(prepared.recording),
            **self.facts,
            "overlap": self.settings.overlap,
            "preprocessing": self.settings.preprocessing.to_dict(),
            "channels": prepared.channel_names,
            "channels left out": prepared.recording.excluded_channels | prepared.dropped_channels,
            "warnings": [*self.warnings, *map(say, told)],
        }
        metadata = _metadata(prepared, self.config, layout, facts)
        make_writer = EmbeddingTable if side_file is None else EmbeddingTensors
        with outputs, make_writer(target, layout, self.dtype, metadata) as writer:
            for start, values in self._values(prepared, plan, batch_size, progress):
                writer.write(start, values)
            if side_file is not None:
                side_file.write_text(_side_text(facts, layout), encoding="utf-8")

    def _plan(
        self, recording: RecordingSource, batch_size: int
    ) -> tuple[PreprocessedRecording, WindowPlan, EmbeddingLayout]:
        check_batch_size(batch_size)
        # Labels are not needed: what is wrong with them is no reason against a recording.
        opened = recording if isinstance(recording, Recording) else open_recording(recording, seizures=[])
        prepared = preprocess(opened, self.settings.preprocessing)
        plan = plan_windows(prepared, self.extractor, self.settings.overlap)
        return prepared, plan, _layout(prepared, plan, self.config, self.layers, self.pool)

    def _values(
        self, prepared: PreprocessedRecording, plan: WindowPlan, batch_size: int, progress: bool
    ) -> Iterator[tuple[int, np.ndarray]]:
        blocks = run_windows(
            prepared,
            plan,
            self.forward,
            self.extractor,
            batch_size=batch_size,
            progress=progress,
            average=self.pool != "window",
        )
        return _pooled(blocks, self.pool, plan)


class _ServedEmbedder(Served, Embedder):
    """An embedder without an encoder, which asks that of another process."""


class TableOfRecordings:
    """One table of the embeddings of several recordings, there when the `with` block ends without an error.

    Parameters
    ----------
    output : str or os.PathLike
        A `.parquet` file.
    overwrite : bool
        Whether to replace also a file that this package has not written.

    Attributes
    ----------
    is_written : bool
        Whether there was anything to write.
    """

    def __init__(self, output: str | os.PathLike, overwrite: bool = False) -> None:
        self._outputs = StagedOutputs(overwrite)
        self._target = self._outputs.add(output, suffixes=[TABLE_SUFFIX])
        self._count = 0
        self.is_written = False

    def next_part(self) -> Path:
        """Return the file to write the embeddings of the next recording to; those of one that fails are left out."""
        self._count += 1
        return self._folder / f"{self._count:09d}{TABLE_SUFFIX}"

    def __enter__(self) -> TableOfRecordings:
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self._target.stem}.", dir=self._target.parent))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            parts = sorted(self._folder.glob(f"*{TABLE_SUFFIX}"))
            if kind is None and parts:
                with self._outputs:
                    join_tables(parts, self._target)
                self.is_written = True
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _check(dtype: str, pool: str) -> None:
    if dtype not in EMBEDDING_DTYPES:
        raise ValueError(f"dtype is {dtype!r}; expected one of {', '.join(EMBEDDING_DTYPES)}")
    check_pool(pool)


def _layout(
    prepared: PreprocessedRecording,
    plan: WindowPlan,
    config: BrantConfig,
    layers: Sequence[int],
    pool: str,
) -> EmbeddingLayout:
    """Tell what the embeddings are of, with times of the file."""
    recording = prepared.recording
    patch_s = config.patch_length / config.sampling_rate
    if pool == "none":
        start = plan.held * patch_s
        stop = start + patch_s
    elif pool == "window":
        start, stop = np.array(plan.starts) * patch_s, np.array(plan.stops) * patch_s
    else:
        start, stop = np.zeros(1), np.full(1, recording.duration)
    stop = np.minimum(stop, recording.duration)
    centres = patch_times(plan.num_patches, patch_s)[plan.held] if pool == "none" else (start + stop) / 2
    return EmbeddingLayout(
        recording=recording.name,
        # What is made up from the name of a file would tell two recordings of a subject apart.
        subject=None if recording.subject_from == "name of the file" else recording.subject,
        channels=prepared.channel_names if pool in ("none", "channel") else None,
        start=recording.offset + start,
        stop=recording.offset + stop,
        layers={number: layer_name(number, config) for number in layers},
        hidden_size=config.hidden_size,
        pool=pool,
        times=recording.offset + centres,
    )


def _pooled(blocks: Iterator[tuple[int, np.ndarray]], pool: str, plan: WindowPlan) -> Iterator[tuple[int, np.ndarray]]:
    """Means of what `run_windows` yields, (channels, patches, layers, hidden size) from a patch on.

    Yields
    ------
    tuple[int, np.ndarray]
        First unit and values `(channels, units, layers, hidden size)`.
    """
    if pool == "none":
        held = plan.held
        yield from ((int(np.searchsorted(held, patch)), values) for patch, values in blocks)
        return
    if pool == "window":
        yield from ((index, mean_known(values, (0, 1))) for index, (_, values) in enumerate(blocks))
        return
    axes = (1,) if pool == "channel" else (0, 1)
    total: Any = 0
    count: Any = 0
    for _, values in blocks:
        added, known = sum_known(values, axes)
        total, count = total + added, count + known
    yield 0, means(total, count)


def _metadata(
    prepared: PreprocessedRecording, config: BrantConfig, layout: EmbeddingLayout, facts: Mapping[str, Any]
) -> dict[str, str]:
    return {
        "software": software(),
        "made_from": json.dumps(facts),
        "channel_names": json.dumps(prepared.channel_names),
        "recording": layout.recording,
        **({} if layout.subject is None else {"subject": layout.subject}),
        "pool": layout.pool,
        "sampling_rate": f"{config.sampling_rate:g}",
        "patch_length": str(config.patch_length),
    }


def side_file_of(output: str | os.PathLike) -> Path:
    """Return the file beside one of embeddings that says what they were made from.

    Its whole name is kept, as `NAME.json` may describe the recording.
    """
    path = Path(output).resolve()
    return path.with_name(f"{path.name}.json")


def is_side_file(path: Path) -> bool:
    """Whether a file is such a one, written by this package."""
    return _MADE_FROM in read_generated(path)


def _side_text(facts: Mapping[str, Any], layout: EmbeddingLayout) -> str:
    layers = ", ".join(layout.layers.values())
    over = {"none": "their patches", "window": "their windows"}.get(layout.pool, "what they are means over")
    described = {"Description": f"Embeddings of a recording ({layers}) and the centres of {over} (times)"}
    sizes = {"Shape": layout.axes, "Pool": layout.pool}
    content = {**described, **sizes, "GeneratedBy": generated_by(), _MADE_FROM: facts}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def encoder_and_extractor(
    model: BrantPreTrainedModel | str | os.PathLike | None,
    extractor: BrantFeatureExtractor | None,
    revision: str | None = None,
) -> tuple[BrantPreTrainedModel, BrantFeatureExtractor]:
    """Return the encoder of a model or checkpoint, and the feature extractor that goes with it.

    Raises
    ------
    OSError
        There is no such checkpoint.
    ValueError
        It cannot be loaded, the feature extractor is missing or that of another model, or a revision is given of what
        is loaded already.
    """
    if model is None or isinstance(model, str | os.PathLike):
        encoder: BrantPreTrainedModel = load_encoder(model, revision=revision)
        extractor = load_feature_extractor(model, revision=revision) if extractor is None else extractor
    elif revision is not None:
        raise ValueError(f"revision is {revision!r}, and the model is loaded already; give the id of its checkpoint")
    elif not hasattr(without_adapters(model), "base_model"):
        raise ValueError(
            f"{type(model).__name__} is no model; pass one of Brant, the folder of a checkpoint, or its id"
        )
    else:
        encoder = cast("BrantPreTrainedModel", without_adapters(model).base_model)
    check_extractor(extractor, encoder.config)
    return encoder, cast("BrantFeatureExtractor", extractor)
