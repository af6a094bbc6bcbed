"""What runs on a CPU runs on a CUDA device, with the same numbers."""

import pickle

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from brant_hf import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
)
from brant_hf.data import open_recording
from brant_hf.detection import Detector, embed_recording
from brant_hf.detection.embedding import Embedder
from brant_hf.detection.serving import Server

pytestmark = pytest.mark.gpu

HEADS = (
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantForImputation,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
)
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 3e-2}


def batch(model_class, config):
    """Two windows of 5 channels, the last of the second one padded, and labels."""
    signals = torch.randn(2, 5, config.num_patches * config.patch_length)
    inputs = {"input_values": signals, "channel_mask": torch.ones(2, 5, dtype=torch.bool)}
    inputs["channel_mask"][1, 4] = False
    if model_class is BrantForSeizureDetection:
        inputs["labels"] = torch.randint(2, (2, 5, config.num_patches))
    elif model_class is BrantForImputation:
        inputs |= {"observed_mask": torch.rand_like(signals) > 0.4, "labels": signals}
    elif model_class is not BrantForPreTraining:
        inputs["labels"] = torch.randn(2, 5, config.prediction_length)
    return inputs


def on_cuda(inputs):
    return {name: value.cuda() for name, value in inputs.items()}


def real_outputs(outputs, inputs):
    """What counts: everything but padded channels, in fp32 on the CPU."""
    real = inputs["channel_mask"].cpu()
    return [value.float().cpu()[real] if value.ndim else value.float().cpu() for value in outputs.values()]


def relative_error(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def gradients(model, inputs):
    model(**inputs).loss.backward()
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("model_class", HEADS)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("attention", ["eager", "sdpa", "brant_triton"])
def test_every_head_has_the_outputs_of_the_cpu(small_config, model_class, dtype, attention):
    config = small_config()
    model = model_class._from_config(config, attn_implementation="eager").eval()
    inputs = batch(model_class, config)
    with torch.no_grad():
        expected = real_outputs(model(**inputs), inputs)
        model.set_attn_implementation(attention)
        found = real_outputs(model.to("cuda", dtype)(**on_cuda(inputs)), inputs)
    for each, value in zip(found, expected, strict=True):
        assert relative_error(each, value) < TOLERANCES[dtype]


@pytest.mark.parametrize("model_class", HEADS)
@pytest.mark.parametrize("attention", ["sdpa", "brant_triton"])
def test_gradients_are_those_of_the_cpu(small_config, model_class, attention):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0, prediction_dropout=0.0)
    model = model_class(config).eval()  # the mask of pre-training is drawn on the device, but for evaluation
    inputs = batch(model_class, config)
    expected = gradients(model, inputs)
    model.zero_grad()
    model.set_attn_implementation(attention)
    found = gradients(model.cuda(), on_cuda(inputs))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name].cpu(), gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "brant_triton"])
def test_autocast_and_compiled_layers_come_near_fp32(small_config, attention):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0)
    model = BrantForSeizureDetection._from_config(config, attn_implementation=attention).cuda().train()
    inputs = on_cuda(batch(BrantForSeizureDetection, config))
    expected = model(**inputs).loss
    for layer in (*model.brant.temporal_layers, *model.brant.spatial_layers):
        layer.compile(dynamic=False)
    torch.testing.assert_close(model(**inputs).loss, expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cuda", torch.bfloat16):
        loss = model(**inputs).loss
    torch.testing.assert_close(loss, expected, rtol=2e-2, atol=2e-2)
    loss.backward()
    assert all(each.grad.isfinite().all() for each in model.parameters() if each.grad is not None)


@pytest.mark.parametrize("attention", ["sdpa", "brant_triton"])
def test_gradient_checkpointing_draws_the_same_dropout_again(small_config, attention):
    config = small_config()
    model = BrantForSeizureDetection._from_config(config, attn_implementation=attention).cuda().train()
    inputs = on_cuda(batch(BrantForSeizureDetection, config))
    torch.manual_seed(3)
    expected = gradients(model, inputs)
    model.zero_grad()
    model.gradient_checkpointing_enable()
    torch.manual_seed(3)
    torch.testing.assert_close(gradients(model, inputs), expected)


def attention_inputs(num_sequences, num_heads, length, head_dim, dtype=torch.float64):
    """Queries, keys, values, as views of the rows of a projection, and the gradient of the output."""
    shape = (num_sequences, length, num_heads, head_dim)
    rows = [torch.randn(shape, dtype=dtype, device="cuda", requires_grad=True) for _ in range(3)]
    return rows, torch.randn(shape, dtype=dtype, device="cuda")


def attend(rows, gradient, attention, **options):
    """Output and gradients, in fp64."""
    rows = [each.detach().requires_grad_() for each in rows]
    forward = ALL_ATTENTION_FUNCTIONS[attention]
    output, _ = forward(torch.nn.Module(), *(each.transpose(1, 2) for each in rows), None, is_causal=False, **options)
    return [each.double() for each in (output, *torch.autograd.grad(output, rows, gradient))]


def plain_attention(rows, gradient):
    """The same by its definition."""
    rows = [each.detach().double().requires_grad_() for each in rows]
    query, key, value = (each.transpose(1, 2) for each in rows)
    weights = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(dim=-1)
    output = (weights @ value).transpose(1, 2)
    return [output, *torch.autograd.grad(output, rows, gradient.double())]


@pytest.mark.parametrize(
    "shape", [(7, 2, 15, 128), (9, 3, 5, 48), (4, 2, 1, 16), (3, 2, 17, 80), (5, 1, 32, 64), (70_000, 1, 15, 16)]
)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_short_attention_is_attention(shape, dtype):
    rows, gradient = attention_inputs(*shape, dtype=dtype)
    expected = plain_attention(rows, gradient)
    for found, value in zip(attend(rows, gradient, "brant_triton"), expected, strict=True):
        # In a sequence of one, queries and keys have no gradient.
        error, norm = (found - value).norm().item(), max(value.norm().item(), 1.0)
        assert error < norm * (1e-5 if dtype == torch.float32 else 1e-2)


# The kernels that PyTorch chooses differ with the number of sequences, and with what was computed before.
@pytest.mark.parametrize("attention", ["sdpa", "brant_triton"])
@pytest.mark.parametrize("num_sequences", [30, 7500])
def test_attention_of_the_published_size_in_bf16_has_right_gradients(attention, num_sequences):
    rows, gradient = attention_inputs(num_sequences, 16, 15, 128, dtype=torch.bfloat16)
    expected = plain_attention(rows, gradient)
    for dropout in (0.0, 0.1, 0.0):
        found = attend(rows, gradient, attention, dropout=dropout)
    for each, value in zip(found, expected, strict=True):
        assert relative_error(each, value) < 1e-2


def test_short_attention_drops_its_share_of_the_weights():
    # All weights are 1 / 15, so the output is the share of 15 that is kept, divided by 0.9.
    rows, gradient = attention_inputs(20_000, 2, 15, 16, dtype=torch.float32)
    rows = [torch.zeros_like(rows[0]), torch.zeros_like(rows[1]), torch.ones_like(rows[2])]
    output, *_ = attend(rows, gradient, "brant_triton", dropout=0.1)
    kept = (output[..., 0] * 15 * 0.9).round()
    torch.testing.assert_close(kept, output[..., 0] * 15 * 0.9, atol=1e-4, rtol=0)
    assert kept.mean().item() == pytest.approx(15 * 0.9, rel=2e-3)
    assert kept.var().item() == pytest.approx(15 * 0.9 * 0.1, rel=2e-2)
    # Heads and rows are dropped on their own.
    centred = kept - kept.mean()
    assert abs((centred[:, :, 0] * centred[:, :, 1]).mean().item()) < 0.02
    assert abs((centred[:, 1:] * centred[:, :-1]).mean().item()) < 0.02


def test_gradients_of_short_attention_know_what_was_dropped():
    rows, gradient = attention_inputs(6, 2, 15, 32, dtype=torch.float32)

    def product(rows):
        torch.manual_seed(3)
        return attend(rows, gradient, "brant_triton", dropout=0.3)

    gradients = product(rows)[1:]
    for number, slope in enumerate(gradients):
        direction = torch.randn_like(rows[number])
        ends = []
        for step in (-1e-2, 1e-2):
            moved = [each + step * direction if place == number else each for place, each in enumerate(rows)]
            ends.append((product(moved)[0] * gradient).sum().item())
        expected = (ends[1] - ends[0]) / 2e-2
        assert (slope * direction).sum().item() == pytest.approx(expected, rel=2e-2, abs=2e-2)


def test_a_shard_of_one_device_has_the_loss_of_the_model(small_config, tmp_path):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0)
    model = BrantForSeizureDetection(config).cuda().train()
    inputs = on_cuda(batch(BrantForSeizureDetection, config))
    expected = model(**inputs).loss
    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
        for module in (*model.brant.temporal_layers, *model.brant.spatial_layers, model):
            fully_shard(module, mp_policy=policy)
        loss = model(**inputs).loss
        loss.backward()
        torch.testing.assert_close(loss, expected, rtol=2e-2, atol=2e-2)
        assert all(each.grad.dtype == torch.float32 for each in model.parameters() if each.grad is not None)
        del model, loss
    finally:
        dist.destroy_process_group()


def test_recordings_are_detected_and_embedded_as_on_the_cpu(checkpoint, noise):
    rate = 100  # of the checkpoint
    recording = open_recording(noise(3, 30 * rate), rate, seizures=[])
    on_cpu, on_device = (Detector.from_pretrained(checkpoint, device=device) for device in ("cpu", "cuda"))
    expected, found = (each.detect(recording, progress=False) for each in (on_cpu, on_device))
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
    expected, found = (
        embed_recording(recording, each.model, each.extractor, progress=False)["last_hidden_state"]
        for each in (on_cpu, on_device)
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_processes_that_read_share_the_model_of_the_device(detector, extractor, noise):
    whole = Detector(detector().cuda(), extractor())
    embedder = Embedder(whole.model.base_model, extractor())
    recording = open_recording(noise(3, 1010), 100)

    def values(each):
        if isinstance(each, Detector):
            return each.detect(recording, progress=False).probabilities
        return each.embed(recording, progress=False)["last_hidden_state"]

    for worker in (whole, embedder):
        expected = values(worker)
        server = Server(worker.forward)
        with server:
            served = pickle.loads(pickle.dumps(worker.served_by(server.remote)))
            assert np.array_equal(values(served), expected)
