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
        ({"mask_ratio": 1.5}, "between 0 and 1, got 1.5"),
        ({"loss_on": "patches"}, '"all" or "masked", got \'patches\''),
        ({"patch_length": 0}, "`patch_length` must be greater than 0 and finite, got 0"),
        ({"sampling_rate": float("nan")}, "`sampling_rate` must be greater than 0 and finite, got nan"),
        ({"band_edges": [4, float("nan"), 8]}, r"increasing frequencies in Hz, got \[4, nan, 8\]"),
        ({"band_edges": [-4, 8]}, r"increasing frequencies in Hz, got \[-4, 8\]"),
        ({"loss_on": "masked", "mask_ratio": 0}, "needs a `mask_ratio` greater than 0"),
        ({"num_labels": 1}, "`num_labels` must be 2 or more, got 1"),
        ({"hidden_act": "foo"}, "`hidden_act` must be an activation function of transformers, got 'foo'"),
        ({"num_hidden_layers": 3}, r"cannot be set \(got 3\): set `num_temporal_layers`"),
        ({"num_spatial_layers": -1}, "`num_spatial_layers` must be 0 or more, got -1"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        BrantConfig(**fields)


def test_overrides_of_from_pretrained_are_checked(tmp_path):
    BrantForPreTraining(BrantConfig(hidden_size=16, num_temporal_layers=1, num_spatial_layers=0)).save_pretrained(
        tmp_path
    )
    with pytest.raises(ValueError, match="num_attention_heads=3"):
        BrantForPreTraining.from_pretrained(tmp_path, num_attention_heads=3)


def test_own_labels_are_kept():
    config = BrantConfig(label2id={"awake": 0, "asleep": 1}, id2label={0: "awake", 1: "asleep"})
    assert config.id2label == {0: "awake", 1: "asleep"}


def test_round_trip(tmp_path):
    config = BrantConfig(band_edges=(1, 4.5, 9), num_labels=3, loss_on="masked", sampling_rate=512)
    config.save_pretrained(tmp_path)
    loaded = BrantConfig.from_pretrained(tmp_path)
    assert loaded.band_edges == [1, 4.5, 9]
    assert (loaded.num_labels, loaded.loss_on, loaded.sampling_rate) == (3, "masked", 512)
