import json
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data.corpora import load_openneuro

edfio = pytest.importorskip("edfio")
RATE, SECONDS = 200, 60


def signal_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, RATE * SECONDS)) * 50


def write_sidecars(folder: Path, stem: str, events: list[tuple[float, str]], kind: str) -> None:
    channels = ["name\ttype\tunits\tstatus\tstatus_description"]
    channels += [f"A1\t{kind}\tuV\tgood\tn/a", f"A2\t{kind}\tuV\tbad\tn/a", "EKG\tECG\tuV\tgood\tn/a"]
    (folder / f"{stem}_channels.tsv").write_text("\n".join(channels) + "\n")
    rows = ["onset\tduration\ttrial_type\tvalue\tsample"]
    rows += [f"{onset}\t0.0\t{text}\t{index}\t{int(onset * RATE)}" for index, (onset, text) in enumerate(events, 1)]
    (folder / f"{stem}_events.tsv").write_text("\n".join(rows) + "\n")


def write_brainvision(folder: Path, stem: str, signal: np.ndarray) -> None:
    header = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}_ieeg.eeg",
        f"MarkerFile={stem}_ieeg.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(signal)}",
        f"SamplingInterval={1e6 / RATE}",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "[Channel Infos]",
        *(f"Ch{index}={name},,0.5,µV" for index, name in enumerate(("A1", "A2", "EKG"), 1)),
    ]
    (folder / f"{stem}_ieeg.vhdr").write_text("\n".join(header) + "\n", encoding="utf-8")
    markers = ["Brain Vision Data Exchange Marker File, Version 1.0", "[Common Infos]", f"DataFile={stem}_ieeg.eeg"]
    (folder / f"{stem}_ieeg.vmrk").write_text(
        "\n".join([*markers, "[Marker Infos]", "Mk1=New Segment,,1,1,0,0"]) + "\n"
    )
    (signal.T / 0.5).astype("<f4").tofile(folder / f"{stem}_ieeg.eeg")


@pytest.fixture
def ds003029(tmp_path):
    root = tmp_path / "ds003029"
    events = {
        "pt01": [(10.0, "AD1-4, ATT1,2"), (12.5, "onset"), (40.0, "offset")],
        "pt11": [(5.0, "start"), (25.0, "end")],
        "pt2": [(8.0, "?onset ?TT1 then PST"), (30.0, "offset with attenuat")],
        "jh102": [(9.0, "Z CLINICAL ONSET"), (20.0, "Z RSF OVER")],
        "ummc001": [(15.0, "sz onset")],
    }
    for number, (subject, rows) in enumerate(events.items()):
        folder = root / f"sub-{subject}" / "ses-presurgery" / "ieeg"
        folder.mkdir(parents=True)
        stem = f"sub-{subject}_ses-presurgery_task-ictal_acq-ecog_run-01"
        write_brainvision(folder, stem, signal_of(number))
        write_sidecars(folder, stem, rows, "ECOG")
    description = {"Name": "Epilepsy-iEEG-Multicenter-Dataset", "BIDSVersion": "1.4.0", "License": "CC0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    return root


def test_ds003029_brainvision_with_the_words_of_its_clinicians(ds003029):
    with pytest.warns(UserWarning, match="no offset"):
        recordings = load_openneuro(ds003029)
    seizures = {recording.subject: recording.seizures for recording in recordings}
    assert seizures == {
        "sub-jh102": [(9.0, 20.0, None)],
        "sub-pt01": [(12.5, 40.0, None)],
        "sub-pt11": [(5.0, 25.0, None)],
        "sub-pt2": [(8.0, 30.0, None)],
        "sub-ummc001": [(15.0, 25.0, None)],
    }
    # Its offset is not told.
    assert recordings[-1].uncertain == [(25.0, 60.0, None)]
    recording = recordings[1]
    assert (recording.channel_names, recording.channel_types) == (["A1"], ["ecog"])
    assert recording.excluded_channels == {"A2": "bad", "EKG": "ecg channel"}
    np.testing.assert_allclose(recording.read(), signal_of(0)[:1], rtol=1e-4, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.*(no offset|no seizure found|has no onset)")
def test_the_words_of_a_dataset_are_its_own(ds003029):
    root = ds003029.rename(ds003029.with_name("copy"))
    with pytest.warns(UserWarning, match=r"pt11.*no seizure found"):
        plain = {recording.subject: recording.seizures for recording in load_openneuro(root)}
    assert plain["sub-pt11"] == []
    with pytest.warns(UserWarning, match="no offset"):
        named = {recording.subject: recording.seizures for recording in load_openneuro(root, dataset="ds003029")}
    assert named["sub-pt11"] == [(5.0, 25.0, None)]
    with pytest.warns(UserWarning, match="no offset"):
        own = load_openneuro(root, "ds003029", event_types={"start": "ignore"})
    assert next(recording.seizures for recording in own if recording.subject == "sub-pt11") == []


@pytest.fixture
def ds004100(tmp_path):
    root = tmp_path / "hup"
    folder = root / "sub-HUP060" / "ses-presurgery" / "ieeg"
    folder.mkdir(parents=True)
    for task, rows in (("ictal", [(20.0, "sz onset"), (50.0, "sz offset")]), ("interictal", [])):
        stem = f"sub-HUP060_ses-presurgery_task-{task}_acq-seeg_run-01"
        signals = [
            edfio.EdfSignal(values, RATE, label=name, physical_dimension="uV", physical_range=(-400, 400))
            for name, values in zip(("A1", "A2", "EKG"), signal_of(9), strict=True)
        ]
        edfio.Edf(signals).write(folder / f"{stem}_ieeg.edf")
        write_sidecars(folder, stem, rows, "SEEG")
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "HUP", "DatasetDOI": "10.18112/openneuro.ds004100.v1.1.3"})
    )
    return root


def test_ds004100_edf(ds004100):
    ictal, interictal = load_openneuro(ds004100)
    assert (ictal.subject, ictal.seizures, interictal.seizures) == ("sub-HUP060", [(20.0, 50.0, None)], [])
    assert ictal.name == "sub-HUP060_ses-presurgery_task-ictal_acq-seeg_run-01"
    np.testing.assert_allclose(ictal.read(), signal_of(9)[:1], atol=0.02)


def test_files_that_were_not_downloaded_are_passed_over(ds003029, ds004100):
    edf = next(ds004100.rglob("*task-ictal*.edf"))
    edf.unlink()
    edf.symlink_to("../../.git/annex/objects/nowhere.edf")
    with pytest.warns(UserWarning, match="1 of 2 recordings were not downloaded"):
        assert len(load_openneuro(ds004100)) == 1
    for samples in ds003029.rglob("*.eeg"):
        samples.unlink()
        samples.symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"none of the 5 recordings.*datalad get"):
        load_openneuro(ds003029)


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_openneuro(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty"):
        load_openneuro(tmp_path)
    (tmp_path / "sub-01").mkdir()
    with pytest.raises(ValueError, match=r"no dataset_description.json"):
        load_openneuro(tmp_path)
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no recording"):
        load_openneuro(tmp_path)
