"""Figures of a detection result to zoom into, made with Plotly: the whole recording, and signals around an event."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events.event import SeizureEvent
from .daytime import began, seconds_of_day, time_of_day
from .plots import (
    DETECTED,
    INK,
    MISSING,
    MISSING_IN_WORDS,
    REFERENCE,
    amplitude,
    highest_span,
    probability_colours,
    shown_channels,
    signals_in,
    span_around,
    steps_in,
    trace_distance,
)
from .result import DetectionResult, clock, keep_maxima

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ..data import Recording
    from .envelope import Envelope

MAX_COURSE_STEPS = 20_000
# Fewer columns than pixels are drawn at a time: of more, a browser would drop some, and short events with them.
DRAWN_COLUMNS = 600
# Plotly takes the numbers 0 to 9999 for years, so the recording begins at midnight of a year of its own [ms].
MIDNIGHT = 946_684_800_000.0
# Around an event: columns of the signals, more than pixels, so that there is something to zoom into.
SIGNAL_COLUMNS = 2000
# Below the axes of that figure: ticks and title of the time axis, then the colour bar [pixels].
TIME_AXIS_HEIGHT, COLOUR_BAR_HEIGHT = 58, 57
# Rows that are all named have at least this height [pixels], and are at most this many.
ROW_HEIGHT, MAX_NAMED_ROWS = 15, 28
# Between two panels, with the heading of the lower one [pixels].
PANEL_DISTANCE = 26
# Longer names are cut in the middle where they stand beside an axis; both ends tell contacts apart.
LABEL_LENGTH = 14


def probability_figure(view: DetectionResult) -> go.Figure:
    """Events, probability of the recording and probability of the channels (the last trace) over one time axis."""
    from plotly.subplots import make_subplots

    heights = [28 * (1 if view.reference is None else 2), 110, min(max(15 * len(view.channel_names), 180), 640)]
    figure = make_subplots(rows=3, cols=1, row_heights=heights, vertical_spacing=0.03)
    _add_events(figure, view)
    _add_course(figure, view, row=2)
    figure.add_trace(_cells(view, view.probabilities, view.edges), row=3, col=1)
    bottom, top = figure.layout.yaxis3.domain
    figure.data[-1].colorbar.update(y=(bottom + top) / 2, len=top - bottom, lenmode="fraction")
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, row=3, col=1)
    _set_layout(figure, view, (view.start, view.stop), heights)
    _frame(figure, row=3)
    _shade_missing(figure, view, row=3)
    return figure


def event_figure(recording: Recording, view: DetectionResult, event: SeizureEvent | None = None) -> go.Figure:
    """Draw what lies around an event, to zoom into.

    From top to bottom: events, signals of the (at most 12) channels that take part most, over pale colours that tell
    the probability of each; probability of all channels; probability of the recording.

    Parameters
    ----------
    recording : Recording
        The recording that was analysed.
    view : DetectionResult
        What was detected in it.
    event : SeizureEvent or None
        One of its events; `None` for what is around the highest probability.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    from plotly.subplots import make_subplots

    channels = shown_channels(recording, view if event is None else replace(view, events=[event]))
    span = highest_span(view) if event is None else span_around(view, event)
    envelope = signals_in(recording, view, channels, span, SIGNAL_COLUMNS)
    rows = [view.channel_names.index(channel.name) for channel in channels]
    heights = [
        22 * (1 if view.reference is None else 2),
        26 * len(channels) + 14,
        min(max(ROW_HEIGHT * len(view.channel_names), 90), ROW_HEIGHT * MAX_NAMED_ROWS),
        80,
    ]
    missing = f" ({MISSING_IN_WORDS})" if view.lacks_patches else ""
    headings = (
        "",
        f"signals, {amplitude(trace_distance(envelope))} from row to row",
        f"probability of {'each channel' if len(view.channel_names) > 1 else 'the channel'}{missing}",
        "probability of the recording",
    )
    axes_height = sum(heights) + 3 * PANEL_DISTANCE
    spacing = PANEL_DISTANCE / axes_height
    figure = make_subplots(rows=4, cols=1, row_heights=heights, vertical_spacing=spacing, subplot_titles=headings)
    figure.update_annotations(x=0, xanchor="left", font={"size": 12, "color": INK}, yshift=1)
    _add_events(figure, view)
    _add_signals(figure, view, rows, envelope, span)
    cells = _cells(view, *steps_in(view.probabilities, view.edges, span, DRAWN_COLUMNS))
    below = -TIME_AXIS_HEIGHT / axes_height
    cells.colorbar.update(orientation="h", y=below, yanchor="top", ypad=0, len=0.7, title={"side": "top"})
    figure.add_trace(cells, row=3, col=1)
    labels = {html.escape(name, quote=False): _short(name) for name in view.channel_names}
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, labelalias=labels, row=3, col=1)
    if len(view.channel_names) <= MAX_NAMED_ROWS:
        figure.update_yaxes(dtick=1, row=3, col=1)
    _add_course(figure, view, row=4)
    figure.update_yaxes(title_text=None, row=4, col=1)
    _set_layout(figure, view, span, heights)
    # Above the axes there is place for the buttons of Plotly.
    top, bottom = 34, TIME_AXIS_HEIGHT + COLOUR_BAR_HEIGHT
    figure.update_layout(height=axes_height + top + bottom, margin={"t": top, "b": bottom})
    figure.update_layout(modebar={"remove": ["select2d", "lasso2d", "autoScale2d"]})
    _frame(figure, row=2)
    _frame(figure, row=3)
    _shade_missing(figure, view, row=3)
    return figure


def _short(name: str) -> str:
    """Cut a name for a label, as Plotly reads it."""
    if len(name) > LABEL_LENGTH:
        name = f"{name[: LABEL_LENGTH // 2]}…{name[1 - LABEL_LENGTH // 2 :]}"
    return html.escape(name, quote=False)


def _add_events(figure: go.Figure, view: DetectionResult) -> None:
    if view.reference is not None:
        figure.add_trace(_bars(view, view.reference, "reference", REFERENCE), row=1, col=1)
    figure.add_trace(_bars(view, view.events, "detected", DETECTED), row=1, col=1)
    figure.update_yaxes(automargin=True, showgrid=False, fixedrange=True, row=1, col=1)


def _add_course(figure: go.Figure, view: DetectionResult, row: int) -> None:
    figure.add_trace(_course(view), row=row, col=1)
    for level, dash in ((view.threshold, "dash"), (view.edge_threshold, "dot")):
        if level is not None:
            figure.add_hline(level, line={"color": INK, "width": 1, "dash": dash}, row=row, col=1)
    figure.update_yaxes(
        title_text="recording", range=[0, 1.02], tickvals=[0, 0.5, 1], automargin=True, fixedrange=True, row=row, col=1
    )


def _add_signals(
    figure: go.Figure, view: DetectionResult, rows: Sequence[int], envelope: Envelope, span: tuple[float, float]
) -> None:
    """Signals one under the other with one gain, over the probability of each in pale colours."""
    import plotly.graph_objects as go

    values, edges = steps_in(view.probabilities[list(rows)], view.edges, span, DRAWN_COLUMNS)
    names = [view.channel_names[row] for row in rows]
    figure.add_trace(
        go.Heatmap(
            x=moments(edges, view),
            z=percent(values),
            zmin=0,
            zmax=100,
            colorscale=_colour_scale(),
            opacity=0.4,
            showscale=False,
            hoverinfo="skip",
        ),
        row=2,
        col=1,
    )
    distance = trace_distance(envelope)
    times = np.repeat(moments(envelope.times, view), 2)
    for level, name in enumerate(names):
        # A huge artefact must not cover the other channels.
        course = np.stack([envelope.low[level], envelope.high[level]], axis=1).ravel() / distance
        figure.add_trace(
            go.Scatter(
                x=times,
                y=(level - np.clip(course, -1.5, 1.5)).astype(np.float32),
                mode="lines",
                line={"color": "black", "width": 0.8},
                name=html.escape(name, quote=False),
                hovertemplate=f"%{{fullData.name}}<br>%{{x|{_clock_format(view)}}}<extra></extra>",
            ),
            row=2,
            col=1,
        )
    figure.update_yaxes(
        range=[len(names) - 0.4, -0.6],
        tickvals=list(range(len(names))),
        ticktext=[_short(name) for name in names],
        zeroline=False,
        automargin=True,
        row=2,
        col=1,
    )


def _set_layout(figure: go.Figure, view: DetectionResult, span: tuple[float, float], heights: Sequence[float]) -> None:
    """Set one time axis for all rows of a figure, and its looks."""
    figure.update_layout(
        template="plotly_white",
        height=sum(heights) + 90,
        margin={"l": 10, "r": 10, "t": 20, "b": 45},
        font={"size": 12, "color": "#222222"},
        showlegend=False,
        barmode="overlay",
        bargap=0.25,
    )
    figure.update_xaxes(
        type="date",
        range=moments(span, view).tolist(),
        tickformatstops=_tick_formats(view),
        hoverformat=_clock_format(view),
        showgrid=False,
    )
    last = len(heights)
    for row in range(1, last):
        figure.update_xaxes(matches=f"x{last}", showticklabels=False, row=row, col=1)
    start = view.start_date
    title = "time from the start of the recording" if start is None else f"time of day; {began(start)}"
    figure.update_xaxes(title_text=title, row=last, col=1)


def _frame(figure: go.Figure, row: int) -> None:
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showline=True, mirror=True, linecolor=INK, linewidth=1, showgrid=False, row=row, col=1)


def _shade_missing(figure: go.Figure, view: DetectionResult, row: int) -> None:
    """Put a colour below the cells of a heat map, which shows where they have none."""
    if view.lacks_patches:
        whole = {"xref": f"x{row} domain", "yref": f"y{row} domain", "x0": 0, "x1": 1, "y0": 0, "y1": 1}
        figure.add_shape(type="rect", **whole, fillcolor=MISSING, line_width=0, layer="below")


def _bars(view: DetectionResult, events: Sequence[SeizureEvent], name: str, colour: str) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        orientation="h",
        y=[name] * max(len(events), 1),
        base=moments([event.onset for event in events] or [0.0], view),
        x=[1000 * event.duration for event in events] or [0.0],
        marker={"color": colour, "line": {"color": colour, "width": 1 if events else 0}},
        hovertext=[_event_text(view, number, event) for number, event in enumerate(events, 1)] or [""],
        hoverinfo="text" if events else "skip",
        name=name,
    )


def _event_text(view: DetectionResult, number: int, event: SeizureEvent) -> str:
    confidence = "" if event.confidence is None else f"<br>confidence {event.confidence:.3f}"
    at = "" if view.start_date is None else f" ({time_of_day(view.start_date, event.onset, 1)})"
    return f"event {number}<br>onset {clock(event.onset, 1)}{at}<br>{event.duration:.2f} s{confidence}"


def _course(view: DetectionResult) -> go.Scatter:
    import plotly.graph_objects as go

    course, edges = keep_maxima(view.recording_probability, view.edges, MAX_COURSE_STEPS)
    return go.Scatter(
        x=moments(edges, view),
        y=np.append(course, course[-1]).astype(np.float32),
        mode="lines",
        line={"shape": "hv", "color": INK, "width": 1},
        fill="tozeroy",
        fillcolor="rgba(0, 0, 0, 0.12)",
        hovertemplate=f"%{{x|{_clock_format(view)}}}<br>%{{y:.3f}}<extra></extra>",
        name="recording",
    )


def _cells(view: DetectionResult, values: np.ndarray, edges: np.ndarray) -> go.Heatmap:
    """Return the heat map of the channels; of a whole recording, the script of the page draws what is zoomed into."""
    import plotly.graph_objects as go

    values, edges = keep_maxima(values, edges, DRAWN_COLUMNS)
    return go.Heatmap(
        x=moments(edges, view),
        # Plotly reads names as markup.
        y=[html.escape(name, quote=False) for name in view.channel_names],
        z=percent(values),
        zmin=0,
        zmax=100,
        colorscale=_colour_scale(),
        colorbar={"title": {"text": "seizure probability [%]", "side": "right"}, "thickness": 12},
        hovertemplate=f"%{{y}}<br>%{{x|{_clock_format(view)}}}<br>%{{z}} %<extra></extra>",
        hoverongaps=False,
    )


def _colour_scale() -> list[list[float | str]]:
    levels = np.linspace(0, 255, 33).round().astype(int)
    colours = (255 * probability_colours()[levels]).round().astype(int)
    return [[level / 255, f"rgb({r}, {g}, {b})"] for level, (r, g, b) in zip(levels, colours, strict=True)]


def percent(values: np.ndarray) -> np.ndarray:
    """Return probabilities in whole percents, float32, NaN where they are; one byte each where none is."""
    whole = (100 * values).round().clip(0, 100)
    return whole.astype(np.float32 if np.isnan(whole).any() else np.uint8)


def moments(seconds: Sequence[float] | np.ndarray, view: DetectionResult) -> np.ndarray:
    """Return times in the recording as Plotly's date axis takes them, milliseconds: of the day, where that is known.

    Its ticks suit every zoom, from days to milliseconds.
    """
    return MIDNIGHT + 1000.0 * (_after_midnight(view) + np.asarray(seconds, dtype=float))


def _after_midnight(view: DetectionResult) -> float:
    """Time of day at which the axis begins to count [s], 0 where it is not known."""
    return 0.0 if view.start_date is None else seconds_of_day(view.start_date)


def _is_one_day(view: DetectionResult) -> bool:
    return _after_midnight(view) + view.stop <= 86400


def _clock_format(view: DetectionResult) -> str:
    return "%H:%M:%S" if _is_one_day(view) else "day %-j, %H:%M:%S"


def _tick_formats(view: DetectionResult) -> list[dict[str, Any]]:
    day = "" if _is_one_day(view) else "\nday %-j"
    return [
        {"dtickrange": [None, 1000], "value": f"%H:%M:%S.%L{day}"},
        {"dtickrange": [1000, 60_000], "value": f"%H:%M:%S{day}"},
        {"dtickrange": [60_000, None], "value": f"%H:%M{day}"},
    ]
