"""Miniatures of published corpora, in the format in which each is distributed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write_mat73() -> Callable[..., None]:
    """Writes a MATLAB 7.3 file: HDF5 with a header of 512 bytes, in which matrices are turned."""
    h5py = pytest.importorskip("h5py")

    def write(path: Path, variables: dict[str, np.ndarray]) -> None:
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in variables.items():
                file[name] = np.atleast_2d(value).T
        with path.open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b" "))

    return write
