import pickle
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from brant_hf.data import open_recording

pynwb = pytest.importorskip("pynwb")


@pytest.fixture
def write_nwb(tmp_path):
    """Writes a file with one `ElectricalSeries` per entry of `series`; gives its path."""

    def write(
        series: dict[str, dict],
        num_channels: int = 3,
        intervals=(),
        group: str = "LA",
        bad=None,
        labels=("LA1", "LA2", "LA3"),
        positions=None,
        lfp: dict | None = None,
        columns: dict | None = None,
        extra=None,
        subject: str | None = "P9",
    ) -> Path:
        nwb = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC))
        if subject is not None:
            nwb.subject = pynwb.file.Subject(subject_id=subject, species="Homo sapiens")
        device = nwb.create_device("amplifier")
        electrodes = nwb.create_electrode_group(group, description="depth", location="unknown", device=device)
        if labels is not None:
            nwb.add_electrode_column("label", "name of the contact")
        for column in columns or ():
            nwb.add_electrode_column(column, "what else is known")
        if bad is not None:
            nwb.add_electrode_column("bad", "not to be used")
        for index in range(num_channels):
            more = {} if bad is None else {"bad": bad[index]}
            more |= {} if positions is None else dict(zip("xyz", positions[index], strict=True))
            more |= {} if labels is None else {"label": labels[index]}
            more |= {column: values[index] for column, values in (columns or {}).items()}
            nwb.add_electrode(location="unknown", group=electrodes, **more)
        region = nwb.create_electrode_table_region(list(range(num_channels)), "all")
        for name, fields in series.items():
            nwb.add_acquisition(pynwb.ecephys.ElectricalSeries(name=name, electrodes=region, **fields))
        if lfp is not None:
            module = nwb.create_processing_module("ecephys", "filtered")
            filtered = pynwb.ecephys.ElectricalSeries(name="filtered", electrodes=region, **lfp)
            module.add(pynwb.ecephys.LFP(electrical_series=filtered))
        for table_name, rows, texts in intervals:
            table = pynwb.epoch.TimeIntervals(name=table_name, description="intervals")
            if texts:
                table.add_column("label", "kind")
            for index, (start, stop) in enumerate(rows):
                table.add_row(start_time=start, stop_time=stop, **({"label": texts[index]} if texts else {}))
            nwb.add_time_intervals(table)
        if extra is not None:
            extra(nwb)
        path = tmp_path / "rec.nwb"
        with pynwb.NWBHDF5IO(path, "w") as io:
            io.write(nwb)
        return path

    return write


def test_conversion_channel_conversion_and_offset(write_nwb, sines):
    signal = sines(3, 10, 200.0)
    gains = np.array([1.0, 2.0, 4.0])
    stored = ((signal * 1e-6 - 5e-6) / (1e-9 * gains[:, None])).T
    path = write_nwb(
        {"ieeg": {"data": stored, "rate": 200.0, "conversion": 1e-9, "channel_conversion": gains, "offset": 5e-6}}
    )
    recording = open_recording(path)
    assert (recording.subject, recording.sampling_rate, recording.duration) == ("P9", 200.0, 10.0)
    assert recording.channel_names == ["LA1", "LA2", "LA3"]
    assert recording.channel_types == ["seeg"] * 3
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 400:600], atol=1e-3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(2, 3), recording.read(2, 3))


def test_bad_electrodes_and_grids(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    recording = open_recording(write_nwb({"ieeg": fields}, group="grid ecog", bad=[False, True, False]))
    assert (recording.channel_names, recording.channel_types) == (["LA1", "LA3"], ["ecog", "ecog"])
    assert recording.excluded_channels == {"LA2": "marked bad"}
    np.testing.assert_allclose(recording.read(0, 1), sines(3, 10, 200.0)[[0, 2], :200], atol=1e-3)


def test_time_intervals_become_seizures_counted_from_the_first_sample(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0, "starting_time": 100.0}
    path = write_nwb(
        {"ieeg": fields},
        intervals=[
            ("seizures", [(102.0, 104.0)], None),
            ("states", [(100.0, 101.0), (105.0, 107.5)], ["interictal", "seizure"]),
            ("stimuli", [(101.0, 109.0)], None),
        ],
    )
    assert open_recording(path).seizures == [(2.0, 4.0, None), (5.0, 7.5, None)]
    assert open_recording(path, event_types={"stimuli": "seizure", "s*": "ignore"}).seizures == [(1.0, 9.0, None)]


def test_timestamps(write_nwb, sines):
    signal = sines(3, 10, 200.0)
    times = 50 + np.arange(2000) / 200
    path = write_nwb(
        {"ieeg": {"data": signal.T * 1e-6, "timestamps": times}}, intervals=[("seizures", [(52.0, 53.0)], None)]
    )
    recording = open_recording(path)
    assert recording.sampling_rate == pytest.approx(200.0)
    assert recording.seizures == [(pytest.approx(2.0), pytest.approx(3.0), None)]


def test_repeated_labels_stay_apart(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    with pytest.warns(UserWarning, match="more than once"):
        recording = open_recording(write_nwb({"ieeg": fields}, labels=("B", "B", "C"), bad=[False, True, False]))
    assert recording.channel_names == ["B-0", "C"]
    assert recording.excluded_channels == {"B-1": "marked bad"}


def test_processed_signals_are_read_where_nothing_else_is(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    slower = {**fields, "rate": 100.0}
    assert open_recording(write_nwb({}, lfp=slower)).sampling_rate == 100.0
    path = write_nwb({"raw": fields}, lfp=slower)
    assert open_recording(path).sampling_rate == 200.0
    assert open_recording(path, electrical_series="filtered").sampling_rate == 100.0


def test_series_with_the_same_name_are_told_apart_by_what_holds_them(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    path = write_nwb({"filtered": fields}, lfp={**fields, "rate": 100.0})
    with pytest.raises(ValueError, match=r"several ElectricalSeries 'filtered'; .*LFP/filtered.*acquisition/filtered"):
        open_recording(path, electrical_series="filtered")
    assert open_recording(path, electrical_series="LFP/filtered").sampling_rate == 100.0
    assert open_recording(path, electrical_series="acquisition/filtered").sampling_rate == 200.0


@pytest.mark.parametrize(
    ("version", "message"),
    [("NWB-1.0.6", "is of NWB 1.0.6, and only NWB 2 is read"), (None, "states no version of NWB")],
)
def test_a_file_of_another_version(tmp_path, version, message):
    with h5py.File(tmp_path / "rec.nwb", "w") as file:
        file["acquisition/x"] = [1.0]
        if version:
            file["nwb_version"] = version
    with pytest.raises(ValueError, match=rf"rec\.nwb {message}; write it anew with pynwb, or"):
        open_recording(tmp_path / "rec.nwb")


def test_the_name_of_a_contact_in_the_laboratory(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    path = write_nwb({"ieeg": fields}, labels=None, columns={"origchannel_name": ["LH1", "LH2", "LH3"]})
    assert open_recording(path).channel_names == ["LH1", "LH2", "LH3"]


def test_several_series_and_none(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0}
    path = write_nwb({"macro": fields, "micro": {**fields, "rate": 100.0}})
    with pytest.raises(ValueError, match=r"\['macro', 'micro'\].*electrical_series="):
        open_recording(path)
    assert open_recording(path, electrical_series="micro").sampling_rate == 100.0
    with pytest.raises(ValueError, match=r"no ElectricalSeries 'meso'"):
        open_recording(path, electrical_series="meso")
    with pytest.raises(ValueError, match="has no ElectricalSeries"):
        open_recording(write_nwb({}))


def test_text_named_as_nwb(tmp_path):
    (tmp_path / "x.nwb").write_text("no HDF5")
    with pytest.raises(ValueError, match=r"x.nwb cannot be read as a .nwb recording"):
        open_recording(tmp_path / "x.nwb")


def test_without_pynwb_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.nwb").write_text("no HDF5")
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(ImportError, match=r"pip install 'brant_hf\[nwb\]'"):
        open_recording(tmp_path / "x.nwb")


@pytest.mark.parametrize("unit_m", [1.0, 1e-3, 1e-6])
def test_start_and_positions(write_nwb, sines, unit_m):
    metres = np.array([[0.03, -0.02, 0.05], [0.031, -0.02, 0.05], [np.nan] * 3])
    data = {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0, "starting_time": 5.0}
    opened = open_recording(write_nwb({"ieeg": data}, positions=metres / unit_m))
    assert opened.start_date == datetime(2020, 1, 1, 0, 0, 5, tzinfo=UTC)
    np.testing.assert_allclose(opened.positions, metres, rtol=1e-5)


def _fields(sines, **more) -> dict:
    return {"data": sines(3, 10, 200.0).T * 1e-6, "rate": 200.0, **more}


NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("good", ["True", "False", "True"]),
        ("good", [1, 0, 1]),
        ("good", [NAN, 0.0, 1.0]),
        ("is_good", ["yes", "no", "n/a"]),
        ("Bad", ["False", "True", ""]),
        ("bad", [NAN, 1.0, NAN]),
        ("bad_channel", ["0", "1.0", "0"]),
        ("is_bad", [False, True, False]),
        ("quality", ["good", "bad", "good"]),
        ("channel_quality", [True, False, True]),
        ("status", ["ok", "noisy", "unknown"]),
    ],
)
def test_flags_mean_what_they_say(write_nwb, sines, column, values):
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, columns={column: values}))
    assert recording.excluded_channels == {"LA2": "marked bad"}


def test_a_score_is_no_flag_and_an_unclear_flag_is_told(write_nwb, sines, recwarn):
    assert open_recording(write_nwb({"i": _fields(sines)}, columns={"quality": [0.2, 3.0, 1.5]})).num_channels == 3
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"'bad' of the electrodes table says perhaps"):
        assert open_recording(write_nwb({"i": _fields(sines)}, columns={"bad": ["no", "perhaps", "no"]})).num_channels


def test_names_come_from_the_column_that_tells_contacts_apart(write_nwb, sines):
    path = write_nwb({"ieeg": _fields(sines)}, labels=("LA", "LA", "LA"), columns={"Contact": ["LA1", "LA2", "LA3"]})
    assert open_recording(path).channel_names == ["LA1", "LA2", "LA3"]
    assert open_recording(write_nwb({"ieeg": _fields(sines)}, labels=None)).channel_names == ["LA0", "LA1", "LA2"]


def test_a_type_for_each_electrode_is_obeyed(write_nwb, sines):
    path = write_nwb({"ieeg": _fields(sines)}, columns={"channel_type": ["depth", "EKG", "strip"]})
    recording = open_recording(path)
    assert (recording.channel_names, recording.channel_types) == (["LA1", "LA3"], ["seeg", "ecog"])


def _table(name, rows, **columns):
    table = pynwb.epoch.TimeIntervals(name=name, description="x")
    for column in columns:
        table.add_column(column, "x")
    for index, (start, stop) in enumerate(rows):
        table.add_row(start_time=start, stop_time=stop, **{column: cells[index] for column, cells in columns.items()})
    return table


def _notes(texts, times):
    return pynwb.misc.AnnotationSeries(name="notes", data=texts, timestamps=times)


def _events_table(texts, times):
    from hdmf.common import DynamicTable, VectorData

    columns = [
        VectorData(name="onset", description="x", data=times),
        VectorData(name="what", description="x", data=texts),
    ]
    return DynamicTable(name="clinical", description="x", columns=columns)


@pytest.mark.parametrize("place", ["acquisition", "scratch", "stimulus", "analysis", "processing"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: _notes(["seizure onset", "seizure offset"], [5.0, 9.0]),
        lambda: _table("seizures", [(5.0, 9.0)]),
        lambda: _table("SeizureIntervals", [(5.0, 9.0)], side=["left"]),
        lambda: _table("states", [(0.0, 4.0), (5.0, 9.0)], score=[1, 2], remark=["awake", "seizure"]),
        lambda: _events_table(["seizure onset", "seizure offset"], [5.0, 9.0]),
        lambda: pynwb.misc.IntervalSeries(name="seizures", data=[1, -1], timestamps=[5.0, 9.0]),
    ],
)
def test_events_count_wherever_they_stand(write_nwb, sines, place, make):
    def add(nwb):
        if place == "processing":
            nwb.create_processing_module("behavior", "x").add(make())
        elif place == "scratch":
            nwb.add_scratch(make())
        elif place == "stimulus" and not isinstance(make(), pynwb.base.TimeSeries):
            nwb.add_stimulus(make())
        else:
            {"acquisition": nwb.add_acquisition, "stimulus": nwb.add_stimulus, "analysis": nwb.add_analysis}[place](
                make()
            )

    assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=add)).seizures == [(5.0, 9.0, None)]


def test_a_doubt_in_another_column_counts(write_nwb, sines):
    table = _table("events", [(1.0, 2.0), (3.0, 4.0)], label=["seizure", "seizure"], remark=["possible", "left"])
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, extra=lambda nwb: nwb.add_time_intervals(table)))
    assert (recording.seizures, recording.uncertain) == ([(3.0, 4.0, None)], [(1.0, 2.0, None)])


@pytest.mark.parametrize(("no", "yes"), [(False, True), (0, 1)])
def test_a_column_of_yes_and_no_tells_which_interval_is_a_seizure(write_nwb, sines, no, yes):
    def add(nwb):
        table = pynwb.epoch.TimeIntervals(name="labels", description="intervals")
        table.add_column("is_seizure", "whether it is one")
        for start, value in ((1.0, no), (4.0, yes)):
            table.add_row(start_time=start, stop_time=start + 2, is_seizure=value)
        nwb.add_time_intervals(table)

    path = write_nwb({"ieeg": _fields(sines)}, extra=add)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*seizure")
        assert open_recording(path).seizures == [(4.0, 6.0, None)]


def test_seizures_name_their_channels(write_nwb, sines):
    table = _table("seizures", [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)], channels=["LA1, LA3", "all", "LA2"])
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, extra=lambda nwb: nwb.add_time_intervals(table)))
    assert recording.seizures == [(1.0, 2.0, ["LA1", "LA3"]), (3.0, 4.0, None), (5.0, 6.0, ["LA2"])]


def test_invalid_times_are_gaps(write_nwb, sines):
    def mark(nwb):
        for start, stop in ((100.0, 101.0), (104.0, 106.0), (105.0, 107.0), (109.5, 300.0)):
            nwb.add_invalid_time_interval(start, stop)

    recording = open_recording(write_nwb({"ieeg": _fields(sines, starting_time=100.0)}, extra=mark))
    assert recording.duration == 10.0
    assert recording.gaps == [(0.0, 1.0), (4.0, 7.0), (9.5, 10.0)]
    expected = sines(3, 10, 200.0)
    for start, stop in recording.gaps:
        expected[:, round(start * 200) : round(stop * 200)] = np.nan
    np.testing.assert_allclose(recording.read(), expected, atol=1e-3)


def test_invalid_times_of_another_series_do_not_count(write_nwb, sines):
    def mark(nwb):
        other = pynwb.base.TimeSeries(name="video", data=np.arange(10.0), unit="x", rate=1.0)
        nwb.add_acquisition(other)
        nwb.add_invalid_time_interval(2.0, 3.0, timeseries=[other])
        nwb.add_invalid_time_interval(5.0, 6.0, timeseries=[nwb.acquisition["ieeg"]])

    assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=mark)).gaps == [(5.0, 6.0)]


def test_a_recording_that_is_all_invalid_is_refused(write_nwb, sines):
    path = write_nwb({"ieeg": _fields(sines)}, extra=lambda nwb: nwb.add_invalid_time_interval(0.0, 10.0))
    with pytest.raises(ValueError, match=r"all of its 10\.0 s are marked as invalid"):
        open_recording(path)


def test_timestamps_with_gaps(write_nwb, sines):
    signal = sines(3, 10, 200.0)
    times = 50 + np.arange(2000) / 200
    times[1000:] += 3
    times[1500:] += 1
    times[[0, 700, 1999]] = np.nan
    path = write_nwb(
        {"ieeg": {"data": signal.T * 1e-6, "timestamps": times}}, intervals=[("seizures", [(59.0, 60.0)], None)]
    )
    recording = open_recording(path)
    assert (recording.sampling_rate, recording.duration) == (200.0, pytest.approx(14.0, abs=0.01))
    assert recording.gaps == [(5.0, 8.0), (10.5, 11.5)]
    assert recording.seizures == [(pytest.approx(9.0), pytest.approx(10.0), None)]
    np.testing.assert_allclose(recording.read(8, 10.5), signal[:, 1000:1500], atol=1e-3)
    assert np.isnan(recording.read(5, 8)).all()


@pytest.mark.parametrize("unit", ["uV", "microvolts", "mV"])
def test_the_unit_that_stands_in_the_file_is_passed_on(write_nwb, sines, unit):
    import h5py

    from brant_hf.data.recordings.readers.nwb import nwb_source

    path = write_nwb({"ieeg": _fields(sines)})
    with h5py.File(path, "a") as file:
        file["acquisition/ieeg/data"].attrs["unit"] = unit
    assert nwb_source(path).unit == unit


def test_channels_first_is_turned_with_a_warning(write_nwb, sines, recwarn):
    signal = sines(3, 10, 200.0)
    path = write_nwb({"ieeg": {"data": signal * 1e-6, "rate": 200.0, "channel_conversion": [1.0, 2.0, 1.0]}})
    recwarn.clear()
    recording = open_recording(path)
    assert ["channels, samples" in str(warning.message) for warning in recwarn.list] == [True]
    np.testing.assert_allclose(recording.read(2, 3), signal[:, 400:600] * [[1], [2], [1]], atol=1e-3)
    with pytest.raises(ValueError, match=r"shape \(2000, 2\), but 3 electrodes"):
        open_recording(write_nwb({"ieeg": {"data": signal[:2].T * 1e-6, "rate": 200.0}}))


def test_a_series_in_a_container_is_derived_from_the_one_beside_it(write_nwb, sines):
    def add(nwb):
        region = nwb.create_electrode_table_region([0, 1, 2], "all")
        slow = pynwb.ecephys.ElectricalSeries(name="slow", electrodes=region, **_fields(sines) | {"rate": 100.0})
        nwb.add_acquisition(pynwb.ecephys.LFP(electrical_series=slow))

    assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=add)).sampling_rate == 200.0
    assert open_recording(write_nwb({}, extra=add)).sampling_rate == 100.0


def test_a_plain_series_is_read_when_named(write_nwb, sines):
    def add(nwb):
        nwb.add_acquisition(pynwb.base.TimeSeries(name="raw", unit="volts", **_fields(sines)))

    path = write_nwb({}, extra=add)
    with pytest.raises(ValueError, match=r"no ElectricalSeries.*\['raw'\].*electrical_series="):
        open_recording(path)
    recording = open_recording(path, electrical_series="raw")
    np.testing.assert_allclose(recording.read(2, 3), sines(3, 10, 200.0)[:, 400:600], atol=1e-3)


def test_a_cut_file_is_told_and_the_library_is_quiet(write_nwb, sines, recwarn):
    path = write_nwb({"ieeg": _fields(sines)}, subject="P1")
    recwarn.clear()
    open_recording(path)
    assert not recwarn.list
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"rec.nwb cannot be read.*truncated"):
        open_recording(path)


def test_without_a_subject_the_name_of_the_file_is_taken(write_nwb, sines):
    with pytest.warns(UserWarning, match="does not tell its subject"):
        assert open_recording(write_nwb({"ieeg": _fields(sines)}, subject=None)).subject == "rec"


def test_compressed_and_linked_samples(write_nwb, sines, tmp_path):
    signal = sines(3, 10, 200.0)
    data = pynwb.H5DataIO(signal.T * 1e-6, compression="gzip", chunks=(100, 3))
    inside = write_nwb({"ieeg": {"data": data, "rate": 200.0}}).rename(tmp_path / "samples.nwb")
    np.testing.assert_allclose(open_recording(inside).read(2, 3), signal[:, 400:600], atol=1e-3)
    with pynwb.NWBHDF5IO(inside, "r") as io:
        linked = {"data": pynwb.H5DataIO(io.read().acquisition["ieeg"].data, link_data=True), "rate": 200.0}
        path = write_nwb({"ieeg": linked})
    np.testing.assert_allclose(open_recording(path).read(2, 3), signal[:, 400:600], atol=1e-3)
    inside.unlink()
    with pytest.raises((ValueError, OSError), match=r"rec"):
        open_recording(path)


@pytest.mark.parametrize("factor", [0.0, float("nan")])
def test_a_conversion_that_was_not_entered_silences_no_channel(write_nwb, sines, factor):
    signal = sines(3, 10, 200.0)
    fields = {"data": np.round(signal.T * 100).astype("i2"), "rate": 200.0, "conversion": 1e-8}
    path = write_nwb({"ieeg": {**fields, "channel_conversion": [1.0, factor, 1.0]}})
    with pytest.warns(UserWarning, match="no units conversion factor is entered for LA2"):
        recording = open_recording(path, unit={"LA2": "nV", "LA1": "V", "LA3": "V"})
    np.testing.assert_allclose(recording.read(0, 1)[[0, 2]], signal[[0, 2], :200], atol=0.01)
    # 100 units are a microvolt, and here each is said to be a nanovolt.
    np.testing.assert_allclose(recording.read(0, 1)[1], signal[1, :200] / 10, atol=0.001)


def test_factors_that_are_not_one_for_each_channel_are_refused(write_nwb, sines):
    path = write_nwb({"ieeg": {**_fields(sines), "channel_conversion": [1.0, 2.0]}})
    with pytest.raises(ValueError, match="3 channels but 2 factors in channel_conversion"):
        open_recording(path)


def test_a_rate_that_is_no_number_is_refused(write_nwb, sines):
    path = write_nwb({"ieeg": _fields(sines)})
    with h5py.File(path, "a") as file:
        file["acquisition/ieeg/starting_time"].attrs["rate"] = np.nan
    with pytest.raises(ValueError, match="has to be a positive number of Hz, got nan"):
        open_recording(path)
    assert open_recording(path, sampling_rate=200.0).duration == 10.0


def test_times_since_1970_tell_no_start(write_nwb, sines):
    fields = {"data": sines(3, 10, 200.0).T * 1e-6, "timestamps": 1.6e9 + np.arange(2000) / 200}
    recording = open_recording(write_nwb({"ieeg": fields}, intervals=[("seizures", [(1.6e9 + 2, 1.6e9 + 4)], None)]))
    assert recording.start_date is None
    assert recording.seizures == [(2.0, 4.0, None)]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (("onset_s", "offset_s"), (2.0, 4.0)),
        (("Start (ms)", "End (ms)"), (2000.0, 4000.0)),
        (("seizure_onset", "seizure_end"), (2.0, 4.0)),
        (("t_start", "t_stop"), (2.0, 4.0)),
        (("begin", "duration"), (2.0, 2.0)),
    ],
)
def test_a_table_of_seizures_with_other_columns(write_nwb, sines, columns, values):
    from hdmf.common import DynamicTable, VectorData

    def add(nwb):
        told = [VectorData(name, "x", data=[value]) for name, value in zip(columns, values, strict=True)]
        nwb.create_processing_module("behavior", "x").add(DynamicTable("seizures", "x", columns=told))

    assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=add)).seizures == [(2.0, 4.0, None)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["yes", "no"], [(2.0, 4.0, None)]),
        (["False", "True"], [(6.0, 8.0, None)]),
        ([1, 2], [(2.0, 4.0, None), (6.0, 8.0, None)]),
    ],
)
def test_a_column_that_answers_or_numbers_seizures(write_nwb, sines, answers, expected):
    def add(nwb):
        nwb.add_epoch_column("is_seizure", "x")
        for start, answer in zip((2.0, 6.0), answers, strict=True):
            nwb.add_epoch(start, start + 2, is_seizure=answer)

    assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=add)).seizures == expected


def _scratch(nwb):
    nwb.add_scratch(np.array([[2.0, 4.0]]), name="seizure_times", description="x")


def _states(nwb):
    nwb.add_acquisition(pynwb.TimeSeries("seizure", np.repeat([0, 1, 0], 100), unit="bool", rate=30.0))


def _in_samples(nwb):
    from hdmf.common import DynamicTable, VectorData

    columns = [VectorData(name, "x", data=[400]) for name in ("onset_sample", "offset_sample")]
    nwb.create_processing_module("behavior", "x").add(DynamicTable("seizures", "x", columns=columns))


def _times_of_day(nwb):
    from hdmf.common import DynamicTable, VectorData

    columns = [VectorData(name, "x", data=["10:00:02"]) for name in ("onset", "offset")]
    nwb.create_processing_module("behavior", "x").add(DynamicTable("seizures", "x", columns=columns))


def _identifiers(nwb):
    nwb.add_epoch_column("seizure_id", "x")
    nwb.add_epoch(2.0, 4.0, seizure_id=3)


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (_scratch, "seizure_times speaks of seizures by the name and cannot be read"),
        (_states, "seizure speaks of seizures by the name and cannot be read"),
        (_in_samples, "seizures speaks of seizures by the name and cannot be read"),
        (_times_of_day, "table seizures of the file is passed over: .*not the time of day"),
        (_identifiers, "table epochs tells of no seizure, but its 'seizure_id' is about some"),
    ],
)
def test_what_is_called_after_seizures_and_not_read_is_told(write_nwb, sines, add, told):
    with pytest.warns(UserWarning, match=told):
        assert open_recording(write_nwb({"ieeg": _fields(sines)}, extra=add)).seizures == []


def test_contacts_without_names_are_told_and_numbers_in_groups_read(write_nwb, sines):
    with pytest.warns(UserWarning, match=r"names no contacts, .* \(LA0, LA1, LA2\), which is not that of a contact"):
        open_recording(write_nwb({"ieeg": _fields(sines)}, labels=None))
    path = write_nwb({}, labels=None, num_channels=1, columns={"contact": [1]}, extra=_two_shafts)
    assert open_recording(path).channel_names == ["L1", "L2", "R1", "R2"]


def _two_shafts(nwb):
    for name in "LR":
        group = nwb.create_electrode_group(name, description="depth", location="x", device=nwb.devices["amplifier"])
        for number in (1, 2):
            nwb.add_electrode(location="x", group=group, contact=number)
    region = nwb.create_electrode_table_region(list(range(1, 5)), "all")
    data = np.random.default_rng(0).normal(0, 50e-6, (2000, 4))
    nwb.add_acquisition(pynwb.ecephys.ElectricalSeries("shafts", data, region, rate=200.0))


def test_a_group_of_the_heart_is_left_out(write_nwb, sines):
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, columns={"modality": ["SEEG", "ECG", "SEEG"]}))
    assert recording.excluded_channels == {"LA2": "ecg channel"}
    with pytest.raises(ValueError, match=r"LA1 \(ekg channel\)"):
        open_recording(write_nwb({"ieeg": _fields(sines)}, group="EKG"))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("status", ["good", "bad: flat", "good"]),
        ("status", ["good", "disconnected", "good"]),
        ("rejected", [False, True, False]),
        ("valid", [True, False, True]),
    ],
)
def test_further_words_for_bad_contacts(write_nwb, sines, column, values):
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, columns={column: values}))
    assert recording.excluded_channels == {"LA2": "marked bad"}


def _without_electrodes(file):
    del file["acquisition/ieeg/electrodes"]


def _with_an_extension(file):
    file["acquisition/ieeg"].attrs.update({"neurodata_type": "Other", "namespace": "ndx-other"})


def _of_version_1(file):
    file.attrs["nwb_version"] = "1.0.6"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _without_electrodes,
            r"is no valid NWB: its ElectricalSeries cannot be read \(missing argument 'electrodes'\);",
        ),
        (_with_an_extension, "is written with the extension ndx-other of NWB, whose description it does not hold"),
        (_of_version_1, r"is of NWB 1\.0\.6, and only NWB 2 is read"),
    ],
)
def test_what_pynwb_cannot_put_together_is_told_in_one_line(write_nwb, sines, change, message):
    path = write_nwb({"ieeg": _fields(sines)})
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=message) as error:
        open_recording(path)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("column", ["ch_name", "my_names", "bids_label"])
def test_contacts_in_a_column_of_another_name(write_nwb, sines, column, recwarn):
    columns = {"hemisphere": ["L", "L", "R"], "channel": [7, 8, 9], column: ["LH1", "LH2", "RH1"]}
    recording = open_recording(write_nwb({"ieeg": _fields(sines)}, labels=None, columns=columns))
    assert recording.channel_names == ["LH1", "LH2", "RH1"]
    assert not [each for each in recwarn if "names no contacts" in str(each.message)]


def test_rows_of_electrodes_that_a_seizure_names_have_the_names_of_the_channels(write_nwb, sines):
    from hdmf.common import DynamicTable, DynamicTableRegion, VectorData, VectorIndex

    def add(nwb):
        region = DynamicTableRegion(name="electrodes", data=[2], description="x", table=nwb.electrodes)
        columns = [VectorData("onset", "x", data=[2.0]), VectorData("offset", "x", data=[4.0])]
        columns += [region, VectorIndex("electrodes_index", target=region, data=[1])]
        nwb.create_processing_module("behavior", "x").add(DynamicTable("seizures", "x", columns=columns))

    # The shaft alone does not tell contacts apart, as a single row could make believe.
    columns = {"label": ["LA", "LA", "LA"], "ch_name": ["LA1", "LA2", "LA3"]}
    path = write_nwb({"ieeg": _fields(sines)}, labels=None, columns=columns, extra=add)
    assert open_recording(path).seizures == [(2.0, 4.0, ["LA3"])]
