"""iEEG-BIDS seizure sets of OpenNeuro.

- ds003029, Epilepsy-iEEG-Multicenter-Dataset: 106 recordings around seizures of 35 patients of four centres,
  BrainVision; doi:10.18112/openneuro.ds003029, CC0; cite Li et al., Nature Neuroscience 24:1465 (2021).
- ds004100, HUP iEEG: recordings of seizures (`task-ictal`) and between them (`task-interictal`) of 58 patients, EDF;
  doi:10.18112/openneuro.ds004100, CC0; cite Bernabei et al., Brain 145:1949 (2022).

Get them from openneuro.org, with `openneuro-py`, or with DataLad from github.com/OpenNeuroDatasets.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ...events.vocabulary import check_event_types
from ...user_warnings import warn
from ..recordings.finding import find_recordings
from ..recordings.opening import open_recording
from ..recordings.recording import Recording
from .folders import corpus_folder

_LAYOUT = "a BIDS dataset: `dataset_description.json` and folders `sub-...`"

# Remarks of the clinicians in ds003029 that mean an onset or offset but do not say so in the usual words. Some are
# cut to 20 characters in the files.
_DS003029_EVENTS = {
    "start": "onset",
    "end": "offset",
    "[?]onset*": "onset",
    "onset *": "onset",
    "offset *": "offset",
    "end fast": "offset",
    "z rsf over": "offset",
    "z right over": "offset",
    "z clinical signs ove*": "offset",
}
_EVENTS = {"ds003029": _DS003029_EVENTS}


def load_openneuro(
    folder: str | os.PathLike, dataset: str | None = None, event_types: Mapping[str, str] | None = None
) -> list[Recording]:
    """Load the recordings of an iEEG-BIDS dataset with seizures, such as ds003029 and ds004100.

    Recordings whose samples were not downloaded (DataLad leaves links to nowhere) are passed over with a warning. A
    recording of a task named `ictal` in which no seizure is found gives a warning, since its windows would count as
    background.

    Parameters
    ----------
    folder : str or os.PathLike
        Root of the dataset.
    dataset : str or None
        `"ds003029"` or `"ds004100"`: brings the words that this dataset uses for seizures. Found from the name of the
        folder and from `dataset_description.json` by default.
    event_types : dict[str, str] or None
        More words, see `open_recording`; go before those of the dataset.

    Returns
    -------
    list[Recording]
        In the order of the files.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The folder is no BIDS dataset, or nothing of it was downloaded.
    """
    root = corpus_folder(folder, _LAYOUT)
    if not (root / "dataset_description.json").is_file():
        raise ValueError(f"{root} has no dataset_description.json; expected {_LAYOUT}")
    check_event_types(event_types)
    own, known = dict(event_types or {}), _EVENTS.get(dataset or _accession(root) or "", {})
    # The user's words come first, in order and in what they say.
    words = {**own, **known, **own}
    found = find_recordings(root)
    here = [path for path in found if isinstance(path, Path) and _has_samples(path)]
    if not here:
        raise ValueError(
            f"none of the {len(found)} recordings of {root} was downloaded; get their files first (`datalad get`)"
        )
    if len(here) < len(found):
        warn(f"{root}: {len(found) - len(here)} of {len(found)} recordings were not downloaded")
    recordings = [open_recording(path, event_types=words) for path in here]
    for recording in recordings:
        if "_task-ictal_" in f"{recording.name}_" and not recording.seizures:
            warn(
                f"{recording.name}: no seizure found in a recording of a seizure; its events may use other words, "
                "see event_types"
            )
    return recordings


def _accession(root: Path) -> str | None:
    text = f"{root.resolve().name} {(root / 'dataset_description.json').read_text(encoding='utf-8-sig')}"
    match = re.search(r"\bds\d{6}\b", text)
    return match[0] if match else None


def _has_samples(path: Path) -> bool:
    """Whether the file, and for BrainVision the file with its samples, is there."""
    if path.suffix.lower() != ".vhdr":
        return path.exists()
    return path.exists() and any(path.with_suffix(suffix).exists() for suffix in (".eeg", ".dat", ".EEG"))
