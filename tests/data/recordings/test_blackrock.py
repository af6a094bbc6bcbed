"""Files of Blackrock: what the documents of the format say, and MNE-Python where it reads them."""

import pickle
import struct
from datetime import UTC, datetime

import mne
import numpy as np
import pytest
from neo.rawio import BlackrockRawIO

from brant_hf.data import open_recording

RATE, STEP = 1000, 0.25
COUNTS = np.random.default_rng(0).integers(-4000, 4000, (3, 3000))
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    """Write packets `(time, first sample, last sample)` of three channels."""

    labels = ("LA1", "LA2", "ainp1")

    def write(packets=((0, 0, 3000),), version=2, clock=30000, unit="uV", digital=32764, name="rec.ns2", counts=None):
        head = b"NEURALCD" if version < 3 else b"BRSMPGRP"
        head += struct.pack("<BBI", version, 3 if version < 3 else 0, 314 + 66 * len(labels)) + bytes(16 + 256)
        head += struct.pack("<II8HI", 30, clock, 2020, 3, 1, 2, 10, 0, 0, 500, len(labels))
        for number, label in enumerate(labels):
            head += b"CC" + struct.pack("<H16sBB", number + 1, label.encode(), 1, 1)
            head += struct.pack("<4h16s", -digital, digital, -8191, 8191, unit.encode()) + bytes(20)
        for time, first, last in packets:
            stated = last - first if counts is None else counts
            head += struct.pack("<BII" if version < 3 else "<BQI", 1, time, stated)
            head += COUNTS[:, first:last].T.astype("<i2").tobytes()
        (tmp_path / name).write_bytes(head)
        return tmp_path / name

    return write


@pytest.mark.parametrize("options", [{}, {"version": 3}, {"name": "REC.NS6"}, {"packets": [(6000, 0, 3000)]}])
def test_one_packet_as_mne_reads_it(write, options):
    path = write(**options)
    recording = open_recording(path)
    raw = mne.io.read_raw_nsx(path, verbose="error")
    np.testing.assert_allclose(recording.read(0.5, 2.5), raw.get_data([0, 1], 500, 2500) * 1e6, rtol=1e-6, atol=1e-4)
    assert (recording.channel_names, recording.sampling_rate, recording.gaps) == (["LA1", "LA2"], RATE, [])
    assert recording.excluded_channels == {"ainp1": "external input (by its name)"}
    late = 200_000 if "packets" in options else 0
    assert recording.start_date == datetime(2020, 3, 2, 10, 0, 0, 500_000 + late, tzinfo=UTC)


def test_pauses_are_missing_samples(write):
    recording = pickle.loads(
        pickle.dumps(open_recording(write([(0, 0, 1000), (60000, 1000, 2000), (90000, 2000, 3000)])))
    )
    assert (recording.gaps, recording.num_samples) == ([(1.0, 2.0)], 4000)
    samples = recording.read()
    assert np.isnan(samples[:, 1000:2000]).all()
    np.testing.assert_allclose(np.delete(samples, slice(1000, 2000), 1), COUNTS[:2] * STEP)


@pytest.mark.parametrize(("pause", "gaps"), [(0, []), (1_500_000_000, [(1.0, 2.5)])])
def test_a_packet_for_each_sample(write, pause, gaps):
    begin = 1_600_000_000_000_000_000
    packets = [(begin + number * 1_000_000 + pause * (number >= 1000), number, number + 1) for number in range(3000)]
    recording = open_recording(write(packets, version=3, clock=1_000_000_000))
    assert (recording.gaps, recording.sampling_rate) == (gaps, RATE)
    assert recording.start_date == datetime.fromtimestamp(1_600_000_000, UTC)
    samples = recording.read()
    np.testing.assert_allclose(samples[:, np.isfinite(samples[0])], COUNTS[:2] * STEP)


def test_a_clock_that_was_set_to_0_where_devices_are_synchronised(write):
    with pytest.warns(UserWarning, match=r"rec\.ns2: its clock was set to 0 after 0\.100 s"):
        recording = open_recording(write([(500_000, 0, 100), (0, 100, 3000)]))
    np.testing.assert_allclose(recording.read(), COUNTS[:2, 100:] * STEP)
    with pytest.raises(ValueError, match=r"^/.*rec\.ns2: .*its clock was set back"):
        open_recording(write([(500_000, 0, 2000), (0, 2000, 3000)]))


def test_a_recording_that_was_not_ended_and_a_channel_without_scale(write):
    assert open_recording(write(counts=0)).num_samples == 3000
    with pytest.raises(ValueError, match=r"no scale in the header"):
        open_recording(write(digital=0))


def test_names_end_where_they_are_ended(write):
    path = write()
    path.write_bytes(path.read_bytes().replace(b"LA2\0\0\0\0\0", b"LA2\0\x10\0\x02\0"))
    assert open_recording(path).channel_names == ["LA1", "LA2"]


def write_events(path, packets, version=2, clock=30000, size=104):
    """Write packets `(time, number, byte, flag, time of the beginning, text)` to the file of events beside `path`."""
    head = b"NEURALEV" if version < 3 else b"BREVENTS"
    head += struct.pack("<BBHIIII", version, 3 if version < 3 else 0, 1, 336, size, clock, 30000)
    head += struct.pack("<8H", 2020, 3, 1, 2, 10, 0, 0, 500) + bytes(32 + 256) + struct.pack("<I", 0)
    for time, number, byte, flag, begun, text in packets:
        packet = struct.pack("<IHBBI" if version < 3 else "<QHBBI", time, number, byte, flag, begun) + text
        head += packet.ljust(size, b"\0")
    path.with_suffix(".nev").write_bytes(head)


COMMENT, BUTTON, SPIKE = 65535, 65532, 7


@pytest.mark.parametrize("version", [2, 3])
def test_comments_of_the_file_of_events(write, version):
    """One is dated by when it was begun, one has a colour there; a spike, a reset and what a camera saw are none."""
    path = write([(15000, 0, 3000)], version=version)
    packets = [
        (16000, SPIKE, 0, 1, 1, b"seizure"),
        (45000 + 3000, COMMENT, 0, 1, 45000, "début de crise".encode("cp1252")),
        (75000, COMMENT, 1, 0, 255, "fin de crise".encode("utf-16-le")),
        (80000, COMMENT, 255, 0, 0, b"ROI:1:Enter:7"),
        (81000, BUTTON, 1, 0, 0, b""),
        (82000, BUTTON, 2, 0, 0, b""),
    ]
    write_events(path, packets, version)
    with pytest.warns(UserWarning, match=r"'patient button' at 2\.20 s is not taken as a seizure"):
        recording = open_recording(path)
    assert [(event.onset, event.text) for event in recording.events] == [
        (1.0, "début de crise"), (2.0, "fin de crise"), (2.2, "patient button"),
    ]  # fmt: skip
    assert recording.seizures == [(1.0, 2.0, None)]


def test_comments_by_a_clock_that_counts_nanoseconds(write):
    begin = 1_600_000_000_000_000_000
    path = write([(begin + n * 1_000_000, n, n + 1) for n in range(3000)], version=3, clock=1_000_000_000)
    write_events(path, [(begin + 1_500_000_000, COMMENT, 0, 1, 77, b"yawn")], version=3, clock=1_000_000_000)
    assert [(round(event.onset, 9), event.text) for event in open_recording(path).events] == [(1.5, "yawn")]


def test_comments_are_those_of_neo(write):
    path = write()
    write_events(path, [(30000 * n, COMMENT, 0, 0, 255, f"remark {n}".encode()) for n in (1, 2)])
    neo = BlackrockRawIO(str(path.with_suffix("")), nsx_to_load=2)
    neo.parse_header()
    (number,) = np.flatnonzero(neo.header["event_channels"]["name"] == "comments")
    times, _, labels = neo.get_event_timestamps(0, 0, int(number))
    events = open_recording(path).events
    assert [event.text for event in events] == labels.tolist()
    assert [event.onset for event in events] == neo.rescale_event_timestamp(times, event_channel_index=0).tolist()


def test_comments_before_a_clock_was_set_to_0_are_left_out(write):
    path = write([(500_000, 0, 100), (0, 100, 3000)])
    write_events(path, [(501_000, COMMENT, 0, 0, 0, b"before"), (60000, COMMENT, 0, 0, 0, b"after")])
    with pytest.warns(UserWarning, match=r"its clock was set to 0 after 0\.100 s"):
        assert [(event.onset, event.text) for event in open_recording(path).events] == [(2.0, "after")]


def test_a_file_of_events_that_is_none_is_told(write):
    path = write()
    path.with_suffix(".nev").write_bytes(b"NEURALEV")
    with pytest.warns(
        UserWarning, match=r"rec\.ns2: rec\.nev is no file of Blackrock events, so its comments are not"
    ):
        open_recording(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-7], r"rec\.ns2 is truncated: a packet announces 3000 samples, it holds 2998"),
        (lambda content: content[:400], r"rec\.ns2 ends before any sample \(400 bytes\)"),
        (lambda content: content[:200], r"rec\.ns2 is no file of Blackrock samples"),
        (lambda content: b"NEURALSG" + content[8:], r"rec\.ns2 is of version 2\.1, which states no scale"),
        (lambda content: content[:512] + b"\7" + content[513:], r"rec\.ns2 is damaged: no packet begins at byte 512"),
    ],
)
def test_damaged_files(write, change, message):
    path = write()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"^/.*{message}") as error:
        open_recording(path)
    assert str(error.value).count("rec.ns2") == 1
