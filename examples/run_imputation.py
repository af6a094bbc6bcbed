"""Fine-tune Brant to fill in missing samples: single points, or blocks.

    python examples/run_imputation.py --dataset dataset/ --model outputs/pretrained --mask blocks --block_length 250

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.

The scripts of the other tasks call `brant_hf.training.run_task`. This one has its steps written out, to begin a script
of your own from.
"""

from transformers.utils import logging

from brant_hf import BrantForImputation
from brant_hf.data import ImputationCollator
from brant_hf.training import (
    ImputationMetrics,
    ImputationTask,
    check_evaluations,
    evaluate_splits,
    evaluate_start,
    load_windows,
    make_config,
    make_feature_extractor,
    make_model,
    make_trainer,
    parse_arguments,
    run_script,
    set_up,
    start_log,
    train_or_resume,
    write_checkpoint,
)

logger = logging.get_logger("brant_hf")


def main() -> None:
    # The command line, a file of settings, the recipe, and the options of the task.
    run = parse_arguments(ImputationTask)
    set_up(run)

    config = make_config(run.model, run.data.dataset, tuning=run.tuning.tuning, task=run.task)
    extractor = make_feature_extractor(run.model, config)
    collator = ImputationCollator.from_config(
        config,
        extractor,
        max_channels=run.data.max_channels,
        seed=run.training.seed,
        mask=run.task.mask,
        mask_ratio=run.task.missing_ratio,
        block_length=run.task.block_length,
    )
    windows = load_windows(run.data, config, run.output_dir, seed=run.training.seed)
    check_evaluations(windows, run)
    model = make_model(BrantForImputation, run.model, config, complete=run.tuning.evaluate_only)

    # The Trainer of transformers with a learning rate for the head, the schedules of the paper, and `run.tuning`.
    trainer = make_trainer(
        run,
        model=model,
        data_collator=collator,
        train_dataset=windows.train,
        eval_dataset=windows.validation,
        processing_class=extractor,
    )
    trainer.use_metrics(ImputationMetrics(windows.subjects.get("validation")))
    start_log(run.training)
    for doubt in run.task.doubts(windows):
        logger.warning(doubt)
    before = {}
    if not run.tuning.evaluate_only:
        before = evaluate_start(trainer, windows, ImputationMetrics)
        train_or_resume(trainer, run)
    results = evaluate_splits(trainer, windows, ImputationMetrics) | before
    if not run.tuning.evaluate_only:
        write_checkpoint(trainer, run, windows, results)


if __name__ == "__main__":
    run_script(main)
