"""
What is in a recording
======================

Before a model sees a recording, three things are settled: which channels are read, what
a number in the file is in microvolts, and how the signal is filtered and referenced.
You will see what the package understands of a file, what it says where the file is
wrong, and how to put it right.

The recording is real, in iEEG-BIDS: a strip of electrodes on the motor cortex and a
lead in the subthalamic nucleus of a person who moves a hand, for a fraction of a minute
(from py_neuromodulation, MIT licence).
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import textwrap
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import welch

from brant_hf.data import (
    Preprocessing,
    find_recordings,
    inspect_recording,
    open_recording,
    preprocess,
)

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})

# %%
# Ask what is understood
# ----------------------
# In a folder, `find_recordings` finds what can be read. `inspect_recording` opens one,
# reads short stretches of it, and tells everything that it takes for granted:
# ``brant-hf inspect`` prints the same on one page.

(path,) = find_recordings(DATA / "py_neuromodulation_ecog")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # they stand in the facts, too
    facts = inspect_recording(path)
print(f"{facts['duration']:.1f} s at {facts['sampling_rate']:.0f} Hz")
print(f"subject {facts['subject']}, known from {facts['subject_from']}")
for text in facts["warnings"]:
    print(textwrap.fill(f"warning: {text}", 88))

# %%
# Units
# -----
# The warning is right. With the scale that the header gives, the signal would have tens
# of volts, which no brain has. The amplitude tells the scale then. In the table,
# ``scale`` is what one number became in microvolts, ``scale_from`` how that is known,
# and ``deviation`` a robust standard deviation in microvolts.

columns = ["name", "type", "unit", "scale", "scale_from", "deviation", "condition"]
pd.DataFrame(facts["channels"])[columns]

# %%
# Who knows better than the amplitude says so, and the warning is gone. Here both agree.

with warnings.catch_warnings():
    warnings.simplefilter("error")
    recording = open_recording(path, gain=1e-6)
print(recording.scales_in_words())

# %%
# Channels that are left out
# --------------------------
# Every channel that is not read has a reason. To read fewer, or others, there are
# ``channels``, ``bad`` and ``channel_types``, with names, ranges and patterns.

print(textwrap.fill(f"read: {', '.join(recording.channel_names)}", 88))
for name, reason in recording.excluded_channels.items():
    print(f"left out: {name} ({reason})")
strip = open_recording(path, gain=1e-6, channels=["ECOG*"])
print(textwrap.fill(f"ECOG*: {', '.join(strip.channel_names)}", 88))

# %%
# Preprocessing
# -------------
# `Preprocessing` holds the settings of the chain, `preprocess` settles it for one
# recording: which reference, which line frequency. The signal is read in pieces by
# ``chunks``, with memory that does not grow with the recording, or at once by
# ``read_all``.

chain = Preprocessing(reference="bipolar", sampling_rate=250, high_pass=2, low_pass=90)
prepared = preprocess(strip, chain)
filtered = prepared.read_all()
raw = strip.read()
print("channels now:", ", ".join(prepared.channel_names))
print("line noise found at [Hz]:", prepared.line_frequency)

# %%
# The montage subtracts neighbouring contacts of a shaft or strip, so that what both
# see, such as the reference electrode, is gone.

figure, panels = plt.subplots(1, 2)
panels[0].set_title("as recorded")
panels[1].set_title("bipolar, 2 to 90 Hz")
stretch = 4.0
for axes, read, signals in zip(panels, (strip, prepared), (raw, filtered), strict=True):
    shown = signals[:, : round(stretch * read.sampling_rate)]
    shown = shown - np.median(shown, axis=1, keepdims=True)
    times = np.arange(shown.shape[1]) / read.sampling_rate
    step = 6 * np.median(shown.std(axis=1))
    places = -step * np.arange(len(shown))
    axes.plot(times, shown.T + places, color="0.2", linewidth=0.6)
    axes.set_yticks(places, read.channel_names, fontsize="small")
    axes.set(xlabel="time [s]", ylabel=f"one step: {step:.0f} µV", xlim=(0, stretch))
plt.show()

# %%
# The spectrum shows what the filters did. By default, line noise is looked for in the
# spectrum of the recording and taken out where it stands out. Here it does not: the
# notch at 60 Hz was in the file before.

bare = Preprocessing(reference="bipolar", high_pass=None, line_noise=None)
unfiltered = preprocess(strip, bare).read_all()

figure, axes = plt.subplots()
for signals, label, line in (
    (unfiltered, "bipolar", {"color": BLUE}),
    (filtered, "bipolar, 2 to 90 Hz", {"color": ORANGE, "linestyle": "--"}),
):
    frequencies, power = welch(signals, 250, nperseg=1000)
    axes.loglog(frequencies, np.median(power, axis=0), label=label, **line)
axes.set(xlabel="frequency [Hz]", xlim=(0.25, 125), ylim=(1e-5, 1e3))
axes.set_ylabel("median power of the channels [µV²/Hz]")
axes.legend()
plt.show()

# %%
# What a checkpoint expects
# -------------------------
# A model is used with the settings of its training, which stand in its checkpoint: the
# detector and `embed_recording` take them by themselves. What the shipped detector
# would do with this recording, and what is noteworthy about that, is part of the facts,
# too.

detection = inspect_recording(path, gain=1e-6)["detection"]
print(f"{len(detection['channels'])} channels, at {detection['sampling_rate']:.0f} Hz")
print(f"windows of {detection['window']:.0f} s")
for note in detection["notes"]:
    print(textwrap.fill(f"note: {note}", 88))
