"""Shares of a list, and what the environment of a job array says."""

import pytest

from brant_hf.sharding import Shard

ARRAY = "SLURM_ARRAY_TASK_"


def array(task, count, first, last):
    values = {"ID": task, "COUNT": count, "MIN": first, "MAX": last}
    return {f"{ARRAY}{name}": str(value) for name, value in values.items()}


def test_shares_have_every_item_once():
    shares = [Shard(index, 3).take(range(8)) for index in (1, 2, 3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (array(0, 4, 0, 3), "1/4"),
        (array(7, 4, 5, 8), "3/4"),
        (array(8, 3, 0, 8), "3/3"),  # --array=0-8:4
        (array(6, 1, 6, 6), "1/1"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "2/2"),
        # A rank that is alone says nothing.
        ({**array(2, 2, 1, 2), "RANK": "0", "WORLD_SIZE": "1"}, "2/2"),
    ],
)
def test_the_environment_tells_the_share(variables, expected):
    shard = Shard.from_environment(variables)
    assert str(shard) == expected
    assert shard.told_by


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "neither SLURM_ARRAY_TASK_ID"),
        ({"RANK": "0"}, "neither SLURM_ARRAY_TASK_ID"),
        (array(5, 3, 1, 6), "do not follow each other evenly"),  # --array=1,5,6
        ({**array(1, 2, 1, 2), "RANK": "0", "WORLD_SIZE": "2"}, "tells of two at once"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK is 'x'"),
    ],
)
def test_an_environment_that_does_not_tell(variables, message):
    with pytest.raises(ValueError, match=message):
        Shard.from_environment(variables)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", 1])
def test_what_is_no_share(text):
    with pytest.raises(ValueError, match="expected I/N"):
        Shard.of(text)
