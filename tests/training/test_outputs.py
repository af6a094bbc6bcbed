"""What a run writes into its folder, and whether it may go on there."""

import json
import warnings

import pytest

from brant_hf.training import ImputationTask, parse_arguments
from brant_hf.training.outputs import check_same_run, write_settings, write_table


@pytest.fixture
def run(tmp_path):
    """Arguments of a run that writes to one folder, as of its command line."""

    def call(*flags: str):
        return parse_arguments(ImputationTask, ["--dataset", "d", "--output_dir", str(tmp_path), "--use_cpu", *flags])

    return call


@pytest.fixture
def checkpoint(run, tmp_path):
    """A run that has saved a checkpoint."""
    write_settings(run("--learning_rate", "0.001", "--mask", "blocks"))
    folder = tmp_path / "checkpoint-10"
    folder.mkdir()
    (folder / "trainer_state.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--mask", "points"), "--mask was 'blocks' and is 'points'"),
        (("--learning_rate", "0.002"), "--learning_rate was 0.001 and is 0.002"),
        (("--mask", "points", "--dataset", "e"), r"--dataset was \['d'\] and is \['e'\] and 1 more"),
    ],
)
def test_run_with_other_settings_does_not_go_on_from_the_checkpoints(run, checkpoint, flags, message):
    with pytest.raises(ValueError, match=f"{message}; choose another --output_dir"):
        check_same_run(run("--learning_rate", "0.001", "--mask", "blocks", *flags))


def test_longer_run_with_other_processes_goes_on(run, checkpoint):
    same = ("--learning_rate", "0.001", "--mask", "blocks")
    check_same_run(run(*same, "--max_steps", "99", "--dataloader_num_workers", "2", "--prepare_processes", "3"))


def test_a_stream_that_goes_on_in_another_order_is_told(run, checkpoint):
    stream = ("--learning_rate", "0.001", "--streaming", "true", "--max_steps", "9")
    write_settings(run(*stream, "--per_device_train_batch_size", "4"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_same_run(run(*stream, "--per_device_train_batch_size", "4"))
    told = "dataloader_num_workers was 0 and is 2; per_device_train_batch_size was 4 and is 8: the stream goes on"
    with pytest.warns(UserWarning, match=told):
        check_same_run(run(*stream, "--per_device_train_batch_size", "8", "--dataloader_num_workers", "2"))


def test_settings_do_not_matter_without_a_whole_checkpoint_or_with_one_that_is_named(run, checkpoint):
    check_same_run(run("--mask", "points", "--resume_from_checkpoint", str(checkpoint)))
    (checkpoint / "trainer_state.json").write_text("")  # killed while it was written
    check_same_run(run("--mask", "points"))


def test_settings_are_json_of_each_group_of_arguments(run, tmp_path):
    write_settings(run("--learning_rate", "0.001", "--mask", "blocks"))
    settings = json.loads((tmp_path / "run.json").read_text())
    assert set(settings) == {"model", "data", "tuning", "training", "task"}
    assert settings["task"]["mask"] == "blocks"
    assert settings["training"]["learning_rate"] == 0.001


def test_table_has_six_digits_and_empty_cells_for_what_is_not_defined(tmp_path):
    rows = [{"subject": "a, b", "windows": 3, "mae": 2 / 3}, {"subject": "c", "windows": 1, "mae": None}]
    write_table(tmp_path / "table.csv", rows)
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        "subject,windows,mae",
        '"a, b",3,0.666667',
        "c,1,",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
