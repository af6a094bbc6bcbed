"""Command line `brant-hf`.

Results go to standard output, progress and messages to standard error. The exit status is 0 on success and 2 for bad
input, which gets one line on standard error (several on a terminal that is too narrow for it).
"""

import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from .. import __version__
from .app import app as app_command
from .convert import convert
from .demo import WELCOME, demo
from .detect import detect
from .embed import embed
from .export import export
from .finetune import finetune
from .info import info
from .inspect import inspect
from .merge import merge
from .messages import paragraphs_of, speaking_as, tell
from .options import in_one_line
from .prepare import prepare
from .process import let_threads_sleep
from .score import score
from .simulate import simulate

app = typer.Typer(help="Brant, the foundation model for intracranial EEG.")
COMMANDS = (
    demo,
    convert,
    info,
    inspect,
    prepare,
    merge,
    simulate,
    detect,
    score,
    embed,
    finetune,
    export,
    app_command,
)
for command in COMMANDS:
    app.command(help=paragraphs_of(command))(in_one_line(command))


@app.callback(invoke_without_command=True)
def _first(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(f"brant_hf {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(WELCOME)


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line with the arguments of the process or with `args`."""
    run(app, "brant-hf", args)


def run(application: typer.Typer, name: str, args: list[str] | None = None) -> NoReturn:
    """Run an application under a name; what it refuses is told in a line, with exit status 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files may hold what the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    let_threads_sleep()
    with speaking_as(name):
        try:
            status = application(args, prog_name=name, standalone_mode=False)
        except TyperException as error:
            tell(" ".join(_message(error).split()))
            status = 2
    sys.exit(status or 0)


def _message(error: TyperException) -> str:
    """Tell what is wrong; of a missing argument, what the command takes, since of several it may be another one."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if context is None or not message.startswith("Missing argument"):
        return message
    needed = []
    for each in context.command.params:
        name = each.metavar or each.name.upper()
        if each.param_type_name == "argument":
            needed.append(name)
        elif each.required:
            needed.append(f"{each.opts[0]} {name}")
    return f"Missing argument; expected: {context.command_path} {' '.join(needed)}"
