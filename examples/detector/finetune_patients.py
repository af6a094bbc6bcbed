"""What it is worth to fine-tune a detector to one patient: before and after, on seizures that come later.

python examples/detector/finetune_patients.py --output outputs/patients
python examples/detector/finetune_patients.py --recordings mouse.edf other_recordings/ --labelled 1

Of each recording, what lies before the second seizure is given to `finetune_detector` (with `--labelled 2`, what lies
before the third). All that follows is searched with default settings by the old detector and by the new one. Without
`--recordings`, virtual patients are simulated: 30 minutes, 4 to 16 channels, 4 seizures each. Recordings of your own
need marked seizures, in the file or in a table beside it. The table is printed; `patients.tsv` in the output folder
has a row for each recording and detector; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from transformers.utils import logging

from brant_hf.data import Recording, find_recordings, open_recording
from brant_hf.detection import Detector, SeizureEvent, compare_events, finetune_detector
from brant_hf.detection.finetuning import STEPS
from brant_hf.events.event import merge_events
from brant_hf.listing import markdown_table
from brant_hf.simulation import simulate
from brant_hf.training import run_script

# Seed, channels and sampling rate [Hz] of groups of virtual patients.
GROUPS = ((9301, 4, 256), (9302, 8, 256), (9303, 16, 512))
DURATION_S, NUM_SEIZURES = 1800, 4
# What is labelled ends this long before the first seizure that is not [s].
GAP_S = 5.0


@dataclass
class Outcome:
    """What a detector finds in the part of a recording that follows the labels."""

    recording: str
    labelled: int
    detector: str
    seizures: int
    found: int
    false_alarms: int
    hours: float
    latencies: list[float]
    minutes: float


def virtual_patients(folder: Path, count: int) -> list[Path]:
    """Recordings of virtual patients, simulated where they are not there yet."""
    for index, (seed, channels, rate) in enumerate(GROUPS):
        number = len(range(index, count, len(GROUPS)))
        target = folder / f"{seed}_{number}"
        if number and not target.exists():
            simulate(
                target,
                number,
                seed,
                duration=DURATION_S,
                sampling_rate=rate,
                num_channels=channels,
                num_seizures=NUM_SEIZURES,
            )
    return [Path(str(path)) for path in find_recordings(folder)]


def seizures_of(recording: Recording) -> list[SeizureEvent]:
    """Seizures of a recording, those on several channels as one."""
    return merge_events(SeizureEvent.of(seizure) for seizure in recording.seizures)


def outcome(path: Path, labelled: int, name: str, detector: Detector, start: float, minutes: float = 0.0) -> Outcome:
    """Search what follows the labels."""
    recording = open_recording(path, start=start)
    result = detector.detect(recording, progress=False)
    known = seizures_of(recording)
    events = [{"onset": event.onset - result.start, "duration": event.duration} for event in result.events]
    scores, agreement = compare_events(known, events, recording.duration, gaps=recording.gaps)
    latencies = [match.onset_error for match in agreement.matches if match.onset_error is not None]
    return Outcome(
        str(path),
        labelled,
        name,
        len(known),
        agreement.num_found,
        scores["event"].fp,
        recording.duration / 3600,
        latencies,
        minutes,
    )


def outcomes(path: Path, labelled: int, model: str | None, steps: int) -> Iterator[Outcome]:
    """Before and after for one recording; nothing where it has too few seizures or too little background."""
    known = seizures_of(open_recording(path))
    if len(known) <= labelled:
        return
    end = known[labelled].onset - GAP_S
    part = open_recording(path, stop=end)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            finetune_detector([part], Path(folder) / "mine", model, steps=steps, progress=False)
        except ValueError as error:
            print(f"{path.name}: {error}")
            return
        minutes = (time.perf_counter() - began) / 60
        yield outcome(path, labelled, "before", Detector.from_pretrained(model), end)
        yield outcome(path, labelled, "after", Detector.from_pretrained(Path(folder) / "mine"), end, minutes)


def table(rows: list[Outcome]) -> str:
    """Sums over recordings, a row for each number of labelled seizures and each detector."""
    head = ("labelled seizures", "recordings", "detector", "found", "false alarms", "a day", "latency, median [s]")
    cells = []
    for labelled, name in dict.fromkeys((row.labelled, row.detector) for row in rows):
        own = [row for row in rows if (row.labelled, row.detector) == (labelled, name)]
        hours, alarms = sum(row.hours for row in own), sum(row.false_alarms for row in own)
        latencies = [value for row in own for value in row.latencies]
        latency = f"{np.median(latencies):.1f}" if latencies else "-"
        found = f"{sum(row.found for row in own)} of {sum(row.seizures for row in own)}"
        minutes = f"{np.mean([row.minutes for row in own]):.1f}"
        alarmed = (f"{alarms} in {hours:.1f} h", f"{24 * alarms / hours:.1f}")
        cells.append((labelled, len(own), name, found, *alarmed, latency, minutes))
    return markdown_table((*head, "minutes"), cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, nargs="+", help="Recordings or folders; virtual patients without.")
    parser.add_argument("--patients", type=int, default=12, help="Number of virtual patients.")
    parser.add_argument("--labelled", type=int, nargs="+", default=[1, 2], help="Numbers of labelled seizures.")
    parser.add_argument("--model", help="Detector to start from; the shipped one without it.")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--output", type=Path, default=Path("outputs/finetuned_patients"))
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    output: Path = arguments.output
    given = arguments.recordings
    found = [Path(str(path)) for path in find_recordings(given)] if given else None
    output.mkdir(parents=True, exist_ok=True)
    paths = virtual_patients(output, arguments.patients) if found is None else found
    done = output / "outcomes.jsonl"
    rows = [Outcome(**json.loads(line)) for line in done.read_text().splitlines()] if done.exists() else []
    for path in paths:
        for labelled in arguments.labelled:
            if any((row.recording, row.labelled) == (str(path), labelled) for row in rows):
                continue
            new = list(outcomes(path, labelled, arguments.model, arguments.steps))
            rows += new
            with done.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(row)) + "\n" for row in new)
            for row in new:
                print(
                    f"{row.recording}, {row.labelled} labelled, {row.detector}: {row.found} of {row.seizures} found, "
                    f"{row.false_alarms} false alarms"
                )
    with (output / "patients.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Outcome.__dataclass_fields__), delimiter="\t")
        writer.writeheader()
        writer.writerows([asdict(row) for row in rows])
    print(table(rows))


if __name__ == "__main__":
    run_script(main)
