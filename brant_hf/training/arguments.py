"""Arguments of a training run, and how the command line, a file, the recipe and defaults combine."""

from __future__ import annotations

import inspect
import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar, cast

from transformers import HfArgumentParser, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from .recipes import TRAINING_DEFAULTS, recipe_defaults
from .schedules import SCHEDULES

if TYPE_CHECKING:
    from .tasks import Task

TaskT = TypeVar("TaskT", bound="Task")

SPLITS = ("train", "validation", "test")
SPLIT_BY = ("subject", "recording", "time")
TUNING_MODES = ("full", "frozen", "lora", "temporal")

# A value that a recipe sets, and the argument that takes its place: who gives the second does not want the first.
_REPLACED = {"max_steps": "num_train_epochs", "schedule": "lr_scheduler_type"}
# Parts of the names of metrics of which less is better.
_ERRORS = {"loss", "mae", "mse", "rmse", "mape"}


@dataclass
class ModelArguments:
    """Which model to start from."""

    _argument_group_name: ClassVar[str] = "model"

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
        default=None,
        metadata={"help": "eager, sdpa, flash_attention_2, brant_triton (for GPUs), ...; sdpa if absent."},
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

    _argument_group_name: ClassVar[str] = "data"

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
        default="0.7,0.15,0.15",
        metadata={
            "help": "Shares of train, validation and test, where it has no splits. Two: without a test split; 1: all "
            "is for training, without evaluation, say for --max_steps."
        },
    )
    split_seed: int = field(default=0, metadata={"help": "Seed of the splits."})
    max_train_subjects: int | None = field(
        default=None,
        metadata={"help": "Train on this many subjects of the training split only, those with seizures first."},
    )
    max_channels: int | None = field(
        default=None,
        metadata={"help": "Cut windows with more channels to a random subset of this many."},
    )
    prepare_processes: int = field(
        default=1, metadata={"help": "Processes that prepare a folder of recordings; the result is kept."}
    )

    def __post_init__(self) -> None:
        if isinstance(self.dataset, str):  # from a file
            self.dataset = [self.dataset]
        parse_fractions(self.split_fractions)
        if self.split_by not in SPLIT_BY:
            raise ValueError(f"--split_by is {self.split_by!r}; choose one of {', '.join(SPLIT_BY)}")
        if self.streaming and self.max_train_subjects is not None:
            raise ValueError("--max_train_subjects needs --streaming false")


@dataclass
class TuningArguments:
    """What to train, and how, beyond `TrainingArguments`."""

    _argument_group_name: ClassVar[str] = "tuning"

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
        default=None,
        metadata={
            "help": "Learning rate of the head; of the recipe, or where it has none --learning_rate, if absent."
        },
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
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise ValueError(
                f"--schedule is {self.schedule!r}; choose {' or '.join(SCHEDULES)}, or --lr_scheduler_type"
            )
        for name in ("early_stopping_patience", "lora_rank"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} is {value}; it must be 1 or more")


@dataclass
class RunArguments(Generic[TaskT]):
    """All arguments of a run, as `parse_arguments` returns them."""

    model: ModelArguments
    data: DataArguments
    tuning: TuningArguments
    training: TrainingArguments
    task: TaskT

    def __post_init__(self) -> None:
        if not self.data.dataset:
            raise ValueError("give --dataset: a folder made by `brant-hf prepare`, a folder of recordings or a Hub id")
        if self.tuning.evaluate_only:
            if self.model.model is None:
                raise ValueError("--evaluate_only needs --model: the checkpoint to evaluate")
            return
        if self.data.streaming and self.training.max_steps <= 0:
            raise ValueError("--streaming needs --max_steps: the length of a stream is not known")
        if self.tuning.early_stopping_patience is not None and self.training.eval_strategy == "no":
            raise ValueError("--early_stopping_patience needs evaluations: pass --eval_strategy epoch or steps")

    @property
    def output_dir(self) -> Path:
        """Folder of the run."""
        return Path(str(self.training.output_dir))


class ScriptArgumentParser(HfArgumentParser):
    """`HfArgumentParser` whose errors are a ValueError, not the whole usage, and that takes no abbreviations."""

    def __init__(self, *dataclass_types: type, **kwargs: Any) -> None:
        super().__init__(cast(Any, dataclass_types), allow_abbrev=False, **kwargs)
        # In the help, what belongs to no group, above all the many `TrainingArguments`, stands last.
        self._action_groups.sort(key=lambda group: group is self._optionals)

    def error(self, message: str) -> NoReturn:
        """Raise the error of a command line."""
        raise ValueError(message)

    def parse(self, argv: Sequence[str] | None = None) -> tuple[Any, ...]:
        """One object of each dataclass, from a command line; that of the process when `None`."""
        namespace, unknown = self.parse_known_args(argv)
        if unknown:
            raise ValueError(f"unknown arguments: {' '.join(unknown)}; --help lists those there are")
        return self.parse_dict(vars(namespace))


def parse_arguments(task: type[TaskT], argv: Sequence[str] | None = None) -> RunArguments[TaskT]:
    """Arguments of a run, from the command line and at most one JSON or YAML file.

    The file, when there is one, is the first argument. What counts, strongest first: the command line, the file, the
    recipe, the defaults of the task. `--num_train_epochs` takes the place of the `max_steps` of a recipe, and
    `--lr_scheduler_type` that of its schedule. With `--split_fractions 1` there is nothing to evaluate on.

    Parameters
    ----------
    task : type[Task]
        Whose fields are arguments too.
    argv : Sequence[str] or None
        The command line; that of the process when `None`.

    Returns
    -------
    RunArguments
        `training.greater_is_better` follows from `metric_for_best_model` where it was not given.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        An unknown recipe, a file that cannot be read or has a key that is no argument, or arguments that do not go
        together.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = ScriptArgumentParser(
        task,
        ModelArguments,
        DataArguments,
        TuningArguments,
        TrainingArguments,
        description=inspect.getdoc(task),
        usage="%(prog)s [SETTINGS.yaml] --dataset DATASET [options]",
    )
    from_file: dict[str, Any] = {}
    if argv and Path(argv[0]).suffix in (".json", ".yaml", ".yml"):
        from_file = _read_file(Path(argv.pop(0)), {action.dest: action.type for action in parser._actions})
    given = _names_on_command_line(parser, argv) | set(from_file)
    recipe = recipe_defaults(_recipe_name(argv) or from_file.get("recipe", "default"), task.stage)
    recipe = {name: value for name, value in recipe.items() if _REPLACED.get(name) not in given}
    parser.set_defaults(**{**TRAINING_DEFAULTS, **task.defaults, **recipe, **from_file})
    options, model, data, tuning, training = parser.parse(argv)
    if "greater_is_better" not in given and training.metric_for_best_model is not None:
        training.greater_is_better = _ERRORS.isdisjoint(training.metric_for_best_model.split("_"))
    if len(parse_fractions(data.split_fractions)) == 1 and "eval_strategy" not in given:
        training.eval_strategy, training.load_best_model_at_end = IntervalStrategy.NO, False
    return RunArguments(model, data, tuning, training, options)


def parse_fractions(text: str) -> dict[str, float]:
    """Shares of the splits from one to three numbers such as `"0.7,0.15,0.15"`."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not 1 <= len(values) <= len(SPLITS):
        raise ValueError(f"--split_fractions is {text!r}; give one to three shares such as 0.7,0.15,0.15")
    return dict(zip(SPLITS, values, strict=False))


def _read_file(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments from a file, all of which are `known`, with their types."""
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold names of arguments with their values")
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        raise ValueError(f"{path} has keys that are no arguments: {', '.join(unknown)}")
    for name, value in values.items():
        if known[name] in (int, float) and isinstance(value, (list, dict)):
            raise ValueError(f"{path} has {value!r} as {name}; it must be a number")
    return values


def _names_on_command_line(parser: HfArgumentParser, argv: Sequence[str]) -> set[str]:
    options = {argument.partition("=")[0] for argument in argv}
    return {action.dest for action in parser._actions if options.intersection(action.option_strings)}


def _recipe_name(argv: Sequence[str]) -> str | None:
    """Return the value of `--recipe`, needed before the rest is parsed because it sets defaults."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--recipe")
    return parser.parse_known_args(argv)[0].recipe
