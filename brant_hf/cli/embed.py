"""The command `brant-hf embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    BATCH_SIZE_HELP,
    DEVICE,
    FORCE,
    MODEL,
    OVERLAP_HELP,
    UNIT,
    find_device,
    quiet_transformers,
    warnings_after,
)


def embed(
    recording: Annotated[Path, typer.Argument(help="A recording.")],
    out: Annotated[Path, typer.Argument(help="File to write (.safetensors).")],
    model: MODEL = None,
    dtype: Annotated[str, typer.Option(help="Precision of the file: float32 or float16.")] = "float32",
    overlap: Annotated[float, typer.Option(help=OVERLAP_HELP)] = 0.5,
    unit: UNIT = None,
    batch_size: Annotated[int, typer.Option(help=BATCH_SIZE_HELP)] = 8,
    device: DEVICE = None,
    force: FORCE = False,
) -> None:
    """Write the embeddings of all channels and patches of RECORDING to OUT."""
    import torch

    from ..checkpoints import load_encoder, load_feature_extractor
    from ..data import open_recording
    from ..detection.embedding import embed_recording
    from ..detection.settings import DetectionSettings
    from ..files import TENSOR_SUFFIXES, StagedOutputs

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; it must be 1 or more")
    staged = StagedOutputs(overwrite=force)
    target = staged.add(out, suffixes=TENSOR_SUFFIXES)  # refused before anything is loaded
    quiet_transformers()
    with warnings_after(), staged:
        opened = open_recording(recording, seizures=[], unit=unit)
        encoder = load_encoder(model)
        torch.nn.Module.to(encoder, find_device(device))
        settings = DetectionSettings.of(encoder.config, {"overlap": overlap})
        embed_recording(
            opened,
            encoder.float(),
            load_feature_extractor(model),
            target,
            preprocessing=settings.preprocessing,
            overlap=settings.overlap,
            batch_size=batch_size,
            dtype=dtype,
        )
    print(f"written to     {out}")
