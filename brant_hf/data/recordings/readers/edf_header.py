"""What the header of an EDF or BDF file promises, compared with the file.

MNE-Python reads a truncated file with no more than a warning; seizures written for the whole recording would then lie
outside.
"""

import warnings
from pathlib import Path

_BYTES_PER_SAMPLE = {".edf": 2, ".bdf": 3}
_FIXED_HEADER = 256
_HEADER_PER_SIGNAL = 256
# Bytes of one signal's header before the field with its number of samples a record.
_BEFORE_SAMPLES_PER_RECORD = 16 + 80 + 8 + 8 + 8 + 8 + 8 + 80


def check_edf(path: Path) -> dict[str, float]:
    """Refuse an EDF or BDF file that is no such file or holds fewer records than its header says.

    Returns
    -------
    dict[str, float]
        Sampling rate [Hz] by the name of each signal, annotations left out. Empty for a file of another format.

    Raises
    ------
    ValueError
        With what is wrong and what to do.
    """
    sample_bytes = _BYTES_PER_SAMPLE.get(path.suffix.lower())
    if sample_bytes is None:
        return {}
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(_FIXED_HEADER)
        header_bytes, records, signals = _numbers(fixed, path)
        signal_headers = file.read(signals * _HEADER_PER_SIGNAL)
    if len(signal_headers) < signals * _HEADER_PER_SIGNAL or size <= header_bytes:
        raise ValueError(f"{path} is truncated: it ends before any sample ({size} bytes). Copy or export it again")
    samples = _samples_per_record(signal_headers, signals, path)
    held = (size - header_bytes) // (sample_bytes * sum(samples))
    # Recorders write -1 while they record; after a crash it stays, and all complete records are good.
    if records >= 0 and held < records:
        raise ValueError(
            f"{path} is truncated: its header announces {records} records, it holds {held}. Copy or export it again; "
            "to use what is there, write -1 for the number of records (bytes 236 to 243 of the file)"
        )
    if fixed[192:197] == b"EDF+D":
        warnings.warn(
            f"{path.name}: an EDF+D file may have gaps; they are read as if it were continuous, so times after a gap "
            "are shifted",
            stacklevel=3,
        )
    return _sampling_rates(fixed, signal_headers, samples)


def _sampling_rates(fixed: bytes, signal_headers: bytes, samples: list[int]) -> dict[str, float]:
    try:
        duration = float(fixed[244:252])
    except ValueError:
        duration = 0.0
    names = [
        signal_headers[16 * signal : 16 * (signal + 1)].decode("latin-1").strip() for signal in range(len(samples))
    ]
    # A file of annotations only may have records without a duration.
    return {
        name: count / (duration or 1.0)
        for name, count in zip(names, samples, strict=True)
        if name not in ("EDF Annotations", "BDF Annotations")
    }


def _numbers(fixed: bytes, path: Path) -> tuple[int, int, int]:
    """Bytes of the header, number of records, number of signals."""
    try:
        header_bytes, records, signals = (int(fixed[a:b]) for a, b in ((184, 192), (236, 244), (252, 256)))
    except ValueError:
        header_bytes, records, signals = 0, 0, 0
    if len(fixed) < _FIXED_HEADER or signals < 1 or header_bytes != _FIXED_HEADER + signals * _HEADER_PER_SIGNAL:
        raise ValueError(
            f"{path} is not an {path.suffix.lower().lstrip('.').upper()} file: its header cannot be read (it begins "
            f"with {fixed[:24]!r}). Give the file its right extension, or export it again"
        )
    return header_bytes, records, signals


def _samples_per_record(signal_headers: bytes, signals: int, path: Path) -> list[int]:
    start = signals * _BEFORE_SAMPLES_PER_RECORD
    fields = [signal_headers[start + 8 * signal : start + 8 * (signal + 1)] for signal in range(signals)]
    try:
        samples = [int(field) for field in fields]
    except ValueError as error:
        raise ValueError(f"{path}: the numbers of samples a record {fields} in its header are no numbers") from error
    if min(samples) < 0 or sum(samples) == 0:
        raise ValueError(f"{path}: the numbers of samples a record {samples} in its header are not possible")
    return samples
