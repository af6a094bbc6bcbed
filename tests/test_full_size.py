"""The published size: loading holds the weights once, and the model runs on a CPU."""

import json
import subprocess
from pathlib import Path

import torch

from brant_hf import BrantConfig, BrantForSeizureDetection

# In a process of its own: the peak memory of a process never falls.
LOAD = """
import json, resource, sys, torch
from brant_hf import BrantForSeizureDetection

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
model = BrantForSeizureDetection.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
# Weights that are mapped from the file count when they are read.
total = sum(parameter.sum().float().item() for parameter in model.parameters())
loaded = peak()
with torch.no_grad():
    logits = model(torch.randn(1, 2, 3 * 1500)).logits
weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
print(json.dumps({"growth": loaded - before, "weights": weights, "shape": list(logits.shape),
                  "finite": bool(torch.isfinite(logits).all())}))
"""


def save_full_size(folder: Path) -> None:
    """Save a detector whose weights are as many as the published ones, and cheaper than random numbers."""
    with torch.device("meta"):
        model = BrantForSeizureDetection._from_config(BrantConfig(), dtype=torch.bfloat16)
    shapes = {name: each.shape for name, each in model.state_dict().items()}
    state = {name: torch.full(shape, 0.01, dtype=torch.bfloat16) for name, shape in shapes.items()}
    model.save_pretrained(folder, state_dict=state)


def test_full_size_loads_once_and_runs(commands, tmp_path):
    save_full_size(tmp_path)
    done = subprocess.run([commands / "python", "-c", LOAD, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["weights"] > 1e9
    # One copy and what one tensor needs on its way.
    assert report["growth"] < 1.25 * report["weights"]
    assert report["shape"] == [1, 2, 3, 2]
    assert report["finite"]
