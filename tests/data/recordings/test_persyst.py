"""Persyst layouts as the world writes them, anonymised or not."""

import pickle
from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

RATE = 200
SIGNAL = np.random.default_rng(0).normal(0, 50, (3, 4000)).round(1)
NAMES = ("LA1-Ref=1", "LA2-Ref=2", "la3=3")
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    def write(
        names=NAMES, comments=(), times=("0=36000.25",), kind="<i2", keep=1.0, encoding="utf-8", name="rec.lay", **keys
    ):
        about = {
            "File": "rec.dat",
            "FileType": "Interleaved",
            "SamplingRate": RATE,
            "HeaderLength": 0,
            "Calibration": 0.1,
            "WaveformCount": 3,
            "DataType": {"<i2": 0, "<i4": 7}[kind],
        }
        patient = {
            "ID": "P7",
            "BirthDate": "1980.01.01",
            "Sex": "",
            "Hand": "",
            "TestDate": "2020.01.31",
            "TestTime": "10:00:00",
        }
        for key, value in keys.items():
            (patient if key in patient else about)[key] = value
        lines = ["[FileInfo]", *(f"{key}={value}" for key, value in about.items() if value is not None)]
        lines += ["[Patient]", *(f"{key}={value}" for key, value in patient.items() if value is not None)]
        lines += ["[Montage]", "all=x", "[SampleTimes]", *times, "[ChannelMap]", *names, "[Comments]", *comments]
        (tmp_path / name).write_bytes("\r\n".join(lines).encode(encoding))
        content = b"h" * int(about["HeaderLength"]) + (SIGNAL * 10).round().T.astype(kind).tobytes()
        (tmp_path / "rec.dat").write_bytes(content[: int(len(content) * keep)])
        return tmp_path / name

    return write


@pytest.mark.parametrize("kind", ["<i2", "<i4"])
def test_values_are_those_of_mne(write, kind):
    path = write(kind=kind, BirthDate="01/01/80", Hand="R")
    recording = open_recording(path)
    assert recording.channel_names == ["LA1-Ref", "LA2-Ref", "la3"]
    assert (recording.subject, recording.sampling_rate) == ("P7", 200)
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)
    raw = mne.io.read_raw_persyst(path, verbose="error")
    np.testing.assert_allclose(recording.read(2, 3.5), raw.get_data(start=400, stop=700) * 1e6, rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3.5), recording.read(2, 3.5))


@pytest.mark.parametrize(
    "keys",
    [
        {"BirthDate": None, "Hand": None, "ID": "P7"},
        {"BirthDate": "", "TestTime": ""},
        {"BirthDate": "XX", "TestDate": "", "ID": "0"},
        {"TestDate": None, "TestTime": None},
        {"HeaderLength": 100},
        {"File": r"D:\Eeg\REC.DAT", "FileType": "interleaved"},
        {"File": None},
        {"Calibration": "0,1", "name": "REC.LAY", "File": "rec.dat"},
    ],
)
def test_layouts_that_mean_the_same(write, keys, capfd):
    recording = open_recording(write(comments=["5.000000,4.000000,0,100,Seizure"], **keys))
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)
    assert recording.seizures == [(5.0, 9.0, None)]
    assert recording.subject_from == ("name of the file" if keys.get("ID") == "0" else "header")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2020.01.31", "10:00:00"),
        ("2020/01/31", "10:00:00"),
        ("01/31/2020", "10:00:00"),
        ("31/01/2020", "10.00.00"),
        ("31-01-2020", "10:00"),
        ("2020-01-31", "10:00:00 AM"),
    ],
)
def test_dates(write, date, time):
    path = write(TestDate=date, TestTime=time, times=())
    assert open_recording(path).start_date == datetime(2020, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "time", "start"),
    [
        (("0=36000.25",), "10:00:00", "10:00:00.250000"),  # the test begins within a second
        (("0=41400",), "10:00:00", "11:30:00"),  # a clip of it
        (("200=41401", "400=41402"), "10:00:00", "11:30:00"),
        (("0=41400",), "", "11:30:00"),
        (("0=12.5",), "10:00:00", "10:00:00"),  # seconds of something else
        (("0=1580464800",), "10:00:00", "10:00:00"),
        (("0=0",), "10:00:00", "10:00:00"),
    ],
)
def test_the_first_sample_tells_when_it_was_taken(write, times, time, start):
    recording = open_recording(write(times=times, TestTime=time))
    assert recording.start_date.isoformat() == f"2020-01-31T{start}+00:00"


def test_a_date_that_is_not_understood_is_told(write):
    with pytest.warns(UserWarning, match="its date 'Jan 2020' '10:00:00' is not understood"):
        assert open_recording(write(TestDate="Jan 2020")).start_date is None


def test_waveforms_go_by_number_and_those_without_a_name_are_told(write):
    recording = open_recording(write(names=["A=1=3", "LA1=1"]))
    assert recording.channel_names == ["LA1", "A=1"]
    assert recording.excluded_channels == {"waveform 2": "without a name in [ChannelMap]"}
    np.testing.assert_allclose(recording.read(), SIGNAL[[0, 2]], atol=1e-4)


def test_names_twice(write):
    with pytest.warns(UserWarning, match="more than once"):
        recording = open_recording(write(names=["LA1=1", "LA1=2", "LA2=3"]))
    np.testing.assert_allclose(recording.read(), SIGNAL, atol=1e-4)


def test_comments(write):
    comments = ["1.5,0,0,100,spike, left = right", "2,0.5,0,100,Wärme", "soon,0,0,100,x", "3,1"]
    with pytest.warns(UserWarning, match="2 comments cannot be read.*'soon,0,0,100,x'"):
        recording = open_recording(write(comments=comments, encoding="cp1252"))
    rows = [(event.onset, event.duration, event.text) for event in recording.events]
    assert rows == [(1.5, 0.0, "spike, left = right"), (2.0, 0.5, "Wärme")]


@pytest.mark.parametrize(
    "times",
    [
        ("0=36000.0", "2000=36020.0"),
        ("0=86395.0", "2000=86415.0"),
        ("0=86395.0", "2000=15.0"),
        ("200=86396.0", "2000=15.0", "9000=80.0"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*goes on to sample 9000")
def test_missing_time_is_missing_samples_and_comments_count_recorded_time(write, times):
    comments = ["5,1,0,100,before", "8,4,0,100,across", "9,1,0,100,until", "11,1,0,100,after"]
    with pytest.warns(UserWarning, match="1 gaps, and the times of its comments are taken to count without them"):
        recording = open_recording(write(times=times, comments=comments))
    assert (recording.duration, recording.gaps) == (30.0, [(10.0, 20.0)])
    read = recording.read()
    np.testing.assert_allclose(read[:, :2000], SIGNAL[:, :2000], atol=1e-4)
    assert np.isnan(read[:, 2000:4000]).all()
    np.testing.assert_allclose(read[:, 4000:], SIGNAL[:, 2000:], atol=1e-4)
    times_of = {event.text: (event.onset, event.duration) for event in recording.events}
    assert times_of == {"before": (5, 1), "across": (8, 14), "until": (9, 1), "after": (21, 1)}


def test_a_clock_that_is_set_a_little_is_no_gap(write):
    # As in the example of a recording at 256 Hz: some milliseconds each half hour.
    recording = open_recording(write(times=["0=34273.799", "2000=34283.797", "3000=34288.801"]))
    assert (recording.num_samples, recording.gaps) == (4000, [])


def test_sample_times_beyond_the_end_are_told(write):
    with pytest.warns(UserWarning, match="goes on to sample 4500, and there are 4000"):
        recording = open_recording(write(times=["0=0.0", "2000=10.0", "4500=40.0"]))
    assert recording.duration == 20.0


def test_a_file_that_was_cut_inside_a_sample_is_told(write):
    with pytest.warns(UserWarning, match=r"rec\.dat ends with 2 bytes that are no whole sample"):
        assert open_recording(write(keep=0.5001)).num_samples == 2000


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"DataType": 4}, "DataType 4 are not read"),
        ({"FileType": "Nihon Kohden"}, "FileType Nihon Kohden"),
        ({"Calibration": None}, r"\[FileInfo\] has no calibration"),
        ({"Calibration": 0}, "calibration is '0'"),
        ({"keep": 0}, "ends before any sample"),
        ({"names": ()}, "names no channel"),
        ({"names": ("LA1=7",)}, "'LA1=7'; expected a name and one of the 3 waveforms"),
        ({"times": ("0=soon",)}, "SampleTimes. cannot be read"),
        ({"File": "other.dat", "name": "x.lay"}, "names the file 'other.dat', which is not beside it"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(write, keys, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        open_recording(write(**keys))
    assert "\n" not in str(error.value)
    assert str(write().parent) in str(error.value)


def test_samples_that_have_not_been_fetched(write, tmp_path):
    path = write()
    (tmp_path / "rec.dat").write_text("/annex/objects/MD5E-s1--0.dat\n")
    with pytest.raises(FileNotFoundError, match=r"rec\.dat .*not been fetched"):
        open_recording(path)


def test_decimal_commas(write):
    comments = ("5,500000,4,250000,0,100,Seizure, left", "12.000000,0.000000,0,100,awake")
    recording = open_recording(write(times=("0=36000,250000",), comments=comments, Calibration="0,1"))
    assert recording.seizures == [(5.5, 9.75, None)]
    assert [event.text for event in recording.events] == ["Seizure, left", "awake"]
    assert recording.start_date == datetime(2020, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)
