import os

# Before any import of a Hugging Face library: no test reaches the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from brant_hf import BrantConfig

REFERENCE = Path(__file__).parent / "fixtures" / "reference"


@pytest.fixture(scope="session")
def reference() -> dict[str, torch.Tensor]:
    """Numbers of the published code, see fixtures/reference/SOURCE.txt."""
    return load_file(REFERENCE / "vectors.safetensors")


@pytest.fixture
def small_config():
    """A factory of small configurations."""

    def make(**kwargs) -> BrantConfig:
        fields = {
            "patch_length": 30,
            "num_patches": 15,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_temporal_layers": 2,
            "num_spatial_layers": 2,
            "num_attention_heads": 4,
            "prediction_length": 40,
        }
        return BrantConfig(**{**fields, **kwargs})

    return make


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
