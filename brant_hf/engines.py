"""Work on many items at a time, by engines that are there: processes of this machine, or a cluster of dask."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeVar

from .user_warnings import warn

Item = TypeVar("Item")
Result = TypeVar("Result")

BACKENDS = ("loky", "dask")
# How long a cluster may take to have its first worker [s].
_FIRST_WORKER_S = 60
_PARENT_CHECK_S = 0.5
# Warnings are kept for a whole process, and a worker of dask may have several threads.
_one_at_a_time = threading.Lock()
_watched: set[int] = set()


@dataclass(frozen=True)
class Engine:
    """Where and by how many processes items are worked on.

    Attributes
    ----------
    num_proc : int
        Processes of this machine.
    backend : str or None
        `"loky"`, processes of this machine, or `"dask"`, the workers of a cluster of `dask.distributed`; `None` for
        the first, or for the second where `scheduler` is given.
    scheduler : str or None
        Address of the scheduler of the cluster. Without it, the cluster is that of the active `distributed.Client`, or
        the one that the configuration of dask names (`DASK_SCHEDULER_ADDRESS`).

    Raises
    ------
    ValueError
        There is no such engine.
    """

    num_proc: int = 1
    backend: str | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.num_proc, Integral) and self.num_proc >= 1):
            raise ValueError(f"num_proc is {self.num_proc!r}; it must be a whole number of 1 or more")
        if self.backend not in (None, *BACKENDS):
            raise ValueError(f"backend is {self.backend!r}; expected one of {', '.join(BACKENDS)}")
        if self.scheduler is not None and not self.is_cluster:
            raise ValueError(f"scheduler is {self.scheduler!r} and backend {self.backend!r}; a scheduler is of dask")
        if self.is_cluster and self.num_proc > 1:
            raise ValueError(f"num_proc is {self.num_proc}, and a cluster has the workers that it has; leave it out")

    @property
    def is_cluster(self) -> bool:
        """Whether the work is done elsewhere."""
        return self.backend == "dask" or (self.backend is None and self.scheduler is not None)

    def is_serial(self, items: Sequence[Any]) -> bool:
        """Whether these items are worked on here, one after the other."""
        return not self.is_cluster and (self.num_proc == 1 or len(items) < 2)

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """Yield the items and what `work`, which is to raise nothing, makes of each, as they come.

        Raises
        ------
        ChildProcessError
            A process was killed.
        ImportError
            dask is not installed.
        OSError
            The cluster cannot be reached, or has no worker.
        """
        if self.is_serial(items):
            yield from ((item, work(item)) for item in items)
            return
        from joblib import Parallel, delayed

        # Items stay here: an open recording need not come back.
        jobs = (delayed(_work_on)(work, number, item, os.getcwd(), self._parent) for number, item in enumerate(items))
        with self._settings(len(items)) as settings:
            results = Parallel(return_as="generator_unordered", batch_size=1, **settings)(jobs)
            try:
                for number, result in results:
                    yield items[number], result
            except Exception as error:
                if type(error).__name__ not in ("BrokenProcessPool", "TerminatedWorkerError", "KilledWorker"):
                    raise
                raise ChildProcessError(
                    "a process that worked on a recording was killed, as a rule for lack of memory; run this again "
                    "with a smaller num_proc, or workers with more memory, to continue"
                ) from None
            finally:
                results.close()

    @property
    def _parent(self) -> int | None:
        return None if self.is_cluster else os.getpid()

    @contextmanager
    def _settings(self, num_items: int) -> Iterator[dict[str, Any]]:
        """Arguments of `joblib.Parallel`."""
        if not self.is_cluster:
            yield {"backend": "loky", "n_jobs": min(self.num_proc, num_items)}
            return
        from joblib import parallel_config

        with _client(self.scheduler) as client, parallel_config(backend="dask", client=client):
            # All at once: workers that come later get their part, too.
            yield {"n_jobs": -1, "pre_dispatch": "all"}


@contextmanager
def _client(scheduler: str | None) -> Iterator[Any]:
    """Connect to a cluster, and wait for its first worker."""
    try:
        import dask
        from distributed import Client, default_client
    except ImportError:
        raise ImportError("a cluster needs dask.distributed; pip install brant_hf[cluster]") from None
    active: Any = None
    address = scheduler or dask.config.get("scheduler-address", None)
    if scheduler is None:
        with suppress(ValueError):
            active = default_client()
            address = None
    if address is None and active is None:
        raise ValueError(
            "backend is 'dask', and no cluster is told; pass scheduler='tcp://HOST:8786', set DASK_SCHEDULER_ADDRESS, "
            "or make a distributed.Client before"
        )
    with nullcontext(active) if address is None else Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
        if any(threads > 1 for threads in client.nthreads().values()):
            warn("workers of the cluster have several threads, and work on one recording each; give each one thread")
        yield client


def _work_on(
    work: Callable[[Item], Result], number: int, item: Item, folder: str, parent: int | None
) -> tuple[int, Result]:
    """Work on an item in another process, where paths mean the same as here."""
    if parent is not None:
        _end_with(parent)
    with _one_at_a_time:
        before = os.getcwd()
        os.chdir(folder)
        try:
            return number, work(item)
        finally:
            os.chdir(before)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is killed: it would write beside the run that continues."""
    if parent in _watched or os.getppid() != parent:
        return
    _watched.add(parent)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
