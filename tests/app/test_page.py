"""The page as programs see it: what visitors give stays theirs, is limited, and is gone when they are."""

import os
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock

import pytest

pytest.importorskip("gradio_client", reason="the page needs gradio (pip install brant_hf[app])")

import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import brant_hf
from brant_hf.app import session as session_module
from brant_hf.cli import main
from brant_hf.progress import progress_bar

DEMO = Path(brant_hf.__file__).parent / "assets" / "demo" / "sub-demo_task-szMonitoring_ieeg.edf"


@pytest.fixture(scope="module")
def page(serving):
    with serving(max_size="2mb", any_model=False) as found:
        yield found


class Visitor:
    """A page that is open in a browser, without the browser."""

    def __init__(self, url: str, downloads: Path) -> None:
        self.url = url
        self.client = Client(url, verbose=False, analytics_enabled=False, download_files=downloads)

    @contextmanager
    def looking(self):
        """Open while a block runs, then closed: a browser holds this connection until then."""
        beat = f"{self.url}gradio_api/heartbeat/{self.client.session_hash}"
        with httpx.stream("GET", beat, timeout=30) as answer:
            lines = answer.iter_lines()  # which closes the connection when nobody holds it
            next(lines)
            yield self

    def add(self, *files: Path) -> str:
        return self.client.predict([handle_file(file) for file in files], api_name="/add")[1]

    def find(self, model: str = "shipped"):
        self.client.predict(api_name="/begin")
        return self.client.submit(model, api_name="/work")

    def call(self, name: str, *values):
        return self.client.predict(*values, api_name=f"/{name}")


@pytest.fixture
def visitor(page, tmp_path) -> Visitor:
    return Visitor(page[0], tmp_path)


@pytest.fixture
def search(monkeypatch):
    """In place of the search of a recording, one that ends when it is let."""
    released, lock = Event(), Lock()
    calls, now = [], set()

    def search(path, model, folder):
        calls.append(path.name)
        with lock:
            now.add(path)
        assert len(now) == 1, "two searches at a time"
        try:
            for _ in progress_bar(range(3000)):
                if released.wait(0.01):
                    raise ValueError("nothing was found out")
        finally:
            with lock:
                now.discard(path)
        raise AssertionError("it was not stopped")

    monkeypatch.setattr(session_module, "search", search)
    search.released, search.calls = released, calls
    yield search
    released.set()


def until(holds, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def kept(page) -> set[str]:
    """Names of all files of all visitors; Gradio leaves an empty one of each upload."""
    paths = [Path(folder, name) for folder, _, names in os.walk(page[1]) for name in names]
    return {path.name for path in paths if path.exists() and path.stat().st_size}


def test_what_was_uploaded_and_made_is_gone_with_the_page(page, visitor):
    with visitor.looking():
        visitor.add(DEMO)
        assert "1 event" in visitor.find().result(timeout=60)
        visitor.call("show", 0.5, None)
        saved = visitor.call("save_report", 0)
        assert "Seizure detection" in Path(saved).read_text(encoding="utf-8")
        made = {DEMO.name, "sub-demo_task-szMonitoring_ieeg_detections.html"}
        assert made <= kept(page)
        assert [path.suffix for path in page[1].rglob("*.npy")] == [".npy"]
    until(lambda: not kept(page))


def test_a_search_ends_with_the_page(page, visitor, search, tmp_path):
    with visitor.looking():
        visitor.add(file_in(tmp_path, "a.edf"), file_in(tmp_path, "b.edf"))
        visitor.find()
        until(lambda: search.calls)
    until(lambda: not kept(page))
    assert search.calls == ["a.edf"]


def test_remove_all_deletes_and_the_queue_is_empty(page, visitor, tmp_path):
    visitor.add(file_in(tmp_path, "a.edf"), file_in(tmp_path, "a_events.tsv"))
    assert kept(page) == {"a.edf", "a_events.tsv"}
    assert "No recording yet" in visitor.call("clear")
    assert kept(page) == set()


def test_files_over_the_limit_are_refused_and_not_kept(page):
    answer = httpx.post(f"{page[0]}gradio_api/upload", files={"files": ("large.edf", bytes(3_000_000))}, timeout=60)
    assert answer.status_code == 413
    assert kept(page) == set()


def test_stop_ends_the_search(visitor, search, tmp_path):
    visitor.add(file_in(tmp_path, "a.edf"), file_in(tmp_path, "b.edf"))
    working = visitor.find()
    until(lambda: search.calls)
    visitor.call("stop")
    assert working.result(timeout=20).count("<span>waiting") == 2
    assert search.calls == ["a.edf"]
    search.released.set()
    assert visitor.find().result(timeout=20).count("failed: nothing was found out") == 2
    visitor.call("clear")


def test_visitors_wait_for_the_detector_and_for_nothing_else(page, visitor, search, tmp_path):
    other = Visitor(page[0], tmp_path)
    visitor.add(file_in(tmp_path, "mine.edf"))
    first = visitor.find()
    until(lambda: search.calls)
    assert "mine" not in other.add(file_in(tmp_path, "other.edf"))  # answered at once
    waiting, third = other.find(), Visitor(page[0], tmp_path)
    third.add(file_in(tmp_path, "third.edf"))
    last = third.find()
    other.call("stop")  # before its turn
    search.released.set()
    assert "failed" in first.result(timeout=20)
    assert "<span>waiting" in waiting.result(timeout=20)
    assert "failed" in last.result(timeout=20)
    assert search.calls == ["mine.edf", "third.edf"]
    for each in (visitor, other, third):
        each.call("clear")


def test_other_checkpoints_and_recordings_than_those_offered_are_not_opened(visitor, search):
    visitor.call("begin")
    with pytest.raises(AppError):
        visitor.call("work", "someone/else")
    with pytest.raises(AppError):
        visitor.call("add_shipped", str(DEMO))
    assert search.calls == []


def test_the_table_is_that_of_the_command_line(visitor, tmp_path):
    table = DEMO.parent / "sub-demo_task-szMonitoring_events.tsv"
    visitor.add(DEMO, table)
    visitor.find().result(timeout=60)
    visitor.call("move", 0.97)
    visitor.call("show", 0.97, None)
    saved = Path(visitor.call("save_events", 0))
    with pytest.raises(SystemExit):
        main(["detect", str(DEMO), str(tmp_path / "events.tsv"), "--threshold", "0.97"])
    assert saved.read_text() == (tmp_path / "events.tsv").read_text()
    visitor.call("clear")


def test_the_browser_is_told_to_load_nothing_from_elsewhere(page):
    policy = httpx.get(page[0]).headers["content-security-policy"]
    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert sources == {"'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"}


def file_in(folder: Path, name: str) -> Path:
    """A file that is no recording."""
    (folder / name).write_bytes(b"no recording")
    return folder / name
