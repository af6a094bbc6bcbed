import datetime
import html
import json
import os
import re
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from brant_hf import BrantForPreTraining
from brant_hf.data import open_recording
from brant_hf.detection import read_event_file, write_events

# Below every probability of the random detector: one event that lasts as long as the recording.
ALL = ("--threshold", "0.001")


@pytest.fixture
def recording(write_edf, noise, tmp_path) -> Path:
    return write_edf(tmp_path / "recording.edf", noise(3, 2000), 200, datetime.datetime(2021, 3, 4, 5, 6, 7))


def test_detect(run, recording, checkpoint, tmp_path):
    status, out, err = run("detect", recording, tmp_path / "events.tsv", "--model", checkpoint, *ALL)
    assert status == 0
    assert re.search(
        r"onset \[s\] +duration \[s\] +confidence +channels\n +0\.00 +10\.00 +0\.\d\d +A\d, A\d, A\d", out
    )
    assert "recording: 3 channels typed EEG" in err
    assert "Traceback" not in err
    assert "patient" not in err
    written = read_event_file(tmp_path / "events.tsv")
    assert written.duration == 10.0
    assert written.start == datetime.datetime(2021, 3, 4, 5, 6, 7)
    assert [(event["onset"], event["duration"]) for event in written.events] == [(0, 10)]
    assert sorted(written.events[0]["channels"]) == ["A1", "A2", "A3"]
    made_by = json.loads((tmp_path / "events.json").read_text())["Detection"]
    assert (made_by["recording"], made_by["model"], made_by["threshold"]) == (str(recording), str(checkpoint), 1e-3)
    assert made_by["searched"] == "0.00 to 10.00 s"
    assert made_by["unit"] == {"all channels": "one number of the file is 1 microvolts (by its unit)"}
    assert re.fullmatch("[0-9a-f]{64}", made_by["weights SHA-256"])
    assert sorted(made_by["channels"]) == ["A1", "A2", "A3"]


def told_in(err: str) -> list[str]:
    return re.findall(r"^brant-hf: warning: (.*)$", err, re.MULTILINE)


def test_what_is_told_on_the_screen_stands_in_the_outputs(run, write_edf, noise, checkpoint, tmp_path):
    path = write_edf(tmp_path / "night.edf", noise(3, 1000) / 100, 100)
    table = tmp_path / "known.tsv"
    table.write_text("onset\tduration\teventType\n1\t2\tsz\n4\t2\tseizures today\n")
    outputs = (tmp_path / "events.tsv", "--report", tmp_path / "report.html")
    command = ("detect", path, *outputs, "--model", checkpoint, "--annotations", table, "--montage", "average")
    status, _, err = run(*command)
    assert status == 0, err
    told = told_in(err)
    for part in ("--montage is average", "'seizures today' are not taken as seizures", "say so (--unit", "typed EEG"):
        assert sum(part in text for text in told) == 1, (part, told)
    assert json.loads((tmp_path / "events.json").read_text())["Detection"]["warnings"] == told
    items = re.findall(r"<li>(.*)</li>", (tmp_path / "report.html").read_text())
    assert list(map(html.unescape, items)) == told
    # What the command does not use is no matter of the recording.
    status, _, err = run(*command, "--num-proc", "4", "--backend", "loky")
    assert told_in(err)[0].startswith("--num-proc 4 and --backend loky changed nothing: one recording")
    assert json.loads((tmp_path / "events.json").read_text())["Detection"]["warnings"] == told_in(err)[1:] == told
    # Where nothing is told the list is empty.
    write_edf(path, noise(3, 1000), 100)
    status, _, err = run("detect", path, *outputs, "--model", checkpoint, "--channel-type", "A*=seeg")
    assert told_in(err) == json.loads((tmp_path / "events.json").read_text())["Detection"]["warnings"] == []
    assert "arnings" not in re.sub("(?s)<script.*?</script>", "", (tmp_path / "report.html").read_text())


def test_detect_nothing(run, recording, checkpoint, tmp_path):
    outputs = (tmp_path / "events.tsv", "--report", tmp_path / "report.html", "--model", checkpoint)
    status, out, _ = run("detect", recording, *outputs, "--threshold", "1")
    assert status == 0
    told = re.match(
        r"no seizure found: the highest probability is (0\.\d\d), at 0:00:\d\d; the threshold is 1\n"
        r"with --threshold (0\.\d+) there would be (1 event|\d events)\n"
        r"not taken as seizures:\n.*\n"
        r" +\d+\.\d\d +\d+\.\d\d +0\.\d\d  an event at a threshold of .*, but not at 1: A\d",
        out,
    )
    assert told, out
    assert "but not at 1</td>" in (tmp_path / "report.html").read_text()
    assert "0.00\t10.00\tbckg\tn/a\tn/a\t2021-03-04 05:06:07\t10.00" in (tmp_path / "events.tsv").read_text()


@pytest.mark.parametrize(
    ("option", "value", "what"), [("--min-channels", 4, "3 channels"), ("--min-duration", 11, "10 s")]
)
def test_settings_that_allow_no_event_are_refused(run, recording, checkpoint, tmp_path, option, value, what):
    status, _, err = run("detect", recording, tmp_path / "events.tsv", "--model", checkpoint, option, value)
    assert status == 2
    assert what in err
    assert "no event is possible" in err
    assert not (tmp_path / "events.tsv").exists()


def test_what_the_output_tells_gives_events_when_it_is_done(run, recording, checkpoint, tmp_path):
    command = ("detect", recording, tmp_path / "events.tsv", "--model", checkpoint)
    option, value, count = re.search(
        r"with (--threshold) (\S+) there would be (\d+)", run(*command, "--threshold", "1")[1]
    ).groups()
    _, out, _ = run(*command, option, value)
    assert len(re.findall(r"^ +\d+\.\d\d +\d+\.\d\d +\d\.\d\d  A", out.split("not taken")[0], re.M)) == int(count)


def test_the_reference_is_scored(run, recording, checkpoint, tmp_path):
    write_events(tmp_path / "reference.tsv", [{"onset": 2.0, "duration": 4.0}], 10.0)
    status, out, _ = run(
        "detect",
        recording,
        tmp_path / "e.tsv",
        "--model",
        checkpoint,
        "--annotations",
        tmp_path / "reference.tsv",
        *ALL,
    )
    assert status == 0
    # 4 of 10 s are seizure; one event, found.
    assert re.search(r"recording  sample +1\.0000 +0\.4000 +0\.5714", out)
    assert re.search(r"recording  event +1\.0000 +1\.0000 +1\.0000 +1 of 1 +0 +0\.00", out)
    assert "1 of 1 reference events found; 1 detected, 0 of them touch no reference event; 100 % of the" in out
    assert re.search(r"\n +2\.00 +4\.00 +1 +-2\.00 +\+6\.00", out)


@pytest.fixture
def pictures(monkeypatch):
    """Stand-ins for what draws; gives the arguments they were called with."""
    calls = {}

    def draw(name):
        def write(recording, result, output, **options):
            calls[name] = (recording, result, options)
            Path(output).write_text(name)

        return write

    plots, report = types.ModuleType("plots"), types.ModuleType("report")
    plots.plot_overview, report.write_report = draw("plot"), draw("report")
    monkeypatch.setitem(sys.modules, "brant_hf.detection.plots", plots)
    monkeypatch.setitem(sys.modules, "brant_hf.detection.report", report)
    return calls


def test_plot_and_report(run, recording, checkpoint, tmp_path, pictures):
    write_events(tmp_path / "reference.tsv", [{"onset": 2.0, "duration": 4.0}], 10.0)
    outputs = ("--plot", tmp_path / "overview.png", "--report", tmp_path / "report.html")
    options = ("--model", checkpoint, "--annotations", tmp_path / "reference.tsv", "--min-channels", "2", *ALL)
    status, out, _ = run("detect", recording, tmp_path / "events.tsv", *outputs, *options)
    assert status == 0
    assert (tmp_path / "overview.png").read_text() == "plot"
    assert (tmp_path / "report.html").read_text() == "report"
    assert out.count("written to") == 3
    opened, result, plot_options = pictures["plot"]
    assert opened.channel_names == ["A1", "A2", "A3"]
    assert plot_options["reference"] == [{"onset": 2.0, "duration": 4.0, "confidence": None, "channels": []}]
    settings = pictures["report"][2]["settings"]
    assert settings["detection"]["min_channels"] == 2
    assert settings["detection"]["preprocessing"]["sampling_rate"] == 100
    json.dumps(settings)
    assert len(result.events) == 1


def test_all_outputs_or_none(run, recording, checkpoint, tmp_path, pictures, monkeypatch):
    def failing(*args, **kwargs):
        raise ValueError("cannot draw")

    monkeypatch.setattr(sys.modules["brant_hf.detection.report"], "write_report", failing)
    write_events(tmp_path / "events.tsv", [], 10.0)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    outputs = ("--plot", tmp_path / "overview.png", "--report", tmp_path / "report.html")
    status, out, err = run("detect", recording, tmp_path / "events.tsv", "--model", checkpoint, *outputs)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "brant-hf: cannot draw"
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder(run, write_edf, noise, checkpoint, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    write_edf(source / "p1" / "night.edf", noise(2, 1000), 100)
    write_edf(source / "sub-02_run-1_ieeg.edf", noise(2, 500), 100)
    status, text, _ = run("detect", source, out, "--model", checkpoint, *ALL)
    assert status == 0
    assert "p1/night_events.tsv: 1 event\n" in text
    assert read_event_file(out / "p1" / "night_events.tsv").duration == 10.0
    assert read_event_file(out / "sub-02_run-1_events.tsv").duration == 5.0
    # One bad recording does not stop the others.
    (source / "a.edf").write_text("damaged")
    (out / "sub-02_run-1_events.tsv").unlink()
    status, text, err = run("detect", source, out, "--model", checkpoint, *ALL)
    assert status == 2
    assert re.search(r"^a\.edf: failed: .*a\.edf", text, re.MULTILINE)
    assert err.splitlines()[-1] == "brant-hf: 1 of 3 recordings failed (listed above)"
    assert (out / "sub-02_run-1_events.tsv").exists()
    status, _, err = run("detect", source, out, "--model", checkpoint, "--plot", tmp_path / "overview.png")
    assert (status, err.count("\n")) == (2, 1)
    assert f"--plot is {tmp_path / 'overview.png'}, a file for one recording" in err


def test_figures_and_reports_of_a_folder(run, write_edf, noise, checkpoint, tmp_path, pictures):
    source, out, figures = tmp_path / "source", tmp_path / "out", tmp_path / "figures"
    for name in ("p1/night.edf", "p2/night.edf"):
        write_edf(source / name, noise(2, 500), 100)
    arguments = ("detect", source, out, "--model", checkpoint, "--plot", figures, "--report", out)
    assert run(*arguments)[0] == 0
    assert (figures / "p2" / "night.png").read_text() == "plot"
    assert (out / "p1" / "night.html").read_text() == "report"
    assert (out / "p2" / "night_events.tsv").is_file()
    # These were not marked as made by the package.
    status, text, err = run(*arguments)
    assert (status, text) == (2, "")
    assert "night.png exists and is no earlier output" in err


def test_a_read_that_fails_stops_one_recording(run, write_edf, noise, checkpoint, tmp_path, monkeypatch):
    from brant_hf.data import Recording

    read = Recording.read_samples

    def fail(self, start, stop):
        # Not in the short stretches that are looked at first.
        if self.name == "a" and stop - start > 500:
            raise KeyError("block 7")
        return read(self, start, stop)

    monkeypatch.setattr(Recording, "read_samples", fail)
    files = [write_edf(tmp_path / name, noise(2, 1000), 100) for name in ("a.edf", "b.edf")]
    status, text, err = run("detect", *files, tmp_path / "out", "--model", checkpoint, "--threshold", "1")
    assert status == 2
    assert re.fullmatch(
        r"b_events.tsv: 0 events \(the highest .*\)\na.edf: failed: KeyError: 'block 7'\nabout all .*\n", text
    )
    assert err.splitlines()[-1] == "brant-hf: 1 of 2 recordings failed (listed above)"
    about_all = ["all_events.json", "all_events.tsv", "index.html", "recordings.json", "recordings.tsv"]
    files = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert files == sorted([*about_all, "b_events.json", "b_events.tsv"])


def test_recordings_of_one_name_keep_their_extensions(run, write_edf, noise, checkpoint, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    for name in ("a.edf", "a.2.edf", "b.edf", "sub-01_ieeg.edf"):
        write_edf(source / name, noise(2, 500), 100)
    for name in ("A.npz", "sub-01_eeg.npz"):
        np.savez(source / name, data=noise(2, 700), sampling_rate=100)
    status, _, err = run("detect", source, out, "--model", checkpoint, *ALL)
    assert status == 0
    named = ("A.npz", "a.2.edf", "a.edf", "b", "sub-01_eeg.npz", "sub-01_ieeg.edf")
    assert sorted(path.name for path in out.glob("*.*_events.tsv")) == [
        f"{name}_events.tsv" for name in named if name != "b"
    ]
    assert (out / "b_events.tsv").is_file()
    assert read_event_file(out / "A.npz_events.tsv").duration == 7.0
    assert read_event_file(out / "a.edf_events.tsv").duration == 5.0
    (line,) = [line for line in err.splitlines() if "have the name of another recording" in line]
    assert "A.npz, a.2.edf, a.edf, sub-01_eeg.npz, sub-01_ieeg.edf" in line


def bad_inputs(folder: Path, recording: Path, checkpoint: Path, noise) -> dict[str, tuple[list, str]]:
    """Arguments of `detect` and what the line says."""
    np.save(folder / "flat.npy", np.zeros((2, 500)))
    np.savez(folder / "flat.npz", data=np.zeros((2, 5000)), sampling_rate=100)
    (folder / "damaged.edf").write_bytes(recording.read_bytes()[:300])
    (folder / "text.edf").write_text("hello")
    (folder / "reference.txt").write_text("hello")
    write_events(folder / "other.tsv", [], 99.0)
    (folder / "late.tsv").write_text("onset\tduration\ttrial_type\n500\t5\tseizure\n")
    (folder / "bert").mkdir()
    (folder / "bert" / "config.json").write_text('{"model_type": "bert"}')
    events = folder / "events.tsv"
    model = ["--model", checkpoint]
    return {
        "no file": ([folder / "none.edf", events, *model], "none.edf does not exist"),
        "text": ([folder / "text.edf", events, *model], "text.edf"),
        "damaged": ([folder / "damaged.edf", events, *model], "damaged.edf"),
        "no rate": (
            [folder / "flat.npy", events, *model],
            "--file-rate RATE (Hz), or save the samples as .npz, with an array fs",
        ),
        "flat": ([folder / "flat.npz", events, *model], "is flat"),
        "unit": ([recording, events, *model, "--unit", "furlong"], "Unknown unit 'furlong'"),
        "threshold": ([recording, events, *model, "--threshold", "2"], "threshold is 2.0"),
        "batch size": ([recording, events, *model, "--batch-size", "0"], "--batch-size is 0"),
        "device": (
            [recording, events, *model, "--device", "toaster"],
            "--device is 'toaster', which cannot be used here",
        ),
        "no number": ([recording, events, *model, "--threshold", "high"], "Invalid value for"),
        "no model": ([recording, events, "--model", "/no/such"], "/no/such is neither a folder nor the id"),
        "other model": ([recording, events, "--model", folder / "bert"], "model_type 'bert'"),
        "no folder": ([recording, folder / "none" / "events.tsv", *model], "none does not exist"),
        "folder": ([recording, folder / "bert", *model], "has the suffix ''; name a file that ends with .tsv"),
        "same": (
            [recording, recording, *model],
            "exists and is no table of events; the last argument is what to write",
        ),
        "no picture": ([recording, events, *model, "--plot", folder / "a.jpg"], "a.jpg has the suffix '.jpg'"),
        "no page": ([recording, events, *model, "--report", folder / "a.txt"], "a.txt has the suffix '.txt'"),
        "no values": (
            [recording, events, *model, "--device", "meta"],
            "--device is 'meta', which cannot be used here",
        ),
        "twice": ([recording, events, *model, "--plot", events], "events.tsv has the suffix '.tsv'"),
        "no reference": ([recording, events, *model, "--annotations", folder / "none.tsv"], "none.tsv does not exist"),
        "no table": (
            [recording, events, *model, "--annotations", folder / "reference.txt"],
            "expected onset, duration",
        ),
        "folder as reference": ([recording, events, *model, "--annotations", folder / "bert"], "bert is a folder"),
        "late reference": ([recording, events, *model, "--annotations", folder / "late.tsv"], "event at 500.00 s"),
        "other length": ([recording, events, *model, "--annotations", folder / "other.tsv"], "99.00 s"),
    }


def test_bad_input_gets_one_line(run, recording, checkpoint, noise, tmp_path):
    cases = bad_inputs(tmp_path, recording, checkpoint, noise)
    write_events(tmp_path / "events.tsv", [], 10.0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, (arguments, message) in cases.items():
        status, out, err = run("detect", *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), (name, out, err)
        assert err.startswith("brant-hf: "), name
        assert message in err, name
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"detection": {"preprocessing": {"high_pass": "1"}}}),
        ("config.json", {"detection": {"preprocessing": {"amplitude_range": 5}}}),
        ("config.json", {"detection": {"preprocessing": {"amplitude_range": [1, 2, 3]}}}),
        ("config.json", {"detection": {"calibration": 5}}),
        ("config.json", {"detection": 5}),
        ("config.json", {"hidden_size": "large"}),
        ("config.json", []),
        ("preprocessor_config.json", {"scale": "large"}),
        ("preprocessor_config.json", []),
        ("preprocessor_config.json", "damaged"),
    ],
    ids=str,
)
def test_damaged_checkpoints_get_one_line(run, recording, checkpoint, tmp_path, file, change):
    fields = json.loads((checkpoint / file).read_text())
    text = change if isinstance(change, str) else json.dumps({**fields, **change} if change else change)
    (checkpoint / file).write_text(text)
    status, out, err = run("detect", recording, tmp_path / "events.tsv", "--model", checkpoint)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert not (tmp_path / "events.tsv").exists()


def test_labels_beside_a_recording_are_of_no_concern(run, recording, checkpoint, tmp_path):
    recording.with_suffix(".tsv").write_text("patient\tage\n1\t50\n")
    assert run("detect", recording, tmp_path / "events.tsv", "--model", checkpoint)[0] == 0
    assert run("embed", recording, tmp_path / "embeddings.safetensors", "--model", checkpoint)[0] == 0
    assert run("detect", recording.parent, tmp_path / "out", "--model", checkpoint)[0] == 0


def test_tables_of_a_folder_do_not_replace_its_labels(run, write_edf, noise, checkpoint, tmp_path):
    source = tmp_path / "source"
    write_edf(source / "sub-01_ieeg.edf", noise(2, 1000), 100)
    (source / "sub-01_events.tsv").write_text("onset\tduration\ttrial_type\n2\t3\tseizure\n")
    status, out, err = run("detect", source, tmp_path / "source" / ".." / "source", "--model", checkpoint)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is what is to be read" in err
    assert "2\t3\tseizure" in (source / "sub-01_events.tsv").read_text()
    (tmp_path / "file").write_text("old")
    status, out, err = run("detect", source, tmp_path / "file" / "out", "--model", checkpoint)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "file is a file; give a folder" in err


def test_a_link_keeps_pointing_to_its_file(run, recording, checkpoint, tmp_path):
    write_events(tmp_path / "real.tsv", [], 99.0)
    (tmp_path / "link.tsv").symlink_to("real.tsv")
    for _ in range(2):
        assert run("detect", recording, tmp_path / "link.tsv", "--model", checkpoint)[0] == 0
    assert (tmp_path / "link.tsv").is_symlink()
    assert read_event_file(tmp_path / "real.tsv").duration == 10.0


def test_what_is_no_file_is_not_replaced(run, recording, checkpoint, tmp_path):
    os.mkfifo(tmp_path / "pipe.tsv")
    status, out, err = run("detect", recording, tmp_path / "pipe.tsv", "--model", checkpoint)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert (tmp_path / "pipe.tsv").is_fifo()


def test_a_checkpoint_without_a_head(run, recording, detector, extractor, tmp_path):
    BrantForPreTraining(detector().config).save_pretrained(tmp_path / "pretrained")
    extractor().save_pretrained(tmp_path / "pretrained")
    status, out, err = run("detect", recording, tmp_path / "events.tsv", "--model", tmp_path / "pretrained")
    assert (status, out) == (2, "")
    assert "is a BrantForPreTraining checkpoint: detection_head.fc1.weight" in err.splitlines()[-1]
    assert not (tmp_path / "events.tsv").exists()


def test_score(run, tmp_path):
    (tmp_path / "r").mkdir()
    write_events(tmp_path / "r" / "a.tsv", [], 43200.0)
    write_events(tmp_path / "r" / "b.tsv", [{"onset": 100.0, "duration": 50.0}], 43200.0)
    (tmp_path / "h").mkdir()
    write_events(tmp_path / "h" / "a.tsv", [{"onset": 7.0, "duration": 3.0}], 43200.0)
    write_events(tmp_path / "h" / "b.tsv", [{"onset": 110.0, "duration": 20.0}], 43200.0)
    status, out, err = run("score", tmp_path / "r", tmp_path / "h")
    assert (status, err) == (0, "")
    for line in (
        r"recording +level +sensitivity +precision +F1 +found +false +false alarms/day",
        r"a\.tsv +event +n/a +0\.0000 +0\.0000 +0 of 0 +1 +2\.00",
        r"b\.tsv +sample +0\.4000 +1\.0000 +0\.5714 +20 of 50 s +0 s +-",
        r"all recordings +event +1\.0000 +0\.5000 +0\.6667 +1 of 1 +1 +1\.00",
        r"as they are: 1 of 1 reference events found; 2 detected, 1 of them touch no reference event; 0\.0266 %"
        " of the recordings marked",
    ):
        assert re.search(f"^{line}$", out, re.MULTILINE), line
    status, out, _ = run("score", tmp_path / "r" / "b.tsv", tmp_path / "h" / "b.tsv", "--json")
    scores = json.loads(out)
    assert scores["recordings"]["b.tsv"]["sample"]["sensitivity"] == 0.4
    assert scores["pooled"]["sample"]["false_alarms_per_day"] is None
    assert scores["pooled"]["events"]["matches"][0]["onset_error"] == 10.0
    assert scores["pooled"]["event"] == {
        "sensitivity": 1.0, "precision": 1.0, "f1": 1.0, "false_alarms_per_day": 0.0,
        "tp": 1, "fp": 0, "ref_true": 1, "duration": 43200.0,
    }  # fmt: skip
    # A damaged table fails alone.
    (tmp_path / "h" / "b.tsv").write_text("damaged")
    status, out, err = run("score", tmp_path / "r", tmp_path / "h")
    assert (status, err) == (2, "brant-hf: 1 of 2 recordings failed (listed above)\n")
    assert re.search(r"a\.tsv +event +n/a", out)
    assert re.search(r"^b\.tsv: failed: .*b\.tsv is no table of events", out, re.MULTILINE)
    assert json.loads(run("score", tmp_path / "r", tmp_path / "h", "--json")[1])["pooled"]["event"]["fp"] == 1
    (tmp_path / "h" / "b.tsv").unlink()
    status, out, err = run("score", tmp_path / "r", tmp_path / "h")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "has no file for 1 of 2 references: b.tsv" in err


def test_embed(run, recording, checkpoint, detector, extractor, tmp_path):
    path = tmp_path / "embeddings.safetensors"
    status, out, _ = run("embed", recording, path, "--model", checkpoint, "--store-as", "float16")
    assert (status, out) == (0, f"written to     {path}\n")
    with safe_open(path, "np") as file:
        assert file.get_slice("last_hidden_state").get_shape() == [3, 20, 16]
    # Any Brant checkpoint has an encoder.
    BrantForPreTraining(detector().config).save_pretrained(tmp_path / "pretrained")
    extractor().save_pretrained(tmp_path / "pretrained")
    assert run("embed", recording, path, "--model", tmp_path / "pretrained")[0] == 0
    for arguments, message in (
        ([recording, path, "--model", checkpoint, "--store-as", "int8"], "Invalid value for '--store-as'"),
        (
            [recording, recording, "--model", checkpoint],
            "exists and is no file of tensors; the last argument is what to write",
        ),
        ([recording, path, "--model", checkpoint, "--overlap", "1"], "overlap is 1.0"),
        ([tmp_path / "none.edf", path, "--model", checkpoint], "none.edf does not exist"),
    ):
        status, out, err = run("embed", *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_embed_several(run, write_edf, noise, checkpoint, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    write_edf(source / "p1" / "night.edf", noise(2, 1000), 100)
    write_edf(source / "sub-02_run-1_ieeg.edf", noise(2, 500), 100)
    (source / "a.edf").write_text("damaged")
    status, text, err = run("embed", source, out, "--model", checkpoint)
    assert status == 2
    written = ["p1/night.safetensors", "sub-02_run-1.safetensors"]
    assert sorted(text.splitlines()[:2]) == written
    assert re.search(r"^a\.edf: failed: .*a\.edf", text, re.MULTILINE)
    assert err.splitlines()[-1] == "brant-hf: 1 of 3 recordings failed (listed above)"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.safetensors")) == written
    (source / "a.edf").unlink()
    assert run("embed", source, out, "--model", checkpoint)[0] == 0
    for target, message in (
        (tmp_path / "all.safetensors", "is one file, and there are several recordings"),
        (checkpoint / "config.json", "exists and is no file of tensors"),
    ):
        status, text, err = run("embed", source, target, "--model", checkpoint)
        assert (status, text, err.count("\n")) == (2, "", 1)
        assert message in err


def test_embed_several_to_a_table(run, write_edf, noise, checkpoint, tmp_path):
    source, out = tmp_path / "source", tmp_path / "all.parquet"
    write_edf(source / "sub-01" / "sub-01_task-rest_ieeg.edf", noise(2, 1000), 100)
    (source / "b.edf").write_text("damaged")
    arguments = ("embed", source, out, "--model", checkpoint, "--pool", "channel", "--layer", "0,-1")
    status, text, err = run(*arguments)
    assert status == 2
    assert "b.edf: failed: " in text
    assert text.splitlines()[-1] == f"written to     {out}"
    assert err.splitlines()[-1] == "brant-hf: 1 of 2 recordings failed (listed above)"
    table = pd.read_parquet(out)
    assert list(zip(table["subject"], table["channel"], table["layer"], strict=True)) == [
        ("sub-01", channel, layer) for channel in ("A1", "A2") for layer in (0, 2)
    ]
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["all.parquet"]
    status, text, err = run("embed", source / "b.edf", source / "b.edf", out, "--model", checkpoint)
    assert (status, "written" in text, len(pd.read_parquet(out))) == (2, False, 4)
    for layers, message in (("9", "--layer is 9; the model has 0"), ("a", "--layer is 'a'; give whole numbers")):
        status, text, err = run(*arguments[:-1], layers)
        assert (status, text, err.count("\n")) == (2, "", 1)
        assert message in err


def test_causal_compares_with_the_past_alone(run, write_edf, noise, checkpoint, tmp_path):
    recording = write_edf(tmp_path / "a.edf", noise(2, 2000), 100)
    assert run("detect", recording, tmp_path / "a.tsv", "--causal")[0] == 0
    settings = json.loads((tmp_path / "a.json").read_text())["Detection"]["detection"]
    assert settings["background"]["causal"] is True
    status, _, err = run("detect", recording, tmp_path / "b.tsv", "--model", checkpoint, "--causal")
    assert status == 2
    assert "--causal is given, but the checkpoint does not compare with the background" in err


@pytest.mark.parametrize("given", ["format", "file"])
def test_annotations_for_other_programs_tell_the_times_of_the_file(run, recording, checkpoint, tmp_path, given):
    import mne

    edf, fif = ("edf", "fif") if given == "format" else (tmp_path / "events_annot.edf", tmp_path / "events_annot.fif")
    options = ("--edf", edf, "--mne", fif, "--start", 2, "--stop", 7, "--model", checkpoint, *ALL)
    command = ("detect", recording, tmp_path / "events.tsv", *options)
    for _ in range(2):  # what it wrote itself is replaced
        status, out, err = run(*command)
        assert status == 0, err
    assert f"written to     {tmp_path / 'events_annot.edf'}" in out
    for name in ("events_annot.edf", "events_annot.fif"):
        annotations = mne.read_annotations(tmp_path / name)
        raw = mne.io.read_raw_edf(recording, verbose="error").set_annotations(annotations)
        assert raw.annotations.onset.tolist() == [2.0], name
        assert raw.annotations.duration.tolist() == [5.0], name
    (seizure,) = open_recording(recording, seizures=tmp_path / "events_annot.edf").seizures
    assert seizure[:2] == (2.0, 7.0)


def test_moments_of_a_recording_without_a_date_are_refused_before_the_work(
    run, write_edf, noise, checkpoint, tmp_path
):
    source = write_edf(tmp_path / "undated.edf", noise(2, 500), 100)
    status, _, err = run("detect", source, tmp_path / "e.tsv", "--model", checkpoint, "--mne", "csv")
    assert status == 2
    assert "not known when the recording began; write .fif or .txt" in err
    assert not (tmp_path / "e.tsv").exists()
