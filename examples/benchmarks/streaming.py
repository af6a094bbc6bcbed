"""Streaming of a prepared dataset: how fast, whether each window comes once, what a resumed run reads, what is padded.

Windows are streamed in shuffled order as the training scripts do (`--streaming true`), by a `DataLoader` with several
workers and by two processes with a share each. Each pass is compared, window by window, with what is in the dataset. A
folder that has just been written is read from the page cache and not from the disk; `--hub` streams a dataset of the
Hub instead, through whatever lies between.

    python examples/benchmarks/streaming.py
    python examples/benchmarks/streaming.py --hub you/windows
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import skip_first_batches
from benchmark_loading import write_dataset
from datasets import Dataset
from transformers import Trainer, TrainingArguments

from brant_hf.data import ChannelGroupedSampler, WindowCollator, load
from brant_hf.training.streaming import EndlessStream, SkippingCollator, is_streamed

BUFFER = 64
_COLLATE = WindowCollator(normalize=lambda signal, observed=None: signal)
Window = tuple[str, float]


class Pass(torch.utils.data.IterableDataset):
    """One pass of a stream, or of the share of a process."""

    def __init__(self, stream: EndlessStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self.stream:
            if row.get("pass"):
                return
            yield row


def collate(rows: Sequence[dict[str, Any]]) -> tuple[list[Window], torch.Tensor]:
    """Which windows they are, and their padded batch."""
    return [(row["recording"], row["start"]) for row in rows], _COLLATE(list(rows))["input_values"]


def loader_of(
    stream: EndlessStream, size: int, workers: int, rank: int = 0, processes: int = 1, *, skipped: int | None = None
) -> Any:
    """A loader over one pass, or one that is endless and skips its first batches."""
    stream.share(rank, processes)
    if skipped is not None:
        stream.skip_batches(skipped, size)
    rows: Any = Pass(stream) if skipped is None else stream
    make = collate if skipped is None else SkippingCollator(collate)
    return torch.utils.data.DataLoader(rows, size, collate_fn=make, num_workers=workers)


def read(batches: Iterable[tuple[list[Window], torch.Tensor]]) -> tuple[list[Window], float, float]:
    """Windows, seconds to the first batch, and GB/s from there on."""
    begin = time.perf_counter()
    iterator = iter(batches)
    windows, _ = next(iterator)
    first = time.perf_counter() - begin
    begin, nbytes = time.perf_counter(), 0
    for names, values in iterator:
        windows += names
        nbytes += values.nbytes
    return windows, first, nbytes / (time.perf_counter() - begin) / 1e9


def verdict(found: Iterable[Window], expected: Sequence[Window]) -> str:
    """Tell whether each window came once."""
    counts = Counter(found)
    lost, twice = len(set(expected) - counts.keys()), sum(count > 1 for count in counts.values())
    return "each once" if not lost and not twice else f"{lost} lost, {twice} twice"


def read_share(source: str, size: int, workers: int, processes: int, rank: int) -> tuple[list[Window], float, float]:
    """What one of several processes reads."""
    torch.set_num_threads(1)
    return read(loader_of(_stream(source), size, workers, rank, processes))


def print_passes(source: str, expected: Sequence[Window], size: int, workers: Sequence[int]) -> None:
    """Table of passes by one process and by two."""
    print(f"{'processes':<11}{'workers':>8}{'first batch [s]':>17}{'GB/s':>7}{'windows':>12}  each window")
    for count in workers:
        windows, first, rate = read(loader_of(_stream(source), size, count))
        print(f"{1:<11}{count:>8}{first:>17.2f}{rate:>7.2f}{len(windows):>12}  {verdict(windows, expected)}")
    ways = {
        "by shard, as from the Hub": Pass(_stream(source, streaming=True)),
        "`shuffle` of `datasets`": load(source, streaming=True).shuffle(seed=0, buffer_size=BUFFER),
    }
    for name, rows in ways.items():
        windows, first, rate = read(torch.utils.data.DataLoader(rows, size, collate_fn=collate))
        print(f"{name:<30}{first:>6.2f}{rate:>7.2f}{len(windows):>12}  {verdict(windows, expected)}")
    for count in workers[:3]:
        share = partial(read_share, source, size, count, 2)
        # Not daemons, which may not have workers.
        context = multiprocessing.get_context("spawn")
        with ExitStack() as stack:
            ends = [context.Pipe() for _ in range(2)]
            others = [context.Process(target=_answer, args=(end[1], share, rank)) for rank, end in enumerate(ends)]
            for each in others:
                each.start()
                stack.callback(each.join)
            found = [end[0].recv() for end in ends]
        shares = [len(windows) for windows, _, _ in found]
        first, rate = max(each[1] for each in found), sum(each[2] for each in found)
        together = f"{shares[0]} + {shares[1]}"
        told = verdict(chain.from_iterable(windows for windows, _, _ in found), expected)
        print(f"{2:<11}{count:>8}{first:>17.2f}{rate:>7.2f}{together:>12}  {told}")


def _answer(end: Any, work: Any, rank: int) -> None:
    end.send(work(rank))


def print_resumption(source: str, expected: Sequence[Window], size: int, workers: Sequence[int]) -> None:
    """What a run that goes on in the middle of a pass reads: as the stock `Trainer`, and as the training scripts."""
    print(f"\n{'read by':<9}{'processes':<11}{'workers':>8}{'resumed after':>20}", end="")
    print(f"{'Trainer [s]':>13}{'scripts [s]':>13}  the same")
    for streaming in (False, True) if Path(source).is_dir() else (True,):
        for processes, count in [(1, count) for count in workers] + [(2, count) for count in workers[:3]]:
            with tempfile.TemporaryDirectory() as lengths:
                print_one_resumption(partial(_stream, source, streaming), size, count, processes, Path(lengths))
    print_state_dicts(source, expected)


def print_one_resumption(
    stream: Callable[[], EndlessStream], size: int, workers: int, processes: int, lengths: Path
) -> None:
    """A row of the table, after a half of the share of the first process."""
    whole = stream()
    whole.keep_lengths(lengths)
    straight = [names for names, _ in loader_of(whole, size, workers, 0, processes)]
    half = len(straight) // 2  # the last batches of workers are smaller
    following = straight[half : half + (len(straight) - half) // 2]
    resumed = stream()
    resumed.keep_lengths(lengths)
    seconds, found = [], []
    for loader in (
        loader_of(stream(), size, workers, 0, processes),
        loader_of(resumed, size, workers, 0, processes, skipped=half),
    ):
        begin = time.perf_counter()
        rest = iter(skip_first_batches(loader, half))
        names = [next(rest)[0]]
        seconds.append(time.perf_counter() - begin)
        found.append(names + [each for each, _ in islice(rest, len(following) - 1)])
    same = "yes" if found == [following] * 2 else "no"
    by = "shard" if is_streamed(whole.rows) else "number"
    after = f"{half} of {len(straight)}"
    print(f"{by:<9}{processes:<11}{workers:>8}{after:>20}{seconds[0]:>13.3f}{seconds[1]:>13.3f}  {same}")


def print_state_dicts(source: str, expected: Sequence[Window]) -> None:
    """Whether a stream that is stopped within a pass, and goes on with its state, gives each window once."""
    whole = _stream(source)
    part = list(islice(whole, len(expected) // 2))
    rest = _stream(source)
    rest.load_state_dict(whole.state_dict())
    part += islice(rest, len(expected) - len(part))
    print(f"`EndlessStream.state_dict`: {verdict(map(_name, part), expected)}")
    buffered = load(source, streaming=True).shuffle(seed=0, buffer_size=BUFFER)
    part = list(islice(buffered, len(expected) // 2))
    buffered.load_state_dict(buffered.state_dict())
    print(f"`IterableDataset.state_dict`, without its buffer: {verdict(map(_name, [*part, *buffered]), expected)}")


def _stream(source: str, streaming: bool = False) -> EndlessStream:
    # As the training scripts: what is on disk is drawn by number.
    rows = load(source, streaming=streaming or not Path(source).is_dir())
    return EndlessStream(rows, seed=0, buffer_size=BUFFER)


def _name(row: dict[str, Any]) -> Window:
    return row["recording"], row["start"]


def print_padding(counts: np.ndarray, size: int) -> None:
    """What is padded in batches of windows whose numbers of channels are spread."""
    print(f"\npadding of {len(counts)} windows of {counts.min()} to {counts.max()} channels, batches of {size}")
    shuffled = np.random.default_rng(0).permutation(len(counts)).tolist()
    orders = {
        "shuffled": shuffled,
        "ChannelGroupedSampler": list(ChannelGroupedSampler(counts, size)),
        "Trainer, group_by_length": trainer_order(counts, size),
    }
    for name, order in orders.items():
        batches = [counts[order[i : i + size]] for i in range(0, len(order), size)]
        padded = sum(len(batch) * batch.max() for batch in batches)
        print(f"{name:<26}{1 - counts.sum() / padded:>8.1%}")


def trainer_order(counts: np.ndarray, size: int) -> list[int]:
    """The order of the stock `Trainer`, which is told the lengths by a column."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, train_sampling_strategy="group_by_length", per_device_train_batch_size=size, report_to="none"
        )
        rows = Dataset.from_dict({"length": counts.tolist()})
        trainer = Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=rows)
        return list(trainer._get_train_sampler(rows))


def spread_of_channels(subjects: int, rng: np.random.Generator) -> np.ndarray:
    """Windows of subjects with 20 to 200 channels, most with about 100, and 20 to 100 windows each."""
    channels = np.clip(rng.normal(100, 40, subjects).round(), 20, 200).astype(int)
    return np.repeat(channels, rng.integers(20, 101, subjects))


def main() -> None:
    """Prepare a dataset, stream it in several ways, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", help="id of a dataset to stream; without it, one is written to a folder")
    parser.add_argument("--recordings", type=int, default=16)
    parser.add_argument("--windows", type=int, default=8, help="windows of each recording")
    parser.add_argument("--channels", type=int, nargs="+", default=[20, 60, 100, 140, 200])
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    given = parser.parse_args()
    if min(given.recordings * given.windows // 32, given.batch_size) < 1:
        parser.error("too few windows: --recordings times --windows must be 32 or more, and --batch-size 1 or more")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.hub is None:
            write_dataset(Path(folder), given.recordings, given.windows, given.channels)
        source = given.hub or folder
        try:
            names = load(source, streaming=True).select_columns(["recording", "start"])
        except (OSError, ValueError) as error:
            parser.error(f"--hub {source}: {error}")
        expected = [_name(row) for row in names]
        print(f"{len(expected)} windows of {'a folder' if given.hub is None else given.hub}, shuffled")
        print_passes(source, expected, given.batch_size, given.workers)
        print_resumption(source, expected, given.batch_size, given.workers)
    print_padding(spread_of_channels(100, np.random.default_rng(0)), 8)


if __name__ == "__main__":
    main()
