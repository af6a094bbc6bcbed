from __future__ import annotations

from dataclasses import replace

import pytest

from brant_hf.data.dataset.contents import ContentRow, as_markdown, as_text, as_tsv


def rows(count: int) -> list[ContentRow]:
    """Recordings of an hour, each with a channel left out for a reason of its own."""
    return [
        ContentRow(
            source=f"r{i:03d}.edf",
            subject="s",
            recording=f"r{i:03d}",
            hours=1.0,
            windows=2,
            seizures=1,
            channels=["A1"],
            left_out={"A2": f"bad | <{i}>\tby hand"},
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("write", [as_text, as_markdown])
def test_of_many_recordings_the_first_are_shown_and_all_are_summed(write):
    text = write(rows(250))
    assert "s/r099 " in text
    assert "s/r100 " not in text
    total = next(line for line in text.splitlines() if "all 250" in line)
    assert total.replace("|", " ").split()[2:5] == ["250.000", "500", "250"]
    assert "150 more" in text
    assert "50 more lines like these; recordings.tsv has all" in text


def test_reasons_do_not_break_the_tables():
    (row,) = rows(1)
    assert as_tsv([row]).splitlines()[1].split("\t")[9] == "A2: bad | <0> by hand"
    assert "bad | &lt;0>" in as_markdown([row])


def test_recordings_without_marks_are_named():
    told, untold, short = (replace(row, labels_from="nobody", seizures=0, left_out={}) for row in rows(3))
    table = as_text([replace(told, labels_from="r000_events.tsv"), untold, replace(short, windows=0, reason="short")])
    (line,) = (each for each in table.splitlines() if each.startswith("no marks"))
    assert "no marks: s/r001: nobody tells whether there are seizures" in line
