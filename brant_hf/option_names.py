"""Messages of the package in the words of the command line: `--unit mV` in place of `unit="mV"`.

The package speaks of arguments of Python alone. While a command runs, an option is named where that command has it,
and nowhere else.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

# Option and form of its value, by the argument of Python that it stands for. The one table of these.
ARGUMENTS = {
    "channels": ("--channels", "NAMES"),
    "bad": ("--bad", "NAMES"),
    "channel_types": ("--channel-type", "NAME=TYPE"),
    "unit": ("--unit", "UNIT"),
    "gain": ("--gain", "FACTOR"),
    "sampling_rate": ("--file-rate", "RATE"),
    "electrical_series": ("--electrical-series", "NAME"),
    "start": ("--start", "TIME"),
    "stop": ("--stop", "TIME"),
    "seizures": ("--annotations", "TABLE"),
    "event_types": ("--event-type", "TEXT=MEANING"),
    "subject": ("--subject", "NAME"),
    "model": ("--model", "CHECKPOINT"),
    "overwrite": ("--force", ""),
    "remainder": ("--remainder", "shorter"),
}
# What only Python can say, of `open_recording`.
PYTHON_ONLY = ("channel_names",)
# Arguments whose messages begin with them: `high_pass is -1; it must be ...`.
SETTINGS = {
    **{name: ARGUMENTS[name][0] for name in ("channels", "bad", "channel_types", "unit", "gain", "event_types")},
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("sampling_rate", "high_pass", "low_pass", "patch_length", "num_patches", "stride", "seizure_overlap"),
            *(
                "threshold",
                "min_channels",
                "min_duration",
                "merge_gap",
                "overlap",
                "batch_size",
                "causal",
                "layer",
                "max_size",
            ),
            *("device", "dtype", "shard", "backend", "scheduler", "num_proc"),
            *("annotations", "plot", "report", "edf", "mne"),
        )
    },
    **{f"num_{name}": f"--{name}" for name in ("patients", "channels", "seizures")},
    **{name: f"--{name}" for name in ("duration", "seed", "steps")},
    "reference": "--montage",
    "line_noise": "--notch",
}
# What is to be written in Python stays as it is.
_CALL = re.compile(r"(open_recording\([^()]*\))")
_TEXT = r""""[^"]*"|'[^']*'"""
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_VALUE = rf"(\{{(?:{_TEXT}|[^{{}}])*\}}|\[(?:{_TEXT}|[^\[\]])*\]|{_TEXT}|\.\.\.|{_NUMBER}|\w*)"
# Options of the command that runs; any that there is where none does.
_options: ContextVar[Collection[str] | None] = ContextVar("options", default=None)


@contextmanager
def speaking_of(options: Collection[str]) -> Iterator[None]:
    """Let messages name these options and no others."""
    token = _options.set(options)
    try:
        yield
    finally:
        _options.reset(token)


def in_words_of_command() -> Callable[[str], str]:
    """Return `in_options` with the options of the command that runs, for other processes."""
    return partial(in_options, options=_options.get())


def in_options(text: str, options: Collection[str] | None = None) -> str:
    """Return a message with options of the command that runs in place of arguments, or told to be of Python."""
    known = _options.get() if options is None else options
    parts = _CALL.split(text)
    text = "".join(part if place % 2 else _with_options(part, known) for place, part in enumerate(parts))
    for name, option in SETTINGS.items():
        if _has(option, known):
            text = re.sub(rf"(^|: ){name} (?=is |gives '|names \[)", rf"\1{option} ", text)
    return text.replace(", see Recording.uncertain", "")


def _with_options(text: str, known: Collection[str] | None) -> str:
    for name, (option, form) in ARGUMENTS.items():
        write = partial(_as_option, option, form) if _has(option, known) else _as_python
        text = re.sub(rf"(?<![\w./-]){name}={_VALUE}", write, text)
    for name in PYTHON_ONLY:
        text = re.sub(rf"(?<![\w./-]){name}={_VALUE}", _as_python, text)
    return text


def _has(option: str, known: Collection[str] | None) -> bool:
    return known is None or option in known


def _as_python(found: re.Match[str]) -> str:
    return f"{found[0]} in Python"


def _as_option(option: str, form: str, found: re.Match[str]) -> str:
    try:
        value = ast.literal_eval(re.sub(r",? ?\.\.\.", "", found[1]))
    except (SyntaxError, ValueError):
        value = None  # what stands for a value: `...`, `[(onset, offset), ...]`
    return " ".join(f"{option} {each}".rstrip() for each in _given(value) or [form])


def _given(value: Any) -> list[str]:
    """Values of an option as a person types them."""
    if isinstance(value, dict):
        pairs = [(str(name), str(meaning)) for name, meaning in value.items()]
        return [shlex.quote(meaning if name == "*" else f"{name}={meaning}") for name, meaning in pairs]
    if isinstance(value, list):
        names = [str(name) for name in value]
        return [shlex.quote(each) for each in (names if "," in "".join(names) else filter(None, [",".join(names)]))]
    return [] if value is None or value is True else [shlex.quote(str(value))]
