"""
Find seizures in a recording
============================

From a file to events, a figure and a report, with the detector that comes with the
package. You will see where the events come from, and what another threshold would give,
without running the model again.

It reads two recordings of the repository: ten minutes of a virtual patient with two
seizures, and a short recording of a person's cortex without any. **The detector is a
research tool, and no medical device.**
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from brant_hf.data import open_recording
from brant_hf.detection import (
    DetectionResult,
    Detector,
    plot_overview,
    score_events,
    write_events,
    write_report,
)

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
OUTPUT = Path(tempfile.mkdtemp())
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})

# %%
# Detect
# ------
# Opening reads no samples; `Detector.detect` reads the recording once, in overlapping
# windows. Seizures that a table beside the file tells of come along as
# ``recording.seizures``. The detector does not look at them.

recording = open_recording(
    DATA / "virtual_patient/sub-01/ieeg/sub-01_task-szMonitoring_run-01_ieeg.edf"
)
detector = Detector.from_pretrained()
result = detector.detect(recording, progress=False)

for event in result.events:
    count = len(event.channels)
    print(f"at {event.onset:.1f} s, for {event.duration:.1f} s, on {count} channels")

# %%
# Here the truth is known, so that the events can be scored, by the rules of SzCORE.

scores = score_events(recording.seizures, result.events, recording.duration)
for kind, score in scores.items():
    print(
        f"{kind}: sensitivity {score.sensitivity:.2f}, precision {score.precision:.2f}"
    )

# %%
# Look at the seizures
# --------------------
# The overview has the whole recording on the left, and the most confident event on the
# right: events, signals, the probability of each channel, and that of the recording, on
# which the decision is made.

plot_overview(recording, result, OUTPUT / "overview.png", reference=recording.seizures)

picture = plt.imread(OUTPUT / "overview.png")
height, width = picture.shape[:2]
figure = plt.figure(figsize=(width / 200, height / 200), dpi=200)
figure.figimage(picture)
plt.show()

# %%
# `Recording.read` gives any stretch in microvolts. These are the channels that take
# part most, around the onset of the first event.

event = result.events[0]
before, after = 10.0, 20.0
signals = recording.read(event.onset - before, event.onset + after)
times = np.arange(signals.shape[1]) / recording.sampling_rate - before
rows = [recording.channel_names.index(name) for name in event.channels[:5]]
step = 8 * np.median(signals[rows].std(axis=1))

figure, axes = plt.subplots()
for place, row in enumerate(rows):
    axes.plot(times, signals[row] - place * step, color="0.2", linewidth=0.5)
axes.axvline(0, color=ORANGE)
axes.text(0.2, 0.6 * step, "detected onset", color=ORANGE)
axes.set_yticks(-step * np.arange(len(rows)), event.channels[:5])
axes.set(xlabel="time from the onset [s]", ylabel=f"one step: {step:.0f} µV")
axes.set_xlim(-before, after)
plt.show()

# %%
# Move the threshold
# ------------------
# An event has to reach the threshold; it begins and ends at a lower level, which
# `brant-hf info` prints. `DetectionResult.with_settings` decides again, in no time. A
# lower threshold finds more, of which less is a seizure.

thresholds = [0.02, 0.05, 0.1, 0.2, 0.5, 0.9]
# A table may have a row for each channel; what overlaps is one seizure.
known = DetectionResult.of(recording, result, recording.seizures).reference

figure, (course, decided) = plt.subplots(2, 1, figsize=(9, 5), sharex=True)
course.plot(result.times, result.recording_probability, color="0.2", linewidth=0.8)
course.axhline(result.threshold, color="0.2", linestyle="--", linewidth=0.8)
course.text(0, result.threshold + 0.02, " threshold of the checkpoint", color="0.2")
course.set(ylabel="probability of the recording", ylim=(0, 1.02))
for row, threshold in enumerate(thresholds):
    for event in result.with_settings(threshold=threshold).events:
        right = any(each.overlaps(event.onset, event.offset) for each in known)
        bar = decided.barh(row, event.duration, 0.7, event.onset, color=BLUE)
        if not right:
            plt.setp(bar, facecolor="white", edgecolor=ORANGE, hatch="////")
for seizure in known:
    course.axvspan(seizure.onset, seizure.offset, color="0.9", zorder=0)
    decided.axvspan(seizure.onset, seizure.offset, color="0.9", zorder=0)
decided.set_yticks(range(len(thresholds)), thresholds)
decided.set(xlabel="time [s]", ylabel="threshold", xlim=(0, recording.duration))
decided.set_title("events: blue with a seizure (grey), hatched without", loc="left")
plt.show()

# %%
# Save
# ----
# Events go to a table as SzCORE and BIDS have it, and the report is one HTML page with
# a heat map to zoom into and the signals around each event.
# `DetectionResult.write_annotations` writes EDF+ for viewers.

write_events(OUTPUT / "events.tsv", result.events, recording.duration)
write_report(recording, result, OUTPUT / "report.html", reference=recording.seizures)
result.write_annotations(OUTPUT / "annotations.edf")
print(", ".join(sorted(path.name for path in OUTPUT.iterdir())))

pd.read_csv(OUTPUT / "events.tsv", sep="\t")

# %%
# A recording without a seizure
# -----------------------------
# The other half of the work is to stay silent. In a real recording of a person who
# moves a hand, from an electrode strip on the cortex and a lead in the subthalamic
# nucleus, nothing happens that a detector should find. (The header of this file has a
# wrong unit, see the next tutorial.)

folder = DATA / "py_neuromodulation_ecog/sub-testsub/ses-EphysMedOff/ieeg"
quiet = open_recording(next(folder.glob("*.vhdr")), gain=1e-6)
nothing = detector.detect(quiet, progress=False)
highest = nothing.recording_probability.max()
print(f"{len(nothing.events)} events; the highest probability is {highest:.2f}")
