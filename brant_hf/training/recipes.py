"""Values of `TrainingArguments` and `TuningArguments`: what every run does unless told otherwise, and the recipes."""

from __future__ import annotations

import sys
from typing import Any

import torch
from transformers.integrations import is_tensorboard_available, is_trackio_available


def installed_reporters() -> list[str]:
    """Which of TensorBoard and trackio are installed, neither of which needs an account."""
    available = {"tensorboard": is_tensorboard_available, "trackio": is_trackio_available}
    return [name for name, is_available in available.items() if is_available()]


# Look at the validation split after each epoch and keep the best model.
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
    # The next batch is on its way to the device while this one is worked on.
    "accelerator_config": {"dispatch_batches": False, "non_blocking": torch.accelerator.is_available()},
    "dataloader_pin_memory": torch.accelerator.is_available(),
    # Looks at the loss of each step, for which the device has to wait; a loss that is no number is logged as it is.
    "logging_nan_inf_filter": False,
    "report_to": installed_reporters(),
    # A log is not the place for a bar.
    "disable_tqdm": not sys.stderr.isatty(),
    "seed": 0,
}

_ADAM_OF_THE_PAPER = {
    "optim": "adamw_torch_fused",  # without weight decay this is Adam
    "weight_decay": 0.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.99,
    "max_grad_norm": 0.0,  # no clipping
}

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    # Suits models of all sizes, from scratch and from checkpoints.
    "default": {
        "pretraining": {
            "learning_rate": 3e-4,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.05,
            "weight_decay": 0.01,
            "num_train_epochs": 20,
        },
        "finetuning": {
            "learning_rate": 1e-4,
            "head_learning_rate": 3e-4,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.05,
            "weight_decay": 0.01,
            "num_train_epochs": 20,
        },
    },
    # Zhang et al. 2023, section 3 and appendix, and their published code.
    "paper": {
        "pretraining": {
            **_ADAM_OF_THE_PAPER,
            "learning_rate": 1e-5,  # top of the cycle; its bottom is 3e-6
            "schedule": "cyclic",
            "max_steps": 750_000,
            "bf16": True,
        },
        "finetuning": {
            **_ADAM_OF_THE_PAPER,
            "learning_rate": 1e-7,
            "head_learning_rate": 1e-4,
            "schedule": "multistep",
            "num_train_epochs": 20,
            # The best epoch on the validation split counts, not before the third: two epochs are for warming up.
            "eval_delay": 3,
            "bf16": True,
        },
    },
}


def recipe_defaults(recipe: str, stage: str) -> dict[str, Any]:
    """Values of a recipe.

    Parameters
    ----------
    recipe : str
        `"default"` or `"paper"`.
    stage : str
        `"pretraining"` or `"finetuning"`.

    Raises
    ------
    ValueError
        There is no such recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"--recipe is {recipe!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[recipe][stage]
