"""The numbers of the published code, from converted checkpoints (fp32, 1e-4 relative)."""

from pathlib import Path

import pytest
import torch

from brant_hf import convert_original_checkpoint, convert_original_task_checkpoint
from brant_hf.modeling_brant import _phase_target, compute_band_power, dominant_frequency

REFERENCE = Path(__file__).parent / "fixtures" / "reference"
ENCODERS = (REFERENCE / "time_encoder.pt", REFERENCE / "channel_encoder.pt")


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Largest error below 1e-4 of the largest value."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def pretraining_model(request):
    model = convert_original_checkpoint(*ENCODERS, num_attention_heads=2)
    model.set_attn_implementation(request.param)
    return model


def task_model(task):
    return convert_original_task_checkpoint(*ENCODERS, REFERENCE / "heads.pt", task, num_attention_heads=2)


def test_hidden_states(pretraining_model, reference):
    outputs = pretraining_model.brant(reference["input_values"], output_hidden_states=True)
    assert_close(outputs.hidden_states[2], reference["temporal_state"])
    assert_close(outputs.last_hidden_state, reference["last_hidden_state"])


def test_band_power(reference):
    patches = reference["input_values"].unflatten(-1, (-1, 1500))
    assert_close(compute_band_power(patches, 256, [4, 8, 13, 30, 50, 70, 90, 110, 128]), reference["band_power"])


def test_pretraining(pretraining_model, reference):
    mask = reference["bool_masked_pos"].expand(2, -1, -1)
    outputs = pretraining_model(reference["input_values"], bool_masked_pos=mask)
    assert_close(outputs.reconstruction, reference["pretrain_reconstruction"])
    assert_close(outputs.loss, reference["pretrain_loss"])


def test_gradient_norms(pretraining_model, reference):
    mask = reference["bool_masked_pos"].expand(2, -1, -1)
    pretraining_model.zero_grad()
    pretraining_model(reference["input_values"], bool_masked_pos=mask).loss.backward()
    names = {
        "time.input_embedding.band_encoding": "embeddings.band_embeddings",
        "time.input_embedding.positional_encoding": "embeddings.position_embeddings",
        "time.input_embedding.proj.0": "embeddings.projection",
        "time.trans_enc.layers": "temporal_layers",
        "channel.trans_enc.layers": "spatial_layers",
        "channel.proj_out.0": "reconstruction_head",
        "self_attn.in_proj_": "attention.in_proj.",
        "self_attn.out_proj": "attention.o_proj",
        "linear": "mlp.fc",
        "norm1": "attention_norm",
        "norm2": "mlp_norm",
    }
    gradients = {name.removeprefix("brant."): p.grad for name, p in pretraining_model.named_parameters()}
    # The attention of the first layer is nearly saturated for this input. In fp64 these two norms lie 0.9e-3 and
    # 1.4e-3 from the reference, with `torch.nn.TransformerEncoder` in fp32 on another machine 2e-3.
    ill_conditioned = ("time.input_embedding.proj.0.weight", "time.trans_enc.layers.0.self_attn.in_proj_weight")
    checked = 0
    for key, expected in reference.items():
        if not key.startswith("pretrain_grad_norm."):
            continue
        name = key.removeprefix("pretrain_grad_norm.")
        for old, new in names.items():
            name = name.replace(old, new)
        parts = [name.replace("in_proj", f"{part}_proj") for part in "qkv"] if "in_proj" in name else [name]
        norm = torch.cat([gradients[part].flatten() for part in parts]).norm()
        rtol = 3e-3 if key.removeprefix("pretrain_grad_norm.") in ill_conditioned else 1e-4
        torch.testing.assert_close(norm, expected, rtol=rtol, atol=0)
        checked += 1
    assert checked == 54


def test_seizure_detection(reference):
    outputs = task_model("seizure")(reference["input_values"], labels=reference["seizure_labels"])
    assert_close(outputs.logits, reference["seizure_logits"])
    assert_close(outputs.loss, reference["seizure_loss"])


def test_short_forecast(reference):
    outputs = task_model("forecast_short")(
        reference["input_values"], labels=reference["future_values"][..., : 2 * 1500]
    )
    assert_close(outputs.prediction_outputs, reference["forecast_short"])
    assert_close(outputs.loss, reference["forecast_short_loss"])


def test_frequency_and_phase(reference):
    outputs = task_model("frequency_phase")(reference["input_values"], labels=reference["future_values"])
    assert_close(outputs.frequency, reference["frequency_pred"])
    assert_close(outputs.phase, reference["phase_pred"])
    assert_close(outputs.frequency_loss, reference["frequency_loss"])
    assert_close(outputs.phase_loss, reference["phase_loss"])
    assert_close(
        (outputs.frequency - dominant_frequency(reference["future_values"])).abs().mean(), reference["frequency_mae"]
    )


def test_frequency_and_phase_targets(reference):
    assert_close(dominant_frequency(reference["future_values"]), reference["frequency_target"])
    assert_close(_phase_target(reference["future_values"]), reference["phase_target"])


def test_imputation(reference):
    outputs = task_model("imputation")(
        reference["input_values"],
        observed_mask=reference["imputation_observed_mask"],
        band_power=reference["band_power"],
        labels=reference["input_values"],
    )
    assert_close(outputs.reconstruction, reference["imputation_reconstruction"])
    assert_close(outputs.loss, reference["imputation_loss"])
