import pickle
from pathlib import Path

import pytest
import torch

from brant_hf import (
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForPreTraining,
    convert_original_checkpoint,
    convert_original_task_checkpoint,
    export_original_checkpoint,
)
from brant_hf.configuration_brant import PUBLISHED_SIZES

REFERENCE = Path(__file__).parent / "fixtures" / "reference"
TIME, CHANNEL, HEADS = (REFERENCE / f"{name}.pt" for name in ("time_encoder", "channel_encoder", "heads"))


@pytest.fixture
def time_encoder():
    return torch.load(TIME, weights_only=True)


@pytest.fixture
def channel_encoder():
    return torch.load(CHANNEL, weights_only=True)


def convert(time_encoder, channel_encoder, **kwargs):
    return convert_original_checkpoint(time_encoder, channel_encoder, num_attention_heads=2, **kwargs)


def test_configuration_is_inferred():
    config = convert(TIME, CHANNEL).config
    assert (config.hidden_size, config.intermediate_size, config.num_attention_heads) == (16, 24, 2)
    assert (config.num_temporal_layers, config.num_spatial_layers) == (2, 2)
    assert (config.num_patches, config.patch_length, config.num_bands) == (15, 1500, 8)
    assert config.learnable_mask is False


def test_query_key_and_value_are_stacked_in_this_order(time_encoder):
    attention = convert(TIME, CHANNEL).brant.temporal_layers[1].attention
    stacked = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    assert torch.equal(stacked, time_encoder["module.trans_enc.layers.1.self_attn.in_proj_weight"])


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_export_gives_back_every_bit(time_encoder, channel_encoder, prefix, dtype):
    originals = [
        {prefix + key.removeprefix("module."): tensor.to(dtype) for key, tensor in state_dict.items()}
        for state_dict in (time_encoder, channel_encoder)
    ]
    model = convert(*originals, verify=True)
    assert {p.dtype for p in model.parameters()} == {dtype}
    for original, exported in zip(originals, export_original_checkpoint(model), strict=True):
        assert {key.removeprefix("module.") for key in original} == set(exported)
        for key, tensor in original.items():
            assert torch.equal(tensor, exported[key.removeprefix("module.")])


def test_verification_notices_a_changed_weight(time_encoder, channel_encoder, monkeypatch):
    from brant_hf import conversion_brant

    exported = conversion_brant._exported

    def change(*args):
        for key, tensor in exported(*args):
            yield key, tensor + 1e-6 if key == "channel_encoder.proj_out.0.bias" else tensor

    monkeypatch.setattr(conversion_brant, "_exported", change)
    with pytest.raises(ValueError, match=r"`channel_encoder\.proj_out\.0\.bias` is not the same"):
        convert(time_encoder, channel_encoder, verify=True)


def test_converted_weights_do_not_share_memory_with_the_originals(time_encoder, channel_encoder):
    model = convert(time_encoder, channel_encoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert time_encoder["module.input_embedding.proj.0.weight"].any()


def test_saved_checkpoint_loads(tmp_path, reference):
    model = convert(TIME, CHANNEL, output_dir=tmp_path / "brant")
    loaded = BrantForPreTraining.from_pretrained(tmp_path / "brant")
    for (name, expected), actual in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(actual, expected), name
    # The published normalisation is not known, so that none is applied.
    assert BrantFeatureExtractor.from_pretrained(tmp_path / "brant").normalize == "none"
    assert [path.name for path in tmp_path.iterdir()] == ["brant"]


def test_saving_into_an_existing_folder_replaces_a_checkpoint_only_when_allowed(tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    convert(TIME, CHANNEL, output_dir=tmp_path)
    # Refused before anything is read: there are no such encoders.
    with pytest.raises(FileExistsError, match=r"holds config\.json; name another folder"):
        convert("missing.pt", "missing.pt", output_dir=tmp_path)
    with pytest.raises(FileExistsError, match="name another folder"):
        convert_original_task_checkpoint("missing.pt", "missing.pt", "missing.pt", "imputation", tmp_path)
    convert(TIME, CHANNEL, output_dir=tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "kept"
    BrantForPreTraining.from_pretrained(tmp_path)


def test_learnable_mask_is_inferred_and_used(time_encoder, channel_encoder):
    for key in ("module.input_embedding.mask_encoding", "module.input_embedding.power_mask_encoding"):
        time_encoder[key] = torch.randn_like(time_encoder[key])
    model = convert(time_encoder, channel_encoder, mask_band_power=True, verify=True)
    assert model.config.learnable_mask
    mask = torch.zeros(1, 1, 2, dtype=torch.bool)
    mask[0, 0, 1] = True
    embedded = model.brant.embeddings(torch.randn(1, 1, 3000), mask)[0, 0, 1]
    weights = {key.removeprefix("module.input_embedding."): tensor for key, tensor in time_encoder.items()}
    expected = weights["proj.0.weight"] @ weights["mask_encoding"] + weights["proj.0.bias"]
    expected = expected + weights["positional_encoding"][1] + weights["power_mask_encoding"]
    torch.testing.assert_close(embedded, expected)


def test_other_configurations(reference):
    """Any configuration goes to the published format and back."""
    from brant_hf import BrantConfig

    config = BrantConfig(
        patch_length=20,
        num_patches=3,
        band_edges=[1, 2, 30],
        hidden_size=8,
        intermediate_size=12,
        num_temporal_layers=11,
        num_spatial_layers=1,
        num_attention_heads=4,
    )
    model = BrantForPreTraining(config)
    time_encoder, channel_encoder = export_original_checkpoint(model)
    converted = convert_original_checkpoint(
        time_encoder, channel_encoder, num_attention_heads=4, band_edges=[1, 2, 30], verify=True
    )
    assert converted.config.num_temporal_layers == 11
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, converted.state_dict()[name]), name


LAYER = "module.trans_enc.layers"
EMBEDDING = "module.input_embedding"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, c: t.pop(f"{LAYER}.0.norm1.bias"), r"lacks time_encoder\.trans_enc\.layers\.0\.norm1\.bias\."),
        (lambda t, c: c.pop("module.proj_out.0.weight"), r"lacks channel_encoder\.proj_out\.0\.weight"),
        (lambda t, c: t.pop(f"{EMBEDDING}.mask_encoding"), r"lacks `time_encoder\.input_embedding\.mask_encoding`"),
        (lambda t, c: t.update(epoch_bias=torch.zeros(3)), r"unknown keys: time_encoder\.epoch_bias"),
        (
            lambda t, c: c.update({"module.trans_enc.norm.weight": torch.ones(16)}),
            r"unknown keys: channel_encoder\.trans_enc\.norm\.weight",
        ),
        (
            lambda t, c: t.update({f"{LAYER}.1.linear2.weight": torch.zeros(16, 25)}),
            r"layers\.1\.linear2\.weight has shape \(16, 25\) instead of \(16, 24\)",
        ),
        (
            lambda t, c: [t.pop(key) for key in list(t) if "layers.0" in key and "linear1" not in key],
            r"lacks time_encoder\.trans_enc\.layers\.0\..* and 4 more",
        ),
        (lambda t, c: t.update({f"{EMBEDDING}.band_encoding": torch.zeros(5, 16)}), "5 frequency bands, which need 6"),
        (lambda t, c: t.update(step=3), "named tensors only, got 'step': a int"),
        (lambda t, c: t.update({f"{EMBEDDING}.proj.0.bias": torch.zeros(16).half()}), "one floating point type"),
        (lambda t, c: t.clear(), "got an empty mapping"),
        (
            lambda t, c: t.update({f"{LAYER}.3000.linear1.weight": torch.zeros(24, 16)}),
            r"without a gap, got \[0, 1, 3000\]",
        ),
        (
            lambda t, c: t.update({f"{EMBEDDING}.mask_encoding": torch.zeros(1500).to_sparse()}),
            "must hold ordinary tensors, `module.input_embedding.mask_encoding` is torch.sparse_coo",
        ),
        (lambda t, c: [d.update({k: v.int() for k, v in d.items()}) for d in (t, c)], "one floating point type"),
    ],
)
def test_refused_checkpoints(time_encoder, channel_encoder, tmp_path, change, message):
    change(time_encoder, channel_encoder)
    with pytest.raises(ValueError, match=message):
        convert(time_encoder, channel_encoder, output_dir=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_swapped_files_are_refused():
    with pytest.raises(ValueError, match="lacks `time_encoder"):
        convert(CHANNEL, TIME)


def test_contradicting_override_is_refused():
    with pytest.raises(ValueError, match="`hidden_size` is 16 in the checkpoint, got hidden_size=32"):
        convert(TIME, CHANNEL, hidden_size=32)


@pytest.mark.parametrize("field", ["patch_lenght", "dtype"])
def test_unknown_override_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} is no field of BrantConfig"):
        convert(TIME, CHANNEL, **{field: 3})


def test_overrides_reach_the_checkpoint(tmp_path):
    model = convert(TIME, CHANNEL, output_dir=tmp_path, sampling_rate=512, learnable_mask=True)
    assert model.brant.embeddings.mask_token.requires_grad
    assert not convert(TIME, CHANNEL).brant.embeddings.mask_token.requires_grad
    assert BrantFeatureExtractor.from_pretrained(tmp_path).sampling_rate == 512


def test_verification_compares_bits(time_encoder, channel_encoder):
    time_encoder["module.input_embedding.proj.0.bias"][:2] = torch.tensor([float("nan"), -0.0])
    convert(time_encoder, channel_encoder, verify=True)


def test_output_dir_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file; give a folder"):
        convert(TIME, CHANNEL, output_dir=tmp_path / "out")


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="hidden_size=16 and num_attention_heads=3"):
        convert_original_checkpoint(TIME, CHANNEL, num_attention_heads=3)


def test_number_of_heads_is_needed_where_the_size_is_no_published_one(monkeypatch):
    with pytest.raises(ValueError, match=r"`hidden_size` is 16, none of the published sizes 768, 1024, 1280, 2048"):
        convert_original_checkpoint(TIME, CHANNEL, verify=True)
    monkeypatch.setitem(PUBLISHED_SIZES["tiny"], "hidden_size", 16)
    assert convert_original_checkpoint(TIME, CHANNEL).config.num_attention_heads == 16


class Payload:
    """Unpickling this object creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("kind", ["pickle", "torch", "text", "empty"])
def test_foreign_files_are_refused_and_run_no_code(tmp_path, kind):
    path, trace = tmp_path / "time_encoder.pt", tmp_path / "trace"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Payload(trace)))
    elif kind == "torch":
        torch.save({"module.weight": Payload(trace)}, path)
    else:
        path.write_text("" if kind == "empty" else "weights")
    with pytest.raises(ValueError, match=r"time_encoder\.pt is no file of tensors"):
        convert(path, CHANNEL, output_dir=tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["time_encoder.pt"]


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"time encoder nowhere\.pt does not exist"):
        convert("nowhere.pt", CHANNEL)


# Task heads. tests/test_reference.py checks their numbers.


@pytest.mark.parametrize("with_reconstruction", [True, False])
def test_flat_head_and_encoders_with_or_without_reconstruction(channel_encoder, with_reconstruction, reference):
    heads = torch.load(HEADS, weights_only=True)
    if not with_reconstruction:
        channel_encoder = {key: tensor for key, tensor in channel_encoder.items() if "proj_out" not in key}
    head = {f"module.{key}": tensor for key, tensor in heads["forecast_short"].items()}
    model = convert_original_task_checkpoint(
        TIME, channel_encoder, head, "forecast_short", num_attention_heads=2, verify=True
    )
    assert isinstance(model, BrantForForecasting)
    assert (model.config.prediction_length, model.config.prediction_dropout) == (3000, 0.1)
    torch.testing.assert_close(
        model(reference["input_values"]).prediction_outputs, reference["forecast_short"], rtol=0, atol=1e-3
    )


def test_long_forecast_has_the_published_dropout():
    head = {"0.weight": torch.zeros(30000, 16), "0.bias": torch.zeros(30000)}
    model = convert_original_task_checkpoint(TIME, CHANNEL, head, "forecast_long", num_attention_heads=2)
    assert (model.config.prediction_length, model.config.prediction_dropout) == (30000, 0.2)
    options = {"num_attention_heads": 2, "prediction_dropout": 0.3}
    model = convert_original_task_checkpoint(TIME, CHANNEL, head, "forecast_long", **options)
    assert model.config.prediction_dropout == 0.3


@pytest.mark.parametrize(
    ("head", "task", "message"),
    [
        ("heads", "forecast_long", "must hold the head forecast_long, got a mapping with the keys 'seizure'"),
        ("heads", "detection", "`task` must be one of seizure, .* got 'detection'"),
        ({"weight": torch.zeros(4, 16)}, "frequency_phase", "must hold the heads frequency and phase"),
        ({"weight": torch.zeros(1500, 16)}, "imputation", r"lacks head\.imputation\.bias"),
        (
            {"weight": torch.zeros(1499, 16), "bias": torch.zeros(1499)},
            "imputation",
            r"\(1499, 16\) instead of \(1500, 16\)",
        ),
        ({"weight": torch.zeros(2, 16), "bias": torch.zeros(2)}, "seizure", r"lacks `seizure\.mlp\.4\.weight`"),
    ],
)
def test_refused_heads(tmp_path, head, task, message):
    head = HEADS if head == "heads" else head
    with pytest.raises(ValueError, match=message):
        convert_original_task_checkpoint(TIME, CHANNEL, head, task, tmp_path / "out", num_attention_heads=2)
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(BrantFeatureExtractor, "save_pretrained", fail)
    with pytest.raises(OSError, match="disk full"):
        convert(TIME, CHANNEL, output_dir=tmp_path / "out")
    assert not list(tmp_path.iterdir())
