"""Opening and reading a day of EDF+, by this package and by MNE-Python: seconds and memory.

The file has 128 channels at 512 Hz and the time of each of its 86400 records, as recorders write it; the first
minutes are noise and the rest are holes, so that it needs little disk. Each measurement is made in a process
of its own, in turns, with the file in the page cache; the median counts. Memory is the peak of the process above that
after the imports.

    python examples/benchmarks/benchmark_opening.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

_RECORD_S, _REMARK_SAMPLES = 1, 16

_MEASURE = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
path, seconds, ours = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "brant_hf"
if ours:
    from brant_hf.data import open_recording
else:
    import mne
    mne.io.read_raw_edf
before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
file = open_recording(path) if ours else mne.io.read_raw_edf(path, verbose="error")
opened, peak = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
rate = file.sampling_rate if ours else file.info["sfreq"]
found = {"opening [s]": opened, "memory [MiB]": peak / 1024}
for what, stretch, count in (("all channels", 10.0, None), ("one channel", seconds, 1)):
    channels = file.channel_names if ours else file.ch_names
    begin = time.perf_counter()
    start = 0.0
    while start + stretch <= seconds:
        first, last = round(start * rate), round((start + stretch) * rate)
        if not ours:
            file.get_data(picks=None if count is None else [7], start=first, stop=last)
        elif count is None:
            file.read_samples(first, last)
        else:
            file.source.read([7], first, last)
        start += stretch
    found[f"{what}, {seconds:g} s [s]"] = time.perf_counter() - begin
print(json.dumps(found))
"""


def write_day(path: Path, channels: int, rate: int, hours: float, noise_s: int) -> None:
    """Write EDF+C with a remark of the time in each record; records after the noise hold nothing else."""
    records = round(hours * 3600 / _RECORD_S)
    signals, samples = channels + 1, [rate * _RECORD_S] * channels + [_REMARK_SAMPLES]
    fields = [
        (16, [*(f"A{number + 1}" for number in range(channels)), "EDF Annotations"]),
        (80, [""] * signals),
        (8, ["uV"] * channels + [""]),
        (8, ["-3276.8"] * channels + ["-1"]),
        (8, ["3276.7"] * channels + ["1"]),
        (8, ["-32768"] * signals),
        (8, ["32767"] * signals),
        (80, [""] * signals),
        (8, list(map(str, samples))),
        (32, [""] * signals),
    ]
    fixed = [
        (8, "0"),
        (80, "S1 X X X"),
        (80, "Startdate 02-MAR-2020 X X X"),
        (8, "02.03.20"),
        (8, "00.00.00"),
        (8, str(256 * (signals + 1))),
        (44, "EDF+C"),
        (8, str(records)),
        (8, str(_RECORD_S)),
        (4, str(signals)),
    ]
    header = "".join(text.ljust(width) for width, text in fixed)
    header += "".join(text.ljust(width) for width, texts in fields for text in texts)
    size = 2 * sum(samples)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(header.encode())
        start = file.tell()
        file.truncate(start + records * size)
        for record in range(records):
            if record * _RECORD_S < noise_s:
                file.seek(start + record * size)
                file.write(rng.normal(0, 500, channels * samples[0]).astype("<i2").tobytes())
            file.seek(start + (record + 1) * size - 2 * _REMARK_SAMPLES)
            file.write(f"+{record * _RECORD_S}\x14\x14\0".encode())


def measure(path: Path, seconds: float, reader: str) -> dict[str, float]:
    """Measure one reader in a process of its own."""
    command = [sys.executable, "-c", _MEASURE, str(path), str(seconds), reader]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Write a day, measure both readers in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--rate", type=int, default=512, help="sampling rate [Hz]")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seconds", type=int, default=300, help="what is read [s]")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    readers = ("brant_hf", "mne")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.edf")
        write_day(path, arguments.channels, arguments.rate, arguments.hours, arguments.seconds)
        runs: dict[str, list[dict[str, float]]] = {reader: [] for reader in readers}
        for _ in range(arguments.repeats + 1):
            for reader in readers:
                runs[reader].append(measure(path, arguments.seconds, reader))
    print(
        f"{arguments.channels} channels at {arguments.rate} Hz, {arguments.hours:g} h; median of {arguments.repeats}"
    )
    print(f"{'':<28}{'brant_hf':>12}{'MNE-Python':>12}{'ratio':>8}")
    for what in runs["mne"][0]:
        # The first round fills the page cache.
        ours, theirs = (float(np.median([run[what] for run in runs[reader][1:]])) for reader in readers)
        print(f"{what:<28}{ours:>12.3f}{theirs:>12.3f}{ours / theirs:>8.2f}")


if __name__ == "__main__":
    main()
