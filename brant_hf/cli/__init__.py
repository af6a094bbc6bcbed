"""Command line `brant-hf`.

Results go to standard output, progress and messages to standard error. The exit status is 0 on success and 2 for bad
input, which gets one line on standard error.
"""

import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from .detect import detect_command, embed_command, score_command
from .prepare import prepare_command
from .simulate import simulate

app = typer.Typer(help="Brant, the foundation model for intracranial EEG.", add_completion=False)

app.command("prepare")(prepare_command)
app.command("simulate")(simulate)
app.command("detect")(detect_command)
app.command("score")(score_command)
app.command("embed")(embed_command)

MODEL_HELP = "Folder of a checkpoint or id of a model on the Hugging Face Hub."


@app.callback()
def _configure() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()


@app.command()
def convert(
    time_encoder: Annotated[Path, typer.Argument(help="Published temporal encoder (time_encoder.pt).")],
    channel_encoder: Annotated[Path, typer.Argument(help="Published spatial encoder (channel_encoder.pt).")],
    out_dir: Annotated[Path, typer.Argument(help="Folder to write the Transformers checkpoint to.")],
    head: Annotated[Path | None, typer.Option(help="Published task head; needs --task.")] = None,
    task: Annotated[str | None, typer.Option(help="Task of --head.")] = None,
    num_attention_heads: Annotated[int, typer.Option(help="Not stored in the files; 16 in all published sizes.")] = 16,
    verify: Annotated[bool, typer.Option("--verify", help="Export again and compare bit for bit.")] = False,
) -> None:
    """Convert a published checkpoint to a Transformers checkpoint."""
    from ..conversion_brant import TASKS, convert_original_checkpoint, convert_original_task_checkpoint

    if (head is None) != (task is None):
        raise ValueError(f"--head and --task go together; --task is one of {', '.join(TASKS)}.")
    options = {"num_attention_heads": num_attention_heads, "verify": verify}
    if head is None:
        model = convert_original_checkpoint(time_encoder, channel_encoder, out_dir, **options)
    else:
        model = convert_original_task_checkpoint(time_encoder, channel_encoder, head, task, out_dir, **options)

    tensors = model.state_dict().values()
    print(f"converted      {sum(tensor.numel() for tensor in tensors):,} parameters in {len(tensors)} tensors")
    _print_model(model.config, type(model).__name__)
    if verify:
        print("verified       exported again, every tensor equals the original bit for bit")
    print(f"written to     {out_dir}")


@app.command()
def info(model: Annotated[str, typer.Argument(help=MODEL_HELP)]) -> None:
    """Show the size, the window, the head and the normalisation of a checkpoint."""
    import torch
    from transformers import PreTrainedConfig
    from transformers.utils import cached_file

    import brant_hf

    if not Path(model).is_dir() and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model):
        raise ValueError(f"{model} is neither a folder nor the id of a model on the Hub.")
    fields, _ = PreTrainedConfig.get_config_dict(model)
    if fields.get("model_type") != "brant":
        raise ValueError(
            f"{model} is no Brant checkpoint: its config.json has model_type {fields.get('model_type')!r}."
        )
    models = [name for name in brant_hf.__all__ if name == "BrantModel" or name.startswith("BrantFor")]
    class_name = (fields.get("architectures") or ["BrantModel"])[0]
    if class_name not in models:
        raise ValueError(f"The architecture of {model} must be one of {', '.join(models)}, got {class_name!r}.")
    try:
        config = brant_hf.BrantConfig.from_dict(fields)
        with torch.device("meta"):
            num_parameters = getattr(brant_hf, class_name)(config).num_parameters()
    except Exception as error:  # a field of any wrong type leads to any error
        raise ValueError(f"{model}: config.json is no valid Brant configuration: {error}") from error
    normalization = "not recorded (no preprocessor_config.json)"
    if cached_file(model, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False):
        extractor = brant_hf.BrantFeatureExtractor.from_pretrained(model)
        scale = f", scale {extractor.scale:g} microvolts" if extractor.normalize == "asinh" else ""
        normalization = extractor.normalize + scale

    print(f"model          {model}")
    print(f"parameters     {num_parameters:,} ({num_parameters / 1e6:.2f} M)")
    print(f"memory         weights {_bytes(4 * num_parameters)} in fp32, {_bytes(2 * num_parameters)} in bf16")
    _print_model(config, class_name)
    print(f"normalisation  {normalization}")


def _print_model(config, class_name: str) -> None:
    seconds = config.num_patches * config.patch_length / config.sampling_rate
    head = {
        "BrantForPreTraining": "reconstruction of masked patches",
        "BrantForForecasting": f"forecast of {config.prediction_length} samples",
        "BrantForFrequencyPhaseForecasting": f"frequency and phase of the next {config.prediction_length} samples",
        "BrantForImputation": "imputation of missing samples",
        "BrantForSeizureDetection": f"labels {', '.join(config.id2label.values())} for each channel and patch",
    }.get(class_name, "none")
    print(f"class          {class_name}")
    print(f"head           {head}")
    print(
        f"window         {config.num_patches} patches of {config.patch_length} samples at {config.sampling_rate} Hz "
        f"({seconds:g} s), any number of channels"
    )
    print(
        f"encoder        {config.num_temporal_layers} temporal and {config.num_spatial_layers} spatial layers, hidden "
        f"{config.hidden_size}, feed-forward {config.intermediate_size}, {config.num_attention_heads} attention heads"
    )
    print(f"mask patch     {'learnable' if config.learnable_mask else 'zero'}")
    print(f"precision      {str(config.dtype).removeprefix('torch.') if config.dtype else 'not recorded'}")


def _bytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line with the arguments of the process or with `args`."""
    try:
        status = app(args, standalone_mode=False)
    except TyperException as error:
        status = _refuse(error.format_message())
    except (ValueError, OSError, ImportError) as error:
        status = _refuse(str(error))
    sys.exit(status or 0)


def _refuse(message: str) -> int:
    print(f"brant-hf: {' '.join(message.split())}", file=sys.stderr)
    return 2
