"""Recordings of Intan, written after the document of the format, beside what neo reads in them."""

import pickle
import re
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from neo.rawio import IntanRawIO

from brant_hf.data import find_recordings, inspect_recording, open_recording

RATE, STEP, NAMES, NATIVE = 2000.0, 0.195, ("LA1", "LA2", "LA3"), ("A-000", "A-001", "B-002")
COUNTS = np.random.default_rng(0).integers(-400, 400, (3, 3840))
AMPLIFIER, AUXILIARY, SUPPLY, ANALOG, DIGITAL = range(5)
OTHERS = {AUXILIARY: ["A-AUX1", "A-AUX2"], SUPPLY: ["A-VDD1"], ANALOG: ["ANALOG-IN-1"], DIGITAL: ["DIN-1", "DIN-2"]}
EXCLUDED = {
    "A-AUX1": "auxiliary input, no electrode",
    "A-AUX2": "auxiliary input, no electrode",
    "A-VDD1": "supply voltage, no electrode",
    "ANALOG-IN-1": "analog input, no electrode",
    "DIN-1": "digital input, no electrode",
    "DIN-2": "digital input, no electrode",
}
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def text(written):
    return struct.pack("<I", 0xFFFFFFFF) if written is None else struct.pack("<I", 2 * len(written)) + utf16(written)


def utf16(written):
    return written.encode("utf-16-le")


def header(version=(3, 1), rate=RATE, names=NAMES, others=OTHERS, thermometers=0):
    content = struct.pack("<I2hfh6fh2f", 0xC6912702, *version, rate, 1, 1, 0.1, 750, 1, 0.1, 750, 2, 1000, 1000)
    content += text("") + text(None) + text("a note")
    content += struct.pack("<h", thermometers) if version >= (1, 1) else b""
    content += struct.pack("<h", 0) if version >= (1, 3) else b""
    content += text("n/a") if version >= (2, 0) else b""
    channels = [(native, name, AMPLIFIER, 1) for native, name in zip(NATIVE, names, strict=True)]
    channels += [("A-003", "not recorded", AMPLIFIER, 0)]
    channels += [(name, name, kind, 1) for kind, found in others.items() for name in found]
    content += struct.pack("<h", 2) + text("Port A") + text("A") + struct.pack("<3h", 1, len(channels), 4)
    for order, (native, name, kind, is_recorded) in enumerate(channels):
        content += text(native) + text(name) + struct.pack("<10h2f", order, order, kind, is_recorded, *range(6), 1, 2)
    return content + text("Port B") + text("B") + struct.pack("<3h", 0, 0, 0)


@pytest.fixture
def write(tmp_path):
    """Write all behind the header; `numbers` are those of the samples."""

    def write(name="rec_240229_101500.rhd", numbers=None, version=(3, 1), others=OTHERS, thermometers=0, **options):
        block = 60 if version < (2, 0) else 128
        numbers = np.arange(COUNTS.shape[1]) if numbers is None else np.asarray(numbers)
        content = header(version, others=others, thermometers=thermometers, **options)
        for start in range(0, COUNTS.shape[1], block):
            content += numbers[start : start + block].astype("<i8").astype("<i4").tobytes()
            content += (COUNTS[:, start : start + block] + 32768).astype("<u2").tobytes()
            rest = len(others.get(AUXILIARY, ())) * block // 4 + len(others.get(SUPPLY, ())) + thermometers
            rest += (len(others.get(ANALOG, ())) + (DIGITAL in others)) * block
            content += np.full(rest, 7777, "<u2").tobytes()
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.fixture
def folder(tmp_path):
    """Write files beside the header: one of all channels, or one of each."""

    def folder(each=False, numbers=None, behind=None):
        path = tmp_path / "rec_240229_101500"
        path.mkdir(exist_ok=True)
        (path / "info.rhd").write_bytes(header())
        numbers = np.arange(COUNTS.shape[1]) if numbers is None else np.asarray(numbers)
        numbers.astype("<i8").astype("<i4").tofile(path / "time.dat")
        if each:
            for native, counts in zip(NATIVE, COUNTS, strict=True):
                counts.astype("<i2").tofile(path / f"amp-{native}.dat")
        else:
            stored = COUNTS if behind is None else np.concatenate([COUNTS, behind])
            stored.T.astype("<i2").tofile(path / "amplifier.dat")
        return path

    return folder


def check(recording):
    assert (recording.channel_names, recording.sampling_rate) == (list(NAMES), RATE)
    assert recording.excluded_channels == EXCLUDED
    assert (recording.units, recording.scales_from) == (["uV"] * 3, ["file"] * 3)
    assert recording.start_date == datetime(2024, 2, 29, 10, 15, tzinfo=UTC)
    np.testing.assert_allclose(recording.read(), COUNTS * STEP, atol=1e-4)
    np.testing.assert_allclose(recording.read(0.25, 0.5), COUNTS[:, 500:1000] * STEP, atol=1e-4)


def test_samples_behind_the_header_also_in_another_process(write):
    recording = pickle.loads(pickle.dumps(open_recording(write())))
    check(recording)
    assert recording.name == "rec_240229_101500"
    chosen = open_recording(write(), channels=["LA3", "LA1"])
    np.testing.assert_allclose(chosen.read(), COUNTS[[0, 2]] * STEP, atol=1e-4)


@pytest.mark.parametrize("version", [(1, 0), (1, 2), (1, 3), (2, 0), (3, 3)])
@pytest.mark.parametrize("others", [{}, OTHERS])
def test_values_are_those_of_neo_in_each_version(write, version, others):
    path = write(version=version, others=others)
    neo = IntanRawIO(str(path))
    neo.parse_header()
    expected = neo.rescale_signal_raw_to_float(neo.get_analogsignal_chunk(stream_index=0), np.float64, 0).T
    recording = open_recording(path)
    assert neo.header["signal_channels"]["name"][:3].tolist() == recording.channel_names
    np.testing.assert_allclose(recording.read(), expected, atol=1e-4)
    assert set(recording.excluded_channels) == {name for found in others.values() for name in found}


def test_thermometers_are_left_out(write):
    recording = open_recording(write(thermometers=2))
    np.testing.assert_allclose(recording.read(), COUNTS * STEP, atol=1e-4)
    told = {f"temperature {number}": "temperature, no electrode" for number in (1, 2)}
    assert recording.excluded_channels == EXCLUDED | told


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("name", ["", "info.rhd"])
def test_files_beside_the_header_are_one_recording(folder, each, name):
    path = folder(each)
    recording = open_recording(path / name)
    check(recording)
    assert recording.name == "rec_240229_101500"
    assert inspect_recording(path / name)["format"] == ".rhd"
    assert find_recordings(path.parent) == find_recordings(str(path)) == find_recordings(f"{path.parent}/*") == [path]
    assert find_recordings(f"{path.parent}/**/*.rhd") == [path / "info.rhd"]


def test_auxiliary_inputs_behind_the_amplifiers_in_one_file(folder):
    check(open_recording(folder(behind=np.full((2, COUNTS.shape[1]), 99))))


def test_channels_have_the_samples_of_the_file_with_their_name(folder):
    path = folder(each=True)
    (path / "amp-A-000.dat").unlink()
    with pytest.warns(UserWarning, match=r"1 channel of 3 that the header names has no file \(amp-A-000\.dat\)"):
        recording = open_recording(path)
    assert recording.channel_names == ["LA2", "LA3"]
    assert recording.excluded_channels == {"LA1": "without a file", **EXCLUDED}
    np.testing.assert_allclose(recording.read(), COUNTS[1:] * STEP, atol=1e-4)


def test_pauses_are_missing_samples(write, folder):
    late = np.arange(COUNTS.shape[1]) + np.repeat([-500, 700], [1280, 2560])
    for path in (write(numbers=late), folder(numbers=late), folder(numbers=late, each=True)):
        recording = open_recording(path)
        assert (recording.gaps, recording.num_samples) == ([(0.64, 1.24)], 5040)
        samples = recording.read()
        assert np.isnan(samples[:, 1280:2480]).all()
        np.testing.assert_allclose(np.delete(samples, slice(1280, 2480), 1), COUNTS * STEP, atol=1e-4)
        np.testing.assert_allclose(recording.read(1.24, 1.5), COUNTS[:, 1280:1800] * STEP, atol=1e-4)


def test_numbers_of_samples_begin_anew_after_32_bits(write):
    numbers = np.arange(COUNTS.shape[1]) + 2**31 - 1000
    recording = open_recording(write(numbers=numbers))
    assert (recording.gaps, recording.num_samples) == ([], COUNTS.shape[1])
    recording = open_recording(write(numbers=numbers + np.repeat([0, 3000], [2560, 1280])))
    assert recording.gaps == [(1.28, 2.78)]


def test_a_clock_that_was_set_back(write, folder):
    back = np.arange(COUNTS.shape[1]) - np.repeat([0, 2000], [2560, 1280])
    for path in (write(numbers=back), folder(numbers=back)):
        with pytest.raises(ValueError, match=r"its clock was set back"):
            open_recording(path)


def test_notes_of_the_folder_are_remarks_at_their_sample(folder):
    """Numbers count what was recorded, after the trigger; a pause of 0.6 s lies between the two."""
    path = folder(numbers=np.arange(COUNTS.shape[1]) + np.repeat([-500, 700], [1280, 2560]))
    (path / "notes_240229_101500.txt").write_bytes(
        b"100, 00:00:00, seizure onset\r\nno note\r\n1500, 00:00:01, end of seizure, \xfcber\r\n"
    )
    recording = open_recording(path)
    assert [(event.onset, event.text) for event in recording.events] == [
        (0.3, "seizure onset"), (1.6, "end of seizure, über"),
    ]  # fmt: skip
    (path / "notes_240301_101500.txt").touch()
    with pytest.warns(UserWarning, match=r"notes_240229_101500\.txt, notes_240301_101500\.txt beside it are not read"):
        assert open_recording(path).events == []


def test_notes_beside_several_files_are_told(write):
    (write().parent / "notes.txt").write_text("1000, 00:00:00, seizure onset\n")
    assert [event.onset for event in open_recording(write()).events] == [0.5]
    with pytest.warns(UserWarning, match=r"notes\.txt beside it is not read, as nothing tells which part"):
        assert open_recording(write(numbers=np.arange(COUNTS.shape[1]) + 3840)).events == []
    write("rec_240229_101600.rhd")
    with pytest.warns(UserWarning, match=r"notes\.txt beside it is not read, as nothing tells which part"):
        assert open_recording(write()).events == []


def test_names_without_a_date_and_channels_nobody_named(write):
    recording = open_recording(write("rec_241399_101500.rhd", names=("", None, "LA3")))
    assert recording.start_date is None
    assert recording.channel_names == ["A-000", "A-001", "LA3"]


def test_what_was_cut_is_told(write, folder):
    path = write()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=r"rec_240229_101500\.rhd: it ends with \d+ bytes that are no block of 128"):
        assert open_recording(path).num_samples == COUNTS.shape[1] - 128
    path = folder(each=True)
    (path / "amp-A-001.dat").write_bytes((path / "amp-A-001.dat").read_bytes()[:4001])
    with pytest.warns(UserWarning, match=r"amp-A-001\.dat holds 2000 samples and others up to 3840"):
        recording = open_recording(path)
    np.testing.assert_allclose(recording.read(), COUNTS[:, :2000] * STEP, atol=1e-4)
    (path / "amp-A-001.dat").write_bytes(b"")
    with pytest.raises(ValueError, match=r"amp-A-001\.dat holds no samples; copy or export it again"):
        open_recording(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:100], "its header does not end"),
        (lambda content: b"\xac\x27\x91\xd6" + content[4:], "no recording of Intan RHD: it begins with 0xd69127ac"),
        (lambda content: content[: len(header()) + 50], "ends before any sample"),
        (lambda content: content[: len(header())], r"neither amplifier\.dat nor amp-A-000\.dat, amp-A-001\.dat"),
        (lambda content: content[:8] + bytes(4) + content[12:], "sampling rate of 0 Hz"),
    ],
)
def test_what_is_no_whole_recording_says_so_in_a_line(write, change, message):
    path = write()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises((ValueError, OSError), match=rf"^{re.escape(str(path))}.*{message}") as error:
        open_recording(path)
    assert "\n" not in str(error.value)


def test_files_that_are_not_there(folder):
    whole = folder()
    (whole / "time.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"time\.dat is not there, which tells when each sample was taken"):
        open_recording(whole)
    (whole / "amplifier.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"info\.rhd is a header, and neither amplifier\.dat nor"):
        open_recording(whole)


def test_another_recording_in_the_folder_is_told(folder):
    path = folder()
    (path / "other.edf").write_bytes(b"1")
    with pytest.warns(UserWarning, match=r"read as one recording \(\.rhd\), without other\.edf"):
        open_recording(path)
