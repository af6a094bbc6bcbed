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
"""Brant model configuration."""

import math
from itertools import pairwise
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig
from transformers.activations import ACT2FN
from transformers.utils import auto_docstring

# Zhang et al. 2023, table of model variants.
_SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 768, "intermediate_size": 2048, "num_temporal_layers": 8, "num_spatial_layers": 4},
    "small": {"hidden_size": 1024, "intermediate_size": 2048, "num_temporal_layers": 8, "num_spatial_layers": 4},
    "medium": {"hidden_size": 1280, "intermediate_size": 3072, "num_temporal_layers": 12, "num_spatial_layers": 5},
    "brant": {"hidden_size": 2048, "intermediate_size": 3072, "num_temporal_layers": 12, "num_spatial_layers": 5},
}

_DETECTION_SETTINGS = (
    "threshold",
    "excerpt_threshold",
    "min_channels",
    "min_duration",
    "merge_gap",
    "overlap",
    "preprocessing",
    "calibration",
)


@auto_docstring(checkpoint="brant")
@strict
class BrantConfig(PreTrainedConfig):
    r"""
    patch_length (`int`, *optional*, defaults to 1500):
        Samples of one patch; 1500 samples are 6 s at 250 Hz.
    num_patches (`int`, *optional*, defaults to 15):
        Rows of the positional table, and so the largest number of patches of a window.
    sampling_rate (`int` or `float`, *optional*, defaults to 250):
        Sampling rate of the signals in Hz.
    band_power_sampling_rate (`int` or `float`, *optional*, defaults to 256):
        Sampling rate in Hz that the periodogram of the band power assumes. The published code uses 256 on signals at
        250 Hz; a published checkpoint needs the same value.
    band_edges (`list[float]`, *optional*, defaults to `[4, 8, 13, 30, 50, 70, 90, 110, 128]`):
        Edges of the frequency bands in Hz, increasing. The lower edge of a band is exclusive, the upper one inclusive.
    num_temporal_layers (`int`, *optional*, defaults to 12):
        Layers of the temporal encoder (attention over the patches of one channel).
    num_spatial_layers (`int`, *optional*, defaults to 5):
        Layers of the spatial encoder (attention over the channels of one patch). 0 leaves it out.
    mask_ratio (`float`, *optional*, defaults to 0.4):
        Share of the (channel, patch) cells, or of the samples in imputation, that are masked when no mask is given.
    learnable_mask (`bool`, *optional*, defaults to `False`):
        Whether the mask patch and the band power mask embedding are trained. Otherwise they stay as they are (zero
        unless a checkpoint brings others).
    mask_band_power (`bool`, *optional*, defaults to `False`):
        Whether masked patches lose their band power embedding too. The published code leaves it, which tells the
        model something about the signal that it has to reconstruct.
    loss_on (`str`, *optional*, defaults to `"all"`):
        Patches that enter the pre-training loss: `"all"` (published code) or `"masked"`.
    initializer_range (`float`, *optional*):
        Standard deviation of the random weights. When absent `0.02 * sqrt(2048 / hidden_size)`: 0.02 at the published
        size, and larger for narrow models, whose signals would otherwise fade on the way to the head.
    prediction_length (`int`, *optional*, defaults to 3000):
        Samples of the horizon. The paper forecasts 3000 (12 s) and 30000 (120 s) samples, and the frequency and phase
        of 7500 (30 s).
    prediction_dropout (`float`, *optional*, defaults to 0.1):
        Dropout on the forecast signal. The paper uses 0.1 for the short and 0.2 for the long horizon.
    detection (`dict`, *optional*):
        Settings of a seizure detector that travel with its checkpoint, JSON-serialisable: `threshold`,
        `excerpt_threshold`, `min_channels`, `min_duration`, `merge_gap`, `overlap`, `preprocessing` and
        `calibration`, as `brant_hf.detection.DetectionSettings` explains them. What is absent has the default of the
        pipeline.

    Example:

    ```python
    >>> from brant_hf import BrantConfig, BrantModel

    >>> configuration = BrantConfig.from_size("tiny", num_patches=10)
    >>> model = BrantModel(configuration)
    >>> configuration = model.config
    ```
    """

    model_type = "brant"
    # What Trainer does not take for predictions.
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "hidden_states",
        "temporal_attentions",
        "spatial_attentions",
        "frequency_loss",
        "phase_loss",
    ]
    _auto_class: ClassVar[str] = "AutoConfig"
    # The weights that FSDP2 and the inference tools may shard are the encoder layers.
    base_model_fsdp_plan: ClassVar[dict[Any, str]] = {
        "temporal_layers.*": "free_full_weight",
        "spatial_layers.*": "free_full_weight",
    }

    patch_length: int = 1500
    num_patches: int = 15
    sampling_rate: int | float = 250
    band_power_sampling_rate: int | float = 256
    band_edges: list[int | float] | tuple[int | float, ...] = (4, 8, 13, 30, 50, 70, 90, 110, 128)
    hidden_size: int = 2048
    intermediate_size: int = 3072
    num_temporal_layers: int = 12
    num_spatial_layers: int = 5
    num_attention_heads: int = 16
    hidden_act: str = "relu"
    hidden_dropout: float | int = 0.1
    attention_dropout: float | int = 0.1
    layer_norm_eps: float = 1e-5
    initializer_range: float | None = None
    mask_ratio: float | int = 0.4
    learnable_mask: bool = False
    mask_band_power: bool = False
    loss_on: str = "all"
    prediction_length: int = 3000
    prediction_dropout: float | int = 0.1
    detection: dict[str, Any] | None = None

    def __post_init__(self, **kwargs):
        self.band_edges = list(self.band_edges)
        if self.initializer_range is None and self.hidden_size > 0:
            self.initializer_range = 0.02 * math.sqrt(2048 / self.hidden_size)
        if self.id2label is None and self.label2id is None and kwargs.get("num_labels") in (None, 2):
            self.id2label = {0: "background", 1: "seizure"}
            self.label2id = {"background": 0, "seizure": 1}
        super().__post_init__(**kwargs)
        self.check_fields()

    def check_fields(self) -> None:
        """Check the values of all fields.

        Run when a configuration is made, and again when a model is, because `from_pretrained` sets the fields that it
        is given after the configuration was made. Not a `validate_...` method: what fails there is raised as an error
        that is no `ValueError`.

        Raises:
            ValueError: A field has a value that no model can have; the message gives it and what is expected.
        """
        self._check_numbers()
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`hidden_size` must be a multiple of `num_attention_heads`, got hidden_size={self.hidden_size} and "
                f"num_attention_heads={self.num_attention_heads}."
            )
        edges = self.band_edges
        if len(edges) < 2 or not all(0 <= low < high < math.inf for low, high in pairwise(edges)):
            raise ValueError(f"`band_edges` must be two or more increasing frequencies in Hz, got {edges}.")
        if self.loss_on not in ("all", "masked"):
            raise ValueError(f'`loss_on` must be "all" or "masked", got {self.loss_on!r}.')
        if self.loss_on == "masked" and self.mask_ratio == 0:
            raise ValueError('`loss_on="masked"` needs a `mask_ratio` greater than 0, got 0.')
        if self.num_labels < 2:
            raise ValueError(f"`num_labels` must be 2 or more, got {self.num_labels}.")
        if self.hidden_act not in ACT2FN:
            raise ValueError(f"`hidden_act` must be an activation function of transformers, got {self.hidden_act!r}.")
        unknown = sorted(set(self.detection or {}) - set(_DETECTION_SETTINGS))
        if unknown:
            raise ValueError(
                f"`detection` must have only the settings {', '.join(_DETECTION_SETTINGS)}, got {', '.join(unknown)}."
            )

    def _check_numbers(self) -> None:
        for name in (
            "patch_length",
            "num_patches",
            "sampling_rate",
            "band_power_sampling_rate",
            "hidden_size",
            "intermediate_size",
            "num_attention_heads",
            "prediction_length",
            "initializer_range",
        ):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"`{name}` must be greater than 0 and finite, got {getattr(self, name)}.")
        for name in ("num_temporal_layers", "num_spatial_layers"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be 0 or more, got {getattr(self, name)}.")
        for name in ("mask_ratio", "hidden_dropout", "attention_dropout", "prediction_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must lie between 0 and 1, got {getattr(self, name)}.")

    @property
    def num_bands(self) -> int:
        """`int`: Number of frequency bands."""
        return len(self.band_edges) - 1

    @property
    def num_hidden_layers(self) -> int:
        """`int`: Layers of both encoders together."""
        return self.num_temporal_layers + self.num_spatial_layers

    @num_hidden_layers.setter
    def num_hidden_layers(self, value: int) -> None:
        raise ValueError(
            f"`num_hidden_layers` is the sum of both encoders and cannot be set (got {value}): set "
            "`num_temporal_layers` and `num_spatial_layers`."
        )

    @classmethod
    def from_size(cls, size: str, **kwargs) -> "BrantConfig":
        """Configuration of a published size.

        Args:
            size (`str`):
                `"tiny"` (68.49 M parameters), `"small"` (103.90 M), `"medium"` (249.23 M) or `"brant"` (505.69 M, the
                default configuration).
            kwargs:
                Fields that differ from the published size.

        Raises:
            ValueError: `size` is none of these.
        """
        if size not in _SIZES:
            raise ValueError(f"`size` must be one of {', '.join(_SIZES)}, got {size!r}.")
        return cls(**{**_SIZES[size], **kwargs})


__all__ = ["BrantConfig"]
