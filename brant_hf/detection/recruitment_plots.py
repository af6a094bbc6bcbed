"""Figure of one event: channels in the order in which they join, over their signals, and where their contacts lie."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.recordings import open_recording
from ..files import PLOT_SUFFIXES, StagedOutputs, figure_metadata
from ..listing import counted
from .envelope import derivations
from .plots import DETECTED, DPI, INK, SIGNAL_COLUMNS, STYLE, draw_signals, set_time_axis, signals_in, span_around
from .recruitment import NEVER, ChannelRecruitment, channel_recruitment
from .result import DetectionResult, length_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..data import Recording
    from ..events.event import SeizureEvent

# Rows that can be read in one figure.
MAX_ROWS = 30
# Of an event that lasts longer, the figure shows the begin [s].
LONGEST_S = 300.0
# Axes of these spaces go to the right, to the front and up.
_RIGHT_ANTERIOR_SUPERIOR = (
    "acpc",
    "mni",
    "talairach",
    "tal",
    "scanras",
    "ras",
    "head",
    "mri",
    "fsaverage",
    "ctf_head",
)
_AXES = ("x", "y", "z")
_DIRECTIONS = ("left - right", "back - front", "down - up")
# Title, and which coordinate goes along each axis.
_PROJECTIONS = (("from above", 0, 1), ("from behind", 0, 2), ("from the right", 1, 2))


def plot_recruitment(
    recording: Any,
    result: DetectionResult | Mapping[str, Any],
    output: str | os.PathLike,
    *,
    event: int = 1,
    overwrite: bool = False,
) -> None:
    """Draw when each channel joins and leaves an event, see `channel_recruitment`.

    Signals stand in the order in which their channels join, at most 30 of them. A triangle marks the joining, a line
    beside it what patches and smoothing can resolve, an open triangle the leaving. Where the recording has positions
    of its contacts, they are shown on three projections, in the colour of their time.

    Parameters
    ----------
    recording : brant_hf.data.Recording or what the pipeline takes
        The recording that was analysed.
    result : DetectionResult or dict
        What the detector or the pipeline returned.
    output : str or os.PathLike
        File to write: `.png`, `.svg` or `.pdf`. A figure that is there is replaced when the new one is complete.
    event : int
        Number of the event, from 1.
    overwrite : bool
        Whether to replace also a file that this package has not written.

    Raises
    ------
    FileExistsError
        `output` is a file that this package has not written.
    OSError
        The folder of `output` does not exist or cannot be written to.
    ValueError
        There is no such event, another suffix is given, or the result does not tell its settings.
    """
    outputs = StagedOutputs(overwrite)
    temporary = outputs.add(output, suffixes=PLOT_SUFFIXES)
    recording = open_recording(recording)
    view = DetectionResult.of(recording, result)
    if not 1 <= event <= len(view.events):
        raise ValueError(f"event is {event}; the result has {counted(len(view.events), 'event')}, counted from 1")
    with outputs:
        save_recruitment(recording, view, event, temporary, metadata=figure_metadata(temporary.suffix))


def save_recruitment(recording: Recording, view: DetectionResult, event: int, output: Any, **options: Any) -> None:
    """Write the figure of a checked result to a path or an open file. Options as of `Figure.savefig`."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        draw_recruitment(recording, view, event).savefig(output, **{"dpi": DPI, **options})


def draw_recruitment(recording: Recording, view: DetectionResult, number: int) -> Figure:
    """Draw the recruitment of the event with this number, from 1, as a figure that belongs to no window."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    event = view.events[number - 1]
    rows = [row for row in channel_recruitment(view) if row.event == number]
    known = derivations(view.channel_names, recording)
    shown = [row for row in rows if row.note != NEVER and row.channel in known][:MAX_ROWS]
    # An event of several channels that rise a little can have none that reaches the threshold alone.
    shown = shown or sorted((row for row in rows if row.channel in known), key=lambda row: -row.peak)[:1]
    points = _points(recording, [row.channel for row in rows])
    height = 1.5 + 0.2 * len(shown)
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.04, hspace=0.02, wspace=0.02)
    figure = Figure(figsize=(7.6, height + (0.0 if points is None else 2.6)), layout=layout)
    figure.suptitle(_title(recording, view, number, rows), x=0.01, ha="left", fontsize=9, fontweight="bold")
    if points is None:
        signals = figure.add_subplot()
    else:
        grid = figure.add_gridspec(2, 4, height_ratios=[height, 2.4], width_ratios=[1, 1, 1, 0.05])
        signals = figure.add_subplot(grid[0, :3])
        panels = [figure.add_subplot(grid[1, column]) for column in range(3)]
        _draw_contacts(panels, figure.add_subplot(grid[1, 3]), points, rows, recording.coordinate_space)
    _draw_rows(signals, recording, view, event, shown)
    return figure


def _title(recording: Recording, view: DetectionResult, number: int, rows: Sequence[ChannelRecruitment]) -> str:
    event = view.events[number - 1]
    joined = [row for row in rows if row.note != NEVER]
    words = [f"Event {number} of {len(view.events)}", length_in_words(event.duration)]
    words.append(f"{len(joined)} of {counted(len(rows), 'channel')} take part")
    if len(joined) > MAX_ROWS:
        words.append(f"the first {MAX_ROWS} are shown")
    name = recording.name if len(recording.name) <= 40 else f"{recording.name[:39]}…"
    return " · ".join([name, *words])


def _draw_rows(
    axes: Axes, recording: Recording, view: DetectionResult, event: SeizureEvent, rows: Sequence[ChannelRecruitment]
) -> None:
    """Signals in the order of the rows, with the stretch in which each channel takes part."""
    known = derivations([row.channel for row in rows], recording)
    span = span_around(view, event, longest=LONGEST_S)
    envelope = signals_in(recording, view, [known[row.channel] for row in rows], span, SIGNAL_COLUMNS)
    draw_signals(axes, envelope, [row.channel for row in rows])
    for level, row in enumerate(rows):
        if row.note == NEVER:
            continue
        begin = span[0] if row.onset is None else row.onset
        end = span[1] if row.offset is None else row.offset
        axes.broken_barh([(begin, end - begin)], (level - 0.42, 0.84), facecolor=DETECTED, alpha=0.13, linewidth=0)
        for moment, lower, upper, marker, face in (
            (row.onset, row.onset_lower, row.onset_upper, ">", DETECTED),
            (row.offset, row.offset_lower, row.offset_upper, "<", "white"),
        ):
            if moment is None or lower is None or upper is None or not span[0] <= moment <= span[1]:
                continue
            axes.hlines(level + 0.36, max(lower, span[0]), min(upper, span[1]), color=DETECTED, linewidth=1.0)
            axes.plot(moment, level + 0.36, marker, color=DETECTED, markerfacecolor=face, markersize=4, clip_on=False)
    for moment in (event.onset, event.offset):
        if span[0] <= moment <= span[1]:
            axes.axvline(moment, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    axes.set_title("channels in the order in which they join; dashed: the event", loc="left", pad=3)
    set_time_axis(axes, span, view)


def _points(recording: Recording, names: Sequence[str]) -> np.ndarray | None:
    """Places of channels [mm], `(channels, 3)`, of pairs in the middle; `None` where the recording has none."""
    if recording.positions is None:
        return None
    known = derivations(names, recording)
    places = np.full((len(names), 3), np.nan)
    for row, name in enumerate(names):
        if name in known:
            contact = known[name]
            ends = [contact.plus] if contact.minus is None else [contact.plus, contact.minus]
            places[row] = 1000 * np.mean([recording.positions[end] for end in ends], axis=0)
    return places if np.isfinite(places).all(axis=1).any() else None


def _draw_contacts(
    panels: Sequence[Axes], bar: Axes, points: np.ndarray, rows: Sequence[ChannelRecruitment], space: str | None
) -> None:
    """Three projections of the contacts; colour is the time of joining, open circles never join."""
    times = np.array([np.nan if row.relative_onset is None else row.relative_onset for row in rows])
    joined, there = np.isfinite(times), np.isfinite(points).all(axis=1)
    is_ras = space is not None and space.lower().startswith(_RIGHT_ANTERIOR_SUPERIOR)
    for axes, (title, across, up) in zip(panels, _PROJECTIONS, strict=True):
        others, own = there & ~joined, there & joined
        axes.scatter(points[others, across], points[others, up], 12, facecolor="white", edgecolor="0.6", linewidth=0.7)
        # The first to join lie on top.
        order = np.flatnonzero(own)[np.argsort(-times[own], kind="stable")]
        limits = (float(np.min(times[joined])), float(np.max(times[joined]))) if joined.any() else (0.0, 1.0)
        drawn = axes.scatter(
            points[order, across],
            points[order, up],
            22,
            times[order],
            cmap="viridis",
            vmin=limits[0],
            vmax=max(limits[1], limits[0] + 1.0),
            edgecolor=INK,
            linewidth=0.5,
        )
        axes.set_aspect("equal", adjustable="datalim")
        labels = [f"{_AXES[axis]} [mm]" + (f", {_DIRECTIONS[axis]}" if is_ras else "") for axis in (across, up)]
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        if is_ras:
            axes.set_title(title, loc="left", pad=3)
    panels[0].figure.colorbar(drawn, cax=bar, label="joins after the onset [s]").outline.set_linewidth(0.6)
    if not is_ras:
        panels[0].set_title(f"contacts, in the space {space or 'that the file does not name'}", loc="left", pad=3)
