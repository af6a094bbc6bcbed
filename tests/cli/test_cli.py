import re
import zipfile
from pathlib import Path

import pytest
import torch

from brant_hf import BrantFeatureExtractor, BrantForImputation, BrantForPreTraining, BrantForSeizureDetection
from brant_hf.cli import main

REFERENCE = Path(__file__).parents[1] / "fixtures" / "reference"
TIME, CHANNEL, HEADS = (str(REFERENCE / f"{name}.pt") for name in ("time_encoder", "channel_encoder", "heads"))


def test_convert(run, tmp_path):
    status, out, _ = run("convert", TIME, CHANNEL, tmp_path / "brant", "--num-attention-heads", 2, "--verify")
    assert status == 0
    # 59,240 numbers in the two files.
    originals = [torch.load(path, weights_only=True) for path in (TIME, CHANNEL)]
    assert sum(tensor.numel() for state_dict in originals for tensor in state_dict.values()) == 59240
    assert "59,240 parameters" in out
    assert "2 temporal and 2 spatial layers, hidden 16, feed-forward 24, 2 attention heads" in out
    assert "every tensor equals the original bit for bit" in out
    assert BrantForPreTraining.from_pretrained(tmp_path / "brant").config.hidden_size == 16


def test_convert_a_folder_tells_what_became_of_it(run, tmp_path):
    for path in (TIME, CHANNEL):
        (tmp_path / Path(path).name).symlink_to(path)
    status, out, err = run("convert", tmp_path, tmp_path / "brant", "--num-attention-heads", 2)
    assert status == 0, err
    # By sha256sum.
    assert "sha256         829720093eb0a43f8996a65b9767a065e667e31c8cfc83c32135a96b25979714  time_encoder.pt" in out
    assert "licence        not stated beside the weights" in out
    BrantForPreTraining.from_pretrained(tmp_path / "brant")


def test_convert_head(run, tmp_path):
    options = ("--head", HEADS, "--task", "imputation", "--num-attention-heads", 2)
    status, out, _ = run("convert", TIME, CHANNEL, tmp_path / "brant", *options)
    assert status == 0
    assert "BrantForImputation" in out
    BrantForImputation.from_pretrained(tmp_path / "brant")


def test_info(run, small_config, tmp_path):
    BrantForSeizureDetection(small_config()).save_pretrained(tmp_path)
    assert "normalisation  not recorded" in run("info", tmp_path)[1]
    BrantFeatureExtractor(scale=80.0).save_pretrained(tmp_path)
    status, out, err = run("info", tmp_path)
    assert (status, err) == (0, "")
    num_parameters = BrantForSeizureDetection(small_config()).num_parameters()
    for expected in (
        f"{num_parameters:,}",
        f"{4 * num_parameters / 1e6:.1f} MB in fp32, {2 * num_parameters / 1e6:.1f} MB in bf16",
        "15 patches of 30 samples at 250 Hz (1.8 s)",
        "labels background, seizure",
        "asinh, scale 80 microvolts",
    ):
        assert expected in out


def test_info_without_a_model_shows_the_shipped_one_and_its_settings(run, tmp_path, monkeypatch):
    status, out, err = run("info")
    assert (status, err) == (0, "")
    assert "model          shipped" in out
    assert "threshold      0.5 (--threshold); an event begins and ends at 0.1, and lasts at least 10 s at 0.17" in out
    assert (
        "relative to those of the recording itself, over 60 min, and so is line length; a calm recording asks for less"
        in out
    )
    assert "4 channels have to agree (--min-channels); shortest event 10 s (--min-duration)" in out
    assert run("info", "shipped") == (0, out, "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    assert "write ./shipped for the folder" in run("info", "shipped")[2]


def test_info_of_the_published_size(run, tmp_path):
    from brant_hf import BrantConfig

    BrantConfig(architectures=["BrantForPreTraining"]).save_pretrained(tmp_path)
    out = run("info", tmp_path)[1]
    assert "505,685,944 (505.69 M)" in out
    assert "2.02 GB in fp32, 1.01 GB in bf16" in out
    assert "(90 s)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "missing.pt", CHANNEL, "OUT"], "The time encoder missing.pt does not exist"),
        (["convert", CHANNEL, TIME, "OUT"], "lacks `time_encoder.input_embedding.positional_encoding`"),
        (["convert", HEADS, CHANNEL, "OUT"], "must hold named tensors only, got 'seizure'"),
        (["convert", __file__, CHANNEL, "OUT"], "is no file of tensors"),
        (["convert", TIME, CHANNEL, "OUT", "--num-attention-heads", "5"], "num_attention_heads=5"),
        (["convert", TIME, CHANNEL, "OUT", "--verify"], "pass `num_attention_heads` (`--num-attention-heads`)"),
        (["convert", TIME, CHANNEL, "OUT", "--task", "seizure"], "--head and --task go together"),
        (["convert", TIME, CHANNEL], "Missing argument"),
        (["detect", "recording.edf"], "Missing argument; expected: brant-hf detect RECORDING... EVENTS"),
        (["finetune"], "Missing argument; expected: brant-hf finetune RECORDING... --output DIR"),
        (["convert", TIME, CHANNEL, "OUT", "--fast"], "No such option"),
        (
            ["detect", "recording.edf", "events.tsv", "--num-proc", "0"],
            "--num-proc is 0; it must be a whole number of 1 or more",
        ),
        (["simulate", "OUT", "--patients", "0"], "--patients is 0; give at least 1"),
        (["simulate", "OUT", "--channels", "1"], "--channels is 1; give 2 to 120, or none to draw it"),
        (
            ["embed", "recording.edf", "e.parquet", "--num-proc", "0"],
            "--num-proc is 0; it must be a whole number of 1 or more",
        ),
        (["info", "OUT"], "OUT"),
        (["info", "/no/such/folder"], "/no/such/folder is neither a folder nor the id of a model on the Hub"),
        (["info", "nonsense"], f"there is no such folder in {Path.cwd()}, and an id looks like you/model"),
        (["info", "you/nonsense"], "the Hub cannot be reached (offline)"),
        (["info", __file__], "is a file; name the folder of the checkpoint"),
        (["info", str(REFERENCE.parents[1])], "is no checkpoint: it holds no config.json; name a folder with a model"),
        (["info", str(REFERENCE)], "config.json"),
    ],
)
def test_bad_input_gets_one_line(run, tmp_path, arguments, message):
    arguments = [str(tmp_path / "out") if argument == "OUT" else argument for argument in arguments]
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("brant-hf: ")
    assert err.count("\n") == 1
    assert message.replace("OUT", str(tmp_path / "out")) in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('"hidden_size": "abc"', "config.json is no valid Brant configuration"),
        ('"num_hidden_layers": 3', "config.json is no valid Brant configuration"),
        ('"architectures": ["BrantForNothing"]', "its class is none of brant_hf"),
    ],
)
def test_info_of_a_damaged_configuration(run, tmp_path, fields, message):
    (tmp_path / "config.json").write_text(f'{{"model_type": "brant", {fields}}}')
    status, out, err = run("info", tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert re.search(message, err)


def test_info_refuses_another_model(run, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    status, _, err = run("info", tmp_path)
    assert status == 2
    assert "is no Brant checkpoint: its config.json has model_type 'bert'" in err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("bad\n  value"), 2, "brant-hf: bad value\n"),
        (EOFError("ends early"), 2, "brant-hf: ends early\n"),
        (MemoryError(), 2, "brant-hf: MemoryError\n"),
        (PermissionError(13, "Permission denied", "a.tsv"), 2, "brant-hf: a.tsv: Permission denied\n"),
        (zipfile.BadZipFile("no zip"), 2, "brant-hf: no zip\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=repr,
)
def test_bad_input_and_interruption_are_one_line(run, monkeypatch, tmp_path, error, status, line):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("brant_hf.detection.scoring.compare_files", fail)
    code, out, err = run("score", tmp_path, tmp_path)
    assert (code, out, err.lstrip("\n")) == (status, "", line)


def test_an_error_of_the_package_itself_is_not_hidden(monkeypatch, tmp_path):
    monkeypatch.setattr("brant_hf.detection.scoring.compare_files", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["score", str(tmp_path), str(tmp_path)])
