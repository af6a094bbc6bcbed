"""
Embed recordings and probe layers
=================================

Hidden states of a trained encoder are features for models of your own. You will embed a
recording, look at the embeddings in two dimensions, ask with linear probes what each
layer tells of seizures, in subjects that the probe has not seen, and put the encoder
into a pipeline of scikit-learn.

The encoder is that of the shipped detector, which was trained on virtual patients, and
the recordings are of other virtual patients: it has learned to tell what is asked here.
Take your own checkpoint and recordings for a result.
"""

# %%

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brant_hf.data import (
    find_recordings,
    load,
    open_recording,
    prepare,
    settings_like,
)
from brant_hf.detection import embed_recording, shipped_checkpoint
from brant_hf.probing import BrantEmbedder, probe_layers
from brant_hf.simulation import simulate

OUTPUT = Path(tempfile.mkdtemp())
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})

# %%
# Virtual patients
# ----------------
# `simulate` writes an iEEG-BIDS dataset, with the onset and offset of each seizure on
# each channel.

simulate(
    OUTPUT / "virtual",
    6,
    seed=11,
    duration=120,
    sampling_rate=256,
    num_channels=6,
    num_seizures=1,
    progress=False,
)
paths = find_recordings(OUTPUT / "virtual")
recordings = [open_recording(path) for path in paths]
for recording in recordings:
    channels = {name for *_, names in recording.seizures for name in names or ()}
    onset = min(onset for onset, _, _ in recording.seizures)
    print(
        f"{recording.subject}: a seizure at {onset:.0f} s on {len(channels)} channels"
    )

# %%
# Embed
# -----
# `embed_recording` prepares a recording as the checkpoint says, and gives a vector for
# each patch of each channel. Without a model it takes the shipped one, whose patches
# last a second.

embedded = [embed_recording(each, progress=False) for each in recordings]
states = embedded[0]["last_hidden_state"]
print("channels, patches, hidden size:", states.shape)


def in_seizure(recording, result):
    """Whether a seizure has reached a channel at a time, (channels, patches)."""
    names, times = result["channel_names"], result["times"]
    inside = np.zeros((len(names), len(times)), bool)
    for onset, offset, channels in recording.seizures:
        rows = [row for row, name in enumerate(names) if name in (channels or names)]
        inside[rows] |= (times >= onset) & (times < offset)
    return inside


# %%
# The two directions in which all embeddings vary most, found without a look at the
# seizures. Each point is a second of a channel, each panel a subject.

hidden = states.shape[-1]
points = [each["last_hidden_state"].reshape(-1, hidden) for each in embedded]
plane = make_pipeline(StandardScaler(), PCA(2)).fit(np.concatenate(points))

figure, panels = plt.subplots(2, 3, figsize=(9, 6), sharex=True, sharey=True)
for axes, recording, result, rows in zip(
    panels.flat, recordings, embedded, points, strict=True
):
    at, inside = plane.transform(rows), in_seizure(recording, result).ravel()
    axes.scatter(*at[~inside].T, s=4, color=BLUE, alpha=0.5, label="background")
    axes.scatter(*at[inside].T, s=12, color=ORANGE, marker="^", label="seizure")
    axes.set_title(recording.subject, fontsize="medium")
parts = plane[-1].explained_variance_ratio_
figure.supxlabel(f"first component ({parts[0]:.0%} of the variance)")
figure.supylabel(f"second component ({parts[1]:.0%})")
panels[0, 0].legend(fontsize="small")
plt.show()

# %%
# Probe every layer
# -----------------
# `settings_like` prepares windows as the checkpoint wants them. `probe_layers` runs the
# encoder once, takes the mean of each window and layer, and fits linear probes on some
# subjects that tell windows with a seizure of the others.

prepare(
    recordings,
    OUTPUT / "windows",
    progress=False,
    **settings_like(shipped_checkpoint()),
)
windows = load(OUTPUT / "windows")
report = probe_layers(windows, folds=3, progress=False)
table = report.to_frame()
table[["layer", "hidden_state", "auroc", "auprc", "f2"]].round(3)

# %%

figure, axes = plt.subplots(figsize=(9, 3))
means, deviations = table["auroc_fold_mean"], table["auroc_fold_sd"]
axes.errorbar(table["layer"], means, deviations, fmt="o-", color=BLUE, capsize=3)
axes.axhline(0.5, color="0.4", linestyle=":")
axes.text(1, 0.5, "chance", color="0.4", va="bottom")
axes.set_xticks(table["layer"], table["hidden_state"], rotation=20, fontsize="small")
axes.set(ylabel="AUROC in folds of subjects", ylim=(None, 1.02))
plt.show()

# %%
# In a pipeline
# -------------
# `BrantEmbedder` is a transformer of scikit-learn: windows in microvolts become
# features, for any model that follows. Its ``layer`` and ``pool`` are parameters like
# others.

signals = np.stack([row["input_values"] for row in windows])
has_seizure = [bool((row["labels"] == 1).any()) for row in windows]
subjects = windows.with_format(None)["subject"]
pipeline = make_pipeline(
    BrantEmbedder(), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
)
folds = GroupKFold(3).split(signals, has_seizure, subjects)
scores = cross_val_score(pipeline, signals, has_seizure, cv=folds, scoring="roc_auc")
print("AUROC in three folds of subjects:", scores.round(3))
