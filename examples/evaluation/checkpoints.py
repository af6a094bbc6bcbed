"""What a row says of the checkpoint that it was measured with."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from brant_hf import BrantConfig


def name_and_revision(model: str | None, revision: str = "main") -> tuple[str, str]:
    """Name of a checkpoint without the folders it lies in, and its commit where it is on the Hub.

    Parameters
    ----------
    model : str or None
        Folder, or id on the Hub; random weights if `None`.
    revision : str
        Branch, tag or commit.
    """
    if model is None:
        return "Brant, random weights", ""
    if Path(model).is_dir():
        return Path(model).resolve().name, ""
    commit = getattr(BrantConfig.from_pretrained(model, revision=revision), "_commit_hash", None)
    return model, str(commit or revision)[:7]


def count_parameters(model_class: type[PreTrainedModel], config: BrantConfig) -> int:
    """Parameters of a model, without making it."""
    with torch.device("meta"):
        return model_class._from_config(config).num_parameters()
