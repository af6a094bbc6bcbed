import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from brant_hf.detection import DetectionSettings, calibrate, score_events
from brant_hf.detection.calibration import calibration_report, fit_confidence
from brant_hf.detection.decision import logit


def result(probabilities, patch_s=1.0):
    probabilities = np.atleast_2d(probabilities).astype(np.float32)
    return {"probabilities": probabilities, "times": (np.arange(probabilities.shape[1]) + 0.5) * patch_s}


def recording(length=2000, **levels):
    """Probability 0.05 but for stretches `s100_120=0.9` of patches."""
    probability = np.full(length, 0.05)
    for name, level in levels.items():
        first, stop = map(int, name[1:].split("_"))
        probability[first:stop] = level
    return probability


SEIZURE = [{"onset": 500.0, "duration": 60.0}]
ONE_AXIS = {"min_channels": [1], "min_durations": [2.0], "merge_gaps": [5.0]}


def test_the_middle_of_the_plateau():
    # A false alarm up to 0.32, the seizure up to 0.78: thresholds from 0.35 to 0.75 are perfect.
    results = [result(recording(s500_560=0.78, s1500_1510=0.32))]
    report = calibration_report(results, [SEIZURE], **ONE_AXIS)
    assert report.settings["threshold"] == pytest.approx(0.55)
    assert report.plateau_size == 9
    assert report.score.f1 == 1.0


def test_thresholds_that_miss_a_seizure_are_not_in_the_plateau():
    thresholds = [0.2, 0.4, 0.5, 0.6, 0.8]
    # 0.2 finds a false alarm too, 0.8 only one of two seizures.
    results = [result(recording(s500_560=0.9, s1000_1060=0.65, s1500_1510=0.32))]
    reference = [*SEIZURE, {"onset": 1000.0, "duration": 60.0}]
    assert calibrate(results, [reference], thresholds=thresholds, **ONE_AXIS)["threshold"] == 0.5


def test_channels_that_agree():
    # Artefacts reach one channel, seizures two; the artefact is the stronger one.
    results = [result([recording(s500_560=0.8, s1500_1510=0.99), recording(s500_560=0.8)])]
    settings = calibrate(results, [SEIZURE], min_channels=[1, 2, 3], min_durations=[2.0], merge_gaps=[5.0])
    assert settings["min_channels"] in (2, 3)  # the same for two channels
    settings = calibrate(results, [SEIZURE], min_channels=[1], min_durations=[2.0, 15.0], merge_gaps=[5.0])
    assert settings["min_duration"] == 15.0


def test_the_limit_of_false_alarms():
    # Two seizures; a threshold that finds both also finds an artefact.
    results = [result(recording(s500_560=0.9, s1000_1060=0.4, s1500_1510=0.6))]
    reference = [[*SEIZURE, {"onset": 1000.0, "duration": 60.0}]]
    axes = {"thresholds": [0.3, 0.8], **ONE_AXIS}
    # 2000 s: one false alarm is 43.2 a day. F1 is 0.8 with it and 2/3 without.
    assert calibrate(results, reference, max_false_alarms_per_day=44.0, **axes)["threshold"] == 0.3
    assert calibrate(results, reference, max_false_alarms_per_day=43.0, **axes)["threshold"] == 0.8


def test_recordings_count_together():
    quiet = result(recording(4000, s1500_1510=0.6))
    results = [result(recording(s500_560=0.9)), quiet]
    settings = calibrate(results, [SEIZURE, []], thresholds=[0.3, 0.5, 0.7], **ONE_AXIS)
    assert settings["threshold"] == 0.7


def test_what_is_found_in_an_uncertain_stretch_counts_as_nothing():
    results = [result(recording(s500_560=0.6, s1500_1510=0.9))]
    options = {"thresholds": [0.3, 0.5, 0.8], **ONE_AXIS}
    with pytest.raises(ValueError, match=r"have 43\.2 or more"):
        calibration_report(results, [SEIZURE], **options)
    report = calibration_report(results, [SEIZURE], uncertain=[[(1400.0, 1600.0, None)]], **options)
    assert (report.score.tp, report.score.fp, report.num_candidates) == (1, 0, 1)
    with pytest.raises(ValueError, match="got 1 results and 2 lists of uncertain stretches"):
        calibration_report(results, [SEIZURE], uncertain=[[], []])


def test_gaps_are_no_time_without_false_alarms():
    # One false alarm in 2000 s is 43.2 a day, in the 1000 s that were recorded 86.4.
    results = [result(recording(s500_560=0.6, s700_710=0.9))]
    options = {"thresholds": [0.5], **ONE_AXIS, "max_false_alarms_per_day": 50.0}
    assert calibration_report(results, [SEIZURE], **options).score.fp == 1
    with pytest.raises(ValueError, match=r"have 86\.4 or more"):
        calibration_report(results, [SEIZURE], gaps=[[(1000.0, 2000.0)]], **options)
    with pytest.raises(ValueError, match="got 1 results and 0 lists of gaps"):
        calibration_report(results, [SEIZURE], gaps=[])


def test_the_score_of_the_report():
    probability = recording(s500_560=0.9, s1000_1060=0.4, s1500_1510=0.6)
    report = calibration_report(
        [result(probability)], [SEIZURE], thresholds=[0.3], max_false_alarms_per_day=100.0, **ONE_AXIS
    )
    found = [{"onset": onset, "duration": length} for onset, length in ((500, 60), (1000, 60), (1500, 10))]
    assert report.score == score_events(SEIZURE, found, 2000.0)["event"]
    assert report.num_candidates == 3


def test_the_confidence_is_a_logistic_regression():
    # What is found at 0.2 only is no candidate: that is less than half of the chosen 0.8.
    results = [result(recording(s500_560=0.9, s1500_1510=0.6, s1000_1010=0.5, s200_210=0.3))]
    settings = calibrate(results, [SEIZURE], thresholds=[0.2, 0.45, 0.8], **ONE_AXIS)
    assert settings["threshold"] == 0.8
    scores, is_seizure = [0.9, 0.6, 0.5], [1, 0, 0]
    expected = LogisticRegression().fit([[logit(score)] for score in scores], is_seizure)
    assert settings["calibration"]["slope"] == pytest.approx(expected.coef_[0, 0], rel=1e-4)
    assert settings["calibration"]["intercept"] == pytest.approx(expected.intercept_[0], rel=1e-4)


def test_confidence_that_cannot_be_fitted():
    with pytest.warns(UserWarning, match="all 2 candidate events are seizures"):
        assert fit_confidence([0.8, 0.9], [True, True]) is None
    with pytest.warns(UserWarning, match="not more often seizures"):
        assert fit_confidence([0.2, 0.9], [True, False]) is None


def test_the_configuration_takes_the_settings(small_config):
    results = [result(recording(s500_560=0.78, s1500_1510=0.32))]
    config = small_config(detection=calibrate(results, [SEIZURE]))
    assert DetectionSettings.of(config).to_dict().items() >= config.detection.items()


@pytest.mark.parametrize(
    ("results", "references", "options", "message"),
    [
        ([], [], {}, "got 0 results"),
        ([result(recording())], [SEIZURE, SEIZURE], {}, "got 1 results and 2 lists"),
        ([result(recording())], [[]], {}, "no recording has a reference event"),
        ([result(recording())], [SEIZURE], {"thresholds": [0.5, 0.5]}, "increasing"),
        ([result(recording())], [SEIZURE], {"thresholds": []}, "one or more"),
        ([result(recording())], [SEIZURE], {"thresholds": [0.5]}, "no setting detects any reference event"),
        (
            [result(recording(s500_560=0.6, s1500_1510=0.6))],
            [SEIZURE],
            {"thresholds": [0.5], "min_durations": [2.0]},
            "have 43.2 or more",
        ),
    ],
)
def test_errors(results, references, options, message):
    with pytest.raises(ValueError, match=message):
        calibrate(results, references, **options)
