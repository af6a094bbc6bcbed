"""A comparison as Markdown and as CSV."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from brant_hf.listing import markdown_table

ENDS = ("_low", "_high", "_subject_mean")


@dataclass(frozen=True)
class Column:
    """A metric of a table.

    Attributes
    ----------
    key : str
        Of the metric.
    title : str
        As shown.
    best : str
        The best value: the `"smallest"` or the `"largest"`, set in bold.
    """

    key: str
    title: str
    best: str = "smallest"


@dataclass(frozen=True)
class Row:
    """A method and its metrics, none where it does not apply."""

    method: str
    metrics: Mapping[str, float]
    parameters: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Rows that can be compared with each other, under a title."""

    title: str
    rows: list[Row] = field(default_factory=list)


def write_tables(
    folder: Path, name: str, sections: Sequence[Section], columns: Sequence[Column], introduction: str
) -> tuple[Path, Path]:
    """Write `folder/name.md`, to be read, and `folder/name.csv`, with all metrics in full; both appear when whole.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    name : str
        Of the files.
    sections : Sequence[Section]
        Rows.
    columns : Sequence[Column]
        Metrics of the Markdown table.
    introduction : str
        Text above the table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {".md": markdown(sections, columns, introduction), ".csv": comma_separated(sections)}
    paths = {suffix: folder / f"{name}{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        paths[suffix].with_suffix(f"{suffix}.tmp").write_text(text, encoding="utf-8")
    for suffix, path in paths.items():
        os.replace(path.with_suffix(f"{suffix}.tmp"), path)
    return paths[".md"], paths[".csv"]


def markdown(sections: Sequence[Section], columns: Sequence[Column], introduction: str) -> str:
    """Introduction and a table for each section; metrics that no row has are left out, notes stand below."""
    parts = [introduction]
    for section in sections:
        shown = [column for column in columns if any(column.key in row.metrics for row in section.rows)]
        best = {column.key: _best(section.rows, column) for column in shown}
        lines = [
            [
                row.method,
                millions(row.parameters),
                *(_cell(row.metrics, column.key, best[column.key]) for column in shown),
            ]
            for row in section.rows
        ]
        if section.title:
            parts.append(f"## {section.title}")
        parts.append(markdown_table(["method", "parameters", *(column.title for column in shown)], lines))
        notes = [f"- {row.method}: {row.note}" for row in section.rows if row.note]
        if notes:
            parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def comma_separated(sections: Sequence[Section]) -> str:
    """One line for each method of each section, with every metric in full."""
    keys = dict.fromkeys(key for section in sections for row in section.rows for key in row.metrics)
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["section", "method", "parameters", *keys, "note"])
    for section in sections:
        for row in section.rows:
            values = [row.metrics.get(key, "") for key in keys]
            parameters = "" if row.parameters is None else row.parameters
            writer.writerow([section.title, row.method, parameters, *values, row.note])
    return buffer.getvalue()


def _best(rows: Sequence[Row], column: Column) -> float | None:
    values = [row.metrics[column.key] for row in rows if column.key in row.metrics]
    if len(values) < 2:
        return None
    return min(values) if column.best == "smallest" else max(values)


def _cell(metrics: Mapping[str, float], key: str, best: float | None) -> str:
    if key not in metrics:
        return "n/a"
    text = _number(metrics[key])
    if metrics[key] == best:
        text = f"**{text}**"
    if f"{key}_low" in metrics:
        text += f" [{_number(metrics[f'{key}_low'])}, {_number(metrics[f'{key}_high'])}]"
    return text


def _number(value: float) -> str:
    """Three significant digits, without an exponent where it can be read without."""
    if 1e3 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".") if value else "0"


def millions(parameters: int | None) -> str:
    """Number of parameters as it is shown; empty where it is not known."""
    if parameters is None:
        return ""
    return str(parameters) if parameters < 10_000 else f"{parameters / 1e6:.2f} M"
