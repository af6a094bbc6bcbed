"""One page of a detection result that opens without a network: overview, zoomable heat map, events, settings."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.recordings import open_recording
from ..events.event import SeizureEvent
from ..files import REPORT_SUFFIXES, StagedOutputs
from ..listing import counted
from .daytime import began, seconds_of_day, time_of_day
from .explanation import near_misses
from .pages import render_page
from .plots import DETECTED, INK, REFERENCE, probability_colours, save_overview
from .result import DetectionResult, clock, keep_maxima, length_in_words

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ..data import Recording

SCRIPT = Path(__file__).with_name("report.js")
PICTURE_DPI = 160
# Cells of the heat map, one byte each: with Plotly itself (5 MB) and the picture, a page stays below 10 MB.
MAX_CELLS = 2_000_000
MAX_COURSE_STEPS = 20_000
# Fewer columns than pixels are drawn at a time: of more, a browser would drop some, and short events with them.
DRAWN_COLUMNS = 600
# Plotly takes the numbers 0 to 9999 for years, so the recording begins at midnight of a year of its own [ms].
MIDNIGHT = 946_684_800_000.0


def write_report(
    recording: Any,
    result: DetectionResult | Mapping[str, Any],
    output: str | os.PathLike,
    *,
    reference: Sequence[Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write one HTML page that holds everything it shows and loads nothing.

    It has the figure of `plot_overview`, a heat map of channels and time to zoom into, tables of the detected and the
    reference events, facts of the recording, and the settings. Arguments and errors as of `plot_overview`, but:

    Parameters
    ----------
    output : str or os.PathLike
        File to write: `.html` or `.htm`. A report that is there is replaced when the new one is complete.
    settings : dict or None
        What was used, nested as wanted: shown as it is. By default the settings of the result.
    """
    outputs = StagedOutputs(overwrite)
    temporary = outputs.add(output, suffixes=REPORT_SUFFIXES)
    recording = open_recording(recording)
    view = DetectionResult.of(recording, result, reference)
    with outputs:
        temporary.write_text(_page(recording, view, settings or view.settings or {}), encoding="utf-8")


def _page(recording: Recording, view: DetectionResult, settings: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    picture = io.BytesIO()
    save_overview(recording, view, picture, format="png", dpi=PICTURE_DPI)
    values, edges = keep_maxima(view.probabilities, view.edges, max(MAX_CELLS // len(view.channel_names), 1))
    return render_page(
        "report.html",
        recording=recording,
        view=view,
        summary=_summary(view),
        missed=near_misses(view),
        picture=base64.b64encode(picture.getvalue()).decode(),
        heat_map=Markup(_heat_map_html(view, values, edges)),
        cell=length_in_words(float(edges[1] - edges[0])),
        facts=_facts(recording, view),
        settings=settings,
        is_among=_is_among,
        time_of_day=None if view.start_date is None else lambda moment: time_of_day(view.start_date, moment, 1),
    )


def _is_among(event: SeizureEvent, others: Sequence[SeizureEvent]) -> bool:
    return any(event.overlaps(other.onset, other.offset) for other in others)


def _summary(view: DetectionResult) -> str:
    found = f"{counted(len(view.events), 'event')} detected"
    if view.events:
        found += f", {length_in_words(sum(event.duration for event in view.events))} in all"
    parts = [found, counted(len(view.channel_names), "channel"), length_in_words(view.recording_duration)]
    if view.reference is not None:
        parts.insert(1, f"{len(view.reference)} in the reference")
    return " · ".join(parts)


def _facts(recording: Recording, view: DetectionResult) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": recording.name, "subject": recording.subject}
    if recording.path is not None:
        facts["file"] = recording.path.name
    facts |= {
        "start": "not known" if view.start_date is None else f"{view.start_date:%Y-%m-%d %H:%M:%S}",
        "duration": f"{clock(recording.duration, 1)} ({recording.duration:.2f} s)",
        "sampling rate": f"{recording.sampling_rate:g} Hz",
        "channels": f"{len(recording.channel_names)} read, {len(view.channel_names)} in the result",
    }
    if recording.duration < recording.file_duration:
        facts["part of the file"] = (
            f"{clock(view.start, 1)} to {clock(view.stop, 1)} of {clock(recording.file_duration, 1)}"
        )
    if recording.scales:
        facts["unit"] = recording.scales_in_words()
    if recording.gaps:
        gaps = [(start + view.start, stop + view.start) for start, stop in recording.gaps]
        facts["gaps"] = [f"{clock(start, 1)} to {clock(stop, 1)}" for start, stop in gaps]
        facts["lost to gaps"] = f"{sum(stop - start for start, stop in gaps):.2f} s"
    left_out = recording.excluded_channels | view.dropped_channels
    if left_out:
        facts["channels left out"] = left_out
    if view.threshold is not None:
        facts["threshold"] = view.threshold
    return facts


def _heat_map_html(view: DetectionResult, values: np.ndarray, edges: np.ndarray) -> str:
    import plotly.io

    figure = _interactive_figure(view)
    script = SCRIPT.read_text(encoding="utf-8")
    data = {
        "values": base64.b64encode(_percent(values).tobytes()).decode(),
        "edges": base64.b64encode(_moments(edges, view).astype("<f8").tobytes()).decode(),
        "rows": len(values),
        "drawn_columns": DRAWN_COLUMNS,
        "trace": len(figure.data) - 1,
    }
    return plotly.io.to_html(
        figure,
        full_html=False,
        include_plotlyjs=True,
        div_id="probabilities",
        default_width="100%",
        post_script=script.replace("__DATA__", json.dumps(data)),
        config={
            "responsive": True,
            "displaylogo": False,
            "doubleClick": "reset",
            "modeBarButtons": [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
        },
    )


def _interactive_figure(view: DetectionResult) -> go.Figure:
    """Events, probability of the recording and probability of the channels (the last trace) over one time axis."""
    from plotly.subplots import make_subplots

    heights = [28 * (1 if view.reference is None else 2), 110, min(max(15 * len(view.channel_names), 180), 640)]
    figure = make_subplots(rows=3, cols=1, row_heights=heights, vertical_spacing=0.03)
    if view.reference is not None:
        figure.add_trace(_bars(view, view.reference, "reference", REFERENCE), row=1, col=1)
    figure.add_trace(_bars(view, view.events, "detected", DETECTED), row=1, col=1)
    figure.add_trace(_course(view), row=2, col=1)
    if view.threshold is not None:
        figure.add_hline(view.threshold, line={"color": INK, "width": 1, "dash": "dash"}, row=2, col=1)
    figure.add_trace(_cells(view), row=3, col=1)
    bottom, top = figure.layout.yaxis3.domain
    figure.data[-1].colorbar.update(y=(bottom + top) / 2, len=top - bottom, lenmode="fraction")
    figure.update_layout(
        template="plotly_white",
        height=sum(heights) + 90,
        margin={"l": 10, "r": 10, "t": 20, "b": 45},
        font={"size": 12, "color": "#222222"},
        showlegend=False,
        barmode="overlay",
        bargap=0.25,
    )
    figure.update_yaxes(automargin=True, showgrid=False, fixedrange=True, row=1, col=1)
    figure.update_yaxes(
        title_text="recording", range=[0, 1.02], tickvals=[0, 0.5, 1], automargin=True, fixedrange=True, row=2, col=1
    )
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, row=3, col=1)
    figure.update_xaxes(
        type="date",
        range=_moments([view.start, view.stop], view).tolist(),
        tickformatstops=_tick_formats(view),
        hoverformat=_clock_format(view),
        showgrid=False,
    )
    for row in (1, 2):
        figure.update_xaxes(matches="x3", showticklabels=False, row=row, col=1)
    start = view.start_date
    title = "time from the start of the recording" if start is None else f"time of day; {began(start)}"
    figure.update_xaxes(title_text=title, row=3, col=1)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showline=True, mirror=True, linecolor=INK, linewidth=1, showgrid=False, row=3, col=1)
    return figure


def _bars(view: DetectionResult, events: Sequence[SeizureEvent], name: str, colour: str) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        orientation="h",
        y=[name] * max(len(events), 1),
        base=_moments([event.onset for event in events] or [0.0], view),
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
        x=_moments(edges, view),
        y=np.append(course, course[-1]).astype(np.float32),
        line={"shape": "hv", "color": INK, "width": 1},
        fill="tozeroy",
        fillcolor="rgba(0, 0, 0, 0.12)",
        hovertemplate=f"%{{x|{_clock_format(view)}}}<br>%{{y:.3f}}<extra></extra>",
        name="recording",
    )


def _cells(view: DetectionResult) -> go.Heatmap:
    """Return the heat map of the whole recording; the script of the page draws what is zoomed into."""
    import plotly.graph_objects as go

    values, edges = keep_maxima(view.probabilities, view.edges, DRAWN_COLUMNS)
    levels = np.linspace(0, 255, 33).round().astype(int)
    colours = (255 * probability_colours()[levels]).round().astype(int)
    return go.Heatmap(
        x=_moments(edges, view),
        # Plotly reads names as markup.
        y=[html.escape(name, quote=False) for name in view.channel_names],
        z=_percent(values),
        zmin=0,
        zmax=100,
        colorscale=[[level / 255, f"rgb({r}, {g}, {b})"] for level, (r, g, b) in zip(levels, colours, strict=True)],
        colorbar={"title": {"text": "seizure probability [%]", "side": "right"}, "thickness": 12},
        hovertemplate=f"%{{y}}<br>%{{x|{_clock_format(view)}}}<br>%{{z}} %<extra></extra>",
    )


def _percent(values: np.ndarray) -> np.ndarray:
    return (100 * np.nan_to_num(values)).round().clip(0, 100).astype(np.uint8)


def _moments(seconds: Sequence[float] | np.ndarray, view: DetectionResult) -> np.ndarray:
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
