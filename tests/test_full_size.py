"""The published size: loading holds the weights once, and the model runs on a CPU."""

import json
import os
import subprocess
import sys

# Each part in a process of its own: the peak memory of a process never falls.
SAVE = """
import sys, torch
from brant_hf import BrantConfig, BrantForSeizureDetection
torch.manual_seed(0)
model = BrantForSeizureDetection._from_config(BrantConfig(), dtype=torch.bfloat16)
model.save_pretrained(sys.argv[1])
"""

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
    logits = model(torch.randn(1, 8, 15 * 1500)).logits
weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
print(json.dumps({"growth": loaded - before, "weights": weights, "shape": list(logits.shape),
                  "finite": bool(torch.isfinite(logits).all())}))
"""


def run(code: str, folder) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_full_size_loads_once_and_runs(tmp_path):
    run(SAVE, tmp_path)
    report = json.loads(run(LOAD, tmp_path).splitlines()[-1])
    assert report["weights"] > 1e9
    # One copy and what one tensor needs on its way.
    assert report["growth"] < 1.25 * report["weights"]
    assert report["shape"] == [1, 8, 15, 2]
    assert report["finite"]
