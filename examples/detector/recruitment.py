"""Check when channels join a seizure: on virtual patients, a real seizure, or a folder of recordings with channels.

python examples/detector/recruitment.py
python examples/detector/recruitment.py --folder bids/

Prints a table. Channels that join and are part of the seizure are compared: rank correlations with the true order
(median over seizures with four such channels or more), the median absolute error and bias of onsets, and how often the
stated interval holds the true onset.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from evaluate import real_recordings
from scipy.stats import kendalltau, spearmanr

from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import DetectionResult, Detector, SeizureEvent
from brant_hf.events.event import merge_events
from brant_hf.listing import markdown_head, markdown_row
from brant_hf.simulation import simulate_patients
from brant_hf.training import run_script

DATA = Path(__file__).parents[1] / "data"
SHOWN = ("Spearman", "Kendall", "error [s]", "bias [s]", "in the interval", "channels")
# Truth: for each seizure the onset of each channel.
Case = tuple[DetectionResult, list[dict[str, float]]]


def virtual(detector: Detector, count: int, seed: int, duration: int) -> Iterator[Case]:
    """Fresh virtual patients with one seizure."""
    for patient in simulate_patients(
        count, seed, duration=duration, sampling_rate=256, num_channels=32, num_seizures=1
    ):
        recording = open_recording(patient.signals, patient.sampling_rate, patient.channel_names)
        truth: dict[int, dict[str, float]] = defaultdict(dict)
        for each in patient.channel_seizures:
            truth[each.seizure].setdefault(each.channel, each.onset)
        yield detector.detect(recording, progress=False), list(truth.values())


def on_disk(detector: Detector, folder: Path) -> Iterator[Case]:
    """Recordings whose events name channels."""
    for path in find_recordings(folder):
        recording = open_recording(path)
        known = [seizure for seizure in recording.seizures if seizure[2]]
        truth = []
        for whole in merge_events(map(SeizureEvent.of, known)):
            onsets: dict[str, float] = {}
            for onset, offset, channels in known:
                for name in channels or () if whole.overlaps(onset, offset) else ():
                    onsets[name] = min(onset, onsets.get(name, onset))
            truth.append(onsets)
        yield detector.detect(recording, progress=False), truth


def compare(cases: Iterable[Case]) -> tuple[dict[str, float], int, int]:
    """Figures of `SHOWN`, seizures that were compared and that were not detected."""
    spearman, kendall, errors, covered = [], [], [], []
    compared = missed = 0
    for result, seizures in cases:
        for truth in seizures:
            first = min(truth.values())
            rows = [row for row in result.recruitment() if row.onset is not None and row.channel in truth]
            near = [row for row in rows if result.events[row.event - 1].overlaps(first - 10, max(truth.values()) + 10)]
            if not near:
                missed += 1
                continue
            compared += 1
            found = np.array([row.onset for row in near])
            true = np.array([truth[row.channel] for row in near])
            errors += list(found - true)
            covered += [row.onset_lower <= t <= row.onset_upper for row, t in zip(near, true, strict=True)]
            if len(near) >= 4 and np.ptp(true) > 0 and np.ptp(found) > 0:
                spearman.append(spearmanr(found, true)[0])
                kendall.append(kendalltau(found, true)[0])
    values = (
        np.median(spearman) if spearman else np.nan,
        np.median(kendall) if kendall else np.nan,
        np.median(np.abs(errors)) if errors else np.nan,
        np.median(errors) if errors else np.nan,
        np.mean(covered) if covered else np.nan,
        len(errors),
    )
    return dict(zip(SHOWN, map(float, values), strict=True)), compared, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="Recordings with events that name channels.")
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--duration", type=int, default=200, help="[s]")
    parser.add_argument("--seed", type=int, default=7202)
    options = parser.parse_args()
    detector = Detector.from_pretrained()
    if options.folder:
        cases = on_disk(detector, options.folder)
    else:
        cases = virtual(detector, options.patients, options.seed, options.duration)
    values, compared, missed = compare(cases)
    print(f"{compared} seizures compared, {missed} without a channel to compare\n")
    print(markdown_head(SHOWN))
    print(markdown_row([f"{value:.3g}" for value in values.values()]))
    if options.folder is None:
        recording, zone = real_recordings(DATA)["ds003029_pt01_ezei"]
        print("\nds003029_pt01_ezei:")
        inside = dict(zip(recording.channel_names, map(bool, zone), strict=True))
        for row in detector.detect(recording, progress=False).recruitment():
            print(row.order, row.channel, "onset zone" if inside[row.channel] else "outside", row.onset, row.note)


if __name__ == "__main__":
    run_script(main)
