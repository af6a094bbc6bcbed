import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from brant_hf import BrantFeatureExtractor, BrantForSeizureDetection, BrantModel
from brant_hf.cli import main
from brant_hf.data import Preprocessing, open_recording, preprocess
from brant_hf.detection import (
    DetectionSettings,
    SeizureDetectionPipeline,
    embed_recording,
    embed_recordings,
    shipped_checkpoint,
)
from brant_hf.detection.pooling import ManyLayers
from brant_hf.files import has_mark

CHAIN = Preprocessing(sampling_rate=100.0, line_noise=None)


def directly(recording, model, extractor, starts):
    """Embeddings with the whole signal in memory, one window of 6 patches at a time."""
    signal = preprocess(recording, CHAIN).read_all()
    num_patches = -(-signal.shape[1] // 50)
    total, count = np.zeros((len(signal), num_patches, 16)), np.zeros((num_patches, 1))
    for start in starts:
        batch = extractor(signal[:, start * 50 : (start + 6) * 50], sampling_rate=100, return_tensors="pt")
        with torch.no_grad():
            hidden = model(batch["input_values"]).last_hidden_state[0].numpy()
        total[:, start : start + 6] += hidden
        count[start : start + 6] += 1
    return total / count


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_file(detector, extractor, noise, tmp_path, dtype):
    model, extractor = detector().brant, extractor()
    recording = open_recording(noise(3, 1010), 100, ["A", 'B"', "Cé"])
    path = tmp_path / "embeddings.safetensors"
    embed_recording(recording, model, extractor, path, preprocessing=CHAIN, batch_size=2, progress=False, dtype=dtype)
    expected = directly(recording, model, extractor, (0, 3, 6, 9, 12, 15))
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == {"last_hidden_state", "times"}
        metadata = file.metadata()
        embeddings = file.get_tensor("last_hidden_state")
        # Rows can be read without the rest.
        assert torch.equal(file.get_slice("last_hidden_state")[1:2], embeddings[1:2])
        times = file.get_tensor("times")
    assert embeddings.dtype == getattr(torch, dtype)
    assert embeddings.shape == (3, 21, 16)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5 if dtype == "float32" else 2e-3)
    np.testing.assert_allclose(times, 0.25 + 0.5 * np.arange(21))
    assert json.loads(metadata["channel_names"]) == ["A", 'B"', "Cé"]
    assert (metadata["recording"], metadata["sampling_rate"], metadata["patch_length"]) == ("array", "100", "50")
    names = ["embeddings.safetensors", "embeddings.safetensors.json"]
    assert sorted(each.name for each in tmp_path.iterdir()) == names


def test_in_memory_and_from_the_pipeline(pipe, noise, tmp_path):
    inputs = {"array": noise(2, 700), "sampling_rate": 100}
    assert pipe.embed(inputs, tmp_path / "embeddings.safetensors") is None
    stored = load_file(tmp_path / "embeddings.safetensors")
    result = pipe.embed(inputs)
    np.testing.assert_array_equal(result["last_hidden_state"], stored["last_hidden_state"])
    np.testing.assert_array_equal(result["times"], stored["times"])
    assert result["channel_names"] == ["CH1", "CH2"]


def test_missing_samples(pipe, noise):
    signal = noise(2, 900)
    signal[0, 300:400] = np.nan
    embeddings = pipe.embed({"array": signal, "sampling_rate": 100})["last_hidden_state"]
    assert np.isnan(embeddings[0, 6:8]).all()
    assert np.isfinite(embeddings[0, [*range(6), *range(8, 18)]]).all()
    assert np.isfinite(embeddings[1]).all()


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
def test_all_ways_give_the_same_numbers(checkpoint, noise, write_edf, tmp_path, stored):
    path = write_edf(tmp_path / "a.edf", noise(3, 600) + 400, 200)
    BrantForSeizureDetection.from_pretrained(checkpoint).to(stored).save_pretrained(checkpoint)
    with pytest.raises(SystemExit, match="0"):
        main(["embed", str(path), str(tmp_path / "a.safetensors"), "--model", str(checkpoint), "--device", "cpu"])
    expected = load_file(tmp_path / "a.safetensors")["last_hidden_state"]

    model = BrantModel.from_pretrained(checkpoint)
    extractor = BrantFeatureExtractor.from_pretrained(checkpoint)
    assert model.dtype == stored
    head = BrantForSeizureDetection.from_pretrained(checkpoint)
    opened = open_recording(path)
    array = {"array": opened.read(0, 3), "sampling_rate": 200, "channel_names": opened.channel_names}
    pipeline = SeizureDetectionPipeline.from_pretrained(checkpoint, progress=False, device="cpu")
    ways = [
        embed_recording(str(path), checkpoint),
        embed_recording(path, model, extractor),
        embed_recording(opened, head, extractor),
        embed_recording(array, model, extractor),
        pipeline.embed(path),
    ]
    for result in ways:
        np.testing.assert_allclose(result["last_hidden_state"], expected, atol=1e-5)
    assert model.dtype == stored  # as it was given

    chain = DetectionSettings.of(model.config).preprocessing
    inputs = extractor(preprocess(opened, chain).read_all(), sampling_rate=chain.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        hidden = model.float()(**inputs).last_hidden_state[0]
    np.testing.assert_allclose(hidden, expected, atol=1e-5)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
def test_weights_in_8_bits(checkpoint, noise, write_edf, tmp_path):
    path = write_edf(tmp_path / "a.edf", noise(3, 600) + 400, 200)
    out = tmp_path / "a.safetensors"
    with pytest.raises(SystemExit, match="0"):
        main(["embed", str(path), str(out), "--model", str(checkpoint), "--device", "cpu", "--dtype", "int8"])
    embeddings = load_file(out)["last_hidden_state"]
    extractor = BrantFeatureExtractor.from_pretrained(checkpoint)
    low = embed_recording(path, BrantModel.from_pretrained(checkpoint, dtype="int8"), extractor)["last_hidden_state"]
    exact = embed_recording(path, checkpoint)["last_hidden_state"]
    np.testing.assert_allclose(embeddings, low, atol=1e-5)
    assert 0 < np.linalg.norm(low - exact) / np.linalg.norm(exact) < 0.05
    with safe_open(out, "pt") as file:
        assert json.loads(file.metadata()["made_from"])["precision"] == "int8"


def test_the_shipped_checkpoint_is_the_default(noise):
    recording = {"array": noise(2, 250 * 3), "sampling_rate": 250}
    result = embed_recording(recording)
    np.testing.assert_array_equal(
        result["last_hidden_state"], embed_recording(recording, shipped_checkpoint())["last_hidden_state"]
    )


def test_an_interrupted_run_leaves_the_old_file(pipe, noise, tmp_path, monkeypatch):
    path = tmp_path / "embeddings.safetensors"
    path.write_bytes(b"old")
    recording = open_recording(noise(2, 9000), 100)
    read = recording.source

    def failing(start, stop):
        if start > 4000:
            raise OSError("the disk is gone")
        return read(start, stop)

    monkeypatch.setattr("brant_hf.data.preprocessing.chain.CHUNK_SAMPLES", 1000)
    prepared = preprocess(recording, CHAIN)
    monkeypatch.setattr("brant_hf.detection.embedding.preprocess", lambda *_: prepared)
    recording.source = failing
    with pytest.raises(OSError, match="the disk is gone"):
        pipe.embed(recording, path, overwrite=True)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("embeddings.safetensors", b"old")]


def test_errors(pipe, noise, tmp_path):
    inputs = {"array": noise(2, 700), "sampling_rate": 100}
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        pipe.embed(inputs, dtype="int8")
    with pytest.raises(ValueError, match="overlap is 1"):
        pipe.embed(inputs, overlap=1)
    with pytest.raises(ValueError, match="overlap is 'half'"):
        embed_recording(open_recording(inputs), pipe.model.brant, pipe.feature_extractor, overlap="half")
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        pipe.embed(inputs, tmp_path / "none" / "embeddings.safetensors")


@pytest.fixture
def window(detector, extractor, noise):
    """A recording of one window of 6 patches, of which some miss samples, and what the model makes of it."""
    model, extractor = detector().brant, extractor()
    signal = noise(3, 300)
    signal[1, 60:100] = np.nan
    recording = open_recording(signal, 100, ["A", "B", "C"], subject="s1", name="r1")
    values = preprocess(recording, CHAIN).read_all()
    inputs = extractor(values, sampling_rate=100, return_tensors="pt", return_observed_mask=True)
    del inputs["observed_mask"]
    with torch.no_grad():
        states = [each[0].numpy() for each in model(**inputs, output_hidden_states=True).hidden_states]
        patch_embedding = model.embeddings(inputs["input_values"])[0].numpy()
    np.testing.assert_array_equal(states[0], patch_embedding)
    for each in states:
        each[1, 1] = np.nan
    return recording, model, extractor, states


POOLED = {
    "none": lambda state: state,
    "channel": lambda state: np.nanmean(state, axis=1),
    "window": lambda state: np.nanmean(state, axis=(0, 1))[None],
    "recording": lambda state: np.nanmean(state, axis=(0, 1)),
}


@pytest.mark.parametrize("pool", POOLED)
@pytest.mark.parametrize("suffix", [None, ".safetensors", ".parquet"])
def test_layers_and_means_are_those_of_the_model(window, tmp_path, pool, suffix):
    recording, model, extractor, states = window
    names = {0: "hidden_state_0", 2: "last_hidden_state", 1: "hidden_state_1"}
    path = suffix and tmp_path / f"e{suffix}"
    options = {"layer": [0, -1, 1], "pool": pool, "preprocessing": CHAIN, "progress": False}
    result = embed_recording(recording, model, extractor, path, **options)
    if suffix == ".parquet":
        table = pd.read_parquet(path)
        table["channel"] = table["channel"].fillna("all")
        layers = {number: table[table["layer"] == number].sort_values(["channel", "start"]) for number in names}
        shape = POOLED[pool](states[0]).shape
        result = {names[number]: np.stack(rows["embedding"]).reshape(shape) for number, rows in layers.items()}
    elif suffix is not None:
        result = load_file(path)
    for number, name in names.items():
        np.testing.assert_allclose(result[name], POOLED[pool](states[number]), atol=1e-5)
    if suffix != ".parquet" and pool != "none":
        assert (result["start"], result["stop"], result["times"]) == ([0.0], [3.0], [1.5])


@pytest.mark.parametrize(("layers", "kept"), [((1,), [1]), ((0, 2), [0, 2]), ((2,), None)])
def test_only_the_layers_that_are_asked_for_stay_in_memory(detector, layers, kept):
    model = detector().brant
    with torch.no_grad():
        states = ManyLayers(model, layers)(input_values=torch.zeros(1, 1, 50)).hidden_states
    assert kept == (None if states is None else [i for i, each in enumerate(states) if each is not None])


def test_a_revision_is_that_of_a_checkpoint(detector, extractor, noise):
    with pytest.raises(ValueError, match="revision is 'v1', and the model is loaded already"):
        embed_recording(open_recording(noise(1, 300), 100), detector(), extractor(), revision="v1")


def test_means_over_overlapping_windows(pipe, noise):
    inputs = {"array": noise(2, 1010), "sampling_rate": 100}
    patches = pipe.embed(inputs)["last_hidden_state"]
    for pool, axes in (("channel", 1), ("recording", (0, 1))):
        np.testing.assert_allclose(
            pipe.embed(inputs, pool=pool)["last_hidden_state"], patches.mean(axes), rtol=1e-4, atol=1e-5
        )
    disjoint = pipe.embed(inputs, overlap=0)["last_hidden_state"]
    windows = pipe.embed(inputs, overlap=0, pool="window")
    # The last window ends with the recording, and takes part in the mean of patches that another holds, too.
    np.testing.assert_allclose(windows["start"], [0, 3, 6, 7.5])
    np.testing.assert_allclose(windows["stop"], [3, 6, 9, 10.1])
    expected = disjoint[:, :12].reshape(2, 2, 6, 16).mean((0, 2))
    np.testing.assert_allclose(windows["last_hidden_state"][:2], expected, atol=1e-5)


def test_a_table_has_a_row_for_each_embedding(window, tmp_path):
    recording, model, extractor, _ = window
    embed_recording(recording, model, extractor, tmp_path / "e.parquet", layer=[2, 0], preprocessing=CHAIN)
    table = pd.read_parquet(tmp_path / "e.parquet")
    assert list(table) == ["recording", "subject", "channel", "layer", "start", "stop", "embedding"]
    assert set(table["recording"]) == {"r1"}
    assert set(table["subject"]) == {"s1"}
    assert list(table["channel"][:6]) == ["A", "A", "B", "B", "C", "C"]
    assert list(table["layer"][:4]) == [2, 0, 2, 0]
    np.testing.assert_allclose(table["start"], np.repeat(0.5 * np.arange(6), 6))
    np.testing.assert_allclose(table["stop"], np.repeat(0.5 * np.arange(1, 7), 6))
    metadata = pq.read_metadata(tmp_path / "e.parquet").metadata
    assert json.loads(metadata[b"made_from"])["channels"] == ["A", "B", "C"]
    # Nothing beside it, so that the folder is a table too.
    assert [each.name for each in tmp_path.iterdir()] == ["e.parquet"]
    assert len(pd.read_parquet(tmp_path)) == 36
    assert has_mark(tmp_path / "e.parquet")


def test_several_recordings_in_one_table(detector, extractor, noise, tmp_path, monkeypatch):
    monkeypatch.setattr("brant_hf.detection.embedding_files._GROUP_BYTES", 1)
    model, extractor = detector().brant, extractor()
    recordings = [
        open_recording(noise(1, 300, seed=1), 100, ["A"], subject="s1", name="r1"),
        {"array": noise(3, 500, seed=2), "sampling_rate": 100},
    ]
    path = tmp_path / "all.parquet"
    embed_recordings(recordings, path, model, extractor, preprocessing=CHAIN, dtype="float16", progress=False)
    table = pd.read_parquet(path)
    assert [(name, len(rows)) for name, rows in table.groupby("recording")] == [("array", 30), ("r1", 6)]
    assert table[table["recording"] == "array"]["subject"].isna().all()  # not told
    for recording, rows in zip(recordings, (table[:6], table[6:]), strict=True):
        alone = embed_recording(recording, model, extractor, preprocessing=CHAIN, dtype="float16", progress=False)
        expected = alone["last_hidden_state"].swapaxes(0, 1).reshape(len(rows), 16)
        np.testing.assert_array_equal(np.stack(rows["embedding"]), expected)
    assert len(json.loads(pq.read_metadata(path).metadata[b"made_from"])) == 2
    with pytest.raises(ValueError, match="sampling rate"):
        embed_recordings([recordings[0], np.zeros((1, 300), "f4")], path, model, extractor)
    assert [each.name for each in tmp_path.iterdir()] == ["all.parquet"]
    assert len(pd.read_parquet(path)) == 36  # as before


def test_recordings_of_one_name_are_told_apart_in_a_table(detector, extractor, noise, tmp_path):
    paths = [tmp_path / "monday" / "night.npy", tmp_path / "tuesday" / "night.npy"]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        np.save(path, noise(1, 300, seed=seed))
    first, second = (open_recording(path, 100, subject="s") for path in paths)
    parts = [open_recording(paths[0], 100, subject="s", start=start, stop=start + 1) for start in (0, 2)]
    arrays = [{"array": noise(1, 300, seed=seed), "sampling_rate": 100} for seed in (2, 3)]
    table = tmp_path / "all.parquet"

    def names(*recordings):
        embed_recordings(recordings, table, detector().brant, extractor(), preprocessing=CHAIN, progress=False)
        return list(dict.fromkeys(pd.read_parquet(table)["recording"]))

    with pytest.warns(UserWarning, match="2 recordings are called night; .* monday/night.npy, tuesday/night.npy"):
        assert names(first, second, arrays[0]) == ["monday/night.npy", "tuesday/night.npy", "array"]
    with pytest.warns(UserWarning, match="2 recordings are called array"):
        assert names(first, *arrays) == ["night", "array 1", "array 2"]
    assert names(*parts) == ["night"]  # of one recording, at times of its own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"layer": 3},
            r"layer is 3; the model has 0 \(the patch embedding\), 1 to 1 \(the temp.* 2 to 2",
        ),
        ({"layer": -4}, "layer is -4; .* -1 to -3"),
        ({"layer": [0, 1.5]}, "layer is 1.5"),
        ({"layer": []}, "layer names none"),
        ({"pool": "mean"}, "pool is 'mean'; expected one of none, channel, recording, window"),
    ],
)
def test_layers_and_pools_that_do_not_exist(pipe, noise, options, message):
    with pytest.raises(ValueError, match=message):
        pipe.embed({"array": noise(2, 700), "sampling_rate": 100}, **options)


def test_weights_are_hashed_once_for_all_recordings(detector, extractor, noise, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("brant_hf.detection.embedding.weights_sha256", lambda model: calls.append(model) or "hash")
    recordings = [open_recording(noise(2, 500, seed=i), 100, name=name) for i, name in enumerate("ab")]
    embed_recordings(recordings, tmp_path / "all.parquet", detector(), extractor(), preprocessing=CHAIN)
    made_from = json.loads(pq.read_metadata(tmp_path / "all.parquet").metadata[b"made_from"])
    assert [each["weights SHA-256"] for each in made_from] == ["hash", "hash"]
    assert len(calls) == 1
