"""The command `brant-hf score`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import warnings_after

if TYPE_CHECKING:
    from ..detection.scoring import Score


def score(
    reference: Annotated[Path, typer.Argument(help="Table of reference events (.tsv), or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(help="Table of detected events (.tsv), or a folder of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score detected events against reference events with timescoring, as SzCORE does."""
    from ..detection.scoring import pool, score_files

    with warnings_after():
        scores = score_files(reference, hypothesis)
        pooled = pool(scores.values())
    if as_json:
        print(
            json.dumps(
                {"recordings": {name: _json(score) for name, score in scores.items()}, "pooled": _json(pooled)},
                indent=2,
            )
        )
    else:
        print(score_table({**scores, "all recordings": pooled} if len(scores) > 1 else scores))


def score_table(scores: Mapping[str, Mapping[str, Score]]) -> str:
    """Scores of recordings, one line for each level."""
    width = max(len("recording"), *map(len, scores))
    lines = [
        f"{'recording':<{width}}  {'level':<7}{'sensitivity':>12}{'precision':>11}{'F1':>8}{'false alarms/day':>18}"
    ]
    for name, levels in scores.items():
        for level, score in levels.items():
            lines.append(
                f"{name:<{width}}  {level:<7}{_number(score.sensitivity):>12}{_number(score.precision):>11}"
                f"{_number(score.f1):>8}{score.false_alarms_per_day:>18.2f}"
            )
    return "\n".join(lines)


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4f}"


def _json(scores: Mapping[str, Score]) -> dict[str, object]:
    return {level: score.to_dict() for level, score in scores.items()}
