"""Choice of the settings of a detector, and of what its confidence means, on validation recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import Any

import numpy as np

from ..user_warnings import warn
from .background import Background
from .decision import event_score, logit
from .result import DetectionResult
from .scoring import TOLERANCE_AFTER_S, TOLERANCE_BEFORE_S, Score, score_events
from .settings import DetectionSettings

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
MIN_CHANNELS = (1, 2, 3, 4)
MIN_DURATIONS = (2.0, 5.0, 10.0)
MERGE_GAPS = (5.0, 10.0, 20.0, 30.0)


@dataclass(frozen=True)
class CalibrationReport:
    """What was chosen, and how it does on the recordings it was chosen on.

    Attributes
    ----------
    settings : dict[str, Any]
        For `BrantConfig.detection`.
    score : Score
        Event score of the settings, all recordings together.
    plateau_size : int
        Settings of the grid that are equally good and hang together with the chosen one.
    num_candidates : int
        Events that the confidence was fitted on.
    """

    settings: dict[str, Any]
    score: Score
    plateau_size: int
    num_candidates: int


def calibrate(
    results: Iterable[DetectionResult | Mapping[str, Any]],
    references: Iterable[Sequence[Mapping[str, Any]]],
    **options: Any,
) -> dict[str, Any]:
    """Return the settings for `BrantConfig.detection`.

    Arguments and errors as `calibration_report`, which says more.
    """
    return calibration_report(results, references, **options).settings


def calibration_report(
    results: Iterable[DetectionResult | Mapping[str, Any]],
    references: Iterable[Sequence[Mapping[str, Any]]],
    *,
    uncertain: Iterable[Sequence[Sequence[Any]]] | None = None,
    gaps: Iterable[Sequence[Sequence[float]]] | None = None,
    background: Background | None = None,
    edge_threshold: float | None = None,
    lasting_threshold: float | None = None,
    max_false_alarms_per_day: float = 1.0,
    thresholds: Sequence[float] = THRESHOLDS,
    min_channels: Sequence[int] = MIN_CHANNELS,
    min_durations: Sequence[float] = MIN_DURATIONS,
    merge_gaps: Sequence[float] = MERGE_GAPS,
) -> CalibrationReport:
    """Choose threshold, agreeing channels, shortest event and gaps to merge, and fit the confidence of events.

    Of all settings on the grid that keep to the limit of false alarms, those with the best event F1 (SzCORE, all
    recordings together) are taken. Of several, the largest group that hangs together in the grid counts, and the one
    in its middle is chosen: there, a small change of the data changes the score least.

    The confidence is a logistic regression (Platt) on the logit of the score of candidate events: those found with the
    chosen settings at the thresholds of the grid from half the chosen one to the chosen one. A candidate is a seizure
    when it overlaps a reference event with the tolerance of SzCORE. Where all candidates are of one kind nothing can
    be fitted, and the confidence stays the score.

    Parameters
    ----------
    results : Iterable[DetectionResult | Mapping[str, Any]]
        What the detector or the pipeline returned for each validation recording; `probabilities` and `patch_duration`
        are read, or `times` where a dictionary has no `patch_duration`.
    references : Iterable[Sequence[Mapping[str, Any]]]
        For each, the reference events with `onset` and `duration` [s].
    uncertain : Iterable[Sequence[Sequence[Any]]] or None
        For each, the stretches of which nobody knows whether they are seizure (`Recording.uncertain`); what is
        detected there counts neither as right nor as a false alarm, nor for the confidence.
    gaps : Iterable[Sequence[Sequence[float]]] or None
        For each, the stretches in which nothing was recorded (`Recording.gaps`), which do not count as time.
    background : Background or None
        As in `DetectionSettings`, with the `line_length_weight` that the probabilities were made with; it is no part
        of the choice, and neither are the next two.
    edge_threshold : float or None
        As in `DetectionSettings`.
    lasting_threshold : float or None
        As in `DetectionSettings`.
    max_false_alarms_per_day : float
        Limit for all recordings together.
    thresholds : Sequence[float]
        Values to try, increasing.
    min_channels : Sequence[int]
        Values to try.
    min_durations : Sequence[float]
        Values to try [s].
    merge_gaps : Sequence[float]
        Values to try [s].

    Returns
    -------
    CalibrationReport

    Raises
    ------
    ValueError
        The lists differ in length, there is no reference event, an axis of the grid is empty or not increasing, or no
        setting detects anything within the limit.
    """
    fixed = DetectionSettings(
        background=background, edge_threshold=edge_threshold, lasting_threshold=lasting_threshold
    )
    recordings = _recordings(results, references, uncertain, gaps, fixed)
    axes = (thresholds, min_channels, min_durations, merge_gaps)
    for name, values in zip(("thresholds", "min_channels", "min_durations", "merge_gaps"), axes, strict=True):
        if not len(values) or any(high <= low for low, high in pairwise(values)):
            raise ValueError(f"{name} is {tuple(values)}; expected one or more increasing values")
    scores = {
        index: sum((each.score(*values) for each in recordings[1:]), start=recordings[0].score(*values))
        for index, values in zip(product(*(range(len(axis)) for axis in axes)), product(*axes), strict=True)
    }
    chosen, plateau_size = _choose(scores, tuple(map(len, axes)), max_false_alarms_per_day)
    threshold, channels, shortest, gap = (axis[index] for axis, index in zip(axes, chosen, strict=True))
    candidates = [
        candidate
        for each in recordings
        for candidate in each.candidates(
            [value for value in thresholds if threshold / 2 <= value <= threshold], int(channels), shortest, gap
        )
    ]
    settings = {
        **({} if background is None else {"background": background.to_dict()}),
        **({} if edge_threshold is None else {"edge_threshold": edge_threshold}),
        **({} if lasting_threshold is None else {"lasting_threshold": lasting_threshold}),
        "threshold": float(threshold),
        "min_channels": int(channels),
        "min_duration": float(shortest),
        "merge_gap": float(gap),
        "calibration": fit_confidence(*zip(*candidates, strict=True)),
    }
    return CalibrationReport(settings, scores[chosen], plateau_size, len(candidates))


def fit_confidence(scores: Sequence[float], is_seizure: Sequence[bool]) -> dict[str, float] | None:
    """Slope and intercept of the logit of event scores.

    Parameters
    ----------
    scores : Sequence[float]
        Of events, 0 to 1.
    is_seizure : Sequence[bool]
        Whether each of them is a seizure.

    Returns
    -------
    dict[str, float] or None
        `{"slope": ..., "intercept": ...}`, or `None` with a warning where all events are of one kind, or where those
        with higher scores are less often seizures.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(is_seizure)) < 2:
        kind = "seizures" if all(is_seizure) else "no seizures"
        warn(f"all {len(is_seizure)} candidate events are {kind}, so the confidence is not calibrated")
        return None
    features = logit(scores)[:, None]
    fitted = LogisticRegression().fit(features, np.asarray(is_seizure, bool))
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        warn("events with higher scores are not more often seizures; confidence not calibrated")
        return None
    return {"slope": slope, "intercept": intercept}


@dataclass
class _Recording:
    """Probabilities of one recording, with what was computed of them."""

    probabilities: np.ndarray
    patch_s: float
    reference: Sequence[Mapping[str, Any]]
    uncertain: Sequence[Sequence[Any]] = ()
    gaps: Sequence[Sequence[float]] = ()
    settings: DetectionSettings = field(default_factory=DetectionSettings)
    _by_channels: dict[int, np.ndarray] = field(default_factory=dict)
    _by_events: dict[tuple[tuple[int, int], ...], Score] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        return self.probabilities.shape[1] * self.patch_s

    def events(
        self, threshold: float, min_channels: int, min_duration: float, merge_gap: float
    ) -> tuple[tuple[int, int], ...]:
        settings = replace(self.settings, threshold=threshold, min_duration=min_duration, merge_gap=merge_gap)
        return tuple(settings.find_events(self.probability(min_channels), self.patch_s))

    def probability(self, min_channels: int) -> np.ndarray:
        if min_channels not in self._by_channels:
            settings = replace(self.settings, min_channels=min_channels)
            _, self._by_channels[min_channels] = settings.compare(self.probabilities, self.patch_s)
        return self._by_channels[min_channels]

    def score(self, threshold: float, min_channels: int, min_duration: float, merge_gap: float) -> Score:
        """Event score; many settings find the same events."""
        events = self.events(threshold, min_channels, min_duration, merge_gap)
        if events not in self._by_events:
            hypothesis = [
                {"onset": first * self.patch_s, "duration": (stop - first) * self.patch_s} for first, stop in events
            ]
            scores = score_events(self.reference, hypothesis, self.duration, self.uncertain, self.gaps)
            self._by_events[events] = scores["event"]
        return self._by_events[events]

    def candidates(
        self, thresholds: Sequence[float], min_channels: int, min_duration: float, merge_gap: float
    ) -> list[tuple[float, bool]]:
        """Score of each event found at one of the thresholds, and whether it is a seizure."""
        found = {
            event
            for threshold in thresholds
            for event in self.events(threshold, min_channels, min_duration, merge_gap)
        }
        probability = self.probability(min_channels)
        return [
            (event_score(probability, *event), self._is_seizure(*event))
            for event in sorted(found)
            if self._is_seizure(*event) or not self._is_uncertain(*event)
        ]

    def _is_seizure(self, first: int, stop: int) -> bool:
        onset, offset = first * self.patch_s, stop * self.patch_s
        return any(
            onset < each["onset"] + each["duration"] + TOLERANCE_AFTER_S
            and offset > each["onset"] - TOLERANCE_BEFORE_S
            for each in self.reference
        )

    def _is_uncertain(self, first: int, stop: int) -> bool:
        onset, offset = first * self.patch_s, stop * self.patch_s
        return any(onset < stretch[1] and stretch[0] < offset for stretch in self.uncertain)


def _recordings(
    results: Iterable[DetectionResult | Mapping[str, Any]],
    references: Iterable[Sequence[Mapping[str, Any]]],
    uncertain: Iterable[Sequence[Sequence[Any]]] | None,
    gaps: Iterable[Sequence[Sequence[float]]] | None,
    settings: DetectionSettings,
) -> list[_Recording]:
    results, references = list(results), [list(reference) for reference in references]
    stretches: dict[str, list[Any]] = {}
    for kind, given in (("uncertain stretches", uncertain), ("gaps", gaps)):
        stretches[kind] = [()] * len(results) if given is None else list(given)
        if len(stretches[kind]) != len(results):
            raise ValueError(
                f"got {len(results)} results and {len(stretches[kind])} lists of {kind}; expected one for each result"
            )
    if len(results) != len(references) or not results:
        raise ValueError(
            f"got {len(results)} results and {len(references)} lists of reference events; expected one list for each "
            "result, and at least one"
        )
    if not any(references):
        raise ValueError("no recording has a reference event; settings are chosen on recordings with seizures")
    return [
        _Recording(np.asarray(each["probabilities"]), _patch_duration(each), reference, unknown, lost, settings)
        for each, reference, unknown, lost in zip(map(_as_dict, results), references, *stretches.values(), strict=True)
    ]


def _patch_duration(result: Mapping[str, Any]) -> float:
    """Length of a patch [s]: as stated, else the distance of the centres, which for one patch is that from 0 twice."""
    stated, times = result.get("patch_duration"), result["times"]
    if stated is not None:
        return float(stated)
    return float(times[1] - times[0] if len(times) > 1 else 2 * times[0])


def _as_dict(result: DetectionResult | Mapping[str, Any]) -> Mapping[str, Any]:
    return result.to_dict() if isinstance(result, DetectionResult) else result


def _choose(
    scores: Mapping[tuple[int, ...], Score], shape: tuple[int, ...], max_false_alarms_per_day: float
) -> tuple[tuple[int, ...], int]:
    """Place of the best setting in the grid, and the size of its plateau."""
    from scipy.ndimage import label

    f1 = np.full(shape, -math.inf)
    for index, score in scores.items():
        if score.false_alarms_per_day <= max_false_alarms_per_day:
            f1[index] = score.f1
    if not f1.max() > 0:
        rate = min((score.false_alarms_per_day for score in scores.values() if score.tp), default=None)
        reason = (
            "no setting detects any reference event"
            if rate is None
            else f"settings that detect anything have {rate:.3g} or more"
        )
        raise ValueError(
            f"no setting detects seizures with at most {max_false_alarms_per_day:g} false alarms per day: {reason}"
        )
    groups, _ = label(f1 >= f1.max() - 1e-9, structure=np.ones((3,) * len(shape)))
    sizes = np.bincount(groups.ravel())[1:]
    plateau = np.argwhere(groups == 1 + sizes.argmax())
    distance = ((plateau - plateau.mean(axis=0)) ** 2).sum(axis=1)
    return tuple(plateau[distance.argmin()].tolist()), int(sizes.max())
