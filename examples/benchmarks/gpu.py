"""What one CUDA device makes of Brant, as Markdown tables: training steps, parity of the heads, hours of recording.

Training steps are those of pre-training at full size: forward, backward, clipped gradients and fused AdamW on windows
of 100 channels, as many as fill the memory without gradient checkpointing, the same for all rows (half in fp32). They
are timed after two steps that do not count. Floating-point operations of the model for each cell (channel, patch):

    forward  = 2 (layers (4 D^2 + 2 D F) + 2 P D) + 4 D (temporal layers x patches + spatial layers x channels)
    training = 3 x forward

with D the hidden size, F that of the perceptrons and P the samples of a patch: the matrix products and the two
products of attention. What is computed twice for gradient checkpointing does not count. The peak is that of the data
sheet for dense bf16; beside it stands the share of what a large matrix product reaches on this device.

Parity is the largest relative error |a - b| / |b| of the outputs of each head to fp32 with eager attention on the CPU,
with the same random weights at full size and one padded channel. Recordings are noise of 100 channels at 1000 Hz in
memory.

    python examples/benchmarks/gpu.py
    python examples/benchmarks/gpu.py --tiny --device cpu --backend aot_eager --patience 5     # a dry run
"""

from __future__ import annotations

import argparse
import copy
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brant_hf.listing import markdown_head, markdown_row

if TYPE_CHECKING:
    import torch

    from brant_hf import BrantConfig

# Most seconds of each part, in the order of their importance.
PARTS = {"training": 260, "parity": 60, "throughput": 70}
# Dense bf16 [TFLOP/s], from the data sheets; the first that is in the name of the device.
PEAKS = {"H200": 989.4, "H100 PCIe": 756.0, "H100": 989.4, "A100": 312.0, "L40S": 362.0, "L4": 121.0}
WARM_UP_STEPS = 2
# Part of the memory that a batch may fill: what the optimiser and the allocator need comes on top.
FILLED = 0.88


@dataclass(frozen=True)
class Step:
    """A way to train.

    Attributes
    ----------
    name : str
        As shown.
    bf16 : bool
        Whether products are in bf16 (autocast, or the policy of FSDP2); weights and optimiser are in fp32.
    attention : str
        Implementation of the attention.
    compiled : bool
        Whether `torch.compile` makes the kernels of each layer.
    checkpointing : bool
        Whether activations of a layer are computed again for its gradients.
    sharded : bool
        Whether FSDP2 holds the weights, on this one device.
    """

    name: str
    bf16: bool = True
    attention: str = "sdpa"
    compiled: bool = False
    checkpointing: bool = False
    sharded: bool = False


SHORT = "brant_triton"
STEPS = (
    Step(f"bf16, {SHORT}, compiled", attention=SHORT, compiled=True),
    Step("bf16, compiled", compiled=True),
    Step(f"bf16, {SHORT}", attention=SHORT),
    Step("bf16"),
    Step(f"bf16, {SHORT}, FSDP2, compiled", attention=SHORT, sharded=True, compiled=True),
    Step(f"bf16, {SHORT}, gradient checkpointing, compiled", attention=SHORT, checkpointing=True, compiled=True),
    Step(f"bf16, {SHORT}, gradient checkpointing", attention=SHORT, checkpointing=True),
    Step(f"bf16, {SHORT}, FSDP2", attention=SHORT, sharded=True),
    Step("bf16, FlashAttention 2", attention="flash_attention_2"),
    Step("bf16, eager attention", attention="eager"),
    Step("fp32", bf16=False),
)


def training_flops(config: BrantConfig, windows: int, channels: int) -> float:
    """Floating-point operations of the model in a training step, see above."""
    width, patches = config.hidden_size, config.num_patches
    layers = config.num_temporal_layers + config.num_spatial_layers
    products = layers * (4 * width**2 + 2 * width * config.intermediate_size) + 2 * config.patch_length * width
    attention = 4 * width * (config.num_temporal_layers * patches + config.num_spatial_layers * channels)
    return 3.0 * (2 * products + attention) * windows * channels * patches


def make_config(arguments: argparse.Namespace) -> BrantConfig:
    """Full size, or a tiny one for a dry run."""
    from brant_hf import BrantConfig

    if not arguments.tiny:
        return BrantConfig()
    return BrantConfig(
        patch_length=50,
        num_patches=6,
        sampling_rate=100,
        hidden_size=32,
        intermediate_size=48,
        num_temporal_layers=2,
        num_spatial_layers=1,
        num_attention_heads=2,
        prediction_length=100,
    )


def seconds_of(part: str, arguments: argparse.Namespace) -> int:
    """Most seconds of a part."""
    return round(PARTS[part] * arguments.patience)


def synchronize(device: str) -> None:
    """Wait until the device has done what it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def free_memory() -> None:
    """Return memory that no tensor holds any more."""
    import torch

    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def describe(error: BaseException) -> str:
    """One line that fits into a cell of a table."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def print_row(*cells: object) -> None:
    """One row of a table, at once."""
    print(markdown_row(cells), flush=True)


def print_header(title: str, *cells: str) -> None:
    """Title and first rows of a table."""
    print(f"\n### {title}\n", flush=True)
    print(markdown_head(cells), flush=True)


class Trainee:
    """A model in training, its optimiser and a batch.

    Parameters
    ----------
    step : Step
        How to train.
    config : BrantConfig
        Of the model.
    device : str
        Where.
    backend : str
        Of `torch.compile`.
    """

    def __init__(self, step: Step, config: BrantConfig, device: str, backend: str = "inductor") -> None:
        import torch

        from brant_hf import BrantForPreTraining

        self.step, self.device = step, device
        torch.manual_seed(0)
        with torch.device(device):
            self.model = BrantForPreTraining._from_config(config, attn_implementation=step.attention).train()
        if step.checkpointing:
            self.model.gradient_checkpointing_enable()
        encoder = self.model.brant
        layers = [*encoder.temporal_layers, *encoder.spatial_layers]
        if step.compiled:
            for layer in layers:
                layer.compile(dynamic=False, backend=backend)
        if step.sharded:
            shard(self.model, [encoder.embeddings, *layers], device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, fused=True)

    def run(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """One step; returns the loss without waiting for it."""
        import torch

        with torch.autocast(self.device, torch.bfloat16, enabled=self.step.bf16 and not self.step.sharded):
            loss = self.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()


def shard(model: torch.nn.Module, modules: list[torch.nn.Module], device: str) -> None:
    """Give the weights to FSDP2, as `examples/accelerate/` does: fp32 weights, bf16 arithmetic."""
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    if not torch.distributed.is_initialized():
        meeting = tempfile.NamedTemporaryFile(delete=False).name  # noqa: SIM115  another library opens it
        backend = "nccl" if device == "cuda" else "gloo"
        torch.distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=0, world_size=1)
    mesh = torch.distributed.init_device_mesh(device, (1,))
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    for module in (*modules, model):
        fully_shard(module, mesh=mesh, mp_policy=policy)


def random_batch(config: BrantConfig, windows: int, channels: int, device: str) -> dict[str, torch.Tensor]:
    """Windows on the device, as the collator of pre-training makes them."""
    import torch

    samples = config.num_patches * config.patch_length
    return {
        "input_values": torch.randn(windows, channels, samples, device=device),
        "channel_mask": torch.ones(windows, channels, dtype=torch.bool, device=device),
        "bool_masked_pos": torch.rand(windows, channels, config.num_patches, device=device) < config.mask_ratio,
    }


def filling_windows(config: BrantConfig, channels: int, device: str) -> int:
    """How many windows fill the memory in a step with bf16, from the peaks of one and of three windows."""
    import torch

    trainee, peaks = Trainee(Step("probe"), config, device), []
    trainee.run(random_batch(config, 1, channels, device))
    for windows in (1, 3):
        torch.cuda.reset_peak_memory_stats()
        trainee.run(random_batch(config, windows, channels, device))
        peaks.append(torch.cuda.max_memory_allocated())
    each = (peaks[1] - peaks[0]) / 2
    return max(1, int((FILLED * torch.cuda.mem_get_info()[1] - peaks[0]) / each) + 1)


def product_rate(device: str, size: int) -> float:
    """Operations of a square bf16 matrix product a second, the median of ten."""
    import torch

    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = sorted(timed(lambda: a @ b, device) for _ in range(13))
    return 2.0 * size**3 / seconds[len(seconds) // 2]


def timed(call: Callable[[], Any], device: str) -> float:
    """Seconds until what `call` starts has ended."""
    synchronize(device)
    begin = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - begin


def run_training(arguments: argparse.Namespace) -> None:
    """Print a row for each way to train, and one for `Trainer`."""
    import torch

    from brant_hf.training.compilation import set_up_compilation

    set_up_compilation()
    device, config = arguments.device, make_config(arguments)
    deadline = time.monotonic() + seconds_of("training", arguments) - 40
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    peak = arguments.peak or next((peak for known, peak in PEAKS.items() if known in name), None)
    rate = product_rate(device, 8192 if device == "cuda" else 128)
    windows = arguments.windows or (filling_windows(config, arguments.channels, device) if device == "cuda" else 2)
    free_memory()
    print(f"\n{name}, torch {torch.__version__}, {os.cpu_count()} CPU cores, {date.today()}.")
    print(f"Data sheet: {peak or '?'} TFLOP/s; a matrix product reaches {rate / 1e12:.3g} TFLOP/s.")
    print_header(
        f"Training steps, {arguments.channels} channels x {config.num_patches} patches",
        "step", "windows", "seconds", "cells/s", "TFLOP/s", "of the peak", "of a product", "peak memory", "first step",
    )  # fmt: skip

    def print_result(name: str, windows: int, seconds: float, first: float) -> None:
        flops = training_flops(config, windows, arguments.channels) / seconds
        print_row(
            name,
            windows,
            f"{seconds:.3f}",
            f"{windows * arguments.channels * config.num_patches / seconds:,.0f}",
            f"{flops / 1e12:.0f}",
            f"{flops / (peak * 1e12):.1%}" if peak else "",
            f"{flops / rate:.1%}",
            f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device == "cuda" else "",
            f"{first:.1f} s",
        )

    ways: list[tuple[str, int, Callable[[int], tuple[float, float]]]] = [
        (step.name, windows if step.bf16 else max(1, windows // 2), step_timer(step, config, arguments))
        for step in STEPS
    ]
    trainer = (
        f"bf16, {SHORT}, compiled, `Trainer` with 8 loader processes",
        windows,
        trainer_timer(config, arguments),
    )
    ways.insert(2, trainer)
    for name, count, measure in ways:
        if time.monotonic() > deadline:
            print_row(name, "out of time")
            continue
        for number in (count, max(1, count * 3 // 4)):
            try:
                print_result(name, number, *measure(number))
                break
            except Exception as error:  # the next rows may work
                print_row(name, number, describe(error))
                is_too_large = isinstance(error, torch.OutOfMemoryError)
            free_memory()
            if not is_too_large:
                break
        free_memory()


def step_timer(step: Step, config: BrantConfig, arguments: argparse.Namespace) -> Callable[[int], tuple[float, float]]:
    """Return what measures seconds a step, and those of the first one, for a number of windows."""

    def measure(windows: int) -> tuple[float, float]:
        device = arguments.device
        trainee = Trainee(step, config, device, arguments.backend)
        batch = random_batch(config, windows, arguments.channels, device)
        first = timed(lambda: trainee.run(batch), device)
        for _ in range(WARM_UP_STEPS - 1):
            trainee.run(batch)
        return timed(lambda: [trainee.run(batch) for _ in range(arguments.steps)], device) / arguments.steps, first

    return measure


def trainer_timer(config: BrantConfig, arguments: argparse.Namespace) -> Callable[[int], tuple[float, float]]:
    """Return the same for `Trainer`: rows of microvolts are normalised and masked by 8 processes."""

    def measure(windows: int) -> tuple[float, float]:
        import numpy as np
        import torch
        from transformers import Trainer, TrainerCallback, TrainingArguments

        from brant_hf import BrantFeatureExtractor, BrantForPreTraining
        from brant_hf.data import PretrainingCollator

        ends: list[float] = []

        class Clock(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step in (1, WARM_UP_STEPS, state.max_steps):
                    synchronize(arguments.device)
                    ends.append(time.perf_counter())

        samples = config.num_patches * config.patch_length
        rng = np.random.default_rng(0)
        rows = [
            {"input_values": rng.standard_normal((arguments.channels, samples), np.float32) * 50} for _ in range(8)
        ]
        extractor = BrantFeatureExtractor(
            sampling_rate=config.sampling_rate, patch_length=config.patch_length, num_patches=config.num_patches
        )
        torch.manual_seed(0)
        with torch.device(arguments.device):
            model = BrantForPreTraining._from_config(config, attn_implementation=SHORT)
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                folder,
                max_steps=WARM_UP_STEPS + arguments.steps,
                per_device_train_batch_size=windows,
                bf16=True,
                torch_compile_backend=arguments.backend,
                use_cpu=arguments.device == "cpu",
                dataloader_num_workers=0 if arguments.tiny else 8,
                remove_unused_columns=False,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
            )
            trainer = Trainer(
                model,
                settings,
                train_dataset=[rows[i % 8] for i in range(windows * settings.max_steps)],
                data_collator=PretrainingCollator(
                    normalize=extractor.normalize_signal, patch_length=config.patch_length
                ),
                callbacks=[Clock()],
            )
            begin = time.perf_counter()
            with redirect_stdout(sys.stderr):  # what it logs does not belong into the table
                trainer.train()
        return (ends[2] - ends[1]) / arguments.steps, ends[0] - begin

    return measure


def run_parity(arguments: argparse.Namespace) -> None:
    """Print the errors of each head."""
    import torch
    from transformers.utils import is_flash_attn_2_available

    import brant_hf

    config = make_config(arguments)
    ways = [(attention, dtype) for dtype in (torch.float32, torch.bfloat16) for attention in ("eager", "sdpa", SHORT)]
    if is_flash_attn_2_available():
        ways.append(("flash_attention_2", torch.bfloat16))
    titles = [f"{'fp32' if dtype == torch.float32 else 'bf16'} {attention}" for attention, dtype in ways]
    print_header("Relative errors to fp32 eager on the CPU", "head", *titles)
    names = ("PreTraining", "SeizureDetection", "Imputation", "Forecasting", "FrequencyPhaseForecasting")
    for name in names:
        try:
            errors = parity(getattr(brant_hf, f"BrantFor{name}"), config, ways, arguments.device)
            print_row(name, *(f"{error:.1e}" for error in errors))
        except Exception as error:  # the next head may work
            print_row(name, describe(error))
        free_memory()


def parity(
    model_class: type, config: BrantConfig, ways: list[tuple[str, torch.dtype]], device: str
) -> Iterator[float]:
    """Yield the largest relative error of the outputs of one head, for each way to compute them."""
    import torch

    torch.manual_seed(0)
    with torch.device(device):
        model = model_class._from_config(config, attn_implementation="eager").eval()
    inputs = head_inputs(model_class.__name__, config)
    reference = run_head(copy.deepcopy(model).cpu(), inputs)
    for attention, dtype in ways:
        model.set_attn_implementation(attention)
        outputs = run_head(model.to(dtype), {name: value.to(device) for name, value in inputs.items()})
        yield max(float((outputs[name] - value).norm() / value.norm()) for name, value in reference.items())


def head_inputs(class_name: str, config: BrantConfig) -> dict[str, torch.Tensor]:
    """Two windows of six channels, the last one of the second window padded, and labels."""
    import torch

    shape = (2, 6, config.num_patches * config.patch_length)
    inputs = {"input_values": torch.randn(shape), "channel_mask": torch.ones(2, 6, dtype=torch.bool)}
    inputs["channel_mask"][1, 5] = False
    if "Forecasting" in class_name:
        inputs["labels"] = torch.randn(*shape[:2], config.prediction_length)
    elif class_name == "BrantForSeizureDetection":
        inputs["labels"] = torch.randint(2, (2, 6, config.num_patches))
    elif class_name == "BrantForImputation":
        inputs |= {"observed_mask": torch.rand(shape) > config.mask_ratio, "labels": inputs["input_values"].clone()}
    return inputs


def run_head(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Outputs in fp32 on the CPU: the loss, and what the head says of real channels."""
    import torch

    with torch.inference_mode():
        outputs = model(**inputs)
    real = inputs["channel_mask"].cpu()
    values = {name: value.float().cpu() for name, value in outputs.items() if isinstance(value, torch.Tensor)}
    return {name: value if value.ndim == 0 else value[real] for name, value in values.items()}


def run_throughput(arguments: argparse.Namespace) -> None:
    """Print hours of recording an hour."""
    import numpy as np
    import torch

    from brant_hf import BrantFeatureExtractor, BrantForSeizureDetection
    from brant_hf.data import open_recording
    from brant_hf.detection import Detector

    device, config = arguments.device, make_config(arguments)
    rate, seconds = 1000, 20 if arguments.tiny else arguments.minutes * 60
    minute = np.random.default_rng(0).standard_normal((arguments.channels, 60 * rate), np.float32) * 50
    signal = np.tile(minute, (1, -(-seconds // 60)))[:, : seconds * rate]
    recording = open_recording(signal, rate, [f"A{i + 1}" for i in range(arguments.channels)], seizures=[])
    print_header(
        f"{arguments.channels} channels, {rate} Hz, {seconds / 60:g} minutes: hours of recording an hour",
        "detector", "`detect`", "`embed`", "reading and preprocessing alone", "windows in the memory of the device",
    )  # fmt: skip
    torch.manual_seed(0)
    extractor = BrantFeatureExtractor(
        sampling_rate=config.sampling_rate, patch_length=config.patch_length, num_patches=config.num_patches
    )
    with torch.device(device):
        full = BrantForSeizureDetection(config).eval().to(torch.bfloat16)
    detectors: dict[str, Callable[[], Detector]] = {
        "full size, random weights, bf16": lambda: Detector(full, extractor),
        "shipped": lambda: Detector.from_pretrained(device=device),
    }
    for name, make in detectors.items():
        try:
            print_row(name, *(f"{seconds / each:,.0f}" for each in recording_times(make(), recording, device)))
        except Exception as error:  # the next detector may work
            print_row(name, describe(error))
        free_memory()


def recording_times(detector: Any, recording: Any, device: str) -> Iterator[float]:
    """Yield the seconds of detection, embedding, the windows without the model, and the model without the windows."""
    import torch

    from brant_hf.data.preprocessing.chain import preprocess
    from brant_hf.data.windows import plan_windows, window_batches
    from brant_hf.detection.embedding import embed_recording

    windows = 32
    plan = None

    def cut() -> Any:
        nonlocal plan
        prepared = preprocess(recording, detector.settings.preprocessing)
        plan = plan_windows(prepared, detector.extractor, detector.settings.overlap)
        for batch in window_batches(prepared, plan, detector.extractor, windows):
            last = batch if len(batch.starts) == windows else None
        return last or batch

    first = cut()  # imports, and the batch of the last measurement
    inputs = torch.from_numpy(first.input_values).to(device)

    def forward() -> None:
        with torch.inference_mode():
            detector.model(inputs)

    timed(forward, device)
    yield timed(lambda: detector.detect(recording, batch_size=windows, progress=False), device)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "embeddings.safetensors"
        embed = lambda: embed_recording(  # noqa: E731
            recording, detector.model, detector.extractor, output, batch_size=windows, progress=False, dtype="float16"
        )
        yield timed(embed, device)
    yield timed(cut, device)
    yield timed(forward, device) * len(plan.starts) / len(first.starts)


def main() -> None:
    """Measure one part if told which, else all, each in a process that is given its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and short recordings, for a dry run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--channels", type=int, help="of windows and recordings; 100, or 3 with --tiny")
    parser.add_argument("--windows", type=int, help="windows of a training step; as many as fill the memory if absent")
    parser.add_argument("--steps", type=int, default=8, help="training steps that count")
    parser.add_argument("--minutes", type=int, default=20, help="length of the recording")
    parser.add_argument("--peak", type=float, help="dense bf16 of the device [TFLOP/s], if not known")
    parser.add_argument("--patience", type=float, default=1.0, help="factor of the time that each part is given")
    parser.add_argument("--backend", default="inductor", help="of `torch.compile`; aot_eager compiles nothing")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.channels = arguments.channels or (3 if arguments.tiny else 100)
    if arguments.part:
        # What is left between tensors of many sizes can be used again.
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        {"training": run_training, "parity": run_parity, "throughput": run_throughput}[arguments.part](arguments)
        return
    failed = False
    for part in arguments.parts:
        command = [sys.executable, "-u", __file__, *sys.argv[1:], "--part", part]
        begin = time.monotonic()
        try:
            status = subprocess.run(command, timeout=seconds_of(part, arguments), check=False).returncode
        except subprocess.TimeoutExpired:
            status = "out of time"
        print(f"\n{part}: {time.monotonic() - begin:.0f} s" + (f", failed: {status}" if status else ""), flush=True)
        failed = failed or bool(status)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
