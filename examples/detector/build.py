"""Build the checkpoint that ships with the package, from nothing to its model card.

python examples/detector/build.py --output outputs/detector

Simulates the patients, pre-trains, fine-tunes, chooses threshold and calibration on validation patients, evaluates on
test patients and on the real recordings of `examples/data`, and writes the checkpoint in half precision to
`outputs/detector/shipped`. Every stage that is complete is skipped, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import yaml
from card import write_card
from evaluate import (
    Result,
    brainmaze_detector,
    brant_detector,
    calibrated,
    evaluate_real,
    evaluate_test,
    line_length_detector,
    references_of,
    results_of,
)
from make_data import VALIDATION, train_groups

from brant_hf import BrantFeatureExtractor, BrantForSeizureDetection
from brant_hf.data import find_recordings

HERE = Path(__file__).parent
# Parts of the training, each from the checkpoint of the one before: its script; its settings are in `<part>.yaml`.
PARTS = {"pretraining": "run_pretraining.py", "finetuning": "run_seizure_detection.py"}
# What is tried for the settings of each detector, see `calibration_report`. In 13 hours, a limit of one false alarm a
# day means none. No setting of the others keeps to a limit, and theirs are chosen for the best F1 alone.
GRIDS: dict[str, dict[str, Any]] = {
    "Brant": {
        "max_false_alarms_per_day": 1.0,
        "thresholds": tuple(round(0.05 * step, 2) for step in range(10, 20)),
        "min_channels": (2,),
    },
    "line length": {"max_false_alarms_per_day": float("inf")},
    "brainmaze-eeg-models": {"max_false_alarms_per_day": float("inf")},
}
# How the detector prepares recordings, beside what its training windows were prepared with. Units of recordings are
# not always what they are said to be: beyond this range, they are hardly microvolts of a brain. Electrodes drift in
# seizures, and arcsinh of a large drift hides the rhythm on it: with a high-pass of 1 Hz, what it hid is found.
PREPROCESSING = {"amplitude_range": (20.0, 150.0), "high_pass": 1.0}


def train(folders: list[Path], output: Path) -> Path:
    """Run the parts of the training whose checkpoints are not complete; gives the last checkpoint."""
    start: list[str] = []
    checkpoint = output
    for part, script in PARTS.items():
        checkpoint = output / part
        command = [sys.executable, str(HERE.parent / script), str(HERE / f"{part}.yaml"), "--dataset"]
        if not (checkpoint / "README.md").exists():
            subprocess.run([*command, *map(str, folders), "--output_dir", str(checkpoint), *start], check=True)
        start = ["--model", str(checkpoint)]
    return checkpoint


def training_of(output: Path) -> dict[str, Any]:
    """Minutes that all parts of the training took here, and the seed of each."""
    runs = [json.loads((output / part / "train_results.json").read_text(encoding="utf-8")) for part in PARTS]
    settings = {part: yaml.safe_load((HERE / f"{part}.yaml").read_text(encoding="utf-8")) for part in PARTS}
    return {
        "minutes": sum(run["train_runtime"] for run in runs) / 60,
        "cores": os.cpu_count(),
        "seeds": {part: each["seed"] for part, each in settings.items()},
    }


def digest_of(checkpoint: Path) -> str:
    """Tells the results of one checkpoint, with its preprocessing, from those of another."""
    digest = hashlib.sha256(json.dumps(PREPROCESSING).encode())
    for name in ("model.safetensors", "preprocessor_config.json"):
        digest.update((checkpoint / name).read_bytes())
    return digest.hexdigest()[:12]


def recordings_in(folder: Path) -> list[Path]:
    """Recordings of all groups of patients in a folder."""
    return [path for group in sorted(folder.iterdir()) if group.is_dir() for path in find_recordings(group)]


def package(source: Path, output: Path, detection: dict) -> None:
    """Write the checkpoint in half precision, with the settings of the detector in its configuration."""
    model = BrantForSeizureDetection.from_pretrained(source)
    trained_on = (model.config.detection or {}).get("preprocessing", {})
    model.config.detection = {**detection, "preprocessing": {**trained_on, **PREPROCESSING}}
    model.to(torch.float16).save_pretrained(output)
    BrantFeatureExtractor.from_pretrained(source).save_pretrained(output)
    # The package is the code: a copy beside the weights would only grow old.
    for code in output.glob("*.py"):
        code.unlink()
    for file in (output / "config.json", output / "preprocessor_config.json"):
        fields = json.loads(file.read_text(encoding="utf-8"))
        fields.pop("auto_map", None)
        file.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("outputs/detector"))
    parser.add_argument("--num-proc", type=int, default=2, help="Processes that simulate patients.")
    arguments = parser.parse_args()
    output: Path = arguments.output

    command = [sys.executable, str(HERE / "make_data.py"), "--output", str(output), "--num-proc"]
    subprocess.run([*command, str(arguments.num_proc)], check=True)
    groups = sorted(folder for folder in (output / "train").iterdir() if folder.is_dir())
    finetuned = train(groups, output)

    validation, test = recordings_in(output / "validation"), recordings_in(output / "test")
    references = [references_of(path) for path in validation]
    shipped = output / "shipped"
    package(finetuned, shipped, {})
    cache = output / "results"
    detectors = {
        "Brant": (brant_detector(shipped), cache / digest_of(shipped)),
        "line length": (line_length_detector, cache),
    }
    if find_spec("brainmaze_eeg_models") is None:
        print("without brainmaze-eeg-models, which is not installed (pip install -e .[baselines])")
    else:
        detectors["brainmaze-eeg-models"] = (brainmaze_detector, cache)

    def results_on(recordings: list[Path]) -> dict[str, list[Result]]:
        return {name: results_of(name, detect, recordings, folder) for name, (detect, folder) in detectors.items()}

    chosen = {name: calibrated(found, references, **GRIDS[name]) for name, found in results_on(validation).items()}
    package(finetuned, shipped, chosen["Brant"].settings)
    methods = {name: (found, chosen[name].settings) for name, found in results_on(test).items()}
    results = {
        "validation": {name: each.summary() for name, each in chosen.items()},
        "test": evaluate_test(test, methods),
        "real": evaluate_real(shipped, chosen["line length"], HERE.parent / "data"),
    }
    (output / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_card(
        shipped,
        results,
        training={
            "patients": sum(group.num_patients for group in train_groups()),
            "groups": len(groups),
            **training_of(output),
        },
        validation_patients=sum(group.num_patients for group in VALIDATION),
    )
    print(f"written to {shipped}")


if __name__ == "__main__":
    main()
