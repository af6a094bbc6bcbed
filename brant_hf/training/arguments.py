"""Arguments of the training scripts: model, data, tuning, and how files, recipes and the command line combine."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, TrainingArguments

from .recipes import recipe_defaults

TUNING_MODES = ("full", "frozen", "lora", "temporal")


@dataclass
class ModelArguments:
    """Which model to start from."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint to start from: a local folder or a model id on the Hub."}
    )
    revision: str = field(default="main", metadata={"help": "Branch, tag or commit of a checkpoint on the Hub."})
    size: str = field(
        default="brant",
        metadata={"help": "Published size of a model from scratch: tiny, small, medium or brant."},
    )
    config_overrides: str | None = field(
        default=None,
        metadata={"help": "Fields of the configuration, such as hidden_size=128,loss_on=masked."},
    )
    attn_implementation: str | None = field(
        default=None, metadata={"help": "eager, sdpa, flash_attention_2, ...; chosen by transformers if absent."}
    )
    normalize: str | None = field(
        default=None,
        metadata={"help": "asinh, zscore, robust or none; that of the checkpoint, or asinh, if absent."},
    )
    scale: float | None = field(
        default=None, metadata={"help": "Scale of asinh in microvolts; of the checkpoint, or 50, if absent."}
    )


@dataclass
class DataArguments:
    """Which windows to train, validate and test on."""

    dataset: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Folders made by `brant-hf prepare`, a folder of recordings (iEEG-BIDS or others), or a dataset "
            "id on the Hub. Several are joined."
        },
    )
    streaming: bool = field(default=False, metadata={"help": "Stream the windows; needs --max_steps."})
    shuffle_buffer: int = field(default=256, metadata={"help": "Windows of a stream shuffled together."})
    split_by: str = field(
        default="subject",
        metadata={"help": "What no two splits share, where the dataset has no splits: subject, recording or time."},
    )
    split_fractions: str = field(
        default="0.7,0.15,0.15", metadata={"help": "Shares of train, validation and test, where it has no splits."}
    )
    split_seed: int = field(default=0, metadata={"help": "Seed of the splits."})
    max_train_subjects: int | None = field(
        default=None,
        metadata={"help": "Train on this many patients of the training split only, those with seizures first."},
    )
    max_channels: int | None = field(
        default=None,
        metadata={"help": "Cut windows with more channels to a random subset of this many."},
    )
    prepare_processes: int = field(
        default=1, metadata={"help": "Processes that prepare a folder of recordings; the result is kept."}
    )


@dataclass
class TuningArguments:
    """What to train, and how, beyond `TrainingArguments`."""

    recipe: str = field(
        default="default", metadata={"help": "default, or paper: optimiser, rates, schedule, epochs of the paper."}
    )
    tuning: str = field(
        default="full",
        metadata={
            "help": "full; frozen: the head alone (Brant-Freeze); lora: low-rank adapters and the head; temporal: the "
            "temporal encoder and the head, without the spatial encoder."
        },
    )
    head_learning_rate: float | None = field(
        default=None, metadata={"help": "Learning rate of the head; --learning_rate if absent."}
    )
    schedule: str | None = field(
        default=None,
        metadata={"help": "cyclic or multistep, in place of --lr_scheduler_type; see `brant_hf.training.schedules`."},
    )
    early_stopping_patience: int | None = field(
        default=None, metadata={"help": "Stop after this many evaluations without a better one."}
    )
    evaluate_only: bool = field(default=False, metadata={"help": "Do not train; evaluate the checkpoint of --model."})
    lora_rank: int = field(default=8, metadata={"help": "Rank of the adapters of --tuning lora."})
    lora_alpha: float = field(default=16.0, metadata={"help": "Scale of the adapters of --tuning lora."})

    def __post_init__(self) -> None:
        if self.tuning not in TUNING_MODES:
            raise ValueError(f"--tuning is {self.tuning!r}; choose one of {', '.join(TUNING_MODES)}")
        if self.schedule not in (None, "cyclic", "multistep"):
            raise ValueError(f"--schedule is {self.schedule!r}; choose cyclic or multistep, or --lr_scheduler_type")


def parse_arguments(
    stage: str,
    *extra: type,
    defaults: Mapping[str, Any] | None = None,
    argv: Sequence[str] | None = None,
) -> tuple[Any, ...]:
    """Arguments of a training script, from the command line and at most one JSON or YAML file.

    The file, when there is one, is the first argument. What counts, strongest first: the command line, the file, the
    recipe, the defaults of the script.

    Args:
        stage: `"pretraining"` or `"finetuning"`; chooses the values of `--recipe`.
        extra: more dataclasses of arguments.
        defaults: defaults of this script that differ from those of the dataclasses.
        argv: the command line; that of the process when `None`.

    Returns:
        `ModelArguments`, `DataArguments`, `TuningArguments`, `TrainingArguments`, and one of each class of `extra`.

    Raises:
        ValueError: an unknown recipe, a key of the file that is no argument, or no dataset.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = HfArgumentParser((ModelArguments, DataArguments, TuningArguments, TrainingArguments, *extra))
    file_values: dict[str, Any] = {}
    if argv and Path(argv[0]).suffix in (".json", ".yaml", ".yml"):
        file_values = _read_file(Path(argv.pop(0)))
        known = {action.dest for action in parser._actions}
        unknown = sorted(set(file_values) - known)
        if unknown:
            raise ValueError(f"the file has keys that are no arguments: {', '.join(unknown)}")
    recipe = _recipe_name(argv) or file_values.get("recipe", "default")
    parser.set_defaults(**{**(defaults or {}), **recipe_defaults(recipe, stage), **file_values})
    arguments = parser.parse_args_into_dataclasses(argv)
    if isinstance(arguments[1].dataset, str):  # from a file
        arguments[1].dataset = [arguments[1].dataset]
    if not arguments[1].dataset:
        raise ValueError("give --dataset: a folder made by `brant-hf prepare`, a folder of recordings or a Hub id")
    return arguments


def _read_file(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        values = json.loads(text)
    else:
        import yaml

        values = yaml.safe_load(text)
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold names of arguments with their values")
    return values


def _recipe_name(argv: Sequence[str]) -> str | None:
    """The value of `--recipe`, needed before the rest is parsed because it sets defaults."""
    for index, argument in enumerate(argv):
        if argument == "--recipe" and index + 1 < len(argv):
            return argv[index + 1]
        if argument.startswith("--recipe="):
            return argument.partition("=")[2]
    return None
