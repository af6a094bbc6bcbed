import dataclasses
import json

import pytest
import torch

from brant_hf import BrantConfig, BrantForPreTraining


def test_defaults_are_published():
    config = BrantConfig()
    assert config.band_edges == [4, 8, 13, 30, 50, 70, 90, 110, 128]
    assert (config.hidden_size, config.intermediate_size, config.num_attention_heads) == (2048, 3072, 16)
    assert (config.num_temporal_layers, config.num_spatial_layers, config.num_hidden_layers) == (12, 5, 17)
    assert config.id2label == {0: "background", 1: "seizure"}


# Published sizes: the paper's table, and the count of the published modules for the largest.
@pytest.mark.parametrize(
    ("size", "millions"), [("tiny", 68.49), ("small", 103.90), ("medium", 249.23), ("brant", 505.69)]
)
def test_published_sizes(size, millions):
    with torch.device("meta"):
        num_parameters = BrantForPreTraining(BrantConfig.from_size(size)).num_parameters()
    assert round(num_parameters / 1e6, 2) == millions


def test_default_config_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert BrantForPreTraining(BrantConfig()).num_parameters() == 505_685_944


def test_from_size_takes_other_fields():
    assert BrantConfig.from_size("tiny", num_patches=4).num_patches == 4
    with pytest.raises(ValueError, match="tiny, small, medium, brant, got 'huge'"):
        BrantConfig.from_size("huge")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": 30, "num_attention_heads": 4}, "hidden_size=30 and num_attention_heads=4"),
        ({"band_edges": [4, 8, 8]}, r"increasing frequencies in Hz, got \[4, 8, 8\]"),
        ({"band_edges": [4]}, r"two or more increasing frequencies in Hz, got \[4\]"),
        ({"mask_ratio": 1.5}, "`mask_ratio` must be a probability between 0.0 and 1.0, got 1.5"),
        ({"loss_on": "patches"}, r"`loss_on` must be Literal\['all', 'masked'\], got 'patches'"),
        ({"patch_length": 0}, "`patch_length` must be a positive integer, got 0"),
        ({"sampling_rate": float("nan")}, "`sampling_rate` must be greater than 0 and smaller than inf, got nan"),
        ({"sampling_rate": float("inf")}, "`sampling_rate` must be greater than 0 and smaller than inf, got inf"),
        ({"initializer_range": 0.0}, "`initializer_range` must be greater than 0 and finite, got 0.0"),
        ({"band_edges": [4, float("nan"), 8]}, r"increasing frequencies in Hz, got \[4, nan, 8\]"),
        ({"band_edges": [-4, 8]}, r"increasing frequencies in Hz, got \[-4, 8\]"),
        ({"loss_on": "masked", "mask_ratio": 0}, "needs a `mask_ratio` greater than 0"),
        ({"num_labels": 1}, "`num_labels` must be 2 or more, got 1"),
        ({"hidden_act": "foo"}, r"`hidden_act` must be one of \['gelu', .*\], got foo"),
        ({"num_hidden_layers": 3}, r"cannot be set \(got 3\): set `num_temporal_layers`"),
        ({"num_spatial_layers": -1}, "`num_spatial_layers` must be greater or equal to 0, got -1"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        BrantConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id2label": {"0": 1, "1": 2}}, "`id2label` must be dict"),
        ({"id2label": ["background", "seizure"]}, "`id2label` must be dict"),
        ({"label2id": {"background": "zero"}}, "`label2id` must be dict"),
        ({"architectures": "BrantModel"}, r"`architectures` must be list\[str\] | None, got 'BrantModel'"),
        ({"architectures": [1]}, "`architectures` must be list"),
        ({"dtype": 5}, "`dtype` must be the name of a floating point type of torch, got 5"),
        ({"dtype": "float23"}, "wrong type: module 'torch' has no attribute 'float23'"),
        ({"num_labels": [2]}, "wrong type: 'list' object cannot"),
        ({"hidden_size": [32]}, r"`hidden_size` must be int, got \[32\]"),
        ({"hidden_size": "32"}, "`hidden_size` must be int, got '32'"),
        ({"band_edges": "4 8"}, "`band_edges` must be list.*, got '4 8'"),
    ],
)
def test_values_of_the_wrong_type_in_a_file(tmp_path, fields, message):
    config = {"model_type": "brant", **fields}
    if "num_labels" in fields:
        config["id2label"] = None
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message) as raised:
        BrantConfig.from_pretrained(tmp_path)
    assert "\n" not in str(raised.value)


def test_overrides_of_from_pretrained_are_checked(tmp_path):
    BrantForPreTraining(BrantConfig(hidden_size=16, num_temporal_layers=1, num_spatial_layers=0)).save_pretrained(
        tmp_path
    )
    with pytest.raises(ValueError, match="num_attention_heads=3"):
        BrantForPreTraining.from_pretrained(tmp_path, num_attention_heads=3)
    with pytest.raises(ValueError, match="`mask_ratio` must be a probability"):
        BrantConfig.from_pretrained(tmp_path, mask_ratio=2.0)


def test_fields_that_are_set_later_are_checked(tmp_path):
    config = BrantConfig()
    with pytest.raises(ValueError, match="`num_patches` must be a positive integer, got 0"):
        config.num_patches = 0
    config.num_attention_heads = 3
    with pytest.raises(ValueError, match="num_attention_heads=3"):
        config.validate()
    with pytest.raises(ValueError, match="num_attention_heads=3"):
        config.save_pretrained(tmp_path)


def test_detection_settings_travel_with_the_checkpoint(tmp_path):
    assert BrantConfig().detection is None
    config = BrantConfig(detection={"threshold": 0.3})
    config.detection = {**config.detection, "min_channels": 2}
    config.save_pretrained(tmp_path)
    assert BrantConfig.from_pretrained(tmp_path).detection == {"threshold": 0.3, "min_channels": 2}
    assert BrantConfig.from_pretrained(tmp_path, detection=None).detection is None
    assert "detection" not in {field.name for field in dataclasses.fields(BrantConfig)}


def test_own_labels_are_kept():
    config = BrantConfig(label2id={"awake": 0, "asleep": 1}, id2label={0: "awake", 1: "asleep"})
    assert config.id2label == {0: "awake", 1: "asleep"}


def test_round_trip(tmp_path):
    config = BrantConfig(band_edges=(1, 4.5, 9), num_labels=3, loss_on="masked", sampling_rate=512)
    config.save_pretrained(tmp_path)
    loaded = BrantConfig.from_pretrained(tmp_path)
    assert loaded.band_edges == [1, 4.5, 9]
    assert (loaded.num_labels, loaded.loss_on, loaded.sampling_rate) == (3, "masked", 512)
