"""Damaged files are read or refused; none ends in a traceback."""

import pytest
from benchmarks import fuzz

# Opening an NWB file takes fifty times as long as opening a table.
CASES = {"nwb": 100, "brainvision": 200, "bids_channels": 200, "bids_events": 200, "bids_json": 200}


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_a_damaged_file_is_read_or_refused_in_words(kind):
    if kind == "nwb":
        pytest.importorskip("pynwb")
    assert fuzz.faults_of(kind, CASES.get(kind, 300)) == []
