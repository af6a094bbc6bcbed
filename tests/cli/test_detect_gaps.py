"""Annotations of a recording with a gap (EDF+D), which count the time that was not recorded."""

import datetime
import json
from pathlib import Path

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

RATE, LENGTH_S = 200, 180
# Samples from the first of these on were recorded this much later.
GAP_AT_S, GAP_S = 60, 40
# A rhythm, by the number of recorded seconds before it.
RHYTHM_S = (110, 150)
BEGAN = datetime.datetime(2021, 3, 4, 23, 59, 50)


@pytest.fixture
def recording(tmp_path, write_edf_with_gaps) -> Path:
    signal = 20 * np.random.default_rng(0).standard_normal((4, LENGTH_S * RATE))
    seconds = np.arange(LENGTH_S * RATE) / RATE
    inside = (seconds >= RHYTHM_S[0]) & (seconds < RHYTHM_S[1])
    signal += 400 * np.sin(2 * np.pi * 5 * seconds) * inside
    onsets = [second + GAP_S * (second >= GAP_AT_S) for second in range(LENGTH_S)]
    return write_edf_with_gaps(tmp_path / "night.edf", signal, RATE, onsets, BEGAN)


def test_annotations_lie_on_the_seizure(run, recording, tmp_path):
    status, _, err = run("detect", recording, tmp_path / "e.tsv", "--edf", "edf", "--mne", "fif")
    assert status == 0, err
    header, row, *others = (tmp_path / "e.tsv").read_text().splitlines()
    event = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    assert (others, event["dateTime"]) == ([], "2021-03-04 23:59:50")
    onset, stop = RHYTHM_S[0] + GAP_S, RHYTHM_S[1] + GAP_S
    assert float(event["onset"]) == pytest.approx(onset, abs=3)
    assert float(event["onset"]) + float(event["duration"]) == pytest.approx(stop, abs=3)
    for name in ("e_annot.edf", "e_annot.fif"):
        (annotation,) = mne.read_annotations(tmp_path / name)
        assert annotation["onset"] == pytest.approx(float(event["onset"]), abs=0.01)
        assert annotation["duration"] == pytest.approx(float(event["duration"]), abs=0.01)
        # On the clock on which recordings are read, they lie on the rhythm, and nothing else does.
        whole = open_recording(recording)
        raw = mne.io.RawArray(
            np.nan_to_num(whole.read(0, whole.duration)),
            mne.create_info(whole.channel_names, RATE, "seeg"),
            verbose="error",
        )
        raw.set_meas_date(BEGAN.replace(tzinfo=datetime.UTC))
        raw.set_annotations(mne.read_annotations(tmp_path / name))
        (marked,) = raw.crop_by_annotations(verbose="error")
        assert marked.get_data().std() > 200
    assert json.loads((tmp_path / "e.json").read_text())["Gaps"] == [[GAP_AT_S, GAP_AT_S + GAP_S]]


def test_what_mne_does_with_gaps_is_told(run, recording, tmp_path):
    # If this changes, the warning has to go.
    assert mne.io.read_raw(recording, verbose="error").duration == LENGTH_S
    told = "MNE-Python reads it without its gaps"
    assert told in run("detect", recording, tmp_path / "e.tsv", "--mne", "fif")[2]
    assert told not in run("detect", recording, tmp_path / "e.tsv", "--edf", "edf")[2]
    options = ("--mne", "fif", "--stop", "50")
    assert told not in run("detect", recording, tmp_path / "e.tsv", *options)[2]
