import json
import os
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import read_event_file, read_events, to_annotations, write_bids_events, write_events
from brant_hf.events.remarks import seizures_from_events
from brant_hf.events.rows import read_event_rows
from brant_hf.events.tables import is_detection_table

START = datetime(2020, 2, 29, 23, 59, 58)
EVENTS = [
    {"onset": 12.0, "duration": 30.5, "confidence": 0.876, "channels": ["A1", "A2", "B10"]},
    {"onset": 100.123, "duration": 0.5, "confidence": None, "channels": []},
]
HEADER = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"


def test_table(tmp_path):
    path = tmp_path / "events.tsv"
    write_events(path, EVENTS[::-1], 600.0, start=START)
    assert path.read_text() == (
        HEADER + "12.00\t30.50\tsz\t0.88\tA1,A2,B10\t2020-02-29 23:59:58\t600.00\n"
        "100.12\t0.50\tsz\tn/a\tn/a\t2020-02-29 23:59:58\t600.00\n"
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["events.json", "events.tsv"]


def test_table_without_events(tmp_path):
    write_events(tmp_path / "events.tsv", [], 86400)
    row = "0.00\t86400.00\tbckg\tn/a\tn/a\tn/a\t86400.00\n"
    assert (tmp_path / "events.tsv").read_text() == HEADER + row


def test_rounding_keeps_an_event_inside_the_recording(tmp_path):
    write_events(tmp_path / "events.tsv", [{"onset": 1.006, "duration": 8.998}], 10.004)
    # 1.01 + 8.99 = 10.00; rounded on its own, the duration would be 9.00 and pass the end.
    assert "1.01\t8.99\tsz" in (tmp_path / "events.tsv").read_text()


def test_read_what_was_written(tmp_path):
    write_events(tmp_path / "events.tsv", EVENTS, 600.0, start=START)
    read = read_event_file(tmp_path / "events.tsv")
    assert (read.duration, read.start) == (600.0, START)
    assert read.events == [
        {"onset": 12.0, "duration": 30.5, "confidence": 0.88, "channels": ["A1", "A2", "B10"]},
        {"onset": 100.12, "duration": 0.5, "confidence": None, "channels": []},
    ]
    write_events(tmp_path / "none.tsv", [], 600.0)
    assert read_events(tmp_path / "none.tsv") == []
    (tmp_path / "header.tsv").write_text("onset\tduration\ttrial_type\n")
    assert read_events(tmp_path / "header.tsv") == []
    assert read_event_file(tmp_path / "none.tsv").duration == 600.0


def test_epilepsy2bids_reads_the_table(tmp_path):
    annotations = pytest.importorskip("epilepsy2bids.annotations")
    write_events(tmp_path / "events.tsv", EVENTS, 600.0, start=START)
    read = annotations.Annotations.loadTsv(str(tmp_path / "events.tsv"))
    first, second = read.events
    assert first["eventType"].value == "sz"
    assert first["channels"] == ["A1", "A2", "B10"]
    assert (first["confidence"], first["dateTime"], first["recordingDuration"]) == (0.88, START, 600.0)
    assert (second["channels"], second["confidence"]) == ("n/a", pytest.approx(np.nan, nan_ok=True))
    assert read.getEvents() == [(12.0, 42.5), (100.12, pytest.approx(100.62))]
    # Written again by its own writer, the table is the same but for the confidence that pandas reads as NaN.
    read.saveTsv(str(tmp_path / "again.tsv"))
    again = (tmp_path / "again.tsv").read_text().replace("\tnan\t", "\tn/a\t")
    assert again == (tmp_path / "events.tsv").read_text()

    write_events(tmp_path / "none.tsv", [], 600.0)
    none = annotations.Annotations.loadTsv(str(tmp_path / "none.tsv"))
    assert [event["eventType"].value for event in none.events] == ["bckg"]
    assert none.getEvents() == []
    assert not none.getMask(1).any()


def test_tables_of_epilepsy2bids_are_read(tmp_path):
    annotations = pytest.importorskip("epilepsy2bids.annotations")
    annotations.Annotations.loadEvents([(5.0, 20.0), (40.0, 50.0)], 60.0).saveTsv(str(tmp_path / "events.tsv"))
    read = read_event_file(tmp_path / "events.tsv")
    assert [(event["onset"], event["duration"]) for event in read.events] == [(5, 15), (40, 10)]
    assert read.duration == 60.0


def test_names_that_would_break_the_table(tmp_path):
    event = {"onset": 1.0, "duration": 2.0, "channels": ["A,1", 'B"\t2', "C 3"]}
    with pytest.warns(UserWarning, match="written as _"):
        write_events(tmp_path / "events.tsv", [event], 10.0)
    assert read_events(tmp_path / "events.tsv")[0]["channels"] == ["A_1", "B__2", "C 3"]


def test_bids_tables_are_read(tmp_path):
    path = tmp_path / "sub-01_events.tsv"
    path.write_text("onset\tduration\ttrial_type\n3.0\t0\tseizure onset\n9.5\t0\tseizure offset\n20\t5\tbutton\n")
    assert read_events(path) == [{"onset": 3.0, "duration": 6.5, "confidence": None, "channels": []}]
    path.write_text("onset\tduration\ttrial_type\tchannels\n3.0\t4.0\tseizure\tA1,A2\n")
    assert read_events(path) == [{"onset": 3.0, "duration": 4.0, "confidence": None, "channels": ["A1", "A2"]}]


@pytest.mark.parametrize(
    "table",
    [
        "onset\tduration\ttrial_type\tvalue\n5\t4\tn/a\tseizure\n",
        "onset\tduration\ttrial_type\tevent_type\n5\t4\tclinical\tseizure\n",
        "onset\tduration\ttrial_type\tHED\n5\t4\tn/a\tEpileptic-seizure\n",
        "onset\tduration\tvalue\tHED\n5\t4\t7\t(Sensory-event, Seizure)\n",
        "onset\tduration\ttrial_type\tvalue\n5\t0\tseizure\tonset\n9\t0\tseizure\toffset\n",
        "onset\tduration\ttrial_type\tseizure\n1\t2\tpicture\t0\n5\t4\tpicture\t1\n",
        "Onset\tDuration\tTrial_Type\r\n 5 \t4\t Seizure\r\n",
        "\ufeffonset\tduration\ttrial_type\n5\t4\tseizure\n\n",
        "onset\tduration\ttrial_type\n5,00\t4,0\tseizure\n",
        # A quotation mark that nobody closes, and a pair of them over two rows, join no rows.
        'onset\tduration\ttrial_type\n1\t2\t"eyes\n5\t4\tseizure\n',
        'onset\tduration\ttrial_type\n1\t2\t"eyes\n5\t4\tseizure\n12\t4\topen"\n',
        'onset\tduration\ttrial_type\n5\t4\t"seizure\n left"\n',
        "onset,duration,trial_type\n5.0,4,seizure\n",
        'onset;duration;trial_type;channels\n5,0;4;seizure;"A1"\n',
        "onset\tstop\ttrial_type\n5\t9\tseizure\n",
        "onset (s)\tend_s\tduration\ttrial_type\n5\t9\tn/a\tseizure\n",
        "Start Time,End Time,Label\n5,9,seizure\n",
        "StartTime\tStopTime\tLabel\n5\t9\tseizure\n",
        # TUSZ.
        "# version = csv\n#\n\nchannel,start_time,stop_time,label,confidence\nTERM,0,5,bckg,1\nTERM,5,9,seiz,1\n",
    ],
)
def test_every_way_to_write_a_seizure(tmp_path, table):
    path = tmp_path / "events.tsv"
    path.write_bytes(table.encode())
    recording = open_recording(np.ones((1, 6000)), 100.0, ["A1"], path)
    assert [seizure[:2] for seizure in recording.seizures] == [(5.0, 9.0)]
    assert recording.seizures[0][2] in (None, ["A1"])
    assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(5.0, 4.0)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_tables_of_spreadsheets(tmp_path, encoding):
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\n5\t4\tépileptique seizure\n", encoding=encoding)
    assert len(read_events(path)) == 1


def test_a_table_in_another_encoding_keeps_its_seizures(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_bytes("onset\tduration\ttrial_type\n1\t0\töffnet Augen\n5\t4\tseizure\n".encode("latin-1"))
    with pytest.warns(UserWarning, match="is not in UTF-8"):
        assert [event["onset"] for event in read_events(path)] == [5.0]


@pytest.mark.parametrize("column", ["channels", "Channel", "electrodes", "contacts"])
def test_columns_that_name_channels(tmp_path, column):
    path = tmp_path / "events.tsv"
    path.write_text(f"onset\tduration\ttrial_type\t{column}\n5\t4\tseizure\tA1; A2\n")
    assert read_events(path)[0]["channels"] == ["A1", "A2"]


def test_an_end_that_contradicts_the_duration_is_told(tmp_path, recwarn):
    path = tmp_path / "events.tsv"
    rows = (
        "2\t1\t9\tpicture\n5\t4\t30\tseizure\n40\t3.2\t44\tseizure\n50\tn/a\t58\tseizure\n60\t2\t10:01:02\tseizure\n"
    )
    path.write_text("onset\tduration\toffset\ttrial_type\n" + rows)
    assert [event["duration"] for event in read_events(path)] == pytest.approx([4.0, 3.2, 8.0, 2.0])
    (told,) = {str(each.message) for each in recwarn}
    assert "the end of 1 of its 5 rows is not that" in told
    assert "5 s and 4 s make 9 s, and its column 'offset' says 30 s" in told


def test_numbers_that_come_back_are_codes_and_count_no_seizures(tmp_path):
    path = tmp_path / "events.tsv"
    lines = [f"{10 * row}\t5\tpicture\t{code}" for row, code in enumerate((1, 2, 2, 1, 0, 2), start=1)]
    path.write_text("onset\tduration\ttrial_type\tseizure\n" + "\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match="seizure has the numbers 1, 2, which come back"):
        rows = read_event_rows(path)
    assert [row.text for row in rows] == ["picture"] * 6
    assert not any(row.further for row in rows)


@pytest.mark.parametrize("kind", ["clin", "subclin", "n/a"])
@pytest.mark.filterwarnings("error")
def test_kinds_of_seizures_in_a_column_beside_the_type(tmp_path, kind):
    # As in OpenNeuro ds003848.
    path = tmp_path / "events.tsv"
    path.write_text(f"onset\tduration\ttrial_type\tsub_type\n10\t12\tseizure\t{kind}\n40\t3\tsleep\tnrem\n")
    assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(10, 12)]


@pytest.mark.parametrize("column", ["seizure", "sz", "Seizure"])
def test_a_column_that_numbers_the_seizures(tmp_path, column):
    path = tmp_path / "events.tsv"
    path.write_text(f"{column},start,end\n1,10,20\n2,100,130\n3,200,201.5\n")
    assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(10, 10), (100, 30), (200, 1.5)]


def test_a_seizure_that_ends_before_it_begins_is_told(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text("onset\toffset\ttrial_type\n30\t20\tseizure\n50\t40\tpicture\n")
    with pytest.warns(UserWarning, match=r"'seizure' at 30\.00 s ends 10\.00 s before it begins") as caught:
        stated = seizures_from_events(read_event_rows(path), "rec")
    assert stated.seizures == [(30.0, None, None)]
    assert len(caught) == 1


def test_a_line_without_a_header_is_refused(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text("10\t20\tseizure\n")
    with pytest.raises(ValueError, match="has the columns 10, 20, seizure; expected onset"):
        read_event_rows(path)
    path.write_text("onset\tduration\ttrial_type\n")
    assert read_event_rows(path) == []


def test_a_seizure_without_onset_is_told(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\nn/a\t4\tseizure\nn/a\t4\tpicture\n5\t4\tseizure\n")
    with pytest.warns(UserWarning, match=r"1 events that speak of a seizure \('seizure'\) have no onset"):
        assert [event["onset"] for event in read_events(path)] == [5.0]


def test_szcore_events_in_doubt_are_told(tmp_path):
    (tmp_path / "events.tsv").write_text(HEADER + "5\t3\tSeizure?\tn/a\tn/a\tn/a\t60\n")
    with pytest.warns(UserWarning, match="'Seizure\\?' are not taken as seizures"):
        read = read_event_file(tmp_path / "events.tsv")
    assert (read.events, read.uncertain) == ([], [(5.0, 8.0)])


@pytest.mark.parametrize(
    "described",
    [
        {"value": {"Levels": {"1": "Epileptic seizure", "2": "rest"}}},
        {"Value": {"Levels": {"1": {"Description": "Epileptic seizure", "TermURL": "https://example.org"}}}},
        {"value": {"HED": {"1": "(Sensory-event, Epileptic-seizure)"}}},
        {"value": {"Levels": {"1": "seizure"}}, "onset": {"Units": "s"}, "duration": {"Units": "s"}},
    ],
)
def test_codes_mean_what_the_description_of_the_table_says(tmp_path, described):
    (tmp_path / "events.tsv").write_text("onset\tduration\tvalue\n1\t2\t2\n5\t4\t1\n")
    (tmp_path / "events.json").write_text(json.dumps(described))
    assert [(event["onset"], event["duration"]) for event in read_events(tmp_path / "events.tsv")] == [(5.0, 4.0)]


def test_units_of_the_description(tmp_path):
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n5000\t4\tseizure\n")
    (tmp_path / "events.json").write_text(json.dumps({"onset": {"Units": "ms"}}))
    assert [(event["onset"], event["duration"]) for event in read_events(tmp_path / "events.tsv")] == [(5.0, 4.0)]
    (tmp_path / "events.json").write_text(json.dumps({"onset": {"Units": "samples"}}))
    with pytest.raises(ValueError, match="onset is in 'samples'; expected s, ms, min"):
        read_events(tmp_path / "events.tsv")
    (tmp_path / "events.json").write_text("{")
    with pytest.warns(UserWarning, match="passed over"):
        assert read_events(tmp_path / "events.tsv")[0]["onset"] == 5000.0


def test_a_time_of_day_is_refused(tmp_path):
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n10:02:03\t4\tseizure\n")
    with pytest.raises(ValueError, match="'10:02:03' in the column onset is not a number; write seconds"):
        read_events(tmp_path / "events.tsv")


@pytest.mark.parametrize("event", [{"onset": 1.001, "duration": 0.003}, {"onset": 9.998, "duration": 0.002}])
def test_an_event_shorter_than_the_decimals_keeps_a_length(tmp_path, event):
    write_events(tmp_path / "events.tsv", [event], 10.0)
    (read,) = read_events(tmp_path / "events.tsv")
    assert read["duration"] == 0.01
    assert read["onset"] == pytest.approx(event["onset"], abs=0.011)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "is empty"),
        ("hello\n", "expected onset, duration"),
        ("a\tb\n1\t2\n", "expected onset, duration"),
        (HEADER + "5\tn/a\tsz\tn/a\tn/a\tn/a\t60\n", "duration nan s"),
        (HEADER + "-5\t3\tsz\tn/a\tn/a\tn/a\t60\n", "onset -5 s"),
        (HEADER + "x\t3\tsz\tn/a\tn/a\tn/a\t60\n", "'x' in the column onset is not a number"),
        (HEADER + "5\t3\tsz\tn/a\tn/a\tn/a\t60\n9\t3\tsz\tn/a\tn/a\tn/a\t70\n", "several durations"),
        (HEADER + "65\t3\tsz\tn/a\tn/a\tn/a\t60\n", "begins after the 60.00 s"),
        (HEADER + "5\t3\tsz\tn/a\tn/a\tn/a\t-1\n", "recordingDuration is -1"),
        ("onset\tduration\ttrial_type\n3.0\t0\tseizure onset\n", "seizure at 3.00 s has no end"),
        ("onset\tduration\ttrial_type\n1,234\t5\tseizure\n", "'1,234' in the column onset .* with a point"),
        ("onset\tduration\ttrial_type\n1.234,5\t5\tseizure\n", r"'1\.234,5' in the column onset .* with a point"),
    ],
)
def test_tables_that_are_refused(tmp_path, rows, message):
    (tmp_path / "events.tsv").write_text(rows)
    with pytest.raises(ValueError, match=message):
        read_events(tmp_path / "events.tsv")


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.tsv does not exist"):
        read_events(tmp_path / "nothing.tsv")


@pytest.mark.parametrize(
    "event", [{"onset": 5.0, "duration": 0.0}, {"onset": -1.0, "duration": 2.0}, {"onset": 8.0, "duration": 3.0}]
)
def test_impossible_events_leave_the_old_file(tmp_path, event):
    path = tmp_path / "events.tsv"
    write_events(path, [], 10.0)
    old = {each.name: each.read_text() for each in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"expected it inside the 10|a duration above 0"):
        write_events(path, [event], 10.0)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == old


def test_written_tables_are_known_as_detections_until_somebody_changes_them(tmp_path):
    table = tmp_path / "events.tsv"
    for write in (write_events, write_bids_events):
        write(table, EVENTS, 600.0)
        assert is_detection_table(table)
    table.write_text(table.read_text().replace("12.00", "13.00"))
    assert not is_detection_table(table)


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_a_table_that_is_written_anew_never_lies_beside_the_mark_of_another(tmp_path, monkeypatch, killed_at):
    table = tmp_path / "events.tsv"
    write_events(table, EVENTS, 600.0)
    steps, original = iter(range(3)), {"replace": os.replace, "unlink": Path.unlink}

    class Killed(BaseException):
        pass

    def step(name):
        def take(*args, **options):
            if next(steps, killed_at) == killed_at:
                # What follows an exception is done by nobody after SIGKILL.
                monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
                raise Killed
            return original[name](*args, **options)

        return take

    monkeypatch.setattr(os, "replace", step("replace"))
    monkeypatch.setattr(Path, "unlink", step("unlink"))
    with pytest.raises(Killed):
        write_events(table, [], 600.0)
    monkeypatch.undo()
    assert not table.exists() or is_detection_table(table)
    write_events(table, [], 600.0)
    assert is_detection_table(table)


@pytest.mark.parametrize("mark", [None, "", "[]", "{}", '{"GeneratedBy": []}', '{"GeneratedBy": [{"Name": "other"}]}'])
def test_tables_of_others_are_no_detections(tmp_path, mark):
    table = tmp_path / "events.tsv"
    table.write_text(HEADER + "5.00\t3.00\tsz\t0.50\tn/a\tn/a\t60.00\n")
    if mark is not None:
        (tmp_path / "events.json").write_text(mark)
    assert not is_detection_table(table)
    assert not is_detection_table(tmp_path / "nothing.tsv")


@pytest.mark.parametrize("name", ["events.tsv", "events.json"])
def test_what_others_wrote_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("an expert's work")
    for write in (write_events, write_bids_events):
        with pytest.raises(FileExistsError, match=name):
            write(tmp_path / "events.tsv", EVENTS, 600.0)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "an expert's work")]
    write_events(tmp_path / "events.tsv", EVENTS, 600.0, overwrite=True)
    assert is_detection_table(tmp_path / "events.tsv")


def test_detections_become_labels_only_where_they_are_given_and_never_in_silence(tmp_path):
    np.savez(tmp_path / "rec.npz", data=np.random.default_rng(0).normal(size=(2, 20_000)), sampling_rate=250.0)
    write_events(tmp_path / "rec_events.tsv", [{"onset": 5.0, "duration": 10.0}], 80.0)
    assert open_recording(tmp_path / "rec.npz", subject="a").seizures == []
    with pytest.warns(UserWarning, match=r"rec_events\.tsv holds what was detected, unchanged"):
        given = open_recording(tmp_path / "rec.npz", subject="a", seizures=tmp_path / "rec_events.tsv")
    assert given.seizures == [(5.0, 15.0, None)]
    (tmp_path / "rec_events.json").unlink()
    assert open_recording(tmp_path / "rec.npz", subject="a").seizures == [(5.0, 15.0, None)]


def test_a_table_is_parsed_once(tmp_path, monkeypatch):
    path = tmp_path / "sub-01_events.tsv"
    path.write_text("onset\tduration\ttrial_type\n3.0\t6.5\tseizure\n")
    opened, original = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *args, **kwargs: opened.append(self) or original(self, *args, **kwargs)
    )
    assert len(read_events(path)) == 1
    assert opened.count(path) == 1


def test_annotations():
    import mne

    annotations = to_annotations(EVENTS)
    assert list(annotations.onset) == [12.0, 100.123]
    assert list(annotations.description) == ["seizure", "seizure"]
    assert list(annotations.ch_names) == [("A1", "A2", "B10"), ()]
    assert [extra["confidence"] for extra in annotations.extras] == [0.876, None]
    raw = mne.io.RawArray(np.zeros((3, 2000)), mne.create_info(["A1", "A2", "B10"], 10.0), verbose="error")
    raw.set_annotations(annotations)
    assert raw.annotations.duration[0] == 30.5
    assert list(to_annotations(EVENTS, with_channels=False).ch_names) == [(), ()]
    assert len(to_annotations([])) == 0


def test_bids_events(tmp_path):
    write_bids_events(tmp_path / "sub-01_events.tsv", EVENTS, 600.0)
    assert (tmp_path / "sub-01_events.tsv").read_text() == (
        "onset\tduration\ttrial_type\tconfidence\tchannels\n"
        "12.00\t30.50\tseizure\t0.88\tA1,A2,B10\n100.12\t0.50\tseizure\tn/a\tn/a\n"
    )
    description = json.loads((tmp_path / "sub-01_events.json").read_text())
    assert {"onset", "duration", "trial_type", "confidence", "channels", "GeneratedBy"} < set(description)
    assert [event["onset"] for event in read_events(tmp_path / "sub-01_events.tsv")] == [12.0, 100.12]
    with pytest.raises(ValueError, match=r"ends with \.tsv"):
        write_bids_events(tmp_path / "events.csv", EVENTS, 600.0)


def test_columns_of_other_names_are_read_where_they_are_described(tmp_path):
    (tmp_path / "events.tsv").write_text("onset\tduration\tfinding\tchannel\n1\t2\tmusc\tA1\n5\t4\ttcs\tA1 A2\n")
    described = {
        "finding": {
            "HED": {"musc": "EMG-artifact", "tcs": "({duration}, (sc:Tonic-clonic-seizure, (Label/x,{channel})))"}
        },
        "channel": {"Delimiter": " "},
    }
    (tmp_path / "events.json").write_text(json.dumps(described))
    event = read_events(tmp_path / "events.tsv")[0]
    assert (event["onset"], event["duration"], event["channels"]) == (5.0, 4.0, ["A1", "A2"])


def test_tags_in_groups_are_read(tmp_path):
    (tmp_path / "events.tsv").write_text(
        "onset\tduration\tHED\n1\t2\t(Event/Sensory-event, Red)\n5\t4\t(Red,(Seizure))\n"
    )
    assert [event["onset"] for event in read_events(tmp_path / "events.tsv")] == [5.0]


def test_rows_without_a_header_of_tusz(tmp_path):
    (tmp_path / "night.tse").write_text("version = tse_v1.0.0\n\n0.0 5.0 bckg 1.0\n5.0 9.5 fnsz 1.0\n")
    events = read_events(tmp_path / "night.tse")
    assert [(event["onset"], event["duration"]) for event in events] == [(5.0, 4.5)]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None, 60.0), {}, "an event is None; expected a dictionary with onset and duration"),
        (([3], 60.0), {}, "an event is 3; expected"),
        (([{"onset": 1, "duration": 2, "confidence": "high"}], 60.0), {}, "'high'.*expected a dictionary"),
        (([], None), {}, "duration of the recording is None s; it must be a number"),
        (([], 60.0), {"start": "2021-03-04"}, "start is '2021-03-04'; expected the datetime"),
        (([], 60.0), {"searched": 3}, "searched has 3; expected start and stop in seconds"),
        (([], 60.0), {"gaps": [5, 6]}, "gaps has 5; expected start and stop in seconds"),
    ],
)
def test_arguments_of_a_kind_that_does_not_fit_write_nothing(tmp_path, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        write_events(tmp_path / "e.tsv", *arguments, **options)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_path_is_refused():
    with pytest.raises(ValueError, match="None is no path; expected that of the file to write"):
        write_events(None, [], 60.0)
    with pytest.raises(ValueError, match="3 is no path; expected that of a table of events"):
        read_events(3)


def test_one_event_needs_no_list(tmp_path):
    write_events(tmp_path / "e.tsv", {"onset": 1.0, "duration": 2.0}, 60.0)
    assert [(event["onset"], event["duration"]) for event in read_events(tmp_path / "e.tsv")] == [(1.0, 2.0)]


@pytest.mark.parametrize(
    ("begin", "end", "encoding"),
    [
        ("发作开始", "发作结束", "gb18030"),
        ("начало приступа", "конец приступа", "cp1251"),
        ("debut crise", "fin de crise à droite", "cp1252"),
    ],
)
@pytest.mark.parametrize("between", ["\t", ","])
def test_a_table_that_is_not_in_utf_8_is_read_with_a_warning(tmp_path, begin, end, encoding, between):
    rows = (("onset", "duration", "trial_type"), ("10", "0", begin), ("20", "0", end))
    path = tmp_path / "a_events.tsv"
    path.write_bytes("\n".join(map(between.join, rows)).encode(encoding))
    with pytest.warns(UserWarning, match="not in UTF-8.*save it in UTF-8"):
        assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(10.0, 10.0)]


@pytest.mark.parametrize(
    "text",
    [
        "onset (s)\tduration (s)\teventType\n100\t40\tsz\n",
        "onset_ms\tduration_ms\teventType\n100000\t40000\tsz\n",
        "start\tstop\teventType\n100\t140\tsz\n",
        "t_start;t_end;eventType\n100,0;140,0;sz\n",
        "seizure_onset,seizure_end,eventType\n100,140,sz\n",
    ],
)
def test_tables_of_szcore_with_other_columns_of_times(tmp_path, text):
    path = tmp_path / "events.tsv"
    path.write_text(text)
    assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(100, 40)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("100\tn/a\tsz\tn/a", "the seizure at 100 s has the duration nan s; write how long it lasts"),
        ("100\t-40\tsz\tn/a", "the seizure at 100 s has the duration -40 s; write how long it lasts"),
        ("100\t40\tsz\thigh", "'high' in the column confidence is not a number; expected a number from 0 to 1"),
    ],
)
def test_what_a_row_of_szcore_lacks_is_named(tmp_path, row, message):
    path = tmp_path / "events.tsv"
    path.write_text(f"onset\tduration\teventType\tconfidence\n{row}\n")
    with pytest.raises(ValueError, match=message):
        read_events(path)


@pytest.mark.parametrize(
    ("column", "kind", "told"),
    [
        ("eventType", "1", "tells of no seizure, and of no background: the eventType of its 1 row is '1'"),
        ("eventType", "", "tells of no seizure, and of no background: the eventType of its 1 row is ''"),
        ("trial_type", "1", "tells of no seizure, but its events are codes"),
    ],
)
def test_kinds_that_nothing_explains_are_told(tmp_path, column, kind, told):
    path = tmp_path / "events.tsv"
    path.write_text(f"onset\tduration\t{column}\n100\t40\t{kind}\n")
    with pytest.warns(UserWarning, match=told):
        assert read_events(path) == []


@pytest.mark.parametrize("kinds", [["bckg"], ["impd", "bckg"], ["sz", "impd"]])
def test_kinds_of_szcore_are_not_told(tmp_path, kinds, recwarn):
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\teventType\n" + "".join(f"100\t40\t{kind}\n" for kind in kinds))
    assert len(read_events(path)) == kinds.count("sz")
    assert not recwarn


@pytest.mark.parametrize("column", ["file", "filename", "participant_id", "recording"])
@pytest.mark.parametrize("kind", ["eventType", "trial_type"])
def test_a_table_of_several_recordings_is_refused(tmp_path, column, kind):
    path = tmp_path / "events.tsv"
    path.write_text(f"onset\tduration\t{kind}\t{column}\n100\t40\tsz\ta\n300\t40\tsz\tb\n")
    for read in (read_events, read_event_rows):
        with pytest.raises(ValueError, match=rf"holds the events of 2 recordings \(a, b, by its column '{column}'\)"):
            read(path)
    path.write_text(f"onset\tduration\t{kind}\t{column}\n100\t40\tsz\ta\n300\t40\tsz\ta\n")
    assert len(read_event_rows(path)) == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(tmp_path, encoding):
    path = tmp_path / "events.tsv"
    path.write_bytes("onset\tduration\ttrial_type\n10\t20\tdébut de crise\n".encode(encoding))
    (event,) = read_event_rows(path)
    assert (event.onset, event.duration, event.text) == (10.0, 20.0, "début de crise")


@pytest.mark.parametrize("beginning", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_spreadsheet_is_named_as_such(tmp_path, beginning):
    path = tmp_path / "events.tsv"
    path.write_bytes(beginning + bytes(100))
    with pytest.raises(ValueError, match=r"is a spreadsheet; save it as text"):
        read_event_rows(path)


@pytest.mark.parametrize(
    ("column", "onset"),
    [("onset_us", 9e6), ("Onset (h)", 0.0025), ("onset [sec.]", 9), ("onset (µs)", 9e6), ("Start min", 0.15)],
)
def test_more_units_of_columns(tmp_path, column, onset):
    path = tmp_path / "events.tsv"
    path.write_text(f"{column}\tduration\ttrial_type\n{onset}\t4\tseizure\n", encoding="utf-8")
    assert [(event["onset"], event["duration"]) for event in read_events(path)] == [(pytest.approx(9), 4)]


def test_a_table_about_another_recording_is_told(tmp_path):
    np.savez(tmp_path / "rec.npz", signal=np.random.default_rng(0).normal(0, 50, (2, 6000)), fs=100.0)
    path = tmp_path / "rec_found.tsv"
    for stated in ("60.4", "3600"):
        path.write_text(f"onset\tduration\teventType\trecordingDuration\n10\t20\tsz\t{stated}\n")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert open_recording(tmp_path / "rec.npz", seizures=path, subject="P").seizures == [(10.0, 30.0, None)]
        told = [str(each.message) for each in caught]
        expected = "rec: rec_found.tsv is about a recording of 3600 s, and this one lasts 60.00 s; "
        assert [text.startswith(expected) for text in told] == [True] * (stated == "3600")


def test_a_table_of_another_patient_by_its_name_is_told(tmp_path):
    np.savez(tmp_path / "sub-01_run-2.npz", signal=np.random.default_rng(0).normal(0, 50, (2, 6000)), fs=100.0)
    path = tmp_path / "sub-01_run-1_events.tsv"
    path.write_text("onset\tduration\ttrial_type\n10\t20\tsz\n")
    with pytest.warns(UserWarning, match=r"by its name .* is about another recording \(run-2 and run-1\); its events"):
        assert open_recording(tmp_path / "sub-01_run-2.npz", seizures=path).seizures == [(10.0, 30.0, None)]
