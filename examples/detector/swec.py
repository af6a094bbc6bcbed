"""A detector from days of real recordings: SWEC, from nothing downloaded to a checkpoint with its scores.

    python examples/detector/swec.py --corpus SWEC/ --download --subjects ID24 --output outputs/one --hours 24
    python examples/detector/swec.py --corpus SWEC/ --download --output outputs/all --model you/brant \\
        --push-to-hub you/brant-swec

Shares the subjects out (`--fractions` of training, validation, test; of one or two subjects the time), prepares
windows around the seizures of the first two and random ones of background (`--margin`, `--background`), fine-tunes a
checkpoint on them with `examples/run_seizure_detection.py` and `swec.yaml`, searches the recordings of the validation
subjects (`--validation-hours` of each), chooses the settings of the detector on them, and scores the events of the
test subjects, see `examples/evaluation/swec_long_term.py`. `OUTPUT/detector` is the checkpoint; its model card has the
settings and the scores. Other options are those of `run_seizure_detection.py`: `--num_train_epochs 3`,
`--tuning lora`, `--bf16 true`.

Every step that is complete is skipped, and one that was interrupted goes on: with the windows of the next subject, the
last checkpoint of the training, the next hour to search. With `--download` a part of about 10 GB at a time is on disk,
and removed when it is read, unless `--keep`; of the training subjects only parts with seizures are read.
"""

from __future__ import annotations

import json
import shutil
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "evaluation"))

from build import run
from checkpoints import count_parameters, name_and_revision
from folds import Folds
from huggingface_hub import ModelCard
from rows import EVENTS, Row, markdown, write_rows
from swec_long_term import counts, row_of, searched, write_counts
from swec_release import REPOSITORY, SHORTEST_S, Piece, Release, Searched, Stretch

from brant_hf import BrantFeatureExtractor, BrantForSeizureDetection
from brant_hf.checkpoints import read_config, shipped_checkpoint
from brant_hf.conversion_report import check_push
from brant_hf.data import prepare, settings_like
from brant_hf.data.corpora import SwecIndex, SwecPart
from brant_hf.data.dataset.folder import DatasetFolder
from brant_hf.data.dataset.splits import assign_groups
from brant_hf.detection import Background, DetectionSettings, Detector, calibration_report
from brant_hf.detection.decision import logit
from brant_hf.events.event import merge_stretches
from brant_hf.files import replacing_folder, write_text
from brant_hf.precision import best_device
from brant_hf.training import CARD, SPLITS, ScriptArgumentParser, run_script
from brant_hf.training.arguments import parse_fractions
from brant_hf.user_warnings import warn

# Stretches of background of a subject without a seizure.
QUIET = 4
# What is tried for the settings of the detector, see `calibration_report`: seizures of SWEC have no channels, and the
# shortest electrographic seizure by the definition of the ACNS (2021) lasts 10 s.
GRID: dict[str, Any] = {"min_channels": (1, 2, 4, 8), "min_durations": (5.0, 10.0), "merge_gaps": (10.0, 20.0)}


@dataclass
class Arguments:
    """Which subjects, and what is made of them."""

    corpus: str = field(metadata={"help": "Folder of the corpus; made by --download."})
    output: str = field(metadata={"help": "Folder for everything that is made."})
    subjects: list[str] = field(
        default_factory=lambda: ["*"], metadata={"help": "Names or patterns of subjects (ID24, ID3?); all if absent."}
    )
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint to start from, folder or id; the shipped one if absent."}
    )
    download: bool = field(default=False, metadata={"help": "Get what is not there from the Hub."})
    keep: bool = field(default=False, metadata={"help": "Keep parts that were downloaded."})
    fractions: str = field(default="0.6,0.2,0.2", metadata={"help": "Shares of training, validation and test."})
    seed: int = field(default=0, metadata={"help": "Of the shares, the background and the hours."})
    margin: float = field(default=300.0, metadata={"help": "Seconds before and after a seizure to train on."})
    background: float = field(default=1.0, metadata={"help": "Stretches of background for each with a seizure."})
    validation_hours: float = field(default=24.0, metadata={"help": "Hours of each validation subject to search."})
    hours: float | None = field(
        default=None, metadata={"help": "Hours of each test subject to search; all if absent."}
    )
    max_false_alarms_per_day: float = field(
        default=float("inf"), metadata={"help": "Limit for the settings that are chosen."}
    )
    device: str | None = field(default=None, metadata={"help": "To search on; a GPU where there is one if absent."})
    push_to_hub: str | None = field(
        default=None, metadata={"help": "Repository for the checkpoint, such as you/swec."}
    )
    public: bool = field(default=False, metadata={"help": "Let everybody see what is pushed."})

    def __post_init__(self) -> None:
        if list(parse_fractions(self.fractions)) != list(SPLITS):
            raise ValueError(f"--fractions is {self.fractions!r}; expected shares of {', '.join(SPLITS)}")
        if self.margin * 2 < SHORTEST_S:
            raise ValueError(f"--margin is {self.margin:g} s; it must be {SHORTEST_S / 2:g} or more")

    def results_depend_on(self) -> dict[str, Any]:
        """What may not change from one run to the next in the same folder."""
        free = ("corpus", "output", "download", "keep", "hours", "device", "push_to_hub", "public")
        return {name: value for name, value in asdict(self).items() if name not in free}


def shares_of(indexes: Sequence[SwecIndex], fractions: dict[str, float], seed: int) -> dict[str, list[Stretch]]:
    """Share subjects out, so that no subject is in two splits; of fewer than three subjects, the time of each.

    Raises
    ------
    ValueError
        A recording that is to be divided has fewer than three seizures.
    """
    shares: dict[str, list[Stretch]] = {name: [] for name in fractions}
    if len(indexes) >= len(fractions):
        seizures, seconds = ([len(each.seizures) for each in indexes], [each.duration for each in indexes])
        subjects = [each.subject for each in indexes]
        split_of = assign_groups(subjects, np.array(seizures), fractions, seed=seed, rows=np.array(seconds))
        for each in indexes:
            shares[split_of[each.subject]].append(Stretch(each.subject, 0.0, each.duration))
        return shares
    warn("fewer than three subjects: each is divided by time, so the scores are those of subjects that are known")
    for each in indexes:
        for name, (start, stop) in zip(fractions, by_time(each, list(fractions.values())), strict=True):
            shares[name].append(Stretch(each.subject, start, stop))
    return shares


def by_time(index: SwecIndex, fractions: Sequence[float]) -> list[tuple[float, float]]:
    """Divide a recording halfway between two seizures, so that each share has about its part of them, at least one."""
    seizures, number = sorted(index.seizures), len(fractions)
    if len(seizures) < number:
        raise ValueError(
            f"{index.subject} has {len(seizures)} seizures; {number} are needed to train, choose settings and test on "
            "one subject, or three subjects"
        )
    places = [round(share * len(seizures)) for share in np.cumsum(fractions)[:-1]]
    borders = [0.0]
    for order, place in enumerate(places):
        first = min(max(place, order + 1), len(seizures) - number + order + 1)
        borders.append((seizures[first - 1][1] + seizures[first][0]) / 2)
    return list(zip(borders, [*borders[1:], index.duration], strict=True))


def training_pieces(
    parts: Sequence[SwecPart], index: SwecIndex, stretch: Stretch, arguments: Arguments
) -> list[Piece]:
    """Pieces around seizures, and random ones of the same parts that keep away from them, in the order of time."""
    margin, length = arguments.margin, 2 * arguments.margin
    near = merge_stretches((onset - margin, offset + margin) for onset, offset in index.seizures)
    ictal = list(_within(parts, stretch, near))
    rng = np.random.default_rng([arguments.seed, sum(map(ord, index.subject))])
    read = {piece.part for piece in ictal} or {parts[rng.integers(len(parts))]}
    grid = [(start, start + length) for start in np.arange(stretch.start, stretch.stop - length, length).tolist()]
    free = [(start, stop) for start, stop in grid if not any(start < b and a < stop for a, b in near)]
    calm = list(_within(sorted(read, key=lambda part: part.start), stretch, free))
    count = round(arguments.background * len(ictal)) if ictal else QUIET
    chosen = rng.permutation(len(calm))[:count].tolist()
    return sorted([*ictal, *(calm[place] for place in chosen)], key=lambda piece: piece.start)


def _within(parts: Sequence[SwecPart], stretch: Stretch, wanted: Sequence[tuple[float, float]]) -> Any:
    for part in parts:
        for first, last in wanted:
            start, stop = max(first, part.start, stretch.start), min(last, part.stop, stretch.stop)
            if stop - start >= SHORTEST_S:
                yield Piece(part, start, stop)


def prepare_share(release: Release, pieces: Sequence[Piece], dataset: Path, how: dict[str, Any]) -> dict[str, Any]:
    """Add windows of pieces to a dataset; gives the names of the recordings that they are."""
    names = []
    for part, those in groupby(pieces, key=lambda piece: piece.part):
        with release.reading(part) as recording:
            sources = [
                replace(piece.of(recording), name=f"{recording.name}_{piece.start - part.start:06.0f}s")
                for piece in those
            ]
            report = prepare(sources, dataset, progress=False, **how)
            for source, reason in report.failed.items():
                warn(f"{source}: a stretch is left out: {reason}")
            names += [source.name for source in sources]
    return {"recordings": names}


def windows_of(release: Release, shares: dict[str, list[Stretch]], folds: Folds, arguments: Arguments) -> Path:
    """Windows of training and validation subjects, with these splits noted."""
    dataset, split_of = folds.folder / "windows", {}
    how = settings_like(start_of(arguments))
    for name in ("train", "validation"):
        for stretch in shares[name]:
            index = release.indexes[stretch.subject]

            def work(_: Path, stretch: Stretch = stretch, index: SwecIndex = index) -> dict[str, Any]:
                pieces = training_pieces(release.parts(stretch.subject), index, stretch, arguments)
                return prepare_share(release, pieces, dataset, how)

            prepared = folds.result(f"prepared/{name}_{stretch.subject}", work)
            split_of |= dict.fromkeys(prepared["recordings"], name)
    folder = DatasetFolder(dataset)
    shards: dict[str, list[str]] = {"train": [], "validation": []}
    for _, entry in sorted(folder.manifest.items()):
        shards[split_of[entry["recording"]]] += [shard["file"] for shard in entry["shards"]]
    if folder.splits != shards:
        folder.save_splits(shards, by="subject", seed=arguments.seed)
    return dataset


def start_of(arguments: Arguments) -> str:
    """Checkpoint to start from."""
    return arguments.model or str(shipped_checkpoint())


def calibrate(files: Sequence[Path], arguments: Arguments) -> dict[str, Any]:
    """Settings that find the seizures of validation subjects best, relative to the background or as they are."""
    pieces = [each for each in map(Searched.load, files) if not each.reason]
    usual = float(np.median([np.median(logit(each.probabilities)) for each in pieces]))
    known = (read_config(start_of(arguments)).get("detection") or {}).get("background") or {}
    reports = [
        calibration_report(
            [{"probabilities": e.probabilities, "patch_duration": e.patch_s, "times": ()} for e in pieces],
            [[{"onset": a - e.start, "duration": b - a} for a, b in e.seizures] for e in pieces],
            uncertain=[[(a - e.start, b - e.start) for a, b in e.uncertain] for e in pieces],
            background=background,
            max_false_alarms_per_day=arguments.max_false_alarms_per_day,
            **GRID,
        )
        for background in (None, Background(**{**known, "usual": usual}))
    ]
    best = max(reports, key=lambda report: report.score.f1)
    return {"settings": best.settings, "score": best.score.to_dict()}


def package(trained: Path, settings: dict[str, Any], output: Path) -> None:
    """Write the checkpoint with the settings of the detector, and the card of the training."""
    model = BrantForSeizureDetection.from_pretrained(trained)
    model.config.detection = {"preprocessing": (model.config.detection or {}).get("preprocessing", {}), **settings}
    with replacing_folder(output, overwrite=True) as folder:
        model.save_pretrained(folder)
        BrantFeatureExtractor.from_pretrained(trained).save_pretrained(folder)
        shutil.copy(trained / CARD, folder / CARD)


def tell(folder: Path, row: Row, each: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> None:
    """Put the settings, and the scores of the test subjects, into the model card."""
    card = ModelCard.load(folder / CARD)
    card.data.datasets, card.data.model_name = [REPOSITORY], folder.resolve().name
    lines = [
        "| subject | seizures | found | false alarms | hours |",
        "|---|---|---|---|---|",
        *(
            f"| {e['subject']} | {e['seizures']} | {e['found']} | {e['false_alarms']} | {e['hours']:.1f} |"
            for e in each
        ),
    ]
    settings = {name: value for name, value in chosen["settings"].items() if value is not None}
    card.content = "\n\n".join(
        [
            card.content.rstrip(),
            "## Seizures in days of recording",
            f"Windows are of stretches around seizures and of background of `{REPOSITORY}` (CDLA-Permissive-2.0, for "
            "research). Settings, chosen on the validation subjects:",
            f"```json\n{json.dumps(settings, indent=2)}\n```",
            "Events of test subjects, as SzCORE counts them, mean ± standard deviation over subjects:",
            markdown([row], EVENTS),
            "\n".join(lines) + "\n",
        ]
    )
    write_text(folder / CARD, str(card))


def push(folder: Path, repository: str, public: bool) -> None:
    """Push the checkpoint to the Hub; a repository that was there stays as visible as it was."""
    from huggingface_hub import create_repo, upload_folder

    url = create_repo(repository, private=not public, exist_ok=True)
    upload_folder(
        repo_id=url.repo_id, folder_path=folder, commit_message="Detector fine-tuned on SWEC, with its scores"
    )
    print(f"pushed to {url}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> None:
    parser = ScriptArgumentParser(Arguments, description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arguments, options = parser.parse_args_into_dataclasses(
        argv, return_remaining_strings=True, look_for_args_file=False
    )
    if arguments.push_to_hub is not None:
        check_push(arguments.push_to_hub, overwrite=True)
    release = Release(Path(arguments.corpus), arguments.subjects, download=arguments.download, keep=arguments.keep)
    folds = Folds(Path(arguments.output), {**arguments.results_depend_on(), "options": options})
    output, fractions = folds.folder, parse_fractions(arguments.fractions)
    planned = folds.result("shares", lambda _: shares_of([*release.indexes.values()], fractions, arguments.seed))
    shares = {name: [Stretch(*each) for each in stretches] for name, stretches in planned.items()}

    windows = windows_of(release, shares, folds, arguments)
    start = ("--model", start_of(arguments), "--seed", str(arguments.seed))
    trained = run("run_seizure_detection.py", "swec.yaml", [windows], output / "training", *start, *options)

    detector = Detector.from_pretrained(trained, device=arguments.device or best_device())
    limits: dict[str, Any] = {"hours": arguments.validation_hours, "seed": arguments.seed}
    found = [
        file
        for each in shares["validation"]
        for file in searched(detector, release, each, output / "validation", **limits)
    ]
    chosen = folds.result("chosen", lambda _: calibrate(found, arguments))
    settings = replace(DetectionSettings(**chosen["settings"]), preprocessing=detector.settings.preprocessing)

    limits["hours"], scores = arguments.hours, []
    for each in shares["test"]:
        files = searched(detector, release, each, output / "test", **limits)
        scores.append(counts(each.subject, map(Searched.load, files), settings))
    name, revision = ("shipped", "") if arguments.model is None else name_and_revision(arguments.model)
    parameters = count_parameters(BrantForSeizureDetection, detector.model.config)
    split = f"test subjects, {arguments.fractions}, seed {arguments.seed}"
    row = row_of(scores, name, "fine-tuned", split, revision=revision, parameters=parameters)
    package(trained, chosen["settings"], output / "detector")
    tell(output / "detector", row, scores, chosen)
    write_counts(output / "subjects.csv", scores)
    write_rows(output, "row", [row], EVENTS, card=str(output / "detector"))
    if arguments.push_to_hub is not None:
        push(output / "detector", arguments.push_to_hub, arguments.public)


if __name__ == "__main__":
    run_script(main)
