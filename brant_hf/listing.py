"""Lists in messages, of which long ones are cut, and counts."""

from __future__ import annotations

from collections.abc import Iterable


def listed(items: Iterable[object], most: int = 6, between: str = ", ") -> str:
    """Write the first of several items, and how many more there are: `A1, A2 and 3 more`."""
    texts = [str(item) for item in items]
    more = len(texts) - most
    return between.join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """Write a number of things: `no channels`, `1 channel`, `2 channels`."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
