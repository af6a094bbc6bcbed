"""
Convert published weights
=========================

The authors publish Brant as two files, ``time_encoder.pt`` and ``channel_encoder.pt``,
with names of their own. You will convert such files, have the result verified bit for
bit, and use it as any other checkpoint.

The published weights have 505 million parameters, and are not part of this repository.
**This page makes a small model with random weights and lays it out as they are**: with
the published files, or with an id on the Hub in their place, the steps are the same.
Numbers from a random model mean nothing.
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
import textwrap
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.signal import periodogram

from brant_hf import (
    BrantConfig,
    BrantFeatureExtractor,
    BrantForPreTraining,
    BrantModel,
    convert_original_checkpoint,
    export_original_checkpoint,
)
from brant_hf.data import open_recording

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
OUTPUT = Path(tempfile.mkdtemp())
torch.manual_seed(0)

# %%
# Files as they are published
# ---------------------------
# Window, patches and bands are those of Brant; hidden size and number of layers are
# small. Published files have the prefix ``module.`` on every name, which training on
# several GPUs leaves behind.

config = BrantConfig(
    hidden_size=64,
    intermediate_size=96,
    num_temporal_layers=2,
    num_spatial_layers=2,
    num_attention_heads=4,
)
files = ("time_encoder.pt", "channel_encoder.pt")
tensors = export_original_checkpoint(BrantForPreTraining(config))
for name, part in zip(files, tensors, strict=True):
    torch.save({f"module.{key}": value for key, value in part.items()}, OUTPUT / name)
    print(
        f"{name}: {len(part)} tensors, {sum(each.numel() for each in part.values()):,}"
    )
print("the first three:", ", ".join(list(tensors[0])[:3]))

# %%
# Convert
# -------
# Every tensor is used, or the conversion stops and names it. Sizes are read off the
# tensors, but not the number of attention heads, which no tensor tells: it is 16 in all
# published sizes, and is said here because this model has another. ``verify=True``
# exports the new weights again and compares them with the files, bit for bit. Pickles
# are loaded as tensors only, so that a file cannot run code.

model = convert_original_checkpoint(
    OUTPUT / "time_encoder.pt",
    OUTPUT / "channel_encoder.pt",
    OUTPUT / "brant",
    num_attention_heads=4,
    verify=True,
)
print(type(model).__name__, f"with {model.num_parameters():,} parameters")

# %%
# What was done is a report, which also stands in the model card.

for word, text in model.conversion.lines():
    print(textwrap.fill(f"{word}: {text.replace(str(OUTPUT), '...')}", 88))
written = ", ".join(sorted(path.name for path in (OUTPUT / "brant").iterdir()))
print(textwrap.fill(f"written: {written}", 88))

# %%
# On the command line, with the weights that are on the Hub, it is
#
# .. code-block:: bash
#
#    brant-hf convert braindecode/brant-pretrained brant/ --verify
#    brant-hf info brant/

# %%
# Use it
# ------
# The folder is a checkpoint. Signals enter as microvolts, and the feature extractor
# resamples them. How the published training data were normalised is not known, so the
# extractor passes microvolts as they are; compare its settings on your data before you
# trust what comes out.

(path,) = (DATA / "py_neuromodulation_ecog").rglob("*.vhdr")
recording = open_recording(path, gain=1e-6)
extractor = BrantFeatureExtractor.from_pretrained(OUTPUT / "brant")
encoder = BrantModel.from_pretrained(OUTPUT / "brant").eval()

signal = recording.read(0, 18)  # three patches of 6 s
inputs = extractor(signal, sampling_rate=recording.sampling_rate, return_tensors="pt")
with torch.no_grad():
    states = encoder(**inputs).last_hidden_state
print("windows, channels, patches, hidden size:", tuple(states.shape))

# %%
# The encoder knows a signal also by its power in eight bands, and a conversion is only
# right if that is computed as it was in the training: from a periodogram that takes the
# samples to come at 256 Hz, although they come at 250 Hz. With SciPy it reads as
# follows, and passed to the model it gives the same states.

config = encoder.config
patches = inputs["input_values"].unflatten(-1, (-1, config.patch_length)).numpy()
frequencies, density = periodogram(patches, config.band_power_sampling_rate)
edges = config.band_edges
bands = [
    density[..., (frequencies > low) & (frequencies <= high)].sum(axis=-1)
    for low, high in pairwise(edges)
]
power = np.log10(1 + np.stack(bands, axis=-1))

with torch.no_grad():
    given = encoder(**inputs, band_power=torch.from_numpy(power)).last_hidden_state
print("same states:", torch.allclose(given, states, atol=1e-4))

# %%

figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
image = axes.imshow(power[0].mean(axis=1), cmap="cividis", aspect="auto")
names = [f"{low} to {high}" for low, high in pairwise(edges)]
axes.set_xticks(range(len(names)), names)
axes.set_yticks(range(len(recording.channel_names)), recording.channel_names)
axes.set_xlabel("band, as the model takes the frequencies [Hz]")
figure.colorbar(image, label="log10(1 + power [µV²/Hz, summed])")
plt.show()

# %%
# To the Hub
# ----------
# With an account (``hf auth login``), the checkpoint goes to the Hub with its code, so
# that it loads where ``brant_hf`` is not installed. This is not run here:
#
# .. code-block:: python
#
#    model.push_to_hub("you/brant")
#    extractor.push_to_hub("you/brant")
#
#    from transformers import AutoModel
#
#    AutoModel.from_pretrained("you/brant", trust_remote_code=True)
#
# ``convert_original_checkpoint(..., push_to_hub="you/brant")`` does both at once, as a
# private repository unless ``private=False`` is given.
