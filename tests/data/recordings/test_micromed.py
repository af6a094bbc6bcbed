"""Files of Micromed, written after the layout of header type 4, beside what neo reads in them."""

import pickle
import re
import struct
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from neo.rawio import MicromedRawIO

from brant_hf.cli import main
from brant_hf.data import open_recording

RATE = 256
NUMBERS = np.random.default_rng(0).integers(32768 - 2000, 32768 + 2000, (5, 2560), np.uint16)
# Label, reference, unit, lowest and highest number, its ground, and what the two ends are in the unit.
CHANNELS = [
    ("A'1", "G2", 0, 0, 65535, 32768, -3200, 3200),
    ("A'2", "G2", 0, 0, 65535, 32768, -3200, 3200),
    ("B1", "B2", 1, 0, 65535, 32768, -3, 3),
    ("ECG1+", "ECG1-", 0, 0, 65535, 32768, -3200, 3200),
    ("SpO2+", "SpO2-", 100, 0, 65535, 0, 0, 100),
]
STEP = 6400 / 65536
AREAS = [
    "ORDER",
    "LABCOD",
    "NOTE",
    "FLAGS",
    "TRONCA",
    "IMPED_B",
    "IMPED_E",
    "MONTAGE",
    "COMPRESS",
    "AVERAGE",
    "HISTORY",
]
AREAS += ["DVIDEO", "EVENT A", "EVENT B", "TRIGGER"]
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    """Write a file: notes and triggers at samples of the file, parts `(sample of the clock, sample of the file)`."""

    def write(notes=(), triggers=(), parts=(), channels=CHANNELS, events=(), name="rec.TRC", year=123, **header):
        count = len(channels)
        areas = dict.fromkeys(AREAS, b"")
        # Inputs are stored in another order than that of the table.
        places = list(range(count))[::-1]
        areas["ORDER"] = struct.pack(f"<{count}H", *places)
        table = [bytes(128)] * count
        for place, (label, ground, unit, *bounds) in zip(places, channels, strict=True):
            first = struct.pack("<BB6s6s5ih", 1, 0, label.encode("cp1252"), ground.encode(), *bounds, unit)
            table[place] = (first + struct.pack("<4HH", 0, 0, 0, 0, header.get("coefficient", 1))).ljust(128, b"\0")
        areas["LABCOD"] = b"".join(table)
        areas["NOTE"] = b"".join(struct.pack("<I40s", at, text.encode("cp1252")) for at, text in notes).ljust(
            440, b"\0"
        )
        areas["TRONCA"] = b"".join(struct.pack("<II", *part) for part in parts).ljust(80, b"\0")
        areas["TRIGGER"] = b"".join(struct.pack("<IH", *each) for each in triggers).ljust(60, b"\xff")
        areas["EVENT A"] = struct.pack("<64s", b"Seizures") + struct.pack("<200I", *events, *[0] * (200 - len(events)))
        body, directory, position = b"", b"", 640
        for area, content in areas.items():
            directory += struct.pack("<8sII", area.ljust(8).encode(), position + len(body), len(content))
            body += content
        start = b"* MICROMED  Brain-Quick file *".ljust(64) + b"DOE".ljust(22) + b"JANE".ljust(20) + bytes(22)
        start += struct.pack("<6B4x", 28, 2, year, 10, 30, 15)
        start += struct.pack("<IHHHHH", position + len(body), count, 2 * count, RATE, 2, header.get("compressed", 0))
        start = start.ljust(175, b"\0") + bytes([header.get("kind", 4)]) + directory
        samples = NUMBERS[:count].T.astype("<u2").tobytes()
        (tmp_path / name).write_bytes(start.ljust(640, b"\0") + body + samples)
        return tmp_path / name

    return write


def test_samples_names_units_and_start_are_those_written(write):
    path = write()
    recording = open_recording(path)
    assert recording.channel_names == ["A'1", "A'2", "B1-B2"]
    assert recording.excluded_channels == {
        "ECG1+": "ECG (by its name)",
        "SpO2+": "its unit is '%', which is no voltage",
    }
    assert (recording.sampling_rate, recording.num_samples, recording.gaps) == (RATE, 2560, [])
    assert (recording.subject, recording.start_date) == ("DOE JANE", datetime(2023, 2, 28, 10, 30, 15, tzinfo=UTC))
    expected = (NUMBERS[:3].astype(float) - 32768) * [[STEP], [STEP], [6000 / 65536]]
    np.testing.assert_allclose(recording.read(), expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(recording.read(2, 3), recording.read()[:, 2 * RATE : 3 * RATE])


def test_values_are_those_of_neo_also_in_another_process(write):
    path = write(coefficient=2)
    neo = MicromedRawIO(str(path))
    neo.parse_header()
    numbers = neo.get_analogsignal_chunk(0, 0, 100, 900, 0)
    expected = neo.rescale_signal_raw_to_float(numbers, np.float64, 0)[:, :2].T
    recording = pickle.loads(pickle.dumps(open_recording(path)))
    assert recording.sampling_rate == 2 * RATE
    np.testing.assert_allclose(recording.read_samples(100, 900)[:2], expected, rtol=1e-6)


def test_notes_are_seizures_and_triggers_are_events(write):
    notes = [(512, "début de crise"), (1024, "fin de crise"), (1500, "yeux fermés")]
    recording = open_recording(write(notes, triggers=[(256, 7)]))
    assert [(event.onset, event.text) for event in recording.events] == [
        (1.0, "trigger 7"), (2.0, "début de crise"), (4.0, "fin de crise"), (1500 / RATE, "yeux fermés"),
    ]  # fmt: skip
    assert recording.seizures == [(2.0, 4.0, None)]


@pytest.mark.parametrize("first", [0, 1])
def test_parts_lie_at_their_times_with_their_notes(write, first):
    path = write([(1280 + 128, "EEG sz start"), (1280 + 640, "EEG sz end")], parts=[(512, first), (2048, 1280)])
    recording = open_recording(path)
    assert recording.gaps == [((1280 - first) / RATE, 6.0)]
    assert recording.start_date == datetime(2023, 2, 28, 10, 30, 17, tzinfo=UTC)
    assert recording.seizures == [(6.5, 8.5, None)]
    samples = recording.read()
    assert np.isnan(samples[0]).sum() == 256 + first
    expected = (NUMBERS[0, first:].astype(float) - 32768) * STEP
    np.testing.assert_allclose(samples[0][np.isfinite(samples[0])], expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(recording.read_samples(1000, 2000), samples[:, 1000:2000])


def test_a_year_that_neo_does_not_know(write):
    assert open_recording(write(year=130)).start_date == datetime(2030, 2, 28, 10, 30, 15, tzinfo=UTC)


def test_areas_of_events_are_told(write):
    with pytest.warns(UserWarning, match=r"rec\.TRC: stretches in its area EVENT A are not read"):
        open_recording(write(events=(0, 256, 512)))


def test_a_unit_of_volts(write):
    loud = [(label, "G2", 2, 0, 65535, 32768, -1, 1) for label in ("A1", "A2")]
    recording = open_recording(write(channels=loud), unit={"*": "uV"})
    assert recording.units == ["V", "V"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:900], r"rec\.TRC ends before any sample \(900 bytes\)"),
        (lambda content: content[:100], r"rec\.TRC is no Micromed recording of header type 4"),
        (lambda content: b"LeCroy oscilloscope" * 100, r"rec\.TRC is no Micromed recording of header type 4"),
        (lambda content: content.replace(b"NOTE    ", b"NOTIZ   "), r"rec\.TRC cannot be read as a \.TRC recording: "),
        (
            lambda content: content.replace(b"A'1", b"\xc31\0"),
            r"rec\.TRC cannot be read as a \.TRC recording: .*EDF\+",
        ),
    ],
)
def test_damaged_files(write, change, message):
    path = write()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"^/.*{message}") as error:
        open_recording(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("header", "message"), [({"kind": 3}, "header type 4"), ({"compressed": 1}, "is compressed")])
def test_other_kinds_of_files(write, header, message):
    with pytest.raises(ValueError, match=message):
        open_recording(write(**header))


def test_a_cut_file_is_told(write):
    path = write()
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.warns(UserWarning, match=r"rec\.TRC: it ends with 4 bytes that are no whole sample of 5 channels"):
        assert open_recording(path).num_samples == 2559


def test_without_neo_the_command_says_what_to_install(write, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "neo.rawio", None)
    path = write()
    with pytest.raises(ImportError, match=re.escape("pip install 'brant_hf[neo]'")):
        open_recording(path)
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(path)])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_range_of_0_silences_no_channel(write):
    path = write(channels=[("A'1", "G2", 0, 0, 65535, 32768, 0, 0), *CHANNELS[1:]])
    with pytest.warns(UserWarning, match="no units conversion factor is entered for A'1"):
        recording = open_recording(path)
    assert recording.channel_names == ["A'1", "A'2", "B1-B2"]
    read = recording.read()
    np.testing.assert_allclose(read[0] - read[0, 0], NUMBERS[0].astype(float) - NUMBERS[0, 0], atol=0.01)
    np.testing.assert_allclose(read[1], (NUMBERS[1].astype(float) - 32768) * STEP, rtol=1e-5)


def test_a_note_behind_the_last_sample_is_told(write):
    path = write(notes=[(256, "seizure onset"), (512, "seizure end"), (2560, "awake"), (25600, "Début de crise")])
    with pytest.warns(UserWarning, match=r"of its 2 seizures, that at 100\.00 s lies outside the recording"):
        recording = open_recording(path)
    assert recording.seizures == [(1.0, 2.0, None)]
    assert [event.onset for event in recording.events] == [1.0, 2.0, 10.0, 100.0]
