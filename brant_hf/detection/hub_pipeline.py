"""Code of the task `seizure-detection` that goes with a saved Brant detector.

`transformers.pipeline("seizure-detection", model=..., trust_remote_code=True)` loads this file. The pipeline itself,
and what reads and filters recordings, is in the package `brant_hf`.
"""

from typing import Any

try:
    from brant_hf.detection import SeizureDetectionPipeline
except ImportError as error:
    raise ImportError(
        "The seizure-detection pipeline of this checkpoint reads recordings with the package brant_hf, which is not "
        "installed or incomplete: install brant_hf, then try again. The model alone needs no package: "
        "AutoModel.from_pretrained(..., trust_remote_code=True)."
    ) from error


class HubSeizureDetectionPipeline(SeizureDetectionPipeline):
    """`brant_hf.detection.SeizureDetectionPipeline` on the detector of the checkpoint.

    What arrives here is loaded by auto classes of transformers, from the revision that was asked for.
    """

    _load_feature_extractor = True

    def __init__(self, model: Any, *args: Any, **kwargs: Any) -> None:
        if absent := getattr(model, "random_keys", None):
            raise ValueError(
                f"{model.config.name_or_path} lacks {len(absent)} weights ({absent[0]}, ...), which would be random; "
                "pass a complete checkpoint"
            )
        super().__init__(model, *args, **kwargs)
