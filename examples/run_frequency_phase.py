"""Fine-tune Brant to forecast the dominant frequency and the phase of each channel: of 5 patches (30 s) in the paper.

    python examples/run_frequency_phase.py --dataset dataset/ --model outputs/pretrained --output_dir outputs/phase

The horizon is the end of each window, the rest is the context: for 15 patches of context and 5 of horizon, prepare the
dataset with `--num-patches 20`. Start it again with the same arguments to go on from the last checkpoint. `--help`
lists all arguments; each can also stand in a JSON or YAML file given first. With several processes, the loss of a step
is the mean of the means that each process takes over its windows: where windows differ in their number of channels, it
is not exactly that of one process with the same global batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brant_hf import BrantForFrequencyPhaseForecasting
from brant_hf.data import ForecastingCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    FrequencyPhaseMetrics,
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
class FrequencyPhaseArguments:
    """How far to forecast."""

    horizon_patches: int = field(default=5, metadata={"help": "Patches whose frequency and phase to forecast."})


def main() -> None:
    arguments = parse_arguments(
        "finetuning",
        FrequencyPhaseArguments,
        defaults={**TRAINING_DEFAULTS, "output_dir": "outputs/phase", "metric_for_best_model": "loss"},
    )
    model_arguments, data, tuning, training, task = arguments
    start(training)
    config = make_config(model_arguments, data.dataset, tuning=tuning.tuning, horizon_patches=task.horizon_patches)
    windows = load_windows(data, config, training.output_dir, horizon_patches=task.horizon_patches, seed=training.seed)
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
        make_model(BrantForFrequencyPhaseForecasting, model_arguments, config, complete=tuning.evaluate_only),
        extractor,
        collator,
        windows,
        arguments,
        task="frequency-phase forecasting",
        make_metrics=lambda subjects: FrequencyPhaseMetrics(subjects, sampling_rate=config.sampling_rate),
    )


if __name__ == "__main__":
    run(main)
