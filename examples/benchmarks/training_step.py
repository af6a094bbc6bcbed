"""Time and memory of a training step: plain fp32, bf16 autocast, gradient checkpointing, and both.

Pre-trains a model with random weights on one random window with `Trainer` (AdamW, clipped gradients), each way in a
process of its own. Prints the median of the steps after the first one, which allocates the states of the optimiser,
and the peak memory: resident memory of the process on a CPU, allocated memory on a GPU.

    python examples/benchmarks/training_step.py
    python examples/benchmarks/training_step.py --size medium --channels 64 --device cuda --steps 20
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "svebf16")


@dataclass(frozen=True)
class Variant:
    """A way to train.

    Attributes
    ----------
    name : str
        As shown.
    settings : dict[str, bool]
        Of `TrainingArguments`.
    """

    name: str
    settings: dict[str, bool]


VARIANTS = (
    Variant("fp32", {}),
    Variant("bf16 autocast", {"bf16": True}),
    Variant("gradient checkpointing", {"gradient_checkpointing": True}),
    Variant("bf16 autocast, gradient checkpointing", {"bf16": True, "gradient_checkpointing": True}),
)


def train(arguments: argparse.Namespace, settings: dict[str, bool]) -> dict[str, Any]:
    """Seconds of each step, peak memory [bytes] and a description of the model and the machine, of this process."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from brant_hf import BrantConfig, BrantForPreTraining

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device is cuda, but torch finds no CUDA device; install torch with CUDA or use cpu")

    def now() -> float:
        if arguments.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    class StepTimes(TrainerCallback):
        """Forward, backward, clipping, update; the batch is made before."""

        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begin = now()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds.append(now() - self.begin)

    config = BrantConfig.from_size(arguments.size)
    if arguments.config_overrides:
        config.update_from_string(arguments.config_overrides)
    config.validate()
    torch.manual_seed(0)
    model = BrantForPreTraining(config)
    samples = config.num_patches * config.patch_length
    windows = [{"input_values": torch.randn(arguments.channels, samples)}] * arguments.batch_size
    times = StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        training = TrainingArguments(
            folder,
            max_steps=1 + arguments.steps,
            per_device_train_batch_size=arguments.batch_size,
            use_cpu=arguments.device == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            **settings,
        )
        Trainer(model, training, train_dataset=windows, callbacks=[times]).train()
    is_cuda = arguments.device == "cuda"
    return {
        "seconds": times.seconds[1:],
        "peak": torch.cuda.max_memory_allocated() if is_cuda else peak_resident(),
        "model": f"{model.num_parameters() / 1e6:.2f} M parameters, {arguments.channels} channels x "
        f"{config.num_patches} patches of {config.patch_length} samples",
        "machine": f"{torch.cuda.get_device_name() if is_cuda else describe_cpu()}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}",
    }


def peak_resident() -> int:
    """Largest resident memory of this process [bytes].

    On Linux it starts from that of the parent, which imports none of the large libraries.
    """
    # In bytes on macOS, in KiB elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)


def describe_cpu() -> str:
    """Name, cores, and which bf16 instructions there are: without any, bf16 arithmetic is emulated and slow."""
    fields = {}
    if CPU_INFO.exists():
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
        fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name") or platform.processor() or platform.machine()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    found = [flag for flag in BF16_INSTRUCTIONS if flag in flags]
    instructions = f" ({', '.join(found) or 'no bf16 instructions'})" if flags else ""
    return f"{name}{instructions}, {os.cpu_count()} cores"


def measure(index: int) -> dict[str, Any]:
    """Results of a variant in a process of its own, started with the same command line."""
    command = [sys.executable, __file__, *sys.argv[1:], "--variant", str(index)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        # A process that is killed for its memory says nothing.
        last_words = result.stderr.strip().splitlines()[-1:] if result.returncode > 0 else []
        reason = next(iter(last_words), f"ended with status {result.returncode}; is there enough memory?")
        raise SystemExit(f"{VARIANTS[index].name}: {reason}")
    return json.loads(result.stdout.splitlines()[-1])


def print_table(arguments: argparse.Namespace) -> None:
    """One row for each variant, as soon as it is measured; ratios are to the first one."""
    first = None
    for index, variant in enumerate(VARIANTS):
        result = measure(index)
        seconds, gib = statistics.median(result["seconds"]), result["peak"] / 2**30
        if first is None:
            first = seconds, gib
            print(
                f"{result['model']}, batch {arguments.batch_size}, AdamW; median of {arguments.steps} steps.\n"
                f"{result['machine']}, {date.today()}\n\n"
                "| training step | seconds | to fp32 | peak memory | to fp32 |\n|---|---|---|---|---|"
            )
        print(
            f"| {variant.name} | {seconds:.3g} | {seconds / first[0]:.2f}x | {gib:.2f} GiB | {gib / first[1]:.2f}x |",
            flush=True,
        )


def main() -> None:
    """Measure one variant if told which, else all, each in a process that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "small", "medium", "brant"), default="brant", help="published size")
    parser.add_argument("--config-overrides", help="fields of the configuration, such as hidden_size=64,num_patches=4")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3, help="steps that count, after one that does not")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--variant", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in ("channels", "batch_size", "steps"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} is {getattr(arguments, name)}; it must be 1 or more")
    if arguments.variant is None:
        print_table(arguments)
    else:
        print(json.dumps(train(arguments, VARIANTS[arguments.variant].settings)))


if __name__ == "__main__":
    main()
