"""Read throughput of a prepared dataset: padded batches in GB/s, and shuffled streaming with workers.

Batches are made by `WindowCollator` from `load`, without normalisation, on one core, and compared with a copy of the
same number of bytes in memory, and with rows read in the NumPy format of `datasets`. The dataset has just been
written, so that the page cache and not the disk is measured.

    python examples/benchmarks/benchmark_loading.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from brant_hf.data import Preprocessing, WindowCollator, load, open_recording, prepare

SAMPLES = 22500
RATE = 250.0


def write_dataset(folder: Path, recordings: int, windows: int, channels: list[int]) -> None:
    """Recordings of noise with different channel counts, prepared without filters."""
    rng = np.random.default_rng(0)
    sources = []
    for index in range(recordings):
        count = channels[index % len(channels)]
        signal = 50 * rng.standard_normal((count, windows * SAMPLES), dtype=np.float32)
        sources.append(open_recording(signal, RATE, subject=f"sub{index:02d}", name=f"rec{index:02d}"))
    prepare(sources, folder, Preprocessing(line_noise=None, high_pass=None), progress=False)


def gigabytes_per_second(batches: Iterable[dict[str, torch.Tensor]]) -> float:
    """Bytes of `input_values` over the time to produce them, from the first batch on: workers take time to start."""
    iterator = iter(batches)
    next(iterator)
    begin = time.perf_counter()
    total = sum(batch["input_values"].nbytes for batch in iterator)
    return total / (time.perf_counter() - begin) / 1e9


def memory_copy(nbytes: int, repeats: int = 20) -> float:
    """GB/s of copying `nbytes` between two arrays that are already there."""
    source = np.ones(nbytes // 4, np.float32)
    target = np.empty_like(source)
    np.copyto(target, source)
    begin = time.perf_counter()
    for _ in range(repeats):
        np.copyto(target, source)
    return repeats * nbytes / (time.perf_counter() - begin) / 1e9


def rows_in_batches(dataset, collator: WindowCollator, batch_size: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches in shuffled order, read as a `DataLoader` does."""
    order = np.random.default_rng(0).permutation(len(dataset)).tolist()
    for start in range(0, len(order), batch_size):
        yield collator(dataset.__getitems__(order[start : start + batch_size]))


def best_of(repeats: int, batches) -> float:
    """Fastest of several passes, each over what `batches()` gives."""
    return max(gigabytes_per_second(batches()) for _ in range(repeats))


def main() -> None:
    """Prepare a dataset, read it in several ways, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=8)
    parser.add_argument("--windows", type=int, default=12, help="windows of each recording")
    parser.add_argument("--channels", type=int, nargs="+", default=[80, 100, 120])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="workers of the streaming test")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of these passes counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder, arguments.recordings, arguments.windows, arguments.channels)
        dataset = load(folder)
        collator = WindowCollator()
        size = arguments.batch_size
        batch_bytes = size * max(arguments.channels) * SAMPLES * 4
        copied = memory_copy(batch_bytes)
        results = {
            "memory copy": copied,
            "load, collate": best_of(arguments.repeats, lambda: rows_in_batches(dataset, collator, size)),
            "load, DataLoader": best_of(
                arguments.repeats,
                lambda: torch.utils.data.DataLoader(dataset, size, shuffle=True, collate_fn=collator),
            ),
            "numpy format, collate": best_of(
                arguments.repeats, lambda: rows_in_batches(dataset.with_format("numpy"), collator, size)
            ),
            "streaming, shuffled": best_of(arguments.repeats, lambda: stream(folder, collator, size, 0)),
            f"streaming, shuffled, {arguments.workers} workers": best_of(
                arguments.repeats, lambda: stream(folder, collator, size, arguments.workers)
            ),
        }
    total = sum(
        arguments.windows * arguments.channels[i % len(arguments.channels)] for i in range(arguments.recordings)
    )
    print(f"{arguments.recordings * arguments.windows} windows, {total * SAMPLES * 4 / 1e9:.2f} GB, batches of {size}")
    print(f"{'read':<34}{'GB/s':>8}{'of memory copy':>16}")
    for what, rate in results.items():
        print(f"{what:<34}{rate:>8.2f}{rate / copied:>15.0%}")


def stream(folder: Path, collator: WindowCollator, size: int, workers: int) -> torch.utils.data.DataLoader:
    """A loader over the shuffled stream."""
    dataset = load(folder, streaming=True).shuffle(seed=0, buffer_size=64)
    return torch.utils.data.DataLoader(dataset, size, collate_fn=collator, num_workers=workers)


if __name__ == "__main__":
    main()
