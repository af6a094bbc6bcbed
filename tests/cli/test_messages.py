import ast
import re
from pathlib import Path

import pytest

import brant_hf
from brant_hf.cli import COMMANDS, main
from brant_hf.cli.messages import options_of
from brant_hf.option_names import ARGUMENTS, PYTHON_ONLY, SETTINGS, in_options, speaking_of

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
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('pass unit="mV"', "pass --unit mV"),
        ('pass unit="uV", unit="V" or unit="nV"', "pass --unit uV, --unit V or --unit nV"),
        ('Pass unit={"L A1": "mV", ...} to state', "Pass --unit 'L A1=mV' to state"),
        ("say what they are (unit={'*': 'mV'}, gain=...)", "say what they are (--unit mV, --gain FACTOR)"),
        ("make it usual (gain=1e-06)", "make it usual (--gain 1e-06)"),
        ("a gain of 50 (gain=0.02).", "a gain of 50 (--gain 0.02)."),
        ("(bad=['A1', \"B'2\"])", "(--bad 'A1,B'\"'\"'2')"),
        ("(bad=['A,1', 'B2'])", "(--bad A,1 --bad B2)"),
        ("(bad=['A[1]', 'B2'])", "(--bad 'A[1],B2')"),
        ('channel_types={"A1": "seeg"}', "--channel-type A1=seeg"),
        ("pass seizures=[(onset, offset), ...] if you", "pass --annotations TABLE if you"),
        ("event_types={'An fall': 'seizure'} (or", "--event-type 'An fall=seizure' (or"),
        ("replace it (overwrite=True)", "replace it (--force)"),
        ("a model (model=...), or install", "a model (--model CHECKPOINT), or install"),
        ("rec: channel_types names ['X'], which", "rec: --channel-type names ['X'], which"),
        ("min_channels is 0; it must be", "--min-channels is 0; it must be"),
        ("rec: min_duration is 60 s, but", "rec: --min-duration is 60 s, but"),
        ("pass sampling_rate=... (Hz)", "pass --file-rate RATE (Hz)"),
        ("pass channel_names=[...]", "pass channel_names=[...] in Python"),
        ("call open_recording(array, sampling_rate=...)", "call open_recording(array, sampling_rate=...)"),
        ("open_recording(x, unit=1), or unit=2", "open_recording(x, unit=1), or --unit 2"),
        ("data/gain=2.edf is empty", "data/gain=2.edf is empty"),
    ],
)
def test_arguments_become_options(written, said):
    assert in_options(written) == said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_no_message_names_an_option_that_the_command_lacks(command):
    shown = options_of(command)
    written = [f"pass {name}=... or {name}=['a'] or {name}={{'a': 'b'}}" for name in (*ARGUMENTS, *PYTHON_ONLY)]
    written += [f"rec: {name} is 0; it must be 1" for name in SETTINGS]
    with speaking_of(shown):
        said = [in_options(text) for text in written]
    for before, after in zip(written, said, strict=True):
        assert set(OPTION.findall(after)) <= shown
        assert OPTION.search(after) or after == before or "in Python" in after


def test_what_a_command_cannot_say_is_of_python(capsys, tmp_path):
    (tmp_path / "config.json").touch()
    fixtures = Path(__file__).parents[1] / "fixtures" / "reference"
    files = [str(fixtures / f"{name}_encoder.pt") for name in ("time", "channel")]
    with pytest.raises(SystemExit):
        main(["convert", *files, str(tmp_path), "--num-attention-heads", "2"])
    assert "allow to replace it (--force)" in capsys.readouterr().err
    with speaking_of({"--seed"}):
        assert in_options("allow to replace it (overwrite=True)") == "allow to replace it (overwrite=True in Python)"


def _messages():
    """Texts of the package that name an argument or an option, with a word for what is filled in."""
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
                if " " in text and "git lfs" not in text and (ARGUMENT.search(text) or OPTION.search(text)):
                    yield text


def test_messages_of_the_package_speak_of_arguments_and_the_command_line_of_options():
    messages = list(_messages())
    assert len([text for text in messages if ARGUMENT.search(text)]) > 20
    for message in messages:
        assert not OPTION.search(message), message
        said = in_options(message)
        left = {name for name in ARGUMENT.findall(said) if not (name in PYTHON_ONLY and "in Python" in said)}
        assert not left or "open_recording(" in said, said
