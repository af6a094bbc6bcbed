"""Fine-tune Brant to forecast the signal: 2 patches (short, 12 s) or 20 patches (long, 120 s) in the paper.

    python examples/run_forecasting.py --dataset dataset/ --model outputs/pretrained --output_dir outputs/forecasting

The horizon is the end of each window, the rest is the context: for 15 patches of context and 2 of horizon, prepare the
dataset with `--num-patches 17`. Start it again with the same arguments to go on from the last checkpoint. `--help`
lists all arguments; each can also stand in a JSON or YAML file given first. With several processes, the loss of a step
is the mean of the means that each process takes over its windows: where windows differ in their number of channels, it
is not exactly that of one process with the same global batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brant_hf import BrantForForecasting
from brant_hf.data import ForecastingCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    ForecastingMetrics,
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
class ForecastingArguments:
    """How far to forecast."""

    horizon_patches: int = field(default=2, metadata={"help": "Patches to forecast."})
    prediction_dropout: float | None = field(
        default=None,
        metadata={"help": "Dropout on the forecast; 0.1 up to 2 patches, 0.2 beyond, if absent."},
    )


def main() -> None:
    arguments = parse_arguments(
        "finetuning",
        ForecastingArguments,
        defaults={**TRAINING_DEFAULTS, "output_dir": "outputs/forecasting", "metric_for_best_model": "mae"},
    )
    model_arguments, data, tuning, training, forecasting = arguments
    start(training)
    dropout = forecasting.prediction_dropout
    if dropout is None:
        dropout = 0.1 if forecasting.horizon_patches <= 2 else 0.2
    config = make_config(
        model_arguments,
        data.dataset,
        tuning=tuning.tuning,
        horizon_patches=forecasting.horizon_patches,
        prediction_dropout=dropout,
    )
    windows = load_windows(
        data, config, training.output_dir, horizon_patches=forecasting.horizon_patches, seed=training.seed
    )
    extractor = make_feature_extractor(model_arguments, config)
    collator = ForecastingCollator(
        normalize=extractor.normalize_signal,
        max_channels=data.max_channels,
        seed=training.seed,
        by_window=True,
        prediction_length=config.prediction_length,
        patch_length=config.patch_length,
    )
    train_and_evaluate(
        make_model(BrantForForecasting, model_arguments, config, complete=tuning.evaluate_only),
        extractor,
        collator,
        windows,
        arguments,
        task="forecasting",
        make_metrics=ForecastingMetrics,
    )


if __name__ == "__main__":
    run(main)
