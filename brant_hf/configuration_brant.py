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

import inspect
import math
import os
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import (
    RemoteEntryNotFoundError,
    StrictDataclassError,
    StrictDataclassFieldValidationError,
)
from transformers import PreTrainedConfig
from transformers.utils import CONFIG_NAME, auto_docstring, logging
from transformers.utils.type_validators import activation_fn_key, interval, positive_int_field, probability

logger = logging.get_logger(__name__)

# What a detector keeps when it is trained: how recordings are prepared and cut.
_KEPT_IN_TRAINING = ("preprocessing", "overlap")

# Zhang et al. 2023, table of model variants.
PUBLISHED_SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 768, "intermediate_size": 2048, "num_temporal_layers": 8, "num_spatial_layers": 4},
    "small": {"hidden_size": 1024, "intermediate_size": 2048, "num_temporal_layers": 8, "num_spatial_layers": 4},
    "medium": {"hidden_size": 1280, "intermediate_size": 3072, "num_temporal_layers": 12, "num_spatial_layers": 5},
    "brant": {"hidden_size": 2048, "intermediate_size": 3072, "num_temporal_layers": 12, "num_spatial_layers": 5},
}

# Weights of the published code and of braindecode, which are not loaded as they are: files that hold them, what their
# `config.json` has, and how their names begin.
_FOREIGN_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".zip", ".safetensors")
_FOREIGN_FIELDS = {"braindecode_version", "embed_dim", "temporal_n_layers"}
FOREIGN_KEYS = ("temporal_encoder.", "spatial_encoder.", "time_encoder.", "channel_encoder.", "trans_enc.")

_positive_number = interval(min=0, max=math.inf, exclude_min=True, exclude_max=True)


def how_to_convert(source: str) -> str:
    """What to do with weights of another layout, for a message."""
    return f"convert it first: `brant-hf convert {source} OUT`, then load OUT"


def is_weights_file(name: str) -> bool:
    """Whether a name is that of a file of weights, and not of a checkpoint, which is a folder."""
    return name.endswith(_FOREIGN_SUFFIXES) and Path(name).is_file()


def _may_be_published(source: str) -> bool:
    """Whether a source without a configuration is a file or folder of weights, or on the Hub."""
    path = Path(source)
    if path.is_dir():
        return not (path / CONFIG_NAME).exists() and any(is_weights_file(str(file)) for file in path.iterdir())
    return is_weights_file(source) or not path.exists()


def _raise_value_errors(cls: type["BrantConfig"]) -> type["BrantConfig"]:
    """Let a wrong value raise a `ValueError` of one line: the errors of `strict` are none, and have more lines."""

    def translated(method: Callable) -> Callable:
        @wraps(method)
        def wrapper(self: "BrantConfig", *args: Any) -> Any:
            try:
                return method(self, *args)
            except StrictDataclassFieldValidationError as error:
                name, value = args
                reason = str(error.__cause__).replace("Value", f"`{name}`", 1)
                if isinstance(error.__cause__, TypeError):
                    expected = inspect.formatannotation(cls.__dataclass_fields__[name].type)
                    reason = f"`{name}` must be {expected}, got {value!r}."
                raise ValueError(reason) from error
            except StrictDataclassError as error:
                raise ValueError(str(error.__cause__)) from error

        return wrapper

    for name in ("__setattr__", "validate"):
        setattr(cls, name, translated(getattr(cls, name)))
    return cls


@auto_docstring(
    custom_intro="""
    Configuration of the Brant models. The defaults give the size of the published model (505.69 M parameters).

    Configuration objects inherit from [`PreTrainedConfig`], which documents the fields that every model has. A wrong
    value is a `ValueError`, raised when a field is set, or by `validate` when it does not go with other fields.
    """
)
@_raise_value_errors
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
    hidden_size (`int`, *optional*, defaults to 2048):
        Dimension of the patch embeddings and of both encoders.
    intermediate_size (`int`, *optional*, defaults to 3072):
        Dimension of the feed-forward network of each layer.
    num_temporal_layers (`int`, *optional*, defaults to 12):
        Layers of the temporal encoder (attention over the patches of one channel).
    num_spatial_layers (`int`, *optional*, defaults to 5):
        Layers of the spatial encoder (attention over the channels of one patch). 0 leaves it out.
    num_attention_heads (`int`, *optional*, defaults to 16):
        Attention heads of each layer of both encoders.
    hidden_act (`str`, *optional*, defaults to `"relu"`):
        Activation function of the layers and of the detection head, a key of `ACT2FN`.
    hidden_dropout (`float`, *optional*, defaults to 0.1):
        Dropout after the attention, after the activation and after the feed-forward network of each layer.
    attention_dropout (`float`, *optional*, defaults to 0.1):
        Dropout on the attention weights.
    layer_norm_eps (`float`, *optional*, defaults to 1e-5):
        Added to the variance in each layer normalisation.
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
    missing_values (`str`, *optional*, defaults to `"zero"`):
        How missing samples enter [`BrantForImputation`]: as `"zero"` (published code), or `"linear"`, on the line
        between the observed samples beside them, and the head then gives the difference to that line. Zeros do not
        tell the model which samples are missing, without which no network fills single samples well.
    prediction_length (`int`, *optional*, defaults to 3000):
        Samples of the horizon. The paper forecasts 3000 (12 s) and 30000 (120 s) samples, and the frequency and phase
        of 7500 (30 s).
    prediction_dropout (`float`, *optional*, defaults to 0.1):
        Dropout on the forecast signal. The paper uses 0.1 for the short and 0.2 for the long horizon.
    architectures (`list[str]`, *optional*):
        Classes that the weights of a checkpoint were saved with.
    id2label (`dict[int, str]`, *optional*, defaults to `{0: "background", 1: "seizure"}`):
        Names of the labels of [`BrantForSeizureDetection`].
    label2id (`dict[str, int]`, *optional*, defaults to `{"background": 0, "seizure": 1}`):
        The inverse of `id2label`.

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

    patch_length: int = positive_int_field(default=1500)
    num_patches: int = positive_int_field(default=15)
    sampling_rate: int | float = _positive_number(default=250)
    band_power_sampling_rate: int | float = _positive_number(default=256)
    band_edges: list[int | float] | tuple[int | float, ...] = (4, 8, 13, 30, 50, 70, 90, 110, 128)
    hidden_size: int = positive_int_field(default=2048)
    intermediate_size: int = positive_int_field(default=3072)
    num_temporal_layers: int = interval(min=0)(default=12)
    num_spatial_layers: int = interval(min=0)(default=5)
    num_attention_heads: int = positive_int_field(default=16)
    hidden_act: str = activation_fn_key(default="relu")
    hidden_dropout: float | int = probability(default=0.1)
    attention_dropout: float | int = probability(default=0.1)
    layer_norm_eps: float = interval(min=0.0)(default=1e-5)
    initializer_range: float | None = None
    mask_ratio: float | int = probability(default=0.4)
    learnable_mask: bool = False
    mask_band_power: bool = False
    loss_on: Literal["all", "masked"] = "all"
    missing_values: Literal["zero", "linear"] = "zero"
    prediction_length: int = positive_int_field(default=3000)
    prediction_dropout: float | int = probability(default=0.1)
    # Repeated from `PreTrainedConfig`, where they are annotated with strings, whose types `strict` does not check.
    architectures: list[str] | None = None
    id2label: dict[int, str] | dict[str, str] | None = None
    label2id: dict[str, int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.band_edges = list(self.band_edges)
        if self.initializer_range is None:
            self.initializer_range = 0.02 * math.sqrt(2048 / self.hidden_size)
        if self.id2label is None and self.label2id is None and kwargs.get("num_labels") in (None, 2):
            self.id2label = {0: "background", 1: "seizure"}
            self.label2id = {"background": 0, "seizure": 1}
        # No field of the model: settings of a seizure detector that travel with its checkpoint, as
        # `brant_hf.detection.DetectionSettings` explains and checks them.
        self.detection: dict[str, Any] | None = kwargs.pop("detection", None)
        try:
            super().__post_init__(**kwargs)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"The configuration has a value of the wrong type: {error}.") from error

    if TYPE_CHECKING:  # `strict` makes it

        def validate(self) -> None:
            """Run all `validate_...` methods."""

    def validate_architecture(self) -> None:
        """Part of `@strict`-powered validation. Validates the architecture of the config."""
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`hidden_size` must be a multiple of `num_attention_heads`, got hidden_size={self.hidden_size} and "
                f"num_attention_heads={self.num_attention_heads}."
            )
        if self.initializer_range is None or not 0 < self.initializer_range < math.inf:
            raise ValueError(f"`initializer_range` must be greater than 0 and finite, got {self.initializer_range}.")

    def validate_band_edges(self) -> None:
        """Part of `@strict`-powered validation. Validates the frequency bands."""
        edges = self.band_edges
        if len(edges) < 2 or not all(0 <= low < high < math.inf for low, high in pairwise(edges)):
            raise ValueError(f"`band_edges` must be two or more increasing frequencies in Hz, got {edges}.")

    def validate_dtype(self) -> None:
        """Part of `@strict`-powered validation. Validates the precision, whose annotation is a string too."""
        if not (self.dtype is None or isinstance(self.dtype, str) or str(self.dtype).startswith("torch.")):
            raise ValueError(f"`dtype` must be the name of a floating point type of torch, got {self.dtype!r}.")

    def validate_masked_loss(self) -> None:
        """Part of `@strict`-powered validation. Validates that a loss on masked patches has masked patches."""
        if self.loss_on == "masked" and self.mask_ratio == 0:
            raise ValueError('`loss_on="masked"` needs a `mask_ratio` greater than 0, got 0.')

    def validate_num_labels(self) -> None:
        """Part of `@strict`-powered validation. Validates that the detection head has something to tell apart."""
        if self.num_labels is None or self.num_labels < 2:
            raise ValueError(f"`num_labels` must be 2 or more, got {self.num_labels}.")

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

    # Overridden because weights of another layout would give a model of the default size with random weights.
    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields of a `config.json`, see [`~transformers.PreTrainedConfig.get_config_dict`] for the arguments.

        Raises:
            ValueError: The source is published weights of another layout; the message names the command that converts
                them.
        """
        source = str(pretrained_model_name_or_path)
        try:
            fields, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        except OSError as error:
            if not isinstance(error.__cause__, RemoteEntryNotFoundError) and not is_weights_file(source):
                raise
            fields = {}
        if not fields and _may_be_published(source):
            raise ValueError(
                f"{source} has no {CONFIG_NAME} of Brant; if it holds published weights, {how_to_convert(source)}."
            )
        if "model_type" not in fields and _FOREIGN_FIELDS & set(fields):
            raise ValueError(f"{source} is a checkpoint of braindecode; {how_to_convert(source)}.")
        return fields, kwargs

    def forget_detector(self, detector: str = "the detector that this training starts from") -> None:
        """Remove from `detection` what was chosen for other weights, and tell so.

        The threshold and its like are right for the weights that they were chosen with alone. How recordings are
        prepared stays.

        Args:
            detector (`str`, *optional*):
                Whose weights these are, for the message.
        """
        detection = self.detection or {}
        old = [name for name in detection if name not in _KEPT_IN_TRAINING]
        if old:
            self.detection = {name: value for name, value in detection.items() if name not in old} or None
            logger.warning(
                f"{', '.join(old)} of {detector} belong to its weights and are "
                "removed from `config.detection`: choose new ones on validation recordings with "
                "`brant_hf.detection.calibrate`."
            )

    @classmethod
    def from_size(cls, size: str, **kwargs: Any) -> "BrantConfig":
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
        if size not in PUBLISHED_SIZES:
            raise ValueError(f"`size` must be one of {', '.join(PUBLISHED_SIZES)}, got {size!r}.")
        return cls(**{**PUBLISHED_SIZES[size], **kwargs})


__all__ = ["BrantConfig"]
