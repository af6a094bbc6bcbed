"""MATLAB files of every version: up to 7 through SciPy, 7.3 (which is HDF5) through h5py."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

_MATLAB_7_3 = b"MATLAB 7.3"
# Matrices from so many numbers on are left in their file; so many members of a cell array are looked at.
_LARGE = 100
_MANY = 10_000


def is_hdf5(path: Path) -> bool:
    """Whether a MATLAB file is of version 7.3."""
    with path.open("rb") as file:
        return file.read(len(_MATLAB_7_3)) == _MATLAB_7_3


def variable_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes (as in MATLAB) of the variables of a file, without loading them.

    Raises
    ------
    ValueError
        The file is no MATLAB file.
    """
    with _damage_as_value_error(path):
        if is_hdf5(path):
            with _open_hdf5(path) as file:
                return {name: item.shape[::-1] for name, item in file.items() if hasattr(item, "shape")}
        from scipy.io import whosmat

        return {name: shape for name, shape, _ in whosmat(path)}


def read_variables(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Variables of a file, each in its MATLAB shape; of those asked, the ones there are.

    Raises
    ------
    ValueError
        The file is no MATLAB file.
    """
    with _damage_as_value_error(path):
        if is_hdf5(path):
            with _open_hdf5(path) as file:
                there = [name for name in names if name in file and hasattr(file[name], "shape")]
                return {name: np.asarray(file[name]).T for name in there}
        from scipy.io import loadmat

        loaded = loadmat(path, variable_names=list(names))
        return {name: loaded[name] for name in names if name in loaded}


def contents(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Read a file, or some variables of it: structures are dictionaries, cells and arrays of these lists, texts `str`.

    Of a file of version 7.3, large matrices are not loaded: a `StoredMatrix` stands for each.

    Raises
    ------
    ValueError
        The file is no MATLAB file.
    """
    with _damage_as_value_error(path):
        if is_hdf5(path):
            with _open_hdf5(path) as file:
                found = (name for name in file if not name.startswith("#") and (names is None or name in names))
                return {name: _value(file[name]) for name in found}
        return {name: value for name, value in _everything(path, names).items() if not name.startswith("__")}


@dataclass(frozen=True)
class StoredMatrix:
    """A matrix that was left in its file.

    Attributes
    ----------
    name : str
        Its place in the file.
    shape : tuple[int, ...]
        Its shape in MATLAB.
    kind : str
        Kind of its numbers, as `numpy.dtype.kind` has it.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "f"


def _value(item: Any) -> Any:
    """Convert a group or a data set of version 7.3."""
    if not hasattr(item, "shape"):
        # The parts of a sparse matrix are called `data`, `ir` and `jc`, and are no signal.
        return None if "MATLAB_sparse" in item.attrs else {name: _value(member) for name, member in item.items()}
    if item.dtype.kind == "O":
        return [_value(item.file[reference]) for reference in item[()].T.ravel()[:_MANY]]
    if item.attrs.get("MATLAB_class") in (b"char", "char"):
        rows: Any = [] if "MATLAB_empty" in item.attrs else np.atleast_2d(item[()].T)
        texts = ["".join(map(chr, row)).rstrip("\0 ") for row in rows]
        return texts if len(texts) > 1 else "".join(texts)
    return (
        StoredMatrix(item.name, item.shape[::-1], item.dtype.kind) if item.size >= _LARGE else np.squeeze(item[()].T)
    )


@contextmanager
def _damage_as_value_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:
        # Damaged files make both libraries fail in many ways.
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as a MATLAB file ({reason}); unpack it again") from error


@dataclass
class MatReader:
    """Samples of one matrix of a MATLAB file.

    A file of version 7.3 is read piece by piece. Older ones are compressed and can only be read whole; the one read
    last is kept, so that reading a file from beginning to end loads it once and two files never fill the memory
    together.

    Attributes
    ----------
    path : Path
        The file.
    variable : str
        The matrix; one inside of structures and cells as `data/trial/0`.
    samples_first : bool
        Whether its shape in MATLAB is (samples, channels).
    """

    path: Path
    variable: str
    samples_first: bool

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of channels, (channels, samples)."""
        if not is_hdf5(self.path):
            written = self.path.stat()
            matrix = _whole_matrix(self.path, self.variable, (written.st_mtime_ns, written.st_size))
            matrix = matrix.T if self.samples_first else matrix
            return matrix[channels, start:stop]
        with _open_hdf5(self.path) as file:
            # HDF5 holds MATLAB's columns as rows.
            data = file[self.variable]
            block = data[:, start:stop] if self.samples_first else data[start:stop, :].T
        return block[channels]


@dataclass
class VectorReader:
    """Samples of channels that have a vector each in a MATLAB file; read as `MatReader` does.

    Attributes
    ----------
    path : Path
        The file.
    variables : list[str]
        The vectors; those inside of structures and cells as `channel/values`.
    """

    path: Path
    variables: list[str]

    def __call__(self, channels: Sequence[int], start: int, stop: int) -> np.ndarray:
        """Read samples `[start, stop)` of channels, (channels, samples)."""
        if not is_hdf5(self.path):
            written = self.path.stat()
            vectors = _whole_vectors(self.path, tuple(self.variables), (written.st_mtime_ns, written.st_size))
            return np.stack([vectors[channel][start:stop] for channel in channels])
        with _open_hdf5(self.path) as file:
            stored = [file[self.variables[channel]] for channel in channels]
            return np.stack([data[start:stop, 0] if data.shape[0] > 1 else data[0, start:stop] for data in stored])


@lru_cache(maxsize=1)
def _whole_matrix(path: Path, variable: str, written: tuple[int, int]) -> np.ndarray:
    """Load a matrix; a file that was written anew since is loaded anew."""
    if "/" not in variable:
        return read_variables(path, [variable])[variable]
    return np.atleast_2d(_inside(_everything(path), variable))


@lru_cache(maxsize=1)
def _whole_vectors(path: Path, variables: tuple[str, ...], written: tuple[int, int]) -> list[np.ndarray]:
    members = _everything(path)
    return [np.ravel(_inside(members, variable)) for variable in variables]


def _inside(value: Any, place: str) -> Any:
    for key in place.split("/"):
        value = value[int(key) if isinstance(value, list | np.ndarray) else key]
    return value


def _everything(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    from scipy.io import loadmat

    return loadmat(path, variable_names=names, simplify_cells=True)


def _open_hdf5(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{path.name} is a MATLAB 7.3 file, which needs h5py to be read: pip install 'brant_hf[mat]'"
        ) from error
    return h5py.File(path, "r")
