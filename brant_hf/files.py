"""Files that appear when everything has succeeded, and that replace only what this package has written.

Also: whether the content of a file to read is there at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from .bad_input import checked_path

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
REPORT_SUFFIXES = (".html", ".htm")
TABLE_SUFFIXES = (".tsv",)
TENSOR_SUFFIXES = (".safetensors",)
EMBEDDING_SUFFIXES = (*TENSOR_SUFFIXES, ".parquet")
# Annotations for viewers, and for MNE-Python.
EDF_SUFFIXES = (".edf",)
MNE_SUFFIXES = (".fif", ".csv", ".txt")

SOFTWARE = "brant_hf"
# That of the standard which datasets are written in.
BIDS_VERSION = "1.10.0"
# Between the words of a field in the header of an EDF file, where a space would end it.
EDF_WORDS = "_"
# What the package writes into its files to know them again, as it lies in a file of each kind.
_MARKS = {
    ".png": b"Software\0brant_hf ",
    ".svg": b"<dc:title>brant_hf ",
    ".pdf": b"/Creator (brant_hf ",
    ".html": b'<meta name="generator" content="brant_hf ',
    ".htm": b'<meta name="generator" content="brant_hf ',
    ".safetensors": b'"software":"brant_hf ',
    ".parquet": b'"software":"brant_hf ',
    ".onnx": b"\x12\x08brant_hf\x1a",  # name of the producer, a field of the graph, and the tag of its version
    ".edf": f" X X {SOFTWARE}{EDF_WORDS}".encode(),
    ".fif": b'"software": "brant_hf ',
    ".csv": b",brant_hf ",
    ".txt": b",brant_hf ",
}
_SEARCHED_BYTES = 1 << 16  # at the beginning of the file and, for PDF and Parquet, at its end

# What stands in place of a file: the text that git-annex or Git LFS keeps there, or the link of git-annex, which is a
# text on disks without links.
_ANNEX = re.compile(r"\S*\bannex[/\\]objects[/\\]")
_LFS = "version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1 << 15


def software() -> str:
    """Name and version, to be written into a file: the mark by which `has_mark` knows it."""
    from . import __version__

    return f"{SOFTWARE} {__version__}"


def generated_by() -> list[dict[str, str]]:
    """Value of `GeneratedBy`, by which BIDS and `read_generated` know who wrote what a `.json` describes."""
    return [{"Name": SOFTWARE, "Version": software().removeprefix(f"{SOFTWARE} ")}]


def read_generated(path: Path, entry: str | None = None) -> dict[str, Any]:
    """Return what a `.json` of this package, or an entry of it, says; nothing where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content = content if entry is None else content[entry]
        return content if content["GeneratedBy"][0]["Name"] == SOFTWARE else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def figure_metadata(suffix: str) -> dict[str, str]:
    """Argument `metadata` of `Figure.savefig` that marks a figure as made by this package."""
    return {"Software" if suffix.lower() == ".png" else "Creator": software()}


def has_mark(path: Path) -> bool:
    """Whether a figure, a page, a file of tensors, embeddings or annotations was written by this package."""
    mark = _MARKS.get(path.suffix.lower())
    if mark is None:
        return False
    with path.open("rb") as file:
        if mark in file.read(_SEARCHED_BYTES):
            return True
        file.seek(max(path.stat().st_size - _SEARCHED_BYTES, 0))
        return mark in file.read()


def check_fetched(path: Path) -> None:
    """Refuse a file of which only a link or a pointer is here, as in a dataset of DataLad, git-annex or Git LFS.

    Parameters
    ----------
    path : Path
        A file, or a folder whose files are all looked at; one that does not exist is none of this function's business.

    Raises
    ------
    FileNotFoundError
        With the command that fetches the content.
    """
    if path.is_dir():
        for file in sorted(each for each in path.rglob("*") if not each.is_dir()):
            check_fetched(file)
        return
    is_dangling = path.is_symlink() and not path.exists()
    if is_dangling:
        content = os.readlink(path)
    elif path.is_file() and path.stat().st_size <= _POINTER_BYTES:
        with open(path, "rb") as stored:
            content = stored.read().decode("latin-1")
    else:
        return
    what = "a dangling link" if is_dangling else "a pointer"
    if _ANNEX.match(content):
        how = f"`datalad get {path.name}` or `git annex get {path.name}`"
        raise FileNotFoundError(f"{path} is {what} of git-annex: its content has not been fetched; run {how}")
    if content.startswith(_LFS):
        raise FileNotFoundError(
            f"{path} is {what} of Git LFS: its content has not been fetched; run `git lfs pull --include {path.name}`"
        )
    if is_dangling:
        raise FileNotFoundError(f"{path} is a link to {content}, which does not exist; restore or fetch that file")


def check_suffix(output: str | os.PathLike, suffixes: Sequence[str]) -> None:
    """Raise a ValueError unless the file to write has one of these suffixes."""
    suffix = checked_path(output, "the file to write").suffix
    if suffix.lower() not in suffixes:
        raise ValueError(f"{output} has the suffix {suffix!r}; name a file that ends with {', '.join(suffixes)}")


class _Output(NamedTuple):
    target: Path
    temporary: Path
    is_own: Callable[[Path], bool]
    goes_first: bool


class StagedOutputs:
    """Output files under temporary names in their folders, renamed at the end of a `with` block that succeeds.

    ```python
    outputs = StagedOutputs()
    table = outputs.add("events.tsv", is_detection_table)
    with outputs:
        table.write_text("...")
    ```

    Parameters
    ----------
    overwrite : bool
        Whether to replace also files that the package did not write.
    """

    def __init__(self, overwrite: bool = False) -> None:
        self._overwrite = overwrite
        self._outputs: list[_Output] = []

    def add(
        self,
        path: str | os.PathLike,
        is_own: Callable[[Path], bool] = has_mark,
        suffixes: Sequence[str] = (),
        *,
        goes_first: bool = False,
    ) -> Path:
        """Plan to write `path`; gives the temporary file to write to, with the same extension.

        Parameters
        ----------
        path : str or os.PathLike
        is_own : callable
            Says of a file at `path` whether it is of the kind to be written and was made by this package.
        suffixes : Sequence[str]
            Those that `path` may have; any if empty.
        goes_first : bool
            Whether an earlier file is removed before any output takes its name, since it would be misunderstood
            beside one of them, were the process killed in between.

        Raises
        ------
        FileExistsError
            `path` is a file that this package did not write.
        OSError
            The folder does not exist or cannot be written to, or `path` is a folder or a device.
        ValueError
            `path` is planned already, or has another suffix.
        """
        if suffixes:
            check_suffix(path, suffixes)
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
        if target.resolve() in (planned.target.resolve() for planned in self._outputs):
            raise ValueError(f"{target} is named for two outputs; give each its own file")
        begin, end = _temporary_name(target)
        temporary = target.with_name(f"{begin}{secrets.token_hex(4)}{end}")
        output = _Output(target, temporary, is_own, goes_first)
        self._refuse_foreign(output)
        self._outputs.append(output)
        return temporary

    def __enter__(self) -> StagedOutputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for output in self._outputs:  # again: it may have appeared in the meantime
                    self._refuse_foreign(output)
                for output in self._outputs:
                    if output.goes_first:
                        output.target.unlink(missing_ok=True)
                for output in self._outputs:
                    os.replace(output.temporary, output.target)
        finally:
            for output in self._outputs:
                output.temporary.unlink(missing_ok=True)

    def _refuse_foreign(self, output: _Output) -> None:
        if not self._overwrite and output.target.exists() and not output.is_own(output.target):
            raise FileExistsError(
                f"{output.target} exists and is no earlier output of this command; "
                "name another file, or allow to replace it (overwrite=True)"
            )


def _temporary_name(target: Path) -> tuple[str, str]:
    """Beginning and end of the names that temporary files of an output have, and those of no other."""
    # Long names are cut.
    owner = hashlib.sha256(target.name.encode()).hexdigest()[:8]
    return f".{target.stem[:40]}.{owner}-", f".partial{target.suffix}"


def remove_leftovers(outputs: Iterable[Path]) -> None:
    """Remove temporary files that killed runs have left of outputs, which nobody is writing now."""
    wanted: dict[Path, set[tuple[str, str]]] = {}
    for output in outputs:
        target = output.resolve() if output.is_symlink() else output
        wanted.setdefault(target.parent, set()).add(_temporary_name(target))
    for folder, names in wanted.items():
        for each in folder.glob(".*.partial*"):
            begin, _, rest = each.name.rpartition("-")
            if (f"{begin}-", rest[8:]) in names:
                each.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, message: str) -> Iterator[None]:
    """Hold a lock, a file that stays, while a block runs.

    Raises
    ------
    BlockingIOError
        Another process holds it; `message` says what it does.
    """
    from filelock import FileLock, Timeout

    try:
        held = FileLock(path).acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(f"{message}; wait for it to end") from None
    with held:
        yield


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write one file of the package's own under a temporary name; it takes its name when the block succeeds.

    What has this name is replaced, whatever it is: for files inside of a folder that the package keeps.
    """
    outputs = StagedOutputs(overwrite=True)
    temporary = outputs.add(path)
    with outputs:
        yield temporary


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a file of the package's own so that it is there whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_folder(path: str | os.PathLike, names: Iterable[str | Path], overwrite: bool = False) -> None:
    """Refuse to write files with these names into a folder, which need not exist.

    Raises
    ------
    FileExistsError
        The folder holds one of them, and `overwrite` is not set.
    NotADirectoryError
        `path` is a file.
    """
    folder = Path(path).resolve()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{path} is a file; give a folder to write to")
    present = [name for name in names if (folder / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f"{folder} holds {present[0]}; name another folder, or allow to replace it (overwrite=True)"
        )


@contextmanager
def replacing_folder(path: str | os.PathLike, overwrite: bool = False) -> Iterator[Path]:
    """Write the files of a folder beside it; they are moved in when the block succeeds.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; made, with its parents, where it does not exist. Other files in it stay.
    overwrite : bool
        Whether to replace files of the same names.

    Raises
    ------
    FileExistsError
        `path` holds a file that would be replaced.
    NotADirectoryError
        `path` is a file.
    """
    check_folder(path, ())
    folder = Path(path).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name[:40]}.{secrets.token_hex(4)}.partial")
    temporary.mkdir()
    try:
        yield temporary
        names = [each.relative_to(temporary) for each in temporary.rglob("*") if not each.is_dir()]
        check_folder(folder, names, overwrite)
        if not folder.exists():
            os.replace(temporary, folder)
            return
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / name, folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
