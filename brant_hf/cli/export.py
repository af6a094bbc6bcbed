"""The command `brant-hf export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..checkpoints import quiet_transformers
from .options import CHECKPOINT_HELP, FORCE, warnings_after


def export(
    model: Annotated[str, typer.Argument(help=CHECKPOINT_HELP)],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT.onnx", help="File to write; weights of more than 1 GiB lie in OUT.onnx.data."),
    ],
    int8: Annotated[bool, typer.Option("--int8", help="Hold the weights of the layers in 8 bits.")] = False,
    force: FORCE = False,
) -> None:
    """Write a checkpoint to an ONNX file, which runs in ONNX Runtime without PyTorch.

    A seizure detector gives logits, any other checkpoint the embeddings of its encoder. The file has all settings in
    its metadata.
    """
    from ..onnx_export import export_onnx

    quiet_transformers()
    with warnings_after():
        files = export_onnx(model, out, int8=int8, overwrite=force)
    size = sum(file.stat().st_size for file in files)
    print(f"precision      {'int8' if int8 else 'float32'}")
    print(f"written to     {' and '.join(map(str, files))}, {size / 1e6:.1f} MB")
