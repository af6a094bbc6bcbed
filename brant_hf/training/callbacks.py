"""What every `Trainer` does at the beginning of a training of Brant, in a script of one's own too; a progress bar.

`brant_hf` adds `OriginCallback` to those that `Trainer` has by itself, so that nobody has to know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transformers.trainer_callback import TrainerCallback
from transformers.utils import logging

from ..data.dataset.folder import settings_of
from ..data.dataset.origin import origins_of
from ..progress import progress_bar

if TYPE_CHECKING:
    from ..configuration_brant import BrantConfig

logger = logging.get_logger(__name__)


class OriginCallback(TrainerCallback):
    """Notes in `config.detection` how the training windows were prepared, so that a detector does the same."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the dataset before the first step."""
        # The model may be a module of one's own around that of Brant.
        configs = (getattr(module, "config", None) for module in kwargs["model"].modules())
        config: Any = next((each for each in configs if getattr(each, "model_type", None) == "brant"), None)
        if config is None:
            return
        config.forget_detector()
        before = (config.detection or {}).get("preprocessing")
        origins = origins_of(kwargs["train_dataloader"].dataset)
        if origins:
            _note(config, origins)
            if hasattr(kwargs["model"], "peft_config") and (config.detection or {}).get("preprocessing") != before:
                logger.warning(
                    "an adapter does not carry how its windows were prepared, which is not as for the checkpoint that "
                    "it is trained on: to detect with it, save `model.merge_and_unload()`."
                )
        elif "preprocessing" in (config.detection or {}):
            logger.warning(
                "The training windows do not tell how they were prepared, which those of `brant_hf.data.load` do: "
                "`config.detection` keeps the preprocessing of the checkpoint that this training starts from."
            )


class ProgressBar(TrainerCallback):
    """Shows the steps of a training on standard error.

    Parameters
    ----------
    title : str
        What is done.
    shown : bool
        Whether to show it.
    """

    def __init__(self, title: str, shown: bool = True) -> None:
        self._title, self._shown = title, shown

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin with all steps that there will be."""
        self._bar = progress_bar(total=state.max_steps, desc=self._title, unit="step", shown=self._shown)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count a step."""
        self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def note_preprocessing(config: BrantConfig, datasets: Sequence[str]) -> None:
    """Note in `config.detection` how the recordings of a run were prepared, as `Trainer` does by itself.

    Parameters
    ----------
    config : BrantConfig
        Of the model; its other settings stay.
    datasets : Sequence[str]
        Of the run. Where they were not made by `prepare`, or differ, nothing is noted.
    """
    noted = [settings_of(name) for name in datasets]
    prepared = [settings["preprocessing"] for settings in noted if settings is not None]
    if prepared:
        _note(config, prepared if len(prepared) == len(datasets) else [*prepared, {}])


def _note(config: BrantConfig, origins: Sequence[dict[str, Any]]) -> None:
    for rate in (each["sampling_rate"] for each in origins if each):
        if rate != config.sampling_rate:
            raise ValueError(
                f"the training windows have {rate:g} Hz, the model {config.sampling_rate:g} Hz: prepare the dataset "
                f"with `--sampling-rate {config.sampling_rate:g}`, or choose another model"
            )
    if any(each != origins[0] for each in origins):
        logger.warning("The datasets were not all prepared alike: set `preprocessing` of `config.detection` yourself.")
        return
    config.detection = {**(config.detection or {}), "preprocessing": origins[0]}
