"""What the training scripts share: build the trainer, train or resume, evaluate every split, write the checkpoint."""

from __future__ import annotations

import csv
import logging as std_logging
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, TrainingArguments, set_seed
from transformers.integrations import is_tensorboard_available, is_trackio_available
from transformers.utils import logging

from ..data import AugmentedWindows, WindowCollator, epoch_callback
from ..data.batches.collators import EVALUATION_EPOCH
from ..feature_extraction_brant import BrantFeatureExtractor
from .arguments import DataArguments
from .model_card import write_model_card
from .run_settings import check_same_run, describe_run, write_run
from .trainer import RecipeTrainer, last_whole_checkpoint
from .tuning import apply_tuning, merged
from .windows import Windows

if TYPE_CHECKING:
    from peft import PeftModel

logger = logging.get_logger(__name__)

MakeMetrics = Callable[[list[str] | None], Any]


def installed_reporters() -> list[str]:
    """Which of TensorBoard and trackio are installed, neither of which needs an account."""
    available = {"tensorboard": is_tensorboard_available, "trackio": is_trackio_available}
    return [name for name, is_available in available.items() if is_available()]


# What all scripts do unless told otherwise: look at the validation split after each epoch and keep the best model.
TRAINING_DEFAULTS: dict[str, Any] = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 2,
    "load_best_model_at_end": True,
    "logging_steps": 10,
    # The collators read the columns they need; metrics are summed up batch by batch, so that no evaluation set has to
    # fit into memory.
    "remove_unused_columns": False,
    "batch_eval_metrics": True,
    # Each process reads its own batches of a stream: windows of batches that one process reads for all would need the
    # same number of channels.
    "accelerator_config": {"dispatch_batches": False},
    "dataloader_pin_memory": torch.accelerator.is_available(),
    "report_to": installed_reporters(),
    "seed": 0,
}


def start(training: TrainingArguments) -> None:
    """Set the seed and the verbosity of a run."""
    set_seed(training.seed)
    if training.log_level != "passive":
        level = training.get_process_log_level()
    else:
        level = logging.INFO if training.should_log else logging.ERROR
    logging.set_verbosity(level)
    # The loggers of transformers have a handler of their own.
    std_logging.basicConfig(format="[%(name)s] %(message)s")
    std_logging.getLogger(__name__.partition(".")[0]).setLevel(level)


def run(main: Callable[[], None]) -> None:
    """Call the main function of a script; bad input becomes one line on standard error and exit status 2.

    With `--log_level debug`, the place of the error is shown too.
    """
    try:
        main()
    except (ValueError, OSError, ImportError) as error:
        logger.debug("Stopped here:", exc_info=True)
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)


def train_and_evaluate(
    model: PreTrainedModel,
    extractor: BrantFeatureExtractor,
    collator: WindowCollator,
    windows: Windows,
    arguments: Sequence[Any],
    *,
    task: str,
    make_metrics: MakeMetrics | None = None,
    compute_loss: Callable[..., Any] | None = None,
) -> dict[str, dict[str, float]]:
    """Train a model, evaluate it on the validation and test split, and write it with its model card.

    A run that was killed goes on from its last whole checkpoint when it is started again with the same arguments. With
    `--evaluate_only` nothing but the metrics is written.

    Parameters
    ----------
    model : PreTrainedModel
        With the head of the task.
    extractor : BrantFeatureExtractor
        Whose settings are written next to the weights.
    collator : WindowCollator
        Makes batches for the task.
    windows : Windows
        Of the run.
    arguments : Sequence[Any]
        Of the run, as `parse_arguments` returns them.
    task : str
        Name for the model card, such as `"seizure detection"`.
    make_metrics : MakeMetrics or None
        From the patients of a split (`None` for a stream) to a metrics object of `brant_hf.training.metrics`.
    compute_loss : Callable[..., Any] or None
        `compute_loss_func` of `Trainer`.

    Returns
    -------
    dict[str, dict[str, float]]
        Metrics of each split: `"validation"`, `"test"`.

    Raises
    ------
    ValueError
        The plan of evaluations does not fit the windows, or the folder holds checkpoints of another run.
    """
    _, data_arguments, tuning, training = arguments[:4]
    if not tuning.evaluate_only:
        _check_plan(windows, data_arguments, training)
    model = apply_tuning(model, tuning.tuning, lora_rank=tuning.lora_rank, lora_alpha=tuning.lora_alpha)
    metrics = make_metrics(windows.subjects.get("validation")) if make_metrics else None
    augmented = [windows.train] if isinstance(windows.train, AugmentedWindows) else []
    callbacks = [epoch_callback(collator, *augmented)]
    if tuning.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(tuning.early_stopping_patience))
    trainer = RecipeTrainer(
        model=model,
        args=training,
        data_collator=collator,
        eval_collator=_evaluation_collator(collator),
        train_dataset=windows.train,
        eval_dataset=windows.validation,
        processing_class=extractor,
        compute_metrics=metrics,
        preprocess_logits_for_metrics=metrics.reduce if metrics is not None else None,
        compute_loss_func=compute_loss,
        callbacks=callbacks,
        head_learning_rate=tuning.head_learning_rate,
        schedule=tuning.schedule,
    )
    if not tuning.evaluate_only:
        _train(trainer, describe_run(arguments))
    results = _evaluate(trainer, windows, make_metrics)
    if not tuning.evaluate_only:
        _write(trainer, extractor, windows, arguments, task, results)
    return results


def _check_plan(windows: Windows, data: DataArguments, training: TrainingArguments) -> None:
    if windows.validation is None and training.eval_strategy != "no":
        raise ValueError(
            "the dataset has no validation split; add one, or pass --eval_strategy no --load_best_model_at_end false"
        )
    if data.streaming and training.save_strategy == "epoch":
        logger.warning("A stream is a single epoch: without --save_strategy steps, nothing is saved before its end.")


def _evaluation_collator(collator: WindowCollator) -> WindowCollator:
    """Return a collator for evaluations, all of which hide the same samples, also those in the middle of an epoch."""
    other = replace(collator)
    other.set_epoch(EVALUATION_EPOCH)
    return other


def _train(trainer: RecipeTrainer, settings: dict[str, dict[str, Any]]) -> None:
    training = trainer.args
    checkpoint = training.resume_from_checkpoint
    if checkpoint is None:
        checkpoint = last_whole_checkpoint(training.output_dir)
        if checkpoint is not None:
            check_same_run(training.output_dir, settings)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        write_run(training.output_dir, settings)
    if checkpoint is not None:
        logger.info("Resuming from %s", checkpoint)
    result = trainer.train(resume_from_checkpoint=checkpoint)
    trainer.log_metrics("train", result.metrics)
    trainer.save_metrics("train", result.metrics)
    trainer.save_state()


def _evaluate(
    trainer: RecipeTrainer, windows: Windows, make_metrics: MakeMetrics | None
) -> dict[str, dict[str, float]]:
    results = {}
    for name, rows in (("validation", windows.validation), ("test", windows.test)):
        if rows is None:
            continue
        metrics = make_metrics(windows.subjects.get(name)) if make_metrics else None
        trainer.compute_metrics = metrics
        trainer.preprocess_logits_for_metrics = metrics.reduce if metrics is not None else None
        values = trainer.evaluate(rows, metric_key_prefix=name)
        trainer.log_metrics(name, values)
        trainer.save_metrics(name, values, combined=False)
        per_patient = getattr(metrics, "per_patient", None)
        if per_patient and trainer.is_world_process_zero():
            write_table(Path(trainer.args.output_dir) / f"{name}_patients.csv", per_patient)
        results[name] = {key.removeprefix(f"{name}_"): value for key, value in values.items()}
    return results


def _write(
    trainer: RecipeTrainer,
    extractor: BrantFeatureExtractor,
    windows: Windows,
    arguments: Sequence[Any],
    task: str,
    results: Mapping[str, Mapping[str, float]],
) -> None:
    """Write weights, feature extractor and model card; all processes take part where the weights are sharded."""
    folder = Path(trainer.args.output_dir)
    weights = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        model = trainer.accelerator.unwrap_model(trainer.model)
        model = _write_weights(model, folder, weights)
        extractor.save_pretrained(folder)
        write_model_card(
            folder,
            task=task,
            model=model,
            windows=windows,
            results=results,
            arguments=arguments,
            steps=trainer.state.global_step,
        )
    trainer.accelerator.wait_for_everyone()


def _write_weights(
    model: PreTrainedModel | PeftModel, folder: Path, gathered: dict[str, torch.Tensor] | None
) -> PreTrainedModel:
    """Write a model, and its adapter if it has one.

    Parameters
    ----------
    model : PreTrainedModel or PeftModel
        Without what `accelerate` put around it.
    folder : Path
        To write to.
    gathered : dict[str, torch.Tensor] or None
        All weights, where those of the model are sharded.

    Returns
    -------
    PreTrainedModel
        The plain model.
    """
    is_adapted = hasattr(model, "merge_and_unload")
    if is_adapted:
        model.save_pretrained(folder / "adapter", state_dict=gathered)
    if gathered is None:
        model = merged(model)
        model.save_pretrained(folder)
    elif is_adapted:
        logger.warning(
            "Sharded weights are not merged: load the checkpoint with the adapter in %s", folder / "adapter"
        )
        model = model.get_base_model()
    else:
        model.save_pretrained(folder, state_dict=gathered)
    return model


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write dictionaries with the same keys as CSV; the file appears when it is whole."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{key: _rounded(value) for key, value in row.items()} for row in rows])
    os.replace(temporary, path)


def _rounded(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else value
