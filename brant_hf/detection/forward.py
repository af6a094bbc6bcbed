"""What a model says of windows: worked out by a model in this process, or by that of another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch

from .pooling import full_precision

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig


class Forward(Protocol):
    """A model that is asked for values of each patch of some windows, inside of a `with` block.

    Attributes
    ----------
    device_type : str
        Kind of the device that it works on, as `torch.device.type`.
    """

    device_type: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, input_values: np.ndarray, channel_mask: np.ndarray | None) -> np.ndarray:
        """Return `(windows, channels, patches, ...)` float32.

        Parameters
        ----------
        input_values : np.ndarray
            `(windows, channels, samples)` float32, normalised.
        channel_mask : np.ndarray or None
            `(windows, channels)` bool, false for channels to leave out; `None` for none of them.
        """
        ...


class ModelForward:
    """A model in this process, and what is wanted of its outputs.

    Parameters
    ----------
    model : torch.nn.Module
        A Brant model; in evaluation mode inside of the `with` block.
    readout : Callable[[Any], torch.Tensor]
        Takes from its outputs what is wanted, `(windows, channels, patches, ...)`.
    in_full_precision : bool
        Whether weights in half precision are brought to fp32 for the time of the block.
    """

    def __init__(
        self, model: torch.nn.Module, readout: Callable[[Any], torch.Tensor], *, in_full_precision: bool = False
    ) -> None:
        self._model, self._readout, self._in_full_precision = model, readout, in_full_precision
        self._device = next(model.parameters()).device
        self.device_type: str = self._device.type

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_evaluating(self._model))
            if self._in_full_precision:
                stack.enter_context(full_precision(self._model))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, input_values: np.ndarray, channel_mask: np.ndarray | None) -> np.ndarray:
        """Return what is wanted of some windows."""
        with torch.inference_mode():
            outputs = self._model(
                input_values=torch.from_numpy(input_values).to(self._device),
                channel_mask=None if channel_mask is None else torch.from_numpy(channel_mask).to(self._device),
            )
            return self._readout(outputs).float().cpu().numpy()


class Served:
    """Comes before a class that works with a model: the same without it, which asks that of another process.

    Parameters
    ----------
    worker : Any
        An object of that class.
    model : str
        Its attribute that holds the model.
    forward : Forward
        What takes the place of the model.
    """

    def __init__(self, worker: Any, model: str, forward: Forward) -> None:
        # Told while the model is here.
        self._config, self._facts, self._forward = worker.config, worker.facts, forward
        self.weights_sha256: str = worker.weights_sha256
        vars(self).update({name: value for name, value in vars(worker).items() if name != model})

    @property
    def config(self) -> BrantConfig:
        """Configuration of the model."""
        return self._config

    @property
    def facts(self) -> dict[str, Any]:
        """Which checkpoint works."""
        return self._facts

    @property
    def forward(self) -> Forward:
        """The model of the other process."""
        return self._forward


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
