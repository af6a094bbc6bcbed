"""What is pushed to a Hub comes back: models, extractor, pipeline and datasets, by the commands too."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from braindecode_port import Port
from local_hub import OWNER, TOKEN, File, Hub, Repository, running_hub
from safetensors.numpy import load_file
from warm_python import warm_commands

import brant_hf
from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForSeizureDetection

ROOT = Path(brant_hf.__file__).parents[1]
HEADS = {
    "BrantModel": "AutoModel",
    "BrantForPreTraining": "AutoModelForPreTraining",
    "BrantForForecasting": "AutoModelForTimeSeriesPrediction",
    "BrantForFrequencyPhaseForecasting": None,
    "BrantForImputation": None,
    "BrantForSeizureDetection": "AutoModelForTokenClassification",
}
CODE = {
    "configuration_brant.py",
    "feature_extraction_brant.py",
    "modeling_brant.py",
    "quantization_brant.py",
    "signal_checks_brant.py",
}
DETECTOR = f"{OWNER}/detector"


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

    def python(self, code: str, *values: Any, program: str | Path = "python", token: str = TOKEN, **more: str) -> Any:
        """Run code, in a fork or a process of its own, and return what it prints last, as JSON."""
        result = subprocess.run(
            [self.bin / program, "-c", COMMON + code, json.dumps(values)],
            cwd=self.folder,
            env={**os.environ, **self.variables, "HF_TOKEN": token, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    def commands(self, *commands: Sequence[Any], token: str = TOKEN) -> list[tuple[int, str, str]]:
        """Run `brant-hf` with each of these arguments; status, output and errors of each."""
        return self.python(COMMANDS, [list(map(str, each)) for each in commands], token=token)


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

def errors(calls):
    found = []
    for call, argument in calls:
        try:
            call(argument)
            found.append(None)
        except (OSError, ValueError) as error:
            found.append(str(error))
    return found
"""

COMMANDS = """
import contextlib, io
from brant_hf.cli import main

ended = []
for arguments in values[0]:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            main(arguments)
        except SystemExit as end:
            ended.append([end.code, out.getvalue(), error.getvalue()])
print(json.dumps(ended))
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
    for weights in detector.model.base_model.parameters():
        weights *= 1.1
detector.push_to_hub("you/detector", revision="later/version")
later = detector({"array": signal, "sampling_rate": 100})["probabilities"]
print(json.dumps([first.rpartition("/")[2], found.tolist(), later.tolist()]))
"""

DETECT = """
from transformers import pipeline

found = []
for revision in values[0]:
    detector = pipeline("seizure-detection", "you/detector", revision=revision, trust_remote_code=True, progress=False)
    found.append(detector({"array": signal, "sampling_rate": 100})["probabilities"].tolist())
# Another detector that is trained from it does not bring the code of the pipeline, and asks for none.
detector.model.save_pretrained("tuned")
detector.feature_extractor.save_pretrained("tuned")
tuned = pipeline("seizure-detection", "tuned", progress=False)
found.append(tuned({"array": signal, "sampling_rate": 100})["probabilities"].tolist())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def detections(client, tmp_path_factory) -> SimpleNamespace:
    """A detector on the Hub, its first commit, and what it finds in the signal; other weights are on a branch."""
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
    found = client.python(DETECT, [None, "later/version", detections.commit])
    for probabilities, expected in zip(found, ("first", "later", "first", "first"), strict=True):
        np.testing.assert_allclose(probabilities, getattr(detections, expected), atol=1e-6)


def test_commands_take_a_detector_from_the_hub(detections, client, write_edf, noise):
    write_edf(client.folder / "recording.edf", noise(3, 3000), 100)
    ended = client.commands(
        ("detect", "recording.edf", "hub.tsv", "--model", DETECTOR),
        ("detect", "recording.edf", "folder.tsv", "--model", detections.folder),
        ("embed", "recording.edf", "embeddings.safetensors", "--model", DETECTOR),
        ("info", DETECTOR),
        ("info", detections.folder),
        ("embed", "recording.edf", "first.safetensors", "--model", DETECTOR, "--revision", detections.commit),
        ("embed", "recording.edf", "none.safetensors", "--model", DETECTOR, "--revision", "no-such-version"),
    )
    assert [status for status, *_ in ended] == [0] * 6 + [2], ended
    assert "no-such-version" in ended[-1][2]
    main, first = (
        load_file(client.folder / f"{name}.safetensors")["last_hidden_state"] for name in ("embeddings", "first")
    )
    np.testing.assert_array_equal(first, main)
    assert (client.folder / "hub.tsv").read_text() == (client.folder / "folder.tsv").read_text()
    assert ended[3][1] == ended[4][1].replace(str(detections.folder), DETECTOR)


# Datasets of windows.

PUSH_WINDOWS = """
from huggingface_hub import create_repo, upload_folder

from brant_hf.data import Preprocessing, load, open_recording, prepare, save_splits, split

recordings = [open_recording(signal, 250, subject=f"s{i}", name="r", unit="uV", seizures=[(2, 4)]) for i in range(3)]
chain = Preprocessing(line_noise=None, high_pass=None)
prepare(recordings, "windows", chain, patch_length=250, num_patches=4, progress=False)
save_splits("windows", {"train": 0.67, "test": 0.33})
for name in ("train", "test"):
    load("windows", name).push_to_hub("you/parquet")
create_repo("you/folder", repo_type="dataset", private=True)
upload_folder(repo_id="you/folder", folder_path="windows", repo_type="dataset")
print("null")
"""

READ_WINDOWS = """
from brant_hf.data import load
from brant_hf.data.dataset.origin import origins_of

def summary(rows):
    return [[row[name] for name in ("subject", "recording", "channel_names")]
            + [float(row["start"]), row["labels"].tolist(), row["input_values"].sum().item()] for row in rows]

found = []
for id, split in values[0]:
    rows, stream = load(id, split), load(id, split, streaming=True)
    assert summary(rows) == summary(stream)
    assert origins_of(rows) == origins_of(stream)
    found.append([summary(rows), origins_of(rows)])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def windows(client) -> None:
    """A dataset of nine windows, of three subjects: its folder on the Hub, and its rows as Parquet."""
    client.python(PUSH_WINDOWS)


def test_windows_come_back(windows, client):
    sources = [
        ("windows", None),
        ("windows", "test"),
        ("you/folder", None),
        ("you/folder", "test"),
        ("you/parquet", None),
        ("you/parquet", "test"),
    ]
    found = client.python(READ_WINDOWS, sources)
    (here, origins), test, (there, *its_origins), test_there, (parquet, _), (test_parquet, _) = found
    assert (len(here), len(test[0])) == (9, 3)
    # Splits are one after the other.
    assert sorted(there) == sorted(here)
    assert sorted(parquet) == sorted(here)
    assert test_there == test
    assert test_parquet == test[0]
    assert its_origins == [origins]
    assert origins[0]["sampling_rate"] == 250


REFUSED_WINDOWS = """
from brant_hf import BrantConfig
from brant_hf.data import load
from brant_hf.training.arguments import DataArguments
from brant_hf.training.data import load_windows

print(json.dumps(errors([
    (lambda id: load("windows").push_to_hub(id), "you/several-splits"),
    (load, "you/nowhere"),
    (lambda id: load_windows(DataArguments(dataset=[id]), BrantConfig(), "out"), "you/nowhere"),
])))
"""


def test_windows_that_are_nowhere_are_asked_for_once(windows, hub, client):
    before = len(hub.requests)
    several, *nowhere = client.python(REFUSED_WINDOWS)
    assert "train+test" in several  # in one split they would all be training windows
    assert all("no such dataset on the Hub" in message for message in nowhere)
    assert [request.path for request in hub.requests[before:]] == ["/api/datasets/you/nowhere"] * 2


# Published weights.

PUBLISHED = "braindecode/brant-pretrained"


@pytest.fixture(scope="module")
def published(hub, tmp_path_factory) -> Repository:
    """A miniature of what is published, under its name."""
    torch.manual_seed(0)
    folder = Port().save(tmp_path_factory.mktemp("port") / "port")
    return hub.put(PUBLISHED, {path.name: path.read_bytes() for path in folder.iterdir()})


def facts(out: str) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines() if "  " in line)


def test_convert_from_the_hub_and_push(published, client, hub):
    first = published.refs["main"]
    weights = published.files(first)["model.safetensors"]
    published.add("main", {**published.files(first), "model.safetensors": File(b"\0damaged", is_large=True)})
    ended = client.commands(
        ("convert", PUBLISHED, "brant", "--revision", first, "--verify", "--push-to-hub", "you/brant"),
        ("convert", PUBLISHED, "again", "--push-to-hub", "you/brant"),
        ("convert", PUBLISHED, "damaged"),
        ("convert", PUBLISHED, "none", "--revision", "v7"),
        ("info", "you/brant"),
    )
    published.refs["main"] = first
    assert [status for status, *_ in ended] == [0, 2, 2, 2, 0], ended
    told = facts(ended[0][1])
    assert told["source"] == f"{PUBLISHED}, revision {first}, with the names of braindecode"
    assert (told["licence"], told["sha256"]) == ("apache-2.0", f"{weights.sha256}  model.safetensors")
    assert told["pushed to"] == f"{hub.url}/you/brant (private)"
    assert "you/brant on the Hub holds config.json" in ended[1][2]
    assert "is damaged or no safetensors file" in ended[2][2]
    assert f"{PUBLISHED} has no revision 'v7'" in ended[3][2]
    assert "BrantForPreTraining" in ended[4][1]
    assert not [name for name in ("again", "damaged", "none") if (client.folder / name).exists()]
    files = hub.files("you/brant")
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md", *CODE} == set(files)
    assert files["model.safetensors"] == (client.folder / "brant" / "model.safetensors").read_bytes()
    assert f"base_model: {PUBLISHED}" in files["README.md"].decode()


FOREIGN = """
from brant_hf import BrantConfig, BrantModel, convert_original_checkpoint
from brant_hf.checkpoints import load_detector, load_encoder

reads = (BrantModel.from_pretrained, BrantConfig.from_pretrained, load_detector, load_encoder)
print(json.dumps(errors((read, id) for read in reads for id in values[0])))
"""


def test_weights_that_are_not_converted_are_no_checkpoint(published, client, hub):
    hub.put("research/brant", {"brant.zip": b"\0"})
    ids = [PUBLISHED, "research/brant"]
    found = client.python(FOREIGN, ids)
    assert len(found) == 8
    for id, message in zip(ids * 4, found, strict=True):
        assert f"`brant-hf convert {id} OUT`" in str(message)
    for status, _, error in client.commands(*(("info", id) for id in ids)):
        assert status == 2
        assert "`brant-hf convert" in error


# Who may see it, and connections that break.

CLOSED = """
from transformers import AutoModel, pipeline

from brant_hf import BrantFeatureExtractor, BrantModel, convert_original_checkpoint
from brant_hf.checkpoints import load_detector
from brant_hf.data import load

calls = [(read, "you/closed") for read in (
    BrantModel.from_pretrained, BrantFeatureExtractor.from_pretrained, AutoModel.from_pretrained, load_detector, load,
    convert_original_checkpoint, lambda id: load(id, streaming=True),
)]
push = lambda id: convert_original_checkpoint("braindecode/brant-pretrained", output_dir="new", push_to_hub=id)
print(json.dumps(errors([*calls, (push, "you/closed"), (convert_original_checkpoint, "you/gated")])))
"""


def test_closed_repositories_say_what_to_do(pushed, windows, published, client, hub):
    hub.put("you/closed", hub.files("you/BrantModel"), is_private=True)
    hub.put("you/closed", hub.files("you/folder", "datasets"), "datasets", is_private=True)
    hub.put("you/gated", hub.files(PUBLISHED)).is_gated = True
    messages = client.python(CLOSED, token="")
    assert len(messages) == 9
    for message in messages:
        assert "hf auth login" in message
    assert "accept its conditions" in messages[-1]
    assert not (client.folder / "new").exists()
    # Not the folder of the cache, which might have been filled meanwhile.
    opened = client.python(CLOSED, token=TOKEN)
    assert [message is None for message in opened] == [True, True, True, False, True, False, True, False, False]


LARGE = """
from brant_hf import BrantConfig, BrantModel

fields = {"hidden_size": 1024, "intermediate_size": 8, "num_temporal_layers": 1, "num_spatial_layers": 0}
model = BrantModel(BrantConfig(**fields))
model.push_to_hub("you/large")
print(json.dumps(weights(model) == weights(BrantModel.from_pretrained("you/large"))))
"""


def test_a_broken_download_goes_on_where_it_broke(client, hub):
    hub.cut_after = 15 * 10**6  # huggingface_hub writes pieces of 10 MiB
    assert client.python(LARGE)
    assert hub.cut_after is None
    first, second = [request for request in hub.requests if "/store/" in request.path and request.method == "GET"][-2:]
    assert first == (*second[:2], None, 200)
    assert (second.status, int(re.match(r"bytes=(\d+)-", second.range)[1])) == (206, 10 * 2**20)


CACHED = """
from transformers import AutoModel, pipeline

from brant_hf import BrantModel
from brant_hf.data import load
from brant_hf.data.dataset.origin import origins_of

detector = pipeline("seizure-detection", "you/detector", trust_remote_code=True, progress=False)
rows = load("you/folder")
print(json.dumps([
    weights(BrantModel.from_pretrained("you/BrantModel")),
    weights(AutoModel.from_pretrained("you/BrantModel")),
    detector({"array": signal, "sampling_rate": 100})["probabilities"].tolist(),
    [len(rows), len(origins_of(rows))],
    errors([(BrantModel.from_pretrained, "you/unknown"), (load, "you/unknown")]),
]))
"""


def test_what_was_loaded_stays_without_the_hub(pushed, detections, windows, client):
    client.python(READ_WINDOWS, [("you/folder", None)])
    client.python(LOAD, {"BrantModel": "AutoModel"}, True)
    # In a process of its own, since this is read when huggingface_hub is imported. Nothing answers there.
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    model, auto_model, probabilities, rows, unknown = client.python(CACHED, program=sys.executable, **nowhere)
    assert model == auto_model == pushed["BrantModel"][0]
    np.testing.assert_allclose(probabilities, detections.first, atol=1e-6)
    assert rows == [9, 1]
    assert "couldn't find them in the cached files" in unknown[0]
    assert "you/unknown" in unknown[1]
