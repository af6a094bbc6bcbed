"""Options that several commands share, and what these do around their work."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from typer.exceptions import TyperException

from ..bad_input import BAD_INPUT, reason_of
from ..option_names import in_options, speaking_of
from ..user_warnings import warn, warnings_kept
from .messages import options_of, tell

if TYPE_CHECKING:
    import torch

    from ..data import Preprocessing

CHECKPOINT_HELP = (
    "Folder of a checkpoint, id of a model on the Hugging Face Hub (you/model), or shipped: that of this package."
)
MODEL = Annotated[str | None, typer.Option(help=f"{CHECKPOINT_HELP[:-1]}, which is taken without it.")]
REVISION = Annotated[str | None, typer.Option(help="Commit, branch or tag of a checkpoint on the Hub.")]
DEVICE = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, mps ...; the first accelerator, if there is one.")
]
DTYPE = Annotated[
    str | None,
    typer.Option(help="Precision of the model: float32, int8 on a CPU, in detect bfloat16; else what suits it."),
]
OVERLAP_HELP = "Part of a window shared with the next one; without it, as the checkpoint says."
BATCH_SIZE_HELP = "Windows of a forward pass."
FORCE = Annotated[bool, typer.Option("--force", help="Replace also files that this command did not write.")]
FORCE_ALL = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace also files that this command did not write, and of several recordings what was made with other "
        "settings.",
    ),
]
NUM_PROC = Annotated[
    int,
    typer.Option(
        metavar="PROCESSES",
        help="Recordings worked on at a time; on an accelerator these processes read, and one model works for all.",
    ),
]
SEVERAL_HELP = "Recordings, folders (BIDS or any other) or patterns of them, or @LIST, a text with one on each line."
SHARD = Annotated[
    str | None,
    typer.Option(
        metavar="I/N|auto",
        help="Work on one of N shares of the recordings, I from 1 to N; auto takes it from the environment, as of a "
        "SLURM job array (SLURM_ARRAY_TASK_ID) or of torchrun (RANK).",
    ),
]
BACKEND = Annotated[
    Literal["loky", "dask"] | None,
    typer.Option(help="Who works on several at a time: processes of this machine (loky), or a cluster of dask."),
]
SCHEDULER = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Scheduler of the dask cluster; without it, DASK_SCHEDULER_ADDRESS."),
]

# What is said of a recording, by the same names in all commands; what `Choices` makes of it stands below.
_PANEL = "What is read of a recording"
_NAMES = "names, ranges and patterns such as LA1,LA3-8,'LB*'"


def _option(kind: Any, text: str, **options: Any) -> Any:
    return Annotated[kind, typer.Option(help=text, rich_help_panel=_PANEL, **options)]


_CHOICES: dict[str, Any] = {
    "channels": _option(list[str] | None, f"Channels to read: {_NAMES}.", metavar="NAMES"),
    "bad": _option(list[str] | None, "Channels to leave out, written in the same way.", metavar="NAMES"),
    "channel_type": _option(
        list[str] | None,
        "Type of a channel: seeg, ecog, dbs or eeg to read it, misc to leave it out.",
        metavar="NAME=TYPE",
    ),
    "unit": _option(
        list[str] | None,
        "Unit of the numbers in the file: V, mV, uV or nV; NAME=mV for some channels.",
        metavar="UNIT",
    ),
    "gain": _option(float | None, "Factor of the numbers in the file.", metavar="FACTOR"),
    "file_rate": _option(
        float | None,
        "Sampling rate of the file, where it tells none or a wrong one; of channels at several rates, those at this "
        "one are read.",
        metavar="HZ",
    ),
    "electrical_series": _option(
        str | None, "Series of an NWB file that has several: its name, or HOLDER/NAME.", metavar="NAME"
    ),
    "start": _option(str | None, "Moment to begin at: seconds or h:mm:ss from the start of the file.", metavar="TIME"),
    "stop": _option(
        str | None, "Moment to stop at, the same. Times of all outputs stay those of the file.", metavar="TIME"
    ),
    "montage": _option(
        Literal["none", "average", "bipolar"] | None,
        "Reference of the signals; bipolar is along each electrode shaft.",
    ),
    "high_pass": _option(float | None, "Lower edge of the band-pass; 0 for none.", metavar="HZ"),
    "notch": _option(
        str | None,
        "Frequency of the line noise, taken out with its harmonics; auto looks for 50 or 60 Hz.",
        metavar="HZ|auto|none",
    ),
    "annotations": _option(
        Path | None,
        "Seizures that are known: a table of events, or a recording with annotations; for several recordings in "
        "detect, a folder with a table NAME_events.tsv of each. Without it, those of the recording or of a table "
        "beside it.",
    ),
    "event_type": _option(
        list[str] | None,
        "What a remark means: 'Anfall*=seizure', or onset, offset, uncertain, ignore.",
        metavar="TEXT=MEANING",
    ),
}
SIGNAL = (
    *("channels", "bad", "channel_type", "unit", "gain", "file_rate", "electrical_series", "start", "stop"),
    *("montage", "high_pass", "notch"),
)
LABELS = ("annotations", "event_type")


@dataclass(frozen=True)
class Choices:
    """What a command line says of a recording; the one place where it becomes arguments."""

    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def annotations(self) -> Path | None:
        """File that tells of the seizures."""
        return self.given.get("annotations")

    @property
    def event_types(self) -> dict[str, str] | None:
        """Meanings of remarks, by text or pattern."""
        from ..events.vocabulary import MEANINGS

        pairs = dict(_pair(text, "--event-type", "TEXT=MEANING") for text in self.given.get("event_type") or ())
        wrong = sorted(set(pairs.values()) - set(MEANINGS))
        if wrong:
            raise ValueError(f"--event-type gives {wrong[0]!r}; expected one of {', '.join(MEANINGS)}")
        return pairs or None

    def refuse_annotations(self, many: bool) -> None:
        """Raise a `ValueError` where one file is to tell of the seizures of several recordings."""
        if many and self.annotations is not None:
            raise ValueError(
                f"--annotations {self.annotations} is for one recording, and there are several or a folder of them; "
                "put a table NAME_events.tsv beside each recording NAME, or compare tables afterwards (brant-hf score)"
            )

    def open_options(self) -> dict[str, Any]:
        """Return keyword arguments of `open_recording`, JSON-serialisable, those that are given."""
        from ..data.recordings.channels import checked_types

        types = dict(_pairs(self.given.get("channel_type"), "--channel-type", "NAME=TYPE"))
        checked_types(types)  # before a file is opened
        units = self.given.get("unit") or ()
        of_channels = _pairs((text for text in units if "=" in text), "--unit", "UNIT or NAME=UNIT")
        of_all = [text.strip() for text in units if "=" not in text]
        options = {
            "channels": self.given.get("channels"),
            "bad": self.given.get("bad"),
            "channel_types": types,
            "unit": {**({"*": of_all[-1]} if of_all else {}), **dict(of_channels)},
            "gain": self.given.get("gain"),
            "sampling_rate": self.given.get("file_rate"),
            "electrical_series": self.given.get("electrical_series"),
            "start": _seconds(self.given.get("start"), "--start"),
            "stop": _seconds(self.given.get("stop"), "--stop"),
            "event_types": self.event_types,
        }
        return {name: value for name, value in options.items() if value is not None and value not in ({}, [])}

    def settings(self) -> dict[str, Any]:
        """Return settings of `Preprocessing`, those that are given."""
        found: dict[str, Any] = {}
        if self.given.get("montage") is not None:
            found["reference"] = self.given["montage"]
        if self.given.get("high_pass") is not None:
            found["high_pass"] = self.given["high_pass"] or None
        if self.given.get("notch") is not None:
            found["line_noise"] = _notch(self.given["notch"])
        return found

    def preprocessing(self, base: Preprocessing) -> Preprocessing:
        """Return settings of the chain: those given, and those of a checkpoint for the others."""
        montage = self.given.get("montage")
        if montage not in (None, base.reference):
            warn(
                f"--montage is {montage}, and the checkpoint was trained with {base.reference}, so what it says may "
                f"be wrong; leave it out, or fine-tune the checkpoint on recordings with --montage {montage}"
            )
        return replace(base, **self.settings())


def with_choices(*names: str, **old_names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these names, which it gets as one argument `choices`.

    Parameters
    ----------
    *names : str
        Options, such as those of `SIGNAL` and `LABELS`.
    **old_names : str
        Names that options had before, which are understood with a note.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        kept = [each for each in signature.parameters.values() if each.name != "choices"]
        old = {
            before: Annotated[get_args(_CHOICES[name])[0], typer.Option(hidden=True)]
            for before, name in old_names.items()
        }
        added = {**{name: _CHOICES[name] for name in names}, **old}

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            given = {name: kwargs.pop(name, None) for name in added}
            values = {name: given.pop(before) for before, name in old_names.items()}
            command(*args, **kwargs, choices=Choices({**given, **{k: v for k, v in values.items() if v is not None}}))
            for before, name in old_names.items():
                if values[name] is not None:
                    # At the end: an error is told in one line alone.
                    tell(f"note: --{_dashed(before)} is now called --{_dashed(name)}")

        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
            for name, hint in added.items()
        ]
        run.__signature__ = signature.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*kept, *options)}
        return run

    return decorate


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _pairs(texts: Iterable[str] | None, option: str, form: str) -> Iterator[tuple[str, str]]:
    """Pairs of `LA1=mV,LB*=uV`; commas stand in names, too (`LA1,LA2=mV`)."""
    for text in texts or ():
        for part in re.findall(r"[^=]*=[^,=]*(?:,(?=[^=]*=)|$)|.+", text):
            yield _pair(part.removesuffix(","), option, form)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, _, value = text.rpartition("=")
    if not (name.strip() and value.strip()):
        raise ValueError(f"{option} is {text!r}; write it as {form}")
    return name.strip(), value.strip()


def _seconds(text: str | None, option: str) -> float | None:
    """Read a time as people and these commands write it: 90, 90.5, 1:30, 0:01:30."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise ValueError(f"{option} is {text!r}; give seconds or h:mm:ss from the start of the file")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(text.split(":"))))


def whole_numbers(text: str, option: str) -> list[int] | None:
    """Read numbers such as `0,3,-1`; `None` for `all`."""
    if text.strip() == "all":
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} is {text!r}; give whole numbers such as 0,3,-1, or all") from None


def _notch(text: str) -> float | str | None:
    if text in ("auto", "none"):
        return None if text == "none" else text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--notch is {text!r}; give a frequency in Hz, auto or none") from None


def in_one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Make of what bad input raises in a command one line, with the options that this command has."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with speaking_of(options_of(command)):
            try:
                command(*args, **kwargs)
            except BAD_INPUT as error:
                raise TyperException(in_options(reason_of(error))) from error

    return run


def told_shard(text: str | None) -> str | None:
    """Read a `--shard`; what is taken from the environment is told on standard error."""
    from ..sharding import Shard

    if text is None:
        return None
    shard = Shard.of(text)
    if shard.told_by:
        tell(f"--shard {text} is {shard}: {shard.told_by}")
    return str(shard)


def find_device(name: str | None) -> torch.device:
    """Device of a `--device`, or the one to take without it.

    Raises
    ------
    ValueError
        It cannot be used here.
    """
    from ..precision import best_device, usable_device

    return best_device() if name is None else usable_device(name)


@contextmanager
def warnings_after(always: bool = False) -> Iterator[None]:
    """Keep warnings and print them, one line each.

    As a rule when all went well, since an error is told in one line alone; `always` where part of the work is kept.
    """
    went_well = False
    with warnings_kept() as texts:
        try:
            yield
            went_well = True
        finally:
            if went_well or always:
                print_warnings(texts())


def print_warnings(texts: Iterable[str]) -> None:
    """Print warnings to standard error, one line each, with options of the command."""
    for text in dict.fromkeys(map(in_options, texts)):
        tell(f"warning: {text}")
