"""Events of held-out subjects on a miniature in the layout of SWEC."""

import csv
from pathlib import Path

import numpy as np
import pytest
import swec_long_term
import swec_release
from swec_release import Release, Searched, Stretch, at_most, pieces_of

from brant_hf.data.corpora import index_swec_hub
from brant_hf.detection import Detector, write_events

RATE = 100
# Parts of 150 and 90 s.
LENGTHS = (15000, 9000)
SEIZURES = {"ID24": [(30.0, 40.0), (145.0, 155.0)], "ID30": []}


@pytest.fixture
def corpus(tmp_path, write_swec, noise) -> Path:
    root = tmp_path / "SWEC"
    for seed, (subject, seizures) in enumerate(SEIZURES.items()):
        parts = np.split(noise(3, sum(LENGTHS), seed), [LENGTHS[0]], axis=1)
        # Most totals name their parts as those of another folder.
        write_swec(root, subject, parts, seizures, RATE, index="ID07", chunk_s=30)
    return root


def run(corpus: Path, output: Path, *options: str) -> list[dict[str, str]]:
    swec_long_term.main(["--corpus", str(corpus), "--output", str(output), *options])
    with (output / "subjects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write_table(folder: Path, subject: str, *stretches: tuple[float, float]) -> None:
    folder.mkdir(exist_ok=True)
    events = [{"onset": onset, "duration": offset - onset} for onset, offset in stretches]
    write_events(folder / f"{subject}_total.tsv", events, 240.0)


def test_events_of_any_detector(corpus, tmp_path, capsys):
    # Both seizures found, the second over the border of the parts; an alarm in the quiet subject.
    write_table(tmp_path / "other", "ID24", (32, 45), (149, 160))
    write_table(tmp_path / "other", "ID30", (100, 130))
    each = run(corpus, tmp_path / "out", "--events", str(tmp_path / "other"))
    assert [(one["subject"], one["found"], one["seizures"], one["false_alarms"]) for one in each] == [
        ("ID24", "2", "2", "0"),
        ("ID30", "0", "0", "1"),
    ]
    assert [float(one["hours"]) for one in each] == pytest.approx([240 / 3600] * 2)
    assert [each[0]["latency"], each[1]["sensitivity"]] == ["3.0", ""]
    with (tmp_path / "out" / "row.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["dataset"], row["protocol"], row["subjects"]) == ("SWEC", "SzCORE events", "2 (0.1 h, 2 seizures)")
    assert (row["model and revision"], row["mode"], row["split"]) == ("other", "as given", "all subjects")
    assert (row["sensitivity"], row["sensitivity_folds"], row["precision"]) == ("1.0", "1 of 2", "0.5")
    # 0 and 1 alarms in 240 s each.
    assert (float(row["false_alarms_per_day"]), float(row["false_alarms_per_day_sd"])) == pytest.approx(
        (180.0, 360 / np.sqrt(2))
    )
    assert capsys.readouterr().out == (tmp_path / "out" / "row.md").read_text()


def test_missing_parts_are_neither_time_nor_false_alarms(corpus, tmp_path):
    (corpus / "ID24" / "ID24_part_2.h5").unlink()
    # The second seizure begins 5 s before the gap, in which there are two alarms.
    write_table(tmp_path / "other", "ID24", (147, 155), (170, 175), (230, 240))
    options = ("--events", str(tmp_path / "other"), "--subjects", "ID24")
    with pytest.warns(UserWarning, match=r"ID24: parts that are not there count as gaps: ID24_part_2.h5"):
        (one,) = run(corpus, tmp_path / "out", *options)
    assert (one["found"], one["seizures"], one["false_alarms"]) == ("1", "2", "0")
    assert float(one["hours"]) == pytest.approx(150 / 3600)
    (corpus / "ID24" / "ID24_part_1.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no part of ID24 \(ID24_part_1.h5, ID24_part_2.h5\)"):
        run(corpus, tmp_path / "out", *options)


def test_a_checkpoint_is_run_piece_by_piece_and_goes_on(corpus, tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(swec_release, "PIECE_S", 75.0)
    options = ("--model", str(checkpoint), "--device", "cpu")
    swec_long_term.main(["--corpus", str(corpus), "--output", str(tmp_path / "out"), *options, "--shard", "2/2"])
    files = sorted((tmp_path / "out" / "searched").glob("ID*/*.npz"))
    assert [file.relative_to(tmp_path / "out" / "searched").as_posix() for file in files] == [
        f"ID30/{start:09}.npz" for start in (0, 75, 150)
    ]
    assert not (tmp_path / "out" / "row.csv").exists()
    first = run(corpus, tmp_path / "out", *options)
    # What is there is not searched again: without the parts it goes the same way.
    searched = []
    monkeypatch.setattr(swec_release, "_searched", lambda *args: searched.append(args))
    assert run(corpus, tmp_path / "out", *options) == first
    assert not searched
    with pytest.raises(ValueError, match="holds results of another evaluation: hours differ"):
        run(corpus, tmp_path / "out", *options, "--hours", "1")
    # The probabilities are those of the detector, on the clock of the recording.
    piece = Searched.load(files[1])
    (index,) = index_swec_hub(corpus, ["ID30"])
    with Release(corpus).reading(index.parts[0]) as part:
        recording = swec_release.open_recording(part, start=75.0, stop=150.0)
    expected = Detector.from_pretrained(checkpoint).detect(recording, progress=False)
    np.testing.assert_array_equal(piece.probabilities, expected.probabilities)
    assert [event.onset for event in piece.events(expected.decision)] == [event.onset for event in expected.events]
    assert (piece.start, piece.stop, piece.channel_names) == (75.0, 150.0, ["CH1", "CH2", "CH3"])


def test_hours_in_which_nothing_was_connected_are_left_out(corpus, tmp_path, checkpoint, write_swec, noise):
    flat = [noise(3, LENGTHS[0], 2), np.zeros((3, LENGTHS[1]), np.float32)]
    write_swec(corpus, "ID31", flat, [(200.0, 210.0)], RATE)
    options = ("--model", str(checkpoint), "--device", "cpu", "--subjects", "ID31")
    with pytest.warns(UserWarning, match="ID31_part_2, 150 to 240 s: not searched"):
        (one,) = run(corpus, tmp_path / "out", *options)
    assert (one["seizures"], float(one["hours"]) * 3600, float(one["hours_not_searched"]) * 3600) == pytest.approx(
        ("0", 150, 90)
    )


def test_hours_with_seizures_come_first(corpus, monkeypatch):
    monkeypatch.setattr(swec_release, "PIECE_S", 30.0)
    (index,) = index_swec_hub(corpus, ["ID24"])
    pieces = pieces_of(index.parts, Stretch("ID24", 0.0, 240.0))
    assert [(piece.start, piece.stop) for piece in pieces] == [(30.0 * i, 30.0 * (i + 1)) for i in range(8)]
    # The first seizure, and both sides of the second one, which is in two parts.
    chosen = at_most(pieces, index, 120 / 3600, seed=0)
    assert len(chosen) == 4
    assert {30.0, 120.0, 150.0} < {piece.start for piece in chosen}
    assert at_most(pieces, index, 120 / 3600, seed=0) == chosen
    assert chosen == sorted(chosen, key=lambda piece: piece.start)
    assert pieces_of(index.parts, Stretch("ID24", 100.0, 190.0)) == []  # shorter than a minute in each part


def test_parts_are_downloaded_when_they_are_read(corpus, tmp_path, monkeypatch):
    def fetch(name: str) -> None:
        target = tmp_path / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((corpus / name).read_bytes())

    def totals(repository, *, repo_type, allow_patterns, local_dir):
        assert (repository, repo_type, allow_patterns) == (
            "NeuroTec/SWEC_iEEG_Dataset", "dataset", ["ID24/*_total.h5"],
        )  # fmt: skip
        fetch("ID24/ID24_total.h5")

    monkeypatch.setattr("huggingface_hub.snapshot_download", totals)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name, **how: fetch(name))
    for keep in (False, True):
        release = Release(tmp_path / "copy", ["ID24"], download=True, keep=keep)
        part = release.parts("ID24")[1]
        with release.reading(part) as recording:
            assert (recording.duration, recording.seizures) == (90.0, [(0.0, 5.0, None)])
        assert part.path.exists() == keep
    # What was there before stays.
    with Release(tmp_path / "copy", ["ID24"], download=True).reading(part):
        pass
    assert part.path.exists()


def test_bad_arguments(corpus, tmp_path):
    write_events(tmp_path / "ID24_total.tsv", [], 100.0)
    for options, message in (
        (["--events", "x", "--model", "y"], "--model and --shard do not go with it"),
        (["--hours", "0"], "--hours is 0; it must be above 0"),
        (["--events", str(tmp_path), "--subjects", "ID24"], "of 100.00 s, but ID24_total.h5 has 240.00 s"),
        (["--events", str(tmp_path), "--subjects", "ID30"], "has 0 tables for ID30"),
    ):
        with pytest.raises(ValueError, match=message):
            run(corpus, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
