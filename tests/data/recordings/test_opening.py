"""One door: the same recording by path and as an object, damaged files, what else a recording knows."""

import logging
import threading
import warnings
from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording, prepare
from brant_hf.detection import SeizureEvent


def _raw(subject: str | None = None, seed: int = 0) -> mne.io.RawArray:
    signal = 50e-6 * np.random.default_rng(seed).standard_normal((3, 3000))
    raw = mne.io.RawArray(signal, mne.create_info(["A1", "A2", "A3"], 250.0, "seeg"), verbose="error")
    raw.set_annotations(mne.Annotations([3.0], [4.0], ["seizure"]))
    if subject is not None:
        raw.info["subject_info"] = {"his_id": subject}
    return raw


@pytest.fixture
def fif(tmp_path):
    path = tmp_path / "x_raw.fif"
    _raw("X").save(path, verbose="error")
    return path


def test_a_raw_is_the_same_by_path_and_as_an_object(fif):
    by_path = open_recording(fif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        as_object = open_recording(mne.io.read_raw(fif, verbose="error"))
    for name in ("name", "subject", "seizures", "channel_names", "channel_types", "sampling_rate", "start_date"):
        assert getattr(by_path, name) == getattr(as_object, name), name
    # The first sub-field of an anonymised file is X, which is no name.
    assert by_path.subject == "x_raw"
    assert by_path.seizures == [(3.0, 7.0, None)]
    np.testing.assert_array_equal(by_path.read(), as_object.read())


def test_two_anonymised_raws_do_not_become_one_subject(tmp_path):
    raws = [_raw(seed=0), _raw(seed=1)]
    with pytest.raises(ValueError, match="two recordings are called raw/raw"):
        prepare(raws, tmp_path / "out", patch_length=250, num_patches=4, progress=False)
    named = [open_recording(raw, name=f"r{i}", subject=f"s{i}") for i, raw in enumerate(raws)]
    report = prepare(named, tmp_path / "out", patch_length=250, num_patches=4, progress=False)
    assert [entry["subject"] for entry in report.prepared] == ["s0", "s1"]


def test_a_dictionary_is_opened_and_other_objects_are_refused():
    signal = np.ones((2, 100))
    opened = open_recording({"array": signal, "sampling_rate": 100, "channel_names": ["B1", "B2"]})
    assert (opened.channel_names, opened.sampling_rate) == (["B1", "B2"], 100.0)
    with pytest.raises(ValueError, match=r"keys 'signal'.*expected \"array\""):
        open_recording({"signal": signal})
    with pytest.raises(ValueError, match="int is no recording; expected a path"):
        open_recording(3)


def test_a_folder_that_is_a_recording_is_listed_and_not_walked_into(tmp_path):
    for name in ("a.ds", "b.mefd", "c.mff"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside.edf").touch()
    assert [path.name for path in find_recordings(tmp_path)] == ["a.ds", "b.mefd", "c.mff"]
    assert [path.name for path in find_recordings(tmp_path / "a.ds")] == ["a.ds"]
    assert [path.name for path in find_recordings(str(tmp_path / "*"))] == ["a.ds", "b.mefd", "c.mff"]


def test_a_damaged_archive_is_refused_in_words(tmp_path):
    path = tmp_path / "r.npz"
    np.savez(path, data=np.ones((2, 500), np.float32), sampling_rate=100)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"PK\x03\x04" + bytes(200), content.replace(b"NUMPY", b"NUMQY")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"r\.npz cannot be read as a \.npz recording"):
            open_recording(path)


def test_an_error_while_reading_names_the_recording(tmp_path):
    path = tmp_path / "r.npy"
    np.save(path, np.random.default_rng(0).normal(0, 50, (2, 5000)))
    recording = open_recording(path, 100)
    path.write_bytes(b"")
    with pytest.raises(OSError, match="r: the samples 0 to 100 cannot be read"):
        recording.read(0, 1)


def test_threads_leave_warnings_and_logger_as_they_were(fif):
    recording = open_recording(fif)
    filters, handlers = list(warnings.filters), list(logging.getLogger("mne").handlers)
    level, logged = logging.getLogger("mne").level, list(logging.getLogger("mne").filters)
    errors = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                open_recording(fif) if number % 2 else recording.read(number, number + 1)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (warnings.filters, logging.getLogger("mne").handlers) == (filters, handlers)
    assert (logging.getLogger("mne").level, logging.getLogger("mne").filters) == (level, logged)


def test_what_another_thread_warns_of_is_not_told_of_the_file_that_is_opened(fif, monkeypatch):
    def read_beside_another_thread(*args, **options):
        thread = threading.Thread(target=warnings.warn, args=("of another thread",))
        thread.start()
        thread.join()
        warnings.warn("of this file", stacklevel=1)
        return original(*args, **options)

    original = mne.io.read_raw
    monkeypatch.setattr(mne.io, "read_raw", read_beside_another_thread)
    with pytest.warns(UserWarning, match="of another thread") as caught:
        open_recording(fif)
    messages = {str(each.message) for each in caught if "of " in str(each.message)}
    assert {"of another thread", "x_raw.fif: of this file"} <= messages
    assert "x_raw.fif: of another thread" not in messages


def test_start_and_positions_of_a_raw():
    raw = _raw()
    assert open_recording(raw).start_date is None
    for taken_out in (datetime(1985, 1, 1, tzinfo=UTC), datetime(1985, 1, 1, 10, 30, tzinfo=UTC)):
        raw.set_meas_date(taken_out)
        assert open_recording(raw).start_date is None
    assert open_recording(raw.anonymize(verbose="error")).start_date is None
    raw.set_meas_date(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    positions = {"A1": [0.01, 0.02, 0.03], "A3": [0.04, 0.05, 0.06]}
    raw.set_montage(mne.channels.make_dig_montage(positions, coord_frame="mni_tal"), on_missing="ignore")
    opened = open_recording(raw.drop_channels(["A1"]))
    assert opened.start_date == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert opened.coordinate_space == "mni_tal"
    np.testing.assert_allclose(opened.positions, [[np.nan] * 3, [0.04, 0.05, 0.06]], atol=1e-6)
    assert open_recording(_raw()).positions is None


@pytest.mark.parametrize("name", ["sub-07_task-rest_ieeg.fif", "night_raw.fif"])
def test_name_subject_and_seizures_of_the_files_beside_by_path_and_as_an_object(tmp_path, name):
    folder = tmp_path / "sub-07" / "ieeg"
    folder.mkdir(parents=True)
    raw = _raw()
    raw.crop(2.0).save(folder / name, verbose="error")
    table = folder / ("sub-07_task-rest_events.tsv" if name.startswith("sub") else "night_raw_events.tsv")
    table.write_text("onset\tduration\teventType\n5\t4\tsz\n")
    by_path = open_recording(folder / name)
    as_object = mne.io.read_raw(folder / name, verbose="error")
    for opened in (by_path, open_recording(as_object)):
        assert (opened.name, opened.subject) == (by_path.name, "sub-07")
        assert opened.seizures == [(5.0, 9.0, None)]
    # The table counts from the start of the file, not of what is left of it.
    assert open_recording(as_object.copy().crop(6.0, 8.0)).seizures == [(0.0, pytest.approx(2.0, abs=0.01), None)]
    assert open_recording(as_object.copy().crop(1.0, 7.0)).seizures == [
        (4.0, pytest.approx(6.0, abs=0.01), None),
    ]
    assert open_recording(as_object.copy().crop(0.0, 3.0)).seizures == []


def test_a_raw_without_a_file_tells_that_its_subject_is_not_known():
    with pytest.warns(UserWarning, match="raw: the file does not tell its subject"):
        assert open_recording(_raw()).subject == "raw"


@pytest.mark.parametrize("option", [{"seizures": [(1, 2)]}, {"channels": ["CH1"]}, {"unit": "mV"}, {"gain": 2.0}])
def test_what_is_said_of_a_recording_that_is_open_is_refused(option):
    recording = open_recording(np.ones((2, 1000)), 100, seizures=[])
    (name,) = option
    with pytest.raises(ValueError, match=f"array is open already, so {name} would change nothing"):
        open_recording(recording, **option)
    assert open_recording(recording, start=2, stop=5).duration == 3


def test_detected_events_become_seizures():
    event = SeizureEvent(2.0, 1.5, ("CH2",), 0.9)
    for events in ([event], [event.to_dict()], [(2.0, 3.5, ["CH2"])]):
        assert open_recording(np.ones((2, 1000)), 100, seizures=events).seizures == [(2.0, 3.5, ["CH2"])]
