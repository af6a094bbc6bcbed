"""One page of a detection result that opens without a network: overview, zoomable heat map, events, settings."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.recordings import open_recording
from ..events.event import EventLike, SeizureEvent
from ..files import REPORT_SUFFIXES, StagedOutputs
from ..listing import counted
from .daytime import time_of_day
from .explanation import near_misses
from .interactive import DRAWN_COLUMNS, moments, percent, probability_figure
from .pages import render_page
from .plots import save_overview
from .recruitment_plots import save_recruitment
from .result import DetectionResult, clock, keep_maxima, length_in_words

if TYPE_CHECKING:
    from ..data import Recording

SCRIPT = Path(__file__).with_name("report.js")
PICTURE_DPI = 160
# Cells of the heat map, one byte each: with Plotly itself (5 MB) and the picture, a page stays below 10 MB.
MAX_CELLS = 2_000_000
# Stands there for a probability that is missing; the others are whole percents.
MISSING = 255
# Events whose recruitment is drawn, the most confident ones, and dots per inch: about 100 kB each.
MAX_RECRUITMENTS, RECRUITMENT_DPI = 6, 110


def write_report(
    recording: Any,
    result: DetectionResult | Mapping[str, Any],
    output: str | os.PathLike,
    *,
    reference: Sequence[EventLike] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write one HTML page that holds everything it shows and loads nothing.

    It has the figure of `plot_overview`, a heat map of channels and time to zoom into, tables of the detected and the
    reference events, that of `plot_recruitment` for the (at most 6) most confident events, facts of the recording,
    and the settings. Arguments and errors as of `plot_overview`, but:

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
        summary=summary(view),
        missed=near_misses(view),
        recruitments=_recruitments(recording, view),
        picture=base64.b64encode(picture.getvalue()).decode(),
        heat_map=Markup(_heat_map_html(view, values, edges)),
        cell=length_in_words(float(edges[1] - edges[0])),
        facts=_facts(recording, view),
        settings=settings,
        is_among=is_among,
        time_of_day=None if view.start_date is None else lambda moment: time_of_day(view.start_date, moment, 1),
    )


def _recruitments(recording: Recording, view: DetectionResult) -> dict[int, str]:
    """Figures of the most confident events, by number, as base64; none where the result does not tell its settings."""
    if not view.tells_decision:
        return {}
    ranked = sorted(range(len(view.events)), key=lambda place: -(view.events[place].confidence or 0.0))
    figures = {}
    for place in sorted(ranked[:MAX_RECRUITMENTS]):
        picture = io.BytesIO()
        save_recruitment(recording, view, place + 1, picture, format="png", dpi=RECRUITMENT_DPI)
        figures[place + 1] = base64.b64encode(picture.getvalue()).decode()
    return figures


def is_among(event: SeizureEvent, others: Sequence[SeizureEvent]) -> bool:
    """Whether an event shares a moment with one of others."""
    return any(event.overlaps(other.onset, other.offset) for other in others)


def summary(view: DetectionResult) -> str:
    """Tell the number of events, channels and the length in a line."""
    found = f"{counted(len(view.events), 'event')} detected"
    if view.events:
        found += f", {length_in_words(sum(event.duration for event in view.events))} in all"
    parts = [found, counted(len(view.channel_names), "channel"), view.length_in_words]
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
        gaps = recording.gaps_in_file
        facts["gaps"] = [f"{clock(start, 1)} to {clock(stop, 1)}" for start, stop in gaps]
        facts["lost to gaps"] = f"{sum(stop - start for start, stop in gaps):.2f} s"
    left_out = recording.excluded_channels | view.dropped_channels
    if left_out:
        facts["channels left out"] = left_out
    if view.threshold is not None:
        lower = view.decision.lower_levels_in_words() if view.tells_decision else ""
        facts["threshold"] = f"{view.threshold:g}{lower}"
    return facts


def _heat_map_html(view: DetectionResult, values: np.ndarray, edges: np.ndarray) -> str:
    import plotly.io

    figure = probability_figure(view)
    script = SCRIPT.read_text(encoding="utf-8")
    data = {
        "values": base64.b64encode(np.nan_to_num(percent(values), nan=MISSING).astype(np.uint8).tobytes()).decode(),
        "missing": MISSING,
        "edges": base64.b64encode(moments(edges, view).astype("<f8").tobytes()).decode(),
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
