"""The functions behind `brant-hf detect`, `brant-hf score` and `brant-hf embed`."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..data import Recording
    from ..detection.pipeline import SeizureDetectionPipeline
    from ..detection.scoring import Score

MODEL_HELP = "Folder of a checkpoint or id of a model on the Hugging Face Hub; without it, the one that ships."
UNIT_HELP = "For files with a wrong unit: what 1 V, as MNE-Python reads it, really is."
DEVICE_HELP = "cpu, cuda, cuda:1, mps ...; the first accelerator, if there is one."
# Of no concern here: it is about splits of datasets.
_IGNORED_WARNING = ".*the file does not tell its patient"


def detect_command(
    recording: Annotated[Path, typer.Argument(help="A recording, or a folder of recordings (BIDS or any other).")],
    events: Annotated[Path, typer.Argument(help="Table of events to write (.tsv); a folder for a folder.")],
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    plot: Annotated[Path | None, typer.Option(help="Overview figure to write (.png, .pdf, .svg).")] = None,
    report: Annotated[Path | None, typer.Option(help="Report to write (.html), one page.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Table of reference events, to draw and to score against.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Smallest probability in an event.")] = None,
    min_channels: Annotated[int | None, typer.Option(help="Channels that have to agree.")] = None,
    min_duration: Annotated[float | None, typer.Option(help="Shortest event, in seconds.")] = None,
    merge_gap: Annotated[float | None, typer.Option(help="Events nearer than this, in seconds, are one.")] = None,
    overlap: Annotated[float | None, typer.Option(help="Part of a window shared with the next one.")] = None,
    unit: Annotated[str | None, typer.Option(help=UNIT_HELP)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows of a forward pass.")] = None,
    device: Annotated[str | None, typer.Option(help=DEVICE_HELP)] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; float32 on a CPU.")] = None,
) -> None:
    """Find seizures in RECORDING and write them to EVENTS as SzCORE and BIDS have them.

    Settings that are not given are those of the checkpoint. Nothing is written unless everything succeeds.
    """
    # Typer shows the text above. A ValueError or OSError is for the caller to report.
    options = {
        "threshold": threshold,
        "min_channels": min_channels,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
        "overlap": overlap,
        "batch_size": batch_size,
    }
    from ..data.recordings.formats import is_recording_folder

    if recording.is_dir() and not is_recording_folder(recording):
        given = [name for name, value in (("plot", plot), ("report", report), ("reference", reference)) if value]
        if given:
            raise ValueError(f"--{given[0]} is for one recording, and {recording} is a folder")
        with _warnings_after(always=True):
            _detect_folder(recording, events, _pipeline(model, device, dtype, options), unit)
        return
    with _warnings_after():
        _detect_file(
            recording, events, plot, report, reference, unit, lambda: _pipeline(model, device, dtype, options)
        )


def score_command(
    reference: Annotated[Path, typer.Argument(help="Table of reference events (.tsv), or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(help="Table of detected events (.tsv), or a folder of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score detected events against reference events with timescoring, as SzCORE does."""
    from ..detection.scoring import pool, score_files

    with _warnings_after():
        scores = score_files(reference, hypothesis)
        pooled = pool(scores.values())
        if as_json:
            print(
                json.dumps(
                    {
                        "recordings": {name: _json_scores(score) for name, score in scores.items()},
                        "pooled": _json_scores(pooled),
                    },
                    indent=2,
                )
            )
        else:
            print(_score_table({**scores, "all recordings": pooled} if len(scores) > 1 else scores))


def embed_command(
    recording: Annotated[Path, typer.Argument(help="A recording.")],
    out: Annotated[Path, typer.Argument(help="File to write (.safetensors).")],
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    dtype: Annotated[str, typer.Option(help="Precision of the file: float32 or float16.")] = "float32",
    overlap: Annotated[float, typer.Option(help="Part of a window shared with the next one.")] = 0.5,
    unit: Annotated[str | None, typer.Option(help=UNIT_HELP)] = None,
    batch_size: Annotated[int, typer.Option(help="Windows of a forward pass.")] = 8,
    device: Annotated[str | None, typer.Option(help=DEVICE_HELP)] = None,
) -> None:
    """Write the embeddings of all channels and patches of RECORDING to OUT."""
    from ..checkpoints import load_encoder, load_feature_extractor
    from ..data import open_recording
    from ..detection.embedding import embed_recording
    from ..detection.settings import DetectionSettings

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; it must be 1 or more")
    with _warnings_after():
        _refuse_overwriting(recording, out)
        opened = open_recording(recording, seizures=[], unit=unit)
        encoder = load_encoder(model).to(device=_device(device))
        settings = DetectionSettings.of(encoder.config, {"overlap": overlap})
        embed_recording(
            opened,
            encoder.float(),
            load_feature_extractor(model),
            out,
            preprocessing=settings.preprocessing,
            overlap=settings.overlap,
            batch_size=batch_size,
            dtype=dtype,
        )
        print(f"written to     {out}")


def _detect_file(
    path: Path,
    events: Path,
    plot: Path | None,
    report: Path | None,
    reference: Path | None,
    unit: str | None,
    make_pipeline: Any,
) -> None:
    from ..data import open_recording
    from ..detection.inputs import start_of
    from ..detection.scoring import score_event_files
    from ..events.tables import EventFile, events_table, read_event_file
    from ..files import PLOT_SUFFIXES, REPORT_SUFFIXES, StagedOutputs, check_suffix

    # All that can be refused is refused before the work is done.
    outputs = StagedOutputs(overwrite=True)
    staged = {target: outputs.add(target) for target in (events, plot, report) if target is not None}
    for target in staged:
        _refuse_overwriting(path, target)
        if reference is not None:
            _refuse_overwriting(reference, target)
    if plot is not None:
        check_suffix(plot, PLOT_SUFFIXES)
    if report is not None:
        check_suffix(report, REPORT_SUFFIXES)
    known = None if reference is None else read_event_file(reference)
    # Labels beside a recording are not read: what is wrong with them is no reason against it.
    recording = open_recording(path, seizures=[], unit=unit)
    if known is not None:
        # Refused where the reference is about another recording.
        score_event_files(known, EventFile([], recording.duration), reference.name)
    detector = make_pipeline()
    result = detector(recording)
    with outputs:
        text = events_table(result["events"], recording.duration, start=start_of(recording))
        staged[events].write_text(text, encoding="utf-8")
        expected = None if known is None else known.events
        shown = {**result, "threshold": detector.settings().threshold_for(recording.duration)}
        if plot is not None:
            from ..detection.plots import plot_overview

            plot_overview(recording, shown, staged[plot], reference=expected)
        if report is not None:
            from ..detection.report import write_report

            write_report(
                recording, shown, staged[report], reference=expected, settings=_settings_of(detector, recording)
            )
    print(_event_table(result["events"]))
    if known is not None:
        scores = score_event_files(known, EventFile(result["events"], recording.duration), reference.name)
        print()
        print(_score_table({recording.name: scores}))
    for target in staged:
        print(f"written to     {target}")


def _detect_folder(folder: Path, out: Path, detector: SeizureDetectionPipeline, unit: str | None) -> None:
    """One table for each recording, at the same place below `out`; what fails is listed at the end."""
    from ..data import find_recordings, open_recording
    from ..detection.inputs import start_of
    from ..events.tables import write_events

    paths = [Path(path) for path in find_recordings(folder)]
    targets = [out / path.relative_to(folder).with_name(_events_name(path)) for path in paths]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise ValueError(f"several recordings of {folder} would be written to {min(twice)}; give them other names")
    existing = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is a file; give a folder to write the tables of a folder to")
    if out.exists() and out.samefile(folder):
        raise ValueError(f"{out} is what is to be read, and its tables may be labels; give another folder to write to")
    failed: dict[Path, str] = {}
    for path, target in zip(paths, targets, strict=True):
        try:
            recording = open_recording(path, seizures=[], unit=unit)
            events = detector(recording)["events"]
            target.parent.mkdir(parents=True, exist_ok=True)
            write_events(target, events, recording.duration, start=start_of(recording))
        except (ValueError, OSError, ImportError) as error:
            failed[path] = " ".join(str(error).split())
            continue
        print(f"{target.relative_to(out)}: {len(events)} {'event' if len(events) == 1 else 'events'}")
    for path, reason in failed.items():
        print(f"{path.relative_to(folder)}: failed: {reason}")
    if failed:
        raise ValueError(f"{len(failed)} of {len(paths)} recordings failed (listed above)")


def _events_name(recording: Path) -> str:
    """`sub-01_task-rest_events.tsv` for `sub-01_task-rest_ieeg.edf`; otherwise the name with another extension."""
    stem = recording.name.split(".")[0]
    for suffix in ("_ieeg", "_eeg"):
        stem = stem.removesuffix(suffix)
    return f"{stem}_events.tsv"


def _pipeline(
    model: str | None, device: str | None, dtype: str | None, options: Mapping[str, Any]
) -> SeizureDetectionPipeline:
    from ..detection.pipeline import SeizureDetectionPipeline

    given = {name: value for name, value in options.items() if value is not None}
    return SeizureDetectionPipeline.from_pretrained(model, device=_device(device), dtype=dtype, **given)


def _device(name: str | None) -> Any:
    import torch

    if name is None:
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # "meta" has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here: {reason}") from error
    return device


def _settings_of(detector: SeizureDetectionPipeline, recording: Recording) -> dict[str, Any]:
    config = detector.model.config
    return {
        "recording": str(recording.path or recording.name),
        "model": str(config.name_or_path or type(detector.model).__name__),
        "window": f"{config.num_patches} patches of {config.patch_length} samples at {config.sampling_rate:g} Hz",
        "detection": detector.settings().to_dict(),
    }


def _refuse_overwriting(source: Path, target: Path) -> None:
    if source.exists() and target.exists() and source.samefile(target):
        raise ValueError(f"{target} is what is to be read; give another file to write to")


def _event_table(events: Sequence[Mapping[str, Any]]) -> str:
    if not events:
        return "no seizure found"
    lines = [f"{'onset [s]':>12}{'duration [s]':>14}{'confidence':>12}  channels"]
    for event in events:
        names = event["channels"]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        lines.append(f"{event['onset']:>12.2f}{event['duration']:>14.2f}{event['confidence']:>12.2f}  {shown}")
    return "\n".join(lines)


def _score_table(scores: Mapping[str, Mapping[str, Score]]) -> str:
    width = max(len("recording"), *map(len, scores))
    head = f"{'recording':<{width}}  {'level':<7}{'sensitivity':>12}{'precision':>11}{'F1':>8}{'false alarms/day':>18}"
    lines = [head]
    for name, levels in scores.items():
        for level, score in levels.items():
            lines.append(
                f"{name:<{width}}  {level:<7}{_number(score.sensitivity):>12}{_number(score.precision):>11}"
                f"{_number(score.f1):>8}{score.false_alarms_per_day:>18.2f}"
            )
    return "\n".join(lines)


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4f}"


def _json_scores(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {level: score.to_dict() for level, score in scores.items()}


@contextmanager
def _warnings_after(always: bool = False) -> Iterator[None]:
    """Keep warnings and prints them, one line each.

    As a rule when all went well, since an error is told in one line alone; `always` where part of the work is kept.
    """
    from transformers.utils import logging

    # Weights are loaded in no time, and a bar of that would stand above the line that tells an error.
    logging.disable_progress_bar()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=_IGNORED_WARNING)
        went_well = False
        try:
            yield
            went_well = True
        finally:
            if went_well or always:
                _print_warnings(caught)


def _print_warnings(caught: Sequence[warnings.WarningMessage]) -> None:
    messages = (" ".join(str(warning.message).split()) for warning in caught if warning.category is UserWarning)
    for message in dict.fromkeys(messages):
        print(f"brant-hf: warning: {message}", file=sys.stderr)
