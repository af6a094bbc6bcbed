"""A training run from its command line to its checkpoint, the same for every task."""

from __future__ import annotations

import logging as std_logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainingArguments, set_seed
from transformers.utils import logging

from ..bad_input import BAD_INPUT, reason_of
from ..configuration_brant import BrantConfig
from ..data import AugmentedWindows
from .arguments import RunArguments, parse_arguments
from .checks import check_evaluations
from .compilation import set_up_compilation
from .data import RunWindows, load_windows
from .metrics import WindowMetrics
from .model_card import SEEN_IN_TRAINING, START
from .models import make_config, make_feature_extractor, make_model
from .outputs import check_same_run, write_checkpoint, write_settings, write_table
from .tasks import Task
from .trainer import RecipeTrainer, last_whole_checkpoint
from .tuning import apply_tuning

logger = logging.get_logger(__name__)

# From the subjects of the windows of a split, `None` for a stream.
MakeMetrics = Callable[[Sequence[str] | None], WindowMetrics | None]
LoadWindows = Callable[[RunArguments, BrantConfig], RunWindows]


def run_script(main: Callable[..., Any], *arguments: Any) -> None:
    """Call the main function of a script; bad input becomes one line on standard error and exit status 2.

    With `--log_level debug`, the place of the error is shown too.
    """
    try:
        main(*arguments)
    except BAD_INPUT as error:
        logger.debug("Stopped here:", exc_info=True)
        print(f"{Path(sys.argv[0]).name}: {reason_of(error)}", file=sys.stderr)
        sys.exit(2)


def run_task(
    task: type[Task], argv: Sequence[str] | None = None, *, windows: LoadWindows | None = None
) -> dict[str, dict[str, float]]:
    """Train a model for a task, evaluate it on the validation and test split, and write it with its model card.

    A run that was killed goes on from its last whole checkpoint when it is started again with the same arguments. With
    `--evaluate_only` nothing but the metrics is written. `examples/run_imputation.py` has these steps written out.

    Parameters
    ----------
    task : type[Task]
        What to train for.
    argv : Sequence[str] or None
        The command line, see `parse_arguments`; that of the process when `None`.
    windows : Callable[[RunArguments, BrantConfig], RunWindows] or None
        Loads the windows, from the arguments and the configuration of the model; `load_windows` of what `--dataset`
        names if `None`. For splits that no dataset notes, such as the folds of a benchmark.

    Returns
    -------
    dict[str, dict[str, float]]
        Metrics of each split: `"validation"`, `"test"`, and `"test_before"`, those of the checkpoint that training
        began from, where it has the head of the task.

    Raises
    ------
    ValueError
        Arguments, windows and checkpoint do not go together, or the folder holds checkpoints of another run.
    OSError
        A dataset or a checkpoint does not exist.
    """
    run = parse_arguments(task, argv)
    set_up(run)
    trainer, loaded, make_metrics = _prepare(run, windows or _windows_of_dataset)
    start_log(run.training)
    for doubt in run.task.doubts(loaded):
        logger.warning(doubt)
    before = {}
    if not run.tuning.evaluate_only:
        before = evaluate_start(trainer, loaded, make_metrics)
        train_or_resume(trainer, run)
    results = evaluate_splits(trainer, loaded, make_metrics) | before
    if not run.tuning.evaluate_only:
        write_checkpoint(trainer, run, loaded, results)
    return results


def _windows_of_dataset(run: RunArguments, config: BrantConfig) -> RunWindows:
    return load_windows(run.data, config, run.output_dir, horizon_patches=run.task.horizon(), seed=run.training.seed)


def _prepare(run: RunArguments, load: LoadWindows) -> tuple[RecipeTrainer, RunWindows, MakeMetrics]:
    """Make trainer, windows and metrics of a run; whatever can be wrong with its arguments is found here."""
    config = make_config(run.model, run.data.dataset, tuning=run.tuning.tuning, task=run.task)
    extractor = make_feature_extractor(run.model, config)
    collator = run.task.collator(
        config,
        normalize=extractor.normalize_signal,
        max_channels=run.data.max_channels,
        seed=run.training.seed,
    )
    windows = load(run, config)
    check_evaluations(windows, run)
    run.task.check(windows, config, run)
    loss = run.task.loss(windows)
    model = make_model(run.task.model_class, run.model, config, complete=run.tuning.evaluate_only)
    trainer = make_trainer(
        run,
        model=model,
        processing_class=extractor,
        data_collator=collator,
        train_dataset=_augmented(windows, run, config.sampling_rate),
        eval_dataset=windows.validation,
        compute_loss_func=loss,
    )
    make_metrics = partial(run.task.metrics, config)
    trainer.use_metrics(make_metrics(windows.subjects.get("validation")))
    return trainer, windows, make_metrics


def _augmented(windows: RunWindows, run: RunArguments, sampling_rate: float) -> Any:
    augmentation = run.task.augmentation()
    if augmentation is None:
        return windows.train
    if run.data.streaming:
        raise ValueError("--augment needs --streaming false")
    return AugmentedWindows(windows.train, augmentation, sampling_rate, run.training.seed)


def make_trainer(run: RunArguments, *, model: Any, **options: Any) -> RecipeTrainer:
    """Return the trainer of a run, with what `run.tuning` says.

    Parameters
    ----------
    run : RunArguments
        Its arguments.
    model : PreTrainedModel
        With the head of the task.
    **options : Any
        As for `Trainer`.
    """
    tuning = run.tuning
    callbacks = []
    if tuning.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(tuning.early_stopping_patience))
    return RecipeTrainer(
        model=apply_tuning(model, tuning.tuning, lora_rank=tuning.lora_rank, lora_alpha=tuning.lora_alpha),
        args=run.training,
        head_learning_rate=tuning.head_learning_rate,
        schedule=tuning.schedule,
        callbacks=callbacks,
        **options,
    )


def set_up(run: RunArguments) -> None:
    """Set the seed of a run, and let nothing but warnings be logged until `start_log`, unless asked otherwise.

    Raises
    ------
    ValueError
        The folder holds checkpoints of a run with other settings.
    """
    set_seed(run.training.seed)
    set_up_compilation()
    _set_verbosity(run.training, std_logging.WARNING)
    if not run.tuning.evaluate_only:
        check_same_run(run)


def start_log(training: TrainingArguments) -> None:
    """Log the course of a run from here on; before, a wrong argument would be told below all that was logged."""
    _set_verbosity(training, std_logging.INFO)
    # The loggers of transformers have a handler of their own.
    std_logging.basicConfig(format="[%(name)s] %(message)s")


def _set_verbosity(training: TrainingArguments, usual: int) -> None:
    if training.log_level != "passive":
        level = training.get_process_log_level()
    else:
        level = usual if training.should_log else std_logging.ERROR
    logging.set_verbosity(level)
    std_logging.getLogger(__name__.partition(".")[0]).setLevel(level)


def train_or_resume(trainer: RecipeTrainer, run: RunArguments) -> None:
    """Train, from the last whole checkpoint of the folder where there is one."""
    checkpoint = run.training.resume_from_checkpoint or last_whole_checkpoint(run.output_dir)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        write_settings(run)
    if checkpoint is not None:
        logger.info("Resuming from %s", checkpoint)
    result = trainer.train(resume_from_checkpoint=checkpoint)
    # A run that was killed behind its last step has nothing left to train, and has noted how the training went.
    if trainer.state.global_step > trainer.steps_before:
        trainer.log_metrics("train", result.metrics)
        trainer.save_metrics("train", result.metrics)
    trainer.save_state()


def evaluate_start(
    trainer: RecipeTrainer, windows: RunWindows, make_metrics: MakeMetrics
) -> dict[str, dict[str, float]]:
    """Evaluate the checkpoint that training is to begin from on the test split, to compare with.

    Parameters
    ----------
    trainer : RecipeTrainer
        Before the training.
    windows : RunWindows
        Its splits.
    make_metrics : MakeMetrics
        As for `evaluate_splits`.

    Returns
    -------
    dict[str, dict[str, float]]
        Metrics as `"test_before"`; empty without a test split, or where the checkpoint has no head for the task.
    """
    is_sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled  # whose optimiser must be the first to see it
    if windows.test is None or is_sharded or not getattr(trainer.model, "is_whole_checkpoint", False):
        return {}
    with torch.random.fork_rng():
        return {START: _evaluate(trainer, START, windows.test, make_metrics(windows.subjects.get("test")))}


def evaluate_splits(
    trainer: RecipeTrainer,
    windows: RunWindows,
    make_metrics: MakeMetrics,
) -> dict[str, dict[str, float]]:
    """Evaluate on the validation and test split, and write the metrics.

    Parameters
    ----------
    trainer : RecipeTrainer
        With the model.
    windows : RunWindows
        Of the run.
    make_metrics : Callable
        From the subjects of a split (`None` for a stream) to a metrics object of `brant_hf.training.metrics`.

    Returns
    -------
    dict[str, dict[str, float]]
        Metrics of each split: `"validation"`, `"test"`. `subjects_in_training` counts subjects that are in the
        training split, too; it is absent where there is none.
    """
    results = {}
    for name, rows in (("validation", windows.validation), ("test", windows.test)):
        if rows is None:
            continue
        metrics, seen = make_metrics(windows.subjects.get(name)), windows.seen_in_training(name)
        known = {} if not seen else {SEEN_IN_TRAINING: float(len(seen))}
        results[name] = _evaluate(trainer, name, rows, metrics, known)
        if metrics is not None and metrics.per_subject and trainer.is_world_process_zero():
            told = [
                row if seen is None else {**row, "in_training": "yes" if row["subject"] in seen else "no"}
                for row in metrics.per_subject
            ]
            write_table(Path(str(trainer.args.output_dir)) / f"{name}_subjects.csv", told)
    return results


def _evaluate(
    trainer: RecipeTrainer,
    name: str,
    rows: Any,
    metrics: WindowMetrics | None,
    known: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Measure a split, and write what comes out beside what is `known` of it."""
    # What goes on, or begins, afterwards: this one would look for its metric here.
    stopping = trainer.pop_callback(EarlyStoppingCallback)
    own: Any = trainer.compute_metrics
    trainer.use_metrics(metrics)
    values = trainer.evaluate(rows, metric_key_prefix=name)
    values |= {f"{name}_{key}": value for key, value in (known or {}).items()}
    trainer.use_metrics(own)
    if stopping is not None:
        trainer.add_callback(stopping)
    trainer.log_metrics(name, values)
    trainer.save_metrics(name, values, combined=False)
    return {key.removeprefix(f"{name}_"): value for key, value in values.items()}
