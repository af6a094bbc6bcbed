"""Published weights where they are, as miniatures with the names and shapes of the real ones."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from braindecode_port import Port
from safetensors.torch import load_file, save_file

from brant_hf import (
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
    convert_original_checkpoint,
    export_original_checkpoint,
)
from brant_hf.checkpoints import load_detector
from brant_hf.modeling_brant import compute_band_power

MASKS = ("mask_encoding", "power_mask_encoding")


@pytest.fixture
def port():
    torch.manual_seed(0)
    return Port().eval()


@pytest.fixture
def folder(port, tmp_path):
    return port.save(tmp_path / "port")


def published(port: Port) -> tuple[dict, dict]:
    """The same weights as the two files of the published code."""
    state = port.state_dict()
    embedding = port.temporal_encoder.input_embedding.proj[0]
    sizes = (embedding.in_features, embedding.out_features)
    masks = {f"input_embedding.{name}": torch.zeros(size) for name, size in zip(MASKS, sizes, strict=True)}
    parts = [
        {key.removeprefix(part): tensor for key, tensor in state.items() if key.startswith(part)}
        for part in ("temporal_encoder.", "spatial_encoder.")
    ]
    return parts[0] | masks, parts[1]


def assert_same_weights(model: BrantForPreTraining, port: Port) -> None:
    for exported, expected in zip(export_original_checkpoint(model), published(port), strict=True):
        assert set(exported) == set(expected)
        for key, tensor in expected.items():
            assert torch.equal(exported[key], tensor.to(exported[key].dtype)), key


@pytest.mark.parametrize(
    "size",
    [
        {},
        {"hidden": 8, "ffn": 40, "temporal": 1, "spatial": 3, "heads": 2, "patch": 30, "patches": 1},
        {"hidden": 24, "temporal": 11, "spatial": 1, "heads": 3, "labels": 5},
    ],
)
def test_hidden_states_are_those_of_torch(size, tmp_path):
    torch.manual_seed(0)
    port = Port(**size).eval()
    model = BrantModel.from_pretrained(
        convert_and_write(port.save(tmp_path / "port"), tmp_path / "out"), attn_implementation="eager"
    )
    fields = port.fields
    signal = torch.randn(2, 3, fields["n_times"])
    power = compute_band_power(signal.unflatten(-1, (-1, fields["patch_size"])), 256, model.config.band_edges)
    expected = port.hidden_states(signal, power)
    with torch.no_grad():
        found = model(signal, output_hidden_states=True).hidden_states
    assert len(found) == fields["temporal_n_layers"] + fields["spatial_n_layers"] + 1
    for layer, (actual, wanted) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-5, msg=f"layer {layer}")


def convert_and_write(source, out):
    convert_original_checkpoint(source, output_dir=out, verify=True)
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_bit_is_kept(port, tmp_path, dtype):
    port = port.to(dtype)
    model = convert_original_checkpoint(port.save(tmp_path / "port", dtype), output_dir=tmp_path / "out", verify=True)
    assert model.dtype == dtype
    assert_same_weights(model, port)
    assert_same_weights(BrantForPreTraining.from_pretrained(tmp_path / "out"), port)


def archive(folder: Path, path: Path, **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as written:
        for file in sorted(folder.rglob("*")):
            written.write(file, Path("pre_trained_weights", file.relative_to(folder)))
        written.writestr("__MACOSX/._time_encoder.pt", b"")
    return path


def as_file(port, tmp_path):
    return port.save(tmp_path / "port") / "model.safetensors"


def as_shards(port, tmp_path):
    folder = port.save(tmp_path / "port")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, keys in enumerate((names[::2], names[1::2]), start=1):
        name = f"model-{number:05}-of-00002.safetensors"
        save_file({key: tensors[key] for key in keys}, folder / name)
        weight_map |= dict.fromkeys(keys, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def as_pickle(port, tmp_path):
    folder = port.save(tmp_path / "port")
    (folder / "model.safetensors").unlink()
    torch.save(port.state_dict(), folder / "pytorch_model.bin")
    return folder


def as_two_files(port, tmp_path):
    (tmp_path / "two").mkdir()
    for name, state in zip(("time_encoder", "channel_encoder"), published(port), strict=True):
        torch.save({f"module.{key}": tensor for key, tensor in state.items()}, tmp_path / "two" / f"{name}.pt")
    return tmp_path / "two"


def as_archive(port, tmp_path):
    return archive(as_two_files(port, tmp_path), tmp_path / "brant.zip", compression=zipfile.ZIP_DEFLATED)


def as_archive_of_a_folder(port, tmp_path):
    return archive(port.save(tmp_path / "port"), tmp_path / "port.zip")


def as_archive_in_a_folder(port, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    as_archive(port, tmp_path).rename(tmp_path / "code" / "weights.zip")
    return tmp_path / "code"


SOURCES = [
    as_file,
    as_shards,
    as_pickle,
    as_two_files,
    as_archive,
    as_archive_of_a_folder,
    as_archive_in_a_folder,
]


@pytest.mark.parametrize("save", SOURCES, ids=[save.__name__ for save in SOURCES])
def test_sources(port, tmp_path, save):
    source = save(port, tmp_path)
    model = convert_original_checkpoint(source, num_attention_heads=4, verify=True)
    assert_same_weights(model, port)
    assert model.config.num_attention_heads == 4
    assert all(len(checksum) == 64 for checksum in model.conversion.checksums.values())
    has_masks = save in (as_two_files, as_archive, as_archive_in_a_folder)
    assert [name.rpartition(".")[2] for name in model.conversion.added] == ([] if has_masks else list(MASKS))


def test_state_dict_is_copied(port):
    state = port.state_dict()
    model = convert_original_checkpoint(state, num_attention_heads=4)
    with torch.no_grad():
        model.brant.embeddings.projection.weight.zero_()
    assert state["temporal_encoder.input_embedding.proj.0.weight"].any()


def test_no_weight_is_a_part_of_another_tensor(folder):
    """Saving would copy those that are, which is half of the model."""
    for name, parameter in convert_original_checkpoint(folder).named_parameters():
        assert parameter.untyped_storage().nbytes() == parameter.nbytes, name


def test_what_the_configuration_of_the_source_tells(port, folder):
    config = convert_original_checkpoint(folder).config
    assert (config.num_attention_heads, config.sampling_rate, config.hidden_dropout) == (4, 250, 0.1)
    assert config.band_power_sampling_rate == 256  # as in the published code, not 250
    assert convert_original_checkpoint(folder, band_power_sampling_rate=250).config.band_power_sampling_rate == 250


def test_weights_at_another_rate_were_trained_by_braindecode_with_its_band_power(port, tmp_path):
    config = convert_original_checkpoint(port.save(tmp_path / "port", fields={"sfreq": 500})).config
    assert (config.sampling_rate, config.band_power_sampling_rate) == (500, 500)


def test_head_is_left_out_and_listed(port, folder, tmp_path):
    report = convert_original_checkpoint(folder).conversion
    assert sorted(report.left_out) == [key for key in sorted(port.state_dict()) if key.startswith("final_layer.")]
    without = port.save(tmp_path / "none", change=lambda tensors: [tensors.pop(key) for key in report.left_out])
    assert convert_original_checkpoint(without).conversion.left_out == []
    with pytest.raises(ValueError, match=r"none holds no head for the task 'seizure'"):
        convert_original_checkpoint(without, task="seizure")


def test_head_becomes_that_of_a_detector(tmp_path):
    port = Port(labels=3)
    model = convert_original_checkpoint(port.save(tmp_path / "port"), task="seizure", verify=True)
    assert isinstance(model, BrantForSeizureDetection)
    features = torch.randn(4, 16)
    torch.testing.assert_close(model.detection_head(features), port.final_layer.mlp(features))
    assert model.config.num_labels == 3
    assert "on the mean over all channels and patches" in model.conversion.notes[0]
    assert [key for key in model.conversion.left_out if "proj_out" not in key] == []


HEAD = "final_layer.mlp"
LAYER = "temporal_encoder.trans_enc.layers.1"


@pytest.mark.parametrize(
    ("change", "fields", "message"),
    [
        (lambda t: t.pop(f"{LAYER}.norm1.bias"), {}, r"lacks temporal_encoder\.trans_enc\.layers\.1\.norm1\.bias\."),
        (lambda t: t.pop("spatial_encoder.proj_out.0.bias"), {}, r"lacks spatial_encoder\.proj_out\.0\.bias\."),
        (lambda t: t.update({"step": torch.ones(1)}), {}, "unknown keys: step"),
        (lambda t: t.pop(f"{HEAD}.2.bias"), {}, r"lacks final_layer\.mlp\.2\.bias\."),
        (lambda t: t.update({f"{HEAD}.6.bias": torch.ones(2)}), {}, r"unknown keys: final_layer\.mlp\.6\.bias"),
        (
            lambda t: t.update({f"temporal_encoder.input_embedding.{MASKS[0]}": torch.ones(60)}),
            {},
            r"lacks `temporal_encoder\.input_embedding\.power_mask_encoding`",
        ),
        (
            lambda t: t.update({f"{LAYER}.linear2.weight": torch.zeros(16, 25)}),
            {},
            r"layers\.1\.linear2\.weight has shape \(16, 25\) instead of \(16, 24\)",
        ),
        (lambda t: t.update({key: t[key].half() for key in list(t)[:1]}), {}, "must have one floating point type"),
        (None, {"ffn_dim": 48}, "config.json has ffn_dim 48, the weights beside it have 24"),
        (None, {"n_times": 240}, "config.json has n_times 240, the weights beside it have 300"),
        (None, {"n_heads": 3}, "hidden_size=16 and num_attention_heads=3"),
        (None, {"model_type": "patchtst"}, "is no configuration of braindecode"),
    ],
)
def test_refused_ports(port, tmp_path, change, fields, message):
    source = port.save(tmp_path / "port", fields=fields, change=change)
    with pytest.raises(ValueError, match=message):
        convert_original_checkpoint(source, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_head_of_another_kind_is_refused_only_where_it_is_asked_for(port, tmp_path):
    source = port.save(tmp_path / "port", fields={"activation": "torch.nn.modules.activation.GELU"})
    convert_original_checkpoint(source)
    with pytest.raises(ValueError, match="has the activation GELU; only ReLU can be converted"):
        convert_original_checkpoint(source, task="seizure")


def test_heads_that_contradict_the_source_are_refused(folder):
    with pytest.raises(ValueError, match=r"config\.json has n_heads 4, got num_attention_heads=8"):
        convert_original_checkpoint(folder, num_attention_heads=8)


def without_a_shard(folder):
    (folder / "model-00002-of-00002.safetensors").unlink()


def with_a_wrong_index(folder):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"]["epoch"] = "model-00001-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_a_damaged_shard(folder):
    path = folder / "model-00001-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def without_the_index(folder):
    (folder / "model.safetensors.index.json").unlink()


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (without_a_shard, FileNotFoundError, "lists model-00002-of-00002.safetensors, which is not beside it"),
        (with_a_wrong_index, ValueError, "do not list the same tensors: epoch"),
        (with_a_damaged_shard, ValueError, "is damaged or no safetensors file"),
        (without_the_index, ValueError, "has several files of weights; name one"),
    ],
)
def test_refused_shards(port, tmp_path, damage, error, message):
    folder = as_shards(port, tmp_path)
    damage(folder)
    with pytest.raises(error, match=message):
        convert_original_checkpoint(folder)


def test_refused_sources(port, tmp_path):
    (tmp_path / "page.zip").write_text("<html>")
    (tmp_path / "empty").mkdir()
    two = as_two_files(port, tmp_path)
    convert_original_checkpoint(two, output_dir=tmp_path / "ours", num_attention_heads=4)
    for source, message in (
        (tmp_path / "page.zip", "is no zip archive; it may be damaged, or a web page"),
        (tmp_path / "empty", "has no weights: no .safetensors"),
        (two / "time_encoder.pt", "has time_encoder.pt and no channel_encoder.pt"),
        (two / "channel_encoder.pt", "has channel_encoder.pt and no time_encoder.pt"),
        (tmp_path / "ours", "is a checkpoint of brant_hf already"),
        ({"conv.weight": torch.zeros(2)}, "holds no Brant: it has conv.weight"),
    ):
        with pytest.raises(ValueError, match=message):
            convert_original_checkpoint(source)
    with pytest.raises(FileNotFoundError, match="neither a file, a folder nor the id of a model"):
        convert_original_checkpoint(tmp_path / "nowhere")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_in_archives_run_no_code(port, tmp_path):
    folder = as_two_files(port, tmp_path)
    torch.save({"module.weight": Payload(tmp_path / "trace")}, folder / "time_encoder.pt")
    with pytest.raises(ValueError, match=r"brant\.zip.*time_encoder\.pt is no file of tensors"):
        convert_original_checkpoint(archive(folder, tmp_path / "brant.zip"))
    assert not (tmp_path / "trace").exists()


# Weights of another layout are no checkpoint.


@pytest.mark.parametrize("save", [as_file, as_shards, as_pickle, as_two_files, as_archive, as_archive_in_a_folder])
@pytest.mark.parametrize("load", [BrantModel.from_pretrained, load_detector])
def test_weights_that_are_not_converted_are_no_checkpoint(port, tmp_path, save, load):
    source = save(port, tmp_path)
    with pytest.raises(ValueError, match="convert it first: `brant-hf convert") as error:
        load(source)
    assert f"convert {source} OUT" in str(error.value)


def test_foreign_weights_beside_a_configuration_of_ours(port, folder, tmp_path):
    convert_original_checkpoint(folder, output_dir=tmp_path / "ours")
    (folder / "model.safetensors").replace(tmp_path / "ours" / "model.safetensors")
    with pytest.raises(ValueError, match="has weights of another layout; convert it first"):
        BrantModel.from_pretrained(tmp_path / "ours")


def test_card_of_a_converted_checkpoint(folder, tmp_path):
    convert_original_checkpoint(folder, output_dir=tmp_path / "brant")
    card = (tmp_path / "brant" / "README.md").read_text()
    assert card.startswith("---\n")
    for expected in ("license: apache-2.0", "# brant", "zero as published", "6 tensors, final_layer.mlp.0.bias"):
        assert expected in card
