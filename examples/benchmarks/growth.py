"""How time and memory of `prepare`, `detect` and a training step grow with length, channels and recordings.

Each measurement runs in a process of its own; imports are done before the clock starts. The clock is that of the CPU,
so that other work on the machine counts little. Prints a row for each, and for each series the exponent of the power
law through its two largest cases: 1 is linear.

    python examples/benchmarks/growth.py
    python examples/benchmarks/growth.py --work detect --hours 0.1667 1 6 24 --rate 512 --base-channels 128
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmark_detect import write_edf
from benchmark_prepare import SINGLE_THREAD, peak_mib
from training_step import describe_cpu

from brant_hf.listing import markdown_head, markdown_row

WORK = ("prepare", "detect", "training step")
TRAINING_STEPS = 3


class Case(NamedTuple):
    """What is worked on: so many recordings, each of so many hours and channels."""

    hours: float
    channels: int
    recordings: int


def run_prepare(folder: Path) -> float:
    """CPU seconds of `prepare` with its defaults."""
    from brant_hf.data import prepare

    begin = time.process_time()
    report = prepare(folder / "recordings", folder / "dataset", progress=False)
    if report.failed:
        raise SystemExit(str(report))
    return time.process_time() - begin


def run_detect(folder: Path) -> float:
    """CPU seconds of the shipped detector with its defaults."""
    from brant_hf.data import find_recordings
    from brant_hf.detection import Detector

    detector = Detector.from_pretrained()
    begin = time.process_time()
    for path in find_recordings(folder / "recordings"):
        detector.detect(path, progress=False)
    return time.process_time() - begin


def run_training_step(channels: int) -> float:
    """Median CPU seconds of a step of the smallest size, forward to update, on one window."""
    import torch

    from brant_hf import BrantConfig, BrantForPreTraining

    config = BrantConfig.from_size("tiny")
    torch.manual_seed(0)
    model = BrantForPreTraining(config)
    optimizer = torch.optim.AdamW(model.parameters())
    window = torch.randn(1, channels, config.num_patches * config.patch_length)
    seconds = []
    for _ in range(1 + TRAINING_STEPS):
        begin = time.process_time()
        model(window).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.process_time() - begin)
    return float(np.median(seconds[1:]))


def run_job(work: str, folder: Path, channels: int) -> None:
    """One measured job."""
    import datasets  # noqa: F401
    import mne  # noqa: F401
    import scipy.signal  # noqa: F401
    import soxr  # noqa: F401
    import torch  # noqa: F401

    if work == "training step":
        seconds = run_training_step(channels)
    else:
        seconds = {"prepare": run_prepare, "detect": run_detect}[work](folder)
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib()}))


def measure(work: str, case: Case, rate: int, parent: Path | None) -> dict[str, float]:
    """Write the recordings of a case and work on them in another process."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        if work != "training step":
            (folder / "recordings").mkdir()
            for index in range(case.recordings):
                path = folder / "recordings" / f"r{index:03d}.edf"
                write_edf(path, case.channels, round(case.hours * 3600), rate, seed=index)
        command = [sys.executable, "-W", "ignore", __file__, "--job", work, name, str(case.channels)]
        environment = {**os.environ, **SINGLE_THREAD, "HF_HUB_OFFLINE": "1"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        raise SystemExit(f"{work} of {case} failed:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def series_of(work: str, arguments: argparse.Namespace) -> Iterator[tuple[str, list[Case]]]:
    """Cases that differ in one thing, under the name of the field."""
    base = Case(arguments.base_hours, arguments.base_channels, 1)
    for field, values in (
        ("hours", arguments.hours),
        ("channels", arguments.channels),
        ("recordings", arguments.recordings),
    ):
        if work == "training step" and field != "channels":
            continue
        if len(values) > 1:
            yield field, [base._replace(**{field: value}) for value in values]


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """Of the power law through the two largest, where what every run costs counts least."""
    (small, large), (fast, slow) = sizes[-2:], seconds[-2:]
    return math.log(slow / fast) / math.log(large / small)


def main() -> None:
    """Measure all series and print a table of each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--hours", type=float, nargs="*", default=[1 / 6, 1, 6, 24])
    parser.add_argument("--channels", type=int, nargs="*", default=[1, 4, 16, 64, 256])
    parser.add_argument("--recordings", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--base-hours", type=float, default=1 / 6, help="of the other series [h]")
    parser.add_argument("--base-channels", type=int, default=16, help="of the other series")
    parser.add_argument("--rate", type=int, default=256, help="sampling rate of the recordings [Hz]")
    parser.add_argument("--folder", type=Path, help="where recordings are written; a temporary folder by default")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        work, folder, channels = arguments.job
        run_job(work, Path(folder), int(channels))
        return
    print(f"{describe_cpu()}, one thread, recordings of {arguments.rate} Hz, {date.today()}")
    for work in arguments.work:
        print(f"\n{markdown_head([work, 'hours', 'channels', 'recordings', 'CPU seconds', 'peak memory [MiB]'])}")
        for field, cases in series_of(work, arguments):
            seconds = []
            for case in cases:
                found = measure(work, case, arguments.rate, arguments.folder)
                seconds.append(found["seconds"])
                cells = (f"{case.hours:.3g}", case.channels, case.recordings)
                print(markdown_row(["", *cells, f"{seconds[-1]:.3g}", f"{found['peak_mib']:.0f}"]), flush=True)
            grown = exponent([getattr(case, field) for case in cases], seconds)
            print(markdown_row([f"exponent over {field}", "", "", "", f"{grown:.2f}", ""]), flush=True)


if __name__ == "__main__":
    main()
