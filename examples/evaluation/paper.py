"""Every number of the chart of the Brant paper, measured on your data, beside the published ones.

    brant-hf prepare RECORDINGS windows15/                      # also with --num-patches 17, 20 and 35
    python examples/evaluation/paper.py --dataset windows15/ windows17/ windows20/ windows35/ --model brant/ \\
        --output outputs/paper

Forecasting 2 patches (short) and 20 (long), frequency and phase of 5, imputation of 40 % single samples, detection.
Each task takes those of the datasets that leave it the longest context up to what the model reads: windows of 15
patches and the horizon of the task are those of the paper. With windows of 15 patches alone, contexts are shorter and
there is no long forecast. `--dataset` may also be one folder of recordings, which is prepared for each task.

`--model` is fine-tuned for each task; `--checkpoints seizure=DETECTOR/ short=FORECASTER/` are evaluated as they are.
Errors are in the unit of the normalisation, z-scores by window unless `--normalize` or an evaluated checkpoint says
otherwise; the frequency is in cycles per sample, the phase-locking value that of `FrequencyPhaseMetrics`; imputation
counts missing samples. The corpus of the paper is not public: its numbers tell what to expect, not what is better.

With `--split_seeds 0 1 2` the row has means over three splits by subject, where the datasets note none. Options of the
training scripts (`--recipe paper`, `--tuning frozen`, `--max_steps`) are taken too. A task that is complete is not run
again. Writes `row.md`, `row.csv`, `TASK_seed_N.json`, and each checkpoint to `TASK_seed_N/`.
"""

from __future__ import annotations

import contextlib
import csv
import shutil
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from checkpoints import count_parameters, name_and_revision
from folds import Folds
from rows import Column, Row, Score, over_folds, write_rows

from brant_hf import BrantConfig, BrantModel
from brant_hf.data import load
from brant_hf.training import (
    ForecastingTask,
    FrequencyPhaseTask,
    ImputationTask,
    ScriptArgumentParser,
    SeizureDetectionTask,
    Task,
    is_dataset,
    noted_patch_length,
    noted_splits,
    parse_arguments,
    run_script,
    run_task,
)

COLUMNS = (
    Column("short_mae", "short MAE"),
    Column("long_mae", "long MAE"),
    Column("frequency_mae", "frequency MAE"),
    Column("phase_plv", "phase PLV"),
    Column("imputation_mae", "imputation MAE"),
    Column("seizure_f2", "seizure F2", 100, 1),
)
SOURCE = "chart of Zhang et al. 2023, read off (± 0.005, F2 ± 0.5)"
PUBLISHED = {
    "Brant": (0.403, 0.569, 0.004, 0.600, 0.190, 0.566),
    "PatchTST": (0.505, 0.579, 0.027, 0.591, 0.428, 0.235),
    "BrainBERT": (0.617, 0.720, 0.107, 0.571, 0.606, 0.438),
}
PUBLISHED_PARAMETERS = {"Brant": 505_685_944}
# Context of the paper.
CONTEXT = 15
RESERVED = ("--dataset", "--output_dir", "--horizon_patches", "--split_seed", "--mask", "--missing_ratio")


class ChartTask(NamedTuple):
    """A task of the chart: its options, and which of its metrics are which numbers of the chart."""

    task: type[Task]
    horizon: int
    options: tuple[str, ...]
    metrics: Mapping[str, str]


TASKS = {
    "short": ChartTask(ForecastingTask, 2, ("--horizon_patches", "2"), {"short_mae": "mae"}),
    "long": ChartTask(ForecastingTask, 20, ("--horizon_patches", "20"), {"long_mae": "mae"}),
    "frequency_phase": ChartTask(
        FrequencyPhaseTask, 5, ("--horizon_patches", "5"), {"frequency_mae": "frequency_mae", "phase_plv": "plv"}
    ),
    "imputation": ChartTask(
        ImputationTask, 0, ("--mask", "points", "--missing_ratio", "0.4"), {"imputation_mae": "missing_mae"}
    ),
    "seizure": ChartTask(SeizureDetectionTask, 0, (), {"seizure_f2": "f2"}),
}


@dataclass
class Arguments:
    """What to measure, and on what."""

    dataset: list[str] = field(metadata={"help": "Folders made by `brant-hf prepare`, or one folder of recordings."})
    output: str = field(metadata={"help": "Folder for the row and the runs."})
    model: str | None = field(default=None, metadata={"help": "Checkpoint to fine-tune; random weights if absent."})
    revision: str = field(default="main", metadata={"help": "Branch, tag or commit of a checkpoint on the Hub."})
    checkpoints: list[str] = field(
        default_factory=list, metadata={"help": "TASK=CHECKPOINT: evaluated as they are, not trained."}
    )
    tasks: list[str] = field(
        default_factory=lambda: list(TASKS), metadata={"help": "Tasks of the chart.", "choices": list(TASKS)}
    )
    card: str | None = field(
        default=None, metadata={"help": "Folder of a checkpoint whose model card gets the row (model-index)."}
    )
    split_seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "Seeds of the splits by subject."})

    def trained(self) -> dict[str, str]:
        """Checkpoint of each task that is only evaluated."""
        pairs = [text.partition("=") for text in self.checkpoints]
        for task, _, folder in pairs:
            if task not in TASKS or not folder:
                raise ValueError(f"--checkpoints has {task!r}; give TASK=CHECKPOINT with one of {', '.join(TASKS)}")
        return {task: folder for task, _, folder in pairs}


def patches_of_windows(dataset: str, patch_length: int | None) -> int:
    """Patches of a window, of the length that the model has, that is noted, or that the labels tell."""
    row = next(iter(load(dataset)))
    samples = np.shape(row["input_values"])[1]
    patch_length = patch_length or noted_patch_length([dataset])
    if patch_length is not None:
        return samples // patch_length
    if row.get("labels") is None:
        raise ValueError(f"{dataset} does not tell its patches, since it has no labels; give --model")
    return np.shape(row["labels"])[1]


def datasets_of_task(datasets: Sequence[str], patches: Mapping[str, int], horizon: int, context: int) -> list[str]:
    """Datasets with the longest context up to that of the model; none where no window is long enough."""
    contexts = {name: patches[name] - horizon for name in datasets if 1 <= patches[name] - horizon <= context}
    return [name for name in contexts if contexts[name] == max(contexts.values())]


def plan(arguments: Arguments) -> dict[str, list[str]]:
    """Datasets of each task that there are windows for; the others are told."""
    if not all(is_dataset(source) for source in arguments.dataset):
        if len(arguments.dataset) > 1:
            raise ValueError("--dataset is one folder of recordings, or folders made by `brant-hf prepare`")
        return dict.fromkeys(arguments.tasks, arguments.dataset)
    if len(arguments.split_seeds) > 1 and any(noted_splits(source) for source in arguments.dataset):
        raise ValueError("--split_seeds are of no use here: the datasets note their splits")
    planned, trained = {}, arguments.trained()
    for task in arguments.tasks:
        model = trained.get(task, arguments.model)
        config = None if model is None else BrantConfig.from_pretrained(model, revision=arguments.revision)
        known = None if config is None else config.patch_length
        patches = {name: patches_of_windows(name, known) for name in arguments.dataset}
        context = CONTEXT if config is None else config.num_patches
        planned[task] = datasets_of_task(arguments.dataset, patches, TASKS[task].horizon, context)
        if not planned[task]:
            least, most = TASKS[task].horizon + 1, TASKS[task].horizon + context
            print(
                f"{task} is left out: no dataset has windows of {least} to {most} patches (--num-patches {most})",
                file=sys.stderr,
            )
    return {task: chosen for task, chosen in planned.items() if chosen}


def run_of_task(
    folder: Path, *, task: str, datasets: Sequence[str], seed: int, arguments: Arguments, options: Sequence[str]
) -> dict[str, Any]:
    """Fine-tune or evaluate, and return the numbers of the chart on the test split."""
    chart, evaluated = TASKS[task], arguments.trained().get(task)
    model = evaluated or arguments.model
    flags = ["--dataset", *datasets, "--output_dir", str(folder), "--split_seed", str(seed), *chart.options]
    flags += [] if model is None else ["--model", model, "--revision", arguments.revision]
    # A checkpoint that is only evaluated keeps its normalisation.
    flags += ["--evaluate_only", "true"] if evaluated else ["--normalize", "zscore"]
    # Its log; the standard output is for the row.
    with contextlib.redirect_stdout(sys.stderr):
        results = run_task(chart.task, [*flags, *options])
    if "test" not in results:
        raise ValueError(f"{', '.join(datasets)}: there is no test split to measure on (--split_fractions)")
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    config = BrantConfig.from_pretrained(evaluated or folder, revision=arguments.revision)
    with (folder / "test_subjects.csv").open(newline="", encoding="utf-8") as file:
        subjects = [row["subject"] for row in csv.DictReader(file)]
    return {
        "scores": {key: results["test"][name] for key, name in chart.metrics.items() if name in results["test"]},
        "numbers": list(chart.metrics),
        "parameters": count_parameters(BrantModel, config),
        "subjects": subjects,
    }


def own_row(arguments: Arguments, options: Sequence[str], results: Sequence[Mapping[str, Any]]) -> Row:
    """The row of all tasks; `results` of tasks and seeds."""
    run = parse_arguments(ImputationTask, ["--dataset", *arguments.dataset, *options])
    tuning, is_noted = run.tuning.tuning, any(map(noted_splits, filter(is_dataset, arguments.dataset)))
    seeds = f"seed{'s' * (len(arguments.split_seeds) > 1)} {', '.join(map(str, arguments.split_seeds))}"
    trained = arguments.trained()
    modes = ["fine-tuned" if tuning == "full" else tuning] if set(arguments.tasks) - trained.keys() else []
    name, revision = name_and_revision(arguments.model, arguments.revision)
    if not modes:
        name, revision = ", ".join(dict.fromkeys(name_and_revision(each)[0] for each in trained.values())), ""
    return Row(
        ", ".join(dict.fromkeys(Path(source).resolve().name for source in arguments.dataset)),
        "tasks of the Brant paper",
        "noted in the dataset" if is_noted else f"by {run.data.split_by}, {seeds}",
        str(len({subject for result in results for subject in result["subjects"]})),
        name,
        " and ".join([*modes, *(["evaluated"] if trained else [])]),
        over_folds_of_tasks(results),
        revision=revision,
        parameters=results[0]["parameters"],
    )


def over_folds_of_tasks(results: Sequence[Mapping[str, Any]]) -> dict[str, Score]:
    """Scores over the splits of the task that has each."""
    scores: dict[str, Score] = {}
    for chart in TASKS.values():
        of_task = [result["scores"] for result in results if result["numbers"] == list(chart.metrics)]
        scores |= over_folds(of_task)
    return scores


def main(argv: Sequence[str] | None = None) -> None:
    parser = ScriptArgumentParser(Arguments, description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arguments, options = parser.parse_args_into_dataclasses(
        argv, return_remaining_strings=True, look_for_args_file=False
    )
    given = [option for option in options if option.partition("=")[0] in RESERVED]
    if given:
        raise ValueError(f"{given[0]} cannot be given: this script and its tasks decide it")
    planned = plan(arguments)
    if not planned:
        raise ValueError("no task of the chart can be measured on these windows")
    for task in planned:
        parse_arguments(TASKS[task].task, ["--dataset", *arguments.dataset, *options])
    settings = {"datasets": arguments.dataset, "model": arguments.model, "revision": arguments.revision}
    folds = Folds(Path(arguments.output), {**settings, "checkpoints": arguments.checkpoints, "options": options})
    run = partial(run_of_task, arguments=arguments, options=options)
    results = [
        folds.result(f"{task}_seed_{seed}", partial(run, task=task, datasets=datasets, seed=seed))
        for task, datasets in planned.items()
        for seed in arguments.split_seeds
    ]
    keys = [column.key for column in COLUMNS]
    published = [
        Row(
            "clinical corpus of the authors",
            "tasks of the Brant paper",
            "windows of the same subjects",
            "",
            name,
            "fine-tuned",
            {key: Score(value) for key, value in zip(keys, values, strict=True)},
            parameters=PUBLISHED_PARAMETERS.get(name),
            source=SOURCE,
        )
        for name, values in PUBLISHED.items()
    ]
    write_rows(folds.folder, "row", [own_row(arguments, options, results), *published], COLUMNS, arguments.card)


if __name__ == "__main__":
    run_script(main)
