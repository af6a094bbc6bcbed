"""Compare checkpoints by how they rank seconds of virtual validation patients and of the real recordings.

python examples/detector/compare.py outputs/detector/finetuning outputs/zscore

Prints a table: AUROC of the channels and seconds of the validation patients that `make_data.py` wrote; for the real
seizure in `examples/data` the AUROC of its seconds, as recorded and at other amplitudes, each second alone and each
channel alone, and the median probability in it; and the highest probability in the real recording without a seizure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from evaluate import real_recordings
from sklearn.metrics import roc_auc_score

from brant_hf.data import Recording, find_recordings, open_recording
from brant_hf.detection import Background, Detector, recording_probability
from brant_hf.listing import markdown_head, markdown_row
from brant_hf.training import run_script

DATA = Path(__file__).parents[1] / "data"
AGREEING = 2


def virtual_auroc(detector: Detector, folder: Path) -> float:
    """AUROC of all channels and seconds of the recordings in a folder."""
    probabilities, labels = [], []
    for group in sorted(folder.iterdir()):
        for path in find_recordings(group):
            recording = open_recording(path)
            result = detector.detect(recording, progress=False)
            probabilities.append(result.probabilities.ravel())
            labels.append(_labels(recording, result.channel_names, result.times).ravel())
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(probabilities)))


def _labels(recording: Recording, names: list[str], times: np.ndarray) -> np.ndarray:
    labels = np.zeros((len(names), len(times)), bool)
    for onset, offset, channels in recording.seizures:
        rows = [row for row, name in enumerate(names) if channels is None or name in channels]
        labels[np.ix_(rows, (times >= onset) & (times < offset))] = True
    return labels


def real_numbers(detector: Detector) -> dict[str, float]:
    """What a detector says of the two real recordings."""
    recordings = real_recordings(DATA)
    seizure, zone = recordings["ds003029_pt01_ezei"]
    signal, rate, onset = seizure.read(0, seizure.duration), seizure.sampling_rate, seizure.seizures[0][0]
    seconds = np.arange(round(seizure.duration))
    is_ictal = seconds >= onset

    def of(array: np.ndarray) -> np.ndarray:
        return detector.detect({"array": array, "sampling_rate": rate}, progress=False).probabilities

    def auroc(probabilities: np.ndarray) -> float:
        return float(roc_auc_score(is_ictal, recording_probability(probabilities, AGREEING)))

    whole = of(signal)
    pieces = [signal[:, round(second * rate) : round((second + 1) * rate)] for second in seconds]
    alone = [of(signal[channel : channel + 1])[0] for channel in np.flatnonzero(zone)]
    quiet = detector.detect(recordings["py_neuromodulation_ecog"][0], progress=False).probabilities
    return {
        "real seizure": auroc(whole),
        "a fifth of the amplitude": auroc(of(signal / 5)),
        "five times": auroc(of(signal * 5)),
        "each second alone": auroc(np.concatenate([of(piece) for piece in pieces], axis=1)),
        "each channel alone": float(np.mean([roc_auc_score(is_ictal, each) for each in alone])),
        "median in it": float(np.median(recording_probability(whole, AGREEING)[is_ictal])),
        "highest without": float(recording_probability(quiet, AGREEING).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="Checkpoints of a BrantForSeizureDetection.")
    parser.add_argument("--validation", type=Path, default=Path("outputs/detector/validation"))
    arguments = parser.parse_args()
    for number, model in enumerate(arguments.models):
        # What models say of windows: line length is not weighed, and of the background no number here depends.
        detector = Detector.from_pretrained(model, background=Background(usual=0.0))
        row = {"virtual": virtual_auroc(detector, arguments.validation), **real_numbers(detector)}
        if number == 0:
            print(markdown_head(["checkpoint", *row]), flush=True)
        print(markdown_row([model.name, *(f"{value:.3f}" for value in row.values())]), flush=True)


if __name__ == "__main__":
    run_script(main)
