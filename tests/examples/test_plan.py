"""The estimate of a large run, and the page that shows it."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "benchmarks"))
    import plan

    return plan


def printed(plan, monkeypatch, capsys, *options: str) -> str:
    monkeypatch.setattr(sys, "argv", ["plan.py", *options])
    plan.main()
    return capsys.readouterr().out


def test_the_page_shows_what_the_script_prints(plan, monkeypatch, capsys):
    page = (ROOT / "docs" / "planning.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- plan -->\n(.*?)\n<!-- /plan -->", page, re.DOTALL)
    text = printed(plan, monkeypatch, capsys)
    table, parts = re.search(r"\n\n(\|.*\|)\n\nSpatial attention is (.*) of the operations", text, re.DOTALL).groups()
    assert shown[1] == table
    assert parts.split(" channels")[0] in " ".join(page.split())


def test_amounts_by_hand(plan, monkeypatch, capsys):
    options = ["--hours", "10", "--channels", "50", "--rate", "2000", "--cores", "2", "--passes", "1", "--gpus", "1"]
    options += ["--prepare-seconds", "36", "--detect-seconds", "72", "--cells-per-second", "1000", "--windows", "10"]
    lines = printed(plan, monkeypatch, capsys, *options).splitlines()
    # 10 h x 3600 s x 2000 Hz x 50 channels x 2 bytes; 6000 patches of 50 channels and 1500 samples of 4 bytes.
    assert "| recordings, 16 bit |  | 7.2 GB |" in lines[4]
    # As many samples as 100 channels at 1000 Hz, so 36 s for an hour of recording, by two cores.
    assert "| prepare, 2 cores | 0.05 h | 1.8 GB; reads 0.04 GB/s |" in lines[5]
    assert "(40 steps)" in lines[6]
    assert "| detect, shipped detector, 2 cores | 0.1 h |" in lines[7]


def test_amounts_that_cannot_be_are_refused(plan, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        printed(plan, monkeypatch, capsys, "--gpus", "8", "0")
    assert "--gpus is [8, 0]; it must be above 0" in capsys.readouterr().err


def test_only_spatial_attention_grows_with_the_channels(plan):
    def others(count):
        return plan.cell_flops(count) * (1 - plan.attention_part(count))

    assert others(1000) == pytest.approx(others(10))
    # Two products of as many queries as keys, width 2048, in 5 of 17 layers; forward and twice that backward.
    assert plan.cell_flops(1000) - plan.cell_flops(10) == pytest.approx(3 * 2 * 2 * 990 * 2048 * 5)
