"""Fine-tune Brant to detect seizures in every channel and patch.

    python examples/run_seizure_detection.py --dataset dataset/ --model outputs/pretrained --class_weights sqrt
    python examples/run_seizure_detection.py --dataset dataset/ --model you/brant --tuning lora

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brant_hf import BrantForSeizureDetection
from brant_hf.data import SeizureDetectionCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    SeizureDetectionMetrics,
    WeightedDetectionLoss,
    augment,
    check_detection_labels,
    check_window_length,
    load_windows,
    make_config,
    make_feature_extractor,
    make_model,
    parse_arguments,
    parse_class_weights,
    run,
    start,
    train_and_evaluate,
)


@dataclass
class DetectionArguments:
    """Loss and augmentation."""

    class_weights: str | None = field(
        default=None, metadata={"help": "balanced, sqrt, or weights of background and seizure such as 1,5."}
    )
    focal_gamma: float = field(default=0.0, metadata={"help": "Exponent of the focal loss; 0 for cross-entropy."})
    augment: bool = field(default=False, metadata={"help": "Change gain, bandwidth, polarity, channels at random."})
    rhythm: float = field(
        default=0.0, metadata={"help": "With --augment, fraction of the windows that get a drawn ictal rhythm."}
    )


def main() -> None:
    arguments = parse_arguments(
        "finetuning",
        DetectionArguments,
        defaults={
            **TRAINING_DEFAULTS,
            "output_dir": "outputs/detector",
            "metric_for_best_model": "auprc",
            "greater_is_better": True,
        },
    )
    model_arguments, data, tuning, training, detection = arguments
    start(training)
    config = make_config(model_arguments, data.dataset, tuning=tuning.tuning)
    windows = load_windows(
        data,
        patch_length=config.patch_length,
        num_patches=config.num_patches,
        sampling_rate=config.sampling_rate,
        output_dir=training.output_dir,
        seed=training.seed,
    )
    check_window_length(windows, config.patch_length, config.num_patches)
    check_detection_labels(windows, config.patch_length)
    labels = (row["labels"] for row in windows.train.select_columns(["labels"]))
    class_weights = parse_class_weights(detection.class_weights, labels)
    if detection.augment:
        windows = augment(windows, config.sampling_rate, training.seed, rhythm=detection.rhythm)
    extractor = make_feature_extractor(model_arguments, config)
    collator = SeizureDetectionCollator(
        normalize=extractor.normalize_signal, max_channels=data.max_channels, seed=training.seed, by_window=True
    )
    patch_s = config.patch_length / config.sampling_rate
    weighted = class_weights is not None or detection.focal_gamma > 0
    train_and_evaluate(
        make_model(BrantForSeizureDetection, model_arguments, config),
        extractor,
        collator,
        windows,
        arguments[:4],
        task="seizure detection",
        make_metrics=lambda subjects: SeizureDetectionMetrics(subjects, patch_duration=patch_s),
        compute_loss=WeightedDetectionLoss(class_weights, detection.focal_gamma) if weighted else None,
    )


if __name__ == "__main__":
    run(main)
