"""The command `brant-hf app`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..app import HOST, MAX_SIZE, PORT
from .options import CHECKPOINT_HELP


def app(
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"{CHECKPOINT_HELP} Several may be given to choose from; the shipped one without it."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines see the page.")] = HOST,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    max_size: Annotated[str, typer.Option(metavar="SIZE", help="Largest file to upload, such as 500mb.")] = MAX_SIZE,
) -> None:
    """Show a page to drop recordings on: find seizures, look at them, move the threshold, save the results.

    Only this machine sees the page unless --host says otherwise, and nothing is loaded from elsewhere. What is
    dropped is deleted when the page is closed. Needs gradio, which the extra `app` brings.
    """
    from ..app.serving import serve

    serve(model or ["shipped"], host=host, port=port, max_size=max_size)
