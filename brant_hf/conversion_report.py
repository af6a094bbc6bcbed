"""What a conversion did: a report, the model card that holds it, and the way to the Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .conversion_sources import Original
from .listing import listed, markdown_table

if TYPE_CHECKING:
    from .modeling_brant import BrantPreTrainedModel

CARD = "README.md"
_PAPER = (
    "https://proceedings.neurips.cc/paper_files/paper/2023/hash/"
    "535915d26859036410b0533804cee788-Abstract-Conference.html"
)


@dataclass
class ConversionReport:
    """What became of published weights.

    Attributes
    ----------
    original : Original
        The source. Its tensors are gone: they are the weights of the model now.
    verified : bool
        Whether the weights were exported again and compared bit for bit.
    added, left_out : list[str]
        Tensors that the source lacks and that were set as published, and tensors of the source that are not used.
    assumed, notes : list[str]
        What no tensor tells, and what else is to be known.
    pushed_to : str or None
        Address on the Hub, and whether it is private.
    """

    original: Original
    verified: bool = False
    added: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pushed_to: str | None = None

    @cached_property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file of the source."""
        return self.original.checksums()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Tell it, as pairs of a word and a text."""
        original = self.original
        revision = f", revision {original.revision}" if original.revision else ""
        yield "source", f"{original.source}{revision}, with the names of {original.layout.name}"
        if original.files:
            yield "licence", original.licence or "not stated beside the weights"
        for name, checksum in self.checksums.items():
            yield "sha256", f"{checksum}  {name}"
        if self.added:
            yield "set", f"{listed(self.added)}: absent in the source, zero as published"
        if self.left_out:
            yield "left out", f"{len(self.left_out)} tensors, {listed(self.left_out)}"
        yield from (("assumed", text) for text in self.assumed)
        yield from (("note", text) for text in self.notes)
        if self.verified:
            yield "verified", "exported again, every tensor equals the original bit for bit; none tells the heads"


def write_card(path: Path, model: BrantPreTrainedModel, report: ConversionReport, name: str) -> None:
    """Write the model card of a converted checkpoint."""
    from huggingface_hub import ModelCardData

    class_name = type(model).__name__
    data = ModelCardData(
        library_name="transformers",
        license=report.original.licence,
        base_model=report.original.hub_id,
        tags=["brant", "eeg", "intracranial-eeg", "time-series"],
    )
    lines = [
        f"---\n{data.to_yaml()}\n---",
        f"# {name}",
        f"[Brant]({_PAPER}) for Transformers: a `{class_name}` with {model.num_parameters():,} parameters, converted "
        "from published weights by brant_hf. A research model, not a medical device.",
        "The normalisation of the training data is not published: the feature extractor passes microvolts as they "
        "are.",
        markdown_table(["", ""], report.lines()),
    ]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def check_push(repository: str, overwrite: bool) -> None:
    """Refuse to push where nobody is logged in, or to a repository that holds a checkpoint.

    Raises
    ------
    FileExistsError
        It holds one, and `overwrite` is not set.
    OSError
        There is no valid token, or no way to the Hub.
    """
    from huggingface_hub import file_exists, whoami
    from huggingface_hub.errors import LocalTokenNotFoundError

    try:
        whoami()
    except LocalTokenNotFoundError as error:
        raise OSError(f"{repository} can be pushed to by its owner only; log in first (hf auth login)") from error
    if not overwrite and file_exists(repository, "config.json"):
        raise FileExistsError(
            f"{repository} on the Hub holds config.json; name another repository, or allow to replace it (--force, "
            "overwrite=True)"
        )


def push(folder: str | os.PathLike[str], names: Sequence[str], repository: str, private: bool) -> str:
    """Push these files of a folder to the Hub; return the address, and who sees what is there.

    Raises
    ------
    OSError
        The Hub refuses, or is not within reach.
    """
    from huggingface_hub import create_repo, model_info, upload_folder

    url = create_repo(repository, private=private, exist_ok=True)
    upload_folder(
        repo_id=url.repo_id,
        folder_path=os.fspath(folder),
        allow_patterns=list(names),
        commit_message="Add Brant, converted from published weights",
    )
    # One that was there before stays as visible as it was.
    return f"{url} ({'private' if model_info(url.repo_id).private else 'public'})"
