"""MEF3 sessions written by pymef."""

import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data import open_recording

pytest.importorskip("pymef")
pytestmark = pytest.mark.filterwarnings("ignore:.*does not tell its subject")

T0 = 1577836800_000000  # 2020-01-01, microseconds since 1970
RATE = 200


def _us(seconds: float) -> int:
    return T0 + round(seconds * 1e6)


@pytest.fixture
def write_mef(tmp_path, sines):
    """Writes a session of sines in tenths of microvolts; gives its path and the microvolts."""

    def write(
        names=("LA1", "LA2"),
        parts=((0.0, 20),),
        *,
        segments: bool = False,
        records=(),
        rates=None,
        parts_of=None,
        section_2=None,
        section_3=None,
        password: str = "",
        offset: int = 0,
        numbers=None,
    ) -> tuple[Path, np.ndarray]:
        from pymef.mef_session import MefSession

        path = tmp_path / "rec.mefd"
        session = MefSession(str(path), password, False, True)
        signal = np.round(sines(len(names), 60, RATE) * 10).astype(np.int32)
        for place, name in enumerate(names):
            for sample, number in (numbers or {}).get(name, {}).items():
                signal[place, sample] = number
            rate = (rates or {}).get(name, RATE)
            stored = 0
            own = (parts_of or {}).get(name, parts)
            stop = own[-1][0] + own[-1][1]
            for part, (start, seconds) in enumerate(own):
                count = seconds * rate
                samples = signal[place, stored : stored + count]
                if part == 0 or segments:
                    stated = {
                        "sampling_frequency": float(rate),
                        "units_conversion_factor": 0.1,
                        "units_description": b"uV",
                        "start_sample": stored,
                        "number_of_samples": count,
                        "recording_duration": _us(stop) - T0,
                        "maximum_block_samples": rate,
                    }
                    number, until = part if segments else 0, _us(start + seconds)
                    stated |= (section_2 or {}).get(name, {})
                    about = {"recording_time_offset": offset, "GMT_offset": 0, **(section_3 or {})}
                    session.write_mef_ts_segment_metadata(
                        name, number, password, password, _us(start), until, stated, about
                    )
                    session.write_mef_ts_segment_data(name, number, password, password, rate, samples)
                else:
                    session.append_mef_ts_segment_data(
                        name, 0, password, password, _us(start), _us(start + seconds), rate, samples, True
                    )
                stored += count
        if records:
            session.write_mef_records(password, password, T0, _us(60), offset, list(records))
        session.close()
        return path, signal / 10

    return write


def test_values_names_start_and_subject(write_mef):
    path, signal = write_mef(
        ("LA10", "LA2", "EKG1"), section_3={"subject_ID": b"P7"}, section_2={"LA2": {"AC_line_frequency": 60.0}}
    )
    recording = open_recording(path)
    assert recording.channel_names == ["LA2", "LA10"]
    assert recording.excluded_channels == {"EKG1": "ECG (by its name)"}
    assert (recording.subject, recording.start_date) == ("P7", datetime(2020, 1, 1, tzinfo=UTC))
    assert (recording.sampling_rate, recording.duration, recording.line_frequency) == (200.0, 20.0, 60.0)
    np.testing.assert_allclose(recording.read(2, 3), signal[[1, 0], 400:600], atol=1e-3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3), recording.read(2, 3))


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("offset", [0, T0 - 86_400_000_000])
def test_gaps_stand_at_their_time_and_events_on_the_clock(write_mef, segments, offset):
    events = [{"type": "EDFA", "time": _us(14), "duration": 3_000_000, "text": "Seizure"}]
    path, signal = write_mef(parts=((0, 10), (13, 10)), segments=segments, records=events, offset=offset)
    recording = open_recording(path)
    assert (recording.gaps, recording.duration) == ([(10.0, 13.0)], 23.0)
    assert recording.seizures == [(14.0, 17.0, None)]
    np.testing.assert_allclose(recording.read(0, 10), signal[:, :2000], atol=1e-3)
    assert np.isnan(recording.read(10, 13)).all()
    np.testing.assert_allclose(recording.read(13, 23), signal[:, 2000:4000], atol=1e-3)


def test_channels_that_pause_at_different_times(write_mef):
    path, signal = write_mef(
        ("LA1", "LA2", "LA3"), parts_of={"LA1": ((0, 10), (13, 7)), "LA2": ((5, 6), (12, 6)), "LA3": ((2_000_000, 1),)}
    )
    recording = open_recording(path)
    assert recording.channel_names == ["LA1", "LA2"]
    assert "clock was set" in recording.excluded_channels["LA3"]
    assert (recording.duration, recording.gaps) == (20.0, [(11.0, 12.0)])
    first, second = recording.read()
    np.testing.assert_allclose(first[2600:], signal[0, 2000:3400], atol=1e-3)
    np.testing.assert_allclose(second[1000:2200], signal[1, :1200], atol=1e-3)
    assert np.isnan(second[:1000]).all()
    assert np.isnan(second[3600:]).all()


def test_channels_with_other_rates(write_mef):
    path, signal = write_mef(("LA1", "Temp", "LA2"), rates={"Temp": 10})
    recording = open_recording(path)
    assert (recording.channel_names, recording.sampling_rate, recording.duration) == (["LA1", "LA2"], 200.0, 20.0)
    np.testing.assert_allclose(recording.read(), signal[[0, 2], :4000], atol=1e-3)


def _seiz(*channels, **fields):
    return {
        "type": "Seiz", "time": _us(5), "earliest_onset": _us(5), "latest_offset": _us(9), "duration": 4_000_000,
        "number_of_channels": len(channels), "onset_code": 1, "marker_name_1": "", "marker_name_2": "",
        "annotation": "left",
        "channels": [{"name": name, "onset": _us(start), "offset": _us(stop)} for name, start, stop in channels],
        **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("records", "seizures"),
    [
        ([_seiz(("LA1", 5, 9))], [(5.0, 9.0, ["LA1"])]),
        ([_seiz(("LA1", 5, 9), ("LA2", 5, 9))], [(5.0, 9.0, ["LA1", "LA2"])]),
        ([_seiz(("LA1", 5, 9), ("LA2", 6, 8))], [(5.0, 9.0, ["LA1"]), (6.0, 8.0, ["LA2"])]),
        ([_seiz(("LA1", 5, 9), annotation="", latest_offset=0)], [(5.0, 9.0, ["LA1"])]),
        ([{"type": "EDFA", "time": _us(5), "duration": 4_000_000, "text": "Seizure"}], [(5.0, 9.0, None)]),
        (
            [
                {"type": "Note", "time": _us(9), "text": "seizure offset"},
                {"type": "Note", "time": _us(5), "text": "seizure onset"},
                {"type": "SyLg", "time": _us(6), "text": "impedance check"},
            ],
            [(5.0, 9.0, None)],
        ),
    ],
)
def test_records_become_events(write_mef, records, seizures):
    recording = open_recording(write_mef(records=records)[0])
    assert recording.seizures == seizures
    assert len(recording.events) >= len(records)


def test_a_seizure_that_was_marked_in_doubt_says_so(write_mef):
    path, _ = write_mef(records=[_seiz(("LA1", 5, 9), annotation="or artefact?")])
    assert [event.text for event in open_recording(path).events] == ["seizure?"]


def test_a_seizure_that_was_marked_as_none_is_told(write_mef):
    path, _ = write_mef(records=[_seiz(("LA1", 5, 9), annotation="not a seizure")])
    with pytest.warns(UserWarning, match="'Seiz: not a seizure' at 5.00 s is not taken as a seizure"):
        assert open_recording(path).seizures == []


def test_numbers_that_stand_for_what_is_beyond_the_range_are_missing(write_mef):
    # MEF 3.0 reserves the largest numbers of both signs.
    path, signal = write_mef(numbers={"LA1": {400: 2**31 - 1, 401: -(2**31) + 1, 402: -(2**31)}})
    read = open_recording(path).read(2, 3)
    assert np.flatnonzero(np.isnan(read[0])).tolist() == [0, 1, 2]
    np.testing.assert_allclose(read[0, 3:], signal[0, 403:600], atol=1e-3)


def test_a_channel_on_which_nothing_was_recorded(write_mef):
    path, signal = write_mef(("LA1", "LA2"))
    segment = path / "LA2.timd" / "LA2-000000.segd"
    files = [segment / f"LA2-000000{suffix}" for suffix in (".tidx", ".tdat")]
    for file in files:
        header = bytearray(file.read_bytes()[:1024])
        header[32:40] = bytes(8)
        file.write_bytes(header)
    recording = open_recording(path)
    assert recording.excluded_channels == {"LA2": "no samples"}
    np.testing.assert_allclose(recording.read(0, 1), signal[:1, :200], atol=1e-3)
    for file in files:
        file.unlink()
    with pytest.raises(ValueError, match=r"LA2-000000.segd has no samples, .* move LA2.timd out of it"):
        open_recording(path)


def test_a_channel_whose_clock_was_set_back_is_told(write_mef):
    path, _ = write_mef(parts_of={"LA2": [(0, 5), (3, 5)]})
    with pytest.warns(UserWarning, match=r"rec.mefd: LA2 is left out: .* begins at 3.000 s, before"):
        assert open_recording(path).channel_names == ["LA1"]


def test_unit_and_factor_are_those_of_each_channel(write_mef):
    from brant_hf.data.recordings.readers.mef3 import mef3_source

    path, _ = write_mef(
        ("A1", "A2", "A3"),
        section_2={
            "A1": {"units_description": "µV".encode()},
            "A2": {"units_description": b"mV", "units_conversion_factor": 1e-4},
            "A3": {"units_description": b"Not_entered", "units_conversion_factor": 0.0},
        },
    )
    with pytest.warns(UserWarning, match=r"no units conversion factor is entered for A3;"):
        source = mef3_source(path)
    assert source.unit == ["µV", "mV", ""]
    np.testing.assert_allclose(source.read.read.scale, [0.1, 1e-4, 1.0])


@pytest.mark.parametrize(
    ("about", "subject"),
    [
        ({"subject_ID": b"P7", "subject_name_1": b"Jo"}, "P7"),
        ({"subject_ID": b"not_entered", "subject_name_1": b"Jo", "subject_name_2": b"Doe"}, "Jo Doe"),
        ({"subject_ID": b"anonymous", "subject_name_1": b"Not_entered"}, None),
        ({}, None),
    ],
)
def test_the_subject_is_who_was_entered(write_mef, about, subject):
    from brant_hf.data.recordings.readers.mef3 import mef3_source

    assert mef3_source(write_mef(section_3=about)[0]).subject == subject


def test_an_encrypted_session_is_refused_with_the_remedy(write_mef):
    with pytest.raises(ValueError, match=r"rec.mefd is encrypted and needs a password"):
        open_recording(write_mef(password="secret")[0])


@pytest.mark.parametrize("suffix", [".tdat", ".tidx", ".tmet", ".ridx", ".rdat"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_is_named(write_mef, suffix, damage):
    path, _ = write_mef(records=[{"type": "Note", "time": _us(1), "text": "eyes open"}])
    file = next(path.rglob(f"*{suffix}"))
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{file.name}.*{'missing' if damage == 'missing' else 'cut'}"):
        open_recording(path)


def test_folders_without_channels_or_segments(tmp_path):
    (tmp_path / "rec.mefd").mkdir()
    with pytest.raises(ValueError, match=r"rec.mefd has no channel"):
        open_recording(tmp_path / "rec.mefd")
    (tmp_path / "rec.mefd/A1.timd").mkdir()
    with pytest.raises(ValueError, match=r"A1.timd has no segment"):
        open_recording(tmp_path / "rec.mefd")


def test_a_seizure_without_channels_does_not_end_the_process(write_mef):
    with pytest.raises(ValueError, match=r"rec.rdat has a record of a seizure that names no channel.*rec_events.tsv"):
        open_recording(write_mef(records=[_seiz()])[0])


def test_without_pymef_the_message_says_what_to_install(write_mef, monkeypatch):
    path, _ = write_mef()
    monkeypatch.setitem(sys.modules, "pymef.mef_session", None)
    with pytest.raises(ImportError, match=r"pip install 'brant_hf\[mef\]'"):
        open_recording(path)
