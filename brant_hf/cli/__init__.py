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
from .info import info
from .inspect import inspect
from .messages import in_options
from .options import BAD_INPUT
from .prepare import prepare
from .score import score
from .simulate import simulate

app = typer.Typer(help="Brant, the foundation model for intracranial EEG.", add_completion=False)
for command in (convert, info, inspect, prepare, simulate, detect, score, embed):
    app.command()(command)


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line with the arguments of the process or with `args`."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files may hold what the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(args, standalone_mode=False)
    except TyperException as error:
        status = _refuse(error.format_message())
    except BAD_INPUT as error:
        status = _refuse(str(error) or type(error).__name__)
    except typer.Abort as error:  # what Typer makes of an EOFError
        status = _refuse(str(error.__cause__))
    sys.exit(status or 0)


def _refuse(message: str) -> int:
    print(f"brant-hf: {in_options(' '.join(message.split()))}", file=sys.stderr)
    return 2
