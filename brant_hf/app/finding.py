"""One recording that was searched: its result at any threshold, what of it is drawn, and the files that tell it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..cli.detect_files import KINDS as ALL_KINDS, Kind, Outputs, Staged, open_compared
from ..cli.options import Choices, find_device, quiet_transformers
from ..detection.reference import Reference
from ..detection.result import DetectionResult

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.detector import Detector

# What the page offers. MNE-Python reads the EDF+ file as well; its own files need to know when a recording began.
KINDS = tuple(kind for kind in ALL_KINDS if kind.option != "mne")


@dataclass(frozen=True)
class Finding:
    """What was found in a recording.

    Attributes
    ----------
    recording : Recording
        The recording, whose samples are read when they are drawn.
    result : DetectionResult
        At the threshold of the checkpoint; its probabilities lie in a file.
    reference : Reference or None
        Seizures that the recording, or a table that came with it, tells of.
    model : str
        The checkpoint.
    """

    recording: Recording
    result: DetectionResult
    reference: Reference | None
    model: str

    def at(self, threshold: float | None) -> DetectionResult:
        """Return the result at a threshold, that of the checkpoint if `None`, without running the model again."""
        result = self.result if threshold is None else self.result.with_settings(threshold=threshold)
        return DetectionResult.of(
            self.recording, result, None if self.reference is None else self.reference.file.events
        )

    def write(self, folder: Path, threshold: float | None, kinds: Sequence[Kind] = ()) -> list[Path]:
        """Write the table of events at a threshold into a folder, as `brant-hf detect` does, and what else is wanted.

        Parameters
        ----------
        folder : Path
            Made where it does not exist.
        threshold : float or None
            As of `at`.
        kinds : Sequence[Kind]
            Other outputs to write.

        Returns
        -------
        list[Path]
            The table, and the others. It is not called `NAME_events.tsv`: beside a recording and without its `.json`,
            such a table would count as what somebody has marked.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = self.recording.path
        name = self.recording.name if path is None else path.name.split(".")[0]
        others = {kind.option: folder / f"{name}_detections{kind.ending}{kind.suffixes[0]}" for kind in kinds}
        outputs = Outputs(folder / f"{name}_detections.tsv", others)
        detector = make_detector(self.model)
        if threshold is not None:
            told = replace(detector.settings, threshold=threshold, excerpt_threshold=None)
            detector = type(detector)(detector.model, detector.extractor, told)
        Staged(outputs, force=True).write(self.recording, self.at(threshold), detector, self.reference)
        return outputs.given()


def analyse(path: Path, model: str, folder: Path) -> Finding:
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
    recording, reference = open_compared(path, Choices())
    result = make_detector(model).detect(recording)
    stored = folder / f"{secrets.token_hex(8)}.npy"
    np.save(stored, result.probabilities)
    return Finding(recording, replace(result, probabilities=np.load(stored, mmap_mode="r")), reference, model)


@lru_cache(maxsize=1)
def make_detector(model: str) -> Detector:
    """Load a checkpoint; the last one stays in memory."""
    from ..detection.detector import Detector

    quiet_transformers()
    return Detector.from_pretrained(model, device=find_device(None))
