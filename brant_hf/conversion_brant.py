# Copyright 2026 The brant_hf authors. All rights reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Published Brant checkpoints (pickled state dicts of the research code) to Transformers models and back."""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers.core_model_loading import (
    Chunk,
    WeightConverter,
    WeightRenaming,
    WeightTransform,
    convert_and_load_state_dict_in_model,
    revert_weight_conversion,
)
from transformers.modeling_utils import LoadStateDictConfig
from transformers.utils import CONFIG_NAME, FEATURE_EXTRACTOR_NAME, SAFE_WEIGHTS_NAME

from .configuration_brant import PUBLISHED_SIZES, BrantConfig
from .feature_extraction_brant import BrantFeatureExtractor
from .files import check_folder, replacing_folder
from .listing import listed
from .modeling_brant import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantPreTrainedModel,
)

StateDict = dict[str, torch.Tensor]
Model = TypeVar("Model", bound=BrantPreTrainedModel)

_TIME, _CHANNEL, _HEAD = "time_encoder", "channel_encoder", "head"

# Published name -> name in the Transformers model; each tensor passes all of these in order.
_ENCODER_RENAMINGS = {
    f"{_TIME}.input_embedding.band_encoding": "brant.embeddings.band_embeddings",
    f"{_TIME}.input_embedding.positional_encoding": "brant.embeddings.position_embeddings",
    f"{_TIME}.input_embedding.mask_encoding": "brant.embeddings.mask_token",
    f"{_TIME}.input_embedding.power_mask_encoding": "brant.embeddings.band_power_mask_token",
    f"{_TIME}.input_embedding.proj.0": "brant.embeddings.projection",
    f"{_TIME}.trans_enc.layers": "brant.temporal_layers",
    f"{_CHANNEL}.trans_enc.layers": "brant.spatial_layers",
    "self_attn.out_proj": "attention.o_proj",
    "linear1": "mlp.fc1",
    "linear2": "mlp.fc2",
    "norm1": "attention_norm",
    "norm2": "mlp_norm",
}
_RECONSTRUCTION = f"{_CHANNEL}.proj_out."
_PUBLISHED_HEADS = 16
_WRITTEN = (CONFIG_NAME, SAFE_WEIGHTS_NAME, FEATURE_EXTRACTOR_NAME)


@dataclasses.dataclass(frozen=True)
class _Task:
    """How a published task head is stored and what it becomes.

    `heads` maps the name under which a file of several heads keeps a head to the renamings of its tensors.
    """

    model_class: type[BrantPreTrainedModel]
    heads: dict[str, dict[str, str]]
    # Field of the configuration that the number of rows of a weight gives.
    inferred: tuple[str, str] | None = None
    defaults: dict[str, Any] = dataclasses.field(default_factory=dict)


_TASKS = {
    "seizure": _Task(
        BrantForSeizureDetection,
        {
            "seizure": {
                "mlp.0": "detection_head.fc1",
                "mlp.2": "detection_head.fc2",
                "mlp.4": "detection_head.classifier",
            }
        },
        inferred=("num_labels", "seizure.mlp.4.weight"),
    ),
    "imputation": _Task(BrantForImputation, {"imputation": {"": "reconstruction_head"}}),
    "forecast_short": _Task(
        BrantForForecasting,
        {"forecast_short": {"0": "prediction_head"}},
        inferred=("prediction_length", "forecast_short.0.weight"),
    ),
    "forecast_long": _Task(
        BrantForForecasting,
        {"forecast_long": {"0": "prediction_head"}},
        inferred=("prediction_length", "forecast_long.0.weight"),
        defaults={"prediction_dropout": 0.2},
    ),
    "frequency_phase": _Task(
        BrantForFrequencyPhaseForecasting,
        {"frequency": {"0": "frequency_head"}, "phase": {"0": "phase_head"}},
        inferred=("prediction_length", "phase.0.weight"),
    ),
}
TASKS = tuple(_TASKS)


def convert_original_checkpoint(
    time_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
    channel_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
    output_dir: str | os.PathLike | None = None,
    *,
    num_attention_heads: int | None = None,
    verify: bool = False,
    overwrite: bool = False,
    **config_overrides: Any,
) -> BrantForPreTraining:
    """Convert the two files of a published pre-training checkpoint.

    Args:
        time_encoder (`str`, `os.PathLike` or a state dict):
            Temporal encoder (published as `time_encoder.pt`), keys with or without the prefix `module.`.
        channel_encoder (`str`, `os.PathLike` or a state dict):
            Spatial encoder and reconstruction (published as `channel_encoder.pt`).
        output_dir (`str` or `os.PathLike`, *optional*):
            Folder to write the model and a feature extractor to. Nothing is written when the conversion fails. The
            normalisation of the published training data is not known: the feature extractor passes microvolts as
            they are.
        num_attention_heads (`int`, *optional*):
            Number of attention heads, which no tensor tells: another one computes something else with the same
            weights. 16 when absent, as in all published sizes; needed for a `hidden_size` that is none of these.
        verify (`bool`, *optional*, defaults to `False`):
            Whether to export the converted weights again and compare them with the originals bit for bit.
        overwrite (`bool`, *optional*, defaults to `False`):
            Whether to replace a checkpoint in `output_dir`. Other files stay.
        config_overrides:
            Fields of [`BrantConfig`] that the tensors do not tell. The others are inferred.

    Returns:
        [`BrantForPreTraining`] in evaluation mode, in the precision of the files.

    Raises:
        FileExistsError: `output_dir` holds a checkpoint.
        FileNotFoundError: A file does not exist.
        ValueError: A file holds anything but the tensors of a Brant checkpoint: Python objects, a missing layer, an
            unknown key, a shape that does not fit; or an override contradicts the tensors, or the number of heads is
            not known. The message names it.
    """
    if output_dir is not None:
        check_folder(output_dir, _WRITTEN, overwrite)
    originals = _read_encoders(time_encoder, channel_encoder)
    config = _infer_config(originals, num_attention_heads, config_overrides)
    model = _convert(BrantForPreTraining, config, originals, {_RECONSTRUCTION + "0": "reconstruction_head"}, verify)
    if output_dir is not None:
        _write(model, output_dir, overwrite)
    return model


def convert_original_task_checkpoint(
    time_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
    channel_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
    head: str | os.PathLike | Mapping[str, Any],
    task: str,
    output_dir: str | os.PathLike | None = None,
    *,
    num_attention_heads: int | None = None,
    verify: bool = False,
    overwrite: bool = False,
    **config_overrides: Any,
) -> BrantPreTrainedModel:
    """Convert the encoders and the head of a published fine-tuned checkpoint.

    Args:
        time_encoder, channel_encoder:
            The encoders, see [`convert_original_checkpoint`]. The reconstruction (`proj_out`) of the channel encoder
            is not part of a task model; it may be there or not.
        head (`str`, `os.PathLike` or a mapping):
            State dict of the head, or a mapping from the names of heads (`"seizure"`, `"imputation"`,
            `"forecast_short"`, `"forecast_long"`, `"frequency"`, `"phase"`) to state dicts. `"frequency_phase"` has
            two heads and needs the latter.
        task (`str`):
            `"seizure"`, `"imputation"`, `"forecast_short"`, `"forecast_long"` or `"frequency_phase"`.
        output_dir, num_attention_heads, verify, overwrite, config_overrides:
            See [`convert_original_checkpoint`].

    Returns:
        The task model in evaluation mode; the horizon and the number of labels come from the head.

    Raises:
        FileExistsError: `output_dir` holds a checkpoint.
        FileNotFoundError: A file does not exist.
        ValueError: `task` is unknown, or a file holds anything but the tensors of a Brant checkpoint of this task.
    """
    if task not in _TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}, got {task!r}.")
    if output_dir is not None:
        check_folder(output_dir, _WRITTEN, overwrite)
    originals = _read_encoders(time_encoder, channel_encoder)
    originals = {key: tensor for key, tensor in originals.items() if not key.startswith(_RECONSTRUCTION)}
    heads = _read_heads(head, task)
    overrides = {**_TASKS[task].defaults, **config_overrides, **_infer_head_fields(heads, task, config_overrides)}
    config = _infer_config(originals, num_attention_heads, overrides)

    renamings = {
        f"{_HEAD}.{name}.{source}".rstrip("."): target
        for name, renaming in _TASKS[task].heads.items()
        for source, target in renaming.items()
    }
    originals |= {f"{_HEAD}.{key}": tensor for key, tensor in heads.items()}
    model = _convert(_TASKS[task].model_class, config, originals, renamings, verify)
    if output_dir is not None:
        _write(model, output_dir, overwrite)
    return model


def export_original_checkpoint(model: BrantForPreTraining) -> tuple[StateDict, StateDict]:
    """State dicts of the temporal and the spatial encoder as the published code names them.

    Args:
        model ([`BrantForPreTraining`]):
            Any pre-training model, converted or not.

    Returns:
        The contents of `time_encoder.pt` and of `channel_encoder.pt`, without the prefix `module.`.
    """
    originals = _export(model, {_RECONSTRUCTION + "0": "reconstruction_head"})
    time_encoder, channel_encoder = (
        {key.removeprefix(f"{part}."): tensor for key, tensor in originals.items() if key.startswith(part)}
        for part in (_TIME, _CHANNEL)
    )
    return time_encoder, channel_encoder


def _read_encoders(
    time_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
    channel_encoder: str | os.PathLike | Mapping[str, torch.Tensor],
) -> StateDict:
    originals = {f"{_TIME}.{key}": tensor for key, tensor in _read(time_encoder, "time encoder").items()}
    originals |= {f"{_CHANNEL}.{key}": tensor for key, tensor in _read(channel_encoder, "channel encoder").items()}
    return originals


def _read(source: str | os.PathLike | Mapping[str, Any], what: str) -> StateDict:
    """State dict of a file or mapping without the prefix `module.`; anything but named tensors is an error."""
    state_dict, origin = source, what
    if not isinstance(source, Mapping):
        origin = f"{what} {source}"
        state_dict = _load_pickle(Path(source), origin)
    if not isinstance(state_dict, Mapping) or not state_dict:
        raise ValueError(f"The {origin} must hold a state dict (names and tensors), got {_describe(state_dict)}.")
    tensors = {}
    for key, value in state_dict.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"The {origin} must hold named tensors only, got {key!r}: {_describe(value)}.")
        if value.layout != torch.strided or value.is_meta:
            raise ValueError(f"The {origin} must hold ordinary tensors, `{key}` is {value.layout} on {value.device}.")
        tensors[key.removeprefix("module.")] = value.detach()
    if len(tensors) < len(state_dict):
        raise ValueError(f"The {origin} has the same keys with and without the prefix `module.`.")
    return tensors


def _load_pickle(path: Path, origin: str) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"The {origin} does not exist or is no file.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever the bytes of a foreign file lead it to
        raise ValueError(
            f"The {origin} is no file of tensors that `torch.load` reads. Files with other Python objects are "
            "refused, because reading them can run code."
        ) from error


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a mapping with the keys {', '.join(map(repr, list(value)[:5]))}" if value else "an empty mapping"
    return f"a {type(value).__name__}"


def _read_heads(source: str | os.PathLike | Mapping[str, Any], task: str) -> StateDict:
    """Tensors of all heads of a task, named `<head>.<key>`."""
    origin = "head"
    if not isinstance(source, Mapping):
        origin = f"head {source}"
        source = _load_pickle(Path(source), origin)
    names = list(_TASKS[task].heads)
    if isinstance(source, Mapping) and not any(isinstance(value, Mapping) for value in source.values()):
        if len(names) > 1:
            raise ValueError(f"The {origin} must hold the heads {' and '.join(names)}, got {_describe(source)}.")
        source = {names[0]: source}
    if not isinstance(source, Mapping) or not set(names) <= set(source):
        raise ValueError(f"The {origin} must hold the head {' and '.join(names)}, got {_describe(source)}.")
    return {
        f"{name}.{key}": tensor for name in names for key, tensor in _read(source[name], f"{origin} {name}").items()
    }


def _infer_head_fields(heads: StateDict, task: str, overrides: Mapping[str, Any]) -> dict[str, int]:
    inferred = _TASKS[task].inferred
    if inferred is None:
        return {}
    field, key = inferred
    value = _tensor(heads, key, num_dims=2).shape[0]
    _check_override(field, value, overrides)
    return {field: value}


def _tensor(tensors: StateDict, key: str, num_dims: int) -> torch.Tensor:
    if key not in tensors:
        raise ValueError(
            f"The checkpoint lacks `{key}`. It has {len(tensors)} tensors, such as `{next(iter(tensors))}`."
        )
    if tensors[key].ndim != num_dims:
        raise ValueError(f"`{key}` must have {num_dims} dimensions, got shape {tuple(tensors[key].shape)}.")
    return tensors[key]


def _check_override(field: str, inferred: Any, overrides: Mapping[str, Any]) -> None:
    if field in overrides and overrides[field] != inferred:
        raise ValueError(f"`{field}` is {inferred} in the checkpoint, got {field}={overrides[field]}.")


def _infer_config(originals: StateDict, num_attention_heads: int | None, overrides: Mapping[str, Any]) -> BrantConfig:
    """Configuration that the shapes and the number of layers tell."""
    embedding = f"{_TIME}.input_embedding"
    num_patches, hidden_size = _tensor(originals, f"{embedding}.positional_encoding", 2).shape
    mask_patch = _tensor(originals, f"{embedding}.mask_encoding", 1)
    mask_power = _tensor(originals, f"{embedding}.power_mask_encoding", 1)
    inferred = {
        "hidden_size": hidden_size,
        "num_patches": num_patches,
        "patch_length": mask_patch.shape[0],
        "intermediate_size": _tensor(originals, f"{_TIME}.trans_enc.layers.0.linear1.weight", 2).shape[0],
        "num_temporal_layers": _count_layers(originals, _TIME),
        "num_spatial_layers": _count_layers(originals, _CHANNEL),
        # Zero unless they were trained.
        "learnable_mask": bool(mask_patch.any() or mask_power.any()),
    }
    # The precision is that of the files.
    known = {each.name for each in dataclasses.fields(BrantConfig)} - {"dtype"} | {"num_labels", "detection"}
    if unknown := sorted(set(overrides) - known):
        raise ValueError(f"{', '.join(unknown)} is no field of BrantConfig that can be overridden.")
    # Zeros do not tell whether somebody wants to train them from here on.
    inferred["learnable_mask"] |= overrides.get("learnable_mask", False)
    for field, value in inferred.items():
        _check_override(field, value, overrides)
    heads = _number_of_heads(hidden_size) if num_attention_heads is None else num_attention_heads
    config = BrantConfig(num_attention_heads=heads, **{**overrides, **inferred})
    config.dtype = mask_patch.dtype
    num_bands = _tensor(originals, f"{embedding}.band_encoding", 2).shape[0]
    if num_bands != config.num_bands:
        raise ValueError(
            f"The checkpoint has {num_bands} frequency bands, which need {num_bands + 1} `band_edges` in Hz, got "
            f"{config.band_edges}."
        )
    return config


def _number_of_heads(hidden_size: int) -> int:
    """Number of heads of the published models, where `hidden_size` is that of one of them."""
    published = [size["hidden_size"] for size in PUBLISHED_SIZES.values()]
    if hidden_size not in published:
        raise ValueError(
            f"`hidden_size` is {hidden_size}, none of the published sizes {', '.join(map(str, published))}, which "
            f"have {_PUBLISHED_HEADS} attention heads: pass `num_attention_heads` (`--num-attention-heads`), since "
            "no tensor tells it and another number computes something else."
        )
    return _PUBLISHED_HEADS


def _count_layers(originals: StateDict, part: str) -> int:
    matches = (re.match(rf"{part}\.trans_enc\.layers\.(\d{{1,4}})\.", key) for key in originals)
    numbers = sorted({int(match[1]) for match in matches if match})
    if numbers != list(range(len(numbers))):
        raise ValueError(f"The layers of `{part}` must be numbered from 0 without a gap, got {numbers}.")
    return len(numbers)


def _weight_mapping(head_renamings: Mapping[str, str]) -> list[WeightTransform]:
    """The conversion in the terms of transformers, which can revert it too."""
    renamings = {**_ENCODER_RENAMINGS, **head_renamings}
    projections: list[WeightTransform] = [
        WeightConverter(
            f"self_attn.in_proj_{kind}", [f"attention.{name}_proj.{kind}" for name in "qkv"], operations=[Chunk(dim=0)]
        )
        for kind in ("weight", "bias")
    ]
    return [*(WeightRenaming(source, target) for source, target in renamings.items()), *projections]


def _convert(
    model_class: type[Model],
    config: BrantConfig,
    originals: StateDict,
    head_renamings: Mapping[str, str],
    verify: bool,
) -> Model:
    dtypes = {tensor.dtype for tensor in originals.values()}
    dtype = next(iter(dtypes))
    if len(dtypes) > 1 or not dtype.is_floating_point:
        names = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(f"All tensors of a checkpoint must have one floating point type, got {names}.")
    with torch.device("meta"):
        model: Any = model_class(config)
        model.to(dtype)
    _check_tensors(originals, _export(model, head_renamings))

    mapping: Any = _weight_mapping(head_renamings)
    load_config = LoadStateDictConfig(weight_mapping=mapping, dtype=dtype)
    # Copies, because query, key and value are parts of one tensor and must not share its memory.
    tensors = {key: tensor.clone() for key, tensor in originals.items()}
    loading_info, _ = convert_and_load_state_dict_in_model(model, tensors, load_config)
    problems = loading_info.missing_keys | loading_info.unexpected_keys | loading_info.mismatched_keys
    if problems or loading_info.conversion_errors:
        raise ValueError(f"The checkpoint was not converted completely: {sorted(map(str, problems))}.")
    # The model is saved with its own names, not with the published ones.
    del model._weight_conversions
    model.freeze_mask_tokens()
    if verify:
        _check_equal(originals, _export(model, head_renamings))
    return model.eval()


def _export(model: Any, head_renamings: Mapping[str, str]) -> StateDict:
    model._weight_conversions = _weight_mapping(head_renamings)
    try:
        return revert_weight_conversion(model, model.state_dict())
    finally:
        del model._weight_conversions


def _check_tensors(originals: StateDict, expected: StateDict) -> None:
    """Compare keys and shapes with those of the model; both directions are strict."""
    missing = [key for key in expected if key not in originals]
    unknown = [key for key in originals if key not in expected]
    wrong = [
        f"{key} has shape {tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
        for key, tensor in originals.items()
        if key in expected and tensor.shape != expected[key].shape
    ]
    for what, found in (("lacks", missing), ("has unknown keys:", unknown), ("does not fit together:", wrong)):
        if found:
            raise ValueError(f"The checkpoint {what} {listed(found)}.")


def _check_equal(originals: StateDict, exported: StateDict) -> None:
    for key, tensor in originals.items():
        bits, exported_bits = (each.contiguous().view(torch.uint8) for each in (tensor, exported[key]))
        if tensor.dtype != exported[key].dtype or not torch.equal(bits, exported_bits):
            raise ValueError(f"`{key}` is not the same after the conversion and back.")


def _write(model: BrantPreTrainedModel, output_dir: str | os.PathLike, overwrite: bool) -> None:
    config = model.config
    feature_extractor = BrantFeatureExtractor(
        config.sampling_rate, config.patch_length, config.num_patches, normalize="none"
    )
    with replacing_folder(output_dir, overwrite) as folder:
        model.save_pretrained(folder)
        feature_extractor.save_pretrained(folder)


__all__ = [
    "TASKS",
    "convert_original_checkpoint",
    "convert_original_task_checkpoint",
    "export_original_checkpoint",
]
