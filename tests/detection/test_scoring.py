import math
from datetime import datetime

import numpy as np
import pytest
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from brant_hf.detection import Score, compare_events, score_events, score_files, write_events
from brant_hf.detection.scoring import pool


def events(*stretches):
    return [{"onset": onset, "duration": offset - onset} for onset, offset in stretches]


def test_counts_by_hand():
    # An hour: one seizure found 10 s late, one missed, one false alarm far from both.
    scores = score_events(events((600, 660), (2000, 2030)), events((610, 680), (3000, 3010)), 3600.0)
    assert scores["event"] == Score(tp=1, fp=1, ref_true=2, duration=3600.0)
    assert scores["sample"] == Score(tp=50, fp=30, ref_true=90, duration=3600.0)
    event = scores["event"]
    assert (event.sensitivity, event.precision, event.f1) == (0.5, 0.5, 0.5)
    assert event.false_alarms_per_day == 24.0


def random_events(rng, duration):
    borders = np.sort(rng.uniform(0, duration, 2 * rng.integers(0, 6))).round(2)
    return [(float(a), float(b)) for a, b in borders.reshape(-1, 2) if b > a]


@pytest.mark.parametrize("seed", range(20))
def test_same_digits_as_timescoring(seed):
    rng = np.random.default_rng(seed)
    duration = float(rng.choice([300.0, 1234.5, 86400.0]))
    reference, hypothesis = random_events(rng, duration), random_events(rng, duration)
    scores = score_events(events(*reference), events(*hypothesis), duration)
    annotations = [Annotation(each, 256, round(duration * 256)) for each in (reference, hypothesis)]
    for kind, expected in (("sample", SampleScoring(*annotations)), ("event", EventScoring(*annotations))):
        score = scores[kind]
        assert (score.tp, score.fp, score.ref_true) == (expected.tp, expected.fp, expected.refTrue)
        for ours, theirs in (
            (score.sensitivity, expected.sensitivity),
            (score.precision, expected.precision),
            (score.f1, expected.f1),
            (score.false_alarms_per_day, expected.fpRate),
        ):
            assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))


def test_events_on_several_channels_are_one():
    overlapping = events((100, 200), (110, 130), (120, 210))
    assert score_events(overlapping, events((100, 210)), 3600.0)["sample"] == Score(110, 0, 110, 3600.0)
    inside = events((100, 500), (110, 130))
    # 400 s are split after 5 min, so they count as two events, both found.
    assert score_events(inside, events((400, 450)), 3600.0)["event"] == Score(2, 0, 2, 3600.0)
    assert score_events(inside, [], 3600.0)["sample"] == Score(0, 0, 400, 3600.0)


def test_pooled_counts():
    first = {"sample": Score(1, 2, 3, 10.0), "event": Score(1, 0, 1, 43200.0)}
    second = {"sample": Score(4, 5, 6, 20.0), "event": Score(0, 1, 1, 43200.0)}
    pooled = pool([first, second])
    assert pooled["sample"] == Score(5, 7, 9, 30.0)
    assert pooled["event"].false_alarms_per_day == 1.0


def test_nothing_to_score_is_not_a_number():
    score = score_events([], [], 60.0)["event"]
    assert all(math.isnan(value) for value in (score.sensitivity, score.precision, score.f1))
    assert score.to_dict()["f1"] is None
    with pytest.raises(ValueError, match="duration of the recording is 0"):
        score_events([], [], 0.0)


def write(path, *stretches, duration=3600.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_events(path, events(*stretches), duration)


def test_folders(tmp_path):
    reference, hypothesis = tmp_path / "bids", tmp_path / "detected"
    write(reference / "sub-01" / "ieeg" / "sub-01_run-1_events.tsv", (100, 200))
    write(reference / "sub-01" / "ieeg" / "sub-01_run-2_events.tsv")
    (reference / "sub-01" / "ieeg" / "sub-01_run-1_channels.tsv").write_text("name\ttype\nA1\tSEEG\n")
    write(hypothesis / "sub-01" / "ieeg" / "sub-01_run-1_events.tsv", (100, 150))
    # Matched by name, whatever the folder and the suffix.
    write(hypothesis / "sub-01_run-2_events.tsv", (900, 950))
    scores = score_files(reference, hypothesis)
    assert list(scores) == ["sub-01/ieeg/sub-01_run-1_events.tsv", "sub-01/ieeg/sub-01_run-2_events.tsv"]
    assert [score["event"].tp for score in scores.values()] == [1, 0]
    assert [score["event"].fp for score in scores.values()] == [0, 1]


def test_same_names_in_folders_of_patients(tmp_path):
    for folder in ("reference", "hypothesis"):
        write(tmp_path / folder / "p1" / "night.tsv", (100, 200))
        write(tmp_path / folder / "p2" / "night.tsv")
    scores = score_files(tmp_path / "reference", tmp_path / "hypothesis")
    assert [score["event"].tp for score in scores.values()] == [1, 0]


def test_a_hypothesis_without_reference_is_told(tmp_path):
    for name in ("reference/a.tsv", "hypothesis/a.tsv", "hypothesis/b.tsv"):
        write(tmp_path / name, (100, 200))
    with pytest.warns(UserWarning, match=r"1 files .* have no reference: b\.tsv"):
        assert list(score_files(tmp_path / "reference", tmp_path / "hypothesis")) == ["a.tsv"]


def test_detections_among_the_derivatives_of_a_dataset(tmp_path):
    write(tmp_path / "sub-01" / "ieeg" / "sub-01_events.tsv", (100, 200))
    detected = tmp_path / "derivatives" / "brant"
    write(detected / "sub-01" / "ieeg" / "sub-01_events.tsv", (100, 150))
    (score,) = score_files(tmp_path, detected).values()
    assert (score["event"].tp, score["event"].fp) == (1, 0)


def test_an_event_at_the_end_of_a_recording_a_little_shorter(tmp_path):
    write(tmp_path / "r.tsv", duration=60.0)
    write(tmp_path / "h.tsv", (60.3, 60.5), duration=60.5)
    (score,) = score_files(tmp_path / "r.tsv", tmp_path / "h.tsv").values()
    assert (score["event"].fp, score["sample"].fp) == (0, 0)


def test_an_event_that_passes_the_end_is_told(tmp_path):
    write(tmp_path / "r.tsv", (10, 20), duration=60.0)
    (tmp_path / "h.tsv").write_text("onset\tduration\ttrial_type\n12\t500\tseizure\n")
    with pytest.warns(UserWarning, match=r"1 event of the hypothesis, the first from 12\.00 s on, passes the end"):
        (score,) = score_files(tmp_path / "r.tsv", tmp_path / "h.tsv").values()
    # From 12 to 20 s, and from there to the end at 60 s.
    assert (score["sample"].tp, score["sample"].fp) == (8, 40)


@pytest.mark.parametrize("onset", [5.0, 5.02, 5.07, 0.0, 59.96, 59.999])
@pytest.mark.parametrize("length", [0.001, 0.04, 0.1])
def test_an_event_of_less_than_a_step_is_an_event(onset, length):
    # The recording ends with the event at the latest.
    short, far = events((onset, min(onset + length, 60.0))), events((400, 420))
    assert score_events(short, short, 60.0)["event"] == Score(1, 0, 1, 60.0)
    assert score_events([], short, 60.0)["event"] == Score(0, 1, 0, 60.0)
    assert score_events(far, short, 3600.0)["event"] == Score(0, 1, 1, 3600.0)
    assert score_events(short, far, 3600.0)["event"] == Score(0, 1, 1, 3600.0)


def test_short_events_of_files(tmp_path):
    (tmp_path / "r.tsv").write_text("onset\tduration\ttrial_type\n59.97\t0.05\tseizure\n")
    write(tmp_path / "h.tsv", (59.95, 60.0), duration=60.0)
    (score,) = score_files(tmp_path / "r.tsv", tmp_path / "h.tsv").values()
    assert (score["event"].tp, score["event"].fp, score["event"].ref_true) == (1, 0, 1)


def test_a_reference_event_in_the_rounding_of_the_duration_counts(tmp_path):
    (tmp_path / "r.tsv").write_text("onset\tduration\ttrial_type\n60.3\t0.2\tseizure\n")
    write(tmp_path / "h.tsv", duration=60.0)
    (score,) = score_files(tmp_path / "r.tsv", tmp_path / "h.tsv").values()
    assert (score["event"].tp, score["event"].ref_true) == (0, 1)


@pytest.mark.parametrize(
    ("detected", "event", "sample"),
    [
        # A seizure from 100 to 110 s, and nobody knows what is from 110 to 1000 s.
        ([(300, 400)], (0, 0), (0, 0)),
        ([(100, 400)], (1, 0), (10, 0)),
        ([(100, 900)], (1, 0), (10, 0)),
        # Within a minute after the seizure it is a detection of it.
        ([(115, 200)], (1, 0), (0, 0)),
        ([(300, 400), (2000, 2010)], (0, 1), (0, 10)),
        ([(990, 1200)], (0, 1), (0, 200)),
    ],
)
def test_what_is_detected_in_an_uncertain_stretch_does_not_count(detected, event, sample):
    scores = score_events(events((100, 110)), events(*detected), 3600.0, [(110, 1000, None)])
    assert (scores["event"].tp, scores["event"].fp) == event
    assert (scores["sample"].tp, scores["sample"].fp) == sample


@pytest.mark.parametrize(
    ("known", "detected", "event", "sample"),
    [
        # An hour of which the second half was not recorded: time without a false alarm, and one in the gap.
        ([(100, 110)], [(100, 105), (2000, 2010)], (1, 0, 1), (5, 0, 10)),
        # Of what reaches into the gap, what was recorded counts, as one event though it lasts 20 minutes.
        ([], [(1700, 2900)], (0, 1, 0), (0, 100, 0)),
        ([(1790, 2200)], [(1795, 1800)], (1, 0, 1), (5, 0, 10)),
        # Nobody can find a seizure that was not recorded.
        ([(2000, 2060)], [(300, 310)], (0, 1, 0), (0, 10, 0)),
    ],
)
def test_gaps_count_neither_as_time_nor_as_seizure(known, detected, event, sample):
    scores = score_events(events(*known), events(*detected), 3600.0, gaps=[(1800.0, 3000.0), (2900.0, 3600.0)])
    for kind, counts in (("event", event), ("sample", sample)):
        assert scores[kind] == Score(*counts, duration=1800.0)
    assert scores["event"].false_alarms_per_day == 48.0 * event[1]


def test_a_seizure_with_a_short_gap_is_one():
    known, gap = events((100, 160)), [(120.0, 121.0)]
    scores, agreement = compare_events(known, events((110, 150)), 3600.0, gaps=gap)
    assert scores["event"] == Score(1, 0, 1, 3599.0)
    assert scores["sample"] == Score(39, 0, 59, 3599.0)
    assert [(match.onset, match.num_events) for match in agreement.matches] == [(100, 1)]
    assert (agreement.num_events, agreement.marked, agreement.duration) == (1, 39.0, 3599.0)
    with pytest.raises(ValueError, match="all 3600 s of the recording are gaps"):
        score_events(known, [], 3600.0, gaps=[(0.0, 3600.0)])


def test_remarks_in_doubt_of_a_reference_table(tmp_path):
    (tmp_path / "r.tsv").write_text("onset\tduration\ttrial_type\n5\t20\tSeizure?\n900\t20\tseizure\n")
    write(tmp_path / "h.tsv", (10, 20), (905, 910))
    with pytest.warns(UserWarning, match="may be a seizure or not"):
        (score,) = score_files(tmp_path / "r.tsv", tmp_path / "h.tsv").values()
    assert (score["event"].tp, score["event"].fp, score["event"].ref_true) == (1, 0, 1)


def test_events_of_another_recording_are_told():
    with pytest.warns(UserWarning, match=r"1 of 2 events begin after the 40 s .* \(the first at 100 s\)"):
        scores = score_events([(1, 2)], [(1, 2), (100, 200)], 40)
    assert scores["event"] == Score(tp=1, fp=0, ref_true=1, duration=40.0)


def test_errors(tmp_path):
    write(tmp_path / "r" / "a.tsv", (100, 200))
    write(tmp_path / "r" / "b.tsv", (100, 200))
    write(tmp_path / "h" / "a.tsv", (100, 200))
    write(tmp_path / "other" / "c.tsv", (100, 200))
    write(tmp_path / "short" / "a.tsv", (10, 20), duration=60.0)
    (tmp_path / "empty").mkdir()
    for name in ("bids.tsv", "same.tsv"):
        (tmp_path / name).write_text("onset\tduration\ttrial_type\n3.0\t4.0\tseizure\n")
    (tmp_path / "late.tsv").write_text("onset\tduration\ttrial_type\n4000\t4.0\tseizure\n")
    for name in ("a.edf", "a.png"):
        (tmp_path / name).write_bytes(b"\x89\0\xff")
    for one, other, message in (
        ("late.tsv", "h/a.tsv", "the reference has an event at 4000.00 s, but the recording ends at 3600.00 s"),
        ("r", "h", r"no file for 1 of 2 references: b\.tsv"),
        ("r", "other", "belongs to one of"),
        ("r", "empty", r"holds no table of events \(\.tsv\)"),
        ("r", "h/a.tsv", "must be two files or two folders"),
        ("h", "short", "a recording of 3600.00 s, the hypothesis about one of 60.00 s"),
        ("a.edf", "bids.tsv", r"a\.edf is a recording; expected a table of events \(\.tsv\)"),
        ("bids.tsv", "a.png", r"a\.png is no table, and no text at all"),
        ("bids.tsv", "same.tsv", "neither file states recordingDuration"),
    ):
        with pytest.raises(ValueError, match=message):
            score_files(tmp_path / one, tmp_path / other)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        score_files(tmp_path / "h" / "a.tsv", tmp_path / "h" / "none.tsv")
    # The duration that one of them states serves both.
    assert score_files(tmp_path / "bids.tsv", tmp_path / "h" / "a.tsv")["bids.tsv"]["event"].duration == 3600.0


def test_a_table_of_detections_as_the_reference_is_told(tmp_path, recwarn):
    known = tmp_path / "known.tsv"
    known.write_text("onset\tduration\ttrial_type\n100\t50\tseizure\n")
    detected = tmp_path / "detected.tsv"
    write_events(detected, [{"onset": 100.0, "duration": 30.0}], 3600.0)
    assert score_files(known, detected)["known.tsv"]["sample"].sensitivity == 0.6
    assert not recwarn
    with pytest.warns(UserWarning, match="the reference is a table of detections, and the hypothesis is not"):
        assert score_files(detected, known)["detected.tsv"]["sample"].precision == 0.6
    with pytest.warns(UserWarning, match=r"detected\.tsv is compared with itself; name what is known first"):
        assert score_files(detected, detected)["detected.tsv"]["sample"].f1 == 1.0


def test_tables_with_other_starts_are_told(tmp_path):
    paths = [tmp_path / "reference.tsv", tmp_path / "hypothesis.tsv"]
    for path, hour in zip(paths, (10, 11), strict=True):
        write_events(path, events((100, 140)), 600.0, start=datetime(2020, 1, 1, hour))
    with pytest.warns(
        UserWarning, match="a recording of 2020-01-01 10:00:00, the hypothesis about one of 2020-01-01 11"
    ):
        (scores,) = score_files(*paths).values()
    assert scores["event"].tp == 1


def test_tables_of_other_recordings_by_their_names_are_told(tmp_path, recwarn):
    names = ["sub-01_task-rest_run-01_events.tsv", "sub-02_run-01_events.tsv", "sub-01_events.tsv", "found.tsv"]
    for name in names:
        write_events(tmp_path / name, events((100, 140)), 600.0)
    for name in names[2:]:
        score_files(tmp_path / names[0], tmp_path / name)
    assert not recwarn
    with pytest.warns(UserWarning, match=r"are about different recordings \(sub-01 and sub-02\): make sure"):
        score_files(tmp_path / names[0], tmp_path / names[1])
