"""Neuroprobe, what people hear and see in films: the row of frozen embeddings, and the files of a submission.

    pip install neuroprobe
    python examples/evaluation/neuroprobe.py --data braintreebank/ --model brant/ --split cross_session \\
        --output outputs/neuroprobe_cross_session

`--data` is the folder of BrainTreebank (braintreebank.dev). Tasks, windows and splits are those of the package (PyPI
`neuroprobe`, arXiv 2509.21671): 15 binary tasks, windows of 1 s after the onset of a word at 2048 Hz, 12 sessions of 6
subjects, AUROC. The probe is that of its linear rows, features standardised, then logistic regression, fitted to the
training windows; validation windows are not used. Only the features are others: the mean over the patches of each
electrode, electrodes side by side, between subjects averaged over the regions that both have (Desikan-Killiany).

A window of 1 s is shorter than a patch of the published model, 6 s. What lies around the window must not be used, so
the rest of the patch is filled: `--fill reflect` (default) plays the second back and forth, which keeps amplitude,
frequencies and band power and has no edge; `--fill zeros` leaves the rest silent, so that five sixths of the patch are
a pause that pre-training never had. Stretching the second to 6 s would divide its frequencies by six, another signal.
A model with patches of 1 s needs no filling. The corpus does not state its unit; windows are z-scored by electrode
(`--normalize`).

A session of a task that is complete is not computed again. Writes `row.md`, `row.csv` and, below `submission/`, what
the leaderboard takes but `ATTESTATION.txt` and `PUBLICATION.bib`, which a person has to sign and to cite.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import os
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from checkpoints import name_and_revision
from folds import Folds
from rows import Column, Row, Score, over_folds, write_rows

from brant_hf import BrantFeatureExtractor, BrantModel
from brant_hf.checkpoints import locate
from brant_hf.detection.pooling import layer_numbers
from brant_hf.files import write_text
from brant_hf.probing import embed_windows
from brant_hf.training import ScriptArgumentParser, run_script

SPLITS = {"within_session": "Within-Session", "cross_session": "Cross-Session", "cross_subject": "Cross-Subject"}
COLUMNS = (Column("accuracy", "Acc"), Column("auroc", "AUROC"))
SOURCE = "Neuroprobe, arXiv 2509.21671, and its repository (September 2025)"
# Mean AUROC over tasks and sessions.
PUBLISHED = {
    "within_session": {
        "linear, Laplacian and spectrogram": 0.660,
        "linear, voltage": 0.606,
        "BrainBERT": 0.586,
        "PopulationTransformer": 0.545,
    },
    "cross_session": {
        "linear, Laplacian and spectrogram": 0.648,
        "linear, voltage": 0.576,
        "BrainBERT": 0.581,
        "PopulationTransformer": 0.566,
    },
    "cross_subject": {
        "linear, Laplacian and spectrogram": 0.539,
        "linear, voltage": 0.510,
        "BrainBERT": 0.522,
        "PopulationTransformer": 0.526,
    },
}


@dataclass
class Arguments:
    """What to probe, and on what."""

    data: str = field(metadata={"help": "Folder of BrainTreebank."})
    output: str = field(metadata={"help": "Folder for the row, the results and the submission."})
    model: str | None = field(
        default=None, metadata={"help": "Folder of a checkpoint or its id on the Hub; the shipped one if absent."}
    )
    revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of a checkpoint on the Hub."})
    split: Literal["within_session", "cross_session", "cross_subject"] = field(
        default="cross_session", metadata={"help": "What training and test windows share."}
    )
    tasks: list[str] | None = field(default=None, metadata={"help": "Some of the 15 tasks; all if absent."})
    sessions: list[str] | None = field(
        default=None, metadata={"help": "Some of the sessions, such as btbank1_1; all of the benchmark if absent."}
    )
    layer: int = field(default=-1, metadata={"help": "Hidden state to probe; 0 is the patch embedding."})
    fill: Literal["reflect", "zeros"] = field(
        default="reflect", metadata={"help": "What fills a patch that is longer than the window."}
    )
    normalize: str = field(default="zscore", metadata={"help": "asinh, zscore, robust or none."})
    batch_size: int = field(default=16, metadata={"help": "Windows of a forward pass."})
    device: str = field(default="cpu", metadata={"help": "Of the model, such as cuda."})
    card: str | None = field(
        default=None, metadata={"help": "Folder of a checkpoint whose model card gets the row (model-index)."}
    )
    author: str = field(default="-", metadata={"help": "For the submission."})
    organization: str = field(default="-", metadata={"help": "For the submission."})
    organization_url: str = field(default="-", metadata={"help": "For the submission."})

    def settings(self) -> dict[str, Any]:
        """Whatever the results depend on."""
        names = ("model", "revision", "split", "layer", "fill", "normalize")
        return {name: getattr(self, name) for name in names}


def load_benchmark(data: str) -> ModuleType:
    """Import the package of the benchmark, whose name this script has, too.

    Raises
    ------
    FileNotFoundError
        There is no folder of this name.
    ImportError
        The package is not installed.
    """
    if not Path(data).is_dir():
        raise FileNotFoundError(f"{data} does not exist; --data is the folder of BrainTreebank (braintreebank.dev)")
    # The package reads where the corpus is when it is imported.
    os.environ["ROOT_DIR_BRAINTREEBANK"] = str(Path(data).resolve())
    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("neuroprobe", [path for path in sys.path if Path(path or ".").resolve() != here])
    if spec is None or spec.loader is None:
        raise ImportError("the benchmark needs its package: pip install neuroprobe")
    for name in [name for name in sys.modules if name.startswith("neuroprobe.")]:
        del sys.modules[name]  # of another folder
    module = importlib.util.module_from_spec(spec)
    sys.modules["neuroprobe"] = module
    spec.loader.exec_module(module)
    return module


class Embedder:
    """Embeddings (windows, electrodes, hidden size) of windows that may be shorter than a patch.

    Parameters
    ----------
    model : BrantModel
        The encoder.
    extractor : BrantFeatureExtractor
        Resamples and normalises.
    layer : int
        Hidden state to take.
    fill : str
        `"reflect"` or `"zeros"`.
    batch_size : int
        Windows of a forward pass.
    """

    def __init__(
        self, model: BrantModel, extractor: BrantFeatureExtractor, layer: int, fill: str, batch_size: int
    ) -> None:
        self.model, self.extractor = model.eval(), extractor
        self.layer, self.fill, self.batch_size = layer, fill, batch_size

    def filled(self, window: np.ndarray, sampling_rate: float) -> np.ndarray:
        """Make a window (electrodes, samples) whole patches long, unless the feature extractor is to pad it."""
        if self.fill == "zeros":
            return window
        patch_s = self.extractor.patch_length / self.extractor.sampling_rate
        # A hair less, for seconds that are no exact number of samples.
        patches = max(1, math.ceil(window.shape[1] / sampling_rate / patch_s - 1e-6))
        samples = round(patches * patch_s * sampling_rate)
        return np.pad(window, ((0, 0), (0, samples - window.shape[1])), mode="reflect")

    def __call__(self, windows: Sequence[np.ndarray], sampling_rate: float) -> np.ndarray:
        """Mean over the patches of each electrode, for windows (electrodes, samples) of the same electrodes."""
        signals = [self.filled(window, sampling_rate) for window in windows]
        layers = layer_numbers(self.layer, self.model.config)
        return embed_windows(self.model, self.extractor, signals, sampling_rate, layers, pool="channel")[:, :, 0]


@dataclass
class Windows:
    """Embeddings of one split, with what they belong to."""

    features: np.ndarray
    labels: np.ndarray
    electrodes: list[str]


def embed_dataset(dataset: Any, embedder: Embedder) -> Windows:
    """Embeddings of a dataset of the package, whose items are dictionaries; a batch of signals is in memory."""
    features, labels, items = [], [], []
    for first in range(0, len(dataset), embedder.batch_size):
        items = [dataset[index] for index in range(first, min(first + embedder.batch_size, len(dataset)))]
        windows = [np.asarray(item["data"], dtype=np.float32) for item in items]
        features.append(embedder(windows, float(items[0]["metadata"]["sampling_rate"])))
        labels += [int(item["label"]) for item in items]
    return Windows(np.concatenate(features), np.array(labels), list(items[0]["electrode_labels"]))


def by_region(train: Windows, test: Windows, regions: Sequence[Mapping[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Features averaged over the electrodes of each region that both subjects have."""
    names = [
        np.array([of[label] for label in each.electrodes]) for each, of in zip((train, test), regions, strict=True)
    ]
    common = np.intersect1d(*names)
    if not len(common):
        raise ValueError("the subjects of training and test share no region")
    train_features, test_features = (
        np.stack([each.features[:, owners == region].mean(axis=1) for region in common], axis=1)
        for each, owners in zip((train, test), names, strict=True)
    )
    return train_features, test_features


def probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> dict[str, float]:
    """Fit the linear probe of the benchmark, and return what its result files hold of a fold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(random_state=42, max_iter=10000, tol=1e-3))
    flat, test_flat = (each.reshape(len(each), -1) for each in (train, test))
    classifier.fit(flat, labels)
    scores, test_scores = (classifier.predict_proba(each)[:, 1] for each in (flat, test_flat))
    return {
        "train_accuracy": float(classifier.score(flat, labels)),
        "train_roc_auc": float(roc_auc_score(labels, scores)),
        "test_accuracy": float(classifier.score(test_flat, test_labels)),
        "test_roc_auc": float(roc_auc_score(test_labels, test_scores)),
    }


@dataclass
class Benchmark:
    """The package with the corpus, opened for one kind of split."""

    package: ModuleType
    split: str

    def sessions(self) -> list[str]:
        """Sessions that are tested, such as `btbank1_1`."""
        config = self.package.config
        pairs = config.NEUROPROBE_SUBJECT_TRIALS
        if self.split == "cross_subject":  # all train on one session
            pairs = [pair for pair in pairs if pair[0] != config.DS_DM_TRAIN_SUBJECT_ID]
        return [f"btbank{subject}_{trial}" for subject, trial in pairs]

    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return list(self.package.config.NEUROPROBE_TASKS)

    def subject(self, number: int) -> Any:
        """Open a subject; windows are read from disk when they are asked for."""
        return self.package.BrainTreebankSubject(number, cache=False, dtype=torch.float32)

    def folds(self, session: str, task: str) -> Iterator[tuple[Any, Any, list[Mapping[str, str]] | None]]:
        """Training and test windows of each fold, and between subjects the region of each electrode."""
        number, trial = (int(part) for part in session.removeprefix("btbank").split("_"))
        tested = self.subject(number)
        splits = self.package.train_test_splits
        regions = None
        if self.split == "within_session":
            folds = splits.generate_splits_within_session(tested, trial, task)
        elif self.split == "cross_session":
            folds = splits.generate_splits_cross_session(tested, trial, task)
        else:
            trained = self.subject(self.package.config.DS_DM_TRAIN_SUBJECT_ID)
            subjects = {trained.subject_id: trained, tested.subject_id: tested}
            folds = splits.generate_splits_cross_subject(subjects, number, trial, task)
            regions = [_regions(trained), _regions(tested)]
        for fold in folds:
            yield fold["train_dataset"], fold["test_dataset"], regions


def _regions(subject: Any) -> dict[str, str]:
    table = subject.get_all_electrode_metadata()
    return dict(zip(table["Electrode"], table["DesikanKilliany"], strict=True))


def evaluate_session(
    folder: Path, *, benchmark: Benchmark, embedder: Embedder, session: str, task: str
) -> dict[str, Any]:
    """Results of all folds of a session, in the form of the benchmark."""
    results = []
    for train_dataset, test_dataset, regions in benchmark.folds(session, task):
        train, test = (embed_dataset(each, embedder) for each in (train_dataset, test_dataset))
        features = (train.features, test.features) if regions is None else by_region(train, test, regions)
        results.append(probe(features[0], train.labels, features[1], test.labels))
    return {"time_bin_start": 0.0, "time_bin_end": 1.0, "folds": results}


def overall(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """Mean over tasks and folds of each session, then mean and standard deviation over sessions.

    Parameters
    ----------
    results : Mapping[str, Mapping[str, Any]]
        By task and session, what `evaluate_session` returns.
    """
    names = {"accuracy": "test_accuracy", "auroc": "test_roc_auc"}
    sessions = dict.fromkeys(session for of_task in results.values() for session in of_task)
    return over_folds(
        [
            {
                key: float(
                    np.mean(
                        [np.mean([fold[name] for fold in of_task[session]["folds"]]) for of_task in results.values()]
                    )
                )
                for key, name in names.items()
            }
            for session in sessions
        ]
    )


def write_submission(folder: Path, arguments: Arguments, name: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `metadata.json`, and for each task `SPLIT/population_TASK.json`."""
    about = {
        "model_name": name,
        "description": f"Brant, frozen, hidden state {arguments.layer}, filled by {arguments.fill}, linear probe",
        "author": arguments.author,
        "organization": arguments.organization,
        "organization_url": arguments.organization_url,
        "timestamp": int(time.time()),
    }
    parts = folder / SPLITS[arguments.split]
    parts.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metadata.json", json.dumps(about, indent=2) + "\n")
    for task, of_task in results.items():
        sessions = {session: {"population": {"one_second_after_onset": result}} for session, result in of_task.items()}
        content = {**about, "evaluation_results": sessions}
        write_text(parts / f"population_{task}.json", json.dumps(content, indent=2) + "\n")


def chosen(names: Sequence[str] | None, known: Sequence[str], option: str) -> list[str]:
    """Names that were given, all of them known; all if none."""
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ValueError(f"{option} is {unknown[0]}; choose of {', '.join(known)}")
    return list(names or known)


def main(argv: Sequence[str] | None = None) -> None:
    parser = ScriptArgumentParser(Arguments, description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    (arguments,) = parser.parse(argv)
    benchmark = Benchmark(load_benchmark(arguments.data), arguments.split)
    tasks = chosen(arguments.tasks, benchmark.tasks(), "--tasks")
    sessions = chosen(arguments.sessions, benchmark.sessions(), "--sessions")
    source = locate(arguments.model, revision=arguments.revision)
    model = BrantModel.from_pretrained(source, revision=arguments.revision or "main").to(arguments.device)
    config = model.config
    extractor = BrantFeatureExtractor(
        sampling_rate=config.sampling_rate,
        patch_length=config.patch_length,
        num_patches=config.num_patches,
        normalize=arguments.normalize,
    )
    embedder = Embedder(model, extractor, arguments.layer, arguments.fill, arguments.batch_size)
    version = package_version(benchmark.package)
    folds = Folds(Path(arguments.output), {**arguments.settings(), "neuroprobe": version})
    run = partial(evaluate_session, benchmark=benchmark, embedder=embedder)
    results = {
        task: {
            session: folds.result(f"results/{task}/{session}", partial(run, session=session, task=task))
            for session in sessions
        }
        for task in tasks
    }
    name, revision = name_and_revision(arguments.model or "shipped detector", arguments.revision or "main")
    write_submission(folds.folder / "submission", arguments, name, results)
    if (len(tasks), len(sessions)) != (len(benchmark.tasks()), len(benchmark.sessions())):
        print("The submission lacks tasks or sessions; the leaderboard takes all of them.", file=sys.stderr)
    common = (
        f"BrainTreebank (neuroprobe {version})",
        "Neuroprobe, 1 s after onset",
        arguments.split.replace("_", " "),
    )
    subjects = len({session.partition("_")[0] for session in sessions})
    own = f"{subjects} ({len(sessions)} sessions, {len(tasks)} tasks)"
    row = Row(*common, own, name, "probe", overall(results), revision=revision, parameters=model.num_parameters())
    every = {session.partition("_")[0] for session in benchmark.sessions()}
    whole = f"{len(every)} ({len(benchmark.sessions())} sessions, {len(benchmark.tasks())} tasks)"
    published = [
        Row(*common, whole, method, "probe", {"auroc": Score(value)}, source=SOURCE)
        for method, value in PUBLISHED[arguments.split].items()
    ]
    write_rows(folds.folder, "row", [row, *published], COLUMNS, arguments.card)


def package_version(package: ModuleType) -> str:
    """Version of the package as it was installed."""
    try:
        return importlib.metadata.version("neuroprobe")
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(package, "__version__", "unknown"))


if __name__ == "__main__":
    run_script(main)
