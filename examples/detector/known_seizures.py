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

A second table has what several recordings give together, at the threshold of the detector or at `--thresholds`: also
false alarms a day with the exact 95 % interval of a Poisson count (Garwood, 1936), F1 of events, and quartiles
of the latency.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np
from evaluate import STEP_S, brainmaze, latencies_of, line_length_values, reference_events
from scipy.special import logit

from brant_hf.data import Recording, find_recordings, open_recording
from brant_hf.detection import DetectionResult, DetectionSettings, Detector, compare_events, pool
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
TOTAL_COLUMNS = ("threshold", "hours", "found", "false alarms", "a day (95 %)", "F1", "latency [s] (quartiles)")


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
    errors = latencies_of(agreement)
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


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson variable of which one value is known (Garwood, 1936)."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.025, 2 * count) / 2) if count else 0.0, float(chi2.ppf(0.975, 2 * count + 2) / 2)


def row_of_all(results: list[tuple[Recording, DetectionResult]], threshold: float) -> list[str]:
    """Cells of all recordings together at a threshold."""
    each, errors, found, seizures = [], [], 0, 0
    for recording, result in results:
        scores, agreement = compare_events(
            reference_events(recording),
            result.with_settings(threshold=threshold).events,
            recording.duration,
            recording.uncertain,
            recording.gaps,
        )
        each.append(scores)
        errors += latencies_of(agreement)
        found, seizures = found + agreement.num_found, seizures + len(agreement.matches)
    total = pool(each)["event"]
    low, high = (bound / total.duration * 86400 for bound in poisson_interval(total.fp))
    first, middle, last = np.percentile(errors, (25, 50, 75)) if errors else (np.nan,) * 3
    return [
        f"{threshold:g}",
        f"{total.duration / 3600:.1f}",
        f"{found} of {seizures}",
        str(total.fp),
        f"{total.false_alarms_per_day:.1f} ({low:.1f} to {high:.1f})",
        f"{total.f1:.3f}" if total.ref_true else "",
        f"{middle:+.1f} ({first:+.1f} to {last:+.1f})" if errors else "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="+", help="Recordings, or folders of them.")
    parser.add_argument("--model", help="Folder, or id of a model on the Hub; the shipped detector without it.")
    parser.add_argument("--dtype", help="Precision of the model, such as int8.")
    parser.add_argument("--thresholds", type=float, nargs="*", default=[], help="Print what all give at each of them.")
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
    if len(results) > 1 or arguments.thresholds:
        print(f"\n{markdown_head(TOTAL_COLUMNS)}")
        for threshold in arguments.thresholds or [results[0][1].threshold]:
            print(markdown_row(row_of_all(results, threshold)), flush=True)


if __name__ == "__main__":
    run_script(main)
