"""Parts of the page as HTML, and figures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..detection.daytime import time_of_day
from ..detection.explanation import highest, near_misses, remedies
from ..detection.interactive import event_figure
from ..detection.pages import environment
from ..detection.plots import save_overview
from ..detection.report import is_among, summary
from ..detection.result import clock, length_in_words
from ..listing import counted
from .session import Item

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ..detection.outputs import Finding
    from ..detection.result import DetectionResult

# Resolution of the overview.
_DPI = 130
_HERE = Path(__file__).parent


def style() -> str:
    """Return the style sheet of the page."""
    tables = _HERE.parent / "detection" / "tables.css"
    return tables.read_text(encoding="utf-8") + (_HERE / "page.css").read_text(encoding="utf-8")


def queue_html(items: Sequence[Item], threshold: float | None = None) -> str:
    """Return the queue with the state of each recording."""
    return _render("queue.html", items=list(items), threshold=threshold, counted=counted)


def result_html(name: str, view: DetectionResult) -> str:
    """Return the tables of what was found in a recording."""
    start = view.start_date
    return _render(
        "result.html",
        name=name,
        view=view,
        summary=summary(view),
        missed=near_misses(view),
        highest="" if view.events else highest(view),
        remedies=remedies(view),
        counted=counted,
        is_among=is_among,
        time_of_day=None if start is None else lambda moment: time_of_day(start, moment, 1),
    )


def event_choices(view: DetectionResult) -> list[tuple[str, int]]:
    """Return the events to look at, with their places; where there is none, the highest probability (-1)."""
    if not view.events:
        return [("highest probability", -1)]

    def moment(seconds: float) -> str:
        """Write a time as the axes of the figures do, where that is the time of day."""
        at = clock(seconds, 1)
        return at if view.start_date is None else f"{time_of_day(view.start_date, seconds, 1)}, {at} from the start"

    return [
        (f"event {place + 1}: {moment(event.onset)}; {length_in_words(event.duration)}", place)
        for place, event in enumerate(view.events)
    ]


def overview_html(finding: Finding) -> str:
    """Return the overview as a picture that is part of the page."""
    picture = io.BytesIO()
    save_overview(finding.recording, finding.view, picture, format="png", dpi=_DPI)
    data = base64.b64encode(picture.getvalue()).decode()
    what = "Signals, seizure probabilities of channels and recording, and events over time"
    return f'<div class="scroll overview"><img src="data:image/png;base64,{data}" alt="{what}"></div>'


def closer_figure(finding: Finding, place: int | None) -> go.Figure:
    """Draw the event at this place of `event_choices`, to zoom into."""
    events = finding.result.events
    event = events[min(place or 0, len(events) - 1)] if events else None
    return event_figure(finding.recording, finding.view, event)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Any:
    return environment(_HERE)
