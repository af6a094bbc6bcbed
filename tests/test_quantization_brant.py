"""Weights in 8 bits: the arithmetic, what it changes of a model, and what cannot be done with it."""

import copy
import pickle

import numpy as np
import pytest
import torch

from brant_hf import BrantForSeizureDetection, BrantModel
from brant_hf.quantization_brant import Int8Linear, is_int8, to_int8

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")


@pytest.fixture
def model(small_config) -> BrantForSeizureDetection:
    torch.manual_seed(0)
    return BrantForSeizureDetection(small_config(initializer_range=0.2)).eval()


def signal(windows: int, channels: int, patches: int = 3) -> torch.Tensor:
    return torch.randn(windows, channels, patches * 30, generator=torch.Generator().manual_seed(1))


def test_a_layer_multiplies_whole_numbers():
    torch.manual_seed(0)
    linear = torch.nn.Linear(40, 24)
    rows = 3 * torch.randn(2, 5, 40).double().numpy() + 1
    weight, bias = (each.detach().double().numpy() for each in (linear.weight, linear.bias))
    scale = np.abs(weight).max(axis=1) / 127
    low, high = rows.min(axis=-1, keepdims=True), rows.max(axis=-1, keepdims=True)
    step = (high - low) / 127
    products = np.rint((rows - low) / step) @ np.rint(weight / scale[:, None]).T
    expected = step * products * scale + low * (np.rint(weight / scale[:, None]).sum(axis=1) * scale) + bias
    with torch.no_grad():
        output = Int8Linear(linear)(torch.from_numpy(rows).float())
    np.testing.assert_allclose(output, expected, atol=1e-4)
    np.testing.assert_allclose(output, rows @ weight.T + bias, atol=0.2)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_row_of_one_value(value):
    linear = torch.nn.Linear(40, 24)
    row = torch.full((1, 40), value)
    with torch.no_grad():
        torch.testing.assert_close(Int8Linear(linear)(row), linear(row), atol=0.1, rtol=0)


def test_a_model_says_nearly_the_same(model):
    values = signal(4, 3)
    with torch.no_grad():
        expected, logits = model(values).logits, to_int8(copy.deepcopy(model))(values).logits
    assert 0 < (logits - expected).norm() / expected.norm() < 0.05


def test_what_else_is_in_the_batch_changes_nothing(model):
    to_int8(model)
    values, mask = signal(4, 3), torch.tensor([[1, 1, 0]] * 4)
    values[:, 2] *= 1000
    with torch.no_grad():
        alone = torch.cat([model(each[None, :2]).logits for each in values])
        together = model(values, channel_mask=mask).logits[:, :2]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", torch.int8])
def test_loading(model, tmp_path, dtype):
    model.save_pretrained(tmp_path)
    loaded = BrantModel.from_pretrained(tmp_path, dtype=dtype)
    expected = to_int8(model).brant
    with torch.no_grad():
        torch.testing.assert_close(
            loaded(signal(1, 2)).last_hidden_state, expected(signal(1, 2)).last_hidden_state, rtol=1e-4, atol=1e-5
        )
    assert is_int8(loaded)
    assert isinstance(loaded.embeddings.projection, torch.nn.Linear)
    assert sum("integers" in name for name in loaded.state_dict()) == 4 * 6


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_says_the_same(model, copied):
    to_int8(model)
    with torch.no_grad():
        torch.testing.assert_close(copied(model)(signal(1, 2)).logits, model(signal(1, 2)).logits)


def test_no_training_and_no_saving(model, tmp_path):
    to_int8(model)
    with pytest.raises(ValueError, match="cannot be saved"):
        model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="cannot be trained"):
        model(signal(1, 2).requires_grad_())
    assert not any(parameter.requires_grad for parameter in model.parameters())
