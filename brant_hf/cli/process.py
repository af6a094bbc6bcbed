"""How the process of a command works: what takes time and changes no result."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


def let_threads_sleep() -> None:
    """Let threads that wait for others give their cores away soon, unless the environment says how they wait.

    Those of PyTorch wait for each other some hundred times for each window. By default they keep their cores busy for
    milliseconds meanwhile, so where other programs work, too, everybody waits for those who wait. The tenths of a
    millisecond that are left bridge the time between two operations. GNU OpenMP reads this when PyTorch is imported;
    where PyTorch comes with another OpenMP, nothing changes.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")


@contextmanager
def loading() -> Iterator[None]:
    """Leave what is imported and loaded in this block out of garbage collection: it is needed until the end.

    PyTorch and transformers make so many objects that looking through them again and again, and once more when the
    process ends, takes about a quarter as long as importing them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
