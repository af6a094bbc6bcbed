"""The model card of a trained checkpoint, with metadata that the Hub reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

if TYPE_CHECKING:
    from .windows import Windows

# Values of an evaluation that describe the machine, not the model.
_TIMINGS = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time", "epoch")
_RECIPE_FIELDS = (
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "optim",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "max_grad_norm",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "world_size",
    "num_train_epochs",
    "max_steps",
    "bf16",
    "fp16",
    "gradient_checkpointing",
    "seed",
)


def write_model_card(
    folder: Path,
    *,
    task: str,
    model: PreTrainedModel,
    windows: Windows,
    results: Mapping[str, Mapping[str, float]],
    arguments: tuple[Any, ...],
    steps: int,
) -> Path:
    """Write `README.md` of a checkpoint: data, recipe, metrics of each split.

    Args:
        folder: of the checkpoint.
        task: such as `"seizure detection"`.
        model: for its size and class.
        windows: of the run.
        results: metrics of each split.
        arguments: model, data, tuning and training arguments of the run.
        steps: optimiser steps taken.

    Returns:
        The file.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    model_arguments, data, tuning, training = arguments
    name = folder.resolve().name
    dataset_name = _names(data.dataset)
    metrics = [
        EvalResult(
            task_type="time-series-forecasting" if "forecast" in task else "other",
            task_name=task,
            dataset_type=dataset_name,
            dataset_name=dataset_name,
            dataset_split=split,
            metric_type=key,
            metric_value=float(value),
        )
        for split, values in results.items()
        for key, value in values.items()
        if key not in _TIMINGS and not key.endswith(("_low", "_high"))
    ]
    card_data = ModelCardData(
        library_name="transformers",
        tags=["brant", "eeg", "intracranial-eeg", "time-series", task.replace(" ", "-")],
        base_model=_base_model(model_arguments.model),
        model_name=name,
        eval_results=metrics or None,
    )
    sections = [
        f"---\n{card_data.to_yaml()}\n---",
        f"# {name}",
        f"`{type(model).__name__}` ({model.num_parameters():,} parameters) for {task}, trained with brant_hf. "
        "A research model, not a medical device.",
        "## Data",
        _data_text(data, windows),
        "## Recipe",
        _recipe_text(model_arguments, tuning, training, steps),
        "## Results",
        _results_table(results),
    ]
    card = ModelCard("\n\n".join(sections) + "\n", ignore_metadata_errors=False)
    path = folder / "README.md"
    temporary = folder / "README.md.tmp"
    card.save(temporary)
    os.replace(temporary, path)
    return path


def _base_model(model: str | None) -> str | None:
    """The Hub id of the checkpoint that was fine-tuned; a folder is none."""
    return None if model is None or Path(model).exists() else model


def _names(datasets: Sequence[str]) -> str:
    """Names of the datasets, without the folders they lie in on this machine."""
    return ", ".join(name if not Path(name).exists() else Path(name).resolve().name for name in datasets)


def _data_text(data: Any, windows: Windows) -> str:
    lines = [f"Windows of {_names(data.dataset)}, split by {data.split_by} (seed {data.split_seed})."]
    summary = windows.summary()
    if summary:
        lines.append("| split | windows | patients |\n|---|---|---|")
        lines[-1] += "".join(
            f"\n| {name} | {counts['windows']} | {counts['patients']} |" for name, counts in summary.items()
        )
    return "\n\n".join(lines)


def _recipe_text(model_arguments: Any, tuning: Any, training: Any, steps: int) -> str:
    start = f"checkpoint `{Path(model_arguments.model).name}`" if model_arguments.model else "random weights"
    rows = {
        "start": start,
        "recipe": tuning.recipe,
        "tuning": tuning.tuning,
        "optimiser steps": steps,
        "head_learning_rate": tuning.head_learning_rate,
        "schedule": tuning.schedule,
    }
    rows |= {field: _plain(getattr(training, field)) for field in _RECIPE_FIELDS}
    rows["lr_scheduler_type"] = _plain(training.lr_scheduler_type) if tuning.schedule is None else None
    table = "".join(f"\n| {name} | {value} |" for name, value in rows.items() if value is not None)
    return f"| setting | value |\n|---|---|{table}"


def _plain(value: Any) -> Any:
    """The text of an enumeration."""
    return getattr(value, "value", value)


def _results_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Metrics, one row each, with the interval over patients where there is one."""
    names = list(
        dict.fromkeys(
            key
            for values in results.values()
            for key in values
            if key not in _TIMINGS and not key.endswith(("_low", "_high"))
        )
    )
    lines = [f"| metric | {' | '.join(results)} |", "|---|" + "---|" * len(results)]
    lines += [f"| {name} | {' | '.join(_cell(values, name) for values in results.values())} |" for name in names]
    return "\n".join(lines) + "\n\nIntervals: 95 %, bootstrap over patients."


def _cell(values: Mapping[str, float], name: str) -> str:
    if name not in values:
        return ""
    text = f"{values[name]:.4g}"
    low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
    return text if low is None or high is None else f"{text} ({low:.4g} to {high:.4g})"
