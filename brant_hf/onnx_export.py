"""Checkpoints as ONNX files, which run in ONNX Runtime without PyTorch and say themselves how to use them."""

from __future__ import annotations

import copy
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .checkpoints import load_detector, load_feature_extractor, read_config, refuse, saved_class
from .detection.detector import check_extractor
from .detection.embedding import encoder_and_extractor
from .detection.facts import weights_sha256
from .detection.settings import DetectionSettings
from .files import SOFTWARE, StagedOutputs, has_mark, software
from .precision import precision_in_words

if TYPE_CHECKING:
    from .feature_extraction_brant import BrantFeatureExtractor
    from .modeling_brant import BrantPreTrainedModel

ONNX_SUFFIXES = (".onnx",)
# Larger weights lie in a file of their own: no ONNX file can be larger than 2 GiB.
_LARGEST_FILE = 2**30
# What `dtype="int8"` holds in 8 bits of a model in PyTorch, too.
_QUANTIZED = ("temporal_layers", "spatial_layers")
_INPUTS = (
    "input_values: normalised signal (windows, channels, samples), a whole number of patches. channel_mask: (windows, "
    "channels), false for channels without signal. Metadata: `feature_extractor` has sampling rate and normalisation, "
    "`config` the patches, the labels and, as `detection`, channels, preprocessing, overlap of windows and decision."
)


def export_onnx(
    model: BrantPreTrainedModel | str | os.PathLike | None,
    output: str | os.PathLike,
    feature_extractor: BrantFeatureExtractor | None = None,
    *,
    int8: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write a model to an ONNX file, for any number of windows and channels and of patches up to those of a window.

    The inputs of the graph are `input_values` (windows, channels, samples) float32 and `channel_mask` (windows,
    channels) bool. The output of a seizure detector is `logits` (windows, channels, patches, labels), that of any
    other model, of which the encoder is taken, `last_hidden_state` (windows, channels, patches, hidden size). The
    metadata of the file are `software`, `weights_sha256` and `precision`, and as JSON `config`, whose `detection` has
    all settings from the channels of a recording to its events, and `feature_extractor`.

    Parameters
    ----------
    model : BrantPreTrainedModel, str, os.PathLike or None
        The model, or the folder of a checkpoint, or its id on the Hub; the shipped detector if `None`.
    output : str or os.PathLike
        The `.onnx` file. Weights of more than 1 GiB lie beside it in `OUTPUT.data`, which belongs to it.
    feature_extractor : BrantFeatureExtractor or None
        That of the model; not needed for a checkpoint, which has one.
    int8 : bool
        Hold the weights of the layers in 8 bits (`onnxruntime.quantization.quantize_dynamic`). Inputs of a layer then
        have one scale for all windows of a batch, so that outputs depend a little on what else is in it.
    overwrite : bool
        Whether to replace also files that this function has not written.

    Returns
    -------
    list[Path]
        The files that were written.

    Raises
    ------
    FileExistsError
        `output` is a file that this function has not written.
    ImportError
        The packages of `brant_hf[onnx]` are missing.
    OSError
        `output` cannot be written, or there is no such checkpoint.
    ValueError
        The model has no or an unsuitable feature extractor, is quantised already, or `output` does not end in `.onnx`.
    """
    _check_packages(int8)
    target = Path(output)
    outputs = StagedOutputs(overwrite)
    staged = {target.name: outputs.add(target, suffixes=ONNX_SUFFIXES)}
    model, extractor = _model_and_extractor(model, feature_extractor)
    metadata = _metadata(model, extractor, int8)
    data = f"{target.name}.data"
    if model.num_parameters() * (1 if int8 else 4) > _LARGEST_FILE:
        staged[data] = outputs.add(target.with_name(data), lambda _: target.exists() and has_mark(target))
    with outputs, tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem[:40]}.") as folder:
        file = Path(folder, target.name)
        layers = _save_graph(model, file, has_data=data in staged or int8)
        if int8:
            _quantize(file, layers, has_data=data in staged)
        _describe(file, metadata)
        for name, temporary in staged.items():
            os.replace(Path(folder, name), temporary)
    return [target.with_name(name) for name in staged]


def _check_packages(int8: bool) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        if int8:
            import onnxruntime.quantization  # noqa: F401
    except ImportError as error:
        raise ImportError(f"writing ONNX files needs {error.name}: pip install 'brant_hf[onnx]'") from error


def _model_and_extractor(model: Any, extractor: Any) -> tuple[BrantPreTrainedModel, BrantFeatureExtractor]:
    """Return a copy of the model, or of its encoder, in fp32 on the CPU, and its feature extractor."""
    if not isinstance(model, torch.nn.Module):
        is_detector = saved_class(read_config(model)) == "BrantForSeizureDetection"
        extractor = extractor or load_feature_extractor(model)
        if is_detector:
            model = load_detector(model)
    if hasattr(model, "detection_head"):
        refuse(model)
        check_extractor(extractor, model.config)
    else:
        model, extractor = encoder_and_extractor(model, extractor)
    if precision_in_words(model) == "int8":
        raise ValueError("the model has weights in 8 bits; load it with dtype='float32' and export it with int8=True")
    model = copy.deepcopy(model)
    model.set_attn_implementation("sdpa")
    return torch.nn.Module.to(model, "cpu", torch.float32).eval(), extractor


def _metadata(model: BrantPreTrainedModel, extractor: BrantFeatureExtractor, int8: bool) -> dict[str, str]:
    config = copy.deepcopy(model.config)
    config.detection = DetectionSettings.of(config).to_dict()
    return {
        "software": software(),
        "weights_sha256": weights_sha256(model),
        "precision": "int8" if int8 else "float32",
        "config": config.to_json_string(use_diff=False),
        "feature_extractor": extractor.to_json_string(),
    }


class _Graph(torch.nn.Module):
    """A model with the inputs of its file, and one output."""

    def __init__(self, model: BrantPreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_values: torch.Tensor, channel_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_values, channel_mask=channel_mask)[0]


def _save_graph(model: BrantPreTrainedModel, file: Path, has_data: bool) -> list[str]:
    """Write the graph and its weights; return the names of the products with weights of the layers."""
    import onnx_ir

    length, patches = model.config.patch_length, model.config.num_patches
    example = torch.zeros(2, 3, min(2, patches) * length), torch.ones(2, 3, dtype=torch.bool)
    windows, channels = torch.export.Dim("windows", min=1), torch.export.Dim("channels", min=1)
    samples = length * torch.export.Dim("patches", min=1, max=patches) if patches > 1 else None
    with _quiet():
        program: Any = torch.onnx.export(
            _Graph(model).eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=["input_values", "channel_mask"],
            output_names=["logits" if hasattr(model, "detection_head") else "last_hidden_state"],
            dynamic_shapes={
                "input_values": {0: windows, 1: channels, 2: samples},
                "channel_mask": {0: windows, 1: channels},
            },
        )
    products = [node for node in program.model.graph if node.op_type in ("MatMul", "Gemm")]
    layers = [
        node.name
        for node in products
        if any(each in _place(node) for each in _QUANTIZED) and node.inputs[1].is_initializer()
    ]
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # places in the files of this machine
    onnx_ir.save(program.model, file, external_data=f"{file.name}.data" if has_data else None)
    return layers


def _place(node: Any) -> str:
    """Modules that a node comes from."""
    return str(node.metadata_props.get("namespace", ""))


def _quantize(file: Path, layers: list[str], has_data: bool) -> None:
    """Replace a file by one with these products in 8 bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    exact = file.rename(file.with_name(f"exact{file.suffix}"))
    with _quiet():
        quantize_dynamic(
            exact,
            file,
            per_channel=True,
            # Products of two numbers of 8 bits overflow where a CPU adds two of them in 16, which many do.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=layers,
            use_external_data_format=has_data,
        )


def _describe(file: Path, metadata: dict[str, str]) -> None:
    """Write into the file what it is."""
    import onnx

    proto = onnx.load(file, load_external_data=False)
    proto.producer_name, proto.producer_version = SOFTWARE, metadata["software"].removeprefix(f"{SOFTWARE} ")
    proto.doc_string = _INPUTS
    onnx.helper.set_model_props(proto, metadata)
    onnx.save(proto, file)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep advice to developers off standard error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*axis name")  # two inputs have the same channels
            yield
    finally:
        logging.disable(before)
