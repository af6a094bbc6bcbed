"""SWEC, days of recording: events of a detector for each subject, as SzCORE counts them.

    python examples/evaluation/swec_long_term.py --corpus SWEC/ --output outputs/shipped
    python examples/evaluation/swec_long_term.py --corpus SWEC/ --download --subjects ID24 "ID3?" --model detector/ \\
        --output outputs/detector
    python examples/evaluation/swec_long_term.py --corpus SWEC/ --events OTHER/ --output outputs/other

The first searches with the detector that ships, the second with a checkpoint; the third scores events of any other.

`--corpus` is a folder as `NeuroTec/SWEC_iEEG_Dataset` on the Hub (`ID24/ID24_total.h5`, `ID24/ID24_part_1.h5`, ...).
With `--download` it is filled from there: totals, which are small, then one part of about 10 GB at a time, which is
removed when it is searched, unless `--keep`. Without, parts that are not there count as gaps. Folders that are copies
of others are left out. `--hours 24` searches that much of each subject: pieces of an hour with a seizure first, then
random ones.

A detector decides by the settings of its checkpoint. `--events` scores tables of another one, in the format of SzCORE,
one for each subject (`ID24_total.tsv`), with times from the beginning of the recording.

The row has means and standard deviations over subjects: events by any overlap (SzCORE: 30 s before and 60 s after a
seizure, events nearer than 90 s merged, longer than 5 min split), false alarms in a day of what was recorded and
searched; gaps count neither as time nor as false alarms. `subjects.csv` has the counts of each subject. For a detector
that was trained on SWEC, give the subjects that it was not trained on.

What was searched is not searched again, piece by piece; `--shard 1/8` (or `auto` in a job array) searches a share of
the subjects and prints nothing, a last run without it prints the row. No published row counts events like this: the
paper of the corpus (arXiv 2506.20354) and those of the first releases have other rules and other subjects.
"""

from __future__ import annotations

import csv
import math
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from checkpoints import count_parameters, name_and_revision
from folds import Folds
from rows import EVENTS, Row, over_folds, write_rows
from swec_release import Release, Searched, Stretch, at_most, pieces_of, score, search

from brant_hf import BrantForSeizureDetection
from brant_hf.detection import DetectionSettings, Detector, SeizureEvent, read_event_file
from brant_hf.detection.scoring import event_tables, recording_of_table
from brant_hf.files import replacing
from brant_hf.listing import counted
from brant_hf.precision import best_device
from brant_hf.sharding import Shard
from brant_hf.training import ScriptArgumentParser, run_script

DATASET, PROTOCOL = "SWEC", "SzCORE events"


@dataclass
class Arguments:
    """What to score, and on which subjects."""

    corpus: str = field(metadata={"help": "Folder of the corpus; made by --download."})
    output: str = field(metadata={"help": "Folder for the row, the subjects and what was searched."})
    subjects: list[str] = field(
        default_factory=lambda: ["*"], metadata={"help": "Names or patterns of subjects (ID24, ID3?); all if absent."}
    )
    model: str | None = field(default=None, metadata={"help": "Checkpoint, folder or id; the shipped one if absent."})
    revision: str = field(default="main", metadata={"help": "Branch, tag or commit of a checkpoint on the Hub."})
    events: str | None = field(
        default=None, metadata={"help": "Folder with tables of events of another detector, to score these."}
    )
    download: bool = field(default=False, metadata={"help": "Get what is not there from the Hub."})
    keep: bool = field(default=False, metadata={"help": "Keep parts that were downloaded."})
    hours: float | None = field(default=None, metadata={"help": "Search at most this much of each subject."})
    seed: int = field(default=0, metadata={"help": "Which hours are searched."})
    device: str | None = field(default=None, metadata={"help": "Such as cuda; a GPU where there is one if absent."})
    shard: str | None = field(default=None, metadata={"help": "Share of the subjects to search, I/N or auto."})
    card: str | None = field(
        default=None, metadata={"help": "Folder of a checkpoint whose model card gets the row (model-index)."}
    )

    def __post_init__(self) -> None:
        if self.events is not None and (self.model is not None or self.shard is not None):
            raise ValueError("--events are those of another detector; --model and --shard do not go with it")
        if self.hours is not None and not self.hours > 0:
            raise ValueError(f"--hours is {self.hours:g}; it must be above 0")


def whole(release: Release, subject: str) -> Stretch:
    """All of the recording of a subject."""
    return Stretch(subject, 0.0, release.indexes[subject].duration)


def searched(
    detector: Detector, release: Release, stretch: Stretch, folder: Path, *, hours: float | None = None, seed: int = 0
) -> list[Path]:
    """Search a stretch of a recording, or so many hours of it; gives a file for each piece."""
    pieces = pieces_of(release.parts(stretch.subject), stretch)
    chosen = at_most(pieces, release.indexes[stretch.subject], hours, seed)
    return search(detector, release, chosen, folder / stretch.subject)


def tables(release: Release, subject: str, folder: Path) -> tuple[list[SeizureEvent], list[Searched]]:
    """Events of another detector, and what it was about.

    Raises
    ------
    ValueError
        There is not one table for the subject, or it is about a recording of another length.
    """
    index = release.indexes[subject]
    found = [path for path in event_tables(folder) if recording_of_table(path) in (subject, index.path.stem)]
    if len(found) != 1:
        raise ValueError(f"{folder} has {len(found)} tables for {subject}; expected one, {index.path.stem}.tsv")
    table = read_event_file(found[0])
    if table.duration is not None and abs(table.duration - index.duration) > 1:
        raise ValueError(
            f"{found[0]} is about a recording of {table.duration:.2f} s, but {index.path.name} has "
            f"{index.duration:.2f} s; times have to count from the beginning of the recording"
        )
    start, stop = table.searched or (0.0, index.duration)
    pieces = [
        Searched(max(part.start, start), min(part.stop, stop), np.empty((0, 0)), [], 1.0, [*index.seizures], [])
        for part in release.parts(subject)
        if part.start < stop and part.stop > start
    ]
    return [SeizureEvent.of(event) for event in table.events], pieces


def counts(
    subject: str, pieces: Iterable[Searched], settings: DetectionSettings | None, events: Sequence[SeizureEvent] = ()
) -> dict[str, Any]:
    """Counts and scores of one subject."""
    event, agreement, not_searched = score(pieces, settings, events)
    errors = [match.onset_error for match in agreement.matches if match.onset_error is not None]
    return {
        "subject": subject,
        **{column.key: getattr(event, column.key) for column in EVENTS},
        "seizures": event.ref_true,
        "found": event.tp,
        "false_alarms": event.fp,
        "hours": event.duration / 3600,
        "hours_not_searched": not_searched / 3600,
        "latency": float(np.median(errors)) if errors else math.nan,
    }


def row_of(each: Sequence[dict[str, Any]], model: str, mode: str, split: str, **more: Any) -> Row:
    """Mean over subjects."""
    total = {name: sum(one[name] for one in each) for name in ("hours", "seizures", "found", "false_alarms")}
    subjects = f"{len(each)} ({total['hours']:.1f} h, {counted(total['seizures'], 'seizure')})"
    print(
        f"{total['found']} of {total['seizures']} seizures found, {total['false_alarms']} false alarms in "
        f"{total['hours']:.1f} h",
        file=sys.stderr,
    )
    scores = over_folds([{column.key: one[column.key] for column in EVENTS} for one in each])
    return Row(DATASET, PROTOCOL, split, subjects, model, mode, scores, **more)


def write_counts(path: Path, each: Sequence[dict[str, Any]]) -> None:
    """Write a line for each subject; what is not defined is empty."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(each[0]), lineterminator="\n")
        writer.writeheader()
        undefined = [
            {name: "" if isinstance(value, float) and math.isnan(value) else value for name, value in one.items()}
            for one in each
        ]
        writer.writerows(undefined)


def of_events(arguments: Arguments, release: Release) -> list[dict[str, Any]]:
    """Counts of tables of another detector."""
    found = []
    for subject in release.indexes:
        events, pieces = tables(release, subject, Path(str(arguments.events)))
        found.append(counts(subject, pieces, None, events))
    return found


def of_detector(arguments: Arguments, release: Release, detector: Detector) -> list[dict[str, Any]] | None:
    """Counts of a detector; `None` for a share."""
    settings = {name: getattr(arguments, name) for name in ("model", "revision", "hours", "seed")}
    made_with = {**settings, "weights": detector.weights_sha256, "preprocessing": detector.settings.preprocessing}
    folder = Folds(Path(arguments.output) / "searched", made_with).folder
    share = list(release.indexes) if arguments.shard is None else Shard.of(arguments.shard).take([*release.indexes])
    found = []
    for subject in share:
        stretch, limits = whole(release, subject), {"hours": arguments.hours, "seed": arguments.seed}
        files = searched(detector, release, stretch, folder, **limits)
        if arguments.shard is None:
            found.append(counts(subject, map(Searched.load, files), detector.settings))
    return found or None


def main(argv: Sequence[str] | None = None) -> None:
    parser = ScriptArgumentParser(Arguments, description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    (arguments,) = parser.parse(argv)
    release = Release(Path(arguments.corpus), arguments.subjects, download=arguments.download, keep=arguments.keep)
    split = "all subjects" if arguments.subjects == ["*"] else ", ".join(arguments.subjects)
    if arguments.hours is not None:
        split += f", {arguments.hours:g} h of each"
    if arguments.events is not None:
        each = of_events(arguments, release)
        row = row_of(each, Path(arguments.events).resolve().name, "as given", split)
    else:
        detector = Detector.from_pretrained(
            arguments.model, revision=arguments.revision, device=arguments.device or best_device()
        )
        each = of_detector(arguments, release, detector)
        if each is None:
            return
        name, revision = (
            ("shipped", "") if arguments.model is None else name_and_revision(arguments.model, arguments.revision)
        )
        parameters = count_parameters(BrantForSeizureDetection, detector.model.config)
        row = row_of(each, name, "as it is", split, revision=revision, parameters=parameters)
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    write_counts(folder / "subjects.csv", each)
    write_rows(folder, "row", [row], EVENTS, arguments.card)


if __name__ == "__main__":
    run_script(main)
