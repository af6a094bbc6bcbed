import pytest

from brant_hf.cli.process import let_threads_sleep


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": "5000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_threads_wait_as_the_environment_says(monkeypatch, environment, expected):
    fresh = dict(environment)
    monkeypatch.setattr("os.environ", fresh)
    let_threads_sleep()
    assert fresh == expected
