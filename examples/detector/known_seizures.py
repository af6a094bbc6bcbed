"""How a detector does on recordings whose seizures are known, one row a recording.

    python examples/detector/known_seizures.py examples/data/virtual_patient
    python examples/detector/known_seizures.py my_recordings/ --model you/your-detector
    python examples/detector/known_seizures.py my_recordings/ --thresholds 0.3 0.5 0.7

Seizures come from the recording or from the table beside it (`NAME_events.tsv`). Prints a table in Markdown:

- seizures found, as events of the detector that share a moment with them;
- false alarms: events that SzCORE counts as such (none from 30 s before to 60 s after a seizure);
- latency: median time from the onset of a seizure to that of the first event that finds it [s];
- AUROC of the score and of the line length (Esteller et al., 2001; the mean over channels of its logarithm), as means
  of 6 s, where there are seconds of both kinds; also of the public detector of `brainmaze-eeg-models` (Sladky et al.,
  2022; the mean over channels of its log odds), where that is installed and the recording has the 300 s it needs.

With `--thresholds`, a second table has what all recordings together give at each of them.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np
from evaluate import STEP_S, brainmaze, line_length_values, reference_events
from scipy.special import logit

from brant_hf.data import Recording, find_recordings, open_recording
from brant_hf.detection import DetectionResult, DetectionSettings, Detector, compare_events
from brant_hf.listing import markdown_head, markdown_row
from brant_hf.training import run_script

MEAN_S = 6.0
# What `brainmaze-eeg-models` looks at together.
BRAINMAZE_S = 300.0
COLUMNS = (
    "recording",
    "hours",
    "channels",
    "found",
    "false alarms",
    "latency [s]",
    "AUROC",
    "line length",
    "brainmaze-eeg-models",
)
THRESHOLD_COLUMNS = ("threshold", "seizures found", "false alarms", "in an hour")


def auroc(values: np.ndarray, is_seizure: np.ndarray, step_s: float) -> float | None:
    """AUROC of means of 6 s, which are of a seizure where half of them is; `None` where all are of one kind.

    Parameters
    ----------
    values : np.ndarray
        (steps,).
    is_seizure : np.ndarray
        (steps,), 1 and 0; NaN where nobody knows, which leaves out what is averaged with it.
    step_s : float
        Length of a step [s].
    """
    from sklearn.metrics import roc_auc_score

    size = max(round(MEAN_S / step_s), 1)
    whole = min(len(values), len(is_seizure)) // size * size
    shares = np.asarray(is_seizure[:whole], float).reshape(-1, size).mean(axis=1)
    known = np.isfinite(shares)
    labels = shares[known] >= 0.5
    if len(set(labels.tolist())) < 2:
        return None
    return float(roc_auc_score(labels, values[:whole].reshape(-1, size).mean(axis=1)[known]))


def brainmaze_auroc(recording: Recording, is_seizure: np.ndarray) -> float | None:
    """AUROC of `brainmaze-eeg-models`; `None` where it does not apply."""
    if find_spec("brainmaze_eeg_models") is None or recording.duration < BRAINMAZE_S:
        return None
    log_odds = logit(np.clip(brainmaze(recording)["probabilities"], 1e-9, 1 - 1e-9)).mean(axis=0)
    return auroc(log_odds, is_seizure, STEP_S)


def row_of(result: DetectionResult, recording: Recording) -> list[str]:
    """Cells of one recording."""
    scores, agreement = compare_events(
        reference_events(recording), result.events, recording.duration, recording.uncertain, recording.gaps
    )
    is_seizure = np.zeros(len(result.times))
    marks = ((recording.seizures, 1.0), (recording.uncertain, np.nan), (recording.gaps, np.nan))
    for onset, offset, value in ((*stretch[:2], value) for stretches, value in marks for stretch in stretches):
        is_seizure[(result.times >= onset) & (result.times < offset)] = value
    values, step_s = line_length_values(recording)
    lengths = np.log(np.maximum(values, 1e-6)).mean(axis=0)
    errors = [match.onset_error for match in agreement.matches if match.onset_error is not None]
    ranks = (
        auroc(result.recording_probability, is_seizure, result.patch_duration or 1.0),
        auroc(lengths, is_seizure, step_s),
        brainmaze_auroc(recording, is_seizure),
    )
    return [
        recording.name,
        f"{recording.duration / 3600:.2f}",
        str(len(result.channel_names)),
        f"{agreement.num_found} of {len(agreement.matches)}",
        str(scores["event"].fp),
        f"{np.median(errors):+.1f}" if errors else "",
        *("" if rank is None else f"{rank:.3f}" for rank in ranks),
    ]


def row_at(results: list[tuple[Recording, DetectionResult]], threshold: float) -> list[str]:
    """Cells of a threshold, over all recordings."""
    found = seizures = alarms = 0
    seconds = 0.0
    for recording, result in results:
        scores, agreement = compare_events(
            reference_events(recording),
            result.with_settings(threshold=threshold).events,
            recording.duration,
            recording.uncertain,
            recording.gaps,
        )
        found, seizures = found + agreement.num_found, seizures + len(agreement.matches)
        alarms, seconds = alarms + scores["event"].fp, seconds + scores["event"].duration
    return [f"{threshold:g}", f"{found} of {seizures}", str(alarms), f"{alarms / seconds * 3600:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="+", help="Recordings, or folders of them.")
    parser.add_argument("--model", help="Folder, or id of a model on the Hub; the shipped detector without it.")
    parser.add_argument("--dtype", help="Precision of the model, such as int8.")
    parser.add_argument("--thresholds", type=float, nargs="*", default=[], help="Print what each of them gives.")
    arguments = parser.parse_args()
    for threshold in arguments.thresholds:
        DetectionSettings(threshold=threshold)  # what is no probability is refused before anything is searched
    paths = find_recordings(arguments.recordings)
    detector = Detector.from_pretrained(arguments.model, dtype=arguments.dtype)
    results = []
    print(markdown_head(COLUMNS))
    for path in paths:
        recording = open_recording(path)
        results.append((recording, detector.detect(recording)))
        print(markdown_row(row_of(results[-1][1], recording)), flush=True)
    if arguments.thresholds:
        print(f"\n{markdown_head(THRESHOLD_COLUMNS)}")
    for threshold in arguments.thresholds:
        print(markdown_row(row_at(results, threshold)), flush=True)


if __name__ == "__main__":
    run_script(main)
