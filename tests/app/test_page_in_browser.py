"""The page in Chromium, from a recording that is dropped to the files that are saved, on a desk and on a telephone."""

import re
import shutil
from pathlib import Path

import mne
import pytest

import brant_hf
from brant_hf.cli import main
from brant_hf.detection import read_events

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")

DEMO = Path(brant_hf.__file__).parent / "assets" / "demo" / "sub-demo_task-szMonitoring_ieeg.edf"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONG = 120_000  # the first search loads the model [ms]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        own = started.chromium.executable_path
        path = next(filter(None, map(shutil.which, NAMES)), own if Path(own).is_file() else None)
        if path is None:
            pytest.skip("no Chromium here: install it, or run `playwright install chromium`")
        found = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(serving):
    with serving() as (url, _):
        yield url


@pytest.fixture(scope="module")
def from_the_command_line(tmp_path_factory):
    """Tables at both thresholds, and the line of a bad file."""
    folder = tmp_path_factory.mktemp("detect")
    for threshold in (None, 0.05):
        options = [] if threshold is None else ["--threshold", str(threshold)]
        with pytest.raises(SystemExit):
            main(["detect", str(DEMO), str(folder / f"{threshold}.tsv"), *options])
    return {threshold: (folder / f"{threshold}.tsv").read_text() for threshold in (None, 0.05)}


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desk", "telephone"])
def page(request, browser, address):
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    found = context.new_page()
    found.elsewhere = []
    found.on(
        "request", lambda each: each.url.startswith((address, "data:", "blob:")) or found.elsewhere.append(each.url)
    )
    found.goto(address)
    found.wait_for_selector("#find")
    yield found
    context.close()


def drop(page, *files: Path) -> None:
    page.set_input_files("input[type=file]", [str(file) for file in files])
    page.wait_for_function(f"document.querySelectorAll('#queue li').length >= {len(files)}")


def saved(page, which: str, folder: Path) -> Path:
    with page.expect_download(timeout=LONG) as told:
        page.click(f"#save-{which}")
    path = folder / told.value.suggested_filename
    told.value.save_as(path)
    return path


def is_as_wide_as_the_window(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_from_a_recording_to_its_files(page, from_the_command_line, tmp_path, capsys):
    broken = tmp_path / "broken.edf"
    broken.write_bytes(b"no recording")
    drop(page, broken, DEMO)
    assert is_as_wide_as_the_window(page)
    page.click("#find")
    page.wait_for_selector("#closer .main-svg", timeout=LONG)

    # What is wrong with the bad file stands as the command line says it, without the folder of the upload.
    with pytest.raises(SystemExit):
        main(["detect", str(broken), str(tmp_path / "out.tsv")])
    line = capsys.readouterr().err.strip().removeprefix("brant-hf: ").replace(f"{tmp_path}/", "")
    assert line in page.inner_text("#queue li.failed")

    # Events at the threshold of the checkpoint, then at another one.
    event = read_events_of(from_the_command_line[None], tmp_path)[0]
    row = page.locator("#tables table.events tbody tr").inner_text()
    assert f"{event['onset']:.2f}" in row
    assert f"{event['duration']:.2f}" in row
    assert set(event["channels"]) == set(re.findall(r"[A-Z]\d+", row))
    assert saved(page, "events", tmp_path).read_text() == from_the_command_line[None]
    move(page, 0.05)
    others = read_events_of(from_the_command_line[0.05], tmp_path)
    assert [each["onset"] for each in others] != [event["onset"]]
    page.wait_for_function(
        f"document.querySelectorAll('#tables table.events tbody tr').length == {len(others)}"
        f" && document.querySelector('#tables').innerText.includes('{others[-1]['duration']:.2f}')"
    )
    assert saved(page, "events", tmp_path).read_text() == from_the_command_line[0.05]

    # Figures: there is something to see, no wider than the window.
    assert page.locator("#closer .heatmaplayer image").count() >= 2
    assert is_as_wide_as_the_window(page)
    page.get_by_role("tab", name="Overview").click()
    page.wait_for_function("document.querySelector('#overview img').naturalWidth > 1000")
    assert is_as_wide_as_the_window(page)

    annotations = mne.read_annotations(saved(page, "edf", tmp_path))
    assert annotations.onset.tolist() == [each["onset"] for each in others]
    assert "<h1>Seizure detection" in saved(page, "report", tmp_path).read_text(encoding="utf-8")
    assert page.elsewhere == []


def move(page, threshold: float) -> None:
    number = page.locator("#threshold input[type=number]")
    number.fill(str(threshold))
    number.press("Enter")


def read_events_of(table: str, folder: Path) -> list:
    (folder / "read.tsv").write_text(table)
    return read_events(folder / "read.tsv")


def test_remove_all_empties_the_page(page):
    drop(page, DEMO)
    page.get_by_role("button", name="Remove all").click()
    page.get_by_text("No recording yet.").wait_for()
    assert not page.locator("#tables").is_visible()
