"""Training of several processes whose weights are sharded by FSDP2, with the settings of `examples/accelerate/`."""

import importlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.parallelism_config import ParallelismConfig
from accelerate.utils import (
    DistributedType,
    FullyShardedDataParallelPlugin,
    compile_regions_fsdp2,
    fsdp2_prepare_model,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel

from brant_hf import BrantConfig, BrantForPreTraining, BrantForSeizureDetection
from brant_hf.modeling_brant import BrantLayer

SETTINGS = Path(__file__).parents[2] / "examples" / "accelerate"
PROCESSES = 2
WINDOWS, CHANNELS, PATCHES, PATCH_LENGTH = 4, 3, 4, 20
CASES = ("pre-training", "pre-training, gradient checkpointing", "pre-training, compiled", "seizure detection")


def _settings(name: str) -> ClusterConfig:
    return load_config_from_file(str(SETTINGS / name))


def _model(case: str, seed: int) -> PreTrainedModel:
    """Without dropout, whose draws depend on the process."""
    config = BrantConfig(
        patch_length=PATCH_LENGTH,
        num_patches=PATCHES,
        hidden_size=16,
        intermediate_size=24,
        # Another layer of the same kind would take as long to compile again.
        num_temporal_layers=1 if case.endswith("compiled") else 2,
        num_spatial_layers=1,
        num_attention_heads=2,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        mask_band_power=True,
    )
    torch.manual_seed(seed)
    model = (BrantForSeizureDetection if case == "seizure detection" else BrantForPreTraining)(config).train()
    if case.endswith("checkpointing"):
        model.gradient_checkpointing_enable()
    return model


def _batch(case: str) -> dict[str, torch.Tensor]:
    """As many masked or labelled patches in each window, so that the loss is the mean over the processes."""
    generator = torch.Generator().manual_seed(7)
    signals = torch.randn(WINDOWS, CHANNELS, PATCHES * PATCH_LENGTH, generator=generator)
    if case == "seizure detection":
        labels = torch.randint(2, (WINDOWS, CHANNELS, PATCHES), generator=generator)
        return {"input_values": signals, "labels": labels}
    masked = torch.zeros(WINDOWS, CHANNELS, PATCHES, dtype=torch.bool)
    masked[:, 0, 1] = masked[:, 2] = True
    return {"input_values": signals, "bool_masked_pos": masked}


def _plugin(settings: ClusterConfig) -> FullyShardedDataParallelPlugin:
    """As `accelerate launch` makes it from the file; in fp32, to compare to the digit."""
    fsdp = settings.fsdp_config
    return FullyShardedDataParallelPlugin(
        fsdp_version=fsdp["fsdp_version"],
        reshard_after_forward=fsdp["fsdp_reshard_after_forward"],
        auto_wrap_policy=fsdp["fsdp_auto_wrap_policy"],
        transformer_cls_names_to_wrap=fsdp["fsdp_transformer_layer_cls_to_wrap"],
        cpu_ram_efficient_loading=fsdp["fsdp_cpu_ram_efficient_loading"],
        cpu_offload=fsdp["fsdp_offload_params"],
        state_dict_type=fsdp["fsdp_state_dict_type"],
        activation_checkpointing=fsdp["fsdp_activation_checkpointing"],
    )


def _shard(model: PreTrainedModel, settings: ClusterConfig, is_compiled: bool) -> PreTrainedModel:
    """What `Accelerator.prepare` does to the model; an `Accelerator` itself takes no FSDP without a GPU."""
    accelerator = SimpleNamespace(
        state=SimpleNamespace(fsdp_plugin=_plugin(settings)),
        torch_device_mesh=init_device_mesh("cpu", (PROCESSES,), mesh_dim_names=("dp_shard_cp",)),
        parallelism_config=ParallelismConfig(dp_shard_size=PROCESSES),
        mixed_precision="no",
        is_main_process=dist.get_rank() == 0,
        device=torch.device("cpu"),
    )
    if is_compiled:
        model = compile_regions_fsdp2(model, backend="aot_eager")
    return fsdp2_prepare_model(accelerator, model)


def _train_sharded(rank: int, folder: Path) -> None:
    """One process: loss and gradients of its half of the windows; the first process writes those of all windows."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=PROCESSES)
    settings = _settings("fsdp2_8_gpus.yaml")
    results: dict[str, dict[str, Any]] = {}
    for case in CASES:
        # Another seed: the weights of the first process count.
        model = _shard(_model(case, seed=rank), settings, is_compiled=case.endswith("compiled"))
        half = slice(rank * WINDOWS // PROCESSES, (rank + 1) * WINDOWS // PROCESSES)
        loss = model(**{name: values[half] for name, values in _batch(case).items()}).loss
        loss.backward()
        dist.all_reduce(loss.detach_())
        parameters = dict(model.named_parameters())
        results[case] = {
            "loss": loss / PROCESSES,
            "gradients": {name: each.grad.full_tensor() for name, each in parameters.items() if each.grad is not None},
            "unsharded": [name for name, each in parameters.items() if each.to_local().numel() == each.numel()],
            "root": isinstance(model, FSDPModule),
            "layers": [isinstance(module, FSDPModule) for module in model.modules() if isinstance(module, BrantLayer)],
        }
    if rank == 0:
        torch.save(results, folder / "results.pt")
    # Nobody leaves while the other still talks to it, or while the shards still hold the group.
    dist.barrier()
    del model, parameters, loss
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """Losses, gradients and sharded modules of two processes, for each case."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    folder = tmp_path_factory.mktemp("sharded")
    importlib.import_module("torch._dynamo.convert_frame")  # once for both
    torch.multiprocessing.start_processes(_train_sharded, (folder,), nprocs=PROCESSES, start_method="fork")
    return torch.load(folder / "results.pt", weights_only=True)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_loss_and_the_gradients_of_one(sharded, case):
    model = _model(case, seed=0)
    loss = model(**_batch(case)).loss
    loss.backward()
    torch.testing.assert_close(sharded[case]["loss"], loss.detach())
    expected = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert any(gradient.abs().max() > 0 for gradient in expected.values())
    torch.testing.assert_close(sharded[case]["gradients"], expected)


@pytest.mark.parametrize("case", CASES)
def test_every_layer_is_a_shard_of_its_own(sharded, case):
    layers = [module for module in _model(case, seed=0).modules() if isinstance(module, BrantLayer)]
    assert sharded[case]["layers"] == [True] * len(layers)
    assert len(layers) > 1
    assert sharded[case]["root"]
    assert sharded[case]["unsharded"] == []


@pytest.mark.parametrize(
    ("name", "processes", "machines"), [("fsdp2_8_gpus.yaml", 8, 1), ("fsdp2_64_gpus.yaml", 64, 8)]
)
def test_settings_are_what_accelerate_reads(name, processes, machines):
    settings = _settings(name)
    assert settings.distributed_type == DistributedType.FSDP
    assert (settings.num_processes, settings.num_machines) == (processes, machines)
    assert settings.mixed_precision == "bf16"
    plugin = _plugin(settings)
    assert plugin.fsdp_version == 2
    assert plugin.transformer_cls_names_to_wrap == [BrantLayer.__name__]
    assert plugin.reshard_after_forward
