"""Frozen features for scikit-learn, and probes of layers in folds of subjects."""

import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantModel
from brant_hf.data import k_fold
from brant_hf.probing import BrantEmbedder, choose_strength, features as features_module, probe_layers

RATE, SAMPLES = 50, 100


@pytest.fixture(scope="module")
def encoder() -> BrantModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2}
    config = BrantConfig(
        patch_length=25, num_patches=4, sampling_rate=RATE, num_temporal_layers=2, num_spatial_layers=1, **sizes
    )
    return BrantModel(config).eval()


@pytest.fixture(scope="module")
def extractor() -> BrantFeatureExtractor:
    return BrantFeatureExtractor(RATE, 25, 4, normalize="asinh")


@pytest.fixture(scope="module")
def windows() -> Dataset:
    """Six subjects with 10 windows of 2 or 3 channels, of which every third is a seizure: rhythmic, on a drift."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(6):
        for number in range(10):
            signal = rng.normal(0, 50, (2 + subject % 2, SAMPLES))
            is_seizure = number % 3 == 0
            signal += is_seizure * (200 + 90 * np.sin(2 * np.pi * 5 * np.arange(SAMPLES) / RATE))
            labels = np.full((len(signal), 4), int(is_seizure))
            where = {"subject": f"s{subject}", "recording": "r", "start": 2.0 * number, "sampling_rate": float(RATE)}
            rows.append({"input_values": signal.astype(np.float32), "labels": labels, **where})
    return Dataset.from_list(rows).with_format("numpy")


def by_hand(encoder, extractor, signal) -> list[np.ndarray]:
    """Means over channels and patches of all hidden states of a window."""
    inputs = torch.from_numpy(extractor.normalize_signal(signal))[None]
    with torch.no_grad():
        states = encoder(inputs, output_hidden_states=True).hidden_states
    return [state.mean(dim=(0, 1, 2)).numpy() for state in states]


def test_embeddings_are_means_of_hidden_states(encoder, extractor, windows):
    signals = [windows[i]["input_values"] for i in (0, 10, 11, 1)]  # of 2 and 3 channels
    for layer in (0, 1, -1):
        embedder = BrantEmbedder(encoder, extractor, layer=layer, batch_size=3)
        expected = np.stack([by_hand(encoder, extractor, each)[layer] for each in signals])
        np.testing.assert_allclose(embedder.fit_transform(signals), expected, atol=1e-5)
    one = BrantEmbedder(encoder, extractor, pool="channel").fit_transform(signals[:1])
    np.testing.assert_allclose(one.reshape(2, 8).mean(axis=0), expected[0], atol=1e-5)
    with pytest.raises(ValueError, match="all windows need the same channels"):
        BrantEmbedder(encoder, extractor, pool="channel").fit(signals).transform(signals[1:2])
    with pytest.raises(ValueError, match="pool is 'none'; expected one of channel, window"):
        BrantEmbedder(encoder, extractor, pool="none").fit(signals)


def test_it_is_a_transformer_of_scikit_learn(encoder, extractor, windows):
    embedder = BrantEmbedder(encoder, extractor, sampling_rate=2 * RATE, layer=1)
    assert clone(embedder).get_params()["layer"] == 1
    signals = np.stack([windows[i]["input_values"] for i in range(10)]).repeat(2, axis=2)
    frame = clone(embedder).set_output(transform="pandas").fit_transform(signals)
    assert list(frame.columns) == [f"brantembedder{i}" for i in range(8)]
    labels, subjects = np.arange(20) % 2, np.repeat([0, 1, 2, 3], 5)
    pipeline = make_pipeline(embedder, StandardScaler(), LogisticRegression())
    scores = cross_val_score(pipeline, np.concatenate([signals, signals]), labels, groups=subjects, cv=GroupKFold(2))
    assert scores.shape == (2,)


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
def test_scores_are_those_of_probes_that_did_not_see_the_subject(encoder, extractor, windows, kind):
    report = probe_layers(windows, encoder, extractor, layers=[0, -1], probe=kind, folds=3, progress=False)
    assert report.layers == {0: "hidden_state_0", 3: "last_hidden_state"}
    labels = np.array([row["labels"].max() for row in windows])
    assert (report.labels == labels).all()
    features = np.stack([by_hand(encoder, extractor, row["input_values"])[3] for row in windows])
    subjects = np.array(windows["subject"])
    tested = []
    for fold, strength in zip(k_fold(windows, 3), report.strengths[3], strict=True):
        test = np.isin(subjects, fold["test"]["subject"])
        tested += sorted(set(subjects[test]))
        scaler = StandardScaler().fit(features[~test])
        if kind == "logistic":
            model = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(features[~test]), labels[~test])
            expected = model.predict_proba(scaler.transform(features[test]))[:, 1]
            np.testing.assert_allclose(report.scores[3][test], expected, atol=1e-4)
    assert sorted(tested) == sorted(set(subjects))
    for layer, scores in report.scores.items():
        assert report.metrics[layer]["auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
        assert report.metrics[layer]["auprc"] == pytest.approx(average_precision_score(labels, scores), abs=1e-6)
        assert report.metrics[layer]["auroc"] > 0.9
        assert len(report.folds[layer]) == 3
    frame = report.to_frame()
    assert frame["auroc_fold_mean"].iloc[1] == pytest.approx(np.mean([each["auroc"] for each in report.folds[3]]))
    assert report.to_markdown().splitlines()[0].startswith("| layer | auroc | auprc |")
    assert len(report.to_markdown().splitlines()) == 4


def test_the_encoder_runs_once_for_all_layers_and_goes_on(encoder, extractor, windows, tmp_path, monkeypatch):
    calls = []
    hook = encoder.register_forward_hook(lambda *_: calls.append(1))
    write, stop = features_module.write_text, [3]

    def killed(path, text):
        write(path, text)
        stop[0] -= 1
        if stop[0] == 0:
            raise KeyboardInterrupt

    try:
        options = {"layers": [0, 1, -1], "folds": 3, "progress": False, "batch_size": 5}
        monkeypatch.setattr(features_module, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            probe_layers(windows, encoder, extractor, cache=tmp_path, **options)
        assert json.loads((tmp_path / "features.json").read_text())["done"] == 15
        first = probe_layers(windows, encoder, extractor, cache=tmp_path, **options)
        assert len(calls) == 12  # 60 windows by 5
        again = probe_layers(windows, encoder, extractor, cache=tmp_path, **options)
        assert len(calls) == 12
        assert (again.scores[1] == first.scores[1]).all()
        assert isinstance(np.load(tmp_path / "layer_1.npy", mmap_mode="r"), np.memmap)
        # Other windows are not taken for these.
        probe_layers(windows.select(range(50)), encoder, extractor, cache=tmp_path, **options)
        assert len(calls) == 12 + 10
    finally:
        hook.remove()


def test_what_a_probe_cannot_do(encoder, extractor, windows):
    options = {"layers": -1, "folds": 3, "progress": False}
    with pytest.raises(ValueError, match="windows have no labels"):
        probe_layers(windows.remove_columns("labels"), encoder, extractor, **options)
    calm = windows.select([i for i in range(60) if i % 10 % 3])
    with pytest.raises(ValueError, match="all windows of known label are of one kind"):
        probe_layers(calm, encoder, extractor, **options)
    with pytest.raises(ValueError, match="probe is 'svm'; expected one of logistic, ridge"):
        probe_layers(windows, encoder, extractor, probe="svm", **options)
    rows = [dict(row) for row in windows]
    rows[1]["labels"] = np.full_like(rows[1]["labels"], -100)
    with pytest.warns(UserWarning, match="1 of 60 windows are of unknown label"):
        report = probe_layers(Dataset.from_list(rows).with_format("numpy"), encoder, extractor, **options)
    assert len(report.scores[3]) == 59
    assert 1 not in report.cases


def test_regularisation_without_enough_subjects():
    features, labels = np.eye(4), np.array([0, 1, 0, 1])
    with pytest.warns(UserWarning, match="too few subjects have seizures"):
        assert choose_strength("logistic", features, labels, ["a", "a", "b", "a"]) == 1e-2
