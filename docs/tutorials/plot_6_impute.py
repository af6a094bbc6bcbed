"""
Fill gaps and forecast
======================

The encoder of a pre-trained model serves other tasks with another head. You will
fine-tune one to fill gaps and one to forecast, and set the errors beside what costs
nothing: a spline through the gap, the last value, the mean of the window. On a few
seconds of signal, the model does not have to win, and the numbers below say whether it
does.
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import transformers
from scipy.interpolate import CubicSpline
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForForecasting,
    BrantForImputation,
    BrantForPreTraining,
)
from brant_hf.data import (
    ForecastingCollator,
    ImputationCollator,
    PretrainingCollator,
    epoch_callback,
    load,
    open_recording,
    prepare,
)

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
OUTPUT = Path(tempfile.mkdtemp())
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})
set_seed(0)
# That a new head is not in the checkpoint would be told.
transformers.logging.set_verbosity_error()

# %%
# Windows, and a short pre-training
# ---------------------------------
# As in the tutorial before: patches of 0.2 s and windows of 15 of them. Held back are
# the last 6 seconds. Windows for the forecast are longer by its horizon.

(path,) = (DATA / "py_neuromodulation_ecog").rglob("*.vhdr")
recording = open_recording(path, gain=1e-6)
border = recording.duration - 6.0
parts = {
    "train": open_recording(path, gain=1e-6, stop=border, name="train"),
    "test": open_recording(path, gain=1e-6, start=border, name="test"),
}
HORIZON = 5


def windows_of(name, patches):
    folder = OUTPUT / f"{name}_{patches}"
    sizes = {"patch_length": 50, "num_patches": patches}
    prepare(parts[name], folder, stride=1, labels=False, progress=False, **sizes)
    return load(folder)


config = BrantConfig(
    patch_length=50,
    num_patches=15,
    hidden_size=96,
    intermediate_size=192,
    num_temporal_layers=2,
    num_spatial_layers=2,
    num_attention_heads=4,
    prediction_length=50 * HORIZON,
)
extractor = BrantFeatureExtractor(patch_length=50, num_patches=15)


def train(model, windows, collate, steps):
    arguments = TrainingArguments(
        OUTPUT / "run",
        max_steps=steps,
        per_device_train_batch_size=8,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 10,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        remove_unused_columns=False,
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=windows,
        data_collator=collate,
        callbacks=[epoch_callback(collate)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return model.eval()


windows = windows_of("train", 15)
pretrained = BrantForPreTraining(config)
train(pretrained, windows, PretrainingCollator.from_config(config, extractor), 120)
pretrained.save_pretrained(OUTPUT / "pretrained")

# %%
# Fill gaps
# ---------
# `ImputationCollator` hides samples: here gaps of 100 ms, as long as half a patch, in
# all channels, each at a place of its own. The model gets the signal with zeros there
# and ``observed_mask``, and gives ``imputed_values``, in which what was observed is
# kept.

GAP = 25
one_gap = GAP / (15 * 50)
hide = ImputationCollator.from_config(
    config, extractor, mask="blocks", block_length=GAP, mask_ratio=4 * one_gap
)
imputation = BrantForImputation.from_pretrained(OUTPUT / "pretrained")
train(imputation, windows, hide, 120)

hide.mask_ratio = one_gap
batch = hide(list(windows_of("test", 15)))
with torch.no_grad():
    imputed = imputation(**batch).imputed_values
truth = extractor.to_microvolts(batch["labels"].numpy())
observed = batch["observed_mask"].numpy()


def interpolated(values, observed, method):
    """Values in the gaps of each channel from the samples around them."""
    filled, places = values.copy(), np.arange(values.shape[-1])
    for index in np.ndindex(values.shape[:-1]):
        known = places[observed[index]]
        filled[index] = method(places, known, values[index][known])
    return filled


def spline(places, known, values):
    return CubicSpline(known, values)(places)


fillings = {
    "Brant": extractor.to_microvolts(imputed.numpy()),
    "straight line": interpolated(truth, observed, np.interp),
    "cubic spline": interpolated(truth, observed, spline),
    "zero": np.where(observed, truth, 0),
}

# %%
# Forecast
# --------
# `ForecastingCollator` splits the horizon off the end of each window. Here it is a
# second.

split_off = ForecastingCollator.from_config(config, extractor)
forecasting = BrantForForecasting.from_pretrained(OUTPUT / "pretrained")
train(forecasting, windows_of("train", 15 + HORIZON), split_off, 120)

ahead = split_off(list(windows_of("test", 15 + HORIZON)))
with torch.no_grad():
    predicted = forecasting(**ahead).prediction_outputs
future = extractor.to_microvolts(ahead["labels"].numpy())
context = extractor.to_microvolts(ahead["input_values"].numpy())
forecasts = {
    "Brant": extractor.to_microvolts(predicted.numpy()),
    "last value": np.broadcast_to(context[..., -1:], future.shape),
    "mean of the window": np.broadcast_to(
        context.mean(-1, keepdims=True), future.shape
    ),
}

# %%
# Errors
# ------
# Mean absolute errors in the part that no model was trained on. They are of one short
# recording, and another seed gives others.

gap_errors = {
    name: np.abs(values - truth)[~observed].mean() for name, values in fillings.items()
}
forecast_errors = {
    name: np.abs(values - future).mean() for name, values in forecasts.items()
}
figure, panels = plt.subplots(1, 2, figsize=(9, 2.6))
for axes, errors, title in (
    (panels[0], gap_errors, "gaps of 100 ms"),
    (panels[1], forecast_errors, "forecast of 1 s"),
):
    colors = [ORANGE if name == "Brant" else "0.6" for name in errors]
    bars = axes.barh(list(errors), list(errors.values()), color=colors)
    axes.bar_label(bars, fmt=" %.1f")
    axes.set(xlabel="mean absolute error [µV]", title=title)
    axes.invert_yaxis()
    axes.margins(x=0.15)
plt.show()

# %%
# One window of each, on a channel of the cortex.

channel = recording.channel_names.index("ECOG_RIGHT_1")
missing = np.flatnonzero(~observed[0, channel])
view = slice(max(missing[0] - 60, 0), missing[-1] + 60)
times = (np.arange(truth.shape[-1])[view] - missing[0]) / 250
inside = ~observed[0, channel, view]

figure, (left, right) = plt.subplots(1, 2)
left.axvspan(0, GAP / 250, color="0.93")
left.plot(times, truth[0, channel, view], color="0.6", label="recorded")
for name, color, line in (("Brant", ORANGE, "-"), ("cubic spline", BLUE, "--")):
    shown = np.where(inside, fillings[name][0, channel, view], np.nan)
    left.plot(times, shown, line, color=color, label=name)
left.set(xlabel="time from the start of the gap [s]", ylabel="ECOG_RIGHT_1 [µV]")

past, after = np.arange(-150, 0) / 250, np.arange(future.shape[-1]) / 250
right.plot(past, context[-1, channel, -150:], color="0.2", label="window")
right.plot(after, future[-1, channel], color="0.6", label="recorded")
right.plot(after, forecasts["Brant"][-1, channel], color=ORANGE, label="Brant")
last = forecasts["last value"][-1, channel]
right.plot(after, last, "--", color=BLUE, label="last value")
right.set(xlabel="time from the end of the window [s]", ylabel="ECOG_RIGHT_1 [µV]")
for axes in (left, right):
    axes.legend(fontsize="small", loc="upper left")
plt.show()

# %%
# A forecast that stays near zero is what the squared error asks for where nothing can
# be known: the mean of all that may come. Whoever needs the rhythm of the future, and
# not its values, takes `BrantForFrequencyPhaseForecasting`.
