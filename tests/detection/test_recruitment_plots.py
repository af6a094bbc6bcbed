"""The figure of an event: channels in order, their times, contacts on projections."""

from __future__ import annotations

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import DetectionResult, DetectionSettings, SeizureEvent, plot_recruitment
from brant_hf.detection.recruitment_plots import MAX_ROWS, draw_recruitment

RATE, PATCHES = 50, 60
EVENT = (20.0, 40.0)


def recording_of(channels: int, places: bool = False):
    signal = np.random.default_rng(0).normal(0, 30, (channels, RATE * PATCHES)).astype(np.float32)
    recording = open_recording(
        signal, RATE, [f"A{number + 1}" for number in range(channels)], subject="01", name="night"
    )
    if places:
        recording.positions = np.arange(3.0 * channels).reshape(channels, 3) / 1000  # 0, 1, 2 mm; 3, 4, 5 mm; ...
        recording.coordinate_space = "ACPC"
    return recording


def result_of(channels: int, onsets: dict[int, int]) -> DetectionResult:
    """A channel rises at its onset [s] and falls with the event; the others never rise."""
    probabilities = np.full((channels, PATCHES), 0.05, np.float32)
    for channel, onset in onsets.items():
        probabilities[channel, onset:40] = 0.9
    return DetectionResult(
        probabilities=probabilities,
        times=np.arange(PATCHES) + 0.5,
        channel_names=[f"A{number + 1}" for number in range(channels)],
        recording_probability=probabilities.max(axis=0),
        events=[SeizureEvent(EVENT[0], EVENT[1] - EVENT[0])],
        recording_duration=float(PATCHES),
        patch_duration=1.0,
        threshold=0.5,
        settings=DetectionSettings(threshold=0.5, min_duration=0.0, merge_gap=0.0).to_dict(),
    )


def labels(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_channels_stand_in_the_order_in_which_they_join():
    figure = draw_recruitment(recording_of(4), result_of(4, {0: 30, 2: 20, 3: 25}), 1)
    (axes,) = figure.axes
    assert labels(axes) == ["A3", "A4", "A1"]
    assert "3 of 4 channels take part" in figure.get_suptitle()
    joins = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == ">"]
    leaves = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "<"]
    assert (joins, leaves) == ([20, 25, 30], [40, 40, 40])


@pytest.mark.parametrize(("channels", "rows"), [(1, 1), (200, MAX_ROWS)])
def test_one_channel_and_two_hundred(channels, rows):
    figure = draw_recruitment(recording_of(channels), result_of(channels, dict.fromkeys(range(channels), 20)), 1)
    assert len(labels(figure.axes[0])) == rows
    assert (f"the first {MAX_ROWS} are shown" in figure.get_suptitle()) == (channels > MAX_ROWS)


def test_an_event_without_a_channel_that_joins_is_drawn_all_the_same():
    figure = draw_recruitment(recording_of(2), result_of(2, {}), 1)
    assert len(labels(figure.axes[0])) == 1
    assert "0 of 2 channels take part" in figure.get_suptitle()


def test_contacts_lie_on_three_projections_in_millimetres():
    figure = draw_recruitment(recording_of(3, places=True), result_of(3, {1: 20, 2: 24}), 1)
    above = next(axes for axes in figure.axes if axes.get_title(loc="left") == "from above")
    assert (above.get_xlabel(), above.get_ylabel()) == ("x [mm], left - right", "y [mm], back - front")
    never, joined = (collection.get_offsets().data for collection in above.collections)
    np.testing.assert_allclose(never, [[0, 1]])
    np.testing.assert_allclose(joined, [[6, 7], [3, 4]])  # the first to join is drawn last
    np.testing.assert_allclose(above.collections[1].get_array(), [4, 0])


def test_the_file_is_written_and_a_wrong_number_refused(tmp_path):
    recording, result = recording_of(2), result_of(2, {0: 20})
    plot_recruitment(recording, result, tmp_path / "event.png")
    assert (tmp_path / "event.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match="event is 2; the result has 1 event, counted from 1"):
        plot_recruitment(recording, result, tmp_path / "other.png", event=2)
    assert not (tmp_path / "other.png").exists()
