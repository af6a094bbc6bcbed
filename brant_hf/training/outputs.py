"""What a run writes into its folder: its settings, tables of subjects, weights with their model card."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from ..feature_extraction_brant import BrantFeatureExtractor
from ..files import replacing, write_text
from ..user_warnings import warn
from .arguments import RunArguments
from .data import RunWindows
from .model_card import write_model_card
from .trainer import RecipeTrainer, last_whole_checkpoint
from .tuning import merged

logger = logging.get_logger(__name__)

SETTINGS_FILE = "run.json"

# What may differ when a run goes on. Of the training arguments only those below are compared: a longer training, other
# evaluations or another number of processes are no other run.
_MAY_DIFFER = {"prepare_processes", "evaluate_only"}
_COMPARED_TRAINING_FIELDS = (
    "learning_rate",
    "lr_scheduler_type",
    "optim",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "seed",
)
# What the order of the windows of a stream depends on.
_ORDERING_FIELDS = (
    "world_size",
    "dataloader_num_workers",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
)


def run_settings(run: RunArguments) -> dict[str, dict[str, Any]]:
    """Return the arguments of a run as JSON-serialisable values."""
    described = {
        "model": vars(run.model),
        "data": vars(run.data),
        "tuning": vars(run.tuning),
        "training": {**run.training.to_sanitized_dict(), "world_size": run.training.world_size},
        "task": vars(run.task),
    }
    return json.loads(json.dumps(described, default=str))


def write_settings(run: RunArguments) -> None:
    """Write the settings of a run into its folder."""
    folder = run.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / SETTINGS_FILE, json.dumps(run_settings(run), indent=2) + "\n")


def check_same_run(run: RunArguments) -> None:
    """Refuse to go on with the checkpoints of a run that was started with other settings.

    A stream that goes on in another order is told in a warning.

    Raises
    ------
    ValueError
        A setting differs; says which.
    """
    folder = run.output_dir
    path = folder / SETTINGS_FILE
    is_resumed = run.training.resume_from_checkpoint is None and last_whole_checkpoint(folder) is not None
    if not is_resumed or not path.is_file():
        return
    noted, settings = json.loads(path.read_text(encoding="utf-8")), run_settings(run)
    before, now = _compared(noted), _compared(settings)
    different = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if different:
        name = different[0]
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise ValueError(
            f"{folder} holds checkpoints of another run: --{name} was {before.get(name)!r} and is {now.get(name)!r}"
            f"{more}; choose another --output_dir, or remove this one to start anew"
        )
    pairs = {name: (noted["training"].get(name), settings["training"][name]) for name in _ORDERING_FIELDS}
    changed = [f"{name} was {old} and is {new}" for name, (old, new) in pairs.items() if old not in (None, new)]
    if changed and run.data.streaming:
        warn(
            f"{'; '.join(changed)}: the stream goes on in another order, in which windows of this pass may come twice "
            "or not at all; start it with as many as before to go on exactly"
        )


def _compared(settings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fields = {
        name: value
        for part in ("model", "data", "tuning", "task")
        for name, value in settings.get(part, {}).items()
        if name not in _MAY_DIFFER
    }
    return fields | {name: settings["training"].get(name) for name in _COMPARED_TRAINING_FIELDS}


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write dictionaries with the same keys as CSV."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{key: _rounded(value) for key, value in row.items()} for row in rows])


def _rounded(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else value


def write_checkpoint(
    trainer: RecipeTrainer, run: RunArguments, windows: RunWindows, results: Mapping[str, Mapping[str, float]]
) -> None:
    """Write weights, feature extractor and model card; all processes take part where the weights are sharded.

    Parameters
    ----------
    trainer : RecipeTrainer
        After the training; its `processing_class` is the feature extractor.
    run, windows : RunArguments, RunWindows
        For the model card.
    results : Mapping[str, Mapping[str, float]]
        Metrics of each split, as `evaluate_splits` returns them.
    """
    folder = run.output_dir
    weights = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        model = write_weights(trainer.accelerator.unwrap_model(trainer.model), folder, weights)
        cast(BrantFeatureExtractor, trainer.processing_class).save_pretrained(folder)
        steps = trainer.state.global_step
        write_model_card(folder, run=run, model=model, windows=windows, results=results, steps=steps)
    trainer.accelerator.wait_for_everyone()


def write_weights(model: Any, folder: Path, gathered: dict[str, torch.Tensor] | None) -> PreTrainedModel:
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
        model.save_pretrained(str(folder / "adapter"), state_dict=gathered)
    if gathered is None:
        model = merged(model)
        model.save_pretrained(folder)
    elif is_adapted:
        logger.warning(
            "Sharded weights are not merged: load the checkpoint with the adapter in %s", folder / "adapter"
        )
        model = model.get_base_model()
    else:
        model.save_pretrained(str(folder), state_dict=gathered)
    return model
