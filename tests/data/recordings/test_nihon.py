"""Nihon Kohden recordings, written here byte by byte: no library writes them."""

import pickle
import struct
import warnings
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.data.recordings.readers.nihon import nihon_source

VERSION = b"EEG-1100C V01.00"
RATE, STEP = 200, 6399.902 / 65535  # [Hz], [microvolts]
# Codes of inputs: the first ones have scalp names until the .21E file names them otherwise, 42 is DC01.
NAMES = {0: "LNAC1", 1: "LNAC2", 83: "ZA1", 84: "ZA2", 26: "X1", 42: "DC01"}


def write_nihon(
    folder: Path,
    blocks: list[tuple[str, np.ndarray]],
    remarks: list[tuple[bytes, int]] = (),
    names: dict[int, str] = NAMES,
    lists: int = 1,
) -> Path:
    """Write blocks `(yymmddhhmmss, microvolts)` in one or more lists, and remarks `(text, seconds before it)`."""
    head, body = bytearray(0x1800), bytearray()
    head[:0x10] = head[0x81:0x91] = VERSION
    head[0x91] = lists
    head[0x17FE] = 1
    of_list = -(-len(blocks) // lists)
    for number in range(lists):
        head[0x92 + 20 * number : 0x96 + 20 * number] = struct.pack("<I", 0x400 + 0x100 * number)
        head[0x411 + 0x100 * number] = len(blocks[number * of_list : (number + 1) * of_list])
    for number, (date, signal) in enumerate(blocks):
        place = 0x412 + 0x100 * (number // of_list) + 20 * (number % of_list)
        head[place : place + 4] = struct.pack("<I", len(head) + len(body))
        body += (
            bytes(20)
            + bytes.fromhex(date)
            + struct.pack("<HI6xB", RATE | 0xC000, signal.shape[1] * 10 // RATE, len(names))
        )
        body += b"".join(bytes([code]) + bytes(9) for code in names)
        body += frames(signal)
    (folder / "rec.EEG").write_bytes(head + body)
    write_companions(folder, remarks, names)
    return folder / "rec.EEG"


def frames(signal: np.ndarray) -> bytes:
    """Samples of all inputs, and of the one of marks behind them."""
    stored = np.round((signal + 3200) / STEP)
    return np.vstack([stored, np.zeros_like(stored[:1])]).T.astype("<u2").tobytes()


def write_companions(
    folder: Path, remarks: list[tuple], names: dict[int, str], start: bytes = b"200101102030"
) -> None:
    """Write names of inputs, the patient and remarks `(text, seconds[, clock[, further text, fraction]])`."""
    (folder / "rec.PNT").write_bytes((VERSION + bytes(0x30) + b"20" + start).ljust(0x700, b"\0"))
    (folder / "rec.21E").write_text("[ELECTRODE]\n" + "".join(f"{code:04d}={name}\n" for code, name in names.items()))
    log = bytearray(0x400)
    log[:0x10] = VERSION
    log[0x91:0x96] = struct.pack("<BI", 1, 0x400)
    rows, continued = b"", b""
    for text, seconds, *more in remarks:
        clock, further, fraction = [*more, *(b"", b"", b"")[len(more) :]]
        time = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}".encode()
        rows += text.ljust(20, b"\0") + (time + (b"(" + clock + b")" if clock else b"")).ljust(25, b"\0")
        continued += further.ljust(20, b"\0") + (b"0000" + fraction.ljust(6, b"0")).ljust(25, b"\0")
    log += b"\0" + VERSION + struct.pack("<xBx", len(remarks)) + rows
    place = 0x92 + 22 * 20
    log[place : place + 4] = struct.pack("<I", len(log))
    (folder / "rec.LOG").write_bytes(log + b"\0" + VERSION + struct.pack("<xBx", len(remarks)) + continued)


def write_new(
    folder: Path, blocks: list[tuple[str, np.ndarray]], listed=None, stated=None, remarks=(), names=None
) -> Path:
    """Write blocks as EEG-1200 does, `listed` of them in the list, and one of 1 s in the old place."""
    names = {300 + number: f"LA{number}" for number in range(1, 4)} if names is None else names
    head = bytearray(0x3000)
    head[:0x10] = head[0x81:0x91] = b"EEG-1200A V01.00"
    head[0x91:0x96] = struct.pack("<BI", 1, 0x400)
    head[0x411:0x416] = struct.pack("<BI", 1, 0x17FE)
    head[0x17FE:0x17FF] = b"\x01"
    head[0x1818:0x1825] = struct.pack("<HI6xB", RATE | 0xC000, 10, 1)
    head[0x3EE:0x3F2] = struct.pack("<I", 0x2000)
    head[0x2011:0x201A] = struct.pack("<BQ", 1, 0x2200)
    head[0x2211:0x2213] = struct.pack("<H", len(blocks) if listed is None else listed)
    body = b""
    for number, (date, signal) in enumerate(blocks):
        place = 0x2214 + 24 * number
        head[place : place + 8] = struct.pack("<Q", len(head) + len(body))
        start = b"\x01TIME".ljust(18, b"0") + b"\2\2" + b"20" + date.encode() + b"000000"
        tenths = signal.shape[1] * 10 // RATE if stated is None else stated
        body += start + struct.pack("<IQ16xI", RATE, tenths, len(names))
        body += b"".join(struct.pack("<H8x", code) for code in names) + frames(signal)
    (folder / "rec.EEG").write_bytes(head + body)
    write_companions(folder, list(remarks), names)
    return folder / "rec.EEG"


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 50, (len(NAMES), 4000))


def test_contacts_are_told_by_their_names(tmp_path, signal):
    recording = open_recording(write_nihon(tmp_path, [("200101102030", signal)]))
    assert recording.channel_names == ["LNAC1", "LNAC2", "ZA1", "ZA2"]
    assert set(recording.excluded_channels) == {"X1", "DC01"}
    np.testing.assert_allclose(recording.read(), signal[:4], atol=STEP)


def test_a_unit_and_a_scale_are_those_of_the_numbers_in_the_file(tmp_path, signal):
    """MNE-Python gives volts of them."""
    path = write_nihon(tmp_path, [("200101102030", signal)])
    recording = open_recording(path)
    assert (recording.scales, recording.scales_from) == ([1.0] * 4, ["file"] * 4)
    millivolts = open_recording(path, unit="mV")
    np.testing.assert_allclose(millivolts.read(), 1000 * recording.read(), rtol=1e-6)
    assert millivolts.scales == [1000.0] * 4


def test_values_names_and_times_are_those_of_mne(tmp_path, signal):
    remarks = [(b"a text that goes on ", 2, b"", b"behind its end", b"25"), (b"mark", 7)]
    path = write_nihon(tmp_path, [("200101102030", signal)], remarks)
    source, raw = nihon_source(path), mne.io.read_raw_nihon(path, verbose="error")
    assert source.channel_names == raw.ch_names
    volts = np.where(np.array(source.unit) == "mV", 1e-3, 1e-6)[:, None]
    np.testing.assert_allclose(
        source.read(range(6), 100, 3000) * volts, raw.get_data(start=100, stop=3000), atol=1e-12
    )
    assert source.start_date == raw.info["meas_date"]
    assert [row.onset for row in source.events] == raw.annotations.onset.tolist() == [2.25, 7.0]
    assert source.events[0].text == "a text that goes on behind its end"


def test_blocks_in_several_lists(tmp_path, signal):
    blocks = [("200101102030", signal[:, :2000]), ("200101102040", signal[:, 2000:])]
    recording = open_recording(write_nihon(tmp_path, blocks, lists=2))
    assert recording.gaps == []
    np.testing.assert_allclose(recording.read(), signal[:4], atol=STEP)


def test_an_eeg_1200_is_not_the_block_that_it_leaves_in_the_old_place(tmp_path, signal):
    path = write_new(tmp_path, [("200101102030", signal[:3])])
    assert mne.io.read_raw_nihon(path, verbose="error").times[-1] < 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*(typed EEG|does not tell its subject)")
        recording = open_recording(path)
    assert (recording.channel_names, recording.sampling_rate) == (["LA1", "LA2", "LA3"], RATE)
    assert recording.start_date == datetime(2020, 1, 1, 10, 20, 30, tzinfo=UTC)
    np.testing.assert_allclose(recording.read(), signal[:3], atol=STEP)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(3, 4), recording.read(3, 4))


@pytest.mark.parametrize("listed", [2, 1])
def test_a_pause_of_an_eeg_1200_is_a_gap_also_where_one_block_is_listed(tmp_path, signal, listed):
    blocks = [("200101102030", signal[:3, :2000]), ("200101102043", signal[:3, 2000:])]
    recording = open_recording(write_new(tmp_path, blocks, listed))
    assert recording.gaps == [(10.0, 13.0)]
    np.testing.assert_allclose(recording.read(9, 10), signal[:3, 1800:2000], atol=STEP)
    np.testing.assert_allclose(recording.read(13, 23), signal[:3, 2000:], atol=STEP)


@pytest.mark.parametrize("stated", [0, 150, 300])
def test_an_eeg_1200_with_another_length_than_it_states_is_told(tmp_path, signal, stated):
    path = write_new(tmp_path, [("200101102030", signal[:3])], stated=stated)
    with pytest.warns(UserWarning, match=rf"should have {stated / 10:.1f} s, and holds 20\.0 s"):
        recording = open_recording(path)
    np.testing.assert_allclose(recording.read(), signal[:3], atol=STEP)


@pytest.mark.parametrize("write", [write_nihon, write_new])
@pytest.mark.parametrize(
    ("seconds", "clock", "onset"),
    [
        # 4 s after a pause of 30 s that came 10 s after the beginning.
        (14, b"200101102114", 44.0),  # the time from the beginning counts what was recorded
        (44, b"200101102114", 44.0),  # it counts the pause
        (3, b"200101102114", 44.0),  # it counts something else
        (14, b"", 44.0),
        (14, b"209901102114", 44.0),
    ],
)
def test_remarks_after_a_pause(tmp_path, signal, write, seconds, clock, onset):
    signal = np.tile(signal[:3], 3)
    blocks = [("200101102030", signal[:, :2000]), ("200101102110", signal[:, 2000:])]
    names = {0: "LA1", 1: "LA2", 2: "LA3"}
    recording = open_recording(write(tmp_path, blocks, remarks=[(b"seizure onset", seconds, clock)], names=names))
    assert recording.gaps == [(10.0, 40.0)]
    assert [row.onset for row in recording.events] == [onset]


def test_what_lies_beside_it(tmp_path, signal):
    path = write_nihon(tmp_path, [("200101102030", signal)], [(b"one", 1), (b"two", 2)])
    patient = bytearray((tmp_path / "rec.PNT").read_bytes())
    patient[0x604:0x608], patient[0x62E:0x634] = b"0042", b"A Name"
    (tmp_path / "rec.PNT").write_bytes(patient)
    recording = open_recording(path)
    assert (recording.subject, recording.subject_from) == ("0042", "header")
    log = (tmp_path / "rec.LOG").read_bytes()
    (tmp_path / "rec.LOG").unlink()
    (tmp_path / "rec.log").write_bytes(log.replace(b"000001", b"0?0001"))
    with pytest.warns(UserWarning, match="1 remarks without a time are passed over, such as 'one'"):
        assert [row.text for row in open_recording(path).events] == ["two"]
    for suffix in (".PNT", ".21E", ".log"):
        (tmp_path / f"rec{suffix}").unlink()
    with pytest.warns(UserWarning, match="remarks are not known, since there is no file .LOG") as warned:
        recording = open_recording(path, channel_types={"FP1": "seeg", "FP2": "seeg"})
    assert any("rec.21E is not beside it" in str(warning.message) for warning in warned)
    assert recording.channel_names[:2] == ["FP1", "FP2"]


def test_comments_whose_text_is_elsewhere_are_told(tmp_path, signal):
    path = write_nihon(tmp_path, [("200101102030", signal)], [(b"P_COMMENT", 1), (b"P_COMMENT", 2), (b"two", 2)])
    with pytest.warns(UserWarning, match=r"the text of 2 of its remarks is in the file \.CMT, which is not read"):
        open_recording(path)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "cp932"])
def test_remarks_of_any_windows(tmp_path, signal, encoding):
    remarks = [("癫痫" if encoding == "gbk" else "てんかん").encode(encoding), b"seizure onset", b"seizure offset"]
    path = write_nihon(tmp_path, [("200101102030", signal)], list(zip(remarks, (2, 5, 9), strict=True)))
    recording = open_recording(path)
    assert [row.text.encode(encoding) for row in recording.events] == remarks
    assert recording.seizures == [(5.0, 9.0, None)]


def test_a_pause_is_a_gap(tmp_path, signal):
    # 10 s, then 3 s of pause; remarks count what was recorded.
    blocks = [("200101102030", signal[:, :2000]), ("200101102043", signal[:, 2000:])]
    recording = open_recording(write_nihon(tmp_path, blocks, [(b"seizure onset", 5), (b"seizure offset", 14)]))
    assert recording.gaps == [(10.0, 13.0)]
    assert recording.seizures == [(5.0, 17.0, None)]
    read = recording.read(9, 14)
    assert np.isnan(read[:, 200:800]).all()
    np.testing.assert_allclose(read[:, :200], signal[:4, 1800:2000], atol=STEP)
    np.testing.assert_allclose(read[:, 800:], signal[:4, 2000:2200], atol=STEP)


def test_blocks_within_a_second_follow_each_other(tmp_path, signal):
    # The date of a block has whole seconds, so 9.5 s of samples before a block dated 9 s later are no overlap.
    blocks = [("200101102030", signal[:, :1900]), ("200101102039", signal[:, 1900:])]
    recording = open_recording(write_nihon(tmp_path, blocks))
    assert recording.gaps == []
    np.testing.assert_allclose(recording.read(), signal[:4], atol=STEP)


@pytest.mark.parametrize("codes", [(7, 7), (1, 60000), ()])
def test_blocks_of_an_unknown_form_are_no_signal(tmp_path, signal, codes):
    path = write_new(tmp_path, [("200101102030", signal[: len(codes)])], names={1: "A", 2: "B"})
    content = bytearray(path.read_bytes())
    content[0x3000 + 68 : 0x3000 + 70] = struct.pack("<H", len(codes))
    for number, code in enumerate(codes):
        content[0x3000 + 72 + 10 * number : 0x3000 + 74 + 10 * number] = struct.pack("<H", code)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"rec\.EEG: its blocks have a form that is not known; export it as EDF\+"):
        open_recording(path)


def test_a_cut_file_is_refused(tmp_path, signal):
    path = write_nihon(tmp_path, [("200101102030", signal)])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        open_recording(path)


def test_samples_of_brainvision_are_no_such_file(tmp_path):
    (tmp_path / "rec.eeg").write_bytes(bytes(100))
    (tmp_path / "rec.vhdr").touch()
    with pytest.raises(ValueError, match=r"give rec\.vhdr"):
        open_recording(tmp_path / "rec.eeg")
