"""Rows for benchmarks and the results that they are made of."""

import csv
import math
from dataclasses import replace
from io import StringIO

import pytest
import yaml
from folds import Folds
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from rows import CLASSIFICATION, EVENTS, Row, Score, comma_separated, over_folds, percent, write_rows


def test_scores_are_mean_and_standard_deviation_over_the_folds_that_have_them():
    scores = over_folds([{"f2": 0.5, "auroc": 0.9}, {"f2": 0.7, "auroc": math.nan}, {"f2": 0.9}])
    assert scores["f2"][:2] == pytest.approx((0.7, 0.2))
    assert scores["f2"].folds == ""
    assert scores["auroc"] == Score(0.9, None, "1 of 3")


@pytest.fixture
def rows():
    ours = Row(
        "MAYO",
        "Brain4FMs",
        "6 rotations",
        "18",
        "you/brant",
        "frozen",
        over_folds([{"f2": 0.6, "auroc": 0.9}, {"f2": 0.8, "auroc": 0.92}]),
        revision="abc",
        parameters=505_685_944,
    )
    published = Row("MAYO", "Brain4FMs", "6 rotations", "18", "a|b", "fine-tuned", percent(f2=64.81), source="a paper")
    return [ours, published]


def test_a_row_stands_beside_published_ones(rows, tmp_path, capsys):
    write_rows(tmp_path / "new", "row", rows, CLASSIFICATION)
    assert capsys.readouterr().out == (tmp_path / "new" / "row.md").read_text()
    lines = (tmp_path / "new" / "row.md").read_text().splitlines()
    assert lines[0] == (
        "| dataset | protocol | split | subjects | model and revision | parameters | mode | Acc | Prec | Rec | F2 | "
        "AUPRC | AUROC | source |"
    )
    assert lines[2] == (
        "| MAYO | Brain4FMs | 6 rotations | 18 | you/brant @ abc | 505.69 M | frozen |  |  |  | 70.00 ± 14.14 |  | "
        "91.00 ± 1.41 | this run |"
    )
    assert lines[3] == (
        "| MAYO | Brain4FMs | 6 rotations | 18 | a\\|b |  | fine-tuned |  |  |  | 64.81 |  |  | a paper |"
    )


def test_the_csv_has_all_digits(rows):
    ours, published = csv.DictReader(StringIO(comma_separated(rows, CLASSIFICATION)))
    assert (float(ours["f2"]), float(ours["f2_sd"])) == pytest.approx((0.7, 0.2 / math.sqrt(2)))
    assert ours["parameters"] == "505685944"
    assert (ours["accuracy"], published["f2"], published["f2_sd"]) == ("", "0.6481", "")


def test_events_are_told_as_szcore_counts_them(tmp_path, capsys):
    folds = [{"sensitivity": 1.0, "precision": 0.5, "f1": 2 / 3, "false_alarms_per_day": 4.0}]
    write_rows(tmp_path, "row", [Row("SWEC", "SzCORE", "held out", "1", "m", "probe", over_folds(folds))], EVENTS)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "| SWEC | SzCORE | held out | 1 | m |  | probe | 1.000 | 0.500 | 0.667 | 4.00 | this run |"


def test_the_model_card_gets_the_row(rows, tmp_path, capsys):
    (tmp_path / "README.md").write_text("---\ntags:\n- brant\n---\n\n# A detector\n")
    for value in (0.9, 0.5):
        row = replace(rows[0], scores={**rows[0].scores, "auroc": Score(value)})
        write_rows(tmp_path / "out", "row", [row], CLASSIFICATION, card=str(tmp_path))
    card = ModelCard.load(tmp_path / "README.md")
    found = {result.metric_type: result for result in card.data.eval_results}
    assert len(card.data.eval_results) == len(found) == 2
    assert (found["auroc"].metric_value, found["f2"].metric_value) == (0.5, pytest.approx(0.7))
    assert found["f2"].metric_args == {"standard deviation": pytest.approx(0.2 / math.sqrt(2))}
    assert (found["f2"].dataset_name, found["f2"].dataset_config, found["f2"].metric_config) == (
        "MAYO",
        "Brain4FMs",
        "frozen",
    )
    name, results = model_index_to_eval_results(yaml.safe_load(card.data.to_yaml())["model-index"])
    assert (name, len(results)) == (tmp_path.name, 2)
    assert card.data.tags == ["brant"]
    assert "# A detector" in card.text


def test_complete_folds_are_not_computed_again(tmp_path):
    computed = []

    def compute(folder):
        computed.append(folder)
        return {"f2": 0.5}

    for _ in range(2):
        folds = Folds(tmp_path / "run", {"mode": "probe", "folds": (0, 1)})
        assert folds.result("fold_0", compute) == {"f2": 0.5}
    assert computed == [tmp_path / "run" / "fold_0"]


def test_a_fold_that_failed_is_computed_again(tmp_path):
    def fail(folder):
        raise OSError("disk")

    folds = Folds(tmp_path, {})
    with pytest.raises(OSError, match="disk"):
        folds.result("fold_0", fail)
    assert folds.result("fold_0", lambda folder: {"f2": 1}) == {"f2": 1}


def test_results_of_other_settings_are_refused(tmp_path):
    Folds(tmp_path, {"mode": "probe", "seed": 0})
    with pytest.raises(ValueError, match=r"mode, steps differ \(mode was 'probe' and is 'frozen'\).*--output"):
        Folds(tmp_path, {"mode": "frozen", "seed": 0, "steps": 3})
