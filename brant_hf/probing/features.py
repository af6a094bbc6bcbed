"""Embeddings of a whole dataset for several layers, on disk: computed once, continued after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..detection.facts import weights_sha256
from ..detection.pooling import full_precision
from ..files import write_text
from ..progress import progress_bar
from .embedder import batches_of, embed_windows

if TYPE_CHECKING:
    from datasets import Dataset

    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

_STATE = "features.json"


def layer_features(
    dataset: Dataset,
    encoder: BrantPreTrainedModel,
    extractor: BrantFeatureExtractor,
    layers: Sequence[int],
    folder: Path,
    *,
    batch_size: int,
    progress: bool,
) -> dict[int, np.ndarray]:
    """Mean hidden states of all windows, by layer, as files of NumPy that are mapped into memory.

    The encoder runs once for all layers. Files of the same windows, weights and layers are continued; others in the
    folder are replaced.

    Parameters
    ----------
    dataset : Dataset
        Rows as `load` gives them.
    encoder : BrantPreTrainedModel
        The encoder.
    extractor : BrantFeatureExtractor
        Its feature extractor.
    layers : Sequence[int]
        Numbers of hidden states, from 0.
    folder : Path
        Where `layer_0.npy` and so on lie.
    batch_size : int
        Most windows of a forward pass.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    dict[int, np.ndarray]
        (windows, hidden size) float32 each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = _key(dataset, encoder, extractor, layers)
    shape = (len(dataset), encoder.config.hidden_size)
    paths = {layer: folder / f"layer_{layer}.npy" for layer in layers}
    done = _begin(folder, key, paths, shape)
    bar = progress_bar(total=len(dataset), initial=done, desc="embeddings", unit="window", shown=progress)
    with bar, full_precision(encoder):  # for all batches
        for signals, rate in batches_of(dataset, batch_size, done):
            values = embed_windows(encoder, extractor, signals, rate, layers)
            for place, path in enumerate(paths.values()):
                _write_rows(path, done, values[:, place], shape)
            done += len(signals)
            write_text(folder / _STATE, json.dumps({"key": key, "done": done}) + "\n")
            bar.update(len(signals))
    return {layer: np.load(path, mmap_mode="r") for layer, path in paths.items()}


def _begin(folder: Path, key: str, paths: dict[int, Path], shape: tuple[int, int]) -> int:
    """Make the files, unless there are some to continue; gives the number of windows that are done."""
    state = folder / _STATE
    if state.is_file() and all(path.is_file() for path in paths.values()):
        found = json.loads(state.read_text(encoding="utf-8"))
        if found.get("key") == key:
            return int(found["done"])
    state.unlink(missing_ok=True)
    for path in paths.values():
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, _header(shape))
            file.truncate(file.tell() + 4 * shape[0] * shape[1])
    return 0


def _header(shape: tuple[int, int]) -> dict[str, object]:
    return {"descr": "<f4", "fortran_order": False, "shape": shape}


def _write_rows(path: Path, first: int, rows: np.ndarray, shape: tuple[int, int]) -> None:
    """Write to the file and not to mapped memory, whose pages would count as memory of the process."""
    begin = path.stat().st_size - 4 * shape[0] * shape[1]
    with path.open("r+b") as file:
        file.seek(begin + 4 * first * shape[1])
        file.write(np.ascontiguousarray(rows, dtype="<f4").data)


def _key(
    dataset: Dataset, encoder: BrantPreTrainedModel, extractor: BrantFeatureExtractor, layers: Sequence[int]
) -> str:
    """Return what changes with the windows, the weights, the feature extractor and the layers."""
    digest = hashlib.sha256(weights_sha256(encoder).encode())
    digest.update(json.dumps([extractor.to_dict(), list(layers)], sort_keys=True, default=str).encode())
    for column in ("subject", "recording", "start"):
        if column in dataset.column_names:
            digest.update(json.dumps(list(dataset.with_format(None)[column])).encode())
    for index in {0, len(dataset) - 1}:
        digest.update(np.asarray(dataset[index]["input_values"], dtype=np.float32).tobytes())
    return digest.hexdigest()
