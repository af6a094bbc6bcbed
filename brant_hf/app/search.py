"""Searching one recording for the page, and the files that tell what was found."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..checkpoints import quiet_transformers
from ..detection.outputs import KINDS as ALL_KINDS, Finding, Kind, Outputs, Staged
from ..detection.reference import open_compared
from ..precision import best_device

if TYPE_CHECKING:
    from ..detection.detector import Detector

# What the page offers. MNE-Python reads the EDF+ file as well; its own files need to know when a recording began. The
# report shows what the table of recruitment tells.
KINDS = tuple(kind for kind in ALL_KINDS if kind.option not in ("mne", "recruitment"))


def search(path: Path, model: str, folder: Path) -> Finding:
    """Search a recording.

    Parameters
    ----------
    path : Path
        The recording.
    model : str
        The checkpoint.
    folder : Path
        Where its probabilities are kept, so that memory does not grow with the queue.

    Raises
    ------
    OSError, ValueError
        As `brant-hf detect`.
    """
    recording, reference = open_compared(path, {})
    detector = make_detector(model)
    result = detector.detect(recording)
    stored = folder / f"{secrets.token_hex(8)}.npy"
    np.save(stored, result.probabilities)
    result = replace(result, probabilities=np.load(stored, mmap_mode="r"))
    return Finding.of(recording, result, detector, reference)


def write(finding: Finding, folder: Path, kinds: Sequence[Kind] = ()) -> list[Path]:
    """Write the table of events into a folder, as `brant-hf detect` does, and what else is wanted.

    Parameters
    ----------
    finding : Finding
    folder : Path
        Made where it does not exist.
    kinds : Sequence[Kind]
        Other outputs to write.

    Returns
    -------
    list[Path]
        The table, and the others. It is not called `NAME_events.tsv`: beside a recording and without its `.json`,
        such a table would count as what somebody has marked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = finding.recording.path
    name = finding.recording.name if path is None else path.name.split(".")[0]
    others = {kind.option: folder / f"{name}_detections{kind.ending}{kind.suffixes[0]}" for kind in kinds}
    outputs = Outputs(folder / f"{name}_detections.tsv", others)
    Staged(outputs, force=True).write(finding)
    return outputs.given()


@lru_cache(maxsize=1)
def make_detector(model: str) -> Detector:
    """Load a checkpoint; the last one stays in memory."""
    from ..detection.detector import Detector

    quiet_transformers()
    return Detector.from_pretrained(model, device=best_device())
