"""Recordings of Open Ephys, written after the documents of its binary format, beside what neo reads in them."""

import json
import pickle
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from neo.rawio import OpenEphysBinaryRawIO

from brant_hf.data import find_recordings, open_recording

RATE, STEP, NAMES = 2000, 0.25, ["LA1", "LA2", "ADC1", "LA3"]
COUNTS = np.random.default_rng(0).integers(-400, 400, (4, 4000))
ELECTRODES = [0, 1, 3]
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


@pytest.fixture
def write(tmp_path):
    """Write streams of `(name, names of channels, rate)`; `numbers` are those of the samples, `messages` below."""

    def write(
        streams=(("Board-100.0", NAMES, RATE),), numbers=None, messages=None, is_old=False, units="uV", steps=None
    ):
        folder = tmp_path / "2024-02-29_10-15-00" / "Record Node 101" / "experiment1" / "recording1"
        numbers = np.arange(COUNTS.shape[1]) + 5000 if numbers is None else np.asarray(numbers)
        described = []
        for name, channels, rate in streams:
            below = folder / "continuous" / name
            below.mkdir(parents=True, exist_ok=True)
            COUNTS[: len(channels)].T.astype("<i2").tofile(below / "continuous.dat")
            np.save(below / ("timestamps.npy" if is_old else "sample_numbers.npy"), numbers.astype("<i8"))
            if not is_old:
                np.save(below / "timestamps.npy", numbers / rate)
            stated = [
                {"channel_name": each, "bit_volts": (steps or {}).get(each, STEP), "units": units} for each in channels
            ]
            described.append(
                {"folder_name": f"{name}/", "sample_rate": rate, "num_channels": len(channels), "channels": stated,
                 "source_processor_name": "Board", "source_processor_id": 100, "source_processor_sub_idx": 0,
                 "stream_name": name, "recorded_processor": "Record Node", "recorded_processor_id": 101}
            )  # fmt: skip
        events = []
        if messages is not None:
            below = folder / "events" / "MessageCenter"
            below.mkdir(parents=True, exist_ok=True)
            np.save(below / "text.npy", np.array([text.encode() for _, text in messages], "S64"))
            times = np.array([number for number, _ in messages])
            np.save(below / "timestamps.npy", times if is_old else times / RATE)
            np.save(below / "sample_numbers.npy", times)
            events = [{"folder_name": "MessageCenter/", "channel_name": "Messages", "type": "string"}]
        version = "0.5.5" if is_old else "0.6.7"
        content = {"GUI version": version, "continuous": described, "events": events, "spikes": []}
        (folder / "structure.oebin").write_text(json.dumps(content))
        return folder

    return write


@pytest.mark.parametrize("is_old", [True, False])
@pytest.mark.parametrize("name", ["", "structure.oebin", "continuous/Board-100.0"])
def test_a_folder_its_header_or_its_only_stream_also_in_another_process(write, is_old, name):
    folder = write(is_old=is_old)
    recording = pickle.loads(pickle.dumps(open_recording(folder / name)))
    np.testing.assert_allclose(recording.read(), COUNTS[ELECTRODES] * STEP)
    np.testing.assert_allclose(recording.read(0.5, 1.0), COUNTS[ELECTRODES, 1000:2000] * STEP)
    assert (recording.channel_names, recording.sampling_rate) == (["LA1", "LA2", "LA3"], RATE)
    assert recording.excluded_channels == {"ADC1": "auxiliary input, no electrode"}
    called = "2024-02-29_10-15-00_Record Node 101_experiment1_recording1"
    assert recording.name == (f"{called}_Board-100.0" if "continuous" in name else called)


@pytest.mark.parametrize("is_old", [True, False])
def test_values_are_those_of_neo(write, is_old):
    """Which takes no input between electrodes."""
    folder = write([("Board-100.0", ["LA1", "LA2", "LA3", "ADC1"], RATE)], is_old=is_old)
    neo = OpenEphysBinaryRawIO(str(folder.parents[2]))
    neo.parse_header()
    expected = neo.rescale_signal_raw_to_float(neo.get_analogsignal_chunk(stream_index=0), np.float64, 0).T
    np.testing.assert_allclose(open_recording(folder).read(), expected)


def test_a_unit_that_is_not_stated_is_the_one_of_the_format(write):
    recording = open_recording(write(units=""))
    assert (recording.units, recording.scales) == (["uV"] * 3, [1.0] * 3)


def test_the_folder_is_found_as_one_recording(write, tmp_path):
    folder = write()
    assert find_recordings(tmp_path) == find_recordings(folder) == [folder]
    assert find_recordings(f"{tmp_path}/**/structure.oebin") == [folder / "structure.oebin"]


@pytest.mark.parametrize("is_old", [True, False])
def test_pauses_are_missing_samples(write, is_old):
    recording = open_recording(write(numbers=np.arange(4000) + np.repeat([0, 1000], 2000), is_old=is_old))
    assert (recording.gaps, recording.num_samples) == ([(1.0, 1.5)], 5000)
    samples = recording.read()
    assert np.isnan(samples[:, 2000:3000]).all()
    np.testing.assert_allclose(np.delete(samples, slice(2000, 3000), 1), COUNTS[ELECTRODES] * STEP)
    with pytest.raises(ValueError, match=r"structure\.oebin.*its clock was set back"):
        open_recording(write(numbers=np.arange(4000) - np.repeat([0, 1000], 2000), is_old=is_old))


@pytest.mark.parametrize("is_old", [True, False])
def test_messages_are_remarks(write, is_old):
    messages = [(5200, "seizure onset"), (6600, "seizure end"), (6700, "")]
    recording = open_recording(write(messages=messages, is_old=is_old))
    assert [(round(event.onset, 9), event.text) for event in recording.events] == [
        (0.1, "seizure onset"), (0.8, "seizure end"),
    ]  # fmt: skip
    assert len(recording.seizures) == 1


def test_messages_by_numbers_of_one_of_several_streams_are_told(write):
    streams = [("A", NAMES, RATE), ("NI", ["AI0"], RATE)]
    with pytest.warns(UserWarning, match=r"messages in MessageCenter are not read, as nothing tells when"):
        recording = open_recording(write(streams, messages=[(5200, "seizure onset")], is_old=True))
    assert recording.events == []
    assert recording.excluded_channels["AI0"] == "auxiliary input, no electrode"


def test_several_streams_of_electrodes(write):
    folder = write([("Probe-1.0", NAMES, RATE), ("Probe-1.1", NAMES[:2], 500)])
    message = (
        r"holds 2 streams of electrodes, each with a clock of its own: Probe-1\.0 \(3 channels, 2000 Hz\), "
        r"Probe-1\.1 \(2 channels, 500 Hz\); name the folder of one instead, such as .*continuous/Probe-1\.0"
    )
    with pytest.raises(ValueError, match=message):
        open_recording(folder)
    recording = open_recording(folder / "continuous" / "Probe-1.1")
    assert (recording.sampling_rate, recording.channel_names) == (500, ["LA1", "LA2"])
    assert recording.excluded_channels["Probe-1.0/LA3"] == "of another stream"
    np.testing.assert_allclose(recording.read(), COUNTS[:2] * STEP)


def test_when_it_began(write):
    folder = write()
    assert open_recording(folder).start_date is None
    stated = "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 1651600344618\nStart Time for A: 12\n"
    (folder / "sync_messages.txt").write_text(stated)
    assert open_recording(folder).start_date == datetime(2022, 5, 3, 17, 52, 24, 618000, tzinfo=UTC)


def test_what_was_cut_and_numbers_that_are_not_there_are_told(write):
    folder = write()
    samples = folder / "continuous" / "Board-100.0" / "continuous.dat"
    samples.write_bytes(samples.read_bytes()[:-3])
    with pytest.warns(UserWarning, match=r"ends with 5 bytes that are no sample.*") as told:
        assert open_recording(folder).num_samples == 3999
    assert any(
        "numbers of its 3999 samples are not known, as sample_numbers.npy holds" in str(w.message) for w in told
    )
    (samples.parent / "sample_numbers.npy").unlink()
    (samples.parent / "timestamps.npy").unlink()
    with pytest.warns(UserWarning, match=r"as sample_numbers\.npy is not there; they are taken as following"):
        open_recording(folder)


def test_what_is_no_whole_recording_says_so_in_a_line(write):
    folder = write()
    header, below = folder / "structure.oebin", folder / "continuous" / "Board-100.0"
    content = json.loads(header.read_text())
    for change, message in [
        ({"continuous": 3}, "does not describe a recording"),
        ({"continuous": [{**content["continuous"][0], "num_channels": 3}]}, "3 channels at 2000 Hz, of which 4"),
        ({"continuous": [{**content["continuous"][0], "sample_rate": 0}]}, "4 channels at 0 Hz"),
        ({"continuous": [{**content["continuous"][0], "channels": [{}] * 4}]}, "'channel_name' is missing"),
        ({"continuous": []}, "holds no channel of an electrode"),
    ]:
        header.write_text(json.dumps({**content, **change}))
        with pytest.raises(ValueError, match=rf"^{re.escape(str(folder))}.*{message}") as error:
            open_recording(folder)
        assert "\n" not in str(error.value)
    header.write_text(json.dumps(content))
    (below / "sample_numbers.npy").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"sample_numbers\.npy is damaged: it is no array of NumPy"):
        open_recording(folder)
    (below / "continuous.dat").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"continuous\.dat holds no samples \(1 bytes\)"):
        open_recording(folder)
    (below / "continuous.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"continuous\.dat is not there, which holds the samples"):
        open_recording(folder)


def test_a_step_of_0_silences_no_channel(write):
    folder = write(steps={"LA2": 0.0})
    with pytest.warns(UserWarning, match="no units conversion factor is entered for LA2"):
        read = open_recording(folder).read()
    np.testing.assert_allclose(read, COUNTS[ELECTRODES] * [[STEP], [1.0], [STEP]], rtol=1e-6)
