import ast
import re
from pathlib import Path

import pytest

import brant_hf
from brant_hf.cli.messages import ARGUMENTS, PYTHON_ONLY, in_options

# Rooms whose messages reach the command line.
ROOMS = (
    "data/recordings",
    "data/preprocessing",
    "data/inspection.py",
    "events",
    "detection",
    "files.py",
    "checkpoints.py",
)
ARGUMENT = re.compile(rf"(?<![\w-])({'|'.join((*ARGUMENTS, *PYTHON_ONLY))})=")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('pass unit="mV"', "pass --unit mV"),
        ('pass unit="uV", unit="V" or unit="nV"', "pass --unit uV, --unit V or --unit nV"),
        ('Pass unit={"L A1": "mV", ...} (--unit L A1=mV,...) to state', "Pass --unit 'L A1=mV' to state"),
        ("say so (--unit mV, unit={'*': 'mV'}; --gain, gain=)", "say so (--unit mV; --gain)"),
        ("unit={'*': 'mV'}", "--unit mV"),
        ("(--bad A1,A2, bad=[...])", "(--bad A1,A2)"),
        ('channel_types={"A1": "seeg"} (--channel-type A1=seeg)', "--channel-type A1=seeg"),
        ("pass seizures=[(onset, offset), ...] if you", "pass --annotations TABLE if you"),
        ("that you give (seizures=..., --annotations)", "that you give (--annotations TABLE)"),
        ("event_types={'An fall': 'seizure'}, --event-type 'TEXT=seizure' (or", "--event-type 'An fall=seizure' (or"),
        ("replace it (--force, overwrite=True)", "replace it (--force)"),
        ("a model (--model, or model=...), or install", "a model (--model), or install"),
        ("rec: channel_types names ['X'], which", "rec: --channel-type names ['X'], which"),
        ("min_channels is 0; it must be", "--min-channels is 0; it must be"),
        ("pass sampling_rate=... in Hz", "pass open_recording(..., sampling_rate=...) in Python in Hz"),
        ("call open_recording(array, sampling_rate=...)", "call open_recording(array, sampling_rate=...)"),
        ("data/gain=2.edf is empty", "data/gain=2.edf is empty"),
    ],
)
def test_arguments_become_options_each_said_once(written, said):
    assert in_options(written) == said


def _messages():
    """Texts of the package that name an argument, with a word for what is filled in."""
    package = Path(brant_hf.__file__).parent
    for path in (path for room in ROOMS for path in sorted([package / room, *(package / room).rglob("*.py")])):
        if path.is_file():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            prose = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
            joined = [each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)]
            parts = {id(value) for each in joined for value in each.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    text = "".join(
                        str(each.value) if isinstance(each, ast.Constant) else "'X'" for each in node.values
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose | parts:
                    text = node.value
                else:
                    continue
                if " " in text and ARGUMENT.search(text):
                    yield text


def test_no_message_speaks_of_arguments_on_the_command_line():
    messages = list(_messages())
    assert len(messages) > 20
    for message in messages:
        said = in_options(message)
        left = {name for name in ARGUMENT.findall(said) if not (name in PYTHON_ONLY and "open_recording(" in said)}
        assert not left, said
        assert not re.search(r"(--[a-z-]+)[^-;.]{0,12}\(\1|, \)|\( *,", said), said
