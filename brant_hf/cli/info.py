"""The command `brant-hf info`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..checkpoints import SHIPPED, quiet_transformers
from .options import CHECKPOINT_HELP

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig


def info(
    model: Annotated[str, typer.Argument(help=CHECKPOINT_HELP)] = SHIPPED,
) -> None:
    """Show the size, the window, the head, the normalisation and the settings of a checkpoint."""
    from ..adapters import find_adapter
    from ..checkpoints import locate

    quiet_transformers()
    source = str(locate(model))
    config, class_name, num_parameters = _model_of(source)
    print(f"model          {model}" + (f" ({source})" if model == SHIPPED else ""))
    if (adapter := find_adapter(source)) is not None:
        print(f"adapter        of {adapter.base}, whose facts follow")
    print(f"parameters     {num_parameters:,} ({num_parameters / 1e6:.2f} M)")
    print(f"memory         weights {_bytes(4 * num_parameters)} in fp32, {_bytes(2 * num_parameters)} in bf16")
    print(model_facts(config, class_name))
    print(f"normalisation  {_normalization(source)}")
    if class_name == "BrantForSeizureDetection":
        print("\n".join(_detection(config)))


def model_facts(config: BrantConfig, class_name: str) -> str:
    """Lines on the head, the window and the encoder of a model."""
    seconds = config.num_patches * config.patch_length / config.sampling_rate
    labels = ", ".join(map(str, (config.id2label or {}).values()))
    head = {
        "BrantForPreTraining": "reconstruction of masked patches",
        "BrantForForecasting": f"forecast of {config.prediction_length} samples",
        "BrantForFrequencyPhaseForecasting": f"frequency and phase of the next {config.prediction_length} samples",
        "BrantForImputation": "imputation of missing samples",
        "BrantForSeizureDetection": f"labels {labels} for each channel and patch",
        "BrantModel": "none",
    }.get(class_name, f"that of {class_name}, a class of your own")
    return (
        f"class          {class_name}\n"
        f"head           {head}\n"
        f"window         {config.num_patches} patches of {config.patch_length} samples at {config.sampling_rate} Hz "
        f"({seconds:g} s), any number of channels\n"
        f"encoder        {config.num_temporal_layers} temporal and {config.num_spatial_layers} spatial layers, "
        f"hidden {config.hidden_size}, feed-forward {config.intermediate_size}, "
        f"{config.num_attention_heads} attention heads\n"
        f"mask patch     {'learnable' if config.learnable_mask else 'zero'}\n"
        f"precision      {str(config.dtype).removeprefix('torch.') if config.dtype else 'not recorded'}"
    )


def _model_of(name: str) -> tuple[BrantConfig, str, int]:
    """Tell configuration, class and number of parameters of a checkpoint, whose weights are not read."""
    import torch

    from ..checkpoints import class_names, read_config, saved_class

    brant_hf: Any = import_module("brant_hf")
    fields = read_config(name)
    class_name = saved_class(fields)
    is_known = class_name in class_names()
    try:
        config = brant_hf.BrantConfig.from_dict(fields)
        with torch.device("meta"):
            model = getattr(brant_hf, class_name if is_known else "BrantModel")(config)
        model_facts(config, class_name)
    except Exception as error:  # a field of any wrong type leads to any error
        raise ValueError(f"{name}: config.json is no valid Brant configuration: {error}") from error
    return config, class_name, model.num_parameters() if is_known else _stored_parameters(name)


def _stored_parameters(name: str) -> int:
    """Count the parameters of a class that is not known, without reading the weights."""
    from math import prod

    from safetensors import safe_open
    from transformers.utils import SAFE_WEIGHTS_NAME, cached_file

    path = cached_file(name, SAFE_WEIGHTS_NAME, _raise_exceptions_for_missing_entries=False)
    if path is None:
        raise ValueError(f"{name} has no {SAFE_WEIGHTS_NAME}, and its class is none of brant_hf, so it tells no size")
    with safe_open(path, framework="pt") as file:
        return sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118


def _normalization(name: str) -> str:
    from transformers.utils import cached_file

    from ..adapters import find_adapter
    from ..checkpoints import load_feature_extractor

    if not cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False):
        adapter = find_adapter(name)
        return "not recorded (no preprocessor_config.json)" if adapter is None else _normalization(adapter.base)
    extractor = load_feature_extractor(name)
    return extractor.normalize + (f", scale {extractor.scale:g} microvolts" if extractor.normalize == "asinh" else "")


def _detection(config: BrantConfig) -> Iterator[str]:
    """Lines that tell what a recording goes through, each with the options that change it."""
    from ..detection.settings import LONGEST_EXCERPT_S, DetectionSettings

    settings = DetectionSettings.of(config)
    chain = settings.preprocessing
    excerpt = settings.excerpt_threshold
    short = "" if excerpt is None else f"; {excerpt:g} in recordings of up to {LONGEST_EXCERPT_S:g} s"
    yield f"threshold      {settings.threshold:g}{short} (--threshold){settings.lower_levels_in_words()}"
    background = settings.background
    if background is not None:
        calm = "" if background.calm_offset is None else "; a calm recording asks for less than a restless one"
        weighed = ", and so is line length" if background.line_length_weight else ""
        yield (
            "background     probabilities are relative to those of the recording itself, over "
            f"{background.window / 60:g} min{weighed}{calm}"
        )
    yield (
        f"events         {settings.min_channels} channels have to agree (--min-channels); shortest event "
        f"{settings.min_duration:g} s (--min-duration); events less than {settings.merge_gap:g} s apart are one "
        "(--merge-gap)"
    )
    yield f"windows        {settings.overlap:g} of a window is shared with the next one (--overlap)"
    edges = [f"{'none' if edge is None else f'{edge:g} Hz'}" for edge in (chain.high_pass, chain.low_pass)]
    yield (
        f"signals        high-pass {edges[0]} (--high-pass), low-pass {edges[1]}, line noise "
        f"{chain.line_noise or 'none'} (--notch), reference {chain.reference or 'none'} (--montage)"
    )


def _bytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
