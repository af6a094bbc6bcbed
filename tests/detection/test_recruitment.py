from __future__ import annotations

import numpy as np
import pytest

from brant_hf.detection import Background, DetectionResult, DetectionSettings, SeizureEvent, channel_recruitment
from brant_hf.detection.recruitment import AT_END, AT_START, IN_NEXT, IN_PREVIOUS, NEVER

LOW, MIDDLE, HIGH = 0.1, 0.4, 0.9


def result(rows: dict[str, list[float]], events: list[tuple[float, float]], start: float = 0.0, **settings):
    """A result with patches of 2 s and these probabilities, decided at 0.5 with an edge at 0.3."""
    decided = DetectionSettings(threshold=0.5, edge_threshold=0.3, min_duration=0.0, merge_gap=0.0, **settings)
    probabilities = np.array(list(rows.values()), np.float32)
    patches = probabilities.shape[1]
    return DetectionResult(
        probabilities=probabilities,
        times=start + 2 * np.arange(patches) + 1.0,
        channel_names=list(rows),
        recording_probability=probabilities.max(axis=0),
        events=[SeizureEvent(onset, offset - onset) for onset, offset in events],
        recording_duration=2.0 * patches,
        patch_duration=2.0,
        threshold=0.5,
        start=start,
        settings=decided.to_dict(),
    )


def test_channels_join_and_leave_at_the_edge_in_order_of_onset():
    rows = {
        "never": [LOW, LOW, MIDDLE, MIDDLE, LOW, LOW],
        "late": [LOW, LOW, LOW, HIGH, LOW, LOW],
        "first": [LOW, MIDDLE, HIGH, HIGH, MIDDLE, LOW],
        "tied": [LOW, LOW, LOW, HIGH, HIGH, LOW],
    }
    found = channel_recruitment(result(rows, [(4, 10)]))
    assert [(row.channel, row.order) for row in found] == [("first", 1), ("late", 2), ("tied", 2), ("never", None)]
    first, late, _, never = found
    assert (first.onset, first.relative_onset, first.offset) == (2, -2, 10)
    assert (late.onset, late.offset) == (6, 8)
    # Without smoothing the change lies in the patch that passes the edge; leaving also in the last one above it.
    assert (late.onset_lower, late.onset_upper, late.offset_lower, late.offset_upper) == (6, 8, 6, 10)
    assert first.peak == pytest.approx(HIGH)
    assert first.note == ""
    assert (never.onset, never.offset, never.note) == (None, None, NEVER)
    assert never.peak == pytest.approx(MIDDLE)


def test_times_are_those_of_the_file_in_a_part_of_it():
    found = channel_recruitment(result({"A": [LOW, HIGH, LOW]}, [(102, 104)], start=100.0))
    assert (found[0].onset, found[0].relative_onset, found[0].offset) == (102, 0, 104)


def test_what_the_recording_cuts_is_not_known():
    start, end = channel_recruitment(result({"A": [HIGH, LOW, HIGH]}, [(0, 2), (4, 6)]))
    assert (start.onset, start.order, start.offset, start.note) == (None, None, 2, AT_START)
    assert (end.onset, end.order, end.offset, end.note) == (4, 1, None, AT_END)


def test_a_channel_that_goes_on_from_event_to_event_does_not_join_again():
    first, second = channel_recruitment(result({"A": [LOW, HIGH, HIGH, HIGH, HIGH, LOW]}, [(2, 4), (8, 10)]))
    assert (first.onset, first.offset, first.note) == (2, None, IN_NEXT)
    assert (second.onset, second.offset, second.note) == (None, 10, IN_PREVIOUS)


@pytest.mark.parametrize("causal", [False, True])
def test_smoothing_widens_the_interval_to_the_patches_it_means(causal):
    background = Background(usual=-3.0, smoothing=6.0, offset=3.0, causal=causal)
    logits = np.full(40, -3.0)
    logits[12:] = 3.0  # from 24 s on; means of 3 patches of 2 s go from -3 by 2 a patch
    row = 1 / (1 + np.exp(-logits))
    found = channel_recruitment(result({"A": row.tolist()}, [(24, 80)], background=background))[0]
    place = int(found.onset / 2)
    back, ahead = (2, 0) if causal else (1, 1)
    assert (found.onset_lower, found.onset_upper) == (2 * (place - back), 2 * (place + ahead + 1))
    assert found.onset_lower <= 24 <= found.onset_upper
    assert background.reach(2.0) == (back, ahead)


def test_without_events_there_are_no_rows_and_without_settings_it_is_refused():
    assert result({"A": [LOW, LOW]}, []).recruitment() == []
    whole = result({"A": [LOW, HIGH]}, [(2, 4)])
    unknown = DetectionResult(**{**vars(whole), "settings": None})
    with pytest.raises(ValueError, match="does not tell its settings"):
        channel_recruitment(unknown)
