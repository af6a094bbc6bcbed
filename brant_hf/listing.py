"""Lists in messages, of which long ones are cut, counts, differences, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def listed(items: Iterable[object], most: int = 6, between: str = ", ") -> str:
    """Write the first of several items, and how many more there are: `A1, A2 and 3 more`."""
    texts = [str(item) for item in items]
    more = len(texts) - most
    return between.join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """Write a number of things: `no channels`, `1 channel`, `2 channels`."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def markdown_row(cells: Iterable[object]) -> str:
    """Write a row of a table in Markdown; a bar inside a cell ends no cell."""
    texts = (str(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"


def markdown_head(cells: Sequence[object]) -> str:
    """Write the first two lines of a table in Markdown."""
    return f"{markdown_row(cells)}\n|{'---|' * len(cells)}"


def markdown_table(head: Sequence[object], rows: Iterable[Iterable[object]]) -> str:
    """Write a table in Markdown."""
    return "\n".join([markdown_head(head), *map(markdown_row, rows)])


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Write in which settings two groups of them differ: `threshold: there 0.5, here 0.6`."""
    found = []
    for group in {**there, **here}:
        old, new = there.get(group), here.get(group)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.append(differences(old, new))
        elif old != new:
            found.append(f"{group}: there {old!r}, here {new!r}")
    return "; ".join(filter(None, found))
