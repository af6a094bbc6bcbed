"""Fine-tune Brant to detect seizures in every channel and patch.

    python examples/run_seizure_detection.py --dataset dataset/ --model outputs/pretrained --class_weights sqrt
    python examples/run_seizure_detection.py --dataset dataset/ --model you/brant --tuning lora

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transformers import TrainingArguments

from brant_hf import BrantForSeizureDetection
from brant_hf.data import SeizureDetectionCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    SeizureDetectionMetrics,
    TuningArguments,
    WeightedDetectionLoss,
    augment,
    check_detection_labels,
    load_windows,
    make_config,
    make_feature_extractor,
    make_model,
    note_preprocessing,
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
    augment: bool = field(
        default=False,
        metadata={"help": "Change amplitude, speed, spectrum and channels of the training windows at random."},
    )
    gain: float = field(
        default=0.5, metadata={"help": "With --augment, how far amplitudes spread, see brant_hf.data.Augmentation."}
    )
    equalize: float = field(
        default=0.0,
        metadata={"help": "With --augment, fraction of the windows whose channels all get the same amplitude."},
    )
    rhythm: float = field(
        default=0.0, metadata={"help": "With --augment, fraction of the windows that get a drawn ictal rhythm."}
    )
    lookalike: float = field(
        default=0.0, metadata={"help": "With --augment, fraction that get a background rhythm, or channels of noise."}
    )
    drift: float = field(
        default=0.0, metadata={"help": "With --augment, fraction that get slow drifts and steps of the electrodes."}
    )
    shorter: float = field(
        default=0.0,
        metadata={"help": "With --augment, fraction of the windows cut to fewer patches, with their batch."},
    )


def _splits_with_seizures(tuning: TuningArguments, training: TrainingArguments) -> list[str]:
    """Splits without which there is nothing to learn, or no best epoch."""
    if tuning.evaluate_only:
        return []
    by_loss = training.metric_for_best_model in (None, "loss", "eval_loss")
    return ["train"] if by_loss or training.eval_strategy == "no" else ["train", "validation"]


def main() -> None:
    arguments = parse_arguments(
        "finetuning",
        DetectionArguments,
        defaults={
            **TRAINING_DEFAULTS,
            "output_dir": "outputs/detector",
            "metric_for_best_model": "auprc",
        },
    )
    model_arguments, data, tuning, training, detection = arguments
    start(training)
    config = make_config(model_arguments, data.dataset, tuning=tuning.tuning)
    note_preprocessing(config, data.dataset)
    windows = load_windows(data, config, training.output_dir, seed=training.seed)
    check_detection_labels(windows, config.patch_length, _splits_with_seizures(tuning, training))
    class_weights = parse_class_weights(detection.class_weights, windows.training_labels())
    if detection.augment:
        windows = augment(
            windows,
            config.sampling_rate,
            training.seed,
            gain=detection.gain,
            equalize=detection.equalize,
            rhythm=detection.rhythm,
            lookalike=detection.lookalike,
            drift=detection.drift,
            shorter=detection.shorter,
        )
    extractor = make_feature_extractor(model_arguments, config)
    collator = SeizureDetectionCollator(
        normalize=extractor.normalize_signal,
        max_channels=data.max_channels,
        seed=training.seed,
        by_window=True,
        cut_to_shortest=True,
    )
    patch_s = config.patch_length / config.sampling_rate
    weighted = class_weights is not None or detection.focal_gamma > 0
    train_and_evaluate(
        make_model(BrantForSeizureDetection, model_arguments, config, complete=tuning.evaluate_only),
        extractor,
        collator,
        windows,
        arguments,
        task="seizure detection",
        make_metrics=lambda subjects: SeizureDetectionMetrics(subjects, patch_duration=patch_s),
        compute_loss=WeightedDetectionLoss(class_weights, detection.focal_gamma) if weighted else None,
    )


if __name__ == "__main__":
    run(main)
