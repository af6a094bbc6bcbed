"""Compare checkpoints with baselines: same windows, same split, same masks, same metrics, one table.

    python examples/compare_baselines.py --dataset dataset/ --task detection --output outputs/comparison \\
        --checkpoint Brant=outputs/detection --budget_steps 500

Writes `<task>.md` and `<task>.csv` with confidence intervals over patients. Baselines that are trained (logistic
regression, PatchTST) see the training split alone. `--budget_steps`, `--batch_size` and `--learning_rate` are those of
PatchTST: give what the checkpoints were trained with. Without a checkpoint, the baselines are compared alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baselines.brainmaze import brainmaze_method
from baselines.checkpoints import Checkpoint, check_comparable, checkpoint_methods, load_checkpoint
from baselines.detection import detection_methods
from baselines.evaluation import InMicrovolts, Method, evaluate
from baselines.forecasting import forecasting_methods, frequency_phase_methods, one_frequency_method
from baselines.imputation import imputation_methods, linear_predictor_method
from baselines.patchtst import OUTPUTS, Budget, Shape, patchtst_method
from baselines.tables import Column, Row, Section, write_tables
from datasets import Dataset
from transformers.utils import logging

from brant_hf import BrantFeatureExtractor
from brant_hf.data import ForecastingCollator, ImputationCollator, SeizureDetectionCollator, WindowCollator
from brant_hf.training import (
    CARD,
    SPLITS,
    ForecastingMetrics,
    FrequencyPhaseMetrics,
    ImputationMetrics,
    RunWindows,
    ScriptArgumentParser,
    SeizureDetectionMetrics,
    WindowMetrics,
    add_baselines,
    check_detection_labels,
    check_window_length,
    limit_subjects,
    noted_patch_length,
    run_script,
    split_datasets,
)
from brant_hf.training.metrics.base import MIN_SUBJECTS

COLUMNS = {
    "forecasting": [
        Column("mae", "MAE"),
        Column("mse", "MSE"),
        Column("rmse", "RMSE"),
        Column("mape", "MAPE"),
        Column("mae_uv", "MAE (µV)"),
        Column("rmse_uv", "RMSE (µV)"),
    ],
    "frequency_phase": [
        Column("plv", "PLV", "largest"),
        Column("frequency_mae", "frequency MAE (cycles per sample)"),
        Column("frequency_mae_hz", "frequency MAE (Hz)"),
    ],
    "imputation": [
        Column("missing_mae", "MAE, missing"),
        Column("missing_mse", "MSE, missing"),
        Column("missing_rmse", "RMSE, missing"),
        Column("missing_mape", "MAPE, missing"),
        Column("all_mae", "MAE, all"),
        Column("all_rmse", "RMSE, all"),
        Column("missing_mae_uv", "MAE, missing (µV)"),
    ],
    "detection": [
        Column("f2", "F2", "largest"),
        Column("f1", "F1", "largest"),
        Column("precision", "precision", "largest"),
        Column("recall", "recall", "largest"),
        Column("accuracy", "accuracy", "largest"),
        Column("auroc", "AUROC", "largest"),
        Column("auprc", "AUPRC", "largest"),
        Column("sensitivity_at_fa_rate", "sensitivity at the false-alarm rate", "largest"),
    ],
}
MICROVOLT_NORMALIZATIONS = ("asinh", "none")


@dataclass
class Arguments:
    """What to compare, and on what."""

    dataset: list[str] = field(metadata={"help": "Folders made by `brant-hf prepare`, or dataset ids on the Hub."})
    task: str = field(metadata={"help": "The task.", "choices": list(COLUMNS)})
    output: str = field(metadata={"help": "Folder for <task>.md and <task>.csv."})
    checkpoint: list[str] = field(
        default_factory=list, metadata={"help": "Checkpoints fine-tuned for the task: FOLDER or NAME=FOLDER."}
    )
    split: str = field(default="test", metadata={"help": "Split to measure on.", "choices": list(SPLITS)})
    split_by: str = field(
        default="subject",
        metadata={"help": "What no two splits share, where the dataset has no splits: subject, recording or time."},
    )
    split_fractions: str = field(
        default="0.7,0.15,0.15", metadata={"help": "Shares of train, validation and test, where it has no splits."}
    )
    split_seed: int = field(default=0, metadata={"help": "Seed of the splits."})
    max_train_subjects: int | None = field(
        default=None, metadata={"help": "Train on this many patients of the training split, as the checkpoints were."}
    )
    horizon_patches: int = field(default=2, metadata={"help": "Patches to forecast, where no checkpoint says it."})
    masks: list[str] = field(
        default_factory=lambda: ["points", "blocks"], metadata={"help": "Missing samples of imputation."}
    )
    missing_ratio: float = field(default=0.4, metadata={"help": "Fraction of the samples of a channel to hide."})
    block_length: int = field(default=250, metadata={"help": "Samples of a block."})
    threshold: float = field(default=0.5, metadata={"help": "Seizure probability from which a patch is detected."})
    false_alarms_per_hour: float = field(
        default=1.0,
        metadata={"help": "False alarms (patches) per hour of one channel that the sensitivity is given at."},
    )
    write_to_cards: bool = field(
        default=False, metadata={"help": "Also put the table into the model card of each checkpoint that is a folder."}
    )
    budget_steps: int = field(default=0, metadata={"help": "Steps to train PatchTST for; 0 leaves it out."})
    batch_size: int = field(default=8, metadata={"help": "Windows of a batch, also in training."})
    num_workers: int = field(default=0, metadata={"help": "Processes that make the batches of PatchTST."})
    learning_rate: float = field(default=3e-4, metadata={"help": "Highest learning rate of PatchTST."})
    num_layers: int | None = field(
        default=None, metadata={"help": "Layers of PatchTST; those of the first checkpoint, or 4, if absent."}
    )
    parameters: int | None = field(
        default=None,
        metadata={"help": "Parameters of PatchTST, by its width; those of the first checkpoint, or 1 M, if absent."},
    )
    num_resamples: int = field(default=1000, metadata={"help": "Bootstrap resamples of the patients."})
    seed: int = field(default=0, metadata={"help": "Seed of masks, training and resamples."})

    def __post_init__(self) -> None:
        if self.budget_steps < 0:
            raise ValueError(f"--budget_steps is {self.budget_steps}; it must be 0 or more")
        if self.batch_size < 1:
            raise ValueError(f"--batch_size is {self.batch_size}; it must be 1 or more")


@dataclass(frozen=True)
class Comparison:
    """All that the methods of one table share.

    Attributes
    ----------
    arguments : Arguments
        Of the script.
    train, test : Dataset
        Windows to train on and to measure on.
    subjects : list[str]
        Subject of each window of `test`.
    shape : Shape
        Of the windows.
    sampling_rate : float
        Of the windows [Hz].
    extractor : BrantFeatureExtractor
        Whose normalisation is applied.
    checkpoints : list[Checkpoint]
        Brant models.
    """

    arguments: Arguments
    train: Dataset
    test: Dataset
    subjects: list[str]
    shape: Shape
    sampling_rate: float
    extractor: BrantFeatureExtractor
    checkpoints: list[Checkpoint]

    def collator(self, mask: str = "points") -> WindowCollator:
        """Makes the same batches for every method."""
        arguments, shape = self.arguments, self.shape
        # The choices of a window depend on its content alone, so that no batch size changes them.
        common = {"normalize": self.extractor.normalize_signal, "seed": arguments.seed}
        if arguments.task == "detection":
            return SeizureDetectionCollator(**common)
        if arguments.task == "imputation":
            ratio, length = arguments.missing_ratio, arguments.block_length
            return ImputationCollator(mask=mask, mask_ratio=ratio, block_length=length, **common)
        return ForecastingCollator(
            prediction_length=shape.prediction_length, patch_length=shape.patch_length, **common
        )

    def metrics(self) -> list[WindowMetrics | InMicrovolts]:
        """New metrics for one method."""
        arguments = self.arguments
        common = {"subjects": self.subjects, "num_resamples": arguments.num_resamples, "seed": arguments.seed}
        if arguments.task == "detection":
            duration = self.shape.patch_length / self.sampling_rate
            return [
                SeizureDetectionMetrics(
                    patch_duration=duration,
                    threshold=arguments.threshold,
                    false_alarms_per_hour=arguments.false_alarms_per_hour,
                    **common,
                )
            ]
        if arguments.task == "frequency_phase":
            return [FrequencyPhaseMetrics(sampling_rate=self.sampling_rate, **common)]
        make = ForecastingMetrics if arguments.task == "forecasting" else ImputationMetrics
        metrics: list[WindowMetrics | InMicrovolts] = [make(**common)]
        if self.extractor.normalize in MICROVOLT_NORMALIZATIONS:
            metrics.append(InMicrovolts(make(**common), self.extractor))
        return metrics

    def methods(self, collator: WindowCollator, folder: Path) -> list[Method]:
        """Checkpoints first, then baselines."""
        task, horizon = self.arguments.task, self.shape.prediction_length
        methods = checkpoint_methods(self.checkpoints, task)
        if task in OUTPUTS and self.arguments.budget_steps:
            methods.append(patchtst_method(task, self.shape, self._budget(), self.train, collator, folder))
        if task == "forecasting":
            methods += forecasting_methods(horizon)
        elif task == "frequency_phase":
            methods.append(one_frequency_method(self.train, collator, horizon))
            methods += frequency_phase_methods(horizon, self.arguments.seed)
        elif task == "imputation":
            methods.append(linear_predictor_method(self.train, collator))
            methods += imputation_methods()
        else:
            methods += detection_methods(self.train, self.test, self.shape.patch_length)
            methods.append(brainmaze_method(self.test, self.shape.patch_length))
        return methods

    def section(self, title: str, collator: WindowCollator) -> Section:
        """Measure all methods."""
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for method in self.methods(collator, Path(folder)):
                metrics = {}
                if method.predict is not None:
                    metrics = evaluate(
                        method.predict,
                        self.test,
                        collator,
                        self.metrics(),
                        batch_size=self.arguments.batch_size,
                        description=method.name,
                    )
                rows.append(Row(method.name, metrics, method.parameters, method.note))
        return Section(title, rows)

    def introduction(self) -> str:
        """What a reader of the table should know."""
        arguments, shape = self.arguments, self.shape
        names = ", ".join(Path(dataset).name for dataset in arguments.dataset)
        title = {"frequency_phase": "Frequency-phase forecasting", "detection": "Seizure detection"}.get(
            arguments.task, arguments.task.capitalize()
        )
        lines = [
            f"# {title}",
            f"{len(self.test)} windows of {len(set(self.subjects))} patients: split `{arguments.split}` of {names}. "
            f"Patches of {shape.patch_length} samples at {self.sampling_rate:g} Hz, {shape.num_patches} in a window"
            + (f", horizon of {shape.prediction_length} samples." if shape.prediction_length else "."),
        ]
        if arguments.task in ("forecasting", "imputation"):
            unit = {"asinh": f"arcsinh(x / {self.extractor.scale:g} µV)", "none": "microvolts"}
            lines.append(
                f"Errors are in the normalised unit, {unit.get(self.extractor.normalize, self.extractor.normalize)}, "
                "unless a column says µV. MAPE is a fraction."
            )
        if arguments.task == "detection":
            lines.append(
                f"Every patch of every channel is a case; detected from a probability of {arguments.threshold:g}. "
                f"False-alarm rate: {arguments.false_alarms_per_hour:g} background patches an hour of one channel."
            )
        seen = set(self.train["subject"]) & set(self.subjects)
        if seen:
            lines.append(
                f"{len(seen)} of these patients are in the training split, too: nothing here is said about others."
            )
        if len(set(self.subjects)) >= MIN_SUBJECTS:
            lines.append("In brackets: 95 % confidence intervals, bootstrap over patients. Bold: best of a column.")
        return "\n\n".join(lines)

    def _budget(self) -> Budget:
        arguments = self.arguments
        parameters = arguments.parameters
        if parameters is None:
            parameters = self.checkpoints[0].model.num_parameters() if self.checkpoints else 1_000_000
        return Budget(
            arguments.budget_steps,
            arguments.batch_size,
            arguments.learning_rate,
            parameters,
            arguments.seed,
            arguments.num_workers,
        )


def set_up(arguments: Arguments) -> Comparison:
    """Load and check everything before anything is computed.

    Raises
    ------
    OSError
        A dataset or a checkpoint does not exist.
    ValueError
        Dataset, checkpoints and task do not go together.
    """
    checkpoints = [load_checkpoint(text, arguments.task) for text in arguments.checkpoint]
    for folder in _folders_of_checkpoints(arguments) if arguments.write_to_cards else ():
        if not (folder / CARD).is_file():
            raise FileNotFoundError(f"{folder} has no model card ({CARD}) for --write_to_cards")
    if checkpoints:
        check_comparable(checkpoints, arguments.task)
    parts = split_datasets(
        arguments.dataset, fractions=arguments.split_fractions, by=arguments.split_by, seed=arguments.split_seed
    )
    if arguments.split not in parts:
        raise ValueError(f"there is no split {arguments.split!r}; there are {', '.join(parts)}")
    train, test = parts["train"], parts[arguments.split]
    if arguments.max_train_subjects is not None:
        train = limit_subjects(train, arguments.max_train_subjects, arguments.split_seed)
    row = test[0]
    rate = float(row["sampling_rate"])
    shape, extractor = _shape_and_extractor(arguments, checkpoints, row["input_values"].shape[1], rate)
    windows = RunWindows(train, None, test, {"train": list(train["subject"])}, noted_patch_length(arguments.dataset))
    num_patches = check_window_length(windows, shape.patch_length, shape.num_patches, shape.prediction_length)
    if arguments.task == "detection":
        check_detection_labels(windows, shape.patch_length)
    if rate != extractor.sampling_rate:
        raise ValueError(
            f"windows have {rate:g} Hz, the checkpoint {extractor.sampling_rate:g} Hz: prepare the dataset with "
            f"`--sampling-rate {extractor.sampling_rate:g}`"
        )
    shape = Shape(shape.patch_length, num_patches, shape.prediction_length, shape.num_layers)
    return Comparison(arguments, train, test, list(test["subject"]), shape, rate, extractor, checkpoints)


def _shape_and_extractor(
    arguments: Arguments, checkpoints: Sequence[Checkpoint], samples: int, rate: float
) -> tuple[Shape, BrantFeatureExtractor]:
    """Those of the checkpoints, or without one, of the dataset."""
    forecasts = arguments.task in ("forecasting", "frequency_phase")
    if checkpoints:
        config = checkpoints[0].config
        horizon = config.prediction_length if forecasts else 0
        layers = arguments.num_layers or config.num_hidden_layers
        return Shape(config.patch_length, config.num_patches, horizon, layers), checkpoints[0].extractor
    patch_length = noted_patch_length(arguments.dataset)
    if patch_length is None:
        raise ValueError("the dataset does not say its patch length; give a --checkpoint, whose patches are taken")
    horizon = arguments.horizon_patches * patch_length if forecasts else 0
    num_patches = max((samples - horizon) // patch_length, 1)
    extractor = BrantFeatureExtractor(sampling_rate=rate, patch_length=patch_length, num_patches=num_patches)
    return Shape(patch_length, num_patches, horizon, arguments.num_layers or 4), extractor


def _folders_of_checkpoints(arguments: Arguments) -> list[Path]:
    sources = [Path(text.rpartition("=")[2]) for text in arguments.checkpoint]
    return [source for source in sources if source.is_dir()]


def main() -> None:
    (arguments,) = ScriptArgumentParser(Arguments, description=__doc__).parse()
    logging.set_verbosity_error()
    comparison = set_up(arguments)
    if arguments.task == "imputation":
        titles = {"points": "Single samples missing", "blocks": f"Blocks of {arguments.block_length} samples missing"}
        collators = {titles.get(mask, mask): comparison.collator(mask) for mask in arguments.masks}
    else:
        collators = {"": comparison.collator()}
    sections = [comparison.section(title, collator) for title, collator in collators.items()]
    table, values = write_tables(
        Path(arguments.output), arguments.task, sections, COLUMNS[arguments.task], comparison.introduction()
    )
    for folder in _folders_of_checkpoints(arguments) if arguments.write_to_cards else ():
        add_baselines(folder, table.read_text(encoding="utf-8"))
    print(table.read_text(encoding="utf-8"))
    print(f"written to {table} and {values}")


if __name__ == "__main__":
    run_script(main)
