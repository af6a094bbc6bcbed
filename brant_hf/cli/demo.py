"""The command `brant-hf demo`, and what `brant-hf` says alone."""

from __future__ import annotations

import filecmp
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from .detect import detect
from .options import FORCE

_RECORDING = Path(__file__).parents[1] / "assets" / "demo" / "sub-demo_task-szMonitoring_ieeg.edf"
WELCOME = """\
Find seizures in intracranial EEG, and train models of it.

  brant-hf demo                              try it, on a simulated recording
  brant-hf inspect RECORDING                 what is understood of a file
  brant-hf detect RECORDING events.tsv --report report.html
                                             find seizures, and look at them
  brant-hf detect FOLDER events/             in all recordings of a folder
  brant-hf --help                            all commands
  brant-hf detect --help                     all options of one
  brant-hf --install-completion              complete commands with the tab key"""


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write to.")] = Path("brant-hf-demo"),
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the report in a browser.")] = False,
    force: FORCE = False,
) -> None:
    """Find the seizure of a simulated recording with the shipped detector, and open the report in a browser.

    The recording, its table of events (events.tsv), an overview (overview.png) and the report (report.html) are
    written to FOLDER. Where there is no display, nothing is opened.
    """
    recording = _copy_recording(folder, force)
    events, plot, report = (folder / name for name in ("events.tsv", "overview.png", "report.html"))
    paths = [shlex.quote(str(path)) for path in (recording, events, plot, report)]
    print("$ brant-hf detect {} {} \\\n    --plot {} --report {}\n".format(*paths))
    detect([recording], events, plot=plot, report=report, force=force)
    if not no_open and _has_display():
        _open(report)


def _copy_recording(folder: Path, force: bool) -> Path:
    """Put the recording of the package, and the tables about it, into a folder."""
    from ..detection.places import refuse_file

    refuse_file(folder)
    files = sorted(_RECORDING.parent.glob("sub-*"))
    for source in files:
        target = folder / source.name
        if target.exists() and not force and not filecmp.cmp(source, target, shallow=False):
            raise FileExistsError(f"{target} exists and is not that of the demo; give another folder, or --force")
    folder.mkdir(parents=True, exist_ok=True)
    for source in files:
        shutil.copyfile(source, folder / source.name)
    return folder / _RECORDING.name


def _has_display() -> bool:
    """Whether a browser has a window here: without one, a browser in text would take over the terminal."""
    own = sys.platform in ("darwin", "win32")
    return own or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(page: Path) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if opened:
        print(f"opened         {page}")
