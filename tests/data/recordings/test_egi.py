"""EGI folders `.mff`, written with mffpy: what their events say, pauses, and what is no recording."""

from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

mffpy = pytest.importorskip("mffpy")
RATE, BEGIN = 250, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SIGNAL = np.random.default_rng(0).normal(-3000, 50, (257, 6 * RATE)).astype("<f4")
EVENT = (
    "<event><beginTime>2024-05-06T0{hour}:08:{seconds}+02:00</beginTime><duration>{duration}</duration>"
    "<code>{code}</code><label>{label}</label><description>{description}</description></event>"
)
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    def write(*events, version="3", steps=(), pause=None):
        """Write six seconds, the last three of them after a pause [s]."""
        from mffpy.bin_writer import BinWriter
        from mffpy.writer import Writer

        path = tmp_path / "rec.mff"
        writer = Writer(str(path))
        signal = BinWriter(sampling_rate=RATE, data_type="EEG")
        signal.add_block(SIGNAL[:, : 3 * RATE])
        signal.add_block(SIGNAL[:, 3 * RATE :], offset_us=None if pause is None else round(pause * 1e6))
        writer.addxml("fileInfo", recordTime=BEGIN, mffVersion="3")
        writer.addbin(signal)
        writer.add_coordinates_and_sensor_layout("HydroCel GSN 256 1.0")
        writer.write()
        if version is None:
            about = path / "info.xml"
            about.write_text(about.read_text().replace("<mffVersion>3</mffVersion>", ""))
        if events:
            rows = "".join(EVENT.format(**{"hour": 9, "label": "", "description": "", **event}) for event in events)
            (path / "Events_User Events.xml").write_text(
                f'<eventTrack xmlns="http://www.egi.com/event_mff"><name>User Events</name>{rows}</eventTrack>'
            )
        if steps:
            rows = "".join(f"<entry><tool><method>{step}</method></tool></entry>" for step in steps)
            (path / "history.xml").write_text(
                f'<historyEntries xmlns="http://www.egi.com/history_mff">{rows}</historyEntries>'
            )
        return path

    return write


def test_what_somebody_wrote_stands_in_the_label_of_an_event(write):
    path = write(
        {"seconds": "10.500000", "duration": 1000, "code": "evt1", "label": "eyes open"},
        {"seconds": "11.000000", "duration": 2_500_000, "code": "evt2", "label": "Seizure", "description": "left arm"},
    )
    recording = open_recording(path)
    assert recording.start_date == BEGIN
    assert recording.seizures == [(2.0, 4.5, None)]
    assert [(event.onset, event.duration, event.text, event.further) for event in recording.events] == [
        (1.5, 0.0, "eyes open", ("evt1",)),
        (2.0, 2.5, "Seizure", ("left arm", "evt2")),
    ]
    np.testing.assert_array_equal(recording.read(1, 2)[:2], SIGNAL[:2, RATE : 2 * RATE])


def test_files_before_version_3_count_in_nanoseconds(write):
    path = write({"seconds": "11.250000000", "duration": 2_500_000_000, "code": "sz"}, version=None)
    assert open_recording(path).seizures == [(2.25, 4.75, None)]


def test_a_pause_is_nan_to_the_sample(write):
    path = write({"seconds": "17.100000", "duration": 1000, "code": "sz  ", "label": "Seizure onset"}, pause=4.1)
    recording = open_recording(path)
    assert recording.gaps == [(3.0, 7.1)]
    samples = recording.read()[:1]
    expected = np.concatenate([SIGNAL[:1, : 3 * RATE], np.full((1, 1025), np.nan), SIGNAL[:1, 3 * RATE :]], axis=1)
    np.testing.assert_array_equal(samples, expected)
    assert [event.onset for event in recording.events if event.text == "Seizure onset"] == [8.1]


def test_nothing_is_printed_neither_at_opening_nor_at_reading(write, capfd):
    open_recording(write()).read(0, 1)
    assert capfd.readouterr() == ("", "")


def test_an_object_of_mne_python_tells_what_the_label_says(write, capfd):
    path = write({"seconds": "11.000000", "duration": 1000, "code": "evt1", "label": "Seizure onset"})
    raw = mne.io.read_raw_egi(path, verbose="error")
    capfd.readouterr()
    with pytest.warns(UserWarning, match="no offset"):
        recording = open_recording(raw)
    assert [(event.text, event.further) for event in recording.events] == [("evt1", ("Seizure onset",))]
    np.testing.assert_allclose(recording.read(0, 1)[0], SIGNAL[0, :RATE], rtol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_averages_are_no_recording(write):
    with pytest.raises(ValueError, match=r"rec\.mff holds averages over segments and no recording"):
        open_recording(write(steps=["Segmentation", "Averaging"]))


def test_segments_are_told(write):
    with pytest.warns(UserWarning, match=r"rec\.mff: it holds segments that were cut out of a recording"):
        open_recording(write(steps=["Segmentation"]))


def test_a_damaged_file_of_events(write):
    path = write({"seconds": "11.0", "duration": 1000, "code": "sz"})
    track = path / "Events_User Events.xml"
    track.write_text(track.read_text()[:-20])
    with pytest.raises(ValueError, match=r"rec\.mff.Events_User Events\.xml is damaged .*copy the recording again"):
        open_recording(path)
