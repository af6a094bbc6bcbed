import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path

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
    ) -> Path:
        nwb = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC))
        nwb.subject = pynwb.file.Subject(subject_id="P9", species="Homo sapiens")
        device = nwb.create_device("amplifier")
        electrodes = nwb.create_electrode_group(group, description="depth", location="unknown", device=device)
        nwb.add_electrode_column("label", "name of the contact")
        if bad is not None:
            nwb.add_electrode_column("bad", "not to be used")
        for index in range(num_channels):
            extra = {} if bad is None else {"bad": bad[index]}
            extra |= {} if positions is None else dict(zip("xyz", positions[index], strict=True))
            nwb.add_electrode(location="unknown", group=electrodes, label=labels[index], **extra)
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
    times[1000:] += 3
    with pytest.raises(ValueError, match=r"not evenly spaced.*gaps"):
        open_recording(write_nwb({"ieeg": {"data": signal.T * 1e-6, "timestamps": times}}))


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
