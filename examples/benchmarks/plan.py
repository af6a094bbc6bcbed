"""What a large run takes: hours, terabytes and commands, from rates that were measured. Put in your own.

    python examples/benchmarks/plan.py
    python examples/benchmarks/plan.py --hours 500 --channels 128 --rate 2048 --cores 32 --gpus 1 8 --passes 20

Preparing, detecting and embedding grow with the samples, which `examples/benchmarks/growth.py` measures: hours times
channels times sampling rate. So does pre-training, but for the spatial attention, whose part grows with the square of
the channels: the operations of a cell (one patch of one channel) are those of `gpu.py`. The defaults are
the rates of the tables in examples/README.md; `growth.py` and `gpu.py` measure those of another machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gpu import training_flops

from brant_hf import BrantConfig
from brant_hf.listing import markdown_head, markdown_row

CONFIG = BrantConfig()
PATCH_S = CONFIG.patch_length / CONFIG.sampling_rate
# What the rates below were measured with.
MEASURED_CHANNELS, MEASURED_RATE = 100, 1000.0
PARAMETERS = 505_685_944
# Of a checkpoint to go on from: weights in fp32 and two moments of Adam.
CHECKPOINT_BYTES = 12 * PARAMETERS
Line = tuple[str, str, str, str]


def cell_flops(channels: int) -> float:
    """Floating-point operations of a training step for each cell of windows with so many channels."""
    return training_flops(CONFIG, 1, channels) / (channels * CONFIG.num_patches)


def attention_part(channels: int) -> float:
    """Part of the operations that is spatial attention, the one thing that grows faster than the signals."""
    spatial = 3.0 * 4 * CONFIG.hidden_size * CONFIG.num_spatial_layers * channels
    return spatial / cell_flops(channels)


def plan(given: argparse.Namespace) -> Iterator[Line]:
    """Rows of the table: work, hours, terabytes, command."""
    samples = given.hours * 3600 * given.rate * given.channels
    factor = given.channels * given.rate / (MEASURED_CHANNELS * MEASURED_RATE)
    cells = given.hours * 3600 / PATCH_S * given.channels
    patch_bytes = 4 * CONFIG.patch_length
    yield "recordings, 16 bit", "", terabytes(2 * samples), ""

    core_hours = given.hours * given.prepare_seconds * factor / 3600
    shards = f"brant-hf prepare @recordings.txt windows/ --like pretrained/ --shard I/{given.cores}"
    yield (
        f"prepare, {given.cores} cores",
        hours(core_hours / given.cores),
        f"{terabytes(cells * patch_bytes)}; reads {2 * samples * given.cores / core_hours / 3.6e12:.2g} GB/s",
        f"`{shards}`, then `brant-hf merge windows/`",
    )

    for count in given.gpus:
        rate = given.cells_per_second * cell_flops(MEASURED_CHANNELS) / cell_flops(given.channels)
        rate *= count * (given.efficiency if count > 1 else 1.0)
        seconds = given.passes * cells / rate
        steps = given.passes * cells / (given.windows * count * given.channels * CONFIG.num_patches)
        config = f"--config_file examples/accelerate/fsdp2_{count}_gpus.yaml " if count in (8, 64) else ""
        yield (
            f"pre-train, {given.passes} passes, {count} GPU{'s' * (count > 1)} ({steps:,.0f} steps)",
            hours(seconds / 3600),
            f"reads {rate * patch_bytes / 1e9:.2g} GB/s; {CHECKPOINT_BYTES / 1e9:.2g} GB a checkpoint",
            f"`accelerate launch {config}examples/run_pretraining.py --dataset windows/ --size brant --bf16 "
            "--torch_compile --attn_implementation brant_triton`",
        )

    core_hours = given.hours * given.detect_seconds * factor / 3600
    command = f"brant-hf detect @recordings.txt events/ --shard I/{given.cores}"
    yield (
        f"detect, shipped detector, {given.cores} cores",
        hours(core_hours / given.cores),
        f"reads {2 * samples * given.cores / core_hours / 3.6e12:.2g} GB/s",
        f"`{command}`, then `brant-hf merge events/`",
    )
    # Windows overlap by a half, and a step forward is a third of one forward and back.
    device = 3 * given.cells_per_second * cell_flops(MEASURED_CHANNELS) / cell_flops(given.channels)
    of_device = given.hours / (2 * cells / device / 3600)
    of_readers = given.readers * given.read_rate / factor
    slower = "reading" if of_readers < of_device else "the model"
    yield (
        f"detect, full size, 1 GPU, {given.readers} readers; limited by {slower}",
        hours(given.hours / min(of_device, of_readers)),
        "",
        f"`brant-hf detect @recordings.txt events/ --model you/detector --dtype bfloat16 --num-proc {given.readers}`",
    )
    yield (
        "embed, each patch of each channel, the same",
        hours(given.hours / min(of_device, of_readers)),
        terabytes(cells * 4 * CONFIG.hidden_size),
        f"`brant-hf embed @recordings.txt embeddings/ --num-proc {given.readers}`, `--pool window` for "
        f"{terabytes(cells / given.channels / CONFIG.num_patches * 2 * 4 * CONFIG.hidden_size)}",
    )


def hours(number: float) -> str:
    """Write hours, and days where they are many."""
    return f"{number:.2g} h" if number < 100 else f"{number:,.0f} h ({number / 24:.0f} days)"


def terabytes(number: float) -> str:
    """Write a number of bytes."""
    return f"{number / 1e12:.3g} TB" if number >= 1e11 else f"{number / 1e9:.3g} GB"


def parse() -> argparse.Namespace:
    """Read the amounts and the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    amounts = parser.add_argument_group("what there is")
    amounts.add_argument("--hours", type=float, default=40_000, help="of recording, over all subjects")
    amounts.add_argument("--channels", type=int, default=100, help="of a recording, on average")
    amounts.add_argument("--rate", type=float, default=1000, help="sampling rate of the recordings [Hz]")
    amounts.add_argument("--cores", type=int, default=64, help="tasks of a job array, with a core each")
    amounts.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64], help="of the pre-training")
    amounts.add_argument("--readers", type=int, default=8, help="processes that read for a GPU")
    amounts.add_argument("--passes", type=float, default=10, help="of the pre-training through all windows")
    amounts.add_argument("--windows", type=int, default=75, help="of a step, on each GPU")
    rates = parser.add_argument_group(f"rates, of {MEASURED_CHANNELS} channels at {MEASURED_RATE:g} Hz")
    rates.add_argument("--prepare-seconds", type=float, default=4.7, help="of a core for an hour of recording")
    rates.add_argument("--detect-seconds", type=float, default=36.6, help="the same of the shipped detector")
    rates.add_argument(
        "--read-rate", type=float, default=884, help="hours that a reader prepares for a GPU in an hour"
    )
    rates.add_argument("--cells-per-second", type=float, default=163_935, help="of a training step on one GPU")
    rates.add_argument("--efficiency", type=float, default=0.9, help="of several GPUs: an assumption, not measured")
    given = parser.parse_args()
    for name, values in vars(given).items():
        if any(value <= 0 for value in (values if isinstance(values, list) else [values])):
            parser.error(f"--{name.replace('_', '-')} is {values}; it must be above 0")
    return given


def main() -> None:
    """Print the table."""
    given = parse()
    print(f"{given.hours:,.0f} h of {given.channels} channels at {given.rate:g} Hz\n")
    print(markdown_head(["what", "time", "data", "command"]))
    for line in plan(given):
        print(markdown_row(line))
    parts = ", ".join(f"{attention_part(count):.1%} with {count}" for count in (20, 100, 256, 1000))
    print(f"\nSpatial attention is {parts} channels of the operations of a training step.")


if __name__ == "__main__":
    main()
