from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from brant_hf.data import open_recording
from brant_hf.data.recordings.recording import Recording
from brant_hf.detection import plot_overview, plots
from brant_hf.detection.interactive import event_figure
from brant_hf.detection.plots import DETECTED, MISSING, PROBABILITY_COLUMNS, REFERENCE, draw_overview
from brant_hf.detection.result import DetectionResult

STEP = 2.0


def recording_of(num_channels: int, duration: float, names: list[str] | None = None) -> Recording:
    """Silence, computed when it is read, with a tick of 100 microvolts every second."""

    def source(start: int, stop: int) -> np.ndarray:
        wave = 100.0 * (np.arange(start, stop) % 50 == 0)
        return np.tile(wave.astype(np.float32), (num_channels, 1))

    names = names or [f"{shaft}{number}" for shaft in "ABCDEFGHIJ" for number in range(1, 21)][:num_channels]
    return Recording("sub-01_ieeg", "01", names, 50.0, round(50 * duration), source)


def result_of(recording: Recording, events: list[tuple], rows: slice = slice(0, 3), **more) -> dict:
    """Events (onset, duration, confidence), with a probability as high as the confidence on some channels."""
    num_steps = int(np.ceil(recording.duration / STEP))
    times = (np.arange(num_steps) + 0.5) * STEP
    probabilities = np.full((len(recording.channel_names), num_steps), 0.05, dtype=np.float32)
    for onset, duration, confidence in events:
        probabilities[rows, (times > onset) & (times < onset + duration)] = confidence
    return {
        "probabilities": probabilities,
        "times": times,
        "channel_names": recording.channel_names,
        "recording_probability": probabilities.max(axis=0),
        "events": [
            {"onset": onset, "duration": duration, "confidence": confidence, "channels": recording.channel_names[rows]}
            for onset, duration, confidence in events
        ],
        **more,
    }


def drawn(recording: Recording, result: dict, reference: list[dict] | None = None) -> Figure:
    figure = draw_overview(recording, DetectionResult.of(recording, result, reference))
    figure.draw_without_rendering()
    return figure


def columns_of(figure: Figure) -> list[list]:
    """The panels (events, signals, channels, recording) of each column."""
    panels = figure.axes[:-1]  # the last is the colour bar
    return [panels[begin : begin + 4] for begin in range(0, len(panels), 4)]


def heat_map(axes) -> np.ndarray:
    (mesh,) = axes.collections[:1]
    return np.asarray(mesh.get_array()).reshape(mesh._coordinates.shape[0] - 1, -1)


def labels_of(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_writes_the_format_of_the_suffix(tmp_path: Path, suffix: str):
    recording = recording_of(8, 60)
    output = tmp_path / f"overview{suffix}"
    plot_overview(recording, result_of(recording, [(20.0, 10.0, 0.9)]), output)
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert output.read_bytes().startswith(starts[suffix.lower()])
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_draws_what_the_pipeline_takes(tmp_path: Path):
    signal = {"array": np.zeros((3, 5000), np.float32), "sampling_rate": 50.0, "channel_names": ["A1", "A2", "A3"]}
    plot_overview(signal, result_of(recording_of(3, 100.0), [(20, 10, 0.9)]), tmp_path / "overview.png")
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")


def test_a_short_event_of_a_long_recording_stays_visible():
    recording = recording_of(200, 24 * 3600)
    result = result_of(recording, [(40_000.0, 6.0, 0.9)], rows=slice(150, 152), threshold=0.4)
    whole, closer = columns_of(drawn(recording, result))
    cells = heat_map(whole[2])
    assert cells.shape[0] == 200
    assert cells.shape[1] <= PROBABILITY_COLUMNS
    assert (cells > 0.8).any(axis=1).nonzero()[0].tolist() == [150, 151]
    assert (cells > 0.8).any(axis=0).sum() == 1
    # The probability of the recording reaches the same height, and the threshold is drawn in both columns.
    assert whole[3].patches[0].get_data().values.max() == pytest.approx(0.9)
    for panels in (whole, closer):
        assert any(np.allclose(line.get_ydata(), 0.4) for line in panels[3].lines)
    # The closer look begins before the onset and ends after the offset.
    low, high = closer[1].get_xlim()
    assert low < 40_000 < 40_006 < high
    assert high - low < 60
    assert heat_map(closer[2])[150].max() == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("threshold", "names"), [(0.5, ["threshold\n0.5", "begin, end\n0.18"]), (0.3, ["threshold\n0.3"])]
)
def test_where_events_begin_and_end_is_drawn_below_the_threshold(threshold: float, names: list[str]):
    recording = recording_of(3, 100.0)
    settings = {"edge_threshold": 0.18}
    result = result_of(recording, [(20.0, 10.0, 0.9)], threshold=threshold, settings=settings)
    whole, closer = columns_of(drawn(recording, result))
    for panels in (whole, closer):
        assert [line.get_ydata()[0] for line in panels[3].lines[:2]] == [threshold, 0.18]
    assert [text.get_text() for text in whole[3].texts if len(text.get_text()) > 1] == names
    # A threshold below it leaves nothing between the two.
    low = result_of(recording, [(20.0, 10.0, 0.9)], threshold=0.1, settings=settings)
    assert DetectionResult.of(recording, low).edge_threshold is None


def test_signals_are_those_of_the_most_involved_channels():
    recording = recording_of(100, 600)
    result = result_of(recording, [(100.0, 30.0, 0.9)], rows=slice(40, 52))
    (_, signals, channels, _), _ = columns_of(drawn(recording, result))
    assert labels_of(signals.yaxis) == recording.channel_names[40:52]
    assert len(signals.lines) >= 12
    # 100 names do not fit: the shafts are named.
    assert labels_of(channels.yaxis) == ["A", "B", "C", "D", "E"]


def test_what_was_not_recorded_is_grey_and_the_headings_say_so():
    recording = recording_of(2, 60)
    result = result_of(recording, [(10.0, 20.0, 0.9)], rows=slice(0, 2))
    whole = DetectionResult.of(recording, {**result, "probabilities": result["probabilities"].copy()})
    result["probabilities"][1, 20:25] = np.nan
    view = DetectionResult.of(recording, result)
    channels = columns_of(drawn(recording, result))[0][2]
    assert channels.get_title("left") == "probability of each channel (grey: not recorded)"
    assert to_hex(channels.get_facecolor()) == to_hex(MISSING)
    assert "probability of each channel (grey: not recorded)" in headings_of(event_figure(recording, view))
    assert "probability of each channel" in headings_of(event_figure(recording, whole))


def headings_of(figure) -> list[str]:
    return [each.text for each in figure.layout.annotations]


@pytest.mark.parametrize("num_channels", [1, 8, 26])
def test_few_channels_are_all_named(num_channels: int):
    recording = recording_of(num_channels, 60)
    ((_, signals, channels, _),) = columns_of(drawn(recording, result_of(recording, [])))
    assert labels_of(channels.yaxis) == recording.channel_names
    assert len(labels_of(signals.yaxis)) == min(num_channels, 12)


def test_many_channels_without_shafts_are_named_in_part():
    recording = recording_of(120, 60, [f"{chr(65 + n % 26)}{n}x" for n in range(120)])
    labels = labels_of(columns_of(drawn(recording, result_of(recording, [])))[0][2].yaxis)
    assert labels == recording.channel_names[::5]


def test_events_and_reference_events_are_bars_of_two_colours():
    recording = recording_of(8, 600)
    events = [(40.0 + 10 * number, 4.0, 0.6 + 0.001 * number) for number in range(50)]
    reference = [{"onset": 43.0, "duration": 8.0}, {"onset": 300.0, "duration": 5.0, "channels": None}]
    (track, *_), (closer_track, *_) = columns_of(drawn(recording, result_of(recording, events), reference))
    assert labels_of(track.yaxis) == ["detected (50)", "reference (2)"]
    spans = {
        to_hex(bars.get_facecolor()[0]): [path.get_extents().intervalx for path in bars.get_paths()]
        for bars in track.collections
    }
    np.testing.assert_allclose(
        spans[DETECTED.lower()], [(onset, onset + duration) for onset, duration, _ in events], atol=1e-9
    )
    np.testing.assert_allclose(spans[REFERENCE.lower()], [(43, 51), (300, 305)])
    # The closer look is at the event of highest confidence, the last one.
    assert closer_track.get_title("left") == "Event 50 of 50 · 0:08:50.0 · 4 s · confidence 0.65"
    assert closer_track.get_xlim() == (520.0, 544.0)


def test_without_detected_events_the_first_missed_one_is_shown():
    recording = recording_of(8, 600)
    reference = [{"onset": 500.0, "duration": 20.0}, {"onset": 300.0, "duration": 20.0}]
    _, (track, *_) = columns_of(drawn(recording, result_of(recording, []), reference))
    assert track.get_title("left") == "Reference event 1 of 2 · 0:05:00.0 · 20 s"
    assert track.get_xlim() == (290.0, 330.0)


def test_without_any_event_the_highest_probability_is_shown():
    recording = recording_of(8, 600)
    result = result_of(recording, [(400.0, 2.0, 0.3)])
    _, (track, *_) = columns_of(drawn(recording, {**result, "events": []}))
    assert track.get_title("left") == "Highest probability, 0:06:41"
    assert track.get_xlim() == (371.0, 431.0)


@pytest.mark.parametrize(
    ("duration", "label", "ticks"),
    [
        (60, "time [s]", ["0", "10", "20", "30", "40", "50", "60"]),
        (600, "time [min]", ["0", "2", "4", "6", "8", "10"]),
        (86_400, "time [h]", ["0", "4", "8", "12", "16", "20", "24"]),
    ],
)
def test_the_unit_of_time_suits_the_length(duration, label, ticks):
    recording = recording_of(2, duration)
    course = columns_of(drawn(recording, result_of(recording, [])))[0][3]
    assert course.get_xlabel() == label
    assert labels_of(course.xaxis) == ticks


def test_the_scale_bar_is_as_long_as_it_says():
    signal = np.zeros((2, 6000), dtype=np.float32)
    signal[0] = 700 * np.sin(2 * np.pi * 5 * np.arange(6000) / 100)
    recording = open_recording(signal, 100, ["A1", "A2"], subject="01")
    ((_, signals, _, _),) = columns_of(drawn(recording, result_of(recording, [], rows=slice(0, 1))))
    (text,) = (text.get_text() for text in signals.texts if "V" in text.get_text())
    trace = signals.lines[0].get_ydata()
    bar = next(line.get_ydata() for line in signals.lines if not line.get_clip_on())
    assert text == "500 µV"
    assert (trace.max() - trace.min()) / (bar[0] - bar[1]) == pytest.approx(1400 / 500, rel=0.02)


def test_bipolar_channels_are_drawn():
    recording = recording_of(6, 60)
    names = ["A1-A2", "A2-A3", "A5-A6"]
    result = {**result_of(recording_of(3, 60), []), "channel_names": names}
    ((_, signals, channels, _),) = columns_of(drawn(recording, result))
    assert labels_of(signals.yaxis) == labels_of(channels.yaxis) == names


def test_an_array_shorter_than_a_patch_with_missing_and_flat_signal(tmp_path: Path):
    signal = np.full((2, 40), np.nan, dtype=np.float32)
    signal[1] = 3.0
    recording = open_recording(signal, 100, ["$A_{", "B$\\frac"], subject="01")
    plot_overview(recording, result_of(recording, [(0.0, 2.0, 0.7)]), tmp_path / "short.png", title="a $ b $")
    assert (tmp_path / "short.png").stat().st_size > 10_000


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch):
    recording = recording_of(2, 60)
    output = tmp_path / "overview.png"
    output.write_text("old")

    def broken(*args, **kwargs):
        Path(args[2]).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(plots, "save_overview", broken)
    with pytest.raises(OSError, match="disk full"):
        plot_overview(recording, result_of(recording, []), output, overwrite=True)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_bad_input_is_refused(tmp_path: Path):
    recording = recording_of(2, 60)
    result = result_of(recording, [])
    with pytest.raises(ValueError, match=r"overview.jpeg has the suffix '.jpeg'; name a file that ends with .png"):
        plot_overview(recording, result, tmp_path / "overview.jpeg")
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere"):
        plot_overview(recording, result, tmp_path / "nowhere" / "overview.png")
    with pytest.raises(ValueError, match=r"\(X1, X2\) belongs to the recording 'sub-01_ieeg' \(A1, A2\)"):
        plot_overview(recording, {**result, "channel_names": ["X1", "X2"]}, tmp_path / "overview.png")
    assert not list(tmp_path.iterdir())


def test_darkness_grows_with_the_probability():
    lightness = plots.probability_colours() @ [0.2126, 0.7152, 0.0722]
    assert lightness[0] == pytest.approx(1, abs=1e-6)
    assert np.all(np.diff(lightness) < 0)
