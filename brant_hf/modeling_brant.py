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
"""PyTorch Brant model (Zhang et al., "Brant: Foundation Model for Intracranial Neural Signal", NeurIPS 2023)."""

import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import ModelOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import CONFIG_NAME, TransformersKwargs, auto_docstring, can_return_tuple, logging, strtobool
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_brant import FOREIGN_KEYS, BrantConfig, how_to_convert, is_weights_file
from .quantization_brant import is_int8, to_int8

logger = logging.get_logger(__name__)

# No normalisation of `BrantFeatureExtractor` leaves most channels with a larger standard deviation.
_LARGEST_NORMALIZED_STD = 5.0

# What `auto_map` of a saved config lists, so that the saved code serves every class. A class for which transformers
# has no auto class is listed under its own name.
_AUTO_MAP = {
    "AutoConfig": "configuration_brant.BrantConfig",
    "AutoModel": "modeling_brant.BrantModel",
    "AutoModelForPreTraining": "modeling_brant.BrantForPreTraining",
    "AutoModelForTimeSeriesPrediction": "modeling_brant.BrantForForecasting",
    "AutoModelForTokenClassification": "modeling_brant.BrantForSeizureDetection",
    "BrantForFrequencyPhaseForecasting": "modeling_brant.BrantForFrequencyPhaseForecasting",
    "BrantForImputation": "modeling_brant.BrantForImputation",
}


def _mend_references(forward: Callable) -> Callable:
    """Name the classes that `auto_docstring` does not find for models outside of transformers."""
    for found, meant in (("[`None`]", "[`BrantConfig`]"), ("[`Module`]", "[`torch.nn.Module`]")):
        forward.__doc__ = (forward.__doc__ or "").replace(found, meant)
    return forward


@auto_docstring(
    custom_intro="""
    What [`BrantModel`] returns.
    """
)
@dataclass
class BrantModelOutput(ModelOutput):
    r"""
    last_hidden_state (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, hidden_size)`):
        Embedding of every patch.
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        The patch embedding and the output of every temporal and spatial layer, each of shape `(batch_size,
        num_channels, num_patches, hidden_size)`.
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        Attention weights of every temporal layer, of shape `(batch_size, num_channels, num_heads, num_patches,
        num_patches)`.
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        Attention weights of every spatial layer, of shape `(batch_size, num_patches, num_heads, num_channels,
        num_channels)`.
    """

    last_hidden_state: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


@auto_docstring(
    custom_intro="""
    What [`BrantForPreTraining`] returns.
    """
)
@dataclass
class BrantForPreTrainingOutput(ModelOutput):
    r"""
    loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
        Mean squared error of the reconstruction.
    reconstruction (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
        Reconstructed signal.
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    """

    loss: torch.FloatTensor | None = None
    reconstruction: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


@auto_docstring(
    custom_intro="""
    What [`BrantForForecasting`] returns.
    """
)
@dataclass
class BrantForForecastingOutput(ModelOutput):
    r"""
    loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Mean squared error of the forecast.
    prediction_outputs (`torch.FloatTensor` of shape `(batch_size, num_channels, prediction_length)`):
        Forecast of the samples that follow the window.
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    """

    loss: torch.FloatTensor | None = None
    prediction_outputs: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


@auto_docstring(
    custom_intro="""
    What [`BrantForFrequencyPhaseForecasting`] returns.
    """
)
@dataclass
class BrantForFrequencyPhaseForecastingOutput(ModelOutput):
    r"""
    loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Sum of `frequency_loss` and `phase_loss`.
    frequency (`torch.FloatTensor` of shape `(batch_size, num_channels)`):
        Dominant frequency of the horizon in cycles per sample.
    phase (`torch.FloatTensor` of shape `(batch_size, num_channels, prediction_length)`):
        Instantaneous phase of the horizon, z-scored over the horizon.
    frequency_loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Mean squared error of the frequency.
    phase_loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Mean squared error of the phase.
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    """

    loss: torch.FloatTensor | None = None
    frequency: torch.FloatTensor | None = None
    phase: torch.FloatTensor | None = None
    frequency_loss: torch.FloatTensor | None = None
    phase_loss: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


@auto_docstring(
    custom_intro="""
    What [`BrantForImputation`] returns.
    """
)
@dataclass
class BrantForImputationOutput(ModelOutput):
    r"""
    loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Mean squared error over the missing samples.
    reconstruction (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
        Reconstruction of all samples.
    imputed_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
        Observed samples as they were given, missing samples from `reconstruction`.
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    """

    loss: torch.FloatTensor | None = None
    reconstruction: torch.FloatTensor | None = None
    imputed_values: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


@auto_docstring(
    custom_intro="""
    What [`BrantForSeizureDetection`] returns.
    """
)
@dataclass
class BrantForSeizureDetectionOutput(ModelOutput):
    r"""
    loss (`torch.FloatTensor` of shape `(1,)`, *optional*, returned when `labels` is provided):
        Cross-entropy over the labelled patches.
    logits (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_labels)`):
        Classification scores of every patch (before the softmax).
    hidden_states (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    temporal_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    spatial_attentions (`tuple(torch.FloatTensor)`, *optional*):
        See [`~brant_hf.modeling_brant.BrantModelOutput`].
    """

    loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    temporal_attentions: tuple[torch.FloatTensor, ...] | None = None
    spatial_attentions: tuple[torch.FloatTensor, ...] | None = None


def compute_band_power(
    patches: torch.Tensor, sampling_rate: float, band_edges: list[float] | tuple[float, ...]
) -> torch.Tensor:
    """Log band power of patches, as in the published preprocessing.

    The power of a band is the sum of the bins of a one-sided periodogram (constant detrend, boxcar window, density
    scaling: the defaults of `scipy.signal.periodogram`) above its lower edge and up to and including its upper edge.

    Args:
        patches (`torch.Tensor` of shape `(..., patch_length)`):
            Signal. It is transformed in fp32 (fp64 stays fp64), whatever precision the model runs in.
        sampling_rate (`float`):
            Sampling rate in Hz that the frequency axis assumes.
        band_edges (`list[float]`):
            Increasing edges in Hz of K bands, K + 1 values.

    Returns:
        `torch.Tensor` of shape `(..., K)`: `log10(1 + power)`.
    """
    length = patches.shape[-1]
    num_bins = length // 2 + 1
    patches = patches.double() if patches.dtype == torch.float64 else patches.float()
    spectrum = torch.fft.rfft(patches - patches.mean(dim=-1, keepdim=True))
    # Each bin stands for two of the full spectrum, but not frequency 0 and, of an even length, the Nyquist frequency.
    weights = torch.full((num_bins,), 2 / (sampling_rate * length), dtype=patches.dtype, device=patches.device)
    weights[0] /= 2
    if length % 2 == 0:
        weights[-1] /= 2
    power = (spectrum.real.square() + spectrum.imag.square()) * weights
    bins = [_count_bins_up_to(edge, sampling_rate, length) for edge in band_edges]
    bands = [power[..., start:stop].sum(dim=-1) for start, stop in pairwise(bins)]
    return torch.log10(1 + torch.stack(bands, dim=-1))


def _count_bins_up_to(frequency: float, sampling_rate: float, length: int) -> int:
    """Number of bins of a one-sided spectrum at or below `frequency`, whose frequencies round as those of NumPy do."""
    num_bins = length // 2 + 1
    spacing = 1.0 / (length * (1.0 / sampling_rate))
    count = min(int(frequency / spacing), num_bins)
    while count < num_bins and count * spacing <= frequency:
        count += 1
    while count > 0 and (count - 1) * spacing > frequency:
        count -= 1
    return count


def instantaneous_phase(signal: torch.Tensor) -> torch.Tensor:
    """Angle of the analytic signal, equal to `numpy.angle(scipy.signal.hilbert(signal))`.

    Args:
        signal (`torch.Tensor` of shape `(..., num_samples)`):
            Real signal.

    Returns:
        `torch.Tensor` of the same shape, in radians.
    """
    length = signal.shape[-1]
    spectrum = torch.fft.fft(signal)
    # The analytic signal has no negative frequencies; the positive ones count twice.
    weights = torch.zeros(length, dtype=signal.dtype, device=signal.device)
    weights[: length // 2 + 1] = 1
    weights[1 : (length + 1) // 2] = 2
    return torch.fft.ifft(spectrum * weights).angle()


def dominant_frequency(signal: torch.Tensor) -> torch.Tensor:
    """Frequency of the largest magnitude of the Fourier transform, as the published fine-tuning code takes it.

    Args:
        signal (`torch.Tensor` of shape `(..., num_samples)`):
            Real signal.

    Returns:
        `torch.Tensor` of shape `(...)`: cycles per sample with the sign of `numpy.fft.fftfreq`, which is negative for
        the Nyquist frequency of an even number of samples only.
    """
    length = signal.shape[-1]
    peak = torch.fft.rfft(signal).abs().argmax(dim=-1)
    return torch.fft.fftfreq(length, device=signal.device, dtype=signal.dtype)[peak]


def _phase_target(signal: torch.Tensor) -> torch.Tensor:
    """Instantaneous phase of the horizon, z-scored over the horizon of each channel (published fine-tuning code)."""
    phase = instantaneous_phase(signal)
    # A constant horizon has a constant phase.
    scale = phase.std(dim=-1, keepdim=True).clamp(min=torch.finfo(phase.dtype).eps)
    return (phase - phase.mean(dim=-1, keepdim=True)) / scale


def _mean_squared_error(predicted: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Mean squared error in fp32 where `mask` is true, on the device of `predicted`."""
    target = target.to(predicted.device, torch.float32)
    if mask is not None:
        # Filling the errors would not be enough: the gradient of the square of NaN is NaN, counted or not.
        target = torch.where(mask.to(predicted.device), target, 0)
    return _masked_mean((predicted.float() - target).square(), mask)


def _masked_mean(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Mean of `values` where `mask` (same shape or broadcastable) is true; 0 where it is nowhere true."""
    if mask is None:
        return values.mean()
    mask = mask.to(values.device).expand_as(values)
    return values.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


def _interpolate(values: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Missing samples on the line between the observed ones beside them, in the last dimension.

    Before the first and after the last observed sample, that one stays; without any, all are 0. What stands at missing
    samples, NaN included, does not matter.
    """
    length = values.shape[-1]
    positions = torch.arange(length, device=values.device).expand_as(values)
    before = torch.where(observed, positions, -1).cummax(dim=-1).values
    after = torch.where(observed, positions, length).flip(-1).cummin(dim=-1).values.flip(-1)
    left = torch.where(before < 0, after, before).clamp(max=length - 1)
    right = torch.where(after >= length, before, after).clamp(min=0)
    share = ((positions - left) / (right - left).clamp(min=1)).to(values.dtype)
    known = values.masked_fill(~observed, 0)
    return torch.lerp(known.gather(-1, left), known.gather(-1, right), share)


def _real_channels(channel_mask: torch.Tensor | None, num_dims: int) -> torch.Tensor | None:
    """`channel_mask` as bool with `num_dims` dimensions, to broadcast over samples."""
    if channel_mask is None:
        return None
    return channel_mask.bool().reshape(*channel_mask.shape, *[1] * (num_dims - 2))


def _mask_scores(
    batch_size: int, num_channels: int, num_positions: int, device: torch.device, is_random: bool
) -> torch.Tensor:
    """Scores in [0, 1) that decide which cells are masked; the lowest are.

    Random ones in training. In evaluation a fixed hash of the channel and the position, so that an evaluation loss is
    the same at each call, for each batch size and however many padded channels a window has.
    """
    if is_random:
        return torch.rand(batch_size, num_channels, num_positions, device=device)
    channels = torch.arange(num_channels, device=device)[:, None]
    key = channels * 1_000_003 + torch.arange(num_positions, device=device)
    # Two rounds of a multiplicative 32-bit hash; the products stay below 2^63.
    for _ in range(2):
        key = ((key ^ (key >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return ((key ^ (key >> 16)).float() / 2**32).expand(batch_size, -1, -1)


def _draw_patch_mask(scores: torch.Tensor, mask_ratio: float, channel_mask: torch.Tensor | None) -> torch.Tensor:
    """Mask exactly `mask_ratio` of the real (channel, patch) cells of each window, at least one: (B, C, L) bool."""
    _, num_channels, num_patches = scores.shape
    if channel_mask is None:
        num_real = torch.full((scores.shape[0],), num_channels, device=scores.device)
    else:
        num_real = channel_mask.sum(dim=-1)
        scores = scores.masked_fill(~channel_mask[..., None], 2.0)
    num_masked = (num_real * num_patches * mask_ratio).round().clamp(min=math.ceil(mask_ratio))
    ranks = scores.flatten(1).argsort(dim=-1).argsort(dim=-1)
    return (ranks < num_masked[:, None]).view_as(scores)


def _check_shape(name: str, tensor: torch.Tensor, expected: tuple[int, ...], meaning: str) -> None:
    if tuple(tensor.shape) != expected:
        raise ValueError(f"`{name}` must have shape {expected} ({meaning}), got {tuple(tensor.shape)}.")


def _whole_labels(labels: torch.Tensor) -> torch.Tensor:
    """Return labels as integers, and raise a `ValueError` where these would be other ones.

    Only floating-point labels are looked at, and not while a graph is made, which cannot depend on values.
    """
    is_read = labels.is_floating_point() and not torch.compiler.is_compiling() and labels.device.type != "meta"
    if is_read and not torch.equal(labels, labels.round()):
        raise ValueError("`labels` must be whole numbers (a class, or -100 to be ignored), got fractions or NaN.")
    return labels.long()


def _check_inputs(
    config: BrantConfig,
    input_values: torch.Tensor,
    channel_mask: torch.Tensor | None = None,
    bool_masked_pos: torch.Tensor | None = None,
    band_power: torch.Tensor | None = None,
) -> None:
    """Raise a `ValueError` with the found and the expected shape unless the arguments of `forward` fit."""
    if not isinstance(input_values, torch.Tensor):
        raise ValueError(
            f"`input_values` must be a tensor, got {type(input_values).__name__}. `BrantFeatureExtractor` makes one "
            'with `return_tensors="pt"`.'
        )
    if input_values.ndim != 3:
        raise ValueError(
            "`input_values` must have 3 dimensions (batch_size, num_channels, num_samples), got shape "
            f"{tuple(input_values.shape)}."
        )
    if 0 in input_values.shape[:2]:
        raise ValueError(
            f"`input_values` must hold at least one window and one channel, got shape {tuple(input_values.shape)}."
        )
    batch_size, num_channels, num_samples = input_values.shape
    patch_length, max_patches = config.patch_length, config.num_patches
    num_patches = num_samples // patch_length
    if num_samples == 0 or num_samples % patch_length:
        raise ValueError(
            f"The number of samples of `input_values` must be a multiple of patch_length={patch_length}, got "
            f"{num_samples}. `BrantFeatureExtractor` pads the last patch."
        )
    if num_patches > max_patches:
        raise ValueError(
            f"`input_values` must have at most num_patches={max_patches} patches ({max_patches * patch_length} "
            f"samples), got {num_patches} patches ({num_samples} samples). Cut longer signals into windows."
        )
    cells = (batch_size, num_channels, num_patches)
    if channel_mask is not None:
        _check_shape("channel_mask", channel_mask, cells[:2], "batch_size, num_channels")
    if bool_masked_pos is not None:
        _check_shape("bool_masked_pos", bool_masked_pos, cells, "batch_size, num_channels, num_patches")
    if band_power is not None:
        expected = (*cells, config.num_bands)
        _check_shape("band_power", band_power, expected, "batch_size, num_channels, num_patches, num_bands")


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Unpack[TransformersKwargs],
) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class BrantAttention(nn.Module):
    """Multi-head self-attention over the patches of each channel or over the channels of each patch.

    Args:
        config ([`BrantConfig`]):
            Model configuration.
        axis (`str`):
            `"temporal"` (over patches) or `"spatial"` (over channels).
    """

    def __init__(self, config: BrantConfig, axis: str):
        super().__init__()
        self.config = config
        self.axis = axis
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        self.is_causal = False

        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj.ends_residual_branch = True

    def _to_sequences(self, states: torch.Tensor) -> torch.Tensor:
        """(B, C, L, D) -> (B * C, heads, L, head_dim) or (B * L, heads, C, head_dim)."""
        if self.axis == "spatial":
            states = states.transpose(1, 2)
        states = states.unflatten(-1, (-1, self.head_dim)).flatten(0, 1)
        return states.transpose(1, 2)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch_size, num_channels, num_patches, _ = hidden_states.shape
        num_sequences = num_channels if self.axis == "temporal" else num_patches

        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        attn_output, attn_weights = attention_interface(
            self,
            self._to_sequences(self.q_proj(hidden_states)),
            self._to_sequences(self.k_proj(hidden_states)),
            self._to_sequences(self.v_proj(hidden_states)),
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )

        attn_output = attn_output.flatten(2).unflatten(0, (batch_size, num_sequences))
        if self.axis == "spatial":
            attn_output = attn_output.transpose(1, 2)
        if attn_weights is not None:
            attn_weights = attn_weights.unflatten(0, (batch_size, num_sequences))
        return self.o_proj(attn_output), attn_weights


class BrantMLP(nn.Module):
    def __init__(self, config: BrantConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)
        self.fc2.ends_residual_branch = True

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.dropout(self.activation(self.fc1(hidden_states))))


class BrantLayer(GradientCheckpointingLayer):
    """Post-norm Transformer layer on (batch, channels, patches, hidden); only the attention knows the axis."""

    def __init__(self, config: BrantConfig, axis: str):
        super().__init__()
        self.attention = BrantAttention(config, axis)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = BrantMLP(config)
        self.mlp_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        attn_output, _ = self.attention(hidden_states, attention_mask, **kwargs)
        # Autocast normalises in fp32. What leaves a layer is as precise as what its products make of it: in fp32 it
        # would take twice the memory, and be cast again for each projection.
        hidden_states = self.attention_norm(hidden_states + self.dropout(attn_output)).to(attn_output.dtype)
        mlp_output = self.mlp(hidden_states)
        return self.mlp_norm(hidden_states + self.dropout(mlp_output)).to(mlp_output.dtype)


class BrantEmbeddings(nn.Module):
    """Patch embedding: projected signal + position + mixture of band embeddings (paper, section 3.1).

    `mask_token` (in signal space) replaces masked patches; `band_power_mask_token` replaces their band power
    embedding where `config.mask_band_power` asks for it. Both are in every published checkpoint.
    """

    def __init__(self, config: BrantConfig):
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.patch_length, config.hidden_size)
        self.position_embeddings = nn.Parameter(torch.empty(config.num_patches, config.hidden_size))
        self.band_embeddings = nn.Parameter(torch.empty(config.num_bands, config.hidden_size))
        self.mask_token = nn.Parameter(torch.empty(config.patch_length))
        self.band_power_mask_token = nn.Parameter(torch.empty(config.hidden_size))

    def forward(
        self,
        input_values: torch.Tensor,
        bool_masked_pos: torch.Tensor | None = None,
        band_power: torch.Tensor | None = None,
    ) -> torch.Tensor:
        dtype = self.position_embeddings.dtype
        patches = input_values.unflatten(-1, (-1, self.config.patch_length))
        if band_power is None:
            band_power = compute_band_power(patches, self.config.band_power_sampling_rate, self.config.band_edges)
        band_embeddings = torch.matmul(band_power.softmax(dim=-1).to(dtype), self.band_embeddings)

        patches = patches.to(dtype)
        if bool_masked_pos is not None:
            mask = bool_masked_pos[..., None]
            patches = torch.where(mask, self.mask_token, patches)
            # CODEPATH: published checkpoints keep the band power of masked patches, `mask_band_power` ones do not.
            if self.config.mask_band_power:
                band_embeddings = torch.where(mask, self.band_power_mask_token.to(band_embeddings), band_embeddings)
        return self.projection(patches) + self.position_embeddings[: patches.shape[2]] + band_embeddings


def _record_both_attentions(forward: Callable) -> Callable:
    """Let `output_attentions` ask for the attention weights of both encoders.

    `capture_outputs` has one flag for each recorded output (`output_temporal_attentions`, ...).
    """

    @wraps(forward)
    def wrapper(self, *args, **kwargs):
        output_attentions = kwargs.pop("output_attentions", None)
        if output_attentions is None:
            output_attentions = self.config.output_attentions
        kwargs["output_temporal_attentions"] = kwargs["output_spatial_attentions"] = output_attentions
        return_dict = kwargs.pop("return_dict", self.config.return_dict)
        outputs = forward(self, *args, return_dict=True, **kwargs)
        has_attentions = outputs.temporal_attentions or outputs.spatial_attentions
        if output_attentions and self.config.num_hidden_layers and not has_attentions:
            raise ValueError(
                "`output_attentions=True` needs an attention implementation that returns the attention weights, got "
                f"{self.config._attn_implementation!r}. Load the model with `attn_implementation='eager'` or call "
                "`model.set_attn_implementation('eager')`."
            )
        return outputs if return_dict else outputs.to_tuple()

    return wrapper


@auto_docstring
class BrantPreTrainedModel(PreTrainedModel):
    config: BrantConfig
    base_model_prefix = "brant"
    main_input_name = "input_values"
    input_modalities = ("time",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["BrantEmbeddings", "BrantLayer"]
    _input_embed_layer = "embeddings"
    # Whether `forward` masks patches, so that mask tokens can learn.
    _masks_patches = False
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {
        "hidden_states": BrantLayer,
        "temporal_attentions": OutputRecorder(BrantAttention, index=1, layer_name="temporal_layers"),
        "spatial_attentions": OutputRecorder(BrantAttention, index=1, layer_name="spatial_layers"),
    }
    # The losses are means over a batch; without this, Trainer takes `**kwargs` as a sign that the loss is divided by
    # the number of items of all accumulated batches.
    accepts_loss_kwargs = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Normal with `initializer_range`, the output projections of the residual branches smaller with depth.

        17 post-norm layers with branches as large as the residual stream need a long warm-up; with the branches
        scaled by `1 / sqrt(2 * num_layers)` all branches together start about as large as the stream they add to
        (Radford et al. 2019 for the scale).
        """
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, BrantEmbeddings):
            init.normal_(module.position_embeddings, std=std)
            init.normal_(module.band_embeddings, std=std)
            init.zeros_(module.mask_token)
            init.zeros_(module.band_power_mask_token)
        elif getattr(module, "ends_residual_branch", False):
            init.normal_(module.weight, std=std / math.sqrt(2 * self.config.num_hidden_layers))

    def post_init(self) -> None:
        super().post_init()
        self.freeze_mask_tokens()

    def freeze_mask_tokens(self) -> None:
        """Leave only those mask tokens trainable that the configuration wants trained and this model uses."""
        embeddings, learnable = self.base_model.embeddings, self.config.learnable_mask and self._masks_patches
        embeddings.mask_token.requires_grad_(learnable)
        embeddings.band_power_mask_token.requires_grad_(learnable and self.config.mask_band_power)

    def _check_trained_precision(self) -> None:
        """Refuse to train weights in fp16, where the small numbers that optimizers divide by are 0 and give NaN."""
        # These train copies in fp32, whatever the precision that they compute in.
        engines = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
        has_copies = any(strtobool(os.environ.get(engine, "false")) for engine in engines)
        if has_copies or not (self.training and torch.is_grad_enabled()):
            return
        for name, parameter in self.named_parameters():
            if parameter.requires_grad and parameter.dtype == torch.float16:
                raise ValueError(
                    f"`{type(self).__name__}` is in training with fp16 weights (`{name}`), which become NaN. Load it "
                    "with `dtype=torch.float32`, or call `model.float()`; mixed precision (`fp16=True`, `bf16=True`) "
                    "needs fp32 weights too."
                )

    def _checked_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Return `loss`, and tell where it is no number, which `Trainer` leaves out of its log."""
        self._check_trained_precision()
        if self.training and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            self.config.forget_detector()  # also where the encoder stays in evaluation mode
        if not torch.compiler.is_compiling() and loss.device.type != "meta" and not torch.isfinite(loss):
            logger.warning_once(
                f"The loss of `{type(self).__name__}` is {loss.item()}: look for NaN and infinite values in inputs, "
                "labels and weights, normalise microvolts, or lower the learning rate."
            )
        return loss

    # Overridden because `from_pretrained` only warns of an encoder with random weights, and makes every parameter
    # trainable.
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        """Load a checkpoint, see [`~transformers.PreTrainedModel.from_pretrained`] for the arguments.

        `dtype="int8"` holds the weights of the layers in 8 bits, see `to_int8`.

        Raises:
            ValueError: The checkpoint lacks weights of the encoder, which would otherwise be random. With
                `output_loading_info=True` they are listed instead. A head that the checkpoint lacks is new and
                random, with a warning, as fine-tuning needs it.
        """
        output_loading_info = kwargs.pop("output_loading_info", False)
        wants_int8 = kwargs.get("dtype") in ("int8", torch.int8)
        if wants_int8:
            kwargs["dtype"] = torch.float32
        if is_weights_file(source := str(pretrained_model_name_or_path)):
            raise ValueError(f"{source} is no folder of a checkpoint; {how_to_convert(source)}.")
        model, loading_info = super().from_pretrained(
            pretrained_model_name_or_path, *model_args, output_loading_info=True, **kwargs
        )
        random_keys = {*loading_info["missing_keys"], *(key for key, *_ in loading_info["mismatched_keys"])}
        # For who has no use for a new head.
        model.random_keys = sorted(random_keys)
        if pretrained_model_name_or_path is not None and not output_loading_info:
            if random_keys and any(key.startswith(FOREIGN_KEYS) for key in loading_info["unexpected_keys"]):
                raise ValueError(f"{source} has weights of another layout; {how_to_convert(source)}.")
            cls._check_encoder_weights(pretrained_model_name_or_path, model, random_keys)
        model.freeze_mask_tokens()
        if wants_int8:
            to_int8(model)
        return (model, loading_info) if output_loading_info else model

    @staticmethod
    def _check_encoder_weights(source, model: "BrantPreTrainedModel", random_keys: set[str]) -> None:
        encoder_keys = {name for name, _ in model.base_model.named_parameters()}
        missing = sorted(encoder_keys & {key.removeprefix(f"{model.base_model_prefix}.") for key in random_keys})
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise ValueError(
                f"{source} lacks {len(missing)} of {len(encoder_keys)} weights of the Brant encoder or has them in "
                f"another shape ({shown}); they would be random. Pass a complete checkpoint whose config.json fits "
                f"its weights; for a model with random weights write `{type(model).__name__}(config)`."
            )

    # Overridden because `auto_map` would list the saved class only.
    def save_pretrained(self, save_directory, *args, **kwargs):
        """Save weights, configuration and code, see [`~transformers.PreTrainedModel.save_pretrained`].

        With the code, `AutoModel.from_pretrained(save_directory, trust_remote_code=True)` works where `brant_hf` is
        not installed.

        Raises:
            ValueError: The weights are in 8 bits.
        """
        if is_int8(self):
            raise ValueError('A model with dtype="int8" cannot be saved; save the checkpoint that it was loaded from.')
        self.config.auto_map = dict(_AUTO_MAP)
        if pipelines := getattr(self.config, "custom_pipelines", None):
            # Not those of the folder that this model was loaded from, whose code stays behind.
            self.config.custom_pipelines = {
                task: pipeline
                for task, pipeline in pipelines.items()
                if "--" in pipeline["impl"] or Path(save_directory, f"{pipeline['impl'].split('.')[0]}.py").is_file()
            }
        super().save_pretrained(save_directory, *args, **kwargs)
        config_file = Path(save_directory) / CONFIG_NAME
        if config_file.is_file():
            # Weights are written through a temporary file, which nobody else may read; the configuration is not.
            for weights in Path(save_directory).glob("*.safetensors"):
                weights.chmod(stat.S_IMODE(config_file.stat().st_mode))


@auto_docstring(
    custom_intro="""
    The Brant encoder: patch embedding, temporal encoder and spatial encoder, without a head.
    """
)
class BrantModel(BrantPreTrainedModel):
    _auto_class = "AutoModel"
    _masks_patches = True
    # The heads of the other classes; nobody who loads the encoder alone needs to hear of them.
    _keys_to_ignore_on_load_unexpected = [
        r"^(reconstruction_head|prediction_head|frequency_head|phase_head|detection_head)\."
    ]

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        # Again, for the fields that were set one by one since the configuration was made, as `from_pretrained` does.
        config.validate()
        self._has_trained = False
        self.embeddings = BrantEmbeddings(config)
        self.temporal_layers = nn.ModuleList(
            [BrantLayer(config, axis="temporal") for _ in range(config.num_temporal_layers)]
        )
        self.spatial_layers = nn.ModuleList(
            [BrantLayer(config, axis="spatial") for _ in range(config.num_spatial_layers)]
        )

        # Initialize weights and apply final processing
        self.post_init()

    @merge_with_config_defaults
    @_record_both_attentions
    @capture_outputs
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        bool_masked_pos: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantModelOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal, 1 to `config.num_patches` patches of `config.patch_length` samples. [`BrantFeatureExtractor`] makes
            it from microvolts.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels change nothing for the real ones.
        bool_masked_pos (`torch.BoolTensor` of shape `(batch_size, num_channels, num_patches)`, *optional*):
            Patches that are replaced by the mask patch.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from `input_values` when absent.

        Example:

        ```python
        >>> import torch
        >>> from brant_hf import BrantConfig, BrantModel

        >>> model = BrantModel(BrantConfig.from_size("tiny"))
        >>> outputs = model(torch.randn(1, 4, 15 * 1500))
        >>> list(outputs.last_hidden_state.shape)
        [1, 4, 15, 768]
        ```
        """
        _check_inputs(self.config, input_values, channel_mask, bool_masked_pos, band_power)
        if kwargs.get("attention_mask") is not None:
            raise ValueError(
                "`attention_mask` is no argument of Brant: give padded channels by `channel_mask` (batch_size, "
                "num_channels); no window has padded patches."
            )
        self._check_trained_precision()
        self._begin_training(input_values, has_mask=channel_mask is not None)
        if channel_mask is not None:
            channel_mask = channel_mask.bool()
            # Whatever stands in a padded channel, NaN included, must not reach the attention of the others.
            input_values = input_values.masked_fill(~channel_mask[..., None], 0)
            if band_power is not None:
                band_power = band_power.masked_fill(~channel_mask[..., None, None], 0)
        if bool_masked_pos is not None:
            bool_masked_pos = bool_masked_pos.bool()

        hidden_states = self.embeddings(input_values, bool_masked_pos, band_power)
        for layer in self.temporal_layers:
            hidden_states = layer(hidden_states, **kwargs)

        channel_attention_mask = self._spatial_attention_mask(hidden_states, channel_mask)
        for layer in self.spatial_layers:
            hidden_states = layer(hidden_states, channel_attention_mask, **kwargs)
        return BrantModelOutput(last_hidden_state=hidden_states)

    def _begin_training(self, input_values: torch.Tensor, has_mask: bool) -> None:
        """At the first step of a training: forget the old detector, and tell of signals that nothing has normalised.

        What comes with a `channel_mask` was made by a collator or by [`BrantFeatureExtractor`].
        """
        is_first = self.training and torch.is_grad_enabled() and not self._has_trained
        if not is_first or torch.compiler.is_compiling() or input_values.device.type == "meta":
            return
        self._has_trained = True
        self.config.forget_detector()
        std = input_values.float().std(dim=-1).median()
        if std > _LARGEST_NORMALIZED_STD and not has_mask:
            logger.warning_once(
                f"The standard deviation of a typical channel is {std:.3g}, as of microvolts: "
                "`BrantFeatureExtractor.normalize_signal` and the collators made by `from_pretrained` normalise them."
            )

    def _spatial_attention_mask(self, hidden_states: torch.Tensor, channel_mask: torch.Tensor | None):
        """Mask of the attention over channels, for (batch_size * num_patches) sequences of channels."""
        sequences = hidden_states.transpose(1, 2).flatten(0, 1)
        if channel_mask is not None:
            channel_mask = channel_mask[:, None].expand(-1, hidden_states.shape[2], -1).flatten(0, 1)
        return create_bidirectional_mask(config=self.config, inputs_embeds=sequences, attention_mask=channel_mask)


@auto_docstring(
    custom_intro="""
    Brant with a linear head that reconstructs the signal of masked patches: the pre-training task of the paper.
    """
)
class BrantForPreTraining(BrantPreTrainedModel):
    _auto_class = "AutoModelForPreTraining"
    _masks_patches = True

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        self.brant = BrantModel(config)
        self.reconstruction_head = nn.Linear(config.hidden_size, config.patch_length)

        # Initialize weights and apply final processing
        self.post_init()

    @can_return_tuple
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        bool_masked_pos: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        return_loss: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantForPreTrainingOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal, which is also the target.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels never enter the loss.
        bool_masked_pos (`torch.BoolTensor` of shape `(batch_size, num_channels, num_patches)`, *optional*):
            Patches that are replaced by the mask patch. When absent, `config.mask_ratio` of the patches of each window
            are masked: random ones in training mode, the same ones at each call in evaluation mode.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from `input_values` when absent.
        return_loss (`bool`, *optional*, defaults to `True`):
            Whether to compute the loss. `Trainer` looks for this argument to find out that the loss needs no labels.
        """
        _check_inputs(self.config, input_values, channel_mask, bool_masked_pos, band_power)
        if bool_masked_pos is None:
            batch_size, num_channels, num_samples = input_values.shape
            num_patches = num_samples // self.config.patch_length
            scores = _mask_scores(batch_size, num_channels, num_patches, input_values.device, is_random=self.training)
            real = None if channel_mask is None else channel_mask.bool()
            bool_masked_pos = _draw_patch_mask(scores, self.config.mask_ratio, real)

        outputs: BrantModelOutput = self.brant(
            input_values,
            channel_mask=channel_mask,
            bool_masked_pos=bool_masked_pos,
            band_power=band_power,
            return_dict=True,
            **kwargs,
        )
        reconstruction = self.reconstruction_head(outputs.last_hidden_state).flatten(2)

        loss = None
        if return_loss:
            loss = self._reconstruction_loss(reconstruction, input_values, channel_mask, bool_masked_pos)
            loss = self._checked_loss(loss)
        return BrantForPreTrainingOutput(
            loss=loss,
            reconstruction=reconstruction,
            hidden_states=outputs.hidden_states,
            temporal_attentions=outputs.temporal_attentions,
            spatial_attentions=outputs.spatial_attentions,
        )

    def _reconstruction_loss(
        self,
        reconstruction: torch.Tensor,
        input_values: torch.Tensor,
        channel_mask: torch.Tensor | None,
        bool_masked_pos: torch.Tensor,
    ) -> torch.Tensor:
        counted = _real_channels(channel_mask, 3)
        # CODEPATH: published checkpoints were trained with the loss on all patches, "masked" is the alternative.
        if self.config.loss_on == "masked":
            masked = bool_masked_pos.bool()
            masked = masked if counted is None else masked & counted
            counted = masked.repeat_interleave(self.config.patch_length, dim=-1)
        return _mean_squared_error(reconstruction, input_values, counted)


@auto_docstring(
    custom_intro="""
    Brant with a linear head on the mean patch embedding of each channel that forecasts the signal after the window.
    """
)
class BrantForForecasting(BrantPreTrainedModel):
    _auto_class = "AutoModelForTimeSeriesPrediction"

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        self.brant = BrantModel(config)
        self.prediction_head = nn.Linear(config.hidden_size, config.prediction_length)
        self.prediction_dropout = nn.Dropout(config.prediction_dropout)

        # Initialize weights and apply final processing
        self.post_init()

    @can_return_tuple
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        labels: torch.FloatTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantForForecastingOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal before the horizon.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels never enter the loss.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from `input_values` when absent.
        labels (`torch.FloatTensor` of shape `(batch_size, num_channels, prediction_length)`, *optional*):
            Signal of the horizon.
        """
        if labels is not None:
            _check_horizon(labels, input_values, self.config)
        outputs: BrantModelOutput = self.brant(
            input_values, channel_mask=channel_mask, band_power=band_power, return_dict=True, **kwargs
        )
        pooled = outputs.last_hidden_state.mean(dim=2)
        prediction_outputs = self.prediction_dropout(self.prediction_head(pooled))

        loss = None
        if labels is not None:
            loss = _mean_squared_error(prediction_outputs, labels, _real_channels(channel_mask, 3))
            loss = self._checked_loss(loss)
        return BrantForForecastingOutput(
            loss=loss,
            prediction_outputs=prediction_outputs,
            hidden_states=outputs.hidden_states,
            temporal_attentions=outputs.temporal_attentions,
            spatial_attentions=outputs.spatial_attentions,
        )


def _check_horizon(labels: torch.Tensor, input_values: torch.Tensor, config: BrantConfig) -> None:
    _check_inputs(config, input_values)
    expected = (*input_values.shape[:2], config.prediction_length)
    _check_shape("labels", labels, expected, "batch_size, num_channels, prediction_length")


@auto_docstring(
    custom_intro="""
    Brant with two linear heads on the mean patch embedding of each channel that forecast the dominant frequency and
    the instantaneous phase of the signal after the window. The paper takes a horizon of 5 patches:
    `prediction_length=7500`.
    """
)
class BrantForFrequencyPhaseForecasting(BrantPreTrainedModel):
    _auto_class = "BrantForFrequencyPhaseForecasting"

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        self.brant = BrantModel(config)
        self.frequency_head = nn.Linear(config.hidden_size, 1)
        self.phase_head = nn.Linear(config.hidden_size, config.prediction_length)

        # Initialize weights and apply final processing
        self.post_init()

    @can_return_tuple
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        labels: torch.FloatTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantForFrequencyPhaseForecastingOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal before the horizon.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels never enter the loss.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from `input_values` when absent.
        labels (`torch.FloatTensor` of shape `(batch_size, num_channels, prediction_length)`, *optional*):
            Signal of the horizon. The frequency and the phase that the heads learn are computed from it.
        """
        if labels is not None:
            _check_horizon(labels, input_values, self.config)
        outputs: BrantModelOutput = self.brant(
            input_values, channel_mask=channel_mask, band_power=band_power, return_dict=True, **kwargs
        )
        pooled = outputs.last_hidden_state.mean(dim=2)
        frequency = self.frequency_head(pooled).squeeze(-1)
        phase = self.phase_head(pooled)

        loss, frequency_loss, phase_loss = None, None, None
        if labels is not None:
            future, real = labels.float(), _real_channels(channel_mask, 2)
            frequency_loss = _mean_squared_error(frequency, dominant_frequency(future), real)
            phase_loss = _mean_squared_error(phase, _phase_target(future), _real_channels(channel_mask, 3))
            loss = self._checked_loss(frequency_loss + phase_loss)
        return BrantForFrequencyPhaseForecastingOutput(
            loss=loss,
            frequency=frequency,
            phase=phase,
            frequency_loss=frequency_loss,
            phase_loss=phase_loss,
            hidden_states=outputs.hidden_states,
            temporal_attentions=outputs.temporal_attentions,
            spatial_attentions=outputs.spatial_attentions,
        )


@auto_docstring(
    custom_intro="""
    Brant with a linear head that reconstructs missing samples.
    """
)
class BrantForImputation(BrantPreTrainedModel):
    _auto_class = "BrantForImputation"

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        self.brant = BrantModel(config)
        self.reconstruction_head = nn.Linear(config.hidden_size, config.patch_length)
        # Begins near the line that it corrects.
        self.reconstruction_head.ends_residual_branch = config.missing_values == "linear"

        # Initialize weights and apply final processing
        self.post_init()

    @can_return_tuple
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        observed_mask: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        labels: torch.FloatTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantForImputationOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal. Missing samples enter as `config.missing_values` says, whatever stands there.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels never enter the loss.
        observed_mask (`torch.BoolTensor` of shape `(batch_size, num_channels, num_samples)`, *optional*):
            1 for observed samples, 0 for missing ones. When absent, all samples are observed; with `labels`, when
            there is nothing to learn from that, `config.mask_ratio` of the samples are taken as missing: random ones
            in training mode, the same ones at each call in evaluation mode.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from the signal that enters when absent. The published fine-tuning code computes
            it from the complete signal, which tells the model something about the missing samples; pass that one
            (`compute_band_power`) to reproduce its numbers.
        labels (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`, *optional*):
            Complete signal.
        """
        shape = tuple(input_values.shape)
        for name, tensor in (("observed_mask", observed_mask), ("labels", labels)):
            if tensor is not None:
                _check_shape(name, tensor, shape, "the shape of `input_values`")
        if observed_mask is None and labels is not None and input_values.ndim == 3:
            observed_mask = _mask_scores(*shape, input_values.device, self.training) >= self.config.mask_ratio

        observed_values = input_values
        if observed_mask is not None:
            observed_mask = observed_mask.bool()
            # CODEPATH: published checkpoints get missing samples as 0, "linear" ones on a line.
            if self.config.missing_values == "linear":
                observed_values = _interpolate(input_values, observed_mask)
            else:
                observed_values = input_values.masked_fill(~observed_mask, 0)
        outputs: BrantModelOutput = self.brant(
            observed_values, channel_mask=channel_mask, band_power=band_power, return_dict=True, **kwargs
        )
        reconstruction = self.reconstruction_head(outputs.last_hidden_state).flatten(2)
        # CODEPATH: published heads give the signal, those of "linear" checkpoints the difference to the line.
        if self.config.missing_values == "linear":
            reconstruction = reconstruction + observed_values.to(reconstruction)
        imputed_values = observed_values
        if observed_mask is not None:
            device, dtype = reconstruction.device, input_values.dtype
            imputed_values = torch.where(observed_mask.to(device), input_values.to(device), reconstruction.to(dtype))

        loss = None
        if labels is not None:
            missing, real = ~observed_mask, _real_channels(channel_mask, 3)
            loss = _mean_squared_error(reconstruction, labels, missing if real is None else missing & real)
            loss = self._checked_loss(loss)
        return BrantForImputationOutput(
            loss=loss,
            reconstruction=reconstruction,
            imputed_values=imputed_values,
            hidden_states=outputs.hidden_states,
            temporal_attentions=outputs.temporal_attentions,
            spatial_attentions=outputs.spatial_attentions,
        )


class BrantSeizureDetectionHead(nn.Module):
    """The published three-layer perceptron: D -> D/2 -> D/4 -> number of labels."""

    def __init__(self, config: BrantConfig):
        super().__init__()
        self.activation = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.hidden_size // 2)
        self.fc2 = nn.Linear(config.hidden_size // 2, config.hidden_size // 4)
        self.classifier = nn.Linear(config.hidden_size // 4, config.num_labels)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden_states = self.activation(self.fc1(hidden_states))
        hidden_states = self.activation(self.fc2(hidden_states))
        return self.classifier(hidden_states)


@auto_docstring(
    custom_intro="""
    Brant with a perceptron on every patch embedding that tells seizure from background, for each channel and patch.
    """
)
class BrantForSeizureDetection(BrantPreTrainedModel):
    _auto_class = "AutoModelForTokenClassification"

    def __init__(self, config: BrantConfig):
        super().__init__(config)
        self.brant = BrantModel(config)
        self.detection_head = BrantSeizureDetectionHead(config)

        # Initialize weights and apply final processing
        self.post_init()

    @can_return_tuple
    @_mend_references
    @auto_docstring
    def forward(
        self,
        input_values: torch.FloatTensor,
        channel_mask: torch.Tensor | None = None,
        band_power: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BrantForSeizureDetectionOutput:
        r"""
        input_values (`torch.FloatTensor` of shape `(batch_size, num_channels, num_samples)`):
            Signal.
        channel_mask (`torch.Tensor` of shape `(batch_size, num_channels)`, *optional*):
            1 for real channels, 0 for padding. Padded channels never enter the loss.
        band_power (`torch.FloatTensor` of shape `(batch_size, num_channels, num_patches, num_bands)`, *optional*):
            Log band power, computed from `input_values` when absent.
        labels (`torch.LongTensor` of shape `(batch_size, num_channels, num_patches)`, *optional*):
            Label of each patch; -100 is ignored.
        """
        outputs: BrantModelOutput = self.brant(
            input_values, channel_mask=channel_mask, band_power=band_power, return_dict=True, **kwargs
        )
        logits = self.detection_head(outputs.last_hidden_state)

        loss = None
        if labels is not None:
            _check_shape("labels", labels, tuple(logits.shape[:3]), "batch_size, num_channels, num_patches")
            labels = _whole_labels(labels)
            if channel_mask is not None:
                labels = labels.masked_fill(~_real_channels(channel_mask, 3), -100)
            labels = labels.to(logits.device)
            losses = nn.functional.cross_entropy(
                logits.float().flatten(0, 2), labels.flatten(), ignore_index=-100, reduction="none"
            )
            loss = self._checked_loss(_masked_mean(losses, labels.flatten() != -100))
        return BrantForSeizureDetectionOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            temporal_attentions=outputs.temporal_attentions,
            spatial_attentions=outputs.spatial_attentions,
        )


__all__ = [
    "BrantForForecasting",
    "BrantForFrequencyPhaseForecasting",
    "BrantForImputation",
    "BrantForPreTraining",
    "BrantForSeizureDetection",
    "BrantModel",
    "BrantPreTrainedModel",
    "compute_band_power",
    "dominant_frequency",
    "instantaneous_phase",
]
