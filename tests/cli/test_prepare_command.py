from __future__ import annotations

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from brant_hf.cli.prepare import prepare
from brant_hf.data import load

SMALL = {"patch_length": 250, "num_patches": 4}


@pytest.fixture
def folder(tmp_path, write_edf):
    for i in range(2):
        signal = 50 * np.random.default_rng(i).standard_normal((3, 2500))
        write_edf(tmp_path / "in" / f"r{i}.edf", signal, 250)
    return tmp_path / "in"


def test_results_on_standard_output(folder, tmp_path, capsys):
    prepare(folder, tmp_path / "out", **SMALL)
    printed = capsys.readouterr()
    assert "4 windows of 2 recordings prepared" in printed.out
    assert printed.err == ""
    assert len(load(tmp_path / "out")) == 4


def test_settings_reach_the_dataset(folder, tmp_path):
    prepare(
        folder,
        tmp_path / "out",
        reference="bipolar",
        line_noise="none",
        high_pass=0,
        low_pass=70,
        labels=False,
        **SMALL,
    )
    row = load(tmp_path / "out")[0]
    assert row["channel_names"] == ["A1-A2", "A2-A3"]
    assert "labels" not in row
    settings = (tmp_path / "out/dataset.json").read_text()
    for expected in ('"line_noise": null', '"high_pass": null', '"low_pass": 70'):
        assert expected in settings


def test_unit_and_subject_reach_the_reader(folder, tmp_path):
    prepare(folder, tmp_path / "out", unit="mV", subject="p1", line_noise="none", **SMALL)
    rows = load(tmp_path / "out")
    assert set(rows["subject"]) == {"p1"}
    assert 0.03 < rows[0]["input_values"].std() < 0.07


def test_failed_recordings_are_listed_and_make_the_command_fail(folder, tmp_path, capsys):
    (folder / "bad.edf").write_text("nothing")
    with pytest.raises(ValueError, match="1 of 3 recordings could not be prepared"):
        prepare(folder, tmp_path / "out", **SMALL)
    assert "bad.edf: " in capsys.readouterr().out
    assert len(load(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"line_noise": "some"}, "line_noise"),
        ({"reference": "mean"}, "reference"),
        ({"num_patches": 0}, "num_patches"),
    ],
)
def test_bad_settings_are_one_clear_line(folder, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message) as error:
        prepare(folder, tmp_path / "out", **settings)
    assert "\n" not in str(error.value)


def test_a_source_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        prepare(tmp_path / "nowhere", tmp_path / "out")


def test_typer_takes_the_command(folder, tmp_path):
    app = typer.Typer()
    app.command()(prepare)
    arguments = [str(folder), str(tmp_path / "out"), "--num-patches", "4", "--patch-length", "250", "--no-labels"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "labels" not in load(tmp_path / "out").column_names
