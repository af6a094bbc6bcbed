"""The command `brant-hf convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..checkpoints import quiet_transformers
from .info import model_facts
from .options import FORCE


def convert(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE [CHANNEL.pt] OUT",
            help="Published weights: an id on the Hub, a folder, a .safetensors, a .zip, or time_encoder.pt and "
            "channel_encoder.pt; and the folder to write the Transformers checkpoint to.",
        ),
    ],
    revision: Annotated[str | None, typer.Option(help="Commit, branch or tag on the Hub.")] = None,
    head: Annotated[Path | None, typer.Option(help="Published task head; needs --task.")] = None,
    task: Annotated[str | None, typer.Option(help="Task of --head, or of the head that the source has.")] = None,
    num_attention_heads: Annotated[
        int | None, typer.Option(help="Not stored in the files; 16 in the published sizes, needed for any other.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Export again and compare bit for bit.")] = False,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="YOU/MODEL", help="Push the checkpoint to the Hub, where you are logged in.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see what is pushed.")] = False,
    force: FORCE = False,
) -> None:
    """Convert published weights to a Transformers checkpoint."""
    from ..conversion_brant import TASKS, convert_original_checkpoint, convert_original_task_checkpoint

    encoders, out_dir = _places(source)
    if (head is not None and task is None) or (task is not None and head is None and encoders[1] is not None):
        raise ValueError(f"--head and --task go together; --task is one of {', '.join(TASKS)}.")
    quiet_transformers()
    options: dict[str, Any] = {
        "revision": revision,
        "num_attention_heads": num_attention_heads,
        "verify": verify,
        "overwrite": force,
        "push_to_hub": push_to_hub,
        "private": not public,
    }
    if head is None or task is None:
        model = convert_original_checkpoint(*encoders, out_dir, task=task, **options)
    else:
        model = convert_original_task_checkpoint(*encoders, head, task, out_dir, **options)

    tensors = model.state_dict().values()
    print(f"converted      {sum(tensor.numel() for tensor in tensors):,} parameters in {len(tensors)} tensors")
    print(model_facts(model.config, type(model).__name__))
    report: Any = model.conversion
    for word, text in report.lines():
        print(f"{word:<14} {text}")
    print(f"written to     {out_dir}")
    if report.pushed_to is not None:
        print(f"pushed to      {report.pushed_to}")


def _places(names: list[str]) -> tuple[tuple[str, str | None], Path]:
    """Tell what to read from where to write."""
    *encoders, out_dir = names
    if not encoders or (len(encoders) == 1 and Path(out_dir).is_file()):
        raise ValueError("Missing argument OUT, the folder to write to.")
    if len(encoders) > 2:
        raise ValueError(f"There are {len(names)} arguments; give SOURCE OUT, or TIME.pt CHANNEL.pt OUT.")
    return (encoders[0], encoders[1] if len(encoders) == 2 else None), Path(out_dir)
