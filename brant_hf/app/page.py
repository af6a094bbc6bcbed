"""The layout of the page, in Gradio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from .handlers import SHOWN, Handlers
from .parts import queue_html
from .search import KINDS
from .session import Sessions
from .shipped import shipped_recordings

TITLE = "Find seizures in intracranial EEG"
NOTICE = """What you drop here is read by the program that shows this page, goes nowhere else, and is deleted
when you close it. For research; not a medical device."""
_HINT = "What is found will stand here: events, signals around each of them, and files to save."
# Gradio looks every 10 minutes for files of its own that are older than an hour, such as downloads [s].
_DELETE_CACHE = (600, 3600)
# The browser saves what the hidden button holds, once that has arrived there.
_SAVE = "() => setTimeout(() => document.getElementById('download-link').click(), 200)"


def make_page(root: Path, models: Sequence[str], any_model: bool, notice: str | None = None) -> gr.Blocks:
    """Make the page.

    Parameters
    ----------
    root : Path
        Folder for what visitors upload, below that of Gradio, which then keeps no copies of what they download.
    models : Sequence[str]
        Checkpoints to choose from, the first one by default.
    any_model : bool
        Whether another one may be typed.
    notice : str or None
        What visitors are told first, in Markdown: where their recordings go.

    Returns
    -------
    gradio.Blocks
    """
    handlers = Handlers(Sessions(root))
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=_DELETE_CACHE) as page:
        gr.Markdown(f"# {TITLE}\n{notice or NOTICE}")
        with gr.Row():
            with gr.Column(scale=1, min_width=320, elem_classes="inputs"):
                inputs = _inputs(models, any_model)
            with gr.Column(scale=3, min_width=320):
                hint = gr.Markdown(_HINT, elem_classes="note")
                with gr.Column(visible=False) as results:
                    shown = _results()
        _connect(handlers, {**inputs, **shown, "results": results, "hint": hint})
        page.unload(handlers.leave)
    return page


def _inputs(models: Sequence[str], any_model: bool) -> dict[str, Any]:
    return {
        "files": gr.File(label="Drop recordings (EDF, NWB, ...)", file_count="multiple", height=165),
        "shipped": gr.Dropdown(
            list(shipped_recordings()),
            value=None,
            label="or take one that comes with the package",
        ),
        "queue": gr.HTML(queue_html([]), elem_id="queue"),
        "model": gr.Dropdown(
            list(models),
            value=models[0],
            label="Checkpoint",
            info="a folder, or the id of a model on the Hub" if any_model else None,
            allow_custom_value=any_model,
        ),
        "find": gr.Button("Find seizures", variant="primary", elem_id="find"),
        "stop": gr.Button("Stop", size="sm", visible=False),
        "clear": gr.Button("Remove all", size="sm"),
        "threshold": gr.Slider(
            0.01,
            1.0,
            value=0.5,
            step=0.01,
            label="Threshold",
            info="probability that an event has to reach; move it to see the events change",
            elem_id="threshold",
        ),
    }


def _results() -> dict[str, Any]:
    shown: dict[str, Any] = {"recording": gr.Dropdown([], label="Recording", elem_id="recording")}
    shown["tables"] = gr.HTML(elem_id="tables")
    with gr.Row():
        shown["save_None"] = gr.Button("Events (.tsv)", size="sm", min_width=110, elem_id="save-events")
        for kind in KINDS:
            label = f"{kind.called[0].upper()}{kind.called[1:]} ({kind.suffixes[0]})"
            shown[f"save_{kind.option}"] = gr.Button(label, size="sm", min_width=110, elem_id=f"save-{kind.option}")
        shown["save_all"] = gr.Button("All recordings (.zip)", size="sm", min_width=110, elem_id="save-all")
    shown["download"] = gr.DownloadButton(elem_id="download-link", elem_classes="download-link")
    with gr.Tabs():
        with gr.Tab("Around an event"):
            shown["event"] = gr.Dropdown([], label="Event", elem_id="event")
            shown["closer"] = gr.Plot(show_label=False, elem_id="closer")
            gr.Markdown(
                "The colours behind the signals tell the probability of each channel. "
                "Drag to zoom, double-click to see everything again.",
                elem_classes="note",
            )
        with gr.Tab("Overview"):
            shown["overview"] = gr.HTML(elem_id="overview")
    return shown


def _connect(handlers: Handlers, parts: dict[str, Any]) -> None:
    """Say what each part does."""
    queue, threshold, recording = parts["queue"], parts["threshold"], parts["recording"]
    showing = [parts[name] for name in SHOWN]
    chosen = [threshold, recording]
    hidden: dict[str, Any] = {"show_progress": "hidden"}

    def show_and_draw(event: Any) -> None:
        event.then(handlers.show, chosen, showing, **hidden).then(
            handlers.draw, [*chosen, parts["event"]], [parts["closer"], parts["overview"]], show_progress="minimal"
        )

    parts["files"].upload(handlers.add, parts["files"], [parts["files"], queue])
    parts["shipped"].input(handlers.add_shipped, parts["shipped"], [parts["shipped"], queue])
    buttons = [parts["find"], parts["stop"]]
    started = parts["find"].click(handlers.begin, None, buttons)
    worked = started.then(handlers.work, parts["model"], queue, concurrency_id="model", **hidden)
    show_and_draw(worked.then(handlers.end, None, buttons))
    parts["stop"].click(handlers.stop)
    show_and_draw(parts["clear"].click(handlers.clear, None, queue))
    show_and_draw(recording.input(lambda: None))
    show_and_draw(threshold.input(handlers.move, threshold, trigger_mode="always_last", **hidden))
    parts["event"].input(handlers.draw_event, [recording, parts["event"]], parts["closer"], show_progress="minimal")
    for option in (None, *(kind.option for kind in KINDS)):
        inputs, name = [gr.State(option), recording], f"save_{option or 'events'}"
        written = parts[f"save_{option}"].click(handlers.written, inputs, parts["download"], api_name=name)
        written.then(None, js=_SAVE)
    parts["save_all"].click(handlers.everything, recording, parts["download"]).then(None, js=_SAVE)
