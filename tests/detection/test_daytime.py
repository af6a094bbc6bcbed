from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from brant_hf.data.recordings.recording import Recording
from brant_hf.detection import DetectionResult
from brant_hf.detection.daytime import time_of_day
from brant_hf.detection.plots import draw_overview

EVENING = datetime(2021, 3, 4, 22, 5, 6, 500_000)


@pytest.mark.parametrize(
    ("seconds", "decimals", "expected"),
    [
        (0.0, 1, "22:05:06.5"),
        (53.5, 0, "22:06:00"),
        (6893.5, 0, "00:00:00 (day 2)"),
        # Rounded up to midnight.
        (6893.46, 1, "00:00:00.0 (day 2)"),
        (6893.5 + 86_400, 0, "00:00:00 (day 3)"),
    ],
)
def test_time_of_day(seconds, decimals, expected):
    assert time_of_day(EVENING, seconds, decimals) == expected


@pytest.mark.parametrize("start", [None, EVENING])
def test_axes_show_the_time_of_day_where_it_is_known(start):
    """Two hours; ticks stand at full hours and minutes of the clock that is shown."""
    num = 7200
    recording = Recording(
        "r", "s", ["A1"], 10.0, 10 * num, lambda first, last: np.ones((1, last - first), np.float32), start_date=start
    )
    result = DetectionResult(
        probabilities=np.full((1, num), 0.1),
        times=np.arange(num) + 0.5,
        channel_names=["A1"],
        recording_probability=np.full(num, 0.1),
        events=[],
        recording_duration=float(num),
        start_date=start,
    )
    axes = draw_overview(recording, result).axes[3]
    labels = [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()]
    if start is None:
        assert (axes.get_xlabel(), labels) == ("time [min]", ["0", "20", "40", "60", "80", "100", "120"])
    else:
        assert axes.get_xlabel() == "time of day; the recording began 2021-03-04 22:05:06"
        assert labels == ["22:20:00", "22:40:00", "23:00:00", "23:20:00", "23:40:00", "00:00:00\nday 2"]
