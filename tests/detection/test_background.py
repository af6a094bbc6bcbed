"""The decision relative to the background of the recording."""

from dataclasses import replace

import numpy as np
import pytest

from brant_hf import BrantConfig
from brant_hf.data import open_recording, preprocess
from brant_hf.data.windows import plan_windows
from brant_hf.detection import Background, DetectionSettings, Detector, find_events, line_length
from brant_hf.detection.detector import run_windows

PATCHES = 1200


def _logits(level: float, channels: int = 1, patches: int = PATCHES) -> np.ndarray:
    return np.full((channels, patches), level)


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _score(probability: np.ndarray, offset: float) -> np.ndarray:
    probability = probability.astype(float)
    return np.log(probability / (1 - probability)) + offset


def test_a_constant_recording_rises_by_nothing_but_what_the_usual_background_adds() -> None:
    # 1200 s at -1 against 300 s of what is usual, -4: the background is (1200 * -1 + 300 * -4) / 1500 = -1.6. The
    # score of the recording rises by 0.6, less the part 1200 / 1500 of itself.
    background = Background(usual=-4.0, offset=3.0)
    probabilities = _probability(_logits(-1.0))
    channels, recording = background.compare(probabilities, 1.0, 2)
    np.testing.assert_allclose(_score(channels, 3.0), 0.6, atol=1e-3)
    np.testing.assert_allclose(_score(recording, 3.0), 0.6 * 300 / 1500, atol=1e-3)


@pytest.mark.parametrize("level", [-5.0, -3.0, -0.5])
def test_the_same_rise_gives_the_same_score_whatever_the_background(level: float) -> None:
    background = Background(usual=level, offset=3.0, smoothing=1.0)
    logits = _logits(level, 2)
    logits[:, 600:640] += 3.0
    probability = background.compare(_probability(logits), 1.0, 2)[1]
    np.testing.assert_allclose(probability[610:630], 0.5, atol=1e-3)
    assert probability[:600].max() < 0.05
    settings = DetectionSettings(background=background, min_channels=2)
    np.testing.assert_array_equal(settings.compare(_probability(logits), 1.0)[1], probability)


def test_it_follows_a_background_that_changes_and_not_a_seizure() -> None:
    background = Background(usual=-4.0, window=600.0, smoothing=1.0)
    logits = _logits(-4.0, 1, 6000)
    logits[:, 3000:] = -2.0
    logits[:, 4500:4560] += 4.0
    score = _score(background.compare(_probability(logits), 1.0, 1)[0], background.offset)[0]
    # Long after the change 600 s at -2 stand against 300 s of -4.
    np.testing.assert_allclose(score[5000], -2.0 + (600 * 2 + 300 * 4) / 900, atol=1e-3)
    np.testing.assert_allclose(score[4520] - score[5000], 4.0, atol=1e-3)


def test_less_is_enough_in_a_calm_recording_and_where_it_is_restless_more() -> None:
    background = Background(usual=-4.0, smoothing=1.0, offset=3.5, calm_offset=2.5, margin=1.7, usual_peak=1.3)
    logits = _logits(-4.0)
    logits[:, 600:640] += 2.4
    # The highest of a usual minute is 0: 1200 s of that against 400 s of 1.3 is 0.33, and 2.03 is below 2.5.
    np.testing.assert_allclose(background.compare(_probability(logits), 1.0, 1)[1][620], _probability(-0.1), atol=1e-3)
    # A bump of 1.5 every 40 s is in each minute: (1200 * 1.5 + 400 * 1.3) / 1600 + 1.7 = 3.15.
    restless = logits.copy()
    restless[:, ::40] += np.where(restless[:, ::40] < -3, 1.5, 0.0)
    channels, recording = background.compare(_probability(restless), 1.0, 1)
    np.testing.assert_allclose(recording[620], _probability(2.4 - 3.15), atol=1e-3)
    np.testing.assert_allclose(channels[0], recording, atol=1e-3)
    # One of 3 counts as far as it leads to the offset: 1.8, and (1200 * 1.8 + 400 * 1.3) / 1600 + 1.7 = 3.375.
    restless[:, ::40] += np.where(restless[:, ::40] < -2, 1.5, 0.0)
    np.testing.assert_allclose(
        background.compare(_probability(restless), 1.0, 1)[1][620], _probability(2.4 - 3.375), atol=1e-3
    )
    # Of a short one little is known: 20 s of 0 against 400 s of 1.3 is 1.2381.
    short = _logits(-4.0, 1, 20)
    np.testing.assert_allclose(background.compare(_probability(short), 1.0, 1)[1], _probability(-2.9381), atol=1e-3)
    # As long as nothing is known of what is going on, the whole offset is asked for.
    begun = replace(background, causal=True).compare(_probability(_logits(-4.0)), 1.0, 1)[1]
    np.testing.assert_allclose(begun[[0, 1199]], _probability(np.array([-3.5, -2.5])), atol=1e-3)


def test_more_line_length_than_usual_counts_up_to_a_limit() -> None:
    # 180 s say 180 / 200 of what a long recording says; the median is 10, whatever the 20 s that are twice as much.
    background = Background(usual=-4.0, line_length_weight=2.0)
    line_length = np.full((3, 180), 10.0, np.float16)
    line_length[0, 80:100], line_length[1, 80:100], line_length[2, 80:100] = 12.0, 20.0, 5.0
    line_length[0, 120:150] = 0.0  # nothing is known there
    probabilities = _probability(_logits(-1.0, 3, 180)).astype(np.float32)
    probabilities[2, 120:150] = np.nan  # nor of this channel there
    given = probabilities.copy()
    background.weigh(probabilities, line_length, 1.0)
    rises = _score(probabilities[:, 90], 0.0) + 1.0
    np.testing.assert_allclose(rises, [2 * 0.9 * np.log(1.2), 1.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(probabilities[:, 100:], given[:, 100:], atol=1e-6)
    # The unit does not matter, and the past alone knows nothing at first.
    other = given.copy()
    background.weigh(other, 7 * line_length, 1.0)
    np.testing.assert_allclose(other, probabilities, atol=1e-3)
    causal = given.copy()
    replace(background, causal=True).weigh(causal, line_length, 1.0)
    np.testing.assert_array_equal(causal[:, :60], given[:, :60])
    np.testing.assert_allclose(_score(causal[0, 90], 0.0) + 1.0, 2 * 60 / 80 * np.log(1.2), atol=2e-3)


def test_without_a_weight_probabilities_stay_as_they_are() -> None:
    probabilities = np.array([[1e-5, 0.5, 1 - 1e-5, np.nan]], np.float32)
    given = probabilities.copy()
    Background(usual=-4.0).weigh(probabilities, np.array([[10.0, 10.0, 20.0, 0.0]]), 1.0)
    np.testing.assert_array_equal(probabilities, given)


def test_line_length_is_the_sum_of_steps_within_a_patch() -> None:
    signal = np.array([[0.0, 1.0, -1.0, 5.0, 5.0, 4.0]])
    np.testing.assert_array_equal(line_length(signal, 3), [[3.0, 1.0]])


def test_line_length_of_a_patch_that_misses_samples_is_that_of_what_was_recorded() -> None:
    nan = np.nan
    signal = np.array(
        [
            # Steps of 2 and 3, two of three; one of 4 beside a gap; one sample of four; none that follow each other.
            [nan, 1.0, 3.0, 0.0, 5.0, 1.0, nan, nan, nan, nan, nan, 2.0, 1.0, nan, 7.0, nan],
            # Without gaps nothing is scaled.
            [0.0, 1.0, 3.0, 0.0, 5.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 7.0, 9.0],
        ],
        np.float32,
    )
    np.testing.assert_array_equal(line_length(signal, 4), [[7.5, 12.0, 0.0, 0.0], [6.0, 4.0, 0.0, 8.0]])


@pytest.mark.parametrize("normalize", ["none", "asinh"])
def test_a_patch_beside_a_gap_or_at_the_end_is_as_long_as_any(detector, extractor, normalize) -> None:
    # Up and down between two values far from 0: the same step with each sample, and a large one to the padding.
    signal = np.tile([90.0, 110.0], (2, 665))[:, :1330]
    signal[0, 520:560] = np.nan  # 30 of 50 samples of patch 10 and 10 of patch 11
    signal[1, 425:475] = np.nan  # half of patches 8 and 9
    extractor = extractor(normalize=normalize)
    unfiltered = {"sampling_rate": 100, "line_noise": None, "high_pass": None, "low_pass": None}
    prepared = preprocess(open_recording(signal, 100, unit="uV"), unfiltered)
    plan = plan_windows(prepared, extractor, 0.5)
    forward = Detector(detector(), extractor).forward
    lengths = np.full((2, plan.num_patches), np.nan, np.float32)
    for start, values in run_windows(
        prepared, plan, forward, extractor, batch_size=2, progress=False, with_lengths=True
    ):
        lengths[:, start : start + values.shape[1]] = values[..., 1]
    step = 20.0 if normalize == "none" else abs(np.diff(np.arcsinh(np.array([90.0, 110.0]) / extractor.scale))[0])
    expected = np.full((2, 27), 49 * step)
    expected[0, 10] = np.nan
    np.testing.assert_allclose(lengths, expected, rtol=1e-4)


# Where arcsinh is a straight line, and where microvolts add up to more than half precision holds.
@pytest.mark.parametrize(("normalize", "factor"), [("asinh", 0.1), ("none", 18.0)])
def test_a_detector_weighs_the_line_length_of_what_its_model_sees(
    detector, extractor, noise, normalize, factor
) -> None:
    signal = noise(2, 12000) * factor
    signal[:, 6000:7000] *= 1.5
    signal[1, 2000:3000] = np.nan
    plain = DetectionSettings.of(detector().config, {"background": Background(usual=-4.0)})
    before, after = (
        Detector(
            detector(initializer_range=0.05),
            extractor(normalize=normalize),
            replace(plain, background=replace(plain.background, line_length_weight=weight)),
        ).detect(open_recording(signal, 100), progress=False)
        for weight in (0.0, 2.0)
    )
    rises = _score(after.probabilities, 0.0) - _score(before.probabilities, 0.0)
    place = after.times
    # 120 s say 120 / 140. The rest of the signal is at the median, but for the noise.
    louder = rises[:, (place > 61) & (place < 69)]
    np.testing.assert_allclose(np.median(louder), 2 * np.log(1.5) * 120 / 140, atol=0.08)
    np.testing.assert_array_less(np.median(rises[:, place > 75]), 0.05)
    assert np.isnan(after.probabilities[1, (place > 21) & (place < 29)]).all()


def test_what_was_weighed_stays_so(detector, extractor, noise) -> None:
    weighed = Background(usual=-4.0, line_length_weight=2.0)
    settings = DetectionSettings.of(detector().config, {"background": weighed})
    result = Detector(detector(), extractor(), settings).detect(open_recording(noise(2, 2000), 100), progress=False)
    assert result.with_settings(background=replace(weighed, offset=1.0)).settings["background"]["offset"] == 1.0
    for changes in ({"line_length_weight": 0.0}, {"causal": True}, {"window": 60.0}):
        with pytest.raises(ValueError, match="run the detector again"):
            result.with_settings(background=replace(weighed, **changes))


def test_channels_take_part_at_the_level_at_which_events_last() -> None:
    probabilities = np.zeros((3, 40))
    probabilities[:, 10:20] = [[0.9], [0.3], [0.1]]
    settings = {"threshold": 0.5, "edge_threshold": 0.05}
    for lasting, names in ((0.2, ("A", "B")), (None, ("A",))):
        decided = DetectionSettings(**settings, lasting_threshold=lasting)
        ((event,),) = [decided.decide(probabilities, ["A", "B", "C"], patch_s=1.0, duration=40.0)[1]]
        assert event.channels == names


def test_a_model_that_sees_no_amplitude_cannot_weigh_it(detector, extractor) -> None:
    settings = DetectionSettings.of(detector().config, {"background": Background(usual=-4.0, line_length_weight=2.0)})
    with pytest.raises(ValueError, match="leaves no amplitude"):
        Detector(detector(), extractor(normalize="zscore"), settings)
    with pytest.raises(ValueError, match="resamples to 250 Hz, but the model expects 100 Hz"):
        Detector(detector(), extractor(), DetectionSettings())


def test_the_causal_one_does_not_change_with_what_comes_later() -> None:
    background = Background(usual=-4.0, window=300.0, calm_offset=2.0, causal=True)
    logits = np.random.default_rng(0).normal(-3.0, 1.0, (3, 900))
    whole = background.compare(_probability(logits), 1.0, 2)[1]
    for stop in (10, 61, 500):
        part = background.compare(_probability(logits[:, :stop]), 1.0, 2)[1]
        np.testing.assert_allclose(part, whole[:stop], atol=1e-6)


def test_the_highest_channels_are_averaged_so_that_a_few_of_many_are_enough() -> None:
    background = Background(usual=-4.0, smoothing=1.0)
    logits = _logits(-4.0, 100)
    logits[:3, 600:640] += 5.0
    probability = background.compare(_probability(logits), 1.0, 3)[1]
    assert find_events(probability, 1.0, threshold=0.5, min_duration=10.0) == [(600, 640)]
    assert not find_events(background.compare(_probability(logits), 1.0, 50)[1], 1.0, threshold=0.5)


def test_an_event_begins_and_ends_at_the_lower_threshold() -> None:
    probability = np.array([0.0, 0.3, 0.6, 0.3, 0.0, 0.3, 0.3, 0.0])
    assert find_events(probability, 1.0, threshold=0.5, edge=0.25) == [(1, 4)]
    assert find_events(probability, 1.0, threshold=0.5) == [(2, 3)]
    # A lower threshold takes the edge with it.
    assert find_events(probability, 1.0, threshold=0.2, edge=0.25) == [(1, 4), (5, 7)]


def test_what_never_reaches_the_threshold_joins_no_event() -> None:
    probability = np.array([0.3, 0.3, 0.0, 0.6, 0.3, 0.0, 0.3, 0.0, 0.6, 0.0])
    assert find_events(probability, 1.0, threshold=0.5, edge=0.25, merge_gap=2.0) == [(3, 5), (8, 9)]
    assert find_events(probability, 1.0, threshold=0.5, edge=0.25, merge_gap=4.0) == [(3, 9)]


def test_an_event_lasts_at_one_level_and_begins_at_a_lower_one() -> None:
    probability = np.array([0.1, 0.1, 0.3, 0.6, 0.3, 0.1, 0.0, 0.1, 0.0, 0.1, 0.6, 0.1, 0.0])
    levels = {"threshold": 0.5, "edge": 0.1, "lasting": 0.25}
    # The second one is as long as the first at the edge, but not at the level that counts.
    assert find_events(probability, 1.0, min_duration=3.0, **levels) == [(0, 6)]
    assert find_events(probability, 1.0, min_duration=3.0, threshold=0.5, edge=0.1) == [(0, 6), (9, 12)]
    # Events that come near each other at the edge are one.
    assert find_events(probability, 1.0, **levels) == [(0, 6), (9, 12)]
    assert find_events(probability, 1.0, merge_gap=4.0, **levels) == [(0, 12)]
    # A level that is not between the two is the nearer of them.
    assert find_events(probability, 1.0, threshold=0.5, edge=0.25, lasting=0.1) == [(2, 5), (10, 11)]
    assert find_events(probability, 1.0, min_duration=2.0, threshold=0.5, edge=0.1, lasting=0.9) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"usual": "low"}, "usual"),
        ({"window": 0}, "window"),
        ({"causal": 1}, "causal"),
        ({"offset": 3.0, "calm_offset": 3.1}, "calm_offset"),
        ({"line_length_weight": -1.0}, "line_length_weight"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict, said: str) -> None:
    with pytest.raises(ValueError, match=f"{said} of the background"):
        Background(**{"usual": -4.0, **changed})


def test_settings_of_a_checkpoint_make_the_background() -> None:
    settings = DetectionSettings(background={"usual": -4.0, "causal": True}, edge_threshold=0.2)
    assert settings.background == Background(usual=-4.0, causal=True)
    assert DetectionSettings(background=settings.to_dict()["background"]).background == settings.background


def test_causal_is_an_option_of_checkpoints_with_a_background() -> None:
    config = BrantConfig(patch_length=50, detection={"background": {"usual": -4.0}})
    settings = DetectionSettings.of(config, {"causal": True})
    assert settings.background == Background(usual=-4.0, causal=True)
    assert DetectionSettings.of(config).background == Background(usual=-4.0)
    with pytest.raises(ValueError, match="does not compare with the background"):
        DetectionSettings.of(BrantConfig(patch_length=50), {"causal": True})


@pytest.mark.parametrize("causal", [False, True])
def test_what_is_missing_is_no_background(causal: bool) -> None:
    # Two stretches with ten times as much missing time between them are compared as if there were none.
    logits = np.random.default_rng(0).normal(-2.0, 1.0, (3, PATCHES))
    logits[:, 700:740] += 4.0
    background = Background(usual=-4.0, smoothing=1.0, calm_offset=2.0, causal=causal)
    expected = background.compare(_probability(logits), 1.0, 2)
    gap = np.full((3, 10 * PATCHES), np.nan)
    found = background.compare(np.concatenate([gap, *_halves(_probability(logits), gap), gap], axis=1), 1.0, 2)
    for with_gaps, without in zip(found, expected, strict=True):
        seen = ~np.isnan(with_gaps)
        assert seen[..., 12_000:12_600].all()
        assert seen[..., 24_600:25_200].all()
        np.testing.assert_array_equal(with_gaps[seen].reshape(without.shape), without)


def _halves(values: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, ...]:
    return values[:, : PATCHES // 2], between, values[:, PATCHES // 2 :]


def test_smoothing_does_not_reach_over_a_gap() -> None:
    background = Background(usual=-4.0, smoothing=7.0)
    before, after = _logits(-4.0, patches=300), _logits(4.0, patches=300)
    gap = np.full((1, 50), np.nan)
    channels, _ = background.compare(np.concatenate([_probability(before), gap, _probability(after)], axis=1), 1.0, 1)
    assert len(np.unique(channels[0, 240:300].round(5))) == 1
    assert len(np.unique(channels[0, 350:390].round(5))) == 1


def test_a_channel_that_is_missing_does_not_agree() -> None:
    logits = _logits(-4.0, 3)
    logits[:2, 600:640] += 5.0
    missing = _probability(logits)
    missing[2, 500:800] = np.nan
    background = Background(usual=-4.0, smoothing=1.0)
    for agree, count in ((2, 1), (3, 0)):
        probability = background.compare(missing, 1.0, agree)[1]
        assert np.isfinite(probability).all()
        settings = DetectionSettings(background=background, min_channels=agree)
        _, events = settings.decide(missing, ["A", "B", "C"], patch_s=1.0, duration=float(PATCHES))
        assert len(events) == count
    plain = DetectionSettings(min_channels=3).compare(missing[:, 590:650], 1.0)[1]
    np.testing.assert_array_equal(plain, np.zeros(60))
