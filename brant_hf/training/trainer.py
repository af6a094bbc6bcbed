"""The Trainer of the scripts: two learning rates, the schedules of the paper, checkpoints that survive a crash."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, TrainOutput, get_last_checkpoint

from ..data import AugmentedWindows, WindowCollator, channel_counts, epoch_callback
from ..data.batches.collators import EVALUATION_EPOCH
from .metrics import WindowMetrics
from .schedules import make_schedule
from .streaming import EndlessStream, SkippingCollator

# What draws at random, anew in each epoch.
_DRAWING = (WindowCollator, AugmentedWindows)
# Of the lengths of the shards of a stream. `Trainer` uploads nothing whose name begins like this.
LENGTHS_FOLDER = "_shard_lengths"


class RecipeTrainer(Trainer):
    """`Trainer` with a learning rate for the head and the schedules of the paper.

    The stock `Trainer` takes a ready optimiser and schedule in `optimizers`, but not with FSDP, where both have to be
    made after the model was sharded; this needs the first two methods below. The others let every evaluation hide the
    same samples, also in the middle of an epoch, read its own windows also with `dataloader_persistent_workers`, and
    keep them in the order of the dataset with `train_sampling_strategy="group_by_length"` too, since metrics per
    subject count on it. For that strategy no window is read to know its channels. Of a stream each process reads its
    share alone, and after a resumption nothing that was seen before. A run that was killed behind its last step takes
    no further one. Collators and augmented windows are told the epoch, so that they draw anew in each.

    All losses, also that of `compute_loss_func`, are means over a batch: they are averaged over accumulated batches
    and over processes.

    Parameters
    ----------
    head_learning_rate : float or None
        Learning rate of all parameters outside of the encoder; `args.learning_rate` if absent.
    schedule : str or None
        `"cyclic"` or `"multistep"`; `args.lr_scheduler_type` if absent.
    **kwargs : Any
        As for `Trainer`.

    Attributes
    ----------
    steps_before : int
        Steps of the run that it goes on with.
    """

    # `Trainer` takes the loss of `compute_loss_func` as divided by the number of labels of all accumulated batches.
    loss_is_scaled_for_ga = False

    def __init__(
        self,
        *,
        head_learning_rate: float | None = None,
        schedule: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        # And by that of all processes, with whose number it then multiplies the loss.
        self.args.average_tokens_across_devices = False
        self.head_learning_rate = head_learning_rate
        self.schedule = schedule
        self.eval_collator = _evaluation_collator(self.data_collator)
        self._rows_of_eval_loader: Any = None
        self.steps_before = 0
        drawing = [each for each in (self.data_collator, self.train_dataset) if isinstance(each, _DRAWING)]
        self.add_callback(epoch_callback(*drawing))

    def use_metrics(self, metrics: WindowMetrics | None) -> None:
        """Measure evaluations from now on with metrics of `brant_hf.training.metrics`; they must suit the model."""
        config: Any = self.model.config  # type: ignore[union-attr]
        if metrics is not None and config.model_type == "brant":
            metrics.check(config)
        self.compute_metrics = metrics
        self.preprocess_logits_for_metrics = None if metrics is None else metrics.reduce

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Make the optimiser, with the learning rate of the head."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if is_new and self.head_learning_rate is not None:
            parameters = (self.model if model is None else model).named_parameters()  # type: ignore[union-attr]
            encoder = {id(parameter) for name, parameter in parameters if is_encoder_parameter(name)}
            optimizer.param_groups = split_groups(optimizer.param_groups, encoder, self.head_learning_rate)
        return optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the paper, or that of `Trainer`."""
        if self.schedule is None or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        self.lr_scheduler = make_schedule(
            self.schedule, cast(torch.optim.Optimizer, optimizer or self.optimizer), num_training_steps
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train, as `Trainer` does."""
        resumed = (
            get_last_checkpoint(self.args.output_dir) if resume_from_checkpoint is True else resume_from_checkpoint
        )
        state = Path(resumed or "") / TRAINER_STATE_NAME
        known = resumed and state.is_file()
        self.steps_before = json.loads(state.read_text(encoding="utf-8"))["global_step"] if known else 0
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **kwargs)
            return
        # Killed when all was trained: `Trainer` would take a step more.
        self.control.should_training_stop = True

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        """Make the loader of the training; of a stream, each process reads its share alone, and what is new."""
        stream = self.train_dataset
        if not isinstance(stream, EndlessStream):
            return super().get_train_dataloader()
        # `Trainer` counts the batches that were seen; that they are empty is enough for it.
        steps = 0 if self.args.ignore_data_skip else self.steps_before
        stream.skip_batches(steps * self.args.gradient_accumulation_steps, self._train_batch_size)
        lengths = Path(cast(str, self.args.output_dir)) / LENGTHS_FOLDER
        if not steps:
            with self.args.main_process_first(local=False):
                if self.args.process_index == 0:
                    shutil.rmtree(lengths, ignore_errors=True)  # of another run
        stream.keep_lengths(lengths)
        collator, self.data_collator = self.data_collator, SkippingCollator(self.data_collator)
        try:
            loader = super().get_train_dataloader()
        finally:
            self.data_collator = collator
        if self.args.world_size > 1:
            stream.share(self.args.process_index, self.args.world_size)
            # Otherwise each process would read the windows of all, and throw away those of the others.
            shard: Any = loader.dataset
            shard.num_processes, shard.process_index = 1, 0
        return loader

    def get_eval_dataloader(self, eval_dataset: Any = None) -> torch.utils.data.DataLoader:
        """Make the loader of an evaluation, with its own collator."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        if rows is not self._rows_of_eval_loader:
            # With persistent workers, `Trainer` takes the first loader for every dataset.
            self.__dict__.pop("_eval_dataloaders", None)
            self._rows_of_eval_loader = rows
        training_collator, self.data_collator = self.data_collator, self.eval_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training_collator

    def _get_train_sampler(
        self, train_dataset: torch.utils.data.Dataset | None = None
    ) -> torch.utils.data.Sampler | None:
        rows = self.train_dataset if train_dataset is None else train_dataset
        windows = rows.windows if isinstance(rows, AugmentedWindows) else rows
        if self.args.train_sampling_strategy != "group_by_length" or not hasattr(windows, "with_format"):
            return super()._get_train_sampler(train_dataset)
        # `Trainer` would read every window to count its channels.
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(size, lengths=channel_counts(cast("Any", windows)).tolist())

    def _get_eval_sampler(self, eval_dataset: torch.utils.data.Dataset) -> torch.utils.data.Sampler | None:
        if self.args.train_sampling_strategy == "group_by_length":
            return SequentialSampler(eval_dataset)  # type: ignore[arg-type]
        return super()._get_eval_sampler(eval_dataset)


def _evaluation_collator(collator: Any) -> Any:
    """Return a collator that draws the same in every evaluation."""
    if not isinstance(collator, WindowCollator):
        return collator
    fixed = replace(collator)
    fixed.set_epoch(EVALUATION_EPOCH)
    return fixed


def is_encoder_parameter(name: str) -> bool:
    """Whether a parameter belongs to the encoder, whatever wrappers (adapters, compilation) stand before its name."""
    return "brant" in name.split(".")


def split_groups(groups: list[dict[str, Any]], encoder: set[int], head_learning_rate: float) -> list[dict[str, Any]]:
    """Split optimiser groups into encoder and head, in this order; groups without parameters are left out.

    Parameters
    ----------
    groups : list[dict[str, Any]]
        Parameter groups of an optimiser that has taken no step.
    encoder : set[int]
        `id` of each encoder parameter.
    head_learning_rate : float
        For all others.
    """
    split = []
    for group in groups:
        inside = [parameter for parameter in group["params"] if id(parameter) in encoder]
        outside = [parameter for parameter in group["params"] if id(parameter) not in encoder]
        split.append({**group, "params": inside})
        split.append({**group, "params": outside, "lr": head_learning_rate})
    return [group for group in split if group["params"]]


def last_whole_checkpoint(output_dir: str | Path) -> str | None:
    """Return the newest checkpoint in `output_dir` that was written to its end, or `None`.

    `Trainer` writes the state of the training last. A run that was killed while it saved leaves a checkpoint without
    it, or with half of it, which `transformers.trainer_utils.get_last_checkpoint` would return.
    """
    found = []
    for folder in Path(output_dir).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        step = re.fullmatch(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)", folder.name)
        if step and _is_whole(folder / TRAINER_STATE_NAME):
            found.append((int(step.group(1)), folder))
    return str(max(found)[1]) if found else None


def _is_whole(state_file: Path) -> bool:
    try:
        return isinstance(json.loads(state_file.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
