"""What outputs depend on, for whoever has to check them: the recording as it was read, and the checkpoint."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch

from ..checkpoints import SHIPPED, SHIPPED_DETECTOR
from ..precision import precision_in_words

if TYPE_CHECKING:
    from ..data import Recording
    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

# Of a configuration, what says nothing of what the model does, or is told by the settings of a detector.
_NAMES = ("_name_or_path", "transformers_version", "architectures", "dtype", "detection")


def recording_facts(recording: Recording) -> dict[str, Any]:
    """Tell what was read of a recording, as JSON-serialisable values; times are those of the file."""
    gaps = recording.gaps_in_file
    return {
        "recording": str(recording.path or recording.name),
        "start": "not known" if recording.start_date is None else f"{recording.start_date:%Y-%m-%d %H:%M:%S}",
        "searched": f"{recording.offset:.2f} to {recording.offset + recording.duration:.2f} s",
        "unit": recording.scales_in_words(),
        "gaps": [f"{start:.2f} to {stop:.2f} s" for start, stop in gaps],
        "seconds lost to gaps": round(sum(stop - start for start, stop in gaps), 2),
        "seconds not searched": round(recording.file_duration - recording.duration, 2),
    }


def model_facts(model: BrantPreTrainedModel, weights: str | None = None) -> dict[str, Any]:
    """Tell which checkpoint worked, as JSON-serialisable values; `weights` is the SHA-256, where it is known."""
    config = model.config
    name = config.name_or_path or type(model).__name__
    return {
        "model": SHIPPED if name == str(SHIPPED_DETECTOR) else str(name),
        "weights SHA-256": weights or weights_sha256(model),
        "precision": precision_in_words(model),
        "window": f"{config.num_patches} patches of {config.patch_length} samples at {config.sampling_rate:g} Hz",
    }


def model_settings(
    model: BrantPreTrainedModel, extractor: BrantFeatureExtractor, weights: str | None = None
) -> dict[str, Any]:
    """Tell what a model makes of a signal depends on, as JSON-serialisable values, but not how it is called."""
    config = model.config.to_dict()
    for name in _NAMES:
        config.pop(name, None)
    return {
        "weights SHA-256": weights or weights_sha256(model),
        "precision": precision_in_words(model),
        "model": config,
        "input": extractor.to_dict(),
    }


def weights_sha256(model: torch.nn.Module) -> str:
    """SHA-256 of all weights with their names, as they are in memory: two models that share it are the same."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        # As bytes, since NumPy has no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
