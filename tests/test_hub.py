"""Auto classes, and saved checkpoints with their code."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForTimeSeriesPrediction,
    AutoModelForTokenClassification,
)

import brant_hf
from brant_hf import BrantFeatureExtractor, BrantForPreTraining, BrantForSeizureDetection, BrantModel

CLASSES = [
    "BrantModel",
    "BrantForPreTraining",
    "BrantForForecasting",
    "BrantForFrequencyPhaseForecasting",
    "BrantForImputation",
    "BrantForSeizureDetection",
]


@pytest.mark.parametrize(
    ("auto_class", "expected"),
    [
        (AutoModel, "BrantModel"),
        (AutoModelForPreTraining, "BrantForPreTraining"),
        (AutoModelForTimeSeriesPrediction, "BrantForForecasting"),
        (AutoModelForTokenClassification, "BrantForSeizureDetection"),
    ],
)
def test_auto_models(small_config, tmp_path, auto_class, expected):
    assert type(auto_class.from_config(small_config())).__name__ == expected
    getattr(brant_hf, expected)(small_config()).save_pretrained(tmp_path)
    assert type(auto_class.from_pretrained(tmp_path)) is getattr(brant_hf, expected)


def test_auto_config_and_feature_extractor(small_config, tmp_path):
    small_config().save_pretrained(tmp_path)
    BrantFeatureExtractor(normalize="robust").save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).hidden_size == 32
    assert AutoFeatureExtractor.from_pretrained(tmp_path).normalize == "robust"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_saved_files_have_the_permissions_of_others(small_config, tmp_path, umask):
    before = os.umask(umask)
    try:
        BrantModel(small_config()).save_pretrained(tmp_path, max_shard_size="20KB")
    finally:
        os.umask(before)
    files = list(tmp_path.iterdir())
    assert len([path for path in files if path.suffix == ".safetensors"]) > 1
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~umask}


REMOTE = """
import json, sys
sys.modules["brant_hf"] = None  # as if it were not installed

import torch
import transformers
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module

embeddings = []
for folder, saved_class, auto_class in json.loads(sys.argv[1]):
    extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True)
    inputs = extractor(torch.arange(90.0).reshape(1, 90), sampling_rate=250, return_tensors="pt")
    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    assert type(model).__name__ == "BrantModel"
    embeddings.append(model(**inputs).last_hidden_state.flatten()[:8].tolist())
    if auto_class:
        head = getattr(transformers, auto_class).from_pretrained(folder, trust_remote_code=True)
    else:
        head = get_class_from_dynamic_module(f"modeling_brant.{saved_class}", folder).from_pretrained(folder)
    assert type(head).__name__ == saved_class
    head(**inputs)
    head.save_pretrained(folder + "-again")
print(json.dumps(embeddings))
"""


def test_saved_code_works_without_the_package(small_config, commands, tmp_path):
    auto_classes = {
        "BrantModel": "AutoModel",
        "BrantForPreTraining": "AutoModelForPreTraining",
        "BrantForForecasting": "AutoModelForTimeSeriesPrediction",
        "BrantForSeizureDetection": "AutoModelForTokenClassification",
    }
    saved, expected = [], []
    for class_name in CLASSES:
        folder = tmp_path / class_name
        model = getattr(brant_hf, class_name)(small_config()).eval()
        extractor = BrantFeatureExtractor(patch_length=30)
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
        saved.append((str(folder), class_name, auto_classes.get(class_name)))
        batch = extractor(torch.arange(90.0).reshape(1, 90), sampling_rate=250, return_tensors="pt")
        with torch.no_grad():
            expected.append(model.base_model(**batch).last_hidden_state.flatten()[:8])

    program = [commands / "python", "-c", REMOTE, json.dumps(saved)]
    result = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    torch.testing.assert_close(torch.tensor(json.loads(result.stdout.splitlines()[-1])), torch.stack(expected))
    for class_name in CLASSES:
        again = json.loads((tmp_path / f"{class_name}-again" / "config.json").read_text())
        assert f"modeling_brant.{class_name}" in {name.split("--")[-1] for name in again["auto_map"].values()}


def drop(folder: Path, keep) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors = {key: tensor for key, tensor in tensors.items() if keep(key)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_missing_encoder_weights_are_an_error(small_config, tmp_path):
    BrantForSeizureDetection(small_config()).save_pretrained(tmp_path)
    drop(tmp_path, lambda key: "spatial_layers.1" not in key)
    for load in (BrantForSeizureDetection.from_pretrained, BrantModel.from_pretrained, AutoModel.from_pretrained):
        with pytest.raises(ValueError, match=r"lacks 16 of \d+ weights of the Brant encoder .*\(spatial_layers\.1"):
            load(tmp_path)
    # Who asks for the list of missing weights gets it instead.
    _, loading_info = BrantModel.from_pretrained(tmp_path, output_loading_info=True)
    assert len(loading_info["missing_keys"]) == 16


def test_deeper_config_than_weights_is_an_error(small_config, tmp_path):
    BrantForPreTraining(small_config()).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lacks 16 of .* \(temporal_layers\.2"):
        BrantForPreTraining.from_pretrained(tmp_path, num_temporal_layers=3)


def test_encoder_weights_of_another_shape_are_an_error(small_config, tmp_path):
    BrantForSeizureDetection(small_config()).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has them in another shape"):
        BrantForSeizureDetection.from_pretrained(tmp_path, hidden_size=64, ignore_mismatched_sizes=True)
    # The usual reason for this flag: a head with other labels.
    model = BrantForSeizureDetection.from_pretrained(tmp_path, num_labels=3, ignore_mismatched_sizes=True)
    assert model(torch.randn(1, 1, 30)).logits.shape == (1, 1, 1, 3)


def test_missing_head_is_new(small_config, tmp_path):
    pretrained = BrantForPreTraining(small_config())
    pretrained.save_pretrained(tmp_path)
    model = BrantForSeizureDetection.from_pretrained(tmp_path)
    assert torch.equal(model.brant.embeddings.projection.weight, pretrained.brant.embeddings.projection.weight)
    assert torch.isfinite(model.detection_head.fc1.weight).all()
