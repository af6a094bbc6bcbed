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
"""Published Brant checkpoints (of the research code, of braindecode) to Transformers models and back."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from .conversion_report import CARD, ConversionReport, check_push, push, write_card
from .conversion_sources import (
    BRAINDECODE,
    RESEARCH,
    Layout,
    Original,
    State,
    StateDict,
    describe,
    load_pickle,
    read_original,
    read_state,
)
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

Model = TypeVar("Model", bound=BrantPreTrainedModel)

_PUBLISHED_HEADS = 16
_WRITTEN = (CONFIG_NAME, SAFE_WEIGHTS_NAME, FEATURE_EXTRACTOR_NAME, CARD)
# Where heads are put that come in a file of their own.
_HEAD = "head"
# The head that braindecode adds, over the mean of all channels and patches. It has the layers of the published one.
_POOLED_HEAD = "final_layer"
_POOLED_HEAD_KEYS = [f"{_POOLED_HEAD}.mlp.{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")]
_POOLED_HEAD_NOTE = (
    f"{_POOLED_HEAD}: trained, if at all, on the mean over all channels and patches, and applied to each patch here; "
    "fine-tune it"
)
# Field of braindecode -> field of BrantConfig, for what the tensors tell too.
_BRAINDECODE_FIELDS = {
    "patch_size": "patch_length",
    "embed_dim": "hidden_size",
    "ffn_dim": "intermediate_size",
    "temporal_n_layers": "num_temporal_layers",
    "spatial_n_layers": "num_spatial_layers",
    "n_freq_bands": "num_bands",
    "n_outputs": "num_labels",
}
_PUBLISHED_SAMPLING_RATE = 250


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
    source: State | None = None,
    channel_encoder: State | None = None,
    output_dir: str | os.PathLike | None = None,
    *,
    time_encoder: State | None = None,
    task: str | None = None,
    revision: str | None = None,
    num_attention_heads: int | None = None,
    verify: bool = False,
    overwrite: bool = False,
    push_to_hub: str | None = None,
    private: bool = True,
    **config_overrides: Any,
) -> BrantPreTrainedModel:
    """Convert a published pre-training checkpoint, wherever it is.

    Args:
        source (`str`, `os.PathLike` or a state dict):
            Id on the Hub (`"braindecode/brant-pretrained"`), folder, `.safetensors`, `.zip`, or the temporal encoder
            (published as `time_encoder.pt`), keys with or without the prefix `module.`.
        channel_encoder (`str`, `os.PathLike` or a state dict, *optional*):
            Spatial encoder and reconstruction (published as `channel_encoder.pt`), where `source` is the temporal
            encoder alone.
        output_dir (`str` or `os.PathLike`, *optional*):
            Folder to write the model, a feature extractor and a model card to. Nothing is written when the conversion
            fails. The normalisation of the published training data is not known: the feature extractor passes
            microvolts as they are.
        time_encoder (*optional*):
            The same as `source`.
        task (`str`, *optional*):
            `"seizure"` converts the head that braindecode adds, too. It is left out otherwise.
        revision (`str`, *optional*):
            Commit, branch or tag on the Hub.
        num_attention_heads (`int`, *optional*):
            Number of attention heads, which no tensor tells: another one computes something else with the same
            weights. When absent it is that of the `config.json` beside the weights, or 16 as in all published sizes;
            needed for a `hidden_size` that is none of these.
        verify (`bool`, *optional*, defaults to `False`):
            Whether to export the converted weights again and compare them with the originals bit for bit.
        overwrite (`bool`, *optional*, defaults to `False`):
            Whether to replace a checkpoint in `output_dir` and on the Hub. Other files stay.
        push_to_hub (`str`, *optional*):
            Id on the Hub to push what was written to.
        private (`bool`, *optional*, defaults to `True`):
            Whether a repository that is made for this can be seen by its owner only.
        config_overrides:
            Fields of [`BrantConfig`] that the tensors do not tell. The others are inferred.

    Returns:
        [`BrantForPreTraining`] (with a `task` the model of that) in evaluation mode, in the precision of the files.
        Its attribute `conversion` is the report: source, checksums, what was set, left out and assumed.

    Raises:
        FileExistsError: `output_dir` or the repository holds a checkpoint.
        FileNotFoundError: A file does not exist.
        OSError: There is no such model on the Hub, or no way to it.
        ValueError: A file holds anything but the tensors of a Brant checkpoint: Python objects, a missing layer, an
            unknown key, a shape that does not fit; or an override contradicts the tensors, or the number of heads is
            not known. The message names it.
    """
    if source is None:
        source = time_encoder
    if source is None:
        raise ValueError("`source` is missing: an id on the Hub, a folder or a file of published weights.")
    target = _Target(output_dir, overwrite, push_to_hub, private)
    target.check()
    original = read_original(source, channel_encoder, revision=revision)
    return target.write(*_convert_original(original, task, None, num_attention_heads, verify, config_overrides))


def convert_original_task_checkpoint(
    time_encoder: State,
    channel_encoder: State | None,
    head: str | os.PathLike | Mapping[str, Any],
    task: str,
    output_dir: str | os.PathLike | None = None,
    *,
    revision: str | None = None,
    num_attention_heads: int | None = None,
    verify: bool = False,
    overwrite: bool = False,
    push_to_hub: str | None = None,
    private: bool = True,
    **config_overrides: Any,
) -> BrantPreTrainedModel:
    """Convert the encoders and the head of a published fine-tuned checkpoint.

    Args:
        time_encoder, channel_encoder:
            The encoders, see [`convert_original_checkpoint`]; `None` for the second where the first is a source of
            both. The reconstruction (`proj_out`) is not part of a task model; it may be there or not.
        head (`str`, `os.PathLike` or a mapping):
            State dict of the head, or a mapping from the names of heads (`"seizure"`, `"imputation"`,
            `"forecast_short"`, `"forecast_long"`, `"frequency"`, `"phase"`) to state dicts. `"frequency_phase"` has
            two heads and needs the latter.
        task (`str`):
            `"seizure"`, `"imputation"`, `"forecast_short"`, `"forecast_long"` or `"frequency_phase"`.
        output_dir, revision, num_attention_heads, verify, overwrite, push_to_hub, private, config_overrides:
            See [`convert_original_checkpoint`].

    Returns:
        The task model in evaluation mode; the horizon and the number of labels come from the head.

    Raises:
        FileExistsError: `output_dir` or the repository holds a checkpoint.
        FileNotFoundError: A file does not exist.
        ValueError: `task` is unknown, or a file holds anything but the tensors of a Brant checkpoint of this task.
    """
    _check_task(task)
    target = _Target(output_dir, overwrite, push_to_hub, private)
    target.check()
    original = read_original(time_encoder, channel_encoder, revision=revision)
    return target.write(*_convert_original(original, task, head, num_attention_heads, verify, config_overrides))


def export_original_checkpoint(model: BrantPreTrainedModel) -> tuple[StateDict, StateDict]:
    """State dicts of the temporal and the spatial encoder as the published code names them.

    Args:
        model ([`BrantForPreTraining`]):
            Any pre-training model, converted or not.

    Returns:
        The contents of `time_encoder.pt` and of `channel_encoder.pt`, without the prefix `module.`.
    """
    originals = dict(_exported(model, RESEARCH, _reconstruction(RESEARCH)))
    time_encoder, channel_encoder = (
        {key.removeprefix(f"{part}."): tensor for key, tensor in originals.items() if key.startswith(part)}
        for part in (RESEARCH.time, RESEARCH.channel)
    )
    return time_encoder, channel_encoder


class _Target(NamedTuple):
    """Where a converted checkpoint goes."""

    folder: str | os.PathLike | None
    overwrite: bool
    repository: str | None
    private: bool

    def check(self) -> None:
        """Refuse what cannot be written, before anything is read."""
        if self.folder is not None:
            check_folder(self.folder, _WRITTEN, self.overwrite)
        if self.repository is not None:
            if self.folder is None:
                raise ValueError("`push_to_hub` needs `output_dir`, the folder whose files are pushed.")
            check_push(self.repository, self.overwrite)

    def write(self, model: Any, report: ConversionReport) -> BrantPreTrainedModel:
        model.conversion = report
        if self.folder is None:
            return model
        config = model.config
        feature_extractor = BrantFeatureExtractor(
            config.sampling_rate, config.patch_length, config.num_patches, normalize="none"
        )
        with replacing_folder(self.folder, self.overwrite) as folder:
            model.save_pretrained(folder)
            feature_extractor.save_pretrained(folder)
            write_card(folder / CARD, model, report, Path(self.folder).resolve().name)
            names = [path.name for path in folder.iterdir()]
        if self.repository is not None:
            report.pushed_to = push(self.folder, names, self.repository, self.private)
        return model


def _convert_original(
    original: Original,
    task: str | None,
    head: str | os.PathLike | Mapping[str, Any] | None,
    num_attention_heads: int | None,
    verify: bool,
    overrides: Mapping[str, Any],
) -> tuple[BrantPreTrainedModel, ConversionReport]:
    report = ConversionReport(original, verified=verify)
    layout, tensors = original.layout, dict(original.tensors)
    report.added = _add_mask_encodings(tensors, layout)
    pooled_head = _take_pooled_head(tensors) if layout is BRAINDECODE else {}
    if task is None:
        model_class: type[BrantPreTrainedModel] = BrantForPreTraining
        renamings, fields = _reconstruction(layout), dict(overrides)
        report.left_out = list(pooled_head)
    else:
        heads, renamings = _heads(task, head, pooled_head, original, report)
        report.left_out = [key for key in tensors if key.startswith(f"{layout.channel}.proj_out.")]
        report.left_out += [key for key in pooled_head if key not in heads]
        tensors = {key: tensor for key, tensor in tensors.items() if key not in report.left_out}
        model_class = _TASKS[task].model_class
        fields = {**_TASKS[task].defaults, **overrides, **_infer_head_fields(heads, task, overrides)}
        tensors |= heads
    config = _infer_config(tensors, original, num_attention_heads, fields, report)
    original.tensors = {}  # they are the weights now, and stay no longer than these
    return _convert(model_class, config, layout, tensors, renamings, verify), report


def _reconstruction(layout: Layout) -> dict[str, str]:
    return {f"{layout.channel}.proj_out.0": "reconstruction_head"}


def _add_mask_encodings(tensors: StateDict, layout: Layout) -> list[str]:
    """Add both mask encodings, zeros as published, to weights of braindecode, which leaves them out."""
    embedding = f"{layout.time}.input_embedding"
    names = [f"{embedding}.{name}" for name in ("mask_encoding", "power_mask_encoding")]
    if layout is RESEARCH or any(name in tensors for name in names):
        return []
    projection = _tensor(tensors, f"{embedding}.proj.0.weight", num_dims=2)
    for name, size in zip(names, reversed(projection.shape), strict=True):
        tensors[name] = projection.new_zeros(size)
    return names


def _take_pooled_head(tensors: StateDict) -> StateDict:
    """Take the head of braindecode out of `tensors`, complete or absent."""
    head = {key: tensors.pop(key) for key in list(tensors) if key.startswith(f"{_POOLED_HEAD}.")}
    if head:
        _check_keys(head, _POOLED_HEAD_KEYS)
    return head


def _heads(
    task: str,
    head: str | os.PathLike | Mapping[str, Any] | None,
    pooled_head: StateDict,
    original: Original,
    report: ConversionReport,
) -> tuple[StateDict, dict[str, str]]:
    """Tensors of all heads of a task, and their names in the model."""
    _check_task(task)
    if head is not None:
        heads = {f"{_HEAD}.{key}": tensor for key, tensor in _read_heads(head, task).items()}
        return heads, {
            f"{_HEAD}.{name}.{source}".rstrip("."): target
            for name, renaming in _TASKS[task].heads.items()
            for source, target in renaming.items()
        }
    if not pooled_head or task != "seizure":
        raise ValueError(f"{original.source} holds no head for the task {task!r}: pass one (`head`, --head HEAD.pt).")
    activation = str(original.fields.get("activation", "ReLU")).rpartition(".")[2]
    if activation != "ReLU":
        raise ValueError(f"The head of {original.source} has the activation {activation}; only ReLU can be converted.")
    report.notes.append(_POOLED_HEAD_NOTE)
    return pooled_head, {f"{_POOLED_HEAD}.{old}": new for old, new in _TASKS[task].heads["seizure"].items()}


def _check_task(task: str) -> None:
    if task not in _TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}, got {task!r}.")


def _read_heads(source: str | os.PathLike | Mapping[str, Any], task: str) -> StateDict:
    """Tensors of all heads of a task, named `<head>.<key>`."""
    origin = "head"
    if not isinstance(source, Mapping):
        origin = f"head {source}"
        source = load_pickle(Path(source), origin)
    names = list(_TASKS[task].heads)
    if isinstance(source, Mapping) and not any(isinstance(value, Mapping) for value in source.values()):
        if len(names) > 1:
            raise ValueError(f"The {origin} must hold the heads {' and '.join(names)}, got {describe(source)}.")
        source = {names[0]: source}
    if not isinstance(source, Mapping) or not set(names) <= set(source):
        raise ValueError(f"The {origin} must hold the head {' and '.join(names)}, got {describe(source)}.")
    return {
        f"{name}.{key}": tensor
        for name in names
        for key, tensor in read_state(source[name], f"{origin} {name}").items()
    }


def _infer_head_fields(heads: StateDict, task: str, overrides: Mapping[str, Any]) -> dict[str, int]:
    inferred = _TASKS[task].inferred
    if inferred is None:
        return {}
    field, key = inferred
    named = {re.sub(rf"^{_POOLED_HEAD}\.", f"{task}.", each.removeprefix(f"{_HEAD}.")): heads[each] for each in heads}
    value = _tensor(named, key, num_dims=2).shape[0]
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


def _infer_config(
    tensors: StateDict,
    original: Original,
    num_attention_heads: int | None,
    overrides: Mapping[str, Any],
    report: ConversionReport,
) -> BrantConfig:
    """Configuration that the shapes, the number of layers and the `config.json` of the source tell."""
    layout, fields = original.layout, original.fields
    embedding = f"{layout.time}.input_embedding"
    num_patches, hidden_size = _tensor(tensors, f"{embedding}.positional_encoding", 2).shape
    mask_patch = _tensor(tensors, f"{embedding}.mask_encoding", 1)
    mask_power = _tensor(tensors, f"{embedding}.power_mask_encoding", 1)
    inferred = {
        "hidden_size": hidden_size,
        "num_patches": num_patches,
        "patch_length": mask_patch.shape[0],
        "intermediate_size": _tensor(tensors, f"{layout.time}.trans_enc.layers.0.linear1.weight", 2).shape[0],
        "num_temporal_layers": _count_layers(tensors, layout.time),
        "num_spatial_layers": _count_layers(tensors, layout.channel),
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
    heads = _number_of_heads(hidden_size, num_attention_heads, original, report)
    stated = _stated_fields(fields, overrides, report) if layout is BRAINDECODE else {}
    config = BrantConfig(num_attention_heads=heads, **{**stated, **overrides, **inferred})
    config.dtype = mask_patch.dtype
    num_bands = _tensor(tensors, f"{embedding}.band_encoding", 2).shape[0]
    if num_bands != config.num_bands:
        raise ValueError(
            f"The checkpoint has {num_bands} frequency bands, which need {num_bands + 1} `band_edges` in Hz, got "
            f"{config.band_edges}."
        )
    _check_fields(fields, config, has_head=any(key.startswith(f"{_POOLED_HEAD}.") for key in tensors))
    return config


def _stated_fields(
    fields: Mapping[str, Any], overrides: Mapping[str, Any], report: ConversionReport
) -> dict[str, Any]:
    """Fields of BrantConfig that the configuration of braindecode tells, and the tensors do not."""
    stated = {"sampling_rate": fields.get("sfreq"), "hidden_dropout": fields.get("drop_prob")}
    stated["attention_dropout"] = stated["hidden_dropout"]
    rate = stated["sampling_rate"]
    if isinstance(rate, float) and rate.is_integer():
        rate = stated["sampling_rate"] = int(rate)
    default = BrantConfig.band_power_sampling_rate
    if "band_power_sampling_rate" not in overrides:
        # braindecode computes it with the rate of the data. The published weights, at 250 Hz, were trained otherwise.
        if rate not in (None, _PUBLISHED_SAMPLING_RATE):
            stated["band_power_sampling_rate"] = rate
            note = f"band power at {rate} Hz, the rate of the data, as braindecode computes it"
        else:
            note = f"band power at {default} Hz, as in the published code; braindecode takes the rate of the data"
        report.assumed.append(note)
    return {name: value for name, value in stated.items() if value is not None}


def _check_fields(fields: Mapping[str, Any], config: BrantConfig, has_head: bool) -> None:
    """Compare the `config.json` of braindecode with what the tensors tell."""
    told = {theirs: getattr(config, ours) for theirs, ours in _BRAINDECODE_FIELDS.items()}
    told["n_times"] = config.num_patches * config.patch_length
    if not has_head:
        del told["n_outputs"]
    for name, value in told.items():
        stated = fields.get(name)
        if name == "n_times" and isinstance(stated, int):
            stated -= stated % config.patch_length  # samples after the last patch are not used
        if stated is not None and stated != value:
            raise ValueError(f"config.json has {name} {fields[name]}, the weights beside it have {value}.")


def _number_of_heads(hidden_size: int, given: int | None, original: Original, report: ConversionReport) -> int:
    """Number of attention heads: as given, as the source states, or that of the published models of this size."""
    stated = original.fields.get("n_heads")
    if stated is not None and given not in (None, stated):
        raise ValueError(f"config.json has n_heads {stated}, got num_attention_heads={given}.")
    if given is None:
        given = stated
    if given is not None:
        return given
    published = [size["hidden_size"] for size in PUBLISHED_SIZES.values()]
    if hidden_size not in published:
        raise ValueError(
            f"`hidden_size` is {hidden_size}, none of the published sizes {', '.join(map(str, published))}, which "
            f"have {_PUBLISHED_HEADS} attention heads: pass `num_attention_heads` (`--num-attention-heads`), since "
            "no tensor tells it and another number computes something else."
        )
    report.assumed.append(f"{_PUBLISHED_HEADS} attention heads, as in the published models")
    return _PUBLISHED_HEADS


def _count_layers(originals: StateDict, part: str) -> int:
    matches = (re.match(rf"{part}\.trans_enc\.layers\.(\d{{1,4}})\.", key) for key in originals)
    numbers = sorted({int(match[1]) for match in matches if match})
    if numbers != list(range(len(numbers))):
        raise ValueError(f"The layers of `{part}` must be numbered from 0 without a gap, got {numbers}.")
    return len(numbers)


def _encoder_renamings(layout: Layout) -> dict[str, str]:
    """Published name -> name in the Transformers model; each tensor passes all of these in order."""
    return {
        f"{layout.time}.input_embedding.band_encoding": "brant.embeddings.band_embeddings",
        f"{layout.time}.input_embedding.positional_encoding": "brant.embeddings.position_embeddings",
        f"{layout.time}.input_embedding.mask_encoding": "brant.embeddings.mask_token",
        f"{layout.time}.input_embedding.power_mask_encoding": "brant.embeddings.band_power_mask_token",
        f"{layout.time}.input_embedding.proj.0": "brant.embeddings.projection",
        f"{layout.time}.trans_enc.layers": "brant.temporal_layers",
        f"{layout.channel}.trans_enc.layers": "brant.spatial_layers",
        "self_attn.out_proj": "attention.o_proj",
        "linear1": "mlp.fc1",
        "linear2": "mlp.fc2",
        "norm1": "attention_norm",
        "norm2": "mlp_norm",
    }


def _weight_mapping(layout: Layout, head_renamings: Mapping[str, str]) -> list[WeightTransform]:
    """The conversion in the terms of transformers, which can revert it too."""
    renamings = {**_encoder_renamings(layout), **head_renamings}
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
    layout: Layout,
    tensors: StateDict,
    head_renamings: Mapping[str, str],
    verify: bool,
) -> Model:
    dtypes = {tensor.dtype for tensor in tensors.values()}
    dtype = next(iter(dtypes))
    if len(dtypes) > 1 or not dtype.is_floating_point:
        names = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(f"All tensors of a checkpoint must have one floating point type, got {names}.")
    with torch.device("meta"):
        model: Any = model_class(config)
        model.to(dtype)
    _check_tensors(tensors, dict(_exported(model, layout, head_renamings)))
    bits = {key: _bits(tensor) for key, tensor in tensors.items()} if verify else {}

    # The tensors become the weights, and are dropped from their mapping: nothing is there twice.
    load_config = LoadStateDictConfig(weight_mapping=_weight_mapping(layout, head_renamings), dtype=dtype)  # type: ignore[arg-type]
    loading_info, _ = convert_and_load_state_dict_in_model(model, tensors, load_config)
    problems = loading_info.missing_keys | loading_info.unexpected_keys | loading_info.mismatched_keys
    if problems or loading_info.conversion_errors:
        raise ValueError(f"The checkpoint was not converted completely: {sorted(map(str, problems))}.")
    # Query, key and value are parts of one tensor each, which saving would copy, all of them at once.
    tensors.clear()
    for parameter in model.parameters():
        if parameter.untyped_storage().nbytes() > parameter.nbytes:
            parameter.data = parameter.data.clone()
    # The model is saved with its own names, not with the published ones.
    del model._weight_conversions
    model.freeze_mask_tokens()
    for key, tensor in _exported(model, layout, head_renamings) if verify else ():
        if _bits(tensor) != bits.pop(key):
            raise ValueError(f"`{key}` is not the same after the conversion and back.")
    return model.eval()


def _exported(model: Any, layout: Layout, head_renamings: Mapping[str, str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors under their published names, made one layer at a time: query, key and value become copies in one."""
    layers: dict[str, StateDict] = {}
    for key, tensor in model.state_dict().items():
        layer = re.match(r".*_layers\.\d+\.", key)
        layers.setdefault(layer[0] if layer else "", {})[key] = tensor
    for state_dict in layers.values():
        model._weight_conversions = _weight_mapping(layout, head_renamings)
        try:
            exported = revert_weight_conversion(model, state_dict)
        finally:
            del model._weight_conversions
        yield from exported.items()


def _check_keys(tensors: Mapping[str, torch.Tensor], expected: Any) -> None:
    missing = [key for key in expected if key not in tensors]
    unknown = [key for key in tensors if key not in expected]
    for what, found in (("lacks", missing), ("has unknown keys:", unknown)):
        if found:
            raise ValueError(f"The checkpoint {what} {listed(found)}.")


def _check_tensors(tensors: StateDict, expected: StateDict) -> None:
    """Compare keys and shapes with those of the model; both directions are strict."""
    _check_keys(tensors, expected)
    wrong = [
        f"{key} has shape {tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
        for key, tensor in tensors.items()
        if tensor.shape != expected[key].shape
    ]
    if wrong:
        raise ValueError(f"The checkpoint does not fit together: {listed(wrong)}.")


def _bits(tensor: torch.Tensor) -> tuple[torch.dtype, str]:
    """What is the same for tensors with the same bits."""
    content = tensor.contiguous().flatten().view(torch.uint8).numpy()
    return tensor.dtype, hashlib.sha256(content.data).hexdigest()


__all__ = [
    "TASKS",
    "convert_original_checkpoint",
    "convert_original_task_checkpoint",
    "export_original_checkpoint",
]
