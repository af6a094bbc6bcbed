"""Runs that are killed and go on, and runs of several processes."""

import itertools
import json
import multiprocessing
import os
import runpy
import signal
import sys
from pathlib import Path

import pytest
import torch
from accelerate import debug_launcher
from safetensors.torch import load_file
from transformers import Trainer

from brant_hf.data import save_splits
from brant_hf.training import last_whole_checkpoint

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
EXAMPLES = Path(__file__).parents[2] / "examples"
# Dropout draws from the generator of each process, so that runs of one and of two processes differ with it.
DROPOUT = (
    "hidden_size=16,intermediate_size=24,num_temporal_layers=2,num_spatial_layers=1,num_attention_heads=2,"
    "hidden_dropout=0.1,attention_dropout=0.1"
)


def _run_scripts(command_lines: list[list[str]], killed_at: int | None = None) -> None:
    """Run scripts one after the other in this process, which is killed, without any warning, at a step of training."""
    if killed_at is not None:
        steps, step = itertools.count(1), Trainer.training_step

        def killed_step(*args, **kwargs):
            if next(steps) == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*args, **kwargs)

        Trainer.training_step = killed_step
    for sys.argv in command_lines:
        runpy.run_path(sys.argv[0], run_name="__main__")


def _kill_at_step(number: int, command_line: list[str]) -> None:
    process = multiprocessing.get_context("fork").Process(target=_run_scripts, args=([command_line], number))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture(autouse=True)
def one_thread():
    """As many threads here as in the processes started, so that sums have the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@needs_fork
@pytest.mark.parametrize("streaming", [False, True])
def test_killed_run_ends_with_the_same_weights(make_dataset, tmp_path, arguments, run_script, streaming):
    dataset = make_dataset()
    save_splits(dataset, {"train": 0.5, "validation": 0.25, "test": 0.25})
    # Steps 7 and 14 lie inside of epochs of 10 batches.
    options = {"max_steps": 24, "save_strategy": "steps", "save_steps": 7, "eval_strategy": "no"}
    options |= {"load_best_model_at_end": False, "save_total_limit": 9, "config_overrides": DROPOUT}
    options |= {"streaming": streaming, "shuffle_buffer": 16}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_script("run_pretraining.py", dataset, whole, **options)
    _kill_at_step(17, [str(EXAMPLES / "run_pretraining.py"), *arguments(dataset, killed, **options)])
    assert last_whole_checkpoint(killed) == str(killed / "checkpoint-14")
    assert not (killed / "model.safetensors").exists()
    # What a run that is killed while it writes a checkpoint leaves behind.
    (killed / "checkpoint-20").mkdir()
    (killed / "checkpoint-20" / "model.safetensors").write_bytes(b"\x08\x00")
    (killed / "checkpoint-20" / "trainer_state.json").write_text('{"epoch": 2')
    run_script("run_pretraining.py", dataset, killed, **options)
    expected, found = load_file(whole / "model.safetensors"), load_file(killed / "model.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def _losses(folder: Path) -> list[float]:
    history = json.loads((folder / "trainer_state.json").read_text())["log_history"]
    return [entry["loss"] for entry in history if "loss" in entry]


TWO_PROCESSES = {
    # As many labels in each window, so that the mean of the means of both processes is that of the large batch.
    "run_seizure_detection.py": ((3,) * 8, {"class_weights": "1,1"}, {"per_device_train_batch_size": 4}),
    # Where windows differ in their number of channels, it is that of two batches of one process.
    "run_pretraining.py": ((1, 2, 3, 4) * 2, {}, {"gradient_accumulation_steps": 2}),
}


@needs_fork
def test_two_processes_have_the_loss_curve_of_one(make_dataset, tmp_path, arguments, run_script):
    common = {"max_steps": 12, "learning_rate": 3e-3, "eval_strategy": "steps", "eval_steps": 6, "save_steps": 6}
    common |= {"save_strategy": "steps", "load_best_model_at_end": False, "per_device_train_batch_size": 2}
    runs = []
    for script, (channels, options, one_process) in TWO_PROCESSES.items():
        dataset = make_dataset(name=f"data of {script}", channels=channels)
        save_splits(dataset, {"train": 0.5, "validation": 0.25, "test": 0.25})
        one, two = tmp_path / "one" / script, tmp_path / "two" / script
        run_script(script, dataset, one, **{**common, **options, **one_process})
        runs.append([str(EXAMPLES / script), *arguments(dataset, two, **common, **options)])
    # Forks, with the variables that `accelerate launch` sets.
    debug_launcher(_run_scripts, (runs,), num_processes=2)
    for script in TWO_PROCESSES:
        one, two = tmp_path / "one" / script, tmp_path / "two" / script
        assert len(_losses(one)) == 12
        assert _losses(two) == pytest.approx(_losses(one), rel=1e-4), script
        for name in ("validation", "test"):
            metrics = [json.loads((folder / f"{name}_results.json").read_text()) for folder in (one, two)]
            for key, value in metrics[0].items():
                if not key.endswith(("runtime", "per_second")):
                    assert metrics[1][key] == pytest.approx(value, rel=1e-3, abs=1e-4), (script, key)


def test_last_whole_checkpoint_skips_unfinished_ones(tmp_path):
    assert last_whole_checkpoint(tmp_path / "absent") is None
    for step, text in ((9, "{}"), (10, "{}"), (11, "{"), (100, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if text is not None:
            (folder / "trainer_state.json").write_text(text)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
