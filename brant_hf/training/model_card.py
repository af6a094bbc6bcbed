"""The model card of a trained checkpoint, with metadata that the Hub reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

from ..files import write_text
from ..listing import markdown_table
from .arguments import DataArguments, RunArguments

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from .data import RunWindows

CARD = "README.md"
_BASELINES = "## Baselines"
# The checkpoint that training began from, on the test split.
START = "test_before"
SEEN_IN_TRAINING = "subjects_in_training"

# Values of an evaluation that describe the machine, not the model.
_NO_METRICS = (
    SEEN_IN_TRAINING,
    "runtime",
    "samples_per_second",
    "steps_per_second",
    "model_preparation_time",
    "epoch",
)
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
    run: RunArguments,
    model: PreTrainedModel,
    windows: RunWindows,
    results: Mapping[str, Mapping[str, float]],
    steps: int,
) -> Path:
    """Write `README.md` of a checkpoint: data, recipe, metrics of each split.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    run : RunArguments
        Task, data and recipe.
    model : PreTrainedModel
        For its size and class.
    windows : RunWindows
        Of the run.
    results : Mapping[str, Mapping[str, float]]
        Metrics of each split.
    steps : int
        Optimiser steps taken.

    Returns
    -------
    Path
        The file.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    task, data = run.task.title, run.data
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
        if split != START
        for key, value in values.items()
        if _is_metric(key)
    ]
    card_data = ModelCardData(
        library_name="transformers",
        tags=["brant", "eeg", "intracranial-eeg", "time-series", task.replace(" ", "-")],
        base_model=_hub_id(run.model.model),
        datasets=[dataset for dataset in data.dataset if _hub_id(dataset)] or None,
        model_name=name,
        eval_results=metrics or None,
    )
    sections = [
        f"---\n{card_data.to_yaml()}\n---",
        f"# {name}",
        f"`{type(model).__name__.removeprefix('FSDP')}` ({model.num_parameters():,} parameters) for {task}, trained "
        "with brant_hf. A research model, not a medical device.",
        "## Data",
        _data_text(data, windows),
        *run.task.doubts(windows),
        "## Recipe",
        _recipe_text(run, steps),
        "## Results",
        _results_table(results),
    ]
    card = ModelCard("\n\n".join(sections) + "\n", ignore_metadata_errors=False)
    path = folder / CARD
    write_text(path, str(card))
    return path


def add_baselines(folder: Path, comparison: str) -> Path:
    """Put a comparison with baselines at the end of a model card, in place of an earlier one.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    comparison : str
        Markdown, a title of the first level and perhaps sections of the second.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        The checkpoint has no model card.
    """
    card = _load_card(folder)
    _, _, text = comparison.strip().partition("\n")
    text = re.sub(r"^##", "###", text.strip(), flags=re.MULTILINE)
    kept = card.content.partition(f"\n{_BASELINES}\n")[0].rstrip()
    card.content = f"{kept}\n\n{_BASELINES}\n\n{text}\n"
    write_text(folder / CARD, str(card))
    return folder / CARD


def add_results(folder: Path, results: Sequence[EvalResult]) -> Path:
    """Add results of a benchmark to the `model-index` of a model card, in place of earlier ones of the same.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    results : Sequence[huggingface_hub.EvalResult]
        A metric each; the same are those of the same task, dataset, its configuration and split, metric and its
        configuration.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        The checkpoint has no model card.
    """
    card = _load_card(folder)
    new = {_measured(result) for result in results}
    kept = [result for result in card.data.eval_results or [] if _measured(result) not in new]
    card.data.eval_results = [*kept, *results]
    card.data.model_name = card.data.model_name or folder.resolve().name
    write_text(folder / CARD, str(card))
    return folder / CARD


def _load_card(folder: Path) -> Any:
    from huggingface_hub import ModelCard

    if not (folder / CARD).is_file():
        raise FileNotFoundError(f"{folder} has no model card ({CARD}) to add to")
    return ModelCard.load(folder / CARD)


def _measured(result: EvalResult) -> tuple[str | None, ...]:
    dataset = (result.dataset_name, result.dataset_config, result.dataset_split)
    return result.task_type, *dataset, result.metric_type, result.metric_config


def _is_metric(name: str) -> bool:
    return name not in _NO_METRICS and not name.endswith(("_low", "_high"))


def _hub_id(source: str | None) -> str | None:
    """Return the id of a checkpoint or dataset on the Hub; a folder has none."""
    return None if source is None or Path(source).exists() else source


def _names(sources: Sequence[str]) -> str:
    """Names of datasets or checkpoints, without the folders they lie in on this machine."""
    return ", ".join(_hub_id(source) or Path(source).resolve().name for source in sources)


def _data_text(data: DataArguments, windows: RunWindows) -> str:
    lines = [f"Windows of {_names(data.dataset)}, split by {data.split_by} (seed {data.split_seed})."]
    summary = windows.summary()
    if summary:
        columns = list(summary["train" if "train" in summary else next(iter(summary))])
        lines.append(
            markdown_table(["split", *columns], ([name, *counts.values()] for name, counts in summary.items()))
        )
    return "\n\n".join(lines)


def _recipe_text(run: RunArguments, steps: int) -> str:
    tuning, training = run.tuning, run.training
    rows: dict[str, Any] = {
        "start": f"checkpoint `{_names([run.model.model])}`" if run.model.model else "random weights",
        "recipe": tuning.recipe,
        "tuning": tuning.tuning,
        "optimiser steps": steps,
        "head_learning_rate": tuning.head_learning_rate,
        "schedule": tuning.schedule,
    }
    rows |= vars(run.task)
    rows |= {field: _plain(getattr(training, field)) for field in _RECIPE_FIELDS}
    rows["lr_scheduler_type"] = _plain(training.lr_scheduler_type) if tuning.schedule is None else None
    return markdown_table(["setting", "value"], (row for row in rows.items() if row[1] is not None))


def _plain(value: Any) -> Any:
    """Return the text of an enumeration."""
    return getattr(value, "value", value)


def _results_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Metrics, one row each, with the interval over subjects where there is one."""
    names = dict.fromkeys(key for values in results.values() for key in values if _is_metric(key))
    titles = ["test, before training" if name == START else name for name in results]
    table = markdown_table(
        ["metric", *titles], ([name, *(_cell(values, name) for values in results.values())] for name in names)
    )
    if any(key.endswith("_low") for values in results.values() for key in values):
        table += "\n\nIntervals: 95 %, bootstrap over subjects."
    return table


def _cell(values: Mapping[str, float], name: str) -> str:
    if name not in values:
        return ""
    text = f"{values[name]:.4g}"
    low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
    return text if low is None or high is None else f"{text} ({low:.4g} to {high:.4g})"
