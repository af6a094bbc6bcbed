"""The precision to work in, by wish, by model and by CPU."""

import warnings

import numpy as np
import pytest
import torch

from brant_hf import precision
from brant_hf.detection import Detector, SeizureDetectionPipeline
from brant_hf.detection.facts import model_facts
from brant_hf.precision import (
    LARGE_MODEL,
    best_device,
    fastest_dtype,
    has_fast_bfloat16,
    set_precision,
    usable_device,
)

CPU = torch.device("cpu")
needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")


class Sized:
    def __init__(self, parameters: int) -> None:
        self.parameters = parameters

    def num_parameters(self) -> int:
        return self.parameters


@pytest.mark.parametrize(
    ("asked", "parameters", "has_instructions", "device", "expected"),
    [
        (None, LARGE_MODEL, True, "cpu", torch.bfloat16),
        ("auto", LARGE_MODEL, True, "cpu", torch.bfloat16),
        (None, LARGE_MODEL, False, "cpu", None),
        (None, LARGE_MODEL, None, "cpu", None),
        (None, LARGE_MODEL - 1, True, "cpu", None),
        ("float32", LARGE_MODEL, True, "cpu", "float32"),
        (None, LARGE_MODEL, True, "cuda", None),
    ],
)
def test_large_models_take_bfloat16_where_a_cpu_has_it(
    monkeypatch, asked, parameters, has_instructions, device, expected
):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: has_instructions)
    assert fastest_dtype(asked, Sized(parameters), torch.device(device)) == expected


@pytest.mark.parametrize(("flag", "expected"), [("avx512_bf16", True), ("amx_bf16", True), ("avx2", False)])
def test_what_a_cpu_has(monkeypatch, flag, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True}, raising=False)
    assert has_fast_bfloat16() is expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert has_fast_bfloat16() is None


def test_a_warning_of_bfloat16_that_a_cpu_emulates(monkeypatch, detector):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: False)
    with pytest.warns(UserWarning, match="bfloat16, which this CPU has no instructions for.*take int8"):
        set_precision(detector(), "bfloat16", CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        set_precision(detector(), None, CPU)
        monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
        set_precision(detector(), "bfloat16", CPU)


@needs_onednn
def test_detection_with_weights_in_8_bits(detector, extractor, noise, tmp_path):
    detector().half().save_pretrained(tmp_path)
    extractor().save_pretrained(tmp_path)
    inputs = {"array": noise(2, 900), "sampling_rate": 100}
    expected = SeizureDetectionPipeline.from_pretrained(tmp_path, progress=False, device="cpu")(inputs)
    for pipe in (
        SeizureDetectionPipeline.from_pretrained(tmp_path, progress=False, device="cpu", dtype="int8"),
        SeizureDetectionPipeline(detector(), extractor(), progress=False, device="cpu", dtype="int8"),
    ):
        assert model_facts(pipe.model)["precision"] == "int8"
        np.testing.assert_allclose(pipe(inputs)["probabilities"], expected["probabilities"], atol=0.05)
    model = Detector.from_pretrained(tmp_path, dtype="int8").model
    assert model_facts(model)["weights SHA-256"] != model_facts(detector())["weights SHA-256"]
    set_precision(model, None, CPU)
    with pytest.raises(ValueError, match="weights in 8 bits"):
        set_precision(model, "float32", CPU)


@pytest.mark.parametrize(("dtype", "device", "message"), [("int8", "cuda", "works on a CPU"), ("int4", "cpu", "int4")])
def test_what_is_refused(detector, dtype, device, message):
    with pytest.raises(ValueError, match=message):
        set_precision(detector(), dtype, torch.device(device))


def test_a_device_without_a_driver_is_not_taken(monkeypatch):
    """Builds for CUDA, which pip installs on Linux, name their device on machines without a GPU too."""

    def current_accelerator(check_available=False):
        return None if check_available else torch.device("cuda")

    monkeypatch.setattr(torch.accelerator, "current_accelerator", current_accelerator)
    assert best_device() == CPU


@pytest.mark.parametrize(
    ("rank", "count", "expected"), [("1", 2, "cuda:1"), ("1", 1, "cuda"), ("", 2, "cuda"), (None, 2, "cuda")]
)
def test_each_process_of_torchrun_has_its_device(monkeypatch, rank, count, expected):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert precision.best_device() == torch.device(expected)


@pytest.mark.parametrize("device", ["gpu", "meta", "0", "", None, "cuda:99"])
def test_a_device_that_cannot_be_used_is_told(device):
    assert usable_device("cpu") == CPU
    with pytest.raises(ValueError, match=rf"device is {device!r}, which cannot be used here .*; expected 'cpu'"):
        usable_device(device)
