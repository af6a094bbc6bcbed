"""Time of the encoder on one core of a CPU, in each precision that the CPU is made for.

Runs a model with random weights on a window of noise. All precisions take turns, and what counts is the CPU time of a
forward pass relative to that of fp32 in the same round, so that other programs disturb little. bfloat16 is left out
where the CPU emulates it. Prints a table in Markdown.

    python examples/benchmarks/cpu.py
    python examples/benchmarks/cpu.py --onnx        # ONNX Runtime beside it; needs brant_hf[onnx]
    python examples/benchmarks/cpu.py --size tiny --channels 4 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import torch
from training_step import CPU_INFO, describe_cpu

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantModel, export_onnx
from brant_hf.listing import markdown_head, markdown_row
from brant_hf.precision import has_fast_bfloat16, set_precision

INT8_INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
# Hidden states of a window, from its samples.
Forward = Callable[[np.ndarray], np.ndarray]


def make_model(config: BrantConfig) -> BrantModel:
    """Return the model with the weights that all ways have."""
    torch.manual_seed(0)
    return BrantModel(config).eval()


def by_torch(config: BrantConfig, dtype: str) -> Forward:
    """Return the model in this precision."""
    model = make_model(config)
    set_precision(model, dtype, torch.device("cpu"))

    def forward(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(values)).last_hidden_state.float().numpy()

    return forward


def by_onnxruntime(config: BrantConfig, int8: bool) -> Forward:
    """Return the model in a file, which is gone when it is loaded."""
    import onnxruntime

    sizes = {name: getattr(config, name) for name in ("sampling_rate", "patch_length", "num_patches")}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        export_onnx(make_model(config), path, BrantFeatureExtractor(**sizes), int8=int8)
        session = onnxruntime.InferenceSession(path, options)

    def forward(values: np.ndarray) -> np.ndarray:
        inputs = {"input_values": values, "channel_mask": np.ones(values.shape[:2], bool)}
        return session.run(None, inputs)[0]

    return forward


def ways(config: BrantConfig, has_onnx: bool) -> dict[str, Forward]:
    """Return the precisions to compare; the first is what the others are compared with."""
    names = ["float32", *(["bfloat16"] if has_fast_bfloat16() else []), "int8"]
    found = {name: by_torch(config, name) for name in names}
    for name in ("float32", "int8") if has_onnx else ():
        found[f"{name}, ONNX Runtime"] = by_onnxruntime(config, name == "int8")
    return found


def cpu_seconds(forward: Forward, values: np.ndarray) -> float:
    """CPU time of a forward pass [s]."""
    begin = time.process_time()
    forward(values)
    return time.process_time() - begin


def int8_instructions() -> str:
    """Return what the CPU has for products of 8 bits."""
    flags = CPU_INFO.read_text(encoding="utf-8").split() if CPU_INFO.exists() else []
    return ", ".join(name for name in INT8_INSTRUCTIONS if name in flags) or "no instructions for 8 bits (VNNI)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "small", "medium", "brant"), default="brant", help="published size")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--onnx", action="store_true", help="measure ONNX Runtime too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = BrantConfig.from_size(arguments.size)
    shape = (1, arguments.channels, config.num_patches * config.patch_length)
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    forwards = ways(config, arguments.onnx)
    outputs = {name: forward(values) for name, forward in forwards.items()}
    seconds = [{name: cpu_seconds(each, values) for name, each in forwards.items()} for _ in range(arguments.rounds)]
    print(
        f"{describe_cpu()}, {int8_instructions()}, one thread, torch {torch.__version__}, {date.today()}. Size "
        f"{arguments.size}, one window of {arguments.channels} channels, median of {arguments.rounds} rounds\n\n"
        f"{markdown_head(('precision', 'CPU seconds', 'to fp32', 'error'))}"
    )
    first = next(iter(forwards))
    for name, output in outputs.items():
        speed = statistics.median(each[first] / each[name] for each in seconds)
        error = np.linalg.norm(output - outputs[first]) / np.linalg.norm(outputs[first])
        own = statistics.median(each[name] for each in seconds)
        print(markdown_row((name, f"{own:.3g}", f"{speed:.2f}x", f"{error:.1e}")))


if __name__ == "__main__":
    main()
