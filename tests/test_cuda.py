"""What runs on a CPU runs on a CUDA device, with the same numbers."""

import pickle

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

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
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
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
def test_gradients_are_those_of_the_cpu(small_config, model_class):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0, prediction_dropout=0.0)
    model = model_class(config).eval()  # the mask of pre-training is drawn on the device, but for evaluation
    inputs = batch(model_class, config)
    expected = gradients(model, inputs)
    model.zero_grad()
    found = gradients(model.cuda(), on_cuda(inputs))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name].cpu(), gradient, rtol=1e-3, atol=1e-5)


def test_autocast_and_compiled_layers_come_near_fp32(small_config):
    config = small_config(hidden_dropout=0.0, attention_dropout=0.0)
    model = BrantForSeizureDetection(config).cuda().train()
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


def test_gradient_checkpointing_draws_the_same_dropout_again(small_config):
    config = small_config()
    model = BrantForSeizureDetection(config).cuda().train()
    inputs = on_cuda(batch(BrantForSeizureDetection, config))
    torch.manual_seed(3)
    expected = gradients(model, inputs)
    model.zero_grad()
    model.gradient_checkpointing_enable()
    torch.manual_seed(3)
    torch.testing.assert_close(gradients(model, inputs), expected)


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
