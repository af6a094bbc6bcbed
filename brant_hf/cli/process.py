"""How the process of a command works: what takes time and changes no result."""

from __future__ import annotations

import os


def let_threads_sleep() -> None:
    """Let threads that wait for others give their cores away soon, unless the environment says how they wait.

    Those of PyTorch wait for each other some hundred times for each window. By default they keep their cores busy for
    milliseconds meanwhile, so where other programs work, too, everybody waits for those who wait. The tenths of a
    millisecond that are left bridge the time between two operations. GNU OpenMP reads this when PyTorch is imported;
    where PyTorch comes with another OpenMP, nothing changes.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
