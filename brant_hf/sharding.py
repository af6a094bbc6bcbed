"""Shares of a list, of which each task of a job array works on one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """One of several shares of a list.

    Attributes
    ----------
    index : int
        Which one, from 1.
    count : int
        How many there are.
    told_by : str
        Variables of the environment that tell it; empty where a person does.

    Raises
    ------
    ValueError
        There is no such share.
    """

    index: int
    count: int
    told_by: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(f"shard is '{self}'; expected I/N with I from 1 to N")

    @classmethod
    def of(cls, text: str) -> Shard:
        """Read `"I/N"`, or `"auto"`: what the job array says that this process belongs to.

        Raises
        ------
        ValueError
            The text is neither, or the environment does not tell.
        """
        if text == "auto":
            return cls.from_environment(os.environ)
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f"shard is {text!r}; expected I/N, such as 1/8, or auto")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Shard:
        """Find the share of a task of a SLURM job array, or of a rank as `torchrun`, `accelerate` and others set it.

        Raises
        ------
        ValueError
            There is neither, there are both, or the array has holes, so that its tasks cannot be counted.
        """
        found = [shard for shard in (_of_array(variables), _of_rank(variables)) if shard is not None]
        several = [shard for shard in found if shard.count > 1] or found
        if not several:
            raise ValueError(
                f"shard is 'auto', and the environment has neither {_ARRAY}ID and {_ARRAY}COUNT nor RANK and "
                "WORLD_SIZE; give I/N, such as 1/8"
            )
        if len(several) > 1 and several[0].count > 1:
            told = "; ".join(each.told_by for each in several)
            raise ValueError(f"shard is 'auto', and the environment tells of two at once ({told}); give I/N")
        return several[0]

    def take(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of this share: every `count`-th, so that neighbours, which are alike, are shared out."""
        return list(items[self.index - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def _of_array(variables: Mapping[str, str]) -> Shard | None:
    if f"{_ARRAY}ID" not in variables or f"{_ARRAY}COUNT" not in variables:
        return None
    task, count = _number(variables, f"{_ARRAY}ID"), _number(variables, f"{_ARRAY}COUNT")
    first = _number(variables, f"{_ARRAY}MIN", 0)
    last = _number(variables, f"{_ARRAY}MAX", first + count - 1)
    told_by = f"{_ARRAY}ID {task} of {first} to {last}"
    # An array is `first-last`, or `first-last:step`; its tasks may also be any list, whose places nobody tells.
    step = (last - first) / max(count - 1, 1) or 1
    index = (task - first) / step + 1
    if step != int(step) or index != int(index) or not 1 <= index <= count:
        raise ValueError(
            f"shard is 'auto', and the job array has {count} tasks that do not follow each other evenly ({told_by}); "
            "give I/N"
        )
    return Shard(int(index), count, told_by)


def _of_rank(variables: Mapping[str, str]) -> Shard | None:
    if "RANK" not in variables or "WORLD_SIZE" not in variables:
        return None
    rank, size = _number(variables, "RANK"), _number(variables, "WORLD_SIZE")
    return Shard(rank + 1, size, f"RANK {rank} of WORLD_SIZE {size}")


def _number(variables: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = variables.get(name, "" if default is None else str(default))
    if not text.isdecimal():
        raise ValueError(f"shard is 'auto', and {name} is {text!r}; expected a whole number")
    return int(text)
