"""Command line `brant-hf`.

Results go to standard output, progress and messages to standard error. The exit status is 0 on success and 2 for bad
input, which gets one line on standard error.
"""

import sys
from io import TextIOWrapper
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from .convert import convert
from .detect import detect
from .embed import embed
from .finetune import finetune
from .info import info
from .inspect import inspect
from .merge import merge
from .options import in_one_line
from .prepare import prepare
from .score import score
from .simulate import simulate

app = typer.Typer(help="Brant, the foundation model for intracranial EEG.", add_completion=False)
COMMANDS = (convert, info, inspect, prepare, merge, simulate, detect, score, embed, finetune)
for command in COMMANDS:
    app.command()(in_one_line(command))


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line with the arguments of the process or with `args`."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files may hold what the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(args, standalone_mode=False)
    except TyperException as error:
        print(f"brant-hf: {' '.join(error.format_message().split())}", file=sys.stderr)
        status = 2
    sys.exit(status or 0)
