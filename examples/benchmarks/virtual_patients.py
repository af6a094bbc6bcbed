"""How fast virtual patients are made, how their seizures vary, and how well single features detect them.

    python examples/benchmarks/virtual_patients.py --patients 16

Line length and band power are computed for every channel over windows of 6 s; a window is a seizure when at least half
of it lies in the seizure of its channel. The area under the ROC curve is over all (channel, window) pairs of a
patient.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.signal import periodogram
from scipy.stats import rankdata

from brant_hf.simulation import VirtualPatient, simulate_patients

WINDOW = 6.0
BANDS = {"1-4 Hz": (1, 4), "4-13 Hz": (4, 13), "13-30 Hz": (13, 30), "30-100 Hz": (30, 100), "1-100 Hz": (1, 100)}


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve (Mann-Whitney), NaN when a class is missing."""
    labels = labels.ravel().astype(bool)
    positives, negatives = labels.sum(), (~labels).sum()
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(scores.ravel())
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def window_labels(patient: VirtualPatient) -> np.ndarray:
    """Seizure label of every window, shape (channels, windows)."""
    windows = int(patient.duration // WINDOW)
    starts = np.arange(windows) * WINDOW
    inside = np.zeros((len(patient.channel_names), windows))
    rows = {name: row for row, name in enumerate(patient.channel_names)}
    for event in patient.channel_seizures:
        overlap = np.minimum(starts + WINDOW, event.offset) - np.maximum(starts, event.onset)
        inside[rows[event.channel]] += np.maximum(overlap, 0.0)
    return inside >= WINDOW / 2


def features(patient: VirtualPatient) -> dict[str, np.ndarray]:
    """Line length and log band power of every window, each (channels, windows)."""
    length = int(WINDOW * patient.sampling_rate)
    windows = int(patient.duration // WINDOW)
    cut = patient.signals[:, : windows * length].reshape(len(patient.signals), windows, length)
    found = {"line length": np.abs(np.diff(cut, axis=-1)).sum(axis=-1)}
    bands = {band: np.empty(cut.shape[:2]) for band in BANDS}
    for channel, row in enumerate(cut):
        frequencies, power = periodogram(row, patient.sampling_rate, axis=-1)
        for band, (low, high) in BANDS.items():
            bands[band][channel] = power[:, (frequencies >= low) & (frequencies < high)].sum(axis=-1)
    return {**found, **bands}


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--duration", type=int, default=600)
    parser.add_argument("--channels", type=int, default=80)
    options = parser.parse_args()

    scores: dict[str, list[float]] = {}
    durations, reach, background, peaks, positives = [], [], [], [], []
    spent, began = 0.0, time.perf_counter()
    for patient in simulate_patients(
        options.patients, options.seed, duration=options.duration, num_channels=options.channels
    ):
        spent += time.perf_counter() - began
        labels = window_labels(patient)
        found = features(patient)
        positives.append(labels.mean())
        for name, values in found.items():
            scores.setdefault(name, []).append(auroc(labels, values))
        scores.setdefault("line length / channel median", []).append(
            auroc(labels, found["line length"] / np.median(found["line length"], axis=1, keepdims=True))
        )
        durations += [s.offset - s.onset for s in patient.seizures]
        reach += [len(s.channels) / len(patient.channel_names) for s in patient.seizures]
        background.append(np.median(np.abs(patient.signals)) / 0.6745)
        peaks.append(np.percentile(np.abs(patient.signals).max(axis=1), 90))
        print(
            f"{patient.name}: {len(patient.seizures)} seizures, "
            f"{', '.join(f'{s.onset:.0f}-{s.offset:.0f} s on {len(s.channels)}' for s in patient.seizures)}; "
            f"{patient.spikes_per_minute:.0f} spikes/min, sleep {sum(b - a for a, b in patient.sleep):.0f} s, "
            f"line length {scores['line length'][-1]:.3f}",
            flush=True,
        )
        began = time.perf_counter()

    print(f"\n{spent / options.patients:.1f} s a patient ({options.duration} s, {options.channels} channels)")
    print(f"background {np.mean(background):.0f} uV RMS, largest value of loud channels {np.mean(peaks):.0f} uV")
    print(f"seizure windows {100 * np.mean(positives):.1f} %")
    print("AUROC over 6 s windows: mean (least .. greatest) over patients")
    for name, values in scores.items():
        kept = np.array(values)[~np.isnan(values)]
        print(f"  {name:30s} {kept.mean():.3f} ({kept.min():.3f} .. {kept.max():.3f})")
    quartiles = np.percentile(durations, [0, 25, 50, 75, 100])
    print(f"{len(durations)} seizures, duration [s] 0/25/50/75/100 %: {np.round(quartiles).astype(int).tolist()}")
    reach_array = np.array(reach)
    print(
        f"reach: {100 * (reach_array < 0.25).mean():.0f} % of the seizures below a quarter of the channels, "
        f"{100 * (reach_array > 0.5).mean():.0f} % more than half"
    )


if __name__ == "__main__":
    main()
