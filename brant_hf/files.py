"""Files that appear when everything has succeeded, and not before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
REPORT_SUFFIXES = (".html", ".htm")


def check_suffix(output: str | os.PathLike, suffixes: Sequence[str]) -> None:
    """Raise a ValueError unless the file to write has one of these suffixes."""
    suffix = Path(output).suffix
    if suffix.lower() not in suffixes:
        raise ValueError(f"{output} has the suffix {suffix!r}; name a file that ends with {', '.join(suffixes)}")


class StagedOutputs:
    """Output files under temporary names in their folders, renamed at the end of a `with` block that succeeds.

    ```python
    outputs = StagedOutputs()
    table = outputs.add("events.tsv")
    with outputs:
        table.write_text("...")
    ```
    """

    def __init__(self) -> None:
        self._staged: dict[Path, Path] = {}

    def add(self, path: str | os.PathLike) -> Path:
        """Plan to write `path`; gives the temporary file to write to, with the same extension.

        Raises
        ------
        OSError
            The folder does not exist or cannot be written to, or `path` is a folder or a device.
        ValueError
            `path` is planned already.
        """
        # A link stays, and what it points to is replaced.
        target = Path(path).resolve() if Path(path).is_symlink() else Path(path)
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder; give the name of a file to write")
        if target.exists() and not target.is_file():
            raise OSError(f"{target} is no file that could be replaced; give the name of a file to write")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"the folder {target.parent} does not exist; make it first")
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(f"the folder {target.parent} cannot be written to")
        if target.resolve() in (planned.resolve() for planned in self._staged):
            raise ValueError(f"{target} is named for two outputs; give each its own file")
        self._staged[target] = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.partial{target.suffix}")
        return self._staged[target]

    def __enter__(self) -> StagedOutputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            for target, staged in self._staged.items():
                os.replace(staged, target)
        for staged in self._staged.values():
            staged.unlink(missing_ok=True)
