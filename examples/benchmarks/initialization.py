"""Compare weight initialisations of a 17-layer post-norm Brant: masked reconstruction of a real recording.

Run: python examples/benchmarks/initialization.py

"plain" draws every weight matrix with the same standard deviation, "torch" is the default of torch.nn.Linear, "branch
outputs scaled" is what the package does: the last projection of each residual branch is smaller by 1/sqrt(2 * layers).
"""

import argparse
import math
import time
from pathlib import Path

import mne
import numpy as np
import soxr
import torch
from torch import nn

from brant_hf import BrantConfig, BrantForPreTraining

RECORDING = next((Path(__file__).parents[1] / "data/py_neuromodulation_ecog").rglob("*_ieeg.vhdr"))
INITIALIZATIONS = ("branch outputs scaled", "plain", "torch")


def initialize(model: BrantForPreTraining, name: str) -> None:
    for module in model.modules():
        if name == "torch" and isinstance(module, nn.Linear):
            module.reset_parameters()
        elif name == "plain" and getattr(module, "ends_residual_branch", False):
            nn.init.normal_(module.weight, std=model.config.initializer_range)


def final_loss(signal: np.ndarray, name: str, learning_rate: float, hidden_size: int, steps: int) -> float:
    """Mean loss of the last quarter of the steps."""
    torch.manual_seed(1)
    config = BrantConfig(
        patch_length=250,
        num_patches=8,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_attention_heads=4,
        # Of the published size: the width is here to make the runs short, not to be compared.
        initializer_range=0.02,
    )
    model = BrantForPreTraining(config).train()
    initialize(model, name)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    generator, samples = np.random.default_rng(0), 8 * 250
    losses = []
    for _ in range(steps):
        starts = generator.integers(0, signal.shape[-1] - samples, 4)
        windows = torch.tensor(np.stack([signal[:, start : start + samples] for start in starts]))
        loss = model(windows).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses[-steps // 4 :]) / math.ceil(steps / 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden-size", type=int, default=768)
    parser.add_argument("--steps", type=int, default=80)
    arguments = parser.parse_args()

    raw = mne.io.read_raw_brainvision(RECORDING, preload=True, verbose="error")
    # The header of this file is wrong by 10^6: what MNE reads as volts are microvolts.
    microvolts = raw.get_data()[:9].astype(np.float32)
    signal = np.arcsinh(soxr.resample(microvolts.T, 1000, 250).T / 50)
    print(f"17 layers, hidden size {arguments.hidden_size}, {arguments.steps} steps; variance {signal.var():.3f}")
    print("| initialisation | learning rate | loss | seconds |\n|---|---|---|---|")
    for name in INITIALIZATIONS:
        for learning_rate in (1e-4, 3e-4):
            start = time.perf_counter()
            loss = final_loss(signal, name, learning_rate, arguments.hidden_size, arguments.steps)
            print(f"| {name} | {learning_rate:g} | {loss:.3f} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
