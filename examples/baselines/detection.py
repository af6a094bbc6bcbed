"""Seizure detection with features: line length and band power of each patch, with logistic regression."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from brant_hf import BrantConfig
from brant_hf.modeling_brant import compute_band_power

from .evaluation import Batch, Method, Predict

# Interquartile range of a normal distribution, in standard deviations.
NORMAL_IQR = 1.3489795
SMALLEST_LINE_LENGTH = 1e-3


def patch_features(signal: np.ndarray, patch_length: int, sampling_rate: float) -> np.ndarray:
    """Features of every patch of a window.

    Parameters
    ----------
    signal : np.ndarray
        (channels, samples) in microvolts; missing samples (NaN) count as 0.
    patch_length : int
        Samples of a patch.
    sampling_rate : float
        In Hz.

    Returns
    -------
    np.ndarray
        (channels, patches, 1 + bands): log10 of the line length (mean absolute step from sample to sample, in
        microvolts), and the log band power of the bands of Brant.
    """
    signal = np.nan_to_num(np.asarray(signal, np.float32))
    patches = signal.reshape(len(signal), -1, patch_length)
    steps = np.abs(np.diff(patches, axis=-1)).mean(axis=-1)
    line_length = np.log10(np.maximum(steps, SMALLEST_LINE_LENGTH))
    band_power = compute_band_power(torch.as_tensor(patches), sampling_rate, BrantConfig().band_edges).numpy()
    return np.concatenate([line_length[..., None], band_power], axis=-1)


def dataset_features(windows: Dataset, patch_length: int, description: str = "features") -> list[np.ndarray]:
    """Features (channels, patches, features) of each window, relative to the recording.

    From each feature of a channel its median over all patches of that channel and recording is taken, and the rest is
    divided by the interquartile range. That makes amplitudes of different patients, channels and amplifiers
    comparable; it takes the whole recording and no label.
    """
    channels: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    features = []
    for index, row in enumerate(tqdm(windows, desc=description, unit="window", leave=False)):
        features.append(patch_features(row["input_values"], patch_length, row["sampling_rate"]))
        for position, name in enumerate(row["channel_names"]):
            channels[row["subject"], row["recording"], name].append((index, position))
    for places in channels.values():
        values = np.concatenate([features[index][position] for index, position in places])
        low, center, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
        spread = (high - low) / NORMAL_IQR
        for index, position in places:
            # A feature that does not vary, such as a band above the Nyquist frequency, becomes 0.
            features[index][position] = (features[index][position] - center) / np.where(spread > 0, spread, np.inf)
    return features


def fit(features: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Pipeline:
    """Logistic regression on all labelled patches, both classes with the same total weight.

    Parameters
    ----------
    features : Sequence[np.ndarray]
        (channels, patches, features) of each window.
    labels : Sequence[np.ndarray]
        (channels, patches) of each window, -100 for unknown.
    """
    cases = np.concatenate([values.reshape(-1, values.shape[-1]) for values in features])
    truth = np.concatenate([np.ravel(values) for values in labels])
    known = truth >= 0
    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return regression.fit(cases[known], truth[known] == 1)


def detection_methods(train: Dataset, test: Dataset, patch_length: int) -> list[Method]:
    """Baselines for `SeizureDetectionMetrics`, trained on `train`."""
    labels = [row["labels"] for row in train.select_columns(["labels"])]
    train_features = dataset_features(train, patch_length, "features of the training windows")
    test_features = dataset_features(test, patch_length, "features of the windows")
    methods = []
    for name, count in (("line length", 1), ("line length and band power", None)):
        regression = fit([values[..., :count] for values in train_features], labels)
        scores = [
            regression.decision_function(values[..., :count].reshape(-1, regression.n_features_in_)).reshape(
                values.shape[:2]
            )
            for values in test_features
        ]
        note = "logistic regression on features relative to the recording"
        methods.append(Method(name, scores_predict(scores), parameters=regression.n_features_in_ + 1, note=note))
    return methods


def scores_predict(scores: Sequence[np.ndarray]) -> Predict:
    """`Predict` from the log-odds (channels, patches) of a seizure in each row of the dataset."""

    def predict(batch: Batch) -> torch.Tensor:
        log_odds = batch.scatter(np.concatenate([scores[row] for row in batch.rows]))
        return torch.stack([torch.zeros_like(log_odds), log_odds], dim=-1)

    return predict
