"""Nihon Kohden recordings, written here byte by byte: no library writes them."""

import struct
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data import open_recording

VERSION = b"EEG-1100C V01.00"
RATE, STEP = 200, 6399.902 / 65535  # [Hz], [microvolts]
# Codes of inputs: the first ones have scalp names until the .21E file names them otherwise, 42 is DC01.
NAMES = {0: "LNAC1", 1: "LNAC2", 83: "ZA1", 84: "ZA2", 26: "X1", 42: "DC01"}


def write_nihon(
    folder: Path,
    blocks: list[tuple[str, np.ndarray]],
    remarks: list[tuple[bytes, int]] = (),
    names: dict[int, str] = NAMES,
) -> Path:
    """Write blocks `(yymmddhhmmss, microvolts)` and remarks `(text, seconds recorded before it)`."""
    head, body = bytearray(0x1800), bytearray()
    head[:0x10] = head[0x81:0x91] = VERSION
    head[0x91:0x96] = struct.pack("<BI", 1, 0x400)
    head[0x411] = len(blocks)
    head[0x17FE] = 1
    for number, (date, signal) in enumerate(blocks):
        head[0x412 + 20 * number : 0x416 + 20 * number] = struct.pack("<I", len(head) + len(body))
        body += (
            bytes(20)
            + bytes.fromhex(date)
            + struct.pack("<HI6xB", RATE | 0xC000, signal.shape[1] * 10 // RATE, len(names))
        )
        body += b"".join(bytes([code]) + bytes(9) for code in names)
        stored = np.round((signal + 3200) / STEP)
        body += np.vstack([stored, np.zeros_like(stored[:1])]).T.astype("<u2").tobytes()
    (folder / "rec.EEG").write_bytes(head + body)
    (folder / "rec.PNT").write_bytes((VERSION + bytes(0x30) + b"20200101102030").ljust(0x200, b"\0"))
    (folder / "rec.21E").write_text("[ELECTRODE]\n" + "".join(f"{code:04d}={name}\n" for code, name in names.items()))
    log = bytearray(0x400)
    log[:0x10] = VERSION
    log[0x91:0x96] = struct.pack("<BI", 1, 0x400)
    log += b"\0" + VERSION + struct.pack("<xBx", len(remarks))
    for text, seconds in remarks:
        log += text.ljust(
            20, b"\0"
        ) + f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}".encode().ljust(25, b"\0")
    (folder / "rec.LOG").write_bytes(log)
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
