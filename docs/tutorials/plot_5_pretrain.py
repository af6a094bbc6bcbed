"""
Pre-train a small Brant
=======================

Brant learns without labels: patches of a window are masked, and the model reconstructs
their signal from the other patches and the other channels. You will train a small model
on real ECoG with the stock `Trainer` of transformers, see whether it learns, and look
at what it puts in place of masked patches.

Fourteen seconds of signal and a minute of training make no foundation model. The
published size and patches work the same way, with more recordings and more time, see
``examples/run_pretraining.py``.
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForPreTraining
from brant_hf.data import (
    Augmentation,
    AugmentedWindows,
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

# %%
# Windows
# -------
# The recording is short, so patches are, too: 0.2 s instead of 6 s. Windows begin every
# patch, so that they overlap; the last 5 seconds are held back, and no window reaches
# over that border.

(path,) = (DATA / "py_neuromodulation_ecog").rglob("*.vhdr")
recording = open_recording(path, gain=1e-6)
border = recording.duration - 5.0
parts = {
    "train": open_recording(path, gain=1e-6, stop=border, name="train"),
    "held out": open_recording(path, gain=1e-6, start=border, name="held_out"),
}
sizes = {"patch_length": 50, "num_patches": 15}
windows = {}
for name, part in parts.items():
    folder = OUTPUT / name
    prepare(part, folder, stride=1, labels=False, progress=False, **sizes)
    windows[name] = load(folder)
    print(f"{name}: {part.duration:.1f} s, {len(windows[name])} windows")

# %%
# Model
# -----
# The configuration is that of Brant, smaller. ``loss_on="masked"`` counts the masked
# patches alone, and ``mask_band_power=True`` hides their band power, too: in the
# published code it is computed from the clean signal, which tells something of the
# answer.

config = BrantConfig(
    **sizes,
    hidden_size=128,
    intermediate_size=256,
    num_temporal_layers=1,
    num_spatial_layers=2,
    num_attention_heads=4,
    loss_on="masked",
    mask_band_power=True,
    mask_ratio=0.2,
    hidden_dropout=0.0,
    attention_dropout=0.0,
)
extractor = BrantFeatureExtractor(**sizes)
model = BrantForPreTraining(config)
collate = PretrainingCollator.from_config(config, extractor)
print(f"{model.num_parameters():,} parameters")

# %%
# Train
# -----
# There are few windows, which a model soon knows by heart. `AugmentedWindows` changes
# each one a little every time it comes: amplitude, speed, spectrum, polarity, number of
# channels. Masks are drawn by the collator. Both are the same in every run: they depend
# on a seed, the window, and the epoch, which `epoch_callback` tells them.

varied = AugmentedWindows(windows["train"], Augmentation(gain=0.2), 250.0)
arguments = TrainingArguments(
    OUTPUT / "run",
    max_steps=400,
    per_device_train_batch_size=8,
    learning_rate=3e-3,
    lr_scheduler_type="cosine",
    warmup_steps=40,
    logging_steps=20,
    eval_strategy="steps",
    eval_steps=40,
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
    train_dataset=varied,
    eval_dataset=windows["held out"],
    data_collator=collate,
    callbacks=[epoch_callback(collate, varied)],
)
trainer.remove_callback(PrinterCallback)
trainer.train()
model.eval()
log = trainer.state.log_history

# %%
# The loss is the mean squared error of the normalised signal in masked patches. What a
# model reaches that knows nothing is the mean square of the signal itself, which the
# reconstruction 0 gives.

batch = collate(list(windows["held out"]))
squares = batch["input_values"].unflatten(-1, (-1, config.patch_length)).square()
nothing = squares[batch["bool_masked_pos"]].mean().item()
final = [entry["eval_loss"] for entry in log if "eval_loss" in entry][-1]
print(f"held out: error {final:.3f}; of the reconstruction 0: {nothing:.3f}")

figure, axes = plt.subplots()
for key, label, color, line in (
    ("loss", "training", BLUE, "--"),
    ("eval_loss", "held out", ORANGE, "-"),
):
    steps, losses = zip(*[(e["step"], e[key]) for e in log if key in e], strict=True)
    axes.plot(steps, losses, line, color=color)
    axes.annotate(f" {label}", (steps[-1], losses[-1]), color=color, va="center")
axes.axhline(nothing, color="0.4", linestyle=":")
axes.text(20, nothing - 0.01, "0 everywhere, held out", va="top")
axes.set(xlabel="step", ylabel="error of masked patches (normalised)", ylim=(0, None))
plt.show()

# %%
# Reconstructions
# ---------------
# A window that the model has not seen. Its masked patches are shaded: there the model
# saw nothing of this channel, and can use what comes before and after, and the other
# channels.

with torch.no_grad():
    outputs = model(**batch)
signal = extractor.to_microvolts(batch["input_values"].numpy())[-1]
filled = extractor.to_microvolts(outputs.reconstruction.numpy())[-1]
masked = batch["bool_masked_pos"][-1].numpy()
times = np.arange(signal.shape[-1]) / extractor.sampling_rate
hidden = np.repeat(masked, config.patch_length, axis=-1)

names = windows["held out"][-1]["channel_names"]
rows = [names.index(name) for name in ("ECOG_RIGHT_1", "ECOG_RIGHT_4", "LFP_RIGHT_1")]
figure, panels = plt.subplots(len(rows), 1, figsize=(9, 6), sharex=True)
for axes, row in zip(panels, rows, strict=True):
    for patch in np.flatnonzero(masked[row]):
        edges = np.array([patch, patch + 1]) * config.patch_length
        axes.axvspan(*edges / extractor.sampling_rate, color="0.92", linewidth=0)
    axes.plot(times, signal[row], color="0.5", linewidth=0.8, label="recorded")
    shown = np.where(hidden[row], filled[row], np.nan)
    axes.plot(times, shown, color=ORANGE, linewidth=1.5, label="reconstructed")
    axes.set_ylabel(f"{names[row]} [µV]", fontsize="small")
panels[-1].set(xlabel="time in the window [s]", xlim=(0, times[-1]))
panels[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1), fontsize="small")
plt.show()

# %%
# Save
# ----
# Model and feature extractor make a checkpoint. `from_pretrained` of any task class
# loads its encoder, and adds a new head: the next tutorial does so.

model.save_pretrained(OUTPUT / "pretrained")
extractor.save_pretrained(OUTPUT / "pretrained")
for path in sorted((OUTPUT / "pretrained").iterdir()):
    print(path.name)
