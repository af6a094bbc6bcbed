"""What probes of three layers cost: time of the encoder against one layer alone, and memory against the length.

Simulated windows of 16 channels, 10 minutes and 1 hour, by the shipped checkpoint, each in a process of its own; the
clock is that of the CPU. Embedding is timed alone, without the probes themselves.

    python examples/benchmarks/probing.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmark_prepare import peak_mib
from training_step import describe_cpu

from brant_hf.listing import markdown_head, markdown_row

CHANNELS, RATE = 16, 250.0


def run_job(folder: Path, windows: int, layers: list[int]) -> None:
    """Embed the windows of a dataset of noise; prints CPU seconds, forward passes and peak memory."""
    import numpy as np
    from datasets import Dataset

    from brant_hf.detection.embedding import encoder_and_extractor
    from brant_hf.probing.features import layer_features

    encoder, extractor = encoder_and_extractor(None, None)
    samples = extractor.patch_length * extractor.num_patches
    rng = np.random.default_rng(0)

    def rows():
        for number in range(windows):
            signal = 50 * rng.standard_normal((CHANNELS, samples), dtype=np.float32)
            yield {"input_values": signal, "sampling_rate": RATE, "subject": "s", "recording": "r", "start": number}

    dataset = Dataset.from_generator(rows, cache_dir=str(folder)).with_format("numpy")
    passes: list[int] = []
    encoder.register_forward_hook(lambda *_: passes.append(1))
    begin = time.process_time()
    layer_features(dataset, encoder, extractor, layers, folder / "features", batch_size=8, progress=False)
    seconds = time.process_time() - begin
    print(json.dumps({"seconds": seconds, "passes": len(passes), "peak": peak_mib()}))


def measure(minutes: int, layers: list[int]) -> dict[str, float]:
    """Run the job in another process."""
    with tempfile.TemporaryDirectory() as name:
        job = [name, str(minutes * 4), json.dumps(layers)]
        command = [sys.executable, "-W", "ignore", __file__, "--job", *job]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60])
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        folder, windows, layers = arguments.job
        run_job(Path(folder), int(windows), json.loads(layers))
        return
    print(f"{describe_cpu()}, {CHANNELS} channels, windows of 15 s, {date.today()}\n")
    print(markdown_head(["minutes", "layers", "forward passes", "CPU seconds", "to one layer", "peak memory [MiB]"]))
    for minutes in arguments.minutes:
        one = measure(minutes, [6])
        for layers, found in (([6], one), ([0, 3, 6], measure(minutes, [0, 3, 6]))):
            ratio = f"{found['seconds'] / one['seconds']:.2f}x"
            cells = (minutes, len(layers), found["passes"], f"{found['seconds']:.1f}", ratio, f"{found['peak']:.0f}")
            print(markdown_row(cells), flush=True)


if __name__ == "__main__":
    main()
