"""Folders of a corpus, checked before anything is read."""

import os
import re
from pathlib import Path

from ...listing import listed


def corpus_folder(folder: str | os.PathLike, layout: str) -> Path:
    """Return the folder, if there is one and it is not empty.

    Parameters
    ----------
    folder : str or os.PathLike
        As given by the user.
    layout : str
        What it should hold, for the message.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        It is a file or empty.
    """
    path = Path(folder).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a folder with {layout}")
    if not path.is_dir():
        raise ValueError(f"{path} is a file; expected a folder with {layout}")
    if not any(path.iterdir()):
        raise ValueError(f"{path} is empty; expected {layout}")
    return path


def subject_folders(root: Path, name: re.Pattern[str]) -> list[Path]:
    """List the folders of the subjects, which have such names; of one subject, when `root` is that folder."""
    if name.fullmatch(root.name):
        return [root]
    return sorted((path for path in root.iterdir() if path.is_dir() and name.fullmatch(path.name)), key=by_number)


def unknown_layout(folder: Path, layout: str) -> ValueError:
    """Return the error for a folder that holds something else."""
    held = sorted(path.name for path in folder.iterdir())
    return ValueError(f"{folder} holds {listed(held)}, which is not the layout of this corpus; expected {layout}")


def by_number(path: Path) -> list[int | str]:
    """Sorting key that puts `x_10` after `x_9`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
