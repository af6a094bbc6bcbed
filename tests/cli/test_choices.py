"""What a person says of a recording on the command line, by the same names in every command."""

import json
from datetime import UTC, datetime

import edfio
import numpy as np
import pytest
import typer
from safetensors.numpy import load_file

from brant_hf.cli import app
from brant_hf.data import load
from brant_hf.detection import read_event_file

ALL = ("--threshold", "0.001")
SMALL = ("--num-patches", "4", "--patch-length", "100", "--sampling-rate", "100", "--notch", "none")


def write(path, signal, names, remarks=(), unit="uV", rate=200):
    signals = [
        edfio.EdfSignal(row.astype(float), rate, label=name, physical_dimension=unit)
        for name, row in zip(names, signal, strict=True)
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(*each) for each in remarks]).write(path)
    return path


@pytest.fixture
def recording(noise, tmp_path):
    """Four contacts of two shafts and a channel of another kind, 20 s; a seizure from 6 to 10 s."""
    remarks = [(6, 4, "Anfall 1"), (15, None, "cough")]
    return write(tmp_path / "night.edf", noise(5, 4000), ["LA1", "LA2", "LB1", "LB2", "EKG1"], remarks)


@pytest.fixture
def inspected(run, recording):
    def inspected(*options):
        status, out, err = run("inspect", recording, "--json", *options)
        assert status == 0, err
        return json.loads(out)

    return inspected


def test_options_of_one_name_are_the_same_in_every_command():
    """Help, values and form; what a command does with them is tested below."""
    told = {}
    for name in ("detect", "embed", "prepare", "inspect"):
        for each in typer.main.get_command(app).commands[name].params:
            if each.opts[0].startswith("--") and not each.hidden:
                told.setdefault(each.opts[0], set()).add((each.help, each.metavar, each.multiple))
    assert {"--channels", "--overlap", "--model", "--notch"} <= told.keys()
    assert {option: texts for option, texts in told.items() if len(texts) > 1} == {}


def test_one_of_several_series_of_an_nwb_file(run, recording, noise, tmp_path):
    pynwb = pytest.importorskip("pynwb")
    nwb = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC))
    group = nwb.create_electrode_group("LA", "depth", "unknown", nwb.create_device("amplifier"))
    for _ in range(4):
        nwb.add_electrode(location="unknown", group=group)
    region = nwb.create_electrode_table_region([0, 1, 2, 3], "all")
    for name, rate in (("macro", 200.0), ("micro", 400.0)):
        signal = noise(4, 4000).T * 1e-6
        nwb.add_acquisition(pynwb.ecephys.ElectricalSeries(name, signal, region, rate=rate))
    with pynwb.NWBHDF5IO(tmp_path / "rec.nwb", "w") as io:
        io.write(nwb)
    status, _, err = run("inspect", tmp_path / "rec.nwb")
    assert status == 2
    assert "['macro', 'micro']; say which with --electrical-series NAME" in err
    status, out, _ = run("inspect", tmp_path / "rec.nwb", "--electrical-series", "micro", "--json")
    assert (status, json.loads(out)["sampling_rate"]) == (0, 400.0)
    assert (
        "night.edf: --electrical-series NAME is for NWB files alone"
        in run("inspect", recording, "--electrical-series", "micro")[1]
    )


def test_the_rate_of_a_file_that_does_not_tell_it(run, noise, tmp_path):
    np.save(tmp_path / "rec.npy", noise(4, 8000))
    status, _, err = run("inspect", tmp_path / "rec.npy")
    assert status == 2
    assert "its sampling rate is not known; pass --file-rate RATE (Hz)" in err
    status, out, _ = run("inspect", tmp_path / "rec.npy", "--file-rate", 400, "--json")
    assert (status, json.loads(out)["duration"]) == (0, 20.0)
    status, _, err = run("detect", tmp_path / "rec.npy", tmp_path / "events.tsv", "--file-rate", 400)
    assert status == 0, err
    assert read_event_file(tmp_path / "events.tsv").duration == 20.0
    # The other rate of `prepare` is that of the windows.
    assert run("prepare", tmp_path / "rec.npy", tmp_path / "windows", "--file-rate", 400, *SMALL)[0] == 0
    assert load(tmp_path / "windows")[0]["sampling_rate"] == 100


def names_of(found):
    return [each["name"] for each in found["channels"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["LA1", "LA2", "LB1", "LB2"]),
        (["--channels", "la01,LB*"], ["LA1", "LB1", "LB2"]),
        (["--channels", "LA1", "--channels", "LB1-2"], ["LA1", "LB1", "LB2"]),
        (["--channels", "LA1-LB2,LA2-9"], ["LA1", "LA2", "LB2"]),
        (["--bad", "LA2", "--channel-type", "EKG1=seeg"], ["LA1", "LB1", "LB2", "EKG1"]),
        (["--channel-type", "LA*=misc,EKG1=ecog"], ["LB1", "LB2", "EKG1"]),
    ],
)
def test_channels(inspected, options, expected):
    assert names_of(inspected(*options)) == expected


def test_the_same_options_in_every_command(run, recording, checkpoint, tmp_path):
    """Two pairs of contacts, the third quarter of the recording, ten times as large."""
    options = ("--channels", "L*", "--montage", "bipolar", "--high-pass", "1", "--notch", "none", "--start", "10")
    options += ("--stop", "0:15", "--unit", "uV", "--gain", "10")
    tables, tensors, dataset = tmp_path / "e.tsv", tmp_path / "e.safetensors", tmp_path / "dataset"
    model = ("--model", checkpoint)
    status, out, err = run("detect", recording, tables, *model, *options, *ALL)
    assert status == 0, err
    (event,) = read_event_file(tables).events
    assert (event["onset"], event["duration"], set(event["channels"])) == (10.0, 5.0, {"LA1-LA2", "LB1-LB2"})
    assert read_event_file(tables).duration == 20.0
    untrained = "--montage is bipolar, and the checkpoint was trained with none"
    assert untrained in err
    status, _, err = run("embed", recording, tensors, *model, *options)
    assert status == 0, err
    assert untrained in err
    assert untrained not in run("embed", recording, tmp_path / "none.safetensors", *model)[2]
    found = load_file(tensors)
    assert found["last_hidden_state"].shape[:2] == (2, 10)
    assert found["times"][[0, -1]].tolist() == [10.25, 14.75]
    status, _, err = run("prepare", recording, dataset, *SMALL[:6], *options)
    assert status == 0, err
    (row,) = load(dataset)
    assert (row["start"], row["channel_names"]) == (10.0, ["LA1-LA2", "LB1-LB2"])
    assert 300 < np.std(row["input_values"]) < 1000
    settings = json.loads((dataset / "dataset.json").read_text())
    assert settings["preprocessing"]["high_pass"] == 1
    status, out, err = run("inspect", recording, *options)
    assert (status, err) == (0, "")
    assert "length         5.00 s at 200 Hz, from 10.00 s of the 20.00 s of the file" in out
    assert "search 2 channels" in out
    assert "trained with the reference none, and may be wrong with bipolar" in out
    assert "15.00 s " not in out
    assert "15.00 s - cough" in " ".join(run("inspect", recording, "--start", "14")[1].split())


@pytest.mark.parametrize("command", ["detect", "embed", "prepare", "inspect", "finetune"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--channels", "LC*"], "--channels names ['LC*'], which the recording does not have; it has ['LA1', 'LA2', "),
        (["--bad", "X1"], "--bad names ['X1']"),
        (["--channels", "LA1-ZZ"], "names ['LA1-ZZ'], which the recording does not have"),
        (["--bad", "LA2,LA1-LC1"], "names ['LA1-LC1'], which the recording does not have"),
        (["--channel-type", "LA1=sseg"], "--channel-type gives 'sseg'; expected one of seeg, ecog, dbs, eeg, misc"),
        (["--channel-type", "LA1"], "--channel-type is 'LA1'; write it as NAME=TYPE"),
        (["--unit", "kV"], "Unknown unit 'kV'"),
        (["--start", "soon"], "--start is 'soon'; give seconds or h:mm:ss"),
        (["--start", "30"], "the part from start 30 s to stop 20 s is not inside"),
        (["--notch", "some"], "--notch is 'some'; give a frequency in Hz, auto or none"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, recording, checkpoint, tmp_path, command, options, message):
    output = {"detect": "e.tsv", "embed": "e.safetensors", "prepare": "dataset"}
    arguments = [tmp_path / output[command]] if command in output else []
    arguments += ["--model", checkpoint] if command in ("detect", "embed") else []
    arguments += ["--output", tmp_path / "mine"] if command == "finetune" else []
    status, out, err = run(command, recording, *arguments, *options)
    assert status == 2
    # What is wrong with a recording `prepare` says in its list of failures.
    assert message in " ".join((out if "failed" in out else err).split())


def test_units_as_a_person_says_them(run, noise, checkpoint, tmp_path):
    """Millivolts under a header that says microvolts."""
    path = write(tmp_path / "r.edf", noise(2, 4000) * 4e-3, ["A1", "A2"])
    remedy = "if the numbers in the file are mV, say so (--unit mV"
    for command, out in (("detect", "e.tsv"), ("embed", "e.safetensors"), ("prepare", "dataset"), ("inspect", None)):
        model = ("--model", checkpoint) if command in ("detect", "embed") else ()
        small = SMALL if command == "prepare" else ()
        target = () if out is None else (tmp_path / out,)
        # Stated as right, so that the amplitude decides nothing.
        status, text, err = run(command, path, *target, *model, *small, "--unit", "uV")
        assert status == 0
        assert remedy in f"{text}{err}", command
    status, text, _ = run("inspect", path, "--unit", "mV", "--json")
    assert [each["deviation"] for each in json.loads(text)["channels"]] == pytest.approx([200, 200], rel=0.1)
    assert "median amplitude" not in text
    status, text, _ = run("inspect", path, "--unit", "A1=uV", "--gain", "50", "--json")
    assert json.loads(text)["channels"][0]["scale"] == 50


def test_annotations_of_the_recording_are_scored_and_named(run, recording, checkpoint, tmp_path):
    command = ("detect", recording, tmp_path / "e.tsv", "--model", checkpoint, *ALL)
    assert "against" not in run(*command, "--event-type", "Anfall*=ignore")[1]
    status, out, err = run(*command, "--event-type", "Anfall*=seizure")
    assert status == 0, err
    assert "against night.edf:" in out
    assert "1 of 1 reference events found" in out
    # In a part, times stay those of the file.
    status, out, err = run(*command, "--event-type", "Anfall*=seizure", "--start", "5", "--stop", "15")
    assert "1 of 1 reference events found; 1 detected" in out, err
    assert " 6.00          4.00       1            -1.00" in out
    assert " 40 " not in out


def test_a_table_that_says_that_there_is_no_seizure_is_scored(run, recording, checkpoint, tmp_path):
    recording.with_name(f"{recording.stem}_events.tsv").write_text("onset\tduration\teventType\n0\t20\tbckg\n")
    status, out, err = run("detect", recording, tmp_path / "e.tsv", "--model", checkpoint, *ALL)
    assert status == 0, err
    assert "against night_events.tsv:" in out
    assert "0 of 0 reference events found; 1 detected, 1 of them touch no reference event" in out
    assert "seizures       none (from: night_events.tsv)" in run("inspect", recording)[1].splitlines()


def test_annotations_are_a_table_or_a_recording(run, recording, noise, checkpoint, tmp_path):
    command = ("detect", recording, tmp_path / "e.tsv", "--model", checkpoint, *ALL)
    table = tmp_path / "known.tsv"
    table.write_text("onset\tduration\ttrial_type\n2\t3\tKrampf X\n12\t3\tKrampf X\n")
    status, out, err = run(*command, "--annotations", table, "--event-type", "Krampf X=seizure")
    assert status == 0, err
    assert "against known.tsv:" in out
    assert "2 of 2 reference events found" in out
    other = write(tmp_path / "marked.edf", noise(1, 4000), ["X"], [(3, 2, "sz")])
    status, out, err = run(*command, "--annotations", other)
    assert "against marked.edf:" in out, err
    assert "1 of 1 reference events found" in out
    status, out, err = run(*command, "--reference", other)
    assert status == 0
    assert "brant-hf: note: --reference is now called --annotations" in err
    status, out, err = run("inspect", recording, "--annotations", table, "--event-type", "Krampf*=seizure", "--json")
    assert [each["onset"] for each in json.loads(out)["seizures"]] == [2, 12]
    status, _, err = run("inspect", tmp_path, "--annotations", table)
    assert (status, err.count("\n")) == (2, 1)
    assert "known.tsv is for one recording" in err


def test_labels_of_a_table_reach_a_dataset(run, recording, tmp_path):
    (tmp_path / "known.tsv").write_text("onset\tduration\ttrial_type\n2\t2\tsz\n")
    command = ("prepare", recording, tmp_path / "dataset", *SMALL, "--annotations", tmp_path / "known.tsv")
    assert run(*command, "--start", "1", "--stop", "5")[0] == 0
    (row,) = load(tmp_path / "dataset")
    assert (row["start"], list(row["labels"][0])) == (1.0, [0, 1, 1, 0])


def test_a_folder_uses_what_lies_beside_each_recording(run, noise, checkpoint, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        write(folder / f"{name}.edf", noise(2, 2000), ["A1", "A2"])
    (folder / "a_events.tsv").write_text("onset\tduration\ttrial_type\n2\t2\tsz\n")
    (folder / "b_events.tsv").write_text("nothing\n1\n")
    status, out, err = run("detect", folder, tmp_path / "out", "--model", checkpoint, *ALL, "--start", "1")
    assert status == 0, err
    assert "a_events.tsv: 1 event, 1 of 1 known seizures found (a_events.tsv)\nb_events.tsv: 1 event\n" in out
    assert "b: its annotations are not used: " in err
    assert read_event_file(tmp_path / "out" / "a_events.tsv").events[0]["onset"] == 1.0


def test_a_channel_of_line_noise_is_told_by_every_command(run, noise, checkpoint, tmp_path):
    """A sine of 60 Hz and three times the amplitude has nine times the power of the noise it lies on, of which little
    is near 60 Hz."""
    signal = noise(3, 4000)
    signal[1] += 3 * np.sqrt(2) * signal[1].std() * np.sin(2 * np.pi * 60 * np.arange(4000) / 200)
    signal[2] += np.sqrt(2) * signal[2].std() * np.sin(2 * np.pi * 60 * np.arange(4000) / 200)
    path = write(tmp_path / "r.edf", signal, ["A1", "A2", "A3"])
    for command, out in (("detect", "e.tsv"), ("embed", "e.safetensors"), ("prepare", "dataset"), ("inspect", None)):
        model = ("--model", checkpoint) if command in ("detect", "embed") else ()
        target = () if out is None else (tmp_path / out,)
        status, text, err = run(command, path, *target, *model, *(SMALL if command == "prepare" else ()))
        assert status == 0, err
        assert "A2 is mostly line noise" in f"{text}{err}", command
        assert "(--bad A2)" in f"{text}{err}", command
    assert "line noise: A2" in text
    assert [each["condition"] for each in json.loads(run("inspect", path, "--json")[1])["channels"]] == [
        "ok",
        "line noise",
        "ok",
    ]
