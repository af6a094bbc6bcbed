"""MAYO or FNUSA, 3 s clips of one channel: the row of a checkpoint over all folds by subject.

    python examples/evaluation/mayo_fnusa.py --corpus MAYO/ --model brant/ --mode frozen --output outputs/mayo_frozen

`--corpus` is a folder as the archives of Nejedly et al. 2020 unpack (`segments.csv`, `DATASET_MAYO/*.mat`). Protocols:

- `brain4fms` (arXiv 2602.11558 and its code): six groups of subjects of MAYO (3 train, 1 validates, 2 test), five of
  FNUSA (3, 1, 1), rotated; clips at 1000 Hz, low-pass and notch; flat clips are left out.
- `paper`: the six groups of the published code of Brant (4, 1, 1), clips at 5000 Hz.

In both, a clip is stretched to the 15 patches that the model reads and z-scored, the spatial encoder is left out (one
channel has no neighbours), the best epoch is that of the best validation AUPRC, and the threshold is 0.5. What counts
is the clip: its probability is the mean over its patches. AUPRC is the average precision of scikit-learn.

Modes: `finetuned` trains all weights, `lora` adapters and the head, `frozen` the head alone, `probe` a logistic
regression of the mean embedding of a clip, whose regularisation the validation subjects choose. Options of
`run_seizure_detection.py`, such as `--recipe paper`, `--num_train_epochs 15`, `--class_weights 0.8,1`, are taken too.
A fold that is complete is not run again. Writes `row.md`, `row.csv`, `fold_*.json`, and each checkpoint to `fold_*/`.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from checkpoints import count_parameters, name_and_revision
from datasets import Dataset, Features, List, Value
from folds import Folds
from rows import CLASSIFICATION, Row, over_folds, percent, write_rows
from transformers import EvalPrediction, set_seed

from brant_hf import BrantConfig, BrantForSeizureDetection, BrantModel
from brant_hf.data.corpora import ClipRows, load_mayo_fnusa, mayo_fnusa_folds
from brant_hf.data.dataset.formatting import FORMAT
from brant_hf.probing import make_probe
from brant_hf.training import (
    RunArguments,
    RunWindows,
    ScriptArgumentParser,
    SeizureDetectionMetrics,
    SeizureDetectionTask,
    make_config,
    make_feature_extractor,
    make_model,
    parse_arguments,
    run_script,
    run_task,
    windows_of_splits,
)

TUNING = {"finetuned": "full", "frozen": "frozen", "lora": "lora", "probe": "frozen"}
MODES = {"finetuned": "fine-tuned", "frozen": "frozen", "lora": "LoRA", "probe": "probe"}
# Inverse strengths of the regularisation, of which the validation subjects choose.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
PROTOCOLS = {"brain4fms": "Brain4FMs", "paper": "Brant, published code"}
# Groups that train, validate, test.
GROUPS = {
    ("brain4fms", "MAYO"): "3 / 1 / 2",
    ("brain4fms", "FNUSA"): "3 / 1 / 1",
    ("paper", "MAYO"): "4 / 1 / 1",
    ("paper", "FNUSA"): "4 / 1 / 1",
}
# What this script decides.
RESERVED = ("--dataset", "--output_dir", "--tuning")
OTHERS_BRANT = "Brant, 100 M, without band power (not the published model)"
PAPER, TABLE, FROZEN = (
    "arXiv 2602.11558",
    "github.com/wajtsq/Brain4FMs, README.md",
    "github.com/wajtsq/Brain4FMs, Rebuttal.md",
)
# Rows of Brain4FMs: model, mode, scores [per cent], source.
PUBLISHED = {
    "MAYO": (
        (OTHERS_BRANT, "fine-tuned", percent(f2=64.81, auprc=68.33, auroc=92.03), PAPER),
        (OTHERS_BRANT, "fine-tuned", percent(accuracy=(81.84, 12.31), f2=(69.02, 13.70), auroc=(92.08, 3.36)), TABLE),
        ("BrainWave", "fine-tuned", percent(accuracy=(93.04, 2.29), f2=(86.32, 3.37), auroc=(97.72, 0.99)), TABLE),
        ("BrainBERT", "fine-tuned", percent(accuracy=(94.97, 0.86), f2=(82.54, 6.53), auroc=(96.97, 0.97)), TABLE),
        ("BrainBERT", "frozen", percent(accuracy=(89.30, 5.53), f2=(79.40, 7.58), auroc=(92.39, 5.20)), FROZEN),
    ),
    "FNUSA": (
        (OTHERS_BRANT, "fine-tuned", percent(f2=74.54, auprc=84.30, auroc=88.77), PAPER),
        (OTHERS_BRANT, "fine-tuned", percent(accuracy=(83.73, 6.78), f2=(78.89, 8.28), auroc=(86.95, 12.35)), TABLE),
        (OTHERS_BRANT, "frozen", percent(accuracy=(84.00, 6.76), f2=(73.26, 11.44), auroc=(87.86, 9.12)), FROZEN),
        ("BrainWave", "fine-tuned", percent(accuracy=(88.68, 6.28), f2=(82.97, 3.97), auroc=(92.46, 4.66)), TABLE),
        ("BrainBERT", "fine-tuned", percent(accuracy=(89.04, 4.27), f2=(79.24, 8.11), auroc=(90.18, 3.81)), TABLE),
        ("BrainBERT", "frozen", percent(accuracy=(83.51, 7.67), f2=(76.97, 8.66), auroc=(89.68, 5.76)), FROZEN),
    ),
}


@dataclass
class Arguments:
    """What to evaluate, and how."""

    corpus: str = field(metadata={"help": "Folder with segments.csv and DATASET_MAYO or DATASET_FNUSA."})
    output: str = field(metadata={"help": "Folder for the row and the folds."})
    protocol: Literal["brain4fms", "paper"] = field(default="brain4fms", metadata={"help": "Groups, folds, clips."})
    mode: Literal["finetuned", "frozen", "lora", "probe"] = field(
        default="finetuned",
        metadata={"help": "What is trained: all, the head, adapters and the head, a logistic regression."},
    )
    card: str | None = field(
        default=None, metadata={"help": "Folder of a checkpoint whose model card gets the row (model-index)."}
    )
    folds: list[int] | None = field(default=None, metadata={"help": "Folds to run, from 0; all if absent."})
    cache: str | None = field(
        default=None,
        metadata={"help": "Folder for the clips as the model reads them; that of datasets if absent."},
    )


class ClipMetrics(SeizureDetectionMetrics):
    """Metrics in which a clip is one case, whose probability is the mean over its patches."""

    def reduce(self, logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        scores = super().reduce(logits, labels)
        return scores if labels is None else scores.mean(dim=-1, keepdim=True)

    def _record(self, reduced: torch.Tensor, labels: torch.Tensor, first_window: int) -> np.ndarray:
        # All patches of a clip have its label.
        return super()._record(reduced, labels[..., :1], first_window)


@dataclass
class ClipTask(SeizureDetectionTask):
    """Tell pathological clips of one channel from others."""

    title = "classification of clips"

    def configure(self, config: BrantConfig, datasets: Sequence[str]) -> None:
        """Leave the spatial encoder out."""
        config.num_spatial_layers = 0

    def metrics(self, config: BrantConfig, subjects: Sequence[str] | None) -> ClipMetrics:
        """Return new metrics."""
        return ClipMetrics(subjects, config=config)


def stored_clips(rows: ClipRows, sampling_rate: float, cache: str | None) -> Dataset:
    """Clips as the model reads them, on disk, for all folds and modes; made once.

    They get the sampling rate of the model: it takes their samples as they are.
    """
    samples = rows.num_patches * rows.patch_length
    features = Features(
        {
            "input_values": List(List(Value("float32"), length=samples)),
            "labels": List(List(Value("int8"), length=rows.num_patches)),
            "subject": Value("string"),
            "recording": Value("string"),
            "start": Value("float64"),
            "sampling_rate": Value("float64"),
        }
    )
    stored = Dataset.from_generator(
        varying_clips, features=features, cache_dir=cache, gen_kwargs={"rows": rows, "sampling_rate": sampling_rate}
    )
    if len(stored) < len(rows):
        print(f"{len(rows) - len(stored)} of {len(rows)} clips are flat and left out", file=sys.stderr)
    return stored.with_format(FORMAT)


def varying_clips(rows: ClipRows, sampling_rate: float) -> Iterator[dict[str, Any]]:
    """Clips that are not flat."""
    for row in rows:
        if np.ptp(row["input_values"]):
            del row["channel_names"]
            yield row | {"sampling_rate": sampling_rate}


def load_clips(arguments: Arguments, config: BrantConfig) -> Dataset:
    """All clips of the corpus, as the model reads them."""
    rows = load_mayo_fnusa(
        arguments.corpus,
        protocol=arguments.protocol,
        num_patches=config.num_patches,
        patch_length=config.patch_length,
    )
    return stored_clips(rows, config.sampling_rate, arguments.cache)


def clips_of_fold(clips: Dataset, fold: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Places of the clips of each split."""
    # As in `MAYO-18`.
    owners = np.array([int(name.rpartition("-")[2]) for name in clips.with_format(None)["subject"]])
    places = {name: np.flatnonzero(np.isin(owners, subjects)) for name, subjects in fold.items()}
    for name, found in places.items():
        if not len(found):
            raise ValueError(f"the corpus has no clip of the {name} subjects {fold[name]} of this fold")
    return places


def windows_of_fold(
    run: RunArguments, config: BrantConfig, *, fold: Mapping[str, Sequence[int]], arguments: Arguments
) -> RunWindows:
    """Clips of each split."""
    clips = load_clips(arguments, config)
    parts = {name: clips.select(places) for name, places in clips_of_fold(clips, fold).items()}
    return windows_of_splits(parts, config)


def train_fold(
    folder: Path, *, options: Sequence[str], arguments: Arguments, fold: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Train on a fold, and return the scores of its test clips."""
    flags = ["--dataset", arguments.corpus, "--output_dir", str(folder), "--tuning", TUNING[arguments.mode], *options]
    windows = partial(windows_of_fold, fold=fold, arguments=arguments)
    # Its log; the standard output is for the row.
    with contextlib.redirect_stdout(sys.stderr):
        results = run_task(ClipTask, flags, windows=windows)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    config = BrantConfig.from_pretrained(folder)
    return {
        "scores": {
            column.key: results["test"][column.key] for column in CLASSIFICATION if column.key in results["test"]
        },
        "parameters": count_parameters(BrantForSeizureDetection, config),
    }


class ClipProbe:
    """A logistic regression of the embeddings of clips by the frozen encoder, which runs once for all folds.

    Parameters
    ----------
    arguments : Arguments
        Corpus and protocol.
    options : Sequence[str]
        Of the training; checkpoint, normalisation, batches and device count.
    """

    def __init__(self, arguments: Arguments, options: Sequence[str]) -> None:
        self.arguments = arguments
        self.run = parse_arguments(ClipTask, ["--dataset", arguments.corpus, *options])
        self.config = make_config(self.run.model, self.run.data.dataset, task=self.run.task)

    @cached_property
    def clips(self) -> Dataset:
        return load_clips(self.arguments, self.config)

    @cached_property
    def features(self) -> np.ndarray:
        """Mean over the patches of each clip, (clips, hidden size)."""
        set_seed(self.run.training.seed)
        extractor = make_feature_extractor(self.run.model, self.config)
        encoder = make_model(BrantForSeizureDetection, self.run.model, self.config).base_model
        encoder = encoder.eval().to(self.run.training.device)
        batches = []
        with torch.no_grad():
            for batch in self.clips.select_columns(["input_values"]).iter(
                self.run.training.per_device_eval_batch_size
            ):
                # Without the checks of amplitude: the unit of the clips is not published.
                signals = np.stack([extractor.normalize_signal(signal) for signal in batch["input_values"]])
                states = encoder(torch.from_numpy(signals).to(encoder.device)).last_hidden_state
                batches.append(states.mean(dim=(1, 2)).float().cpu().numpy())
        return np.concatenate(batches)

    @cached_property
    def labels(self) -> np.ndarray:
        """1 for a pathological clip, (clips,)."""
        return np.array([row["labels"][0, 0] for row in self.clips.select_columns(["labels"])])

    def fold(self, folder: Path, *, fold: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """Scores of the test clips."""
        places = clips_of_fold(self.clips, fold)
        parts = {name: (self.features[each], self.labels[each]) for name, each in places.items()}
        probes = [make_probe("logistic", strength).fit(*parts["train"]) for strength in STRENGTHS]
        chosen = max(probes, key=lambda probe: clip_scores(probe, *parts["validation"])["auprc"])
        return {
            "scores": clip_scores(chosen, *parts["test"]),
            "parameters": count_parameters(BrantModel, self.config),
        }


def clip_scores(probe: Any, features: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Scores of a probe, with the metrics of the training."""
    probabilities = probe.predict_proba(features)[:, 1].astype(np.float32)
    cases = EvalPrediction(probabilities[:, None, None], labels[:, None, None])
    scores = SeizureDetectionMetrics(patch_duration=3.0)(cases)
    return {column.key: scores[column.key] for column in CLASSIFICATION if column.key in scores}


def parse(argv: Sequence[str] | None) -> tuple[Arguments, list[str]]:
    """Arguments of this script, and options for the training."""
    parser = ScriptArgumentParser(Arguments, description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arguments, options = parser.parse_args_into_dataclasses(
        argv, return_remaining_strings=True, look_for_args_file=False
    )
    given = [option for option in options if option.partition("=")[0] in RESERVED]
    if given:
        raise ValueError(f"{given[0]} cannot be given: --corpus, --output and --mode decide it")
    # First, so that another one counts: the unit of the clips is not known.
    return arguments, ["--normalize", "zscore", *options]


def published_rows(corpus: str, count: int) -> list[Row]:
    """Rows of Brain4FMs."""
    split, subjects = split_in_words(corpus, "brain4fms"), str(count)
    return [
        Row(corpus, PROTOCOLS["brain4fms"], split, subjects, model, mode, scores, source=source)
        for model, mode, scores, source in PUBLISHED[corpus]
    ]


def split_in_words(corpus: str, protocol: str, numbers: Sequence[int] | None = None) -> str:
    """Such as `6 folds of 3 / 1 / 2 groups`."""
    count, groups = len(mayo_fnusa_folds(corpus, protocol)), GROUPS[protocol, corpus]
    if numbers is None or len(numbers) == count:
        return f"{count} folds, {groups} groups"
    return f"fold {', '.join(map(str, numbers))} of {count}, {groups} groups"


def main(argv: Sequence[str] | None = None) -> None:
    arguments, options = parse(argv)
    model = parse_arguments(ClipTask, ["--dataset", arguments.corpus, *options]).model
    corpus = load_mayo_fnusa(arguments.corpus).corpus
    every = mayo_fnusa_folds(corpus, arguments.protocol)
    numbers = list(range(len(every))) if arguments.folds is None else arguments.folds
    if not numbers or not set(numbers) <= set(range(len(every))):
        raise ValueError(f"--folds is {numbers}; {corpus} has the folds 0 to {len(every) - 1}")
    settings = {"corpus": corpus, "protocol": arguments.protocol, "mode": arguments.mode, "options": options}
    folds = Folds(Path(arguments.output), settings)
    run: Any = partial(train_fold, options=options, arguments=arguments)
    if arguments.mode == "probe":
        run = ClipProbe(arguments, options).fold
    results = [folds.result(f"fold_{number}", partial(run, fold=every[number])) for number in numbers]
    name, revision = name_and_revision(model.model, model.revision)
    row = Row(
        corpus,
        PROTOCOLS[arguments.protocol],
        split_in_words(corpus, arguments.protocol, numbers),
        str(len({subject for number in numbers for subject in every[number]["test"]})),
        name,
        MODES[arguments.mode],
        over_folds([result["scores"] for result in results]),
        revision=revision,
        parameters=results[0]["parameters"],
    )
    subjects = {subject for fold in every for part in fold.values() for subject in part}
    published = published_rows(corpus, len(subjects)) if arguments.protocol == "brain4fms" else []
    write_rows(folds.folder, "row", [row, *published], CLASSIFICATION, arguments.card)


if __name__ == "__main__":
    run_script(main)
