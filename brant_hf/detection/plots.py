"""One figure of a detection result: signals, probabilities of the channels, probability of the recording, events."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.recordings import open_recording
from ..data.recordings.contacts import shaft_of
from ..files import PLOT_SUFFIXES, StagedOutputs, figure_metadata
from ..listing import counted, listed
from .daytime import began, seconds_of_day, time_of_day
from .envelope import Derivation, Envelope, derivations, read_envelope
from .explanation import near_misses
from .result import DetectionResult, clock, keep_maxima, length_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

    from ..data import Recording
    from ..events.event import EventLike, SeizureEvent

MAX_SIGNALS = 12
DPI = 200

# Vermilion, blue and grey of the Okabe-Ito palette: told apart with every kind of colour vision, and in print.
DETECTED, REFERENCE, INK = "#D55E00", "#0072B2", "#333333"
# Of a patch without a probability, which no probability has, and what it means.
MISSING, MISSING_IN_WORDS = "#DDDDDD", "grey: not recorded"
# A label of a row needs this height [inches].
LABEL_HEIGHT = 0.125

# The names of two levels of a probability that are nearer than this would be written over each other.
_LABELS_APART = 0.25

# Fewer columns than pixels, so that none is lost between two pixels.
SIGNAL_COLUMNS = 900
PROBABILITY_COLUMNS = 450
MAX_CHANNEL_LABELS = 26
_WHOLE = ("Whole recording", "What was searched")

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 2.5,
    "text.parse_math": False,  # a channel name may hold dollar signs
    "pdf.fonttype": 42,
}


def plot_overview(
    recording: Any,
    result: DetectionResult | Mapping[str, Any],
    output: str | os.PathLike,
    *,
    reference: Sequence[EventLike] | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> None:
    """Draw what was detected in a recording into one figure.

    From top to bottom: events, signals of the (at most 12) most involved channels, probability of every channel,
    probability of the recording. A second column shows the same around the most confident event, where that is a small
    part of the recording; around the first reference event when nothing was detected, and around the highest
    probability when there is neither.

    Short events stay visible in long recordings: probabilities are joined by their maximum, signals are drawn from the
    lowest to the highest value of each column of pixels. Of a recording too large to be read whole in seconds, each
    column shows a stretch around its highest recording probability, and the panel says so.

    Parameters
    ----------
    recording : brant_hf.data.Recording or what the pipeline takes
        The recording that was analysed.
    result : DetectionResult or dict
        What the detector or the pipeline returned. Its channels may be a part of the recording's, or pairs of its
        contacts (`A1-A2`).
    output : str or os.PathLike
        File to write: `.png`, `.svg` or `.pdf`. An overview that is there is replaced when the new one is complete.
    reference : Sequence[SeizureEvent | Mapping[str, Any] | tuple] or None
        Reference events, in the form of `result["events"]` or of `Recording.seizures`; those that overlap are one.
    title : str or None
        By default the name of the recording, its channels and its length.
    overwrite : bool
        Whether to replace also a file that this function has not written.

    Raises
    ------
    FileExistsError
        `output` is a file that this function has not written.
    ValueError
        Another suffix, a result that contradicts itself, or one of channels that the recording lacks.
    OSError
        The folder of `output` does not exist or cannot be written to.
    """
    outputs = StagedOutputs(overwrite)
    temporary = outputs.add(output, suffixes=PLOT_SUFFIXES)
    recording = open_recording(recording)
    view = DetectionResult.of(recording, result, reference)
    with outputs:
        save_overview(recording, view, temporary, title=title, metadata=figure_metadata(temporary.suffix))


def save_overview(
    recording: Recording, view: DetectionResult, output: Any, *, title: str | None = None, **options: Any
) -> None:
    """Write the overview of a checked result to a path or an open file. Options as of `Figure.savefig`."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = draw_overview(recording, view, title=title)
        figure.savefig(output, **{"dpi": DPI, **options})


def draw_overview(recording: Recording, view: DetectionResult, *, title: str | None = None) -> Figure:
    """Draw the overview as a figure that belongs to no window."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    channels = shown_channels(recording, view)
    spans = [(view.start, view.stop)]
    caption, closer = _interesting_span(view)
    if closer[1] - closer[0] < 0.6 * view.recording_duration:
        spans.append(closer)
    num_rows = len(view.channel_names)
    rows_height = LABEL_HEIGHT * num_rows if num_rows <= MAX_CHANNEL_LABELS else 2.4 + 0.005 * num_rows
    heights = [
        0.16 + 0.13 * (view.reference is not None),
        0.8 + 0.19 * len(channels),
        min(max(rows_height, 1.2), LABEL_HEIGHT * MAX_CHANNEL_LABELS),
        0.8,
    ]
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.04, hspace=0.02, wspace=0.01)
    figure = Figure(figsize=(11.0 if len(spans) == 2 else 7.2, sum(heights) + 1.4), layout=layout)
    figure.suptitle(title or _default_title(recording, view), x=0.01, ha="left", fontsize=10, fontweight="bold")
    grid = figure.add_gridspec(
        4, len(spans) + 1, height_ratios=heights, width_ratios=[*(5.2, 4.0)[: len(spans)], 0.11]
    )
    for column, span in enumerate(spans):
        axes = [figure.add_subplot(grid[0, column])]
        axes += [figure.add_subplot(grid[row, column], sharex=axes[0]) for row in range(1, 4)]
        mesh = _draw_column(axes, recording, view, channels, span, first=column == 0)
        if len(spans) > 1:
            axes[0].set_title(_WHOLE[view.start > 0] if column == 0 else caption, loc="left", fontweight="bold", pad=5)
    bar = figure.colorbar(mesh, cax=figure.add_subplot(grid[2, -1]), label="seizure probability")
    bar.outline.set_linewidth(0.6)
    if view.threshold is not None:
        bar.ax.plot(-0.25, view.threshold, ">", color=INK, markersize=4, markeredgewidth=0, clip_on=False)
    return figure


def probability_colours() -> np.ndarray:
    """Colour from probability 0 to 1, red, green and blue from 0 to 1, of shape (256, 3).

    Darkness grows evenly with the probability, from white, so that background is no colour.
    """
    from matplotlib import colormaps

    colours = colormaps["magma_r"](np.linspace(0, 1, 256))[:, :3]
    opacity = np.linspace(0, 1, 256).clip(max=0.4)[:, None] / 0.4
    return 1 - opacity * (1 - colours)


def _default_title(recording: Recording, view: DetectionResult) -> str:
    name = recording.name if len(recording.name) <= 60 else f"{recording.name[:59]}…"
    parts = [name, counted(len(view.channel_names), "channel"), view.length_in_words]
    return " · ".join([*parts, f"{counted(len(view.events), 'event')} detected"])


def shown_channels(recording: Recording, view: DetectionResult) -> list[Derivation]:
    """Return the most involved channels that the recording can give, in the order of the result."""
    known = derivations(view.channel_names, recording)
    if not known:
        raise ValueError(
            f"No channel of the detection result ({listed(view.channel_names)}) belongs to the recording "
            f"{recording.name!r} ({listed(recording.channel_names)}); pass the recording that was analysed"
        )
    ranked = np.argsort(-view.involvement(), kind="stable")
    chosen = [place for place in ranked if view.channel_names[place] in known][:MAX_SIGNALS]
    return [known[view.channel_names[place]] for place in sorted(chosen)]


def _interesting_span(view: DetectionResult) -> tuple[str, tuple[float, float]]:
    """Return the part of the recording that is worth a closer look, and what it is called."""
    event = view.most_confident_event()
    if event is not None:
        kind = f"Event {view.events.index(event) + 1} of {len(view.events)}"
    elif view.reference:
        event, kind = view.reference[0], f"Reference event 1 of {len(view.reference)}"
    else:
        return f"Highest probability, {_moment(view, _peak(view))}", highest_span(view)
    words = [kind, _moment(view, event.onset, 1), length_in_words(event.duration)]
    if event.confidence is not None:
        words.append(f"confidence {event.confidence:.2f}")
    return " · ".join(words), span_around(view, event, longest=150.0)


def span_around(view: DetectionResult, event: SeizureEvent, longest: float = math.inf) -> tuple[float, float]:
    """Return an event with some time before and after it [s]; it ends at most `longest` after the onset."""
    margin = min(max(0.4 * event.duration, 10.0), 30.0)
    begin, end = event.onset - margin, min(event.offset + margin, event.onset + longest)
    return max(begin, view.start), min(end, view.stop)


def highest_span(view: DetectionResult) -> tuple[float, float]:
    """Return the minute around the highest probability of the recording [s]."""
    begin = max(min(_peak(view) - 30.0, view.stop - 60.0), view.start)
    return begin, min(begin + 60.0, view.stop)


def _peak(view: DetectionResult) -> float:
    steps = (view.edges[:-1] + view.edges[1:]) / 2
    return float(steps[np.nanargmax(view.recording_probability)])


def _moment(view: DetectionResult, seconds: float, decimals: int = 0) -> str:
    """Write a time as the axes do."""
    if view.start_date is None:
        return clock(seconds, decimals)
    return time_of_day(view.start_date, seconds, decimals)


def _draw_column(
    axes: Sequence[Axes],
    recording: Recording,
    view: DetectionResult,
    channels: Sequence[Derivation],
    span: tuple[float, float],
    *,
    first: bool,
) -> QuadMesh:
    """All panels of one stretch of the recording, one under the other."""
    track, signals, heat, course = axes
    letters = "abc" if first else "def"
    _draw_events(track, view, span, named=first)
    envelope = signals_in(recording, view, channels, span, SIGNAL_COLUMNS)
    draw_signals(signals, envelope, [channel.name for channel in channels])
    what = _signals_heading(view, channels) if first else "the same channels"
    if not envelope.complete:
        what += f" ({length_in_words(envelope.stretch)} of each {length_in_words(_column_length(envelope))})"
    mesh = _draw_probabilities(heat, view, span, named=first)
    marks = ""
    if len(channels) < len(view.channel_names):
        _mark_shown(heat, view, channels)
        marks = f"marks: channels of {letters[0]}"
    heat_heading = _channels_heading(marks, MISSING_IN_WORDS if first and view.lacks_patches else "")
    _draw_course(course, view, span, named=first)
    panels = (signals, heat, course)
    for panel in panels:
        _mark_events(panel, view, span, shaded=panel is not heat)
    headings = (what, heat_heading, "probability of the recording")
    for panel, letter, heading in zip(panels, letters, headings, strict=True):
        panel.set_title(heading, loc="left", pad=3)
        letter_style: dict[str, Any] = {"ha": "right", "va": "baseline", "weight": "bold", "size": 10}
        panel.annotate(letter, (0, 1), (-4, 3), "axes fraction", "offset points", **letter_style)
        panel.tick_params(labelbottom=panel is course)
    set_time_axis(course, span, view)
    return mesh


def _signals_heading(view: DetectionResult, channels: Sequence[Derivation]) -> str:
    if len(channels) == len(view.channel_names):
        return "signals"
    if view.events or view.reference:
        return f"signals of the {len(channels)} most involved channels"
    return f"signals of the {len(channels)} channels of highest probability"


def _channels_heading(marks: str, grey: str) -> str:
    if marks and grey:
        # The whole would reach into the next column, and the colour bar says what is drawn.
        return f"each channel ({marks}; {grey})"
    return "probability of each channel" + (f" ({marks or grey})" if marks or grey else "")


def signals_in(
    recording: Recording,
    view: DetectionResult,
    channels: Sequence[Derivation],
    span: tuple[float, float],
    max_columns: int,
) -> Envelope:
    """Signals of a stretch on the clock of the file, see `read_envelope`."""
    centres = (view.edges[:-1] + view.edges[1:]) / 2
    weights = np.nan_to_num(view.recording_probability)
    start, stop = (moment - view.start for moment in span)
    interest = (centres - view.start, weights)
    envelope = read_envelope(recording, channels, start, stop, max_columns=max_columns, interest=interest)
    return replace(envelope, times=envelope.times + view.start)


def _column_length(envelope: Envelope) -> float:
    return float(envelope.times[1] - envelope.times[0])


def _draw_events(axes: Axes, view: DetectionResult, span: tuple[float, float], *, named: bool) -> None:
    """Bars of detected events, of near misses in outline, and of reference events; thin ones stay a line wide."""
    rows = [("detected", view.events, DETECTED)]
    if view.reference is not None:
        rows.append(("reference", view.reference, REFERENCE))
    for level, (_, events, colour) in enumerate(rows):
        shown = [(event.onset, event.duration) for event in events if event.overlaps(*span)]
        if shown:
            axes.broken_barh(shown, (level - 0.36, 0.72), facecolor=colour, edgecolor=colour, linewidth=0.8)
        else:
            axes.axhline(level, color="0.8", linewidth=0.6)
    # Outlines only: these came near, and one rule kept each from being an event.
    missed = [(miss.event.onset, miss.event.duration) for miss in near_misses(view) if miss.event.overlaps(*span)]
    if missed:
        outline: dict[str, Any] = {"facecolor": "none", "edgecolor": DETECTED, "linestyle": (0, (2, 1))}
        axes.broken_barh(missed, (-0.36, 0.72), linewidth=0.8, **outline)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [f"{name} ({len(events)})" for name, events, _ in rows] if named else [])
    for label, (_, _, colour) in zip(axes.get_yticklabels(), rows, strict=False):
        label.set_color(colour)
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False, left=False, labelbottom=False)


def draw_signals(axes: Axes, envelope: Envelope, names: Sequence[str]) -> None:
    """Stacked signals with one gain, so that amplitudes of channels can be compared, and a bar of microvolts."""
    distance = trace_distance(envelope)
    # From low to high and on to the next column: a line at full resolution, a filled band where columns are long.
    times = np.repeat(envelope.times, 2)
    for level in range(len(names)):
        values = np.stack([envelope.low[level], envelope.high[level]], axis=1).ravel()
        # A huge artefact must not cover the other channels.
        heights = np.clip(values / distance, -1.5, 1.5)
        axes.plot(times, level - heights, color=INK, linewidth=0.4, solid_joinstyle="round", rasterized=True)
    axes.set_ylim(len(names) - 0.3, -0.7)
    axes.set_yticks(range(len(names)), names)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    _draw_scale_bar(axes, distance)


def trace_distance(envelope: Envelope) -> float:
    """Microvolts from one trace to the next: what is rarely exceeded, by the louder half of the channels."""
    largest = np.fmax(np.abs(envelope.low), np.abs(envelope.high))
    finite = [np.percentile(row[np.isfinite(row)], 98) for row in largest if np.isfinite(row).any()]
    distance = 1.5 * float(np.percentile(finite, 75)) if finite else 0.0
    return distance if distance > 0 else 1.0


def _draw_scale_bar(axes: Axes, distance: float) -> None:
    size = _round_number(distance)
    bottom = axes.get_ylim()[0]
    place = axes.get_yaxis_transform()
    axes.plot([1.012, 1.012], [bottom, bottom - size / distance], transform=place, color=INK, lw=1.5, clip_on=False)
    axes.annotate(
        amplitude(size), (1.012, bottom), (3, 0), place, "offset points", rotation=90, va="bottom", fontsize=7,
    )  # fmt: skip


def _round_number(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that is not above a value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value))


def amplitude(size: float) -> str:
    """Write an amplitude [microvolts] with the unit that suits it."""
    return f"{size / 1000:.3g} mV" if size >= 1000 else f"{size:.3g} µV"


def _draw_probabilities(axes: Axes, view: DetectionResult, span: tuple[float, float], *, named: bool) -> QuadMesh:
    from matplotlib.colors import ListedColormap

    values, edges = steps_in(view.probabilities, view.edges, span, PROBABILITY_COLUMNS)
    rows = np.arange(len(view.channel_names) + 1) - 0.5
    colours = ListedColormap(probability_colours())
    axes.set_facecolor(MISSING)
    mesh = axes.pcolormesh(edges, rows, values, cmap=colours, vmin=0, vmax=1, rasterized=True)
    axes.set_ylim(rows[-1], rows[0])
    axes.spines[["top", "right"]].set_visible(True)
    if named:
        _label_channels(axes, view.channel_names)
    else:
        axes.set_yticks([])
    return mesh


def steps_in(
    values: np.ndarray, edges: np.ndarray, span: tuple[float, float], max_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps that share a moment with a stretch, joined to what a panel can show."""
    begin = max(int(np.searchsorted(edges, span[0], "right")) - 1, 0)
    end = max(min(int(np.searchsorted(edges, span[1], "left")), edges.size - 1), begin + 1)
    return keep_maxima(values[..., begin:end], edges[begin : end + 1], max_columns)


def _label_channels(axes: Axes, names: Sequence[str]) -> None:
    """Every channel by name; where they are too many every shaft, and where those are too many some channels."""
    if len(names) <= MAX_CHANNEL_LABELS:
        axes.set_yticks(range(len(names)), names)
        return
    shafts = _shafts(names)
    if 1 < len(shafts) <= MAX_CHANNEL_LABELS:
        labels = _apart([((first + last) / 2, name) for name, first, last in shafts], len(names) / MAX_CHANNEL_LABELS)
        axes.set_yticks([place for place, _ in labels], [name for _, name in labels])
        axes.set_yticks([first - 0.5 for _, first, _ in shafts[1:]], minor=True)
        axes.tick_params(axis="y", which="major", length=0)
        axes.tick_params(axis="y", which="minor", length=7, width=0.6)
        return
    step = -(-len(names) // MAX_CHANNEL_LABELS)
    axes.set_yticks(range(0, len(names), step), names[::step])


def _apart(labels: Sequence[tuple[float, str]], distance: float) -> list[tuple[float, str]]:
    """Return the labels less those that stand too close to the one before."""
    kept = [labels[0]]
    for label in labels[1:]:
        if label[0] - kept[-1][0] >= distance:
            kept.append(label)
    return kept


def _shafts(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Name, first and last row of each run of contacts of one electrode shaft."""
    runs: list[tuple[str, int, int]] = []
    for row, name in enumerate(names):
        shaft = shaft_of(name, names)
        if runs and runs[-1][0] == shaft:
            runs[-1] = (shaft, runs[-1][1], row)
        else:
            runs.append((shaft, row, row))
    return runs


def _mark_shown(axes: Axes, view: DetectionResult, channels: Sequence[Derivation]) -> None:
    """Mark beside the rows whose signals are drawn."""
    rows = [view.channel_names.index(channel.name) for channel in channels]
    place = axes.get_yaxis_transform()
    axes.hlines(rows, 1.004, 1.016, transform=place, color=INK, linewidth=0.8, clip_on=False)


def _draw_course(axes: Axes, view: DetectionResult, span: tuple[float, float], *, named: bool) -> None:
    values, edges = steps_in(view.recording_probability, view.edges, span, PROBABILITY_COLUMNS)
    axes.stairs(values, edges, fill=True, color="0.85")
    axes.stairs(values, edges, color=INK, linewidth=0.8, baseline=None)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if named else ["", "", ""])
    threshold, edge = view.threshold, view.edge_threshold
    for level, name, dashes in ((threshold, "threshold", (3, 2)), (edge, "begin, end", (1, 2))):
        if level is None:
            continue
        axes.axhline(level, color=INK, linewidth=0.8, linestyle=(0, dashes))
        has_place = level == threshold or (threshold or 0.0) - level >= _LABELS_APART
        if named and has_place:
            axes.annotate(
                f"{name}\n{level:.2g}", (1, level), (3, 0), ("axes fraction", "data"),
                "offset points", va="center", fontsize=7, linespacing=1.1,
            )  # fmt: skip


def _mark_events(axes: Axes, view: DetectionResult, span: tuple[float, float], *, shaded: bool) -> None:
    """Return the detected events shaded, onset and offset of reference events dashed.

    Only where they are wide enough to see something inside; the bars above the panels show the others.
    """
    wide = (span[1] - span[0]) / 100
    for event in view.events:
        if shaded and event.duration >= wide:
            axes.axvspan(event.onset, event.offset, facecolor=DETECTED, alpha=0.13, linewidth=0, zorder=0)
    for event in view.reference or ():
        for moment in (event.onset, event.offset) if event.duration >= wide else ():
            axes.axvline(moment, color=REFERENCE, linewidth=0.7, linestyle=(0, (4, 2)), zorder=2.5)


def set_time_axis(axes: Axes, span: tuple[float, float], view: DetectionResult) -> None:
    """Time of day where it is known; else seconds, minutes or hours, whichever gives small numbers.

    A part of a long recording is then shown by the clock that counts from its start.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    length = span[1] - span[0]
    unit, seconds = next((name, seconds) for limit, name, seconds in _UNITS if length <= limit)
    steps = [1, 1.2, 1.5, 2, 3, 4, 6, 10] if seconds == 3600 else [1, 2, 3, 5, 10]
    start = view.start_date
    # Ticks stand at full minutes and hours of the clock that is shown.
    midnight = 0.0 if start is None else -seconds_of_day(start)
    first, last = ((moment - midnight) / seconds for moment in span)
    ticks = np.array(MaxNLocator(nbins=7, steps=steps).tick_values(first, last)) * seconds + midnight
    axes.set_xticks(ticks[(ticks >= span[0]) & (ticks <= span[1])])
    axes.set_xlim(*span)
    if start is not None:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda moment, _: _on_two_lines(time_of_day(start, moment))))
        axes.set_xlabel(f"time of day; {began(start)}")
    elif span[0] > 0 or length < view.recording_duration:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda moment, _: clock(moment)))
        axes.set_xlabel("time [h:mm:ss]")
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda moment, _: f"{moment / seconds:g}"))
        axes.set_xlabel(f"time [{unit}]")


def _on_two_lines(moment: str) -> str:
    """Write the day of a time below it, so that labels stay narrow."""
    return moment.replace(" (", "\n").removesuffix(")")


_UNITS: tuple[tuple[float, str, float], ...] = (
    (180.0, "s", 1.0),
    (3 * 3600.0, "min", 60.0),
    (float("inf"), "h", 3600.0),
)
