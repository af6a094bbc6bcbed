"""Hidden states of chosen layers of an encoder, and means over patches and channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig
    from ..modeling_brant import BrantPreTrainedModel

# What one embedding stands for: a patch of a channel, a channel, a recording, or a window, all of its channels.
POOLS = ("none", "channel", "recording", "window")
_HALF_PRECISION = (torch.float16, torch.bfloat16)


def check_pool(pool: str, allowed: Sequence[str] = POOLS) -> None:
    """Raise a `ValueError` unless `pool` is one of these."""
    if pool not in allowed:
        raise ValueError(f"pool is {pool!r}; expected one of {', '.join(allowed)}")


def layer_numbers(layers: int | Sequence[int] | None, config: BrantConfig) -> tuple[int, ...]:
    """Return the places of layers in `hidden_states`: 0 is the patch embedding; negative ones count from the last.

    Parameters
    ----------
    layers : int, Sequence[int] or None
        One or more, each once in what is returned; all if `None`.
    config : BrantConfig
        Of the model.

    Raises
    ------
    ValueError
        The model has no such layer.
    """
    last = config.num_hidden_layers
    if layers is None:
        return tuple(range(last + 1))
    asked: list[Any] = list(layers) if isinstance(layers, Iterable) else [layers]
    for number in asked:
        is_whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not is_whole or not -last - 1 <= number <= last:
            raise ValueError(f"layer is {number!r}; {_what_exists(config)}")
    if not asked:
        raise ValueError(f"layer names none; {_what_exists(config)}")
    return tuple(dict.fromkeys(int(number) % (last + 1) for number in asked))


def _what_exists(config: BrantConfig) -> str:
    temporal, last = config.num_temporal_layers, config.num_hidden_layers
    parts = ["0 (the patch embedding)"]
    parts += [f"1 to {temporal} (the temporal encoder)"] if temporal else []
    parts += [f"{temporal + 1} to {last} (the spatial encoder)"] if last > temporal else []
    return f"the model has {', '.join(parts)}, and -1 to {-last - 1} are the same from the last one"


def layer_name(number: int, config: BrantConfig) -> str:
    """Name of the hidden state of a layer, as models of transformers call it."""
    return "last_hidden_state" if number == config.num_hidden_layers else f"hidden_state_{number}"


class ManyLayers(torch.nn.Module):
    """An encoder that keeps the hidden states of these layers alone."""

    def __init__(self, encoder: BrantPreTrainedModel, layers: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.training = encoder.training
        is_last_alone = set(layers) == {encoder.config.num_hidden_layers}
        self._options = {} if is_last_alone else {"output_hidden_states": list(layers)}

    def forward(self, **inputs: Any) -> Any:
        """Return the outputs of the encoder; in `hidden_states`, layers that were not asked for are `None`."""
        return self.encoder(**inputs, **self._options)


def layer_reader(layers: Sequence[int]) -> Callable[[Any], torch.Tensor]:
    """Return what takes `(windows, channels, patches, layers, hidden size)` from the outputs of an encoder."""

    def read(outputs: Any) -> torch.Tensor:
        states = outputs.hidden_states
        return torch.stack([outputs.last_hidden_state] if states is None else [states[i] for i in layers], dim=3)

    return read


def mean_known(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Mean over patches or channels, without those that are NaN; NaN where all are."""
    total, count = sum_known(values, axes)
    return means(total, count)


def sum_known(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and count over `axes` of what is not NaN, in double precision; the axes stay, with length 1."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=axes, dtype=np.float64, keepdims=True)
    return total, known.sum(axis=axes, keepdims=True)


def means(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Quotient of a sum and a count, NaN for none."""
    with np.errstate(invalid="ignore"):
        return (total / count).astype(np.float32)


@contextmanager
def full_precision(model: torch.nn.Module) -> Iterator[None]:
    """Let weights that are stored in half precision work in fp32, which holds each of their values."""
    halves = [each for each in (*model.parameters(), *model.buffers()) if each.dtype in _HALF_PRECISION]
    dtypes = [each.dtype for each in halves]
    for each in halves:
        each.data = each.data.float()
    try:
        yield
    finally:
        for each, dtype in zip(halves, dtypes, strict=True):
            each.data = each.data.to(dtype)
