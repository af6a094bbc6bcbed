"""Results of the detector and of the line-length baseline on whole recordings, and their scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from brant_hf.data import Preprocessing, Recording, find_recordings, open_recording, preprocess
from brant_hf.detection import (
    Agreement,
    DetectionSettings,
    Score,
    SeizureDetectionPipeline,
    compare_events,
    line_length as line_length_of_patches,
    pool,
    recording_probability,
)

STEP_S = 1.0
Result = dict[str, Any]


def reference_events(recording: Recording) -> list[dict[str, float]]:
    """Seizures of a recording, of any of its channels."""
    return [{"onset": onset, "duration": offset - onset} for onset, offset, _ in recording.seizures]


def latencies_of(agreement: Agreement) -> list[float]:
    """Time from the onset of each seizure that was found to that of the first event that finds it [s]."""
    return [match.onset_error for match in agreement.matches if match.onset_error is not None]


def _place(path: Path) -> str:
    """Split, group and name of a recording, which tell it from all others."""
    group = path.parents[2]
    return f"{group.parent.name}-{group.name}-{path.stem}"


def results_of(name: str, detect: Callable[[Path], Result], recordings: Sequence[Path], cache: Path) -> list[Result]:
    """Probabilities of a detector for each recording; kept in `cache`, so that a second run is quick."""
    results = []
    for path in tqdm(recordings, desc=name, unit="recording"):
        file = cache / f"{name.replace(' ', '-')}-{_place(path)}.npz"
        if not file.exists():
            result = detect(path)
            cache.mkdir(parents=True, exist_ok=True)
            # Numbers with four digits are enough for thresholds, and a tenth of the size.
            np.savez_compressed(
                file,
                probabilities=result["probabilities"].astype(np.float16),
                times=result["times"],
                channel_names=result["channel_names"],
            )
        results.append(_loaded(file))
    return results


def brant_detector(model: Path) -> Callable[[Path], Result]:
    """The detector of a checkpoint."""
    pipe = SeizureDetectionPipeline.from_pretrained(model)
    return lambda path: pipe(path, progress=False)


def brainmaze_detector(path: Path) -> Result:
    """The public detector of brainmaze-eeg-models on a recording on disk."""
    return brainmaze(open_recording(path))


def brainmaze(recording: Recording) -> Result:
    """Probabilities of the public detector of brainmaze-eeg-models, with the weights of its authors.

    It takes 300 s or more.
    """
    sys.path.append(str(Path(__file__).parents[1]))
    from baselines.brainmaze import patch_probabilities

    chain = preprocess(recording, Preprocessing())
    signal = np.nan_to_num(np.concatenate(list(chain.chunks()), axis=1))
    rate = round(chain.sampling_rate)
    probabilities = np.nan_to_num(patch_probabilities(signal, rate, round(STEP_S * rate)))
    return {
        "probabilities": probabilities,
        "times": (np.arange(probabilities.shape[1]) + 0.5) * STEP_S,
        "channel_names": chain.channel_names,
    }


def line_length_detector(path: Path) -> Result:
    """The line length of a recording on disk."""
    return line_length(open_recording(path))


def line_length(recording: Recording) -> Result:
    """Line length of each second relative to that of the whole channel, on the scale of a probability."""
    values, step_s = line_length_values(recording)
    ratio = values / np.maximum(np.median(values, axis=1, keepdims=True), 1e-6)
    return {
        "probabilities": (ratio**2 / (1 + ratio**2)).astype(np.float32),
        "times": (np.arange(values.shape[1]) + 0.5) * step_s,
        "channel_names": preprocess(recording, Preprocessing()).channel_names,
    }


def line_length_values(recording: Recording) -> tuple[np.ndarray, float]:
    """Sum of the absolute differences of each second, the feature of Esteller et al. (2001).

    Returns
    -------
    tuple[np.ndarray, float]
        (channels, steps), and the length of a step [s].
    """
    chain = preprocess(recording, Preprocessing())
    step = round(STEP_S * chain.sampling_rate)
    rest = np.empty((len(chain.channel_names), 0), np.float32)
    columns = []
    for chunk in chain.chunks():
        signal = np.nan_to_num(np.concatenate([rest, chunk], axis=1))
        whole = signal.shape[1] // step * step
        columns.append(line_length_of_patches(signal[:, :whole], step))
        rest = signal[:, whole:]
    return np.concatenate(columns, axis=1), step / chain.sampling_rate


def _loaded(file: Path) -> Result:
    with np.load(file) as stored:
        return {
            "probabilities": stored["probabilities"].astype(np.float32),
            "times": stored["times"],
            "channel_names": stored["channel_names"].tolist(),
        }


def events_of(result: Result, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Events of probabilities with settings."""
    step = 2 * float(result["times"][0])
    _, events = DetectionSettings(**settings).decide(
        result["probabilities"], result["channel_names"], patch_s=step, duration=len(result["times"]) * step
    )
    return [event.to_dict() for event in events]


def evaluate(settings: Mapping[str, Any], results: Sequence[Result], recordings: Sequence[Path]) -> dict[str, float]:
    """Event and sample scores of a detector with some settings on recordings, all together.

    Parameters
    ----------
    settings : Mapping[str, Any]
        Of the detector.
    results : Sequence[Result]
        Its probabilities for each recording.
    recordings : Sequence[Path]
        That they are about.
    """
    each, marked_s, latencies = [], 0.0, []
    for path, result in zip(recordings, results, strict=True):
        recording, events = open_recording(path), events_of(result, settings)
        marked_s += sum(event["duration"] for event in events)
        scores, agreement = compare_events(
            reference_events(recording), events, recording.duration, recording.uncertain, recording.gaps
        )
        each.append(scores)
        latencies += latencies_of(agreement)
    pooled = pool(each)
    return {
        **summary(pooled["event"]),
        "sample_f1": pooled["sample"].f1,
        "latency": float(np.median(latencies)) if latencies else float("nan"),
        "patients_with_false_alarms": sum(score["event"].fp > 0 for score in each),
        "patients": len(each),
        "marked": marked_s / pooled["event"].duration,
    }


def summary(score: Score) -> dict[str, float]:
    """Numbers of a score as the model card shows them."""
    return {
        "seizures": score.ref_true,
        "detected": score.tp,
        "false_alarms": score.fp,
        "sensitivity": score.sensitivity,
        "precision": score.precision,
        "f1": score.f1,
        "false_alarms_per_day": score.false_alarms_per_day,
        "hours": score.duration / 3600,
    }


def real_recordings(folder: Path) -> dict[str, tuple[Recording, np.ndarray | None]]:
    """The real recordings of the repository, with the channels of the seizure onset zone where one is known."""
    stored = np.load(folder / "ds003029_pt01_ezei" / "pt01_sz1_m10s_p20s_14ch.npz")
    onset = float(stored["seizure_onset_s"])
    rate = float(stored["sfreq"])
    duration = stored["data_uV"].shape[1] / rate
    seizure = open_recording(
        stored["data_uV"], rate, [str(name) for name in stored["ch_names"]], [(onset, duration, None)]
    )
    return {
        "ds003029_pt01_ezei": (seizure, stored["soz"]),
        "py_neuromodulation_ecog": (open_recording(*find_recordings(folder / "py_neuromodulation_ecog")), None),
    }


def evaluate_real(model: Path, baseline: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """What is found in each real recording; for the seizure also how well channels and seconds are ranked.

    `baseline` are the settings of the line length.
    """
    from sklearn.metrics import roc_auc_score

    pipe = SeizureDetectionPipeline.from_pretrained(model)
    found: dict[str, dict[str, Any]] = {}
    for name, (recording, zone) in real_recordings(folder).items():
        result = pipe(recording)
        reference = line_length(recording)
        found[name] = {"events": result["events"], "line_length_events": events_of(reference, baseline)}
        if zone is None:
            continue
        onset = recording.seizures[0][0]
        for method, values in (("Brant", result), ("line length", reference)):
            times, probabilities = values["times"], values["probabilities"]
            is_zone = [zone[recording.channel_names.index(channel)] for channel in values["channel_names"]]
            found[name][method] = {
                "auroc_of_seconds": float(roc_auc_score(times > onset, recording_probability(probabilities, 1))),
                "auroc_of_channels": float(roc_auc_score(is_zone, probabilities[:, times > onset].mean(axis=1))),
            }
    return found
