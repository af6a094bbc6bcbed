"""Recordings drawn at random, written by the libraries of their formats, are read back as they were written."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.data.recordings.recording import Recording

pytestmark = pytest.mark.filterwarnings("ignore")

SHAFTS = ["LA", "RH", "A'", "CO", "SPO", "TEMP", "AC", "ILI", "G_A", "Tm", "O'"]
FRAMES = ["{}", "{}", "EEG {}-Ref", "POL {}", "SEEG {}"]
OTHERS = ["EKG1", "DC01", "SpO2", "EMG left", "Event marker"]
REMARKS = ["eyes open", "stim on, 50 Hz; 3 mA", "Augen öffnen", "睁眼", "línea basal", "café\tpause", "50 µA"]
PER_UNIT = {"uV": 1.0, "mV": 1e-3, "V": 1e-6}
LARGEST = 3000  # [microvolts]


@dataclass
class Remark:
    onset: float
    duration: float
    text: str
    channels: list[str] | None = None


@dataclass
class Drawn:
    """What is written: samples [microvolts] on the clock of the recording, NaN in the gaps, of every channel."""

    names: list[str]
    neural: list[bool]
    units: list[str]
    rate: float
    block: int
    signal: np.ndarray
    segments: list[tuple[int, int]]
    remarks: list[Remark]
    subject: str
    start: datetime
    random: np.random.Generator = field(repr=False)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        pairs = zip(self.segments[:-1], self.segments[1:], strict=True)
        return [((place + length) / self.rate, after / self.rate) for (place, length), (after, _) in pairs]

    @property
    def stored(self) -> np.ndarray:
        """Samples as a file without a clock holds them."""
        return np.concatenate([self.signal[:, place : place + length] for place, length in self.segments], axis=1)

    def times(self) -> np.ndarray:
        """When each stored sample was taken [s]."""
        return np.concatenate([np.arange(place, place + length) for place, length in self.segments]) / self.rate

    def parts(self) -> list[tuple[int, int]]:
        """Where each part begins: among all samples and among those stored."""
        stored = np.cumsum([0, *(length for _, length in self.segments)])
        return [(place, int(first)) for (place, _), first in zip(self.segments, stored, strict=False)]

    def onsets_in_stored(self) -> list[float]:
        """Onsets of the remarks [s] where only what was recorded is counted."""
        onsets = []
        for remark in self.remarks:
            place, stored = max(part for part in self.parts() if part[0] <= round(remark.onset * self.rate))
            onsets.append(remark.onset - (place - stored) / self.rate)
        return onsets

    def in_units(self, samples: np.ndarray) -> np.ndarray:
        return samples * np.array([PER_UNIT[unit] for unit in self.units])[:, None]


def draw(
    seed: int,
    *,
    gaps: bool = False,
    whole_gaps: bool = False,
    across_gaps: bool = True,
    units: Sequence[str] = ("uV", "mV", "V"),
    remarks: Sequence[str] = REMARKS,
    channels_of_remarks: bool = False,
) -> Drawn:
    """Draw a recording.

    Gaps are whole blocks for `whole_gaps`; remarks end before the next gap where not `across_gaps`.
    """
    random = np.random.default_rng(seed)
    rate = float(random.choice([200, 250, 256, 400, 512]))
    names, neural = _draw_names(random)
    blocks = int(random.integers(12, 18))
    cuts = sorted(random.choice(np.arange(2, blocks - 1), size=random.integers(1, 4), replace=False)) if gaps else []
    block = int(rate)
    segments, place = [], 0
    for first, last in zip([0, *cuts], [*cuts, blocks], strict=True):
        segments.append((place, int(last - first) * block))
        missing = random.integers(1, 3) * block if whole_gaps else random.integers(0.3 * rate, 2.5 * rate)
        place += segments[-1][1] + int(missing)
    total = sum(segments[-1])
    signal = np.full((len(names), total), np.nan)
    for first, length in segments:
        deviations = random.uniform(10, 300, (len(names), 1))
        signal[:, first : first + length] = random.normal(0, deviations, (len(names), length))
    return Drawn(
        names=names,
        neural=neural,
        units=list(random.choice(units, len(names)) if seed % 2 else [random.choice(units)] * len(names)),
        rate=rate,
        block=block,
        signal=np.clip(signal, -0.9 * LARGEST, 0.9 * LARGEST),
        segments=segments,
        remarks=_draw_remarks(
            random, [(0, total)] if across_gaps else segments, rate, remarks, names if channels_of_remarks else None
        ),
        subject=f"MCH-{random.integers(1000, 9999)}",
        start=datetime(2019, 3, 1) + timedelta(seconds=float(random.integers(0, 10**7)) + 0.25),
        random=random,
    )


def _draw_names(random: np.random.Generator) -> tuple[list[str], list[bool]]:
    frame = str(random.choice(FRAMES))
    names = [
        frame.format(f"{shaft}{number}")
        for shaft in random.choice(SHAFTS, 2, replace=False)
        for number in range(1, random.integers(4, 6))
    ]
    others = [str(name) for name in random.choice(OTHERS, 2, replace=False)]
    order = random.permutation(len(names) + len(others))
    both = [*names, *others]
    return [both[place] for place in order], [bool(place < len(names)) for place in order]


def _draw_remarks(
    random: np.random.Generator,
    stretches: Sequence[tuple[int, int]],
    rate: float,
    texts: Sequence[str],
    names: Sequence[str] | None,
) -> list[Remark]:
    """Draw a seizure of at least 1 s and some other remarks, at whole samples."""
    drawn = []
    for text in ["Seizure", *random.choice(texts, random.integers(1, 5))]:
        place, length = stretches[random.integers(len(stretches))]
        onset = int(random.integers(place, place + length - 1.5 * rate))
        longest = place + length - onset
        duration = int(random.integers(rate, longest)) if text == "Seizure" or random.random() < 0.5 else 0
        drawn.append(Remark(onset / rate, duration / rate, str(text)))
    if names is not None:
        drawn[0].channels = list(random.choice(names, 3, replace=False))
    return drawn


def assert_read_back(
    recording: Recording, drawn: Drawn, resolution: float, *, subject: bool = True, start: bool = True
) -> None:
    names = [name for name, neural in zip(drawn.names, drawn.neural, strict=True) if neural]
    assert sorted(recording.channel_names) == sorted(names)
    assert set(drawn.names) - set(names) <= set(recording.excluded_channels)
    assert recording.sampling_rate == pytest.approx(drawn.rate, rel=1e-9)
    assert recording.num_samples == drawn.signal.shape[1]
    assert len(recording.gaps) == len(drawn.gaps)
    assert np.allclose(recording.gaps, drawn.gaps, atol=0.1 / drawn.rate)
    written = drawn.signal[[drawn.names.index(name) for name in recording.channel_names]]
    np.testing.assert_allclose(recording.read(), written, rtol=0, atol=resolution)
    _assert_remarks(recording, drawn)
    if subject:
        assert recording.subject == drawn.subject
    if start:
        assert recording.start_date is not None
        assert abs((recording.start_date.replace(tzinfo=None) - drawn.start).total_seconds()) < 1e-3


def _assert_remarks(recording: Recording, drawn: Drawn) -> None:
    half_a_sample = 0.5 / drawn.rate
    for remark in drawn.remarks:
        # Some formats put the kind of a remark before its text.
        near = [row for row in recording.events if row.text.rpartition("/")[2] == remark.text]
        assert any(
            abs(row.onset - remark.onset) < half_a_sample
            and abs(np.nan_to_num(row.duration) - remark.duration) < half_a_sample
            for row in near
        ), (remark, recording.events)
    seizure = drawn.remarks[0]
    channels = None
    if seizure.channels is not None:
        channels = {name for name in seizure.channels if name in recording.channel_names}
    if channels == set():
        assert recording.seizures == []
        return
    # Some formats have a row for each channel.
    assert recording.seizures
    for onset, offset, _ in recording.seizures:
        assert onset == pytest.approx(seizure.onset, abs=half_a_sample)
        assert offset == pytest.approx(seizure.onset + seizure.duration, abs=half_a_sample)
    where = [names for _, _, names in recording.seizures]
    assert (None if None in where else {name for names in where for name in names}) == channels


def write_edf(path: Path, drawn: Drawn) -> None:
    """Write EDF+ or BDF+ with edfio; some signals that are not neural get another rate."""
    made, kind = (edfio.Bdf, edfio.BdfSignal) if path.suffix == ".bdf" else (edfio.Edf, edfio.EdfSignal)
    step = int(drawn.random.choice([1, 2, 4]))
    signals = [
        kind(
            values if neural else values[:: step if drawn.block % step == 0 else 1],
            drawn.rate if neural or drawn.block % step else drawn.rate / step,
            label=name,
            physical_dimension=unit,
            physical_range=(-LARGEST * PER_UNIT[unit], LARGEST * PER_UNIT[unit]),
        )
        for name, neural, unit, values in zip(
            drawn.names, drawn.neural, drawn.units, drawn.in_units(drawn.stored), strict=True
        )
    ]
    annotations = [edfio.EdfAnnotation(remark.onset, remark.duration or None, remark.text) for remark in drawn.remarks]
    if drawn.gaps:
        # Room for the times of records, which are longer after they are corrected; the first record keeps its time.
        annotations.append(edfio.EdfAnnotation(0.0, None, "room " * 30))
    made(
        signals,
        patient=edfio.Patient(code=drawn.subject),
        recording=edfio.Recording(startdate=drawn.start.date()),
        starttime=drawn.start.time(),
        data_record_duration=1,
        annotations=annotations,
    ).write(path)
    if drawn.gaps:
        _make_discontinuous(path, drawn)


def _make_discontinuous(path: Path, drawn: Drawn) -> None:
    """Give each record of a continuous file its own time: no library writes EDF+D."""
    content = bytearray(path.read_bytes())
    width = 3 if path.suffix == ".bdf" else 2
    count = int(content[252:256])
    sizes = [width * int(content[256 + 216 * count + 8 * k :][:8]) for k in range(count)]
    labels = [bytes(content[256 + 16 * k :][:16]).strip() for k in range(count)]
    content[192:197] = content[192:195] + b"+D"
    before = sum(sizes[: labels.index(content[192:195] + b" Annotations")])
    size = sizes[labels.index(content[192:195] + b" Annotations")]
    starts = [(place + k) / drawn.rate for place, length in drawn.segments for k in range(0, length, drawn.block)]
    for record, start in enumerate(starts):
        at = 256 * (count + 1) + record * sum(sizes) + before
        _, rest = bytes(content[at : at + size]).split(b"\x14", 1)
        own = f"+{round(start + 0.25, 6)}".encode() + b"\x14" + rest.rstrip(b"\0") + b"\0"
        assert len(own) <= size
        content[at : at + size] = own.ljust(size, b"\0")
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gaps", [False, True], ids=["continuous", "gaps"])
@pytest.mark.parametrize(("suffix", "resolution"), [(".edf", 0.05), (".bdf", 1e-3)])
def test_edf(tmp_path, seed, gaps, suffix, resolution):
    drawn = draw(seed, gaps=gaps)
    write_edf(tmp_path / f"rec{suffix}", drawn)
    assert_read_back(open_recording(tmp_path / f"rec{suffix}"), drawn, resolution)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gaps", [False, True], ids=["continuous", "pauses"])
def test_brainvision(tmp_path, seed, gaps):
    pybv = pytest.importorskip("pybv")
    drawn = draw(seed, gaps=gaps, across_gaps=False, channels_of_remarks=True)
    whole_numbers = seed % 3 == 2
    pybv.write_brainvision(
        data=drawn.stored * 1e-6,
        sfreq=drawn.rate,
        ch_names=drawn.names,
        fname_base="rec",
        folder_out=tmp_path,
        events=[
            {
                "onset": round(onset * drawn.rate),
                "duration": round(remark.duration * drawn.rate),
                "description": remark.text,
                "type": "Comment",
                "channels": remark.channels or "all",
            }
            for remark, onset in zip(drawn.remarks, drawn.onsets_in_stored(), strict=True)
        ],
        unit=[unit.replace("u", "µ") for unit in drawn.units],
        resolution=[0.1 * PER_UNIT[unit] for unit in drawn.units],
        fmt="binary_int16" if whole_numbers else "binary_float32",
        meas_date=drawn.start,
    )
    with (tmp_path / "rec.vmrk").open("a", encoding="utf-8") as markers:
        # The writer knows no pauses.
        for number, (place, stored) in enumerate(drawn.parts()[1:]):
            date = drawn.start + timedelta(seconds=place / drawn.rate)
            markers.write(f"Mk{900 + number}=New Segment,,{stored + 1},1,0,{date:%Y%m%d%H%M%S%f}\n")
    assert_read_back(open_recording(tmp_path / "rec.vhdr"), drawn, 0.101 if whole_numbers else 1e-3, subject=False)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut", [False, True], ids=["continuous", "boundaries"])
def test_eeglab(tmp_path, seed, cut):
    export_set = pytest.importorskip("eeglabio.raw").export_set
    drawn = draw(seed)
    rows = [(remark.text, remark.onset, remark.duration) for remark in drawn.remarks]
    if cut:
        # What was cut out is not in the file, whose times count what is left.
        rows.append(("boundary", 5.0, 30.0))
    texts, onsets, durations = zip(*sorted(rows, key=lambda row: row[1]), strict=True)
    export_set(
        str(tmp_path / "rec.set"),
        drawn.signal * 1e-6,
        drawn.rate,
        drawn.names,
        annotations=[list(texts), np.array(onsets), np.array(durations)],
        precision="double" if seed % 2 else "single",
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        recording = open_recording(tmp_path / "rec.set")
    assert_read_back(recording, drawn, 1e-3, subject=False, start=False)
    assert any("joined at 5.00 s" in str(warning.message) for warning in told) == cut


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gaps", [False, True], ids=["continuous", "skips"])
def test_fif(tmp_path, seed, gaps):
    # Skips that are no whole buffers are written as zeros, and only the annotation tells them.
    drawn = draw(seed, gaps=gaps, whole_gaps=seed % 2 == 0, channels_of_remarks=True)
    raw = _raw(drawn, first_samp=int(drawn.random.integers(0, 3)) * 1000)
    raw.save(tmp_path / "rec_raw.fif", buffer_size_sec=1.0, fmt="double" if seed % 3 else "single")
    assert_read_back(open_recording(tmp_path / "rec_raw.fif"), drawn, 1e-3)


def _raw(drawn: Drawn, first_samp: int = 0) -> mne.io.RawArray:
    types = ["seeg" if neural else "misc" for neural in drawn.neural]
    info = mne.create_info(drawn.names, drawn.rate, types)
    info["subject_info"] = {"his_id": drawn.subject}
    raw = mne.io.RawArray(np.nan_to_num(drawn.signal) * 1e-6, info, first_samp=first_samp)
    raw.set_meas_date(drawn.start.replace(tzinfo=UTC) - timedelta(seconds=first_samp / drawn.rate))
    rows = [*drawn.remarks, *(Remark(start, stop - start, "BAD_ACQ_SKIP") for start, stop in drawn.gaps)]
    return raw.set_annotations(
        mne.Annotations(
            [row.onset for row in rows],
            [row.duration for row in rows],
            [row.text for row in rows],
            ch_names=[row.channels or [] for row in rows],
        )
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gaps", [False, True], ids=["rate", "timestamps"])
def test_nwb(tmp_path, seed, gaps):
    pynwb = pytest.importorskip("pynwb")
    from pynwb.ecephys import ElectricalSeries
    from pynwb.epoch import TimeIntervals

    drawn = draw(seed, gaps=gaps)
    first = float(drawn.random.integers(0, 100))
    nwb = pynwb.NWBFile(
        "s", "id", (drawn.start - timedelta(seconds=first)).replace(tzinfo=UTC),
        subject=pynwb.file.Subject(subject_id=drawn.subject),
    )  # fmt: skip
    column = str(drawn.random.choice(["channel_name", "label", "electrode_name"]))
    nwb.add_electrode_column(column, "x")
    group = nwb.create_electrode_group("depth", "x", "x", nwb.create_device("d"))
    for name in drawn.names:
        nwb.add_electrode(group=group, location="x", **{column: name})
    nwb.add_acquisition(
        ElectricalSeries(
            "signals",
            drawn.in_units(drawn.stored).T,
            nwb.create_electrode_table_region(list(range(len(drawn.names))), "x"),
            conversion=1e-6,
            channel_conversion=[1 / PER_UNIT[unit] for unit in drawn.units],
            **({"timestamps": drawn.times() + first} if gaps else {"rate": drawn.rate, "starting_time": first}),
        )
    )
    table = TimeIntervals("remarks", "x")
    table.add_column("label", "x")
    for remark in drawn.remarks:
        onset = remark.onset + first
        table.add_row(start_time=onset, stop_time=onset + remark.duration, label=remark.text)
    if seed % 2:
        nwb.add_time_intervals(table)
    else:
        nwb.create_processing_module("behavior", "x").add(table)
    with pynwb.NWBHDF5IO(str(tmp_path / "rec.nwb"), "w") as file:
        file.write(nwb)
    assert_read_back(open_recording(tmp_path / "rec.nwb"), drawn, 1e-3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gaps", [False, True], ids=["continuous", "gaps"])
def test_mef3(tmp_path, seed, gaps):
    mef_session = pytest.importorskip("pymef.mef_session")
    # pymef cuts texts that are not in ASCII.
    drawn = draw(seed, gaps=gaps, remarks=[text for text in REMARKS if text.isascii()])
    session = mef_session.MefSession(str(tmp_path / "rec.mefd"), "", False, True)

    def moment(seconds: float) -> int:
        return round((drawn.start.replace(tzinfo=UTC).timestamp() + seconds) * 1e6)

    stop = moment(drawn.signal.shape[1] / drawn.rate)
    for name, unit, values in zip(drawn.names, drawn.units, drawn.signal, strict=True):
        described = {
            "sampling_frequency": drawn.rate,
            "units_conversion_factor": 0.01 * PER_UNIT[unit],
            "units_description": unit.encode(),
            "start_sample": 0,
            "number_of_samples": drawn.stored.shape[1],
            "recording_duration": stop - moment(0),
            "maximum_block_samples": drawn.block,
        }
        times = {"recording_time_offset": 0, "GMT_offset": 0, "subject_ID": drawn.subject.encode()}
        session.write_mef_ts_segment_metadata(name, 0, "", "", moment(0), stop, described, times)
        for part, (place, length) in enumerate(drawn.segments):
            stored = np.round(values[place : place + length] * 100).astype(np.int32)
            if part == 0:
                session.write_mef_ts_segment_data(name, 0, "", "", drawn.block, stored)
            else:
                session.append_mef_ts_segment_data(
                    name, 0, "", "", moment(place / drawn.rate), stop, drawn.block, stored, True
                )
    records = [
        {"type": "EDFA", "time": moment(r.onset), "duration": round(r.duration * 1e6), "text": r.text}
        for r in drawn.remarks
    ]
    session.write_mef_records("", "", moment(0), stop, 0, records)
    session.close()
    assert_read_back(open_recording(tmp_path / "rec.mefd"), drawn, 0.006)


@pytest.mark.parametrize("seed", range(5))
def test_bids(tmp_path, seed):
    mne_bids = pytest.importorskip("mne_bids")
    drawn = draw(seed)
    path = mne_bids.BIDSPath(subject="01", task="rest", datatype="ieeg", root=tmp_path / "set")
    written = mne_bids.write_raw_bids(_raw(drawn), path, format="EDF", allow_preload=True, verbose="error")
    recording = open_recording(written.fpath)
    assert recording.subject == "sub-01"
    assert_read_back(recording, drawn, 0.05, subject=False)
