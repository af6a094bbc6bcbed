"""From a real recording to a trained Brant: pre-train, impute a gap, forecast, save, load.

Run: python examples/quickstart.py

The recording (examples/data/py_neuromodulation_ecog) is 19 s of human ECoG and deep brain LFP at 1000 Hz. The model
is a small one with short patches, pre-trained here on the first 14 s; the last 5 s are held out. The published size
and patches of 6 s work the same way on longer recordings.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import mne
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

mpl.use("Agg")
import matplotlib.pyplot as plt

RECORDING = (
    Path(__file__).parent / "data/py_neuromodulation_ecog/sub-testsub/ses-EphysMedOff/ieeg"
    "/sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"
)
WINDOW_S, HORIZON_S, HELD_OUT_S, GAP_S = 3.0, 2.0, 5.0, 0.1


def read_recording() -> tuple[np.ndarray, list[str], float]:
    """Signal (channels, samples) in microvolts, channel names and sampling rate in Hz."""
    raw = mne.io.read_raw_brainvision(RECORDING, preload=True, verbose="error")
    raw.pick([name for name in raw.ch_names if name.startswith(("ECOG", "LFP"))])
    # MNE gives volts, but the header of this file is wrong by 10^6: what reads as 18 V are 18 microvolts.
    return raw.get_data(), raw.ch_names, raw.info["sfreq"]


def cut(
    signal: np.ndarray, rate: float, start_s: float, stop_s: float, seconds: float, step_s: float
) -> list[np.ndarray]:
    """Windows (channels, samples) of `seconds` that lie within `start_s` and `stop_s`."""
    starts = np.arange(start_s, stop_s - seconds + 1e-9, step_s)
    return [signal[:, round(start * rate) : round((start + seconds) * rate)] for start in starts]


def hide_gaps(windows: np.ndarray, rate: float, gaps: int, seed: int) -> np.ndarray:
    """Observed mask with `gaps` missing stretches of GAP_S in each channel, at random places."""
    generator = np.random.default_rng(seed)
    observed = np.ones(windows.shape, dtype=bool)
    length = round(GAP_S * rate)
    for window in observed:
        for channel in window:
            for start in generator.integers(length, windows.shape[-1] - 2 * length, gaps):
                channel[start : start + length] = False
    return observed


def train(model: BrantPreTrainedModel, columns: dict[str, np.ndarray], steps: int, output_dir: Path) -> None:
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
        dataloader_pin_memory=False,
    )
    Trainer(model, arguments, train_dataset=Dataset.from_dict(columns).with_format("torch")).train()
    model.eval()


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
    output_dir.mkdir(parents=True, exist_ok=True)
    set_seed(0)

    signal, names, sampling_rate = read_recording()
    duration = signal.shape[-1] / sampling_rate
    split = duration - HELD_OUT_S
    print(f"{len(names)} channels, {duration:.0f} s at {sampling_rate:.0f} Hz, the last {HELD_OUT_S:.0f} s held out")

    # Patches of 0.2 s, windows of 15 patches.
    extractor = BrantFeatureExtractor(patch_length=50, num_patches=15)
    rate = extractor.sampling_rate
    config = BrantConfig(
        patch_length=50,
        num_patches=15,
        hidden_size=128,
        intermediate_size=256,
        num_temporal_layers=4,
        num_spatial_layers=2,
        num_attention_heads=4,
        prediction_length=round(HORIZON_S * rate),
    )

    def prepare(start_s: float, stop_s: float, step_s: float, horizon_s: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Windows and the horizons that follow them, both as model inputs."""
        pieces = cut(signal, sampling_rate, start_s, stop_s, WINDOW_S + horizon_s, step_s)
        samples = round(WINDOW_S * sampling_rate)
        windows = extractor([piece[:, :samples] for piece in pieces], sampling_rate=sampling_rate)["input_values"]
        if not horizon_s:
            return windows, windows
        futures = extractor([piece[:, samples:] for piece in pieces], sampling_rate=sampling_rate)["input_values"]
        return windows, futures[..., : round(horizon_s * rate)]

    # 1. Pre-train: reconstruct masked patches. The model draws the masks itself.
    windows, _ = prepare(0, split, 0.1)
    pretrained = BrantForPreTraining(config)
    print(f"\nPre-training {pretrained.num_parameters() / 1e6:.2f} M parameters on {len(windows)} windows")
    train(pretrained, {"input_values": windows}, steps, output_dir)
    pretrained.save_pretrained(output_dir / "pretrained")
    extractor.save_pretrained(output_dir / "pretrained")

    # 2. Impute gaps.
    print("\nFine-tuning for imputation")
    imputation = BrantForImputation.from_pretrained(output_dir / "pretrained")
    observed = hide_gaps(windows, rate, gaps=4, seed=0)
    train(imputation, {"input_values": windows, "labels": windows, "observed_mask": observed}, steps // 2, output_dir)
    test_windows, _ = prepare(split, duration, 0.5)
    observed = hide_gaps(test_windows, rate, gaps=1, seed=1)
    with torch.no_grad():
        outputs = imputation(torch.tensor(test_windows), observed_mask=torch.tensor(observed))
    truth = extractor.to_microvolts(test_windows)
    imputed = {
        "Brant": extractor.to_microvolts(outputs.imputed_values.numpy()),
        "linear interpolation": interpolate(truth, observed),
    }
    print_errors(
        f"Gaps of {GAP_S * 1000:.0f} ms in every channel",
        {name: np.abs(values - truth)[~observed].mean() for name, values in imputed.items()},
    )

    # 3. Forecast.
    print("\nFine-tuning for forecasting")
    forecasting = BrantForForecasting.from_pretrained(output_dir / "pretrained")
    contexts, futures = prepare(0, split, 0.1, HORIZON_S)
    train(forecasting, {"input_values": contexts, "labels": futures}, steps // 2, output_dir)
    # The horizons lie in the held-out signal, their windows may begin before it.
    contexts, futures = prepare(split - WINDOW_S, duration, 0.1, HORIZON_S)
    with torch.no_grad():
        predicted = forecasting(torch.tensor(contexts)).prediction_outputs.numpy()
    future, context = extractor.to_microvolts(futures), extractor.to_microvolts(contexts)
    forecasts = {
        "Brant": extractor.to_microvolts(predicted),
        "last value": np.broadcast_to(context[..., -1:], future.shape),
        "mean of the window": np.broadcast_to(context.mean(-1, keepdims=True), future.shape),
    }
    print_errors(
        f"Forecast of {HORIZON_S:.0f} s",
        {name: np.abs(values - future).mean() for name, values in forecasts.items()},
    )

    # 4. Save the fine-tuned model, load it back, get the same numbers.
    forecasting.save_pretrained(output_dir / "forecasting")
    extractor.save_pretrained(output_dir / "forecasting")
    loaded = BrantForForecasting.from_pretrained(output_dir / "forecasting")
    with torch.no_grad():
        again = loaded(torch.tensor(contexts)).prediction_outputs.numpy()
    np.testing.assert_array_equal(again, predicted)

    figure_path = output_dir / "quickstart.png"
    gap = {"signal": truth[0], "observed": observed[0], **{name: values[0] for name, values in imputed.items()}}
    forecast = {"context": context[-1], "future": future[-1], "Brant": forecasts["Brant"][-1]}
    plot(figure_path, names, rate, gap, forecast)
    print(f"\nCheckpoints in {output_dir}, figure in {figure_path}")


if __name__ == "__main__":
    main()
