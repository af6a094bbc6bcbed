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
"""Brant with the weights of its layers in 8 bits, for CPUs."""

from typing import Any

import torch
from torch import nn

_WEIGHT_LEVELS = 127
# 7 bits: without VNNI instructions two products of 8 bits are added in 16, which do not hold them. So the products are
# exact, and a model says the same on every CPU.
_INPUT_LEVELS = 127
_SMALLEST_STEP = 1e-12


class Int8Linear(nn.Module):
    """A linear layer with one scale for each output and, made anew for each input, for each row of it.

    Libraries do it otherwise: `torch.ao.quantization`, which is deprecated, has one scale for all rows of a batch, and
    torchao multiplies with `torch._int_mm`, which takes 60 times the time of fp32 on a CPU without VNNI.

    Rows are quantised on their own between their minimum and maximum, so what a window gives does not depend on the
    others of its batch, nor on padded channels.

    Args:
        linear (`torch.nn.Linear`):
            Layer to take the weights of.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach().float()
        scale = (weight.abs().amax(dim=1) / _WEIGHT_LEVELS).clamp(min=_SMALLEST_STEP)
        integers = (weight / scale[:, None]).round().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(integers, None)
        bias = torch.zeros_like(scale) if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", torch.zeros(self.out_features, dtype=torch.int64), persistent=False)
        # What a row adds whose values are all 1, and the bias: factors of the minimum of a row and of 1.
        self.register_buffer("offsets", torch.stack((integers.float().sum(dim=1) * scale, bias)))

    def integers(self) -> torch.Tensor:
        """The weights divided by `scale`, of shape `(out_features, in_features)`."""
        return self._packed.to_dense().T.contiguous()

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and hidden_states.requires_grad:
            raise ValueError('A model with dtype="int8" cannot be trained; load it with dtype="float32".')
        rows = hidden_states.reshape(-1, self.in_features).float()
        low = rows.amin(dim=1, keepdim=True)
        step = ((rows.amax(dim=1, keepdim=True) - low) / _INPUT_LEVELS).clamp(min=_SMALLEST_STEP)
        # The conversion cuts off the fraction: half a step makes rounding of it.
        quantized = torch.addcmul(0.5 - low / step, rows, 1 / step).to(torch.uint8)
        products = torch.ops.onednn.qlinear_pointwise(
            quantized, 1.0, 0, self._packed, self.scale, self.zero_point, None, 1.0, 0, torch.float32, "none", [], ""
        )
        output = products.mul_(step).addmm_(torch.cat((low, torch.ones_like(low)), dim=1), self.offsets)
        return output.to(hidden_states.dtype).unflatten(0, hidden_states.shape[:-1])

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}integers"] = self.integers()

    # The packed weights can be neither copied nor sent to another process.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": self.integers()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_packed": torch.ops.onednn.qlinear_prepack(state["_packed"], None)})


def to_int8(model: Any) -> Any:
    """Hold the weights of the temporal and spatial layers in 8 bits, which makes a large model faster on a CPU.

    These are 99 % of the weights of the published model. Embeddings, norms and heads work in fp32.

    Args:
        model (`BrantPreTrainedModel`):
            Model on a CPU. It is changed.

    Returns:
        `model`, in evaluation mode. It can be neither trained nor saved.

    Raises:
        ValueError: The model is on another device, or this PyTorch has no oneDNN.
    """
    if model.device.type != "cpu":
        raise ValueError(f'dtype is "int8", which works on a CPU, and the device is {model.device}; use "bfloat16".')
    if not torch.backends.mkldnn.is_available():
        raise ValueError('dtype is "int8", which needs oneDNN, and this PyTorch has none; use "float32".')
    encoder = model.base_model
    for layer in (*encoder.temporal_layers, *encoder.spatial_layers):
        for block in list(layer.modules()):
            for name, child in list(block.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(block, name, Int8Linear(child))
    return model.float().eval().requires_grad_(False)


def is_int8(model: nn.Module) -> bool:
    """Whether `to_int8` has changed this model."""
    return any(isinstance(module, Int8Linear) for module in model.modules())
