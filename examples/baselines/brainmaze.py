"""The public seizure detector of the package brainmaze-eeg-models (Sladky et al., Brain Communications 2022).

A network on the spectrogram of a single channel, trained by its authors on recordings of their own; nothing is
trained here. It needs 300 s at a time and an even whole sampling rate of 200 Hz or more.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from datasets import Dataset
from scipy.special import logit
from tqdm import tqdm

from .detection import scores_predict
from .evaluation import Method
from .recordings import Stretch, find_stretches, join

NAME = "brainmaze-eeg-models"
MIN_SECONDS = 300
MIN_RATE = 200
STEP_S = 0.5


def brainmaze_method(windows: Dataset, patch_length: int) -> Method:
    """The detector on all windows, joined again to the recordings that they were cut from.

    Where its conditions are not met by every window, the method has the reason as its note and no prediction, because
    a result on other windows could not be compared.
    """
    stretches = find_stretches(windows)
    rate = float(windows[0]["sampling_rate"])
    reason = _why_not(stretches, rate)
    if reason:
        return Method(NAME, None, note=f"not applicable: {reason}")
    scores: list[np.ndarray] = [np.empty(0)] * len(windows)
    unknown = total = 0
    for stretch in tqdm(stretches, desc=NAME, unit="stretch", leave=False):
        probabilities = patch_probabilities(join(windows, stretch), int(rate), patch_length)
        unknown += int(np.isnan(probabilities).sum())
        total += probabilities.size
        # Far from 0 and 1, where the log-odds are infinite; a patch that was not evaluated counts as background.
        log_odds = logit(np.clip(np.nan_to_num(probabilities, nan=0.0), 1e-9, 1 - 1e-9))
        for row, piece in zip(stretch.rows, np.split(log_odds, len(stretch.rows), axis=1), strict=True):
            scores[row] = piece
    note = "published weights (model A), not trained on these data; mean of its probabilities over a patch"
    if unknown:
        note += (
            f"; {unknown} of {total} patches, flat or with missing samples, not evaluated and counted as background"
        )
    return Method(NAME, scores_predict(scores), note=note)


def _why_not(stretches: list[Stretch], rate: float) -> str:
    if find_spec("brainmaze_eeg_models") is None:
        return "the package is not installed (pip install brainmaze-eeg-models, or brant_hf[baselines])"
    if rate < MIN_RATE or rate % 2:
        return f"windows have {rate:g} Hz, it needs an even whole rate of {MIN_RATE} Hz or more"
    short = [stretch for stretch in stretches if stretch.duration < MIN_SECONDS]
    if short:
        least = min(stretch.duration for stretch in short)
        return (
            f"{len(short)} of {len(stretches)} stretches of windows that follow each other are shorter than "
            f"{MIN_SECONDS} s (down to {least:g} s)"
        )
    return ""


def patch_probabilities(signal: np.ndarray, rate: int, patch_length: int) -> np.ndarray:
    """Mean probability over the steps whose centre lies in a patch.

    Parameters
    ----------
    signal : np.ndarray
        (channels, samples), at least `MIN_SECONDS` of it.
    rate : int
        Sampling rate, an even number of at least `MIN_RATE` [Hz].
    patch_length : int
        Samples of a patch.

    Returns
    -------
    np.ndarray
        (channels, patches); NaN where the channel is flat or has missing samples.
    """
    from brainmaze_eeg_models.seizure import load_trained_model, predict_channel_seizure_probability

    model = load_trained_model("modelA")
    patches = signal.shape[1] // patch_length
    result = np.full((len(signal), patches), np.nan)
    for channel, values in enumerate(signal):
        times, probabilities = predict_channel_seizure_probability(values, rate, model)
        known = np.isfinite(probabilities)
        # The last step is centred on the end of the signal.
        owner = np.minimum(np.floor(times[known] * rate / patch_length + 1e-9).astype(int), patches - 1)
        count = np.bincount(owner, minlength=patches)
        total = np.bincount(owner, weights=probabilities[known], minlength=patches)
        result[channel, count > 0] = total[count > 0] / count[count > 0]
    return result
