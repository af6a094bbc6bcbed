"""
Prepare windows and stream them
===============================

A model is trained on windows of many recordings. You will prepare recordings once, as a
dataset on disk that is also fit for the Hub, split it so that no subject is on both
sides, and read it in batches, in which windows may have different numbers of channels.

The recordings here are of two people and of a virtual patient. No two are alike in
channels and rate, which is the normal case.
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

from brant_hf import BrantFeatureExtractor
from brant_hf.data import (
    ChannelGroupedSampler,
    Preprocessing,
    PretrainingCollator,
    SeizureDetectionCollator,
    channel_counts,
    check_splits,
    load,
    open_recording,
    prepare,
    split,
)

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
OUTPUT = Path(tempfile.mkdtemp())
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})

# %%
# Recordings
# ----------
# `prepare` takes paths, folders and open recordings. Whatever a file does not say is
# said when it is opened: here the unit of one, and of an array its rate, channels,
# subject and seizures. (The array is a clip of ECoG of a person with epilepsy,
# OpenNeuro ds003029, CC0.)

clip = np.load(
    DATA / "ds003029_pt01_ezei/pt01_sz1_m10s_p20s_14ch.npz", allow_pickle=False
)
onset = float(clip["seizure_onset_s"])
length = clip["data_uV"].shape[1] / 1000
person = open_recording(
    clip["data_uV"],
    sampling_rate=1000,
    channel_names=list(clip["ch_names"]),
    seizures=[(onset, length)],
    subject="pt01",
    name="pt01_seizure",
)
(path,) = (DATA / "py_neuromodulation_ecog").rglob("*.vhdr")
quiet = open_recording(path, gain=1e-6)
virtual = open_recording(next((DATA / "virtual_patient").rglob("*.edf")))
recordings = [person, quiet, virtual]

# %%
# Prepare
# -------
# Every recording goes through the same chain, and is cut into windows of whole patches:
# here 5 patches of a second. The report tells what came of each. Started again with the
# same arguments, `prepare` continues where it stopped; with ``num_proc``, or as tasks
# of a job array, it works on many recordings at a time.

chain = Preprocessing(sampling_rate=250, high_pass=0.5)
report = prepare(
    recordings,
    OUTPUT / "windows",
    chain,
    patch_length=250,
    num_patches=5,
    progress=False,
)
print(report.rows, "windows;", "failed:", report.failed)

# %%
# `load` maps the folder into memory: nothing is read until a window is asked for. The
# format is that of the library ``datasets``, so that ``hf upload`` puts it on the Hub,
# and ``load`` reads it there by its id.

windows = load(OUTPUT / "windows")
row = windows[0]
for name, value in row.items():
    print(textwrap.shorten(f"{name}: {getattr(value, 'shape', value)}", 60))

# %%
# Columns can be read without the signals, and so can the numbers of channels.

table = windows.with_format(None).select_columns(["subject", "start"]).to_pandas()
table["channels"] = channel_counts(windows)
table["seizure"] = [bool((each["labels"] == 1).any()) for each in windows]
table.groupby("subject").agg(
    windows=("start", "count"),
    channels=("channels", "max"),
    with_seizure=("seizure", "sum"),
)

# %%
# A window is a matrix of channels and samples, in microvolts, and its labels a matrix
# of channels and patches. A channel of the virtual patient is labelled when the seizure
# has reached it, for which the table beside the file has a row for each channel.

first = table.index[(table["subject"] == virtual.subject) & table["seizure"]][0]
shown = windows[int(first)]
signals, labels = shown["input_values"], shown["labels"]
times = shown["start"] + np.arange(signals.shape[1]) / shown["sampling_rate"]
step = 4 * signals.std(axis=1).mean()
places = -step * np.arange(len(signals))

figure, axes = plt.subplots(figsize=(9, 5))
for place, values, row in zip(places, signals, labels, strict=True):
    inside = np.repeat(row == 1, 250)
    axes.plot(times, values + place, color="0.6", linewidth=0.5)
    axes.plot(
        times, np.where(inside, values + place, np.nan), color=ORANGE, linewidth=0.9
    )
axes.set_yticks(places, shown["channel_names"])
axes.set(xlabel="time in the recording [s]", ylabel=f"one step: {step:.0f} µV")
axes.set_title("a window: patches labelled as seizure are thick and orange", loc="left")
plt.show()

# %%
# Split by subject
# ----------------
# Windows of one subject are alike. A model that is tested on subjects that it was
# trained on looks better than it is, so splits are by subject, and `check_splits`
# refuses others. Whole subjects go to one side, so the shares come out as near as they
# can. `k_fold` makes such splits for cross-validation.

parts = split(windows, {"train": 0.5, "test": 0.5}, seed=0)
check_splits(parts)
for name, part in parts.items():
    subjects = sorted(set(part.with_format(None)["subject"]))
    print(f"{name}: {len(part)} windows of {', '.join(subjects)}")

# %%
# Batches
# -------
# The model takes any number of channels. A collator pads the windows of a batch to the
# largest, and ``channel_mask`` says which channels are real: padding changes nothing
# for the others. It also normalises, as the feature extractor says, and makes the
# target of its task.

extractor = BrantFeatureExtractor(patch_length=250, num_patches=5)
collate = SeizureDetectionCollator(normalize=extractor.normalize_signal)
mixed = [
    windows[int(table.index[table["subject"] == subject][0])]
    for subject in table["subject"].unique()
]
batch = collate(mixed)
for name, tensor in batch.items():
    print(f"{name:<13} {tuple(tensor.shape)}")
print("real channels of each window:", batch["channel_mask"].sum(dim=1).tolist())

# %%
# Padding costs time. `ChannelGroupedSampler` puts windows with similar numbers of
# channels into one batch.


def padding(loader):
    """Part of the channels of all batches that is padding."""
    masks = torch.cat([batch["channel_mask"].flatten() for batch in loader])
    return 1 - masks.float().mean().item()


generator = torch.Generator().manual_seed(0)
shuffled = DataLoader(windows, 8, True, collate_fn=collate, generator=generator)
sampler = ChannelGroupedSampler(channel_counts(windows), 8, seed=0)
grouped = DataLoader(windows, 8, sampler=sampler, collate_fn=collate)
print(f"padding, shuffled: {padding(shuffled):.1%}, grouped: {padding(grouped):.1%}")

# %%
# Stream
# ------
# With ``streaming=True`` the windows come one after the other, from disk or from the
# Hub, shuffled by pieces and by a buffer, and nothing has to fit into memory. A stream
# goes into a `DataLoader` or the `Trainer` as it is. Here a collator for pre-training
# masks patches of each window, at most 8 channels of it.

stream = load(OUTPUT / "windows", streaming=True).shuffle(seed=0, buffer_size=64)
masking = PretrainingCollator(
    normalize=extractor.normalize_signal, patch_length=250, max_channels=8, seed=0
)
for number, batch in zip(
    range(3), DataLoader(stream, 4, collate_fn=masking), strict=False
):
    masked = batch["bool_masked_pos"].sum().item()
    print(
        f"batch {number}: {tuple(batch['input_values'].shape)}, {masked} patches masked"
    )
