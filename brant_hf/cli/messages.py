"""Messages of the package in the words of the command line: `--unit mV` in place of `unit="mV"`."""

from __future__ import annotations

import re
import shlex
from functools import partial

# Option and form of its value, by the argument of Python that it stands for. The one table of these.
ARGUMENTS = {
    "channels": ("--channels", "NAMES"),
    "bad": ("--bad", "NAMES"),
    "channel_types": ("--channel-type", "NAME=TYPE"),
    "unit": ("--unit", "UNIT"),
    "gain": ("--gain", "FACTOR"),
    "start": ("--start", "TIME"),
    "stop": ("--stop", "TIME"),
    "seizures": ("--annotations", "TABLE"),
    "event_types": ("--event-type", "TEXT=MEANING"),
    "subject": ("--subject", "NAME"),
    "model": ("--model", "CHECKPOINT"),
    "overwrite": ("--force", ""),
}
# What only Python can say, of `open_recording`.
PYTHON_ONLY = ("sampling_rate", "channel_names", "electrical_series")
_SETTINGS = ("threshold", "min_channels", "min_duration", "merge_gap", "overlap", "batch_size")
_VALUE = r"""(\{[^{}]*\}|\[[^\[\]]*\]|"[^"]*"|'[^']*'|\.\.\.|\w*)"""
_PAIR = re.compile(r"""(["'])(.+?)\1: (["'])(.+?)\3""")


def in_options(text: str) -> str:
    """Return a message with options in place of arguments, each said once."""
    for name, (option, form) in ARGUMENTS.items():
        argument = rf"(?<![\w./-]){name}={_VALUE}"
        # Many messages say both; the argument, where it comes first, knows the names of this recording.
        text = re.sub(rf"({option}\b[^()=;]*?),(?: or)? {argument}", r"\1", text)
        text = re.sub(rf"({argument})(?: \({option}\b[^()]*\)|, {option}\b(?: '[^']*')?)", r"\1", text)
        text = re.sub(argument, partial(_as_option, option, form), text)
        text = re.sub(rf"(?<=: ){name} (?=names \[)", f"{option} ", text)
    for name in PYTHON_ONLY if "open_recording(" not in text else ():
        text = re.sub(rf"(?<![\w./-]){name}={_VALUE}", rf"open_recording(..., {name}=...) in Python", text)
    text = re.sub(rf"^({'|'.join(_SETTINGS)})(?= is )", lambda found: f"--{found[1].replace('_', '-')}", text)
    return text.replace(", see Recording.uncertain", "")


def _as_option(option: str, form: str, found: re.Match[str]) -> str:
    value = found[1]
    if value.startswith("{"):
        pairs = [(name, meaning) for _, name, _, meaning in _PAIR.findall(value)]
        given = [shlex.quote(meaning if name == "*" else f"{name}={meaning}") for name, meaning in pairs]
    else:
        given = [] if value.startswith(("[", ".")) or value == "True" else [value.strip("\"'")]
    return " ".join(f"{option} {each}".rstrip() for each in [each for each in given if each] or [form])
