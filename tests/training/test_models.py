"""The model and the feature extractor that a run starts from, and what of them is trained."""

import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForPreTraining,
    BrantForSeizureDetection,
)
from brant_hf.data import Preprocessing
from brant_hf.detection.settings import DetectionSettings
from brant_hf.training import (
    ForecastingTask,
    ModelArguments,
    PretrainingTask,
    apply_tuning,
    make_config,
    make_feature_extractor,
    make_model,
    note_preprocessing,
)
from brant_hf.training.tuning import merged

SMALL = {
    "patch_length": 50,
    "num_patches": 6,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_temporal_layers": 2,
    "num_spatial_layers": 1,
    "num_attention_heads": 2,
}


@pytest.fixture
def checkpoint(tmp_path):
    """A pre-trained model for 200 Hz with its feature extractor."""
    folder = tmp_path / "checkpoint"
    BrantForPreTraining(BrantConfig(**SMALL, sampling_rate=200)).save_pretrained(folder)
    BrantFeatureExtractor(patch_length=50, num_patches=6, normalize="zscore", scale=70.0).save_pretrained(folder)
    return folder


def test_model_from_scratch_follows_the_dataset(make_dataset):
    dataset = make_dataset(channels=(2,), patch_length=40, num_patches=7)
    config = make_config(ModelArguments(size="tiny"), [str(dataset)])
    assert (config.patch_length, config.num_patches, config.sampling_rate) == (40, 7, 250)
    assert (config.hidden_size, config.num_temporal_layers, config.num_spatial_layers) == (768, 8, 4)
    config = make_config(ModelArguments(size="tiny"), [str(dataset)], task=ForecastingTask(horizon_patches=3))
    assert (config.num_patches, config.prediction_length) == (4, 120)
    with pytest.raises(ValueError, match="windows of 7 patches leave no context for a horizon of 7"):
        make_config(ModelArguments(size="tiny"), [str(dataset)], task=ForecastingTask(horizon_patches=7))


def test_detector_notes_how_its_recordings_were_prepared(make_dataset, tmp_path, caplog):
    first = make_dataset("first", preprocessing=Preprocessing(high_pass=2.0))
    config = BrantConfig(**SMALL, detection={"threshold": 0.3})
    (tmp_path / "recordings").mkdir()
    note_preprocessing(config, [str(tmp_path / "recordings")])
    assert config.detection == {"threshold": 0.3}
    note_preprocessing(config, [str(first)])
    settings = DetectionSettings.of(config)
    assert settings.preprocessing == Preprocessing(high_pass=2.0)
    assert settings.threshold == 0.3

    second = make_dataset("second", preprocessing=Preprocessing(high_pass=1.0))
    other = BrantConfig(**SMALL)
    note_preprocessing(other, [str(first), str(second)])
    assert other.detection is None
    assert "not all prepared alike" in caplog.text


def test_model_for_recordings_is_the_published_one(tmp_path):
    config = make_config(ModelArguments(), [str(tmp_path)])
    assert (config.patch_length, config.num_patches, config.hidden_size) == (1500, 15, 2048)


def test_overrides_and_fields_of_the_task(dataset):
    arguments = ModelArguments(size="tiny", config_overrides="hidden_size=32,learnable_mask=true,loss_on=masked")
    config = make_config(arguments, [str(dataset)], task=PretrainingTask(mask_ratio=0.6), tuning="temporal")
    assert (config.hidden_size, config.learnable_mask, config.loss_on, config.mask_ratio) == (32, True, "masked", 0.6)
    assert config.num_spatial_layers == 0
    assert config.initializer_range == pytest.approx(0.02 * (2048 / 32) ** 0.5)
    arguments = ModelArguments(size="tiny", config_overrides="hidden_size=32,initializer_range=0.03")
    assert make_config(arguments, [str(dataset)]).initializer_range == 0.03


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("hidden=32", "--config_overrides is 'hidden=32': key hidden"),
        ("hidden_size", "--config_overrides is 'hidden_size'"),
        ("hidden_size=large", "--config_overrides is 'hidden_size=large'"),
        ("band_edges=4", "--config_overrides is 'band_edges=4'"),
        ("hidden_size=33", "multiple of `num_attention_heads`"),
    ],
)
def test_bad_overrides(dataset, overrides, message):
    with pytest.raises(ValueError, match=message):
        make_config(ModelArguments(size="tiny", config_overrides=overrides), [str(dataset)])


def test_unknown_size(dataset):
    with pytest.raises(ValueError, match="huge"):
        make_config(ModelArguments(size="huge"), [str(dataset)])


def test_training_does_not_start_from_an_adapter(tmp_path, dataset):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="is an adapter, and training starts from a complete checkpoint"):
        make_config(ModelArguments(model=str(tmp_path)), [str(dataset)])


def test_checkpoint_decides_before_the_dataset(checkpoint, dataset):
    arguments = ModelArguments(model=str(checkpoint), size="tiny")
    config = make_config(arguments, [str(dataset)], task=ForecastingTask(horizon_patches=2))
    assert (config.sampling_rate, config.num_patches, config.prediction_length) == (200, 6, 100)
    model = make_model(BrantForForecasting, arguments, config)
    saved = load_file(checkpoint / "model.safetensors")
    assert all(torch.equal(saved[f"brant.{name}"], value) for name, value in model.brant.state_dict().items())


def test_checkpoint_without_some_weights_of_the_encoder(checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    del weights["brant.temporal_layers.1.mlp.fc1.weight"]
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    arguments = ModelArguments(model=str(checkpoint))
    with pytest.raises(ValueError, match="lacks 1 of"):
        make_model(BrantForSeizureDetection, arguments, make_config(arguments, []))


def test_checkpoint_without_the_head(checkpoint):
    arguments = ModelArguments(model=str(checkpoint))
    config = make_config(arguments, [])
    make_model(BrantForPreTraining, arguments, config, complete=True)
    make_model(BrantForSeizureDetection, arguments, config)
    with pytest.raises(ValueError, match="lacks 6 weights of BrantForSeizureDetection"):
        make_model(BrantForSeizureDetection, arguments, config, complete=True)


def test_attention_implementation(dataset):
    overrides = ",".join(f"{name}={value}" for name, value in SMALL.items())
    arguments = ModelArguments(config_overrides=overrides, attn_implementation="eager")
    model = make_model(BrantForPreTraining, arguments, make_config(arguments, [str(dataset)]))
    assert model.config._attn_implementation == "eager"


def test_normalisation_of_the_checkpoint_is_kept(checkpoint):
    arguments = ModelArguments(model=str(checkpoint))
    extractor = make_feature_extractor(arguments, make_config(arguments, []))
    assert (extractor.normalize, extractor.scale) == ("zscore", 70.0)
    assert (extractor.sampling_rate, extractor.patch_length, extractor.num_patches) == (200, 50, 6)


def test_training_is_in_single_precision(checkpoint, tmp_path):
    BrantForPreTraining.from_pretrained(checkpoint).half().save_pretrained(tmp_path / "half")
    arguments = ModelArguments(model=str(tmp_path / "half"))
    model = make_model(BrantForSeizureDetection, arguments, make_config(arguments, []))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_another_normalisation_is_a_warning(checkpoint, caplog):
    arguments = ModelArguments(model=str(checkpoint), normalize="asinh")
    logger = logging.getLogger("brant_hf.training.models")
    with caplog.at_level(logging.WARNING, logger.name):
        extractor = make_feature_extractor(arguments, make_config(arguments, []))
    assert (extractor.normalize, extractor.scale) == ("asinh", 70.0)
    assert "this run uses {'normalize': 'asinh', 'scale': 70.0}" in caplog.text
    caplog.clear()
    make_feature_extractor(ModelArguments(model=str(checkpoint), normalize="zscore"), make_config(arguments, []))
    # Other libraries log what they do where an earlier test let them.
    assert not [record for record in caplog.records if record.name == logger.name]


def test_normalisation_without_a_checkpoint(dataset):
    arguments = ModelArguments(size="tiny", normalize="robust", scale=20.0)
    extractor = make_feature_extractor(arguments, make_config(arguments, [str(dataset)]))
    assert (extractor.normalize, extractor.scale) == ("robust", 20.0)
    extractor = make_feature_extractor(ModelArguments(size="tiny"), make_config(arguments, [str(dataset)]))
    assert (extractor.normalize, extractor.scale) == ("asinh", 50.0)


# Tuning


def _trained(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_frozen_trains_the_head_alone():
    model = BrantForSeizureDetection(BrantConfig(**SMALL))
    before = _trained(model)
    after = _trained(apply_tuning(model, "frozen"))
    assert after == {name for name in before if name.startswith("detection_head.")}


def test_lora_adapts_every_linear_layer_of_the_encoder_and_trains_the_head():
    model = BrantForSeizureDetection(BrantConfig(**SMALL))
    inputs = {"input_values": torch.randn(2, 3, 300)}
    expected = model.eval()(**inputs).logits
    layers = [
        name
        for name, module in model.brant.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith("embeddings.")
    ]
    adapted = apply_tuning(model, "lora", lora_rank=4, lora_alpha=8.0)
    trained = _trained(adapted)
    assert len(layers) == 3 * 6
    for layer in layers:
        assert f"base_model.model.brant.{layer}.lora_A.default.weight" in trained
    assert len([name for name in trained if ".lora_" in name]) == 2 * len(layers)
    assert len([name for name in trained if ".lora_" not in name]) == 6
    assert all("detection_head.modules_to_save" in name for name in trained if ".lora_" not in name)
    assert next(p for n, p in adapted.named_parameters() if n.endswith("q_proj.lora_A.default.weight")).shape == (
        4,
        16,
    )
    plain = merged(adapted)
    assert isinstance(plain, BrantForSeizureDetection)
    torch.testing.assert_close(plain.eval()(**inputs).logits, expected)


def test_merged_weights_give_what_the_adapter_gave():
    adapted = apply_tuning(BrantForSeizureDetection(BrantConfig(**SMALL)), "lora").eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.1)
    inputs = {"input_values": torch.randn(2, 3, 300)}
    with_adapter = adapted(**inputs).logits
    plain = merged(adapted).eval()
    assert plain.state_dict().keys() == BrantForSeizureDetection(BrantConfig(**SMALL)).state_dict().keys()
    torch.testing.assert_close(plain(**inputs).logits, with_adapter, rtol=1e-4, atol=1e-5)


def test_a_plain_model_is_merged_already():
    model = BrantForSeizureDetection(BrantConfig(**SMALL))
    assert apply_tuning(model, "full") is model
    assert merged(model) is model
