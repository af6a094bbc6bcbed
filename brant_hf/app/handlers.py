"""What happens when something on the page is touched: the session of the visitor changes, and parts are made anew."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from threading import Thread
from typing import TYPE_CHECKING, Any

import gradio as gr

from .parts import closer_figure, event_choices, overview_html, queue_html, result_html
from .search import KINDS, write
from .session import Sessions
from .shipped import shipped_recordings

if TYPE_CHECKING:
    from ..detection.outputs import Finding
    from .session import Session

# What `Handlers.show` fills, by name.
SHOWN = ("results", "hint", "queue", "recording", "threshold", "tables", "event")
# Between two looks at the progress [s].
_INTERVAL_S = 0.5


class Handlers:
    """Functions that Gradio calls; `request` tells which visitor it is.

    Parameters
    ----------
    sessions : Sessions
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, files: list[str], request: gr.Request) -> tuple[None, str]:
        """Take uploaded files into the queue."""
        session = self._session(request)
        session.add_uploads(files)
        return None, self._queue(session)

    def add_shipped(self, name: str | None, request: gr.Request) -> tuple[None, str]:
        """Put a recording that ships into the queue."""
        session = self._session(request)
        path = shipped_recordings().get(name or "")
        if path is not None:
            session.add(path)
        return None, self._queue(session)

    def begin(self, request: gr.Request) -> tuple[Any, Any]:
        """Have `Stop` in place of `Find seizures`, also while the detector works for another visitor."""
        self._session(request).begin()
        return gr.update(interactive=False), gr.update(visible=True)

    def end(self) -> tuple[Any, Any]:
        """Turn the buttons of `begin` back."""
        return gr.update(interactive=True), gr.update(visible=False)

    def work(self, model: str, request: gr.Request) -> Iterator[str]:
        """Search the queue and tell the progress, until it is done or nobody looks any more."""
        session = self._session(request)
        worker = Thread(target=session.work, args=(model.strip(),), daemon=True)
        worker.start()
        try:
            while worker.is_alive():
                worker.join(_INTERVAL_S)
                yield self._queue(session)
        finally:
            session.stop()
            worker.join()
        yield self._queue(session)

    def stop(self, request: gr.Request) -> None:
        """End the search."""
        self._session(request).stop()

    def clear(self, request: gr.Request) -> str:
        """Delete all recordings of the visitor."""
        session = self._session(request)
        session.clear()
        return self._queue(session)

    def leave(self, request: gr.Request) -> None:
        """Delete what belongs to a visitor who has closed the page."""
        self._sessions.close(request.session_hash)

    def move(self, threshold: float, request: gr.Request) -> None:
        """Take another threshold for all recordings."""
        self._session(request).threshold = threshold

    def show(self, threshold: float, place: int | None, request: gr.Request) -> list[Any]:
        """Show the events of a recording, the first one where none is chosen."""
        session = self._session(request)
        searched = session.searched()
        if not searched:
            return [gr.update(visible=False), gr.update(visible=True), self._queue(session), *[gr.update()] * 4]
        place = place if place in searched else next(iter(searched))
        view = searched[place].at(session.threshold).view
        events = event_choices(view)
        return [
            gr.update(visible=True),
            gr.update(visible=False),
            self._queue(session),
            gr.update(choices=[(session.items[number].name, number) for number in searched], value=place),
            view.threshold,
            result_html(session.items[place].name, view),
            gr.update(choices=events, value=events[0][1]),
        ]

    def draw(self, threshold: float, place: int | None, event: int | None, request: gr.Request) -> tuple[Any, Any]:
        """Draw the figures of a recording."""
        finding = self._finding(place, request)
        if finding is None:
            return None, ""
        return closer_figure(finding, event), overview_html(finding)

    def draw_event(self, place: int | None, event: int | None, request: gr.Request) -> Any:
        """Draw what is around another event."""
        finding = self._finding(place, request)
        return finding and closer_figure(finding, event)

    def everything(self, place: int | None, request: gr.Request) -> str:
        """Write what was found in all recordings to download."""
        return str(self._session(request).write_all())

    def written(self, option: str | None, place: int | None, request: gr.Request) -> str | None:
        """Write the table of events to download, or the output of an option of `brant-hf detect`."""
        finding = self._finding(place, request)
        if finding is None:
            return None
        kinds = [kind for kind in KINDS if kind.option == option]
        return str(write(finding, self._session(request).folder / secrets.token_hex(4), kinds)[-1])

    def _session(self, request: gr.Request) -> Session:
        return self._sessions.of(request.session_hash)

    def _finding(self, place: int | None, request: gr.Request) -> Finding | None:
        session = self._session(request)
        finding = session.searched().get(-1 if place is None else place)
        return finding and finding.at(session.threshold)

    @staticmethod
    def _queue(session: Session) -> str:
        return queue_html(session.items, session.threshold)
