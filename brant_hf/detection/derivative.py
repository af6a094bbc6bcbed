"""A folder of outputs as a BIDS derivative dataset: its description, and what readers of BIDS have to pass over."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..events.rows import describing
from ..files import BIDS_VERSION, TABLE_SUFFIXES, StagedOutputs, generated_by, read_generated, write_text
from .outputs import KINDS
from .runs import NOTES_FOLDER

DESCRIPTION, IGNORE = "dataset_description.json", ".bidsignore"


def source_of(dataset: Path, folder: Path) -> dict[str, str]:
    """Tell of a BIDS dataset what a derivative says of its source.

    Parameters
    ----------
    dataset : Path
        Folder of the dataset.
    folder : Path
        Folder of the derivative.

    Returns
    -------
    dict[str, str]
        `Name`; `DOI`, where it has one; and `URL`, the path from the derivative to it, where this tells nothing of
        the machine.
    """
    told = describing(dataset / DESCRIPTION)
    known = {"Name": told.get("Name") or dataset.name, "DOI": told.get("DatasetDOI"), "URL": _way(folder, dataset)}
    return {name: str(value) for name, value in known.items() if value}


class Derivative:
    """The files that make a folder a derivative dataset; making it refuses what cannot be written.

    Parameters
    ----------
    outputs : StagedOutputs
        Where the description is added.
    folder : Path
        That of the dataset.

    Raises
    ------
    OSError
        There is a description that this class did not write, or it cannot be replaced.
    """

    def __init__(self, outputs: StagedOutputs, folder: Path) -> None:
        self._folder = folder
        self._description = outputs.add(folder / DESCRIPTION, is_own_description)

    def write(self, source: Mapping[str, str], facts: Mapping[str, Any], others: Iterable[str]) -> None:
        """Write the description, and add to the list of what is passed over.

        Parameters
        ----------
        source : Mapping[str, str]
            What `source_of` returns, and `HEDVersion` where tables have such tags.
        facts : Mapping[str, Any]
            What the events of all depend on, JSON-serialisable.
        others : Iterable[str]
            Names of files about all recordings, which are none of BIDS.
        """
        origin = {name: value for name, value in source.items() if name in ("DOI", "URL")}
        (made_by,) = generated_by()
        description = {
            "Name": f"Seizures detected in: {source['Name']}",
            "BIDSVersion": BIDS_VERSION,
            **({"HEDVersion": source["HEDVersion"]} if "HEDVersion" in source else {}),
            "DatasetType": "derivative",
            "GeneratedBy": [
                {**made_by, "Description": "Detection of seizures, not checked by a person", "Parameters": facts}
            ],
            **({"SourceDatasets": [origin]} if origin else {}),
        }
        self._description.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        _ignore(self._folder / IGNORE, others)


def is_own_description(path: Path) -> bool:
    """Whether `Derivative` wrote a description, and not the simulator or somebody else."""
    content = read_generated(path)
    return content.get("DatasetType") == "derivative" and "Parameters" in content["GeneratedBy"][0]


def _way(start: Path, end: Path) -> str | None:
    """Relative path, unless it is as good as an absolute one, since it goes through what is above a person's home."""
    start, end = Path(os.path.abspath(start)), Path(os.path.abspath(end))
    try:
        common = Path(os.path.commonpath([start, end]))
    except ValueError:  # other drives
        return None
    home = Path(os.path.expanduser("~"))
    if common == Path(common.anchor) or common in home.parents:
        return None
    return Path(os.path.relpath(end, start)).as_posix()


def _ignore(path: Path, others: Iterable[str]) -> None:
    """Name in the list what is no file of BIDS, and keep what somebody else named there."""
    tables = [Path(name) for name in others if Path(name).suffix in TABLE_SUFFIXES]
    named = [*others, *(table.with_suffix(".json").name for table in tables)]
    wanted = [*(f"/{name}" for name in named), f"/{NOTES_FOLDER}/"]
    wanted += dict.fromkeys(
        f"*{kind.ending}{suffix}"
        for kind in KINDS
        for suffix in (*kind.suffixes, *([".json"] if kind.is_table else []))
    )
    known = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lacking = [line for line in wanted if line not in known]
    if lacking:
        write_text(path, "\n".join([*known, *lacking]) + "\n")
