"""Scores of detected events against reference events, by `timescoring` with the defaults of SzCORE."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..bad_input import BAD_INPUT, checked_path
from ..data.recordings.formats import is_recording_name
from ..events.event import EventLike, SeizureEvent, check_duration, merge_stretches, without_stretches
from ..events.tables import EventFile, is_detection_table, is_no_table_of_events, other_entities, read_event_file
from ..listing import counted, listed
from ..user_warnings import warn
from .agreement import Agreement, agreement_of, overlapping

# Events are kept in seconds; at this rate [Hz] masks are as long as `timescoring` makes them itself.
_RATE = 10
# What begins this long before or after a seizure [s] is still a detection of it.
TOLERANCE_BEFORE_S, TOLERANCE_AFTER_S = 30.0, 60.0
# Recordings are as long as their data records; what is detected may end with the last sample.
_DURATION_TOLERANCE_S = 1.0
# Starts are written in whole seconds [s].
_START_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Score:
    """Counts over one or more recordings and what follows from them.

    Attributes
    ----------
    tp : int
        Detected reference events, or seconds in both for samples.
    fp : int
        False alarms, or seconds that are only detected.
    ref_true : int
        Reference events, or seconds of reference.
    duration : float
        Length of the recordings [s].
    """

    tp: int
    fp: int
    ref_true: int
    duration: float

    @property
    def sensitivity(self) -> float:
        """Part of the reference that is detected; NaN without reference events."""
        return self.tp / self.ref_true if self.ref_true else math.nan

    @property
    def precision(self) -> float:
        """Part of the detections that is right; NaN without detections."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and precision; NaN where there is nothing to detect and no false alarm."""
        if not self.ref_true + self.fp:
            return math.nan
        return 2 * self.tp / (2 * self.tp + self.fp + (self.ref_true - self.tp))

    @property
    def false_alarms_per_day(self) -> float:
        """False alarms in 24 h (for samples: seconds)."""
        return self.fp / (self.duration / 3600 / 24)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.tp + other.tp, self.fp + other.fp, self.ref_true + other.ref_true, self.duration + other.duration
        )

    def to_dict(self) -> dict[str, float | int | None]:
        """Return counts and scores as JSON-serialisable values; `None` for NaN."""
        scores = {name: getattr(self, name) for name in ("sensitivity", "precision", "f1", "false_alarms_per_day")}
        return {
            **{name: None if math.isnan(value) else value for name, value in scores.items()},
            "tp": self.tp,
            "fp": self.fp,
            "ref_true": self.ref_true,
            "duration": self.duration,
        }


def score_events(
    reference: Iterable[EventLike],
    hypothesis: Iterable[EventLike],
    duration: float,
    uncertain: Iterable[Sequence[Any]] = (),
    gaps: Iterable[Sequence[float]] = (),
) -> dict[str, Score]:
    """Compare detected with reference events of one recording.

    Samples are seconds, rounded, so that an event under half a second may have none. A reference event is detected by
    any overlap from 30 s before to 60 s after it; events closer than 90 s are merged and those longer than 5 min
    split, as SzCORE does. An event counts however short it is.

    Parameters
    ----------
    reference : Iterable[SeizureEvent | Mapping[str, Any] | tuple]
        Events, as objects, with `onset` and `duration` [s], or as `Recording.seizures` has them.
    hypothesis : Iterable[SeizureEvent | Mapping[str, Any] | tuple]
        Detected events, the same.
    duration : float
        Length of the recording [s].
    uncertain : Iterable[Sequence[Any]]
        Stretches `(onset, offset, ...)` [s] of which nobody knows whether they are seizure, as
        `Recording.uncertain`. What is detected there is neither right nor a false alarm, unless it is a detection of
        a reference event beside it.
    gaps : Iterable[Sequence[float]]
        Stretches `(start, stop)` [s] in which nothing was recorded, as `Recording.gaps`. They count neither as time
        nor as seizure, nor does what was detected there.

    Returns
    -------
    dict[str, Score]
        `{"sample": Score, "event": Score}`.

    Raises
    ------
    ValueError
        The recording has no length, or nothing of it was recorded.
    """
    return compare_events(reference, hypothesis, duration, uncertain, gaps)[0]


def compare_events(
    reference: Iterable[EventLike],
    hypothesis: Iterable[EventLike],
    duration: float,
    uncertain: Iterable[Sequence[Any]] = (),
    gaps: Iterable[Sequence[float]] = (),
) -> tuple[dict[str, Score], Agreement]:
    """Like `score_events`, and what the merging and the tolerances of SzCORE do not show."""
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring, SampleScoring

    check_duration(duration)
    lost = [(start, stop) for start, stop in gaps]
    recorded = without_stretches([(0.0, duration)], lost)
    if not recorded:
        raise ValueError(f"all {duration:g} s of the recording are gaps, so there is nothing to score")
    known, detected = (
        [stretch for stretch in _stretches(events, duration) if any(overlapping(recorded, *stretch))]
        for events in (reference, hypothesis)
    )
    unknown = [(stretch[0], stretch[1]) for stretch in uncertain]
    around = [(onset - TOLERANCE_BEFORE_S, offset + TOLERANCE_AFTER_S) for onset, offset in known]
    count = max(1, round(duration * _RATE))

    def annotation(stretches: list[tuple[float, float]]) -> Annotation:
        return Annotation([_on_grid(*stretch, count) for stretch in without_stretches(stretches, lost)], _RATE, count)

    unjudged = without_stretches(unknown, known)
    certain = without_stretches(detected, unjudged)
    scored = {
        "sample": SampleScoring(annotation(known), annotation(certain)),
        "event": EventScoring(
            annotation(known), annotation(without_stretches(detected, without_stretches(unknown, around)))
        ),
    }
    recorded_s = sum(stop - start for start, stop in recorded)
    scores = {
        kind: Score(
            int(score.tp),
            int(score.fp),
            int(score.refTrue),
            recorded_s if lost else score.numSamples / score.fs or duration,
        )
        for kind, score in scored.items()
    }
    counted = (len(scored["event"].ref.events), len(scored["event"].hyp.events))
    marked = sum(stop - start for start, stop in without_stretches(certain, lost))
    inside = merge_stretches((max(start, 0.0), min(stop, duration)) for start, stop in unjudged)
    uncertain_s = math.fsum(stop - start for start, stop in without_stretches(inside, lost))
    return scores, replace(agreement_of(known, certain, recorded_s, counted), marked=marked, uncertain=uncertain_s)


def score_files(reference: str | os.PathLike, hypothesis: str | os.PathLike) -> dict[str, dict[str, Score]]:
    """Score a table of events, or every table of a folder.

    In folders, tables belong together when their paths below the folder, or else their names, are the same but for the
    BIDS suffix (`_events`, `_ieeg`, `_eeg`).

    Parameters
    ----------
    reference : str or os.PathLike
        A `.tsv` file or a folder, as of a BIDS dataset.
    hypothesis : str or os.PathLike
        The same for what was detected.

    Returns
    -------
    dict[str, dict[str, Score]]
        The scores (`"sample"` and `"event"`) of each recording by name.

    Raises
    ------
    OSError
        A file or folder does not exist.
    ValueError
        A reference has no hypothesis, nothing matches, or two files are about recordings of different lengths or state
        none.
    """
    return {name: scores for name, (scores, _) in compare_files(reference, hypothesis).items()}


def compare_files(
    reference: str | os.PathLike, hypothesis: str | os.PathLike, failed: dict[str, Exception] | None = None
) -> dict[str, tuple[dict[str, Score], Agreement]]:
    """Like `score_files`, and what the merging and the tolerances of SzCORE do not show.

    Where `failed` is given, a recording of several that cannot be scored is put there, and does not stop the others.
    """
    compared = {}
    paths = [checked_path(each, "a table of events, or a folder of them") for each in (reference, hypothesis)]
    for name, one, other in _pairs(*paths):
        try:
            known, found = read_event_file(one), read_event_file(other)
            _check_roles(one, other, name)
            compared[name] = compare_event_files(known, found, name)
        except BAD_INPUT as error:
            if failed is None or not paths[0].is_dir():
                raise
            failed[name] = error
    return compared


def pool(scores: Iterable[Mapping[str, Score]]) -> dict[str, Score]:
    """Return the scores of all recordings together: counts are added."""
    scores = list(scores)
    return {kind: sum((score[kind] for score in scores[1:]), start=scores[0][kind]) for kind in ("sample", "event")}


def compare_event_files(reference: EventFile, hypothesis: EventFile, name: str) -> tuple[dict[str, Score], Agreement]:
    """Like `compare_events` for two files about the recording `name`, whose duration is that of the reference."""
    durations = [each.duration for each in (reference, hypothesis) if each.duration is not None]
    if not durations:
        raise ValueError(f"{name}: neither file states recordingDuration, which the false alarms per day need")
    if max(durations) - min(durations) > _DURATION_TOLERANCE_S:
        raise ValueError(
            f"{name}: the reference is about a recording of {durations[0]:.2f} s, the hypothesis about one of "
            f"{durations[1]:.2f} s; pass two files about the same recording"
        )
    _tell_of_other_starts(reference, hypothesis, name)
    for kind, events in (("reference", reference.events), ("hypothesis", hypothesis.events)):
        late = [event["onset"] for event in events if event["onset"] > durations[0] + _DURATION_TOLERANCE_S]
        if late:
            raise ValueError(
                f"{name}: the {kind} has an event at {late[0]:.2f} s, but the recording ends at {durations[0]:.2f} s; "
                "pass two files about the same recording"
            )
        passing = [each for each in events if each["onset"] + each["duration"] > durations[0] + _DURATION_TOLERANCE_S]
        if passing:
            warn(
                f"{name}: {counted(len(passing), 'event')} of the {kind}, the first from {passing[0]['onset']:.2f} s "
                f"on, {'passes' if len(passing) == 1 else 'pass'} the end of the recording at {durations[0]:.2f} s, "
                "and what lies behind it does not count"
            )
    # A reference event in the rounding of the other file's duration is not lost.
    late_ends = (each["onset"] + each["duration"] for each in reference.events if each["onset"] >= durations[0])
    duration = max([durations[0], *late_ends])
    parts = [each.searched for each in (reference, hypothesis) if each.searched is not None]
    if not parts:
        gaps = [*reference.gaps, *hypothesis.gaps]
        return compare_events(reference.events, hypothesis.events, duration, reference.uncertain, gaps)
    start, stop = max(part[0] for part in parts), min(duration, *(part[1] for part in parts))
    if start >= stop:
        raise ValueError(f"{name}: the two files are about parts of the recording that share no moment")
    known, found = reference.within(start, stop), hypothesis.within(start, stop)
    gaps = [*known.gaps, *found.gaps]
    scores, agreement = compare_events(known.events, found.events, stop - start, known.uncertain, gaps)
    return scores, agreement.of_part(start, stop, duration, _stretches(reference.events, duration))


def _tell_of_other_starts(reference: EventFile, hypothesis: EventFile, name: str) -> None:
    """Warn of tables that state different starts of the recording: they may be about two."""
    one, other = reference.start, hypothesis.start
    if one is not None and other is not None and abs((one - other).total_seconds()) > _START_TOLERANCE_S:
        warn(
            f"{name}: by their dateTime the reference is about a recording of {one}, the hypothesis about one of "
            f"{other}; times are compared as they are: make sure that both are about the same recording"
        )


def _stretches(events: Iterable[EventLike], duration: float) -> list[tuple[float, float]]:
    """Events as `(onset, offset)` [s]; those that overlap, as on different channels, are one.

    What begins at the end of the recording, where the other file has it a little longer, has no stretch in it.
    """
    seizures = SeizureEvent.all_of(events)
    outside = [each.onset for each in seizures if each.onset > duration + _DURATION_TOLERANCE_S]
    if outside:
        warn(
            f"{len(outside)} of {len(seizures)} events begin after the {duration:g} s of the recording (the first at "
            f"{min(outside):g} s) and do not count; give times in seconds of the same recording"
        )
    return merge_stretches((each.onset, min(each.offset, duration)) for each in seizures if each.onset < duration)


def _on_grid(onset: float, offset: float, count: int) -> tuple[float, float]:
    """Return the stretch as it is, or the step of the mask it is in where it would have none by rounding."""
    if round(offset * _RATE) > round(onset * _RATE):
        return onset, offset
    step = min(int(onset * _RATE), count - 1)
    return step / _RATE, (step + 1) / _RATE


def _pairs(reference: Path, hypothesis: Path) -> Iterator[tuple[str, Path, Path]]:
    if reference.is_dir() != hypothesis.is_dir():
        raise ValueError(f"{reference} and {hypothesis} must be two files or two folders")
    if not reference.is_dir():
        for path in (reference, hypothesis):
            if is_recording_name(path) and path.is_file():
                raise ValueError(
                    f"{path} is a recording; expected a table of events (.tsv), such as what is known of it, or what "
                    "brant-hf detect writes"
                )
        if differing := other_entities(reference.name, hypothesis.name):
            warn(
                f"{hypothesis.name} is compared with {reference.name}, and by these names they are about different "
                f"recordings ({listed(differing)}): make sure that both are about the same"
            )
        yield reference.name, reference, hypothesis
        return
    references, hypotheses = event_tables(reference), event_tables(hypothesis)
    by_path = {_key(path, hypothesis): path for path in hypotheses}
    by_name: dict[str, list[Path]] = {}
    for path in hypotheses:
        by_name.setdefault(recording_of_table(path), []).append(path)
    matched: dict[Path, Path] = {}
    for path in references:
        same_name = by_name.get(recording_of_table(path), [])
        found = by_path.get(_key(path, reference)) or (same_name[0] if len(same_name) == 1 else None)
        if found is not None:
            matched[path] = found
    _check_matches(references, hypotheses, matched, reference, hypothesis)
    for path, found in matched.items():
        yield path.relative_to(reference).as_posix(), path, found


def _check_roles(reference: Path, hypothesis: Path, name: str) -> None:
    """Warn of a table that is compared with itself, and where that with detections is the reference."""
    if reference.samefile(hypothesis):
        warn(f"{name} is compared with itself; name what is known first, what was detected second")
    if is_detection_table(reference) and not is_detection_table(hypothesis):
        warn(
            f"{name}: the reference is a table of detections, and the hypothesis is not; if they are swapped, so are "
            "sensitivity and precision: name what is known first, what was detected second"
        )


def _check_matches(
    references: Sequence[Path], hypotheses: Sequence[Path], matched: Mapping[Path, Path], reference: Path, other: Path
) -> None:
    if not matched:
        raise ValueError(
            f"no file of {other} belongs to one of {reference}: names such as {references[0].name} and "
            f"{hypotheses[0].name} have nothing in common; give both the names of their recordings"
        )
    lacking = [path.relative_to(reference).as_posix() for path in references if path not in matched]
    if lacking:
        raise ValueError(
            f"{other} has no file for {len(lacking)} of {len(references)} references: {listed(lacking)}; a recording "
            "without seizures needs a file with one row bckg"
        )
    if len(set(matched.values())) < len(matched):
        raise ValueError(f"a file of {other} belongs to several of {reference}; arrange both folders the same way")
    unused = [path.relative_to(other).as_posix() for path in hypotheses if path not in set(matched.values())]
    if unused:
        warn(f"{len(unused)} files of {other} have no reference: {listed(unused)}")


def event_tables(folder: Path) -> list[Path]:
    """Tables of events of one recording each, in a folder and below."""
    found = sorted(
        path
        for path in folder.rglob("*.tsv")
        if not path.name.startswith(".") and "derivatives" not in path.relative_to(folder).parts
    )
    # A BIDS dataset has other tables too, of channels, electrodes and participants.
    found = [path for path in found if not is_no_table_of_events(path)]
    tables = [path for path in found if path.stem.endswith("_events")] or found
    if not tables:
        raise ValueError(f"the folder {folder} holds no table of events (.tsv)")
    return tables


def _key(path: Path, folder: Path) -> str:
    return (path.relative_to(folder).parent / recording_of_table(path)).as_posix()


def recording_of_table(path: Path) -> str:
    """Name of the recording that a table is about, or of a recording."""
    for suffix in ("_events", "_ieeg", "_eeg"):
        if path.stem.endswith(suffix):
            return path.stem.removesuffix(suffix)
    return path.stem
