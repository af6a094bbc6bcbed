"""Command lines that run at the same time, each in a fork of one process, of which some are killed."""

import json
import subprocess
from pathlib import Path

FORKS = """
import json, os, pkgutil, signal, sys
import brant_hf.data.dataset.prepare, brant_hf.detection.detector, datasets, mne, scipy.signal, torch
from brant_hf.cli import main

torch.set_num_threads(1)

def kill_at(name, method, calls):
    kind = pkgutil.resolve_name(name)
    original, count = getattr(kind, method), [0]
    def killed(*args, **kwargs):
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    setattr(kind, method, killed)

children = []
for arguments, killed in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            if killed:
                kill_at(*killed)
            main(arguments)
        except SystemExit as end:
            os._exit(end.code)
        finally:
            os._exit(99)
    children.append(child)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
"""


def run_together(commands: Path, command_lines) -> list[int]:
    """Exit statuses of command lines; those with (class, method, number) are killed at that call of the method.

    `commands` is the folder of the fixture of that name.
    """
    program = [commands / "python", "-c", FORKS, json.dumps(command_lines)]
    return json.loads(subprocess.run(program, capture_output=True, check=True).stdout)
