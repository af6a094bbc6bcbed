"""Checkpoints of detectors: the one that ships, and any other, refused with the reason when it cannot detect."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .adapters import find_adapter
from .bad_input import checked_path
from .hub import find_on_hub, is_hub_id, no_folder
from .listing import listed
from .progress import loading_bars
from .user_warnings import warn

if TYPE_CHECKING:
    import torch

    from .feature_extraction_brant import BrantFeatureExtractor
    from .modeling_brant import BrantForSeizureDetection, BrantModel, BrantPreTrainedModel

# The word for it where a checkpoint is named.
SHIPPED = "shipped"
SHIPPED_DETECTOR = Path(__file__).parent / "assets" / "detector"


def shipped_checkpoint() -> Path:
    """Folder of the checkpoint that comes with the package.

    Raises
    ------
    FileNotFoundError
        This installation lacks it.
    """
    if not (SHIPPED_DETECTOR / "config.json").is_file():
        raise FileNotFoundError(
            f"This installation of brant_hf lacks the checkpoint that ships with it ({SHIPPED_DETECTOR}): name a "
            "model (model=...), or install the complete package"
        )
    return SHIPPED_DETECTOR


def locate(source: str | os.PathLike | None = None, *, revision: str | None = None) -> str | os.PathLike:
    """Find where a checkpoint is: what ships, a folder, or a model on the Hub, which has to be within reach.

    Raises
    ------
    OSError
        There is no such folder, and no such model on the Hub or no way to it.
    ValueError
        It is neither a folder nor an id, or "shipped" may be either.
    """
    if source is None:
        return shipped_checkpoint()
    checked_path(source, "a folder with a checkpoint, or its id on the Hub")
    name = os.fspath(source)  # as it is written: `./model` is no id
    if source == SHIPPED:
        if Path(name).is_dir():
            raise ValueError(f"{name!r} is the detector that ships, and a folder here; write ./{name} for the folder")
        return shipped_checkpoint()
    if Path(name).is_dir():
        return source
    if Path(name).exists():
        from .configuration_brant import how_to_convert, is_weights_file

        hint = f"; if it holds published weights, {how_to_convert(name)}" if is_weights_file(name) else ""
        raise ValueError(f"{name} is a file; name the folder of the checkpoint{hint}")
    if not is_hub_id(name):
        raise ValueError(
            f"{name} is neither a folder nor the id of a model on the Hub: {no_folder(name)}, and an id looks like "
            f"you/model; {SHIPPED!r} is the detector that comes with the package"
        )
    find_on_hub(name, revision)
    return source


class ShippedDefault(dict):
    """Default model of the pipeline task, looked up when it is asked for: whoever names a model needs none."""

    def __init__(self) -> None:
        super().__init__(model=None)

    def __getitem__(self, key: str) -> tuple[str, None]:
        return str(shipped_checkpoint()), None  # and no revision


class DetectorLoader:
    """Loads checkpoints for `transformers.pipeline`, which calls `from_pretrained` of what a task registers.

    An error raised here would be reported with every traceback on the way, so weights that the checkpoint lacks are
    noted on the model, for the pipeline to refuse it.
    """

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike, **kwargs: Any) -> BrantForSeizureDetection:
        """Make the model in evaluation mode; `refusal` says what is wrong with it, or is `None`."""
        fields = read_config(source, revision=kwargs.get("revision"))
        model, absent = _load_weights("BrantForSeizureDetection", source, fields, **kwargs)
        model.refusal = _refusal(source, model, absent)
        model.loaded_from = (source, kwargs.get("revision"))
        _warn_of_own_class(source, model, fields)
        _warn_of_unknown_preparation(source, model)
        return model


def load_detector(
    source: str | os.PathLike | None = None, *, dtype: torch.dtype | str | None = None, revision: str | None = None
) -> BrantForSeizureDetection:
    """Load a seizure detector.

    Parameters
    ----------
    source : str, os.PathLike or None
        Folder of a checkpoint, or id of a model on the Hub; the shipped checkpoint if `None` or "shipped".
    dtype : torch.dtype, str or None
        Precision of the weights; that of the checkpoint if `None`.
    revision : str or None
        Commit, branch or tag on the Hub.

    Returns
    -------
    BrantForSeizureDetection
        The model, in evaluation mode.

    Raises
    ------
    OSError
        There is no such checkpoint.
    ValueError
        It is no Brant checkpoint, is damaged, or lacks weights, which are named.
    """
    source = locate(source, revision=revision)
    model = _load(DetectorLoader.from_pretrained, source, dtype=dtype or "auto", revision=revision)
    refuse(model)
    return model


def load_encoder(source: str | os.PathLike | None = None, *, revision: str | None = None) -> BrantModel:
    """Load the encoder of any Brant checkpoint, with errors as `load_detector`.

    Parameters
    ----------
    source : str, os.PathLike or None
        Folder of a checkpoint, or id of a model on the Hub; the shipped checkpoint if `None` or "shipped".
    revision : str or None
        Commit, branch or tag on the Hub.
    """

    def load(source: str | os.PathLike) -> BrantModel:
        fields = read_config(source, revision=revision)
        model, absent = _load_weights("BrantModel", source, fields, revision=revision)
        encoder = model.base_model
        missing = [key for key in absent if key.removeprefix(f"{encoder.base_model_prefix}.") in encoder.state_dict()]
        if missing:
            raise ValueError(_refusal(source, encoder, missing))
        _warn_of_unknown_preparation(source, encoder)
        return encoder

    return _load(load, locate(source, revision=revision))


def load_feature_extractor(
    source: str | os.PathLike | None = None, *, revision: str | None = None
) -> BrantFeatureExtractor:
    """Load the feature extractor of a checkpoint.

    Raises
    ------
    ValueError
        The checkpoint has none, or a damaged one, so that the normalisation of its training is not known.
    """
    from .feature_extraction_brant import BrantFeatureExtractor

    source = locate(source, revision=revision)
    try:
        return _load(BrantFeatureExtractor.from_pretrained, source, revision=revision or "main")
    except OSError as error:
        if (adapter := find_adapter(source, revision)) is not None:
            return load_feature_extractor(adapter.base)
        raise ValueError(
            f"{source} has no preprocessor_config.json that can be read, so its normalisation is not known; save the "
            "BrantFeatureExtractor it was trained with beside it (feature_extractor.save_pretrained)"
        ) from error


def refuse(model: BrantPreTrainedModel) -> None:
    """Raise a `ValueError` where `model` cannot detect seizures."""
    base = without_adapters(model)
    # By name, since a class that a checkpoint brings along is another one than that of the package.
    if not any(parent.__name__ == "BrantForSeizureDetection" for parent in type(base).__mro__):
        raise ValueError(
            f"a {type(base).__name__} has no detection head; pass a BrantForSeizureDetection that was fine-tuned"
        )
    if getattr(base, "refusal", None):
        raise ValueError(base.refusal)


def without_adapters(model: Any) -> BrantPreTrainedModel:
    """Return the model that `peft` has wrapped, or `model` itself; adapters stay in its layers."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def read_config(source: str | os.PathLike | None = None, *, revision: str | None = None) -> dict[str, Any]:
    """Read the fields of the `config.json` of a Brant checkpoint, the shipped one if `None`; values are not checked.

    Those of an adapter are those of the checkpoint that it was trained on.

    Raises
    ------
    OSError
        There is no such checkpoint.
    ValueError
        It is none of Brant.
    """
    from .configuration_brant import BrantConfig

    name = str(locate(source, revision=revision))
    if (adapter := find_adapter(name, revision)) is not None:
        return read_config(adapter.base)
    fields, _ = _load(BrantConfig.get_config_dict, name, revision=revision)
    if not fields:
        raise ValueError(f"{name} is no checkpoint: it holds no config.json; name a folder with a model")
    if fields.get("model_type") != "brant":
        raise ValueError(f"{name} is no Brant checkpoint: its config.json has model_type {fields.get('model_type')!r}")
    return fields


def class_names() -> list[str]:
    """Classes of models of this package."""
    import brant_hf

    return [name for name in dir(brant_hf) if name == "BrantModel" or name.startswith("BrantFor")]


def saved_class(fields: dict[str, Any]) -> str:
    """Name of the class that saved a checkpoint with this `config.json`."""
    saved = fields.get("architectures") or ["BrantModel"]
    return saved if isinstance(saved, str) else str(saved[0])


def _load(load: Callable[..., Any], source: str | os.PathLike, **kwargs: Any) -> Any:
    try:
        return load(source, **kwargs)
    except (ValueError, OSError, ImportError):
        raise
    except Exception as error:
        # A damaged file, or one that does not fit its configuration, leads to any error.
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{source} cannot be loaded as a Brant checkpoint: {reason[:300]} (its files are damaged, or not "
            "of one checkpoint: copy or download all of them again)"
        ) from error


def _load_weights(
    class_name: str, source: str | os.PathLike, fields: dict[str, Any], **kwargs: Any
) -> tuple[Any, list[str]]:
    """Return a model with its adapter merged, and the names of the weights that are nowhere."""
    import brant_hf

    from .configuration_brant import BrantConfig

    adapter = find_adapter(source, kwargs.get("revision"))
    if adapter is None:
        with loading_bars():
            model, report = getattr(brant_hf, class_name).from_pretrained(source, output_loading_info=True, **kwargs)
        return model, _absent(model, report)
    config = BrantConfig.from_dict(fields)
    if class_name != "BrantModel":
        if adapter.class_name in set(class_names()) - {class_name}:
            raise ValueError(f"{source} is an adapter of a {adapter.class_name}; train one of a {class_name}")
        config.forget_detector(f"the checkpoint that {source} adapts")
    else:
        # The names in an adapter are those of the whole model.
        candidates = (adapter.class_name, *(config.architectures or ()))
        class_name = next((name for name in candidates if name in class_names()), class_name)
    kwargs.pop("revision", None)
    with loading_bars():
        model, report = getattr(brant_hf, class_name).from_pretrained(
            adapter.base, config=config, output_loading_info=True, **kwargs
        )
    absent = _absent(model, report)
    model, whole = adapter.merged_into(model)
    return model, [key for key in absent if key not in whole]


def _absent(model: Any, report: dict[str, Any]) -> list[str]:
    unset = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    return [key for key in model.state_dict() if key in unset]


def _warn_of_own_class(source: str | os.PathLike, model: BrantPreTrainedModel, fields: dict[str, Any]) -> None:
    saved = saved_class(fields)
    if saved not in class_names():
        warn(
            f"{source} was saved by {saved}, a class of your own, and is loaded as {type(model).__name__}, without "
            f"what {saved} adds; pass the model that {saved}.from_pretrained returns to have that too"
        )


def _warn_of_unknown_preparation(source: str | os.PathLike, model: BrantPreTrainedModel) -> None:
    detection = model.config.detection
    if not detection or (isinstance(detection, dict) and "preprocessing" not in detection):
        warn(
            f"{source} does not say how the recordings of its training were prepared, so recordings get the default "
            "preprocessing; say it with config.detection = {'preprocessing': Preprocessing(...).to_dict()}"
        )


def _refusal(source: str | os.PathLike, model: BrantPreTrainedModel, absent: list[str]) -> str | None:
    if not absent:
        return None
    shown = listed(absent, 3)
    saved = (model.config.architectures or ["Brant"])[0]
    if saved != type(model).__name__ and all(key.startswith("detection_head.") for key in absent):
        return f"{source} is a {saved} checkpoint: {shown} are missing; fine-tune it for seizure detection first"
    return f"{source} lacks {len(absent)} weights or has them in another shape ({shown}); pass a complete checkpoint"


def quiet_transformers() -> None:
    """Keep notes and progress bars of transformers away from standard error."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    # Weights are loaded in no time, and a bar of that would stand above the line that tells an error.
    logging.disable_progress_bar()
