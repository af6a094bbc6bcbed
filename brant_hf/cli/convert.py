"""The command `brant-hf convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .info import model_facts
from .options import FORCE, quiet_transformers

if TYPE_CHECKING:
    from ..modeling_brant import BrantPreTrainedModel


def convert(
    time_encoder: Annotated[Path, typer.Argument(help="Published temporal encoder (time_encoder.pt).")],
    channel_encoder: Annotated[Path, typer.Argument(help="Published spatial encoder (channel_encoder.pt).")],
    out_dir: Annotated[Path, typer.Argument(help="Folder to write the Transformers checkpoint to.")],
    head: Annotated[Path | None, typer.Option(help="Published task head; needs --task.")] = None,
    task: Annotated[str | None, typer.Option(help="Task of --head.")] = None,
    num_attention_heads: Annotated[
        int | None, typer.Option(help="Not stored in the files; 16 in the published sizes, needed for any other.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Export again and compare bit for bit.")] = False,
    force: FORCE = False,
) -> None:
    """Convert a published checkpoint to a Transformers checkpoint."""
    from ..conversion_brant import TASKS, convert_original_checkpoint, convert_original_task_checkpoint

    if (head is None) != (task is None):
        raise ValueError(f"--head and --task go together; --task is one of {', '.join(TASKS)}.")
    quiet_transformers()
    options: dict[str, Any] = {"num_attention_heads": num_attention_heads, "verify": verify, "overwrite": force}
    encoders = (time_encoder, channel_encoder)
    model: BrantPreTrainedModel
    if head is None or task is None:
        model = convert_original_checkpoint(*encoders, out_dir, **options)
    else:
        model = convert_original_task_checkpoint(*encoders, head, task, out_dir, **options)

    tensors = model.state_dict().values()
    print(f"converted      {sum(tensor.numel() for tensor in tensors):,} parameters in {len(tensors)} tensors")
    print(model_facts(model.config, type(model).__name__))
    if num_attention_heads is None:
        print(f"assumed        {model.config.num_attention_heads} attention heads, as in the published models")
    if verify:
        print("verified       exported again, every tensor equals the original bit for bit; none tells the heads")
    print(f"written to     {out_dir}")
