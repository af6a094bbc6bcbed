"""Settings that make windows like those that a checkpoint was trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...checkpoints import load_feature_extractor, read_config
from ...user_warnings import warn
from ..preprocessing.chain import Preprocessing


def settings_like(checkpoint: str | os.PathLike) -> dict[str, Any]:
    """Read from a checkpoint how recordings are prepared for it.

    ```python
    prepare("recordings/", "dataset/", **settings_like("detector/"))
    ```

    Parameters
    ----------
    checkpoint : str or os.PathLike
        Folder of a checkpoint, or id of a model on the Hub.

    Returns
    -------
    dict[str, Any]
        Arguments of `prepare`: `preprocessing` (`config.detection`, or, with a warning where it does not say, the
        defaults at its sampling rate), `patch_length` and `num_patches` (of its feature extractor).

    Raises
    ------
    OSError
        There is no such checkpoint.
    ValueError
        It is none of Brant, has no feature extractor, or contradicts itself.
    """
    fields, extractor = read_config(checkpoint), load_feature_extractor(checkpoint)
    for name in ("patch_length", "sampling_rate"):
        stated, expected = fields.get(name), getattr(extractor, name)
        if stated is not None and stated != expected:
            raise ValueError(
                f"{checkpoint} contradicts itself: {name} is {stated} in config.json and {expected} in "
                "preprocessor_config.json; save the feature extractor that it was trained with"
            )
    preprocessing = _preprocessing(checkpoint, fields, float(extractor.sampling_rate))
    return {
        "preprocessing": preprocessing,
        "patch_length": extractor.patch_length,
        "num_patches": extractor.num_patches,
    }


def _preprocessing(checkpoint: str | os.PathLike, fields: Mapping[str, Any], rate: float) -> Preprocessing:
    detection = fields.get("detection") or {}
    noted = detection.get("preprocessing") if isinstance(detection, Mapping) else detection
    if noted is None:
        warn(f"{checkpoint} does not say how its recordings were preprocessed, so the defaults are taken")
    try:
        return Preprocessing.of_model(noted, rate)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{checkpoint} cannot be followed: {error}") from error
