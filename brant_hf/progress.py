"""Progress bars on standard error."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# What is done in less time [s] needs no bar.
_SHORTEST_S = 1.0
# A log is not the place for a line every tenth of a second [s].
_LOG_INTERVAL_S = 60.0
# Who looks at the bars in place of the terminal, see `watched_by`.
_watcher: ContextVar[Callable[[float], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Callable[[float], None]) -> Iterator[None]:
    """Tell `watcher` the part that is done, from 0 to 1, in place of drawing bars; what it raises ends the work."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def progress_bar(items: Iterable[Any] | None = None, *, shown: bool = True, **options: Any) -> Any:
    """Make a bar of `tqdm`, which appears after a second, and has one line a minute where no terminal shows it.

    Parameters
    ----------
    items : Iterable[Any] or None
        What is worked through, where the bar counts itself.
    shown : bool
        Whether to show it.
    **options : Any
        As of `tqdm.tqdm`.
    """
    from tqdm import tqdm

    watcher = _watcher.get()
    if watcher is not None:
        watch = watcher

        class Watched(tqdm):
            def display(self, *args: Any, **kwargs: Any) -> None:
                if self.total:
                    watch(min(self.n / self.total, 1.0))

            def refresh(self, *args: Any, **kwargs: Any) -> None:
                # That of tqdm holds the lock of all bars, and would keep it for ever where the watcher ends the work.
                self.display()

        return Watched(items, file=io.StringIO(), **{**options, "mininterval": 0.1})
    is_log = not sys.stderr.isatty() and "ipykernel" not in sys.modules
    if is_log:
        options.update(mininterval=_LOG_INTERVAL_S, maxinterval=_LOG_INTERVAL_S)
    return tqdm(items, disable=not shown, delay=_SHORTEST_S, **options)


@contextmanager
def loading_bars(*, shown: bool = True) -> Iterator[None]:
    """Let bars of transformers, while it loads or writes a checkpoint, appear as those of the package: after a second.

    With `shown=False` they do not appear, nor do those of downloads.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    def make(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        options = {"delay": _SHORTEST_S, **options, **({} if shown else {"disable": True})}
        return factory(*args, **options) if outer is None else outer(factory, args, options)

    outer = logging.set_tqdm_hook(make)
    hides_downloads = not shown and not are_progress_bars_disabled()
    if hides_downloads:
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_tqdm_hook(outer)
        if hides_downloads:
            enable_progress_bars()
