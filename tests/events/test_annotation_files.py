"""Files of annotations, read back by what they are for: MNE-Python, and EDFlib, with which EDFbrowser reads."""

from datetime import UTC, datetime

import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import write_annotations
from brant_hf.events.annotation_files import holds_annotations_alone, is_annotation_file
from brant_hf.events.tables import is_detection_table

EVENTS = [
    {"onset": 0.5, "duration": 11.0, "confidence": 0.875, "channels": ["A1", "POL B:2"]},
    {"onset": 86_400.25, "duration": 3.0, "confidence": None, "channels": None},
]
START = datetime(2021, 3, 4, 23, 59, 58, 250_000)


def test_edflib_reads_edf_with_the_time_of_each_event(tmp_path):
    pyedflib = pytest.importorskip("pyedflib")
    write_annotations(tmp_path / "a.edf", EVENTS, start=START)
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as file:
        onsets, durations, texts = file.readAnnotations()
        # pyEDFlib counts the fraction of the second in other units.
        assert file.getStartdatetime().replace(microsecond=0) == START.replace(microsecond=0)
        assert onsets[0] == pytest.approx(0.5)
        assert np.diff(onsets) == pytest.approx(86_399.75)
        assert durations.tolist() == [11.0, 3.0]
        assert texts.tolist() == ["seizure", "seizure"]
        assert file.signals_in_file == 0


def test_edf_follows_the_specification(tmp_path):
    write_annotations(tmp_path / "a.edf", EVENTS, start=START)
    content = (tmp_path / "a.edf").read_bytes()
    header = content[:256].decode("ascii")
    assert header[8:88].split() == ["X", "X", "X", "X"]
    assert header[88:168].split()[:4] == ["Startdate", "04-MAR-2021", "X", "X"]
    # The whole second in which the recording began; the first annotation says how far in it.
    assert (header[168:176], header[176:184]) == ("04.03.21", "23.59.58")
    assert (header[192:236].strip(), float(header[244:252]), int(header[252:256])) == ("EDF+C", 0, 1)
    assert content[256:272] == b"EDF Annotations "
    assert content[512:].startswith(b"+0.25\x14\x14\x00+0.75\x1511\x14seizure\x14\x00+86400.5\x153\x14seizure\x14\x00")


@pytest.mark.parametrize("name", ["a.edf", "a_annot.fif", "a.csv", "a.txt"])
@pytest.mark.parametrize("start", [START, START.replace(tzinfo=UTC), None])
def test_mne_reads_the_times(tmp_path, name, start):
    import mne

    if name == "a.csv" and start is None:
        with pytest.raises(ValueError, match=r"not known when the recording began; write \.fif or \.txt"):
            write_annotations(tmp_path / name, EVENTS, start=start)
        assert list(tmp_path.iterdir()) == []
        return
    write_annotations(tmp_path / name, EVENTS, start=start)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    annotations = mne.read_annotations(tmp_path / name)
    if name != "a.edf":
        assert list(annotations.ch_names) == [("A1", "POL B:2"), ()]
        assert float(annotations.extras[0]["confidence"]) == 0.875
    raw = mne.io.RawArray(np.zeros((2, 90_000)), mne.create_info(["A1", "POL B:2"], 1.0), verbose="error")
    raw.set_meas_date(None if start is None else START.replace(tzinfo=UTC))
    raw.set_annotations(annotations)
    np.testing.assert_allclose(raw.annotations.onset, [0.5, 86_400.25], atol=0.005)  # 7 digits in FIF
    assert raw.annotations.duration.tolist() == pytest.approx([11.0, 3.0], abs=0.01)
    assert set(raw.annotations.description) == {"seizure"}


@pytest.mark.parametrize("name", ["a.edf", "a_annot.fif", "a.csv", "a.txt"])
def test_a_recording_without_events_has_a_file_that_is_replaced(tmp_path, name):
    import mne

    path = tmp_path / name
    write_annotations(path, [], start=START)
    if name != "a.csv":
        assert len(mne.read_annotations(path)) == 0
    write_annotations(path, EVENTS, start=START)
    write_annotations(path, EVENTS[:1], start=START)
    assert len(mne.read_annotations(path)) == 1


@pytest.mark.parametrize("name", ["a_annot.fif", "a.csv", "a.txt"])
def test_what_somebody_has_corrected_is_theirs(tmp_path, name):
    import mne

    path = tmp_path / name
    write_annotations(path, EVENTS, start=START)
    assert is_annotation_file(path)
    assert is_detection_table(path)
    annotations = mne.read_annotations(path)
    annotations.onset[0] += 1
    annotations.save(path, overwrite=True)
    assert not is_detection_table(path)
    with pytest.raises(FileExistsError, match="no earlier output"):
        write_annotations(path, EVENTS, start=START)
    write_annotations(path, EVENTS, start=START, overwrite=True)


def test_a_recording_with_these_annotations_is_no_file_of_annotations(tmp_path):
    import mne

    write_annotations(tmp_path / "a_annot.fif", EVENTS[:1])
    raw = mne.io.RawArray(np.zeros((2, 100)), mne.create_info(["A1", "POL B:2"], 1.0, "seeg"), verbose="error")
    raw.set_annotations(mne.read_annotations(tmp_path / "a_annot.fif")).save(tmp_path / "b_raw.fif", verbose="error")
    assert not is_annotation_file(tmp_path / "b_raw.fif")
    with pytest.raises(FileExistsError):
        write_annotations(tmp_path / "b_raw.fif", EVENTS)
    # In a folder, files of annotations are no recordings.
    write_annotations(tmp_path / "c.edf", EVENTS)
    assert holds_annotations_alone(tmp_path / "c.edf")
    assert find_recordings(tmp_path) == [tmp_path / "b_raw.fif"]


def test_annotations_beside_a_recording_never_become_its_labels(tmp_path):
    np.savez(tmp_path / "rec.npz", signals=np.zeros((2, 1000)), sampling_rate=10.0)
    write_annotations(tmp_path / "rec_annotations.csv", EVENTS[:1], start=START)
    assert open_recording(tmp_path / "rec.npz", subject="a").seizures == []


@pytest.mark.parametrize("year", [1908, 2090])
def test_a_year_that_edf_has_not_is_told(tmp_path, year):
    with pytest.warns(UserWarning, match=f"EDF has no year {year}, so the file tells the time of day alone"):
        write_annotations(tmp_path / "a.edf", EVENTS, start=START.replace(year=year))
    header = (tmp_path / "a.edf").read_bytes()[:256].decode("ascii")
    assert header[88:].startswith("Startdate X X X brant_hf_")
    assert header[168:184] == "01.01.8523.59.58"
