"""Damaged files are read or refused; none ends in a traceback."""

import pytest
from benchmarks import fuzz

# Opening an NWB file takes fifty times as long as opening a table, and a checkpoint ten times.
SLOW = ("brainvision", "bids_channels", "bids_events", "bids_json", "preprocessor", "safetensors")
CASES = {"nwb": 100, **dict.fromkeys(SLOW, 200)}


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_a_damaged_file_is_read_or_refused_in_words(kind):
    if kind == "nwb":
        pytest.importorskip("pynwb")
    assert fuzz.faults_of(kind, CASES.get(kind, 300)) == []
