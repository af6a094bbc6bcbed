import io
import re
import sys
import webbrowser

import pytest

from brant_hf import __version__
from brant_hf.cli import COMMANDS, demo as command
from brant_hf.cli.messages import tell


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Pages that a browser would have been asked to open."""
    pages: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda page: pages.append(page) is None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return pages


def test_alone_it_says_what_to_do_next(run):
    status, out, err = run()
    assert (status, err) == (0, "")
    named = set(re.findall(r"brant-hf ([a-z]+)", out))
    assert {"demo", "inspect", "detect"} <= named <= {each.__name__ for each in COMMANDS}
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) < 15


def test_version(run):
    assert run("--version") == (0, f"brant_hf {__version__}\n", "")


def test_the_demo_finds_the_seizure(run, tmp_path, opened, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    status, out, err = run("demo", tmp_path / "demo")
    assert (status, err) == (0, "")
    assert re.search(r"event .* 1 of 1 +0 ", out)
    for name in ("events.tsv", "overview.png", "report.html"):
        assert (tmp_path / "demo" / name).is_file()
    assert opened == [(tmp_path / "demo" / "report.html").as_uri()]


@pytest.mark.parametrize(("display", "arguments", "count"), [(":0", [], 1), ("", [], 0), (":0", ["--no-open"], 0)])
def test_the_report_is_opened_where_there_is_a_display(run, tmp_path, opened, monkeypatch, display, arguments, count):
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr(sys.modules[command.__module__], "detect", lambda *_, **__: None)
    for _ in range(2):  # its own files are no obstacle
        status, out, err = run("demo", tmp_path, *arguments)
        assert (status, err) == (0, "")
    assert len(opened) == 2 * count
    assert out.count("\nopened ") == count


def test_the_demo_replaces_no_recording_of_others(run, tmp_path):
    path = tmp_path / "sub-demo_task-szMonitoring_ieeg.edf"
    path.write_bytes(b"mine")
    status, out, err = run("demo", tmp_path)
    assert (status, out) == (2, "")
    assert "is not that of the demo; give another folder, or --force" in err
    assert [path.read_bytes()] == [each.read_bytes() for each in tmp_path.iterdir()]


@pytest.mark.parametrize(("words", "expected"), [("brant-hf de", "demo detect"), ("brant-hf demo --no", "--no-open")])
def test_completion(run, monkeypatch, words, expected):
    monkeypatch.setenv("_BRANT_HF_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert run()[1].split() == expected.split()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_messages_are_broken_on_terminals_alone(monkeypatch, is_terminal):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    path = "/a/long-folder" * 7
    tell(f"{path} is a file; {'give another folder ' * 8}")
    lines = stream.getvalue().splitlines()
    assert (len(lines) > 1) == is_terminal
    assert path in stream.getvalue()
    assert not is_terminal or all(len(line) <= 80 for line in lines if path not in line)
