"""The row of Neuroprobe with its package on a miniature of BrainTreebank, or with a stand-in for the package."""

import csv
import importlib.util
import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import h5py
import numpy as np
import pytest
from rows import Score

from brant_hf import BrantConfig, BrantModel

EVALUATION = Path(__file__).parents[2] / "examples" / "evaluation"
# The module of this name is the script.
INSTALLED = PathFinder.find_spec(
    "neuroprobe", [path for path in sys.path if Path(path or ".").resolve() != EVALUATION.resolve()]
)
RATE, WORDS = 2048, 24
# Of subjects 2, 3 and 4: electrodes of the benchmark, and the region of each.
ELECTRODES = {
    2: {"LT3d1": "insula", "LT3d2": "insula", "LT1c2": "fusiform"},
    3: {"T1cIe5": "insula", "T1cIe6": "precentral"},
}
TRIALS = {2: (0, 4), 3: (0, 1)}
MOVIES = {(2, 0): "venom", (2, 4): "avengers-infinity-war", (3, 0): "cars-2", (3, 1): "lotr-1"}


@pytest.fixture(scope="module")
def script():
    """The script under another name than that of the package."""
    spec = importlib.util.spec_from_file_location("evaluate_neuroprobe", EVALUATION / "neuroprobe.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def _csv(path: Path, head: str, lines: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head.split(","))
        writer.writerows(lines)


@pytest.fixture(scope="module")
def braintreebank(tmp_path_factory) -> Path:
    """Two subjects with two films: 24 words, one a second, and as many pauses; first words have a rhythm of 8 Hz."""
    root = tmp_path_factory.mktemp("braintreebank")
    rng, corrupted, coordinates = np.random.default_rng(0), {}, []
    for subject, regions in ELECTRODES.items():
        labels = ["DC1", *(f"*{name}" for name in regions)]
        folder = root / "electrode_labels" / f"sub_{subject}"
        folder.mkdir(parents=True)
        (folder / "electrode_labels.json").write_text(json.dumps(labels))
        places = [[index, name, 60 + index, 70, 80, region] for index, (name, region) in enumerate(regions.items())]
        _csv(root / "localization" / f"sub_{subject}" / "depth-wm.csv", "ID,Electrode,L,P,I,DesikanKilliany", places)
        corrupted[f"sub_{subject}"] = []
        coordinates += [[f"sub_{subject}", name, 1.0, 2.0, 3.0] for name in regions]
        for trial in TRIALS[subject]:
            with h5py.File(root / f"sub_{subject}_trial{trial:03}.h5", "w") as file:
                signal = rng.standard_normal((len(labels), 2 * WORDS * RATE + RATE)) * 10
                for word in range(0, WORDS, 2):
                    seconds = slice(word * RATE, (word + 1) * RATE)
                    signal[1:, seconds] += 30 * np.sin(2 * np.pi * 8 * np.arange(RATE) / RATE)
                for index, channel in enumerate(signal):
                    file[f"data/electrode_{index}"] = channel.astype(np.float32)
            _csv(root / "transcripts" / MOVIES[subject, trial] / "features.csv", ",text", [[0, "word"]])
            _csv(
                root / "alignment" / f"subject{subject}_trial{trial}_words_df.csv",
                "original_index,start,end,sentence,idx_in_sentence,is_onset,est_idx",
                [[word, word, word + 0.5, word // 2, word % 2, 1 - word % 2, word * RATE] for word in range(WORDS)],
            )
            _csv(
                root / "alignment" / f"subject{subject}_trial{trial}_nonverbal_df.csv",
                "est_idx",
                [[(WORDS + pause) * RATE] for pause in range(WORDS)],
            )
    (root / "corrupted_elec.json").write_text(json.dumps(corrupted))
    _csv(root / "localization" / "elec_coords_full.csv", "Subject,Electrode,X,Y,Z", coordinates)
    return root


STAND_IN = '''
"""Items, splits and settings as the package gives them; `onset` and `word_index` tell even words from odd ones."""
import json, os
from pathlib import Path
from types import SimpleNamespace
import h5py
import numpy as np
import pandas as pd

ROOT = Path(os.environ["ROOT_DIR_BRAINTREEBANK"])
config = SimpleNamespace(
    NEUROPROBE_TASKS=["onset", "word_index"],
    NEUROPROBE_SUBJECT_TRIALS=[(2, 0), (2, 4), (3, 0), (3, 1)],
    DS_DM_TRAIN_SUBJECT_ID=2,
)


class BrainTreebankSubject:
    def __init__(self, subject_id, cache, dtype):
        self.subject_id = subject_id
        self.table = pd.read_csv(ROOT / f"localization/sub_{subject_id}/depth-wm.csv")

    def get_all_electrode_metadata(self):
        return self.table


class Items:
    def __init__(self, subject, trial, words):
        self.subject, self.trial, self.words = subject, trial, words

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        word = self.words[index]
        with h5py.File(ROOT / f"sub_{self.subject.subject_id}_trial{self.trial:03}.h5") as file:
            keys = [f"data/electrode_{row + 1}" for row in range(len(self.subject.table))]
            rows = [file[key][word * 2048 : (word + 1) * 2048] for key in keys]
        return {
            "data": np.stack(rows),
            "label": 1 - word % 2,
            "electrode_labels": list(self.subject.table["Electrode"]),
            "metadata": {"subject_id": self.subject.subject_id, "trial_id": self.trial, "sampling_rate": 2048},
        }


def within(subject, trial, task):
    first, second = range(12), range(12, 24)
    return [fold(Items(subject, trial, a), Items(subject, trial, b)) for a, b in ((first, second), (second, first))]


def across(subject, trial, task):
    other = {(2, 0): 4, (2, 4): 0, (3, 0): 1, (3, 1): 0}[subject.subject_id, trial]
    return [fold(Items(subject, other, range(24)), Items(subject, trial, range(12, 24)))]


def between(subjects, number, trial, task):
    return [fold(Items(subjects[2], 4, range(24)), Items(subjects[number], trial, range(12, 24)))]


def fold(train, test):
    return {"train_dataset": train, "val_dataset": test, "test_dataset": test}


train_test_splits = SimpleNamespace(
    generate_splits_within_session=within,
    generate_splits_cross_session=across,
    generate_splits_cross_subject=between,
)
'''


@pytest.fixture(params=["stand-in", "package"])
def run(request, script, braintreebank, tmp_path, monkeypatch):
    """Run the script for the task `onset` with a small model whose patches are of 2 s, at 100 Hz."""
    monkeypatch.delitem(sys.modules, "neuroprobe", raising=False)
    if request.param == "stand-in":
        (tmp_path / "packages").mkdir()
        (tmp_path / "packages" / "neuroprobe.py").write_text(STAND_IN)
        monkeypatch.syspath_prepend(tmp_path / "packages")
    elif INSTALLED is None:
        pytest.skip("neuroprobe is not installed")
    else:
        load = script.load_benchmark

        def with_miniature(data: str):
            package = load(data)
            monkeypatch.setattr(package.datasets, "SAVE_SUBJECT_TRIAL_DF_DIR", str(braintreebank / "alignment"))
            monkeypatch.setattr(package.config, "NEUROPROBE_SUBJECT_TRIALS", [(2, 0), (2, 4), (3, 0), (3, 1)])
            return package

        monkeypatch.setattr(script, "load_benchmark", with_miniature)
    config = BrantConfig(
        patch_length=200,
        num_patches=2,
        sampling_rate=100,
        hidden_size=16,
        intermediate_size=24,
        num_temporal_layers=1,
        num_spatial_layers=1,
        num_attention_heads=2,
    )
    BrantModel(config).save_pretrained(tmp_path / "brant")

    def run(output: Path, split: str, *options: str) -> None:
        flags = ["--data", str(braintreebank), "--output", str(output), "--model", str(tmp_path / "brant")]
        script.main([*flags, "--split", split, "--tasks", "onset", *options])

    run.is_package = request.param == "package"
    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] == "neuroprobe"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("split", "folds", "sessions"),
    [
        ("within_session", 2, ["btbank2_0", "btbank2_4", "btbank3_0", "btbank3_1"]),
        ("cross_session", 1, ["btbank2_0", "btbank2_4", "btbank3_0", "btbank3_1"]),
        ("cross_subject", 1, ["btbank3_0", "btbank3_1"]),
    ],
)
def test_a_row_and_the_files_of_a_submission(run, tmp_path, capsys, split, folds, sessions):
    run(tmp_path / "row", split)
    printed = capsys.readouterr()
    assert "submission lacks tasks" in printed.err
    name = {"within_session": "Within-Session", "cross_session": "Cross-Session", "cross_subject": "Cross-Subject"}
    path = tmp_path / "row" / "submission" / name[split] / "population_onset.json"
    content = json.loads(path.read_text())
    fields = ["model_name", "description", "author", "organization", "organization_url", "timestamp"]
    assert list(content) == [*fields, "evaluation_results"]
    assert list(json.loads((tmp_path / "row" / "submission" / "metadata.json").read_text())) == fields
    assert list(content["evaluation_results"]) == sessions
    scores = []
    for result in content["evaluation_results"].values():
        window = result["population"]["one_second_after_onset"]
        assert (window["time_bin_start"], window["time_bin_end"], len(window["folds"])) == (0.0, 1.0, folds)
        for fold in window["folds"]:
            assert set(fold) == {"train_accuracy", "train_roc_auc", "test_accuracy", "test_roc_auc"}
        scores.append(np.mean([fold["test_roc_auc"] for fold in window["folds"]]))
    with (tmp_path / "row" / "row.csv").open(newline="") as file:
        ours, published, *_ = csv.DictReader(file)
    assert float(ours["auroc"]) == pytest.approx(np.mean(scores))
    assert float(ours["auroc_sd"]) == pytest.approx(np.std(scores, ddof=1))
    # The rhythm is easily told, in another session and in another subject, too.
    assert float(ours["auroc"]) > 0.8
    assert (ours["model and revision"], ours["mode"], ours["split"]) == ("brant", "probe", split.replace("_", " "))
    assert float(published["auroc"]) == {"within_session": 0.66, "cross_session": 0.648, "cross_subject": 0.539}[split]


def test_what_is_complete_is_kept(run, tmp_path, capsys, script, monkeypatch):
    run(tmp_path / "row", "cross_session", "--sessions", "btbank3_1")
    first = capsys.readouterr().out
    monkeypatch.setattr(script, "probe", None)
    run(tmp_path / "row", "cross_session", "--sessions", "btbank3_1")
    assert capsys.readouterr().out == first
    with pytest.raises(ValueError, match="fill differ"):
        run(tmp_path / "row", "cross_session", "--fill", "zeros")
    with pytest.raises(ValueError, match="--sessions is btbank9_9; choose of btbank2_0"):
        run(tmp_path / "other", "cross_session", "--sessions", "btbank9_9")


def test_a_second_is_played_back_and_forth(script):
    extractor = script.BrantFeatureExtractor(sampling_rate=100, patch_length=250, num_patches=2)
    embedder = script.Embedder(
        BrantModel(
            BrantConfig(patch_length=250, num_patches=2, hidden_size=16, intermediate_size=16, num_attention_heads=2)
        ),
        extractor,
        -1,
        "reflect",
        4,
    )
    window = np.arange(5.0)[None] ** 2
    # 1 s at 5 Hz becomes 2.5 s; the samples at the turns are not repeated.
    np.testing.assert_array_equal(embedder.filled(window, 5.0)[0], [0, 1, 4, 9, 16, 9, 4, 1, 0, 1, 4, 9])
    assert embedder.filled(np.zeros((1, 500)), 200.0).shape == (1, 500)


def test_sessions_count_alike(script):
    def result(*values):
        return {"folds": [{"test_accuracy": 0.5, "test_roc_auc": value} for value in values]}

    results = {"a": {"s": result(0.5, 0.7), "t": result(0.9)}, "b": {"s": result(0.8), "t": result(0.7)}}
    # Session s: the mean of 0.6 and 0.8, session t: of 0.9 and 0.7.
    assert script.overall(results)["auroc"][:2] == pytest.approx((0.75, 0.05 * 2**0.5))
    assert script.overall(results)["accuracy"] == Score(0.5, 0.0)


def test_without_the_package_it_says_what_to_install(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script.PathFinder, "find_spec", lambda *_: None)
    with pytest.raises(ImportError, match="pip install neuroprobe"):
        script.load_benchmark(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"braintreebank\.dev"):
        script.load_benchmark(str(tmp_path / "nowhere"))
