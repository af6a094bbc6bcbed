"""PatchTST of transformers, trained on the same windows with the same budget as Brant.

PatchTST treats every channel by itself, so a window of C channels is C series of one channel; that makes one model for
any number of channels. Its patches are those of Brant. All three models return what the Brant model of the task does,
so that collators, metrics and evaluation are the same. Channels are standardised by the model's own scaler, except for
detection, where the amplitude tells most: there the model sees the signal as Brant does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import PatchTSTConfig, PatchTSTForPrediction, PatchTSTModel, Trainer, TrainingArguments, set_seed

from brant_hf.data import WindowCollator, epoch_callback
from brant_hf.training import WeightedDetectionLoss, parse_class_weights

from .evaluation import Method, model_predict

HEADS, WIDTH_STEP, MAX_WIDTH = 4, 16, 4096
OUTPUTS = {
    "forecasting": ("prediction_outputs",),
    "imputation": ("reconstruction", "imputed_values"),
    "detection": ("logits",),
}


@dataclass(frozen=True)
class Budget:
    """What training may cost, the same for every trained method.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    batch_size : int
        Windows of a step.
    learning_rate : float
        Highest of the schedule.
    parameters : int
        That the width of the model is chosen for.
    seed : int
        Of weights and order.
    num_workers : int
        Processes that make the batches.
    """

    steps: int
    batch_size: int
    learning_rate: float
    parameters: int
    seed: int = 0
    num_workers: int = 0


@dataclass(frozen=True)
class Shape:
    """What the windows fix.

    Attributes
    ----------
    patch_length : int
        Samples of a patch.
    num_patches : int
        Patches of the input.
    prediction_length : int
        Samples to forecast.
    num_layers : int
        Of the encoder.
    """

    patch_length: int
    num_patches: int
    prediction_length: int
    num_layers: int


class PatchTSTForecaster(nn.Module):
    """`PatchTSTForPrediction` with its flattening head."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        config = _config(shape, width, prediction_length=shape.prediction_length, pooling_type=None)
        self.patchtst = PatchTSTForPrediction(config)

    def forward(
        self, input_values: torch.Tensor, channel_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        predicted = self.patchtst(past_values=input_values[channel_mask][..., None]).prediction_outputs[..., 0]
        outputs = {"prediction_outputs": _scattered(predicted, channel_mask)}
        if labels is not None:
            outputs["loss"] = nn.functional.mse_loss(predicted, labels[channel_mask])
        return outputs


class PatchTSTImputer(nn.Module):
    """The encoder with the linear head of `PatchTSTForPretraining`, and the loss on the missing samples.

    `PatchTSTForPretraining` itself hides whole patches that it chooses. Missing samples enter as the mean of the
    observed ones, which is 0 after its scaler.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.patchtst = PatchTSTModel(_config(shape, width))
        self.head = nn.Linear(width, shape.patch_length)

    def forward(
        self,
        input_values: torch.Tensor,
        channel_mask: torch.Tensor,
        observed_mask: torch.Tensor,
        labels: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        values, observed = input_values[channel_mask], observed_mask[channel_mask]
        mean = (values * observed).sum(dim=-1, keepdim=True) / observed.sum(dim=-1, keepdim=True).clamp(min=1)
        complete = torch.where(observed, values, mean)
        encoded = self.patchtst(past_values=complete[..., None], past_observed_mask=observed[..., None])
        reconstruction = self.head(encoded.last_hidden_state[:, 0]).flatten(1)
        reconstruction = reconstruction * encoded.scale[:, 0] + encoded.loc[:, 0]
        outputs = {
            "reconstruction": _scattered(reconstruction, channel_mask),
            "imputed_values": _scattered(torch.where(observed, values, reconstruction), channel_mask),
        }
        if labels is not None:
            missing = ~observed
            outputs["loss"] = nn.functional.mse_loss(reconstruction[missing], labels[channel_mask][missing])
        return outputs


class PatchTSTDetector(nn.Module):
    """The encoder with a linear classifier on the embedding of every patch.

    `PatchTSTForClassification` gives one label for a window of all channels, which is another task.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.patchtst = PatchTSTModel(_config(shape, width, scaling=None))
        self.head = nn.Linear(width, 2)

    def forward(
        self, input_values: torch.Tensor, channel_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        encoded = self.patchtst(past_values=input_values[channel_mask][..., None]).last_hidden_state[:, 0]
        return {"logits": _scattered(self.head(encoded), channel_mask)}


MODELS: dict[str, type[nn.Module]] = {
    "forecasting": PatchTSTForecaster,
    "imputation": PatchTSTImputer,
    "detection": PatchTSTDetector,
}


def patchtst_method(
    task: str, shape: Shape, budget: Budget, train: Dataset, collator: WindowCollator, output_dir: Path
) -> Method:
    """PatchTST trained for a task.

    Parameters
    ----------
    task : str
        `"forecasting"`, `"imputation"` or `"detection"`.
    shape : Shape
        Of the windows.
    budget : Budget
        Of the training.
    train : Dataset
        Training windows.
    collator : WindowCollator
        Of the task.
    output_dir : Path
        Where `Trainer` may write.
    """
    set_seed(budget.seed)
    model = MODELS[task](shape, choose_width(task, shape, budget.parameters))
    arguments = TrainingArguments(
        str(output_dir),
        max_steps=budget.steps,
        per_device_train_batch_size=budget.batch_size,
        learning_rate=budget.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.01,
        seed=budget.seed,
        save_strategy="no",
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        dataloader_num_workers=budget.num_workers,
        dataloader_persistent_workers=budget.num_workers > 0,
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=train,
        data_collator=collator,
        compute_loss_func=_detection_loss(train) if task == "detection" else None,
        callbacks=[epoch_callback(collator)],
    )
    # Standard output is for the tables.
    with redirect_stdout(sys.stderr):
        trainer.train()
    # The masks of the evaluation are those of the first epoch, as for every other method.
    collator.set_epoch(0)
    note = f"trained here: {budget.steps} steps of {budget.batch_size} windows"
    return Method("PatchTST", model_predict(model, OUTPUTS[task]), count_parameters(model), note)


def choose_width(task: str, shape: Shape, parameters: int) -> int:
    """Width of the model, a multiple of 16, with which its number of parameters comes nearest to `parameters`."""
    widths = range(WIDTH_STEP, MAX_WIDTH + 1, WIDTH_STEP)

    def count(width: int) -> int:
        with torch.device("meta"):
            return count_parameters(MODELS[task](shape, width))

    low, high = 0, len(widths) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if count(widths[middle]) < parameters else (low, middle)
    near = widths[max(low - 1, 0) : low + 1]
    return min(near, key=lambda width: abs(count(width) - parameters))


def count_parameters(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _config(shape: Shape, width: int, **fields: Any) -> PatchTSTConfig:
    return PatchTSTConfig(
        num_input_channels=1,
        context_length=shape.num_patches * shape.patch_length,
        patch_length=shape.patch_length,
        patch_stride=shape.patch_length,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=HEADS,
        d_model=width,
        ffn_dim=2 * width,
        attention_dropout=0.1,
        ff_dropout=0.1,
        **fields,
    )


def _detection_loss(train: Dataset) -> Callable[..., torch.Tensor]:
    weights = parse_class_weights("balanced", (row["labels"] for row in train.select_columns(["labels"])))
    return WeightedDetectionLoss(weights)


def _scattered(values: torch.Tensor, channel_mask: torch.Tensor) -> torch.Tensor:
    """Values (N, ...) of the real channels as (B, C, ...), 0 in the padding."""
    output = values.new_zeros(*channel_mask.shape, *values.shape[1:])
    output[channel_mask] = values
    return output
