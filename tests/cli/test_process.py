import gc

import pytest

from brant_hf.cli.process import let_threads_sleep, loading


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


@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_loaded_is_not_collected_and_what_follows_is(enabled):
    was_enabled = gc.isenabled()
    try:
        gc.enable() if enabled else gc.disable()
        before = gc.get_freeze_count()
        with loading():
            assert not gc.isenabled()
            loaded = [[number] for number in range(10_000)]
        assert gc.isenabled() == enabled
        assert gc.get_freeze_count() >= before + len(loaded)
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
