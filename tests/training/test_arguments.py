"""How the command line, files, recipes and defaults combine."""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from brant_hf.training import ImputationTask, PretrainingTask, Task, parse_arguments

NO_EVALUATION = ("--eval_strategy", "no", "--load_best_model_at_end", "false")


@dataclass
class SmallTask(Task):
    """A task."""

    defaults: ClassVar = {"output_dir": "unused"}

    length: int = field(default=2, metadata={"help": "How far."})

    def collator(self, config, **common):
        raise AssertionError("arguments are parsed without a collator")


@pytest.fixture
def parse(tmp_path):
    """Parse a command line after `--dataset d`, or after a file of these values."""

    def call(*argv: str, file: dict | None = None, suffix: str = ".json", **options):
        start = ["--dataset", "d"]
        if file is not None:
            path = tmp_path / f"settings{suffix}"
            path.write_text(json.dumps({"dataset": "d", **file}))  # which is YAML too
            start = [str(path)]
        argv = [*start, "--output_dir", str(tmp_path), "--use_cpu", "--report_to", "none", *argv]
        task = type("OtherTask", (SmallTask,), options)
        return parse_arguments(task, argv)

    return call


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_command_line_then_file_then_recipe_then_defaults(parse, suffix):
    defaults = {"adam_beta2": 0.7, "weight_decay": 0.3, "max_grad_norm": 0.2, "logging_steps": 17, "length": 9}
    file = {"recipe": "paper", "weight_decay": 0.4, "head_learning_rate": 1e-2, "adam_beta1": 0.5}
    run = parse("--head_learning_rate", "0.5", "--adam_beta1=0.6", file=file, suffix=suffix, defaults=defaults)
    tuning, training = run.tuning, run.training
    assert (tuning.head_learning_rate, training.adam_beta1) == (0.5, 0.6)  # from the command line
    assert training.weight_decay == 0.4  # from the file
    assert (training.adam_beta2, training.max_grad_norm, training.learning_rate) == (0.99, 0, 1e-7)  # from the recipe
    assert (training.logging_steps, run.task.length) == (17, 9)  # from the defaults of the task
    assert training.adam_epsilon == 1e-8  # from the dataclass


def test_recipe_of_the_command_line_replaces_that_of_the_file(parse):
    for argv in (("--recipe", "default"), ("--recipe=default",)):
        training = parse(*argv, file={"recipe": "paper"}).training
        assert training.learning_rate == 1e-4


def test_paper_recipes(parse):
    run = parse("--recipe", "paper", stage="pretraining")
    tuning, training = run.tuning, run.training
    assert (training.learning_rate, training.max_steps, tuning.schedule) == (1e-5, 750_000, "cyclic")
    assert (training.adam_beta1, training.adam_beta2, training.weight_decay, training.bf16) == (0.9, 0.99, 0, True)
    run = parse("--recipe", "paper")
    tuning, training = run.tuning, run.training
    assert (training.learning_rate, tuning.head_learning_rate, tuning.schedule) == (1e-7, 1e-4, "multistep")
    assert (training.num_train_epochs, training.eval_delay) == (20, 3)


def test_epochs_and_scheduler_replace_what_a_recipe_says(parse):
    run = parse("--recipe", "paper", "--num_train_epochs", "3", stage="pretraining")
    tuning, training = run.tuning, run.training
    assert (training.max_steps, training.num_train_epochs, tuning.schedule) == (-1, 3, "cyclic")
    tuning = parse(file={"recipe": "paper", "lr_scheduler_type": "linear"}).tuning
    assert tuning.schedule is None


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("mae", False), ("missing_rmse_subject_mean", False), ("loss", False), ("auprc", True), ("plv", True)],
)
def test_best_is_the_smallest_error_or_the_largest_score(parse, metric, greater):
    defaults = {"output_dir": "unused", "metric_for_best_model": "loss" if greater else "auprc"}
    assert parse("--metric_for_best_model", metric, defaults=defaults).training.greater_is_better is greater
    defaults["metric_for_best_model"] = metric
    assert parse(defaults=defaults).training.greater_is_better is greater
    training = parse("--greater_is_better", str(not greater), defaults=defaults).training
    assert training.greater_is_better is not greater


def test_several_datasets(parse):
    assert parse("--dataset", "a", "b").data.dataset == ["a", "b"]
    assert parse(file={"dataset": ["a", "b"]}).data.dataset == ["a", "b"]
    assert parse(file={"dataset": "a"}).data.dataset == ["a"]


@pytest.mark.parametrize(
    ("argv", "file", "message"),
    [
        (
            [],
            {"learning_rates": 1, "hidden": 2},
            "settings.json has keys that are no arguments: hidden, learning_rates",
        ),
        ([], {"dataset": []}, "give --dataset"),
        (["--recipe", "quick"], None, "--recipe is 'quick'"),
        (["--tuning", "some"], None, "--tuning is 'some'"),
        (["--schedule", "linear"], None, "choose cyclic or multistep"),
        (["--lora_rank", "0"], None, "--lora_rank is 0"),
        (["--early_stopping_patience", "0"], None, "--early_stopping_patience is 0"),
        (
            ["--early_stopping_patience", "2", "--eval_strategy", "no", "--load_best_model_at_end", "0"],
            None,
            "needs evaluations",
        ),
        (["--evaluate_only", "true"], None, "needs --model"),
        (["--streaming", "true"], None, "needs --max_steps"),
        (["--streaming", "true", "--max_train_subjects", "1"], None, "needs --streaming false"),
        (["--split_fractions", "all"], None, "--split_fractions is 'all'; give one to three shares"),
        (["--split_by", "patient"], None, "--split_by is 'patient'; choose one of subject, recording, time"),
        (["--length", "far"], None, "argument --length: invalid int value: 'far'"),
        ([], {"max_steps": [1]}, r"has \[1\] as max_steps; it must be a number"),
    ],
)
def test_bad_arguments(parse, argv, file, message):
    with pytest.raises(ValueError, match=message):
        parse(*argv, file=file)


@pytest.mark.parametrize(("name", "text"), [("a.json", "{1"), ("a.yaml", "a: [1"), ("a.yaml", "- 1\n- 2")])
def test_files_that_hold_no_arguments(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{name} (cannot be read|must hold names)") as error:
        parse_arguments(SmallTask, argv=[str(path)])
    assert "\n" not in str(error.value)


def test_abbreviations_are_refused(parse):
    with pytest.raises(ValueError, match="unknown arguments: --recip paper"):
        parse("--recip", "paper")


def test_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        parse_arguments(SmallTask, argv=[str(tmp_path / "absent.yaml")])


def test_help_begins_with_the_options_of_the_task(capsys):
    with pytest.raises(SystemExit) as stop:
        parse_arguments(ImputationTask, ["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.index("fill in missing samples") < text.index("--missing_ratio") < text.index("--config_overrides")
    assert text.index("--config_overrides") < text.index("--adam_beta1")
    assert text.startswith("usage:")
    assert len(text.partition("Fine-tune")[0].splitlines()) == 2  # and not a usage of two hundred options


def test_the_tasks_choose_their_recipe():
    assert parse_arguments(PretrainingTask, ["--dataset", "d", "--use_cpu"]).training.learning_rate == 3e-4
    assert parse_arguments(ImputationTask, ["--dataset", "d", "--use_cpu"]).training.learning_rate == 1e-4
