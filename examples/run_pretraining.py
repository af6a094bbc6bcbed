"""Pre-train Brant: reconstruct masked patches.

    python examples/run_pretraining.py --dataset dataset/ --size tiny --output_dir outputs/pretrained
    accelerate launch --config_file examples/accelerate/fsdp2_8_gpus.yaml examples/run_pretraining.py settings.yaml

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brant_hf import BrantForPreTraining
from brant_hf.data import PretrainingCollator
from brant_hf.training import (
    TRAINING_DEFAULTS,
    augment,
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
class PretrainingArguments:
    """What is masked, and what the loss counts."""

    mask_ratio: float | None = field(
        default=None, metadata={"help": "Fraction of the patches to mask; that of the configuration if absent."}
    )
    augment: bool = field(
        default=False,
        metadata={"help": "Change amplitude, speed, spectrum and channels of the training windows at random."},
    )


def main() -> None:
    arguments = parse_arguments(
        "pretraining",
        PretrainingArguments,
        defaults={**TRAINING_DEFAULTS, "output_dir": "outputs/pretrained"},
    )
    model_arguments, data, tuning, training, pretraining = arguments
    start(training)
    fields = {} if pretraining.mask_ratio is None else {"mask_ratio": pretraining.mask_ratio}
    config = make_config(model_arguments, data.dataset, tuning=tuning.tuning, **fields)
    windows = load_windows(data, config, training.output_dir, seed=training.seed)
    if pretraining.augment:
        windows = augment(windows, config.sampling_rate, training.seed)
    extractor = make_feature_extractor(model_arguments, config)
    collator = PretrainingCollator(
        normalize=extractor.normalize_signal,
        max_channels=data.max_channels,
        seed=training.seed,
        by_window=True,
        mask_ratio=config.mask_ratio,
        patch_length=config.patch_length,
    )
    model = make_model(BrantForPreTraining, model_arguments, config, complete=tuning.evaluate_only)
    train_and_evaluate(model, extractor, collator, windows, arguments, task="pre-training")


if __name__ == "__main__":
    run(main)
