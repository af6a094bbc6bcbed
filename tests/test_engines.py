"""Who works on several items at a time."""

import os

import pytest

from brant_hf.engines import Engine


def double(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_proc": 0}, "num_proc is 0"),
        ({"num_proc": "2"}, "num_proc is '2'; it must be a whole number"),
        ({"backend": "threads"}, "expected one of loky, dask"),
        ({"backend": "loky", "scheduler": "tcp://host:1"}, "a scheduler is of dask"),
        ({"num_proc": 2, "backend": "dask"}, "leave it out"),
    ],
)
def test_what_is_no_engine(arguments, message):
    with pytest.raises(ValueError, match=message):
        Engine(**arguments)


def test_one_process_is_this_one():
    assert list(Engine().map(double, [1, 2])) == [(1, (2, os.getpid())), (2, (4, os.getpid()))]


def test_processes_of_this_machine():
    found = dict(Engine(2).map(double, [1, 2, 3]))
    assert {item: value for item, (value, _) in found.items()} == {1: 2, 2: 4, 3: 6}
    assert os.getpid() not in {process for _, process in found.values()}


def test_a_cluster_that_nobody_tells(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(ValueError, match="no cluster is told"):
        list(Engine(backend="dask").map(double, [1]))
