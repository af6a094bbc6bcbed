"""SWEC as on the Hub, part by part: what is downloaded, searched and scored, for a detector and for its evaluation.

A recording lasts days, and comes in parts of about 10 GB. Totals, which are small, tell parts and seizures. A part is
downloaded when it is read, searched in pieces of an hour, and removed again unless it is to be kept; the probabilities
of a piece are a file, so what was searched is not searched again. Memory does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from brant_hf.data import Recording, open_recording
from brant_hf.data.corpora import SwecIndex, SwecPart, index_swec_hub
from brant_hf.detection import Agreement, DetectionSettings, Detector, Score, SeizureEvent, compare_events
from brant_hf.events.event import merge_stretches, without_stretches
from brant_hf.files import replacing
from brant_hf.listing import listed
from brant_hf.progress import progress_bar
from brant_hf.user_warnings import warn

REPOSITORY = "NeuroTec/SWEC_iEEG_Dataset"
PIECE_S = 3600.0
# A shorter rest of a part is not searched: a seizure in it could not be told from its background.
SHORTEST_S = 60.0
# Borders of pieces are rounded to samples [s].
_ROUNDING_S = 0.1


class Stretch(NamedTuple):
    """A stretch of the recording of a subject, on its clock [s]."""

    subject: str
    start: float
    stop: float


class Piece(NamedTuple):
    """A stretch of a part, on the clock of the recording [s]."""

    part: SwecPart
    start: float
    stop: float

    def of(self, part: Recording) -> Recording:
        """Cut it from the recording of its part."""
        start = max(self.start - self.part.start, 0.0)
        return open_recording(part, start=start, stop=min(self.stop - self.part.start, part.duration))


class Release:
    """The release in a folder, which is filled from the Hub where that is wanted.

    Parameters
    ----------
    folder : Path
        Holds the folders of the subjects.
    subjects : Sequence[str]
        Names or patterns.
    download : bool
        Get totals now, and parts when they are read; else only what is there is read.
    keep : bool
        Keep parts that were downloaded.

    Raises
    ------
    OSError
        The folder does not exist, or the Hub cannot be reached.
    ValueError
        No subject matches, or the layout is another one.
    """

    def __init__(
        self, folder: Path, subjects: Sequence[str] = ("*",), *, download: bool = False, keep: bool = False
    ) -> None:
        self.folder, self.download, self.keep = folder, download, keep
        if download:
            from huggingface_hub import snapshot_download

            totals = [f"{pattern}/*_total.h5" for pattern in subjects]
            snapshot_download(REPOSITORY, repo_type="dataset", allow_patterns=totals, local_dir=folder)
        self.indexes: dict[str, SwecIndex] = {each.subject: each for each in index_swec_hub(folder, subjects)}

    def parts(self, subject: str) -> list[SwecPart]:
        """Parts that can be read: all, or without downloads those that are there; others are told.

        Raises
        ------
        FileNotFoundError
            There is none.
        """
        parts = self.indexes[subject].parts
        if self.download:
            return list(parts)
        here = [part for part in parts if part.path.is_file()]
        missing = listed(part.path.name for part in parts if part not in here)
        if not here:
            raise FileNotFoundError(
                f"{self.folder} has no part of {subject} ({missing}); get them, or give --download"
            )
        if missing:
            warn(f"{subject}: parts that are not there count as gaps: {missing}; get them, or give --download")
        return here

    @contextmanager
    def reading(self, part: SwecPart) -> Iterator[Recording]:
        """Open a part; it is downloaded where it is not there, and then removed again."""
        was_there = part.path.is_file()
        if not was_there:
            from huggingface_hub import hf_hub_download

            name = f"{part.path.parent.name}/{part.path.name}"
            hf_hub_download(REPOSITORY, name, repo_type="dataset", local_dir=self.folder)
        yield open_recording(part.path)
        if not was_there and not self.keep:
            part.path.unlink()


def pieces_of(parts: Iterable[SwecPart], stretch: Stretch) -> list[Piece]:
    """Cut what was recorded of a stretch into pieces of about an hour, each within a part."""
    pieces = []
    for part in parts:
        start, stop = max(part.start, stretch.start), min(part.stop, stretch.stop)
        if stop - start < SHORTEST_S:
            continue
        borders = np.linspace(start, stop, max(1, round((stop - start) / PIECE_S)) + 1).tolist()
        pieces += [Piece(part, first, last) for first, last in pairwise(borders)]
    return pieces


def at_most(pieces: Sequence[Piece], index: SwecIndex, hours: float | None, seed: int) -> list[Piece]:
    """Take pieces up to so many hours: those with a seizure first, the others at random; in the order of time."""
    if hours is None:
        return list(pieces)
    with_seizure = [any(a < piece.stop and b > piece.start for a, b in index.seizures) for piece in pieces]
    order = np.random.default_rng(seed).permutation(len(pieces)).tolist()
    order.sort(key=lambda place: not with_seizure[place])
    lengths = np.cumsum([pieces[place].stop - pieces[place].start for place in order])
    count = max(1, int(np.searchsorted(lengths, hours * 3600 + 1, side="right")))
    return [pieces[place] for place in sorted(order[:count])]


@dataclass(frozen=True)
class Searched:
    """What a detector makes of a piece; times on the clock of the recording.

    Attributes
    ----------
    start, stop : float
        Of the piece [s].
    probabilities : np.ndarray
        (channels, patches); empty where nothing could be searched, for the `reason`.
    channel_names : list[str]
        Of its rows.
    patch_s : float
        Length of a patch [s].
    seizures, uncertain : list[tuple[float, float]]
        Stretches of the reference [s].
    reason : str
        Why nothing could be searched.
    """

    start: float
    stop: float
    probabilities: np.ndarray
    channel_names: list[str]
    patch_s: float
    seizures: list[tuple[float, float]]
    uncertain: list[tuple[float, float]]
    reason: str = ""

    def events(self, settings: DetectionSettings) -> list[SeizureEvent]:
        """Decide with these settings."""
        length = self.stop - self.start
        return settings.decide(
            self.probabilities, self.channel_names, patch_s=self.patch_s, duration=length, start=self.start
        )[1]

    def save(self, path: Path) -> None:
        """Write it to `path`."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **{name: np.asarray(value) for name, value in vars(self).items()})

    @classmethod
    def load(cls, path: Path) -> Searched:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            values = {name: stored[name] for name in stored.files}
        lists = {name: values[name].tolist() for name in ("channel_names", "start", "stop", "patch_s", "reason")}
        pairs = {name: [(a, b) for a, b in values[name].tolist()] for name in ("seizures", "uncertain")}
        return cls(probabilities=values["probabilities"], **lists, **pairs)


def search(detector: Detector, release: Release, pieces: Sequence[Piece], folder: Path) -> list[Path]:
    """Search pieces of one subject that are not yet in a folder, part after part.

    Parameters
    ----------
    detector : Detector
        Whose probabilities are wanted.
    release : Release
        Where the parts come from.
    pieces : Sequence[Piece]
        In the order of time.
    folder : Path
        Gets a file for each piece.

    Returns
    -------
    list[Path]
        A file for each piece, see `Searched`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {piece: folder / f"{piece.start:09.0f}.npz" for piece in pieces}
    left = [piece for piece in pieces if not files[piece].is_file()]
    with progress_bar(total=len(left), unit="h", desc=folder.name, shown=bool(left)) as bar:
        for part, those in groupby(left, key=lambda piece: piece.part):
            with release.reading(part) as recording:
                for piece in those:
                    _searched(detector, piece, recording).save(files[piece])
                    bar.update()
    return list(files.values())


def _searched(detector: Detector, piece: Piece, part: Recording) -> Searched:
    recording, reason = piece.of(part), ""
    probabilities, names = np.empty((0, 0), np.float32), []
    try:
        result = detector.detect(recording, progress=False)
        probabilities, names = result.probabilities, result.channel_names
    except ValueError as error:
        # Hours in which nothing was connected.
        reason = str(error)
        warn(f"{piece.part.path.stem}, {piece.start:.0f} to {piece.stop:.0f} s: not searched: {reason}")
    seizures, uncertain = (
        [(onset + piece.start, offset + piece.start) for onset, offset, _ in stretches]
        for stretches in (recording.seizures, recording.uncertain)
    )
    extractor = detector.extractor
    return Searched(
        piece.start,
        piece.stop,
        probabilities,
        names,
        extractor.patch_length / extractor.sampling_rate,
        merge_stretches(seizures),
        merge_stretches(uncertain),
        reason,
    )


def score(
    searched: Iterable[Searched], settings: DetectionSettings | None, events: Iterable[SeizureEvent] = ()
) -> tuple[Score, Agreement, float]:
    """Score the events of one subject; what was not searched counts as a gap.

    Parameters
    ----------
    searched : Iterable[Searched]
        Its pieces.
    settings : DetectionSettings or None
        Decide what is an event; `None` where `events` are given.
    events : Iterable[SeizureEvent]
        Detected by other means.

    Returns
    -------
    tuple[Score, Agreement, float]
        Of events, what the score does not show, and what could not be searched [s].

    Raises
    ------
    ValueError
        Nothing could be searched.
    """
    found, stretches, known, unknown = list(events), [], [], []
    reasons, not_searched = [], 0.0
    for each in searched:
        if each.reason:
            reasons.append(each.reason)
            not_searched += each.stop - each.start
            continue
        stretches.append((each.start, each.stop))
        known += each.seizures
        unknown += each.uncertain
        found += [] if settings is None else each.events(settings)
    if not stretches:
        raise ValueError(f"nothing could be searched: {listed(dict.fromkeys(reasons))}")
    duration = max(stop for _, stop in stretches)
    gaps = without_stretches([(0.0, duration)], merge_stretches(stretches, _ROUNDING_S))
    seizures = [SeizureEvent(start, stop - start) for start, stop in merge_stretches(known, _ROUNDING_S)]
    scores, agreement = compare_events(seizures, found, duration, unknown, gaps)
    return scores["event"], agreement, not_searched
