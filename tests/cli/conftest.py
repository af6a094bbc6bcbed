import datetime
from collections.abc import Callable, Sequence
from pathlib import Path

import edfio
import numpy as np
import pytest

from brant_hf.cli import main


@pytest.fixture
def run(capsys):
    """Run the command line; gives exit status, standard output and standard error."""

    def run(*args):
        capsys.readouterr()  # what fixtures printed
        with pytest.raises(SystemExit) as exit_:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


@pytest.fixture
def write_edf_with_gaps() -> Callable[..., Path]:
    """Writes an EDF+D recording with a resolution of 0.1 microvolt.

    Its data records of 1 s begin at `onsets`, whole seconds that increase from 0 on.
    """

    def write(
        path: Path,
        signal: np.ndarray,
        rate: int,
        onsets: Sequence[int],
        start: datetime.datetime,
        names: Sequence[str] | None = None,
    ) -> Path:
        names = names or [f"A{number}" for number in range(1, len(signal) + 1)]
        signals = [
            edfio.EdfSignal(row, rate, label=name, physical_dimension="uV", physical_range=(-3276.8, 3276.7))
            for row, name in zip(signal, names, strict=True)
        ]
        edf = edfio.Edf(
            signals,
            annotations=[edfio.EdfAnnotation(0, None, "start")],
            starttime=start.time(),
            recording=edfio.Recording(startdate=start.date()),
            data_record_duration=1,
        )
        edf.write(path)
        content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
        # From the last one on, so that no onset is taken for one that was written before.
        for record in range(len(onsets) - 1, 0, -1):
            before, after = (f"+{onset}\x14\x14".encode() for onset in (record, onsets[record]))
            assert content.count(before) == 1
            content = content.replace(before.ljust(len(after), b"\0"), after)
        path.write_bytes(content)
        return path

    return write
