"""Serving the page: to this machine alone unless told otherwise, with nothing that is loaded from elsewhere."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checkpoints import SHIPPED, locate
from . import HOST, MAX_SIZE, PORT

# Visitors who wait for the detector; more are told to come again.
_LONGEST_QUEUE = 20
# A browser that obeys this loads nothing from other machines, whatever the page and its libraries ask for.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:"
)
# Signals are drawn on white.
_LIGHT = "() => document.body.classList.remove('dark')"


def serve(
    models: Sequence[str] = (SHIPPED,),
    *,
    host: str = HOST,
    port: int = PORT,
    max_size: str = MAX_SIZE,
    any_model: bool | None = None,
    notice: str | None = None,
    block: bool = True,
) -> Any:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    models : Sequence[str]
        Checkpoints to choose from: folders, ids on the Hub, or "shipped".
    host : str
        Address to listen on; 0.0.0.0 lets other machines see the page.
    port : int
    max_size : str
        Largest file that may be uploaded, such as `500mb`.
    any_model : bool or None
        Whether visitors may name another checkpoint; if `None`, where only this machine sees the page.
    notice : str or None
        What visitors are told first, in Markdown; that nothing leaves the machine, if `None`.
    block : bool
        Whether to wait for the end; if not, the caller closes what is returned.

    Returns
    -------
    gradio.Blocks

    Raises
    ------
    ImportError
        Gradio is not installed.
    OSError
        The address cannot be listened on, or a checkpoint is not within reach.
    ValueError
        `max_size` is no size, or there is no such checkpoint.
    """
    _refuse(models, max_size)
    # Read by Gradio when it is imported, and when parts of the page are made.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    folder = tempfile.TemporaryDirectory(prefix="brant_hf_app_", ignore_cleanup_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder.name
    try:
        import gradio  # noqa: F401
        from starlette.middleware import Middleware
    except ImportError as error:
        raise ImportError("the page needs gradio: pip install brant_hf[app]") from error
    from .page import make_page
    from .parts import style

    if any_model is None:
        any_model = host in (HOST, "localhost", "::1")
    page = make_page(Path(folder.name) / "sessions", models, any_model, notice)
    page.queue(max_size=_LONGEST_QUEUE, default_concurrency_limit=1)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            share=False,
            max_file_size=max_size,
            app_kwargs={"middleware": [Middleware(_Policy)]},
            theme=_theme(),
            css=style(),
            js=_LIGHT,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise OSError(
            f"port {port} of {host} cannot be listened on: it is taken, or the address is none of this machine; give "
            "another"
        ) from error
    weakref.finalize(page, folder.cleanup)  # it lives as long as the page
    if block:
        print(f"open {page.local_url} in a browser; Ctrl+C ends it", flush=True)
        # A service that is told to end deletes what was uploaded, too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            page.block_thread()
        finally:
            folder.cleanup()
    return page


def _refuse(models: Sequence[str], max_size: str) -> None:
    """Refuse before the page opens what every search or upload would meet."""
    if not re.fullmatch(r"[1-9]\d*[kmgt]?b", max_size, re.IGNORECASE):
        raise ValueError(f"max_size is {max_size!r}; expected a size such as 500mb or 2gb")
    for model in models:
        locate(model)


def _theme() -> Any:
    """Fonts of the machine, and colours that can be read: those of Gradio are pale."""
    import gradio as gr

    theme = gr.themes.Default(
        primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return theme.set(
        button_primary_background_fill="#0072B2",
        button_primary_background_fill_hover="#005A8C",
        slider_color="#0072B2",
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
    )


class _Policy:
    """Sends the policy with every answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, send_with_policy)
