"""Fine-tune Brant to fill in missing samples: single points, or blocks.

    python examples/run_imputation.py --dataset dataset/ --model outputs/pretrained --mask blocks --block_length 250

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brant_hf import BrantForImputation
from brant_hf.data import ImputationCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    ImputationMetrics,
    load_windows,
    make_config,
    make_feature_extractor,
    make_model,
    parse_arguments,
    run,
    start,
    train_and_evaluate,
)


@dataclass
class ImputationArguments:
    """What is missing."""

    mask: str = field(default="points", metadata={"help": "points: single samples; blocks: stretches of samples."})
    missing_ratio: float = field(default=0.4, metadata={"help": "Fraction of the samples of a channel to hide."})
    block_length: int = field(default=250, metadata={"help": "Samples of a block."})


def main() -> None:
    arguments = parse_arguments(
        "finetuning",
        ImputationArguments,
        defaults={**TRAINING_DEFAULTS, "output_dir": "outputs/imputation", "metric_for_best_model": "missing_mae"},
    )
    model_arguments, data, tuning, training, imputation = arguments
    start(training)
    config = make_config(model_arguments, data.dataset, tuning=tuning.tuning)
    windows = load_windows(data, config, training.output_dir, seed=training.seed)
    extractor = make_feature_extractor(model_arguments, config)
    collator = ImputationCollator(
        normalize=extractor.normalize_signal,
        max_channels=data.max_channels,
        seed=training.seed,
        by_window=True,
        mask=imputation.mask,
        mask_ratio=imputation.missing_ratio,
        block_length=imputation.block_length,
    )
    train_and_evaluate(
        make_model(BrantForImputation, model_arguments, config, complete=tuning.evaluate_only),
        extractor,
        collator,
        windows,
        arguments,
        task="imputation",
        make_metrics=ImputationMetrics,
    )


if __name__ == "__main__":
    run(main)
