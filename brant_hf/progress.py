"""Progress bars on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

# What is done in less time [s] needs no bar.
_SHORTEST_S = 1.0
# A log is not the place for a line every tenth of a second [s].
_LOG_INTERVAL_S = 60.0


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

    is_log = not sys.stderr.isatty() and "ipykernel" not in sys.modules
    if is_log:
        options.update(mininterval=_LOG_INTERVAL_S, maxinterval=_LOG_INTERVAL_S)
    return tqdm(items, disable=not shown, delay=_SHORTEST_S, **options)
