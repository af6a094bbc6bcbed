"""Files of Neuralynx, written after the layout that Cheetah has, beside what neo reads in them."""

import pickle
import re
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from neo.rawio import NeuralynxRawIO

from brant_hf.cli import main
from brant_hf.data import find_recordings, open_recording

RATE, BEGIN, STEP = 2000, 5_000_000_000, 0.061
NUMBERS = np.random.default_rng(0).integers(-8000, 8000, (4, 5120)).astype("<i2")
RECORD = np.dtype([("time", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("valid", "<u4"), ("samples", "<i2", 512)])
TIME = "-TimeCreated 2019/07/12 13:21:32"
pytestmark = pytest.mark.filterwarnings("ignore:.*does not tell its subject")


def header_of(name, number=0, rate=RATE, inverted="True", time=TIME, scale=f"-ADBitVolts {STEP / 1e6:.12f}"):
    lines = ["######## Neuralynx Data File Header", "-FileType NCS", "-FileVersion 3.4", "-RecordSize 1044", time]
    lines += ["-HardwareSubSystemType DigitalLynxSX", f"-SamplingFrequency {rate}", scale, f"-AcqEntName {name}"]
    lines += [
        f"-ADChannel {number}",
        f"-InputInverted {inverted}",
        '-ApplicationName Cheetah "6.3.2"',
        "-InputRange 2000",
    ]
    return "\r\n".join(lines).encode("latin-1").ljust(16384, b"\0")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "2019-07-12_13-21-32"
    path.mkdir()
    return path


@pytest.fixture
def write(folder):
    """Write a channel: runs `(time [s], first sample, last sample)`; numbers behind a run in its record are none."""

    def write(number, runs=((0.0, 0, 5120),), name=None, file=None, rate=RATE, **header):
        content = header_of(name or f"LA{number + 1}", number, rate, **header)
        for time, first, last in runs:
            count = -(-(last - first) // 512)
            records = np.zeros(count, RECORD)
            records["rate"], records["channel"], records["valid"] = rate, number, 512
            records["valid"][-1:] = (last - first) - (count - 1) * 512
            records["time"] = BEGIN + round(time * 1e6) + np.round(np.arange(count) * 512e6 / rate)
            filled = np.full(count * 512, 32000)
            filled[: last - first] = NUMBERS[number, first:last]
            records["samples"] = filled.reshape(-1, 512)
            content += records.tobytes()
        (folder / (file or f"LA{number + 1}.ncs")).write_bytes(content)
        return folder

    return write


def write_events(folder, *events, name="Events.nev"):
    content = header_of("Events")
    for time, text in events:
        content += (
            bytes(6) + np.uint64(BEGIN + round(time * 1e6)).tobytes() + bytes(42) + text.encode().ljust(128, b"\0")
        )
    (folder / name).write_bytes(content)


def test_a_folder_is_one_recording(write, folder):
    write(0), write(1), write(2)
    recording = open_recording(folder)
    assert (recording.name, recording.channel_names) == (folder.name, ["LA1", "LA2", "LA3"])
    assert (recording.sampling_rate, recording.num_samples, recording.gaps) == (RATE, 5120, [])
    assert recording.start_date == datetime(2019, 7, 12, 13, 21, 32, tzinfo=UTC)
    # Cheetah turns its input upside down, and says so.
    np.testing.assert_allclose(recording.read(), -NUMBERS[:3] * STEP, rtol=1e-6)
    np.testing.assert_allclose(recording.read_samples(700, 4000), -NUMBERS[:3, 700:4000] * STEP, rtol=1e-6)


def test_values_and_times_are_those_of_neo_also_in_another_process(write, folder):
    for number in (0, 1):
        write(number, [(0.0, 0, 1536), (3.0, 1536, 5120)], inverted="False")
    neo = NeuralynxRawIO(str(folder), gap_tolerance_ms=1.0)
    neo.parse_header()
    assert neo.segment_count(0) == 2
    recording = pickle.loads(pickle.dumps(open_recording(folder)))
    for part in (0, 1):
        expected = neo.rescale_signal_raw_to_float(neo.get_analogsignal_chunk(0, part), np.float64, 0).T
        start = round(neo.get_signal_t_start(0, part, 0) * RATE)
        np.testing.assert_allclose(recording.read_samples(start, start + expected.shape[1]), expected, rtol=1e-6)
    assert recording.gaps == [(1536 / RATE, 3.0)]


def test_what_stands_behind_the_valid_samples_of_a_record_is_none(write, folder):
    write(0, [(0.0, 0, 700), (0.35, 700, 2000), (2.0, 2000, 5120)])
    recording = open_recording(folder)
    assert recording.gaps == [(1.0, 2.0)]
    samples = recording.read()
    assert np.isnan(samples[0]).sum() == RATE
    np.testing.assert_allclose(samples[0][np.isfinite(samples[0])], -NUMBERS[0] * STEP, rtol=1e-6)
    np.testing.assert_allclose(recording.read_samples(690, 710)[0], -NUMBERS[0, 690:710] * STEP, rtol=1e-6)


def test_a_short_record_with_the_next_one_at_its_usual_time(write, folder):
    write(0)
    content = bytearray((folder / "LA1.ncs").read_bytes())
    np.frombuffer(content, RECORD, offset=16384)["valid"][3] = 412
    (folder / "LA1.ncs").write_bytes(content)
    missing = np.isnan(open_recording(folder).read_samples(1000, 5120)[0])
    assert np.flatnonzero(missing).tolist() == list(range(3 * 512 + 412 - 1000, 4 * 512 - 1000))


def test_channels_with_pauses_rates_and_ends_of_their_own(write, folder):
    write(0, [(0.0, 0, 1024), (1.0, 1024, 5120)])
    write(1, [(0.5, 0, 5120)])
    write(2, [(0.0, 0, 5120)], rate=8000)
    recording = open_recording(folder)
    assert recording.channel_names == ["LA1", "LA2"]
    assert recording.excluded_channels == {"LA3": "sampled at 8000 Hz; the recording is read at 2000 Hz"}
    samples = recording.read()
    np.testing.assert_allclose(samples[0, 2000:6096], -NUMBERS[0, 1024:] * STEP, rtol=1e-6)
    np.testing.assert_allclose(samples[1, 1000:], -NUMBERS[1] * STEP, rtol=1e-6)
    assert [np.isnan(samples[1, :1000]).all(), np.isnan(samples[0, 1024:2000]).all()] == [True, True]
    fast = open_recording(folder, sampling_rate=8000)
    np.testing.assert_allclose(fast.read()[0, :5120], -NUMBERS[2] * STEP, rtol=1e-6)


def test_a_recording_that_goes_on_in_another_file(write, folder):
    write(0, [(0.0, 0, 2048)]), write(0, [(2.0, 2048, 5120)], file="LA1_0001.ncs")
    recording = open_recording(folder)
    assert (recording.channel_names, recording.gaps) == (["LA1"], [(2048 / RATE, 2.0)])
    np.testing.assert_allclose(recording.read()[0, 4000:], -NUMBERS[0, 2048:] * STEP, rtol=1e-6)


def test_channels_are_told_apart_by_their_files_where_headers_name_them_alike(write, folder):
    write(0, name="CSC1"), write(1, name="CSC1"), write(2, name="B1", file="x.ncs")
    assert open_recording(folder).channel_names == ["LA1", "LA2", "B1"]


def test_one_file_is_a_recording_too(write, folder):
    write(0), write(1)
    recording = open_recording(folder / "LA2.ncs")
    assert (recording.name, recording.channel_names) == ("LA2", ["LA2"])
    np.testing.assert_allclose(recording.read(), -NUMBERS[1:2] * STEP, rtol=1e-6)


def test_events_beside_the_channels_are_remarks(write, folder):
    write(0, [(0.0, 0, 1536), (2.0, 1536, 5120)])
    write_events(folder, (0.0, "Starting Recording"), (0.5, "seizure onset"), (2.5, "seizure offset"))
    write_events(folder, (1.0, "TTL Input on AcqSystem1_0 board 0 port 0 value (0x0001)."), name="Events_0001.nev")
    (folder / "blackrock.nev").write_bytes(b"NEURALEV" + bytes(500))
    recording = open_recording(folder)
    assert [(event.onset, event.text[:10]) for event in recording.events] == [
        (0.0, "Starting R"), (0.5, "seizure on"), (1.0, "TTL Input "), (2.5, "seizure of"),
    ]  # fmt: skip
    assert recording.seizures == [(0.5, 2.5, None)]


def test_a_rate_that_is_not_that_of_the_clock(write, folder):
    write(0, [(0.0, 0, 5120)], rate=2000)
    content = (folder / "LA1.ncs").read_bytes().replace(b"-SamplingFrequency 2000", b"-SamplingFrequency 1955")
    (folder / "LA1.ncs").write_bytes(content)
    with pytest.warns(UserWarning, match="its header states 1955 Hz, and by the times of its records it is 2000 Hz"):
        assert open_recording(folder).sampling_rate == 2000


def test_a_clock_that_drifts_is_no_pause(write, folder):
    write(0, [(0.0, 0, 5120)])
    content = bytearray((folder / "LA1.ncs").read_bytes())
    records = np.frombuffer(content, RECORD, offset=16384)
    records["time"][:] = BEGIN + np.round(np.arange(10) * 512e6 / RATE * (1 + 2e-4))
    (folder / "LA1.ncs").write_bytes(content)
    recording = open_recording(folder)
    assert (recording.gaps, recording.num_samples) == ([], 5120)


def test_no_scale_no_samples_and_no_time(write, folder):
    write(0, time=""), write(1, scale=""), write(2, runs=())
    recording = open_recording(folder)
    assert recording.channel_names == ["LA1"]
    assert recording.excluded_channels == {"LA2": "no scale in the header", "LA3": "no samples"}
    assert recording.start_date == datetime(2019, 7, 12, 13, 21, 32, tzinfo=UTC)
    assert open_recording(folder / "LA1.ncs").start_date is None


def test_folders_of_recordings(write, folder):
    write(0)
    (folder.parent / "other.edf").touch()
    assert find_recordings(folder.parent) == [folder, folder.parent / "other.edf"]
    assert find_recordings(folder) == [folder]


def test_other_recordings_in_the_folder_are_told(write, folder):
    write(0)
    for name in ("b.edf", "A.vhdr", "._c.edf", "Events.nev", "notes.txt"):
        (folder / name).touch()
    with pytest.warns(UserWarning, match=r"one recording \(\.ncs\), without A\.vhdr, b\.edf; name what is left out"):
        open_recording(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:500], r"LA1\.ncs is no Neuralynx file: its header cannot be read"),
        (lambda content: content[:16384], r"holds no samples"),
        (lambda content: b"%" + content[1:], r"LA1\.ncs is no Neuralynx file"),
        (
            lambda content: content[:16400] + b"\xff\xff" + content[16402:],
            r"LA1\.ncs is damaged: a record of it states",
        ),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_damaged_files(write, folder, change, message, whole):
    write(0, [(0.0, 0, 512), (1.0, 512, 1024)])
    file = folder / "LA1.ncs"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(folder))}.*{message}") as error:
        open_recording(folder if whole else file)
    assert "\n" not in str(error.value)


def test_a_cut_file_is_told(write, folder):
    write(0)
    file = folder / "LA1.ncs"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.warns(UserWarning, match=r"LA1\.ncs: it ends with 1034 bytes that are no whole record") as told:
        assert open_recording(folder).num_samples == 4608
    assert sum("no whole record" in str(each.message) for each in told) == 1


def test_without_neo_the_command_says_what_to_install(write, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "neo.rawio.neuralynxrawio.nlxheader", None)
    write(0)
    with pytest.raises(ImportError, match=re.escape("pip install 'brant_hf[neo]'")):
        open_recording(folder)
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(folder)])
    assert (left.value.code, capsys.readouterr().err.count("\n")) == (2, 1)


@pytest.mark.parametrize("written", [b"-SamplingFrequency 0", b""])
def test_a_header_without_a_rate(write, folder, written):
    write(0)
    file = folder / "LA1.ncs"
    content = file.read_bytes().replace(b"-SamplingFrequency 2000", written)
    header, records = content[: len(content) - 1044 * 10], content[-1044 * 10 :]
    file.write_bytes(header.ljust(16384, b"\0") + records)
    with pytest.warns(
        UserWarning, match=r"header of LA1\.ncs states no sampling rate, and that of its records, 2000 Hz"
    ):
        assert open_recording(folder).sampling_rate == 2000
    numbers = np.frombuffer(records, RECORD).copy()
    numbers["rate"] = 0
    file.write_bytes(header.ljust(16384, b"\0") + numbers.tobytes())
    with pytest.raises(ValueError, match=r"neither the header of LA1\.ncs nor its records state a sampling rate"):
        open_recording(folder)


def test_a_scale_of_0_is_none(write, folder):
    write(0, scale="-ADBitVolts 0.0"), write(1)
    with pytest.warns(UserWarning, match="the header states no scale for LA1, and what their numbers"):
        assert open_recording(folder).excluded_channels == {"LA1": "no scale in the header"}
