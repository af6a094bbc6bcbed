"""The command `brant-hf inspect`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bad_input import BAD_INPUT, reason_of
from ..listing import counted, listed
from ..option_names import in_options
from ..user_warnings import warnings_kept
from .options import LABELS, SIGNAL, Choices, with_choices

# What is shown of many; `--json` gives all.
_SHOWN_CHANNELS, _SHOWN_REMARKS, _SHOWN_SEIZURES = 64, 20, 8
_INDENT = 15
_SCALES_FROM = {"amplitude": "by their amplitude", "given": "as given"}


@with_choices(*SIGNAL, *LABELS)
def inspect(
    recording: Annotated[
        Path, typer.Argument(help="A recording, or a folder (BIDS or any other) or pattern of them.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which is complete, instead of a page.")] = False,
    *,
    choices: Choices,
) -> None:
    """Show what the package understands of RECORDING: channels, units, gaps, line noise, subject and remarks."""
    from ..data import inspect_recording
    from ..data.recordings.finding import is_pattern
    from ..data.recordings.formats import is_recording_folder

    options = {**choices.open_options(), "preprocessing": choices.settings()}
    if is_pattern(recording) or (recording.is_dir() and not is_recording_folder(recording)):
        choices.refuse_annotations(many=True)
        with warnings_kept():  # counted in the line of each
            _inspect_several(recording, as_json, options)
        return
    if choices.annotations is not None:
        options["seizures"] = choices.annotations
    with warnings_kept():  # they stand on the page
        found = inspect_recording(recording, **options)
    print(_as_json(found) if as_json else "\n".join(_page(found)))


def _inspect_several(folder: Path, as_json: bool, options: Mapping[str, Any]) -> None:
    """Print a line for each recording of a folder, or that a pattern matches."""
    from ..data import find_recordings, inspect_recording

    found: list[dict[str, Any]] = []
    for path in map(Path, map(str, find_recordings(folder))):
        try:
            found.append(inspect_recording(path, **options))
        except BAD_INPUT as error:
            found.append({"path": str(path), "error": reason_of(error)})
        if not as_json:
            print(f"{path.relative_to(folder) if folder.is_dir() else path}: {_line(found[-1])}")
    if as_json:
        print(_as_json(found))
    failed = sum("error" in each for each in found)
    if failed:
        raise ValueError(f"{failed} of {len(found)} recordings cannot be read")


def _as_json(found: Any) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)


def _line(found: Mapping[str, Any]) -> str:
    if "error" in found:
        return f"failed: {in_options(found['error'])}"
    return (
        f"subject {found['subject']}, {found['duration']:.2f} s, {_pieces(found)}{found['sampling_rate']:g} Hz, "
        f"{counted(len(found['channels']), 'channel')}, {len(found['left_out'])} left out, "
        f"{counted(len(found['remarks']), 'remark')}, {counted(len(found['seizures']), 'seizure')}, "
        f"{counted(len(found['warnings']), 'warning')}"
    )


def _pieces(found: Mapping[str, Any]) -> str:
    """Tell how much was recorded where that is not all."""
    return f"{found['recorded']:.2f} s of them in {counted(found['pieces'], 'piece')}, " if found["gaps"] else ""


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the page about a recording."""
    yield _row("recording", found["name"])
    yield _row("file", f"{found['path'] or 'none'} ({found['format']})")
    yield _row("subject", f"{found['subject']} (from: {found['subject_from']})")
    yield _row("start", found["start"] or "not known")
    part = f", from {found['offset']:.2f} s of the {found['file_duration']:.2f} s of the file" * found["is_part"]
    yield _row("length", f"{found['duration']:.2f} s at {found['sampling_rate']:g} Hz{part}")
    gaps = [f"{start:.2f} to {stop:.2f} s" for start, stop in found["gaps"]]
    yield _row("gaps", listed(gaps) or "none")
    if gaps:
        yield _row("recorded", f"{found['recorded']:.2f} s in {counted(found['pieces'], 'piece')}")
    yield from _channel_lines(found["channels"])
    yield _row("left out", counted(len(found["left_out"]), "channel"))
    by_reason: dict[str, list[str]] = {}
    for name, reason in found["left_out"].items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield _row("", f"{reason}: {listed(names)}")
    yield from _line_noise_lines(found["line_noise"])
    yield from _remark_lines(found["remarks"])
    yield from _interval_lines("seizures", found["seizures"], found["seizures_from"])
    yield from _interval_lines("uncertain", found["uncertain"])
    yield from _detection_lines(found)
    for place, warning in enumerate(found["warnings"]):
        yield _row("" if place else "warnings", in_options(warning))


def _row(label: str, text: str) -> str:
    return f"{label:<{_INDENT}}{text}"


def _channel_lines(channels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Channels of one type and unit together: name, median and deviation of each, several in a line."""
    yield _row("channels", f"{len(channels)} read; of each the median +- deviation in microvolts")
    groups: dict[str, list[str]] = {}
    for each in channels[:_SHOWN_CHANNELS]:
        amplitude = each["condition"]
        if each["condition"] != "no samples":
            strange = "" if each["condition"] == "ok" else f" {each['condition']}"
            amplitude = f"{each['median']:.4g} +- {each['deviation']:.3g}{strange}"
        unit = f"stored in {each['unit']}" if each["unit"] else "no unit stated"
        if each["scale_from"] in _SCALES_FROM:
            unit += f", {_SCALES_FROM[each['scale_from']]} read as {each['scale']:g} microvolts each"
        groups.setdefault(f"{each['type']}, {unit}:", []).append(f"{each['name']} {amplitude}")
    width = max(len(cell) for cells in groups.values() for cell in cells) + 2
    per_line = max(1, 105 // width)
    for group, cells in groups.items():
        yield _row("", group)
        for first in range(0, len(cells), per_line):
            yield _row("", "  " + "".join(cell.ljust(width) for cell in cells[first : first + per_line]).rstrip())
    if len(channels) > _SHOWN_CHANNELS:
        yield _row("", f"and {len(channels) - _SHOWN_CHANNELS} more")
    for condition in ("flat", "saturated", "line noise", "no samples"):
        names = [each["name"] for each in channels if each["condition"] == condition]
        if names:
            yield _row("", f"{condition}: {listed(names)}")


def _line_noise_lines(noise: Mapping[str, Any]) -> Iterator[str]:
    yield _row("line noise", f"{noise['stated']:g} Hz stated" if noise["stated"] else "not stated")
    for ratios in noise["measured"].values():
        shown = ", ".join(f"{frequency} Hz {ratio:.3g}" for frequency, ratio in ratios.items())
        yield _row("", f"power over that beside it: {shown}")


def _remark_lines(remarks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    meanings = Counter(each["meaning"] or "other" for each in remarks)
    yield _row(
        "remarks", str(len(remarks) or "none") + "".join(f", {count} {name}" for name, count in meanings.most_common())
    )
    first = sorted(remarks, key=lambda each: each["meaning"] in (None, "ignore"))[:_SHOWN_REMARKS]
    for each in sorted(first, key=lambda each: each["onset"]):
        lasts = f"{each['duration']:.2f} s" if each["duration"] else ""
        text = " ".join(each["text"].split()) + (f"  on {listed(each['channels'])}" if each["channels"] else "")
        yield _row("", f"{each['onset']:>10.2f} s {lasts:>10}  {each['meaning'] or '-':<10} {text}")
    if len(remarks) > _SHOWN_REMARKS:
        yield _row("", f"and {len(remarks) - _SHOWN_REMARKS} more")


def _interval_lines(kind: str, intervals: Sequence[Mapping[str, Any]], told_by: str | None = None) -> Iterator[str]:
    """Seizures, those that overlap on several channels as one."""
    from ..events.event import SeizureEvent, merge_events

    merged = merge_events(SeizureEvent.of((each["onset"], each["offset"], each["channels"])) for each in intervals)
    yield _row(kind, str(len(merged) or "none") + (f" (from: {told_by})" if told_by else ""))
    for event in merged[:_SHOWN_SEIZURES]:
        where = "all channels" if event.channels is None else listed(event.channels)
        yield _row("", f"{event.onset:.2f} to {event.offset:.2f} s, {where}")
    if len(merged) > _SHOWN_SEIZURES:
        yield _row("", f"and {len(merged) - _SHOWN_SEIZURES} more")


def _detection_lines(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["detection"]
    rate = found["sampling_rate"]
    resampled = "" if rate == plan["sampling_rate"] else f", resampled from {rate:g} to {plan['sampling_rate']:g} Hz"
    line = f", line noise of {plan['line_noise']:g} Hz taken out" if plan["line_noise"] else ""
    yield _row(
        "detect would",
        f"search {counted(len(plan['channels']), 'channel')} in windows of {plan['window']:g} s{resampled}{line}",
    )
    for name, reason in plan["left_out"].items():
        yield _row("", f"leave out {name} ({reason})")
    for note in plan["notes"]:
        yield _row("", f"note: {in_options(note)}")
