"""What pre-training is worth when few patients have labels: the same detector from scratch and pre-trained.

    python examples/label_scarcity.py --dataset dataset/ --output outputs/label_scarcity --max_channels 16 \\
        --config_overrides hidden_size=128,intermediate_size=256 --pretraining_steps 5000 --finetuning_steps 500

Pre-trains with `run_pretraining.py`: the published loss on all patches, the loss on masked patches, and that with
their band power masked too. Fine-tunes each and a model from scratch with `run_seizure_detection.py`: the same
labelled patients, seeds, steps, batches and learning rates for all. Writes `label_scarcity.md` and `.csv`. Start it
again with the same arguments to go on where it stopped; runs that are complete are not repeated.

Pre-training sees the training split without its labels. No patient that a detector is validated or tested on is ever
trained on, which is checked. Fine-tuning keeps its last weights, so that the labels of validation patients choose
nothing, unless there are several `--learning_rates`: then, for each start and number of patients, the one with the
best AUPRC on them counts.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines.tables import Column, Row, Section, write_tables
from scipy.stats import bootstrap
from tqdm import tqdm

from brant_hf import BrantConfig, BrantForSeizureDetection
from brant_hf.training import ScriptArgumentParser, is_dataset, noted_splits, run_script, split_datasets

SCRIPTS = Path(__file__).parent
METRICS = {"auroc": "AUROC", "auprc": "AUPRC"}
# Saves of a run, from which it goes on when it was killed.
SAVES = 4
RESAMPLES = 1000


@dataclass(frozen=True)
class Start:
    """Weights that fine-tuning starts from.

    Attributes
    ----------
    key : str
        Name of its folders.
    title : str
        As shown.
    overrides : str or None
        Fields of the configuration of its pre-training; `None` for random weights.
    """

    key: str
    title: str
    overrides: str | None


SCRATCH = Start("scratch", "from scratch", None)
STARTS = (
    SCRATCH,
    Start("all", "pre-trained, loss on all patches (published)", "loss_on=all,mask_band_power=false"),
    Start("masked", "pre-trained, loss on masked patches", "loss_on=masked,mask_band_power=false"),
    Start(
        "masked_band_power",
        "pre-trained, loss on masked patches, their band power masked",
        "loss_on=masked,mask_band_power=true",
    ),
)


@dataclass
class Arguments:
    """Data, model and budget of all runs."""

    dataset: list[str] = field(
        metadata={"help": "Folders made by `brant-hf prepare`, with labels, or dataset ids on the Hub."}
    )
    output: str = field(metadata={"help": "Folder for the table and for all runs."})
    pretraining_dataset: list[str] = field(
        default_factory=list,
        metadata={"help": "Datasets whose training split is pre-trained on; those of --dataset if absent."},
    )
    labelled_subjects: list[int] = field(
        default_factory=lambda: [1, 5, 20],
        metadata={"help": "Numbers of subjects to fine-tune on.", "aliases": ["--labelled_patients"]},
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2], metadata={"help": "Seeds of weights, order and masks; one run for each."}
    )
    share_pretraining: bool = field(
        default=False, metadata={"help": "Pre-train with the first seed only, and fine-tune that with every seed."}
    )
    size: str = field(default="tiny", metadata={"help": "Published size of the model."})
    config_overrides: str | None = field(
        default=None, metadata={"help": "Fields of the configuration, such as hidden_size=128."}
    )
    pretraining_steps: int = field(default=5000, metadata={"help": "Optimiser steps of a pre-training."})
    finetuning_steps: int = field(default=500, metadata={"help": "Optimiser steps of a fine-tuning, for every start."})
    batch_size: int = field(default=8, metadata={"help": "Windows of a batch."})
    max_channels: int | None = field(
        default=None, metadata={"help": "Cut windows with more channels to a random subset of this many."}
    )
    learning_rates: list[float] = field(
        default_factory=lambda: [3e-4],
        metadata={"help": "Learning rates of fine-tuning, of encoder and head, tried for every start."},
    )
    split_fractions: str = field(
        default="0.7,0.15,0.15", metadata={"help": "Shares of train, validation and test, where it has no splits."}
    )
    split_seed: int = field(default=0, metadata={"help": "Seed of the splits and of the choice of labelled patients."})
    options: str = field(
        default="", metadata={"help": 'More arguments of both scripts, such as --options="--normalize zscore".'}
    )
    pretraining_options: str = field(default="", metadata={"help": "More arguments of run_pretraining.py."})
    finetuning_options: str = field(default="", metadata={"help": "More arguments of run_seizure_detection.py."})

    def __post_init__(self) -> None:
        for name in ("labelled_subjects", "seeds", "learning_rates"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"--{name} is {values}; give one or more different values")
        for name in ("pretraining_steps", "finetuning_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; it must be 1 or more")
        if min(self.labelled_subjects) < 1:
            raise ValueError(f"--labelled_subjects is {self.labelled_subjects}; each must be 1 or more")
        self.pretraining_dataset = self.pretraining_dataset or self.dataset


@dataclass(frozen=True)
class Run:
    """A script with its arguments.

    Attributes
    ----------
    script : str
        In the folder of this file.
    folder : Path
        For what it writes.
    flags : list[str]
        Its arguments without `--output_dir`.
    """

    script: str
    folder: Path
    flags: list[str]

    def is_complete(self) -> bool:
        """Whether it has run to its end, where the scripts write the model card."""
        return (self.folder / "README.md").is_file()

    def execute(self) -> None:
        """Start the script, or let it go on, unless it is complete.

        Raises
        ------
        ValueError
            The folder is of a run with other arguments.
        ChildProcessError
            The script failed; what it said stands in `log.txt`.
        """
        self._note_arguments()
        if self.is_complete():
            return
        log = self.folder / "log.txt"
        command = [sys.executable, str(SCRIPTS / self.script), "--output_dir", str(self.folder), *self.flags]
        with log.open("a", encoding="utf-8") as file:
            status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
        if status:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise ChildProcessError(f"{self.script} ended with status {status}, see {log}: {' '.join(said)}")
        for checkpoint in self.folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)

    def _note_arguments(self) -> None:
        noted = self.folder / "arguments.json"
        is_begun = self.is_complete() or any(self.folder.glob("checkpoint-*"))
        if is_begun and json.loads(noted.read_text(encoding="utf-8")) != self.flags:
            raise ValueError(f"{self.folder} is of a run with other arguments (see {noted}): give another --output")
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = noted.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.flags), encoding="utf-8")
        os.replace(temporary, noted)

    def results(self, split: str) -> dict[str, float]:
        """Metrics of a split, `auroc` and so on."""
        values = json.loads((self.folder / f"{split}_results.json").read_text(encoding="utf-8"))
        return {name.removeprefix(f"{split}_"): value for name, value in values.items()}

    def test_subjects(self) -> dict[str, dict[str, str]]:
        """Metrics of each patient of the test split, empty texts where one is not defined."""
        with (self.folder / "test_subjects.csv").open(newline="", encoding="utf-8") as file:
            return {row["subject"]: row for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Plan:
    """The runs of all cells of the table."""

    arguments: Arguments

    def runs(self) -> list[Run]:
        """All of them, pre-training first."""
        arguments = self.arguments
        pretraining = [
            self.pretraining(start, seed) for start in STARTS if start.overrides for seed in arguments.seeds
        ]
        finetuning = [
            self.finetuning(start, count, rate, seed)
            for seed in arguments.seeds
            for start in STARTS
            for count in arguments.labelled_subjects
            for rate in arguments.learning_rates
        ]
        return list({each.folder: each for each in pretraining + finetuning}.values())

    def pretraining(self, start: Start, seed: int) -> Run:
        arguments = self.arguments
        seed = arguments.seeds[0] if arguments.share_pretraining else seed
        own = self._flags(
            dataset=arguments.pretraining_dataset,
            seed=seed,
            split_seed=arguments.split_seed,
            max_steps=arguments.pretraining_steps,
            size=arguments.size,
            config_overrides=",".join(filter(None, [arguments.config_overrides, start.overrides])),
        )
        folder = Path(arguments.output) / "pretrained" / start.key / f"seed_{seed}"
        return Run("run_pretraining.py", folder, own + self._options(own, arguments.pretraining_options))

    def finetuning(self, start: Start, count: int, rate: float, seed: int) -> Run:
        arguments = self.arguments
        if start.overrides:
            model = {"model": self.pretraining(start, seed).folder}
        else:
            model = {"size": arguments.size, "config_overrides": arguments.config_overrides}
        own = self._flags(
            dataset=arguments.dataset,
            seed=seed,
            split_seed=arguments.split_seed + (seed if self.draws_subjects else 0),
            max_steps=arguments.finetuning_steps,
            max_train_subjects=count,
            learning_rate=rate,
            head_learning_rate=rate,
            **model,
        )
        name = f"{count}_subjects/rate_{rate:g}/seed_{seed}"
        folder = Path(arguments.output) / "detectors" / start.key / name
        return Run("run_seizure_detection.py", folder, own + self._options(own, arguments.finetuning_options))

    @cached_property
    def draws_subjects(self) -> bool:
        """Whether each seed has labelled patients of its own.

        The seed of the splits decides which patients come first. It is free to differ where splits are noted.
        """
        return all(map(noted_splits, self.arguments.dataset))

    def _flags(self, **values: Any) -> list[str]:
        """What all runs have in common, with `values`."""
        arguments = self.arguments
        common = {
            "split_by": "subject",
            "split_fractions": arguments.split_fractions,
            "max_channels": arguments.max_channels,
            "per_device_train_batch_size": arguments.batch_size,
            "per_device_eval_batch_size": arguments.batch_size,
            "eval_strategy": "no",
            "load_best_model_at_end": False,
            "save_strategy": "steps",
            "save_steps": max(values["max_steps"] // SAVES, 1),
            "save_total_limit": 1,
            "report_to": "none",
            "disable_tqdm": True,
        }
        flags = []
        for name, value in {**values, **common}.items():
            if value is not None:
                flags += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
        return flags

    def _options(self, own: list[str], text: str) -> list[str]:
        """Further arguments, none of which this script decides."""
        options = shlex.split(self.arguments.options) + shlex.split(text)
        given = {option.partition("=")[0] for option in options if option.startswith("--")}
        taken = sorted(given & {flag for flag in own if flag.startswith("--")} | given & {"--output_dir", "--model"})
        if taken:
            raise ValueError(f"{', '.join(taken)} cannot be among the options: this script decides on it")
        return options


def check_subjects(arguments: Arguments) -> dict[str, set[str]]:
    """Patients of each split of fine-tuning, split as the scripts do it.

    Raises
    ------
    ValueError
        There is no test split, too few patients to fine-tune on, or a patient who is validated or tested
        on is trained on.
    """
    for source in {*arguments.dataset, *arguments.pretraining_dataset}:
        if not is_dataset(source):
            raise ValueError(f"{source} holds recordings: prepare them first with `brant-hf prepare {source} FOLDER`")
    subjects = _subjects(arguments, arguments.dataset)
    if "test" not in subjects:
        raise ValueError("there is no test split: give three --split_fractions, or note one in the dataset")
    if "validation" not in subjects and len(arguments.learning_rates) > 1:
        raise ValueError("several --learning_rates need a validation split that chooses among them")
    most = max(arguments.labelled_subjects)
    if most > len(subjects["train"]):
        raise ValueError(
            f"--labelled_subjects asks for {most}; the training split has {len(subjects['train'])} subjects"
        )
    pretrained = _subjects(arguments, arguments.pretraining_dataset)["train"]
    for name in ("test", "validation"):
        shared = sorted(subjects.get(name, set()) & (subjects["train"] | pretrained))
        if shared:
            raise ValueError(
                f"subject {shared[0]!r} of the {name} split is trained on too: note the same splits by patient in "
                "all datasets with brant_hf.data.save_splits, or prepare one of them with another --subject if "
                "these are two people"
            )
    return subjects


def _subjects(arguments: Arguments, datasets: Sequence[str]) -> dict[str, set[str]]:
    parts = split_datasets(datasets, fractions=arguments.split_fractions, by="subject", seed=arguments.split_seed)
    return {name: set(rows.with_format(None)["subject"]) for name, rows in parts.items()}


@dataclass(frozen=True)
class Cell:
    """Fine-tunings that differ in their seed alone, at the learning rate that counts."""

    runs: list[Run]
    learning_rate: float

    def metric(self, name: str) -> dict[str, float]:
        """Mean over the seeds as `value`, mean ends of the intervals over test patients as `low` and `high`.

        What a run does not have is left out; `sd` is the standard deviation over two seeds or more.
        """
        results = [each.results("test") for each in self.runs]
        keys = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
        found = {
            end: float(np.mean([values[key] for values in results]))
            for end, key in keys.items()
            if all(key in values for values in results)
        }
        if "value" in found and len(results) > 1:
            found["sd"] = float(np.std([values[name] for values in results], ddof=1))
        return found

    def gain(self, other: Cell, name: str) -> dict[str, float]:
        """Mean over test patients of what this cell is better by than another one, each by its mean over the seeds.

        `low` and `high` are ends of the 95 % confidence interval, bootstrap over two patients or more.
        """
        here, there = self._by_subject(name), other._by_subject(name)
        gains = np.array([value - there[subject] for subject, value in here.items() if subject in there])
        if not len(gains):
            return {}
        found = {"value": float(gains.mean())}
        if len(gains) > 1:
            interval = bootstrap(
                (gains,), np.mean, n_resamples=RESAMPLES, method="percentile", random_state=np.random.default_rng(0)
            ).confidence_interval
            found |= {"low": float(interval.low), "high": float(interval.high)}
        return found

    def _by_subject(self, name: str) -> dict[str, float]:
        rows = [each.test_subjects() for each in self.runs]
        return {
            subject: float(np.mean([float(each[subject][name]) for each in rows]))
            for subject in rows[0]
            if all(each[subject].get(name) for each in rows)
        }


def make_cells(plan: Plan, subjects: Mapping[str, set[str]]) -> dict[tuple[Start, int], Cell]:
    """What the runs gave for each start and number of labelled patients.

    Raises
    ------
    ValueError
        A run was tested on other patients than planned, or nothing chooses among learning rates.
    """
    arguments = plan.arguments
    cells = {}
    for start in STARTS:
        for count in arguments.labelled_subjects:
            by_rate = {
                rate: [plan.finetuning(start, count, rate, seed) for seed in arguments.seeds]
                for rate in arguments.learning_rates
            }
            for each in (each for runs in by_rate.values() for each in runs):
                if set(each.test_subjects()) != subjects["test"]:
                    raise ValueError(f"{each.folder} was tested on other subjects: the dataset has changed")
            best = arguments.learning_rates[0]
            if len(by_rate) > 1:
                best = max(by_rate, key=lambda rate, runs=by_rate: _validation_auprc(runs[rate]))
            cells[start, count] = Cell(by_rate[best], best)
    return cells


def _validation_auprc(runs: Sequence[Run]) -> float:
    results = [each.results("validation") for each in runs]
    if not all("auprc" in values for values in results):
        raise ValueError(
            "no validation patient has a seizure to choose among the --learning_rates by: give one of them"
        )
    return float(np.mean([values["auprc"] for values in results]))


def make_sections(arguments: Arguments, cells: Mapping[tuple[Start, int], Cell]) -> list[Section]:
    """A table of each metric, and of what each patient gains over the model from scratch."""
    counts, sections = arguments.labelled_subjects, []
    for name, title in METRICS.items():
        rows = []
        for start in STARTS:
            values = {count: cells[start, count].metric(name) for count in counts}
            rates = ", ".join(f"{cells[start, count].learning_rate:g} ({_count_in_words(count)})" for count in counts)
            note = f"learning rate {rates}" if len(arguments.learning_rates) > 1 else ""
            rows.append(Row(start.title, _by_count(values), _parameters(cells[start, counts[0]].runs[0]), note))
        sections.append(Section(title, rows))
    for name, title in METRICS.items():
        rows = []
        for start in STARTS[1:]:
            gains = {count: cells[start, count].gain(cells[SCRATCH, count], name) for count in counts}
            rows.append(Row(start.title, _by_count(gains), _parameters(cells[start, counts[0]].runs[0])))
        sections.append(Section(f"{title} of a test patient: gain over the model from scratch", rows))
    return sections


def _by_count(values: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    return {
        _column(count) + ("" if end == "value" else f"_{end}"): value
        for count, ends in values.items()
        for end, value in ends.items()
    }


def _column(count: int) -> str:
    return f"subjects_{count}"


def _count_in_words(count: int) -> str:
    return f"{count} labelled patient{'' if count == 1 else 's'}"


def _parameters(detector: Run) -> int:
    with torch.device("meta"):
        return BrantForSeizureDetection(BrantConfig.from_pretrained(detector.folder)).num_parameters()


def introduction(plan: Plan, subjects: Mapping[str, set[str]]) -> str:
    """What a reader of the tables should know."""
    arguments = plan.arguments
    names, unlabelled = (
        ", ".join(Path(dataset).name for dataset in datasets)
        for datasets in (arguments.dataset, arguments.pretraining_dataset)
    )
    model = ", ".join(filter(None, [f"size {arguments.size}", arguments.config_overrides]))
    seeds = ", ".join(map(str, arguments.seeds))
    once = f", once with seed {arguments.seeds[0]}" if arguments.share_pretraining else ""
    drawn = "each seed has its own" if plan.draws_subjects else "the same for every seed"
    choice = "Last weights of each run."
    if len(arguments.learning_rates) > 1:
        choice += " The learning rate is the one of the best AUPRC on the validation patients."
    return "\n\n".join(
        [
            "# Seizure detection with few labelled patients",
            f"{names}: {len(subjects['test'])} test patients; labelled patients out of {len(subjects['train'])}, "
            f"{drawn}. Model: {model}. Pre-training: {arguments.pretraining_steps} steps on the training split of "
            f"{unlabelled} without its labels{once}. Fine-tuning, the same for every start: "
            f"{arguments.finetuning_steps} steps. Batches of {arguments.batch_size} windows. {choice}",
            f"Mean over the seeds {seeds}. In brackets: 95 % confidence intervals, bootstrap over the test patients "
            "(mean of the ends over the seeds; of the gains, of the mean over the seeds). Bold: best of a column.",
        ]
    )


def main() -> None:
    (arguments,) = ScriptArgumentParser(Arguments, description=__doc__).parse()
    subjects = check_subjects(arguments)
    plan = Plan(arguments)
    with tqdm(plan.runs(), unit="run") as bar:
        for each in bar:
            bar.set_description(str(each.folder.relative_to(arguments.output)))
            each.execute()
    cells = make_cells(plan, subjects)
    columns = [Column(_column(count), _count_in_words(count), "largest") for count in arguments.labelled_subjects]
    table, values = write_tables(
        Path(arguments.output),
        "label_scarcity",
        make_sections(arguments, cells),
        columns,
        introduction(plan, subjects),
    )
    print(table.read_text(encoding="utf-8"))
    print(f"written to {table} and {values}")


if __name__ == "__main__":
    run_script(main)
