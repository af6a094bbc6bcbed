"""The settings of a run, in `run.json` of its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "run.json"

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


def describe_run(arguments: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return the arguments of a run, as JSON-serialisable values: `model`, `data`, `tuning`, `training` and `task`.

    Parameters
    ----------
    arguments : Sequence[Any]
        As `parse_arguments` returns them.
    """
    model, data, tuning, training, *task = arguments
    described = {
        "model": vars(model),
        "data": vars(data),
        "tuning": vars(tuning),
        "training": training.to_sanitized_dict(),
        "task": {name: value for part in task for name, value in vars(part).items()},
    }
    return json.loads(json.dumps(described, default=str))


def write_run(folder: str | Path, settings: dict[str, dict[str, Any]]) -> None:
    """Write the settings of a run into its folder."""
    path = Path(folder) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def check_same_run(folder: str | Path, settings: dict[str, dict[str, Any]]) -> None:
    """Refuse to go on with the checkpoints of a run that was started with other settings.

    Raises
    ------
    ValueError
        A setting differs; says which.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return
    before, now = _compared(json.loads(path.read_text(encoding="utf-8"))), _compared(settings)
    different = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if different:
        name = different[0]
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise ValueError(
            f"{folder} holds checkpoints of another run: --{name} was {before.get(name)!r} and is {now.get(name)!r}"
            f"{more}; choose another --output_dir, or remove this one to start anew"
        )


def _compared(settings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fields = {
        name: value
        for part in ("model", "data", "tuning", "task")
        for name, value in settings.get(part, {}).items()
        if name not in _MAY_DIFFER
    }
    return fields | {name: settings["training"].get(name) for name in _COMPARED_TRAINING_FIELDS}
