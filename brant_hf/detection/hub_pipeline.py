"""Code of the task `seizure-detection` that goes with a saved Brant detector.

`transformers.pipeline("seizure-detection", model=..., trust_remote_code=True)` loads this file. The pipeline itself,
and what reads and filters recordings, is in the package `brant_hf`.
"""

from typing import Any

try:
    from brant_hf.detection import SeizureDetectionPipeline, load_detector
except ImportError as error:
    raise ImportError(
        "The seizure-detection pipeline of this checkpoint reads recordings with the package brant_hf, which is not "
        "installed or incomplete: install brant_hf, then try again. The model alone needs no package: "
        "AutoModel.from_pretrained(..., trust_remote_code=True)."
    ) from error


class HubSeizureDetectionPipeline(SeizureDetectionPipeline):
    """`brant_hf.detection.SeizureDetectionPipeline` on the detector of the checkpoint.

    No auto class of transformers stands for a head on every channel and patch, so what arrives here is the encoder.
    """

    def __init__(self, model: Any, *args: Any, **kwargs: Any) -> None:
        if type(model).__name__ == "BrantModel":
            revision = getattr(model.config, "_commit_hash", None)
            model = load_detector(model.config.name_or_path, revision=revision)
        super().__init__(model, *args, **kwargs)
