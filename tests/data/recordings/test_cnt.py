"""`.cnt` files of ANT Neuro and Neuroscan."""

import struct
from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

RATE, COUNTS = 500, np.random.default_rng(0).integers(-3000, 3000, (3, 2000))
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def neuroscan(path, counts=COUNTS, names=("LA1", "LA2", "LA3"), events=((1, 400),), bad=(), stated=None, kind=None):
    """Write a file as Neuroscan describes it: 900 bytes, 75 a channel, the samples, a table of events.

    With `stated`, the header states this number of samples; with `kind`, a byte tells that of the numbers.
    """
    size = 2 if kind == 0 else 4
    header = bytearray(900)
    header[:12] = b"Version 3.0\0"
    start = 900 + 75 * len(names)
    struct.pack_into("<H", header, 370, len(names))
    struct.pack_into("<H", header, 376, RATE)
    struct.pack_into("<i", header, 864, counts.shape[1] if stated is None else stated)
    struct.pack_into("<i", header, 886, start + counts.size * size)
    for name in names:
        channel = bytearray(75)
        channel[: len(name)] = name.encode()
        channel[14] = name in bad
        struct.pack_into("<f", channel, 59, 20.48)
        struct.pack_into("<f", channel, 71, 1.0)
        header += channel
    table = b"".join(struct.pack("<HBBi", code, 0, 0, start + size * len(names) * sample) for code, sample in events)
    tag = struct.pack("<Bii", 1, len(table), 0)
    content = header + counts.T.astype(f"<i{size}").tobytes() + tag + table
    if kind is not None:
        struct.pack_into("<I", content, 12, len(content))
        content += bytes(52) + bytes([kind]) + bytes(20)
    path.write_bytes(content)
    return path


def ant(path, kind=b"RF64", size=0):
    """Write the beginning of a file of ANT, which states its size."""
    body = b"CNT " + bytes(100)
    width = {b"RF64": 8, b"RIFF": 4}[kind]
    path.write_bytes(kind + (len(body) + size).to_bytes(width, "little") + body)
    return path


@pytest.fixture
def ant_reader(monkeypatch):
    """Stands for the reader of MNE-Python, whose package is not needed here: samples that count, and an event."""

    def read(path, preload, verbose):
        names = ["LA1", "LA2"]
        raw = mne.io.RawArray(np.arange(4000.0).reshape(2, 2000) * 1e-6, mne.create_info(names, RATE, "eeg"))
        raw.set_meas_date(datetime(2024, 8, 14, 23, 59, 58, tzinfo=UTC))
        raw.set_annotations(mne.Annotations([1.0, 3.0], [0.0, 0.5], ["start", "seizure"], orig_time=None))
        return raw

    monkeypatch.setattr(mne.io, "read_raw_ant", read)


def test_neuroscan(tmp_path):
    recording = open_recording(neuroscan(tmp_path / "rec.CNT"))
    np.testing.assert_allclose(recording.read(), COUNTS * 0.1, atol=1e-3)
    assert (recording.channel_names, recording.sampling_rate) == (["LA1", "LA2", "LA3"], RATE)
    # Programs differ by a sample.
    assert [(event.onset, event.text) for event in recording.events] == [(pytest.approx(0.8, abs=1.1 / RATE), "1")]


def test_long_names_of_neuroscan_are_no_marks_of_bad_channels(tmp_path):
    recording = open_recording(neuroscan(tmp_path / "rec.cnt", names=("LAMYG1", "LAMYG2", "LAMYG3"), bad=("LAMYG2",)))
    assert recording.channel_names == ["LAMYG1", "LAMYG3"]
    assert recording.excluded_channels == {"LAMYG2": "marked bad"}


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize(("stated", "held"), [(0, 2000), (2100, 2000), (1999, 1999)])
def test_what_follows_the_events_tells_the_kind_of_the_numbers(tmp_path, kind, stated, held):
    path = neuroscan(tmp_path / "rec.cnt", stated=stated, kind=kind)
    with pytest.warns(UserWarning, match=rf"another number of samples than it holds; the {held} are read"):
        recording = open_recording(path)
    np.testing.assert_allclose(recording.read(), COUNTS[:, :held] * 0.1, atol=1e-3)


def test_another_kind_of_numbers_is_not_guessed(tmp_path):
    with pytest.raises(ValueError, match="does not tell whether its numbers have 2 or 4 bytes"):
        open_recording(neuroscan(tmp_path / "rec.cnt", stated=0, kind=7))


@pytest.mark.parametrize("cut", [1, 9, 5000])
def test_a_file_of_neuroscan_that_was_cut(tmp_path, cut):
    path = neuroscan(tmp_path / "rec.cnt", events=())
    path.write_bytes(path.read_bytes()[: -9 - cut])
    with pytest.raises(ValueError, match=r"rec\.cnt was cut.*copy it again, or open it with mne\.io\.read_raw_cnt"):
        open_recording(path)


@pytest.mark.parametrize("kind", [b"RF64", b"RIFF"])
def test_a_file_of_ant_that_was_cut_does_not_reach_its_reader(tmp_path, kind):
    with pytest.raises(ValueError, match=r"rec\.cnt is truncated: it has \d+ of \d+ bytes"):
        open_recording(ant(tmp_path / "rec.cnt", kind, size=7))


@pytest.mark.parametrize("content", [b"something else" * 9, b"RIFF\x04\0\0\0WAVE" + bytes(9), b"RIFF"])
def test_a_file_that_is_neither(tmp_path, content):
    (tmp_path / "rec.cnt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"rec\.cnt is no CNT file .*b'{content[:4].decode()}.*EDF\+"):
        open_recording(tmp_path / "rec.cnt")


@pytest.mark.usefixtures("ant_reader")
def test_pauses_of_ant_stand_in_a_file_beside_it(tmp_path):
    path = ant(tmp_path / "rec.cnt")
    assert open_recording(path).gaps == []
    # The second part has 1000 samples and begins 4 s after the first one, which has 2 s, on the next day.
    path.with_suffix(".seg").write_text("NumberSegments=      2\n4.5519000011574074e+004 1.000000000e+000 1000\n")
    recording = open_recording(path)
    assert recording.gaps == [(2.0, 4.0)]
    assert [(event.onset, event.text) for event in recording.events] == [(1.0, "start"), (5.0, "seizure")]
    samples = recording.read()
    assert np.isnan(samples[:, 1000:2000]).all()
    np.testing.assert_allclose(samples[0, [999, 2000, 2999]], [999, 1000, 1999], rtol=1e-6)


@pytest.mark.usefixtures("ant_reader")
@pytest.mark.parametrize(
    "text", ["", "NumberSegments= 3\n45518.9 0.5 10\n", "NumberSegments= 2\n45518.9 0.5 9999\n", "\0"]
)
def test_a_file_of_pauses_that_does_not_fit_is_told(tmp_path, text):
    path = ant(tmp_path / "rec.cnt")
    path.with_suffix(".seg").write_text(text)
    with pytest.warns(UserWarning, match=r"rec\.seg does not fit the recording"):
        assert open_recording(path).gaps == []
