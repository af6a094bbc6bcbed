"""Results of the folds of an evaluation, kept on disk: what is complete is not computed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from brant_hf.files import write_text

SETTINGS = "settings.json"


class Folds:
    """Results of the folds of one evaluation in a folder, which belongs to these settings alone.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    settings : Mapping[str, Any]
        Whatever the results depend on, as JSON-serialisable values.

    Raises
    ------
    ValueError
        The folder holds results of an evaluation with other settings; says which differ.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        now = json.loads(json.dumps(settings, default=str))
        path = folder / SETTINGS
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            different = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
            if different:
                name = different[0]
                raise ValueError(
                    f"{folder} holds results of another evaluation: {', '.join(different)} differ ({name} was "
                    f"{before.get(name)!r} and is {now.get(name)!r}); choose another --output, or remove this one"
                )
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(now, indent=2) + "\n")

    def result(self, name: str, compute: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """Result of a fold: what `folder/name.json` has, or what `compute` returns, which is written there.

        Parameters
        ----------
        name : str
            Of the fold.
        compute : Callable[[Path], Mapping[str, Any]]
            Gets a folder `folder/name` to work in, which it makes if it needs one.
        """
        path = self.folder / f"{name}.json"
        if not path.is_file():
            values = dict(compute(self.folder / name))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(values, indent=2) + "\n")
        return json.loads(path.read_text(encoding="utf-8"))
