"""The checkpoint that ships with the package, on the recordings of `examples/data`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.metrics import roc_auc_score

from brant_hf import BrantForSeizureDetection
from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import Detector, SeizureDetectionPipeline, read_events, score_events, shipped_checkpoint

DATA = Path(__file__).parents[2] / "examples" / "data"


@pytest.fixture(scope="module")
def detector() -> SeizureDetectionPipeline:
    return SeizureDetectionPipeline.from_pretrained(progress=False)


def test_it_is_small_and_can_be_trained_as_it_is():
    files = [file for file in shipped_checkpoint().rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 12e6
    assert not [file.name for file in files if file.suffix == ".py"]
    with safe_open(shipped_checkpoint() / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float32}  # noqa: SIM118
    assert BrantForSeizureDetection.from_pretrained(shipped_checkpoint()).dtype == torch.float32


def test_both_seizures_of_the_virtual_patient(detector):
    folder = DATA / "virtual_patient" / "sub-01" / "ieeg"
    recording = open_recording(next(folder.glob("*.edf")))
    found = detector(recording)["events"]
    score = score_events(read_events(next(folder.glob("*_events.tsv"))), found, recording.duration)["event"]
    assert (score.tp, score.fp, score.ref_true) == (2, 0, 2)


def test_no_seizure_in_real_recordings_without_one(detector):
    (path,) = find_recordings(DATA / "py_neuromodulation_ecog")
    assert detector(path)["events"] == []
    assert Detector.from_pretrained().detect(path, progress=False).events == []


def test_real_seizure(detector):
    stored = np.load(DATA / "ds003029_pt01_ezei" / "pt01_sz1_m10s_p20s_14ch.npz")
    names = stored["ch_names"].tolist()
    result = detector({"array": stored["data_uV"], "sampling_rate": float(stored["sfreq"]), "channel_names": names})
    assert result["events"]
    assert all(event["onset"] >= stored["seizure_onset_s"] - 2 for event in result["events"])
    during = result["probabilities"][:, result["times"] > stored["seizure_onset_s"]].mean(axis=1)
    assert roc_auc_score(stored["soz"], during) > 0.95


@pytest.mark.parametrize("factor", [0.001, 0.1, 100.0])
def test_seconds_are_ranked_in_other_units(detector, factor):
    stored = np.load(DATA / "ds003029_pt01_ezei" / "pt01_sz1_m10s_p20s_14ch.npz")
    result = detector({"array": stored["data_uV"] * np.float32(factor), "sampling_rate": 1000.0})
    is_ictal = result["times"] > stored["seizure_onset_s"]
    assert roc_auc_score(is_ictal, result["recording_probability"]) > 0.85
    if factor > 1:
        assert result["events"]
