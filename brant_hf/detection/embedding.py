"""Embeddings of a whole recording."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ..checkpoints import load_encoder, load_feature_extractor, without_adapters
from ..data.preprocessing.chain import Preprocessing, preprocess
from ..data.recordings import open_recording
from ..files import TENSOR_SUFFIXES, StagedOutputs, generated_by, read_generated, software
from .detector import check_batch_size, check_extractor, patch_times, plan_windows, run_windows
from .facts import model_facts, recording_facts
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ..data import PreprocessedRecording
    from ..data.recordings.recording import RecordingSource
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

EMBEDDING_DTYPES = ("float32", "float16")
_MADE_FROM = "MadeFrom"
_HALF_PRECISION = (torch.float16, torch.bfloat16)
_SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16"}


def embed_recording(
    recording: RecordingSource,
    model: BrantPreTrainedModel | str | os.PathLike | None = None,
    feature_extractor: BrantFeatureExtractor | None = None,
    output: str | os.PathLike | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    overlap: float | None = None,
    batch_size: int = 8,
    progress: bool = True,
    dtype: str = "float32",
    overwrite: bool = False,
) -> dict[str, Any] | None:
    """Embeddings of all channels and patches: `last_hidden_state`, the mean over the windows that hold a patch.

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
        A `.safetensors` file to write to, while the recording is read: neither the recording nor its embeddings have
        to fit into memory. It holds the tensors `last_hidden_state` and `times` and, as metadata, `channel_names`
        (JSON), `recording`, `sampling_rate` [Hz], `patch_length` [samples] and `made_from` (JSON): checkpoint with the
        SHA-256 of its weights, settings, units, gaps, channels left out and why. `OUTPUT.json` beside it has
        the same for people.
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

    Returns
    -------
    dict[str, Any] or None
        Without `output`, a dictionary with `last_hidden_state` (channels, patches, hidden size), `times` (patches,)
        [s], the centres, and `channel_names`. Patches that miss more than half of their samples are NaN.

    Raises
    ------
    FileExistsError
        `output` is a file that this function has not written.
    OSError
        `output` cannot be written, or there is no such recording or checkpoint.
    ValueError
        The recording or the checkpoint cannot be read, the feature extractor is missing or that of another model,
        `dtype` or another setting is not allowed, or nothing is left after preprocessing.
    """
    if dtype not in EMBEDDING_DTYPES:
        raise ValueError(f"dtype is {dtype!r}; expected one of {', '.join(EMBEDDING_DTYPES)}")
    check_batch_size(batch_size)
    encoder, extractor = _encoder_and_extractor(model, feature_extractor)
    config = encoder.config
    settings = DetectionSettings.of(config, {"overlap": overlap, "preprocessing": preprocessing})
    outputs = StagedOutputs(overwrite)
    target = None if output is None else outputs.add(output, suffixes=TENSOR_SUFFIXES)
    side_file = None if output is None else outputs.add(side_file_of(output), is_side_file)
    # Labels are not needed: what is wrong with them is no reason against a recording.
    prepared = preprocess(open_recording(recording, seizures=[]), settings.preprocessing)
    plan = plan_windows(prepared, extractor, settings.overlap)
    times = prepared.recording.offset + patch_times(plan.num_patches, config.patch_length / config.sampling_rate)
    shape = (len(prepared.channel_names), plan.num_patches, config.hidden_size)
    blocks = run_windows(
        prepared,
        plan,
        encoder,
        extractor,
        lambda outputs: outputs.last_hidden_state,
        batch_size=batch_size,
        progress=progress,
        missing=np.nan,
    )
    if target is None or side_file is None:
        embeddings = np.empty(shape, dtype)
        with _full_precision(encoder):
            for start, values in blocks:
                embeddings[:, start : start + values.shape[1]] = values
        return {"last_hidden_state": embeddings, "times": times, "channel_names": prepared.channel_names}
    facts = _facts(prepared, encoder, settings)
    metadata = {
        "software": software(),
        "made_from": json.dumps(facts),
        "channel_names": json.dumps(prepared.channel_names),
        "recording": prepared.recording.name,
        "sampling_rate": f"{config.sampling_rate:g}",
        "patch_length": str(config.patch_length),
    }
    with outputs, EmbeddingWriter(target, shape, dtype, times, metadata) as writer, _full_precision(encoder):
        for start, values in blocks:
            writer.write(start, values)
        side_file.write_text(_side_text(facts, shape), encoding="utf-8")
    return None


def _facts(
    prepared: PreprocessedRecording, encoder: BrantPreTrainedModel, settings: DetectionSettings
) -> dict[str, Any]:
    """Tell what embeddings depend on."""
    return {
        **recording_facts(prepared.recording),
        **model_facts(encoder),
        "overlap": settings.overlap,
        "preprocessing": settings.preprocessing.to_dict(),
        "channels": prepared.channel_names,
        "channels left out": prepared.recording.excluded_channels | prepared.dropped_channels,
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


def _side_text(facts: Mapping[str, Any], shape: tuple[int, int, int]) -> str:
    described = {
        "Description": "Embeddings of a recording (last_hidden_state) and the centres of their patches (times)"
    }
    sizes = dict(zip(("channels", "patches", "hidden size"), shape, strict=True))
    content = {**described, "Shape": sizes, "GeneratedBy": generated_by(), _MADE_FROM: facts}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _encoder_and_extractor(
    model: BrantPreTrainedModel | str | os.PathLike | None, extractor: BrantFeatureExtractor | None
) -> tuple[BrantPreTrainedModel, BrantFeatureExtractor]:
    if model is None or isinstance(model, str | os.PathLike):
        encoder: BrantPreTrainedModel = load_encoder(model)
        extractor = load_feature_extractor(model) if extractor is None else extractor
    else:
        encoder = cast("BrantPreTrainedModel", without_adapters(model).base_model)
    check_extractor(extractor, encoder.config)
    return encoder, cast("BrantFeatureExtractor", extractor)


@contextmanager
def _full_precision(model: BrantPreTrainedModel) -> Iterator[None]:
    """Let weights that are stored in half precision work in fp32, which holds each of their values."""
    halves = [each for each in (*model.parameters(), *model.buffers()) if each.dtype in _HALF_PRECISION]
    dtypes = [each.dtype for each in halves]
    for each in halves:
        each.data = each.data.float()
    try:
        yield
    finally:
        for each, dtype in zip(halves, dtypes, strict=True):
            each.data = each.data.to(dtype)


class EmbeddingWriter:
    """Writes a safetensors file of a known shape piece by piece.

    The format is the length of a JSON header (8 bytes, little endian), the header and the tensors, row by row, so a
    stretch of patches is one run of bytes for each channel. Written to the file, not to mapped memory, whose pages
    would count as memory of the process.

    Parameters
    ----------
    path : Path
        File to write.
    shape : tuple[int, int, int]
        (channels, patches, hidden size).
    dtype : str
        `"float32"` or `"float16"`.
    times : np.ndarray
        `(patches,)` [s].
    metadata : Mapping[str, str]
        Strings.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int, int], dtype: str, times: np.ndarray, metadata: Mapping[str, str]
    ) -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._num_patches = shape[1]
        self._patch_bytes = shape[2] * self._dtype.itemsize
        times = np.asarray(times, "<f8")
        end = times.nbytes + shape[0] * shape[1] * self._patch_bytes
        header = {
            "__metadata__": dict(metadata),
            "times": {"dtype": "F64", "shape": list(times.shape), "data_offsets": [0, times.nbytes]},
            "last_hidden_state": {
                "dtype": _SAFETENSORS_NAMES[dtype],
                "shape": list(shape),
                "data_offsets": [times.nbytes, end],
            },
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._begin = 8 + len(text) + times.nbytes
        self._file = open(path, "wb")  # noqa: SIM115  closed by __exit__
        self._file.write(len(text).to_bytes(8, "little") + text + times.tobytes())
        self._file.truncate(8 + len(text) + end)

    def write(self, start: int, values: np.ndarray) -> None:
        """Write `(channels, patches, hidden size)` from the patch `start` on."""
        for channel, rows in enumerate(np.ascontiguousarray(values, self._dtype)):
            self._file.seek(self._begin + (channel * self._num_patches + start) * self._patch_bytes)
            self._file.write(rows.data)

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
