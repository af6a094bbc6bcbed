"""BrainVision as recorders and exports write it; the "BrainVision Core Data Format" 1.0 says what is right."""

import pickle
import warnings

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

RATE = 200
SIGNAL = np.random.default_rng(0).normal(0, 50, (3, 4000)).round(1)
CHANNELS = ("LA1,,0.1,µV", "LA2,,0.1,µV", "LA3,,0.1,µV")
START = "New Segment,,1,1,0,20200101100000000000"
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    def write(
        channels=CHANNELS, markers=(START,), keep=None, encoding="utf-8", name="rec.vhdr", signal=SIGNAL, **keys
    ):
        common = {
            "DataFile": "rec.eeg",
            "MarkerFile": "rec.vmrk",
            "DataFormat": "BINARY",
            "DataOrientation": "MULTIPLEXED",
            "NumberOfChannels": len(channels),
            "SamplingInterval": 1_000_000 // RATE,
        }
        binary = {"BinaryFormat": "INT_16"}
        for key, value in keys.items():
            (binary if key in ("BinaryFormat", "UseBigEndianOrder", "DataOffset", "TrailerSize") else common)[key] = (
                value
            )
        lines = ["Brain Vision Data Exchange Header File Version 1.0", "; a comment", "", "[Common Infos]"]
        lines += [f"{key}={value}" for key, value in common.items() if value is not None]
        lines += ["", "[Binary Infos]", *(f"{key}={value}" for key, value in binary.items()), "", "[Channel Infos]"]
        lines += [f"Ch{number}={channel}" for number, channel in enumerate(channels, 1)]
        lines += ["", "[Comment]", "Impedance [kOhm] at 10:00:00 :", "[Channel Infos]"]
        (tmp_path / name).write_bytes("\r\n".join(lines).encode(encoding))
        marks = ["Brain Vision Data Exchange Marker File, Version 1.0", "", "[Marker Infos]"]
        marks += [f"Mk{number}={marker}" for number, marker in enumerate(markers, 1)]
        (tmp_path / "rec.vmrk").write_bytes("\r\n".join(marks).encode(encoding))
        kind = {"INT_16": "i2", "UINT_16": "u2", "INT_32": "i4", "IEEE_FLOAT_32": "f4"}[binary["BinaryFormat"]]
        order = ">" if binary.get("UseBigEndianOrder") == "YES" else "<"
        ordered = signal if common["DataOrientation"] == "VECTORIZED" else signal.T
        content = b"\0" * int(binary.get("DataOffset", 0)) + (ordered * 10).round().astype(order + kind).tobytes()
        (tmp_path / "rec.eeg").write_bytes(content if keep is None else (content * 2)[: int(len(content) * keep)])
        return tmp_path / name

    return write


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize("kind", ["INT_16", "INT_32", "IEEE_FLOAT_32"])
def test_values_are_those_of_mne(write, orientation, kind):
    path = write(DataOrientation=orientation, BinaryFormat=kind, DataPoints=4000)
    recording = open_recording(path)
    assert (recording.sampling_rate, recording.num_samples, recording.channel_names) == (
        200,
        4000,
        ["LA1", "LA2", "LA3"],
    )
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)
    raw = mne.io.read_raw_brainvision(path, verbose="error")
    np.testing.assert_allclose(recording.read(2, 3.5), raw.get_data(start=400, stop=700) * 1e6, rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3.5), SIGNAL[:, 400:700].astype("f4"))
    assert recording.start_date == raw.info["meas_date"]


@pytest.mark.parametrize(
    "keys",
    [
        {"BinaryFormat": "UINT_16"},
        {"UseBigEndianOrder": "YES"},
        {"BinaryFormat": "INT_32", "UseBigEndianOrder": "YES", "DataOrientation": "VECTORIZED"},
        {"DataOffset": 64},
        {"SamplingInterval": "5000,0", "DataPoints": 0},
        {"DataFile": "$b.eeg", "MarkerFile": "$b.vmrk"},
        {"DataFile": r"C:\data\REC.EEG"},
    ],
)
def test_headers_that_mean_the_same(write, keys):
    signal = abs(SIGNAL)
    recording = open_recording(write(signal=signal, **keys))
    assert recording.sampling_rate == 200
    np.testing.assert_allclose(recording.read(), signal, atol=1e-4)


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize("keep", [0.5, 0.5001, 0])
def test_a_file_that_was_cut_is_refused(write, orientation, keep):
    with pytest.raises(ValueError, match=r"rec\.eeg (holds 2000 samples .*4000|ends before any sample)"):
        open_recording(write(DataOrientation=orientation, DataPoints=4000, keep=keep))


def test_the_remedy_for_a_file_that_was_cut_works(write):
    with pytest.raises(ValueError, match="write DataPoints=2000 into the header"):
        open_recording(write(DataPoints=4000, keep=0.5))
    np.testing.assert_allclose(open_recording(write(DataPoints=2000, keep=0.5)).read(), SIGNAL[:, :2000], atol=1e-4)


@pytest.mark.parametrize(("keep", "stated"), [(1.5, 4000), (0.5, 4001), (0.5001, None)])
def test_whole_channels_are_never_guessed_from_another_length(write, keep, stated):
    with pytest.raises(ValueError, match=r"rec\.eeg holds"):
        open_recording(write(DataOrientation="VECTORIZED", DataPoints=stated, keep=keep))


@pytest.mark.parametrize(("keep", "stated", "held"), [(1.5, 4000, 6000), (0.5001, None, 2000)])
def test_more_than_the_header_says_is_told(write, keep, stated, held):
    with pytest.warns(UserWarning, match=rf"rec\.eeg holds {held} samples"):
        assert open_recording(write(DataPoints=stated, keep=keep)).num_samples == held


def test_names_that_occur_twice_stay_with_their_samples(write):
    with pytest.warns(UserWarning, match="more than once"):
        recording = open_recording(write(["LA1,,0.1,µV", "LB1,,0.1,µV", "LA1,,0.1,µV"]))
    assert recording.channel_names == ["LA1-0", "LB1", "LA1-1"]
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("unit", "microvolts"),
    [("µV", 1), ("\N{GREEK SMALL LETTER MU}V", 1), ("uV", 1), ("", 1), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3)],
)
def test_each_channel_in_its_own_unit(write, unit, microvolts, encoding):
    if unit.startswith("\N{GREEK SMALL LETTER MU}") and encoding == "cp1252":
        pytest.skip("Windows-1252 has no Greek letters")
    step = 0.1 / microvolts
    recording = open_recording(write(["LA1,,0.1,µV", f"LA2,,{step!r},{unit}", "LA3,,0.1,µV"], encoding=encoding))
    assert recording.channel_names == ["LA1", "LA2", "LA3"]
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)


def test_fields_that_are_empty_or_missing_have_the_meaning_of_the_standard(write):
    recording = open_recording(write([r"LA1\1left,,,µV", "LA2,,", "LA3"]))
    assert recording.channel_names == ["LA1,left", "LA2", "LA3"]
    np.testing.assert_allclose(recording.read(), SIGNAL * 10, atol=1e-3)


@pytest.mark.parametrize(
    ("channels", "keys", "message"),
    [
        (("LA1,,0.1,µV",), {"NumberOfChannels": 3}, r"NumberOfChannels is 3, but \[Channel Infos\] describes 1"),
        (("LA1,,x,µV",), {}, "resolution of channel 1 .LA1. is 'x'"),
        (CHANNELS, {"SamplingInterval": 0}, "SamplingInterval is '0'"),
        (CHANNELS, {"DataOrientation": "DIAGONAL"}, "DIAGONAL INT_16 are not read"),
        (CHANNELS, {"TrailerSize": 8}, "trailersize=8 are not read"),
        (CHANNELS, {"DataType": "FREQUENCYDOMAIN"}, "FREQUENCYDOMAIN"),
        (CHANNELS, {"Averaged": "YES"}, "averages of segments"),
        (CHANNELS, {"DataFile": "other.bin"}, r"names the file 'other\.bin', which is not beside it"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(write, channels, keys, message):
    with pytest.raises((ValueError, FileNotFoundError), match=rf"rec\.vhdr.*{message}") as error:
        open_recording(write(channels, **keys))
    assert "\n" not in str(error.value)


def test_header_and_samples_that_were_renamed_together(write, tmp_path):
    path = write()
    for suffix in (".vhdr", ".eeg", ".vmrk"):
        (tmp_path / f"rec{suffix}").rename(tmp_path / f"sub-1{suffix}")
    with pytest.warns(UserWarning, match=r"names 'rec\.eeg', which is not here; 'sub-1\.eeg' is taken"):
        recording = open_recording(path.with_name("sub-1.vhdr"))
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)


@pytest.mark.parametrize("part", ["rec.eeg", "rec.vmrk"])
def test_parts_that_have_not_been_fetched(write, tmp_path, part):
    path = write()
    (tmp_path / part).unlink()
    (tmp_path / part).symlink_to("../.git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=rf"{part} .*not been fetched.*datalad get {part}"):
        open_recording(path)


def test_markers_that_are_not_there_are_told(write, tmp_path):
    path = write()
    (tmp_path / "rec.vmrk").unlink()
    with pytest.warns(UserWarning, match=r"rec\.vhdr: its markers are not known"):
        assert open_recording(path).seizures == []


def test_a_name_in_capitals(write):
    np.testing.assert_allclose(open_recording(write(name="REC.VHDR")).read(), SIGNAL, atol=1e-4)


def test_markers(write):
    marks = [START, r"Comment,spike\1 left,1001,1,2", "Stimulus,S  1,401,1,0", "Comment,Wärme,2001,400,0", "Bad,,x,1"]
    with pytest.warns(UserWarning, match="1 markers of rec.vmrk cannot be read.*mk5=Bad,,x,1"):
        recording = open_recording(write(markers=marks, encoding="cp1252"))
    rows = [(event.onset, event.duration, event.text, event.channels) for event in recording.events]
    assert rows == [
        (5.0, 0.0, "Comment/spike, left", ["LA2"]),
        (2.0, 0.0, "Stimulus/S  1", None),
        (10.0, 2.0, "Comment/Wärme", None),
    ]


@pytest.mark.parametrize("text", ["stim on, 50 Hz", "LA1, 5", "10,20", ""])
def test_commas_in_a_description_that_are_not_escaped(write, text):
    recording = open_recording(write(markers=[START, f"Comment,{text},1001,400,2", f"Comment,{text},1401,1,0,"]))
    rows = [(event.onset, event.duration, event.text, event.channels) for event in recording.events]
    assert rows == [(5.0, 2.0, f"Comment/{text}", ["LA2"]), (7.0, 0.0, f"Comment/{text}", None)]


@pytest.mark.parametrize(
    "marks", [["Comment,sz onset,1001,1,0", "Comment,sz offset,1801,1,0"], ["Comment,Seizure,1001,800,0"]]
)
def test_remarks_about_seizures(write, marks):
    assert open_recording(write(markers=[*marks[::-1], START])).seizures == [(5.0, 9.0, None)]


def test_a_program_that_counts_from_0_begins_at_the_first_sample(write):
    recording = open_recording(write(markers=[START, "Comment,Seizure,0,800,0"]))
    assert (recording.events[0].onset, recording.seizures) == (0.0, [(0.0, 4.0, None)])


def test_a_pause_is_missing_samples(write):
    # The second part begins 10 s after the end of the first.
    marks = [
        START,
        "Comment,before,1001,1,0",
        "New Segment,,2001,1,0,20200101100020000000",
        "Comment,across,1601,800,0",
        "Comment,after,2201,200,0",
    ]
    recording = open_recording(write(markers=marks))
    assert (recording.duration, recording.gaps) == (30.0, [(10.0, 20.0)])
    read = recording.read()
    np.testing.assert_allclose(read[:, :2000], SIGNAL[:, :2000], atol=1e-4)
    assert np.isnan(read[:, 2000:4000]).all()
    np.testing.assert_allclose(read[:, 4000:], SIGNAL[:, 2000:], atol=1e-4)
    times = {event.text: (event.onset, event.duration) for event in recording.events}
    assert times == {
        "Comment/before": (5.0, 0.0),
        "New Segment/": (20.0, 0.0),
        "Comment/across": (8.0, 14.0),
        "Comment/after": (21.0, 1.0),
    }


@pytest.mark.parametrize("is_told_by_the_file", [True, False])
def test_gaps_that_the_dataset_tells_too(write, tmp_path, is_told_by_the_file):
    date = "20200101100020000000" if is_told_by_the_file else ""
    path = write(name="sub-1_task-a_ieeg.vhdr", markers=[START, f"New Segment,,2001,1,0,{date}"])
    (tmp_path / "sub-1_task-a_ieeg.json").write_text('{"RecordingType": "discontinuous"}')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_recording(path)
    assert any("is discontinuous" in str(warning.message) for warning in caught) != is_told_by_the_file


@pytest.mark.parametrize("date", ["", ",20200101100000000000", ",00000000000000000000"])
def test_a_pause_of_unknown_length_is_told(write, date):
    with pytest.warns(UserWarning, match=r"paused at 10\.00 s, for how long is not stated"):
        recording = open_recording(write(markers=[START, f"New Segment,,2001,1,0{date}"]))
    assert (recording.duration, recording.gaps) == (20.0, [])


def test_a_restart_without_a_pause_is_no_gap(write):
    recording = open_recording(write(markers=[START, "New Segment,,2001,1,0,20200101100010004000"]))
    assert (recording.duration, recording.gaps) == (20.0, [])


def test_coordinates_are_those_of_mne(write):
    path = write()
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "[Comment]", "[Coordinates]\nCh1=80,30,40\nCh2=1,-90,10\nCh3=0,0,0\n\n[Comment]"
        ),
        encoding="utf-8",
    )
    recording = open_recording(path)
    raw = mne.io.read_raw_brainvision(path, verbose="error")
    expected = [raw.get_montage().get_positions()["ch_pos"][name] for name in ("LA1", "LA2")]
    np.testing.assert_allclose(recording.positions[:2], expected, atol=1e-9)
    assert np.isnan(recording.positions[2]).all()
    assert recording.num_channels == 3


@pytest.fixture
def write_text(tmp_path):
    """Write 2 channels of 400 samples as text, and return the header and the samples."""

    def write(
        orientation="MULTIPLEXED",
        decimal=".",
        between=" ",
        lines=0,
        columns=0,
        is_named=True,
        points=400,
        names=("LA1", "LA2"),
    ):
        signal = np.random.default_rng(1).normal(0, 50, (2, 400)).round(2)
        (tmp_path / "rec.vhdr").write_text(
            "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=rec.dat\nDataFormat=ASCII\n"
            f"MarkerFile=rec.vmrk\nDataOrientation={orientation}\nNumberOfChannels=2\nDataPoints={points}\n"
            f"SamplingInterval=5000\n[ASCII Infos]\nDecimalSymbol={decimal}\nSkipLines={lines}\n"
            f"SkipColumns={columns}\n[Channel Infos]\nCh1={names[0]},,1,uV\nCh2={names[1]},,1,uV\n"
        )
        (tmp_path / "rec.vmrk").write_text(f"[Marker Infos]\nMk1={START}\n")
        by_channel = orientation == "VECTORIZED"
        numbers = [
            [f"{value:.2f}".replace(".", decimal) for value in row] for row in (signal if by_channel else signal.T)
        ]
        if is_named and by_channel:
            numbers = [[name, *row] for name, row in zip(names, numbers, strict=True)]
        elif is_named:
            numbers = [names, *numbers]
        (tmp_path / "rec.dat").write_text("".join(between.join(row) + "\r\n" for row in numbers))
        return tmp_path / "rec.vhdr", signal

    return write


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize(("decimal", "between"), [(".", " "), (",", "\t"), (",", ";"), (".", ","), (".", "   ")])
@pytest.mark.parametrize(("is_named", "skipped"), [(True, 1), (True, 0), (False, 0)])
def test_samples_written_as_text_are_read(write_text, orientation, decimal, between, is_named, skipped):
    skip = {"lines" if orientation == "MULTIPLEXED" else "columns": skipped}
    path, signal = write_text(orientation, decimal, between, is_named=is_named, **skip)
    recording = open_recording(path)
    np.testing.assert_allclose(recording.read(), signal, atol=1e-4)
    assert recording.channel_names == ["LA1", "LA2"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(1, 1.5), recording.read(1, 1.5))


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize("names", [("LA 1", "LA 2"), ("3LD1", "3LD2"), ("1", "2"), ("Inf1", "Inf2")])
@pytest.mark.parametrize("skipped", [0, 1])
def test_names_before_numbers_are_no_samples(write_text, orientation, names, skipped):
    skip = {"lines" if orientation == "MULTIPLEXED" else "columns": skipped}
    path, signal = write_text(orientation, between="\t", names=names, points=0, **skip)
    recording = open_recording(path)
    assert recording.channel_names == list(names)
    np.testing.assert_allclose(recording.read(), signal, atol=1e-4)


def test_samples_written_as_text_agree_with_mne(write_text):
    path, _ = write_text(lines=1)
    recording, raw = open_recording(path), mne.io.read_raw_brainvision(path, verbose="error")
    np.testing.assert_allclose(recording.read(), raw.get_data() * 1e6, atol=1e-4)
    assert recording.start_date == raw.info["meas_date"]


def test_text_that_does_not_fit_its_header(write_text, tmp_path):
    path, _ = write_text(points=500)
    with pytest.raises(
        ValueError, match=r"rec\.dat holds 400 samples of each channel, and rec\.vhdr says 500 samples"
    ):
        open_recording(path)
    path, _ = write_text(points=300)
    with pytest.warns(UserWarning, match=r"holds 400 samples, and rec\.vhdr says 300"):
        assert open_recording(path).num_samples == 400
    written = (tmp_path / "rec.dat").read_text().splitlines()
    for line, message in [("1.0 2.0 3.0", "cannot be read as numbers"), ("1.0 x", "cannot be read as numbers")]:
        (tmp_path / "rec.dat").write_text("\n".join([*written[:9], line, *written[10:]]))
        with pytest.raises(ValueError, match=message):
            open_recording(path)
    (tmp_path / "rec.dat").write_text("LA1 LA2\n")
    with pytest.raises(ValueError, match=r"rec\.dat holds no samples"):
        open_recording(path)
    (tmp_path / "rec.dat").write_text("1 2 3\n" * 400)
    with pytest.raises(ValueError, match=r"rec\.dat has 3 channels, its header has 2"):
        open_recording(path)


def test_a_pause_in_text_is_missing_samples(write_text, tmp_path):
    path, signal = write_text()
    (tmp_path / "rec.vmrk").write_text(
        f"[Marker Infos]\nMk1={START}\nMk2=New Segment,,201,1,0,20200101100001500000\nMk3=Comment,seizure,301,1,0\n"
    )
    recording = open_recording(path)
    assert recording.gaps == [(1.0, 1.5)]
    np.testing.assert_allclose(recording.read(1.5, 2.5), signal[:, 200:], atol=1e-4)
    assert recording.events[-1].onset == 2.0


def test_markers_beside_a_header_that_names_none(write):
    path = write(markers=(START, "Comment,seizure onset,201,1,0"), MarkerFile=None)
    with pytest.warns(UserWarning, match=r"rec\.vhdr: it names no file of markers, and rec\.vmrk beside it is taken"):
        assert [event.onset for event in open_recording(path).events] == [1.0]


def test_the_date_of_a_later_part_is_none_of_the_beginning(write):
    path = write(markers=("New Segment,,201,1,0,20200101100000000000",))
    with pytest.warns(UserWarning, match="it was paused at 1.00 s"):
        assert open_recording(path).start_date is None


def test_resolutions_with_a_decimal_comma(write):
    channels = ("LA1,,0,1,µV", "LA2,LA9,0,1", "LA3,,0.1,µV,0,2")
    np.testing.assert_allclose(open_recording(write(channels)).read(), SIGNAL, atol=1e-4)


@pytest.mark.parametrize("resolution", ["0", "0.0", "nan"])
def test_a_resolution_that_was_not_entered_silences_no_channel(write, resolution):
    path = write((f"LA1,,{resolution},µV", *CHANNELS[1:]))
    with pytest.warns(UserWarning, match="no units conversion factor is entered for LA1"):
        read = open_recording(path).read()
    np.testing.assert_allclose(read, SIGNAL * [[10], [1], [1]], atol=1e-3)
