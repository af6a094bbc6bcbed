import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def serving() -> Callable:
    """Serves the page while a block runs; gives its address and the folder in which it keeps everything."""
    pytest.importorskip("gradio", reason="the page needs gradio (pip install brant_hf[app])")

    @contextmanager
    def serving(**options) -> Iterator[tuple[str, Path]]:
        from brant_hf.app.serving import serve

        with pytest.MonkeyPatch.context() as patch:
            for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):
                patch.setenv(name, os.environ.get(name, ""))  # what `serve` sets is taken back
            page = serve(port=free_port(), block=False, **options)
            try:
                yield page.local_url, Path(os.environ["GRADIO_TEMP_DIR"])
            finally:
                page.close(verbose=False)

    return serving
