"""Scripts as users of transformers write them: a plain `Trainer`, from the shipped checkpoint."""

import json
import logging

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForTokenClassification, AutoProcessor, Trainer, TrainingArguments, pipeline

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
)
from brant_hf.checkpoints import load_detector, load_encoder, shipped_checkpoint
from brant_hf.cli import main
from brant_hf.data import (
    ForecastingCollator,
    ImputationCollator,
    Preprocessing,
    PretrainingCollator,
    SeizureDetectionCollator,
    load,
    open_recording,
    prepare,
)
from brant_hf.data.preprocessing.chain import preprocess
from brant_hf.detection import DetectionSettings, Detector, SeizureDetectionPipeline, embed_recording

RATE, PATCH, PATCHES = 250, 250, 4
# Another chain than that of the shipped checkpoint.
PREPROCESSING = Preprocessing(high_pass=2.0, line_noise=None, amplitude_range=None)
SHIPPED = shipped_checkpoint()
CHOSEN = {"threshold", "excerpt_threshold", "min_channels", "min_duration", "merge_gap", "calibration"}


def _signal(seed: int) -> np.ndarray:
    """Two channels of 32 s with a loud rhythm in the second half."""
    signal = np.random.default_rng(seed).normal(0, 20, (2, 32 * RATE)).astype(np.float32)
    signal[:, 16 * RATE :] += 300 * np.sin(2 * np.pi * 5 * np.arange(16 * RATE) / RATE)
    return signal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    recordings = [
        open_recording(_signal(seed), RATE, seizures=[(16.0, 32.0, None)], subject=f"s{seed}", name=f"r{seed}")
        for seed in range(2)
    ]
    folder = tmp_path_factory.mktemp("prepared") / "dataset"
    prepare(recordings, folder, preprocessing=PREPROCESSING, patch_length=PATCH, num_patches=PATCHES, progress=False)
    return folder


@pytest.fixture(scope="module")
def recording():
    """One window of the shipped checkpoint."""
    return open_recording(_signal(5)[:, 10 * RATE : 25 * RATE], RATE, seizures=[], name="new")


def train(model, rows, output_dir, learning_rate=3e-4, **options):
    """A script of one's own: nothing but what everyone knows of `Trainer`; asserts that it learns.

    Each step sees all windows, so that the losses can be compared.
    """
    arguments = TrainingArguments(
        output_dir=str(output_dir),
        max_steps=6,
        per_device_train_batch_size=16,
        learning_rate=learning_rate,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, **options)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 6
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    return trainer


def _without_dropout(**fields):
    return {"hidden_dropout": 0.0, "attention_dropout": 0.0, "prediction_dropout": 0.0, **fields}


@pytest.mark.parametrize(
    ("model_class", "collator", "fields"),
    [
        (BrantForPreTraining, PretrainingCollator, {}),
        (BrantForImputation, ImputationCollator, {}),
        (BrantForForecasting, ForecastingCollator, {"prediction_length": PATCH}),
        (BrantForFrequencyPhaseForecasting, ForecastingCollator, {"prediction_length": PATCH}),
    ],
)
def test_each_task_learns_from_the_shipped_checkpoint(folder, tmp_path, model_class, collator, fields):
    config = BrantConfig.from_pretrained(SHIPPED, **_without_dropout(**fields))
    model = model_class.from_pretrained(SHIPPED, config=config)
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)
    train(model, load(folder), tmp_path, data_collator=collator.from_config(config, extractor))
    assert model.config.detection == {"preprocessing": PREPROCESSING.to_dict()}


def test_a_detector_fine_tuned_by_trainer_gives_the_same_by_every_way(folder, recording, tmp_path, caplog):
    model = BrantForSeizureDetection.from_pretrained(SHIPPED, **_without_dropout())
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)
    collator = SeizureDetectionCollator.from_pretrained(SHIPPED)
    with caplog.at_level(logging.WARNING):
        trainer = train(model, load(folder), tmp_path, data_collator=collator, processing_class=extractor)
    assert "threshold" in caplog.text
    trainer.save_model(tmp_path / "detector")

    saved = json.loads((tmp_path / "detector" / "config.json").read_text())["detection"]
    assert not CHOSEN & set(saved)
    assert Preprocessing.from_dict(saved["preprocessing"]) == PREPROCESSING

    expected = Detector(model, extractor).detect(recording, progress=False).probabilities
    for pipe in (
        pipeline("seizure-detection", model=str(tmp_path / "detector"), progress=False),
        SeizureDetectionPipeline.from_pretrained(tmp_path / "detector", progress=False),
    ):
        np.testing.assert_allclose(pipe(recording)["probabilities"], expected, atol=1e-5)
    # The model by hand, on what the checkpoint says that it wants.
    inputs = extractor(preprocess(recording, PREPROCESSING).read_all(), sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        np.testing.assert_allclose(model(**inputs).logits[0].softmax(-1)[..., 1], expected, atol=1e-5)
        embeddings = model.brant(**inputs).last_hidden_state[0]
    for given in ((tmp_path / "detector",), (model, extractor)):
        embedded = embed_recording(recording, *given, progress=False)["last_hidden_state"]
        np.testing.assert_allclose(embedded, embeddings, atol=1e-5)


def test_no_collator_with_windows_that_are_normalised(folder, tmp_path):
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)

    def normalised(row):
        return {**row, "input_values": extractor.normalize_signal(np.asarray(row["input_values"]))}

    rows = load(folder).select_columns(["input_values", "labels"]).map(normalised)
    model = AutoModelForTokenClassification.from_pretrained(SHIPPED)
    train(model, rows, tmp_path)
    assert model.config.detection == {"preprocessing": PREPROCESSING.to_dict()}


def test_adapters_load_where_checkpoints_load(folder, recording, tmp_path, caplog, capsys):
    peft = pytest.importorskip("peft")
    lora = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "fc1"], modules_to_save=["detection_head"])
    model = peft.get_peft_model(BrantForSeizureDetection.from_pretrained(SHIPPED), lora)
    collator = SeizureDetectionCollator.from_pretrained(SHIPPED)
    with caplog.at_level(logging.WARNING):
        train(model, load(folder), tmp_path, learning_rate=3e-3, data_collator=collator)
    assert "an adapter does not carry" in caplog.text
    model.save_pretrained(tmp_path / "adapter")
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)
    settings = DetectionSettings.of(BrantConfig.from_pretrained(SHIPPED)).preprocessing
    model.config.detection["preprocessing"] = settings.to_dict()
    expected = Detector(model, extractor).detect(recording, progress=False).probabilities
    before = Detector.from_pretrained().detect(recording, progress=False).probabilities
    assert np.abs(expected - before).max() > 1e-3

    detector = Detector.from_pretrained(tmp_path / "adapter")
    assert detector.settings.threshold == DetectionSettings().threshold
    np.testing.assert_allclose(detector.detect(recording, progress=False).probabilities, expected, atol=1e-5)
    pipe = pipeline("seizure-detection", model=str(tmp_path / "adapter"), progress=False)
    np.testing.assert_allclose(pipe(recording)["probabilities"], expected, atol=1e-5)
    inputs = extractor(preprocess(recording, settings).read_all(), sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        embeddings = model.eval().get_base_model().brant(**inputs).last_hidden_state
        loaded = load_encoder(tmp_path / "adapter")(**inputs).last_hidden_state
    np.testing.assert_allclose(loaded, embeddings, atol=1e-5)
    with pytest.raises(SystemExit) as exit_:
        main(["info", str(tmp_path / "adapter")])
    assert exit_.value.code == 0
    assert f"adapter        of {SHIPPED}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model_class", "message"), [(BrantModel, "adapter of a BrantModel"), (BrantForPreTraining, "of a BrantForPre")]
)
def test_adapters_of_another_class_are_no_detectors(tmp_path, model_class, message):
    peft = pytest.importorskip("peft")
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    model = peft.get_peft_model(model_class.from_pretrained(SHIPPED), lora)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_detector(tmp_path)
    values = torch.randn(1, 2, 4 * PATCH)
    expected = model.eval().get_base_model().base_model(values).last_hidden_state
    torch.testing.assert_close(load_encoder(tmp_path)(values).last_hidden_state, expected, atol=1e-5, rtol=0)
    file = tmp_path / "adapter_config.json"
    file.write_text(file.read_text().replace(str(SHIPPED), "/no/such/folder"))
    with pytest.raises(ValueError, match="names the folder /no/such/folder, which does not exist"):
        load_encoder(tmp_path)


class WindowClassifier(nn.Module):
    """An own head on the encoder: does a window hold a seizure?"""

    def __init__(self):
        super().__init__()
        self.encoder = BrantModel.from_pretrained(SHIPPED)
        self.head = nn.Linear(self.encoder.config.hidden_size, 2)

    def forward(self, input_values, channel_mask=None, labels=None):
        embeddings = self.encoder(input_values, channel_mask=channel_mask).last_hidden_state
        logits = self.head(embeddings.mean(dim=(1, 2)))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def test_an_own_head_on_the_encoder(folder, tmp_path, caplog):
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)

    def collate(rows):
        signals = [np.asarray(row["input_values"]) for row in rows]
        labels = torch.tensor([int(np.max(row["labels"])) for row in rows])
        return {**extractor(signals, sampling_rate=RATE, return_tensors="pt"), "labels": labels}

    torch.manual_seed(0)
    with caplog.at_level(logging.WARNING):
        model = WindowClassifier()
        assert "UNEXPECTED" not in caplog.text
        train(model, load(folder), tmp_path, data_collator=collate)
    assert model.encoder.config.detection == {"preprocessing": PREPROCESSING.to_dict()}


class SharpDetector(BrantForSeizureDetection):
    """An own subclass with a parameter of its own."""

    def __init__(self, config):
        super().__init__(config)
        self.sharpness = nn.Linear(1, 1, bias=False)
        self.post_init()

    def forward(self, input_values, channel_mask=None, labels=None, **kwargs):
        output = super().forward(input_values, channel_mask=channel_mask, labels=labels, **kwargs)
        output.logits = output.logits * self.sharpness.weight
        return output


def test_an_own_subclass_saved_and_loaded(folder, recording, tmp_path, capsys):
    model = SharpDetector.from_pretrained(SHIPPED)
    extractor = BrantFeatureExtractor.from_pretrained(SHIPPED)
    collator = SeizureDetectionCollator.from_pretrained(SHIPPED)
    train(model, load(folder), tmp_path, data_collator=collator, processing_class=extractor).save_model()
    with torch.no_grad():
        model.sharpness.weight.fill_(3.0)
    model.save_pretrained(tmp_path)
    expected = Detector(model, extractor).detect(recording, progress=False).probabilities
    loaded = SharpDetector.from_pretrained(tmp_path)
    again = Detector(loaded, extractor).detect(recording, progress=False).probabilities
    np.testing.assert_allclose(again, expected, atol=1e-5)
    with pytest.warns(UserWarning, match="was saved by SharpDetector, a class of your own"):
        plain = load_detector(tmp_path)
    assert type(plain) is BrantForSeizureDetection
    with pytest.raises(SystemExit) as exit_:
        main(["info", str(tmp_path)])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert "class          SharpDetector" in out
    assert f"{model.num_parameters():,}" in out


def test_auto_classes_and_the_pipeline_say_what_detect_says(tmp_path, monkeypatch):
    model = AutoModelForTokenClassification.from_pretrained(SHIPPED)
    assert type(model) is BrantForSeizureDetection
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has no preprocessor_config\.json that can be read"):
        pipeline("seizure-detection", model=str(tmp_path))
    BrantFeatureExtractor.from_pretrained(SHIPPED).save_pretrained(tmp_path)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    assert type(AutoProcessor.from_pretrained(tmp_path)) is BrantFeatureExtractor


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_dataset_that_does_not_tell_is_told(folder, tmp_path, caplog, is_wrapped):
    rows = [dict(row) for row in load(folder)] if is_wrapped else load(folder).map(lambda row: row)
    model = BrantForSeizureDetection.from_pretrained(SHIPPED)
    collator = SeizureDetectionCollator.from_pretrained(SHIPPED)
    with caplog.at_level(logging.WARNING):
        train(model, rows, tmp_path, data_collator=collator)
    assert ("do not tell how they were prepared" in caplog.text) is is_wrapped
