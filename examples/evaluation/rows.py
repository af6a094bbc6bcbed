"""Rows for benchmarks: one evaluation in one line, beside what others have published.

```python
columns = CLASSIFICATION
row = Row("MAYO", "Brain4FMs", "6 rotations of 3 / 1 / 2 groups", "18", "brant", "frozen", scores=over_folds(folds))
write_rows(folder, "row", [row, *published], columns)
```
"""

from __future__ import annotations

import csv
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult

from brant_hf.files import write_text
from brant_hf.listing import markdown_table
from brant_hf.training import add_results

sys.path.append(str(Path(__file__).parents[1]))

from baselines.tables import millions

HERE = "this run"


class Score(NamedTuple):
    """A metric over folds.

    Attributes
    ----------
    mean : float
        Over the folds that define it.
    sd : float or None
        Standard deviation between them (n - 1); `None` for one fold, or where a publication gives none.
    folds : str
        Such as `"4 of 6"` where some folds do not define it; empty otherwise.
    """

    mean: float
    sd: float | None = None
    folds: str = ""


class Column(NamedTuple):
    """A metric of a table: its key and title, by what values are multiplied and how many decimals they have."""

    key: str
    title: str
    scale: float = 1.0
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Attributes
    ----------
    dataset, protocol, split : str
        What was measured on: corpus, the rules, what trained and what tested.
    subjects : str
        How many were tested, in words where that is not a number.
    model : str
        Name of the checkpoint, with its revision in `revision`.
    mode : str
        Such as `"fine-tuned"`, `"frozen"`, `"LoRA"` or `"probe"`.
    scores : Mapping[str, Score]
        By key of a column.
    revision : str
        Branch, tag or commit of the checkpoint.
    parameters : int or None
        Of the model; `None` where it is not known.
    source : str
        Where the scores come from.
    """

    dataset: str
    protocol: str
    split: str
    subjects: str
    model: str
    mode: str
    scores: Mapping[str, Score] = field(default_factory=dict)
    revision: str = ""
    parameters: int | None = None
    source: str = HERE

    def facts(self) -> dict[str, str]:
        """What stands before the scores."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "split": self.split,
            "subjects": self.subjects,
            "model and revision": f"{self.model} @ {self.revision}" if self.revision else self.model,
            "parameters": millions(self.parameters),
            "mode": self.mode,
        }


# In per cent, as benchmarks print them.
CLASSIFICATION = (
    Column("accuracy", "Acc", 100, 2),
    Column("precision", "Prec", 100, 2),
    Column("recall", "Rec", 100, 2),
    Column("f2", "F2", 100, 2),
    Column("auprc", "AUPRC", 100, 2),
    Column("auroc", "AUROC", 100, 2),
)
# As SzCORE counts events; the keys are those of `brant_hf.detection` scores.
EVENTS = (
    Column("sensitivity", "sensitivity"),
    Column("precision", "precision"),
    Column("f1", "F1"),
    Column("false_alarms_per_day", "false alarms a day", 1, 2),
)


def over_folds(folds: Sequence[Mapping[str, float]]) -> dict[str, Score]:
    """Mean and standard deviation of each metric over folds; folds that lack it, or have NaN, are told."""
    scores = {}
    for key in dict.fromkeys(key for fold in folds for key in fold):
        values = [float(fold[key]) for fold in folds if key in fold and not math.isnan(fold[key])]
        if values:
            sd = statistics.stdev(values) if len(values) > 1 else None
            missing = "" if len(values) == len(folds) else f"{len(values)} of {len(folds)}"
            scores[key] = Score(statistics.fmean(values), sd, missing)
    return scores


def percent(**values: float | tuple[float, float]) -> dict[str, Score]:
    """Published scores in per cent, `f2=64.81` or with a standard deviation `auroc=(92.08, 3.36)`."""
    pairs = {key: value if isinstance(value, tuple) else (value, None) for key, value in values.items()}
    return {
        key: Score(round(mean / 100, 6), None if sd is None else round(sd / 100, 6))
        for key, (mean, sd) in pairs.items()
    }


def markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """A table with one line for each row, `mean ± sd`; what a row does not have is empty."""
    head = [*rows[0].facts(), *(column.title for column in columns), "source"]
    lines = [[*row.facts().values(), *(_cell(row.scores, column) for column in columns), row.source] for row in rows]
    return markdown_table(head, lines)


def comma_separated(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """The same with all digits and not scaled: `KEY`, `KEY_sd` and, where some folds lack it, `KEY_folds`."""
    buffer = StringIO()
    keys = [key for column in columns for key in _keys(column)]
    writer = csv.DictWriter(buffer, [*rows[0].facts(), *keys, "source"], restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values: dict[str, Any] = {"parameters": "" if row.parameters is None else row.parameters, "source": row.source}
        for column in columns:
            if column.key in row.scores:
                values |= zip(_keys(column), row.scores[column.key], strict=True)
        writer.writerow({**row.facts(), **values})
    return buffer.getvalue()


def write_rows(
    folder: Path, name: str, rows: Sequence[Row], columns: Sequence[Column], card: str | None = None
) -> None:
    """Print the table, and write it to `folder/name.md` and `folder/name.csv`.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    name : str
        Of the files.
    rows : Sequence[Row]
        The own row first, then published ones.
    columns : Sequence[Column]
        Scores to show.
    card : str or None
        Folder of a checkpoint whose model card gets the first row.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(rows, columns)
    write_text(folder / f"{name}.md", text + "\n")
    write_text(folder / f"{name}.csv", comma_separated(rows, columns))
    if card is not None:
        add_results(Path(card), as_results(rows[0], columns))
    print(text)


def as_results(row: Row, columns: Sequence[Column]) -> list[EvalResult]:
    """Scores of a row for the `model-index` of a model card, not scaled."""
    scores = [(column, row.scores[column.key]) for column in columns if column.key in row.scores]
    return [
        EvalResult(
            task_type="other",
            task_name=row.protocol,
            dataset_type=row.dataset,
            dataset_name=row.dataset,
            dataset_config=row.protocol,
            dataset_split=row.split,
            metric_type=column.key,
            metric_name=f"{column.title}, {row.mode}",
            metric_config=row.mode,
            metric_value=score.mean,
            metric_args=None if score.sd is None else {"standard deviation": score.sd},
        )
        for column, score in scores
    ]


def _keys(column: Column) -> tuple[str, str, str]:
    return column.key, f"{column.key}_sd", f"{column.key}_folds"


def _cell(scores: Mapping[str, Score], column: Column) -> str:
    score = scores.get(column.key)
    if score is None:
        return ""
    text = f"{score.mean * column.scale:.{column.digits}f}"
    if score.sd is not None:
        text += f" ± {score.sd * column.scale:.{column.digits}f}"
    return f"{text} ({score.folds})" if score.folds else text
