"""The model and the feature extractor that a run starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from transformers import PreTrainedModel
from transformers.utils import cached_file, logging

from ..adapters import find_adapter
from ..configuration_brant import BrantConfig
from ..data.dataset.folder import settings_of
from ..feature_extraction_brant import BrantFeatureExtractor
from .arguments import ModelArguments

if TYPE_CHECKING:
    from .tasks import Task

logger = logging.get_logger(__name__)

Model = TypeVar("Model", bound=PreTrainedModel)


def make_config(
    arguments: ModelArguments,
    datasets: Sequence[str],
    *,
    tuning: str = "full",
    task: Task | None = None,
) -> BrantConfig:
    """Return the configuration of a run.

    From a checkpoint it is that of the checkpoint. From scratch it is a published size, with the patch length, the
    number of patches and the sampling rate of the datasets if they are folders made by `prepare`.

    Parameters
    ----------
    arguments : ModelArguments
        Checkpoint, or size.
    datasets : Sequence[str]
        Of the run.
    tuning : str
        `"temporal"` leaves the spatial encoder out.
    task : Task or None
        Gives the patches to forecast at the end of each window, and decides on fields of its own.

    Raises
    ------
    ValueError
        An unknown size, an override that is no field, fields that do not go together, or an adapter of peft in place
        of a checkpoint.
    """
    horizon_patches = task.horizon() if task is not None else 0
    if arguments.model is not None:
        if find_adapter(arguments.model, arguments.revision) is not None:
            raise ValueError(
                f"{arguments.model} is an adapter, and training starts from a complete checkpoint: save the merged "
                "one, as with `load_detector(...).save_pretrained(...)`"
            )
        config = BrantConfig.from_pretrained(arguments.model, revision=arguments.revision)
    else:
        config = BrantConfig.from_size(arguments.size, **_window_fields(datasets, horizon_patches))
    if arguments.config_overrides:
        _override(config, arguments.config_overrides)
        if arguments.model is None and "initializer_range" not in arguments.config_overrides:
            # Its default goes with the width, which may be another one now.
            config = BrantConfig.from_dict({**config.to_dict(), "initializer_range": None})
    if horizon_patches:
        config.prediction_length = horizon_patches * config.patch_length
    if task is not None:
        task.configure(config, datasets)
    if tuning == "temporal":
        config.num_spatial_layers = 0
    config.validate()
    return config


def make_model(
    model_class: type[Model], arguments: ModelArguments, config: BrantConfig, *, complete: bool = False
) -> Model:
    """Return the model in single precision, from the checkpoint or with random weights.

    Parameters
    ----------
    model_class : type[Model]
        With the head of the task.
    arguments : ModelArguments
        Checkpoint, if any.
    config : BrantConfig
        As `make_config` returns it.
    complete : bool
        Whether the checkpoint must have the head too, as it must where nothing is trained.

    Raises
    ------
    ValueError
        The checkpoint lacks weights of the encoder, or of the head where it must have it.

    Notes
    -----
    `is_whole_checkpoint` of the model says whether it is the checkpoint, with no weights missing or left out.
    """
    options: dict[str, Any] = (
        {"attn_implementation": arguments.attn_implementation} if arguments.attn_implementation else {}
    )
    if arguments.model is None:
        return model_class._from_config(config, **options)
    # Checkpoints in half precision are for use; in training, small steps would be lost and large gradients infinite.
    options |= {"revision": arguments.revision, "config": config, "dtype": torch.float32}
    # Typed as if it gave the model alone.
    loaded: Any = model_class.from_pretrained(arguments.model, output_loading_info=True, **options)
    model, info = loaded
    lacking = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    model.is_whole_checkpoint = not lacking and not info["unexpected_keys"]
    if complete and lacking:
        raise ValueError(
            f"{arguments.model} lacks {len(lacking)} weights of {model_class.__name__} ({lacking[0]}, ...): "
            "train it for this task first"
        )
    model._check_encoder_weights(arguments.model, model, set(lacking))
    return model


def make_feature_extractor(arguments: ModelArguments, config: BrantConfig) -> BrantFeatureExtractor:
    """Return the feature extractor of the checkpoint, or a new one.

    `--normalize` and `--scale` replace its settings.
    """
    settings: dict[str, Any] = {}
    if arguments.normalize is not None:
        settings["normalize"] = arguments.normalize
    if arguments.scale is not None:
        settings["scale"] = arguments.scale
    if arguments.model is not None and has_feature_extractor(arguments.model, arguments.revision):
        saved = BrantFeatureExtractor.from_pretrained(arguments.model, revision=arguments.revision)
        kept = {"normalize": saved.normalize, "scale": saved.scale}
        if settings and settings.items() - kept.items():
            logger.warning("The checkpoint was trained with %s; this run uses %s.", kept, {**kept, **settings})
        settings = {**kept, **settings}
    return BrantFeatureExtractor(
        sampling_rate=config.sampling_rate,
        patch_length=config.patch_length,
        num_patches=config.num_patches,
        **settings,
    )


def has_feature_extractor(model: str, revision: str = "main") -> bool:
    """Whether a checkpoint, in a folder or on the Hub, comes with the settings of a feature extractor."""
    name = "preprocessor_config.json"
    if Path(model).is_dir():
        return (Path(model) / name).is_file()
    found = cached_file(model, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return found is not None


def _override(config: BrantConfig, text: str) -> None:
    try:
        config.update_from_string(text)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"--config_overrides is {text!r}: {error}; give fields with numbers or words, such as "
            "hidden_size=128,loss_on=masked"
        ) from None


def _window_fields(datasets: Sequence[str], horizon_patches: int) -> dict[str, Any]:
    """Fields of a configuration from scratch that follow from how a folder was prepared."""
    settings = settings_of(datasets[0])
    if settings is None:
        return {}
    num_patches = settings["windows"]["num_patches"] - horizon_patches
    if num_patches < 1:
        raise ValueError(
            f"windows of {settings['windows']['num_patches']} patches leave no context for a horizon of "
            f"{horizon_patches}: prepare the dataset with more patches (--num-patches)"
        )
    return {
        "patch_length": settings["windows"]["patch_length"],
        "num_patches": num_patches,
        "sampling_rate": settings["preprocessing"]["sampling_rate"],
    }
