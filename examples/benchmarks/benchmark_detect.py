"""Time and memory of `brant-hf detect` on recordings of different lengths.

Writes EDF recordings to disk, piece by piece, and runs the command on each in a process of its own. Prints the wall
time, the factor over real time and the peak of the resident memory, and how time and memory grow with the length.

    python examples/benchmarks/benchmark_detect.py MODEL_FOLDER
    python examples/benchmarks/benchmark_detect.py MODEL_FOLDER --channels 100 --rate 1000 --hours 0.1667 1
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIGITAL_MAX = 32767
PHYSICAL_MAX_UV = 3276.7
RECORD_S = 1


def write_edf(path: Path, channels: int, seconds: int, rate: int, seed: int = 0) -> None:
    """An EDF recording of coloured noise with 50 Hz line noise, in records of one second."""
    import numpy as np
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    state = np.zeros((channels, 1))
    with path.open("wb") as file:
        file.write(_edf_header(channels, seconds, rate))
        for record in range(seconds):
            noise, state = lfilter([1], [1, -0.97], rng.standard_normal((channels, rate)), axis=1, zi=state)
            line = 10 * np.sin(2 * np.pi * 50 * (record + np.arange(rate) / rate))
            values = np.clip((15 * noise + line) * (DIGITAL_MAX / PHYSICAL_MAX_UV), -DIGITAL_MAX, DIGITAL_MAX)
            file.write(values.astype("<i2").tobytes())


def _edf_header(channels: int, seconds: int, rate: int) -> bytes:
    """Fixed-width text: 256 bytes for the recording, then each field for all channels."""
    labels = [f"{chr(65 + channel // 12)}{channel % 12 + 1}" for channel in range(channels)]
    recording = (
        ("0", 8), ("X X X X", 80), ("Startdate 01-JAN-2020 X X X", 80), ("01.01.20", 8), ("00.00.00", 8),
        (str(256 * (channels + 1)), 8), ("", 44), (str(seconds), 8), (str(RECORD_S), 8), (str(channels), 4),
    )  # fmt: skip
    signals = (
        (labels, 16), ("", 80), ("uV", 8), (f"-{PHYSICAL_MAX_UV}", 8), (f"{PHYSICAL_MAX_UV}", 8),
        (f"-{DIGITAL_MAX}", 8), (f"{DIGITAL_MAX}", 8), ("", 80), (str(rate * RECORD_S), 8), ("", 32),
    )  # fmt: skip
    text = "".join(value.ljust(width) for value, width in recording)
    for values, width in signals:
        values = [values] * channels if isinstance(values, str) else values
        text += "".join(value.ljust(width) for value in values)
    return text.encode("ascii")


def measure(model: Path, recording: Path, options: list[str]) -> tuple[float, float]:
    """Wall time [s] and peak memory [MiB] of the command, start of the interpreter included."""
    code = (
        "import json, resource, sys\n"
        "from brant_hf.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
    )
    command = [sys.executable, "-c", code, "detect", str(recording), str(recording.with_suffix(".tsv"))]
    begin = time.perf_counter()
    result = subprocess.run(
        [*command, "--model", str(model), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    seconds = time.perf_counter() - begin
    if result.returncode:
        raise SystemExit(result.stderr)
    # In bytes on macOS, in KiB elsewhere.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, json.loads(result.stdout.splitlines()[-1]) / unit


def main() -> None:
    """Write the recordings, run the command on each, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a detector")
    parser.add_argument("--channels", type=int, nargs="+", default=[100])
    parser.add_argument("--hours", type=float, nargs="+", default=[1 / 6, 1.0])
    parser.add_argument("--rate", type=int, nargs="+", default=[1000], help="sampling rate of the recordings [Hz]")
    parser.add_argument("--detect-options", default="", help="passed on to the command, in one string")
    parser.add_argument("--folder", type=Path, help="where the recordings are written; a temporary folder by default")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    print(f"{'channels':>9}{'Hz':>7}{'hours':>8}{'s':>9}{'x real time':>13}{'peak MiB':>10}{'time/h':>9}{'memory':>9}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for channels in arguments.channels:
            for rate in arguments.rate:
                compare(Path(name), arguments, channels, rate)


def compare(folder: Path, arguments: argparse.Namespace, channels: int, rate: int) -> None:
    """One row for each length; memory relative to that of the first."""
    first = None
    for hours in arguments.hours:
        recording = folder / "recording.edf"
        seconds = round(hours * 3600)
        write_edf(recording, channels, seconds, rate)
        taken, peak = measure(arguments.model, recording, arguments.detect_options.split())
        first = first or peak
        print(
            f"{channels:>9}{rate:>7}{hours:>8.3f}{taken:>9.1f}{seconds / taken:>12.0f}x{peak:>10.0f}"
            f"{taken / hours:>9.1f}{peak / first:>8.2f}x",
            flush=True,
        )
        recording.unlink()


if __name__ == "__main__":
    main()
