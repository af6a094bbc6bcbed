from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from brant_hf.data.recordings.recording import Recording
from brant_hf.detection import DetectionResult, interactive, report, write_report
from brant_hf.detection.plots import MISSING

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SETTINGS = {
    "model": "detectors/<first>",
    "threshold": 0.5,
    "min_channels": 1,
    "preprocessing": {"reference": "bipolar", "low_pass": None, "notch": {"frequencies": [50.0, 100.0]}},
}


def recording_of(num_channels: int, duration: float, names: list[str] | None = None) -> Recording:
    def source(start: int, stop: int) -> np.ndarray:
        wave = 100.0 * (np.arange(start, stop) % 50 == 0)
        return np.tile(wave.astype(np.float32), (num_channels, 1))

    names = names or [f"{chr(65 + number // 20)}{number % 20 + 1}" for number in range(num_channels)]
    excluded = {"EKG": "not intracranial"}
    return Recording("sub-01 <b>ieeg</b>", "01", names, 50.0, round(50 * duration), source, excluded_channels=excluded)


def result_of(recording: Recording, step: float, events: list[tuple[float, float]], rows: list[int]) -> dict:
    times = (np.arange(round(recording.duration / step)) + 0.5) * step
    probabilities = np.random.default_rng(0).uniform(0, 0.2, (recording.num_channels, times.size)).astype(np.float32)
    for onset, duration in events:
        probabilities[np.ix_(rows, (times > onset) & (times < onset + duration))] = 0.9
    channels = [recording.channel_names[row] for row in rows]
    return {
        "probabilities": probabilities,
        "times": times,
        "channel_names": recording.channel_names,
        "recording_probability": probabilities.max(axis=0),
        "events": [
            {"onset": onset, "duration": duration, "confidence": 0.875, "channels": channels}
            for onset, duration in events
        ],
    }


class Page(HTMLParser):
    """What a page shows and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._hidden = self._in_cell = False
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._hidden = tag in ("script", "style")
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]
        if tag == "table":
            self.tables.append([])
            self._in_cell = False
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._hidden = False
        self._in_cell &= tag not in ("td", "th", "table")

    def handle_data(self, data):
        if self._hidden:
            return
        self.shown += data
        if self._in_cell:
            self.tables[-1][-1][-1] += data.strip()


def written(tmp_path: Path, *args, **options) -> str:
    output = tmp_path / "report.html"
    write_report(*args[:2], output, **options)
    assert list(tmp_path.iterdir()) == [output]
    return output.read_text(encoding="utf-8")


def loaded(path: Path, script: str = "") -> Page:
    """The page after a browser without a network has run its scripts, and one of the test."""
    page = path.with_name("loaded.html")
    page.write_text(path.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'browser'}"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    return Page(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def test_the_page_holds_everything(tmp_path: Path):
    recording = recording_of(24, 120)
    result = result_of(recording, 1.0, [(20.0, 30.0), (90.25, 10.5)], list(range(20)))
    reference = [{"onset": 25.0, "duration": 5.0, "confidence": None, "channels": None}]
    page = Page(written(tmp_path, recording, result, reference=reference, settings=SETTINGS))
    assert [reference[:22] for reference in page.references] == ["data:image/png;base64,"]
    events, references, facts = page.tables[0], page.tables[1], page.tables[2]
    assert events[0] == ["#", "onset", "onset [s]", "duration [s]", "confidence", "in reference", "channels"]
    assert [row[:6] for row in events[1:]] == [
        ["1", "0:00:20.0", "20.00", "30.00", "0.875", "yes"],
        ["2", "0:01:30.2", "90.25", "10.50", "0.875", "no"],
    ]
    assert events[1][6].startswith("20 channels: A1, A2, A3, A4, A5, A6, …A1, A2,")
    assert references[1] == ["1", "0:00:25.0", "25.00", "5.00", "n/a", "yes", "not stated"]
    assert ["name", "sub-01 <b>ieeg</b>"] in facts
    settings = [row for table in page.tables[4:] for row in table]
    for row in (["model", "detectors/<first>"], ["low_pass", "none"], ["frequencies", "50, 100"]):
        assert row in settings
    assert "2 events detected, 40.5 s in all · 1 in the reference · 24 channels · 2 min" in page.shown
    assert "EKG" in page.shown


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ({}, "0.5"),
        ({"edge_threshold": 0.27}, "0.5; an event begins and ends at 0.27"),
        (
            {"edge_threshold": 0.18, "lasting_threshold": 0.27},
            "0.5; an event begins and ends at 0.18, and lasts at least 10 s at 0.27",
        ),
        # They are never above the threshold, and not where the edge is that.
        ({"edge_threshold": 0.6, "lasting_threshold": 0.27}, "0.5"),
        ({"lasting_threshold": 0.27}, "0.5"),
    ],
)
def test_the_page_tells_where_events_begin_and_end(tmp_path: Path, levels: dict, told: str):
    recording = recording_of(2, 60)
    decision = {"min_channels": 1, "min_duration": 10.0, "merge_gap": 20.0, **levels}
    result = {**result_of(recording, 1.0, [], []), "threshold": 0.5, "patch_duration": 1.0, "settings": decision}
    tables = Page(written(tmp_path, recording, result)).tables
    assert ["threshold", told] in [row for table in tables for row in table]


def test_without_events_reference_and_settings(tmp_path: Path):
    recording = recording_of(2, 10)
    page = Page(written(tmp_path, recording, result_of(recording, 1.0, [], [])))
    assert "No event was detected." in page.shown
    assert "Reference events" not in page.shown
    assert "Settings" not in page.shown


def test_what_was_not_recorded_is_grey_and_the_page_says_so(tmp_path: Path):
    recording = recording_of(4, 120)
    whole = result_of(recording, 1.0, [(20.0, 30.0)], [1, 2])
    assert "Grey is" not in Page(written(tmp_path, recording, whole)).shown
    for name in ("probabilities", "recording_probability"):
        whole[name][..., 70:90] = np.nan
    assert "Grey is where nothing was recorded, or less than half of a patch." in (
        Page(written(tmp_path, recording, whole)).shown
    )
    # Below the cells of the channels, which have no colour there.
    figure = interactive.probability_figure(DetectionResult.of(recording, whole))
    (shade,) = figure.select_shapes({"fillcolor": MISSING})
    assert (shade.xref, shade.yref, shade.layer) == ("x3 domain", "y3 domain", "below")
    cells = np.asarray(figure.data[-1].z, float)
    np.testing.assert_array_equal(np.isnan(cells), np.tile((np.arange(120) >= 70) & (np.arange(120) < 90), (4, 1)))
    assert not any(colour == MISSING for _, colour in figure.data[-1].colorscale)


def test_names_are_text_not_markup(tmp_path: Path):
    names = ["</script><img src=http://a.example/x>", '"A2"', "A&3", "<a href='http://b.example'>A4</a>"]
    recording = recording_of(4, 20, names)
    settings = {"<script>": "</table><script src=http://c.example/y></script>"}
    page = Page(written(tmp_path, recording, result_of(recording, 1.0, [(5, 8)], [0, 3]), settings=settings))
    assert page.tags.count("img") == 1
    assert not any("example" in reference for reference in page.references)
    for text in (*names[::3], *settings, *settings.values()):
        assert text in page.shown


def test_a_day_of_many_channels_stays_small(tmp_path: Path):
    recording = recording_of(200, 86_400)
    text = written(tmp_path, recording, result_of(recording, 2.0, [(40_000.0, 10.0)], [150]), settings=SETTINGS)
    assert len(text) < 10e6
    # 43200 steps make 8640 columns of 10 s.
    assert "the narrowest are 10 s long" in text


def test_bad_input_is_refused(tmp_path: Path):
    recording = recording_of(2, 10)
    result = result_of(recording, 1.0, [], [])
    with pytest.raises(ValueError, match=r"report.pdf has the suffix '.pdf'; name a file that ends with .html, .htm"):
        write_report(recording, result, tmp_path / "report.pdf")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_report(recording, result, tmp_path / "nowhere" / "report.html")
    with pytest.raises(ValueError, match="lacks events"):
        write_report(recording, {k: v for k, v in result.items() if k != "events"}, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch):
    recording = recording_of(2, 10)
    output = tmp_path / "report.html"
    output.write_text("old")
    monkeypatch.setattr(report, "_heat_map_html", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(recording, result_of(recording, 1.0, [], []), output, overwrite=True)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_draws_it_without_a_network(tmp_path: Path):
    names = ["A1", "<i>A2</i>", "A3", "A4"]
    recording = recording_of(4, 3600, names)
    result = result_of(recording, 1.0, [(1000.0, 20.0), (3000.0, 20.0)], [1, 2])
    # Nothing was recorded for a minute: nothing is drawn there.
    for name in ("probabilities", "recording_probability"):
        result[name][..., 1040:1100] = np.nan
    written(tmp_path, recording, result, reference=[{"onset": 1001.0, "duration": 20.0}], settings=SETTINGS)
    script = """
        const plot = document.getElementById("probabilities");
        const cells = () => {
          const trace = plot._fullData[plot._fullData.length - 1];
          return { x: Array.from(trace.x), z: Array.from(trace._z || trace.z, (row) => Array.from(row)) };
        };
        const seen = { whole: cells() };
        const range = ["2000-01-01 00:16:35", "2000-01-01 00:17:30"];
        Plotly.relayout(plot, { "xaxis.range": range, "xaxis2.range": range, "xaxis3.range": range })
          .then(() => new Promise((resolve) => setTimeout(resolve, 200)))
          .then(() => {
            seen.part = cells();
            seen.types = ["xaxis", "xaxis2", "xaxis3"].map((axis) => plot._fullLayout[axis].type);
            const note = document.createElement("pre");
            note.textContent = "SEEN" + JSON.stringify(seen) + "NEES";
            document.body.append(note);
          });
    """
    page = loaded(tmp_path / "report.html", script)
    assert not [reference for reference in page.references if not reference.startswith(("data:image/", "#"))]
    # What is drawn: the picture, the heat map as an image in the plot, all channels by name, bars of events.
    assert page.tags.count("img") == 1
    assert "image" in page.tags
    assert "<i>A2</i>" in page.shown
    assert "i" not in page.tags
    seen = json.loads(re.search("SEEN(.*)NEES", page.shown)[1])
    assert seen["types"] == ["date"] * 3
    percent = np.round(100 * result["probabilities"])
    # The whole hour: 600 columns of 6 s, each the maximum of its steps.
    columns = np.fmax.reduce(percent.reshape(4, 600, 6), axis=2)
    assert np.isnan(columns).sum() == 4 * 9
    np.testing.assert_array_equal(np.array(seen["whole"]["z"], float), columns)
    # Zoomed into 995 s to 1050 s: every step of 1 s, at its place.
    np.testing.assert_array_equal(np.array(seen["part"]["z"], float), percent[:, 995:1050])
    np.testing.assert_array_equal(seen["part"]["x"], interactive.MIDNIGHT + 1000 * np.arange(995, 1051))
