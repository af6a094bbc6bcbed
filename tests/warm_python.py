"""Fresh Python processes that start at once: forks of one that has imported the heavy libraries, but not brant_hf.

Run as a program it serves requests at a socket, one after the other. Commands ask it to run a program in their place.
"""

import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PRELOADED = (
    "torch",
    "transformers.modeling_utils",
    "transformers.models.auto",
    "transformers.pipelines",
    "transformers.trainer",
    "datasets",
    "edfio",
    "matplotlib.pyplot",
    "mne",
    "mne_bids",
    "plotly.offline",
    "plotly.subplots",
    "pydantic",
    "sklearn.metrics",
    "scipy.signal",
    "typer.main",
)
SHIM = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = {{"program": {program!r}, "arguments": sys.argv[1:]}}
    request |= {{"folder": os.getcwd(), "variables": dict(os.environ)}}
    socket.send_fds(server, [json.dumps(request).encode() + b"\\0"], [1, 2])
    sys.exit(int(server.makefile().read()))
"""


@contextmanager
def warm_commands(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Have `python` and `brant-hf` in a folder: commands that run a program as a fork of the server.

    `variables` are those of the server: what a library reads when it is imported is the same in all forks.
    """
    address = folder / "socket"
    for program in ("python", "brant-hf"):
        path = folder / program
        path.write_text(SHIM.format(python=sys.executable, address=str(address), program=program))
        path.chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, address], env={**os.environ, **variables}) as server:
        while not address.exists() and server.poll() is None:
            time.sleep(0.1)
        try:
            yield
        finally:
            server.terminate()


def serve(address: str) -> None:
    """Run one request after the other."""
    gc.disable()
    for name in PRELOADED:
        __import__(name)
    gc.freeze()  # no fork looks for garbage in what is there
    gc.enable()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        while True:
            client, _ = server.accept()
            with client:
                message, streams, _, _ = socket.recv_fds(client, 1 << 16, 2)
                while not message.endswith(b"\0"):
                    message += client.recv(1 << 16)
                child = os.fork()
                if not child:
                    os._exit(run(json.loads(message[:-1]), streams))
                for stream in streams:
                    os.close(stream)
                _, status = os.waitpid(child, 0)
                client.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def run(request: dict, streams: list[int]) -> int:
    """Run the program of a request in this process and return its exit status."""
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    arguments = request["arguments"]
    sys.path[0] = ""
    status: object = 0
    try:
        if request["program"] == "brant-hf":
            from brant_hf.cli import main

            main(arguments)
        elif arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            exec(compile(arguments[1], "<snippet>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = arguments
            sys.path[0] = str(Path(arguments[0]).parent)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    serve(sys.argv[1])
