"""How events agree with reference events, one by one: what the merging and the tolerances of SzCORE do not show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..listing import counted

# Who marks more than this part of the time finds seizures by chance.
_MUCH = 0.25


@dataclass(frozen=True)
class Match:
    """A reference event and what was detected of it.

    Attributes
    ----------
    onset : float
        Of the reference event [s].
    offset : float
        Its end [s].
    num_events : int
        Detected events that share a moment with it; 0 where it was missed.
    onset_error : float or None
        Onset of the first of these less that of the reference event [s]; `None` where it was missed.
    duration_error : float or None
        From the onset of the first to the end of the last of these, less the duration of the reference event [s].
    """

    onset: float
    offset: float
    num_events: int
    onset_error: float | None = None
    duration_error: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Events beside reference events, over one or more recordings.

    Attributes
    ----------
    matches : tuple[Match, ...]
        One for each reference event.
    num_events : int
        Detected events.
    num_without_reference : int
        Those that share no moment with a reference event.
    marked : float
        What all of them last together [s].
    duration : float
        Length of the recordings [s].
    num_counted_reference : int
        Reference events after SzCORE has merged those nearer than 90 s and split those longer than 5 min.
    num_counted_events : int
        Detected events, the same.
    not_searched : float
        What is left out of all this, since only parts of the recordings were searched [s].
    num_outside : int
        Reference events that lie there, and are not among `matches`.
    num_cut : int
        Reference events that reach over the border of a part, and end there in `matches`.
    uncertain : float
        Part of `duration` of which nobody knows whether it is seizure [s]: what was detected there is left out, and
        an event that reaches into it ends at its border.
    """

    matches: tuple[Match, ...]
    num_events: int
    num_without_reference: int
    marked: float
    duration: float
    num_counted_reference: int
    num_counted_events: int
    not_searched: float = 0.0
    num_outside: int = 0
    num_cut: int = 0
    uncertain: float = 0.0

    @property
    def share_marked(self) -> float:
        """What is marked of the time of which it is known whether it is seizure; NaN where there is no such time."""
        known = self.duration - self.uncertain
        return self.marked / known if known > 0 else math.nan

    @property
    def num_found(self) -> int:
        """Reference events that share a moment with a detected one."""
        return sum(match.num_events > 0 for match in self.matches)

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def of_part(
        self, start: float, stop: float, duration: float, reference: Sequence[tuple[float, float]]
    ) -> Agreement:
        """Return what was found of a part of a recording, on the clock of the recording.

        Parameters
        ----------
        start : float
            Where the part begins [s].
        stop : float
            Where it ends [s].
        duration : float
            Length of the recording [s].
        reference : Sequence[tuple[float, float]]
            Reference events `(onset, offset)` [s] of all of it.
        """
        outside = [onset >= stop or offset <= start for onset, offset in reference]
        inside = [start <= onset and offset <= stop for onset, offset in reference]
        return replace(
            self,
            matches=tuple(
                replace(match, onset=match.onset + start, offset=match.offset + start) for match in self.matches
            ),
            not_searched=duration - (stop - start),
            num_outside=sum(outside),
            num_cut=len(reference) - sum(outside) - sum(inside),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return counts and matches as JSON-serialisable values."""
        return {**asdict(self), "num_found": self.num_found, "matches": [asdict(match) for match in self.matches]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Agreement:
        """Make one of what `to_dict` or `dataclasses.asdict` returns."""
        counts = {each.name: content[each.name] for each in fields(cls) if each.name in content}
        return cls(**{**counts, "matches": tuple(Match(**match) for match in content["matches"])})

    def notes(self) -> Iterator[str]:
        """Tell what is not compared, and where scores mislead: they count other events, or most of the time is one."""
        if self.not_searched:
            searched = f"{self.duration:.2f} of {self.duration + self.not_searched:.2f} s"
            left_out = [
                f"{count} reference {'event' if count == 1 else 'events'} {what}"
                for count, what in ((self.num_outside, "not counted"), (self.num_cut, "cut at its border"))
                if count
            ]
            yield "; ".join([f"only the part that was searched is compared, {searched}", *left_out])
        if self.uncertain:
            yield (
                f"{self.uncertain:.2f} s are not compared, of which nobody knows whether they are seizure; what was "
                "detected ends at their border here"
            )
        for what, before, after in (
            ("reference event", len(self.matches), self.num_counted_reference),
            ("event", self.num_events, self.num_counted_events),
        ):
            if before != after:
                counts = "counts" if before == 1 else "count"
                yield (
                    f"{counted(before, what)} {counts} as {after} in the scores: SzCORE merges those nearer than 90 s "
                    "and splits those longer than 5 min"
                )
        expected = sum(match.offset - match.onset for match in self.matches)
        if self.share_marked > _MUCH and self.marked > 2 * expected:
            yield "so much of the time is marked that finding a seizure means little"


def agreement_of(
    known: Sequence[tuple[float, float]],
    detected: Sequence[tuple[float, float]],
    duration: float,
    counted: tuple[int, int],
) -> Agreement:
    """Compare stretches `(onset, offset)` [s] that do not overlap among themselves, and are sorted.

    Parameters
    ----------
    known : Sequence[tuple[float, float]]
        Reference events.
    detected : Sequence[tuple[float, float]]
        Detected events.
    duration : float
        Length of the recording [s].
    counted : tuple[int, int]
        Reference and detected events as SzCORE counts them.
    """
    return Agreement(
        tuple(_match(onset, offset, list(overlapping(detected, onset, offset))) for onset, offset in known),
        len(detected),
        sum(not any(overlapping(known, onset, offset)) for onset, offset in detected),
        sum(offset - onset for onset, offset in detected),
        duration,
        *counted,
    )


def _match(onset: float, offset: float, events: Sequence[tuple[float, float]]) -> Match:
    if not events:
        return Match(onset, offset, 0)
    first, last = events[0][0], events[-1][1]
    return Match(onset, offset, len(events), first - onset, (last - first) - (offset - onset))


def overlapping(
    stretches: Iterable[tuple[float, float]], onset: float, offset: float
) -> Iterator[tuple[float, float]]:
    """Stretches that share a moment with the one from `onset` to `offset`."""
    return ((start, stop) for start, stop in stretches if start < offset and onset < stop)
