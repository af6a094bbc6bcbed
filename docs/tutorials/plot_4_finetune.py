"""
Fine-tune the detector to a patient
===================================

Seizures of one patient resemble each other more than those of others. From one seizure
that somebody has marked, and the minutes around it, you will make a detector of that
patient, and see on what follows whether it has become better. It need not: that is what
the second half of the recording is for.
"""

# %%
# The recordings lie in ``examples/data`` of the repository. The code finds them when it
# runs anywhere in a clone; otherwise set ``CLONE`` to where yours is.

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt

from brant_hf.data import open_recording
from brant_hf.detection import Detector, compare_events, finetune_detector

HERE = Path.cwd()
CLONE = next((f for f in (HERE, *HERE.parents) if (f / "examples/data").is_dir()), HERE)
DATA = CLONE / "examples/data"
OUTPUT = Path(tempfile.mkdtemp())
BLUE, ORANGE = "#0072B2", "#D55E00"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"figure.constrained_layout.use": True, "figure.figsize": (9, 4)})


# %%
# A patient who is hard to detect
# -------------------------------
# The virtual patient of the first tutorial has clear seizures on the contacts next to
# where they start. Here only contacts of the same shaft are read that lie farther away,
# as if the shaft had missed the focus. The first part of the recording is what somebody
# has looked at and marked. The second part is the future: it is used for nothing but
# scores.

path = next((DATA / "virtual_patient").rglob("*.edf"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tells of marks on the contacts that are left out
    marked = open_recording(path, stop=270, channels=["A5-15"])
    later = open_recording(path, start=270, channels=["A5-15"])


def known_seizures(part):
    """Seizures of a part on the clock of its file, on which results are, too."""
    return [(on + part.offset, off + part.offset) for on, off, _ in part.seizures]


def tell(name, part, result):
    known = known_seizures(part)
    agreement = compare_events(known, result.events, part.file_duration)[1]
    for match in agreement.matches:
        late = match.onset_error
        found = "missed" if late is None else f"found {late:+.1f} s from its onset"
        print(f"{name}: seizure at {match.onset:.0f} s {found}")
    print(f"{name}: {agreement.num_without_reference} false alarms")


# %%
# Before
# ------
# The shipped detector, on both parts.

detector = Detector.from_pretrained()
before = [detector.detect(part, progress=False) for part in (marked, later)]
tell("marked", marked, before[0])
tell("later", later, before[1])

# %%
# Fine-tune
# ---------
# `finetune_detector` takes windows of the seizure and of the background beside it, half
# and half, and holds a quarter of the background back. There, the new weights, the old
# ones and the mean of both are compared, and the best are kept: ``share`` says how much
# of the new ones that is. Where the start finds every marked seizure in time and
# clearly, nothing is trained. The result is a checkpoint like any other, with a model
# card. A few steps are enough to show it; the default is 150.

report = finetune_detector([marked], OUTPUT / "mine", steps=40, progress=False)
print(f"share of the new weights: {report.share}")
print(f"threshold: {report.settings.threshold}, chosen: {report.threshold_chosen}")


# %%
# After
# -----
# What counts is the second part.

tuned = Detector.from_pretrained(OUTPUT / "mine")
after = [tuned.detect(part, progress=False) for part in (marked, later)]
tell("marked", marked, after[0])
tell("later", later, after[1])

# %%

figure, axes = plt.subplots()
for part, old, new in zip((marked, later), before, after, strict=True):
    for onset, offset in known_seizures(part):
        axes.axvspan(onset, offset, color="0.93", zorder=0)
    axes.plot(old.times, old.recording_probability, color=BLUE, linestyle="--")
    axes.plot(new.times, new.recording_probability, color=ORANGE)
    axes.axhline(new.threshold, color="0.2", linestyle=":", linewidth=0.8)
axes.plot([], [], color=BLUE, linestyle="--", label="shipped detector")
axes.plot([], [], color=ORANGE, label="fine-tuned")
axes.plot([], [], color="0.2", linestyle=":", label="threshold")
axes.axvline(later.offset, color="0.2")
axes.text(later.offset - 5, 0.95, "trained on this part", ha="right")
axes.text(later.offset + 5, 0.95, "the future")
axes.set(xlabel="time [s]", ylabel="probability of the recording", ylim=(0, 1.02))
axes.set_xlim(0, later.file_duration)
axes.set_title("seizures (grey), before and after", loc="left")
axes.legend(loc="upper left", fontsize="small")
plt.show()

# %%
# One recording says little. Fine-tuning can do harm, too: of 20 virtual patients it
# added false alarms to one, as the table in ``examples/README.md`` shows. So score a
# fine-tuned detector on recordings that it has not seen, as here,
# before it is used, and mark more than one seizure where there are some.
