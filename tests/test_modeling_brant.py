from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments

from brant_hf import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
    modeling_brant,
)
from brant_hf.modeling_brant import compute_band_power, dominant_frequency, instantaneous_phase

HEADS = [
    BrantForPreTraining,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForSeizureDetection,
]
MODELS = [BrantModel, *HEADS]
PREDICTIONS = {
    BrantModel: ["last_hidden_state"],
    BrantForPreTraining: ["reconstruction"],
    BrantForForecasting: ["prediction_outputs"],
    BrantForFrequencyPhaseForecasting: ["frequency", "phase"],
    BrantForImputation: ["reconstruction", "imputed_values"],
    BrantForSeizureDetection: ["logits"],
}


def make_inputs(model_class, config, batch_size=2, num_channels=3, num_patches=4):
    """Inputs of a model with everything that its loss needs."""
    shape = (batch_size, num_channels, num_patches * config.patch_length)
    inputs = {"input_values": torch.randn(shape)}
    if model_class is BrantForPreTraining:
        inputs["bool_masked_pos"] = torch.rand(batch_size, num_channels, num_patches) < 0.5
    elif model_class in (BrantForForecasting, BrantForFrequencyPhaseForecasting):
        inputs["labels"] = torch.randn(batch_size, num_channels, config.prediction_length)
    elif model_class is BrantForImputation:
        inputs["observed_mask"] = torch.rand(shape) < 0.6
        inputs["labels"] = inputs["input_values"].clone()
    elif model_class is BrantForSeizureDetection:
        inputs["labels"] = torch.randint(2, (batch_size, num_channels, num_patches))
    return inputs


def pad_channels(inputs, num_padded, value):
    """Inputs with more channels that `channel_mask` declares as padding."""
    padded = {}
    for name, tensor in inputs.items():
        rest = tensor.shape[2:]
        filler = torch.full((tensor.shape[0], num_padded, *rest), value).to(tensor.dtype)
        padded[name] = torch.cat([tensor, filler], dim=1)
    batch_size, num_channels = inputs["input_values"].shape[:2]
    mask = torch.tensor([1] * num_channels + [0] * num_padded)
    padded["channel_mask"] = mask.expand(batch_size, -1)
    return padded


# Bands and phase, against SciPy


@pytest.mark.parametrize("length", [1500, 255, 31])
@pytest.mark.parametrize("sampling_rate", [256, 250, 512.5])
def test_band_power_equals_scipy(length, sampling_rate):
    edges = [4, 8, 13, 30, 50, 70, 90, 110, 128]
    signal = np.random.default_rng(0).normal(3.0, 20.0, (2, 5, length)).astype(np.float32)
    frequencies, power = scipy.signal.periodogram(signal.astype(float), fs=sampling_rate)
    expected = np.stack(
        [
            np.log10(1 + power[..., (frequencies > low) & (frequencies <= high)].sum(-1))
            for low, high in pairwise(edges)
        ],
        axis=-1,
    )
    actual = compute_band_power(torch.tensor(signal), sampling_rate, edges)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_band_power_counts_an_edge_in_the_lower_band():
    # 16 samples at 16 Hz: bins at whole Hz. A sine at 4 Hz belongs to (2, 4], not to (4, 6].
    sine = torch.sin(2 * torch.pi * 4 * torch.arange(16) / 16)
    lower, upper = compute_band_power(sine, 16, [2, 4, 6])
    assert lower > 0.1
    assert upper < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_band_power_is_computed_in_fp32(dtype):
    patches = (torch.randn(4, 1500) * 300).to(dtype)
    power = compute_band_power(patches, 256, [4, 30, 128])
    assert power.dtype == torch.float32
    torch.testing.assert_close(power, compute_band_power(patches.float(), 256, [4, 30, 128]))
    # The sum over 1500 samples of this amplitude is beyond the range of fp16.
    assert torch.isfinite(power).all()


@pytest.mark.parametrize("length", [64, 75])
def test_phase_equals_scipy(length):
    signal = np.random.default_rng(0).normal(size=(3, length))
    expected = np.angle(scipy.signal.hilbert(signal, axis=-1))
    np.testing.assert_allclose(instantaneous_phase(torch.tensor(signal)).numpy(), expected, atol=1e-9)


def test_dominant_frequency_of_sines():
    times = torch.arange(100)
    signal = torch.stack([torch.sin(2 * torch.pi * f * times) for f in (0.05, 0.21)] + [(-1.0) ** times])
    # numpy.fft.fftfreq counts the Nyquist frequency of an even length as negative.
    torch.testing.assert_close(dominant_frequency(signal), torch.tensor([0.05, 0.21, -0.5]))


# Shapes and precision


@pytest.mark.parametrize("model_class", MODELS)
@pytest.mark.parametrize(("num_channels", "num_patches"), [(1, 1), (1, 15), (2, 7), (256, 2)])
@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
def test_shapes(small_config, model_class, num_channels, num_patches, attn_implementation):
    config = small_config()
    model = model_class(config)
    model.set_attn_implementation(attn_implementation)
    inputs = make_inputs(model_class, config, 1, num_channels, num_patches)
    outputs = model(**inputs)
    expected = {
        "last_hidden_state": (1, num_channels, num_patches, 32),
        "reconstruction": (1, num_channels, num_patches * 30),
        "imputed_values": (1, num_channels, num_patches * 30),
        "prediction_outputs": (1, num_channels, 40),
        "frequency": (1, num_channels),
        "phase": (1, num_channels, 40),
        "logits": (1, num_channels, num_patches, 2),
    }
    for name in PREDICTIONS[model_class]:
        assert outputs[name].shape == expected[name]
        assert torch.isfinite(outputs[name]).all()
    if model_class is not BrantModel:
        outputs.loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("model_class", HEADS)
@pytest.mark.parametrize("how", ["bf16 weights", "fp16 weights", "bf16 autocast"])
def test_reduced_precision(small_config, model_class, how):
    config = small_config()
    model = model_class(config).eval()
    inputs = make_inputs(model_class, config)
    inputs["input_values"] *= 300  # microvolts
    expected = model(**inputs)
    if how == "bf16 autocast":
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(**inputs)
    else:
        outputs = model.to(getattr(torch, {"bf16": "bfloat16", "fp16": "float16"}[how[:4]]))(**inputs)
    assert outputs.loss.dtype == torch.float32
    torch.testing.assert_close(outputs.loss, expected.loss, rtol=2e-2, atol=2e-2)


def adapted(model):
    return get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["detection_head"]))


@pytest.mark.parametrize("prepare", [lambda model: model, adapted, lambda model: model.brant])
def test_weights_in_fp16_are_not_trained(small_config, prepare):
    config = small_config()
    inputs = make_inputs(BrantForSeizureDetection, config)
    model = prepare(BrantForSeizureDetection(config).half())
    if isinstance(model, BrantModel):  # under the head of somebody else
        del inputs["labels"]
    with torch.no_grad():
        model.train()(**inputs)
    with pytest.raises(ValueError, match=r"fp16 weights \(`\S+`\).* `dtype=torch.float32`"):
        model(**inputs)
    model.float()(**inputs)


def test_frozen_weights_may_be_in_fp16(small_config):
    model = BrantModel(small_config()).half().requires_grad_(False)
    assert torch.isfinite(model(torch.randn(2, 3, 60)).last_hidden_state).all()


@pytest.mark.parametrize("model_class", HEADS)
def test_a_loss_that_is_no_number_is_told(small_config, model_class, monkeypatch):
    told = []
    monkeypatch.setattr(modeling_brant.logger, "warning_once", told.append)
    config = small_config()
    model, inputs = model_class(config), make_inputs(model_class, config)
    model(**inputs)
    assert not told
    next(model.parameters()).data.fill_(torch.nan)
    model(**inputs)
    assert told[0].startswith(f"The loss of `{model_class.__name__}` is nan")


def test_training_on_raw_microvolts_is_told(small_config, monkeypatch):
    told = []
    monkeypatch.setattr(modeling_brant.logger, "warning_once", told.append)
    config = small_config()
    signal = 50 * torch.randn(2, 3, 60)
    BrantModel(config)(signal / 50)
    BrantModel(config)(signal, channel_mask=torch.ones(2, 3))  # of a collator, which knows what it does
    BrantModel(config).eval()(signal)
    assert not told
    model = BrantModel(config)
    model(signal)
    model(signal)
    assert len(told) == 1
    assert "as of microvolts" in told[0]


@pytest.mark.parametrize("num_spatial_layers", [0, 2])
def test_all_hidden_states_and_attentions(small_config, num_spatial_layers):
    config = small_config(num_spatial_layers=num_spatial_layers)
    model = BrantForSeizureDetection._from_config(config, attn_implementation="eager").eval()
    outputs = model(torch.randn(2, 3, 5 * 30), output_hidden_states=True, output_attentions=True)
    assert [tuple(h.shape) for h in outputs.hidden_states] == [(2, 3, 5, 32)] * (3 + num_spatial_layers)
    assert [tuple(a.shape) for a in outputs.temporal_attentions] == [(2, 3, 4, 5, 5)] * 2
    assert [tuple(a.shape) for a in outputs.spatial_attentions] == [(2, 5, 4, 3, 3)] * num_spatial_layers
    for attention in outputs.temporal_attentions + outputs.spatial_attentions:
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))


def test_attentions_need_an_implementation_that_returns_them(small_config):
    model = BrantModel(small_config())
    with pytest.raises(ValueError, match=r"got 'sdpa'\. Load the model with `attn_implementation='eager'`"):
        model(torch.randn(1, 1, 30), output_attentions=True)


# What must not change a result


@pytest.mark.parametrize("model_class", MODELS)
@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("filler", [0.0, 1e4, float("nan")])
def test_padded_channels_change_nothing(small_config, model_class, attn_implementation, filler):
    config = small_config()
    model = model_class(config).eval()
    model.set_attn_implementation(attn_implementation)
    inputs = make_inputs(model_class, config)
    expected = model(**inputs)
    if "labels" in inputs and not inputs["labels"].is_floating_point():
        filler = 0.0
    outputs = model(**pad_channels(inputs, 4, filler))
    for name in PREDICTIONS[model_class]:
        torch.testing.assert_close(outputs[name][:, :3], expected[name], rtol=1e-5, atol=1e-5)
    if model_class is not BrantModel:
        torch.testing.assert_close(outputs.loss, expected.loss, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model_class", HEADS)
@pytest.mark.parametrize("filler", [7.0, float("nan")])
def test_padded_channels_get_no_gradient_into_the_weights(small_config, model_class, filler):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0, prediction_dropout=0.0)
    model = model_class(config)
    inputs = make_inputs(model_class, config)
    model(**inputs).loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    if inputs.get("labels") is not None and not inputs["labels"].is_floating_point():
        filler = 0.0
    model(**pad_channels(inputs, 2, filler)).loss.backward()
    for name, parameter in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("model_class", MODELS)
def test_permuted_channels_permute_the_outputs(small_config, model_class):
    config = small_config()
    model = model_class(config).eval()
    inputs = make_inputs(model_class, config, num_channels=5)
    order = torch.tensor([3, 0, 4, 1, 2])
    expected = model(**inputs)
    outputs = model(**{name: tensor[:, order] for name, tensor in inputs.items()})
    for name in PREDICTIONS[model_class]:
        torch.testing.assert_close(outputs[name], expected[name][:, order], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model_class", MODELS)
def test_a_batch_equals_its_windows(small_config, model_class):
    config = small_config()
    model = model_class(config).eval()
    inputs = make_inputs(model_class, config, batch_size=3)
    outputs = model(**inputs)
    for index in range(3):
        single = model(**{name: tensor[index : index + 1] for name, tensor in inputs.items()})
        for name in PREDICTIONS[model_class]:
            torch.testing.assert_close(outputs[name][index : index + 1], single[name], rtol=1e-5, atol=1e-5)


def test_band_power_of_padded_channels_changes_nothing(small_config):
    model = BrantModel(small_config()).eval()
    signal, power = torch.randn(1, 3, 60), torch.rand(1, 3, 2, 8)
    mask = torch.tensor([[1, 1, 0]])
    expected = model(signal, mask, band_power=power).last_hidden_state[:, :2]
    power[:, 2] = float("nan")
    torch.testing.assert_close(model(signal, mask, band_power=power).last_hidden_state[:, :2], expected)


@pytest.mark.parametrize("model_class", MODELS)
def test_own_band_power_is_used(small_config, model_class):
    config = small_config()
    model = model_class(config).eval()
    inputs = make_inputs(model_class, config)
    torch.nn.init.normal_(model.base_model.embeddings.band_embeddings)
    name = PREDICTIONS[model_class][0]
    first, second = (model(**inputs, band_power=torch.rand(2, 3, 4, 8) * 9)[name] for _ in range(2))
    assert not torch.allclose(first, second)


# Layers


def test_layer_equals_torch(small_config):
    """torch.nn.TransformerEncoderLayer is what the published code uses."""
    config = small_config(layer_norm_eps=0.1)
    layer = BrantModel(config).temporal_layers[0].eval()
    expected = torch.nn.TransformerEncoderLayer(32, 4, 48, batch_first=True, layer_norm_eps=0.1).eval()
    weights = {
        "self_attn.in_proj_weight": torch.cat([getattr(layer.attention, f"{n}_proj").weight for n in "qkv"]),
        "self_attn.in_proj_bias": torch.cat([getattr(layer.attention, f"{n}_proj").bias for n in "qkv"]),
    }
    names = {
        "self_attn.out_proj": layer.attention.o_proj,
        "linear1": layer.mlp.fc1,
        "linear2": layer.mlp.fc2,
        "norm1": layer.attention_norm,
        "norm2": layer.mlp_norm,
    }
    for name, module in names.items():
        weights |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    expected.load_state_dict(weights)
    states = torch.randn(2, 3, 5, 32)
    torch.testing.assert_close(layer(states), expected(states.flatten(0, 1)).view_as(states), rtol=1e-5, atol=1e-5)


def test_dropout_is_where_the_published_layer_has_it(small_config):
    states = torch.randn(1, 2, 5, 32)
    # With every hidden value dropped, both branches are empty.
    layer = BrantModel(small_config(hidden_dropout=1.0)).temporal_layers[0].train()
    torch.testing.assert_close(layer(states), layer.mlp_norm(layer.attention_norm(states)))
    torch.testing.assert_close(layer.mlp(states), layer.mlp.fc2.bias.expand_as(states))
    for attn_implementation in ("eager", "sdpa"):
        model = BrantModel(small_config(attention_dropout=1.0)).train()
        model.set_attn_implementation(attn_implementation)
        attention = model.spatial_layers[0].attention
        torch.testing.assert_close(attention(states)[0], attention.o_proj.bias.expand_as(states))
    forecasting = BrantForForecasting(small_config(prediction_dropout=1.0)).train()
    assert not forecasting(torch.randn(1, 2, 30)).prediction_outputs.any()


# Masks


@pytest.mark.parametrize("mask_band_power", [False, True])
def test_masked_patches_hide_the_signal(small_config, mask_band_power):
    config = small_config(mask_band_power=mask_band_power, learnable_mask=True)
    model = BrantModel(config).eval()
    torch.nn.init.normal_(model.embeddings.mask_token)
    torch.nn.init.normal_(model.embeddings.band_power_mask_token)
    signal, other = torch.randn(1, 2, 4 * 30), torch.randn(1, 2, 4 * 30) * 10
    mask = torch.zeros(1, 2, 4, dtype=torch.bool)
    mask[0, 1, 2] = True
    other = torch.where(mask.repeat_interleave(30, -1), other, signal)
    with torch.no_grad():
        first = model(signal, bool_masked_pos=mask).last_hidden_state
        second = model(other, bool_masked_pos=mask).last_hidden_state
        # The published code leaks the band power of masked patches, `mask_band_power` does not.
        assert torch.equal(first, second) == mask_band_power
        embedded = model.embeddings(signal, mask)[0, 1, 2]
        expected = model.embeddings.projection(model.embeddings.mask_token) + model.embeddings.position_embeddings[2]
        if mask_band_power:
            expected = expected + model.embeddings.band_power_mask_token
        else:
            power = compute_band_power(signal[0, 1, 60:90], 256, config.band_edges).softmax(-1)
            expected = expected + power @ model.embeddings.band_embeddings
        torch.testing.assert_close(embedded, expected)


@pytest.mark.parametrize("training", [True, False])
def test_drawn_patch_masks_have_the_exact_share(small_config, training, monkeypatch):
    model = BrantForPreTraining(small_config(mask_ratio=0.4)).train(training)
    drawn = []
    forward = model.brant.forward
    monkeypatch.setattr(
        model.brant,
        "forward",
        lambda *args, **kwargs: drawn.append(kwargs["bool_masked_pos"]) or forward(*args, **kwargs),
    )
    signal = torch.randn(2, 6, 5 * 30)
    channel_mask = torch.tensor([[1] * 6, [1, 1, 0, 0, 0, 0]])
    first, second = model(signal, channel_mask), model(signal, channel_mask)
    assert [mask.sum((1, 2)).tolist() for mask in drawn] == [[12, 4], [12, 4]]
    assert not drawn[0][1, 2:].any()
    # Random in training; in evaluation the loss is the same at each call and does not depend on padding.
    assert torch.equal(drawn[0], drawn[1]) != training
    if not training:
        assert first.loss == second.loss
        alone = model(signal[1:, :2])
        torch.testing.assert_close(alone.reconstruction, first.reconstruction[1:, :2], rtol=1e-5, atol=1e-5)


def test_pretraining_loss_on_masked_patches(small_config):
    mask = torch.zeros(1, 2, 3, dtype=torch.bool)
    mask[0, 0, 1] = True
    signal = torch.randn(1, 2, 90)
    model = BrantForPreTraining(small_config(loss_on="masked")).eval()
    outputs = model(signal, bool_masked_pos=mask)
    errors = (outputs.reconstruction - signal).square()
    torch.testing.assert_close(outputs.loss, errors[0, 0, 30:60].mean())
    model.config.loss_on = "all"
    torch.testing.assert_close(model(signal, bool_masked_pos=mask).loss, errors.mean())
    assert model(signal, bool_masked_pos=mask, return_loss=False).loss is None


@pytest.mark.parametrize("missing_values", ["zero", "linear"])
def test_imputation_ignores_what_stands_in_missing_samples(small_config, missing_values):
    model = BrantForImputation(small_config(missing_values=missing_values)).eval()
    signal = torch.randn(1, 2, 60)
    observed = torch.rand(1, 2, 60) < 0.6
    complete = model(signal, observed_mask=observed)
    holes = model(signal.masked_fill(~observed, float("nan")), observed_mask=observed)
    assert torch.equal(complete.reconstruction, holes.reconstruction)
    assert torch.equal(holes.imputed_values[observed], signal[observed])
    assert torch.equal(holes.imputed_values[~observed], holes.reconstruction[~observed])
    loss = model(signal, observed_mask=observed, labels=signal).loss
    torch.testing.assert_close(loss, (complete.reconstruction - signal)[~observed].square().mean())


def test_a_head_that_adds_nothing_leaves_missing_samples_on_the_line_of_numpy(small_config):
    model = BrantForImputation(small_config(missing_values="linear")).eval()
    torch.nn.init.zeros_(model.reconstruction_head.weight)
    torch.nn.init.zeros_(model.reconstruction_head.bias)
    signal, observed = torch.randn(2, 2, 60), torch.rand(2, 2, 60) < 0.4
    observed[0, 0] = False
    observed[1, 1] = torch.arange(60) == 7
    lines = model(signal.masked_fill(~observed, float("nan")), observed_mask=observed).imputed_values
    positions = np.arange(60)
    for window, channel in np.ndindex(2, 2):
        seen = observed[window, channel].numpy()
        known = signal[window, channel].numpy()[seen]
        expected = np.interp(positions, positions[seen], known) if seen.any() else np.zeros(60)
        np.testing.assert_allclose(lines[window, channel].detach().numpy(), expected, atol=1e-6)


def test_imputation_without_mask(small_config):
    model = BrantForImputation(small_config(mask_ratio=0.4)).eval()
    signal = torch.randn(2, 3, 15 * 30)
    assert torch.equal(model(signal).imputed_values, signal)
    with_labels = model(signal, labels=signal)
    share = (with_labels.imputed_values != signal).float().mean().item()
    assert abs(share - 0.4) < 0.05
    assert with_labels.loss == model(signal, labels=signal).loss


def test_imputation_masks_are_random_in_training(small_config):
    config = small_config(mask_ratio=0.1, hidden_dropout=0.0, attention_dropout=0.0)
    model = BrantForImputation(config).train()
    signal = torch.randn(2, 3, 15 * 30)
    first, second = (model(signal, labels=signal).imputed_values != signal for _ in range(2))
    assert not torch.equal(first, second)
    assert abs(first.float().mean().item() - 0.1) < 0.03


def test_frequency_and_phase_losses_add_up(small_config):
    model = BrantForFrequencyPhaseForecasting(small_config()).eval()
    outputs = model(torch.randn(1, 2, 30), labels=torch.randn(1, 2, 40))
    assert outputs.loss == outputs.frequency_loss + outputs.phase_loss
    # A constant horizon has a constant phase, which has no spread to divide by.
    assert torch.isfinite(model(torch.randn(1, 2, 30), labels=torch.ones(1, 2, 40)).loss)


@pytest.mark.parametrize("model_class", HEADS)
def test_losses_when_the_head_is_on_another_device(small_config, model_class):
    """The second half of a model that is split over devices; "meta" stands for the other device."""
    config = small_config()
    model = model_class(config)
    inputs = {**make_inputs(model_class, config), "channel_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}
    heads = [module for name, module in model.named_children() if name != "brant"]
    for head in heads:
        head.to("meta")
        head.register_forward_pre_hook(lambda module, args: tuple(each.to("meta") for each in args))
    assert model(**inputs).loss.device.type == "meta"


def test_return_dict_false_in_the_configuration(small_config):
    config = small_config(return_dict=False)
    outputs = BrantForSeizureDetection(config)(torch.randn(1, 1, 30))
    assert isinstance(outputs, tuple)
    assert outputs[0].shape == (1, 1, 1, 2)


def test_ignored_labels(small_config):
    model = BrantForSeizureDetection(small_config()).eval()
    labels = torch.tensor([[[0, -100, 1], [-100, -100, -100]]], dtype=torch.int8)
    outputs = model(torch.randn(1, 2, 90), labels=labels)
    log_probabilities = outputs.logits[0, 0].log_softmax(-1)
    torch.testing.assert_close(outputs.loss, -(log_probabilities[0, 0] + log_probabilities[2, 1]) / 2)
    assert model(torch.randn(1, 2, 90), labels=torch.full_like(labels, -100)).loss == 0


# Bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_values": torch.zeros(2, 60)}, r"\(batch_size, num_channels, num_samples\), got shape \(2, 60\)"),
        ({"input_values": torch.zeros(0, 3, 60)}, r"at least one window and one channel, got shape \(0, 3, 60\)"),
        ({"input_values": torch.zeros(2, 0, 60)}, r"at least one window and one channel, got shape \(2, 0, 60\)"),
        ({"input_values": torch.zeros(2, 3, 61)}, "multiple of patch_length=30, got 61"),
        ({"input_values": torch.zeros(2, 3, 0)}, "multiple of patch_length=30, got 0"),
        ({"input_values": torch.zeros(2, 3, 16 * 30)}, r"at most num_patches=15 patches .* got 16 patches"),
        ({"input_values": np.zeros((2, 3, 90))}, r'must be a tensor, got ndarray.* `return_tensors="pt"`'),
        ({"attention_mask": torch.ones(2, 3)}, "give padded channels by `channel_mask`"),
        ({"channel_mask": torch.ones(2, 4)}, r"`channel_mask` must have shape \(2, 3\) .* got \(2, 4\)"),
        (
            {"bool_masked_pos": torch.ones(2, 3, 4)},
            r"`bool_masked_pos` must have shape \(2, 3, 2\) .* got \(2, 3, 4\)",
        ),
        ({"band_power": torch.ones(2, 3, 2, 7)}, r"`band_power` must have shape \(2, 3, 2, 8\) .* got \(2, 3, 2, 7\)"),
    ],
)
@pytest.mark.parametrize("model_class", [BrantModel, BrantForPreTraining])
def test_bad_inputs(small_config, model_class, change, message):
    inputs = {"input_values": torch.zeros(2, 3, 60), **change}
    with pytest.raises(ValueError, match=message):
        model_class(small_config())(**inputs)


@pytest.mark.parametrize("model_class", HEADS[1:])
def test_bad_labels(small_config, model_class):
    config = small_config()
    inputs = make_inputs(model_class, config)
    found, expected = tuple(inputs["labels"][..., :-1].shape), tuple(inputs["labels"].shape)
    inputs["labels"] = inputs["labels"][..., :-1]
    with pytest.raises(ValueError, match="labels") as error:
        model_class(config)(**inputs)
    assert str(found) in str(error.value)
    assert str(expected) in str(error.value)


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_labels_that_are_no_classes(small_config, value):
    model = BrantForSeizureDetection(small_config()).eval()
    signal, labels = torch.randn(1, 2, 60), torch.tensor([[[0.0, 1.0], [-100.0, 1.0]]])
    assert model(signal, labels=labels).loss == model(signal, labels=labels.int()).loss
    labels[0, 1, 1] = value
    with pytest.raises(ValueError, match="`labels` must be whole numbers"):
        model(signal, labels=labels)


def test_bad_observed_mask(small_config):
    with pytest.raises(ValueError, match=r"`observed_mask` must have shape \(1, 1, 30\)"):
        BrantForImputation(small_config())(torch.zeros(1, 1, 30), observed_mask=torch.ones(1, 1, 29))


# Weights


def test_residual_branches_start_small(small_config):
    config = small_config(hidden_size=512, intermediate_size=512)
    layer = BrantModel(config).temporal_layers[0]
    # Four times narrower than the published size, twice as wide a distribution.
    expected = 0.04 / np.sqrt(2 * config.num_hidden_layers)
    assert layer.attention.o_proj.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert layer.mlp.fc2.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert layer.attention.q_proj.weight.std().item() == pytest.approx(0.04, rel=0.02)
    assert type(config)().initializer_range == 0.02


@pytest.mark.parametrize(
    ("fields", "trainable"),
    [
        ({}, set()),
        ({"learnable_mask": True}, {"mask_token"}),
        ({"learnable_mask": True, "mask_band_power": True}, {"mask_token", "band_power_mask_token"}),
    ],
)
def test_mask_tokens_are_trained_only_when_asked(small_config, fields, trainable, tmp_path):
    model = BrantForPreTraining(small_config(**fields))
    model.save_pretrained(tmp_path)
    for candidate in (model, BrantForPreTraining.from_pretrained(tmp_path)):
        tokens = {n for n, p in candidate.brant.embeddings.named_parameters() if "mask" in n and p.requires_grad}
        assert tokens == trainable


def test_mask_tokens_start_at_zero(small_config):
    embeddings = BrantModel(small_config(learnable_mask=True)).embeddings
    assert not embeddings.mask_token.any()
    assert not embeddings.band_power_mask_token.any()


@pytest.mark.parametrize("model_class", HEADS)
def test_every_trainable_weight_learns(small_config, model_class):
    # Distributed training stops at a trainable weight without a gradient.
    config = small_config(learnable_mask=True)
    model = model_class(config)
    model(**make_inputs(model_class, config)).loss.backward()
    without = {n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())}
    # The softmax does not see a key bias.
    assert {name for name in without if "k_proj.bias" not in name} == set()


# Tools


@pytest.mark.parametrize("model_class", HEADS)
def test_trainer_needs_no_setting(small_config, model_class, tmp_path):
    config = small_config()
    rows = make_inputs(model_class, config, batch_size=8)
    if model_class is BrantForPreTraining:
        del rows["bool_masked_pos"]
    dataset = Dataset.from_dict({name: tensor.tolist() for name, tensor in rows.items()}).with_format("torch")
    arguments = TrainingArguments(
        tmp_path,
        max_steps=3,
        per_device_train_batch_size=2,
        eval_strategy="steps",
        eval_steps=3,
        report_to="none",
        gradient_checkpointing=True,
        gradient_accumulation_steps=2,
        disable_tqdm=True,
    )
    trainer = Trainer(model_class(config), arguments, train_dataset=dataset, eval_dataset=dataset)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()
    assert any("eval_loss" in entry for entry in trainer.state.log_history)
    assert any(not torch.equal(p.detach(), before[name]) for name, p in trainer.model.named_parameters())


def test_accumulated_gradients_are_means(small_config, tmp_path):
    """Trainer divides the loss by the accumulation steps only if it knows that the model does not."""
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0)
    rows = make_inputs(BrantForSeizureDetection, config, batch_size=4)
    dataset = Dataset.from_dict({name: tensor.tolist() for name, tensor in rows.items()}).with_format("torch")
    norms = []
    for batch_size, steps in ((4, 1), (1, 4)):
        torch.manual_seed(0)
        arguments = TrainingArguments(
            tmp_path,
            max_steps=1,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=steps,
            logging_steps=1,
            max_grad_norm=1e9,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
        )
        trainer = Trainer(BrantForSeizureDetection(config), arguments, train_dataset=dataset)
        trainer.train()
        norms.append(next(entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry))
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


@pytest.mark.parametrize("model_class", MODELS)
def test_export_with_dynamic_batch_and_channels(small_config, model_class):
    config = small_config(num_temporal_layers=1, num_spatial_layers=1)
    model = model_class(config).eval()
    batch, channels = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("channels", min=1, max=256)
    signal, mask = torch.randn(2, 3, 60), torch.ones(2, 3, dtype=torch.bool)
    program = torch.export.export(
        model,
        (),
        {"input_values": signal, "channel_mask": mask},
        dynamic_shapes={
            "input_values": {0: batch, 1: channels},
            "channel_mask": {0: batch, 1: channels},
        },
    )
    signal, mask = torch.randn(5, 7, 60), torch.rand(5, 7) < 0.7
    mask[:, 0] = True
    expected, outputs = model(signal, mask), program.module()(input_values=signal, channel_mask=mask)
    for name in PREDICTIONS[model_class]:
        torch.testing.assert_close(outputs[name][mask], expected[name][mask], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model_class", HEADS)
def test_compile_without_graph_breaks(small_config, model_class):
    # Each layer is traced anew, which takes most of the time.
    config = small_config(num_temporal_layers=1, num_spatial_layers=1)
    model = model_class(config).eval()
    inputs = {**make_inputs(model_class, config), "channel_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}
    expected = model(**inputs)
    # "aot_eager" traces forward and backward as the default backend does, and needs no C++ compiler.
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    outputs = compiled(**inputs)
    torch.testing.assert_close(outputs.loss, expected.loss, rtol=1e-5, atol=1e-5)
    outputs.loss.backward()
    assert model.brant.embeddings.projection.weight.grad.abs().sum() > 0


def test_lora_with_reentrant_checkpointing(small_config):
    model = BrantForSeizureDetection(small_config())
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    model.enable_input_require_grads()
    peft_model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)).train()
    peft_model(**make_inputs(BrantForSeizureDetection, small_config())).loss.backward()
    assert all(p.grad is not None for name, p in peft_model.named_parameters() if "lora_" in name)


def test_trainer_predictions_with_mixed_channel_counts(small_config, tmp_path):
    config = small_config(prediction_length=7)
    rows = [{"input_values": torch.randn(n, 30), "labels": torch.randn(n, 7)} for n in (1, 3, 2, 2, 1)]

    def collate(rows):
        size = max(len(row["labels"]) for row in rows)
        batch = {name: torch.stack([pad_rows(row[name], size) for row in rows]) for name in rows[0]}
        return batch | {"channel_mask": torch.stack([pad_rows(torch.ones(len(r["labels"])), size) for r in rows])}

    def pad_rows(tensor, size):
        return torch.cat([tensor, tensor.new_zeros(size - len(tensor), *tensor.shape[1:])])

    shapes = []
    arguments = TrainingArguments(tmp_path, per_device_eval_batch_size=2, report_to="none", disable_tqdm=True)
    trainer = Trainer(
        BrantForFrequencyPhaseForecasting(config),
        arguments,
        data_collator=collate,
        eval_dataset=rows,
        compute_metrics=lambda predictions: shapes.append([p.shape for p in predictions.predictions]) or {},
    )
    assert np.isfinite(trainer.evaluate()["eval_loss"])
    assert shapes == [[(5, 3), (5, 3, 7)]]


def test_lora_on_attention_projections(small_config, tmp_path):
    config = small_config()
    model = BrantForSeizureDetection(config)
    peft_model = get_peft_model(
        model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], modules_to_save=["detection_head"])
    )
    trainable = {name for name, p in peft_model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or "detection_head" in name for name in trainable)
    assert sum("lora_A" in name for name in trainable) == 2 * config.num_hidden_layers
    inputs = make_inputs(BrantForSeizureDetection, config)
    peft_model(**inputs).loss.backward()
    peft_model.save_pretrained(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").is_file()


def test_device_map_and_bf16_loading(small_config, tmp_path):
    model = BrantForSeizureDetection(small_config())
    model.save_pretrained(tmp_path)
    loaded = BrantForSeizureDetection.from_pretrained(tmp_path, device_map={"": "cpu"}, dtype="bfloat16")
    assert {p.dtype for p in loaded.parameters()} == {torch.bfloat16}
    assert torch.equal(loaded.brant.embeddings.projection.weight, model.brant.embeddings.projection.weight.bfloat16())


def test_device_map_offloads_layers_to_disk(small_config, tmp_path):
    model = BrantForSeizureDetection(small_config()).eval()
    model.save_pretrained(tmp_path / "model")
    device_map = {"brant.embeddings": "cpu", "brant.spatial_layers": "cpu", "detection_head": "cpu"}
    loaded = BrantForSeizureDetection.from_pretrained(
        tmp_path / "model",
        device_map={**device_map, "brant.temporal_layers": "disk"},
        offload_folder=tmp_path / "offload",
    )
    signal = torch.randn(1, 3, 60)
    torch.testing.assert_close(loaded(signal).logits, model(signal).logits)
