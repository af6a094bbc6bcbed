"""The command `brant-hf score`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..bad_input import reason_of
from ..option_names import in_options
from .options import warnings_after
from .several import refuse_failures

if TYPE_CHECKING:
    from ..detection.agreement import Agreement
    from ..detection.scoring import Score


def score(
    reference: Annotated[Path, typer.Argument(help="Table of reference events (.tsv), or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(help="Table of detected events (.tsv), or a folder of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score detected events against reference events with timescoring, as SzCORE does.

    Of a folder, tables that cannot be read or compared are listed at the end, and the others are scored all the same.
    A recording takes milliseconds, so there are no shares.
    """
    from ..detection.scoring import compare_files

    failed: dict[str, Exception] = {}
    with warnings_after():
        compared = compare_files(reference, hypothesis, failed)
    if compared:
        _print_scores(compared, as_json)
    # Beside JSON, standard output holds nothing else.
    for name, error in failed.items():
        print(f"{name}: failed: {in_options(reason_of(error))}", file=sys.stderr if as_json else sys.stdout)
    refuse_failures(len(failed), len(compared) + len(failed))


def _print_scores(compared: Mapping[str, tuple[dict[str, Score], Agreement]], as_json: bool) -> None:
    from ..detection.scoring import pool

    scores = {name: each for name, (each, _) in compared.items()}
    pooled = pool(scores.values())
    agreements = [agreement for _, agreement in compared.values()]
    together = sum(agreements[1:], start=agreements[0])
    if as_json:
        found = {"recordings": {name: _json(*each) for name, each in compared.items()}}
        print(json.dumps({**found, "pooled": _json(pooled, together)}, indent=2))
    else:
        lines = {**scores, "all recordings": pooled} if len(scores) > 1 else scores
        print("\n".join(score_lines(lines, together)))


def score_lines(
    scores: Mapping[str, Mapping[str, Score]], agreement: Agreement, whole: bool | None = None
) -> Iterator[str]:
    """Scores of recordings, one line for each level, and below them the events as they are.

    Those of several recordings (`whole`, by default where there are several lines) are counted, not listed.
    """
    width = max(len("recording"), *map(len, scores))
    yield (
        f"{'recording':<{width}}  {'level':<7}{'sensitivity':>12}{'precision':>11}{'F1':>8}{'found':>18}{'false':>9}"
        f"{'false alarms/day':>18}"
    )
    for name, levels in scores.items():
        for level, score in levels.items():
            # Samples are seconds, and a second is no alarm.
            unit, rate = (" s", "-") if level == "sample" else ("", f"{score.false_alarms_per_day:.2f}")
            found = f"{score.tp} of {score.ref_true}{unit}"
            yield (
                f"{name:<{width}}  {level:<7}{_number(score.sensitivity):>12}{_number(score.precision):>11}"
                f"{_number(score.f1):>8}{found:>18}{f'{score.fp}{unit}':>9}{rate:>18}"
            )
    yield ""
    yield from _agreement_lines(agreement, whole=len(scores) > 1 if whole is None else whole)


def _agreement_lines(agreement: Agreement, whole: bool) -> Iterator[str]:
    """Count without merging and tolerances; tell for one recording also how each reference event was found."""
    yield (
        f"as they are: {agreement.num_found} of {len(agreement.matches)} reference events found; "
        f"{agreement.num_events} detected, {agreement.num_without_reference} of them touch no reference event; "
        f"{_percent(agreement.share_marked)} of the recording{'s' * whole} marked"
    )
    for note in agreement.notes():
        yield f"note: {note}"
    if whole or not agreement.matches:
        return
    headings = ("reference onset [s]", "duration [s]", "events", "onset error [s]", "duration error [s]")
    yield "  ".join(headings)
    for match in agreement.matches:
        errors = (match.onset_error, match.duration_error)
        onset, duration = ("missed" if error is None else f"{error:+.2f}" for error in errors)
        yield (
            f"{match.onset:>19.2f}  {match.offset - match.onset:>12.2f}  {match.num_events:>6}  {onset:>15}  "
            f"{duration:>18}"
        )


def _percent(share: float) -> str:
    return "n/a" if math.isnan(share) else f"{100 * share:.3g} %"


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4f}"


def _json(scores: Mapping[str, Score], agreement: Agreement) -> dict[str, object]:
    levels = {level: score.to_dict() for level, score in scores.items()}
    levels["sample"]["false_alarms_per_day"] = None
    return {**levels, "events": agreement.to_dict()}
