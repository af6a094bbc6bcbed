"""Frozen hidden states of windows, as features for scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..detection.embedding import encoder_and_extractor
from ..detection.pooling import ManyLayers, check_pool, full_precision, layer_numbers, layer_reader
from ..precision import usable_device

if TYPE_CHECKING:
    from datasets import Dataset

    from ..feature_extraction_brant import BrantFeatureExtractor
    from ..modeling_brant import BrantPreTrainedModel

POOLS = ("channel", "window")


class BrantEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turns windows into embeddings of a frozen encoder: a transformer of scikit-learn.

    ```python
    probe = make_pipeline(BrantEmbedder("you/brant", sampling_rate=512), StandardScaler(), LogisticRegression())
    cross_val_score(probe, windows, labels, groups=subjects, cv=GroupKFold(5))
    ```

    A pipeline runs the encoder again for each fold and setting, unless it has a `memory`; `probe_layers` runs it once.

    Parameters
    ----------
    model : BrantPreTrainedModel, str, os.PathLike or None
        A loaded model, a folder, an id on the Hub, or the shipped checkpoint if `None`.
    feature_extractor : BrantFeatureExtractor or None
        That of the checkpoint if `None`; needed where a model is given.
    sampling_rate : float or None
        Of the windows [Hz]; that of the model if `None`.
    layer : int
        Hidden state: 0 is the patch embedding, -1 the last layer.
    pool : {"window", "channel"}
        Mean over patches and channels, or over patches alone, with the channels of a window side by side.
    batch_size : int
        Windows of a forward pass.
    device : str
        Where the encoder works.
    revision : str or None
        Commit, branch or tag on the Hub.

    Attributes
    ----------
    encoder_ : BrantPreTrainedModel
        The encoder.
    extractor_ : BrantFeatureExtractor
        Its feature extractor.
    """

    def __init__(
        self,
        model: BrantPreTrainedModel | str | os.PathLike | None = None,
        feature_extractor: BrantFeatureExtractor | None = None,
        *,
        sampling_rate: float | None = None,
        layer: int = -1,
        pool: str = "window",
        batch_size: int = 8,
        device: str = "cpu",
        revision: str | None = None,
    ) -> None:
        self.model = model
        self.feature_extractor = feature_extractor
        self.sampling_rate = sampling_rate
        self.layer = layer
        self.pool = pool
        self.batch_size = batch_size
        self.device = device
        self.revision = revision

    def fit(self, windows: Any, labels: Any = None) -> BrantEmbedder:
        """Load the encoder; nothing is learned.

        Parameters
        ----------
        windows : np.ndarray or Sequence[np.ndarray]
            See `transform`.
        labels : Any
            Not looked at.

        Raises
        ------
        OSError
            There is no such checkpoint.
        ValueError
            There is no such layer, or `pool` is none of the two.
        """
        check_pool(self.pool, POOLS)
        self.encoder_, self.extractor_ = encoder_and_extractor(self.model, self.feature_extractor, self.revision)
        self._number = layer_numbers(self.layer, self.encoder_.config)
        hidden = self.encoder_.config.hidden_size
        self._n_features_out = hidden if self.pool == "window" else hidden * np.shape(windows[0])[0]
        return self

    def transform(self, windows: Any) -> np.ndarray:
        """Return the embeddings, (windows, features) float32.

        Parameters
        ----------
        windows : np.ndarray or Sequence[np.ndarray]
            (windows, channels, samples) in microvolts, or a list of (channels, samples) of one length, whose numbers
            of channels may differ with `pool="window"`. NaN for missing samples.

        Raises
        ------
        ValueError
            The windows are no signals that the model reads, or their channels differ with `pool="channel"`.
        """
        check_is_fitted(self)
        rate = self.extractor_.sampling_rate if self.sampling_rate is None else self.sampling_rate
        torch.nn.Module.to(self.encoder_, usable_device(self.device))
        with full_precision(self.encoder_):  # for all batches
            pieces = [
                embed_windows(
                    self.encoder_,
                    self.extractor_,
                    list(windows[i : i + self.batch_size]),
                    rate,
                    self._number,
                    self.pool,
                )
                for i in range(0, len(windows), self.batch_size)
            ]
        features = np.concatenate([piece.reshape(len(piece), -1) for piece in pieces])
        if features.shape[1] != self._n_features_out:
            raise ValueError(
                f"the windows give {features.shape[1]} features and those of fit gave {self._n_features_out}; with "
                "pool='channel', all windows need the same channels"
            )
        return features


def embed_windows(
    encoder: BrantPreTrainedModel,
    extractor: BrantFeatureExtractor,
    signals: Sequence[np.ndarray],
    sampling_rate: float,
    layers: Sequence[int],
    pool: str = "window",
) -> np.ndarray:
    """Means of the hidden states of some windows, by one forward pass.

    Parameters
    ----------
    encoder : BrantPreTrainedModel
        In evaluation mode while this runs.
    extractor : BrantFeatureExtractor
        Resamples and normalises.
    signals : Sequence[np.ndarray]
        (channels, samples) in microvolts each.
    sampling_rate : float
        Of the signals [Hz].
    layers : Sequence[int]
        Numbers of hidden states, from 0.
    pool : {"window", "channel"}
        Mean over patches and channels, or over patches alone.

    Returns
    -------
    np.ndarray
        (windows, layers, hidden size), or (windows, channels, layers, hidden size) with NaN for padded channels.
    """
    inputs = extractor(signals, sampling_rate=sampling_rate, return_observed_mask=True, return_tensors="pt")
    inputs.pop("observed_mask")  # missing samples are 0 now, as in training
    model = ManyLayers(encoder, layers)
    was_training = encoder.training
    encoder.eval()
    try:
        with torch.inference_mode(), full_precision(encoder):
            states = layer_reader(layers)(model(**inputs.to(encoder.device))).float().mean(dim=2).cpu().numpy()
    finally:
        encoder.train(was_training)
    for values, signal in zip(states, signals, strict=True):
        values[len(signal) :] = np.nan
    return states if pool == "channel" else np.nanmean(states, axis=1)


def batches_of(dataset: Dataset, size: int, first: int = 0) -> Iterator[tuple[list[np.ndarray], float]]:
    """Yield signals of consecutive windows of one sampling rate and length, and this rate [Hz]."""
    waiting: list[np.ndarray] = []
    kind: tuple[int, float] | None = None
    for index in range(first, len(dataset)):
        row = cast("Mapping[str, Any]", dataset[index])
        signal = np.asarray(row["input_values"], dtype=np.float32)
        new = (signal.shape[1], float(row["sampling_rate"]))
        if waiting and (new != kind or len(waiting) == size):
            yield waiting, kind[1] if kind else 0.0
            waiting = []
        kind = new
        waiting.append(signal)
    if waiting and kind:
        yield waiting, kind[1]
