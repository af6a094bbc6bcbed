"""What is pushed to a Hub comes back: models, extractor, pipeline and datasets, by the commands too."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from braindecode_port import Port
from local_hub import OWNER, TOKEN, Hub, running_hub
from warm_python import warm_commands

import brant_hf

ROOT = Path(brant_hf.__file__).parents[1]
HEADS = {
    "BrantModel": "AutoModel",
    "BrantForPreTraining": "AutoModelForPreTraining",
    "BrantForForecasting": "AutoModelForTimeSeriesPrediction",
    "BrantForFrequencyPhaseForecasting": None,
    "BrantForImputation": None,
    "BrantForSeizureDetection": "AutoModelForTokenClassification",
}
CODE = {"configuration_brant.py", "feature_extraction_brant.py", "modeling_brant.py", "signal_checks_brant.py"}
DETECTOR = f"{OWNER}/detector"
LOGIN = r"hf auth login"


class Client:
    """Programs that are run with the Hub in place of the real one, the cache in a folder of their own."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.bin, self.folder = folder / "bin", folder / "work"
        self.bin.mkdir()
        self.folder.mkdir()
        self.variables = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "*",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def run(
        self, program: str | Path, *arguments: Any, token: str | None = TOKEN, fails: bool = False, **variables: str
    ) -> SimpleNamespace:
        """Run a program and return its outputs; what fails has to do so with one line."""
        result = subprocess.run(
            [self.bin / program, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.variables, **({} if token is None else {"HF_TOKEN": token}), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == (2 if fails else 0), result.stdout + result.stderr
        if fails:
            assert len(result.stderr.splitlines()) == 1, result.stderr
        return SimpleNamespace(out=result.stdout, error=result.stderr)

    def python(self, code: str, *values: Any, program: str | Path = "python", **options: Any) -> Any:
        """Run code and return what it prints last, as JSON."""
        return json.loads(self.run(program, "-c", COMMON + code, json.dumps(values), **options).out.splitlines()[-1])


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def client(hub, tmp_path_factory) -> Iterator[Client]:
    client = Client(hub, tmp_path_factory.mktemp("hub"))
    with warm_commands(client.bin, client.variables):
        yield client


# What all programs share: their arguments, and what is compared of a model.
COMMON = """
import hashlib, json, sys
import numpy as np
import torch

values = json.loads(sys.argv[1])
signal = 50 * np.random.default_rng(0).standard_normal((3, 3000)).astype(np.float32)

def weights(model):
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()

def embedding(model, extractor):
    inputs = extractor(signal[:, :90], sampling_rate=250, return_tensors="pt")
    with torch.no_grad():
        return model.eval().base_model(**inputs).last_hidden_state.flatten()[:8].tolist()
"""

PUSH = """
import brant_hf
from brant_hf import BrantConfig, BrantFeatureExtractor

fields, names = values
pushed = {}
for name in names:
    model, extractor = getattr(brant_hf, name)(BrantConfig(**fields)), BrantFeatureExtractor(patch_length=30)
    model.push_to_hub(f"you/{name}")
    extractor.push_to_hub(f"you/{name}")
    pushed[name] = weights(model), embedding(model, extractor)
print(json.dumps(pushed))
"""

LOAD = """
import transformers
from transformers import AutoFeatureExtractor, AutoModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module

heads, is_installed = values
code = {} if is_installed else {"trust_remote_code": True}
if is_installed:
    import brant_hf
else:
    sys.modules["brant_hf"] = None  # as if it were not there

loaded = {}
for name, auto_class in heads.items():
    id = f"you/{name}"
    if is_installed:
        model = getattr(brant_hf, name).from_pretrained(id)
    elif auto_class is None:
        model = get_class_from_dynamic_module(f"modeling_brant.{name}", id).from_pretrained(id)
    else:
        model = getattr(transformers, auto_class).from_pretrained(id, **code)
    assert type(model).__name__ == name
    assert type(AutoModel.from_pretrained(id, **code)).__name__ == "BrantModel"
    loaded[name] = weights(model), embedding(model, AutoFeatureExtractor.from_pretrained(id, **code))
assert is_installed or not [name for name in sys.modules if name.startswith("brant_hf.")]
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def pushed(client) -> dict:
    """A repository for each class of models, with the feature extractor; what to compare of each."""
    fields = {
        "patch_length": 30,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_temporal_layers": 2,
        "num_spatial_layers": 2,
        "num_attention_heads": 4,
        "prediction_length": 40,
    }
    return client.python(PUSH, fields, list(HEADS))


def assert_same(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, (weights, embedding) in expected.items():
        assert found[name][0] == weights
        torch.testing.assert_close(torch.tensor(found[name][1]), torch.tensor(embedding))


def test_what_is_pushed(pushed, hub):
    for name in HEADS:
        files = hub.files(f"{OWNER}/{name}")
        assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md", *CODE} == set(files)
        auto_map = json.loads(files["config.json"])["auto_map"]
        assert auto_map["AutoModel"] == "modeling_brant.BrantModel"
        assert f"modeling_brant.{name}" in auto_map.values()
        assert json.loads(files["preprocessor_config.json"])["auto_map"] == {
            "AutoFeatureExtractor": "feature_extraction_brant.BrantFeatureExtractor"
        }


def test_every_class_comes_back(pushed, client):
    assert_same(client.python(LOAD, HEADS, True), pushed)


def test_code_that_was_pushed_works_without_the_package(pushed, client):
    assert_same(client.python(LOAD, HEADS, False), pushed)


# The detector: pipeline, commands, revisions.

PUSH_DETECTOR = """
import brant_hf
from brant_hf.detection import SeizureDetectionPipeline

folder = values[0]
detector = SeizureDetectionPipeline.from_pretrained(folder, progress=False)
first = detector.push_to_hub("you/detector")
found = detector({"array": signal, "sampling_rate": 100})["probabilities"]
with torch.no_grad():
    detector.model.detection_head.classifier.bias += torch.tensor([0.0, 1.0])
detector.push_to_hub("you/detector", revision="later/version")
later = detector({"array": signal, "sampling_rate": 100})["probabilities"]
print(json.dumps([first.rpartition("/")[2], found.tolist(), later.tolist()]))
"""

DETECT = """
from transformers import pipeline

for revision in values[0]:
    detector = pipeline("seizure-detection", "you/detector", revision=revision, trust_remote_code=True, progress=False)
    print(json.dumps(detector({"array": signal, "sampling_rate": 100})["probabilities"].tolist()))
"""


@pytest.fixture(scope="module")
def detections(client, tmp_path_factory) -> SimpleNamespace:
    """A detector on the Hub, its first commit, and what it finds in the signal; other weights are on a branch."""
    from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForSeizureDetection

    folder = tmp_path_factory.mktemp("detector")
    torch.manual_seed(1)
    config = BrantConfig(
        patch_length=50,
        num_patches=6,
        sampling_rate=100,
        hidden_size=16,
        intermediate_size=24,
        num_temporal_layers=1,
        num_spatial_layers=1,
        num_attention_heads=2,
        initializer_range=0.3,
        detection={"preprocessing": {"line_noise": None}, "min_duration": 0.0, "merge_gap": 0.0, "threshold": 0.4},
    )
    BrantForSeizureDetection(config).save_pretrained(folder)
    BrantFeatureExtractor(100, 50, 6).save_pretrained(folder)
    commit, first, later = client.python(PUSH_DETECTOR, str(folder))
    return SimpleNamespace(folder=folder, commit=commit, first=np.array(first), later=np.array(later))


def test_pipeline_comes_back_in_each_revision(detections, client, hub):
    assert "hub_pipeline.py" in hub.files(DETECTOR)
    assert np.abs(detections.later - detections.first).max() > 0.05
    out = client.run("python", "-c", COMMON + DETECT, json.dumps([[None, "later/version", detections.commit]])).out
    found = [json.loads(line) for line in out.splitlines()[-3:]]
    for probabilities, expected in zip(
        found, (detections.first, detections.later, detections.first), strict=True
    ):
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_commands_take_a_detector_from_the_hub(detections, client, write_edf, noise):
    write_edf(client.folder / "recording.edf", noise(3, 3000), 100)
    outputs = []
    for model in (DETECTOR, detections.folder):
        client.run("brant-hf", "detect", "recording.edf", "events.tsv", "--model", model, "--force")
        client.run("brant-hf", "embed", "recording.edf", "embeddings.safetensors", "--model", model, "--force")
        facts = client.run("brant-hf", "info", model).out.replace(str(model), "MODEL")
        outputs.append(((client.folder / "events.tsv").read_text(), facts))
    assert outputs[0] == outputs[1]


# Datasets of windows.

PUSH_WINDOWS = """
from huggingface_hub import create_repo, upload_folder

from brant_hf.data import Preprocessing, load, open_recording, prepare, save_splits, split

recordings = [open_recording(signal, 250, subject=f"s{i}", name="r", unit="uV", seizures=[(2, 4)]) for i in range(3)]
chain = Preprocessing(line_noise=None, high_pass=None)
prepare(recordings, "windows", chain, patch_length=250, num_patches=4, progress=False)
save_splits("windows", {"train": 0.67, "test": 0.33})
load("windows").push_to_hub("you/parquet")
create_repo("you/folder", repo_type="dataset", private=True)
upload_folder(repo_id="you/folder", folder_path="windows", repo_type="dataset")
print("null")
"""

READ_WINDOWS = """
from brant_hf.data import load

def summary(rows):
    return [
        [row["subject"], float(row["start"]), row["labels"].tolist(), row["channel_names"], row["input_values"].sum().item()]
        for row in rows
    ]

for id in values:
    for options in ({}, {"split": "train"}):
        plain, stream = load(id, **options), load(id, streaming=True, **options)
        assert summary(plain) == summary(stream)
        print(json.dumps(summary(plain)))
"""


def test_windows_come_back(client, hub):
    client.python(PUSH_WINDOWS)
    out = client.run("python", "-c", COMMON + READ_WINDOWS, json.dumps(["windows", "you/folder", "you/parquet"])).out
    found = [json.loads(line) for line in out.splitlines()]
    print(found)
