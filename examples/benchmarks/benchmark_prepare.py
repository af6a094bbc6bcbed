"""Throughput and memory of `brant_hf.data.prepare` against plain MNE-Python.

Both do the same work on the same EDF file in the same run: read, resample to 250 Hz, cut into windows of 90 s, save.
MNE-Python uses its polyphase resampling and fixed-length epochs. Throughput is in channel-seconds of recording per
second. Every measurement runs in a process of its own, limited to one core and one thread, and reports the peak of its
resident memory; CPU time tells more where other programs run. A second pair adds line-noise notch and high-pass.

    python examples/benchmarks/benchmark_prepare.py
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SINGLE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
WINDOW_S = 90.0
MODEL_RATE = 250.0


def write_edf(path: Path, channels: int, seconds: int, rate: int, seed: int = 0) -> None:
    """An EDF recording of coloured noise with 50 Hz line noise, written signal by signal."""
    import edfio
    import numpy as np
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    time_s = np.arange(seconds * rate) / rate
    line = 10 * np.sin(2 * np.pi * 50 * time_s)
    signals = []
    for channel in range(channels):
        noise = lfilter([1], [1, -0.97], rng.standard_normal(len(time_s), dtype=np.float32))
        values = np.clip(15 * noise + line, -3000, 3000)
        label = f"{chr(65 + channel // 12)}{channel % 12 + 1}"
        signals.append(
            edfio.EdfSignal(values, rate, label=label, physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        )
    edfio.Edf(signals).write(path)


def run_prepare(source: Path, target: Path, filtered: bool) -> None:
    """The work by `prepare`."""
    from brant_hf.data import Preprocessing, prepare

    settings = {"line_noise": 50.0, "high_pass": 0.5} if filtered else {"line_noise": None, "high_pass": None}
    report = prepare(source, target, Preprocessing(sampling_rate=MODEL_RATE, **settings), progress=False)
    if report.failed:
        raise SystemExit(str(report))


def run_mne(source: Path, target: Path, filtered: bool) -> None:
    """The same work by MNE-Python."""
    import mne
    import numpy as np

    mne.set_log_level("ERROR")
    raw = mne.io.read_raw_edf(source, preload=True)
    if filtered:
        raw.notch_filter(np.arange(50, raw.info["sfreq"] / 2, 50))
        raw.filter(0.5, None)
    raw.resample(MODEL_RATE, method="polyphase")
    epochs = mne.make_fixed_length_epochs(raw, duration=WINDOW_S, preload=True)
    epochs.save(target / "windows-epo.fif", overwrite=True)


def measure(work: str, source: Path, folder: Path, filtered: bool) -> dict[str, float]:
    """Wall and CPU time [s] and peak memory [MiB] of one job in a process of its own."""
    target = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, __file__, "--job", work, str(source), str(target), str(int(filtered))]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **SINGLE_THREAD}, check=False)
    if result.returncode:
        raise SystemExit(f"{work} failed:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def run_job(work: str, source: Path, target: Path, filtered: bool) -> None:
    """One measured job: imports are done before the clock starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import datasets  # noqa: F401
    import mne  # noqa: F401
    import scipy.signal  # noqa: F401
    import soxr  # noqa: F401

    import brant_hf.data.dataset.prepare
    import brant_hf.data.recordings  # noqa: F401

    imported = peak_mib()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    {"prepare": run_prepare, "mne": run_mne}[work](source, target, filtered)
    times = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - begin_cpu}
    print(json.dumps({**times, "peak_mib": peak_mib(), "imports_mib": imported}))


def peak_mib() -> float:
    """Largest resident memory of this process so far [MiB]."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss, this does not count the process that started this one.
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Write the recordings, run the jobs, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=600, help="length of the recording [s]")
    parser.add_argument("--rate", type=int, default=1000, help="sampling rate of the recording [Hz]")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of these runs counts")
    parser.add_argument("--memory-seconds", type=int, default=180, help="shorter recording of the memory test [s]")
    parser.add_argument("--memory-channels", type=int, default=100)
    parser.add_argument("--job", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        work, source, target, filtered = arguments.job
        run_job(work, Path(source), Path(target), bool(int(filtered)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare_throughput(folder, arguments)
        compare_memory(folder, arguments)


def compare_throughput(folder: Path, arguments: argparse.Namespace) -> None:
    """Channel-seconds per second of both, with and without filters."""
    source = folder / "recording.edf"
    write_edf(source, arguments.channels, arguments.seconds, arguments.rate)
    work = arguments.channels * arguments.seconds
    print(f"{arguments.channels} channels x {arguments.seconds} s at {arguments.rate} Hz, one core")
    head = f"{'chain':<28}{'program':<10}{'s':>8}{'channel-s/s':>14}{'peak MiB':>10}{'ratio':>8}"
    print(f"{head}{'CPU s':>8}{'ratio':>8}")
    for filtered in (False, True):
        chain = "resample, notch, high-pass" if filtered else "resample"
        runs: dict[str, list[dict[str, float]]] = {"mne": [], "prepare": []}
        for _ in range(arguments.repeats):
            for program, done in runs.items():
                done.append(measure(program, source, folder, filtered))
        best = {
            program: {name: min(each[name] for each in done) for name in done[0]} for program, done in runs.items()
        }
        for program, result in best.items():
            ratio, cpu_ratio = (best["mne"][name] / result[name] for name in ("seconds", "cpu_seconds"))
            print(
                f"{chain:<28}{program:<10}{result['seconds']:>8.2f}{work / result['seconds']:>14.0f}"
                f"{result['peak_mib']:>10.0f}{ratio:>7.2f}x{result['cpu_seconds']:>8.2f}{cpu_ratio:>7.2f}x",
                flush=True,
            )
    source.unlink()


def compare_memory(folder: Path, arguments: argparse.Namespace) -> None:
    """Peak memory as a recording grows tenfold."""
    print("\npeak memory as a recording grows, resample, notch and high-pass")
    print(f"{'seconds':>10}{'peak MiB':>10}{'ratio':>8}{'above imports':>15}")
    first = None
    for seconds in (arguments.memory_seconds, 10 * arguments.memory_seconds):
        source = folder / f"{seconds}.edf"
        write_edf(source, arguments.memory_channels, seconds, arguments.rate)
        result = measure("prepare", source, folder, True)
        peak = result["peak_mib"]
        first = first or peak
        print(f"{seconds:>10}{peak:>10.0f}{peak / first:>7.2f}x{peak - result['imports_mib']:>15.0f}")
        source.unlink()


if __name__ == "__main__":
    main()
