"""What is added to a dataset of windows: recordings that were prepared, and those that could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contents import ContentRow, as_text
from .folder import MANIFEST_FILE, DatasetFolder

# Warnings that a report shows in full; all are in the manifest.
SHOWN_WARNINGS = 10


@dataclass
class PrepareReport:
    """What a run of `prepare` did.

    Attributes
    ----------
    output_dir : Path
        Folder of the dataset.
    prepared : list[dict[str, Any]]
        Manifest entries of the recordings added by this run.
    skipped : list[str]
        Sources that an earlier run had already prepared.
    failed : dict[str, str]
        Sources that could not be prepared, with the reason.
    recordings : list[ContentRow]
        What is in the dataset now: a row for each recording, those of earlier runs included.
    """

    output_dir: Path
    prepared: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    recordings: list[ContentRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Windows added by this run."""
        return sum(entry["rows"] for entry in self.prepared)

    @property
    def without_windows(self) -> list[str]:
        """Sources added by this run that gave no window, as a rule because they are too short."""
        return [entry["source"] for entry in self.prepared if not entry["rows"]]

    @property
    def warnings(self) -> list[str]:
        """What readers warned about the recordings added by this run."""
        return [warning for entry in self.prepared for warning in entry["warnings"]]

    def __str__(self) -> str:
        lines = [
            f"{self.output_dir}: {self.rows} windows of {len(self.prepared)} recordings prepared, "
            f"{len(self.skipped)} recordings already there, {len(self.failed)} failed"
        ]
        lines += ["", as_text(self.recordings), ""] if self.recordings else []
        lines += [f"warning: {warning}" for warning in self.warnings[:SHOWN_WARNINGS]]
        if len(self.warnings) > SHOWN_WARNINGS:
            lines.append(f"{len(self.warnings) - SHOWN_WARNINGS} more warnings are in {MANIFEST_FILE}")
        return "\n".join(lines).rstrip()


class Additions:
    """Adds recordings to a dataset, and reports it.

    Parameters
    ----------
    folder : DatasetFolder
        The dataset, which this run has for itself.
    """

    def __init__(self, folder: DatasetFolder) -> None:
        self.folder = folder
        self.report = PrepareReport(folder.path)
        self._key_of = {_name(entry): key for key, entry in folder.manifest.items()}

    def add(self, entry: dict[str, Any]) -> bool:
        """Add a recording, but of several of one subject and name, whose windows could not be told apart, only one.

        This is the one whose source comes first, whatever the order of the work. Tells whether it is this one.
        """
        name = _name(entry)
        if name in self._key_of:
            owner = self.folder.manifest[self._key_of[name]]
            first, other = sorted((owner, entry), key=lambda each: each["source"])
            reason = (
                f"recording {name[1]} of subject {name[0]} is already there from {first['source']}; rename one of them"
            )
            if first is not owner:
                self.remove(owner)
            self.fail(other["key"], {"source": other["source"], "reason": reason, "files": other.get("files", {})})
            if first is owner:
                return False
        self.folder.add(entry)
        self._key_of[name] = entry["key"]
        self.report.prepared.append(entry)
        return True

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget a recording."""
        self.folder.remove(entry["key"])
        del self._key_of[_name(entry)]
        self.report.prepared = [each for each in self.report.prepared if each is not entry]

    def fail(self, key: str, failure: dict[str, Any]) -> None:
        """Note a recording that could not be prepared: `source`, `reason` and sizes of `files`."""
        self.report.failed[failure["source"]] = failure["reason"]
        self.folder.failed[key] = failure

    def conclude(self) -> PrepareReport:
        """Write what is in the dataset now, and return what was done."""
        self.folder.tidy()
        self.report.prepared.sort(key=lambda entry: entry["key"])
        self.report.recordings = self.folder.contents
        return self.report


def _name(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["subject"], entry["recording"]
