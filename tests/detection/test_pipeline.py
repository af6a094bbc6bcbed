import json
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import brant_hf
from brant_hf import BrantFeatureExtractor, BrantForPreTraining, BrantForSeizureDetection
from brant_hf.data import Preprocessing, open_recording, preprocess
from brant_hf.detection import DetectionSettings, SeizureDetectionPipeline

PATCH, PATCHES, RATE = 50, 6, 100


def directly(recording, model, extractor, starts, preprocessing) -> np.ndarray:
    """Probabilities of all patches with the whole signal in memory, one window at a time."""
    signal = preprocess(recording, preprocessing).read_all()
    num_patches = -(-signal.shape[1] // PATCH)
    total, count = np.zeros((len(signal), num_patches)), np.zeros(num_patches)
    for start in starts:
        window = signal[:, start * PATCH : (start + PATCHES) * PATCH]
        batch = extractor(window, sampling_rate=RATE, return_observed_mask=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(batch["input_values"]).logits[0]
        probabilities = logits.softmax(-1)[..., 1].numpy()
        total[:, start : start + probabilities.shape[1]] += probabilities
        count[start : start + probabilities.shape[1]] += 1
    return total / count


@pytest.mark.parametrize("rate", [100, 256])
@pytest.mark.parametrize("normalize", ["asinh", "robust"])
def test_equals_a_computation_on_the_whole_signal(detector, extractor, noise, rate, normalize):
    model, extractor = detector(), extractor(normalize=normalize)
    recording = open_recording(noise(3, round(10.2 * rate)), rate)
    result = SeizureDetectionPipeline(model, extractor, progress=False)(recording)
    settings = Preprocessing(sampling_rate=100.0, line_noise=None)
    # 10.2 s are 21 patches of 0.5 s, the last one of 20 samples.
    expected = directly(recording, model, extractor, (0, 3, 6, 9, 12, 15), settings)
    assert expected.shape == (3, 21)
    assert expected.std() > 0.05
    np.testing.assert_allclose(result["probabilities"], expected, atol=1e-5)
    assert result["probabilities"].dtype == np.float32
    np.testing.assert_allclose(result["times"], 0.25 + 0.5 * np.arange(21))
    assert result["channel_names"] == ["CH1", "CH2", "CH3"]
    np.testing.assert_allclose(result["recording_probability"], expected.max(axis=0), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 50])
@pytest.mark.parametrize("chunk", [10_000_000, 100])
def test_batches_and_chunks_change_nothing(pipe, noise, batch_size, chunk, monkeypatch):
    inputs = {"array": noise(2, 5000), "sampling_rate": 200}
    expected = pipe(inputs)
    monkeypatch.setattr("brant_hf.data.preprocessing.chain.CHUNK_SAMPLES", chunk)
    result = pipe(inputs, batch_size=batch_size)
    np.testing.assert_allclose(result["probabilities"], expected["probabilities"], atol=2e-5)


def test_order_of_channels(pipe, noise):
    signal, order = noise(5, 1500), [3, 0, 4, 1, 2]
    names = ["A", "B", "C", "D", "E"]
    result = pipe({"array": signal, "sampling_rate": 100, "channel_names": names}, threshold=0.45)
    renamed = [names[i] for i in order]
    again = pipe({"array": signal[order], "sampling_rate": 100, "channel_names": renamed}, threshold=0.45)
    np.testing.assert_allclose(again["probabilities"], result["probabilities"][order], atol=1e-5)
    np.testing.assert_allclose(again["recording_probability"], result["recording_probability"], atol=1e-5)
    assert [event["channels"] for event in again["events"]] == [event["channels"] for event in result["events"]]
    assert result["events"]


@pytest.mark.parametrize(("samples", "patches"), [(1500, 30), (299, 6), (60, 2), (50, 1), (20, 1)])
def test_short_recordings(pipe, noise, samples, patches):
    result = pipe({"array": noise(3, samples), "sampling_rate": 100}, threshold=1e-3)
    assert result["probabilities"].shape == (3, patches)
    assert np.isfinite(result["probabilities"]).all()
    assert [(event["onset"], event["duration"]) for event in result["events"]] == [(0, pytest.approx(samples / 100))]


def test_missing_samples_do_not_count(pipe, noise):
    signal = noise(3, 1500)
    signal[0, 500:1000] = np.nan
    signal[:, 1200:1500] = np.nan
    result = pipe({"array": signal, "sampling_rate": 100}, threshold=1e-3)
    probabilities = result["probabilities"]
    expected = np.zeros((3, 30), bool)
    expected[0, 10:20] = expected[:, 24:] = True
    np.testing.assert_array_equal(np.isnan(probabilities), expected)
    np.testing.assert_array_equal(np.isnan(result["recording_probability"]), expected.all(axis=0))
    assert [(event["onset"], event["duration"]) for event in result["events"]] == [(0, 12)]
    # All three have to agree: the first one cannot while it is missing.
    agreeing = pipe({"array": signal, "sampling_rate": 100}, threshold=1e-3, min_channels=3)
    assert [(event["onset"], event["duration"]) for event in agreeing["events"]] == [(0, 5), (10, 2)]


def test_a_model_that_gives_nan_is_refused(detector, extractor, noise):
    model = detector()
    with torch.no_grad():
        model.detection_head.classifier.bias[1] = torch.nan
    pipe = SeizureDetectionPipeline(model, extractor(), progress=False)
    with pytest.raises(ValueError, match="the model gives NaN for a signal that has none: its weights hold NaN"):
        pipe({"array": noise(2, 900), "sampling_rate": 100})
    # In the embeddings of the encoder there is none.
    assert np.isfinite(pipe.embed({"array": noise(2, 900), "sampling_rate": 100})["last_hidden_state"]).all()


def test_a_missing_channel_does_not_reach_the_others(detector, extractor, noise):
    keep = {"preprocessing": {"line_noise": None, "flat": "keep"}}
    pipe = SeizureDetectionPipeline(detector(detection=keep), extractor(), progress=False)
    signal = noise(3, 900)
    signal[1] = np.nan
    result = pipe({"array": signal, "sampling_rate": 100})
    without = pipe({"array": signal[[0, 2]], "sampling_rate": 100})
    # The centre of a channel is taken a little differently with NaN around; through the attention it would be 0.07.
    np.testing.assert_allclose(result["probabilities"][[0, 2]], without["probabilities"], atol=1e-3)
    assert np.isnan(result["probabilities"][1]).all()


def test_options_go_before_those_of_the_checkpoint(detector, extractor, noise):
    saved = {"threshold": 0.9, "min_channels": 2, "preprocessing": {"line_noise": None}}
    model = detector(detection=saved)
    pipe = SeizureDetectionPipeline(model, extractor(), min_channels=3, progress=False)
    assert pipe.settings(merge_gap=1.0) == DetectionSettings(
        threshold=0.9, min_channels=3, merge_gap=1.0, preprocessing=Preprocessing(sampling_rate=100, line_noise=None)
    )
    inputs = {"array": noise(4, 1000), "sampling_rate": 100}
    result = pipe(inputs)
    ranked = np.sort(result["probabilities"], axis=0)
    np.testing.assert_array_equal(result["recording_probability"], ranked[-3])
    np.testing.assert_array_equal(pipe(inputs, min_channels=1)["recording_probability"], ranked[-1])
    # A call does not change the pipeline.
    np.testing.assert_array_equal(pipe(inputs)["recording_probability"], ranked[-3])


@pytest.mark.parametrize(("seconds", "is_excerpt"), [(60, True), (61, False)])
def test_excerpts_have_a_threshold_of_their_own(detector, extractor, noise, seconds, is_excerpt):
    """Whatever the random detector says lies above 0.001 and below 0.999."""
    saved = {"threshold": 0.999, "excerpt_threshold": 0.001, "min_duration": 0.0}
    pipe = SeizureDetectionPipeline(detector(detection=saved), extractor(), progress=False)
    inputs = {"array": noise(2, seconds * 100), "sampling_rate": 100}
    assert bool(pipe(inputs)["events"]) == is_excerpt
    # A threshold of the caller counts for all recordings.
    assert not pipe(inputs, threshold=0.998)["events"]
    assert pipe(inputs, threshold=0.001)["events"]


@pytest.mark.parametrize("value", [0.0, 1.1, "low"])
def test_bad_excerpt_threshold(value):
    with pytest.raises(ValueError, match="excerpt_threshold is"):
        DetectionSettings(excerpt_threshold=value)


def test_the_feature_extractor_is_of_the_same_revision(checkpoint, monkeypatch):
    asked = []
    original = BrantFeatureExtractor.from_pretrained.__func__
    monkeypatch.setattr(
        BrantFeatureExtractor,
        "from_pretrained",
        classmethod(lambda cls, source, **options: asked.append(options) or original(cls, source, **options)),
    )
    SeizureDetectionPipeline.from_pretrained(checkpoint, revision="v1.0")
    assert asked == [{"revision": "v1.0"}]


def test_a_cropped_recording_begins_later(tmp_path):
    import mne

    raw = mne.io.RawArray(np.zeros((1, 2000)), mne.create_info(["A1"], 100.0, "seeg"), verbose="error")
    raw.set_meas_date(datetime(2021, 3, 4, 12, 0, tzinfo=UTC))
    assert open_recording(raw).start_date == datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
    assert open_recording(raw.copy().crop(5, 15)).start_date == datetime(2021, 3, 4, 12, 0, 5, tzinfo=UTC)


def test_overlap(pipe, noise):
    inputs = {"array": noise(2, 1200), "sampling_rate": 100}
    disjoint, overlapping = pipe(inputs, overlap=0.0), pipe(inputs)
    # The first patches are in the first window only.
    np.testing.assert_allclose(disjoint["probabilities"][:, :3], overlapping["probabilities"][:, :3], atol=1e-5)
    assert np.abs(disjoint["probabilities"][:, 3:6] - overlapping["probabilities"][:, 3:6]).max() > 1e-3


def test_calibrated_confidence(detector, extractor, noise):
    inputs = {"array": noise(2, 300), "sampling_rate": 100}
    plain = {"threshold": 1e-3, "min_duration": 0.0, "preprocessing": {"line_noise": None}}
    (event,) = SeizureDetectionPipeline(detector(detection=plain), extractor(), progress=False)(inputs)["events"]
    shifted = {**plain, "calibration": {"slope": 1.0, "intercept": 2.0}}
    (other,) = SeizureDetectionPipeline(detector(detection=shifted), extractor(), progress=False)(inputs)["events"]
    odds = event["confidence"] / (1 - event["confidence"])
    assert other["confidence"] == pytest.approx(1 / (1 + np.exp(-2) / odds))


def test_inputs(pipe, noise, write_edf, tmp_path):
    import mne

    signal = noise(2, 1500).round(1)
    path = write_edf(tmp_path / "recording.edf", signal, 100)
    from_path = pipe(path)
    raw = mne.io.RawArray(signal * 1e-6, mne.create_info(["A1", "A2"], 100.0, "seeg"), verbose="error")
    lazy = mne.io.read_raw_edf(path, preload=False, verbose="error").set_channel_types({"A1": "seeg", "A2": "seeg"})
    inputs = [
        str(path),
        open_recording(path),
        {"array": signal, "sampling_rate": 100, "channel_names": ["A1", "A2"]},
        raw,
        lazy,
    ]
    for given, result in zip(inputs, pipe(inputs), strict=True):
        np.testing.assert_allclose(result["probabilities"], from_path["probabilities"], atol=1e-3, err_msg=str(given))
        assert result["channel_names"] == ["A1", "A2"]
    assert not lazy.preload
    raw.info["bads"] = ["A1"]
    assert pipe(raw)["channel_names"] == ["A2"]
    assert [result["channel_names"] for result in pipe(each for each in (raw, path))] == [["A2"], ["A1", "A2"]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 100)), "sampling rate is not known"),
        ({"array": np.ones((2, 100))}, "sampling rate is not known"),
        ({"signal": np.ones((2, 100)), "sampling_rate": 100}, 'keys .signal., .* expected "array"'),
        ({"array": np.ones((2, 100)), "sampling_rate": 100}, "is flat"),
        (3, "int is no recording"),
    ],
)
def test_wrong_inputs(pipe, inputs, message):
    with pytest.raises(ValueError, match=message):
        pipe(inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"min_channels": 0}, "min_channels is 0"),
        ({"min_duration": -1.0}, "min_duration is -1.0"),
        ({"merge_gap": float("nan")}, "merge_gap is nan"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"treshold": 0.5}, "unknown options treshold"),
    ],
)
def test_wrong_options(pipe, detector, extractor, options, message):
    with pytest.raises(ValueError, match=message):
        pipe("not even opened.edf", **options)
    with pytest.raises(ValueError, match=message):
        SeizureDetectionPipeline(detector(), extractor(), **options)


@pytest.mark.parametrize(
    ("detection", "message"),
    [
        ({"threshold": 2}, "threshold is 2"),
        ({"preprocessing": {"sampling_rate": 250.0}}, "resamples to 250 Hz, but the model expects 100 Hz"),
        ({"preprocessing": {"lowpass": 30}}, "unknown preprocessing settings: lowpass"),
        ({"calibration": {"slope": 1.0}}, "'slope' and 'intercept'"),
    ],
)
def test_wrong_settings_of_a_checkpoint(detector, extractor, detection, message):
    with pytest.raises(ValueError, match=message):
        SeizureDetectionPipeline(detector(detection=detection), extractor())


def test_unknown_settings_in_a_configuration(small_config):
    with pytest.raises(ValueError, match="unknown detection settings treshold; expected threshold, "):
        DetectionSettings.of(small_config(detection={"treshold": 0.5}))
    with pytest.raises(ValueError, match=r"config\.detection is 0\.5; expected a mapping"):
        DetectionSettings.of(small_config(detection=0.5))
    assert small_config(detection={"threshold": 0.5}).to_dict()["detection"] == {"threshold": 0.5}


def test_the_model_stays_as_it_was(pipe, noise):
    inputs = {"array": noise(2, 600), "sampling_rate": 100}
    expected = pipe(inputs)["probabilities"]
    pipe.model.train()
    # Dropout is off all the same.
    np.testing.assert_array_equal(pipe(inputs)["probabilities"], expected)
    assert pipe.model.training


def test_precision(detector, extractor, noise):
    inputs = {"array": noise(2, 900), "sampling_rate": 100}
    exact = SeizureDetectionPipeline(detector(), extractor(), progress=False, device="cpu")
    half = SeizureDetectionPipeline(detector().half(), extractor(), progress=False, device="cpu")
    assert half.dtype == torch.float32  # stored in half precision, computed in full
    low = SeizureDetectionPipeline(detector(), extractor(), progress=False, device="cpu", dtype="bfloat16")
    assert low.dtype == torch.bfloat16
    for pipe, tolerance in ((half, 0.01), (low, 0.1)):
        np.testing.assert_allclose(pipe(inputs)["probabilities"], exact(inputs)["probabilities"], atol=tolerance)
    with pytest.raises(ValueError, match="dtype is 'int4'"):
        SeizureDetectionPipeline(detector(), extractor(), dtype="int4")


def test_models_with_adapters(detector, extractor, noise):
    peft = pytest.importorskip("peft")
    inputs = {"array": noise(2, 900), "sampling_rate": 100}
    expected = SeizureDetectionPipeline(detector(), extractor(), progress=False)(inputs)["probabilities"]
    lora = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2, init_lora_weights=False)
    model = peft.get_peft_model(detector(), lora)
    pipe = SeizureDetectionPipeline(model, extractor(), progress=False)
    adapted = pipe(inputs)["probabilities"]
    assert np.abs(adapted - expected).max() > 1e-3
    with model.disable_adapter():
        np.testing.assert_allclose(pipe(inputs)["probabilities"], expected, atol=1e-5)
    assert pipe.embed(inputs)["last_hidden_state"].shape == (2, 18, 16)


def test_progress_goes_to_standard_error(pipe, noise, capsys, monkeypatch):
    monkeypatch.setattr("brant_hf.progress._SHORTEST_S", 0.0)
    pipe({"array": noise(2, 900), "sampling_rate": 100}, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "9/9 s of recording" in captured.err


def test_registered_task(checkpoint, pipe, noise):
    detector = transformers.pipeline("seizure-detection", model=str(checkpoint), threshold=0.8, progress=False)
    assert type(detector) is SeizureDetectionPipeline
    assert detector.settings().threshold == 0.8
    inputs = {"array": noise(2, 900), "sampling_rate": 100}
    np.testing.assert_allclose(detector(inputs)["probabilities"], pipe(inputs)["probabilities"], atol=1e-5)


def test_without_a_model_it_is_the_shipped_one(checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr("brant_hf.checkpoints.SHIPPED_DETECTOR", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="lacks the checkpoint that ships with it"):
        transformers.pipeline("seizure-detection")
    with pytest.raises(FileNotFoundError, match="lacks the checkpoint that ships with it"):
        SeizureDetectionPipeline.from_pretrained()
    monkeypatch.setattr("brant_hf.checkpoints.SHIPPED_DETECTOR", checkpoint)
    for pipe in (transformers.pipeline("seizure-detection"), SeizureDetectionPipeline.from_pretrained()):
        assert pipe.model.config.hidden_size == 16


def test_checkpoints_without_a_head_are_refused(detector, extractor, tmp_path):
    BrantForPreTraining(detector().config).save_pretrained(tmp_path)
    extractor().save_pretrained(tmp_path)
    message = (
        r"is a BrantForPreTraining checkpoint: detection_head\.fc1\.weight, detection_head\.fc1\.bias, .* are "
        "missing; fine-tune it"
    )
    with pytest.raises(ValueError, match=message):
        transformers.pipeline("seizure-detection", model=str(tmp_path))
    with pytest.raises(ValueError, match=message):
        SeizureDetectionPipeline.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a BrantForPreTraining has no detection head"):
        SeizureDetectionPipeline(BrantForPreTraining.from_pretrained(tmp_path), extractor())
    # Fine-tuned in memory, it is a detector whatever it came from.
    model = BrantForSeizureDetection.from_pretrained(tmp_path)
    assert SeizureDetectionPipeline(model, extractor()).model is model


def test_incomplete_checkpoints_are_refused(checkpoint):
    from safetensors.torch import load_file, save_file

    tensors = load_file(checkpoint / "model.safetensors")
    del tensors["brant.spatial_layers.0.mlp.fc1.weight"]
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights .*\(brant\.spatial_layers\.0\.mlp\.fc1\.weight\)"):
        SeizureDetectionPipeline.from_pretrained(checkpoint)
    (checkpoint / "model.safetensors").write_bytes(b"\x08\x00\x00")
    with pytest.raises(ValueError, match=r"cannot be loaded as a Brant checkpoint: .*download all of them again"):
        SeizureDetectionPipeline.from_pretrained(checkpoint)
    (checkpoint / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"no Brant checkpoint: .* 'bert'"):
        SeizureDetectionPipeline.from_pretrained(checkpoint)


def test_feature_extractors_that_do_not_fit(detector, extractor, checkpoint):
    with pytest.raises(ValueError, match="a feature extractor is needed"):
        SeizureDetectionPipeline(detector())
    with pytest.raises(ValueError, match="has patch_length 25, the model 50"):
        SeizureDetectionPipeline(detector(), extractor(patch_length=25))
    (checkpoint / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"has no preprocessor_config\.json"):
        SeizureDetectionPipeline.from_pretrained(checkpoint)


REMOTE = """
import json, sys
import numpy as np
import transformers

folder = sys.argv[1]
pipe = transformers.pipeline("seizure-detection", model=folder, trust_remote_code=True, progress=False)
assert "transformers_modules" in type(pipe).__module__
signal = 50 * np.random.default_rng(0).standard_normal((2, 900)).astype(np.float32)
print(json.dumps(pipe({"array": signal, "sampling_rate": 100})["probabilities"].tolist()))
pipe.save_pretrained(folder + "-again")
"""


def test_saved_pipeline_with_its_code(pipe, noise, commands, tmp_path):
    folder = tmp_path / "saved"
    pipe.save_pretrained(folder)
    # What is saved names no file of this machine.
    assert str(Path(brant_hf.__file__).parent) not in (folder / "config.json").read_text()
    program = [commands / "python", "-c", REMOTE, folder]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    expected = pipe({"array": noise(2, 900), "sampling_rate": 100})["probabilities"]
    np.testing.assert_allclose(json.loads(result.stdout.splitlines()[-1]), expected, atol=1e-5)
    assert (tmp_path / "saved-again" / "hub_pipeline.py").read_text() == (folder / "hub_pipeline.py").read_text()
    # The class reads the same folder without running the code in it.
    assert SeizureDetectionPipeline.from_pretrained(folder).model.config.hidden_size == 16


def test_saved_pipeline_without_its_head(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {key: tensor for key, tensor in tensors.items() if "classifier" not in key}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    hub_class = runpy.run_path(str(tmp_path / "hub_pipeline.py"))["HubSeizureDetectionPipeline"]
    with pytest.raises(ValueError, match=r"lacks 2 weights \(detection_head\.classifier\.bias, \.\.\.\)"):
        hub_class(BrantForSeizureDetection.from_pretrained(tmp_path), pipe.feature_extractor)


def test_saved_code_without_the_package(pipe, tmp_path, monkeypatch):
    pipe.save_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "brant_hf.detection", None)
    with pytest.raises(ImportError, match="with the package brant_hf, which is not installed"):
        runpy.run_path(str(tmp_path / "hub_pipeline.py"))
