"""A part of a recording (`--start`, `--stop`): what was not searched is neither found nor missed."""

import json

from brant_hf.detection import read_event_file, write_events

EVENTS = [{"onset": onset, "duration": 4.0} for onset in (2.0, 13.0, 30.0)]


def test_only_the_part_that_was_searched_is_scored(run, write_edf, noise, checkpoint, tmp_path):
    """Of three reference events one lies before the part of 10 to 32 s, and one ends after it."""
    recording, table = write_edf(tmp_path / "night.edf", noise(2, 4000), 100), tmp_path / "events.tsv"
    write_events(tmp_path / "reference.tsv", EVENTS, 40.0)
    options = ("--model", checkpoint, "--threshold", "0.001", "--start", "10", "--stop", "32")
    status, out, err = run("detect", recording, table, *options, "--annotations", tmp_path / "reference.tsv")
    assert status == 0, err
    part = (
        "note: only the part that was searched is compared, 22.00 of 40.00 s; 1 reference event not counted; "
        "1 reference event cut at its border"
    )
    assert part in out
    assert read_event_file(table).duration == 40.0
    assert read_event_file(table).searched == (10.0, 32.0)
    status, again, _ = run("score", tmp_path / "reference.tsv", table)
    # The same lines as of `detect`, which ends with what it has written.
    assert again.partition("as they are")[2] in out
    assert "2 of 2 reference events found; 1 detected" in again
    found = json.loads(run("score", tmp_path / "reference.tsv", table, "--json")[1])["pooled"]
    # 4 s and 2 s of the reference lie in the 22 s.
    assert (found["sample"]["ref_true"], found["sample"]["duration"]) == (6, 22.0)
    assert [each["onset"] for each in found["events"]["matches"]] == [13.0, 30.0]
    assert (found["events"]["not_searched"], found["events"]["num_outside"], found["events"]["num_cut"]) == (18, 1, 1)


def test_a_whole_recording_has_no_part(run, write_edf, noise, checkpoint, tmp_path):
    recording, table = write_edf(tmp_path / "night.edf", noise(2, 1000), 100), tmp_path / "events.tsv"
    assert run("detect", recording, table, "--model", checkpoint)[0] == 0
    assert read_event_file(table).searched is None
    assert "Searched" not in json.loads(table.with_suffix(".json").read_text())


def test_parts_of_tables(run, tmp_path):
    reference, table = tmp_path / "reference.tsv", tmp_path / "events.tsv"
    write_events(reference, EVENTS, 40.0, searched=(0.0, 8.0))
    write_events(table, [{"onset": 14.0, "duration": 3.0}], 40.0, searched=(10.0, 32.0))
    status, _, err = run("score", reference, table)
    assert status == 2
    assert "parts of the recording that share no moment" in err
    # Who corrects the table, or writes another one, may have looked at more.
    table.write_text(table.read_text().replace("14.00", "15.00"))
    write_events(reference, EVENTS, 40.0)
    status, out, err = run("score", reference, table)
    assert status == 0
    assert "the table was changed since, so it counts for the whole recording" in err
    assert "1 of 3 reference events found" in out


def test_gaps_that_a_table_notes_count_neither_as_time_nor_as_false_alarms(run, tmp_path):
    """Of 40 s, 12 s are gaps. One event lies in a gap, one is right, one is a false alarm of 4 s."""
    reference, table = tmp_path / "reference.tsv", tmp_path / "events.tsv"
    write_events(reference, EVENTS[:1], 40.0)
    events = [*EVENTS[:1], {"onset": 11.0, "duration": 5.0}, {"onset": 30.0, "duration": 4.0}]
    write_events(table, events, 40.0, gaps=[(10.0, 20.0), (36.0, 38.0)])
    assert read_event_file(table).gaps == [(10.0, 20.0), (36.0, 38.0)]
    found = json.loads(run("score", reference, table, "--json")[1])["pooled"]
    assert (found["sample"]["tp"], found["sample"]["fp"], found["sample"]["duration"]) == (4, 4, 28.0)
    write_events(table, events, 40.0, searched=(8.0, 40.0), gaps=[(10.0, 20.0), (36.0, 38.0)])
    found = json.loads(run("score", reference, table, "--json")[1])["pooled"]
    assert (found["sample"]["tp"], found["sample"]["fp"], found["sample"]["duration"]) == (0, 4, 20.0)
