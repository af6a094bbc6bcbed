"""Tables of events with tags of Hierarchical Event Descriptors, validated by hedtools."""

import json

import pytest

from brant_hf.events.tables import HED_VERSION, is_detection_table, read_event_file, write_bids_events, write_events

EVENTS = [
    {"onset": 3.0, "duration": 20.0, "confidence": 0.823, "channels": ["A1", "A2"]},
    {"onset": 50.0, "duration": 10.0, "confidence": None, "channels": None},
]
SEIZURE = "Epileptic-seizure"


@pytest.fixture(scope="module", params=[HED_VERSION, "score_2.2.0"])
def schema(request, tmp_path_factory):
    """That which tables name, and the newest that hedtools brings."""
    # Not at the top: it takes seconds, in each process that collects tests.
    hed = pytest.importorskip("hed")
    from hed.schema import hed_cache

    hed_cache.set_cache_directory(str(tmp_path_factory.mktemp("hed")))
    return hed.load_schema_version(request.param)


def tags_of(path, schema) -> list[str]:
    import hed

    sidecar = hed.Sidecar(str(path.with_suffix(".json")))
    assert sidecar.validate(schema) == []
    table = hed.TabularInput(str(path), sidecar)
    assert table.validate(schema) == []
    return table.series_a.tolist()


@pytest.mark.parametrize("write", [write_events, write_bids_events])
def test_tags_are_valid_and_tell_confidence(write, schema, tmp_path):
    import hed

    path = tmp_path / "sub-01_events.tsv"
    write(path, EVENTS, 100.0, hed=True)
    known = f"{SEIZURE}, (Computed-feature, Label/brant_hf_confidence, Probability/0.82)"
    assert tags_of(path, schema) == [known, SEIZURE]
    # hedtools knows a tag that is none.
    path.write_text(path.read_text().replace(SEIZURE, "Epileptic-seizures"))
    assert hed.TabularInput(str(path)).validate(schema)


def test_without_a_seizure_there_is_no_tag(schema, tmp_path):
    write_events(tmp_path / "e.tsv", [], 100.0, hed=True)
    assert tags_of(tmp_path / "e.tsv", schema) in ([""], ["n/a"])
    assert (tmp_path / "e.tsv").read_text().splitlines()[1].split("\t")[-1] == "n/a"


@pytest.mark.parametrize("write", [write_events, write_bids_events])
def test_they_read_as_without_tags(write, tmp_path):
    for name, tags in (("with", True), ("without", False)):
        write(tmp_path / f"{name}.tsv", EVENTS, 100.0, hed=tags)
    found, expected = (read_event_file(tmp_path / f"{name}.tsv") for name in ("with", "without"))
    assert (found, len(found.events)) == (expected, 2)


def test_the_mark_is_known(tmp_path):
    path = tmp_path / "e.tsv"
    write_events(path, EVENTS, 100.0, hed=True, searched=(0.0, 60.0), gaps=[(30.0, 40.0)])
    assert is_detection_table(path)
    assert all(isinstance(each, dict) for each in json.loads(path.with_suffix(".json").read_text()).values())
    known = read_event_file(path)
    assert (known.searched, known.gaps) == ((0.0, 60.0), [(30.0, 40.0)])
    write_events(path, [], 100.0)  # its own, with tags or without
    path.write_text(path.read_text() + "\n")
    assert not is_detection_table(path)
