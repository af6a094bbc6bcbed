"""EDF and BDF as the world writes them: bytes by the specification (edfplus.info), values by pyedflib and MNE."""

import pickle
import tracemalloc
from datetime import UTC, date, datetime, time
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from brant_hf.data import find_recordings, open_recording
from brant_hf.data.recordings.readers.edf import edf_source
from brant_hf.detection import write_annotations

pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")

RATE, SECONDS = 100, 20
# Fields of the header before those of the signals, with their widths.
FIXED = {"version": 8, "patient": 80, "recording": 80, "date": 8, "time": 8, "length": 8, "kind": 44, "records": 8,
         "record_s": 8, "count": 4}  # fmt: skip
PER_SIGNAL = {"label": 16, "transducer": 80, "unit": 8, "pmin": 8, "pmax": 8, "dmin": 8, "dmax": 8, "filter": 80,
              "samples": 8, "reserved": 32}  # fmt: skip


def time_of(record_start, *remarks) -> bytes:
    """Annotations of a record: when it begins, and `(onset, duration or None, text)`."""
    lists = [f"{record_start:+.10g}\x14\x14\0".encode()]
    for onset, duration, text in remarks:
        head = f"{onset:+g}" + ("" if duration is None else f"\x15{duration:g}")
        lists.append(head.encode() + b"\x14" + (text if isinstance(text, bytes) else text.encode()) + b"\x14\0")
    return b"".join(lists)


def noise(seed=0, rate=RATE, seconds=SECONDS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 500, rate * seconds).round().astype(int)


def signal(label="LA1", seed=0, rate=RATE, **fields) -> dict:
    """One of 50 microvolts, with a digital unit of 0.1."""
    limits = {"pmin": "-3276.8", "pmax": "3276.7", "dmin": "-32768", "dmax": "32767"}
    return {"label": label, "unit": "uV", **limits, "digital": noise(seed, rate), "samples": rate, **fields}


@pytest.fixture
def write(tmp_path):
    """Writes a file by its bytes: signals as of `signal`, the annotations of each record, fields of the header."""

    def write(signals=None, tals=(), name="rec.edf", bytes_each=2, annotations="EDF Annotations", **fields) -> Path:
        signals = [signal("LA1"), signal("LA2", 1)] if signals is None else signals
        lists = [tals] if tals and isinstance(tals[0], bytes) else list(tals)
        records = len(lists[0]) if lists else SECONDS
        blocks = []
        for of_records in lists:
            size = -(-max(map(len, of_records)) // bytes_each)
            limits = {"pmin": "-1", "pmax": "1", "dmin": "-32768", "dmax": "32767"}
            blocks.append({"label": annotations, **limits, "samples": size, "tals": of_records})
        every = [*signals, *blocks]
        stated = {"version": "0", "patient": "X X X X", "recording": "Startdate X X X X", "date": "01.01.85",
                  "time": "00.00.00", "length": 256 * (len(every) + 1), "kind": "EDF+C" if lists else "",
                  "records": records, "record_s": 1, "count": len(every), **fields}  # fmt: skip
        content = b"".join(padded(stated[field], width) for field, width in FIXED.items())
        for field, width in PER_SIGNAL.items():
            content += b"".join(padded(each.get(field, ""), width) for each in every)
        for record in range(records):
            for each in every:
                count = each["samples"]
                if "tals" in each:
                    content += each["tals"][record].ljust(count * bytes_each, b"\0")
                else:
                    values = each["digital"][record * count : (record + 1) * count].astype("<i4")
                    content += values.view(np.uint8).reshape(-1, 4)[:, :bytes_each].tobytes()
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def padded(value, width: int) -> bytes:
    stored = value if isinstance(value, bytes) else str(value).encode("latin-1")
    assert len(stored) <= width
    return stored.ljust(width)


def microvolts(*seeds: int) -> np.ndarray:
    return np.array([noise(seed) for seed in seeds]) / 10


def steady(*remarks, gap=0.0, after=10) -> list[bytes]:
    """Annotations of records of 1 s; `gap` seconds are missing before the record `after`. Remarks in the first."""
    starts = [record + (gap if record >= after else 0.0) for record in range(SECONDS)]
    return [time_of(start, *(remarks if record == 0 else ())) for record, start in enumerate(starts)]


@pytest.mark.parametrize(("name", "bytes_each", "version"), [("r.edf", 2, "0"), ("r.bdf", 3, b"\xffBIOSEMI")])
def test_values_as_pyedflib_and_mne_read_them(write, name, bytes_each, version):
    pyedflib = pytest.importorskip("pyedflib")
    limits = {"dmin": "-8388608", "dmax": "8388607", "pmin": "-262144", "pmax": "262143"} if bytes_each == 3 else {}
    path = write([signal("LA1", **limits), signal("LA2", 1, **limits)], name=name, bytes_each=bytes_each,
                 version=version)  # fmt: skip
    recording = open_recording(path)
    with pyedflib.EdfReader(str(path)) as reader:
        expected = np.array([reader.readSignal(0), reader.readSignal(1)])
    np.testing.assert_allclose(recording.read(), expected, rtol=1e-6, atol=1e-4)
    raw = mne.io.read_raw(path, verbose="error").get_data() * 1e6
    np.testing.assert_allclose(recording.read(3.21, 7.04), raw[:, 321:704], rtol=1e-6, atol=1e-4)


def test_inverted_limits_invert_the_signal(write):
    path = write([signal("LA1", pmin="3276.7", pmax="-3276.8")])
    # A digital d is 3276.7 - 0.1 (d + 32768) microvolts.
    np.testing.assert_allclose(open_recording(path).read(), -0.1 - microvolts(0), atol=1e-4)


@pytest.mark.parametrize("rate", [100, 30_000])
@pytest.mark.parametrize("bytes_each", [2, 3])
def test_any_stretch_of_any_channels_is_that_of_the_whole(write, rate, bytes_each):
    """Records below and above the size from which single signals are looked for."""
    digital = np.random.default_rng(0).integers(-30_000, 30_000, (3, 5 * rate))
    signals = [signal(f"LA{i}", rate=rate, digital=row) for i, row in enumerate(digital)]
    tals = [time_of(record) for record in range(5)]
    path = write(signals, tals, "r.bdf" if bytes_each == 3 else "r.edf", bytes_each, kind="BDF+C" * (bytes_each == 3))
    read = edf_source(path).read
    for channels, start, stop in (([0], 7, 8), ([2], 3, rate), ([0, 2], rate - 1, 2 * rate + 1), ([1], 0, 5 * rate),
                                  ([0, 1, 2], 5, 4 * rate + 3), ([0, 1], rate, 2 * rate)):  # fmt: skip
        np.testing.assert_allclose(read(channels, start, stop), digital[channels, start:stop] / 10, atol=1e-6)


def test_memory_is_that_of_what_is_asked_even_in_one_long_record(write):
    digital = np.zeros(4_000_000, int)
    path = write([signal("LA1", digital=digital, samples=digital.size), signal("LA2", digital=digital,
                 samples=digital.size)], records=1, record_s=40_000)  # fmt: skip
    source = edf_source(path)
    tracemalloc.start()
    source.read([0, 1], 1_000_000, 1_001_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_a_copy_in_another_process_reads_the_same(write):
    source = edf_source(write(tals=steady(gap=2)))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source.read))([0], 0, 2000), source.read([0], 0, 2000))
    assert len(pickle.dumps(source.read)) < 5_000


@pytest.mark.parametrize(
    ("field", "value"),
    [("record_s", "1,0"), ("record_s", b"1\0\0"), ("records", "20.0"), ("length", "0"), ("length", "oops"),
     ("date", "2020-1-1"), ("date", "31.02.20"), ("time", "25.61.00"), ("patient", b"\xc4rztin \xff"),
     ("version", "1.0")],
)  # fmt: skip
def test_odd_fields_do_not_change_the_samples(write, field, value):
    recording = open_recording(write(**{field: value}))
    np.testing.assert_allclose(recording.read(), microvolts(0, 1), atol=1e-4)
    assert recording.sampling_rate == RATE


def test_numbers_with_a_decimal_comma(write):
    path = write([signal("LA1", pmin="-3276,8", pmax="3276,7", dmin="-32768,0")])
    np.testing.assert_allclose(open_recording(path).read(), microvolts(0), atol=1e-4)


@pytest.mark.parametrize("stored", [b"LA\xb51", "LAµ1".encode(), b"LA\xb51\0\0junk"])
def test_labels_in_any_encoding(write, stored):
    source = edf_source(write([signal(stored, unit=stored[2:4].replace(b"1", b"") + b"V\0")]))
    assert source.channel_names == ["LAµ1"]
    assert source.unit == ["µV"]


def test_a_header_longer_than_it_should_be(write):
    path = write()
    content = path.read_bytes()
    longer = content[:184] + b"1024    " + content[192:768] + b" " * 256 + content[768:]
    path.write_bytes(longer)
    np.testing.assert_allclose(open_recording(path).read(), microvolts(0, 1), atol=1e-4)


def test_24_bits_are_known_by_the_content_not_by_the_suffix(write):
    path = write(name="rec.edf", bytes_each=3, version=b"\xffBIOSEMI", kind="24BIT")
    np.testing.assert_allclose(open_recording(path).read(), microvolts(0, 1), atol=1e-4)
    path = write(name="rec.bdf")
    np.testing.assert_allclose(open_recording(path).read(), microvolts(0, 1), atol=1e-4)


def test_more_records_than_announced_are_read_with_a_word(write):
    path = write()
    content = path.read_bytes()
    for announced in (b"15", b"-1", b"many"):
        path.write_bytes(content[:236] + announced.ljust(8) + content[244:])
        with pytest.warns(UserWarning, match="the 20 complete records"):
            assert open_recording(path).duration == SECONDS


@pytest.mark.parametrize("cut", [0, 100, 300, 768])
def test_a_file_cut_before_its_samples(write, cut):
    path = write()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"rec.edf is (truncated|not an EDF file|empty)"):
        open_recording(path)


def test_a_truncated_file_is_refused_and_the_remedy_works(write):
    path = write()
    content = bytearray(path.read_bytes()[: 768 + 9 * 400 + 33])
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"truncated: its header announces 20 records, it holds 9.*repairs EDF headers"
    ):
        open_recording(path)
    content[236:244] = b"-1      "
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="the 9 complete records"):
        recording = open_recording(path)
    np.testing.assert_allclose(recording.read(), microvolts(0, 1)[:, :900], atol=1e-4)


def test_a_file_cut_after_opening_is_told_when_it_is_read(write):
    path = write()
    recording = open_recording(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match=r"rec.*the file ends"):
        recording.read()


@pytest.mark.parametrize(
    "limits",
    [{"dmin": "0", "dmax": "0"}, {"pmin": "0", "pmax": "0"}, {"pmin": "", "pmax": "?"}, {"dmin": "nan"},
     {"pmax": "inf"}],
)  # fmt: skip
def test_a_channel_without_a_scale_is_left_out_with_the_reason(write, limits):
    recording = open_recording(write([signal("LA1"), signal("LA2", 1, **limits), signal("LA3", 2)]))
    assert recording.channel_names == ["LA1", "LA3"]
    assert "no scale: its header states digital" in recording.excluded_channels["LA2"]
    np.testing.assert_allclose(recording.read(), microvolts(0, 2), atol=1e-4)


def test_a_channel_without_a_scale_takes_no_other_of_its_name_along(write):
    signals = [signal("-", pmin="0", pmax="0"), signal("-", 1, pmin="0", pmax="0"), signal("LA1", 2),
               signal("LA1", 3, dmax="-32768"), signal("LA2", 4, samples=0)]  # fmt: skip
    with pytest.warns(UserWarning, match="more than once"):
        recording = open_recording(write(signals))
    assert recording.channel_names == ["LA1"]
    assert recording.excluded_channels["LA2"] == "no samples in the file"
    np.testing.assert_allclose(recording.read(), microvolts(2), atol=1e-4)


def test_channels_at_their_own_rates(write):
    signals = [signal("LA1"), signal("DC1", 1, rate=30), signal("LA2", 2), signal("MICRO1", 3, rate=400)]
    source = edf_source(write(signals, steady(gap=2.5)))
    assert (source.rates, source.sampling_rate, source.num_samples) == ([100, 30, 100, 400], 400, 9_000)
    for channel, (seed, rate) in enumerate([(0, 100), (1, 30), (2, 100), (3, 400)]):
        values, gap = source.read([channel], 0, round(22.5 * rate))[0], slice(10 * rate, round(12.5 * rate))
        assert np.isnan(values[gap]).all()
        np.testing.assert_allclose(np.delete(values, np.r_[gap]), noise(seed, rate) / 10, atol=1e-6)
    with pytest.raises(ValueError, match="cannot be read together"):
        source.read([0, 1], 0, 10)


@pytest.mark.parametrize(("kind", "bytes_each"), [("EDF+D", 2), ("BDF+D", 3), ("EDF+C", 2), ("", 2)])
def test_records_that_do_not_follow_each_other(write, kind, bytes_each):
    remark = (14.5, 2.0, "Seizure")
    label = "BDF Annotations" if bytes_each == 3 else "EDF Annotations"
    name = "rec.bdf" if bytes_each == 3 else "rec.edf"
    path = write(None, steady(remark, gap=3.25), name, bytes_each, label, kind=kind)
    recording = open_recording(path)
    assert recording.duration == 23.25
    assert recording.gaps == [(10.0, 13.25)]
    assert recording.seizures == [(14.5, 16.5, None)]
    values = recording.read()
    assert np.isnan(values[:, 1000:1325]).all()
    np.testing.assert_allclose(np.delete(values, np.s_[1000:1325], axis=1), microvolts(0, 1), atol=1e-4)


def test_more_missing_than_recorded_time_is_told(write):
    with pytest.warns(
        UserWarning, match=r"rec: 20\.0 s are recorded, in 2 pieces, with 40\.0 s between.*clock.*export"
    ):
        recording = open_recording(write(tals=steady(gap=40), kind="EDF+D"))
    assert (recording.duration, recording.recorded_duration, recording.gaps) == (60, 20, [(10, 50)])


def test_records_that_are_weeks_apart_are_refused(write):
    with pytest.raises(ValueError, match=r"rec\.edf: part 11 .* begins 23\.1 days after.*export"):
        open_recording(write(tals=steady(gap=2_000_000), kind="EDF+D"))


@pytest.mark.filterwarnings("error")
def test_a_discontinuous_file_without_a_gap_is_as_any_other(write):
    source = edf_source(write(tals=steady(), kind="EDF+D"))
    assert (source.num_samples, source.gaps) == (2000, [])


def test_times_of_records_that_cannot_be_known(write):
    nothing = [b"\0" * 8] * SECONDS
    assert edf_source(write(tals=nothing)).num_samples == 2000
    with pytest.warns(UserWarning, match=r"EDF\+D.*do not say when they begin"):
        assert edf_source(write(tals=nothing, kind="EDF+D")).gaps == []
    for wrong in ([time_of(0)] * SECONDS, [time_of(2 * record) for record in range(SECONDS)]):
        with pytest.warns(UserWarning, match="continuous, but the times of its records contradict that"):
            assert edf_source(write(tals=wrong)).num_samples == 2000
    holes = [b"" if record in (0, 3, 12) else block for record, block in enumerate(steady(gap=2))]
    assert edf_source(write(tals=holes)).gaps == [(10.0, 12.0)]
    with pytest.warns(UserWarning, match="3 of its records do not say"):
        assert edf_source(write(tals=holes, kind="EDF+D")).gaps == [(10.0, 12.0)]


def test_a_record_without_a_length_has_the_one_between_their_times(write):
    tals = [time_of(0.5 * record) for record in range(SECONDS)]
    assert edf_source(write(tals=tals, record_s=0)).sampling_rate == 200
    path = write(record_s=0)
    with pytest.raises(ValueError, match="pass sampling_rate="):
        open_recording(path)
    assert open_recording(path, 100).duration == SECONDS
    with pytest.raises(ValueError, match="states no length of a record"):
        open_recording(write([signal("LA1"), signal("LA2", rate=50)], record_s="?"))


def test_remarks(write):
    remarks = [(5.25, 1.5, "first\nline\r\n\tsecond"), (3, None, "mark"), (7, 2, "Seizure@@LA1"),
               (7, 2, "Seizure@@LA2"), (8, None, "user@@host"), (9, 0.5, "\N{GREEK SMALL LETTER MU} ok")]  # fmt: skip
    events = edf_source(write(tals=steady(*remarks))).events
    assert [(event.onset, event.duration, event.text, event.channels) for event in events] == [
        (3.0, 0.0, "mark", None),
        (5.25, 1.5, "first\nline\r\n\tsecond", None),
        (7.0, 2.0, "Seizure", ["LA1", "LA2"]),
        (8.0, 0.0, "user@@host", None),
        (9.0, 0.5, "\N{GREEK SMALL LETTER MU} ok", None),
    ]


@pytest.mark.parametrize(
    "stored",
    [
        b"+0\x14\x14\0+5\x151\x14one\x14two\x14\0",
        b"+0\x14\x14one\x14\0\0+5\x151\x14two\x14\0",
        b"+0\x14\x14\0+5,0\x14one\0",
        b"+0.\x14\x14\0 5.0\x14one\x14\0",
        b"+5\x14one\x14\0+0\x14\x14\0",
    ],
)
def test_lists_with_several_texts_or_written_loosely(write, stored):
    source = edf_source(write(tals=[stored, *steady()[1:]]))
    assert [event.text for event in source.events] == ["one", "two"][: len(source.events)]
    assert source.num_samples == 2000


@pytest.mark.parametrize(
    ("stored", "events"),
    [
        # As Nihon Kohden exports it: 1.14 s is what the .LOG of the recording says too.
        (b"+1.000000\x14\x14+1.140000\x14A1+A2 OFF\x14\0", [(1.14, "A1+A2 OFF")]),
        (b"+1\x14\x14+1.250000\x14one\x14+1.500000\x14two\x14\0", [(1.25, "one"), (1.5, "two")]),
        # Times that are no time within the record, or before no text, are remarks themselves.
        (b"+1\x14\x14+9.000000\x14one\x14\0", [(1.0, "+9.000000"), (1.0, "one")]),
        (b"+1\x14\x14one\x14+1.250000\x14\0", [(1.0, "one"), (1.0, "+1.250000")]),
    ],
)
def test_times_of_remarks_that_stand_as_texts_before_them(write, stored, events):
    tals = steady()
    source = edf_source(write(tals=[tals[0], stored, *tals[2:]]))
    assert [(event.onset, event.text) for event in source.events] == events
    assert source.num_samples == 2000


def test_what_is_no_annotation_is_told(write):
    tals = [time_of(0) + b"garbage\0+x\x14a\x14\0", *steady()[1:]]
    with pytest.warns(UserWarning, match=r"2 annotations cannot be read.*garbage"):
        assert edf_source(write(tals=tals)).num_samples == 2000


def test_several_annotation_signals(write):
    second = [b""] * 4 + [b"+4.5\x153\x14Seizure\x14\0"] + [b""] * 15
    source = edf_source(write(tals=[steady(gap=1), second], annotations="EDF ANNOTATIONS"))
    assert source.channel_names == ["LA1", "LA2"]
    assert source.gaps == [(10.0, 11.0)]
    assert [(event.onset, event.text) for event in source.events] == [(4.5, "Seizure")]


def test_remarks_outside_the_recording_are_told(write):
    remarks = (100, 2, "Seizure"), (19, 9, "Seizure")
    with pytest.warns(UserWarning, match="outside"):
        recording = open_recording(write(tals=steady(*remarks)))
    assert recording.seizures == [(19.0, 20.0, None)]
    assert [event.onset for event in recording.events] == [19.0, 100.0]


@pytest.mark.parametrize(
    ("name", "annotations"),
    [("data.bdf", "evt.bdf"), ("rec.edf", "rec_annotations.edf"), ("rec.bdf", "rec-events.bdf")],
)
def test_annotations_alone_beside_the_recording_are_read(tmp_path, sines, name, annotations):
    kind = edfio.Edf if name.endswith("edf") else edfio.Bdf
    signal = edfio.BdfSignal if kind is edfio.Bdf else edfio.EdfSignal
    began = {"recording": edfio.Recording(startdate=date(2020, 2, 29))}
    rows = enumerate(sines(2, 20, 200.0))
    channels = [signal(row, 200, label=f"A{place}", physical_dimension="uV") for place, row in rows]
    kind(channels, starttime=time(10, 0, 0), **began).write(tmp_path / name)
    # The annotations begin 2 s before the recording.
    remarks = [edfio.EdfAnnotation(7, 4, "seizure")]
    kind([], starttime=time(9, 59, 58), annotations=remarks, **began).write(tmp_path / annotations)
    recording = open_recording(tmp_path / name)
    assert (recording.seizures, recording.seizures_from) == ([(5.0, 9.0, None)], annotations)
    assert find_recordings(tmp_path) == [tmp_path / name]


def test_detected_annotations_beside_the_recording_are_no_labels(write_edf, tmp_path):
    path, _ = write_edf(["A1", "A2"])
    write_annotations(tmp_path / "rec_annotations.edf", [(5.0, 9.0)])
    recording = open_recording(path)
    assert (recording.seizures, recording.seizures_from) == ([], "")


def test_annotations_alone_are_refused_and_may_be_seizures_of_a_recording(write):
    tals = [time_of(0, (3.0, 2.0, "Seizure"))]
    alone = write([], tals, name="hypnogram.edf", date="02.03.20", time="00.00.10", record_s=0)
    with pytest.raises(ValueError, match=r"hypnogram.edf holds annotations only.*seizures="):
        open_recording(alone)
    whole = write(date="02.03.20", time="00.00.00", name="night.edf")
    assert open_recording(whole, seizures=alone).seizures == [(13.0, 15.0, None)]
    undated = write(name="undated.edf", date="")
    assert open_recording(undated, seizures=alone).seizures == [(3.0, 5.0, None)]


@pytest.mark.parametrize(
    ("patient", "kind", "subject"),
    [
        ("MCH-0234567 F 02-MAY-1951 Haagse_Harry", "EDF+C", "MCH-0234567"),
        ("MCH-0234567 F 02-MAY-1951 Haagse_Harry", "", "MCH-0234567"),
        ("EMU_07 X X X", "", "EMU_07"),
        ("P7 M", "EDF+C", "P7"),
        ("X X X X", "", None),
        ("X F 02-MAY-1951 X", "EDF+C", None),
        ("Pt 12", "", "Pt 12"),
        ("Pt 12", "EDF+C", "Pt 12"),
        ("ID 7", "", "ID 7"),
        ("Female 32 years", "", "Female 32 years"),
        ("Doe M 1980 Boston", "", "Doe M 1980 Boston"),
        ("anonymous", "", None),
        ("-1 X 30-DEC-1899 test", "EDF+C", None),
        ("No_Name", "", None),
        ("de-identified", "", None),
        ("", "", None),
    ],
)
def test_subjects(write, patient, kind, subject):
    assert edf_source(write(patient=patient, kind=kind)).subject == subject


def test_a_remark_names_a_channel_without_what_stands_around_its_name(write):
    path = write([signal("POL LA1"), signal("POL LA2", 1)], steady((3, 2, "Seizure@@LA1")))
    assert open_recording(path).seizures == [(3.0, 5.0, ["POL LA1"])]


@pytest.mark.parametrize("patient", ["Pt 12", "P7 M 01-JAN-1980 X", "X X X X"])
def test_path_and_object_agree(write, patient):
    path = write(None, steady((3.0, 2.0, "Seizure"), (8, 1, "Seizure@@LA1")), patient=patient,
                 recording="Startdate 02-MAR-2020 X X X", date="02.03.20", time="01.02.03")  # fmt: skip
    by_path, as_object = open_recording(path), open_recording(mne.io.read_raw(path, verbose="error"))
    for name in ("subject", "subject_from", "channel_names", "seizures", "events", "start_date", "num_samples"):
        assert getattr(by_path, name) == getattr(as_object, name), name
    np.testing.assert_allclose(by_path.read(), as_object.read(), rtol=1e-6, atol=1e-4)


def test_a_channel_without_a_scale_is_left_out_of_an_object_too(write):
    raw = mne.io.read_raw(write([signal("LA1"), signal("LA2", 1, pmin="0", pmax="0")]), verbose="error")
    recording = open_recording(raw)
    assert recording.channel_names == ["LA1"]
    assert "no scale" in recording.excluded_channels["LA2"]


def test_an_object_of_a_discontinuous_file_is_told(write):
    raw = mne.io.read_raw(write(tals=steady(gap=2), kind="EDF+D"), verbose="error")
    with pytest.warns(UserWarning, match="pass the path instead of the object"):
        open_recording(raw)


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"date": "02.03.20", "time": "01.02.03"}, datetime(2020, 3, 2, 1, 2, 3)),
        ({"date": "02.03.85", "time": "01:02:03"}, datetime(1985, 3, 2, 1, 2, 3)),
        ({"date": "02.03.84", "time": "01.02.03"}, datetime(2084, 3, 2, 1, 2, 3)),
        (
            {"date": "01.01.85", "time": "01.02.03", "recording": "Startdate 02-mar-2020 X X X"},
            datetime(2020, 3, 2, 1, 2, 3),
        ),
        ({"date": "01.01.85", "time": "01.02.03"}, None),
        ({"date": "02-03-20", "time": "01.02.03"}, None),
        ({"date": "02/03/20", "time": "01.02.03"}, None),
        ({"date": "20.13.02", "time": "01.02.03"}, None),
        ({"date": "02.03.20", "time": "1h"}, None),
    ],
)
def test_start_dates(write, fields, start):
    assert edf_source(write(**fields)).start_date == (start and start.replace(tzinfo=UTC))


def test_the_first_record_may_begin_within_a_second(write):
    tals = [time_of(record + 0.75, *([(5.75, 2, "Seizure")] if record == 0 else [])) for record in range(SECONDS)]
    source = edf_source(write(tals=tals, date="02.03.20", time="01.02.03"))
    assert source.start_date == datetime(2020, 3, 2, 1, 2, 3, 750_000, tzinfo=UTC)
    assert [event.onset for event in source.events] == [5.0]


@pytest.mark.parametrize("unit", ["uV", "mV", "V", "nV"])
def test_microvolts_whatever_unit_they_are_stored_in(tmp_path, sines, unit):
    values = sines(2, 10, 200.0)
    per_microvolt = {"V": 1e-6, "mV": 1e-3, "uV": 1, "nV": 1e3}[unit]
    limits = {"physical_dimension": unit, "physical_range": (-25 * per_microvolt, 25 * per_microvolt)}
    signals = [edfio.EdfSignal(row * per_microvolt, 200, label=f"A{i}", **limits) for i, row in enumerate(values)]
    edfio.Edf(signals).write(tmp_path / "rec.edf")
    # 16 bits over 50 microvolts.
    np.testing.assert_allclose(open_recording(tmp_path / "rec.edf").read(), values, atol=1e-3)


def test_bdf_of_edfio(tmp_path, sines):
    values = sines(2, 10, 200.0)
    signals = [
        edfio.BdfSignal(row, 200, label=f"A{i}", physical_dimension="uV", physical_range=(-50, 50))
        for i, row in enumerate(values)
    ]
    edfio.Bdf(signals, annotations=[edfio.EdfAnnotation(2, 3, "seizure")]).write(tmp_path / "rec.bdf")
    recording = open_recording(tmp_path / "rec.bdf")
    np.testing.assert_allclose(recording.read(), values, atol=1e-4)
    assert recording.seizures == [(2.0, 5.0, None)]


def test_agreement_with_mne_on_kept_channels(write_edf):
    path, values = write_edf(["LA1", "LA2", "LA3", "EKG1", "DC1"])
    recording = open_recording(path)
    assert recording.channel_names == ["LA1", "LA2", "LA3"]
    assert recording.excluded_channels == {"EKG1": "ECG (by its name)", "DC1": "direct current input (by its name)"}
    assert (recording.sampling_rate, recording.duration, recording.num_samples) == (200.0, 20.0, 4000)
    raw = mne.io.read_raw_edf(path, verbose="error")
    expected = raw.get_data(picks=["LA1", "LA2", "LA3"], start=1000, stop=1700, units="uV")
    np.testing.assert_allclose(recording.read(5.0, 8.5), expected, rtol=1e-6)
    np.testing.assert_allclose(recording.read(5.0, 8.5), values[:3, 1000:1700], atol=0.1)


def test_names_that_occur_twice(write_edf, capfd):
    path, values = write_edf(["A1", "B1", "A1"])
    with pytest.warns(UserWarning, match="more than once"):
        recording = open_recording(path)
    assert recording.channel_names == ["A1-0", "B1", "A1-1"]
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(recording.read(), values, atol=0.1)


@pytest.mark.filterwarnings("ignore:.*no offset")
def test_remarks_become_seizures(write_edf):
    path, _ = write_edf(
        ["LA1", "LA2"],
        annotations=[
            (2.0, None, "Marker: sz on"),
            (6.5, None, "Marker: sz off"),
            (9, 3.0, "Seizure"),
            (13, 1, "spike"),
        ],
    )
    assert open_recording(path).seizures == [(2.0, 6.5, None), (9.0, 12.0, None)]
    assert open_recording(path, seizures=[(1, 2)]).seizures == [(1.0, 2.0, None)]
    assert open_recording(path, seizures=[]).seizures == []
    assert open_recording(path, event_types={"spike": "seizure", "seizure": "ignore"}).seizures[1:] == [
        (13.0, 14.0, None)
    ]


def test_memory_does_not_grow_with_the_recording(write_edf):
    peaks = []
    for factor in (1, 10):
        path, _ = write_edf([f"A{i}" for i in range(1, 9)], name=f"x{factor}.edf", duration_s=60 * factor)
        recording = open_recording(path)
        recording.read(0, 1)
        tracemalloc.start()
        for start in range(0, 60 * factor, 10):
            recording.read(start, start + 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("other", ["DC1", "A3"])
def test_channels_at_another_rate_do_not_change_the_others(tmp_path, sines, other):
    slow, fast = sines(2, 20, 200.0), sines(1, 20, 1000.0)
    signals = [
        edfio.EdfSignal(values, rate, label=label, physical_dimension="uV", physical_range=(-100, 100))
        for label, values, rate in (("A1", slow[0], 200), (other, fast[0], 1000), ("A2", slow[1], 200))
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(2, 3, "seizure")]).write(tmp_path / "rec.edf")
    recording = open_recording(tmp_path / "rec.edf")
    assert (recording.channel_names, recording.sampling_rate) == (["A1", "A2"], 200.0)
    assert list(recording.excluded_channels) == [other]
    assert recording.seizures == [(2.0, 5.0, None)]
    pieces = [recording.read(start, start + 2.5) for start in np.arange(0, 20, 2.5)]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), slow, atol=0.01)
