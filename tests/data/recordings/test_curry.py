"""Curry: names, units and order of channels, and remarks of events, which stand in files beside the samples."""

import numpy as np
import pytest

from brant_hf.data import open_recording

RATE = 250
SIGNAL = np.random.default_rng(0).normal(0, 50, (3, 10 * RATE)).astype("<f4")
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def block(name, *lines):
    return f"{name} START_LIST\t# Do not edit!\n" + "".join(f"{line}\n" for line in lines) + f"{name} END_LIST\n\n"


def section(name, **fields):
    return f"{name} START\n" + "".join(f"   {key} = {value}\n" for key, value in fields.items()) + f"{name} END\n\n"


@pytest.fixture(params=["cdt", "dap"])
def write(tmp_path, request):
    """Write a recording of version 8 (`.cdt`) or 7 (`.dap`); events are `(sample, type, samples, remark)`."""

    def write(
        names=("LA1", "LA2", "LA3"),
        units=("uV", "uV"),
        events=None,
        places=None,
        encoding="utf-8",
        signal=SIGNAL,
        **more,
    ):
        said = {
            "DataFormat": "FLOAT",
            "DataSampOrder": "SAMP",
            "DataByteOrder": "INTEL",
            "AmplifierInfo": "",
            "NumSamples": signal.shape[1],
            "NumTrials": 1,
            "NumChannels": len(signal),
            "SampleFreqHz": RATE,
            "StartYear": 2024,
            "StartMonth": 5,
            "StartDay": 6,
            "StartHour": 7,
            "StartMin": 8,
            "StartSec": 9,
            "StartMillisec": 0,
            "SampleTimeUsec": 4000,
            **more,
        }
        about = section("DATA_PARAMETERS", **said)
        about += section("DEVICE_PARAMETERS", DataUnit=units[0], NumChanThisGroup=2)
        about += section("DEVICE_PARAMETERS_OTHERS", DataUnit=units[1], NumChanThisGroup=len(names) - 2)
        if places:
            about += block("CHAN_IN_FILE", *places[:2]) + block("CHAN_IN_FILE_OTHERS", *places[2:])
        labels = section("LABELS", ListNrRows=2) + block("LABELS", *names[:2]) + section("SENSORS", ListNrRows=2)
        labels += block("SENSORS", "1 2 3", "4 5 6")
        labels += section("LABELS_OTHERS", ListNrRows=1) + block("LABELS_OTHERS", *names[2:])
        number = (f"{at}\t0\t{kind}\t-1\t{at}\t{at + lasts}\t0\t0\t0\t0\t0" for at, kind, lasts, _ in events or ())
        rows = block("NUMBER_LIST", *number) + block("REMARK_LIST", *(remark for *_, remark in events or ()))
        if request.param == "cdt":
            files = {"rec.cdt.dpa": about + labels, "rec.cdt.cef": rows}
        else:
            files = {"rec.dap": about, "rec.rs3": labels, "rec.cef": rows}
        if events is None:
            del files["rec.cdt.cef" if request.param == "cdt" else "rec.cef"]
        for name, text in files.items():
            (tmp_path / name).write_bytes(text.encode(encoding))
        (tmp_path / ("rec.cdt" if request.param == "cdt" else "rec.dat")).write_bytes(signal.T.tobytes())
        return tmp_path / f"rec.{request.param}"

    return write


def test_samples_names_and_types(write):
    recording = open_recording(write())
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (["LA1", "LA2"], RATE, 10)
    assert recording.excluded_channels == {"LA3": "misc channel"}
    assert str(recording.start_date) == "2024-05-06 07:08:09+00:00"
    np.testing.assert_allclose(recording.read(), SIGNAL[:2], rtol=1e-6)


def test_each_event_has_its_own_remark_and_duration(write):
    events = [(250, 9, 0, "eyes open"), (500, 9, 750, "Seizure"), (1500, 9, 0, ""), (2000, 3, 0, "Anfallsende?")]
    recording = open_recording(write(events=events))
    assert [(event.onset, event.duration, event.text) for event in recording.events] == [
        (1.0, 0.0, "eyes open"),
        (2.0, 3.0, "Seizure"),
        (6.0, 0.0, "9"),
        (8.0, 0.0, "Anfallsende?"),
    ]
    assert recording.seizures == [(2.0, 5.0, None)]


def test_remarks_in_the_encoding_of_windows(write):
    events = [(250, 9, 0, "für Ärzte"), (500, 9, 500, "crise épileptique")]
    recording = open_recording(write(events=events, encoding="cp1252"))
    assert [event.text for event in recording.events] == ["für Ärzte", "crise épileptique"]


def test_a_file_of_events_without_one(write):
    assert open_recording(write(events=[])).events == []


def test_names_with_spaces(write):
    assert open_recording(write(names=("LA 1", "LA 2", "X"))).channel_names == ["LA 1", "LA 2"]


def test_channels_that_lie_in_the_file_in_another_order_than_their_names(write):
    recording = open_recording(write(names=("LA1", "LA2", "EKG"), places=(3, 1, 2)))
    assert (recording.channel_names, recording.excluded_channels) == (["LA2", "LA1"], {"EKG": "misc channel"})
    np.testing.assert_allclose(recording.read(), SIGNAL[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(recording.positions, np.array([[4, 5, 6], [1, 2, 3]]) * 1e-3)


@pytest.mark.parametrize("unit", ["mV", "\N{MICRO SIGN}V"])
def test_units_but_that_of_mne_python(write, unit):
    factor = {"mV": 1e3}.get(unit, 1)
    recording = open_recording(write(units=(unit, "uV"), signal=SIGNAL / np.float32(factor)))
    assert (recording.units, recording.scales, recording.scales_from) == ([unit] * 2, [factor] * 2, ["file"] * 2)
    np.testing.assert_allclose(recording.read(), SIGNAL[:2], rtol=1e-5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"NumTrials": 2}, "holds epochs or averages and no continuous recording"),
        (
            {"DataGuid": "{2912E8D8-F5C8-4E25-A8E7-A1385967DA09}"},
            "is compressed, which is not read; save it in Curry as",
        ),
        ({"DataSampOrder": "CHAN"}, "has its numbers in the order CHAN INTEL, which is not read"),
        ({"NumChannels": 4}, "its header has 4 channels, units for 3 and places for 3, and names of 3 are there"),
        ({"SampleFreqHz": 0, "SampleTimeUsec": 0}, "its header states no sampling rate"),
    ],
)
def test_what_is_no_recording_or_not_read(write, said, message):
    with pytest.raises(ValueError, match=rf"rec\.(cdt|dap):? {message}"):
        open_recording(write(**said))


def test_a_rounded_time_between_samples_and_another_one(write):
    assert open_recording(write(SampleFreqHz=1024, SampleTimeUsec=977)).sampling_rate == 1024
    with pytest.warns(UserWarning, match="states 500 Hz, and 250 Hz by the time between two samples"):
        assert open_recording(write(SampleFreqHz=500, SampleTimeUsec=4000)).sampling_rate == 250


def test_a_file_that_was_cut(write):
    with pytest.warns(UserWarning, match="its header states 3000 samples, and it holds 2500, which are read"):
        assert open_recording(write(NumSamples=3000)).num_samples == 2500


def test_samples_as_text(write):
    path = write(DataFormat="ASCII", DataByteOrder="ASCII", NumSamples=2500)
    samples = path if path.suffix == ".cdt" else path.with_suffix(".dat")
    np.savetxt(samples, SIGNAL.T, fmt="%.4f")
    np.testing.assert_allclose(open_recording(path).read(), SIGNAL[:2], atol=1e-4)


def test_extensions_in_capitals(write, tmp_path):
    path = write(events=[(250, 9, 0, "eyes open")])
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_name(file.name.upper()))
    recording = open_recording(path.with_name(path.name.upper()))
    assert (recording.channel_names, [event.text for event in recording.events]) == (["LA1", "LA2"], ["eyes open"])


def test_a_file_that_is_missing(write):
    path = write()
    beside = path.with_name("rec.cdt.dpa") if path.suffix == ".cdt" else path.with_suffix(".rs3")
    beside.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"rec\.(cdt\.dpa|rs3) is missing; put all files of a recording beside"
    ):
        open_recording(path)
