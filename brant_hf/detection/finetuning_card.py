"""The model card of a detector that was fine-tuned to one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import software, write_text
from ..hub import is_hub_id
from ..listing import counted, markdown_table

if TYPE_CHECKING:
    from .finetuning import FinetuneReport
    from .finetuning_data import Labelled


def write_card(folder: Path, report: FinetuneReport, labelled: Sequence[Labelled], how: Mapping[str, Any]) -> None:
    """Write `README.md`. It names no recording and no subject, since names may tell who somebody is.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    report : FinetuneReport
        What came of it.
    labelled : Sequence[Labelled]
        The recordings.
    how : Mapping[str, Any]
        `start` (checkpoint or `None`), `steps`, `seed`.
    """
    from huggingface_hub import ModelCardData

    start = how["start"]
    is_on_hub = start is not None and not Path(start).exists() and is_hub_id(str(start))
    header = ModelCardData(
        library_name="transformers",
        tags=["brant", "eeg", "intracranial-eeg", "seizure-detection"],
        base_model=str(start) if is_on_hub else None,
    )
    name = report.output_dir.resolve().name
    hours = sum(each.recording.recorded_duration for each in labelled) / 3600
    channels = sorted({len(each.result.channel_names) for each in labelled})
    marked = counted(report.after.seizures + report.after.held_seizures, "marked seizure")
    data = (
        f"{counted(len(labelled), 'recording')} ({hours:.2f} h, {' or '.join(map(str, channels))} channels), {marked}"
    )
    trained = "none" if report.before.has_nothing_to_gain else f"{how['steps']} steps, seed {how['seed']}"
    text = "\n\n".join(
        [
            f"---\n{header.to_yaml()}\n---",
            f"# {name}",
            f"A seizure detector for **one subject**, fine-tuned with {software()} from "
            f"{f'`{start}`' if is_on_hub else 'the detector that ships' if start is None else 'a local checkpoint'}. "
            "A research model, not a medical device; it says nothing about other subjects.",
            f"- Data: {data}. What was not marked counted as background.\n"
            f"- Training: {trained}; weights: {weights_in_words(report)}.\n"
            f"- Threshold: {threshold_in_words(report)}; the other settings are those of the start.",
            "On these recordings, of which a part was trained on:",
            markdown_table(*table(report)),
        ]
    )
    write_text(folder / "README.md", text + "\n")


def table(report: FinetuneReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of a table that compares the start and the result."""
    before, after = report.before, report.after
    all_seizures = after.seizures + after.held_seizures
    hours = f"false alarms in {after.held_hours:.2f} h held back"
    rows = [
        ("found, of seizures trained on", *(f"{each.found} of {each.seizures}" for each in (before, after))),
        ("found, of seizures held back", *(f"{each.held_found} of {each.held_seizures}" for each in (before, after))),
        (hours, str(before.false_alarms), str(after.false_alarms)),
        ("found in time and clearly, of all", *(f"{each.clear} of {all_seizures}" for each in (before, after))),
        ("margin between them (logit)", f"{before.margin:+.1f}", f"{after.margin:+.1f}"),
    ]
    shown = [row for row in rows if after.held_seizures or "of seizures held back" not in row[0]]
    return ("", "before", "after"), shown


def weights_in_words(report: FinetuneReport) -> str:
    """How the weights came about."""
    if report.before.has_nothing_to_gain:
        return "those of the start, which has nothing to gain"
    if not report.share:
        return "those of the start, which did best on what was held back"
    if report.share == 1:
        return "the new ones"
    return f"the mean of the new ones ({report.share:g}) and those of the start ({1 - report.share:g})"


def threshold_in_words(report: FinetuneReport) -> str:
    """Where the threshold comes from."""
    source = "chosen on these recordings" if report.threshold_chosen else "that of the start"
    return f"{report.settings.threshold:.2f}, {source}"
