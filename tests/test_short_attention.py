"""Attention of short sequences where there is no CUDA device; `test_cuda.py` has its kernels."""

import sys

import pytest
import torch

import brant_hf.short_attention
from brant_hf import BrantForPreTraining
from brant_hf.short_attention import NAME


@pytest.mark.parametrize("num_channels", [1, 5, 40])
def test_without_a_gpu_it_is_that_of_pytorch(small_config, num_channels):
    config = small_config()
    torch.manual_seed(0)
    model = BrantForPreTraining(config).eval()
    inputs = {
        "input_values": torch.randn(2, num_channels, config.num_patches * config.patch_length),
        "channel_mask": torch.ones(2, num_channels, dtype=torch.bool),
    }
    inputs["channel_mask"][1, num_channels // 2 + 1 :] = False
    expected = model(**inputs)
    expected.loss.backward()
    gradients = [each.grad.clone() for each in model.parameters() if each.grad is not None]
    model.zero_grad()
    model.set_attn_implementation(NAME)
    found = model(**inputs)
    found.loss.backward()
    assert torch.equal(found.reconstruction, expected.reconstruction)
    for parameter, gradient in zip((p for p in model.parameters() if p.grad is not None), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_it_cannot_show_its_weights(small_config):
    config = small_config()
    model = BrantForPreTraining._from_config(config, attn_implementation=NAME)
    with pytest.raises(ValueError, match=f"got '{NAME}'"):
        model(torch.randn(1, 2, config.patch_length), output_attentions=True)


def test_a_missing_triton_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "brant_hf.short_attention_kernels", raising=False)
    with pytest.raises(ImportError, match=r'needs Triton.*take attn_implementation="sdpa"'):
        brant_hf.short_attention._kernels()
