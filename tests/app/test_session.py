import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

import brant_hf
from brant_hf.app import search as search_module
from brant_hf.app.parts import closer_figure, event_choices, queue_html, result_html
from brant_hf.app.search import write
from brant_hf.app.serving import serve
from brant_hf.app.session import Session, Sessions
from brant_hf.detection import read_events

DEMO = Path(brant_hf.__file__).parent / "assets" / "demo" / "sub-demo_task-szMonitoring_ieeg.edf"


def uploaded(folder: Path, *names: str) -> list[Path]:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"no recording")
    return [folder / name for name in names]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A session after its work: a recording with a table of events beside it, and a file that is none."""
    folder = tmp_path_factory.mktemp("app")
    files = uploaded(folder / "up", "broken.edf")
    for file in DEMO.parent.glob("sub-demo*"):
        files.append(Path(shutil.copy(file, folder / "up")))
    session = Session(folder / "session")
    session.add_uploads(files)
    session.work("shipped")
    return session, files


def test_a_bad_file_gets_the_line_of_the_command_line_and_stops_no_other(searched):
    session, _ = searched
    broken, good = session.items
    assert (broken.state, good.state) == ("failed", "done")
    assert broken.told[0].startswith("broken.edf is not an EDF file")
    assert "failed: broken.edf is not an EDF file" in queue_html(session.items)


def test_outputs_hold_what_is_told_in_the_queue(write_edf, noise, tmp_path):
    file = write_edf(tmp_path / "up" / "night.edf", noise(2, 2500), 250)
    (tmp_path / "up" / "events.tsv").write_text("onset\tduration\n1\t2\n")
    session = Session(tmp_path / "session")
    session.add_uploads([file, tmp_path / "up" / "events.tsv"])
    session.items = [item for item in session.items if item.name == "night.edf"]
    session.work("shipped")
    (item,) = session.items
    assert any("typed EEG" in text for text in item.told)
    assert any("events.tsv" in text for text in item.told)
    table = write(session.searched()[0], tmp_path / "out")[0]
    made_by = table.with_suffix(".json").read_text()
    assert json.loads(made_by)["Detection"]["warnings"] == item.told
    assert str(tmp_path) not in "".join(item.told)


def test_uploads_are_taken_away_and_deleted_at_the_end(searched, tmp_path):
    assert not any(file.exists() for file in searched[1])
    sessions = Sessions(tmp_path)
    session = sessions.of("visitor")
    assert sessions.of("visitor") is session
    session.add_uploads(uploaded(tmp_path / "up", "a.edf"))
    assert list(tmp_path.rglob("a.edf"))
    sessions.close("visitor")
    assert not list(tmp_path.rglob("a.edf"))


def test_what_was_computed_is_deleted_with_the_queue(tmp_path):
    session = Session(tmp_path / "session")
    session.add(DEMO)
    (session.folder / "probabilities.npy").write_bytes(b"computed")
    session.clear()
    assert (session.items, list(session.folder.iterdir())) == ([], [])
    assert DEMO.is_file()


@pytest.mark.parametrize("size", ["banana", "", "12", "0mb"])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="expected a size such as 500mb"):
        serve(max_size=size)


def test_a_checkpoint_that_is_not_there_is_refused_before_the_page_opens(tmp_path):
    with pytest.raises(ValueError, match="is neither a folder nor the id of a model"):
        serve([str(tmp_path / "nothing")], block=False)


def test_files_of_one_recording_are_one_in_the_queue(tmp_path):
    session = Session(tmp_path / "session")
    session.add_uploads(uploaded(tmp_path / "up", "r.vhdr", "r.eeg", "r.vmrk", "r_events.tsv", "list.xlsx"))
    assert sorted(item.name for item in session.items) == ["list.xlsx", "r.vhdr"]


def test_the_threshold_moves_without_the_model(searched, monkeypatch, tmp_path):
    session, _ = searched
    found = session.searched()[1]
    monkeypatch.setattr(type(search_module.make_detector("shipped")), "detect", lambda *args, **kwargs: 1 / 0)
    assert len(found.at(None).result.events) == 1
    none = found.at(1.0)
    assert none.result.events == []
    assert event_choices(none.view) == [("highest probability", -1)]
    assert "No seizure found" in result_html("r", none.view)
    assert read_events(write(none, tmp_path / "out")[0]) == []
    onsets = [event["onset"] for event in read_events(write(found, tmp_path / "out")[0])]
    assert onsets == [found.result.events[0].onset]


def test_events_are_named_by_the_clock_of_the_figures(searched):
    found = searched[0].searched()[1]
    assert event_choices(found.view) == [("event 1: 0:02:26.0; 55 s", 0)]
    evening = replace(found.view, start_date=datetime(2024, 2, 3, 23, 59))
    ((name, _),) = event_choices(evening)
    assert name.startswith("event 1: 00:01:26.0")
    assert name.endswith("0:02:26.0 from the start; 55 s")


def test_the_figure_around_an_event_shows_its_channels(searched):
    found = searched[0].searched()[1]
    figure = closer_figure(found, 0)
    names = {trace.name for trace in figure.data if trace.type == "scatter"}
    assert set(found.result.events[0].channels) < names


def test_the_queue_stops_when_it_is_told_to(searched, monkeypatch, tmp_path):
    session = Session(tmp_path / "session")
    session.add(DEMO)
    monkeypatch.setattr("brant_hf.app.session.search", lambda *args: stopped(session))

    def stopped(session):
        from brant_hf.progress import progress_bar

        session.stop()
        return list(progress_bar(range(10**6)))

    session.work("shipped")
    assert session.items[0].state == "waiting"
