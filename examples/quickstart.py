"""From a real recording to a trained Brant: prepare, pre-train, impute a gap, forecast, save, load.

Run: python examples/quickstart.py

The recording (examples/data/py_neuromodulation_ecog) is 19 s of human ECoG and deep brain LFP at 1000 Hz. The model
is a small one with short patches, pre-trained here on the first 14 s; the last 5 s are held out. The published size
and patches of 6 s work the same way on longer recordings.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from datasets import Dataset
from transformers import Trainer, TrainingArguments, set_seed

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantPreTrainedModel,
)
from brant_hf.data import (
    ForecastingCollator,
    ImputationCollator,
    PretrainingCollator,
    Recording,
    WindowCollator,
    epoch_callback,
    load,
    open_recording,
    prepare,
)

mpl.use("Agg")
import matplotlib.pyplot as plt

RECORDING = (
    Path(__file__).parent / "data/py_neuromodulation_ecog/sub-testsub/ses-EphysMedOff/ieeg"
    "/sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"
)
PATCH_LENGTH, WINDOW_PATCHES, HORIZON_PATCHES, GAP_PATCHES = 50, 15, 10, 0.5  # of 0.2 s
HELD_OUT_S = 5.0


def windows_of(recording: Recording, folder: Path, horizon_patches: int = 0) -> tuple[Dataset, Dataset]:
    """Windows to learn from, and those that end (with horizon: whose horizon lies) in the held-out signal."""
    prepare(
        recording,
        folder,
        patch_length=PATCH_LENGTH,
        num_patches=WINDOW_PATCHES + horizon_patches,
        stride=1,
        labels=False,
        progress=False,
    )
    windows = load(folder)
    patch_s = PATCH_LENGTH / windows[0]["sampling_rate"]
    starts = np.array(windows.with_format(None)["start"])
    held_out = recording.duration - HELD_OUT_S
    first_tested = starts + (WINDOW_PATCHES * patch_s if horizon_patches else 0)
    ends = starts + (WINDOW_PATCHES + horizon_patches) * patch_s
    return windows.select(np.flatnonzero(ends <= held_out)), windows.select(np.flatnonzero(first_tested >= held_out))


def train(
    model: BrantPreTrainedModel, windows: Dataset, collator: WindowCollator, steps: int, output_dir: Path
) -> None:
    """Train with the stock Trainer; it prints the loss."""
    arguments = TrainingArguments(
        output_dir,
        max_steps=steps,
        per_device_train_batch_size=8,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 10,
        logging_steps=max(steps // 4, 1),
        save_strategy="no",
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    callbacks = [epoch_callback(collator)]
    Trainer(model, arguments, train_dataset=windows, data_collator=collator, callbacks=callbacks).train()
    model.eval().cpu()


def interpolate(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Linear interpolation over the missing samples of each channel."""
    filled = values.copy()
    positions = np.arange(values.shape[-1])
    for index in np.ndindex(values.shape[:-1]):
        filled[index] = np.interp(positions, positions[observed[index]], values[index][observed[index]])
    return filled


def print_errors(title: str, errors: dict[str, float]) -> None:
    print(f"\n{title}: mean absolute error in microvolts, held-out data")
    for name, error in errors.items():
        print(f"  {name:<24}{error:6.2f}")


def plot(
    path: Path, names: Sequence[str], rate: float, gap: dict[str, np.ndarray], forecast: dict[str, np.ndarray]
) -> None:
    """One column for the gap, one for the forecast, three channels."""
    channels = [names.index(name) for name in ("ECOG_RIGHT_1", "ECOG_RIGHT_4", "LFP_RIGHT_1")]
    figure, axes = plt.subplots(len(channels), 2, figsize=(12, 7), sharex="col", constrained_layout=True)
    for row, channel in zip(axes, channels, strict=True):
        missing = np.flatnonzero(~gap["observed"][channel])
        view = slice(max(missing[0] - 75, 0), missing[-1] + 75)
        times = (np.arange(gap["signal"].shape[-1])[view] - missing[0]) / rate
        row[0].axvspan(0, len(missing) / rate, color="0.93")
        row[0].plot(times, gap["signal"][channel, view], color="0.6", label="recorded")
        for name, color in (("Brant", "C3"), ("linear interpolation", "C0")):
            filled = np.where(gap["observed"][channel], np.nan, gap[name][channel])
            row[0].plot(times, filled[view], color=color, label=name)
        row[0].set_ylabel(f"{names[channel]} (µV)")

        context, future = forecast["context"][channel], forecast["future"][channel]
        past = np.arange(-len(context), 0) / rate
        ahead = np.arange(len(future)) / rate
        row[1].plot(past[-250:], context[-250:], color="0.2", label="window")
        row[1].plot(ahead, future, color="0.6", label="recorded, held out")
        row[1].plot(ahead, forecast["Brant"][channel], color="C3", label="Brant")
        row[1].plot(ahead, np.full(len(future), context[-1]), color="C0", label="last value")
    axes[0, 0].set_title("Imputation of a gap in held-out signal")
    axes[0, 1].set_title("Forecast of held-out signal")
    axes[-1, 0].set_xlabel("time from the start of the gap (s)")
    axes[-1, 1].set_xlabel("time from the end of the window (s)")
    for axis in axes[-1]:
        axis.legend(loc="lower left", fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=Path("outputs/quickstart"))
    parser.add_argument("--steps", type=int, default=300, help="pre-training steps; fine-tuning takes half as many")
    arguments = parser.parse_args()
    output_dir, steps = arguments.output_dir, arguments.steps
    set_seed(0)

    # The header states values of 18 V: its scale is wrong by 10^6, so that the factor has to be given.
    recording = open_recording(RECORDING, gain=1e-6)
    print(
        f"{len(recording.channel_names)} channels, {recording.duration:.0f} s at {recording.sampling_rate:.0f} Hz, "
        f"the last {HELD_OUT_S:.0f} s held out"
    )
    extractor = BrantFeatureExtractor(patch_length=PATCH_LENGTH, num_patches=WINDOW_PATCHES)
    config = BrantConfig(
        patch_length=PATCH_LENGTH,
        num_patches=WINDOW_PATCHES,
        hidden_size=128,
        intermediate_size=256,
        num_temporal_layers=4,
        num_spatial_layers=2,
        num_attention_heads=4,
        prediction_length=HORIZON_PATCHES * PATCH_LENGTH,
    )

    # 1. Pre-train: reconstruct masked patches.
    windows, test_windows = windows_of(recording, output_dir / "windows")
    pretrained = BrantForPreTraining(config)
    print(f"\nPre-training {pretrained.num_parameters() / 1e6:.2f} M parameters on {len(windows)} windows")
    train(pretrained, windows, PretrainingCollator.from_config(config, extractor), steps, output_dir)
    pretrained.save_pretrained(output_dir / "pretrained")
    extractor.save_pretrained(output_dir / "pretrained")

    # 2. Impute gaps.
    print("\nFine-tuning for imputation")
    imputation = BrantForImputation.from_pretrained(output_dir / "pretrained")
    gap_length = round(GAP_PATCHES * PATCH_LENGTH)
    of_a_gap = gap_length / (WINDOW_PATCHES * PATCH_LENGTH)
    hide_gaps = ImputationCollator.from_config(
        config, extractor, mask="blocks", block_length=gap_length, mask_ratio=4 * of_a_gap
    )
    train(imputation, windows, hide_gaps, steps // 2, output_dir)
    hide_gaps.mask_ratio = of_a_gap
    batch = hide_gaps(list(test_windows))
    with torch.no_grad():
        outputs = imputation(**batch)
    truth, observed = extractor.to_microvolts(batch["labels"].numpy()), batch["observed_mask"].numpy()
    imputed = {
        "Brant": extractor.to_microvolts(outputs.imputed_values.numpy()),
        "linear interpolation": interpolate(truth, observed),
    }
    print_errors(
        f"Gaps of {gap_length / extractor.sampling_rate * 1000:.0f} ms in every channel",
        {name: np.abs(values - truth)[~observed].mean() for name, values in imputed.items()},
    )

    # 3. Forecast.
    print("\nFine-tuning for forecasting")
    forecasting = BrantForForecasting.from_pretrained(output_dir / "pretrained")
    windows, test_windows = windows_of(recording, output_dir / "windows_with_horizon", HORIZON_PATCHES)
    split_off = ForecastingCollator.from_config(config, extractor)
    train(forecasting, windows, split_off, steps // 2, output_dir)
    batch = split_off(list(test_windows))
    future, context = (extractor.to_microvolts(batch[name].numpy()) for name in ("labels", "input_values"))
    with torch.no_grad():
        predicted = forecasting(**batch).prediction_outputs
    forecasts = {
        "Brant": extractor.to_microvolts(predicted.numpy()),
        "last value": np.broadcast_to(context[..., -1:], future.shape),
        "mean of the window": np.broadcast_to(context.mean(-1, keepdims=True), future.shape),
    }
    print_errors(
        f"Forecast of {config.prediction_length / extractor.sampling_rate:.0f} s",
        {name: np.abs(values - future).mean() for name, values in forecasts.items()},
    )

    # 4. Save the fine-tuned model, load it back, get the same numbers.
    forecasting.save_pretrained(output_dir / "forecasting")
    extractor.save_pretrained(output_dir / "forecasting")
    loaded = BrantForForecasting.from_pretrained(output_dir / "forecasting")
    with torch.no_grad():
        torch.testing.assert_close(loaded(**batch).prediction_outputs, predicted, rtol=0, atol=0)

    figure_path = output_dir / "quickstart.png"
    gap = {"signal": truth[0], "observed": observed[0], **{name: values[0] for name, values in imputed.items()}}
    forecast = {"context": context[-1], "future": future[-1], "Brant": forecasts["Brant"][-1]}
    plot(figure_path, recording.channel_names, extractor.sampling_rate, gap, forecast)
    print(f"\nCheckpoints in {output_dir}, figure in {figure_path}")


if __name__ == "__main__":
    main()
