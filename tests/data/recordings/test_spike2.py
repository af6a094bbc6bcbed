"""Files of Spike2, written after the documents of the SON library, beside what neo reads in them."""

import pickle
import re
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from neo.rawio import Spike2RawIO

from brant_hf.data import open_recording

RATE, STEP = 2000, 0.25
COUNTS = np.random.default_rng(0).integers(-400, 400, (3, 4000))
INTEGERS, PULSES, MARKER, TEXT, NUMBERS = 1, 3, 5, 8, 9
# Ticks of 5 us.
TICKS = 100
EXTRA = 24
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def channel(kind=INTEGERS, title="LA1", blocks=((0, 0, 1500), (1500, 1500, 4000)), row=0, every=TICKS, unit="uV"):
    """Blocks are `(time in samples, first sample, last sample)`, or events `(time [ticks], key, text)`."""
    return {"kind": kind, "title": title, "blocks": blocks, "row": row, "every": every, "unit": unit}


def pascal(written, size):
    return (bytes([len(written)]) + written.encode()).ljust(size, b"\0")


def items(each):
    """Content of the blocks of a channel: time [ticks], bytes, how many."""
    if each["kind"] in (INTEGERS, NUMBERS):
        samples = COUNTS[each["row"]] if each["kind"] == INTEGERS else COUNTS[each["row"]] * STEP
        for time, first, last in each["blocks"]:
            stored = samples[first:last].astype("<i2" if each["kind"] == INTEGERS else "<f4")
            yield time * each["every"], stored.tobytes(), last - first
    elif each["blocks"]:
        stored = b""
        for time, key, text in each["blocks"]:
            stored += struct.pack("<i", time) + (b"" if each["kind"] == PULSES else key.encode().ljust(4, b"\0"))
            stored += text.ljust(EXTRA, b"\0") if each["kind"] == TEXT else b""
        yield each["blocks"][0][0], stored, len(each["blocks"])


@pytest.fixture
def write(tmp_path):
    def write(*channels, version=6, year=2024, system=0):
        channels = channels or (channel(), channel(title="LA2", row=1), channel(NUMBERS, "LA3", row=2))
        unit = 512 if version == 9 else 1
        base = -(-(512 + 140 * len(channels)) // 512) * 512
        table, body = b"", bytearray(base)
        for number, each in enumerate(channels):
            blocks, places = list(items(each)), []
            for _, stored, _ in blocks:
                places.append(len(body))
                body += bytes(20) + stored
                body += bytes(-len(body) % 512)
            following = [place // unit for place in places[1:]] + [-1] * bool(places)
            for (time, _, count), place, after in zip(blocks, places, following, strict=True):
                end = time + (count - 1) * each["every"]
                struct.pack_into("<4i2H", body, place, -1, after, time, end, number + 1, count)
            extra = EXTRA if each["kind"] == TEXT else 0
            row = struct.pack("<h3i2H", 0, -1, places[0] // unit if places else -1, -1, len(blocks), extra)
            row = row.ljust(102, b"\0") + struct.pack("<ih", each["every"], 0) + pascal(each["title"], 10)
            row += struct.pack("<fBb", 2000.0, each["kind"], 0) + struct.pack("<2f", STEP * 6553.6, 0.5)
            table += row + pascal(each["unit"], 6) + struct.pack("<h", each["every"] // 10)
        head = struct.pack(
            "<h18s3hi5h", version, b"(C) CED 87S2070306", 5, 10, 1, 5120, len(channels), 0, 0, 0, system
        )
        head = head.ljust(44, b"\0") + struct.pack("<d6BH", 1e-6, 12, 30, 15, 10, 29, 2, year)
        (tmp_path / "rec.smr").write_bytes((head.ljust(512, b"\0") + table).ljust(base, b"\0") + body[base:])
        return tmp_path / "rec.smr"

    return write


EXPECTED = np.stack([COUNTS[0] * STEP + 0.5, COUNTS[1] * STEP + 0.5, COUNTS[2] * STEP])


@pytest.mark.parametrize("version", [3, 5, 6, 8, 9])
def test_values_are_those_of_neo_also_in_another_process(write, version):
    path = write(version=version)
    recording = pickle.loads(pickle.dumps(open_recording(path)))
    np.testing.assert_allclose(recording.read(), EXPECTED, atol=1e-4)
    np.testing.assert_allclose(recording.read(0.5, 1.0), EXPECTED[:, 1000:2000], atol=1e-4)
    neo = Spike2RawIO(str(path), try_signal_grouping=False)
    neo.parse_header()
    for number in range(3):
        numbers = neo.get_analogsignal_chunk(stream_index=number)
        expected = neo.rescale_signal_raw_to_float(numbers, np.float64, number)[:, 0]
        np.testing.assert_allclose(recording.read()[number], expected, rtol=1e-5, atol=1e-4)
    assert (recording.channel_names, recording.sampling_rate, recording.gaps) == (["LA1", "LA2", "LA3"], RATE, [])
    assert (recording.units, recording.scales_from) == (["uV"] * 3, ["file"] * 3)
    assert recording.start_date == datetime(2024, 2, 29, 10, 15, 30, 120_000, tzinfo=UTC)


def test_channels_begin_and_pause_by_their_own_clocks(write):
    """One begins after 0.5 s of the file, which is where the recording begins, the other one 0.25 s later."""
    blocks = [(1000, 0, 2000), (5000, 2000, 4000)]
    later = [(1500, 0, 4000)]
    recording = open_recording(write(channel(blocks=blocks), channel(title="LA2", row=1, blocks=later)))
    assert (recording.num_samples, recording.duration) == (6000, 3.0)
    samples = recording.read()
    np.testing.assert_allclose(samples[0, :2000], EXPECTED[0, :2000], atol=1e-4)
    np.testing.assert_allclose(samples[0, 4000:], EXPECTED[0, 2000:], atol=1e-4)
    np.testing.assert_allclose(samples[1, 500:4500], EXPECTED[1], atol=1e-4)
    assert np.isnan(samples[0, 2000:4000]).all()
    assert np.isnan(samples[1, :500]).all()
    assert np.isnan(samples[1, 4500:]).all()
    assert recording.gaps == []
    both = write(channel(blocks=blocks), channel(title="LA2", row=1, blocks=blocks))
    assert open_recording(both).gaps == [(1.0, 2.0)]
    assert open_recording(both).start_date == datetime(2024, 2, 29, 10, 15, 30, 620_000, tzinfo=UTC)


def test_channels_at_different_rates(write):
    others = channel(title="LA2", row=1), channel(title="slow", row=2, every=4 * TICKS, blocks=[(0, 0, 1000)])
    recording = open_recording(write(channel(), *others))
    assert recording.channel_names == ["LA1", "LA2"]
    assert "500" in recording.excluded_channels["slow"]
    slow = open_recording(write(channel(), *others), channels=["slow"])
    assert (slow.sampling_rate, slow.num_samples) == (500, 1000)
    np.testing.assert_allclose(slow.read()[0], COUNTS[2, :1000] * STEP + 0.5, atol=1e-4)


def test_texts_and_keys_are_remarks(write):
    texts = [(210_000, "", b"seizure onset"), (300_000, "", b"fin de crise"), (310_000, "", b"\xfcber")]
    keys = [(220_000, "s", b""), (230_000, "\x01", b"")]
    path = write(
        channel(blocks=[(2000, 0, 4000)]),
        channel(TEXT, "Notes", texts),
        channel(MARKER, "Keyboard", keys),
        channel(PULSES, "Stim", keys),
        channel(title="empty", blocks=[]),
    )
    recording = open_recording(path)
    assert [(round(event.onset, 9), event.text) for event in recording.events] == [
        (0.05, "seizure onset"), (0.1, "Keyboard s"), (0.5, "fin de crise"), (0.55, "über"),
    ]  # fmt: skip
    assert recording.excluded_channels == {"empty": "no samples"}
    assert len(recording.seizures) == 1


def test_units_as_files_write_them_and_no_date(write):
    path = write(channel(unit=" volt"), channel(title="LA2", row=1, unit="mV"), year=0)
    with pytest.warns(UserWarning, match="volt"):
        recording = open_recording(path)
    assert recording.start_date is None
    assert open_recording(path, unit="uV").units == ["volt", "mV"]


def test_what_is_no_whole_recording_says_so_in_a_line(write):
    path = write()
    whole = path.read_bytes()
    first = struct.unpack_from("<i", whole, 512 + 6)[0]
    for content, message in [
        (b"XX" + whole[2:], "its header is not known"),
        (whole[:600], "its header does not end"),
        (whole[:20] + bytes(2) + whole[22:], "states no clock"),
        (whole[: first + 500], r"is truncated: a block of 'LA1' ends behind it"),
        (whole[:-500], r"is truncated: a block of 'LA3' ends behind it"),
        (whole[: first + 4] + struct.pack("<i", 2**30) + whole[first + 8 :], r"a block of 'LA1' is not in it"),
        (whole[: first + 4] + struct.pack("<i", first) + whole[first + 8 :], r"a block of 'LA1' is not in it"),
        (whole[: 512 + 102] + bytes(4) + whole[512 + 106 :], "'LA1' has no sampling rate"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}.*{message}") as error:
            open_recording(path)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"rec\.smr is of a Macintosh, which is not read"):
        open_recording(write(system=0x0101))
    with pytest.raises(ValueError, match=r"rec\.smr holds no samples of a waveform channel"):
        open_recording(write(channel(TEXT, "Notes", [(1, "", b"a")])))
